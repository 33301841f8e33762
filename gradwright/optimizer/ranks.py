"""Ranks: optimizers of a part of a model, and tensors that are parts themselves, refused where that cannot be right.

What is wrong is said at construction, or before the first message between ranks, on every rank.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from gradwright.core import Chain, ParamSpec
from gradwright.engine import select
from gradwright.engine.agreement import first_difference
from gradwright.engine.collective import is_spread, local
from gradwright.recipe.spec import RecipeSpec

if TYPE_CHECKING:
    from gradwright.optimizer.optimizer import Optimizer

OF_ALL = {
    "totals": "sums over all parameters",
    "shared": "keeps numbers that all parameters share",
    "needs_loss": "reads the loss, of which each rank has its own",
}
"""The traits of recipes that no rank can run on a part of the parameters, and why."""


def refuse_unlike(recipe: RecipeSpec, group: dict[str, Any]) -> None:
    """Refuse parameters that the ranks of this group could not step as one process does.

    Raises:
        ValueError: the optimizer is made by ``ZeroRedundancyOptimizer``, or a parameter is a piece of one that FSDP1
            has flattened, and the recipe needs more than it would see; this rank is not on the mesh of a parameter, or
            two meshes have some ranks in common and neither has all of the other's.
    """
    params, why = group["params"], next((said for trait, said in OF_ALL.items() if trait in recipe.traits), "")
    if why and _within_zero_redundancy():
        raise ValueError(
            f"{recipe.name} {why}, and ZeroRedundancyOptimizer gives each rank some of the parameters; shard the model "
            "instead (torch.distributed.fsdp.fully_shard), or take a recipe that steps each tensor by itself"
        )
    if "elementwise" not in recipe.traits:
        why = why or "needs norms, rows or whole matrices"
    if why and any(getattr(param, "_fsdp_flattened", False) for param in params):
        raise ValueError(
            f"{recipe.name} {why}, and FullyShardedDataParallel(use_orig_params=True) gives each rank flat pieces of "
            "the parameters that say nothing of the whole; shard the model with torch.distributed.fsdp.fully_shard"
        )
    names = group.get("param_names") or [f"parameter {at}" for at in range(len(params))]
    _refuse_meshes(recipe.name, params, names)


def _within_zero_redundancy() -> bool:
    """Whether a ``ZeroRedundancyOptimizer`` is making this optimizer: nothing that it passes on would tell."""
    module = sys.modules.get("torch.distributed.optim.zero_redundancy_optimizer")
    frame = sys._getframe() if module is not None else None
    while module is not None and frame is not None:
        if isinstance(frame.f_locals.get("self"), module.ZeroRedundancyOptimizer):
            return True
        frame = frame.f_back
    return False


def _refuse_meshes(recipe: str, params: Sequence[Any], names: Sequence[str]) -> None:
    """Refuse distributed tensors whose ranks could not wait for one another."""
    meshes: dict[frozenset[int], str] = {}
    for param, name in zip(params, names):
        if not is_spread(param):
            continue
        mesh = param.device_mesh
        ranks = frozenset(mesh.mesh.flatten().tolist())
        if mesh.get_coordinate() is None:
            raise ValueError(
                f"{recipe}: {name} is spread as {_shown(param)}, and this rank is none of these; make the optimizer on "
                "ranks of its mesh alone"
            )
        for other, whose in meshes.items():
            if not (ranks <= other or other <= ranks):
                raise ValueError(
                    f"{recipe}: {name} is spread as {_shown(param)}, {whose}, on other ranks, of which neither has all "
                    "of the other's; spread both over the same ranks"
                )
        meshes.setdefault(ranks, f"{name} as {_shown(param)}")


def _shown(param: Any) -> str:
    placements = ", ".join(map(repr, param.placements))
    return f"({placements}) over ranks {param.device_mesh.mesh.tolist()}"


def agree(optimizer: Optimizer, chains: Sequence[Chain]) -> None:
    """Make sure, before the first step and after whatever changes it, that all ranks of each mesh do the same.

    Args:
        optimizer: which is about to step.
        chains: of its groups.

    Raises:
        RuntimeError: they do not; says what this rank and another are about to do.
    """
    counts = tuple(len(group["params"]) for group in optimizer.param_groups)
    if optimizer.__dict__.get("_alone") == counts:
        return
    meshes = _meshes(optimizer)
    if not meshes:
        optimizer.__dict__["_alone"] = counts
        return
    plan = counts, [(chain.structure(), group["maximize"]) for chain, group in zip(chains, optimizer.param_groups)]
    if optimizer.__dict__.get("_agreed") == plan:
        return
    for mesh, device in meshes.items():
        found = first_difference(_facts(optimizer, chains, mesh), mesh, device)
        if found is not None:
            rank, mine, its = found
            raise RuntimeError(
                f"ranks are not about to take the same step: this one has {mine}, rank {rank} has {its}; give all the "
                "same parameters, recipe, hyper-parameters and state"
            )
    optimizer.__dict__["_agreed"] = plan


def _meshes(optimizer: Optimizer) -> dict[Any, torch.device]:
    every = (param for group in optimizer.param_groups for param in group["params"])
    return {param.device_mesh: param.device for param in every if is_spread(param)}  # type: ignore[misc]


def _facts(optimizer: Optimizer, chains: Sequence[Chain], mesh: Any) -> list[str]:
    """What this rank is about to do with the parameters on a mesh."""
    facts = []
    for group, chain in zip(optimizer.param_groups, chains):
        params = [param for param in group["params"] if is_spread(param) and param.device_mesh == mesh]
        if params:
            engine, knobs = select.chosen(optimizer.engine, params[0].device), dict(sorted(chain.knobs().items()))
            state, weights = group["state"], group["weights"]
            facts.append(
                f"{group['recipe']} ({knobs}, maximize={group['maximize']}, state={state!r}, weights={weights!r}, "
                f"clock {group['clock']}, engine {engine})"
            )
            facts.append(repr(chain.structure()))
            facts += [_fact(param, optimizer.spec_of(param), optimizer.state.get(param, {})) for param in params]
    return facts


def _fact(param: Any, spec: ParamSpec, state: Any) -> str:
    grad = "no gradient"
    if param.grad is not None:
        kind = getattr(param.grad, "placements", "a plain tensor")
        grad = "a gradient" if kind == param.placements else f"a gradient spread as {kind}"
    odd = "" if local(param).is_contiguous() else ", not contiguous"
    return f"{spec}, {spec.dtype}, {param.placements}, step {state.get('step', 0.0):g}, {grad}{odd}"
