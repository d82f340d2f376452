# Orbitbench. `make demo` and `make test` do their own set-up; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Several times as fast as pip. It knows nothing of pip's settings, such as an index of one's own: where it fails, pip is asked.
UV := UV_SYSTEM_CERTS=1 VIRTUAL_ENV=$(VENV) $(BIN)/uv --quiet --no-progress
BIOME := node_modules/.bin/biome
# Its CPU and CUDA builds differ in hash and bring different packages, so it is pinned by version only.
TORCH := $(shell sed -n 's/.*"\(torch==[^"]*\)".*/\1/p' pyproject.toml)
# Of 13,000 files a tenth is ever imported. Importing these compiles it: once, before processes side by side would.
USED := docker, hypothesis, onnx.reference, onnxruntime, pytest, ray, rich.table, scipy.optimize, scipy.stats, torch.onnx, typer.testing

# Some containers set it; every process would compile the whole checkout again.
export PYTHONDONTWRITEBYTECODE :=

help:            ## this list
	@grep -E '^[a-z0-9-]+:.*##' Makefile | sed -E 's/:.*##/\t/'

setup: $(STAMP)  ## a virtual environment with everything, in .venv: the locked packages, and torch by version
$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	awk '/^[^ #]/ { wanted = /^uv==/ } wanted' requirements.lock >$(VENV)/uv.lock
	$(BIN)/python -m pip install --quiet --require-hashes --requirement $(VENV)/uv.lock
	$(UV) pip install --require-hashes --requirement requirements.lock \
	  || $(BIN)/python -m pip install --quiet --no-compile --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-compile '$(TORCH)'
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q bench orchestrate tests/fakes
	-$(BIN)/python -c 'import $(USED)'
	touch $@

lock: setup      ## renew requirements.lock, which `make setup` installs, from pyproject.toml (network)
	$(UV) pip compile pyproject.toml --extra train --extra dev --universal --fork-strategy fewest \
	  --generate-hashes --upgrade --no-emit-package torch --custom-compile-command 'make lock' \
	  --output-file requirements.lock

demo: setup      ## the published comparison on this machine, ending with a report
	$(BIN)/orchestrate run --device local --experiment demo --resume-last

test: setup      ## every test that this machine can run, side by side (WORKERS=n); a missing service is a skip
	$(BIN)/python -m pytest --numprocesses $(or $(WORKERS),auto) $(PYTEST_ARGS)

test-slow: setup ## what repeats a test of `make test` with more cases: weekly, half an hour
	$(BIN)/python -m pytest tests/unit tests/integration tests/contract -m slow --numprocesses $(or $(WORKERS),auto) \
	  -o timeout=3600 -o faulthandler_timeout=3700 $(PYTEST_ARGS)

fuzz: setup      ## spoilt input for all that strangers send, 10 minutes (MINUTES=n): build/fuzz.json
	$(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),10)

$(BIOME): package-lock.json
	npm ci --silent --no-audit --no-fund
	touch $@

lint: setup $(BIOME) ## formatting, types, import arrows, Python 3.6 syntax of what runs on boards, the page's scripts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vermin -t=3.6- --violations --no-tips --eval-annotations --feature union-types --lint bench/__init__.py bench/record bench/runtime
	$(BIN)/hadolint images/*/Dockerfile
	mkdir -p build && $(BIN)/python -c 'from orchestrate.report import page; print(page.script())' >build/page.js
	$(BIOME) ci orchestrate/report/assets build/page.js

bench: setup     ## speed and memory against peers, in one run: a table and build/bench.json (ONLY=pattern runs a part)
	$(BIN)/python -m tests.performance $(if $(ONLY),--only '$(ONLY)')

images: setup    ## build every board's image that can be built here
	$(BIN)/orchestrate images build

locks: setup     ## after an edit of manifests/images.yaml: the images' locks and docker-bake.hcl (network)
	$(BIN)/python -m orchestrate.images.locks

test-arm64: setup ## the slow service tests: arm64 images and a whole emulated arm64 board, end to end
	$(BIN)/python -m pytest tests/service -m slow -o timeout=9000 -o faulthandler_timeout=9100 $(PYTEST_ARGS)

fleet-up: setup  ## pretend boards on this machine (root): try the whole tool without hardware
	$(BIN)/python -m tests.service.fleet up

fleet-down: setup ## stop them, and clear away what they left
	$(BIN)/python -m tests.service.fleet down

clean:           ## remove .venv, build and results, measured runs included
	rm -rf $(VENV) build results

.PHONY: help setup lock demo test test-slow fuzz lint bench images locks test-arm64 fleet-up fleet-down clean
