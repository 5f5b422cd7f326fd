"""The panels of chapters 6 and 7: their statistics on data whose answer is known, and every analysis on few images."""

import numpy as np
import pytest
import torch

from seelike import intervals, localization, models, residual
from seelike.capture import layers
from seelike.cka import CKA
from seelike.panels import localization as places
from seelike.panels import skips


def some_norms(skip, branch, images=8):
    return {"a.attn": residual.Norms(np.full((images, 5), skip), np.full((images, 5), branch))}


@pytest.mark.parametrize("measure", skips.MEASURES)
def test_all_measures_agree_where_all_ratios_are_one_number(measure):
    vit, resnet = (skips.batches(some_norms(*n), 2, measure) for n in ((6.0, 2.0), (3.0, 2.0)))
    assert vit.shape == (2, 1, 2) and skips.over(vit.mean(0), resnet.mean(0)) == pytest.approx(2)


def test_one_silent_branch_moves_the_mean_of_ratios_and_no_other_measure():
    found = some_norms(3.0, 1.0)
    found["a.attn"].branch[0, 0] = 1e-6
    one = {measure: skips.batches(found, 2, measure).mean(0) for measure in skips.MEASURES}
    plain = np.array([[1.0, 1.0]])
    assert skips.over(one["mean of ratios"], plain) > 1000
    assert skips.over(one["median of ratios"], plain) == pytest.approx(3)
    assert skips.over(one["ratio of means"], plain) == pytest.approx(3, rel=0.05)


def test_tokens_are_told_apart_where_there_is_a_class_token():
    n = residual.Norms(np.arange(10.0).reshape(2, 5), np.ones((2, 5)))
    assert skips.positions(n, "class token").skip.tolist() == [[0], [5]]
    assert skips.positions(n, "patches").skip.shape == (2, 4) and skips.positions(n, "all positions").skip.shape == (2, 5)
    bare = residual.Norms(np.ones((2, 4)), np.ones((2, 4)))
    assert skips.positions(bare, "class token").skip.shape == (2, 4)


def a_network(cut):
    """Four blocks of which, if cut, the upper two have nothing to do with the lower two."""
    g = torch.Generator().manual_seed(0)
    found = CKA([f"net/blocks.{i}" for i in range(4)])
    for _ in range(4):
        a, b = (x @ x.T for x in torch.randn(2, 16, 8, generator=g))
        found.update({f"net/blocks.{i}": b if cut and i > 1 else a for i in range(4)})
    return found


def test_a_cut_raises_the_contrast_and_no_cut_does_not():
    assert skips.rise(a_network(True), a_network(False), "blocks.2").value == pytest.approx(1, abs=0.2)
    assert skips.rise(a_network(False), a_network(False), "blocks.2").value == 0


def test_blocks_are_found_by_place_and_by_grid():
    model = models.create("resnet", seed=0).eval()
    images = [(torch.zeros(1, 3, 64, 64), None)]
    last = layers(model)
    assert places.layer(model, places.LAST, images, 8) == last[-1] and places.layer(model, places.BEFORE, images, 8) == last[-2]
    assert places.layer(model, places.SAME, images, 8) == "layer3.1" and places.layer(model, places.SAME, images, 7) is None


def test_every_analysis_of_places_has_the_same_kinds_of_choice():
    made = list(places.analyses("scenes", n_images=32))
    for claim, kinds in {"R21-19": 5, "R21-21": 4}.items():
        own = [f for f in made if f.claim == claim]
        assert {len(f.choices) for f in own} == {kinds} and len({tuple(f.choices.values()) for f in own}) == len(own) >= 8
    assert all(isinstance(f.value, intervals.Estimate) and np.isfinite(f.value).all() for f in made)
    shares = [f.value for f in made if f.choices["measure"] == "own patch most similar"]
    assert all(-1 <= v.estimate <= 1 for v in shares)


def test_statistics_of_a_place_are_those_of_the_chapter():
    model, images = models.load("vit_cls"), [(torch.randn(16, 3, 64, 64), None) for _ in range(2)]
    found = places.places(model, "blocks.7", images)
    whole = localization.at_last_block(model, images)
    assert found["interior", "own patch minus others"].value == pytest.approx(localization.resampled(whole, localization.own_lead).value)
    assert set(found) == {(p, m) for p in places.POSITIONS for m in places.MEASURES}


def test_every_analysis_of_skips_has_the_same_kinds_of_choice():
    made = list(skips.analyses("scenes", n_images=32))
    for claim, kinds in {"R21-16": 4, "R21-17": 3}.items():
        own = [f for f in made if f.claim == claim]
        assert {len(f.choices) for f in own} == {kinds} and len({tuple(f.choices.values()) for f in own}) == len(own) >= 12
    assert all(np.isfinite(f.value).all() for f in made)
    assert {f.choices["block"] for f in made if f.claim == "R21-17"} == {"early", "middle", "late"}
