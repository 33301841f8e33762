"""Chunks: how the tensors of a Triton kernel are cut into pieces, one for each instance."""

from __future__ import annotations

import numpy as np
import torch

from gradwright.core.blockwise import GROUP
from gradwright.engine.triton.prelude import CHUNK, FOLD, HEIGHT, ROWS, WIDTH

PARTS = 128
"""A matrix is cut into no more than this many chunks from top to bottom, since each leaves a vector."""


class Chunks:
    """How tensors are cut into chunks, and vectors into strips: see the arguments of kernels.

    A tensor of which this rank holds nothing has a chunk of none.

    Args:
        sizes: rows and columns of what this rank holds of each.
        whole: rows and columns of all of each.
        matrix: whether rows and columns matter.
        line: for each tensor the entries in a line of groups that share a scale, where there are such. Chunks and tiles
            are then counted as if the last group of each line were full.
    """

    def __init__(self, sizes: np.ndarray, whole: np.ndarray, matrix: bool, line: np.ndarray | None = None) -> None:
        rows, columns = sizes[:, 0], sizes[:, 1]
        self.row_cells = self.column_cells = 0
        self.dims = np.zeros((len(sizes), 10), dtype=np.int64)
        self.strip = np.empty((0, 4), dtype=np.int64)
        self.lines, width = np.empty((0, 2), dtype=np.int64), columns
        if line is not None:
            line = np.clip(line, 1, np.maximum(columns, 1))
            filled = -(-line // GROUP) * GROUP
            self.lines, width = _table(line, filled), columns // line * filled
        if not matrix:
            lengths = rows * width
            tensor, local, self.first = _numbered(np.maximum(-(-lengths // CHUNK), 1))
            self.chunk = _table(tensor, local * CHUNK, np.minimum((local + 1) * CHUNK, lengths[tensor]))
            return
        height = np.maximum(ROWS, -(-rows // (PARTS * HEIGHT)) * HEIGHT)
        row_parts, column_parts = -(-width // WIDTH), np.maximum(-(-rows // height), 1)
        cells = _table(rows, columns, rows * row_parts, columns * column_parts)
        self.row_cells, self.column_cells = map(int, cells[:, 2:].sum(axis=0))
        begins = np.cumsum(cells, axis=0) - cells
        self.dims = np.ascontiguousarray(np.column_stack([rows, columns, begins, row_parts, column_parts, whole]))
        tensor, local, self.first = _numbered(row_parts * column_parts)
        part, across = local // row_parts[tensor], local % row_parts[tensor]
        top = part * height[tensor]
        self.chunk = _table(tensor, top, np.minimum(top + height[tensor], rows[tensor]), across * WIDTH, part)
        self.strip = np.concatenate([_strips(rows, 0), _strips(columns, 1)])

    def places(self, by_row: bool, count: int, own: int) -> torch.Tensor:
        """Where the vectors stand that one of ``count`` reductions to rows (or columns) came to, tensor by tensor."""
        lengths, begins = (self.dims[:, 0], self.dims[:, 2]) if by_row else (self.dims[:, 1], self.dims[:, 3])
        spans = [np.arange(n) + begin * count + own * n for n, begin in zip(lengths, begins)]
        return torch.from_numpy(np.concatenate(spans))


def _table(*columns: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.stack(columns, axis=1))


def _numbered(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For so many parts of each tensor: the tensor of each part, its number there, and where each tensor begins."""
    first = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    tensor = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    return tensor, np.arange(first[-1], dtype=np.int64) - first[tensor], first


def _strips(lengths: np.ndarray, axis: int) -> np.ndarray:
    tensor, local, _ = _numbered(-(-lengths // FOLD))
    end = np.minimum((local + 1) * FOLD, lengths[tensor])
    return _table(tensor, np.full_like(tensor, axis), local * FOLD, end)
