"""Panels of chapters 8 and 9: what each analysis is made of, and that it is the claim's own statistic."""

import numpy as np
import pytest

from seelike import drift, maps, models
from seelike.chapter import Chapter
from seelike.cka import sweep
from seelike.panels import mixers, scale
from seelike.panels.structure import Group


def alike(found, kinds):
    """Analyses of one claim have the same kinds of choice, and names of their own."""
    names = [tuple(f.choices.values()) for f in found]
    return all(tuple(f.choices) == kinds for f in found) and len(set(names)) == len(names)


def test_the_middle_half_of_the_blocks():
    y = np.tile(np.arange(8.0), (2, 1))
    assert scale.middle_half(y).tolist() == [[2, 3, 4, 5]] * 2 and scale.middle_half(y[:, :3]).shape == (2, 3)


def test_one_resnet_for_three_vits_is_one_network():
    group = Group("short", "class token", [("vit-0", "resnet-0"), ("vit-1", "resnet-0")])
    assert scale._networks(group) == 1
    assert scale._networks(group._replace(pairs=[("vit-0", "resnet-0"), ("vit-1", "resnet-1")])) == 2


def test_a_readout_that_a_network_lacks_is_no_analysis():
    pooled, with_token = (
        {name: np.full((4, 8), level) for name in names} for names, level in ((drift.READOUTS[:2], 0.5), (drift.READOUTS, 0.8))
    )
    assert scale._easier(pooled, pooled, "class token", "all blocks") is None
    assert scale._easier(with_token, pooled, "class token", "middle half").value == pytest.approx(0.3)


def test_families_by_readout_shots_depth_networks_and_head():
    found = list(scale.families("smoke", 192))
    assert alike(found, ("read-out", "shots", "depth", "networks", "head"))
    assert {(f.choices["read-out"], f.choices["head"]) for f in found} == {
        ("all tokens", "class token"), ("patches", "class token"), ("class token", "class token"), ("all tokens", "mean of tokens"),
    }  # fmt: skip
    assert len(found) == 8 and {f.seeds for f in found} == {1}


def test_mixers_by_view_taps_and_pairing():
    found = list(mixers.mixers("smoke", 64))
    assert alike(found, ("view", "taps", "layers", "networks", "head")) and len(found) == 16
    nets = {role: models.load(role, "smoke") for role in ("vit_cls", "resnet", "mixer")}
    c = sweep(nets, Chapter("09", "smoke").images(64, seed=10))
    own = maps.same_depth(c.block("mixer", "vit_cls").to_numpy()) - maps.same_depth(c.block("mixer", "resnet").to_numpy())
    same = [f for f in found if {"all positions", "block outputs", "matched depth", "class token"} <= set(f.choices.values())]
    assert len(same) == 1 and same[0].value.estimate == pytest.approx(own, abs=1e-6)


def test_a_mixer_goes_with_the_vit_of_its_seed():
    assert mixers._mixer("vit_cls-2", [0, 1, 2]) == "mixer-2" and mixers._mixer("vit_matched-1", [0]) == "mixer-0"


def test_layers_that_do_not_vary_are_left_out_of_the_thirds():
    own = np.diag([np.nan, 0.9, 0.9, 0.7, 0.5, 0.4, 0.4])
    assert mixers._first_more(own, own, own) == pytest.approx(0.5)


def test_tiers_without_these_networks_have_no_analyses():
    assert not list(scale.data_sizes("smoke", 64)) and not list(mixers.fine_tuned("smoke", 64))
