"""What chapters record of the ledger's claims, and what it says about them.

`book/claims.yml` holds the rules (`seelike.ledger`), `seelike.answers` makes answers of numbers. Chapters record numbers; where they are
written and found depends on who runs them:

| who                        | writes to                     | reads, first found wins                      |
|----------------------------|-------------------------------|----------------------------------------------|
| the runner, for a book     | the run's own folder          | the run, the book's numbers, `results/`      |
| a site being built         | nothing                       | the book's numbers, `results/`               |
| a notebook opened by hand  | `_build/lab/results`          | the same, `results/`                         |

A book's numbers are those of its own tier or cast, and of published data; those of all other tiers come from `results/`. Other analyses of
claims (`python -m seelike.panels`) and what was explored before a rule was amended are never run with the book: `results/<tier>/panel.json`
and `explored.json`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler
from pydantic import TypeAdapter, ValidationError

from seelike import intervals, project, tiers
from seelike import ledger as rules
from seelike.answers import SYMBOLS, Analysis, Answers, Entry, answers
from seelike.intervals import Estimate, Resampled
from seelike.ledger import verdict
from seelike.schema import read_json

__all__ = [
    "chapter", "decide", "explored", "keep", "key", "ledger", "panel", "record", "recorded", "recorded_of", "results", "table", "verdict",
    "words",
]  # fmt: skip
COLUMNS = [
    "id", "paper", "chapter", "statement", "estimate", "low", "high", "seeds", "testable", "direction", "size", "beyond_control", "robust",
    "summary", "reason", "short", "where", "figure", "images",
]  # fmt: skip
DATA = "published"  # stands in the place of a tier for numbers that others published
Seeds = Sequence[Resampled]
SECTIONS = TypeAdapter(dict[str, dict[str, Any]])


def ledger() -> dict[str, dict[str, Any]]:
    """All claims by id, as plain data (`seelike.ledger.Claim`)."""
    return {name: rules.entry(claim) for name, claim in rules.ledger().items()}


def results(tier: str | tiers.Tier, chapter: str) -> dict[str, Any]:
    """What a chapter recorded at a tier (or on `published` data), as the table above says; {} if nothing."""
    found = next((path for path in _places(key(tier), chapter) if path.exists()), None)
    return {} if found is None else _read(found, found.stat().st_mtime_ns)


def _places(tier: str, chapter: str) -> list[Path]:
    book = os.environ.get("SEELIKE_BOOK", project.LAB)
    folders = [_live()] + ([project.results(book)] if tier in (book, DATA) else []) + [project.PUBLISHED]
    return [folder / tier / f"{chapter}.json" for folder in folders]


@lru_cache(256)
def _read(path: Path, changed: int) -> dict[str, Any]:
    held = read_json(path, SECTIONS, "run the chapter again, or restore the file")
    if path.stem == "panel":
        for claim, analyses in held.items():
            _check(path, claim, analyses, Analysis, "restore the file")
    _check(path, "claims", held.get("claims", {}), Entry, "run the chapter again")
    return held


def _check(path: Path, section: str, entries: Mapping[str, Any], kind: type[Entry | Analysis], remedy: str) -> None:
    for name, entry in entries.items():
        try:
            kind.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, (section, name, *first["loc"])))
            raise ValueError(f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}: {remedy}.") from error


def decide(
    claim: str,
    tier: str | tiers.Tier,
    seeds: Seeds | Mapping[str, Seeds],
    *,
    images: int,
    control: Seeds = (),
    testable: Seeds = (),
) -> Answers:
    """Enter the statistic of every seed on the same batches of images, as an estimate over both (`intervals.estimate`).

    seeds: of a claim with parts, by name. control: the same statistic of the control, one a seed, or one for all of them.
    testable: the precondition's statistic, one a seed.
    """
    named = dict(seeds) if isinstance(seeds, Mapping) else {"": seeds}
    first = next(iter(named.values()))
    if control and len(control) not in (1, len(first)):
        raise ValueError(f"{claim} has {len(first)} seeds and {len(control)} controls: give one for each, or one for all.")
    beyond = [s.minus(control[i % len(control)]) for i, s in enumerate(first)] if control else []
    return record(
        claim,
        tier,
        {name: intervals.estimate(each) for name, each in named.items()} if isinstance(seeds, Mapping) else intervals.estimate(first),
        seeds=len(first),
        images=images,
        beyond=intervals.estimate(beyond) if beyond else None,
        testable=intervals.estimate(testable) if testable else None,
        starts=[float(s.value) for s in first],
    )


def record(
    claim: str,
    tier: str | tiers.Tier,
    value: Estimate | Mapping[str, Estimate],
    *,
    seeds: int,
    images: int,
    beyond: Estimate | None = None,
    testable: Estimate | None = None,
    starts: Sequence[float] = (),
    over: str = "",
) -> Answers:
    """Enter a claim's estimate (by part, where it has several) at a tier into its chapter's results, and return the answers.

    beyond: the statistic minus that of its control. testable: the precondition's statistic. starts: the statistic of each seed.
    seeds: 0 for published numbers. over: what the interval covers, in words, where that is not seeds and images.
    """
    rule = rules.get(claim)
    parts = dict(value) if isinstance(value, Mapping) else {}
    if [p.name for p in rule.parts] != list(parts):
        raise ValueError(f"{claim} has the parts {[p.name for p in rule.parts]} in the ledger, got {list(parts)}.")
    given = {
        "first": next(iter(parts.values())) if isinstance(value, Mapping) else value,
        "beyond": beyond, "testable": testable, **{f"part {name}": part for name, part in parts.items()},
    }  # fmt: skip
    for name, number in given.items():
        if number is not None and not np.isnan(number).any() and not number.low <= number.estimate <= number.high:
            raise ValueError(f"The estimate of {claim} ({name}) lies outside of its interval: {tuple(number)}.")
    held = {
        **(_number(given["first"], rule.bounds) or {}),
        "seeds": int(seeds), "images": int(images), "over": over, "starts": [round(float(s), 6) for s in starts],
        "beyond": _number(beyond), "testable": _number(testable), "parts": {name: _number(part) for name, part in parts.items()},
    }  # fmt: skip
    kept = {key: v for key, v in held.items() if v not in ([], {}, "", None) or key in ("estimate", "low", "high")}
    keep(rule.chapter, tier, {"claims": {claim: kept}})
    return answers(rule, Entry.model_validate(kept), panel(claim, tier))


def _number(value: Estimate | None, bounds: tuple[float, float] | None = None) -> dict[str, float | None] | None:
    if value is None:
        return None
    if bounds is not None:
        value = intervals.bounded(value, *bounds)
    return {key: None if np.isnan(number) else round(number, 6) for key, number in zip(Estimate._fields, map(float, value), strict=True)}


def keep(chapter: str, tier: str | tiers.Tier, numbers: Mapping[str, Mapping[str, Any]]) -> None:
    """Merge sections of numbers (JSON-like) into a chapter's results of a tier, all or nothing.

    On published data, which a run may have at hand only in part, what was recorded before stays until it is computed anew.
    """
    path = _live() / key(tier) / f"{chapter}.json"
    before = {} if path.exists() or key(tier) != DATA else results(tier, chapter)
    held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else deepcopy(before)
    for section, entries in numbers.items():
        held.setdefault(section, {}).update(entries)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(held, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def table(tier: str | tiers.Tier = project.DEFAULT) -> pd.DataFrame:
    """One row a claim: its numbers at a tier, the four answers (`seelike.answers`), their summary, and the reason for it."""
    rows = []
    for name, claim in rules.ledger().items():
        entry = recorded_of(name, tier)
        told = answers(claim, entry, panel(name, tier))
        numbers = {} if entry is None else {k: getattr(entry, k) for k in ("estimate", "low", "high", "seeds", "images")}
        about = {k: getattr(claim, k) for k in ("id", "paper", "chapter", "statement", "short", "where", "figure")}
        rows.append(about | numbers | told.model_dump())
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def recorded_of(claim: str, tier: str | tiers.Tier) -> Entry | None:
    """What was recorded of a claim at a tier."""
    found = results(tier, rules.get(claim).chapter).get("claims", {}).get(claim)
    return None if found is None else Entry.model_validate(found)


def explored(claim: str, tier: str | tiers.Tier) -> Entry | None:
    """What the amended rule of a claim gave on the seeds that it was found on."""
    found = results(tier, "explored").get("claims", {}).get(claim)
    return None if found is None else Entry.model_validate(found)


def panel(claim: str, tier: str | tiers.Tier) -> dict[str, Analysis]:
    """The other analyses of a claim at a tier, by name."""
    return {name: Analysis.model_validate(found) for name, found in results(tier, "panel").get(claim, {}).items()}


def words(estimate: float, low: float, high: float) -> str:
    """A number with its interval; a third decimal where two hide the interval, "no interval" where it has no width."""
    if low == high:
        return f"{estimate:.2f} (no interval)"
    digits = 2 if f"{low:.2f}" != f"{high:.2f}" else 3
    return f"{estimate:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def chapter(number: str, tier: str | tiers.Tier) -> Styler:
    """The ledger's rows of one chapter that were decided at a tier, to be shown: statement, estimate, interval, and the answers."""
    rows = table(tier)
    rows = rows[(rows["chapter"] == number) & (rows["summary"] != "not run")].set_index("id")
    rows["estimate [95 %]"] = [words(*numbers) for numbers in rows[["estimate", "low", "high"]].to_numpy(float).tolist()]
    rows["null"] = [_side(rules.get(name)) for name in rows.index]
    rows["seeds"] = rows["seeds"].astype(int)
    rows["answer"] = [f"{SYMBOLS[word]} {word}" for word in rows["summary"]]
    return rows[["statement", "estimate [95 %]", "null", "answer", "reason", "seeds"]].style.format(escape="html")


def _side(claim: rules.Claim) -> str:
    first = claim.parts[0] if claim.parts else claim
    return f"{'>' if first.direction == 'above' else '<'} {first.null_value:g}"


def key(tier: str | tiers.Tier) -> str:
    """The name under which the numbers of a tier, a cast or `published` data are kept; ValueError for a tier that there is not."""
    return DATA if tier == DATA else tiers.get(tier).name


def recorded() -> list[str]:
    """Tiers and casts of the book, besides the one that is being run, of which the repository holds published numbers."""
    return [
        name for name in tiers.names() if (project.PUBLISHED / name).is_dir() and name != os.environ.get("SEELIKE_BOOK", project.DEFAULT)
    ]


def _live() -> Path:
    return Path(os.environ.get("SEELIKE_RESULTS", project.results(project.LAB)))
