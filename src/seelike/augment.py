"""What training does to its images: crops, mirrors and squares, and the sequence of Tuli et al. 2021.

Every function but `mix` takes and gives bytes (n, 3, h, w); a seed makes it reproducible.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import conv2d, pad
from torchvision.transforms import v2

Pixels = UInt8[Tensor, "n 3 h w"]


def crop_and_mirror(x: Pixels, seed: int, margin: int = 4) -> Pixels:
    """Random shifts by up to `margin` pixels over a reflected border, half of the images mirrored."""
    g = torch.Generator().manual_seed(seed)
    size, n = x.shape[-1], len(x)
    padded = pad(x.float(), (margin,) * 4, mode="reflect").to(torch.uint8)
    windows = padded.unfold(2, size, 1).unfold(3, size, 1)
    row, column = torch.randint(0, 2 * margin + 1, (2, n), generator=g)
    crops = windows[torch.arange(n), :, row, column]
    return torch.where((torch.rand(n, generator=g) < 0.5)[:, None, None, None], crops.flip(3), crops)


def cut_out(x: Pixels, side: int, seed: int) -> Pixels:
    """A grey square of `side` pixels anywhere inside every image (DeVries & Taylor 2017)."""
    g = torch.Generator().manual_seed(seed)
    corner = torch.randint(0, x.shape[-1] - side + 1, (2, len(x), 1), generator=g)
    place = torch.arange(x.shape[-1])
    rows, columns = ((place >= c) & (place < c + side) for c in corner)
    return x.masked_fill((rows[:, :, None] & columns[:, None])[:, None], 128)


def mix(
    x: Float[Tensor, "n 3 h w"], labels: Int[Tensor, " n"], classes: int, alpha: float, seed: int
) -> tuple[Float[Tensor, "n 3 h w"], Float[Tensor, "n classes"]]:
    """Mixup (Zhang et al. 2018): every image with a share of another, labels in the same shares; one share a batch, Beta(alpha, alpha)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mixed: tuple[Tensor, Tensor] = v2.MixUp(alpha=alpha, num_classes=classes)(x, labels)
    return mixed


def rotate(x: Pixels, seed: int) -> Pixels:
    """Every image by 90, 180 or 270 degrees."""
    turns = torch.randint(1, 4, (len(x),), generator=torch.Generator().manual_seed(seed)).tolist()
    return torch.stack([torch.rot90(image, k, (1, 2)) for image, k in zip(x, turns, strict=True)])


def box_out(x: Pixels, seed: int) -> Pixels:
    """A grey box in every image, its sides even and up to 190/224 of the image's (Tuli et al. 2021)."""
    g = torch.Generator().manual_seed(seed)
    size = x.shape[-1]
    sides = 2 * torch.randint(1, 190 * size // 448 + 1, (2, len(x), 1), generator=g)
    corner = (torch.rand(2, len(x), 1, generator=g) * (size - sides + 1)).long()
    place = torch.arange(size)
    rows, columns = ((place >= c) & (place < c + side) for c, side in zip(corner, sides, strict=True))
    return x.masked_fill((rows[:, :, None] & columns[:, None])[:, None], 128)


def sobel(x: Pixels, seed: int) -> Pixels:
    """The size of the brightness gradient of every colour, by Sobel's filter."""
    kernel = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
    both = torch.stack([kernel, kernel.T])[:, None]
    gradient = conv2d(pad(x.float().flatten(0, 1)[:, None], (1,) * 4, mode="reflect"), both)
    return gradient.norm(dim=1).clamp(0, 255).to(torch.uint8).view_as(x)


def blur(x: Pixels, seed: int) -> Pixels:
    """A Gaussian of 3 x 3 pixels and standard deviation 1."""
    return v2.functional.gaussian_blur(x, [3, 3], [1.0, 1.0])


def distort_colour(x: Pixels, seed: int) -> Pixels:
    """Jitter of brightness, contrast, saturation and hue on four images in five, then grey on one in five (Chen et al. 2020)."""
    jitter = v2.Compose([v2.RandomApply([v2.ColorJitter(0.8, 0.8, 0.8, 0.2)], 0.8), v2.RandomGrayscale(0.2)])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.stack([jitter(image) for image in x])


def add_noise(x: Pixels, seed: int) -> Pixels:
    """Gaussian noise of standard deviation 50 grey levels."""
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    return (x + 50 * noise).clamp(0, 255).to(torch.uint8)


SEQUENCE: dict[str, Callable[[Any, int], Any]] = {  # in the order of Tuli et al. 2021
    "rotate": rotate,
    "cutout": box_out,
    "sobel": sobel,
    "blur": blur,
    "colour": distort_colour,
    "noise": add_noise,
}
