"""The Triton engine: printed kernels compile for GPUs that are not here, and run in Triton's interpreter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from gradwright import AdamW
from gradwright.core import HostScalar, ParamSpec, warn
from gradwright.core.policy import DEFAULT, Policy
from gradwright.engine import select
from gradwright.engine.graph.trace import trace
from gradwright.engine.plan import planned
from gradwright.engine.triton import launch
from gradwright.engine.triton.printer import print_triton
from gradwright.engine.triton.values import ARGUMENTS
from gradwright.native import build
from tests.contract.table import FIRST
from tests.engine.rows import FUSED, SAMPLE, params
from tests.storage.runs import FORMATS

NAMED = {row.recipe.recipe_name: row for row in FIRST}
AMPERE, HOPPER = 80, 90
FAST = {("AdamW", AMPERE), ("AdamW", HOPPER)}


def printed(row, dtype=torch.float32, policy=DEFAULT, shape=(300, 272), skips=False):
    """What is printed for the second step of a recipe, and the type it computes in."""
    spec = ParamSpec(shape, dtype, policy=policy)
    chain = row.recipe.spec.chain({**row.recipe.spec.defaults, **row.knobs})
    numbers = {**chain.knobs(), "step": 2.0, "clock": 2.0}
    numbers |= {key: slot.start for key, slot in chain.slots(spec).items() if isinstance(slot, HostScalar)}
    program = planned(trace(chain, spec, numbers), spec)
    return print_triton(program, skips=skips), "fp64" if program.computing == torch.float64 else "fp32"


@pytest.fixture
def compiled(kernel_cache, monkeypatch):
    """Compile all kernels of a recipe for an architecture; by name, what the compiler made of each."""
    triton = pytest.importorskip("triton")
    if os.environ.get("TRITON_INTERPRET") == "1":
        pytest.skip("Triton was imported to interpret")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    try:
        triton.knobs.nvidia.ptxas.path  # noqa: B018
    except Exception as why:
        pytest.skip(f"there is no ptxas: {why}")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(kernel_cache / "triton"))

    def compile_for(architecture, row, dtype=torch.float32, policy=DEFAULT, skips=False):
        found = {}
        text, real = printed(row, dtype, policy, skips=skips)
        module = launch.load(text.source)
        for one in text.launches:
            signature = {name: f"*{real if ARGUMENTS[name] == 'C' else ARGUMENTS[name]}" for name in one.arguments}
            aligned = {(k,): [["tt.divisibility", 16]] for k in range(len(signature))}
            source = ASTSource(module[one.name], signature=signature, constexprs={}, attrs=aligned)
            options = {"num_warps": launch.WARPS, "enable_fp_fusion": False}
            made = triton.compile(source, target=GPUTarget("cuda", architecture, 32), options=options)
            found[one.name] = made.asm
        return found

    return compile_for


@pytest.mark.parametrize("row", params(FUSED, fast=SAMPLE[:4]))
def test_machine_code_without_a_gpu(row, compiled):
    architecture = (AMPERE, HOPPER)[FUSED.index(row) % 2]
    for name, made in compiled(architecture, row).items():
        assert f"sm_{architecture}" in made["ptx"]
        assert len(made["cubin"]) > 1000, name


@pytest.mark.parametrize(
    ("recipe", "formats"),
    [
        pytest.param(
            recipe,
            formats,
            id="-".join((recipe, str(formats[0]).removeprefix("torch."), *formats[1:])),
            marks=() if (recipe, formats) in (("AdamW", FORMATS[2]), ("AdamW", FORMATS[7])) else pytest.mark.slow,
        )
        for recipe in ("AdamW", "Adafactor", "ScheduleFreeAdamW")
        for formats in FORMATS
    ],
)
def test_formats_become_machine_code(recipe, formats, compiled):
    dtype, *names = formats
    made = compiled(HOPPER, NAMED[recipe], dtype, Policy(*names))
    assert all(f"sm_{HOPPER}" in one["ptx"] and len(one["cubin"]) > 1000 for one in made.values())
    last = [one["ptx"] for name, one in made.items() if name.startswith("sweep")][-1]
    assert not re.search(r"fma\.rn\.f32|\.approx|div\.full|\.ftz", last), "it rounds otherwise than eager"
    if "8bit" in names:
        assert "st.global.v4.b32" in last or "st.global.v2.b32" in last or "st.global.b64" in last, (
            "codes go one by one"
        )


@pytest.mark.parametrize(
    ("recipe", "dtype", "architecture"),
    [
        pytest.param(
            recipe,
            dtype,
            architecture,
            id=f"{recipe}-{str(dtype).removeprefix('torch.')}-{architecture}",
            marks=() if (recipe, architecture) in FAST else pytest.mark.slow,
        )
        for recipe in ("AdamW", "Adafactor")
        for dtype in (torch.float32, torch.bfloat16)
        for architecture in (AMPERE, HOPPER)
    ],
)
def test_whole_blocks_move_128_bits_at_a_time(recipe, dtype, architecture, compiled):
    made = compiled(architecture, NAMED[recipe], dtype)
    last = [asm["ptx"] for name, asm in made.items() if name.startswith("sweep")][-1]
    assert re.search(r"ld\.global[.\w]*\.v4\.b32", last)
    assert re.search(r"st\.global[.\w]*\.v4\.b32", last)


@pytest.mark.parametrize("recipe", ["AdamW", "Adafactor", "Prodigy"])
def test_a_step_that_may_be_skipped_asks_first(recipe, compiled):
    for architecture in (AMPERE, HOPPER):
        for asm in compiled(architecture, NAMED[recipe], skips=True).values():
            loads = re.findall(r"ld\.global[^;]*;", asm["ptx"])
            assert "b32" in loads[0]
            assert re.search(r"@!?%p\d+ bra", asm["ptx"].split(loads[0])[1][:400])


def test_arithmetic_rounds_as_eager_does(compiled):
    (made,) = compiled(HOPPER, NAMED["AdamW"]).values()
    assert "div.rn.f32" in made["ptx"]
    assert "sqrt.rn.f32" in made["ptx"]
    assert not re.search(r"fma\.rn\.f32|\.approx|div\.full", made["ptx"])


def test_entries_are_counted_in_64_bits():
    text, _ = printed(NAMED["Adafactor"])
    assert "tl.program_id(0).to(tl.int64)" in text.source


@pytest.mark.parametrize("which", ["not slow", pytest.param("slow", marks=pytest.mark.slow)])
def test_in_the_interpreter(which):
    pytest.importorskip("triton")
    outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "-m",
            which,
            "tests/engine/interpreted.py",
            "tests/engine/interpreted_formats.py",
        ],
        cwd=Path(__file__).parents[2],
        env={**outer, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    if "passed" not in done.stdout:
        pytest.skip("Triton's interpreter does not run here")


@pytest.fixture
def unwarned(monkeypatch):
    monkeypatch.setattr(warn, "_told", set())
    monkeypatch.delenv("GRADWRIGHT_ENGINE", raising=False)


def test_auto_means_triton_on_a_gpu(unwarned, monkeypatch):
    monkeypatch.setattr(launch, "check", lambda device: None)
    assert select.chosen("auto", "cuda") == "triton"
    assert select.chosen("auto", "cpu") != "triton"
    assert select.chosen("eager", "cuda") == "eager"


def test_without_triton_one_warning_and_plain_torch(unwarned, monkeypatch):
    monkeypatch.setattr(launch, "find_spec", lambda name: None)
    with pytest.warns(UserWarning, match="pip install triton"):
        assert select.chosen("auto", "cuda") == "eager"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert select.chosen("auto", "cuda") == "eager"
    with pytest.raises(build.NoCompiler, match="pip install triton"):
        select.chosen("triton", "cuda")


def test_devices_without_kernels_are_silent(unwarned):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert select.chosen("auto", "mps") == "eager"
    with pytest.warns(UserWarning, match="engine='cpp' serves tensors on the CPU"):
        assert select.chosen("cpp", "cuda") == "eager"


def test_tensors_on_the_cpu_need_the_interpreter():
    pytest.importorskip("triton")
    param = torch.ones(3, requires_grad=True)
    optimizer = AdamW([param], engine="triton")
    param.grad = torch.ones(3)
    with pytest.raises(launch.NoTriton, match="TRITON_INTERPRET=1"):
        optimizer.step()
    assert torch.equal(param.detach(), torch.ones(3))
    assert optimizer.state[param]["step"] == 0


def test_modules_are_kept_whole(kernel_cache, monkeypatch):
    monkeypatch.setattr(launch, "_loaded", {})
    source = "answer = 6 * 7\n"
    path = Path(launch.load(source)["__file__"])
    assert path.parent == kernel_cache
    path.write_text("damaged")
    monkeypatch.setattr(launch, "_loaded", {})
    assert launch.load(source)["answer"] == 42
    assert path.read_text() == source
    assert sorted(kernel_cache.glob("tmp*.py")) == []
