"""What a cell's code binds and needs, so that solutions run without the whole chapter before them."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator, Sequence
from typing import NamedTuple

IN_PLACE = {"append", "extend", "insert", "update", "setdefault", "add", "pop", "remove", "clear"}  # methods that change their object


class Names(NamedTuple):
    """Global names of some code: those it binds for sure, those it may bind or change, and those it needs from before."""

    bound: set[str]
    touched: set[str]
    needed: set[str]


def names(code: str) -> Names:
    """What a cell's code binds, changes and needs."""
    bound: set[str] = set()
    touched: set[str] = set()
    needed = {need.removeprefix("any ") for need in needs(code) if need.startswith("any ")}
    for statement in ast.parse(code).body:
        table = symtable.symtable(ast.unparse(statement), "cell", "exec")
        assigned = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
        changed = set(_changed(statement))
        branching = isinstance(statement, ast.If | ast.For | ast.While | ast.Try)
        used = set(_used(table)) - (assigned if branching or isinstance(statement, ast.With) else set())
        needed |= (used | changed) - bound
        touched |= assigned | changed
        bound |= set() if branching else assigned
    return Names(bound, touched, needed)


def _used(table: symtable.SymbolTable) -> Iterator[str]:
    """Global names that a scope and those inside it look up."""
    top = table.get_type() == "module"
    yield from (s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global()))
    for child in table.get_children():
        yield from _used(child)


def _changed(statement: ast.stmt) -> Iterator[str]:
    """Names of objects that a statement changes in place."""
    for node in ast.walk(statement):
        target: ast.expr | None = None
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
            target = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in IN_PLACE:
            target = node.func.value
        while isinstance(target, ast.Subscript | ast.Attribute):
            target = target.value
        if isinstance(target, ast.Name):
            yield target.id


def foundations(cells: Sequence[str], code: Sequence[str]) -> list[int]:
    """Indices of the cells that must run before some code, so that every name it takes from them is there."""
    wanted: set[str] = set()
    for source in reversed(code):
        found = names(source)
        wanted = (wanted - found.bound) | found.needed
    kept = []
    for i in reversed(range(len(cells))):
        found = names(cells[i])
        if found.touched & wanted:
            kept.append(i)
            wanted = (wanted - found.bound) | found.needed
    return kept[::-1]


def needs(code: str) -> list[str]:
    """What a cell says that it needs, in the words of `seelike.chapter`."""
    from seelike.chapter import NEEDS  # noqa: PLC0415  (torch, for chapters with solutions)

    found = NEEDS.match(code.partition("\n")[0])
    return [need.strip() for need in found[1].split(",")] if found else []
