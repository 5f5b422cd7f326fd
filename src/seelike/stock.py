"""What scenes are drawn from: silhouettes, textures and photographs, all shipped by scikit-image and scikit-learn."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage import data as skimage_data
from skimage.draw import polygon2mask
from sklearn.datasets import load_sample_image
from torch import Tensor

Split = Literal["train", "test"]

SHAPES = ("disc", "square", "triangle", "star", "cross", "ring", "crescent", "bars", "heart", "ell")
TEXTURES = ("brick", "grass", "gravel", "fur", "cells", "stars", "text", "coins", "petals", "roof")
CELLS, SPAN = 256, 1.2  # samples and half-width of a silhouette template, in radii

CREDITS = (  # photograph, use, credit, licence: as stated by scikit-image and scikit-learn
    ("astronaut", "background, train", "Eileen Collins, by NASA", "public domain"),
    ("coffee", "background, train", "Rachel Michetti, Pikolo Espresso Bar", "CC0"),
    ("stereo_motorcycle", "background, train", "Nešić et al., Middlebury stereo benchmark 2014", "not stated"),
    ("camera", "background, train", "Lav Varshney", "CC0"),
    ("moon", "background, train", "not stated", "not stated"),
    ("clock", "background, train", "Stéfan van der Walt", "public domain"),
    ("rocket", "background, test", "SpaceX", "public domain"),
    ("retina", "background, test", "Mikael Häggström, Wikimedia Commons", "CC0"),
    ("microaneurysms", "background, test", "Andreas Maier", "CC0"),
    ("brick", "texture", "CC0Textures, Bricks25", "CC0"),
    ("grass", "texture", "linolafett, DeviantArt", "CC0"),
    ("gravel", "texture", "CC0Textures, Gravel04", "CC0"),
    ("chelsea", "texture (fur)", "Stéfan van der Walt", "CC0"),
    ("immunohistochemistry", "texture (cells)", "Center for Microscopy and Molecular Imaging", "no known restrictions"),
    ("hubble_deep_field", "texture (stars)", "NASA, Hubble Space Telescope", "public domain"),
    ("text", "texture", "Wikipedia, Corner.png", "public domain"),
    ("coins", "texture", "Brooklyn Museum", "no known restrictions"),
    ("flower.jpg", "texture (petals)", "vultilion, Flickr", "CC BY 2.0"),
    ("china.jpg", "texture (roof)", "danielbuechele, Flickr", "CC BY 2.0"),
)


@lru_cache(1)
def silhouettes() -> Float[Tensor, "10 t t"]:
    """Signed distance to each silhouette's edge, in radii, positive inside."""
    fine = 2 * CELLS
    axis = (np.arange(fine) + 0.5) / fine * 2 * SPAN - SPAN
    u, v = np.meshgrid(axis, axis)
    r = np.hypot(u, v)
    turn = np.pi / 2 + np.arange(10) * np.pi / 5
    spikes = np.where(np.arange(10) % 2 == 0, 1.0, 0.42)
    corner = np.pi / 2 + np.arange(3) * 2 * np.pi / 3
    t = np.linspace(0, 2 * np.pi, 200)
    heart = (16 * np.sin(t) ** 3 / 17, -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 17)

    def polygon(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return polygon2mask((fine, fine), (np.stack([y, x], 1) + SPAN) / (2 * SPAN) * fine)

    silhouettes = {
        "disc": r < 0.86,
        "square": np.maximum(abs(u), abs(v)) < 0.76,
        "triangle": polygon(np.cos(corner), 0.2 - np.sin(corner)),
        "star": polygon(spikes * np.cos(turn), -spikes * np.sin(turn)),
        "cross": (np.minimum(abs(u), abs(v)) < 0.29) & (np.maximum(abs(u), abs(v)) < 0.93),
        "ring": (r < 0.95) & (r > 0.5),
        "crescent": (r < 0.95) & (np.hypot(u - 0.42, v + 0.1) > 0.72),
        "bars": (abs(abs(u) - 0.52) < 0.27) & (abs(v) < 0.85),
        "heart": polygon(*heart),
        "ell": (abs(u) < 0.8) & (abs(v) < 0.85) & ((u < -0.2) | (v > 0.3)),
    }
    inside = np.stack([silhouettes[name] for name in SHAPES])
    distance = np.stack([distance_transform_edt(m) - distance_transform_edt(~m) for m in inside])
    return torch.from_numpy(distance[:, ::2, ::2].astype(np.float32) * (2 * SPAN / fine))


@lru_cache(1)
def textures() -> UInt8[Tensor, "10 256 256"]:
    """Grey textures, flattened to one mean brightness and one contrast."""
    d = skimage_data
    sources = {
        "brick": d.brick(),
        "grass": d.grass(),
        "gravel": d.gravel(),
        "fur": d.chelsea()[:130, 140:330],
        "cells": d.immunohistochemistry(),
        "stars": d.hubble_deep_field(),
        "text": np.tile(d.text(), (2, 1)),
        "coins": d.coins()[:220, :220],
        "petals": load_sample_image("flower.jpg")[90:290, 210:420],
        "roof": load_sample_image("china.jpg")[105:305, 170:330],
    }
    bank = []
    for name in TEXTURES:
        grey = Image.fromarray(sources[name]).convert("L").resize((256, 256), Image.Resampling.LANCZOS)
        x = np.asarray(grey, dtype=np.float32)
        x -= gaussian_filter(x, 24)
        bank.append(np.clip(150 + 55 * x / x.std(), 0, 255).astype(np.uint8))
    return torch.from_numpy(np.stack(bank))


@lru_cache(2)
def photographs(split: Split) -> UInt8[Tensor, "photographs 3 256 384"]:
    """Every photograph twice: whole, and its central half."""
    d = skimage_data
    names = {
        "train": ("astronaut", "coffee", "stereo_motorcycle", "camera", "moon", "clock"),
        "test": ("rocket", "retina", "microaneurysms"),
    }
    pictures = []
    for name in names[split]:
        picture = getattr(d, name)()
        rgb = Image.fromarray(picture[0] if isinstance(picture, tuple) else picture).convert("RGB")
        w, h = rgb.size
        for box in ((0, h // 8, w, h - h // 8), (w // 4, h // 4, w - w // 4, h - h // 4)):
            crop = np.asarray(rgb.resize((384, 256), Image.Resampling.LANCZOS, box))
            pictures.append(crop.transpose(2, 0, 1))
    return torch.from_numpy(np.stack(pictures))
