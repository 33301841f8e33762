"""Weights that are found while training: GradNorm for tasks, gradient agreement for samples."""

import copy
import math

import pytest
import torch

from gradwright.losses import GradientAgreement, GradNorm


def test_grad_norm_worked_number():
    balance = GradNorm(2, alpha=1.5, lr=0.025, initial=[4.0, 4.0])
    balance.update(torch.tensor([4.0, 1.0]), torch.tensor([2.0, 3.0]))
    assert balance.weights.tolist() == pytest.approx([0.93506494, 1.06493506], rel=1e-6)


def test_grad_norm_is_the_gradient_of_its_loss():
    """The closed form against double backward through the norms, as the paper defines it."""
    torch.manual_seed(0)
    shared = torch.nn.Linear(3, 4)
    heads = [torch.nn.Linear(4, 1) for _ in range(3)]
    x = torch.randn(8, 3)
    losses = [(head(torch.tanh(shared(x))) ** 2).mean() * (i + 1) for i, head in enumerate(heads)]
    start = torch.tensor([0.5, 0.1, 2.0])
    w = torch.ones(3, requires_grad=True)
    size = torch.stack(
        [torch.autograd.grad(w[i] * losses[i], shared.weight, create_graph=True)[0].norm() for i in range(3)]
    )
    rate = torch.stack(losses).detach() / start
    aim = (size.mean() * (rate / rate.mean()) ** 0.7).detach()
    (slope,) = torch.autograd.grad((size - aim).abs().sum(), w, retain_graph=True)
    expected = w.detach() - 0.01 * slope
    expected = expected * 3 / expected.sum()
    balance = GradNorm(3, alpha=0.7, lr=0.01, initial=start)
    total = balance(losses, shared.weight)
    torch.testing.assert_close(balance.weights, expected)
    torch.testing.assert_close(total, sum(losses))
    assert all(p.grad is None for m in (shared, *heads) for p in m.parameters()), "something leaked into the network"
    total.backward()


def test_grad_norm_equalises_norms_at_alpha_zero():
    w = torch.nn.Parameter(torch.ones(2))
    balance = GradNorm(2, alpha=0.0, lr=3e-3)
    for _ in range(600):
        balance([10 * w[0] + 1, w[1] + 1], w)
    sizes = balance.weights * torch.tensor([10.0, 1.0])
    assert sizes[0].item() == pytest.approx(sizes[1].item(), rel=0.05)
    assert balance.weights.sum().item() == pytest.approx(2)


def test_grad_norm_absent_tasks_and_modes():
    w, other = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(1))
    balance = GradNorm(3)
    balance([3 * w.sum(), w.prod(), other.sum()], [w])
    assert balance.weights[2].item() == pytest.approx(balance.weights[2].item())
    assert balance.weights.isfinite().all()
    before = balance.weights.clone()
    balance.eval()
    balance([w.sum(), w.sum(), w.sum()], [w])
    torch.testing.assert_close(balance.weights, before)
    balance.train()
    balance([w.sum() * math.nan, w.sum(), w.sum()], [w])
    assert balance.weights.isfinite().all()
    again = GradNorm(3)
    again.load_state_dict(balance.state_dict())
    torch.testing.assert_close(again.weights, balance.weights)
    torch.testing.assert_close(again.initial, balance.initial)


def test_grad_norm_refuses():
    w = torch.nn.Parameter(torch.ones(1))
    with pytest.raises(ValueError, match="2 tasks"):
        GradNorm(2)([w.sum()], w)
    with pytest.raises(ValueError, match=r"initial\[1\] is 0"):
        GradNorm(2, initial=[1.0, 0.0])
    with pytest.raises(ValueError, match=r"initial\[0\] is -1"):
        GradNorm(1)([-w.sum()], w)
    with pytest.raises(ValueError, match="alpha=-1"):
        GradNorm(2, alpha=-1.0)


H = torch.tensor([(1.0, 0.0), (1.0, 0.2), (-1.0, 0.1), (0.0, 1.0)])
Y = torch.tensor([0, 0, 0, 1])
R = torch.full((4, 2), 0.5) - torch.nn.functional.one_hot(Y, 2)
G = torch.einsum("nc,nd->ncd", R, H).flatten(1)


class _Spy(GradientAgreement):
    def _lift(self, cosine):
        self.seen = cosine
        return super()._lift(cosine)


@pytest.mark.parametrize("head", [True, False])
def test_agreement_worked_number(head):
    """W = 0, four samples, judged by their own mean: the odd one out is the only one that pulls against it."""
    weigh = _Spy(decay=0.5)
    call = (lambda: weigh.of_head(H, R)) if head else (lambda: weigh(G))
    call()
    assert weigh.mean.tolist() == pytest.approx([-0.0625, 0.04375, 0.0625, -0.04375])  # (1 − β) times the mean
    call()
    assert weigh.seen.tolist() == pytest.approx([0.819232, 0.690858, -0.872228, 0.573462], abs=1e-6)


def test_agreement_of_the_first_batch_leaves_the_sample_out():
    weigh = _Spy()
    weigh(G)
    for i in range(4):
        others = torch.cat([G[:i], G[i + 1 :]]).sum(0)
        cosine = torch.cosine_similarity(G[i], others, dim=0)
        assert weigh.seen[i].item() == pytest.approx(cosine.item(), abs=1e-6)


def test_agreement_weights():
    weigh = GradientAgreement(emphasis="sigmoid")
    weights = weigh(G)
    assert weights.argmax() == 2
    assert weights.mean().item() == pytest.approx(1)
    assert GradientAgreement(emphasis="bell")(G)[2] == GradientAgreement(emphasis="bell")(G).min()
    valid = torch.tensor([True, True, False, True])
    some = GradientAgreement()(torch.where(valid.unsqueeze(-1), G, math.nan), valid)
    assert some[2] == 0
    assert some.sum().item() == pytest.approx(3)
    assert (GradientAgreement()(torch.zeros(3, 2)) == 1).all()
    slow = GradientAgreement(emphasis="sigmoid", warmup=99)(G)
    assert (slow - 1).abs().max() < (weights - 1).abs().max() / 10
    assert GradientAgreement(emphasis=lambda x: 0 * x)(G).tolist() == pytest.approx([1] * 4)


def test_agreement_is_saved_and_stands_still_in_eval():
    weigh = GradientAgreement()
    weigh(G)
    again = copy.deepcopy(GradientAgreement())
    again.load_state_dict(weigh.state_dict())
    torch.testing.assert_close(again(G), weigh(G))
    weigh.eval()
    before = weigh.mean.clone()
    weigh(2 * G)
    torch.testing.assert_close(weigh.mean, before)
    with pytest.raises(ValueError, match="3 entries"):
        weigh(torch.ones(2, 3))
    with pytest.raises(ValueError, match="emphasis='cubic'"):
        GradientAgreement(emphasis="cubic")


@pytest.mark.parametrize("head", [True, False])
def test_agreement_is_not_rounded_by_autocast(head):
    generator = torch.Generator().manual_seed(0)
    h, r = torch.randn(9, 5, generator=generator), torch.randn(9, 3, generator=generator)

    def twice():
        weigh = GradientAgreement(emphasis="sigmoid")
        return torch.stack([weigh.of_head(h, r) if head else weigh(h) for _ in range(2)])

    expected = twice()
    with torch.autocast("cpu", torch.bfloat16):
        found = twice()
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("head", [True, False])
def test_agreement_gives_weight_to_finite_gradients_only(head):
    """One gradient that is not finite must not spoil the weights of all, in the first batch or later."""
    finite, expected = torch.tensor([0, 1, 3]), GradientAgreement()
    found = GradientAgreement()
    for spoil in (math.inf, math.nan, -math.inf):
        r, g = R.clone(), G.clone()
        r[2, 1], g[2, 1] = spoil, spoil
        some = expected.of_head(H[finite], R[finite]) if head else expected(G[finite])
        weights = found.of_head(H, r) if head else found(g)
        assert weights[2] == 0
        torch.testing.assert_close(weights[finite], some)


def test_grad_norm_refuses_to_start_from_infinity():
    w = torch.nn.Parameter(torch.ones(1))
    with pytest.raises(ValueError, match=r"initial\[1\] is inf.*finite"):
        GradNorm(2)([w.sum(), w.sum() * math.inf], w)
