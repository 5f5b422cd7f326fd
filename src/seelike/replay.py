"""Does the book replay? `make replay` runs chapters again and compares every number with the published ones, one by one.

| kind     | what it means                                                                                            |
|----------|----------------------------------------------------------------------------------------------------------|
| same     | equal to the last bit                                                                                    |
| printed  | equal where it is printed (three decimals, or one part in a thousand)                                    |
| interval | a claim's estimate or another number with an interval beside it, inside that interval                    |
| other    | none of these: named in the table                                                                        |
| machine  | in a section `machine_dependent`, of numbers that break down on purpose; counted, never compared         |

Provenance (date, commit, seconds) is no result. The table goes to `results/<tier>/replay.json`, from where the scorecard shows it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from seelike import project, tiers
from seelike.run import ChapterError, positive, run, source

KINDS = ("same", "printed", "interval", "other", "machine")
NAMED = 5  # of the numbers that differ, in the table
NO_RESULT = ("provenance", "seconds", "commit", "date")


def flat(numbers: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every number, text or missing value of a JSON document with its path."""
    if isinstance(numbers, dict):
        for key, value in numbers.items():
            if key not in NO_RESULT:
                yield from flat(value, f"{path}/{key}")
    elif isinstance(numbers, list):
        for i, value in enumerate(numbers):
            yield from flat(value, f"{path}/{i}")
    else:
        yield path, numbers


def kind(path: str, new: Any, old: dict[str, Any]) -> str:
    """How a number compares with the published numbers, by path."""
    if path.startswith("/machine_dependent/"):
        return "machine"
    if path not in old:
        return "other"
    before = old[path]
    if new == before:
        return "same"
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (new, before)):
        return "other"
    if round(new, 3) == round(before, 3) or math.isclose(new, before, rel_tol=1e-3):
        return "printed"
    low, high = (old.get(f"{path.rpartition('/')[0]}/{end}") for end in ("low", "high"))
    inside = isinstance(low, (int, float)) and isinstance(high, (int, float)) and low <= new <= high
    return "interval" if inside and path.endswith("/estimate") else "other"


def compare(new: Any, old: Any) -> dict[str, Any]:
    """Counts by kind, and the first of the numbers that differ; numbers that are gone count as other."""
    before = dict(flat(old))
    after = dict(flat(new))
    kinds = {path: kind(path, value, before) for path, value in after.items()}
    kinds |= {path: "other" for path in before if path not in after and not path.startswith("/machine_dependent/")}
    counts = Counter(kinds.values())
    named = sorted(path.strip("/") for path, found in kinds.items() if found == "other")
    return {"numbers": len(kinds), **{k: counts[k] for k in KINDS}, "named": named[:NAMED]}


def replay(chapter: str, tier: tiers.Tier, jobs: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Run a chapter again, apart from the book, and compare all numbers that it recorded; by tier of the numbers.

    jobs: as if so many chapters ran at a time, which sets the threads. ChapterError where the chapter fails.
    """
    run(chapter, {}, tier=tier, jobs=jobs, out=folder)
    told = {}
    for found in sorted((folder / "results").glob(f"*/{chapter[:2]}.json")):
        published = project.PUBLISHED / found.parent.name / found.name
        if published.exists():
            told[found.parent.name] = compare(*(json.loads(p.read_text(encoding="utf-8")) for p in (found, published)))
    return told


def table(tier: str) -> pd.DataFrame:
    """What was kept of a tier's replays: one row a way to run them, summed over chapters, and the numbers that differed by name."""
    rows = {}
    for how, chapters in _held(project.PUBLISHED / tier / "replay.json").items():
        named = [f"chapter {where[:2]}: {path}" for where, counts in chapters.items() for path in counts["named"]]
        sums = {k: sum(counts[k] for counts in chapters.values()) for k in ("numbers", *KINDS)}
        rows[how] = {"chapters": len({where[:2] for where in chapters}), **sums, "named": "; ".join(named)}
    return pd.DataFrame.from_dict(rows, orient="index")


def _held(path: Path) -> dict[str, dict[str, dict[str, Any]]]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def keep(tier: tiers.Tier, how: str, chapter: str, told: dict[str, dict[str, Any]]) -> None:
    """Enter a comparison into `results/<tier>/replay.json`."""
    path = project.PUBLISHED / tier.name / "replay.json"
    held = _held(path)
    held.setdefault(how, {}).update({f"{chapter[:2]} {name}": counts for name, counts in told.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(held, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def main() -> int:
    """Command line: 0 when every number was found again, 1 when one was not or a chapter failed, 2 for a mistake in what was asked."""
    parser = argparse.ArgumentParser(
        prog="python -m seelike.replay", description="Run chapters again and compare with the published numbers."
    )
    parser.add_argument("chapters", nargs="*", help="numbers or names (default: all)")
    parser.add_argument("--tier", default=project.DEFAULT)
    parser.add_argument("--jobs", type=positive, default=1, help="sets the threads: cores over jobs")
    parser.add_argument("--keep", action="store_true", help="enter the table into results/, where the scorecard finds it")
    options = parser.parse_args()
    try:
        tier = tiers.get(options.tier)
        chapters = [source(c).stem for c in options.chapters] or [p.stem for p in sorted(project.NOTEBOOKS.glob("*.py"))]
    except (ValueError, FileNotFoundError, ChapterError) as error:
        print(f"seelike.replay: {error}", file=sys.stderr)
        return 2
    how = f"{options.jobs} at a time, hash seed {os.environ.get('PYTHONHASHSEED', 'random')}"
    missed = 0
    for chapter in chapters:
        with tempfile.TemporaryDirectory() as folder:
            try:
                told = replay(chapter, tier, options.jobs, Path(folder))
            except ChapterError as error:
                print(f"seelike.replay: {error}", file=sys.stderr)
                missed += 1
                continue
        for name, counts in told.items():
            missed += counts["other"]
            print(f"{chapter[:2]} {name:10s}", *(f"{counts[k]} {k}" for k in KINDS if counts[k]), *counts["named"], sep="  ", flush=True)
        if options.keep:
            keep(tier, how, chapter, told)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(project.command("seelike.replay", main))
