"""Four answers to every claim, and one word that sums them up.

| answer          | values                                                       | asks                                                  |
|-----------------|--------------------------------------------------------------|-------------------------------------------------------|
| direction       | holds, reversed, open                                        | on which side of its null does the whole interval lie |
| size            | as large as reported, smaller, larger, open, no number given | the interval against the paper's number               |
| beyond_control  | yes, no, open, has none                                      | the paired difference from the statistic's control    |
| robust          | k of n                                                       | in how many other analyses does the direction hold    |

In front of them stands whether the claim can be asked here at all (testable: yes, no).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, FiniteFloat, model_validator

from seelike.intervals import Estimate
from seelike.ledger import Claim, Direction, verdict
from seelike.schema import Strict

Side = Literal["holds", "reversed", "open"]
Beyond = Literal["yes", "no", "open", "has none"]
SUMMARIES = ("holds", "holds in part", "reversed", "open", "not testable here", "not run")
MARKS = ("one network", "point")  # in place of a summary, for numbers that no interval over networks, or none at all, goes with
ROBUST = 0.8  # share of the analyses in which a claim that holds has to hold
SYMBOLS = {
    "holds": "●", "holds in part": "◐", "reversed": "▼", "open": "○", "not testable here": "×", "not run": "·",
    "one network": "1", "point": "∙",
}  # fmt: skip


class Number(Strict):
    """An estimate with its interval as it is recorded; an end that there is not is None."""

    estimate: FiniteFloat | None
    low: FiniteFloat | None
    high: FiniteFloat | None

    @model_validator(mode="after")
    def ordered(self) -> Number:
        """An interval runs from low to high."""
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"an interval runs from low to high, got {self.low} to {self.high}")
        return self

    def interval(self) -> Estimate | None:
        """The same as an estimate; None where a part is missing."""
        if self.estimate is None or self.low is None or self.high is None:
            return None
        return Estimate(self.estimate, self.low, self.high)


class Entry(Number):
    """What a chapter recorded of a claim.

    seeds: networks of each kind behind it, 0 where the claim is about published numbers. starts: the statistic of each seed.
    parts: of a claim with several. beyond: the statistic minus that of its control. testable: the precondition's statistic.
    over: what the interval covers, in words.
    """

    seeds: int
    images: int
    starts: list[float] = Field(default_factory=list)
    parts: dict[str, Number] = Field(default_factory=dict)
    beyond: Number | None = None
    testable: Number | None = None
    over: str = ""


class Analysis(Number):
    """The statistic in another analysis: choices by what was chosen."""

    choices: dict[str, str]
    seeds: int = 0


class Answers(Strict):
    """What is known of a claim at a tier."""

    testable: str
    direction: str
    size: str
    beyond_control: str
    robust: str
    summary: str
    reason: str


def side(value: Estimate | None, null: float, direction: Direction) -> Side:
    """Where an interval lies: wholly on the claimed side of the null, wholly on the other, or on both."""
    if value is None or value.low == value.high:
        return "open"
    low, high = (value.low - null, value.high - null) if direction == "above" else (null - value.high, null - value.low)
    return "holds" if low > 0 else "reversed" if high < 0 else "open"


def sides(claim: Claim, entry: Entry) -> dict[str, Side]:
    """The side of each part of a claim, by name; of a claim without parts that of the claim itself."""
    if not claim.parts:
        return {claim.short: side(entry.interval(), claim.null_value, claim.direction)}
    return {p.name: side(_found(entry.parts, p.name), p.null_value, p.direction) for p in claim.parts}


def _found(parts: Mapping[str, Number], name: str) -> Estimate | None:
    return parts[name].interval() if name in parts else None


def together(parts: Mapping[str, Side]) -> Side:
    """The side of a claim that says several things at once: it holds if all do, and is reversed if one is."""
    found = set(parts.values())
    return "holds" if found == {"holds"} else "reversed" if "reversed" in found else "open"


def size(claim: Claim, value: Estimate | None) -> str:
    """The interval against the number of the paper."""
    if claim.size is None:
        return "no number given"
    low, high = claim.size.value - claim.size.tolerance, claim.size.value + claim.size.tolerance
    if value is None:
        return "open"
    away = -1 if claim.direction == "below" else 1  # larger means further from the null, on the claimed side
    if low <= value.low and value.high <= high:
        return "as large as reported"
    if value.high < low or value.low > high:
        return "larger" if (value.low > high) == (away > 0) else "smaller"
    return "open"


def beyond(claim: Claim, entry: Entry) -> Beyond:
    """Whether the statistic lies further on the claimed side than that of its control."""
    if claim.control is None:
        return "has none"
    if entry.beyond is None:
        return "open"
    answers: dict[Side, Beyond] = {"holds": "yes", "reversed": "no", "open": "open"}
    return answers[side(entry.beyond.interval(), 0.0, claim.direction)]


def fits(rule: str, value: Estimate | None) -> bool:
    """Whether some of an interval satisfies a rule: a precondition fails only where all of it does not."""
    return value is not None and verdict(rule, float(value.low), float(value.high)) != "contradicted"


def robust(claim: Claim, panel: Mapping[str, Analysis]) -> tuple[int, int]:
    """In how many analyses the direction holds, and of how many."""
    return sum(side(a.interval(), claim.null_value, claim.direction) == "holds" for a in panel.values()), len(panel)


def answers(claim: Claim, entry: Entry | None, panel: Mapping[str, Analysis] | None = None) -> Answers:
    """All answers to a claim from what was recorded of it, and of its other analyses."""
    if entry is None:
        return Answers(testable="", direction="", size="", beyond_control="", robust="", summary="not run", reason="")
    parts, control, (known, n) = sides(claim, entry), beyond(claim, entry), robust(claim, panel or {})
    reported = size(claim, entry.interval())
    summary, reason = _barred(claim, entry) or _summed(claim, parts, control, (known, n))
    if claim.size is not None and summary in SUMMARIES[:3]:
        reason = "; ".join(filter(None, [reason, f"size: {reported}"]))
    return Answers(
        testable="no" if summary == "not testable here" else "yes",
        direction=together(parts),
        size=reported,
        beyond_control=control,
        robust=f"{known} of {n}" if n else "",
        summary=summary,
        reason=reason,
    )


def _barred(claim: Claim, entry: Entry) -> tuple[str, str] | None:
    """What keeps a number from having a summary, and why."""
    asked = claim.testable
    found, value = entry.testable.interval() if entry.testable else None, entry.interval()
    if asked is not None and not fits(asked.rule, found):
        return "not testable here", f"{asked.what}: {'not known' if found is None else f'{found.estimate:.2f}'}, asked: {asked.rule}"
    if entry.seeds == 1:
        return "one network", "one network of a kind: nothing is known about the luck of training"
    if value is None or value.low == value.high:
        return "point", "a number without an interval"
    return None


def _summed(claim: Claim, parts: Mapping[str, Side], control: Beyond, panel: tuple[int, int]) -> tuple[str, str]:
    """The word, and why it is not a better one."""
    failed = [f"{name} ({found})" for name, found in parts.items() if found != "holds"] if claim.parts else []
    direction, (known, n) = together(parts), panel
    if direction == "reversed":
        return ("holds in part" if "holds" in parts.values() else "reversed"), "; ".join(failed)
    if direction == "open":
        return "open", "; ".join(failed)
    short = {"no": ["not beyond its control"], "open": ["not surely beyond its control"]}.get(control, [])
    short = [f"{why}: {claim.control}" for why in short] + ([f"in {known} of {n} analyses"] if known < ROBUST * n else [])
    return ("holds in part" if short else "holds"), "; ".join(short)
