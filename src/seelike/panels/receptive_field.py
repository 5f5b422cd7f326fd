"""Other analyses of chapter 5: measures and centres of width, layers, marks that are to be reached, and networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from seelike import models, tiers
from seelike import receptive_field as erf
from seelike.capture import layers
from seelike.chapter import Chapter
from seelike.intervals import Resampled, bootstrap, combine, estimate
from seelike.panels import Found
from seelike.panels.structure import groups
from seelike.tiers import Tier

Widths = Callable[[np.ndarray, str], np.ndarray]
MEASURES: dict[str, Widths] = {
    "second moment": erf.spread,
    "90 % of the mass": lambda field, about: erf.radius(field, 0.9, about),
    "half of the mass": lambda field, about: erf.radius(field, 0.5, about),
}
CENTRES: dict[str, str] = {"of mass": "mass", "peak": "peak", "middle of the image": "middle"}
MARKS = {"70 %": 0.7, "80 %": 0.8, "90 %": 0.9}
LATE = {"upper half": 2, "upper quarter": 4}
LAYERS = ("block outputs", "after attention")  # of the ViT; of the ResNet always its blocks


def analyses(tier: str | Tier, n_images: int = 96) -> Iterator[Found]:
    """R21-12 and R21-13 (its depth) by measure, centre, layers, networks and head, R21-13 by mark, too; R21-14 (its sum) by sublayers."""
    chosen, have = tiers.get(tier), groups(tier)
    images = Chapter("05", chosen).images(n_images, seed=5, batch_size=16)
    x, _ = next(iter(images))
    names = dict.fromkeys(name for group in have for pair in group.pairs for name in pair)
    curves, sums = {}, {}
    for name in names:
        model = _load(name, chosen)
        taps, parts = _taps(model)
        wanted = dict.fromkeys([*(tap for own in taps.values() for tap in own), *(parts.attention[_upper(parts, 2) :] if parts else [])])
        fields = erf.effective_receptive_field(model, list(wanted), images)
        stacked = {layer: np.stack([fields[tap] for tap in own], 1) for layer, own in taps.items()}
        curves[name] = {key: _curve(stacked[key[0]], *key[1:]) for key in product(stacked, MEASURES, CENTRES)}
        if parts:
            grid = erf.positions(model, parts.attention[-1], x)
            sums[name] = {which: _added(fields, parts, _upper(parts, part), grid) for which, part in LATE.items()}
    for group, layer, measure, centre in product(have, LAYERS, MEASURES, CENTRES):
        made = {"networks": group.networks, "head": group.head, "layers": layer, "measure": measure, "centre": centre}
        pairs = [(curves[v][layer, measure, centre], curves[r]["block outputs", measure, centre]) for v, r in group.pairs]
        yield _found("R21-12", made, [combine(erf.wider, v, r) for v, r in pairs])
        for mark, share in MARKS.items() if centre == "of mass" else ():
            values = [combine(lambda a, b, share=share: erf.earlier(a, b, share), v, r) for v, r in pairs]
            yield _found(
                "R21-13", {"networks": group.networks, "head": group.head, "layers": layer, "measure": measure, "reaches": mark}, values
            )
    for group, which in product(have, LATE):
        values = [sums[v][which] for v, _ in group.pairs]
        yield _found("R21-14", {"networks": group.networks, "head": group.head, "sublayers": which}, values)


def _taps(model: Any) -> tuple[dict[str, list[str]], erf.Sublayers | None]:
    """Layers after which widths are taken, by their name, and the sublayers of a transformer."""
    try:
        parts = erf.sublayers(model)
    except ValueError:
        return {"block outputs": layers(model)}, None
    return {"block outputs": layers(model), "after attention": parts.stream}, parts


def _upper(parts: erf.Sublayers, part: int) -> int:
    """Where the upper half (2) or quarter (4) of the sublayers begins."""
    return len(parts.stream) - max(len(parts.stream) // part, 1)


def _curve(fields: np.ndarray, measure: str, centre: str) -> Resampled:
    """Width of the mean field after every layer; about another centre than that of mass after the first only, which is all that is read."""
    asked = fields if centre == "of mass" else fields[:, :1]
    return bootstrap(lambda f: MEASURES[measure](f, CENTRES[centre]), asked, draws=100)


def _added(fields: dict[str, np.ndarray], parts: erf.Sublayers, first: int, grid: int) -> Resampled:
    before, after = (np.stack([fields[tap] for tap in part[first:]], 1) for part in parts[:2])
    return bootstrap(lambda b, a: erf.hidden(b, a, grid), before, after)


def _load(name: str, tier: Tier) -> Any:
    role, _, seed = name.rpartition("-")
    return models.load(role, tier, int(seed))


def _found(claim: str, choices: dict[str, str], values: Sequence[Resampled]) -> Found:
    return Found(claim, choices, estimate(values), len(values))
