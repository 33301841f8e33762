"""World: an optimizer whose tensors others move, cut, share and empty between steps, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradwright import SGD, SM3, Adafactor, AdamW, Amos, Lamb, Muon, ScheduleFreeAdamW
from gradwright.contract.training import noise
from gradwright.optimizer.pointers import room
from tests.engine.pair import distance

CANARY, PAD = 7.0, 16
RECIPES: dict[str, tuple[Any, dict[str, Any]]] = {
    "AdamW": (AdamW, {}),
    "Adafactor": (Adafactor, {}),
    "SM3": (SM3, {"momentum": 0.9}),
    "Amos": (Amos, {}),
    "Lamb": (Lamb, {}),
    "Muon": (Muon, {}),
    "ScheduleFreeAdamW": (ScheduleFreeAdamW, {}),
    "SGD": (SGD, {}),
    "SGD with momentum": (SGD, {"momentum": 0.9}),
}
ENGINES = ("cpp", "torch")
"""Those that are compared with eager."""


def readable(tensor: Any) -> bool:
    """Whether looking at a tensor's values is safe."""
    if not isinstance(tensor, Tensor) or tensor.device.type == "meta" or tensor.layout != torch.strided:
        return False
    has, needs = room(tensor)
    return has >= needs


@dataclass
class Moment:
    """How a step ended, and what stood where after it."""

    error: str
    weights: list[Tensor | None]
    state: list[dict[str, Any]]
    clocks: list[int]


class World:
    """Parameters in rooms with guards on both sides, and their optimizer.

    Args:
        name: which of ``RECIPES``.
        engine: the optimizer's.
        shapes: those of the parameters.
    """

    def __init__(self, name: str, engine: str, shapes: Sequence[tuple[int, ...]]) -> None:
        recipe, knobs = RECIPES[name]
        self.rooms: list[Tensor] = []
        self.params = [self.leaf(index, shape) for index, shape in enumerate(shapes)]
        self.optimizer = recipe(self.params, engine=engine, **knobs)
        self.around = [torch.full((64,), CANARY) for _ in range(64)]
        self.moments: list[Moment] = []
        self.time = 0

    def leaf(self, seed: int, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
        return self.guarded(seed, shape, dtype).requires_grad_()

    def guarded(self, seed: int, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
        """Noise in the middle of a room, of which nobody may touch the rest."""
        values = noise(seed, shape, dtype)
        around = torch.full((values.numel() + 2 * PAD,), CANARY, dtype=dtype)
        self.rooms.append(around)
        return around[PAD : PAD + values.numel()].view(tuple(shape)).copy_(values)

    def state(self, at: int) -> dict[str, Any]:
        return self.optimizer.state[self.params[at]]

    def keys(self, at: int) -> list[str]:
        return [key for key, value in self.state(at).items() if isinstance(value, Tensor)]

    def gradients(self, members: Iterable[int] | None = None) -> World:
        """New gradients, of which those of some members are ``None``, laid out in rooms too."""
        self.time += 1
        for at, param in enumerate(self.params):
            if members is None or at in members:
                param.grad = self.guarded(1000 * self.time + at, param.shape, param.dtype)
            else:
                param.grad = None
        return self

    def step(self) -> str:
        """Try a step with the gradients that are there; returns the name of the error.

        Raises:
            AssertionError: a step that was refused changed something, or a guard was touched.
        """
        before = self.moment("")
        error = ""
        try:
            self.optimizer.step()
        except (RuntimeError, ValueError) as why:
            error = f"{type(why).__name__}: {why}"
        after = self.moment(error)
        if error:
            assert_unchanged(before, after)
        self.assert_guards()
        self.moments.append(after)
        return error

    def train(self, count: int) -> World:
        for _ in range(count):
            self.gradients().step()
        return self

    def moment(self, error: str) -> Moment:
        params = [param for group in self.optimizer.param_groups for param in group["params"]]
        weights = [param.detach().clone() if readable(param) else None for param in params]
        state = [
            {
                key: value.clone() if readable(value) else value
                for key, value in self.optimizer.state.get(param, {}).items()
            }
            for param in params
        ]
        return Moment(error, weights, state, [group["clock"] for group in self.optimizer.param_groups])

    def assert_guards(self) -> None:
        for around in self.rooms:
            if around.untyped_storage().nbytes() >= around.numel() * around.element_size():
                assert (around[:PAD] == CANARY).all(), "a step wrote in front of a tensor"
                assert (around[-PAD:] == CANARY).all(), "a step wrote behind a tensor"
        assert all((one == CANARY).all() for one in self.around), "a step wrote into a tensor that is not its own"


def assert_unchanged(before: Moment, after: Moment) -> None:
    """A refused step leaves weights, state and clocks as they are; state may begin."""
    assert before.clocks == after.clocks, after.error
    for one, other in zip(before.weights, after.weights, strict=True):
        assert one is None or _equal(one, other), f"a weight changed: {after.error}"
    for old, new in zip(before.state, after.state):
        for key, value in old.items():
            same = (
                not readable(value) or _equal(value.to(new[key].dtype), new[key])
                if isinstance(value, Tensor)
                else value == new[key]
            )
            assert same, f"{key} changed: {after.error}"


def _equal(one: Tensor, other: Tensor) -> bool:
    return torch.equal(*(torch.view_as_real(t.to(torch.complex128)).nan_to_num() for t in (one, other)))


def assert_alike(mine: World, its: World, relative: float = 1e-5) -> None:
    """Two worlds that lived through the same end alike at every step, errors included."""
    for time, (one, other) in enumerate(zip(mine.moments, its.moments, strict=True)):
        kinds = [moment.error.partition(":")[0] for moment in (one, other)]
        assert kinds[0] == kinds[1], f"step {time}: {one.error or 'no error'}, eager {other.error or 'no error'}"
        assert one.clocks == other.clocks
        for at, (weight, expected) in enumerate(zip(one.weights, other.weights, strict=True)):
            assert (weight is None) == (expected is None)
            if weight is not None:
                _assert_close(f"step {time}: parameter {at}", weight, expected, relative)
        for at, (state, expected) in enumerate(zip(one.state, other.state, strict=True)):
            assert state.keys() == expected.keys()
            for key, value in expected.items():
                if isinstance(value, Tensor):
                    if readable(value):
                        _assert_close(f"step {time}: {key} of {at}", state[key], value, relative)
                else:
                    assert state[key] == value, f"step {time}: {key} of {at}"


def _assert_close(name: str, mine: Tensor, its: Tensor, relative: float) -> None:
    assert (mine.shape, mine.dtype) == (its.shape, its.dtype), name
    assert not its.numel() or distance(mine, its) <= relative, name


def live(
    name: str, engine: str, shapes: Sequence[tuple[int, ...]], story: Callable[[World], Any], relative: float = 1e-5
) -> World:
    """A world in which a story took place, the same under ``engine`` as under eager."""
    worlds = []
    for one in (engine, "eager"):
        worlds.append(World(name, one, shapes))
        story(worlds[-1])
    assert_alike(*worlds, relative)
    return worlds[0]
