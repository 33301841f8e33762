"""What models say of themselves: parameters that never decay, and the depth of layers."""

import pytest
import torch
from torch import nn

import gradwright as gw
from gradwright.routing.declared import depths
from tests.routing.models import GPT, ViT


class Declaring(ViT):
    def __init__(self, said):
        super().__init__()
        self.said = said

    def no_weight_decay(self):
        return self.said


def exempt(model, **options):
    return {row.name for row in gw.plan(model, {"*": gw.AdamW}, **options).rows if not row.decays}


def test_what_the_model_names_does_not_decay():
    usual = exempt(ViT(), no_decay=True)
    assert "positions" not in usual
    assert exempt(Declaring({"positions", "is not there"}), no_decay=True) == usual | {"positions"}
    assert exempt(Declaring({"blocks.*.qkv.weight"}), no_decay=True) == usual | {
        f"blocks.{i}.qkv.weight" for i in (0, 1)
    }
    assert exempt(torch.compile(Declaring({"positions"})), no_decay=True) == usual | {"positions"}


def test_it_is_printed_and_counts_for_the_usual_alone():
    made = gw.plan(Declaring({"positions"}), {"*": gw.AdamW}, no_decay=True)
    assert "no decay: bias | norm | vector | scalar | name:positions" in str(made)
    assert "positions" not in exempt(Declaring({"positions"}), no_decay="bias")
    assert exempt(Declaring({"positions"})) == set()


@pytest.mark.parametrize("said", ["positions", [3], 3])
def test_what_is_no_list_of_names_is_refused(said):
    with pytest.raises(TypeError, match=r"model.no_weight_decay\(\) returned"):
        exempt(Declaring(said), no_decay=True)


def layers(model):
    return depths(model, [name for name, _ in model.named_parameters()])


def test_blocks_are_layers_with_one_before_and_one_after():
    found = layers(GPT(tied=False, depth=3))
    assert (found["positions"], found["tokens.weight"]) == (0, 0)
    assert [found[f"blocks.{i}.up.weight"] for i in range(3)] == [1, 2, 3]
    assert (found["final.weight"], found["unembed.weight"]) == (4, 4)


def test_lists_of_blocks_follow_each_other():
    model = nn.ModuleDict({"stem": nn.Conv2d(3, 4, 1), "early": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))})
    model["late"] = nn.ModuleList([nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))])
    model["head"] = nn.Linear(2, 2)
    found = layers(model)
    expected = {"stem": 0, "early.0": 1, "early.1": 2, "late.0.0": 3, "late.0.2": 3, "head": 4}
    assert found == {f"{name}.{part}": depth for name, depth in expected.items() for part in ("weight", "bias")}


def test_each_layer_has_its_rate():
    model = GPT(tied=False, depth=2)
    rules = {"matrix & !embedding & !head": gw.Muon.bind(lr=0.08), "*": gw.AdamW}
    optimizer = gw.route(model, rules, no_decay=True, layer_decay=0.5)
    rates = {name: group["lr"] for group in optimizer.param_groups for name in group["param_names"]}
    assert [rates[f"blocks.{i}.up.weight"] for i in (0, 1)] == [0.02, 0.04]
    assert (rates["unembed.weight"], rates["tokens.weight"]) == (1e-3, 0.125e-3)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(model.parameters()))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.1**step)
    optimizer.step()
    scheduler.step()
    turned = {name: group["lr"] for group in optimizer.param_groups for name in group["param_names"]}
    assert turned == pytest.approx({name: 0.1 * rate for name, rate in rates.items()})
    assert "lr=0.02" in str(optimizer.plan)


@pytest.mark.parametrize(("factor", "kind"), [(0.0, ValueError), (1.5, ValueError), (-1, ValueError), ("a", TypeError)])
def test_a_factor_that_is_none_is_refused(factor, kind):
    with pytest.raises(kind, match="layer_decay"):
        gw.plan(GPT(), {"*": gw.AdamW}, layer_decay=factor)
