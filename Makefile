# penstock. `make help` lists the targets.

CC      ?= gcc
SAN     ?=
comma   := ,
BUILD   := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
HARDEN  := -fPIE -fstack-protector-strong -fstack-clash-protection $(if $(SAN),,-D_FORTIFY_SOURCE=2)
# x86-64-v2 is SSE4.2: one binary runs anywhere DPDK does; wider code is chosen at run time, function by function.
MARCH   := -march=x86-64-v2
# Sanitizers: line numbers for their reports, and no more optimising than makes the tests run in time: gcc needs 40 s for
# burst.c with -O3 under -fsanitize=address,undefined, 14 s with -O1. Fuzzers run for longer than they build.
CFLAGS  ?= $(if $(SAN:fuzzer%=),-O1 -g1,-O2 -g)
VERSION := 0.1.0
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DPENSTOCK_VERSION='"$(VERSION)"' -I. $(WARN) $(HARDEN) $(CFLAGS) $(SAN_FLAGS)
# Checks put in by -fsanitize=address make gcc's optimiser warn of what is not there; without them a warning is an error.
SAN_FLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined \
	$(if $(findstring address,$(SAN)),-Wno-error))
ALL_LDFLAGS = -pie -Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now -Wl$(comma)--as-needed $(SAN_FLAGS) $(LDFLAGS)

# DPDK's own flags carry -march=corei7, which cancels an earlier -march: ours comes after them.
DPDK_CFLAGS := $(shell pkg-config --cflags libdpdk 2>/dev/null)
DPDK_LIBS   := $(shell pkg-config --libs libdpdk 2>/dev/null)

SEAM_LIBS    := -lxxhash -lnuma
PURE_LIBS    := -lcrypto -lisal -lhs -lpcre2-8 -lxxhash
CONFIG_LIBS  := -lfyaml
CONTROL_LIBS := -luring -lisal -lsqlite3 -ljansson -lcurl -lcrypto -lzstd -lncursesw -ltinfo -lpthread -lm

# What lies where decides what it may use: only DPDK_SRC is compiled with DPDK's flags.
SEAM_SRC    := $(wildcard dataplane/seam/*.c)
PURE_SRC    := $(wildcard dataplane/packet/*.c dataplane/record/*.c dataplane/codec/*.c dataplane/rule/*.c)
DPDK_SRC    := $(filter-out dataplane/main.c dataplane/burst.c,$(wildcard dataplane/*.c))
CONFIG_SRC  := $(wildcard config/*.c)
CONTROL_SRC := $(filter-out control/penstockd.c,$(wildcard control/*.c control/store/*.c control/delivery/*.c control/metadata/*.c control/server/*.c control/ledger/*.c control/replay/*.c))
CLI_SRC     := $(filter-out control/cli/main.c,$(wildcard control/cli/*.c))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
# config/ asks rule/ and codec/ whether patterns and paths are some; rule/ reports where the configuration is wrong.
LINKED = -Wl,--start-group $^ -Wl,--end-group
LIBS := $(BUILD)/libcontrol.a $(BUILD)/libconfig.a $(BUILD)/libpure.a $(BUILD)/libseam.a

PROGRAMS := $(if $(wildcard dataplane/main.c),$(BUILD)/penstock-dataplane) \
            $(if $(wildcard control/penstockd.c),$(BUILD)/penstockd) \
            $(if $(wildcard control/cli/main.c),$(BUILD)/penstock)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*_test.c))
DPDK_TESTS := $(patsubst tests/dpdk/%.c,$(BUILD)/tests/%,$(wildcard tests/dpdk/*_test.c))
# THREADS=1 leaves the test programs that can have a second thread, theirs or that of the penstockd they start: in others
# ThreadSanitizer has nothing to find. The plain build's programs tell it, for a sanitizer brings pthread_create along.
ifdef THREADS
ALL_TESTS := $(UNIT_TESTS) $(DPDK_TESTS)
THREADED := $(shell nm -A build/tests/*_test | sed -nE 's!^[^:]*/([^/:]+):.* (U pthread_create@.*|T cli_daemon_start)$$!\1!p')
UNIT_TESTS := $(filter $(THREADED:%=$(BUILD)/tests/%),$(UNIT_TESTS))
DPDK_TESTS := $(filter $(THREADED:%=$(BUILD)/tests/%),$(DPDK_TESTS))
CHOSEN := $(words $(UNIT_TESTS) $(DPDK_TESTS)) of $(words $(ALL_TESTS)) programs, those with more than one thread
$(if $(UNIT_TESTS),,$(error THREADS=1 asks the programs of the plain build: make tests))
endif
TEST_HELP  := $(wildcard tests/support/*.c)
BENCHES    := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*_bench.c tests/bench/ingest_sink.c))
SENDER     := $(BUILD)/tests/send
DPDK_BENCHES := $(patsubst tests/bench/dpdk/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/dpdk/*_bench.c))

.PHONY: all check tests bench benches fuzz lint config-files install clean help
all: $(PROGRAMS) ## build the three programs into build/

$(BUILD)/obj/dataplane/%.o: ALL_CFLAGS += $(MARCH)
$(call obj,$(DPDK_SRC) dataplane/main.c): EXTRA_CFLAGS := $(DPDK_CFLAGS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(EXTRA_CFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libseam.a: $(call obj,$(SEAM_SRC))
$(BUILD)/libpure.a: $(call obj,$(PURE_SRC))
$(BUILD)/libconfig.a: $(call obj,$(CONFIG_SRC))
$(BUILD)/libcontrol.a: $(call obj,$(CONTROL_SRC) $(CLI_SRC))
# The hot path once for each x86-64 level; burst_choose() takes the widest the CPU has.
BURST_OPT := $(if $(SAN),,-O3)
BURST_OBJ := $(foreach level,v2 v3 v4,$(BUILD)/obj/dataplane/burst_$(level).o)
$(BURST_OBJ): $(BUILD)/obj/dataplane/burst_%.o: dataplane/burst.c
	@mkdir -p $(@D)
	$(CC) $(DPDK_CFLAGS) $(ALL_CFLAGS) -march=x86-64-$* -DBURST_ISA=$* $(BURST_OPT) -MMD -MP -c $< -o $@
$(BUILD)/libsupport.a: $(call obj,$(TEST_HELP))
$(BUILD)/libdataplane.a: $(call obj,$(DPDK_SRC)) $(BURST_OBJ)
$(BUILD)/lib%.a:
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/penstock-dataplane: $(call obj,dataplane/main.c) $(BUILD)/libdataplane.a $(BUILD)/libconfig.a $(BUILD)/libpure.a $(BUILD)/libseam.a
	$(CC) $(ALL_LDFLAGS) $(LINKED) $(DPDK_LIBS) $(SEAM_LIBS) $(PURE_LIBS) $(CONFIG_LIBS) -lpthread -o $@
$(BUILD)/penstockd: $(call obj,control/penstockd.c) $(LIBS)
	$(CC) $(ALL_LDFLAGS) $(LINKED) $(SEAM_LIBS) $(PURE_LIBS) $(CONFIG_LIBS) $(CONTROL_LIBS) -o $@
$(BUILD)/penstock: $(call obj,control/cli/main.c) $(LIBS)
	$(CC) $(ALL_LDFLAGS) $(LINKED) $(SEAM_LIBS) $(PURE_LIBS) $(CONFIG_LIBS) $(CONTROL_LIBS) -o $@

$(BUILD)/tests/codec_capture_test $(BUILD)/tests/decode_capture_test $(BUILD)/tests/pcapng_test $(BUILD)/tests/flow_peers_test: TEST_LIBS := -lpcap
$(UNIT_TESTS): $(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libsupport.a $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) $(LINKED) -lcmocka $(SEAM_LIBS) $(PURE_LIBS) $(CONFIG_LIBS) $(CONTROL_LIBS) $(TEST_LIBS) -o $@
$(call obj,$(wildcard tests/dpdk/*.c tests/bench/dpdk/*.c)): EXTRA_CFLAGS := $(DPDK_CFLAGS)
$(call obj,$(wildcard tests/dpdk/*.c tests/bench/dpdk/*.c tests/bench/*.c)): ALL_CFLAGS += $(MARCH)
$(call obj,tests/unit/marks_test.c): EXTRA_CFLAGS := -march=x86-64-v4
$(DPDK_TESTS): $(BUILD)/tests/%: $(BUILD)/obj/tests/dpdk/%.o $(BUILD)/libsupport.a $(BUILD)/libdataplane.a $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) $(LINKED) -lcmocka $(DPDK_LIBS) $(SEAM_LIBS) $(PURE_LIBS) $(CONFIG_LIBS) $(CONTROL_LIBS) -o $@
$(BENCHES): $(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/libsupport.a $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) $(LINKED) $(SEAM_LIBS) $(PURE_LIBS) $(CONFIG_LIBS) $(CONTROL_LIBS) -o $@
$(DPDK_BENCHES): $(BUILD)/bench/%: $(BUILD)/obj/tests/bench/dpdk/%.o $(BUILD)/libdataplane.a $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) $(LINKED) $(DPDK_LIBS) $(SEAM_LIBS) $(PURE_LIBS) $(CONFIG_LIBS) $(CONTROL_LIBS) -o $@

# The independent sender: libc alone, nothing of the project.
$(SENDER): $(call obj,$(wildcard tests/send/*.c))
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) $(LINKED) -o $@

# What a tap makes of captured frames, to be compared with what tshark makes of them.
$(BUILD)/tests/describe: $(call obj,tests/describe/describe.c) $(BUILD)/libsupport.a $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) $(LINKED) -lpcap $(SEAM_LIBS) $(PURE_LIBS) $(CONFIG_LIBS) $(CONTROL_LIBS) -o $@

FUZZERS := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
# The fuzz targets without a fuzzer, all in one program: on their seeds. Not the one that needs DPDK; nor that of rules under
# sanitizers, which take half a minute to compile its patterns.
SEEDED := $(filter-out refine $(if $(SAN),rule),$(FUZZERS))
SEEDED_OBJ := $(SEEDED:%=$(BUILD)/obj/seeded/%.o)
$(SEEDED_OBJ): $(BUILD)/obj/seeded/%.o: tests/fuzz/%_fuzz.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DLLVMFuzzerTestOneInput=fuzz_$* -DLLVMFuzzerInitialize=fuzz_begin_$* -MMD -MP -c $< -o $@
$(call obj,tests/fuzz/seeds_test.c): EXTRA_CFLAGS := '-DFUZZ_TARGETS=$(foreach target,$(SEEDED),X($(target)))'
$(BUILD)/tests/seeds_test: $(call obj,tests/fuzz/seeds_test.c) $(SEEDED_OBJ) $(BUILD)/libsupport.a $(LIBS) | $(BUILD)/seeds
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) $(LINKED) -lcmocka $(SEAM_LIBS) $(PURE_LIBS) $(CONFIG_LIBS) $(CONTROL_LIBS) -o $@
SEEDS_TEST := $(if $(THREADS),,$(BUILD)/tests/seeds_test)

tests: $(UNIT_TESTS) $(DPDK_TESTS) $(SEEDS_TEST) $(SENDER) $(BUILD)/tests/describe
# What was freed is kept from being given out again for 8 MiB, not 256: many short processes fault each page in anew.
CHECK_ENV := $(if $(findstring address,$(SAN)),ASAN_OPTIONS=$${ASAN_OPTIONS:-quarantine_size_mb=8:thread_local_quarantine_size_kb=64})
check: all tests ## run the unit tests (SAN=address,undefined or SAN=thread under sanitizers; THREADS=1: those with threads)
	$(if $(CHOSEN),@echo "$(CHOSEN)")
	JOBS=$${JOBS:-6} $(CHECK_ENV) tests/runner $(SEEDS_TEST) $(DPDK_TESTS) $(UNIT_TESTS)

benches: all $(BENCHES) $(DPDK_BENCHES)
bench: benches ## ratios against the field's own programs, interleaved, medians
	tests/bench/run

# The targets are libFuzzer's: clang, and a build folder of their own. SECONDS for each, TARGETS to take some.
TARGETS ?= $(FUZZERS)
SECONDS ?= 60
FUZZ_SUPPORT := flow_build frame_build samples tunnel_build store_feed store_rig
FUZZ_MAX := -max_len=65536
fuzz: ## run the fuzz targets, SECONDS=60 each, with what they keep in build/fuzz/corpus
	$(MAKE) CC=clang BUILD=build/fuzz SAN=fuzzer-no-link$(comma)address$(comma)undefined $(TARGETS:%=build/fuzz/%_fuzz) build/fuzz/seeds
	build/fuzz/seeds build/fuzz/corpus config/penstock.yaml config/development.yaml
	set -e; for target in $(TARGETS); do echo "fuzz $$target"; build/fuzz/$${target}_fuzz $(FUZZ_MAX) -close_fd_mask=2 -print_final_stats=1 \
		-timeout=20 -max_total_time=$(SECONDS) -artifact_prefix=build/fuzz/$$target- build/fuzz/corpus/$$target; done
$(BUILD)/%_fuzz: $(BUILD)/obj/tests/fuzz/%_fuzz.o $(LIBS)
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer $(LINKED) $(SEAM_LIBS) $(PURE_LIBS) $(CONFIG_LIBS) $(CONTROL_LIBS) -o $@
# A worker and its lanes: the one target that needs DPDK.
$(call obj,tests/fuzz/refine_fuzz.c): EXTRA_CFLAGS := $(DPDK_CFLAGS)
$(call obj,tests/fuzz/refine_fuzz.c): ALL_CFLAGS += $(MARCH)
$(BUILD)/refine_fuzz: $(BUILD)/%: $(BUILD)/obj/tests/fuzz/%.o $(call obj,tests/support/frame_build.c) $(BUILD)/libdataplane.a $(LIBS)
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer $(LINKED) -lcmocka $(DPDK_LIBS) $(SEAM_LIBS) $(PURE_LIBS) $(CONFIG_LIBS) $(CONTROL_LIBS) -o $@
$(BUILD)/seeds: $(call obj,tests/fuzz/seeds.c $(FUZZ_SUPPORT:%=tests/support/%.c)) $(LIBS)
	$(CC) $(ALL_LDFLAGS) $(LINKED) $(SEAM_LIBS) $(PURE_LIBS) $(CONFIG_LIBS) $(CONTROL_LIBS) -o $@

# What it says of code that is right: jansson's loop is a macro it does not see, the others it follows wrongly.
CPPCHECK := --quiet --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -I. \
	--suppress=unknownMacro:control/cli/command_reload.c --suppress=unknownMacro:control/cli/read_open.c \
	--suppress=ctuuninitvar:dataplane/burst.c --suppress=uninitvar:dataplane/run_lines.h --suppress=CastIntegerToAddressAtReturn:dataplane/worker.c \
	--suppress=uninitvar:control/cli/reports.c --suppress=nullPointerRedundantCheck:control/learner.c \
	--suppress=memleak:control/streams_open.c --suppress=identicalConditionAfterEarlyExit:control/cli/command_replay.c
lint: ## static analysis
	cppcheck $(CPPCHECK) dataplane control config
	printf '%s\n' $(SEAM_SRC) $(PURE_SRC) $(CONFIG_SRC) $(CONTROL_SRC) $(CLI_SRC) | xargs -P $$(nproc) -n 4 sh -c \
		'clang-tidy --quiet "$$@" -- -std=c11 -D_GNU_SOURCE -DPENSTOCK_VERSION=\"lint\" -I. $(MARCH)' lint

$(BUILD)/config-files: $(call obj,config/tools/config_files.c) $(BUILD)/libconfig.a $(BUILD)/libpure.a $(BUILD)/libseam.a
	$(CC) $(ALL_LDFLAGS) $(LINKED) $(SEAM_LIBS) $(PURE_LIBS) $(CONFIG_LIBS) -o $@
config-files: $(BUILD)/config-files ## write config/penstock.yaml and its manual page anew from the table of knobs
	$(BUILD)/config-files config

PREFIX ?= /usr
install: all ## install into DESTDIR
	install -D -m 755 $(BUILD)/penstock-dataplane $(DESTDIR)$(PREFIX)/sbin/penstock-dataplane
	install -D -m 755 $(BUILD)/penstockd $(DESTDIR)$(PREFIX)/sbin/penstockd
	install -D -m 755 $(BUILD)/penstock $(DESTDIR)$(PREFIX)/bin/penstock
	install -D -m 644 scripts/systemd/penstockd.service $(DESTDIR)/lib/systemd/system/penstockd.service
	install -D -m 644 scripts/systemd/penstock-dataplane.service $(DESTDIR)/lib/systemd/system/penstock-dataplane.service
	install -D -m 644 config/penstock.yaml $(DESTDIR)/etc/penstock/penstock.yaml
	install -D -m 644 control/cli/penstock.1 $(DESTDIR)$(PREFIX)/share/man/man1/penstock.1
	install -D -m 644 config/penstock.yaml.5 $(DESTDIR)$(PREFIX)/share/man/man5/penstock.yaml.5

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
