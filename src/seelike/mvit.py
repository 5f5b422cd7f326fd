"""MViT, first version: a vision transformer with fewer and wider tokens from stage to stage (Fan et al. 2021).

timm has the second version only. Reached through `models.create`; blocks carry the names that `capture.layers` knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from timm.layers import DropPath, trunc_normal_
from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention

Grid = tuple[int, int, int]  # frames, rows, columns


class Pool(nn.Module):
    """Pooling of a sequence of tokens over its grid, the class token kept as it is (Fan et al. 2021, Sec. 3.1).

    kind: conv (depth-wise, then layer norm), max or avg. stride: rows and columns; frames keep their number.
    frames: kernel size over frames; 1 works on every frame by itself, in two dimensions, which is much faster on a CPU.
    """

    def __init__(self, width: int, kind: str, stride: int, kernel: int = 3, frames: int = 1) -> None:
        super().__init__()
        if kind not in ("conv", "max", "avg"):
            raise ValueError(f"Pooling is conv, max or avg, got {kind!r}.")
        self.flat = frames == 1
        size: tuple[int, ...] = (kernel, kernel)
        step: tuple[int, ...] = (stride, stride)
        margin: tuple[int, ...] = (kernel // 2, kernel // 2)
        parts: dict[str, Any] = {"conv": nn.Conv2d, "max": nn.MaxPool2d, "avg": nn.AvgPool2d}
        if not self.flat:
            size, step, margin = (frames, *size), (1, *step), (frames // 2, *margin)
            parts = {"conv": nn.Conv3d, "max": nn.MaxPool3d, "avg": nn.AvgPool3d}
        each = {"groups": width, "bias": False} if kind == "conv" else {}
        channels = (width, width) if kind == "conv" else ()
        self.pool: nn.Module = parts[kind](*channels, size, step, margin, **each)
        self.norm = nn.LayerNorm(width, eps=1e-6) if kind == "conv" else nn.Identity()

    def forward(self, x: Float[Tensor, "b n c"], grid: Grid) -> Float[Tensor, "b m c"]:
        """Pooled tokens, the class token first."""
        b, _, c = x.shape
        inner = x[:, 1:]
        if self.flat:
            y = self.pool(inner.reshape(b * grid[0], -1, c).mT.unflatten(2, grid[1:]))
            y = y.flatten(2).mT.reshape(b, -1, c)
        else:
            y = self.pool(inner.mT.unflatten(2, grid)).flatten(2).mT
        return self.norm(torch.cat([x[:, :1], y], 1))


class PoolingAttention(nn.Module):
    """Attention whose queries, keys and values are pooled over their grids; without pooling it is plain attention.

    pool: see `Pool`; None pools nothing. q_stride, kv_stride: rows and columns; at stride 1 keys and values are pooled, too, at 0 not.
    kernel: rows and columns of a pooling kernel; None is stride + 1, and no pooling at stride 1 (Sec. 4.1.1, Table 15).
    """

    def __init__(
        self, width: int, heads: int, *, q_stride: int, kv_stride: int, pool: str | None, frames: int, kernel: int | None = 3
    ) -> None:
        super().__init__()

        def made(stride: int, least: int) -> Pool | None:
            wanted = pool is not None and stride >= (least if kernel else 2)
            return Pool(each, str(pool), stride, kernel or stride + 1, frames) if wanted else None

        self.num_heads, self.fused_attn = heads, True
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        each = width // heads
        self.pool_q, self.pool_k, self.pool_v = made(q_stride, 2), made(kv_stride, 1), made(kv_stride, 1)
        self.attn_drop = nn.Dropout(0.0)

    def forward(self, x: Float[Tensor, "b n c"], grid: Grid) -> Float[Tensor, "b m c"]:
        """Attended tokens on the grid of the queries."""
        b, _, c = x.shape
        q, k, v = self.qkv(x).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        q, k, v = (_per_head(pool, y, grid) for pool, y in ((self.pool_q, q), (self.pool_k, k), (self.pool_v, v)))
        if self.fused_attn:
            out = scaled_dot_product_attention(q, k, v)
        else:
            out = self.attn_drop((q @ k.mT * q.shape[-1] ** -0.5).softmax(-1)) @ v
        return self.proj(out.transpose(1, 2).reshape(b, -1, c))


def _per_head(pool: Pool | None, x: Float[Tensor, "b heads n c"], grid: Grid) -> Float[Tensor, "b heads m c"]:
    return x if pool is None else pool(x.flatten(0, 1), grid).unflatten(0, x.shape[:2])


class MultiscaleBlock(nn.Module):
    """A transformer block that may shrink its grid (in attention) and widen its tokens (in the MLP).

    skip: what passes the widening: "normalised" (layer norm, then linear), "unnormalised" (linear) or "none".
    pooling: of `PoolingAttention`.
    """

    def __init__(self, width: int, out: int, heads: int, *, q_stride: int, skip: str, drop_path: float, **pooling: Any) -> None:
        super().__init__()
        if skip not in ("normalised", "unnormalised", "none"):
            raise ValueError(f"The skip is normalised, unnormalised or none, got {skip!r}.")
        self.skip, self.q_stride = skip, q_stride
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = PoolingAttention(width, heads, q_stride=q_stride, **pooling)
        self.mlp = nn.Sequential()
        for name, part in (("fc1", nn.Linear(width, 4 * width)), ("act", nn.GELU()), ("fc2", nn.Linear(4 * width, out))):
            self.mlp.add_module(name, part)
        self.widen = nn.Linear(width, out) if out != width and skip != "none" else None
        self.pool_skip = Pool(width, "max", q_stride, kernel=q_stride + 1) if q_stride > 1 else None
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def after(self, grid: Grid) -> Grid:
        """The grid that the block leaves."""
        frames, rows, columns = grid
        return frames, (rows - 1) // self.q_stride + 1, (columns - 1) // self.q_stride + 1

    def forward(self, x: Float[Tensor, "b n c"], grid: Grid) -> Float[Tensor, "b m d"]:
        """Tokens of a grid, the class token first, to tokens of the grid `after` it."""
        y = self.attn(self.norm1(x), grid)
        if self.pool_skip is not None:
            x = self.pool_skip(x, grid)
        x = x + self.drop_path(y)
        normed = self.norm2(x)
        y = self.drop_path(self.mlp(normed))
        if self.widen is not None:
            return self.widen(normed if self.skip == "normalised" else x) + y
        return y if y.shape[-1] != x.shape[-1] else x + y


class MViT(nn.Module):
    """Multiscale vision transformer, first version, for images and clips of any size (Fan et al. 2021, Sec. 3).

    image: side in pixels for which positions are learned; others are interpolated. clip: frames of a clip, 0 for still images.
    depths: blocks a stage; every stage but the first halves the grid and doubles width and heads. kernel, stride: of the patch stem;
    clips take 3 frames at stride 2. kv_stride: stride of keys and values in the first stage, halved whenever queries are pooled; 0 never
    pools them. pool_kernel: see `PoolingAttention`.
    """

    def __init__(
        self, image: int = 224, width: int = 96, depths: Sequence[int] = (1, 2, 11, 2), *, heads: int = 1, clip: int = 0, kernel: int = 7,
        stride: int = 4, kv_stride: int = 4, pool: str | None = "conv", pool_kernel: int | None = 3, skip: str = "normalised",
        num_classes: int = 1000, drop_path: float = 0.0,
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
            kv_stride = max(kv_stride // 2, 1) if b in starts and kv_stride else kv_stride
            rate = drop_path * b / max(sum(depths) - 1, 1)
            step = 2 if b in starts else 1
            block = MultiscaleBlock(
                now, then, heads * now // width, q_stride=step, skip=skip, drop_path=rate,
                kv_stride=kv_stride, pool=pool, frames=frames, kernel=pool_kernel,
            )  # fmt: skip
            self.blocks.append(block)
        self.norm = nn.LayerNorm(widths[-1], eps=1e-6)
        self.head = nn.Linear(widths[-1], num_classes)
        self.apply(initialise)
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
            assert isinstance(block, MultiscaleBlock)
            x, grid = block(x, grid), block.after(grid)
        return self.norm(x)

    def forward(self, x: Float[Tensor, "b 3 *thw"]) -> Float[Tensor, "b classes"]:
        """Logits, from the class token."""
        return self.head(self.forward_features(x)[:, 0])


def initialise(module: nn.Module) -> None:
    """Truncated normal of standard deviation .02 for linear layers, Kaiming normal (fan-out) for convolutions, no bias."""
    if isinstance(module, nn.Linear):
        trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, (nn.Conv2d, nn.Conv3d)):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


MVITS: dict[str, dict[str, Any]] = {  # Tables 2 and 17
    "mvit_b16": {},
    "mvit_b24": {"depths": (2, 3, 16, 3)},
    "mvit_b24_wide": {"depths": (2, 3, 16, 3), "width": 112, "image": 320},
}
