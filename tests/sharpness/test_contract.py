"""The contract, as it holds for recipes that look twice."""

import pytest

import gradwright as gw
from gradwright.contract import run_contract
from gradwright.sharpness import asam, friendly_sam, gsam, looksam, sam, wsam

TWICE = {
    "closures_are_called_once": "it looks twice, and calls the closure again at the perturbed weights",
    "scalers_drive_it": "it needs the closure, which scaler.step() does not take; step(closure, scaler=scaler) does",
    "closures_can_be_scaled": "what clips between both passes and the step sees the combined gradient alone",
}
COMBINES = {**TWICE, "gradients_are_kept": "the gradient after a step is the combined one, which the chain has seen"}
DIFFERS = {
    **COMBINES,
    "every_slot_moves": "the check shows it one gradient at both places, which says nothing new",
}

ROWS = (
    (sam(gw.SGD), TWICE),
    (asam(gw.Muon), TWICE),
    (gsam(gw.Adafactor), COMBINES),
    (wsam(gw.AdamW), DIFFERS),
    (looksam(gw.SGD), DIFFERS),
    (friendly_sam(gw.Lion), TWICE),
)


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "exceptions"), [pytest.param(*row, id=row[0].recipe_name) for row in ROWS])
def test_the_contract(recipe, exceptions):
    failed = [one for one in run_contract(recipe, exceptions=exceptions) if one.status == "failed"]
    assert not failed
