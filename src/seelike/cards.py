"""The zoo's cards: what is written down about every trained network, checked when it is read."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter

from seelike import project, tiers
from seelike.intervals import Share
from seelike.recipes import Recipe
from seelike.schema import Strict, read_json
from seelike.tiers import Tier


class Card(Strict):
    """One trained network.

    accuracy: on all test images of its tier, with a 95 % Wilson interval. attack: success of its trigger. few_shot: ten-shot transfer.
    sha256: of the weights, None where the zoo keeps the card only. data: sha256 of the first four training batches.
    curve: accuracy and loss on the way; points: validation images behind each point of it. recipe: how it was made (`Recipe.training`).
    """

    name: str
    seed: int = Field(ge=0)
    tier: str
    architecture: str
    options: dict[str, Any]
    accuracy: float = Field(ge=0, le=1)
    accuracy_low: float = Field(ge=0, le=1)
    accuracy_high: float = Field(ge=0, le=1)
    test_images: int = Field(ge=1)
    attack: float | None = None
    attack_low: float | None = None
    attack_high: float | None = None
    attack_images: int | None = None
    few_shot: float | None = None
    few_shot_images: int | None = None
    parameters: int
    sha256: str | None = None
    data: str
    recipe: dict[str, Any]
    optimiser: str
    images_seen: int
    seconds: int
    threads: int
    date: str
    versions: dict[str, str]
    first_losses: list[float]
    points: int
    curve: list[dict[str, float]]

    @property
    def label(self) -> str:
        """What `models.cast` calls the network: `<name>-<seed>`."""
        return f"{self.name}-{self.seed}"

    @property
    def conflicts(self) -> int:
        """Images with cue conflict behind each point of its learning curve, at tiers that have them."""
        return int(self.recipe.get("conflict", 0)) or self.points // 2

    @property
    def share(self) -> Share:
        """Its accuracy and the number of images behind it, for `intervals.difference`."""
        return Share(self.accuracy, self.test_images)

    @property
    def made(self) -> Recipe:
        """The recipe that made it, as it is written now, with its study and factors."""
        from seelike.recipes import recipe  # noqa: PLC0415

        return recipe(self.name, self.tier)


CARD = TypeAdapter(Card)
Zoo = dict[tuple[str, int], Card]


def origin(card: Card) -> Card | None:
    """The card of the network that a run went on from, of the same tier and seed; None where it began with fresh weights."""
    return None if card.made.start is None else cards(card.tier)[card.made.start, card.seed]


def paired(zoo: Zoo, a: str, b: str) -> list[tuple[Share, Share]]:
    """Accuracies of two networks, a pair for every seed of which there are cards of both, for `intervals.difference`."""
    return [(card.share, zoo[b, seed].share) for (name, seed), card in zoo.items() if name == a and (b, seed) in zoo]


def runs(card: Card) -> list[Card]:
    """The runs that made a network one after the other: those that were only a step on the way to it (`Recipe.step`), then its own."""
    before = origin(card)
    return [*runs(before), card] if before is not None and before.made.step else [card]


def course(card: Card, stages: int) -> list[dict[str, float]]:
    """Points of the learning curve before a run and at the end of each of its equal stages.

    Before is the run's own point at no images, or else where the run that it went on from ended.
    """
    if card.curve and card.curve[0].get("images") == 0:
        before, curve = card.curve[0], card.curve[1:]
    else:
        start, curve = origin(card), card.curve
        before = {} if start is None else start.curve[-1]
    each = len(curve) // stages
    if not before or not each:
        raise ValueError(f"{card.label} has no course of {stages} stages: it began with fresh weights, or has fewer points than stages.")
    return [before, *curve[each - 1 :: each]]


def read(path: Path) -> Card:
    """One card; ValueError names file and field of one that is damaged."""
    return read_json(path, CARD, "restore this card of the zoo, or train the network again")


@lru_cache(4096)
def _read(path: Path, changed: int) -> Card:
    return read(path)


def cards(tier: str | Tier = project.DEFAULT, *, study: str | None = None) -> Zoo:
    """The zoo's cards of a tier by name and seed, sorted; study: only those of one study (`Recipe.study`).

    ValueError for a damaged card, and for one whose file is not called after its name and seed.
    """
    held: Zoo = {}
    for path in project.zoo(tiers.get(tier).name).glob("*.json"):
        card = _read(path, path.stat().st_mtime_ns)
        if path.stem != card.label:
            raise ValueError(f"{path} is the card of {card.label}: it should be called {card.label}.json.")
        held[card.name, card.seed] = card
    chosen = {key: card for key, card in held.items() if study is None or card.made.study == study}
    return dict(sorted(chosen.items()))
