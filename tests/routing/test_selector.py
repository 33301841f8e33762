"""The selector language: what it selects, how it reads, and what it says where it cannot."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradwright.core.roles import FORMS, MEANINGS, ROLES, check_role, roles_from_shape
from gradwright.core.selector import parse
from gradwright.core.spelling import nearest

WORDS = st.sampled_from(ROLES)
LEAVES = WORDS | st.sampled_from(["*", "name:a.*", "name:[!a]?.weight", "in:Linear", "in:*Norm"])
TEXTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map("!{}".format),
        inner.map("({})".format),
        st.lists(inner, min_size=2, max_size=3).map(" & ".join),
        st.lists(inner, min_size=2, max_size=3).map("|".join),
    ),
    max_leaves=8,
)
PARAMETERS = st.fixed_dictionaries(
    {
        "roles": st.frozensets(WORDS, max_size=4),
        "name": st.sampled_from(["a.weight", "b.weight", "a.0.bias", ""]),
        "module": st.sampled_from(["Linear", "LayerNorm", ""]),
    }
)


@given(TEXTS)
def test_text_of_a_selector_parses_to_it_again(text):
    selector = parse(text)
    assert parse(str(selector)) == selector
    assert str(parse(str(selector))) == str(selector)


@given(TEXTS, TEXTS, PARAMETERS)
def test_de_morgan(a, b, parameter):
    neither = parse(f"!(({a}) | ({b}))").matches(**parameter)
    assert neither == parse(f"!({a}) & !({b})").matches(**parameter)
    assert neither == (not parse(a).matches(**parameter) and not parse(b).matches(**parameter))


@given(LEAVES, LEAVES, LEAVES, PARAMETERS)
def test_not_binds_tighter_than_and_and_and_than_or(a, b, c, parameter):
    at = {term: parse(term).matches(**parameter) for term in (a, b, c)}
    assert parse(f"{a} | {b} & !{c}").matches(**parameter) == (at[a] or (at[b] and not at[c]))
    assert parse(f"!{a} & {b} | {c}").matches(**parameter) == ((not at[a] and at[b]) or at[c])


@given(TEXTS, PARAMETERS)
def test_only_its_words_matter(text, parameter):
    selector = parse(text)
    seen = parameter | {"roles": parameter["roles"] & selector.words}
    assert selector.matches(**parameter) == selector.matches(**seen)


@pytest.mark.parametrize(
    ("text", "words"),
    [("*", ""), ("matrix & !head", "matrix head"), ("name:x | (bias & in:Linear)", "bias"), ("!!gain", "gain")],
)
def test_words(text, words):
    assert parse(text).words == frozenset(words.split())


@pytest.mark.parametrize(
    ("text", "name", "module", "matches"),
    [
        ("name:encoder.*.weight", "encoder.layers.0.weight", "", True),
        ("name:encoder.*.weight", "encoder.layers.0.bias", "", False),
        ("name:Encoder.*", "encoder.weight", "", False),
        ("name:[!d]*", "encoder.weight", "", True),
        ("name:*.{0}", "a.{0}", "", True),
        ("in:Linear", "weight", "Linear", True),
        ("in:Linear", "weight", "CastedLinear", False),
        ("in:*Linear", "weight", "CastedLinear", True),
        ("in:[!C]*", "weight", "Conv2d", False),
    ],
)
def test_globs(text, name, module, matches):
    assert parse(text).matches(frozenset(), name, module) is matches


def test_selectors_are_values():
    assert parse("matrix & bias") is parse("matrix & bias")
    assert parse("matrix&(bias & gain)") == parse("( matrix & bias ) & gain")
    assert len({parse("!bias"), parse(" ! bias "), parse("bias")}) == 2
    assert pickle.loads(pickle.dumps(parse("!bias | name:a*"))) == parse("!bias | name:a*")


@pytest.mark.parametrize(
    ("text", "says", "column"),
    [
        ("", "found the end", 0),
        ("matrix &", "found the end", 8),
        ("matrix && head", "found '&'", 8),
        ("matrix head", "expected '&', '|' or the end, found 'head'", 7),
        ("(matrix", "expected '&', '|' or ')', found the end", 7),
        ("matrix)", "found ')'", 6),
        ("()", "expected a role", 1),
        ("matrix and head", "found 'and' (write '&')", 7),
        ("not head", "found 'not' (write '!')", 0),
        ("matrix & ~head", "found '~head' (write '!')", 9),
        ("*.weight", "written 'name:*.weight'", 0),
        ("type:Linear", "expected 'name:' or 'in:'", 0),
        ("bias | name: x", "expected a pattern right after 'name:'", 12),
        ("bias | embeding", "unknown role 'embeding': did you mean 'embedding'?", 7),
        ("zzz", "known roles are scalar, vector, matrix", 0),
    ],
)
def test_errors_show_the_text_the_place_and_what_was_expected(text, says, column):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        parse(text)
    message, line, caret = str(caught.value).split("\n")
    assert repr(text) in message
    assert says in message
    assert line == "    " + text
    assert caret == " " * (4 + column) + "^"


def test_caret_stays_under_its_place_in_a_text_of_two_lines():
    with pytest.raises(ValueError, match="unknown role 'hed'") as caught:
        parse("matrix &\n!hed")
    assert str(caught.value).split("\n")[1:] == ["    matrix & !hed", " " * 14 + "^"]


def test_every_role_has_a_sentence():
    assert tuple(MEANINGS) == ROLES
    assert all(meaning.endswith(".") for meaning in MEANINGS.values())
    assert set(FORMS) == {"scalar", "vector", "matrix", "convolution", "stack"}
    assert all(parse(word).matches(frozenset({check_role(word)})) for word in ROLES)


@pytest.mark.parametrize(
    ("shape", "word"),
    [
        ((), "scalar"),
        ((7,), "vector"),
        ((7, 1), "matrix"),
        ((2, 3, 4), "stack"),
        ((2, 3, 4, 4), "convolution"),
        ((2, 3, 4, 4, 4), "convolution"),
        ((2,) * 6, "stack"),
    ],
)
def test_roles_from_shape(shape, word):
    assert roles_from_shape(shape) == {word}


def test_nearest_offers_nothing_rather_than_nonsense():
    assert nearest("zzz", ROLES, "none") == "none"
    assert nearest("vectr", ROLES) == "did you mean 'vector'?"
