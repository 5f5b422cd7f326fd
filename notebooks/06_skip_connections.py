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
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seelike import evaluate, maps, models, plots, residual
from seelike.capture import layers
from seelike.chapter import Chapter
from seelike.cka import sweep
from seelike.intervals import batched, bootstrap, ratio

book = Chapter("06", tier)

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
images = book.images(n_images, seed=6, batch_size=64)
cast = book.cast("vit_cls", "resnet", untrained=("vit_cls", "resnet"))
sums = book.measured(lambda model: residual.residuals(model, images), cast)
vits = {name: s for name, s in sums.items() if name.startswith("vit_cls")}
ratios = book.measured(residual.by_token, vits)

# %% mystnb={"figure": {"name": "fig-token-ratio", "caption": "ViT, seed 0: norm ratio of the class token (column 0) and of the first eight patches, the top row of the image, by block, for attention and for the MLP, and the mean of both. Brighter: the skip connection weighs more; a ratio of 1 means that both weigh the same."}, "image": {"alt": "Three heat maps of norm ratio, blocks upwards and tokens to the right, the class token in the first column: attention, MLP, and the mean of both."}} tags=["hide-input"]
# needs: vit_cls, any ratios
first = next(iter(ratios.values())).mean(0)
by_branch = {"attention": first[0::2], "MLP": first[1::2]}
by_branch["mean"] = (by_branch["attention"] + by_branch["MLP"]) / 2
top = max(float(v[:, :9].max()) for v in by_branch.values())
fig, axes = plt.subplots(1, 3, figsize=(9.6, 3.1))
for ax, (title, m) in zip(axes, by_branch.items()):
    plots.similarity_map(
        ax, m[:, :9], title, rows="block", columns="token", low=0, high=top
    )
for ax in fig.axes[-1:]:
    ax.set_ylabel("norm ratio", fontsize=9)
book.sign(fig, [0])

# %% [markdown]
# One start is one start. Here is the same contrast for every seed: how far the class token's ratio exceeds that of the patches in the lower half, and how far the patches' ratio exceeds that of
# the class token in the upper half.

# %%
# needs: vit_cls, any ratios
halves = ("lower half: class token first", "upper half: patches first")
margins = book.measured(lambda z: residual.margins(z.mean(0)), ratios)
pd.DataFrame(
    {plots.label(n, seed=True): m for n, m in margins.items()}, index=halves
).T.round(2)

# %% [markdown]
# ## By depth

# %%
curves = {}
for name in book.shown(sums, "vit_cls", "resnet"):
    if not name.startswith("untrained"):
        whose = "" if name.startswith("vit_cls") else f"{plots.label(name)} "
        lines = residual.lines(sums[name])
        curves |= {f"{whose}{line}": curve for line, curve in lines.items()}

# %% tags=["hide-input"]
BRANCHES = {"attention": plots.COLOURS["vit_cls"], "MLP": "#56b4e9"}
OTHERS = [plots.COLOURS[kind] for kind in ("resnet", "vit_gap", "mixer")]


def plot_lines(axes, curves):
    """Norm ratio and cosine by relative depth; branches of the ViT and other networks each in a colour."""
    others = [c for c in curves if c.partition(",")[0] not in BRANCHES]
    colours = {c: OTHERS[i % len(OTHERS)] for i, c in enumerate(others)}
    for label, curve in curves.items():
        look = {
            "color": colours.get(label) or BRANCHES[label.partition(",")[0]],
            "marker": "s" if label in colours else "o",
            "ls": "--" if "class" in label else "-",
        }
        for ax, key in zip(axes, ("ratio", "cosine")):
            x = np.linspace(0, 1, len(curve[key]))
            ax.plot(x, curve[key], ms=4, label=label, **look)
            ax.set(xlabel="depth", ylabel={"ratio": "norm ratio"}.get(key, key))
    axes[0].axhline(1, color=plots.INK, lw=0.8)
    axes[1].axhline(0, color=plots.INK, lw=0.8)
    axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))


# %% mystnb={"figure": {"name": "fig-norm-ratio", "caption": "Norm ratio (left) and cosine (right) of skip and branch by relative depth, seed 0. Solid: patches (ViT) and positions (ResNet). Dashed: class token. The horizontal lines mark equal norms, and orthogonal vectors."}, "image": {"alt": "Two line plots against relative depth: norm ratio of skip to branch, and their cosine. Lines for attention and MLP, each for patches and class token, and for the ResNet."}} tags=["hide-input"]
# needs: any curves
fig, axes = plt.subplots(1, 2, figsize=(9.4, 3.4))
plot_lines(axes, curves)
book.sign(fig, [0])

# %% [markdown]
# The controls: the same two numbers for untrained networks, averaged over everything. The untrained ViT has small initial weights, hence weak branches. In the untrained ResNet the last norm of
# each branch was set to one; training starts it at zero, where the ratio has no bound. So the controls show how much of the ratio is a choice of initial weights. Where the untrained pair differs more than
# the trained one, the direction of the claim was not learned.

# %%
# needs: any sums
pd.DataFrame(
    {
        plots.label(name, seed=True): {
            "norm ratio": residual.by_sum(found).mean(),
            "cosine": residual.by_sum(found, "cosine").mean(),
        }
        for name, found in sums.items()
    }
).T.round(2)

# %% [markdown]
# ## Without the skips of one block
#
# Three ViTs were trained from scratch with both skip connections of one block taken out: an early, a middle or a late one (blocks 1, 4 and 6, counted from 0). Their twin has all skips and
# saw the same images; the claims are about the middle one, which has three starts, as has the twin; the others have one. The paper has no such control for convolutional networks; we add a ResNet with the skip connection of one block removed,
# beside its own twin; the last norm of that block starts at one instead of zero, for it would pass nothing on. All are shorter runs than the main ones.

# %%
# needs: zoo, vit_middle_skipless
ablated = book.cast(
    "vit_data_1000", "vit_early_skipless", "vit_middle_skipless",
    "vit_late_skipless", "resnet_short", "resnet_skipless",
)  # fmt: skip
cards = {c.label: c for c in models.cards(book.tier).values() if c.label in ablated}
made = {n: c.made.factors for n, c in cards.items() if c.made.study == "skips"}
similar = {n: sweep({n: m}, images, "all") for n, m in ablated.items()}
entrance = {
    n: maps.entrance(similar[n].networks[n], layers(ablated[n])[factors["block"]])
    for n, factors in made.items()
}

# %% mystnb={"figure": {"name": "fig-partition", "caption": "CKA between all layers of networks trained with all skip connections, or without those of one block (white lines: where that block begins). Last two panels: a ResNet with and without the skip connection of one block. Seed 0."}, "image": {"alt": "Heat maps of CKA between all layers: a ViT with all skips, ViTs without the skips of an early, a middle and a late block, and a ResNet with and without the skip of one block. White lines mark where the changed block begins."}} tags=["hide-input"]
# needs: zoo, vit_middle_skipless
shown = book.shown(ablated, *dict.fromkeys(n.rpartition("-")[0] for n in ablated))
columns = -(-len(shown) // 2)
fig, axes = plt.subplots(2, columns, figsize=(3.3 * columns, 6.2), squeeze=False)
for ax, name in zip(axes.flat, shown):
    m = similar[name].block(name)
    plots.similarity_map(ax, m, plots.label(name), rows="tap", columns="tap")
    if name in entrance:
        ax.axvline(entrance[name] - 0.5, color="white", lw=1.2)
        ax.axhline(entrance[name] - 0.5, color="white", lw=1.2)
for ax in axes.flat[len(shown) :]:
    ax.set_axis_off()
book.sign(fig, [0])

# %% [markdown]
# Accuracy of these networks on the test split, what it costs to lose the skips of one block, in points, and how much the contrast across the entrance of that block (mean CKA of taps on the same side,
# minus of taps on different sides) exceeds that of the twin. Do the sharpest cut and the highest price go together? And does the ResNet's contrast rise as much? Its block without a skip is the last of the second
# stage: another relative depth than that of the ViT's middle block.

# %%
# needs: zoo, vit_middle_skipless
twin = {n: f"{f['twin']}-{cards[n].seed}" for n, f in made.items()}


def contrast(name, at):
    return maps.split(similar[name].block(name).to_numpy(), at)


rows = {n: {"accuracy": cards[n].accuracy} for n in ablated}
for n, at in entrance.items():
    whole, cut = cards[twin[n]], cards[n]
    rows[n]["cost in points"] = 100 * (whole.accuracy - cut.accuracy)
    rows[n]["rise of the contrast"] = contrast(n, at) - contrast(twin[n], at)
pd.DataFrame({plots.label(n, seed=True): r for n, r in rows.items()}).T.round(3)

# %% [markdown]
# ## Four claims, decided

# %%
per_sum = {name: residual.by_sum(found) for name, found in sums.items()}
FOUND = {
    "R21-15": (ratios, ["vit_cls"], residual.two_phases),
    "R21-16": (per_sum, ["vit_cls", "resnet"], ratio),
}
for claim, (measured, roles, f) in FOUND.items():
    seeds = [
        bootstrap(f, *(measured[name] for name in names))
        for names in book.pairs(*roles, among=measured)
    ]
    book.decide(claim, seeds, images=len(images))

# %% [markdown]
# For the partition, both networks are listened to at the same taps; the boundary is the entrance of the changed block. The
# first tap behind it, norm 1, still sees only the old stream, which makes the contrast a little too small.

# %%
# needs: zoo, vit_middle_skipless
test = book.images(2000, seed=0, batch_size=125)
twins = book.pairs("vit_data_1000", "vit_middle_skipless")


def across(name, at):
    return similar[name].bootstrap(lambda m: maps.split(m, at))


def accuracy(name):
    right = evaluate.predict(ablated[name], test) == test.labels
    return batched(right.double().numpy(), len(test) // test.batch_size)


rise = [across(s, entrance[s]).minus(across(w, entrance[s])) for w, s in twins]
cost = [bootstrap(residual.price, accuracy(w), accuracy(s)) for w, s in twins]
for claim, seeds, asked in (("R21-17", rise, images), ("R21-18", cost, test)):
    book.decide(claim, seeds, images=len(asked))

# %%
book.table()

# %% tags=["hide-input"]
kept = {
    label: {k: np.round(v, 3).tolist() for k, v in c.items()}
    for label, c in curves.items()
}
book.keep(lines=kept)

# %% [markdown]
# ## The same on natural images
#
# The ResNet of CIFAR-10 is wider than that of Scenes, and was trained longer, with other rates and augmentation ({ref}`sec-data`).

# %%
recorded = book.recorded("lines")

# %% mystnb={"figure": {"name": "fig-recorded-ratio", "caption": "Recorded at other tiers, one row each: norm ratio and cosine by relative depth."}, "image": {"alt": "Rows of two line plots recorded at other tiers, against relative depth: norm ratio of skip to branch, and their cosine, for the ViT's attention and MLP and for the ResNet."}} tags=["hide-input"]
# needs: any recorded
fig, axes = plt.subplots(
    len(recorded), 2, figsize=(9.4, 3.4 * len(recorded)), squeeze=False
)
for row, (other, sections) in zip(axes, recorded):
    plot_lines(row, sections["lines"])
    row[0].set_title(other.title)
book.sign(fig, recorded=recorded)

# %%
book.tables(recorded)

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
# from seelike import data
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
