"""Summaries of maps, on maps whose answer is known."""

import numpy as np
import pytest

from seelike import maps


def blocks(sizes, inside=0.9, outside=0.2):
    stage = np.repeat(np.arange(len(sizes)), sizes)
    return np.where(stage[:, None] == stage, inside, outside) * (1 - np.eye(len(stage))) + np.eye(len(stage)), stage


def test_uniformity_ignores_the_diagonal():
    m = np.full((6, 6), 0.3)
    np.fill_diagonal(m, 1)
    assert maps.uniformity(m) == pytest.approx(0.3)


def test_contrast_and_reach_of_a_map_of_blocks():
    m, stage = blocks([4, 4, 4, 4])
    assert maps.contrast(m, stage) == pytest.approx(0.7)
    assert maps.low_high(m) == pytest.approx(0.2)
    assert maps.contrast(np.ones((8, 8)), np.arange(8) // 2) == pytest.approx(0)


def test_stages_by_name_and_by_depth():
    names = ["conv1.0", "bn1", "layer1.0.conv1", "layer2.0.conv1", "layer3.1.bn2", "layer4.1.act2"]
    assert maps.stages(names).tolist() == [1, 1, 1, 2, 3, 4]
    assert maps.stages(["stem.conv", "stages.0.blocks.1", "stages.3.blocks.0", "norm"]).tolist() == [0, 0, 3, 3]
    assert maps.stages([f"blocks.{i}" for i in range(8)]).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_grid_finds_the_period_and_nothing_without_one():
    phase = np.arange(48) % 6
    periodic = 0.5 + 0.1 * np.cos(2 * np.pi * (phase[:, None] - phase) / 6)
    assert maps.grid(periodic, 6) > 0.2
    distance = np.abs(np.arange(48)[:, None] - np.arange(48))
    assert maps.grid(np.exp(-distance / 20), 6) < 0
    assert maps.grid(0.5 + 0.1 * np.random.default_rng(0).normal(size=(48, 48)), 6) < 0


def test_correspondence():
    v, r = np.linspace(0, 1, 40)[:, None], np.linspace(0, 1, 60)
    aligned = np.exp(-((v - r) ** 2) / 0.01)
    assert maps.matched_depth(aligned) == pytest.approx(0.25, abs=0.03)
    assert maps.matched_share(aligned) == pytest.approx(60 / 130, abs=0.03)
    fading = aligned * (1 - 0.8 * v)
    assert maps.top_unlike(fading) == pytest.approx(0.8 / 3, abs=0.03)


def test_same_depth_takes_corresponding_layers():
    c = np.arange(12.0).reshape(3, 4)
    assert maps.same_depth(c) == pytest.approx((c[0, 0] + c[1, 2] + c[2, 3]) / 3)
    assert maps.same_depth(np.eye(5)) == 1


def test_thirds_of_the_layers():
    assert maps.low_and_high(np.arange(8.0)).tolist() == [0.5, 6.5]
    assert maps.low_and_high(np.array([0.2, 0.8])).tolist() == [0.2, 0.8]  # fewer than three layers: the first and the last


@pytest.mark.parametrize(
    ("main", "small", "margin"),
    [
        ((0.95, 0.5), (0.6, 0.6), 0.05),  # low layers are hardly alike
        ((0.99, 0.85), (0.9, 0.9), 0.04),  # high layers are nearly as much so
        ((0.99, 0.5), (0.9, 0.43), 0.02),  # the smaller network differs as much
        ((0.95, 0.5), (0.9, 0.3), -0.15),
    ],
)
def test_low_layers_need_little_data_and_larger_networks_more(main, small, margin):
    assert maps.needs_more(np.array(main), np.array(small)) == pytest.approx(margin)


@pytest.mark.parametrize(
    ("alike", "margin"),
    [
        ([0.97] * 4 + [0.0, 0.9, 0.9, 0.9], 0.02),
        ([1.0] * 4 + [0.0, 0.99, 0.99, 0.99], 0.01),
        ([0.8] * 4 + [0.0, 0.1, 0.1, 0.1], -0.15),
        ([0.96] * 4 + [0.0, 0.99, 0.99, 0.99], -0.03),
        ([1.0, 0.96, 0.96, 0.96, 0.3, 0.2, 0.1], 0.02),
    ],
)
def test_what_fine_tuning_leaves_alone(alike, margin):
    assert maps.preserved(np.array(alike)) == pytest.approx(margin)


def test_a_boundary_splits_a_map_of_two_parts():
    m, _ = blocks([3, 5])
    assert maps.split(m, 3) == pytest.approx(0.7)
    assert maps.split(m, 4) < 0.5 and maps.split(np.ones((6, 6)), 2) == pytest.approx(0)


def test_the_entrance_of_a_block_is_its_first_tap():
    taps = ["blocks.1.norm1", "blocks.1", "blocks.10.norm2:in", "blocks.10", "norm"]
    assert maps.entrance(taps, "blocks.1") == 0 and maps.entrance(taps, "blocks.10") == 2
    with pytest.raises(ValueError, match="None of the 5 taps lies in blocks.2"):
        maps.entrance(taps, "blocks.2")
