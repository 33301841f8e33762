import json
import math

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from gradwright.study import compare, from_json, to_json
from gradwright.study.record.files import write
from gradwright.study.runs.progress import Lines, Watcher

from .conftest import X, line_task, sgd

PAIR = {"slow": sgd(0.02), "fast": sgd(0.2)}


def quick(task=None, optimizers=PAIR, **options):
    return compare(task or line_task(), optimizers, **{"seeds": 2, "progress": False, **options})


def test_every_optimizer_gets_the_same_weights_and_batches():
    log = []
    quick(line_task(log=log, noise=0.5), {**PAIR, "adam": "torch:Adam"}, seeds=2)
    assert len(log) == 12
    assert len(set(log)) == 4  # weights and batches of two seeds
    assert len({entry[2:] for entry in log if entry[0] == "weights"}) == 2


def test_runs_do_not_depend_on_their_company():
    alone = quick(optimizers={"fast": sgd(0.2)}, seeds=[1])
    together = quick()
    one = next(run for run in together.runs if (run.optimizer, run.seed) == ("fast", 1))
    assert one.curve("mse") == alone.runs[0].curve("mse")


def test_trouble_does_not_stop_the_others():
    def refuse(model):
        raise RuntimeError("no")

    study = quick(optimizers={"bomb": sgd(1e6), "refuse": refuse, **PAIR}, steps=60)
    assert [run.status for run in study.runs] == ["diverged", "failed", "finished", "finished"] * 2
    assert {run.reason for run in study.runs if run.optimizer == "refuse"} == {"RuntimeError: no"}


class Impatient(Watcher):
    def __init__(self, runs):
        self.left = runs

    def tick(self, tick):
        if self.left == 0 and tick.step == 5:
            raise KeyboardInterrupt

    def finish(self, record):
        self.left -= 1


@pytest.mark.parametrize("finished", [0, 3])
def test_ctrl_c_keeps_what_is_finished(tmp_path, finished):
    study = quick(seeds=3, out=tmp_path, progress=Impatient(finished))
    assert study.interrupted
    assert len(study.runs) == finished
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "results.json", "runs.csv", "curves.csv"}
    assert json.loads((tmp_path / "results.json").read_text())["interrupted"] is True
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == 1 + finished
    assert f"after {finished} of 6 runs" in (tmp_path / "index.html").read_text()


def test_json_round_trip():
    study = quick(optimizers={"bomb": sgd(1e6), **PAIR}, steps=60)
    text = to_json(study)
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    again = from_json(text)
    assert to_json(again) == text
    assert again.runs[1].points == study.runs[1].points
    assert math.isnan(again.runs[0].points[-1].train_loss) == math.isnan(study.runs[0].points[-1].train_loss)
    with pytest.raises(ValueError, match="format 1"):
        from_json('{"format": 2}')


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"task": "digit-mlp"}, "did you mean 'digits-mlp'"),
        ({"task": ""}, "task is empty"),
        ({"task": []}, "task is empty"),
        ({"task": [line_task(), line_task()]}, "twice"),
        ({"optimizers": "torch:AdmW"}, "did you mean 'torch:AdamW'"),
        ({"optimizers": ""}, "optimizers is empty"),
        ({"optimizers": []}, "optimizers is empty"),
        ({"optimizers": "torch:SGD,torch:SGD"}, "twice"),
        ({"seeds": 0}, "seeds=0"),
        ({"seeds": [1, 1]}, "twice"),
        ({"budget": "soon"}, "budget='soon'"),
        ({"budget": "3", "steps": 3}, "twice"),
        ({"task": line_task(steps=None)}, "no usual length"),
        ({"lr": -1.0}, "lr holds -1"),
        ({"lr_grid": "1e-3,x"}, "lr_grid='1e-3,x'"),
        ({"lr_grid": "1e-3,0"}, "positive"),
        ({"lr_grid": []}, "lr_grid is empty"),
        ({"lr": 0.1, "lr_grid": "auto"}, "give one"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"threads": 0}, "threads=0"),
        ({"evaluations": 0}, "evaluations=0"),
    ],
)
def test_bad_input_is_named_before_any_training(options, words):
    class Never(Watcher):
        def start(self, job):
            pytest.fail("training began")

    options = {"task": line_task(), "optimizers": PAIR, "progress": Never(), **options}
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        compare(options.pop("task"), options.pop("optimizers"), **options)


def test_a_folder_that_cannot_be_written_is_found_before_any_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"cannot be written.*Nothing was trained"):
        quick(line_task(log=(log := [])), out=tmp_path / "file" / "report")
    assert log == []


def test_optimizers_that_are_none():
    with pytest.raises(TypeError, match="every run has its own"):
        quick(optimizers=[torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)])
    with pytest.raises(TypeError, match="task is 3"):
        quick(3)


def test_learning_rates(tmp_path):
    study = quick(lr_grid="1e-2,1e-1", seeds=1)
    assert [(run.optimizer, run.lr) for run in study.runs] == [
        ("slow", 0.01), ("slow", 0.1), ("fast", 0.01), ("fast", 0.1)
    ]  # fmt: skip
    study = quick(lr_grid="auto", seeds=1, optimizers={"it": sgd(0.02)}, out=tmp_path)
    assert [run.lr for run in study.runs] == pytest.approx([0.002, 0.00632, 0.02, 0.0632, 0.2])
    assert [run.lr_source for run in study.runs].count("from the grid") == 4
    assert "How much does the learning rate matter?" in (tmp_path / "index.html").read_text()
    assert {run.lr_source for run in quick(lr=0.1, seeds=1).runs} == {"set for all"}


def test_a_model_and_loaders_of_ones_own():
    seen = []

    class Spy(torch.nn.Linear):
        def forward(self, x):
            if self.training:
                seen[-1].append(x.flatten().tolist())
            return super().forward(x)

    def model():
        seen.append([])
        torch.rand(1)
        return Spy(1, 1)

    loader = DataLoader(TensorDataset(X, 3 * X), batch_size=16, shuffle=True)
    data = (model, loader, loader, torch.nn.functional.mse_loss)
    study = compare(data, {**PAIR, "adam": "torch:Adam"}, steps=7, seeds=2, progress=False)
    assert {run.status for run in study.runs} == {"finished"}
    assert seen[0] == seen[1] == seen[2]
    assert seen[3] == seen[4] == seen[5]
    assert seen[0] != seen[3]
    assert len({tuple(batch) for batch in seen[0]}) == 7


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [(0, torch.nn.Linear(1, 1), "lambda: Net"), (1, iter([]), "walked more than once"), (3, 0.5, "loss_fn is a float")],
)
def test_loaders_that_are_none(place, value, words):
    data = [lambda: torch.nn.Linear(1, 1), [(X, X)], [(X, X)], torch.nn.functional.mse_loss]
    data[place] = value
    with pytest.raises(TypeError, match=words):
        compare(tuple(data), PAIR, steps=3)


def test_loaders_without_batches_or_pairs_fail_with_a_sentence():
    def reason(train, validation):
        data = (lambda: torch.nn.Linear(1, 1), train, validation, torch.nn.functional.mse_loss)
        return compare(data, {"it": sgd()}, steps=3, seeds=1, progress=False).runs[0].reason

    assert "train loader is empty" in reason([], [(X, X)])
    assert "validation loader is empty" in reason([(X, X)], [])
    assert "pairs (input, target)" in reason([{"x": X}], [(X, X)])


def test_plain_lines_have_no_control_characters(capsys):
    quick(progress=Lines())
    said = capsys.readouterr().err
    assert "[4/4]" in said
    assert "squared error" in said
    assert "about" in said
    assert not any(ord(character) < 32 and character != "\n" for character in said)


def test_writing_is_all_or_nothing(tmp_path, monkeypatch):
    target = tmp_path / "page"
    write(target, "old")
    with pytest.raises(UnicodeEncodeError):
        write(target, "new \ud800")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["page"]


def test_threads_are_put_back():
    before = torch.get_num_threads()
    study = quick(threads=before + 1, seeds=1)
    assert study.environment["threads"] == before + 1
    assert torch.get_num_threads() == before
