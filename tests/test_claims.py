"""The ledger: verdicts follow from rules and intervals, and from nothing else."""

import json

import pytest
import yaml

from seelike import claims, project
from seelike.intervals import Estimate


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


def test_record_keeps_and_table_tells(tmp_path, monkeypatch):
    monkeypatch.setenv("SEELIKE_RESULTS", str(tmp_path))
    monkeypatch.setattr(project, "PUBLISHED", tmp_path / "nowhere")
    monkeypatch.setattr(project, "BUILD", tmp_path / "nowhere")
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


def test_unknown_ends_and_tiers():
    assert claims.verdict("> 0", float("nan"), -1.0) == "undecided"
    with pytest.raises(ValueError, match="from its lower to its upper end"):
        claims.verdict("> 0", 0.6, 0.4)
    with pytest.raises(ValueError, match="no tier 'imagnet'"):
        claims.table("imagnet")


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Folders of published numbers, of books, and the place where `keep` writes, all empty."""
    monkeypatch.setattr(project, "PUBLISHED", tmp_path / "results")
    monkeypatch.setattr(project, "BUILD", tmp_path / "_build")
    monkeypatch.delenv("SEELIKE_RESULTS", raising=False)
    monkeypatch.delenv("SEELIKE_BOOK", raising=False)

    def put(folder, tier, chapter, number):
        path = folder / tier / f"{chapter}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"section": {"number": number}}))

    return put


def number(tier):
    return claims.results(tier, "03").get("section", {}).get("number")


def test_a_notebook_opened_by_hand_changes_nothing_that_a_book_reads(places, monkeypatch):
    places(project.results("scenes"), "scenes", "03", 1)
    places(project.PUBLISHED, "scenes", "03", 2)
    claims.keep("03", "scenes", {"section": {"number": 3}})
    assert number("scenes") == 3  # in the notebook itself
    monkeypatch.setenv("SEELIKE_BOOK", "scenes")
    monkeypatch.setenv("SEELIKE_RESULTS", str(project.BUILD / "scenes" / "run" / "03-1" / "results"))
    assert number("scenes") == 1


def test_an_older_run_of_a_tier_does_not_shadow_its_published_numbers_in_other_books(places, monkeypatch):
    places(project.results("cifar10"), "cifar10", "03", "old run")
    places(project.PUBLISHED, "cifar10", "03", "published")
    monkeypatch.setenv("SEELIKE_BOOK", "scenes")
    assert number("cifar10") == "published"
    monkeypatch.setenv("SEELIKE_BOOK", "cifar10")
    assert number("cifar10") == "old run"  # whose page stands beside it


def test_numbers_are_numbers(tmp_path, monkeypatch):
    monkeypatch.setenv("SEELIKE_RESULTS", str(tmp_path))
    with pytest.raises(ValueError, match="lies outside of its interval"):
        claims.record("R21-1", "smoke", Estimate(0.4, 0.1, 0.3), seeds=1, images=1)
    nothing = Estimate(float("nan"), float("nan"), float("nan"))
    assert claims.record("R21-1", "smoke", nothing, seeds=1, images=1) == "undecided"
    assert json.loads((tmp_path / "smoke" / "03.json").read_text())["claims"]["R21-1"]["estimate"] is None
    with pytest.raises(ValueError, match="not JSON compliant"):
        claims.keep("03", "smoke", {"section": {"a": float("nan")}})


def test_what_was_recorded_on_published_data_stays_until_it_is_computed_anew(places, monkeypatch):
    """A mirror that holds a part of the data let the rest of a chapter's numbers vanish."""
    places(project.PUBLISHED, claims.DATA, "10", "before")
    places(project.PUBLISHED, "scenes", "10", "before")
    monkeypatch.setenv("SEELIKE_BOOK", "scenes")
    monkeypatch.setenv("SEELIKE_RESULTS", str(project.BUILD / "run"))
    claims.record("T21-1", claims.DATA, Estimate(0.2, 0.1, 0.3), seeds=1, images=10)
    claims.keep("10", claims.DATA, {"other": {"number": 1}})
    kept = claims.results(claims.DATA, "10")
    assert kept["section"] == {"number": "before"} and set(kept) == {"section", "other", "claims"}
    claims.keep("10", claims.DATA, {"section": {"number": "anew"}})
    assert claims.results(claims.DATA, "10")["section"] == {"number": "anew"}
    assert json.loads((project.PUBLISHED / claims.DATA / "10.json").read_text()) == {"section": {"number": "before"}}
    claims.keep("10", "scenes", {"other": {"number": 1}})
    assert claims.results("scenes", "10") == {"other": {"number": 1}}


ENTRY = dict.fromkeys(("paper", "where", "figure", "statement", "statistic", "paper_value"), "text") | {
    "id": "X-1",
    "chapter": "03",
    "rule": "> 0",
}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([ENTRY | {"rule": "> nan"}], r"line \d+: 0.rule: a rule is an operator .* and a finite number, got '> nan'"),
        ([ENTRY | {"rule": "> x"}], r"0.rule: a rule is an operator .* and a finite number, got '> x'"),
        ([ENTRY | {"chapter": 3}], r"line 1?\d: 0.chapter: input should be a valid string, got 3"),
        ([ENTRY | {"chapter": "../.."}], r"0.chapter: string should match pattern"),
        ([{k: v for k, v in ENTRY.items() if k != "rule"}], r"line 1: 0.rule: field required"),
        ([ENTRY | {"colour": "red"}], r"0.colour: extra inputs are not permitted"),
        ([ENTRY, ENTRY], r"X-1 stands there more than once"),
        ({"a": 1}, r"line 1: the file: input should be a valid list"),
        (None, r"line 1: the file: input should be a valid list"),
    ],
)
def test_a_damaged_ledger_is_a_sentence(tmp_path, monkeypatch, entries, message):
    monkeypatch.setattr(project, "LEDGER", tmp_path / "claims.yml")
    project.LEDGER.write_text(yaml.safe_dump(entries))
    with pytest.raises(ValueError, match=message):
        claims.ledger()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"03.json, line 1 is not readable as JSON .*: run the chapter again, or restore the file"),
        ("[1]", r"03.json, line 1: the file: input should be a valid dictionary: run the chapter again"),
        ('{"claims": {"R21-1": {"estimate": 1}}}', r"03.json: claims.R21-1.low: Field required: run the chapter again"),
        (
            '{"claims": {"R21-1": {"estimate": "a", "low": 0, "high": 1, "seeds": 1, "images": 1}}}',
            r"claims.R21-1.estimate: Input should be a valid number",
        ),
    ],
)
def test_damaged_numbers_are_a_sentence(places, text, message):
    places(project.PUBLISHED, "scenes", "03", 1)
    (project.PUBLISHED / "scenes" / "03.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        claims.results("scenes", "03")
