# What people run, and what CI runs: the same targets. `make help` explains them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ifneq ($(shell uname -s),Linux)
$(error Larder is built and run on Linux)
endif

TARGET := $(shell uname -m)-unknown-linux-gnu
# One static build serves the image, the demo and the suites.
RELEASE := target/$(TARGET)/release
STATIC := RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target $(TARGET)
DENY := 0.20

export LARDER_BIN_DIR := $(CURDIR)/$(RELEASE)

.PHONY: help
help:
	@echo 'make demo      see it work: a real engine pulls through agent and hub, in two minutes. As root, on Linux;'
	@echo '               uses an engine of its own. KEEP=1 leaves it up.'
	@echo 'make test      everything that can fail: unit tests, then the whole-system suites (root; others are told what'
	@echo '               is missing, and those suites are skipped by name). Budgets, on two cores:'
	@echo '                 build        10 min   the static release build and the test builds, from nothing'
	@echo '                 unit          1 min   every crate by itself'
	@echo '                 rig           1 min   the registries, engines and faults that the suites stand on'
	@echo '                 first_light   2 min   a real engine through agent and hub, and without either'
	@echo '                 drop_in       1 min   files and folders of the caches that people run today'
	@echo '                 demo          1 min   the demo: Docker Hub in reach, failing, out of reach; interrupted'
	@echo '                 bad_input     3 min   hostile upstreams, names, frames, folders'
	@echo '                 disks         2 min   full, failing and rotten disks under hub and agent'
	@echo '                 killed        3 min   hub and agent killed 50 times each in the middle of pulls'
	@echo 'make bench     Larder beside docker-registry and nginx; writes docs/benchmarks.md. As root, on a machine that does'
	@echo '               nothing else; 30 min. QUICK=1 to try it, 5 min; ONLY=warm,herd; ROUNDS=5; BLOBS=1000000; PATIENCE=60'
	@echo 'make check     formatting, lints, documentation, licenses and bans of dependencies    5 min from nothing'
	@echo 'make release   the two programs, static, in $(RELEASE)'
	@echo 'make fuzz      every reader of bytes from outside, a minute each, on the nightly compiler'
	@echo 'make unit      the unit tests alone; make suites, the whole-system suites alone (SUITE="rig …" for some)'

# === build ===

.PHONY: release
release: packages
	@$(STATIC) -p larder-hub -p larder-agent
	@ls -l --human-readable $(RELEASE)/larder-hub $(RELEASE)/larder-agent | awk '{print $$5 "  " $$9}'

# What the build and the suites need from Debian. Says what is missing where it cannot install it.
.PHONY: packages
packages:
	@tests/install.sh

# === check ===

.PHONY: check fmt clippy doc deny
check: packages fmt clippy doc deny

fmt:
	@cargo fmt --all --check

clippy:
	@cargo clippy --workspace --all-targets --locked --quiet -- -D warnings

doc:
	@RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked --quiet

deny:
	@cargo deny --version >/dev/null 2>&1 || cargo install cargo-deny --locked --quiet --version "^$(DENY)"
	@cargo deny --log-level error check bans licenses sources

# === test ===

.PHONY: test unit suites
test: packages unit release suites

unit:
	@cargo test --workspace --exclude larder-tests --locked --quiet
	@cargo test -p larder-tests --lib --bins --locked --quiet

suites:
	@tests/run.sh $(SUITE)

# === demo ===

.PHONY: demo
demo: release
	@cargo build --quiet --locked -p larder-tests --bin larder-demo
	@target/debug/larder-demo $(if $(KEEP),--keep)

# === bench ===

.PHONY: bench
bench: release
	@tests/install.sh --bench
	@cargo build --release --quiet --locked -p larder-tests --bin larder-bench
	@target/release/larder-bench run

# === fuzz ===

# Each target for a minute (FUZZ_TIME=3600 for longer, in seconds), on the nightly compiler. What it finds is left in
# tests/fuzz/runner/artifacts; put the input into tests/fuzz/corpus/TARGET with the mend.
FUZZ_TIME ?= 60

.PHONY: fuzz
fuzz:
	@cargo +nightly fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --locked --quiet --version "^0.13"
	@for target in $$(ls tests/fuzz/corpus); do \
	  echo "fuzz $$target"; \
	  cargo +nightly fuzz run --fuzz-dir tests/fuzz/runner --sanitizer none $$target \
	    $$(mktemp -d) tests/fuzz/corpus/$$target -- -max_total_time=$(FUZZ_TIME) -print_final_stats=1 2>&1 | tail -n 12; \
	done
