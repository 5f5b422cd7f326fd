"""The page of the package: signature and docstring of a function or class as its source has them, read without importing anything heavy."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

TERM = re.compile(r"(?P<name>[a-z_]+(?:, [a-z_]+)*): (?P<told>.+)")


class Described(NamedTuple):
    """module, name: "seelike.cka", "CKA.interval". kind: "function", "class", "method" or "property". parameters: as written."""

    module: str
    name: str
    kind: str
    parameters: list[str]
    returns: str
    doc: str


@lru_cache(64)
def _tree(module: str) -> ast.Module:
    path = Path(__file__).with_name(f"{module.rpartition('.')[2]}.py")
    if not path.exists():
        raise ValueError(f"There is no module {module}: expected one of seelike's.")
    return ast.parse(path.read_text(encoding="utf-8"))


def describe(dotted: str) -> Described:
    """What the source says of `seelike.cka.sweep` or `seelike.cka.CKA.interval`; ValueError for what is not there, or says nothing."""
    package, module, *names = dotted.split(".")
    if package != "seelike" or not names:
        raise ValueError(f"A name such as seelike.cka.sweep was expected, got {dotted!r}.")
    node: ast.AST = _tree(f"{package}.{module}")
    for name in names:
        body = node.body if isinstance(node, (ast.Module, ast.ClassDef)) else []
        own = [n for n in body if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and n.name == name]
        if not own:
            raise ValueError(f"{package}.{module} has no {'.'.join(names)}.")
        node = own[0]
    assert isinstance(node, (ast.FunctionDef, ast.ClassDef))
    doc = ast.get_docstring(node)
    if not doc:
        raise ValueError(f"{dotted} has no docstring.")
    called, kind = _called(node), "class" if isinstance(node, ast.ClassDef) else "method" if len(names) > 1 else "function"
    if any(isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list):
        kind = "property"
    returns = ast.unparse(called.returns) if isinstance(node, ast.FunctionDef) and called and called.returns else ""
    return Described(f"{package}.{module}", ".".join(names), kind, _parameters(called, kind), returns, doc)


def _called(node: ast.FunctionDef | ast.ClassDef) -> ast.FunctionDef | None:
    """The function that a call runs: a class's `__init__`, if it has one."""
    if isinstance(node, ast.FunctionDef):
        return node
    return next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)


def _parameters(called: ast.FunctionDef | None, kind: str) -> list[str]:
    if called is None or kind == "property":
        return []
    args = called.args
    plain = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [*[None] * (len(plain) - len(args.defaults)), *args.defaults]
    own = [_parameter(a, d) for a, d in zip(plain, defaults, strict=True)][kind in ("class", "method") :]
    star = [f"*{_parameter(args.vararg, None)}"] if args.vararg else ["*"] if args.kwonlyargs else []
    named = [_parameter(a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    return own + star + named + ([f"**{_parameter(args.kwarg, None)}"] if args.kwarg else [])


def _parameter(arg: ast.arg, default: ast.expr | None) -> str:
    typed = f"{arg.arg}: {ast.unparse(arg.annotation)}" if arg.annotation else arg.arg
    return typed if default is None else f"{typed} = {ast.unparse(default)}"


def prose(doc: str) -> str:
    """A docstring as MyST: lines that begin with a parameter's name and a colon become a list."""
    lines: list[str] = []
    listed = False
    for line in doc.splitlines():
        found = TERM.match(line)
        if found:
            lines += ([] if listed else [""]) + [f"- `{found['name']}`: {found['told']}"]
        elif listed and line.strip() and line[0].isspace():
            lines.append(f"  {line.strip()}")
        elif listed and line[:1].islower():  # goes on with the sentence of the line before
            lines.append(f"  {line}")
        else:
            lines += ["", line] if listed else [line]
        listed = bool(found) or (listed and lines[-1].startswith("  "))
    return "\n".join(lines) + "\n"
