"""CUDA graphs: whether what is launched now is recorded instead of run."""

from __future__ import annotations

import torch

NOT_WARM = (
    "a step is captured that no step prepared: before capturing, step at least three times as usual, with the same "
    "parameters and gradients, and once more between two captures"
)
OTHER_STEP = (
    "the next step is not the one that was captured: a parameter joined or left, or a recipe takes another branch at "
    "this step (a first step, the last of a cycle); capture it again"
)


def capturing() -> bool:
    """Whether what is launched now goes into a CUDA graph instead of running."""
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()
