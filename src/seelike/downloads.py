"""Numbers behind figures as CSV, which the figures link to, in `_static/data` of a site.

`fig-NAME.csv` holds what a figure shows (`seelike.drawn`), `NN.csv` all that a chapter recorded:

| column        | what                                                                                        |
|---------------|---------------------------------------------------------------------------------------------|
| tier          | where the number was recorded; `published`: computed from others' numbers                   |
| section       | as in `results/<tier>/NN.json`; `panel`: other analyses of the chapter's claims             |
| name          | keys below the section, joined by " > "                                                     |
| row, column   | place in a list or a matrix, from 0; empty for a single number                              |
| value         | the number, or the words of a setting                                                       |
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from seelike import claims, ledger, project, scorecard, tiers

HEAD = ("tier", "section", "name", "row", "column", "value")
FOLDER = "_static/data"
Row = tuple[Any, ...]


def numbers() -> list[str]:
    """The numbers of all chapters ("03")."""
    return [path.stem.partition("_")[0] for path in sorted(project.NOTEBOOKS.glob("*.py"))]


@lru_cache(64)
def rows(chapter: str, tier: str) -> list[Row]:
    """All that a chapter recorded at the tier of a site and on published data, and at other recorded tiers all but matrices."""
    found: list[Row] = []
    for place in scorecard.places(tier):
        for section, entries in claims.results(place, chapter).items():
            whole = place in (claims.key(tier), claims.DATA)  # matrices of other tiers would be most of the site's tables
            found += [(place, section, *rest) for rest in _flat(entries) if whole or rest[2] == ""]
        for claim in ledger.ledger().values():
            analyses = claims.panel(claim.id, place) if claim.chapter == chapter else {}
            found += [
                (place, "panel", f"{claim.id} > {name} > {key}", "", "", value)
                for name, analysis in analyses.items()
                for key in ("estimate", "low", "high")
                if (value := getattr(analysis, key)) is not None
            ]
    return found


def _flat(value: Any, names: tuple[str, ...] = (), at: tuple[int, ...] = ()) -> Iterator[Row]:
    """Name, row, column and value of every number below a value; lists in lists in lists keep the outer places in their name."""
    if isinstance(value, dict):
        for key, held in value.items():
            yield from _flat(held, (*names, *map(str, at), str(key)))
    elif isinstance(value, list):
        for i, held in enumerate(value):
            yield from _flat(held, names, (*at, i))
    elif value is not None:
        outer, (row, column) = at[:-2], (*at[-2:], "", "")[:2]
        yield " > ".join((*names, *map(str, outer))), row, column, value


def write(site: Path, tier: str) -> list[Path]:
    """The tables of a built site; chapters that recorded nothing have none."""
    folder = site / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    chapters = [_write(folder / f"{chapter}.csv", _csv(held)) for chapter in numbers() if (held := rows(chapter, tier))]
    return chapters + [_write(folder / f"{name}.csv", held) for name, held in figures(tier).items()]


def figures(tier: str) -> dict[str, str]:
    """What the figures of a tier's executed chapters show, as CSV, by the figure's name; nothing of those that show no numbers."""
    notes = project.notes(project.pages(project.DEFAULT)) | project.notes(project.pages(tiers.get(tier).name))  # chapter by chapter
    tables = {name: held for note in notes.values() for name, held in note.get("figures", {}).items()}
    return {name: held for name, held in tables.items() if held.count("\n") > 1}


def _csv(held: list[Row]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEAD)
    writer.writerows(held)
    return stream.getvalue()


def _write(path: Path, held: str) -> Path:
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(held, encoding="utf-8", newline="")
    os.replace(temporary, path)
    return path
