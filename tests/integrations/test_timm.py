"""timm: its factory, groups, schedulers and Lookahead with recipes; its models under route."""

import pytest
import torch

import gradwright as gw
from gradwright.routing.declared import depths
from tests.integrations.runs import needed

needed("timm")
import timm  # noqa: E402
from timm.models import group_parameters  # noqa: E402
from timm.optim import create_optimizer_v2, list_optimizers, param_groups_layer_decay  # noqa: E402
from timm.scheduler import CosineLRScheduler  # noqa: E402

from gradwright.integrations.timm import register  # noqa: E402

pytestmark = pytest.mark.slow

MODELS = ["vit_tiny_patch16_224", "resnet18", "convnext_atto", "swin_tiny_patch4_window7_224", "deit_tiny_patch16_224"]


def model(name="vit_tiny_patch16_224"):
    torch.manual_seed(0)
    small = {"img_size": 32, "depth": 2, "embed_dim": 24} if "vit" in name else {}
    return timm.create_model(name, num_classes=4, **small)


def walk(net, optimizer, steps, first=0):
    for step in range(first, first + steps):
        inputs = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        (net(inputs) - 1).square().mean().backward()
        optimizer.step()
    return [param.detach().clone() for param in net.parameters()]


def test_recipes_have_names_in_its_registry():
    names = register()
    assert {"gradwright.adamw", "gradwright.surefoot", "gradwright.muon"} <= set(names) <= set(list_optimizers())
    assert register(["AdamW"]) == ["gradwright.adamw"], "again is no harm"
    with pytest.raises(ValueError, match="no recipe called 'AdmaW'"):
        register(["AdmaW"])
    assert dict(list_optimizers("gradwright.lion", with_description=True)) == {
        "gradwright.lion": "The sign of a two-speed momentum."
    }


@pytest.mark.parametrize("name", ["adamw", "lion", "surefoot", "sgd", "adafactor", "lookahead_gradwright.adamw"])
def test_its_factory_makes_them_and_they_train(name):
    register()
    net, name = model(), name if "." in name else f"gradwright.{name}"
    optimizer = create_optimizer_v2(net, name)
    before = [param.detach().clone() for param in net.parameters()]
    after = walk(net, optimizer, 3)
    assert not all(map(torch.equal, before, after))


def test_it_steps_as_timms_own():
    register()
    ways = []
    for name in ("sgd", "gradwright.sgd"):
        net = model()
        optimizer = create_optimizer_v2(net, name, lr=0.1, weight_decay=0.05, layer_decay=0.7, nesterov=True)
        scheduler = CosineLRScheduler(optimizer, t_initial=6, warmup_t=2)
        after = []
        for step in range(6):
            scheduler.step(step)
            after = walk(net, optimizer, 1, first=step)
        ways.append(after)
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(*ways))


def test_settings_that_a_recipe_has_not_are_refused():
    register()
    with pytest.raises(ValueError, match=r"Surefoot has no weight_decay, and weight_decay=0\.05 asks for it"):
        create_optimizer_v2(model(), "gradwright.surefoot", weight_decay=0.05)
    with pytest.raises(ValueError, match=r"gradwright.presets.muon\(model\)"):
        create_optimizer_v2(model(), "gradwright.muon")
    with pytest.raises(ValueError, match="fallback_list asks for a second optimizer"):
        create_optimizer_v2(model(), "gradwright.adamw", weight_decay=0.1, fallback_list=["head.*"])


@pytest.mark.parametrize("name", MODELS)
def test_what_a_model_says_must_not_decay_does_not(name):
    net = model(name)
    made = gw.plan(net, {"*": gw.AdamW}, no_decay=True)
    exempt = {row.name for row in made.rows if not row.decays}
    said = net.no_weight_decay() if hasattr(net, "no_weight_decay") else set()
    assert exempt >= said & {row.name for row in made.rows}
    ours = {id(p) for group in made.groups if group.get("weight_decay") == 0 for p in group["params"]}
    timms = {
        id(p)
        for group in create_optimizer_v2(net, "adamw", weight_decay=0.1).param_groups
        if group["weight_decay"] == 0
        for p in group["params"]
    }
    assert ours >= timms
    assert all(
        max(row.shape) == torch.Size(row.shape).numel() for row in made.rows if not row.decays and row.name not in said
    )


@pytest.mark.parametrize("name", MODELS)
def test_layers_are_those_of_timm(name):
    net = model(name)
    names = [name for name, _ in net.named_parameters()]
    assert depths(net, names) == group_parameters(net, net.group_matcher(coarse=False), reverse=True)
    rates = {}
    for group in param_groups_layer_decay(net, layer_decay=0.7):
        rates.update({id(param): group["lr_scale"] for param in group["params"]})
    for group in gw.plan(net, {"*": gw.AdamW.bind(lr=1.0)}, layer_decay=0.7).groups:
        assert all(rates[id(param)] == pytest.approx(group["lr"]) for param in group["params"])


@pytest.mark.parametrize("name", MODELS)
def test_muon_for_its_models(name):
    net = model(name)
    optimizer = gw.presets.muon(net, layer_decay=0.9)
    taken = {id(p) for group in optimizer.param_groups if group["recipe"] == "Muon" for p in group["params"]}
    by_name = dict(net.named_parameters())
    head = net.get_classifier().weight
    assert id(head) not in taken
    assert all(id(by_name[each]) not in taken for each in by_name if "embed" in each and "proj" not in each)
    assert sum(by_name[each].numel() for each in by_name if id(by_name[each]) in taken) > 0.9 * sum(
        p.numel() for each, p in by_name.items() if p is not head
    )


def test_a_run_under_lookahead_goes_on_bit_for_bit():
    register()

    def made():
        net = model()
        return net, create_optimizer_v2(net, "lookahead_gradwright.adamw", lr=1e-3)

    straight = walk(*made(), 14)
    net, optimizer = made()
    walk(net, optimizer, 7)
    again, resumed = made()
    again.load_state_dict(net.state_dict())
    resumed.load_state_dict(optimizer.state_dict())
    assert all(map(torch.equal, straight, walk(again, resumed, 7, first=7)))
