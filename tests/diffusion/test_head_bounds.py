"""Variances of single states: a head that says the truth is not corrected, whatever the state."""

import pytest
import torch

from gradwright.diffusion import NPR, SN, NoiseSchedule, even_trajectory, optimal_variance, sample
from gradwright.diffusion.closed_form import GaussianMixture
from tests.diffusion.toys import LINEAR, TWO

EDGES = GaussianMixture((0.5, 0.5), (-1.0, 1.0), (0.0, 0.0))  # at x_t = 0 both are as likely: the variance is 1
DATA = {
    "edges": EDGES,
    "uneven edges": GaussianMixture((0.9, 0.1), (-1.0, 1.0), (0.0, 0.0)),
    "three levels": GaussianMixture((0.2, 0.5, 0.3), (-1.0, 0.1, 1.0), (0.0, 0.0, 0.0)),
    "narrow": GaussianMixture((0.3, 0.7), (-0.6, 0.5), (0.02, 0.01)),
}
X = torch.linspace(-4, 4, 201, dtype=torch.float64)[:, None]


def truth(data, schedule, t):
    """ε̂, Var[x₀ | x_t] and Var[ε | x_t] at every state."""
    variance = data.posterior(schedule, X, t)[1]
    return data.noise(schedule, X, t), variance, variance * schedule.alpha_bar(t) / schedule.beta_bar(t)


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("schedule", [TWO, LINEAR], ids=["two", "linear"])
def test_the_true_variance_of_every_state_is_kept(schedule, name):
    for t in (1, 2) if schedule is TWO else (1, 20, 200, 500, 1000):
        noise, variance, spread = truth(DATA[name], schedule, t)
        for head, second in ((NPR((-1, 1)), spread), (SN((-1, 1)), spread + noise**2)):
            torch.testing.assert_close(head.mse(schedule, noise, second, t), variance, rtol=1e-7, atol=1e-7)


def test_the_middle_between_two_points_has_variance_one():
    # β̄ / ᾱ = 3/7 bounds the mean over states, not this one
    noise = EDGES.noise(TWO, torch.zeros(1, 1), 1)
    spread = torch.tensor([[7 / 3]], dtype=torch.float64)
    assert NPR((-1, 1)).mse(TWO, noise, spread, 1).item() == pytest.approx(1.0)
    assert EDGES.denoising_error(NoiseSchedule.linear(10), 3) < 1


@pytest.mark.parametrize("head", [SN, NPR])
def test_a_range_bounds_every_state(head):
    second = torch.tensor([[-5.0], [0.1], [1e6]], dtype=torch.float64)
    for low, high in ((-1.0, 1.0), (0.0, 1.0), (-3.0, 0.5)):
        for t in (1, 2):
            found = head((low, high)).mse(TWO, torch.zeros_like(second), second, t)
            assert found.min() == 0
            assert found.max() == pytest.approx(((high - low) / 2) ** 2)


def test_a_share_of_the_states_lies_above_the_bound_of_the_mean():
    x = LINEAR.add_noise(EDGES.sample(4000, 1), torch.randn(4000, 1, dtype=torch.float64), 200)
    variance = EDGES.posterior(LINEAR, x, 200)[1]
    bound = LINEAR.beta_bar(200) / LINEAR.alpha_bar(200)
    assert 0.1 < (variance > bound).double().mean() < 0.35
    assert variance.mean() < bound


@pytest.mark.parametrize("head", [SN((-1, 1)), NPR((-1, 1))])
def test_a_chain_uses_the_variance_of_its_state(head):
    """From one state in the middle, the spread of the next is that of the closed form."""
    path = even_trajectory(1000, 10)[:3]
    t, s = path[-1], path[-2]

    def network(x, times):
        time = int(times[0])
        spread = EDGES.posterior(LINEAR, x, time)[1] * LINEAR.alpha_bar(time) / LINEAR.beta_bar(time)
        noise = EDGES.noise(LINEAR, x, time)
        seen.append(x)
        return torch.cat([noise, spread + noise**2 if isinstance(head, SN) else spread], 1)

    seen = []
    start = torch.zeros(50_000, 1, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    options = {"start": start, "generator": generator, "dtype": torch.float64, "allow_short": True}
    sample(network, LINEAR, path, start.shape, head, **options)
    wanted = optimal_variance(LINEAR, s, t, EDGES.posterior(LINEAR, start[:1], t)[1]).item()
    assert seen[1].var().item() == pytest.approx(wanted, rel=0.02)


@pytest.mark.parametrize("head", [SN(), NPR(), SN((-1, 1)), NPR((-1, 1))])
def test_a_time_without_data_is_refused(head):
    schedule = NoiseSchedule([0.2, 0.5, 1.0])
    value = torch.ones(2, 1)
    with pytest.raises(ValueError, match="alphas_cumprod is 0"):
        head.mse(schedule, value, value, torch.tensor([2, 3]))
    with pytest.raises(ValueError, match="alphas_cumprod is 0"):
        sample(lambda x, t: torch.cat([x, x], 1), schedule, [1, 2, 3], (2, 1), head, prediction="v")
