"""RecipeSpec: a named function from hyper-parameters to a chain."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gradwright.core import Chain, chain
from gradwright.core.number import shown
from gradwright.core.spelling import nearest
from gradwright.core.transform import Transform
from gradwright.recipe.knob import Knob, knobs_of


@dataclass(frozen=True, eq=False)
class RecipeSpec:
    """What a recipe is, apart from the class that runs it.

    Args:
        name: the published name.
        build: the recipe function.
        paper: where it comes from.
        traits: words by which recipes are found and which the contract checks.
        only: a selector of the parameters it can serve, where it cannot serve all.
        signed: hyper-parameters that may be negative.
        torch_state: what ``torch.optim`` calls each slot, where it has the method.
        cycled: hyper-parameters that torch's schedulers may cycle even while they are ``None``.
        bounds: ranges of hyper-parameters, as (lowest allowed, first too large), where no part declares them.
        initial: hyper-parameters that count at a parameter's first step only; to change one later is a warning.

    Attributes:
        defaults: the hyper-parameters with their defaults.
        kinds: what each of them may be.
        floats: those that are a single float, or ``None`` where that is the default.
    """

    name: str
    build: Callable[..., Transform]
    paper: str = ""
    traits: frozenset[str] = frozenset()
    only: str | None = None
    signed: frozenset[str] = frozenset()
    torch_state: Mapping[str, str] = field(default_factory=dict)
    cycled: frozenset[str] = frozenset()
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    initial: frozenset[str] = frozenset()
    defaults: dict[str, Any] = field(init=False)
    kinds: dict[str, Knob] = field(init=False)
    floats: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        parameters = inspect.signature(self.build).parameters
        missing = [name for name, p in parameters.items() if p.default is p.empty]
        if missing:
            raise TypeError(
                f"recipe {self.name}: {', '.join(missing)} need a default, so that everyone starts somewhere"
            )
        kinds = knobs_of(self.build, self.signed, self.bounds)
        if strange := sorted((self.signed | self.cycled | self.initial | self.bounds.keys()) - kinds.keys()):
            hint = nearest(strange[0], kinds, f"it has {', '.join(kinds)}")
            raise TypeError(f"recipe {self.name}: there is no hyper-parameter {strange[0]!r}; {hint}")
        object.__setattr__(self, "kinds", kinds)
        object.__setattr__(self, "defaults", {name: knob.default for name, knob in kinds.items()})
        object.__setattr__(self, "floats", frozenset(n for n, k in kinds.items() if k.kinds == {float}))

    def chain(self, group: Mapping[str, Any]) -> Chain:
        """The chain for the hyper-parameters of a param group.

        A group that carries ``betas`` but no ``momentum`` lends its first beta, so that schedulers which cycle
        momentum find one name in all groups of a routed optimizer.

        Raises:
            ValueError, TypeError: a hyper-parameter is out of range or of the wrong kind; says which.
        """
        knobs = self.knobs(group)
        if knobs.get("momentum", 0.0) is not None or self._given("momentum", group) is None:
            return self.built(knobs)
        try:
            return self.resting(knobs)
        except (TypeError, ValueError):  # what needs a momentum takes one of 0, through which a schedule may go
            return self.built({**knobs, "momentum": 0.0})

    def resting(self, group: Mapping[str, Any]) -> Chain:
        """The chain of a group whose momentum, if it has one, is none.

        Raises:
            ValueError, TypeError: a part needs one; says which.
        """
        without = {"momentum": None} if "momentum" in self.kinds else {}
        chain = self.built(self.knobs({**group, **without}))
        try:
            chain.check_order(())
        except ValueError as refusal:
            raise ValueError(f"{self.name}: {refusal}") from None
        return chain

    def built(self, knobs: Mapping[str, Any]) -> Chain:
        """The chain for hyper-parameters that are all there and checked.

        Raises:
            ValueError, TypeError: a part refuses one; says which.
        """
        try:
            built = self.build(**knobs)
            for name, knob in self.kinds.items():  # after the parts, whose refusals say more
                knob.check_structure(knobs[name])
        except (TypeError, ValueError, ArithmeticError) as refusal:
            if str(refusal).startswith(f"{self.name}: "):
                raise
            kind = TypeError if isinstance(refusal, TypeError) else ValueError
            raise kind(f"{self.name}: {self._blamed(knobs, str(refusal))}") from refusal
        return built if isinstance(built, Chain) else chain(built)

    def _blamed(self, knobs: Mapping[str, Any], refusal: str) -> str:
        """A part's refusal, in which the hyper-parameter is named: the part knows its own field, not whose value it is.

        It is the one without which the others are taken.
        """
        for name, value in knobs.items():
            if value == self.defaults[name] or f"{name}=" in refusal:
                continue
            try:
                self.build(**{**knobs, name: self.defaults[name]})
            except (TypeError, ValueError, ArithmeticError):
                continue
            return f"{name}={shown(value)} is refused; {refusal}"
        return refusal

    def rests(self, name: str, value: Any) -> bool:
        """Whether a hyper-parameter is a momentum that is switched off, so that schedulers have nothing to cycle.

        Args:
            name: of the hyper-parameter.
            value: what it is set to.
        """
        if name != "momentum" or name in self.cycled or name not in self.kinds or not self.kinds[name].optional:
            return False
        return value is None or (isinstance(value, (int, float)) and value == 0)

    def knobs(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe's own hyper-parameters, taken from a param group and checked.

        Raises:
            ValueError, TypeError: one is out of range or of the wrong kind; names the recipe and the hyper-parameter.
        """
        found = {}
        for name, knob in self.kinds.items():
            try:
                found[name] = knob.checked(self._given(name, group))
            except (TypeError, ValueError) as refusal:
                raise type(refusal)(f"{self.name}: {refusal}") from None
        return found

    def _given(self, name: str, group: Mapping[str, Any]) -> Any:
        """What a group says of a hyper-parameter; its default where it says nothing."""
        if name not in group and name == "momentum" and "betas" in group:
            return self._lent(group["betas"])
        return group.get(name, self.defaults[name])

    def _lent(self, betas: Any) -> Any:
        """The momentum of a group that carries it as the first of its betas."""
        if isinstance(betas, (tuple, list)) and betas:
            return betas[0]
        raise TypeError(f"betas={shown(betas)} must be a tuple whose first number is the momentum")
