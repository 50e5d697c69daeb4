# Everything runs in .venv, made by the first target that needs it. What a target needs beyond that it
# installs by name, or says by name what it skips.

# The first Python of 3.10 - 3.13 that runs.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$python && break; done)
BIN := .venv/bin
LATEST := .venv-latest/bin
# It installs in seconds what takes pip minutes: the machine's own, or one from PyPI in .venv.
UV := $(shell command -v uv || echo $(BIN)/uv)

STARTED := $(shell date +%s)
TOOK = @echo "make $@ took $$(($$(date +%s) - $(STARTED))) s."

# Of `make dev`: where Dagster keeps its records, and the port of its UI.
DAGSTER_HOME ?= $(CURDIR)/.dagster
PORT ?= 3000

# Tests have servers, files and ports of their own: a process of tests for each core, and one more,
# for some of them wait most of their time. Those that share what takes long to start are a group.
PARALLEL := --numprocesses $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --dist loadgroup \
	--no-loadscope-reorder

# Of `make bench`: the sizes, latencies (ms) and rounds of the comparison, and where its report goes;
# the deployments whose events meet a rate limit, and are loaded tenfold, and the events of the table
# whose metadata is timed: each command has a default.
SIZES ?= S M
LATENCIES ?= 0 20 50
ROUNDS ?= 3
REPORT ?= docs/benchmarks.md
DEPLOYMENTS ?=
ROWS ?=

# Of `make bench-cluster`: options of each of its commands, whose defaults are what the pages tell.
COSTS ?=
EXECUTORS ?=
SPREAD ?=
SHARED ?=

export DAGSTER_DISABLE_TELEMETRY := yes

# Some containers set it: each command would compile 3,600 modules anew, for nine seconds instead
# of three.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-latest check lint format dev bench bench-cluster constraints screenshots chromium postgres redis clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# What a run needs, with pictures: a demo, or a UI of one's own.
.venv/runs: pyproject.toml constraints.txt .venv/bin/python
	@echo "Installing into .venv what a run needs."
	@$(call install,.[pictures])
	@touch $@

# What the tests, the checks of style and types, and the benchmarks need, too.
.venv/installed: pyproject.toml constraints.txt .venv/bin/python
	@echo "Installing into .venv what the tests need, Celery and Kubernetes among it."
	@$(call install,.[dev])
	@touch .venv/runs $@

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.10 - 3.13 is needed, and none was found: install one, or name it with PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv .venv
	@test -x $(UV) || $(BIN)/pip install -qq uv || echo "uv cannot be had here: pip takes some minutes."

# By pip where uv cannot be had, or cannot reach the packages, as it reads none of pip's settings.
install = { test -x $(UV) && $(UV) pip install --quiet --python $(BIN)/python \
	--constraint constraints.txt --editable '$(1)'; } \
	|| $(BIN)/pip install -qq --constraint constraints.txt --editable '$(1)'

demo: .venv/runs ## load the demo API into DuckDB and show what was loaded
	@$(BIN)/python -m analytics_assets.demo
	$(TOOK)

test: .venv/installed node_modules/emulate chromium postgres redis ## run the tests, but for the long ones, and name those
	$(BIN)/python -m pytest $(PARALLEL) -m "not long"
	$(TOOK)

test-all: .venv/installed node_modules/emulate chromium postgres redis ## run all tests
	$(BIN)/python -m pytest $(PARALLEL)
	$(TOOK)

# What another release of dagster, dlt or a database's driver can break: the main job, on each
# executor and warehouse, and the pages that people see. Details are held to the pinned ones, and so
# is what takes long, but for the first row: CI has no time for the rest twice.
MEET_FOR_LONG := cluster/test_executor.py ui/test_ui.py warehouse/test_destinations.py
MEET_THE_STACK := assets/test_reports.py automation/test_automation.py checks/test_checks.py \
	cluster/test_celery.py cluster/test_run_launcher.py commands/test_cli.py

# The stack's newest releases, without the superseded dagster-embedded-elt, which pins older ones.
test-latest: .venv-latest/installed chromium postgres redis ## run the tests that meet the stack on its newest releases
	$(LATEST)/python -m pytest $(PARALLEL) -m "not long" $(MEET_THE_STACK:%=analytics_assets_tests/%)
	$(LATEST)/python -m pytest $(PARALLEL) $(MEET_FOR_LONG:%=analytics_assets_tests/%)
	$(TOOK)

.venv-latest/installed: pyproject.toml .venv/bin/python
	$(PYTHON) -m venv .venv-latest
	$(UV) pip install --quiet --python $(LATEST)/python --no-deps --editable .
	$(LATEST)/python -c "from importlib.metadata import requires; print(*(line.split(';')[0] for line in requires('analytics-assets') if 'embedded-elt' not in line), sep='\n')" > .venv-latest/requirements.txt
	$(UV) pip install --quiet --python $(LATEST)/python --upgrade --requirement .venv-latest/requirements.txt
	@touch $@

lint: .venv/installed ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(TOOK)

# The tests that were changed, and those that import what was; where all of them are long, none is run.
check: lint ## check style and types, and run the short tests of what was changed since main
	@$(BIN)/python -m harness.touched > .venv/touched
	@test ! -s .venv/touched || $(BIN)/python -m pytest $(PARALLEL) -m "not long" $$(cat .venv/touched) \
		|| test $$? -eq 5
	$(TOOK)

format: .venv/installed ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

dev: .venv/runs ## open the Dagster UI on http://127.0.0.1:3000
	@mkdir -p $(DAGSTER_HOME) && cp -n dagster.yaml $(DAGSTER_HOME)
	DAGSTER_HOME=$(DAGSTER_HOME) $(BIN)/dagster dev --host 127.0.0.1 --port $(PORT)

screenshots: .venv/installed chromium ## take the pictures of the README
	$(BIN)/python -m docs.screenshots
	$(TOOK)

bench: .venv/installed .venv-airbyte/installed ## measure, as ratios (hours; SIZES=S ROUNDS=1: minutes)
	$(BIN)/python -m benchmarks.definitions
	$(BIN)/python -m benchmarks.compare --sizes $(SIZES) --latencies $(LATENCIES) --runs $(ROUNDS) --output $(REPORT)
	$(BIN)/python -m benchmarks.increments --size $(lastword $(SIZES))
	$(BIN)/python -m benchmarks.rate_limit $(DEPLOYMENTS)
	$(BIN)/python -m benchmarks.long_list
	$(BIN)/python -m benchmarks.memory $(DEPLOYMENTS)
	$(BIN)/python -m benchmarks.checks
	$(BIN)/python -m benchmarks.metadata $(ROWS)

bench-cluster: .venv/installed postgres redis ## measure what a cluster brings, and what ends first (an hour)
	@mkdir -p build
	$(BIN)/python -m benchmarks.postgres_costs $(COSTS) > build/costs.json
	$(BIN)/python -m benchmarks.simulation < build/costs.json
	$(BIN)/python -m benchmarks.executors $(EXECUTORS)
	$(BIN)/python -m benchmarks.workers $(SPREAD)
	$(BIN)/python -m benchmarks.shared_limit $(SHARED)

# What people would use instead, in an environment of its own: it needs other versions.
.venv-airbyte/installed: .venv/bin/python
	$(PYTHON) -m venv .venv-airbyte
	@$(UV) pip install --quiet --python .venv-airbyte/bin/python airbyte==0.71.3 \
		|| echo "airbyte cannot be installed here: it will be missing from the comparison"
	@touch $@

constraints: .venv/installed ## resolve constraints.txt anew
	$(UV) pip compile pyproject.toml --extra dev --universal --python-version 3.10 --upgrade \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file constraints.txt

# A server for the tests that nobody here wrote. `latest` of this name is an unrelated package.
node_modules/emulate:
	@if command -v npm >/dev/null; then \
		echo "Installing the npm package emulate into node_modules, for the tests against it." \
		&& npm install --no-save --no-package-lock --no-audit --no-fund --silent emulate@0.11.2; \
	else echo "SKIPPED, for npm is missing: the tests against emulate. Install Node.js."; mkdir -p $@; fi

# The browser that the tests of the UI drive, the machine's own.
chromium:
	@$(call debian,chromium,command -v chromium || command -v chromium-browser,the tests of the UI)

# A server that the tests start for themselves; none of the machine's own is touched.
postgres:
	@$(call debian,postgresql,command -v initdb || ls /usr/lib/postgresql/*/bin/initdb,the tests on PostgreSQL)

# The broker between Dagster's runs and Celery's workers; the tests start their own.
redis:
	@$(call debian,redis-server,command -v redis-server,the tests of the cluster)

# A Debian package, unless a command finds what it holds; and what is skipped without it.
debian = { $(2); } >/dev/null 2>&1 || { test "$$(id -u)" = 0 && test -f /etc/debian_version \
	&& echo "Installing the Debian package $(1), for $(3)." \
	&& apt-get update -qq && apt-get install -qq -y $(1) >/dev/null; } \
	|| echo "SKIPPED, for $(1) is missing: $(3). Install it: sudo apt-get install $(1)"

clean: ## delete what was installed
	rm -rf .venv .venv-latest .venv-airbyte node_modules build *.egg-info
