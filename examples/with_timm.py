"""A vision transformer of timm, in two ways
=========================================

Models, factory and schedulers of timm with recipes of gradwright, on scikit-learn's digits.

A small vision transformer is trained in two ways: a recipe by name from timm's own factory, with layer-wise rates and
a cosine schedule; and Muon for hidden matrices and kernels, which has to see the model.

    pip install "gradwright[study,timm]"
    python examples/with_timm.py --quick
"""

import argparse

import timm
import torch
from sklearn.datasets import load_digits
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from torch import nn

import gradwright
from gradwright.integrations.timm import register


def by_name(model):
    register()
    return create_optimizer_v2(model, "gradwright.adamw", lr=2e-3, weight_decay=0.05, layer_decay=0.9)


def routed(model):
    return gradwright.presets.muon(model, gradwright.AdamW.bind(lr=2e-3), lr=0.02, layer_decay=0.9)


def network():
    torch.manual_seed(0)
    return timm.create_model(
        "vit_tiny_patch16_224", img_size=8, patch_size=2, in_chans=1, embed_dim=48, depth=3, num_heads=3, num_classes=10
    )


def train(make, epochs):
    inputs, targets = (torch.from_numpy(array) for array in load_digits(return_X_y=True))
    inputs, targets = inputs.float().view(-1, 1, 8, 8) / 16, targets.long()
    model = network()
    optimizer = make(model)
    scheduler = CosineLRScheduler(optimizer, t_initial=epochs)
    for epoch in range(epochs):
        scheduler.step(epoch)
        model.train()
        for batch in torch.randperm(1500, generator=torch.Generator().manual_seed(epoch)).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs[batch]), targets[batch]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        return float((model(inputs[1500:]).argmax(-1) == targets[1500:]).float().mean())


def main(epochs):
    for name, make in {"gradwright.adamw by timm's factory": by_name, "presets.muon": routed}.items():
        print(f"{name:36} accuracy on 297 held-out digits: {train(make, epochs):.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="two epochs")
    main(epochs=2 if parser.parse_args().quick else 20)
