"""Other analyses of chapters 12 and 13, and the statistics behind them."""

import numpy as np
import pytest
import torch

from seelike import attention, intervals, panels
from seelike.cka import CKA, gram
from seelike.panels import CHAPTERS, hybrids
from seelike.panels.hybrids import Group, nearer, uneven


def test_a_hybrid_that_copies_the_resnet_is_nearer_and_one_that_copies_the_vit_is_not():
    rng = torch.Generator().manual_seed(0)
    names = [f"{n}/{i}" for n in ("copy", "other", "resnet") for i in range(3)]
    total = CKA(names)
    for _ in range(6):
        conv, plain = ([torch.randn(40, 8, generator=rng) for _ in range(3)] for _ in range(2))
        features = dict(zip(names, conv + plain + conv, strict=True))
        total.update({name: gram(x) for name, x in features.items()})
    assert nearer(total, "copy", "other", "resnet").value == pytest.approx(1, abs=0.1)
    assert nearer(total, "other", "copy", "resnet").value == pytest.approx(-1, abs=0.1)
    assert nearer(total, "copy", "copy", "resnet").value == 0


def test_the_unevenness_of_heads_is_relative_to_uniform_attention_and_free_of_grids():
    batches, rng = 8, np.random.default_rng(0)
    grids = [20.0, 24.0, 30.0]
    flat = [np.full((batches, 2), 25.0) for _ in range(3)]
    on_grids = [np.full((batches, h), g) for h, g in zip((1, 2, 4), grids, strict=True)]  # every head uniform, on its own grid
    raw, free = uneven(on_grids, flat, 25.0), uneven(on_grids, flat, 25.0, (grids, [25.0] * 3))
    assert raw.value == pytest.approx(10 / 25) and free.value == 0
    apart = [block + (5.0 if i == 0 else 0.0) + 1e-3 * rng.normal(size=block.shape) for i, block in enumerate(on_grids)]
    assert uneven(apart, flat, 25.0, (grids, [25.0] * 3)).value == pytest.approx(5 / 25, abs=1e-3)
    assert uneven(flat, on_grids, 25.0).value == -raw.value


def test_a_tier_has_the_trios_of_the_role_with_the_fewest_starts(monkeypatch):
    have = {
        "cmt": [0, 1, 2],
        "vit_data_1000": [0, 1, 2],
        "resnet_short": [0, 1],
        "mvit": [0],
        "vit_cls": [0, 1, 2, 3, 4, 5],
        "resnet": [3, 4, 5],
    }
    monkeypatch.setattr(hybrids.models, "roles", lambda tier: have)
    monkeypatch.setattr(hybrids.models, "deciding", lambda seeds, tier: [s for s in seeds if s > 2] or seeds)
    found = {(g.networks, g.other): g for g in hybrids.groups("scenes")}
    assert [len(g.trios) for g in found.values()] == [2, 1, 3]
    long = found["CMT 64,000 images, others 192,000", "ViT"]
    assert long == Group(
        *long[:2], [("cmt-0", "vit_cls-3", "resnet-3"), ("cmt-1", "vit_cls-4", "resnet-4"), ("cmt-2", "vit_cls-5", "resnet-5")]
    )


def test_the_panel_of_the_chapters_is_whole():
    found = list(hybrids.analyses("scenes", n_images=64))
    assert CHAPTERS["12"] == "hybrids"
    for claim, kinds in (("G21-7", 4), ("F21-6", 3)):
        own = [f for f in found if f.claim == claim]
        assert all(len(f.choices) == kinds and f.value.low <= f.value.estimate <= f.value.high for f in own)
        assert len({tuple(f.choices.values()) for f in own}) == len(own) >= 8
    assert {f.claim for f in found} == {"G21-7", "F21-6"}


def test_the_panel_asks_what_the_chapter_asks():
    """One analysis of F21-6 by hand."""
    first = next(f for f in hybrids.untrained("scenes", n_images=64) if f.choices["distance"] == "as measured")
    images = hybrids.Chapter("13", "scenes").images(64, seed=13, batch_size=16)
    by_hand = []
    for seed in range(100, 105):
        mvit, vit = (hybrids.models.untrained(kind, "scenes", seed) for kind in ("mvit", "vit_cls"))
        ours, theirs = attention.block_distances(mvit, images, strided=True), attention.block_distances(vit, images)
        by_hand.append(np.ptp(np.concatenate([b.mean(0) for b in ours])) - np.ptp(np.concatenate([b.mean(0) for b in theirs])))
    assert first.value.estimate == pytest.approx(np.mean(by_hand) / attention.uniform_distance(8, 8))
    assert first.seeds == 5 and isinstance(first, panels.Found) and isinstance(first.value, intervals.Estimate)
