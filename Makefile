# Each target does all the set-up it needs; the set-up is done again only when the lock changes.
.DEFAULT_GOAL := help
.PHONY: help setup run up serve test signals fuzz fuzz-parsers soak trials lint format metrics lock notice sbom weight bench clean new-source new-strategy

VENV := .venv
BIN := $(VENV)/bin
# The first of these that is a Python 3.11 to 3.13; name another with `make PYTHON=/path/to/python3.12`. One built without
# optimizations, as pyenv builds them, is slower at everything: it is taken only where there is no other.
PYTHON ?= $(shell fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'; \
	optimized='import ensurepip, sys, sysconfig as s; \
	sys.exit(sys.base_prefix != "/usr" and "--enable-optimizations" not in (s.get_config_var("CONFIG_ARGS") or ""))'; \
	for name in python3.12 python3.11 python3.13 python3 /usr/bin/python3.12 /usr/bin/python3.11 /usr/bin/python3.13; do \
	if $$name -c "$$fits" 2>/dev/null; then \
	if $$name -c "$$optimized" 2>/dev/null; then echo $$name; exit; fi; any=$${any:-$$name}; fi; done; echo $$any)

# Processes that run tests, each of about a gigabyte: one more than there are cores, and at most eight.
WORKERS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((cores < 7 ? cores + 1 : 8)))

# What libraries bring and nothing here imports: Python would compile it when it were.
NOT_COMPILED := /(tests?|fontTools|git|mypy|sqlglot|wcwidth|ccxt|ray/(_private/thirdparty|air|autoscaler|data|llm|rllib|serve|train|tune)|setuptools|mypyc|graph_objs/[a-z]\w*|twisted/(conch|mail|names|trial|words)|sqlalchemy/(orm|testing))/

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.installed: requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then echo "strades needs Python 3.11, 3.12 or 3.13; none was found. Install one, or: make PYTHON=/path/to/python3.12" >&2; exit 2; fi
	@echo "Setting up $(VENV) with $$($(PYTHON) --version): about two minutes, once."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 2; }
	@awk '/^uv==/ {on=1} on {print} on && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(VENV)/uv.lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m dependencies remove-unused
	@$(BIN)/python -m compileall -qq -j 0 -x '$(NOT_COMPILED)' $(VENV)/lib strades_pipelines scrapers sandbox || true
	@touch $@

setup: $(VENV)/.installed ## the virtual environment with the locked dependencies
	@:

run: setup ## the main job over its window, with a report at the end
	@$(BIN)/strades run $(ARGS)

up: setup ## serve everything: the dashboard on 8000, Dagster on 3000, dbt docs on 8081; Ctrl-C stops it
	@$(BIN)/strades up

serve: setup ## the same behind NGINX with TLS, on https://localhost:8443 (Debian's package nginx); Ctrl-C stops it
	@$(BIN)/strades up --nginx

# One worker more than there are cores: the longest tests mostly wait for a served installation. Files stay together, since
# they share one; the long ones come first, as tests/conftest.py orders them.
test: setup ## every test
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -q $(ARGS)

signals: setup ## fifty signals at random moments of a run (make test sends eight)
	@STRADES_SIGNALS=$${STRADES_SIGNALS:-50} $(BIN)/python -m pytest -n 0 -q tests/end_to_end/test_stopping.py

chaos: setup ## ten thousand seeded runs of trading at a venue where everything goes wrong (make test makes 200)
	@STRADES_CHAOS=$${STRADES_CHAOS:-5000} $(BIN)/python -m pytest -n 0 -q -s tests/brokerage/test_chaos.py

fuzz: setup ## twenty thousand random strategies per event and compiled, from where the log ends (make test runs 500)
	@$(BIN)/python -m tests.compiler.fuzz --runs $${STRADES_FUZZ:-20000} --log $${STRADES_FUZZ_LOG:-fuzz.tsv}

fuzz-parsers: setup ## two thousand mutated bodies of every parser and stream, from where the log ends (make test tries twelve)
	@$(BIN)/python -m tests.ingestion.fuzz --runs $${STRADES_FUZZ:-2000} --log $${STRADES_FUZZ_LOG:-fuzz-parsers.tsv}

soak: setup ## a day of recording a stream: its memory, files, connections, and what was lost or doubled (make test: 16 s)
	@STRADES_SOAK=$${STRADES_SOAK:-86400} $(BIN)/python -m pytest -n 0 -q -s --timeout 0 tests/ingestion/streams/test_soak.py

trials: setup ## kill, stop and pause each part of a served installation, for some twenty minutes
	@$(BIN)/python -m tests.end_to_end.trials $(ARGS)

lint: setup ## style, types, layers, SQL, licences
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy
	@$(BIN)/python -m dependencies check
	@$(BIN)/sqlfluff lint --processes 1 dbt_project/models dbt_project/tests strades_pipelines/database/migrations

format: setup ## put every file into the one format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

metrics: setup ## sizes of files and functions, return types, docstrings and comments
	@$(BIN)/python -m tests.code_metrics

new-source: setup ## the first files of a source: make new-source NAME=my_source
	@$(BIN)/python -m scaffold source "$(NAME)"

new-strategy: setup ## the first files of a strategy: make new-strategy NAME=my_strategy
	@$(BIN)/python -m scaffold strategy "$(NAME)"

bench: setup ## the figures of benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks

lock: setup ## resolve requirements.lock again
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --no-annotate --no-header --generate-hashes --extra dev pyproject.toml -o requirements.lock

notice: setup ## write NOTICE.md's table from the installed packages
	@$(BIN)/python -m dependencies notice

sbom: setup ## the software bill of materials of what runs, as CycloneDX
	@$(BIN)/python -m dependencies sbom

weight: setup ## the largest packages of the environment, in MB
	@$(BIN)/python -m dependencies sizes

clean: ## stop the database and remove what was made (the data too)
	@if [ -x $(BIN)/strades ]; then $(BIN)/strades db stop; fi
	@rm -rf .strades $(VENV) dbt_project/target
