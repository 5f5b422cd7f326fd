"""Summaries of CKA maps: the numbers behind Raghu et al. 2021, Figs 1, 2 and B.1.

A map is a square matrix over a network's taps in forward order, or a cross block (ViT taps x ResNet taps).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb

import numpy as np
from jaxtyping import Float, Int

Square = Float[np.ndarray, "l l"]
Cross = Float[np.ndarray, "v r"]
STAGE = re.compile(r"(?:layer|stages?\.)(\d)")
MOST_CUTS = 1000  # of a network's blocks that are gone through; of more, so many are drawn
LOWER = 60 / 130  # of a ResNet-50's layers, which Raghu et al. 2021 (Fig. B.1) set beside a ViT's


def uniformity(m: Square) -> float:
    """Mean CKA between different layers."""
    return float(m[~np.eye(len(m), dtype=bool)].mean())


def low_high(m: Square) -> float:
    """Mean CKA between the lowest and the highest third of the layers."""
    third = len(m) // 3
    return float(m[:third, -third:].mean())


def stages(names: Sequence[str], parts: int = 4) -> Int[np.ndarray, " l"]:
    """The stage of every tap: by name in a ResNet (stem and tail count to the first and last), else equal parts of the depth."""
    found = [STAGE.search(name) for name in names]
    if any(found):
        numbers = np.array([int(m[1]) if m else -1 for m in found])
        return np.maximum.accumulate(np.maximum(numbers, numbers[numbers >= 0].min()))
    return np.arange(len(names)) * parts // len(names)


def contrast(m: Square, stage: Int[np.ndarray, " l"]) -> float:
    """Mean CKA of layers within a stage minus that of layers in different stages."""
    same = stage[:, None] == stage
    return float(m[same & ~np.eye(len(m), dtype=bool)].mean() - m[~same].mean())


def split(m: Square, at: int) -> float:
    """Contrast across a boundary: mean CKA of layers on the same side of it minus that of layers on different sides.

    at: the first layer behind the boundary.
    """
    return contrast(m, (np.arange(len(m)) >= at).astype(int))


def entrance(taps: Sequence[str], block: str) -> int:
    """Index of the first tap inside a block; ValueError where none is."""
    inside = [i for i, tap in enumerate(taps) if f"{tap.partition(':')[0]}.".startswith(f"{block}.")]
    if not inside:
        raise ValueError(f"None of the {len(taps)} taps lies in {block}: expected the name of a block that was listened to.")
    return inside[0]


def stage_weights(taps: Sequence[str], blocks: Sequence[str], parts: int = 4) -> Square:
    """Weights of a map's entries whose sum (`stage_contrast`) says how far stages stand out beyond what distance in depth explains.

    Compared are pairs of layers at the same two places of their blocks and equally many blocks apart: mean CKA of those within a
    stage minus that of those in different stages, over all such classes of pairs (by n m / (n + m) of n and m pairs). From this goes the
    mean of the same over all other cuts of the blocks into as many consecutive parts (of more than 1000 cuts, so many are drawn).
    A map that depends on distance and on the place within a block only has a contrast of 0 under every cut.

    taps: names in forward order; those in no block (stem, last norm) have weight 0. blocks: names of all blocks (`capture.layers`);
    `stages` gives the stage of each. ValueError where no two layers can be compared.
    """
    stage = stages(blocks, parts)
    stage = np.unique(stage, return_inverse=True)[1]
    inside = _inside(taps, blocks)
    own = _contrast_weights(inside, stage)
    others = [_contrast_weights(inside, cut) for cut in _cuts(len(blocks), int(stage.max()) + 1) if (cut != stage).any()]
    if own is None or not others:
        raise ValueError(
            f"Stages cannot be told from distance in these {len(blocks)} blocks in {stage.max() + 1} stages: "
            "expected at least 2 stages, one of them of 2 blocks or more."
        )
    return own - np.mean([w for w in others if w is not None], axis=0)


def _inside(taps: Sequence[str], blocks: Sequence[str]) -> Int[np.ndarray, "l 2"]:
    """Block of every tap (-1: none) and its place among the taps of that block."""
    found, seen = [], dict.fromkeys(range(-1, len(blocks)), 0)
    for tap in taps:
        name = f"{tap.partition(':')[0]}."
        block = next((i for i, b in enumerate(blocks) if name.startswith(f"{b}.")), -1)
        found.append((block, seen[block]))
        seen[block] += 1
    return np.array(found)


def _cuts(blocks: int, parts: int) -> Iterator[Int[np.ndarray, " b"]]:
    """Stages of blocks under every cut into consecutive parts, or under a thousand cuts drawn at random."""
    places = np.arange(1, blocks)
    if comb(len(places), parts - 1) <= MOST_CUTS:
        chosen = [list(c) for c in combinations(places, parts - 1)]
    else:
        random = np.random.default_rng(0)
        chosen = [random.choice(places, parts - 1, replace=False).tolist() for _ in range(MOST_CUTS)]
    for cut in chosen:
        yield np.isin(np.arange(blocks), cut).cumsum()


def _contrast_weights(inside: Int[np.ndarray, "l 2"], stage: Int[np.ndarray, " b"]) -> Square | None:
    """Weights of entries in the contrast of one cut; None where no class has pairs both within and between stages."""
    (block, place), n = inside.T, len(inside)
    i, j = np.triu_indices(n, 1)
    held = (block[i] >= 0) & (block[j] >= 0)
    i, j = i[held], j[held]
    keys = np.stack([block[j] - block[i], place[i], place[j]], 1)
    kind = np.unique(keys, axis=0, return_inverse=True)[1].ravel()
    same = stage[block[i]] == stage[block[j]]
    within, between = (np.bincount(kind, chosen, minlength=kind.max(initial=0) + 1) for chosen in (same, ~same))
    share = within * between / np.maximum(within + between, 1)
    if not share.sum():
        return None
    share /= share.sum()
    weights = np.zeros((n, n))
    weights[i, j] = np.where(same, share[kind] / np.maximum(within[kind], 1), -share[kind] / np.maximum(between[kind], 1))
    return weights


def stage_contrast(m: Square, weights: Square) -> float:
    """How much more alike layers of one stage are than layers of different stages at the same distance, beyond other cuts; 0: not at all.

    weights: of `stage_weights`.
    """
    return float(np.sum(m * weights, where=weights != 0))


def consecutive(m: Square, taps: Sequence[str], blocks: Sequence[str]) -> Float[np.ndarray, " b"]:
    """Mean CKA of the layers of each block with those of the next, one number a boundary between blocks; stages show as dips."""
    block = _inside(taps, blocks)[:, 0]
    return np.array([m[np.ix_(block == i, block == i + 1)].mean() for i in range(len(blocks) - 1)])


def marks(taps: Sequence[str], blocks: Sequence[str]) -> dict[int, str]:
    """What to write at which layers along the axis of a map, counted from 1: `stage 2` at its first layer, or `block 3` where a network
    has no stages of its own, at every second block.
    """
    block, stage = _inside(taps, blocks)[:, 0], stages(blocks)
    named = any(STAGE.search(b) for b in blocks)
    starts = [0, *(np.flatnonzero(np.diff(stage)) + 1)] if named else range(0, len(blocks), 2)
    return {int(np.argmax(block == b)): f"stage {i}" if named else f"block {b + 1}" for i, b in enumerate(starts, 1)}


def autocorrelation(m: Square, lag: int) -> float:
    """Autocorrelation of the map's rows along depth, pooled; diagonal bridged and each row's linear trend removed."""
    rows, depth = m.copy(), np.arange(len(m), dtype=float)
    for i in range(len(m)):
        beside = [j for j in (i - 1, i + 1) if 0 <= j < len(m)]
        rows[i, i] = m[i, beside].mean()
    slope, level = np.polyfit(depth, rows.T, 1)
    rows -= slope[:, None] * depth + level[:, None]
    return float((rows[:, lag:] * rows[:, :-lag]).sum() / (rows**2).sum())


def peak(m: Square, period: int) -> float:
    """How far the map's autocorrelation at a period stands out: r(period) minus the larger of r(period - 1) and r(period + 1).

    Positive in a map that repeats with this period, or with a divisor of it; not positive in one that only falls off with distance.
    """
    return autocorrelation(m, period) - max(autocorrelation(m, period - 1), autocorrelation(m, period + 1))


def lowest_quarter(c: Cross) -> float:
    """Mean CKA of the lower half of the ResNet with the ViT's lowest quarter, minus the largest of that with another quarter.

    0 where layers correspond in proportion to depth: the lower half is then as near to the second quarter as to the lowest.
    """
    lowest, *others = (float(rows.mean()) for rows in np.array_split(c[:, : c.shape[1] // 2].mean(1), 4))
    return lowest - max(others)


def lower_share(c: Cross, lower: float = LOWER) -> float:
    """Share of ViT layers whose mean CKA with the lower part of the ResNet exceeds that with the rest of it.

    lower: the part, as a share of the ResNet's layers; the share of ViT layers is the same where layers correspond in proportion to depth.
    """
    at = round(lower * c.shape[1])
    return float((c[:, :at].mean(1) > c[:, at:].mean(1)).mean())


def top_unlike(c: Cross) -> float:
    """Best CKA with any ResNet layer: mean over the middle third of ViT layers minus the top third."""
    best, third = c.max(1), len(c) // 3
    return float(best[third:-third].mean() - best[-third:].mean())


def same_depth(c: Cross) -> float:
    """Mean similarity of layers at the same relative depth, one of the columns' network for each row."""
    rows = np.arange(len(c))
    return float(c[rows, np.round(rows * (c.shape[1] - 1) / (len(c) - 1)).astype(int)].mean())


def low_and_high(alike: Float[np.ndarray, " l"]) -> Float[np.ndarray, " 2"]:
    """Means over the lowest and over the highest third of layers, of one number a layer."""
    third = max(len(alike) // 3, 1)
    return np.array([alike[:third].mean(), alike[-third:].mean()])


def needs_more(main: Float[np.ndarray, " 2"], small: Float[np.ndarray, " 2"]) -> Float[np.ndarray, " 3"]:
    """What little data does to low layers, to low layers beyond high ones, and that in a network beyond the same in a smaller one.

    main, small: CKA with the network that was trained on all data, minus that of untrained weights, of the lowest and the highest third
    of layers (`low_and_high`). Low layers that little data teaches, high layers and larger networks that need more (Raghu et al. 2021,
    Fig. 12) give three numbers above 0.
    """
    gap = main[0] - main[1]
    return np.array([main[0], gap, gap - (small[0] - small[1])])


def preserved(own: Float[np.ndarray, "targets 2"], others: Float[np.ndarray, "others 2"]) -> Float[np.ndarray, " 2"]:
    """By how much low blocks stay nearer to what they were than high ones, and nearer than those of a network from another start.

    own: CKA of the lowest and the highest third of blocks with themselves before fine-tuning (`low_and_high`), one row a target; the
    paper's first four to five of twelve blocks are a third (Raghu et al. 2021, Fig. G.1). others: the same with networks that were
    trained from other starts; without any the second number is NaN.
    """
    elsewhere = others[:, 0].mean() if len(others) else np.nan
    return np.array([(own[:, 0] - own[:, 1]).mean(), own[:, 0].mean() - elsewhere])
