"""The panel of the chapter on errors: every comparison, by every measure, on all images."""

import numpy as np
import pandas as pd
import pytest

from seelike import consistency, published, tiers
from seelike.intervals import Estimate
from seelike.panels import errors

CLASSES = ["cat", "dog", "owl", "rat"]


@pytest.fixture
def decisions(monkeypatch):
    """Ten people and all networks; ViTs fail where people do, convolutional networks elsewhere, and one mistakes cats for dogs as people do."""
    rng, n = np.random.default_rng(0), 320
    truth, texture = np.repeat(CLASSES, n // 4), np.tile(np.roll(CLASSES, 1), n // 4)
    names = [f"{t}{i}-{x}1.png" for i, (t, x) in enumerate(zip(truth, texture, strict=True))]
    easy = np.arange(n) % 2 == 0
    people = {f"subject-{i:02d}": np.where(rng.random(n) < 0.9, easy, ~easy) for i in range(10)}
    vits = {name: np.where(rng.random(n) < 0.8, easy, ~easy) for f in ("ViT", "ViT ft") for name in published.NETWORKS[f]}
    rest = [name for f in ("CNN", "BagNet", "BiT", "SIN") for name in published.NETWORKS[f]]
    right = people | vits | {name: rng.random(n) < 0.5 for name in rest}
    rows = [(o, m, t, t if r else x) for o, ok in right.items() for m, t, x, r in zip(names, truth, texture, ok, strict=True)]
    table = pd.DataFrame(rows, columns=["observer", "image", "truth", "response"])
    monkeypatch.setattr(published, "decisions", lambda kind: table)
    return table


def test_the_panel_asks_everything_once_and_finds_who_errs_with_people(decisions):
    found = list(errors.analyses(tiers.get("scenes"), draws=20))
    counts = {claim: len(errors.COMPARISONS) * len(measures) * len(kinds) for claim, (measures, kinds) in errors.ASKED.items()}
    for claim, n in counts.items():
        mine = [f for f in found if f.claim == claim]
        assert len({tuple(f.choices.values()) for f in mine}) == len(mine) == n
        assert all(tuple(f.choices) == errors.KINDS and f.seeds == 0 for f in mine)
    kappas = [f.value for f in found if f.claim == "T21-1"]
    assert all(value.estimate > 0.3 for value in kappas)
    assert sum(value.low > 0 for value in kappas) == len(kappas)


def test_a_smaller_distance_is_on_the_claimed_side(decisions):
    tables = consistency.against_humans(decisions, consistency.humans(decisions), draws=20)
    rows = {key: {o: tables[key].loc[o, "all"] for o in (errors.SMALL, errors.PARTNER)} for key in ("class", "interclass")}
    found = {f.claim: f.value for f in errors.analyses(tiers.get("scenes"), draws=20) if tuple(f.choices.values())[:2] == WANTED}
    for claim, key in (("T21-2", "class"), ("T21-3", "interclass")):
        assert found[claim].estimate == pytest.approx(rows[key][errors.PARTNER] - rows[key][errors.SMALL])
    assert errors.negated(Estimate(0.1, -0.2, 0.3)) == (-0.1, -0.3, 0.2)


WANTED = ("the paper's pair", "mean over single humans")


def test_without_the_decisions_there_is_a_sentence(monkeypatch):
    monkeypatch.setattr(published, "decisions", lambda kind: None)
    with pytest.raises(FileNotFoundError, match="decisions on cue-conflict are not at hand"):
        next(errors.analyses(tiers.get("scenes")))
