"""Pictures of a run. The one file of the solvers that imports matplotlib."""

from __future__ import annotations

from typing import Any

from gradwright.solvers.outcome.result import Result


def plot(result: Result, axes: Any = None) -> Any:
    """Draw how far the value is from its last, and the gradient norm, both on a log scale, against the work done.

    Work is evaluations plus Hessian products. With constraints the value may lie below the last one on the way, where
    constraints are violated; without, the lowest takes the place of the last.

    Args:
        result: with a trace.
        axes: two matplotlib axes; left out, a figure is made.

    Returns:
        the figure.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: ``axes`` are not two.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("result.plot() needs matplotlib: pip install matplotlib") from error
    if axes is None:
        _, axes = plt.subplots(2, 1, sharex=True, figsize=(6.4, 5.6), layout="constrained")
    if len(axes) != 2:
        raise ValueError(f"axes holds {len(axes)}; give two, for the value and for the gradient")
    above, below = axes
    work = [each.nfev + each.nhev for each in result.trace]
    constrained = "violation" in result.extra
    last = result.fun if constrained else min((each.value for each in result.trace), default=result.fun)
    above.plot(work, [abs(each.value - last) or float("nan") for each in result.trace], marker=".")
    below.plot(work, [each.gradient for each in result.trace], marker=".", color="tab:red")
    distance = f"|value − {last:.6g}|" if constrained else f"value − {last:.6g}"
    above.set(yscale="log", ylabel=distance, title=f"{result.status.name}, {result.nit} iterations")
    below.set(yscale="log", ylabel="‖gradient‖∞", xlabel="evaluations + Hessian products")
    for axis in axes:
        axis.grid(alpha=0.3)
    return above.figure
