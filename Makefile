# The two commands: make report, make test. Each makes the environment by itself the first time.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help report test test-full fuzz notebooks sample lock lint benchmarks clean-all environment

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

environment:
	@$(PYTHON) tools/environment.py

report: environment  ## the mid-term of 2023 and the end-term of 2025 of the shipped district, as HTML
	@$(BIN)/planlib report midterm
	@$(BIN)/planlib report endterm

test: environment  ## every test that fits in ten minutes
	@$(BIN)/python tools/test.py

test-full: environment  ## the long tests too: every kill moment, fuzzing
	@$(BIN)/python tools/test.py --full

fuzz: environment  ## read damaged files for an hour
	@$(BIN)/python tests/fuzzing.py --minutes 60

lint: environment  ## ruff and mypy only
	@$(BIN)/python tools/test.py --only lint

notebooks: environment  ## run the notebooks again and store their outputs
	@$(BIN)/python tools/notebooks.py

sample: environment  ## write the simulated district of the shipped case again
	@$(BIN)/python tools/sample.py

lock: environment  ## resolve requirements.lock anew
	@$(BIN)/python -m uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-header \
		--no-annotate --python-version 3.11 --upgrade --quiet -o requirements.lock

benchmarks: environment  ## measure and write docs/benchmarks.md
	@for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script || exit 1; done
