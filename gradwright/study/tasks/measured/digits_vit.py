"""Tiny vision transformers on digits, with LayerNorm before or after the branches.

Data: scikit-learn's digits in sixteen patches of 2x2 pixels. Model: 6 blocks of width 48, 170 thousand weights.
Budget: 400 steps of 32 images. Metric: validation loss.
Why: attention on images; with LayerNorm after the branches a transformer of this depth is known to want a warm-up.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from torch import Tensor, nn

from gradwright.study.tasks.digits import digits
from gradwright.study.tasks.digits_classifier import READS, classifying, digits_task
from gradwright.study.tasks.gpt import Block, Shape
from gradwright.study.tasks.task import Session


class ViT(nn.Module):
    """Sixteen patches with learned positions through the blocks; their mean is classified."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.patch, self.position = nn.Linear(4, shape.width), nn.Embedding(16, shape.width)
        self.blocks = nn.Sequential(*(Block(shape) for _ in range(shape.layers)))
        self.norm, self.head = shape.normed("pre"), nn.Linear(shape.width, 10)
        nn.init.normal_(self.position.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        # (n, 64) -> (n, 4, 2, 4, 2): row and column of the patch, and of the pixel in it -> (n, 16, 4)
        patches = x.view(-1, 4, 2, 4, 2).transpose(2, 3).reshape(-1, 16, 4)
        stream = self.blocks(self.patch(patches) + self.position.weight)
        return self.head(self.norm(stream).mean(1))


def start(seed: int, name: str, norm: Literal["pre", "post"], batch: int = 32) -> Session:
    """Blocks of width 48, six deep, every patch sees every other."""
    model = ViT(Shape(width=48, layers=6, length=16, norm=norm, causal=False))
    return classifying(model, digits(), name, seed, batch)


PRE_NORM = digits_task(
    "digits-vit",
    f"A vision transformer (6 layers, width 48) {READS}.",
    partial(start, name="digits-vit", norm="pre"),
    400,
)
POST_NORM = digits_task(
    "digits-vit-post-norm",
    f"A vision transformer (6 layers, width 48) with LayerNorm after each branch {READS}.",
    partial(start, name="digits-vit-post-norm", norm="post"),
    400,
)
