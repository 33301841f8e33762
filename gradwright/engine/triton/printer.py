"""Print a program as Triton: one kernel for each sweep, over chunks of all tensors together.

A kernel finds its tensors through a table of pointers in device memory, so it is launched once, however many there are.
A program takes one chunk. Whole blocks of aligned tensors are read and written 128 bits at a time, the rest under a
mask. A reduction leaves one partial result a program, and whoever needs the whole adds the partials up in the order of
chunks: without atomics the answer is the same bit for bit every time.

Where a tensor is seen as a matrix, a chunk is a tile of it. Sums over rows and columns are folded by a small kernel
behind the sweep, and state by row or column is written by one behind the last sweep, when everybody has read the old.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gradwright.engine.operand import COLUMN, ELEMENT, ROW, TENSOR, plain
from gradwright.engine.ops import OPAQUE
from gradwright.engine.program import Program, table_of
from gradwright.engine.triton.blocks import columns, loop
from gradwright.engine.triton.launches import ENTER_CHUNK, ENTER_LINES, ENTER_STRIP, ENTER_TILE, Launch, Printed
from gradwright.engine.triton.prelude import prelude
from gradwright.engine.triton.values import ARGUMENTS, Values

ASK = ("if tl.load(good) == 0:", "    return")
"""How a kernel begins that does nothing where the step is not taken."""


def print_triton(program: Program, interpreted: bool = False, skips: bool = False) -> Printed:
    """The kernels of ``program``.

    Args:
        interpreted: print for Triton's interpreter, which rounds bfloat16 otherwise than a GPU.
        skips: let every kernel ask first whether the step is taken.

    Raises:
        Untraceable: it has an operation or a type that is not printed yet.
    """
    return _Printer(program).printed(interpreted, ASK if skips else ())


class _Printer(Values):
    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.matrix = program.folding is not None
        self._levels: dict[int, int] = {}

    def printed(self, interpreted: bool, head: Sequence[str]) -> Printed:
        program = self.program
        kernels: list[tuple[int, str, str, list[str]]] = []
        if self.singles:
            kernels.append((0, "before", "tensor", self._before()))
        for sweep, of in enumerate(program.sweeps):
            if now := [at for at in self.folds if self._level(at) == sweep]:
                kernels.append((sweep, f"numbers{sweep}", "tensor", self._numbers(now)))
            kernels.append((sweep, f"sweep{sweep}", "chunk", self._sweep(sweep)))
            if now := [at for at in of.reductions if self.nodes[at].kind != TENSOR]:
                kernels.append((sweep, f"fold{sweep}", "strip", self._fold(now)))
        if any(key in program.stores for key in self.vectors):
            kernels.append((program.last, "publish", "strip", self._publish()))
        formats = any(not how.is_plain for how in self.access.values())
        source, launches = prelude(interpreted, formats), []
        for sweep, name, grid, body in kernels:
            lines = _used(body)
            if not lines:  # a last sweep whose stores were all made before, or are of rows and columns alone
                continue
            text = "".join(f"    {line}\n" for line in (*head, *lines))
            arguments = tuple(argument for argument in ARGUMENTS if re.search(rf"\b{argument}\b", text))
            launches.append(Launch(sweep, name, grid, arguments))
            source += f"\n\n@triton.jit\ndef {name}({', '.join(arguments)}):\n{text}"
        return Printed(source, tuple(launches), self.row, self.derived, len(self.folds))

    def _level(self, at: int) -> int:
        """The first sweep before which a node can be known."""
        if at not in self._levels:
            node = self.nodes[at]
            before = max((self._level(arg) for arg in node.args), default=0) if node.op != OPAQUE else 0
            done = next((k for k, sweep in enumerate(self.program.sweeps) if at in sweep.reductions), None)
            self._levels[at] = before if done is None else done + 1
        return self._levels[at]

    def _of_kind(self, kind: int, nodes: Iterable[int], index: str = "", mask: str = "") -> list[str]:
        return [self.define(at, index, mask) for at in nodes if self.nodes[at].kind == kind]

    def _before(self) -> list[str]:
        """Keep the state of one number: the last sweep writes it while others still read it."""
        lines, count = ["t = tl.program_id(0).to(tl.int64)"], len(self.singles)
        for k, name in enumerate(self.singles):
            lines.append(self.pointer(name))
            lines.append(f"tl.store(single + t * {count} + {k}, tl.load(p_{plain(name)}).to(tl.float64))")
        return lines

    def _sweep(self, sweep: int) -> list[str]:
        """One pass over a chunk: the reductions that it completes, and the stores."""
        program, own = self.program, self.program.sweeps[sweep]
        reductions, written = list(own.reductions), program.writes(sweep)
        numbers = [name for name in own.stores if program.operand(name).kind == TENSOR]
        targets = [self.nodes[at].args[0] for at in reductions]
        targets += [own.stores[name] for name in (*written, *numbers)]
        needed = self.needed(targets)
        read = [table for at in needed if (table := table_of(self.nodes[at])) is not None]
        tables = list(dict.fromkeys([*read, *written]))
        gathered = [at for at in reductions if self.nodes[at].kind != ROW]
        shape = "[HEIGHT, WIDTH]" if self.matrix else "[BLOCK]"
        lines = [
            "c = tl.program_id(0).to(tl.int64)",
            *(ENTER_TILE if self.matrix else ENTER_CHUNK),
            *(self.dims() if self.matrix else []),
            *(ENTER_LINES if program.grouped else []),
            *(["key = tl.load(keys + t).to(tl.uint32)"] if program.random else []),
            *self.scalars(needed, targets),
            *self._of_kind(TENSOR, needed),
            *map(self.pointer, self.vectors),
            *(columns(program.grouped) if self.matrix else []),
            *self._of_kind(COLUMN, needed, "j", "inside"),
            *(f"a_{plain(array)} = {self.address(array)}" for array, _ in self._arrays(tables)),
            *(f"s{at} = tl.full({shape}, {self.empty(at)}, {self.real})" for at in gathered),
        ]
        if tables:
            lines += self._blocks(needed, reductions, written, tables)
        lines += [self._hand_on(at) for at in gathered]
        for name in numbers:
            value = self.rounded(name, self.name(own.stores[name], TENSOR))
            lines += [self.pointer(name), f"tl.store(p_{plain(name)}, {value}, mask=c == tl.load(first + t))"]
        return lines

    def _arrays(self, names: Iterable[str]) -> list[tuple[str, str]]:
        """The arrays of some operands with their types."""
        return [one for name in names for one in self.access[name].arrays(name)]

    def _blocks(self, needed: list[int], reductions: list[int], written: list[str], tables: list[str]) -> list[str]:
        """The loops over a chunk's blocks: whole and aligned ones first, the rest under a mask."""
        arrays = self._arrays(tables)
        aligned = f"(({' | '.join(f'a_{plain(array)}' for array, _ in arrays)}) & 15) == 0"
        if self.program.grouped:
            aligned = f"({aligned}) & (line == filled)"
        if self.matrix:
            lines = [
                f"whole = ({aligned}) & (columns % 16 == 0) & (left + WIDTH <= columns)",
                "turn = tl.where(whole, bottom - (bottom - top) % HEIGHT, top)",
            ]
        else:
            lines = [f"turn = tl.where({aligned}, end - (end - begin) % BLOCK, begin)"]
        for masked in (False, True):
            mask = "m" if masked else ""
            for array, kind in arrays:
                pointer = f"a_{plain(array)}.to(tl.pointer_type({kind}))"
                lines.append(f"p_{plain(array)} = {pointer if masked else f'tl.multiple_of({pointer}, 16)'}")
            inner = self._of_kind(ROW, needed, "y", "y < bottom") + self._of_kind(ELEMENT, needed, "", mask)
            inner += [f"old = {self._old(needed, mask)}"] if "param" in written else []
            inner += [self._gather(at, mask) for at in reductions]
            inner += [line for name in written for line in self._store(name, mask)]
            lines += [*loop(self.matrix, self.program.grouped, masked), *(f"    {line}" for line in inner)]
        return lines

    def _old(self, needed: Iterable[int], mask: str) -> str:
        """The parameter before the step."""
        loaded = (f"v{at}" for at in needed if table_of(self.nodes[at]) == "param")
        return next(loaded, self.load("param", mask))

    def _gather(self, at: int, mask: str) -> str:
        """Take a block into a reduction; of rows a tile is all there is."""
        value = self.name(self.nodes[at].args[0], ELEMENT)
        if mask:
            value = f"tl.where({mask}, {value}, {self.empty(at)})"
        if self.nodes[at].kind != ROW:
            return self.joined(at, value)
        out = f"{self.partials(at)} + left // WIDTH * rows + y"
        return f"tl.store({out}, {self.reduced(at, value, 1)}.to({self.real}), mask=y < bottom)"

    def _hand_on(self, at: int) -> str:
        """Leave what a chunk's reduction came to, for whoever needs the whole."""
        wide = f"s{at}.to(tl.float64)"
        if self.nodes[at].kind == TENSOR:
            out = f"partial + c * {len(self.to_number)} + {self.to_number.index(at)}"
            return f"tl.store({out}, {self.reduced(at, wide, None)})"
        out = f"{self.partials(at)} + part * columns + j"
        return f"tl.store({out}, {self.reduced(at, wide, 0)}.to({self.real}), mask=inside)"

    def _store(self, name: str, mask: str) -> list[str]:
        value = self.name(self.program.stores[name], ELEMENT)
        return self.access[name].written(name, f"old - {value}" if name == "param" else value, mask)

    def _fold(self, reductions: list[int]) -> list[str]:
        """What the partial vectors of rows and columns come to."""
        bodies: dict[int, list[str]] = {ROW: [], COLUMN: []}
        for at in reductions:
            kind = self.nodes[at].kind
            axis, call = "row" if kind == ROW else "column", "summed_rows" if self.sums(at) else "largest_row"
            bodies[kind].append(f"x = {call}({self.partials(at)}, {axis}s, {axis}_parts, i, inside)")
            bodies[kind].append(f"tl.store({self.whole(at)} + i, x.to({self.real}), mask=inside)")
        return [*ENTER_STRIP, *self.dims(), *_either(bodies)]

    def _numbers(self, folds: list[int]) -> list[str]:
        """Reductions of vectors to one number of each tensor, one after another."""
        needed = self.needed(self.nodes[at].args[0] for at in folds)
        lines = ["t = tl.program_id(0).to(tl.int64)", *self.dims(), *self.scalars(needed)]
        lines += map(self.pointer, self.vectors)
        for at in sorted({*needed, *folds}):
            if at in folds:
                lines += self._folded_vector(at)
            elif self.nodes[at].kind == TENSOR:
                lines.append(self.define(at))
        return lines

    def _folded_vector(self, at: int) -> list[str]:
        argument = self.nodes[at].args[0]
        kind = self.nodes[argument].kind
        length = "rows" if kind == ROW else "columns"
        value = f"tl.where(inside, v{argument}, {self.empty(at)}).to(tl.float64)"
        inner = [
            "i = b + tl.arange(0, BLOCK)",
            f"inside = i < {length}",
            *self._of_kind(kind, self.needed([argument]), "i", "inside"),
            self.joined(at, value),
        ]
        return [
            f"s{at} = tl.full([BLOCK], {self.empty(at)}, tl.float64)",
            f"for b in range(0, {length}, BLOCK):",
            *(f"    {line}" for line in inner),
            f"v{at} = {self.reduced(at, f's{at}', 0)}.to({self.real})",
            f"tl.store(number + t * {len(self.folds)} + {self.folds.index(at)}, v{at}.to(tl.float64))",
        ]

    def _publish(self) -> list[str]:
        """The new state by row and column."""
        stores = {key: self.program.stores[key] for key in self.vectors if key in self.program.stores}
        needed = self.needed(stores.values())
        bodies: dict[int, list[str]] = {}
        for kind in (ROW, COLUMN):
            own = self.needed(at for key, at in stores.items() if self.vectors[key] == kind)
            bodies[kind] = self._of_kind(kind, own, "i", "inside")
        for key, at in stores.items():
            kind = self.vectors[key]
            value = self.rounded(key, self.name(at, kind))
            bodies[kind].append(f"tl.store(p_{plain(key)} + i, {value}, mask=inside)")
        return [
            *ENTER_STRIP,
            *self.dims(),
            *self.scalars(needed, stores.values()),
            *map(self.pointer, self.vectors),
            *self._of_kind(TENSOR, needed),
            *_either(bodies),
        ]


def _either(bodies: dict[int, list[str]]) -> list[str]:
    """Lines for strips of rows, or else of columns."""
    branches = (("if by_row:", bodies[ROW]), ("else:", bodies[COLUMN]))
    return [line for head, body in branches for line in (head, *(f"    {inner}" for inner in body or ["pass"]))]


def _used(lines: list[str]) -> list[str]:
    """A kernel without the names that it gives and never uses."""
    kept: list[str] = []
    for line in reversed(lines):
        named = re.match(r" *(\w+) = ", line)
        if named is None or any(re.search(rf"\b{named[1]}\b", later) for later in kept):
            kept.append(line)
    return kept[::-1]
