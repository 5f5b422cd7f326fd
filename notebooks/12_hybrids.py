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
# (sec-hybrids)=
# # Hybrids: convolutions inside a transformer
#
# **You will learn** what a published hybrid is made of, which of its convolutions pay at small scale, and where it stands between a ViT and a ResNet when one looks inside.
#
# *Reading: 7 minutes. Running: {seconds}`12` on two cores. Before this: {ref}`sec-erf`.*
#
# ## The question
#
# A ViT has to learn from data what a convolution has built in: that neighbours matter. {cite:t}`guo2022` build it in again. Their CMT has a convolutional stem, a pyramid of four stages, and
# a depth-wise convolution at every step of a block. They report that it needs less compute for the same accuracy. Does such a network see like a ViT, like a ResNet, or like neither?

# %% tags=["parameters"]
tier = "scenes"
n_images = 512

# %% tags=["hide-input"]
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seelike import architectures, attention, claims, data, hybrids, models, plots
from seelike import receptive_field as erf
from seelike.capture import layers
from seelike.cka import localization_sweep, sweep
from seelike.maps import same_depth

plots.style()

# %% [markdown]
# ## The block
#
# Tokens $X$ of a block live on a map. With $\mathrm{DW}$ a depth-wise 3 x 3 convolution,
#
# $$
# \begin{aligned}
# Y &= \mathrm{DW}(X) + X , \\
# Z &= \mathrm{A}(\mathrm{LN}(Y)) + Y , \\
# X' &= \mathrm{F}(\mathrm{LN}(Z)) + Z .
# \end{aligned}
# $$ (eq-cmt)
#
# The first step is the *local perception unit*. The second is attention whose keys and values come from a map reduced $k$-fold by a strided depth-wise convolution,
#
# $$
# \mathrm{A}(X) = \mathrm{softmax}\!\left( \frac{Q\,(K')^{\top}}{\sqrt d} + B \right) V' ,
# $$ (eq-light-attention)
#
# with a learned bias $B$ for each pair of positions. The cost of comparing queries with keys falls by $k^2$. The third, the *inverted residual* part, puts one more depth-wise convolution between the two layers of the MLP. `hybrids.CMT` is this network; timm has none.
#
# Do we have the published one? Count.

# %%
PAPER = {
    "cmt_ti": (9.5, 0.6),
    "cmt_xs": (15.2, 1.5),
    "cmt_s": (25.1, 4.0),
    "cmt_b": (45.7, 9.3),
}
rows = {}
for name, (parameters, multiplications) in PAPER.items():
    found = models.cost(name, hybrids.CMTS[name]["image"])
    rows[name] = {
        "parameters (M)": found[0] / 1e6,
        "published": parameters,
        "multiplications (G)": found[1] / 1e9,
        "published ": multiplications,
    }
sizes = pd.DataFrame(rows).T
sizes.round(2)

# %% mystnb={"figure": {"name": "fig-cmt-sizes", "caption": "Parameters of the four sizes, counted, relative to what is published. Grey: within 1 %."}, "image": {"alt": "Dot plot of counted over published parameters, one row for each of four sizes of CMT, with a grey band of one percent around 1."}} tags=["hide-input"]
ratio = sizes["parameters (M)"] / sizes["published"]
fig, ax = plt.subplots(figsize=(5, 2.2))
ax.axvspan(0.99, 1.01, color=plots.INK, alpha=0.15, lw=0)
plots.intervals(ax, {n: (r, r, r) for n, r in ratio.items()})
ax.set(xlabel="counted / published")
plots.sign(fig, "analytic", [])

# %% [markdown]
# Three agree. The third does not: with its published widths and depths it has more parameters than printed, but the published number of multiplications. We kept the settings.
#
# ## A small one
#
# Our CMT has three stages (the fourth would have 2 x 2 positions), eight blocks, widths 30, 60 and 120, and about as many parameters as our ViT and ResNet. All three saw the same 64,000 scenes once, with one recipe.

# %% mystnb={"figure": {"name": "fig-cmt-accuracy", "caption": "Accuracy on test scenes over training; one seed. Shaded: 95 % interval of each point over its 1,000 images."}, "image": {"alt": "Line plot of accuracy against thousand images seen: CMT, MViT, ViT and ResNet, with shaded intervals."}} tags=["hide-input"]
TRIO = ["cmt", "vit_data_1000", "resnet_short"]
every = {(c["name"], c["seed"]): c for c in models.cards(tier)}
cards = {name: c for (name, seed), c in every.items() if seed == 0}
names = {"cmt": "CMT", "vit_data_1000": "ViT (CLS)", "resnet_short": "ResNet"}
names |= {"mvit": "MViT (next chapter)"}
have = all(n in cards for n in TRIO)
if have:
    fig, ax = plt.subplots(figsize=(6, 3.6))
    for name, label in names.items():
        if name in cards:
            x = np.array([p["images"] for p in cards[name]["curve"]]) / 1000
            y = np.array([p["accuracy"] for p in cards[name]["curve"]])
            half = 1.96 * np.sqrt(y * (1 - y) / 1000)
            ax.plot(x, y, color=plots.COLOURS[name], label=label)
            ax.fill_between(
                x, y - half, y + half, color=plots.COLOURS[name], alpha=0.2, lw=0
            )
    ax.set(xlabel="thousand images seen", ylabel="accuracy", ylim=(0, 1))
    ax.legend(loc="lower right")
    plots.sign(fig, tier)
else:
    plots.absent(
        f"Networks of equal training are not in the zoo of the {tier} tier."
    )

# %% [markdown]
# Size, cost and final accuracy (2,000 test images), with Wilson intervals:

# %%
shown = [n for n in [*TRIO, "mvit", "vit_cls", "resnet"] if n in cards]
side = architectures.GEOMETRY[tier][0] if tier in architectures.GEOMETRY else 224


def line(card):
    options = card["options"] | {"tier": tier}
    multiplications = models.cost(card["architecture"], side, **options)[1]
    return {
        "parameters (M)": round(card["parameters"] / 1e6, 3),
        "multiplications (M)": round(multiplications / 1e6, 1),
        "images seen": f"{card['images_seen']:,}",
        "accuracy": f"{card['accuracy']:.3f} [{card['accuracy_low']:.3f}, {card['accuracy_high']:.3f}]",
    }


pd.DataFrame({n: line(cards[n]) for n in shown}).T

# %% [markdown]
# ## What each part is worth
#
# The same network without its convolutional stem (one strided convolution is left), without local perception units, and without the convolutions of the feed-forward parts; 16,000 images and three starts each.

# %% mystnb={"figure": {"name": "fig-cmt-ablation", "caption": "Accuracy of CMT after 16,000 images, whole and without one part; one dot for each of three starts, with 95 % Wilson intervals over 2,000 test images."}, "image": {"alt": "Dot plot of accuracy with intervals: the whole CMT, and without stem, without local perception units, without feed-forward convolutions."}} tags=["hide-input"]
PARTS = {
    "cmt_whole": "whole",
    "cmt_without_stem": "without stem",
    "cmt_without_lpu": "without local perception",
    "cmt_without_irffn": "without convolution in MLP",
}


def final(name):
    return [cards[name][k] for k in ("accuracy", "accuracy_low", "accuracy_high")]


if all(n in cards for n in PARTS):
    fig, ax = plt.subplots(figsize=(5.5, 2.3))
    plots.starts(ax, every, PARTS)
    ax.set(xlabel="accuracy")
    plots.sign(fig, tier, range(3))
else:
    plots.absent(f"Ablations are not in the zoo of the {tier} tier.")

# %% [markdown]
# ## Inside: where does it stand?
#
# CKA of all its blocks with those of the ViT and of the ResNet; as a yardstick, ViT with ResNet.

# %% mystnb={"figure": {"name": "fig-cmt-cka", "caption": "CKA between blocks: CMT with itself, with the ViT, with the ResNet, and ViT with ResNet; networks of equal training."}, "image": {"alt": "Four heat maps of CKA, dark at 0 and bright at 1: CMT against itself, against the ViT and against the ResNet, and the ViT against the ResNet."}} tags=["hide-input"]
images = data.load(
    tier, "test", n_images, seed=12, transform=models.transform("vit_cls", tier)
)
fallback = ["cmt", "vit_cls", "resnet"]  # where training was not equal
trio = TRIO if have else [n for n in fallback if n in cards or tier == "smoke"]
cast = {n: models.load(n, tier) for n in trio}


def part(m, frame, row, column):
    """The block of a map over all taps that compares two networks."""
    rows, columns = (
        np.array([label.startswith(f"{n}/") for label in frame])
        for n in (row, column)
    )
    return m[np.ix_(rows, columns)]


if len(trio) == 3:
    hybrid, vit, resnet = trio
    sums = sweep(cast, images)
    m = sums.compute().to_numpy()
    pairs = [(hybrid, hybrid), (vit, hybrid), (resnet, hybrid), (resnet, vit)]
    fig, axes = plt.subplots(1, 4, figsize=(12, 2.9))
    for ax, (row, column) in zip(axes, pairs):
        plots.similarity_map(
            ax,
            part(m, sums.layers, row, column),
            "",
            rows=f"{names.get(row, plots.label(row))}, block",
            columns=f"{names.get(column, plots.label(column))}, block",
        )
    plots.sign(fig, tier)
else:
    plots.absent(f"There is no CMT at the {tier} tier.")


# %% [markdown]
# How far attention looks, and how far a position depends on the image. Distance is measured between the centres of a query's cell and of a key's, which in CMT is a larger cell.

# %% mystnb={"figure": {"name": "fig-cmt-reach", "caption": "Left: mean attention distance of every head, by relative depth, CMT and ViT; dotted: uniform attention on the ViT's grid (on the CMT's grids it is nearly the same). Right: half-mass radius of effective receptive fields of block outputs; dotted: a uniform field. Dashed: the untrained CMT."}, "image": {"alt": "Two panels against relative depth: dots of attention distance of every head of CMT and ViT, and lines of receptive field radius of CMT, ViT and ResNet, with dotted lines for uniform attention and a uniform field."}} tags=["hide-input"]
if len(trio) == 3:
    few = replace(images, pixels=images.pixels[:64], labels=images.labels[:64])
    few = replace(few, batch_size=16)
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.5))
    for name in (hybrid, vit):
        blocks = attention.block_distances(cast[name], few)
        for i, block in enumerate(blocks):
            x = np.full(block.shape[1], i / (len(blocks) - 1))
            axes[0].plot(x, block.mean(0), "o", color=plots.COLOURS[name], ms=5)
        axes[0].plot(
            [],
            [],
            "o",
            color=plots.COLOURS[name],
            label=names.get(name, plots.label(name)),
        )
    size, patch = architectures.GEOMETRY[tier]
    axes[0].axhline(
        attention.uniform_distance(size // patch, patch), color=plots.INK, ls=":"
    )
    axes[0].set(
        xlabel="relative depth",
        ylabel="attention distance (pixels)",
        ylim=(0, None),
    )
    axes[0].legend()
    fresh = models.untrained("cmt", tier)
    for name, model in {**cast, "untrained CMT": fresh}.items():
        taps = layers(model)
        field = erf.effective_receptive_field(model, taps, few)
        r = [erf.radius(field[t].mean(0)) for t in taps]
        x = np.linspace(0, 1, len(r))
        kind = "cmt" if name == "untrained CMT" else name
        style = "--" if name == "untrained CMT" else "o-"
        label = names.get(name, plots.label(name))
        axes[1].plot(x, r, style, ms=4, color=plots.COLOURS[kind], label=label)
    axes[1].axhline(erf.uniform_radius(size), color=plots.INK, ls=":")
    axes[1].set(
        xlabel="relative depth", ylabel="half-mass radius (pixels)", ylim=(0, None)
    )
    axes[1].legend(fontsize=8)
    plots.sign(fig, tier)
else:
    plots.absent(f"There is no CMT at the {tier} tier.")

# %% [markdown]
# Does a position still resemble its own patch of the image more than any other ({ref}`sec-localization`)? Asked of the last block that has at least 4 x 4 positions: the share of interior positions whose most similar patch is their own, what chance would give, and
# their mean CKA with the own patch. Patches are as large as cells of the map, so networks with finer maps have an easier match in pixels and a harder one by chance.


# %%
def places(name):
    """How interior positions of a late block compare with their own patch."""
    taps, n = layers(cast[name]), 0
    while n < 16:
        tap = taps.pop()
        m = localization_sweep(cast[name], tap, images).compute().to_numpy()
        n = len(m) // 2
    table, grid = m[:n, n:], int(n**0.5)
    r, c = np.divmod(np.arange(n), grid)
    inside = (np.minimum(r, c) > 0) & (np.maximum(r, c) < grid - 1)
    return {
        "block": tap,
        "positions": f"{grid} x {grid}",
        "of them interior": int(inside.sum()),
        "own patch best": (table.argmax(1) == np.arange(n))[inside].mean(),
        "chance": 1 / n,
        "CKA, own patch": np.diag(table)[inside].mean(),
    }


localized = {names.get(n, n): places(n) for n in trio if len(trio) == 3}
pd.DataFrame(localized).T.map(lambda v: f"{v:.2f}" if isinstance(v, float) else v)

# %% [markdown]
# ## Seven claims, decided


# %% tags=["hide-input"]
worst = float(abs(ratio - 1).max())
claims.record(
    "G21-1", "published", claims.Estimate(worst, worst, worst), seeds=0, images=0
)
if tier == "scenes":
    tests = {
        "G21-2": ("cmt", "vit_data_1000"),
        "G21-3": ("cmt", "resnet_short"),
        "G21-4": ("cmt_whole", "cmt_without_stem"),
        "G21-5": ("cmt_whole", "cmt_without_lpu"),
        "G21-6": ("cmt_whole", "cmt_without_irffn"),
    }
else:  # no networks of equal training
    tests = {}
for claim, (a, b) in tests.items():
    shared = [s for n, s in every if n == a and (b, s) in every]
    if shared:
        e = claims.difference(*((every[a, s], every[b, s]) for s in shared))
        n = cards[a]["test_images"]
        claims.record(claim, tier, e, seeds=len(shared), images=n)
if len(trio) == 3:
    untrained = [models.untrained(k, tier) for k in ("cmt", "vit_cls", "resnet")]

    def nearer(m):
        ours = same_depth(part(m, sums.layers, hybrid, resnet))
        return ours - same_depth(part(m, sums.layers, vit, resnet))

    blank = sweep({n: m for n, m in zip(trio, untrained)}, images).compute()
    print(f"the same between untrained networks: {nearer(blank.to_numpy()):.2f}")
    value, draws = sums.bootstrap(nearer)
    e = claims.estimate([value], draws[None], len(sums.hsic))
    claims.record("G21-7", tier, e, seeds=1, images=n_images)
claims.chapter("12", tier)

# %%
claims.chapter("12", "published")

# %% tags=["hide-input"]
if len(trio) == 3:
    maps = {
        f"{r} {c}": part(m, sums.layers, r, c).round(3).tolist() for r, c in pairs
    }
    kept = {"maps": maps, "settings": {"provenance": plots.provenance(tier)}}
    kept["accuracy"] = {n: final(n) for n in shown}
    claims.keep("12", tier, kept)

# %% [markdown]
# ## The same on natural images
#
# On CIFAR-10 the CMT saw 200,000 images, a quarter of what the ViT saw there and far fewer than the ResNet in its four runs; the ResNet is wider, too. Accuracies recorded there:

# %%
recorded = claims.results("cifar10", "12")
pd.DataFrame(
    recorded.get("accuracy", {}), index=["accuracy", "low", "high"]
).T.round(3)

# %% mystnb={"figure": {"name": "fig-recorded-cmt", "caption": "CIFAR-10, recorded: CKA between blocks of CMT, ViT and ResNet."}, "image": {"alt": "Four heat maps of CKA recorded on CIFAR-10, dark at 0 and bright at 1: CMT against itself, against the ViT and against the ResNet, and the ViT against the ResNet."}} tags=["hide-input"]
if recorded:
    fig, axes = plt.subplots(1, 4, figsize=(12, 2.9))
    ORDER = ["cmt cmt", "vit_cls cmt", "resnet cmt", "resnet vit_cls"]
    for ax, pair in zip(axes, ORDER):
        row, column = pair.split()
        plots.similarity_map(
            ax,
            np.array(recorded["maps"][pair]),
            "",
            rows=f"{plots.label(row)}, block",
            columns=f"{plots.label(column)}, block",
        )
    plots.sign(fig, "cifar10", recorded=recorded["settings"]["provenance"])
else:
    plots.absent("Not recorded yet.")

# %%
claims.chapter("12", "cifar10")

# %% [markdown]
# ## What it means
#
# **Is it the published network?** Largest deviation of four parameter counts: {claim}`G21-1 @ published`.
#
# **Better at equal size?** CMT minus ViT: {claim}`G21-2` on Scenes. CMT minus ResNet: {claim}`G21-3`. On CIFAR-10 training was not equal, so accuracies are shown and nothing is decided.
#
# **Which parts pay?** With minus without: stem {claim}`G21-4`, local perception {claim}`G21-5`, convolution in the MLP {claim}`G21-6`. Taking one part out may cost little because the two others do the same work: with two
# remaining kinds of convolution, a network is still told that neighbours matter.
#
# **Between the two?** CKA with the ResNet, CMT minus ViT: {claim}`G21-7`, {claim}`G21-7 @ cifar10`. Both sides share images and task. The line above the claims gives the same difference for untrained networks: what is there before training was not learned.
#
# **How far it sees.** {numref}`fig-cmt-reach` has both measures. All heads of both networks look nearly everywhere. Trained, the fields of the CMT are the widest; compare the dashed line for what is there before training.
#
# ## What this tier cannot decide
#
# The long runs have one start: a difference of a percent or two may be luck, which those intervals do not cover. Ablations have three short ones. Runs were short, and rates were those of the ViT; the paper tunes them to each size. Equal parameters are not equal cost: the
# pyramid works on more positions at first. The paper's claims are about ImageNet, and about networks ten times and more as large.
#
# ## Exercises
#
# :::{exercise} Warm-up: what reduction saves
# :label: ex-reduction
# A map has 16 x 16 positions. How many pairs of query and key has attention with $k = 1$, and with $k = 4$?
# :::
#
# :::{solution} ex-reduction
# :class: dropdown
# 65,536 and 4,096: sixteen times fewer.
# :::
#
# :::{exercise} Code: the bias
# :label: ex-bias-map
# Draw the learned bias $B$ of the first stage for one query in the middle of the map, for a trained and an untrained CMT.
# :::
#
# ::::{solution} ex-bias-map
# :class: dropdown
# ```python
# fig, axes = plt.subplots(1, 2)
# for ax, net in zip(axes, (models.load("cmt", tier), models.untrained("cmt", tier))):
#     bias = net.stages[0].bias.detach()[0]
#     keys = int(bias.shape[1] ** 0.5)
#     queries = int(len(bias) ** 0.5)
#     middle = queries * (queries // 2) + queries // 2
#     ax.imshow(bias[middle].view(keys, keys))
# ```
#
# Untrained, it is noise.
# ::::
#
# :::{exercise} Open: which convolution is enough?
# :label: ex-enough
# Take out two of the three kinds of convolution at a time. Is there one that suffices? Plan the seeds that you need to tell differences of one percent apart.
# :::
