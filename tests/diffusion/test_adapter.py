"""What of the adapter needs no diffusers: the name in a config that refuses other classes."""

import copy
import json
import pickle

import pytest

from gradwright.diffusion.adapter import OwnedName


def ours(name):
    return name.startswith("Analytic")


def test_a_name_is_a_string_that_other_classes_cannot_take_for_theirs():
    name = OwnedName("AnalyticDDIMScheduler", ours)
    assert name == "AnalyticDDIMScheduler"
    assert json.dumps({"_class_name": name}) == '{"_class_name": "AnalyticDDIMScheduler"}'
    assert {name: 1}["AnalyticDDIMScheduler"] == 1
    assert name != "AnalyticDDPMScheduler"
    assert (name != "AnalyticDDIMScheduler") is False
    for each in (name, copy.deepcopy(name), pickle.loads(pickle.dumps(name))):
        with pytest.raises(ValueError, match=r"DDIMScheduler would drop the measured error.*plain_config"):
            bool(each != "DDIMScheduler")
