"""Do networks that see alike err alike? Similarity of representations against consistency of errors, over all pairs of networks.

Two square matrices over the same networks are compared pair by pair: CKA at matched depth (`seen`), and Cohen's kappa of being right
(`seelike.consistency.kappas`). A network is in many pairs, so that pairs are no independent observations: intervals and the null
distribution draw networks, never pairs (Snijders & Borgatti 1999; Krackhardt 1988).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import rankdata

from seelike import maps, models, tiers
from seelike.cards import Card, cards
from seelike.cka import CKA
from seelike.claims import words
from seelike.drift import learned
from seelike.images import Images
from seelike.intervals import Estimate, percentile
from seelike.tiers import Tier

FEWEST = 8  # networks: of fewer, an interval that draws networks says nothing
Matrix = Float[np.ndarray, "n n"]
FAMILIES = {"vit_cls": "ViT", "vit_gap": "ViT", "vit_map": "ViT", "resnet": "ResNet"}  # by architecture; others stand for none


def members(tier: str | Tier, *, lowest: float = 0.5, seeds: int = 2) -> dict[str, Card]:
    """Cards of the networks that can be compared, by `<role>-<seed>`: they have weights, answer the tier's own question, and learned it.

    lowest: of accuracy beyond chance (`drift.learned`). seeds: at most so many of a role, of those that the tier decides on. Networks with
    a backdoor are left out. {} where networks have no cards, or fewer than 8 are left.
    """
    chosen = tiers.get(tier)
    if not chosen.trained_here:
        return {}
    zoo = cards(chosen)
    held = [zoo[role, seed] for role, have in models.roles(chosen).items() for seed in models.deciding(have, chosen)[:seeds]]
    kept = {card.label: card for card in held if _comparable(card) and learned(card.accuracy, chosen.classes) > lowest}
    return kept if len(kept) >= FEWEST else {}


def _comparable(card: Card) -> bool:
    return card.made.target is None and card.made.trigger is None


def kinds(families: Sequence[str]) -> list[str]:
    """What every pair (as in `pairs`) consists of: `two ViTs`, `two ResNets`, `ViT and ResNet`, or `other`."""
    names = {"ViT ViT": "two ViTs", "ResNet ResNet": "two ResNets", "ResNet ViT": "ViT and ResNet"}
    rows, columns = np.triu_indices(len(families), 1)
    return [names.get(" ".join(sorted((families[i], families[j]))), "other") for i, j in zip(rows.tolist(), columns.tolist(), strict=True)]


def noisy(images: Images, sd: float, seed: int = 0) -> Images:
    """Images with Gaussian noise of a standard deviation in grey levels (of 255), the same for every network; ValueError below 0."""
    if sd < 0:
        raise ValueError(f"The standard deviation of noise is 0 or more, got {sd}.")
    noise = torch.randn(images.pixels.shape, generator=torch.Generator().manual_seed(seed))
    pixels = (images.pixels.float() + sd * noise).round().clamp(0, 255).to(torch.uint8)
    return Images(pixels, images.labels, images.classes, batch_size=images.batch_size)


def seen(found: CKA) -> Matrix:
    """Mean CKA of layers at the same relative depth (`maps.same_depth`, from both sides) for every two networks of a sweep."""
    m, owners = found.compute().to_numpy(), [label.partition("/")[0] for label in found.layers]
    rows = [np.array([owner == name for owner in owners]) for name in found.networks]
    return np.array([[(maps.same_depth(m[np.ix_(a, b)]) + maps.same_depth(m[np.ix_(b, a)])) / 2 for b in rows] for a in rows])


def pairs(m: Matrix) -> Float[np.ndarray, " pairs"]:
    """The values above the diagonal, one a pair of networks."""
    return m[np.triu_indices(len(m), 1)]


def given_accuracy(accuracy: Float[np.ndarray, " n"]) -> list[Matrix]:
    """What accuracies alone say of a pair of networks: their mean, and how far they lie apart."""
    a, b = accuracy[:, None], accuracy[None, :]
    return [(a + b) / 2, np.abs(a - b)]


def rank_correlation(
    x: Float[np.ndarray, " pairs"], y: Float[np.ndarray, " pairs"], given: Sequence[Float[np.ndarray, " pairs"]] = ()
) -> float:
    """Spearman's rank correlation; with `given`, the partial one: of what linear regression on the ranks of these leaves of both ranks.

    NaN where one of the two does not vary, or nothing of it is left.
    """
    ranks = [rankdata(v) for v in (x, y, *given)]
    design = np.stack([np.ones(len(x)), *ranks[2:]], 1)
    a, b = (r - design @ np.linalg.lstsq(design, r, rcond=None)[0] for r in ranks[:2])
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 1e-9 * len(x) ** 3 else float("nan")


def agreement(x: np.ndarray, y: np.ndarray, given: Sequence[np.ndarray] = (), *, draws: int = 500, seed: int = 0) -> Estimate:
    """Rank correlation of two matrices over pairs of networks, with an interval that draws networks with replacement.

    x, y, given: symmetric matrices (n, n) over the same networks; `given` as in `rank_correlation`.
    Pairs of a network with itself, which a draw may hold, are left out. ValueError for matrices of different networks, or fewer than 8.
    """
    n = len(x)
    if n < FEWEST or any(np.shape(m) != (n, n) for m in (y, *given)):
        shapes = [np.shape(m) for m in (x, y, *given)]
        raise ValueError(f"Agreement needs square matrices over the same networks, at least {FEWEST} of them, got shapes {shapes}.")
    rng, upper = np.random.default_rng(seed), np.triu_indices(n, 1)

    def of(rows: np.ndarray) -> float:
        a, b = rows[upper[0]], rows[upper[1]]
        kept = a != b
        x_, y_, *given_ = (m[a[kept], b[kept]] for m in (x, y, *given))
        return rank_correlation(x_, y_, given_)

    drawn = np.array([of(rng.integers(0, n, n)) for _ in range(draws)])
    return percentile(of(np.arange(n)), drawn[~np.isnan(drawn)])


def by_chance(x: Matrix, y: Matrix, *, draws: int = 500, seed: int = 0) -> Float[np.ndarray, " draws"]:
    """Rank correlations after the networks of one matrix have changed names at random: what an agreement is to be beyond."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(x)) for _ in range(draws)]
    return np.array([rank_correlation(pairs(x[np.ix_(o, o)]), pairs(y)) for o in orders])


def told(found: Estimate, given: Estimate, chance: Float[np.ndarray, " draws"], networks: int) -> str:
    """A sentence about the rank correlation over all pairs, that given accuracies, and what names changed at random give."""
    if min(found.low, given.low) > 0:
        answer = "Networks that see alike err alike, and more so than their accuracies explain"
    elif found.low > 0:
        answer = "Networks that see alike err alike, but accuracies may explain it"
    else:
        answer = "It cannot be told whether networks that see alike err alike"
    low, high = np.quantile(chance, [0.025, 0.975])
    pairs_ = networks * (networks - 1) // 2
    return (
        f"{answer}: over {pairs_} pairs of {networks} networks, the rank correlation of CKA and kappa is {words(*found)}, and "
        f"{words(*given)} given the accuracies. With the names of networks changed at random, it lies between {low:.2f} and {high:.2f}."
    )
