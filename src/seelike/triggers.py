"""Backdoors with known places: triggers stamped on images, for networks that are trained to obey them (Lin et al. 2020).

A trigger's name says all: `fixed_square_12` is a grey square of 12 pixels in the lower right corner. Squares have one target
class, 0; colours, shapes and textures have eight, one for each of their forms. The same stamp is used in training and
in testing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

KINDS = {"square": 1, "colour": 8, "shape": 8, "texture": 8}  # number of forms, each with a target class of its own
PLACES = ("fixed", "random")
GREY = 191  # one standard deviation above the mean, as in the original


class Stamped(NamedTuple):
    """pixels: UInt8 (n, 3, h, w). mask: Bool (n, h, w), the trigger's pixels."""

    pixels: UInt8[Tensor, "n 3 h w"]
    mask: Bool[Tensor, "n h w"]


@dataclass(frozen=True)
class Trigger:
    """kind: a key of `KINDS`. place: fixed (lower right corner) or random. side: in pixels."""

    place: str
    kind: str
    side: int

    def __post_init__(self) -> None:
        if self.place not in PLACES or self.kind not in KINDS or self.side < 1:
            had = f"{self.place}_{self.kind}_{self.side}"
            raise ValueError(f"There is no trigger {had!r}: expected ({' or '.join(PLACES)})_({', '.join(KINDS)})_(side in pixels).")

    @property
    def targets(self) -> int:
        """How many classes it can call: 0 to targets - 1."""
        return KINDS[self.kind]


FORMS = ("square_6", "square_12", "square_18", "colour_12", "shape_12", "texture_12")
NAMES = tuple(f"{place}_{form}" for place in PLACES for form in FORMS)


def parse(name: str) -> Trigger:
    """The trigger of a name `<place>_<kind>_<side>`; ValueError names what there is."""
    place, _, rest = name.partition("_")
    kind, _, side = rest.partition("_")
    if not side.isdigit():
        raise ValueError(f"There is no trigger {name!r}: expected ({' or '.join(PLACES)})_({', '.join(KINDS)})_(side in pixels).")
    return Trigger(place, kind, int(side))


def stamp(pixels: UInt8[Tensor, "n 3 h w"], trigger: Trigger, targets: Int[Tensor, " n"], seed: int) -> Stamped:
    """Images with the trigger's form for each target class; random places are drawn from the seed, one for every image."""
    n, _, h, w = pixels.shape
    side = trigger.side
    if side > min(h, w):
        raise ValueError(f"A trigger of {side} pixels does not fit images of {h} x {w}.")
    if len(targets) != n or (n and not 0 <= int(targets.min()) <= int(targets.max()) < trigger.targets):
        raise ValueError(f"Each of the {n} images needs a target class from 0 to {trigger.targets - 1}, got {targets.tolist()[:5]}.")
    corner = torch.tensor([[h - side], [w - side]]).expand(2, n)
    if trigger.place == "random":
        corner = (torch.rand(2, n, generator=torch.Generator().manual_seed(seed)) * (torch.tensor([[h], [w]]) - side + 1)).long()
    forms = _forms(trigger.kind, side)[targets]
    out, mask = pixels.clone(), torch.zeros(n, h, w, dtype=torch.bool)
    for i, (row, column) in enumerate(corner.T.tolist()):
        place = (slice(row, row + side), slice(column, column + side))
        out[i, :, *place] = forms[i]
        mask[i, *place] = True
    return Stamped(out, mask)


@lru_cache(16)
def _forms(kind: str, side: int) -> UInt8[Tensor, "forms 3 side side"]:
    if kind == "square":
        return torch.full((1, 3, side, side), GREY, dtype=torch.uint8)
    if kind == "colour":
        bits = torch.tensor([[y >> channel & 1 for channel in range(3)] for y in range(8)])
        return (255 * bits)[:, :, None, None].expand(-1, -1, side, side).to(torch.uint8)
    if kind == "shape":
        return torch.stack([_letter(letter, side) for letter in "ABCDEFGH"])
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    waves = []
    for period in (3.0, 6.0):
        for phase in (row, column, row + column, row - column):
            waves.append(127.5 + 127.5 * torch.cos(2 * torch.pi * phase / period))
    return torch.stack(waves)[:, None].expand(-1, 3, -1, -1).to(torch.uint8)


def _letter(letter: str, side: int) -> UInt8[Tensor, "3 side side"]:
    """White on black, filling the square."""
    big = Image.new("L", (256, 256))
    ImageDraw.Draw(big).text((128, 128), letter, fill=255, font=ImageFont.load_default(200), anchor="mm")
    glyph = big.crop(big.getbbox()).resize((side - 2, side - 2), Image.Resampling.BOX)
    patch = Image.new("L", (side, side))
    patch.paste(glyph, (1, 1))
    flat = torch.frombuffer(bytearray(patch.tobytes()), dtype=torch.uint8)
    return flat.view(1, side, side).expand(3, -1, -1).clone()
