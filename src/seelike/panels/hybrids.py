"""Other analyses of chapters 12 and 13: where a hybrid stands between a ViT and a ResNet, and how unevenly untrained heads look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from torch import nn

from seelike import attention, capture, intervals, models, tiers
from seelike.chapter import Chapter
from seelike.cka import CKA, sweep
from seelike.intervals import Resampled, bootstrap
from seelike.maps import same_depth
from seelike.panels import Found
from seelike.tiers import Tier

VIEWS = {"all positions": capture.flat, "mean over positions": capture.gap}
TAPS = {"block outputs": "block", "all layers": "all"}
OTHERS = {"ViT": "vit_data_1000", "MViT": "mvit", "CMT without convolutions": "cmt_plain"}  # of the length of CMT's training
NETWORKS = {  # roles of the ResNet, and of what CMT is compared with
    "64,000 images": ("resnet_short", OTHERS),
    "64,000 images, tuned ResNet": ("resnet_tuned", OTHERS),
    "CMT 64,000 images, others 192,000": ("resnet", {"ViT": "vit_cls"}),
}
BATCHES = 4  # of images, as in chapter 12
POOLING: dict[str, dict[str, Any]] = {"convolution": {}, "maximum": {"pool": "max", "pool_kernel": None}}
STARTS = {"seeds 100 to 104": range(100, 105), "seeds 105 to 109": range(105, 110)}


class Group(NamedTuple):
    """Networks that one analysis takes together. trios: names of a CMT, of what it is compared with, and of a ResNet."""

    networks: str
    other: str
    trios: list[tuple[str, str, str]]


def nearer(similarity: CKA, hybrid: str, other: str, resnet: str) -> Resampled:
    """CKA with a ResNet at the same relative depth (`maps.same_depth`), of a hybrid minus that of another network."""
    ours, theirs = (similarity.bootstrap(lambda a, b, cross: same_depth(cross), name, resnet) for name in (hybrid, other))
    return ours.minus(theirs)


def uneven(
    pyramid: Sequence[Float[np.ndarray, "batches _"]],
    plain: Sequence[Float[np.ndarray, "batches _"]],
    uniform: float,
    own: tuple[Sequence[float], Sequence[float]] | None = None,
) -> Resampled:
    """Spread of the attention distances of all heads (`attention.spread`) over a uniform distance, of a pyramid minus a plain transformer.

    pyramid, plain: distances in pixels of the heads of every block (`attention.block_distances`). uniform: the distance of uniform
    attention on the plain transformer's grid. own: what uniform attention gives in every block of the two, subtracted first.
    """
    n, (ours, theirs) = len(pyramid), own or (None, None)
    return bootstrap(
        lambda *blocks: (attention.spread(blocks[:n], ours) - attention.spread(blocks[n:], theirs)) / uniform, *pyramid, *plain
    )


def groups(tier: str | Tier) -> list[Group]:
    """What a tier has of `NETWORKS`: as many trios as there are starts of the role with the fewest."""
    have = models.roles(tier)
    named = {role: [f"{role}-{seed}" for seed in models.deciding(seeds, tier)] for role, seeds in have.items()}
    found = [
        Group(networks, other, list(zip(named.get("cmt", []), named.get(role, []), named.get(resnet, []), strict=False)))
        for networks, (resnet, others) in NETWORKS.items()
        for other, role in others.items()
    ]
    return [group for group in found if group.trios]


def between(tier: str | Tier, n_images: int = 512) -> Iterator[Found]:
    """G21-7 by view, layers, training, and what CMT is compared with; analyses of one trio have intervals over images."""
    chosen, have = tiers.get(tier), groups(tier)
    images = Chapter("12", chosen).images(n_images, seed=12)
    images = images.with_batches(len(images) // BATCHES, drop_last=True)
    names = dict.fromkeys(name for group in have for trio in group.trios for name in trio)
    cast = {name: _load(name, chosen) for name in names}
    for view, function in VIEWS.items():
        for taps, kind in TAPS.items():
            similarity = sweep(cast, images, kind, view=function)
            for group in have:
                values = [nearer(similarity, *trio) for trio in group.trios]
                choices = {"view": view, "layers": taps, "compared with": group.other, "training": group.networks}
                yield Found("G21-7", choices, intervals.estimate(values), len(values))


def untrained(tier: str | Tier, n_images: int = 128) -> Iterator[Found]:
    """F21-6 by starts, pooling, and whether what uniform attention gives on each block's grid is subtracted."""
    chosen = tiers.get(tier)
    images = Chapter("13", chosen).images(n_images, seed=13, batch_size=16)
    uniform = attention.uniform_distance(chosen.side // chosen.patch, chosen.patch)
    one = next(iter(images))[0][:1]
    for starts, seeds in STARTS.items():
        plain = [models.untrained("vit_cls", chosen, seed) for seed in seeds]
        theirs = [attention.block_distances(vit, images) for vit in plain]
        for pooling, options in POOLING.items():
            made = [models.create("mvit", chosen, seed=seed, **options).eval().to(models.place()) for seed in seeds]
            ours = [attention.block_distances(mvit, images, strided=True) for mvit in made]
            own = attention.uniform_blocks(made[0], one, strided=True), attention.uniform_blocks(plain[0], one)
            for distance, minus in (("as measured", None), ("minus uniform attention's", own)):
                values = [uneven(m, v, uniform, minus) for m, v in zip(ours, theirs, strict=True)]
                choices = {"distance": distance, "pooling": pooling, "untrained networks": starts}
                yield Found("F21-6", choices, intervals.estimate(values), len(values))


def analyses(tier: str | Tier, n_images: int | None = None) -> Iterator[Found]:
    """All of chapters 12 and 13; n_images: fewer than usual."""
    few: Mapping[str, int] = {} if n_images is None else {"n_images": n_images}
    for each in (partial(between, tier, **few), partial(untrained, tier, **few)):
        yield from each()


def _load(name: str, tier: Tier) -> nn.Module:
    role, _, seed = name.partition("-")
    return models.load(role, tier, int(seed))
