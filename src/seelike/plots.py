"""One visual language: white cards, the colour-blind palette, few inks, text that a phone can show."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from IPython.display import display
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from seelike import drawn
from seelike.answers import Analysis, side
from seelike.cards import Card
from seelike.ledger import Claim
from seelike.models import place
from seelike.project import commit

COLOURS = dict(zip(("vit_cls", "resnet", "vit_gap", "mixer", "vit_matched"), sns.color_palette("colorblind", 10), strict=False)) | {
    "control": (0.35, 0.35, 0.35),
    "vit_cls_adamw": (0.35, 0.35, 0.35),
}
COLOURS |= {"cmt": "#882255", "mvit": "#56b4e9", "vit_data_1000": COLOURS["vit_cls"], "resnet_short": COLOURS["resnet"]}
LABELS = {
    "vit_cls": "ViT (CLS)",
    "vit_gap": "ViT (GAP)",
    "resnet": "ResNet",
    "mixer": "MLP-Mixer",
    "vit_matched": "ViT (CLS), accuracy-matched",
    "vit_cls_adamw": "ViT (CLS), AdamW alone",
    "vit_data_1000": "ViT, all skips",
    "vit_early_skipless": "ViT, early block skipless",
    "vit_middle_skipless": "ViT, middle block skipless",
    "vit_late_skipless": "ViT, late block skipless",
    "cmt": "CMT",
    "mvit": "MViT",
    "resnet_short": "ResNet, all skips",
    "resnet_skipless": "ResNet, one block skipless",
}
MAP = "viridis"
DEPTHS = sns.color_palette("viridis", 5)[:4]  # from low to high
INK = "#404040"


def label(name: str, seed: bool = False) -> str:
    """What a network is called in a figure: `vit_cls-0` (its seed only if asked for) or `untrained vit_cls`."""
    kind, _, number = name.removeprefix("untrained ").partition("-")
    return LABELS.get(kind, kind) + (", untrained" if name.startswith("untrained") else f", seed {number}" if seed and number else "")


def colour(name: str) -> Any:
    """The colour of a network (`vit_cls-0`), grey for untrained ones."""
    return COLOURS.get("control" if name.startswith("untrained") else name.partition("-")[0], INK)


def style() -> None:
    """Set the house style for a chapter."""
    sns.set_theme(
        context="notebook",
        style="ticks",
        palette="colorblind",
        rc={
            "figure.dpi": 130,
            "savefig.bbox": "tight",
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 12,
            "axes.labelsize": 11,
            "xtick.labelsize": 10,
            "ytick.labelsize": 10,
            "legend.frameon": False,
            "legend.fontsize": 10,
            "lines.linewidth": 2,
        },
    )


def provenance(tier: str, seeds: Sequence[int] = (0,)) -> str:
    """Tier (or source of the numbers), seeds, device of the networks, commit, date, and the CPU seconds that the chapter has taken."""
    device = torch.cuda.get_device_name() if place().type == "cuda" else place().type.upper()
    several = "seeds" if len(seeds) > 1 else "seed"
    whose = [f"{several} {', '.join(map(str, seeds))}"] if seeds else []
    parts = [tier, *whose, device, f"commit {commit()}", f"{datetime.now(UTC):%Y-%m-%d}"]
    return " · ".join([*parts, f"{time.process_time():.0f} CPU s"])


def sign(fig: Figure, line: str) -> None:
    """Write a line of provenance under a figure and show the figure; in a run for a page, hand over what it shows as a table, too."""
    fig.text(0.0, -0.02, line, fontsize=7.5, color=INK, va="top")
    if "SEELIKE_RESULTS" in os.environ:
        display({drawn.MIME: drawn.table(fig)}, raw=True)
    plt.show()


def pictures(axes: Sequence[Axes], images: UInt8[Tensor, "n 3 h w"], titles: Sequence[str] | None = None) -> None:
    """One image per axis, without frames."""
    for i, ax in enumerate(axes):
        ax.imshow(images[i].permute(1, 2, 0).numpy(), interpolation="nearest")
        ax.set_axis_off()
        if titles:
            ax.set_title(titles[i], fontsize=9, pad=3)


def similarity_map(
    ax: Axes, values: np.ndarray | pd.DataFrame, title: str, *, rows: str, columns: str, low: float = 0.0, high: float = 1.0
) -> None:
    """A CKA matrix with the first layer at the lower left; colours span [low, high], values outside are not clamped."""
    m = np.asarray(values)
    image = ax.imshow(m, origin="lower", cmap=MAP, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
    ax.set(title=title, xlabel=columns, ylabel=rows)
    ax.set_box_aspect(1)
    sns.despine(ax=ax, left=True, bottom=True)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.75, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)


def ratios(ax: Axes, values: Mapping[Any, float], margin: float = 0.01) -> None:
    """Ratios, one row each, on a band that reaches a margin to either side of 1."""
    ax.axvspan(1 - margin, 1 + margin, color=INK, alpha=0.15, lw=0)
    intervals(ax, {name: (ratio, ratio, ratio) for name, ratio in values.items()})


def starts(ax: Axes, cards: Mapping[tuple[str, int], Card], labels: Mapping[str, str]) -> None:
    """Test accuracy with its interval of every start of networks, from cards by name and seed; one row a network, the first at the top."""
    for y, name in enumerate(labels):
        seeds = sorted(seed for other, seed in cards if other == name)
        for i, seed in enumerate(seeds):
            card, at = cards[name, seed], y + 0.22 * (i - (len(seeds) - 1) / 2)
            colour = COLOURS.get(name, INK)
            ax.plot([card.accuracy_low, card.accuracy_high], [at, at], color=colour, lw=2)
            ax.plot(card.accuracy, at, "o", color=colour, ms=5)
    ax.set_yticks(range(len(labels)), list(labels.values()))
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.grid(axis="x", lw=0.5, alpha=0.5)


def intervals(ax: Axes, rows: Mapping[str, tuple[float, float, float]], colours: Mapping[str, object] | None = None) -> None:
    """Estimates with their intervals, one row each, the first at the top."""
    for y, (label, (estimate, low, high)) in enumerate(rows.items()):
        colour = (colours or {}).get(label, INK)
        ax.plot([low, high], [y, y], color=colour, lw=2.5, solid_capstyle="butt")
        ax.plot(estimate, y, "o", color=colour, ms=7)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="x", lw=0.5, alpha=0.5)


INKS = {"holds": "#0072b2", "reversed": "#d55e00", "open": "0.6"}


def specification(claim: Claim, analyses: Mapping[str, Analysis], published: tuple[float, float, float] | None = None) -> Figure:
    """A specification curve: the statistic in every analysis, sorted, over the choices that made it.

    Filled dots lie wholly on the claimed side of the null (dotted line), squares wholly on the other; open grey ones on both. published:
    the ledger's number, a band across all.
    """
    order = sorted(analyses.values(), key=lambda a: a.estimate or 0.0)
    rows = [(kind, value) for kind in dict.fromkeys(k for a in order for k in a.choices) for value in _values(order, kind)]
    wide = max(0.17 * len(order) + 2.6, 6.2)
    fig, (ax, below) = plt.subplots(2, 1, figsize=(wide, 2.6 + 0.2 * len(rows)), sharex=True, height_ratios=[2.6, 0.2 * len(rows)])
    if published is not None:
        ax.axhspan(*published[1:], color=INK, alpha=0.12, lw=0)
        ax.axhline(published[0], color=INK, lw=1)
    ax.axhline(claim.null_value, color=INK, lw=1, ls=":")
    for x, a in enumerate(order):
        value = a.interval()
        if value is None:
            continue
        found = side(value, claim.null_value, claim.direction)
        ax.plot([x, x], value[1:], color=INKS[found], lw=1.6)
        face = "white" if found == "open" else INKS[found]
        ax.plot(x, value.estimate, "s" if found == "reversed" else "o", color=INKS[found], mfc=face, ms=4.5)
    for y, (kind, chosen) in enumerate(rows):
        at = [x for x, a in enumerate(order) if a.choices.get(kind) == chosen]
        below.plot(at, [y] * len(at), "s", color=INK, ms=3)
    below.set_yticks(range(len(rows)), [f"{kind}: {chosen}" for kind, chosen in rows], fontsize=8.5)
    below.set_ylim(len(rows) - 0.5, -0.5)
    below.set_xticks([])
    below.grid(axis="y", lw=0.4, alpha=0.5)
    sns.despine(ax=below, bottom=True, left=True)
    ax.set(ylabel=claim.id)
    return fig


def _values(analyses: Sequence[Analysis], kind: str) -> list[str]:
    return list(dict.fromkeys(sorted(a.choices[kind] for a in analyses if kind in a.choices)))
