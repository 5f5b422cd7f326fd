"""The ledger: claims of the papers, rules fixed in advance, verdicts computed from intervals.

`book/claims.yml` holds the rules. Chapters record numbers; where they are written and found depends on who runs them:

| who                        | writes to                     | reads, first found wins                      |
|----------------------------|-------------------------------|----------------------------------------------|
| the runner, for a book     | the run's own folder          | the run, the book's numbers, `results/`      |
| a site being built         | nothing                       | the book's numbers, `results/`               |
| a notebook opened by hand  | `_build/lab/results`          | the same, `results/`                         |

A book's numbers are those of its own tier or cast, and of published data; those of all other tiers come from `results/`.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler
from pydantic import Field, TypeAdapter, ValidationError, field_validator

from seelike import intervals, project, tiers
from seelike.intervals import Estimate, Resampled
from seelike.schema import Strict, read_json, read_yaml

Verdict = Literal["reproduced", "contradicted", "undecided", "not run"]
COLUMNS = ["id", "paper", "chapter", "estimate", "low", "high", "verdict", "seeds", "statement", "statistic", "rule", "where", "figure"]
DATA = "published"  # stands in the place of a tier for numbers that others published


class Claim(Strict):
    """One entry of the ledger, all of it text. rule: an operator and a threshold."""

    id: str = Field(pattern=r"^[A-Z]+\d*-\d+$")
    paper: str
    where: str
    chapter: str = Field(pattern=r"^\d\d$")
    figure: str
    statement: str
    statistic: str
    rule: str
    paper_value: str

    @field_validator("rule")
    @classmethod
    def applicable(cls, rule: str) -> str:
        """An operator and a finite number."""
        verdict(rule, 0.0, 0.0)
        return rule


class Entry(Strict):
    """What a chapter recorded of a claim; an estimate or an end that there is not is None."""

    estimate: float | None
    low: float | None
    high: float | None
    seeds: int
    images: int


LEDGER, SECTIONS = TypeAdapter(list[Claim]), TypeAdapter(dict[str, dict[str, Any]])


def ledger() -> dict[str, dict[str, Any]]:
    """All claims by id. ValueError names line and field of an entry that is not whole, and an id that comes twice."""
    return _ledger(project.LEDGER, project.LEDGER.stat().st_mtime_ns)


@lru_cache(4)
def _ledger(path: Path, changed: int) -> dict[str, dict[str, Any]]:
    entries = read_yaml(path, LEDGER)
    if twice := [claim for claim, n in Counter(entry.id for entry in entries).items() if n > 1]:
        raise ValueError(f"{path}: {', '.join(twice)} stands there more than once: every claim needs an id of its own.")
    return {entry.id: entry.model_dump() for entry in entries}


def verdict(rule: str, low: float, high: float) -> Verdict:
    """What a rule such as "> 0.10" or "<= 0.35" says about an interval; NaN ends are undecided."""
    operator, _, number = rule.partition(" ")
    if operator not in (">", ">=", "<", "<="):
        raise ValueError(f"A rule is an operator (>, >=, <, <=) and a number, got {rule!r}.")
    try:
        threshold, strict = float(number), len(operator) == 1
    except ValueError:
        threshold = float("nan")
    if not np.isfinite(threshold):
        raise ValueError(f"A rule is an operator (>, >=, <, <=) and a finite number, got {rule!r}.")
    if np.isnan(low) or np.isnan(high):
        return "undecided"
    if low > high:
        raise ValueError(f"An interval runs from its lower to its upper end, got {low} to {high}.")
    if operator[0] == "<":
        threshold, low, high = -threshold, -high, -low
    if low > threshold or (low == threshold and not strict):
        return "reproduced"
    if high < threshold or (high == threshold and strict):
        return "contradicted"
    return "undecided"


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
    for name, entry in held.get("claims", {}).items():
        try:
            Entry.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{path}: claims.{name}.{'.'.join(map(str, first['loc']))}: {first['msg']}: run the chapter again.") from error
    return held


def decide(claim: str, tier: str | tiers.Tier, seeds: Sequence[Resampled], *, images: int) -> Verdict:
    """Enter the statistic of every seed on the same batches of images, as an estimate over both (`intervals.estimate`)."""
    return record(claim, tier, intervals.estimate(seeds), seeds=len(seeds), images=images)


def record(claim: str, tier: str | tiers.Tier, value: Estimate, *, seeds: int, images: int) -> Verdict:
    """Enter a claim's estimate at a tier into its chapter's results and return the verdict."""
    if claim not in ledger():
        raise ValueError(f"{claim!r} is not in {project.LEDGER.name}: write its rule there before the run that decides it.")
    if not value.low <= value.estimate <= value.high and not np.isnan(value).any():
        raise ValueError(f"The estimate of {claim} lies outside of its interval: {tuple(value)}.")
    entry = {key: None if np.isnan(number) else round(number, 6) for key, number in zip(Estimate._fields, map(float, value), strict=True)}
    entry |= {"seeds": int(seeds), "images": int(images)}
    keep(ledger()[claim]["chapter"], tier, {"claims": {claim: entry}})
    return verdict(ledger()[claim]["rule"], *_ends(entry))


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
    """One row per claim: id, paper, chapter, estimate, low, high, verdict ("not run" without a result), and the rule."""
    rows = []
    for name, claim in ledger().items():
        entry = results(tier, claim["chapter"]).get("claims", {}).get(name)
        decided = {**entry, "verdict": verdict(claim["rule"], *_ends(entry))} if entry else {"verdict": "not run"}
        rows.append(claim | decided)
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def words(estimate: float, low: float, high: float) -> str:
    """A number with its interval; a third decimal where two hide the interval, "no interval" where it has no width."""
    if low == high:
        return f"{estimate:.2f} (no interval)"
    digits = 2 if f"{low:.2f}" != f"{high:.2f}" else 3
    return f"{estimate:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def chapter(number: str, tier: str | tiers.Tier) -> Styler:
    """The ledger's rows of one chapter that were decided at a tier, to be shown: statement, estimate, interval, rule, verdict, seeds."""
    rows = table(tier)
    rows = rows[(rows["chapter"] == number) & (rows["verdict"] != "not run")].set_index("id")
    rows["estimate [95 %]"] = [words(*numbers) for numbers in rows[["estimate", "low", "high"]].to_numpy(float).tolist()]
    rows["seeds"] = rows["seeds"].astype(int)
    return rows[["statement", "estimate [95 %]", "rule", "verdict", "seeds"]].style.format(escape="html")


def key(tier: str | tiers.Tier) -> str:
    """The name under which the numbers of a tier, a cast or `published` data are kept; ValueError for a tier that there is not."""
    return DATA if tier == DATA else tiers.get(tier).name


def recorded() -> list[str]:
    """Tiers and casts of the book, besides the one that is being run, of which the repository holds published numbers."""
    return [
        name for name in tiers.names() if (project.PUBLISHED / name).is_dir() and name != os.environ.get("SEELIKE_BOOK", project.DEFAULT)
    ]


def _ends(entry: Mapping[str, Any]) -> tuple[float, float]:
    low, high = (float("nan") if entry[end] is None else float(entry[end]) for end in ("low", "high"))
    return low, high


def _live() -> Path:
    return Path(os.environ.get("SEELIKE_RESULTS", project.results(project.LAB)))
