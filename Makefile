# Two commands do everything on a machine that has only Python 3.11+, pip and make:
#   make demo    scan the bundled estate
#   make test    linters, types, import contracts and the unit suite
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CORE := scanner/yamlsafe.py,scanner/nodes.py,scanner/authoring/*,scanner/packs/*,scanner/policy.py,scanner/plan.py,scanner/attach.py,scanner/views.py,scanner/evaluate.py,scanner/classify.py,scanner/assertion/*,scanner/census.py,scanner/gate.py,scanner/model/weight.py,scanner/store.py,scanner/scan.py

.PHONY: demo test test-all lint format docs clean

demo: $(VENV)/.demo
	@$(BIN)/arguard demo

test: lint $(VENV)/.test
	@rm -f .coverage .coverage.*
	$(BIN)/python -m pytest -q -m "not full and not estate" -n auto --dist worksteal --cov --cov-report=
	$(BIN)/python -m pytest -q -m "estate" -n auto --dist worksteal
	@$(BIN)/coverage report --fail-under=95
	@$(BIN)/coverage report --fail-under=100 --include="$(CORE)"

test-all: $(VENV)/.test
	$(BIN)/python -m pytest -m full

lint: $(VENV)/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.test
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

# Everything in the repository that is generated; tests prove that it is fresh.
docs: $(VENV)/.test
	@$(BIN)/python -m docs.generate

clean:
	@rm -rf $(VENV) build dist .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "arguard needs Python 3.11 or newer; set PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml
	@echo "Setting up .venv (once) ..."
	@$(PIP) install --editable ".[offline]"
	@touch $@

# `--group` needs pip 25.1.
$(VENV)/.test: $(VENV)/.demo
	@echo "Setting up the tools for development (once) ..."
	@$(PIP) install "pip>=25.1"
	@$(PIP) install --group dev
	@touch $@
