"""Factor: a Hessian that can be solved with, damped where it is singular to rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from scipy import linalg

from gradwright.linear_model.objective import Design


@dataclass
class Factor:
    """A Cholesky factor of H scaled to a unit diagonal, with a multiple ``damping`` of its diagonal added."""

    root: ndarray
    scale: ndarray
    damping: float

    @classmethod
    def of(cls, H: ndarray, least: float = 0.0, dtype: type = np.float64) -> Factor:
        """Factor H in ``dtype`` with the smallest damping that works, ``least`` or more."""
        diagonal = np.diag(H)
        scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        # in column order LAPACK works in place; H is symmetric, so that nothing else changes
        C = np.empty(H.shape, dtype, order="F")
        damping = least
        while True:
            np.divide(H, scale[:, None], out=C.T, casting="same_kind")
            C /= scale[:, None].astype(dtype)
            C[np.diag_indices_from(C)] = 1.0 + damping
            try:
                root = linalg.cholesky(C, lower=True, overwrite_a=True, check_finite=False)
                return cls(root, scale, damping)
            except linalg.LinAlgError:
                damping = max(0.1 * float(np.finfo(dtype).eps) ** 0.85, damping * 100)

    @classmethod
    def certain(cls, H: ndarray, off: float) -> Factor | None:
        """A factor of H less ``off`` times its diagonal; None where that is not positive definite."""
        diagonal = np.diag(H)
        if not (np.all(np.isfinite(diagonal)) and np.all(diagonal > 0) and off < 1.0):
            return None
        scale = np.sqrt(diagonal)
        C = np.empty(H.shape, order="F")
        np.divide(H, scale[:, None], out=C.T)
        C /= scale[:, None]
        C[np.diag_indices_from(C)] = 1.0 - off
        try:
            return cls(linalg.cholesky(C, lower=True, overwrite_a=True, check_finite=False), scale, -off)
        except linalg.LinAlgError:
            return None

    @classmethod
    def below(cls, gram: Callable[[type], ndarray], design: Design) -> Factor | None:
        """A factor of a matrix at most the Gram matrix that ``gram`` answers for a type of its products, or None.

        A sum of m products in float32 is off by at most m ulps of the sum of their absolute values, so a Gram matrix of
        unit diagonal by that in every entry. Less p times as much on its diagonal it is below the true one; where it is
        still positive definite then, the work is half.
        """
        m = max(64, 2**16 // max(design.data.d, 1))
        off = 2.0 * (design.p + 1) * (m + 4) * float(np.finfo(np.float32).eps)
        large = design.rows * design.p**2 >= 1e7
        if not large or design.data.dtype != np.float32 or off >= 0.1:
            return None
        return cls.certain(gram(np.float32), off)

    def solve(self, g: ndarray) -> ndarray:
        """H⁻¹ g for a vector or the columns of a matrix."""
        if g.ndim == 2:
            column = self.scale[:, None]
            return linalg.cho_solve((self.root, True), g / column, check_finite=False) / column
        # a solve for one vector only reads the factor; cho_solve would copy it
        trsv = linalg.get_blas_funcs("trsv", (self.root,))
        half = trsv(self.root, (g / self.scale).astype(self.root.dtype), lower=1, overwrite_x=1)
        return trsv(self.root, half, lower=1, trans=1, overwrite_x=1) / self.scale

    def half(self, g: ndarray) -> ndarray:
        """x with ‖x‖² = gᵀ H⁻¹ g."""
        return linalg.solve_triangular(self.root, g / self.scale, lower=True, check_finite=False)

    def inverse(self) -> ndarray:
        """H⁻¹."""
        potri = linalg.get_lapack_funcs("potri", (self.root,))
        lower, _ = potri(self.root, lower=1)
        out = np.tril(lower) / self.scale[:, None] / self.scale
        return out + np.tril(out, -1).T
