"""Sparse gradients: the rows that they touch step at their own ages, the others rest, and nothing else is touched."""

import copy

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import gradwright as gw
from gradwright.contract.training import noise
from gradwright.core import chain
from gradwright.transforms import Scale, TrustRatio
from tests.runs import as_recipe

F64 = torch.float64


def table(rows=5, width=3, dtype=F64):
    return noise(1, (rows, width), dtype).requires_grad_()


def sparse(rows, like, seed=0):
    """A gradient for these rows, which may repeat."""
    values = noise(seed, (len(rows), *like.shape[1:]), like.dtype)
    return torch.sparse_coo_tensor(torch.tensor([rows]), values, like.shape, check_invariants=True)


def train(optimizer, like, visits, seed=0):
    for at, rows in enumerate(visits):
        like.grad = sparse(rows, like, seed + at)
        optimizer.step()


TORCHS = [
    ("SGD", "SGD", {"lr": 0.1}),
    ("Adagrad", "Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.1}),
    ("Adam", "SparseAdam", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-30}),
]


@pytest.mark.parametrize(("ours", "theirs", "knobs"), TORCHS, ids=[row[1] for row in TORCHS])
def test_where_all_rows_are_of_an_age_the_steps_are_torchs(ours, theirs, knobs):
    one, other = table(), table()
    visits = [[4, 0, 1, 2, 3]] * 6
    train(getattr(gw, ours)([one], **knobs), one, visits)
    train(getattr(torch.optim, theirs)([other], **knobs), other, visits)
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def test_a_row_that_comes_late_takes_a_first_step_where_torchs_takes_one_too_long():
    one, other = table(), table()
    before = one[4].detach().clone()
    visits = [*[[0]] * 100, [4]]
    train(gw.Adam([one], lr=0.1, betas=(0.5, 0.99)), one, visits)
    train(torch.optim.SparseAdam([other], lr=0.1, betas=(0.5, 0.99)), other, visits)
    torch.testing.assert_close((one[4] - before).abs(), torch.full((3,), 0.1, dtype=F64), rtol=1e-6, atol=0)
    assert (other[4] - before).abs().min() > 0.3


def test_rows_without_a_gradient_are_as_they_were_decay_included():
    weight = table()
    optimizer = gw.AdamW([weight], lr=0.1, weight_decay=0.5)
    train(optimizer, weight, [[0, 2, 3]])
    before, state = weight.detach().clone(), copy.deepcopy(dict(optimizer.state[weight]))
    train(optimizer, weight, [[1, 1]], seed=5)
    rest = [0, 2, 3, 4]
    assert torch.equal(weight[rest], before[rest])
    assert not torch.equal(weight[1], before[1])
    for key in ("ema.m", "precondition.v", "row_step"):
        assert torch.equal(optimizer.state[weight][key][rest], state[key][rest])
    assert optimizer.state[weight]["row_step"].tolist() == [1, 1, 1, 1, 0]


def test_a_dense_gradient_steps_all_rows_each_at_its_age_and_counts_before_as_well():
    weight, rows = table(), [row[None].detach().clone().requires_grad_() for row in table()]
    optimizer, apart = gw.NAdam([weight], lr=0.1), gw.NAdam(rows, lr=0.1)
    dense = noise(7, (5, 3), F64)
    for time in range(6):
        weight.grad = dense if time in (0, 4) else sparse([1, 3], weight, time)
        full = weight.grad.to_dense()
        for at, row in enumerate(rows):
            row.grad = full[at : at + 1] if time in (0, 4) or at in (1, 3) else None
        optimizer.step()
        apart.step()
    assert optimizer.state[weight]["row_step"].tolist() == [2, 6, 2, 6, 2]
    torch.testing.assert_close(weight, torch.cat(rows), rtol=1e-12, atol=1e-14)


def test_an_empty_gradient_changes_nothing():
    weight = table()
    optimizer = gw.AdamW([weight], lr=0.1)
    train(optimizer, weight, [[0, 1]])
    before, state = weight.detach().clone(), copy.deepcopy(dict(optimizer.state[weight]))
    train(optimizer, weight, [[]])
    assert torch.equal(weight, before)
    assert str(state) == str(dict(optimizer.state[weight]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_rows_are_summed_and_stepped_in_single_precision_and_rounded_once(dtype):
    weight, wide = table(dtype=dtype), table(dtype=dtype).float().detach().requires_grad_()
    grad = sparse([2, 0, 2, 2], weight)
    optimizer = gw.SGD([weight], lr=0.1)
    weight.grad = grad
    optimizer.step()
    with torch.no_grad():
        wide -= 0.1 * torch.sparse_coo_tensor(grad._indices(), grad._values().float(), grad.shape).to_dense()
    assert torch.equal(weight, wide.to(dtype))
    assert weight.grad is grad
    assert not grad.is_coalesced()


def test_complex_tables_and_lists_of_numbers():
    for like in (table(dtype=torch.complex128), noise(1, (6,), F64).requires_grad_()):
        rows = [row[None].detach().clone().requires_grad_() for row in like]
        optimizer, apart = gw.AdamW([like], lr=0.1), gw.AdamW(rows, lr=0.1)
        for time, at in enumerate(([0, 1], [1, 1, 4])):
            like.grad = sparse(at, like, time)
            full = like.grad.to_dense()
            for k, row in enumerate(rows):
                row.grad = full[k : k + 1] if k in at else None
            optimizer.step()
            apart.step()
        torch.testing.assert_close(like, torch.cat(rows), rtol=1e-12, atol=1e-14)


def test_groups_other_parameters_and_climbing():
    first, second, plain = table(), table(4, 2), noise(3, (3,), F64).requires_grad_()
    twins = [one.detach().clone().requires_grad_() for one in (first, second, plain)]

    def groups(one, two, three):
        return [{"params": [one], "lr": 0.1}, {"params": [two, three], "lr": 0.2, "maximize": True}]

    optimizer, dense = gw.Adagrad(groups(first, second, plain)), gw.Adagrad(groups(*twins))
    for time in range(4):
        first.grad, second.grad = sparse([time, 0], first, time), sparse([1, time], second, time + 9)
        plain.grad = noise(time, (3,), F64)
        for twin, one in zip(twins, (first, second, plain)):
            twin.grad = one.grad.to_dense()
        optimizer.step()
        dense.step()
    for twin, one in zip(twins, (first, second, plain)):  # to AdaGrad a gradient of zero is none
        torch.testing.assert_close(one, twin, rtol=1e-12, atol=1e-14)


def test_an_embedding_trains_under_a_scaler_and_in_windows_of_batches():
    torch.manual_seed(0)
    whole = torch.nn.Embedding(10, 4, sparse=True)
    parts = copy.deepcopy(whole)
    tokens = torch.tensor([[1, 2, 2, 7], [7, 1, 0, 3]])
    optimizer, other = gw.AdamW(whole.parameters(), lr=0.1), gw.AdamW(parts.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    for _ in range(3):
        optimizer.zero_grad()
        scaler.scale(whole(tokens).square().mean()).backward()
        scaler.step(optimizer)
        scaler.update()
        other.zero_grad()
        for micro in tokens:  # autograd joins sparse gradients without adding up their rows
            (parts(micro).square().mean() / 2).backward()
        other.step()
    torch.testing.assert_close(whole.weight, parts.weight)
    assert optimizer.state[whole.weight]["row_step"].tolist() == [3, 3, 3, 3, 0, 0, 0, 3, 0, 0]
    scaler.scale(whole(tokens).sum() * torch.inf).backward()
    before = whole.weight.detach().clone()
    scaler.step(optimizer)
    scaler.update()
    assert torch.equal(whole.weight, before)


def test_a_run_of_sparse_adam_goes_on_at_its_age_and_rows_of_many_ages_stay():
    one, other = table(), table()
    theirs, ours = torch.optim.SparseAdam([one], lr=0.1, eps=1e-30), gw.Adam([other], eps=1e-30)
    train(theirs, one, [[0, 1, 2, 3, 4]] * 3)
    with torch.no_grad():
        other.copy_(one)
    ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
    assert ours.param_groups[0]["lr"] == 0.1
    train(theirs, one, [[0, 1]] * 2, seed=9)
    train(ours, other, [[0, 1]] * 2, seed=9)
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)
    with pytest.raises(ValueError, match=r"to_torch: Adam: the rows of parameter 0 .* have taken 3 to 5 steps"):
        gw.to_torch(ours)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda ages: ages[:3], "row_step"),
        (lambda ages: ages.double(), "row_step"),
        (lambda ages: ages - 9, "row_step.*-8"),
        (lambda ages: 3.0, "row_step"),
    ],
)
def test_ages_that_are_none_are_refused(change, words):
    weight = table()
    optimizer = gw.AdamW([weight])
    train(optimizer, weight, [[0, 1, 2, 3, 4]])
    saved = copy.deepcopy(optimizer.state_dict())
    saved["state"][0]["row_step"] = change(saved["state"][0]["row_step"])
    with pytest.raises(ValueError, match=words):
        optimizer.load_state_dict(saved)


def test_a_claim_that_is_none_is_found_out():
    with as_recipe(lambda lr=0.1: chain(TrustRatio(), Scale(lr))) as wrong:
        object.__setattr__(wrong.spec, "traits", frozenset({"rows"}))
        outcomes = {one.check: one for one in gw.contract.run_contract(wrong)}
        assert outcomes["rows_step_apart"].status == "failed"
        assert outcomes["rows_resume"].status == "passed"


class Traffic(TorchDispatchMode):
    """How many bytes operations read and write; of a table that is indexed, as many as are taken or put."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        answer = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if not func.is_view and name not in ("detach", "_indices", "_values", "alias"):
            tables = args[:1] if name in ("index", "index_select", "index_copy_") else ()
            touched = [*args[len(tables) :], kwargs or {}, () if name == "index_copy_" else answer]
            self.bytes += sum(_bytes(one) for one in tree_leaves(touched) if isinstance(one, torch.Tensor))
        return answer


def _bytes(one):
    if one.is_sparse:
        return _bytes(one._indices()) + _bytes(one._values())
    return one.numel() * one.element_size()


@pytest.mark.parametrize("recipe", [gw.SGD, gw.Adagrad, gw.AdamW, gw.RMSprop, gw.Lion])
def test_a_step_touches_what_its_rows_hold_whatever_the_table_holds(recipe):
    found = []
    for rows in (1_000, 100_000):
        weight = torch.zeros(rows, 8, requires_grad=True)
        optimizer = recipe([weight], lr=0.1)
        train(optimizer, weight, [list(range(50))])
        weight.grad = sparse(list(range(20, 70)), weight)
        with Traffic() as traffic:
            optimizer.step()
        found.append(traffic.bytes)
    assert found[0] == found[1]
    assert found[0] < 100 * 50 * 8 * 4
