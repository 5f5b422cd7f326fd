"""From a percent source to a page: `python -m seelike.run 03 --tier scenes`.

notebooks/NN_name.py -> papermill with the tier -> gate -> book/chapters/NN_name.ipynb

The gate lets no broken page through: a cell that failed, timed out or never ran, an image without alt text or
a parameter that the chapter does not know leaves no page, and the exit code is not zero.
"""

from __future__ import annotations

import argparse
import ast
import logging
import os
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

from seelike.project import BUILT, CHAPTERS, NOTEBOOKS, ROOT, TIERS, timings

WORK, TRIALS = ROOT / "_build" / "run", ROOT / "_build" / "trials"
CELL_SECONDS = 600
KERNEL = "python3"
LEFT_OUT = "images could not be read and were left out"  # a notice of seelike.data that is no fault of a chapter


class ChapterError(RuntimeError):
    """A chapter did not become a page; the message says which cell and why."""


def source(chapter: str) -> Path:
    """The percent file of a chapter given by number or name."""
    found = sorted(p for p in NOTEBOOKS.glob("*.py") if chapter in (p.stem, p.stem.partition("_")[0]))
    if len(found) != 1:
        have = ", ".join(p.stem for p in sorted(NOTEBOOKS.glob("*.py")))
        raise ChapterError(f"No single chapter is called {chapter!r}: expected one of {have}.")
    return found[0]


def notebook(path: Path) -> nbformat.NotebookNode:
    """The chapter as an unexecuted notebook with the same cell ids on every run."""
    made = jupytext.read(path)
    number_cells(made)
    return made


def run(chapter: str, parameters: Mapping[str, Any], *, jobs: int = 1, seconds: int = CELL_SECONDS, out: Path | None = None) -> Path:
    """Execute one chapter and publish its page; ChapterError if anything in it went wrong.

    Its numbers enter the results only with the page, and only when no parameter but the tier was changed.
    """
    path = source(chapter)
    WORK.mkdir(parents=True, exist_ok=True)
    plain, partial = WORK / f"{path.stem}.plain.ipynb", WORK / f"{path.stem}.partial.ipynb"
    partial.unlink(missing_ok=True)
    nbformat.write(notebook(path), plain)
    known = papermill.inspect_notebook(str(plain))
    if unknown := sorted(set(parameters) - set(known)):
        raise ChapterError(f"{path.name} has no parameter {', '.join(unknown)}: it knows {', '.join(known)}.")
    started = time.monotonic()
    numbers = WORK / f"{path.stem}.results"
    shutil.rmtree(numbers, ignore_errors=True)
    with _environment(jobs, numbers):
        error = _execute(plain, partial, parameters, seconds)
    if error:
        raise ChapterError(f"{path.name} failed {error}\nPartial notebook: {partial}")
    done = nbformat.read(partial, 4)
    if faults := gate(done):
        raise ChapterError(f"{path.name} ran, but is not fit to print:\n  " + "\n  ".join(faults) + f"\nPartial notebook: {partial}")
    finish(done, time.monotonic() - started, parameters)
    folder = out or (CHAPTERS if set(parameters) <= {"tier"} else TRIALS)
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(done, partial)
    page = folder / f"{path.stem}.ipynb"
    for file in sorted(numbers.glob("*/*.json")) if set(parameters) <= {"tier"} else []:
        (BUILT / file.parent.name).mkdir(parents=True, exist_ok=True)
        os.replace(file, BUILT / file.parent.name / file.name)
    os.replace(partial, page)  # last: whoever finds the page finds its numbers
    return page


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _environment(jobs: int, numbers: Path) -> Iterator[None]:
    """Threads and paths for the kernel, put back afterwards."""
    threads = str(max(_cores() // jobs, 1))
    wanted = {name: threads for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    wanted |= {"TQDM_DISABLE": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1", "PYTHONWARNINGS": "ignore:IProgress not found"}
    before = dict(os.environ)
    os.environ.update(wanted, SEELIKE_RESULTS=str(numbers))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _execute(plain: Path, partial: Path, parameters: Mapping[str, Any], seconds: int) -> str | None:
    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        papermill.execute_notebook(
            str(plain), str(partial), parameters=dict(parameters), kernel_name=KERNEL, cwd=str(ROOT),
            execution_timeout=seconds, progress_bar=False, log_output=False,
            extra_arguments=["--IPKernelApp.log_level=40"],  # no notice that a local kernel talks over TCP
        )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        return f"in cell {error.cell_index} with {error.ename}: {error.evalue}\n  " + error.source.strip().replace("\n", "\n  ")
    except Exception as error:  # time-outs and dead kernels come as types of nbclient, jupyter_client and asyncio
        reason = str(error).strip()[:1500] or "no message"
        return f"{_running(partial)}with {type(error).__name__} (limit {seconds} s per cell): {reason}"
    return None


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
                faults.append(f"cell {i} ended with {output.ename}: {output.evalue}")
            if output.output_type == "stream" and output.name == "stderr" and LEFT_OUT not in output.text:
                faults.append(f"cell {i} wrote to stderr: {output.text.strip()[:200]}")
            if "image/png" in output.get("data", {}) and len(alt_text(cell)) < 20:
                faults.append(f"cell {i} shows an image without alt text (mystnb image alt, 20 characters or more)")
    return faults


def alt_text(cell: nbformat.NotebookNode) -> str:
    """The alt text that a cell's metadata gives to its image."""
    return str(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", ""))


def finish(done: nbformat.NotebookNode, seconds: float, parameters: Mapping[str, Any]) -> None:
    """Hide parameter cells on the page and note what the chapter took: seconds, and the largest memory of one process.

    A process that runs several chapters cannot tell their memory apart: each gets the largest so far.
    """
    for cell in done.cells:
        tags = cell.metadata.setdefault("tags", [])
        if {"parameters", "injected-parameters"} & set(tags) and "remove-cell" not in tags:
            tags.append("remove-cell")
    number_cells(done)
    resident = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
    done.metadata["seelike"] = {"seconds": round(seconds, 1), "gigabytes": round(resident, 2), "parameters": dict(parameters)}


def publish(tier: str) -> None:
    """Copy the numbers of this machine's run of a tier, and those about published data, into `results/`, where the book finds them."""
    for path in sorted(file for part in (tier, "published") for file in (BUILT / part).glob("*.json")):
        target = ROOT / "results" / path.parent.name
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / path.name)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m seelike.run", description="Execute chapters and publish their pages.")
    parser.add_argument("chapters", nargs="*", help="numbers or names (default: all)")
    parser.add_argument("--tier", default="scenes", choices=TIERS)
    parser.add_argument("-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.add_argument("--jobs", type=int, default=1, help="chapters that run at the same time elsewhere; sets the threads")
    parser.add_argument("--timeout", type=int, default=CELL_SECONDS, help="seconds that one cell may take")
    parser.add_argument("--out", type=Path, help="folder for the pages (default: the book's, or _build/trials with -p)")
    parser.add_argument("--publish", action="store_true", help="only copy this machine's numbers of the tier into results/")
    parser.add_argument("--times", action="store_true", help="only print how long the published chapters took")
    options = parser.parse_args()
    if options.publish:
        publish(options.tier)
        return 0
    if options.times:
        print("\n".join(f"{stem:30s} {seconds:6.1f} s" for stem, seconds in timings().items()))
        return 0
    parameters = {"tier": options.tier} | {k: _value(v) for k, v in options.parameter}
    for chapter in options.chapters or [p.stem for p in sorted(NOTEBOOKS.glob("*.py"))]:
        try:
            page = run(chapter, parameters, jobs=options.jobs, seconds=options.timeout, out=options.out)
        except ChapterError as error:
            print(f"seelike.run: {error}", file=sys.stderr)
            return 1
        print(f"{page.stem}  {timings(page.parent)[page.stem]:.1f} s", flush=True)
    return 0


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == "__main__":
    sys.exit(main())
