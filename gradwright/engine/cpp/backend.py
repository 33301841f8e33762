"""The C++ engine, for tensors on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor

from gradwright.engine.cpp.bound import CppKernel
from gradwright.engine.memory import is_dense
from gradwright.engine.program import Program
from gradwright.native import build


class Cpp:
    """One kernel a program, compiled by the machine's own compiler."""

    name = "cpp"
    in_flight = 2**21  # 8 MiB of float32; plain torch takes several times as much on top
    on_trial = False
    on_device = False
    skipping = None

    def check(self, device: torch.device) -> None:
        build.compiler()

    def serves(self, param: Tensor) -> bool:
        return not param.is_complex() and is_dense(param)

    def compile(self, program: Program) -> CppKernel:
        return CppKernel(program)
