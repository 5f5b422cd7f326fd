"""Statistics of tables of positions and patches, and probes of positions, on data whose answer is known."""

import numpy as np
import pytest
import torch

from seelike import capture, data, localization, models


def one_batch(x):
    return [(x, None)]


def test_the_table_is_the_block_of_positions_and_patches():
    m = np.arange(64.0).reshape(8, 8)
    assert np.array_equal(localization.table(m), m[:4, 4:]) and np.array_equal(localization.pixels(m), m[4:, 4:])


def test_own_patches_are_counted_in_the_interior_or_everywhere():
    assert localization.interior(4).nonzero()[0].tolist() == [5, 6, 9, 10]
    t = np.full((16, 16), 0.1)
    t[np.arange(16), np.arange(16)] = 0.05
    t[[5, 6, 9], [5, 6, 9]] = [0.4, 0.5, 0.6]
    assert localization.own_share(t) == 0.75 and localization.own_share(t, "everywhere") == 3 / 16
    assert localization.own_lead(t) == pytest.approx((0.3 + 0.4 + 0.5 - 0.05) / 4)
    assert localization.own_lead(t, "everywhere") == pytest.approx((0.3 + 0.4 + 0.5 - 13 * 0.05) / 16)


def test_a_position_that_resembles_all_patches_alike_keeps_no_place():
    t = np.repeat(np.arange(16.0)[:, None], 16, axis=1)
    assert localization.own_lead(t) == 0 == localization.own_lead(t, "everywhere")


@pytest.mark.parametrize("statistic", [localization.own_share, localization.own_lead, localization.toward_edge, localization.edge_lead])
def test_a_grid_without_interior_is_a_sentence(statistic):
    with pytest.raises(ValueError, match="A grid of 2 x 2 positions has none that is not at the edge"):
        statistic(np.eye(4))


def edge_table(corner, elsewhere):
    """5 x 5 positions; CKA with the patches of the edge, 0 with those inside; the own patch is 1."""
    inside = localization.interior(5)
    t = np.zeros((25, 25))
    t[:, ~inside] = elsewhere
    t[np.ix_([0, 4, 20, 24], ~inside)] = corner
    np.fill_diagonal(t, 1)
    return t


@pytest.mark.parametrize(("corner", "elsewhere"), [(0.5, 0.0), (0.5, 0.3), (-0.2, 0.0), (0.3, 0.3)])
def test_corners_lean_towards_the_edge(corner, elsewhere):
    t = edge_table(corner, elsewhere)
    assert localization.toward_edge(t) == pytest.approx(corner)
    assert localization.toward_edge(t, "interior") == pytest.approx(elsewhere)
    assert localization.edge_lead(t) == pytest.approx(corner - elsewhere)


def drawn_answers(truth, images, seed):
    """Accuracy by batch of 64 images: some are hard for all positions, which are right independently otherwise."""
    g = np.random.default_rng(seed)
    easy = g.random((images, 1)) < 0.9
    right = easy & (g.random((images, len(truth))) < truth)
    return right.reshape(-1, 64, len(truth)).mean(1)


def test_tokens_of_equal_accuracy_have_no_range():
    raw, corrected = [], []
    for seed in range(20):
        single = drawn_answers(np.full(64, 0.95), 768, seed)
        raw.append(100 * np.ptp(single.mean(0)))
        corrected.append(localization.spread(single).value)
    assert min(raw) > 2 and np.mean(corrected) < 0.25 * np.mean(raw) and np.median(corrected) < 0.25 * np.median(raw)


@pytest.mark.parametrize("images", [768, 6144])
def test_a_range_is_found_whatever_the_number_of_images(images):
    truth = np.linspace(0.85, 0.95, 64)  # with one image in ten that none can tell, 9 points between the worst and the best
    found = [localization.spread(drawn_answers(truth, images, seed)) for seed in range(20)]
    assert np.mean([f.value for f in found]) == pytest.approx(9, rel=0.2 if images < 1000 else 0.1)
    assert np.mean([f.draws.std(ddof=1) for f in found]) < 2


def test_accuracies_without_any_difference_have_no_range():
    assert localization.spread(np.full((6, 9), 0.5)).value == 0


def test_what_pooling_adds_and_what_a_factor_can_be():
    single = np.array([0.3, 0.5, 0.7])
    assert localization.pooling_gain(single, 0.61) == pytest.approx(11)
    assert localization.ceiling(single) == pytest.approx(2)
    assert localization.advantage(np.array([0.9, 0.7]), single) == pytest.approx(30)


def test_the_tokens_of_the_paper():
    assert localization.spots(7) == [(0, 0), (2, 1), (4, 2), (4, 4)]
    assert all(len(set(localization.spots(side))) == 4 for side in (4, 8, 14))


def test_a_network_that_passes_its_patches_on_keeps_their_place():
    model = models.create("vit_gap", seed=0).eval()
    torch.nn.init.normal_(model.patch_embed.proj.weight)
    model.pos_embed.data.zero_()
    for block in model.blocks:
        for branch in (block.attn.proj, block.mlp.fc2):
            torch.nn.init.zeros_(branch.weight)
            torch.nn.init.zeros_(branch.bias)
    batches = list(torch.randn(3, 12, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    found = localization.at_last_block(model, batches)
    assert localization.own_share(localization.table(found.compute().to_numpy())) == 1
    assert localization.resampled(found, localization.own_share).value == 1
    assert localization.resampled(found, localization.own_share, localization.pixels).value == 1
    tables = localization.by_depth(model, batches)
    assert list(tables) == [1, 3, 5, 6, 7] and all(localization.own_share(t) == 1 for t in tables.values())


def test_a_last_block_without_interior_is_left_out():
    model = models.create("resnet18", num_classes=10).eval()  # 2 x 2 positions of 64 pixels
    with pytest.raises(ValueError, match="A grid of 2 x 2 positions"):
        localization.at_last_block(model, one_batch(torch.randn(8, 3, 64, 64)))


def test_maps_are_listened_to_at_the_end_only():
    model = models.create("resnet", seed=0).eval()
    assert list(localization.by_depth(model, one_batch(torch.randn(8, 3, 64, 64)))) == [5, 6, 7]


def test_positions_leave_the_class_token_out_and_pool_maps():
    h = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert localization.positions(h, 2).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert localization.positions(torch.arange(10.0).reshape(1, 5, 2), 2).shape == (1, 4, 2)
    assert localization.last_side(models.create("vit_cls", seed=0), data.load("scenes", n=4)) == 8
    assert localization.last_side(models.create("resnet", seed=0), data.load("scenes", n=4)) == 4


def test_aggregates_of_tokens_with_and_without_a_class_token():
    h = torch.tensor([[[8.0], [1.0], [2.0], [3.0], [6.0]]])
    assert localization.aggregates(h).flatten().tolist() == [8, 3, 4, 1]
    assert localization.aggregates(h[:, 1:]).flatten().tolist() == [3, 3, 1]


class Quadrants(torch.nn.Module):
    """Two blocks that pass on the mean colour of the four quadrants of an image as tokens."""

    def __init__(self):
        super().__init__()
        self.blocks = torch.nn.ModuleList([Block(), Block()])

    def forward(self, x):
        h = torch.nn.functional.adaptive_avg_pool2d(x, 2).flatten(2).transpose(1, 2)
        for block in self.blocks:
            h = block(h)
        return h.mean(1)


class Block(torch.nn.Module):
    def forward(self, h):
        return h * 1.0


def corners(n, seed):
    """Images of noise whose upper left quadrant is bright in colour 0, 1 or 2: the class."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    pixels = torch.randint(0, 100, (n, 3, 16, 16), generator=g, dtype=torch.uint8)
    pixels[torch.arange(n), labels, :8, :8] += 100
    return data.Images(pixels, labels, ("a", "b", "c"), batch_size=20)


def test_the_position_that_holds_the_answer_is_found():
    shown, asked = corners(60, 0), corners(80, 1)
    model = Quadrants()
    single = localization.single_tokens(model, shown, asked, capture.layers(model))
    assert list(single) == ["blocks.0", "blocks.1"] and single["blocks.1"].shape == (4, 4)
    assert single["blocks.1"][:, 0].min() == 1 and single["blocks.1"][:, 1:].mean() < 0.5
    every = localization.together(model, shown, asked)
    assert list(every) == ["mean of patches", "mean of tokens", "first patch"] and every["first patch"].shape == (4, 2)
    assert every["first patch"].min() == 1
    last = localization.one_and_all(model, shown, asked)
    assert last.shape == (4, 5) and np.array_equal(last[:, :4], single["blocks.1"])
    assert np.array_equal(last[:, 4], every["mean of patches"][:, 1])
    here = torch.zeros(80, 4, dtype=torch.bool)
    here[:, 0] = True
    on, off = localization.on_and_off(model, shown, asked, lambda side: (here, ~here) if side == 2 else ())
    assert on.tolist() == [1] and off[0] < 0.5
    with pytest.raises(ValueError, match="10 shots of class 0 were asked for, but the set has 7: give more images"):
        localization.on_and_off(model, corners(20, 0), asked, lambda side: (here, ~here))


def test_the_best_guess_knows_position_and_group():
    truth = torch.tensor([0, 0, 1, 1])
    where = torch.tensor([[True, True], [True, False], [False, True], [True, True]])
    # position 0 holds 0, 0, 1: two right of three; position 1 holds 0, 1, 1: two right of three
    assert localization.best_guess(truth, ("a", "b"), where) == pytest.approx(4 / 6)
