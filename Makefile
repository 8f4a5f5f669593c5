# scenelens: every command sets up .venv by itself; `make help` lists the commands.
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
READY := .venv/scenelens-ready
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	if $$p -c '$(NEW_ENOUGH)' >/dev/null 2>&1; then echo $$p; break; fi; done)
NOTEBOOKS = $(wildcard notebooks/*.ipynb)
export SCENELENS_STUDY := $(or $(value STUDY),$(value SCENELENS_STUDY))
unexport STUDY
# A path starts from this folder; notebooks run in another one. A name in data/studies stays a name.
FIND_STUDY = if [ -e "$$SCENELENS_STUDY" ]; then \
	case $$SCENELENS_STUDY in /*) ;; *) SCENELENS_STUDY=$$PWD/$$SCENELENS_STUDY ;; esac; fi
CHOSEN = $${SCENELENS_STUDY:+--study "$$SCENELENS_STUDY"} $(if $(TRUST),--trust)
# One thread per test process: otherwise two processes share two cores with four threads.
ONE_THREAD := OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1

.PHONY: help workbook lab test check torture bench train atlas readme-pictures study-page clean

help:  ## list these commands
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 26

workbook: $(READY)  ## run all notebooks, write build/workbook/index.html (STUDY=path for your study)
	$(FIND_STUDY); $(PY) -m scenelens.prepare study $(CHOSEN)
	$(FIND_STUDY); $(PY) -m scenelens.workbook notebooks $(CHOSEN)

lab: $(READY)  ## open the notebooks in JupyterLab (STUDY=path for your study)
	@if [ "$$(id -u)" = 0 ]; then echo "Warning: you are root, so any code in a notebook can change or delete" \
		"everything on this machine; JupyterLab starts with --allow-root. Better: use an ordinary account." >&2; fi
	$(FIND_STUDY); $(PY) -m jupyterlab \
		notebooks/00_start_here.ipynb $$([ "$$(id -u)" != 0 ] || echo --allow-root) $(ARGS)

test: check  ## run all checks, then all tests (ARGS="-k sun" for some tests)
	$(ONE_THREAD) $(PY) -m pytest -n 2 --dist loadfile --durations 8 $(ARGS)

check: $(READY)  ## check style, types, import order, docstrings and their examples, empty notebooks
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m nbstripout --keep-id --verify $(NOTEBOOKS) tests/notebooks/*.ipynb
	$(PY) -m mypy
	.venv/bin/lint-imports --no-logo
	$(PY) -m numpydoc lint $$(find scenelens -name '*.py')
	$(ONE_THREAD) $(PY) -m pytest -q -n 2 --doctest-modules scenelens

torture: $(READY)  ## damaged input, kills, races, hostile names: a table of faults (MINUTES=10)
	$(ONE_THREAD) $(PY) -m tests.torture --minutes $(MINUTES) $(ARGS)

bench: $(READY)  ## measure the speed against other libraries, results in build/bench
	for file in benchmarks/[a-z]*.py; do $(PY) -m benchmarks.$$(basename $$file .py) $(ARGS); done

train: $(READY)  ## train SceneWorld's two networks: an hour on two cores (ARGS="--long": as shipped, hours)
	$(PY) -m scenelens.sceneworld.training $(ARGS)

atlas: $(READY)  ## measure all receptive fields and minimal images (STUDY=path, ARGS="--minutes 30")
	$(FIND_STUDY); $(PY) -m scenelens.prepare atlas $(CHOSEN) $(ARGS)
	$(FIND_STUDY); $(PY) -m scenelens.prepare retention $(CHOSEN)

readme-pictures: $(READY)  ## draw docs/sceneworld.jpg and docs/layer_preference.png
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
		$(PYTHON) -m venv .venv; fi
	$(PY) -m pip install --quiet $$(grep '^torch==' constraints.txt)
	$(PY) -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@
