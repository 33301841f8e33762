"""The machine code that Triton makes of elementwise recipes for a GPU that is not here: all in registers, 128 bits at a
time.

How many accesses that should be is read from Triton's own intermediate code: each access without a mask is one of a
tensor, and a program's threads share out a block of it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from gradwright.core import HostScalar, ParamSpec
from gradwright.engine.graph.trace import trace
from gradwright.engine.plan import planned
from gradwright.engine.triton import launch
from gradwright.engine.triton.printer import print_triton
from gradwright.engine.triton.values import ARGUMENTS
from tests.contract.table import FIRST
from tests.engine.rows import FUSED

HOPPER = 90
VECTOR = 128
SPILLS = {"AdaGL": "14 tensors at a time: its 19 scalars and as many addresses wait in local memory"}
"""Recipes whose kernels do not fit into registers, with the reason."""
ELEMENTWISE = [row for row in FUSED if "elementwise" in row.recipe.spec.traits]


def kernels(row: Any, dtype: torch.dtype) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The kernels of a recipe's second step that pass over entries: module, name, and the arguments' types."""
    spec = ParamSpec((300, 272), dtype)
    chain = row.recipe.spec.chain({**row.recipe.spec.defaults, **row.knobs})
    numbers = {**chain.knobs(), "step": 2.0, "clock": 2.0}
    numbers |= {key: slot.start for key, slot in chain.slots(spec).items() if isinstance(slot, HostScalar)}
    program = planned(trace(chain, spec, numbers), spec)
    printed, real = print_triton(program), "fp64" if program.computing == torch.float64 else "fp32"
    for one in printed.launches:
        if one.grid == "chunk":
            types = {name: f"*{real if ARGUMENTS[name] == 'C' else ARGUMENTS[name]}" for name in one.arguments}
            yield printed.source, one.name, types


@dataclass(frozen=True)
class Code:
    """What the compiler made of a kernel: its intermediate code, its assembly, and its machine code in words."""

    ttgir: str
    ptx: str
    sass: str

    def accesses(self, operation: str) -> list[int]:
        """The bits that a thread moves in each unmasked ``tt.load`` or ``tt.store`` of a tensor."""
        found = []
        for line in self.ttgir.splitlines():
            one = re.search(rf"tt\.{operation} (.*?) (?:\{{.*\}} )?: tensor<(\d+)x!tt\.ptr<[a-z]+(\d+)>", line)
            if one and len(one[1].split(",")) == (1 if operation == "load" else 2):
                found.append(int(one[2]) * int(one[3]) // (32 * launch.WARPS))
        return found


@pytest.fixture
def compiled(kernel_cache, monkeypatch, tmp_path):
    """Compile a kernel for Hopper."""
    triton = pytest.importorskip("triton")
    if os.environ.get("TRITON_INTERPRET") == "1":
        pytest.skip("Triton was imported to interpret")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    try:
        triton.knobs.nvidia.ptxas.path  # noqa: B018
        disassembler = triton.knobs.nvidia.nvdisasm.path
    except Exception as why:
        pytest.skip(f"there is no ptxas or nvdisasm: {why}")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(kernel_cache / "triton"))

    def made(module: str, name: str, types: dict[str, str]) -> Code:
        function = launch.load(module)[name]
        aligned = {(k,): [["tt.divisibility", 16]] for k in range(len(types))}
        source = ASTSource(function, signature=types, constexprs={}, attrs=aligned)
        options = {"num_warps": launch.WARPS, "enable_fp_fusion": False}
        asm = triton.compile(source, target=GPUTarget("cuda", HOPPER, 32), options=options).asm
        cubin = Path(tmp_path, f"{name}.cubin")
        cubin.write_bytes(asm["cubin"])
        sass = subprocess.check_output([disassembler, "-c", str(cubin)], text=True, timeout=120)
        return Code(asm["ttgir"], asm["ptx"], sass)

    return made


def test_there_are_elementwise_recipes():
    named = {row.recipe.recipe_name for row in FIRST}
    assert {row.recipe.recipe_name for row in ELEMENTWISE} <= named
    assert len(ELEMENTWISE) > 20


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=str(row), marks=() if row.recipe.recipe_name == "AdamW" else pytest.mark.slow)
        for row in ELEMENTWISE
    ],
)
def test_whole_blocks_are_moved_in_vectors_and_nothing_is_spilled(row, dtype, compiled):
    moved = 0
    for module, name, types in kernels(row, dtype):
        code = compiled(module, name, types)
        assert f"sm_{HOPPER}" in code.ptx
        spilled = re.findall(r"\b(?:LDL|STL)\b", code.sass)
        assert bool(spilled) == (row.recipe.recipe_name in SPILLS), f"{name}: {len(spilled)} accesses of local memory"
        for operation, assembly, machine in (("load", "ld", "LDG"), ("store", "st", "STG")):
            bits = code.accesses(operation)
            moved += len(bits)
            vectors = sum(one // VECTOR for one in bits)
            assert all(one % VECTOR == 0 for one in bits), f"{operation}s of {bits} bits by a thread"
            in_assembly = re.findall(rf"\n\s*{assembly}\.global[.\w]*\.v4\.b32", code.ptx)
            in_machine = re.findall(rf"\b{machine}\.E[.\w]*\.128\b", code.sass)
            assert len(in_assembly) >= vectors, f"{len(in_assembly)} of {vectors} {operation}s are of {VECTOR} bits"
            assert len(in_machine) >= vectors, f"{len(in_machine)} of {vectors} {operation}s are of {VECTOR} bits"
    assert moved >= 3  # a gradient and a parameter read, a parameter written
