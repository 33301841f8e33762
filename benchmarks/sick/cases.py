"""The cases of the benchmark from faults, bases and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from benchmarks.sick.faults import Fault
from benchmarks.sick.healthy import DECOYS
from benchmarks.sick.setup import KINDS, OPTIMIZERS, Case, Setup, base


def sick(faults: Sequence[Fault], seeds: Sequence[int]) -> list[Case]:
    """Each fault once for each seed, in a base that the seed draws."""
    return [_case(fault, seed) for fault in faults for seed in seeds]


def _case(fault: Fault, seed: int) -> Case:
    draw = Random(f"{fault.change.__name__} {seed}")
    kind, optimizer = draw.choice(fault.kinds), draw.choice(fault.optimizers)

    def make() -> Setup:
        return fault.change(base(kind, optimizer, seed), draw)

    return Case(f"{fault.change.__name__} in {kind} by {optimizer}", fault.cause, seed, make, fault.mild)


def healthy(seeds: Sequence[int]) -> list[Case]:
    """Every kind with every optimizer, the seeds taking turns."""
    pairs = [(kind, optimizer) for kind in KINDS for optimizer in OPTIMIZERS]
    return [
        Case(f"healthy {kind} by {optimizer}", "", seed, lambda k=kind, o=optimizer, s=seed: base(k, o, s))
        for at, (kind, optimizer) in enumerate(pairs)
        for seed in (seeds[at % len(seeds)],)
    ]


def decoys(seeds: Sequence[int]) -> list[Case]:
    """Each decoy once for each seed."""
    return [
        Case(f"decoy {make.__name__}", "", seed, lambda m=make, s=seed: m(s, Random(s)))
        for make in DECOYS
        for seed in seeds
    ]
