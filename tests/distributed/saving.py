"""Checkpoints of ``torch.distributed.checkpoint``: saved by some ranks, loaded by others, more of them or fewer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor

from tests.distributed.ranks import distance, net, served, spread_out, train

EACH = 3
"""Steps between two checkpoints."""


def gone_on(recipe: Any, folder: str, turn: int, mesh: DeviceMesh) -> tuple[float, float]:
    """Load what the turn before saved, take some steps and save.

    Returns:
        How far the weights are from those of one process that never stopped, after loading and after the steps.
    """
    alone, other = net(), spread_out(net(), "sharded", mesh)
    mine, its = recipe(served(recipe, alone)), recipe(served(recipe, other))
    train(alone, mine, range(EACH * turn))
    if turn:
        held = {"model": get_model_state_dict(other), "optimizer": get_optimizer_state_dict(other, its)}
        dcp.load(held, checkpoint_id=str(Path(folder) / f"{recipe.__name__}{turn - 1}"))
        set_model_state_dict(other, held["model"])
        set_optimizer_state_dict(other, its, held["optimizer"])
    loaded = distance(alone, other)
    steps = range(EACH * turn, EACH * (turn + 1))
    train(alone, mine, steps)
    train(other, its, steps)
    held = {"model": get_model_state_dict(other), "optimizer": get_optimizer_state_dict(other, its)}
    dcp.save(held, checkpoint_id=str(Path(folder) / f"{recipe.__name__}{turn}"))
    return loaded, distance(alone, other)


def whole_and_back(recipe: Any, mesh: DeviceMesh) -> tuple[list[str], float]:
    """What a state_dict in one piece holds that is still spread, and how far a run is off that goes on from it."""
    model = spread_out(net(), "sharded", mesh)
    first = recipe(served(recipe, model))
    train(model, first)
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights = get_model_state_dict(model, options=options)
    saved = get_optimizer_state_dict(model, first, options=options)
    spread = [name for name, state in saved.get("state", {}).items() if any(map(_is_spread, state.values()))]
    other = spread_out(net(), "sharded", mesh)
    second = recipe(served(recipe, other))
    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    alike = mesh.get_local_rank() == 0
    set_model_state_dict(other, weights if alike else {}, options=options)
    set_optimizer_state_dict(other, second, saved if alike else {}, options=options)
    train(model, first, range(5, 8))
    train(other, second, range(5, 8))
    pairs = zip(model.parameters(), other.parameters())
    return spread, max((a.full_tensor() - b.full_tensor()).abs().max().item() for a, b in pairs)


def _is_spread(value: Any) -> bool:
    return isinstance(value, DTensor) or (isinstance(value, torch.Tensor) and value.is_meta)
