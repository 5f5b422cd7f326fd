"""Skip connections: how much of the stream they carry, and networks without some of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from seelike.architectures import remove_skips
from seelike.capture import capture, each_batch, layers, listening, tokens

__all__ = ["Residuals", "norm_ratio", "remove_skips", "residuals"]


class Residuals(NamedTuple):
    """Of one residual sum, per batch and position.

    ratio: norm of skip over norm of branch. cosine: of the two vectors. Both (batches, positions).
    """

    ratio: Float[np.ndarray, "batches positions"]
    cosine: Float[np.ndarray, "batches positions"]


def norm_ratio(skip: Float[Tensor, "b n c"], branch: Float[Tensor, "b n c"]) -> Float[Tensor, "b n"]:
    """Norm of what the skip connection carries over the norm of what the branch adds, at every position (Raghu et al. 2021, Sec. 5)."""
    return skip.norm(dim=-1) / branch.norm(dim=-1).clamp_min(1e-12)


@torch.no_grad()
def residuals(model: nn.Module, loader: Iterable[Any]) -> dict[str, Residuals]:
    """Norm ratio and cosine of every residual sum of a ViT or ResNet, by name of the branch's last layer."""
    sums = _sums(model)
    found: dict[str, list[tuple[Tensor, Tensor]]] = {branch: [] for _, branch in sums}
    with listening(model):
        for x, _ in each_batch(model, loader):
            with capture(model, list(dict.fromkeys(tap for pair in sums for tap in pair))) as taps:
                model(x)
            for skip, branch in sums:
                z, f = tokens(taps[skip]), tokens(taps[branch])
                found[branch].append((norm_ratio(z, f).mean(0), torch.cosine_similarity(z, f, -1).mean(0)))
    return {
        branch: Residuals(*(torch.stack(part).double().cpu().numpy() for part in zip(*values, strict=True)))
        for branch, values in found.items()
    }


def _sums(model: nn.Module) -> list[tuple[str, str]]:
    """Taps of skip and branch for every residual sum, in forward order."""
    pairs = []
    for name in layers(model, "block"):
        block = model.get_submodule(name)
        if hasattr(block, "norm2") and hasattr(block, "attn"):
            pairs += [(f"{name}.norm1:in", _last(block, name, "1", "attn")), (f"{name}.norm2:in", _last(block, name, "2", "mlp"))]
        elif hasattr(block, "downsample") and hasattr(block, "bn2"):
            skip = f"{name}.conv1:in" if block.downsample is None else f"{name}.downsample"
            pairs.append((skip, f"{name}.bn3" if hasattr(block, "bn3") else f"{name}.bn2"))
        else:
            raise ValueError(
                f"The skip connections of {type(block).__name__} ({name}) are not known: expected blocks of a ViT or a ResNet."
            )
    return pairs


def _last(block: nn.Module, name: str, number: str, branch: str) -> str:
    return f"{name}.ls{number}" if hasattr(block, f"ls{number}") else f"{name}.{branch}"
