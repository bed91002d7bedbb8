# demo   what each PMU policy does to a guest on an RK3588: the table, and a plot in demo/
# guests the guests of real arm64 code from their sources (needs a cross compiler)
# test   all tests            lint   ruff, import-linter, mypy            bench   the benchmarks
# docs   what of the documentation is made of the code            gallery   the pictures of docs/gallery.md
# site   the documentation as a site in build/site/, every warning an error
# soak   random scenarios, every law on each            fuzz   odd inputs for every loader
# Each makes its own environment in .venv from the versions pinned in constraints.txt.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c '$(FITS)' 2>/dev/null && break; p=python3; done; echo $$p)
VENV ?= .venv
DEMO ?= demo

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL = $(PIP) install --no-build-isolation --constraint constraints.txt --editable
INPUTS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs site gallery bench soak fuzz guests clean

help:
	@sed -n '1,7s/^# //p' Makefile

$(BIN)/python:
	@python='$(PYTHON)'; $$python -c '$(FITS)' || { \
	  echo "hetpmu needs Python 3.11, 3.12 or 3.13; '$$python' is $$($$python -V 2>&1)." >&2; \
	  echo "Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }; \
	echo "making $(VENV) with $$($$python -V)"; $$python -m venv $(VENV)

$(VENV)/.run: $(INPUTS) | $(BIN)/python
	@echo "installing hetpmu and its pinned dependencies into $(VENV) (a minute or two, once)"
	@$(PIP) install --constraint constraints.txt setuptools wheel
	@$(INSTALL) .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "installing what tests and checks need"
	@$(INSTALL) '.[dev]'
	@touch $@

$(VENV)/.docs: $(VENV)/.run
	@echo "installing what the site is made with"
	@$(INSTALL) '.[docs]'
	@touch $@

demo: $(VENV)/.run
	@$(BIN)/hetpmu compare --out $(DEMO) --force
	@echo "The plot and the results are in $(DEMO)/:"
	@ls $(DEMO)

test: $(VENV)/.dev
	@$(BIN)/python -m pytest -q

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy

docs: $(VENV)/.dev
	@$(BIN)/python -m simcore.app.table_page > docs/tables.md
	@$(BIN)/python -m tests.notebooks

site: $(VENV)/.docs
	@rm -rf build/site
	@$(BIN)/python -m sphinx -q -E -W --keep-going -c docs/site -d build/site-read docs build/site
	@echo "The site is in build/site/; begin with index.html."

gallery: $(VENV)/.dev
	@$(BIN)/python -m tests.gallery

bench: $(VENV)/.run
	@$(BIN)/hetpmu bench

soak: $(VENV)/.dev
	@$(BIN)/python -m tests.soak

fuzz: $(VENV)/.dev
	@NUMBA_DISABLE_JIT=1 $(BIN)/python -m tests.fuzz

guests:
	@$(MAKE) -B -C workloads/data/guests

clean:
	rm -rf $(VENV) $(DEMO) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
