"""One zip for a class without internet: `python -m seelike.bundle`; `make bundle` calls it.

| in the zip   | what                                                                            |
|--------------|---------------------------------------------------------------------------------|
| `README.txt` | how to read, without Python, and how to run                                     |
| `index.html` | leads to the site                                                               |
| `site/`      | the site of the default tier, slides among it                                   |
| `student/`   | the chapters as notebooks without solutions                                     |
| `book/`      | the repository as it is under git: sources, package, results, weights of the zoo |
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from seelike import project, readers
from seelike.site import SITE, SiteError

PLACE = project.BUILD / "seelike.zip"
INDEX = """<!doctype html><meta charset="utf-8"><title>The book</title><meta http-equiv="refresh" content="0; url=site/index.html">
<a href="site/index.html">The book</a>
"""
README = """\
Do vision transformers see like convolutional networks?   ({commit})

To read: unpack this archive and open index.html in a browser. That needs neither Python nor internet; search, mathematics and quizzes work.
Slides of every chapter, for a lecturer, are at site/slides/index.html; arrow keys turn them.
The site shows solutions to exercises in folds. The notebooks in student/ hold none.

To run: the notebooks in student/ need Python 3.11.5 or newer and the packages named in book/requirements.lock. The weights of all networks
are in book/zoo. On a machine with internet:

    cd book
    make lab                             # once; JupyterLab then opens. Close it.
    .venv/bin/jupyter lab ../student

On machines without internet, fetch the packages first on one that has it, with the same system and the same version of Python,

    cd book
    python3 -m pip download --require-hashes --no-deps --dest wheels --requirement requirements.lock

copy the folder wheels into book/ on the others, and call there

    PIP_NO_INDEX=1 PIP_FIND_LINKS=$PWD/wheels make lab

In a notebook, the cell below an exercise shows how to check an answer: it prints one sentence.
"""


def tracked() -> list[Path]:
    """Files of the repository under git; SiteError where there is no git, or no repository."""
    try:
        asked = subprocess.run(["git", "ls-files", "-z"], cwd=project.ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SiteError(
            f"A bundle holds the files under git, but git cannot list those of {project.ROOT}: clone the repository."
        ) from error
    return [path for name in asked.stdout.split("\0") if name and (path := project.ROOT / name).is_file()]


def contents(notebooks: Path) -> Iterator[tuple[str, Path]]:
    """Names inside the zip and the files that stand there. notebooks: a folder to write students' notebooks into."""
    if not (SITE / "index.html").exists():
        raise SiteError(f"There is no site in {SITE} to put into a bundle: run `make book`.")
    readers.write(notebooks, kit=True)
    folders = {"site": SITE.resolve(), "student": notebooks / "student"}
    for name, folder in folders.items():
        yield from ((f"{name}/{path.relative_to(folder)}", path) for path in sorted(folder.rglob("*")) if path.is_file())
    yield from ((f"book/{path.relative_to(project.ROOT)}", path) for path in tracked())


def write(place: Path = PLACE) -> Path:
    """Write the bundle beside its place and then put it there; what stood there stays until then.

    SiteError where there is no site or no repository.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("seelike/README.txt", README.format(commit=project.commit()))
            made.writestr("seelike/index.html", INDEX)
            for name, path in contents(Path(folder)):
                made.write(path, f"seelike/{name}")
        os.replace(beside, place)
    finally:
        beside.unlink(missing_ok=True)
    return place


def main() -> int:
    """Command line: 0 when the bundle stands, 1 when it could not be made."""
    argparse.ArgumentParser(prog="python -m seelike.bundle", description="Put site, notebooks and weights into one zip.").parse_args()
    try:
        made = write()
    except SiteError as error:
        print(f"seelike.bundle: {error}", file=sys.stderr)
        return 1
    print(f"The bundle is {made}, {made.stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(project.command("seelike.bundle", main))
