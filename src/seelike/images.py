"""Batches of images and labels: held in memory, or decoded as they are asked for."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import datasets
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

MEAN, STD = 0.5, 0.25  # one normalisation for our own tiers, all channels
Transform = Callable[[Image.Image], Tensor]


def normalise(pixels: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Bytes to the floats that our own networks expect."""
    return pixels.float().div_(255).sub_(MEAN).div_(STD)


@dataclass(frozen=True)
class Images:
    """Images and labels held in memory; iterating yields normalised batches (x, y), the last one maybe smaller.

    pixels: UInt8 (n, 3, h, w). labels: Int64 (n,). classes: the labels' names.
    skipped: names of images that could not be read.
    """

    pixels: UInt8[Tensor, "n 3 h w"]
    labels: Int[Tensor, " n"]
    classes: tuple[str, ...]
    batch_size: int = 128
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of images."""
        return len(self.pixels)

    @property
    def images(self) -> Float[Tensor, "n 3 h w"]:
        """All images, normalised as the tier's networks expect them."""
        return normalise(self.pixels)

    def __iter__(self) -> Iterator[tuple[Float[Tensor, "b 3 h w"], Int[Tensor, " b"]]]:
        for pixels, labels in zip(self.pixels.split(self.batch_size), self.labels.split(self.batch_size), strict=True):
            yield normalise(pixels), labels


@dataclass
class ImageStream:
    """Images decoded and transformed batch by batch, for sets that do not fit into memory.

    Has the attributes of `Images` but `pixels`. `labels` are those of all rows; unreadable images drop out of the
    batches with their labels, and `skipped` names them while iterating.
    """

    rows: datasets.Dataset
    column: str
    labels: Int[Tensor, " n"]
    classes: tuple[str, ...]
    transform: Transform
    batch_size: int = 128
    skipped: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """Number of images, the unreadable ones included."""
        return len(self.rows)

    @property
    def images(self) -> Float[Tensor, "n 3 h w"]:
        """All readable images at once."""
        return torch.cat([x for x, _ in self])

    def __iter__(self) -> Iterator[tuple[Float[Tensor, "b 3 h w"], Int[Tensor, " b"]]]:
        self.skipped.clear()
        for start in range(0, len(self), self.batch_size):
            batch = self.rows[start : start + self.batch_size][self.column]
            kept, pictures, names = decode(batch, start)
            self.skipped.extend(names)
            if pictures:
                x = torch.stack([self.transform(p) for p in pictures])
                yield x, self.labels[[start + i for i in kept]]
        report(self.skipped, len(self))


def resize(pixels: UInt8[Tensor, "n 3 h w"], side: int) -> UInt8[Tensor, "n 3 side side"]:
    """Square images at another side, by bilinear interpolation with antialiasing."""
    if pixels.shape[-1] == side:
        return pixels
    return interpolate(pixels.float(), (side, side), mode="bilinear", antialias=True).round().clamp(0, 255).to(torch.uint8)


def decode(cells: Sequence[dict[str, Any]], first: int = 0) -> tuple[list[int], list[Image.Image], list[str]]:
    """Positions and RGB pictures of the readable cells, and the names of the others."""
    kept, pictures, skipped = [], [], []
    for i, cell in enumerate(cells):
        try:
            file = io.BytesIO(cell["bytes"]) if cell["bytes"] is not None else cell["path"]
            pictures.append(Image.open(file).convert("RGB"))
            kept.append(i)
        except Exception:  # Pillow raises many types for damaged files, decompression bombs and empty cells
            skipped.append((cell or {}).get("path") or f"row {first + i}")
    return kept, pictures, skipped


def report(skipped: Sequence[str], total: int) -> None:
    """Name images that were left out in a warning."""
    if skipped:
        named = ", ".join(skipped[:5]) + (", ..." if len(skipped) > 5 else "")
        warnings.warn(f"{len(skipped)} of {total} images could not be read and were left out: {named}", stacklevel=3)
