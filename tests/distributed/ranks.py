"""What each of several ranks does: train a small model that is spread over them, beside the same model on its own."""

from __future__ import annotations

import datetime
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

from gradwright.core import ParamSpec

STEPS = 5
SPREADS = ("sharded", "mixed", "columns", "rows")
"""Everything by FSDP2; the middle layer alone by FSDP2, beside plain tensors; matrices by columns or by rows, as in
tensor parallelism, beside plain vectors. On a mesh of two dimensions FSDP2 shards over the second and repeats that over
the first."""

Case = Callable[[DeviceMesh], Any]


class Net(nn.Module):
    """Shapes of one to three dimensions. First sizes are odd, even, and 1, of which all ranks but one have nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 3, 3)
        self.middle = nn.Linear(12, 6)
        self.head = nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.middle(torch.tanh(self.conv(x)).flatten(1))))


def net(dtype: torch.dtype = torch.float32) -> Net:
    torch.manual_seed(1)
    return Net().to(dtype)


def batch(step: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(100 + step)
    return torch.randn(8, 2, 6, generator=generator, dtype=torch.float64).to(dtype)


def spread_out(model: Net, how: str, mesh: DeviceMesh) -> Net:
    """Spread a model's parameters over the ranks, in one of ``SPREADS``."""
    if how == "sharded":
        fully_shard(model, mesh=mesh)
    elif how == "mixed":
        fully_shard(model.middle, mesh=mesh)
    else:
        for module in (model.middle, model.head):
            module.weight = nn.Parameter(distribute_tensor(module.weight.detach(), mesh, [Shard(how == "columns")]))
    return model


def served(recipe: Any, model: Net) -> list[tuple[str, Tensor]]:
    """The parameters that a recipe serves, with their names."""
    only = recipe.only
    return [
        (name, param)
        for name, param in model.named_parameters()
        if only is None or ParamSpec(tuple(param.shape), param.dtype, name=name).matches(only)
    ]


def whole(tensor: Tensor) -> Tensor:
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach()


def spread_as(value: Tensor, like: Tensor) -> Tensor:
    if not isinstance(like, DTensor):
        return value
    mesh = like.device_mesh
    return DTensor.from_local(value, mesh, [Replicate()] * mesh.ndim).redistribute(mesh, like.placements)


def backward(model: Net, inputs: Tensor) -> Tensor:
    """The loss, which leaves a gradient beside every parameter, spread as it is.

    A plain model computes them where torch cannot compute with the spread one.
    """
    params = list(model.parameters())
    sharded = any(isinstance(module, FSDPModule) for module in model.modules())
    if sharded or not any(isinstance(param, DTensor) for param in params):
        loss = model(inputs).square().mean()
        loss.backward()
        return loss.detach()
    twin = net(params[0].dtype)
    with torch.no_grad():
        for mine, its in zip(twin.parameters(), params):
            mine.copy_(whole(its))
    loss = backward(twin, inputs)
    for mine, its in zip(twin.parameters(), params):
        its.grad = spread_as(mine.grad, its) if its.requires_grad else None
    return loss


def train(
    model: Net,
    optimizer: torch.optim.Optimizer,
    steps: range = range(STEPS),
    share: slice = slice(None),
    resting: int | None = None,
) -> None:
    """Some steps, each on a share of its batch; the loss is that of the share.

    At the step ``resting`` the weights and the bias of the middle layer have no gradient.
    """
    for step in steps:
        optimizer.zero_grad()
        loss = backward(model, batch(step, next(model.parameters()).dtype)[share])
        if step == resting:
            for param in model.middle.parameters():
                param.grad = None
        optimizer.step(loss=loss)


def distance(one: nn.Module, other: nn.Module) -> float:
    """How far the parameters of two models are apart, relative to the largest of each tensor."""
    pairs = zip(one.parameters(), other.parameters())
    return max(((a.detach() - whole(b)).abs().max() / a.detach().abs().max()).item() for a, b in pairs)


def beside_one_process(recipe: Any, knobs: Mapping[str, Any], how: str, mesh: DeviceMesh) -> float:
    """How far the spread model is from the one on its own after some steps, which kernels take for both."""
    alone, other = net(), spread_out(net(), how, mesh)
    train(alone, recipe(served(recipe, alone), **knobs))
    train(other, recipe(served(recipe, other), **knobs))
    return distance(alone, other)


def beside_twenty_steps(
    recipe: Any, knobs: Mapping[str, Any], how: str, mesh: DeviceMesh, dtype: torch.dtype = torch.float64
) -> float:
    """The same after twenty steps, with a bias that is frozen and a layer that has no gradient at one of them.

    In double the model on its own is stepped by the definition.
    """
    alone, other = (net(dtype) for _ in range(2))
    for model in (alone, other):
        model.conv.bias.requires_grad_(False)
    other = spread_out(other, how, mesh)
    engine = {"engine": "eager"} if dtype == torch.float64 else {}
    train(alone, recipe(served(recipe, alone), **knobs, **engine), range(20), resting=7)
    train(other, recipe(served(recipe, other), **knobs), range(20), resting=7)
    return distance(alone, other)


def main(rank: int, folder: str, cases: Mapping[Any, Case], ranks: int, shape: tuple[int, ...] | None) -> None:
    """Run all cases in turn and save what each came to, or what it raised, on this rank."""
    torch.set_num_threads(1)
    store = dist.FileStore(str(Path(folder) / "store"), ranks)
    limit = datetime.timedelta(seconds=60)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=ranks, timeout=limit)
    names = ("repeat", "shard")[2 - len(shape) :] if shape else None
    mesh = init_device_mesh("cpu", shape or (ranks,), mesh_dim_names=names)
    found = {}
    for name, case in cases.items():
        try:
            found[name] = case(mesh)
        except Exception as error:
            found[name] = "".join(traceback.format_exception(error))
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


def run(
    folder: Path, cases: Mapping[Any, Case], ranks: int = 2, shape: tuple[int, ...] | None = None
) -> dict[Any, list[Any]]:
    """What each case came to on every rank, of a mesh of this shape or of one dimension."""
    torch.multiprocessing.spawn(main, args=(str(folder), cases, ranks, shape), nprocs=ranks)
    found = [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(ranks)]
    return {name: [one[name] for one in found] for name in cases}
