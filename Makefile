# Everything that is done with this repository. `make` lists it.

PYTHON ?= python3
ARGS ?=
DURATION ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets
	@echo "Torchrelay: make TARGET [ARGS=\"...\"]"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: $(INSTALLED) ## start everything on this machine; ARGS="--fresh" starts over, ARGS="--help" tells more
	@$(BIN)/python -m deploy.page build || echo "Going on without the page."
	@exec $(BIN)/python -m deploy.local $(ARGS)

.PHONY: emulator
emulator: $(INSTALLED) ## start just a Pub/Sub broker, on port 8085; ARGS="--broker embedded --port 8086", ARGS="--help"
	@exec $(BIN)/python -m deploy.local.emulate $(ARGS)

.PHONY: page
page: $(INSTALLED) ## build the web page, where it is not built from what is there now
	@$(BIN)/python -m deploy.page build

# Three at once: most of the time of the slow ones is spent waiting, for leases to run out and processes to start. Should
# one of the three die, the run ends: the tests that it leaves behind are never handed to another.
.PHONY: test
test: $(INSTALLED) page ## run the tests; ARGS="tests/unit -k relay" runs some
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $(ARGS)

.PHONY: fuzz
fuzz: $(INSTALLED) ## send the API what its document allows and forbids; ARGS="--max-examples 1000" is passed to schemathesis
	@$(BIN)/python -m tests.fuzz $(ARGS)

# Nothing forks to use gRPC in the copy; with its support for that, every fork would be logged.
.PHONY: bench
bench: $(INSTALLED) ## measure it, each figure beside its limit; ARGS="--quick", "--only submit,poll" or "--list"
	@GRPC_ENABLE_FORK_SUPPORT=false $(BIN)/python -m tests.benchmarks $(ARGS)

.PHONY: chaos
chaos: $(INSTALLED) ## break it at random for DURATION (90, 30m, 1h) and see that all promises are kept; ARGS="--seed 7"
	@GRPC_ENABLE_FORK_SUPPORT=false $(BIN)/python -m tests.chaos $(if $(DURATION),--duration $(DURATION)) $(ARGS)

.PHONY: check
check: $(INSTALLED) ## everything that must hold besides the tests: lint, format, types, imports, generated files
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check || { echo "Not formatted: .venv/bin/ruff format"; exit 1; }
	@$(BIN)/python -m mypy --no-error-summary
	@$(BIN)/lint-imports
	@$(BIN)/python -m api_service.openapi --check
	@$(BIN)/python -m deploy.settings_reference --check
	@$(BIN)/python -m deploy.page check

.PHONY: openapi
openapi: $(INSTALLED) ## write openapi.json from the code
	@$(BIN)/python -m api_service.openapi

.PHONY: settings
settings: $(INSTALLED) ## write the settings table in README.md, and .env.example, from the code
	@$(BIN)/python -m deploy.settings_reference

# The lock is everything (the extra `dev`), and the constraints of each image: pip install -c requirements.lock '.[api]'.
# What is cut from it: the build of torch (+cpu), which is each machine's own business, and this project itself.
.PHONY: lock
lock: $(INSTALLED) ## write requirements.lock from pyproject.toml; ARGS="--upgrade" takes the newest of all
	@$(BIN)/python -m piptools compile --quiet --extra dev --strip-extras --allow-unsafe --no-header \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --annotation-style line \
		--output-file requirements.lock $(ARGS) pyproject.toml
	@sed -i.bak -e 's/^\(torch==[0-9.]*\)+[a-z0-9]*/\1/' -e '/^torchrelay @/d' -e '/^#/d' -e '/^$$/d' \
		-e 's/torchrelay (pyproject.toml)/torchrelay/' -e 's/torchrelay, torchrelay/torchrelay/' requirements.lock && rm requirements.lock.bak

.PHONY: clean
clean: ## remove what was installed and built; the data in .torchrelay stay
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache frontend/dist frontend/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12"; exit 1; }
	@echo "Installing into $(VENV): a few minutes the first time ..."
	@$(PYTHON) -m venv $(VENV) || { echo "No venv: on Debian and Ubuntu, apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation -e .
	@touch $@
