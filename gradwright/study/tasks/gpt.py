"""A GPT of any size, with LayerNorm before the branches, after them, or nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention


@dataclass(frozen=True)
class Shape:
    """The sizes of a GPT and of its batches.

    Args:
        width: of the stream.
        layers: blocks of attention and perceptron.
        heads: of each attention; they divide the width.
        length: of a window.
        batch: windows in a batch.
        norm: where LayerNorm stands: ``"pre"`` before each branch and at the end, ``"post"`` on each sum, as in the
            first transformers, which need a warm-up; ``"none"`` nowhere.
        causal: whether a place sees only those before it.
    """

    width: int = 64
    layers: int = 3
    heads: int = 4
    length: int = 64
    batch: int = 16
    norm: Literal["pre", "post", "none"] = "pre"
    causal: bool = True

    def normed(self, where: str) -> nn.Module:
        """A LayerNorm, or nothing where this shape has none there."""
        return nn.LayerNorm(self.width) if self.norm == where else nn.Identity()


class Block(nn.Module):
    """Attention and a four times wider perceptron, each added to the stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.width
        self.heads, self.causal = shape.heads, shape.causal
        self.norm1, self.norm2 = shape.normed("pre"), shape.normed("pre")
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.after1, self.after2 = shape.normed("post"), shape.normed("post")

    def forward(self, x: Tensor) -> Tensor:
        n, length, width = x.shape
        # (n, length, 3 * width) -> three of (n, heads, length, width / heads)
        q, k, v = self.qkv(self.norm1(x)).view(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = self.after1(x + self.out(mixed.transpose(1, 2).reshape(n, length, width)))
        return self.after2(x + self.down(gelu(self.up(self.norm2(x)))))


class GPT(nn.Module):
    """Symbols in, logits of the next one out; positions are learned, the head is not tied to the embedding."""

    def __init__(self, shape: Shape, symbols: int = 256) -> None:
        super().__init__()
        self.embedding, self.position = nn.Embedding(symbols, shape.width), nn.Embedding(shape.length, shape.width)
        self.blocks = nn.Sequential(*(Block(shape) for _ in range(shape.layers)))
        self.norm, self.head = shape.normed("pre"), nn.Linear(shape.width, symbols, bias=False)
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.position.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        stream = self.embedding(x) + self.position.weight[: x.shape[1]]
        return self.head(self.norm(self.blocks(stream)))
