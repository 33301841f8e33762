"""A small language that selects parameters by their roles and names: `"matrix & !embedding & !head"`.

    term    a role word | * (everything) | name:GLOB (the dotted name) | in:GLOB (the module's type) | ( ... )
    !a      not a                  binds tightest
    a & b   both
    a | b   either                 binds loosest

A glob is `fnmatch`'s, case-sensitive, and ends at a space, a bracket or an operator; `[!ab]` keeps its `!`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import ClassVar, NoReturn

from gradwright.core.roles import check_role

_TOKEN = re.compile(r"\w+:[^\s&|()]*|[&|!()]|[^\s&|!()]+")
_NOT_IN_NAMES = re.compile(r"[\s&|()*?\[\]]")
_SPELLED = {"and": "&", "or": "|", "not": "!", "~": "!", "-": "!", ",": "|", "+": "|"}


class Selector:
    """A condition on one parameter; made by `parse`, and printed as the text that parses to it again.

    >>> str(parse("matrix&!(embedding|head)"))
    'matrix & !(embedding | head)'
    """

    binding: ClassVar[int] = 3
    """How tightly it holds together: 0 for `|`, 1 for `&`, 2 for `!`, 3 for a single term."""

    def matches(self, roles: frozenset[str], name: str = "", module: str = "") -> bool:
        """Whether a parameter meets the condition.

        Args:
            roles: its role words.
            name: its full dotted name, for `name:` terms.
            module: the type name of the module that owns it, for `in:` terms.

        >>> parse("name:encoder.* & !bias").matches(frozenset({"matrix"}), "encoder.0.weight")
        True
        """
        raise NotImplementedError

    @property
    def words(self) -> frozenset[str]:
        """The role words that the condition reads.

        >>> sorted(parse("matrix & !head & in:Linear").words)
        ['head', 'matrix']
        """
        return frozenset()

    def _inside(self, outer: Selector) -> str:
        return f"({self})" if self.binding < outer.binding else str(self)


@dataclass(frozen=True)
class Everything(Selector):
    """`*`: any parameter."""

    def matches(self, roles: frozenset[str], name: str = "", module: str = "") -> bool:
        return True

    def __str__(self) -> str:
        return "*"


@dataclass(frozen=True)
class Role(Selector):
    """A role word: the parameter has that role."""

    word: str

    def matches(self, roles: frozenset[str], name: str = "", module: str = "") -> bool:
        return self.word in roles

    @property
    def words(self) -> frozenset[str]:
        return frozenset({self.word})

    def __str__(self) -> str:
        return self.word


@dataclass(frozen=True)
class Glob(Selector):
    """`name:GLOB` or `in:GLOB`: the dotted name, or the type name of the owner, matches."""

    prefix: str
    glob: str

    def matches(self, roles: frozenset[str], name: str = "", module: str = "") -> bool:
        return fnmatchcase(name if self.prefix == "name" else module, self.glob)

    def __str__(self) -> str:
        return f"{self.prefix}:{self.glob}"


@dataclass(frozen=True)
class Not(Selector):
    """`!a`."""

    term: Selector
    binding: ClassVar[int] = 2

    def matches(self, roles: frozenset[str], name: str = "", module: str = "") -> bool:
        return not self.term.matches(roles, name, module)

    @property
    def words(self) -> frozenset[str]:
        return self.term.words

    def __str__(self) -> str:
        return f"!{self.term._inside(self)}"


@dataclass(frozen=True)
class Joined(Selector):
    """`a & b` or `a | b`, for any number of terms."""

    mark: str
    terms: tuple[Selector, ...]

    @property
    def binding(self) -> int:  # type: ignore[override]
        return 1 if self.mark == "&" else 0

    def matches(self, roles: frozenset[str], name: str = "", module: str = "") -> bool:
        needed = all if self.mark == "&" else any
        return needed(term.matches(roles, name, module) for term in self.terms)

    @property
    def words(self) -> frozenset[str]:
        return frozenset().union(*(term.words for term in self.terms))

    def __str__(self) -> str:
        return f" {self.mark} ".join(term._inside(self) for term in self.terms)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [(found.group(), found.start()) for found in _TOKEN.finditer(text)]
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def fail(self, message: str, shift: int = 0) -> NoReturn:
        position = self.tokens[self.at][1] if self.at < len(self.tokens) else len(self.text)
        line = re.sub(r"\s", " ", self.text)
        raise ValueError(f"selector {self.text!r}: {message}\n    {line}\n    {' ' * (position + shift)}^")

    def unexpected(self, expected: str) -> NoReturn:
        found = self.peek()
        spelled = _SPELLED.get(found) or _SPELLED.get(found[:1])
        hint = f" (write '{spelled}')" if spelled else ""
        self.fail(f"expected {expected}, found {repr(found) if found else 'the end'}{hint}")

    def whole(self) -> Selector:
        selector = self.either()
        if self.peek():
            self.unexpected("'&', '|' or the end")
        return selector

    def either(self) -> Selector:
        return self.joined("|", self.both)

    def both(self) -> Selector:
        return self.joined("&", self.negated)

    def joined(self, mark: str, read: Callable[[], Selector]) -> Selector:
        terms: list[Selector] = []
        while not terms or self.peek() == mark:
            self.at += bool(terms)
            term = read()
            # `a & (b & c)` is `a & b & c`: one form for one meaning, so that equal selectors compare equal.
            terms += term.terms if isinstance(term, Joined) and term.mark == mark else (term,)
        return terms[0] if len(terms) == 1 else Joined(mark, tuple(terms))

    def negated(self) -> Selector:
        if self.peek() != "!":
            return self.term()
        self.at += 1
        return Not(self.negated())

    def term(self) -> Selector:
        token = self.peek()
        if token in ("", "&", "|", ")") or token in _SPELLED or token[0] in _SPELLED:
            self.unexpected("a role, '*', 'name:...', 'in:...', '!' or '('")
        if token == "(":
            self.at += 1
            selector = self.either()
            if self.peek() != ")":
                self.unexpected("'&', '|' or ')'")
        else:
            selector = self.leaf(token)
        self.at += 1
        return selector

    def leaf(self, token: str) -> Selector:
        prefix, colon, glob = token.partition(":")
        if colon:
            if prefix not in ("name", "in"):
                self.fail(f"unknown prefix {prefix!r}: expected 'name:' or 'in:'")
            if not glob:
                self.fail(f"expected a pattern right after {token!r}, such as '{token}*'", shift=len(token))
            return Glob(prefix, glob)
        if token == "*":
            return Everything()
        if not token.isidentifier():
            self.fail(f"{token!r} is no role; a pattern on names is written 'name:{token}'")
        try:
            return Role(check_role(token))
        except ValueError as error:
            self.fail(str(error))


@lru_cache(maxsize=512)
def parse(text: str) -> Selector:
    """The selector that a text describes; the same text gives the same object.

    Args:
        text: roles, `*`, `name:` and `in:` terms, joined by `&`, `|`, `!` and brackets.

    Raises:
        ValueError: the text breaks the grammar or uses an unknown role; the message shows where.

    >>> parse("matrix & !head").matches(frozenset({"matrix", "head"}))
    False
    """
    return _Reader(text).whole()


def by_name(name: str) -> str:
    """The term that selects one parameter; letters that a term cannot have stand as `?`, which matches any.

    >>> by_name("blocks.0.gate weight")
    'name:blocks.0.gate?weight'
    """
    return "name:" + _NOT_IN_NAMES.sub("?", name)
