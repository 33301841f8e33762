"""A run goes to torch.optim and back: the trajectory is torch's, and a checkpoint survives the way there and back."""

import copy

import pytest
import torch
import torch.optim._muon as torch_muon

import gradwright as gw
from gradwright.contract.training import noise
from tests.parity.test_torch import newton_schulz

SHAPES = ((3, 4), (4, 2), (5,), ())
ROWS = [
    ("SGD", {"lr": 0.1}, {}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1}, {}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}, {}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}, {}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}, {}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1}, {}),
    ("Adam", {"lr": 0.01, "betas": (0.8, 0.5), "amsgrad": True}, {}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.1}, {}),
    ("AdamW", {"lr": 0.01, "betas": (0.8, 0.5), "amsgrad": True, "maximize": True}, {}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1}, {}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "momentum_decay": 0.02}, {}),
    ("RAdam", {"lr": 0.01, "betas": (0.9, 0.8), "weight_decay": 0.1}, {}),
    ("RAdam", {"lr": 0.01, "betas": (0.9, 0.8), "weight_decay": 0.1, "decoupled_weight_decay": True}, {}),
    ("Adamax", {"lr": 0.01, "weight_decay": 0.1}, {}),
    ("RMSprop", {"lr": 0.01, "alpha": 0.9, "weight_decay": 0.1}, {}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9, "centered": True}, {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1}, {}),
    ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.5}, {}),
    ("Adadelta", {"lr": 0.5, "weight_decay": 0.1}, {}),
    ("ASGD", {"lr": 0.1, "lambd": 0.1}, {}),
    ("ASGD", {"lr": 0.1, "lambd": 0.01, "alpha": 0.5, "t0": 2.0, "weight_decay": 0.1, "maximize": True}, {}),
    ("Rprop", {"lr": 0.1, "etas": (0.4, 1.3), "step_sizes": (1e-4, 1.0)}, {}),
    ("Adafactor", {"lr": 0.01, "eps": (1e-12, 1e-3), "weight_decay": 0.1}, {"form": "torch"}),
    ("Muon", {"lr": 0.01, "weight_decay": 0.1}, {"coefficients": "keller"}),
    ("Muon", {"lr": 0.01, "weight_decay": 0.0, "nesterov": False, "momentum": 0.8}, {"adjust_lr": "match_rms_adamw"}),
]
each = pytest.mark.parametrize(
    ("name", "knobs", "own"), ROWS, ids=[f"{name}-{'-'.join({**knobs, **own})}" for name, knobs, own in ROWS]
)


@pytest.fixture(autouse=True)
def _double_precision(monkeypatch):
    """torch keeps step counts and NAdam's product in the default type, and orthogonalises in bfloat16."""
    monkeypatch.setattr(torch_muon, "_zeropower_via_newtonschulz", newton_schulz)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def leaves(name, dtype=torch.float64):
    shapes = SHAPES[:2] if name == "Muon" else SHAPES
    return [noise(seed, shape, dtype).requires_grad_() for seed, shape in enumerate(shapes)]


def theirs(name, params, knobs, own):
    renamed = {"adjust_lr": "adjust_lr_fn"}
    extra = {renamed[key]: value for key, value in own.items() if key in renamed}
    return getattr(torch.optim, name)(params, **knobs, **extra)


def train(optimizer, first, last):
    for time in range(first, last):
        for index, param in enumerate(optimizer.param_groups[0]["params"]):
            param.grad = param.detach() - 1 + 0.3 * noise(100 * time + index, param.shape, param.dtype)
        optimizer.step()


@each
def test_torch_goes_on_from_there_as_if_it_had_made_the_run(name, knobs, own):
    alone = theirs(name, leaves(name), knobs, own)
    train(alone, 0, 12)
    ours = getattr(gw, name)(leaves(name), **knobs, **own)
    train(ours, 0, 6)
    after = theirs(name, ours.param_groups[0]["params"], {"lr": 123.0}, {})
    after.load_state_dict(gw.to_torch(ours))
    train(after, 6, 12)
    for expected, found in zip(alone.param_groups[0]["params"], after.param_groups[0]["params"]):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    for flag in ("lr", *knobs):
        assert after.param_groups[0][flag] == knobs[flag]


@each
def test_a_checkpoint_of_torch_comes_back_bit_for_bit(name, knobs, own):
    before = theirs(name, leaves(name), knobs, own)
    train(before, 0, 5)
    saved = copy.deepcopy(before.state_dict())
    ours = getattr(gw, name)(leaves(name))
    ours.load_state_dict(saved)
    back = gw.to_torch(ours)
    assert back["param_groups"] == saved["param_groups"]
    assert back["state"].keys() == saved["state"].keys()
    for index, entry in saved["state"].items():
        there = {key: value for key, value in entry.items() if value is not None}
        assert back["state"][index].keys() == there.keys()
        for key, value in there.items():
            assert torch.equal(back["state"][index][key].to(value.dtype), value), (index, key)


@each
def test_before_the_first_step_there_is_the_state_that_torch_has_then(name, knobs, own):
    saved = gw.to_torch(getattr(gw, name)(leaves(name), **knobs, **own))
    after = theirs(name, leaves(name), knobs, own)
    assert saved["state"].keys() == after.state_dict()["state"].keys()
    after.load_state_dict(saved)
    train(after, 0, 2)


def test_a_copy_is_handed_over():
    ours = gw.AdamW(leaves("AdamW"))
    train(ours, 0, 2)
    after = torch.optim.AdamW(leaves("AdamW"))
    after.load_state_dict(gw.to_torch(ours))
    kept = ours.state[ours.param_groups[0]["params"][0]]["ema.m"].clone()
    train(after, 2, 4)
    assert torch.equal(ours.state[ours.param_groups[0]["params"][0]]["ema.m"], kept)


def test_complex_parameters_go_there_and_back():
    def fresh():
        return [noise(3, (3, 2), torch.complex128).requires_grad_()]

    alone, ours = torch.optim.AdamW(fresh(), lr=0.1), gw.AdamW(fresh(), lr=0.1)
    train(alone, 0, 6)
    train(ours, 0, 2)
    between = torch.optim.AdamW(ours.param_groups[0]["params"])
    between.load_state_dict(gw.to_torch(ours))
    train(between, 2, 4)
    back = gw.AdamW(ours.param_groups[0]["params"])
    back.load_state_dict(between.state_dict())
    train(back, 4, 6)
    torch.testing.assert_close(back.param_groups[0]["params"], alone.param_groups[0]["params"], rtol=1e-12, atol=1e-14)


def test_groups_names_and_what_schedulers_keep_go_along():
    first, second = leaves("AdamW")[:2]
    groups = [{"params": [("a", first)], "lr": 0.1}, {"params": [("b", second)], "lr": 0.2, "initial_lr": 0.4}]
    saved = gw.to_torch(gw.AdamW(groups))
    assert [group["params"] for group in saved["param_groups"]] == [[0], [1]]
    assert [group["param_names"] for group in saved["param_groups"]] == [["a"], ["b"]]
    assert saved["param_groups"][1]["initial_lr"] == 0.4


REFUSED = [
    (lambda: gw.Lion(leaves("Lion")), ValueError, "Lion has no counterpart in torch.optim"),
    (lambda: gw.cautious(gw.AdamW)(leaves("AdamW")), ValueError, "CautiousAdamW has no counterpart"),
    (lambda: gw.NAdam(leaves("NAdam"), form="dozat"), ValueError, "NAdam: form='dozat' has no counterpart"),
    (lambda: gw.Adafactor(leaves("Adafactor")), ValueError, "Adafactor: form='paper' has no counterpart"),
    (lambda: gw.Adafactor(leaves("A"), form="torch", momentum=0.5), ValueError, "Adafactor: momentum=0.5 has no"),
    (lambda: gw.RAdam(leaves("RAdam"), degenerated_to_sgd=False), ValueError, "degenerated_to_sgd=False has no"),
    (lambda: gw.Muon(leaves("Muon"), coefficients="you"), ValueError, "Muon: coefficients='you' change"),
    (lambda: gw.Muon(leaves("Muon"), adjust_lr="spectral"), ValueError, "Muon: adjust_lr='spectral' is none of torch"),
    (lambda: gw.Muon(leaves("Muon"), split=1, lazy=True), ValueError, "Muon: lazy=True has no counterpart"),
    (lambda: gw.Muon(leaves("Muon"), maximize=True), ValueError, "Muon of this version has no maximize"),
    (
        lambda: gw.Optimizer([{"params": [p], "recipe": r} for p, r in zip(leaves("X"), ("AdamW", "SGD"))]),
        ValueError,
        "AdamW and SGD",
    ),
    (lambda: torch.optim.SGD(leaves("SGD")), TypeError, "gradwright, got a SGD"),
]


@pytest.mark.parametrize(("make", "kind", "words"), REFUSED, ids=[row[2] for row in REFUSED])
def test_what_torch_does_not_have_is_refused_by_name(make, kind, words):
    with pytest.raises(kind, match=words):
        gw.to_torch(make())


READ = [
    (
        "Adam",
        "Adam",
        {"decoupled_weight_decay": True, "weight_decay": 0.1},
        "decoupled_weight_decay=True.*gradwright.AdamW",
    ),
    ("Adam", "AdamW", {"weight_decay": 0.1}, "decoupled_weight_decay=False.*gradwright.Adam"),
    ("NAdam", "Adam", {}, "momentum_decay=0.004"),
    ("Adam", "Adamax", {}, "exp_avg_sq"),
    ("Muon", "Muon", {"ns_steps": 3}, "ns_coefficients=.*ns_steps=3"),
    ("Muon", "Muon", {"ns_coefficients": (3.0, -4.0, 2.0)}, r"ns_coefficients=\(3.0, -4.0, 2.0\)"),
    ("Muon", "Muon", {"eps": 1e-3}, "eps=0.001"),
    ("SGD", "SGD", {"differentiable": True}, "differentiable=True"),
]


@pytest.mark.parametrize(
    ("saver", "reader", "knobs", "words"), READ, ids=[f"{r[0]}-{r[1]}-{'-'.join(r[2])}" for r in READ]
)
def test_what_this_library_does_not_have_is_refused_by_name(saver, reader, knobs, words):
    before = getattr(torch.optim, saver)(leaves("Muon"), **knobs)
    if not knobs.get("differentiable"):
        train(before, 0, 2)
    ours = getattr(gw, reader)(leaves("Muon"))
    kept = copy.deepcopy(ours.state_dict())
    with pytest.raises(ValueError, match=f"state_dict.*{words}"):
        ours.load_state_dict(before.state_dict())
    assert str(kept) == str(ours.state_dict())


def test_an_eps_that_torch_leaves_to_the_type_is_that_of_the_parameters():
    before = torch.optim.Adafactor(leaves("Adafactor"), lr=0.05)
    train(before, 0, 3)
    after = gw.Adafactor(leaves("Adafactor"))
    with torch.no_grad():
        for mine, yours in zip(after.param_groups[0]["params"], before.param_groups[0]["params"]):
            mine.copy_(yours)
    after.load_state_dict(before.state_dict())
    assert after.param_groups[0]["eps"] == (torch.finfo(torch.float64).eps, 1e-3)
    assert after.param_groups[0]["form"] == "torch"
    train(before, 3, 6)
    train(after, 3, 6)
    torch.testing.assert_close(
        after.param_groups[0]["params"], before.param_groups[0]["params"], rtol=1e-12, atol=1e-14
    )
