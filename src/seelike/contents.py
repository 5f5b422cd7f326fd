"""What the book contains: its chapters, their exercises, and what every label stands for, numbered as on the site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import jupytext
import yaml
from nbformat import NotebookNode

from seelike import project
from seelike.myst import directive, parser, tokens

KINDS = {"fig": "Figure", "ex": "Exercise"}


class Target(NamedTuple):
    """What a label stands for: "Figure 3.2", "(3.1)", "Exercise 3.1" or a heading, the chapter's stem ("" for other pages), its title."""

    words: str
    stem: str
    title: str


@dataclass
class Exercise:
    """An exercise as written: its label, heading, question and solution (None where the book prints none)."""

    label: str
    heading: str
    question: str
    solution: str | None = None


@dataclass
class Book:
    """All chapters, and what their labels stand for."""

    chapters: dict[str, NotebookNode]
    numbers: dict[str, str]
    targets: dict[str, Target] = field(default_factory=dict)
    figures: dict[str, list[str]] = field(default_factory=dict)
    exercises: dict[str, list[Exercise]] = field(default_factory=dict)


def chapter_numbers() -> dict[str, str]:
    """Numbers of the chapters in `_toc.yml` by stem, counted on across parts as the site does; "" in parts that are not numbered."""
    toc = yaml.safe_load((project.ROOT / "_toc.yml").read_text(encoding="utf-8"))
    numbers: dict[str, str] = {}
    count = 0
    for part in toc["parts"]:
        for entry in part["chapters"]:
            count += bool(part.get("numbered"))
            numbers[Path(entry["file"]).name] = str(count) if part.get("numbered") else ""
    return numbers


def read() -> Book:
    """All sources, with their labels, numbered as on the site: figures, equations and exercises each within their chapter."""
    stems = [path.stem for path in sorted(project.NOTEBOOKS.glob("*.py"))]
    order = {stem: number for stem, number in chapter_numbers().items() if stem in stems}
    numbers = order | {stem: "" for stem in stems if stem not in order}
    book = Book({stem: jupytext.read(project.NOTEBOOKS / f"{stem}.py") for stem in numbers}, numbers)
    counts: Counter[tuple[str, str]] = Counter()
    for stem, chapter in book.chapters.items():
        book.figures[stem], book.exercises[stem] = [], []
        for cell in chapter.cells:
            _enter_labels(book, stem, cell, counts)
    for page in sorted(project.LEDGER.parent.glob("*.md")):
        book.targets |= dict(_headings(page.read_text(encoding="utf-8"), ""))
    return book


def _enter_labels(book: Book, stem: str, cell: NotebookNode, counts: Counter[tuple[str, str]]) -> None:
    chapter = book.numbers[stem]

    def number(kind: str) -> str:
        counts[kind, chapter] += 1
        return ".".join(filter(None, (chapter, str(counts[kind, chapter]))))

    if cell.cell_type != "markdown":
        figure = cell.metadata.get("mystnb", {}).get("figure")
        if figure:
            words = f"{KINDS['fig']} {number('fig')}"
            book.figures[stem].append(words)
            book.targets[str(figure.get("name"))] = Target(words, stem, str(figure.get("caption", words)))
        return
    book.targets |= dict(_headings(cell.source, stem))
    exercises: dict[str, Exercise] = {}
    for token in tokens(cell.source):
        found = directive(token)
        label = token.info if token.type == "math_block_label" else found.options.get("label") if found else None
        if token.type == "math_block_label" or (found and found.name == "math" and label):
            book.targets[str(label)] = Target(f"({number('eq')})", stem, "equation")
        elif found and found.name == "exercise":
            words = f"{KINDS['ex']} {number('ex')}"
            book.targets[str(label)] = Target(words, stem, found.argument)
            exercises[str(label)] = Exercise(str(label), " · ".join(filter(None, (words, found.argument))), found.body)
        elif found and found.name == "solution":
            if found.argument not in exercises:
                raise ValueError(f"{stem}: a solution names {found.argument!r}, which is no exercise above it in its cell.")
            exercises[found.argument].solution = found.body
    book.exercises[stem] += exercises.values()


def _headings(text: str, stem: str) -> Iterator[tuple[str, Target]]:
    """Labels that stand before headings."""
    pending: list[str] = []
    last = ""
    for token in parser().parse(text):
        if token.type == "myst_target":
            pending.append(token.content)
        elif token.type == "inline" and last == "heading_open":
            yield from ((label, Target(token.content, stem, token.content)) for label in pending)
            pending = []
        last = token.type


def title(chapter: NotebookNode) -> str:
    """The first heading of a chapter; "" where it has none."""
    for cell in chapter.cells:
        blocks = parser().parse(cell.source) if cell.cell_type == "markdown" else []
        for opened, token in pairwise(blocks):
            if opened.type == "heading_open" and opened.tag == "h1":
                return token.content
    return ""
