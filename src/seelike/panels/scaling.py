"""Other analyses of Zhai et al. 2021's points: which loss, which law, which points, how far from the frontier, what the interval covers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, get_args

import pandas as pd

from seelike import claims, published, scaling
from seelike.intervals import Estimate
from seelike.panels import Found
from seelike.tiers import Tier

PLACE = claims.DATA  # these analyses are of published numbers, whatever tier is run
HIDDEN = ("g/14", "G/14")  # models that Z21-4 leaves out of the fit; the last of them is foretold
LOSSES: dict[str, scaling.Loss] = {"log error": "log", "error": "linear"}
LAWS = {"with d": scaling.SATURATING, "without d": "no ceiling"}
SETS = {"all": None, "3B alone": "3B"}
SLACKS = {"strict": 0.0, "within 5 %": 0.05}
OVER: dict[str, scaling.Resampling] = dict(zip(("runs", "signs of residuals"), get_args(scaling.Resampling), strict=True))
KINDS = ("loss", "law", "images", "frontier", "interval over")


def analyses(tier: Tier, *, points: pd.DataFrame | None = None, draws: int = 200) -> Iterator[Found]:
    """Exponent (Z21-1), floor (Z21-2) and what the floor adds to foretelling G/14 (Z21-4), in every combination of choices.

    tier: not used, for the points are published ones; FileNotFoundError where they are not at hand. points: a table like that of
    `published.scaling_points`, in its place. draws: resamples behind an interval.
    """
    found = published.scaling_points() if points is None else points
    if found is None:
        raise FileNotFoundError("The points of Zhai et al. are not at hand: name a folder with zhai2021/points.csv in SEELIKE_MIRROR.")
    known = scaling.measured(found, "inet_10shot_acc")
    for chosen in product(LOSSES, LAWS, SETS, SLACKS, OVER):
        loss, law, which, slack, over = chosen
        kept = known if SETS[which] is None else known[known["data"] == SETS[which]]
        how = {"law": LAWS[law], "loss": LOSSES[loss], "resample": OVER[over], "draws": draws}
        for claim, value in _values(kept, SLACKS[slack], how).items():
            yield Found(claim, dict(zip(KINDS, chosen, strict=True)), value, 0)


def _values(known: pd.DataFrame, slack: float, how: dict[str, Any]) -> dict[str, Estimate]:
    """The three statistics of one analysis. how: what `scaling.fit_power_law` and `scaling.foretold` are told."""
    front = scaling.on_frontier(known, slack)
    fit = scaling.fit_power_law(front.compute, front.error, runs=front.run, **how)
    giant = known[known.model == HIDDEN[-1]].iloc[0]
    told = scaling.foretold(scaling.on_frontier(known[~known.model.isin(HIDDEN)], slack), giant.compute, giant.error, **how)
    return {"Z21-1": fit.constant("b"), "Z21-2": fit.constant("c"), "Z21-4": told["gain"]}
