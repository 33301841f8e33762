"""Muon for the hidden weights of any model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from gradwright.core import policy
from gradwright.core.warn import warn_user
from gradwright.optimizer.optimizer import Optimizer
from gradwright.optimizer.recipe import Bound, Recipe
from gradwright.routing.hidden import REST, hidden_plan


def muon(
    model: nn.Module,
    rest: Bound | type[Recipe[...]] = REST,
    *,
    no_decay: bool | str | None = True,
    layer_decay: float | None = None,
    head: str | nn.Module | Iterable[str | nn.Module] | None = "auto",
    roles: Mapping[str, str] | None = None,
    example_inputs: Any = None,
    engine: str = "auto",
    **knobs: Any,
) -> Optimizer:
    """One optimizer for a whole model: Muon for its hidden weights, and another recipe for the rest.

    =====================================================================  ====================================
    matrices of linear layers and attention, kernels of convolutions,      ``Muon(lr=0.02)``
    stacks of matrices (a mixture's experts)
    query, key and value weights that torch's attention stores as one      ``Muon(lr=0.02, split=3)``
    the output layer, embeddings, position tables, biases, norm layers,    ``rest``
    depthwise kernels, the gates of recurrent layers, complex weights
    =====================================================================  ====================================

    What is what is found by :func:`gradwright.find_roles`; ``print(optimizer.plan)`` shows it and says why. In a model
    without hidden weights, such as a single linear layer, ``rest`` takes everything, and a warning says so. The two
    learning rates differ by nature; to give both recipes AdamW's, say ``adjust_lr="match_rms_adamw", lr=3e-4``.

    Args:
        model: any module whose parameters exist, or come to exist by ``example_inputs``.
        rest: a recipe, or one with hyper-parameters such as ``gradwright.AdamW.bind(lr=1e-3)``;
            ``gradwright.Surefoot`` has no learning rate to find.
        no_decay, layer_decay, head, roles, example_inputs: as for :func:`gradwright.plan`; the usual does not decay
            if nothing else is said.
        engine: of :class:`~gradwright.Optimizer`.
        knobs: hyper-parameters of :class:`~gradwright.Muon`, such as ``lr`` (default 0.02); ``state`` and ``weights``
            hold for the whole model.

    Raises:
        TypeError: ``model`` is no module, ``rest`` no recipe, or Muon has no such hyper-parameter.
        ValueError: nothing is to be trained, or a hyper-parameter is out of range.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    >>> [(group["recipe"], group["param_names"]) for group in muon(model).param_groups]
    [('Muon', ['0.weight']), ('AdamW', ['3.weight']), ('AdamW', ['0.bias', '3.bias'])]
    """
    held = {key: knobs.pop(key) for key in policy.KEYS if key in knobs}
    known: dict[str, Any] = {"head": head, "roles": roles, "example_inputs": example_inputs}
    made = hidden_plan(model, rest, no_decay=no_decay, layer_decay=layer_decay, **known, **knobs)
    if all(rule.recipe != "Muon" for rule in made.rules):
        warn_user(
            f"presets.muon: the model has no hidden matrix or kernel, so that {made.rules[-1].recipe} takes all of it "
            f"({made.note})"
        )
    return made.optimizer(engine=engine, **held)
