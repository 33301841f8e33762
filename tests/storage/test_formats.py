"""Formats of storage: how much they lose, that random rounding is fair, what groups are and what is not finite."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gradwright.core.blockwise import GROUP, Companded, SquareRoot, scales_shape
from gradwright.core.counter import bits, key_of, keys_of_rows
from gradwright.core.half_weights import LAST_PLACE, Split24, Split32, Stochastic, power_below
from gradwright.core.storage import Plain
from gradwright.engine.draws import keys_of

BF16, F16 = torch.bfloat16, torch.float16
BLOCKWISE = [kind(rounding) for kind in (Companded, SquareRoot) for rounding in ("stochastic", "nearest")]
SPREAD = torch.logspace(-40, 30, 4001, dtype=torch.float64)


def drawn(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def wide(seed=0):
    """Numbers of either sign from the smallest to the largest."""
    return (SPREAD * drawn(len(SPREAD), seed=seed).sign().double()).float()


def suited(storage, values):
    return values.abs() if isinstance(storage, SquareRoot) else values


def through(storage, values, key=0):
    return storage.decode(*storage.encode(values, key))


@pytest.mark.parametrize("storage", BLOCKWISE, ids=repr)
def test_a_value_is_at_most_a_code_away(storage):
    values = suited(storage, drawn(50, 70, seed=1) * torch.logspace(-20, 10, 50).unsqueeze(1))
    largest = values.reshape(50, -1).abs().amax(1, keepdim=True) * (1 + 2**-7)
    found = through(storage, values).double() / largest
    wanted = values.double() / largest
    if isinstance(storage, SquareRoot):
        allowed, off = 1 / 255, (found.sqrt() - wanted.sqrt()).abs()
    else:  # the companding's slope, at the farther end of the step
        allowed, off = (1 + wanted.abs()) ** 2 / 2 / 127 * 1.02, (found - wanted).abs()
    share = 1.0 if storage.random else 0.5
    if isinstance(storage, SquareRoot):  # the smallest numbers have the first code
        assert bool((off[wanted.sqrt() < allowed] <= allowed).all())
        off = off[wanted.sqrt() >= allowed]
    assert bool((off <= share * allowed + 1e-6).all())


@pytest.mark.parametrize("storage", [Companded(), SquareRoot()], ids=repr)
def test_the_mean_of_many_roundings_is_the_value(storage):
    values = suited(storage, drawn(4, 64, seed=2))
    count = 300
    mean = sum(through(storage, values, key_of(0, step)).double() for step in range(count)) / count
    scale = values.abs().amax(1, keepdim=True)
    floor = scale / 255**2 if isinstance(storage, SquareRoot) else 0.0
    noise = 6 * scale * 0.016 / math.sqrt(count)
    assert bool(((mean - values).abs() <= noise + floor).all())


def test_a_small_second_moment_is_never_zero():
    values = torch.tensor([[1.0, 1e-12, 0.0, 1e-30]])
    for key in range(20):
        found = through(SquareRoot(), values, key)
        assert found[0, 2] == 0
        assert found[0, 1] == found[0, 3] > 0


@pytest.mark.parametrize("storage", BLOCKWISE, ids=repr)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_group_that_holds_what_is_not_finite_is_not(storage, bad):
    values = suited(storage, drawn(2, 3 * GROUP, seed=3))
    values[0, GROUP + 5] = bad
    found = through(storage, values)
    broken = torch.zeros_like(values, dtype=torch.bool)
    broken[0, GROUP : 2 * GROUP] = True
    assert torch.equal(found.isfinite(), ~broken)


@pytest.mark.parametrize("storage", BLOCKWISE, ids=repr)
def test_groups_without_a_scale_are_zeros(storage):
    values = torch.zeros(2, 40)
    values[1, 3] = 1e-39 if isinstance(storage, Companded) else 0.0
    assert not through(storage, values).any()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((), (1,)),
        ((1,), (1,)),
        ((33,), (2,)),
        ((6, 64), (6, 2)),
        ((6, 65), (6, 3)),
        ((5, 3), (5, 1)),
        ((8, 4, 3, 3), (8, 2)),
        ((8, 64, 3, 3), (8, 18)),
        ((2, 3, 40), (2, 3, 2)),
        ((0, 5), (0, 1)),
        ((5, 0), (5, 0)),
    ],
)
def test_each_row_has_groups_of_its_own(shape, expected):
    assert scales_shape(shape) == expected
    for storage in (Companded(), SquareRoot()):
        codes, scales = storage.encode(torch.ones(shape))
        assert (codes.shape, scales.shape) == (shape, expected)
        assert storage.nbytes(shape) == codes.nbytes + scales.nbytes


@pytest.mark.parametrize("storage", [one for one in BLOCKWISE if not one.random], ids=repr)
def test_a_shard_of_whole_rows_has_the_codes_of_the_whole(storage):
    values = suited(storage, drawn(9, 77, seed=4))
    whole, shard = storage.encode(values), storage.encode(values[3:7])
    for one, other in zip(whole, shard):
        assert torch.equal(one[3:7], other)


def test_a_split_weight_of_32_bits_is_exact():
    values = wide()
    ties = (torch.arange(-500, 500, dtype=torch.int32) * 0x10000 + 0x3F808000).view(torch.float32)
    for one in (values, ties, torch.tensor([0.0, -0.0, math.inf, -math.inf, 3.4e38, -3.4e38, 1e-45])):
        half, low = Split32().encode(one)
        assert torch.equal(Split32().decode(half, low).view(torch.int32), one.view(torch.int32))
        near = (half.float().double() - one.double()).abs()[half.isfinite()]
        best = (one.bfloat16().float().double() - one.double()).abs()[half.isfinite()]
        assert torch.equal(near, best), "the model's weight is not the nearest"
    assert Split32().decode(*Split32().encode(torch.tensor([math.nan]))).isnan()


@pytest.mark.parametrize("dtype", [BF16, F16])
def test_a_split_weight_of_24_bits_has_254_steps_in_a_last_place(dtype):
    values = wide()
    half, low = Split24(dtype).encode(values)
    assert torch.equal(half.nan_to_num(), values.to(dtype).nan_to_num()), "the model's weight is not the rounding"
    finite = half.isfinite()
    off = (Split24(dtype).decode(half, low) - values).double()[finite].abs()
    step = power_below(half).double()[finite] * 2.0 ** LAST_PLACE[dtype] / 254
    assert bool((off <= step / 2 * 1.001 + values.double()[finite].abs() * 2.0**-24 + 2.0**-149).all())
    assert not Split24(dtype).decode(half, low)[~finite].isfinite().any()


@pytest.mark.parametrize("dtype", [BF16, F16])
def test_the_mean_of_stochastic_rounding_is_the_weight(dtype):
    values, count = drawn(300, seed=5), 400
    rounded = [Stochastic(dtype).encode(values, key_of(1, step))[0] for step in range(count)]
    place = power_below(values.to(dtype)).double() * 2.0 ** LAST_PLACE[dtype]
    assert bool(((sum(one.double() for one in rounded) / count - values).abs() < 6 * place / math.sqrt(count)).all())
    assert max(float(((one.double() - values).abs() / place).max()) for one in rounded) <= 1.0


@pytest.mark.parametrize("dtype", [BF16, F16])
def test_what_a_half_type_holds_is_not_rounded(dtype):
    held = drawn(500, seed=6, dtype=dtype)
    held[:3] = torch.tensor([math.inf, -math.inf, 0.0])
    assert torch.equal(Stochastic(dtype).encode(held.float(), 77)[0], held)
    assert Stochastic(dtype).encode(torch.tensor([math.nan]), 77)[0].isnan()


def test_bits_are_those_of_a_place_and_look_random():
    found = bits(key_of(3, 9), torch.empty(200_000))
    assert torch.equal(bits(key_of(3, 9), torch.empty(100)), found[:100])
    for bit in range(32):
        assert abs(float((found >> bit & 1).double().mean()) - 0.5) < 0.006
    ones = (found >> 31).double() - 0.5
    assert abs(float((ones[1:] * ones[:-1]).mean())) < 0.002
    other = (bits(key_of(3, 10), torch.empty(200_000)) >> 31).double() - 0.5
    assert abs(float((ones * other).mean())) < 0.002


def test_keys_for_many_are_those_for_one():
    indices, steps = np.array([0, 1, 77, 2**20]), [1.0, 2.0, 1e6, 3.0]
    assert keys_of(indices, steps).tolist() == [key_of(int(at), step) for at, step in zip(indices, steps)]
    assert keys_of(indices, [5.0], 3).tolist() == [key_of(int(at), 5.0, 3) for at in indices]


def test_rows_draw_the_bits_of_their_places_in_the_table():
    whole, rows = bits(99, torch.empty(7, 5, 3)), torch.tensor([0, 2, 6])
    assert torch.equal(bits(keys_of_rows(99, rows, (3, 5, 3)), torch.empty(3, 5, 3)), whole[rows])


def test_plain_storage_is_one_array():
    (stored,) = Plain(BF16).encode(torch.tensor([1.0, 3.1415927]))
    assert (stored.dtype, Plain(BF16).suffixes) == (BF16, ("",))
