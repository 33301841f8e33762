"""Small models of four kinds."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn


def mlp(sizes: list[int], act: type[nn.Module] = nn.ReLU, dropout: float = 0.0, norm: bool = False) -> nn.Sequential:
    """Linear layers with an activation between each two."""
    layers: list[nn.Module] = []
    for at, (read, made) in enumerate(pairwise(sizes)):
        layers.append(nn.Linear(read, made))
        if at < len(sizes) - 2:
            layers += [nn.BatchNorm1d(made)] if norm else []
            layers += [act()] + ([nn.Dropout(dropout)] if dropout else [])
    return nn.Sequential(*layers)


class ConvNet(nn.Module):
    """Two convolutions and a linear layer, with activations that are functions."""

    def __init__(self, width: int = 16, classes: int = 10, norm: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, width, 3, padding=1), nn.Conv2d(width, 2 * width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width) if norm else nn.Identity()
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(2 * width * 4, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = nnf.max_pool2d(nnf.relu(self.norm(self.first(x))), 2)
        x = nnf.max_pool2d(nnf.relu(self.second(x)), 2)
        return self.head(self.drop(x.flatten(1)))


class Block(nn.Module):
    """Attention and a feed-forward layer with residual paths."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (each.unflatten(2, (self.heads, -1)).transpose(1, 2) for each in self.qkv(self.norm1(x)).chunk(3, 2))
        mixed = nnf.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.drop(self.out(mixed.transpose(1, 2).flatten(2)))
        return x + self.drop(self.down(nnf.gelu(self.up(self.norm2(x)))))


class GPT(nn.Module):
    """A small language model."""

    def __init__(
        self, letters: int, context: int = 16, width: int = 32, depth: int = 2, heads: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(letters, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, letters, bias=False)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02 if width > 64 else 0.05)

    def forward(self, x: Tensor) -> Tensor:
        h = self.token(x) + self.place(torch.arange(x.shape[1], device=x.device))
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h))


class VAE(nn.Module):
    """Images of 64 pixels between 0 and 1, by a code of a few numbers."""

    def __init__(self, code: int = 4, width: int = 64, act: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, width), act(), nn.Linear(width, 2 * code))
        self.decoder = nn.Sequential(nn.Linear(code, width), act(), nn.Linear(width, 64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, spread = self.encoder(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * torch.exp(0.5 * spread) if self.training else mean
        return self.decoder(code), mean, spread


def vae_loss(outputs: tuple[Tensor, Tensor, Tensor], x: Tensor) -> Tensor:
    """The negative evidence bound of a sample."""
    logits, mean, spread = outputs
    image = nnf.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    return (image - 0.5 * (1 + spread - mean.square() - spread.exp()).sum()) / len(x)
