"""No folder imports another that imports it, at any depth, not even by way of others."""

from collections import defaultdict

import pytest

grimp = pytest.importorskip("grimp")


def neighbours(graph) -> dict[str, dict[str, set[str]]]:
    """For each package, which of the packages and files in it imports which of them."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            mine, its = module.split("."), other.split(".")
            depth = next((k for k, (a, b) in enumerate(zip(mine, its)) if a != b), None)
            if depth is not None:
                found[".".join(mine[:depth])][mine[depth]].add(its[depth])
    return found


def way_back(imports: dict[str, set[str]], name: str) -> list[str]:
    """Names each of which imports the next, from ``name`` to ``name``; none where there is no such way."""
    ways, seen = [[name]], set()
    while ways:
        way = ways.pop(0)
        for other in sorted(imports.get(way[-1], ())):
            if other == name:
                return [*way, name]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []


def test_a_circle_is_found():
    assert way_back({"a": {"b"}, "b": {"c"}, "c": {"d", "b"}}, "c") == ["c", "b", "c"]
    assert way_back({"a": {"b"}, "b": {"c"}, "c": {"d", "b"}}, "a") == []


def test_no_folders_import_each_other():
    graph = grimp.build_graph("gradwright", exclude_type_checking_imports=True, cache_dir=None)
    ways = [
        f"{package}: {' -> '.join(way)}"
        for package, imports in neighbours(graph).items()
        for name in imports
        if graph.find_children(f"{package}.{name}") and (way := way_back(imports, name))
    ]
    assert ways == []
