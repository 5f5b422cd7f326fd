"""CMT and MViT: published sizes, any resolution, and plain attention where nothing is pooled or reduced."""

import pytest
import torch
from timm.models.vision_transformer import Block

from seelike import capture, cmt, hybrids, models, mvit
from seelike.recipes import RECIPES

SIZES = {  # parameters in millions, billions of multiplications, image side, as published; of cmt_s what its settings give
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


def test_the_settings_of_cmt_s_give_more_parameters_than_are_printed():
    found, forward = models.cost("cmt_s", 224)
    assert found / 25.1e6 == pytest.approx(1.046, abs=1e-3) and forward / 1e9 == pytest.approx(4.0, rel=0.03)
    assert models.cost("cmt_s", 224, expansion=3.7)[0] / 25.1e6 == pytest.approx(1, rel=0.01)


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
    with pytest.raises(ValueError, match="The norms of CMT are both, batch or layer, got 'none'"):
        small_cmt(norms="none")


def test_ablations_take_parts_out():
    whole = sum(p.numel() for p in small_cmt().parameters())
    for option in ("stem", "lpu", "irffn"):
        assert sum(p.numel() for p in small_cmt(**{option: False}).parameters()) < whole


def outside(gradient, near):
    """Whether a gradient with respect to pixels (3, h, w) is zero everywhere but in the first cell."""
    gradient = gradient.clone()
    gradient[:, :near, :near] = 0
    return not gradient.any()


def first_block(model, x):
    """The map that enters attention in the first block, of which every position is one token."""
    stage = model.stages[0]
    y = stage.embed(model.stem(x)).flatten(2).mT
    block = stage.blocks[0]
    return y if block.lpu is None else y + block.lpu(y.mT.unflatten(2, (16, 16))).flatten(2).mT


@pytest.mark.parametrize("convolutions", [False, True])
def test_a_cmt_without_convolutions_knows_no_neighbours(convolutions):
    model, x = small_cmt(convolutions=convolutions), torch.randn(1, 3, 64, 64, requires_grad=True)
    first_block(model, x)[0, 0].sum().backward()
    assert outside(x.grad[0], 4) == (not convolutions)
    kinds = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size[0] > m.stride[0]]
    assert bool(kinds) == convolutions and model(x).shape == (1, 10)


def test_norms_of_one_kind():
    for kind, other in (("layer", torch.nn.BatchNorm2d), ("batch", torch.nn.LayerNorm)):
        model = small_cmt(norms=kind).train()
        assert not any(isinstance(m, other) for m in model.modules()) and model(torch.randn(2, 3, 64, 64)).isfinite().all()
    tokens = 3 + 2 * torch.randn(8, 50, 4)
    flat = cmt.TokenBatchNorm(4).train()(tokens).flatten(0, 1)
    torch.testing.assert_close(flat.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(flat.std(0, correction=0), torch.ones(4), atol=1e-4, rtol=0)


def test_pooling_kernels_as_in_the_paper():
    """Table 15: stride + 1; where nothing is strided, nothing is pooled."""
    wide, none = small_mvit(pool="max", pool_kernel=None), small_mvit(pool="max", pool_kernel=None, kv_stride=0)
    pools = [b.attn.pool_k and b.attn.pool_k.pool for b in wide.blocks]
    assert [p and (p.kernel_size, p.stride) for p in pools] == [((5, 5), (4, 4)), ((3, 3), (2, 2)), None, None, None]
    assert all(b.attn.pool_k is None and b.attn.pool_v is None for b in none.blocks)
    assert [b.attn.pool_q is not None for b in none.blocks] == [False, True, True, False, True]
    x = torch.randn(2, 3, 64, 64)
    with capture.attention(none) as weights:
        none(x)
    assert next(iter(weights.values())).shape[-2:] == (257, 257)  # a class token and 16 x 16 positions, none of them pooled


@pytest.mark.parametrize("name", [name for name, made in RECIPES["scenes"].items() if made.study == "ablation"])
def test_every_ablation_is_another_network(name):
    made = RECIPES["scenes"][name]
    model = models.create(made.architecture, "scenes", seed=0, **made.options).eval()
    whole = models.create(made.architecture, "scenes", seed=0).eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        same = torch.equal(model(x), whole(x))
    assert same == (not made.options) and made.factors["network"] == made.architecture
