"""Split: matrices that are stored as one are treated one by one, in every way that looks at whole matrices."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gradwright as gw
from tests.properties.draws import seeds
from tests.runs import normals, run

METHODS = {
    "Muon": (gw.Muon, {"adjust_lr": "original"}),
    "Muon, Moonlight's": (gw.Muon, {"adjust_lr": "match_rms_adamw", "weight_decay": 0.1}),
    "Muon, schatten": (gw.Muon, {"norm": "schatten", "coefficients": "you_4", "adjust_lr": "unit_rms_norm"}),
    "NorMuon": (gw.NorMuon, {}),
    "NorMuon, paper": (gw.NorMuon, {"form": "paper"}),
    "AdaMuon": (gw.AdaMuon, {"eps": 1e-3}),
}


@pytest.mark.parametrize("name", METHODS)
@given(seed=seeds, sizes=st.sampled_from([(2, 2), (3, 3, 3), (1, 4, 2), (5,)]), columns=st.integers(1, 6))
def test_blocks_of_rows_move_as_matrices_of_their_own(name, seed, sizes, columns):
    recipe, knobs = METHODS[name]
    blocks = [(size, columns) for size in sizes]
    start, walk = normals(blocks, seed), [normals(blocks, seed + t) for t in (1, 2, 3)]
    apart = run(recipe, start, walk, lr=0.1, **knobs).last
    split = len(sizes) if len(set(sizes)) == 1 and seed % 2 else sizes
    whole = [[np.concatenate(step)] for step in walk]
    together = run(recipe, [np.concatenate(start)], whole, lr=0.1, split=split, **knobs).last[0]
    np.testing.assert_allclose(together, np.concatenate(apart), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("engine", ["eager", "auto"])
@pytest.mark.parametrize("split", [2, (1, 3)])
@pytest.mark.parametrize("shape", [(4, 6), (3, 4, 5), (4, 3, 2, 2)], ids=str)
def test_every_engine_splits(shape, split, engine):
    g = torch.tensor(np.random.RandomState(0).standard_normal(shape))
    weights = [torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64)) for _ in range(2)]
    for weight in weights:
        weight.grad = g.clone()
    for recipe in (gw.Muon, gw.NorMuon):
        optimizer = recipe(weights, lr=1.0, split=split, engine=engine)
        optimizer.step()
        axis = 1 if len(shape) == 3 else 0
        cut = torch.tensor_split(g, 2, axis) if split == 2 else torch.split(g, [1, 3], axis)
        expected = [run(recipe, [0 * block.numpy()], [[block.numpy()]], lr=1.0).last[0] for block in cut]
        for weight in weights:
            np.testing.assert_allclose(weight.detach(), np.concatenate(expected, axis), rtol=1e-9, atol=1e-11)
            weight.data.zero_()


def test_groups_may_split_differently():
    attention, plain = torch.nn.Parameter(torch.zeros(6, 2)), torch.nn.Parameter(torch.zeros(5, 2))
    optimizer = gw.Muon([{"params": [attention], "split": 3}, {"params": [plain]}])
    attention.grad, plain.grad = torch.randn(6, 2), torch.randn(5, 2)
    optimizer.step()
    assert torch.linalg.svdvals(attention.detach()[:2]).min() > 0.013


@pytest.mark.parametrize(
    ("split", "kind", "says"),
    [
        (
            4,
            ValueError,
            r"parameter 0 \(6x2\) has 6 rows, and split=4 does not divide them; give this parameter a group",
        ),
        ((2, 3), ValueError, r"split=\(2, 3\) add up to 5; give"),
        (0, ValueError, "split=0 has a number below 1"),
        (-2, ValueError, "split=-2"),
        ((3, 0, 3), ValueError, "a block has at least one row"),
        (2.0, TypeError, "Muon: Orthogonalize: split=2.0; give the number of equal blocks"),
        (True, TypeError, "split=True"),
        ((), TypeError, r"split=\(\)"),
    ],
)
def test_a_split_that_does_not_fit_is_refused(split, kind, says):
    with pytest.raises(kind, match=says):
        gw.Muon([torch.nn.Parameter(torch.ones(6, 2))], split=split)


def test_a_fused_weight_can_be_routed_with_its_split():
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    optimizer = gw.route(layer, {"fused": gw.Muon.bind(split=3), "matrix": gw.Muon, "*": gw.AdamW})
    layer(torch.randn(2, 3, 8)).square().mean().backward()
    before = layer.self_attn.in_proj_weight.detach().clone()
    optimizer.step()
    moved = (before - layer.self_attn.in_proj_weight.detach()) / 2e-2
    for block in moved.split(8):
        assert 0.6 < torch.linalg.svdvals(block)[0] < 1.21
