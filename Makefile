# Each task creates the environment itself when it is missing and installs what it needs.
#   make test PYTHON=python3.12 VENV=.venv-3.12     another Python, another environment
#   make test ARGS='-k gate -x'                     arguments for pytest
# GNU make 3.81 and later; nothing here is written outside the checkout.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test backends backends-all test-backends check test-all format lint types contracts docs bench coverage smoke clean

help: ## Say what each task does
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  %-15s %s\n", $$1, $$2}'

demo: $(VENV)/.demo ## Audit a live Flask service with two signals, and show its traces
	@$(BIN)/nogi-otel demo $(ARGS)

test: $(VENV)/.test ## Run the whole suite on the environment's Python
	@$(BIN)/python -m pytest -m "not backends" $(ARGS) || { [ -n "$$CI" ] && \
	    echo "=== once more, what failed: a test that passes now depends on the moment; mend it" && \
	    $(BIN)/python -m pytest -m "not backends" --last-failed --last-failed-no-failures none $(ARGS); }

backends: $(VENV)/.test ## Build the real Collector and Jaeger for the tests (needs Go)
	@$(BIN)/python tests/backends/build.py

backends-all: $(VENV)/.test ## The same, and Loki, which takes longer
	@$(BIN)/python tests/backends/build.py --all

test-backends: backends ## Run the tests of real backends
	@$(BIN)/python -m pytest tests/backends -rs $(ARGS)

check: format lint types contracts docs ## Format, lint, types, import contracts, docs

test-all: ## Run the suite on every CPython from 3.10 up that is found (JOBS=2: two at a time)
	@MAKE="$(MAKE)" .ci/test-all

format: $(VENV)/.check
	@$(BIN)/ruff format --check .

lint: $(VENV)/.check
	@$(BIN)/ruff check .

types: $(VENV)/.check
	@$(BIN)/mypy

contracts: $(VENV)/.check
	@$(BIN)/lint-imports --no-logo

# -E: a page that warned is read again, so that a second run does not pass by forgetting.
docs: $(VENV)/.check ## Build the documentation; a warning is an error
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -E -b html docs docs/_build/html
	@echo "docs: docs/_build/html/index.html"

bench: $(VENV)/.bench ## Print the costs, side by side
	@$(BIN)/python -m benchmarks $(ARGS)

coverage: $(VENV)/.test ## Run the suite under coverage, children too
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest $(ARGS); status=$$?; \
	    $(BIN)/coverage combine --quiet && $(BIN)/coverage report && exit $$status

smoke: $(VENV)/.demo ## Build the wheel and try it in an empty environment
	@.ci/smoke $(BIN)/python

clean: ## Remove the environments and everything that was built
	rm -rf .venv .venv-* build dist docs/_build htmlcov .coverage .coverage.* \
	    .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache src/*.egg-info
	find src tests examples docs -name __pycache__ -type d -prune -exec rm -rf {} +

# --- environments ------------------------------------------------------------------------------
# A stamp a purpose: a second run costs nothing, a changed pyproject.toml installs again.

$(VENV)/.demo: EXTRA := --group examples
$(VENV)/.test: EXTRA := --group test
$(VENV)/.check: EXTRA := --group test --group lint --group docs
$(VENV)/.bench: EXTRA := --group benchmark

$(VENV)/.demo $(VENV)/.test $(VENV)/.check $(VENV)/.bench: $(VENV)/.pip pyproject.toml
	@echo "installing into $(VENV) (`$(BIN)/python -V`): nogi-otel[cli] $(EXTRA)"
	@$(PIP) install --quiet --editable '.[cli]' $(EXTRA)
	@touch $@

$(VENV)/.pip:
	@.ci/venv "$(PYTHON)" "$(VENV)"
	@touch $@
