"""Saturating power laws between training compute and error, and what else Zhai et al. 2021 say about training large ViTs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.optimize import OptimizeResult, least_squares
from scipy.stats import linregress
from scipy.stats import t as student

from seelike.intervals import Estimate, Share, around, difference, percentile, size

NAMES = ("a", "b", "c", "d")
LAWS = {"saturating": "abcd", "no ceiling": "abc", "pure power law": "ab"}  # the constants that a law leaves free; the others are 0
SATURATING, PURE = "saturating", "pure power law"
Loss = Literal["log", "linear"]
Resampling = Literal["runs", "signs"]
Run = Sequence[Sequence[Any]]  # two: images seen and error of a run, from short to long


@dataclass(frozen=True)
class Fit:
    """error = a (compute + d) ** -b + c.

    interval: 95 % bootstrap interval of every constant, empty without draws. draws: (draws, 4), the constants of every resample.
    residual: root mean square of log error. edge: constants that ended at the edge of their range, such as a floor c of 0.
    """

    a: float
    b: float
    c: float
    d: float
    interval: dict[str, tuple[float, float]]
    draws: Float[np.ndarray, "draws 4"]
    residual: float
    edge: tuple[str, ...] = ()

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

    def constant(self, name: str) -> Estimate:
        """One constant with its 95 % interval; ValueError for a fit without draws."""
        if not len(self.draws):
            raise ValueError("This fit was made with draws=0: fit it with more to have an interval.")
        return percentile(getattr(self, name), self.draws[:, NAMES.index(name)])


def fit_power_law(
    compute: ArrayLike,
    error: ArrayLike,
    *,
    runs: ArrayLike | None = None,
    law: str = SATURATING,
    loss: Loss = "log",
    resample: Resampling = "runs",
    draws: int = 200,
    seed: int = 0,
) -> Fit:
    """Least squares on log error (or on error itself), with a bootstrap (Zhai et al. 2021, Sec. 3).

    compute: positive, in any unit (a and d carry it). error: positive shares. runs: labels of points that belong together and are
    resampled together; by default every point is a run of its own. law: one of `LAWS`. The exponent may be negative, so that errors that
    rise with compute are seen to do so. draws: resamples for intervals; 0 leaves them out. resample: whole runs drawn with replacement, or
    all points kept and the signs of the residuals of whole runs drawn at random, which keeps the points that alone reach far. These
    residuals are those from the law fitted to the other runs: those within the sample are too small, and their intervals too narrow.
    """
    x, y = np.asarray(compute, float), np.asarray(error, float)
    labels = _checked(x, y, runs, law=law, loss=loss, draws=draws)
    unit = float(np.exp(np.log(x).mean()))
    found = _fit(x / unit, y, law, loss)
    best = _constants(found, law)
    if resample == "runs":
        samples = [(x[rows], y[rows]) for rows in (_resamples(x, labels, len(LAWS[law]) + 1, draws, seed) if draws else [])]
    else:
        off = _left_out(x / unit, y, labels, law, loss, found.x) if draws else np.zeros(len(x))
        samples = [(x, each) for each in _signed(_law(best, x / unit), off, labels, draws, seed)]
    scaled = np.array([_unscale(_constants(_fit(u / unit, v, law, loss, found.x), law), unit) for u, v in samples]).reshape(-1, len(NAMES))
    ends = np.quantile(scaled, [0.025, 0.975], axis=0).T if draws else []
    interval = {name: (float(low), float(high)) for name, (low, high) in zip(NAMES, ends, strict=False)}
    constants = _unscale(best, unit)
    residual = float(np.sqrt(np.mean((np.log(_law(constants, x)) - np.log(y)) ** 2)))
    edge = tuple(name for name, at in zip(LAWS[law], found.active_mask, strict=True) if at)
    a, b, c, d = map(float, constants)
    return Fit(a, b, c, d, interval, scaled, residual, edge)


def _checked(x: np.ndarray, y: np.ndarray, runs: ArrayLike | None, *, law: str, loss: str, draws: int) -> np.ndarray:
    """The run of every point as a number; ValueError for what cannot be fitted."""
    if law not in LAWS or loss not in ("log", "linear"):
        raise ValueError(f"A law is one of {', '.join(LAWS)}, and a loss log or linear, got {law!r} and {loss!r}.")
    least = len(LAWS[law]) + 1
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
    return np.asarray(labels)


def both(
    compute: ArrayLike, error: ArrayLike, *, runs: ArrayLike | None = None, resample: Resampling = "runs", draws: int = 200
) -> dict[str, Fit]:
    """The saturating law and the pure power law, fitted to the same points (`fit_power_law`)."""
    return {law: fit_power_law(compute, error, runs=runs, law=law, resample=resample, draws=draws) for law in (SATURATING, PURE)}


def left_out(
    compute: ArrayLike, error: ArrayLike, runs: ArrayLike, *, law: str = SATURATING, loss: Loss = "log"
) -> Float[np.ndarray, " n"]:
    """Log ratio of predicted to measured error of every point, by the law fitted to the points of all other runs."""
    x, y = np.asarray(compute, float), np.asarray(error, float)
    labels = _checked(x, y, runs, law=law, loss=loss, draws=0)
    unit = float(np.exp(np.log(x).mean()))
    return -_left_out(x / unit, y, labels, law, loss, _fit(x / unit, y, law, loss).x)


def _left_out(x: np.ndarray, y: np.ndarray, labels: np.ndarray, law: str, loss: Loss, start: np.ndarray, /) -> np.ndarray:  # noqa: PLR0917
    """Log residual of every point from the law fitted to the points of all other runs."""
    off = np.empty(len(x))
    for run in np.unique(labels):
        own = labels == run
        _checked(x[~own], y[~own], None, law=law, loss=loss, draws=0)
        off[own] = np.log(y[own] / _law(_constants(_fit(x[~own], y[~own], law, loss, start), law), x[own]))
    return off


def left_out_gain(compute: ArrayLike, error: ArrayLike, runs: ArrayLike, *, draws: int = 1000, seed: int = 0) -> Estimate:
    """How much nearer the saturating law comes to runs that it was not fitted to than the pure power law does.

    The mean over points of the absolute log error of the pure law minus that of the saturating one. Unlike a residual within the sample it
    can fall below 0: a law with more constants than it needs foretells worse. Interval: over runs, resampled whole.
    """
    gain = np.abs(left_out(compute, error, runs, law=PURE)) - np.abs(left_out(compute, error, runs))
    labels = pd.factorize(np.asarray(runs))[0]
    sums, counts = np.bincount(labels, gain), np.bincount(labels)
    drawn = np.random.default_rng(seed).integers(0, len(sums), (draws, len(sums)))
    return percentile(float(gain.mean()), sums[drawn].sum(1) / counts[drawn].sum(1))


def foretold(
    seen: pd.DataFrame,
    compute: float,
    error: float,
    *,
    law: str = SATURATING,
    loss: Loss = "log",
    resample: Resampling = "signs",
    draws: int = 200,
    seed: int = 0,
) -> dict[str, Estimate]:
    """How well a law, and a pure power law, foretell the error of a model that neither was fitted to.

    seen: the points of the fit, with columns compute, error and run. compute, error: of the model that was hidden. Returns log ratios of
    predicted to measured error by law, and `gain`: the absolute one of the pure law minus that of the other. Both laws are fitted to the
    same resamples: with signs, of the residuals of `law`, whose points all stay (`fit_power_law`).
    """
    x, y = seen.compute.to_numpy(float), seen.error.to_numpy(float)
    labels = _checked(x, y, seen.run, law=law, loss=loss, draws=draws)
    unit = float(np.exp(np.log(x).mean()))
    begun = {each: _fit(x / unit, y, each, loss) for each in (law, PURE)}

    def off(u: np.ndarray, v: np.ndarray) -> list[float]:
        """Log ratios by the two laws fitted to these points, from where the fits to all points ended."""
        fits = (_constants(_fit(u / unit, v, each, loss, begun[each].x), each) for each in (law, PURE))
        return [float(np.log(_law(constants, np.asarray(compute / unit)) / error)) for constants in fits]

    if resample == "signs":
        centre = _law(_constants(begun[law], law), x / unit)
        apart = _left_out(x / unit, y, labels, law, loss, begun[law].x)
        samples = [(x, each) for each in _signed(centre, apart, labels, draws, seed)]
    else:
        samples = [(x[rows], y[rows]) for rows in _resamples(x, labels, len(LAWS[law]) + 1, draws, seed)]
    found, drawn = np.array(off(x, y)), np.array([off(*sample) for sample in samples])
    told = {each: percentile(found[i], drawn[:, i]) for i, each in enumerate((law, PURE))}
    gain = percentile(abs(found[1]) - abs(found[0]), np.abs(drawn[:, 1]) - np.abs(drawn[:, 0]))
    return told | {"gain": gain}


def missed(runs: int) -> float:
    """Share of resamples of so many runs, drawn with replacement, that lack a given one."""
    return float((1 - 1 / runs) ** runs)


class Gaps(NamedTuple):
    """What little data cost models of several sizes, in points of error: at the longest length of training, and at the lowest errors."""

    size: np.ndarray
    end: np.ndarray
    lowest: np.ndarray
    models: list[Any]


def data_gaps(points: pd.DataFrame, few: Any, many: Any) -> Gaps:
    """Error of every model on few different images minus that on many, in points, models from small to large.

    points: with columns model, size (of a model, in any unit), data, images (seen), error. Models whose longest runs on the two sets differ
    in length, or that lack one of them, are left out.
    """
    rows = []
    for model, own in points.groupby("model"):
        a, b = (own[own["data"] == which].sort_values("images") for which in (few, many))
        if len(a) and len(b) and a.images.iloc[-1] == b.images.iloc[-1]:
            end, low = a.error.iloc[-1] - b.error.iloc[-1], a.error.min() - b.error.min()
            rows.append((own["size"].iloc[0], 100 * end, 100 * low, model))
    if not rows:
        raise ValueError(f"No model has runs of one length on both {few} and {many}: got models {sorted(points.model.unique())}.")
    sizes, end, lowest, models = zip(*sorted(rows, key=lambda row: row[0]), strict=True)
    return Gaps(np.array(sizes, float), np.array(end), np.array(lowest), list(models))


def per_decade(sizes: ArrayLike, values: ArrayLike) -> Estimate:
    """Slope of a quantity on the decimal logarithm of size, by least squares, with Student's interval: its change per tenfold size.

    A difference that grows with size is an interaction of the two. ValueError for fewer than 3 sizes.
    """
    x, y = np.log10(np.asarray(sizes, float)), np.asarray(values, float)
    if len(x) < 3 or x.shape != y.shape:
        raise ValueError(f"A slope with an interval needs 3 or more pairs of size and value, got shapes {x.shape} and {y.shape}.")
    line = linregress(x, y)
    return around(float(line.slope), float(student.ppf(0.975, len(x) - 2) * line.stderr))


def luck(points: pd.DataFrame) -> float:
    """Standard deviation of error between runs that differ by chance alone: rows with equal model and images (seen), pooled."""
    groups = points.groupby(["model", "images"]).error
    free = groups.count() - 1
    if not free.sum():
        raise ValueError("The luck of training needs two or more runs of one model and length, got one of each.")
    return float(np.sqrt((groups.var().fillna(0) * free).sum() / free.sum()))


def images_until(run: Run, level: float) -> float:
    """Images until the error of a run first falls to a level, interpolated in their logarithm.

    ValueError for a level outside of the errors of the run: nothing is extrapolated.
    """
    x, best = np.log(np.asarray(run[0], float)), np.minimum.accumulate(np.asarray(run[1], float))
    if not best[-1] <= level <= best[0]:
        raise ValueError(f"This run has errors from {best[0]:.3f} to {best[-1]:.3f}: a level of {level:.3f} would be extrapolated.")
    i = int(np.argmax(best <= level))
    if i == 0:
        return float(np.exp(x[0]))
    passed = (best[i - 1] - level) / (best[i - 1] - best[i])
    return float(np.exp(x[i - 1] + passed * (x[i] - x[i - 1])))


def common_levels(one: Run, other: Run) -> tuple[float, float]:
    """Lowest and highest error that both runs pass through; ValueError where there is none."""
    low, high = max(min(one[1]), min(other[1])), min(one[1][0], other[1][0])
    if low >= high:
        raise ValueError(f"The two runs have no error in common: one ends at {low:.3f}, the other begins at {high:.3f}.")
    return float(low), float(high)


def ratios(one: Run, other: Run, levels: ArrayLike) -> Float[np.ndarray, " n"]:
    """Images that one run needs over those that the other needs, at each level of error."""
    return np.array([images_until(one, level) / images_until(other, level) for level in np.atleast_1d(levels)])


def mean_ratio(one: Run, other: Run, levels: int = 41) -> float:
    """Geometric mean of `ratios` over all errors that both runs pass through."""
    return float(np.exp(np.log(ratios(one, other, np.linspace(*common_levels(one, other), levels))).mean()))


def shaken(run: Run, error: float, rng: np.random.Generator) -> Run:
    """A run as it might have come out: every error with normal noise of this standard deviation."""
    return run[0], list(np.asarray(run[1], float) + error * rng.standard_normal(len(run[1])))


def sample_ratio(one: Run, other: Run, error: float, *, draws: int = 400, seed: int = 0) -> Estimate:
    """`mean_ratio`, with an interval over the luck of training: both runs are drawn again with noise of a standard deviation (`luck`).

    Every draw is averaged over the errors that its own two runs pass through.
    """
    rng = np.random.default_rng(seed)
    drawn = [mean_ratio(shaken(one, error, rng), shaken(other, error, rng), 11) for _ in range(draws)]
    return percentile(mean_ratio(one, other), drawn)


def ratio_band(one: Run, other: Run, error: float, levels: ArrayLike, *, draws: int = 200, seed: int = 0) -> Float[np.ndarray, "3 n"]:
    """`ratios` at levels with the ends of 95 % intervals over the luck of training.

    Draws whose runs do not reach a level are left out at it.
    """
    rng, at = np.random.default_rng(seed), np.atleast_1d(np.asarray(levels, float))
    drawn = np.full((draws, len(at)), np.nan)
    for i in range(draws):
        a, b = shaken(one, error, rng), shaken(other, error, rng)
        low, high = common_levels(a, b)
        inside = (at >= low) & (at <= high)
        drawn[i, inside] = ratios(a, b, at[inside])
    return np.stack([ratios(one, other, at), *np.nanquantile(drawn, [0.025, 0.975], axis=0)])


def matters_less(pairs: Sequence[tuple[Share, Share]], yardstick: Sequence[tuple[Share, Share]]) -> Estimate:
    """Size of one difference of accuracies minus the size of another that is known to matter; below 0, the first matters less.

    pairs, yardstick: of shares, one pair a seed (`intervals.difference`). "No difference" can never be shown, "less than this one" can. The
    interval is wide on purpose: it adds the half-widths of both.
    """
    one, other = size(difference(*pairs)), size(difference(*yardstick))
    return Estimate(one.estimate - other.estimate, one.low - other.high, one.high - other.low)


# (model, side of the image, side of a patch, ten-shot accuracy in percent), Zhai et al. 2021, Table 3
PATCHES = [
    ("B", 224, 32, 64.43), ("B", 336, 48, 64.65), ("B", 448, 64, 64.67),
    ("S", 224, 16, 63.42), ("S", 336, 24, 63.79), ("S", 448, 32, 63.50),
]  # fmt: skip
SHAPES = {"S": (384, 12, 1536), "B": (768, 12, 3072), "L": (1024, 24, 4096), "G": (1664, 48, 8192)}  # width, depth, MLP (Table 2)


def patches() -> pd.DataFrame:
    """Table 3 with its arithmetic: tokens, numbers in a patch, and thousand millions of operations that embedding the patches takes."""
    table = pd.DataFrame(PATCHES, columns=["model", "image", "patch", "ten-shot accuracy"])
    table["tokens"] = (table.image // table.patch) ** 2
    table["numbers in a patch"] = 3 * table.patch**2
    width = table.model.map({model: shape[0] for model, shape in SHAPES.items()})
    return table.assign(embedding=2e-9 * table.tokens * table["numbers in a patch"] * width)


def padded(tokens: int, multiple: int = 128) -> int:
    """Tokens that a matrix unit with rows of this length works on: the next multiple (Zhai et al. 2021, Sec. 3.4)."""
    return -(-tokens // multiple) * multiple


def block_shapes(model: str) -> list[tuple[int, int]]:
    """Shapes of all inner matrices of a ViT of `SHAPES`: four of attention and two of the MLP in every block."""
    if model not in SHAPES:
        raise ValueError(f"Shapes are known of {', '.join(SHAPES)}, not of {model!r}.")
    width, depth, mlp = SHAPES[model]
    return depth * [*4 * [(width, width)], (width, mlp), (mlp, width)]


def optimiser_state(shapes: Sequence[tuple[int, int]], *, momentum: int = 4, factored: bool = False) -> float:
    """Bytes that an optimiser keeps beside the weights, over the bytes of the weights (4 a number).

    momentum: bytes of a number of the first moment. factored: the second moment as one row and one column a matrix (Adafactor).
    """
    weights = sum(rows * columns for rows, columns in shapes)
    second = sum(rows + columns if factored else rows * columns for rows, columns in shapes)
    return (momentum * weights + 4 * second) / (4 * weights)


def measured(points: pd.DataFrame, accuracy: str) -> pd.DataFrame:
    """Published points with an accuracy (percent), ready to be fitted (`published.scaling_points`).

    Columns: model; data, the set of images; run, one model on one set; size, thousand millions of operations of a forward pass
    (multiplications and additions each); images seen; compute, size times images; error, a share.
    """
    known = points.dropna(subset=[accuracy]).reset_index(drop=True)
    return known[["model", "data"]].assign(
        run=known.model + " on " + known["data"],
        size=known.gflops_224,
        images=known.images_seen,
        compute=known.gflops_224 * known.images_seen,
        error=1 - known[accuracy] / 100,
    )


def on_frontier(points: pd.DataFrame, slack: float = 0.0) -> pd.DataFrame:
    """The rows of a table with columns compute and error that lie on its Pareto front (`frontier`), by compute."""
    return points.loc[points.index[frontier(points.compute, points.error, slack)]]


def history(points: pd.DataFrame, model: str, data: str) -> Run:
    """Images seen and error of one model on one set of images, from short runs to long; ValueError where there is none."""
    rows = points[(points.model == model) & (points["data"] == data)].sort_values("images")
    if not len(rows):
        raise ValueError(f"There are no points of {model} on {data}; models: {', '.join(points.model.unique())}.")
    return rows.images.tolist(), rows.error.round(4).tolist()


def rsqrt(steps: int, *, warmup: int = 10_000, cooldown: int = 50_000) -> Float[np.ndarray, " steps"]:
    """The rate of every step of a run, over its peak, as Zhai et al. 2021 set it.

    It rises linearly during the warm-up, then falls with the reciprocal square root of the step, and goes linearly to 0 in the cooldown.
    Up to the cooldown it does not depend on the length of the run, so that one long run can be ended at several lengths.
    """
    step = np.arange(1, steps + 1)
    ends = np.minimum((steps - step) / cooldown, 1.0)
    return np.asarray(np.minimum(step / warmup, np.sqrt(warmup / np.maximum(step, warmup))) * ends)


def sections(front: pd.DataFrame, laws: Mapping[str, Fit], compute: ArrayLike) -> dict[str, Any]:
    """A frontier and its laws as plain numbers: what a chapter records and draws.

    front: with columns compute and error; a column model is kept with them. compute: where curves are drawn.
    """
    return {
        "front": front[[column for column in ("compute", "error", "model") if column in front]].to_dict("list"),
        "grid": np.asarray(compute, float).tolist(),
        "curves": {name: fit.curve(compute).tolist() for name, fit in laws.items()},
        "constants": {name: fit.constants for name, fit in laws.items()},
        "edge": {name: list(fit.edge) for name, fit in laws.items()},
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


def _signed(centre: np.ndarray, off: np.ndarray, labels: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Errors (draws, n) around a law: log residuals keep their size, and those of one run change sign together at random."""
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (draws, labels.max() + 1))[:, labels]
    return np.asarray(centre * np.exp(signs * off))


def _law(p: np.ndarray, x: np.ndarray) -> np.ndarray:
    a, b, c, d = p
    return np.asarray(a * (x + d) ** -b + c)


def _unscale(p: np.ndarray, unit: float) -> np.ndarray:
    a, b, c, d = p
    return np.array([a * unit**b, b, c, d * unit])


def _unpacked(q: np.ndarray) -> np.ndarray:
    """All four constants from the free ones, of which the first is log a."""
    return np.array([np.exp(q[0]), q[1], q[2] if len(q) > 2 else 0.0, q[3] if len(q) > 3 else 0.0])


def _fit(x: np.ndarray, y: np.ndarray, law: str, loss: str, start: np.ndarray | None = None) -> OptimizeResult:
    """Free constants for compute in units of its geometric mean; the best of several starts."""
    floor, free = float(y.min()), len(LAWS[law])
    low, high = np.array([-30, -2, 0, 0.0])[:free], np.array([30, 5, floor, x.max()])[:free]
    log_y = np.log(y)

    def off(q: np.ndarray) -> np.ndarray:
        told = _law(_unpacked(q), x)
        return np.asarray(np.log(told) - log_y if loss == "log" else told - y)

    guesses = [[np.log(np.median(y)), b, share * floor, d] for b in (0.2, 0.5, 1.0) for share in (0.3, 0.8) for d in (1e-3, 0.1)]
    starts = [np.clip(g[:free], low + 1e-9, high - 1e-9) for g in ([start] if start is not None else guesses)]
    return min((least_squares(off, g, bounds=(low, high), x_scale="jac") for g in starts), key=lambda f: f.cost)


def _constants(found: OptimizeResult, law: str) -> np.ndarray:
    """All four constants of a fit; floor and ceiling that ended at 0 are exactly that, so that an interval can reach its null."""
    at_zero = (found.active_mask == -1) & (np.arange(len(LAWS[law])) >= 2)
    return _unpacked(np.where(at_zero, 0.0, found.x))


def frontier(compute: ArrayLike, error: ArrayLike, slack: float = 0.0) -> Int[np.ndarray, " k"]:
    """Rows on the Pareto front, by compute: no other point has less error for as little compute.

    slack: also points whose error is at most this share above the least for as little compute; infinity takes all points.
    """
    x, y = np.asarray(compute, float), np.asarray(error, float)
    order = np.lexsort((y, x))
    before = np.concatenate([[np.inf], np.minimum.accumulate(y[order])[:-1]])
    near = y[order] <= (1 + slack) * before if slack > 0 else np.zeros(len(y), bool)
    return order[(y[order] < before) | near]
