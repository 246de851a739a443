# `make demo` and `make test` need python3 (3.11 or newer), make, git and a route to a Python package index; nothing else.
PY    ?= python3
VENV  := $(or $(HOMEWARD_VENV),.venv)
BIN   := $(VENV)/bin
STAMP := $(VENV)/.ready
LINKAGE := .venv-linkage

# Locks name no index: every machine resolves them through the one it is configured for.
UV      ?= uv
# Processes of `make test`: they wait for others half of their time, so that two cores are busy with four.
WORKERS ?= 4
# Of `make bench`; 50,000 take an hour each to list and to rotate.
YOUTHS  ?= 1000
LOCKING := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
           --custom-compile-command "make lock"

.PHONY: demo test test-docker check lint types protos layers bench bench-linkage proto lock clean help

help:          ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-19s %s\n", $$1, $$2}'

demo: $(STAMP)        ## three counties, one missing youth, on this machine
	@$(BIN)/homeward demo

# Hundreds of tests start commands: without compiled modules each of these compiles the rooms anew. Files are dealt in the
# order of their folders, so that the long ones of the first folders do not come last.
test: $(STAMP)        ## everything that needs no container engine and no network; in WORKERS=4 processes
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-docker: $(STAMP) ## PostgreSQL and multi-replica tests; needs a container engine
	@HOMEWARD_REQUIRE_DOCKER=1 $(BIN)/python -m pytest -q -m docker

check: lint types protos layers ## what CI asks of the source

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP)
	@$(BIN)/mypy

protos: $(STAMP)
	@$(BIN)/buf lint proto
	@BUF=$(BIN)/buf .ci/breaking
	@$(BIN)/python proto/generate.py --check

layers: $(STAMP)
	@$(BIN)/python -m pytest -q tests/unit/test_layers.py tests/unit/test_packaging.py

bench: $(STAMP)       ## measure exchange, log, queries, index, tokens, registration of YOUTHS=1000; bench-out/; 40 minutes, 4 GB of disk
	@$(BIN)/python -m tests.bench
	@$(BIN)/python -m tests.bench.log
	@$(BIN)/python -m tests.bench.query --out bench-out/query.json
	@$(BIN)/python -m tests.bench.index
	@$(BIN)/python -m tests.bench.oprf --out bench-out/oprf.json
	@$(BIN)/python -m tests.bench.registration --youths $(YOUTHS)

bench-linkage: $(LINKAGE)/.ready ## match keys beside hash, CLK and Splink on FEBRL and invented youths; ten minutes
	@PYTHONPATH=.:proto $(LINKAGE)/bin/python -m tests.bench.linkage

proto: $(STAMP)       ## regenerate the modules beside the .proto files
	@$(BIN)/python proto/generate.py

lock:                 ## resolve the newest releases the floors allow, with hashes, for every platform
	@$(UV) pip compile $(LOCKING) --all-extras --group dev pyproject.toml -o requirements.lock
	@$(UV) pip compile $(LOCKING) --extra postgres --extra otel -c requirements.lock pyproject.toml -o deploy/requirements.lock
	@$(UV) pip compile $(LOCKING) --group build -c requirements.lock -o deploy/build.lock
	@$(UV) pip compile $(LOCKING) --group linkage -o tests/bench/linkage/requirements.lock

clean:                ## remove the environment and everything the commands wrote
	rm -rf .venv .venv-linkage build dist demo-out bench-out .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(STAMP): pyproject.toml requirements.lock deploy/bootstrap.py
	@HOMEWARD_VENV="$(VENV)" $(PY) deploy/bootstrap.py

$(LINKAGE)/.ready: tests/bench/linkage/requirements.lock
	@$(PY) -m venv $(LINKAGE)
	@$(LINKAGE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@
