// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI function: ivshmem-doorbell, 1af4:1110, with our magic in its memory.
 * probe() brings a device up line by line, remove() takes it down in reverse.
 * Called by the PCI core, process context.
 */
#include <linux/io.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/pci.h>

#ifdef CONFIG_X86
#include <asm/memtype.h>
#include <asm/pgtable.h>
#endif

#include "utmem.h"

#define PCI_DEVICE_ID_IVSHMEM 0x1110
#define BAR_REGS 0   /* bytes 8: IVPosition, 12: doorbell */
#define BAR_WINDOW 2 /* the shared memory */
#define REGS_LEN 16
#define REG_IVPOSITION 8

/* Is it ours at all? Another ivshmem device is left as it was found. */
static int utmem_recognise(struct pci_dev *pdev)
{
	void *window;
	int err;

	if (pci_resource_len(pdev, BAR_WINDOW) < UTMEM_WINDOW_LEN_MIN ||
	    pci_resource_len(pdev, BAR_REGS) < REGS_LEN)
		return -ENODEV;
	window = memremap(pci_resource_start(pdev, BAR_WINDOW), UTMEM_PAGE, MEMREMAP_WB);
	if (!window)
		return -ENODEV;
	err = utmem_window_recognise(&pdev->dev, window);
	memunmap(window);
	return err;
}

/*
 * Firmware marks the room below 4 GiB uncachable (MTRR), and Linux then turns every
 * write-back mapping there into an uncached one without a word. Above 4 GiB it is not so:
 * let Linux place the BAR again, which takes the room above first.
 */
static int move_above_4g(struct pci_dev *pdev)
{
	u16 command;
	int err;

	if (pci_resource_start(pdev, BAR_WINDOW) > U32_MAX ||
	    !(pci_resource_flags(pdev, BAR_WINDOW) & IORESOURCE_MEM_64))
		return 0;
	pci_read_config_word(pdev, PCI_COMMAND, &command);
	pci_write_config_word(pdev, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY);
	pci_release_resource(pdev, BAR_WINDOW);
	err = pci_assign_resource(pdev, BAR_WINDOW);
	if (err) {
		dev_err(&pdev->dev, "no room for the window in this machine's PCI memory\n");
		return err;
	}
	pci_write_config_word(pdev, PCI_COMMAND, command);
	return 0;
}

#ifdef CONFIG_X86
static bool page_is_write_back(const void *addr)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)addr, &level);

	/* Linux programs the PAT so that write-back is the entry without either bit. */
	return pte && !(pte_flags(*pte) & (_PAGE_PWT | _PAGE_PCD));
}

/*
 * What the mapping became. Pages of processes take the same type: vmf_insert_pfn() asks for the
 * type under which this mapping is registered.
 */
static bool is_write_back(const void *addr, u64 len)
{
	return pat_enabled() && page_is_write_back(addr) && page_is_write_back(addr + len - 1);
}
#else
static bool is_write_back(const void *addr, u64 len)
{
	return true;
}
#endif

static int map_window(struct utmem_dev *dev)
{
	u64 len = pci_resource_len(dev->pdev, BAR_WINDOW);
	int err;

	dev->window_phys = pci_resource_start(dev->pdev, BAR_WINDOW);
	dev->window = memremap(dev->window_phys, len, MEMREMAP_WB);
	if (!dev->window)
		return -ENOMEM;
	if (!is_write_back(dev->window, len)) {
		dev_err(&dev->pdev->dev,
			"window at %pa would be uncached: refused, see guest/dev/README.md\n",
			&dev->window_phys);
		err = -EIO;
		goto unmap;
	}
	err = utmem_window_check(dev, len);
	if (err)
		goto unmap;
	return 0;

unmap:
	memunmap(dev->window);
	return err;
}

static int check_position(struct utmem_dev *dev)
{
	s32 position = readl(dev->regs + REG_IVPOSITION);

	if (position >= 0 && position <= U16_MAX && position != dev->hdr.host_peer)
		return 0;
	dev_err(&dev->pdev->dev, "ivshmem position %d beside the host's %u\n", position,
		dev->hdr.host_peer);
	return -EPROTO;
}

/* ---- interrupts ---- */

static irqreturn_t utmem_interrupt(int irq, void *arg)
{
	struct utmem_vector *v = arg;

	atomic64_inc(&v->dev->counters.interrupts);
	utmem_admin_wake(v->dev);
	utmem_wake_look(v, true);
	return IRQ_HANDLED;
}

static void free_vectors(struct utmem_dev *dev, unsigned int n)
{
	while (n--)
		free_irq(pci_irq_vector(dev->pdev, n), &dev->vectors[n]);
	pci_free_irq_vectors(dev->pdev);
}

static int request_vectors(struct utmem_dev *dev)
{
	unsigned int i;
	int n, err;

	n = pci_alloc_irq_vectors(dev->pdev, 1, UTMEM_VECTORS_MAX, PCI_IRQ_MSIX);
	if (n < 0) {
		dev_err(&dev->pdev->dev, "no MSI-X vector: %d\n", n);
		return n;
	}
	for (i = 0; i < n; i++) {
		struct utmem_vector *v = &dev->vectors[i];

		snprintf(v->name, sizeof(v->name), "%s-%u", dev->name, i);
		err = request_irq(pci_irq_vector(dev->pdev, i), utmem_interrupt, 0, v->name, v);
		if (err)
			goto free_requested;
	}
	dev->nr_vectors = n;
	return 0;

free_requested:
	free_vectors(dev, i);
	return err;
}

/* ---- up and down ---- */

static int register_misc(struct utmem_dev *dev)
{
	dev->misc.minor = MISC_DYNAMIC_MINOR;
	dev->misc.name = dev->name;
	dev->misc.fops = &utmem_fops;
	dev->misc.parent = &dev->pdev->dev;
	dev->misc.groups = utmem_groups;
	/* Who may do what is decided for each pool, by the owner's uid. */
	dev->misc.mode = 0666;
	return misc_register(&dev->misc);
}

/* From a BAR that is enabled and ours to a device that answers. */
static int utmem_bring_up(struct utmem_dev *dev)
{
	struct pci_dev *pdev = dev->pdev;
	int err;

	err = pci_request_regions(pdev, UTMEM_NAME);
	if (err)
		return err;
	dev->regs = pci_iomap(pdev, BAR_REGS, 0);
	if (!dev->regs) {
		err = -ENOMEM;
		goto release_regions;
	}
	err = map_window(dev);
	if (err)
		goto unmap_regs;
	err = check_position(dev);
	if (err)
		goto unmap_window;
	pci_set_master(pdev);
	err = request_vectors(dev);
	if (err)
		goto clear_master;
	err = utmem_window_hello(dev);
	if (err)
		goto free_irqs;
	err = utmem_admin_init(dev);
	if (err)
		goto free_irqs;
	err = register_misc(dev);
	if (err)
		goto exit_admin;
	return 0;

exit_admin:
	utmem_admin_exit(dev);
free_irqs:
	free_vectors(dev, dev->nr_vectors);
clear_master:
	pci_clear_master(pdev);
unmap_window:
	memunmap(dev->window);
unmap_regs:
	pci_iounmap(pdev, dev->regs);
release_regions:
	pci_release_regions(pdev);
	return err;
}

/* Of files that stay open. From here on their release() has nobody to tell. */
static void destroy_queues(struct utmem_dev *dev)
{
	struct utmem_queue *q;

	mutex_lock(&dev->lock);
	list_for_each_entry(q, &dev->queues, dev_node)
		utmem_admin_destroy_queue(dev, q->id);
	dev->down = true;
	mutex_unlock(&dev->lock);
}

static void utmem_take_down(struct utmem_dev *dev)
{
	struct pci_dev *pdev = dev->pdev;

	misc_deregister(&dev->misc);
	WRITE_ONCE(dev->gone, true);
	utmem_wake_all(dev);
	synchronize_srcu(&dev->srcu);
	/* Only we are left: no call is under way, no new one passes `gone`, no fault maps a page. */
	utmem_chrdev_zap(dev);
	utmem_pulse_stop(dev);
	utmem_batch_exit(dev);
	utmem_doorbell_exit(dev);
	destroy_queues(dev);
	utmem_admin_exit(dev);
	free_vectors(dev, dev->nr_vectors);
	utmem_wake_stop(dev);
	pci_clear_master(pdev);
	memunmap(dev->window);
	pci_iounmap(pdev, dev->regs);
	pci_release_regions(pdev);
}

static int utmem_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct utmem_dev *dev;
	int err;

	err = pci_enable_device_mem(pdev);
	if (err)
		return err;
	err = utmem_recognise(pdev);
	if (err)
		goto disable;
	err = move_above_4g(pdev);
	if (err)
		goto disable;
	err = utmem_dev_alloc(pdev, &dev);
	if (err)
		goto disable;
	err = utmem_bring_up(dev);
	if (err)
		goto unref;
	pci_set_drvdata(pdev, dev);
	dev_info(&pdev->dev, "%s: window %llu KiB at %pa, epoch %u, %u vectors\n", dev->name,
		 dev->hdr.window_len >> 10, &dev->window_phys, dev->hdr.epoch, dev->nr_vectors);
	return 0;

unref:
	utmem_dev_unref(dev);
disable:
	pci_disable_device(pdev);
	return err;
}

/* Also at shutdown, after which it may come again: the host learns at once that the queues are no more. */
static void utmem_remove(struct pci_dev *pdev)
{
	struct utmem_dev *dev = pci_get_drvdata(pdev);

	if (!dev)
		return;
	pci_set_drvdata(pdev, NULL);
	utmem_take_down(dev);
	utmem_dev_unref(dev);
	pci_disable_device(pdev);
}

/* The image would hold processes whose queues no host knows when it is resumed. */
static int utmem_freeze(struct device *parent)
{
	dev_err(parent, "suspend to disk is not possible with this driver: unload it first\n");
	return -EBUSY;
}

static const struct dev_pm_ops utmem_pm_ops = {
	.freeze = utmem_freeze,
};

static const struct pci_device_id ids[] = {
	{PCI_DEVICE(PCI_VENDOR_ID_REDHAT_QUMRANET, PCI_DEVICE_ID_IVSHMEM)}, {}};
MODULE_DEVICE_TABLE(pci, ids);

struct pci_driver utmem_pci_driver = {
	.name = UTMEM_NAME,
	.id_table = ids,
	.probe = utmem_probe,
	.remove = utmem_remove,
	.shutdown = utmem_remove,
	.driver.pm = &utmem_pm_ops,
};
