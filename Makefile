# Seven words: book, test, lab, bundle, zoo, replay, clean.   make book TIER=cifar10 JOBS=2   make book CAST=mine.yml
TIER ?= scenes
CAST ?=
TORCH ?=
JOBS ?= 2
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
export PATH := $(CURDIR)/$(BIN):$(PATH)
export TIER CAST JOBS

.PHONY: book test lab bundle zoo replay clean

book: $(READY)
	@python -m seelike.build book --tier "$${CAST:-$$TIER}" --jobs "$$JOBS"

test: $(READY)
	@python -m pytest

lab: $(READY)
	@python -m seelike.readers work
	@jupyter lab work

bundle: $(READY)
	@python -m seelike.bundle

zoo: $(READY)
	@python -m seelike.build zoo --tier "$$TIER" --jobs "$$JOBS"

replay: $(READY)
	@python -m seelike.replay --tier "$$TIER" --jobs "$$JOBS"

clean:
	rm -rf _build book/chapters work .snakemake

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 5))' || { echo "Python 3.11.5 or newer is needed: make book PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
ifeq ($(TORCH),cpu)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --index-url https://download.pytorch.org/whl/cpu $$(grep -oE '^torch(vision)?==[0-9.]+' requirements.lock | sed 's/$$/+cpu/')
	awk '/^[a-zA-Z]/ {gpu = /^(nvidia|cuda|triton|torch)/} !gpu' requirements.lock > .venv/lock
else
	cp requirements.lock .venv/lock
endif
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
