"""The panel of the scaling chapter asks every claim in every combination, and finds a floor where one was put."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from seelike import published, tiers
from seelike.panels import scaling as panel

SIZES = {"s": 1.0, "m": 10.0, "l": 100.0, "g/14": 1000.0, "G/14": 3000.0}


def table(floor, noise=0.01):
    """Points of five models on two sets, all on one law of compute with this floor."""
    rng = np.random.default_rng(0)
    rows = [
        {"model": m, "gflops_224": size, "data": data, "images_seen": n * (1 + 0.01 * i)}
        for i, data in enumerate(("30M", "3B"))
        for (m, size), n in product(SIZES.items(), (1, 2, 4))
    ]
    points = pd.DataFrame(rows)
    law = 0.5 * (points.gflops_224 * points.images_seen + 1) ** -0.35 + floor
    return points.assign(inet_10shot_acc=100 * (1 - law * np.exp(noise * rng.standard_normal(len(points)))))


def test_every_claim_is_asked_in_every_combination():
    found = list(panel.analyses(tiers.get("scenes"), points=table(0.1), draws=1))
    asked = [tuple(f.choices.values()) for f in found if f.claim == "Z21-4"]
    everything = list(product(panel.LOSSES, panel.LAWS, panel.SETS, panel.SLACKS, panel.OVER))
    assert sorted(asked) == sorted(everything) and len(found) == 3 * len(everything)
    assert {f.claim for f in found} == {"Z21-1", "Z21-2", "Z21-4"} and {f.seeds for f in found} == {0}
    assert all(tuple(f.choices) == panel.KINDS for f in found)


def test_a_floor_is_found_only_where_there_is_one(monkeypatch):
    monkeypatch.setattr(panel, "SLACKS", {"strict": 0.0})
    monkeypatch.setattr(panel, "OVER", {"runs": "runs"})
    monkeypatch.setattr(panel, "LAWS", {"with d": "saturating"})
    monkeypatch.setattr(panel, "SETS", {"all": None})

    def floors(points):
        found = panel.analyses(tiers.get("scenes"), points=points, draws=1)
        return [f.value.estimate for f in found if f.claim == "Z21-2"]

    assert min(floors(table(0.1, noise=0.002))) > 0.07
    assert max(floors(table(0.0, noise=0.002))) < 0.03


def test_points_that_are_not_at_hand_are_asked_for(monkeypatch):
    monkeypatch.setattr(published, "scaling_points", lambda: None)
    with pytest.raises(FileNotFoundError, match="SEELIKE_MIRROR"):
        next(panel.analyses(tiers.get("scenes")))
