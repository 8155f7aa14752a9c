# make app   set up and run the explorer
# make test  set up and run every check and test
# make lock  resolve the ranges of requirements*.txt anew

PYTHON ?= python3
VENV := .venv
UV := $(VENV)/bin/uv

.PHONY: app test check lock clean

app: $(VENV)/.app
	$(VENV)/bin/streamlit run app.py

test: $(VENV)/.dev
	@command -v chromium >/dev/null || (apt-get update -q && apt-get install -yq --no-install-recommends chromium) \
		|| echo "Without chromium the browser tests are skipped: install it by hand."
	$(MAKE) --no-print-directory check
	$(VENV)/bin/python -m pytest

check: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

lock: $(UV)
	$(UV) pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url \
		requirements.txt -o requirements.lock --upgrade
	$(UV) pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url \
		requirements-dev.txt -c requirements.lock -o requirements-dev.lock --upgrade

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
