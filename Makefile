# GIF Analyzer: every verb of the project. `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One stamp for each set of packages: serving alone is small, training brings TensorFlow.
.venv/serve: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install -q uv -c constraints.txt
	@$(BIN)/uv pip install -q -p $(BIN)/python -c constraints.txt -e .
	@touch $@

.venv/dev: .venv/serve
	@$(BIN)/uv pip install -q -p $(BIN)/python -c constraints.txt -e ".[train,dev]"
	@touch $@

setup: .venv/dev ## install everything that developing takes, into .venv

demo: .venv/serve ## name the shows of the example GIFs
	@$(BIN)/gif-analyzer identify examples/*.gif

test: .venv/dev ## run the tests
	@$(BIN)/python -m pytest

check: .venv/dev ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: .venv/dev ## let ruff put the code in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## remove what the verbs above made
	rm -rf .venv build dist runs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
