"""Short runs under a watch, for pages and sinks."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gradwright.observe import Watch


class Residual(nn.Module):
    """As many narrow layers as asked for, each added to what goes in."""

    def __init__(self, depth):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(depth))
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        for block in self.blocks:
            x = x + torch.relu(block(x)) / len(self.blocks)
        return self.head(x)


def watched(model=None, steps=30, validate=True, **options):
    """A watch after a run on three classes."""
    torch.manual_seed(0)
    model = Residual(2) if model is None else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    watch = Watch(model, optimizer, every=5, **options)
    for step in range(steps):
        x = torch.randn(16, 4)
        y = (x[:, :3]).argmax(1)
        outputs = model(x)
        loss = cross_entropy(outputs, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss, outputs=outputs, targets=y)
        if validate and step % 10 == 9:
            watch.validation(loss.item())
    return watch
