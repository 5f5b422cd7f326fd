"""Norm ratios on hand-made blocks and against a direct computation; networks without some of their skips."""

import numpy as np
import pytest
import timm
import torch

from seelike import capture, models, recipes, residual, train


def batch(n=6):
    return [(torch.randn(n, 3, 64, 64, generator=torch.Generator().manual_seed(0)), None)]


def test_ratio_of_known_vectors():
    z, f = torch.tensor([[[3.0, 4.0], [0.0, 1.0]]]), torch.tensor([[[0.0, 1.0], [2.0, 0.0]]])
    torch.testing.assert_close(residual.norm_ratio(z, f), torch.tensor([[5.0, 0.5]]))


def test_a_branch_that_doubles_its_input_has_ratio_one_half():
    model = models.create("vit_cls", seed=0).eval()
    block = model.blocks[3]
    block.norm2, block.mlp = torch.nn.Identity(), torch.nn.Identity()
    block.ls2 = torch.nn.Linear(96, 96, bias=False)
    block.ls2.weight.data = 2 * torch.eye(96)
    found = residual.residuals(model, batch())["blocks.3.ls2"]
    np.testing.assert_allclose(found.ratio, 0.5, rtol=1e-5)
    np.testing.assert_allclose(found.cosine, 1, rtol=1e-5)
    assert found.ratio.shape == (1, 65)


@pytest.mark.parametrize("name", ["vit_cls", "mixer", "mvit", "cmt"])
def test_every_sum_of_tokens_adds_up(name):
    model = models.create(name, seed=0).eval()
    pairs, blocks = capture.sums(model), capture.layers(model)
    assert list(residual.residuals(model, batch())) == [f for _, f in pairs] and len(pairs) == 2 * len(blocks) == 16
    taps = [*(tap for pair in pairs for tap in pair), *(f"{block}.norm2:in" for block in blocks), *blocks]
    with torch.no_grad(), capture.capture(model, list(dict.fromkeys(taps))) as found:
        model(batch()[0][0])
    for i, block in enumerate(blocks):
        (z1, f1), (z2, f2) = pairs[2 * i : 2 * i + 2]
        torch.testing.assert_close(found[z1] + found[f1], found[f"{block}.norm2:in"])
        torch.testing.assert_close(found[z2] + found[f2], found[block])


def test_a_pooled_block_that_widens_without_a_skip_has_one_sum():
    sums = capture.sums(models.create("mvit", skip="none"))
    assert len(sums) == 14 and ("blocks.1.norm1:in", "blocks.1.attn") in sums and not any(f == "blocks.1.mlp" for _, f in sums)


def test_every_sum_of_a_resnet_adds_up_before_its_relu():
    model = models.create("resnet", seed=0).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.weight)
    pairs = capture.sums(model)
    assert len(pairs) == 8
    with torch.no_grad(), capture.capture(model, [*(t for p in pairs for t in p), *capture.layers(model)]) as found:
        model(batch()[0][0])
    for (z, f), block in zip(pairs, capture.layers(model), strict=True):
        torch.testing.assert_close((found[z] + found[f]).relu(), found[block])


def test_a_norm_ratio_is_of_what_is_added_and_not_of_what_comes_before_layer_scale():
    model = timm.create_model("test_vit", img_size=160, init_values=0.5).eval()
    found = residual.residuals(model, [torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))])
    for block in model.blocks:
        block.ls1.gamma.data /= 2
    halved = residual.residuals(model, [torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))])
    np.testing.assert_allclose(halved["blocks.0.ls1"].ratio, 2 * found["blocks.0.ls1"].ratio, rtol=1e-4)


@pytest.mark.parametrize(("name", "side", "sums"), [("resnetv2_50x1_bit", 64, 16), ("tf_efficientnet_lite0", 64, 9)])
def test_networks_of_timm(name, side, sums):
    found = residual.residuals(timm.create_model(name), [torch.randn(2, 3, side, side)])
    assert len(found) == sums and all(np.isfinite(r.ratio).all() and r.ratio.shape == r.along.shape for r in found.values())


def test_unknown_blocks_are_a_sentence():
    with pytest.raises(ValueError, match="The skip connections of NormFreeBlock"):
        residual.residuals(timm.create_model("test_nfnet"), batch())


@pytest.mark.parametrize("name", ["vit_cls", "resnet"])
def test_blocks_without_skips_have_no_sum(name):
    model = models.create(name, seed=0, without_skips=[1]).eval()
    block = capture.layers(model)[1]
    found = residual.residuals(model, batch())
    assert len(found) == (14 if name == "vit_cls" else 7) and not any(tap.startswith(f"{block}.") for tap in found)


def test_no_sum_at_all_is_a_sentence():
    model = models.create("vit_cls", seed=0, without_skips=range(8))
    with pytest.raises(ValueError, match="No block of this VisionTransformer has a skip connection"):
        residual.residuals(model, batch())


def test_the_cost_of_a_network_without_a_skip():
    assert models.cost("resnet", 64, without_skips=[3]) == models.cost("resnet", 64)


def test_a_vit_block_without_skips_is_its_branches_in_a_row():
    model = residual.remove_skips(models.create("vit_cls", seed=0).eval(), [2])
    x = torch.randn(2, 65, 96)
    block = model.blocks[2]
    with torch.no_grad():
        expected = block.attn(block.norm1(x))
        expected = block.mlp(block.norm2(expected))
        torch.testing.assert_close(block(x), expected)
    assert capture.layers(model) == [f"blocks.{i}" for i in range(8)] and len(capture.layers(model, "all")) == 49


def test_a_resnet_block_without_its_skip_is_its_branch():
    model = models.create("resnet", seed=0, without_skips=[3]).eval()
    block = model.layer2[1]
    x = torch.randn(2, 32, 16, 16)
    with torch.no_grad():
        expected = block.bn2(block.conv2(block.act1(block.bn1(block.conv1(x))))).relu()
        torch.testing.assert_close(block(x), expected)
        assert block(x).abs().max() > 0


def test_blocks_that_cannot_lose_their_skips():
    with pytest.raises(ValueError, match="The shortcut of block 2 is a projection"):
        models.create("resnet", without_skips=[2])
    with pytest.raises(ValueError, match="Block 9 was asked for, but the network has 8"):
        models.create("vit_cls", without_skips=[9])


def test_the_card_brings_the_missing_skips_back(tmp_path, monkeypatch):
    monkeypatch.setitem(
        recipes.RECIPES["smoke"], "skipless", recipes.Recipe("vit_cls", 64, {"depth": 2, "width": 24, "without_skips": [1]})
    )
    card = train.train("skipless", tmp_path, tier="smoke")
    model = models.create(card.architecture, "smoke", **card.options)
    assert type(model.blocks[1]).__name__ == "BlockWithoutSkips" and type(model.blocks[0]).__name__ == "Block"


def test_skips_are_removed_once_and_trained_norms_stay():
    vit = models.create("vit_cls", seed=0)
    residual.remove_skips(residual.remove_skips(vit, [2]), [2])
    assert [type(b).__name__ for b in vit.blocks].count("BlockWithoutSkips") == 1
    resnet = models.load("resnet")
    trained = resnet.layer1[1].bn2.weight.clone()
    with pytest.raises(ValueError, match="is a projection"):
        residual.remove_skips(resnet, [1, 2])
    assert resnet.layer1[1].downsample is None  # nothing was changed
    residual.remove_skips(resnet, [1])
    assert torch.equal(trained, resnet.layer1[1].bn2.weight)


def summed(ratio, cosine=0.5):
    ratio = np.asarray(ratio, float)
    return residual.Residuals(ratio, np.full(ratio.shape, cosine), np.log(ratio), np.full(ratio.shape, 0.75))


def a_vit(mlp, attention):
    """One batch of a ViT with a class token and four patches; its log ratio by block at the class token, and 0 at the patches."""
    found = {}
    for i, (token, other) in enumerate(zip(mlp, attention, strict=True)):
        found[f"blocks.{i}.attn"] = summed([[np.exp(other), *[1] * 4]])
        found[f"blocks.{i}.mlp"] = summed([[np.exp(token), *[1] * 4]])
    return residual.by_token(found, "log")


def phases(z):
    return {name: residual.phase(z, *of) for name, of in residual.PHASES.items()}


def test_opposite_effects_of_the_two_branches_are_kept_apart():
    z = a_vit(mlp=[9, 2, 2, -1, -1, 9], attention=[-9, -2, -2, 1, 1, -9])
    assert z.shape == (1, 12, 5)
    found = phases(z.mean(0))
    assert list(found.values()) == pytest.approx([2, 1, -2, -1])
    lead = residual.leads(z.mean(0))
    assert lead["MLP"] == pytest.approx([9, 2, 2, -1, -1, 9]) and lead["MLP"] + lead["attention"] == pytest.approx(0)


def test_first_last_and_middle_blocks_are_in_no_half():
    z = a_vit(mlp=[50, 2, 70, 3, 90], attention=[0] * 5).mean(0)
    assert phases(z) == pytest.approx({"MLP, lower half": 2, "MLP, upper half": -3, "attention, lower half": 0, "attention, upper half": 0})


def test_equal_tokens_have_no_phases():
    assert list(phases(a_vit(mlp=[0] * 4, attention=[0] * 4).mean(0)).values()) == [0, 0, 0, 0]


def test_one_image_with_a_huge_ratio_does_not_carry_a_log_ratio_away():
    class Doubles(torch.nn.Module):
        def forward(self, x):
            return x * torch.tensor([1e-6, 1.0, 1.0])[:, None, None]

    model = models.create("vit_cls", seed=0).eval()
    block = model.blocks[3]
    block.norm2, block.mlp, block.ls2 = torch.nn.Identity(), torch.nn.Identity(), Doubles()
    found = residual.residuals(model, batch(3))["blocks.3.ls2"]
    np.testing.assert_allclose(found.log, np.log(1e6) / 3, rtol=1e-4)
    assert found.ratio.min() > 3e5
    norms = residual.norms(model, batch(3))["blocks.3.ls2"]
    assert norms.skip.shape == (3, 65)
    np.testing.assert_allclose((norms.skip / norms.branch)[1:], 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"a.attn": summed([[1] * 4]), "a.mlp": summed([[1] * 4])}, "has no class token"),
        ({"a.bn": summed([[1] * 16]), "b.bn": summed([[1] * 4])}, "have 4, 16 positions: a ViT, in which all have as many"),
        ({"a.attn": summed([[1] * 5]), "a.mlp": summed([[1] * 5])}, "at least 4 blocks, which have 8 residual sums, got 2"),
    ],
)
def test_networks_without_a_class_tokens_path_are_a_sentence(found, message):
    with pytest.raises(ValueError, match=message):
        residual.by_token(found)


def test_registers_are_no_patches():
    found = {f"blocks.{i}.{branch}": summed([[9, 7, 7, 1, 2, 3, 4]]) for i in range(4) for branch in ("attn", "mlp")}
    assert residual.by_token(found)[0, 0].tolist() == [9, 1, 2, 3, 4]


def test_sums_count_alike_whatever_their_positions():
    found = {"a.bn": summed([[1] * 16], 0.25), "b.bn": summed([[3] * 4], 0.75)}
    assert residual.by_sum(found).tolist() == [[1, 3]] and residual.by_sum(found, "cosine").mean() == 0.5


def test_lines_are_split_as_far_as_a_network_allows():
    found = {
        f"blocks.{i}.{branch}": summed([[token, *[patches] * 4]])
        for i, (token, patches) in enumerate([(5, 2), (1, 8)])
        for branch in ("attn", "mlp")
    }
    drawn = residual.lines(found)
    assert list(drawn) == ["attention, patches", "attention, class token", "MLP, patches", "MLP, class token"]
    assert drawn["MLP, class token"] == {"ratio": [5, 1], "cosine": [0.5, 0.5], "along": [0.75, 0.75]}
    assert drawn["attention, patches"]["ratio"] == [2, 8]
    one = residual.lines({"a.bn": summed([[1] * 16]), "b.bn": summed([[3] * 4])})
    assert one == {"block": {"ratio": [1, 3], "cosine": [0.5, 0.5], "along": [0.75, 0.75]}}
    mixer = {"a.mlp_tokens": summed([[1] * 4]), "a.mlp_channels": summed([[2] * 4])}
    assert list(residual.lines(mixer)) == ["token mixing", "MLP"]


def test_skip_and_sum_of_equal_and_orthogonal_vectors_meet_at_half_a_right_angle():
    model = models.create("vit_cls", seed=0).eval()
    block = model.blocks[3]
    turn = torch.zeros(96, 96)
    turn[torch.arange(48), torch.arange(48, 96)], turn[torch.arange(48, 96), torch.arange(48)] = 1, -1
    block.norm2, block.mlp, block.ls2 = torch.nn.Identity(), torch.nn.Identity(), torch.nn.Linear(96, 96, bias=False)
    block.ls2.weight.data = turn
    found = residual.residuals(model, batch())["blocks.3.ls2"]
    np.testing.assert_allclose(found.cosine, 0, atol=1e-5)
    np.testing.assert_allclose(found.along, 0.5**0.5, rtol=1e-5)


def test_the_price_is_lost_accuracy_in_points():
    assert residual.price(0.95, 0.905) == pytest.approx(4.5)
    assert residual.price(0.92, 0.94) == pytest.approx(-2)
