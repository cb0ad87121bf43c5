# SPDX-License-Identifier: MIT
# libutmem.a for those who link the service and the pool themselves (tests, the
# Redis module), libutmem.so.0 with both inside, and what an application needs
# installed.
LIBUTMEM_A := $(B)/libutmem.a
LIBUTMEM_SO := $(B)/libutmem.so.0
LIBUTMEM_OBJS := $(call objs,libutmem)
ALL += $(LIBUTMEM_A) $(LIBUTMEM_SO)

PREFIX	?= /usr/local
DESTDIR	?=

$(LIBUTMEM_A): $(LIBUTMEM_OBJS)

# libutmem.so beside it is what -lutmem finds in the build folder
$(LIBUTMEM_SO): $(LIBUTMEM_OBJS) $(LIBSERVICE) $(LIBPOOL) libutmem/libutmem.map
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ULDFLAGS) -shared -Wl,-soname,libutmem.so.0 -Wl,--no-undefined \
		-Wl,--version-script=libutmem/libutmem.map -o $@ \
		$(LIBUTMEM_OBJS) $(LIBSERVICE) $(LIBPOOL) $(LIBPOOL_LIBS)
	@ln -sf libutmem.so.0 $(B)/libutmem.so

.PHONY: lib install-lib
lib: $(LIBUTMEM_A) $(LIBSERVICE) $(LIBPOOL) $(LIBUTMEM_SO)

# The header includes utmem_abi.h, so both go to the same place.
install-lib: lib
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include \
		$(DESTDIR)$(PREFIX)/share/man/man3 $(DESTDIR)$(PREFIX)/share/man/man7
	install -m 644 $(LIBUTMEM_A) $(LIBSERVICE) $(LIBPOOL) $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(LIBUTMEM_SO) $(DESTDIR)$(PREFIX)/lib/libutmem.so.$(VERSION)
	ln -sf libutmem.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/libutmem.so.0
	ln -sf libutmem.so.0 $(DESTDIR)$(PREFIX)/lib/libutmem.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
		-e 's|@LIBPOOL_LIBS@|$(LIBPOOL_LIBS)|' libutmem/utmem.pc.in \
		>$(DESTDIR)$(PREFIX)/lib/pkgconfig/utmem.pc
	install -m 644 libutmem/include/utmem.h guest/ring/utmem_abi.h $(DESTDIR)$(PREFIX)/include
	install -m 644 libutmem/man/*.3 $(DESTDIR)$(PREFIX)/share/man/man3
	install -m 644 libutmem/man/*.7 $(DESTDIR)$(PREFIX)/share/man/man7
