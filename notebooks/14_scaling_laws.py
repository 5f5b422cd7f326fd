# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (sec-scaling)=
# # Scaling laws
#
# **You will learn** to fit a power law that saturates at both ends, to put an interval on its constants, and to ask whether it foretells
# anything.
#
# *Reading: 7 minutes. Running: {seconds}`14` on two cores. Before this: {ref}`sec-scale`.*
#
# ## The question
#
# What does more compute buy? {cite:t}`zhai2022` trained ViTs from five million to two billion parameters on 30 million to three billion images. The best error at each
# amount of compute, they find, follows a power law with a floor. They print their points in tables, so the law can be fitted again, and tested harder: with intervals, against a simpler law, and on models that it has not seen.
#
# This chapter treats the published points. A grid of networks of our own is not in this edition.

# %% tags=["parameters"]
tier = "scenes"
draws = 300

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seelike import claims, plots, scaling

plots.style()

# %% [markdown]
# ## Method: a law with a floor and a ceiling
#
# $$
# E(C) = a\,(C + d)^{-b} + c .
# $$ (eq-power-law)
#
# The exponent $b$ says how fast error falls, the floor $c$ what compute cannot remove, and $d$ keeps error finite when there is hardly any compute. The unit of compute enters $a$ and
# $d$ only, so $b$ and $c$ can be compared across units. We measure compute as operations of one forward pass (multiplications and additions each) times images seen. The paper counts TPU core-days, which also reflect how well each
# model uses the machine.
#
# We fit log error by least squares, on the Pareto front: points that no other point beats with as little compute. Runs, not points, are resampled for the intervals.

# %%
points = scaling.published()
if points is not None:
    points["compute"] = points.gflops_224 * points.images_seen
    points["error"] = 1 - points.inet_10shot_acc / 100
    points["run"] = points.model + " on " + points["data"]
    known = points.dropna(subset=["error"]).reset_index(drop=True)
    best = known.loc[scaling.frontier(known.compute, known.error)]
    laws = {
        name: scaling.fit_power_law(
            best.compute, best.error, runs=best.run, saturating=s, draws=draws
        )
        for name, s in {"saturating": True, "pure power law": False}.items()
    }


# %%
def lines(fits, compute):
    """Curves and their intervals on a grid of compute, ready to be kept."""
    return {
        name: [
            fit.predict(compute).tolist(),
            *map(list, fit.predict_interval(compute)),
        ]
        for name, fit in fits.items()
    }


def constants(fit):
    return {n: [getattr(fit, n), *fit.interval[n]] for n in scaling.NAMES}


if points is not None:
    grid = np.geomspace(best.compute.min(), 3 * best.compute.max(), 60)
    figure = {
        "front": best[["compute", "error", "model"]].to_dict("list"),
        "grid": grid.tolist(),
        "curves": lines(laws, grid),
        "constants": {name: constants(fit) for name, fit in laws.items()},
    }
    claims.keep("14", "published", {"frontier": figure})
front = claims.results("published", "14")["frontier"]
print("fitted here" if points is not None else "recorded fits")


# %% mystnb={"figure": {"name": "fig-frontier", "caption": "Ten-shot ImageNet error on the frontier of compute (points: published), the saturating law and a pure power law, with 95 % intervals of the curves."}, "image": {"alt": "Scatter of ten-shot error against compute, both axes logarithmic, with two fitted curves and shaded intervals: a law that saturates and a straight line."}} tags=["hide-input"]
def draw(ax, front):
    ax.plot(
        front["front"]["compute"],
        front["front"]["error"],
        "o",
        color=plots.INK,
        ms=4,
    )
    for (name, (y, low, high)), kind in zip(
        front["curves"].items(), ("vit_cls", "resnet")
    ):
        colour = plots.COLOURS[kind]
        ax.plot(front["grid"], y, color=colour, label=name)
        ax.fill_between(front["grid"], low, high, color=colour, alpha=0.2, lw=0)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="compute (GFLOPs x images)",
        ylabel="ten-shot error",
    )
    ax.set_yticks([0.15, 0.2, 0.3, 0.5, 0.8], ["0.15", "0.2", "0.3", "0.5", "0.8"])
    ax.minorticks_off()
    ax.legend()


fig, ax = plt.subplots(figsize=(6, 4))
draw(ax, front)
plots.sign(fig, "points published by Zhai et al. 2021", [])

# %% [markdown]
# The constants, with intervals:

# %%
pd.DataFrame(
    {
        (law, end): {n: v[i] for n, v in held.items()}
        for law, held in front["constants"].items()
        for i, end in enumerate(("fit", "low", "high"))
    }
).map("{:.3g}".format)

# %% [markdown]
# ## Does it foretell?
#
# A curve with four constants fits many things. A harder test: hide the two largest models, fit the rest, and predict them.

# %%
if points is not None:
    small = known[~known.model.isin(["g/14", "G/14"])].reset_index(drop=True)
    seen = small.loc[scaling.frontier(small.compute, small.error)]
    held_out = {
        name: scaling.fit_power_law(
            seen.compute, seen.error, runs=seen.run, saturating=s, draws=draws
        )
        for name, s in {"saturating": True, "pure power law": False}.items()
    }
    large = known[known.model.isin(["g/14", "G/14"])]
    kept = {
        "front": seen[["compute", "error"]].to_dict("list"),
        "hidden": large[["compute", "error", "model"]].to_dict("list"),
        "grid": grid.tolist(),
        "curves": lines(held_out, grid),
    }
    claims.keep("14", "published", {"holdout": kept})
holdout = claims.results("published", "14")["holdout"]

# %% mystnb={"figure": {"name": "fig-holdout", "caption": "The laws fitted without the two largest models (filled points), and those models (rings), which were not used."}, "image": {"alt": "Scatter of ten-shot error against compute with two fitted curves and shaded intervals; the two largest models, left out of the fit, are rings."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6, 4))
draw(ax, holdout)
ax.plot(
    holdout["hidden"]["compute"],
    holdout["hidden"]["error"],
    "o",
    mfc="none",
    mec=plots.INK,
    ms=8,
)
plots.sign(fig, "points published by Zhai et al. 2021", [])

# %% [markdown]
# ## Where data run out
#
# The frontier hides what single models do. A large and a small model, on little data and on much:

# %%
PAIRS = [("L/16", "30M"), ("L/16", "3B"), ("Ti/16", "30M"), ("Ti/16", "3B")]
if points is not None:
    curves = {}
    for model, images in PAIRS:
        rows = known[(known.model == model) & (known["data"] == images)]
        rows = rows.sort_values("images_seen")
        curves[f"{model} on {images}"] = [
            rows.images_seen.tolist(),
            rows.error.round(4).tolist(),
        ]
    claims.keep("14", "published", {"runs": curves})
runs = claims.results("published", "14")["runs"]

# %% mystnb={"figure": {"name": "fig-data-limit", "caption": "Ten-shot error against images seen, for a large and a small model on 30 million and on 3 billion different images (published points)."}, "image": {"alt": "Line plot of ten-shot error against images seen on a logarithmic axis: two models, each on two sizes of data set."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6, 3.6))
for name, (x, y) in runs.items():
    kind = "vit_cls" if name.startswith("L") else "resnet"
    ax.plot(
        x, y, "o-" if "3B" in name else "o--", color=plots.COLOURS[kind], label=name
    )
ax.set(xscale="log", xlabel="images seen", ylabel="ten-shot error", ylim=(0, 1))
ax.legend()
plots.sign(fig, "points published by Zhai et al. 2021", [])

# %% [markdown]
# ## Six claims, decided


# %%
def spread(value, drawn):
    return claims.Estimate(value, *np.quantile(drawn, [0.025, 0.975]))


def misfit(fit, rows, curve):
    return np.sqrt(np.mean((np.log(curve) - np.log(rows.error)) ** 2))


def needed(run, error=0.5):
    """Images until a run's error falls to a value, interpolated in their logarithm."""
    x, y = map(np.array, runs[run])
    return np.exp(np.interp(-error, -y, np.log(x)))


if points is not None:
    law, pure, before = (
        laws["saturating"],
        laws["pure power law"],
        held_out["saturating"],
    )
    giant = known[known.model == "G/14"].iloc[0]
    far = [
        np.abs(
            np.log(d[0] * (giant.compute + d[3]) ** -d[1] + d[2])
            - np.log(giant.error)
        )
        for d in before.draws
    ]
    single = {
        "Z21-5": 100 * (min(runs["L/16 on 30M"][1]) - min(runs["L/16 on 3B"][1])),
        "Z21-6": needed("Ti/16 on 3B") / needed("L/16 on 3B"),
    }
    decided = {
        "Z21-1": spread(abs(law.b - 0.3), np.abs(law.draws[:, 1] - 0.3)),
        "Z21-2": spread(law.c, law.draws[:, 2]),
        "Z21-4": spread(
            abs(np.log(before.predict(giant.compute) / giant.error)), far
        ),
        **{claim: claims.Estimate(v, v, v) for claim, v in single.items()},
    }

# %% [markdown]
# The comparison of the two laws needs residuals on the same resamples of runs:

# %%
if points is not None:
    rng = np.random.default_rng(0)
    names = best.run.unique()
    ratios = []
    for _ in range(draws):
        rows = pd.concat(
            [best[best.run == n] for n in rng.choice(names, len(names))]
        )
        if rows.compute.nunique() >= 8:
            both = [
                scaling.fit_power_law(
                    rows.compute, rows.error, saturating=s, draws=1
                )
                for s in (False, True)
            ]
            ratios.append(both[0].residual / both[1].residual)
    decided["Z21-3"] = spread(pure.residual / law.residual, ratios)
    for claim, e in decided.items():
        claims.record(claim, "published", e, seeds=1, images=len(best))
claims.chapter("14", "published")

# %% [markdown]
# ## What it means
#
# **The exponent**, as distance from the middle of the rule's range: {claim}`Z21-1 @ published`. **The floor**: {claim}`Z21-2 @ published`. **A better
# law?** Residual of the pure power law over that of the saturating one: {claim}`Z21-3 @ published`. A law with more constants never fits worse; the rule asks for clearly better.
#
# **Foretold?** Log ratio of predicted to measured error of the largest model: {claim}`Z21-4 @ published`.
#
# **Data run out**, in points of error: {claim}`Z21-5 @ published`. **Sample efficiency**, as a ratio of images: {claim}`Z21-6 @ published`. The last two compare single runs, so
# they have no interval and their verdicts leave out the luck of training.
#
# ## What this page cannot decide
#
# Points on the frontier are the best of many, so their errors are a little too low. Operations times images leave out how well each model uses a machine; the exponent in core-days may
# differ. Which model a row of the tables belongs to was inferred from their order. And a law of ImageNet error says nothing about *how* these networks see.
#
# ## Exercises
#
# :::{exercise} Warm-up: ten times the compute
# :label: ex-ten-times
# Far from floor and ceiling, error is $a C^{-b}$ with $b = 0.3$. By what factor does it fall when compute grows tenfold?
# :::
#
# :::{solution} ex-ten-times
# :class: dropdown
# By $10^{-0.3} = 0.50$: it halves.
# :::
#
# :::{exercise} Code: two units
# :label: ex-units
# Make points from a law of your own with `numpy`, fit them, multiply compute by a thousand, and fit again. Which constants change, and how?
# :::
#
# ::::{solution} ex-units
# :class: dropdown
# ```python
# x = np.geomspace(0.1, 1e4, 40)
# y = 0.6 * (x + 0.5) ** -0.4 + 0.1
# for unit in (1, 1000):
#     fit = scaling.fit_power_law(x * unit, y, draws=2)
#     print(fit.a, fit.b, fit.c, fit.d)
# ```
#
# $b$ and $c$ stay, $d$ grows a thousandfold, and $a$ by $1000^{b}$.
# ::::
#
# :::{exercise} Open: what is a floor?
# :label: ex-floor
# Wrong labels, few shots, and small images all put a floor under error. Design data that tell them apart.
# :::
