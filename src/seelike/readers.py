"""Notebooks that people open: `python -m seelike.readers FOLDER [--kit] [--install OWNER/NAME COMMIT]`.

For every source `notebooks/NN_name.py`:

| file                                | what                                                                                          |
|-------------------------------------|-----------------------------------------------------------------------------------------------|
| `FOLDER/NN_name.ipynb`              | the chapter, a cell for the answer after each exercise, no solutions                          |
| `FOLDER/solutions/NN_name.ipynb`    | the exercises, their solutions, and the chapter's cells that the solutions' code builds on    |
| with `--kit`, instead of these two: |                                                                                               |
| `FOLDER/student/NN_name.ipynb`      | the chapter, a cell for the answer after each exercise, no solutions and no links to any      |
| `FOLDER/instructor/NN_name.ipynb`   | the same chapter with the solutions in place                                                  |

Under an exercise that `seelike.checks` knows, the cell for the answer shows how to check it. MyST becomes Markdown (`seelike.plain`).
With `--install` a first cell fetches the book at that commit, and links lead to Colab.
A notebook that a reader has edited is never overwritten.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from seelike import contents, project
from seelike.contents import Book, Exercise
from seelike.dependencies import foundations, needs
from seelike.myst import parser, pieces
from seelike.papers import references
from seelike.plain import Page
from seelike.run import number_cells

Answers = Literal["apart", "absent", "in place"]
BRANCH = "notebooks"  # where the workflow puts what this module writes
COLAB = "https://colab.research.google.com/github/{}/blob/{}/"
GUARD = "book"  # a chapter's variable; what makes it heeds the needs of cells
UNSOLVED = "The book prints no solution to this one."
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


class Install(NamedTuple):
    """Where Colab finds the book."""

    repository: str
    commit: str


def chapter(book: Book, stem: str, install: Install | None = None, answers: Answers = "apart") -> NotebookNode:
    """A chapter to read and run.

    answers: solutions are in a notebook `apart`, to which links lead, `absent`, or `in place` of the cells for a reader's own answers.
    """
    page = Page(book, stem, _colab(install))
    figures, exercises = iter(book.figures[stem]), iter(book.exercises[stem])
    cells: list[NotebookNode] = []
    solved: list[NotebookNode] = []
    for cell in book.chapters[stem].cells:
        if cell.cell_type == "code":
            cells.append(_code(cell))
            if figure := cell.metadata.get("mystnb", {}).get("figure"):
                cells.append(_words(f"**{next(figures)}.** {page.plain(figure.get('caption', ''))}"))
            continue
        for piece in pieces(cell.source):
            if isinstance(piece, str):
                cells += [_words(text)] if (text := page.plain(piece)) else []
            elif piece.name == "exercise":
                exercise = next(exercises)
                link = f"\n\n[Solution]({page.chapters}solutions/{stem}.ipynb)" if answers == "apart" and exercise.solution else ""
                cells.append(_words(f"### {exercise.heading}\n\n{page.plain(exercise.question)}{link}"))
                own = _answer(page, exercise) if answers == "in place" else [_stub(exercise)]
                solved += [cell for cell in own if answers == "in place" and cell.cell_type == "code"]
                cells += own
    _guarded([cell.source for cell in book.chapters[stem].cells if cell.cell_type == "code"], solved)
    if cells and book.numbers[stem] and cells[0].source.startswith("# "):
        cells[0].source = f"# {book.numbers[stem]}. {cells[0].source[2:]}"
    return _notebook(cells, page, install)


def _stub(exercise: Exercise) -> NotebookNode:
    """A cell for the answer, with the call that checks it where there is one."""
    from seelike import checks  # noqa: PLC0415  (torch, for notebooks only)

    lines = [f"# {exercise.heading.partition(' · ')[0]}", *checks.stub(exercise.label)]
    return new_code_cell("\n".join(lines))


def solutions(book: Book, stem: str, install: Install | None = None) -> NotebookNode:
    """The exercises of a chapter with their solutions; code can be run, after the cells of the chapter that it builds on."""
    page = Page(book, stem, _colab(install) or "../", apart=True)
    whole = [cell for cell in book.chapters[stem].cells if cell.cell_type == "code"]
    sources = [cell.source for cell in whole]
    answers: list[NotebookNode] = []
    for exercise in book.exercises[stem]:
        answers += [_words(f"## {exercise.heading}\n\n{page.plain(exercise.question)}"), *_answer(page, exercise)]
    code = _guarded(sources, [cell for cell in answers if cell.cell_type == "code"])
    title = contents.title(book.chapters[stem])
    whose = page.link(f"*{title}*", stem)
    head = f"# {'. '.join(filter(None, (book.numbers[stem], title)))} · Exercises and solutions\n\nThese belong to {whose}."
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
        needed = [need for i in foundations(before, [cell.source]) for need in needs(before[i])]
        if needed:
            cell.source = f"# needs: {', '.join(dict.fromkeys(needed))}\n{cell.source}"
        before.append(cell.source)
    code = before[len(sources) :]
    return [*code, GUARD] if any(map(needs, code)) else code


def _answer(page: Page, exercise: Exercise) -> list[NotebookNode]:
    """Cells of a solution: its text, and its Python to be run."""
    if exercise.solution is None:
        return [_words(UNSOLVED)]
    lines, done = exercise.solution.splitlines(), 0
    cells, lead = [], "**Solution.** "
    for token in parser().parse(exercise.solution):
        python = token.type == "fence" and token.info.strip() == "python"
        if not python or not token.map or token.level:
            continue
        before = page.plain("\n".join(lines[done : token.map[0]]))
        cells += [_words((lead + before).strip()), new_code_cell(token.content.rstrip("\n"))]
        lead, done = "", token.map[1]
    rest = page.plain("\n".join(lines[done:]))
    cells += [_words(lead + rest)] if rest else []
    return [cell for cell in cells if cell.source]


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
    last = [_words(references(page.cited))] if page.cited else []
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


def write(folder: Path, install: Install | None = None, *, kit: bool = False) -> list[Path]:
    """Write all readers' notebooks below a folder and return those that were left alone, because a reader has edited them.

    A notebook whose cells are already as they would be written keeps its outputs. install: adds the cell that fetches the book in Colab.
    kit: notebooks for a class, students' and instructors' apart. OSError where the folder cannot be written; ValueError for a source with
    something that has no plain words.
    """
    book = contents.read()
    made: dict[Path, NotebookNode] = {}
    for stem in book.chapters:
        if kit:
            made[folder / "student" / f"{stem}.ipynb"] = chapter(book, stem, install, "absent")
            made[folder / "instructor" / f"{stem}.ipynb"] = chapter(book, stem, install, "in place")
        else:
            made[folder / f"{stem}.ipynb"] = chapter(book, stem, install)
            made[folder / "solutions" / f"{stem}.ipynb"] = solutions(book, stem, install)
    folder.mkdir(exist_ok=True)
    for below in {path.parent for path in made}:
        below.mkdir(exist_ok=True)
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
    asked = argparse.ArgumentParser(prog="python -m seelike.readers", description="Write the chapters as notebooks for readers.")
    asked.add_argument("folder", type=Path)
    asked.add_argument("--kit", action="store_true", help="for a class: student/ without solutions, instructor/ with them in place")
    asked.add_argument("--install", nargs=2, metavar=("OWNER/NAME", "COMMIT"), help="add a cell that fetches the book in Colab")
    options = asked.parse_args()
    if options.install and not re.fullmatch(r"[\w.-]+/[\w.-]+", options.install[0]):
        asked.error(f"--install takes a repository of GitHub as OWNER/NAME and a commit, got {options.install[0]!r}")
    try:
        kept = write(options.folder, Install(*options.install) if options.install else None, kit=options.kit)
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
