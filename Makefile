# Everything a person or a machine does with this repository. `make` alone lists it.
#
# Two environments live inside the clone and nowhere else: .tools holds uv (itself pinned by hash), .venv holds
# what the locks say. A stamp file per lock remembers what is already installed, so a second call starts at once.

PYTHON ?= python3
PYTEST_FLAGS ?= -n logical --dist worksteal
COVERAGE_FLAGS ?= --cov --cov-report=term-missing:skip-covered
LOCK_FLAGS ?=

export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME
# Compiled once, not by every worker and every program that the tests start.
unexport PYTHONDONTWRITEBYTECODE

PY_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null)
BIN := .venv/bin/python
UV := .tools/bin/uv
VENV := .venv/.made-with-$(PY_VERSION)
RUN := .venv/.run-installed
DEV := .venv/.dev-installed
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --no-build \
	--generate-hashes --no-header --no-emit-index-url --no-emit-find-links $(LOCK_FLAGS)
SERVICE := pyproject.toml --extra postgresql --extra redis --no-emit-package rbac-verifier
TYPED := rbac_api rbac_verifier tests/servers tests/contract $(wildcard app.py)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-fast soak coverage check lint types contracts format lock openapi bench measure clean

help: ## List these commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

run: $(RUN) ## Install what is needed, migrate, load the seed data and serve at http://127.0.0.1:8000.
	@exec $(BIN) app.py

test: $(DEV) ## Run every test on SQLite, PostgreSQL, Valkey and a headless browser.
	@$(BIN) -m pytest $(PYTEST_FLAGS)

test-fast: $(DEV) ## Run the short tests that need SQLite alone: no server, no browser, no program is started.
	@$(BIN) -m pytest $(PYTEST_FLAGS) -m "not outside and not soak"

soak: $(DEV) ## Race, kill, fuzz and generate at length (hours), at random where that is possible.
	@RBAC_TEST_SOAK=1 $(BIN) -m pytest $(PYTEST_FLAGS) -m soak -o faulthandler_timeout=0

coverage: $(DEV) ## The same, measured: every line and branch of the service has to be run (takes about twice as long).
	@$(BIN) -m pytest $(PYTEST_FLAGS) $(COVERAGE_FLAGS)

check: lint types contracts coverage ## Lint, types, import contracts and every test, measured: what has to pass before a change lands.

lint: $(DEV) ## Look for faults and for unformatted code, without changing anything.
	@$(BIN) -m ruff check .
	@$(BIN) -m ruff format --check .

types: $(DEV) ## Check all types, strictly.
	@$(BIN) -m mypy $(TYPED)

contracts: $(DEV) ## Check that every package imports only what ARCHITECTURE.md draws.
	@$(BIN) -c 'from importlinter.cli import lint_imports_command as c; c()'

format: $(DEV) ## Format the code and repair what can be repaired by machine.
	@$(BIN) -m ruff check --fix --quiet . || true
	@$(BIN) -m ruff format .

lock: $(VENV) ## Write the locks anew from pyproject.toml and requirements/*.in (LOCK_FLAGS=--upgrade takes newer versions).
	@$(COMPILE) requirements/tools.in -o requirements/tools.lock
	@$(COMPILE) $(SERVICE) -o requirements/run.lock
	@$(COMPILE) $(SERVICE) requirements/dev.in -o requirements/dev.lock

openapi: $(RUN) ## Write openapi/openapi.json anew from the code.
	@$(BIN) -m rbac_api openapi --write

bench: $(DEV) ## Measure, and print figures comparable with docs/performance.md.
	@$(BIN) -m benchmarks

measure: $(DEV) ## Measure the code itself (sizes, types, cycles, three requests), and write ARCHITECTURE.md's map and figures anew.
	@$(BIN) -m benchmarks.measure --write

clean: ## Remove what was installed and measured; instance/ (your data and keys) stays.
	@rm -rf .venv .tools .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache htmlcov
	@rm -f .coverage .coverage.*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- what the commands above stand on ---------------------------------------------------------------------------

# The name carries the Python version: another PYTHON means new environments, not a broken mixture.
$(VENV): requirements/tools.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "This project needs Python 3.11 or newer; '$(PYTHON)' is $(or $(PY_VERSION),no Python that runs here)." >&2; \
		echo "Name another one: make run PYTHON=/usr/bin/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; \
		exit 1; }
	@echo "Setting up Python $(PY_VERSION) in .venv ..."
	@rm -rf .tools .venv
	@$(PYTHON) -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
		-r requirements/tools.lock
	@$(UV) venv --quiet --python .tools/bin/python .venv
	@touch $@

# `sync` also removes what a lock no longer names. The dev lock contains the run lock, version for version. The clone itself is then
# installed as a link, which brings .venv/bin/rbac-api and the metadata; it is built by the setuptools of requirements/tools.lock.
# Compiled now, our own code too (a few seconds, once), or every start pays for it where bytecode may not be written later.
SYNC := $(UV) pip sync --quiet --require-hashes --no-build --compile-bytecode --python $(BIN)
LINK := $(UV) pip install --quiet --no-deps --build-constraints requirements/tools.lock --python $(BIN) --editable . --editable rbac_verifier

$(RUN): requirements/run.lock pyproject.toml rbac_verifier/pyproject.toml $(VENV)
	@echo "Installing what the service needs ..."
	@$(SYNC) requirements/run.lock
	@$(LINK)
	@$(BIN) -m compileall -q app.py migrations rbac_api rbac_verifier
	@rm -f $(DEV)
	@touch $@

$(DEV): requirements/dev.lock requirements/run.lock pyproject.toml rbac_verifier/pyproject.toml $(VENV)
	@echo "Installing what the checks need ..."
	@$(SYNC) requirements/dev.lock
	@$(LINK)
	@touch $(RUN) $@
