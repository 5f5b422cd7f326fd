"""Statistics of explained backdoors on scores whose answer is known, and the record that they are read from."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from seelike import backdoors, project, scenes, tiers, triggers
from seelike.backdoors import Split
from seelike.data import Images
from seelike.intervals import Share, estimate


def tables(*means, images=400, seed=0, missing=0.0):
    """Scores (images, 3 triggers, methods) around some means, a part of them not asked."""
    drawn = np.random.default_rng(seed)
    values = np.array(means) + 0.1 * drawn.standard_normal((images, 3, len(means)))
    values[drawn.random((images, 3)) < missing] = np.nan
    return values


def test_images_are_resampled_and_triggers_are_not():
    values = np.tile(np.array([0.0, 1.0])[None, :, None], (50, 1, 1))  # two triggers far apart, all images alike
    found = backdoors.over_images(lambda m: m[0], values)
    assert found.value == 0.5 and found.draws.std() == 0
    noise = np.random.default_rng(0).standard_normal((400, 3, 1))
    spread = backdoors.over_images(lambda m: m[0], noise).draws.std()
    assert spread == pytest.approx(1 / np.sqrt(1200), rel=0.15)
    same = backdoors.over_images(lambda m: m[0], np.repeat(noise[:, :1], 3, 1)).draws.std()
    assert same == pytest.approx(1 / np.sqrt(400), rel=0.15)  # the same images three times tell no more than once


def test_every_trigger_counts_alike_however_many_images_it_has():
    values = np.full((100, 2, 1), np.nan)
    values[:90, 0], values[90:, 1] = 0.2, 0.8
    assert backdoors.over_images(lambda m: m[0], values).value == pytest.approx(0.5)
    with pytest.raises(ValueError, match="got .100, 99."):
        backdoors.over_images(lambda a, b: 0.0, values, values[1:])


def test_the_largest_of_equal_methods_is_no_larger_on_the_other_half():
    noise = np.random.default_rng(1).standard_normal((40, 1, 60))  # sixty methods without a difference
    biased = backdoors.over_images(np.max, noise).value
    fair = [backdoors.split(backdoors.of_winner, noise[:, :, i : i + 20], noise[:, :, i : i + 20]).value for i in (0, 20, 40)]
    assert biased > 0.3 and abs(np.mean(fair)) < 0.2


def test_winner_rest_and_lead_of_methods():
    iou, whole = tables(0.2, 0.6, 0.4, missing=0.3), tables(0.9, 0.5, 0.3, seed=1, missing=0.3)
    assert backdoors.split(backdoors.of_winner, iou, whole).value == pytest.approx(0.5, abs=0.02)
    assert backdoors.split(backdoors.runner_up, whole).value == pytest.approx(0.5, abs=0.02)
    assert backdoors.split(backdoors.ahead, iou[..., 1:], iou[..., :1]).value == pytest.approx(0.4, abs=0.02)
    interval = estimate([backdoors.split(backdoors.of_winner, iou, whole)])
    assert interval.low < 0.5 < interval.high and interval.high - interval.low < 0.05


def test_winners_are_chosen_on_one_half_and_judged_on_the_other():
    score, other = Split(np.array([1.0, 0.0]), np.array([0.0, 1.0])), Split(np.array([10.0, 20.0]), np.array([30.0, 40.0]))
    assert backdoors.of_winner(score, other) == (30 + 20) / 2
    assert backdoors.runner_up(Split(np.array([1.0, 3.0, 2.0]), np.array([7.0, 8.0, 9.0]))) == (9 + 3) / 2
    even, odd = backdoors.halves(np.arange(6.0).reshape(3, 2, 1))
    assert np.isnan(even[1]).all() and np.isnan(odd[[0, 2]]).all() and even[2, 1] == 5 and odd[1, 0] == 2


def test_lift_and_difference_between_families():
    lift = backdoors.lift(np.array([90.0, 30.0]), np.array([10.0, 30.0]), np.array([100.0, 60.0]))
    assert lift.tolist() == [0.8, 0.0]
    assert backdoors.between(np.array([0.5, 0.3]), np.array([0.2, 0.4])) == pytest.approx(0.1)


def test_cost_knows_that_one_control_is_one_draw():
    exact = 10**9  # images, so that only networks vary
    plain, worse = [Share(0.9, exact)], [Share(v, exact) for v in (0.86, 0.88, 0.9)]
    one = backdoors.cost(plain, worse)
    assert one.estimate == pytest.approx(0.02)
    assert one.high - one.estimate == pytest.approx(4.303 * 0.02 * (1 + 1 / 3) ** 0.5, rel=1e-3)  # Student's t of two degrees
    assert backdoors.cost(plain * 5, worse).high < one.high
    few = backdoors.cost([Share(0.9, 100)], [Share(0.88, 100)] * 3)
    assert few.high - few.estimate == pytest.approx(1.96 * np.hypot((0.9 * 0.1 / 100) ** 0.5, (0.88 * 0.12 / 100) ** 0.5), rel=1e-3)
    with pytest.raises(ValueError, match="at least one network without and two with backdoors, got 1 and 1"):
        backdoors.cost(plain, plain)


class Corner(nn.Module):
    """Class 0 where the lower right corner is bright, else class 1."""

    def forward(self, x):
        bright = x[:, :, -6:, -6:].mean((1, 2, 3))
        return torch.stack([bright, 0.9 - bright], 1)


class Blind(nn.Module):
    """Class 1, whatever is shown."""

    def forward(self, x):
        return torch.tensor([0.0, 1.0]).expand(len(x), 2)


def test_success_counts_answers_with_and_without_the_trigger():
    pixels, labels = torch.full((40, 3, 64, 64), 128, dtype=torch.uint8), torch.ones(40, dtype=torch.long)
    labels[:10] = 0  # of the target's class: not asked
    pixels[10:13, :, -6:, -6:] = 255  # bright before anything is stamped
    test = Images(pixels, labels, ("a", "b"))
    found = backdoors.success(Corner(), Blind(), test, "fixed_square_6", backdoors.answers(Corner(), pixels))
    assert {key: sum(counts) for key, counts in found.items()} == {"asked": 30, "hits": 30, "without": 3, "host": 0}
    assert [len(counts) for counts in found.values()] == [backdoors.BATCHES] * 4 and found["asked"][0] == 0


def recorded(folder, monkeypatch, images=6):
    """A study of two methods and a variant in every network, whose scores are known."""
    scores = {"rows": list(range(images)), "methods": {}}
    for name, value in {"gradient": 0.1, "occlusion": 0.4}.items():
        scores["methods"][name] = {"iou": [value] * images, "seconds": 0.5}
    names = [f"{host} {trigger}" for host in backdoors.HOSTS for trigger in triggers.NAMES]
    boxes = {"iou": [[t] * 3 for t in backdoors.THRESHOLDS], "whole": [[1.0] * 3] * len(backdoors.THRESHOLDS)}
    held = {
        "attacks": {name: {"asked": [10, 20], "hits": [9, 10]} for name in names},
        "scores": {name: scores for name in names},
        "variants": {name: {"occlusion, blur": {"iou": [0.6] * 3}} for name in names},
        "thresholds": {name: {"gradient": boxes} for name in names},
        "settings": {"draw": 7, "pool": 12, "images": images, "provenance": "a test"},
    }
    monkeypatch.setattr(project, "PUBLISHED", folder)
    monkeypatch.setenv("SEELIKE_RESULTS", str(folder / "none"))
    backdoors.write(held, folder / "scenes" / "saliency.json")
    return held


def test_a_record_is_read_as_it_was_written(tmp_path, monkeypatch):
    held = recorded(tmp_path, monkeypatch)
    assert json.loads((tmp_path / "scenes" / "saliency.json").read_text()) == held
    study = backdoors.Study("scenes")
    assert (
        len(study.pool()) == 12 and study.draw == 7 and study.images == list(range(6)) and study.methods("vit") == ["gradient", "occlusion"]
    )
    values = study.values("vit", "iou", ["occlusion", "gradient@0.45", "occlusion, blur"])
    assert values.shape == (6, 12, 3) and (values[:, :, 0] == 0.4).all() and (values[:3, :, 1] == 0.45).all()
    assert np.isnan(values[3:, :, 1:]).all() and (values[:3, :, 2] == 0.6).all()
    assert np.isfinite(study.values("vit", "iou", ["occlusion"], most=2)).sum() == 2 * 12
    assert {m: e.estimate for m, e in study.summary("vit", "iou", study.methods("vit")).items()} == pytest.approx(
        {"gradient": 0.1, "occlusion": 0.4}
    )
    assert study.by_trigger("vit", "iou", ["occlusion"]) == pytest.approx(np.full((12, 1), 0.4))
    assert study.counts("resnet", "hits").shape == (2, 12) and study.seconds("vit", "gradient") == 0.5
    with pytest.raises(ValueError, match="iou of guided backprop is not recorded for vit"):
        study.values("vit", "iou", ["gradient", "guided backprop"])


def test_lifts_of_a_record_are_means_and_minima(tmp_path, monkeypatch):
    held = recorded(tmp_path, monkeypatch)
    for name, counts in held["attacks"].items():
        weak = name.endswith("random_square_6")
        counts |= {"hits": [5, 9] if weak else [10, 20], "asked": [10, 20], "without": [1, 2], "host": [1, 2]}
        if weak and name.startswith("vit"):
            counts["hits"] = [1, 2]
    backdoors.write(held, tmp_path / "scenes" / "saliency.json")
    study = backdoors.Study("scenes")
    found = {name: each.value for name, each in backdoors.lifts(study).items()}
    assert list(found) == ["ViT, mean of twelve", "ResNet, mean of twelve", "ViT, weakest", "ResNet, weakest"]
    assert list(found.values()) == pytest.approx([0.9 * 11 / 12, (0.9 * 11 + 11 / 30) / 12, 0, 11 / 30])
    assert set(each.value for each in backdoors.lifts(study, "host").values()) == {0.0}
    weak = triggers.NAMES.index("random_square_6")
    assert backdoors.success_gap(study, [weak]).value == pytest.approx(14 / 30 - 0.1)
    assert backdoors.success_gap(study, [0]).value == 0


def test_a_tier_without_a_record_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(project, "PUBLISHED", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"No explanations of .* are recorded: run `python -m seelike.backdoors`"):
        backdoors.Study("cifar10")
    monkeypatch.setattr("sys.argv", ["seelike.backdoors", "--tier", "cifar10", "--out", str(tmp_path / "x.json")])
    with pytest.raises(SystemExit):
        backdoors.main()
    assert not (tmp_path / "x.json").exists()


def test_the_whole_study_on_one_network(tmp_path, monkeypatch):
    """Two images of one trained network, with methods that are quick."""
    everything = backdoors.planted("scenes")
    one = {key: card for key, card in everything.items() if key in (("resnet", "fixed_square_18"), ("resnet", None))}
    monkeypatch.setattr(backdoors, "planted", lambda tier="scenes": one)
    monkeypatch.setattr(backdoors, "POOL", 64)
    monkeypatch.setattr(backdoors.data, "load", lambda tier, split: Images(*_few(60)))
    kept = {name: method for name, method in backdoors.saliency.METHODS.items() if name in ("gradient", "Grad-CAM")}
    monkeypatch.setattr(backdoors.saliency, "METHODS", kept)
    monkeypatch.setattr(backdoors.saliency, "VARIANTS", {})
    held = backdoors.measure(tiers.get("scenes"), draw=5, images=2)
    name = "resnet fixed_square_18"
    assert list(held["scores"]) == list(held["attacks"]) == [name] and len(held["scores"][name]["rows"]) == 2
    assert set(held["scores"][name]["methods"]) == {"gradient", "Grad-CAM", *backdoors.saliency.REFERENCES}
    counts = {key: sum(value) for key, value in held["attacks"][name].items()}
    assert counts["hits"] == counts["asked"] > 40 > 10 > counts["without"]
    assert np.shape(held["thresholds"][name]["gradient"]["iou"]) == (len(backdoors.THRESHOLDS), 2)


def _few(n):
    drawn = scenes.sample(n, 3)
    return drawn.images, drawn.shape, scenes.SHAPES
