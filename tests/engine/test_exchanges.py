"""Parameters, state and groups that change places, come and go between steps: the engine does what eager does."""

import copy
import gc
import pickle
import threading
import weakref

import pytest
import torch

from gradwright.contract.training import noise
from tests.engine.world import ENGINES, RECIPES, World, assert_alike, live

pytestmark = [
    pytest.mark.usefixtures("compiler"),
    pytest.mark.parametrize("name", RECIPES),
    pytest.mark.parametrize("engine", ENGINES),
]

MATRICES = [(8, 4)] * 5


def exchanged_data(world):
    one, other = world.params[1], world.params[3]
    one.data, other.data = other.data, one.data


def exchanged_state(world):
    state, one, other = world.optimizer.state, world.params[1], world.params[3]
    state[one], state[other] = state[other], state[one]


def exchanged_entries(world):
    one, other = world.state(1), world.state(3)
    for key in world.keys(1):
        one[key], other[key] = other[key], one[key]


def tied_state(world):
    for key in world.keys(1):
        world.state(3)[key] = world.state(1)[key]


def overlapping_state(world):
    for key in world.keys(1):
        one = world.state(1)[key]
        both = torch.zeros(2 * one.numel() + 8)
        world.state(1)[key] = both[8 : 8 + one.numel()].view(one.shape)
        world.state(3)[key] = both[8 + one.numel() // 2 :][: one.numel()].view(one.shape)


def state_in_the_parameter(world):
    for key in world.keys(1):
        if world.state(1)[key].shape == (8, 4):
            world.state(1)[key] = world.params[1].detach()


def state_in_a_gradient(world):
    for key in world.keys(1):
        if world.state(1)[key].shape == (8, 4):
            world.state(1)[key] = world.params[2].grad


def swapped_parameters(world):
    for param in world.params:
        param.grad = None
    with torch.no_grad():
        fresh = [torch.nn.Parameter(noise(70 + at, (8, 4))) for at in (1, 3)]
    world.fresh = fresh
    for param, other in zip((world.params[1], world.params[3]), fresh):
        torch.utils.swap_tensors(param, other)


def swapped_state(world):
    for key in world.keys(1):
        value = world.state(1)[key]
        torch.utils.swap_tensors(value, 0.5 * value)


def copied(world):
    world.optimizer = copy.deepcopy(world.optimizer)
    world.params = world.optimizer.param_groups[0]["params"]


def pickled(world):
    world.optimizer = pickle.loads(pickle.dumps(world.optimizer))
    world.params = world.optimizer.param_groups[0]["params"]


def new_state(world):
    world.optimizer.state = type(world.optimizer.state)(
        dict, {param: dict(state) for param, state in world.optimizer.state.items()}
    )


def copied_state(world):
    for param, state in list(world.optimizer.state.items()):
        world.optimizer.state[param] = {
            key: value.clone() if torch.is_tensor(value) else value for key, value in state.items()
        }


def cleared_state(world):
    world.optimizer.state.clear()


def cleared_entries(world):
    world.state(1).clear()


def replaced(world):
    world.params[1] = world.optimizer.param_groups[0]["params"][1] = world.leaf(77, (8, 4))


def frozen(world):
    for at in (0, 1):
        world.params[at].requires_grad_(world.time % 4 > 1)


def joined(world):
    world.params.append(world.leaf(78, (8, 4)))
    world.optimizer.add_param_group({"params": [world.params[-1]]})


def loaded(world):
    world.optimizer.load_state_dict(copy.deepcopy(world.optimizer.state_dict()))


def one_buffer(world):
    buffer = torch.cat([param.detach().flatten() for param in world.params])
    for param, part in zip(world.params, buffer.split(32)):
        param.data = part.view(8, 4)


def overlapping(world):
    buffer = noise(5, (100,))
    for begin, at in ((0, 1), (16, 3), (48, 0)):
        world.params[at].data = buffer[begin : begin + 32].view(8, 4)


def tied(world):
    world.params[1].data = world.params[4].data


def shifted_without_a_common_storage(world):
    """Gradients and weights in one piece of memory that torch knows as two."""
    memory = noise(6, (64,)).numpy()
    world.memory = memory
    world.params[1].data = torch.from_numpy(memory[:32]).view(8, 4)
    world.params[1].grad = torch.from_numpy(memory[8:40]).view(8, 4)
    world.params[2].grad = torch.from_numpy(memory[28:60]).view(8, 4)


def rebuilt(world):
    """New tensors of the same size right after old ones were freed, so that addresses are used again."""
    for at in (0, 1, 2, 3, 4):
        for key in world.keys(at):
            value = world.state(at)[key].tolist()
            world.state(at)[key] = None
            world.state(at)[key] = torch.tensor(value)
        value = world.params[at].detach().tolist()
        world.params[at].grad = None
        world.params[at].data = torch.empty(0)
        world.params[at].data = torch.tensor(value)
    gc.collect()


def turned_in_place(world):
    for param in world.params[1:3]:
        param.grad = None
        param.data = torch.as_strided(param.data, (8, 4), (1, 8))


CHANGES = [
    exchanged_data,
    exchanged_state,
    exchanged_entries,
    tied_state,
    overlapping_state,
    state_in_the_parameter,
    state_in_a_gradient,
    swapped_parameters,
    swapped_state,
    copied,
    pickled,
    new_state,
    copied_state,
    cleared_state,
    cleared_entries,
    replaced,
    frozen,
    joined,
    loaded,
    one_buffer,
    overlapping,
    tied,
    rebuilt,
    turned_in_place,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_between_steps(name, engine, change):
    def story(world):
        world.train(3)
        for _ in range(3):
            change(world)
            world.gradients().step()
            world.step()

    live(name, engine, MATRICES, story)


@pytest.mark.parametrize("change", [state_in_a_gradient, shifted_without_a_common_storage], ids=lambda c: c.__name__)
def test_before_a_step(name, engine, change):
    def story(world):
        for _ in range(3):
            world.train(1)
            world.gradients()
            change(world)
            world.step()
            world.step()

    live(name, engine, MATRICES, story)


def test_state_exchanged_after_a_refused_step(name, engine):
    """Refusing a step must not make the optimizer forget to look at what is exchanged behind it."""

    def story(world):
        world.gradients()
        world.params[4].grad.data = world.params[4].grad[:2]
        assert world.step().startswith("RuntimeError")
        copied_state(world)
        world.train(1)
        replaced(world)
        world.gradients()
        world.params[4].grad.data = world.params[4].grad[:2]
        world.step()
        copied_state(world)
        exchanged_state(world)
        world.train(2)

    live(name, engine, MATRICES, story)


def test_gradients_that_come_and_go(name, engine):
    def story(world):
        for time in range(8):
            world.gradients({at for at in range(5) if (at + time) % 3 and time % 4}).step()

    live(name, engine, MATRICES, story)


def test_two_groups_with_the_same_memory(name, engine):
    def story(world):
        world.params.append(world.params[1].detach().view(4, 8).requires_grad_())
        world.optimizer.add_param_group({"params": [world.params[-1]]})
        world.train(4)

    live(name, engine, MATRICES, story)


def test_memory_is_let_go_after_a_step(name, engine):
    world = World(name, engine, MATRICES).train(2).gradients()
    watched = [weakref.ref(param.grad) for param in world.params]
    watched += [weakref.ref(world.state(1)[key]) for key in world.keys(1)]
    world.step()
    world.moments.clear()
    world.gradients(set())
    for key in world.keys(1):
        world.state(1)[key] = world.state(1)[key].clone()
    gc.collect()
    assert not any(ref() is not None for ref in watched)


@pytest.mark.slow
def test_threads(name, engine):
    """Optimizers of their own in threads that allocate and free all the time."""
    worlds = [World(name, engine, MATRICES) for _ in range(3)]

    def work(world):
        for _ in range(6):
            rebuilt(world)
            world.train(1)

    threads = [threading.Thread(target=work, args=(world,)) for world in worlds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = World(name, "eager", MATRICES)
    work(expected)
    for world in worlds:
        assert_alike(world, expected)
