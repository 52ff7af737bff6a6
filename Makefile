# Two commands on a fresh machine: `make demo` and `make test`. Both set everything up in .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
IMAGE ?=

.PHONY: demo test test-random lint clauses matrix report-check clean

demo: $(READY)
	$(BIN)/sasakit demo $(IMAGE)

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

# Longer, and with other cases every time: prints its seed, which repeats it.
test-random: $(READY)
	$(BIN)/sasakit verify reference numba torch --profile full --seed $$($(BIN)/python -c \
	  "import secrets; seed = secrets.randbelow(2**31); import sys; print(f'seed {seed}', file=sys.stderr); print(seed)")

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy .types/sasakit

# A generated page in a headless Chromium, where one is installed; screenshots go to build/report.
report-check: $(READY)
	$(BIN)/python tests/browser/report_check.py build/report

# The clauses that the package ships, from the text.
clauses: $(READY)
	$(BIN)/python -m sasakit.conformance.spec_text SPEC.md > conformance/clauses.json

# Which properties and mutants each clause has.
matrix: $(READY)
	$(BIN)/sasakit selfcheck --matrix > docs/clause-matrix.md

clean:
	rm -rf $(VENV) build dist *.egg-info .hypothesis .pytest_cache .mypy_cache .ruff_cache

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[dev]'
	touch $(READY)
