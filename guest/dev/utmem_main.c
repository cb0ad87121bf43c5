// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module, and the memory of its devices: allocated by probe(), freed with the
 * last reference, which may be a file that is closed long after remove().
 */
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "utmem.h"

static DEFINE_IDA(ids);

static void dev_init(struct utmem_dev *dev)
{
	unsigned int i;

	kref_init(&dev->ref);
	mutex_init(&dev->lock);
	INIT_LIST_HEAD(&dev->files);
	INIT_LIST_HEAD(&dev->queues);
	mutex_init(&dev->admin.lock);
	init_waitqueue_head(&dev->admin.wait);
	for (i = 0; i < UTMEM_VECTORS_MAX; i++) {
		spin_lock_init(&dev->vectors[i].lock);
		INIT_LIST_HEAD(&dev->vectors[i].queues);
		dev->vectors[i].dev = dev;
	}
	utmem_doorbell_init(dev);
	utmem_batch_init(dev);
	utmem_pulse_init(dev);
	utmem_knobs_init(&dev->knobs);
}

int utmem_dev_alloc(struct pci_dev *pdev, struct utmem_dev **out)
{
	struct utmem_dev *dev;
	int err;

	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return -ENOMEM;
	err = init_srcu_struct(&dev->srcu);
	if (err)
		goto free_dev;
	err = ida_alloc(&ids, GFP_KERNEL);
	if (err < 0)
		goto cleanup_srcu;
	dev->id = err;
	dev->pdev = pdev;
	snprintf(dev->name, sizeof(dev->name), UTMEM_NAME "%d", dev->id);
	dev_init(dev);
	*out = dev;
	return 0;

cleanup_srcu:
	cleanup_srcu_struct(&dev->srcu);
free_dev:
	kfree(dev);
	return err;
}

static void dev_free(struct kref *ref)
{
	struct utmem_dev *dev = container_of(ref, struct utmem_dev, ref);

	ida_free(&ids, dev->id);
	cleanup_srcu_struct(&dev->srcu);
	kfree(dev);
}

void utmem_dev_unref(struct utmem_dev *dev)
{
	kref_put(&dev->ref, dev_free);
}

module_pci_driver(utmem_pci_driver);

MODULE_DESCRIPTION("utmem: keys and values in memory that the host owns");
MODULE_AUTHOR("The utmem authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(UTMEM_DRIVER_VERSION);
