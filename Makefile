# scenelens: every command sets up .venv by itself; `make help` lists the commands.
# Each is a short name of `.venv/bin/python -m scenelens COMMAND`, which needs no make (Windows, conda).
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# STUDY is a name in data/studies or the path of a study.toml; by default, the study that comes with the package.
# It reaches the commands through the environment, so that spaces, quotes and dollar signs in it stay what they are.
STUDY ?=
# TRUST=1 allows the Python file that a study of your own names to run, this time.
TRUST ?=
# How long the torture bench takes, about.
MINUTES ?= 10
ARGS ?=
PY := .venv/bin/python
SCENELENS := $(PY) -m scenelens
# Two stamps: what readers need, and with it what the checks, tests and benchmarks need.
READY := .venv/scenelens-ready
DEV := .venv/scenelens-dev-ready
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	if $$p -c '$(NEW_ENOUGH)' >/dev/null 2>&1; then echo $$p; break; fi; done)
NOTEBOOKS = $(wildcard notebooks/*.ipynb)
export SCENELENS_STUDY := $(or $(value STUDY),$(value SCENELENS_STUDY))
unexport STUDY
TRUSTED = $(if $(TRUST),--trust)
# One thread per test process: otherwise two processes share two cores with four threads.
ONE_THREAD := OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1
# Two processes, each with one file at a time, in the order that tests/conftest.py gives them.
TESTS = $(ONE_THREAD) $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help workbook lab microscope test check style types forms torture bench train seeds interventions atlas readme-pictures study-page clean

help:  ## list these commands
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 26

workbook: $(READY)  ## run all notebooks, write build/workbook/index.html (STUDY=path for your study)
	$(SCENELENS) workbook $(TRUSTED) $(ARGS)

lab: $(READY)  ## open the notebooks in JupyterLab (STUDY=path for your study)
	$(SCENELENS) lab $(ARGS)

microscope: $(READY)  ## write build/microscope/index.html, a page for every unit (STUDY=path, ARGS="--layers pool5")
	$(SCENELENS) microscope $(TRUSTED) $(ARGS)

test: style  ## run all checks, then all tests and examples (ARGS="-k sun" for some tests)
	$(TESTS) --doctest-modules --durations 8 $(ARGS)

check: style  ## check style, types, import order, docstrings and their examples, empty notebooks
	$(TESTS) --doctest-modules -q scenelens

# Two at a time: the types take longer than all the rest.
style: $(DEV)
	@$(MAKE) --no-print-directory -j 2 types forms

types: $(DEV)
	$(PY) -m mypy

forms: $(DEV)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m nbstripout --keep-id --verify $(NOTEBOOKS) tests/notebooks/*.ipynb
	.venv/bin/lint-imports --no-logo
	$(PY) -m numpydoc lint $$(find scenelens -name '*.py')

torture: $(DEV)  ## damaged input, kills, races, hostile names: a table of faults (MINUTES=10)
	$(ONE_THREAD) $(PY) -m tests.torture --minutes $(MINUTES) $(ARGS)

bench: $(DEV)  ## measure the speed against other libraries, results in build/bench
	$(SCENELENS) bench $(ARGS)

train: $(READY)  ## train SceneWorld's two networks: an hour on two cores (ARGS="--long": four times as long)
	$(SCENELENS) train $(ARGS)

seeds: $(READY)  ## train and measure five networks of each kind, behind other work (ARGS=--no-training)
	$(SCENELENS) seeds $(ARGS)

interventions: $(READY)  ## train and measure networks in edited worlds and for other tasks (ARGS=--plan: how long)
	$(SCENELENS) interventions $(ARGS)

atlas: $(READY)  ## measure all receptive fields and minimal images (STUDY=path, ARGS="--minutes 30")
	$(SCENELENS) atlas $(TRUSTED) $(ARGS)
	$(SCENELENS) retention $(TRUSTED)

readme-pictures: $(READY)  ## draw the pictures of README.md again, in docs/
	$(PY) docs/pictures.py

study-page: $(READY)  ## write docs/study_toml.md, the page with every key of a study.toml
	$(PY) docs/study_toml.py

clean:  ## remove all generated files except .venv
	rm -rf build test-results .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find scenelens -name "*.nb[ci]" -delete

# torch first and in its exact version: otherwise another package's requirements could choose another build.
$(READY): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then echo "scenelens needs Python 3.11 or newer, and found none." \
		"Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; fi
	@if ! [ -x .venv/bin/pip ]; then echo "Setting up .venv: two to ten minutes, most of it torch"; \
		"$(PYTHON)" -m venv .venv; fi
	$(PY) -m pip install --quiet $$(grep '^torch==' constraints.txt)
	$(PY) -m pip install --quiet -c constraints.txt -e .
	@touch $@

$(DEV): $(READY)
	$(PY) -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@
