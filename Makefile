# Needs Rust, Node and make; everything else comes from the registries and stays inside the checkout.
#   make demo [ARGS="--dataset breast-cancer --mines 3"]   one campaign from launch to payout
#   make test                                              contracts, their bindings, the cryptography; builds every program
#   make test-all                                          every test, the end-to-end ones too
#   make up   [ARGS="--mines 3"]                           a local network that keeps running
#   make check                                             format, lints, documentation

SHELL := bash
CARGO ?= cargo
NPM ?= npm
PYTHON ?= python3
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
BIN := $(TARGET)/release

# Stamps say what was installed, so that nothing is installed twice.
NODE_STAMP := contracts/node_modules/.installed
VENV := target/venv
PYTHON_STAMP := $(VENV)/.installed

.PHONY: demo test test-all test-core up build check test-contracts test-rust clean-demo
.DEFAULT_GOAL := build

demo: build
	@$(BIN)/localnet demo $(ARGS)

up: build
	@$(BIN)/localnet up $(ARGS)

build: $(NODE_STAMP)
	$(CARGO) build --release --workspace --bins

test: test-contracts test-core

# Everything, with the end-to-end tests over real processes.
test-all: test-contracts test-rust

# All programs are built; the tests of the libraries that everything rests on are run.
test-core: build
	$(CARGO) test --release -p syft -p sonar-contracts

test-contracts: $(NODE_STAMP)
	contracts/tools/check

# The end-to-end tests run the programs that `build` made.
test-rust: build $(PYTHON_STAMP)
	SONAR_TEST_PYTHON=$(abspath $(VENV)/bin/python) $(CARGO) test --release --workspace

check: $(NODE_STAMP)
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --workspace --no-deps

# Install scripts are not run: the packages are files, and need none.
$(NODE_STAMP): contracts/package.json contracts/package-lock.json contracts/.npmrc
	cd contracts && $(NPM) ci --ignore-scripts
	@cp contracts/package-lock.json $@

# Only the delivery test needs Python: it reads the delivered model as a data scientist would.
$(PYTHON_STAMP): localnet/tests/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@
