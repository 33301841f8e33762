"""What ranks send in a step of a sharded model, and how long that takes, from formulas.

The parameters lie as FSDP2 has them: in blocks of rows, one for each rank. What is computed here is what the engine
sends: the same programs, the same owners and the same batches; a test compares it with bytes that were counted.

With R ranks, b bytes a second that a rank can send and l seconds until a message arrives,

    sum of N bytes:      2 (R − 1) / R · N / b + 2 ⌈log₂ R⌉ l
    gathering N bytes:   (R − 1) / R · N / b + ⌈log₂ R⌉ l
    exchange:            (what the busiest rank sends or receives) / b + (R − 1) l

"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from gradwright.core import HostScalar, ParamSpec, Slot
from gradwright.engine.exchange import cost, deal
from gradwright.engine.graph.symbol import Untraceable
from gradwright.engine.layout import Layout
from gradwright.engine.memory import in_batches
from gradwright.engine.operand import COLUMN, ROW, TENSOR
from gradwright.engine.select import BACKENDS
from gradwright.engine.specialize import Specialization, specializations
from gradwright.recipe.spec import RecipeSpec

Shape = tuple[int, ...]
DOUBLE = 8
"""Bytes of a number that ranks add up."""


def gpt(width: int, layers: int, vocabulary: int = 50304) -> dict[str, Shape]:
    """The shapes of a decoder: fused attention, a perceptron four times as wide, and tied embeddings."""
    found: dict[str, Shape] = {"embedding.weight": (vocabulary, width)}
    for layer in range(layers):
        found |= {
            f"layers.{layer}.attention.weight": (3 * width, width),
            f"layers.{layer}.projection.weight": (width, width),
            f"layers.{layer}.up.weight": (4 * width, width),
            f"layers.{layer}.down.weight": (width, 4 * width),
            f"layers.{layer}.norm1.weight": (width,),
            f"layers.{layer}.norm2.weight": (width,),
        }
    return found


MODELS = {
    "gpt-124m": gpt(768, 12),
    "gpt-1b": gpt(2048, 24),
    "gpt-7b": gpt(4096, 32),
    "gpt-70b": gpt(8192, 80),
}


@dataclass(frozen=True)
class Sent:
    """One collective of a step.

    Attributes:
        what: ``sum``, ``gather`` or ``exchange``.
        payload: the bytes that a rank puts in; of an exchange, those that leave their rank, on the average of ranks.
        busiest: of an exchange, the bytes that the busiest rank sends or receives.
    """

    what: str
    payload: float
    busiest: float = 0.0

    def seconds(self, ranks: int, bandwidth: float, latency: float) -> float:
        """How long it takes where nothing else is under way."""
        if ranks == 1:
            return 0.0
        hops = math.ceil(math.log2(ranks))
        if self.what == "sum":
            return 2 * (ranks - 1) / ranks * self.payload / bandwidth + 2 * hops * latency
        if self.what == "gather":
            return (ranks - 1) * self.payload / bandwidth + hops * latency
        return self.busiest / bandwidth + (ranks - 1) * latency

    def sent(self, ranks: int) -> float:
        """The bytes that a rank sends."""
        if self.what == "exchange":
            return self.payload
        return (2 / ranks if self.what == "sum" else 1) * (ranks - 1) * self.payload


def collectives(recipe: RecipeSpec, shapes: Mapping[str, Shape], ranks: int, itemsize: int = 4) -> list[Sent]:
    """What ranks send in a step of the parameters that a recipe serves, at its defaults.

    Args:
        recipe: the recipe.
        shapes: of the parameters, by name; each is cut along its first dimension.
        ranks: how many.
        itemsize: bytes of a number in which matrices are computed.
    """
    found: list[Sent] = []
    alike: dict[int, tuple[Specialization, list[Shape]]] = {}
    programs: dict[tuple[Shape, frozenset[str]], Specialization | None] = {}
    for spec in _served(recipe, shapes):
        kind = spec.shape, spec.roles
        if kind not in programs:
            programs[kind] = program_of(recipe, spec)
        program = programs[kind]
        if program is None:
            found += _gathered(recipe, spec, ranks, itemsize)
        else:
            alike.setdefault(id(program), (program, []))[1].append(spec.shape)
    if "loss" in recipe.chain({}).all_needs:
        found.append(Sent("sum", DOUBLE))
    for program, some in alike.values():
        found += _met(program, some)
        for _ in program.program.links:
            found += _exchanged(some, ranks, itemsize)
    return found


def _served(recipe: RecipeSpec, shapes: Mapping[str, Shape]) -> list[ParamSpec]:
    roles = {name: frozenset({"embedding"}) if "embedding" in name else frozenset[str]() for name in shapes}
    specs = [ParamSpec(shape, torch.float32, roles[name], name) for name, shape in shapes.items()]
    return [spec for spec in specs if recipe.only is None or spec.matches(recipe.only)]


def program_of(recipe: RecipeSpec, spec: ParamSpec) -> Specialization | None:
    """The second step of a parameter whose rows ranks share out; ``None`` where each computes all of it."""
    chain = recipe.chain({})
    numbers = [slot.start for slot in chain.slots(spec).values() if isinstance(slot, HostScalar)]
    try:
        kinds = specializations(chain, spec, False, BACKENDS["torch"], torch.device("cpu"), frozenset({0}))
        unknown = [math.nan] * (len(kinds.shared) + kinds.needs_loss)
        return kinds.at((*chain.knobs().values(), 2.0, 2.0, *numbers, *unknown))
    except Untraceable:
        return None


def _met(found: Specialization, shapes: Sequence[Shape]) -> list[Sent]:
    """One buffer for all sums of a sweep, and one, with a word on NaN, for all largest entries."""
    program, sent = found.program, []
    sharding = Layout(None, (0,)).seen(program.folding)
    for sweep in program.sweeps:
        for op, words in (("sum", 1), ("amax", 2)):
            nodes = [program.graph.nodes[at] for at in sweep.reductions]
            kinds = [node.kind for node in nodes if node.op == op and sharding.meeting(node.kind)]
            numbers = sum(_length(kind, shape, found) for kind in kinds for shape in shapes)
            if numbers:
                sent.append(Sent("sum", DOUBLE * words * numbers))
    return sent


def _length(kind: int, shape: Shape, found: Specialization) -> int:
    folding = found.program.folding
    if kind == TENSOR or folding is None:
        return 1
    return folding.sizes(shape)[{ROW: 0, COLUMN: 1}[kind]]


def _exchanged(shapes: Sequence[Shape], ranks: int, itemsize: int) -> list[Sent]:
    """Each matrix goes to its owner and comes back, batch by batch."""
    alike: dict[Shape, list[int]] = {}
    for at, shape in enumerate(shapes):
        alike.setdefault(shape, []).append(at)
    order = [at for shape in sorted(alike, key=lambda shape: -cost(shape)) for at in alike[shape]]
    owners = deal([cost(shape) for shape in shapes], ranks)
    sizes = [math.prod(shape) for shape in shapes]
    sent: list[Sent] = []
    for batch in in_batches(sizes, order, BACKENDS["cpp"].in_flight * ranks, ranks):
        arrives, stays = [0.0] * ranks, [0.0] * ranks
        for at in batch:
            block = -(-shapes[at][0] // ranks)
            own = max(0, min(block, shapes[at][0] - owners[at] * block)) * sizes[at] // shapes[at][0]
            arrives[owners[at]] += itemsize * (sizes[at] - own)
            stays[owners[at]] += itemsize * own
        share = itemsize * sum(sizes[at] for at in batch) / ranks
        busiest = max(max(arrives), max(share - one for one in stays))
        sent += [Sent("exchange", sum(arrives) / ranks, busiest)] * 2
    return sent


def _gathered(recipe: RecipeSpec, spec: ParamSpec, ranks: int, itemsize: int) -> list[Sent]:
    """Weights, gradient and all state that is cut as they are, in blocks of which the last are filled up."""
    slots = [slot for slot in recipe.chain({}).slots(spec).values() if isinstance(slot, Slot) and not slot.shared]
    shapes = [slot.shape_for(spec) for slot in slots]
    cut = [shape for shape in shapes if shape == spec.shape or (shape[:1] == spec.shape[:1] and 1 in shape[1:])]
    block = -(-spec.shape[0] // ranks)
    rest = [math.prod(shape[1:]) for shape in (spec.shape, spec.shape, *cut)]
    return [Sent("gather", itemsize * block * size) for size in rest]
