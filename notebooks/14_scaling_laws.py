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
# **You will learn** to fit a power law that saturates at both ends, to put an interval on its constants, and to test it by what it has not seen.
#
# *Reading: 12 minutes. Running: {seconds}`14` on two cores. Before this: {ref}`sec-scale`.*
#
# :::{finding} Z21-3 @ published direction holds; Z21-4 @ published direction holds; Z21-4 @ published summary holds in part; Z21-5 @ published direction holds; Z21-1 summary not testable here
# :title: What we found
# On the published points, a law with a floor and a ceiling comes nearer to runs that it has not seen than a straight line on logarithmic axes does ({claim}`Z21-3 @ published` in
# log error). It also foretells the largest model better, but only a few of our analyses bear that out ({claim}`Z21-4 @ published`). Few images cost a large model more than a
# small one ({claim}`Z21-5 @ published` points of error per tenfold size), and the largest of these, L/16, even turns back: on 30 million images it gets *worse* when it goes on.
# Our own grid is too small for a law.
# :::
#
# ## The question
#
# What does more compute buy? {cite:t}`zhai2022` trained ViTs from five million to two billion parameters on 30 million to three billion images. The best error at each
# amount of compute, they find, follows a {term}`power law` with a floor. They print their points in tables, so the law can be fitted again, and tested harder: with intervals,
# against a simpler law, and on models that it has not seen.
#
# This chapter treats the published points, and then a small grid of our own. We had seen the points before we wrote the rules, so all that is said about them is a check of consistency.

# %% tags=["parameters"]
draws = 200

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seelike import (
    claims,
    evaluate,
    models,
    optimiser,
    plots,
    project,
    published,
    recipes,
    scaling,
)
from seelike.chapter import Chapter
from seelike.intervals import Estimate, Share, difference, normal

book = Chapter("14", project.DEFAULT)
SOURCE = "points published by Zhai et al. 2021"
EACH = dict(zip((scaling.SATURATING, scaling.PURE), (plots.DEPTHS[1], plots.INK)))

# %% [markdown]
# ## Method: a law with a floor and a ceiling
#
# $$
# E(C) = a\,(C + d)^{-b} + c .
# $$ (eq-power-law)
#
# The exponent $b$ says how fast error falls, the floor $c$ what compute cannot remove, and $d$ keeps error finite when there is hardly any compute. A unit of compute enters $a$ and
# $d$ only, so $b$ and $c$ can be compared across units. We measure compute as operations of one forward pass (multiplications and additions each) times images seen. The paper counts TPU core-days, which also reflect how well each
# model uses the machine; that is more than a unit, and may change $b$.
#
# We fit log error by least squares, on the {term}`Pareto front`: points that no other point beats with as little compute. A run is one model on one set of images. Runs, not
# points, are resampled for the intervals.

# %%
points = published.scaling_points()
if points is not None:
    known = scaling.measured(points, "inet_10shot_acc")
    best = scaling.on_frontier(known)
    laws = scaling.both(best.compute, best.error, runs=best.run, draws=draws)

# %% tags=["hide-input"]
if points is not None:
    grid = np.geomspace(best.compute.min(), 3 * best.compute.max(), 60)
    tuned = scaling.on_frontier(scaling.measured(points, "inet_finetune_acc"))
    tuned_laws = scaling.both(
        tuned.compute, tuned.error, runs=tuned.run, draws=draws
    )
    figure = scaling.sections(best, laws, grid)
    figure["tuned"] = scaling.sections(tuned, tuned_laws, grid)
    claims.keep("14", claims.DATA, {"frontier": figure})
front = claims.results(claims.DATA, "14")["frontier"]
print("fitted here" if points is not None else "recorded fits")


# %% mystnb={"figure": {"name": "fig-frontier", "caption": "ImageNet error on the frontier of compute (points: published), from ten shots (left) and after fine-tuning (right); the saturating law and a pure power law, with 95 % intervals of the curves."}, "image": {"alt": "Two scatters of error against compute, both axes logarithmic, from ten shots and after fine-tuning, each with two fitted curves and shaded intervals. The points bend away from the straight line at both ends; the law that saturates follows them."}} tags=["hide-input"]
def draw(ax, front, what="ten-shot error"):
    """A frontier with its two laws."""
    ax.plot(
        front["front"]["compute"],
        front["front"]["error"],
        "o",
        color=plots.INK,
        ms=4,
    )
    for name, (y, low, high) in front["curves"].items():
        ax.plot(front["grid"], y, color=EACH[name])
        ax.fill_between(front["grid"], low, high, color=EACH[name], alpha=0.2, lw=0)
    for i, name in enumerate(front["curves"]):
        at = {"x": 0.05, "y": 0.14 - 0.08 * i, "transform": ax.transAxes}
        ax.text(
            s=name.replace("saturating", "saturating law"), color=EACH[name], **at
        )
    ticks = [0.1, 0.15, 0.2, 0.3, 0.5, 0.8]
    ax.set(xscale="log", yscale="log", ylabel=what)
    ax.set_xlabel("compute (GFLOPs x images)")
    ax.set_yticks(ticks, map(str, ticks))
    ax.minorticks_off()


fig, axes = plt.subplots(1, 2, figsize=(9.6, 4))
draw(axes[0], front)
draw(axes[1], front["tuned"], "error after fine-tuning")
plots.sign(fig, plots.provenance(SOURCE, []))

# %% [markdown]
# The constants, with intervals. The claims below are about the ten-shot frontier.

# %% tags=["hide-input"]
BOTH = {"ten-shot": front, "fine-tuned": front["tuned"]}
for error, figure in BOTH.items():
    if edge := figure["edge"][scaling.SATURATING]:
        print(
            f"{error}: {' and '.join(edge)} ended at the edge of the range, 0: "
            "these points alone do not ask for it"
        )
pd.DataFrame(
    {
        (error, law, end): {n: v[i] for n, v in held.items()}
        for error, figure in BOTH.items()
        for law, held in figure["constants"].items()
        for i, end in enumerate(("fit", "low", "high"))
    }
).map("{:.3g}".format)

# %% [markdown]
# ## Does it foretell?
#
# A curve with four constants fits many things. There are two harder tests. The first leaves out one run after another, and asks how far the law of the other runs is from it. The second hides the two largest models, fits the rest, and foretells the largest.
#
# An interval for the second test needs care. Resampling runs drops, in a large share of the draws, the one run that reaches far: then two laws are compared that have no points where they differ. So we keep all points,
# take the residual of each run from the law of the *other* runs, and flip its sign at random.
#
# :::{guess} A straight line on logarithmic axes has two constants, the law has four. Fitted to all but the two largest models, which of them comes nearer to the largest?
# - The straight line: fewer constants, less to go wrong
# - The law with a floor
# - They come equally near
# :::

# %%
if points is not None:
    left_out = scaling.left_out_gain(best.compute, best.error, best.run)
    giants = known.model.isin(["g/14", "G/14"])
    seen, large = scaling.on_frontier(known[~giants]), known[giants]
    giant = large[large.model == "G/14"].iloc[0]
    told, by_runs = (
        scaling.foretold(
            seen, giant.compute, giant.error, resample=how, draws=draws
        )
        for how in ("signs", "runs")
    )

# %% tags=["hide-input"]
if points is not None:
    held_out = scaling.both(
        seen.compute, seen.error, runs=seen.run, resample="signs", draws=draws
    )
    kept = scaling.sections(seen, held_out, grid)
    kept["hidden"] = large[["compute", "error", "model"]].to_dict("list")
    kept["off"] = {
        law: np.log(fit.predict(large.compute) / large.error).tolist()
        for law, fit in held_out.items()
    }
    kept["told"] = {name: list(e) for name, e in told.items()}
    kept["by runs"] = list(by_runs["gain"])
    kept["missed"] = scaling.missed(seen.run.nunique())
    claims.keep("14", claims.DATA, {"holdout": kept})
holdout = claims.results(claims.DATA, "14")["holdout"]

# %% mystnb={"figure": {"name": "fig-holdout", "caption": "Left: both laws, fitted without the two largest models (filled points), and those models (rings), which were not used. Right: how far off each law is at every hidden point (log ratio of predicted to measured error); the last is G/14."}, "image": {"alt": "Left: scatter of ten-shot error against compute with two fitted curves and shaded intervals; the two largest models, left out of the fit, are rings, close to the curve that saturates and above the straight line. Right: log ratio of predicted to measured error at the hidden points, one line a law, with a dotted line at zero."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(9.6, 4), width_ratios=(3, 2))
draw(axes[0], holdout)
hidden = holdout["hidden"]
ring = {"mfc": "none", "mec": plots.INK, "ms": 8}
axes[0].plot(hidden["compute"], hidden["error"], "o", **ring)
order = np.argsort(hidden["compute"])
for law, off in holdout["off"].items():
    x, y = np.array(hidden["compute"])[order], np.array(off)[order]
    axes[1].plot(x, y, "o-", color=EACH[law], ms=4)
    at = 1 if law == scaling.SATURATING else -1
    place = {
        "xytext": (0, 6) if at == 1 else (0, -16),
        "ha": "left" if at == 1 else "right",
    }
    axes[1].annotate(
        law, (x[at], y[at]), textcoords="offset points", color=EACH[law], **place
    )
axes[1].axhline(0, color=plots.INK, ls=":", lw=1)
axes[1].set(xscale="log", xlabel="compute (GFLOPs x images)", ylim=(-0.27, 0.12))
axes[1].set(ylabel="log (predicted / measured error)")
plots.sign(fig, plots.provenance(SOURCE, []))

# %% [markdown]
# The law with a floor, with the choices of this page: the straight line promises an error that is far too low.

# %% tags=["hide-input"]
for law in (scaling.SATURATING, scaling.PURE):
    e = holdout["told"][law]
    print(f"G/14, {law}: {100 * np.expm1(e[0]):+.0f} % off ({claims.words(*e)})")
print(f"nearer by {claims.words(*holdout['told']['gain'])} (signs of residuals)")
print(f"nearer by {claims.words(*holdout['by runs'])} (runs resampled)")
print(f"share of resamples that lack a given run: {holdout['missed']:.2f}")

# %% [markdown]
# :::{explore} scaling
# :::

# %% [markdown]
# How much of this hangs on our choices? {numref}`fig-panel-z21-1` to {numref}`fig-panel-z21-4` ask again: least squares on log error or on error, with $d$ or without, all images or three billion alone, the strict frontier or points close to it, and both kinds of interval.

# %% mystnb={"figure": {"name": "fig-panel-z21-1", "caption": "The exponent (Z21-1) in all analyses, sorted, each with its 95 % interval; the choices behind it are marked below. Band: the ledger's number."}, "image": {"alt": "Specification curve of the exponent: dots with intervals, sorted, in two groups, over rows of marks. The lower group is that of laws without the constant d."}} tags=["hide-input"]
book.panel("Z21-1", claims.DATA)

# %% mystnb={"figure": {"name": "fig-panel-z21-2", "caption": "The same for the floor (Z21-2). Open dots reach down to zero."}, "image": {"alt": "Specification curve of the floor: dots with intervals, sorted, over rows of marks. Open dots, whose intervals reach zero, belong to laws without the constant d."}} tags=["hide-input"]
book.panel("Z21-2", claims.DATA)

# %% mystnb={"figure": {"name": "fig-panel-z21-4", "caption": "The same for how much nearer the law with a floor comes to G/14 than a pure power law (Z21-4)."}, "image": {"alt": "Specification curve of the difference between two laws in foretelling the largest model: dots with intervals, sorted, over rows of marks. Most are open, with intervals that reach zero."}} tags=["hide-input"]
book.panel("Z21-4", claims.DATA)

# %% [markdown]
# The floor is as sure as the ceiling. Without $d$ the law has to bend for the smallest models, too, and spends its floor on that; fitted to error itself, none is left.
#
# ## Where data run out
#
# The frontier hides what single models do.
#
# :::{guess} A large model is trained on the smallest set for as long as on the largest. What becomes of its error?
# - It goes on falling, more slowly
# - It stops falling
# - It turns back, and rises
# :::

# %% tags=["hide-input"]
if points is not None:
    gaps = scaling.data_gaps(known, "30M", "3B")
    growth = {
        "at the end": scaling.per_decade(gaps.size, gaps.end),
        "at its best": scaling.per_decade(gaps.size, gaps.lowest),
    }
    luck = scaling.luck(known[known.images <= known.images.min() * 1.5])
    curves = {
        f"{model} on {images}": scaling.history(known, model, images)
        for model in gaps.models
        for images in ("30M", "3B")
    }
    kept = {key: np.array(v).tolist() for key, v in gaps._asdict().items()}
    claims.keep("14", claims.DATA, {"runs": curves, "gaps": kept | {"luck": luck}})
runs, gaps = (claims.results(claims.DATA, "14")[key] for key in ("runs", "gaps"))

# %% mystnb={"figure": {"name": "fig-data-limit", "caption": "Left: ten-shot error against images seen, for a large and a small model on 30 million and on 3 billion different images; ring: the lowest error of the large model on few. Right: what the small set costs each model, in points of error, at the end of the longest runs (filled) and at the lowest errors (open)."}, "image": {"alt": "Left: lines of ten-shot error against images seen on a logarithmic axis. The small model has the same line on both sets; the large one on few images turns back up after a ring. Right: the cost of few images in points of error against operations of the model, rising from left to right, filled dots above open ones for the largest models."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(9.6, 3.8))
for model, colour in (("L/16", plots.DEPTHS[0]), ("Ti/16", plots.DEPTHS[2])):
    for images, style in (("30M", "--"), ("3B", "-")):
        x, y = runs[f"{model} on {images}"]
        axes[0].plot(x, y, style, color=colour)
    axes[0].annotate(model, (x[0], y[0]), (0, 8), textcoords="offset points")
x, y = runs["L/16 on 30M"]
turn = int(np.argmin(y))
axes[0].plot(x[turn], y[turn], "o", mfc="none", mec=plots.INK, ms=9)
axes[0].set(xscale="log", xlabel="images seen", ylabel="ten-shot error")
axes[0].set(ylim=(0.1, 0.85))
handles = [
    plt.Line2D([], [], color=plots.INK, ls=s, label=f"{n} different images")
    for n, s in (("30M", "--"), ("3B", "-"))
]
axes[0].legend(handles=handles, handlelength=2.5)
lag = {"color": plots.INK, "ls": ""}
axes[1].plot(gaps["size"], gaps["end"], marker="o", label="at the end", **lag)
axes[1].plot(
    gaps["size"], gaps["lowest"], marker="o", mfc="none", label="at its best", **lag
)
for i, (name, size, cost) in enumerate(
    zip(gaps["models"], gaps["size"], gaps["end"])
):
    axes[1].annotate(
        name,
        (size, cost),
        (-5 if i == len(gaps["models"]) - 1 else 5, 5),
        textcoords="offset points",
        ha="right" if i == len(gaps["models"]) - 1 else "left",
        fontsize=9,
    )
axes[1].set(xscale="log", xlabel="GFLOPs of a forward pass")
axes[1].set_ylim(0, 1.12 * max(gaps["end"]))
axes[1].set(ylabel="cost of few images (points)")
axes[1].legend(loc="upper left")
plots.sign(fig, plots.provenance(SOURCE, []))

# %% tags=["hide-input"]
print(
    f"L/16 on 30M: error falls to {y[turn]:.3f} at {x[turn] / 1e6:,.0f} million "
    f"images seen, then rises to {y[-1]:.3f} at {x[-1] / 1e6:,.0f} million; "
    f"on 3B it ends at {runs['L/16 on 3B'][1][-1]:.3f}."
)

# %% [markdown]
# It turns back, and rises: from some point on, the longer L/16 sees the same 30 million images, the worse its features serve for ten shots. On three billion images the same
# model goes on getting better, so it is the repetition and not the length. B/16 turns as well, by far less; smaller models do not. After fine-tuning there is hardly a turn: what
# ten shots no longer find, many labelled images still do. The smallest models hardly see the difference between the sets.
#
# ## How many images for the same error?
#
# A small model needs more images than a large one. How many more depends on the error that one asks for, because the small model slows down before the large one does. We read images off each run at every level of error that both runs pass through, and at no other.

# %%
if points is not None:
    large_run = scaling.history(known, "L/16", "3B")
    small_run = scaling.history(known, "Ti/16", "3B")
    needed = scaling.sample_ratio(small_run, large_run, luck)

# %% tags=["hide-input"]
if points is not None:
    kept = {}
    for model in (m for m in gaps["models"] if m != "L/16"):
        run = scaling.history(known, model, "3B")
        levels = np.linspace(*scaling.common_levels(run, large_run), 41)
        band = scaling.ratio_band(run, large_run, luck, levels)
        kept[model] = [levels.tolist(), *band.tolist()]
    claims.keep("14", claims.DATA, {"ratio": kept})
ratio = claims.results(claims.DATA, "14")["ratio"]

# %% mystnb={"figure": {"name": "fig-images-ratio", "caption": "Images that a model needs over those that L/16 needs, on 3 billion different images, against the ten-shot error that both have to reach. Lines end where one of the two runs has no such error. Bands: 95 % over the luck of training. Dotted: the paper's factor of about one hundred for Ti/16."}, "image": {"alt": "Lines of the ratio of images on a logarithmic axis against ten-shot error, one a model. Every line rises steeply toward its low-error end; that of the smallest model is short, and crosses the dotted line at one hundred."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 4.2))
by_start = sorted(ratio, key=lambda model: ratio[model][1][-1])
for model, colour in zip(
    by_start, plt.get_cmap(plots.MAP)(np.linspace(0, 0.85, 5))
):
    level, y, low, high = ratio[model]
    ax.plot(level, y, color=colour)
    ax.fill_between(level, low, high, color=colour, alpha=0.2, lw=0)
    ax.annotate(
        model, (level[0], y[0]), (-4, 0), textcoords="offset points", ha="right"
    )
ax.axhline(100, color=plots.INK, ls=":", lw=1)
ticks = [1, 2, 5, 10, 20, 50, 100, 200]
ax.set(yscale="log", xlabel="ten-shot error", xlim=(0.2, 0.51))
ax.set(ylabel="images, over those of L/16")
ax.set_yticks(ticks, map(str, ticks))
ax.minorticks_off()
plots.sign(fig, plots.provenance(SOURCE, []))

# %% tags=["hide-input"]
level, y, *_ = ratio["Ti/16"]
print(
    f"Ti/16 and L/16 have errors from {level[0]:.3f} to {level[-1]:.3f} in common; "
    f"within these the ratio goes from {y[0]:.0f} to {y[-1]:.0f}. "
    f"Luck of training: {100 * gaps['luck']:.2f} points of error."
)

# %% [markdown]
# One number for "more sample-efficient" is a number for one error. The luck of training comes from the shortest runs, which hardly repeat an image: there the same model on different sets differs by chance alone.
#
# ## A grid of our own


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
        "parameters": card.parameters,
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
zoo = models.cards(book.tier)
long_seeds = models.shared_seeds(["vit_cls", "vit_gap"], book.tier)
longer = [zoo["vit_cls", seed] for seed in long_seeds]
beyond = {
    "compute": [compute(card) for card in longer],
    "error": [1 - card.accuracy for card in longer],
}
book.keep(grid={"points": ours.round(5).to_dict("list")}, longer=beyond)
design = ours.groupby("width").agg(
    parameters=("parameters", "first"),
    networks=("error", "size"),
    **{"better than chance": ("learned", "sum")},
)
few, _, many = recipes.DISTINCT
lengths = ours.groupby("distinct").length.unique()
for distinct, n in lengths.items():
    print(
        f"{distinct:,} scenes: trained on {', '.join(f'{i:,}' for i in sorted(n))}"
    )
design

# %% [markdown]
# Each row is a width of our ViT, and each network a run of its own with its rate brought down to nothing at the end. Error is that
# on 2,000 test scenes. *Transfer* is ten-shot ridge regression ({ref}`sec-localization`) from the features that the classifier reads to the texture of an object, on
# scenes where texture says nothing about the shape.

# %% mystnb={"figure": {"name": "fig-grid", "caption": "Our grid. Left: test error against compute; size of the dot: number of different scenes; rings, joined: the frontier; crosses: longer runs of the widest network (chapter 1), which were not used; line: the saturating law fitted to the frontier. Right: error against images seen, by width. Dotted: chance."}, "image": {"alt": "Two panels on logarithmic axes: test error against compute for 44 small networks and some longer runs, and error against images seen, one line per width and number of different scenes. Error stays at chance, a dotted line, and then falls steeply; the frontier is ringed."}} tags=["hide-input"]
able = ours[ours.learned].assign(run=range(ours.learned.sum()))  # one point a run
front_rows = scaling.on_frontier(able)
own_law = scaling.fit_power_law(
    front_rows.compute, front_rows.error, runs=front_rows.run, draws=draws
)
shades = dict(zip(recipes.WIDTHS, plots.DEPTHS))
STYLES = dict(zip(recipes.DISTINCT, (":", "--", "-")))
sizes = dict(zip(recipes.DISTINCT, (10, 24, 52)))
fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
for width, rows in ours.groupby("width"):
    area, name = rows.distinct.map(sizes), f"width {width}"
    axes[0].scatter(rows.compute, rows.error, area, color=shades[width], label=name)
    for distinct, line in rows.sort_values("images").groupby("distinct"):
        style = STYLES[distinct]
        axes[1].plot(line.images, line.error, style, color=shades[width])
x, y = front_rows.compute, front_rows.error
axes[0].plot(x, y, color=plots.INK, lw=0.8)
edge = {"facecolors": "none", "edgecolors": plots.INK, "linewidths": 1.2}
axes[0].scatter(x, y, front_rows.distinct.map(sizes) + 30, zorder=3, **edge)
axes[0].plot(beyond["compute"], beyond["error"], "x", color=plots.INK)
reach = np.geomspace(x.min(), max(beyond["compute"]), 60)
axes[0].plot(reach, own_law.predict(reach), "--", color=plots.INK, lw=1.2)
tags = {"ha": "right", "fontsize": 9, "textcoords": "offset points"}
axes[0].annotate("fit", (reach[-1], own_law.predict(reach[-1])), (0, -14), **tags)
axes[0].annotate("longer runs", (reach[-1], max(beyond["error"])), (0, 8), **tags)
ticks = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9]
axes[0].set(xscale="log", yscale="log", ylabel="test error", ylim=(0.009, 1.1))
axes[0].set(xlabel="compute (GFLOPs x images)")
axes[0].set_yticks(ticks, map(str, ticks))
axes[1].set(xscale="log", xlabel="thousand images seen")
shown = sorted({n for _, n, _ in recipes.GRID})
axes[1].set_xticks(shown, [f"{n // 1000}" for n in shown])
for ax in axes:
    ax.axhline(0.9, color=plots.INK, ls=":", lw=1)
    ax.minorticks_off()
axes[0].legend(fontsize=8, loc="lower left")
handles = [
    plt.Line2D([], [], color=plots.INK, ls=s, label=f"{d:,} scenes")
    for d, s in STYLES.items()
]
axes[1].legend(handles=handles, fontsize=8, loc="lower left")
book.sign(fig, [0])

# %% tags=["hide-input"]
told = own_law.curve(beyond["compute"][0])[:, 0]
print(
    f"{len(able)} of {len(ours)} networks are better than chance, {len(front_rows)} "
    f"of them on the frontier. Exponent {claims.words(*own_law.constant('b'))}, "
    f"floor {claims.words(*own_law.constant('c'))}; the law foretells "
    f"{claims.words(*told)} for the longer runs, which have "
    f"{np.mean(beyond['error']):.3f}."
)

# %% [markdown]
# This is how a fit fails. Few points lie on the frontier, because at almost every amount of compute the smallest network that can use it wins, trained for as long as we trained any. And the frontier is for a good part the onset of learning: error stands at nine tenths and then drops,
# faster than any power. A law fitted to that drop has a steep exponent and no idea of what comes after. So the ledger asks for a longer frontier before it asks for an exponent here.
#
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
# ## What the last part of a run buys
#
# The paper wants many lengths of training from one run. Its rate falls with the reciprocal square root of the step, which does not depend on the length, and only at the end goes linearly to nothing (a *cooldown*). One long run can so be ended at several lengths; a cosine would have to be run anew for each.
# Our long runs are at their full rate where shorter ones, with the same number of images and none of them twice, have been brought to nothing.

# %% tags=["hide-input"]
cooled = ours[(ours.width == max(recipes.WIDTHS)) & (ours.distinct == many)]
shorter = [
    zoo["vit_data_1000", seed]
    for seed in models.deciding(models.roles(book.tier)["vit_data_1000"], book.tier)
]
traces = [
    ([p["images"] for p in c.curve], [1 - p["accuracy"] for p in c.curve])
    for c in longer
]
at_full = [np.interp(shorter[0].images_seen, *trace) for trace in traces]
at_rest = [1 - card.accuracy for card in shorter]
cut = longer[0].images_seen * 0.6
book.keep(cooldown={"full": np.mean(at_full), "rest": np.mean(at_rest)})

# %% mystnb={"figure": {"name": "fig-cooldown", "caption": "Left: rates over their peak. Those of the paper for two lengths share all but their ends; ours is constant in between. Right: error of our widest network on scenes that it sees once: long runs on their way (lines; shaded: their cooldown) and shorter runs after theirs (dots)."}, "image": {"alt": "Left: learning rates against steps: two that fall slowly on one curve and then drop to zero at different lengths, and one that is flat before it drops. Right: error against images seen on a logarithmic vertical axis: falling lines of long runs, which fall faster again within a shaded stretch at the end, and dots of shorter runs, the last of which lie below the lines."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(9.6, 3.8))
STEPS = (120_000, 400_000)  # two of the paper's lengths
for steps, shade in zip(STEPS, (plots.DEPTHS[1], plots.DEPTHS[2])):
    rate = scaling.rsqrt(steps)[::500]
    axes[0].plot(np.arange(len(rate)) / 2, rate, color=shade, lw=1.5)
axes[0].annotate("reciprocal square root", (150, 0.27), fontsize=9)
flat = [optimiser.schedule(i, STEPS[1] // 500) for i in range(STEPS[1] // 500)]
axes[0].plot(np.arange(len(flat)) / 2, flat, color=plots.INK, lw=1.5)
axes[0].annotate("ours, stretched", (130, 0.92), fontsize=9)
axes[0].set(xlabel="thousand steps", ylabel="rate / peak", ylim=(0, 1.05))
for x, y in traces:
    axes[1].plot(np.array(x) / 1000, y, color=plots.INK, lw=1, alpha=0.8)
dots = {"color": plots.DEPTHS[1], "ls": "", "marker": "o", "zorder": 3}
early = cooled[cooled.images < shorter[0].images_seen]
axes[1].plot(early.images / 1000, early.error, **dots)
axes[1].plot([card.images_seen / 1000 for card in shorter], at_rest, **dots)
axes[1].axvspan(
    cut / 1000, longer[0].images_seen / 1000, color=plots.INK, alpha=0.1, lw=0
)
axes[1].set(yscale="log", xlabel="thousand images seen", ylabel="error")
ticks = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9]
axes[1].set_yticks(ticks, map(str, ticks))
axes[1].minorticks_off()
book.sign(fig, long_seeds)

# %% tags=["hide-input"]
print(
    f"after {shorter[0].images_seen:,} images: error {np.mean(at_full):.3f} at the "
    f"full rate, {np.mean(at_rest):.3f} after a cooldown"
)

# %% [markdown]
# Early on a cooldown buys nothing: the network still learns fast, and small steps waste images. Later most of the error that a run can still lose is noise of large steps, and goes within the cooldown. (Lines are errors on validation scenes and dots on test scenes; the long runs also warm up for longer, so that their first points are late.)
#
# ## Tokens, not pixels, and what memory holds
#
# Two tables of the paper need no training. The first enlarges patch and image together, so that the number of tokens stays. Operations hardly change (only the embedding of patches grows), and neither does accuracy.

# %% tags=["hide-input"]
table = scaling.patches()
spread = table.groupby("model")["ten-shot accuracy"].agg(np.ptp)
told = ", ".join(f"{model} {points:.2f}" for model, points in spread.items())
print(
    f"largest minus smallest accuracy at one number of tokens: {told} points; "
    f"the luck of one run: {100 * gaps['luck']:.2f} points"
)
table.rename(columns={"embedding": "embedding (GFLOPs)"}).round(2)

# %% [markdown]
# The second is about memory. Matrix units work on rows of 128, and 256 patches with one class token make 257 tokens: a class token costs half of the memory of all tokens, which is the paper's reason to drop it. And an optimiser with two moments keeps twice the weights beside them:

# %%
inner = scaling.block_shapes("G")
weights = 4 * sum(rows * columns for rows, columns in inner) / 2**30
state = {
    "Adam": scaling.optimiser_state(inner),
    "momentum in half precision": scaling.optimiser_state(inner, momentum=2),
    "and factored second moment": scaling.optimiser_state(
        inner, momentum=2, factored=True
    ),
}
for tokens in (256, 257):
    held = scaling.padded(tokens)
    print(f"{tokens} tokens take the room of {held}: {held / tokens - 1:+.0%}")
pd.DataFrame({"over the weights": state, "GiB, ViT-G/14": state}).assign(
    **{"GiB, ViT-G/14": lambda t: t["GiB, ViT-G/14"] * weights}
).round(2)

# %% [markdown]
# ## Heads and weight decay
#
# Two smaller questions of the paper. Does it matter whether the class is read from a class token, from the mean of the tokens, or from one attention over them? And does strong weight decay of the head alone make features that transfer better?
#
# The second was asked of short runs of a ViT of width 48, which are not enough to ask it: no short run in {numref}`fig-heads` has learned its task, and a head that decays this
# fast forgets within a few dozen steps. What they show is speed. The first can be asked of networks that were trained for long, for two of the three heads.

# %% mystnb={"figure": {"name": "fig-heads", "caption": "Short runs, one seed. Test accuracy (left, 95 % Wilson intervals) and ten-shot accuracy on texture (right; 95 % intervals over 1,000 test images; dotted: chance), for three heads, and for weight decay on head, body, both or neither. Diamonds: the two heads after a long run of the wider network, one a seed."}, "image": {"alt": "Two dot plots with one row for each of three heads and four settings of weight decay: test accuracy with intervals, and ten-shot accuracy on texture. Short runs lie far left of the diamonds of long runs, which nearly coincide for the two heads."}} tags=["hide-input"]
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
    if c.images_seen == recipes.SHORT // 2
}
decays = {
    (c.made.factors["head"], c.made.factors["body"]): c
    for c in models.cards(book.tier, study="decay").values()
    if c.images_seen == recipes.SHORT // 2
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
for row, role in enumerate(("vit_cls", "vit_gap")):
    y = [zoo[role, seed].accuracy for seed in long_seeds]
    axes[0].plot(y, [row] * len(y), "D", mfc="none", mec=plots.DEPTHS[1], ms=6)
axes[1].axvline(0.1, color=plots.INK, ls=":")
for ax, title in zip(axes, ("test accuracy", "ten-shot accuracy, texture")):
    ax.axhline(2.5, color=plots.INK, lw=0.6)
    ax.set(xlabel=title)
axes[0].set_xlim(0.3, 1.02)
book.sign(fig, [0])

# %% [markdown]
# ## Eight claims, decided
#
# First those about the published points.

# %% tags=["hide-input"]
if points is not None:
    law, n = laws[scaling.SATURATING], float(len(best))
    decided = {
        "Z21-1": law.constant("b"),
        "Z21-2": law.constant("c"),
        "Z21-3": left_out,
        "Z21-4": holdout["told"]["gain"],
        "Z21-5": growth,
        "Z21-6": needed,
    }
    OVER = dict.fromkeys(decided, "runs") | {
        "Z21-4": "signs of the residuals of runs",
        "Z21-5": "models",
        "Z21-6": "the luck of training",
    }
    for claim, value in decided.items():
        claims.record(
            claim,
            claims.DATA,
            Estimate(*value) if isinstance(value, list) else value,
            seeds=0,
            images=len(best),
            testable=Estimate(n, n, n) if claim in ("Z21-1", "Z21-3") else None,
            over=OVER[claim],
        )
book.table(claims.DATA)

# %% [markdown]
# Then those about our own networks. A difference can never be shown to be none, so the claim on heads has a yardstick: what three times as many images change.

# %%
pairs = [(zoo["vit_cls", s].share, zoo["vit_gap", s].share) for s in long_seeds]
lengths = [(a.share, b.share) for a, b in zip(longer, shorter)]
head = scaling.matters_less(pairs, lengths)
grown = ours.assign(model=ours.width, size=ours.compute / ours.images)
own = scaling.data_gaps(grown.assign(data=ours.distinct), few, many)
own_growth = {
    "at the end": scaling.per_decade(own.size, own.end),
    "at its best": scaling.per_decade(own.size, own.lowest),
}
gain = difference((transfer(decays[30.0, 0.0]), transfer(decays[0.0, 0.0])))

# %% tags=["hide-input"]
n = float(len(front_rows))
own_laws = {
    "Z21-1": own_law.constant("b"),
    "Z21-3": scaling.left_out_gain(
        front_rows.compute, front_rows.error, front_rows.run
    ),
}
for claim, value in own_laws.items():
    book.record(claim, value, seeds=1, images=len(ours), testable=Estimate(n, n, n))
book.record("Z21-5", own_growth, seeds=1, images=len(ours), over="widths")
learned = min(np.mean([share.value for share in each]) for each in zip(*pairs))
book.record(
    "Z21-7",
    head,
    seeds=len(pairs),
    images=pairs[0][0].images,
    testable=Estimate(learned, learned, learned),
    starts=[a.value - b.value for a, b in pairs],
)
faded = decays[30.0, 0.0]
book.record(
    "Z21-8",
    gain,
    seeds=1,
    images=faded.few_shot_images,
    testable=Estimate(faded.accuracy, faded.accuracy_low, faded.accuracy_high),
)
cost = dict(zip(own.models, np.round(own.end, 1)))
print("\n".join(f"width {w}: few scenes cost {c} points" for w, c in cost.items()))
book.table()

# %% [markdown]
# ## What it means
#
# :::{finding} Z21-3 @ published direction holds; Z21-2 @ published direction holds; Z21-2 @ published summary holds in part
# **The form of the law stands.** Error on the frontier bends away from a straight line at both ends, and a law with a floor and a ceiling comes nearer to runs that it has not seen: {claim}`Z21-3 @ published` in log error.
# **There is a floor, and it is as sure as the ceiling**: {claim}`Z21-2 @ published`, where the paper has $0.12$. Without $d$ it is lower, and in fits to error itself gone
# ({numref}`fig-panel-z21-2`).
# :::
#
# :::{finding} Z21-4 @ published direction holds; Z21-4 @ published summary holds in part
# **It comes nearer to the largest model than a straight line does**: {claim}`Z21-4 @ published` in log error. The straight line promises too much, because it knows no floor. But this is a weak finding: there is one model to foretell, the advantage shrinks without $d$, and with most other choices its interval reaches zero ({numref}`fig-panel-z21-4`).
# :::
#
# :::{finding} Z21-1 @ published direction holds; Z21-1 @ published size smaller
# **The exponent is smaller than the paper's** once compute is counted in operations: {claim}`Z21-1 @ published`, where the paper has $0.32$ for core-days. That a frontier falls
# is no finding; it does so by construction. How steeply it falls depends on how compute is counted, and on whether the law has a ceiling ({numref}`fig-panel-z21-1`).
# :::
#
# :::{finding} Z21-5 @ published direction holds; Z21-5 low > 0; Z21-6 @ published direction holds
# **Few data cost large models more.** Per tenfold size, in points of error, the published models: {claim}`Z21-5 @ published`; ours, one run a cell: {claim}`Z21-5`. **L/16 turns
# back** on 30 million images and ends worse than it was with a tenth of the training, while on three billion it goes on falling ({numref}`fig-data-limit`). Where data do not run
# out, a small model needs many times the images of a large one, and how many depends on the error: {claim}`Z21-6 @ published` as a ratio, over the narrow range of errors that
# Ti/16 and L/16 share. The paper's hundred is a point on a steep curve.
# :::
#
# :::{finding} Z21-7 high < 0; Z21-8 summary not testable here; Z21-1 summary not testable here
# **Class token or mean: it matters less than the length of training**, by {claim}`Z21-7` in accuracy. Near the top of the scale, differences are
# small for everybody. **An exponent of our own and the decay of the head cannot be judged from our runs**: the frontier of our grid has too few points ({claim}`Z21-1`), and no
# short run has learned its task ({claim}`Z21-8`).
# :::
#
# **Why?** The ceiling is arithmetic: error cannot exceed that of guessing, however little the compute. What the floor is made of, these points cannot say: labels that are wrong,
# shots that are few, or a family of models that would have to change. That a large model turns back is most likely overfitting: it can learn single images by heart, and features
# that do so serve other images less. The tables hold no training loss, so this is a conjecture.
#
# **The paper** finds the law with a floor, an exponent, and large models that need fewer images and more data. All of these directions are found again in its own points; what is
# new here are intervals, the straight line as a rival, and how much hangs on choices.
#
# **What would change our mind?** One more model, ten times the compute of the largest: an error below the floor's interval would take the floor back, and one on the straight
# line the law. For the turn, runs of L/16 on several sets of 30 million images that went on falling.
# ## What this page cannot decide
#
# Our grid spans a factor of some hundred in compute, the published frontier a factor of some hundred thousand; each of its cells is one run. It varies width only, at one patch size and one depth. The paper's own head, an attention pool, was not trained for long here; it is also a block of its own.
# Ten-shot accuracy is a mean over three draws of the shots; intervals cover the thousand test images, not the shots.
#
# Points on the frontier are the best of many, so their errors are a little too low. Resamples keep the frontier that was found, so intervals of laws are somewhat narrow. Operations times images leave out how well each model uses a machine. Which model a row of the tables belongs to was inferred from their order,
# and the paper's constants are known to us second hand. And a law of ImageNet error says nothing about *how* these networks see.
#
# ## Quiz
#
# :::{quiz} Compute is counted in other units: all values are multiplied by a thousand. Which constants of the law change?
# - [ ] All four. ~ Error does not know the unit of compute, and so neither does its floor.
# - [ ] The exponent $b$. ~ A factor on compute moves a power law sideways, and does not tilt it.
# - [x] $a$ and $d$. ~ $d$ is an amount of compute, and $a$ takes up the factor.
# :::
#
# :::{quiz} On the frontier, error falls as compute grows. Is that a finding?
# - [x] No, it is so by construction. ~ Points that a cheaper one beats are left out, so that what remains can only fall.
# - [ ] Yes: more compute helps. ~ Runs with more compute that did worse were taken out of the frontier.
# - [ ] Yes, if the interval of the slope is narrow. ~ However narrow, its sign was given beforehand.
# :::
#
# :::{quiz} Runs are resampled to see how well two laws foretell a model far out. What goes wrong?
# - [ ] Runs are dependent. ~ They are trained independently of each other.
# - [x] Many draws lack the one run that reaches far. ~ Then the laws are compared where they have no points.
# - [ ] Nothing, if there are enough draws. ~ More draws repeat the same fault.
# :::
#
# :::{quiz} A small model needs so many times the images of a large one. What else has to be said?
# - [ ] How long a step takes. ~ The ratio counts images, not time.
# - [ ] Which optimiser was used. ~ Both used the same.
# - [x] For which error. ~ The small model slows down earlier, so the ratio grows with what is asked.
# :::
#
# :::{quiz} The ten-shot error of a large model rises when it goes on with the same images. Which comparison shows that repetition does it?
# - [x] The same model, as long, on many more images. ~ Length and size are the same; only how often an image returns differs.
# - [ ] A smaller model on the same images. ~ It differs in size, and says that size matters as well.
# - [ ] The same model, stopped early. ~ It shows that there is a turn, and not why.
# :::
#
# ## Exercises
#
# :::{exercise} Warm-up: ten times the compute (5 minutes)
# :label: ex-ten-times
# Far from floor and ceiling, error is $a C^{-b}$ with $b = 0.3$. By what factor does it fall when compute grows tenfold?
# :::
#
# :::{solution} ex-ten-times
# :class: dropdown
# By $10^{-0.3} = 0.50$: it halves.
# :::
#
# :::{exercise} Code: the ratio at every error (10 minutes)
# :label: ex-ratio
# Draw {numref}`fig-images-ratio` for B/32 over B/16, and for error after fine-tuning. What does `scaling.images_until` say to a level that one run does not reach, and why does it not give the nearest length?
# :::
#
# ::::{solution} ex-ratio
# :class: dropdown
# ```python
# from seelike import checks
#
# tuned = scaling.measured(published.scaling_points(), "inet_finetune_acc")
# one, other = (scaling.history(tuned, m, "3B") for m in ("B/32", "B/16"))
# levels = np.linspace(*scaling.common_levels(one, other), 41)
# mine = levels, scaling.ratios(one, other, levels)
# plt.semilogy(*mine)
# checks.check_ratio(mine)
# ```
#
# It refuses. The nearest length would be the shortest or longest that happened to be trained, and the ratio would say more about the table than about the models.
# ::::
#
# :::{exercise} Open: what is a floor? (45 minutes)
# :label: ex-floor
# Wrong labels, few shots, and small images all put a floor under error. Design data that tell them apart.
# :::
#
# :::{solution} ex-floor
# :class: dropdown
# Change one cause at a time, and see whether the floor moves. With Scenes, wrong labels can be put into the test set in a known share, and the floor should rise by about that
# share; more shots lower a floor of few shots, and leave one of wrong labels where it is; smaller images, enlarged again, raise a floor of resolution, which no number of shots
# removes. Fit $c$ in each case with an interval, from a frontier long enough to have one.
# :::
