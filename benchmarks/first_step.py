"""The seconds from parameters to the end of the first step, in this process, as the last line of the output.

Run as ``python first_step.py ours|torch full|smoke``; to be asked in a fresh process each time.
"""

from __future__ import annotations

import sys
import time

import torch
from shapes import FULL, SMOKE, parameters


def main(which: str, size: str) -> float:
    """Make the optimizer and step once. What torch imports at its first optimizer is not counted, in either case."""
    torch.optim.SGD([torch.zeros(1, requires_grad=True)])
    params = parameters((SMOKE if size == "smoke" else FULL).gpt)
    if which == "ours":
        from gradwright import AdamW

        make = AdamW
    else:

        def make(params: list[torch.Tensor]) -> torch.optim.Optimizer:
            return torch.optim.AdamW(params, fused=True)

    start = time.perf_counter()
    make(params).step()
    return time.perf_counter() - start


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
