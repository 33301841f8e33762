"""Independent float64 references in numpy: the equations written out, sharing no code with the library."""

import itertools

import numpy as np
from numpy.polynomial.hermite_e import hermegauss


def alphas_cumprod(betas):
    """ᾱ_0 ... ᾱ_N with ᾱ_0 = 1."""
    return np.concatenate([[1.0], np.cumprod(1 - np.asarray(betas, dtype=np.float64))])


class Mixture:
    """A one-dimensional mixture: density, score and moments by their definitions."""

    def __init__(self, weights, means, deviations):
        self.pi, self.mu, self.s = (np.asarray(v, dtype=np.float64) for v in (weights, means, deviations))

    def density(self, x, ab):
        v = ab * self.s**2 + 1 - ab
        return (self.pi * np.exp(-((x[..., None] - np.sqrt(ab) * self.mu) ** 2) / 2 / v) / np.sqrt(2 * np.pi * v)).sum(
            -1
        )

    def score(self, x, ab):
        v = ab * self.s**2 + 1 - ab
        part = self.pi * np.exp(-((x[..., None] - np.sqrt(ab) * self.mu) ** 2) / 2 / v) / np.sqrt(2 * np.pi * v)
        return (part * (np.sqrt(ab) * self.mu - x[..., None]) / v).sum(-1) / part.sum(-1)

    def noise_power(self, ab):
        """Γ = (1 − ᾱ) E score², each component by Gauss-Hermite quadrature."""
        nodes, w = hermegauss(180)
        w = w / w.sum()
        v = np.sqrt(ab * self.s**2 + 1 - ab)
        x = np.sqrt(ab) * self.mu[:, None] + v[:, None] * nodes
        return float((1 - ab) * (self.pi[:, None] * w * self.score(x, ab) ** 2).sum())

    def denoising_error(self, ab):
        """E x₀² − E (E[x₀ | x_t])², with Tweedie's formula for the conditional mean."""
        nodes, w = hermegauss(180)
        w = w / w.sum()
        v = np.sqrt(ab * self.s**2 + 1 - ab)
        x = np.sqrt(ab) * self.mu[:, None] + v[:, None] * nodes
        mean = (x + (1 - ab) * self.score(x, ab)) / np.sqrt(ab)
        return float((self.pi * (self.mu**2 + self.s**2)).sum() - (self.pi[:, None] * w * mean**2).sum())

    def moments(self, x, ab):
        """E x₀, Var x₀ and E ε² given x_t = x, by brute integration over x₀."""
        grid = np.linspace(-4, 4, 200_001)
        prior = (self.pi * np.exp(-((grid[:, None] - self.mu) ** 2) / 2 / self.s**2) / self.s).sum(-1)
        weight = prior * np.exp(-((x - np.sqrt(ab) * grid) ** 2) / 2 / (1 - ab))
        weight /= weight.sum()
        mean = (weight * grid).sum()
        noise = (x - np.sqrt(ab) * grid) / np.sqrt(1 - ab)
        return mean, (weight * (grid - mean) ** 2).sum(), (weight * noise**2).sum()


def optimal_variance(ab_s, ab_t, mse, eta=1.0):
    """λ² + (√ᾱ_s − √((β̄_s − λ²) ᾱ_t / β̄_t))² mse, as the paper writes it."""
    small = (1 - ab_t / ab_s) * (1 - ab_s) / (1 - ab_t)
    lam = eta**2 * small
    return lam + (np.sqrt(ab_s) - np.sqrt((1 - ab_s - lam) * ab_t / (1 - ab_t))) ** 2 * mse


def path_cost_j(ab, gamma, path):
    """Σ J(s, t), J = ln(1 − β_{t|s} Γ_t / β̄_t); ``ab`` and ``gamma`` are indexed by time."""
    return sum(np.log(1 - (1 - ab[t] / ab[s]) * gamma[t] / (1 - ab[t])) for s, t in itertools.pairwise(path))


def best_path_by_force(ab, gamma, length):
    n = len(ab) - 1
    paths = ([1, *inner, n] for inner in itertools.combinations(range(2, n), length - 2))
    return min(paths, key=lambda path: path_cost_j(ab, gamma, path))


def gaussian_divergence(small, large, gap):
    """E KL(N(a, small) ‖ N(b, large)) with E(a − b)² = gap."""
    return 0.5 * (np.log(large / small) + (small + gap) / large - 1)
