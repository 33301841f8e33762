"""Muon and its kin. The Newton-Schulz iteration acts on singular values alone, so here it is done on them."""

import math

import numpy as np

from tests.reference.adam import adam_direction
from tests.reference.age import age

KELLER = [(3.4445, -4.7750, 2.0315)] * 5
YOU = [
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
]
POLAR_EXPRESS = [
    (8.237312490495555, -23.157747414558198, 16.680568411445915),
    (4.082441999064835, -2.893047735332586, 0.5252849256975648),
    (3.9263479922546582, -2.8547468034765298, 0.5318022422894988),
    (3.2982187133085143, -2.424541981026706, 0.48632008358844075),
    (2.2970369434552573, -1.63662558125903, 0.4002628455953627),
    (1.8763805351440397, -1.2347896577722228, 0.35891887501668385),
    (1.8564423485555, -1.2132449880813, 0.3568003487766),
]
MODDED = [
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
]
GRAM = [
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115949963, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
]
CANS = [
    (8.4703, -25.1081, 18.6293),
    (4.1828, -3.1087, 0.5806),
    (3.9619, -2.9541, 0.5630),
    (3.2866, -2.4647, 0.5074),
    (2.2737, -1.6447, 0.4162),
]
CUBIC = [
    (3.3656576, -3.3420992, 0),
    (2.5744352, -1.4957376, 0),
    (2.5368962, -1.4312570, 0),
    (2.4418906, -1.2764040, 0),
    (2.2230472, -0.9630650, 0),
]
POLYNOMIALS = {
    "keller": KELLER,
    "you": YOU,
    "you_4": YOU[1:],
    "polar_express": POLAR_EXPRESS[:5],
    "polar_express_8": [*POLAR_EXPRESS, (1.875, -1.25, 0.375)],
    "modded": MODDED,
    "gram": [(a / 1.05, b / 1.05**3, c / 1.05**5) for a, b, c in GRAM],
    "cans": CANS,
    "deepseek_v4": KELLER[:1] * 8 + [(2, -1.5, 0.5)] * 2,
    "cubic": CUBIC,
}
MARGIN = {"polar_express": 1.01, "polar_express_8": 1.01, "modded": 1.02}  # of the norm, before the first polynomial


def response(sigma, coefficients):
    """What the iteration makes of a singular value of the normalised matrix."""
    sigma = sigma / MARGIN.get(coefficients, 1)
    for a, b, c in POLYNOMIALS[coefficients]:
        sigma = a * sigma + b * sigma**3 + c * sigma**5
    return sigma


def newton_schulz(g, coefficients, norm="frobenius"):
    left, sigma, right = np.linalg.svd(g, full_matrices=False)
    length = math.sqrt(np.sum(sigma**2)) if norm == "frobenius" else np.sum(sigma**4) ** 0.25
    return left @ np.diag(response(sigma / length if length > 0 else sigma, coefficients)) @ right


def each_matrix(function, u, split):
    """``function`` of every matrix: of each in a stack, which has three dimensions here, and of each block of rows."""
    if u.ndim == 3:
        return np.stack([each_matrix(function, matrix, split) for matrix in u])
    flat = u.reshape(u.shape[0], -1)
    ends = np.cumsum(split)[:-1] if isinstance(split, tuple) else split
    return np.concatenate([function(block) for block in np.split(flat, ends)]).reshape(u.shape)


def shape_scale(n, m, adjust_lr):
    return {
        "original": math.sqrt(max(1, n / m)),
        "match_rms_adamw": 0.2 * math.sqrt(max(n, m)),
        "spectral": math.sqrt(max(n, m)),
        "unit_rms_norm": math.sqrt(n / m),
    }[adjust_lr]


def averaged(state, g, momentum, nesterov):
    m = state["m"] = momentum * state.get("m", 0.0) + (1 - momentum) * g
    return (1 - momentum) * g + momentum * m if nesterov else m


def muon_direction(state, g, momentum, nesterov, coefficients, adjust_lr, norm, split):
    def scaled(matrix):
        return shape_scale(*matrix.shape, adjust_lr) * newton_schulz(matrix, coefficients, norm)

    return each_matrix(scaled, averaged(state, g, momentum, nesterov), split)


def muon(state, p, g, *, lr, momentum, weight_decay, nesterov, coefficients, adjust_lr, norm, split, lazy):
    direction = muon_direction(state, g, momentum, nesterov, coefficients, adjust_lr, norm, split)
    after = p * (1 - lr * weight_decay) - lr * direction
    if not lazy:
        return after
    if g.ndim == 3:
        return np.stack([new if grad.any() else old for new, old, grad in zip(after, p, g)])
    return after if g.any() else p


def normuon(state, p, g, *, lr, betas, eps, weight_decay, nesterov, coefficients, form, norm, split):
    u = averaged(state, g, betas[0], nesterov)
    o = each_matrix(lambda matrix: newton_schulz(matrix, coefficients, norm), u, split)
    rows = o.reshape(-1, o.shape[-1]) if o.ndim == 3 else o.reshape(o.shape[0], -1)
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * np.mean(rows**2, axis=1)
    even = (rows / (np.sqrt(v)[:, None] + eps)).reshape(o.shape)

    def sized(both):
        matrix, plain = both[:, : both.shape[1] // 2], both[:, both.shape[1] // 2 :]
        n, m = matrix.shape
        code = math.sqrt(max(1, n / m)) * np.linalg.norm(plain)
        return np.tile(matrix / np.linalg.norm(matrix), (1, 2)) * (code if form == "code" else 0.2 * math.sqrt(n * m))

    flat = o.shape if o.ndim == 3 else (o.shape[0], -1)
    pair = np.concatenate([even.reshape(flat), o.reshape(flat)], axis=-1)
    step = each_matrix(sized, pair, split)[..., : pair.shape[-1] // 2].reshape(o.shape)
    return p - lr * (step + weight_decay * p)


def on_a_sphere(state, p, u, lr, floor):
    """The length of p is remembered from the first step; each matrix of a stack has its own."""
    if p.ndim == 3:
        each = state.setdefault("each", [{} for _ in p])
        return np.stack([on_a_sphere(*one, lr, floor) for one in zip(each, p, u)])
    if "radius" not in state:
        state["radius"] = max(np.sqrt(np.sum(p**2)), floor * math.sqrt(p.size))
    q = p - lr * state["radius"] * u / np.sqrt(np.sum(u**2))
    return state["radius"] * q / np.sqrt(np.sum(q**2))


def muonh(state, p, g, *, lr, momentum, nesterov, coefficients, norm, split, floor):
    u = each_matrix(
        lambda matrix: newton_schulz(matrix, coefficients, norm), averaged(state, g, momentum, nesterov), split
    )
    return on_a_sphere(state, p, u, lr, floor)


def adamh(state, p, g, *, lr, betas, eps, floor):
    return on_a_sphere(state, p, adam_direction(state, g, betas, eps), lr, floor)


def adamuon(state, p, g, *, lr, betas, eps, weight_decay, nesterov, stabilize, coefficients, norm, split):
    t = age(state)
    u = averaged(state, g, betas[0], nesterov)
    u = np.sign(u) if stabilize else u
    o = each_matrix(lambda matrix: newton_schulz(matrix, coefficients, norm), u, split)
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * o**2
    even = o / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    step = each_matrix(lambda matrix: 0.2 * math.sqrt(matrix.size) * matrix / np.linalg.norm(matrix), even, split)
    return p - lr * (step + weight_decay * p)
