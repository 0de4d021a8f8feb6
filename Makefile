# Two commands on a bare machine: `make demo` and `make test`. Needed: Python 3.11 or newer, make, git, a compiler.
# Every target makes or refreshes .venv by itself. Another interpreter: `make test PYTHON=python3.12`.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test test-all bench data clean

PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
WORKERS ?= 2
BIN := .venv/bin
READY := .venv/.ready

# A test run must not wait for the network to hear of a newer pyright.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY)  ## who coordinates an exchange economy, and how much must it be told? a report in demo/
	@$(BIN)/catallax compare exchange --out demo
	@$(BIN)/catallax frontier exchange --out demo
	@echo "The report: $(CURDIR)/demo/report.html"

# Types and import contracts are checked beside the tests: what they have to say is printed when those are done.
test-all: export CATALLAX_TESTS := all
test-all: test  ## the same, and the long tests

test: $(READY)  ## style, types, import contracts, tests
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@said=$$(mktemp); trap 'rm -f "$$said"' EXIT; \
	  { $(BIN)/pyright && $(BIN)/lint-imports --no-logo; } >"$$said" 2>&1 & beside=$$!; \
	  failed=0; $(BIN)/pytest -q -n $(WORKERS) --dist loadfile || failed=$$?; \
	  wait $$beside || failed=$$?; cat "$$said"; exit $$failed

bench: $(READY)  ## every benchmark beside its peers (peers get environments of their own under .peers/)
	@$(BIN)/python -m benchmarks

data: $(READY)  ## fetch the inputs of the benchmarks from where they were published
	@$(BIN)/python -m benchmarks.data

clean:  ## remove what the targets made: environments, caches, reports
	@rm -rf .venv .peers demo dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last, so that an installation cut short is taken up again. Names of packages are printed as
# pip comes to them, to show that it is at work.
$(READY): pyproject.toml
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  for python in $(PYTHON); do \
	    if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	      echo "Making .venv with $$($$python --version)"; \
	      exec $$python -m venv --clear .venv; \
	    fi; \
	  done; \
	  echo "No Python 3.11 or newer that has venv ($(PYTHON)); name one: make PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi
	@echo "Installing what pyproject.toml asks for into .venv (a few minutes the first time):"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -e '.[dev]' \
	  | while read -r verb what rest; do case "$$verb $$what" in \
	      Collecting*) printf ' %s' "$${what%%[^A-Za-z0-9._-]*}";; \
	      "Installing collected") printf ' ... unpacking';; \
	    esac; done; echo
	@touch $@
