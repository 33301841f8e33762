"""Show: tables of recipes and of contract outcomes, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import gradwright  # noqa: F401 (enters the recipes)
from gradwright.cli.load import recipe_named
from gradwright.contract import run_contract
from gradwright.describe.fusion import summary
from gradwright.describe.losses import rows as loss_rows
from gradwright.describe.memory import FORMS, memory_rows
from gradwright.describe.text import rows, select
from gradwright.recipe.traits import TRAITS

MARKS = {"passed": "[green]passed[/]", "excused": "[dim]excused[/]", "failed": "[red]FAILED[/]"}


def show_recipes(traits: Sequence[str]) -> None:
    """One line a recipe that has all of ``traits``."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, style in (("recipe", "bold"), ("what it is", ""), ("bytes", ""), ("traits", "dim")):
        table.add_column(heading, style=style, justify="right" if heading == "bytes" else "left")
    found = rows(traits)
    for row in found:
        table.add_row(*row)
    console = Console()
    console.print(table if found else "no recipe has all of these traits")
    console.print(f"\n{len(found)} recipes; bytes of state per parameter of a float32 matrix", style="dim")


def show_bytes(traits: Sequence[str]) -> None:
    """One line a recipe: what it holds for each number of a parameter in each format."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("recipe", style="bold", no_wrap=True)
    for form in FORMS:
        table.add_column(f"{str(form.dtype).removeprefix('torch.')}\n{form.state}\n{form.weights}", justify="right")
    found = memory_rows(traits)
    for row in found:
        table.add_row(*row)
    console = Console()
    console.print(table if found else "no recipe has all of these traits")
    text = "bytes per number of a matrix of 1024 x 1024: weight, gradient and state. Columns: type, state=, weights="
    console.print(f"\n{text}", style="dim")


def show_losses(traits: bool = False) -> None:
    """One line a loss."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("loss", style="bold", no_wrap=True)
    table.add_column("what it is")
    if traits:
        table.add_column("traits", style="dim")
    found = loss_rows()
    for name, says, has in found:
        table.add_row(name, escape(says), *([has] if traits else []))
    console = Console()
    console.print(table)
    console.print(f"\n{len(found)} losses; ce and nce are short for the first two", style="dim")


def show_fusion(traits: Sequence[str]) -> None:
    """One line a recipe: whether it runs as kernels, and if not, why."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("recipe", style="bold", no_wrap=True)
    table.add_column("on the CPU and on a GPU")
    found = {recipe_spec.name: summary(recipe_spec) for recipe_spec in select(traits)}
    for name, how in found.items():
        table.add_row(name, how if how == "fused" else f"[yellow]{escape(how)}[/]")
    console = Console()
    console.print(table if found else "no recipe has all of these traits")
    whole = sum(how == "fused" for how in found.values())
    console.print(f"\n{whole} of {len(found)} recipes run as kernels from end to end, at their defaults", style="dim")


def show_traits() -> None:
    """Every trait, in a sentence."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for trait, meaning in TRAITS.items():
        table.add_row(f"[bold]{trait}[/]", meaning)
    Console().print(table)


def show_contract(where: str) -> bool:
    """Run the contract on the recipe named ``module:Class``, or on one of the library's.

    Returns:
        Whether it passed.

    Raises:
        ValueError: there is no such module, or nothing of that name in it, or it is no recipe.
    """
    recipe = recipe_named(where)
    console = Console()
    console.print(f"The contract on [bold]{recipe.recipe_name}[/] ({recipe.__module__})")
    table = Table(box=None, pad_edge=False, show_header=False)
    outcomes = run_contract(recipe)
    for outcome in outcomes:
        table.add_row(MARKS[outcome.status], outcome.check.replace("_", " "), outcome.sentence)
    console.print(table)
    counts = {status: sum(outcome.status == status for outcome in outcomes) for status in MARKS}
    console.print(", ".join(f"{count} {status}" for status, count in counts.items()))
    return counts["failed"] == 0
