"""Scale: columns of unlike spread brought to one, so that one penalty fits all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.preprocessing import StandardScaler

if TYPE_CHECKING:
    from pandas import DataFrame


def scaler(X: DataFrame) -> StandardScaler:
    """A scaler of rows X (n, d); only columns that never change keep a scale of 1.

    scikit-learn takes a column for constant whose spread is below its mean's rounding in a sum, and leaves it as it is;
    a penalty would then remove what it tells.
    """
    out, values = StandardScaler().fit(X), X.to_numpy()
    with np.errstate(under="ignore"):
        spread = (values - out.mean_).std(0)
    missed = (np.ptp(values, axis=0) > 0) & (spread > 0) & (out.scale_ == 1.0)
    out.scale_ = np.where(missed, spread, out.scale_)
    out.var_ = np.where(missed, spread**2, out.var_)
    return out
