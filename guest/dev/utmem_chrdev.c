// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/utmemN: what a process may say, copied once, checked, handed on; and its view
 * of the window. Called by the VFS and by page faults, process context.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "utmem.h"

#define CONTROL_PGOFF (UTMEM_MMAP_CONTROL >> PAGE_SHIFT)
#define FAULT_AROUND 16 /* pages mapped by one fault, at most */

static_assert(PAGE_SIZE == UTMEM_PAGE);

/* ---- ioctl: copied in, checked, done, copied out ---- */

/* What a process hands over and gets back, whatever the call. */
union argument {
	struct utmem_ioc_info info;
	struct utmem_ioc_queue queue;
	struct utmem_ioc_pool pool;
	struct utmem_pool_stat stat;
	struct utmem_ioc_enter enter;
	struct utmem_ioc_batch batch;
	struct utmem_ioc_stats stats;
};

static bool all_zero(const void *p, size_t len)
{
	return !memchr_inv(p, 0, len);
}

static struct utmem_queue *file_queue(struct utmem_file *f)
{
	return smp_load_acquire(&f->queue); /* with queue_created() */
}

static u32 device_knob(const struct utmem_dev *dev, enum utmem_knob i)
{
	return READ_ONCE(dev->knobs.value[i]);
}

static int ioc_info(struct utmem_file *f, union argument *arg)
{
	struct utmem_dev *dev = f->dev;

	arg->info = (struct utmem_ioc_info){
		.abi_major = dev->hdr.abi_major,
		.abi_minor = dev->hdr.abi_minor,
		.epoch = utmem_epoch(dev),
		.features = dev->features,
		.window_len = dev->hdr.window_len,
		.max_queues = dev->hdr.max_queues,
		.max_sq_entries = dev->hdr.max_sq_entries,
		.max_data_len = dev->hdr.max_data_len,
		.max_key_len = dev->hdr.max_key_len,
		.max_value_len = dev->hdr.max_value_len,
		.batch_max = device_knob(dev, UTMEM_KNOB_BATCH_MAX),
		.batch_usecs = device_knob(dev, UTMEM_KNOB_BATCH_USECS),
		.batch_mode = device_knob(dev, UTMEM_KNOB_BATCH_MODE),
		.irq_max = device_knob(dev, UTMEM_KNOB_IRQ_MAX),
		.irq_usecs = device_knob(dev, UTMEM_KNOB_IRQ_USECS),
		.doorbell = utmem_doorbell_now(dev) == UTMEM_RING_HYPERCALL
				    ? UTMEM_DOORBELL_HYPERCALL
				    : UTMEM_DOORBELL_MMIO,
	};
	return 0;
}

static int ioc_queue_create(struct utmem_file *f, union argument *arg)
{
	struct utmem_ioc_queue *io = &arg->queue;
	struct utmem_queue *q;
	int err;

	if (io->resv0)
		return -EINVAL;
	if (atomic_cmpxchg(&f->claimed, 0, 1))
		return -EBUSY;
	err = utmem_queue_create(f, io, &q);
	if (err) {
		atomic_set_release(&f->claimed, 0);
		return err;
	}
	io->cq_entries = q->geo.cq_entries;
	io->svc_slot = q->svc_slot;
	io->geo = q->geo;
	io->geo.off = 0;
	f->made = q;
	return 0;
}

/* A queue that its process knows nothing of must not stay. */
static void queue_created(struct utmem_file *f, union argument *arg, bool told)
{
	struct utmem_queue *q = f->made;

	f->made = NULL;
	if (told) {
		smp_store_release(&f->queue, q); /* with file_queue(): the queue is whole */
		/* Whoever polled the file before it had a queue looks again. */
		wake_up_poll(&f->poll_wait, EPOLLIN);
	} else {
		utmem_queue_destroy(q);
		atomic_set_release(&f->claimed, 0);
	}
}

static int ioc_pool_open(struct utmem_file *f, union argument *arg)
{
	struct utmem_queue *q = file_queue(f);
	struct utmem_ioc_pool *io = &arg->pool;

	if (io->resv0 || !all_zero(io->resv, sizeof(io->resv)))
		return -EINVAL;
	return q ? utmem_pool_open(q, io) : -ENXIO;
}

/* A handle that its process knows nothing of must not stay; a pool that was made for it does. */
static void pool_opened(struct utmem_file *f, union argument *arg, bool told)
{
	int idx;

	if (told || utmem_dev_enter(f->dev, &idx))
		return;
	utmem_pool_end(f->queue, UTMEM_OP_POOL_CLOSE, arg->pool.handle);
	utmem_dev_leave(f->dev, idx);
}

static int pool_end(struct utmem_file *f, const struct utmem_ioc_pool *io, u8 opcode)
{
	struct utmem_queue *q = file_queue(f);

	if (io->flags || io->resv0 || !all_zero(io->resv, sizeof(io->resv)))
		return -EINVAL;
	return q ? utmem_pool_end(q, opcode, io->handle) : -ENXIO;
}

static int ioc_pool_close(struct utmem_file *f, union argument *arg)
{
	return pool_end(f, &arg->pool, UTMEM_OP_POOL_CLOSE);
}

static int ioc_pool_destroy(struct utmem_file *f, union argument *arg)
{
	return pool_end(f, &arg->pool, UTMEM_OP_POOL_DESTROY);
}

static int ioc_pool_stat(struct utmem_file *f, union argument *arg)
{
	struct utmem_queue *q = file_queue(f);
	struct utmem_pool_stat *st = &arg->stat;

	if (st->resv0 || st->resv1 || !all_zero(st->resv, sizeof(st->resv)))
		return -EINVAL;
	return q ? utmem_pool_stat(q, st) : -ENXIO;
}

static int ioc_enter(struct utmem_file *f, union argument *arg)
{
	struct utmem_queue *q = file_queue(f);
	struct utmem_ioc_enter *e = &arg->enter;

	if (e->resv0 || e->resv[0])
		return -EINVAL;
	return q ? utmem_queue_enter(q, e) : -ENXIO;
}

static int ioc_batch_set(struct utmem_file *f, union argument *arg)
{
	struct utmem_queue *q = file_queue(f);
	struct utmem_ioc_batch *io = &arg->batch;
	struct utmem_knobs knobs = UTMEM_KNOBS_OF(io);
	int err;

	if (io->resv0 || io->resv[0])
		return -EINVAL;
	err = utmem_knobs_check(&knobs);
	if (err)
		return err;
	if (!q)
		return -ENXIO;
	utmem_knobs_store(&q->knobs, &knobs);
	return 0;
}

static int ioc_batch_get(struct utmem_file *f, union argument *arg)
{
	struct utmem_queue *q = file_queue(f);
	struct utmem_ioc_batch *io = &arg->batch;

	if (!q)
		return -ENXIO;
	io->batch_max = utmem_knob(q, UTMEM_KNOB_BATCH_MAX);
	io->batch_usecs = utmem_knob(q, UTMEM_KNOB_BATCH_USECS);
	io->batch_mode = utmem_knob(q, UTMEM_KNOB_BATCH_MODE);
	io->irq_max = utmem_knob(q, UTMEM_KNOB_IRQ_MAX);
	io->irq_usecs = utmem_knob(q, UTMEM_KNOB_IRQ_USECS);
	return 0;
}

static void read_counters(struct utmem_counters *c, struct utmem_ioc_counters *out)
{
	out->requests = atomic64_read(&c->requests);
	out->doorbells = atomic64_read(&c->doorbells);
	out->interrupts = atomic64_read(&c->interrupts);
	out->deferred = atomic64_read(&c->deferred);
	out->awake = atomic64_read(&c->awake);
	out->hypercalls = atomic64_read(&c->hypercalls);
	out->unanswered = atomic64_read(&c->unanswered);
	out->coalesced = atomic64_read(&c->coalesced);
}

static int ioc_stats(struct utmem_file *f, union argument *arg)
{
	struct utmem_queue *q = file_queue(f);

	if (q)
		read_counters(&q->counters, &arg->stats.queue);
	read_counters(&f->dev->counters, &arg->stats.device);
	return 0;
}

/* Size and direction of the argument are in the command's number. */
static const struct call {
	unsigned int cmd;
	/* Between enter() and leave(). */
	int (*act)(struct utmem_file *f, union argument *arg);
	/* After it succeeded, behind leave(). @told: the answer has been copied out. */
	void (*done)(struct utmem_file *f, union argument *arg, bool told);
} calls[] = {
	{UTMEM_IOC_ENTER, ioc_enter},
	{UTMEM_IOC_INFO, ioc_info},
	{UTMEM_IOC_QUEUE_CREATE, ioc_queue_create, queue_created},
	{UTMEM_IOC_POOL_OPEN, ioc_pool_open, pool_opened},
	{UTMEM_IOC_POOL_CLOSE, ioc_pool_close},
	{UTMEM_IOC_POOL_DESTROY, ioc_pool_destroy},
	{UTMEM_IOC_POOL_STAT, ioc_pool_stat},
	{UTMEM_IOC_BATCH_SET, ioc_batch_set},
	{UTMEM_IOC_BATCH_GET, ioc_batch_get},
	{UTMEM_IOC_STATS, ioc_stats},
};

static const struct call *utmem_call_find(unsigned int cmd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].cmd == cmd)
			return &calls[i];
	return NULL;
}

/* User memory is touched here alone, and nothing is held meanwhile. */
static int utmem_call_run(const struct call *call, struct utmem_file *f, void __user *user)
{
	size_t len = _IOC_SIZE(call->cmd);
	union argument arg;
	bool told = true;
	int idx, err;

	memset(&arg, 0, sizeof(arg)); /* {} is only the first member's zero */
	if (_IOC_DIR(call->cmd) & _IOC_WRITE && copy_from_user(&arg, user, len))
		return -EFAULT;
	err = utmem_dev_enter(f->dev, &idx);
	if (err)
		return err;
	err = call->act(f, &arg);
	utmem_dev_leave(f->dev, idx);
	if (err)
		return err;
	if (_IOC_DIR(call->cmd) & _IOC_READ)
		told = !copy_to_user(user, &arg, len);
	if (call->done)
		call->done(f, &arg, told);
	return told ? 0 : -EFAULT;
}

static long utmem_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	const struct call *call = utmem_call_find(cmd);

	return call ? utmem_call_run(call, filp->private_data, (void __user *)arg) : -ENOTTY;
}

static __poll_t utmem_poll(struct file *filp, poll_table *wait)
{
	struct utmem_file *f = filp->private_data;
	struct utmem_queue *q;
	__poll_t mask;
	int idx;

	poll_wait(filp, &f->poll_wait, wait);
	if (utmem_dev_enter(f->dev, &idx))
		return EPOLLERR | EPOLLHUP;
	q = file_queue(f);
	mask = q ? utmem_queue_poll(q) : 0;
	utmem_dev_leave(f->dev, idx);
	return mask;
}

/* ---- the window ---- */

/* How many pages can be mapped from page @pgoff of the file on, and where they lie. 0: none. */
static unsigned long window_pages(struct utmem_file *f, pgoff_t pgoff, unsigned long *pfn)
{
	struct utmem_queue *q = file_queue(f);
	u64 off, len, at;

	if (pgoff >= CONTROL_PGOFF) {
		off = f->dev->hdr.control_off;
		len = UTMEM_PAGE;
		pgoff -= CONTROL_PGOFF;
	} else if (q) {
		off = q->geo.off;
		len = q->geo.len;
	} else {
		return 0;
	}
	if (pgoff >= len >> PAGE_SHIFT)
		return 0;
	at = (u64)pgoff << PAGE_SHIFT;
	*pfn = (f->dev->window_phys + off + at) >> PAGE_SHIFT;
	return (len - at) >> PAGE_SHIFT;
}

/*
 * Pages are mapped by faults, not by mmap(): a mapping that remove() takes away must be one that it
 * can find, and it finds only what mmap() has finished.
 */
static vm_fault_t map_pages(struct utmem_file *f, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long addr = vmf->address & PAGE_MASK;
	unsigned long pfn, i, n;
	vm_fault_t ret;

	n = window_pages(f, vmf->pgoff, &pfn);
	if (!n)
		return VM_FAULT_SIGBUS;
	n = min3(n, (vma->vm_end - addr) >> PAGE_SHIFT, (unsigned long)FAULT_AROUND);
	ret = vmf_insert_pfn(vma, addr, pfn);
	for (i = 1; i < n && ret == VM_FAULT_NOPAGE; i++)
		if (vmf_insert_pfn(vma, addr + (i << PAGE_SHIFT), pfn + i) != VM_FAULT_NOPAGE)
			break;
	return ret;
}

static vm_fault_t utmem_fault(struct vm_fault *vmf)
{
	struct utmem_file *f = vmf->vma->vm_file->private_data;
	vm_fault_t ret;
	int idx;

	if (utmem_dev_enter(f->dev, &idx))
		return VM_FAULT_SIGBUS;
	ret = map_pages(f, vmf);
	utmem_dev_leave(f->dev, idx);
	return ret;
}

static const struct vm_operations_struct utmem_vm_ops = {
	.fault = utmem_fault,
};

static int check_mapping(struct utmem_file *f, const struct vm_area_struct *vma)
{
	unsigned long pfn;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	if (vma->vm_pgoff == CONTROL_PGOFF && vma->vm_flags & VM_WRITE)
		return -EACCES;
	if (vma->vm_pgoff != CONTROL_PGOFF && vma->vm_pgoff != UTMEM_MMAP_QUEUE)
		return -EINVAL;
	if (vma->vm_pgoff != CONTROL_PGOFF && !file_queue(f))
		return -ENXIO;
	return vma_pages((struct vm_area_struct *)vma) <= window_pages(f, vma->vm_pgoff, &pfn)
		       ? 0
		       : -EINVAL;
}

static int utmem_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct utmem_file *f = filp->private_data;
	int idx, err;

	err = utmem_dev_enter(f->dev, &idx);
	if (err)
		return err;
	err = check_mapping(f, vma);
	utmem_dev_leave(f->dev, idx);
	if (err)
		return err;
	vma->vm_flags |= VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP;
	vma->vm_flags &= ~VM_MAYEXEC;
	if (vma->vm_pgoff == CONTROL_PGOFF)
		vma->vm_flags &= ~VM_MAYWRITE;
	vma->vm_ops = &utmem_vm_ops;
	return 0;
}

void utmem_chrdev_zap(struct utmem_dev *dev)
{
	struct utmem_file *f;

	mutex_lock(&dev->lock);
	list_for_each_entry(f, &dev->files, node)
		unmap_mapping_range(f->filp->f_mapping, 0, 0, 1);
	mutex_unlock(&dev->lock);
}

/* ---- open and release ---- */

static int utmem_open(struct inode *inode, struct file *filp)
{
	/* misc_open() holds the lock that misc_deregister() takes: the device is there. */
	struct utmem_dev *dev = container_of(filp->private_data, struct utmem_dev, misc);
	struct utmem_file *f;

	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f)
		return -ENOMEM;
	kref_get(&dev->ref);
	f->dev = dev;
	f->filp = filp;
	init_waitqueue_head(&f->poll_wait);
	mutex_lock(&dev->lock);
	list_add(&f->node, &dev->files);
	mutex_unlock(&dev->lock);
	filp->private_data = f;
	return nonseekable_open(inode, filp);
}

/* The last reference is gone, and with it every mapping. */
static int utmem_release(struct inode *inode, struct file *filp)
{
	struct utmem_file *f = filp->private_data;
	struct utmem_dev *dev = f->dev;

	if (f->queue)
		utmem_queue_destroy(f->queue);
	mutex_lock(&dev->lock);
	list_del(&f->node);
	mutex_unlock(&dev->lock);
	kfree(f);
	utmem_dev_unref(dev);
	return 0;
}

const struct file_operations utmem_fops = {
	.owner = THIS_MODULE,
	.open = utmem_open,
	.release = utmem_release,
	.unlocked_ioctl = utmem_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = utmem_poll,
	.mmap = utmem_mmap,
	.llseek = no_llseek,
};
