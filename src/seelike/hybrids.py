"""Two published designs between ViT and CNN that timm does not have: CMT (Guo et al. 2021) and MViT v1 (Fan et al. 2021).

Both are reached through `models.create`; blocks carry the names that `capture.layers` knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from timm.layers import DropPath, trunc_normal_
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, scaled_dot_product_attention


def _depthwise(width: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width, width, kernel, stride, kernel // 2 if stride == 1 else 0, groups=width)


class LightAttention(nn.Module):
    """CMT's attention: keys and values from a map reduced k-fold by a depth-wise convolution, plus a learned bias (Sec. 3.3).

    reduction: k; 1 leaves the map as it is. The bias (heads, queries, keys) belongs to the stage and is given to `forward`.
    """

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.num_heads, self.fused_attn = heads, True
        self.reduce = nn.Sequential(_depthwise(width, reduction, reduction), nn.BatchNorm2d(width)) if reduction > 1 else nn.Identity()
        self.q, self.k, self.v, self.proj = (nn.Linear(width, width) for _ in range(4))
        self.attn_drop = nn.Dropout(0.0)

    def forward(self, x: Float[Tensor, "b n c"], side: int, bias: Float[Tensor, "heads n m"]) -> Float[Tensor, "b n c"]:
        """Attention of all positions of a side x side map to its reduced form."""
        b, n, c = x.shape
        small = self.reduce(x.mT.reshape(b, c, side, side)).flatten(2).mT
        q, k, v = (f(y).unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for f, y in ((self.q, x), (self.k, small), (self.v, small)))
        if self.fused_attn:
            out = scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q).expand(b, -1, -1, -1))
        else:
            weights = self.attn_drop((q @ k.mT * q.shape[-1] ** -0.5 + bias).softmax(-1))
            out = weights @ v
        return self.proj(out.transpose(1, 2).reshape(b, n, c))


class InvertedResidualFFN(nn.Module):
    """CMT's feed-forward part: expand, depth-wise convolution with a shortcut, project, each with batch norm (Sec. 3.4)."""

    def __init__(self, width: int, expansion: float, convolution: bool = True) -> None:
        super().__init__()
        hidden = int(width * expansion)
        self.fc1, self.norm1 = nn.Conv2d(width, hidden, 1), nn.BatchNorm2d(hidden)
        self.act = nn.GELU()
        self.local = _depthwise(hidden) if convolution else None
        self.norm2 = nn.BatchNorm2d(hidden) if convolution else None
        self.fc2, self.norm3 = nn.Conv2d(hidden, width, 1), nn.BatchNorm2d(width)

    def forward(self, x: Float[Tensor, "b n c"], side: int) -> Float[Tensor, "b n c"]:
        """The branch's output, at every position."""
        y = self.norm1(self.act(self.fc1(x.mT.unflatten(2, (side, side)))))
        if self.local is not None and self.norm2 is not None:
            y = self.norm2(gelu(self.local(y) + y))
        return self.norm3(self.fc2(y)).flatten(2).mT


class CMTBlock(nn.Module):
    """Local perception unit, light attention and inverted residual feed-forward part, each around a skip connection."""

    def __init__(self, width: int, heads: int, *, reduction: int, expansion: float, drop_path: float, lpu: bool, irffn: bool) -> None:
        super().__init__()
        self.lpu = _depthwise(width) if lpu else None
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = LightAttention(width, heads, reduction)
        self.mlp = InvertedResidualFFN(width, expansion, irffn)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Float[Tensor, "b n c"], side: int, bias: Float[Tensor, "heads n m"]) -> Float[Tensor, "b n c"]:
        """Tokens of a side x side map in, the same out."""
        if self.lpu is not None:
            x = x + self.lpu(x.mT.unflatten(2, (side, side))).flatten(2).mT
        x = x + self.drop_path(self.attn(self.norm1(x), side, bias))
        return x + self.drop_path(self.mlp(self.norm2(x), side))


class CMTStage(nn.Module):
    """A strided convolution and layer norm, then blocks that share one position bias (heads, queries, keys)."""

    def __init__(
        self, before: int, width: int, depth: int, heads: int, *, side: int, reduction: int, rates: Iterator[float], **options: Any
    ) -> None:
        super().__init__()
        self.reduction = reduction
        self.embed, self.norm = nn.Conv2d(before, width, 2, 2), nn.LayerNorm(width, eps=1e-6)
        self.blocks = nn.ModuleList(CMTBlock(width, heads, reduction=reduction, drop_path=next(rates), **options) for _ in range(depth))
        self.bias = nn.Parameter(0.02 * torch.randn(heads, side**2, (side // reduction) ** 2))

    def forward(self, x: Float[Tensor, "b c h h"]) -> Float[Tensor, "b d g g"]:
        """A map of half the side."""
        x = self.embed(x)
        side = x.shape[-1]
        if x.shape[-2] != side or side % self.reduction:
            raise ValueError(f"CMT takes square images whose maps divide by {self.reduction}, got a map of {tuple(x.shape[-2:])}.")
        tokens, bias = self.norm(x.flatten(2).mT), _resample(self.bias, side, self.reduction)
        for block in self.blocks:
            tokens = block(tokens, side, bias)
        return tokens.mT.unflatten(2, (side, side))


class CMT(nn.Module):
    """Convolutional stem, then four stages of transformer blocks with convolutions inside (Guo et al. 2021, Sec. 3, Table 1).

    image: side of the images in pixels, a multiple of 2 ** (stages + 1); other sides at run time resample the position bias.
    reductions: k of each stage's attention. project: width before the classifier.
    stem: False replaces the convolutional stem by one strided convolution. lpu, irffn: False takes these parts out.
    """

    def __init__(
        self, image: int, stem_width: int, widths: Sequence[int], depths: Sequence[int], *, heads: Sequence[int] = (1, 2, 4, 8),
        reductions: Sequence[int] = (8, 4, 2, 1), expansion: float = 4.0, project: int = 1280, num_classes: int = 1000,
        drop_path: float = 0.0, stem: bool = True, lpu: bool = True, irffn: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.stem = _stem(stem_width, convolutions=3 if stem else 1)
        blocks = sum(depths)
        options: dict[str, Any] = {
            "rates": iter(drop_path * i / max(blocks - 1, 1) for i in range(blocks)),
            "expansion": expansion,
            "lpu": lpu,
            "irffn": irffn,
        }
        parts = zip(pairwise([stem_width, *widths]), depths, heads, reductions, strict=True)
        self.stages = nn.Sequential(
            *(CMTStage(*pair, depth, head, side=image >> (i + 2), reduction=k, **options) for i, (pair, depth, head, k) in enumerate(parts))
        )
        self.project = nn.Sequential(nn.Conv2d(widths[-1], project, 1), nn.BatchNorm2d(project), nn.SiLU())
        self.head = nn.Linear(project, num_classes)
        self.apply(_initialise)

    def forward_features(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c g g"]:
        """The last stage's map."""
        return self.stages(self.stem(x))

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b classes"]:
        """Logits."""
        return self.head(self.project(self.forward_features(x)).mean((2, 3)))


def _stem(width: int, convolutions: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    for i in range(convolutions):
        parts += [nn.Conv2d(3 if i == 0 else width, width, 3, 2 if i == 0 else 1, 1), nn.GELU(), nn.BatchNorm2d(width)]
    return nn.Sequential(*parts)


def _resample(bias: Float[Tensor, "heads n m"], side: int, k: int) -> Float[Tensor, "heads q p"]:
    """The position bias for another resolution, by bicubic interpolation over queries and keys."""
    queries, keys = side**2, (side // k) ** 2
    if bias.shape[1:] == (queries, keys):
        return bias
    return interpolate(bias[None], (queries, keys), mode="bicubic")[0]


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, (nn.Conv2d, nn.Conv3d)):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


CMTS: dict[str, dict[str, Any]] = {  # Table 1, in the form that gives the published parameter counts
    "cmt_ti": {"image": 160, "stem_width": 16, "widths": (46, 92, 184, 368), "depths": (2, 2, 10, 2), "expansion": 3.6},
    "cmt_xs": {"image": 192, "stem_width": 16, "widths": (52, 104, 208, 416), "depths": (3, 3, 12, 3), "expansion": 3.77},
    "cmt_s": {"image": 224, "stem_width": 32, "widths": (64, 128, 256, 512), "depths": (3, 3, 16, 3), "expansion": 4.0},
    "cmt_b": {"image": 256, "stem_width": 38, "widths": (76, 152, 304, 608), "depths": (4, 4, 20, 4), "expansion": 4.0},
}

Grid = tuple[int, int, int]  # frames, rows, columns


class Pool(nn.Module):
    """Pooling of a sequence of tokens over its grid, the class token kept as it is (Fan et al. 2021, Sec. 3.1).

    kind: conv (depth-wise, then layer norm), max or avg. stride: rows and columns; frames keep their number.
    frames: kernel size over frames.
    """

    def __init__(self, width: int, kind: str, stride: int, kernel: int = 3, frames: int = 1) -> None:
        super().__init__()
        if kind not in ("conv", "max", "avg"):
            raise ValueError(f"Pooling is conv, max or avg, got {kind!r}.")
        shape, steps = (frames, kernel, kernel), (1, stride, stride)
        margin = (frames // 2, kernel // 2, kernel // 2)
        if kind == "conv":
            self.pool: nn.Module = nn.Conv3d(width, width, shape, steps, margin, groups=width, bias=False)
        else:
            self.pool = (nn.MaxPool3d if kind == "max" else nn.AvgPool3d)(shape, steps, margin)
        self.norm = nn.LayerNorm(width, eps=1e-6) if kind == "conv" else nn.Identity()

    def forward(self, x: Float[Tensor, "b n c"], grid: Grid) -> tuple[Float[Tensor, "b m c"], Grid]:
        """Pooled tokens, the class token first, and their grid."""
        y = self.pool(x[:, 1:].mT.unflatten(2, grid))
        after = (y.shape[2], y.shape[3], y.shape[4])
        return self.norm(torch.cat([x[:, :1], y.flatten(2).mT], 1)), after


class PoolingAttention(nn.Module):
    """Attention whose queries, keys and values are pooled over their grids; without pooling it is plain attention.

    pool: see `Pool`; None pools nothing. q_stride, kv_stride: rows and columns; keys and values are pooled even at stride 1.
    """

    def __init__(self, width: int, heads: int, *, q_stride: int, kv_stride: int, pool: str | None, frames: int) -> None:
        super().__init__()
        self.num_heads, self.fused_attn = heads, True
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        each = width // heads
        self.pool_q = Pool(each, pool, q_stride, frames=frames) if pool and q_stride > 1 else None
        self.pool_k, self.pool_v = (Pool(each, pool, kv_stride, frames=frames) if pool else None for _ in range(2))
        self.attn_drop = nn.Dropout(0.0)

    def forward(self, x: Float[Tensor, "b n c"], grid: Grid) -> tuple[Float[Tensor, "b m c"], Grid]:
        """Attended tokens on the grid of the queries."""
        b, _, c = x.shape
        q, k, v = self.qkv(x).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        q, after = _per_head(self.pool_q, q, grid)
        k, v = (_per_head(pool, y, grid)[0] for pool, y in ((self.pool_k, k), (self.pool_v, v)))
        if self.fused_attn:
            out = scaled_dot_product_attention(q, k, v)
        else:
            out = self.attn_drop((q @ k.mT * q.shape[-1] ** -0.5).softmax(-1)) @ v
        return self.proj(out.transpose(1, 2).reshape(b, -1, c)), after


def _per_head(pool: Pool | None, x: Float[Tensor, "b heads n c"], grid: Grid) -> tuple[Float[Tensor, "b heads m c"], Grid]:
    if pool is None:
        return x, grid
    pooled, after = pool(x.flatten(0, 1), grid)
    return pooled.unflatten(0, x.shape[:2]), after


class MultiscaleBlock(nn.Module):
    """A transformer block that may shrink its grid (in attention) and widen its tokens (in the MLP).

    skip: what passes the widening: "normalised" (layer norm, then linear), "unnormalised" (linear) or "none".
    """

    def __init__(
        self, width: int, out: int, heads: int, *, q_stride: int, kv_stride: int, pool: str | None, skip: str, drop_path: float, frames: int
    ) -> None:
        super().__init__()
        if skip not in ("normalised", "unnormalised", "none"):
            raise ValueError(f"The skip is normalised, unnormalised or none, got {skip!r}.")
        self.skip = skip
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = PoolingAttention(width, heads, q_stride=q_stride, kv_stride=kv_stride, pool=pool, frames=frames)
        self.mlp = nn.Sequential()
        for name, part in (("fc1", nn.Linear(width, 4 * width)), ("act", nn.GELU()), ("fc2", nn.Linear(4 * width, out))):
            self.mlp.add_module(name, part)
        self.widen = nn.Linear(width, out) if out != width and skip != "none" else None
        self.pool_skip = Pool(width, "max", q_stride, kernel=q_stride + 1) if q_stride > 1 else None
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Float[Tensor, "b n c"], grid: Grid) -> tuple[Float[Tensor, "b m d"], Grid]:
        """Tokens, the class token first, and their grid."""
        y, after = self.attn(self.norm1(x), grid)
        if self.pool_skip is not None:
            x = self.pool_skip(x, grid)[0]
        x = x + self.drop_path(y)
        normed = self.norm2(x)
        y = self.drop_path(self.mlp(normed))
        if self.widen is not None:
            return self.widen(normed if self.skip == "normalised" else x) + y, after
        return (y if y.shape[-1] != x.shape[-1] else x + y), after


class MViT(nn.Module):
    """Multiscale vision transformer, first version, for images and clips of any size (Fan et al. 2021, Sec. 3).

    image: side in pixels for which positions are learned; others are interpolated. clip: frames of a clip, 0 for still images.
    depths: blocks a stage; every stage but the first halves the grid and doubles width and heads. kernel, stride: of the patch stem;
    clips take 3 frames at stride 2. kv_stride: stride of keys and values in the first stage, halved whenever queries are pooled.
    """

    def __init__(
        self, image: int = 224, width: int = 96, depths: Sequence[int] = (1, 2, 11, 2), *, heads: int = 1, clip: int = 0, kernel: int = 7,
        stride: int = 4, kv_stride: int = 4, pool: str | None = "conv", skip: str = "normalised", num_classes: int = 1000,
        drop_path: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        frames = 3 if clip else 1
        self.patch_embed = nn.Conv3d(
            3, width, (frames, kernel, kernel), (2 if clip else 1, stride, stride), (frames // 2, kernel // 2, kernel // 2)
        )
        side = (image + 2 * (kernel // 2) - kernel) // stride + 1
        self.cls_token, self.cls_position = (nn.Parameter(torch.zeros(1, 1, width)) for _ in range(2))
        self.space = nn.Parameter(torch.zeros(1, width, side, side))
        self.time = nn.Parameter(torch.zeros(1, width, (clip + 1) // 2)) if clip else None
        starts = {sum(depths[:i]) for i in range(1, len(depths))} if pool else set()
        widths = [width * 2 ** sum(b >= start for start in starts) for b in range(sum(depths))]
        self.blocks = nn.ModuleList()
        for b, (now, then) in enumerate(pairwise([*widths, widths[-1]])):
            kv_stride = max(kv_stride // 2, 1) if b in starts else kv_stride
            rate = drop_path * b / max(sum(depths) - 1, 1)
            step = 2 if b in starts else 1
            block = MultiscaleBlock(
                now, then, heads * now // width, q_stride=step, kv_stride=kv_stride, pool=pool, skip=skip, drop_path=rate, frames=frames
            )
            self.blocks.append(block)
        self.norm = nn.LayerNorm(widths[-1], eps=1e-6)
        self.head = nn.Linear(widths[-1], num_classes)
        self.apply(_initialise)
        for p in (self.cls_token, self.cls_position, self.space, *([] if self.time is None else [self.time])):
            trunc_normal_(p, std=0.02)

    def forward_features(self, x: Float[Tensor, "b 3 *thw"]) -> Float[Tensor, "b n c"]:
        """Normed tokens of the last block, the class token first."""
        if (x.ndim == 5) != (self.time is not None):
            raise ValueError(
                f"Images are (b, 3, h, w) and clips (b, 3, t, h, w), for a network made with clip > 0; got shape {tuple(x.shape)}."
            )
        x = self.patch_embed(x if x.ndim == 5 else x[:, :, None])
        space = self.space if self.space.shape[2:] == x.shape[3:] else interpolate(self.space, x.shape[3:], mode="bicubic")
        x = x + space[:, :, None]
        if self.time is not None:
            time = self.time if self.time.shape[2] == x.shape[2] else interpolate(self.time, x.shape[2], mode="linear")
            x = x + time[..., None, None]
        grid = (x.shape[2], x.shape[3], x.shape[4])
        x = torch.cat([(self.cls_token + self.cls_position).expand(len(x), -1, -1), x.flatten(2).mT], 1)
        for block in self.blocks:
            x, grid = block(x, grid)
        return self.norm(x)

    def forward(self, x: Float[Tensor, "b 3 *thw"]) -> Float[Tensor, "b classes"]:
        """Logits, from the class token."""
        return self.head(self.forward_features(x)[:, 0])


MVITS: dict[str, dict[str, Any]] = {  # Tables 2 and 17
    "mvit_b16": {},
    "mvit_b24": {"depths": (2, 3, 16, 3)},
    "mvit_b24_wide": {"depths": (2, 3, 16, 3), "width": 112, "image": 320},
}
