# Everything runs in .venv, which is built from constraints.txt when a target needs it. Nothing else has to be installed
# or started: Python 3.11 to 3.13 and make are enough.
#   make test ARGS='-k deadline'      passes arguments on (also to demo and bench)
#   make setup PYTHON=python3.12      builds .venv with that Python, anew if it was made with another

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test check bench chaos

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# Three stamps: the environment itself, what the application needs, what its tests and checks need on top. When
# pyproject.toml or constraints.txt change, pip adjusts the environment that is there; to start afresh, delete .venv.
ifdef PYTHON
MADE := $(VENV)/.made-with-$(subst /,_,$(PYTHON))
else
MADE := $(firstword $(wildcard $(VENV)/.made-with-*) $(VENV)/.made-with-default)
endif
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev

CANDIDATES := $(or $(PYTHON),python3.11 python3.12 python3.13 python3)
SUITABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(DEV) ## the whole environment: the application, its tests and checks
	@echo ".venv is ready: $$($(BIN)/python --version)"

demo: $(RUNTIME) ## a whole edition, from registration to evaluation, through real Prefect flows (kept in var/demo)
	@$(BIN)/entrapprendre demo $(ARGS)

test: $(DEV) ## every test, in random order, on two processes
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

check: $(DEV) ## lint, format, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(DEV) ## the benchmarks, on SQLite and PostgreSQL, beside hand-written SQL
	@$(BIN)/python -m benchmarks $(ARGS)

chaos: $(DEV) ## the reliability tests at their full size (CHAOS_SIZE, 5 by default), longer than make test
	@CHAOS_SIZE=$${CHAOS_SIZE:-5} $(BIN)/python -m pytest -n 2 --dist loadgroup tests/chaos tests/concurrency tests/property $(ARGS)

$(MADE):
	@for python in $(CANDIDATES); do \
	    if $$python -c '$(SUITABLE)' >/dev/null 2>&1; then \
	        echo "Making .venv with $$python" >&2; \
	        $$python -m venv --clear $(VENV) && touch $@; exit; \
	    fi; \
	done; \
	echo "No suitable Python among: $(CANDIDATES)." >&2; \
	echo "Needed: 3.11, 3.12 or 3.13, with its venv module (Debian, Ubuntu: the package python3-venv)." >&2; \
	echo "If it stands elsewhere: make PYTHON=/path/to/python ..." >&2; exit 1

$(RUNTIME): $(MADE) pyproject.toml constraints.txt
	@echo "Installing the application into .venv (about a minute the first time)" >&2
	@$(PIP) -e .
	@touch $@

# In one go when both are missing, so that `make test` on a new clone builds the application once.
$(DEV): $(MADE) pyproject.toml constraints.txt
	@echo "Installing the application, its tests and checks into .venv (up to two minutes the first time)" >&2
	@$(PIP) -e '.[dev]'
	@touch $(RUNTIME) $@
