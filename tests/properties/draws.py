"""What the property tests draw: shapes, and arrays whose entries differ widely in size."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

seeds = st.integers(0, 99_999)
scales = st.sampled_from([1e-6, 1e-3, 0.5, 64.0, 1e4])


def shapes(least: int = 0, most: int = 4, largest: int = 5) -> st.SearchStrategy[tuple[int, ...]]:
    """Tuples of ``least`` to ``most`` sizes."""
    return st.lists(st.integers(1, largest), min_size=least, max_size=most).map(tuple)


@st.composite
def arrays(draw: st.DrawFn, shape: st.SearchStrategy[tuple[int, ...]] | None = None) -> np.ndarray:
    """Normal numbers times a size for each entry, none of them zero."""
    stream = np.random.RandomState(draw(seeds))
    size = draw(shapes(2, 2) if shape is None else shape)
    return np.asarray(stream.standard_normal(size) * np.exp(stream.standard_normal(size)))
