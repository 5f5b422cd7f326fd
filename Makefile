# Five words: book, test, lab, zoo, clean.   make book TIER=cifar10 JOBS=2   make book CAST=mine.yml
TIER ?= scenes
CAST ?=
JOBS ?= 2
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
export PATH := $(CURDIR)/$(BIN):$(PATH)
export TIER CAST JOBS

.PHONY: book test lab zoo clean

book: $(READY)
	@python -m seelike.build book --tier "$${CAST:-$$TIER}" --jobs "$$JOBS"

test: $(READY)
	@python -m pytest

lab: $(READY)
	@python -m seelike.readers work
	@jupyter lab work

zoo: $(READY)
	@python -m seelike.build zoo --tier "$$TIER" --jobs "$$JOBS"

clean:
	rm -rf _build book/chapters work .snakemake

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make book PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@
