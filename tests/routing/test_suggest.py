import pytest
import torch
from torch import nn

import gradwright as gw
from gradwright.routing.suggest import suggest


def network(width=8):
    return nn.Sequential(
        nn.Embedding(20, width), nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 3)
    )


def test_the_default_takes_everything_and_is_an_optimizer():
    model = network()
    found = suggest(model)
    first = found.optimizer()
    assert {group["recipe"] for group in first.param_groups} == {"Surefoot"}
    assert sum(len(group["params"]) for group in first.param_groups) == len(list(model.parameters()))
    assert "gradwright.Surefoot(model.parameters())" in str(found)


def test_state_is_what_the_optimizer_then_holds():
    model = network()
    for option in suggest(model).options:
        optimizer = option.optimizer(engine="eager")
        for param in model.parameters():
            param.grad = torch.ones_like(param)
        optimizer.step()
        tensors = {id(value): value for state in optimizer.state.values() for value in state.values()}
        held = sum(v.numel() * v.element_size() for v in tensors.values() if isinstance(v, torch.Tensor))
        assert held == option.state_bytes, option.title


def test_codes_make_the_optimizers_they_stand_beside():
    for option in suggest(network()).options:
        scope = {"gradwright": gw, "model": network()}
        exec(option.code, scope)
        made, planned = scope["optimizer"], option.optimizer()
        assert [group["recipe"] for group in made.param_groups] == [group["recipe"] for group in planned.param_groups]
        assert [group["lr"] for group in made.param_groups] == [group["lr"] for group in planned.param_groups]


def test_queries_keys_and_values_get_a_scale_each():
    layer = nn.TransformerEncoderLayer(8, 2, 16)
    found = suggest(layer)
    assert [group["split"] for group in found.optimizer().param_groups] == [3, 1]
    scope = {"gradwright": gw, "model": layer}
    exec(found.options[0].code, scope)
    assert [group["split"] for group in scope["optimizer"].param_groups] == [3, 1]
    layer.self_attn.in_proj_weight.requires_grad_(False)
    assert "split" not in suggest(layer).options[0].code
    assert "0 gives three times what it takes: if those are queries" in str(suggest(nn.Sequential(nn.Linear(4, 12))))


def test_facts_are_told():
    text = str(suggest(network().to(torch.bfloat16)))
    assert "bfloat16 round small steps away" in text
    assert "BatchNorm statistics" in text
    model = network()
    model[0].sparse = True
    model[1].requires_grad_(False)
    text = str(suggest(model))
    assert "0 gives sparse gradients" in text
    assert "2 tensors are frozen" in text
    assert "one linear layer: gradwright.linear_model" in str(suggest(nn.Sequential(nn.Flatten(), nn.Linear(4, 2))))
    assert "one linear layer" not in text
    deep = nn.Sequential(*(nn.Linear(4, 4) for _ in range(8)))
    assert "8 layers and no normalisation" in str(suggest(deep))


def test_an_option_of_several_recipes_says_who_gets_what():
    text = str(suggest(network().requires_grad_(True)))
    (line,) = (line for line in text.splitlines() if "-> Muon" in line)
    assert "1 parameter " in line
    assert "64 numbers" in line
    assert "-> Surefoot" not in text


def test_muon_is_not_offered_where_it_has_nothing_to_do():
    titles = [option.title for option in suggest(nn.Linear(3, 2)).options]
    assert titles == ["Surefoot", "Surefoot with a factored moment", "Adafactor"]


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        (nn.Linear(2, 2).parameters(), TypeError, "give the module itself"),
        (nn.Linear(2, 2).requires_grad_(False), ValueError, "nothing to train"),
        (nn.LazyLinear(2), ValueError, "weight does not exist yet: run the model on one batch first"),
    ],
)
def test_what_cannot_be_trained_is_refused(model, kind, message):
    with pytest.raises(kind, match=message):
        suggest(model)
