"""skorch: a recipe as the optimizer of a net, its checkpoints, and a routed optimizer by way of a function."""

import pytest
import torch
from torch import nn

import gradwright as gw
from tests.integrations.runs import needed, network, same, table, weights

needed("skorch")
from skorch import NeuralNetClassifier  # noqa: E402

pytestmark = pytest.mark.slow


def net(optimizer, epochs=3, **options):
    torch.manual_seed(0)
    made = NeuralNetClassifier(
        network(), criterion=nn.CrossEntropyLoss, optimizer=optimizer, max_epochs=epochs, batch_size=16, verbose=0,
        train_split=None, iterator_train__shuffle=False, **options,
    )  # fmt: skip
    return made.initialize()


def fitted(optimizer, **options):
    inputs, targets = table()
    return net(optimizer, **options).partial_fit(inputs, targets)


@pytest.mark.parametrize("recipe", [gw.AdamW, gw.Lion, gw.Surefoot, gw.Prodigy, gw.AdaLo], ids=lambda r: r.__name__)
def test_a_recipe_is_an_optimizer_as_any_other(recipe):
    lr = 1.0 if recipe is gw.Surefoot else 1e-3
    found = fitted(recipe, lr=lr)
    by_hand = network()
    optimizer = recipe(by_hand.parameters(), lr=lr)
    for _ in range(3):
        for inputs, targets in zip(*(part.split(16) for part in table())):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(by_hand(inputs), targets)
            loss.backward()
            optimizer.step(loss=loss)
    assert same(weights(found.module_), weights(by_hand))


def test_a_saved_net_goes_on_bit_for_bit(tmp_path):
    files = {"f_params": tmp_path / "params.pt", "f_optimizer": tmp_path / "optimizer.pt"}
    straight = fitted(gw.AdamW, lr=1e-3, epochs=4)
    fitted(gw.AdamW, lr=1e-3, epochs=2).save_params(**files)
    again = net(gw.AdamW, lr=1e-3, epochs=2)
    again.load_params(**files)
    again.partial_fit(*table())
    assert same(weights(straight.module_), weights(again.module_))
