"""CMT and MViT: published sizes, any resolution, and plain attention where nothing is pooled or reduced."""

import pytest
import torch
from timm.models.vision_transformer import Block

from seelike import capture, cmt, hybrids, models, mvit

SIZES = {  # parameters in millions, billions of multiplications, image side; cmt_s as its settings give it (25.1 M is printed)
    "cmt_ti": (9.5, 0.64, 160),
    "cmt_xs": (15.2, 1.55, 192),
    "cmt_s": (26.26, 4.0, 224),
    "cmt_b": (45.7, 9.3, 256),
    "mvit_b16": (37.0, 7.8, 224),
    "mvit_b24": (53.5, 10.9, 224),
    "mvit_b24_wide": (72.9, 32.7, 320),
}


@pytest.mark.parametrize("name", SIZES)
def test_published_parameters_and_multiplications(name):
    parameters, multiplications, side = SIZES[name]
    found, forward = models.cost(name, side)
    assert found / 1e6 == pytest.approx(parameters, rel=0.01) and forward / 1e9 == pytest.approx(multiplications, rel=0.03)


def small_cmt(**options):
    return hybrids.CMT(64, 8, (16, 32, 48, 64), (1, 1, 1, 1), heads=(1, 2, 3, 4), num_classes=10, **options).eval()


def small_mvit(**options):
    return mvit.MViT(64, 24, (1, 1, 2, 1), kernel=3, num_classes=10, **options).eval()


@pytest.mark.parametrize("side", [64, 128])
def test_any_resolution(side):
    x = torch.randn(2, 3, side, side)
    for model in (small_cmt(), small_mvit(), small_mvit(pool="max"), small_mvit(pool="avg", kv_stride=2)):
        assert model(x).shape == (2, 10)


def test_clips():
    model = small_mvit(clip=8)
    assert model(torch.randn(2, 3, 8, 64, 64)).shape == model(torch.randn(2, 3, 16, 64, 64)).shape == (2, 10)
    with pytest.raises(ValueError, match="Images are"):
        model(torch.randn(2, 3, 64, 64))
    with pytest.raises(ValueError, match="Images are"):
        small_mvit()(torch.randn(2, 3, 8, 64, 64))


def test_an_odd_map_is_a_sentence():
    with pytest.raises(ValueError, match="square images whose maps divide by 8"):
        small_cmt()(torch.randn(1, 3, 72, 72))


def test_mvit_without_pooling_is_a_vit_block():
    ours = mvit.MultiscaleBlock(48, 48, 3, q_stride=1, kv_stride=1, pool=None, skip="normalised", drop_path=0.0, frames=1).eval()
    theirs = Block(48, 3, mlp_ratio=4.0, qkv_bias=True).eval()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 17, 48)
    assert ours.after((1, 4, 4)) == (1, 4, 4)
    torch.testing.assert_close(ours(x, (1, 4, 4)), theirs(x), atol=1e-5, rtol=1e-4)


def test_cmt_without_reduction_and_bias_is_plain_attention():
    ours = cmt.LightAttention(48, 3, 1).eval()
    plain = torch.nn.MultiheadAttention(48, 3, batch_first=True).eval()
    plain.in_proj_weight.data = torch.cat([ours.q.weight, ours.k.weight, ours.v.weight])
    plain.in_proj_bias.data = torch.cat([ours.q.bias, ours.k.bias, ours.v.bias])
    plain.out_proj.load_state_dict(ours.proj.state_dict())
    x = torch.randn(2, 16, 48)
    expected = plain(x, x, x)[0]
    for fused in (True, False):
        ours.fused_attn = fused
        torch.testing.assert_close(ours(x, 4, torch.zeros(3, 16, 16)), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("model", [small_cmt(), small_mvit()], ids=["cmt", "mvit"])
def test_fused_attention_is_attention_and_can_be_captured(model):
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        fused = model(x)
        with capture.attention(model) as weights:
            torch.testing.assert_close(model(x), fused, atol=1e-4, rtol=1e-3)
        assert all(torch.allclose(w.sum(-1), torch.ones(()), atol=1e-5) for w in weights.values())


def test_pooling_shrinks_and_widens_where_the_paper_says():
    model = models.create("mvit_b16", image=64)
    queries = [i for i, b in enumerate(model.blocks) if b.attn.pool_q is not None]
    widths = [b.norm1.normalized_shape[0] for b in model.blocks]
    assert queries == [1, 3, 14] and widths == [96, 192, 192, *[384] * 11, 768, 768]
    assert [b.attn.num_heads for b in model.blocks] == [1, 2, 2, *[4] * 11, 8, 8]
    assert [b.attn.pool_k.pool.stride[0] for b in model.blocks] == [4, 2, 2, *[1] * 13]


@pytest.mark.parametrize("skip", ["normalised", "unnormalised", "none"])
def test_skip_variants(skip):
    model = small_mvit(skip=skip)
    assert (model.blocks[0].widen is None) == (skip == "none") and model(torch.randn(1, 3, 64, 64)).shape == (1, 10)


def test_unknown_variants_are_sentences():
    with pytest.raises(ValueError, match="Pooling is conv, max or avg, got 'sum'"):
        small_mvit(pool="sum")
    with pytest.raises(ValueError, match="The skip is normalised"):
        small_mvit(skip="bare")


def test_ablations_take_parts_out():
    whole = sum(p.numel() for p in small_cmt().parameters())
    for option in ("stem", "lpu", "irffn"):
        assert sum(p.numel() for p in small_cmt(**{option: False}).parameters()) < whole
