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
tier = "scenes"
draws = 300

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seelike import claims, evaluate, models, plots, published, recipes, scaling

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
LAWS = {"saturating": True, "pure power law": False}


def both_laws(front, draws=draws):
    """Both laws fitted to a frontier, whose points come in runs."""
    found = (front.compute, front.error)
    return {
        name: scaling.fit_power_law(
            *found, runs=front.run, saturating=s, draws=draws
        )
        for name, s in LAWS.items()
    }


def compare_laws(front):
    """Residual of the pure power law over that of the saturating one."""
    fits = both_laws(front, draws=1)
    return fits["pure power law"].residual / max(fits["saturating"].residual, 1e-6)


points = published.scaling_points()
if points is not None:
    points["compute"] = points.gflops_224 * points.images_seen
    points["error"] = 1 - points.inet_10shot_acc / 100
    points["run"] = points.model + " on " + points["data"]
    known = points.dropna(subset=["error"]).reset_index(drop=True)
    best = known.loc[scaling.frontier(known.compute, known.error)]
    laws = both_laws(best)


# %% tags=["hide-input"]
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
    tuned = points.assign(error=1 - points.inet_finetune_acc / 100)
    tuned = tuned.dropna(subset=["error"]).reset_index(drop=True)
    tuned = tuned.loc[scaling.frontier(tuned.compute, tuned.error)]
    tuned_laws = both_laws(tuned)
    figure["tuned"] = {
        "front": tuned[["compute", "error", "model"]].to_dict("list"),
        "grid": grid.tolist(),
        "curves": lines(tuned_laws, grid),
        "constants": {name: constants(fit) for name, fit in tuned_laws.items()},
    }
    claims.keep("14", "published", {"frontier": figure})
front = claims.results("published", "14")["frontier"]
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
plots.sign(fig, "points published by Zhai et al. 2021", [])

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
    small = known[~known.model.isin(["g/14", "G/14"])].reset_index(drop=True)
    seen = small.loc[scaling.frontier(small.compute, small.error)]
    held_out = both_laws(seen)
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
    colour = plots.DEPTHS[0 if name.startswith("L") else 2]
    ax.plot(x, y, "o-" if "3B" in name else "o--", color=colour, label=name)
ax.set(xscale="log", xlabel="images seen", ylabel="ten-shot error", ylim=(0, 1))
ax.legend(handlelength=3.5, markerscale=0)
plots.sign(fig, "points published by Zhai et al. 2021", [])

# %% [markdown]
# ## A grid of our own
#
# Four widths of our ViT, three sets of scenes (640, 6,400 and 64,000 different ones), and three lengths of training, each a run of its own with its rate brought down to nothing at the end; on the largest set two more lengths, which were added when the frontier of the rest was seen to have six points: 44 networks of about 14,000 to 620,000 parameters. Error is that
# on 2,000 test scenes. *Transfer* is ten-shot ridge regression ({ref}`sec-localization`) from the features that the classifier reads to the texture of an object, on
# scenes where texture says nothing about the shape. Short runs see only a part of the larger sets: after 4,000 images, sets of 6,400 and of 64,000 differ by chance alone.

# %% tags=["hide-input"]
WORDS = {
    640: "010",
    6_400: "100",
    64_000: "1000",
}  # what chapter 8 calls these sets
PREFIX = {48: "vit_small_data", 96: "vit_data"}
held_cards = {c["name"]: c for c in models.cards(tier) if c["seed"] == 0}


def card_of(width, images, distinct):
    """The card of one cell of the grid, or None."""
    name = f"grid_{width}_{images // 1000}k_of_{distinct}"
    if images == recipes.SHORT and width in PREFIX:
        name = f"{PREFIX[width]}_{WORDS[distinct]}"
    return held_cards.get(name)


def point(width, images, distinct):
    card = card_of(width, images, distinct)
    forward = models.cost("vit_cls", 64, tier="scenes", width=width)[1]
    shot = card.get("few_shot")
    if shot is None:
        shot = evaluate.few_shot(models.load(card["name"], tier), tier)
    return {
        "width": width,
        "images": card["images_seen"],
        "length": images,
        "distinct": distinct,
        "compute": 2e-9 * forward * card["images_seen"],
        "error": 1 - card["accuracy"],
        "learned": card["accuracy_low"] > 0.1,
        "transfer": 1 - shot,
    }


if tier == "scenes" and all(card_of(*cell) for cell in recipes.GRID):
    ours = pd.DataFrame([point(*cell) for cell in recipes.GRID])
    claims.keep("14", tier, {"grid": {"points": ours.round(5).to_dict("list")}})
    longer = [c for c in models.cards(tier) if c["name"] == "vit_cls"]
    beyond = {
        "compute": [
            2e-9 * models.cost("vit_cls", 64, tier=tier)[1] * c["images_seen"]
            for c in longer
        ],
        "error": [1 - c["accuracy"] for c in longer],
    }
    claims.keep("14", tier, {"longer": beyond})
    claims.keep("14", tier, {"settings": {"provenance": plots.provenance(tier)}})
    recorded = None
else:
    kept = claims.results("scenes", "14")
    ours = pd.DataFrame(kept["grid"]["points"]) if "grid" in kept else None
    beyond = kept.get("longer")
    recorded = kept["settings"]["provenance"] if "grid" in kept else None

# %% mystnb={"figure": {"name": "fig-grid", "caption": "Our grid. Left: test error against compute; size of the dot: number of different scenes; rings: the frontier; crosses: three longer runs of the widest network (chapter 1), which were not used. Where the frontier has ten points or more, lines are laws fitted to it, with 95 % intervals over runs. Right: error against images seen, by width. Dotted: chance."}, "image": {"alt": "Two panels on logarithmic axes: test error against compute for 44 small networks and three longer runs, and error against images seen, one line per width and number of different scenes, with a dotted line at chance."}} tags=["hide-input"]
LEAST = 10  # points on a frontier to which a law of four constants is fitted
own_laws = {}
if ours is not None:
    able = ours[ours.learned]
    front_rows = able.loc[able.index[scaling.frontier(able.compute, able.error)]]
    front_rows = front_rows.assign(run=range(len(front_rows)))  # one point a run
    if len(front_rows) >= LEAST:
        own_laws = both_laws(front_rows)
    shades = dict(zip(recipes.WIDTHS, plots.DEPTHS))
    STYLES = dict(zip(recipes.DISTINCT, (":", "--", "-")))
    sizes = {640: 12, 6_400: 30, 64_000: 65}
    fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
    for width, rows in ours.groupby("width"):
        size, name = rows.distinct.map(sizes), f"width {width}"
        axes[0].scatter(
            rows.compute, rows.error, size, color=shades[width], label=name
        )
        for distinct, line in rows.sort_values("images").groupby("distinct"):
            style = STYLES[distinct]
            axes[1].plot(line.images, line.error, style, color=shades[width])
    ring = {"mfc": "none", "mec": plots.INK, "ms": 12}
    axes[0].plot(front_rows.compute, front_rows.error, "o", **ring)
    axes[0].plot(beyond["compute"], beyond["error"], "x", color=plots.INK)
    reach = np.geomspace(front_rows.compute.min(), max(beyond["compute"]), 60)
    for (name, (y, low, high)), style in zip(
        lines(own_laws, reach).items(), ("-", "--")
    ):
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
    plots.sign(fig, "scenes", recorded=recorded)
else:
    plots.absent("The grid is not in the zoo of this tier.")

# %%
if ours is not None:
    print(
        f"{len(able)} of {len(ours)} networks are better than chance, {len(front_rows)} of them on the frontier"
    )
if own_laws:
    constants_of = {
        (law, end): {n: v[i] for n, v in constants(fit).items()}
        for law, fit in own_laws.items()
        for i, end in enumerate(("fit", "low", "high"))
    }
    print(pd.DataFrame(constants_of).map("{:.3g}".format))
    for name, law in own_laws.items():
        (low,), (high,) = law.predict_interval(beyond["compute"][:1])
        told = claims.words(float(law.predict(beyond["compute"][0])), low, high)
        print(f"{name}: foretells {told} for the longer runs")

# %% [markdown]
# Does a network that is better at its task also transfer better?

# %% mystnb={"figure": {"name": "fig-grid-transfer", "caption": "Ten-shot error on texture against test error on shape, the networks of the grid. Dotted: chance."}, "image": {"alt": "Scatter of ten-shot transfer error against test error, coloured by width, with a dotted line at chance."}} tags=["hide-input"]
if ours is not None:
    fig, ax = plt.subplots(figsize=(5, 3.6))
    for width, rows in ours.groupby("width"):
        ax.scatter(
            rows.error, rows.transfer, color=shades[width], label=f"width {width}"
        )
    ax.axhline(0.9, color=plots.INK, ls=":")
    ax.set(xlabel="test error", ylabel="ten-shot error, texture")
    ax.legend(fontsize=9)
    plots.sign(fig, "scenes", recorded=recorded)
else:
    plots.absent("The grid is not in the zoo of this tier.")

# %% [markdown]
# ## Heads and weight decay
#
# Two smaller questions of the paper, on a ViT of width 48 and 6,400 scenes. Does it matter whether the class is read from a class token, from the mean of the tokens, or from one attention over them (MAP)? And does strong weight decay of the head alone make features that transfer better?

# %% mystnb={"figure": {"name": "fig-heads", "caption": "Test accuracy (left, 95 % Wilson intervals) and ten-shot accuracy on texture (right; 95 % intervals over 1,000 test images; line: chance), for three heads, and for weight decay on head, body, both or neither. One seed."}, "image": {"alt": "Two dot plots with one row for each of three heads and four settings of weight decay: test accuracy with intervals, and ten-shot accuracy on texture."}} tags=["hide-input"]
STUDIES = {
    "head_cls": "class token",
    "head_gap": "mean",
    "head_map": "attention pool",
    "decay_none": "no decay",
    "decay_head": "decay of head: 30",
    "decay_body": "decay of body: 0.3",
    "decay_both": "both",
}
studied = {label: held_cards[n] for n, label in STUDIES.items() if n in held_cards}
if len(studied) == len(STUDIES):
    fig, axes = plt.subplots(1, 2, figsize=(8.4, 2.9), sharey=True)
    keys = ("accuracy", "accuracy_low", "accuracy_high")
    shown = {label: [c[k] for k in keys] for label, c in studied.items()}
    plots.intervals(axes[0], shown)
    halves = {
        label: 1.96 * (c["few_shot"] * (1 - c["few_shot"]) / 1000) ** 0.5
        for label, c in studied.items()
    }
    shown = {
        label: (c["few_shot"], c["few_shot"] - half, c["few_shot"] + half)
        for (label, c), half in zip(studied.items(), halves.values())
    }
    plots.intervals(axes[1], shown)
    axes[1].axvline(0.1, color=plots.INK, ls=":")
    for ax, title in zip(axes, ("accuracy", "ten-shot accuracy, texture")):
        ax.axhline(2.5, color=plots.INK, lw=0.6)
        ax.set(xlabel=title)
    plots.sign(fig, tier)
else:
    plots.absent("These networks are not in the zoo of this tier.")

# %% [markdown]
# ## Eight claims, decided


# %% tags=["hide-input"]
def spread(value, drawn):
    return claims.Estimate(value, *np.quantile(drawn, [0.025, 0.975]))


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
            ratios.append(compare_laws(rows))
    decided["Z21-3"] = spread(pure.residual / law.residual, ratios)
    for claim, e in decided.items():
        claims.record(claim, "published", e, seeds=1, images=len(best))
claims.chapter("14", "published")

# %% tags=["hide-input"]
ANSWERED = {"accuracy": 2000, "few_shot": 1000}  # images behind these shares


def shares(key, *names):
    """Shares of cards, and 200 values each that as many other images might have given."""
    p = np.array([held_cards[n][key] for n in names])
    spread = np.random.default_rng(0).binomial(ANSWERED[key], p, (200, len(p)))
    return p, spread / ANSWERED[key]


def until(width, error=0.5):
    """Images until the error of a width on 64,000 scenes falls to a value."""
    rows = ours[(ours.width == width) & (ours.distinct == 64_000)]
    rows = rows.sort_values("images")
    return np.exp(np.interp(-error, -rows.error, np.log(rows.images)))


if tier == "scenes" and ours is not None:
    here = {}
    n = len(front_rows)
    if own_laws:
        law, rng = own_laws["saturating"], np.random.default_rng(0)
        samples = [
            front_rows.iloc[rng.integers(0, n, n)] for _ in range(draws // 3)
        ]
        ratios = [compare_laws(s) for s in samples if s.compute.nunique() >= 6]
        here["Z21-1"] = spread(abs(law.b - 0.3), np.abs(law.draws[:, 1] - 0.3))
        here["Z21-3"] = spread(compare_laws(front_rows), ratios)
        luck = ((n - 2) / (n - 4)) ** 0.5
        print(f"residual ratio that a pure law gives by chance: {luck:.2f}")
    else:
        print(
            f"{n} points on the frontier are too few for four constants: Z21-1 and Z21-3 are not decided here"
        )
    largest = (
        ours[ours.width == max(recipes.WIDTHS)].groupby("distinct").error.min()
    )
    gap = 100 * (largest[640] - largest[64_000])
    half = 196 * np.sqrt(sum(e * (1 - e) / 2000 for e in largest[[640, 64_000]]))
    here["Z21-5"] = claims.Estimate(gap, gap - half, gap + half)
    some = ours[ours.distinct == 64_000].groupby("width").error.min()
    small, large = recipes.WIDTHS[1], recipes.WIDTHS[-1]
    if max(some[small], some[large]) <= 0.5:
        print(
            f"images until error is one half, width {small} over width {large}: {until(small) / until(large):.1f}"
        )
    else:
        print(f"width {small} does not reach an error of one half")
    for claim, e in here.items():
        claims.record(claim, tier, e, seeds=1, images=len(ours))
if tier == "scenes" and len(studied) == len(STUDIES):
    p, others = shares("accuracy", "head_cls", "head_gap", "head_map")
    e = claims.estimate([np.ptp(p)], np.ptp(others, axis=1)[None], 2000)
    claims.record("Z21-7", tier, e, seeds=1, images=2000)
    p, others = shares("few_shot", "decay_head", "decay_none")
    e = claims.estimate([p[0] - p[1]], (others[:, 0] - others[:, 1])[None], 1000)
    claims.record("Z21-8", tier, e, seeds=1, images=1000)
claims.chapter("14", tier)

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
