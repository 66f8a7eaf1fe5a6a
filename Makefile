# Everything runs in $(VENV), which the first call makes; a later call installs again only when pyproject.toml or
# constraints.txt changed. Flags for pip, such as another index, come from the environment (PIP_INDEX_URL and so on).

PYTHON ?= python3
VENV ?= .venv
# the transformers releases that `make releases` checks; each needs an expectation in scripts/check_releases.py
RELEASES ?= 4.49.0 4.48.3 5.23.0
# the rows of scripts/faults.yaml that `make faults` runs, all of them unless named: make faults FAULTS="LLAVA-449 SEQCLS"
FAULTS ?=
# the rows of scripts/published.yaml that `make scripts` runs, all of them unless named: make scripts SCRIPTS="run_clm run_qa";
# SCRIPTS_SOURCE is a folder with checkouts of their sources, which are fetched otherwise
SCRIPTS ?=
SCRIPTS_SOURCE ?=
# the transformers release that `make survey` surveys; empty: the installed one
SURVEY ?=
# options of scripts/gpu_acceptance.py, for example GPU_ARGS="--case nccl --out reports/gpu"
GPU_ARGS ?=

# how many tests run side by side: logical is one for each processor, at most four; more take longer
JOBS ?= logical
# the percentage of lines that `make test` and `make coverage` require; raise it with what is reached
COVERED ?= 84

BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# by file, so that what the tests of one file share is made once; the longest first (tests/conftest.py)
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help example demo setup quick rest test thorough coverage lint types format releases faults scripts bench memory sensitivity mutants clean-runs survey survey-pages gpu release-check clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## set up, then check LLaVA-1.5's architecture under five splits (under a minute)
	@$(BIN)/accumcheck run configs/llava15-small.yaml

example: $(VENV)/.installed ## set up, then find a fault of today's transformers: a classifier under three splits, which fails
	@$(BIN)/accumcheck run configs/bert-classification.yaml || test $$? -eq 1

setup: $(VENV)/.installed-dev ## make the environment with everything that developers need

quick: $(VENV)/.installed-dev ## the tests that start no process and are not slow: under a minute
	$(PYTEST) --no-processes

rest: $(VENV)/.installed-dev ## the tests that `make test` runs and `make quick` leaves out
	$(PYTEST) -m 'e2e or process or slow'

test: lint types ## set up, then lint, format, types and the tests; and whether they cover enough lines
	$(PYTEST) --cov --cov-report= --cov-fail-under=$(COVERED)

thorough: $(VENV)/.installed-dev ## every test, also the further cases that `make test` leaves out (tests/processes.py)
	$(PYTEST) --thorough

coverage: $(VENV)/.installed-dev ## which lines `make quick` covers, and whether these are enough
	$(PYTEST) --no-processes --cov --cov-report=term --cov-fail-under=$(COVERED)

lint: $(VENV)/.installed-dev ## ruff: rules and format, changing nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev ## mypy, strict (pyproject.toml says what tests may leave out)
	$(BIN)/mypy

format: $(VENV)/.installed-dev ## ruff: format, and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

releases: $(VENV)/.installed-dev ## LLaVA under three transformers releases, each isolated: two known faults, one clean
	@$(BIN)/python scripts/check_releases.py $(RELEASES)

faults: $(VENV)/.installed-dev ## every published fault, each under its release: caught, named; about 45 minutes
	@$(BIN)/python scripts/check_faults.py $(FAULTS)

scripts: $(VENV)/.installed-dev ## published training scripts, unmodified: the right verdict for each; about twenty minutes
	@$(BIN)/python scripts/check_published.py $(if $(SCRIPTS_SOURCE),--source $(SCRIPTS_SOURCE)) $(SCRIPTS)

bench: $(VENV)/.installed-dev ## what a check costs, beside a torchrun loop and the floor: about ten minutes
	@$(BIN)/python benchmarks/run.py

memory: $(VENV)/.installed-dev ## peak memory of a worker beside plain training, 100 M parameters: about two minutes, 4 GB
	@$(BIN)/python benchmarks/memory.py

sensitivity: $(VENV)/.installed-dev ## the smallest planted fault that each dtype shows, and false alarms: about six minutes
	@$(BIN)/python benchmarks/sensitivity.py

mutants: $(VENV)/.installed-dev ## mutants of the installed Trainer, accelerate and SFTTrainer, and who notices them: about an hour; goes on where it ended
	@$(BIN)/python benchmarks/mutants.py --resume reports/mutants.jsonl --out reports/mutants.md

clean-runs: $(VENV)/.installed-dev ## 300 right runs of many kinds, none of which may fail: about half an hour; goes on where it ended
	@mkdir -p reports
	@$(BIN)/python benchmarks/clean_runs.py --resume reports/clean-runs.jsonl --out reports/clean-runs.md

survey: $(VENV)/.installed-dev ## every head class of the installed transformers, or of SURVEY=4.57.6: about half an hour; goes on where it ended
	@mkdir -p reports
	@$(BIN)/accumcheck survey --jobs 2 $(if $(SURVEY),--transformers $(SURVEY)) --resume reports/survey-$(or $(SURVEY),installed).jsonl \
	  -o reports/survey-$(or $(SURVEY),installed).json || test $$? -lt 2 -o $$? -eq 3
	@$(BIN)/python scripts/survey_pages.py reports/survey-$(or $(SURVEY),installed).json

survey-pages: $(VENV)/.installed-dev ## docs/survey from the surveys in reports/ and those already there
	@$(BIN)/python scripts/survey_pages.py $(wildcard reports/survey-*.json)

gpu: $(VENV)/.installed-dev ## the acceptance matrix on this machine's GPUs (docs/gpu/README.md)
	@$(BIN)/python scripts/gpu_acceptance.py $(GPU_ARGS)

release-check: $(VENV)/.installed-dev ## build, check the metadata, install the wheel in an empty environment, run the demo there
	@rm -rf build/release
	@$(BIN)/python -m build --outdir build/release/dist .
	@$(BIN)/python -m twine check --strict build/release/dist/*
	@$(PYTHON) -m venv build/release/env
	@build/release/env/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt build/release/dist/*.whl
	@cp configs/llava15-small.yaml build/release/
	@cd build/release && env/bin/accumcheck run llava15-small.yaml

clean: ## remove the environments and every cache
	rm -rf .venv reports build dist .mypy_cache .pytest_cache .ruff_cache src/*.egg-info
	find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 10) else "accumcheck needs Python 3.10 or newer; $(PYTHON) is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	@echo "installing into $(VENV): a few minutes the first time" >&2
	@$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.created pyproject.toml constraints.txt
	@echo "installing into $(VENV) with the developers' tools: a few minutes the first time" >&2
	@$(PIP_INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/.installed
