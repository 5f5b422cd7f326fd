"""Hooks on our networks and on timm's, loud when they should be and gone afterwards."""

import pytest
import timm
import torch
from torch import nn

from seelike import capture, cka, data, models
from seelike.capture import attention, layers

SIX = (".norm1", ".attn", ".norm2:in", ".norm2", ".mlp.act", "")
MIXER = (".norm1", ".mlp_tokens", ".norm2:in", ".norm2", ".mlp_channels.act", "")
EIGHT = [f"blocks.{i}" for i in range(8)]
CMT = [f"stages.{stage}.blocks.{i}" for stage, depth in enumerate((2, 2, 4)) for i in range(depth)]
RESNET = [f"layer{stage}.{i}" for stage in range(1, 5) for i in range(2)]
STEM = [*(f"conv1.{i}" for i in range(7)), "bn1", "act1"]
OTHERS = {
    "test_convnext": {},
    "convnextv2_atto": {"depths": (1, 1, 1, 1)},
    "test_efficientnet": {},
    "tf_efficientnet_lite0": {},
    "mobilenetv4_conv_small": {},
    "test_resnet": {},
    "seresnet50": {"layers": (1, 1, 1, 1)},
    "resnetv2_18": {},
    "resnetv2_50x1_bit": {},
    "test_vit": {"img_size": 160},
    "test_vit4": {"img_size": 160},
    "vit_small_patch14_dinov2": {"img_size": 112, "depth": 3},
    "vit_small_patch14_reg4_dinov2": {"img_size": 112, "depth": 3},
    "eva02_tiny_patch14_224": {"img_size": 112, "depth": 2},
    "mixer_s16_224": {"img_size": 64},
    "swin_tiny_patch4_window7_224": {"img_size": 224, "depths": (2, 1, 1, 1)},
}


def each(blocks, *parts):
    return [block + part for block in blocks for part in parts]


PUBLISHED = {  # architecture: blocks, branches, all taps; the recorded numbers stand on these lists
    "vit_cls": (EIGHT, each(EIGHT, ".attn", ".mlp"), [*each(EIGHT, *SIX), "norm"]),
    "vit_gap": (EIGHT, each(EIGHT, ".attn", ".mlp"), [*each(EIGHT, *SIX), "norm"]),
    "mvit": (EIGHT, each(EIGHT, ".attn", ".mlp"), [*each(EIGHT, *SIX), "norm"]),
    "mixer": (EIGHT, each(EIGHT, ".mlp_tokens", ".mlp_channels"), [*each(EIGHT, *MIXER), "norm"]),
    "cmt": (CMT, each(CMT, ".attn", ".mlp"), each(CMT, *SIX)),
    "resnet": (RESNET, each(RESNET, ".bn2"), STEM + each(RESNET, ".conv1", ".bn1", ".act1", ".conv2", ".bn2", ".act2")),
}


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


@pytest.fixture(scope="module")
def vit():
    return models.create("vit_cls", seed=0).eval()


@pytest.fixture(scope="module")
def x():
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", PUBLISHED)
def test_our_networks(name, x):
    model = models.create(name, seed=0).eval()
    assert (layers(model), layers(model, "branch"), layers(model, "all")) == PUBLISHED[name]
    with torch.no_grad(), capture.capture(model, layers(model, "all")) as found:
        model(x)
        assert list(found) == layers(model, "all")
    assert hooks(model) == 0


@pytest.fixture(scope="module", params=list(OTHERS))
def other(request):
    """A network of timm with random weights everywhere, layer scale and last norms included, and an image for it."""
    torch.manual_seed(0)
    model = timm.create_model(request.param, **OTHERS[request.param]).eval()
    for p in model.parameters():
        if p.ndim < 2 or not p.any():
            p.data += 0.3 * torch.randn_like(p)
    return model, torch.randn(2, 3, *[OTHERS[request.param].get("img_size", 64)] * 2)


def test_taps_of_timm_networks_are_distinct_and_in_the_order_of_their_calls(other):
    model, image = other
    taps, order = layers(model, "all"), []
    outputs = [tap for tap in taps if ":" not in tap]
    handles = [model.get_submodule(tap).register_forward_hook(lambda *_, tap=tap: order.append(tap)) for tap in outputs]
    with torch.no_grad(), capture.capture(model, taps) as found:
        model(image)
    for handle in handles:
        handle.remove()
    assert order == outputs
    values = [v.flatten() for v in found.values()]
    assert not any(torch.equal(v, w) for i, v in enumerate(values) for w in values[:i])
    assert hooks(model) == 0


def test_a_block_is_its_skip_and_its_branch(other):
    model, image = other
    pairs, blocks = capture.sums(model), layers(model)
    assert layers(model, "branch") == [branch for _, branch in pairs]
    with torch.no_grad(), capture.capture(model, list(dict.fromkeys([*blocks, *(tap for pair in pairs for tap in pair)]))) as found:
        model(image)
    for block in blocks:
        own = [pair for pair in pairs if pair[1].startswith(f"{block}.")]
        if not own:
            assert not getattr(model.get_submodule(block), "has_skip", True)
            continue
        total = [capture.tokens(found[skip]) + capture.tokens(found[branch]) for skip, branch in own]
        result = total[-1].relu() if hasattr(model.get_submodule(block), "bn2") and model.__class__.__name__ == "ResNet" else total[-1]
        torch.testing.assert_close(result, capture.tokens(found[block]), atol=1e-5, rtol=1e-5)
        if len(own) == 2:
            torch.testing.assert_close(total[0], capture.tokens(found[own[1][0]]), atol=1e-5, rtol=1e-5)


def test_a_norm_and_the_activation_inside_it_are_one_tap():
    taps = layers(timm.create_model("resnetv2_50x1_bit"), "all")
    assert len(taps) == 1 + 16 * 6 + 1 and not any(tap.endswith(".act") or "downsample" in tap for tap in taps)


def test_what_a_branch_adds_has_the_width_of_the_stream():
    assert layers(timm.create_model("resnetv2_50x1_bit"), "branch")[0] == "stages.0.blocks.0.conv3"
    assert layers(timm.create_model("test_convnext"), "branch")[0] == "stages.0.blocks.0.drop_path"
    assert layers(timm.create_model("test_vit", init_values=1e-5), "branch")[:2] == ["blocks.0.ls1", "blocks.0.ls2"]


def test_stages_are_joined_by_layers_and_not_by_shortcuts():
    taps = layers(timm.create_model("test_convnext"), "all")
    assert "stages.1.downsample.1" in taps and "stages.0.blocks.0.mlp.act" in taps


class Block(nn.Module):
    """Two layers called against the order of registration, one shared."""

    def __init__(self):
        super().__init__()
        self.second, self.first, self.relu = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.ReLU()

    def forward(self, x):
        return self.relu(self.second(self.relu(self.first(x))))


def test_the_order_is_that_of_the_forward_pass_and_the_network_stays_as_it_was():
    model = nn.Sequential(Block()).train()
    before = {k: v.data_ptr() for k, v in model.state_dict().items()}
    assert layers(model, "all") == ["0.first", "0.second"]  # the activation, called twice, has no one output
    assert model.training and hooks(model) == 0 and before == {k: v.data_ptr() for k, v in model.state_dict().items()}


def test_unknown_branches_and_orders_are_sentences():
    with pytest.raises(ValueError, match="The skip connections of Block .0. are not known"):
        layers(nn.Sequential(Block()), "branch")
    with pytest.raises(ValueError, match="The skip connections of SEResNetBlock"):  # its last norm is not what is added
        layers(timm.create_model("legacy_seresnet18"), "branch")
    with pytest.raises(ValueError, match="order in which Sequential calls its layers could not be found"):
        layers(nn.Sequential(Block(), nn.Linear(5, 5)), "all")


@pytest.mark.parametrize("name", ["test_convnext", "swin_tiny_patch4_window7_224"])
def test_maps_with_channels_last_come_with_channels_first(name):
    model = timm.create_model(name, **OTHERS[name]).eval()
    image = torch.randn(2, 3, *[OTHERS[name].get("img_size", 64)] * 2)
    norm = layers(model)[0] + (".norm1" if "swin" in name else ".norm")
    act = layers(model)[0] + ".mlp.act"
    raw = {}
    handle = model.get_submodule(norm).register_forward_hook(lambda _, __, out: raw.setdefault("out", out))
    with torch.no_grad(), capture.capture(model, [norm, act, layers(model)[0]]) as found:
        model(image)
    handle.remove()
    assert raw["out"].shape[1] == raw["out"].shape[2] != raw["out"].shape[3]  # channels are last in the network
    torch.testing.assert_close(capture.gap(found[norm]), raw["out"].mean((1, 2)))
    assert all(capture.tokens(h).shape[1] == raw["out"].shape[1] ** 2 for h in found.values())
    with pytest.raises(ValueError, match="looks like a map with channels last"):
        capture.gap(raw["out"])


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.fc1 = nn.Conv2d(3, 5, 1), nn.ReLU(), nn.Linear(5, 2)

    def forward(self, x):
        return self.fc1(self.relu(self.conv(x)).mean((2, 3)))


def test_a_linear_layer_beside_it_does_not_turn_a_feature_map():
    model = Small()
    with capture.capture(model, "relu") as found:
        model(torch.randn(2, 3, 7, 6))
    assert found["relu"].shape == (2, 5, 7, 6)


def test_token_mixing_of_a_mixer_comes_as_positions_by_channels():
    mixer = models.create("mixer", seed=0, width=81).eval()  # 81 channels would pass for a grid of 9 x 9 tokens
    with torch.no_grad(), capture.capture(mixer, "blocks.0.mlp_tokens") as found:
        mixer(torch.randn(1, 3, 64, 64))
    assert capture.patches(found["blocks.0.mlp_tokens"]).shape == (1, 64, 81)


def test_prefix_tokens_are_told_from_the_grid(x):
    for name, prefix in (("deit_tiny_distilled_patch16_224", 2), ("vit_small_patch14_reg4_dinov2", 5)):
        model = timm.create_model(name, img_size=224, depth=1).eval()
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


class Keyword(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x):
        return self.inner(input=x)


def test_an_input_that_comes_by_keyword_is_a_sentence():
    model = Keyword()
    with pytest.raises(ValueError, match="inner:in takes no input by position"), capture.capture(model, "inner:in"):
        model(torch.randn(2, 4))
    assert hooks(model) == 0


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


@pytest.mark.parametrize("counts", ["images", "batches"])
def test_a_last_batch_too_small_for_unbiased_cka_is_refused_before_the_work(counts):
    pairs = torch.utils.data.TensorDataset(torch.randn(10, 3, 8, 8), torch.zeros(10))
    loader = torch.utils.data.DataLoader(pairs, batch_size=8)
    if counts == "images":
        loader = data.Images(torch.zeros(10, 3, 8, 8, dtype=torch.uint8), torch.zeros(10, dtype=torch.int64), ("one",), batch_size=8)
    model = nn.Sequential(nn.Conv2d(3, 4, 1))
    seen = []
    model.register_forward_hook(lambda *_: seen.append(1))
    with pytest.raises(ValueError, match="at least 4 examples, but the last one of this loader has 2"):
        cka.sweep({"a": model}, loader, ["0"])
    assert not seen
    assert len(cka.sweep({"a": model}, loader, ["0"], unbiased=False).hsic) == 2
    with pytest.raises(ValueError, match="at least 4 examples, got 2"):  # a loader that does not tell its size
        cka.sweep({"a": model}, list(loader), ["0"])
    if counts == "batches":
        whole = torch.utils.data.DataLoader(pairs, batch_size=8, drop_last=True)
        assert len(cka.sweep({"a": model}, whole, ["0"]).hsic) == 1


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


@pytest.mark.parametrize(("n", "prefix", "found"), [(64, None, (8, 0)), (65, None, (8, 1)), (261, None, (16, 5)), (20, 4, (4, 4))])
def test_the_grid_among_tokens(n, prefix, found):
    assert capture.grid(n, prefix) == found


@pytest.mark.parametrize(("n", "prefix"), [(60, None), (0, None), (12, 1), (65, 0), (4, 4), (16, -9)])
def test_tokens_without_a_grid_are_a_sentence(n, prefix):
    with pytest.raises(ValueError, match=f"{n} tokens .* no square grid"):
        capture.grid(n, prefix)


def test_the_device_of_a_network():
    assert capture.device_of(nn.Linear(2, 2, device="meta")).type == "meta"
    assert capture.device_of(nn.BatchNorm1d(2, affine=False, device="meta")).type == "meta"
    assert capture.device_of(nn.ReLU()).type == "cpu"
