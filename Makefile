# scenelens: every verb sets up .venv by itself; `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# STUDY is a name in data/studies or a path to a study.toml; without it, the embedded world.
STUDY ?=
ARGS ?=
PY := .venv/bin/python
READY := .venv/scenelens-ready
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	if $$p -c '$(NEW_ENOUGH)' >/dev/null 2>&1; then echo $$p; break; fi; done)
NOTEBOOKS = $(wildcard notebooks/*.ipynb)
# One thread per test process: two processes on two cores otherwise fight over four threads.
ONE_THREAD := OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1

.PHONY: help workbook lab test check bench train atlas readme-pictures clean

help:  ## list these verbs
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 26

workbook: $(READY)  ## run every notebook and write build/workbook/index.html (STUDY=path for another study)
	$(PY) -m scenelens.prepare study $(if $(STUDY),--study "$(STUDY)")
	$(PY) -m scenelens.workbook notebooks $(if $(STUDY),--study "$(STUDY)")

lab: $(READY)  ## open the workbook in JupyterLab (STUDY=path for another study)
	$(if $(STUDY),SCENELENS_STUDY="$(or $(realpath $(STUDY)),$(STUDY))") $(PY) -m jupyterlab \
		notebooks/00_start_here.ipynb $(if $(filter 0,$(shell id -u)),--allow-root) $(ARGS)

test: check  ## all checks, then all tests (ARGS="-k sun" for some)
	$(ONE_THREAD) $(PY) -m pytest -n 2 --dist loadfile --durations 8 $(ARGS)

check: $(READY)  ## lint, format, clean notebooks, types, and the examples in docstrings
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m nbstripout --keep-id --verify $(NOTEBOOKS) tests/notebooks/*.ipynb
	$(PY) -m mypy
	.venv/bin/lint-imports --no-logo
	$(ONE_THREAD) $(PY) -m pytest -q -n 2 --doctest-modules scenelens

bench: $(READY)  ## measure against peers: one command each, results in build/bench
	for file in benchmarks/[a-z]*.py; do $(PY) -m benchmarks.$$(basename $$file .py) $(ARGS); done

train: $(READY)  ## train SceneWorld's two networks again (up to an hour on two cores)
	$(PY) -m scenelens.sceneworld.training $(ARGS)

atlas: $(READY)  ## receptive fields of all units and minimal images of all scenes (STUDY=path, ARGS="--minutes 30")
	$(PY) -m scenelens.prepare atlas $(if $(STUDY),--study "$(STUDY)") $(ARGS)
	$(PY) -m scenelens.prepare retention $(if $(STUDY),--study "$(STUDY)")

readme-pictures: $(READY)  ## draw docs/sceneworld.jpg and docs/layer_preference.png again
	$(PY) docs/pictures.py

clean:  ## remove what was generated; .venv stays
	rm -rf build test-results .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find scenelens -name "*.nb[ci]" -delete

# torch first and by its exact version, so that no other package's needs choose a build.
$(READY): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then echo "scenelens needs Python 3.11 or newer, and found none." \
		"Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; fi
	@if ! [ -x .venv/bin/pip ]; then echo "Setting up .venv: two to ten minutes, most of it torch"; \
		$(PYTHON) -m venv .venv; fi
	$(PY) -m pip install --quiet $$(grep '^torch==' constraints.txt)
	$(PY) -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@
