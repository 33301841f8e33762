"""Calibration metrics: worked numbers, torchmetrics, shards, edges."""

import math

import numpy as np
import pytest
import torch

from gradwright.calibration import (
    AdaptiveCalibrationError,
    Brier,
    CalibrationError,
    NegativeLogLikelihood,
    TemperatureScaling,
    reliability_diagram,
)

P = torch.tensor([[0.25, 0.2, 0.55], [0.55, 0.05, 0.4], [0.1, 0.3, 0.6], [0.9, 0.05, 0.05]], dtype=torch.float64)
Y = torch.tensor([0, 1, 2, 0])
BINARY = torch.tensor([0.25, 0.25, 0.55, 0.75, 0.75], dtype=torch.float64), torch.tensor([0, 0, 1, 1, 1])


def _error(p, y, *args, logits=False, cls=CalibrationError, **settings):
    return cls(*args, **settings).update(p, y, logits=logits).compute().item()


@pytest.mark.parametrize(
    ("norm", "binary", "top"),
    [("l1", 0.29, 0.2), ("l2", 0.2918332857, 0.2081665999), ("max", 0.3166666667, 0.2333333333)],
)
def test_worked_numbers(norm, binary, top):
    assert _error(*BINARY, 2, norm, "binary") == pytest.approx(binary, rel=1e-9)
    assert _error(P, Y, 3, norm) == pytest.approx(top, rel=1e-9)


def test_classwise():
    error = CalibrationError(3, kind="classwise").update(P, Y)
    assert error.per_class().tolist() == pytest.approx([0.325, 0.1, 0.15])
    assert error.compute().item() == pytest.approx(0.1916666667)
    left_out = CalibrationError(3, kind="classwise", threshold=0.08).update(P, Y)
    assert left_out.reliability().samples.sum() == 9


def test_edges_of_bins():
    c, a = torch.tensor([0.5, 0.5, 0.9, 0.2], dtype=torch.float64), torch.tensor([1, 1, 0, 0])
    assert _error(c, a, 2, kind="binary") == pytest.approx(0.075)
    assert _error(c, a, 2, kind="binary", right=True) == pytest.approx(0.425)
    for right in (False, True):
        both = CalibrationError(2, kind="binary", right=right).update(torch.tensor([0.0, 1.0]), torch.tensor([0, 1]))
        assert both.reliability().samples.tolist() == [1, 1]
    certain = torch.tensor([0.95, 1.0], dtype=torch.float64), torch.tensor([1, 0])
    assert _error(*certain, 10, kind="binary") == pytest.approx(0.475)


def test_debiased():
    c, a = torch.full((4,), 0.8, dtype=torch.float64), torch.tensor([1, 1, 1, 0])
    assert _error(c, a, 1, "l2", "binary") == pytest.approx(0.05)
    assert _error(c, a, 1, "l2", "binary", debias=True) == 0


def test_adaptive():
    c, a = torch.tensor([0.3, 0.4, 0.6, 0.65, 0.9, 0.99]), torch.tensor([0, 1, 1, 0, 1, 1])
    assert _error(c, a, 3, kind="binary", cls=AdaptiveCalibrationError) == pytest.approx(0.11, rel=1e-6)
    ties = AdaptiveCalibrationError(3, kind="binary").update(torch.full((9,), 0.4), torch.ones(9))
    assert sorted(ties.reliability().samples.tolist()) == [0, 0, 9]


def test_one_bin_is_the_gap_of_the_means():
    z, y = torch.randn(50, 4), torch.randint(4, (50,))
    p = z.softmax(-1).double()
    gap = abs(p.max(-1).values.mean() - (p.argmax(-1) == y).double().mean())
    assert _error(z.double(), y, 1, logits=True) == pytest.approx(gap.item(), abs=1e-7)


def test_brier_and_likelihood():
    assert Brier().update(P, Y).compute().item() == pytest.approx(0.63625)
    assert Brier(scale="mean").update(P, Y).compute().item() == pytest.approx(0.63625 / 3)
    assert Brier("top").update(P, Y).compute().item() == pytest.approx(0.19375)
    assert NegativeLogLikelihood().update(P, Y).compute().item() == pytest.approx(1.2495531935)
    assert NegativeLogLikelihood().update(P.log() + 3, Y, logits=True).compute().item() == pytest.approx(1.2495531935)


def test_brier_decomposition():
    f = torch.tensor([0.2] * 3 + [0.8] * 2, dtype=torch.float64)
    brier = Brier("binary").update(f, torch.tensor([0, 1, 0, 1, 1]))
    parts = brier.decompose()
    assert brier.compute().item() == pytest.approx(0.16)
    assert [float(x) for x in parts] == pytest.approx([0.0266666667, 0.1066666667, 0.24, 0], abs=1e-10)
    z = torch.randn(200, 4)
    brier = Brier(bins=5).update(z, torch.randint(4, (200,)), logits=True)
    reliable, resolved, uncertain, rest = brier.decompose()
    assert (reliable - resolved + uncertain + rest).item() == pytest.approx(brier.compute().item())
    assert rest.abs() > 1e-6


def _rank(rank, folder):
    """Gather this rank's batches, one of three ranks has none, and leave what all ranks together give."""
    torch.set_num_threads(1)
    store = torch.distributed.FileStore(f"{folder}/store", 3)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=3)
    try:
        found = []
        for metric in _metrics():
            for z, y, w in _batches()[slice(*((0, 1), (1, 3), (3, 3))[rank])]:
                metric.update(z, y, logits=True, sample_weight=w)
            found.append(metric.sync().compute())
            with pytest.raises(RuntimeError, match="reset"):
                metric.sync()
            metric.reset()
            assert metric.sync().compute().isnan()
        torch.save(found, f"{folder}/{rank}.pt")
    finally:
        torch.distributed.destroy_process_group()


def _batches():
    generator = torch.Generator().manual_seed(3)
    return [
        (torch.randn(n, 5, generator=generator), torch.arange(n) % 5, torch.rand(n, generator=generator))
        for n in (30, 7, 19)
    ]


@pytest.mark.slow
@pytest.mark.skipif(
    not torch.distributed.is_available() or not torch.distributed.is_gloo_available(),
    reason="torch was built without gloo",
)
def test_ranks_together_are_one_pass(tmp_path):
    torch.multiprocessing.spawn(_rank, args=(str(tmp_path),), nprocs=3)
    ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in range(3)]
    for which, metric in enumerate(_metrics()):
        for z, y, w in _batches():
            metric.update(z, y, logits=True, sample_weight=w)
        assert ranks[0][which] == ranks[1][which] == ranks[2][which]
        torch.testing.assert_close(ranks[0][which], metric.compute(), rtol=1e-13, atol=1e-15)


def test_ranks_are_not_counted_twice(monkeypatch):
    metric, other = CalibrationError(5).update(P, Y), CalibrationError(5).update(P.flip(0), Y)
    whole = CalibrationError(5).update(P, Y).update(P.flip(0), Y).compute()
    assert metric.sync() is metric  # one process: nothing to merge, as often as one likes
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda group=None: 2)

    def gather(found, mine, group=None):
        found[:] = [mine, other.state]

    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    assert metric.sync().compute() == whole
    with pytest.raises(RuntimeError, match=r"reset\(\)"):
        metric.sync()
    metric.reset()
    assert metric.update(P, Y).sync().compute() == whole


def _metrics():
    return [
        CalibrationError(7),
        CalibrationError(7, "max", "classwise"),
        CalibrationError(7, "l2", debias=True),
        AdaptiveCalibrationError(7, kind="classwise"),
        Brier(),
        NegativeLogLikelihood(),
    ]


@pytest.mark.parametrize("which", range(6))
def test_shards_in_any_order_are_one_pass(which):
    z, y, w = torch.randn(97, 5), torch.randint(5, (97,)), torch.rand(97)
    y[::9] = -100
    whole = _metrics()[which].update(z, y, logits=True, sample_weight=w).compute()
    shards = []
    for part in torch.randperm(97).split(20):
        shards.append(_metrics()[which].update(z[part], y[part], logits=True, sample_weight=w[part]))
    merged = _metrics()[which].merge(*shards).compute()
    torch.testing.assert_close(merged, whole, rtol=1e-12, atol=1e-14)
    streamed = _metrics()[which]
    for part in torch.arange(97).split(13):
        streamed.update(z[part], y[part], logits=True, sample_weight=w[part])
    torch.testing.assert_close(streamed.compute(), whole, rtol=1e-12, atol=1e-14)
    again = _metrics()[which]
    again.load_state_dict(streamed.state_dict())
    assert again.compute() == streamed.compute()
    kept = y >= 0
    plain = _metrics()[which].update(z[kept], y[kept], logits=True, sample_weight=w[kept]).compute()
    torch.testing.assert_close(plain, whole)
    assert _metrics()[which].compute().isnan()
    assert all(part.isnan() for part in Brier().decompose())
    with pytest.raises(TypeError, match="merged"):
        _metrics()[which].merge(_metrics()[4 if which != 4 else 0])


def test_multilabel_leaves_labels_out_that_never_vary():
    z = torch.randn(60, 3)
    t = (torch.rand(60, 3) < 0.5).long()
    t[:, 2] = 0
    error = CalibrationError(5, kind="multilabel").update(z, t, logits=True)
    each = [_error(torch.sigmoid(z[:, k].double()), t[:, k], 5, kind="binary") for k in range(2)]
    assert error.compute().item() == pytest.approx(np.mean(each))
    assert error.per_class()[2].isnan()


def test_soft_targets():
    q = torch.tensor([[0.5, 0.3, 0.2]] * 4, dtype=torch.float64)
    expected = abs(0.65 - np.mean([0.2, 0.5, 0.2, 0.5]))
    assert _error(P, q, 1) == pytest.approx(expected)


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_torchmetrics(norm):
    functional = pytest.importorskip("torchmetrics.functional.classification")
    generator = torch.Generator().manual_seed(0)
    z, y = torch.randn(300, 6, generator=generator) * 2, torch.randint(6, (300,), generator=generator)
    p = z.softmax(-1)
    theirs = functional.multiclass_calibration_error(p, y, 6, n_bins=15, norm=norm)
    assert _error(p, y, 15, norm) == pytest.approx(theirs.item(), abs=1e-6)
    b, t = torch.rand(300, generator=generator), torch.randint(2, (300,), generator=generator)
    theirs = functional.binary_calibration_error(b, t, n_bins=10, norm=norm)
    assert _error(b, t, 10, norm, "binary") == pytest.approx(theirs.item(), abs=1e-6)


def test_brier_is_torchmetrics_mean_squared_error():
    torchmetrics = pytest.importorskip("torchmetrics")
    p, y = torch.rand(100), torch.randint(2, (100,))
    theirs = torchmetrics.functional.mean_squared_error(p, y.float()).item()
    assert Brier("binary").update(p, y).compute().item() == pytest.approx(theirs, abs=1e-6)
    q, k = torch.randn(100, 5).softmax(-1), torch.randint(5, (100,))
    hot = torch.nn.functional.one_hot(k, 5).float()
    theirs = torchmetrics.functional.mean_squared_error(q.flatten(), hot.flatten()).item()
    assert Brier(scale="mean").update(q, k).compute().item() == pytest.approx(theirs, abs=1e-6)


def test_labels_of_images():
    z = torch.randn(6, 3, 4, 5, generator=torch.Generator().manual_seed(0)) + 0.5
    y = (torch.rand(z.shape, generator=torch.Generator().manual_seed(1)) < 0.8).long()
    one = TemperatureScaling("sigmoid")
    assert one.fit(z[:, :1], y[:, :1]).temperature.shape == (1,)
    flat = TemperatureScaling("sigmoid").fit(z[:, :1].reshape(-1, 1), y[:, :1].reshape(-1, 1))
    assert one.temperature.item() == pytest.approx(flat.temperature.item())
    several = TemperatureScaling("sigmoid", dim=1)
    assert several.fit(z, y).temperature[0].item() == pytest.approx(one.temperature.item())
    torch.testing.assert_close(several(z)[:, 2], z[:, 2] / several.temperature[2])
    for refused in (z, z[:, 0], z[:, :1, 0]):
        with pytest.raises(ValueError, match="dim=1"):
            TemperatureScaling("sigmoid").fit(refused, (refused > 0).long())
        with pytest.raises(ValueError, match="dim=-1"):
            CalibrationError(kind="multilabel").update(refused, (refused > 0).long(), logits=True)
    image = CalibrationError(5, kind="multilabel").update(z, y, logits=True, dim=1).per_class()
    rows = CalibrationError(5, kind="multilabel").update(
        z.movedim(1, -1).reshape(-1, 3), y.movedim(1, -1).reshape(-1, 3), logits=True
    )
    torch.testing.assert_close(image, rows.per_class())
    p, k = torch.randn(2, 3, 4, 5).softmax(1), torch.randint(3, (2, 4, 5))
    for metric in (CalibrationError, Brier, NegativeLogLikelihood):
        whole = metric().update(p, k, dim=1).compute()
        torch.testing.assert_close(whole, metric().update(p.movedim(1, -1), k).compute())


def _missing(n=1000, labels=5):
    """Multi-label answers of which every fifth is missing."""
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(n, labels, generator=generator, dtype=torch.float64)
    t = torch.bernoulli(p, generator=generator).long()
    return p, t.masked_fill(torch.rand(n, labels, generator=generator) < 0.2, -100)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("make", [CalibrationError, AdaptiveCalibrationError, Brier])
def test_missing_answers_are_left_out_one_by_one(make, weighted):
    p, t = _missing()
    w = torch.rand(len(p), generator=torch.Generator().manual_seed(1), dtype=torch.float64) if weighted else None
    metric = make(kind="multilabel", bins=7)
    for part in torch.arange(len(p)).split(300):
        metric.update(p[part], t[part], sample_weight=None if w is None else w[part])
    each = []
    for k in range(p.shape[1]):
        known = t[:, k] >= 0
        alone = make(kind="binary", bins=7)
        each.append(alone.update(p[known, k], t[known, k], sample_weight=None if w is None else w[known]).compute())
    torch.testing.assert_close(metric.compute(), torch.stack(each).mean())
    if make is not Brier:
        assert metric.reliability().samples.sum() == (t >= 0).sum()
        torch.testing.assert_close(metric.per_class(), torch.stack(each))


def test_missing_answers_and_the_temperature():
    p, t = _missing()
    z = 3 * torch.logit(p)
    fit = TemperatureScaling("sigmoid").fit(z, t)
    for k in range(p.shape[1]):
        known = t[:, k] >= 0
        alone = TemperatureScaling("sigmoid").fit(z[known, k : k + 1], t[known, k : k + 1])
        assert fit.temperature[k].item() == pytest.approx(alone.temperature.item(), rel=1e-9)
    t[:, 1] = -100
    error = CalibrationError(kind="multilabel").update(p, t)
    assert error.per_class().isnan().tolist() == [False, True, False, False, False]
    assert error.compute().isfinite()
    assert Brier("multilabel").update(p, t).compute().isfinite()


@pytest.mark.parametrize("make", [CalibrationError, AdaptiveCalibrationError])
def test_a_class_without_a_claim_is_left_out_of_the_mean(make):
    error = make(3, kind="classwise", threshold=0.5).update(P[:, [0, 2, 1]], Y)
    assert error.per_class().isnan().tolist() == [False, False, True]
    assert error.compute() == error.per_class()[:2].mean()
    assert make(3, kind="classwise", threshold=0.95).update(P, Y).compute().isnan()


def test_weights_are_numbers_of_samples():
    """A sample of weight 3 is the sample three times, in what is debiased and in intervals as well."""
    generator = torch.Generator().manual_seed(0)
    p, t = torch.rand(60, generator=generator, dtype=torch.float64), torch.randint(2, (60,), generator=generator)
    times = torch.randint(4, (60,), generator=generator)
    settings = {"bins": 4, "norm": "l2", "kind": "binary", "debias": True}
    for make in (CalibrationError, AdaptiveCalibrationError):
        weighted = make(**settings).update(p, t, sample_weight=times.double())
        repeated = make(**settings).update(p.repeat_interleave(times), t.repeat_interleave(times))
        torch.testing.assert_close(weighted.compute(), repeated.compute())
        for name in ("weight", "confidence", "accuracy", "low", "high"):
            one, other = (getattr(metric.reliability(), name) for metric in (weighted, repeated))
            torch.testing.assert_close(one, other)
    with pytest.raises(ValueError, match=r"60 samples weigh 1 .*mean of 1"):
        CalibrationError(**settings).update(p, t, sample_weight=torch.full((60,), 1 / 60)).compute()


def test_nothing_is_guessed():
    z = torch.tensor([[0.2, 0.9]])
    with pytest.raises(ValueError, match="logits=True"):
        CalibrationError().update(z, torch.tensor([0]))
    with pytest.raises(ValueError, match=r"predictions\[0, 1\] is 3"):
        CalibrationError().update(torch.tensor([[-2.0, 3.0]]).abs() - torch.tensor([[1.5, 0.0]]), torch.tensor([0]))
    for settings, message in (
        ({"bins": 0}, "bins=0"),
        ({"norm": "l3"}, "norm='l3'"),
        ({"kind": "multi"}, "kind='multi'"),
        ({"debias": True}, "norm='l2'"),
    ):
        with pytest.raises(ValueError, match=message):
            CalibrationError(**settings)
    with pytest.raises(ValueError, match="merged"):
        CalibrationError(3).merge(CalibrationError(4))
    with pytest.raises(ValueError, match="classes"):
        CalibrationError(kind="classwise").update(P, Y).update(z, torch.tensor([0]), logits=True)


def test_reliability_and_its_picture():
    pytest.importorskip("matplotlib").use("Agg")
    found = CalibrationError(10).update(torch.randn(100, 3), torch.randint(3, (100,)), logits=True).reliability()
    some = found.samples > 0
    assert (found.low[some] <= found.accuracy[some] + 1e-12).all()
    assert (found.high[some] >= found.accuracy[some] - 1e-12).all()
    assert found.accuracy[~some].isnan().all()
    axes = reliability_diagram(found, label="model")
    assert axes.get_xlabel() == "confidence"
    assert not axes.collections[-1].get_clip_on(), "a dot at 0 or at 1 is cut in half"
    classes = CalibrationError(10, kind="classwise").update(P, Y).reliability()
    with pytest.raises(ValueError, match="one at a time"):
        reliability_diagram(classes)
    assert math.isclose(found.samples.sum(), 100)
