"""Receptive fields against theory: extent of a convolution stack, fields of known shape, what LayerNorm hides."""

import numpy as np
import pytest
import torch
from torch import nn

from seelike import data, models
from seelike import receptive_field as erf


def images(n=4, size=32):
    return [(torch.randn(n, 3, size, size), torch.zeros(n))]


@pytest.mark.parametrize("depth", [1, 3, 6])
def test_a_stack_of_3x3_convolutions_reaches_its_theoretical_extent(depth):
    stack = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), *(nn.Conv2d(8, 8, 3, padding=1) for _ in range(depth - 1)))
    field = erf.effective_receptive_field(stack, [str(depth - 1)], images())[str(depth - 1)][0]
    rows, columns = np.nonzero(field)
    assert (rows.min(), rows.max()) == (columns.min(), columns.max()) == (16 - depth, 16 + depth)


def test_random_signs_estimate_the_summed_squared_jacobian():
    layer = nn.Conv2d(3, 4, 5, padding=2)
    batch = images(2)
    found = erf.effective_receptive_field(nn.Sequential(layer), ["0"], batch, probes=2000)["0"][0]
    patch = layer.weight.detach().square().sum((0, 1)).sqrt().flip(0, 1).flip(0, 1)
    np.testing.assert_allclose(found[14:19, 14:19], patch.numpy(), rtol=0.1)


def test_random_signs_see_through_a_layer_norm_and_equal_signs_do_not():
    model = models.create("vit_cls", seed=0)
    x = torch.randn(2, 3, 64, 64, requires_grad=True)
    middle = erf.centre(model.forward_features(x))
    blind = torch.autograd.grad(middle.sum(), x)[0].abs().max()
    seen = erf.effective_receptive_field(model, ["norm"], [(x.detach(), None)])["norm"]
    assert blind < 1e-5 < seen.max()


def test_a_network_is_left_as_it_was():
    model = models.create("vit_cls", seed=0).train()
    model.head.weight.requires_grad_(False)
    erf.effective_receptive_field(model, ["blocks.0"], images(size=64))
    assert model.training and not model.head.weight.requires_grad and model.cls_token.requires_grad
    assert model.cls_token.grad is None


def test_an_in_place_sum_does_not_leak_into_the_branch():
    model = models.load("resnet")
    few = data.Images(*(getattr(data.load("scenes", "test", 4), k) for k in ("pixels", "labels", "classes")))
    found = erf.effective_receptive_field(model, ["layer1.0.bn2", "layer1.0"], few, probes=8)
    own = slice(31, 35)
    share = {k: f[0, own, own].sum() / f[0].sum() for k, f in found.items()}
    assert share["layer1.0"] > 1.1 * share["layer1.0.bn2"]


def test_radius_of_known_fields():
    rows, columns = np.mgrid[:201, :201] - 100
    disc = (np.hypot(rows, columns) <= 80).astype(float)
    assert erf.radius(disc) == pytest.approx(80 / 2**0.5, abs=0.7)
    gaussian = np.exp(-(rows**2 + columns**2) / (2 * 15**2))
    assert erf.radius(gaussian) == pytest.approx(15 * np.sqrt(2 * np.log(2)), abs=0.7)
    assert erf.radius(np.roll(gaussian, 40, 0)) == pytest.approx(erf.radius(gaussian), abs=0.1)
    assert erf.radius(np.stack([disc, gaussian])).shape == (2,)
    assert np.isnan(erf.radius(np.zeros((5, 5))))
    assert erf.uniform_radius(200) == pytest.approx(200 / np.sqrt(2 * np.pi), rel=0.01)


def test_share_of_the_own_patch():
    assert erf.centre_share(np.ones((64, 64)), 8) == pytest.approx(1 / 64)
    field = np.zeros((2, 64, 64))
    field[:, 32:40, 32:40] = 1
    np.testing.assert_allclose(erf.centre_share(field, 8), 1)


def test_centre_of_odd_shapes_is_a_sentence():
    with pytest.raises(ValueError, match="Expected tokens"):
        erf.centre(torch.zeros(2, 3))
    assert erf.centre(torch.arange(10.0).view(1, 10, 1)).item() == 5  # a 3 x 3 grid behind one prefix token
    assert erf.centre(torch.arange(24.0).view(1, 1, 4, 6)).item() == 2 * 6 + 3
    with pytest.raises(ValueError, match="60 tokens are no square grid"):
        erf.centre(torch.arange(60.0).view(1, 60, 1))
    with pytest.raises(ValueError, match="looks like a map with channels last"):
        erf.centre(torch.zeros(1, 7, 7, 96))


def test_all_of_the_mass_lies_within_the_largest_distance():
    rng = np.random.default_rng(0)
    for _ in range(6):
        assert erf.radius(rng.random((16, 16)), 1.0) > 9
    with pytest.raises(ValueError, match="a share in .0, 1."):
        erf.radius(np.ones((4, 4)), 1.5)


@pytest.mark.filterwarnings("error")
def test_the_largest_step():
    depth, part = erf.largest_step(np.array([1.0, 2.0, 8.0, 9.0, 9.0]))
    assert depth == 1.5 / 4 and part == 6 / 8
    assert np.isnan(erf.largest_step(np.array([3.0]))).all()
    assert erf.largest_step(np.array([3.0, 5.0, 3.0]))[0] == 0.25 and np.isnan(erf.largest_step(np.array([3.0, 5.0, 3.0]))[1])


def test_a_heavy_tail_that_half_of_the_mass_does_not_see():
    """Two fields with one core of 60 %: the rest of the one lies around it, that of the other far out. By hand, on whole pixels."""
    near, far = np.zeros((2, 101, 101))
    for field, at in ((near, 2), (far, 40)):
        field[50, 50] = 0.6
        field[50, [50 - at, 50 + at]] = field[[50 - at, 50 + at], 50] = 0.1
    assert max(erf.radius(near), erf.radius(far)) == pytest.approx(0, abs=1e-9)
    assert erf.spread(near) == pytest.approx(2 * 0.4**0.5) and erf.spread(far) == pytest.approx(40 * 0.4**0.5)
    assert erf.radius(far, 0.9) == pytest.approx(40)
    assert erf.wider(erf.spread(np.stack([far, near])), erf.spread(np.stack([near, far]))) == pytest.approx(20)


def test_spread_of_known_fields():
    assert erf.uniform_spread(64) == pytest.approx(np.sqrt((64**2 - 1) / 6))
    rows, columns = np.mgrid[:201, :201] - 100
    gaussian = np.exp(-(rows**2 + columns**2) / (2 * 15**2))
    assert erf.spread(gaussian) == pytest.approx(15 * 2**0.5, rel=1e-3)
    assert erf.spread(7 * np.roll(gaussian, 20, 0)) == pytest.approx(erf.spread(gaussian), rel=1e-2)
    assert np.isnan(erf.spread(np.zeros((5, 5)))) and erf.spread(np.ones((2, 3, 5, 5))).shape == (2, 3)


def test_three_centres():
    field = np.zeros((9, 9))
    field[1, 1], field[1, 7] = 3.0, 1.0
    assert erf.spread(field) == pytest.approx((0.75 * 1.5**2 + 0.25 * 4.5**2) ** 0.5)
    assert erf.spread(field, "peak") == pytest.approx((0.25 * 36) ** 0.5)
    assert erf.spread(field, "middle") == pytest.approx(18**0.5)
    assert (erf.radius(field, 0.5, "peak"), erf.radius(field, 1.0, "peak")) == (0, 6)
    with pytest.raises(ValueError, match="about 'mass', 'peak' or 'middle', got 'corner'"):
        erf.spread(field, "corner")
    with pytest.raises(ValueError, match="without negative numbers"):
        erf.spread(-field)


@pytest.mark.filterwarnings("error")
def test_the_depth_at_which_most_of_the_end_is_reached():
    assert erf.reached(np.array([0.0, 4.0, 8.0, 10.0, 10.0])) == pytest.approx(0.5)
    assert erf.reached(np.array([0.0, 10.0])) == pytest.approx(0.8)  # along the line between two blocks
    assert erf.reached(np.array([9.0, 9.5, 10.0])) == 0
    assert erf.reached(np.array([0.0, 9.0, 2.0, 10.0])) == pytest.approx(8 / 9 / 3)  # the first time
    assert erf.reached(np.array([0.0, 4.0, 8.0, 10.0, 10.0]), 0.4) == pytest.approx(0.25)
    assert np.isnan(erf.reached(np.ones(1))) and np.isnan(erf.reached(np.array([1.0, np.nan, 1.0])))


def test_an_early_field_and_a_steady_one():
    early, steady = np.array([8.0, 10.0, 10.0, 10.0, 10.0]), np.arange(5.0)
    assert erf.earlier(early, steady) == pytest.approx(-0.8) and erf.earlier(steady, early) == pytest.approx(0.8)
    assert erf.in_fewer_steps(early, steady) == pytest.approx(0.75) and erf.in_fewer_steps(steady, steady) == 0
    assert np.isnan(erf.in_fewer_steps(np.ones(4), steady))


def test_a_patch_that_stands_out():
    field = np.ones((2, 64, 64))
    assert erf.stands_out(field, 8) == 1
    field[0, 32:40, 32:40] = 3
    assert erf.stands_out(field, 8) == pytest.approx(2)  # 3 in one sublayer, 1 in the other
    field[:, :8, :8] = 6  # a stronger patch elsewhere
    assert erf.stands_out(field, 8) == pytest.approx((0.5 + 1 / 6) / 2)


def test_what_happens_where_a_stage_starts():
    curve, stage = np.array([2.0, 3.0, 1.5, 4.0, 9.0]), [1, 1, 2, 2, 3]
    assert erf.at_starts(curve, stage) == [-1.5, 5.0]
    assert erf.at_starts(curve, [1] * 5) == []


def test_the_stem_of_a_network_of_maps():
    assert erf.stem(models.create("resnet")) == ["conv1"]
    assert erf.stem(models.create("vit_cls")) == erf.stem(models.create("mixer")) == erf.stem(nn.Linear(3, 3)) == []


def test_sublayers_are_where_sums_are_heard():
    vit = models.create("vit_cls", seed=0)
    taps = erf.sublayers(vit)
    assert [len(part) for part in taps] == [8, 8, 8]
    assert (taps.attention[3], taps.stream[3], taps.mlp[3]) == ("blocks.3.attn", "blocks.3.norm2:in", "blocks.3.mlp")
    with pytest.raises(ValueError, match="blocks of ResNet are not attention and then an MLP"):
        erf.sublayers(models.create("resnet"))


def test_positions_of_tokens_and_maps():
    x = torch.randn(1, 3, 64, 64)
    assert erf.positions(models.create("vit_cls"), "blocks.0.norm2:in", x) == 8
    assert erf.positions(models.create("resnet"), "layer2.0", x) == 16


def test_what_the_skip_adds_to_the_own_patch():
    everywhere, own = np.ones((2, 64, 64)), np.zeros((2, 64, 64))
    own[:, 32:40, 32:40] = 1
    assert erf.hidden(everywhere, own, 8) == pytest.approx(1 - 1 / 64)
    assert erf.hidden(np.stack([everywhere[0], own[0]]), own, 8) == pytest.approx((1 - 1 / 64) / 2)
