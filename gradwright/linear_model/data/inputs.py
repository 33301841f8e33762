"""Inputs: what users pass as X, y, weights and offset, checked, with the column named where something is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy import ndarray
from sklearn.utils.validation import _check_sample_weight, check_array, validate_data

from gradwright.linear_model.data import device_rows, frames
from gradwright.linear_model.data.row_blocks import block_size, blocks


def plain(value: Any) -> Any:
    """Torch tensors as arrays or CSR matrices in the host's memory, columns of frames as arrays; else as it is."""
    if isinstance(value, torch.Tensor):
        value = value.detach()
        if value.dtype == torch.bfloat16:
            value = value.float()  # exact; numpy has no such type
        if value.layout != torch.strided:
            from scipy.sparse import csr_array

            value = value.to_sparse_csr()
            parts = (value.values(), value.col_indices(), value.crow_indices())
            return csr_array(tuple(part.cpu().numpy() for part in parts), shape=tuple(value.shape))
        return value.cpu().numpy()
    return np.asarray(value) if frames.is_series(value) else value


def matrix(estimator: Any, X: Any, reset: bool) -> Any:
    """X as a float32 or float64 array or CSR matrix without missing values; never a copy of such an array.

    A tensor on a GPU stays there, as ``DeviceRows``.

    Raises:
        ValueError: text, missing or infinite values, with the column's name and the way out.
    """
    if device_rows.stays(X):
        return _on_device(estimator, X, reset)
    X = plain(X)
    if frames.is_frame(X):
        X = frames.known(X)
        # names and how many they are; what is in the columns is looked at one by one
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        X = check_array(frames.matrix(X), dtype=[np.float64, np.float32], ensure_all_finite=False)
        finite(X, getattr(estimator, "feature_names_in_", None))
        return X
    refuse_text(X)
    X = validate_data(
        estimator, X, reset=reset, accept_sparse="csr", dtype=[np.float64, np.float32], ensure_all_finite=False
    )
    finite(X, getattr(estimator, "feature_names_in_", None))
    return X


def _on_device(estimator: Any, X: torch.Tensor, reset: bool) -> device_rows.DeviceRows:
    # scikit-learn's checks of shape and width, on a row
    validate_data(estimator, plain(X[:1]), reset=reset, ensure_all_finite=False)
    rows = device_rows.of(X)
    place = rows.unfit()
    if place is not None:
        _refuse(float(rows.X[place]), *place, None)
    return rows


def refuse_text(X: Any) -> None:
    """Refuse columns of text by name, or by number in an array."""
    if hasattr(X, "dtypes") and hasattr(X, "columns"):
        columns = [(name, X[name]) for name, kind in zip(X.columns, X.dtypes) if not _is_number(kind)]
    elif isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "OSU":
        columns = list(enumerate(X.T))
    else:
        return
    for name, column in columns:
        try:
            column.astype(float)
        except (TypeError, ValueError):
            frame = not isinstance(column, np.ndarray)
            example = next((v for v in column if isinstance(v, str)), column.iloc[0] if frame and len(column) else None)
            if example is None:
                continue  # neither numbers nor text: scikit-learn's own check names the type
            raise ValueError(
                f"column {name!r} of X holds {column.dtype} values such as {example!r}, not numbers (could not convert "
                "string to float); encode it, for instance with pandas.get_dummies or "
                "sklearn.preprocessing.OneHotEncoder"
            ) from None


def _is_number(kind: Any) -> bool:
    return kind.kind not in "OSUMm" and str(kind) not in ("str", "string", "category")


def finite(X: Any, names: Any = None) -> None:
    """Refuse missing and infinite values by the name of their column."""
    if hasattr(X, "indptr"):
        bad = np.flatnonzero(~np.isfinite(X.data))
        if len(bad):
            row = int(np.searchsorted(X.indptr, bad[0], side="right") - 1)
            _refuse(X.data[bad[0]], row, int(X.indices[bad[0]]), names)
        return
    for part in blocks(X.shape[0], block_size(X.shape[1])):
        rows = X[part]
        with np.errstate(over="ignore", invalid="ignore"):
            suspicious = not np.isfinite(rows.sum())  # in X's own type, which is quick: what overflows is looked at
        if suspicious and not np.isfinite(rows).all():
            row, column = np.argwhere(~np.isfinite(rows))[0]
            _refuse(rows[row, column], part.start + int(row), int(column), names)


def _refuse(value: float, row: int, column: int, names: Any) -> None:
    kind = "NaN" if np.isnan(value) else "infinity"
    name = f"{names[column]!r}" if names is not None else f"{column}"
    raise ValueError(
        f"Input X contains {kind} in column {name}, first in row {row}; fill or drop missing values, for instance with "
        "sklearn.impute.SimpleImputer"
    )


def sample_weights(weights: Any, n: int) -> ndarray | None:
    """Weights as float64, or None where all are equal.

    Raises:
        ValueError: a negative one, or none above zero.
    """
    if weights is None:
        return None
    weights = _check_sample_weight(plain(weights), np.empty((n, 1)), dtype=np.float64)
    if np.any(weights < 0):
        raise ValueError(f"sample_weight must be at least zero, not {weights.min():g}; drop such rows")
    return weights


def offsets(offset: Any, n: int, K: int) -> ndarray | None:
    """An offset as (n, K) float64.

    Raises:
        ValueError: it has another shape, or missing or infinite values.
    """
    if offset is None:
        return None
    given = np.asarray(plain(offset), np.float64)
    wide = given[:, None] if given.ndim == 1 else given
    if wide.shape != (n, K):
        raise ValueError(f"offset must have shape {(n, K) if K > 1 else (n,)}, not {given.shape}")
    bad = np.flatnonzero(~np.isfinite(wide).all(1))
    if len(bad):
        raise ValueError(f"offset must be finite; row {int(bad[0])} is {given[bad[0]]}")
    return np.ascontiguousarray(wide)


def refuse_missing(y: ndarray) -> None:
    """Refuse missing labels by the number of their row."""
    if y.dtype.kind == "f":
        missing = np.isnan(y)
    elif y.dtype.kind == "O":
        missing = np.array([_is_missing(value) for value in y])
    else:
        return
    if missing.any():
        raise ValueError(f"Input y contains NaN or None, first in row {int(missing.argmax())}; drop such rows")


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA answers neither yes nor no
        return True
