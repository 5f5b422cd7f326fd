"""Cast files: anybody's images and networks in the form of a tier.

```yaml
name: mine                      # of the folder and the site; default: the file's
images: photographs/            # a folder, a tier's name, or {hub: owner/name, split: validation, image: image, label: label}
labels: labels.csv              # optional, for a flat folder: columns file,label
side: 224                       # of the images in pixels
most: {"05": 32}                # optional: images that a chapter takes at most, by its number
networks:                       # by role; several of one role are several seeds
  vit_cls: {timm: vit_tiny_patch16_224, pretrained: true}
  resnet:
    - {timm: resnet18, weights: run0.safetensors}
    - {timm: resnet18, weights: run1.safetensors}
  mine: {code: "my_module:build", mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], label: My network}
```

Paths are seen from the file's folder and may hold $VARIABLES. A network with neither `pretrained` nor `weights` has random weights.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, model_validator

from seelike import tiers
from seelike.schema import Strict, read_yaml
from seelike.tiers import Folder, Hub, Network, Tier

ALIASES = {"cnn": "resnet", "vit": "vit_cls"}
RESERVED = {"lab", "published", "benchmarks"}  # folders beside those of the tiers

Colours = tuple[float, float, float]


class NetworkEntry(Strict):
    """One network of a cast file."""

    timm: str | None = None
    seelike: str | None = None
    code: str | None = None
    pretrained: bool = False
    weights: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    mean: Colours | None = None
    std: Colours | None = None
    label: str | None = None

    @model_validator(mode="after")
    def check(self) -> NetworkEntry:
        """Exactly one way to make it, at most one source of weights, and only weights that cannot run code."""
        if sum(way is not None for way in (self.timm, self.seelike, self.code)) != 1:
            raise ValueError("expected exactly one of timm, seelike and code")
        if self.pretrained and (self.weights or not self.timm):
            raise ValueError("pretrained goes with timm, and without weights")
        if self.weights and not self.weights.endswith(".safetensors"):
            raise ValueError(f"weights are read from .safetensors files only, got {self.weights}")
        if self.code and not re.fullmatch(r"[\w.]+:\w+", self.code):
            raise ValueError(f"code is module:function, got {self.code!r}")
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std go together")
        return self


class HubEntry(Strict):
    """A data set of the hub."""

    hub: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    split: str = "test"
    train: str = "train"
    folder: str = "data"
    image: str = "image"
    label: str | None = "label"


def _several(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class CastFile(Strict):
    """A whole cast file."""

    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][\w.-]*$")
    title: str | None = None
    note: str = ""
    images: str | HubEntry
    labels: str | None = None
    side: int | None = Field(default=None, ge=16, le=1024)
    most: dict[Annotated[str, Field(pattern=r"^\d\d$")], Annotated[int, Field(ge=8)]] = Field(default_factory=dict)
    networks: dict[Annotated[str, Field(pattern=r"^\w+$")], Annotated[list[NetworkEntry], BeforeValidator(_several)]] = Field(min_length=1)


def read(path: Path) -> Tier:
    """The tier that a cast file describes; ValueError names the file, the line, and what was expected."""
    if not path.is_file():
        raise ValueError(f"There is no cast file {path}: expected the path of a YAML file, as in the page on your own network.")
    return _read(path.resolve(), path.stat().st_mtime_ns)


@lru_cache(16)
def _read(path: Path, changed: int) -> Tier:
    file = read_yaml(path, TypeAdapter(CastFile))
    name = file.name or path.stem
    if (name in tiers.TIERS or name in RESERVED) and path.parent != tiers.CASTS:
        raise ValueError(f"{path}: a cast cannot be called {name!r}, which is a name of the book's own: give it another.")
    networks = tuple(_network(role, seed, entry, path) for role, entries in file.networks.items() for seed, entry in enumerate(entries))
    return replace(_tier(file, path, name, networks), most=file.most)


def _tier(file: CastFile, path: Path, name: str, networks: tuple[Network, ...]) -> Tier:
    title, note = file.title or name, file.note
    if isinstance(file.images, HubEntry):
        hub = file.images
        images: Hub | Folder = Hub(hub.hub, hub.folder, hub.image, hub.label, hub.train, hub.split)
        return Tier(name, title, images, side=file.side or 224, classes=1 if hub.label else 0, networks=networks, note=note, file=path)
    if file.images in tiers.TIERS:
        base = tiers.get(file.images)
        return replace(base, name=name, title=title, side=file.side or base.side, networks=networks, note=note, file=path)
    folder = _path(file.images, path)
    ours = path.parent == tiers.CASTS  # may name what another machine has; it is missed when it is asked for
    if not folder.is_dir() and not ours:
        raise ValueError(f"{path}: images names {file.images!r}, which is no folder there and no tier ({', '.join(tiers.TIERS)}).")
    labels = _path(file.labels, path) if file.labels else None
    if labels and not labels.is_file():
        raise ValueError(f"{path}: labels names {file.labels!r}, which is no file there.")
    classes = 0 if not folder.is_dir() else _classes(folder, labels)
    return Tier(name, title, Folder(folder, labels), side=file.side or 224, classes=classes, networks=networks, note=note, file=path)


def _classes(folder: Path, labels: Path | None) -> int:
    from seelike.folder import list_folder  # noqa: PLC0415  # slow to import, and only casts of folders need it

    listing = list_folder(folder, "test", labels=labels)
    return 0 if listing.labels is None else len(listing.classes)


def _path(text: str, file: Path) -> Path:
    """A path in a cast file: seen from the file's folder, with ~ and $VARIABLES."""
    return file.parent / Path(os.path.expandvars(text)).expanduser()


def _network(role: str, seed: int, entry: NetworkEntry, file: Path) -> Network:
    weights = _path(entry.weights, file) if entry.weights else None
    if weights and not weights.is_file() and file.parent != tiers.CASTS:
        raise ValueError(f"{file}: the weights of {role} (seed {seed}) are not there: {weights}.")
    made = entry.timm or entry.seelike
    label = entry.label or (f"{made or entry.code}" + ("" if entry.pretrained or weights or entry.code else ", random weights"))
    role = ALIASES.get(role, role)
    return Network(role, seed, made, entry.options, entry.code, weights, entry.pretrained, entry.mean, entry.std, label)
