"""What each of several ranks sends in a step, and what is said where ranks cannot step together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

import gradwright as gw
from gradwright.core import ParamSpec
from tests.distributed.counting import Counted, Message
from tests.distributed.ranks import STEPS, backward, batch, distance, net, served, spread_out, train


def sent(recipe: Any, how: str, mesh: DeviceMesh, **knobs: Any) -> list[Message]:
    """What this rank sends in a step that is not the first."""
    model = spread_out(net(), how, mesh)
    optimizer = recipe(served(recipe, model), **knobs)
    train(model, optimizer, range(2))
    optimizer.zero_grad()
    loss = backward(model, batch(2))
    with Counted(mesh.get_local_rank()) as counted:
        optimizer.step(loss=loss)
    return counted.messages


def sent_for(recipe: Any, shapes: Mapping[str, tuple[int, ...]], mesh: DeviceMesh) -> list[Message]:
    """What this rank sends in the second step of parameters of these shapes, whose rows ranks share out."""
    draw = torch.Generator().manual_seed(5)
    values = {name: torch.randn(shape, generator=draw) for name, shape in shapes.items()}
    params = [(name, nn.Parameter(distribute_tensor(value, mesh, [Shard(0)]))) for name, value in values.items()]
    every = recipe.only is None
    optimizer = recipe([(name, p) for name, p in params if every or ParamSpec(tuple(p.shape)).matches(recipe.only)])
    for _ in range(2):
        for _, param in params:
            param.grad = param.detach().clone()
        with Counted(mesh.get_local_rank()) as counted:
            optimizer.step(loss=torch.tensor(1.0))
    return counted.messages


def said(action: Any) -> str:
    """The error that an action raises."""
    try:
        action()
    except (RuntimeError, ValueError) as refusal:
        return f"{type(refusal).__name__}: {refusal}"
    return ""


def disagreements(mesh: DeviceMesh) -> list[str]:
    """What is said where one rank has another learning rate, recipe, number of steps or set of gradients."""
    odd = mesh.get_local_rank() == 1

    def stepped(recipe: Any, at: int = 0, without: bool = False, **knobs: Any) -> str:
        model = spread_out(net(), "sharded", mesh)
        optimizer = recipe(model.named_parameters(), **knobs)
        loss = backward(model, batch(0))
        optimizer.state[model.head.weight]["step"] = float(at)
        if without:
            model.middle.bias.grad = None
        return said(lambda: optimizer.step(loss=loss))

    return [
        stepped(gw.AdamW, lr=0.2 if odd else 0.1),
        stepped(gw.Lamb if odd else gw.AdaLo),
        stepped(gw.AdamW, at=3 if odd else 0),
        stepped(gw.AdamW, without=odd),
    ]


def strange_meshes(mesh: DeviceMesh) -> list[str]:
    """On four ranks: a rank that is not on the mesh of a parameter, and meshes that cross."""
    few = DeviceMesh("cpu", [0, 1, 2])
    pairs = init_device_mesh("cpu", (2, 2), mesh_dim_names=("one", "other"))
    missing = nn.Parameter(DTensor.from_local(torch.ones(2, 3), few, [Replicate()], run_check=False))
    crossing = [nn.Parameter(distribute_tensor(torch.ones(4, 3), pairs[name], [Shard(0)])) for name in ("one", "other")]
    return [said(lambda: gw.AdamW([("missing", missing)])), said(lambda: gw.AdamW(crossing))]


def zero_redundancy(mesh: DeviceMesh) -> tuple[float, str, str]:
    """How far AdamW is off where each rank steps some tensors, and what is said to recipes that look at all."""
    alone, other = net(), net()
    train(alone, gw.AdamW(alone.parameters(), lr=0.01))
    optimizer = ZeroRedundancyOptimizer(other.parameters(), gw.AdamW, lr=0.01)
    for step in range(STEPS):
        optimizer.zero_grad()
        backward(other, batch(step))
        optimizer.step()
    refused = [said(lambda of=of: ZeroRedundancyOptimizer(net().parameters(), of)) for of in (gw.Prodigy, gw.AdaLo)]
    return distance(alone, other), *refused


def flat_shards(mesh: DeviceMesh) -> tuple[float, list[str]]:
    """How far AdamW is off on the flat pieces of FSDP1, and what is said to recipes that need a whole tensor."""
    from torch.distributed.fsdp import FullyShardedDataParallel

    def pieces() -> FullyShardedDataParallel:
        return FullyShardedDataParallel(net(), use_orig_params=True, device_id=torch.device("cpu"))

    alone, other = net(), pieces()
    train(alone, gw.AdamW(alone.parameters(), lr=0.01))
    optimizer = gw.AdamW(other.parameters(), lr=0.01)
    for step in range(STEPS):
        optimizer.zero_grad()
        other(batch(step)).square().mean().backward()
        optimizer.step()
    with FullyShardedDataParallel.summon_full_params(other):
        found = distance(alone, other.module)
    recipes = (gw.Lamb, gw.Adafactor, gw.clipped(gw.AdamW), gw.Prodigy)
    return found, [said(lambda of=of: of(pieces().parameters())) for of in recipes]


def data_parallel(mesh: DeviceMesh) -> float:
    """How far recipes are off under DistributedDataParallel, each rank with a half of every batch."""
    worst = 0.0
    size = 8 // mesh.size()
    share = slice(size * mesh.get_rank(), size * (mesh.get_rank() + 1))
    for recipe in (gw.AdamW, gw.Lamb, gw.Muon, gw.clipped(gw.AdamW)):
        alone, other = net(), net()
        train(alone, recipe(served(recipe, alone)))
        model, optimizer = nn.parallel.DistributedDataParallel(other), recipe(served(recipe, other))
        for step in range(STEPS):
            optimizer.zero_grad()
            model(batch(step)[share]).square().mean().backward()
            optimizer.step()
        worst = max(worst, distance(alone, other))
    return worst
