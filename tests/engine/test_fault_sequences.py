"""Random sequences of what others may do to tensors: after each step the engine stands where eager stands."""

import random
from contextlib import suppress

import pytest
import torch

from gradwright.contract.training import noise
from tests.engine import test_exchanges, test_faults
from tests.engine.world import ENGINES, RECIPES, live, readable

pytestmark = pytest.mark.usefixtures("compiler")

MATRICES = [(8, 4)] * 5
APART = ("frozen", "swapped_state", "swapped_parameters", "copied", "pickled", "joined")
"""What cannot follow everything else: a copy, say, has other parameters than those that may join."""
EXCHANGES = [change for change in test_exchanges.CHANGES if change.__name__ not in APART]
UNCERTAIN = {"resized"}
"""What leaves memory that nobody has written."""


class Story:
    """A sequence of changes and steps, drawn when it is told: the same for every engine.

    Args:
        seed: what to draw with.
        length: how many steps.
    """

    def __init__(self, seed, length):
        self.seed, self.length = seed, length

    def __call__(self, world):
        chance = random.Random(self.seed)
        self.expected = {key: world.state(0)[key].shape for key in world.keys(0)}
        world.train(chance.randrange(3))
        for _ in range(self.length):
            for _ in range(chance.randrange(3)):
                self.attempt(self.change, world, chance)
            if chance.random() < 0.9:
                self.attempt(self.gradients, world, chance)
            world.step()
            if world.moments[-1].error and chance.random() < 0.5:
                self.repair(world)

    def attempt(self, change, world, chance):
        """Some changes are not to be had after others, in any world: torch refuses them."""
        with suppress(RuntimeError, IndexError, ValueError):
            change(world, chance)

    def gradients(self, world, chance):
        count = len(world.params)
        everyone = set(range(count))
        members = everyone if chance.random() < 0.6 else {at for at in everyone if chance.random() < 0.7}
        world.gradients(members)
        at = chance.randrange(count)
        if chance.random() < 0.4 and all(self.whole(param) for param in world.params[:3]):
            # zeros by structure stay zero beside the NaN of a negative moment, where zeros by value do not
            kind = chance.choice(sorted(set(test_faults.GRADIENTS) - {"zero tensor"}))
            fitting = all(tuple(value.shape) == (8, 4) for value in self.matrices(world))
            if fitting and world.params[1].grad is not None and world.params[2].grad is not None:
                world.params[1].grad = test_faults.GRADIENTS[kind](world)
        elif chance.random() < 0.2 and world.params[at].grad is not None and self.whole(world.params[at]):
            kind, grad = chance.choice(sorted(test_faults.GRADIENT_DATA)), world.params[at].grad
            grad.data = test_faults.GRADIENT_DATA[kind](grad)

    def matrices(self, world):
        """The full-size state of the first parameters."""
        found = [value for at in range(3) for value in world.state(at).values() if torch.is_tensor(value)]
        return [value for value in found if value.dim() == 2 and 1 not in value.shape]

    def whole(self, param):
        known = param.shape == (8, 4) and param.dtype == torch.float32 and not param.is_neg()
        return known and readable(param) and 0 not in param.stride()

    def change(self, world, chance):
        at = chance.randrange(len(world.params))
        kind = chance.randrange(4)
        if kind == 0 and self.whole(world.params[at]):
            change = chance.choice(sorted(set(test_faults.NEW_WEIGHTS) - {"copy on write"}))
            world.params[at].data = test_faults.NEW_WEIGHTS[change](world.params[at])
        elif kind == 1:
            change = chance.choice(sorted(set(test_faults.NEW_STATE) - UNCERTAIN))
            if self.sound_state(world, at):
                test_faults.keyed(world, at, test_faults.NEW_STATE[change])
        elif kind == 2 and self.sound_everywhere(world):
            chance.choice(EXCHANGES)(world)
        elif chance.random() < 0.3:
            self.repair(world)

    def sound(self, value):
        if not torch.is_tensor(value):
            return True
        plain = readable(value) and value.dtype == torch.float32
        return plain and value.is_contiguous() and value.numel() > 0

    def sound_state(self, world, at):
        state = world.state(at)
        shapes = {key: value.shape for key, value in state.items() if torch.is_tensor(value)}
        return shapes == self.expected and all(map(self.sound, state.values()))

    def sound_everywhere(self, world):
        """Whether the changes that look at values may do so."""
        states = [world.state(at) for at in range(len(world.params))]
        if not all(self.sound_state(world, at) for at in range(len(states))):
            return False
        if len({frozenset(state) for state in states}) > 1 or not all(map(self.whole, world.params)):
            return False
        grads = [param.grad for param in world.params]
        return all(readable(grad) and not grad._is_zerotensor() for grad in grads)

    def repair(self, world):
        """Begin again with what does not fit."""
        for at, param in enumerate(world.params):
            param.grad = None
            if not self.whole(param):
                param.data = noise(at, (8, 4))
                world.optimizer.state.pop(param, None)
            elif not self.sound_state(world, at):
                world.optimizer.state.pop(param, None)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", RECIPES)
def test_some_sequences(name, engine):
    for seed in range(6):
        live(name, engine, MATRICES, Story(seed, 12))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", RECIPES)
def test_many_sequences(name, engine):
    for seed in range(100, 200):
        # long stories come to state of all kinds, in which a few places cancel
        live(name, engine, MATRICES, Story(seed, 25), relative=1e-4)
