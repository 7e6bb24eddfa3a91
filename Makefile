# Two commands do all the set-up: `make run` and `make test`.
PYTHON ?= python3.11
VENV := .venv
PY := $(VENV)/bin/python
PORT ?= 8000
TESTS ?=

MINUTES ?= 30
SECONDS ?= 60

# a portal is many short processes: compiling all of it anew in each of them would be a quarter of their time
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check bench bench-kernels faults fuzz messages vendor clean

$(VENV)/.installed: pyproject.toml
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "This needs Python 3.11: set PYTHON=... to where it is."; exit 1; }
	@echo "Installing what the portal needs into $(VENV) (some minutes, once) ..."
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check torch==2.14.1 torchvision==0.29.1
	@$(PY) -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $@

run: $(VENV)/.installed
	@TRAINPORTAL_DEBUG=$${TRAINPORTAL_DEBUG:-1} $(PY) manage.py demo --port $(PORT)

test: $(VENV)/.installed
	@$(PY) -m pytest -n 3 --dist loadfile $(TESTS)

check: $(VENV)/.installed
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy .
	@$(PY) manage.py makemigrations --check --dry-run
	@$(VENV)/bin/lint-imports
	@$(PY) manage.py check --deploy --fail-level ERROR
	@$(PY) -m pytest -q --no-header tests/test_languages.py

bench: $(VENV)/.installed
	@$(PY) -m bench

bench-kernels: $(VENV)/.installed
	@$(PY) -m bench.kernels

faults: $(VENV)/.installed
	@$(PY) -m tests.faults.soak --minutes $(MINUTES)

fuzz: $(VENV)/.installed
	@$(PY) -m tests.fuzz --seconds $(SECONDS)

messages: $(VENV)/.installed
	@$(PY) manage.py makemessages -l ko --no-obsolete --no-wrap -i '.venv/*' -i 'var/*' -i 'node_modules/*' -i 'tests/*'
	@$(PY) -m trainportal.compile_messages

vendor:
	@npm ci --ignore-scripts && $(PY) -m trainportal.vendor

clean:
	@rm -rf $(VENV) node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
