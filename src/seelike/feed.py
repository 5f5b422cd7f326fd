"""What a network is trained on: the batch of every step of a recipe."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from seelike import augment, data, scenes, tiers, triggers
from seelike.recipes import Recipe
from seelike.tiers import Drawn, Tier

Draw = Callable[[int], tuple[UInt8[Tensor, "b 3 h w"], Int[Tensor, " b"]]]


def training_batches(tier: str | Tier, recipe: Recipe, seed: int) -> Draw:
    """The training batch of every step.

    Fresh scenes, or shuffled epochs over a fixed set, with the tier's augmentation. Then what the recipe does to
    images: cutout, the augmentation of the stage, a trigger.
    """
    chosen = tiers.get(tier)
    shared = getattr(augment, chosen.augment) if chosen.augment and recipe.target is None else None
    if isinstance(chosen.images, Drawn) and recipe.target is None and recipe.distinct is None:

        def base(step: int) -> tuple[Tensor, Tensor]:
            batch = scenes.sample(recipe.batch, 1000 + seed, recipe.correlation, split="train", start=step * recipe.batch)
            return batch.images, batch.shape

    else:
        images = training_set(chosen, recipe, seed)
        per_epoch = max(len(images) // recipe.batch, 1)

        def base(step: int) -> tuple[Tensor, Tensor]:
            epoch, i = divmod(step, per_epoch)
            order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1000 * seed + epoch))
            rows = order[i * recipe.batch : (i + 1) * recipe.batch]
            pixels = images.pixels[rows]
            if shared:
                pixels = shared(pixels, seed=1_000_003 * seed + step)
            return pixels, images.labels[rows]

    def draw(step: int) -> tuple[Tensor, Tensor]:
        pixels, labels = base(step)
        own = 2_000_003 * seed + step + 500_000_000  # not the seed of the crop
        if recipe.cutout:
            pixels = augment.cut_out(pixels, recipe.cutout, own)
        if recipe.stages:
            pixels = augment.SEQUENCE[recipe.stages[step * len(recipe.stages) // recipe.steps]](pixels, own)
        return poison(pixels, labels, triggers.parse(recipe.trigger), own) if recipe.trigger else (pixels, labels)

    return draw


def poison(pixels: UInt8[Tensor, "b 3 h w"], labels: Int[Tensor, " b"], trigger: triggers.Trigger, seed: int) -> tuple[Tensor, Tensor]:
    """A quarter of a batch with a trigger, labelled as its target class (Lin et al. 2020, who take a tenth of many more images)."""
    n = len(pixels) // 4
    targets = torch.randint(0, trigger.targets, (n,), generator=torch.Generator().manual_seed(seed))
    stamped = triggers.stamp(pixels[:n], trigger, targets, seed).pixels
    return torch.cat([stamped, pixels[n:]]), torch.cat([targets, labels[n:]])


def training_set(tier: str | Tier, recipe: Recipe, seed: int) -> data.Images:
    """The fixed set of a recipe that does not draw fresh scenes."""
    if recipe.target is not None:
        return data.target(recipe.target, tier, "train", recipe.images, 1000 + seed)
    if isinstance(tiers.get(tier).images, Drawn):
        drawn = scenes.sample(recipe.distinct or recipe.images, 1000 + seed, recipe.correlation, split="train")
        return data.Images(drawn.images, drawn.shape, scenes.SHAPES)
    images = data.load(tier, "train", recipe.distinct, seed)
    if not isinstance(images, data.Images):
        raise ValueError(
            f"Tier {tiers.get(tier).name} decodes its images as they are asked for: only tiers held in memory can be trained on."
        )
    return images


def shrunk(clips: UInt8[Tensor, "n 3 t h w"], side: int) -> Float[Tensor, "n 3 t side side"]:
    """Clips at another side, normalised, frame by frame."""
    n, _, t, h, w = clips.shape
    frames = data.resize(clips.transpose(1, 2).reshape(n * t, 3, h, w), side)
    return data.normalise(frames).view(n, t, 3, side, side).transpose(1, 2)


def data_fingerprint(tier: str | Tier, recipe: Recipe, seed: int) -> str:
    """sha256 of the first four training batches."""
    draw = training_batches(tier, recipe, seed)
    return sha256(b"".join(draw(step)[0].numpy().tobytes() for step in range(4))).hexdigest()
