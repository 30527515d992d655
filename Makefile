# Everything a person or CI does, one word each. `make` lists them.

PROFILE ?= dev
NEXTEST_PROFILE ?= default
# Of chaos and nightly: how long, and which faults again.
MINUTES ?= 5
SEED ?=
# What goes to the program that is run: make play ARGS="--nodes 5"
ARGS ?=
# How many seeds `make sim` runs; 0 goes on until it is stopped.
SEEDS ?= 10000

# How long each target of make fuzz runs.
SECONDS ?= 60

CACHE := $(or $(XENON_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/xenon)
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
BIN_DIR = $(TARGET)/$(if $(filter dev test,$(PROFILE)),debug,$(PROFILE))

# A toolchain or a test runner that was installed a minute ago is not on the PATH of this shell yet.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(CACHE)/tools/bin

# A MariaDB server with its backup tool, for the one test of that; without it the test says that it is skipped.
WITH_MARIADB = MARIADB_BASEDIR=$$(scripts/mariadb basedir || true) && export MARIADB_BASEDIR

# A headless browser for the tests of the dashboard; without it they say that they are skipped.
WITH_BROWSER = XENON_BROWSER=$$(scripts/browser dir || true) && export XENON_BROWSER

# The servers' base folder, for the rest of the recipe; a failure ends the recipe.
WITH_MYSQL = MYSQL_BASEDIR=$$(scripts/mysql basedir) && export MYSQL_BASEDIR XENON_BIN_DIR='$(BIN_DIR)'

.DEFAULT_GOAL := help
.PHONY: help play test nightly chaos api-fuzz lint deb bench model sim sim-scale fuzz setup clean-cache

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo '  PROFILE=release builds play and test optimised; ARGS="…" goes to the program of play, bench, model and sim.'

play: setup ## Start a cluster of three real servers here, to look at and to break
	@$(WITH_MYSQL) && \
	cargo build --profile $(PROFILE) -p xenon-agent -p xenon-cli && \
	exec '$(BIN_DIR)/xenoncli' playground $(ARGS)

test: setup ## Run every test, real servers included
	@$(WITH_MYSQL) && $(WITH_MARIADB) && $(WITH_BROWSER) && \
	cargo build --profile $(PROFILE) --workspace --bins --tests && \
	cargo test --profile $(PROFILE) --workspace --doc --quiet && \
	{ [ "$$(id -u)" = 0 ] || echo 'Not root: stories that cut hosts off or break disks are skipped.'; } && \
	cargo nextest run --workspace --cargo-profile $(PROFILE) --profile $(NEXTEST_PROFILE)

nightly: setup ## Tell every story of faults on real servers, then break one cluster for an hour (MINUTES=…)
	@$(WITH_MYSQL) && $(WITH_MARIADB) && $(WITH_BROWSER) && \
	cargo build --profile $(PROFILE) --workspace --bins --tests && \
	scripts/setup deb && packaging/test && \
	timeout --foreground 5400 cargo nextest run --workspace --cargo-profile $(PROFILE) --profile nightly && \
	'$(BIN_DIR)/chaos' --minutes $(if $(filter file,$(origin MINUTES)),60,$(MINUTES)) $(if $(SEED),--seed $(SEED)) $(ARGS)

chaos: setup ## Break a cluster of real servers in every way, in the order of a seed (MINUTES=… SEED=…)
	@$(WITH_MYSQL) && \
	cargo build --profile $(PROFILE) --workspace --bins && \
	exec '$(BIN_DIR)/chaos' --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)

api-fuzz: setup ## Throw generated requests at the HTTP API of a real agent, and check its answers against openapi.json
	@cargo build --profile $(PROFILE) -p xenon-agent && \
	XENON_BIN_DIR='$(BIN_DIR)' scripts/schemathesis $(ARGS)

lint: ## Check format, clippy's findings, the purity of the deciding crates, and the scripts
	@scripts/setup lint
	cargo fmt --all --check
	shellcheck $$(grep -lE '^#!.*(bash|/sh)' scripts/* tests/tools/* packaging/* packaging/debian/* .ci/run)
	scripts/check-purity --self-test
	scripts/check-purity
	cargo clippy --workspace --all-targets -- -D warnings

deb: ## Build the Debian package (PROFILE=dev: quickly, not optimised)
	@scripts/setup deb
	@PROFILE=$(if $(filter file,$(origin PROFILE)),release,$(PROFILE)) packaging/build

bench model sim sim-scale: override PROFILE = release

bench: setup ## Measure failover, switchover and idle cost on real servers
	@$(WITH_MYSQL) && \
	cargo build --release -p xenon-agent -p xenon-cli && \
	cargo run --release -p xenon-benches --bin bench -- $(ARGS)

model: setup ## Check the election crate in every order of events, and that planted mistakes are found
	cargo run --release -p xenon-checks -- $(ARGS)

sim-scale: ## Elections of 3 to 511 nodes in virtual time: how long they take, and how many messages
	cargo run --release -p xenon-sim -- --scale $(ARGS)

sim: ## Run whole clusters in virtual time from SEEDS seeds (0: until stopped), with every fault there is
	cargo run --release -p xenon-sim -- --seeds $(SEEDS) $(ARGS)

fuzz: ## Throw bytes at every parser, SECONDS=60 each; fails when one breaks
	@scripts/fuzz $(SECONDS)

setup: ## Install what building and testing need; nothing when it is there
	@scripts/setup

clean-cache: ## Remove the fetched MySQL server and the test runner from the cache folder
	@scripts/mysql clean
	@scripts/mariadb clean
	@scripts/browser clean
	rm -rf '$(CACHE)/tools'
