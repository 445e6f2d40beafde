# On a fresh machine with Python 3.11 to 3.13 and make:
#   make look   writes memory.html, a shipped model's memory at work, step by step
#   make demo   trains, restores and tests a model, draws a figure and such a page, proves it right
#   make test   runs all the tests, `make test MARKED='not slow'` the quick ones
#   make test-oldest  runs those of what versions change with the oldest that setup.cfg allows
#   make docs   builds tutorial, questions and API reference into build/docs
#   make bench  installs the peers and measures against them, some 8 minutes on a quiet machine
#   make bench-accelerator  measures on a GPU or TPU against the peers there, some 6 minutes
#   make test-accelerator   runs the tests that compare it with the CPU
#   make bench-choices  measures what each piece that is there for speed alone gains
#   make crash  kills, damages, moves and attacks runs, writes RELIABILITY.md; some 15 minutes
#   make fuzz   tries odd input in bulk and writes RELIABILITY.md; some minutes

PYTHON ?= python3
DEMO ?= demo
BIN := .venv/bin
INSTALLED := .venv/installed
PEERS := .venv/peers
SITE := .venv/site
OLDEST := .venv-oldest/installed
# With the oldest versions: doctests, and what calls JAX, Flax, Optax and Orbax in ways of its own.
# Other tests put the same calls together. Of the cells' derivatives those of MAES and the LSTM are
# run, which have a loop each.
OF_VERSIONS := $(addprefix cells/test_,derivatives scan lstm) test_checkpoints \
    test_compilation test_devices test_trained \
    $(addprefix training/test_,loop trainer optimizer callbacks)
OLDEST_ONLY := not test_derivatives or maes or lstm

.PHONY: look demo demo-test demo-proof test test-oldest docs bench bench-accelerator \
    bench-choices test-accelerator lint crash fuzz clean

look: $(INSTALLED)
	$(BIN)/python -m experiments.inspect --checkpoint=E_J --task=reverse_recall --html=memory.html

demo: $(INSTALLED)
	$(BIN)/python -m experiments.train --task=serial_recall --workdir=$(DEMO)
	$(MAKE) --no-print-directory --jobs=2 demo-test demo-proof  # Side by side: neither needs the other.

demo-test:
	$(BIN)/python -m experiments.evaluate --checkpoint=$(DEMO) --task=serial_recall \
	    --length=1000 --memory=1024 --batch_size=32 --batches=100 \
	    --json=$(DEMO)/test.json --figure=$(DEMO)/attention.png

demo-proof:
	$(BIN)/python -m experiments.certify --checkpoint=$(DEMO) --json=$(DEMO)/proof.json || \
	    test $$? = 2  # Not proved is no error.
	$(BIN)/python -m experiments.inspect --checkpoint=$(DEMO) --proof=$(DEMO)/proof.json \
	    --html=$(DEMO)/memory.html

test: $(INSTALLED) lint
	$(BIN)/python -m pytest -n 2 --dist worksteal $(if $(MARKED),-m '$(MARKED)')

test-oldest: $(OLDEST)
	.venv-oldest/bin/python -m pytest -n 2 --dist worksteal -m 'not slow' -k '$(OLDEST_ONLY)' \
	    maes_jax $(OF_VERSIONS:%=tests/%.py)

docs: $(SITE)
	$(BIN)/mkdocs build

bench: $(PEERS)
	$(BIN)/python -m experiments.benchmark --json=results/benchmark.json
	$(BIN)/python -m experiments.ledger

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/mypy

bench-choices: $(INSTALLED)
	$(BIN)/python -m experiments.benchmark --choices --json=results/choices.json
	$(BIN)/python -m experiments.ledger

# They take the Python that knows the accelerator, e.g. `PYTHON=python3`.
bench-accelerator:
	$(PYTHON) -m experiments.benchmark --repeats=3 --json=results/accelerator.json
	$(PYTHON) -m experiments.ledger --nofigures

test-accelerator:
	TEST_PLATFORMS=cuda,cpu $(PYTHON) -m pytest tests/test_accelerators.py

crash: $(INSTALLED)
	$(BIN)/python -m tests.reliability.crash

fuzz: $(INSTALLED)
	$(BIN)/python -m tests.reliability.fuzz

$(INSTALLED): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[all,test]'
	touch $@

$(PEERS): $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	touch $@

$(SITE): $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

$(OLDEST): setup.cfg pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/pip install --quiet --constraint constraints-oldest.txt --editable '.[all,test]'
	touch $@

clean:
	rm -rf .venv .venv-oldest build/docs $(DEMO) memory.html
