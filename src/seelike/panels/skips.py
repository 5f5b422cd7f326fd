"""Other analyses of chapter 6: measures, tokens and networks of the norm ratio; views, taps and blocks of the cut without skips."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float

from seelike import capture, intervals, maps, models, tiers
from seelike.capture import grid
from seelike.chapter import Chapter
from seelike.cka import CKA, sweep
from seelike.intervals import Resampled
from seelike.panels import Found
from seelike.panels.structure import groups
from seelike.residual import Norms, norms
from seelike.tiers import Tier

TOKENS = ("all positions", "patches", "class token")
Batched = Float[np.ndarray, "batches sums 2"]
CUTS = {"early": "vit_early_skipless", "middle": "vit_middle_skipless", "late": "vit_late_skipless"}
VIEWS = {"all positions": capture.flat, "mean over positions": capture.gap}
TAPS = ("all layers", "block outputs")


def analyses(tier: str | Tier, n_images: int = 512) -> Iterator[Found]:
    """R21-16 by measure, tokens, networks and head; R21-17 by view, taps and block. One pair of networks has an interval over images."""
    chosen = tiers.get(tier)
    images = Chapter("06", chosen).images(n_images, seed=6, batch_size=64)
    yield from ratios(chosen, images)
    yield from cuts(chosen, images)


def positions(found: Norms, tokens: str) -> Norms:
    """The norms at some positions: of a sum without a class token all of them, whatever was asked for."""
    prefix = grid(found.skip.shape[1])[1]
    chosen = {"class token": slice(0, 1), "patches": slice(prefix, None)}.get(tokens, slice(None)) if prefix else slice(None)
    return Norms(found.skip[:, chosen], found.branch[:, chosen])


def batches(found: Mapping[str, Norms], number: int, measure: str) -> Batched:
    """What a measure needs of every residual sum, batch by batch: two means, or a median and 1.

    A measure is the mean over sums of the first over the second. measure: of `MEASURES`.
    """
    made = [MEASURES[measure](Norms(*(_split(part, number) for part in s))) for s in found.values()]
    return np.stack(made, 1)


def _split(x: np.ndarray, number: int) -> np.ndarray:
    return x.reshape(number, -1)


def _means(n: Norms) -> np.ndarray:
    return np.stack([n.skip.mean(1), n.branch.mean(1)], 1)


def _mean(n: Norms) -> np.ndarray:
    ratio = (n.skip / n.branch.clip(1e-12)).mean(1)
    return np.stack([ratio, np.ones_like(ratio)], 1)


def _median(n: Norms) -> np.ndarray:
    ratio = np.median(n.skip / n.branch.clip(1e-12), 1)
    return np.stack([ratio, np.ones_like(ratio)], 1)


MEASURES: dict[str, Callable[[Norms], np.ndarray]] = {"mean of ratios": _mean, "ratio of means": _means, "median of ratios": _median}


def over(vit: Float[np.ndarray, "sums 2"], resnet: Float[np.ndarray, "sums 2"]) -> float:
    """A measure (`batches`) of one network over that of another; 1 where both are alike."""
    one, other = ((m[:, 0] / m[:, 1]).mean() for m in (vit, resnet))
    return float(one / other)


def ratios(tier: Tier, images: Any) -> Iterator[Found]:
    """R21-16."""
    have = groups(tier)
    number = len(images) // images.batch_size
    held: dict[tuple[str, str, str], Batched] = {}
    for name in dict.fromkeys(name for group in have for pair in group.pairs for name in pair):
        found = norms(_load(name, tier), images)
        for tokens, measure in product(TOKENS, MEASURES):
            at = {branch: positions(n, tokens) for branch, n in found.items()}
            held[name, tokens, measure] = batches(at, number, measure)
    for group, tokens, measure in product(have, TOKENS, MEASURES):
        if tokens != "all positions" and group.head != "class token":
            continue
        each = [intervals.bootstrap(over, held[v, tokens, measure], held[r, tokens, measure]) for v, r in group.pairs]
        choices = {"measure": measure, "tokens": tokens, "networks": group.networks, "head": group.head}
        yield Found("R21-16", choices, intervals.estimate(each), len(each))


def cuts(tier: Tier, images: Any) -> Iterator[Found]:
    """R21-17: what training without the skips of an early, a middle or a late block does to the contrast across it."""
    cards = {c.label: c for c in models.cards(tier).values()}
    have = models.roles(tier)
    made = {kind: [f"{role}-{seed}" for seed in have.get(role, [])] for kind, role in CUTS.items()}
    pairs = {name: f"{cards[name].made.factors['twin']}-{cards[name].seed}" for names in made.values() for name in names}
    for view, taps in product(VIEWS, TAPS):
        similar: dict[str, CKA] = {}
        for name in dict.fromkeys([*pairs, *pairs.values()]):
            kind: capture.Kind = "all" if taps == TAPS[0] else "block"
            similar[name] = sweep({name: _load(name, tier)}, images, kind, view=VIEWS[view])
        for block, names in made.items():
            each = [rise(similar[name], similar[pairs[name]], f"blocks.{cards[name].made.factors['block']}") for name in names]
            if each:
                yield Found("R21-17", {"view": view, "taps": taps, "block": block}, intervals.estimate(each), len(each))


def rise(cut: CKA, whole: CKA, block: str) -> Resampled:
    """Contrast across a block's entrance (`maps.split`) in the network without its skips minus that in its twin."""
    name = next(iter(cut.networks))
    at = partial(maps.split, at=maps.entrance(cut.networks[name], block))
    return cut.bootstrap(at).minus(whole.bootstrap(at))


def _load(name: str, tier: Tier) -> Any:
    role, _, seed = name.rpartition("-")
    return models.load(role, tier, int(seed))
