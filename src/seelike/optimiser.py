"""The one optimiser of all recipes.

- Muon on the weight matrices inside the network, AdamW on the rest (embeddings, positions, norms, biases, head), for every
  architecture alike; chapter 1 shows what AdamW alone does.
- The rate warms up over 5 % of the run, stays, and falls linearly to nothing over the last 40 %, unless a recipe says otherwise.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seelike.recipes import Recipe

OUTER = ("patch_embed", "stem", "conv1", "head", "fc")  # weights at either end, left to AdamW


class Optimiser:
    """Muon on the inner matrices and AdamW on the rest, under one warm-up, constant, cool-down schedule.

    Muon sees a convolution's weight as a matrix over the same memory. ValueError where there is no such matrix (channels_last), or
    no longer (the network was moved since): the weights would never be trained.
    """

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        self.recipe = recipe
        inner: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for name, p in model.named_parameters():
            matrix = recipe.muon > 0 and p.ndim >= 2 and name.endswith("weight") and not name.startswith(OUTER)
            (inner if matrix else rest).append(p)
        self.inner = inner
        self.matrices = [p.detach().flatten(1) for p in inner]
        self._check()
        head = [p for name, p in model.named_parameters() if name.startswith(("head", "fc"))]
        body = [p for p in rest if not any(p is h for h in head)]
        decay = recipe.weight_decay if recipe.head_decay is None else recipe.head_decay
        groups: list[dict[str, Any]] = [{"params": body}, {"params": head, "weight_decay": decay}]
        adamw = torch.optim.AdamW(groups, lr=recipe.adamw, weight_decay=recipe.weight_decay)
        self.parts: dict[str, torch.optim.Optimizer] = {"adamw": adamw}
        if inner:
            self.parts["muon"] = torch.optim.Muon(self.matrices, lr=recipe.muon, weight_decay=recipe.weight_decay)

    def step(self, step: int) -> None:
        """Apply the gradients of training step `step` and clear them."""
        self._check()
        scale = schedule(step, self.recipe.steps, self.recipe.warmup, self.recipe.cool)
        for p, matrix in zip(self.inner, self.matrices, strict=True):
            matrix.grad = None if p.grad is None else p.grad.flatten(1)
            p.grad = None
        for name, part in self.parts.items():
            for group in part.param_groups:
                group["lr"] = scale * getattr(self.recipe, name)
            part.step()
            part.zero_grad()

    def _check(self) -> None:
        for p, matrix in zip(self.inner, self.matrices, strict=True):
            if p.data_ptr() != matrix.data_ptr():
                raise ValueError(
                    f"A weight of shape {tuple(p.shape)} shares no memory with Muon's matrix: keep weights in torch.contiguous_format, "
                    "and move the network before its optimiser is made."
                )

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


def schedule(step: int, steps: int, warmup: float = 0.05, cool: float = 0.4) -> float:
    """Share of the full rate at a step: warm-up, constant, linear to nothing over the last share `cool` (0: constant to the end)."""
    return min((step + 1) / max(warmup * steps, 1), (steps - step) / max(cool * steps, 1), 1.0)
