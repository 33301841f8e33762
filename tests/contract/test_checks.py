"""The checks notice what they are there for, and run_contract reports it."""

import pytest

import gradwright
from gradwright.contract import CHECKS, run_contract
from tests.contract.broken import CASES, as_recipe


@pytest.fixture(autouse=True)
def _by_the_definition(monkeypatch):
    monkeypatch.setenv("GRADWRIGHT_ENGINE", "eager")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:CallsItRate does not use")
def test_a_broken_recipe_fails(name):
    check = CASES[name][0]
    others = {one: "this case is about another check" for one in CHECKS if one != check}
    with as_recipe(name) as recipe:
        outcome = next(one for one in run_contract(recipe, exceptions=others) if one.check == check)
    assert outcome.status == "failed", outcome
    assert outcome.sentence


def test_a_good_recipe_passes():
    outcomes = run_contract(gradwright.AdamW)
    assert [outcome.check for outcome in outcomes] == list(CHECKS)
    assert not [outcome for outcome in outcomes if outcome.status == "failed"]


def test_excuses_say_why():
    outcomes = {outcome.check: outcome for outcome in run_contract(gradwright.AdaLo, exceptions={"deep_copies": "why"})}
    assert outcomes["deep_copies"] == ("deep_copies", "excused", "why")
    assert outcomes["scale_free"] == ("scale_free", "excused", "it does not claim to be scale_free")
    assert outcomes["latecomers_start_at_one"].status == "excused"
    assert "shared" in outcomes["latecomers_start_at_one"].sentence


def test_a_check_that_breaks_down_has_failed():
    outcomes = run_contract(gradwright.SGD, {"nesterov": "yes"})
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    assert failed
    assert any("nesterov" in outcome.sentence for outcome in failed)


def test_an_unknown_exception_is_refused():
    with pytest.raises(ValueError, match="descends_on_a_bowel"):
        run_contract(gradwright.SGD, exceptions={"descends_on_a_bowel": "a slip of the pen"})


def test_an_idle_hyper_parameter_is_named():
    with as_recipe("IgnoresItsSecondBeta") as recipe:
        outcome = next(one for one in run_contract(recipe) if one.check == "every_knob_counts")
    assert outcome.status == "failed"
    assert outcome.sentence.startswith(r"betas[1] changed no step")


def test_a_hyper_parameter_that_needs_another_counts():
    for recipe in (gradwright.SGD, gradwright.RAdam, gradwright.Tiger):
        CHECKS["every_knob_counts"].run(recipe, {})
