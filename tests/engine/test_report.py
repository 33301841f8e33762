"""What an optimizer says of its kernels is what the device of each parameter has."""

import pytest
import torch

from gradwright import Adafactor, AdamW
from gradwright.engine import select


def leaves(device):
    return [torch.nn.Parameter(torch.zeros(shape, device=device)) for shape in ((4, 3), (3,))]


@pytest.fixture
def pretended(monkeypatch):
    """Tensors without data stand for tensors on a GPU that Triton serves."""
    real = select.chosen

    def chosen(engine, device="cpu"):
        on_gpu = torch.device(device).type == "meta" and select.asked(engine) == "auto"
        return "triton" if on_gpu else real(engine, device)

    monkeypatch.setattr(select, "chosen", chosen)


def test_each_device_is_asked(pretended, compiler):
    text = AdamW([*leaves("cpu"), *leaves("meta")]).explain(source=True)
    assert "group 0: AdamW, engine cpp and triton" in text
    held = "holds 8 bytes of state per number (ema.m: float32; precondition.v: float32), weights 4"
    assert f"1 tensors, 12 numbers: 4x3, float32\n  {held}\n  kernel: 1 sweep" in text
    assert f"1 tensors on meta, 12 numbers: 4x3, float32\n  {held}\n  kernel: 1 sweep" in text
    assert text.count("#pragma omp parallel") == text.count("\ndef sweep0") == 1


def test_only_the_kernels_of_the_device_are_printed(pretended):
    text = Adafactor(leaves("meta")).explain(source=True)
    assert "engine triton" in text
    assert "@triton.jit" in text
    assert "#pragma omp" not in text


def test_a_device_that_no_kernel_serves():
    text = AdamW(leaves("meta")).explain(source=True)
    assert "engine eager" in text
    assert text.count("plain torch, one tensor after another: no kernels serve meta here") == 2
    assert "kernel:" not in text


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_eager_engine_speaks_of_no_kernels(pretended, device):
    text = AdamW(leaves(device), engine="eager").explain(source=True)
    assert text.count("plain torch, one tensor after another: engine is 'eager'") == 2
    assert not [word for word in ("kernel", "sweep", "#pragma", "@triton") if word in text]


def test_the_environment_is_asked_too(monkeypatch):
    monkeypatch.setenv("GRADWRIGHT_ENGINE", "eager")
    assert "engine is 'eager'" in AdamW(leaves("cpu")).explain()


def test_explaining_changes_nothing(compiler):
    params = leaves("cpu")
    optimizer = AdamW(params)
    params[0].grad = torch.ones(4, 3)
    before = {key: value for key, value in optimizer.state[params[0]].items() if not torch.is_tensor(value)}
    optimizer.explain(source=True)
    assert before == {key: value for key, value in optimizer.state[params[0]].items() if not torch.is_tensor(value)}
    assert not params[0].detach().any()
