"""What a product with the Hessian costs, in gradients: processor time, both in turn."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from gradwright.solvers.curvature import curvature_of
from gradwright.solvers.problem.layout import layout_of
from gradwright.solvers.problem.objective import Objective
from gradwright.solvers.problem.sources import source_of

ROUNDS = 100


def network(dtype: torch.dtype) -> tuple[nn.Module, Tensor, Tensor]:
    """A perceptron 64-256-256-10 with tanh, and a batch of 256."""
    torch.manual_seed(0)
    sizes = (64, 256, 256, 10)
    layers = [each for a, b in pairwise(sizes) for each in (nn.Linear(a, b), nn.Tanh())][:-1]
    return nn.Sequential(*layers).to(dtype), torch.randn(256, 64, dtype=dtype), torch.randint(10, (256,))


def rows() -> list[dict[str, Any]]:
    """One row for each way of giving the function, and for each precision."""
    return [cost(form, dtype) for dtype in (torch.float32, torch.float64) for form in ("module", "dict")]


def cost(form: str, dtype: torch.dtype) -> dict[str, Any]:
    """The least milliseconds of one plain gradient (forward and backward, by torch alone), of one product of ours,
    whose graph is there already, and of the same derivative of a gradient by torch alone: no exact product that goes
    through autograd takes less."""
    net, data, target = network(dtype)
    parameters = dict(net.named_parameters())

    def loss() -> Tensor:
        return nn.functional.cross_entropy(net(data), target)

    def of_values(values: dict[str, Tensor]) -> Tensor:
        return nn.functional.cross_entropy(torch.func.functional_call(net, values, (data,)), target)

    x0 = net if form == "module" else {name: each.detach() for name, each in parameters.items()}
    layout, tensors = layout_of(x0)
    source = source_of(loss if form == "module" else of_values, x0, layout, tensors, None)
    objective = Objective(source, curvature_of("auto"))
    point = objective.at(objective.work(torch.cat([each.detach().reshape(-1) for each in tensors])))
    _ = point.gradient
    v = torch.randn_like(point.x)
    weights = tuple(parameters.values())
    slope = torch.autograd.grad(loss(), weights, create_graph=True)
    along = [torch.randn_like(each) for each in weights]
    gradient, product, bare = alternately(
        lambda: torch.autograd.grad(loss(), weights),
        lambda: point.hessian @ v,
        lambda: torch.autograd.grad(slope, weights, along, retain_graph=True),
    )
    return {
        "form": form,
        "dtype": str(dtype).removeprefix("torch."),
        "gradient ms": gradient,
        "product ms": product,
        "by torch ms": bare,
        "ratio": product / gradient,
        "ratio by torch": bare / gradient,
    }


def alternately(*calls: Callable[[], object]) -> list[float]:
    """The least processor milliseconds of each call, one after the other for ``ROUNDS`` rounds."""
    least = [math.inf for _ in calls]
    for _ in range(ROUNDS):
        for index, call in enumerate(calls):
            started = time.process_time()
            call()
            least[index] = min(least[index], 1e3 * (time.process_time() - started))
    return least
