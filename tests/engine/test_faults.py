"""Whatever others do to tensors between steps, a step does what eager does, or is refused whole."""

import pytest
import torch

from gradwright.contract.training import noise
from tests.engine.world import ENGINES, PAD, RECIPES, World, live

pytestmark = [
    pytest.mark.usefixtures("compiler"),
    pytest.mark.parametrize("name", RECIPES),
    pytest.mark.parametrize("engine", ENGINES),
]

MATRICES = [(8, 4)] * 3
TWENTY = [(8, 4)] * 20


def shapes(name):
    """A vector between the matrices, where the recipe serves one."""
    return MATRICES if name == "Muon" else [(8, 4), (5,), (8, 4)]


NEW_WEIGHTS = {
    "larger": lambda p: noise(1, (16, 4)),
    "much larger": lambda p: noise(1, (512, 64)),
    "smaller": lambda p: p.data[:3],
    "other dimensions": lambda p: noise(1, (2, 4, 4)),
    "fewer dimensions": lambda p: noise(1, (32,)),
    "double": lambda p: p.data.double(),
    "bfloat16": lambda p: p.data.bfloat16(),
    "transposed": lambda p: p.data.t(),
    "transposed in shape": lambda p: noise(1, (4, 8)).t(),
    "expanded": lambda p: torch.ones(1, 1).expand(8, 4),
    "expanded rows": lambda p: torch.ones(1, 4).expand(8, 4),
    "empty": lambda p: torch.empty(0, 4),
    "every second": lambda p: noise(1, (16, 8))[::2, ::2],
    "a negative view": lambda p: torch._neg_view(noise(1, (8, 4))),
    "copy on write": lambda p: torch._lazy_clone(p.data),
    "float8": lambda p: p.data.to(torch.float8_e4m3fn),
}


@pytest.mark.parametrize("with_gradient", [True, False], ids=["new gradient", "old gradient"])
@pytest.mark.parametrize("change", NEW_WEIGHTS)
def test_other_weights(name, engine, change, with_gradient):
    def story(world):
        world.train(2)
        with torch.no_grad():
            world.params[0].data = NEW_WEIGHTS[change](world.params[0])
        if with_gradient:
            for at, param in enumerate(world.params):
                param.grad = None
                param.grad = noise(at, param.shape).to(param.dtype)
        world.step()
        world.step()

    live(name, engine, shapes(name), story)


def keyed(world, at, change):
    """Let something happen to every state tensor of a parameter."""
    for key in world.keys(at):
        change(world.state(at), key)


def put_data(make):
    def change(state, key):
        state[key].data = make(state[key])

    return change


def put(make):
    def change(state, key):
        state[key] = make(state[key])

    return change


NEW_STATE = {
    "shared": lambda state, key: state[key].share_memory_(),
    "emptied": lambda state, key: state[key].untyped_storage().resize_(0),
    "cut storage": lambda state, key: state[key].untyped_storage().resize_(4),
    "data: larger": put_data(lambda s: torch.zeros(64, 64)),
    "data: smaller": put_data(lambda s: s.flatten()[:1].clone()[:0]),
    "data: moved": put_data(torch.clone),
    "data: other type": put_data(torch.Tensor.double),
    "data: half": put_data(torch.Tensor.bfloat16),
    "data: turned": put_data(lambda s: s.mT.contiguous().mT if s.dim() > 1 else s),
    "data: expanded": put_data(lambda s: s.flatten()[:1].clone().expand(s.shape) if s.dim() else s),
    "data: every second": put_data(lambda s: s.repeat_interleave(2, 0)[::2] if s.dim() else s),
    "data: negative view": put_data(lambda s: torch._neg_view(s.clone())),
    "data: at an offset": put_data(lambda s: torch.cat([s.flatten(), s.flatten()])[s.numel() :].view(s.shape)),
    "set to nothing": lambda state, key: state[key].set_(),
    "resized": lambda state, key: state[key].resize_(3, 3, 3).zero_(),
    "resized to nothing": lambda state, key: state[key].resize_(0),
    "other type": put(torch.Tensor.double),
    "expanded": put(lambda s: s.flatten()[:1].clone().expand(s.shape) if s.dim() else s),
    "every second": put(lambda s: s.repeat_interleave(2, 0)[::2] if s.dim() else s),
    "negative view": put(lambda s: torch._neg_view(s.clone())),
    "zero": put(torch.zeros_like),
    "meta": put(lambda s: s.to("meta")),
    "sparse": put(lambda s: s.to_sparse()),
    "a number": put(lambda s: 0.5),
    "gone": lambda state, key: state.pop(key),
    "a view of a row": put(lambda s: s.new_ones(s.numel() * 3).view(-1, 3)[:, 1].as_strided(s.shape, s.stride())),
}


@pytest.mark.parametrize("change", NEW_STATE)
@pytest.mark.parametrize("many", [False, True], ids=["three", "twenty"])
def test_other_state(name, engine, change, many):
    def story(world):
        world.train(3)
        keyed(world, len(world.params) // 2, NEW_STATE[change])
        world.train(2)

    live(name, engine, TWENTY if many else shapes(name), story)


@pytest.mark.parametrize("with_gradient", [True, False], ids=["with gradient", "without"])
def test_offloaded_state_comes_back(name, engine, with_gradient):
    """Whoever empties storages must bring them back before a step that needs them; then the run is as it was."""

    def trained(offload):
        world = World(name, engine, TWENTY)
        world.train(2)
        kept = {key: world.state(7)[key].clone() for key in world.keys(7)}
        if offload:
            keyed(world, 7, lambda state, key: state[key].untyped_storage().resize_(0))
        world.gradients(None if with_gradient else set(range(20)) - {7})
        error = world.step() if offload and with_gradient else ""
        if kept and offload and with_gradient:
            assert error.startswith("RuntimeError")
            assert f"{next(iter(kept))!r} of parameter 7" in error
        for key, value in kept.items() if offload else ():
            world.state(7)[key].untyped_storage().resize_(value.numel() * value.element_size())
            world.state(7)[key].copy_(value)
        if not (error == "" and offload and with_gradient):
            world.step()
        world.train(3)
        return world

    straight, offloaded = trained(False), trained(True)
    for one, other in zip(straight.params, offloaded.params):
        assert torch.equal(one, other)


def test_weights_without_memory(name, engine):
    def story(world):
        world.train(2)
        storage = world.params[1].untyped_storage()
        size, kept = storage.nbytes(), world.rooms[1].clone()
        for room in (0, size // 2):
            storage.resize_(room)
            assert "parameter 1" in world.gradients().step()
            world.gradients({0, 2}).step()
        storage.resize_(size)
        world.rooms[1].copy_(kept)
        world.train(2)

    live(name, engine, shapes(name), story)


GRADIENTS = {
    "shifted view of its parameter": lambda w: w.rooms[1][PAD - 4 : PAD + 28].view(8, 4),
    "its parameter": lambda w: w.params[1].detach(),
    "its parameter, turned": lambda w: torch.as_strided(w.params[1].detach(), (8, 4), (1, 8)),
    "another parameter": lambda w: w.params[2].detach(),
    "the parameter before": lambda w: w.params[0].detach(),
    "its state": lambda w: state_like(w, 1),
    "another's state": lambda w: state_like(w, 2),
    "the state of the one before": lambda w: state_like(w, 0),
    "half of another parameter": lambda w: w.rooms[2][PAD - 16 : PAD + 16].view(8, 4),
    "one gradient for two": lambda w: w.params[2].grad,
    "half of another gradient": lambda w: torch.as_strided(w.params[2].grad, (8, 4), (2, 1)),
    "negative view": lambda w: torch._neg_view(noise(1, (8, 4))),
    "negative view of another": lambda w: torch._neg_view(w.params[0].detach()),
    "imaginary part": lambda w: noise(1, (8, 4), torch.complex64).conj().imag,
    "one number": lambda w: torch.ones(1, 1).expand(8, 4),
    "zero tensor": lambda w: torch._efficientzerotensor((8, 4)),
    "copy on write": lambda w: torch._lazy_clone(w.params[1].grad),
    "turned": lambda w: noise(1, (4, 8)).t(),
    "every second": lambda w: noise(1, (16, 8))[::2, ::2],
    "sparse": lambda w: noise(1, (8, 4)).to_sparse(),
}


def state_like(world, at):
    """A state tensor of the shape of the parameter, or the parameter's gradient."""
    found = [world.state(at)[key] for key in world.keys(at) if world.state(at)[key].shape == (8, 4)]
    return found[0] if found else world.params[at].grad


@pytest.mark.parametrize("change", GRADIENTS)
def test_other_gradients(name, engine, change):
    def story(world):
        for _ in range(2):
            world.train(1)
            world.gradients()
            world.params[1].grad = GRADIENTS[change](world)
            world.step()

    live(name, engine, MATRICES, story)


GRADIENT_DATA = {
    "shorter": lambda g: g[:3],
    "longer": lambda g: noise(1, (16, 4)),
    "flat": lambda g: g.flatten(),
    "more dimensions": lambda g: g[None],
    "a row": lambda g: g[:1],
    "a number": lambda g: g.sum(),
    "double": lambda g: g.double(),
    "half": lambda g: g.bfloat16(),
    "integers": lambda g: g.long(),
    "complex": lambda g: g.to(torch.complex64),
    "empty": lambda g: g[:0],
    "turned": lambda g: g.t().contiguous().t(),
    "expanded": lambda g: g[:1].expand(8, 4),
}


@pytest.mark.parametrize("change", GRADIENT_DATA)
def test_other_gradient_data(name, engine, change):
    def story(world):
        world.train(2)
        for _ in range(2):
            world.gradients()
            grad = world.params[1].grad
            grad.data = GRADIENT_DATA[change](grad)
            world.step()
        world.train(1)

    live(name, engine, MATRICES, story)


@pytest.mark.parametrize("room", [0, 4, 64, 124])
def test_gradients_whose_storage_was_cut(name, engine, room):
    def story(world):
        world.train(2)
        world.gradients()
        world.params[1].grad = noise(1, (8, 4))
        world.params[1].grad.untyped_storage().resize_(room)
        assert "gradient of parameter 1" in world.step()
        world.train(1)

    live(name, engine, MATRICES, story)


@pytest.mark.parametrize("old", [True, False], ids=["old gradients", "new gradients"])
@pytest.mark.parametrize("at", [0, 9, 19])
def test_a_table_that_is_cut(name, engine, at, old):
    def story(world):
        for _ in range(1 + at % 4):
            world.train(1)
        if not old:
            world.params[at].grad = None
        whole, world.params[at].data = world.params[at].data, world.params[at].data[:3]
        if old:
            world.step()
        else:
            world.gradients().step()
        world.params[at].grad = None
        world.params[at].data = whole
        world.train(2)

    live(name, engine, TWENTY, story)


@pytest.mark.slow
@pytest.mark.parametrize("time", range(1, 10))
def test_a_table_that_is_cut_anywhere(name, engine, time):
    def story(at):
        def told(world):
            world.train(time)
            world.params[at].grad = None
            world.params[at].data = world.params[at].data[:3]
            world.gradients().step()

        return told

    for at in range(20):
        live(name, engine, TWENTY, story(at))
