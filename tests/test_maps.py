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


BLOCKS = [f"layer{stage}.{unit}" for stage in (1, 2, 3, 4) for unit in (0, 1)]
TAPS = ["conv1", *(f"{block}.{tap}" for block in BLOCKS for tap in ("conv1", "bn1", "act1")), "norm"]


def of_blocks(stage, strength, tau=6.0, taps=3):
    """A map of taps in blocks, stem and tail: CKA falls with distance, repeats with the block, and is higher within a stage."""
    block = np.repeat(np.arange(len(stage)), taps)
    place = np.tile(np.arange(taps), len(stage))
    inside = np.exp(-np.abs(block[:, None] - block) / tau) * (1 - 0.1 * (place[:, None] == 1) - 0.1 * (place == 1))
    inside *= 1 - strength * (np.asarray(stage)[block][:, None] != np.asarray(stage)[block])
    return np.pad(inside, 1, constant_values=0.3)


STAGE = [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_map_of_distance_and_place_in_the_block_has_no_stages():
    weights = maps.stage_weights(TAPS, BLOCKS)
    for tau in (1.5, 6.0, 50.0):
        assert maps.stage_contrast(of_blocks(STAGE, 0.0, tau), weights) == pytest.approx(0, abs=1e-12)
    lag = np.abs(np.arange(26)[:, None] - np.arange(26))
    assert maps.stage_contrast(0.9**lag, weights) == pytest.approx(0, abs=1e-12)  # a Toeplitz map
    assert maps.contrast(0.9**lag, maps.stages(TAPS)) > 0.2  # which the plain contrast takes for stages


def test_stages_stand_out_at_equal_decay_and_by_their_strength():
    weights = maps.stage_weights(TAPS, BLOCKS)
    weak, strong = (maps.stage_contrast(of_blocks(STAGE, s), weights) for s in (0.1, 0.3))
    assert strong == pytest.approx(3 * weak) and weak > 0.05


def test_stages_at_other_places_are_not_those_of_the_network():
    weights = maps.stage_weights(TAPS, BLOCKS)
    assert maps.stage_contrast(of_blocks([0, 1, 1, 2, 2, 3, 3, 3], 0.3), weights) < 0


def test_the_contrast_of_one_cut_by_hand():
    blocks = ["layer1.0", "layer1.1", "layer2.0"]
    m = np.array([[1, 0.9, 0.2], [0.9, 1, 0.5], [0.2, 0.5, 1]])
    # own cut: 0.9 within and 0.5 between at distance 1; the only other cut has it the other way round
    assert maps.stage_contrast(m, maps.stage_weights(blocks, blocks)) == pytest.approx(0.4 - (0.5 - 0.9))


def test_layers_without_a_value_and_outside_of_blocks_have_no_weight():
    weights, m = maps.stage_weights(TAPS, BLOCKS), of_blocks(STAGE, 0.3)
    spoilt = m.copy()
    spoilt[[0, -1]], spoilt[:, [0, -1]] = np.nan, np.nan
    assert maps.stage_contrast(spoilt, weights) == pytest.approx(maps.stage_contrast(m, weights))


def test_cuts_are_all_that_there_are_or_a_thousand():
    cuts = {tuple(cut.tolist()) for cut in maps._cuts(8, 4)}
    assert len(cuts) == 35 and all(set(cut) == {0, 1, 2, 3} and list(cut) == sorted(cut) for cut in cuts)
    assert sum(1 for _ in maps._cuts(40, 4)) == maps.MOST_CUTS


@pytest.mark.parametrize("blocks", [["layer1.0", "layer2.0"], ["layer1.0", "layer1.1"]])
def test_stages_that_cannot_be_told_from_distance(blocks):
    with pytest.raises(ValueError, match="Stages cannot be told from distance in these 2 blocks"):
        maps.stage_weights(blocks, blocks)


def test_consecutive_blocks_dip_at_the_boundaries_of_stages():
    near = maps.consecutive(of_blocks(STAGE, 0.3), TAPS, BLOCKS)
    assert near.shape == (7,) and near[[1, 3, 5]] == pytest.approx(0.7 * near[0]) and near[[2, 4, 6]] == pytest.approx(near[0])


def test_marks_name_stages_or_blocks():
    assert maps.marks(TAPS, BLOCKS) == {1: "stage 1", 7: "stage 2", 13: "stage 3", 19: "stage 4"}
    blocks = [f"blocks.{i}" for i in range(5)]
    assert maps.marks([t for b in blocks for t in (f"{b}.norm1", b)], blocks) == {0: "block 1", 4: "block 3", 8: "block 5"}


def periodic(period, size=48):
    phase = np.arange(size) % period
    return 0.5 + 0.1 * np.cos(2 * np.pi * (phase[:, None] - phase) / period)


def test_a_peak_at_the_period_or_a_divisor_and_none_without_one():
    assert maps.peak(periodic(6), 6) > 0.2
    assert maps.peak(periodic(3), 6) > 0.2  # twice in every block
    assert maps.peak(periodic(8), 6) < 0
    distance = np.abs(np.arange(48)[:, None] - np.arange(48))
    for tau in (5, 20, 100):
        assert maps.peak(np.exp(-distance / tau), 6) < 0
    assert maps.peak(0.5 + 0.1 * np.random.default_rng(0).normal(size=(48, 48)), 6) < 0.05


V, R = np.linspace(0, 1, 40)[:, None], np.linspace(0, 1, 60)


@pytest.mark.parametrize("width", [0.05, 0.3])
def test_correspondence_in_proportion_to_depth_is_the_null(width):
    aligned = np.exp(-(((V - R) / width) ** 2))
    assert maps.lowest_quarter(aligned) == pytest.approx(0, abs=0.02)
    assert maps.lower_share(aligned) == pytest.approx(60 / 130, abs=0.03)


def test_correspondence_with_the_lowest_part_of_the_vit():
    sooner = np.exp(-(((V - R / 2) / 0.2) ** 2))  # the ResNet's lower half with the lowest quarter, as in the paper
    assert maps.lowest_quarter(sooner) > 0.2
    assert maps.lower_share(sooner) < 0.35
    later = np.exp(-(((V - np.sqrt(R)) / 0.2) ** 2))
    assert maps.lowest_quarter(later) < -0.1
    assert maps.lower_share(later) > 0.6


def test_a_top_that_is_unlike_all_layers():
    fading = np.exp(-((V - R) ** 2) / 0.01) * (1 - 0.8 * V)
    assert maps.top_unlike(fading) == pytest.approx(0.8 / 3, abs=0.03)
    assert maps.top_unlike(np.exp(-((V - R) ** 2) / 0.01)) == pytest.approx(0, abs=0.01)


def test_same_depth_takes_corresponding_layers():
    c = np.arange(12.0).reshape(3, 4)
    assert maps.same_depth(c) == pytest.approx((c[0, 0] + c[1, 2] + c[2, 3]) / 3)
    assert maps.same_depth(np.eye(5)) == 1


def test_thirds_of_the_layers():
    assert maps.low_and_high(np.arange(8.0)).tolist() == [0.5, 6.5]
    assert maps.low_and_high(np.array([0.2, 0.8])).tolist() == [0.2, 0.8]  # fewer than three layers: the first and the last


def test_a_boundary_splits_a_map_of_two_parts():
    m, _ = blocks([3, 5])
    assert maps.split(m, 3) == pytest.approx(0.7)
    assert maps.split(m, 4) < 0.5 and maps.split(np.ones((6, 6)), 2) == pytest.approx(0)


def test_the_entrance_of_a_block_is_its_first_tap():
    taps = ["blocks.1.norm1", "blocks.1", "blocks.10.norm2:in", "blocks.10", "norm"]
    assert maps.entrance(taps, "blocks.1") == 0 and maps.entrance(taps, "blocks.10") == 2
    with pytest.raises(ValueError, match="None of the 5 taps lies in blocks.2"):
        maps.entrance(taps, "blocks.2")
