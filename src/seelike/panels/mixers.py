"""Other analyses of chapter 9: views, taps, ways of pairing layers, images, targets, and networks of other recipes and heads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from seelike import capture, data, intervals, maps, models, tiers
from seelike.chapter import Chapter
from seelike.cka import CKA, sweep
from seelike.intervals import Resampled
from seelike.panels import Found
from seelike.panels.scale import load
from seelike.panels.structure import VIEWS, groups
from seelike.tiers import Tier

TAPS = {"block outputs": "block", "all layers": "all"}
PAIRINGS: dict[str, Callable[[np.ndarray], float]] = {"matched depth": maps.same_depth, "all pairs of layers": lambda c: float(c.mean())}


def analyses(tier: str | Tier, n_images: int = 512) -> Iterator[Found]:
    """R21-27 (its first part) and R21-28, by what each could have been asked about."""
    yield from fine_tuned(tier, n_images)
    yield from mixers(tier, n_images)


def mixers(tier: str | Tier, n_images: int) -> Iterator[Found]:
    """R21-28 by view, taps, pairing of layers, networks and head. A Mixer goes with the ViT of its seed, else the first one does."""
    chosen, seeds = tiers.get(tier), models.roles(tier).get("mixer", [])
    have = [group for group in groups(chosen) if seeds]
    images = Chapter("09", chosen).images(n_images, seed=10) if have else ()
    trios = {(g.networks, g.head): [(v, r, _mixer(v, seeds)) for v, r in g.pairs] for g in have}
    cast = {name: load(name, chosen) for name in dict.fromkeys(n for trio in trios.values() for names in trio for n in names)}
    for view in ("all positions", "mean over positions") if cast else ():
        for taps, found in _by_taps(cast, images, view):
            for (networks, head), members in trios.items():
                for pairing, of in PAIRINGS.items():
                    values = [_nearer(found, of, *names) for names in members]
                    choices = {"view": view, "taps": taps, "layers": pairing, "networks": networks, "head": head}
                    count = min(len(set(names)) for names in zip(*members, strict=True))
                    yield Found("R21-28", choices, intervals.estimate(values), count)


def _mixer(vit: str, seeds: Sequence[int]) -> str:
    own = int(vit.rpartition("-")[2])
    return f"mixer-{own if own in seeds else seeds[0]}"


def _nearer(found: CKA, of: Callable[[np.ndarray], float], vit: str, resnet: str, mixer: str) -> Resampled:
    one, other = (found.bootstrap(lambda a, b, c: of(c), mixer, name) for name in (vit, resnet))
    return one.minus(other)


def fine_tuned(tier: str | Tier, n_images: int) -> Iterator[Found]:
    """R21-27 by view, taps, target and images: those of the first task, or of the new one."""
    chosen = tiers.get(tier)
    cards = [card for card in models.cards(chosen, study="fine-tuning").values() if card.sha256]
    kept: dict[tuple[str, str, str, str], list[Resampled]] = defaultdict(list)
    for card in cards:
        cast = {"before": models.load("vit_cls", chosen, card.seed), "after": models.load(card.name, chosen, card.seed)}
        target = card.made.factors["target"]
        for which, images in _images(chosen, target, n_images).items():
            for view in VIEWS:
                for taps, found in _by_taps(cast, images, view):
                    kept[view, taps, f"to {target}", which].append(found.bootstrap(_first_more, "before", "after"))
    for made, values in kept.items():
        choices = dict(zip(("view", "taps", "target", "images"), made, strict=True))
        yield Found("R21-27", choices, intervals.estimate(values), len(values))


def _images(tier: Tier, target: str, n_images: int) -> dict[str, Any]:
    new = data.target(target, tier, "test", n_images, seed=10)
    size = max(len(new) // 8, 4)
    return {
        "of the first task": Chapter("09", tier).images(n_images, seed=10),
        "of the new task": new.with_batches(min(size, data.BATCH), drop_last=True),
    }


def _first_more(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """First third minus last third of layers with themselves, those that do not vary over images (a class token at the start) left out."""
    own = np.diag(c)
    low, high = maps.low_and_high(own[np.isfinite(own)])
    return float(low - high)


def _by_taps(cast: Mapping[str, nn.Module], images: Any, view: str) -> Iterator[tuple[str, CKA]]:
    """One sweep over all taps, and the part of it that each choice of taps takes."""
    wanted = {taps: {name: capture.layers(m, kind) for name, m in cast.items()} for taps, kind in TAPS.items()}  # type: ignore[arg-type]
    every = {name: list(dict.fromkeys(tap for of in wanted.values() for tap in of[name])) for name in cast}
    found = sweep(cast, images, every, view=VIEWS[view])
    for taps, of in wanted.items():
        yield taps, found.select(_labels(of))


def _labels(taps: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"{name}/{tap}" for name, own in taps.items() for tap in own]
