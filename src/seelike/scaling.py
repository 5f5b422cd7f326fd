"""Saturating power laws between training compute and error, with intervals (Zhai et al. 2021, Sec. 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.optimize import least_squares

NAMES = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Fit:
    """error = a (compute + d) ** -b + c.

    interval: 95 % bootstrap interval of every constant, empty without draws. draws: (draws, 4), the constants of every resample.
    residual: root mean square of log error.
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

    def curves(self, compute: ArrayLike) -> Float[np.ndarray, "draws n"]:
        """Error at these amounts of compute by the law of every resample."""
        return _law(self.draws.T[:, :, None], np.atleast_1d(np.asarray(compute, float)))

    def curve(self, compute: ArrayLike) -> Float[np.ndarray, "3 n"]:
        """Error at these amounts of compute, and the ends of its 95 % interval, without the scatter of single runs.

        ValueError for a fit without draws.
        """
        if not len(self.draws):
            raise ValueError("This fit was made with draws=0: fit it with more to draw an interval.")
        return np.stack([self.predict(np.atleast_1d(compute)), *np.quantile(self.curves(compute), [0.025, 0.975], axis=0)])

    @property
    def constants(self) -> dict[str, list[float]]:
        """Every constant, with the ends of its interval where there are draws."""
        return {name: [getattr(self, name), *self.interval.get(name, ())] for name in NAMES}


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
    draws: resamples for intervals; 0 leaves them out.
    """
    x, y = np.asarray(compute, float), np.asarray(error, float)
    least = 5 if saturating else 3
    if draws < 0:
        raise ValueError(f"draws is a number of resamples, 0 for none, got {draws}.")
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
    resamples = _resamples(x, labels, least, draws, seed) if draws else []
    scaled = np.array([_unscale(_fit(x[rows] / unit, y[rows], saturating, best), unit) for rows in resamples]).reshape(-1, len(NAMES))
    ends = np.quantile(scaled, [0.025, 0.975], axis=0).T if draws else []
    interval = {name: (float(low), float(high)) for name, (low, high) in zip(NAMES, ends, strict=False)}
    constants = _unscale(best, unit)
    residual = float(np.sqrt(np.mean((np.log(_law(constants, x)) - np.log(y)) ** 2)))
    a, b, c, d = map(float, constants)
    return Fit(a, b, c, d, interval, scaled, residual)


def both(compute: ArrayLike, error: ArrayLike, *, runs: ArrayLike | None = None, draws: int = 200) -> dict[str, Fit]:
    """The saturating law and the pure power law, fitted to the same points (`fit_power_law`)."""
    return {
        name: fit_power_law(compute, error, runs=runs, saturating=saturating, draws=draws)
        for name, saturating in (("saturating", True), ("pure power law", False))
    }


def residual_ratio(compute: ArrayLike, error: ArrayLike) -> float:
    """Residual of the pure power law over that of the saturating one: how much better the law with more constants fits."""
    fits = both(compute, error, draws=0)
    return fits["pure power law"].residual / max(fits["saturating"].residual, 1e-6)


def resampled_ratios(points: pd.DataFrame, least: int, *, draws: int, seed: int = 0) -> list[float]:
    """`residual_ratio` of resamples of runs.

    points: with columns compute, error and run, whose points are resampled together. least: different amounts of compute without which a
    resample is left out.
    """
    rng, names = np.random.default_rng(seed), points.run.unique()
    drawn = (pd.concat([points[points.run == name] for name in rng.choice(names, len(names))]) for _ in range(draws))
    return [residual_ratio(rows.compute, rows.error) for rows in drawn if rows.compute.nunique() >= least]


def until(images: ArrayLike, error: ArrayLike, level: float = 0.5) -> float:
    """Images until the error of a run falls to a level, interpolated in their logarithm.

    images, error: of lengths of training, from short to long. A run that starts below the level or ends above it gives the nearest length.
    """
    return float(np.exp(np.interp(-level, -np.asarray(error, float), np.log(np.asarray(images, float)))))


def sections(front: pd.DataFrame, laws: Mapping[str, Fit], compute: ArrayLike) -> dict[str, Any]:
    """A frontier and its laws as plain numbers: what a chapter records and draws.

    front: with columns compute and error; a column model is kept with them. compute: where curves are drawn.
    """
    return {
        "front": front[[column for column in ("compute", "error", "model") if column in front]].to_dict("list"),
        "grid": np.asarray(compute, float).tolist(),
        "curves": {name: fit.curve(compute).tolist() for name, fit in laws.items()},
        "constants": {name: fit.constants for name, fit in laws.items()},
    }


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
