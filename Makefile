# make demo and make test are all a new user needs; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
NATIVE := $(wildcard genbank_assets/flatfile/*.pyx genbank_assets/flatfile/*.pxi genbank_assets/flatfile/*.h \
	genbank_assets/postgres/*.pyx)

.PHONY: help setup demo dev test test-fast lint bench dictionary clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: .venv/.ready  ## make .venv with everything in it and build the native scanner

.venv/.ready: setup.py pyproject.toml $(NATIVE) scripts/setup-venv
	@PYTHON="$(PYTHON)" scripts/setup-venv
	@touch $@

demo: setup  ## materialize the bundled sample through all five assets and show what came of it
	@$(BIN)/genbank-assets demo

dev: setup  ## serve Dagster's UI and daemon on http://127.0.0.1:3000
	@$(BIN)/genbank-assets dev

test: setup lint  ## lint, types and all tests
	@scripts/install-test-packages
	@$(BIN)/python -m pytest

test-fast: setup  ## the tests that take seconds
	@$(BIN)/python -m pytest -m "not slow and not browser"

lint: setup  ## ruff, mypy --strict, and whether Dagster can load the graph
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/python -W ignore -c "import dagster; from genbank_assets.definitions import defs; \
		dagster.Definitions.validate_loadable(defs)"

bench: setup  ## measure the reader beside its peers; results go to benchmarks/results
	@$(BIN)/pip install --quiet ".[bench]" 2>/dev/null || $(BIN)/pip install --quiet gb-io biobear
	@$(BIN)/python benchmarks/reader.py

dictionary: setup  ## write docs/data-dictionary.md anew from the column list
	@$(BIN)/python scripts/build_data_dictionary.py

clean:  ## remove what was built; data stays
	@rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache
	@find genbank_assets -name '*.so' -delete
