# Five words: book, test, lab, zoo, clean.   make book TIER=cifar10 JOBS=2
TIER ?= scenes
JOBS ?= 2
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
export PATH := $(CURDIR)/$(BIN):$(PATH)
SNAKEMAKE = $(BIN)/snakemake --cores $(JOBS) --rerun-triggers mtime params input --rerun-incomplete --config tier=$(TIER) jobs=$(JOBS)

.PHONY: book test lab zoo clean

book: $(READY)
	@$(SNAKEMAKE) --quiet rules progress -- book
	@$(BIN)/python -m seelike.run --times
	@echo "The book is at file://$(CURDIR)/_build/html/index.html"

test: $(READY)
	$(BIN)/python -m pytest

lab: $(READY)
	$(BIN)/jupytext --sync notebooks/*.py
	$(BIN)/jupyter lab work/ipynb

zoo: $(READY)
	$(SNAKEMAKE) -- zoo

clean:
	rm -rf _build book/chapters work .snakemake

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make book PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@
