"""A chapter's numbers as a table: a row a number, none lost, none twice."""

import json

import pandas as pd
import pytest

from seelike import claims, downloads, project


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Results of chapter 3 at the default tier, and nothing else."""
    monkeypatch.setattr(project, "PUBLISHED", tmp_path / "results")
    monkeypatch.setattr(project, "BUILD", tmp_path / "_build")
    monkeypatch.delenv("SEELIKE_RESULTS", raising=False)
    downloads.rows.cache_clear()
    folder = tmp_path / "results" / "scenes"
    folder.mkdir(parents=True)
    held = {
        "claims": {"R21-1": {"estimate": 0.5, "low": 0.25, "high": 0.75, "seeds": 2, "images": 8, "starts": [0.5, 0.625]}},
        "maps": {"vit, one": [[1.0, 0.5], [0.25, 1.0]], "deep": [[[1, 2], [3, 4]]]},
        "settings": {"provenance": "Scenes · commit a", "missing": None},
    }
    (folder / "03.json").write_text(json.dumps(held))
    yield tmp_path
    downloads.rows.cache_clear()


def test_every_number_is_a_row(results):
    (path,) = downloads.write(results / "site", "scenes")
    table = pd.read_csv(path)
    assert path.name == "03.csv" and list(table.columns) == list(downloads.HEAD) and len(table) == 7 + 4 + 4 + 1
    maps = table[table["name"] == "vit, one"].pivot(index="row", columns="column", values="value").astype(float)
    assert maps.to_numpy().tolist() == [[1.0, 0.5], [0.25, 1.0]]
    assert table.loc[table["name"] == "deep > 0", "value"].astype(float).tolist() == [1, 2, 3, 4]
    single = table.set_index("name").loc["R21-1 > estimate"]
    assert single["value"] == "0.5" and pd.isna(single["row"]) and set(table["tier"]) == {"scenes"}


def test_other_analyses_stand_in_the_table_of_their_claims_chapter(results):
    analysis = {"choices": {"view": "flat"}, "estimate": 0.1, "low": 0.0, "high": 0.2, "seeds": 3}
    (results / "results" / "scenes" / "panel.json").write_text(json.dumps({"R21-1": {"flat": analysis}}))
    assert claims.panel("R21-1", "scenes")
    found = [row for row in downloads.rows("03", "scenes") if row[1] == "panel"]
    assert [(row[2], row[5]) for row in found] == [
        ("R21-1 > flat > estimate", 0.1), ("R21-1 > flat > low", 0.0), ("R21-1 > flat > high", 0.2),
    ]  # fmt: skip


def test_a_chapter_without_numbers_has_no_table(results):
    assert downloads.rows("00", "scenes") == [] and "00" in downloads.numbers()


def test_a_chapter_of_somebodys_own_tier_does_not_borrow_tables(results):
    """What the book's figure of the same name shows is no data of theirs."""
    for tier, figures in (("scenes", {"fig-a": "panel\n1\n", "fig-b": "panel\n1\n"}), ("cifar10", {"fig-a": "panel\n2\n"})):
        folder = project.pages(tier)
        folder.mkdir(parents=True)
        (folder / "03_x.ipynb").write_text(json.dumps({"metadata": {"seelike": {"figures": figures}}}))
    assert downloads.figures("cifar10") == {"fig-a": "panel\n2\n"} and len(downloads.figures("scenes")) == 2
