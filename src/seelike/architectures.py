"""The networks of the zoo, untrained.

They are timm's own classes at sizes that train in minutes on two cores: a ViT with 8 blocks,
3 heads and 64 patches, a ResNet with 8 residual blocks and (on Scenes) about as many parameters and
multiplications, and an MLP-Mixer. The two ViTs differ in nothing but the head: a class token, or the mean of the patches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from timm.models.mlp_mixer import MlpMixer
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from timm.models.vision_transformer import Block, VisionTransformer
from torch import nn

from seelike.hybrids import CMT, MViT


class BlockWithoutSkips(Block):
    """A transformer block whose branches replace the stream instead of adding to it."""

    def forward(self, x: torch.Tensor, attn_mask: torch.Tensor | None = None, is_causal: bool = False) -> torch.Tensor:
        """The branches, one after the other, (b, n, c)."""
        x = self.drop_path1(self.ls1(self.attn(self.norm1(x), attn_mask=attn_mask, is_causal=is_causal)))
        return self.drop_path2(self.ls2(self.mlp(self.norm2(x))))


class Nothing(nn.Module):
    """A shortcut that carries nothing."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Zeros of the input's shape."""
        return torch.zeros_like(x)


def remove_skips(model: nn.Module, blocks: Sequence[int]) -> nn.Module:
    """The same network with the skip connections of some blocks (counted from 0) taken out, in place.

    Both of a ViT block (Raghu et al. 2021, Sec. 5, Fig. 8), the one of a basic or bottleneck block of a ResNet. Blocks
    whose shortcut is a projection cannot lose it: ValueError, and nothing is changed. The last norm of a ResNet's block is set to
    one if it is zero, where timm starts it, for such a block would pass nothing on; trained weights stay.
    """
    found: list[Any] = [m for m in model.modules() if type(m) in (Block, BlockWithoutSkips, BasicBlock, Bottleneck)]
    for i in blocks:
        if not 0 <= i < len(found):
            raise ValueError(f"Block {i} was asked for, but the network has {len(found)} blocks with skips that can be removed.")
        if not isinstance(found[i], Block) and found[i].downsample is not None and not isinstance(found[i].downsample, Nothing):
            raise ValueError(f"The shortcut of block {i} is a projection: name a block that keeps its size.")
    for i in blocks:
        block: Any = found[i]
        if isinstance(block, Block):
            block.__class__ = BlockWithoutSkips
            continue
        block.downsample = Nothing()
        weight: Any = (block.bn3 if isinstance(block, Bottleneck) else block.bn2).weight
        if not weight.is_meta and not weight.any():
            nn.init.ones_(weight)
    return model


def _vit(
    side: int, patch: int, *, width: int = 96, depth: int = 8, heads: int = 3, without_skips: Sequence[int] = (), **options: Any
) -> nn.Module:
    settings = {"img_size": side, "patch_size": patch, "mlp_ratio": 2.0} | options
    return remove_skips(VisionTransformer(embed_dim=width, depth=depth, num_heads=heads, **settings), without_skips)


def _vit_gap(side: int, patch: int, **options: Any) -> nn.Module:
    return _vit(side, patch, global_pool="avg", class_token=False, fc_norm=False, **options)


def _resnet(
    side: int, patch: int, *, width: int = 16, depths: tuple[int, ...] = (2, 2, 2, 2), without_skips: Sequence[int] = (), **options: Any
) -> nn.Module:
    channels = tuple(width * 2**i for i in range(4))
    settings = {"stem_type": "deep", "stem_width": width // 2} | options
    model = ResNet(BasicBlock, depths, channels=channels, **settings)  # type: ignore[arg-type]
    model.maxpool = nn.Sequential()  # small images: the first stage works at 32x32 in every tier
    model.get_submodule("conv1.0").stride = (side // 32,) * 2  # type: ignore[assignment]
    return remove_skips(model, without_skips)


def _mixer(side: int, patch: int, *, width: int = 96, depth: int = 8, **options: Any) -> nn.Module:
    settings: dict[str, Any] = {"img_size": side, "patch_size": patch, "mlp_ratio": (0.5, 3.0)} | options
    return MlpMixer(embed_dim=width, num_blocks=depth, **settings)


def _vit_map(side: int, patch: int, **options: Any) -> nn.Module:
    return _vit(side, patch, global_pool="map", class_token=False, **options)


def _cmt(side: int, patch: int, **options: Any) -> nn.Module:
    settings: dict[str, Any] = {
        "stem_width": 16, "widths": (30, 60, 120), "depths": (2, 2, 4), "heads": (1, 2, 4), "reductions": (4, 2, 1),
        "expansion": 2.0, "project": 120,
    }  # fmt: skip
    return CMT(side, **settings | options)


def _mvit(side: int, patch: int, **options: Any) -> nn.Module:
    settings: dict[str, Any] = {"width": 30, "depths": (2, 4, 2), "kernel": patch - 1, "stride": patch // 2}
    return MViT(side, **settings | options)


OURS: dict[str, Callable[..., nn.Module]] = {
    "vit_cls": _vit,
    "vit_gap": _vit_gap,
    "vit_map": _vit_map,
    "resnet": _resnet,
    "mixer": _mixer,
    "cmt": _cmt,
    "mvit": _mvit,
}
