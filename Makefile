# make demo    set up, compile, run the whole pipeline on a small simulated world
# make test    set up for tests and run them
# make check   format, lint, types, layers
# make bench   the benchmarks that need no HOME of yours; some take minutes, one installs other engines (gigabytes)
#
# Needs python3 (3.11 or newer) and make. Another interpreter: make PYTHON=python3.12 demo

PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install --constraint constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check format nightly bench clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12" >&2; exit 1; }
	@echo "setting up .venv (once) ..."
	@$(PYTHON) -m venv .venv
	@$(PIP) --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed
	@echo "setting up .venv for the tests (once) ..."
	@$(PIP) --editable '.[dev]'
	@touch $@

demo: .venv/.installed
	@$(BIN)/confidence warm
	@$(BIN)/confidence demo

# Stages are compiled without a Python wrapper, so their own tests run them as plain Python, which is also
# what makes their line coverage visible. Everything else runs compiled.
# Two workers share the tests; the machine code is made once, before them.
test: .venv/.installed-dev
	$(BIN)/confidence warm
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest tests/kernel tests/venues -m "not nightly" -n $(WORKERS) --dist worksteal \
		--cov=confidence_engine.kernel --cov=confidence_engine.venues --cov-report=term --cov-fail-under=95
	$(BIN)/python -m pytest -m "not nightly" --ignore=tests/kernel --ignore=tests/venues -n $(WORKERS) --dist loadfile

check: .venv/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

format: .venv/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

nightly: .venv/.installed-dev
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest tests/kernel tests/venues --hypothesis-profile=nightly
	$(BIN)/python -m pytest --ignore=tests/kernel --ignore=tests/venues --hypothesis-profile=nightly

# knockout and realism need a HOME with imported data, so they are run by hand; two others need the recorded news.
UNFIT := benchmarks/knockout.py benchmarks/realism.py
ifeq ($(wildcard ../shared/data/news),)
UNFIT += benchmarks/by_eye.py benchmarks/echoes.py
endif

ifneq ($(wildcard benchmarks),)
bench: .venv/.installed-dev
	@for file in $(filter-out $(UNFIT),$(sort $(wildcard benchmarks/*.py))); do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done
else
bench:
	@echo "there is no benchmarks/ folder" >&2; exit 1
endif

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
