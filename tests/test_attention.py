"""Attention distance against closed forms, and what the heads of a block resemble."""

from contextlib import contextmanager

import numpy as np
import pytest
import timm
import torch

from seelike import attention, capture, data, models
from seelike.cka import cka


def grid(side):
    return torch.tensor([(r, c) for r in range(side) for c in range(side)]).float()


@pytest.mark.parametrize("prefix", [0, 1, 5])
def test_uniform_attention_has_the_closed_form(prefix):
    n = 49 + prefix
    found = attention.mean_distance(torch.full((2, 3, n, n), 1 / n), 16, prefix=prefix)
    expected = torch.cdist(grid(7), grid(7)).mean().item() * 16
    torch.testing.assert_close(found, torch.full((2, 3), expected))
    assert attention.uniform_distance(7, 16) == pytest.approx(expected)


def test_the_reference_lines_of_the_paper():
    assert attention.uniform_distance(14, 16) == pytest.approx(116.5, abs=0.1)
    assert attention.uniform_distance(7, 32) == pytest.approx(115.5, abs=0.1)


def test_a_head_on_its_own_patch_and_one_on_its_neighbour():
    side, n = 4, 16
    here = torch.eye(n).expand(1, 1, n, n)
    assert attention.mean_distance(here, 8).item() == 0
    right = torch.zeros(n, n)
    for i in range(n):
        right[i, i + 1 if i % side < side - 1 else i - 1] = 1
    assert attention.mean_distance(right[None, None], 8).item() == pytest.approx(8)


def test_the_class_token_counts_only_without_renormalising():
    weights = torch.full((1, 1, 17, 17), 1 / 17)
    weights[..., 1:, 0] = 0.5
    weights[..., 1:, 1:] = 0.5 / 16
    uniform = attention.uniform_distance(4, 8)
    assert attention.mean_distance(weights, 8).item() == pytest.approx(uniform, rel=1e-5)
    assert attention.mean_distance(weights, 8, renormalise=False).item() == pytest.approx(uniform / 2, rel=1e-5)
    assert attention.prefix_mass(weights).item() == pytest.approx(0.5)


def test_no_square_grid_is_a_sentence():
    with pytest.raises(ValueError, match="12 tokens with a prefix of 1 make no square grid"):
        attention.mean_distance(torch.rand(1, 1, 12, 12), 8, prefix=1)


def test_a_network_without_attention_is_a_sentence():
    images = data.load("scenes", "test", 4)
    with pytest.raises(ValueError, match="ResNet has no attention to capture"):
        attention.block_distances(models.create("resnet"), images)
    with pytest.raises(ValueError, match="ResNet has no attention heads"):
        attention.head_subsets(models.create("resnet"), models.create("resnet"), images, ["layer1.0"], [(0,)])


def test_block_distances_are_means_over_each_batch():
    model = models.create("vit_cls", seed=0).eval()
    images = data.Images(*(getattr(data.load("scenes", "test", 10), k) for k in ("pixels", "labels", "classes")), batch_size=5)
    found = np.stack(attention.block_distances(model, images), 1)
    assert found.shape == (2, 8, 3)
    x = images.images[5:]
    with torch.no_grad(), capture.attention(model) as maps:
        model(x)
    by_hand = attention.mean_distance(list(maps.values())[2], 8).mean(0)
    np.testing.assert_allclose(found[1, 2], by_hand.numpy(), rtol=1e-5)


def test_an_image_whose_head_sees_the_class_token_only_is_left_out():
    model = models.create("vit_cls", seed=0, depth=1, heads=1, width=24).eval()
    own = torch.eye(65).expand(2, 1, 65, 65).clone()
    own[0] = 0
    own[0, ..., 0] = 1
    own[1, 0, 1:, 1:] = 1 / 64
    own[1, 0, 1:, 0] = 0
    handle = model.blocks[0].attn.attn_drop.register_forward_hook(lambda *_: own)
    (found,) = attention.block_distances(model, [torch.randn(2, 3, 64, 64)])
    handle.remove()
    assert found.item() == pytest.approx(attention.uniform_distance(8, 8), rel=1e-5)


def test_subsets():
    assert len(attention.subsets(np.ones(3))) == 7
    runs = attention.subsets(np.arange(12.0)[::-1])
    assert len(runs) == 7 and runs[0] == (11, 10, 9, 8, 7, 6)


def test_gram_matrices_of_heads_add_up_to_their_concatenation():
    vit, resnet = models.create("vit_cls", seed=0).eval(), models.create("resnet", seed=0).eval()
    images = data.load("scenes", "test", 40)
    chosen = [(0,), (0, 2)]
    found = attention.head_subsets(vit, resnet, images, ["layer1.0"], chosen).compute()
    tap = "blocks.0.attn.proj:in"
    with torch.no_grad(), capture.capture(vit, [tap]) as heads, capture.capture(resnet, ["layer1.0"]) as unit:
        vit(images.images)
        resnet(images.images)
    for label, columns in (("heads/0", slice(0, 32)), ("heads/0+2", [*range(32), *range(64, 96)])):
        expected = cka(heads[tap][..., columns], unit["layer1.0"]).item()
        assert found.loc[label, "layer1.0"] == pytest.approx(expected, abs=1e-6)


def test_coarser_keys_stand_at_their_own_centres():
    uniform = attention.mean_distance(torch.full((1, 2, 16, 4), 1 / 4), 16)
    rows = torch.tensor([8.0, 24, 40, 56])
    queries = torch.stack(torch.meshgrid(rows, rows, indexing="ij"), -1).view(-1, 2)
    keys = torch.stack(torch.meshgrid(*[torch.tensor([16.0, 48])] * 2, indexing="ij"), -1).view(-1, 2)
    torch.testing.assert_close(uniform, torch.cdist(queries, keys).mean().expand(1, 2))
    first = torch.zeros(1, 1, 16, 4)
    first[..., [0, 2, 8, 10], range(4)] = 1  # the queries that a padded kernel of stride 2 is centred on
    assert attention.mean_distance(first, 16, strided=True).item() == 0 != attention.mean_distance(first, 16).item()


@pytest.mark.parametrize("name", ["cmt", "mvit"])
def test_pyramids_have_distances_block_by_block(name):
    model = models.create(name, seed=0).eval()
    found = attention.block_distances(model, [(torch.randn(2, 3, 64, 64),)])
    assert [f.shape for f in found] == [
        (1, b.attn.num_heads) for b in model.modules() if type(b).__name__ in ("CMTBlock", "MultiscaleBlock")
    ]
    assert all((f > 0).all() and (f < 64).all() for f in found)


def test_rollout_follows_attention_from_block_to_block():
    """Block 0: patch 3 looks at patch 7. Block 1: the class token looks at patch 3. So the answer leads to patch 7."""
    vit = models.create("vit_cls", seed=0, depth=2).eval()
    maps = [torch.eye(65).expand(1, 1, 65, 65).clone() for _ in range(2)]
    maps[0][..., 4, :], maps[1][..., 0, :] = torch.eye(65)[8], torch.eye(65)[4]

    @contextmanager
    def planted(model, *, reduce):
        yield {str(i): reduce(m) for i, m in enumerate(maps)}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "attention", planted)
        flow = attention.rollout(vit, torch.zeros(1, 3, 64, 64)).flatten()
        assert flow[7] == 0.25 and flow[3] == 0.25 and flow.sum() == 0.5
        maps.reverse()
        assert attention.rollout(vit, torch.zeros(1, 3, 64, 64)).flatten()[7] == 0


def test_rollout_without_a_class_token_is_a_sentence():
    for name in ("vit_gap", "mvit"):
        with pytest.raises(ValueError, match="Rollout needs a class token and attention between the same tokens"):
            attention.rollout(models.create(name, seed=0), torch.zeros(1, 3, 64, 64))


def test_queries_that_attend_to_no_patch_are_left_out():
    weights = torch.full((1, 1, 5, 5), 0.2)
    weights[:, :, 1] = torch.tensor([1.0, 0, 0, 0, 0])  # all on the class token
    whole = attention.mean_distance(torch.full((1, 1, 5, 5), 0.2), 8)
    torch.testing.assert_close(attention.mean_distance(weights, 8), whole)


def test_distances_inside_windows_are_refused():
    swin = timm.create_model("swin_tiny_patch4_window7_224")
    with pytest.raises(ValueError, match="distances inside windows"):
        attention.block_distances(swin, [torch.zeros(1, 3, 224, 224)])


def test_uniform_blocks_are_what_heads_without_queries_do():
    x = torch.randn(2, 3, 64, 64)
    vit = models.create("vit_cls", seed=0).eval()
    assert attention.uniform_blocks(vit, x) == pytest.approx([attention.uniform_distance(8, 8)] * 8, rel=1e-5)
    with torch.no_grad():
        for block in vit.blocks:
            block.attn.qkv.weight.zero_()
    for found, uniform in zip(attention.block_distances(vit, [(x,)]), attention.uniform_blocks(vit, x), strict=True):
        np.testing.assert_allclose(found, uniform, rtol=1e-5)


def test_uniform_blocks_of_a_pyramid_stand_on_grids_of_their_own():
    pyramid, x = models.create("mvit", seed=0), torch.randn(1, 3, 64, 64)
    strided, centred = (attention.uniform_blocks(pyramid, x, strided=how) for how in (True, False))
    assert len(strided) == len(attention.block_distances(pyramid, [(x,)])) and len(set(strided)) > 1 and strided != centred
    with pytest.raises(ValueError, match="ResNet has no attention to capture"):
        attention.uniform_blocks(models.create("resnet"), x)


def test_the_most_local_and_the_most_global_head():
    blocks = np.array([0.9, 0.7]), np.array([1.0, 0.6, 0.8])
    assert attention.most_local(*blocks) == 0.6 and attention.most_global(*blocks) == 1.0
    assert np.isnan(attention.most_local(np.array([0.9, np.nan]), np.array([1.0])))
    assert np.isnan(attention.most_global(np.array([0.9, np.nan]), np.array([1.0])))


def test_locality_that_is_lost_with_little_data():
    local, flat = [np.array([0.2, 0.9]), np.array([0.5, 0.8])], [np.array([1.0, 0.9]), np.array([0.8, 1.0])]
    assert attention.farther(flat, local) == pytest.approx(4)
    assert attention.farther(flat, flat) == 1 and attention.farther(local, flat) == pytest.approx(0.25)


@pytest.mark.parametrize("prefix", [0, 1, 5])
def test_entropy_of_known_rows(prefix):
    """Half of a uniform head's patches: log(32) / log(64); one patch, however far: 0. The class token's share does not matter."""
    n = 64 + prefix
    weights = torch.zeros(1, 4, n, n)
    weights[:, 0] = 1 / n
    weights[:, 1, :, prefix : prefix + 32] = 1 / 32
    weights[:, 2, :, n - 1] = 1
    weights[:, 3] = 1 / n
    if prefix:
        weights[:, 3, :, prefix:] = 0.1 / 64
        weights[:, 3, :, :prefix] = 0.9 / prefix
    found = attention.entropy(weights, prefix=prefix)
    torch.testing.assert_close(found, torch.tensor([[1.0, 5 / 6, 0.0, 1.0]]), rtol=1e-5, atol=1e-5)


def test_queries_that_attend_to_no_patch_have_no_entropy():
    weights = torch.full((1, 1, 5, 5), 0.2)
    weights[:, :, 1] = torch.tensor([1.0, 0, 0, 0, 0])
    assert attention.entropy(weights).item() == pytest.approx(1)
    weights[:, :, 1:] = torch.tensor([1.0, 0, 0, 0, 0])
    assert attention.entropy(weights).isnan()


def test_distances_and_entropies_in_one_pass():
    vit, x = models.create("vit_cls", seed=0).eval(), torch.randn(4, 3, 64, 64)
    found = attention.heads_of(vit, [(x[:2],), (x[2:],)])
    for one, other in zip(found.distance, attention.block_distances(vit, [(x[:2],), (x[2:],)]), strict=True):
        np.testing.assert_array_equal(one, other)
    with torch.no_grad(), capture.attention(vit) as maps:
        vit(x[2:])
    expected = [attention.entropy(w).mean(0).numpy() for w in maps.values()]
    np.testing.assert_allclose([e[1] for e in found.entropy], expected, rtol=1e-5)
    with pytest.raises(ValueError, match="ResNet has no attention to capture"):
        attention.heads_of(models.create("resnet"), [(x,)])


def test_the_trend_of_subsets_is_the_mean_over_units():
    reached = attention.reach(np.array([4.0, 8.0, 12.0]), [(0,), (0, 1), (1, 2), (0, 1, 2)])
    np.testing.assert_array_equal(reached, [4, 6, 10, 8])
    falling, swapped = -(reached**3), np.array([-4.0, -6.0, -8.0, -10.0])  # the last two the other way round
    assert attention.trend(reached, falling[:, None]) == pytest.approx(-1)
    both = np.stack([falling, swapped], 1)
    np.testing.assert_allclose(attention.trends(reached, both), [-1, -0.8])  # 1 - 6 * 2 / (4 * 15)
    assert attention.trend(reached, both) == pytest.approx(-0.9)


@pytest.mark.filterwarnings("error")
def test_no_trend_without_three_different_subsets():
    some = np.array([0.1, 0.2, 0.3])
    assert np.isnan(attention.trend(some[:2], some[:2, None]))
    assert np.isnan(attention.trend(np.ones(3), some[:, None]))
    assert np.isnan(attention.trend(some, np.stack([some, np.ones(3)], 1)))
    np.testing.assert_array_equal(np.isnan(attention.trends(some, np.stack([some, np.ones(3)], 1))), [False, True])


def test_the_spread_of_heads_with_and_without_their_grids():
    blocks = [np.array([1.0, 2.0]), np.array([5.0]), np.array([3.0, 9.0, 4.0])]
    assert attention.spread(blocks) == 8
    assert attention.spread(blocks, [0.0, 4.0, 5.0]) == 6  # 1 2, 1, -2 4 -1
    with pytest.raises(ValueError, match="shorter"):
        attention.spread(blocks, [0.0])


def test_distances_that_rise_from_block_to_block():
    rise = [np.array([1.0, 3.0]), np.array([2.5]), np.array([2.0, 8.0])]
    assert attention.rising(rise) == pytest.approx(1) and attention.rising(rise[::-1]) == pytest.approx(-1)
    assert attention.rising([rise[0], rise[2], rise[1]]) == pytest.approx(0.5)
