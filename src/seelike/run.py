"""From a percent source to a page: `python -m seelike.run 03 --tier scenes`, or `--cast mine.yml`.

notebooks/NN_name.py -> papermill with the tier -> gate -> the book's pages (`seelike.project`)

- The gate lets no broken page through: a cell that failed, timed out or never ran, an image without alt text or
  a parameter that the chapter does not know leaves no page, and the exit code is not zero.
- Every run works in a folder of its own. Its numbers and its page enter the tier's book together, at the end; a run with other
  parameters than the tier goes to `trials/` and leaves the book's numbers alone.
"""

from __future__ import annotations

import argparse
import ast
import logging
import os
import re
import resource
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill

from seelike import drawn, project, tiers
from seelike.project import timings

CELL_SECONDS = 600
LARGEST = 3_000_000  # characters that one output may put on a page
KERNEL = "python3"
LEFT_OUT = "images could not be read and were left out"  # a notice of seelike.images that is no fault of a chapter


class ChapterError(RuntimeError):
    """A chapter did not become a page; the message says which cell and why."""


class Mistake(ChapterError):
    """What was asked cannot be run: nothing was executed."""


def source(chapter: str) -> Path:
    """The percent file of a chapter given by number or name."""
    found = sorted(p for p in project.NOTEBOOKS.glob("*.py") if chapter in (p.stem, p.stem.partition("_")[0]))
    if len(found) != 1:
        have = ", ".join(p.stem for p in sorted(project.NOTEBOOKS.glob("*.py")))
        raise Mistake(f"No single chapter is called {chapter!r}: expected one of {have}.")
    return found[0]


def notebook(path: Path) -> nbformat.NotebookNode:
    """The chapter as an unexecuted notebook with the same cell ids on every run."""
    made = jupytext.read(path)
    number_cells(made)
    return made


def run(
    chapter: str, parameters: Mapping[str, Any], *, tier: str | tiers.Tier = project.DEFAULT, jobs: int = 1, seconds: int = CELL_SECONDS,
    out: Path | None = None,
) -> Path:  # fmt: skip
    """Execute one chapter at a tier and return its page; ChapterError if anything in it went wrong.

    parameters: others than the tier. With any, or with `out` (a folder for the page, and `results/` in it for its numbers), the book keeps
    its page and numbers. Chapters without the parameter `tier` belong to the book of the default tier.
    """
    path = source(chapter)
    chosen = tiers.get(tier)
    book = chosen.name if project.follows(path) else project.DEFAULT
    if out and out.exists() and not out.is_dir():
        raise Mistake(f"{out} is a file: name a folder for the page.")
    if "tier" in parameters:
        raise Mistake(f"The tier of a run is named by --tier or --cast, not as a parameter, got {parameters['tier']!r}.")
    folder = _own_folder(book, path.stem)
    plain, partial, numbers = folder / "plain.ipynb", folder / f"{path.stem}.ipynb", folder / "results"
    nbformat.write(notebook(path), plain)
    known = papermill.inspect_notebook(str(plain))
    if unknown := sorted(set(parameters) - set(known)):
        raise Mistake(f"{path.name} has no parameter {', '.join(unknown)}: it knows {', '.join(known) or 'none'}.")
    _check_kinds(known, parameters)
    trial = bool(parameters)
    if "tier" in known:
        parameters = {"tier": str(chosen.file or chosen.name)} | dict(parameters)
    started = time.monotonic()
    with _environment(jobs, numbers, book):
        error = _execute(plain, partial, parameters, seconds)
    if error:
        raise ChapterError(f"{path.name} failed {error} (partial notebook, with all that was printed: {partial}).")
    done = nbformat.read(partial, 4)
    if faults := gate(done):
        raise ChapterError(f"{path.name} ran, but is not fit to print: {'; '.join(faults)} (partial notebook: {partial}).")
    finish(done, time.monotonic() - started, parameters)
    nbformat.write(done, partial)
    pages = out or (project.BUILD / book / "trials" if trial else project.pages(book))
    for file in [] if trial and not out else sorted(numbers.glob("*/*.json")):
        _enter(file, (out / "results" if out else project.results(book)) / file.parent.name / file.name)
    page = _enter(partial, pages / f"{path.stem}.ipynb")  # last: whoever finds the page finds its numbers
    shutil.rmtree(folder)
    return page


def _check_kinds(known: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """A number stays a number: parameters are of the kind of their defaults."""
    for name, value in parameters.items():
        default = _value(str(known[name]["default"]))
        if default is not None and type(value) is not type(default):
            raise Mistake(f"{name} is {KINDS.get(type(default), 'of another kind')} (by default {default}), got {value!r}.")


KINDS: dict[type, str] = {int: "a whole number", float: "a number with a point", str: "a text", bool: "True or False"}


def _own_folder(book: str, chapter: str) -> Path:
    """An empty folder that no other run uses; what ended runs of the chapter left behind is removed."""
    around = project.BUILD / book / "run"
    for old in around.glob(f"{chapter}-*"):
        number = old.name.rpartition("-")[2]
        if number.isdigit() and not _alive(int(number)):
            shutil.rmtree(old, ignore_errors=True)
    own = around / f"{chapter}-{os.getpid()}"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    return own


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process != os.getpid()


def _enter(file: Path, target: Path) -> Path:
    """Put a file in the place of another, all or nothing, across file systems too."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(file, beside)
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)
    return target


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _environment(jobs: int, numbers: Path, book: str) -> Iterator[None]:
    """Threads and paths for the kernel, put back afterwards."""
    threads = str(max(_cores() // jobs, 1))
    wanted = {name: threads for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    if not os.access(os.path.expanduser("~"), os.W_OK):  # "~" where a user has no home
        wanted["MPLCONFIGDIR"] = str(numbers.parent)  # or Matplotlib complains, which no page may show
    wanted |= {
        "PYTHONUTF8": "1",
        "TQDM_DISABLE": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONWARNINGS": "ignore:IProgress not found",
    }
    before = dict(os.environ)
    os.environ.update(wanted, SEELIKE_RESULTS=str(numbers), SEELIKE_BOOK=book)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _execute(plain: Path, partial: Path, parameters: Mapping[str, Any], seconds: int) -> str | None:
    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        papermill.execute_notebook(
            str(plain), str(partial), parameters=dict(parameters), kernel_name=KERNEL, cwd=str(project.ROOT),
            execution_timeout=seconds, progress_bar=False, log_output=False,
            extra_arguments=["--IPKernelApp.log_level=40"],  # no notice that a local kernel talks over TCP
        )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        return f"in {_place(nbformat.read(plain, 4), error.source)} with {error.ename}: {_short(error.evalue)}"
    except Exception as error:  # time-outs and dead kernels come as types of nbclient, jupyter_client and asyncio
        return f"{_running(partial)}with {type(error).__name__} (limit {seconds} s per cell): {_short(str(error)) or 'no message'}"
    return None


def _short(said: str) -> str:
    """One line of at most 600 characters."""
    return " ".join(said.split())[:600].rstrip(".")


def _place(chapter: nbformat.NotebookNode, code: str) -> str:
    """Where some code stands in a chapter: its cell's number and the section."""
    section = "the opening"
    for i, cell in enumerate(chapter.cells):
        if cell.cell_type == "markdown" and (headings := re.findall(r"^#+ (.+)$", cell.source, re.M)):
            section = f"section {headings[-1]!r}"
        if cell.cell_type == "code" and cell.source.strip() == code.strip():
            return f"cell {i} of {section}"
    return "a cell"


def _running(partial: Path) -> str:
    """The cell that was running when a kernel stopped, as far as papermill wrote it down."""
    cells = nbformat.read(partial, 4).cells if partial.exists() else []
    states = [cell.metadata.get("papermill", {}).get("status") for cell in cells]
    started = [i for i, cell in enumerate(cells) if cell.cell_type == "code" and states[i] in ("running", "completed", "failed")]
    return f"in cell {started[-1]} " if started else ""


def number_cells(made: nbformat.NotebookNode) -> None:
    """Give cells ids that are the same on every run; jupytext and papermill draw them at random."""
    for i, cell in enumerate(made.cells):
        cell["id"] = f"cell-{i:03d}"


def gate(done: nbformat.NotebookNode) -> list[str]:
    """What keeps an executed notebook from being published, one line each."""
    faults = []
    for i, cell in enumerate(done.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if cell.execution_count is None:
            faults.append(f"cell {i} was never executed")
        for output in cell.outputs:
            if output.output_type == "error":
                faults.append(f"cell {i} ended with {output.ename}: {_short(output.evalue)}")
            if output.output_type == "stream" and output.name == "stderr" and LEFT_OUT not in output.text:
                faults.append(f"cell {i} wrote to stderr: {_short(output.text)[:200]}")
            if len(str(output)) > LARGEST:
                faults.append(f"cell {i} printed {len(str(output)) / 1e6:.0f} MB: a page takes at most {LARGEST / 1e6:.0f} MB from a cell")
            if "image/png" in output.get("data", {}) and len(alt_text(cell)) < 20:
                faults.append(f"cell {i} shows an image without alt text (mystnb image alt, 20 characters or more)")
    return faults


def alt_text(cell: nbformat.NotebookNode) -> str:
    """The alt text that a cell's metadata gives to its image."""
    return str(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", ""))


def finish(done: nbformat.NotebookNode, seconds: float, parameters: Mapping[str, Any]) -> None:
    """Hide parameter cells on the page, and note what the chapter took (seconds, and the largest memory of one process) and what its
    figures show (`drawn.table`, by the figure's name).

    A process that runs several chapters cannot tell their memory apart: each gets the largest so far.
    """
    shown = {}
    for cell in done.cells:
        if tables := [output["data"][drawn.MIME] for output in cell.get("outputs", []) if drawn.MIME in output.get("data", {})]:
            shown[cell.metadata.get("mystnb", {}).get("figure", {}).get("name", "")] = tables[-1]
            cell.outputs = [output for output in cell.outputs if drawn.MIME not in output.get("data", {})]
        tags = cell.metadata.setdefault("tags", [])
        if {"parameters", "injected-parameters"} & set(tags) and "remove-cell" not in tags:
            tags.append("remove-cell")
    number_cells(done)
    resident = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
    took = {"seconds": round(seconds, 1), "gigabytes": round(resident, 2)}
    done.metadata["seelike"] = took | {"parameters": dict(parameters), "figures": {name: held for name, held in shown.items() if name}}


def publish(tier: str) -> list[Path]:
    """Copy the numbers of this machine's book of a tier, and those about published data, into `results/`, where all books find them.

    ChapterError when there are none.
    """
    book = tiers.get(tier).name
    files = sorted(file for part in (book, "published") for file in (project.results(book) / part).glob("*.json"))
    if not files:
        raise ChapterError(f"There are no numbers of {book} to publish in {project.results(book)}: run its chapters first.")
    return [_enter(path, project.PUBLISHED / path.parent.name / path.name) for path in files]


def positive(text: str) -> int:
    """A whole number of at least 1, from a command line."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def main() -> int:
    """Command line: 0 when all is well, 1 when a chapter failed, 2 for a mistake in what was asked."""
    parser = argparse.ArgumentParser(prog="python -m seelike.run", description="Execute chapters and publish their pages.")
    parser.add_argument("chapters", nargs="*", help="numbers or names (default: all that follow the tier)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--tier", default=project.DEFAULT, help=f"{', '.join(tiers.names())} (default: {project.DEFAULT})")
    which.add_argument("--cast", help="a cast file with images and networks of your own")
    parser.add_argument("-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.add_argument("--jobs", type=positive, default=1, help="chapters that run at the same time elsewhere; sets the threads")
    parser.add_argument("--timeout", type=positive, default=CELL_SECONDS, help="seconds that one cell may take")
    parser.add_argument("--out", type=Path, help="folder for the pages (default: the book's, or its trials with -p)")
    parser.add_argument("--keep-going", action="store_true", help="go on after a chapter that failed, and name all failures at the end")
    parser.add_argument("--publish", action="store_true", help="only copy this machine's numbers of the tier into results/")
    parser.add_argument("--times", action="store_true", help="only print how long the published chapters took")
    options = parser.parse_args()
    try:
        tier = tiers.get(options.cast or options.tier)
        if options.publish:
            print("\n".join(str(path.relative_to(project.ROOT)) for path in publish(options.cast or options.tier)))
            return 0
        if options.times:
            print("\n".join(f"{stem:30s} {seconds:6.1f} s" for stem, seconds in timings(project.pages(tier.name)).items()))
            return 0
        sources = sorted(project.NOTEBOOKS.glob("*.py"))
        chapters = [source(c).stem for c in options.chapters] or [
            p.stem for p in sources if project.follows(p) or tier.name == project.DEFAULT
        ]
    except (ValueError, FileNotFoundError, ChapterError) as error:
        print(f"seelike.run: {error}", file=sys.stderr)
        return 2
    return _run_all(chapters, {k: _value(v) for k, v in options.parameter}, tier, options)


def _run_all(chapters: list[str], parameters: dict[str, Any], tier: tiers.Tier, options: argparse.Namespace) -> int:
    failed, code = [], 0
    for chapter in chapters:
        try:
            page = run(chapter, parameters, tier=tier, jobs=options.jobs, seconds=options.timeout, out=options.out)
        except ChapterError as error:
            print(f"seelike.run: {error}", file=sys.stderr, flush=True)
            failed.append(chapter)
            code = 2 if isinstance(error, Mistake) else 1
            if not options.keep_going:
                break
        else:
            print(f"{page.stem}  {timings(page.parent)[page.stem]:.1f} s  {page}", flush=True)
    if len(chapters) > 1 and failed:
        print(f"seelike.run: failed: {', '.join(failed)}", file=sys.stderr)
    return code


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == "__main__":
    sys.exit(project.command("seelike.run", main))
