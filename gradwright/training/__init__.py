"""What stands around a training loop: gradient accumulation, averaged weights, bounded attention logits."""

from gradwright.training.accumulate import Closed, Window, count_targets
from gradwright.training.averaging import PowerSnapshot, power_mixture, power_snapshots
from gradwright.training.batch_norm import recompute_batch_norm, recomputed_batch_norm
from gradwright.training.qk_clip import qk_clip
from gradwright.training.release import Released, release

__all__ = [
    "Closed",
    "PowerSnapshot",
    "Released",
    "Window",
    "count_targets",
    "power_mixture",
    "power_snapshots",
    "qk_clip",
    "recompute_batch_norm",
    "recomputed_batch_norm",
    "release",
]
