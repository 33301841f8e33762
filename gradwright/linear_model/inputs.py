"""Inputs: what users pass as X, y, weights and offset, checked, with the column named where something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from sklearn.utils.validation import _check_sample_weight, validate_data

from .data import Data
from .kernels import block_size, blocks


def plain(value: Any) -> Any:
    """Torch tensors as numpy arrays; everything else as it is."""
    if isinstance(value, torch.Tensor):
        if value.layout == torch.sparse_csr:
            from scipy.sparse import csr_array

            parts = (value.values(), value.col_indices(), value.crow_indices())
            return csr_array(tuple(part.detach().cpu().numpy() for part in parts), shape=tuple(value.shape))
        return value.detach().cpu().numpy()
    return value


def matrix(estimator: Any, X: Any, reset: bool) -> Any:
    """X as a float32 or float64 array or CSR matrix without missing values; never a copy of such an array.

    Raises:
        ValueError: text, missing or infinite values, with the column's name and the way out.
    """
    X = plain(X)
    _refuse_text(X)
    X = validate_data(
        estimator, X, reset=reset, accept_sparse="csr", dtype=[np.float64, np.float32], ensure_all_finite=False
    )
    finite(X, getattr(estimator, "feature_names_in_", None))
    return X


def _refuse_text(X: Any) -> None:
    dtypes = getattr(X, "dtypes", None)
    if dtypes is None or not hasattr(X, "columns"):
        return
    for name, kind in zip(X.columns, dtypes):
        if kind.kind in "OSUMm" or str(kind) in ("str", "string", "category"):
            column = X[name]
            try:
                column.astype(float)
            except (TypeError, ValueError):
                example = next((v for v in column if isinstance(v, str)), column.iloc[0] if len(column) else None)
                raise ValueError(
                    f"column {name!r} of X holds {kind} values such as {example!r}, not numbers; encode it, for "
                    "instance with pandas.get_dummies or sklearn.preprocessing.OneHotEncoder"
                ) from None


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
            suspicious = not np.isfinite(rows.sum(dtype=np.float64))
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


def read_chunks(source: Callable[[], Any]) -> tuple[Data, ndarray, ndarray | None, ndarray]:
    """Data, y and weights of a function that gives an iterator of chunks (X, y) or (X, y, sample_weight) at each call.

    X is read anew in every pass and never held; y and weights are kept.
    """
    ys, weights, n, nnz, first = [], [], 0, 0, None
    for chunk in source():
        X, y, *rest = (plain(value) for value in chunk)
        X = _chunk(X)
        if first is None:
            first = X
        if X.shape[1] != first.shape[1]:
            raise ValueError(f"chunks of X have {first.shape[1]} columns and then {X.shape[1]}; give the same columns")
        if len(y) != X.shape[0]:
            raise ValueError(f"a chunk has {X.shape[0]} rows of X and {len(y)} of y")
        finite(X)
        ys.append(np.asarray(y))
        weights.append(np.asarray(rest[0], np.float64) if rest else None)
        n, nnz = n + X.shape[0], nnz + (X.nnz if hasattr(X, "indptr") else X.size)
    if first is None:
        raise ValueError("X gave no chunk; it must be a function that returns a new iterator of (X, y) at every call")
    if any(w is None for w in weights) and any(w is not None for w in weights):
        raise ValueError("some chunks have weights and some do not")

    def parts():
        return (_chunk(plain(chunk[0])) for chunk in source())

    sparse = hasattr(first, "indptr")
    dtype = np.dtype(first.data.dtype if sparse else first.dtype)
    data = Data(parts, n, first.shape[1], dtype, nnz, sparse)
    return data, np.concatenate(ys), None if weights[0] is None else np.concatenate(weights), first[:1]


def _chunk(X: Any) -> Any:
    if hasattr(X, "tocsr"):
        X = X.tocsr()
        return X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)
    X = np.asarray(X)
    if X.ndim != 2:
        raise ValueError(f"a chunk of X must have rows and columns, not shape {X.shape}")
    return X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)


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
    """An offset as (n, K) float64."""
    if offset is None:
        return None
    offset = np.asarray(plain(offset), np.float64)
    offset = offset[:, None] if offset.ndim == 1 else offset
    if offset.shape != (n, K) or not np.isfinite(offset).all():
        raise ValueError(f"offset must be finite and of shape {(n, K) if K > 1 else (n,)}, not {offset.shape}")
    return np.ascontiguousarray(offset)
