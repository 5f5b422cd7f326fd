"""How every network of the zoo is made: recipes, and the one optimiser that they share.

- Muon on the matrices inside the network, AdamW on the rest (embeddings, norms, biases, head), for every
  architecture alike; chapter 1 shows what AdamW alone does.
- The rate warms up over 5 % of the run, stays, and falls linearly to nothing over the last 40 %.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

OUTER = ("patch_embed", "pos_embed", "cls_token", "stem", "conv1", "head", "fc")  # left to AdamW


@dataclass(frozen=True)
class Recipe:
    """How one network of the zoo is made.

    images: seen in a full run. muon, adamw: full rates; muon=0 leaves everything to AdamW.
    warmup: share of the run over which the rate rises.
    until: stop at this validation accuracy.
    """

    architecture: str
    images: int
    options: dict[str, Any] = field(default_factory=dict)
    batch: int = 64
    muon: float = 4e-3
    adamw: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    until: float | None = None

    @property
    def steps(self) -> int:
        """Optimiser steps of a full run."""
        return self.images // self.batch


RECIPES: dict[str, dict[str, Recipe]] = {
    "smoke": {"vit_cls": Recipe("vit_cls", 640, {"depth": 2, "width": 24}), "resnet": Recipe("resnet", 640, {"width": 4})},
    "scenes": {
        "vit_cls": Recipe("vit_cls", 192_000),
        "vit_gap": Recipe("vit_gap", 192_000),
        "mixer": Recipe("mixer", 96_000),
        "resnet": Recipe("resnet", 192_000),
        "vit_matched": Recipe("vit_cls", 192_000, until=0.975),  # the ViT, stopped at the accuracy of the ResNet
        "vit_cls_adamw": Recipe("vit_cls", 64_000, muon=0.0),
    },
    "cifar10": {
        "vit_cls": Recipe("vit_cls", 800_000, warmup=0.078125),
        "resnet": Recipe("resnet", 700_000),
    },
}

ZOO: dict[str, list[tuple[str, int]]] = {  # networks that the book reads
    "scenes": [(name, seed) for name in ("vit_cls", "resnet") for seed in range(3)]
    + [("vit_gap", 0), ("mixer", 0), ("vit_matched", 1), ("vit_cls_adamw", 0)],
    "cifar10": [("vit_cls", 0), ("resnet", 0)],
}


def recipe(name: str, tier: str) -> Recipe:
    """The recipe of a network of a tier; ValueError names the ones there are."""
    if name not in RECIPES.get(tier, {}):
        have = {t: sorted(r) for t, r in RECIPES.items()}
        raise ValueError(f"There is no recipe for {name!r} at tier {tier!r}; recipes: {have}.")
    return RECIPES[tier][name]


class Optimiser:
    """Muon on the inner matrices and AdamW on the rest, under one warm-up, constant, cool-down schedule."""

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        self.recipe = recipe
        inner: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for name, p in model.named_parameters():
            matrix = recipe.muon > 0 and p.ndim >= 2 and not name.startswith(OUTER)
            (inner if matrix else rest).append(p)
        self.inner = inner
        self.matrices = [p.detach().flatten(1) for p in inner]  # share memory: a convolution is a matrix to Muon
        self.parts: dict[str, torch.optim.Optimizer] = {"adamw": torch.optim.AdamW(rest, lr=recipe.adamw, weight_decay=recipe.weight_decay)}
        if inner:
            self.parts["muon"] = torch.optim.Muon(self.matrices, lr=recipe.muon, weight_decay=recipe.weight_decay)

    def step(self, step: int) -> None:
        """Apply the gradients of training step `step` and clear them."""
        scale = schedule(step, self.recipe.steps, self.recipe.warmup)
        for p, matrix in zip(self.inner, self.matrices, strict=True):
            matrix.grad = None if p.grad is None else p.grad.flatten(1)
            p.grad = None
        for name, part in self.parts.items():
            part.param_groups[0]["lr"] = scale * getattr(self.recipe, name)
            part.step()
            part.zero_grad()

    def tensors(self) -> dict[str, Tensor]:
        """The state as named tensors."""
        return {
            f"{name}/{i}/{key}": value
            for name, part in self.parts.items()
            for i, entries in part.state_dict()["state"].items()
            for key, value in entries.items()
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take the state that `tensors` gave."""
        for name, part in self.parts.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                owner, i, entry = key.split("/", 2)
                if owner == name:
                    state.setdefault(int(i), {})[entry] = value
            part.load_state_dict({"state": state, "param_groups": part.state_dict()["param_groups"]})


def schedule(step: int, steps: int, warmup: float = 0.05) -> float:
    """Share of the full rate at a step: warm-up, constant, linear to nothing over the last 40 %."""
    return min((step + 1) / max(warmup * steps, 1), (steps - step) / max(0.4 * steps, 1), 1.0)
