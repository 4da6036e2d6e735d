# The httpd module, against Debian's apache2-dev or the apxs in APXS.

APXS ?= apxs
APACHE_MODULE := $(BUILD)/mod_acme.so
APACHE_OBJECTS := $(BUILD)/apache-$(notdir $(CC))

# What runs inside httpd: the same files as in nginx, see ../config.
APACHE_CORE := $(addprefix acme_core/,base/error.c base/buffer.c base/log.c \
	format/base64url.c format/challenge.c format/client_hello.c \
	store/assign.c store/durable.c store/generation.c store/live.c \
	store/needs.c store/path.c store/store.c page/page.c) \
	$(foreach f,crypto settings serve,$(call sources,$(f)))
APACHE_SOURCES := $(wildcard apache_module/*.c) $(APACHE_CORE)

apxs = $(shell $(APXS) -q $(1) 2>/dev/null)

# -fvisibility: no name of ours meets one of another module.
APACHE_CFLAGS = $(BASE_CFLAGS) -O2 -g -fPIC -fvisibility=hidden \
	-fstack-protector-strong -D_FORTIFY_SOURCE=2 \
	$(call apxs,EXTRA_CPPFLAGS) $(addprefix -isystem ,$(sort \
	$(call apxs,INCLUDEDIR) $(call apxs,APR_INCLUDEDIR) \
	$(call apxs,APU_INCLUDEDIR)))

.PHONY: module-apache

module-apache: $(APACHE_MODULE)

# What a module is built for: another place of the helper, or another
# version of httpd, is another module.
APACHE_FOR := $(APACHE_OBJECTS)/built-for
$(APACHE_FOR): always
	@mkdir -p $(@D)
	@{ echo "$(LIBEXECDIR)"; \
		grep 'define AP_SERVER_.*_NUMBER' \
			"$(call apxs,INCLUDEDIR)/ap_release.h"; } \
		>$@.now 2>/dev/null || \
		{ echo "apache2-dev is missing: make deps"; exit 1; }
	@cmp -s $@.now $@ || cp $@.now $@

$(APACHE_OBJECTS)/%.o: %.c $(APACHE_FOR)
	@mkdir -p $(@D)
	@$(CC) $(APACHE_CFLAGS) $(CPPFLAGS) $(CFLAGS) \
		-DACME_HELPER_PATH='"$(LIBEXECDIR)/acme-helper"' -MMD -c $< -o $@

$(APACHE_MODULE): $(patsubst %.c,$(APACHE_OBJECTS)/%.o,$(APACHE_SOURCES))
	@echo "  httpd module $@"
	@$(CC) -shared -Wl,-Bsymbolic -Wl,--as-needed -Wl,-z,relro,-z,now \
		$(LDFLAGS) $^ -lssl -lcrypto -lidn2 -o $@
