"""The images of every tier behind one door: `load(tier, split, n, seed)`.

| tier     | images                                                                    |
|----------|---------------------------------------------------------------------------|
| smoke    | 64 scenes                                                                 |
| scenes   | drawn on the spot (`seelike.scenes`)                                      |
| cifar10  | uoft-cs/cifar10 from the hub                                              |
| imagenet | `SEELIKE_IMAGES`: a folder of images or a hub name; default ImageNet-1k   |

For CIFAR-10, `SEELIKE_MIRROR` names a folder laid out like the hub (`datasets/<hub id>/...`), looked up before it.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import datasets
import numpy as np
import torch
from timm.data import create_transform

from seelike import scenes
from seelike.images import MEAN, STD, Images, ImageStream, Transform, decode, normalise, report, resize
from seelike.project import TIERS

__all__ = ["MEAN", "STD", "ImageStream", "Images", "load", "normalise", "resize", "target"]

SPLITS = ("train", "test")
SCENES = {"train": 10_000, "test": 2_000}  # images of the endless set that `n=None` stands for
CIFAR10 = "uoft-cs/cifar10"
IMAGENET = "ILSVRC/imagenet-1k"

QUADRANTS = ("above left", "above right", "below left", "below right")
TARGETS = ("shape", "texture", "position", "cifar10")


def load(
    tier: str,
    split: str = "test",
    n: int | None = None,
    seed: int = 0,
    *,
    source: str | None = None,
    transform: Transform | None = None,
) -> Images | ImageStream:
    """Images of a tier, ready for its networks: iterate for batches (x, y), or read `.images` and `.labels`.

    n: number of images, None for the whole split (scenes: `SCENES`); drawn without replacement by `seed`.
    source, transform: imagenet tier only; a folder or hub name instead of `SEELIKE_IMAGES`, and the network's
        own transform (`models.transform`) instead of timm's default for 224 pixels. A folder without splits
        gives the same images for both.
    """
    _check(tier, split, n)
    if tier in ("smoke", "scenes"):
        drawn = scenes.sample(n or (64 if tier == "smoke" else SCENES[split]), seed, split=split)  # type: ignore[arg-type]
        return Images(drawn.images, drawn.shape, scenes.SHAPES)
    if tier == "cifar10":
        return _subset(_cifar10(split, os.environ.get("SEELIKE_MIRROR")), n, seed)
    return _stream(source or os.environ.get("SEELIKE_IMAGES", IMAGENET), split, n, seed, transform)


def target(name: str, tier: str, split: str, n: int, seed: int = 0) -> Images:
    """Images for another question than the tier's own, at the tier's size: what networks are fine-tuned to and probed for.

    name: shape or texture of scenes in which the two are independent, position (the quadrant of the object's
    centre: above left, above right, below left, below right), or the classes of cifar10.
    """
    if name not in TARGETS:
        raise ValueError(f"There is no target {name!r}: expected one of {', '.join(TARGETS)}.")
    _check(tier, split, n)
    if name == "cifar10":
        whole = _subset(_cifar10(split, os.environ.get("SEELIKE_MIRROR")), n, seed)
        pixels, labels, classes = whole.pixels, whole.labels, whole.classes
    else:
        drawn = scenes.sample(n, seed, correlation=0.1, split=split)  # type: ignore[arg-type]
        quadrant = (drawn.centre > scenes.SIZE / 2).long() @ torch.tensor([1, 2])
        pixels = drawn.images
        labels = {"shape": drawn.shape, "texture": drawn.texture, "position": quadrant}[name]
        classes = {"shape": scenes.SHAPES, "texture": scenes.TEXTURES, "position": QUADRANTS}[name]
    return Images(resize(pixels, 32 if tier == "cifar10" else scenes.SIZE), labels, classes)


def _check(tier: str, split: str, n: int | None) -> None:
    if tier not in TIERS:
        raise ValueError(f"There is no tier {tier!r}: expected one of {', '.join(TIERS)}.")
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}: expected 'train' or 'test'.")
    if n is not None and n < 1:
        raise ValueError(f"n is a number of images and at least 1, got {n}.")


def _draw(total: int, n: int | None, seed: int) -> list[int]:
    if n is not None and n > total:
        raise ValueError(f"{n} images were asked for, but the set has {total}: ask for at most that many.")
    return list(range(total)) if n is None else torch.randperm(total, generator=torch.Generator().manual_seed(seed))[:n].tolist()


def _subset(whole: Images, n: int | None, seed: int) -> Images:
    rows = _draw(len(whole), n, seed)
    return Images(whole.pixels[rows], whole.labels[rows], whole.classes, skipped=whole.skipped)


@lru_cache(4)
def _cifar10(split: str, mirror: str | None) -> Images:
    if mirror:
        rows = _parquet(Path(mirror) / "datasets" / CIFAR10 / "plain_text" / f"{split}-00000-of-00001.parquet")
    else:
        rows = _hub(CIFAR10, split)
    column = "img"
    kept, pictures, skipped = decode(rows.cast_column(column, datasets.Image(decode=False))[column])
    report(skipped, len(rows))
    pixels = torch.from_numpy(np.stack([np.asarray(p) for p in pictures])).permute(0, 3, 1, 2).contiguous()
    labels = torch.tensor(rows["label"])[kept]
    return Images(pixels, labels, tuple(rows.features["label"].names), skipped=tuple(skipped))


def _parquet(path: Path) -> datasets.Dataset:
    if not path.exists():
        raise FileNotFoundError(f"SEELIKE_MIRROR has no {path}: lay the mirror out like the hub, or unset the variable to use the hub.")
    try:
        return datasets.Dataset.from_parquet(str(path), keep_in_memory=True)
    except Exception as error:  # pyarrow, datasets and fsspec each raise types of their own
        raise ValueError(f"{path} is not a readable parquet file ({type(error).__name__}): copy it again.") from error


def _hub(name: str, split: str) -> datasets.Dataset:
    try:
        return datasets.load_dataset(name, split=split)
    except Exception as error:  # no network, offline mode, gated or unknown names: all types differ
        raise FileNotFoundError(
            f"The data set {name} could not be read from the hub ({type(error).__name__}): "
            "connect to the internet (and accept its terms), or set SEELIKE_MIRROR to a folder laid out like the hub."
        ) from error


def _stream(source: str, split: str, n: int | None, seed: int, transform: Transform | None) -> ImageStream:
    if Path(source).is_dir():
        rows = _folder(Path(source), split)
    elif source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise FileNotFoundError(f"There is no folder {source}: name a folder of images, or a data set of the hub (owner/name).")
    else:
        rows = _hub(source, "validation" if split == "test" and source == IMAGENET else split)
    column = next((name for name, kind in rows.features.items() if isinstance(kind, datasets.Image)), None)
    if column is None:
        raise ValueError(f"{source} has no column of images, only {', '.join(rows.features)}: name a data set of images.")
    rows = rows.select(_draw(len(rows), n, seed)).cast_column(column, datasets.Image(decode=False))
    labelled = "label" in rows.features
    labels = torch.tensor(rows["label"]) if labelled else torch.zeros(len(rows), dtype=torch.long)
    classes = tuple(rows.features["label"].names) if labelled else ("unlabelled",)
    return ImageStream(rows, column, labels, classes, transform or create_transform(224))


def _folder(path: Path, split: str) -> datasets.Dataset:
    try:
        found = datasets.load_dataset("imagefolder", data_dir=str(path))
    except Exception as error:  # EmptyDatasetError, DataFilesNotFoundError, ...
        raise FileNotFoundError(f"{path} holds no images that can be listed ({type(error).__name__}): name a folder of images.") from error
    wanted = {"test": ("test", "validation"), "train": ("train",)}[split]
    for name in (*wanted, *([next(iter(found))] if len(found) == 1 else [])):
        if name in found:
            return found[name]
    raise FileNotFoundError(f"{path} has no split {split!r}, only {', '.join(found)}.")
