"""Norm ratios on hand-made blocks and against a direct computation; networks without some of their skips."""

import numpy as np
import pytest
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


def test_every_sum_of_a_vit_adds_up():
    model = models.create("vit_cls", seed=0).eval()
    x = batch()[0][0]
    pairs = residual._sums(model)
    assert len(pairs) == 16
    with torch.no_grad(), capture.capture(model, [*dict.fromkeys(t for p in pairs for t in p), *capture.layers(model)]) as found:
        model(x)
    for i, block in enumerate(capture.layers(model)):
        (z1, f1), (z2, f2) = pairs[2 * i : 2 * i + 2]
        torch.testing.assert_close(found[z1] + found[f1], found[z2])
        torch.testing.assert_close(found[z2] + found[f2], found[block])


def test_every_sum_of_a_resnet_adds_up_before_its_relu():
    model = models.load("resnet")
    pairs = residual._sums(model)
    assert len(pairs) == 8
    with torch.no_grad(), capture.capture(model, [*(t for p in pairs for t in p), *capture.layers(model)]) as found:
        model(batch()[0][0])
    for (z, f), block in zip(pairs, capture.layers(model), strict=True):
        torch.testing.assert_close((found[z] + found[f]).relu(), found[block])


def test_other_networks_are_a_sentence():
    with pytest.raises(ValueError, match="The skip connections of MixerBlock"):
        residual.residuals(models.create("mixer").eval(), batch())


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
    model = models.create(card["architecture"], "smoke", **card["options"])
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
