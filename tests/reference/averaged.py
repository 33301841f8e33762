"""What an average beside training does to training, which is nothing; and the averages themselves as weighted means."""

import numpy as np

AVERAGES = {"average_beta", "average_start", "sigma_rel", "second_sigma_rel", "average_gamma"}


def averaged(state, p, g, *, base, **knobs):
    return base(state, p, g, **{name: value for name, value in knobs.items() if name not in AVERAGES})


def weights_of(shares):
    """How much each of the averaged values counts in the last average, from the share of each newest value."""
    kept = np.cumprod([1.0, *(1 - share for share in shares[:0:-1])])[::-1]
    return kept * np.asarray(shares)
