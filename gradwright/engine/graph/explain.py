"""Explain: print what a trace computes as equations, in text or in LaTeX."""

from __future__ import annotations

from dataclasses import dataclass

from gradwright.core import Chain, HostScalar, ParamSpec, Slot
from gradwright.engine.graph.graph import Graph
from gradwright.engine.graph.trace import Trace, trace
from gradwright.engine.operand import COLUMN, ELEMENT, HOST, ROW, SHARED, summed_in
from gradwright.engine.ops import OPAQUE, OPERATIONS

LETTERS = {
    "beta": ("β", r"\beta"),
    "beta1": ("β₁", r"\beta_1"),
    "beta2": ("β₂", r"\beta_2"),
    "beta3": ("β₃", r"\beta_3"),
    "gamma": ("γ", r"\gamma"),
    "sharpness": ("s", "s"),
    "size": ("η", r"\eta"),
    "weight_decay": ("λ", r"\lambda"),
    "eps": ("ε", r"\epsilon"),
    "momentum": ("μ", r"\mu"),
    "alpha": ("α", r"\alpha"),
    "kappa": ("κ", r"\kappa"),
    "memory": ("β", r"\beta"),
    "step": ("t", "t"),
    "clock": ("T", "T"),
    "param": ("p", "p"),
    "grad": ("g", "g"),
    "loss": ("L", "L"),
}
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUM, PRODUCT, POWER, ATOM = range(4)
VISIBLE = (ROW, COLUMN, ELEMENT)


@dataclass(frozen=True)
class Explanation:
    """The equations of a step, and what their letters stand for.

    Attributes:
        equations: one for each slot that changes, then the parameter's.
        legend: letter and meaning of each hyper-parameter and slot.
    """

    equations: tuple[str, ...]
    legend: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        width = max((len(letter) for letter, _ in self.legend), default=0)
        meanings = [f"  {letter.ljust(width)}  {meaning}" for letter, meaning in self.legend]
        return "\n".join([*(f"  {line}" for line in self.equations), "", "where", *meanings])


LATE = 1001.0
"""A step at which first steps and rests are over, and which ends no cycle of usual length."""


def explain(chain: Chain, spec: ParamSpec, step: float = LATE, clock: float = LATE, latex: bool = False) -> Explanation:
    """The equations that ``chain`` computes on a parameter of ``spec`` at a step late in training.

    A prime marks the new value of what the step writes.

    Raises:
        Untraceable: a part cannot be traced; says what it met.
    """
    numbers: dict[str, float] = {**chain.knobs(), "step": step, "clock": clock}
    numbers |= {key: slot.start for key, slot in chain.slots(spec).items() if isinstance(slot, HostScalar)}
    found = trace(chain, spec, numbers)
    return _Writer(found, chain, latex).explanation()


class _Writer:
    def __init__(self, found: Trace, chain: Chain, latex: bool) -> None:
        self.trace, self.graph, self.latex = found, found.graph, latex
        self.knobs = chain.knobs()
        self.names = _letters([*self.knobs, *found.slots], latex)
        self.stored = {at: key for key, at in found.state.items()}
        self.sums = {
            key: at for name, parts in found.totals.items() for key, at in zip(summed_in(name, len(parts)), parts)
        }
        parts = [at for parts in found.totals.values() for at in parts]
        live = self.graph.needed([found.update, *found.state.values(), *parts])
        uses: dict[int, int] = {}
        for at in live:
            for arg in self.graph.nodes[at].args:
                uses[arg] = uses.get(arg, 0) + 1
        self.named = {at: f"a{k}" for k, at in enumerate(self._worth_naming(live, uses), start=1)}

    def _worth_naming(self, live: list[int], uses: dict[int, int]) -> list[int]:
        """Values that occur more than once and are no mere scalars, and what opaque links make."""
        graph: Graph = self.graph
        return [
            at
            for at in live
            if at not in self.stored
            and (
                graph.nodes[at].op == OPAQUE
                or (uses.get(at, 0) > 1 and graph.nodes[at].args and graph.nodes[at].kind in (SHARED, *VISIBLE))
                or (uses.get(at, 0) > 2 and graph.nodes[at].args and graph.nodes[at].kind == HOST)
            )
        ]

    def explanation(self) -> Explanation:
        ordered = sorted(
            [(at, f"{self._sub(name)} = {self._written(at)[0]}") for at, name in self.named.items()]
            + [(at, f"{self.names[key]}' = {self._written(at)[0]}") for key, at in self.trace.state.items()]
        )
        p = "p"
        update, rank = self._term(self.trace.update)
        subtracted = update if rank > SUM else f"({update})"
        minus = "-" if self.latex else "−"
        equations = [*(text for _, text in ordered), f"{p}' = {p} {minus} {subtracted}"]
        legend = [(self.names[key], f"{key} = {value:g}") for key, value in self.knobs.items()]
        legend += [(self.names[key], _meaning(key, slot)) for key, slot in self.trace.slots.items()]
        legend += [("g", "gradient"), ("p", "parameter"), ("t", "this parameter's step")]
        if self.sums:
            legend.append((r"\sum_{\text{all}}" if self.latex else "Σ", "sum over all parameters"))
        return Explanation(tuple(equations), tuple(legend))

    def _term(self, at: int) -> tuple[str, int]:
        """A value by its name where it has one, else written out, with how tightly it binds."""
        if at in self.stored:
            return f"{self.names[self.stored[at]]}'", ATOM
        if at in self.named:
            return self._sub(self.named[at]), ATOM
        return self._written(at)

    def _in(self, at: int, least: int) -> str:
        text, rank = self._term(at)
        return text if rank >= least else f"({text})"

    def _written(self, at: int) -> tuple[str, int]:
        op, args, data, kind = self.graph.nodes[at]
        minus, dot = ("-", r" \, ") if self.latex else ("−", " ")
        sigma = r"\sum_{\text{all}}" if self.latex else "Σ"
        if op == "const":
            return f"{data:g}", ATOM if data >= 0 else SUM
        if op == "input" and data in self.sums:
            return f"{sigma}({self._term(self.sums[data])[0]})", ATOM
        if op == "input":
            return self.names.get(data) or _letter(data, self.latex), ATOM
        if op == "add":
            return f"{self._in(args[0], SUM)} + {self._in(args[1], SUM)}", SUM
        if op == "sub":
            return f"{self._in(args[0], SUM)} {minus} {self._in(args[1], PRODUCT)}", SUM
        if op == "neg":
            return f"{minus}{self._in(args[0], PRODUCT)}", SUM
        if op == "mul":
            return self._product(args[0], args[1], dot), PRODUCT
        if op == "div":
            if self.latex:
                return rf"\frac{{{self._term(args[0])[0]}}}{{{self._term(args[1])[0]}}}", ATOM
            return f"{self._in(args[0], PRODUCT)} / {self._in(args[1], POWER)}", PRODUCT
        if op == "pow":
            exponent = self._term(args[1])[0]
            shown = f"^{{{exponent}}}" if self.latex else "ᵗ" if exponent == "t" else f"^({exponent})"
            return f"{self._in(args[0], ATOM)}{shown}", POWER
        if op == "sqrt":
            inside = self._term(args[0])[0]
            return (rf"\sqrt{{{inside}}}" if self.latex else f"√({inside})" if " " in inside else f"√{inside}"), ATOM
        if op == "where":
            asked, yes, no = (self._term(arg)[0] for arg in args)
            if self.latex:
                return rf"\begin{{cases}} {yes} & \text{{if }} {asked} \\ {no} & \text{{else}} \end{{cases}}", ATOM
            return f"({yes} if {asked} else {no})", ATOM
        operation = OPERATIONS.get(op)
        if operation is not None and operation.asks and len(args) == 2:
            return f"{self._in(args[0], SUM)} {operation.sign} {self._in(args[1], SUM)}", SUM
        inside = ", ".join(self._term(arg)[0] for arg in (args[:1] if op == OPAQUE else args))
        name = data if op == OPAQUE else "max" if op == "amax" else (operation.sign if operation else "") or op
        row = "block" if self.trace.folding and self.trace.folding.blocks > 1 else "row"
        where = {ROW: f" over each {row}", COLUMN: " over each column"}.get(kind, "") if op in ("sum", "amax") else ""
        name = rf"\operatorname{{{name}{where}}}".replace("_", r"\_") if self.latex else f"{name}{where}"
        return f"{name}({inside})", ATOM

    def _product(self, left: int, right: int, dot: str) -> str:
        if left == right:
            return f"{self._in(left, ATOM)}{'^2' if self.latex else '²'}"
        node = self.graph.nodes[right]
        if node.kind < ELEMENT and node.op == "div" and self.graph.nodes[node.args[0]].data == 1.0:
            # the engine multiplies by a reciprocal; a reader divides
            if self.latex:
                return rf"\frac{{{self._term(left)[0]}}}{{{self._term(node.args[1])[0]}}}"
            return f"{self._in(left, PRODUCT)} / {self._in(node.args[1], POWER)}"
        if self.graph.nodes[left].kind > node.kind:
            left, right = right, left
        return f"{self._in(left, PRODUCT)}{dot}{self._in(right, PRODUCT)}"

    def _sub(self, name: str) -> str:
        return f"{name[0]}_{{{name[1:]}}}" if self.latex else name[0] + name[1:].translate(SUBSCRIPTS)


def _letters(keys: list[str], latex: bool) -> dict[str, str]:
    """A letter for each knob and slot; those that would share one are numbered."""
    wanted = {key: _letter(key.rpartition(".")[2], latex) for key in keys}
    given: dict[str, str] = {}
    for key, letter in wanted.items():
        alike = [other for other, same in wanted.items() if same == letter]
        number = str(alike.index(key) + 1)
        told_apart = f"{{{letter}}}_{{{number}}}" if latex else letter + number.translate(SUBSCRIPTS)
        given[key] = letter if len(alike) == 1 else told_apart
    return given


def _letter(word: str, latex: bool) -> str:
    if word in LETTERS:
        return LETTERS[word][latex]
    if not latex or len(word) == 1:
        return word
    return rf"\mathrm{{{word}}}".replace("_", r"\_")


def _meaning(key: str, slot: Slot | HostScalar) -> str:
    if isinstance(slot, HostScalar):
        return f"{key}, a number of each parameter"
    return f"{key}, {'shared by all parameters' if slot.shared else 'state'}"
