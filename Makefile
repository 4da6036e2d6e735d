# acme: builds the helper, the nginx module and the tests. See README.md.

CC ?= gcc
CLANG ?= clang
BUILD := build

PREFIX ?= /usr/local
LIBEXECDIR ?= $(PREFIX)/libexec

WARN := -Wall -Wextra -Werror
BASE_CFLAGS := -std=gnu11 -D_GNU_SOURCE -fno-common -Iacme_core $(WARN)
HARDEN := -O2 -g -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2
SANITIZE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined
LIBS := -lcurl -lcjson -lssl -lcrypto -lseccomp -lidn2 -lpsl

# Folders, each with the folders below it that its unit tests may link.
FOLDERS := base format crypto settings plan page store protocol ipc serve \
	agent keeper
LINK_base := base
LINK_format := base format
LINK_crypto := base format crypto
LINK_settings := base format crypto settings
LINK_plan := base format crypto settings plan
LINK_page := base format page
LINK_store := base format crypto settings store
LINK_protocol := base format crypto protocol
LINK_ipc := base format ipc
LINK_serve := base format crypto settings page store serve
LINK_agent := base format crypto protocol ipc agent
LINK_keeper := base format crypto settings plan page store protocol ipc keeper
LINK_helper := base format crypto settings page store serve helper
HELPER_FOLDERS := $(sort $(LINK_agent) $(LINK_keeper) serve helper)

sources = $(wildcard acme_core/$(1)/*.c)
objects = $(patsubst acme_core/%.c,$(BUILD)/$(1)/%.o,\
	$(foreach f,$(2),$(call sources,$(f))))

.PHONY: all clean helper helper-asan helper-clang unit fuzz crash-shim
# Objects that only a pattern rule names stay, or each make would redo them.
.SECONDARY:
all: helper module module-apache

# ---- objects in three builds: release, asan (gcc), clang (fuzzing)

$(BUILD)/release/%.o: acme_core/%.c
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(HARDEN) $(CFLAGS) -MMD -c $< -o $@

$(BUILD)/asan/%.o: acme_core/%.c
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) $(SANITIZE) -MMD -c $< -o $@

$(BUILD)/clang/%.o: acme_core/%.c
	@mkdir -p $(@D)
	$(CLANG) $(BASE_CFLAGS) $(SANITIZE) -fsanitize=fuzzer-no-link -MMD -c $< -o $@

# ---- the helper

helper: $(BUILD)/acme-helper
$(BUILD)/acme-helper: $(call objects,release,$(HELPER_FOLDERS))
	$(CC) -pie -Wl,-z,relro,-z,now $(LDFLAGS) $^ $(LIBS) -o $@

helper-asan: $(BUILD)/acme-helper-asan
$(BUILD)/acme-helper-asan: $(call objects,asan,$(HELPER_FOLDERS))
	$(CC) $(SANITIZE) $^ $(LIBS) -o $@

# ---- unit tests: tests/unit/<folder>/test_<file>.c, ASan + UBSan

UNIT_SOURCES := $(wildcard tests/unit/*/test_*.c)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SOURCES))

define unit_rule
$(BUILD)/unit/$(1)/%: tests/unit/$(1)/%.c \
		$(filter-out %/main.o,$(call objects,asan,$(LINK_$(1))))
	@mkdir -p $$(@D)
	$(CC) $(BASE_CFLAGS) $(SANITIZE) $$^ $(LIBS) -lcmocka -o $$@
endef
$(foreach f,$(FOLDERS) helper,$(eval $(call unit_rule,$(f))))

unit: $(UNIT_TESTS)

# ---- fuzzers: tests/fuzz/fuzz_<file>.c

FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,\
	$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_FOLDERS := base format crypto settings plan page store protocol ipc serve \
	keeper

$(BUILD)/fuzz/%: tests/fuzz/%.c $(call objects,clang,$(FUZZ_FOLDERS))
	@mkdir -p $(@D)
	$(CLANG) $(BASE_CFLAGS) $(SANITIZE) -fsanitize=fuzzer $^ $(LIBS) -o $@

fuzz: $(FUZZERS)

# ---- preloaded into the helper by ACME::Test::Shim

crash-shim: $(BUILD)/crash-shim.so $(BUILD)/fault-shim.so \
	$(BUILD)/clock-shim.so
$(BUILD)/%-shim.so: tests/crash/%.c tests/crash/preload.h
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) -O2 -g -fPIC -shared $< -ldl -o $@

clean:
	rm -rf $(BUILD)

-include ngx_module/module.mk apache_module/module.mk tests/check.mk
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
