"""Recipe: a function from hyper-parameters to a chain becomes an optimizer class."""

from __future__ import annotations

import copyreg
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic

from typing_extensions import ParamSpec as Parameters

from gradwright.core import Chain, policy
from gradwright.optimizer import foreign
from gradwright.optimizer.groups import policy_of
from gradwright.optimizer.optimizer import Optimizer
from gradwright.recipe.registry import specs
from gradwright.recipe.spec import RecipeSpec

P = Parameters("P")

FLAGS = (*foreign.FLAGS, "differentiable")
"""torch's flags, taken so that one constructor call works for both; see :mod:`gradwright.optimizer.foreign`."""

registry: dict[str, type[Recipe[...]]] = {}
"""Every recipe class by name."""


class RecipeType(type):
    """The type of recipe classes; it lets those made by combinators be pickled."""

    made_by: tuple[Callable[..., Any], type] | None


def _reduce(cls: RecipeType) -> Any:
    return cls.__qualname__ if cls.made_by is None else (cls.made_by[0], cls.made_by[1:])


copyreg.pickle(RecipeType, _reduce)


class Recipe(Optimizer, Generic[P], metaclass=RecipeType):
    """An optimizer class made by :func:`recipe`: its arguments are the recipe's hyper-parameters.

    Args:
        params: tensors, (name, tensor) pairs, or param groups with their own hyper-parameters.
        maximize: climb instead of descend.
        state, weights: how much memory they may take; see :class:`Optimizer`.
        engine: how steps are executed; see :class:`Optimizer`.
        skip_nonfinite: leave out steps in which a gradient is not finite; see :class:`Optimizer`.
        foreach, fused, capturable: torch's flags of execution, which have no effect here; ``True`` is a warning.
        differentiable: must not be ``True``: steps are not recorded by autograd.

    Raises:
        TypeError: an argument that it does not have, or one of the wrong kind.
        ValueError: a hyper-parameter out of range, nothing to optimize, or a tensor that the recipe cannot serve; each
            says which and what to do.
    """

    spec: ClassVar[RecipeSpec]
    recipe_name: ClassVar[str] = ""
    only: ClassVar[str | None] = None

    def __init__(self, params: Any, *args: P.args, **kwargs: P.kwargs) -> None:
        options: dict[str, Any] = dict(kwargs)
        engine, maximize = options.pop("engine", "auto"), options.pop("maximize", False)
        skip = options.pop("skip_nonfinite", False)
        held = {key: options.pop(key) for key in policy.KEYS if key in options}
        foreign.flag(self.recipe_name, "maximize", maximize)
        foreign.check(self.recipe_name, options)
        for flag in (*FLAGS, "offload"):
            options.pop(flag, None)
        try:
            given = inspect.signature(self.spec.build).bind(*args, **options)
        except TypeError as error:
            known = ", ".join(self.spec.defaults)
            raise TypeError(f"{self.recipe_name}: {error}; its hyper-parameters are {known}") from None
        knobs = {**self.spec.defaults, **given.arguments}
        self.spec.chain(knobs) if knobs.get("momentum", 0.0) is not None else self.spec.resting(knobs)
        shown = {name: value for name, value in knobs.items() if not self.spec.rests(name, value)}
        if shown.get("momentum", 0.0) is None:  # monitors and schedulers read a number
            shown["momentum"] = 0.0
        defaults = {**shown, "maximize": maximize, "recipe": self.recipe_name, **held}
        super().__init__(params, defaults, engine=engine, skip_nonfinite=skip)

    @classmethod
    def chain(cls, **knobs: Any) -> Chain:
        """The chain that this recipe is, for these hyper-parameters."""
        return cls.spec.chain(cls.bind(**knobs).knobs)

    @classmethod
    def bind(cls, **knobs: Any) -> Bound:
        """This recipe with hyper-parameters, for :func:`gradwright.route`: ``Muon.bind(lr=0.02)``."""
        return Bound(cls, knobs)


@dataclass(frozen=True)
class Bound:
    """A recipe with some of its hyper-parameters, not yet with parameters; called with these it is an optimizer.

    Args:
        recipe: the class.
        knobs: the hyper-parameters.

    Raises:
        TypeError, ValueError: the recipe has no such hyper-parameter, or not in that range.
    """

    recipe: type[Recipe[...]]
    knobs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        recipe_spec = self.recipe.spec
        if strange := sorted(self.knobs.keys() - recipe_spec.defaults.keys() - set(policy.KEYS)):
            known = ", ".join(recipe_spec.defaults)
            raise TypeError(f"{recipe_spec.name} has no hyper-parameter {strange[0]!r}; it has {known}")
        recipe_spec.chain(self.knobs)
        policy_of({"recipe": recipe_spec.name, **self.knobs})

    def __call__(self, params: Any, **knobs: Any) -> Recipe[...]:
        return self.recipe(params, **{**self.knobs, **knobs})


def recipe(
    *,
    paper: str = "",
    traits: str = "",
    only: str | None = None,
    signed: str = "",
    torch_state: dict[str, str] | None = None,
    cycled: str = "",
    bounds: Mapping[str, tuple[float, float]] | None = None,
    initial: str = "",
) -> Callable[[Callable[P, Any]], type[Recipe[P]]]:
    """Turn a function from hyper-parameters to a chain into an optimizer class of the same name.

    >>> from gradwright.core import chain
    >>> from gradwright.transforms import Scale, Sign
    >>> @recipe(paper="none", traits="elementwise scale_free")
    ... def SignDescent(lr=1e-3):
    ...     \"\"\"The sign of the gradient.\"\"\"
    ...     return chain(Sign(), Scale(lr))
    >>> SignDescent.__name__, SignDescent.bind(lr=0.1).knobs
    ('SignDescent', {'lr': 0.1})

    Args:
        paper: where the method comes from.
        traits: words by which it is found and which the contract checks, such as ``elementwise`` and ``scale_free``.
        only: a selector of the parameters it can serve; :func:`gradwright.build` gives the others to AdamW.
        signed: hyper-parameters that may be negative.
        torch_state: what ``torch.optim`` calls each slot, where it has the method, so that its checkpoints load.
        cycled: hyper-parameters that torch's schedulers may cycle even while they are ``None``. A momentum of ``None``
            is otherwise no entry of ``optimizer.defaults``, so that ``OneCycleLR`` asks for ``cycle_momentum=False``
            instead of switching it on.
        bounds: ranges of hyper-parameters as (lowest allowed, first too large), where no part of the chain declares
            them. Numbers are otherwise at least 0, and whole numbers below 2³¹.
        initial: hyper-parameters that count at a parameter's first step only; to change one later is a warning.

    Raises:
        TypeError: a hyper-parameter has no default, or one is named that there is not.
        ValueError: the name is taken by another recipe.
    """

    def decorate(function: Callable[P, Any]) -> type[Recipe[P]]:
        recipe_spec = RecipeSpec(
            function.__name__,
            function,
            paper,
            frozenset(traits.split()),
            only,
            frozenset(signed.split()),
            torch_state or {},
            frozenset(cycled.split()),
            bounds or {},
            frozenset(initial.split()),
        )
        made: Any = make_recipe(recipe_spec, module=function.__module__, qualname=function.__qualname__)
        return made

    return decorate


def make_recipe(
    recipe_spec: RecipeSpec, module: str, qualname: str, made_by: tuple[Callable[..., Any], type] | None = None
) -> type[Recipe[...]]:
    """The optimizer class of a recipe, entered in the registry.

    Args:
        recipe_spec: what the recipe is.
        module: where it is defined, by which pickle finds it.
        qualname: its name there.
        made_by: the combinator and the recipe that made it, by which pickle makes it again.

    Raises:
        ValueError: another recipe has its name.
    """
    known = registry.get(recipe_spec.name)
    if known is not None and (known.__module__, known.__qualname__) != (module, qualname):
        raise ValueError(
            f"there is already a recipe called {recipe_spec.name} (in {known.__module__}); choose another name"
        )
    recipe_spec.chain({})
    body = {
        "__module__": module,
        "__qualname__": qualname,
        "__doc__": recipe_spec.build.__doc__,
        "__signature__": _signature(recipe_spec.build),
        "spec": recipe_spec,
        "recipe_name": recipe_spec.name,
        "only": recipe_spec.only,
        "made_by": made_by,
    }
    cls: Any = RecipeType(recipe_spec.name, (Recipe,), body)
    specs[recipe_spec.name], registry[recipe_spec.name] = recipe_spec, cls
    return cls


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    kinds = inspect.Parameter
    own = list(inspect.signature(function).parameters.values())
    shared = [
        kinds("maximize", kinds.KEYWORD_ONLY, default=False, annotation="bool"),
        kinds("state", kinds.KEYWORD_ONLY, default="auto", annotation="str"),
        kinds("weights", kinds.KEYWORD_ONLY, default="plain", annotation="str"),
        kinds("engine", kinds.KEYWORD_ONLY, default="auto", annotation="str"),
        kinds("skip_nonfinite", kinds.KEYWORD_ONLY, default=False, annotation="bool"),
        *(kinds(flag, kinds.KEYWORD_ONLY, default=None, annotation="bool | None") for flag in FLAGS),
    ]
    return inspect.Signature([kinds("params", kinds.POSITIONAL_OR_KEYWORD), *own, *shared])
