"""What a plan refuses: rules without parameters and parameters without a rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gradwright.core.selector import Selector, parse
from gradwright.recipe.registry import spec_named
from gradwright.routing.roles import Roles
from gradwright.routing.rules import Rule

if TYPE_CHECKING:
    from gradwright.routing.plan import Row


def selects(selector: Selector, found: Roles | Row) -> bool:
    """Whether a selector matches a parameter."""
    return selector.matches(found.roles, found.name, found.module)


def refuse_gaps(rows: Sequence[Row], rules: Sequence[Rule]) -> None:
    """Refuses a plan in which nothing can be trained, a rule has no parameter or a parameter no rule.

    Raises:
        ValueError: says which rule or parameters, and who took what the rule selects.
    """
    if all(row.rule is None for row in rows):
        raise ValueError("the model has no trainable parameter" + (": all are frozen" if rows else ""))
    for index, rule in enumerate(rules):
        if not any(row.rule == index for row in rows):
            raise ValueError(f"rule {rule.text!r} -> {rule} matches nothing: {_why_nothing(rule, rows, rules)}")
    if left := [row for row in rows if row.rule == -1]:
        names = ", ".join(f"{row.name} ({' '.join(sorted(row.roles))})" for row in left[:5])
        more = f" and {len(left) - 5} more" if len(left) > 5 else ""
        raise ValueError(f'no rule matches {names}{more}; end with a rule for the rest, such as {{"*": AdamW}}')


def _why_nothing(rule: Rule, rows: Sequence[Row], rules: Sequence[Rule]) -> str:
    candidates = [row for row in rows if selects(rule.selector, row)]
    takers = {row.rule for row in candidates if row.rule is not None}
    if takers:
        earlier = ", ".join(f"{rules[taker].text!r} ({rules[taker].recipe})" for taker in sorted(takers))
        return f"what it selects is already taken by {earlier}; leave it out, or put it first"
    if candidates:
        return f"what it selects is frozen, such as {candidates[0].name}; leave it out, or set requires_grad"
    present = " ".join(sorted(frozenset().union(*(row.roles for row in rows))))
    return f"the roles in this model are {present}; {_way_out(rule, rows)}"


def _way_out(rule: Rule, rows: Sequence[Row]) -> str:
    """Where a recipe serves certain parameters alone, others than those that the rule asks for may be among them."""
    only = spec_named(rule.recipe).only
    served = next((row for row in rows if only and row.rule is not None and selects(parse(only), row)), None)
    if served is None:
        return "leave the rule out, or give its recipe to what is there"
    way = " (gradwright.presets.muon does)" if rule.recipe == "Muon" else ""
    return f"{rule.recipe} serves {served.name} ({' '.join(sorted(served.roles))}): select {only!r}{way}"
