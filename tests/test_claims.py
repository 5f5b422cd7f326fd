"""The ledger: verdicts follow from rules and intervals, and from nothing else."""

import json

import numpy as np
import pytest
from scipy.stats import t as student

from seelike import claims
from seelike.claims import Estimate


@pytest.mark.parametrize(
    ("rule", "low", "high", "expected"),
    [
        ("> 0.10", 0.11, 0.2, "reproduced"),
        ("> 0.10", 0.05, 0.2, "undecided"),
        ("> 0.10", -0.2, 0.09, "contradicted"),
        ("> 0.10", 0.10, 0.2, "undecided"),
        (">= 0.10", 0.10, 0.2, "reproduced"),
        ("<= 0.35", 0.1, 0.35, "reproduced"),
        ("< 0.35", 0.35, 0.5, "contradicted"),
        ("<= 0.35", 0.2, 0.4, "undecided"),
        ("<= 0.35", 0.36, 0.4, "contradicted"),
        ("> 0", float("nan"), float("nan"), "undecided"),
    ],
)
def test_verdicts(rule, low, high, expected):
    assert claims.verdict(rule, low, high) == expected


def test_a_rule_that_is_none():
    with pytest.raises(ValueError, match="A rule is an operator"):
        claims.verdict("about 3", 0.0, 1.0)


def test_the_interval_covers_seeds_and_images():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(3, 200)) * 0.001
    images_only = claims.estimate([0.5], draws[:1], 16)
    seeds_too = claims.estimate([0.4, 0.5, 0.6], draws, 16)
    assert images_only.estimate == seeds_too.estimate == pytest.approx(0.5)
    assert seeds_too.high - seeds_too.low > 5 * (images_only.high - images_only.low)
    assert seeds_too.high == pytest.approx(0.5 + 4.3027 * 0.1 / 3**0.5, rel=1e-3)  # t with 2 degrees of freedom


def test_the_interval_over_seeds_covers():
    rng = np.random.default_rng(1)
    flat = np.zeros((3, 200))
    inside = sum(e.low <= 0 <= e.high for e in (claims.estimate(rng.normal(size=3).tolist(), flat, 8) for _ in range(400)))
    assert 360 <= inside <= 395


def test_record_keeps_and_table_tells(tmp_path, monkeypatch):
    monkeypatch.setenv("SEELIKE_RESULTS", str(tmp_path))
    monkeypatch.setattr(claims, "ROOT", tmp_path / "nowhere")
    monkeypatch.setattr(claims, "BUILT", tmp_path / "nowhere")
    assert set(claims.table("smoke").verdict) == {"not run"}
    assert claims.record("R21-1", "smoke", Estimate(0.2, 0.15, 0.25), seeds=3, images=64) == "reproduced"
    claims.keep("03", "smoke", {"maps": {"vit": [1, 2]}})
    claims.record("R21-2", "smoke", Estimate(0.2, 0.1, 0.3), seeds=3, images=64)
    table = claims.table("smoke").set_index("id")
    assert table.loc["R21-1", ["estimate", "verdict", "seeds"]].tolist() == [0.2, "reproduced", 3]
    assert table.loc["R21-2", "verdict"] == "undecided" and table.loc["R21-3", "verdict"] == "not run"
    assert json.loads((tmp_path / "smoke" / "03.json").read_text())["maps"] == {"vit": [1, 2]}
    assert [p.name for p in (tmp_path / "smoke").iterdir()] == ["03.json"]
    with pytest.raises(ValueError, match="'R21-99' is not in"):
        claims.record("R21-99", "smoke", Estimate(0.0, 0.0, 0.0), seeds=1, images=1)


def test_the_table_has_the_promised_columns():
    assert list(claims.table("scenes").columns[:7]) == ["id", "paper", "chapter", "estimate", "low", "high", "verdict"]


def test_every_rule_can_be_applied_and_every_claim_is_complete():
    for claim in claims.ledger().values():
        assert claims.verdict(claim["rule"], 0.0, 1.0) in ("reproduced", "contradicted", "undecided")
        assert {"id", "paper", "where", "chapter", "figure", "statement", "statistic", "rule", "paper_value"} == set(claim)


def test_the_bootstrap_of_means_is_the_bootstrap_of_the_mean():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((16, 3)), rng.standard_normal((16, 3))
    value, draws = claims.bootstrap(lambda x, y: (x - y).mean(), a, b, draws=4000)
    assert value == pytest.approx((a - b).mean())
    assert draws.std() == pytest.approx((a - b).mean(1).std() / 4, rel=0.1)
    with pytest.raises(ValueError, match="the same 2 or more batches"):
        claims.bootstrap(np.mean, a[:1])
    with pytest.raises(ValueError, match=r"got \[16, 15\]"):
        claims.bootstrap(lambda x, y: 0.0, a, b[1:])


def test_a_chapters_rows_are_its_decided_claims(monkeypatch):
    held = {"claims": {"R21-9": {"estimate": 0.9, "low": 0.8, "high": 1.0, "seeds": 3, "images": 8}}}
    monkeypatch.setattr(claims, "results", lambda tier, chapter: held if chapter == "04" else {})
    shown = claims.chapter("04", "scenes").data
    assert list(shown.index) == ["R21-9"] and shown.loc["R21-9", "estimate [95 %]"] == "0.90 [0.80, 1.00]"
    assert shown.loc["R21-9", "verdict"] == "reproduced" and len(claims.chapter("05", "scenes").data) == 0


def test_words_show_the_interval_or_say_that_there_is_none():
    assert claims.words(0.5, 0.25, 0.75) == "0.50 [0.25, 0.75]"
    assert claims.words(0.0311, 0.0288, 0.0348) == "0.031 [0.029, 0.035]"
    assert claims.words(9.3, 9.3, 9.3) == "9.30 (no interval)"


def test_a_difference_over_starts_holds_both_kinds_of_luck():
    def card(accuracy):
        return {"accuracy": accuracy, "test_images": 2000}

    one = claims.difference((card(0.9), card(0.8)))
    assert one.estimate == pytest.approx(0.1)
    assert one.high - one.estimate == pytest.approx(1.96 * (0.9 * 0.1 / 2000 + 0.8 * 0.2 / 2000) ** 0.5)
    three = claims.difference(*((card(0.8 + d), card(0.7)) for d in (-0.05, 0.0, 0.05)))
    assert three.high - three.estimate > student.ppf(0.975, 2) * 0.05 / 3**0.5
    assert claims.difference((card(0.1), card(0.9)), (card(0.9), card(0.1))).high == 1.0


def test_unknown_ends_and_tiers():
    assert claims.verdict("> 0", float("nan"), -1.0) == "undecided"
    with pytest.raises(ValueError, match="from its lower to its upper end"):
        claims.verdict("> 0", 0.6, 0.4)
    with pytest.raises(ValueError, match="no tier 'imagnet'"):
        claims.table("imagnet")
