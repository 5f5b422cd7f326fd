"""A tier: which images the book asks its questions of, and which networks answer.

The book's own tiers are the values of `TIERS`. A cast file (`seelike.casts`) makes another one from anybody's images and networks;
`get` takes the name of the one or the path of the other, and everything that takes a tier takes either.

A new data set is one entry here, its recipes, and its row in the README (`CONTRIBUTING.md`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seelike import project


@dataclass(frozen=True)
class Drawn:
    """Scenes, drawn on the spot (`seelike.scenes`): endless, with known shape, texture and mask."""

    train: int = 10_000  # images that stand for the whole split
    test: int = 2_000


@dataclass(frozen=True)
class Hub:
    """A data set of the hub, or of a mirror laid out like it: `SEELIKE_MIRROR/datasets/<name>/<folder>/<split>-*.parquet`.

    image, label: columns; label None has none. train, test: what the set calls these splits. held: decoded once at its own
    size and mapped into memory, so that it can be trained on; else images are decoded and cropped as they are asked for.
    """

    name: str
    folder: str = "data"
    image: str = "image"
    label: str | None = "label"
    train: str = "train"
    test: str = "test"
    held: bool = False


@dataclass(frozen=True)
class Folder:
    """All images below a folder (`seelike.folder.list_folder`); labels: a CSV file that names their classes."""

    path: Path
    labels: Path | None = None


@dataclass(frozen=True)
class Network:
    """A network in a role, and how it is made.

    role: what chapters call it (`vit_cls`, `vit_gap`, `resnet`, `mixer`, or any other name). seed: tells networks of one role apart.
    architecture: a name for `models.create`, with its options; or code: "module:function", called without arguments.
    weights: a safetensors file. pretrained: weights from the hub. With neither, weights are random.
    mean, std: of the images that it was made for, by colour; None: the book's own, or what timm says. label: its name in figures.
    """

    role: str
    seed: int = 0
    architecture: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    code: str | None = None
    weights: Path | None = None
    pretrained: bool = False
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    label: str = ""


@dataclass(frozen=True)
class Tier:
    """Images and networks that belong together.

    title: for figures. side, patch: of images and of our own ViTs' patches, in pixels. classes: 0 for images without labels.
    points: validation images behind a point of a learning curve. augment: what training does to all images (a function of
    `seelike.augment`), besides what a recipe asks for.
    networks: who plays which role; None: whoever has a card in the zoo. file: the cast file that described the tier.
    most: images that a chapter takes at most, by its number ("05"), where networks or images are large.
    decides: seeds that chapters show and decide claims on, where a role has any of them; the others served to find the rules.
    Preprocessing: every image is resized and cropped to `side` and normalised by `images.normalise`; a network made for other means and
    standard deviations is given them by a hook when it is loaded (`models.load`).
    """

    name: str
    title: str
    images: Drawn | Hub | Folder
    side: int = 224
    patch: int = 16
    classes: int = 1000
    points: int = 1000
    augment: str | None = None
    networks: tuple[Network, ...] | None = None
    note: str = ""
    file: Path | None = None
    decides: tuple[int, ...] = ()
    most: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def truth(self) -> bool:
        """Whether shape, texture and mask of the object are known in every image."""
        return isinstance(self.images, Drawn)

    @property
    def trained_here(self) -> bool:
        """Whether the networks are those of the zoo, with cards and recipes."""
        return self.networks is None


def _random(*roles: str) -> tuple[Network, ...]:
    return tuple(Network(role, architecture=role) for role in roles)


_IMAGENET = (
    Network("vit_cls", architecture="vit_base_patch16_224.augreg_in21k_ft_in1k", pretrained=True),
    Network("vit_gap", architecture="vit_medium_patch16_gap_256.sw_in12k_ft_in1k", options={"img_size": 224}, pretrained=True),
    Network("resnet", architecture="resnetv2_50x1_bit.goog_in21k_ft_in1k", pretrained=True),
    Network("mixer", architecture="mixer_b16_224.goog_in21k_ft_in1k", pretrained=True),
)
_TIERS = (
    Tier(
        "smoke",
        "Scenes (random networks)",
        Drawn(train=64, test=64),
        side=64,
        patch=8,
        classes=10,
        points=64,
        networks=_random("vit_cls", "vit_gap", "resnet", "mixer", "cmt", "mvit"),
    ),
    Tier("scenes", "Scenes", Drawn(), side=64, patch=8, classes=10, decides=(3, 4, 5)),
    Tier(
        "tiny",
        "Tiny ImageNet",
        Hub("zh-plus/tiny-imagenet", test="valid", held=True),
        side=64,
        patch=8,
        classes=200,
        points=2000,
        augment="crop_and_mirror",
        note="Photographs of 200 classes at the side and patch of Scenes; one network of a kind, each after about four epochs.",
    ),
    Tier(
        "cifar10",
        "CIFAR-10",
        Hub("uoft-cs/cifar10", folder="plain_text", image="img", held=True),
        side=32,
        patch=4,
        classes=10,
        augment="crop_and_mirror",
    ),
    Tier(
        "imagenet",
        "ImageNet",
        Hub("ILSVRC/imagenet-1k", test="validation"),
        networks=_IMAGENET,
    ),
)
TIERS: Mapping[str, Tier] = MappingProxyType({tier.name: tier for tier in _TIERS})


CASTS = project.ROOT / "book" / "casts"  # cast files that the book brings along


def names() -> list[str]:
    """The tiers, and the casts that the book brings along, by name."""
    return [*TIERS, *sorted(path.stem for path in CASTS.glob("*.yml"))]


def get(tier: str | Tier) -> Tier:
    """The tier of a name, or of a cast file's path (ending in .yml or .yaml); a tier itself is passed on.

    At the imagenet tier `SEELIKE_IMAGES` may name a folder of images to take instead. Raises ValueError for a name that there is not,
    and for a cast file that cannot be read.
    """
    if isinstance(tier, Tier):
        return tier
    file = CASTS / f"{tier}.yml"
    if tier.endswith((".yml", ".yaml")) or (tier in names() and tier not in TIERS):
        from seelike import casts  # noqa: PLC0415  # casts describe tiers

        return casts.read(Path(tier) if tier.endswith((".yml", ".yaml")) else file)
    if tier not in TIERS:
        raise ValueError(f"There is no tier {tier!r}: expected one of {', '.join(names())}, or the path of a cast file ending in .yml.")
    chosen = TIERS[tier]
    own = os.environ.get("SEELIKE_IMAGES")
    return replace(chosen, images=Folder(Path(own))) if own and isinstance(chosen.images, Hub) and not chosen.images.held else chosen
