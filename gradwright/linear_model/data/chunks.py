"""Chunks: rows that a function gives anew for every pass, so that X is never held whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data import frames
from gradwright.linear_model.data.data import Data
from gradwright.linear_model.data.inputs import finite, plain, refuse_text


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
        foreign = frames.is_frame(X)
        X = frames.known(X) if foreign else X
        if not foreign:
            refuse_text(X)
        names = frames.names(X) if foreign else getattr(X, "columns", None)
        if first is None:
            head = X[:1] if foreign else X.iloc[:1] if hasattr(X, "iloc") else None
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
    X = frames.matrix(frames.known(X)) if frames.is_frame(X) else np.asarray(X)
    if X.ndim != 2:
        raise ValueError(f"a chunk of X must have rows and columns, not shape {X.shape}")
    return X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)
