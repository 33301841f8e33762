import math

import numpy as np
import pytest
import torch

import gradwright as gw
from gradwright.study import find_lr, search_space
from gradwright.study.find_lr import RateSearch
from gradwright.study.search_space import Range


def bowl(scale=1.0):
    x = torch.linspace(-1, 1, 64)[:, None]
    pairs = [(x, 3 * scale * x)] * 4
    return lambda: torch.nn.Linear(1, 1), pairs, pairs, torch.nn.functional.mse_loss


def test_it_finds_where_the_loss_stops_falling(tmp_path):
    found = find_lr(bowl(), lambda model: torch.optim.SGD(model.parameters(), lr=1e-2), high=1e4)
    assert list(found.rates) == sorted(found.rates)
    assert found.ended in ("the loss had climbed far", "the loss was not finite")
    # SGD diverges on this bowl beyond 3, where the curvature of the slope is 2 / 3; the bias is right at once
    assert 0.1 < found.lowest < 20
    assert found.steepest < found.lowest
    assert found.steepest < found.fallen < found.lowest
    assert found.suggestion == pytest.approx(found.fallen / 3)
    assert "begin with" in str(found)
    for ending in ("svg", "png"):
        assert found.save(tmp_path / f"rates.{ending}").stat().st_size > 1000
    with pytest.raises(ValueError, match="must end in one of"):
        found.save(tmp_path / "rates.gif")


def test_groups_keep_their_proportions_and_the_range_follows_the_default():
    def optimizer(model):
        groups = [{"params": [model.weight], "lr": 1e-3}, {"params": [model.bias], "lr": 1e-4}]
        made.append(torch.optim.SGD(groups))
        return made[-1]

    made = []
    found = find_lr(bowl(), optimizer, steps=20)
    assert found.rates[0] == pytest.approx(1e-7)
    first, second = (group["lr"] for group in made[0].param_groups)
    assert second == pytest.approx(first / 10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 5}, "steps=5 must be at least 20"),
        ({"low": 1.0, "high": 0.1}, "low=1, high=0.1 is no range"),
        ({"optimizer": "AdamW,Lion"}, "one task and one optimizer"),
        ({"low": 1e30, "high": 1e35}, "give a lower low"),
    ],
)
def test_what_makes_no_search_is_refused(arguments, message):
    given = {"optimizer": lambda model: torch.optim.SGD(model.parameters(), lr=1e-2), **arguments}
    with pytest.raises(ValueError, match=message):
        find_lr(bowl(), **given)


def test_the_same_search_twice_is_the_same():
    one, other = (find_lr("digits-shallow", "AdamW", steps=20) for _ in range(2))
    assert isinstance(one, RateSearch)
    assert one == other
    assert all(map(math.isfinite, one.smoothed))


class Middle:
    """A trial that draws the geometric middle."""

    def suggest_float(self, name, low, high, *, log=False):
        assert log
        return math.sqrt(low * high)


def test_a_search_space_has_the_default_in_its_middle_and_makes_optimizers():
    space = search_space("AdamW", betas=True)
    assert set(space.ranges) == {"lr", "weight_decay", "betas[0]", "betas[1]"}
    knobs = space.suggest(Middle())
    assert knobs["lr"] == pytest.approx(1e-3)
    assert len(knobs["betas"]) == 2
    assert all(0.9 < beta < 1 for beta in knobs["betas"])
    gw.AdamW([torch.ones(2, requires_grad=True)], **knobs)
    assert search_space(gw.Lion).ranges["lr"] == Range(1e-4 / 10**1.5, 1e-4 * 10**1.5)
    assert "momentum" in search_space("Muon", betas=True).ranges
    with pytest.raises(ValueError, match="no recipe called 'AdamX'"):
        search_space("AdamX")


def searched(losses):
    """A search that saw these losses, over seven decades."""
    rates = tuple(1e-7 * 10 ** (7 * at / (len(losses) - 1)) for at in range(len(losses)))
    average, smoothed = 0.0, []
    for step, loss in enumerate(losses):
        average = 0.9 * average + 0.1 * loss
        smoothed.append(average / (1 - 0.9 ** (step + 1)))
    return RateSearch("task", "SGD", rates, tuple(losses), tuple(smoothed), "the range was gone through")


def test_noise_before_anything_is_learned_is_no_least_loss_and_no_end():
    rng = np.random.default_rng(0)
    noise = 0.02 * rng.standard_normal(140)
    level = [1.0] * 80 + [1.0 - 0.02 * at for at in range(40)] + [0.2] * 20
    found = searched([0.9, *(level + noise)[1:]])  # the first batch is an easy one
    assert found.learned
    assert found.rates[100] < found.fallen <= found.lowest
    still = searched((1.0 + noise).tolist())
    assert not still.learned
    assert math.isnan(still.suggestion)
    assert "no more than the noise of a batch" in str(still)


def test_noise_does_not_end_a_search():
    for seed in range(3):  # batches of four samples; nothing is learned for sixty steps
        assert len(find_lr("digits-batch-4", "torch:AdamW", seed=seed).rates) > 100
