# Two commands: `make run` shows what Gradwright does, `make test` proves it. Both set themselves up.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# What runs C++ kernels, see CONTRIBUTING.md. Left out are Triton and a benchmark.
WATCHED := tests/engine tests/native/test_tensors.py tests/linear_model tests/losses/test_orthant_kernel.py \
	--ignore=tests/engine/test_triton.py --ignore=tests/engine/test_gpu.py --ignore=tests/engine/test_benchmark_smoke.py

.PHONY: run test test-slow test-asan lint bench docs clean

run: $(READY)
	$(BIN)/gradwright compare --task digits-mlp,stdlib-gpt --optimizers AdamW,Lion,Muon,ScheduleFreeAdamW,Adafactor --seeds 2 --out report --overwrite

test: $(READY) lint
	$(BIN)/python -m pytest -n 2

test-slow: $(READY)
	$(BIN)/python -m pytest -n 2 -m slow
	$(MAKE) test-asan

test-asan: $(READY)
	GRADWRIGHT_SANITIZE=1 CXX=g++ PYTHONMALLOC=malloc \
	LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libstdc++.so.6)" \
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	$(BIN)/python -m pytest -p no:faulthandler --capture=sys $(WATCHED)

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

docs: $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --quiet docs build/site

clean:
	rm -rf $(VENV) build docs/gallery docs/reference report .pytest_cache .hypothesis .mypy_cache .ruff_cache
