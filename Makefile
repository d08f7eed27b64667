# `make book` and `make test` are all that a fresh machine needs; `make help` lists the rest.

# PYTHON=/path/to/python3.12 names the interpreter; without it the first that fits is taken.
PYTHON ?=
VENV   := .venv
BIN    := $(VENV)/bin
# One thread a process: two processes with one thread each are faster than one with two.
export OMP_NUM_THREADS ?= 1

# A home that cannot be written has no room for what tools keep there: it goes into this folder. Data
# that stand ready in such a home are read from there.
ifneq ($(shell test -d "$$HOME" && test -w "$$HOME" && echo yes),yes)
export MPLCONFIGDIR     ?= $(CURDIR)/.home/matplotlib
export IPYTHONDIR       ?= $(CURDIR)/.home/ipython
export JUPYTER_CONFIG_DIR  ?= $(CURDIR)/.home/jupyter
export JUPYTER_DATA_DIR ?= $(CURDIR)/.home/jupyter
export JUPYTER_RUNTIME_DIR ?= $(CURDIR)/.home/jupyter/runtime
export XDG_CACHE_HOME   ?= $(CURDIR)/.home/cache
ifneq ($(shell test -d "$$HOME/.cache/sprat" && echo yes),yes)
export SPRAT_DATA       ?= $(CURDIR)/.home/sprat
endif
endif

.DEFAULT_GOAL := help
.PHONY: help book test robust serve lint bench clean lock try-install try-colab-pair try-oldest-torch FORCE

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18
	@echo
	@echo "make book PYTHON=/path/to/python3.12 names the Python of the environment: 3.11, 3.12 or 3.13."
	@echo "Without it the environment keeps its own, and a new one takes the first that fits."

# The stamp's name holds the locks' hash and the folder, so an unchanged lock installs nothing, on
# any clone, and a tree that was moved is noticed.
LOCKED := $(VENV)/.locked-$(shell (cat requirements-*.lock pyproject.toml; pwd -P) | cksum | cut -d' ' -f1)
# So is an environment whose Python is gone, or is not the one that PYTHON= names.
HAS   := $(shell $(BIN)/python -V 2>/dev/null)
ASKED := $(if $(PYTHON),$(shell "$(PYTHON)" -V 2>/dev/null),$(HAS))
ifneq ($(if $(HAS),$(HAS),none),$(ASKED))
$(LOCKED): FORCE
endif

$(LOCKED): requirements-dev.lock requirements-torch.lock pyproject.toml scripts/setup.sh
	@PYTHON="$(PYTHON)" VENV="$(VENV)" scripts/setup.sh
	@rm -f $(VENV)/.locked-* && touch $@

# The site is built whatever has failed, and says so; an interrupt (130) or a kill (143) ends both.
book: $(LOCKED) ## execute the chapters that need it and build the site into _build/html
	@echo "executing the chapters that changed (chapterhouse run), then building the site"
	@failed=0; $(BIN)/chapterhouse run || failed=$$?; \
	[ $$failed -lt 128 ] || exit $$failed; \
	$(BIN)/chapterhouse site || failed=$$?; exit $$failed

test: $(LOCKED) ## run every gate and every test, in parallel
	@echo "running the gates, executing the book, then every test, two at a time"
	@scripts/test.sh

robust: $(LOCKED) ## run all claims over instruction sets, threads and seeds; long, can be broken off
	@echo "running every notebook over instruction sets, threads and seeds; stopped, it goes on next time"
	@$(BIN)/chapterhouse robust

serve: $(LOCKED) ## build the book, preview it and rebuild on change
	@echo "previewing the book; it is built again when a file changes"
	@$(BIN)/chapterhouse serve

lint: $(LOCKED) ## format check, linter, types, import contract
	@echo "checking format, lint, types and the import contract"
	@$(BIN)/ruff format --check lib tests benchmarks
	@$(BIN)/ruff check lib tests benchmarks exercises
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(LOCKED) ## measure speed beside the peers; results into benchmarks/results
	@echo "measuring beside the peers; this takes a quarter of an hour on a quiet machine"
	@$(BIN)/python -m pip install -q --no-deps --require-hashes -r requirements-bench.lock
	@for file in benchmarks/*.py; do echo "── $$file"; $(BIN)/python $$file || exit 1; done
	@$(BIN)/python benchmarks/report.py

lock: $(LOCKED) ## resolve the locks for every Python with uv; UPGRADE=1 takes the newest versions
	@$(BIN)/python scripts/lock.py $(if $(UPGRADE),--upgrade)

try-install: ## install with every Python at hand, in awkward places; QUICK=1 tries one of each
	@scripts/try_install.sh $(if $(QUICK),--quick)

try-colab-pair: ## Python 3.13 with torch 2.11, as in Colab: library tests and every notebook
	@scripts/try_pair.sh 3.13 2.11.0

try-oldest-torch: ## Python 3.11 with torch 2.8, the oldest supported: the same
	@scripts/try_pair.sh 3.11 2.8.0

clean: ## remove what was built; the environment and the data cache stay
	@echo "removing what was built; .venv and the data cache stay"
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
