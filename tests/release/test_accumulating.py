"""Micro-batches in the state of an average: the step of the whole batch, or a named other method, or a refusal."""

import copy

import pytest
import torch

import gradwright
from gradwright.core import ParamSpec, Transform, chain
from gradwright.core.gathering import form
from gradwright.training import release
from gradwright.transforms import AddEps, ClipValue, Ema, Full, HeavyBall, Lazy, Precondition, Scale, Sign
from tests.release.bowl import bowl, live_bytes

EXACT = (
    (gradwright.SGD, {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
    (gradwright.Signum, {"weight_decay": 0.1}),
    (gradwright.Tiger, {}),
    (gradwright.Muon, {"nesterov": False}),
    (gradwright.AdaMuon, {}),
)
NEITHER = (
    (gradwright.Lion, {}),
    (gradwright.SGD, {}),
    (gradwright.SGD, {"momentum": 0.9, "nesterov": True}),
    (gradwright.Muon, {}),
    (gradwright.Adafactor, {}),
    (gradwright.AdaBelief, {}),
    (gradwright.Tiger, {"accumulate": 2}),
    (gradwright.value_clipped(gradwright.SGD), {"momentum": 0.9}),
)
MICRO = 4


def gathered(recipe, knobs, how="exact", steps=4, engine="auto", micro=MICRO):
    model = bowl(recipe, knobs, torch.float64)
    optimizer = recipe(model.parameters(), engine=engine, **knobs)
    for step in range(steps):
        with release(model, optimizer) as released:
            for index in range(micro - 1):
                with released.accumulating(how):
                    (model(micro * step + index) / micro).backward()
                assert all(param.grad is None for param in model.params)
            (model(micro * step + micro - 1) / micro).backward()
        optimizer.step()
    return model, optimizer


def whole(recipe, knobs, steps=4, micro=MICRO):
    model = bowl(recipe, knobs, torch.float64)
    optimizer = recipe(model.parameters(), engine="eager", **knobs)
    for step in range(steps):
        for index in range(micro):
            (model(micro * step + index) / micro).backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, optimizer


def agree(one, other, rtol=1e-10):
    for a, b in zip(one[0].params, other[0].params):
        torch.testing.assert_close(a, b, rtol=rtol, atol=rtol)
        mine, its = one[1].state[a], other[1].state[b]
        assert mine.keys() == its.keys()
        assert mine["step"] == its["step"]
        for key in mine:
            torch.testing.assert_close(torch.as_tensor(mine[key]), torch.as_tensor(its[key]), rtol=rtol, atol=rtol)


@pytest.mark.parametrize("engine", ["eager", "torch", "cpp"])
@pytest.mark.parametrize(("recipe", "knobs"), EXACT, ids=lambda value: getattr(value, "__name__", None))
def test_micro_batches_make_the_step_of_their_sum(recipe, knobs, engine):
    agree(gathered(recipe, knobs, engine=engine), whole(recipe, knobs))


@pytest.mark.parametrize("recipe", [gradwright.AdamW, gradwright.Adam])
@pytest.mark.parametrize("engine", ["eager", "cpp"])
def test_adama_sums_the_squares_of_micro_batches(recipe, engine):
    """Beside AdamA's equations on numbers: m ← β₁ m + (1 − β₁) Σ gᵢ, v ← β₂ v + (1 − β₂) Σ gᵢ²."""
    knobs = {"lr": 0.05, "weight_decay": 0.0}
    model, _optimizer = gathered(recipe, knobs, "adama", engine=engine)
    other = bowl(recipe, knobs, torch.float64)
    m, v = ([torch.zeros_like(param) for param in other.params] for _ in range(2))
    for step in range(4):
        grads = [torch.autograd.grad(other(MICRO * step + i) / MICRO, list(other.params)) for i in range(MICRO)]
        with torch.no_grad():
            for at, param in enumerate(other.params):
                m[at] = 0.9 * m[at] + 0.1 * sum(grad[at] for grad in grads)
                v[at] = 0.999 * v[at] + 0.001 * sum(grad[at] ** 2 for grad in grads)
                first, second = m[at] / (1 - 0.9 ** (step + 1)), v[at] / (1 - 0.999 ** (step + 1))
                param -= 0.05 * first / (second.sqrt() + 1e-8)
    for param, its in zip(model.params, other.params):
        torch.testing.assert_close(param, its, rtol=1e-9, atol=1e-9)


def test_adama_is_another_method_than_the_whole_batch():
    knobs = {"lr": 0.05}
    model, _ = gathered(gradwright.AdamW, knobs, "adama")
    other, _ = whole(gradwright.AdamW, knobs)
    assert max((a - b).abs().max().item() for a, b in zip(model.params, other.params)) > 1e-3


@pytest.mark.parametrize(("recipe", "knobs"), NEITHER, ids=lambda value: getattr(value, "__name__", None))
@pytest.mark.parametrize("how", ["exact", "adama"])
def test_recipes_that_cannot_gather_say_so(recipe, knobs, how):
    model = bowl(recipe, knobs)
    optimizer = recipe(model.parameters(), **knobs)
    released = release(model, optimizer)
    with pytest.raises(ValueError, match=recipe.recipe_name) as refusal, released.accumulating(how):
        pass
    assert "accumulate in gradients" in str(refusal.value)


def test_adamw_is_told_both_choices():
    model = bowl(gradwright.AdamW, {})
    released = release(model, gradwright.AdamW(model.parameters()))
    with pytest.raises(ValueError, match="AdamW") as refusal, released.accumulating():
        pass
    assert "accumulate in gradients" in str(refusal.value)
    assert "accumulating('adama')" in str(refusal.value)
    assert "another method" in str(refusal.value)


class Listens(Transform):
    """Reads the gradient where nobody sees it."""

    def update(self, u, state, ctx):
        return u + 1e-3 * ctx.grad, state


def test_the_form_is_found_by_trial():
    matrix, table = ParamSpec((9, 5), roles=frozenset({"matrix"})), ParamSpec((9, 5), roles=frozenset({"embedding"}))
    for links, answer in (
        ((Ema(0.9), Sign(), Scale(0.1)), "exact"),
        ((HeavyBall(0.9), Scale(0.1)), "exact"),
        ((Ema(0.9), Listens(), Scale(0.1)), None),
        ((Ema(0.9, nesterov=True), Scale(0.1)), None),
        ((Ema(0.0), Scale(0.1)), None),  # nothing is remembered of the first micro-batch
        ((ClipValue(1e4), Ema(0.9), Scale(0.1)), None),  # which shows at large gradients alone
    ):
        assert form(chain(*links), [matrix]) == answer
    lazy = chain(Ema(0.9), Scale(0.1), Lazy("row", only="embedding"))  # looks at the last micro-batch
    assert form(lazy, [matrix]) == "exact"
    assert form(lazy, [matrix, table]) is None
    assert form(chain(Ema(0.9), Precondition(Full(0.99), AddEps(1e-8))), [matrix, table]) == "adama"


def test_no_gradient_waits_for_the_next_micro_batch():
    model, found = bowl(gradwright.Signum, {}), []
    optimizer = gradwright.Signum(model.parameters())
    largest = max(param.nbytes for param in model.params)
    with live_bytes(model, found), release(model, optimizer, hold=0) as released:
        for batch in range(3):
            with released.accumulating():
                model(batch).backward()
        model(3).backward()
    optimizer.step()
    assert max(found) <= 2 * largest


def test_a_parameter_that_the_last_micro_batch_does_not_reach_steps_too():
    knobs = {"momentum": 0.9, "lr": 0.1}
    model, other = bowl(gradwright.SGD, knobs), bowl(gradwright.SGD, knobs)
    optimizer, plain = gradwright.SGD(model.parameters(), **knobs), gradwright.SGD(other.parameters(), **knobs)
    for _ in range(2):
        with release(model, optimizer) as released:
            with released.accumulating():
                model(0).backward()
            model.params[0].square().sum().backward()
        optimizer.step()
        other(0).backward()
        other.params[0].square().sum().backward()
        plain.step()
        plain.zero_grad()
    agree((model, optimizer), (other, plain), 1e-5)


def test_a_micro_batch_behind_the_last_is_refused():
    model = bowl(gradwright.Signum, {})
    optimizer = gradwright.Signum(model.parameters())
    released = release(model, optimizer)
    model(0).backward()
    with pytest.raises(RuntimeError, match="behind a backward outside of it"), released.accumulating():
        pass
    optimizer.step()
    with released.accumulating():
        with pytest.raises(RuntimeError, match="leave that block first"):
            optimizer.step()
        with pytest.raises(RuntimeError, match="leave that block first"), released.accumulating():
            pass
    released.remove()


def test_what_micro_batches_cannot_be_asked_is_refused():
    model = bowl(gradwright.Signum, {})
    optimizer = gradwright.Signum(model.parameters())
    with release(model, optimizer, clip_norm=1.0) as released:
        with pytest.raises(ValueError, match="would clip micro-batches"), released.accumulating():
            pass
        with pytest.raises(ValueError, match="unknown; known are exact, adama"), released.accumulating("sum"):
            pass


def test_gathering_ages_nobody_and_can_be_deep_copied():
    model = bowl(gradwright.Signum, {})
    optimizer = gradwright.Signum(model.parameters())
    with release(model, optimizer) as released:
        with released.accumulating():
            model(0).backward()
        assert {optimizer.state[param]["step"] for param in model.params} == {0.0}
        with pytest.raises(RuntimeError, match="in the middle of a step"):
            optimizer.state_dict()
        model(1).backward()
    optimizer.step()
    assert {optimizer.state[param]["step"] for param in model.params} == {1.0}
    assert copy.deepcopy(optimizer).state_dict()["state"].keys() == optimizer.state_dict()["state"].keys()


@pytest.mark.parametrize("weights", ["plain", "split24", "split32", "stochastic"])
def test_gathering_leaves_weights_in_every_format_as_they_are(weights):
    knobs = {"state": "8bit", "weights": weights}
    model = bowl(gradwright.Signum, knobs, torch.bfloat16)
    optimizer = gradwright.Signum(model.parameters(), **knobs)
    model(0).backward()
    optimizer.step()
    optimizer.zero_grad()
    before = [param.detach().clone() for param in model.params]
    held = optimizer.full_weights() if weights.startswith("split") else None
    with release(model, optimizer) as released, released.accumulating():
        model(1).backward()
    assert all(torch.equal(param, old) for param, old in zip(model.params, before))
    if held is not None:
        again = optimizer.full_weights()
        assert all(torch.equal(value, again[name]) for name, value in held.items())
