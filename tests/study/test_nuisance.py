import pytest
import torch

from gradwright.study import compare, tasks
from gradwright.study.report.page import command
from gradwright.study.runs.arguments import read_tasks
from gradwright.study.tasks.nuisance import KINDS, read_nuisance, with_nuisance


def session(task, seed=0, **nuisance):
    return with_nuisance(tasks.find(task), nuisance).begin(seed)


@pytest.mark.parametrize("task", ["digits-shallow", "stdlib-gpt", "siren", "digits-vae"])
def test_other_units_are_the_same_model(task):
    plain, other = tasks.find(task).begin(1), session(task, 1, weights=8.0)
    assert torch.allclose(plain.loss(2), other.loss(2), rtol=1e-5)
    stored = dict(other.model.named_parameters())
    for name, weight in plain.model.named_parameters():
        at, _, last = name.rpartition(".")
        inner = f"{at}.parametrizations.{last}.original"
        assert torch.equal(8 * stored[inner], weight)


def test_each_changes_what_it_says():
    plain = tasks.find("digits-shallow").begin(0)
    first = plain.model[0].weight
    assert session("digits-shallow", loss=1e-6).loss(0).item() == pytest.approx(1e-6 * plain.loss(0).item())
    assert torch.equal(session("digits-shallow", init=0.25).model[0].weight, 0.25 * first)
    x = torch.rand(3, 64)
    assert torch.allclose(session("digits-shallow", input=100).model(x), plain.model(100 * x), rtol=1e-4)
    assert len(session("digits-shallow", batch=8).batch(0)[1]) == 8
    assert with_nuisance(tasks.find("digits-shallow"), {"steps": 0.25}).steps == 75
    assert torch.equal(session("stdlib-gpt", input=100).loss(0), tasks.find("stdlib-gpt").begin(0).loss(0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("los=2", "unknown nuisance 'los': did you mean 'loss'"),
        ("loss=0", "nuisance 'loss=0': give a number above 0, such as loss=10"),
        ("loss", "nuisance 'loss': give a number above 0"),
        ("loss=nan", "nuisance 'loss=nan'"),
        ("batch=1.5", "nuisance 'batch=1.5': give a whole number above 0, such as batch=8"),
        ("init=2,init=3", "names 'init' twice"),
        (" , ", "changes nothing: give one of loss, init"),
    ],
)
def test_what_is_no_nuisance_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        read_nuisance(text)


def test_a_task_says_what_cannot_be_changed():
    with pytest.raises(ValueError, match="'raw-logistic' has no batches whose size could be changed"):
        with_nuisance(tasks.find("raw-logistic"), {"batch": 8})
    assert set(read_nuisance(",".join(f"{kind}=2" for kind in KINDS))) == set(KINDS)


def test_a_comparison_under_a_nuisance_can_be_repeated():
    study = compare("digits-shallow", "SGD", nuisance={"loss": 1e-3, "batch": 8}, seeds=1, budget=2, progress=False)
    assert study.runs[0].task == "digits-shallow[loss=0.001,batch=8]"
    assert "--task digits-shallow " in command(study)
    assert "--nuisance loss=0.001,batch=8" in command(study)


@pytest.mark.parametrize("word", tasks.COLUMNS)
def test_a_column_is_a_word_for_its_tasks(word):
    assert tuple(task.name for task in read_tasks(word)) == tasks.COLUMNS[word]


def test_a_task_of_a_column_is_named_once():
    with pytest.raises(ValueError, match="'counts' twice"):
        read_tasks("counts, suite")
