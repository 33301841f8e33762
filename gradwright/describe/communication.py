"""What ranks send in a step of a sharded model: tables, by ``python -m gradwright.describe.communication``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from gradwright.core import ParamSpec
from gradwright.core.spelling import nearest
from gradwright.describe.sent import MODELS, collectives, program_of
from gradwright.describe.text import rows
from gradwright.engine.layout import Layout
from gradwright.engine.operand import COLUMN, TENSOR
from gradwright.engine.specialize import Specialization
from gradwright.recipe.registry import spec_named
from gradwright.recipe.spec import RecipeSpec

PAGE = Path(__file__).parents[2] / "docs" / "distributed.md"
BEGIN, END = "<!-- recipes -->", "<!-- end of recipes -->"
SHOWN = ["AdamW", "Lamb", "Prodigy", "Adafactor", "Muon", "SOAP"]


def table(recipes: Iterable[str], model: str, ranks: Iterable[int], bandwidth: float, latency: float) -> str:
    """For each recipe and number of ranks the collectives of a step, the bytes that a rank sends, and their time.

    Raises:
        ValueError: there is no such model; names those there are.
    """
    if model not in MODELS:
        hint = nearest(model, MODELS, f"there are {', '.join(MODELS)}")
        raise ValueError(f"there is no model {model!r}; {hint}")
    shapes = MODELS[model]
    lines = ["| recipe | ranks | collectives | sent by a rank | time |", "|---|---|---|---|---|"]
    for name in recipes:
        for count in ranks:
            found = collectives(spec_named(name), shapes, count)
            total = sum(one.sent(count) for one in found)
            seconds = sum(one.seconds(count, bandwidth, latency) for one in found)
            lines.append(f"| {name} | {count:,} | {len(found)} | {_bytes(total)} | {1e3 * seconds:.3g} ms |")
    return "\n".join(lines)


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def recipes_table() -> str:
    """What each recipe sends for a matrix of m x n and for a vector, of which each rank has some rows."""
    lines = ["| recipe | sums a step | numbers for a matrix | for a vector | whole matrices |", "|---|---|---|---|---|"]
    alike: dict[str, list[str]] = {}
    for name, *_ in rows():
        recipe = spec_named(name)
        if recipe.build.__module__.startswith("gradwright.recipes."):
            alike.setdefault(_told(recipe), []).append(f"`{name}`")
    lines += [f"| {', '.join(names)} | {told} |" for told, names in alike.items()]
    return "\n".join(lines)


def _told(recipe: RecipeSpec) -> str:
    both = ParamSpec((4800, 3600)), ParamSpec((20,))  # wider than any recipe's rank
    served = [spec for spec in both if recipe.only is None or spec.matches(recipe.only)]
    programs = [program_of(recipe, spec) for spec in served]
    words = [_numbers(program) for program in programs] + ["not served"] * (2 - len(served))
    found = [program for program in programs if program is not None]
    links = any(program.program.links for program in found)
    how = "gathered by all ranks" if len(found) < len(programs) else "to the owner and back" if links else ""
    sums = max((_sums(program) for program in found), default=0)
    if "loss" in recipe.chain({}).all_needs:
        sums, how = sums + 1, how or "(one number is the loss)"
    return " | ".join([str(sums), *words, how])


def _reduced(program: Specialization) -> list[list[int]]:
    """For each sweep the kinds of its reductions in which ranks meet."""
    sharding, nodes = Layout(None, (0,)).seen(program.program.folding), program.program.graph.nodes
    kinds = [[nodes[at].kind for at in sweep.reductions] for sweep in program.program.sweeps]
    return [[kind for kind in some if sharding.meeting(kind)] for some in kinds]


def _sums(program: Specialization) -> int:
    nodes = program.program.graph.nodes
    ops = [{nodes[at].op for at in sweep.reductions} for sweep in program.program.sweeps]
    return sum(len(some) for some, met in zip(ops, _reduced(program)) if met)


def _numbers(program: Specialization | None) -> str:
    if program is None:
        return "all of it"
    kinds = [kind for some in _reduced(program) for kind in some]
    parts = [(kinds.count(COLUMN), "n"), (kinds.count(TENSOR), "")]
    return " + ".join(f"{count if count > 1 or not unit else ''}{unit}" for count, unit in parts if count) or "none"


def page(text: str) -> str:
    """docs/distributed.md with its table brought up to date."""
    before, rest = text.split(BEGIN)
    _, behind = rest.split(END)
    return f"{before}{BEGIN}\n\n{recipes_table()}\n\n{END}{behind}"


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m gradwright.describe.communication",
        description="What ranks send in a step of a model whose parameters FSDP2 shards, and how long that takes where "
        "nothing else is under way.",
    )
    parser.add_argument("--model", default="gpt-7b", choices=MODELS)
    parser.add_argument("--ranks", type=int, nargs="*", default=[8, 64, 512, 4096], help="how many, one row for each")
    parser.add_argument("--recipe", nargs="*", default=SHOWN, help="names of recipes")
    parser.add_argument("--bandwidth", type=float, default=50e9, help="bytes a second that a rank can send")
    parser.add_argument("--latency", type=float, default=1e-5, help="seconds until a message arrives")
    parser.add_argument("--page", action="store_true", help="write the table of all recipes into docs/distributed.md")
    found = parser.parse_args(given)
    if min(found.ranks, default=0) < 1 or found.bandwidth <= 0 or found.latency < 0:
        parser.error("--ranks must be 1 or more, --bandwidth above 0 and --latency 0 or more")
    return found


def main(given: Sequence[str] | None = None) -> None:
    """Print the table that the arguments ask for, or write that of the page."""
    asked = _arguments(given)
    if asked.page:
        PAGE.write_text(page(PAGE.read_text()))
        print(PAGE)
        return
    print(table(asked.recipe, asked.model, asked.ranks, asked.bandwidth, asked.latency))


if __name__ == "__main__":
    main()
