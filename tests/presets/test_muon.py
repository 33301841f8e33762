"""Muon for any model: what has hidden weights gets it there, and no model is left without an optimizer."""

import re

import pytest
import torch
from torch import nn

import gradwright as gw
from tests.routing.models import GPT, Experts, Net, ViT


class Residual(nn.Module):
    """A residual block of convolutions, as in ResNet."""

    def __init__(self, width):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)

    def forward(self, x):
        return (x + self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))).relu()


class ConvNeXt(nn.Module):
    """A depthwise kernel, then two linear layers, as in ConvNeXt."""

    def __init__(self, width):
        super().__init__()
        self.depthwise, self.norm = nn.Conv2d(width, width, 7, padding=3, groups=width), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x):
        y = self.norm(self.depthwise(x).movedim(1, -1))
        return x + (self.gamma * self.down(self.up(y).relu())).movedim(-1, 1)


def classifier(block, width=8):
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        block(width),
        block(width),
        nn.AvgPool2d(4),
        nn.Flatten(),
        nn.Linear(width, 5),
    )


def taken(optimizer, recipe="Muon"):
    return {name for group in optimizer.param_groups if group["recipe"] == recipe for name in group["param_names"]}


MODELS = {
    "resnet": (lambda: classifier(Residual), (2, 3, 4, 4), "0 1.conv1 1.conv2 2.conv1 2.conv2"),
    "convnext": (lambda: classifier(ConvNeXt), (2, 3, 4, 4), "0 1.up 1.down 2.up 2.down"),
    "mlp": (lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)), (4, 6), "0"),
    "vit": (
        ViT,
        (2, 3, 8, 8),
        "patch blocks.0.qkv blocks.0.proj blocks.0.up blocks.0.down blocks.1.qkv blocks.1.proj "
        "blocks.1.up blocks.1.down",
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_hidden_weights_get_muon_and_a_run_descends(name):
    make, inputs, hidden = MODELS[name]
    torch.manual_seed(0)
    model, x = make(), torch.randn(inputs)
    optimizer = gw.presets.muon(model, gw.AdamW.bind(lr=1e-2))
    assert taken(optimizer) == {f"{path}.weight" for path in hidden.split()}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(model.parameters()))
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = (model(x) - 1).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_embeddings_heads_norms_and_biases_go_to_the_rest():
    optimizer = gw.presets.muon(GPT(tied=False))
    assert not {"tokens.weight", "positions", "unembed.weight", "final.weight", "blocks.0.up.bias"} & taken(optimizer)
    assert all("blocks." in name for name in taken(optimizer))
    (head,) = (g for g in optimizer.param_groups if "unembed.weight" in g["param_names"])
    (gain,) = (g for g in optimizer.param_groups if "final.weight" in g["param_names"])
    assert (head["recipe"], head["lr"], head["weight_decay"]) == ("AdamW", 3e-4, 0.01)
    assert gain["weight_decay"] == 0


def test_queries_keys_and_values_of_one_matrix_are_made_orthogonal_apart():
    layer = nn.MultiheadAttention(8, 2, bias=False)
    optimizer = gw.presets.muon(layer, head=None)
    assert {tuple(group["param_names"]): group["split"] for group in optimizer.param_groups} == {
        ("out_proj.weight",): 1,
        ("in_proj_weight",): 3,
    }
    odd = Net(w=(7, 4), v=(4, 7))
    optimizer = gw.presets.muon(odd, roles={"w": "fused matrix", "v": "matrix"})
    assert taken(optimizer) == {"v"}, "seven rows are no queries, keys and values"
    assert taken(gw.presets.muon(odd, roles={"*": "fused matrix"}, split=1)) == {"v", "w"}


def test_experts_are_hidden_and_gates_of_recurrent_layers_are_not():
    model = nn.ModuleDict({"experts": Experts(), "memory": nn.LSTM(8, 8), "out": nn.Linear(8, 3)})
    assert taken(gw.presets.muon(model)) == {"experts.router.weight", "experts.up", "experts.down"}


@pytest.mark.parametrize("model", [nn.Linear(3, 2), nn.LSTM(3, 2), nn.Embedding(4, 2)], ids=["linear", "lstm", "table"])
def test_a_model_without_hidden_weights_is_trained_and_told_about(model):
    with pytest.warns(UserWarning, match="no hidden matrix or kernel, so that Surefoot takes all of it"):
        optimizer = gw.presets.muon(model, rest=gw.Surefoot)
    assert {group["recipe"] for group in optimizer.param_groups} == {"Surefoot"}


def test_complex_and_frozen_weights_are_not_muons():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4, dtype=torch.complex64), nn.Linear(4, 4), nn.Linear(4, 2))
    model[2].requires_grad_(False)
    assert taken(gw.presets.muon(model)) == {"0.weight"}


def test_all_may_be_muons():
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    assert taken(gw.presets.muon(model, head=None)) == {"0.weight", "1.weight"}


def test_knobs_and_formats_are_passed_on():
    optimizer = gw.presets.muon(ViT(), gw.Lion.bind(lr=1e-4), lr=0.05, state="bfloat16", no_decay=None)
    assert {(g["recipe"], g["lr"], g["state"]) for g in optimizer.param_groups} == {
        ("Muon", 0.05, "bfloat16"),
        ("Lion", 1e-4, "bfloat16"),
    }


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda m: gw.presets.muon(m.parameters()), TypeError, "give the module itself"),
        (lambda m: gw.presets.muon(m, rest="AdamW"), TypeError, r"write AdamW.bind\(...\)"),
        (lambda m: gw.presets.muon(m, learning_rate=1), TypeError, "Muon has no hyper-parameter 'learning_rate'"),
        (lambda m: gw.presets.muon(m, lr=-1.0), ValueError, "negative"),
        (lambda m: gw.presets.muon(m.requires_grad_(False)), ValueError, "all are frozen"),
    ],
)
def test_what_cannot_be_is_refused(call, kind, message):
    with pytest.raises(kind, match=message):
        call(classifier(Residual))


def test_errors_of_muon_lead_to_what_works():
    model = classifier(Residual)
    with pytest.raises(ValueError, match=r"gradwright.presets.muon\(model\)"):
        gw.Muon(model.parameters())
    with pytest.raises(ValueError, match=r"Muon serves 0.weight \(convolution\): select '(.*)'") as refused:
        gw.route(model, {"matrix & !embedding & !head": gw.Muon, "*": gw.AdamW})
    better = re.search(r"select '([^']+)'", str(refused.value)).group(1)
    assert taken(gw.route(model, {better: gw.Muon, "*": gw.AdamW})) == taken(gw.presets.muon(model))


def test_suggest_offers_the_same():
    for model in (classifier(Residual), classifier(ConvNeXt), GPT(), nn.TransformerEncoderLayer(8, 2, 16)):
        (option,) = (one for one in gw.suggest(model).options if one.title.startswith("Muon"))
        assert option.code == "optimizer = gradwright.presets.muon(model)"
        assert taken(option.optimizer()) == taken(gw.presets.muon(model))
