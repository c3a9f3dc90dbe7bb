# Two commands set up a fresh machine: `make demo` and `make test`. Both install what they need into .venv.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := .venv/bin/pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm --prefix web
DEMO ?=

# Tests write thousands of small files and flush each to the disk: to memory, where there is room. They often wait, for
# processes and servers, so there is one more of them than processors; whatever they start computes with one thread.
ROOM := $(shell test "$$(df --output=avail -k /dev/shm 2>/dev/null | tail -1)" -gt 8000000 2>/dev/null && echo /dev/shm)
PYTEST := OMP_NUM_THREADS=1 $(if $(ROOM),PYTEST_DEBUG_TEMPROOT=$(ROOM)) $(BIN)/pytest -n $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)

.PHONY: help demo test frameworks check style style-python style-page format unit browser bench bench-findings bench-growth bench-live bench-rivals web clean chromium

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: .venv/demo  ## Record a real training (about a minute) and show it in the browser
	$(BIN)/deeptracker demo $(DEMO)

test: style chromium  ## Everything: format, lint, types, then all tests, those in the browser too
	$(PYTEST)

frameworks: .venv/frameworks  ## Tests of the ways in from Lightning, Hugging Face, Keras and JAX, which are large to install
	$(PYTEST) tests/record/test_lightning.py tests/record/test_transformers.py \
	    tests/record/test_keras.py tests/record/test_array_recorder.py tests/test_examples.py tests/test_docs.py

check: style  ## Format, lint, types and unit tests, of Python and of the page
	$(PYTEST) -m "not slow and not browser"

style: .venv/dev web  ## Format, lint and types, of Python and of the page, and the tests of the page's parts
	@$(MAKE) --no-print-directory -j 2 style-python style-page

style-python: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

style-page: web
	$(NPM) run check
	$(NPM) run lint
	$(NPM) run format:check
	$(NPM) test

format: .venv/dev  ## Format all code in place
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(NPM) run format

bench: .venv/bench chromium  ## Measure what the documentation claims; prints ratios
	$(BIN)/python benchmarks/recorder.py
	$(BIN)/python benchmarks/flight.py
	$(BIN)/python benchmarks/alerts.py
	$(BIN)/python benchmarks/analysis.py
	$(BIN)/python benchmarks/page.py
	$(BIN)/python benchmarks/checkpoints.py

bench-growth: .venv/bench  ## Measure answers beside other tools, the index, and runs ten times as large (about 12 minutes)
	$(BIN)/python benchmarks/questions.py
	$(BIN)/python benchmarks/index.py
	$(BIN)/python benchmarks/growth.py

bench-findings: .venv/bench  ## Count which faults are found, of those planted in small trainings (about 15 minutes, once)
	$(BIN)/python benchmarks/findings.py --runs "$${TMPDIR:-/tmp}/deeptracker-planted"

bench-live: .venv/bench  ## Measure a live run with 20 readers for 10 minutes
	$(BIN)/python benchmarks/live.py

bench-rivals: .venv/dev  ## Measure what Weights & Biases, TensorBoard and Aim cost in the same training (about 5 minutes)
	$(INSTALL) -e '.[dev,bench,rivals]'
	$(BIN)/python benchmarks/rival_trackers.py

web: .venv/dev  ## Build the page into src/deeptracker/static
	$(BIN)/python hatch_build.py

chromium: .venv/dev  ## Find a Chromium for the browser tests, or install one
	$(BIN)/python tests/browser/chromium.py

clean:  ## Remove everything that was built or installed here
	rm -rf .venv dist web/node_modules src/deeptracker/static .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './web/*' -prune -exec rm -rf {} +

# The package is installed in place, which also builds the page (hatch_build.py).
# What is installed is compiled when it is first used: most of it never is.
.venv/demo: pyproject.toml constraints.txt hatch_build.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) -e '.[demo]'
	@touch $@

.venv/dev: pyproject.toml constraints.txt hatch_build.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) -e '.[demo,dev]'
	@touch .venv/demo $@

.venv/frameworks: .venv/dev
	$(INSTALL) -e '.[dev,frameworks]'
	@touch $@

.venv/bench: .venv/dev
	$(INSTALL) -e '.[dev,bench]'
	@touch $@
