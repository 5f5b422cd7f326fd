"""Other analyses of chapter 3: what of a layer is compared, which layers, by which measure, and networks of other recipes and heads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor, nn

from seelike import capture, intervals, maps, models, tiers
from seelike.answers import Analysis
from seelike.chapter import Chapter
from seelike.cka import CKA, sweep
from seelike.intervals import Resampled
from seelike.panels import Found
from seelike.similarity import Maps, Measure, features
from seelike.tiers import Tier

MEASURES: tuple[Measure, ...] = ("Procrustes", "mutual neighbours")  # beside CKA, on block outputs
BETWEEN: dict[str, Callable[..., float]] = {
    "R21-1": lambda v, r, c: maps.uniformity(v) - maps.uniformity(r),
    "R21-2": lambda v, r, c: maps.low_high(v) - maps.low_high(r),
    "R21-5": lambda v, r, c: maps.lowest_quarter(c),
    "R21-7": lambda v, r, c: maps.top_unlike(c),
}
STAGES = "R21-3"  # of a ResNet alone
HEADS = {"vit_cls": "class token", "vit_gap": "mean of tokens"}


def token(x: Tensor) -> Tensor:
    """The class token where there is one, else the mean over positions (`capture.cls`, `capture.gap`)."""
    return capture.cls(x) if x.ndim == 3 and capture.grid(x.shape[1])[1] else capture.gap(x)


VIEWS = {"all positions": capture.flat, "mean over positions": capture.gap, "class token": token}


class Group(NamedTuple):
    """Networks that one analysis takes together. pairs: names of a ViT and a ResNet (`vit_cls-0`, `resnet-0`)."""

    networks: str
    head: str
    pairs: list[tuple[str, str]]


def groups(tier: str | Tier) -> list[Group]:
    """What a tier has of: seeds that it decides on, other seeds, both heads, short runs, AdamW alone, and a pair of matched accuracy."""
    have, found = models.roles(tier), []
    for role, head in HEADS.items():
        shared = sorted(set(have.get(role, [])) & set(have.get("resnet", [])))
        decided = models.deciding(shared, tier)
        for seeds in (decided, [s for s in shared if s not in decided]):
            found.append(Group(f"long, {_named(seeds)}", head, [(f"{role}-{s}", f"resnet-{s}") for s in seeds]))
    others = {
        "short": ("vit_data_1000", "resnet_short"),
        "short, AdamW alone": ("vit_cls_adamw", "resnet_short"),
        "long, AdamW alone": ("vit_adamw", "resnet"),
        "matched accuracy": ("vit_matched", "resnet"),
    }
    for networks, (vit, resnet) in others.items():
        partners = have.get(resnet, [])
        pairs = [(f"{vit}-{s}", f"{resnet}-{_partner(networks, s, partners)}") for s in have.get(vit, []) if partners]
        found.append(Group(networks, HEADS["vit_cls"], pairs))
    return [group for group in found if group.pairs]


def _named(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _partner(networks: str, seed: int, partners: Sequence[int]) -> int:
    """The ResNet of the same seed, else the first; the ViT of matched accuracy was stopped at that of the first."""
    return seed if seed in partners and networks != "matched accuracy" else partners[0]


def analyses(tier: str | Tier, n_images: int = 1024) -> Iterator[Found]:
    """R21-1, 2, 3 (of the ResNet), 5 and 7 by measure, view, layers, networks and head. One pair has an interval over images.

    Layers that do not vary over images (the class token before the first block) are left out. Intervals of pairs with one ResNet in common
    cover ViTs and images.
    """
    chosen, have = tiers.get(tier), groups(tier)
    images = Chapter("03", chosen).images(n_images, seed=3)
    kept: dict[tuple[str, str, str, str, str, str], list[Resampled]] = defaultdict(list)
    for resnet in dict.fromkeys(r for group in have for _, r in group.pairs):
        members = [(group, v) for group in have for v, r in group.pairs if r == resnet]
        cast = {name: _load(name, chosen) for name in dict.fromkeys([resnet, *(v for _, v in members)])}
        for (measure, view, taps), similar in _similar(cast, images):
            own = [label.partition("/")[2] for label in similar.layers if label.partition("/")[0] == resnet]
            f = statistics(own, capture.layers(cast[resnet], "block"))
            for group, v in members:
                if view == "class token" and group.head != view:
                    continue
                for claim, value in _each(f, similar.bootstrap(lambda *m, f=f: np.array([g(*m) for g in f.values()]), v, resnet)):
                    kept[claim, measure, view, taps, group.networks, group.head].append(value)
    kinds = ("measure", "view", "layers", "networks", "head")
    for (claim, *made), values in kept.items():
        choices = dict(zip(kinds, made, strict=True))
        if claim == STAGES and not _own_stages(choices):
            continue
        about = {kind: chosen for kind, chosen in choices.items() if claim != STAGES or kind != "head"}
        yield Found(claim, about, intervals.estimate(values), len(values))


def statistics(taps: Sequence[str], blocks: Sequence[str]) -> dict[str, Callable[..., float]]:
    """The statistic of every claim, as a function of the maps V x V, R x R and V x R. taps, blocks: of the ResNet."""
    weights = maps.stage_weights(taps, blocks)
    return BETWEEN | {STAGES: lambda v, r, c: maps.stage_contrast(r, weights)}


def _own_stages(choices: Mapping[str, str]) -> bool:
    """Whether an analysis of stages has a ResNet and a view of its own: the ViT makes no difference there."""
    again = "AdamW" in choices["networks"] or "matched" in choices["networks"]
    return choices["head"] == HEADS["vit_cls"] and choices["view"] != "class token" and not again


def _each(f: Mapping[str, Any], all_at_once: Resampled) -> Iterator[tuple[str, Resampled]]:
    for i, claim in enumerate(f):
        yield claim, Resampled(float(all_at_once.value[i]), all_at_once.draws[:, i], all_at_once.batches)


def _load(name: str, tier: Tier) -> nn.Module:
    role, _, seed = name.rpartition("-")
    return models.load(role, tier, int(seed))


def _taps(model: nn.Module, taps: str) -> list[str]:
    return capture.layers(model, "all" if taps == "all" else "block")


def _similar(cast: Mapping[str, nn.Module], images: Any) -> Iterator[tuple[tuple[str, str, str], CKA | Maps]]:
    """Similarities of all networks under every measure, view and choice of taps."""
    everything = {name: list(dict.fromkeys([*_taps(m, "all"), *_taps(m, "block outputs")])) for name, m in cast.items()}
    for view, looked_at in VIEWS.items():
        found = sweep(cast, images, everything, view=looked_at)
        varying = {layer for layer, norm in zip(found.layers, np.sum([n.numpy() for n in found.norm], 0), strict=True) if norm > 0}
        for taps in ("all", "block outputs"):
            wanted = [f"{name}/{tap}" for name, m in cast.items() for tap in _taps(m, taps)]
            yield ("CKA", view, taps), found.select([label for label in wanted if label in varying])
    held = features(cast, images, {name: _taps(m, "block outputs") for name, m in cast.items()})
    for measure in MEASURES:
        yield (measure, "mean over positions", "block outputs"), Maps(held, measure)


def moved(found: Mapping[str, Analysis]) -> pd.DataFrame:
    """How far each kind of choice moves a statistic, all other choices kept: mean and largest range, and the number of comparisons."""
    rows = {}
    for kind in dict.fromkeys(k for a in found.values() for k in a.choices):
        alike: dict[tuple[tuple[str, str], ...], list[float]] = defaultdict(list)
        for a in found.values():
            if a.estimate is not None and kind in a.choices:
                alike[tuple((k, v) for k, v in a.choices.items() if k != kind)].append(a.estimate)
        ranges = [max(values) - min(values) for values in alike.values() if len(values) > 1]
        if ranges:
            rows[kind] = {"mean shift": float(np.mean(ranges)), "largest shift": max(ranges), "comparisons": len(ranges)}
    return pd.DataFrame.from_dict(rows, orient="index")
