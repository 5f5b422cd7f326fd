"""What the layers of a network make easy to read, with more data and at greater depth (Raghu et al. 2021, Sec. 6, App. F)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor, nn

from seelike import capture, claims, ledger, probes
from seelike.tiers import Tier

READOUTS = ("all tokens", "patches", "class token")


def learned(accuracy: float, classes: int) -> float:
    """Accuracy beyond chance: 0 for a guess among equally frequent classes, 1 where every answer is right; ValueError for one class."""
    if classes < 2:
        raise ValueError(f"Accuracy beyond chance needs at least 2 classes, got {classes}.")
    return (accuracy - 1 / classes) / (1 - 1 / classes)


def readouts(h: Float[Tensor, "b ..."]) -> Float[Tensor, "b readouts c"]:
    """Of one layer the mean of all tokens, and where it has a class token also the mean of its patches and that token (`READOUTS`)."""
    every, grid = capture.tokens(h), capture.patches(h)
    if every.shape[1] == grid.shape[1]:
        return every.mean(1, keepdim=True)
    return torch.stack([every.mean(1), grid.mean(1), every[:, 0]], 1)


def readable(
    model: nn.Module, shown: Iterable[Any], asked: Iterable[Any], classes: int, *, per_class: int = 10, draws: int = 3
) -> dict[str, Float[np.ndarray, "batches blocks"]]:
    """Few-shot accuracy of every block's output by read-out (`READOUTS`), one value per batch of `asked` (Raghu et al. 2021, Fig. 13).

    Without a class token, all tokens and patches are the same and there is no third. ValueError for a network without recognised blocks,
    or where a class has too few images.
    """
    found = probes.few_shot(model, capture.layers(model), shown, asked, classes, view=readouts, per_class=per_class, draws=draws)
    stacked = np.stack(list(found.values()), 1)
    parts = [stacked[..., i] for i in range(stacked.shape[-1])]
    return dict(zip(READOUTS, parts * 2 if len(parts) == 1 else parts, strict=False))


def middle(curve: Float[np.ndarray, " blocks"]) -> float:
    """The value at the middle block: the last one of the lower half."""
    return float(curve[max(len(curve) // 2 - 1, 0)])


def more_data_helps(much: Float[np.ndarray, " blocks"], little: Float[np.ndarray, " blocks"]) -> float:
    """Percentage points by which the middle block of one network is easier to read than that of another (Raghu et al. 2021, Fig. 13a)."""
    return 100 * (middle(much) - middle(little))


def easier(one: Float[np.ndarray, " blocks"], other: Float[np.ndarray, " others"]) -> float:
    """Accuracy of probes, mean over the depth of one network minus the same of another (Raghu et al. 2021, Fig. 13b)."""
    return float(one.mean() - other.mean())


def parts(names: Sequence[str], tier: str | Tier) -> pd.DataFrame:
    """What was recorded of every part of some claims at a tier, one row each; a part without an interval is not known."""
    found = {name: claims.recorded_of(name, tier) for name in names}
    held = [(name, part.name, entry.parts.get(part.name)) for name, entry in found.items() if entry for part in ledger.get(name).parts]
    values = [(name, part, number and number.interval()) for name, part, number in held]
    rows = [(name, part, claims.words(*value) if value else "not known") for name, part, value in values]
    return pd.DataFrame(rows, columns=["claim", "part", "estimate [95 %]"]).set_index("claim")
