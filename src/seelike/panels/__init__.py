"""Other reasonable analyses of the ledger's main claims, side by side: `python -m seelike.panels --tier scenes`.

A specification curve (Simonsohn, Simmons & Nelson 2020; Steegen et al. 2016) shows what a claim's statistic gives under every choice that
a careful author might have made: view, taps, optimiser, length of training, head, networks. The published number is one dot among them.
Panels take minutes to hours, so that the book shows them from `results/<tier>/panel.json` and never runs them.

A module of this package serves one chapter and has a function `analyses(tier)` that yields what it `Found`; where these are analyses of
published numbers, its `PLACE` says so, and they are kept with those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from seelike.intervals import Estimate

CHAPTERS: dict[str, str] = {  # the module of this package that serves a chapter
    "03": "structure",
    "04": "attention",
    "05": "receptive_field",
    "06": "skips",
    "07": "localization",
    "08": "scale",
    "09": "mixers",
    "10": "errors",
    "11": "saliency",
    "12": "hybrids",
    "14": "scaling",
}


class Found(NamedTuple):
    """A claim's statistic in one analysis. choices: what was chosen, by kind of choice. seeds: networks of each kind behind it."""

    claim: str
    choices: Mapping[str, str]
    value: Estimate
    seeds: int
