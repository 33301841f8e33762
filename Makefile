# Two commands: `make run` shows what Gradwright does, `make test` proves it. Both set themselves up.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: run test test-slow lint bench clean

run: $(READY)
	$(BIN)/gradwright compare --task digits-mlp,stdlib-gpt --optimizers AdamW,Lion,Muon,ScheduleFreeAdamW,Adafactor --seeds 2 --out report

test: $(READY) lint
	$(BIN)/python -m pytest -n 2

test-slow: $(READY)
	$(BIN)/python -m pytest -n 2 -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

bench: $(READY)
	$(BIN)/python benchmarks/step_time.py --out benchmarks/results

clean:
	rm -rf $(VENV) report .pytest_cache .hypothesis .mypy_cache .ruff_cache
