"""qk_clip: the logits of the next forward pass are bounded, head by head."""

import math

import pytest
import torch

import gradwright as gw

HEADS, WIDTH = 4, 3


def largest_logits(query, key, x, bias=None):
    """The largest q · k / √d of each head."""
    q, k = (x @ weight.T + (0 if bias is None else b) for weight, b in zip((query, key), bias or (0, 0)))
    q, k = (y.view(len(x), HEADS, WIDTH).transpose(0, 1) for y in (q, k))
    return (q @ k.mT / math.sqrt(WIDTH)).amax(dim=(1, 2))


@pytest.fixture
def parts():
    generator = torch.Generator().manual_seed(0)
    shapes = ((HEADS * WIDTH, 5), (HEADS * WIDTH, 5), (7, 5), (HEADS * WIDTH,), (HEADS * WIDTH,))
    return [3 * torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def test_the_worked_factor():
    query, key = torch.ones(2, 3, dtype=torch.float64), torch.ones(2, 3, dtype=torch.float64)
    gamma = gw.qk_clip(query, key, torch.tensor([150.0, 99.0], dtype=torch.float64))
    assert gamma.tolist() == pytest.approx([0.66666667, 1.0], abs=1e-8)
    assert query[:, 0].tolist() == key[:, 0].tolist() == pytest.approx([0.81649658, 1.0], abs=1e-8)


def test_a_loud_head_is_brought_to_the_threshold_and_the_others_stay(parts):
    query, key, x, *bias = parts
    scores = largest_logits(query, key, x, bias)
    threshold = scores.sort().values[1:3].mean().item()
    quiet = (scores < threshold).repeat_interleave(WIDTH)
    before = query.clone()
    gw.qk_clip([query, bias[0]], [key, bias[1]], scores, threshold)
    after = largest_logits(query, key, x, bias)
    torch.testing.assert_close(after, scores.clamp(max=threshold))
    assert torch.equal(query[quiet], before[quiet])


def test_a_shared_key_is_left_to_the_query(parts):
    query, key, x, *_ = parts
    scores = largest_logits(query, key, x)
    kept = key.clone()
    gw.qk_clip(query, None, scores, 10.0)
    assert torch.equal(key, kept)
    torch.testing.assert_close(largest_logits(query, key, x), scores.clamp(max=10.0))


def test_slices_of_a_fused_weight_of_a_layer_are_scaled_in_place():
    layer = torch.nn.MultiheadAttention(8, 2)
    before = layer.in_proj_weight.detach().clone()
    query, key, _ = layer.in_proj_weight.split(8)
    gw.qk_clip(query, key, torch.tensor([400.0, 1.0]))
    after = layer.in_proj_weight.detach()
    torch.testing.assert_close(after[:4], before[:4] / 2)
    torch.testing.assert_close(after[8:12], before[8:12] / 2)
    assert torch.equal(after[4:8], before[4:8])
    assert torch.equal(after[16:], before[16:])
    assert layer.in_proj_weight.requires_grad


def test_a_score_that_is_no_number_changes_nothing():
    weight = torch.ones(3, 2)
    assert gw.qk_clip(weight, None, torch.tensor([math.nan, math.inf, -math.inf])).tolist() == [1, 1, 1]
    assert torch.equal(weight, torch.ones(3, 2))


@pytest.mark.parametrize(
    ("query", "key", "scores", "threshold", "says"),
    [
        ((6, 2), (3, 2), 3, 1.0, "key has 3 rows beside a query of 6; give key=None"),
        ((6, 2), (6, 2), 4, 1.0, r"query has the shape \(6, 2\), whose rows 4 heads do not share evenly"),
        ((6, 2), (6, 2), 3, 0.0, "threshold=0.0 must be greater than 0"),
        ((6, 2), (6, 2), 0, 1.0, r"scores has the shape \(0,\); give one number for each head"),
        ((6, 2), (6, 2), (2, 3), 1.0, r"scores has the shape \(2, 3\); give one number for each head"),
    ],
)
def test_what_does_not_fit_is_refused(query, key, scores, threshold, says):
    with pytest.raises(ValueError, match=says):
        gw.qk_clip(torch.ones(query), torch.ones(key), torch.ones(scores), threshold)
