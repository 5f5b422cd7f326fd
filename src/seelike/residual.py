"""Skip connections: how much of the stream they carry, and networks without some of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from seelike.architectures import remove_skips
from seelike.capture import capture, each_batch, grid, listening, sums, tokens

__all__ = [
    "PHASES", "Norms", "Residuals", "by_sum", "by_token", "leads", "lines", "norm_ratio", "norms", "phase", "price", "remove_skips",
    "residuals",
]  # fmt: skip

Branch = Literal["attention", "MLP"]
Half = Literal["lower", "upper"]
Measure = Literal["ratio", "cosine", "log", "along"]
PHASES: dict[str, tuple[Branch, Half]] = {  # the parts of R21-15
    "MLP, lower half": ("MLP", "lower"),
    "MLP, upper half": ("MLP", "upper"),
    "attention, lower half": ("attention", "lower"),
    "attention, upper half": ("attention", "upper"),
}


class Residuals(NamedTuple):
    """Of one residual sum, means over the images of each batch, by position: all (batches, positions).

    ratio: norm of skip over norm of branch. cosine: of skip and branch. log: natural logarithm of the ratio, -inf where a skip is
    silent in some image. along: cosine of skip and sum.
    """

    ratio: Float[np.ndarray, "batches positions"]
    cosine: Float[np.ndarray, "batches positions"]
    log: Float[np.ndarray, "batches positions"]
    along: Float[np.ndarray, "batches positions"]


class Norms(NamedTuple):
    """Norms of what the skip connection carries and of what the branch adds, of every image and position."""

    skip: Float[np.ndarray, "images positions"]
    branch: Float[np.ndarray, "images positions"]


def norm_ratio(skip: Float[Tensor, "b n c"], branch: Float[Tensor, "b n c"]) -> Float[Tensor, "b n"]:
    """Norm of what the skip connection carries over the norm of what the branch adds, at every position (Raghu et al. 2021, Sec. 5)."""
    return skip.norm(dim=-1) / branch.norm(dim=-1).clamp_min(1e-12)


def by_sum(found: Mapping[str, Residuals], of: Measure = "ratio") -> Float[np.ndarray, "batches sums"]:
    """A measure of every residual sum, averaged over positions."""
    return np.stack([getattr(s, of).mean(1) for s in found.values()], 1)


def by_token(found: Mapping[str, Residuals], of: Measure = "ratio") -> Float[np.ndarray, "batches sums tokens"]:
    """A measure of every residual sum at the class token (column 0) and at the patches, row by row; registers are left out.

    ValueError for networks without a class token, for those in which sums have different positions, and for fewer than four blocks.
    """
    sizes = {s.ratio.shape[1] for s in found.values()}
    if len(sizes) > 1:
        raise ValueError(
            f"Its residual sums have {', '.join(map(str, sorted(sizes)))} positions: a ViT, in which all have as many, was expected."
        )
    prefix = grid(sizes.pop())[1]
    if not prefix:
        raise ValueError("It has no class token: a ViT with one was expected.")
    _four_blocks(len(found))
    measured = [getattr(s, of) for s in found.values()]
    return np.stack([np.concatenate([m[:, :1], m[:, prefix:]], 1) for m in measured], 1)


def leads(z: Float[np.ndarray, "sums tokens"]) -> dict[Branch, Float[np.ndarray, " blocks"]]:
    """By how much the class token's log norm ratio exceeds the mean of the patches', by branch and block.

    z: log ratios (`by_token`), class token in column 0, two sums a block, attention first. (Raghu et al. 2021, Figs 7 and E.1.)
    """
    lead = z[:, 0] - z[:, 1:].mean(1)
    return {"attention": lead[0::2], "MLP": lead[1::2]}


def phase(z: Float[np.ndarray, "sums tokens"], branch: Branch, half: Half) -> float:
    """Mean log norm ratio of one branch of a ViT: class token minus patches in the lower half, patches minus class token in the upper.

    Above 0 in both halves, the skip connections carry first the class token and then the patches (Raghu et al. 2021, Sec. 5). Two blocks
    are left out: the first, which meets the class token as a constant, and the last, whose patches nothing reads; of an odd number of
    others also the middle one. z: as of `leads`. ValueError for fewer than four blocks.
    """
    _four_blocks(len(z))
    inner = leads(z)[branch][1:-1]
    size = len(inner) // 2
    return float(inner[:size].mean() if half == "lower" else -inner[-size:].mean())


def _four_blocks(sums: int) -> None:
    if sums < 8:
        raise ValueError(f"Two halves between the first and the last block need at least 4 blocks, which have 8 residual sums, got {sums}.")


def price(twin: float, without: float) -> float:
    """Accuracy that is lost without the skip connections of one block, in points.

    twin, without: accuracies (0 to 1) of networks with all skip connections and without those of the block (Raghu et al. 2021, Sec. 5).
    """
    return float(100 * (twin - without))


def lines(found: Mapping[str, Residuals]) -> dict[str, dict[str, list[float]]]:
    """Means of every residual sum, in forward order, as {line: {"ratio": [...], "cosine": [...], "along": [...]}} (`Residuals`).

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
            curve = drawn.setdefault(line, {"ratio": [], "cosine": [], "along": []})
            for of, values in curve.items():
                values.append(float(getattr(s, of)[:, columns].mean()))
    return drawn


def residuals(model: nn.Module, loader: Iterable[Any]) -> dict[str, Residuals]:
    """Norm ratio and cosines of every residual sum (`capture.sums`), by name of the branch's last layer.

    Blocks whose skip connection was removed, or that never had one, have no sum and are left out. ValueError for blocks that are not known
    and for a network without any sum.
    """
    found: dict[str, list[tuple[Tensor, ...]]] = {}
    for branch, z, f in _added(model, loader):
        ratio, cosine = norm_ratio(z, f), torch.cosine_similarity(z, f, -1)
        measures = (ratio, cosine, ratio.log(), torch.cosine_similarity(z, z + f, -1))
        found.setdefault(branch, []).append(tuple(m.mean(0) for m in measures))
    return {
        branch: Residuals(*(torch.stack(part).cpu().double().numpy() for part in zip(*values, strict=True)))
        for branch, values in found.items()
    }


def norms(model: nn.Module, loader: Iterable[Any]) -> dict[str, Norms]:
    """Norms at both sides of every residual sum, image by image; errors as of `residuals`."""
    found: dict[str, list[tuple[Tensor, Tensor]]] = {}
    for branch, z, f in _added(model, loader):
        found.setdefault(branch, []).append((z.norm(dim=-1), f.norm(dim=-1)))
    return {
        branch: Norms(*(torch.cat(part).cpu().double().numpy() for part in zip(*values, strict=True))) for branch, values in found.items()
    }


@torch.no_grad()
def _added(model: nn.Module, loader: Iterable[Any]) -> Iterator[tuple[str, Tensor, Tensor]]:
    """What is added to what, batch by batch: the branch's name, skip and branch, each (b, positions, c)."""
    pairs = sums(model)
    if not pairs:
        raise ValueError(f"No block of this {type(model).__name__} has a skip connection: there is no residual sum to measure.")
    taps = list(dict.fromkeys(tap for pair in pairs for tap in pair))
    with listening(model):
        for x, _ in each_batch(model, loader):
            with capture(model, taps) as found:
                model(x)
            yield from ((branch, tokens(found[skip]), tokens(found[branch])) for skip, branch in pairs)
