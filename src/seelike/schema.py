"""Files that are read back (cards, numbers, ledger, casts), checked in one place: a fault is a sentence with file, line and field."""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError


class Strict(BaseModel):
    """Unknown fields are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Loader(yaml.SafeLoader):
    """YAML in which a key may come once."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable) or key in seen:
            why = "stands there twice" if isinstance(key, Hashable) else "cannot be a key"
            raise yaml.constructor.ConstructorError(None, None, f"{key!r} {why}", key_node.start_mark)
        seen[key] = loader.construct_object(value_node, deep=True)
    return seen


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path, kind: TypeAdapter) -> Any:
    """A YAML file as what an adapter of pydantic describes; ValueError names file, line and field."""
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.load(text, _Loader)  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, IsADirectoryError, PermissionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ValueError(f"{path}{where} is not readable as YAML: {getattr(error, 'problem', None) or one_line(error)}.") from error
    return _checked(path, text, content, kind, "")


def read_json(path: Path, kind: TypeAdapter, remedy: str) -> Any:
    """A JSON file as what an adapter of pydantic describes; ValueError names file, line and field, and what to do (remedy)."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {error.lineno} is not readable as JSON ({error.msg}): {remedy}.") from error
    except (UnicodeDecodeError, RecursionError, IsADirectoryError, PermissionError) as error:
        raise ValueError(f"{path} is not readable as JSON ({one_line(error)}): {remedy}.") from error
    return _checked(path, text, content, kind, f": {remedy}.")


def one_line(error: Exception) -> str:
    """What an error says, without line breaks and full stop."""
    return " ".join(str(error).split()).rstrip(".")


def _checked(path: Path, text: str, content: Any, kind: TypeAdapter, remedy: str) -> Any:
    try:
        return kind.validate_python(content)
    except ValidationError as error:
        first = next((e for e in error.errors() if e["type"] != "string_type"), error.errors()[0])
        raise ValueError(f"{path}, line {_line(text, first['loc'])}: {_where(first['loc'])}: {_said(first)}{remedy or '.'}") from error


def _line(text: str, where: tuple[int | str, ...]) -> int:
    """The line, from 1, at which a field of a YAML or JSON text begins, or the nearest thing around it."""
    try:
        node, line = yaml.compose(text, yaml.SafeLoader), 1
    except yaml.YAMLError:  # JSON may have tabs
        return 1
    for step in where:
        if isinstance(step, int) and isinstance(node, yaml.MappingNode):  # one entry, of which the model makes a list
            continue
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == step), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line


def _where(place: tuple[int | str, ...]) -> str:
    return ".".join(str(p) for p in place if p not in ("HubEntry", "str")) or "the file"


def _said(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    given = "" if isinstance(error["input"], (dict, list)) or "got" in message else f", got {error['input']!r}"
    return message[0].lower() + message[1:] + given
