# siftstream: `make help` says what there is. Needs Python 3.11+ and make, nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
STAMP := $(VENV)/.ready
BIN := $(VENV)/bin
export UV_PYTHON_DOWNLOADS := never
ARGS ?=

.PHONY: help setup demo test test-unit check format bench constraints clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## prepare .venv with every pinned dependency (each target does it by itself)

$(STAMP): pyproject.toml constraints.txt scripts/setup.sh
	@scripts/setup.sh $(VENV)
	@touch $@

demo: $(STAMP) ## the whole loop on this machine, on a real Kafka: watch a model get better
	$(BIN)/siftstream demo $(ARGS)

test: $(STAMP) ## all tests: unit, kafka (the local broker), docker where an engine answers
	$(BIN)/pytest $(ARGS)

test-unit: $(STAMP) ## the tests that need no service, under a minute
	$(BIN)/pytest -m "not kafka and not docker" $(ARGS)

check: $(STAMP) ## lint, format, types, direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --warnings
	$(BIN)/lint-imports

format: $(STAMP) ## put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## the line beside its raw limits and beside what others do: ratios, in about ten minutes
	$(BIN)/siftstream bench --count 4000 $(ARGS)

constraints: ## resolve the pinned versions anew after a change in pyproject.toml (ARGS=--upgrade: the newest)
	@scripts/setup.sh --constraints $(ARGS)

clean: ## remove .venv, caches and what runs have left
	rm -rf $(VENV) build dist *.egg-info demo .siftstream htmlcov .coverage .coverage.*
	rm -rf .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find siftstream tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
