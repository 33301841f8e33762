"""Temperature scaling: closed forms, temperatures far from 1, and those that are not determined."""

import math

import pytest
import torch

from gradwright.calibration import CalibrationError, TemperatureScaling


def test_temperature_closed_form():
    z = torch.tensor([4.0, 0.0]).repeat(4, 1)
    y = torch.tensor([0, 0, 0, 1])
    scale = TemperatureScaling()
    fit = scale.fit(z, y)
    assert fit.converged
    assert fit.temperature.item() == pytest.approx(3.6409569065, rel=1e-9)
    assert (fit.nll_before.item(), fit.nll_after.item()) == pytest.approx((1.0181499279, 0.5623351446), rel=1e-9)
    assert CalibrationError().update(z, y, logits=True).compute().item() == pytest.approx(0.2320137900, rel=1e-6)
    assert CalibrationError().update(scale(z), y, logits=True).compute().item() == pytest.approx(0, abs=1e-6)


def test_temperature_worked_number():
    z = torch.tensor([[2, 1, 0], [0, 3, 0], [1, 1, 2], [4, 0, 0]], dtype=torch.float64)
    fit = TemperatureScaling().fit(z, torch.tensor([0, 1, 0, 1]))
    assert fit.temperature.item() == pytest.approx(5.17635946, rel=1e-7)
    assert (fit.nll_before.item(), fit.nll_after.item()) == pytest.approx((1.5224874836, 1.0658762848), rel=1e-9)


@pytest.mark.parametrize("size", [1e-12, 1e-3, 1.0, 40.0, 1e4, 1e15])
@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_temperature_is_found_again(kind, size):
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(3000, 4, generator=generator, dtype=torch.float64)
    if kind == "softmax":
        y = torch.multinomial(z.softmax(-1), 1, generator=generator)[:, 0]
    else:
        y = torch.bernoulli(torch.sigmoid(z), generator=generator).long()
    base = TemperatureScaling(kind).fit(z, y)
    assert base.converged
    torch.testing.assert_close(base.temperature, torch.ones_like(base.temperature), rtol=0, atol=0.2)
    fit = TemperatureScaling(kind).fit(size * z, y)
    assert fit.converged
    torch.testing.assert_close(fit.temperature, size * base.temperature, rtol=1e-7, atol=0)
    assert (fit.nll_after <= fit.nll_before + 1e-12).all()


def test_temperature_at_its_bounds():
    z = torch.tensor([[3.0, 0.0], [0.0, 2.0]])
    best = TemperatureScaling().fit(z, torch.tensor([0, 1]))
    assert not best.converged
    assert best.temperature.item() == pytest.approx(0.01)
    assert "right by a margin" in best.status
    worst = TemperatureScaling().fit(z, torch.tensor([1, 0]))
    assert worst.temperature.item() == pytest.approx(100)
    assert "infinite" in worst.status
    with pytest.raises(ValueError, match="no sample"):
        TemperatureScaling().fit(z, torch.tensor([-100, -100]))


@pytest.mark.parametrize(("margin", "right"), [(400.0, 0.75), (0.0044, 0.75), (5.0, 0.5001), (5.0, 1 - 1e-12)])
def test_temperatures_far_from_one_are_found(margin, right):
    """Binary scores (m, 0), right with probability a: T = m / logit(a)."""
    z = torch.tensor([[margin, 0.0]], dtype=torch.float64)
    fit = TemperatureScaling().fit(z, torch.tensor([[right, 1 - right]], dtype=torch.float64))
    assert fit.converged
    assert fit.temperature.item() == pytest.approx(margin / math.log(right / (1 - right)), rel=1e-4)


def test_one_wrong_sample_makes_a_temperature():
    """A thousand samples right and one wrong by little: T is small, but it is, and bounds say nothing of it."""
    z = torch.tensor([[1.0, 0.0]]).repeat(1001, 1)
    z[0] = torch.tensor([0.0, 1e-3])
    fit = TemperatureScaling().fit(z, torch.zeros(1001, dtype=torch.long))
    assert fit.converged
    assert fit.temperature.item() < 0.1
    for factor in (0.99, 1.01):
        other = torch.nn.functional.cross_entropy(z.double() / (factor * fit.temperature), torch.zeros(1001).long())
        assert other > fit.nll_after


def test_a_temperature_that_nothing_determines():
    fit = TemperatureScaling().fit(torch.full((5, 3), 7.3), torch.tensor([0, 1, 2, 0, 0]))
    assert (fit.converged, fit.temperature.item()) == (False, 1.0)
    assert "not determined" in fit.status
    scores = torch.tensor([[0.0, 1.0, 3.0, 1.0], [0.0, -1.0, 2.0, -1.0], [0.0, -2.0, 1.0, 2.0]])
    answers = torch.tensor([[1, 1, 0, 1], [0, 0, 1, 1], [0, 0, 0, 1]])
    fit = TemperatureScaling("sigmoid").fit(scores, answers)
    assert not fit.converged
    assert fit.temperature[:3].tolist() == pytest.approx([1.0, 0.01, 100.0])
    assert all(f"label {k}: {words}" in fit.status for k, words in enumerate(("every T", "every sample", "the scores")))
    alone = TemperatureScaling("sigmoid").fit(scores[:, 3:], answers[:, 3:])
    assert alone.converged
    assert fit.temperature[3] == alone.temperature[0]


def test_classes_that_are_shut_out_leave_the_temperature():
    z = torch.randn(200, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = torch.randint(3, (200,), generator=torch.Generator().manual_seed(1))
    z[torch.arange(200), y] += 1
    expected = TemperatureScaling().fit(z[:, :3], y)
    z[:, 3] = -math.inf
    scale = TemperatureScaling()
    assert scale.fit(z, y).temperature.item() == pytest.approx(expected.temperature.item(), rel=1e-12)
    assert (scale(z)[:, 3] == -math.inf).all()
    with pytest.raises(ValueError, match=r"number 7 .*class 3"):
        scale.fit(z, torch.where(torch.arange(200) == 7, 3, y))
    binary, answers = torch.tensor([[-math.inf], [1.0], [2.0], [-1.0]]), torch.tensor([[0], [1], [0], [0]])
    sure = TemperatureScaling("sigmoid").fit(binary, answers)
    rest = TemperatureScaling("sigmoid").fit(binary[1:], answers[1:])
    assert sure.temperature.item() == pytest.approx(rest.temperature.item())
    with pytest.raises(ValueError, match="impossible"):
        TemperatureScaling("sigmoid").fit(binary, 1 - answers)
