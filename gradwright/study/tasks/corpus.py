"""The sources of Python's standard library as a corpus of bytes: real text that every machine already has."""

from __future__ import annotations

import functools
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gradwright.study.tasks.seeding import derive
from gradwright.study.tasks.task import sha256


class Corpus(NamedTuple):
    """Training and validation bytes (one-dimensional, ``uint8``), the number of texts, and the sha256 of all."""

    train: Tensor
    validation: Tensor
    files: int
    sha256: str


@functools.cache
def standard_library(folder: str | None = None, validation_share: float = 0.05) -> Corpus:
    """Every ``*.py`` at the top level of the standard library, split by file.

    Files go to validation in the order of a hash of their names until ``validation_share`` of the bytes is reached,
    so both parts hold all kinds of modules and no file is in both. The library differs between Python versions:
    compare losses only where the sha256 agrees.

    Raises:
        ValueError: the folder holds no sources (a frozen or zipped Python).
    """
    root = Path(folder or sysconfig.get_paths()["stdlib"])
    paths = sorted(root.glob("*.py"), key=lambda path: path.name)
    if not paths:
        raise ValueError(
            f"the task reads the standard library's sources, but {str(root)!r} holds no *.py file: this Python is "
            f"frozen or zipped. Choose another task, or run under an ordinary Python installation"
        )
    return split({path.name: path.read_bytes() for path in paths}, validation_share)


def split(texts: Mapping[str, bytes], validation_share: float) -> Corpus:
    """Texts by name in two parts, none in both: in the order of a hash of their names until the share is reached."""
    wanted = validation_share * sum(map(len, texts.values()))
    held_out, size = set(), 0
    for name in sorted(texts, key=lambda name: derive("validation", name)):
        if size >= wanted:
            break
        held_out.add(name)
        size += len(texts[name])
    train = b"".join(text for name, text in texts.items() if name not in held_out)
    validation = b"".join(text for name, text in texts.items() if name in held_out)
    return Corpus(_bytes(train), _bytes(validation), len(texts), sha256(train, validation))


def windows(text: Tensor, starts: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Inputs and next bytes, both ``(len(starts), length)``, of the windows that begin at ``starts``."""
    rows = text[starts[:, None] + torch.arange(length + 1)].long()
    return rows[:, :-1], rows[:, 1:]


def fixed_windows(text: Tensor, count: int, length: int) -> tuple[Tensor, Tensor]:
    """``count`` windows spread evenly over the text: the same for every run."""
    return windows(text, torch.linspace(0, len(text) - length - 1, count).long(), length)


def _bytes(text: bytes) -> Tensor:
    return torch.from_numpy(np.frombuffer(text, dtype=np.uint8).copy())
