"""Panels of other analyses: the shared runner, and chapter 3's."""

import json
import sys

import numpy as np
import pytest

from seelike import ledger, models, panels
from seelike.answers import Analysis
from seelike.intervals import Estimate
from seelike.panels import Found, __main__, structure
from seelike.panels.__main__ import keep


def found(claim="R21-1", view="flat", value=(0.1, 0.0, 0.2), seeds=3):
    return Found(claim, {"view": view, "networks": "long"}, Estimate(*value), seeds)


def test_what_is_kept_can_be_read_as_analyses(tmp_path):
    path = tmp_path / "deep" / "panel.json"
    counts = keep([found(view="flat", value=(np.float64(1 / 3), -1, 2)), found(view="mean"), found("R21-2")], path)
    assert counts == {"R21-1": 2, "R21-2": 1}
    held = {name: Analysis.model_validate(a) for name, a in json.loads(path.read_text())["R21-1"].items()}
    assert held["flat, long"] == Analysis(choices={"view": "flat", "networks": "long"}, seeds=3, estimate=0.333333, low=-1, high=2)
    assert [p.name for p in path.parent.iterdir()] == ["panel.json"]  # nothing unfinished is left


def test_a_claim_is_replaced_as_a_whole_and_others_stay(tmp_path):
    path = tmp_path / "panel.json"
    keep([found(view="flat"), found(view="mean"), found("R21-2")], path)
    keep([found(view="token")], path)
    held = json.loads(path.read_text())
    assert list(held["R21-1"]) == ["token, long"] and list(held["R21-2"]) == ["flat, long"]


@pytest.mark.parametrize(
    ("bad", "says"), [(found("R21-999"), "'R21-999' is not in claims.yml"), (found(value=(float("nan"), 0, 1)), "JSON compliant")]
)
def test_a_panel_that_cannot_be_kept_leaves_the_file_alone(tmp_path, bad, says):
    path = tmp_path / "panel.json"
    keep([found()], path)
    before = path.read_text()
    with pytest.raises(ValueError, match=says):
        keep([found(view="mean"), bad], path)
    assert path.read_text() == before


def test_a_chapter_without_a_panel_is_named(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["seelike.panels", "99"])
    with pytest.raises(SystemExit):
        __main__.main()
    assert "chapter 99 has no panel: expected some of" in capsys.readouterr().err


def test_every_panel_is_a_module_with_analyses_and_a_chapter():
    chapters = {claim.chapter for claim in ledger.ledger().values()}
    for chapter, name in panels.CHAPTERS.items():
        assert chapter in chapters
        assert (__main__.Path(panels.__file__).parent / f"{name}.py").exists()


ROLES = {
    "vit_cls": [0, 1, 3, 4], "vit_gap": [0], "resnet": [0, 1, 2, 3, 4], "vit_data_1000": [0, 1], "resnet_short": [0], "vit_matched": [1],
}  # fmt: skip


def test_networks_that_belong_together(monkeypatch):
    monkeypatch.setattr(models, "roles", lambda tier: ROLES)
    monkeypatch.setattr(models, "deciding", lambda seeds, tier: [s for s in seeds if s >= 3] or list(seeds))
    made = {(group.networks, group.head): group.pairs for group in structure.groups("scenes")}
    assert made == {
        ("long, seeds 3, 4", "class token"): [("vit_cls-3", "resnet-3"), ("vit_cls-4", "resnet-4")],
        ("long, seeds 0, 1", "class token"): [("vit_cls-0", "resnet-0"), ("vit_cls-1", "resnet-1")],
        ("long, seed 0", "mean of tokens"): [("vit_gap-0", "resnet-0")],
        ("short", "class token"): [("vit_data_1000-0", "resnet_short-0"), ("vit_data_1000-1", "resnet_short-0")],
        ("matched accuracy", "class token"): [("vit_matched-1", "resnet-0")],
    }


@pytest.fixture(scope="module")
def made():
    return list(structure.analyses("smoke", n_images=128))


def test_every_analysis_once_with_the_same_kinds_of_choice(made):
    of = {claim: [f for f in made if f.claim == claim] for claim in ("R21-1", "R21-2", "R21-3", "R21-5", "R21-7")}
    assert sum(map(len, of.values())) == len(made)
    for claim, analyses in of.items():
        assert len({tuple(f.choices.values()) for f in analyses}) == len(analyses)
        kinds = {tuple(f.choices) for f in analyses}
        assert len(kinds) == 1 and all(np.isfinite(f.value).all() and f.seeds == 1 for f in analyses), claim
    # CLS: three views, two choices of taps, and two more measures; GAP has no class token; stages are those of the ResNet alone
    assert len(of["R21-1"]) == 3 * 2 + 2 + 2 * 2 + 2
    assert len(of["R21-3"]) == 2 * 2 + 2
    assert {f.choices["measure"] for f in of["R21-5"]} == {"CKA", "Procrustes", "mutual neighbours"}


def test_the_panel_asks_what_the_chapter_asks(made):
    """The statistic under the chapter's own choices is the chapter's: uniformity over all layers and positions, ViT minus ResNet."""
    from seelike import maps
    from seelike.chapter import Chapter
    from seelike.cka import sweep

    book = Chapter("03", "smoke")
    similarity = sweep(book.cast("vit_cls", "resnet"), book.images(128, seed=3), "all")
    expected = maps.uniformity(similarity.block("vit_cls-0").to_numpy()) - maps.uniformity(similarity.block("resnet-0").to_numpy())
    wanted = {"measure": "CKA", "view": "all positions", "layers": "all", "networks": "long, seed 0", "head": "class token"}
    same = [f for f in made if f.claim == "R21-1" and f.choices == wanted]
    assert [f.value.estimate for f in same] == [pytest.approx(expected, abs=1e-5)]


def analysis(estimate, **choices):
    return Analysis(choices=choices, estimate=estimate, low=estimate - 1, high=estimate + 1)


def test_what_moves_a_number_with_all_else_kept():
    made = [
        analysis(0.1, view="a", head="x"),
        analysis(0.4, view="b", head="x"),
        analysis(0.9, view="a", head="y"),
        analysis(1.0, view="b", head="y"),
    ]
    shifts = structure.moved({str(i): a for i, a in enumerate(made)})
    assert shifts.loc["view"].tolist() == pytest.approx([0.2, 0.3, 2])
    assert shifts.loc["head"].tolist() == pytest.approx([0.7, 0.8, 2])
    assert structure.moved({"0": made[0]}).empty
