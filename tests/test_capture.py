"""Hooks on our networks and on timm's, loud when they should be and gone afterwards."""

import pytest
import timm
import torch
from torch import nn

from seelike import capture, models
from seelike.capture import attention, layers


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


@pytest.fixture(scope="module")
def vit():
    return models.create("vit_cls", seed=0).eval()


@pytest.fixture(scope="module")
def x():
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "blocks", "taps"), [("vit_cls", 8, 49), ("vit_gap", 8, 49), ("mixer", 8, 49), ("resnet", 8, 57)])
def test_our_networks(name, blocks, taps, x):
    model = models.create(name, seed=0).eval()
    assert len(layers(model)) == blocks and len(layers(model, "all")) == taps
    assert len(layers(model, "branch")) == (8 if name == "resnet" else 16)
    with torch.no_grad(), capture.capture(model, layers(model, "all")) as found:
        model(x)
        assert list(found) == layers(model, "all")
    assert hooks(model) == 0


@pytest.mark.parametrize(
    "name",
    [
        "test_convnext",
        "test_vit",
        "deit_tiny_distilled_patch16_224",
        "vit_small_patch14_reg4_dinov2",
        "swin_tiny_patch4_window7_224",
        "resnetv2_50x1_bit",
    ],
)
def test_networks_of_timm(name):
    model = timm.create_model(name, pretrained=False, **({"depths": (1, 1, 1, 1)} if "swin" in name else {})).eval()
    size = model.default_cfg["input_size"][-1]
    size = 224 if size > 300 else size
    if "dinov2" in name:
        model.set_input_size((224, 224))
    image = torch.randn(1, 3, size, size)
    for kind in ("block", "all"):
        with torch.no_grad(), capture.capture(model, layers(model, kind)) as found:
            model(image)
        assert len(found) == len(layers(model, kind)) > 3
    assert hooks(model) == 0


def test_prefix_tokens_are_told_from_the_grid(x):
    for name, prefix in (("deit_tiny_distilled_patch16_224", 2), ("vit_small_patch14_reg4_dinov2", 5)):
        model = timm.create_model(name, img_size=224).eval()
        with torch.no_grad(), capture.capture(model, ["blocks.0"]) as found:
            model(torch.randn(1, 3, 224, 224))
        tokens = found["blocks.0"]
        assert capture.patches(tokens).shape[1] == tokens.shape[1] - prefix
        assert torch.equal(capture.patches(tokens), tokens[:, prefix:])


def test_values_are_the_layer_outputs_and_the_residual_stream(vit, x):
    taps = ["blocks.2", "blocks.2.norm2:in", "blocks.2.attn", "blocks.1"]
    with torch.no_grad(), capture.capture(vit, taps) as found:
        vit(x)
    torch.testing.assert_close(found["blocks.2.norm2:in"], found["blocks.1"] + found["blocks.2.attn"])


def test_globs_keep_the_order_asked_for(vit):
    assert capture.resolve(vit, ["norm", "blocks.[01].attn"]) == ["norm", "blocks.0.attn", "blocks.1.attn"]


@pytest.mark.parametrize(
    ("taps", "message"),
    [
        ("blocks.3.atn", "nearest names are blocks.3.attn"),
        ("blocks.9", "No layer is called 'blocks.9'"),
        (["norm", "norm"], "more than once: norm"),
        ("norm:out", "only 'in'"),
    ],
)
def test_misspelt_layers(vit, taps, message):
    with pytest.raises(ValueError, match=message), capture.capture(vit, taps):
        pass
    assert hooks(vit) == 0


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.twice, self.never, self.pair = nn.Linear(4, 4), nn.Linear(4, 4), nn.LSTM(4, 4)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        self.pair(x)
        return self.relu(self.twice(self.twice(x)))


def test_silent_repeated_and_non_tensor_layers():
    model, x = Odd(), torch.randn(2, 4)
    with pytest.raises(RuntimeError, match="never called never"), capture.capture(model, "never"):
        model(x)
    with pytest.raises(RuntimeError, match="twice was called twice"), capture.capture(model, "twice"):
        model(x)
    with pytest.raises(TypeError, match="pair gives a tuple"), capture.capture(model, "pair"):
        model(x)
    assert hooks(model) == 0
    with capture.capture(model, ["twice", "relu"], calls="last") as found:
        out = model(x)
    assert (found["twice"] < 0).any() and torch.equal(found["relu"], out)  # the in-place ReLU did not reach the copy


def test_everything_is_restored_when_the_forward_raises(vit):
    before = [m.fused_attn for m in vit.modules() if hasattr(m, "fused_attn")]
    with pytest.raises(AssertionError, match="Input height"), attention(vit):
        vit(torch.randn(1, 3, 10, 10))
    assert hooks(vit) == 0
    assert [m.fused_attn for m in vit.modules() if hasattr(m, "fused_attn")] == before


def test_attention_rows_sum_to_one_and_the_forward_is_the_same(vit, x):
    with torch.no_grad():
        fused = vit(x)
        with attention(vit) as found:
            unfused = vit(x)
    assert len(found) == 8 and found["blocks.0.attn.attn_drop"].shape == (3, 3, 65, 65)
    for weights in found.values():
        torch.testing.assert_close(weights.sum(-1), torch.ones(3, 3, 65))
    torch.testing.assert_close(fused, unfused, atol=1e-5, rtol=1e-4)


def test_a_convolutional_network_has_no_attention():
    with pytest.raises(ValueError, match="ResNet has no attention to capture"), attention(models.create("resnet")):
        pass


def test_views():
    tokens, feature_map = torch.randn(2, 65, 7), torch.randn(2, 7, 8, 8)
    assert capture.flat(tokens).shape == (2, 455)
    assert capture.cls(tokens).shape == capture.gap(tokens).shape == capture.gap(feature_map).shape == (2, 7)
    assert torch.equal(capture.cls(tokens), tokens[:, 0])
    torch.testing.assert_close(capture.gap(feature_map), feature_map.mean((2, 3)))
    torch.testing.assert_close(capture.gap(tokens), tokens[:, 1:].mean(1))
    assert capture.patches(torch.randn(2, 64, 7)).shape[1] == 64
    with pytest.raises(ValueError, match="No class token"):
        capture.cls(torch.randn(2, 64, 7))
    with pytest.raises(ValueError, match="Expected tokens"):
        capture.tokens(torch.randn(2, 7))


def test_listening_puts_every_module_back_and_keeps_batch_statistics():
    model = models.create("resnet", seed=0).train()
    model.bn1.eval()  # frozen on purpose
    mean = model.bn1.running_mean.clone(), model.layer1[0].bn1.running_mean.clone()
    with pytest.raises(KeyError), capture.listening(model):
        model(torch.randn(4, 3, 64, 64))
        raise KeyError
    assert model.training and not model.bn1.training and model.layer1[0].bn1.training
    assert torch.equal(mean[1], model.layer1[0].bn1.running_mean)


def test_batches_come_bare_or_with_labels_to_the_device_of_the_network():
    x, y = torch.zeros(2, 3, 8, 8), torch.zeros(2)
    model = nn.Conv2d(3, 1, 1)
    (bare, nothing), (pair, labels) = capture.each_batch(model, [x, (x, y)])
    assert bare.shape == pair.shape == x.shape and nothing is None and labels is y
    assert next(capture.each_batch(nn.Conv2d(3, 1, 1, device="meta"), [x]))[0].device.type == "meta"
    with pytest.raises(ValueError, match="No batch came"):
        list(capture.each_batch(model, []))


def test_tokens_that_are_no_square_grid_are_a_sentence():
    with pytest.raises(ValueError, match="32 tokens are no square grid"):
        capture.patches(torch.zeros(1, 32, 4))
    assert capture.patches(torch.zeros(1, 32, 4), prefix=0).shape == (1, 32, 4)
