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
# (sec-skips)=
# # Skip connections
#
# **You will learn** to measure what a skip connection carries, to tell the class token's path from that of the patches, and what
# happens to a ViT that is trained without the skips of one block.
#
# *Reading: 9 minutes. Running: {seconds}`06` on two cores. Before this: {ref}`sec-erf`.*
#
# ## The question
#
# ViTs and ResNets both add each block's output to its input. {cite:t}`raghu2021` (Figs 7, 8, E.1 and E.2) ask how much of the sum is
# input. In a ViT, they find, much more than in a ResNet. In the lower half the skip connection carries the class token; in the upper
# half, the patches. And a ViT trained without the skip connections of one block falls into two parts that are unlike each other.

# %% tags=["parameters"]
tier = "scenes"
n_images = 512

# %% tags=["hide-input"]
from dataclasses import replace
from statistics import mean

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from seelike import claims, data, maps, models, plots
from seelike.capture import layers
from seelike.cka import sweep
from seelike.residual import residuals

plots.style()

# %% [markdown]
# ## Method: norm ratio and cosine
#
# A residual sum is $z + f(z)$: what came, and what the branch adds. At every position we take the *norm ratio* and the cosine,
#
# $$
# \rho = \frac{\lVert z \rVert}{\lVert f(z) \rVert} , \qquad \cos\theta = \frac{z \cdot f(z)}{\lVert z \rVert \, \lVert f(z) \rVert} ,
# $$ (eq-norm-ratio)
#
# and average over images. Above 1, the skip connection outweighs the branch. A ViT block has two such sums, one for attention and one for the MLP;
# a ResNet block has one. Where a shortcut of the ResNet is a projection, $z$ is its output.

# %%
images = data.load(
    tier, "test", n_images, seed=6, transform=models.transform("vit_cls", tier)
)
images = replace(images, batch_size=64)
cast = models.cast(["vit_cls", "resnet"], tier)
cast |= {
    f"untrained {name}": models.untrained(name, tier)
    for name in ("vit_cls", "resnet")
}
sums = {name: residuals(model, images) for name, model in cast.items()}

# %% mystnb={"figure": {"name": "fig-token-ratio", "caption": "ViT, seed 0: norm ratio of the class token (column 0) and of the first eight patches, the top row of the image, by block, for attention and for the MLP, and the mean of both. Brighter: the skip connection weighs more; a ratio of 1 means that both weigh the same."}, "image": {"alt": "Three heat maps of norm ratio, blocks upwards and tokens to the right, the class token in the first column: attention, MLP, and the mean of both."}} tags=["hide-input"]
ratio = np.array([s.ratio.mean(0) for s in sums["vit_cls-0"].values()])
by_branch = {"attention": ratio[0::2], "MLP": ratio[1::2]}
by_branch["mean"] = (by_branch["attention"] + by_branch["MLP"]) / 2
fig, axes = plt.subplots(1, 3, figsize=(9.6, 3.1))
for ax, (title, m) in zip(axes, by_branch.items()):
    top = max(float(v[:, :9].max()) for v in by_branch.values())
    plots.similarity_map(
        ax, m[:, :9], title, rows="block", columns="token", low=0, high=top
    )
for ax in fig.axes[-1:]:
    ax.set_ylabel("norm ratio", fontsize=9)
plots.sign(fig, tier)


# %% [markdown]
# One start is one start. Here is the same contrast for every seed: how far the class token's ratio exceeds that of the patches in the lower half, and how far the patches' ratio exceeds that of
# the class token in the upper half.


# %%
def stack(name):
    """Norm ratios as (batches, sums, tokens); of a ResNet only their means over positions."""
    ratios = [s.ratio for s in sums[name].values()]
    if "resnet" in name:
        ratios = [r.mean(1, keepdims=True) for r in ratios]
    return np.stack(ratios, 1)


def margins(z):
    """z: (sums, tokens); attention and MLP of a block count alike."""
    low, high = np.split(z[: len(z) // 4 * 4], 2)
    difference = [half[:, 0].mean() - half[:, 1:].mean() for half in (low, high)]
    return difference[0], -difference[1]


vits = [name for name in cast if name.startswith("vit_cls")]
halves = ("lower half: class token first", "upper half: patches first")
pd.DataFrame(
    {plots.label(n, seed=True): margins(stack(n).mean(0)) for n in vits},
    index=halves,
).T.round(2)

# %% [markdown]
# ## By depth


# %%
def lines(name):
    """Mean norm ratio and cosine of every residual sum, split as far as the network allows."""
    found = list(sums[name].values())
    parts = {"ResNet block": (slice(None), slice(None))}
    if "vit" in name:
        parts = {
            f"{branch}, {token}": (slice(start, None, 2), columns)
            for start, branch in enumerate(("attention", "MLP"))
            for token, columns in (
                ("patches", slice(1, None)),
                ("class token", [0]),
            )
        }
    return {
        label: {
            "ratio": [s.ratio[:, columns].mean() for s in found[rows]],
            "cosine": [s.cosine[:, columns].mean() for s in found[rows]],
        }
        for label, (rows, columns) in parts.items()
    }


# %% mystnb={"figure": {"name": "fig-norm-ratio", "caption": "Norm ratio (left) and cosine (right) of skip and branch by relative depth, seed 0. Solid: patches (ViT) and positions (ResNet). Dashed: class token. The horizontal lines mark equal norms, and orthogonal vectors."}, "image": {"alt": "Two line plots against relative depth: norm ratio of skip to branch, and their cosine. Lines for attention and MLP, each for patches and class token, and for the ResNet."}} tags=["hide-input"]
def plot_lines(axes, curves):
    for i, (label, c) in enumerate(curves.items()):
        for ax, key in zip(axes, ("ratio", "cosine")):
            x = np.linspace(0, 1, len(c[key]))
            line = "--" if "class" in label else "-"
            colour = plots.COLOURS["resnet"] if "ResNet" in label else PAIR[i // 2]
            marker = "s" if "ResNet" in label else "o"
            ax.plot(x, c[key], line, marker=marker, ms=4, color=colour, label=label)
            ax.set(xlabel="depth", ylabel={"ratio": "norm ratio"}.get(key, key))
    axes[0].axhline(1, color=plots.INK, lw=0.8)
    axes[1].axhline(0, color=plots.INK, lw=0.8)
    axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))


PAIR = (plots.COLOURS["vit_cls"], "#56b4e9")
curves = lines("vit_cls-0") | lines("resnet-0")
fig, axes = plt.subplots(1, 2, figsize=(9.4, 3.4))
plot_lines(axes, curves)
plots.sign(fig, tier)

# %% [markdown]
# The controls: the same two numbers for untrained networks, averaged over everything. The untrained ViT has small initial weights, hence weak branches. In the untrained ResNet the last norm of
# each branch was set to one; training starts it at zero, where the ratio has no bound. So the controls show how much of the ratio is a choice of initial weights. Where the untrained pair differs more than
# the trained one, the direction of the claim was not learned.

# %%
pd.DataFrame(
    {
        plots.label(name, seed=True): {
            "norm ratio": mean(s.ratio.mean() for s in sums[name].values()),
            "cosine": mean(s.cosine.mean() for s in sums[name].values()),
        }
        for name in cast
    }
).T.round(2)

# %% [markdown]
# ## Without the skips of one block
#
# Three ViTs were trained from scratch with both skip connections of one block taken out: an early, a middle or a late one (blocks 1, 4 and 6, counted from 0). Their twin has all skips and
# saw the same images; the claims are about the middle one, which has three starts, as has the twin; the others have one. The paper has no such control for convolutional networks; we add a ResNet with the skip connection of one block removed,
# beside its own twin; the last norm of that block starts at one instead of zero, for it would pass nothing on. All are shorter runs than the main ones.

# %%
VARIANTS = ("early", "middle", "late")
ablated = models.cast(
    [
        "vit_data_1000",
        *(f"vit_{v}_skipless" for v in VARIANTS),
        "resnet_short",
        "resnet_skipless",
    ],
    tier,
)
accuracy = {f"{c['name']}-{c['seed']}": c["accuracy"] for c in models.cards(tier)}
removed = {
    f"{c['name']}-{c['seed']}": c["options"]["without_skips"][0]
    for c in models.cards(tier)
    if "without_skips" in c["options"]
}
similar = {n: sweep({n: m}, images, "all") for n, m in ablated.items()}


# %% mystnb={"figure": {"name": "fig-partition", "caption": "CKA between all layers of networks trained with all skip connections, or without those of one block (white lines: where that block begins). Last two panels: a ResNet with and without the skip connection of one block. Seed 0."}, "image": {"alt": "Heat maps of CKA between all layers: a ViT with all skips, ViTs without the skips of an early, a middle and a late block, and a ResNet with and without the skip of one block. White lines mark where the changed block begins."}} tags=["hide-input"]
def entrance(name, i):
    """Index of the first tap of a network's block i."""
    block = layers(ablated[name], "block")[i]
    return next(
        k for k, tap in enumerate(similar[name].layers) if f"/{block}." in tap
    )


first = [n for n in ablated if n.endswith("-0")]
if first:
    columns = -(-len(first) // 2)
    fig, axes = plt.subplots(2, columns, figsize=(3.3 * columns, 6.2))
    for ax, name in zip(axes.flat, first):
        m = similar[name].compute()
        plots.similarity_map(ax, m, plots.label(name), rows="tap", columns="tap")
        if name in removed:
            cut = entrance(name, removed[name]) - 0.5
            ax.axvline(cut, color="white", lw=1.2)
            ax.axhline(cut, color="white", lw=1.2)
    for ax in axes.flat[len(first) :]:
        ax.set_axis_off()
    plots.sign(fig, tier)
else:
    plots.absent(f"There are no networks without skips at the {tier} tier.")

# %% [markdown]
# Accuracy of these networks on the test split, what it costs to lose the skips of one block, in points, and how much the contrast across the entrance of that block (mean CKA of taps on the same side,
# minus of taps on different sides) exceeds that of the twin. Do the sharpest cut and the highest price go together? And does the ResNet's contrast rise as much? Its block without a skip is the last of the second
# stage: another relative depth than that of the ViT's middle block.


# %%
def split(m, at):
    """Mean CKA of taps on the same side of a boundary minus of taps on different sides."""
    return maps.contrast(m, (np.arange(len(m)) >= at).astype(int))


def risen(name):
    at = entrance(name, removed[name])
    pair = (name, f"{base[name.split('_')[0]]}-{name[-1]}")
    cut, whole = (split(similar[n].compute().to_numpy(), at) for n in pair)
    return cut - whole


base = {"vit": "vit_data_1000", "resnet": "resnet_short"}
pd.DataFrame(
    {
        plots.label(name, seed=True): {
            "accuracy": accuracy[name],
            "cost in points": 100
            * (accuracy[f"{base[name.split('_')[0]]}-{name[-1]}"] - accuracy[name]),
            "rise of the contrast": risen(name) if name in removed else np.nan,
        }
        for name in ablated
    }
).T.round(3)

# %% [markdown]
# ## Four claims, decided


# %%
seeds = models.shared_seeds(["vit_cls", "resnet"], tier)
STATISTICS = {
    "R21-15": lambda s: claims.bootstrap(
        lambda z: min(margins(z)), stack(f"vit_cls-{s}")
    ),
    "R21-16": lambda s: claims.bootstrap(
        lambda v, r: v.mean() / r.mean(),
        stack(f"vit_cls-{s}"),
        stack(f"resnet-{s}"),
    ),
}

# %% [markdown]
# For the partition, both networks are listened to at the same taps; the boundary is the entrance of the changed block. The
# first tap behind it, norm 1, still sees only the old stream, which makes the contrast a little too small.


# %%
def partition(s):
    without, twin = f"vit_middle_skipless-{s}", f"vit_data_1000-{s}"
    at = entrance(without, removed[without])
    cut, whole = (
        similar[n].bootstrap(lambda m: split(m, at)) for n in (without, twin)
    )
    return cut[0] - whole[0], cut[1] - whole[1]


def answers(name):
    """Right answers on the test split, in batches."""
    model = ablated[name]
    return np.array(
        [(model(x).argmax(1) == y).double().mean().item() for x, y in test]
    )


def cost(s):
    with torch.inference_mode():
        twin, without = (answers(f"{n}-{s}") for n in TWINS)
    return claims.bootstrap(lambda a, b: abs(100 * (a - b) - 4.5), twin, without)


# %%
TWINS = ["vit_data_1000", "vit_middle_skipless"]
twins = models.shared_seeds(TWINS, tier) if ablated else []
if twins:
    test = replace(data.load(tier, "test", seed=0), batch_size=125)
    STATISTICS |= {"R21-17": partition, "R21-18": cost}
for claim, f in STATISTICS.items():
    own = twins if claim in ("R21-17", "R21-18") else seeds
    asked = test if claim == "R21-18" else images
    values, draws = zip(*(f(s) for s in own))
    e = claims.estimate(values, np.stack(draws), len(asked) // asked.batch_size)
    claims.record(claim, tier, e, seeds=len(own), images=len(asked))
claims.chapter("06", tier)

# %% tags=["hide-input"]
kept = {
    label: {k: np.round(v, 3).tolist() for k, v in c.items()}
    for label, c in curves.items()
}
claims.keep(
    "06", tier, {"lines": kept, "settings": {"provenance": plots.provenance(tier)}}
)

# %% [markdown]
# ## The same on natural images
#
# The ResNet of CIFAR-10 is wider than that of Scenes, and was trained longer, with other rates and augmentation ({ref}`sec-data`).

# %% mystnb={"figure": {"name": "fig-recorded-ratio", "caption": "CIFAR-10, recorded: norm ratio and cosine by relative depth."}, "image": {"alt": "Two line plots recorded on CIFAR-10 against relative depth: norm ratio of skip to branch, and their cosine, for the ViT's attention and MLP and for the ResNet."}} tags=["hide-input"]
recorded = claims.results("cifar10", "06")
if recorded:
    fig, axes = plt.subplots(1, 2, figsize=(9.4, 3.4))
    order = [k for k in curves if k in recorded["lines"]]
    plot_lines(axes, {k: recorded["lines"][k] for k in order})
    plots.sign(fig, "cifar10", recorded=recorded["settings"]["provenance"])
else:
    plots.absent("Not recorded yet.")

# %%
claims.chapter("06", "cifar10")

# %% [markdown]
# ## What it means
#
# **Two phases?** Smaller of two differences between class token and patches: {claim}`R21-15` on Scenes, {claim}`R21-15 @ cifar10` on CIFAR-10. Above 0,
# the skip connection outweighs the branch more for the class token in the lower half, and more for the patches in the upper half. The table under {numref}`fig-token-ratio` has both for every
# start. Both figures show seed 0: do not take its pattern for that of all starts.
#
# **And the cosine?** Above 0 a branch strengthens the stream, near 0 it adds something new, below 0 it takes something away. We know the paper's Fig. E.2 second hand only: its axis is said to run
# from 0.6 to 1; ours lie near and below 0. That is not the same picture. A cosine between $z$ and the *sum*, $\rho/\sqrt{1+\rho^2}$ where $z$ and $f(z)$ are orthogonal, would lie on that
# axis; we could not check which of the two the paper plots.
#
# **More than in a ResNet?** Mean norm ratio, ViT over ResNet: {claim}`R21-16`, {claim}`R21-16 @ cifar10`. In a ResNet like ours the sum passes a
# ReLU after every block, so an identity skip connection carries nothing negative: norms of the two families are not the same kind of thing. The table of controls has
# the untrained networks.
#
# **A cut?** Rise of the contrast across the changed block: {claim}`R21-17`. **A price?** The paper reports 4 points; our rule allows 1 to 8. The number is the distance of our
# cost from the middle of that range, in points: {claim}`R21-18`. A cost above 8 is also called contradicted: the table above tells on which side it was, and how much starts differ. The ViTs here are small, have eight blocks and see few images.
#
# The ResNet without one skip connection is the control that says whether the cut is special to ViTs: see the table above, and the last two panels of
# {numref}`fig-partition`.
#
# ## What this tier cannot decide
#
# One block of eight is an eighth of the network; in the paper it is one of twelve. The class token of a ViT starts as a constant: at
# block 0's attention the skip connection carries nothing about the image, so its ratio there says nothing about information passed on; it is part of the
# statistic all the same. In the last block only the class token is read ({ref}`sec-attention`), so what the patches do there was never trained for itself. Networks without skips were trained with
# the recipe of the others; another rate might suit them better. CIFAR-10 has no such networks, so claims 17 and 18 are not run there.
#
# ## Exercises
#
# :::{exercise} Warm-up: equal and orthogonal
# :label: ex-orthogonal
# Skip and branch have the same norm and are orthogonal. How long is their sum?
# :::
#
# :::{solution} ex-orthogonal
# :class: dropdown
# By Pythagoras $\sqrt 2$ times as long as either: the stream grows by this factor with every such sum.
# :::
#
# :::{exercise} Code: take the skips out afterwards
# :label: ex-afterwards
# Remove the skips of one block from a *trained* ViT (`residual.remove_skips`) and measure accuracy. Which block can be spared best?
# :::
#
# ::::{solution} ex-afterwards
# :class: dropdown
# ```python
# from seelike import evaluate, residual
#
# test = data.load(tier, "test", 500)
# for block in range(8):
#     model = residual.remove_skips(models.load("vit_cls", tier), [block])
#     print(block, (evaluate.predict(model, test) == test.labels).float().mean())
# ```
#
# This asks another question than the figure: these weights were learned with the skips in place.
# ::::
#
# :::{exercise} Open: scale instead of remove
# :label: ex-scale
# Multiply the skip connection by a number between 0 and 1 during training. Does the cut appear gradually or at once?
# :::
