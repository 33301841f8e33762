"""A hyper-parameter of the wrong kind or size is refused with the recipe's name and its own, wherever it is given."""

import fractions
import warnings
from decimal import Decimal

import numpy
import pytest
import torch

import gradwright
from gradwright.core import Part
from gradwright.core.part import count_names
from gradwright.core.transform import Transform
from gradwright.optimizer.recipe import registry
from gradwright.recipe.registry import specs
from tests.optimizer.models import leaf

HUGE = 10**400
NO_NUMBERS = (
    HUGE,
    1e308,
    -1.0e39,
    1j,
    "0.1",
    b"x",
    Decimal("0.1"),
    fractions.Fraction(1, 10),
    numpy.array(0.1),
    numpy.array([0.1, 0.2]),
    numpy.True_,
    torch.tensor(1j),
    torch.tensor(True),
    torch.zeros(2),
    [],
    {},
    object(),
)
NO_COUNTS = (2**63, HUGE, -1, 2.5, 2.0, True, numpy.True_, "3", None, 1j, [2], torch.tensor(3))
NO_FLAGS = (1, 0.0, "yes", None, numpy.True_, torch.tensor(True))
NO_WORDS = ("no such word", 3, None, True, ["a"], 1j)
OURS = [cls for cls in registry.values() if cls.made_by is None and cls.__module__.startswith("gradwright.")]


def wrong_for(knob):
    if knob.kinds == {float}:
        yield from NO_NUMBERS
        if not knob.optional:
            yield None
    elif knob.kinds == {int}:
        yield from (wrong for wrong in NO_COUNTS if wrong is not None or not knob.optional)
    elif knob.kinds == {bool}:
        yield from NO_FLAGS
    elif knob.choices:
        yield from NO_WORDS
    elif knob.kinds == {tuple}:
        right = knob.default or (0.5,) * knob.length
        yield from ((), (*right, 0.5), "ab", 0.5, numpy.array(right), torch.tensor(right), {"a": 1})
        yield from (((wrong, *right[1:])) for wrong in NO_NUMBERS)
    elif knob.kinds == {int, tuple}:
        yield from (2**63, (2**63, 1), (), "3", 2.5, None, (1.5, 1.5), True)
    else:
        assert knob.kinds == {str}, knob
        yield from (w for w in NO_WORDS if w is not None)


@pytest.mark.parametrize("recipe", OURS, ids=lambda recipe: recipe.recipe_name)
def test_it_is_refused_before_there_are_parameters(recipe):
    name = recipe.recipe_name
    for key, knob in recipe.spec.kinds.items():
        assert knob.kinds, f"nothing says what {name}.{key} may be"
        for wrong in wrong_for(knob):
            with pytest.raises((TypeError, ValueError)) as refusal:
                recipe.bind(**{key: wrong})
            assert str(refusal.value).startswith(f"{name}: "), (key, wrong, refusal.value)
            assert key in str(refusal.value), (key, wrong, refusal.value)


def _assign(recipe, settings):
    optimizer = recipe([leaf()])
    optimizer.param_groups[0].update(settings)
    optimizer.step()


WAYS = {
    "constructor": lambda recipe, settings: recipe([leaf()], **settings),
    "group": lambda recipe, settings: recipe([{"params": [leaf()], **settings}]),
    "add_param_group": lambda recipe, settings: recipe([leaf()]).add_param_group({"params": [leaf()], **settings}),
    "assigned": _assign,
    "bound": lambda recipe, settings: recipe.bind(**settings),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["AdamW", "SOAP", "SGD", "Lamb", "AdamW2"])
def test_it_is_refused_by_every_way_it_can_come(name, way):
    for key, knob in registry[name].spec.kinds.items():
        for wrong in wrong_for(knob):
            with pytest.raises((TypeError, ValueError)) as refusal:
                WAYS[way](registry[name], {key: wrong})
            assert name in str(refusal.value), (key, wrong, refusal.value)
            assert key in str(refusal.value), (key, wrong, refusal.value)


@pytest.mark.parametrize("flag", ["maximize", "foreach", "fused", "capturable", "differentiable"])
@pytest.mark.parametrize("wrong", [1, "yes", numpy.True_])
def test_flags_are_flags(flag, wrong):
    for make in (
        lambda: gradwright.AdamW([leaf()], **{flag: wrong}),
        lambda: gradwright.AdamW([{"params": [leaf()], flag: wrong}]),
    ):
        with pytest.raises(TypeError, match=f"AdamW: {flag}=.*give True or False"):
            make()


@pytest.mark.parametrize("good", [1, numpy.float32(0.5), numpy.float64(0.5), numpy.int64(1), torch.tensor(0.5)])
def test_numbers_of_any_library_are_numbers(good):
    assert gradwright.SGD.bind(lr=good).recipe.spec.knobs({"lr": good})["lr"] == float(good)


def _parts(cls):
    for child in cls.__subclasses__():
        if child.__module__.startswith("gradwright."):
            yield child
        yield from _parts(child)


COUNTING = sorted({part for part in _parts(Part) if count_names(part)}, key=lambda part: part.__name__)


@pytest.mark.parametrize("part", COUNTING, ids=lambda part: part.__name__)
def test_every_count_of_a_part_has_bounds_of_its_own(part):
    assert set(count_names(part)) <= part.bounds.keys(), f"declare bounds for the counts of {part.__name__}"


def test_a_part_refuses_a_count_by_name():
    lookahead = gradwright.transforms.Lookahead
    for wrong, kind, words in (
        (0, ValueError, "Lookahead: k=0 must be at least 1"),
        (2**63, ValueError, "Lookahead: k=9223372036854775808 must be below 2147483648"),
        (2.0, TypeError, "Lookahead: k=2.0 is a float; give a whole number"),
    ):
        with pytest.raises(kind, match=words):
            lookahead(k=wrong)


def test_a_refusal_of_a_part_names_the_argument_that_brought_it():
    with pytest.raises(ValueError, match=r"SOAP: shampoo_beta=2.0 is refused; EigenbasisAdam: gram_beta=2"):
        gradwright.SOAP.bind(shampoo_beta=2.0)


def test_a_selector_that_is_none_is_refused_by_name():
    recipe = gradwright.adaptively_clipped(gradwright.AdamW)
    with pytest.raises(ValueError, match=r"AdaptivelyClippedAdamW: clip_only='haed' is refused;.*did you mean 'head'"):
        recipe([leaf()], clip_only="haed")


@pytest.fixture
def made():
    before = set(registry)
    yield
    for name in set(registry) - before:
        del registry[name], specs[name]


def test_a_recipe_may_declare_bounds(made):
    @gradwright.recipe(bounds={"sharpness": (1.0, 2.0), "rounds": (1, 4)})
    def Bounded(lr: float = 0.1, sharpness: float = 1.5, rounds: int = 2):
        return gradwright.transforms.Scale(lr * sharpness * rounds)

    Bounded.bind(sharpness=1.0, rounds=3)
    with pytest.raises(ValueError, match=r"Bounded: sharpness=2 is outside \[1, 2\)"):
        Bounded.bind(sharpness=2.0)
    with pytest.raises(ValueError, match=r"Bounded: rounds=4 is outside \[1, 4\)"):
        Bounded.bind(rounds=4)


def test_bounds_of_a_hyper_parameter_that_is_not_there_are_refused():
    with pytest.raises(TypeError, match="recipe Misspelt: there is no hyper-parameter 'sharpnes'; did you mean 'sharp"):

        @gradwright.recipe(bounds={"sharpnes": (0.0, 1.0)})
        def Misspelt(lr: float = 0.1, sharpness: float = 1.5):
            return gradwright.transforms.Scale(lr * sharpness)


def test_annotations_that_only_a_type_checker_sees_do_not_hide_the_others(made):
    def Hidden(lr: "float" = 0.1, link: "OnlyForTheChecker" = None, rounds: "int" = 1):  # noqa: F821
        return gradwright.transforms.Scale(lr)

    recipe = gradwright.recipe()(Hidden)
    with pytest.raises(TypeError, match=r"Hidden: rounds=1\.5 is a float; give a whole number"):
        recipe.bind(rounds=1.5)
    assert isinstance(recipe.chain().links[0], Transform)


def test_a_change_that_comes_too_late_is_a_warning(monkeypatch):
    from gradwright.core import warn

    monkeypatch.setattr(warn, "_told", set())
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = gradwright.Rprop([weight], lr=0.1)
    optimizer.param_groups[0]["lr"] = 0.2  # before the first step it counts
    weight.grad = torch.ones(2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()
    assert weight.tolist() == pytest.approx([0.8, 0.8])
    optimizer.param_groups[0]["lr"] = 0.3
    with pytest.warns(UserWarning, match="Rprop: lr was changed, which has no effect any more"):
        optimizer.step()
    assert weight.tolist() == pytest.approx([0.56, 0.56])
