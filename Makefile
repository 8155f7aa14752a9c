# make app    install what the app needs and open it
# make check  lint, format, types, import contracts and the quick tests
# make test   the same checks and all tests, slow and browser ones included
# make fuzz   damaged files of every kind: CASES=20000 of them, which SEED=... chooses
# make lock   bring the locks in line with requirements*.txt; versions stay where they can

PYTHON ?= python3
CASES ?= 20000
SEED ?= $(shell date +%s)
VENV := .venv
UV := $(VENV)/bin/uv

.PHONY: app check static test fuzz lock clean

app: $(VENV)/.app
	$(VENV)/bin/streamlit run app.py

# Two processes, one thread each: more would compete for the cores.
check: static
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 2 -m "not slow and not browser"

static: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: $(VENV)/.dev
	@command -v chromium >/dev/null || (apt-get update -q && apt-get install -yq --no-install-recommends chromium) \
		|| echo "chromium is not installed, so the browser tests are skipped."
	$(MAKE) --no-print-directory static
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 2 --dist loadfile -m "not browser"
	$(VENV)/bin/python -m pytest -m browser

fuzz: $(VENV)/.dev
	FUZZ_CASES=$(CASES) FUZZ_SEED=$(SEED) OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 2 tests/fuzz

lock: $(UV)
	$(UV) pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url \
		requirements.txt -o requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url \
		requirements-dev.txt -c requirements.lock -o requirements-dev.lock

$(UV):
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check uv

$(VENV)/.app: requirements.lock | $(UV)
	$(UV) pip install --quiet --python $(VENV)/bin/python -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock | $(UV)
	$(UV) pip install --quiet --python $(VENV)/bin/python -r requirements-dev.lock
	@touch $@

clean:
	rm -rf $(VENV)
