# SPDX-License-Identifier: GPL-2.0-only
# utmem.ko for one kernel: build/dev/KVER/utmem.ko, built in that folder from copies, so that
# the source tree stays clean and several kernels can be built for side by side.
# UTMEM_KDIR (or KDIR): the headers; else those of the running kernel, else the newest of
# Debian's cloud kernels that is installed.
DRIVER_KDIR = $(or $(UTMEM_KDIR),$(KDIR),$(wildcard /lib/modules/$(shell uname -r)/build),\
	$(shell find /usr/src -maxdepth 1 -name 'linux-headers-*-cloud-amd64' | sort -V | tail -n 1))
DRIVER_KVER = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' \
	$(DRIVER_KDIR)/include/generated/utsrelease.h 2>/dev/null)
DRIVER_SRC := $(wildcard guest/dev/*.[ch]) guest/dev/Kbuild guest/ring/utmem_abi.h \
	guest/ring/utmem_barrier.h guest/ring/utmem_ring.h guest/ring/utmem_ioctl.h

# $*: the kernel's release
driver_kdir = $(firstword $(UTMEM_KDIR) $(KDIR) $(wildcard /lib/modules/$*/build) /usr/src/linux-headers-$*)

$(B)/dev/%/utmem.ko: $(DRIVER_SRC)
	$(call say,KO,$@)
	@mkdir -p $(@D)
	@cp -p $(DRIVER_SRC) $(@D)
	$(Q)$(MAKE) -s -C $(driver_kdir) M=$(abspath $(@D)) UTMEM_DRIVER_VERSION=$(VERSION) \
		$(DRIVER_MAKEFLAGS) modules

.PHONY: driver
driver:
	@[ -n "$(DRIVER_KVER)" ] || { echo "no kernel headers: install linux-headers-\$$(uname -r) or set UTMEM_KDIR" >&2; exit 1; }
	$(Q)$(MAKE) --no-print-directory $(B)/dev/$(DRIVER_KVER)/utmem.ko
