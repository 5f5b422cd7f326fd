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
# This chapter treats the published points, and then a small grid of our own.

# %% tags=["parameters"]
draws = 300

# %% tags=["hide-input"]
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seelike import (
    claims,
    evaluate,
    models,
    plots,
    project,
    published,
    recipes,
    scaling,
)
from seelike.chapter import Chapter
from seelike.intervals import (
    Estimate,
    Share,
    difference,
    estimate,
    normal,
    percentile,
    redrawn,
)

book = Chapter("14", project.DEFAULT)
SOURCE = "points published by Zhai et al. 2021"

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
def best_of(points, accuracy):
    """The frontier of compute and error among points with an accuracy (percent)."""
    known = points.dropna(subset=[accuracy]).reset_index(drop=True)
    known = known.assign(error=1 - known[accuracy] / 100)
    return known, known.loc[scaling.frontier(known.compute, known.error)]


points = published.scaling_points()
if points is not None:
    points["compute"] = points.gflops_224 * points.images_seen
    points["run"] = points.model + " on " + points["data"]
    known, best = best_of(points, "inet_10shot_acc")
    laws = scaling.both(best.compute, best.error, runs=best.run, draws=draws)

# %% tags=["hide-input"]
if points is not None:
    grid = np.geomspace(best.compute.min(), 3 * best.compute.max(), 60)
    tuned = best_of(points, "inet_finetune_acc")[1]
    tuned_laws = scaling.both(
        tuned.compute, tuned.error, runs=tuned.run, draws=draws
    )
    figure = scaling.sections(best, laws, grid)
    figure["tuned"] = scaling.sections(tuned, tuned_laws, grid)
    claims.keep("14", claims.DATA, {"frontier": figure})
front = claims.results(claims.DATA, "14")["frontier"]
print("fitted here" if points is not None else "recorded fits")


# %% mystnb={"figure": {"name": "fig-frontier", "caption": "ImageNet error on the frontier of compute (points: published), from ten shots (left) and after fine-tuning (right); the saturating law and a pure power law, with 95 % intervals of the curves."}, "image": {"alt": "Two scatters of error against compute, both axes logarithmic, from ten shots and after fine-tuning, each with two fitted curves and shaded intervals: a law that saturates and a straight line."}} tags=["hide-input"]
def draw(ax, front, what="ten-shot error"):
    ax.plot(
        front["front"]["compute"],
        front["front"]["error"],
        "o",
        color=plots.INK,
        ms=4,
    )
    for name, (y, low, high) in front["curves"].items():
        colour = plots.INK if "pure" in name else plots.DEPTHS[1]
        ax.plot(front["grid"], y, color=colour, label=name)
        ax.fill_between(front["grid"], low, high, color=colour, alpha=0.2, lw=0)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="compute (GFLOPs x images)",
        ylabel=what,
    )
    ax.set_yticks(
        [0.1, 0.15, 0.2, 0.3, 0.5, 0.8], ["0.1", "0.15", "0.2", "0.3", "0.5", "0.8"]
    )
    ax.minorticks_off()
    ax.legend()


fig, axes = plt.subplots(1, 2, figsize=(9.6, 4))
draw(axes[0], front)
draw(axes[1], front["tuned"], "error after fine-tuning")
plots.sign(fig, plots.provenance(SOURCE, []))

# %% [markdown]
# The constants, with intervals. The claims below are about the ten-shot frontier.

# %%
pd.DataFrame(
    {
        (error, law, end): {n: v[i] for n, v in held.items()}
        for error, figure in {
            "ten-shot": front,
            "fine-tuned": front["tuned"],
        }.items()
        for law, held in figure["constants"].items()
        for i, end in enumerate(("fit", "low", "high"))
    }
).map("{:.3g}".format)

# %% [markdown]
# ## Does it foretell?
#
# A curve with four constants fits many things. A harder test: hide the two largest models, fit the rest, and predict them.

# %%
if points is not None:
    giants = known.model.isin(["g/14", "G/14"])
    small, large = known[~giants].reset_index(drop=True), known[giants]
    seen = small.loc[scaling.frontier(small.compute, small.error)]
    held_out = scaling.both(seen.compute, seen.error, runs=seen.run, draws=draws)
    kept = scaling.sections(seen, held_out, grid)
    kept["hidden"] = large[["compute", "error", "model"]].to_dict("list")
    claims.keep("14", claims.DATA, {"holdout": kept})
holdout = claims.results(claims.DATA, "14")["holdout"]

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
plots.sign(fig, plots.provenance(SOURCE, []))

# %% [markdown]
# ## Where data run out
#
# The frontier hides what single models do. A large and a small model, on little data and on much:

# %%
if points is not None:
    curves = {}
    for model, images in product(("L/16", "Ti/16"), ("30M", "3B")):
        rows = known[(known.model == model) & (known["data"] == images)]
        rows = rows.sort_values("images_seen")
        curves[f"{model} on {images}"] = [
            rows.images_seen.tolist(),
            rows.error.round(4).tolist(),
        ]
    claims.keep("14", claims.DATA, {"runs": curves})
runs = claims.results(claims.DATA, "14")["runs"]

# %% mystnb={"figure": {"name": "fig-data-limit", "caption": "Ten-shot error against images seen, for a large and a small model on 30 million and on 3 billion different images (published points)."}, "image": {"alt": "Line plot of ten-shot error against images seen on a logarithmic axis: two models, each on two sizes of data set."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6, 3.6))
for name, (x, y) in runs.items():
    colour = plots.DEPTHS[0 if name.startswith("L") else 2]
    ax.plot(x, y, "o-" if "3B" in name else "o--", color=colour, label=name)
ax.set(xscale="log", xlabel="images seen", ylabel="ten-shot error", ylim=(0, 1))
ax.legend(handlelength=3.5, markerscale=0)
plots.sign(fig, plots.provenance(SOURCE, []))

# %% [markdown]
# ## A grid of our own
#
# Four widths of our ViT, three sets of scenes (640, 6,400 and 64,000 different ones), and three lengths of training, each a run of its own with its rate brought down to nothing at the end; on the largest set two more lengths, which were added when the frontier of the rest was seen to have six points: 44 networks of about 14,000 to 620,000 parameters. Error is that
# on 2,000 test scenes. *Transfer* is ten-shot ridge regression ({ref}`sec-localization`) from the features that the classifier reads to the texture of an object, on
# scenes where texture says nothing about the shape. Short runs see only a part of the larger sets: after 4,000 images, sets of 6,400 and of 64,000 differ by chance alone.


# %% tags=["hide-input"]
def compute(card):
    """Operations of one forward pass (thousand millions) times images seen."""
    return 2e-9 * models.cost_of(card)[1] * card.images_seen


def point(cell):
    """A network of the grid as a row of the table."""
    card, (width, images, distinct) = cells[cell], cell
    shot = card.few_shot
    if shot is None:
        shot = evaluate.few_shot(models.load(card.name, book.tier), book.tier)[0]
    return {
        "width": width,
        "images": card.images_seen,
        "length": images,
        "distinct": distinct,
        "compute": compute(card),
        "error": 1 - card.accuracy,
        "learned": card.accuracy_low > 0.1,
        "transfer": 1 - shot,
    }


studied = models.cards(book.tier, study="grid") | models.cards(
    book.tier, study="data"
)
cells = {
    (
        card.made.factors["width"],
        card.made.images,
        card.made.factors["distinct"],
    ): card
    for (_, seed), card in studied.items()
    if seed == 0
}
ours = pd.DataFrame([point(cell) for cell in recipes.GRID])
longer = [
    c for (name, _), c in models.cards(book.tier).items() if name == "vit_cls"
]
beyond = {
    "compute": [compute(card) for card in longer],
    "error": [1 - card.accuracy for card in longer],
}
book.keep(grid={"points": ours.round(5).to_dict("list")}, longer=beyond)

# %% mystnb={"figure": {"name": "fig-grid", "caption": "Our grid. Left: test error against compute; size of the dot: number of different scenes; rings: the frontier; crosses: three longer runs of the widest network (chapter 1), which were not used. Where the frontier has ten points or more, lines are laws fitted to it, with 95 % intervals over runs. Right: error against images seen, by width. Dotted: chance."}, "image": {"alt": "Two panels on logarithmic axes: test error against compute for 44 small networks and three longer runs, and error against images seen, one line per width and number of different scenes, with a dotted line at chance."}} tags=["hide-input"]
LEAST = 10  # points on a frontier to which a law of four constants is fitted
able = ours[ours.learned]
front_rows = able.loc[able.index[scaling.frontier(able.compute, able.error)]]
front_rows = front_rows.assign(run=range(len(front_rows)))  # one point a run
own_laws = {}
if len(front_rows) >= LEAST:
    own_laws = scaling.both(front_rows.compute, front_rows.error, draws=draws)
shades = dict(zip(recipes.WIDTHS, plots.DEPTHS))
STYLES = dict(zip(recipes.DISTINCT, (":", "--", "-")))
sizes = dict(zip(recipes.DISTINCT, (12, 30, 65)))
fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
for width, rows in ours.groupby("width"):
    size, name = rows.distinct.map(sizes), f"width {width}"
    axes[0].scatter(rows.compute, rows.error, size, color=shades[width], label=name)
    for distinct, line in rows.sort_values("images").groupby("distinct"):
        style = STYLES[distinct]
        axes[1].plot(line.images, line.error, style, color=shades[width])
ring = {"mfc": "none", "mec": plots.INK, "ms": 12}
axes[0].plot(front_rows.compute, front_rows.error, "o", **ring)
axes[0].plot(beyond["compute"], beyond["error"], "x", color=plots.INK)
reach = np.geomspace(front_rows.compute.min(), max(beyond["compute"]), 60)
for (name, law), style in zip(own_laws.items(), ("-", "--")):
    y, low, high = law.curve(reach)
    axes[0].plot(reach, y, style, color=plots.INK, lw=1.2, label=name)
    axes[0].fill_between(reach, low, high, color=plots.INK, alpha=0.12, lw=0)
ticks = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9]
axes[0].set(xscale="log", yscale="log", ylabel="test error", ylim=(0.009, 1.1))
axes[0].set(xlabel="compute (GFLOPs x images)")
axes[0].set_yticks(ticks, map(str, ticks))
axes[1].set(xscale="log", xlabel="thousand images seen")
lengths = sorted({n for _, n, _ in recipes.GRID})
axes[1].set_xticks(lengths, [f"{n // 1000}" for n in lengths])
for ax in axes:
    ax.axhline(0.9, color=plots.INK, ls=":", lw=1)
    ax.minorticks_off()
axes[0].legend(fontsize=8)
handles = [
    plt.Line2D([], [], color=plots.INK, ls=s, label=f"{d:,} scenes")
    for d, s in STYLES.items()
]
axes[1].legend(handles=handles, fontsize=8)
book.sign(fig, [0])

# %%
print(
    f"{len(able)} of {len(ours)} networks are better than chance, {len(front_rows)} of them on the frontier"
)
if own_laws:
    constants_of = {
        (law, end): {n: v[i] for n, v in fit.constants.items()}
        for law, fit in own_laws.items()
        for i, end in enumerate(("fit", "low", "high"))
    }
    print(pd.DataFrame(constants_of).map("{:.3g}".format))
    for name, law in own_laws.items():
        told = claims.words(*law.curve(beyond["compute"][0])[:, 0])
        print(f"{name}: foretells {told} for the longer runs")

# %% [markdown]
# Does a network that is better at its task also transfer better?

# %% mystnb={"figure": {"name": "fig-grid-transfer", "caption": "Ten-shot error on texture against test error on shape, the networks of the grid. Dotted: chance."}, "image": {"alt": "Scatter of ten-shot transfer error against test error, coloured by width, with a dotted line at chance."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5, 3.6))
for width, rows in ours.groupby("width"):
    ax.scatter(
        rows.error, rows.transfer, color=shades[width], label=f"width {width}"
    )
ax.axhline(0.9, color=plots.INK, ls=":")
ax.set(xlabel="test error", ylabel="ten-shot error, texture")
ax.legend(fontsize=9)
book.sign(fig, [0])

# %% [markdown]
# ## Heads and weight decay
#
# Two smaller questions of the paper, on a ViT of width 48 and 6,400 scenes. Does it matter whether the class is read from a class token, from the mean of the tokens, or from one attention over them (MAP)? And does strong weight decay of the head alone make features that transfer better?

# %% mystnb={"figure": {"name": "fig-heads", "caption": "Test accuracy (left, 95 % Wilson intervals) and ten-shot accuracy on texture (right; 95 % intervals over 1,000 test images; line: chance), for three heads, and for weight decay on head, body, both or neither. One seed."}, "image": {"alt": "Two dot plots with one row for each of three heads and four settings of weight decay: test accuracy with intervals, and ten-shot accuracy on texture."}} tags=["hide-input"]
HEADS = {"cls": "class token", "gap": "mean", "map": "attention pool"}
DECAYS = {
    (0.0, 0.0): "no decay",
    (30.0, 0.0): "decay of head: 30",
    (0.0, 0.3): "decay of body: 0.3",
    (30.0, 0.3): "both",
}
heads = {
    c.made.factors["head"]: c
    for c in models.cards(book.tier, study="heads").values()
}
decays = {
    (c.made.factors["head"], c.made.factors["body"]): c
    for c in models.cards(book.tier, study="decay").values()
}
variants = {label: heads[head] for head, label in HEADS.items()}
variants |= {label: decays[decay] for decay, label in DECAYS.items()}


def transfer(card):
    """Ten-shot accuracy and the images behind it."""
    return Share(card.few_shot, card.few_shot_images)


right = {
    n: (c.accuracy, c.accuracy_low, c.accuracy_high) for n, c in variants.items()
}
shots = {label: transfer(card) for label, card in variants.items()}
fig, axes = plt.subplots(1, 2, figsize=(8.4, 2.9), sharey=True)
plots.intervals(axes[0], right)
plots.intervals(axes[1], {n: normal(s.value, s.error) for n, s in shots.items()})
axes[1].axvline(0.1, color=plots.INK, ls=":")
for ax, title in zip(axes, ("accuracy", "ten-shot accuracy, texture")):
    ax.axhline(2.5, color=plots.INK, lw=0.6)
    ax.set(xlabel=title)
book.sign(fig, [0])

# %% [markdown]
# ## Eight claims, decided


# %% tags=["hide-input"]
if points is not None:
    law, before = laws["saturating"], held_out["saturating"]
    giant = known[known.model == "G/14"].iloc[0]

    def off(error):
        """Size of the log ratio of predicted to measured error of the largest model."""
        return np.abs(np.log(error / giant.error))

    single = {
        "Z21-5": 100 * (min(runs["L/16 on 30M"][1]) - min(runs["L/16 on 3B"][1])),
        "Z21-6": scaling.until(*runs["Ti/16 on 3B"])
        / scaling.until(*runs["L/16 on 3B"]),
    }
    decided = {
        "Z21-1": percentile(abs(law.b - 0.3), np.abs(law.draws[:, 1] - 0.3)),
        "Z21-2": percentile(law.c, law.draws[:, 2]),
        "Z21-4": percentile(
            off(before.predict(giant.compute)), off(before.curves(giant.compute))
        ),
        **{claim: Estimate(v, v, v) for claim, v in single.items()},
    }

# %% [markdown]
# The comparison of the two laws needs residuals on the same resamples of runs:

# %%
if points is not None:
    decided["Z21-3"] = percentile(
        scaling.residual_ratio(best.compute, best.error),
        scaling.resampled_ratios(best, 8, draws=draws),
    )
    for claim, e in decided.items():
        claims.record(claim, claims.DATA, e, seeds=1, images=len(best))
book.table(claims.DATA)

# %% tags=["hide-input"]
here, n = {}, len(front_rows)
if own_laws:
    law = own_laws["saturating"]
    here["Z21-1"] = percentile(abs(law.b - 0.3), np.abs(law.draws[:, 1] - 0.3))
    here["Z21-3"] = percentile(
        scaling.residual_ratio(front_rows.compute, front_rows.error),
        scaling.resampled_ratios(front_rows, 6, draws=draws // 3),
    )
    luck = ((n - 2) / (n - 4)) ** 0.5
    print(f"residual ratio that a pure law gives by chance: {luck:.2f}")
else:
    print(
        f"{n} points on the frontier are too few for four constants: Z21-1 and Z21-3 are not decided here"
    )
few, _, many = recipes.DISTINCT
widest = {
    distinct: max(
        (
            c
            for (w, _, d), c in cells.items()
            if w == max(recipes.WIDTHS) and d == distinct
        ),
        key=lambda card: card.accuracy,
    )
    for distinct in (few, many)
}
gap = difference((widest[many].share, widest[few].share))
here["Z21-5"] = Estimate(*(100 * end for end in gap))
for claim, e in here.items():
    book.record(claim, e, seeds=1, images=len(ours))

learning = ours[ours.distinct == many].sort_values("images").groupby("width")
pair = [learning.get_group(recipes.WIDTHS[i]) for i in (1, -1)]
if max(rows.error.min() for rows in pair) <= 0.5:
    small, large = (scaling.until(rows.images, rows.error) for rows in pair)
    print(
        f"images until error is one half, width {recipes.WIDTHS[1]} over width {recipes.WIDTHS[-1]}: {small / large:.1f}"
    )
else:
    print(f"width {recipes.WIDTHS[1]} does not reach an error of one half")

accuracies = redrawn(lambda *p: np.ptp(p), *(heads[head].share for head in HEADS))
book.record("Z21-7", estimate([accuracies]), seeds=1, images=accuracies.batches)
gain = redrawn(
    lambda a, b: a - b, transfer(decays[30.0, 0.0]), transfer(decays[0.0, 0.0])
)
book.record("Z21-8", estimate([gain]), seeds=1, images=gain.batches)
book.table()

# %% [markdown]
# ## What it means
#
# **The constants themselves** are in the table above. We know second hand that the paper prints $b = 0.32$ and $c = 0.12$, for compute in core-days. Both lie outside our intervals, which are for compute in operations. The rule allows a wider band,
# and only that is decided. **The exponent**, as distance from the middle of the rule's range: {claim}`Z21-1 @ published`. **The floor**: {claim}`Z21-2 @ published`. **A better
# law?** Residual of the pure power law over that of the saturating one: {claim}`Z21-3 @ published`. A law with more constants never fits worse, and on a short frontier it fits better by chance alone: the line above the claims of our grid says how much. Resamples keep the frontier that was found, so all intervals of laws are somewhat narrow.
#
# **Foretold?** Log ratio of predicted to measured error of the largest model: {claim}`Z21-4 @ published`.
#
# **Data run out**, in points of error: {claim}`Z21-5 @ published`. **Sample efficiency**, as a ratio of images: {claim}`Z21-6 @ published`. The last two compare single runs, so
# they have no interval and their verdicts leave out the luck of training.
#
# **Our own grid.** Its frontier has too few points for a law of four constants, so exponent and better law are not decided here. It has few because, at almost every amount of compute, the smallest network that can use it wins,
# trained as long as we trained any. And the frontier of small networks is for a good part the onset of learning: error stands at nine tenths and then falls fast, so an exponent here would be no exponent of ten-shot error on
# ImageNet. Data that run out, in points of error: {claim}`Z21-5`.
#
# **Heads:** largest minus smallest accuracy of three, {claim}`Z21-7`. **Decay of the head:** what it adds to transfer, {claim}`Z21-8`. These runs are short, half as long as
# the longest of the grid, and networks still learn fast at their end: a difference between heads may be one of speed, and a decay strong enough to act also slows learning ({numref}`fig-heads`, left).
#
# ## What this page cannot decide
#
# Our grid spans a factor of some hundred in compute, the published frontier a factor of some hundred thousand; each of its cells is one run. It varies width only, at one patch size and one depth. The three heads differ in size: attention over tokens is a block of its own. Ten-shot accuracy is a mean over three draws of the shots; intervals cover the thousand test images, not the shots, and one seed was trained.
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
