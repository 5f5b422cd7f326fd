"""What a network can do: its answers, points of its learning curve, its transfer from few shots."""

from __future__ import annotations

from copy import deepcopy

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from seelike import capture, data, probes, scenes, tiers, triggers
from seelike.capture import each_batch, listening
from seelike.tiers import Drawn, Tier


@torch.no_grad()
def predict(model: nn.Module, images: data.Images | data.ImageStream) -> Int[Tensor, " n"]:
    """The class that the network, in eval mode meanwhile, gives to every image; ValueError when some of them cannot be read."""
    whole = images.with_batches(images.batch_size)  # with the last batch, whatever its size
    with listening(model):
        answers = torch.cat([model(x).argmax(1).cpu() for x, _ in each_batch(model, whole)])
    if len(answers) != len(images):
        raise ValueError(
            f"{len(images) - len(answers)} images could not be read ({', '.join(whole.skipped[:3])}): take them out of the set."
        )
    return answers


def held_out(tier: str | Tier, target: str | None, n: int | None, seed: int) -> data.Images | data.ImageStream:
    """Test images of a tier with the answers that a recipe trains for."""
    return data.load(tier, "test", n, seed) if target is None else data.target(target, tier, "test", n or Drawn.test, seed)


@torch.no_grad()
def recalibrated(model: nn.Module, images: data.Images | data.ImageStream) -> nn.Module:
    """A copy of a network whose batch norms know the means and variances of these images (means over batches), as in training.

    Batch norm keeps running statistics of the images that it saw last. After training on others than those to be asked about, its
    answers say little about what the network learned. A network without batch norm is returned as it is.
    """
    if not any(isinstance(module, _BatchNorm) for module in model.modules()):
        return model
    copied = deepcopy(model)
    norms = [module for module in copied.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    with listening(copied):
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # every batch counts as much as any other
            norm.train()
        for x, _ in each_batch(copied, images):
            copied(x)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return copied


def validate(model: nn.Module, tier: str | Tier, target: str | None = None, conflicts: int = 0) -> dict[str, float]:
    """One point of the learning curve: accuracy, and on Scenes the answers to cue conflict (`conflicts` images; 0: half of the points)."""
    chosen = tiers.get(tier)
    images = held_out(chosen, target, chosen.points, seed=1)
    point = {"accuracy": (predict(model, images) == images.labels).float().mean().item()}
    if chosen.truth and target is None:
        conflict = scenes.cue_conflict(conflicts or chosen.points // 2, seed=1)
        answer = predict(model, data.Images(conflict.images, conflict.shape, scenes.SHAPES))
        point["shape"] = (answer == conflict.shape).float().mean().item()
        point["texture"] = (answer == conflict.texture).float().mean().item()
    return {key: round(value, 4) for key, value in point.items()}


def stamped(trigger: str, n: int, seed: int = 3) -> data.Images:
    """Those of n test scenes whose class is not the target of their trigger, stamped and labelled with the target."""
    kind = triggers.parse(trigger)
    drawn = scenes.sample(n, seed)
    targets = torch.randint(0, kind.targets, (n,), generator=torch.Generator().manual_seed(seed))
    rows = targets != drawn.shape
    pixels = triggers.stamp(drawn.images, kind, targets, seed).pixels
    return data.Images(pixels[rows], targets[rows], scenes.SHAPES)


def few_shot(model: nn.Module, tier: str | Tier) -> tuple[float, int]:
    """Accuracy of ten-shot ridge probes on the texture of scenes, which says nothing there about the shape, and the images asked.

    Probed is what the classifier `head` reads: the class token, the mean of the tokens, or an attention pool over them.
    """
    shown, asked = (data.target("texture", tier, split, n, seed=5) for split, n in (("train", 500), ("test", 1000)))
    read = "head:in"
    return float(probes.few_shot(model, [read], shown, asked, 10, view=capture.flat)[read].mean()), len(asked)
