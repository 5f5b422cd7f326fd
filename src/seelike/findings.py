"""Findings: plain assertions that the build refuses when the ledger stops supporting them.

A finding names what it rests on, conditions joined by semicolons, of two forms:

- `R21-1 direction holds`: an answer of a claim (`claims.table`: testable, direction, size, beyond_control, robust, summary) is this;
- `R21-1 low > 0.05`: its estimate, or an end of its interval, satisfies a rule.

`R21-1 @ cifar10 ...` asks at another tier than the default one.
"""

from __future__ import annotations

import re
from typing import Any

from seelike import claims, project
from seelike.ledger import get, parse

WORDS = ("testable", "direction", "size", "beyond_control", "robust", "summary")
FORM = re.compile(r"(?P<claim>[A-Z]+\d*-\d+[a-z]?)(\s*@\s*(?P<tier>\w+))?\s+(?P<key>\w+)\s+(?P<rest>.+)")


def broken(conditions: str) -> list[str]:
    """Those of some conditions that do not hold, each with what is the case; ValueError for one that cannot be read."""
    return [told for condition in conditions.split(";") if (told := _broken(condition.strip()))]


def _broken(condition: str) -> str | None:
    found = FORM.fullmatch(condition)
    if found is None or found["key"] not in (*WORDS, "estimate", "low", "high"):
        raise ValueError(f"A finding rests on conditions such as 'R21-1 direction holds' or 'R21-1 low > 0.05', got {condition!r}.")
    row = _row(get(found["claim"]).id, found["tier"] or project.DEFAULT)
    if found["key"] in WORDS:
        return None if row[found["key"]] == found["rest"] else f"{condition!r}, but it is {row[found['key']]!r}"
    operator, threshold = parse(found["rest"])
    value = float(row[found["key"]])
    holds = {">": value > threshold, ">=": value >= threshold, "<": value < threshold, "<=": value <= threshold}[operator]
    return None if holds else f"{condition!r}, but it is {value:.3f}"


def _row(claim: str, tier: str) -> dict[str, Any]:
    return dict(claims.table(tier).set_index("id").loc[claim])
