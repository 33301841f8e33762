"""Lightning's Trainer with the callback: which weights are validated, saved and resumed, and what a step is told."""

import warnings

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import gradwright as gw
from tests.integrations.runs import needed, network, same, table, weights

needed("lightning")
import lightning.pytorch as pl  # noqa: E402
from lightning.pytorch.callbacks import ModelCheckpoint  # noqa: E402
from lightning.pytorch.plugins import MixedPrecision  # noqa: E402

from gradwright.integrations.lightning import GradwrightCallback  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning:lightning")]


class Module(pl.LightningModule):
    def __init__(self, make=gw.ScheduleFreeAdamW, manual=False, batch_norm=False, **knobs):
        super().__init__()
        self.net, self.make, self.knobs = network(), make, knobs
        if batch_norm:
            self.net.insert(1, nn.BatchNorm1d(16))
        self.automatic_optimization = not manual
        self.seen, self.losses = [], []

    def configure_optimizers(self):
        return self.make(self.net.named_parameters(), **self.knobs)

    def training_step(self, batch, index):
        loss = nn.functional.cross_entropy(self.net(batch[0]), batch[1])
        self.losses.append(loss.detach())
        if self.automatic_optimization:
            return loss
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step(loss=loss)
        return None

    def _held(self, batch):
        self.seen.append(weights(self.net))
        self.log("val_loss", nn.functional.cross_entropy(self.net(batch[0]), batch[1]))

    def validation_step(self, batch, index):
        self._held(batch)

    test_step = validation_step

    def predict_step(self, batch, index):
        self.seen.append(weights(self.net))


def loader(shuffle=False):
    return DataLoader(TensorDataset(*table()), batch_size=8, shuffle=shuffle)


def trainer(folder, *callbacks, **options):
    settings = {
        "accelerator": "cpu",
        "max_epochs": 2,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "default_root_dir": folder,
    }
    return pl.Trainer(callbacks=list(callbacks), **{**settings, "enable_checkpointing": bool(callbacks), **options})


def by_hand(make, epochs=2, each=lambda optimizer, step: None, **knobs):
    """The same run as a loop."""
    net = network()
    optimizer = make(net.named_parameters(), **knobs)
    for epoch in range(epochs):
        for step, (inputs, targets) in enumerate(loader()):
            loss = nn.functional.cross_entropy(net(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step(loss=loss)
            each(optimizer, 8 * epoch + step + 1)
    return net, optimizer


def averages(make, **knobs):
    """Evaluation weights after each step, by step; and the training weights at the end."""
    found = {}

    def look(optimizer, step):
        with optimizer.evaluating():
            found[step] = {
                name: param.detach().clone() for name, param in zip(names, optimizer.param_groups[0]["params"])
            }

    names = [name for name, _ in network().named_parameters()]
    net, _ = by_hand(make, each=look, **knobs)
    return found, weights(net)


@pytest.mark.parametrize("make", [gw.ScheduleFreeAdamW, gw.Surefoot, gw.averaged(gw.AdamW)], ids=lambda m: m.__name__)
def test_the_average_is_validated_tested_and_kept_and_training_goes_on_as_by_hand(tmp_path, make):
    average, training = averages(make)
    module, callback = Module(make), GradwrightCallback()
    run = trainer(tmp_path, callback, val_check_interval=4, enable_checkpointing=False)
    run.fit(module, loader(), loader())
    assert [same(held, average[step]) for step, held in zip((4, 8, 12, 16), module.seen[::8])] == [True] * 4
    assert same(weights(module.net), average[16]), "what fit leaves is what is to be used"
    assert not same(training, average[16])
    module.seen = []
    run.test(module, loader(), verbose=False)
    run.predict(module, loader())
    assert all(same(held, average[16]) for held in module.seen)
    (optimizer,) = run.optimizers
    optimizer.train()
    assert same(weights(module.net), training)


def test_without_the_callback_the_training_weights_are_validated(tmp_path):
    average, _ = averages(gw.ScheduleFreeAdamW)
    module = Module()
    trainer(tmp_path).fit(module, loader(), loader())
    assert not same(module.seen[-1], average[16])


@pytest.mark.parametrize(
    "when", [{}, {"every_n_train_steps": 4}, {"save_on_train_epoch_end": True}, {"save_last": True}]
)
@pytest.mark.parametrize("alone", [False, True], ids=["whole", "weights alone"])
def test_checkpoints_hold_the_average(tmp_path, when, alone):
    average, _ = averages(gw.ScheduleFreeAdamW)
    keeps = ModelCheckpoint(tmp_path, "{step}", save_top_k=-1, save_weights_only=alone, **when)
    module = Module()
    run = trainer(tmp_path, keeps, GradwrightCallback())
    run.fit(module, loader(), loader())
    run.save_checkpoint(tmp_path / "step=16-after.ckpt", weights_only=alone)
    saved = sorted(tmp_path.glob("step=*.ckpt"))
    assert len(saved) == (5 if "every_n_train_steps" in when else 3)
    for path in saved:
        content = torch.load(path, weights_only=False)
        held = {name.removeprefix("net."): value for name, value in content["state_dict"].items()}
        assert same(held, average[int(path.stem.split("=")[1].split("-")[0])]), path
        assert ("optimizer_states" in content) != alone
    assert same(weights(module.net), average[16])


def routed():
    module = Module()
    module.make = lambda params: gw.presets.muon(module.net, gw.Surefoot)
    return module


@pytest.mark.parametrize("recipe", ["ScheduleFreeAdamW", "Surefoot", "AdamW", "Prodigy", "routed"])
def test_a_resumed_run_is_the_same_bit_for_bit(tmp_path, recipe):
    def module():
        return routed() if recipe == "routed" else Module(getattr(gw, recipe))

    straight = module()
    trainer(tmp_path, GradwrightCallback()).fit(straight, loader(), loader())
    first = module()
    keeps = ModelCheckpoint(tmp_path, "{step}", save_top_k=-1, every_n_train_steps=8)
    trainer(tmp_path, keeps, GradwrightCallback(), max_epochs=1).fit(first, loader(), loader())
    again = module()
    path = str(tmp_path / "step=8.ckpt")
    trainer(tmp_path, GradwrightCallback()).fit(again, loader(), loader(), ckpt_path=path, weights_only=False)
    assert len(again.losses) == 8
    assert all(torch.equal(a, b) for a, b in zip(straight.losses[8:], again.losses))
    assert same(weights(straight.net), weights(again.net))


def test_a_checkpoint_is_tested_as_it_was_validated(tmp_path):
    average, _ = averages(gw.ScheduleFreeAdamW)
    keeps = ModelCheckpoint(tmp_path, "{epoch}", monitor="val_loss")
    trainer(tmp_path, keeps, GradwrightCallback()).fit(Module(), loader(), loader())
    module = Module()
    trainer(tmp_path).test(module, loader(), ckpt_path=keeps.best_model_path, weights_only=False, verbose=False)
    assert same(module.seen[-1], average[16]) or same(module.seen[-1], average[8])


@pytest.mark.parametrize("manual", [False, True], ids=["automatic", "manual"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_recipes_that_need_the_loss_get_it(tmp_path, manual, precision):
    module = Module(gw.AdaLo, manual=manual)
    trainer(tmp_path, GradwrightCallback(), enable_checkpointing=False, precision=precision).fit(module, loader())
    found, expected = weights(module.net), weights(by_hand(gw.AdaLo)[0])
    if precision == "32-true":
        assert same(found, expected)
    assert all(torch.allclose(found[name], expected[name], atol=0.02) for name in expected)
    assert not same(found, weights(network()))


def test_a_loss_in_manual_optimization_is_refused_without_the_callback(tmp_path):
    with pytest.raises(TypeError, match="names the loss twice"):
        trainer(tmp_path).fit(Module(gw.AdaLo, manual=True), loader())


def test_an_accumulated_loss_is_that_of_all_its_parts(tmp_path):
    module = Module(gw.AdaLo)
    callback = GradwrightCallback()
    trainer(tmp_path, callback, enable_checkpointing=False, accumulate_grad_batches=2).fit(module, loader())
    net = network()
    optimizer = gw.AdaLo(net.named_parameters())
    batches = list(loader()) * 2
    for first, second in zip(batches[::2], batches[1::2]):
        losses = [nn.functional.cross_entropy(net(inputs), targets) / 2 for inputs, targets in (first, second)]
        optimizer.zero_grad()
        for loss in losses:
            loss.backward()
        optimizer.step(loss=losses[0] + losses[1])
    assert same(weights(module.net), weights(net))


def test_a_scaler_does_not_scale_the_loss_that_a_recipe_reads(tmp_path):
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    plugin = MixedPrecision("16-mixed", "cpu", scaler)
    told = []
    module = Module(gw.AdaLo)

    class Listens(pl.Callback):
        def on_train_start(self, trainer, pl_module):
            trainer.optimizers[0].register_step_pre_hook(lambda opt, args, kwargs: told.append(kwargs["loss"]))

    trainer(tmp_path, GradwrightCallback(), Listens(), enable_checkpointing=False, plugins=[plugin]).fit(
        module, loader()
    )
    assert len(told) == len(module.losses)
    assert all(float(one) == pytest.approx(float(other), rel=1e-3) for one, other in zip(told, module.losses))


def test_it_watches(tmp_path):
    callback = GradwrightCallback(watch={"every": 4}, monitor="val_loss")
    module = Module(gw.SGD, lr=0.0)
    trainer(tmp_path, callback, enable_checkpointing=False, max_epochs=8).fit(module, loader(), loader())
    record = callback.watch.record()
    assert record.steps == 64
    assert len(record.validation) == 8
    assert record.parameters.keys() == {f"net.{name}" for name, _ in network().named_parameters()}
    assert [finding for finding in callback.watch.findings() if "learning rate" in str(finding)]


def test_a_watch_counts_steps_and_not_batches(tmp_path):
    callback = GradwrightCallback(watch=True)
    trainer(tmp_path, callback, enable_checkpointing=False, accumulate_grad_batches=4).fit(Module(gw.AdamW), loader())
    assert callback.watch.record().steps == 4


def test_what_it_cannot_do_is_said(tmp_path):
    with pytest.raises(ValueError, match="monitor='loss' has no effect without a watch"):
        GradwrightCallback(monitor="loss")
    with pytest.raises(ValueError, match="monitor='loss' was not logged; logged are: val_loss"):
        trainer(tmp_path, GradwrightCallback(watch=True, monitor="loss"), enable_checkpointing=False).fit(
            Module(gw.AdamW), loader(), loader()
        )
    with pytest.warns(UserWarning, match="BatchNorm statistics of this model are gathered at the weights of training"):
        trainer(tmp_path, GradwrightCallback(), enable_checkpointing=False).fit(Module(batch_norm=True), loader())


def test_other_optimizers_are_left_alone(tmp_path):
    module = Module(torch.optim.AdamW)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("ignore", module="lightning")
        trainer(tmp_path, GradwrightCallback(watch=True), enable_checkpointing=False).fit(module, loader(), loader())
    assert same(module.seen[-1], weights(module.net))
