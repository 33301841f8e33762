"""Accuracy and confidence under wrong labels
==========================================

Cross-entropy, TaiLr, GCE, a soft median, and temperature scaling.

Four tenths of the training labels of scikit-learn's digits are replaced by random ones. Cross-entropy learns the wrong
labels by heart; losses with W(p) → 0 as p → 0 give them up. Test labels are clean.

    python examples/label_noise.py             under a minute; prints a table and writes the reliability diagrams
    python examples/label_noise.py --quick     a few seconds; too short for the wrong labels to be learned

It needs scikit-learn and matplotlib: pip install "gradwright[study]".
"""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn

import gradwright
from gradwright import losses
from gradwright.calibration import CalibrationError, NegativeLogLikelihood, TemperatureScaling, reliability_diagram

NOISE, EPOCHS, QUICK, BATCH = 0.4, 80, 4, 64

CANDIDATES = {
    "cross-entropy": losses.CrossEntropy(),
    "TaiLr, γ = 0.5": losses.TaiLr(gamma=0.5),
    "GCE, q = 0.7": losses.GCE(q=0.7),
    "cross-entropy, soft median": losses.CrossEntropy(reduction=losses.SoftMedian(0.3)),
}


def digits(seed: int) -> tuple[torch.Tensor, ...]:
    """Training images and noisy labels; held-out and test ones, clean."""
    generator = torch.Generator().manual_seed(seed)
    images, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(labels)
    order = torch.randperm(len(x), generator=generator)
    train, held_out, test = order[:900], order[900:1200], order[1200:]
    wrong = torch.rand(len(y), generator=generator) < NOISE
    noisy = torch.where(wrong, torch.randint(10, (len(y),), generator=generator), y)
    return x[train], noisy[train], x[held_out], y[held_out], x[test], y[test]


def train(loss: nn.Module, x: torch.Tensor, y: torch.Tensor, epochs: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))
    optimizer = gradwright.AdamW(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            loss(model(x[batch]), y[batch]).backward()
            optimizer.step()
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} epochs instead of {EPOCHS}")
    parser.add_argument("--out", default="label_noise.png", help="where the diagrams go")
    arguments = parser.parse_args()
    epochs = QUICK if arguments.quick else EPOCHS
    x, y, held_x, held_y, test_x, test_y = digits(seed=0)
    print(f"{NOISE:.0%} of {len(x)} training labels drawn at random; {len(test_x)} clean test samples\n")
    print(f"{'loss':28} {'accuracy':>8} {'ECE':>7} {'NLL':>7}   {'T':>5} {'ECE / T':>8} {'NLL / T':>8}")
    diagrams = {}
    for name, loss in CANDIDATES.items():
        model = train(loss, x, y, epochs, seed=0)
        with torch.no_grad():
            z, held = model(test_x), model(held_x)
        scale = TemperatureScaling()
        fit = scale.fit(held, held_y)
        accuracy = (z.argmax(-1) == test_y).double().mean()
        error = CalibrationError(10).update(z, test_y, logits=True)
        ece, nll = error.compute(), NegativeLogLikelihood().update(z, test_y, logits=True).compute()
        after = CalibrationError(10).update(scale(z), test_y, logits=True)
        cooled = NegativeLogLikelihood().update(scale(z), test_y, logits=True).compute()
        print(
            f"{name:28} {accuracy:8.3f} {ece:7.3f} {nll:7.3f}   {fit.temperature.item():5.2f} "
            f"{after.compute():8.3f} {cooled:8.3f}" + ("" if fit.converged else f"   ({fit.status})")
        )
        diagrams[name] = error.reliability(), after.reliability()
    draw(diagrams, arguments.out)
    print(f"\nreliability diagrams: {arguments.out}")


def draw(diagrams: dict, path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(diagrams), figsize=(4 * len(diagrams), 4.6), layout="constrained")
    for axes, (name, (before, after)) in zip(panels, diagrams.items()):
        reliability_diagram(before, axes, label="as trained", colour="#c0562f")
        reliability_diagram(after, axes, label="with temperature", colour="#2a6fbb")
        axes.set_title(name)
        axes.get_legend().remove()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
