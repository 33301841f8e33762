"""Pictures of a run. The one file of the solvers that imports matplotlib."""

from __future__ import annotations

from typing import Any

from gradwright.solvers.outcome.trace import Trace


def plot(trace: Trace, reference: float, title: str = "", axes: Any = None) -> Any:
    """Draw the distance of the value from a reference, and the gradient norm, on log scales against the work done.

    Work is evaluations plus Hessian products.

    Args:
        trace: of a run.
        reference: the value that counts as the end; values may lie on both sides of it.
        title: of the upper axes.
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
        raise ImportError('result.plot() needs matplotlib: pip install "gradwright[study]"') from error
    if axes is None:
        _, axes = plt.subplots(2, 1, sharex=True, figsize=(6.4, 5.6), layout="constrained")
    if len(axes) != 2:
        raise ValueError(f"axes holds {len(axes)}; give two, for the value and for the gradient")
    above, below = axes
    work = [each.nfev + each.nhev for each in trace]
    above.plot(work, [abs(each.value - reference) or float("nan") for each in trace], marker=".")
    below.plot(work, [each.gradient for each in trace], marker=".", color="tab:red")
    crosses = any(each.value < reference for each in trace)
    distance = f"|value − {reference:.6g}|" if crosses else f"value − {reference:.6g}"
    above.set(yscale="log", ylabel=distance, title=title)
    below.set(yscale="log", ylabel="‖gradient‖∞", xlabel="evaluations + Hessian products")
    for axis in axes:
        axis.grid(alpha=0.3)
    return above.figure
