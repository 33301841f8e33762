"""Suggest: what to train a model with, and why; plans that can be printed, edited and made optimizers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gradwright.core import ParamSpec, Slot
from gradwright.optimizer.optimizer import Optimizer
from gradwright.recipe.registry import spec_named
from gradwright.recipes import Adafactor, Surefoot, thrifty
from gradwright.routing.hidden import has_hidden, hidden_plan
from gradwright.routing.plan import Plan, Rules, plan
from gradwright.routing.roles import Survey, survey
from gradwright.routing.table import shares

HALF = (torch.float16, torch.bfloat16)
EVALUATED = """
# for each batch: optimizer.zero_grad(); loss.backward(); optimizer.step()
with optimizer.evaluating():
    ...  # validate, and save the weights to keep"""
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True)
class Option:
    """One way to train a model.

    Args:
        title: its name.
        why: what speaks for it, and what it asks for.
        code: the lines that do it.
        plan: which recipe takes which parameter.
        state_bytes: what it keeps beside the weights.
    """

    title: str
    why: str
    code: str
    plan: Plan
    state_bytes: int

    def optimizer(self, **options: Any) -> Optimizer:
        """The optimizer.

        Args:
            options: of :class:`~gradwright.Optimizer`, such as ``engine``.
        """
        return self.plan.optimizer(**options)


@dataclass(frozen=True, repr=False)
class Suggestion:
    """What to train a model with: the first option is the default, the others are for those who have a reason.

    Args:
        facts: what was found about the model.
        options: the ways, best first.
    """

    facts: tuple[str, ...]
    options: tuple[Option, ...]

    def optimizer(self, **options: Any) -> Optimizer:
        """The optimizer of the first option."""
        return self.options[0].optimizer(**options)

    def __str__(self) -> str:
        lines = [*self.facts, ""]
        for at, option in enumerate(self.options, start=1):
            lines += [f"{at}. {option.title}: {_size(option.state_bytes)} of state", f"   {option.why}"]
            lines += [f"   {line}" for line in shares(option.plan)] if len(option.plan.rules) > 1 else []
            lines += ["", *(f"       {line}" for line in option.code.splitlines()), ""]
        return "\n".join(lines).rstrip()

    __repr__ = __str__


def suggest(model: nn.Module) -> Suggestion:
    """What to train this model with, and why. Print it; ``suggest(model).optimizer()`` takes the first option.

    The default is :class:`~gradwright.Surefoot`, which has nothing to tune. Where the model has hidden matrices, Muon
    with AdamW for the rest is there for runs that are worth a search over learning rates; Surefoot with a factored
    moment, and Adafactor with next to no state, for models whose state would not fit.

    Args:
        model: any module whose parameters exist.

    Raises:
        TypeError: ``model`` is no module.
        ValueError: it has no parameter to train, or one that does not exist yet.

    >>> found = suggest(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)))
    >>> [option.title for option in found.options]
    ['Surefoot', 'Muon, and AdamW for the rest', 'Surefoot with a factored moment', 'Adafactor']
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model={model!r} is a {type(model).__name__}; give the module itself")
    lazy = [name for name, param in model.named_parameters() if nn.parameter.is_lazy(param)]
    if lazy:
        raise ValueError(f"{lazy[0]} does not exist yet: run the model on one batch first")
    trained = [param for param in model.parameters() if param.requires_grad]
    if not trained:
        raise ValueError("the model has no parameter with requires_grad: there is nothing to train")
    return Suggestion(tuple(_facts(model)), tuple(_options(model)))


def _facts(model: nn.Module) -> Iterator[str]:
    params = list(model.parameters())
    trained = [param for param in params if param.requires_grad]
    numbers = sum(param.numel() for param in trained)
    yield f"{numbers:,} numbers to train in {len(trained)} tensors, {_size(sum(map(_bytes, trained)))} of weights"
    if len(trained) < len(params):
        yield f"{len(params) - len(trained)} tensors are frozen"
    kinds = sorted({str(param.dtype).removeprefix("torch.") for param in trained if param.dtype in HALF})
    if kinds:
        yield (
            f"weights in {' and '.join(kinds)} round small steps away, whatever the optimizer: keep them in float32, "
            "and compute in the half type under torch.autocast"
        )
    modules = list(model.modules())
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in modules):
        yield (
            "BatchNorm statistics belong to the weights of training: recompute them where averaged weights are judged "
            "(gradwright.training.recompute_batch_norm)"
        )
    if sparse := [name for name, module in model.named_modules() if getattr(module, "sparse", False)]:
        yield (
            f"{sparse[0]} gives sparse gradients, which recipes with the trait rows take (gradwright list --trait "
            "rows): give it to one of them, or make it with sparse=False"
        )
    if _is_linear(modules):
        yield (
            "one linear layer: gradwright.linear_model finds its optimum under the usual losses without training, "
            "and bounds how far it is from it"
        )
    if threefold := [name for name, module in model.named_modules() if _threefold(module)]:
        yield (
            f"{threefold[0]} gives three times what it takes: if those are queries, keys and values, give each a scale "
            f'with gradwright.route(model, {{"name:{threefold[0]}.weight": gradwright.Surefoot.bind(split=3), ...}})'
        )
    if (deep := _depth(modules)) > 6 and not any("Norm" in type(module).__name__ for module in modules):
        yield f"{deep} layers and no normalisation: a fixed learning rate must be found with care, or not be needed"


def _options(model: nn.Module) -> Iterator[Option]:
    found = survey(model)
    code, rules = _surefoot(found)
    yield _option(
        model,
        "Surefoot",
        "Nothing to tune: no learning rate, no schedule, no warm-up. What it was measured on: docs/no_tuning.md.",
        code + EVALUATED,
        rules,
    )
    if has_hidden(found):
        yield Option(
            "Muon, and AdamW for the rest",
            "Fewer steps for a run that is worth a search: try lr of both and a falling schedule.",
            "optimizer = gradwright.presets.muon(model)",
            made := hidden_plan(model),
            _state_bytes(made),
        )
    yield _option(
        model,
        "Surefoot with a factored moment",
        "Half the state of Surefoot, and nearly what it reaches.",
        'optimizer = gradwright.thrifty(gradwright.Surefoot)(model.parameters(), moment="factored")',
        {"*": thrifty(Surefoot).bind(moment="factored")},
    )
    yield _option(
        model,
        "Adafactor",
        "Next to no state; its step is relative to the weights.",
        "optimizer = gradwright.Adafactor(model.parameters())",
        {"*": Adafactor},
    )


def _surefoot(found: Survey) -> tuple[str, Rules]:
    """One group, or two where query, key and value weights are stored as one matrix and get a scale each."""
    trained = {name: roles for name, roles in found.roles.items() if found.params[name].requires_grad}
    if not any("fused" in roles.roles for roles in trained.values()):
        return "optimizer = gradwright.Surefoot(model.parameters())", {"*": Surefoot}
    rest = {} if all("fused" in roles.roles for roles in trained.values()) else {"*": Surefoot}
    code = 'rules = {"fused": gradwright.Surefoot.bind(split=3)' + ', "*": gradwright.Surefoot' * len(rest) + "}"
    return f"{code}\noptimizer = gradwright.route(model, rules)", {"fused": Surefoot.bind(split=3), **rest}


def _option(model: nn.Module, title: str, why: str, code: str, rules: Rules) -> Option:
    made = plan(model, rules)
    return Option(title, why, code, made, _state_bytes(made))


def _state_bytes(made: Plan) -> int:
    """What the recipes of a plan keep beside its parameters, at the plan's hyper-parameters."""
    held, shared = 0, set[str]()
    for row, param in zip(made.rows, made.params):
        if row.rule is None:
            continue
        rule = made.rules[row.rule]
        spec = ParamSpec(tuple(param.shape), param.dtype, row.roles, row.name)
        for key, slot in spec_named(rule.recipe).chain(dict(rule.knobs)).slots(spec).items():
            if isinstance(slot, Slot) and key not in shared:
                held += slot.nbytes_for(spec)
                shared |= {key} if slot.shared else set()
    return held


def _is_linear(modules: list[nn.Module]) -> bool:
    """Whether one linear layer holds all weights."""
    holders = [module for module in modules if any(True for _ in module.parameters(recurse=False))]
    return len(holders) == 1 and isinstance(holders[0], nn.Linear)


def _depth(modules: list[nn.Module]) -> int:
    return sum(isinstance(module, (nn.Linear, nn.modules.conv._ConvNd)) for module in modules)


def _threefold(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) and module.out_features == 3 * module.in_features > 3


def _bytes(param: torch.Tensor) -> int:
    return param.numel() * param.element_size()


def _size(count: float) -> str:
    """Bytes in the unit in which they are a short number."""
    unit = 0
    while count >= 1024 and unit < len(UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.3g} {UNITS[unit]}"
