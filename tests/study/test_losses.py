"""Losses compared as optimizers are: how they are named, how they are driven, what the report says."""

import csv
import json
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from gradwright import losses as library
from gradwright.calibration import CalibrationError
from gradwright.study import Metric, Session, Task, compare, from_json, save, show, to_json
from gradwright.study.report.page import command, html
from gradwright.study.report.verdict import beside, verdict
from gradwright.study.runs.budget import Budget
from gradwright.study.runs.contenders import contenders, pairs
from gradwright.study.runs.criteria import Loss, at, balanced
from gradwright.study.runs.losses import losses
from gradwright.study.runs.run import Training
from gradwright.study.tasks.zipf_noise import TASK, VALIDATION, zipf_data

from .conftest import line_task, sgd

X = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0.3).long() + 2 * (X[:, 1] > 0).long()
WORDS = "ce,gce(q=0.3),exact(nodes=16)"


def corner_task(log=None, **options):
    """Four classes in the quadrants of a plane."""

    def start(seed):
        model = nn.Linear(4, 4)
        if log is not None:
            log.append(model.weight.detach().clone())

        def evaluate():
            right = (model(X).argmax(1) == Y).float().mean().item()
            return {"nll": nn.functional.cross_entropy(model(X), Y).item(), "accuracy": right}

        def calibration():
            return CalibrationError().update(model(X), Y, logits=True)

        def batch(step):
            return model(X), Y

        loss = nn.functional.cross_entropy
        return Session(model, lambda step: loss(*batch(step)), evaluate, batch, calibration, Y.bincount())

    metrics = (Metric("nll", "loss (nats)"), Metric("accuracy", "accuracy", lower_is_better=False, share=True))
    return Task("corners", "Four corners.", start, metrics, **{"steps": 30, "judge": "accuracy", **options})


@pytest.fixture(scope="module")
def study():
    return compare(corner_task(), {"adam": "torch:Adam"}, losses=WORDS, lr=0.05, seeds=3, progress=False)


def test_names_and_settings():
    found = {loss.name: loss for loss in losses("ce, gce(q = 0.3), ce(reduction=TrimmedMean(0,0.1)), exact(sigma=2:1)")}
    assert list(found) == ["ce", "gce(q=0.3)", "ce(reduction=TrimmedMean(0,0.1))", "exact(sigma=2:1)"]
    assert found["ce"].function is library.cross_entropy
    assert found["gce(q=0.3)"].settings == {"q": 0.3}
    assert found["ce(reduction=TrimmedMean(0,0.1))"].settings == {"reduction": library.TrimmedMean(0, 0.1)}
    assert all(loss.named for loss in found.values())
    own = losses({"mine": "gce", "other": library.TaiLr(0.2), "third": nn.functional.cross_entropy})
    assert [loss.name for loss in own] == ["mine", "other", "third"]
    assert not any(loss.named for loss in own)
    assert losses(library.TaiLr(0.2))[0].name == "TaiLr(gamma=0.2)"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("tailor", "did you mean 'tailr'"),
        ("GCE", "did you mean 'gce'"),
        ("gce(p=0.3)", "unknown setting of gce 'p'"),
        ("gce(q=3)", r"q=3 is outside \[0, 1\]"),
        ("gce(q=much)", "gce"),
        ("exact(sigma=0)", "sigma=0"),
        ("exact(sigma=10:0)", "sigma=10:0 is no schedule"),
        ("exact(sigma=10:x)", "no schedule"),
        ("gce(0.3)", "key=value"),
        ("gce(q=0.3", "write a name"),
        ("gce(q=0.3,q=0.4)", "q twice"),
        ("gce(dim=1)", "unknown setting"),
        ("ce(reduction=none)", "a run needs one"),
        ("ce(reduction=Median(1))", "did you mean 'SoftMedian'"),
        ("soft_f1", "several labels"),
        ("emo", "needs embeddings"),
        ("ce,ce", "twice"),
        ("", "losses is empty"),
    ],
)
def test_what_is_wrong_is_said_before_any_training(asked, words):
    with pytest.raises(ValueError, match=words):
        compare(corner_task(log := []), "torch:Adam", losses=asked, progress=False)
    assert log == []


def test_what_is_no_loss_and_tasks_without_one():
    with pytest.raises(TypeError, match="losses holds 3"):
        losses([3])
    with pytest.raises(ValueError, match=r"'digits-vae'.*leave losses out, or choose digits-mlp"):
        compare("digits-vae", "torch:Adam", losses="ce")
    with pytest.raises(ValueError, match="'line'"):
        compare(line_task(), {"it": sgd()}, losses="ce")


@pytest.mark.parametrize("name", [name for name, each in library.LOSSES.items() if "multilabel" not in each.traits])
def test_every_loss_for_one_label_trains(name):
    asked = {name: library.EMO(torch.eye(4))} if name == "emo" else name
    run = compare(corner_task(), {"adam": "torch:Adam"}, losses=asked, lr=0.03, seeds=1, progress=False).runs[0]
    assert (run.status, run.reason) == ("finished", "")
    assert run.final("accuracy") > 0.4


def test_the_loss_is_the_one_that_trains():
    """A run with a named loss is the run of a task that was written with it."""
    named = compare(corner_task(), {"it": sgd()}, losses="gce(q=0.3)", seeds=2, progress=False)
    task = corner_task().judged()

    def start(seed):
        session = task.start(seed)
        return replace(session, loss=lambda step: library.gce(*session.batch(step), q=0.3))

    written = compare(replace(task, start=start), {"it": sgd()}, seeds=2, progress=False)
    for a, b in zip(named.runs, written.runs):
        assert a.curve("nll") == b.curve("nll")
        assert a.curve("train_loss") == b.curve("train_loss")


def test_losses_share_weights_and_batches():
    log = []
    compare(corner_task(log), "torch:Adam", losses=WORDS, seeds=2, steps=2, progress=False)
    assert len(log) == 6
    assert torch.equal(log[0], log[1])
    assert torch.equal(log[1], log[2])
    assert not torch.equal(log[2], log[3])


def train(loss, task=None, **options):
    contender = pairs(contenders({"it": sgd(0.1)}), [loss])[0]
    training = Training(task or corner_task(), contender, 0, Budget(steps=8), **options)
    list(training)
    return training.record()


def test_a_schedule_moves_over_the_whole_run():
    seen = []

    def spy(logits, target, sigma, share):
        seen.append((sigma, share))
        return nn.functional.cross_entropy(logits, target)

    asked = losses("exact(sigma=10:0.1)")[0].settings["sigma"]
    record = train(Loss("spy", spy, {"sigma": asked, "share": 3.0}))
    assert record.status == "finished"
    assert [sigma for sigma, _ in seen] == pytest.approx([10 * 0.01 ** (step / 8) for step in range(8)])
    assert {share for _, share in seen} == {3.0}


def test_exact_runs_as_its_authors_run_it():
    exact = losses("exact")[0]
    assert exact.normalize
    assert at(exact.settings, 0.5) == pytest.approx({"standardize": True, "sigma": math.sqrt(10)})
    assert "sigma from 10 to 1 over the run" in exact.note
    assert at(losses("exact(sigma=2)")[0].settings, 0.5) == {"standardize": True, "sigma": 2}


def test_normalized_gradients_have_the_length_that_the_average_leaves_them():
    norms = []

    class Spy(torch.optim.SGD):
        def step(self, closure=None):
            norms.append(torch.nn.utils.get_total_norm([p.grad for p in self.param_groups[0]["params"]]).item())
            return super().step(closure)

    def cross_entropy(logits, target, size):
        return size * nn.functional.cross_entropy(logits, target)

    for size in (1.0, 50.0):
        loss = Loss("it", cross_entropy, {"size": size}, normalize=True)
        contender = pairs(contenders({"it": lambda model: Spy(model.parameters(), lr=1e-3)}), [loss])[0]
        list(Training(corner_task(), contender, 0, Budget(steps=4)))
        assert norms.pop(0) == pytest.approx(1.0, rel=1e-5)
        assert norms == pytest.approx([1.0] * 3, abs=0.05)
        norms.clear()


def test_balanced_weights():
    weight = balanced(torch.tensor([30, 10, 0, 20]))
    assert weight.tolist() == pytest.approx([60 / 90, 60 / 30, 0.0, 60 / 60])
    record = train(losses("ce(weight=balanced)")[0])
    expected = nn.functional.cross_entropy
    model = corner_task().begin(0).model
    first = expected(model(X), Y, weight=len(Y) / (4 * Y.bincount().float())).item()
    assert record.points[0].train_loss == pytest.approx(first, rel=1e-5)
    task = corner_task()
    without = replace(task, start=lambda seed: replace(task.start(seed), class_counts=None))
    assert "needs the counts" in train(losses("ce(weight=balanced)")[0], without).reason


def test_the_judge_ranks_and_the_report_speaks_of_losses(study, tmp_path):
    v = verdict(study, study.tasks[0])
    assert study.noun == v.noun == "loss"
    assert study.tasks[0].metric.name == "accuracy"
    assert [arm.contender for arm in v.ranked] != []
    page = html(study)
    for words in ("3 losses on corners", "3 losses trained by adam", "No loss judges itself", "points", " %",
                  "exact: standardize, sigma from 10 to 1 over the run", "One learning rate for all"):  # fmt: skip
        assert words in page
    assert "training loss, mean" not in page
    assert page.count("<figcaption>ce</figcaption>") == 1  # its reliability diagram
    assert study.settings["losses"] == ["ce", "gce(q=0.3)", "exact(nodes=16)"]
    show(study)


def test_the_files_name_the_losses(study, tmp_path):
    saved = save(study, tmp_path)
    rows = list(csv.DictReader((tmp_path / "runs.csv").open()))
    assert [row["loss"] for row in rows[:3]] == ["ce", "gce(q=0.3)", "exact(nodes=16)"]
    assert {row["optimizer"] for row in rows} == {"adam"}
    assert {row["loss"] for row in csv.DictReader((tmp_path / "curves.csv").open())} == {row["loss"] for row in rows}
    again = from_json((tmp_path / "results.json").read_text())
    assert again.runs == saved.runs
    assert to_json(again) == to_json(study)


def test_calibration_is_that_of_the_trained_model(study):
    run = study.runs[0]
    samples, claimed, right = torch.tensor(run.calibration).T
    assert samples.sum() == 60
    assert right.sum().item() / 60 == pytest.approx(run.final("accuracy"))
    assert ((claimed >= 0) & (claimed <= samples)).all()


def test_results_without_losses_are_read():
    """Results that were written before losses could be compared."""
    content = json.loads(to_json(compare(line_task(), {"it": sgd()}, seeds=1, progress=False)))
    for key in ("loss", "contender", "calibration"):
        del content["runs"][0][key]
    for key in ("contenders", "losses", "loss_notes"):
        del content["settings"][key]
    for task in content["tasks"]:
        del task["metrics"][0]["share"]
    study = from_json(json.dumps(content))
    assert (study.contenders, study.noun, study.runs[0].contender) == (["it"], "optimizer", "it")
    assert "1 optimizer on line" in html(study)


def test_optimizers_times_losses():
    study = compare(corner_task(), "torch:Adam,torch:SGD", losses="ce,gce", lr=0.05, seeds=2, progress=False)
    labels = ["torch:Adam + ce", "torch:Adam + gce", "torch:SGD + ce", "torch:SGD + gce"]
    assert study.contenders == labels
    assert study.noun == "pair"
    assert "4 pairs on corners" in html(study)
    assert beside(verdict(study, study.tasks[0]), labels[0]) is not None
    one = compare(corner_task(), "torch:Adam,torch:SGD", losses="gce", lr=0.05, seeds=1, progress=False)
    assert (one.noun, one.contenders) == ("optimizer", ["torch:Adam", "torch:SGD"])
    assert "2 optimizers trained with gce" in html(one)


def test_the_winner_beside_the_first(study):
    v = verdict(study, study.tasks[0])
    shown = beside(v, v.ranked[1].contender)
    assert (shown.winner, shown.rival) == (v.ranked[0].contender, v.ranked[1].contender)
    label, a, b, better = shown.rows[0]
    assert label == "accuracy"
    assert float(a[:-2]) >= float(b[:-2])
    assert better == 0 or a == b
    assert beside(v, v.ranked[0].contender).rival == v.ranked[1].contender


def test_the_command_names_the_losses():
    study = compare("zipf-noise", "torch:AdamW", losses="ce, gce(q=0.3)", seeds=1, budget=2, progress=False)
    line = command(study)
    assert "--optimizers torch:AdamW --losses 'ce,gce(q=0.3)' --seeds 1" in line
    own = compare("zipf-noise", "torch:AdamW", losses=library.GCE(0.3), seeds=1, budget=2, progress=False)
    assert command(own) == ""


def test_a_model_of_ones_own_takes_other_losses():
    data = (lambda: nn.Linear(4, 4), [(X, Y)], [(X, Y)], nn.functional.cross_entropy)
    study = compare(data, {"it": sgd(0.5)}, losses="ce,gce", steps=20, seeds=1, progress=False)
    assert [run.status for run in study.runs] == ["finished"] * 2
    assert study.runs[0].final("validation_loss") < study.runs[1].final("validation_loss")


def test_the_validation_split_is_another_draw():
    data = zipf_data()
    assert torch.equal(data.y_validation, data.y_test)
    assert not torch.equal(data.x_validation, data.x_test)
    assert data.sha256 == "786527b5c1dec64dc31831802d39b1aefd02c29e584f78ab4c83776be2c60295"
    assert data.share.sum() == pytest.approx(1.0)
    test, validation = (task.begin(0) for task in (TASK, VALIDATION))
    with torch.no_grad():
        assert test.evaluate() != validation.evaluate()
        found = test.evaluate()
    assert found["balanced_accuracy"] == pytest.approx((found["tail_accuracy"] + found["head_accuracy"]) / 2)
