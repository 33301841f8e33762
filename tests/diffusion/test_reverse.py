"""The sampler: DDPM's and DDIM's means, the spread of its samples against the truth, the cap, and bad networks."""

import numpy as np
import pytest
import torch

from gradwright.diffusion import (
    NPR,
    SN,
    DenoisingError,
    ddim_trajectory,
    even_trajectory,
    noise_cap,
    reverse_mean,
    sample,
)
from gradwright.diffusion.closed_form import GaussianMixture
from gradwright.diffusion.reverse import fixed_rule
from tests.diffusion.toys import LINEAR, MIXTURE, TWO

PLAIN = GaussianMixture.single(0.0, 0.5)
EVERY = torch.arange(1, 1001)


def exact(toy, schedule=LINEAR):
    times = torch.arange(1, schedule.steps + 1)
    return DenoisingError(schedule, times, toy.denoising_error(schedule, times))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_mean_is_ddpms_at_eta_1_and_ddims_below():
    x, data = torch.randn(2, 5, dtype=torch.float64)
    s, t = 400, 500
    ab_s, ab_t = LINEAR.alpha_bar(s).item(), LINEAR.alpha_bar(t).item()
    noise = (x - np.sqrt(ab_t) * data) / np.sqrt(1 - ab_t)
    beta = 1 - ab_t / ab_s
    ddpm = beta * np.sqrt(ab_s) / (1 - ab_t) * data + np.sqrt(1 - beta) * (1 - ab_s) / (1 - ab_t) * x
    torch.testing.assert_close(reverse_mean(LINEAR, s, t, data, noise), ddpm)
    for eta in (0.0, 0.5):
        small = eta**2 * beta * (1 - ab_s) / (1 - ab_t)
        ddim = np.sqrt(ab_s) * data + np.sqrt(1 - ab_s - small) * noise
        torch.testing.assert_close(reverse_mean(LINEAR, s, t, data, noise, eta), ddim)


@pytest.mark.parametrize("eta", [1.0, 0.0])
@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_samples_of_a_short_chain_have_the_variance_of_the_data(eta, prediction):
    drawn = {}
    for variance in ("small", exact(PLAIN)):
        x = sample(
            PLAIN.network(LINEAR, prediction),
            LINEAR,
            even_trajectory(1000, 10),
            (20_000, 4),
            variance,
            eta=eta,
            prediction=prediction,
            generator=generator(),
        )
        drawn[isinstance(variance, str)] = x.var().item()
    # x_0 is the mean of the last step: x_1 shrunk by (ᾱ_1 s² / (ᾱ_1 s² + β̄_1))² / ᾱ_1, which is 0.9995 of it
    assert drawn[False] == pytest.approx(0.25, rel=0.01)
    assert drawn[True] < 0.6 * 0.25


def test_a_second_head_of_the_exact_moments_gives_each_sample_its_own_variance():
    # two steps, so that x_1 of a mixture can be compared with its moments
    class Both(torch.nn.Module):
        def __init__(self, head):
            super().__init__()
            self.head = head

        def forward(self, x, t):
            noise, (_, variance) = MIXTURE.noise(TWO, x, t), MIXTURE.posterior(TWO, x, t)
            ratio = (TWO.alpha_bar(t) / TWO.beta_bar(t)).reshape(-1, 1)
            second = variance * ratio + (noise**2 if isinstance(self.head, SN) else 0)
            return torch.cat([noise, second], 1)

    start = torch.full((40_000, 1), -0.2, dtype=torch.float64)
    for head in (SN(), NPR(), NPR(data_range=(-2, 2))):
        seen = []

        def network(x, t, head=head, seen=seen):
            seen.append(x)
            return Both(head)(x, t)

        sample(network, TWO, [1, 2], start.shape, head, start=start, dtype=torch.float64, generator=generator())
        assert seen[1].var().item() == pytest.approx(0.341620192, rel=0.03)
    bounded = NPR(data_range=(-0.5, 0.5)).mse(TWO, start, torch.full_like(start, 0.744588340), 2)
    assert bounded.max() == 0.25


def test_the_cap_concerns_the_steps_next_to_the_data():
    path, steps = [1, 300, 600, 1000], []

    def network(x, t):
        steps.append((int(t[0]), x.var().item()))
        return torch.zeros_like(x)

    rule = {"data_range": (0.0, 1e-9), "start": torch.zeros(50_000, 1), "rederive_noise": False}
    error = DenoisingError(LINEAR, [1, 1000], [1.0, 1.0])
    for cap_steps, capped in ((1, {1}), (2, {1, 300})):
        steps.clear()
        sample(
            network,
            LINEAR,
            path,
            (50_000, 1),
            error,
            cap=noise_cap(2),
            cap_steps=cap_steps,
            generator=generator(),
            **rule,
        )
        # x̂₀ is clipped to zero and ε̂ is zero, so the variance at a time is that of the last noise alone
        for time, variance in steps[1:]:
            before = path[path.index(time) + 1]
            expected = 3.86508900e-04 if time in capped else error.variance(time, before).item()
            assert variance == pytest.approx(expected, rel=0.03), (cap_steps, time)


def test_clipping_keeps_the_samples_in_range_and_the_last_step_adds_no_noise():
    loud = lambda x, t: torch.full_like(x, -1e5)  # noqa: E731
    x = sample(loud, LINEAR, even_trajectory(1000, 5), (64, 3), "large", data_range=(-1, 1), generator=generator())
    assert (x == 1).all()


def test_ddim_spacing_may_end_early_when_it_is_meant():
    network = PLAIN.network(LINEAR)
    path = ddim_trajectory(1000, 10)
    with pytest.raises(ValueError, match=r"must end at time 1000.*allow_short=True"):
        sample(network, LINEAR, path, (4, 2), "small")
    assert sample(network, LINEAR, path, (4, 2), "small", eta=0.0, allow_short=True).shape == (4, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw(lambda x, t: x[:, :1]), "network returned shape"),
        (lambda: draw(lambda x, t: x * float("nan")), "NaN or infinity in 100.00% of its output at time 1000"),
        (lambda: draw(lambda x, t: x, variance=NPR()), r"not \(4, 4\)"),
        (lambda: draw(lambda x, t: torch.cat([x, x], 1)), "second head"),
        (lambda: draw(lambda x, t: x, variance="medium"), "'small' or 'large', got 'medium'"),
        (lambda: draw(lambda x, t: x, variance="large", eta=0.5), "goes with eta=1"),
        (lambda: draw(lambda x, t: x, variance=DenoisingError(TWO, [1, 2], [0.1, 0.2])), "another schedule"),
        (lambda: draw(lambda x, t: x, start=torch.zeros(3, 2)), "start must have shape"),
        (lambda: draw(lambda x, t: x, cap=0.0), "cap must be positive"),
        (lambda: draw(lambda x, t: x, cap=0.1, cap_steps=5), "cap_steps in 1 ... 4"),
        (lambda: draw(lambda x, t: x, eta=-1), "eta must lie"),
        (lambda: draw(lambda x, t: x, data_range=(1, -1)), "low < high"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def draw(network, variance="small", **settings):
    return sample(network, LINEAR, even_trajectory(1000, 5), (4, 2), variance, **settings)


def test_a_fixed_rule_takes_rows_of_times():
    s, t = torch.tensor([1, 100]), torch.tensor([100, 1000])
    for variance in ("small", "large", exact(PLAIN)):
        rule = fixed_rule(LINEAR, variance)
        torch.testing.assert_close(rule(s, t), torch.stack([rule(1, 100), rule(100, 1000)]))
