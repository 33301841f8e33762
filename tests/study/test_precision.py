"""Models in half types: what is converted, what is not, and how it is told."""

import pytest
import torch
from torch import nn

from gradwright.study import compare, tasks
from gradwright.study.record.tables import curves_csv, from_csv, runs_csv
from gradwright.study.report.page import command, html
from gradwright.study.runs.precision import TYPES, hold_in, read_precision


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("task", ["digits-mlp", "digits-vae", "siren", "zipf-noise"])
def test_a_task_trains_in_half_types(task, precision):
    session, plain = tasks.find(task).begin(1), tasks.find(task).begin(1)
    hold_in(session.model, precision)
    for param, other in zip(session.model.parameters(), plain.model.parameters()):
        assert torch.equal(param, other.to(TYPES[precision]))
    loss = session.loss(0)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(plain.loss(0).item(), rel=0.05)
    assert all(param.grad.dtype == TYPES[precision] for param in session.model.parameters())


def test_answers_are_float32_whatever_holds_them():
    class Several(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.register_buffer("scale", torch.ones(2))

        def forward(self, x, *, more):
            return {"answer": [self.layer(x) * self.scale, more], "count": 3}

    model = Several()
    hold_in(model, "bf16")
    answer = model(torch.ones(1, 2, dtype=torch.float64), more=torch.tensor([1]))
    assert answer["answer"][0].dtype == torch.float32
    assert answer["answer"][1].dtype == torch.int64
    assert answer["count"] == 3
    assert model.scale.dtype == torch.bfloat16


def test_batch_norm_is_held_too():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    hold_in(model, "bf16")
    model(torch.randn(8, 3)).sum().backward()
    assert model[1].running_mean.dtype == torch.bfloat16


def small(**arguments):
    return compare("digits-mlp", "AdamW,SGD", steps=4, seeds=1, progress=False, evaluations=1, **arguments)


def test_several_precisions_stand_side_by_side():
    study = small(precision="fp32,bf16")
    assert study.contenders == ["AdamW (fp32)", "AdamW (bf16)", "SGD (fp32)", "SGD (bf16)"]
    assert [(run.optimizer, run.precision) for run in study.runs] == [
        ("AdamW", "fp32"),
        ("AdamW", "bf16"),
        ("SGD", "fp32"),
        ("SGD", "bf16"),
    ]
    plain = small()
    assert study.runs[0].points[-1].metrics == plain.runs[0].points[-1].metrics
    assert study.runs[1].points[-1].metrics != plain.runs[0].points[-1].metrics
    assert "--optimizers AdamW,SGD --precision fp32,bf16" in command(study)
    for table in (runs_csv, curves_csv):
        assert {row["precision"] for row in from_csv(table(study))} == {"fp32", "bf16"}


def test_one_precision_is_said_on_the_page():
    study = small(precision="bf16")
    assert study.contenders == ["AdamW", "SGD"]
    assert study.settings["precision"] == ["bf16"]
    assert "2 optimizers in bf16" in html(study)
    assert "--precision bf16" in command(study)
    assert "precision" not in command(small())


def test_formats_stand_beside_float32():
    study = small(precision="fp32,bf16", state="8bit", weights="split24")
    assert study.contenders[:2] == ["AdamW (fp32)", "AdamW (bf16, 8bit, split24)"]
    assert all(run.status != "failed" for run in study.runs)
    plain, small_one = study.runs[0].state_bytes_per_parameter, study.runs[1].state_bytes_per_parameter
    assert plain == pytest.approx(8, rel=0.01)
    assert small_one == pytest.approx(3.2, rel=0.1)
    assert "--precision fp32,bf16 --state 8bit --weights split24" in command(study)


def test_formats_of_one_precision_are_said_on_the_page():
    study = small(precision="bf16", state="bfloat16", weights="stochastic")
    assert "2 optimizers in bf16, state bfloat16, weights stochastic" in html(study)
    assert study.settings["state"] == "bfloat16"


def test_formats_that_cannot_be_held_are_refused():
    for arguments, message in (
        ({"state": "4bit"}, "state='4bit' is unknown"),
        ({"weights": "split24"}, "give precision='bf16' with it"),
        ({"weights": "split24", "precision": "fp32"}, "give precision='bf16' with it"),
    ):
        with pytest.raises(ValueError, match=message):
            small(**arguments)
    with pytest.raises(ValueError, match="torch:SGD is no recipe"):
        compare("digits-mlp", "torch:SGD", steps=2, progress=False, state="8bit")


@pytest.mark.parametrize(
    ("precision", "message"),
    [
        ("bf32", "unknown precision 'bf32'.*"),
        ("bf16,bf16", "names one twice"),
        ((), "precision is empty"),
    ],
)
def test_what_is_no_precision_is_refused(precision, message):
    with pytest.raises(ValueError, match=message):
        read_precision(precision)
    with pytest.raises(ValueError, match=message):
        small(precision=precision)
