# Every target does its own set-up: a machine with make and Python >= 3.11 is enough.
# The first run installs into .venv; later runs install again only when pyproject.toml or
# constraints.txt has changed.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
TOOL := $(VENV)/.stamp-tool
RUN := $(VENV)/.stamp-run
TEST := $(VENV)/.stamp-test
LINT := $(VENV)/.stamp-lint

# A process for each core with one thread each: two that both use all cores wait for one another.
PARALLEL := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal

# 3.11 first: it is the version that constraints.txt was resolved for. Each candidate is asked to
# run, because a name on the PATH may be a shim with nothing behind it.
CANDIDATES := python3.11 python3.12 python3.13 python3.14 python3 python
ASK := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

.PHONY: help demo test test-slow lint format typecheck docs bench bench-recipes bench-rivals clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(RUN) ## five initialisations compared on a data set that ships with scikit-learn
	$(BIN)/fanin compare --data breast_cancer --scale --holdout 0.3 --split-seed 42 \
		--network "30-16-1 relu" --schemes zeros,uniform,normal,he_normal,lecun_uniform \
		--optimizer rmsprop --batch-size 16 --epochs 5 --repeats 20 --html demo.html

test: $(TEST) ## the default suite, under ten minutes on two cores
	$(PARALLEL)

test-slow: $(TEST) ## the tests that take minutes
	$(PARALLEL) -m slow --timeout 1800

lint: $(LINT) ## style, format and the floors of the house
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

format: $(LINT) ## rewrite the files in the house style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

typecheck: $(LINT) ## pyright, strict over src
	$(BIN)/pyright

docs: $(TEST) ## the documentation in site/, refused when a public name is missing from it
	$(BIN)/zensical build --clean --strict
	$(BIN)/python -m pytest tests/house/test_docs.py

bench: $(TEST) ## the figures of docs/benchmarks.md, each against its peers
	@set -e; for script in benchmarks/[!_]*.py; do \
		case "$$script" in benchmarks/recipes.py|benchmarks/rivals.py) continue;; esac; \
		echo "== $$script"; $(BIN)/python "$$script"; \
	done

bench-recipes: $(TEST) ## which start trains: the table of docs/auto.md, three quarters of an hour
	$(BIN)/python benchmarks/recipes.py

bench-rivals: $(TEST) ## who sees what is wrong: the table of docs/check.md, a quarter of an hour
	$(PIP) install --quiet --constraint constraints.txt --group rivals
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/rivals.py

clean: ## everything that can be made again, .venv included
	rm -rf $(VENV) build dist site .cache .hypothesis .import_linter_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up -------------------------------------------------------------------------------------

$(BIN)/python:
	@for python in $(CANDIDATES); do \
		if "$$python" -c '$(ASK)' 2>/dev/null; then exec "$$python" -m venv $(VENV); fi; \
	done; \
	echo "make: no Python 3.11 or newer, with its venv module, is on the PATH" >&2; exit 1

# The build backend is installed by hand, so that the constraints hold for it as well; pip is
# renewed, because the one that comes with Python 3.11 knows no dependency groups.
$(TOOL): constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --upgrade pip
	$(PIP) install --quiet --constraint constraints.txt hatchling editables
	@touch $@

$(RUN): pyproject.toml $(TOOL)
	$(PIP) install --quiet --constraint constraints.txt --no-build-isolation --editable ".[all]"
	@touch $@

$(TEST): $(RUN)
	$(PIP) install --quiet --constraint constraints.txt --group test
	@touch $@

$(LINT): $(TEST)
	$(PIP) install --quiet --constraint constraints.txt --group lint
	@touch $@
