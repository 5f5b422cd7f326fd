"""The ledger: answers follow from rules and intervals, and from nothing else."""

import importlib
import json

import numpy as np
import pytest
import yaml

from seelike import claims, ledger, project
from seelike.answers import Analysis, Entry, answers, fits
from seelike.intervals import Estimate, Resampled
from seelike.ledger import Claim


def told(**changes):
    """A claim of the ledger's form."""
    whole = {
        "id": "X1-1", "paper": "p", "where": "w", "chapter": "03", "figure": "f", "short": "short", "statement": "s",
        "statistic": "seelike.maps.uniformity", "what": "w", "paper_value": "v",
    }  # fmt: skip
    return Claim.model_validate(whole | changes)


def entry(low, high, **more):
    return Entry.model_validate({"estimate": (low + high) / 2, "low": low, "high": high, "seeds": 3, "images": 8} | more)


def number(low, high):
    return {"estimate": (low + high) / 2, "low": low, "high": high}


@pytest.mark.parametrize(
    ("null", "direction", "low", "high", "expected"),
    [
        (0, "above", 0.01, 0.2, "holds"),
        (0, "above", -0.01, 0.2, "open"),
        (0, "above", -0.2, -0.01, "reversed"),
        (0, "above", 0.0, 0.2, "open"),
        (1, "above", 1.1, 1.2, "holds"),
        (1, "below", 1.1, 1.2, "reversed"),
        (0.5, "below", 0.1, 0.2, "holds"),
    ],
)
def test_the_direction_is_the_side_of_the_null_on_which_the_whole_interval_lies(null, direction, low, high, expected):
    found = answers(told(null_value=null, direction=direction), entry(low, high))
    assert found.direction == expected and found.summary == expected


@pytest.mark.parametrize(
    ("low", "high", "direction", "expected"),
    [
        (3.5, 4.5, "above", "as large as reported"),
        (1.0, 2.0, "above", "smaller"),
        (6.0, 7.0, "above", "larger"),
        (2.0, 4.0, "above", "open"),
        (1.0, 2.0, "below", "larger"),
    ],
)
def test_size_is_judged_against_the_papers_number_only(low, high, direction, expected):
    claim = told(size={"value": 4, "tolerance": 1}, null_value=10 if direction == "below" else 0, direction=direction)
    assert answers(claim, entry(low, high)).size == expected
    assert answers(told(), entry(low, high)).size == "no number given"


def test_a_claim_that_its_control_passes_too_holds_in_part_only():
    claim = told(control="untrained")
    assert answers(claim, entry(0.1, 0.2, beyond=number(0.05, 0.1))).summary == "holds"
    found = answers(claim, entry(0.1, 0.2, beyond=number(-0.1, -0.05)))
    assert (found.beyond_control, found.summary) == ("no", "holds in part") and "not beyond its control: untrained" in found.reason
    assert answers(claim, entry(0.1, 0.2)).beyond_control == "open"  # nothing was recorded of the control


def test_four_fifths_of_the_analyses_have_to_agree():
    panel = {str(i): Analysis.model_validate(number(0.1, 0.2) | {"choices": {"k": str(i)}}) for i in range(4)}
    against = Analysis.model_validate(number(-0.2, -0.1) | {"choices": {"k": "x"}})
    assert answers(told(), entry(0.1, 0.2), panel | {"x": against}).summary == "holds"
    found = answers(told(), entry(0.1, 0.2), panel | {"x": against, "y": against})
    assert (found.robust, found.summary, found.reason) == ("4 of 6", "holds in part", "in 4 of 6 analyses")


def test_parts_are_decided_one_by_one():
    claim = told(parts=[{"name": "a", "what": "w"}, {"name": "b", "what": "w", "null_value": 1, "direction": "below"}])
    both = {"a": number(0.1, 0.2), "b": number(0.5, 0.9)}
    assert answers(claim, entry(0.1, 0.2, parts=both)).summary == "holds"
    found = answers(claim, entry(0.1, 0.2, parts=both | {"b": number(1.1, 1.2)}))
    assert (found.direction, found.summary, found.reason) == ("reversed", "holds in part", "b (reversed)")
    found = answers(claim, entry(0.1, 0.2, parts=both | {"b": number(0.9, 1.2)}))
    assert (found.direction, found.summary) == ("open", "open")
    assert answers(claim, entry(-0.2, -0.1, parts={"a": number(-0.2, -0.1), "b": number(1.1, 1.2)})).summary == "reversed"


def test_what_cannot_be_asked_is_not_judged():
    claim = told(testable={"what": "heads differ", "rule": "> 0.1"})
    found = answers(claim, entry(0.1, 0.2, testable=number(0.01, 0.05)))
    assert (found.testable, found.summary, found.reason) == ("no", "not testable here", "heads differ: 0.03, asked: > 0.1")
    assert answers(claim, entry(0.1, 0.2, testable=number(0.05, 0.15))).testable == "yes"  # it does not surely fail
    assert answers(claim, entry(0.1, 0.2)).summary == "not testable here"


def test_one_network_and_a_point_get_no_verdict():
    assert answers(told(), entry(0.1, 0.2, seeds=1)).summary == "one network"
    assert answers(told(), entry(0.1, 0.1, seeds=0)).summary == "point"
    assert answers(told(), entry(0.1, 0.2, seeds=0)).summary == "holds"  # numbers that others published
    assert answers(told(), None).summary == "not run"


@pytest.mark.parametrize(
    ("rule", "low", "high", "expected"), [("> 1", 0, 1, False), (">= 1", 0, 1, True), ("< 1", 1, 2, False), ("<= 1", 1, 2, True)]
)
def test_ends_of_preconditions(rule, low, high, expected):
    assert fits(rule, Estimate((low + high) / 2, low, high)) is expected


def test_a_rule_that_is_none():
    with pytest.raises(ValueError, match="A rule is an operator"):
        ledger.parse("about 3")


def test_record_keeps_and_table_tells(tmp_path, monkeypatch):
    monkeypatch.setenv("SEELIKE_RESULTS", str(tmp_path))
    monkeypatch.setattr(project, "PUBLISHED", tmp_path / "nowhere")
    monkeypatch.setattr(project, "BUILD", tmp_path / "nowhere")
    monkeypatch.setattr(ledger, "ledger", lambda: {"X1-1": told(), "X1-2": told(id="X1-2"), "X1-3": told(id="X1-3")})
    assert set(claims.table("smoke").summary) == {"not run"}
    assert claims.record("X1-1", "smoke", Estimate(0.2, 0.15, 0.25), seeds=3, images=64).summary == "holds"
    claims.keep("03", "smoke", {"maps": {"vit": [1, 2]}})
    claims.record("X1-2", "smoke", Estimate(0.2, -0.1, 0.3), seeds=3, images=64)
    table = claims.table("smoke").set_index("id")
    assert table.loc["X1-1", ["estimate", "summary", "seeds"]].tolist() == [0.2, "holds", 3]
    assert table.loc["X1-2", "summary"] == "open" and table.loc["X1-3", "summary"] == "not run"
    assert json.loads((tmp_path / "smoke" / "03.json").read_text())["maps"] == {"vit": [1, 2]}
    assert [p.name for p in (tmp_path / "smoke").iterdir()] == ["03.json"]
    with pytest.raises(ValueError, match="'R21-99' is not in"):
        claims.record("R21-99", "smoke", Estimate(0.0, 0.0, 0.0), seeds=1, images=1)


def test_deciding_pairs_a_statistic_with_its_control(tmp_path, monkeypatch):
    monkeypatch.setenv("SEELIKE_RESULTS", str(tmp_path))
    monkeypatch.setattr(ledger, "ledger", lambda: {"X1-1": told(control="untrained", bounds=(0, 1)), "X1-2": told(id="X1-2")})
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.3, 200)
    ours = [Resampled(0.9 + i / 100, 0.9 + i / 100 + noise, 8) for i in range(3)]
    given = [Resampled(0.8, 0.8 + noise, 8)]  # the same images: the noise of both is the same
    found = claims.decide("X1-1", "smoke", ours, images=64, control=given)
    kept = claims.recorded_of("X1-1", "smoke")
    assert found.beyond_control == "yes" and kept.beyond.low == pytest.approx(0.11 - 4.302653 * 0.01 / 3**0.5, abs=1e-6)
    assert kept.high == 1 and kept.starts == [0.9, 0.91, 0.92]
    with pytest.raises(ValueError, match="3 seeds and 2 controls"):
        claims.decide("X1-1", "smoke", ours, images=64, control=ours[:2])
    with pytest.raises(ValueError, match="has the parts"):
        claims.decide("X1-2", "smoke", {"a": ours}, images=64)


def test_the_table_has_the_promised_columns():
    promised = "id paper chapter statement estimate low high seeds testable direction size beyond_control robust summary reason"
    assert list(claims.table("scenes").columns[:15]) == promised.split()


def test_every_claim_names_a_function_and_says_what_was_amended():
    for name, claim in ledger.ledger().items():
        module, _, function = claim.statistic.rpartition(".")
        assert callable(getattr(importlib.import_module(module), function, None)), f"{name}: {claim.statistic} is no function"
        assert "TODO" not in claim.model_dump_json(), name
        assert 1 <= len(claim.short.split()) <= 7, f"{name}: {claim.short!r}"
        assert claims.ledger()[name]["statistic"] == claim.statistic


def test_figures_of_claims_exist():
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(project.NOTEBOOKS.glob("*.py")))
    for name, claim in ledger.ledger().items():
        assert f'"name": "{claim.figure}"' in text, name


def test_a_chapters_rows_are_its_decided_claims(monkeypatch):
    held = {"claims": {"R21-9": {"estimate": 0.9, "low": 0.8, "high": 1.0, "seeds": 3, "images": 8}}}
    monkeypatch.setattr(claims, "results", lambda tier, chapter: held if chapter == "04" else {})
    shown = claims.chapter("04", "scenes").data
    assert list(shown.index) == ["R21-9"] and shown.loc["R21-9", "estimate [95 %]"] == "0.90 [0.80, 1.00]"
    assert len(claims.chapter("05", "scenes").data) == 0


def test_words_show_the_interval_or_say_that_there_is_none():
    assert claims.words(0.5, 0.25, 0.75) == "0.50 [0.25, 0.75]"
    assert claims.words(0.0311, 0.0288, 0.0348) == "0.031 [0.029, 0.035]"
    assert claims.words(9.3, 9.3, 9.3) == "9.30 (no interval)"


def test_unknown_tiers():
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


def kept(tier):
    return claims.results(tier, "03").get("section", {}).get("number")


def test_a_notebook_opened_by_hand_changes_nothing_that_a_book_reads(places, monkeypatch):
    places(project.results("scenes"), "scenes", "03", 1)
    places(project.PUBLISHED, "scenes", "03", 2)
    claims.keep("03", "scenes", {"section": {"number": 3}})
    assert kept("scenes") == 3  # in the notebook itself
    monkeypatch.setenv("SEELIKE_BOOK", "scenes")
    monkeypatch.setenv("SEELIKE_RESULTS", str(project.BUILD / "scenes" / "run" / "03-1" / "results"))
    assert kept("scenes") == 1


def test_an_older_run_of_a_tier_does_not_shadow_its_published_numbers_in_other_books(places, monkeypatch):
    places(project.results("cifar10"), "cifar10", "03", "old run")
    places(project.PUBLISHED, "cifar10", "03", "published")
    monkeypatch.setenv("SEELIKE_BOOK", "scenes")
    assert kept("cifar10") == "published"
    monkeypatch.setenv("SEELIKE_BOOK", "cifar10")
    assert kept("cifar10") == "old run"  # whose page stands beside it


def test_numbers_are_numbers(tmp_path, monkeypatch):
    monkeypatch.setenv("SEELIKE_RESULTS", str(tmp_path))
    monkeypatch.setattr(ledger, "ledger", lambda: {"X1-1": told()})
    with pytest.raises(ValueError, match="lies outside of its interval"):
        claims.record("X1-1", "smoke", Estimate(0.4, 0.1, 0.3), seeds=1, images=1)
    nothing = Estimate(float("nan"), float("nan"), float("nan"))
    assert claims.record("X1-1", "smoke", nothing, seeds=3, images=1).summary == "point"
    assert json.loads((tmp_path / "smoke" / "03.json").read_text())["claims"]["X1-1"]["estimate"] is None
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


ENTRY = dict.fromkeys(("paper", "where", "figure", "short", "statement", "what", "paper_value"), "text") | {
    "id": "X-1",
    "chapter": "03",
    "statistic": "seelike.maps.uniformity",
}
TESTABLE = {"what": "text", "rule": "> 0"}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([ENTRY | {"testable": TESTABLE | {"rule": "> nan"}}], r"line \d+: 0.testable.rule: a rule is an operator .* got '> nan'"),
        ([ENTRY | {"testable": TESTABLE | {"rule": "> x"}}], r"0.testable.rule: a rule is an operator .* and a finite number, got '> x'"),
        ([ENTRY | {"null_value": float("nan")}], r"0.null_value: input should be a finite number"),
        ([ENTRY | {"statistic": "numpy.mean"}], r"0.statistic: string should match pattern"),
        ([ENTRY | {"size": {"value": 1, "tolerance": 0}}], r"0.size.tolerance: input should be greater than 0"),
        ([ENTRY | {"parts": [{"name": "a", "what": "w"}] * 2}], r"the parts of X-1 need names of their own"),
        ([ENTRY | {"chapter": 3}], r"line 1?\d: 0.chapter: input should be a valid string, got 3"),
        ([ENTRY | {"chapter": "../.."}], r"0.chapter: string should match pattern"),
        ([{k: v for k, v in ENTRY.items() if k != "what"}], r"line 1: 0.what: field required"),
        ([ENTRY | {"colour": "red"}], r"0.colour: extra inputs are not permitted"),
        ([ENTRY | {"chapter": "99"}], r"no chapter in .* has the number of X-1 .99.: give the claim its chapter's"),
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
        ("- a\0b", "is not readable as YAML: unacceptable character"),
        ("[" * 3000, "is not readable as YAML: maximum recursion depth"),
        ("- ? [a]\n  : 1\n", "line 1 is not readable as YAML: ..a.. cannot be a key"),
    ],
)
def test_a_ledger_that_is_no_yaml_is_one_line(tmp_path, monkeypatch, text, message):
    monkeypatch.setattr(project, "LEDGER", tmp_path / "claims.yml")
    project.LEDGER.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        claims.ledger()
    assert "\n" not in str(caught.value)


def test_a_damaged_panel_is_a_sentence(places):
    places(project.PUBLISHED, "scenes", "panel", 1)
    (project.PUBLISHED / "scenes" / "panel.json").write_text('{"R21-1": {"other": 1}}')
    with pytest.raises(ValueError, match=r"panel.json: R21-1.other: Input should be a valid dictionary .*: restore the file"):
        claims.panel("R21-1", "scenes")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "03.json is not readable as JSON .maximum recursion depth"),
        (
            '{"claims": {"R21-1": {"estimate": 0, "low": 2, "high": 1, "seeds": 1, "images": 1}}}',
            r"claims.R21-1: an interval runs from low to high, got 2.0 to 1.0: run the chapter again",
        ),
        (
            '{"claims": {"R21-1": {"estimate": 0, "low": 0, "high": Infinity, "seeds": 1, "images": 1}}}',
            r"claims.R21-1.high: Input should be a finite",
        ),
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


def test_sentences_that_rest_on_more_than_the_ledgers_answers():
    """Chapters 3, 8 and 12: accuracies of the pair of photographs, a part of a claim, and one network beside three."""
    from seelike import cards

    pair = [card for (name, _), card in cards.cards("tiny").items() if name in ("vit_cls", "resnet")]
    assert abs(pair[0].accuracy - pair[1].accuracy) < 0.02 and len(pair) == 2
    assert claims.recorded_of("R21-26", "tiny").parts["class token"].interval().low > 0
    ours = claims.recorded_of("G21-7", "scenes").estimate
    against = [a for a in claims.panel("G21-7", "scenes").values() if "CMT without convolutions" in a.choices.values()]
    flat = [a.estimate for a in against if {"all positions", "block outputs", "64,000 images"} <= set(a.choices.values())]
    assert len(flat) == 1 and 0 < flat[0] < ours / 3
