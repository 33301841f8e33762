"""The adapters inside the real diffusers package: schedulers, configs, pipelines."""

import itertools
import json

import pytest
import torch
from torch import nn

from gradwright.diffusion import (
    NPR,
    DenoisingError,
    NoiseSchedule,
    TwoHeads,
    estimate_denoising_error,
    noise_cap,
    optimal_trajectory,
    zero_head,
)
from gradwright.diffusion.closed_form import GaussianMixture
from tests.diffusion.toys import EVERY, MIXTURE

diffusers = pytest.importorskip("diffusers")
adapter = pytest.importorskip("gradwright.diffusion.diffusers")

SAME = {"clip_sample": False}
PLAIN = GaussianMixture.single(0.0, 0.5)


def schedulers(mse=0.3, base="DDPM", **config):
    """A scheduler of diffusers and ours with the same config."""
    theirs = getattr(diffusers, f"{base}Scheduler")(**{**SAME, **config})
    values = mse.tolist() if isinstance(mse, torch.Tensor) else [mse] * len(theirs.betas)
    ours = getattr(adapter, f"Analytic{base}Scheduler").from_config(theirs.config, denoising_mse=values)
    return theirs, ours


def variances(scheduler, steps=10):
    scheduler.set_timesteps(steps)
    return torch.stack([torch.as_tensor(scheduler._get_variance(t)) for t in scheduler.timesteps[:-1]]).double()


def test_two_identities_tie_the_variance_to_those_of_diffusers():
    # Γ = 1: the small variance. Γ = β̄: the large one, exactly
    schedule = NoiseSchedule(diffusers.DDPMScheduler().betas)
    theirs, ours = schedulers(0.0)
    torch.testing.assert_close(variances(ours), variances(theirs), rtol=2e-3, atol=0)
    _, ours = schedulers(schedule.beta_bar(EVERY))
    theirs = diffusers.DDPMScheduler(variance_type="fixed_large")
    torch.testing.assert_close(variances(ours), variances(theirs), rtol=1e-4, atol=0)


def test_the_worked_variances_of_the_mixture_in_both_schedulers():
    schedule = NoiseSchedule(diffusers.DDPMScheduler().betas)
    times = torch.tensor([1, 500, 1000])
    error = DenoisingError(schedule, times, MIXTURE.denoising_error(schedule, times))
    ddpm = adapter.AnalyticDDPMScheduler.from_error(diffusers.DDPMScheduler(**SAME), error)
    ddpm.set_timesteps(timesteps=adapter.inference_timesteps([1, 400, 500, 1000]))
    assert ddpm._get_variance(499).item() == pytest.approx(0.5757889699, rel=1e-5)
    ddim = adapter.AnalyticDDIMScheduler.from_error(diffusers.DDIMScheduler(**SAME), error)
    ddim.set_timesteps(timesteps=[999, 499, 399, 0])
    sample, generator = torch.zeros(200_000, 1), torch.Generator().manual_seed(0)
    for eta, variance in ((0.0, 0.0212988297), (1.0, 0.5757889699)):
        moved = ddim.step(torch.zeros_like(sample), 499, sample, eta=eta, generator=generator).prev_sample
        assert moved.var().item() == pytest.approx(variance, rel=0.015)


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
@pytest.mark.parametrize("eta", [0.0, 0.7])
def test_ddim_without_error_is_diffusers_ddim(eta, prediction):
    config = {"prediction_type": prediction, "clip_sample": True}
    theirs, ours = schedulers(0.0, "DDIM", **config)
    sample, output, noise = torch.randn(3, 2, 3, 4, 4).unbind()
    for scheduler in (theirs, ours):
        scheduler.set_timesteps(10)
    for clipped in (False, True):
        for t in ours.timesteps[:-1]:
            arguments = {"eta": eta, "variance_noise": noise, "use_clipped_model_output": clipped}
            a, b = (scheduler.step(output, t, sample, **arguments) for scheduler in (theirs, ours))
            torch.testing.assert_close(b.prev_sample, a.prev_sample, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(b.pred_original_sample, a.pred_original_sample, rtol=1e-4, atol=1e-4)
    last = [scheduler.step(output, ours.timesteps[-1], sample, return_dict=False)[0] for scheduler in (theirs, ours)]
    torch.testing.assert_close(last[1], last[0], rtol=1e-3, atol=1e-3)


def test_ddpm_without_error_draws_the_same_sample_as_diffusers():
    theirs, ours = schedulers(0.0, clip_sample=True)
    sample, output = torch.randn(2, 3, 3, 4, 4).unbind()
    for scheduler in (theirs, ours):
        scheduler.set_timesteps(10)
    for t in ours.timesteps:
        a, b = (s.step(output, t, sample, generator=torch.Generator().manual_seed(0)) for s in (theirs, ours))
        torch.testing.assert_close(b.prev_sample, a.prev_sample, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("base", ["DDPM", "DDIM"])
def test_ten_steps_give_the_variance_of_the_data(base):
    schedule = NoiseSchedule(diffusers.DDPMScheduler().betas)
    spread = {}
    for kind in ("theirs", "ours"):
        theirs, ours = schedulers(PLAIN.denoising_error(schedule, EVERY), base, timestep_spacing="linspace")
        scheduler = ours if kind == "ours" else theirs
        if kind == "theirs" and base == "DDIM":
            continue  # its step does not follow this spacing
        scheduler.set_timesteps(10)
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(20_000, 4, generator=generator)
        for t in scheduler.timesteps:
            noise = PLAIN.noise(schedule, x, int(t) + 1).float()
            x = scheduler.step(noise, t, x, generator=generator).prev_sample
        spread[kind] = x.var().item()
    assert spread["ours"] == pytest.approx(0.25, rel=0.015)
    assert spread.get("theirs", 0.1) < 0.12


@pytest.mark.parametrize("spacing", ["trailing", "leading", "linspace"])
def test_the_step_to_the_data_adds_no_noise_with_any_spacing(spacing):
    for base in ("DDPM", "DDIM"):
        _, ours = schedulers(0.3, base, timestep_spacing=spacing)
        ours.set_timesteps(7)
        sample, output = torch.randn(2, 3, 3, 4, 4).unbind()
        drawn = [ours.step(output, ours.timesteps[-1], sample).prev_sample for _ in range(2)]
        assert torch.equal(*drawn)


def test_the_config_is_saved_and_loaded(tmp_path):
    _, ours = schedulers(torch.rand(1000))
    ours = type(ours).from_config(ours.config, cap=noise_cap(2), cap_steps=2)
    ours.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "scheduler_config.json").read_text())["cap_steps"] == 2
    again = type(ours).from_pretrained(tmp_path)
    torch.testing.assert_close(variances(again), variances(ours), rtol=0, atol=0)
    assert again.config.cap == noise_cap(2)
    assert again.config.beta_end == ours.config.beta_end


@pytest.mark.parametrize("base", ["DDPM", "DDIM"])
def test_the_cap_concerns_the_steps_next_to_the_data(base):
    _, ours = schedulers(0.3, base)
    ours = type(ours).from_config(ours.config, cap=1e-4, cap_steps=2)
    ours.set_timesteps(5)
    row = ours.timesteps.tolist()
    found = [ours._variance(t, s, 1.0, None).item() for t, s in itertools.pairwise(row)]
    assert [value == 1e-4 for value in found] == [False, False, True, True]


@pytest.mark.parametrize("base", ["DDPM", "DDIM"])
def test_one_value_a_pixel_in_the_dtype_of_the_sample(base):
    mse = torch.rand(1000, 3, 1, 1) + torch.rand(1, 1, 4, 4)
    _, ours = schedulers(mse, base)
    ours.set_timesteps(5)
    sample = torch.zeros(4000, 3, 4, 4, dtype=torch.bfloat16)
    moved = ours.step(torch.zeros_like(sample), ours.timesteps[2], sample).prev_sample
    assert moved.dtype == torch.bfloat16
    t, s = ours.timesteps[2:4].tolist()
    eta = 1.0 if base == "DDPM" else 0.0
    torch.testing.assert_close(moved.double().var(0), ours._error.variance(s + 1, t + 1, eta), rtol=0.15, atol=0)


def unet():
    torch.manual_seed(0)
    return diffusers.UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        block_out_channels=(8, 8),
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        norm_num_groups=4,
    )


def test_a_pipeline_from_measurement_to_samples():
    model = unet()
    pipe = diffusers.DDPMPipeline(model, diffusers.DDPMScheduler())
    pipe.set_progress_bar_config(disable=True)
    schedule = adapter.noise_schedule(pipe.scheduler)
    network = adapter.NoiseNetwork(model)
    error = estimate_denoising_error(network, [torch.rand(8, 1, 8, 8) * 2 - 1], schedule, times=[1, 300, 1000])
    pipe.scheduler = adapter.AnalyticDDPMScheduler.from_error(pipe.scheduler, error, cap=noise_cap(2))
    images = pipe(batch_size=2, num_inference_steps=4, output_type="np").images
    assert images.shape == (2, 8, 8, 1)
    pipe.scheduler.set_timesteps(timesteps=adapter.inference_timesteps(optimal_trajectory(error, 5)))
    assert len(pipe.scheduler.timesteps) == 5
    ddim = diffusers.DDIMPipeline(model, diffusers.DDIMScheduler())
    ddim.set_progress_bar_config(disable=True)
    # DDIMPipeline makes a plain DDIMScheduler of any when it is built, which ours refuses; it is put in afterwards
    ddim.scheduler = adapter.AnalyticDDIMScheduler.from_error(pipe.scheduler, error)
    drawn = [
        ddim(num_inference_steps=3, output_type="np", generator=torch.Generator().manual_seed(s)).images for s in (0, 1)
    ]
    assert abs(drawn[0] - drawn[1]).max() > 0


def test_a_second_head_goes_through_the_pipeline_as_a_learned_variance():
    model = unet()
    scheduler = diffusers.DDPMScheduler(variance_type="learned")
    both = TwoHeads(adapter.NoiseNetwork(model), zero_head(8, 1, groups=4), features="model.conv_act", positive=True)
    learned = adapter.LearnedVarianceModel(both, scheduler, NPR(data_range=(-1, 1)))
    scheduler.set_timesteps(4)
    x = torch.randn(2, 1, 8, 8)
    output = learned(x, scheduler.timesteps[1]).sample
    assert output.shape == (2, 2, 8, 8)
    torch.testing.assert_close(output[:, :1], model(x, scheduler.timesteps[1]).sample)
    # softplus(0) = ln 2 everywhere: mse = min(β̄ / ᾱ ln 2, β̄ / ᾱ, 1)
    schedule, (t, s) = adapter.noise_schedule(scheduler), scheduler.timesteps[1:3].tolist()
    ratio = (schedule.beta_bar(t + 1) / schedule.alpha_bar(t + 1)).item()
    error = DenoisingError(schedule, [t + 1], [min(ratio * 0.6931471805599453, 1.0)])
    torch.testing.assert_close(
        output[:, 1:].double(), error.variance(s + 1, t + 1).expand(2, 1, 8, 8), rtol=1e-5, atol=0
    )
    assert (learned(x, scheduler.timesteps[-1], return_dict=False)[0][:, 1:] == 0).all()
    pipe = diffusers.DDPMPipeline(learned, scheduler)
    pipe.set_progress_bar_config(disable=True)
    assert pipe(batch_size=2, num_inference_steps=3, output_type="np").images.shape == (2, 8, 8, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: adapter.AnalyticDDPMScheduler(), "needs denoising_mse.*from_error"),
        (lambda: adapter.AnalyticDDIMScheduler(denoising_mse=[0.1] * 10), r"each of 1000 timesteps, got \(10,\)"),
        (lambda: adapter.AnalyticDDPMScheduler(denoising_mse=[0.1] * 1000, cap=0.0), "cap must be positive"),
        (lambda: adapter.AnalyticDDPMScheduler(denoising_mse=[0.1] * 1000, cap_steps=0), "cap_steps"),
        (
            lambda: adapter.AnalyticDDPMScheduler(denoising_mse=[0.1] * 1000, variance_type="learned"),
            "variance_type='learned' would be ignored",
        ),
        (lambda: two_channels_for_one("DDPM"), r"shape \(1, 1, 2\), got \(1, 2, 2\).*first half"),
        (lambda: two_channels_for_one("DDIM"), r"shape \(1, 1, 2\), got \(1, 2, 2\).*first half"),
        (lambda: adapter.noise_schedule(nn.Identity()), "must have betas, which Identity has not"),
        (
            lambda: adapter.LearnedVarianceModel(nn.Identity(), diffusers.DDPMScheduler(), NPR()),
            "variance_type='learned', got DDPMScheduler with 'fixed_small'",
        ),
        (
            lambda: adapter.AnalyticDDPMScheduler.from_error(
                diffusers.DDPMScheduler(beta_end=0.03), DenoisingError(NoiseSchedule.linear(), [1, 1000], [0.1, 0.2])
            ),
            "measured with other betas",
        ),
        (lambda: schedulers(0.1, "DDIM")[1].set_timesteps(timesteps=[3, 5]), r"must descend.*\[3, 5\]"),
        (lambda: schedulers(0.1, "DDIM")[1].set_timesteps(timesteps=[]), r"must descend.*got \[\]"),
        (lambda: schedulers(0.1, "DDIM")[1].set_timesteps(timesteps=[5.5, 3]), r"whole numbers, got \[5.5, 3.0\]"),
        (lambda: schedulers(0.1, "DDIM")[1].set_timesteps(5, timesteps=[5, 3]), "either"),
        (lambda: schedulers(0.1, "DDIM")[1].previous_timestep(1001), "one of scheduler.timesteps, got 1001"),
        (lambda: schedulers(0.1, "DDIM")[1].step(torch.zeros(1, 1), 5, torch.zeros(1, 1)), "call set_timesteps first"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def two_channels_for_one(base):
    _, ours = schedulers(0.1, base)
    ours.set_timesteps(5)
    ours.step(torch.zeros(1, 2, 2), ours.timesteps[0], torch.zeros(1, 1, 2))
