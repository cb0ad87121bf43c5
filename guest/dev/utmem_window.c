// SPDX-License-Identifier: GPL-2.0-only
/*
 * The window's first two pages: what the host says of itself, our hello, and
 * whether the host still lives. The host's word is copied once and checked, and
 * only the copy is used. Process context; the looks at the host's state from any.
 */
#include <linux/iopoll.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/pci.h>

#include "utmem.h"

int utmem_window_recognise(struct device *parent, const void *window)
{
	struct utmem_window_hdr hdr;

	utmem_copy_once(&hdr, window, sizeof(hdr));
	if (hdr.magic != UTMEM_MAGIC)
		return -ENODEV;
	if (hdr.abi_major == UTMEM_ABI_MAJOR)
		return 0;
	dev_err(parent,
		"the host speaks ABI %u.%u, this driver %u.%u: load a driver that matches\n",
		hdr.abi_major, hdr.abi_minor, UTMEM_ABI_MAJOR, UTMEM_ABI_MINOR);
	return -ENODEV;
}

/* ---- the header ---- */

static const char *layout_complaint(const struct utmem_window_hdr *h, u64 bar_len)
{
	if (h->magic != UTMEM_MAGIC || h->abi_major != UTMEM_ABI_MAJOR || h->hdr_len < sizeof(*h) ||
	    h->hdr_len > UTMEM_PAGE)
		return "magic, ABI or length";
	if (!is_power_of_2(h->window_len) || h->window_len < UTMEM_WINDOW_LEN_MIN ||
	    h->window_len != bar_len)
		return "window_len";
	if (h->control_off % UTMEM_PAGE || h->control_off < UTMEM_PAGE ||
	    h->control_off > h->window_len - UTMEM_PAGE)
		return "control_off";
	if (utmem_geometry_check(&h->admin, h->window_len) || utmem_window_reserved(h, &h->admin))
		return "admin queue";
	return NULL;
}

static const char *limits_complaint(const struct utmem_window_hdr *h)
{
	if (h->nr_svc < 1 || h->nr_svc > UTMEM_SVC_MAX)
		return "nr_svc";
	if (h->host_peer > U16_MAX)
		return "host_peer";
	if (h->max_queues < 2 || h->max_queues > UTMEM_QUEUES_MAX)
		return "max_queues";
	if (h->max_sq_entries < UTMEM_SQ_ENTRIES_MIN || h->max_sq_entries > UTMEM_SQ_ENTRIES_MAX)
		return "max_sq_entries";
	if (h->max_data_len > UTMEM_DATA_LEN_MAX)
		return "max_data_len";
	if (h->max_key_len < 1 || h->max_key_len > UTMEM_KEY_MAX)
		return "max_key_len";
	if (h->max_value_len < 1 || h->max_value_len > UTMEM_VALUE_MAX)
		return "max_value_len";
	if (!(h->features & UTMEM_FEAT_DOORBELL_MMIO))
		return "features (no doorbell register)";
	return NULL;
}

static u64 features_known(void)
{
	u64 known = UTMEM_FEAT_DOORBELL_MMIO | UTMEM_FEAT_RESERVE;

	return utmem_doorbell_hypercalls() ? known | UTMEM_FEAT_DOORBELL_HYPERCALL : known;
}

int utmem_window_check(struct utmem_dev *dev, u64 bar_len)
{
	const char *what;

	utmem_copy_once(&dev->hdr, dev->window, sizeof(dev->hdr));
	what = layout_complaint(&dev->hdr, bar_len);
	if (!what)
		what = limits_complaint(&dev->hdr);
	if (what) {
		dev_err(&dev->pdev->dev, "window header: bad %s\n", what);
		return -EPROTO;
	}
	dev->features = dev->hdr.features & features_known();
	dev->control = dev->window + dev->hdr.control_off;
	return 0;
}

u32 utmem_epoch(const struct utmem_dev *dev)
{
	const struct utmem_window_hdr *hdr = dev->window;

	return utmem_load_relaxed(&hdr->epoch);
}

u64 utmem_features_now(const struct utmem_dev *dev)
{
	const struct utmem_window_hdr *hdr = dev->window;

	return utmem_load_relaxed(&hdr->features);
}

/* ---- hello ---- */

int utmem_window_hello(struct utmem_dev *dev)
{
	struct utmem_control *c = dev->control;
	u64 hello = utmem_load_relaxed(&c->guest.hello) + 1;
	u64 ack;
	int err;

	if (utmem_load_relaxed(&c->host.state) != UTMEM_HOST_RUNNING) {
		dev_err(&dev->pdev->dev,
			"the host's daemon has ended, or is about to: start the VM again\n");
		return -ESHUTDOWN;
	}
	utmem_store_relaxed(&c->guest.features, dev->features);
	utmem_store_release(&c->guest.hello, hello);
	utmem_doorbell_control(dev, true);
	err = read_poll_timeout(utmem_load_acquire, ack, ack == hello, 500,
				UTMEM_HELLO_MSECS * USEC_PER_MSEC, false, &c->host.hello_ack);
	if (err)
		dev_err(&dev->pdev->dev, "no answer from the host in %u ms: is utmemd running?\n",
			UTMEM_HELLO_MSECS);
	return err;
}

/* ---- the host's life ---- */

bool utmem_host_stopped(const struct utmem_dev *dev)
{
	return utmem_load_relaxed(&dev->control->host.state) == UTMEM_HOST_STOPPED;
}

int utmem_host_error(const struct utmem_dev *dev)
{
	if (utmem_host_stopped(dev))
		return -ESHUTDOWN;
	return READ_ONCE(dev->silent) ? -ETIMEDOUT : 0;
}

static unsigned long silent_after(const struct utmem_dev *dev)
{
	u32 period = min(dev->hdr.heartbeat_ms, UTMEM_BEAT_MSECS_MAX);

	return msecs_to_jiffies(max(UTMEM_SILENT_MSECS, UTMEM_SILENT_BEATS * period));
}

static void utmem_listen(struct utmem_dev *dev)
{
	u32 beat = utmem_load_relaxed(&dev->control->host.heartbeat);

	if (beat != dev->beat || !dev->hdr.heartbeat_ms) {
		dev->beat = beat;
		dev->beat_at = jiffies;
		WRITE_ONCE(dev->silent, false);
	} else if (!dev->silent && time_after(jiffies, dev->beat_at + silent_after(dev))) {
		dev_warn(&dev->pdev->dev, "the host is silent: heartbeat %u since %u ms\n", beat,
			 jiffies_to_msecs(jiffies - dev->beat_at));
		WRITE_ONCE(dev->silent, true);
	}
}

/*
 * Once a second while there are queues. It also looks at every queue as an interrupt would: a host
 * that died between completion and interrupt must not leave somebody asleep.
 */
static void utmem_pulse(struct work_struct *work)
{
	struct utmem_dev *dev = container_of(to_delayed_work(work), struct utmem_dev, pulse);
	unsigned int i;

	utmem_listen(dev);
	for (i = 0; i < dev->nr_vectors; i++)
		utmem_wake_look(&dev->vectors[i], false);
	if (READ_ONCE(dev->nr_queues))
		schedule_delayed_work(&dev->pulse, msecs_to_jiffies(UTMEM_PULSE_MSECS));
}

void utmem_pulse_init(struct utmem_dev *dev)
{
	INIT_DELAYED_WORK(&dev->pulse, utmem_pulse);
}

void utmem_pulse_start(struct utmem_dev *dev)
{
	/* Nobody has looked while there was no queue. */
	if (!delayed_work_pending(&dev->pulse)) {
		dev->beat_at = jiffies;
		WRITE_ONCE(dev->silent, false);
	}
	schedule_delayed_work(&dev->pulse, msecs_to_jiffies(UTMEM_PULSE_MSECS));
}

void utmem_pulse_stop(struct utmem_dev *dev)
{
	cancel_delayed_work_sync(&dev->pulse);
}
