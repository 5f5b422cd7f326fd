"""Other analyses of chapter 4: networks, blocks, what is done about the class token, shares of the data, and units of the ResNet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from seelike import attention, maps, models, tiers
from seelike.capture import layers
from seelike.chapter import Chapter
from seelike.intervals import Resampled, bootstrap, combine, estimate
from seelike.panels import Found
from seelike.panels.structure import Group, groups
from seelike.tiers import Tier

Blocks = list[np.ndarray]  # distances over uniform of every block, (batches, heads)
RENORMALISED = {"renormalised": True, "only dropped": False}  # what is left of a row without the class token
AT_THE_BOTTOM = {"block 0": 1, "blocks 0 and 1": 2}
AT_THE_TOP = {"last block": 1, "last two blocks": 2}
SHARES = ((0.03, 10.0), (0.1, 10.0), (0.03, 1.0))
WIDTHS = {96: "ViT", 48: "half width"}
OVER_UNITS = {"mean": attention.trend, "weakest": lambda reached, similar: float(attention.trends(reached, similar).max())}
STAGES = {"first stage": 1, "first two stages": 2}


def over_uniform(model: Any, images: Iterable[Any], renormalise: bool = True) -> Blocks:
    """Distances of a network's heads over that of uniform attention, by block."""
    x, _ = next(iter(images))
    own = attention.block_distances(model, images, renormalise=renormalise)
    return [d / u for d, u in zip(own, attention.uniform_blocks(model, x[:1]), strict=True)]


def analyses(tier: str | Tier, n_images: int = 1024) -> Iterator[Found]:
    """R21-8 (its local head) and R21-9 by networks, head, blocks and class token; R21-10 by shares and width; R21-11 by units."""
    chosen, have = tiers.get(tier), groups(tier)
    images = Chapter("04", chosen).images(n_images, seed=4)
    vits = dict.fromkeys(vit for group in have for vit, _ in group.pairs)
    found: dict[str, dict[str, Blocks]] = {how: {} for how in RENORMALISED}
    for vit in vits:
        model = _load(vit, chosen)
        for how, renormalise in RENORMALISED.items():
            found[how][vit] = over_uniform(model, images, renormalise)
    yield from _local_and_global(found, have)
    yield from _little_data(chosen, images)
    yield from _subsets(found["renormalised"], have, chosen, images)


def _local_and_global(found: Mapping[str, Mapping[str, Blocks]], have: Sequence[Group]) -> Iterator[Found]:
    for (how, blocks), group in product(found.items(), have):
        own = [blocks[vit] for vit, _ in group.pairs]
        made = {"networks": group.networks, "head": group.head, "class token": how}
        for where, n in AT_THE_BOTTOM.items():
            yield _found("R21-8", made | {"blocks": where}, [bootstrap(attention.most_local, *b[:n]) for b in own])
        for where, n in AT_THE_TOP.items():
            yield _found("R21-9", made | {"blocks": where}, [bootstrap(attention.most_local, *b[-n:]) for b in own])


def _little_data(tier: Tier, images: Iterable[Any]) -> Iterator[Found]:
    cards = models.cards(tier, study="data") if tier.trained_here else {}
    runs = {(card.made.factors["width"], card.made.factors["share"]): name for (name, seed), card in cards.items() if seed == 0}
    asked = [(width, little, much) for width in WIDTHS for little, much in SHARES if {(width, little), (width, much)} <= set(runs)]
    wanted = dict.fromkeys((width, share) for width, *shares in asked for share in shares)
    found = {run: over_uniform(models.load(runs[run], tier), images) for run in wanted}
    for (width, little, much), (where, n) in product(asked, AT_THE_BOTTOM.items()):
        few, many = found[width, little][:n], found[width, much][:n]
        value = bootstrap(lambda *b, n=n: attention.farther(b[:n], b[n:]), *few, *many)
        shares = f"{100 * little:.0f} % against {100 * much:.0f} %"
        yield _found("R21-10", {"networks": WIDTHS[width], "shares": shares, "blocks": where}, [value])


def _subsets(found: Mapping[str, Blocks], have: Sequence[Group], tier: Tier, images: Iterable[Any]) -> Iterator[Found]:
    reach: dict[tuple[str, str], tuple[Resampled, Resampled, np.ndarray]] = {}
    for vit, resnet in dict.fromkeys(pair for group in have for pair in group.pairs):
        reach[vit, resnet] = _similar(found[vit][0], vit, resnet, tier, images)
    for group, (units, stages), (over, f) in product(have, STAGES.items(), OVER_UNITS.items()):
        values = []
        for pair in group.pairs:
            across, similar, stage = reach[pair]
            kept = np.flatnonzero(stage < stages)
            values.append(combine(lambda a, s, f=f, kept=kept: f(a, s[:, kept]), across, similar))
        made = {"networks": group.networks, "head": group.head, "units": units, "over units": over}
        if not any(np.isnan(value.value) for value in values):
            yield _found("R21-11", made, values)


def _similar(heads: np.ndarray, vit: str, resnet: str, tier: Tier, images: Iterable[Any]) -> tuple[Resampled, Resampled, np.ndarray]:
    """Reach of subsets of the first block's heads, their CKA with early units of a ResNet, and the stage of every unit from 0."""
    other = _load(resnet, tier)
    stage = maps.stages(layers(other))
    early = [unit for unit, s in zip(layers(other), stage, strict=True) if s - stage[0] < max(STAGES.values())]
    chosen = attention.subsets(heads.mean(0))
    similar = attention.head_subsets(_load(vit, tier), other, images, early, chosen)
    n = len(chosen)
    across = bootstrap(lambda h: attention.reach(h, chosen), heads)
    return across, similar.bootstrap(lambda m: m[:n, n:]), (stage - stage[0])[: len(early)]


def _load(name: str, tier: Tier) -> Any:
    role, _, seed = name.rpartition("-")
    return models.load(role, tier, int(seed))


def _found(claim: str, choices: dict[str, str], values: Sequence[Resampled]) -> Found:
    return Found(claim, choices, estimate(values), len(values))
