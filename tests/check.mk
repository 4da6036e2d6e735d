# Checks, demo, benchmarks, installation, and the README's table. Included by
# Makefile.

MODULESDIR ?= /usr/lib/nginx/modules
APACHE_MODULESDIR ?= $(shell $(APXS) -q LIBEXECDIR)
FUZZ_SECONDS ?= 5
SERVER ?= nginx

.PHONY: deps check demo bench install install-helper install-nginx \
	install-apache lint readme unit-list fuzz-check

deps:
	@tests/deps.sh

check:
	@MAKE="$(MAKE)" tests/check.sh

demo: deps
	@$(MAKE) --no-print-directory -s -j2 all
	@SERVER="$(SERVER)" tests/demo.sh

BENCH ?= many

bench: deps
	@$(MAKE) --no-print-directory -s -j2 all
	@SERVER="$(SERVER)" tests/bench/run.pl $(BENCH)

install: install-nginx install-apache

install-helper: helper
	install -d $(DESTDIR)$(LIBEXECDIR)
	install -m 755 $(BUILD)/acme-helper $(DESTDIR)$(LIBEXECDIR)/acme-helper

install-nginx: module install-helper
	install -d $(DESTDIR)$(MODULESDIR)
	install -m 644 $(MODULE) $(DESTDIR)$(MODULESDIR)/
	@echo 'nginx.conf, at its top:'
	@echo '    load_module $(MODULESDIR)/$(notdir $(MODULE));'

install-apache: module-apache install-helper
	install -d $(DESTDIR)$(APACHE_MODULESDIR)
	install -m 644 $(APACHE_MODULE) $(DESTDIR)$(APACHE_MODULESDIR)/
	@echo 'mods-available/acme.load, then a2enmod acme; or in httpd.conf:'
	@echo '    # Depends: ssl'
	@echo '    LoadModule acme_module $(APACHE_MODULESDIR)/mod_acme.so'

# ---- parts of check

unit-list:
	@echo $(UNIT_TESTS)

fuzz-check: fuzz
	@printf '%s\n' $(FUZZERS) | xargs -P 2 -I '{}' \
		tests/fuzz.sh '{}' $(FUZZ_SECONDS)

lint: $(BUILD)/reference
	@FOLDERS="$(FOLDERS)" tests/lint/includes.sh
	@tests/lint/secrets.sh
	@tests/lint/readme.sh $(BUILD)/reference
	@tests/lint/shape.sh

readme: $(BUILD)/reference
	@tests/lint/readme.sh --write $(BUILD)/reference

$(BUILD)/reference: tests/reference/reference.c \
		$(call objects,release,$(LINK_settings))
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) $(HARDEN) $^ $(LIBS) -o $@
