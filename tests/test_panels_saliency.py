"""The panel of chapter 11 on a record whose winner is known in every analysis."""

from collections import defaultdict

import numpy as np
import pytest

from seelike import backdoors, project, saliency, triggers
from seelike.panels import saliency as panel


def record(folder, monkeypatch, images=12):
    """LIMEs find the trigger, but not among the marked pixels; blurred occlusion points best of black-box methods, gradients better."""
    drawn = np.random.default_rng(0)

    def scores(name):
        means = {key: 0.2 for key in ("iou", "whole", "covered", "pointing", "precision")}
        means |= {"iou": 0.6, "whole": 0.9} if name.startswith("LIME") else {}
        means |= {"pointing": 0.8} if name == "gradient" else {"pointing": 0.5} if name == "occlusion, blur" else {}
        return {key: np.clip(mean + 0.05 * drawn.standard_normal(images), 0, 1).tolist() for key, mean in means.items()}

    def asked(host, among):
        return [name for name in among if host == "resnet" or "guided" not in name]

    names = [(host, f"{host} {trigger}") for host in backdoors.HOSTS for trigger in triggers.NAMES]
    levels = len(backdoors.THRESHOLDS)
    held = {
        "scores": {
            name: {"rows": list(range(images)), "methods": {m: scores(m) for m in asked(host, saliency.METHODS)}} for host, name in names
        },
        "variants": {name: {m: scores(m) for m in asked(host, saliency.VARIANTS)} for host, name in names},
        "thresholds": {
            name: {
                m: {key: [scores(m)[key]] * levels for key in ("iou", "whole")} for m in asked(host, saliency.METHODS | saliency.VARIANTS)
            }
            for host, name in names
        },
        "settings": {"draw": 0},
    }
    monkeypatch.setattr(project, "PUBLISHED", folder)
    monkeypatch.setenv("SEELIKE_RESULTS", str(folder / "none"))
    backdoors.write(held, folder / "scenes" / "saliency.json")


def test_every_analysis_finds_what_was_put_in(tmp_path, monkeypatch):
    record(tmp_path, monkeypatch)
    found = defaultdict(list)
    for each in panel.analyses("scenes", n_images=8):
        found[each.claim].append(each)
    assert {claim: len(each) for claim, each in found.items()} == {"L20-3": 4 * 12, "L20-5": 4 * 12}
    for each in found.values():
        assert len({tuple(a.choices.values()) for a in each}) == len(each) and len({tuple(a.choices) for a in each}) == 1
    for a in found["L20-3"]:
        assert a.value.estimate == pytest.approx(0.2 if "marked" in a.choices["score"] else 0.9, abs=0.05)
    for a in found["L20-5"]:
        pointing = 0.5 - 0.8 if a.choices["baseline"] == "blur" else 0.2 - 0.8
        expected = {"pointing game": pointing, "average precision": 0.0}.get(a.choices["score"], 0.4)
        assert a.value.low - 0.03 < expected < a.value.high + 0.03


def test_candidates_are_methods_that_there_are():
    assert panel.candidates("grey", "signed", "ResNet", "after the paper's") == {
        name: saliency.METHODS[name].black_box for name in backdoors.PAPERS
    }
    known = saliency.METHODS | saliency.VARIANTS
    for family in panel.FAMILIES:
        for name, black in panel.candidates("blur", "absolute", family, "captum's").items():
            assert known[name].black_box == black and ("guided" not in name or family == "ResNet")
