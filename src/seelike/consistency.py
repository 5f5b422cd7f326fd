"""Errors compared between observers: do two of them fail on the same images, and in the same way?

- Error consistency is Cohen's kappa of being right (Geirhos et al. 2020): agreement beyond what the accuracies alone bring about.
- Class-wise and inter-class divergence compare where the errors fall (Tuli et al. 2021): the Jensen-Shannon distance, natural
  logarithm, between the distributions of errors over true classes, or over pairs of true class and answer.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.spatial.distance import jensenshannon
from scipy.stats import norm
from scipy.stats import t as student

from seelike.intervals import NORMAL, Estimate, Resampled, around, normal, over_left_out
from seelike.schema import one_line

CUES = r"([a-z]+)\d*-([a-z]+)\d*\."
ANGLES = 200  # steps of the integral behind a tetrachoric correlation: the third decimal holds
Shares = float | np.ndarray
Kappas = Callable[[np.ndarray], np.ndarray]
COLUMNS = {"subj": "observer", "imagename": "image", "category": "truth", "object_response": "response"}


def read_decisions(folder: Path | str) -> pd.DataFrame:
    """All decisions in a folder of CSV files as one tidy table: observer, image, truth, response.

    Files have the columns subj, imagename, category and object_response, in any case (Geirhos et al. 2019). Images are
    keyed by what follows the last underscore of their name, for human trials carry a prefix. Answers outside the classes
    ("na") are kept as they are. Repeated trials (the first counts) and missing ones are named in a warning.
    ValueError for a file that cannot be read, that holds no trials or empty fields, and for images with two true classes.
    """
    files = sorted(Path(folder).glob("*.csv"))
    if not files:
        raise FileNotFoundError(f"{folder} has no CSV files: name a folder of decisions, one file per observer.")
    rows = pd.concat([_read(file) for file in files], ignore_index=True)
    rows["image"] = rows["image"].str.rpartition("_")[2]
    truths = rows.groupby("image")["truth"].nunique()
    if len(torn := truths[truths > 1]):
        raise ValueError(f"{folder} gives {len(torn)} images two true classes ({', '.join(torn.index[:3])}): copy its files again.")
    repeated = rows.duplicated(["observer", "image"])
    _warn("trials were repeated and only the first of each counts", rows[repeated])
    rows = rows[~repeated]
    seen = pd.MultiIndex.from_frame(rows[["observer", "image"]])
    every = pd.MultiIndex.from_product([rows["observer"].unique(), rows["image"].unique()], names=["observer", "image"])
    _warn("trials are missing", every.difference(seen).to_frame(index=False))
    return rows.sort_values(["observer", "image"], ignore_index=True)


def _read(file: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(file, keep_default_na=False, dtype=str)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, IsADirectoryError) as error:
        raise ValueError(f"{file} is not a readable CSV file ({one_line(error)}): copy it again.") from error
    table.columns = table.columns.str.strip().str.lower()
    if absent := [name for name in COLUMNS if name not in table]:
        raise ValueError(f"{file} lacks the column {', '.join(absent)}: expected {', '.join(COLUMNS)}.")
    table = table[list(COLUMNS)]
    if not len(table):
        raise ValueError(f"{file} holds no trials, only the names of its columns: copy it again.")
    gaps = (table.isna() | (table.apply(lambda column: column.str.strip()) == "")).any(axis=1)
    if gaps.any():
        raise ValueError(
            f"{file} has no answer, image, truth or observer in {gaps.sum()} rows, first in line {gaps.argmax() + 2}: copy it again."
        )
    return table.rename(columns=COLUMNS)


def _warn(what: str, rows: pd.DataFrame) -> None:
    if len(rows):
        named = ", ".join(f"{row.observer} {row.image}" for row in rows.head(3).itertuples()) + (", ..." if len(rows) > 3 else "")
        warnings.warn(f"{len(rows)} {what}: {named}", stacklevel=3)


def error_consistency(correct_a: Bool[np.ndarray, " a"], correct_b: Bool[np.ndarray, " b"]) -> float:
    """Cohen's kappa of two observers' right and wrong answers over the same trials; 1 when they always agree."""
    a, b = np.asarray(correct_a), np.asarray(correct_b)
    if not all(np.isin(x, (0, 1)).all() for x in (a, b)):
        raise ValueError("Error consistency needs lists of right (True) and wrong (False) answers: compare answers with the truth first.")
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise ValueError(f"Error consistency needs two equally long lists of right and wrong answers, got shapes {a.shape} and {b.shape}.")
    observed = float((a == b).mean())
    expected = expected_agreement(float(a.mean()), float(b.mean()))
    return 1.0 if observed == 1 else (observed - expected) / (1 - expected)


def kappas(right: Bool[np.ndarray, "observers trials"]) -> Float[np.ndarray, "observers observers"]:
    """Error consistency of every two observers, from their right and wrong answers to the same trials; 1 where they always agree."""
    r = right.astype(float)
    accuracy = r.mean(1)
    observed = (r @ r.T + (1 - r) @ (1 - r).T) / r.shape[1]
    expected = np.outer(accuracy, accuracy) + np.outer(1 - accuracy, 1 - accuracy)
    return np.divide(observed - expected, 1 - expected, out=np.ones_like(observed), where=observed < 1)


def kappas_over_largest(right: Bool[np.ndarray, "observers trials"]) -> Float[np.ndarray, "observers observers"]:
    """Error consistency of every two observers over the largest that their accuracies allow; 1 where they always agree."""
    accuracy = right.mean(1)
    largest, found = largest_kappa(accuracy[:, None], accuracy), kappas(right)
    return np.divide(found, largest, out=np.full_like(found, np.nan), where=largest > 0)


def family_margin(right: Bool[np.ndarray, "families seeds trials"], alike: Kappas = kappas) -> float:
    """Mean of how alike two networks of one family err, minus that of two networks of different families, from right and wrong answers.

    alike: matrix over networks of how alike they err, from (networks, trials): `kappas`, `kappas_over_largest`, `latent_correlations`.
    Pairs of which it is not known, because one of them never errs, are left out; NaN where none is left on one side.
    """
    families, seeds, trials = right.shape
    if families < 2 or seeds < 2:
        raise ValueError(f"A margin between families needs 2 families of 2 networks at least, got {families} of {seeds}.")
    k = alike(right.reshape(-1, trials))
    same = np.kron(np.eye(families), np.ones((seeds, seeds))).astype(bool)
    sides = (k[chosen & ~np.isnan(k)] for chosen in (same & ~np.eye(len(k), dtype=bool), ~same))
    within, across = (float(side.mean()) if len(side) else float("nan") for side in sides)
    return within - across


def family_estimate(
    right: Bool[np.ndarray, "families seeds trials"], rng: np.random.Generator, draws: int = 200, alike: Kappas = kappas
) -> Estimate:
    """`family_margin` with an interval over trials (resampled by `rng`) and seeds (a jackknife), added in quadrature.

    ValueError for fewer than 3 seeds, because without one of them each family needs two.
    """
    trials, seeds = right.shape[2], right.shape[1]
    resampled = [family_margin(right[:, :, rng.integers(0, trials, trials)], alike) for _ in range(draws)]
    leave = [family_margin(np.delete(right, i, axis=1), alike) for i in range(seeds)]
    half = np.hypot(NORMAL * np.nanstd(resampled, ddof=1), over_left_out(leave))
    return around(family_margin(right, alike), float(half))


def expected_agreement(accuracy_a: float, accuracy_b: float) -> float:
    """Share of trials on which two independent observers are both right or both wrong."""
    return accuracy_a * accuracy_b + (1 - accuracy_a) * (1 - accuracy_b)


def consistency_bounds(expected: float) -> tuple[float, float]:
    """Smallest and largest kappa that any two observers with this expected agreement can have (Geirhos et al. 2020, App. A)."""
    if not 0 <= expected < 1:
        raise ValueError(f"Expected agreement lies in [0, 1), got {expected}.")
    low = np.sqrt(2 * expected - 1) if expected >= 0.5 else 0.0
    high = 1.0 if expected >= 0.5 else 1 - np.sqrt(1 - 2 * expected)
    return float((low - expected) / (1 - expected)), float((high - expected) / (1 - expected))


def largest_kappa(accuracy_a: Shares, accuracy_b: Shares) -> Any:
    """Error consistency of two observers of these accuracies whose errors coincide as far as they can; NaN where neither ever errs.

    Accuracies are numbers, or arrays that broadcast.
    """
    a, b = np.asarray(accuracy_a, float), np.asarray(accuracy_b, float)
    expected = a * b + (1 - a) * (1 - b)
    largest = np.divide(1 - np.abs(a - b) - expected, 1 - expected, out=np.full(expected.shape, np.nan), where=expected < 1)
    return largest if largest.ndim else float(largest)


def latent_correlation(accuracy_a: Shares, accuracy_b: Shares, both: Shares, trials: int) -> np.ndarray:
    """Tetrachoric correlation (Pearson 1900) of two observers: that of a normal ease of trials, above whose thresholds they are right.

    Unlike kappa, and kappa over its largest, it does not change when only the thresholds, hence the accuracies, do. both: share of the
    trials on which both are right. All three broadcast. An empty cell of the fourfold table counts as half a trial, as usual, so that
    the result stays inside of -1 and 1. NaN where an observer is never or always right.
    """
    p, q, joint = np.broadcast_arrays(*(np.asarray(x, float) for x in (accuracy_a, accuracy_b, both)))
    known = (p > 0) & (p < 1) & (q > 0) & (q < 1)
    x, y = (norm.ppf(np.where(known, share, 0.5))[..., None] for share in (p, q))
    least, most = np.maximum(p + q - 1, 0), np.minimum(p, q)
    asked = np.clip(joint, least + 0.5 / trials, most - 0.5 / trials) - least
    step = np.pi / ANGLES
    angle = (np.arange(ANGLES) + 0.5) * step - np.pi / 2  # correlation = sin(angle): the integrand is then smooth (Genz 2004)
    density = np.exp(-(x**2 + y**2 - 2 * x * y * np.sin(angle)) / (2 * np.cos(angle) ** 2)) * step / (2 * np.pi)
    upper = np.cumsum(density, axis=-1)
    at = np.minimum((upper < asked[..., None]).sum(-1), ANGLES - 1)
    above, inside = (np.take_along_axis(v, at[..., None], -1)[..., 0] for v in (upper, density))
    within = np.clip(np.divide(asked - above + inside, inside, out=np.zeros_like(asked), where=inside > 0), 0, 1)
    return np.where(known, np.sin((at + within) * step - np.pi / 2), np.nan)


def latent_correlations(right: Bool[np.ndarray, "observers trials"]) -> Float[np.ndarray, "observers observers"]:
    """`latent_correlation` of every two observers, from their right and wrong answers to the same trials."""
    r, accuracy = right.astype(float), right.mean(1)
    return latent_correlation(accuracy[:, None], accuracy, r @ r.T / r.shape[1], r.shape[1])


def confusion(decisions: pd.DataFrame, categories: Sequence[str]) -> pd.DataFrame:
    """Counts of answers (columns) to true classes (rows), both in the order of `categories`; other answers are left out."""
    if unknown := sorted(set(decisions["truth"]) - set(categories)):
        raise ValueError(f"The decisions hold true classes that are not among the categories: {', '.join(unknown)}.")
    counts = pd.crosstab(decisions["truth"], decisions["response"])
    return counts.reindex(index=list(categories), columns=list(categories), fill_value=0)


def class_errors(counts: pd.DataFrame | np.ndarray) -> np.ndarray:
    """Distribution of errors over true classes, (classes,)."""
    return interclass_errors(counts).reshape(len(counts), -1).sum(1)


def interclass_errors(counts: pd.DataFrame | np.ndarray) -> np.ndarray:
    """Distribution of errors over pairs of true class and answer, (classes * classes,); ValueError without errors."""
    errors = np.array(counts, float)
    if errors.ndim != 2 or errors.shape[0] != errors.shape[1] or not (errors >= 0).all():
        raise ValueError(f"Expected a square table of counts, true classes by answers, got shape {errors.shape}: use confusion(...).")
    np.fill_diagonal(errors, 0)
    if not errors.sum():
        raise ValueError("An observer without errors has no distribution of errors: compare accuracies instead.")
    return (errors / errors.sum()).ravel()


def class_divergence(confusion_a: pd.DataFrame | np.ndarray, confusion_b: pd.DataFrame | np.ndarray) -> float:
    """Jensen-Shannon distance between two observers' errors over true classes, from 0 (alike) to 0.83."""
    _same_classes(confusion_a, confusion_b)
    return float(jensenshannon(class_errors(confusion_a), class_errors(confusion_b)))


def interclass_divergence(confusion_a: pd.DataFrame | np.ndarray, confusion_b: pd.DataFrame | np.ndarray) -> float:
    """Jensen-Shannon distance between two observers' errors over pairs of true class and answer, from 0 (alike) to 0.83."""
    _same_classes(confusion_a, confusion_b)
    return float(jensenshannon(interclass_errors(confusion_a), interclass_errors(confusion_b)))


def _same_classes(a: pd.DataFrame | np.ndarray, b: pd.DataFrame | np.ndarray) -> None:
    differ = a.shape != b.shape
    if isinstance(a, pd.DataFrame) and isinstance(b, pd.DataFrame):
        differ = differ or not (a.index.equals(b.index) and a.columns.equals(b.columns))
    if differ:
        raise ValueError("The two tables do not count the same classes in the same order: make both by confusion(decisions, categories).")


def cues(images: pd.Series) -> pd.DataFrame:
    """Shape and texture that cue-conflict images are named after (`cat3-clock1.png`: a cat made of clocks)."""
    found = images.str.extract(CUES)
    if found.isna().any(axis=None):
        raise ValueError(f"{images[found[0].isna()].iloc[0]} does not name a shape and a texture, as in cat3-clock1.png.")
    return found.set_axis(["shape", "texture"], axis=1)


def shape_bias(response: pd.Series | np.ndarray, shape: pd.Series | np.ndarray, texture: pd.Series | np.ndarray) -> float:
    """Share of shape among answers that name the shape or the texture; images where both agree are left out. NaN without such answers."""
    response, shape, texture = (np.asarray(x) for x in (response, shape, texture))
    if not response.shape == shape.shape == texture.shape:
        raise ValueError(
            f"Shape bias needs one shape and one texture for each answer, got {len(response)}, {len(shape)} and {len(texture)}."
        )
    conflict = shape != texture
    by_shape, by_texture = (float(((response == cue) & conflict).sum()) for cue in (shape, texture))
    return bias(by_shape, by_texture)


def bias(by_shape: float, by_texture: float) -> float:
    """Shape bias from how many answers, or which share of them, name the shape and the texture; NaN where none does."""
    return float(by_shape / (by_shape + by_texture)) if by_shape + by_texture else float("nan")


def bias_change(end: Mapping[str, float], start: Mapping[str, float], images: int, luck: Float[np.ndarray, " draws"]) -> Resampled:
    """Shape bias at one point of a learning curve minus that at another, and what as many other images might have given.

    end, start: shares of answers that name the `shape` and the `texture`, of as many images with cue conflict. luck: standard normal,
    the same draws for all networks that answer the same images.
    """
    values, variances = [], []
    for point in (end, start):
        value, named = bias(point["shape"], point["texture"]), round(images * (point["shape"] + point["texture"]))
        values.append(value)
        variances.append(value * (1 - value) / named if named else float("nan"))
    change = values[0] - values[1]
    return Resampled(change, change + luck * sum(variances) ** 0.5, images)


def humans(decisions: pd.DataFrame) -> list[str]:
    """The observers that are people, whom Geirhos et al. 2019 call `subject-01` and so on."""
    return sorted(o for o in decisions["observer"].unique() if o.startswith("subject"))


def interval(resampled: pd.Series) -> Estimate:
    """An estimate from a row of `against_humans`, or a difference of two: `all`, and the standard error of the draws."""
    return normal(float(resampled["all"]), float(resampled.drop("all").std()))


def compared(table: pd.DataFrame, a: Sequence[str], b: Sequence[str]) -> Estimate:
    """Mean of a measure over some observers minus that over others, from a table of `against_humans`.

    The interval holds the resampled images and humans and, where a side has several networks, Welch's over networks, in quadrature;
    the spread over networks contains some of that over images, so that it is rather too wide.
    """
    rows = [table.loc[list(names)] for names in (a, b)]
    spreads = [float(np.asarray(r["all"]).var(ddof=1)) / len(r) if len(r) > 1 else 0.0 for r in rows]
    over = _over_networks(*((spread, len(r) - 1) for spread, r in zip(spreads, rows, strict=True)))
    e = interval(rows[0].mean() - rows[1].mean())
    return around(e.estimate, float(np.hypot(e.high - e.estimate, over)))


def given_accuracy(table: pd.DataFrame, accuracy: pd.DataFrame, a: Sequence[str], line: Sequence[str]) -> Estimate:
    """Mean of a measure over some observers minus what others let one expect at their accuracy, by the line of the measure on accuracy.

    table, accuracy: tables of `against_humans`; the line is fitted anew to the observers `line` in every resample. The interval also
    holds the spread of the networks around their mean and around the line, further out at accuracies that the others do not have.
    """
    if len(line) < 3:
        raise ValueError(f"A line on accuracy needs 3 networks or more, to know how well it fits, got {len(line)}.")
    x, y = (np.asarray(t.loc[list(line)], float) for t in (accuracy, table))  # (networks, all and draws)
    away = x - x.mean(0)
    slope = (away * y).sum(0) / (away**2).sum(0)
    at, found = (np.asarray(t.loc[list(a)], float) for t in (accuracy, table))
    left = found - y.mean(0) - slope * (at - x.mean(0))
    off = (y - y.mean(0) - slope * away)[:, 0]
    leverage = 1 / len(line) + (at.mean(0) - x.mean(0))[0] ** 2 / (away[:, 0] ** 2).sum()
    own = float(left[:, 0].var(ddof=1)) / len(a) if len(a) > 1 else 0.0
    over = _over_networks((own, len(a) - 1), (float((off**2).sum() / (len(line) - 2) * leverage), len(line) - 2))
    e = interval(pd.Series(left.mean(0), index=table.columns))
    return around(e.estimate, float(np.hypot(e.high - e.estimate, over)))


def _over_networks(*parts: tuple[float, int]) -> float:
    """Welch's half-width of a sum of means, from the variance of each mean and its degrees of freedom; a mean of one network has none."""
    known = [(variance, freedom) for variance, freedom in parts if freedom > 0]
    total = sum(variance for variance, _ in known)
    if not total:
        return 0.0
    freedom = total**2 / sum(variance**2 / n for variance, n in known)
    return float(student.ppf(0.975, freedom) * total**0.5)


def nearest(accuracy: pd.DataFrame, of: str, among: Sequence[str]) -> str:
    """The observer whose accuracy is nearest to that of another, from the accuracies of `against_humans`."""
    shares = accuracy["all"].astype(float).to_dict()
    return min(among, key=lambda name: abs(shares[name] - shares[of]))


def against_humans(decisions: pd.DataFrame, humans: Sequence[str], draws: int = 200, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Every observer against the humans, on all trials and on resamples of trials and of humans.

    Returns measure -> table of observers (rows) by `all` and the draws (columns). Measures: accuracy; kappa; kappa_share, kappa over the
    largest that accuracies allow; latent, the tetrachoric correlation (these three are means over single humans); class and interclass,
    the mean divergence from single humans (never from oneself); class_average and interclass_average, the
    divergence from the average human's distribution; shape_bias (NaN where images name no cues). Observers without errors have no
    distribution of errors: their divergences are NaN, and means are over the other humans.
    """
    classes = sorted(decisions["truth"].unique())
    answers = decisions.pivot(index="image", columns="observer", values="response")
    truth = decisions.drop_duplicates("image").set_index("image")["truth"].loc[answers.index]
    if absent := sorted(set(humans) - set(answers)):
        raise ValueError(f"The decisions hold no observer called {', '.join(absent)}.")
    gone = np.argwhere(answers.isna().to_numpy())
    if len(gone):
        who, what = answers.columns[gone[0, 1]], answers.index[gone[0, 0]]
        raise ValueError(f"{who} did not answer {what}: keep the trials that all observers answered.")
    code = {name: i for i, name in enumerate(classes)}
    a = answers.map(lambda x: code.get(x, -1)).to_numpy()
    t = truth.map(code).to_numpy()
    images = truth.index.to_series()
    named = images.str.extract(CUES).notna().all(axis=None)
    texture = cues(images)["texture"].map(code).to_numpy() if named else None
    who = np.array([answers.columns.get_loc(h) for h in humans])
    rng = np.random.default_rng(seed)
    picks = [(np.arange(len(t)), who)] + [(rng.integers(0, len(t), len(t)), rng.choice(who, len(who))) for _ in range(draws)]
    found = [_measures(t[i], a[i], h, len(classes), None if texture is None else texture[i]) for i, h in picks]
    columns = ["all", *range(draws)]
    return {key: pd.DataFrame([f[key] for f in found], columns=answers.columns, index=columns).T for key in found[0]}


def _measures(t: np.ndarray, a: np.ndarray, humans: np.ndarray, classes: int, texture: np.ndarray | None) -> dict[str, np.ndarray]:
    right, observers = a == t[:, None], a.shape[1]
    other = np.arange(observers)[:, None] != humans
    counts = np.zeros((observers, classes, classes))
    image, observer = np.nonzero(a >= 0)
    np.add.at(counts, (observer, t[image], a[image, observer]), 1)
    counts[:, np.arange(classes), np.arange(classes)] = 0
    errors = counts.sum((1, 2))[:, None]
    pairs = counts.reshape(observers, -1) / np.where(errors > 0, errors, np.nan)
    rows = pairs.reshape(observers, classes, classes).sum(2)

    def over_humans(values: np.ndarray) -> np.ndarray:
        known = other & np.isfinite(values)
        total, count = np.where(known, values, 0).sum(1), known.sum(1)
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)

    accuracy, r, found = right.mean(0), right.astype(float), kappas(right.T)[:, humans]
    largest = largest_kappa(accuracy[:, None], accuracy[humans])
    latent = latent_correlation(accuracy[:, None], accuracy[humans], r.T @ r[:, humans] / len(r), len(r))
    result = {"accuracy": accuracy, "kappa": over_humans(found), "latent": over_humans(latent)}
    result["kappa_share"] = over_humans(np.divide(found, largest, out=np.full_like(found, np.nan), where=largest > 0))
    for name, p in (("class", rows), ("interclass", pairs)):
        result[name] = over_humans(jensenshannon(p[:, None], p[None, humans], axis=2))
        erring = p[humans][errors[humans, 0] > 0]
        average = erring.mean(0) if len(erring) else np.full(p.shape[1], np.nan)
        result[f"{name}_average"] = jensenshannon(p, average[None], axis=1)
    if texture is not None:
        conflict = (t != texture)[:, None]
        by_shape, by_texture = ((a == cue[:, None]) & conflict for cue in (t, texture))
        either = (by_shape | by_texture).sum(0)
        result["shape_bias"] = np.divide(by_shape.sum(0), either, out=np.full(observers, np.nan), where=either > 0)
    else:
        result["shape_bias"] = np.full(observers, np.nan)
    return result
