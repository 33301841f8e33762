"""Hugging Face's Trainer: recipes, rules and their settings; what is saved and resumed; what a step is told."""

import pytest
import torch
from torch import nn

import gradwright as gw
from tests.integrations.runs import needed, same, table, weights

needed("transformers")
needed("accelerate")
import transformers  # noqa: E402

from gradwright.integrations.transformers import EvaluationWeights, Trainer  # noqa: E402

pytestmark = pytest.mark.slow

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def model(seed=0):
    torch.manual_seed(seed)
    config = transformers.BertConfig(vocab_size=32, max_position_embeddings=16, num_labels=3, **SMALL)
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    return transformers.BertForSequenceClassification(config)


def rows(count=48):
    generator = torch.Generator().manual_seed(3)
    words = torch.randint(0, 32, (count, 8), generator=generator)
    return [{"input_ids": row, "labels": int(row.sum()) % 3} for row in words]


def arguments(folder, **options):
    usual = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 8,
        "max_steps": 12,
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "save_strategy": "no",
        "logging_strategy": "no",
        "lr_scheduler_type": "constant",
    }
    return transformers.TrainingArguments(**{**usual, **options})


def trained(folder, resume=None, callbacks=(), trainer=Trainer, net=None, **given):
    options = {key: given.pop(key) for key in list(given) if key not in ("recipe", "rest", "no_decay", "optimizers")}
    made = trainer(net or model(), arguments(folder, **options), train_dataset=rows(), eval_dataset=rows(16), **given)
    for callback in callbacks:
        made.add_callback(callback)
    made.train(resume_from_checkpoint=resume)
    return made


def settings(made):
    found = made.optimizer
    return {(g["recipe"], g["lr"], g.get("weight_decay")) for g in getattr(found, "optimizer", found).param_groups}


def loaded(folder):
    return weights(transformers.BertForSequenceClassification.from_pretrained(folder))


RECIPES = {
    "AdamW": gw.AdamW.bind(lr=1e-3),
    "Surefoot": gw.Surefoot,
    "ScheduleFreeAdamW": gw.ScheduleFreeAdamW,
    "Lion": "Lion",
    "Prodigy": gw.Prodigy,
    "AdaLo": gw.AdaLo,
    "Muon": gw.Muon,
    "rules": {"matrix & !embedding & !head": gw.Muon, "embedding": gw.Lion.bind(lr=1e-4), "*": gw.AdamW},
    "preset": gw.presets.muon,
    "averaged": gw.averaged(gw.AdamW),
    "clipped": gw.clipped(gw.Adam),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_resumed_run_is_the_same_bit_for_bit(tmp_path, name):
    straight = trained(tmp_path, recipe=RECIPES[name])
    stopped = trained(tmp_path, recipe=RECIPES[name], save_strategy="steps", save_steps=5, max_steps=12)
    assert same(weights(straight.model), weights(stopped.model)), "to save changes nothing"
    again = trained(tmp_path, str(tmp_path / "checkpoint-5"), recipe=RECIPES[name], net=model(seed=7))
    assert same(weights(straight.model), weights(again.model))


def test_what_is_given_in_the_old_way_resumes_too(tmp_path):
    def run(resume=None, **options):
        net = model()
        optimizer = gw.Lion(net.named_parameters(), lr=1e-4)
        return trained(tmp_path, resume, trainer=transformers.Trainer, net=net, optimizers=(optimizer, None), **options)

    straight = run()
    run(save_strategy="steps", save_steps=5)
    assert same(weights(straight.model), weights(run(str(tmp_path / "checkpoint-5")).model))


def by_hand(recipe, steps=12):
    """The averages of the same run, by step; and the training weights at its end."""
    found = {}

    class Looks(transformers.TrainerCallback):
        def on_optimizer_step(self, args, state, control, model, optimizer, **_):
            with optimizer.optimizer.evaluating():
                found[state.global_step + 1] = weights(model)
            found["training"] = weights(model)

    return found, Looks()


@pytest.mark.parametrize("way", ["the trainer", "the callback"])
@pytest.mark.parametrize("options", [{"save_steps": 4}, {"save_strategy": "epoch"}])
def test_checkpoints_hold_the_average(tmp_path, way, options):
    found, looks = by_hand(gw.ScheduleFreeAdamW)
    options = {"save_strategy": "steps", **options}
    if way == "the trainer":
        made = trained(tmp_path, recipe=gw.ScheduleFreeAdamW, callbacks=[looks], **options)
    else:
        net = model()
        optimizer = gw.ScheduleFreeAdamW(net.named_parameters())
        made = trained(
            tmp_path,
            callbacks=[looks, EvaluationWeights()],
            trainer=transformers.Trainer,
            net=net,
            optimizers=(optimizer, None),
            **options,
        )
    folders = sorted(tmp_path.glob("checkpoint-*"))
    assert len(folders) >= 2
    for folder in folders:
        assert same(loaded(folder), found[int(folder.name.split("-")[1])])
    assert same(weights(made.model), found[12])
    assert not same(found["training"], found[12])
    made.save_model(str(tmp_path / "kept"))
    assert same(loaded(tmp_path / "kept"), found[12])


def test_without_it_the_training_weights_are_saved(tmp_path):
    found, looks = by_hand(gw.ScheduleFreeAdamW)
    net = model()
    optimizers = (gw.ScheduleFreeAdamW(net.named_parameters()), None)
    options = {"save_strategy": "steps", "save_steps": 12, "trainer": transformers.Trainer, "optimizers": optimizers}
    trained(tmp_path, net=net, callbacks=[looks], **options)
    assert same(loaded(tmp_path / "checkpoint-12"), found["training"])


def test_the_best_model_is_what_was_evaluated(tmp_path):
    found, looks = by_hand(gw.ScheduleFreeAdamW)
    steps = {"eval_strategy": "steps", "eval_steps": 3, "save_strategy": "steps", "save_steps": 3}
    made = trained(
        tmp_path, recipe=gw.ScheduleFreeAdamW.bind(lr=0.5), callbacks=[looks], load_best_model_at_end=True, **steps
    )
    best = int(made.state.best_model_checkpoint.rpartition("-")[2])
    assert same(weights(made.model), found[best])
    losses = {row["step"]: row["eval_loss"] for row in made.state.log_history if "eval_loss" in row}
    assert best == min(losses, key=losses.get)


class Listens(transformers.TrainerCallback):
    """The losses that the steps of an optimizer are told."""

    def __init__(self):
        self.told = []

    def on_train_begin(self, args, state, control, optimizer, **_):
        optimizer.optimizer.register_step_pre_hook(lambda _, args, kwargs: self.told.append(float(kwargs["loss"])))


def language_model():
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=32, n_positions=16, n_embd=16, n_layer=2, n_head=2)
    config.attn_pdrop = config.embd_pdrop = config.resid_pdrop = 0.0
    return transformers.GPT2LMHeadModel(config)


def test_an_accumulated_loss_is_that_of_all_its_parts(tmp_path):
    texts = [{"input_ids": row["input_ids"], "labels": row["input_ids"]} for row in rows()]
    parts, whole = Listens(), Listens()
    small = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
    for listens, options in ((whole, {}), (parts, small)):
        args = arguments(tmp_path, max_steps=6, **options)
        Trainer(language_model(), args, train_dataset=texts, recipe=gw.AdaLo, callbacks=[listens]).train()
    assert len(parts.told) == len(whole.told) == 6
    assert parts.told == pytest.approx(whole.told, rel=1e-4)


def test_the_loss_is_that_of_the_log(tmp_path):
    listens = Listens()
    made = trained(tmp_path, recipe=gw.AdaLo, callbacks=[listens], logging_strategy="steps", logging_steps=1)
    logged = [row["loss"] for row in made.state.log_history if "loss" in row]
    assert listens.told == pytest.approx(logged, rel=1e-3)


def test_settings_are_those_of_the_arguments_where_the_recipe_has_none(tmp_path):
    def of(recipe, **options):
        return settings(trained(tmp_path, recipe=recipe, max_steps=1, **options))

    assert of(gw.AdamW) == {("AdamW", 1e-3, 0.01), ("AdamW", 1e-3, 0.0)}
    assert of("AdamW", learning_rate=2e-4) == {("AdamW", 2e-4, 0.01), ("AdamW", 2e-4, 0.0)}
    assert of(gw.AdamW, learning_rate=2e-4, weight_decay=0.1) == {("AdamW", 2e-4, 0.1), ("AdamW", 2e-4, 0.0)}
    assert of(gw.AdamW.bind(lr=1e-2), weight_decay=0.1) == {("AdamW", 1e-2, 0.1), ("AdamW", 1e-2, 0.0)}
    assert of(gw.Surefoot) == {("Surefoot", 1.0, None)}
    muon = of(gw.Muon, learning_rate=2e-4, weight_decay=0.1)
    assert muon == {("Muon", 0.02, 0.1), ("AdamW", 2e-4, 0.1), ("AdamW", 2e-4, 0.0)}
    assert of(gw.Muon.bind(lr=0.05), rest=gw.Lion) == {("Muon", 0.05, 0.0), ("Lion", 1e-4, 0.0)}


@pytest.mark.parametrize(
    ("recipe", "options", "message"),
    [
        (gw.Surefoot, {"learning_rate": 2e-5}, r"learning_rate=2e-05\) would have no effect: Surefoot finds its step"),
        (gw.Surefoot, {"weight_decay": 0.1}, r"weight_decay=0.1\) would have no effect: Surefoot has none"),
        (gw.AdamW.bind(lr=1e-3), {"learning_rate": 2e-5}, r"would have no effect: AdamW .* say it to a recipe"),
        ({"*": gw.AdamW}, {"learning_rate": 2e-5}, r"learning_rate=2e-05\) would have no effect"),
        ({"*": gw.AdamW}, {"optim_target_modules": "all-linear"}, "the selectors of the rules say"),
        (gw.Muon, {"optim_target_modules": ["nowhere"]}, r"\['nowhere'\] names no linear layer of the model; it has"),
        ("AdmaW", {}, "no recipe called 'AdmaW'; did you mean"),
    ],
)
def test_what_would_be_ignored_is_refused(tmp_path, recipe, options, message):
    with pytest.raises(ValueError, match=message):
        trained(tmp_path, recipe=recipe, max_steps=1, **options)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (torch.optim.AdamW, "AdamW is a class, but no recipe"),
        (gw.AdamW([nn.Parameter(torch.ones(1))]), r"give it as optimizers=\(it, None\)"),
        (3, "give a recipe, its name, rules"),
        (lambda net: net, "returned a BertForSequenceClassification where an optimizer is needed"),
    ],
)
def test_what_is_no_recipe_is_refused(tmp_path, recipe, message):
    with pytest.raises(TypeError, match=message):
        trained(tmp_path, recipe=recipe)


def test_two_ways_to_say_it_are_one_too_many(tmp_path):
    net = model()
    with pytest.raises(ValueError, match="recipe= and optimizers= both say"):
        trained(tmp_path, net=net, recipe=gw.AdamW, optimizers=(gw.AdamW(net.parameters()), None))


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (["attention.self"], {"query", "key", "value"}),
        (r".*\.(query|value)", {"query", "value"}),
        ("all-linear", {"query", "key", "value", "dense"}),
        (["layer.0.attention.self.query"], {"query"}),
    ],
)
def test_target_modules_get_the_recipe_and_all_else_the_rest(tmp_path, targets, expected):
    made = trained(tmp_path, recipe=gw.Muon, optim_target_modules=targets, max_steps=1)
    groups = made.optimizer.optimizer.param_groups
    taken = [name for group in groups if group["recipe"] == "Muon" for name in group["param_names"]]
    assert {name.split(".")[-2] for name in taken} == expected
    assert ("0.attention.self.query" in str(targets)) == (len(taken) == 1)
    assert sum(len(group["params"]) for group in groups) == len(list(made.model.parameters()))


def test_targets_for_a_recipe_that_serves_all(tmp_path):
    made = trained(tmp_path, recipe=gw.Lion.bind(lr=1e-5), rest=gw.SGD.bind(lr=0.1), optim_target_modules=["query"])
    groups = made.optimizer.optimizer.param_groups
    taken = {name for group in groups if group["recipe"] == "Lion" for name in group["param_names"]}
    assert taken == {f"bert.encoder.layer.{i}.attention.self.query.weight" for i in (0, 1)}


def test_schedulers_of_the_trainer_turn_every_rate(tmp_path):
    made = trained(tmp_path, recipe=gw.Muon, lr_scheduler_type="linear", warmup_steps=2)
    assert {group["lr"] for group in made.optimizer.param_groups} == {0.0}


def test_adapters_of_peft_are_trained_alone(tmp_path):
    peft = needed("peft")

    def adapted():
        return peft.get_peft_model(
            model(), peft.LoraConfig(r=2, target_modules=["query", "value"], task_type="SEQ_CLS")
        )

    def run(resume=None, **options):
        torch.manual_seed(1)
        return trained(tmp_path, resume, net=adapted(), recipe=gw.Muon, **options)

    straight = run()
    groups = straight.optimizer.optimizer.param_groups
    assert all("lora" in name or "modules_to_save" in name for group in groups for name in group["param_names"])
    assert any(group["recipe"] == "Muon" for group in groups)
    run(save_strategy="steps", save_steps=5)
    again = run(str(tmp_path / "checkpoint-5"))
    assert same(weights(straight.model), weights(again.model))


def test_accelerate_alone(tmp_path):
    accelerate = needed("accelerate")
    accelerator = accelerate.Accelerator(cpu=True)
    net = nn.Linear(8, 3)
    optimizer, inputs = gw.ScheduleFreeAdamW(net.named_parameters(), lr=0.1), table()
    prepared, wrapped = accelerator.prepare(net, optimizer)
    for _ in range(5):
        wrapped.train()
        loss = nn.functional.cross_entropy(prepared(inputs[0]), inputs[1])
        wrapped.zero_grad()
        accelerator.backward(loss)
        wrapped.step()
        wrapped.eval()
    evaluated = weights(net)
    accelerator.save_state(str(tmp_path))
    wrapped.train()
    training = weights(net)
    assert not same(evaluated, training)
    with torch.no_grad():
        net.weight.zero_()
    accelerator.load_state(str(tmp_path))
    assert same(weights(net), evaluated)
    wrapped.train()
    assert same(weights(net), training)
