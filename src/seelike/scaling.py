"""Saturating power laws between training compute and error, with intervals (Zhai et al. 2021, Sec. 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.optimize import least_squares

NAMES = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Fit:
    """error = a (compute + d) ** -b + c.

    interval: 95 % bootstrap interval of every constant. draws: (draws, 4), the constants of every resample. residual: root mean square
    of log error.
    """

    a: float
    b: float
    c: float
    d: float
    interval: dict[str, tuple[float, float]]
    draws: Float[np.ndarray, "draws 4"]
    residual: float

    def predict(self, compute: ArrayLike) -> Float[np.ndarray, " n"]:
        """Error at these amounts of compute."""
        return _law(np.array([self.a, self.b, self.c, self.d]), np.asarray(compute, float))

    def predict_interval(self, compute: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end of the 95 % interval of the fitted error, without the scatter of single runs."""
        curves = np.array([_law(draw, np.asarray(compute, float)) for draw in self.draws])
        low, high = np.quantile(curves, [0.025, 0.975], axis=0)
        return low, high


def fit_power_law(
    compute: ArrayLike,
    error: ArrayLike,
    *,
    runs: ArrayLike | None = None,
    saturating: bool = True,
    draws: int = 200,
    seed: int = 0,
) -> Fit:
    """Least squares on log error, with a bootstrap over runs.

    compute: positive, in any unit (a and d carry it). error: positive shares. runs: labels of points that belong together and are
    resampled together; by default every point is a run of its own. saturating=False fits the pure power law, c = d = 0.
    """
    x, y = np.asarray(compute, float), np.asarray(error, float)
    least = 5 if saturating else 3
    if draws < 1:
        raise ValueError(f"An interval needs draws, got {draws}.")
    if x.shape != y.shape or x.ndim != 1 or len(x) < least:
        raise ValueError(f"A power law needs {least} or more pairs of compute and error, got shapes {x.shape} and {y.shape}.")
    if not (np.isfinite(x).all() and np.isfinite(y).all() and (x > 0).all() and (y > 0).all()):
        raise ValueError("Compute and error must be positive and finite: a logarithm is taken of both.")
    if len(np.unique(x)) < least:
        raise ValueError(f"A power law needs {least} or more different amounts of compute, got {len(np.unique(x))}.")
    labels = np.arange(len(x)) if runs is None else pd.factorize(np.asarray(runs))[0]
    if len(labels) != len(x):
        raise ValueError(f"Every point needs the label of its run: got {len(labels)} labels for {len(x)} points.")
    unit = float(np.exp(np.log(x).mean()))
    best = _fit(x / unit, y, saturating)
    found = [_fit(x[rows] / unit, y[rows], saturating, best) for rows in _resamples(x, labels, least, draws, seed)]
    scaled = np.array([_unscale(p, unit) for p in found])
    interval = {
        name: (float(low), float(high)) for name, low, high in zip(NAMES, *np.quantile(scaled, [0.025, 0.975], axis=0), strict=True)
    }
    constants = _unscale(best, unit)
    residual = float(np.sqrt(np.mean((np.log(_law(constants, x)) - np.log(y)) ** 2)))
    a, b, c, d = map(float, constants)
    return Fit(a, b, c, d, interval, scaled, residual)


def _resamples(x: np.ndarray, labels: np.ndarray, least: int, draws: int, seed: int) -> list[np.ndarray]:
    """Rows of runs drawn with replacement; draws with too few amounts of compute for a fit are drawn again."""
    members = [np.flatnonzero(labels == run) for run in np.unique(labels)]
    rng = np.random.default_rng(seed)
    kept: list[np.ndarray] = []
    for _ in range(100 * draws):
        rows = np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])
        if len(np.unique(x[rows])) >= least:
            kept.append(rows)
        if len(kept) == draws:
            return kept
    raise ValueError(f"Resamples of {len(members)} runs hardly ever have {least} different amounts of compute: give more runs.")


def _law(p: np.ndarray, x: np.ndarray) -> np.ndarray:
    a, b, c, d = p
    return np.asarray(a * (x + d) ** -b + c)


def _unscale(p: np.ndarray, unit: float) -> np.ndarray:
    a, b, c, d = p
    return np.array([a * unit**b, b, c, d * unit])


def _fit(x: np.ndarray, y: np.ndarray, saturating: bool, start: np.ndarray | None = None) -> np.ndarray:
    """Constants for compute in units of its geometric mean; the best of several starts."""
    floor, log_y = float(y.min()), np.log(y)

    def unpack(q: np.ndarray) -> np.ndarray:
        return np.array([np.exp(q[0]), q[1], q[2], q[3]]) if saturating else np.array([np.exp(q[0]), q[1], 0.0, 0.0])

    def off(q: np.ndarray) -> np.ndarray:
        return np.log(_law(unpack(q), x)) - log_y

    size = 4 if saturating else 2
    bounds = ([-30, 1e-3, 0, 0][:size], [30, 5, floor, x.max()][:size])
    guesses = [[np.log(np.median(y)), b, share * floor, d] for b in (0.2, 0.5, 1.0) for share in (0.3, 0.8) for d in (1e-3, 0.1)]
    if start is not None:
        guesses = [[np.log(start[0]), *start[1:]]]
    starts = [np.clip(g[:size], np.array(bounds[0]) + 1e-9, np.array(bounds[1]) - 1e-9) for g in guesses]
    fits = [least_squares(off, g, bounds=bounds, x_scale="jac") for g in starts]
    return unpack(min(fits, key=lambda f: f.cost).x)


def frontier(compute: ArrayLike, error: ArrayLike) -> Int[np.ndarray, " k"]:
    """Rows on the Pareto front, by compute: no other point has less error for as little compute."""
    x, y = np.asarray(compute, float), np.asarray(error, float)
    order = np.lexsort((y, x))
    best = np.minimum.accumulate(y[order])
    first = np.concatenate([[True], y[order][1:] < best[:-1]])
    return order[first]
