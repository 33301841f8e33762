"""The compiled look at tensors says what its definition in Python says."""

from functools import lru_cache

import numpy as np
import pytest
import torch

from gradwright import AdamW, Lamb
from gradwright.contract.training import noise
from gradwright.native import build, libtorch, tensors
from gradwright.native.tensors import (
    Known,
    Native,
    Verdict,
    look_at_gradients_in_python,
    look_in_python,
    stretches,
)

pytestmark = pytest.mark.usefixtures("compiler")

DTYPES = (
    torch.float32,
    torch.float32,
    torch.float32,
    torch.float64,
    torch.bfloat16,
    torch.complex64,
    torch.int64,
    torch.bool,
    torch.float8_e5m2,
)
SHAPES = ((), (0,), (1,), (6,), (6, 4), (4, 6), (1, 24), (2, 0, 3), (2, 3, 4), (2, 3, 2, 2), (1, 2, 3, 1, 4), (24,))


class Draw:
    """Tensors of all kinds, by chance but the same in every run."""

    def __init__(self, seed):
        self.chance = np.random.default_rng(seed)
        self.memory = torch.zeros(400, dtype=torch.uint8)

    def one_of(self, choices):
        return choices[self.chance.integers(len(choices))]

    def tensor(self, like=None):
        """Something new, or a relative of another tensor: as it is, moved, cut, turned, or in pieces."""
        if like is None or self.chance.random() < 0.2:
            tensor = torch.zeros(self.one_of(SHAPES)).to(self.one_of(DTYPES))
        else:
            tensor = self.one_of([like.detach(), like.detach().clone(), like.detach(), self.beside(like)])
        for _ in range(self.chance.integers(3)):
            tensor = self.changed(tensor)
        return tensor

    def beside(self, like):
        """One of the same size in a memory that others use too, each with a storage of its own."""
        count = like.numel() * like.element_size()
        begin = 16 * int(self.chance.integers(0, 8))
        if not count or begin + count > len(self.memory) or like.element_size() == 1:
            return like.detach()
        part = torch.from_numpy(self.memory.numpy()[begin : begin + count])
        return part.view(like.dtype).view(like.shape)

    def changed(self, tensor):
        if not usable(tensor):  # nobody may read it
            return tensor
        changes = [
            lambda t: t.clone(),
            lambda t: t[..., : max(1, t.shape[-1] // 2)] if t.dim() else t,
            lambda t: t[::2] if t.dim() else t,
            lambda t: t.mT if t.dim() > 1 else t,
            lambda t: t.contiguous(),
            lambda t: t[None],
            lambda t: t.squeeze(),
            lambda t: t.flatten()[:1].expand(6) if t.numel() else t,
            lambda t: torch._neg_view(t.clone()) if t.dtype == torch.float32 else t,
            lambda t: t.clone().conj() if t.is_complex() else t,
            lambda t: t.to(self.one_of(DTYPES)) if not t.is_complex() else t,
            self.cut,
            self.padded,
            lambda t: t.as_strided(t.shape, [7 if n == 1 else s for n, s in zip(t.shape, t.stride())]),
            lambda t: torch.zeros(t.shape).to_sparse() if t.dim() else t,
            lambda t: t.to("meta"),
            lambda t: torch._lazy_clone(t.clone()),
            lambda t: torch._efficientzerotensor(t.shape),
        ]
        return self.one_of(changes)(tensor)

    def cut(self, tensor):
        """A tensor whose storage has lost some bytes."""
        found = tensor.clone()
        size = found.untyped_storage().nbytes()
        if size:
            found.untyped_storage().resize_(int(self.chance.integers(0, size + 1)))
        return found

    def padded(self, tensor):
        """The same behind an offset."""
        around = torch.zeros(tensor.numel() + 5).to(tensor.dtype)
        return around[3 : 3 + tensor.numel()].view(tensor.shape)


def usable(tensor):
    """What can be known of: tensors with memory."""
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor._is_zerotensor()
    return plain and tensors.extent(tensor) * tensor.element_size() <= tensor.untyped_storage().nbytes()


def assert_same(one, other, verdicts):
    assert verdicts[0] == verdicts[1]
    assert one.verdicts.tolist() == other.verdicts.tolist()
    seen = one.verdicts < Verdict.OTHER
    assert np.array_equal(one.pointers[seen], other.pointers[seen])


def agree(seed, count):
    """One comparison of each kind on ``count`` tensors; returns the verdicts that occurred."""
    native, draw = tensors.native(), Draw(seed)
    before = [tensor for tensor in (draw.tensor() for _ in range(count)) if usable(tensor)]
    after = [draw.tensor(tensor) for tensor in before]
    one, other = Known(before), Known(before)
    assert_same(one, other, (native.look(one, after), look_in_python(other, after)))
    occurred = one.verdicts.tolist()

    params = [tensor for tensor in before if tensor.is_floating_point() and tensor.element_size() > 1]
    params = [tensor.detach().requires_grad_() for tensor in params]
    one, other = Known(params), Known(params)
    written = stretches(one.pointers, one.pointers + np.array(one.bytes, np.int64))
    others = [draw.one_of(params).detach() for _ in params]
    for param, stranger in zip(params, others):
        grad = draw.tensor(param) if draw.chance.random() < 0.8 else stranger
        if grad.layout == torch.strided and grad.shape == param.shape and grad.dtype == param.dtype:
            if grad.device == param.device:
                param.grad = grad
        elif grad.layout == torch.strided and grad.device == param.device and draw.chance.random() < 0.7:
            param.grad = torch.zeros_like(param)
            if grad.is_complex() == param.is_complex():
                param.grad.data = grad
    mine = native.look_at_gradients(one, params, one.pointers.copy(), written)
    its = look_at_gradients_in_python(other, [param.grad for param in params], other.pointers.copy(), written)
    assert_same(one, other, (mine, its))
    return occurred + one.verdicts.tolist()


def test_the_compiled_look_is_there():
    assert tensors.native() is not None


def test_random_tensors():
    occurred = [verdict for seed in range(30) for verdict in agree(seed, 150)]
    assert len(occurred) > 5000
    assert min(occurred.count(verdict) for verdict in Verdict) > 100


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1010))
def test_many_random_tensors(seed):
    for turn in range(40):
        agree(100 * seed + turn, 400)


@pytest.mark.parametrize("seed", range(20))
def test_stretches(seed):
    """Against a drawing of memory, byte by byte."""
    chance = np.random.default_rng(seed)
    begins = chance.integers(0, 200, 12)
    ends = begins + chance.integers(0, 12, 12)
    memory = np.zeros(300, bool)
    for begin, end in zip(begins, ends):
        memory[begin:end] = True
    drawn = np.zeros(300, bool)
    found = stretches(begins, ends)
    assert (np.diff(found.T.ravel()) > 0).all()
    for begin, end in found.T:
        drawn[begin:end] = True
    assert np.array_equal(memory, drawn)


def test_stretches_of_nothing():
    assert stretches(np.zeros(0, np.int64), np.zeros(0, np.int64)).shape == (2, 0)
    assert stretches(np.full(3, 5), np.full(3, 5)).shape == (2, 0)


def trained(recipe):
    params = [noise(at, (6, 4)).requires_grad_() for at in range(5)]
    optimizer = recipe(params, engine="cpp")
    for time in range(5):
        for at, param in enumerate(params):
            param.grad = None if (at + time) % 3 == 0 else noise(10 * time + at, (6, 4))
        if time == 2:
            params[1].data = params[1].data.clone()
            params[2].grad = params[3].detach() if params[2].grad is not None else None
            optimizer.state[params[4]]["ema.m"].share_memory_()
        optimizer.step()
    return params


@pytest.fixture
def forgetful():
    """What is known of this torch is found out anew, before and after."""
    native = tensors.native
    native.cache_clear()
    yield
    native.cache_clear()


def absent(monkeypatch):
    monkeypatch.setattr(tensors, "native", lru_cache(lambda: None))


def without_compiler(monkeypatch):
    def load(source):
        raise build.NoCompiler("there is none")

    monkeypatch.setattr(build, "load", load)
    assert tensors.native() is None
    monkeypatch.undo()
    monkeypatch.setattr(tensors, "native", lru_cache(lambda: None))


def without_getters(monkeypatch):
    monkeypatch.setattr(libtorch, "GETTERS", (*libtorch.GETTERS[:-1], "storage_size_of_another_torch"))
    assert tensors.native() is None


def without_gradients(monkeypatch):
    monkeypatch.setattr(libtorch, "GRADIENT", "another_name")
    assert tensors.native() is None


def without_predicates(monkeypatch):
    monkeypatch.setattr(libtorch, "PREDICATES", ("another_name", "yet_another"))
    assert tensors.native() is None


def lying(monkeypatch):
    """A torch whose functions do something else is found out."""
    monkeypatch.setattr(Native, "look", lambda self, known, tensors: 0)
    assert tensors.native() is None


@pytest.mark.parametrize("recipe", [AdamW, Lamb], ids=lambda recipe: recipe.recipe_name)
@pytest.mark.parametrize(
    "how", [absent, without_compiler, without_getters, without_gradients, without_predicates, lying]
)
def test_steps_are_the_same_without_it(recipe, how, monkeypatch, forgetful):
    expected = trained(recipe)
    tensors.native.cache_clear()
    how(monkeypatch)
    for one, other in zip(trained(recipe), expected):
        assert torch.equal(one, other)


def test_it_does_not_depend_on_where_tensors_are_made_by_default(forgetful):
    with torch.device("meta"):
        assert tensors.native() is not None
