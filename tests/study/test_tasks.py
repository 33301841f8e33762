import math

import pytest
import torch

from gradwright.study import compare, tasks
from gradwright.study.tasks.corpus import standard_library, windows
from gradwright.study.tasks.digits import digits
from gradwright.study.tasks.measured.digits_conv import noisy_digits
from gradwright.study.tasks.measured.stdlib_words import WORDS, words
from gradwright.study.tasks.zipf_noise import zipf_data

LARGE = ("stdlib-gpt-1m", "stdlib-gpt-post-norm")
QUICK = ("digits-shifted", "digits-batch-norm", "recommender")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in tasks.names()]
)
def test_every_task_runs(name):
    study = compare(name, {"adam": lambda model: torch.optim.Adam(model.parameters(), lr=1e-4)}, seeds=1, budget=6,
                    evaluations=2, progress=False)  # fmt: skip
    run, task = study.runs[0], tasks.find(name)
    assert run.steps == 6, run.reason  # the deepest are hardly better after six
    assert all(math.isfinite(value) for value in run.points[-1].metrics.values())
    assert set(run.points[-1].metrics) == {metric.name for metric in task.metrics}
    assert all(len(hash) == 64 for hash in study.tasks[0].data.values())
    assert study.tasks[0].data


def test_a_step_asked_twice_is_the_same_batch():
    for name in set(tasks.names()) - set(LARGE):
        session = tasks.find(name).begin(1)
        first = session.loss(3).item()
        assert session.loss(3).item() == first
        assert name == "raw-logistic" or session.loss(4).item() != first  # which sees all of its data in every batch


@pytest.mark.parametrize("name", QUICK)
def test_a_run_learns_and_repeats_itself_bit_for_bit(name):
    adam = {"adam": lambda model: torch.optim.Adam(model.parameters(), lr=1e-2)}
    one, two = (compare(name, adam, seeds=1, budget=40, evaluations=1, progress=False).runs[0] for _ in range(2))
    metric = tasks.find(name).metric.name
    assert one.status == "finished", one.reason
    assert one.final(metric) == two.final(metric)
    assert one.points[-1].train_loss < one.points[0].train_loss


def test_a_task_stands_in_one_column():
    listed = [name for column in tasks.COLUMNS.values() for name in column]
    assert len(set(listed)) == len(listed)
    assert set(listed) <= set(tasks.names())


def test_fine_tuning_starts_at_rest():
    session = tasks.find("digits-shifted").begin(0)
    with torch.no_grad():
        right = session.model(digits().x_validation).argmax(1) == digits().y_validation
    assert right.float().mean() > 0.93
    assert session.evaluate()["accuracy"] < 0.5


def test_two_in_five_labels_are_wrong():
    assert (noisy_digits().y != digits().y).float().mean() == pytest.approx(0.4, abs=0.05)
    assert torch.equal(noisy_digits().y_validation, digits().y_validation)


def test_words_are_ranked_by_how_common_they_are():
    counts = words().train.bincount(minlength=WORDS)[1:]
    assert len(counts) == WORDS - 1
    assert (counts[:-1] >= counts[1:]).all()


def test_zipf_data_is_as_it_says():
    data = zipf_data()
    clean = data.y[~data.corrupted].bincount(minlength=100)
    assert 45 < clean[0] / clean[-1] < 62
    assert data.corrupted.float().mean() == pytest.approx(0.2, abs=0.01)
    assert (data.y_test.bincount() == 50).all()
    assert data.sha256 == zipf_data.__wrapped__().sha256


def test_the_corpus_is_split_by_file_and_hashed(tmp_path):
    for name, text in (("a.py", b"one " * 30), ("b.py", b"two " * 30), ("c.py", b"six " * 30)):
        (tmp_path / name).write_bytes(text)
    corpus = standard_library(str(tmp_path), 0.3)
    assert len(corpus.train) == 240
    assert len(corpus.validation) == 120
    (tmp_path / "a.py").write_bytes(b"One " * 30)
    assert standard_library.__wrapped__(str(tmp_path), 0.3).sha256 != corpus.sha256
    x, y = windows(corpus.train, torch.tensor([0, 5]), 7)
    assert torch.equal(x[:, 1:], y[:, :-1])
    with pytest.raises(ValueError, match="frozen or zipped"):
        standard_library(str(tmp_path / "none"))


def test_the_gpt_cannot_look_ahead():
    model = tasks.find("stdlib-gpt").begin(0).model
    x = torch.zeros(1, 64, dtype=torch.long)
    changed = x.clone()
    changed[0, 40] = 7
    difference = (model(x) - model(changed)).abs().sum(-1)[0]
    assert (difference[:40] == 0).all()
    assert (difference[40:] > 0).all()


def test_every_patch_sees_every_other():
    block = tasks.find("digits-vit").begin(0).model.blocks[0]
    x = torch.randn(1, 16, 48, generator=torch.Generator().manual_seed(0))
    changed = x.clone()
    changed[0, 15] += 1
    assert ((block(x) - block(changed)).abs().sum(-1) > 0).all()
