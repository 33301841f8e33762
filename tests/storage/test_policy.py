"""The policy of a group: what is held how, what is refused, what becomes of state when the policy changes."""

from __future__ import annotations

import io
import warnings

import pytest
import torch

import gradwright as gw
from gradwright.core import ParamSpec, Slot
from gradwright.core.policy import STATE, WEIGHTS, Policy
from gradwright.optimizer.arrays import values_of

BF16, F16, F32 = torch.bfloat16, torch.float16, torch.float32


def leaf(*shape, dtype=F32):
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return values.to(dtype).requires_grad_()


def stepped(optimizer, count=3):
    for step in range(count):
        for group in optimizer.param_groups:
            for param in group["params"]:
                random = torch.Generator().manual_seed(step)
                param.grad = torch.randn(param.shape, generator=random, dtype=torch.float64).to(param.dtype)
        optimizer.step()
    return optimizer


BAD = {
    "8bits": (lambda: gw.AdamW([leaf(3)], state="8bits"), "AdamW: state='8bits' is unknown.*did you mean '8bit'"),
    "split": (lambda: gw.AdamW([leaf(3)], weights="split"), "AdamW: weights='split' is unknown.*split"),
    "a number": (lambda: gw.Lion.bind(state=8), "Lion: state=8 is unknown; known are auto"),
    "a group's": (lambda: gw.AdamW([{"params": [leaf(3)], "state": "4bit"}]), "state='4bit' is unknown"),
    "float64": (lambda: gw.AdamW([leaf(3, dtype=torch.float64)], state="8bit"), "parameter 0 .3., which is float64"),
    "float32 of float64": (lambda: gw.AdamW([leaf(3, dtype=torch.float64)], state="float32"), "which is float64"),
    "complex": (lambda: gw.AdamW([leaf(3).detach().cfloat()], state="bfloat16"), "complex64; give it a group"),
    "split float32": (lambda: gw.AdamW([leaf(3)], weights="split24"), "half precision, and parameter 0 .* float32"),
    "split32 float16": (lambda: gw.AdamW([leaf(3, dtype=F16)], weights="split32"), "use weights='split24'"),
    "offload": (lambda: gw.AdamW([leaf(3)], offload=True), "offload=True, .* is not offered: .*give state='8bit'"),
    "stochastic float32": (lambda: gw.AdamW([leaf(3)], weights="stochastic"), "weights='plain'"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_held_is_refused_by_name(name):
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("state", STATE)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_every_slot_has_a_format(state, weights):
    for dtype in (BF16, F16):
        if (weights, dtype) == ("split32", F16):
            continue
        spec = ParamSpec((4, 64), dtype, policy=Policy(state, weights))
        for role in ("moment", "square", "weight", "exact"):
            assert Slot(role=role).nbytes_for(spec) >= 4 * 64
        assert Slot(keep=(0,)).dtype_for(spec) == F32
        moving, fixed = Slot(start="param").storage_for(spec), Slot(start="param", fixed=True).storage_for(spec)
        if state != "parameter":
            assert str(moving) not in ("bfloat16", "float16"), "weights that move stand still in half precision"
        held = torch.randn(4, 64).to(dtype).float()
        assert torch.equal(fixed.decode(*fixed.encode(held)).float(), held)


BYTES = {  # weight, gradient and state of a bfloat16 matrix
    ("AdamW", "8bit", "split24"): 7.125,
    ("AdamW", "bfloat16", "split32"): 10.0,
    ("AdamW", "auto", "plain"): 10.0,
    ("Lion", "8bit", "split24"): 6.0625,
    ("Tiger", "8bit", "split24"): 6.0625,
    ("Tiger", "8bit", "stochastic"): 5.0625,
}


@pytest.mark.parametrize("name", BYTES, ids=" ".join)
def test_bytes_of_a_parameter(name):
    recipe, state, weights = name
    matrix = leaf(64, 128, dtype=BF16)
    optimizer = stepped(getattr(gw, recipe)([matrix], state=state, weights=weights, engine="eager"), 1)
    kept = sum(value.nbytes for value in optimizer.state[matrix].values() if isinstance(value, torch.Tensor))
    assert (kept + matrix.nbytes + matrix.grad.nbytes) / matrix.numel() == BYTES[name]


def test_routes_binds_and_combinators_take_it():
    net = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.Linear(64, 64)).bfloat16()
    optimizer = gw.route(
        net, {"matrix": gw.Lion.bind(state="8bit"), "*": gw.cautious(gw.AdamW)}, state="bfloat16", weights="split24"
    )
    assert [(group["state"], group["weights"]) for group in optimizer.param_groups] == [
        ("8bit", "split24"),
        ("bfloat16", "split24"),
    ]
    stepped(optimizer)
    assert optimizer.state[net[0].weight]["two_speed.m"].dtype == torch.int8
    built = gw.build("Muon", net, state="8bit")
    assert {group["state"] for group in built.param_groups} == {"8bit"}
    assert "state: 8bit" in repr(built)
    assert "weights" not in repr(built)


@pytest.mark.parametrize("engine", ["eager", "auto"])
def test_a_policy_that_changes_during_a_run_converts_with_a_line(engine):
    matrix = leaf(8, 64, dtype=BF16)
    optimizer = stepped(gw.AdamW([matrix], lr=1e-4, state="float32", weights="split32", engine=engine))
    full, m = optimizer.full_weights()["parameter 0"], optimizer.state[matrix]["ema.m"].clone()
    optimizer.param_groups[0].update(state="8bit", weights="split24")
    optimizer.zero_grad()
    with pytest.warns(UserWarning, match="state='float32' became '8bit' and weights='split32' became 'split24'"):
        optimizer.step()
    state = optimizer.state[matrix]
    assert state["ema.m"].dtype == state["param:low"].dtype == torch.int8
    assert torch.allclose(optimizer.full_weights()["parameter 0"], full, rtol=2.0**-16, atol=0)
    assert torch.allclose(values_of(state, "ema.m"), m, atol=float(m.abs().max()) * 0.02)
    stepped(optimizer)
    optimizer.param_groups[0]["weights"] = "plain"
    with pytest.warns(UserWarning, match="what rounding took from the weights is dropped"):
        stepped(optimizer)
    assert "param:low" not in optimizer.state[matrix]


def test_a_policy_that_cannot_be_is_refused_before_anything_changes():
    matrix = leaf(8, 64)
    optimizer = stepped(gw.AdamW([matrix]))
    before = dict(optimizer.state[matrix])
    optimizer.param_groups[0]["weights"] = "split24"
    matrix.grad = torch.ones_like(matrix)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(RuntimeError, match="half precision"):
            optimizer.step()
    assert all(optimizer.state[matrix][key] is value for key, value in before.items())
    optimizer.param_groups[0]["weights"] = "plain"
    stepped(optimizer)


def test_a_checkpoint_of_another_format_is_converted_with_a_line():
    one, other = leaf(8, 64, dtype=BF16), leaf(8, 64, dtype=BF16)
    first = stepped(gw.AdamW([one], state="8bit", weights="split24"))
    second = gw.AdamW([other], state="float32", weights="split32")
    with torch.no_grad():
        other.copy_(one)
    with pytest.warns(UserWarning, match="ema.m from 8 bits, companded to float32"):
        second.load_state_dict(first.state_dict())
    assert second.param_groups[0]["state"] == "float32"
    assert torch.allclose(first.full_weights()["parameter 0"], second.full_weights()["parameter 0"], rtol=1e-7)
    third = gw.AdamW([leaf(8, 64)])  # of a float32 model
    with pytest.warns(UserWarning, match="converted"):
        third.load_state_dict(first.state_dict())
    fourth = gw.AdamW([leaf(8, 64, dtype=BF16)], state="8bit", weights="split24")
    with pytest.warns(UserWarning, match="the weights from bfloat16 to bfloat16 and 8 bits"):
        fourth.load_state_dict(stepped(third).state_dict())
    stepped(fourth)


def test_codes_without_their_scale_are_refused():
    first = stepped(gw.Lion([leaf(8, 64)], state="8bit"))
    damaged = first.state_dict()
    del damaged["state"][0]["two_speed.m:scale"]
    for state in ("8bit", "float32"):
        with pytest.raises(ValueError, match=r"lacks 'two_speed\.m:scale' of parameter 0"):
            gw.Lion([leaf(8, 64)], state=state).load_state_dict(damaged)


def test_a_checkpoint_in_8_bits_is_small():
    def size(state):
        file = io.BytesIO()
        torch.save(stepped(gw.AdamW([leaf(64, 256)], state=state, engine="eager"), 1).state_dict(), file)
        return file.tell()

    assert size("8bit") < 0.3 * size("float32")


def test_full_weights_go_out_and_in():
    names = {"w": leaf(8, 64, dtype=BF16), "b": leaf(5, dtype=BF16)}
    optimizer = gw.AdamW(list(names.items()), weights="split32")
    wide = {name: torch.randn(one.shape, generator=torch.Generator().manual_seed(3)) for name, one in names.items()}
    optimizer.load_full_weights({**wide, "running_mean": torch.zeros(3)})
    assert all(torch.equal(wide[name], full) for name, full in optimizer.full_weights().items())
    assert all(torch.equal(wide[name].bfloat16(), one.detach()) for name, one in names.items())
    with pytest.raises(ValueError, match="no weights of 'b'"):
        optimizer.load_full_weights({"w": wide["w"]})
    with pytest.raises(ValueError, match=r"'w' is torch\.float32 of shape"):
        optimizer.load_full_weights({**wide, "w": torch.zeros(3)})
    assert torch.equal(optimizer.full_weights()["w"], wide["w"]), "a refusal changed something"


def test_a_bfloat16_weight_learns():
    def moved(**formats):
        weight = torch.ones(64, dtype=BF16, requires_grad=True)
        optimizer = gw.AdamW([weight], lr=1e-4, weight_decay=0.0, **formats)
        for _ in range(300):
            weight.grad = torch.ones_like(weight)
            optimizer.step()
        return 1 - float(optimizer.full_weights()["parameter 0"].mean())

    assert moved() == 0.0
    for weights, share in (
        ("split24", 0.1),
        ("split32", 0.02),
        ("stochastic", 0.1),
    ):
        assert moved(weights=weights, engine="eager") == pytest.approx(0.03, rel=share), weights


def test_what_half_types_cannot_hold_is_float32_by_default():
    """A float16 second moment of 1e-8 would be 0, and a bfloat16 one stop at a quarter of what it should be."""
    for dtype in (F16, BF16):
        weight = torch.zeros(64, dtype=dtype, requires_grad=True)
        optimizer = gw.AdamW([weight], lr=1e-3, betas=(0.9, 0.999), weight_decay=0.0, engine="eager")
        for _ in range(1000):
            weight.grad = torch.full_like(weight, 1e-4)
            optimizer.step()
        v = optimizer.state[weight]["precondition.v"]
        assert float(v.mean()) == pytest.approx(1e-8 * (1 - 0.999**1000), rel=0.02)
