"""Skip connections: how much of the stream they carry, and networks without some of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from seelike.architectures import remove_skips
from seelike.capture import capture, each_batch, grid, listening, sums, tokens

__all__ = ["Residuals", "by_sum", "by_token", "lines", "margins", "norm_ratio", "price", "remove_skips", "residuals", "two_phases"]


class Residuals(NamedTuple):
    """Of one residual sum, per batch and position.

    ratio: norm of skip over norm of branch. cosine: of the two vectors. Both (batches, positions).
    """

    ratio: Float[np.ndarray, "batches positions"]
    cosine: Float[np.ndarray, "batches positions"]


def norm_ratio(skip: Float[Tensor, "b n c"], branch: Float[Tensor, "b n c"]) -> Float[Tensor, "b n"]:
    """Norm of what the skip connection carries over the norm of what the branch adds, at every position (Raghu et al. 2021, Sec. 5)."""
    return skip.norm(dim=-1) / branch.norm(dim=-1).clamp_min(1e-12)


def by_sum(found: Mapping[str, Residuals], of: Literal["ratio", "cosine"] = "ratio") -> Float[np.ndarray, "batches sums"]:
    """Norm ratio or cosine of every residual sum, averaged over positions."""
    return np.stack([getattr(s, of).mean(1) for s in found.values()], 1)


def by_token(found: Mapping[str, Residuals]) -> Float[np.ndarray, "batches sums tokens"]:
    """Norm ratio of every residual sum at the class token (column 0) and at the patches, row by row; registers are left out.

    ValueError for networks without a class token, for those in which sums have different positions, and for fewer than two blocks.
    """
    sizes = {s.ratio.shape[1] for s in found.values()}
    if len(sizes) > 1:
        raise ValueError(
            f"Its residual sums have {', '.join(map(str, sorted(sizes)))} positions: a ViT, in which all have as many, was expected."
        )
    prefix = grid(sizes.pop())[1]
    if not prefix:
        raise ValueError("It has no class token: a ViT with one was expected.")
    _two_blocks(len(found))
    return np.stack([np.concatenate([s.ratio[:, :1], s.ratio[:, prefix:]], 1) for s in found.values()], 1)


def margins(z: Float[np.ndarray, "sums tokens"]) -> tuple[float, float]:
    """How far the class token's norm ratio exceeds the patches' in the lower half, and the patches' the class token's in the upper half.

    z: class token in column 0, two sums a block, attention and MLP counting alike; of an odd number of blocks the last is left out.
    ValueError for fewer than two blocks. (Raghu et al. 2021, Sec. 5.)
    """
    _two_blocks(len(z))
    low, high = (half[:, 0].mean() - half[:, 1:].mean() for half in np.split(z[: len(z) // 4 * 4], 2))
    return float(low), float(-high)


def _two_blocks(sums: int) -> None:
    if sums < 4:
        raise ValueError(f"Two halves need at least 2 blocks, which have 4 residual sums, got {sums}.")


def two_phases(z: Float[np.ndarray, "sums tokens"]) -> float:
    """The smaller of the two `margins`: above 0 the class token's ratio leads in the lower half and the patches' in the upper half."""
    return min(margins(z))


def price(twin: float, without: float) -> float:
    """Distance of the accuracy that is lost, in points, from 4.5, the middle of the range 1 to 8 around what the paper reports.

    twin, without: accuracies (0 to 1) of networks with all skip connections and without those of one block.
    """
    return float(abs(100 * (twin - without) - 4.5))


def lines(found: Mapping[str, Residuals]) -> dict[str, dict[str, list[float]]]:
    """Mean norm ratio and cosine of every residual sum, in forward order, as {line: {"ratio": [...], "cosine": [...]}}.

    A line is a branch: attention (or token mixing) and MLP of blocks with two sums, `block` of blocks with one; where there is a
    class token, it and the patches have lines of their own, such as "MLP, class token".
    """
    blocks = Counter(tap.rpartition(".")[0] for tap in found)
    seen: set[str] = set()
    drawn: dict[str, dict[str, list[float]]] = {}
    for tap, s in found.items():
        block = tap.rpartition(".")[0]
        first = "token mixing" if tap.endswith("mlp_tokens") else "attention"
        branch = "block" if blocks[block] == 1 else "MLP" if block in seen else first
        seen.add(block)
        prefix = grid(s.ratio.shape[1])[1]
        parts = {f"{branch}, patches": slice(prefix, None), f"{branch}, class token": slice(0, 1)} if prefix else {branch: slice(None)}
        for line, columns in parts.items():
            curve = drawn.setdefault(line, {"ratio": [], "cosine": []})
            curve["ratio"].append(float(s.ratio[:, columns].mean()))
            curve["cosine"].append(float(s.cosine[:, columns].mean()))
    return drawn


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
