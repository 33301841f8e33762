"""gradwright.AdamW in place of torch.optim.AdamW, in a training run as people write them."""

import io

import pytest
import torch

import gradwright
from gradwright.study.tasks import stdlib_gpt
from gradwright.study.tasks.gpt import Shape
from tests.runs import distance

STEPS = 200


def trained(recipe, steps):
    """A small GPT in float64 under a OneCycle schedule and gradient clipping, saved and resumed on the way."""
    parts = start(recipe, steps)
    for step in range(steps):
        if step == steps * 3 // 5:
            parts = resumed(parts, recipe, steps)
        session, optimizer, schedule = parts
        optimizer.zero_grad()
        session.loss(step).backward()
        torch.nn.utils.clip_grad_norm_(session.model.parameters(), 0.5)
        optimizer.step()
        schedule.step()
    return [param.detach().numpy() for param in parts[0].model.parameters()]


def start(recipe, steps):
    session = stdlib_gpt.TASK.begin(seed=0)
    session.model.double()
    optimizer = recipe(session.model.parameters(), weight_decay=0.1)
    return session, optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-3, total_steps=steps)


def resumed(parts, recipe, steps):
    session, optimizer, schedule = parts
    file = io.BytesIO()
    torch.save([session.model.state_dict(), optimizer.state_dict(), schedule.state_dict()], file)
    file.seek(0)
    fresh = start(recipe, steps)
    for part, saved in zip((fresh[0].model, *fresh[1:]), torch.load(file)):
        part.load_state_dict(saved)
    return fresh


def largest_distance(steps=STEPS):
    """Of a tensor, relative to its largest entry. Training magnifies one rounding error to about 1e-12."""
    ours, theirs = trained(gradwright.AdamW, steps), trained(torch.optim.AdamW, steps)
    return max(distance(a, b) for a, b in zip(ours, theirs))


def test_a_gpt_with_short_windows_ends_with_torchs_weights(monkeypatch):
    small = stdlib_gpt.gpt_task("stdlib-gpt", "Short windows.", Shape(length=32, batch=4), STEPS)
    monkeypatch.setattr(stdlib_gpt, "TASK", small)
    assert largest_distance(steps=80) < 1e-10


@pytest.mark.slow
def test_the_full_gpt_ends_with_torchs_weights():
    assert largest_distance() < 1e-10
