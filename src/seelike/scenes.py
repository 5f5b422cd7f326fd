"""Scenes: an endless set of 64x64 images with photographic statistics and known ground truth.

One object per image: a silhouette (10 shapes, the class) filled with a texture cut from a photograph
(10 textures) and tinted at random, on a crop of another photograph.

- Nothing is downloaded: every photograph ships inside scikit-image or scikit-learn (`seelike.stock.CREDITS`).
- Train and test never share a background photograph.
- Images are drawn in blocks of `BLOCK` from a generator seeded by (seed, split, block), so that
  `sample(10, seed)` are the first ten of `sample(10_000, seed)` and a stream can be entered anywhere.
- Pixels are bytes, which hides nearly all last-bit differences between processors.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import datasets
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, max_pool2d

from seelike.stock import CELLS, SHAPES, SPAN, TEXTURES, Split, photographs, silhouettes, textures

SIZE = 64  # pixels, both sides
BLOCK = 256  # images drawn from one generator
REACH = 5  # pixels from the object to the end of its shadow: shifted by 3, blurred by 2 (`_compose`)
RADIUS = (18.0, 28.0)  # pixels; chosen once, before any result, so that a ViT of 0.6 M parameters learns in minutes

DIRECTIONS = ("right", "left", "down", "up")

_ROTATION = 0.35  # radians to either side


@dataclass(frozen=True)
class Scenes:
    """A batch of scenes with everything that is known about them.

    images: UInt8 (n, 3, 64, 64). shape, texture: Int64 (n,), indices into `SHAPES` and `TEXTURES`.
    mask: Bool (n, 64, 64), the object's pixels. centre: Float (n, 2), x and y in pixels.
    scale: Float (n,), the nominal radius in pixels; silhouettes
    reach between 0.86 (disc) and 1.17 (corners of the ell) of it.
    """

    images: UInt8[Tensor, "n 3 h w"]
    shape: Int[Tensor, " n"]
    texture: Int[Tensor, " n"]
    mask: Bool[Tensor, "n h w"]
    centre: Float[Tensor, "n 2"]
    scale: Float[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: slice) -> Scenes:
        return Scenes(*(getattr(self, field.name)[index] for field in fields(self)))

    def on_grid(self, side: int) -> tuple[Bool[Tensor, "n positions"], Bool[Tensor, "n positions"]]:
        """Which cells of a side x side grid over the image, row by row, the object covers, and which are clear of it and its shadow.

        Covered: by more than half. Clear: neither the object nor its shadow reaches the cell. A cell at the object's edge is neither.
        """
        if not 1 <= side <= SIZE:
            raise ValueError(f"A grid over {SIZE} pixels has 1 to {SIZE} cells a side, got {side}.")
        mask = self.mask.float()[:, None]
        near = max_pool2d(mask, 2 * REACH + 1, 1, REACH)
        return adaptive_avg_pool2d(mask, side).flatten(1) > 0.5, adaptive_avg_pool2d(near, side).flatten(1) == 0

    def to_dataset(self) -> datasets.Dataset:
        """The same batch as a `datasets.Dataset`, with images, class labels, masks, centres and scales."""
        columns = {
            "image": [Image.fromarray(x) for x in self.images.permute(0, 2, 3, 1).numpy()],
            "shape": self.shape.tolist(),
            "texture": self.texture.tolist(),
            "mask": [Image.fromarray(m) for m in (self.mask.to(torch.uint8) * 255).numpy()],
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
        }
        features = datasets.Features(
            image=datasets.Image(),
            shape=datasets.ClassLabel(names=list(SHAPES)),
            texture=datasets.ClassLabel(names=list(TEXTURES)),
            mask=datasets.Image(),
            centre=datasets.Sequence(datasets.Value("float32"), length=2),
            scale=datasets.Value("float32"),
        )
        return datasets.Dataset.from_dict(columns, features=features)


MOST = 200_000  # images of one draw, 5 GB with their masks


def sample(n: int, seed: int = 0, correlation: float = 1.0, *, split: Split = "test", start: int = 0) -> Scenes:
    """Images `start` to `start + n` of the endless set of this seed and split.

    correlation: share of images whose texture is the one of their shape's class; in the others it is one of
    the nine other textures, all equally often. At 1 shape and texture both predict the class, at 0.1 they
    are independent, at 0 they always disagree (cue conflict).
    """
    if n < 1 or start < 0:
        raise ValueError(f"Scenes needs n >= 1 images and start >= 0, got n={n} and start={start}.")
    if n > MOST:
        raise ValueError(f"Scenes are drawn into memory, at most {MOST:,} at a time, got n={n:,}: ask for fewer.")
    if not 0 <= correlation <= 1:
        raise ValueError(f"correlation is a share between 0 and 1, got {correlation}.")
    if split not in ("train", "test"):
        raise ValueError(f"Scenes has the splits 'train' and 'test', got {split!r}.")
    first, last = start // BLOCK, (start + n - 1) // BLOCK
    blocks = []
    for i in range(first, last + 1):
        keep = slice(max(start - i * BLOCK, 0), min(start + n - i * BLOCK, BLOCK))
        blocks.append(_block(i, seed, correlation, split, keep))
    return Scenes(*(torch.cat([getattr(b, field.name) for b in blocks]) for field in fields(Scenes)))


def cue_conflict(n: int, seed: int = 0, *, split: Split = "test") -> Scenes:
    """Images whose texture never belongs to the class of their shape (Geirhos et al. 2019, made exact)."""
    return sample(n, seed, correlation=0.0, split=split)


def clips(n: int, frames: int, seed: int = 0, *, split: Split = "test", speed: int = 3) -> tuple[UInt8[Tensor, "n 3 t h w"], Tensor]:
    """Scenes whose object moves, and where to, (n,): an index into `DIRECTIONS`.

    speed: pixels a frame. The object starts anywhere, with its texture, and what leaves the image comes back on the other side, so
    that every frame by itself has the same distribution for all directions. The background stays.
    """
    if n < 1 or frames < 2:
        raise ValueError(f"Clips need n >= 1 and frames >= 2, got n={n} and frames={frames}.")
    drawn, ways = [], []
    for i in range(-(-n // BLOCK)):
        parts = _choices(i, seed, 1.0, split, slice(0, min(n - i * BLOCK, BLOCK)))
        g = torch.Generator().manual_seed(1000 * seed + i)
        way, start = torch.randint(0, 4, (len(parts.shape),), generator=g), torch.randint(0, SIZE, (len(parts.shape), 2), generator=g)
        step = speed * torch.tensor([[0, 1], [0, -1], [1, 0], [-1, 0]])[way]
        still = torch.cat([_coverage(parts.shape, parts.centre, parts.scale, parts.angle)[:, None], parts.fill], 1)
        film = []
        for t in range(frames):
            moved = torch.stack([x.roll(shift, (1, 2)) for x, shift in zip(still, (start + t * step).tolist(), strict=True)])
            noise = torch.randint(0, 256, parts.noise.shape, generator=g, dtype=torch.uint8)
            film.append(_compose(parts.ground.clone(), moved[:, 1:], moved[:, 0], noise))
        drawn.append(torch.stack(film, 2))
        ways.append(way)
    return torch.cat(drawn), torch.cat(ways)


class _Choices(NamedTuple):
    """All that a block of scenes is made of."""

    shape: Tensor
    texture: Tensor
    scale: Tensor
    centre: Tensor
    angle: Tensor
    fill: Tensor
    ground: Tensor
    noise: Tensor


def _choices(index: int, seed: int, correlation: float, split: Split, keep: slice) -> _Choices:
    rng = np.random.default_rng([seed, split == "test", index])
    u = torch.from_numpy(rng.random((BLOCK, 19), dtype=np.float32))  # all choices, drawn whatever `keep` is
    noise = torch.from_numpy(rng.integers(0, 256, (BLOCK, 3, SIZE, SIZE), dtype=np.uint8))[keep]
    u = u[keep]
    shape = (u[:, 0] * 10).long()
    other = (shape + 1 + (u[:, 2] * 9).long()) % 10
    texture = torch.where(u[:, 1] < correlation, shape, other)
    scale = RADIUS[0] + (RADIUS[1] - RADIUS[0]) * u[:, 3]
    centre = scale[:, None] + u[:, 4:6] * (SIZE - 2 * scale[:, None])
    fill = _crops(textures(), texture, u[:, 7:9]).float()[:, None] * _tint(u[:, 9], u[:, 10])
    return _Choices(shape, texture, scale, centre, (u[:, 6] - 0.5) * 2 * _ROTATION, fill, _backgrounds(u[:, 11:19], split), noise)


def _block(index: int, seed: int, correlation: float, split: Split, keep: slice) -> Scenes:
    parts = _choices(index, seed, correlation, split, keep)
    coverage = _coverage(parts.shape, parts.centre, parts.scale, parts.angle)
    images = _compose(parts.ground, parts.fill, coverage, parts.noise)
    return Scenes(images, parts.shape, parts.texture, coverage > 0.5, parts.centre, parts.scale)


def _compose(
    ground: Float[Tensor, "n 3 h w"],
    fill: Float[Tensor, "n 3 h w"],
    coverage: Float[Tensor, "n h w"],
    noise: UInt8[Tensor, "n 3 h w"],
) -> UInt8[Tensor, "n 3 h w"]:
    """Object with a soft shadow over the background, plus sensor noise of standard deviation 7 grey levels."""
    shadow = torch.zeros_like(coverage)
    shadow[:, 3:, 2:] = coverage[:, :-3, :-2]
    shadow = avg_pool2d(shadow[:, None], 5, 1, 2)
    x = ground.mul_(shadow.mul_(-0.45).add_(1))
    x.lerp_(fill, coverage[:, None])
    return x.add_(noise, alpha=25 / 255).sub_(12.0).clamp_(0, 255).to(torch.uint8)


def _coverage(
    shape: Int[Tensor, " n"], centre: Float[Tensor, "n 2"], scale: Float[Tensor, " n"], angle: Float[Tensor, " n"]
) -> Float[Tensor, "n h w"]:
    """Anti-aliased coverage of each pixel by the shape, read from a table of signed distances."""
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    axis = torch.arange(SIZE) + 0.5
    x, y = axis - centre[:, :1], axis - centre[:, 1:]
    to_cell = CELLS / (2 * SPAN)

    def cells(column: Tensor, row: Tensor) -> Tensor:
        grid = column[:, None, :] + row[:, :, None]
        return grid.add_(SPAN).mul_(to_cell).clamp_(0, CELLS - 1).int()

    u = cells(cos[:, None] * x, sin[:, None] * y)
    v = cells(-sin[:, None] * x, cos[:, None] * y)
    index = v.mul_(CELLS).add_(u).add_(shape.int()[:, None, None] * CELLS**2)
    distance = silhouettes().flatten().index_select(0, index.flatten()).view_as(index)
    return distance.mul_(scale[:, None, None]).add_(0.5).clamp_(0, 1)


def _backgrounds(u: Float[Tensor, "n 8"], split: Split) -> Float[Tensor, "n 3 h w"]:
    bank = photographs(split)
    which = (u[:, 0] * len(bank)).long()
    crop = _crops(bank, which, u[:, 1:3]).float()
    light = (0.6 + 0.5 * u[:, 4:5]) * (0.85 + 0.3 * u[:, 5:8])  # exposure times white balance
    return torch.where(u[:, 3, None, None, None] < 0.5, crop, crop.flip(3)).mul_(light[:, :, None, None])


def _crops(bank: UInt8[Tensor, "k ... rows columns"], which: Tensor, where: Tensor) -> UInt8[Tensor, "n ... h w"]:
    windows = bank.unfold(-2, SIZE, 1).unfold(-2, SIZE, 1)
    row = (where[:, 0] * windows.shape[-4]).long()
    column = (where[:, 1] * windows.shape[-3]).long()
    return windows[which, row, column] if bank.dim() == 3 else windows[which, :, row, column]


def _tint(hue: Float[Tensor, " n"], saturation: Float[Tensor, " n"]) -> Float[Tensor, "n 3 1 1"]:
    """Colours of full value: any hue, saturation between .1 and .7."""
    ramp = ((hue[:, None] * 6 + torch.tensor([0.0, 4.0, 2.0])) % 6 - 3).abs() - 1
    saturation = (0.1 + 0.6 * saturation)[:, None]
    return (1 - saturation * (1 - ramp.clamp(0, 1)))[:, :, None, None]
