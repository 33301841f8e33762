"""Every recipe in every format: it descends, resumes bit for bit, holds what it declares, and engines agree on codes.

A stated sample is fast, :data:`FEW` recipes and of bytes :data:`QUICK`, of engines :data:`ONE`;
all recipes in all formats are slow.
"""

from __future__ import annotations

import io
import warnings

import pytest
import torch
from torch import Tensor

from gradwright.optimizer.arrays import arrays_of
from tests.storage.runs import ALL, AT_A_BORDER, COMMON, FORMATS, QUICK, Run, agree, differing

FEW = [row for row in QUICK if row.recipe.recipe_name in COMMON]
ONE = [row for row in QUICK if row.recipe.recipe_name == "AdamW"]
NAMES = ["-".join((str(dtype).removeprefix("torch."), state, weights)) for dtype, state, weights in FORMATS]


def rows(fast=FEW):
    return [pytest.param(row, id=str(row), marks=() if row in fast else pytest.mark.slow) for row in ALL]


def formats(fast=FORMATS):
    marks = {one: () if one in fast else pytest.mark.slow for one in FORMATS}
    return [pytest.param(one, id=name, marks=marks[one]) for one, name in zip(FORMATS, NAMES)]


@pytest.mark.parametrize("formats", formats())
@pytest.mark.parametrize("row", rows())
def test_it_resumes_bit_for_bit_from_a_file(row, formats):
    first = Run(row, *formats).step(4)
    file = io.BytesIO()
    torch.save(first.optimizer.state_dict(), file)
    file.seek(0)
    second = Run(row, *formats)
    with torch.no_grad():
        for mine, yours in zip(second.params, first.params):
            mine.copy_(yours)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second.optimizer.load_state_dict(torch.load(file, weights_only=True))
    second.time = first.time
    assert not differing(first.arrays(), second.arrays())
    assert not differing(first.step(3).arrays(), second.step(3).arrays())


@pytest.mark.parametrize("formats", formats())
@pytest.mark.parametrize("row", rows(QUICK))
def test_it_holds_the_bytes_that_it_declares(row, formats):
    run = Run(row, *formats).step(2)
    chain = run.optimizer.chain_of(run.optimizer.param_groups[0])
    for param in run.params:
        spec, state = run.optimizer.spec_of(param), run.optimizer.state[param]
        slots = chain.slots(spec)
        declared = {name: buffer for name, buffer, _ in arrays_of(slots, spec)}
        held = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        assert held.keys() == declared.keys()
        for name, value in held.items():
            assert (tuple(value.shape), value.dtype) == (declared[name].shape, declared[name].dtype), name
            assert value.untyped_storage().nbytes() == declared[name].nbytes, name
        assert param.dtype == formats[0]
        assert bool(param.isfinite().all())


@pytest.mark.parametrize("formats", formats())
@pytest.mark.parametrize("row", rows(ONE))
def test_it_descends(row, formats):
    run = Run(row, *formats, shapes=((6, 64), (33,)))
    wide = Run(row, torch.float32, "float32", "plain", shapes=((6, 64), (33,)))
    before = run.far()
    run.step(30)
    wide.step(30)
    gone, expected = before - run.far(), before - wide.far()
    if formats[2] == "plain" and formats[0] != torch.float32:
        return  # these may well stand still: that is what the other formats are for
    assert gone > 0.8 * expected - 0.02 * before, f"it went {gone:.3g} of {before:.3g}, in float32 {expected:.3g}"


@pytest.mark.parametrize("formats", formats(fast=(FORMATS[0], FORMATS[2])))
@pytest.mark.parametrize("row", rows(ONE))
def test_engines_agree_on_codes(row, formats, compiler):
    one = Run(row, *formats)
    for engine in ("cpp", "torch"):
        eager, other = Run(row, *formats), Run(row, *formats, engine=engine)
        for _ in range(4):
            gradients = one.gradients(eager.params)
            eager.step_on(gradients)
            other.step_on(gradients)
        if row.recipe.recipe_name not in AT_A_BORDER:
            agree(other, eager)


@pytest.mark.parametrize("row", rows(ONE))
def test_split32_is_float32_bit_for_bit_over_200_steps(row):
    exact, split = Run(row, torch.float32, "float32", "plain"), Run(row, torch.bfloat16, "float32", "split32")
    for step in range(200):
        gradients = exact.gradients()
        exact.step_on(gradients)
        split.step_on(gradients)
        if step % 20 == 19 or step < 3:
            for param, full in zip(exact.params, split.optimizer.full_weights().values()):
                assert torch.equal(param.detach(), full), f"after {step + 1} steps"
    for param, half in zip(exact.params, split.params):
        assert (param.detach() - half.float()).abs().max() <= (param.detach().bfloat16().float() - param).abs().max()
