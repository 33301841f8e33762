"""Second heads: their targets, their variances against worked numbers, training them, and wrapping a network."""

import pytest
import torch
from torch import nn

from gradwright.diffusion import NPR, SN, TwoHeads, head_loss, optimal_variance, zero_head
from tests.diffusion.toys import MIXTURE, TWO

X = torch.tensor([[-1.0], [-0.2], [0.3], [1.0]], dtype=torch.float64)
NOISE = torch.tensor([[-0.730215060], [-0.418861616], [-0.117967810], [0.659469194]], dtype=torch.float64)
SQUARE = torch.tensor([[1.051702045], [0.920033394], [0.405868048], [0.530972797]], dtype=torch.float64)
SN_VARIANCE = torch.tensor([[0.289940117], [0.341620192], [0.261017519], [0.193388155]], dtype=torch.float64)


def test_the_worked_variances_of_both_heads():
    sn = SN().mse(TWO, NOISE, SQUARE, 2)
    torch.testing.assert_close(optimal_variance(TWO, 1, 2, sn), SN_VARIANCE, rtol=1e-8, atol=0)
    npr = NPR().mse(TWO, NOISE, SQUARE - NOISE**2, torch.tensor([2, 2, 2, 2]))
    torch.testing.assert_close(npr, sn)


def test_variances_stay_where_they_can_be():
    second = torch.tensor([[-0.5], [0.2], [9.0]], dtype=torch.float64)
    assert NPR().mse(TWO, second, second, 2).flatten().tolist() == pytest.approx([0.0, 0.2, 9.0])
    assert NPR(data_range=(-1, 1)).mse(TWO, second, second, 2).flatten().tolist() == pytest.approx([0.0, 0.2, 1.0])
    assert SN().mse(TWO, torch.ones_like(second), second, 2).flatten().tolist() == pytest.approx([0.0, 0.0, 8.0])


class Exact(nn.Module):
    """The exact noise, and polynomial features for a head to be fitted to."""

    def __init__(self):
        super().__init__()
        self.features = nn.Identity()

    def forward(self, x, t):
        self.features(torch.cat([torch.exp(-((x - c) ** 2) * 4) for c in torch.linspace(-2.5, 2.5, 21)], 1))
        return MIXTURE.noise(TWO, x, t)


@pytest.mark.parametrize("head", [SN(), NPR()])
def test_a_trained_head_finds_the_conditional_moments(head):
    torch.manual_seed(0)
    network = TwoHeads(Exact(), nn.Linear(21, 1).double(), features="features")
    data = MIXTURE.sample(10_000, 1, generator=torch.Generator().manual_seed(1))
    noise = torch.randn(data.shape, dtype=torch.float64)
    t = torch.full((len(data),), 2)
    solver = torch.optim.LBFGS(network.head.parameters(), max_iter=40, line_search_fn="strong_wolfe")

    def closure():
        solver.zero_grad()
        loss = head_loss(network, head, TWO, data, noise, t)
        loss.backward()
        return loss

    solver.step(closure)
    with torch.no_grad():
        predicted, second = network(X, torch.full((4,), 2)).chunk(2, 1)
    torch.testing.assert_close(
        head.mse(TWO, predicted, second, 2), MIXTURE.posterior(TWO, X, 2)[1], rtol=0.15, atol=0.05
    )


def test_the_loss_is_written_out_and_its_target_is_fixed():
    data, noise, t = torch.randn(3, 2, 4), torch.randn(3, 2, 4), torch.tensor([1, 2, 1])
    weight = torch.randn(1, requires_grad=True)
    predicted = torch.randn(3, 2, 4, requires_grad=True)
    for head, wanted in ((SN(), noise**2), (NPR(), (noise - predicted) ** 2)):
        network = lambda x, t: torch.cat([predicted, weight.expand_as(predicted)], 1)  # noqa: E731
        loss = head_loss(network, head, TWO, data, noise, t)
        torch.testing.assert_close(loss, ((wanted - weight) ** 2).mean())
        flows = torch.autograd.grad(loss, predicted, allow_unused=True)[0]
        assert flows is None or not flows.any()
    # a network that predicts v is judged by its noise
    output = torch.randn(3, 2, 4)
    network = lambda x, t: torch.cat([output, weight.expand_as(output)], 1)  # noqa: E731
    x = TWO.add_noise(data, noise, t)
    signal, spread = TWO.scales(t, x)
    wanted = (noise - (signal * output + spread * x)) ** 2
    torch.testing.assert_close(
        head_loss(network, NPR(), TWO, data, noise, t, prediction="v"), ((wanted - weight) ** 2).mean()
    )


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.leave = nn.Conv2d(8, 3, 3, padding=1)
        self.unused = nn.Identity()

    def forward(self, x, t):
        return self.leave(self.norm(self.enter(x)) * t.reshape(-1, 1, 1, 1))


def test_the_backbone_stays_bit_for_bit_and_the_head_starts_at_zero():
    backbone = Small().eval()
    x, t = torch.randn(2, 3, 5, 5), torch.tensor([1, 2])
    before = backbone(x, t)
    both = TwoHeads(backbone, zero_head(8, 3, groups=4), features="norm").train()
    output, second = both(x, t).chunk(2, 1)
    assert torch.equal(output, before)
    assert (second == 0).all()
    assert not backbone.training
    assert both.head.training
    assert [name for name, p in both.named_parameters() if p.requires_grad] == [
        "head.0.weight",
        "head.0.bias",
        "head.2.weight",
        "head.2.bias",
    ]
    both(x, t).sum().backward()
    assert both.head[2].weight.grad is not None
    assert not backbone.norm._forward_hooks
    positive = TwoHeads(backbone, zero_head(8, 3, groups=4), features="norm", positive=True)
    assert positive(x, t)[:, 3:].min() > 0


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"features must name a submodule.*'mid'.*leave"):
        TwoHeads(Small(), nn.Identity(), features="mid")
    x, t = torch.randn(2, 3, 5, 5), torch.tensor([1, 2])
    with pytest.raises(ValueError, match="'unused' was not called"):
        TwoHeads(Small(), nn.Identity(), features="unused")(x, t)
    with pytest.raises(ValueError, match="head must return the backbone's shape"):
        TwoHeads(Small(), nn.Identity(), features="norm")(x, t)
    with pytest.raises(ValueError, match="groups must divide features=8, got 5; try 4"):
        zero_head(8, 3, groups=5)
    with pytest.raises(ValueError, match="not \\(2, 6, 5, 5\\)"):
        head_loss(Small().eval(), NPR(), TWO, x, x, t)
    with pytest.raises(ValueError, match="a second head needs x of shape"):
        head_loss(lambda x, t: x, NPR(), TWO, x[:, 0, 0, 0], x[:, 0, 0, 0], t)
