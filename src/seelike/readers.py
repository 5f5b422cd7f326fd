"""Notebooks that people open: `python -m seelike.readers FOLDER [--install OWNER/NAME COMMIT]`.

For every source `notebooks/NN_name.py`:

| file                          | what                                                                                          |
|-------------------------------|-----------------------------------------------------------------------------------------------|
| `FOLDER/NN_name.ipynb`        | the chapter, an empty cell after each exercise, no solutions                                  |
| `FOLDER/solutions/NN_name.ipynb` | the exercises, their solutions, and the chapter's cells that the solutions' code builds on |

MyST becomes Markdown that JupyterLab and Colab show: references carry the site's numbers and link to notebooks, citations link to papers,
captions stand below their figures. With `--install` a first cell fetches the book at that commit, and links lead to Colab.
A notebook that a reader has edited is never overwritten.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import re
import symtable
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jupytext
import nbformat
import pybtex.database
import yaml
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from pybtex.backends.markdown import Backend
from pybtex.richtext import Text
from pybtex.style.formatting.plain import Style

from seelike import project, quiz
from seelike.run import number_cells

BRANCH = "notebooks"  # where the workflow puts what this module writes
COLAB = "https://colab.research.google.com/github/{}/blob/{}/"
KINDS = {"fig": "Figure", "ex": "Exercise"}
BOXES = {"note", "tip", "hint", "warning", "caution", "attention", "important", "danger", "error", "seealso", "admonition", "dropdown"}
GUARD = "book"  # a chapter's variable; what makes it heeds the needs of cells
IN_PLACE = {"append", "extend", "insert", "update", "setdefault", "add", "pop", "remove", "clear"}  # methods that change their object
OPTION = re.compile(r":([\w-]+):\s*(.*)")
TITLED = re.compile(r"(?P<text>.+?)\s*<(?P<target>[^<>]+)>", re.DOTALL)
ARXIV = re.compile(r"arXiv[: ]\s*(\d{4}\.\d{4,5})")
INSTALL = """\
# In Colab: the book as it was when this notebook was made, importable without a restart.
import os
import subprocess
import sys

if not os.path.exists("book/claims.yml"):
    if not os.path.exists("book"):
        subprocess.run(["git", "clone", "--quiet", "https://github.com/{repository}", "book"], check=True)
    subprocess.run(["git", "-C", "book", "checkout", "--quiet", "{commit}"], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "-e", "book"], check=True)
    os.chdir("book")
sys.path.insert(0, os.path.abspath("src"))"""


class Directive(NamedTuple):
    """A MyST directive: name, what follows it on its line, its options, and what it encloses."""

    name: str
    argument: str
    options: dict[str, str]
    body: str


class Target(NamedTuple):
    """What a label stands for: "Figure 3.2", "(3.1)", "Exercise 3.1" or a heading, the chapter's stem ("" for other pages), its title."""

    words: str
    stem: str
    title: str


class Install(NamedTuple):
    """Where Colab finds the book."""

    repository: str
    commit: str


@dataclass
class Exercise:
    """An exercise as written: its heading, question and solution (None where the book prints none)."""

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


# Markdown ------------------------------------------------------------------------------------------------------------------------------


def _config() -> dict[str, Any]:
    return yaml.safe_load((project.ROOT / "_config.yml").read_text(encoding="utf-8"))


@lru_cache(1)
def _parser() -> MarkdownIt:
    """The book's Markdown parser; tokens of roles and attributes also say where in their text they stand (`meta["at"]`)."""
    extensions = set(_config()["parse"]["myst_enable_extensions"])
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


def _directive(token: Token) -> Directive | None:
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


def _tokens(text: str) -> Iterator[Token]:
    """Blocks of a text, those inside directives too."""
    for token in _parser().parse(text):
        yield token
        if (found := _directive(token)) and found.name not in ("code", "code-block", "math"):
            yield from _tokens(found.body)


def _pieces(text: str) -> Iterator[str | Directive]:
    """A cell's text, cut at its exercises and solutions."""
    lines, done = text.splitlines(), 0
    for token in _parser().parse(text):
        found = _directive(token)
        if found and found.name in ("exercise", "solution") and token.map and token.level == 0:
            yield "\n".join(lines[done : token.map[0]])
            yield found
            done = token.map[1]
    yield "\n".join(lines[done:])


# What the labels stand for --------------------------------------------------------------------------------------------------------------


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
    for token in _tokens(cell.source):
        found = _directive(token)
        label = token.info if token.type == "math_block_label" else found.options.get("label") if found else None
        if token.type == "math_block_label" or (found and found.name == "math" and label):
            book.targets[str(label)] = Target(f"({number('eq')})", stem, "equation")
        elif found and found.name == "exercise":
            words = f"{KINDS['ex']} {number('ex')}"
            book.targets[str(label)] = Target(words, stem, found.argument)
            exercises[str(label)] = Exercise(" · ".join(filter(None, (words, found.argument))), found.body)
        elif found and found.name == "solution":
            if found.argument not in exercises:
                raise ValueError(f"{stem}: a solution names {found.argument!r}, which is no exercise above it in its cell.")
            exercises[found.argument].solution = found.body
    book.exercises[stem] += exercises.values()


def _headings(text: str, stem: str) -> Iterator[tuple[str, Target]]:
    """Labels that stand before headings."""
    pending: list[str] = []
    last = ""
    for token in _parser().parse(text):
        if token.type == "myst_target":
            pending.append(token.content)
        elif token.type == "inline" and last == "heading_open":
            yield from ((label, Target(token.content, stem, token.content)) for label in pending)
            pending = []
        last = token.type


# Papers ---------------------------------------------------------------------------------------------------------------------------------


class _Plain(Backend):
    def format_str(self, text: str) -> str:
        return text  # the parent escapes every full stop


@lru_cache(1)
def _bibliography() -> pybtex.database.BibliographyData:
    return pybtex.database.parse_file(str(project.LEDGER.with_name("references.bib")), "bibtex")


def _entry(key: str) -> Any:
    if key not in _bibliography().entries:
        raise ValueError(f"{key!r} is cited, but is no entry of book/references.bib: add it there.")
    return _bibliography().entries[key]


def paper(key: str) -> str:
    """Address of an entry of `book/references.bib`: its DOI, its preprint or its URL; "" where it names none."""
    fields = _entry(key).fields
    if "doi" in fields:
        return f"https://doi.org/{fields['doi'].removeprefix('https://doi.org/')}"
    if fields.get("archiveprefix", fields.get("eprinttype", "")).lower() == "arxiv" and "eprint" in fields:
        return f"https://arxiv.org/abs/{fields['eprint']}"
    preprint = next((found[1] for value in fields.values() if (found := ARXIV.search(value))), None)
    return f"https://arxiv.org/abs/{preprint}" if preprint else fields.get("url", "")


def _authors(key: str) -> str:
    people = _entry(key).persons.get("author") or _entry(key).persons.get("editor") or []
    names = [str(Text.from_latex(" ".join((*person.prelast_names, *person.last_names)))) for person in people]
    if len(names) > 2 or "others" in names:
        return f"{names[0]} et al."
    return " and ".join(names)


def _references(keys: Sequence[str]) -> str:
    """The list of references, sorted by author."""
    lines = []
    for entry in Style().format_entries([_entry(key) for key in dict.fromkeys(keys)]):
        words = " ".join(entry.text.render(_Plain()).split())
        address = paper(entry.key)
        if address.startswith("https://arxiv.org/") and (named := ARXIV.search(words)):
            words = words.replace(named[0], f"[{named[0]}]({address})", 1)
        elif address and address not in words:
            words += f" [{address.removeprefix('https://')}]({address})"
        lines.append(f"- {words}")
    return "## References\n\n" + "\n".join(lines)


# MyST to Markdown -----------------------------------------------------------------------------------------------------------------------


class Page:
    """One notebook that is being written: turns MyST into Markdown and remembers what was cited.

    stem: of its chapter. chapters: what precedes a chapter's file name in a link. apart: whether the chapter's own text is in another file.
    """

    def __init__(self, book: Book, stem: str, chapters: str = "", *, apart: bool = False) -> None:
        self.book, self.stem, self.chapters, self.apart = book, stem, chapters, apart
        self.cited: list[str] = []

    def plain(self, text: str) -> str:
        """A text of MyST as Markdown; ValueError for a role, directive or label for which there are no words."""
        starts = [0]
        for line in text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        edits: list[tuple[int, int, str]] = []
        for token in _parser().parse(text):
            if not token.map:
                continue
            start, end = starts[token.map[0]], starts[min(token.map[1], len(starts) - 1)]
            found = _directive(token)
            if token.type in ("myst_target", "myst_line_comment", "myst_block_break"):
                edits.append((start, end, ""))
            elif token.type == "math_block_label":
                edits.append((start, end, self._numbered(text[start:end], token.info)))
            elif found:
                indent = text[start:end][: len(text[start:end]) - len(text[start:end].lstrip(" "))]
                apart = "\n" if text[end : end + 1].strip() else ""  # else the next line would belong to a quotation
                edits.append((start, end, textwrap.indent(self._box(found), indent) + "\n" + apart))
            elif token.type == "inline":
                edits += self._inline(token, text, start)
        for start, end, words in sorted(edits, reverse=True):
            if not any(a <= start and end <= b and (a, b) != (start, end) for a, b, _ in edits):
                text = text[:start] + words + text[end:]
        return text.strip("\n")

    def _numbered(self, block: str, label: str) -> str:
        """A labelled equation with its number as a tag."""
        equation, _, _ = block.rpartition("$$")
        return f"{equation}\\tag{{{self._target(label).words.strip('()')}}}\n$$\n"

    def _box(self, found: Directive) -> str:
        if found.name in ("code", "code-block"):
            return f"```{found.argument}\n{found.body}\n```"
        if found.name == "math":
            tag = f"\n\\tag{{{self._target(found.options['label']).words.strip('()')}}}" if "label" in found.options else ""
            return f"$$\n{found.body}{tag}\n$$"
        if found.name in ("quiz", "guess"):
            return self.plain(quiz.plain(found.argument, found.body, marked=found.name == "quiz"))
        if found.name == "explore":
            return "*On the site, an explorable stands here.*"
        if found.name == "scores":
            return scores(found.argument)
        if found.name == "finding":
            found = Directive("admonition", found.options.get("title", "What we found"), found.options, found.body)
        if found.name not in BOXES:
            raise ValueError(
                f"{self.stem}: no words are known for the directive {{{found.name}}}: write Markdown, or add it to seelike.readers."
            )
        titled = found.name in ("admonition", "dropdown")
        title = self.plain(found.argument) if titled else found.name.capitalize()
        body = found.body if titled else "\n".join(filter(None, (found.argument, found.body)))
        return textwrap.indent(f"**{title}**\n\n{self.plain(body)}", "> ", lambda line: True)

    def _inline(self, token: Token, text: str, start: int) -> Iterator[tuple[int, int, str]]:
        """What to replace in the part of a text that one inline token covers: roles by their words, attributes by nothing."""
        where: list[int] = []  # of each character of the token
        place = start
        for line in token.content.split("\n"):
            place = text.find(line, place)
            if place < 0:
                raise ValueError(f"{self.stem}: {line!r} cannot be found in its cell: put no escaped bar into a table.")
            where += range(place, place + len(line) + 1)
            place += len(line)
        italic = 0
        for child in _parser().inline.parse(token.content, _parser(), {}, []):
            italic += {"em_open": 1, "em_close": -1}.get(child.type, 0)
            for a, b in child.meta.get("at", []):
                words: str | None = ""
                if child.type == "myst_role" and (a, b) == child.meta["at"][0]:
                    words = self.role(child.meta["name"], child.content, italic=italic > 0)
                first, last = (a, b) if words is not None else _sentence(token.content, a, b)
                yield where[first], where[last - 1] + 1, words or ""

    def role(self, name: str, content: str, *, italic: bool = False) -> str | None:
        """The words for a role; None if nothing was measured, so that its sentence says nothing."""
        titled = TITLED.fullmatch(content)
        text, label = (titled["text"], titled["target"]) if titled else ("", content)
        if name in ("cite:t", "cite:p", "cite"):
            return self._cite(content, narrative=name == "cite:t")
        if name == "claim":
            return claim(content)
        if name in ("seconds", "gigabytes"):
            return _measured(name, content)
        if name == "term":
            return text or content
        if name == "math":
            return f"${content}$"
        if name not in ("ref", "numref", "eq", "prf:ref"):
            raise ValueError(f"{self.stem}: no words are known for the role {{{name}}}: write Markdown, or add it to seelike.readers.")
        target = self._target(label)
        words, title = target.words, target.title
        if name == "numref" and text:
            number = words.rpartition(" ")[2]
            words = text.replace("%s", number).replace("{number}", number).replace("{name}", title)
        elif text:
            words = text
        if words == title and not italic:
            words = f"*{words}*"
        return words if target.stem == self.stem and not self.apart else self.link(words, target.stem)

    def _target(self, label: str) -> Target:
        if label not in self.book.targets:
            raise ValueError(f"{self.stem}: nothing is labelled {label!r}: name a label of a chapter, or of a page of the book.")
        return self.book.targets[label]

    def link(self, words: str, stem: str) -> str:
        """Words that lead to a chapter's notebook; plain ones for pages of the book ("")."""
        return f"[{words}]({self.chapters}{stem}.ipynb)" if stem else words

    def _cite(self, content: str, *, narrative: bool) -> str:
        keys = [key.strip() for key in content.split(",")]
        self.cited += keys
        words = []
        for key in keys:
            year = _entry(key).fields["year"]
            said = f"{_authors(key)} ({year})" if narrative else f"{_authors(key)}, {year}"
            words.append(f"[{said}]({paper(key)})" if paper(key) else said)
        if not narrative:
            return f"({'; '.join(words)})"
        return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _sentence(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the sentence around a place begins and ends, up to the next one."""
    before = [found.end() for found in re.finditer(r"\.\s+|^\*", text) if found.end() <= start]
    after = re.compile(r"\.\s+|\.(?=\*|$)").search(text, end)
    return before[-1] if before else 0, after.end() if after else len(text)


def claim(content: str) -> str:
    """What the ledger says of a claim such as "R21-1" or "R21-1 @ cifar10" today; its statement where it has no words."""
    from seelike import claims, sphinxext  # noqa: PLC0415  (torch and Sphinx, for chapters that have claims)

    name = content.partition("@")[0].strip()
    if name not in claims.ledger():
        raise ValueError(f"{name!r} is no claim of book/claims.yml.")
    try:
        return str(sphinxext.claim_text(content))
    except (AttributeError, KeyError, TypeError):
        return str(claims.ledger()[name]["statement"]).rstrip(".")


def scores(papers: str) -> str:
    """The sentence of counts of some papers at the default tier."""
    from seelike import claims, scorecard  # noqa: PLC0415  (as above)

    table = claims.table(project.DEFAULT).set_index("id")
    return " ".join(scorecard.sentence(table, p, "on Scenes") for p in scorecard.papers() if p.startswith(papers))


def _measured(what: str, chapter: str) -> str | None:
    taken = [value for stem, value in project.timings(project.pages(project.DEFAULT), what).items() if stem.startswith(chapter)]
    if not taken or taken[0] != taken[0]:
        return None
    return f"{taken[0]:.0f} s" if what == "seconds" else f"{taken[0]:.1f} GB"


# What code builds on --------------------------------------------------------------------------------------------------------------------


class Names(NamedTuple):
    """Global names of some code: those it binds for sure, those it may bind or change, and those it needs from before."""

    bound: set[str]
    touched: set[str]
    needed: set[str]


def names(code: str) -> Names:
    """What a cell's code binds, changes and needs."""
    bound: set[str] = set()
    touched: set[str] = set()
    needed = {need.removeprefix("any ") for need in _needs(code) if need.startswith("any ")}
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


# Notebooks ------------------------------------------------------------------------------------------------------------------------------


def student(book: Book, stem: str, install: Install | None = None) -> NotebookNode:
    """A chapter to read and run: no solutions, an empty cell after each exercise."""
    page = Page(book, stem, _colab(install))
    figures, exercises = iter(book.figures[stem]), iter(book.exercises[stem])
    cells: list[NotebookNode] = []
    for cell in book.chapters[stem].cells:
        if cell.cell_type == "code":
            cells.append(_code(cell))
            if figure := cell.metadata.get("mystnb", {}).get("figure"):
                cells.append(_words(f"**{next(figures)}.** {page.plain(figure.get('caption', ''))}"))
            continue
        for piece in _pieces(cell.source):
            if isinstance(piece, str):
                cells += [_words(text)] if (text := page.plain(piece)) else []
            elif piece.name == "exercise":
                exercise = next(exercises)
                solved = f"\n\n[Solution]({page.chapters}solutions/{stem}.ipynb)" if exercise.solution is not None else ""
                cells.append(_words(f"### {exercise.heading}\n\n{page.plain(exercise.question)}{solved}"))
                cells.append(new_code_cell(f"# {exercise.heading.partition(' · ')[0]}"))
    if cells and book.numbers[stem] and cells[0].source.startswith("# "):
        cells[0].source = f"# {book.numbers[stem]}. {cells[0].source[2:]}"
    return _notebook(cells, page, install)


def solutions(book: Book, stem: str, install: Install | None = None) -> NotebookNode:
    """The exercises of a chapter with their solutions; code can be run, after the cells of the chapter that it builds on."""
    page = Page(book, stem, _colab(install) or "../", apart=True)
    sources = [cell.source for cell in book.chapters[stem].cells if cell.cell_type == "code"]
    whole = [cell for cell in book.chapters[stem].cells if cell.cell_type == "code"]
    answers: list[NotebookNode] = []
    for exercise in book.exercises[stem]:
        answers.append(_words(f"## {exercise.heading}\n\n{page.plain(exercise.question)}"))
        if exercise.solution is None:
            answers.append(_words("The book prints no solution to this one."))
            continue
        answers += _answer(page, exercise.solution)
    code = _guarded(sources, [cell for cell in answers if cell.cell_type == "code"])
    title = ". ".join(filter(None, (book.numbers[stem], _title(book.chapters[stem]))))
    head = f"# {title} · Exercises and solutions\n\nThese belong to {page.link(f'*{_title(book.chapters[stem])}*', stem)}."
    cells = [_words(head if answers else f"{head} It has no exercises.")]
    if kept := foundations(sources, code):
        cells.append(_words("The code of the solutions builds on these cells of the chapter. Run them first."))
        cells += [_code(whole[i], hidden=True) for i in kept]
    return _notebook([*cells, *answers], page, install)


def _guarded(sources: Sequence[str], answers: Sequence[NotebookNode]) -> list[str]:
    """Give each answer's code the needs of the cells that it builds on, so that it runs where they do.

    Returns all code of the solutions, with the name of the guard where it has needs: what `foundations` must provide for.
    """
    before = list(sources)
    for cell in answers:
        needs = [need for i in foundations(before, [cell.source]) for need in _needs(before[i])]
        if needs:
            cell.source = f"# needs: {', '.join(dict.fromkeys(needs))}\n{cell.source}"
        before.append(cell.source)
    code = before[len(sources) :]
    return [*code, GUARD] if any(map(_needs, code)) else code


def _needs(code: str) -> list[str]:
    """What a cell says that it needs, in the words of `seelike.chapter`."""
    from seelike.chapter import NEEDS  # noqa: PLC0415  (torch, for chapters with solutions)

    found = NEEDS.match(code.partition("\n")[0])
    return [need.strip() for need in found[1].split(",")] if found else []


def _answer(page: Page, solution: str) -> list[NotebookNode]:
    """Cells of a solution: its text, and its Python to be run."""
    lines, done = solution.splitlines(), 0
    cells, lead = [], "**Solution.** "
    for token in _parser().parse(solution):
        python = token.type == "fence" and token.info.strip() == "python"
        if not python or not token.map or token.level:
            continue
        before = page.plain("\n".join(lines[done : token.map[0]]))
        cells += [_words((lead + before).strip()), new_code_cell(token.content.rstrip("\n"))]
        lead, done = "", token.map[1]
    rest = page.plain("\n".join(lines[done:]))
    cells += [_words(lead + rest)] if rest else []
    return [cell for cell in cells if cell.source]


def _title(chapter: NotebookNode) -> str:
    for cell in chapter.cells:
        tokens = _parser().parse(cell.source) if cell.cell_type == "markdown" else []
        for opened, token in pairwise(tokens):
            if opened.type == "heading_open" and opened.tag == "h1":
                return token.content
    return ""


def _colab(install: Install | None) -> str:
    return COLAB.format(install.repository, BRANCH) if install else ""


def _words(text: str) -> NotebookNode:
    return new_markdown_cell(text.strip("\n"))


def _code(cell: NotebookNode, *, hidden: bool = False) -> NotebookNode:
    kept = {key: value for key, value in cell.metadata.items() if key != "lines_to_next_cell"}
    if hidden or {"hide-input", "hide-cell", "remove-input"} & set(kept.get("tags", [])):
        kept["jupyter"] = {"source_hidden": True}
    return new_code_cell(cell.source, metadata=kept)


def _notebook(cells: list[NotebookNode], page: Page, install: Install | None) -> NotebookNode:
    first = [new_code_cell(INSTALL.format(**install._asdict()))] if install else []
    last = [_words(_references(page.cited))] if page.cited else []
    made = new_notebook(cells=[*first, *cells, *last])
    made.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "seelike": {"sources": _digest(made)},
        }
    )
    number_cells(made)
    return made


def _digest(notebook: NotebookNode) -> str:
    """Tells whether the cells of a notebook are as they were written here."""
    return hashlib.sha256(json.dumps([(cell.cell_type, cell.source) for cell in notebook.cells]).encode()).hexdigest()


def write(folder: Path, install: Install | None = None) -> list[Path]:
    """Write all readers' notebooks below a folder and return those that were left alone, because a reader has edited them.

    A notebook whose cells are already as they would be written keeps its outputs. install: adds the cell that fetches the book in Colab.
    OSError where the folder cannot be written; ValueError for a source with something that has no plain words.
    """
    book = read()
    made = {folder / f"{stem}.ipynb": student(book, stem, install) for stem in book.chapters}
    made |= {folder / "solutions" / f"{stem}.ipynb": solutions(book, stem, install) for stem in book.chapters}
    folder.mkdir(exist_ok=True)
    (folder / "solutions").mkdir(exist_ok=True)
    return [path for path, notebook in made.items() if not _place(path, notebook)]


def _place(path: Path, notebook: NotebookNode) -> bool:
    """Write a notebook unless the reader's own stands there; False if it does."""
    if path.exists():
        try:
            there = nbformat.read(path, 4)
        except ValueError as error:
            raise ValueError(f"{path} stands in the way and is no notebook: rename or remove it.") from error
        written = there.metadata.get("seelike", {}).get("sources")
        if written == notebook.metadata["seelike"]["sources"]:
            return True
        if written is not None and written != _digest(there):
            return False
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    nbformat.write(notebook, beside)
    os.replace(beside, path)
    return True


def main() -> int:
    """Command line: 0, or 2 when the notebooks could not be written."""
    parser = argparse.ArgumentParser(prog="python -m seelike.readers", description="Write the chapters as notebooks for readers.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--install", nargs=2, metavar=("OWNER/NAME", "COMMIT"), help="add a cell that fetches the book in Colab")
    options = parser.parse_args()
    if options.install and not re.fullmatch(r"[\w.-]+/[\w.-]+", options.install[0]):
        parser.error(f"--install takes a repository of GitHub as OWNER/NAME and a commit, got {options.install[0]!r}")
    try:
        kept = write(options.folder, Install(*options.install) if options.install else None)
    except OSError as error:
        print(
            f"seelike.readers: {error.filename} cannot be written ({error.strerror}): name a folder, new or old, in one that exists.",
            file=sys.stderr,
        )
        return 2
    except ValueError as error:
        print(f"seelike.readers: {error}", file=sys.stderr)
        return 2
    for path in kept:
        print(f"{path} was edited and is kept; rename it to get the book's present version.")
    return 0


if __name__ == "__main__":
    sys.exit(project.command("seelike.readers", main))
