"""What all tests share: one thread, so that runs are the same on every machine and leave the cores to others."""

import torch

torch.set_num_threads(1)
