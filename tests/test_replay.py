"""Numbers that do not replay are found and named."""

import json

from seelike import project, replay, tiers

OLD = {
    "claims": {"R21-1": {"estimate": 0.5, "low": 0.4, "high": 0.6, "seeds": 3}},
    "maps": {"vit": [0.1, 0.2]},
    "machine_dependent": {"offset": {"a": 1.0}},
    "settings": {"provenance": "commit a", "images": 8, "view": "flat"},
}


def changed(**sections):
    return json.loads(json.dumps(OLD | sections))


def counts(new):
    found = replay.compare(new, OLD)
    assert found["numbers"] == sum(found[k] for k in replay.KINDS)
    return {k: v for k, v in found.items() if v and k != "numbers"}


def test_the_same_is_the_same_and_provenance_is_no_result():
    assert counts(changed(settings={"provenance": "commit b", "images": 8, "view": "flat"})) == {"same": 8, "machine": 1}


def test_differences_by_size():
    assert counts(changed(maps={"vit": [0.1000001, 0.2]}))["printed"] == 1
    moved = {"R21-1": OLD["claims"]["R21-1"] | {"estimate": 0.55}}
    assert counts(changed(claims=moved))["interval"] == 1
    assert counts(changed(claims={"R21-1": moved["R21-1"] | {"estimate": 0.7}}))["named"] == ["claims/R21-1/estimate"]
    assert counts(changed(claims={"R21-1": moved["R21-1"] | {"low": 0.45}}))["named"] == ["claims/R21-1/low"]  # an end is no estimate


def test_what_is_gone_or_new_or_another_word_is_named():
    assert counts(changed(maps={"vit": [0.1]}))["named"] == ["maps/vit/1"]
    assert counts(changed(maps={"vit": [0.1, 0.2, 0.3]}))["named"] == ["maps/vit/2"]
    assert counts(changed(settings={"images": 8, "view": "mean"}))["named"] == ["settings/view"]
    assert counts(changed(maps={"vit": [0.1, None]}))["named"] == ["maps/vit/1"]


def test_numbers_that_depend_on_the_machine_are_counted_and_not_compared():
    assert counts(changed(machine_dependent={"offset": {"a": 2.0}})) == {"same": 8, "machine": 1}


def test_the_table_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(project, "PUBLISHED", tmp_path)
    for how in ("1 at a time", "2 at a time"):
        replay.keep(tiers.get("smoke"), how, "03_representation_structure", {"smoke": replay.compare(OLD, OLD)})
    held = json.loads((tmp_path / "smoke" / "replay.json").read_text())
    assert held["2 at a time"]["03 smoke"]["same"] == 8 and [p.name for p in (tmp_path / "smoke").iterdir()] == ["replay.json"]
    replay.keep(
        tiers.get("smoke"), "2 at a time", "04_local_and_global_attention", {"smoke": replay.compare(changed(maps={"vit": [0.1]}), OLD)}
    )
    told = replay.table("smoke")
    assert told.loc["2 at a time", ["chapters", "numbers", "other", "named"]].tolist() == [2, 18, 1, "chapter 04: maps/vit/1"]
    assert replay.table("cifar10").empty
