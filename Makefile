# `make run` and `make test` do everything on a machine with git, make and Python 3.11 to 3.13.
.PHONY: help setup run up test test-long coverage lint reference docs bench bench-allocation bench-forecast \
  bench-floor bench-faults bench-marts bench-finish bench-scores bench-promises bench-feeds bench-life proof lock clean
PYTHON ?= $(shell scripts/newest_python.sh)
BIN := .venv/bin
UV_VERSION := 0.13.9
# No telemetry from any tool, in anything that make starts.
export DO_NOT_TRACK := 1
export GX_ANALYTICS_ENABLED := false
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
# Compiled modules are kept, also where the machine says otherwise: hundreds of processes would compile each anew.
export PYTHONDONTWRITEBYTECODE :=

help:
	@echo "make run    set up, then one business day of a demo world, end to end"
	@echo "make up     Prefect, MLflow, broker, relay, collector, factories, in the foreground"
	@echo "make test   set up, then every test that is quick        make lint   ruff, mypy, sqlfluff"
	@echo "make test-long   the tests marked long: services left alone, kills, whole days, browsers"
	@echo "make coverage    the quick tests once more, measuring which lines they reach"
	@echo "make docs   the documentation as a site, in site/         make reference   docs/reference, from the code"
	@echo "make proof  what this way of working is worth, with intervals, on a demo world"
	@echo "make bench  every figure that README and docs quote (hours; bench-allocation is most of it and resumes)"
	@echo "make lock   resolve requirements*.lock again"

setup: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

run: setup
	$(BIN)/c2m run

up: setup
	@exec $(BIN)/c2m up

TESTS := -m "not long" --numprocesses 4 --dist loadfile --no-loadscope-reorder

test: setup
	$(BIN)/python -m pytest $(TESTS)

# Measuring takes an eighth longer than the tests alone, and before Python 3.12 half as long again.
coverage: setup
	$(BIN)/python -m coverage erase
	$(BIN)/python -m pytest $(TESTS) --cov --cov-report=term:skip-covered --cov-fail-under=85

# Three at a time on two cores: these tests start servers and wait for them.
test-long: setup
	$(BIN)/python -m pytest -m long --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 20

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 2 dbt_project/models dbt_project/tests

# docs/reference, from the code; a test compares.
reference: setup
	$(BIN)/python scripts/reference.py

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "site/index.html"

bench: .venv/bench-installed
	$(BIN)/python -m benchmarks.worlds.calibrate
	$(MAKE) bench-feeds bench-floor bench-faults bench-marts bench-finish bench-scores bench-forecast bench-allocation

bench-forecast: .venv/bench-installed
	$(BIN)/python -m benchmarks.forecast.amazon
	$(BIN)/python -m benchmarks.forecast.orange_juice
	$(BIN)/python -m benchmarks.forecast.kinds
	$(BIN)/python -m benchmarks.forecast.market
	$(BIN)/python -m benchmarks.forecast.pages
	$(BIN)/python -m benchmarks.forecast.backtest speed
	$(BIN)/python -m benchmarks.forecast.backtest choice
	$(BIN)/python -m benchmarks.forecast.new_styles
	$(BIN)/python -m benchmarks.forecast.scale

bench-floor: .venv/bench-installed
	$(BIN)/python -m benchmarks.floor.scans
	$(BIN)/python -m benchmarks.floor.scans --flat
	$(BIN)/python -m benchmarks.floor.dispatch
	$(BIN)/python -m benchmarks.floor.dispatch --postgresql

# Done cells are kept, so it goes on where it stopped; docs/reliability.md is its report.
bench-faults: setup
	$(BIN)/python -m benchmarks.faults.matrix
	$(BIN)/python -m benchmarks.faults.fuzz
	$(BIN)/python -m benchmarks.faults.limits

bench-marts: .venv/bench-installed
	$(BIN)/python -m benchmarks.marts.scans

bench-feeds: setup
	$(BIN)/python -m benchmarks.feeds.intake
	$(BIN)/python -m benchmarks.tenants.breakages

# What it is worth, on a small demo world: var/proof/proof.html. Done replays are kept, so it goes on where it stopped.
proof: setup
	test -d var/proof/world || $(BIN)/c2m demo-world var/proof/world --size corner --seed 1
	$(BIN)/c2m replay var/proof/world --from 2026-04-13 --to 2026-05-24 --seeds 4 --out var/proof --policy make_to_stock \
	  --policy make_to_stock_14 --policy common_planning_tool --policy platform
	$(BIN)/python -m benchmarks.proof.publish var/proof

# Hours; done weeks are kept, so it goes on where it stopped.
bench-life: setup
	$(BIN)/python -m benchmarks.life.year

bench-finish: .venv/bench-installed
	$(BIN)/python -m benchmarks.finish.prediction

bench-scores: .venv/bench-installed
	$(BIN)/python -m benchmarks.scores.calibrate
	$(BIN)/python -m benchmarks.scores.share

# An hour; done seeds of the second are kept, so it goes on where it stopped.
bench-promises: .venv/bench-installed
	$(BIN)/python -m benchmarks.promises.dates
	$(BIN)/python -m benchmarks.promises.of_run
	$(BIN)/python -m benchmarks.promises.quotes speed
	$(BIN)/python -m benchmarks.promises.quotes kept

# Hours; done runs are kept, so it goes on where it stopped.
bench-allocation: .venv/bench-installed
	$(BIN)/python -m benchmarks.allocation.suite
	$(BIN)/python -m benchmarks.allocation.report

.venv/bench-installed: requirements-bench.lock | setup
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements-bench.lock
	touch $@

COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock:
	$(COMPILE) --extra dev pyproject.toml -o requirements.lock
	$(COMPILE) --extra bench --constraint requirements.lock pyproject.toml -o requirements-bench.lock

clean:
	rm -rf .venv var
