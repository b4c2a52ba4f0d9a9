# Everything runs in .venv; a target makes it first where it is missing or older than its list.

# The first Python that runs (a shim may not), has a version we suit and can make environments.
SUITS := import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13; do \
	$$python -c '$(SUITS)' 2>/dev/null && echo $$python && break; done)
NO_PYTHON := found no Python 3.11 to 3.13 with venv: install one, or name it with PYTHON=/its/path

JOBS ?= 2
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test slow lint docs bench quality clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

demo: $(READY) ## Simulate a tilt series, reconstruct it, compare the methods
	$(BIN)/tomoinr demo --out demo --force

test: lint ## Run every check and all tests that are quick
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses=$(JOBS) -m "not slow and not slurm"

slow: $(READY) ## Run the other tests (minutes; some need SLURM)
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses=$(JOBS) --dist=loadfile -m "slow or slurm"

lint: $(READY) ## Check format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(READY) ## Build the documentation into site/; a dead link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

bench: $(READY) ## Run ours and other packages side by side (minutes)
	$(BIN)/python benchmarks/sirt.py
	$(BIN)/python benchmarks/volumes.py

quality: $(READY) ## Score every method over phantoms, wedges, doses and poses (hours; resumable)
	$(BIN)/python benchmarks/quality.py

clean: ## Remove all that was made, the environment too
	rm -rf .venv .*_cache .hypothesis build dist demo site
	find . -name __pycache__ -prune -exec rm -rf {} +

$(READY): requirements.txt pyproject.toml $(wildcard plugins/*/pyproject.toml)
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt
	touch $@
