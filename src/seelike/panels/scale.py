"""Other analyses of chapter 8: which token is read, from how many shots, at which depth, and by networks of which recipe and head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import nn

from seelike import drift, intervals, maps, models, probes, tiers
from seelike.cards import Card
from seelike.chapter import Chapter
from seelike.cka import sweep
from seelike.intervals import Resampled, bootstrap
from seelike.panels import Found
from seelike.panels.structure import VIEWS, Group, groups
from seelike.tiers import Tier

SHOTS = (10, 50)
SHARES = (0.03, 0.1, 0.3)
STARTS = {"their start": 0, "another start": 1}
Curves = Mapping[str, Float[np.ndarray, "batches blocks"]]


def load(name: str, tier: str | Tier) -> nn.Module:
    """The network `<role>-<seed>` of a tier."""
    role, _, seed = name.rpartition("-")
    return models.load(role, tier, int(seed))


def analyses(tier: str | Tier, n_images: int = 1024) -> Iterator[Found]:
    """R21-24 (its first part, low layers) and R21-26, by what each could have been asked about."""
    yield from data_sizes(tier, max(n_images // 2, 32))
    yield from families(tier, n_images)


def data_sizes(tier: str | Tier, n_images: int) -> Iterator[Found]:
    """R21-24 by view, share of the base set, untrained weights that are subtracted, and width; one network each."""
    chosen = tiers.get(tier)
    sizes: dict[int, dict[float, Card]] = {}
    for card in models.cards(chosen, study="data").values():
        if card.seed == 0 and card.sha256:
            sizes.setdefault(card.made.factors["width"], {})[card.made.factors["share"]] = card
    images = Chapter("08", chosen).images(n_images, seed=9) if sizes else ()
    for width, cards in sizes.items():
        for view, looked_at in VIEWS.items():
            found = sweep(_of_one_width(cards, chosen), images, view=looked_at)
            low = {
                name: found.bootstrap(lambda a, b, c: maps.low_and_high(np.diag(c))[0], name, "1.0")
                for name in [*map(str, SHARES), *STARTS]
            }
            for share in SHARES:
                for start in STARTS:
                    choices = {"view": view, "share": f"{100 * share:g} %", "beyond untrained weights": start, "width": str(width)}
                    yield Found("R21-24", choices, intervals.estimate([low[str(share)].minus(low[start])]), 1)


def _of_one_width(cards: Mapping[float, Card], tier: Tier) -> dict[str, nn.Module]:
    full = cards[1.0]
    nets = {str(share): load(cards[share].label, tier) for share in (*SHARES, 1.0)}
    starts = {name: models.create(full.architecture, tier, seed=seed, **full.options) for name, seed in STARTS.items()}
    return nets | {name: model.eval().to(models.place()) for name, model in starts.items()}


def families(tier: str | Tier, n_images: int) -> Iterator[Found]:
    """R21-26 by read-out of the ViT, shots, depth, networks and head; a head that averages tokens has no class token to read."""
    chosen, have = tiers.get(tier), groups(tier)
    shown, asked = Chapter("08", chosen).probe(n_images, n_images, seeds=(90, 9))
    afforded = [n for n in SHOTS if probes.affordable(shown.labels, len(shown.classes), most=n) == n]
    names = list(dict.fromkeys(name for group in have for pair in group.pairs for name in pair))
    read = {name: _read(load(name, chosen), shown, asked, afforded) for name in names}
    for group in have:
        for readout in drift.READOUTS:
            if readout == "patches" and group.head != "class token":
                continue  # the same as all tokens
            for shots in afforded:
                for depth in ("all blocks", "middle half"):
                    values = [_easier(read[v][shots], read[r][shots], readout, depth) for v, r in group.pairs]
                    kept = [value for value in values if value is not None]
                    if kept:
                        choices = {"read-out": readout, "shots": str(shots), "depth": depth, "networks": group.networks, "head": group.head}
                        yield Found("R21-26", choices, intervals.estimate(kept), _networks(group))


def _read(model: nn.Module, shown: Any, asked: Any, shots: list[int]) -> dict[int, Curves]:
    return {n: drift.readable(model, shown, asked, len(shown.classes), per_class=n, draws=3 if n <= 10 else 1) for n in shots}


def _easier(vit: Curves, resnet: Curves, readout: str, depth: str) -> Resampled | None:
    if readout not in vit:
        return None
    one, other = (middle_half(y) if depth == "middle half" else y for y in (vit[readout], resnet["all tokens"]))
    return bootstrap(drift.easier, one, other)


def middle_half(y: Float[np.ndarray, "batches blocks"]) -> Float[np.ndarray, "batches some"]:
    """The middle half of the blocks."""
    quarter = y.shape[1] // 4
    return y[:, quarter : y.shape[1] - quarter]


def _networks(group: Group) -> int:
    """Networks of each kind behind a group: the number of the kind that it has fewest of."""
    return min(len(set(names)) for names in zip(*group.pairs, strict=True))
