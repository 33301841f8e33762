"""Tensors of every shape, layout and place in memory step as in eager."""

import pytest
import torch

from gradwright import Adafactor, AdamW, Lamb, Lion, lookahead
from gradwright.contract.training import noise
from tests.engine.pair import Pair, leaves, left_to_eager

pytestmark = pytest.mark.usefixtures("compiler")

RECIPES = pytest.mark.parametrize("recipe", [AdamW, Lamb, Adafactor], ids=lambda r: r.recipe_name)


def base(count=4096, seed=5):
    return noise(seed, (count,))


def leaf(view):
    return view.detach().requires_grad_()


LAYOUTS = {
    "transposed": lambda: base()[:600].reshape(20, 30).t(),
    "permuted": lambda: base()[:360].reshape(3, 4, 5, 6).permute(2, 0, 3, 1),
    "channels last": lambda: base()[:360].reshape(5, 4, 3, 6).to(memory_format=torch.channels_last),
    "channels last, one channel": lambda: base()[:90].reshape(5, 1, 3, 6).to(memory_format=torch.channels_last),
    "every second": lambda: base()[:60:2],
    "a block of a matrix": lambda: base()[:600].reshape(20, 30)[2:9, 3:17],
    "odd offset": lambda: base()[3:64],
    "size one": lambda: base()[:12].reshape(3, 4)[1:2],
    "a column": lambda: base()[:12].reshape(3, 4)[:, 1:2],
    "strange stride of a size one": lambda: base().as_strided((1, 5, 1), (77, 1, 13)),
}


@RECIPES
def test_layouts(recipe):
    pair = Pair(recipe, lambda: [leaf(make()) for make in LAYOUTS.values()])
    for _ in range(4):
        pair.step()
    pair.close(1e-5)


def test_dense_layouts_are_fused():
    dense = ("transposed", "permuted", "channels last", "channels last, one channel", "odd offset", "size one")
    pair = Pair(AdamW, lambda: [leaf(LAYOUTS[name]()) for name in dense]).steps(2)
    assert left_to_eager(pair.fused) == 0


@RECIPES
def test_sizes_around_a_vector_and_a_chunk(recipe):
    sizes = [0, 1, 2, 15, 16, 17, 63, 65, 2047, 2049, 16383, 16384, 16385, 40000]
    shapes = [(), *((size,) for size in sizes), (0, 3), (3, 0), (1, 1), (2049, 1), (1, 2049), (130, 127), (3, 20000)]
    pair = Pair(recipe, leaves(*shapes)).steps(3)
    pair.close(1e-5)
    assert left_to_eager(pair.fused) <= len(shapes) // 4


def test_only_empty_tensors():
    Pair(AdamW, leaves((0,), (0, 3))).steps(2).close()


def test_memory_that_is_not_aligned():
    def make():
        room = bytearray(4 * 101 + 1)
        found = torch.frombuffer(room, dtype=torch.float32, count=100, offset=1)
        return [leaf(found.copy_(base(100)))]

    pair = Pair(AdamW, make).steps(3)
    pair.close()


def test_tensors_that_share_memory():
    def make():
        room = base(100)
        return [leaf(view) for view in (room[:60], room[40:90], room[95:])]

    Pair(AdamW, make, weight_decay=0.1).steps(4).close()


def test_a_dense_tensor_between_the_entries_of_another():
    def make():
        room = base(100)
        return [leaf(view) for view in (room[::2], room[60:70], room[71:72])]

    Pair(AdamW, make, weight_decay=0.1, lr=0.5).steps(4).close()


def test_one_tensor_seen_twice():
    def make():
        room = base(12)
        return [leaf(room), leaf(room), leaf(room.reshape(3, 4))]

    Pair(AdamW, make, weight_decay=0.1, lr=0.5).steps(4).close()


def test_complex_beside_real():
    def make():
        return [*leaves((4, 3))(), noise(3, (4, 3), torch.complex64).requires_grad_()]

    pair = Pair(AdamW, make)
    for time in range(3):
        pair.step([noise(time, (4, 3)), noise(time, (4, 3), torch.complex64)])
    for one, other in zip(pair.params(pair.fused), pair.params(pair.eager)):
        torch.testing.assert_close(one, other)


def test_types_side_by_side():
    types = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
    pair = Pair(Lamb, lambda: [noise(1, (9, 4), dtype).requires_grad_() for dtype in types]).steps(3)
    for name, mine, its in pair.tensors():
        assert mine.dtype == its.dtype, name
    pair.close(1e-2)
    assert left_to_eager(pair.fused) == 0


def test_three_thousand_tensors():
    shapes = [((index % 7) + 1, (index % 5) + 1) for index in range(3000)]
    pair = Pair(AdamW, leaves(*shapes)).steps(2)
    pair.close()
    assert left_to_eager(pair.fused) == 0


@RECIPES
def test_new_storage_between_steps(recipe):
    pair = Pair(recipe, leaves((6, 4), (5,), (3, 4, 2, 2))).steps(2)
    changes = (
        lambda p: p.data.clone(),
        lambda p: p.data.to(torch.float64),
        lambda p: p.data.to(torch.float32),
        lambda p: base()[: p.numel()].clone().reshape(p.shape),
        lambda p: p.data.mT.contiguous().mT if p.dim() > 1 else p.data,
        lambda p: p.data.contiguous(),
    )
    for change in changes:
        for optimizer in (pair.fused, pair.eager):
            for param in pair.params(optimizer):
                param.grad = None
                param.data = change(param)
        pair.step().step()
        for _, mine, its in pair.tensors():
            torch.testing.assert_close(mine, its, rtol=1e-5, atol=1e-6)


def test_another_layout_of_the_same_memory():
    """The address is the same, so only strides tell."""
    pair = Pair(AdamW, leaves((4, 4))).steps(2)
    for optimizer in (pair.fused, pair.eager):
        for param in pair.params(optimizer):
            param.grad = None
            param.data = param.data.t()
    pair.step()
    for name, mine, its in pair.tensors():
        torch.testing.assert_close(mine, its, msg=name)


def test_fewer_entries_of_the_same_memory():
    """A table that was cut: its state no longer fits, which both engines have to say before they write."""
    for engine in ("cpp", "eager"):
        (param,) = leaves((6, 4))()
        optimizer = AdamW([param], engine=engine)
        param.grad = torch.ones(6, 4)
        optimizer.step()
        param.grad, param.data = None, param.data[:3]
        param.grad = torch.ones(3, 4)
        before = param.detach().clone()
        with pytest.raises((RuntimeError, ValueError)):
            optimizer.step()
        assert torch.equal(param.detach(), before)


def test_a_module_that_changes_its_type_and_layout():
    def make():
        torch.manual_seed(0)
        return torch.nn.Conv2d(3, 8, 3)

    modules = []

    def leaves_of_a_module():
        modules.append(make())
        return list(modules[-1].parameters())

    pair = Pair(lookahead(Lion), leaves_of_a_module).steps(2)
    for change in ({"memory_format": torch.channels_last}, {"dtype": torch.bfloat16}, {"dtype": torch.float64}):
        for module in modules:
            module.zero_grad()
            module.to(**change)
        pair.step().step()
        for name, mine, its in pair.tensors():
            torch.testing.assert_close(mine, its, msg=name)


@pytest.fixture
def mesh():
    """A device mesh of this process alone."""
    from torch.distributed.device_mesh import init_device_mesh

    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without it")
@pytest.mark.parametrize("recipe", [AdamW, Lamb], ids=lambda r: r.recipe_name)
def test_sharded_tensors_run_as_kernels_on_what_a_rank_holds(recipe, mesh):
    from torch.distributed.tensor import Shard, distribute_tensor

    def sharded(tensor):
        return distribute_tensor(tensor, mesh, [Shard(0)])

    (whole,) = leaves((6, 4))()
    part = torch.nn.Parameter(sharded(whole.detach().clone()))
    one, other = recipe([whole], engine="cpp"), recipe([part], engine="cpp")
    for time in range(3):
        grad = noise(time, (6, 4))
        whole.grad, part.grad = grad, sharded(grad)
        one.step()
        other.step()
    assert left_to_eager(other) == 0
    torch.testing.assert_close(part.full_tensor().detach(), whole.detach())
