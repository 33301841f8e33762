"""What cannot be optimized is refused with an error that names it and the way out."""

import pytest
import torch

import gradwright
from gradwright import AdamW
from gradwright.contract.training import changes, snapshot
from tests.optimizer.models import leaf, model


def _exhausted():
    parameters = model().parameters()
    list(parameters)
    return parameters


def _twice():
    param = leaf()
    return [param, leaf(), param]


def _in_two_groups():
    param = leaf()
    return [{"params": [param]}, {"params": [leaf(), param]}]


WRONG_PARAMS = {
    "an empty list": (list, ValueError, ("AdamW", "empty")),
    "an exhausted generator": (_exhausted, ValueError, ("AdamW", "exhausted", "call it again")),
    "a module": (model, TypeError, ("AdamW", "module", "model.parameters()")),
    "a tensor": (leaf, TypeError, ("AdamW", "[tensor]")),
    "a group": (lambda: {"params": [leaf()]}, TypeError, ("AdamW", "[group]")),
    "a number": (lambda: 3, TypeError, ("AdamW", "int", "list of tensors")),
    "numbers": (lambda: [1.0], TypeError, ("float", "tensors")),
    "a set": (lambda: [{"params": {leaf()}}], TypeError, ("set", "list")),
    "a set as the list": (lambda: {leaf(), leaf()}, TypeError, ("set", "list")),
    "a tensor twice in a group": (_twice, ValueError, ("AdamW", "parameter 2", "twice")),
    "a tensor in two groups": (_in_two_groups, ValueError, ("AdamW", "parameter 2", "twice")),
    "integers": (lambda: [leaf(), torch.arange(3)], ValueError, ("AdamW", "parameter 1 (3)", "torch.int64")),
    "half complex": (lambda: [torch.ones(2, dtype=torch.complex32)], ValueError, ("AdamW", "complex64")),
    "no leaf": (lambda: [leaf() * 2], ValueError, ("AdamW", "parameter 0 (3x4)", "no leaf")),
    "some names": (lambda: [("a", leaf()), leaf()], ValueError, ("1 of 2", "all of them or none")),
    "a group without params": (lambda: [{"lr": 0.1}], ValueError, ("'params'", "lr")),
    "groups and tensors": (lambda: [{"params": [leaf()]}, leaf()], TypeError, ("AdamW", "groups and a Tensor")),
    "too many roles": (
        lambda: [{"params": [leaf()], "roles": ["bias", "gain"]}],
        ValueError,
        ("2 roles", "1 parameters"),
    ),
}


@pytest.mark.parametrize("name", WRONG_PARAMS)
@pytest.mark.filterwarnings("ignore:.*ComplexHalf.*")
def test_wrong_params_are_refused(name):
    make, kind, words = WRONG_PARAMS[name]
    given = make()
    with pytest.raises(kind) as refusal:
        AdamW(given)
    for word in words:
        assert word in str(refusal.value)


def test_muon_refuses_a_vector_by_its_name_and_says_where_to_put_it():
    with pytest.raises(ValueError, match=r"Muon.*0\.bias \(4\).*not a matrix.*presets\.muon"):
        gradwright.Muon(model().named_parameters())


def test_an_unknown_argument_lists_those_there_are():
    with pytest.raises(TypeError, match=r"AdamW.*learning_rate.*lr, betas, eps, weight_decay"):
        AdamW([leaf()], learning_rate=1)


def test_too_many_positional_arguments():
    with pytest.raises(TypeError, match=r"AdamW.*too many positional arguments"):
        AdamW([leaf()], 1e-3, (0.9, 0.99), 1e-8, 0.0, False, "more")


def test_the_wrong_number_of_betas():
    with pytest.raises(ValueError, match=r"AdamW: betas=\(0.9,\).*2 are needed"):
        AdamW([leaf()], betas=(0.9,))


def test_a_slip_of_the_pen_in_a_group_is_an_error():
    with pytest.raises(ValueError, match=r"AdamW.*'weight_decy'.*'weight_decay'"):
        AdamW([{"params": [leaf()], "weight_decy": 0.1}])


def test_a_key_that_nothing_uses_is_a_warning():
    with pytest.warns(UserWarning, match="AdamW does not use 'colour'"):
        AdamW([{"params": [leaf()], "colour": "red"}])


@pytest.mark.parametrize("key", ["name", "initial_lr", "swa_lr"])
def test_keys_that_torch_puts_into_groups_are_no_warning(key, recwarn):
    AdamW([{"params": [leaf()], key: 0.1}])
    assert not recwarn.list


def test_flags_of_torch_are_taken_with_a_warning():
    with pytest.warns(UserWarning, match="AdamW: foreach=True has no effect"):
        AdamW([leaf()], foreach=True)


def test_an_unknown_engine_lists_those_there_are():
    with pytest.raises(ValueError, match="engine='warp' is unknown; give one of auto, eager"):
        AdamW([leaf()], engine="warp")


def test_groups_of_a_plain_optimizer_name_their_recipe():
    with pytest.raises(ValueError, match=r"names its recipe.*\"recipe\""):
        gradwright.Optimizer([leaf()])


def test_an_unknown_recipe_has_near_ones():
    with pytest.raises(ValueError, match="'AdmW'; did you mean AdamW"):
        gradwright.Optimizer([{"params": [leaf()], "recipe": "AdmW"}])


@pytest.mark.parametrize(
    ("recipe", "knobs", "words"),
    [
        (gradwright.SGD, {"nesterov": True}, "SGD: nesterov=True needs momentum"),
        (gradwright.NAdam, {"form": "nasa"}, "NAdam: form='nasa' is unknown"),
        (gradwright.NAdam, {"form": "optax", "momentum_decay": 0.1}, "NAdam: momentum_decay=0.1 has no place"),
        (gradwright.Adafactor, {"form": "jax"}, "Adafactor: form='jax' is unknown"),
        (gradwright.Adafactor, {"beta2_decay": 0.5}, "Adafactor: beta2_decay=0.5 must be negative"),
        (gradwright.AdaLo, {"mode": "nice"}, "AdaLo.*mode='nice' is unknown"),
        (gradwright.AdaLo, {"kappa": 0.0}, "AdaLo.*kappa=0"),
        (gradwright.Muon, {"coefficients": "mine"}, "Muon.*coefficients='mine' is unknown"),
        (gradwright.Muon, {"adjust_lr": "mine"}, "Muon.*'mine' is unknown"),
        (gradwright.Tiger, {"accumulate": 0}, "Tiger: accumulate=0 must be at least 1"),
        (gradwright.ScheduleFreeAdamW, {"betas": (0.0, 0.9)}, "ScheduleFreeAdamW.*beta=0"),
        (gradwright.lookahead(gradwright.SGD), {"k": 0}, "LookaheadSGD.*k=0 must be at least 1"),
        (gradwright.lookahead(gradwright.SGD), {"alpha": 1.5}, "LookaheadSGD.*alpha=1.5"),
    ],
)
def test_impossible_choices_are_refused_by_name(recipe, knobs, words):
    with pytest.raises(ValueError, match=words):
        recipe([leaf()], **knobs)


def test_a_refused_group_leaves_the_optimizer_as_it_was():
    optimizer = AdamW([leaf()])
    for group in (
        {"params": [torch.arange(3)]},
        {"params": [leaf()], "lr": -1.0},
        {"params": [leaf()], "weigth_decay": 1},
    ):
        with pytest.raises(ValueError, match="AdamW"):
            optimizer.add_param_group(group)
        assert len(optimizer.param_groups) == 1
        assert len(optimizer.state) == 1


def test_lr_on_a_device_would_stall_it():
    with pytest.raises(ValueError, match=r"lr is a tensor on meta.*Give a float or a CPU tensor"):
        AdamW([leaf()], lr=torch.ones((), device="meta"))


def test_lr_of_several_numbers():
    with pytest.raises(ValueError, match=r"AdamW: lr is a tensor of shape \(2,\); give one number"):
        AdamW([leaf()], lr=torch.ones(2))


def test_combinators_take_recipes():
    with pytest.raises(TypeError, match=r"cautious.*gradwright.AdamW"):
        gradwright.cautious(torch.optim.AdamW)
    with pytest.raises(ValueError, match=r"lookahead.*both have a hyper-parameter 'alpha'"):
        gradwright.lookahead(gradwright.lookahead(gradwright.SGD))


def test_an_unknown_role_has_near_ones():
    with pytest.raises(ValueError, match=r"'gian'.*'gain'"):
        gradwright.Tiger([{"params": [leaf(5)], "role": "gian"}])


def test_a_role_is_a_string():
    with pytest.raises(TypeError, match=r"Tiger: role=\('gain',\) is a tuple; give words in one string"):
        gradwright.Tiger([{"params": [leaf(5)], "role": ("gain",)}])


def test_names_for_one_group_only():
    optimizer = AdamW(model().named_parameters())
    before = snapshot(optimizer)
    with pytest.raises(ValueError, match="with/without names"):
        optimizer.add_param_group({"params": [leaf()]})
    assert not changes(before, snapshot(optimizer))


@pytest.mark.parametrize("recipe", [gradwright.SM3, gradwright.Muon, gradwright.lookahead(gradwright.SGD)])
def test_a_sparse_gradient_is_sent_to_recipes_that_take_it(recipe):
    param = leaf(3, 4)
    optimizer = recipe([param])
    param.grad = torch.ones(3, 4).to_sparse(1)
    words = rf"is sparse, and {recipe.recipe_name} cannot .* sparse=False, .*SGD, Adagrad, RMSprop, Adam, AdamW or Lion"
    with pytest.raises(ValueError, match=words):
        optimizer.step()


def test_a_gradient_that_is_not_sparse_by_rows_is_refused():
    param = leaf(3, 4)
    optimizer = AdamW([param])
    param.grad = torch.ones(3, 4).to_sparse()
    with pytest.raises(ValueError, match=r"is sparse in 2 dimensions, .* to_dense\(\)"):
        optimizer.step()
    assert set(optimizer.state[param]) == {"step", "ema.m", "precondition.v"}
