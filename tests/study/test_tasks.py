import math
from pathlib import Path

import pytest
import torch

from gradwright.study import compare, tasks
from gradwright.study.tasks.corpus import standard_library, windows
from gradwright.study.tasks.digits import digits
from gradwright.study.tasks.frozen.adding_lstm import sequences
from gradwright.study.tasks.frozen.diabetes_quantiles import pinball
from gradwright.study.tasks.frozen.digits_contrastive import supervised_contrastive
from gradwright.study.tasks.frozen.graph_distances import FARTHEST, graphs
from gradwright.study.tasks.frozen.mixture_density import negative_log_likelihood
from gradwright.study.tasks.frozen.oscillator_pinn import DAMPING, END, FREQUENCY, derivative, solution
from gradwright.study.tasks.measured.digits_conv import noisy_digits
from gradwright.study.tasks.measured.stdlib_words import WORDS, words
from gradwright.study.tasks.zipf_noise import zipf_data

PAGE = Path(__file__).parents[2] / "docs" / "no_tuning.md"
LARGE = ("stdlib-gpt-1m", "stdlib-gpt-post-norm", "digits-vit-post-norm")
QUICK = ("recommender", "mixture-density", "diabetes-quantiles")


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


@pytest.mark.skipif(not PAGE.is_file(), reason="the documentation is not there")
def test_the_page_lists_every_task_in_its_column():
    rows = {line.split("`")[1]: line for line in PAGE.read_text().splitlines() if line.startswith("| `suite")}
    for column, names in tasks.COLUMNS.items():
        assert tuple(rows[column].split("`")[3::2]) == names


def test_fine_tuning_starts_at_rest():
    session = tasks.find("digits-shifted").begin(0)
    with torch.no_grad():
        right = session.model(digits().x_validation).argmax(1) == digits().y_validation
    assert right.float().mean() > 0.93
    assert session.evaluate()["accuracy"] < 0.5


def test_two_in_five_labels_are_wrong():
    assert (noisy_digits().y != digits().y).float().mean() == pytest.approx(0.4, abs=0.05)
    assert torch.equal(noisy_digits().y_validation, digits().y_validation)


def test_the_oscillator_obeys_its_law():
    times = torch.linspace(0, END, 9, dtype=torch.float64, requires_grad=True)
    u = solution(times)
    velocity = derivative(u, times)
    residual = derivative(velocity, times) + 2 * DAMPING * velocity + FREQUENCY**2 * u
    assert residual.abs().max() < 1e-9
    assert u[0].item() == pytest.approx(1)
    assert velocity[0].item() == pytest.approx(0, abs=1e-12)


def test_one_number_of_either_half_is_marked():
    x, total = sequences(50, "test")
    assert (x[:, :5, 1].sum(1) == 1).all()
    assert (x[:, 5:, 1].sum(1) == 1).all()
    assert torch.allclose(total, (x[..., 0] * x[..., 1]).sum(1))


def test_distances_are_those_of_a_walk():
    joined, distance = graphs().joined[7], graphs().distance[7]
    seen = {0: 0}
    for node in (queue := [0]):
        for other in joined[node].nonzero()[:, 0].tolist():
            if other not in seen:
                seen[other] = seen[node] + 1
                queue.append(other)
    assert distance.tolist() == [min(seen.get(node, FARTHEST), FARTHEST) for node in range(len(distance))]


def test_a_mixture_of_one_is_a_gaussian():
    mean, log_deviation, y = torch.tensor([0.3, 2.0]), torch.tensor([-1.0, 0.5]), torch.tensor([0.1, 1.0])
    outputs = torch.stack([torch.zeros(2), mean, log_deviation], 1)
    expected = -torch.distributions.Normal(mean, log_deviation.exp()).log_prob(y).mean()
    assert negative_log_likelihood(outputs, y).item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_pinball_loss_is_least_at_the_quantile():
    y = torch.linspace(0, 100, 101)
    losses = [pinball(torch.tensor([[10.0, 50.0, at]]).expand(101, 3), y).item() for at in (85.0, 90.0, 95.0)]
    assert losses[1] < min(losses[0], losses[2])


def test_the_contrastive_loss_is_that_of_pairs_one_by_one():
    points = torch.nn.functional.normalize(torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    labels = [0, 0, 1, 1, 1, 2]
    each = []
    for i in range(5):  # the last one has no other of its label
        weights = {j: math.exp((points[i] @ points[j]).item() / 0.2) for j in range(6) if j != i}
        alike = [j for j in weights if labels[j] == labels[i]]
        each.append(-sum(math.log(weights[j] / sum(weights.values())) for j in alike) / len(alike))
    found = supervised_contrastive(points, torch.tensor(labels)).item()
    assert found == pytest.approx(sum(each) / 5, rel=1e-4)


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
