# Every task of a developer or of CI with this repository. `make` alone lists them. There are two
# environments, both inside the clone: .tools has uv (pinned by hash), .venv has what the locks list. A stamp
# file per lock records what is installed, so a second call starts at once.

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
TYPED := rbac_api rbac_verifier benchmarks tests/servers tests/contract $(wildcard app.py)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-fast soak coverage check lint types contracts format lock openapi bench
.PHONY: measure clean

help: ## List these commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

run: $(RUN) ## Install what is needed, migrate, load the seed data and serve at http://127.0.0.1:8000.
	@exec $(BIN) app.py

test: $(DEV) ## Run all tests on SQLite, PostgreSQL, Valkey and a headless browser.
	@$(BIN) -m pytest $(PYTEST_FLAGS)

test-fast: $(DEV) ## Run the short tests that need only SQLite: no server, browser or program is started.
	@$(BIN) -m pytest $(PYTEST_FLAGS) -m "not outside and not soak and not large"

soak: $(DEV) ## Race, kill, fuzz and generate at length (hours), at random where that is possible.
	@RBAC_TEST_SOAK=1 $(BIN) -m pytest $(PYTEST_FLAGS) -m soak -o faulthandler_timeout=0

coverage: $(DEV) ## Run all tests and require full line and branch coverage (about twice as long).
	@$(BIN) -m pytest $(PYTEST_FLAGS) $(COVERAGE_FLAGS)

check: lint types contracts coverage ## Run all checks, and all tests with coverage: required for each change.

lint: $(DEV) ## Find faults and unformatted code, without changing anything.
	@$(BIN) -m ruff check .
	@$(BIN) -m ruff format --check .

types: $(DEV) ## Check all types, strictly.
	@$(BIN) -m mypy $(TYPED)

contracts: $(DEV) ## Check that every package imports only what ARCHITECTURE.md draws.
	@$(BIN) -c 'from importlinter.cli import lint_imports_command as c; c()'

format: $(DEV) ## Format the code and apply automatic fixes.
	@$(BIN) -m ruff check --fix --quiet . || true
	@$(BIN) -m ruff format .

lock: $(VENV) ## Write the locks from pyproject.toml and requirements/*.in (newer: LOCK_FLAGS=--upgrade).
	@$(COMPILE) requirements/tools.in -o requirements/tools.lock
	@$(COMPILE) $(SERVICE) -o requirements/run.lock
	@$(COMPILE) $(SERVICE) requirements/dev.in -o requirements/dev.lock

openapi: $(RUN) ## Write openapi/openapi.json from the code.
	@$(BIN) -m rbac_api openapi --write

bench: $(DEV) ## Measure the speed; print figures to compare with docs/performance.md.
	@$(BIN) -m benchmarks
	@$(BIN) -m benchmarks.writes

measure: $(DEV) ## Measure the code (sizes, types, cycles), and write the map in ARCHITECTURE.md.
	@$(BIN) -m benchmarks.measure --write

clean: ## Remove what was installed and measured; instance/ (your data and keys) stays.
	@rm -rf .venv .tools .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache htmlcov
	@rm -f .coverage .coverage.*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- what the commands above need ---------------------------------------------------------------------------

# The name contains the Python version: another PYTHON makes new environments, not a broken mixture.
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

# `sync` also removes what a lock no longer lists. The dev lock contains the run lock, version for version.
# The clone itself is then installed as a link, which adds .venv/bin/rbac-api and the metadata; the setuptools
# of requirements/tools.lock build it. All code is compiled here, once: where bytecode cannot be written
# later, every start would compile it again.
SYNC := $(UV) pip sync --quiet --require-hashes --no-build --compile-bytecode --python $(BIN)
LINK := $(UV) pip install --quiet --no-deps --build-constraints requirements/tools.lock --python $(BIN) \
	--editable . --editable rbac_verifier

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
