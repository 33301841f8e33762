"""The authors' package takes the same steps and evaluates at the same weights.

Deliberate differences: there the gradient is divided in place, and β may not change on the way; a cycled β would move
their x, which here stays the average of all z.
"""

import numpy as np
import pytest
import torch

import gradwright as gw
from tests.runs import gradients, normals, run

SHAPES = ((4, 3), (5,), ())
STEPS = 30
package = pytest.importorskip("schedulefree")

FORMS = {
    "AdamW": (package.AdamWScheduleFree, gw.ScheduleFreeAdamW),
    "SGD": (package.SGDScheduleFree, gw.ScheduleFreeSGD),
    "RAdam": (package.RAdamScheduleFree, gw.ScheduleFreeRAdam),
}
KNOBS = {
    "plain": {"lr": 0.03},
    "decay": {"lr": 0.03, "weight_decay": 0.1, "r": 0.75, "weight_lr_power": 1.5},
    "warm-up": {"lr": 0.03, "warmup_steps": 7},
    "loud": {"lr": 0.03, "silent_sgd_phase": False, "betas": (0.8, 0.99)},
}
CASES = [
    (form, knobs)
    for form in FORMS
    for knobs in KNOBS
    if not (knobs == "warm-up" and form == "RAdam") and not (knobs == "loud" and form != "RAdam")
]


def training(optimizer):
    """A copy of the optimizer class that is in training mode from the start."""

    def build(params, **knobs):
        made = optimizer(params, **knobs)
        made.train()
        return made

    return build


def compare(theirs, ours, theirs_knobs, knobs):
    starts, walk = normals(SHAPES, seed=41), gradients(SHAPES, STEPS, seed=42)
    changes = lambda t: {"lr": 0.03 * (1 + t % 5)}  # noqa: E731
    # their SGD adds weight decay to p.grad, and RAdam divides it; run() makes new gradients for each
    expected = run(training(theirs), starts, walk, changes=changes, **theirs_knobs)
    found = run(ours, starts, walk, changes=changes, **knobs)
    for one, other in zip(found.history, expected.history):
        for mine, its in zip(one, other):
            np.testing.assert_allclose(mine, its, rtol=1e-9, atol=1e-11)
    expected.optimizer.eval()
    with found.optimizer.evaluating():
        for mine, its in zip(found.params, expected.params):
            torch.testing.assert_close(mine.data, its.data, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("form", "knobs"), CASES)
def test_same_steps_and_same_average(form, knobs):
    theirs, ours = FORMS[form]
    compare(theirs, ours, KNOBS[knobs], KNOBS[knobs])


def test_the_combinator_is_their_wrapper():
    def wrapped(params, **knobs):
        wrapper = package.ScheduleFreeWrapperReference(torch.optim.SGD(params, lr=0.03), momentum=0.8, r=0.5)
        wrapper.train()
        return wrapper

    starts, walk = normals(SHAPES, seed=41), gradients(SHAPES, STEPS, seed=42)
    changes = lambda t: {"lr": 0.03 * (1 + t % 5)}  # noqa: E731
    expected = run(wrapped, starts, walk, changes=changes)
    found = run(gw.schedule_free(gw.SGD), starts, walk, changes=changes, lr=0.03, momentum=0.8, r=0.5)
    for one, other in zip(found.history, expected.history):
        for mine, its in zip(one, other):
            np.testing.assert_allclose(mine, its, rtol=1e-9, atol=1e-11)
