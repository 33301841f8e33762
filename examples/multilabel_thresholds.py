"""Many labels, few of them true
=============================

What a score of 0 means, before and after calibration.

Sparse labels among fifty classes. Softmax cross-entropy for several labels needs no class weights and separates at 0,
while neither σ(s) nor σ(2s) is the probability of a label; one temperature for each label helps. With soft targets the
threshold for any share is known in closed form.

    python examples/multilabel_thresholds.py             prints two tables
    python examples/multilabel_thresholds.py --quick     the same after a tenth of the training
"""

import argparse

import torch
from torch import nn

import gradwright
from gradwright import losses
from gradwright.calibration import CalibrationError, TemperatureScaling

CLASSES, FEATURES = 50, 20


def world(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples and the true probability of each label, about two of fifty on average."""
    rule = torch.randn(FEATURES, CLASSES, generator=torch.Generator().manual_seed(7))
    x = torch.randn(n, FEATURES, generator=torch.Generator().manual_seed(seed))
    return x, torch.sigmoid(1.2 * x @ rule / FEATURES**0.5 * 2 - 5)


def train(loss, x: torch.Tensor, t: torch.Tensor, epochs: int) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Linear(FEATURES, CLASSES)
    optimizer = gradwright.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(128):
            optimizer.zero_grad()
            loss(model(x[batch]), t[batch]).backward()
            optimizer.step()
    return model


def f1(said: torch.Tensor, true: torch.Tensor) -> float:
    hits = (said & true).sum()
    return (2 * hits / (said.sum() + true.sum())).item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 epochs instead of 30")
    epochs = 3 if parser.parse_args().quick else 30
    x, share = world(4000, seed=1)
    hard = torch.bernoulli(share, generator=torch.Generator().manual_seed(2))
    held, test = slice(2000, 3000), slice(3000, 4000)
    x_train, x_held, x_test = x[:2000], x[held], x[test]
    true = hard[test] > 0.5
    print(f"{CLASSES} labels, {hard.sum(-1).mean():.2f} true on average\n")
    print(f"{'hard labels':34} {'F1 at 0':>8} {'F1 best':>8} {'at':>6} {'ECE σ(s)':>9} {'σ(2s)':>7} {'σ(s / T)':>9}")
    candidates = {
        "binary cross-entropy": nn.BCEWithLogitsLoss(),
        "multi-label softmax": losses.MultilabelCrossEntropy(),
    }
    for name, loss in candidates.items():
        model = train(loss, x_train, hard[:2000], epochs)
        with torch.no_grad():
            s, s_held = model(x_test), model(x_held)
        thresholds = torch.linspace(-4, 2, 121)
        best = thresholds[torch.tensor([f1(s_held > t, hard[held] > 0.5) for t in thresholds]).argmax()]
        scale = TemperatureScaling("sigmoid")
        scale.fit(s_held, hard[held])
        errors = [
            CalibrationError(10, kind="multilabel").update(p, hard[test]).compute()
            for p in (torch.sigmoid(s), losses.label_share(s), torch.sigmoid(scale(s)))
        ]
        row = f"{f1(s > 0, true):8.3f} {f1(s > best, true):8.3f} {best:6.2f}"
        print(f"{name:34} {row} {errors[0]:9.3f} {errors[1]:7.3f} {errors[2]:9.3f}")
    print("\nsoft labels: classes whose share exceeds a half, a quarter, a tenth")
    model = train(losses.MultilabelCrossEntropy(), x_train, share[:2000], epochs)
    with torch.no_grad():
        s = model(x_test)
    for wanted in (0.5, 0.25, 0.1):
        threshold = losses.score_threshold(wanted)
        print(f"  share > {wanted:4}: score > {threshold:6.3f}, F1 {f1(s > threshold, share[test] > wanted):.3f}")


if __name__ == "__main__":
    main()
