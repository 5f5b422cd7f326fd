"""The ledger: claims of the papers, rules fixed in advance, verdicts computed from intervals.

`book/claims.yml` holds the rules. Chapters call `record`; what they record is written as JSON under
`SEELIKE_RESULTS` (set by the runner, which moves it to `_build/results` once the chapter is a page), and `results/`
holds the runs that were published.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import yaml
from pandas.io.formats.style import Styler
from scipy.stats import t as student

from seelike.cka import bootstrap_error
from seelike.project import BUILT, LEDGER, ROOT, TIERS

Verdict = Literal["reproduced", "contradicted", "undecided", "not run"]
COLUMNS = ["id", "paper", "chapter", "estimate", "low", "high", "verdict", "seeds", "statement", "statistic", "rule", "where", "figure"]


class Estimate(NamedTuple):
    """A number with its 95 % interval."""

    estimate: float
    low: float
    high: float


@lru_cache(1)
def ledger() -> dict[str, dict[str, Any]]:
    """All claims by id."""
    return {claim["id"]: claim for claim in yaml.safe_load(LEDGER.read_text())}


def verdict(rule: str, low: float, high: float) -> Verdict:
    """What a rule such as "> 0.10" or "<= 0.35" says about an interval; NaN ends are undecided."""
    operator, _, number = rule.partition(" ")
    if operator not in (">", ">=", "<", "<="):
        raise ValueError(f"A rule is an operator (>, >=, <, <=) and a number, got {rule!r}.")
    threshold, strict = float(number), len(operator) == 1
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


def estimate(values: Sequence[float], draws: np.ndarray, batches: int) -> Estimate:
    """Mean over seeds with an interval over seeds and images.

    values: (seeds,), the statistic of every seed. draws: (seeds, draws), the same on resampled batches of images.
    The two half-widths, each with its own Student's t, are added in quadrature; one seed has images only.
    """
    mean, seeds = float(np.mean(values)), len(values)
    half = student.ppf(0.975, batches - 1) * bootstrap_error(np.mean(draws, axis=0), batches)
    if seeds > 1:
        half = np.hypot(half, student.ppf(0.975, seeds - 1) * np.std(values, ddof=1) / seeds**0.5)
    return Estimate(mean, mean - float(half), mean + float(half))


def difference(*pairs: tuple[Mapping[str, Any], Mapping[str, Any]]) -> Estimate:
    """Accuracy of one network of the zoo minus another's, from pairs of cards, one pair a start.

    The interval holds 1.96 standard errors of the test images, which all starts share, and Student's over starts, added in
    quadrature; it ends where a difference of accuracies must.
    """
    values = [a["accuracy"] - b["accuracy"] for a, b in pairs]
    half = np.mean([1.96 * sum(c["accuracy"] * (1 - c["accuracy"]) / c["test_images"] for c in pair) ** 0.5 for pair in pairs])
    if len(pairs) > 1:
        half = np.hypot(half, student.ppf(0.975, len(pairs) - 1) * np.std(values, ddof=1) / len(pairs) ** 0.5)
    mean = float(np.mean(values))
    return Estimate(mean, max(mean - float(half), -1.0), min(mean + float(half), 1.0))


def bootstrap(f: Callable[..., Any], *batches: np.ndarray, draws: int = 200, seed: int = 0) -> tuple[Any, np.ndarray]:
    """Any function of means over batches: of all batches, and of `draws` resamples of the batches.

    batches: arrays (batches, ...) measured on the same batches of images; `f` takes the mean over the first axis of each.
    The same resamples come up as in `CKA.bootstrap`.
    """
    n = len(batches[0])
    if n < 2 or any(len(b) != n for b in batches):
        raise ValueError(f"A bootstrap interval needs the same 2 or more batches in every array, got {[len(b) for b in batches]}.")
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), draws) / n
    resampled = [np.tensordot(weights, b, 1) for b in batches]
    return f(*(b.mean(0) for b in batches)), np.asarray([f(*means) for means in zip(*resampled, strict=True)])


def results(tier: str, chapter: str) -> dict[str, Any]:
    """What a chapter recorded at a tier: this machine's run if there is one, else the published run, else {}."""
    for folder in (_live(), BUILT, ROOT / "results"):
        path = folder / tier / f"{chapter}.json"
        if path.exists():
            return json.loads(path.read_text())
    return {}


def record(claim: str, tier: str, value: Estimate, *, seeds: int, images: int) -> Verdict:
    """Enter a claim's estimate at a tier into its chapter's results and return the verdict."""
    if claim not in ledger():
        raise ValueError(f"{claim!r} is not in {LEDGER.name}: write its rule there before the run that decides it.")
    _check(tier)
    entry = {key: round(float(number), 6) for key, number in zip(Estimate._fields, value, strict=True)}
    entry |= {"seeds": int(seeds), "images": int(images)}
    keep(ledger()[claim]["chapter"], tier, {"claims": {claim: entry}})
    return verdict(ledger()[claim]["rule"], entry["low"], entry["high"])


def keep(chapter: str, tier: str, numbers: Mapping[str, Mapping[str, Any]]) -> None:
    """Merge sections of numbers (JSON-like) into a chapter's results of a tier, all or nothing."""
    path = _live() / tier / f"{chapter}.json"
    held = json.loads(path.read_text()) if path.exists() else {}
    for section, entries in numbers.items():
        held.setdefault(section, {}).update(entries)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(held, indent=1, sort_keys=True) + "\n")
    os.replace(temporary, path)


def table(tier: str = "scenes") -> pd.DataFrame:
    """One row per claim: id, paper, chapter, estimate, low, high, verdict ("not run" without a result), and the rule."""
    _check(tier)
    rows = []
    for name, claim in ledger().items():
        entry = results(tier, claim["chapter"]).get("claims", {}).get(name)
        decided = {"verdict": verdict(claim["rule"], entry["low"], entry["high"]), **entry} if entry else {"verdict": "not run"}
        rows.append(claim | decided)
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def words(estimate: float, low: float, high: float) -> str:
    """A number with its interval; a third decimal where two hide the interval, "no interval" where it has no width."""
    if low == high:
        return f"{estimate:.2f} (no interval)"
    digits = 2 if f"{low:.2f}" != f"{high:.2f}" else 3
    return f"{estimate:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def chapter(number: str, tier: str) -> Styler:
    """The ledger's rows of one chapter that were decided at a tier, to be shown: statement, estimate, interval, rule, verdict, seeds."""
    rows = table(tier)
    rows = rows[(rows["chapter"] == number) & (rows["verdict"] != "not run")].set_index("id")
    rows["estimate [95 %]"] = [words(*numbers) for numbers in rows[["estimate", "low", "high"]].to_numpy(float).tolist()]
    rows["seeds"] = rows["seeds"].astype(int)
    return rows[["statement", "estimate [95 %]", "rule", "verdict", "seeds"]].style.format(escape="html")


def _check(tier: str) -> None:
    if tier not in (*TIERS, "published"):
        raise ValueError(f"There is no tier {tier!r}: expected one of {', '.join(TIERS)}, or published.")


def _live() -> Path:
    return Path(os.environ.get("SEELIKE_RESULTS", BUILT))
