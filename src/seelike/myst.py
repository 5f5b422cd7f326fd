"""The book's Markdown, taken apart: blocks, directives, and the exercises of a cell. What they stand for: `seelike.contents`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import yaml
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

from seelike import project

OPTION = re.compile(r":([\w-]+):\s*(.*)")


class Directive(NamedTuple):
    """A MyST directive: name, what follows it on its line, its options, and what it encloses."""

    name: str
    argument: str
    options: dict[str, str]
    body: str


@lru_cache(1)
def parser() -> MarkdownIt:
    """The book's Markdown parser; tokens of roles and attributes also say where in their text they stand (`meta["at"]`)."""
    config = yaml.safe_load((project.ROOT / "_config.yml").read_text(encoding="utf-8"))
    extensions = set(config["parse"]["myst_enable_extensions"])
    made = create_md_parser(MdParserConfig(enable_extensions=extensions), RendererHTML)
    for rule in made.inline.ruler.__rules__:
        if rule.name in ("myst_role", "span", "attr"):
            made.inline.ruler.at(rule.name, _noting(rule.name, rule.fn))
    return made


def _noting(name: str, rule: Callable[[StateInline, bool], bool]) -> Callable[[StateInline, bool], bool]:
    def noting(state: StateInline, silent: bool) -> bool:
        start = state.pos
        close = state.md.helpers.parseLinkLabel(state, start) if name == "span" and state.src[start] == "[" else start
        if not rule(state, silent):
            return False
        if not silent:
            spans = [(start, start + 1), (close, state.pos)] if name == "span" else [(start, state.pos)]
            state.tokens[-1].meta.setdefault("at", []).extend(spans)
        return True

    return noting


def directive(token: Token) -> Directive | None:
    """The directive of a fence, None for a fence of code."""
    if token.type not in ("fence", "colon_fence") or not (token.type == "colon_fence" or token.info.strip().startswith("{")):
        return None
    name, _, argument = token.info.strip().removeprefix("{").partition("}")
    lines = token.content.splitlines()
    options = {}
    while lines and (option := OPTION.fullmatch(lines[0])):
        options[option[1]] = option[2]
        del lines[0]
    return Directive(name, argument.strip(), options, "\n".join(lines).strip("\n"))


def tokens(text: str) -> Iterator[Token]:
    """Blocks of a text, those inside directives too."""
    for token in parser().parse(text):
        yield token
        if (found := directive(token)) and found.name not in ("code", "code-block", "math"):
            yield from tokens(found.body)


def pieces(text: str) -> Iterator[str | Directive]:
    """A cell's text, cut at its exercises and solutions."""
    lines, done = text.splitlines(), 0
    for token in parser().parse(text):
        found = directive(token)
        if found and found.name in ("exercise", "solution") and token.map and token.level == 0:
            yield "\n".join(lines[done : token.map[0]])
            yield found
            done = token.map[1]
    yield "\n".join(lines[done:])
