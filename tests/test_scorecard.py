"""The scorecard and the findings say what the ledger says."""

import pandas as pd
import pytest

from seelike import claims, findings, scorecard
from seelike import ledger as rules


@pytest.fixture
def recorded(monkeypatch):
    """A ledger of three claims, two of which were run."""
    whole = {"paper": "A & B 2021", "where": "Fig. 1", "chapter": "03", "figure": "fig-structure", "statistic": "seelike.maps.uniformity"}
    texts = {"statement": "X is <larger> than Y.", "what": "X minus Y", "paper_value": "qualitative"}
    was = {"date": "2026-11-24", "why": "It was ours.", "explored_on": "seeds 0 to 2", "decided_on": "seeds 3 to 5"}
    amended = [was | {"was": {"what": "before", "rule": "> 0.1", "verdicts": {"scenes": "undecided"}}}]
    held = {
        f"X-{i}": rules.Claim.model_validate(whole | texts | {"id": f"X-{i}", "short": f"claim {i}", "amended": amended[: i == 1]})
        for i in (1, 2, 3)
    }
    numbers = {"X-1": {"low": 0.1, "high": 0.3}, "X-2": {"low": -0.1, "high": 0.3}}
    entries = {name: {"estimate": 0.2, "seeds": 3, "images": 8} | ends for name, ends in numbers.items()}
    monkeypatch.setattr(rules, "ledger", lambda: held)
    monkeypatch.setattr(claims, "results", lambda tier, chapter: {"claims": entries} if (tier, chapter) == ("scenes", "03") else {})
    return held


def test_counts_become_a_sentence(recorded):
    table = claims.table("scenes")
    assert (
        scorecard.sentence(table, "A & B 2021", "here")
        == "Of the two claims of A & B 2021 that were asked here, one holds and one is open."
    )
    assert scorecard.sentence(claims.table("cifar10"), "A & B 2021", "there") == "No claim of A & B 2021 was asked there."
    assert scorecard.open_share(table) == 0.5


def test_tiles_link_to_folds_and_can_be_read_without_colour(recorded):
    found = scorecard.tables(["scenes", "cifar10"])
    assert list(found) == ["scenes"]
    tiles, folds = scorecard.tiles(found, scorecard.papers()), scorecard.folds(found, "A & B 2021")
    for i, (symbol, word) in enumerate([("●", "holds"), ("○", "open"), ("·", "not run")], 1):
        assert f'href="#claim-x-{i}"' in tiles and f'id="claim-x-{i}"' in folds
        assert f'<span aria-hidden="true">{symbol}</span>' in tiles and f'<span class="word">{word}</span>' in tiles
    assert "X is &lt;larger&gt; than Y." in folds and "<larger>" not in folds
    assert "Before: before; rule &gt; 0.1;" in folds.replace("\n", " ") and folds.count("Amended") == 1
    assert '03_representation_structure.html#fig-structure"' in folds


@pytest.mark.parametrize(
    ("conditions", "wrong"),
    [
        ("X-1 direction holds", []),
        ("X-1 summary holds; X-2 direction open; X-1 low > 0.05; X-3 summary not run", []),
        ("X-2 direction holds", ["'X-2 direction holds', but it is 'open'"]),
        ("X-1 estimate > 0.5; X-1 low <= 0.1", ["'X-1 estimate > 0.5', but it is 0.200"]),
        ("X-1 @ cifar10 summary holds", ["'X-1 @ cifar10 summary holds', but it is 'not run'"]),
        ("X-3 low > 0", ["'X-3 low > 0', but it is nan"]),
    ],
)
def test_a_finding_stands_while_the_ledger_supports_it(recorded, conditions, wrong):
    assert findings.broken(conditions) == wrong


@pytest.mark.parametrize("conditions", ["X-1", "X-1 colour red", "X-9 direction holds", "X-1 low 0.5"])
def test_conditions_that_cannot_be_read(recorded, conditions):
    with pytest.raises(ValueError, match=r"A finding rests on|is not in claims.yml|A rule is an operator"):
        findings.broken(conditions)


def test_every_paper_of_the_ledger_has_a_sentence():
    table = claims.table("scenes")
    assert isinstance(table, pd.DataFrame)
    for paper in scorecard.papers():
        assert paper in scorecard.sentence(table, paper, "on Scenes")
