"""Other analyses of the first half of chapter 7: positions, layer, measure and networks behind a token's place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import nn

from seelike import capture, intervals, localization, models, tiers
from seelike.chapter import Chapter
from seelike.cka import localization_sweep
from seelike.intervals import Resampled
from seelike.panels import Found
from seelike.panels.structure import groups
from seelike.tiers import Tier

POSITIONS = {"interior": "interior", "all": "everywhere"}
MEASURES: dict[str, Callable[..., float]] = {
    "own patch minus others": localization.own_lead,
    "own patch most similar": localization.own_share,
}
LAST, BEFORE, SAME = "last block", "last but one block", "last block on the ViT's grid"
LAYERS = {"R21-19": (LAST, BEFORE, SAME), "R21-21": (LAST, BEFORE)}
Place = Mapping[tuple[str, str], Resampled]  # by positions and measure


class Pair(NamedTuple):
    """Networks whose difference is one analysis of a claim, a pair a seed."""

    claim: str
    networks: str
    head: str
    names: Sequence[tuple[str, str]]


def pairs(tier: Tier) -> list[Pair]:
    """R21-19: a ViT and a ResNet (`structure.groups`); R21-21: the two heads, of seeds that the tier decides on, and of others."""
    found = [Pair("R21-19", group.networks, group.head, group.pairs) for group in groups(tier)]
    have = models.roles(tier)
    shared = sorted(set(have.get("vit_cls", [])) & set(have.get("vit_gap", [])))
    decided = models.deciding(shared, tier)
    for seeds in (decided, [s for s in shared if s not in decided]):
        named = f"long, seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
        found.append(Pair("R21-21", named, "", [(f"vit_cls-{s}", f"vit_gap-{s}") for s in seeds]))
    return [pair for pair in found if pair.names]


@torch.no_grad()
def layer(model: nn.Module, which: str, images: Any, side: int) -> str | None:
    """A block by place: the last, the last but one, or the last with side x side positions (None where there is none)."""
    blocks = capture.layers(model)
    if which != SAME:
        return blocks[-1 if which == LAST else -2]
    x, _ = next(iter(images))
    with capture.listening(model), capture.capture(model, blocks, reduce=capture.patches) as found:
        model(x[:1].to(capture.device_of(model)))
        return next((block for block in reversed(blocks) if found[block].shape[1] == side**2), None)


def places(model: nn.Module, block: str, images: Any) -> Place:
    """Every statistic of a block's table of positions and patches."""
    found = localization_sweep(model, block, images)
    return {
        (positions, measure): localization.resampled(found, partial(f, where=where))
        for (positions, where), (measure, f) in product(POSITIONS.items(), MEASURES.items())
    }


def analyses(tier: str | Tier, n_images: int = 512) -> Iterator[Found]:
    """R21-19 and R21-21 by positions, layer, measure and networks; an analysis of one pair has an interval over images."""
    chosen = tiers.get(tier)
    images = Chapter("07", chosen).images(n_images, seed=7, batch_size=64)
    asked, held = pairs(chosen), {}
    sides: dict[str, int] = {}
    for one, other in dict.fromkeys(names for pair in asked for names in pair.names):
        for name in (one, other):
            if name in sides:
                continue
            model = _load(name, chosen)
            sides[name] = localization.last_side(model, images)
            for which in (LAST, BEFORE, SAME):
                block = layer(model, which, images, sides[one])
                if block is not None and (which != SAME or sides[name] != sides[one]):
                    held[name, which] = places(model, block, images)
    for pair in asked:
        for which, at in product(LAYERS[pair.claim], product(POSITIONS, MEASURES)):
            each = [_difference(held, names, which, at) for names in pair.names]
            known = [value for value in each if value is not None]
            if len(known) == len(each):
                yield Found(pair.claim, _choices(pair, which, at), intervals.estimate(known), len(known))


def _difference(held: Mapping[tuple[str, str], Place], names: tuple[str, str], which: str, at: tuple[str, str]) -> Resampled | None:
    """The first network minus the second; on the ViT's grid the first is heard at its last block, and None where the second has no such."""
    one, other = names
    place = held.get((other, which))
    return held[one, LAST if which == SAME else which][at].minus(place[at]) if place else None


def _choices(pair: Pair, which: str, at: tuple[str, str]) -> dict[str, str]:
    positions, measure = at
    choices = {"positions": positions, "measure": measure, "layer": which, "networks": pair.networks, "head": pair.head}
    return {kind: choice for kind, choice in choices.items() if choice}


def _load(name: str, tier: Tier) -> nn.Module:
    role, _, seed = name.rpartition("-")
    return models.load(role, tier, int(seed))
