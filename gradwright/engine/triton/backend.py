"""The Triton engine, for tensors on a GPU."""

from __future__ import annotations

import torch
from torch import Tensor

from gradwright.engine.memory import is_dense
from gradwright.engine.program import Program
from gradwright.engine.triton import launch
from gradwright.engine.triton.bound import TritonKernel


class Triton:
    """A few kernels a program, launched once for all tensors.

    Args:
        skips: whether kernels ask a truth value on the device whether to do anything.
    """

    in_flight = 2**28  # 1 GiB of float32
    on_trial = True
    on_device = True

    def __init__(self, skips: bool = False) -> None:
        self.skips = skips
        self.name = "triton, skipping" if skips else "triton"
        self.skipping = self if skips else Triton(skips=True)

    def check(self, device: torch.device) -> None:
        launch.check(device.type)

    def serves(self, param: Tensor) -> bool:
        return not param.is_complex() and is_dense(param)

    def compile(self, program: Program) -> TritonKernel:
        return TritonKernel(program, self.skips)
