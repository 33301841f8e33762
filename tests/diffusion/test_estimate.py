"""The estimators against exact answers: within sampling error, resumable, and honest about imperfect networks."""

import pytest
import torch
from torch import nn

from gradwright.diffusion import DenoisingErrorEstimator, NoiseSchedule, estimate_denoising_error
from gradwright.diffusion.tally import Tally
from tests.diffusion import reference
from tests.diffusion.toys import GAUSSIAN, LINEAR, MIXTURE, TWO

TIMES = [1, 10, 100, 400, 700, 1000]
SAMPLES, PIXELS = 20_000, 16


def batches(data, count=SAMPLES, shape=(PIXELS,), size=5000, seed=1):
    return data.sample(count, *shape, generator=torch.Generator().manual_seed(seed)).split(size)


@pytest.fixture(scope="module", params=[GAUSSIAN, MIXTURE], ids=["gaussian", "mixture"])
def toy(request):
    return request.param


@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v"])
def test_the_residual_meets_the_exact_error_within_one_percent(toy, prediction):
    network = toy.network(LINEAR, prediction)
    error = estimate_denoising_error(network, batches(toy), LINEAR, times=TIMES, prediction=prediction)
    exact = toy.denoising_error(LINEAR, error.times)
    assert ((error.mse / exact - 1).abs() < 0.01).all()
    assert ((error.mse - exact).abs() < 4 * error.standard_error).all()
    assert error.count.tolist() == [SAMPLES] * len(TIMES)


@pytest.mark.parametrize(
    ("source", "steps"),
    [
        ("residual", ((1, 10), (10, 100), (100, 400), (400, 700), (700, 1000))),
        ("noise_power", ((1, 10), (10, 100))),  # later, 1 − Γ drowns in its sampling error
        ("data_variance", ((10, 100), (100, 400))),  # earlier, the two variances are nearly equal; later, one is tiny
    ],
)
def test_all_three_estimators_meet_the_exact_optimal_variance_within_one_percent(toy, source, steps):
    error = estimate_denoising_error(
        toy.network(LINEAR), batches(toy), LINEAR, times=sorted({t for _, t in steps}), source=source
    )
    ab = reference.alphas_cumprod(LINEAR.betas.numpy())
    for s, t in steps:
        for eta in (0.0, 1.0):
            true = reference.optimal_variance(ab[s], ab[t], toy.denoising_error(LINEAR, t).item(), eta)
            assert error.variance(s, t, eta).item() == pytest.approx(true, rel=0.01), (s, t, eta)


def test_only_the_residual_is_precise_where_x_is_nearly_noise():
    exact = MIXTURE.denoising_error(LINEAR, 1000).item()
    late = {}
    for source in ("residual", "noise_power"):
        estimator = DenoisingErrorEstimator(LINEAR, times=[1000], source=source)
        estimator.update(MIXTURE.network(LINEAR), batches(MIXTURE, 2000)[0])
        estimate, spread = estimator._source.finish(
            LINEAR, "epsilon", estimator.times, estimator._tally, estimator._data
        )
        late[source] = (abs(estimate.item() - exact), spread.item())
    assert late["residual"][0] < 0.02 * exact
    assert late["noise_power"][1] > 20 * exact  # its own standard error says that it knows nothing here


def test_an_imperfect_network_is_charged_by_the_residual_and_credited_by_the_noise_power():
    exact = MIXTURE.network(TWO)
    network = lambda x, t: exact(x, t) + 0.3  # noqa: E731
    found = {
        source: estimate_denoising_error(network, batches(MIXTURE, 40_000), TWO, times=[2], source=source).mse.item()
        for source in ("residual", "noise_power")
    }
    # β̄ / ᾱ = 1 here: 1 − Γ ± δ²; the noise power also carries 2 δ E ε*, which is 0
    assert found["residual"] == pytest.approx(0.4638592215, rel=0.01)
    assert found["noise_power"] == pytest.approx(0.2838592215, rel=0.01)


def test_one_value_a_pixel_and_a_channel():
    scale = torch.tensor([0.2, 1.0, 3.0], dtype=torch.float64).reshape(3, 1, 1)
    data = torch.randn(4000, 3, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * scale

    def network(x, t):
        ab, bb = (value.reshape(-1, 1, 1, 1) for value in (LINEAR.alpha_bar(t), LINEAR.beta_bar(t)))
        return bb.sqrt() * x / (ab * scale**2 + bb)

    ab, bb = LINEAR.alpha_bar(100), LINEAR.beta_bar(100)
    exact = scale**2 * bb / (ab * scale**2 + bb)
    for source, slack in (("residual", 0.0), ("noise_power", 0.01), ("data_variance", 0.08)):
        pixel = estimate_denoising_error(network, [data], LINEAR, times=[100], per="pixel", source=source)
        assert pixel.mse.shape == (1, 3, 2, 2)
        torch.testing.assert_close(pixel.at(100), exact.expand(3, 2, 2), rtol=0.1, atol=slack)
        channel = estimate_denoising_error(network, [data], LINEAR, times=[100], per="channel", source=source)
        assert channel.mse.shape == (1, 3, 1, 1)
        torch.testing.assert_close(channel.mse, pixel.mse.mean((2, 3), keepdim=True))
        one = estimate_denoising_error(network, [data], LINEAR, times=[100], source=source)
        torch.testing.assert_close(one.mse, pixel.mse.mean((1, 2, 3)))


def test_batches_do_not_matter_and_a_saved_run_goes_on_at_the_same_bits(tmp_path):
    data, network = batches(MIXTURE, 600)[0], MIXTURE.network(TWO)
    for source in ("residual", "noise_power", "data_variance"):
        whole = DenoisingErrorEstimator(TWO, source=source)
        for batch in data.split(200):
            whole.update(network, batch)
        first = DenoisingErrorEstimator(TWO, source=source)
        first.update(network, data[:200])
        torch.save(first.state_dict(), tmp_path / "half.pt")
        second = DenoisingErrorEstimator(TWO, source=source, seed=99)
        second.load_state_dict(torch.load(tmp_path / "half.pt", weights_only=True))
        for batch in data[200:].split(200):
            second.update(network, batch)
        assert torch.equal(second.result().estimate, whole.result().estimate)
        assert second.count == 600


def test_the_share_of_another_process_is_added_exactly():
    values = torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 1e6
    merged = Tally.of(values[:13]).merge(Tally.of(values[13:]))
    torch.testing.assert_close(merged.variance[0], values.var(0), rtol=1e-9, atol=0)
    torch.testing.assert_close(merged.mean[0], values.mean(0), rtol=1e-14, atol=0)

    data, network = batches(MIXTURE, 600)[0], MIXTURE.network(TWO)
    parts = [DenoisingErrorEstimator(TWO, seed=seed) for seed in (1, 2)]
    parts[0].update(network, data[:200])
    parts[1].update(network, data[200:])
    means = [part.result().mse for part in parts]
    parts[0].merge(parts[1])
    torch.testing.assert_close(parts[0].result().mse, means[0] / 3 + means[1] * 2 / 3)
    with pytest.raises(ValueError, match="another source"):
        parts[0].merge(DenoisingErrorEstimator(TWO, source="noise_power"))
    with pytest.raises(ValueError, match="saved with another times"):
        parts[0].load_state_dict(DenoisingErrorEstimator(TWO, times=[1]).state_dict())


def test_the_network_is_put_into_eval_mode_and_back():
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    net[0].eval()
    seen = []

    class Timed(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x, t):
            seen.append((self.training, net[1].training, torch.is_grad_enabled(), t.tolist()))
            return self.net(x)

    module = Timed()
    net[0].eval()
    estimate_denoising_error(module, [torch.randn(3, 4)], TWO)
    assert seen == [(False, False, False, [1, 1, 1]), (False, False, False, [2, 2, 2])]
    assert (module.training, net[1].training, net[0].training) == (True, True, False)


def test_tuples_conditions_and_a_limit_of_samples():
    seen = []

    def network(x, t, *labels):
        seen.append([label.tolist() for label in labels])
        return torch.zeros_like(x)

    loader = [(torch.randn(4, 2), torch.arange(4)), (torch.randn(4, 2), torch.arange(4, 8))]
    assert estimate_denoising_error(network, loader, TWO, times=[2], samples=6).count.tolist() == [6]
    assert seen == [[], []]
    estimate_denoising_error(network, loader, TWO, times=[2], samples=6, conditional=True)
    assert seen[2:] == [[[0, 1, 2, 3]], [[4, 5]]]


def test_half_precision_data_and_networks_are_counted_in_double():
    data = batches(GAUSSIAN, 4000)[0].to(torch.bfloat16)
    network = GAUSSIAN.network(LINEAR)
    error = estimate_denoising_error(network, [data], LINEAR, times=[400])
    assert error.mse.dtype == torch.float64
    assert error.mse.item() == pytest.approx(GAUSSIAN.denoising_error(LINEAR, 400).item(), rel=0.03)


def bad(output):
    return lambda x, t: output(x)


DATA = torch.randn(6, 3, 2, 2)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: run(bad(lambda x: torch.cat([x, x], 1))), ValueError, r"shape \(6, 6, 2, 2\).*second head"),
        (lambda: run(bad(lambda x: x[:, :1])), ValueError, r"returned shape \(6, 1, 2, 2\)"),
        (lambda: run(bad(lambda x: x / 0)), ValueError, "NaN or infinity in 100.00%.*time 1"),
        (lambda: run(bad(lambda x: {"sample": x})), TypeError, "must return a tensor, got dict.*unwrap"),
        (lambda: run(bad(lambda x: x), [DATA.long()]), TypeError, "tensor of floats"),
        (
            lambda: run(bad(lambda x: x), [{"images": DATA, "y": 1}]),
            TypeError,
            "keys 'images', 'y'; .*tuple",
        ),
        (lambda: run(bad(lambda x: x), [(DATA, {"y": 1})], conditional=True), TypeError, "dict with the keys 'y'"),
        (lambda: run(bad(lambda x: x), ["images"]), TypeError, "gave a str"),
        (lambda: run(bad(lambda x: x), [()]), TypeError, "empty batch"),
        (lambda: run(bad(lambda x: x), [DATA * float("nan")]), ValueError, "data holds NaN"),
        (lambda: run(bad(lambda x: x), [DATA, DATA[:, :2]]), ValueError, r"shape \(3, 2, 2\) as before"),
        (lambda: run(bad(lambda x: x), [DATA[:0]]), ValueError, "B ≥ 1"),
        (lambda: run(bad(lambda x: x), []), ValueError, "loader gave no batch"),
        (lambda: run(bad(lambda x: x), [DATA[:1]]), ValueError, "two samples or more, got 1"),
        (lambda: run(bad(lambda x: x), source="exact"), ValueError, "source must be one of"),
        (lambda: run(bad(lambda x: x), per="image"), ValueError, "per must be"),
        (lambda: run(bad(lambda x: x), [torch.randn(5)], per="pixel"), ValueError, "needs data of shape"),
        (lambda: run(bad(lambda x: x), times=[0, 1]), ValueError, "times must lie in 1 ... 2"),
        (lambda: run(bad(lambda x: x), times=[2, 1]), ValueError, "increase strictly"),
        (lambda: run(bad(lambda x: x), samples=1), ValueError, "samples must be at least 2"),
        (lambda: run(bad(lambda x: x), prediction="noise"), ValueError, "prediction must be one of"),
    ],
)
def test_bad_input_is_named(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def run(network, loader=(DATA,), **settings):
    return estimate_denoising_error(network, loader, TWO, **settings)


def test_where_a_batch_raises_nothing_of_it_was_counted():
    estimator = DenoisingErrorEstimator(TWO)
    estimator.update(lambda x, t: x, DATA)
    before = estimator.result().estimate
    with pytest.raises(ValueError, match="time 2"):
        estimator.update(lambda x, t: x if t[0] == 1 else x * float("nan"), DATA)
    assert estimator.count == 6
    assert torch.equal(estimator.result().estimate, before)


def test_an_estimate_below_zero_is_said():
    loud = lambda x, t: 2 * torch.ones_like(x)  # noqa: E731
    with pytest.warns(UserWarning, match=r"'noise_power' gives an error at or below zero at 2 of 2 times.*residual"):
        error = run(loud, source="noise_power")
    assert (error.estimate < 0).all()
    assert (error.mse == 0).all()


def test_a_schedule_that_ends_without_signal():
    schedule = NoiseSchedule(torch.tensor([0.5, 1.0], dtype=torch.float64))
    network = GAUSSIAN.network(schedule, "x0")
    error = estimate_denoising_error(network, batches(GAUSSIAN, 4000), schedule, prediction="x0")
    assert error.mse[1].item() == pytest.approx(0.25, rel=0.02)
    with pytest.raises(ValueError, match="does not determine"):
        estimate_denoising_error(network, batches(GAUSSIAN, 10), schedule)
