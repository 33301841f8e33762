"""Each rule alone: it is silent on a healthy record and speaks on one with a single thing changed."""

import math
from dataclasses import replace

import pytest

from gradwright.observe import LIMITS, Cause, Event, LayerProbe, ParameterProbe, Severity, Validation, diagnose
from gradwright.observe.rules import RULES
from gradwright.observe.run import Run
from tests.observe import records
from tests.observe.records import healthy, held, series, with_batches, with_layers, with_loss, with_probes, with_windows


def names_of(record):
    return [finding.cause for finding in diagnose(record)]


def not_held():
    record = with_probes(healthy(), only=("head.weight",), update=0.0, relative_update=0.0)
    return replace(record, parameters={**record.parameters, "head.weight": held("head.weight", optimizer="", group=-1)})


def stale():
    record = healthy()
    strange = held("AdamW.0[3]", in_model=False)
    windows = [
        replace(each, parameters={**each.parameters, "AdamW.0[3]": ParameterProbe(absent=True)})
        for each in record.windows
    ]
    return replace(record, windows=windows, parameters={**record.parameters, "AdamW.0[3]": strange})


def no_gradient():
    record = healthy()
    windows = [
        replace(each, parameters={**each.parameters, "first.weight": ParameterProbe(weight=0.1, absent=True)})
        for each in record.windows
    ]
    return replace(record, windows=windows)


def in_short_type(share):
    record = with_probes(healthy(), lost=share)
    return replace(record, parameters={name: held(name, dtype="bfloat16") for name in records.NAMES})


def clipped():
    record = healthy()
    return replace(record, windows=[replace(each, norm=0.01) for each in record.windows])


def rates(values):
    return replace(healthy(), learning_rates={"AdamW.0": series(values)})


def too_low():
    record = with_windows(with_probes(healthy(), update=1e-6, relative_update=1e-5), slope=-1e-4)
    return with_loss(record, 2.3, 2.2)


def too_high():
    return with_loss(with_probes(healthy(), upto=20, update=0.2, relative_update=2.0), 2.3, 9.0)


def exploding():
    record = healthy()
    return replace(record, windows=[replace(record.windows[0], norm=1e5), *record.windows[1:]])


def vanishing():
    record = healthy()
    for at, name in enumerate(["first.weight", "second.weight", "third.weight", "head.weight"]):
        record = with_probes(record, only=(name,), gradient=0.01 * 10.0 ** (2 * at - 6))
    return record


def not_finite():
    record = healthy()
    windows = [
        replace(each, layers={**each.layers, "act": LayerProbe(non_finite=1.0)}) if each.step >= 15 else each
        for each in record.windows
    ]
    return replace(record, windows=windows)


def validated(values, training, **changes):
    told = [Validation(10 * (at + 1), a, b, **changes) for at, (a, b) in enumerate(zip(values, training))]
    return replace(healthy(), validation=told)


def overfitting():
    return validated([1, 0.8, 0.7, 0.72, 0.8, 0.9, 1.0, 1.1], [1, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05])


def small_batch():
    record = with_windows(with_batches(healthy(), size=1), alike=0.01)
    values = [2.3 * (1.9 if step % 2 else 0.1) for step in range(100)]
    return replace(record, loss=series(values), data=replace(record.data, size=1.0))


def random_labels():
    return with_batches(healthy(), accuracy=0.6, sure_accuracy=0.6, rank=0.5, sure_rank=0.5)


SICK = {
    Cause.LR_TOO_HIGH: too_high,
    Cause.LR_TOO_LOW: too_low,
    Cause.SCHEDULE: lambda: rates([1e-3 * 0.8**step for step in range(100)]),
    Cause.VANISHING_GRADIENTS: vanishing,
    Cause.EXPLODING_GRADIENTS: exploding,
    Cause.DEAD_UNITS: lambda: with_layers(healthy(), "act", dead=0.97),
    Cause.SATURATED_UNITS: lambda: with_layers(healthy(), "act", saturated=0.9),
    Cause.EPS_RULES: lambda: with_probes(healthy(), eps=0.99),
    Cause.LOST_TO_ROUNDING: lambda: in_short_type(0.8),
    Cause.SCALER_SKIPS: lambda: replace(
        with_windows(healthy(), skipped=True), scale=series([2.0**16] * len(records.WATCHED))
    ),
    Cause.NOT_CLEARED: lambda: with_windows(healthy(), cleared=0.0),
    Cause.NOT_HELD: not_held,
    Cause.NO_GRADIENT: no_gradient,
    Cause.STALE_PARAMETERS: stale,
    Cause.DECAY_RULES: lambda: with_probes(healthy(), decay=0.95),
    Cause.CLIP_ALWAYS: clipped,
    Cause.NON_FINITE: not_finite,
    Cause.INPUTS_NOT_SCALED: lambda: with_layers(healthy(), "first", inputs=120.0, reads_data=True),
    Cause.WRONG_INITIAL_LOSS: lambda: with_batches(healthy(), cross_entropy=12.0),
    Cause.LABEL_NOISE: random_labels,
    Cause.LONG_TAIL: lambda: replace(
        healthy(), data=replace(healthy().data, counts=tuple(2000 / 2**at for at in range(10)))
    ),
    Cause.BATCH_TOO_SMALL: small_batch,
    Cause.NOT_SHUFFLED: lambda: replace(healthy(), data=replace(healthy().data, alike=0.95)),
    Cause.OVERFITTING: overfitting,
    Cause.EVAL_IN_TRAIN_MODE: lambda: validated([1.0] * 4, [1.0] * 4, wrong_mode=True),
    Cause.WEIGHTS_NOT_IN_PLACE: lambda: validated([1.0] * 4, [1.0] * 4, wrong_weights=True),
}


def test_every_cause_has_a_rule_and_a_record():
    assert set(RULES) == set(SICK) == set(Cause)


def test_a_healthy_record_has_no_findings():
    assert diagnose(healthy()) == []


@pytest.mark.parametrize("cause", Cause, ids=lambda cause: cause.name)
def test_a_rule_is_silent_on_a_healthy_record(cause):
    assert RULES[cause](Run(healthy()), LIMITS) is None


@pytest.mark.parametrize("cause", Cause, ids=lambda cause: cause.name)
def test_a_rule_names_its_cause(cause):
    found = RULES[cause](Run(SICK[cause]()), LIMITS)
    assert found is not None
    assert found.cause is cause
    assert found.severity > Severity.NOTE
    assert 0.5 < found.confidence <= 1
    assert found.evidence
    assert found.remedy
    assert "nan" not in found.evidence


@pytest.mark.parametrize("cause", Cause, ids=lambda cause: cause.name)
def test_the_cause_comes_first(cause):
    assert names_of(SICK[cause]())[0] is cause


@pytest.mark.parametrize("cause", Cause, ids=lambda cause: cause.name)
def test_a_rule_says_nothing_about_too_little(cause):
    record = replace(healthy(), windows=[], loss=series([]), learning_rates={}, validation=[], parameters={})
    assert RULES[cause](Run(replace(record, data=replace(record.data, counts=()))), LIMITS) is None


def test_parameters_that_somebody_else_moves_are_held():
    record = not_held()
    assert names_of(with_probes(record, only=("head.weight",), update=1e-4)) == []


def test_a_layer_of_zeros_is_not_one_without_gradient_where_its_units_are_dead():
    record = with_probes(healthy(), only=("first.weight",), gradient=0.0, zero=1.0)
    assert names_of(record) == [Cause.NO_GRADIENT]
    assert Cause.NO_GRADIENT not in names_of(with_layers(record, "act", dead=1.0))


def test_a_scaler_may_look_for_its_scale():
    record = replace(healthy(), scale=series([2.0**16] * len(records.WATCHED)))
    windows = [replace(each, skipped=each.step <= 5) for each in record.windows]
    assert names_of(replace(record, windows=windows)) == []


def test_a_run_without_a_scaler_may_call_step_more_often_than_the_optimizer():
    assert Cause.SCALER_SKIPS not in names_of(with_windows(healthy(), skipped=True))


@pytest.mark.parametrize("kept", ["split24", "split32", "stochastic"])
def test_weights_whose_rest_is_kept_are_not_lost_to_rounding(kept):
    record = in_short_type(0.8)
    record.parameters = {name: replace(held, weights=kept) for name, held in record.parameters.items()}
    assert Cause.LOST_TO_ROUNDING not in names_of(record)


def test_weights_of_full_width_are_not_lost_to_rounding():
    assert names_of(with_probes(healthy(), lost=0.9)) == []


def test_a_clip_does_not_harm_an_optimizer_that_is_free_of_scale():
    record = clipped()
    record = replace(record, parameters={name: held(name, optimizer="Lion") for name in records.NAMES})
    assert [finding.severity for finding in diagnose(record)] == [Severity.NOTE]


def test_gradients_that_do_not_move_are_not_clipped():
    record = with_probes(clipped(), gradient=0.01)
    assert names_of(record) == []


@pytest.mark.parametrize(
    "shape",
    [
        lambda at: 1 - at,
        lambda at: 0.5 * (1 + math.cos(math.pi * at)),
        lambda at: min(1.0, at / 0.1),
        lambda at: 0.01 ** (at**2),
        lambda at: 1 - (4 * at) % 1,
        lambda at: 0.5 + 0.5 * abs(math.cos(20 * at)),
    ],
    ids=["linear", "cosine", "warm-up", "exponential", "restarts", "cycles above nothing"],
)
def test_usual_schedules_are_fine(shape):
    assert names_of(rates([1e-3 * shape(step / 100) for step in range(100)])) == []


@pytest.mark.parametrize(
    "shape",
    [
        lambda at: max(0.0, 1 - 3 * at),
        lambda at: 0.5 * (1 + math.cos(8 * math.pi * at)),
        lambda at: 0.0,
    ],
    ids=["zero after a third", "cosine by batch", "zero"],
)
def test_schedules_that_take_the_rate_away(shape):
    assert names_of(rates([1e-3 * shape(step / 100) for step in range(100)])) == [Cause.SCHEDULE]


def test_large_steps_without_harm_are_fine():
    assert names_of(with_probes(healthy(), upto=20, update=0.2, relative_update=2.0)) == []


def test_small_steps_that_lower_the_loss_are_fine():
    assert names_of(with_probes(healthy(), update=1e-6, relative_update=1e-5)) == []


def test_small_steps_that_could_lower_the_loss_are_fine():
    """As in fine-tuning: the loss is low already, and gradients are noise."""
    assert names_of(with_loss(with_probes(healthy(), update=1e-6, relative_update=1e-5), 0.05, 0.045)) == []


def test_what_follows_from_another_cause_comes_after_it_as_a_note():
    record = with_batches(with_layers(healthy(), "first", inputs=120.0, reads_data=True), cross_entropy=12.0)
    first, second = diagnose(record)
    assert (first.cause, second.cause) == (Cause.INPUTS_NOT_SCALED, Cause.WRONG_INITIAL_LOSS)
    assert first.severity == Severity.WARNING
    assert second.severity == Severity.NOTE
    assert second.confidence < first.confidence


def test_tokens_of_a_language_are_no_long_tail():
    record = SICK[Cause.LONG_TAIL]()
    assert names_of(replace(record, data=replace(record.data, tokens=True))) == []


def test_few_samples_of_many_classes_are_no_long_tail():
    record = healthy()
    assert names_of(replace(record, data=replace(record.data, counts=(9.0, 1.0, 4.0, 2.0) * 20))) == []


def test_inputs_of_layers_behind_others_may_be_large():
    assert names_of(with_layers(healthy(), "head", inputs=120.0)) == []


def test_wrong_second_choices_are_no_label_noise():
    assert names_of(with_batches(healthy(), accuracy=0.6, sure_accuracy=0.6, rank=0.1, sure_rank=0.1)) == []


def test_errors_of_a_model_that_is_unsure_are_no_label_noise():
    assert names_of(with_batches(healthy(), accuracy=0.6, sure_accuracy=0.9, rank=0.5, sure_rank=0.5)) == []


def test_validation_that_levels_off_is_no_overfitting():
    record = validated([1, 0.8, 0.7, 0.69, 0.7, 0.69, 0.7, 0.7], [1, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05])
    assert names_of(record) == []


def test_validation_that_rises_with_training_is_no_overfitting():
    record = validated([1, 0.8, 0.7, 0.72, 0.8, 0.9, 1.0, 1.1], [1, 0.8, 0.6, 0.62, 0.7, 0.8, 0.9, 1.0])
    assert names_of(record) == []


def test_a_function_that_breaks_is_told_from_a_learning_rate():
    broken = not_finite()
    assert names_of(broken) == [Cause.NON_FINITE]
    large = with_probes(broken, upto=14, update=0.2, relative_update=2.0)
    assert names_of(large) == [Cause.LR_TOO_HIGH, Cause.NON_FINITE]


def test_events_are_no_findings():
    assert names_of(replace(healthy(), events=[Event(3, "sink", "full")])) == []


def test_a_finding_reads_and_is_data():
    [found] = diagnose(SICK[Cause.DEAD_UNITS]())
    assert str(found).startswith("[warning] Most units of a layer")
    assert found.as_dict()["cause"] == "DEAD_UNITS"
    assert found.as_dict()["layers"] == ["act"]
    assert found.numbers["share"] == pytest.approx(0.97)
