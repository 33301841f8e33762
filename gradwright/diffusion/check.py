"""Checks of what comes from outside: times, trajectories, ranges and what a network returned."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import torch
from torch import Tensor


def as_times(t: int | Tensor, steps: int, name: str = "t", first: int = 0) -> Tensor:
    """``t`` as an int64 tensor on the CPU.

    Raises:
        TypeError: not an integer.
        ValueError: outside ``first`` ... ``steps``.
    """
    times = torch.as_tensor(t)
    if times.dtype.is_floating_point or times.dtype.is_complex or times.dtype == torch.bool:
        raise TypeError(f"{name} must be an integer time, got {t!r} of {times.dtype}; use int(...) or .long()")
    times = times.to("cpu", torch.int64)
    if times.numel() and (times.min() < first or times.max() > steps):
        raise ValueError(
            f"{name} must lie in {first} ... {steps}, got {times.tolist()}. Time 0 is the data and time {steps} the "
            f"noise; a timestep counted from zero, as in diffusers, is one less than its time."
        )
    return times


def as_trajectory(trajectory: Sequence[int] | Tensor, steps: int, allow_short: bool = False) -> list[int]:
    """``trajectory`` as a list of increasing times from 1 to ``steps``.

    Args:
        allow_short: let it end before ``steps``, as the spacings of DDIM do.

    Raises:
        ValueError: not increasing, or it does not start at 1, or does not end at ``steps``.
    """
    times = as_times(torch.as_tensor(trajectory), steps, "trajectory", first=1)
    if times.dim() != 1 or len(times) < 2:
        raise ValueError(f"trajectory must be two or more times, got shape {tuple(times.shape)}")
    path = times.tolist()
    if (times[1:] <= times[:-1]).any():
        raise ValueError(f"trajectory must increase strictly, got {path}; sort it and drop what occurs twice")
    if path[0] != 1:
        raise ValueError(
            f"trajectory must start at time 1, the last stop before the data, but starts at {path[0]}; put 1 in front"
        )
    if path[-1] != steps and not allow_short:
        raise ValueError(
            f"trajectory must end at time {steps}, where x is noise, but ends at {path[-1]}; append {steps}, or pass "
            f"allow_short=True to start from pure noise at time {path[-1]} as the spacings of DDIM do"
        )
    return path


def in_double(x: Tensor) -> Tensor:
    """``x`` in float64; on the CPU where its device has no float64, as Apple's has not."""
    return x.to("cpu" if x.device.type == "mps" else x.device, torch.float64)


def check_eta(eta: float) -> float:
    """``eta`` as a float in [0, 1]."""
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must lie in [0, 1]: 1 is DDPM, 0 the deterministic DDIM; got {eta}")
    return float(eta)


def check_cap(cap: float | None, cap_steps: int, stops: int) -> None:
    """Refuse a cap of the variance that is not positive, or more capped steps than add noise.

    Args:
        cap: the largest variance of the steps next to the data, or None.
        cap_steps: how many steps that concerns.
        stops: how many times the chain visits; the step from the first of them to the data adds no noise.
    """
    if cap is not None and not cap > 0:
        raise ValueError(
            f"cap must be positive or None for no cap, got {cap}; noise_cap() gives the authors' values for images"
        )
    most = max(1, stops - 1)
    if isinstance(cap_steps, bool) or not isinstance(cap_steps, Integral) or not 1 <= cap_steps <= most:
        raise ValueError(
            f"a chain of {stops} stops has cap_steps in 1 ... {most}, the steps that add noise, got {cap_steps!r}; "
            f"make it smaller, or ask for more steps; cap=None switches the cap off"
        )


def check_data_range(data_range: tuple[float, float]) -> tuple[float, float]:
    """``data_range`` as two increasing finite floats."""
    low, high = (float(end) for end in data_range)
    if not (low < high and abs(low) < float("inf") and abs(high) < float("inf")):
        raise ValueError(f"data_range must be (low, high) with low < high, got {data_range}; use None for no bound")
    return low, high


def check_output(output: Tensor, x: Tensor, t: int | Tensor, heads: int = 1) -> Tensor:
    """What a network returned for ``x`` (B, C, ...): ``heads`` times its channels, and finite.

    Raises:
        TypeError: not a tensor.
        ValueError: another shape, or NaN or infinity.
    """
    if not isinstance(output, Tensor):
        raise TypeError(
            f"network must return a tensor, got {type(output).__name__}; unwrap it: lambda x, t: net(x, t).sample"
        )
    expected = (x.shape[0], heads * x.shape[1], *x.shape[2:]) if heads > 1 else tuple(x.shape)
    if tuple(output.shape) != expected:
        doubled = x.dim() > 1 and tuple(output.shape) == (x.shape[0], 2 * x.shape[1], *x.shape[2:])
        hint = (
            "; it has a second head: keep the first half of its channels, or pass SN() or NPR() where they are read"
            if doubled
            else ""
        )
        raise ValueError(
            f"network returned shape {tuple(output.shape)} for x of {tuple(x.shape)}, not {expected}{hint}"
        )
    if not torch.isfinite(output).all():
        share = 1 - torch.isfinite(output).double().mean().item()
        when = t if isinstance(t, int) else t.unique().tolist()
        raise ValueError(
            f"network returned NaN or infinity in {share:.2%} of its output at time {when}; nothing was counted. "
            f"Check its weights and the range of the data, or run it in float32"
        )
    return output
