"""Rows on how state and weights are held: AdamW in few bits beside torch's fused AdamW in float32 and in bfloat16."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from row import Row
from suites import ADAMW_BYTES, Bench, suite, torch_adamw

import gradwright

FORMATS = (("8bit", "split24"), ("8bit", "stochastic"), ("float32", "split32"), ("auto", "plain"))
BARS = {("8bit", "split24", torch.float32): 1.0, ("8bit", "split24", torch.bfloat16): 0.9}
"""The most that a step may take, relative to torch's fused AdamW in a type."""


@suite
def formats(bench: Bench) -> Iterator[Row]:
    """AdamW over bfloat16 weights in several formats; torch's takes turns with it on weights of its own."""
    for state, weights in FORMATS:
        for dtype in (torch.float32, torch.bfloat16):
            name = f"formats-{state}-{weights}-{str(dtype).removeprefix('torch.')}"
            if not bench.wants(name):
                continue
            own, other = bench.params(bench.sets.gpt, torch.bfloat16), bench.params(bench.sets.gpt, dtype)
            ours = gradwright.AdamW(own, state=state, weights=weights)
            best = bench.time({"torch": torch_adamw(other).step, "ours": ours.step})
            moved = ADAMW_BYTES * dtype.itemsize / 4 * sum(param.numel() for param in other)
            yield Row(
                name,
                best["ours"] / best["torch"],
                BARS.get((state, weights, dtype)),
                against=f"torch fused AdamW in {str(dtype).removeprefix('torch.')}",
                ours=best["ours"],
                fused=moved / best["torch"],
            )
