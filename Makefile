# serve: look for quotes on http://127.0.0.1:8000/
# test: the tests of all parts and of the real process, in under three minutes
# test-all: every test, the faults too, with coverage; those of the parts and of the
#   real process once more under trial, and the latter with two workers
# check: lint and types
# hostile: a hundred thousand hostile bodies; big: a dictionary of half a gigabyte
# faults: all that can go wrong, made on purpose; each fault in a line
# bench: measure it beside its peers, a quarter of an hour; BENCH=quick, three minutes
# news: what the next release brings

PYTHON ?= python3
BENCH ?= full
# How many tests run at one time. Most of them wait more than they work.
JOBS ?= 4
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist worksteal
TEST_PACKAGES := $(patsubst tests/%/__init__.py,tests.%,$(wildcard tests/*/__init__.py))
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--config-settings editable_mode=compat

.PHONY: serve test test-all check news hostile big faults bench clean

serve: .venv/.serve
	$(BIN)/twist quotes

test: .venv/.test
	$(PYTEST) --ignore=tests/faults --ignore=tests/bench
	@echo 'There is more: "make test-all" runs every test in every way, "make check"'
	@echo 'looks for lint and wrong types.'

test-all: .venv/.test
	$(PYTEST) --cov
	$(BIN)/python -m twisted.trial --jobs=$(JOBS) --random=0 \
		tests/test_*.py $(filter-out tests.faults,$(TEST_PACKAGES))
	QUOTES_TEST_WORKERS=2 $(PYTEST) tests/integration tests/faults

check: .venv/.check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every change that users notice has a fragment; the next release needs one.
news: .venv/.check
	$(BIN)/towncrier build --draft --version next

hostile: .venv/.test
	HOSTILE_BODIES=100000 $(BIN)/python -m pytest -s --timeout=1800 \
		tests/integration/test_hostile.py

big: .venv/.test
	BIG_MEGABYTES=500 $(BIN)/python -m pytest -s --timeout=1200 \
		tests/integration/test_big_dictionaries.py

faults: .venv/.test
	FAULTS_IN_FULL=1 $(BIN)/python -m pytest -s --timeout=1800 tests/faults

bench: .venv/.bench
	$(BIN)/python -m bench $(BENCH)

clean:
	rm -rf .venv .coverage _trial_temp* build *.egg-info

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.serve: .venv/bin/python setup.py pyproject.toml
	$(PIP_INSTALL) --editable .
	touch $@

.venv/.test: .venv/.serve
	$(PIP_INSTALL) --editable '.[test]'
	touch $@

.venv/.check: .venv/.test
	$(PIP_INSTALL) --editable '.[test,check]'
	touch $@

.venv/.bench: .venv/.serve
	$(PIP_INSTALL) --editable '.[bench]'
	touch $@
