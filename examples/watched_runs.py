"""A run seen from inside
======================

The long tail of its gradients before and after a remedy, and the latent space of a VAE.

The first pair of runs learns a hundred classes of which the commonest is 53 times as frequent as the rarest, once by
the cross-entropy and once by one that counts every class alike; each writes a page with its histograms, its layers
over time and what is wrong with it. The comparisons write the study's pages, with both histograms in one picture and
with the images of digits where a variational auto-encoder puts them, coloured by digit.

    python examples/watched_runs.py            about a minute
    python examples/watched_runs.py --quick    some seconds; too short to learn much

It needs the extra of the studies: pip install "gradwright[study]".
"""

import argparse

import torch
from torch.nn.functional import cross_entropy

import gradwright
from gradwright.observe import Watch
from gradwright.study import compare, tasks

STEPS, QUICK = 800, 40


def balanced(outputs: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """The cross-entropy with weights n / (K n_k) of classes that occur n_k times: every class counts alike."""
    weight = counts.sum() / (len(counts) * counts)
    return (weight[targets] * cross_entropy(outputs, targets, reduction="none")).mean()


def watched(name: str, remedy: bool, steps: int) -> None:
    """Train on the long-tailed classes, and write the page of the run."""
    session = tasks.find("zipf-noise").begin(seed=0)
    optimizer = gradwright.AdamW(session.model.parameters(), lr=1e-3)
    with Watch(session.model, optimizer, every=20, to=f"{name}.jsonl") as watch:
        for step in range(steps):
            outputs, targets = session.batch(step)
            loss = balanced(outputs, targets, session.class_counts) if remedy else cross_entropy(outputs, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, outputs=outputs, targets=targets)
    head = [name for name, held in watch.record().parameters.items() if len(held.shape) > 1][-1]
    first, last = (watch.record().windows[at].parameters[head] for at in (0, -1))
    print(
        f"{name}: the largest 1 % of the output layer's gradient hold {first.tail:.0%} of it, {last.tail:.0%} at last"
    )
    for finding in watch.findings():
        print(finding)
    print(f"wrote {watch.report(f'{name}.html', name)} and {name}.jsonl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="some seconds; too short to learn much")
    steps = QUICK if parser.parse_args().quick else STEPS
    watched("long-tail", False, steps)
    watched("remedy", True, steps)
    for task in ("zipf-noise", "digits-vae"):
        study = compare(task, "AdamW", seeds=1, steps=steps, out=task, threads=1, progress=False, watch=True)
        print(f"wrote {study.files[0]}")


if __name__ == "__main__":
    main()
