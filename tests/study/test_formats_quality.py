"""The study of what formats cost: run by run into files, resumed, summed up with the worst named."""

import json
import math
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from gradwright.study import tasks

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def quality(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import formats_quality

    monkeypatch.setattr(formats_quality, "RESULTS", tmp_path / "results")
    yield formats_quality
    for name in [name for name in sys.modules if name.partition(".")[0] in ("formats_quality", "untuned")]:
        del sys.modules[name]


def words(**given):
    return Namespace(**{"tasks": None, "optimizers": None, "holdings": None, "seeds": 2, "first_seed": 0, **given})


def test_every_task_and_holding_there_is(quality):
    assert set(quality.TASKS) <= set(tasks.names())
    assert len({key.path for key in quality.asked(words())}) == 4 * 6 * 4 * 2
    for given in ({"tasks": "digits"}, {"optimizers": "AdamW,Adam"}, {"holdings": "float32, 4 bits"}):
        with pytest.raises(SystemExit, match="is none of"):
            list(quality.asked(words(**given)))


def test_runs_are_stored_one_by_one_and_not_taken_twice(quality, monkeypatch, capsys):
    taken = []

    def final(key):
        taken.append(key)
        loss = 1.0 if key.holding == quality.FLOAT32 else 1.01
        return {**key._asdict(), "loss": loss, "best": loss / 2}

    monkeypatch.setattr(quality, "final_loss", final)
    keys = list(quality.asked(words(tasks="digits-mlp,zipf-noise", optimizers="AdamW, SOAP", seeds=1)))
    quality.measure(keys[:3])
    quality.measure(keys)
    assert taken == keys
    assert len(list(quality.RESULTS.glob("*.json"))) == len(keys) == 16
    assert quality.stored("best")[keys[0]] == 0.5
    assert json.loads(keys[1].path.read_text())["holding"] == quality.STATE
    made = quality.tables()
    assert made.count("| AdamW |  | +1.00 |  | +1.00 |") == 4
    assert made.count("| SOAP |  | +0.00 |  | +0.00 |") == 1  # in bfloat16, beside bfloat16
    assert "0 of 4 are at most 0.1 % above" in made


def test_differences_are_those_of_equal_seeds_and_the_worst_is_named(quality):
    def key(optimizer, holding, seed):
        return quality.Key("zipf-noise", optimizer, holding, seed)

    def table():
        return "\n".join(quality.table("loss", quality.FEW, quality.FLOAT32, losses))

    losses = {}
    for seed, base in enumerate((1.0, 2.0)):
        for optimizer, factor in (("AdamW", 1.0005), ("Lion", 1.02 + 0.01 * seed)):
            losses[key(optimizer, quality.FLOAT32, seed)] = base
            losses[key(optimizer, quality.FEW, seed)] = base * factor
    losses[key("Lion", quality.FEW, 7)] = 99.0  # of a seed that has not been run in float32
    made = table()
    assert "| AdamW |  |  |  | +0.05 ± 0.00 |" in made
    assert "| Lion |  |  |  | +2.50 ± 0.50 |" in made
    assert "Worst: Lion on zipf-noise, +2.50 ± 0.50. 1 of 2 are at most 0.1 % above." in made
    losses[key("Lion", quality.FEW, 1)] = math.inf
    assert "Worst: Lion on zipf-noise, diverged." in table()


@pytest.mark.slow
def test_a_run(quality):
    key = quality.Key("digits-mlp", "Adafactor with momentum", quality.FEW, 0)
    quality.measure([key])
    found = json.loads(key.path.read_text())
    assert (found["status"], found["metric"]) == ("finished", "validation_nll")
    assert 0 < found["best"] <= found["loss"] < 1
