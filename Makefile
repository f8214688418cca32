# serve: run the service on http://127.0.0.1:8000/
# test: run the unit tests and most integration tests, in about three minutes
# test-all: run all tests with coverage, again under trial, and those of the real process
#   and of faults again with two workers; those of the pages in a browser
# browser: run the tests of the pages in Chromium
# screenshots: take the pictures of the pages in docs/
# check: check style and types
# hostile: send a hundred thousand invalid bodies; big: search half a gigabyte;
#   many: search a hundred thousand files
# faults: cause each fault in docs/reliability.md at full size
# bench: compare with other servers in a quarter of an hour; BENCH=quick, four minutes
# news: show the changelog of the next release

PYTHON ?= python3
BENCH ?= full
# The number of parallel test processes. Most tests wait more than they compute.
JOBS ?= 4
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist worksteal
TEST_PACKAGES := $(patsubst tests/%/__init__.py,tests.%,$(wildcard tests/*/__init__.py))
# What "make test" leaves to "make test-all".
SLOW_TESTS := faults bench browser openapi web/test_cost.py \
	$(patsubst %,integration/test_%.py,big_dictionaries hostile packaging proxies \
	systemd workers)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--config-settings editable_mode=compat

.PHONY: serve test test-all browser screenshots check news hostile big many faults bench clean

serve: .venv/.serve
	$(BIN)/twist quotes

test: .venv/.test
	$(PYTEST) $(SLOW_TESTS:%=--ignore=tests/%)
	@echo '"make test-all" runs all tests, "make check" checks style and types.'

test-all: .venv/.client tests/openapi/node_modules browser
	$(PYTEST) --ignore=tests/browser --cov
	$(BIN)/python -m twisted.trial --jobs=$(JOBS) --random=0 tests/test_*.py \
		$(filter-out tests.faults tests.browser tests.openapi,$(TEST_PACKAGES))
	QUOTES_TEST_WORKERS=2 $(PYTEST) tests/integration tests/faults

# Without pytest-twisted: its reactor does not go with the event loop of Playwright.
BROWSER_TESTS := $(BIN)/python -m pytest -p no:twisted tests/browser

browser: .venv/.test tests/browser/node_modules
	$(BROWSER_TESTS)

screenshots: .venv/.test
	SCREENSHOTS=1 $(BROWSER_TESTS)/test_screenshots.py

# If npm is missing, the tests that need axe-core or AJV are skipped.
%/node_modules: %/package.json
	-npm install --silent --no-audit --no-fund --no-package-lock --prefix $*
	-touch $@

check: .venv/.check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Each change that users notice has a fragment.
news: .venv/.check
	$(BIN)/towncrier build --draft --version next

hostile: .venv/.test
	HOSTILE_BODIES=100000 $(BIN)/python -m pytest -s --timeout=1800 \
		tests/integration/test_hostile.py

big: .venv/.test
	BIG_MEGABYTES=500 $(BIN)/python -m pytest -s --timeout=1200 \
		tests/integration/test_big_dictionaries.py

many: .venv/.test
	MANY_FILES=100000 $(BIN)/python -m pytest -s --timeout=1800 \
		tests/integration/test_many_dictionaries.py

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

# A generator of clients, which no other test needs.
.venv/.client: .venv/.test
	$(PIP_INSTALL) --editable '.[test,client]'
	touch $@

.venv/.check: .venv/.test
	$(PIP_INSTALL) --editable '.[test,check]'
	touch $@

.venv/.bench: .venv/.serve
	$(PIP_INSTALL) --editable '.[bench]'
	touch $@
