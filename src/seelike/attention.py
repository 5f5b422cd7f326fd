"""How far attention looks: distances, entropy, the mass on prefix tokens, and what the heads of a block resemble.

Attention maps are reduced inside the hook: images x heads x n x n never sits in memory. Measures come back as one
mean per batch, (batches, ...), which `intervals.bootstrap` resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import rankdata, spearmanr
from torch import Tensor, nn

from seelike.capture import attention, capture, device_of, each_batch, flat, grid, listening
from seelike.cka import CKA, gram


@lru_cache(32)
def _grid_distances(queries: int, keys: int, strided: bool = False) -> Float[Tensor, "n m"]:
    """Distances between two square grids over the same image, in sides of a query's cell: between centres of cells, or of
    every k-th query and the others where keys were pooled by a padded, strided kernel."""

    def places(side: int) -> Tensor:
        line = (torch.arange(side) + (0.0 if strided else 0.5)) * (queries / side)
        return torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).view(-1, 2)

    return torch.cdist(places(queries), places(keys))


def mean_distance(
    weights: Float[Tensor, "b heads n m"], patch: int | float, *, prefix: int | None = None, renormalise: bool = True, strided: bool = False
) -> Float[Tensor, "b heads"]:
    """Distance in pixels between a query patch and the patches it attends to, averaged over queries (Raghu et al. 2021, Sec. 4).

    weights: rows sum to 1 over keys, which may be a coarser grid than the queries. patch: side of a query's patch in pixels.
    prefix: tokens before the grid (default: those that do not fit a square), left out as queries and as keys. renormalise:
    make the remaining weights sum to 1 again (queries that attend to no patch at all are left out); without it, attention to the
    class token counts as distance 0. strided: keys
    stand at every k-th query (padded pooling, as in MViT) and not at the centre of their cells.
    """
    (side, first), (coarse, skip) = (grid(n, prefix) for n in weights.shape[-2:])
    inner = weights[..., first:, skip:].float()
    distance = _grid_distances(side, coarse, strided).to(inner.device) * patch
    per_query = (inner * distance).sum(-1)
    if not renormalise:
        return per_query.mean(-1)
    mass = inner.sum(-1)
    return (per_query / mass).where(mass > 1e-6, torch.nan).nanmean(-1)


def entropy(weights: Float[Tensor, "b heads n m"], *, prefix: int | None = None) -> Float[Tensor, "b heads"]:
    """Entropy of a query patch's attention to the patches over that of uniform attention, averaged over queries.

    1: all patches alike, 0: one patch only, near or far. prefix: as in `mean_distance`; left out as queries and as keys, and the rest is
    made to sum to 1 (queries that attend to no patch at all are left out). NaN on a grid of one patch.
    """
    (_, first), (coarse, skip) = (grid(n, prefix) for n in weights.shape[-2:])
    inner = weights[..., first:, skip:].float()
    mass = inner.sum(-1)
    bits = torch.special.entr(inner / mass.unsqueeze(-1)).sum(-1)
    most = torch.tensor(float(coarse**2)).log().to(bits)
    return (bits / most).where(mass > 1e-6, torch.nan).nanmean(-1)


def uniform_distance(side: int, patch: int) -> float:
    """Mean distance in pixels when every patch attends to all patches alike, itself included: the fully global line."""
    return float(_grid_distances(side, side).mean()) * patch


def prefix_mass(weights: Float[Tensor, "b heads n n"], *, prefix: int | None = None) -> Float[Tensor, "b heads"]:
    """Share of the patches' attention that goes to the tokens before the grid (class token, registers)."""
    first = grid(weights.shape[-1], prefix)[1]
    return weights[..., first:, :first].sum(-1).mean(-1)


def block_distances(
    model: nn.Module, loader: Iterable[Any], *, prefix: int | None = None, renormalise: bool = True, strided: bool = False
) -> list[Float[np.ndarray, "batches heads"]]:
    """Mean attention distance in pixels of every head of every block, one value per batch; ValueError for a network without attention.

    Images whose head attends to no patch at all are left out of the mean; a batch of nothing else is NaN.
    Blocks may have grids and numbers of heads of their own, as in pyramids.
    """

    def reduce(weights: Tensor, size: int) -> Tensor:
        patch = size / grid(weights.shape[-2], prefix)[0]
        return mean_distance(weights, patch, prefix=prefix, renormalise=renormalise, strided=strided).nanmean(0)

    return _each_block(model, loader, reduce)


class Heads(NamedTuple):
    """What the heads of every block do, one value per batch: mean distance in pixels, and entropy over that of uniform attention."""

    distance: list[Float[np.ndarray, "batches heads"]]
    entropy: list[Float[np.ndarray, "batches heads"]]


def heads_of(model: nn.Module, loader: Iterable[Any]) -> Heads:
    """Distance (as in `block_distances`) and `entropy` of every head, in one pass over the images."""

    def reduce(weights: Tensor, size: int) -> Tensor:
        distance = mean_distance(weights, size / grid(weights.shape[-2])[0])
        return torch.stack([distance.nanmean(0), entropy(weights).nanmean(0)])

    both = _each_block(model, loader, reduce)
    return Heads([block[:, 0] for block in both], [block[:, 1] for block in both])


@torch.no_grad()
def _each_block(model: nn.Module, loader: Iterable[Any], reduce: Callable[[Tensor, int], Tensor]) -> list[Float[np.ndarray, "batches ..."]]:
    """`reduce(attention weights, side of the images in pixels)` for every block and batch."""
    size, images = 0, 0

    def checked(weights: Tensor) -> Tensor:
        if len(weights) != images:
            raise ValueError(f"Attention came for {len(weights)} sequences of {images} images: distances inside windows are not distances.")
        return reduce(weights, size)

    rows = []
    with listening(model), attention(model, reduce=checked) as found:
        for x, _ in each_batch(model, loader):
            size, images = x.shape[-1], len(x)
            if x.shape[-2] != size:
                raise ValueError(f"Distances need square images, got {x.shape[-2]} x {size} pixels.")
            model(x)
            rows.append(list(found.values()))
    return [torch.stack(block).cpu().double().numpy() for block in zip(*rows, strict=True)]


@torch.no_grad()
def uniform_blocks(model: nn.Module, x: Float[Tensor, "b 3 side side"], *, strided: bool = False) -> list[float]:
    """What `block_distances` would give if all patches attended to all alike: a distance in pixels for every block, on its own grid.

    x: images of the size in question, one is enough. strided: as in `mean_distance`. ValueError for a network without attention.
    """

    def reduce(weights: Tensor) -> Tensor:
        alike = torch.full_like(weights[:1, :1], 1 / weights.shape[-1])
        return mean_distance(alike, x.shape[-1] / grid(weights.shape[-2])[0], strided=strided)

    with listening(model), attention(model, reduce=reduce) as found:
        model(x.to(device_of(model)))
    return [value.item() for value in found.values()]


def spread(distances: Sequence[Float[np.ndarray, " _"]], own: Sequence[float] | None = None) -> float:
    """Largest minus smallest mean distance of the heads of all blocks (Fan et al. 2021, Fig. A.6).

    distances: of the heads of every block, in pixels or over that of uniform attention. own: of every block when its attention is
    uniform (`uniform_blocks`), subtracted first.
    """
    means = np.concatenate([heads - alone for heads, alone in zip(distances, own or [0.0] * len(distances), strict=True)])
    return float(np.ptp(means))


def rising(distances: Sequence[Float[np.ndarray, "... _"]]) -> float:
    """Spearman's correlation of the mean distance of a block's heads with the block's number: 1 where every block looks farther."""
    return float(spearmanr([heads.mean() for heads in distances], range(len(distances))).statistic)


def most_local(*blocks: Float[np.ndarray, " _"]) -> float:
    """Smallest distance of a head in some blocks, which may have different numbers of heads (Raghu et al. 2021, Fig. 3)."""
    return float(np.min([heads.min() for heads in blocks]))


def most_global(*blocks: Float[np.ndarray, " _"]) -> float:
    """Largest distance of a head in some blocks, which may have different numbers of heads (Raghu et al. 2021, Fig. 3)."""
    return float(np.max([heads.max() for heads in blocks]))


def farther(little: Sequence[Float[np.ndarray, " _"]], much: Sequence[Float[np.ndarray, " _"]]) -> float:
    """The most local head's distance after little data over that after much (Raghu et al. 2021, Fig. 4); above 1, locality is lost.

    little, much: the heads of the same blocks of two networks.
    """
    return most_local(*little) / most_local(*much)


def reach(distances: Float[np.ndarray, " heads"], chosen: Sequence[tuple[int, ...]]) -> Float[np.ndarray, " subsets"]:
    """Mean distance of every subset of a block's heads (`subsets`)."""
    return np.array([distances[list(s)].mean() for s in chosen])


def trends(reached: Float[np.ndarray, " subsets"], similarity: Float[np.ndarray, "subsets units"]) -> Float[np.ndarray, " units"]:
    """Spearman's correlation of the reach of subsets of heads with their similarity to every unit (Raghu et al. 2021, Fig. 5).

    NaN for fewer than three subsets, where the reach is the same for all, and for a unit to which all are as similar.
    """
    if len(reached) < 3 or not np.ptp(reached):
        return np.full(similarity.shape[1], np.nan)
    varies = np.ptp(similarity, 0) > 0
    ranks = rankdata(np.column_stack([reached, similarity[:, varies]]), axis=0)
    found = np.full(similarity.shape[1], np.nan)
    found[varies] = np.atleast_2d(np.corrcoef(ranks.T))[0, 1:]
    return found


def trend(reached: Float[np.ndarray, " subsets"], similarity: Float[np.ndarray, "subsets units"]) -> float:
    """The mean of `trends` over units: near -1, the more local a subset of heads, the more it resembles the units."""
    return float(trends(reached, similarity).mean())


def subsets(distances: Float[np.ndarray, " heads"]) -> list[tuple[int, ...]]:
    """Subsets of a block's heads, to go from local to global: all of them for up to 4 heads, else runs of half of the sorted heads."""
    heads = len(distances)
    if heads <= 4:
        return [chosen for size in range(1, heads + 1) for chosen in combinations(range(heads), size)]
    order = np.argsort(distances).tolist()
    return [tuple(order[i : i + heads // 2]) for i in range(heads - heads // 2 + 1)]


@torch.no_grad()
def head_subsets(vit: nn.Module, other: nn.Module, loader: Iterable[Any], units: Sequence[str], chosen: Sequence[tuple[int, ...]]) -> CKA:
    """CKA of subsets of the first block's heads (outputs concatenated, before the projection) with units of another network.

    chosen: tuples of heads. Labels are `heads/0+2` and the units' names. Concatenation adds Gram matrices, so that one Gram
    matrix per head serves all subsets (Raghu et al. 2021, Fig. 5).
    """
    block = next((m for m in vit.modules() if hasattr(m, "fused_attn") and hasattr(m, "num_heads")), None)
    if block is None:
        raise ValueError(f"{type(vit).__name__} has no attention heads: expected a transformer of timm.")
    name = next(n for n, m in vit.named_modules() if m is block)
    heads = int(getattr(block, "num_heads"))  # noqa: B009
    labels = ["heads/" + "+".join(map(str, s)) for s in chosen]
    total = CKA([*labels, *units])
    inputs, outputs = capture(vit, [f"{name}.proj:in"]), capture(other, units, reduce=lambda h: gram(flat(h)))
    with listening(vit, other), inputs as inner, outputs as grams:
        for x, _ in each_batch(vit, loader):
            vit(x)
            other(x.to(device_of(other)))
            parts = inner[f"{name}.proj:in"].unflatten(-1, (heads, -1))
            own = [gram(parts[..., i, :]) for i in range(heads)]
            summed = {label: torch.stack([own[i] for i in s]).sum(0) for label, s in zip(labels, chosen, strict=True)}
            total.update(summed | grams)
    return total


@torch.no_grad()
def rollout(model: nn.Module, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b side side"]:
    """Attention of the class token to patches through all blocks, half of every block the skip (Abnar & Zuidema 2020, Sec. 3).

    Raises ValueError for a network without a class token, or whose blocks do not all attend between the same tokens.
    """
    with listening(model), attention(model, reduce=lambda a: a.mean(1)) as maps:
        model(x.to(device_of(model)))
    sizes = {tuple(weights.shape[1:]) for weights in maps.values()}
    queries, keys = next(iter(sizes))
    side, prefix = grid(keys)
    if len(sizes) > 1 or queries != keys or not prefix:
        shapes = ", ".join(f"{q} x {k}" for q, k in sorted(sizes))
        raise ValueError(f"Rollout needs a class token and attention between the same tokens in every block, got maps of {shapes}.")
    same = torch.eye(keys, device=device_of(model))
    flow = same
    for weights in maps.values():
        flow = (0.5 * weights + 0.5 * same) @ flow
    return flow[:, 0, prefix:].unflatten(1, (side, side)).to(x.device)
