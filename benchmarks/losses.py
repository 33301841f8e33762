"""How long losses take, forward and backward, beside cross-entropy: one command, a table.

python benchmarks/losses.py
python benchmarks/losses.py --only exact --rounds 100
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import torch
from row import Row, table
from timing import hardware

from gradwright.losses import LOSSES

BATCH, CLASSES = 256, 1000
BARS = {"exact": 4.0}
"""How many times cross-entropy's time a loss may take."""

Call = Callable[[], torch.Tensor]


def calls(batch: int, classes: int, only: str) -> dict[str, Call]:
    """Every loss whose name holds ``only``, as a forward and backward pass on the same logits."""
    torch.manual_seed(0)
    logits = torch.randn(batch, classes, requires_grad=True)
    label = torch.randint(classes, (batch,))
    several = (torch.rand(batch, classes) < 3 / classes).float()
    settings = {"emo": {"embeddings": torch.randn(classes, 64)}}
    targets = {name: several for name, entry in LOSSES.items() if "multilabel" in entry.traits}
    targets["sparse_multilabel_cross_entropy"] = torch.randint(classes, (batch, 3))

    def once(name: str) -> Call:
        function, target, given = LOSSES[name].function, targets.get(name, label), settings.get(name, {})
        scores = torch.sigmoid(logits).detach().requires_grad_() if name == "soft_f1" else logits
        return lambda: _through(scores, function(scores, target, **given))

    return {name: once(name) for name in LOSSES if only in name}


def _through(logits: torch.Tensor, loss: torch.Tensor) -> torch.Tensor:
    return torch.autograd.grad(loss, logits)[0]


def least(call: Call, reference: Call, rounds: int) -> tuple[float, float]:
    """The least seconds of either, which take turns, in time of this process."""
    best = [float("inf")] * 2
    for count in range(rounds + 3):
        now = [_seconds(each) for each in (call, reference)]
        if count >= 3:
            best = [min(pair) for pair in zip(best, now)]
    return best[0], best[1]


def _seconds(call: Call) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description="Time losses beside torch's cross-entropy.")
    parser.add_argument("--only", default="", metavar="NAME", help="losses whose name holds it")
    parser.add_argument("--rounds", type=int, default=30, help="how often each is timed (30); the least counts")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--classes", type=int, default=CLASSES)
    given = parser.parse_args()
    torch.set_num_threads(1)

    logits = torch.randn(given.batch, given.classes, requires_grad=True)
    label = torch.randint(given.classes, (given.batch,))

    def reference() -> torch.Tensor:
        return _through(logits, torch.nn.functional.cross_entropy(logits, label))

    print("\n".join(f"{name}: {value}" for name, value in hardware("cpu").items()))
    print(f"batch {given.batch}, classes {given.classes}, float32, forward and backward\n")
    rows = []
    for name, call in calls(given.batch, given.classes, given.only).items():
        ours, theirs = least(call, reference, given.rounds)
        against = f"torch's cross_entropy, {1000 * theirs:.2f} ms"
        rows.append(Row(name, ours / theirs, BARS.get(name), against=against, ours=ours))
    if not rows:
        sys.exit(f"no loss is called {given.only}")
    print(table(rows))


if __name__ == "__main__":
    main()
