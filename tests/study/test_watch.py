import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gradwright.observe import Cause
from gradwright.study import compare, from_json, to_json
from gradwright.study.report.findings import told
from gradwright.study.report.page import command, html

from .conftest import line_task, sgd

X = torch.randn(96, 4, generator=torch.Generator().manual_seed(0))
Y = X[:, :3].argmax(1)


def rare():
    """Loaders whose second class is a hundred times as rare as the first."""
    rows = [*range(32)] * 3
    x, y = X[rows], torch.zeros(96, dtype=torch.long)
    y[-1] = 1
    return [(x[at::6], y[at::6]) for at in range(6)]


@pytest.fixture(scope="module")
def study():
    batches = [(X[at : at + 16], Y[at : at + 16]) for at in range(0, 96, 16)]
    still = sgd(1e-12)
    task = (lambda: nn.Linear(4, 3), batches, batches, cross_entropy)
    return compare(task, {"fast": sgd(0.5), "still <b>": still}, steps=40, seeds=2, progress=False, watch=True)


def test_findings_of_every_run_are_kept(study):
    found = {run.contender: [each["cause"] for each in run.findings] for run in study.runs}
    assert found["still <b>"][0] == Cause.LR_TOO_LOW.name
    assert Cause.LR_TOO_LOW.name not in found["fast"]
    assert from_json(to_json(study)).runs[-1].findings == study.runs[-1].findings


def test_the_page_tells_them(study):
    page = html(study)
    assert "What is wrong with the runs?" in page
    assert Cause.LR_TOO_LOW.value in page
    assert "in 2 of 2 runs" in page
    assert "still &lt;b&gt;" in page
    assert "<b>" not in page
    (first, *_) = told([run for run in study.runs if run.contender == "still <b>"])
    assert (first.title, first.severity) == ("Learning rate too low", "warning")
    assert first.remedy in page.replace("&#39;", "'").replace("&#34;", '"')


def test_watching_changes_nothing():
    studies = [compare(line_task(noise=1.0), {"it": sgd()}, seeds=2, progress=False, watch=watch) for watch in (0, 1)]
    curves = [[run.curve("mse") for run in study.runs] for study in studies]
    assert curves[0] == curves[1]
    assert all(run.findings == () for run in studies[0].runs)
    assert "What is wrong with the runs?" not in html(studies[0])


def test_outputs_and_targets_are_known_where_the_loss_compares_them():
    batches = rare()
    task = (lambda: nn.Linear(4, 2), batches, batches, cross_entropy)
    study = compare(task, {"it": sgd(0.1)}, steps=30, seeds=1, progress=False, watch=True)
    assert Cause.LONG_TAIL.name in {found["cause"] for found in study.runs[0].findings}


def test_a_run_that_fails_has_findings_too():
    def fail(model):
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-12)
        optimizer.register_step_post_hook(lambda *_: next(steps))
        return optimizer

    steps = iter(range(10))
    study = compare(line_task(), {"it": fail}, seeds=1, steps=40, progress=False, watch=True)
    assert study.runs[0].status == "failed"
    assert "What is wrong with the runs?" in html(study)


def test_the_command_repeats_the_watching():
    study = compare("counts", "AdamW", seeds=1, steps=2, progress=False, watch=True)
    assert command(study).endswith("--watch")
