"""Coefficients: the polynomials by which Newton-Schulz iterations drive singular values towards one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

import torch

Quintic = tuple[float, float, float]
Quintics = tuple[Quintic, ...]


def at_scale(rows: Iterable[Quintic], scale: float) -> Quintics:
    """p(σ / scale) for each p(σ) = a σ + b σ³ + c σ⁵."""
    return tuple((a / scale, b / scale**3, c / scale**5) for a, b, c in rows)


def with_margin(rows: Quintics, margin: float) -> Quintics:
    """The polynomials for a matrix that is first divided by ``margin`` times its norm."""
    return at_scale(rows[:1], margin) + rows[1:]


_KELLER: Quintic = (3.4445, -4.7750, 2.0315)

_YOU: Quintics = (
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)

_POLAR_EXPRESS: Quintics = (
    (8.237312490495555, -23.157747414558198, 16.680568411445915),
    (4.082441999064835, -2.893047735332586, 0.5252849256975648),
    (3.9263479922546582, -2.8547468034765298, 0.5318022422894988),
    (3.2982187133085143, -2.424541981026706, 0.48632008358844075),
    (2.2970369434552573, -1.63662558125903, 0.4002628455953627),
    (1.8763805351440397, -1.2347896577722228, 0.35891887501668385),
    (1.8564423485555, -1.2132449880813, 0.3568003487766),
    (1.875, -1.25, 0.375),
)

_MODDED: Quintics = (
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
)

_GRAM: Quintics = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115949963, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
)

COEFFICIENTS: dict[str, Quintics] = {
    "keller": (_KELLER,) * 5,
    "you": _YOU,
    "you_4": _YOU[1:],
    "polar_express": with_margin(_POLAR_EXPRESS[:5], 1.01),
    "polar_express_8": with_margin(_POLAR_EXPRESS, 1.01),
    "modded": with_margin(_MODDED, 1.02),
    "gram": at_scale(_GRAM, 1.05),
    "cans": (
        (8.4703, -25.1081, 18.6293),
        (4.1828, -3.1087, 0.5806),
        (3.9619, -2.9541, 0.5630),
        (3.2866, -2.4647, 0.5074),
        (2.2737, -1.6447, 0.4162),
    ),
    "deepseek_v4": (_KELLER,) * 8 + ((2.0, -1.5, 0.5),) * 2,
    "cubic": (
        (3.3656576, -3.3420992, 0.0),
        (2.5744352, -1.4957376, 0.0),
        (2.5368962, -1.4312570, 0.0),
        (2.4418906, -1.2764040, 0.0),
        (2.2230472, -0.9630650, 0.0),
    ),
}
"""Polynomials a σ + b σ³ + c σ⁵ that drive singular values towards one, by the name under which they are known.

The last columns are where they send the singular values of a matrix of norm one, from a hundredth up and from a
thousandth up.

=================== ===== ============= ============= ===============================================================
``keller``              5 0.682 - 1.134 0.471 - 1.202 Keller Jordan's, the same at every iteration
``you``                 5 0.978 - 1.032 0.475 - 1.145 Jiacheng You's; the default of timm and of NVIDIA's package
``you_4``               4 0.973 - 1.145 0.120 - 1.145 its last four, for the Schatten norm
``polar_express``       5 0.869 - 1.131 0.857 - 1.131 the first five of ten, as the authors' code (arXiv:2505.16932)
``polar_express_8``     8 1.000 - 1.000 1.000 - 1.000 eight of them: the polar factor to rounding
``modded``              5 0.859 - 1.141 0.847 - 1.141 five that were made for five, as in modded-nanogpt and dion
``gram``                5 0.846 - 1.124 0.729 - 1.124 those of Dao-AILab's Gram-Newton-Schulz
``cans``                5 0.884 - 1.120 0.884 - 1.120 of Chebyshev type (arXiv:2506.10935)
``deepseek_v4``        10 1.000 - 1.001 1.000 - 1.001 Jordan's eight times, then two that converge
``cubic``               5 0.774 - 1.300 0.119 - 1.300 without the fifth power, a product less each (arXiv:2606.00371)
=================== ===== ============= ============= ===============================================================

Where a code divides by more than the norm, as Polar Express does by 1.01 of it, the first polynomial here includes it.
"""

REFUSED: dict[str, str] = {
    "aol": "its first polynomial is -0.585 at one, so that a matrix of rank one would be climbed, not descended; "
    'use "you_4" with norm="schatten", which needs four iterations as well',
}
"""Published sets that are not offered, with the reason."""


def coefficients_of(given: str | Quintics) -> Quintics:
    """The polynomials of a name in ``COEFFICIENTS``, or those given, checked.

    Raises:
        ValueError: the name is unknown or refused; or the polynomials send a singular value to zero or below.
    """
    if not isinstance(given, str):
        return _checked(given)
    if given in COEFFICIENTS:
        return COEFFICIENTS[given]
    if given in REFUSED:
        raise ValueError(f"coefficients={given!r} is refused: {REFUSED[given]}")
    raise ValueError(f"coefficients={given!r} is unknown; known are {', '.join(COEFFICIENTS)}")


@lru_cache(maxsize=64)
def _checked(rows: Quintics) -> Quintics:
    if not rows or any(len(row) != 3 for row in rows):
        raise ValueError(f"coefficients={rows!r} must be triples (a, b, c), one for each iteration")
    sigma = torch.logspace(-3, 0, 3001, dtype=torch.float64, device="cpu")
    answer = response(sigma, rows)
    lowest = int(torch.where(answer.isfinite(), answer, -math.inf).argmin())
    if not answer[lowest] > 0:
        raise ValueError(
            f"coefficients={rows!r} send a singular value of {sigma[lowest]:.3g} to {answer[lowest]:.3g}: the step "
            "would climb along it; give polynomials that are positive on (0, 1]"
        )
    return rows


def response(sigma: torch.Tensor, rows: Quintics) -> torch.Tensor:
    """What the iteration makes of the singular values of a matrix of norm one."""
    for a, b, c in rows:
        square = sigma * sigma
        sigma = sigma * (a + square * (b + square * c))
    return sigma


def polar_express(
    steps: int, lowest: float = 1e-3, safety: float = 1e-2, cushion: float = 0.02, margin: float | None = None
) -> Quintics:
    """The polynomials of Polar Express for a number of iterations.

    Each is the odd quintic nearest to one, in the largest error, over the interval [l, u] in which the singular values
    then lie; from [l, 1] it leads to [p(l), 2 − p(l)]. All but the last are those for p(σ / (1 + safety)), so that
    rounding does not lead out of the interval. Where l < cushion · u the quintic is fitted from cushion · u on, and
    scaled such that p(l) and p(u) lie symmetrically around one.

    >>> [round(a, 6) for a, b, c in polar_express(5, safety=0.02, margin=1.0)]
    [8.156555, 4.04293, 3.891668, 3.285754, 2.346541]

    Args:
        steps: how many iterations, 1 to 100.
        lowest: l, the least singular value, in units of the norm, that shall come close to one; in (0, 1).
        safety: at least 0 (0.01 in the paper's code, 0.02 in modded-nanogpt's constants).
        cushion: in [0, 1), as the authors' code (0.02).
        margin: what the norm is multiplied by before a matrix is divided by it; ``1 + safety`` as the authors' code.

    Raises:
        ValueError: an argument is out of range.

    Reference: arXiv:2505.16932.
    """
    if not 1 <= steps <= 100 or not 0 < lowest < 1 or safety < 0 or not 0 <= cushion < 1:
        raise ValueError(
            f"polar_express: steps={steps}, lowest={lowest:g}, safety={safety:g}, cushion={cushion:g}; give steps "
            "from 1 to 100, lowest in (0, 1), safety of at least 0 and cushion in [0, 1)"
        )
    low, high, rows = lowest, 1.0, []
    for step in range(steps):
        row = _best_quintic(max(low, cushion * high), high)
        if low < cushion * high:
            factor = 2 / (_value(row, low) + _value(row, high))
            row = (factor * row[0], factor * row[1], factor * row[2])
        if step + 1 < steps:
            [row] = at_scale([row], 1 + safety)
        rows.append(row)
        low = _value(row, low)
        high = 2 - low
    return with_margin(tuple(rows), 1 + safety if margin is None else margin)


def _value(row: Quintic, sigma: float) -> float:
    a, b, c = row
    return a * sigma + b * sigma**3 + c * sigma**5


def _best_quintic(low: float, high: float) -> Quintic:
    """The odd quintic with the least largest |1 − p| on [low, high], by Remez: its error alternates at four points."""
    if low / high >= 1 - 5e-6:
        # The system below is singular to rounding; this is its limit, which is flat at ``high``.
        return 15 / 8 / high, -10 / 8 / high**3, 3 / 8 / high**5
    q, r = (3 * low + high) / 4, (low + 3 * high) / 4
    before = math.inf
    while True:
        points = torch.tensor([low, q, r, high], dtype=torch.float64, device="cpu")
        signs = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64, device="cpu")
        system = torch.stack([points, points**3, points**5, signs], dim=1)
        a, b, c, error = torch.linalg.solve(system, torch.ones(4, dtype=torch.float64, device="cpu")).tolist()
        if abs(before - error) <= 1e-15:
            return a, b, c
        before = error
        # the extrema of the polynomial between the ends
        root = math.sqrt(9 * b * b - 20 * a * c)
        q, r = math.sqrt((-3 * b - root) / (10 * c)), math.sqrt((-3 * b + root) / (10 * c))
