"""Whether positions keep their place: statistics of CKA between the positions of a layer and the patches of the image.

A table holds the CKA of every position (rows) with every patch (columns), both row by row over one square grid (`table`).
Probes ask what single positions tell of the image (Raghu et al. 2021, Sec. 6, Figs 9 to 11).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from seelike import capture, probes
from seelike.cka import CKA, localization_sweep
from seelike.intervals import Resampled, bootstrap

Table = Float[np.ndarray, "positions patches"]
Where = Literal["interior", "everywhere"]
AGGREGATES = ("class token", "mean of patches", "mean of tokens", "first patch")


def at_last_block(model: nn.Module, loader: Iterable[Any]) -> CKA:
    """CKA of every position of the last block with every patch (`cka.localization_sweep`).

    ValueError for networks whose blocks are not known and for a grid without interior positions.
    """
    found = localization_sweep(model, capture.layers(model)[-1], loader)
    interior(side(len(found.layers) // 2))
    return found


def table(m: Float[np.ndarray, "l l"]) -> Table:
    """The block positions x patches of a map over positions and patches."""
    n = len(m) // 2
    return m[:n, n:]


def pixels(m: Float[np.ndarray, "l l"]) -> Table:
    """The block patches x patches of such a map: how far the patches of these images are alike."""
    n = len(m) // 2
    return m[n:, n:]


def resampled(found: CKA, f: Callable[[Table], float], of: Callable[[np.ndarray], Table] = table) -> Resampled:
    """A statistic of the table (of: or of the `pixels`), of all batches and on resamples of them (`CKA.bootstrap`)."""
    return found.bootstrap(lambda m: f(of(m)))


def side(positions: int) -> int:
    """Positions along a side of a square grid; ValueError where they make none."""
    return capture.grid(positions, 0)[0]


def interior(side: int) -> Bool[np.ndarray, " positions"]:
    """Positions that are not at the edge of a side x side grid; ValueError where all are."""
    if side < 3:
        raise ValueError(f"A grid of {side} x {side} positions has none that is not at the edge: at least 3 x 3 were expected.")
    row, column = np.divmod(np.arange(side**2), side)
    return (np.minimum(row, column) > 0) & (np.maximum(row, column) < side - 1)


def _rows(t: Table, where: Where) -> Bool[np.ndarray, " positions"]:
    inside = interior(side(len(t)))
    return inside if where == "interior" else np.ones_like(inside)


def own_share(t: Table, where: Where = "interior") -> float:
    """Share of positions whose most similar patch is their own (Raghu et al. 2021, Figs 9 and 10)."""
    return float((t.argmax(1) == np.arange(len(t)))[_rows(t, where)].mean())


def own_lead(t: Table, where: Where = "interior") -> float:
    """CKA of positions with their own patch minus the mean of that with all others (Raghu et al. 2021, Fig. 9)."""
    others = (t.sum(1) - np.diag(t)) / (len(t) - 1)
    return float((np.diag(t) - others)[_rows(t, where)].mean())


def toward_edge(t: Table, tokens: Literal["corner", "interior"] = "corner") -> float:
    """CKA of the corner positions (or of those of the interior) with patches of the edge minus that with patches of the interior.

    The own patch of a position is left out.
    """
    n = side(len(t))
    inside, other = interior(n), ~np.eye(len(t), dtype=bool)
    corner = np.isin(np.arange(len(t)), [0, n - 1, n**2 - n, n**2 - 1])
    pick = (corner if tokens == "corner" else inside)[:, None] & other
    return float(t[pick & ~inside].mean() - t[pick & inside].mean())


def edge_lead(t: Table) -> float:
    """How much more the corner positions lean `toward_edge` than those of the interior."""
    return toward_edge(t) - toward_edge(t, "interior")


def corrected_range(mean: Float[np.ndarray, " positions"], square: Float[np.ndarray, " positions"], batches: int) -> float:
    """Range, in points, of the accuracies of positions, without what the choice of images adds to it; near 0 where all are equal.

    mean, square: means over batches of images of each position's accuracy (0 to 1) minus the mean over positions in that batch, and of its
    square: they give the variance that the images bring. The range shrinks as the standard deviation does without this variance.
    """
    noise = (square - mean**2).mean() / (batches - 1)
    seen = mean.var(ddof=1)
    real = max(1 - noise / seen, 0.0) if seen > 0 else 0.0
    return float(100 * (mean.max() - mean.min()) * real**0.5)


def spread(single: Float[np.ndarray, "batches positions"]) -> Resampled:
    """The `corrected_range` of the accuracies of positions, on resamples of the batches."""
    away = single - single.mean(1, keepdims=True)
    return bootstrap(partial(corrected_range, batches=len(single)), away, away**2)


def pooling_gain(single: Float[np.ndarray, " positions"], together: float) -> float:
    """Accuracy of a probe on the mean of all patches minus the mean over single ones, in points; both from 0 to 1."""
    return float(100 * (together - single.mean()))


def advantage(one: Float[np.ndarray, " positions"], other: Float[np.ndarray, " places"]) -> float:
    """Mean accuracy over the single positions of one network minus that of another, in points."""
    return float(100 * (one.mean() - other.mean()))


def ceiling(single: Float[np.ndarray, " positions"]) -> float:
    """The largest factor by which any accuracies could exceed the mean of these."""
    return float(1 / single.mean())


def spots(side: int) -> list[tuple[int, int]]:
    """Row and column, in a grid of side x side, of the four tokens that Raghu et al. 2021 show of ViT-B/32 (7 x 7) in Figs 9 and 10."""
    return [(round(r * (side - 1) / 6), round(c * (side - 1) / 6)) for r, c in ((0, 0), (2, 1), (4, 2), (4, 4))]


@torch.no_grad()
def _last(model: nn.Module, loader: Iterable[Any]) -> Tensor:
    """What the last block gives for the first image."""
    last = capture.layers(model)[-1]
    with capture.listening(model), capture.capture(model, [last]) as found:
        for x, _ in capture.each_batch(model, loader):
            model(x[:1])
            break
    return found[last]


def last_side(model: nn.Module, loader: Iterable[Any]) -> int:
    """Positions along a side of the last block's grid, class token and registers left out."""
    return side(capture.patches(_last(model, loader)).shape[1])


def positions(h: Float[Tensor, "b ..."], side: int) -> Float[Tensor, "b positions c"]:
    """Tokens without the prefix, or a feature map averaged to side x side, as positions."""
    return capture.patches(adaptive_avg_pool2d(h, side) if h.ndim == 4 else h)


def by_depth(model: nn.Module, loader: Iterable[Any]) -> dict[int, Table]:
    """Tables by number of the block: every second block and the last but one of a ViT, the last three of a network of feature maps.

    Early feature maps have more positions than can be compared in pairs. (Raghu et al. 2021, Figs D.1 to D.3.)
    """
    blocks = capture.layers(model)
    every = range(len(blocks))
    numbers = every[-3:] if _last(model, loader).ndim == 4 else sorted({*every[1::2], *every[-2:]})
    return {i: table(localization_sweep(model, blocks[i], loader).compute().to_numpy()) for i in numbers}


def single_tokens(model: nn.Module, shown: Any, asked: Any, layers: Sequence[str]) -> dict[str, Float[np.ndarray, "batches positions"]]:
    """Ten-shot accuracy of every position of some blocks, by batch (`probes.few_shot`).

    Feature maps are averaged to the grid of the last block first.
    """
    n = last_side(model, asked)
    return probes.few_shot(model, layers, shown, asked, len(shown.classes), view=lambda h: positions(h, n))


def one_and_all(model: nn.Module, shown: Any, asked: Any) -> Float[np.ndarray, "batches columns"]:
    """Ten-shot accuracy, by batch, of every position of the last block (class token left out) and, in the last column, of their mean."""
    last = capture.layers(model)[-1]

    def view(h: Tensor) -> Tensor:
        grid = capture.patches(h)
        return torch.cat([grid, grid.mean(1, keepdim=True)], 1)

    return probes.few_shot(model, [last], shown, asked, len(shown.classes), view=view)[last]


def aggregates(h: Float[Tensor, "b ..."]) -> Float[Tensor, "b aggregates c"]:
    """Of one layer the class token (if there is one), the mean of patches, the mean of all tokens, and the first patch (`AGGREGATES`)."""
    every, grid = capture.tokens(h), capture.patches(h)
    first = [every[:, 0]] if every.shape[1] > grid.shape[1] else []
    return torch.stack([*first, grid.mean(1), every.mean(1), grid[:, 0]], 1)


def together(model: nn.Module, shown: Any, asked: Any) -> dict[str, Float[np.ndarray, "batches layers"]]:
    """Ten-shot accuracy of `aggregates` at every block, by batch; without a class token there is no entry for it."""
    found = probes.few_shot(model, capture.layers(model), shown, asked, len(shown.classes), view=aggregates)
    stacked = np.stack(list(found.values()), 1)
    return {name: stacked[..., i] for i, name in enumerate(AGGREGATES[-stacked.shape[-1] :])}


def on_and_off(
    model: nn.Module, shown: Any, asked: Any, groups: Callable[[int], Sequence[Bool[Tensor, "n positions"]]]
) -> Float[np.ndarray, "groups layers"]:
    """Ten-shot accuracy of single positions of every second block, averaged over groups of positions of the asked images.

    groups: of a grid with so many positions a side, such as `scenes.Scenes.on_grid`. Feature maps are averaged to the grid of the last
    block. One draw of shots; ValueError where a class has too few images.
    """
    classes, layers = len(shown.classes), capture.layers(model)[1::2]
    rows = probes.shots(shown.labels, 10, classes)
    n = last_side(model, asked)
    (x, y), (z, truth) = (probes.features(model, layers, d, lambda h: positions(h, n)) for d in (shown, asked))
    found = []
    for layer in layers:
        probe = probes.RidgeProbe().fit(x[layer][rows].transpose(0, 1), y[rows], classes)
        right = (probe.predict(z[layer].transpose(0, 1)) == truth).T
        found.append([right[where].double().mean().item() for where in groups(n)])
    return np.transpose(found)


def best_guess(truth: Int[Tensor, " n"], classes: Sequence[str], where: Bool[Tensor, "n positions"]) -> float:
    """Share of right answers of someone who gives at each position the class that is most frequent there in a group of images."""
    counts = torch.stack([(where & (truth == c)[:, None]).sum(0) for c in range(len(classes))])
    return (counts.amax(0).sum() / where.sum()).item()
