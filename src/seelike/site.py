"""From executed chapters to a site: `python -m seelike.site --tier scenes`.

The sources of a book's site are put together below `_build/<book>/source`, built beside the old site, and put in its place when they
are whole. On a cast's site, chapters that do not follow it are a title and a sentence, so that all have the numbers they have in the book.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from seelike import project, readers, slides, tiers
from seelike.tiers import Tier

SITE = project.BUILD / "html"  # where the default tier's site is found


class SiteError(RuntimeError):
    """The site could not be built; the message says why."""


def chapters(tier: Tier) -> dict[str, Path]:
    """Executed pages of a book's site by chapter: its own, and those of the default tier that follow no tier."""
    sources = sorted(project.NOTEBOOKS.glob("*.py"))
    own = {p.stem: project.pages(tier.name) / f"{p.stem}.ipynb" for p in sources if project.follows(p)}
    if tier.file is not None:
        return own
    return {p.stem: own.get(p.stem, project.pages(project.DEFAULT) / f"{p.stem}.ipynb") for p in sources}


def stage(tier: Tier) -> Path:
    """Put the sources of a book's site together; SiteError names pages that are missing."""
    pages = chapters(tier)
    if absent := [stem for stem, page in pages.items() if not page.exists()]:
        raise SiteError(f"{', '.join(absent)} were not executed at {tier.name}: run `make book`, or python -m seelike.run.")
    folder = project.BUILD / tier.name / "source"
    (folder / "book").mkdir(parents=True, exist_ok=True)
    for path in project.LEDGER.parent.iterdir():
        if path.is_dir() and path.name != "chapters":
            shutil.copytree(path, folder / "book" / path.name, dirs_exist_ok=True)
        elif path.is_file():
            shutil.copyfile(path, folder / "book" / path.name)
    for stem, page in pages.items():
        target = project.pages(tier.name) / f"{stem}.ipynb"
        if page != target:
            shutil.copyfile(page, target)
    config = yaml.safe_load((project.ROOT / "_config.yml").read_text(encoding="utf-8"))
    config["sphinx"]["config"] |= {"seelike_tier": str(tier.file or tier.name), "seelike_partial": tier.file is not None}
    if tier.name != project.DEFAULT:
        config["title"] += f" ({tier.title})"
    (folder / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    shutil.copyfile(project.ROOT / "_toc.yml", folder / "_toc.yml")
    for path in project.NOTEBOOKS.glob("*.py"):
        if path.stem not in pages:
            (project.pages(tier.name) / f"{path.stem}.md").write_text(_stub(path), encoding="utf-8")
    return folder


def _stub(source: Path) -> str:
    """Label and title of a chapter, and why it is not there."""
    text = source.read_text(encoding="utf-8")
    label, title = (re.search(rf"^# ({form})$", text, re.M) for form in (r"\(sec-[\w-]+\)=", r"# .+"))
    assert label and title, source  # every chapter has both
    return f"{label[1]}\n{title[1]}\n\nThis chapter asks its questions of Scenes or of published numbers: it is in the published book.\n"


def build(tier: Tier) -> Path:
    """Build a book's site and return its first page; the old site stays until the new one is whole. SiteError if Sphinx warns or fails."""
    source, around = stage(tier), project.BUILD / tier.name
    new, log = around / "html.new", around / "site.log"
    shutil.rmtree(new, ignore_errors=True)
    tool = str(Path(sys.executable).with_name("jupyter-book"))
    command = [tool, "build", str(source), "--path-output", str(new), "-W", "-n", "--keep-going"]
    environment = os.environ | {"SEELIKE_BOOK": tier.name, "PYTHONUTF8": "1"}
    asked = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", errors="replace", env=environment, cwd=project.ROOT)
    log.write_text(asked.stdout + asked.stderr, encoding="utf-8")
    made = new / "_build" / "html"
    if asked.returncode or not (made / "index.html").exists():
        raise SiteError(
            f"The site could not be built; the last lines of {log}:\n" + "\n".join((asked.stdout + asked.stderr).splitlines()[-25:])
        )
    repository = os.environ.get("SEELIKE_REPOSITORY")
    install = readers.Install(repository, project.commit().rstrip("+")) if repository else None
    readers.write(made / "_sources" / "book" / "chapters", install)
    slides.write(made, chapters(tier), str(tier.file or tier.name))
    _swap(made, around / "html")
    shutil.rmtree(new)
    if tier.name == project.DEFAULT:
        _link(SITE, Path(tier.name) / "html")
    return around / "html" / "index.html"


def _swap(new: Path, place: Path) -> None:
    old = place.with_name("html.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def _link(link: Path, target: Path) -> None:
    if link.is_dir() and not link.is_symlink():
        shutil.rmtree(link)
    beside = link.with_name(f".{link.name}.{os.getpid()}")
    beside.symlink_to(target)
    os.replace(beside, link)


def main() -> int:
    """Command line: 0 when the site stands, 1 when it could not be built, 2 for a tier that there is not."""
    parser = argparse.ArgumentParser(prog="python -m seelike.site", description="Build a book's site from its executed chapters.")
    parser.add_argument("--tier", default=project.DEFAULT, help="a tier's name, or the path of a cast file")
    try:
        print(build(tiers.get(parser.parse_args().tier)))
    except ValueError as error:
        print(f"seelike.site: {error}", file=sys.stderr)
        return 2
    except SiteError as error:
        print(f"seelike.site: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(project.command("seelike.site", main))
