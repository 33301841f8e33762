"""A byte-level GPT on the standard library's own sources."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, scaled_dot_product_attention

from gradwright.study.tasks.corpus import fixed_windows, standard_library, windows
from gradwright.study.tasks.seeding import generator
from gradwright.study.tasks.task import Metric, Session, Task

WIDTH, LAYERS, HEADS, LENGTH, BATCH = 64, 3, 4, 64, 16


class Block(nn.Module):
    """Attention and a four times wider perceptron, each behind a LayerNorm and added to the stream."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        n, length, _ = x.shape
        # (n, length, 3 * width) -> three of (n, heads, length, width / heads)
        q, k, v = self.qkv(self.norm1(x)).view(n, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, length, WIDTH))
        return x + self.down(gelu(self.up(self.norm2(x))))


class GPT(nn.Module):
    """Bytes in, logits of the next byte out; positions are learned, the head is not tied to the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.position = nn.Embedding(256, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 256, bias=False)
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.position.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        stream = self.embedding(x) + self.position.weight[: x.shape[1]]
        return self.head(self.norm(self.blocks(stream)))


def start(seed: int) -> Session:
    """Sixteen random windows of 64 bytes a step; 96 fixed windows to validate."""
    text = standard_library()
    model = GPT()
    x_validation, y_validation = fixed_windows(text.validation, 96, LENGTH)

    def batch(step: int) -> tuple[Tensor, Tensor]:
        rng = generator("stdlib-gpt", seed, "batches", step)
        x, y = windows(text.train, torch.randint(len(text.train) - LENGTH, (BATCH,), generator=rng), LENGTH)
        return model(x).flatten(0, 1), y.flatten()

    def evaluate() -> dict[str, float]:
        logits, next_byte = model(x_validation).flatten(0, 1), y_validation.flatten()
        right = (logits.argmax(1) == next_byte).float().mean()
        return {"nats_per_byte": cross_entropy(logits, next_byte).item(), "accuracy": right.item()}

    counts = text.train.bincount(minlength=256)
    return Session(model, lambda step: cross_entropy(*batch(step)), evaluate, batch, class_counts=counts)


def _data() -> dict[str, str]:
    text = standard_library()
    return {
        f"Python's standard library ({text.files} sources, {len(text.train) / 1e6:.2f} MB to train on)": text.sha256
    }


TASK = Task(
    name="stdlib-gpt",
    description="A small GPT (3 layers, width 64) predicts the next byte of the Python standard library's sources.",
    start=start,
    metrics=(
        Metric("nats_per_byte", "validation loss (nats per byte)"),
        Metric("accuracy", "share of bytes guessed right", lower_is_better=False, share=True),
    ),
    steps=300,
    data=_data,
    judge="accuracy",
)
