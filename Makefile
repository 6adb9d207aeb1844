# `make up` starts everything. Flags travel as variables: make up PORT=8010 GATEWAY_PORT=8110 DATA_DIR=.data2
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
UP_FLAGS = $(if $(ONLY),--only $(ONLY)) $(if $(GATEWAYS),--gateways $(GATEWAYS))
# A file stays in one process, so that what it started serves all its tests; tests/conftest.py puts the longest
# first. Four for two cores: there are always some that wait for another process, or for a bound to be over.
PYTEST_FLAGS ?= -n 4 --dist loadfile --no-loadscope-reorder
# make test AGAIN=2 is for a machine that nobody watches: what fails is asked twice more, and named at the end.
ASKED_AGAIN = $(if $(AGAIN),--reruns $(AGAIN) -raR --rerun-show-tracebacks)
# Every one of them, and hundreds of processes they start, would compile what they import anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup up demo format check test test-full soak conformance bench

help:
	@echo "make setup      .venv with the locked dependencies"
	@echo "make up         the whole product on this machine, until Ctrl-C"
	@echo "make demo       the same, with a toy server, a policy, a grant and three calls shown"
	@echo "make test       everything that must be true before a change lands"
	@echo "make test-full  the same and the slow tests"
	@echo "make soak       the same promises by the thousand, for hours; make soak SOAK='records --share 0.1'"
	@echo "make conformance  the official MCP suite, directly and through gateways: no check may differ"
	@echo "make bench      the speeds that are promised, in a table, and what else is measured, beside baselines of the same run"
	@echo "make format     lays the code out"

setup:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed and was not found." >&2; exit 1; }
	@$(PYTHON) -I config/supervisor/setup.py

.venv/.ready: uv.lock pyproject.toml config/supervisor/setup.py
	@$(MAKE) --no-print-directory setup

up: .venv/.ready
	@exec $(BIN)/python manage.py up $(UP_FLAGS)

demo: .venv/.ready
	@exec $(BIN)/python manage.py demo $(UP_FLAGS)

format: .venv/.ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: .venv/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	DJANGO_SETTINGS_MODULE=config.settings.test $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check

test: check
	$(BIN)/python -m pytest -q -m "not slow" $(PYTEST_FLAGS) $(ASKED_AGAIN)
	@$(BIN)/python -m tests.left_out

test-full: check
	EXAMPLES=3 LANGUAGE_SEED=0 $(BIN)/python -m pytest -q $(PYTEST_FLAGS)
	@$(BIN)/python -m tests.left_out

# Parts and flags travel in SOAK; see tests/cluster/soak.py.
soak: .venv/.ready
	$(BIN)/python -m tests.cluster.soak $(SOAK)

# Fetches the suite and the Node it runs on from npm once.
conformance: .venv/.ready
	$(BIN)/python -m tests.conformance

# Needs nginx and wrk for what a call costs.
bench: .venv/.ready
	$(BIN)/python -m tests.load
