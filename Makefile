# On a machine with Python 3.11 or newer, git and make, each target sets up what it needs in .venv.
# PYTHON=… chooses the Python, TESTS=… the tests.
.PHONY: demo test test-unit test-integration nightly check lint types coverage lock clean
.SILENT:
# Packages are installed uncompiled (tools/setup): without their caches every process would compile them anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON_HERE := .venv/bin/python
# Each process goes through its part in order, so that what a module sets up serves all its tests.
PYTEST := -m pytest --quiet -rfEs --numprocesses auto --dist worksteal
# What takes the pure parts through every branch.
MEASURED_TESTS := $(addprefix tests/,core protocol ladder log hooks trust preparation merging host result delegate)

demo:
	tools/setup demo
	$(PYTHON_HERE) tools/demo.py

# The whole suite, but for what only BIGTASK_FULL=1 turns on. With MEASURE=1 it also leaves what `coverage`
# reports, so that `make check MEASURED=1` needn't run it again: tests that add nothing to that run unmeasured,
# which takes them half the time.
test:
	tools/setup dev
ifdef MEASURE
	$(PYTHON_HERE) -m coverage erase
	status=0; \
	$(PYTHON_HERE) -m coverage run $(PYTEST) $(MEASURED_TESTS) || status=$$?; \
	$(PYTHON_HERE) $(PYTEST) tests $(MEASURED_TESTS:%=--ignore=%) || status=$$?; \
	exit $$status
else
	$(PYTHON_HERE) $(PYTEST) $(TESTS)
endif

test-unit:
	tools/setup dev
	$(PYTHON_HERE) $(PYTEST) -m "not integration" $(TESTS)

test-integration:
	tools/setup dev
	$(PYTHON_HERE) $(PYTEST) -m integration $(TESTS)

# Every number of every promise, which takes hours; the totals go to promises.json and into docs/promises.md.
nightly:
	tools/setup dev
	rm -f promises.json
	status=0; \
	BIGTASK_FULL=1 BIGTASK_TOTALS=$(CURDIR)/promises.json \
	    $(PYTHON_HERE) $(PYTEST) $(or $(TESTS),tests/promises tests/crash tests/simulation tests/core/test_machine.py tests/protocol tests/process tests/hostile tests/secrecy tests/safety tests/merging tests/server) || status=$$?; \
	$(PYTHON_HERE) tools/promises.py promises.json docs/promises.md && exit $$status

check: lint types coverage

lint:
	tools/setup dev
	.venv/bin/ruff check --quiet
	.venv/bin/ruff format --quiet --diff

types:
	tools/setup agents
	$(PYTHON_HERE) -m mypy --no-error-summary

# The pure parts are held at every branch.
coverage:
ifndef MEASURED
	$(MAKE) --no-print-directory test MEASURE=1
endif
	$(PYTHON_HERE) -m coverage combine --quiet
	$(PYTHON_HERE) -m coverage report --include='src/bigtask/core/*,src/bigtask/protocol/*' --fail-under=100

# Newer versions into requirements/*.txt; needs the network.
lock:
	tools/lock

clean:
	rm -rf .venv demo-project build dist .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis
