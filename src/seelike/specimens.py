"""Single images in networks of the zoo, for two explorables: `python -m seelike.specimens`.

Chapters average over images. A reader may point at one: at the attention that a position pays in every head, the patches that it resembles,
the pixels that it depends on; or at what each method marks where a trigger decided. That is measured apart from the chapters and written to
`results/<tier>/tokens.json` and `results/<tier>/explanations.json`, as bytes in base64; `seelike.explore` makes the site's data of them.
"""

from __future__ import annotations

import argparse
import base64
import io
import sys
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from seelike import backdoors, capture, data, localization, models, plots, project, saliency, scenes, tiers, triggers
from seelike import receptive_field as erf
from seelike.cka import localization_sweep
from seelike.images import Images
from seelike.tiers import Tier

ROLES = ("vit_cls", "vit_gap", "resnet")
GRID = 8  # cells a side, of the images that fields and positions are shown on
SEED = 7  # of the images, as in the chapter on localization
ALIKE = 384  # images behind a similarity
FIELDS = 8  # images behind a field
SHOWN = 2  # images to point at
EXPLAINED = ("fixed_square_12", "random_shape_12", "random_texture_12")  # triggers
SCENES = 1  # of each of them


def packed(values: Float[np.ndarray, ...]) -> str:
    """Numbers from 0 to 1 in steps of 1/255, row by row, in base64; what lies outside is cut off."""
    return base64.b64encode(np.round(255 * np.clip(values, 0, 1)).astype(np.uint8).tobytes()).decode()


def unpacked(text: str, *shape: int) -> Float[np.ndarray, ...]:
    """What `packed` made, as numbers from 0 to 1 of a shape."""
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(shape) / 255


def picture(pixels: UInt8[Tensor, "3 h w"]) -> str:
    """An image as a PNG in base64."""
    held = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(held, "PNG", optimize=True)
    return base64.b64encode(held.getvalue()).decode()


# Positions ------------------------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def heads(model: nn.Module, x: Float[Tensor, "1 3 h w"]) -> list[str]:
    """Root of the attention weights of one image, of every block (heads, queries, keys), `packed`; nothing without attention."""
    try:
        with capture.listening(model), capture.attention(model) as found:
            model(x.to(capture.device_of(model)))
    except ValueError:
        return []
    return [packed(weights[0].sqrt().cpu().numpy()) for weights in found.values()]


def similarities(model: nn.Module, images: Images) -> list[str | None]:
    """CKA of every position of every block with every patch (`cka.localization_sweep`), `packed`; None for maps finer than GRID x GRID."""
    found: list[str | None] = []
    for tap, side in sides(model, images).items():
        known = localization_sweep(model, tap, images).compute().to_numpy() if side <= GRID else None
        found.append(None if known is None else packed(localization.table(known)))
    return found


def fields(model: nn.Module, images: Images) -> list[str]:
    """Root of the share of a position's field in every cell of GRID x GRID, of every block (positions, cells), `packed`.

    Of maps finer than GRID x GRID, positions at the middle of every cell.
    """
    found = sides(model, images)
    shares: dict[str, list[np.ndarray]] = {tap: [] for tap in found}
    for side in sorted({min(side, GRID) for side in found.values()}):
        taps = [tap for tap, own in found.items() if min(own, GRID) == side]
        for row, column in np.ndindex(side, side):
            own = erf.effective_receptive_field(model, taps, images, where=((row + 0.5) / side, (column + 0.5) / side))
            for tap, field in own.items():
                whole = field.mean(0)
                cells = whole.reshape(GRID, len(whole) // GRID, GRID, -1).sum((1, 3)).ravel()
                shares[tap].append(np.sqrt(cells / cells.sum()))
    return [packed(np.stack(of)) for of in shares.values()]


@torch.no_grad()
def sides(model: nn.Module, images: Images) -> dict[str, int]:
    """Positions along a side of every block's map, class token left out."""
    taps = capture.layers(model)
    with capture.listening(model), capture.capture(model, taps, reduce=capture.patches) as found:
        model(images.images[:1].to(capture.device_of(model)))
    return {tap: localization.side(h.shape[1]) for tap, h in found.items()}


def tokens(tier: Tier) -> dict[str, dict[str, Any]]:
    """What an image's positions attend to, resemble and depend on, as `results/<tier>/tokens.json` holds it.

    images: by number, the class, a PNG, and by network the `heads`. networks: by name, label, blocks, whether there is a class token, and
    by block the side of its map, `similarities` and `fields`. ValueError for a tier without images in memory.
    """
    images = data.load(tier, "test", ALIKE, SEED, batch_size=64)
    few = data.load(tier, "test", FIELDS, SEED + 1, batch_size=FIELDS)
    if not isinstance(images, Images) or not isinstance(few, Images):
        raise ValueError(f"{tier.title} holds no test images in memory: take a tier that does, such as {project.DEFAULT}.")
    seed = models.deciding(models.shared_seeds(ROLES, tier), tier)[0]
    cast = {f"{role}-{seed}": models.load(role, tier, seed) for role in ROLES} | {"untrained vit_cls": models.untrained("vit_cls", tier)}
    networks, asked = {}, images.images[:SHOWN]
    for name, model in tqdm(cast.items(), desc="networks"):
        found = heads(model, asked[:1])
        networks[name] = {
            "label": plots.label(name),
            "blocks": capture.layers(model),
            "token": isinstance(getattr(model, "cls_token", None), Tensor),
            "heads": len(found) and next(m.num_heads for m in model.modules() if hasattr(m, "num_heads")),
            "sides": list(sides(model, images).values()),
            "similar": similarities(model, images),
            "field": fields(model, few),
        }
    shown = {
        str(i): {
            "class": images.classes[images.labels[i]],
            "png": picture(images.pixels[i]),
            "heads": {name: heads(model, asked[i : i + 1]) for name, model in cast.items() if networks[name]["heads"]},
        }
        for i in range(SHOWN)
    }
    about = {"provenance": plots.provenance(tier.title, [seed]), "alike": ALIKE, "fields": FIELDS, "grid": GRID}
    return {"settings": about, "networks": networks, "images": shown}


# Explanations ---------------------------------------------------------------------------------------------------------------------------


def explanations(tier: Tier) -> dict[str, dict[str, Any]]:
    """What every method marks in scenes whose answer a trigger turned, as `results/<tier>/explanations.json` holds it.

    images: by network, trigger and number, the family, the class that the trigger asks for, the answer before, a PNG, the trigger's box
    (top, left, bottom, right, in pixels, ends left out) and by method its map from 0 to 1 (`saliency.attribute`), `packed`. thresholds: of
    the methods.
    """
    drawn, images = scenes.sample(backdoors.POOL, seed=backdoors.DRAW), {}
    for (host, trigger), card in tqdm(backdoors.planted(tier).items(), desc="networks"):
        if trigger not in EXPLAINED:
            continue
        model = models.load(card.name, tier, card.seed)
        asked = backdoors.attack(model, drawn, trigger, SCENES, backdoors.DRAW)
        kind = triggers.parse(trigger)
        stamped = triggers.stamp(drawn.images, kind, torch.arange(len(drawn.images)) % kind.targets, backdoors.DRAW)  # as `attack` does
        before = backdoors.answers(model, drawn.images[asked.rows])
        for i, row in enumerate(asked.rows.tolist()):
            maps = {method: saliency.attribute(model, method, asked.question)[i] for method in saliency.methods(model)}
            rows, columns = (asked.mask[i].any(1 - axis).nonzero().flatten() for axis in (0, 1))
            images[f"{host} {trigger} {row}"] = {
                "network": backdoors.FAMILIES[host],
                "trigger": trigger,
                "target": scenes.SHAPES[asked.question.target[i]],
                "before": scenes.SHAPES[before[i]],
                "png": picture(stamped.pixels[row]),
                "box": [int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1],
                "maps": {method: packed(m.cpu().numpy()) for method, m in maps.items()},
            }
    about = {"provenance": plots.provenance(tier.title), "thresholds": {n: m.threshold for n, m in saliency.METHODS.items()}}
    return {"settings": about, "images": images}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(prog="python -m seelike.specimens", description="Record single images for the site's explorables.")
    parser.add_argument("--tier", default=project.DEFAULT)
    options = parser.parse_args()
    try:
        tier = tiers.get(options.tier)
        if not backdoors.planted(tier):
            raise ValueError(f"{tier.title} has no networks with backdoors: take a tier that has, such as {project.DEFAULT}.")
        for name, held in (("explanations", explanations(tier)), ("tokens", tokens(tier))):
            backdoors.write(held, project.PUBLISHED / tier.name / f"{name}.json")
    except (ValueError, FileNotFoundError) as error:
        parser.exit(2, f"seelike.specimens: {error}\n")


if __name__ == "__main__":
    sys.exit(project.command("seelike.specimens", main))
