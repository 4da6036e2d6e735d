# The nginx module, against Debian's nginx-dev; and a whole nginx with the
# module inside, from the source tree in NGINX_SRC.

NGINX_DEV ?= /usr/share/nginx/src
MODULE := $(BUILD)/ngx_http_acme_domain_module.so
MODULE_BUILD := $(abspath $(BUILD))/nginx
MODULE_SOURCES := config $(wildcard ngx_module/*.[ch] acme_core/*/*.[ch])

.PHONY: module module-static always

module: $(MODULE)

# What a module is built for: another place of the helper, or another version
# of nginx, is another module.
MODULE_FOR := $(BUILD)/nginx/built-for
$(MODULE_FOR): always
	@mkdir -p $(@D)
	@{ echo "$(LIBEXECDIR)"; \
		grep 'define NGINX_VERSION' $(NGINX_DEV)/src/core/nginx.h; } \
		>$@.now || { echo "nginx-dev is missing: make deps"; exit 1; }
	@cmp -s $@.now $@ || cp $@.now $@

$(MODULE): $(MODULE_SOURCES) $(MODULE_FOR)
	@mkdir -p $(MODULE_BUILD)
	@echo "  nginx module $@"
	@cd $(NGINX_DEV) && export ACME_HELPER_PATH=$(LIBEXECDIR)/acme-helper && \
	bash -c '. ./conf_flags && bash ./configure "$${NGX_CONF_FLAGS[@]}" \
		--with-cc="$(CC)" --with-cc-opt="-g -O2 -fPIC" \
		--add-dynamic-module=$(CURDIR) --builddir=$(MODULE_BUILD)' \
		>$(MODULE_BUILD)/configure.log 2>&1 || \
		{ cat $(MODULE_BUILD)/configure.log; exit 1; }
	@$(MAKE) -s -f $(MODULE_BUILD)/Makefile -C $(NGINX_DEV) modules \
		>$(MODULE_BUILD)/make.log 2>&1 || \
		{ cat $(MODULE_BUILD)/make.log; exit 1; }
	@install -m 644 $(MODULE_BUILD)/ngx_http_acme_domain_module.so $@

# A release has ./configure, a checkout of the repository auto/configure.
module-static:
	@test -d "$(NGINX_SRC)/auto" || \
		{ echo "NGINX_SRC must name an nginx source tree"; exit 1; }
	@cd $(NGINX_SRC) && export ACME_HELPER_PATH=$(LIBEXECDIR)/acme-helper && \
	$$(ls ./configure auto/configure 2>/dev/null | head -n 1) \
		--with-http_ssl_module --with-http_v2_module \
		--with-cc="$(CC)" --add-module=$(CURDIR) \
		--builddir=$(abspath $(BUILD))/nginx-static >/dev/null
	@$(MAKE) -s -C $(NGINX_SRC) -f $(abspath $(BUILD))/nginx-static/Makefile
