# SPDX-License-Identifier: MIT
# make install: what runs on the host and the library, below PREFIX (and /etc); DESTDIR for packagers.
PREFIX	?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR	?= $(SYSCONFDIR)/systemd/system
MAN8	:= packaging/man/utmemd.8
MAN7	:= packaging/man/utmem-tuning.7
MAN5	:= packaging/man/utmemd.conf.5 packaging/man/utmem-save.5
MAN1	:= packaging/man/utmemctl.1
CONF	= $(DESTDIR)$(SYSCONFDIR)/utmem/utmemd.conf

# A configuration that is there stays.
.PHONY: install install-host uninstall-host
install: install-host install-lib
install-host: $(UTMEMD) $(UTMEMCTL)
	install -D -m 755 $(UTMEMD) $(DESTDIR)$(PREFIX)/sbin/utmemd
	install -D -m 755 $(UTMEMCTL) $(DESTDIR)$(PREFIX)/bin/utmemctl
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 $(MAN8)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man7 $(MAN7)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man5 $(MAN5)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 $(MAN1)
	install -d $(DESTDIR)$(UNITDIR)
	sed 's,/usr/local/sbin,$(PREFIX)/sbin,; s,/etc/utmem,$(SYSCONFDIR)/utmem,' \
		packaging/systemd/utmemd.service >$(DESTDIR)$(UNITDIR)/utmemd.service
	[ -e $(CONF) ] || install -D -m 644 packaging/utmemd.conf $(CONF)

uninstall-host:
	rm -f $(DESTDIR)$(PREFIX)/sbin/utmemd $(DESTDIR)$(PREFIX)/bin/utmemctl
	rm -f $(DESTDIR)$(PREFIX)/share/man/man8/utmemd.8
	rm -f $(DESTDIR)$(PREFIX)/share/man/man7/utmem-tuning.7
	rm -f $(DESTDIR)$(PREFIX)/share/man/man5/utmemd.conf.5
	rm -f $(DESTDIR)$(PREFIX)/share/man/man5/utmem-save.5
	rm -f $(DESTDIR)$(PREFIX)/share/man/man1/utmemctl.1
	rm -f $(DESTDIR)$(UNITDIR)/utmemd.service
