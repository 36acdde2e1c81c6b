# make demo     set up, run the main job on a small slice, say where the pictures are
# make test     set up, check the style and the types, run the Julia and the Python tests (PROCESSES=2 at a time)
# make setup    virtual environment, torch, seisflow, Julia; nothing to do the second time
# make lint     style and types only
# make clean    remove what the commands above made in this folder (not the runs)

# The first Python that is new enough does the set-up; `make PYTHON=/path/to/python ...` chooses another.
PYTHONS := $(PYTHON) .venv/bin/python python3 python3.13 python3.12 python3.11
NEW_ENOUGH := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
BIN := .venv/bin
RUN := runs/compass_small
PROCESSES ?= 2

SHELL := /bin/bash
.PHONY: help setup demo test lint test-julia test-python clean

help:
	@grep '^# make' Makefile | cut -c3-

setup:
	@for python in $(PYTHONS); do \
	  if "$$python" -c '$(NEW_ENOUGH)' 2>/dev/null; then exec "$$python" .ci/set_up.py; fi; \
	done; \
	echo "set-up: no Python 3.11 or newer with venv and ensurepip found (on Debian and Ubuntu, install python3-venv)" >&2; \
	exit 1

demo: setup
	$(BIN)/seisflow run examples/compass_small.toml --out $(RUN) $(ARGS)
	@echo
	@echo "Page with everything:"; find $(RUN) -name '*.html' | sort | sed 's/^/  /'
	@echo "Pictures:"; find $(RUN) -name '*.png' | sort | sed 's/^/  /'

# Style, types and Julia take a core each; the Python tests after them take both.
test: setup
	@$(MAKE) --no-print-directory --jobs=2 lint test-julia
	@$(MAKE) --no-print-directory test-python

lint: setup
	@start=$$SECONDS; $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy \
	  && echo "== style and types: $$((SECONDS - start)) s"

test-julia: setup
	@start=$$SECONDS; $(BIN)/python -m seisflow.dynamics.julia.find --startup-file=no --threads=2 --project=julia julia/test/runtests.jl \
	  && echo "== Julia tests: $$((SECONDS - start)) s"

test-python: setup
	@$(BIN)/python -m pytest --numprocesses=$(PROCESSES) --dist=loadfile --no-loadscope-reorder --durations=10 $(ARGS)

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
