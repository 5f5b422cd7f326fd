"""Estimates and their intervals: the one home of bootstrap, jackknife, Wilson's interval and what is made of them.

Measures give one value per batch of images, (batches, ...): the first axis is what is resampled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool
from scipy.stats import binomtest
from scipy.stats import t as student
from torch import Tensor

NORMAL = 1.959964  # standard errors on either side of a 95 % interval


class Estimate(NamedTuple):
    """A number with its 95 % interval."""

    estimate: float
    low: float
    high: float


class Resampled(NamedTuple):
    """A statistic of all images, the same on resamples of their batches (draws, ...), and the number of batches."""

    value: Any
    draws: np.ndarray
    batches: int

    def minus(self, other: Resampled) -> Resampled:
        """The difference of two statistics on the same resamples."""
        if self.batches != other.batches or len(self.draws) != len(other.draws):
            raise ValueError(f"A difference needs the same batches and draws, got {self.batches} and {other.batches} batches.")
        return Resampled(self.value - other.value, self.draws - other.draws, self.batches)


def resampling(batches: int, draws: int, seed: int) -> np.ndarray:
    """How often each batch is in each resample, (draws, batches): the same for all that was measured on as many batches."""
    if batches < 2:
        raise ValueError(f"A bootstrap interval needs at least 2 batches of images, got {batches}: take more images, or smaller batches.")
    return np.random.default_rng(seed).multinomial(batches, np.full(batches, 1 / batches), draws)


def bootstrap(f: Callable[..., Any], *batches: np.ndarray, draws: int = 200, seed: int = 0) -> Resampled:
    """Any function of means over batches: of all batches, and of `draws` resamples of the batches.

    batches: arrays (batches, ...) measured on the same batches of images; `f` takes the mean over the first axis of each.
    The same resamples come up as in `CKA.bootstrap`. ValueError for fewer than 2 batches, or different numbers of them.
    """
    n = len(batches[0])
    if any(len(b) != n for b in batches):
        raise ValueError(f"A bootstrap interval needs the same batches in every array, got {[len(b) for b in batches]}.")
    weights = resampling(n, draws, seed) / n
    resampled = [np.tensordot(weights, b, 1) for b in batches]
    return Resampled(f(*(b.mean(0) for b in batches)), np.asarray([f(*means) for means in zip(*resampled, strict=True)]), n)


def combine(f: Callable[..., Any], *statistics: Resampled) -> Resampled:
    """A function of statistics on the same resamples; ValueError where their batches differ, or without any."""
    if len({(s.batches, len(s.draws)) for s in statistics}) != 1:
        raise ValueError(f"A combination needs the same batches and draws, got {[s.batches for s in statistics]} batches.")
    draws = [f(*each) for each in zip(*(s.draws for s in statistics), strict=True)]
    return Resampled(f(*(s.value for s in statistics)), np.asarray(draws), statistics[0].batches)


def batched(values: np.ndarray, batches: int) -> np.ndarray:
    """Means (batches, ...) of values (images, ...) over batches of one size, for `bootstrap`."""
    if batches < 1 or len(values) % batches:
        raise ValueError(f"Batches of one size need a number of batches that divides {len(values)} images, got {batches}.")
    return np.asarray(values.reshape(batches, -1, *values.shape[1:]).mean(1))


def ratio(a: np.ndarray, b: np.ndarray) -> float:
    """The mean of one quantity over the mean of another."""
    return float(a.mean() / b.mean())


def bootstrap_error(draws: np.ndarray, batches: int) -> np.ndarray:
    """Standard error from bootstrap draws along the first axis, corrected for the small number of batches."""
    return np.asarray(np.std(draws, axis=0, ddof=1) * np.sqrt(batches / (batches - 1)))


def jackknife_error(leave: np.ndarray) -> np.ndarray:
    """Standard error from leave-one-out values along the first axis (Efron & Tibshirani 1993, Eq. 11.5)."""
    return np.asarray(np.sqrt((len(leave) - 1) * np.var(leave, axis=0)))


def estimate(seeds: Sequence[Resampled]) -> Estimate:
    """Mean over seeds of a statistic that every seed gives on the same batches of images, with an interval over seeds and images.

    The two half-widths, each with its own Student's t, are added in quadrature; one seed has images only.
    """
    if not seeds:
        raise ValueError("An estimate needs the statistic of at least one seed, got none.")
    values, batches = [float(s.value) for s in seeds], seeds[0].batches
    if any(s.batches != batches for s in seeds):
        raise ValueError(f"All seeds must be measured on the same batches, got {[s.batches for s in seeds]} batches.")
    half = student.ppf(0.975, batches - 1) * bootstrap_error(np.mean([s.draws for s in seeds], axis=0), batches)
    return around(float(np.mean(values)), float(np.hypot(half, over_seeds(values))))


def over_seeds(values: Sequence[float]) -> float:
    """Half-width of Student's 95 % interval of a mean over seeds; 0 for one seed, which knows nothing of others."""
    return 0.0 if len(values) < 2 else float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)


def over_left_out(values: Sequence[float]) -> float:
    """Half-width of Student's 95 % interval over seeds of a statistic that needs all of them, from its values with each left out."""
    if len(values) < 2:
        raise ValueError(f"An interval over seeds needs values with each of at least 2 seeds left out, got {len(values)}.")
    return float(student.ppf(0.975, len(values) - 1) * jackknife_error(np.asarray(values)))


def around(value: float, half: float) -> Estimate:
    """An estimate from its half-width."""
    return Estimate(value, value - half, value + half)


def normal(value: float, error: float) -> Estimate:
    """An estimate from its standard error."""
    return around(value, NORMAL * error)


def bounded(e: Estimate, low: float = 0.0, high: float = 1.0) -> Estimate:
    """An estimate whose interval ends where its quantity, by default a share, must."""
    return Estimate(e.estimate, max(e.low, low), min(e.high, high))


def size(e: Estimate) -> Estimate:
    """The absolute value of an estimate; its interval reaches down to 0 where the ends of the other differ in sign."""
    near, far = sorted((abs(e.low), abs(e.high)))
    return Estimate(abs(e.estimate), 0.0 if e.low < 0 < e.high else near, far)


def share(right: Bool[Tensor, " n"]) -> Estimate:
    """A share of right answers with its 95 % Wilson interval."""
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return Estimate(right.double().mean().item(), float(interval.low), float(interval.high))


class Share(NamedTuple):
    """A share and the number of images behind it."""

    value: float
    images: int

    @property
    def error(self) -> float:
        """Its standard error over images."""
        return float((self.value * (1 - self.value) / self.images) ** 0.5)


def difference(*pairs: tuple[Share, Share]) -> Estimate:
    """One share (an accuracy) minus another, from pairs of them, one pair a seed.

    The interval holds 1.96 standard errors of the images, which all seeds share, and Student's over seeds, added in
    quadrature; it ends where a difference of shares must.
    """
    values = [a.value - b.value for a, b in pairs]
    half = np.mean([NORMAL * np.hypot(a.error, b.error) for a, b in pairs])
    mean, half = float(np.mean(values)), float(np.hypot(half, over_seeds(values)))
    return Estimate(mean, max(mean - half, -1.0), min(mean + half, 1.0))


def unpaired(groups: Sequence[Sequence[Share]], weights: Sequence[float] = (1.0, -1.0)) -> Estimate:
    """A weighted sum of mean shares (accuracies), by default a difference, of groups of starts that have nothing to do with each other.

    The interval holds Welch's half-width over starts (Welch 1947), to which a group of one start adds nothing, and 1.96 standard errors of
    the images, which the starts of a group share, added in quadrature. ValueError for an empty group.
    """
    if len(groups) != len(weights) or not all(groups):
        raise ValueError(f"Expected a weight and at least 1 start for every group, got groups of {[len(g) for g in groups]} starts.")
    value = sum(w * float(np.mean([s.value for s in g])) for g, w in zip(groups, weights, strict=True))
    images = NORMAL * sum(w**2 * float(np.mean([s.error**2 for s in g])) for g, w in zip(groups, weights, strict=True)) ** 0.5
    several = [([s.value for s in g], w) for g, w in zip(groups, weights, strict=True) if len(g) > 1]
    return around(value, float(np.hypot(images, _satterthwaite(*zip(*several, strict=True)) if several else 0.0)))


def _satterthwaite(groups: Sequence[Sequence[float]], weights: Sequence[float]) -> float:
    """Half-width of the 95 % interval of a weighted sum of means of groups whose variances may differ."""
    parts = np.array([w**2 * np.var(g, ddof=1) / len(g) for g, w in zip(groups, weights, strict=True)])
    if not parts.any():
        return 0.0
    freedom = parts.sum() ** 2 / sum(part**2 / (len(g) - 1) for part, g in zip(parts, groups, strict=True))
    return float(student.ppf(0.975, freedom) * parts.sum() ** 0.5)


def redrawn(f: Callable[..., Any], *shares: Share, draws: int = 200, seed: int = 0) -> Resampled:
    """Any function of shares: of those found, and of those that as many other images might have given (binomial draws).

    ValueError for shares of different numbers of images, or without any.
    """
    if len({s.images for s in shares}) != 1:
        raise ValueError(f"Shares are drawn again over the same images, got {[s.images for s in shares]} images.")
    images, values = shares[0].images, [s.value for s in shares]
    drawn = np.random.default_rng(seed).binomial(images, values, (draws, len(values))) / images
    return Resampled(f(*values), np.asarray([f(*row) for row in drawn]), images)


def percentile(value: float, draws: Sequence[float] | np.ndarray) -> Estimate:
    """An estimate whose interval holds the middle 95 % of its draws."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(float(value), float(low), float(high))
