import re
from html.parser import HTMLParser

import pytest
import torch

from gradwright.study import Metric, compare
from gradwright.study.record.study import Point, RunRecord, Study, TaskNote
from gradwright.study.record.words import number, plus_minus
from gradwright.study.report.page import command, html
from gradwright.study.report.reasons import leader_by_time, reasons
from gradwright.study.report.summary import arms, basin, ranking, regrets
from gradwright.study.report.verdict import explanation, headline, verdict

from .conftest import MSE, line_task, sgd

FOUR = {"bomb": sgd(1e6), "slow": sgd(0.02), "slower": sgd(0.0199), "fast": sgd(0.2)}


@pytest.fixture(scope="module")
def study():
    return compare([line_task(), line_task("line-two")], FOUR, seeds=8, steps=60, progress=False)


@pytest.fixture(scope="module")
def page(study):
    return html(study)


class Outside(HTMLParser):
    """Collects everything that a browser would fetch."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        if tag in ("link", "img", "iframe", "object", "embed", "base"):
            self.found.append(tag)
        self.found += [value for key, value in attributes if key in ("src", "href", "xlink:href") and value[0] != "#"]


def test_the_page_is_self_contained(page):
    parser = Outside()
    parser.feed(page)
    assert parser.found == []
    assert not re.search(r"https?://|@import|url\((?!#)", page)


def test_the_page_says_who_won_and_why(page):
    assert "fast won line" in page
    assert "fast won line-two" in page
    for words in ("Same start, same data", "Larger than the noise", "Same budget", "Nothing was tuned"):
        assert words in page
    assert "bomb. The table says why." in page
    assert "sha256" in page
    assert page.count("<svg") == 2 * 4


def test_pictures_take_their_colours_from_the_page(page):
    assert "var(--c0)" in page
    assert not re.search(r"#0[1-4]0[1-4]0\d", page)
    identities = re.findall(r'\bid="([^"]+)"', page)
    assert len(identities) == len(set(identities))


def test_verdicts(study):
    v = verdict(study, study.tasks[0])
    assert [arm.contender for arm in v.ranked] == ["fast", "slow", "slower", "bomb"]
    assert (v.kind, v.tied) == ("clear", [])
    assert "bomb" not in v.gaps
    assert "larger than the noise" in explanation(v)
    assert regrets(study, study.tasks[0]) == pytest.approx({"fast": 0, "slow": 0.2, "slower": 0.2, "bomb": 1}, abs=0.15)


def test_two_that_are_alike_are_not_told_apart():
    study = compare(line_task(), {"a": sgd(0.02), "b": sgd(0.0199)}, seeds=3, progress=False)
    v = verdict(study, study.tasks[0])
    assert (v.kind, v.tied) == ("tied", ["b"])
    assert "too close to call" in headline(v)
    assert "seeds would" in explanation(v)
    assert "Within the noise" in {reason.title for reason in reasons(study, v)}


@pytest.mark.parametrize(
    ("optimizers", "kind", "words"),
    [
        ({"a": sgd(0.02), "b": sgd(0.2)}, "single", "one seed proves nothing"),
        ({"a": sgd(0.02), "bomb": sgd(1e6)}, "alone", "the only one"),
        ({"bomb": sgd(1e6)}, "none", "Nobody won"),
    ],
)
def test_other_endings(optimizers, kind, words):
    study = compare(line_task(), optimizers, seeds=1, steps=60, progress=False)
    v = verdict(study, study.tasks[0])
    assert v.kind == kind
    assert words in headline(v)
    assert explanation(v)
    assert words in html(study)


def test_one_lost_run_is_enough_not_to_win():
    rates = iter([0.2, 1e6, 0.2, 0.2, 1e6, 0.2])

    def sometimes(model):
        return sgd(next(rates))(model)

    study = compare(line_task(), {"sometimes": sometimes, "slow": sgd(0.02)}, seeds=6, steps=60, progress=False)
    ranked = ranking(study, study.tasks[0])
    assert [arm.contender for arm in ranked] == ["slow", "sometimes"]
    assert ranked[1].trouble == "2 of 6 diverged"
    assert "sometimes" in html(study)


def test_trouble_is_named_once():
    def refuse(model):
        raise RuntimeError("no")

    def trouble(title, **optimizers):
        study = compare(line_task(), {"slow": sgd(0.02), **optimizers}, seeds=2, steps=60, progress=False)
        found = {reason.title: reason.text for reason in reasons(study, verdict(study, study.tasks[0]))}
        return found[title].removesuffix(". The table says why. One that lost a run cannot win.")

    rates = iter([0.2, 1e6])
    assert trouble("Diverged", bomb=sgd(1e6), odd=lambda model: sgd(next(rates))(model)) == (
        "odd (1 of 2 diverged) and bomb"
    )
    assert trouble("Failed", refuse=refuse) == "refuse"
    assert trouble("Diverged or failed", bomb=sgd(1e6), refuse=refuse) == "bomb (diverged) and refuse (failed)"
    rates = iter([0.2, 0.0])
    assert trouble("No progress", still=lambda model: sgd(next(rates))(model)) == "still (no progress in 1 of 2)"


def test_higher_is_better():
    task = line_task(metrics=(Metric("mse", "score", lower_is_better=False),))

    def climb(model):
        return torch.optim.SGD(model.parameters(), lr=0.02, maximize=True)

    study = compare(task, {"climb": climb, "descend": sgd(0.02)}, steps=60, progress=False)
    v = verdict(study, study.tasks[0])
    assert v.winner.contender == "climb"
    assert v.ranked[1].trouble == "no progress"


def test_the_basin():
    study = compare(line_task(), {"it": sgd(0.1)}, lr_grid=[0.001, 0.01, 0.1, 1e6], seeds=2, steps=60, progress=False)
    each = arms(study, study.tasks[0])["it"]
    assert [arm.lr for arm in each] == [0.001, 0.01, 0.1, 1e6]
    start = 5.0
    assert 0 < basin(each, start) < 1.5
    assert ranking(study, study.tasks[0])[0].lr == 0.1


def test_time_may_change_the_leader(study):
    seconds, name = leader_by_time([arm for arm in ranking(study, study.tasks[0]) if arm.eligible])
    assert seconds > 0
    assert name in FOUR


def test_the_command_repeats_the_study():
    study = compare("digits-mlp", "torch:AdamW", seeds=1, budget="3 steps", lr_grid="auto", progress=False)
    line = command(study)
    assert line.startswith("gradwright compare --task digits-mlp --optimizers torch:AdamW --seeds 1 --lr-grid auto")
    assert "--budget '3 steps'" in line
    own = compare(line_task(), {"torch:SGD": sgd()}, seeds=1, progress=False)
    assert command(own) == ""


def test_numbers():
    assert number(123456.0) == "123456"
    assert number(1e-9) == "1e-09"
    assert plus_minus(0.31234, 0.08) == "0.312 ± 0.080"
    assert plus_minus(0.31234, float("nan")) == "0.3123"


def worse_again(losses):
    """What the report says of a run whose validation loss rises from 0.5 to 1.5 again while ``losses`` are trained."""
    curve = [2.0, 1.0, 0.5, 1.0, 1.5]
    points = tuple(Point(10 * i, i, i, loss, {"mse": value}) for i, (loss, value) in enumerate(zip(losses, curve)))
    run = RunRecord("line", "it", 0, None, 0.1, {}, "mine", "finished", points=points, steps=40)
    note = TaskNote("line", "A line.", MSE, "40 steps", False, {})
    settings = {"optimizers": ["it"], "seeds": [0], "lr": None, "lr_grid": None, "schedule": "constant"}
    study = Study((note,), (run,), settings, {})
    found = {reason.title: reason.text for reason in reasons(study, verdict(study, note))}
    return found["Better before the end"]


def test_overfitting_is_said_only_where_the_training_loss_still_fell():
    assert "while the training loss still fell: overfitting" in worse_again([2.0, 1.0, 0.4, 0.2, 0.1])
    assert "not overfitting" in worse_again([2.0, 1.0, 0.5, 1.0, 1.5])
    assert "not overfitting" in worse_again([2.0, 1.0, 0.5, 0.5, 0.499])
