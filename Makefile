# `make book` and `make test` are all that a fresh machine needs; `make help` lists the rest.

PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
# One thread a process: two processes with one thread each are faster than one with two.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help book test robust serve lint bench clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

# The stamp's name holds the lock's hash, so an unchanged lock installs nothing, on any clone.
LOCKED := $(VENV)/.locked-$(shell cat requirements-dev.lock pyproject.toml | cksum | cut -d' ' -f1)

$(LOCKED): requirements-dev.lock pyproject.toml scripts/setup.sh
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

robust: $(LOCKED) ## run all claims over instruction sets, threads and seeds; hours, can be broken off
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
	@$(BIN)/python -m pip install -q -e '.[bench]' --no-build-isolation
	@for file in benchmarks/*.py; do echo "── $$file"; $(BIN)/python $$file || exit 1; done
	@$(BIN)/python benchmarks/report.py

clean: ## remove what was built; the environment and the data cache stay
	@echo "removing what was built; .venv and the data cache stay"
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
