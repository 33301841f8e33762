"""Parts that users write run whatever they do, and equal eager; what can be fused is."""

import pytest
import torch

from gradwright.core import Number, Slot, Transform, chain
from gradwright.core.ops import norm
from gradwright.transforms import Decay, Ema, Scale
from tests.engine import parts
from tests.engine.pair import Pair, leaves, left_to_eager
from tests.engine.parts import AVERAGE, Does, recipe_of
from tests.runs import as_recipe

pytestmark = pytest.mark.usefixtures("compiler")

SHAPES = ((4, 6), (4, 6), (3, 8), (2, 2))


def follows_eager(*links, steps=6, make=None):
    with recipe_of(*links) as recipe:
        pair = Pair(recipe, make or leaves(*SHAPES))
        for _ in range(steps):
            pair.step()
            pair.close(1e-5)
        return left_to_eager(pair.fused)


@pytest.mark.parametrize("what", [parts.smooth, parts.whiten, parts.towards_the_weights], ids=lambda f: f.__name__)
def test_a_word_that_the_graph_lacks(what):
    assert follows_eager(AVERAGE, Does(what)) == 0
    follows_eager(Does(what), AVERAGE)


def test_a_word_that_the_graph_lacks_beside_state():
    assert follows_eager(Does(parts.average_of_smooth, Slot())) == len(SHAPES)


def test_two_links_that_the_graph_lacks():
    assert follows_eager(Does(parts.whiten), AVERAGE, Does(parts.smooth)) == 0


def test_a_decision_on_a_tensor():
    follows_eager(AVERAGE, Does(parts.clip_by_norm))


def test_a_total():
    follows_eager(Does(parts.clip_by_global_norm), AVERAGE)


def test_a_total_over_tensors_that_are_fused_and_others():
    def make():
        odd = torch.arange(24.0).reshape(4, 6)[:, ::2].requires_grad_()
        return [*leaves((4, 6), (3,))(), odd, torch.ones(2, 3, dtype=torch.complex64).requires_grad_()]

    follows_eager(Does(parts.clip_by_global_norm), AVERAGE, make=make)


@pytest.mark.parametrize("what", [parts.later_otherwise, parts.later_by_size], ids=lambda f: f.__name__)
def test_what_changes_with_the_step(what):
    follows_eager(Does(what), AVERAGE)


def test_masks_and_counts():
    assert follows_eager(AVERAGE, Does(parts.masks), Does(parts.counts)) == 0


def test_plain_python_on_the_step_count_does_not_compile_for_ever(compilations):
    follows_eager(Does(parts.plain_math), AVERAGE, steps=40)
    assert len(compilations) <= 20
    follows_eager(Does(parts.whole_steps), AVERAGE)


def test_parts_that_look_at_names():
    def make():
        return [{"params": list(zip(("a.weight", "b.weight"), leaves((3, 4), (3, 4))()))}]

    def Mine(lr=0.1, weight_decay=0.5):
        return chain(Decay(weight_decay, only="name:a.*"), Scale(lr))

    with as_recipe(Mine) as recipe:
        Pair(recipe, make).steps(3).close()


def test_state_of_any_name():
    class Named(Transform):
        def slots(self, spec):
            return {"first-moment²": Slot(), "a b": Slot(keep=()), "class": Number(1.0)}

        def update(self, u, state, ctx):
            m = 0.9 * state["first-moment²"] + u
            return m, {"first-moment²": m, "a b": norm(m), "class": 0.5 * state["class"]}

    assert follows_eager(Named()) == 0


def test_names_that_the_engine_uses_itself():
    class Named(Transform):
        needs = frozenset({"loss"})

        def slots(self, spec):
            return {"loss": Slot(keep=(), shared=True), "clock": Number(0.0), "numel": Slot(keep=())}

        def update(self, u, state, ctx):
            average = 0.5 * state["loss"] + 0.5 * ctx.loss
            size = norm(u) + state["numel"]
            clock = state["clock"] + 0.25
            return u * average * clock * ctx.clock + 0 * size, {"loss": average, "clock": clock, "numel": size}

    follows_eager(Named())


def test_a_knob_and_a_number_of_one_name():
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Grows(Transform):
        size: float = 0.5

        def slots(self, spec):
            return {"size": Number(1.0)}

        def update(self, u, state, ctx):
            return u * (self.size + state["size"]), {"size": 2 * state["size"]}

    follows_eager(Grows())


def test_an_error_in_an_update_is_the_users_own():
    def update(u, state, ctx):
        raise KeyError("mine")

    with recipe_of(Does(update)) as recipe:
        optimizer = recipe(leaves((3,))(), engine="cpp")
        optimizer.param_groups[0]["params"][0].grad = torch.ones(3)
        with pytest.raises(KeyError, match="mine"):
            optimizer.step()


def test_what_can_be_fused_is():
    class Clipped(Transform):
        def update(self, u, state, ctx):
            return u / torch.clamp(norm(u), min=1.0), state

    assert follows_eager(Clipped(), Ema(0.9, nesterov=True, debias=True), Decay(0.1)) == 0
