"""Summaries of CKA maps: the numbers behind Raghu et al. 2021, Figs 1, 2 and B.1.

A map is a square matrix over a network's taps in forward order, or a cross block (ViT taps x ResNet taps).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

Square = Float[np.ndarray, "l l"]
Cross = Float[np.ndarray, "v r"]


def uniformity(m: Square) -> float:
    """Mean CKA between different layers."""
    return float(m[~np.eye(len(m), dtype=bool)].mean())


def low_high(m: Square) -> float:
    """Mean CKA between the lowest and the highest third of the layers."""
    third = len(m) // 3
    return float(m[:third, -third:].mean())


def stages(names: Sequence[str], parts: int = 4) -> Int[np.ndarray, " l"]:
    """The stage of every tap: by name in a ResNet (stem and tail count to the first and last), else equal parts of the depth."""
    found = [re.search(r"(?:layer|stages?\.)(\d)", name) for name in names]
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


def autocorrelation(m: Square, lag: int) -> float:
    """Autocorrelation of the map's rows along depth, pooled; diagonal bridged and each row's linear trend removed."""
    rows, depth = m.copy(), np.arange(len(m), dtype=float)
    for i in range(len(m)):
        beside = [j for j in (i - 1, i + 1) if 0 <= j < len(m)]
        rows[i, i] = m[i, beside].mean()
    slope, level = np.polyfit(depth, rows.T, 1)
    rows -= slope[:, None] * depth + level[:, None]
    return float((rows[:, lag:] * rows[:, :-lag]).sum() / (rows**2).sum())


def grid(m: Square, period: int) -> float:
    """Margin by which the map repeats with every block: the smaller of r(period) - 0.5 and r(period) - neighbours."""
    peak = autocorrelation(m, period)
    beside = max(autocorrelation(m, period // 2), autocorrelation(m, period + period // 2))
    return min(peak - 0.5, peak - beside)


def matched_depth(c: Cross) -> float:
    """Median depth (0 to 1) of the ViT layer most similar to each layer in the lower half of the ResNet."""
    lower = c[:, : c.shape[1] // 2]
    return float(np.median(lower.argmax(0) / (len(c) - 1)))


def matched_share(c: Cross, lowest: float = 60 / 130) -> float:
    """Share of ViT layers whose most similar ResNet layer lies in the lowest part of the ResNet."""
    return float((c.argmax(1) < lowest * c.shape[1]).mean())


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


def needs_more(main: Float[np.ndarray, " 2"], small: Float[np.ndarray, " 2"]) -> float:
    """Smallest margin of three: low layers are alike, more so than high ones, and by more in the main network than in a smaller one.

    main, small: similarity to networks trained on all data, of the lowest and the highest third of layers (`low_and_high`). Margins are
    those over 0.9, over 0.1 and over 0 (Raghu et al. 2021, Fig. 12).
    """
    (low, high), gap = main, small[0] - small[1]
    return float(min(low - 0.9, low - high - 0.1, low - high - gap))


def preserved(alike: Float[np.ndarray, " l"]) -> float:
    """Smaller margin of two: the first four blocks stay as they were (over 0.95), and more so than the last three.

    alike: similarity of every block to itself before fine-tuning (Raghu et al. 2021, Fig. G.1).
    """
    early = alike[:4].mean()
    return float(min(early - 0.95, early - alike[-3:].mean()))
