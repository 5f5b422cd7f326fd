"""The ledger: claims of the papers, and the rules that decide them, read from `book/claims.yml`.

A claim is decided by four answers (`seelike.answers`). What its entry fixes in advance:

- statistic: a function of `seelike`, and in words (what) which networks and images it is asked about;
- null_value and direction: the number at which the statistic would say nothing, and the side of it on which the claim lies;
- size: a number of the paper with its tolerance, if the paper gives one of this very quantity;
- control: what the statistic has to be beyond, such as untrained networks or bare pixels;
- testable: a precondition without which the claim cannot be asked at all.

A claim may have several parts, each with a null and a direction of its own; its first part is the one whose number is printed.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, FiniteFloat, TypeAdapter, field_validator, model_validator

from seelike import project
from seelike.schema import Strict, read_yaml

Direction = Literal["above", "below"]
FUNCTION = r"^seelike(\.\w+)+$"


class Size(Strict):
    """A number of the paper, and how far from it ours still counts as the same."""

    value: FiniteFloat
    tolerance: FiniteFloat = Field(gt=0)


class Precondition(Strict):
    """What must hold for a claim to be asked: a statistic in words, and a rule of an operator and a number."""

    what: str
    rule: str

    @field_validator("rule")
    @classmethod
    def applicable(cls, rule: str) -> str:
        """An operator and a finite number."""
        parse(rule)
        return rule


class Part(Strict):
    """One of the things that a claim says at once."""

    name: str
    what: str
    null_value: FiniteFloat = 0.0
    direction: Direction = "above"


class Was(Strict):
    """What an amendment replaced, with the verdicts that it had given by tier."""

    what: str
    rule: str
    verdicts: dict[str, str] = Field(default_factory=dict)
    statement: str | None = None


class Amendment(Strict):
    """A change of a claim after results had been seen: what it was, and why that would not do."""

    date: date
    was: Was
    why: str
    explored_on: str
    decided_on: str


class Claim(Strict):
    """One entry of the ledger. short: the claim in about five words. bounds: what the statistic cannot leave."""

    id: str = Field(pattern=r"^[A-Z]+\d*-\d+[a-z]?$")
    paper: str
    where: str
    chapter: str = Field(pattern=r"^\d\d$")
    figure: str
    short: str
    statement: str
    statistic: str = Field(pattern=FUNCTION)
    what: str
    null_value: FiniteFloat = 0.0
    direction: Direction = "above"
    parts: list[Part] = Field(default_factory=list)
    size: Size | None = None
    paper_value: str
    control: str | None = None
    testable: Precondition | None = None
    bounds: tuple[FiniteFloat, FiniteFloat] | None = None
    amended: list[Amendment] = Field(default_factory=list)

    @model_validator(mode="after")
    def whole(self) -> Claim:
        """Parts have names of their own."""
        if len({part.name for part in self.parts}) < len(self.parts):
            raise ValueError(f"the parts of {self.id} need names of their own, got {[p.name for p in self.parts]}")
        return self


LEDGER = TypeAdapter(list[Claim])


def ledger() -> dict[str, Claim]:
    """All claims by id. ValueError names line and field of an entry that is not whole, and an id that comes twice."""
    return _ledger(project.LEDGER, project.LEDGER.stat().st_mtime_ns)


@lru_cache(4)
def _ledger(path: Path, changed: int) -> dict[str, Claim]:
    entries = read_yaml(path, LEDGER)
    if twice := [claim for claim, n in Counter(entry.id for entry in entries).items() if n > 1]:
        raise ValueError(f"{path}: {', '.join(twice)} stands there more than once: every claim needs an id of its own.")
    chapters = {source.name[:2] for source in project.NOTEBOOKS.glob("[0-9][0-9]_*.py")}
    if chapters and (lost := [f"{entry.id} ({entry.chapter})" for entry in entries if entry.chapter not in chapters]):
        raise ValueError(f"{path}: no chapter in {project.NOTEBOOKS} has the number of {', '.join(lost)}: give the claim its chapter's.")
    return {entry.id: entry for entry in entries}


def parse(rule: str) -> tuple[str, float]:
    """Operator and number of a rule such as "> 0.10" or "<= 0.35"; ValueError for anything else."""
    operator, _, number = rule.partition(" ")
    try:
        threshold = float(number)
    except ValueError:
        threshold = math.nan
    if operator not in (">", ">=", "<", "<=") or not math.isfinite(threshold):
        raise ValueError(f"A rule is an operator (>, >=, <, <=) and a finite number, got {rule!r}.")
    return operator, threshold


def verdict(rule: str, low: float, high: float) -> Literal["reproduced", "contradicted", "undecided"]:
    """What a rule such as "> 0.10" says of an interval, in the words of the first edition; NaN ends are undecided."""
    operator, threshold = parse(rule)
    if math.isnan(low) or math.isnan(high):
        return "undecided"
    if low > high:
        raise ValueError(f"An interval runs from its lower to its upper end, got {low} to {high}.")
    strict = len(operator) == 1
    if operator[0] == "<":
        threshold, low, high = -threshold, -high, -low
    if low > threshold or (low == threshold and not strict):
        return "reproduced"
    return "contradicted" if high < threshold or (high == threshold and strict) else "undecided"


def get(claim: str) -> Claim:
    """One claim; ValueError for an id that the ledger does not hold."""
    if claim not in ledger():
        raise ValueError(f"{claim!r} is not in {project.LEDGER.name}: write its rule there before the run that decides it.")
    return ledger()[claim]


def entry(claim: Claim) -> dict[str, Any]:
    """A claim as plain data; what it lacks is left out, so that `amended` stands where a claim was amended."""
    held = claim.model_dump(exclude_none=True)
    return {key: value for key, value in held.items() if value != []}
