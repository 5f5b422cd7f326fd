"""Two measures of similarity beside CKA, to see whether a finding is about networks or about CKA.

- Procrustes similarity: how well one representation fits another after shift, scaling and rotation (Ding, Denain & Steinhardt 2021,
  whose distance is d² = 2 - 2 s for the similarity s; `scipy.linalg.orthogonal_procrustes` gives the same sum of singular values).
- Mutual nearest neighbours: how many of an image's nearest neighbours two representations have in common (Huh et al. 2024).

Both need the features themselves: views with few of them (`capture.gap`, `capture.cls`). Both have a floor above 0: Procrustes similarity
grows with features per image, and chance alone shares k of n - 1 neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from seelike.capture import capture, each_batch, gap, listening
from seelike.intervals import Resampled, resampling

Features = Float[Tensor, "batches n _"]
Measure = Literal["Procrustes", "mutual neighbours"]
NEIGHBOURS = 10  # of an image, among those of its batch
DRAWS = 50  # resamples: a standard error from so many is known to a tenth


def procrustes(x: Float[Tensor, "n p"], y: Float[Tensor, "m q"]) -> float:
    """Similarity of two representations of the same n images after shift, scaling and rotation: 1 for the same up to these, 0 for
    uncorrelated features; NaN where one does not vary.
    """
    _same_images(len(x), len(y))
    a, b = (v.double() - v.double().mean(0) for v in (x, y))
    return float(torch.linalg.svdvals(a.T @ b).sum() / (a.norm() * b.norm()))


def mutual_neighbours(x: Float[Tensor, "n p"], y: Float[Tensor, "m q"], k: int = NEIGHBOURS) -> float:
    """Mean share of an image's k nearest neighbours (by cosine) that two representations of the same n images have in common."""
    _same_images(len(x), len(y))
    return _common(_neighbours(x, k), _neighbours(y, k))


def _same_images(x: int, y: int) -> None:
    if x != y:
        raise ValueError(f"Both representations must hold the same images, got {x} and {y}.")


def _neighbours(x: Float[Tensor, "n d"], k: int) -> Int[np.ndarray, "n k"]:
    if not 0 < k < len(x):
        raise ValueError(f"An image has {len(x) - 1} neighbours among {len(x)} images: ask for 1 to {len(x) - 1} of them, not {k}.")
    return np.asarray(NearestNeighbors(n_neighbors=k, metric="cosine").fit(x.double().numpy()).kneighbors(return_distance=False))


def _common(a: Int[np.ndarray, "n k"], b: Int[np.ndarray, "n k"]) -> float:
    return float((a[:, :, None] == b[:, None, :]).any(2).mean())


@torch.no_grad()
def features(
    models: Mapping[str, nn.Module], loader: Iterable[Any], layers: Mapping[str, Sequence[str]], view: Callable[[Tensor], Tensor] = gap
) -> dict[str, Features]:
    """Features of every layer of all networks over batches of one size; labels are `<model>/<layer>`.

    layers: by network. view: what of a layer is kept (`gap`, `cls`). ValueError without images.
    """
    held: dict[str, list[Tensor]] = {f"{name}/{layer}": [] for name, model in models.items() for layer in layers[name]}
    with listening(*models.values()):
        for batch in loader:
            for name, model in models.items():
                with capture(model, layers[name], reduce=view) as found:
                    model(next(each_batch(model, [batch]))[0])
                for layer in layers[name]:
                    held[f"{name}/{layer}"].append(found[layer].float().cpu())
    if not all(held.values()):
        raise ValueError("No batch came: give a loader with images, such as data.load(...).")
    return {label: torch.stack(parts) for label, parts in held.items()}


class Maps:
    """Similarity of all pairs of layers of networks under a measure, from features by `<network>/<layer>`, with resamples of the batches.

    Resamples are those of `CKA.bootstrap`, of which the first `draws` are taken.
    """

    def __init__(self, found: Mapping[str, Features], measure: Measure, draws: int = DRAWS) -> None:
        self.found, self.layers = dict(found), list(found)
        self.of_pairs = {"Procrustes": _procrustes_maps, "mutual neighbours": _neighbour_maps}[measure]
        self.batches = len(next(iter(self.found.values())))
        counts = resampling(self.batches, draws, 0)
        self.weights = torch.from_numpy(np.concatenate([np.ones((1, self.batches)), counts])).double()

    def resampled(self, *networks: str) -> Float[np.ndarray, "draws l l"]:
        """The map of all layers of some networks: of all batches first, then of every resample."""
        chosen = [x for name in networks for label, x in self.found.items() if label.partition("/")[0] == name]
        m = np.empty((len(self.weights), len(chosen), len(chosen)))
        for (i, j), values in self.of_pairs(chosen, self.weights).items():
            m[:, i, j] = m[:, j, i] = values
        return m

    def bootstrap(self, f: Callable[..., Any], *networks: str) -> Resampled:
        """A function of the blocks of two networks (V x V, R x R, V x R), or of one network's own block (as `CKA.bootstrap`)."""
        have = [label.partition("/")[0] for label in self.layers]
        if missing := [name for name in networks if name not in have]:
            raise ValueError(f"No features of {', '.join(missing)} are here: expected networks among {', '.join(dict.fromkeys(have))}.")
        n = have.count(networks[0])
        made = [f(m[:n, :n], m[n:, n:], m[:n, n:]) if len(networks) == 2 else f(m) for m in self.resampled(*networks)]
        return Resampled(made[0], np.asarray(made[1:]), self.batches)


Pairs = dict[tuple[int, int], np.ndarray]


def _procrustes_maps(found: Sequence[Features], weights: Float[Tensor, "draws batches"]) -> Pairs:
    """Of sums over batches: cross-products, squares and means of features add up, so that a resample needs no second pass."""
    held = [x.double() for x in found]
    images = weights.sum(1) * held[0].shape[1]
    sums = [weights @ x.sum(1) for x in held]
    norms = [((weights @ x.square().sum((1, 2))) - s.square().sum(1) / images).sqrt() for x, s in zip(held, sums, strict=True)]
    pairs: Pairs = {}
    for i, j in combinations_with_replacement(range(len(held)), 2):
        cross = torch.einsum("db,bpq->dpq", weights, held[i].mT @ held[j]) - sums[i][:, :, None] * sums[j][:, None] / images[:, None, None]
        pairs[i, j] = (torch.linalg.svdvals(cross).sum(1) / (norms[i] * norms[j])).numpy()
    return pairs


def _neighbour_maps(found: Sequence[Features], weights: Float[Tensor, "draws batches"]) -> Pairs:
    """Of means over batches: neighbours are sought within each."""
    near = [[_neighbours(batch, NEIGHBOURS) for batch in x] for x in found]
    share = (weights / weights.sum(1, keepdim=True)).numpy()
    return {
        (i, j): share @ np.array([_common(a, b) for a, b in zip(near[i], near[j], strict=True)])
        for i, j in combinations_with_replacement(range(len(found)), 2)
    }
