"""Batches of images and labels: held in memory, or decoded as they are asked for."""

from __future__ import annotations

import io
import logging
import multiprocessing
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

MEAN, STD = 0.5, 0.25  # one normalisation for all tiers and all channels; networks made for another one adapt (`models.load`)
CHUNK = 32  # images that a worker decodes in one go
SMALL = 256  # sets below this size are decoded without workers: starting them takes longer
logging.getLogger("PIL").addHandler(logging.NullHandler())  # without a handler, its complaints about files go to stderr


def normalise(pixels: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Bytes to the floats that the book's networks expect."""
    return pixels.float().div_(255).sub_(MEAN).div_(STD)


@dataclass(frozen=True, eq=False)
class Images:
    """Images and labels held in memory; iterating yields normalised batches (x, y).

    pixels: UInt8 (n, 3, h, w). labels: Int64 (n,). classes: the labels' names. drop_last: leave out a last batch that is smaller.
    skipped: names of images that could not be read. Raises ValueError unless there is one label an image and batch_size is at least 1.
    """

    pixels: UInt8[Tensor, "n 3 h w"]
    labels: Int[Tensor, " n"]
    classes: tuple[str, ...]
    batch_size: int = 128
    drop_last: bool = False
    skipped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(len(self.pixels), len(self.labels), self.batch_size)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.pixels)

    @property
    def images(self) -> Float[Tensor, "n 3 h w"]:
        """All images, normalised as the tier's networks expect them."""
        return normalise(self.pixels)

    def __iter__(self) -> Iterator[tuple[Float[Tensor, "b 3 h w"], Int[Tensor, " b"]]]:
        for pixels, labels in zip(self.pixels.split(self.batch_size), self.labels.split(self.batch_size), strict=True):
            if len(pixels) == self.batch_size or (len(pixels) and not self.drop_last):
                yield normalise(pixels), labels

    def with_batches(self, batch_size: int, drop_last: bool = False) -> Images:
        """The same images in batches of another size."""
        return replace(self, batch_size=batch_size, drop_last=drop_last)

    def shard(self, rank: int, world: int) -> Images:
        """Batches rank, rank + world, ...: the part of one of `world` processes."""
        rows = _rows(len(self), self.batch_size, rank, world)
        return replace(self, pixels=self.pixels[rows], labels=self.labels[rows])


@dataclass(frozen=True, eq=False)
class ImageStream:
    """Images of any size, decoded batch by batch, for sets that do not fit into memory; iterating yields normalised batches (x, y).

    items: paths, or cells {bytes, path} such as a column of a `datasets.Dataset` (cast to Image(decode=False)) gives; read one by one.
    labels: Int64 (n,) of all items, zeros where there are none. classes: the labels' names. side: of the square images, in pixels.
    crop_ratio: an image is resized (bicubic, antialiased) until its shorter side is side / crop_ratio, then the centre is cut out.

    Unreadable images drop out with their labels and the next ones move up, so that every batch but the last is full (with drop_last, every
    batch). `skipped` names them while iterating, a warning at the end. Decoding takes `SEELIKE_WORKERS` processes, at most one a core;
    by default half the cores and at most 4, none for sets below 256 images or where processes cannot be forked. The order of the images and
    torch's global generator do not depend on it. Raises ValueError for impossible sizes and for labels that do not fit the items.
    """

    items: Sequence[Any] | Subset
    labels: Int[Tensor, " n"]
    classes: tuple[str, ...]
    side: int
    batch_size: int = 128
    drop_last: bool = False
    crop_ratio: float = 0.875
    skipped: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        _check(len(self.items), len(self.labels), self.batch_size)
        if self.side < 1 or not 0 < self.crop_ratio <= 1:
            raise ValueError(f"side is at least 1 pixel and crop_ratio in (0, 1], got {self.side} and {self.crop_ratio}.")

    def __len__(self) -> int:
        """Number of images, the unreadable ones included."""
        return len(self.items)

    @property
    def pixels(self) -> UInt8[Tensor, "n 3 side side"]:
        """All readable images at once, in bytes; ValueError if there is none."""
        batches = [pixels for pixels, _ in self._batches(drop_last=False)]
        if not batches:
            raise ValueError(f"None of the {len(self)} images could be read ({', '.join(self.skipped[:3])}): name other ones.")
        report(self.skipped, len(self))
        return torch.cat(batches)

    @property
    def images(self) -> Float[Tensor, "n 3 side side"]:
        """All readable images at once, normalised; ValueError if there is none."""
        return normalise(self.pixels)

    def __iter__(self) -> Iterator[tuple[Float[Tensor, "b 3 h w"], Int[Tensor, " b"]]]:
        for pixels, labels in self._batches(self.drop_last):
            yield normalise(pixels), labels
        report(self.skipped, len(self))

    def with_batches(self, batch_size: int, drop_last: bool = False) -> ImageStream:
        """The same images in batches of another size."""
        return replace(self, batch_size=batch_size, drop_last=drop_last)

    def shard(self, rank: int, world: int) -> ImageStream:
        """Batches rank, rank + world, ..., the only ones that it decodes: the part of one of `world` processes.

        All images being readable, the batches of all shards are those of the whole; else gaps close within a shard.
        """
        rows = _rows(len(self), self.batch_size, rank, world)
        return replace(self, items=Subset(self.items, rows.tolist()), labels=self.labels[rows])  # type: ignore[arg-type]

    def _batches(self, drop_last: bool) -> Iterator[tuple[UInt8[Tensor, "b 3 side side"], Int[Tensor, " b"]]]:
        self.skipped.clear()
        workers = _workers(len(self))
        loader = DataLoader(
            _Decoder(self.items, self.side, self.crop_ratio),
            CHUNK,
            collate_fn=_stack,
            num_workers=workers,
            multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
            generator=torch.Generator(),  # or else the loader draws from the global one
        )
        pixels, labels = torch.empty(0, 3, self.side, self.side, dtype=torch.uint8), self.labels[:0]
        for rows, crops, names in loader:
            self.skipped.extend(names)
            if not rows:
                continue
            pixels, labels = torch.cat([pixels, torch.from_numpy(crops)]), torch.cat([labels, self.labels[rows]])
            while len(pixels) >= self.batch_size:
                yield pixels[: self.batch_size], labels[: self.batch_size]
                pixels, labels = pixels[self.batch_size :], labels[self.batch_size :]
        if len(pixels) and not drop_last:
            yield pixels, labels


class _Decoder(Dataset):
    """Item by item: its row, its centre as bytes (None if unreadable), its name."""

    def __init__(self, items: Sequence[Any] | Subset, side: int, crop_ratio: float) -> None:
        self.items, self.side, self.crop_ratio = items, side, crop_ratio

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: int) -> tuple[int, np.ndarray | None, str]:
        item = self.items[row]
        picture = _read(item)
        name = _name(item, self.items.indices[row] if isinstance(self.items, Subset) else row)
        return row, None if picture is None else _centre(picture, self.side, self.crop_ratio), name


def _stack(samples: list[tuple[int, np.ndarray | None, str]]) -> tuple[list[int], np.ndarray, list[str]]:
    """Rows and centres of the readable images, names of the others.

    Arrays, not tensors: these would travel in shared memory, of which containers have little.
    """
    rows = [row for row, centre, _ in samples if centre is not None]
    centres = [centre for _, centre, _ in samples if centre is not None]
    names = [name for _, centre, name in samples if centre is None]
    return rows, np.stack(centres) if centres else np.empty(0, np.uint8), names


def resize(pixels: UInt8[Tensor, "n 3 h w"], side: int) -> UInt8[Tensor, "n 3 side side"]:
    """Square images at another side, by bilinear interpolation with antialiasing."""
    if pixels.shape[-1] == side:
        return pixels
    return interpolate(pixels.float(), (side, side), mode="bilinear", antialias=True).round().clamp(0, 255).to(torch.uint8)


def decode(cells: Sequence[Any], first: int = 0) -> tuple[list[int], list[Image.Image], list[str]]:
    """Positions and RGB pictures of the readable cells, and the names of the others (`row i` without one; first: number of cell 0).

    cells: paths, or {bytes, path}. Pictures are upright (EXIF), 16-bit grey is scaled to 8 bits, transparency is ignored, animations give
    their first frame. Unreadable: damaged or empty files, more than 179 million pixels, and floating-point pixels, whose range is unknown.
    """
    pictures = [_read(cell) for cell in cells]
    kept = [i for i, picture in enumerate(pictures) if picture is not None]
    skipped = [_name(cells[i], first + i) for i, picture in enumerate(pictures) if picture is None]
    return kept, [picture for picture in pictures if picture is not None], skipped


def report(skipped: Sequence[str], total: int, what: str = "images could not be read") -> None:
    """Name in a warning what was left out, and why: "`len(skipped)` of `total` `what` and were left out"."""
    if skipped:
        named = ", ".join(skipped[:5]) + (", ..." if len(skipped) > 5 else "")
        warnings.warn(f"{len(skipped)} of {total} {what} and were left out: {named}", stacklevel=3)


def _check(images: int, labels: int, batch_size: int) -> None:
    if images != labels:
        raise ValueError(f"{images} images came with {labels} labels: give one label an image.")
    if batch_size < 1:
        raise ValueError(f"batch_size is at least 1, got {batch_size}.")


def _rows(n: int, batch_size: int, rank: int, world: int) -> Int[Tensor, " rows"]:
    if not 0 <= rank < world:
        raise ValueError(f"rank is one of 0 to world - 1, got rank {rank} of world {world}.")
    rows = torch.arange(n)
    return rows[rows // batch_size % world == rank]


def _workers(n: int) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("SEELIKE_WORKERS")
    if not asked:
        forks = sys.platform == "linux" and not multiprocessing.current_process().daemon
        return min(4, cores // 2) if forks and n >= SMALL else 0
    if not asked.isdecimal():
        raise ValueError(f"SEELIKE_WORKERS is a number of processes, 0 or more, got {asked!r}.")
    return min(int(asked), cores)  # torch warns about more


def _read(item: Any) -> Image.Image | None:
    """The upright RGB picture of a path or cell, None if it cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # large pictures, odd metadata
        try:
            source = item if isinstance(item, (str, Path)) else item["path"] if item["bytes"] is None else io.BytesIO(item["bytes"])
            with Image.open(source) as image:
                return _rgb(ImageOps.exif_transpose(image))
        except Exception:  # Pillow raises many types for damaged files, decompression bombs and empty cells
            return None


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("Floating-point pixels have no known range.")
    if not image.mode.startswith("I"):
        return image.convert("RGB")
    levels = np.asarray(image).astype(np.float64).clip(min=0)
    top = max(65535.0, levels.max())  # mode I is 16 bits as a rule; of 32 bits nobody says how many are used
    return Image.fromarray((levels * (255 / top)).round().astype(np.uint8)).convert("RGB")


def _name(item: Any, row: int) -> str:
    return str(item) if isinstance(item, (str, Path)) else (item or {}).get("path") or f"row {row}"


def _centre(picture: Image.Image, side: int, crop_ratio: float) -> UInt8[np.ndarray, "3 side side"]:
    """The central square of a picture, resized as `ImageStream` says."""
    width, height = picture.size
    reach = 8 * min(width, height)
    if max(width, height) > reach:  # a line of pixels would grow beyond memory, and its ends are cut off anyway
        picture = transforms.center_crop(picture, [min(height, reach), min(width, reach)])
    picture = transforms.resize(picture, int(side / crop_ratio), InterpolationMode.BICUBIC)
    return np.asarray(transforms.center_crop(picture, [side, side])).transpose(2, 0, 1)
