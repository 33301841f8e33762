"""What pipelines rely on in every scheduler, checked for each of ours in the real diffusers package."""

import inspect
import json
import subprocess
import sys

import pytest
import torch
from torch import nn

from gradwright.diffusion import NPR, DenoisingError, NoiseSchedule
from tests.diffusion.test_diffusers import unet

diffusers = pytest.importorskip("diffusers")
adapter = pytest.importorskip("gradwright.diffusion.diffusers")

MSE = torch.linspace(0.01, 0.9, 1000).tolist()
KINDS = {"DDPM": adapter.AnalyticDDPMScheduler, "DDIM": adapter.AnalyticDDIMScheduler}
EVERY = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def made(kind, **config):
    return kind(**{"denoising_mse": MSE, "cap": 0.01, "cap_steps": 2, "clip_sample": False, **config})


def base_of(kind):
    return next(base for base in kind.__mro__ if base.__module__.startswith("diffusers."))


def pipeline(kind):
    pipe = {"DDPM": diffusers.DDPMPipeline, "DDIM": adapter.AnalyticDDIMPipeline}[base_of(kind).__name__[:4]]
    pipe = pipe(unet(), made(kind))
    pipe.set_progress_bar_config(disable=True)
    return pipe


def draw(pipe, seed):
    pipe.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(seed)
    return pipe(num_inference_steps=4, output_type="np", generator=generator).images


def public_methods(kind):
    own = [each for each in kind.__mro__ if each.__module__.startswith("gradwright.")]
    names = {name for each in own for name, value in vars(each).items() if inspect.isroutine(value)}
    return sorted(name for name in names if not name.startswith("_") and hasattr(base_of(kind), name))


@EVERY
def test_methods_name_every_argument_of_the_base(kind):
    # pipelines look into the signature for "generator", "eta", "timesteps" and "sigmas" before they pass them
    assert {"step", "set_timesteps"} <= set(public_methods(kind))
    for name in public_methods(kind):
        ours = inspect.signature(getattr(kind, name)).parameters
        theirs = inspect.signature(getattr(base_of(kind), name)).parameters
        assert list(ours)[: len(theirs)] == list(theirs), name
        optional = {p.name: p.default for p in theirs.values() if p.default is not p.empty}
        assert optional == {name: ours[name].default for name in optional}, name
        hidden = [p.name for p in ours.values() if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        assert not hidden, f"{name} hides its arguments behind {hidden}"


@EVERY
def test_the_constructor_names_every_argument_of_the_base(kind):
    ours, theirs = (set(inspect.signature(each.__init__).parameters) for each in (kind, base_of(kind)))
    assert ours == theirs | {"denoising_mse", "cap", "cap_steps"}


@EVERY
@pytest.mark.parametrize("many", [False, True], ids=["one generator", "a generator a row"])
def test_a_generator_decides_the_noise(kind, many):
    def seeded(seed):
        made = [torch.Generator().manual_seed(seed + row) for row in range(2)]
        return made if many else made[0]

    scheduler = made(kind)
    scheduler.set_timesteps(5)
    # as pipelines that pass only what the signature names do it
    accepted = {"generator"} & set(inspect.signature(scheduler.step).parameters)
    sample, output = torch.randn(2, 2, 1, 4, 4).unbind()
    for t in scheduler.timesteps[:-1]:
        moved = [
            scheduler.step(output, t, sample, **{name: seeded(seed) for name in accepted}).prev_sample
            for seed in (0, 0, 7)
        ]
        assert torch.equal(moved[0], moved[1])
        assert not torch.allclose(moved[0], moved[2])
        assert torch.equal(scheduler.step(output, t, sample, generator=seeded(0), return_dict=False)[0], moved[0])


@EVERY
def test_a_pipeline_follows_its_seed(kind):
    pipe = pipeline(kind)
    assert (draw(pipe, 0) == draw(pipe, 0)).all()
    assert (draw(pipe, 0) != draw(pipe, 1)).any()


@EVERY
def test_a_saved_pipeline_loads_with_our_scheduler(kind, tmp_path):
    pipe = pipeline(kind)
    pipe.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "model_index.json").read_text())["scheduler"][1] == kind.__name__
    again = type(pipe).from_pretrained(tmp_path)
    assert type(again.scheduler) is kind
    assert again.scheduler.config.denoising_mse == MSE
    assert again.scheduler.config.cap == 0.01
    assert (draw(again, 0) == draw(pipe, 0)).all()
    again.save_pretrained(tmp_path)
    assert type(type(pipe).from_pretrained(tmp_path).scheduler) is kind


def test_a_pipeline_is_found_by_its_index(tmp_path):
    pipeline(KINDS["DDPM"]).save_pretrained(tmp_path)
    assert type(diffusers.DiffusionPipeline.from_pretrained(tmp_path).scheduler) is KINDS["DDPM"]


@pytest.mark.slow
def test_a_process_that_does_not_know_us_is_told_what_to_import(tmp_path):
    pipeline(KINDS["DDPM"]).save_pretrained(tmp_path)
    lines = (
        f"from diffusers import DDPMPipeline; print(type(DDPMPipeline.from_pretrained({str(tmp_path)!r}).scheduler))"
    )
    said = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=False)
    assert "AnalyticDDPMScheduler" in said.stdout or "gradwright.diffusion.diffusers" in said.stderr
    assert said.returncode == 0 or "gradwright.diffusion.diffusers" in said.stderr


def test_a_pipeline_that_would_make_a_plain_scheduler_is_refused(tmp_path):
    scheduler = made(KINDS["DDIM"])
    with pytest.raises(ValueError, match=r"DDIMScheduler would drop the measured error.*AnalyticDDIMPipeline"):
        diffusers.DDIMPipeline(unet(), scheduler)
    pipe = diffusers.DDIMPipeline(unet(), diffusers.DDIMScheduler())
    pipe.scheduler = scheduler
    pipe.save_pretrained(tmp_path)
    scheduler.save_pretrained(tmp_path / "once more")  # saving must not disarm it
    for config in (scheduler.config, dict(scheduler.config)):
        with pytest.raises(ValueError, match="would drop the measured error"):
            diffusers.DDPMScheduler.from_config(config)
    with pytest.raises(ValueError, match=r"AnalyticDDIMPipeline.from_pretrained loads it"):
        diffusers.DDIMPipeline.from_pretrained(tmp_path)
    assert type(adapter.AnalyticDDIMPipeline.from_pretrained(tmp_path).scheduler) is KINDS["DDIM"]


def test_the_pipeline_of_ours_refuses_a_plain_scheduler():
    with pytest.raises(ValueError, match="must be an AnalyticDDIMScheduler, got DDIMScheduler"):
        adapter.AnalyticDDIMPipeline(unet(), diffusers.DDIMScheduler())


@EVERY
def test_schedulers_turn_into_one_another(kind):
    class Derived(KINDS["DDIM"]):
        pass

    ours = made(kind, beta_end=0.03, prediction_type="v_prediction")
    for other in (*KINDS.values(), Derived):
        turned = other.from_config(ours.config)
        assert turned.config.denoising_mse == MSE
        assert turned.config.beta_end == 0.03
    plain = diffusers.DDIMScheduler.from_config(ours.plain_config)
    assert (plain.config.beta_end, plain.config.prediction_type) == (0.03, "v_prediction")
    assert "denoising_mse" not in plain.config
    with pytest.raises(ValueError, match=r"from_config\(scheduler.plain_config, variance_type='learned'\)"):
        adapter.LearnedVarianceModel(unet(), ours, NPR())


@pytest.mark.parametrize("variance_type", ["fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"])
@EVERY
def test_the_optimal_variance_replaces_every_fixed_one(kind, variance_type):
    theirs = diffusers.DDPMScheduler(variance_type=variance_type)
    error = DenoisingError(adapter.noise_schedule(theirs), [1, 1000], [0.1, 0.2])
    ours = kind.from_error(theirs, error)
    ours.set_timesteps(5)
    t, s = ours.timesteps[1:3].tolist()
    assert ours._variance(t, s, 1.0, None) == error.variance(s + 1, t + 1)
    if kind is KINDS["DDPM"]:
        assert ours._get_variance(t) == error.variance(s + 1, t + 1)
        with pytest.raises(ValueError, match="'fixed_large' would be ignored"):
            kind.from_error(theirs, error, variance_type="fixed_large")
        with pytest.raises(ValueError, match="'learned' would be ignored"):
            kind.from_error(diffusers.DDPMScheduler(variance_type="learned"), error)


@EVERY
def test_more_capped_steps_than_the_chain_has_are_refused(kind):
    scheduler = made(kind, cap_steps=4)
    before = scheduler.timesteps.clone()
    for few in (2, 4):
        with pytest.raises(ValueError, match=rf"chain of {few} stops has cap_steps in 1 ... {few - 1}.*got 4"):
            scheduler.set_timesteps(few)
        with pytest.raises(ValueError, match="cap_steps in"):
            scheduler.set_timesteps(timesteps=list(range(100 * few, 0, -100)))
    assert torch.equal(scheduler.timesteps, before)
    scheduler.set_timesteps(5)
    sample = torch.zeros(1, 1, 2, 2)
    assert all(scheduler.step(sample, t, sample).prev_sample.isfinite().all() for t in scheduler.timesteps)
    made(kind, cap_steps=1).set_timesteps(1)
    made(kind, cap=None, cap_steps=4).set_timesteps(2)
    for wrong in (0, 1000, 1.5, True):
        with pytest.raises(ValueError, match=r"cap_steps in 1 ... 999"):
            made(kind, cap_steps=wrong)
    with pytest.raises(ValueError, match="cap must be positive"):
        made(kind, cap=float("nan"))


@EVERY
def test_a_schedule_that_ends_without_data_needs_another_prediction(kind):
    config = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "cap": None}
    with pytest.raises(ValueError, match=r"'epsilon' does not determine the data.*alphas_cumprod is 0"):
        made(kind, **config)
    for prediction in ("v_prediction", "sample"):
        scheduler = made(kind, prediction_type=prediction, **config)
        scheduler.set_timesteps(5)
        x = torch.randn(2, 1, 4, 4)
        for t in scheduler.timesteps:
            x = scheduler.step(0.1 * x, t, x).prev_sample
            assert x.isfinite().all()
    learned = diffusers.DDPMScheduler(variance_type="learned", rescale_betas_zero_snr=True)
    with pytest.raises(ValueError, match=r"'epsilon' does not determine the data"):
        adapter.LearnedVarianceModel(unet(), learned, NPR())
    error = DenoisingError(NoiseSchedule.linear(), [1, 1000], [0.1, 0.2])
    assert kind.from_error(diffusers.DDPMScheduler(), error).config.rescale_betas_zero_snr is False


def test_a_second_head_asks_the_scheduler_that_samples():
    both = nn.Conv2d(1, 2, 1)
    scheduler = diffusers.DDPMScheduler(variance_type="learned")
    learned = adapter.LearnedVarianceModel(Takes(both), scheduler, NPR())
    scheduler.set_timesteps(4)
    other = diffusers.DDPMScheduler(variance_type="learned")
    other.set_timesteps(7)
    x = torch.randn(2, 1, 8, 8)
    assert learned(x, scheduler.timesteps[1]).sample.shape == (2, 2, 8, 8)
    with pytest.raises(ValueError, match=rf"got {int(other.timesteps[1])}; give this model the scheduler"):
        learned(x, other.timesteps[1])


class Takes(nn.Module):
    """A network of x alone."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x, t):
        return self.network(x)
