"""Effective receptive fields: which pixels a position of a layer depends on (Luo et al. 2016; Raghu et al. 2021, Sec. 4).

The paper averages the gradient's absolute value over channels. The gradient of the *sum* of channels is not that, and
after a LayerNorm it is nothing at all: there the sum is a constant. Random signs per channel give an unbiased estimate of
the squared gradient summed over channels, whatever follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from seelike.capture import capture, device_of, each_batch, grid, listening, resolve, sums, tokens
from seelike.capture import layers as layers_of


def centre(x: Float[Tensor, "b ..."]) -> Float[Tensor, "b c"]:
    """The vector at the middle of a token grid (b, n, c) or a feature map (b, c, h, w): row and column side // 2.

    ValueError for tokens that make no square grid.
    """
    sequence = tokens(x)
    if x.ndim == 4:
        return sequence[:, x.shape[2] // 2 * x.shape[3] + x.shape[3] // 2]
    side, first = grid(sequence.shape[1])
    return sequence[:, first + side * (side // 2) + side // 2]


def effective_receptive_field(
    model: nn.Module, layers: Sequence[str], loader: Iterable[Any], *, probes: int = 2, seed: int = 0
) -> dict[str, Float[np.ndarray, "batches h w"]]:
    """Root mean square gradient of each layer's centre position with respect to every pixel, one map per batch.

    layers: taps of `capture` (`blocks.3.attn`, `blocks.3.norm2:in`). probes: random-sign vectors per layer.
    The network runs in eval mode and is put back; its weights get no gradients.
    """
    taps = resolve(model, layers)
    signs = torch.Generator().manual_seed(seed)
    maps: dict[str, list[Tensor]] = {tap: [] for tap in taps}
    needed = [(p, p.requires_grad) for p in model.parameters()]
    try:
        model.requires_grad_(False)
        with listening(model):
            for x, _ in each_batch(model, loader):
                for tap, field in _fields(model, taps, x, probes, signs).items():
                    maps[tap].append(field)
    finally:
        for p, needs in needed:
            p.requires_grad_(needs)
    return {tap: torch.stack(fields).cpu().double().numpy() for tap, fields in maps.items()}


def _fields(model: nn.Module, taps: Sequence[str], x: Tensor, probes: int, signs: torch.Generator) -> dict[str, Tensor]:
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad(), capture(model, taps, reduce=lambda h: centre(h).clone()) as found:
        model(x)
    fields = {}
    for tap, h in found.items():
        squares = torch.zeros_like(x)
        for _ in range(probes):
            sign = torch.randint(0, 2, h.shape, generator=signs).to(h) * 2 - 1
            squares += torch.autograd.grad((h * sign).sum(), x, retain_graph=True)[0].square()
        fields[tap] = (squares / probes).sum(1).sqrt().mean(0)  # over colours, then images
    return fields


def radius(field: Float[np.ndarray, "*batch h w"], share: float = 0.5) -> Float[np.ndarray, "*batch"]:
    """Radius in pixels, around the centre of its mass, that holds a share of a field's mass; NaN where there is none.

    field: no negative numbers. share: above 0, at most 1.
    """
    field = np.asarray(field, float)
    if field.ndim < 2 or not 0 < share <= 1 or (field < 0).any():
        raise ValueError(f"A radius needs a field (h, w) without negative numbers and a share in (0, 1], got {field.shape} and {share}.")
    h, w = field.shape[-2:]
    rows, columns = np.mgrid[:h, :w]
    mass = field.reshape(*field.shape[:-2], -1)
    total = mass.sum(-1, keepdims=True)
    mass = np.divide(mass, total, out=np.full_like(mass, np.nan), where=total > 0)
    y, x = (mass @ rows.ravel())[..., None], (mass @ columns.ravel())[..., None]
    distance = np.hypot(rows.ravel() - y, columns.ravel() - x)
    order = np.argsort(distance, -1)
    reached = np.cumsum(np.take_along_axis(mass, order, -1), -1)
    first = np.argmax(reached >= share * reached[..., -1:], -1)[..., None]
    result: np.ndarray = np.take_along_axis(np.take_along_axis(distance, order, -1), first, -1)[..., 0]
    return np.where(total[..., 0] > 0, result, np.nan)


def uniform_radius(side: int, share: float = 0.5) -> float:
    """The radius of a field that is the same at every pixel of a square image: fully global."""
    return float(radius(np.ones((side, side)), share))


def centre_share(field: Float[np.ndarray, "*batch h w"], grid: int) -> Float[np.ndarray, "*batch"]:
    """Share of the mass in the patch of the centre position, for a grid x grid of patches."""
    patch = field.shape[-1] // grid
    own = slice(grid // 2 * patch, (grid // 2 + 1) * patch)
    return np.asarray(field[..., own, own].sum((-2, -1)) / field.sum((-2, -1)))


def largest_step(curve: Float[np.ndarray, " blocks"]) -> tuple[float, float]:
    """Depth (0 to 1) of the largest step of a curve over blocks, and that step's share of the total rise.

    NaN for fewer than two blocks; the share is NaN, too, for a curve that ends where it starts.
    """
    steps = np.diff(curve)
    if not len(steps):
        return float("nan"), float("nan")
    rise = float(curve[-1] - curve[0])
    return float((steps.argmax() + 0.5) / len(steps)), float(steps.max()) / rise if rise else float("nan")


def midway(vit: Float[np.ndarray, " blocks"], resnet: Float[np.ndarray, " units"]) -> float:
    """Margin by which a ViT's radius grows in one step midway, unlike a ResNet's (Raghu et al. 2021, Fig. 6): above 0, it does.

    The smaller of 0.2 - |depth of the ViT's largest step - 0.5| and its share of the rise minus that of the ResNet's largest step.
    """
    depth, share = largest_step(vit)
    return float(np.min([0.2 - abs(depth - 0.5), share - largest_step(resnet)[1]]))


class Sublayers(NamedTuple):
    """Taps of a transformer, one a block: attention before its residual sum, the stream after it, and the MLP before its own sum."""

    attention: list[str]
    stream: list[str]
    mlp: list[str]


def sublayers(model: nn.Module) -> Sublayers:
    """Where a transformer's residual sums can be heard; ValueError for a network whose blocks are not attention and then an MLP."""
    pairs = sums(model)
    second = [skip for skip, _ in pairs[1::2]]
    if len(pairs) != 2 * len(layers_of(model)) or not all(skip.endswith("norm2:in") for skip in second):
        raise ValueError(f"The blocks of {type(model).__name__} are not attention and then an MLP, each added to the stream behind a norm.")
    return Sublayers([branch for _, branch in pairs[::2]], second, [branch for _, branch in pairs[1::2]])


@torch.no_grad()
def positions(model: nn.Module, tap: str, x: Float[Tensor, "b 3 h w"]) -> int:
    """Side of the square grid of positions that a layer has for these images; ValueError where there is none."""
    with listening(model), capture(model, [tap], reduce=tokens) as found:
        model(x.to(device_of(model)))
    return grid(found[tap].shape[1])[0]


def hidden(before: Float[np.ndarray, "sublayers h w"], after: Float[np.ndarray, "sublayers h w"], grid: int) -> float:
    """Share of the own patch (`centre_share`) after residual sums minus that before them, mean over sublayers: what the skip adds."""
    return float(centre_share(after, grid).mean() - centre_share(before, grid).mean())
