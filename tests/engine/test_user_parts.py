"""Parts that users write run whatever they do, and equal eager; what can be fused is."""

import pytest
import torch

from gradwright.core import HostScalar, Slot, Transform, chain
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


@pytest.mark.parametrize("what", [parts.smooth, parts.whiten], ids=lambda f: f.__name__)
def test_a_word_that_the_graph_lacks(what):
    """A function of the update alone stands between two kernels."""
    assert follows_eager(AVERAGE, Does(what)) == 0
    assert follows_eager(Does(what), AVERAGE) == 0


@pytest.mark.parametrize(
    "link",
    [
        Does(parts.average_of_smooth, Slot()),
        Does(parts.towards_the_weights),
        Does(parts.clip_by_norm),
        Does(parts.clip_by_global_norm),
    ],
    ids=lambda link: link.what.__name__,
)
def test_what_needs_more_than_the_update_runs_as_plain_torch(link):
    assert follows_eager(AVERAGE, link) == len(SHAPES)
    assert follows_eager(link, AVERAGE) == len(SHAPES)


def test_two_links_that_the_graph_lacks():
    assert follows_eager(Does(parts.whiten), AVERAGE, Does(parts.smooth)) == 0


def test_a_total_over_tensors_that_are_fused_and_others():
    def make():
        odd = torch.arange(24.0).reshape(4, 6)[:, ::2].requires_grad_()
        return [*leaves((4, 6), (3,))(), odd, torch.ones(2, 3, dtype=torch.complex64).requires_grad_()]

    follows_eager(Does(parts.clip_by_global_norm), AVERAGE, make=make)


def test_a_word_that_the_graph_lacks_from_the_third_step_on():
    follows_eager(Does(parts.later_otherwise), AVERAGE)


def test_a_word_beside_state_that_the_graph_lacks_from_the_third_step_on():
    follows_eager(Does(parts.later_otherwise, Slot()), AVERAGE)


def test_what_is_the_same_for_all_shapes_at_the_first_step_only():
    follows_eager(Does(parts.later_by_size), AVERAGE)


def test_masks_and_counts():
    assert follows_eager(AVERAGE, Does(parts.masks), Does(parts.counts)) == 0


@pytest.mark.parametrize("what", [parts.plain_math, parts.whole_steps], ids=lambda f: f.__name__)
def test_plain_python_on_the_step_count(what):
    follows_eager(Does(what), AVERAGE)


def test_plain_python_on_the_step_count_does_not_compile_for_ever(compilations):
    follows_eager(Does(parts.plain_math), AVERAGE, steps=24)
    assert len(compilations) <= 16


def test_parts_that_look_at_names():
    def make():
        return [{"params": list(zip(("a.weight", "b.weight"), leaves((3, 4), (3, 4))()))}]

    def Mine(lr=0.1, weight_decay=0.5):
        return chain(Decay(weight_decay, only="name:a.*"), Scale(lr))

    with as_recipe(Mine) as recipe:
        Pair(recipe, make).steps(3).close()


def test_random_numbers_differ_from_tensor_to_tensor():
    with recipe_of(Does(parts.draws)) as recipe:
        params = [torch.zeros(4, 6, requires_grad=True) for _ in range(3)]
        optimizer = recipe(params, engine="cpp")
        for param in params:
            param.grad = torch.zeros(4, 6)
        optimizer.step()
    assert len({param.sum().item() for param in params}) == 3


@pytest.mark.parametrize("what", [lambda u: u.mean(), lambda u: u.mean(dim=0, keepdim=True), lambda u: u[:1]])
def test_an_update_of_another_shape_is_refused(what):
    for engine in ("cpp", "eager"):
        with recipe_of(Does(lambda u, state, ctx: (what(u), state))) as recipe:
            (param,) = leaves((4, 6))()
            optimizer = recipe([param], engine=engine)
            param.grad = torch.ones(4, 6)
            with pytest.raises(RuntimeError, match="shape"):
                optimizer.step()


def test_state_of_any_name():
    class Named(Transform):
        def slots(self, spec):
            return {"first-moment²": Slot(), "a b": Slot(keep=()), "class": HostScalar(1.0)}

        def update(self, u, state, ctx):
            m = 0.9 * state["first-moment²"] + u
            return m, {"first-moment²": m, "a b": norm(m), "class": 0.5 * state["class"]}

    assert follows_eager(Named()) == 0


def test_names_that_the_engine_uses_itself():
    class Named(Transform):
        needs = frozenset({"loss"})

        def slots(self, spec):
            return {"loss": Slot(keep=(), shared=True), "clock": HostScalar(0.0), "numel": Slot(keep=())}

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
            return {"size": HostScalar(1.0)}

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
