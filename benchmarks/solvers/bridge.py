"""A numpy problem as a torch function that can be differentiated twice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from solvers.problems import Problem


def as_torch(problem: Problem) -> Callable[[Tensor], Tensor]:
    """``fun(x)`` whose gradient and Hessian products are the problem's own."""

    class Slope(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, slope):
            ctx.save_for_backward(x)
            return slope.clone()

        @staticmethod
        def backward(ctx, v):
            (x,) = ctx.saved_tensors
            return torch.from_numpy(np.array(problem.product(x.detach().numpy(), v.numpy()))), None

    class Value(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            value, slope = problem.value_and_gradient(x.detach().numpy())
            ctx.save_for_backward(x)
            ctx.slope = torch.from_numpy(np.array(slope))
            return x.new_tensor(value)

        @staticmethod
        def backward(ctx, weight):
            (x,) = ctx.saved_tensors
            return weight * Slope.apply(x, ctx.slope)

    return Value.apply
