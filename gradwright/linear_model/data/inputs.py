"""Inputs: what users pass as X, y, weights and offset, checked, with the column named where something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from sklearn.utils.validation import _check_sample_weight, validate_data

from gradwright.linear_model.data import device_rows
from gradwright.linear_model.data.data import Data
from gradwright.linear_model.data.kernels import block_size, blocks


def plain(value: Any) -> Any:
    """Torch tensors as numpy arrays or CSR matrices, in the host's memory; everything else as it is."""
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
    return value


def matrix(estimator: Any, X: Any, reset: bool) -> Any:
    """X as a float32 or float64 array or CSR matrix without missing values; never a copy of such an array.

    A tensor on a GPU stays there, as ``DeviceRows``.

    Raises:
        ValueError: text, missing or infinite values, with the column's name and the way out.
    """
    if device_rows.stays(X):
        return _on_device(estimator, X, reset)
    X = plain(X)
    _refuse_text(X)
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


def _refuse_text(X: Any) -> None:
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


def read_chunks(source: Callable[[], Any]) -> tuple[Data, ndarray, ndarray | None, Any]:
    """Data, y, weights and a first row of a function that gives an iterator of chunks at each call.

    Chunks are (X, y) or (X, y, sample_weight).

    X is read anew in every pass and never held; y and weights are kept.
    """
    ys, weights, n, nnz, first = [], [], 0, 0, None
    for chunk in source():
        if not isinstance(chunk, (tuple, list)) or len(chunk) not in (2, 3):
            raise ValueError(f"a chunk must be (X, y) or (X, y, sample_weight), not a {type(chunk).__name__}")
        X, y, *rest = (plain(value) for value in chunk)
        _refuse_text(X)
        names = getattr(X, "columns", None)
        if first is None:
            head = X.iloc[:1] if hasattr(X, "iloc") else None
        X = _chunk(X)
        if first is None:
            first = X
        if X.shape[1] != first.shape[1]:
            raise ValueError(f"chunks of X have {first.shape[1]} columns and then {X.shape[1]}; give the same columns")
        if len(y) != X.shape[0]:
            raise ValueError(f"a chunk has {X.shape[0]} rows of X and {len(y)} of y")
        finite(X, names)
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
    given = [w for w in weights if w is not None]
    return data, np.concatenate(ys), np.concatenate(given) if given else None, first[:1] if head is None else head


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
