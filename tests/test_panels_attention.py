"""Panels of chapters 4 and 5: what they ask agrees with what the chapters ask, on few images."""

import numpy as np
import pytest
import torch
from torch import nn

from seelike import attention, intervals, ledger, models, receptive_field
from seelike.chapter import Chapter
from seelike.panels import attention as heads
from seelike.panels import receptive_field as fields
from seelike.panels.structure import Group


@pytest.fixture
def one_group(monkeypatch):
    """A single group of networks, so that a panel takes seconds."""
    for panel in (heads, fields):
        monkeypatch.setattr(panel, "groups", lambda tier: [Group("long, seed 0", "class token", [("vit_cls-0", "resnet-0")])])
    monkeypatch.setattr(heads, "SHARES", ((0.03, 10.0),))


def by_choices(found):
    return {(f.claim, *f.choices.values()): f for f in found}


def whole(found):
    """Every claim is of the ledger, its analyses have the same kinds of choice, and no two made the same ones."""
    for claim in {f.claim for f in found}:
        own = [f for f in found if f.claim == claim]
        assert ledger.get(claim).chapter in ("04", "05")
        assert len({tuple(f.choices) for f in own}) == 1 and len({tuple(f.choices.values()) for f in own}) == len(own)
        assert all(f.value.low <= f.value.estimate <= f.value.high and f.seeds == 1 for f in own)


def test_the_panel_of_heads(one_group):
    found = list(heads.analyses("scenes", n_images=64))
    whole(found)
    assert {f.claim for f in found} == {"R21-8", "R21-9", "R21-10", "R21-11"}
    held = by_choices(found)
    images = Chapter("04", "scenes").images(64, seed=4)
    own = heads.over_uniform(models.load("vit_cls"), images)
    base = ("long, seed 0", "class token", "renormalised")
    assert held["R21-8", *base, "block 0"].value.estimate == pytest.approx(own[0].mean(0).min())
    assert held["R21-9", *base, "last two blocks"].value.estimate == pytest.approx(min(b.mean(0).min() for b in own[-2:]))
    dropped = held["R21-8", "long, seed 0", "class token", "only dropped", "block 0"]
    assert dropped.value.estimate < held["R21-8", *base, "block 0"].value.estimate
    few, many = (heads.over_uniform(models.load(name), images)[:2] for name in ("vit_data_003", "vit_data_1000"))
    ratio = attention.farther([b.mean(0) for b in few], [b.mean(0) for b in many])
    assert held["R21-10", "ViT", "3 % against 1000 %", "blocks 0 and 1"].value.estimate == pytest.approx(ratio)


def test_the_panel_of_fields(one_group):
    found = list(fields.analyses("scenes", n_images=32))
    whole(found)
    assert {f.claim for f in found} == {"R21-12", "R21-13", "R21-14"}
    held = by_choices(found)
    images = Chapter("05", "scenes").images(32, seed=5, batch_size=16)
    first = {
        name: receptive_field.effective_receptive_field(models.load(name), [tap], images)[tap].mean(0)
        for name, tap in (("vit_cls", "blocks.0"), ("resnet", "layer1.0"))
    }
    base = ("R21-12", "long, seed 0", "class token", "block outputs")
    expected = float(receptive_field.spread(first["vit_cls"]) / receptive_field.spread(first["resnet"]))
    assert held[*base, "second moment", "of mass"].value.estimate == pytest.approx(expected, rel=0.1)  # other random signs
    assert held[*base, "second moment", "of mass"].value.estimate > 1.5 * held[*base, "half of the mass", "of mass"].value.estimate


def test_upper_parts_of_the_sublayers():
    parts = receptive_field.Sublayers(*(list("abcdefgh") for _ in range(3)))
    assert (fields._upper(parts, 2), fields._upper(parts, 4)) == (4, 6)
    assert fields._upper(receptive_field.Sublayers(["a"], ["a"], ["a"]), 4) == 0


def test_distances_over_uniform_are_one_for_heads_without_queries():
    vit = models.create("vit_cls", seed=0).eval()
    with torch.no_grad():
        for block in vit.blocks:
            block.attn.qkv.weight.zero_()
            nn.init.zeros_(block.attn.qkv.bias)
    found = heads.over_uniform(vit, [(torch.randn(2, 3, 64, 64), torch.zeros(2))])
    np.testing.assert_allclose(found, np.ones((8, 1, 3)), rtol=1e-5)


def test_a_curve_is_resampled_about_three_centres():
    batches = np.random.default_rng(0).random((4, 3, 16, 16))
    for centre in fields.CENTRES:
        curve = fields._curve(batches, "second moment", centre)
        assert isinstance(curve, intervals.Resampled) and len(curve.value) == (3 if centre == "of mass" else 1)
        expected = receptive_field.spread(batches.mean(0), fields.CENTRES[centre])
        np.testing.assert_allclose(curve.value, expected[: len(curve.value)])
