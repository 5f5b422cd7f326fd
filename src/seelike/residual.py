"""Skip connections: how much of the stream they carry, and networks without some of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from seelike.architectures import remove_skips
from seelike.capture import capture, each_batch, listening, sums, tokens

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
    """Norm ratio and cosine of every residual sum (`capture.sums`), by name of the branch's last layer.

    Blocks whose skip connection was removed, or that never had one, have no sum and are left out. ValueError for blocks that are not known
    and for a network without any sum.
    """
    pairs = sums(model)
    if not pairs:
        raise ValueError(f"No block of this {type(model).__name__} has a skip connection: there is no residual sum to measure.")
    found: dict[str, list[tuple[Tensor, Tensor]]] = {branch: [] for _, branch in pairs}
    with listening(model):
        for x, _ in each_batch(model, loader):
            with capture(model, list(dict.fromkeys(tap for pair in pairs for tap in pair))) as taps:
                model(x)
            for skip, branch in pairs:
                z, f = tokens(taps[skip]), tokens(taps[branch])
                found[branch].append((norm_ratio(z, f).mean(0), torch.cosine_similarity(z, f, -1).mean(0)))
    return {
        branch: Residuals(*(torch.stack(part).cpu().double().numpy() for part in zip(*values, strict=True)))
        for branch, values in found.items()
    }
