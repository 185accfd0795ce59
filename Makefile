# Two promises on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

# The tests of a file stay together, since they share what a fixture trained. More processes than four
# would need more memory than they save time.
SIDE_BY_SIDE ?= --numprocesses logical --maxprocesses 4 --dist loadfile

# Python 3.12 with the newest JAX, in an environment of its own: what trains must train there too.
NEWEST_PYTHON ?= python3.12
NEWEST_VENV ?= .venv-newest
NEWEST_TESTS = $(addprefix tests/test_,train.py epoch.py optimizer.py networks.py gradients.py augment.py \
  average.py engine.py traced_programs.py checkpoint.py weights_file.py init.py cost.py trial.py \
  formats_jax_export.py)

.PHONY: demo test test-newest test-faults test-slow lint clean

demo: $(VENV)/.installed
	$(BIN)/python -m search.run --study mixer_digits

test: $(VENV)/.installed-dev lint
	$(BIN)/python -m pytest -m "not slow" $(SIDE_BY_SIDE)

test-newest: $(NEWEST_VENV)/.installed
	PYTHONPATH=. $(NEWEST_VENV)/bin/python -m pytest -m "not slow and not fault" $(NEWEST_TESTS)

test-faults: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m fault

test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[ray]' || \
	  echo "Ray cannot be installed for this Python from here: the tests that need it skip"
	@touch $@

$(NEWEST_VENV)/.installed: .ci/newest.txt
	$(NEWEST_PYTHON) -m venv $(NEWEST_VENV)
	$(NEWEST_VENV)/bin/python -m pip install --quiet --no-compile --no-deps --requirement .ci/newest.txt
	@touch $@

clean:
	rm -rf $(VENV) $(NEWEST_VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
