# serve: look for quotes on http://127.0.0.1:8000/
# test: all tests, under pytest and under trial, those of the real process once more
#   with two workers and answers kept; check: lint and types
# hostile: a hundred thousand hostile bodies; big: a dictionary of half a gigabyte
# faults: all that can go wrong, made on purpose; each fault in a line
# bench: measure it beside its peers, a quarter of an hour; BENCH=quick, three minutes
# news: what the next release brings

PYTHON ?= python3
BENCH ?= full
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--config-settings editable_mode=compat

.PHONY: serve test check news hostile big faults bench clean

serve: .venv/.serve
	$(BIN)/twist quotes

test: .venv/.test
	rm -f .coverage
	$(BIN)/python -m coverage run -m pytest
	$(BIN)/python -m coverage run --append -m twisted.trial --random=0 \
		tests/test_*.py tests.web tests.workers tests.integration tests.bench
	$(BIN)/python -m coverage report
	QUOTES_TEST_WORKERS=2 $(BIN)/python -m pytest tests/integration tests/faults

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
		tests/integration/test_big.py

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
