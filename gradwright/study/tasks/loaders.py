"""A user's own model and loaders as a task."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gradwright.study.tasks.seeding import RandomStream, derive
from gradwright.study.tasks.task import RECENT, Compared, Metric, Session, Task
from gradwright.training.batch_norm import batch_norms


def from_loaders(
    model: Callable[[], nn.Module],
    train: Iterable[Sequence[Tensor]],
    validation: Iterable[Sequence[Tensor]],
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    name: str = "model",
) -> Task:
    """A task from a function that makes the model, two iterables of (input, target) and ``loss_fn(output, target)``.

    The loaders are walked again from the start in every epoch; a shuffling ``DataLoader`` is seeded so that every
    optimizer sees the same batches at the same seed. Batches are moved to the model's device. The validation loss is
    the mean over its samples, by ``loss_fn`` whatever loss the model is trained with. For anything else (other batches,
    other metrics) write a :class:`Task`.

    Raises:
        TypeError: an argument is not what is asked for.
    """
    if isinstance(model, nn.Module) or not callable(model):
        raise TypeError(
            f"model is a {type(model).__name__}: give a function that makes a new model (such as lambda: Net()), "
            f"because every run starts from weights of its own"
        )
    if not callable(loss_fn):
        raise TypeError(f"loss_fn is a {type(loss_fn).__name__}: give a function (output, target) -> loss")
    for argument, loader in (("train", train), ("validation", validation)):
        if isinstance(loader, Iterator) or not isinstance(loader, Iterable):
            raise TypeError(
                f"the {argument} loader is a {type(loader).__name__}: give a DataLoader or a list of (input, target) "
                f"pairs, something that can be walked more than once"
            )

    def start(seed: int) -> Session:
        net = model()
        batch = Replay(train, name, seed, "train", keep=RECENT if batch_norms(net) else 1)

        def compared(step: int) -> tuple[Tensor, Tensor]:
            x, y = _pair(batch(step), net)
            return net(x), y

        def evaluate() -> dict[str, float]:
            total, count = 0.0, 0
            with RandomStream(name, "validation"):
                for pair in validation:
                    x, y = _pair(pair, net)
                    total += loss_fn(net(x), y).item() * len(x)
                    count += len(x)
            if not count:
                raise ValueError("the validation loader is empty: there is nothing to judge by")
            return {"validation_loss": total / count}

        return Session(net, Compared(compared, loss_fn), evaluate, compared)

    metrics = (Metric("validation_loss", "validation loss"),)
    return Task(name, "A model and data of the user's own.", start, metrics, judge="validation_loss")


class Replay:
    """The batches of a loader in order, epoch after epoch, drawn from a random stream of their own.

    Args:
        loader: what is walked.
        key: names the random stream.
        keep: how many batches are remembered, the last one at least.
    """

    def __init__(self, loader: Iterable[Any], *key: object, keep: int = 1) -> None:
        self.loader, self.random, self.step = loader, RandomStream(*key), -1
        self.batches: Iterator[Any] = iter(())
        self.kept: deque[Any] = deque(maxlen=keep)
        for part in (loader, getattr(loader, "sampler", None)):
            if isinstance(generator := getattr(part, "generator", None), torch.Generator):
                generator.manual_seed(derive(*key))

    def __call__(self, step: int) -> Any:
        """The batch of this step: the next one, or one of those remembered; of an older step the oldest remembered."""
        while self.step < step:
            with self.random:
                try:
                    batch = next(self.batches)
                except StopIteration:
                    self.batches = iter(self.loader)
                    try:
                        batch = next(self.batches)
                    except StopIteration:
                        raise ValueError("the train loader is empty: there is nothing to learn from") from None
            self.kept.append(batch)
            self.step += 1
        return self.kept[max(0, len(self.kept) - 1 - (self.step - step))]


def _pair(batch: Any, model: nn.Module) -> tuple[Tensor, Tensor]:
    if not isinstance(batch, list | tuple) or len(batch) != 2:
        raise TypeError(
            f"a batch is a {type(batch).__name__}: the loaders must give pairs (input, target). "
            f"Write a gradwright.study.Task for anything else"
        )
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    return batch[0].to(device), batch[1].to(device)
