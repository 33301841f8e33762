import re

import pytest
import torch

from gradwright.study import compare, from_json, tasks, to_json
from gradwright.study.report.page import html
from gradwright.study.tasks.digits import digits
from gradwright.study.tasks.digits_vae import VAE, latent
from gradwright.study.tasks.long_tail import histogram, long_tail

from .conftest import line_task, sgd


@pytest.fixture(scope="module", autouse=True)
def few_steps():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gradwright.study.tasks.long_tail.STEPS", 60)
        yield


@pytest.fixture(scope="module")
def tail(few_steps):
    return long_tail(tasks.find("zipf-noise"), 0)


def test_a_loss_that_counts_classes_alike_takes_the_long_tail_away(tail):
    plain, remedy = tail["runs"]
    assert (plain["name"], remedy["name"]) == ("cross-entropy", "balanced")
    assert plain["tail"][0] > 1.5 * remedy["tail"][0]
    assert plain["kurtosis"][0] > 5 * remedy["kurtosis"][0]
    assert remedy["metrics"]["tail_accuracy"] > plain["metrics"]["tail_accuracy"]
    for run in tail["runs"]:
        for numbers in run["histograms"]:
            counts = histogram(numbers)
            assert sum(counts.negative) + counts.zero + sum(counts.positive) > 1000


def test_the_zipf_report_shows_both_tails(tmp_path):
    study = compare("zipf-noise", "torch:SGD", seeds=1, steps=2, evaluations=1, out=tmp_path, progress=False)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "The long tail of the gradients" in page
    assert "Gradient at step 1" in page
    assert "Gradient at step 60" in page
    assert "cross-entropy: 77 %" in page
    assert html(from_json(to_json(study))).count("Gradient at step") == page.count("Gradient at step") > 0


def test_the_latent_space_of_a_model():
    data = digits()
    torch.manual_seed(0)
    model = VAE()
    with torch.no_grad():
        model.encoder[-1].weight[3] = 0  # a dimension at N(0, 1) for every image
        model.encoder[-1].bias[3] = 0
        model.encoder[-1].weight[11] = 0
        model.encoder[-1].bias[11] = 0
        found = latent(model, data.x_validation, data.y_validation)
        mean = model.encoder(data.x_validation)[:, :8].double()
    assert found["kl"][3] == pytest.approx(0, abs=1e-7)
    assert min(found["kl"][:3]) > 0
    assert found["label"] == data.y_validation.tolist()
    spread = torch.linalg.eigvalsh(torch.cov(mean.T))
    assert torch.tensor(found["x"]).var().item() == pytest.approx(spread[-1].item(), rel=1e-2)
    assert found["share"] == pytest.approx((spread[-2:].sum() / spread.sum()).item(), rel=1e-6)


def test_the_vae_report_shows_latent_spaces():
    study = compare("digits-vae", {"a <b>": sgd(1e-3), "c": sgd(1e-3)}, seeds=2, steps=4, evaluations=1, progress=False)
    page = html(from_json(to_json(study)))
    assert page.count("Latent space coloured by label. KL ") == 2
    assert page.count("KL by dimension: ") == 2
    assert "a &lt;b&gt;" in page
    words = re.findall(r'<span class="word d(\d)" style="left:([\d.]+)%;bottom:([\d.]+)%">(\d)</span>', page)
    assert [digit for _, _, _, digit in words] == list("0123456789") * 2
    assert all(0 < float(place) < 100 for _, *places, _ in words for place in places)
    points = re.findall(r'<path class="points d\d" d="([^"]*)"', page)
    assert sum(each.count("M") for each in points) == 2 * 697


def test_other_tasks_have_no_pictures():
    page = html(compare(line_task(), {"it": sgd()}, seeds=1, progress=False))
    assert "The latent space" not in page
    assert "The long tail" not in page


def test_a_study_does_not_fall_with_an_illustration(tmp_path):
    from dataclasses import replace

    def broken(task, seed):
        raise RuntimeError("no")

    with pytest.warns(UserWarning, match="could not be illustrated"):
        study = compare(replace(line_task(), illustrate=broken), {"it": sgd()}, out=tmp_path, progress=False)
    assert study.files
