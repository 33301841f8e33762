"""Recipes by name in timm's optimizer factory: ``create_optimizer_v2(model, "gradwright.surefoot")``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gradwright.integrations.needed import missing
from gradwright.optimizer.recipe import Recipe, registry

try:
    from timm.optim import _optim_factory as factory
except ModuleNotFoundError as error:
    raise missing("timm", error) from None

PREFIX = "gradwright."
"""Before each name, since timm has optimizers of the same names; a `_` would be cut off by timm."""


def register(names: Iterable[str] | None = None) -> list[str]:
    """Enter recipes in timm's registry, so that ``create_optimizer_v2`` and timm's ``train.py --opt`` find them.

    ::

        gradwright.integrations.timm.register()
        optimizer = timm.optim.create_optimizer_v2(model, "gradwright.lion", lr=1e-4, layer_decay=0.75)

    timm makes the groups: what ``model.no_weight_decay()`` names does not decay, and ``layer_decay`` puts an
    ``lr_scale`` into each group, which timm's schedulers multiply by. ``"lookahead_gradwright.adamw"`` wraps one in
    timm's Lookahead. As for its own optimizers, timm gives a momentum of 0.9 where one is taken and none was said.

    Recipes for matrices alone (Muon) need to know the model: :func:`gradwright.presets.muon`, or
    :func:`gradwright.route` with ``no_decay=True`` and ``layer_decay=``, which do the same for them.

    Args:
        names: of recipes, your own too; all that there are if not given.

    Returns:
        The names in timm's registry.

    Raises:
        ValueError: no recipe has one of the names.
    """
    from gradwright.recipe.registry import spec_named

    chosen = list(registry) if names is None else [spec_named(name).name for name in names]
    found = []
    for name in chosen:
        info = _info(registry[name])
        if info.name not in factory.list_optimizers():
            factory.default_registry.register(info)
        found.append(info.name)
    return found


def _info(recipe: type[Recipe[...]]) -> Any:
    knobs, says = recipe.spec.defaults, (recipe.__doc__ or "").strip().partition("\n")[0]
    betas = knobs.get("betas")
    return factory.OptimInfo(
        name=f"{PREFIX}{recipe.recipe_name.lower()}",
        opt_class=_maker(recipe),
        description=says,
        has_eps="eps" in knobs,
        has_momentum="momentum" in knobs,
        has_betas=betas is not None,
        num_betas=len(betas) if isinstance(betas, tuple) else 2,
    )


def _maker(recipe: type[Recipe[...]]) -> Callable[..., Recipe[...]]:
    def made(params: Any, weight_decay: float = 0.0, **knobs: Any) -> Recipe[...]:
        groups = [dict(one) if isinstance(one, dict) else one for one in params]
        given = [one for one in groups if isinstance(one, dict)]
        if any(group.pop("use_fallback", False) for group in given):
            raise ValueError(
                f"{recipe.recipe_name}: fallback_list asks for a second optimizer, which this has not; "
                "gradwright.route(model, rules) gives each parameter its recipe"
            )
        if "weight_decay" in recipe.spec.defaults:
            return recipe(groups, weight_decay=weight_decay, **knobs)
        asked = max([weight_decay, *(group.pop("weight_decay", 0.0) for group in given)])
        if asked:
            raise ValueError(
                f"{recipe.recipe_name} has no weight_decay, and weight_decay={asked:g} asks for it; leave it out"
            )
        return recipe(groups, **knobs)

    made.__name__ = recipe.recipe_name
    return made
