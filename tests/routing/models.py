"""Small models with the traps of large ones, and short ways to ask for their roles."""

import torch
from torch import nn

from gradwright.core.selector import parse
from gradwright.routing import find_roles

HIDDEN = parse("matrix & !embedding & !head")


def words(model, **options):
    return {name: " ".join(sorted(found.roles)) for name, found in find_roles(model, **options).items()}


def having(role, model, **options):
    return {name for name, found in find_roles(model, **options).items() if role in found.roles}


def hidden(model, **options):
    return {name for name, found in find_roles(model, **options).items() if HIDDEN.matches(found.roles, name)}


class Net(nn.Module):
    """Modules and parameters by name, in order; forward runs the modules one after another."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, nn.Parameter(torch.zeros(part)) if isinstance(part, tuple) else part)

    def forward(self, x):
        for part in self.children():
            x = part(x)
        return x


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.norm = nn.LayerNorm(d)
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        x = x + self.proj(nn.functional.scaled_dot_product_attention(q, k, v))
        return x + self.down(self.up(x).relu())


class GPT(nn.Module):
    def __init__(self, tied=True, depth=2, d=8, vocabulary=20, final_norm=True):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, d), nn.Parameter(torch.zeros(16, d))
        self.blocks = nn.ModuleList(Block(d) for _ in range(depth))
        self.final = nn.LayerNorm(d) if final_norm else nn.Identity()
        self.unembed = nn.Linear(d, vocabulary, bias=False)
        if tied:
            self.unembed.weight = self.tokens.weight

    def forward(self, x):
        x = self.tokens(x) + self.positions[: x.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.unembed(self.final(x))


class ViT(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.cls, self.positions = nn.Parameter(torch.zeros(1, 1, d)), nn.Parameter(torch.zeros(1, 5, d))
        self.patch = nn.Conv2d(3, d, 4, 4)
        self.blocks = nn.Sequential(Block(d), Block(d))
        self.norm, self.fc = nn.LayerNorm(d), nn.Linear(d, 10)

    def forward(self, image):
        x = self.patch(image).flatten(2).mT
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.positions
        return self.fc(self.norm(self.blocks(x))[:, 0])


class RMSNorm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(d))


class Experts(nn.Module):
    def __init__(self, count=4, d=8, inner=16):
        super().__init__()
        self.router = nn.Linear(d, count)
        self.up, self.down = nn.Parameter(torch.zeros(count, d, inner)), nn.Parameter(torch.zeros(count, inner, d))


class Conv1D(nn.Module):
    """The transposed linear layer of GPT-2 in transformers."""

    def __init__(self, nf, nx):
        super().__init__()
        self.nf = nf
        self.weight, self.bias = nn.Parameter(torch.zeros(nx, nf)), nn.Parameter(torch.zeros(nf))
