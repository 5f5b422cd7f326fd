"""Where things lie and what depends on what. Imports nothing heavy: the Snakefile reads it on every call.

What a run writes lies below `_build/<book>/`, where a book is a tier or a cast: no run touches another book.

| folder             | what                                                             |
|--------------------|------------------------------------------------------------------|
| `source/`          | the site's sources: pages of `book/`, executed chapters          |
| `results/`         | numbers of the executed chapters                                 |
| `html/`            | the site                                                         |
| `trials/`          | chapters run with other parameters (`-p`)                        |
| `run/`             | what is being executed, a folder a run                           |

Notebooks opened by hand write to `_build/lab/`. `results/` and `zoo/` at the top are what was published.
"""

from __future__ import annotations

import ast
import errno
import importlib.util
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _root() -> Path:
    """The book's folder: around this package, or around the working directory when the package was installed apart from it."""
    around = Path(__file__).resolve().parents[2]
    places = [around, Path.cwd(), *Path.cwd().parents]
    return next((folder for folder in places if (folder / "book" / "claims.yml").exists()), around)


ROOT = _root()
NOTEBOOKS, LEDGER, PUBLISHED = ROOT / "notebooks", ROOT / "book" / "claims.yml", ROOT / "results"
BUILD = ROOT / "_build"
LAB = "lab"  # the book of notebooks that are opened by hand
DEFAULT = "scenes"  # the tier of `make book`, and of chapters that have no parameter `tier`


def pages(book: str) -> Path:
    """Folder of a book's executed chapters."""
    return BUILD / book / "source" / "book" / "chapters"


def results(book: str) -> Path:
    """Folder of the numbers that a book's executed chapters recorded: `<tier>/<chapter>.json`."""
    return BUILD / book / "results"


def zoo(tier: str) -> Path:
    """Folder of a tier's trained weights; `SEELIKE_ZOO` moves it elsewhere."""
    return Path(os.environ.get("SEELIKE_ZOO", ROOT / "zoo")) / tier


def follows(chapter: Path) -> bool:
    """Whether a chapter's source has the parameter `tier`; the others ask their questions of the default tier only."""
    return "\ntier = " in chapter.read_text(encoding="utf-8")


def modules(chapter: Path) -> list[Path]:
    """Files of `seelike` that a source imports, directly or through each other: what its page depends on."""
    seen: set[Path] = set()
    pending = [chapter]
    while pending:
        for name in _imports(pending.pop()):
            spec = importlib.util.find_spec(name)
            if spec and spec.origin and (path := Path(spec.origin)) not in seen:
                seen.add(path)
                pending.append(path)
    return sorted(seen)


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names if node.module == "seelike"}
    return {name for name in names if name.startswith("seelike")}


def sweep(stamp: Path, made: Path) -> None:
    """Take away a stamp whose page is gone, and one from the future: a clock was wrong, and it would hide every change until then."""
    if stamp.exists() and not (made.exists() and stamp.stat().st_mtime < time.time() + 60):
        stamp.unlink()


def notes(folder: Path) -> dict[str, dict[str, Any]]:
    """What the run of each executed chapter in a folder noted (`run.finish`), by the chapter's name; {} where no runner made it."""
    executed = sorted(folder.glob("*.ipynb"))
    return {page.stem: json.loads(page.read_text(encoding="utf-8"))["metadata"].get("seelike", {}) for page in executed}


def timings(folder: Path, what: str = "seconds") -> dict[str, float]:
    """What the run of each executed chapter in a folder took: seconds, or peak memory in `gigabytes`; NaN where no runner measured it."""
    return {stem: note.get(what, float("nan")) for stem, note in notes(folder).items()}


def command(name: str, main: Callable[[], int | None]) -> int:
    """What a command line ends with: `main`'s exit code, or one sentence and 130 for Ctrl-C.

    What `main` did not foresee (a full disk, a folder that cannot be written) is one sentence and 1; its traceback comes with `--debug`,
    which every command knows. What a terminal's alphabet lacks is printed as an escape.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    try:
        return main() or 0
    except KeyboardInterrupt:
        print(f"{name}: stopped; the same command goes on where it can.", file=sys.stderr)
        return 130
    except Exception as error:
        if debug:
            raise
        print(f"{name}: {_sentence(error)} (--debug shows where).", file=sys.stderr)
        return 1


def _sentence(error: Exception) -> str:
    """What happened, in one line, and what to do where that is known."""
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.filename} cannot be written or read ({error.strerror}): work in a copy that is yours to write"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full{f' ({error.filename})' if error.filename else ''}: make room, and run the same command again"
    return f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"


def commit() -> str:
    """Short hash of the checked-out commit, "+" if files differ from it; "no git" outside a repository or without git."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        asked = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return "no git"
    return asked.stdout.strip() or "no git"
