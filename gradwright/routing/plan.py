"""A plan: which recipe takes which parameter of a model, and why; printed, pickled, or made an optimizer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from gradwright.core import policy
from gradwright.core.selector import Selector, parse
from gradwright.optimizer.optimizer import Optimizer
from gradwright.optimizer.recipe import Bound, Recipe, registry
from gradwright.recipe.registry import spec_named
from gradwright.recipes import AdamW
from gradwright.routing.declared import depths, never_decaying
from gradwright.routing.gaps import refuse_gaps, selects
from gradwright.routing.roles import Survey, survey
from gradwright.routing.rules import Rule, read_layer_decay, read_no_decay, read_rules
from gradwright.routing.table import plan_text

Rules = Mapping[str, Bound | type[Recipe[...]]]


@dataclass(frozen=True)
class Row:
    """What a plan says about one parameter."""

    name: str
    shape: tuple[int, ...]
    roles: frozenset[str]
    module: str
    reason: str
    rule: int | None
    """The place of its rule among the rules; None if it is frozen and has none."""
    decays: bool = True
    """False where `no_decay` sets its weight decay to 0."""
    scale: float = 1.0
    """What `layer_decay` multiplies its learning rate by."""


@dataclass(frozen=True, repr=False)
class Plan:
    """Every parameter of a model with the recipe that takes it, made by `plan`. Print it to check it.

    It pickles without the parameters themselves; what is unpickled can be printed and compared.
    """

    rows: tuple[Row, ...]
    rules: tuple[Rule, ...]
    note: str
    """What was found about the output layer."""
    no_decay: str
    """The selector of what does not decay, or nothing."""
    params: tuple[Tensor, ...] = field(default=(), compare=False)
    """The parameters, row by row; none in an unpickled plan."""

    @property
    def groups(self) -> list[dict[str, Any]]:
        """Fresh param groups: one for each rule, two where a part of its parameters does not decay, and as many for
        each layer with `layer_decay`.

        Raises:
            ValueError: the plan was unpickled and has no parameters.
        """
        if not self.params:
            raise ValueError("this plan was unpickled, which leaves the parameters behind; plan(model, ...) again")
        parts = {(row.rule, row.decays, row.scale) for row in self.rows if row.rule is not None}
        return [self._group(*part) for part in sorted(parts, key=lambda part: (part[0], not part[1], part[2]))]

    def optimizer(self, **options: Any) -> Optimizer:
        """The optimizer that the plan describes; it keeps the plan as `.plan`.

        Args:
            options: of `Optimizer`, such as `engine`.
        """
        optimizer = Optimizer(self.groups, **options)
        optimizer.plan = self
        return optimizer

    def _group(self, index: int, decays: bool, scale: float) -> dict[str, Any]:
        part = (index, decays, scale)
        chosen = [(row, p) for row, p in zip(self.rows, self.params) if (row.rule, row.decays, row.scale) == part]
        return {
            "params": [param for _, param in chosen],
            "param_names": [row.name for row, _ in chosen],
            "roles": [" ".join(sorted(row.roles)) for row, _ in chosen],
            "recipe": self.rules[index].recipe,
            **self.rules[index].knobs_of(decays, scale),
        }

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "params": ()}

    def __str__(self) -> str:
        return plan_text(self)

    __repr__ = __str__


def plan(
    model: nn.Module,
    rules: Rules,
    *,
    no_decay: bool | str | None = None,
    layer_decay: float | None = None,
    head: str | nn.Module | Iterable[str | nn.Module] | None = "auto",
    roles: Mapping[str, str] | None = None,
    example_inputs: Any = None,
) -> Plan:
    """Which recipe takes which parameter of a model: every trainable one exactly once, by the first rule that matches.

    Args:
        model: any module.
        rules: selector -> recipe, in the order in which they are tried. A recipe is a class such as `AdamW`, or
            `AdamW.bind(lr=3e-4)` with hyper-parameters. See `gradwright.core.selector` for the selectors and
            `gradwright.core.roles` for the roles they may use.
        no_decay: what has `weight_decay=0` whatever its rule says: a selector, or True for the usual: biases,
            norm layers, vectors, single numbers, and what `model.no_weight_decay()` names (timm's models do). Recipes
            without weight decay are left as they are.
        layer_decay: in (0, 1], what the learning rate is multiplied by from each layer to the one before it, as in
            the fine-tuning of BEiT and MAE; see `gradwright.routing.declared.depths` for what a layer is. The last has
            the rate of its rule.
        head: the output layer, where the rules of `find_roles` miss it.
        roles: role words by a glob on names, in place of those found.
        example_inputs: arguments to run the model on once, to see how it uses its parameters.

    Returns:
        A `Plan`. Parameters with `requires_grad=False` are in it as frozen, and in no group.

    Raises:
        TypeError: a rule's value is no recipe, or the model no module.
        ValueError: a rule matches nothing, a parameter is matched by no rule, `no_decay` would be ignored, a selector
            is malformed, or `layer_decay` is out of range; each says which and the way out.

    >>> from gradwright.recipes import Lion
    >>> net = nn.Sequential(nn.Linear(4, 8, bias=False), nn.Linear(8, 3, bias=False))
    >>> [group["param_names"] for group in plan(net, {"matrix & !head": Lion, "*": AdamW}).groups]
    [['0.weight'], ['1.weight']]
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model={model!r}: routing needs the module itself, whose structure tells what its tensors are")
    read = read_rules(rules)
    read_no_decay(no_decay, read)
    found = survey(model, head=head, roles=roles, example_inputs=example_inputs)
    names = [one.name for one in found.roles.values()]
    keep = read_no_decay(no_decay, read, never_decaying(model, names) if no_decay is True else "")
    scales = read_layer_decay(layer_decay, depths(model, names) if layer_decay is not None else {})
    rows = tuple(_row(found, key, read, keep, scales) for key in found.params)
    refuse_gaps(rows, read)
    if keep is not None and no_decay is not True and not any(not row.decays for row in rows):
        raise ValueError(f"no_decay={no_decay!r} matches no parameter whose recipe has weight_decay; leave it out")
    return Plan(rows, tuple(read), found.note, str(keep or ""), tuple(found.params.values()))


def route(
    model: nn.Module,
    rules: Rules,
    *,
    no_decay: bool | str | None = None,
    layer_decay: float | None = None,
    head: str | nn.Module | Iterable[str | nn.Module] | None = "auto",
    roles: Mapping[str, str] | None = None,
    example_inputs: Any = None,
    **options: Any,
) -> Optimizer:
    """One optimizer in which every parameter of a model has its recipe; `print(optimizer.plan)` shows which and why.

    Args:
        model, rules, no_decay, layer_decay, head, roles, example_inputs: as for `plan`.
        options: of `Optimizer`: `engine`, `skip_nonfinite`, and `state` and `weights`, which hold for rules that set
            none.

    Raises:
        TypeError, ValueError: as `plan` does.

    >>> from gradwright.recipes import Muon
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> optimizer = route(net, {"matrix & !embedding & !head": Muon.bind(lr=0.02), "*": AdamW.bind(lr=3e-4)})
    >>> [group["recipe"] for group in optimizer.param_groups]
    ['Muon', 'AdamW']
    """
    known: dict[str, Any] = {"head": head, "roles": roles, "example_inputs": example_inputs}
    made = plan(model, rules, no_decay=no_decay, layer_decay=layer_decay, **known)
    return made.optimizer(**options)


def build(recipe: str | type[Recipe[...]], model: nn.Module, **knobs: Any) -> Optimizer:
    """A whole model with one recipe; what the recipe cannot serve goes to `AdamW` with its defaults.

    Args:
        recipe: a recipe class or its name. Its `only` says what it can serve: Muon takes hidden matrices.
        model: any module.
        knobs: hyper-parameters of the recipe; `state`, `weights` and `skip_nonfinite` hold for the whole model.

    Raises:
        TypeError: the recipe has no such hyper-parameter.
        ValueError: no recipe has that name, or it can serve none of the model's parameters.

    >>> net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))
    >>> [(rule.text, rule.recipe) for rule in build("Lion", net, lr=1e-4).plan.rules]
    [('*', 'Lion')]
    """
    if isinstance(recipe, str):
        recipe = registry[spec_named(recipe).name]
    whole = {key: knobs.pop(key) for key in ("skip_nonfinite",) if key in knobs}
    rules: dict[str, Any] = {recipe.only or "*": recipe.bind(**knobs)}
    served = parse(recipe.only or "*")
    found = survey(model)
    if not all(selects(served, one) for key, one in found.roles.items() if found.params[key].requires_grad):
        rules["*"] = AdamW
    return plan(model, rules).optimizer(**{key: knobs[key] for key in policy.KEYS if key in knobs}, **whole)


def _row(found: Survey, key: str, rules: list[Rule], keep: Selector | None, scales: Mapping[str, float]) -> Row:
    one, param = found.roles[key], found.params[key]
    chosen = None
    if param.requires_grad:
        chosen = next((index for index, rule in enumerate(rules) if selects(rule.selector, one)), -1)
    excluded = chosen is not None and chosen >= 0 and rules[chosen].decays and keep is not None and selects(keep, one)
    scale = scales.get(one.name, 1.0) if chosen is not None else 1.0
    return Row(one.name, tuple(param.shape), one.roles, one.module, one.reason, chosen, not excluded, scale)
