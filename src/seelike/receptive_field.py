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

MIDDLE = (0.5, 0.5)


def centre(x: Float[Tensor, "b ..."], where: tuple[float, float] = MIDDLE) -> Float[Tensor, "b c"]:
    """The vector at one position of a token grid (b, n, c) or a feature map (b, c, h, w).

    where: its row and column as shares of the height and the width, from 0 to below 1; in the middle: row and column side // 2.
    ValueError for tokens that make no square grid.
    """
    sequence = tokens(x)
    if x.ndim == 4:
        first, rows, columns = 0, *x.shape[2:]
    else:
        rows, first = grid(sequence.shape[1])
        columns = rows
    return sequence[:, first + columns * int(where[0] * rows) + int(where[1] * columns)]


def effective_receptive_field(
    model: nn.Module,
    layers: Sequence[str],
    loader: Iterable[Any],
    *,
    probes: int = 2,
    seed: int = 0,
    where: tuple[float, float] = MIDDLE,
) -> dict[str, Float[np.ndarray, "batches h w"]]:
    """Root mean square gradient of each layer's middle position, or of another one, with respect to every pixel, one map per batch.

    layers: taps of `capture` (`blocks.3.attn`, `blocks.3.norm2:in`). probes: random-sign vectors per layer. where: as in `centre`.
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
                for tap, field in _fields(model, taps, x, probes, signs, where=where).items():
                    maps[tap].append(field)
    finally:
        for p, needs in needed:
            p.requires_grad_(needs)
    return {tap: torch.stack(fields).cpu().double().numpy() for tap, fields in maps.items()}


def _fields(
    model: nn.Module, taps: Sequence[str], x: Tensor, probes: int, signs: torch.Generator, *, where: tuple[float, float]
) -> dict[str, Tensor]:
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad(), capture(model, taps, reduce=lambda h: centre(h, where).clone()) as found:
        model(x)
    fields = {}
    for tap, h in found.items():
        squares = torch.zeros_like(x)
        for _ in range(probes):
            sign = torch.randint(0, 2, h.shape, generator=signs).to(h) * 2 - 1
            squares += torch.autograd.grad((h * sign).sum(), x, retain_graph=True)[0].square()
        fields[tap] = (squares / probes).sum(1).sqrt().mean(0)  # over colours, then images
    return fields


def _mass_and_distance(field: np.ndarray, about: str) -> tuple[np.ndarray, np.ndarray]:
    """Mass of every pixel as a share of all (*batch, pixels), NaN where there is none, and its distance from a centre in pixels."""
    if field.ndim < 2 or (field < 0).any():
        raise ValueError(f"A radius needs a field (h, w) without negative numbers, got {field.shape}: take the root of squares.")
    h, w = field.shape[-2:]
    rows, columns = (place.ravel() for place in np.mgrid[:h, :w])
    mass = field.reshape(*field.shape[:-2], -1)
    total = mass.sum(-1, keepdims=True)
    mass = np.divide(mass, total, out=np.full_like(mass, np.nan), where=total > 0)
    if about == "mass":
        y, x = (mass @ rows)[..., None], (mass @ columns)[..., None]
    elif about == "peak":
        y, x = np.divmod(np.nan_to_num(mass).argmax(-1), w)
        y, x = y[..., None], x[..., None]
    elif about == "middle":
        y, x = np.asarray(h // 2), np.asarray(w // 2)
    else:
        raise ValueError(f"A radius is taken about 'mass', 'peak' or 'middle', got {about!r}.")
    return mass, np.broadcast_to(np.hypot(rows - y, columns - x), mass.shape)


def radius(field: Float[np.ndarray, "*batch h w"], share: float = 0.5, about: str = "mass") -> Float[np.ndarray, "*batch"]:
    """Radius in pixels that holds a share of a field's mass; NaN where there is none.

    It says nothing of what lies farther out: `spread` does. field: no negative numbers. share: above 0, at most 1. about: the centre of
    the mass, the highest pixel, or the middle of the image.
    """
    if not 0 < share <= 1:
        raise ValueError(f"A radius holds a share in (0, 1] of the mass, got {share}.")
    mass, distance = _mass_and_distance(np.asarray(field, float), about)
    order = np.argsort(distance, -1)
    reached = np.cumsum(np.take_along_axis(mass, order, -1), -1)
    first = np.argmax(reached >= share * reached[..., -1:], -1)[..., None]
    result: np.ndarray = np.take_along_axis(np.take_along_axis(distance, order, -1), first, -1)[..., 0]
    return np.where(np.isnan(mass).any(-1), np.nan, result)


def spread(field: Float[np.ndarray, "*batch h w"], about: str = "mass") -> Float[np.ndarray, "*batch"]:
    """Root mean square distance of a field's mass from its centre, in pixels; NaN where there is none.

    The root of the second moment: unlike the half-mass `radius`, it sees the tail. field, about: as in `radius`.
    """
    mass, distance = _mass_and_distance(np.asarray(field, float), about)
    return np.asarray(np.sqrt((mass * distance**2).sum(-1)))


def uniform_spread(side: int) -> float:
    """The `spread` of a field that is the same at every pixel of a square image: fully global."""
    return float(spread(np.ones((side, side))))


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


def reached(curve: Float[np.ndarray, " blocks"], share: float = 0.8) -> float:
    """Depth (0: first block, 1: last) at which a curve over blocks first reaches a share of its end, between blocks by a straight line.

    NaN for fewer than two blocks, and where the curve is not known.
    """
    if len(curve) < 2 or np.isnan(curve).any():
        return float("nan")
    after = int(np.argmax(curve >= share * curve[-1]))
    if not after:
        return 0.0
    low, high = curve[after - 1], curve[after]
    return float((after - 1 + (share * curve[-1] - low) / (high - low)) / (len(curve) - 1))


def wider(vit: Float[np.ndarray, " blocks"], resnet: Float[np.ndarray, " units"]) -> float:
    """Width of the field (`spread`) after the first block, ViT over ResNet (Raghu et al. 2021, Fig. 6); widths over blocks are given."""
    return float(vit[0] / resnet[0])


def earlier(vit: Float[np.ndarray, " blocks"], resnet: Float[np.ndarray, " units"], share: float = 0.8) -> float:
    """Depth at which the field's width has `reached` a share of its end, ViT minus ResNet (Raghu et al. 2021, Fig. 6); -1 to 1."""
    return reached(vit, share) - reached(resnet, share)


def in_fewer_steps(vit: Float[np.ndarray, " blocks"], resnet: Float[np.ndarray, " units"]) -> float:
    """The `largest_step`'s share of the rise of the field's width, ViT minus ResNet: above 0, the ResNet grows more steadily."""
    return largest_step(vit)[1] - largest_step(resnet)[1]


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


def stands_out(field: Float[np.ndarray, "*sublayers h w"], grid: int) -> float:
    """Mass in the own patch over that in the strongest other one, mean over sublayers (Raghu et al. 2021, Fig. C.4): 1, it does not."""
    patch, own = field.shape[-1] // grid, grid // 2 * (grid + 1)
    cut = field[..., : grid * patch, : grid * patch]
    mass = cut.reshape(*field.shape[:-2], grid, patch, grid, patch).sum((-3, -1)).reshape(*field.shape[:-2], -1)
    return float(np.mean(mass[..., own] / np.delete(mass, own, -1).max(-1)))


def at_starts(curve: Float[np.ndarray, " units"], stage: Sequence[int] | np.ndarray) -> list[float]:
    """Change of a curve over units from the last unit of a stage to the first of the next (Raghu et al. 2021, Fig. C.4), by stage.

    stage: of every unit, as `maps.stages` gives it.
    """
    return [float(curve[i] - curve[i - 1]) for i in range(1, len(curve)) if stage[i] != stage[i - 1]]


def stem(model: nn.Module) -> list[str]:
    """Tap of the first convolutions of a network whose layers are maps (Raghu et al. 2021, Fig. 6); none for one that cuts patches."""
    first = next((name for name, module in model.named_modules() if isinstance(module, nn.Conv2d)), None)
    if first is None or "patch_embed" in first or "stem.proj" in first:
        return []
    top = first.partition(".")[0]
    return [first if any(block.startswith(f"{top}.") for block in layers_of(model)) else top]
