# Everything a person or CI runs. `make help` lists it.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ORDERS ?= 24
SEED   ?= 7
JOBS   ?= 3
HELD   ?= 100
OPEN   ?= 1000
GOODS  ?= 200

.DEFAULT_GOAL := help
.PHONY: help setup demo test chaos explore lint up bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## a virtual environment with everything, from the hash-pinned lock

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

demo: setup ## place orders, take the ERP down, bring it back, ship, read the verdict from the books (ORDERS=24 SEED=7)
	$(BIN)/python starter.py demo --orders $(ORDERS) --seed $(SEED)

up: setup ## run everything on this machine until Ctrl-C
	$(BIN)/python starter.py up

test: setup lint ## format, lint, types, import rules and all tests (JOBS=3 at a time)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

chaos: setup ## orders, faults and kill -9 of every part; then every book is judged (ORDERS=1000 SEED=7)
	$(BIN)/python -m tests.chaos $(if $(filter command line environment,$(origin ORDERS)),--orders $(ORDERS)) --seed $(SEED)

explore: setup ## the rules with new random inputs, and more of them
	HYPOTHESIS_PROFILE=explore $(BIN)/python -m pytest -n $(JOBS) tests/commerce tests/activities tests/cli/test_demo_orders.py

lint: setup ## ruff and mypy, strictly
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup ## the claims about speed and cost, measured side by side (HELD=100 orders in an outage, OPEN=1000 unpaid, GOODS=200 on their way)
	$(BIN)/python -m bench --held $(HELD) --open $(OPEN) --goods $(GOODS)

PIN = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-annotate

lock: setup ## pin every dependency again, with hashes and without a host; production has a part of the same pins
	$(PIN) --all-extras pyproject.toml -o requirements.lock
	$(PIN) --constraint requirements.lock pyproject.toml -o requirements-production.lock

clean: ## remove what runs leave behind
	rm -rf var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
