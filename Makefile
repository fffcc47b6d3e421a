# The two commands: `make demo` and `make test`. Both do all the set-up on a fresh machine.

# Kept outside the clone, so that a fresh clone does not build the dependencies again.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/greenlight-target

CARGO := scripts/cargo
GREENLIGHT := $(CARGO_TARGET_DIR)/debug/greenlight
DIR ?= data

.PHONY: demo test test-real build lint sanitize fuzz bench-hollow bench-gatekeeper bench-ingest help

help: ## What this Makefile can do
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 16

build: ## Build everything once, tests included, in the one profile that demo and tests share
	@$(CARGO) build --workspace --bins --tests

demo: build ## Run the real catalogue through the whole pipe (DIR=data; Ctrl-C stops it, a second start goes on)
	@$(GREENLIGHT) demo --dir $(DIR) $(ARGS)

test: build ## Every test
	@$(CARGO) test --workspace --no-fail-fast

test-real: ## Every test that needs a real Kafka, S3, schema registry or PostgreSQL; starts and stops them
	@scripts/servers >/dev/null
	@$(CARGO) test --workspace --test real --no-fail-fast

lint: ## Formatting and Clippy, as CI runs them
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --workspace --all-targets -- -D warnings

sanitize: ## The tests of the modules that have unsafe code, under AddressSanitizer (nightly toolchain)
	@CARGO_TARGET_DIR=$(CARGO_TARGET_DIR)/sanitize RUSTFLAGS=-Zsanitizer=address \
		cargo +nightly test -p hollow --lib --target x86_64-unknown-linux-gnu index

fuzz: ## Every fuzz target of the dataset engine and of change records, SECONDS=200 each (nightly toolchain and cargo-fuzz)
	@scripts/fuzz $(SECONDS)

bench-hollow: ## The dataset engine beside Java Hollow, in one run; writes out/bench/hollow.tsv
	@benches/hollow/run

bench-gatekeeper: ## The evaluation cycle beside a gatekeeper on Java Hollow, in one run; writes out/bench/gatekeeper.tsv
	@benches/gatekeeper/run

bench-ingest: ## Reading change records beside what else could read them; writes out/bench/ingest.tsv
	@benches/ingest/run
