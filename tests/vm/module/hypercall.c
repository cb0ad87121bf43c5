// SPDX-License-Identifier: GPL-2.0-only
/*
 * In a guest: /dev/hypercall, which makes any hypercall from kernel mode. A write is one struct
 * hypercall_order; a read then says what the last one returned. For tests alone.
 */
#include <linux/fs.h>
#include <linux/kvm_para.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "hypercall.h"

static s64 last;

static ssize_t order_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	struct hypercall_order o;

	if (len != sizeof(o))
		return -EINVAL;
	if (copy_from_user(&o, from, len))
		return -EFAULT;
	for (; o.count && !signal_pending(current); o.count--) {
		last = kvm_hypercall4(o.nr, o.arg[0], o.arg[1], o.arg[2], o.arg[3]);
		cond_resched();
	}
	return len;
}

static ssize_t order_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	if (len != sizeof(last))
		return -EINVAL;
	return copy_to_user(to, &last, len) ? -EFAULT : len;
}

static const struct file_operations order_fops = {
	.owner = THIS_MODULE,
	.write = order_write,
	.read = order_read,
};

static struct miscdevice order_dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hypercall",
	.fops = &order_fops,
};

static int __init order_init(void)
{
	/* elsewhere the instruction is an undefined one */
	return kvm_para_available() ? misc_register(&order_dev) : -ENODEV;
}

static void __exit order_exit(void)
{
	misc_deregister(&order_dev);
}

module_init(order_init);
module_exit(order_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Hypercalls of one's choice, for tests");
