"""Draws docs/losses/weights.png: how much each loss listens to a sample, by the probability of its label.

    python docs/losses/draw.py

Every loss that is a function of that probability alone is in the picture, as the table ``gradwright.losses.LOSSES`` has
it. It needs matplotlib: pip install "gradwright[study]".
"""

from pathlib import Path

import matplotlib
import torch

from gradwright.losses import LOSSES

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SETTINGS = {
    "cross_entropy": [{}],
    "tailr": [{"gamma": 0.003}, {"gamma": 0.1}, {"gamma": 1.0}],
    "gce": [{"q": 0.2}, {"q": 0.4}, {"q": 0.7}],
    "soft_accuracy": [{}],
    "focal": [{"focus": 0.5}, {"focus": 2.0}, {"focus": 5.0}],
    "poly1": [{"eps": -1.0}, {"eps": 1.0}, {"eps": 2.0}],
    "sce": [{"alpha": 0.1, "beta": 0.1}, {"alpha": 1.0, "beta": 0.1}, {"alpha": 0.1, "beta": 1.0}],
}
COLOURS = ("#7fb2e5", "#2a6fbb", "#12355b")
CEILING, FLOOR = 2.4, 1e-3
LETTERS = {"gamma": "γ", "alpha": "α", "beta": "β", "eps": "ε", "focus": "focus", "q": "q"}


def main() -> None:
    curves = {name for name, entry in LOSSES.items() if entry.curve is not None}
    assert curves == set(SETTINGS), f"draw {sorted(curves ^ set(SETTINGS))} too, or no longer"
    p = torch.logspace(torch.tensor(FLOOR).log10(), 0, 400, dtype=torch.float64)[:-1]
    figure, panels = plt.subplots(2, 4, figsize=(13, 6), sharex=True, sharey=True, layout="constrained")
    for axes, (name, settings) in zip(panels.flat, SETTINGS.items()):
        axes.axhline(1, color="#999999", lw=1, ls="--")
        axes.axvline(0.01, color="#c0562f", lw=1, ls=":")
        highest = 0.0
        for setting, colour in zip(settings, COLOURS[1:] if len(settings) == 1 else COLOURS):
            weight = LOSSES[name].weight(p, **setting)
            label = ", ".join(f"{LETTERS[key]} = {value:g}" for key, value in setting.items())
            axes.plot(p, weight, color=colour, lw=2, label=label or None)
            highest = max(highest, float(weight.max()))
        if highest > CEILING:
            axes.set_title(f"up to {highest:.1f}", fontsize=9, loc="right")
        axes.set_title(name, fontsize=11, fontweight="bold", loc="left")
        axes.grid(alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
        if any(settings):
            axes.legend(fontsize=9, loc="upper left", edgecolor="none", facecolor="white", framealpha=1)
    axes.set(xscale="log", xlim=(FLOOR, 1), ylim=(0, CEILING))
    axes.set_xticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    for axes in panels[:, 0]:
        axes.set_ylabel("W(p)")
    for axes in (*panels[1, :3], panels[0, 3]):
        axes.set_xlabel("p, the probability of the label")
        axes.tick_params(labelbottom=True)
    note = panels[1, 3]
    note.axis("off")
    note.text(
        0.0,
        0.95,
        "W(p) = −p φ′(p): what a sample counts in the\ngradient, beside 1 for cross-entropy (dashed).\n\n"
        "W → 0 at the left: the label is not believed.\nW falls to the right: what is known rests.\n\n"
        "Dotted: p = 1/100, where the training of a\nhundred classes begins. A loss with little\n"
        "weight there starts slowly.",
        transform=note.transAxes,
        va="top",
        fontsize=10.5,
        linespacing=1.45,
    )
    path = Path(__file__).with_name("weights.png")
    figure.savefig(path, dpi=110)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
