// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/class/misc/utmemN: two settings, the device's counters, what the window says.
 * Called by sysfs, process context; gone before the window is (misc_deregister()).
 */
#include <linux/device.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/sysfs.h>

#include "utmem.h"

static struct utmem_dev *to_utmem(struct device *device)
{
	struct miscdevice *misc = dev_get_drvdata(device);

	return container_of(misc, struct utmem_dev, misc);
}

/* ---- settings ---- */

static enum utmem_knob knob_of(struct device_attribute *attr)
{
	return (uintptr_t)container_of(attr, struct dev_ext_attribute, attr)->var;
}

static ssize_t knob_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(to_utmem(device)->knobs.value[knob_of(attr)]));
}

static ssize_t knob_store(struct device *device, struct device_attribute *attr, const char *buf,
			  size_t len)
{
	u32 value;
	int err;

	err = kstrtou32(buf, 0, &value);
	if (!err)
		err = utmem_knob_set(&to_utmem(device)->knobs, knob_of(attr), value);
	return err ? err : len;
}

#define KNOB(name, knob)                                           \
	static struct dev_ext_attribute dev_attr_##name = {        \
		.attr = __ATTR(name, 0644, knob_show, knob_store), \
		.var = (void *)knob,                               \
	}

KNOB(batch_max, UTMEM_KNOB_BATCH_MAX);
KNOB(batch_usecs, UTMEM_KNOB_BATCH_USECS);
KNOB(irq_max, UTMEM_KNOB_IRQ_MAX);
KNOB(irq_usecs, UTMEM_KNOB_IRQ_USECS);

static const char *const batch_modes[] = {
	[UTMEM_BATCH_FIXED] = "fixed",
	[UTMEM_BATCH_ADAPTIVE] = "adaptive",
};

static ssize_t batch_mode_show(struct device *device, struct device_attribute *attr, char *buf)
{
	u32 mode = READ_ONCE(to_utmem(device)->knobs.value[UTMEM_KNOB_BATCH_MODE]);

	return sysfs_emit(buf, "%s\n", batch_modes[mode]);
}

static ssize_t batch_mode_store(struct device *device, struct device_attribute *attr,
				const char *buf, size_t len)
{
	int mode = sysfs_match_string(batch_modes, buf);

	if (mode < 0)
		return mode;
	utmem_knob_set(&to_utmem(device)->knobs, UTMEM_KNOB_BATCH_MODE, mode);
	return len;
}
static DEVICE_ATTR_RW(batch_mode);

static const char *const doorbell_modes[] = {
	[UTMEM_DOORBELL_AUTO] = "auto",
	[UTMEM_DOORBELL_BY_MMIO] = "mmio",
	[UTMEM_DOORBELL_INSISTING] = "hypercall",
};

/* What is set, and in brackets how the next doorbell would ring. */
static ssize_t doorbell_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct utmem_dev *dev = to_utmem(device);
	bool hypercall = utmem_doorbell_now(dev) == UTMEM_RING_HYPERCALL;

	return sysfs_emit(buf, "%s [%s]\n", doorbell_modes[READ_ONCE(dev->doorbell)],
			  hypercall ? "hypercall" : "mmio");
}

static ssize_t doorbell_store(struct device *device, struct device_attribute *attr, const char *buf,
			      size_t len)
{
	int mode = sysfs_match_string(doorbell_modes, buf);

	if (mode < 0)
		return mode;
	if (mode == UTMEM_DOORBELL_INSISTING && !utmem_doorbell_hypercalls())
		return -EOPNOTSUPP;
	utmem_doorbell_set(to_utmem(device), mode);
	return len;
}
static DEVICE_ATTR_RW(doorbell);

/* ---- counters ---- */

#define COUNTER(name)                                                                    \
	static ssize_t name##_show(struct device *device, struct device_attribute *attr, \
				   char *buf)                                            \
	{                                                                                \
		return sysfs_emit(buf, "%lld\n",                                         \
				  (s64)atomic64_read(&to_utmem(device)->counters.name)); \
	}                                                                                \
	static DEVICE_ATTR_RO(name)

COUNTER(requests);
COUNTER(doorbells);
COUNTER(interrupts);
COUNTER(deferred);
COUNTER(awake);
COUNTER(hypercalls);
COUNTER(unanswered);
COUNTER(coalesced);

static ssize_t requests_per_doorbell_show(struct device *device, struct device_attribute *attr,
					  char *buf)
{
	struct utmem_counters *c = &to_utmem(device)->counters;
	u64 doorbells = atomic64_read(&c->doorbells);
	u64 hundredths = 0, rest;

	if (doorbells)
		hundredths = div64_u64(100 * (u64)atomic64_read(&c->requests), doorbells);
	rest = do_div(hundredths, 100);
	return sysfs_emit(buf, "%llu.%02llu\n", hundredths, rest);
}
static DEVICE_ATTR_RO(requests_per_doorbell);

/* ---- the window ---- */

static ssize_t epoch_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", utmem_epoch(to_utmem(device)));
}
static DEVICE_ATTR_RO(epoch);

static ssize_t features_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%#llx\n", to_utmem(device)->features);
}
static DEVICE_ATTR_RO(features);

static ssize_t window_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", to_utmem(device)->hdr.window_len);
}
static DEVICE_ATTR_RO(window);

static ssize_t queues_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(to_utmem(device)->nr_queues));
}
static DEVICE_ATTR_RO(queues);

/* clang-format off */
static struct attribute *utmem_attrs[] = {
	&dev_attr_batch_mode.attr,
	&dev_attr_batch_max.attr.attr,
	&dev_attr_batch_usecs.attr.attr,
	&dev_attr_irq_max.attr.attr,
	&dev_attr_irq_usecs.attr.attr,
	&dev_attr_doorbell.attr,
	&dev_attr_requests.attr,
	&dev_attr_doorbells.attr,
	&dev_attr_requests_per_doorbell.attr,
	&dev_attr_deferred.attr,
	&dev_attr_awake.attr,
	&dev_attr_hypercalls.attr,
	&dev_attr_unanswered.attr,
	&dev_attr_interrupts.attr,
	&dev_attr_coalesced.attr,
	&dev_attr_epoch.attr,
	&dev_attr_features.attr,
	&dev_attr_window.attr,
	&dev_attr_queues.attr,
	NULL,
};
/* clang-format on */

static const struct attribute_group utmem_group = {
	.attrs = utmem_attrs,
};

const struct attribute_group *utmem_groups[] = {
	&utmem_group,
	NULL,
};
