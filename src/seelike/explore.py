"""Explorables of the site: `{explore} NAME`, and the data that they show.

A directive leaves a title, a sentence and an empty place; scripts in `book/_static/explore` build the rest in the browser when the reader
comes near. Recorded numbers reach them as scripts that are written at the end of a build: pages opened from a disk may not fetch. Without
scripts, and on paper, the figure above an explorable stands for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from seelike import claims, project, scorecard, tiers
from seelike import ledger as rules
from seelike.answers import SUMMARIES, SYMBOLS, Entry
from seelike.intervals import Estimate
from seelike.ledger import Claim

EXPLORABLES = {  # title, and how to use it
    "cka": (
        "Every recorded map, layer by layer",
        "Choose images and networks, then point at the map or use the arrow keys (Page Up and Page Down jump by a block or stage). "
        "The curve is the marked row: one layer against all layers of the other network; where both were recorded, a broken line shows "
        "the same row without training.",
    ),
    "estimator": (
        "An estimator laboratory",
        "Two representations of the same images, drawn independently in your browser: their CKA is 0. Every dot is one draw. Move the "
        "sliders and see which estimates stay around 0. The last row forgets to centre; the slider of the mean shows what that costs.",
    ),
    "tokens": (
        "One position, in one image",
        "Choose a network and a block, then a patch, by pointing at any picture or with the arrow keys in the image. Heads: where this "
        "position looks, in this image. Resembles: the patches whose pixels it follows over many images (CKA). Depends on: its effective "
        "receptive field.",
    ),
    "explanations": (
        "Where would you cut the map?",
        "In each image a trigger decides the answer, so that we know what an explanation should mark. Move the threshold above which a "
        "pixel counts as marked, and see how the box around the marked pixels meets the trigger. The study takes one threshold a method.",
    ),
    "scaling": (
        "Hide the large ones",
        "Both laws see the filled points only. Hide more of the large runs, and see which law still foretells them; or hold the floor "
        "where you believe it to be, and see how little the points that are seen object.",
    ),
    "scorecard": (
        "How large must an effect be to count?",
        "Filter the claims, then move the threshold: a claim counts while its whole 95 % interval, the bar, lies beyond the shaded band. "
        "Statistics have units of their own, so the axis is in half widths of each interval, from the null: it says how far an effect "
        "stands out from chance, not how much it matters.",
    ),
}
PLACES = {  # of a layer in its block
    "norm1": "first norm",
    "attn": "attention",
    "mlp_tokens": "token mixing",
    "norm2:in": "residual stream, mid-block",
    "norm2": "second norm",
    "mlp.act": "hidden layer of the MLP",
    "mlp_channels.act": "hidden layer of channel mixing",
    "": "output",
}
ROLES = {"vit_data_1000": "ViT (CLS), short run", "resnet_short": "ResNet, short run"}  # plots name them for another chapter
MAPS = {"03": "maps", "09": "mixer", "12": "maps"}  # sections of CKA maps, by chapter


class Map(NamedTuple):
    """A recorded map: networks of its rows and columns ("untrained vit_cls", "resnet-3"), kind of layers, provenance, and CKA."""

    rows: str
    columns: str
    kind: str
    provenance: str
    values: list[list[float | None]]


# The directive --------------------------------------------------------------------------------------------------------------------------


class Explore(SphinxDirective):
    """{explore}: the place of an explorable."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Title and sentence, a note for readers without scripts, and the place that a script fills."""
        name = self.arguments[0]
        if name not in EXPLORABLES:
            raise self.error(f"There is no explorable {name!r}: expected one of {', '.join(EXPLORABLES)}.")
        title, told = map(escape, EXPLORABLES[name])
        html = (
            f'<section class="explore" id="explore-{name}" data-explore="{name}" aria-labelledby="explore-{name}-title">'
            f'<p class="explore-title" id="explore-{name}-title"><span class="explore-kind">Explore</span> {title}</p>'
            f'<p class="explore-told">{told}</p><noscript><p>This needs JavaScript; the figure above shows part of it.</p></noscript>'
            f'<div class="explore-stage"></div></section>'
        )
        return [nodes.raw("", html, format="html")]


def write(app: Sphinx, error: Exception | None) -> None:
    """At the end of a build, put the data of the explorables into the site."""
    if error or app.builder.format != "html":
        return
    for name, held in data(app.config.seelike_tier).items():
        place(Path(app.outdir) / "_static" / "explore", name, held)


def place(folder: Path, name: str, held: Any) -> None:
    """Write a script that hands data to the explorables under a name."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(held, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    beside = folder / f".{name}.{os.getpid()}"
    beside.write_text(f"seelikeExplore.data[{json.dumps(name)}]={text};\n", encoding="utf-8")
    os.replace(beside, folder / f"{name}.js")


def data(tier: str) -> dict[str, Any]:
    """All data of the site of a tier, by the name of their script: numbers of the tier, and those that were recorded at others."""
    places = [p for p in scorecard.places(tier) if p != claims.DATA]
    recorded = {name: found for name in places if (found := recorded_maps(name))}
    index = [{"file": f"cka-{name}", "title": tiers.get(_where(tier, name)).title} for name in recorded]
    files = {f"cka-{name}": maps_data(_where(tier, name), found) for name, found in recorded.items()}
    single = {**tokens_data(), **explanations_data(), **scaling_data()}
    return {"cka-index": index, **files, **single, "scorecard-data": scorecard_data(tier)}


def _where(tier: str, name: str) -> str:
    """What `tiers.get` knows a place of the scorecard by: the site's own cast is found by its file only."""
    return tier if claims.key(tier) == name else name


# Maps -----------------------------------------------------------------------------------------------------------------------------------


def recorded_maps(tier: str) -> list[Map]:
    """All CKA maps that chapters recorded at a tier."""
    found: list[Map] = []
    for chapter, section in MAPS.items():
        held = claims.results(tier, chapter).get(section, {})
        for name in sorted(held, key=lambda n: (n.startswith("untrained"), n == "cross", not n.startswith("vit"))):
            rows, columns = _sides(chapter, name, held)
            made_from = claims.results(tier, chapter).get("settings", {}).get("provenance", "")
            found.append(Map(rows, columns, "block" if chapter == "12" else "all", made_from, held[name]))
    return found


def _sides(chapter: str, name: str, held: Mapping[str, Any]) -> tuple[str, str]:
    """Networks of rows and columns of a map under the name that its chapter gave it."""
    if chapter == "12":
        row, _, column = name.partition(" ")
        return row, column
    if chapter == "09":
        return name, "mixer"
    if name == "cross":
        row, column = (next(n for n in held if n.startswith(k)) for k in ("vit_cls", "resnet"))
        return row, column
    return name, name


def maps_data(tier: str, recorded: Sequence[Map]) -> dict[str, Any]:
    """Maps of a tier as plain data.

    networks: by key, the label, names of layers and marks of the axis (`maps.marks`). maps: label, keys of rows and columns, CKA in
    thousandths (null where it is not defined) row by row, of a symmetric map from the diagonal on; control: the map of the same layers
    without training, by place. ValueError where a map has other layers than its networks.
    """
    networks: dict[str, dict[str, Any]] = {}
    for rows, columns, kind, _, values in recorded:
        for name, count in ((rows, len(values)), (columns, len(values[0]))):
            networks[f"{name} {kind}"] = networks.get(f"{name} {kind}") or _network(tier, name, kind, count)
    made: list[dict[str, Any]] = []
    for rows, columns, kind, made_from, values in recorded:
        row, column = f"{rows} {kind}", f"{columns} {kind}"
        m = np.array(values, dtype=float)
        same = rows == columns and np.allclose(m, m.T, equal_nan=True)
        made.append(
            {
                "label": _title(networks[row]["label"], networks[column]["label"], kind),
                "rows": row, "columns": column, "symmetric": bool(same), "provenance": made_from,
                "values": [[_thousandths(v) for v in line[i if same else 0 :]] for i, line in enumerate(m.tolist())],
            }
        )  # fmt: skip
    for one, entry in zip(recorded, made, strict=True):
        other = tuple(f"untrained {n.partition('-')[0]}" for n in one[:2])
        control = next((i for i, r in enumerate(recorded) if r[:3] == (*other, one.kind)), None)
        entry["control"] = control if not one.rows.startswith("untrained") else None
    return {"networks": networks, "maps": made}


def _title(rows: str, columns: str, kind: str) -> str:
    return (f"{rows}, with itself" if rows == columns else f"{rows}, with {columns}") + (", block outputs" if kind == "block" else "")


def _thousandths(value: float) -> int | None:
    return None if np.isnan(value) else round(1000 * value)


def _network(tier: str, name: str, kind: str, count: int) -> dict[str, Any]:
    """Label, layers and axis marks of a network of which a map has so many layers; its weights are not needed.

    In somebody's own cast, layers of a network that cannot be made here are numbers.
    """
    from seelike import capture, chapter, maps  # noqa: PLC0415  (timm, which only the end of a build needs)

    chosen = tiers.get(tier)
    held = {"label": ROLES.get(name, chapter.Recorded(chosen, {}).label(name))}
    try:
        model = _made(tier, name.removeprefix("untrained ").partition("-")[0])
        blocks, taps = capture.layers(model), capture.layers(model, kind)  # type: ignore[arg-type]
        if len(taps) != count:
            raise ValueError(f"A map of {name} at {tier} has {count} layers, the network {len(taps)}: record it again.")
    except ValueError:
        if chosen.trained_here:
            raise
        return held | {"layers": [["", f"layer {i + 1}"] for i in range(count)], "marks": []}
    layers = [[tap, _words(tap, blocks)] for tap in taps]
    return held | {"layers": layers, "marks": list(maps.marks(taps, blocks).items())}


def _made(tier: str, role: str) -> Any:
    """A network with any weights or none, as the card of its role or the cast describes it."""
    import torch  # noqa: PLC0415

    from seelike import models  # noqa: PLC0415
    from seelike.cards import cards  # noqa: PLC0415

    chosen = tiers.get(tier)
    if not chosen.trained_here:
        return models.untrained(role, chosen)
    card = next((card for (name, _), card in cards(chosen).items() if name == role), None)
    if card is None:
        raise ValueError(f"The zoo has no card of {role} at {tier}, of which a map was recorded: restore zoo/{tier}/{role}-*.json.")
    with torch.device("meta"):
        return models.create(card.architecture, chosen, **card.options)


def _words(tap: str, blocks: Sequence[str]) -> str:
    """A layer in words: "block 4, attention"; its own name outside of blocks."""
    found = next((i for i, b in enumerate(blocks) if f"{tap.partition(':')[0]}.".startswith(f"{b}.")), None)
    if found is None:
        return tap
    inside = tap.removeprefix(blocks[found]).lstrip(".")
    return f"block {found + 1}, {PLACES.get(inside, inside)}"


# Single images and published points -----------------------------------------------------------------------------------------------------


def tokens_data() -> dict[str, Any]:
    """What was recorded of single positions (`specimens.tokens`): images and networks; apart, what each network resembles and depends on,
    and the heads of every image and network.

    Recorded for the default tier, and shown on the sites of other tiers as well.
    """
    held = claims.results(project.DEFAULT, "tokens")
    large = ("similar", "field")
    networks, images = held["networks"].values(), held["images"].values()
    files = {f"tokens-{k}": {key: network[key] for key in large} for k, network in enumerate(networks)} | {
        f"tokens-{i}-{k}": image["heads"][name]
        for i, image in enumerate(images)
        for k, name in enumerate(held["networks"])
        if name in image["heads"]
    }
    small = [{key: value for key, value in network.items() if key not in large} for network in networks]
    shown = [{"class": image["class"], "png": image["png"]} for image in images]
    return {"tokens-data": {"settings": held["settings"], "networks": small, "images": shown}, **files}


def explanations_data() -> dict[str, Any]:
    """What was recorded of explanations of single scenes (`specimens.explanations`), triggers in words."""
    held = claims.results(project.DEFAULT, "explanations")
    images = [image | {"title": _trigger(image["trigger"])} for image in held["images"].values()]
    return {"explanations-data": {"settings": held["settings"], "images": images}}


def _trigger(name: str) -> str:
    place, kind, _ = name.split("_")
    return f"{kind} {'in the corner' if place == 'fixed' else 'anywhere'}"


def scaling_data() -> dict[str, Any]:
    """The published frontier of compute and ten-shot error, as chapter 14 recorded it: pairs by rising compute."""
    front = claims.results(claims.DATA, "14")["frontier"]["front"]
    points = sorted(zip(front["compute"], front["error"], strict=True))
    return {"scaling-data": {"points": [list(p) for p in points], "provenance": "Points published by Zhai et al. 2021"}}


# Scorecard ------------------------------------------------------------------------------------------------------------------------------


def scorecard_data(tier: str) -> dict[str, Any]:
    """The scorecard as plain data: symbols of answers, heads of tiers, and a row for every claim and tier at which it was asked.

    A row: id, short, statement, paper, place in `tiers`, answer, number in words, and `span` (None for numbers without a verdict).
    """
    found = scorecard.tables(scorecard.places(tier))
    rows = [
        [
            claim.id,
            claim.short,
            claim.statement,
            claim.paper,
            i,
            word,
            _number(entry),
            span(claim, entry) if word in SUMMARIES[:4] else None,
        ]
        for claim in rules.ledger().values()
        for i, (place_, table) in enumerate(found.items())
        if (word := str(table.loc[claim.id, "summary"])) != "not run" and (entry := claims.recorded_of(claim.id, place_))
    ]
    heads = [scorecard.TIERS.get(t, t) for t in found]
    return {"symbols": SYMBOLS, "tiers": heads, "papers": scorecard.papers(), "rows": rows, "anchors": scorecard.anchor("")}


def _number(entry: Entry) -> str:
    value = entry.interval()
    return claims.words(*value) if value else ""


def span(claim: Claim, entry: Entry) -> list[float] | None:
    """Where the interval of a claim lies: low, estimate, high, from the null in half widths of the interval, the claimed side upwards.

    Of a claim with parts: the part that lies furthest to the other side, so that the claim is wholly on a side when it holds or is reversed
    (`answers.together`). None where a part has no interval.
    """
    asked = [(entry.parts[p.name].interval() if p.name in entry.parts else None, p.null_value, p.direction) for p in claim.parts]
    spans = [_span(*part) for part in asked or [(entry.interval(), claim.null_value, claim.direction)]]
    held = [s for s in spans if s is not None]
    return min(held) if len(held) == len(spans) else None


def _span(value: Estimate | None, null: float, direction: str) -> list[float] | None:
    if value is None or value.low == value.high:
        return None
    sign, half = (1 if direction == "above" else -1), (value.high - value.low) / 2
    low, high = sorted(sign * (end - null) / half for end in (value.low, value.high))
    return [round(v, 3) for v in (low, sign * (value.estimate - null) / half, high)]
