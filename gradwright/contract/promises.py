"""What parts and combinators declare of themselves, and others count on."""

from __future__ import annotations

from gradwright.contract.asserts import close
from gradwright.contract.check import Knobs, RecipeClass, check
from gradwright.contract.training import Training
from gradwright.recipes.combinator import Combinator

FAST = 2.0**-10
"""A power of two, so that a product with it rounds as one with twice as much."""


@check()
def rates_are_declared(recipe: RecipeClass, knobs: Knobs) -> None:
    """Twice the lr doubles, or squares, exactly those numbers of the chain that its parts declare as rates."""
    decay = {"weight_decay": 0.125} if isinstance(recipe.spec.defaults.get("weight_decay"), float) else {}
    once = recipe.spec.chain({**knobs, **decay, "lr": FAST})
    twice = recipe.spec.chain({**knobs, **decay, "lr": 2 * FAST}).knobs()
    powers = once.all_rates()
    for name, value in once.knobs().items():
        factor = 2.0 ** powers.get(name, 0)
        assert twice[name] == factor * value, (
            f"{name} goes from {value:g} to {twice[name]:g} with twice the lr, where its part declares a factor of "
            f"{factor:g}; say so in its rates"
        )


@check()
def neutral_settings_change_nothing(recipe: RecipeClass, knobs: Knobs) -> None:
    """What a combinator declares to be neutral leaves the steps of the recipe inside as they were."""
    if recipe.made_by is None or not isinstance(recipe.made_by[0], Combinator) or recipe.made_by[0].neutral is None:
        return
    combinator, base = recipe.made_by
    names = combinator.named(base.spec)
    outer = {**knobs, **{names.get(name, name): value for name, value in combinator.neutral.items()}}
    inner = {name: value for name, value in outer.items() if name in base.spec.defaults}
    combined = Training(recipe, outer)
    plain = Training(base, inner, [param.detach().clone().requires_grad_() for param in combined.params])
    for found, expected in zip(combined.step(4).values(), plain.step(4).values()):
        close(
            found,
            expected,
            f"{combinator.__name__}() with {dict(combinator.neutral)} steps otherwise than {base.recipe_name}",
            rtol=1e-5,
            atol=1e-7,
        )
