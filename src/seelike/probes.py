"""Linear probes: what a layer, or one token of it, makes easy to read.

Few-shot ridge regression onto -1 and +1 in closed form, as in Raghu et al. 2021 (Sec. 6) and Zhai et al. 2021: features are
standardised by the shots, the penalty is chosen by leave-one-out error. All positions of a layer are probed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from seelike.capture import capture, each_batch, gap, listening
from seelike.images import Images

PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # per example, of standardised features
View = Callable[[Tensor], Tensor]


class RidgeProbe:
    """L2-regularised least squares onto -1 and +1, one column a class; any leading dimensions are separate probes.

    penalties: candidates for the penalty per example; each probe takes the one with the least leave-one-out error.
    After `fit`: weight_ (*, c, classes), bias_ (*, 1, classes), penalty_ (*).
    """

    def __init__(self, penalties: Sequence[float] = PENALTIES) -> None:
        if not penalties or min(penalties) <= 0:
            raise ValueError(f"Penalties must be positive numbers, at least one, got {penalties!r}.")
        self.penalties = tuple(penalties)

    def fit(self, x: Float[Tensor, "*p n c"], y: Int[Tensor, " n"], classes: int) -> RidgeProbe:
        """Fit to n examples; ValueError when a class has none."""
        _check(x, y, classes)
        x = x.double()
        mean, scale = x.mean(-2, keepdim=True), x.std(-2, keepdim=True, correction=0) + 1e-5
        target = torch.nn.functional.one_hot(y, classes).double() * 2 - 1
        level = target.mean(0)
        u, s, vt = torch.linalg.svd((x - mean) / scale, full_matrices=False)
        ut = u.mT @ (target - level)
        n = len(y)
        best = torch.full(x.shape[:-2], torch.inf, dtype=torch.float64)
        weight = torch.zeros(*x.shape[:-2], x.shape[-1], classes, dtype=torch.float64)
        self.penalty_ = torch.zeros(x.shape[:-2], dtype=torch.float64)
        for penalty in self.penalties:
            shrink = s / (s.square() + penalty * n)
            kept = s * shrink
            leverage = (u.square() * kept[..., None, :]).sum(-1, keepdim=True) + 1 / n
            left_out = (target - level - u @ (kept[..., None] * ut)) / (1 - leverage).clamp_min(1e-9)
            error = left_out.square().mean((-2, -1))
            better = error < best
            best = torch.where(better, error, best)
            self.penalty_ = torch.where(better, torch.full_like(best, penalty), self.penalty_)
            weight = torch.where(better[..., None, None], vt.mT @ (shrink[..., None] * ut), weight)
        self.weight_ = weight / scale.mT
        self.bias_ = level - mean @ self.weight_
        return self

    def predict(self, x: Float[Tensor, "*p n c"]) -> Int[Tensor, "*p n"]:
        """The class with the highest score."""
        return (x.double() @ self.weight_ + self.bias_).argmax(-1)


class LogisticProbe:
    """Multinomial logistic regression on standardised features (scikit-learn), for one set of features.

    penalty: inverse of scikit-learn's C. After `fit`: model_, the fitted pipeline.
    """

    def __init__(self, penalty: float = 1.0) -> None:
        self.penalty = penalty

    def fit(self, x: Float[Tensor, "n c"], y: Int[Tensor, " n"], classes: int) -> LogisticProbe:
        """Fit to n examples; ValueError when a class has none."""
        _check(x, y, classes)
        self.model_: Pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=1 / self.penalty, max_iter=1000))
        self.model_.fit(x.double().numpy(), y.numpy())
        return self

    def predict(self, x: Float[Tensor, "n c"]) -> Int[Tensor, " n"]:
        """The most probable class."""
        return torch.from_numpy(self.model_.predict(x.double().numpy()))


def _check(x: Tensor, y: Tensor, classes: int) -> None:
    n = x.shape[-2] if x.ndim > 1 else 0
    if n != len(y):
        raise ValueError(f"A probe needs one label for each of the {n} examples, got {len(y)}.")
    if not torch.isfinite(x).all():
        raise ValueError("The features hold NaN or infinite numbers: a probe cannot be fitted to them.")
    if len(y) and not 0 <= int(y.min()) <= int(y.max()) < classes:
        raise ValueError(f"Labels run from {int(y.min())} to {int(y.max())}: expected 0 to {classes - 1} for {classes} classes.")
    if absent := sorted(set(range(classes)) - set(y.tolist())):
        raise ValueError(f"The shots hold no example of class {', '.join(map(str, absent))}: draw at least one of each of the {classes}.")


def shots(y: Int[Tensor, " n"], per_class: int, classes: int, seed: int = 0) -> Int[Tensor, " k"]:
    """Rows of `per_class` random examples of every class; ValueError when a class has fewer."""
    g = torch.Generator().manual_seed(seed)
    rows = []
    for c in range(classes):
        own = (y == c).nonzero()[:, 0]
        if len(own) < per_class:
            raise ValueError(f"{per_class} shots of class {c} were asked for, but the set has {len(own)}: give more images.")
        rows.append(own[torch.randperm(len(own), generator=g)[:per_class]])
    return torch.cat(rows)


def affordable(y: Int[Tensor, " n"], classes: int, most: int = 10) -> int:
    """Shots a class that a set can give: as many as its rarest class has, between 1 and `most`; `shots` refuses a class that has none."""
    return max(min(int(y.bincount(minlength=classes).min()), most), 1)


@torch.no_grad()
def features(
    model: nn.Module, layers: Sequence[str], loader: Iterable[Any], view: View = gap
) -> tuple[dict[str, Float[Tensor, "n ..."]], Int[Tensor, " n"]]:
    """What a view keeps of each layer, for all images, and the images' labels: for the few that a probe is fitted to."""
    found: dict[str, list[Tensor]] = {}
    labels = []
    with listening(model), capture(model, layers, reduce=lambda h: view(h).detach().clone().cpu()) as taps:
        for x, y in each_batch(model, loader):
            if y is None:
                raise ValueError("A batch came without labels: give a loader of (images, labels).")
            model(x)
            labels.append(y)
            for tap, value in taps.items():
                found.setdefault(tap, []).append(value)
    return {tap: torch.cat(parts) for tap, parts in found.items()}, torch.cat(labels)


@torch.no_grad()
def few_shot(
    model: nn.Module,
    layers: Sequence[str],
    train: Iterable[Any],
    test: Iterable[Any],
    classes: int,
    *,
    view: View = gap,
    per_class: int = 10,
    draws: int = 3,
) -> dict[str, Float[np.ndarray, "batches positions"]]:
    """Test accuracy of ridge probes at every layer, one value per batch of `test`, averaged over draws of the shots.

    train: images to draw shots from. view: (b, c), or (b, positions, c) for one probe per position. Features of `test` are
    classified batch by batch and not kept. ValueError where a class has too few images.
    """
    if (told := getattr(train, "labels", None)) is not None:
        shots(told, per_class, classes)  # too few are known before the features of thousands of images fill the memory
    drawn = None
    if isinstance(train, Images) and not train.drop_last:  # its rows are known before it is read: no features of those that are not shown
        drawn = [shots(train.labels, per_class, classes, draw) for draw in range(draws)]
        used = torch.cat(drawn).unique()
        train = replace(train, pixels=train.pixels[used], labels=train.labels[used])
        drawn = [torch.searchsorted(used, rows) for rows in drawn]
    held, labels = features(model, layers, train, view)
    drawn = drawn or [shots(labels, per_class, classes, draw) for draw in range(draws)]
    probes = {}
    for draw, rows in enumerate(drawn):
        for tap, x in held.items():
            probes[tap, draw] = RidgeProbe().fit(_by_position(x[rows]), labels[rows], classes)
    right: dict[str, list[Tensor]] = {tap: [] for tap in held}
    with listening(model), capture(model, layers, reduce=lambda h: _by_position(view(h)).cpu()) as taps:
        for x, y in each_batch(model, test):
            model(x)
            for tap, h in taps.items():
                scores = [(probes[tap, draw].predict(h) == y).double().mean(-1) for draw in range(draws)]
                right[tap].append(torch.stack(scores).mean(0))
    return {tap: torch.stack(parts).cpu().numpy() for tap, parts in right.items()}


def _by_position(x: Tensor) -> Tensor:
    return (x[:, None] if x.ndim == 2 else x).transpose(0, 1)
