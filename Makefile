.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
PORT ?= 8000
DATA ?= .gatepost/bookshop
SOAK_SECONDS ?= 30
SEED ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCK := requirements/dev.txt
NODE_LOCK := requirements/node.txt
CADDY_LOCK := requirements/caddy.txt
MANIFESTS_LOCK := requirements/manifests.txt
S3_LOCK := requirements/s3-server.txt
PATRONI_LOCK := requirements/patroni.txt

# Tests wait more than they compute: twice as many processes as cores, each with whole files and servers of its own.
# xdist would begin with the files of the most tests, which are the cheapest; tests/conftest.py puts the expensive first.
PARALLEL ?= --numprocesses $$(( $$(nproc 2>/dev/null || echo 2) * 2 )) --dist loadfile --no-loadscope-reorder
# What holds on the embedded PostgreSQL holds on Debian's.
ON_DEBIAN := tests/integration/contract tests/integration/policies
# The files of tests that are marked so: to collect all others again, for nothing, costs 11 CPU seconds.
alone_in = -m alone $$(grep -rl --include='test_*.py' 'mark\.alone' $(1))
ORDER := $(if $(SEED),--randomly-seed=$(SEED))

# Behind a company's proxy the machine's own certificates count; uv and Node would use those that they bring.
CERTIFICATES := /etc/ssl/certs/ca-certificates.crt
ifneq ($(wildcard $(CERTIFICATES)),)
export UV_SYSTEM_CERTS ?= true
export NODE_EXTRA_CA_CERTS ?= $(CERTIFICATES)
endif
# Where there is no home folder to write to, pip, uv and npm keep their downloads nowhere or here.
ifeq ($(shell test -w "$$HOME" && echo yes),)
export PIP_NO_CACHE_DIR ?= true
export UV_NO_CACHE ?= true
export npm_config_cache ?= $(CURDIR)/$(VENV)/npm
endif
# Tests start hundreds of processes: each would compile every module again where Python may write no bytecode.
test test-all soak coverage: export PYTHONDONTWRITEBYTECODE :=
# pyright would ask the registry at every run whether there is a newer one.
export PYRIGHT_PYTHON_IGNORE_WARNINGS ?= 1

.PHONY: help run test test-all soak coverage check format bench docs lock clean node

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

$(READY): pyproject.toml $(LOCK)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Gatepost needs Python 3.11 or newer; set PYTHON=/path/to/python3.11." >&2; exit 1; }
	@echo "Installing the packages of $(LOCK) into $(VENV): a minute or two the first time."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -r $(LOCK)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $(READY)

run: $(READY) ## Serve examples/bookshop on an embedded PostgreSQL (PORT=8000 DATA=folder)
	@exec $(BIN)/python -m examples.bookshop.run --port "$(PORT)" --data "$(DATA)"

test: $(READY) ## Run the tests that need nothing but Python, in random order (SEED=number repeats one)
	@$(BIN)/python -m compileall -q src
	@$(BIN)/python -m pytest $(ORDER) $(PARALLEL) -m "not alone" tests
	@$(BIN)/python -m pytest $(ORDER) $(call alone_in,tests)

# Node.js, which pyright, a generator of clients and three peers of the benchmarks are written for: the machine's, or a wheel
# where it has none or one older than 22.18, as Debian 12 has.
NODE_IS_NEW := const [a, b] = process.versions.node.split("."); process.exit(+(a < 22 || (a == 22 && b < 18)))
node: $(READY)
	@{ node -e '$(NODE_IS_NEW)' && npm --version; } >/dev/null 2>&1 || \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python -r $(NODE_LOCK)

test-all: $(READY) node ## Run the tests that make test leaves out; installs the programs of Debian that they need
	@tests/install-programs
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r $(CADDY_LOCK) -r $(MANIFESTS_LOCK) -r $(S3_LOCK) -r $(PATRONI_LOCK)
	@$(BIN)/python -m compileall -q src
	@$(BIN)/python -m pytest $(ORDER) $(PARALLEL) --debian -m "not alone" tests_all $(ON_DEBIAN)
	@$(BIN)/python -m pytest $(ORDER) $(call alone_in,tests_all)

soak: $(READY) ## Run what takes long, SOAK_SECONDS=30 each: faults and limits under load, every case, random examples
	@GATEPOST_SOAK_SECONDS=$(SOAK_SECONDS) $(BIN)/python -m pytest tests_soak -s
	@$(BIN)/python -m pytest $(ORDER) $(PARALLEL) --every-case -m sampled tests
	@$(BIN)/python -m pytest --hypothesis-profile soak -m hypothesis tests

coverage: $(READY) ## Run make test and show which branches of src no test takes; fails below the minimum
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest $(ORDER) $(PARALLEL) -m "not alone" tests
	@$(BIN)/coverage run -m pytest $(ORDER) $(call alone_in,tests)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

check: $(READY) node ## Format, lint, types and import directions
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pyright
	@$(BIN)/lint-imports

format: $(READY) ## Format the code and apply the linter's safe fixes
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY) node ## Measure Gatepost beside its peers, and what records cost; write benchmarks/results.json
	@$(BIN)/python -m benchmarks.run
	@$(BIN)/python -m benchmarks.records

lock: COMPILE := $(BIN)/uv pip compile --quiet --universal --no-emit-index-url --no-emit-find-links --no-header
lock: $(READY) ## Renew requirements/*.txt from pyproject.toml
	@$(COMPILE) --group dev --extra embedded --extra s3 --extra valkey pyproject.toml -o $(LOCK)
	@$(COMPILE) --group node -o $(NODE_LOCK)
	@$(COMPILE) --group caddy -o $(CADDY_LOCK)
	@$(COMPILE) --group manifests -c $(LOCK) -o $(MANIFESTS_LOCK)
	@$(COMPILE) --group s3-server -o $(S3_LOCK)
	@$(COMPILE) --group patroni -c $(LOCK) -o $(PATRONI_LOCK)

clean: ## Remove the virtual environment and the data of make run
	@rm -rf $(VENV) .gatepost
