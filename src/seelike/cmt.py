"""CMT, a vision transformer with convolutions inside (Guo et al. 2021), which timm does not have; MViT is in `seelike.mvit`.

Reached through `models.create`; blocks carry the names that `capture.layers` knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from timm.layers import DropPath, LayerNorm2d
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, scaled_dot_product_attention

from seelike.mvit import initialise


def _depthwise(width: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width, width, kernel, stride, kernel // 2 if stride == 1 else 0, groups=width)


class LightAttention(nn.Module):
    """CMT's attention: keys and values from a map reduced k-fold by a depth-wise convolution, plus a learned bias (Sec. 3.3).

    reduction: k; 1 leaves the map as it is. convolution: False reduces by the mean of k x k cells. The bias (heads, queries, keys)
    belongs to the stage and is given to `forward`.
    """

    def __init__(self, width: int, heads: int, reduction: int, convolution: bool = True) -> None:
        super().__init__()
        self.num_heads, self.fused_attn = heads, True
        self.reduce: nn.Module = nn.Identity()
        if reduction > 1:
            small = _depthwise(width, reduction, reduction) if convolution else nn.AvgPool2d(reduction)
            self.reduce = nn.Sequential(small, nn.BatchNorm2d(width))
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

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        reduction: int,
        expansion: float,
        drop_path: float,
        lpu: bool,
        irffn: bool,
        convolution: bool = True,
    ) -> None:
        super().__init__()
        self.lpu = _depthwise(width) if lpu else None
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = LightAttention(width, heads, reduction, convolution)
        self.mlp = InvertedResidualFFN(width, expansion, irffn)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Float[Tensor, "b n c"], side: int, bias: Float[Tensor, "heads n m"]) -> Float[Tensor, "b n c"]:
        """Tokens of a side x side map in, the same out."""
        if self.lpu is not None:
            x = x + self.lpu(x.mT.unflatten(2, (side, side))).flatten(2).mT
        x = x + self.drop_path(self.attn(self.norm1(x), side, bias))
        return x + self.drop_path(self.mlp(self.norm2(x), side))


class CMTStage(nn.Module):
    """A strided convolution and layer norm, then blocks that share one position bias (heads, queries, keys).

    The bias starts at a standard deviation of .02; that of the authors' code is 1.
    """

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
    convolutions: False leaves a pyramid without any that overlap or mix positions within a block: cells of 2 x 2 pixels for a stem,
    no local perception, a plain MLP, and means of cells where keys and values are reduced. norms: "both" as published, or one kind
    everywhere, "batch" or "layer" (`exchange_norms`).
    """

    def __init__(
        self, image: int, stem_width: int, widths: Sequence[int], depths: Sequence[int], *, heads: Sequence[int] = (1, 2, 4, 8),
        reductions: Sequence[int] = (8, 4, 2, 1), expansion: float = 4.0, project: int = 1280, num_classes: int = 1000,
        drop_path: float = 0.0, stem: bool = True, lpu: bool = True, irffn: bool = True, convolutions: bool = True,
        norms: str = "both",
    ) -> None:  # fmt: skip
        super().__init__()
        self.stem = _stem(stem_width, convolutions=3 if stem else 1) if convolutions else _cells(stem_width)
        blocks = sum(depths)
        options: dict[str, Any] = {
            "rates": iter(drop_path * i / max(blocks - 1, 1) for i in range(blocks)),
            "expansion": expansion,
            "lpu": lpu and convolutions,
            "irffn": irffn and convolutions,
            "convolution": convolutions,
        }
        parts = zip(pairwise([stem_width, *widths]), depths, heads, reductions, strict=True)
        self.stages = nn.Sequential(
            *(CMTStage(*pair, depth, head, side=image >> (i + 2), reduction=k, **options) for i, (pair, depth, head, k) in enumerate(parts))
        )
        self.project = nn.Sequential(nn.Conv2d(widths[-1], project, 1), nn.BatchNorm2d(project), nn.SiLU())
        self.head = nn.Linear(project, num_classes)
        exchange_norms(self, norms)
        self.apply(initialise)

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


def _cells(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, width, 2, 2), nn.GELU(), nn.BatchNorm2d(width))


class TokenBatchNorm(nn.BatchNorm1d):
    """Batch norm of the channels of tokens (b, n, c)."""

    def forward(self, x: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """Each channel over all tokens of all images."""
        return super().forward(x.mT).mT


def exchange_norms(model: nn.Module, kind: str) -> None:
    """Make all norms of a CMT one kind, "batch" or "layer", in place; "both" leaves batch norm beside convolutions, layer norm elsewhere.

    ValueError for another kind.
    """
    if kind not in ("both", "batch", "layer"):
        raise ValueError(f"The norms of CMT are both, batch or layer, got {kind!r}.")
    for parent in list(model.modules()):
        for name, module in list(parent.named_children()):
            if kind == "layer" and isinstance(module, nn.BatchNorm2d):
                setattr(parent, name, LayerNorm2d(module.num_features))
            elif kind == "batch" and type(module) is nn.LayerNorm:
                setattr(parent, name, TokenBatchNorm(module.normalized_shape[0]))


def _resample(bias: Float[Tensor, "heads n m"], side: int, k: int) -> Float[Tensor, "heads q p"]:
    """The position bias for another resolution: bicubic over the table of queries (rows) and keys (columns), as in the authors' code.

    The table is no picture: rows that are neighbours in it are so on the map in one direction only.
    """
    queries, keys = side**2, (side // k) ** 2
    if bias.shape[1:] == (queries, keys):
        return bias
    return interpolate(bias[None], (queries, keys), mode="bicubic")[0]


CMTS: dict[str, dict[str, Any]] = {  # Table 1, in the form that gives the published parameter counts
    "cmt_ti": {"image": 160, "stem_width": 16, "widths": (46, 92, 184, 368), "depths": (2, 2, 10, 2), "expansion": 3.6},
    "cmt_xs": {"image": 192, "stem_width": 16, "widths": (52, 104, 208, 416), "depths": (3, 3, 12, 3), "expansion": 3.77},
    "cmt_s": {"image": 224, "stem_width": 32, "widths": (64, 128, 256, 512), "depths": (3, 3, 16, 3), "expansion": 4.0},
    "cmt_b": {"image": 256, "stem_width": 38, "widths": (76, 152, 304, 608), "depths": (4, 4, 20, 4), "expansion": 4.0},
}
