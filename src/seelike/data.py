"""The images of every tier behind one door: `load(tier, split, n, seed)`.

Scenes are drawn on the spot; data sets come from the hub, or from `SEELIKE_MIRROR`, a folder laid out like it
(`datasets/<hub id>/...`), which is looked up first; a folder means all images in it. All are delivered at the tier's side, in bytes that
`normalise` turns into what the tier's networks expect.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from jaxtyping import Int
from timm.data import ImageNetInfo
from torch import Tensor
from torch.utils.data import Subset

from seelike import project, scenes, tiers
from seelike.folder import list_folder
from seelike.images import MEAN, STD, Images, ImageStream, decode, normalise, report, resize
from seelike.tiers import Drawn, Folder, Hub, Tier

__all__ = ["MEAN", "STD", "ImageStream", "Images", "load", "normalise", "resize", "target"]

SPLITS = ("train", "test")
BATCH = 128
WORDNET = re.compile(r"n\d{8}")
QUADRANTS = ("above left", "above right", "below left", "below right")
TRUTHS = ("shape", "texture", "position")  # what is known of every scene


def load(
    tier: str | Tier,
    split: str = "test",
    n: int | None = None,
    seed: int = 0,
    *,
    source: str | None = None,
    batch_size: int = BATCH,
    drop_last: bool = False,
) -> Images | ImageStream:
    """Images of a tier, ready for its networks: iterate for batches (x, y), or read `.images` and `.labels`.

    n: number of images, None for the whole split; drawn without replacement by `seed`.
    source: a folder of images to take instead of the tier's own. drop_last: leave out a last batch that is smaller.
    A folder without splits gives the same images for both: `probe` draws apart what must be apart.
    """
    chosen = tiers.get(tier)
    _check(split, n)
    images = Folder(Path(source)) if source else chosen.images
    if isinstance(images, Drawn):
        drawn = scenes.sample(n or getattr(images, split), seed, split=split)  # type: ignore[arg-type]
        return Images(resize(drawn.images, chosen.side), drawn.shape, scenes.SHAPES, batch_size=batch_size, drop_last=drop_last)
    if isinstance(images, Hub) and images.held:
        whole = _held(images, split, os.environ.get("SEELIKE_MIRROR"))
        if chosen.trained_here and len(whole.classes) != chosen.classes:
            raise ValueError(
                f"{chosen.title} has {chosen.classes} classes, but {images.name} came with {len(whole.classes)}: copy it again."
            )
        rows = _draw(len(whole), n, seed)
        pixels = whole.pixels if n is None else whole.pixels[rows]
        return Images(
            resize(pixels, chosen.side),
            whole.labels[rows],
            whole.classes,
            skipped=whole.skipped,
            batch_size=batch_size,
            drop_last=drop_last,
        )
    items, labels, classes = _items(images, split)
    rows = _draw(len(items), n, seed)
    part: Any = Subset(items, rows)  # type: ignore[arg-type]  # any sequence will do
    return ImageStream(part, labels[rows], classes, chosen.side, batch_size=batch_size, drop_last=drop_last)


def probe(tier: str | Tier, shown: int, asked: int, seeds: tuple[int, int]) -> tuple[Images | ImageStream, Images | ImageStream]:
    """Images that a probe is fitted to, of the training split, and others that it is asked about; of one set where there are no splits.

    shown, asked: how many, at most; of a folder or of one split at most half of the images are asked, and the rest shown.
    """
    chosen = tiers.get(tier)
    if isinstance(chosen.images, Drawn):
        return load(chosen, "train", shown, seeds[0]), load(chosen, "test", asked, seeds[1])
    if isinstance(chosen.images, Hub) and chosen.images.train != chosen.images.test:
        shown, asked = (min(n, len(load(chosen, split))) for split, n in (("train", shown), ("test", asked)))
        return load(chosen, "train", shown, seeds[0]), load(chosen, "test", asked, seeds[1])
    whole = load(chosen)
    assert isinstance(whole, ImageStream)  # all but what the book holds in memory, in which splits have names of their own
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(seeds[0])).tolist()
    second = min(asked, len(order) // 2)
    parts = (order[second : second + shown], order[:second])
    one, other = (replace(whole, items=Subset(whole.items, rows), labels=whole.labels[rows]) for rows in parts)  # type: ignore[arg-type]
    return one, other


def target(name: str, tier: str | Tier, split: str, n: int, seed: int = 0) -> Images:
    """Images for another question than the tier's own, at the tier's size: what networks are fine-tuned to and probed for.

    name: shape or texture of scenes in which the two are independent, position (the quadrant of the object's
    centre: above left, above right, below left, below right), or the classes of another tier that is held in memory (cifar10).
    """
    others = [t.name for t in tiers.TIERS.values() if isinstance(t.images, Hub) and t.images.held]
    if name not in (*TRUTHS, *others):
        raise ValueError(f"There is no target {name!r}: expected one of {', '.join((*TRUTHS, *others))}.")
    _check(split, n)
    if name in others:
        other = load(name, split, n, seed)
        pixels, labels, classes = other.pixels, other.labels, other.classes
    else:
        drawn = scenes.sample(n, seed, correlation=0.1, split=split)  # type: ignore[arg-type]
        pixels = drawn.images
        labels, classes = truth(drawn, name)
    return Images(resize(pixels, tiers.get(tier).side), labels, classes)


def truth(drawn: scenes.Scenes, name: str) -> tuple[Int[Tensor, " n"], tuple[str, ...]]:
    """What is known of scenes, one of `TRUTHS`: shape, texture, or position (as in `target`), with the names of the classes."""
    quadrant = (drawn.centre > scenes.SIZE / 2).long() @ torch.tensor([1, 2])
    labels = {"shape": drawn.shape, "texture": drawn.texture, "position": quadrant}
    return labels[name], {"shape": scenes.SHAPES, "texture": scenes.TEXTURES, "position": QUADRANTS}[name]


def _check(split: str, n: int | None) -> None:
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}: expected 'train' or 'test'.")
    if n is not None and (not isinstance(n, int) or n < 1):
        raise ValueError(f"n is a number of images and at least 1, got {n!r}.")


def _draw(total: int, n: int | None, seed: int) -> list[int]:
    if n is not None and n > total:
        raise ValueError(f"{n} images were asked for, but the set has {total}: ask for at most that many.")
    return list(range(total)) if n is None else torch.randperm(total, generator=torch.Generator().manual_seed(seed))[:n].tolist()


@lru_cache(4)
def _held(hub: Hub, split: str, mirror: str | None) -> Images:
    """All images of a split at their own size, mapped from a file below `SEELIKE_CACHE` (default: `_build/cache`); decoded once."""
    rows = _rows(hub, split, mirror)
    folder = (
        Path(os.environ.get("SEELIKE_CACHE", project.BUILD / "cache"))
        / f"{hub.name.replace('/', '--')}-{split}-{_identity(hub, split, mirror, rows)}"
    )
    there = folder.exists()
    held = _mapped(folder) if there else None
    if held is None:
        if there:
            shutil.rmtree(folder, ignore_errors=True)
        _decode_into(folder, rows, hub)
        held = _mapped(folder)
    if held is None:
        raise ValueError(f"{folder} does not keep what is written to it: let SEELIKE_CACHE name a folder on another disk.")
    return held


def _mapped(folder: Path) -> Images | None:
    """A set as it was decoded, mapped into memory; None where it was not, or is not as it was written."""
    try:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        pixels = torch.from_numpy(np.memmap(folder / "pixels", np.uint8, "c", shape=tuple(about["shape"])))
        if about.pop("sha256") != _digest(about, folder / "pixels"):
            return None
        return Images(pixels, torch.tensor(about["labels"]), named(about["classes"]), skipped=tuple(about["skipped"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def named(classes: Sequence[str]) -> tuple[str, ...]:
    """WordNet ids such as n01443537 as words (goldfish); other names, and ids whose words are not unique, as they are."""
    if not all(WORDNET.fullmatch(name) for name in classes):
        return tuple(classes)
    try:
        words = [ImageNetInfo().label_name_to_description(name).partition(",")[0] for name in classes]
    except KeyError:  # WordNet has more names than ImageNet
        return tuple(classes)
    return tuple(words) if len(set(words)) == len(words) else tuple(classes)


def _digest(about: dict[str, Any], pixels: Path) -> str:
    """sha256 of a decoded set: its pixels, labels and names."""
    with open(pixels, "rb") as file:
        whole = file_digest(file, "sha256")
    whole.update(json.dumps(about, sort_keys=True).encode())
    return whole.hexdigest()


def _identity(hub: Hub, split: str, mirror: str | None, rows: datasets.Dataset) -> str:
    """Changes when the files of a mirror, or the hub's version, do."""
    files = sorted((Path(mirror) / "datasets" / hub.name / hub.folder).glob(f"{getattr(hub, split)}-*.parquet")) if mirror else []
    known = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files] or rows._fingerprint
    return sha256(repr(known).encode()).hexdigest()[:12]


def _decode_into(folder: Path, rows: datasets.Dataset, hub: Hub) -> None:
    """Write pixels, labels and names of a split; nothing is there until all of it is."""
    cells = rows.cast_column(hub.image, datasets.Image(decode=False))[hub.image]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ValueError(f"{folder.parent} is a file: let SEELIKE_CACHE name a folder.") from error
    kept, skipped, shape = [], [], None
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".decoding-") as scratch:
        with open(Path(scratch) / "pixels", "wb") as file:
            for first in range(0, len(rows), 1000):
                found, pictures, names = decode(cells[first : first + 1000], first)
                kept += [first + i for i in found]
                skipped += names
                if pictures and shape is None:
                    shape = np.asarray(pictures[0]).shape
                    _check_space(folder.parent, len(rows) * int(np.prod(shape)), hub)
                if odd := next((p for p in pictures if np.asarray(p).shape != shape), None):
                    raise ValueError(
                        f"Images of {hub.name} differ in size ({odd.size[0]} x {odd.size[1]}): a set that is held has one size."
                    )
                file.writelines(np.ascontiguousarray(np.asarray(p).transpose(2, 0, 1)).tobytes() for p in pictures)
        report(skipped, len(rows))
        if shape is None:
            raise ValueError(f"None of the {len(rows)} images of {hub.name} could be read: copy the data set again.")
        labels, classes = _labels(rows, hub)
        about = {"shape": [len(kept), shape[2], *shape[:2]], "labels": labels[kept].tolist(), "classes": classes, "skipped": skipped}
        about["sha256"] = _digest(about, Path(scratch) / "pixels")
        (Path(scratch) / "about.json").write_text(json.dumps(about), encoding="utf-8")
        whole = Path(scratch) / "whole"
        whole.mkdir()
        for name in ("pixels", "about.json"):
            os.replace(Path(scratch) / name, whole / name)
        try:
            whole.rename(folder)
        except OSError:  # another process was faster
            if not (folder / "about.json").exists():
                raise


def _check_space(folder: Path, needed: int, hub: Hub) -> None:
    free = shutil.disk_usage(folder).free
    if free < 1.1 * needed:
        raise ValueError(
            f"Decoding {hub.name} needs {needed / 1e9:.1f} GB in {folder}, which has {free / 1e9:.1f} GB free: "
            "make room, or let SEELIKE_CACHE name another folder."
        )


def _labels(rows: datasets.Dataset, hub: Hub) -> tuple[torch.Tensor, tuple[str, ...]]:
    if hub.label is None or hub.label not in rows.features:
        return torch.zeros(len(rows), dtype=torch.long), ("unlabelled",)
    kind = rows.features[hub.label]
    try:
        labels = torch.tensor(rows[hub.label])
    except (ValueError, TypeError, RuntimeError):
        labels = torch.zeros(0, dtype=torch.float32)
    if labels.is_floating_point() or labels.shape != (len(rows),):
        raise ValueError(f"The column {hub.label!r} of {hub.name} does not give a whole number for every image: copy the data set again.")
    if not isinstance(kind, datasets.ClassLabel):
        return labels, tuple(str(i) for i in range(int(labels.max()) + 1))
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(kind.names):
        raise ValueError(
            f"The labels of {hub.name} run from {int(labels.min())} to {int(labels.max())}, but it names {len(kind.names)} classes."
        )
    return labels, tuple(kind.names)


def _rows(hub: Hub, split: str, mirror: str | None) -> datasets.Dataset:
    """The rows of a data set, images not decoded; what it should have is checked."""
    name = getattr(hub, split)
    if mirror:
        folder = Path(mirror) / "datasets" / hub.name / hub.folder
        rows = _parquet(sorted(folder.glob(f"{name}-*.parquet")), folder, name)
    else:
        try:
            rows = datasets.load_dataset(hub.name, split=name)
        except Exception as error:  # no network, offline mode, gated or unknown names: all types differ
            raise FileNotFoundError(
                f"The data set {hub.name} could not be read from the hub ({type(error).__name__}): "
                "connect to the internet (and accept its terms), or set SEELIKE_MIRROR to a folder laid out like the hub."
            ) from error
    if hub.image not in rows.features:
        raise ValueError(f"{hub.name} has no column {hub.image!r} of images, only {', '.join(rows.features)}: name its column of images.")
    return rows


def _parquet(shards: list[Path], folder: Path, split: str) -> datasets.Dataset:
    if not shards:
        raise FileNotFoundError(
            f"SEELIKE_MIRROR has no {folder}/{split}-*.parquet: lay the mirror out like the hub, or unset the variable to use the hub."
        )
    expected = int(shards[0].stem.rpartition("-of-")[2]) if "-of-" in shards[0].stem else len(shards)
    if len(shards) != expected:
        raise FileNotFoundError(f"{folder} holds {len(shards)} of {expected} files {split}-*.parquet: copy the missing ones.")
    parts = []
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # it would say in other words what the sentence below says
    for path in shards:
        try:
            parts.append(datasets.Dataset.from_parquet(str(path), keep_in_memory=True))
        except Exception as error:  # pyarrow, datasets and fsspec each raise types of their own
            raise ValueError(f"{path} is not a readable parquet file ({type(error).__name__}): copy it again.") from error
    return datasets.concatenate_datasets(parts) if len(parts) > 1 else parts[0]


def _items(images: Hub | Folder, split: str) -> tuple[Sequence[Any], torch.Tensor, tuple[str, ...]]:
    """Paths or undecoded cells, with labels and classes, of images that are decoded as they are asked for."""
    if isinstance(images, Folder):
        listed = list_folder(images.path, split, labels=images.labels)
        labels = torch.zeros(len(listed), dtype=torch.long) if listed.labels is None else listed.labels
        return listed.paths, labels, listed.classes
    rows = _rows(images, split, os.environ.get("SEELIKE_MIRROR")).cast_column(images.image, datasets.Image(decode=False))
    return rows[images.image], *_labels(rows, images)
