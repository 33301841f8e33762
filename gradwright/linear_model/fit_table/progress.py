"""Progress of a fit: one moving line on a terminal, elsewhere a few lines that do not fill a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gradwright.linear_model.certificate import Record


@contextmanager
def shown(
    say: Callable[[str], None], console: Console | None = None, quiet: bool = False
) -> Iterator[Callable[[Record], None] | None]:
    """A callback for fits inside the ``with``.

    How many iterations are left is not known, so the bar only moves; the objective and its gradient say how far it is.

    Args:
        say: called with a line at every iteration that is a power of two, where the console is no terminal.
        console: default that of the standard error stream.
        quiet: show nothing; there is no callback then.
    """
    if quiet:
        yield None
        return
    console = Console(stderr=True) if console is None else console
    count = 0

    def sentence(record: Record) -> str:
        nonlocal count
        count += 1
        return f"iteration {count}: objective {record.objective:.8g}, gradient {record.gradient:.2g}"

    if not console.is_terminal:

        def line(record: Record) -> None:
            text = sentence(record)
            if count & (count - 1) == 0:
                say(f"{text}, {record.seconds:.2f} s")

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("fit", total=None)
        yield lambda record: bar.update(task, description=sentence(record))
