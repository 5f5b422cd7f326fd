"""Other analyses of Tuli et al. 2021's decisions: which networks are compared, by which measure, on which images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import pandas as pd

from seelike import claims, consistency, published
from seelike.intervals import Estimate
from seelike.panels import Found
from seelike.published import NETWORKS
from seelike.tiers import Tier

PLACE = claims.DATA  # these analyses are of published decisions, whatever tier is run
IMAGES = {"cue-conflict": "cue conflict", "silhouettes": "silhouettes", "edges": "edges"}
KAPPAS = {"kappa": "kappa", "kappa_share": "kappa over its largest", "latent": "tetrachoric correlation"}
CLASSES = {"class": "mean over single humans", "class_average": "from the average human"}
PAIRS = {f"inter{key}": name for key, name in CLASSES.items()}
ASKED = {  # claim: measures by name, and the images that it is about
    "T21-1": (KAPPAS, tuple(IMAGES)),
    "T21-2": (CLASSES, tuple(IMAGES)),
    "T21-3": (PAIRS, tuple(IMAGES)),
    "T21-4": ({"shape_bias": "shape bias"}, ("cue-conflict",)),
    "T21-5": (KAPPAS, ("silhouettes", "edges")),
}
KINDS = ("compared", "measure", "images")
VITS, CNNS = NETWORKS["ViT"], NETWORKS["CNN"]
EVERY_CNN = (*CNNS, *NETWORKS["BagNet"], *NETWORKS["BiT"], *NETWORKS["SIN"])
SMALL, PARTNER, BIT = "ViT-B_32", "resnet50", NETWORKS["BiT"][0]
Compared = Callable[[pd.DataFrame, pd.DataFrame], Estimate]
COMPARISONS: dict[str, Compared] = {  # each gives ViT minus CNN, from a measure's table and that of accuracies
    "the paper's pair": lambda t, accuracy: consistency.compared(t, [SMALL], [PARTNER]),
    "ViT-B/32, CNN of its accuracy": lambda t, accuracy: consistency.compared(t, [SMALL], [consistency.nearest(accuracy, SMALL, CNNS)]),
    "ViT-B/32, BiT": lambda t, accuracy: consistency.compared(t, [SMALL], [BIT]),
    "4 ViTs, 19 CNNs": lambda t, accuracy: consistency.compared(t, VITS, CNNS),
    "4 ViTs, 26 CNNs": lambda t, accuracy: consistency.compared(t, VITS, EVERY_CNN),
    "4 ViTs, line of 19 CNNs": lambda t, accuracy: consistency.given_accuracy(t, accuracy, VITS, CNNS),
}


def analyses(tier: Tier, draws: int = 1000) -> Iterator[Found]:
    """Every claim on published decisions in every combination of networks, measure and images.

    tier: not used, because the decisions are published ones; FileNotFoundError where they are not at hand. draws: of images and humans.
    """
    tables = {kind: _tables(kind, draws) for kind in IMAGES}
    for claim, (measures, kinds) in ASKED.items():
        for (name, compare), (key, measure), kind in product(COMPARISONS.items(), measures.items(), kinds):
            found = compare(tables[kind][key], tables[kind]["accuracy"])
            closer = negated(found) if key in {**CLASSES, **PAIRS} else found  # a smaller distance is more human
            yield Found(claim, dict(zip(KINDS, (name, measure, IMAGES[kind]), strict=True)), closer, 0)


def negated(e: Estimate) -> Estimate:
    """An estimate of the opposite difference."""
    return Estimate(-e.estimate, -e.high, -e.low)


def _tables(kind: str, draws: int) -> dict[str, pd.DataFrame]:
    decisions = published.decisions(kind)
    if decisions is None:
        raise FileNotFoundError(
            f"The decisions on {kind} are not at hand: python -m seelike.published <folder>, and set SEELIKE_MIRROR to it."
        )
    return consistency.against_humans(decisions, consistency.humans(decisions), draws)
