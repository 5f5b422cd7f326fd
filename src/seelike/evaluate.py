"""What a network can do: its answers, its accuracy with an interval, its transfer from few shots."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from scipy.stats import binomtest
from torch import Tensor, nn

from seelike import capture, data, probes, scenes, triggers
from seelike.capture import each_batch, listening


@torch.no_grad()
def predict(model: nn.Module, images: data.Images | data.ImageStream) -> Int[Tensor, " n"]:
    """The class that the network, in eval mode meanwhile, gives to every image; ValueError when some of them cannot be read."""
    with listening(model):
        answers = torch.cat([model(x).argmax(1).cpu() for x, _ in each_batch(model, images)])
    if len(answers) != len(images):
        raise ValueError(
            f"{len(images) - len(answers)} images could not be read ({', '.join(images.skipped[:3])}): take them out of the set."
        )
    return answers


def held_out(tier: str, target: str | None, n: int | None, seed: int) -> data.Images | data.ImageStream:
    """Test images of a tier with the answers that a recipe trains for."""
    return data.load(tier, "test", n, seed) if target is None else data.target(target, tier, "test", n or data.SCENES["test"], seed)


def validate(model: nn.Module, tier: str, target: str | None = None) -> dict[str, float]:
    """One point of the learning curve: accuracy, and on Scenes the answers to cue conflict."""
    size = 64 if tier == "smoke" else 1000
    images = held_out(tier, target, size, seed=1)
    point = {"accuracy": (predict(model, images) == images.labels).float().mean().item()}
    if tier in ("smoke", "scenes") and target is None:
        conflict = scenes.cue_conflict(size // 2, seed=1)
        answer = predict(model, data.Images(conflict.images, conflict.shape, scenes.SHAPES))
        point["shape"] = (answer == conflict.shape).float().mean().item()
        point["texture"] = (answer == conflict.texture).float().mean().item()
    return {key: round(value, 4) for key, value in point.items()}


def share(name: str, right: Bool[Tensor, " n"]) -> dict[str, float]:
    """A share with its 95 % Wilson interval: name, name_low, name_high."""
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    values = {name: right.double().mean().item(), f"{name}_low": interval.low, f"{name}_high": interval.high}
    return {key: round(value, 5) for key, value in values.items()}


def stamped(trigger: str, n: int, seed: int = 3) -> data.Images:
    """Those of n test scenes whose class is not the target of their trigger, stamped and labelled with the target."""
    kind = triggers.parse(trigger)
    drawn = scenes.sample(n, seed)
    targets = torch.randint(0, kind.targets, (n,), generator=torch.Generator().manual_seed(seed))
    rows = targets != drawn.shape
    pixels = triggers.stamp(drawn.images, kind, targets, seed).pixels
    return data.Images(pixels[rows], targets[rows], scenes.SHAPES)


def few_shot(model: nn.Module, tier: str) -> float:
    """Accuracy of ten-shot ridge probes on the texture of scenes, which says nothing there about the shape.

    Probed is what the classifier `head` reads: the class token, the mean of the tokens, or an attention pool over them.
    """
    shown, asked = (data.target("texture", tier, split, n, seed=5) for split, n in (("train", 500), ("test", 1000)))
    read = "head:in"
    return float(probes.few_shot(model, [read], shown, asked, 10, view=capture.flat)[read].mean())
