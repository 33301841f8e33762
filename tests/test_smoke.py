"""The shortest proof that the house stands."""

import torch

import gradwright


def test_a_recipe_is_a_torch_optimizer_that_descends():
    model = torch.nn.Linear(3, 1)
    optimizer = gradwright.AdamW(model.parameters(), lr=0.1)
    assert isinstance(optimizer, torch.optim.Optimizer)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = (model(torch.ones(4, 3)) - 2).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
