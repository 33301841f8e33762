"""Watch around real training: what it says, what it measures, and that it changes nothing."""

import math
import warnings

import pytest
import torch
from torch import nn

import gradwright as gw
from gradwright.observe import Cause, Severity, Watch
from tests.observe.loops import batches, network, train


def causes(watch):
    return [finding.cause for finding in watch.findings()]


OPTIMIZERS = {
    "torch.AdamW": lambda params: torch.optim.AdamW(params, lr=3e-3),
    "torch.SGD": lambda params: torch.optim.SGD(params, lr=0.1, momentum=0.9),
    "AdamW": lambda params: gw.AdamW(params, lr=3e-3),
    "Lion": lambda params: gw.Lion(params, lr=1e-3),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_nothing_is_wrong_with_a_healthy_run(name):
    model = network()
    assert causes(train(model, OPTIMIZERS[name](model.parameters()))) == []


def test_nothing_is_said_of_a_batch_whose_size_is_not_known():
    """A trainer that tells the loss alone."""
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with Watch(model, optimizer, every=2) as watch:
        for _ in range(80):
            inputs, targets = torch.randn(1, model[0].in_features), torch.randint(2, (1,))
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()
            watch.step(loss)
    assert math.isnan(watch.record().data.size)
    assert Cause.BATCH_TOO_SMALL not in causes(watch)


def test_a_gradient_that_is_not_cleared():
    model = network()
    watch = train(model, OPTIMIZERS["torch.SGD"](model.parameters()), clears=False)
    assert causes(watch)[0] is Cause.NOT_CLEARED


def test_gradients_of_another_loss_that_are_cleared_before_their_own():
    """As in adversarial training: the backward of one model leaves gradients in the other."""
    one, two = network(), network()
    first, second = torch.optim.SGD(one.parameters(), 0.01), torch.optim.SGD(two.parameters(), 0.01)
    watch = Watch(nn.ModuleList([one, two]), [first, second])
    for x, y in batches(30):
        first.zero_grad()
        nn.functional.cross_entropy(one(x) + two(x), y).backward()
        first.step()
        second.zero_grad()
        nn.functional.cross_entropy(two(x), y).backward()
        second.step()
        watch.step()
    assert causes(watch) == []


def test_accumulation_is_no_gradient_that_is_not_cleared():
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    watch = Watch(model, optimizer)
    for at, (x, y) in enumerate(batches(80)):
        loss = nn.functional.cross_entropy(model(x), y) / 2
        loss.backward()
        if at % 2:
            optimizer.step()
            optimizer.zero_grad()
            watch.step(loss)
    assert causes(watch) == []


def test_steps_far_too_large():
    model = network()
    assert causes(train(model, torch.optim.SGD(model.parameters(), lr=100.0)))[0] is Cause.LR_TOO_HIGH


def test_steps_far_too_small():
    model = network()
    assert causes(train(model, torch.optim.AdamW(model.parameters(), lr=1e-7)))[0] is Cause.LR_TOO_LOW


@pytest.mark.parametrize("kind", [torch.optim.AdamW, gw.AdamW])
def test_a_loss_that_is_scaled_away(kind):
    model = network()
    assert causes(train(model, kind(model.parameters(), lr=3e-3), scale=1e-11))[0] is Cause.EPS_RULES


def test_short_weights():
    model = network().bfloat16()
    assert causes(train(model, gw.AdamW(model.parameters(), lr=3e-5)))[0] is Cause.LOST_TO_ROUNDING


@pytest.mark.parametrize("kept", ["split24", "split32", "stochastic"])
def test_short_weights_whose_rest_is_kept(kept):
    model = network().bfloat16()
    found = causes(train(model, gw.AdamW(model.parameters(), lr=3e-5, weights=kept)))
    assert Cause.LOST_TO_ROUNDING not in found


def test_inputs_of_another_size():
    model = network()
    assert (
        causes(train(model, torch.optim.AdamW(model.parameters(), lr=1e-3), factor=200.0))[0] is Cause.INPUTS_NOT_SCALED
    )


def test_a_head_that_was_replaced_after_the_optimizer_was_made():
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model[4] = nn.Linear(32, 4)
    watch = train(model, optimizer)
    assert causes(watch)[0] is Cause.STALE_PARAMETERS
    assert [f.severity for f in watch.findings() if f.cause is Cause.NOT_HELD] == [Severity.NOTE]


def test_a_parameter_that_no_optimizer_holds():
    model = network()
    watch = train(model, torch.optim.AdamW(list(model.parameters())[2:], lr=3e-3))
    [found] = [finding for finding in watch.findings() if finding.cause is Cause.NOT_HELD]
    assert found.layers == ("0.weight", "0.bias")
    assert found.severity > Severity.NOTE


def test_a_parameter_that_another_optimizer_holds():
    model = network()
    mine, other = list(model.parameters())[2:], list(model.parameters())[:2]
    unseen = torch.optim.SGD(other, 0.01)
    watch = train(model, torch.optim.AdamW(mine, lr=3e-3), after=lambda watch, step: unseen.step())
    assert causes(watch) == []


def test_a_scaler_that_skips():
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120, backoff_factor=0.999)
    watch = Watch(model, optimizer, scaler=scaler)
    for x, y in batches(30):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        scaler.scale(loss * 2.0**20).backward()
        scaler.step(optimizer)
        scaler.update()
        watch.step(loss)
    assert causes(watch)[0] is Cause.SCALER_SKIPS


@pytest.mark.parametrize("wrong", [True, False])
def test_the_mode_of_evaluation(wrong):
    model = network(dropout=0.3)

    @torch.no_grad()
    def validate(watch, step):
        if step % 10 == 9:
            model.train(wrong)
            value = nn.functional.cross_entropy(model(torch.ones(4, 12)), torch.zeros(4, dtype=torch.long))
            model.train()
            watch.validation(value)

    watch = train(model, torch.optim.AdamW(model.parameters(), lr=3e-3), after=validate)
    assert (Cause.EVAL_IN_TRAIN_MODE in causes(watch)) == wrong


@pytest.mark.parametrize("wrong", [True, False])
def test_the_weights_of_evaluation(wrong):
    model = network()
    optimizer = gw.ScheduleFreeAdamW(model.parameters(), lr=5e-3)

    @torch.no_grad()
    def validate(watch, step):
        if step % 10 == 9:
            if wrong:
                model(torch.ones(4, 12))
            else:
                with optimizer.evaluating():
                    model(torch.ones(4, 12))
            watch.validation(1.0)

    watch = train(model, optimizer, after=validate)
    assert (Cause.WEIGHTS_NOT_IN_PLACE in causes(watch)) == wrong


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_watched_run_is_the_same_run(name):
    def weights(watched):
        model = network(dropout=0.2)
        optimizer = OPTIMIZERS[name](model.parameters())
        torch.manual_seed(5)
        if watched:
            train(model, optimizer, 25)
        else:
            for x, y in batches(25):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
        return [param.detach().clone() for param in model.parameters()]

    assert all(torch.equal(a, b) for a, b in zip(weights(True), weights(False)))


def test_no_hook_is_left_after_close_and_none_inside_between_watched_steps():
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    watch = train(model, optimizer, 32)
    assert not any(module._forward_hooks for module in model.modules())
    watch.close()
    watch.step(1.0)
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks
    assert not any(param._backward_hooks for param in model.parameters())


def reference(before, after, grad, last, change):
    """Some probes of one tensor, in double precision and by their definitions."""
    w, a, g, p, c = (each.double().flatten() for each in (before, after, grad, last, change))
    d = a - w
    centred = g - g.mean()
    top = g.abs().sort(descending=True).values[: math.ceil(0.01 * len(g))]
    return {
        "weight": w.square().mean().sqrt(),
        "gradient": g.square().mean().sqrt(),
        "update": d.square().mean().sqrt(),
        "relative_update": d.norm() / w.norm(),
        "slope": g @ d,
        "largest": g.abs().max(),
        "zero": (g == 0).double().mean(),
        "lost": ((g != 0) & (d == 0)).double().sum() / (g != 0).double().sum(),
        "turn": d @ c / d.norm() / c.norm(),
        "alike": g @ p / g.norm() / p.norm(),
        "kurtosis": (centred**4).mean() / (centred**2).mean() ** 2,
        "tail": top.square().sum() / g.square().sum(),
    }


def test_probes_are_what_they_are_defined_to_be():
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
    seen = {name: [] for name, _ in model.named_parameters()}
    watch = Watch(model, optimizer)
    for x, y in batches(6):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        before = {name: param.detach().clone() for name, param in model.named_parameters()}
        optimizer.step()
        for name, param in model.named_parameters():
            seen[name].append((before[name], param.detach().clone(), param.grad.clone()))
        watch.step()
    window = watch.record().windows[-1]
    for name, steps in seen.items():
        (b, a, last), (before, after, grad) = steps[-2:]
        for key, value in reference(before, after, grad, last, a - b).items():
            assert getattr(window.parameters[name], key) == pytest.approx(float(value), rel=1e-6, abs=1e-12), key
        decay = 3e-3 * 0.1 * before.double().norm() / (after.double() - before.double()).norm()
        assert window.parameters[name].decay == pytest.approx(float(decay), rel=1e-6)
    whole = torch.cat([steps[-1][2].double().flatten() for steps in seen.values()])
    assert window.norm == pytest.approx(float(whole.norm()), rel=1e-6)


@pytest.mark.parametrize("kind", [torch.optim.AdamW, gw.AdamW])
def test_the_share_that_eps_rules(kind):
    """Of the entries with a second moment, those whose debiased root is below eps."""
    param = nn.Parameter(torch.zeros(4))
    optimizer = kind([param], lr=1e-3, eps=1e-3)
    model = nn.ParameterList([param])
    watch = Watch(model, optimizer)
    param.grad = torch.tensor([0.0, 1e-5, 9e-4, 1.1e-3])
    optimizer.step()
    watch.step()
    assert watch.record().windows[0].parameters["0"].eps == pytest.approx(2 / 3)


def test_histograms_count_by_half_decades_and_sign():
    param = nn.Parameter(torch.tensor([-2.0, 0.0, 0.0, 0.5, 2.0, 2.5]))
    optimizer = torch.optim.SGD([param], lr=0.0)
    watch = Watch(nn.ParameterList([param]), optimizer)
    param.grad = torch.ones(6)
    optimizer.step()
    watch.step()
    found = watch.record().histograms[0].weights["0"]
    assert found.zero == 2
    assert found.negative[32] == 1
    assert (found.positive[31], found.positive[32]) == (1, 2)
    assert sum(found.positive) + sum(found.negative) + found.zero == 6


def test_nothing_waits_for_a_device_between_reports():
    class Waits(torch.utils._python_dispatch.TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.count += function is torch.ops.aten._local_scalar_dense.default
            return function(*args, **(kwargs or {}))

    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer)
    for x, y in batches(5):
        outputs = model(x)
        optimizer.zero_grad()
        nn.functional.cross_entropy(outputs, y).backward()
        with Waits() as waits:
            optimizer.step()
            watch.step(None, outputs, y)
        assert waits.count == 0
    assert len(watch.record().windows) == 5


def test_several_optimizers_are_one_run():
    model = network()
    params = list(model.parameters())
    watch = train(model, [gw.Muon(params[2:3], lr=0.02), gw.AdamW([*params[:2], *params[3:]], lr=3e-3)])
    assert causes(watch) == []
    record = watch.record()
    assert set(record.learning_rates) == {"Muon.0", "AdamW.0"}
    assert record.parameters["2.weight"].optimizer == "Muon"


def test_gradient_release():
    """One optimizer a parameter, stepped within the backward pass."""
    model = network()
    optimizers = {param: torch.optim.SGD([param], lr=0.1) for param in model.parameters()}

    def release(param):
        optimizers[param].step()
        optimizers[param].zero_grad()

    for param in model.parameters():
        param.register_post_accumulate_grad_hook(release)
    watch = Watch(model, optimizers.values())
    for x, y in batches(30):
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        watch.step(loss)
    assert causes(watch) == []
    assert watch.record().windows[-1].parameters["0.weight"].update > 0


def test_closures():
    model = network()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=2)
    watch = Watch(model, optimizer)
    for x, y in batches(25):

        def closure(x=x, y=y):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            return loss

        watch.step(optimizer.step(closure))
    assert watch.record().windows[-1].parameters["0.weight"].update > 0


def test_a_sink_that_fails_ends_alone_and_with_one_warning():
    model, told = network(), []

    def full(window, record):
        raise OSError("no space left")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        watch = Watch(model, torch.optim.SGD(model.parameters(), lr=0.1))
        watch.subscribe(full)
        watch.subscribe(lambda window, record: told.append(window.step))
        for _ in range(3):
            watch.step(1.0)
            watch.record()
    assert told == [1, 2, 3]
    assert ["no space left" in str(each.message) for each in caught] == [True]


def test_a_long_run_keeps_a_bounded_record():
    param = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([param], lr=1e-3)
    watch = Watch(nn.ParameterList([param]), optimizer, every=1)
    for _ in range(1200):
        param.grad = torch.ones(2)
        optimizer.step()
        watch.step(1.0)
    record = watch.record()
    assert len(record.windows) <= 512
    assert sum(window.span for window in record.windows) == 1200
    assert len(record.histograms) < 16
    assert record.windows[0].step == 1
    assert record.windows[-1].step == 1200


def test_bad_input_says_what_to_give():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(TypeError, match="model is a list"):
        Watch([1], optimizer)
    with pytest.raises(TypeError, match="optimizer is a float"):
        Watch(model, 0.1)
    with pytest.raises(TypeError, match="holds nothing"):
        Watch(model, [])
    with pytest.raises(ValueError, match="every=0"):
        Watch(model, optimizer, every=0)
    with pytest.raises(TypeError, match="scaler is a int"):
        Watch(model, optimizer, scaler=3)
    watch = Watch(model, optimizer)
    with pytest.raises(ValueError, match="single number"):
        watch.step(torch.ones(3))
    with pytest.raises(TypeError, match="outputs is a str"):
        watch.step(1.0, outputs="scores")
    with pytest.raises(ValueError, match="single number"):
        watch.validation("low")


def test_a_run_of_nothing_is_fine():
    model = network()
    watch = Watch(model, torch.optim.SGD(model.parameters(), lr=0.1))
    assert watch.findings() == []
    watch.validation(float("nan"))
    watch.step(float("nan"))
    assert [finding.cause for finding in watch.findings()] == [Cause.NON_FINITE]


@pytest.mark.parametrize("how", ["wrapped", "inner", "in place"])
def test_compiled_models_stay_whole_graphs(how):
    model = network()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    if how == "in place":
        model.compile(backend="eager", fullgraph=True)
    called, watched = (compiled if how != "in place" else model), (compiled if how == "wrapped" else model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    watch = Watch(watched, optimizer)
    for x, y in batches(30):
        outputs = called(x)
        loss = nn.functional.cross_entropy(outputs, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss, outputs, y)
    assert causes(watch) == []
    assert list(watch.record().parameters) == ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]
    torch._dynamo.reset()
