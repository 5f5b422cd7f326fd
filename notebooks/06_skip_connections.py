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
#
# *Guess:* take the skip connections out of an early, a middle or a late block. Which cut divides the network most sharply, and which costs
# the most accuracy?

# %% tags=["parameters"]
tier = "scenes"
n_images = 512

# %% tags=["hide-input"]
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm

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
# \rho = \frac{\lVert z \rVert}{\lVert f(z) \rVert} , \qquad \cos\theta = \frac{z \cdot f(z)}{\lVert z \rVert \, \lVert f(z) \rVert} .
# $$ (eq-norm-ratio)
#
# Above 1, the skip connection outweighs the branch. A ViT block has two such sums, one for attention and one for the MLP; a ResNet block has
# one. Where a shortcut of the ResNet is a projection, $z$ is its output.
#
# Ratios have a long tail, and their mean follows the few largest. To compare two kinds of token in one network we average $\log \rho$.

# %%
images = book.images(n_images, seed=6, batch_size=64)
cast = book.cast("vit_cls", "resnet", untrained=("vit_cls", "resnet"))
sums = book.measured(lambda model: residual.residuals(model, images), cast)
vits = {name: found for name, found in sums.items() if "vit_cls" in name}
logs = book.measured(lambda found: residual.by_token(found, "log"), vits)
trained = [name for (name,) in book.pairs("vit_cls", among=logs)]

# %% mystnb={"figure": {"name": "fig-token-ratio", "caption": "ViT: norm ratio of the class token (left column of each pair) and of all patches, row by row of the image, by block; geometric mean over images and seeds. One logarithmic colour scale: the brighter, the more the skip connection weighs. Top to bottom: attention, MLP, mean of both."}, "image": {"alt": "Three pairs of heat maps with blocks upwards: a narrow one for the class token and a wide one for all patches, for attention, MLP and their mean. In each pair, compare the narrow column with the wide map beside it."}} tags=["hide-input"]
# needs: vit_cls, any trained
mean = np.mean([logs[name].mean(0) for name in trained], 0)
by_branch = {"attention": mean[0::2], "MLP": mean[1::2]}
by_branch["mean of both"] = (by_branch["attention"] + by_branch["MLP"]) / 2
ends = [np.exp(f([m[1:] for m in by_branch.values()])) for f in (np.min, np.max)]
fig, axes = plt.subplots(
    3, 2, figsize=(6.4, 5.2), width_ratios=[1, 14], sharey=True
)
for (token, patches), (title, m) in zip(axes, by_branch.items()):
    for ax, part in ((token, m[:, :1]), (patches, m[:, 1:])):
        shown_map = ax.imshow(
            np.exp(part),
            norm=LogNorm(*ends),
            cmap=plots.MAP,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
        )
    token.set(ylabel="block", xticks=[])
    patches.set_title(title, fontsize=10, loc="left", pad=3)
axes[-1, 0].set_xlabel("class\ntoken", fontsize=9)
axes[-1, 1].set_xlabel("patch")
bar = fig.colorbar(shown_map, ax=axes, shrink=0.6, label="norm ratio")
bar.ax.yaxis.set_major_formatter("{x:g}")
bar.ax.yaxis.set_minor_formatter("{x:g}")
book.sign(fig)

# %% [markdown]
# The same as differences, seed by seed. If the paper's two phases are there, all lines run through the shaded fields: the class token leads in the lower half, the
# patches in the upper half. Two blocks are in neither half. In the first, the class token that arrives at attention is the same for every image, so the skip connection carries
# nothing about the image. In the last, nothing reads the patches ({ref}`sec-attention`).

# %% mystnb={"figure": {"name": "fig-phases", "caption": "ViT: log norm ratio of the class token minus that of the patches, by block, for attention and for the MLP; a line a seed. Above 0 the skip connection weighs more for the class token. Shaded: where the paper's two phases lie. Dashed: untrained."}, "image": {"alt": "Two line plots against block, attention and MLP, with a line a seed. Shaded rectangles lie above zero in the lower half and below zero in the upper half. Attention's lines run just below zero throughout. The MLP's lines start above zero and fall towards zero in the upper half. A dashed line for the untrained network lies far below."}} tags=["hide-input"]
# needs: vit_cls, any trained
leads = {name: residual.leads(z.mean(0)) for name, z in logs.items()}
fig, axes = plt.subplots(1, 2, figsize=(8.2, 3.3), sharey=True)
low = 1.1 * min(lead[b][1:-1].min() for lead in leads.values() for b in lead)
high = 1.25 * max(lead[b][1:-1].max() for lead in leads.values() for b in lead)
for ax, branch in zip(axes, ("attention", "MLP")):
    for name, lead in leads.items():
        style = "o-" if name in trained else "--"
        inner = np.arange(1, len(lead[branch]) - 1)
        ax.plot(
            inner, lead[branch][1:-1], style, color=plots.colour(name), ms=4, lw=1.5
        )
    half, last = len(inner) // 2, inner[-1]
    ax.fill_between([0.6, half + 0.4], 0, high, color=plots.INK, alpha=0.1, lw=0)
    ax.fill_between(
        [last - half + 0.6, last + 0.4], low, 0, color=plots.INK, alpha=0.1, lw=0
    )
    ax.axhline(0, color=plots.INK, lw=0.8)
    ax.set(title=branch, xlabel="block", ylim=(low, high), xticks=inner)
    if "untrained vit_cls" in leads:
        y = leads["untrained vit_cls"][branch][-2]
        ax.annotate("untrained", (last, y), (0, 5), textcoords="offset points", ha="right", fontsize=9)  # fmt: skip
axes[0].set_ylabel("log ratio,\nclass token minus patches")
book.sign(fig)


# %% tags=["hide-input"]
# needs: vit_cls, any trained
def phases(name):
    """The four parts of the claim for one network."""
    return {
        part: bootstrap(
            partial(residual.phase, branch=branch, half=half), logs[name]
        )
        for part, (branch, half) in residual.PHASES.items()
    }


table = {plots.label(n, seed=True): phases(n) for n in logs}
pd.DataFrame(
    {n: {p: r.value for p, r in t.items()} for n, t in table.items()}
).T.round(2)

# %% [markdown]
# ## By depth
#
# The cosine tells more. Above 0 a branch strengthens what is there, near 0 it adds something new, below 0 it takes something away. There are two cosines to choose from: of $z$ and the branch
# $f(z)$, as above, and of $z$ and the *sum* $z + f(z)$. The second says how far the stream turns at one step.

# %%
curves = {}
for role in dict.fromkeys(
    n.rpartition("-")[0] for n in sums if "untrained" not in n
):
    starts = [residual.lines(sums[n]) for n in sums if n.rpartition("-")[0] == role]
    for line, measures in starts[0].items():
        label = line if role == "vit_cls" else f"{plots.label(role)} {line}"
        curves[label] = {
            of: np.mean([start[line][of] for start in starts], 0).tolist()
            for of in measures
        }

# %% tags=["hide-input"]
BRANCHES = {"attention": plots.COLOURS["vit_cls"], "MLP": "#56b4e9"}
OTHERS = [plots.COLOURS[kind] for kind in ("resnet", "vit_gap", "mixer")]
AXES = {"ratio": "norm ratio", "cosine": "cosine, skip and branch", "along": "cosine, skip and sum"}  # fmt: skip


def plot_lines(axes, curves):
    """Norm ratio and cosines by relative depth; branches of the ViT and other networks each in a colour."""
    others = [c for c in curves if c.partition(",")[0] not in BRANCHES]
    colours = {c: OTHERS[i % len(OTHERS)] for i, c in enumerate(others)}
    for label, curve in curves.items():
        look = {
            "color": colours.get(label) or BRANCHES[label.partition(",")[0]],
            "marker": "s" if label in colours else "o",
            "ls": "--" if "class" in label else "-",
        }
        for ax, of in zip(axes, AXES):
            if of in curve:
                x = np.linspace(0, 1, len(curve[of]))
                ax.plot(x, curve[of], ms=4, label=label, **look)
    for ax, (of, title) in zip(axes, AXES.items()):
        ax.set(xlabel="depth", ylabel=title)
        if of != "along":
            ax.axhline(of == "ratio", color=plots.INK, lw=0.8)
    axes[0].set_yscale("log", base=2)
    axes[0].yaxis.set_major_formatter("{x:g}")


# %% mystnb={"figure": {"name": "fig-norm-ratio", "caption": "Norm ratio (logarithmic axis), cosine of skip and branch, and cosine of skip and sum, by relative depth; mean over seeds. Solid: patches (ViT) and positions (ResNet). Dashed: class token. The horizontal lines mark equal norms, and orthogonal vectors."}, "image": {"alt": "Three line plots against relative depth: norm ratio of skip to branch, cosine of skip and branch, and cosine of skip and sum. Lines for attention and MLP, each for patches and class token, and for the ResNet."}} tags=["hide-input"]
# needs: any curves
fig, axes = plt.subplots(1, 3, figsize=(10.4, 3.7))
plot_lines(axes, curves)
fig.legend(
    *axes[0].get_legend_handles_labels(),
    loc="outside upper center",
    ncols=3,
    fontsize=9,
)
book.sign(fig)

# %% [markdown]
# Averaged over everything, with untrained networks as controls:

# %%
# needs: any sums
MEASURES = {"norm ratio": "ratio", "cosine, skip and branch": "cosine", "cosine, skip and sum": "along"}  # fmt: skip
pd.DataFrame(
    {
        plots.label(name, seed=True): {
            title: residual.by_sum(found, of).mean()
            for title, of in MEASURES.items()
        }
        for name, found in sums.items()
    }
).T.round(2)

# %% [markdown]
# Two things make the families hard to compare. A ResNet has one sum a block, whose branch ends in a BatchNorm; a ViT has two, whose branches end in a bare linear layer. And in a ResNet like ours a ReLU
# follows every sum, so an identity skip connection carries nothing negative. Initial weights matter as well. The untrained ViT has small ones, hence weak branches and a large ratio. In the untrained ResNet we set the last norm
# of each branch to one; training starts it at zero, where the ratio has no bound.
#
# ## Without the skips of one block
#
# Three kinds of ViT were trained from scratch with both skip connections of one block taken out: an early, a middle or a late one (blocks 1, 4 and 6, counted from 0). Their twin has all skips and
# saw the same images. The middle one has three starts, as has the twin; the others have one. The paper has no such control for convolutional networks; we add a ResNet with the skip connection of one block removed,
# beside its own twin. The last norm of that block starts at one instead of zero, otherwise it would pass nothing on. All are shorter runs than the main ones.

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

# %% mystnb={"figure": {"name": "fig-partition", "caption": "CKA between all layers of networks trained with all skip connections, or without those of one block (white lines: where that block begins). Last two panels: a ResNet with and without the skip connection of one block. One seed of each."}, "image": {"alt": "Heat maps of CKA between all layers. The ViT with all skips is bright nearly everywhere; the ViTs without the skips of a middle or a late block are bright on either side of the white lines and dark across them; with an early block they are green. In the ResNet the lines divide little."}} tags=["hide-input"]
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
# Two numbers say how sharp a cut is and what it costs. The *rise of the contrast*: mean CKA of taps on the same side of the changed block's entrance minus that of taps on different sides, compared with
# the twin. The *cost*: points of test accuracy lost, compared with the twin.

# %%
# needs: zoo, vit_middle_skipless
twin = {n: f"{f['twin']}-{cards[n].seed}" for n, f in made.items()}


def contrast(name, at):
    return maps.split(similar[name].block(name).to_numpy(), at)


rows = {}
for n, at in entrance.items():
    whole, cut = cards[twin[n]].accuracy, cards[n].accuracy
    rows[n] = {
        "accuracy of the twin": whole,
        "accuracy": cut,
        "cost in points": residual.price(whole, cut),
        "rise of the contrast": contrast(n, at) - contrast(twin[n], at),
    }
cuts = pd.DataFrame({plots.label(n, seed=True): r for n, r in rows.items()}).T
cuts.round(2)

# %% mystnb={"figure": {"name": "fig-price", "caption": "What it costs to train without the skips of one block, against how sharply this cuts the network in two; a dot a start. To the right: sharper. Upwards: dearer."}, "image": {"alt": "Scatter plot of cost in points of accuracy against rise of the contrast. The early block costs most and cuts little; the late block cuts as sharply as the middle one and costs nothing; the three starts of the middle block lie far apart in cost; the ResNet hardly divides."}} tags=["hide-input"]
# needs: zoo, vit_middle_skipless
fig, ax = plt.subplots(figsize=(5.6, 3.6))
several = [n for n in rows if f"{n.rpartition('-')[0]}-1" in rows]
for n, r in rows.items():
    colour = plots.COLOURS["resnet" if n.startswith("resnet") else "vit_cls"]
    x, y = r["rise of the contrast"], r["cost in points"]
    ax.plot(x, y, "o", color=colour, ms=7)
    name = plots.label(n, seed=n in several).removeprefix("ViT, ")
    left = n in several[::2]
    ax.annotate(
        name.replace(" skipless", ""),
        (x, y),
        xytext=(-8 if left else 8, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        fontsize=9,
        color=colour,
    )
ax.axhline(0, color=plots.INK, lw=0.8)
ax.margins(x=0.45, y=0.15)
ax.set(xlabel="rise of the contrast (CKA)", ylabel="cost in points")
book.sign(fig, sorted({cards[n].seed for n in rows}))

# %% [markdown]
# *Answer:* the sharpest cut and the highest price do not go together. Without the skips of the early block the ViT loses the most and is divided the least. Without those of the late block it is divided as sharply as
# without those of the middle one, at no cost. What the middle cut costs depends on the start. In the ResNet the contrast hardly rises; its block without a skip is the last of the second stage,
# at another relative depth than the ViT's middle block. Early and late block are one start each.
#
# ## Four claims, decided

# %%
# needs: vit_cls, any trained
found = [phases(name) for name in trained]
first = next(iter(residual.PHASES))
parts = {part: [each[part] for each in found] for part in residual.PHASES}
control = [phases(n)[first] for n in logs if n.startswith("untrained")]
told = book.decide("R21-15", parts, images=len(images), control=control)

# %%
per_sum = {name: residual.by_sum(found) for name, found in sums.items()}
pairs = book.pairs("vit_cls", "resnet", among=per_sum)
untrained = [
    (v, r)
    for v, r in [("untrained vit_cls", "untrained resnet")]
    if {v, r} <= {*sums}
]
over = [[bootstrap(ratio, per_sum[v], per_sum[r]) for v, r in p] for p in (pairs, untrained)]  # fmt: skip
told = book.decide("R21-16", over[0], control=over[1], images=len(images))

# %% [markdown]
# For the partition, both networks are listened to at the same taps; the boundary is the entrance of the changed block. The
# first tap behind it, norm 1, still sees only the old stream, which makes the contrast a little too small.

# %%
# needs: zoo, vit_middle_skipless
twins = book.pairs("vit_data_1000", "vit_middle_skipless")


def rise(whole, cut):
    across = [
        similar[n].bootstrap(lambda m: maps.split(m, entrance[cut]))
        for n in (cut, whole)
    ]
    return across[0].minus(across[1])


others = [rise(twin[n], n) for n in made if n.startswith("resnet")]
told = book.decide(
    "R21-17", [rise(*t) for t in twins], images=len(images), control=others[:1]
)


# %%
# needs: zoo, vit_middle_skipless
test = book.images(2000, seed=0, batch_size=125)


def accuracy(name):
    right = evaluate.predict(ablated[name], test) == test.labels
    return batched(right.double().numpy(), len(test) // test.batch_size)


costs = [bootstrap(residual.price, accuracy(w), accuracy(s)) for w, s in twins]
told = book.decide("R21-18", costs, images=len(test))

# %%
book.table()

# %% tags=["hide-input"]
kept = {
    label: {k: np.round(v, 3).tolist() for k, v in c.items()}
    for label, c in curves.items()
}
book.keep(lines=kept)

# %% [markdown]
# ## How much does the analysis matter?
#
# Every dot is another reasonable way to ask the same question: other measures, tokens, taps and networks.

# %% mystnb={"figure": {"name": "fig-panel-r21-16", "caption": "Mean norm ratio, ViT over ResNet, in other analyses. Dotted: equal ratios. Band: the chapter's number."}, "image": {"alt": "Specification curve: sorted estimates with intervals of the ViT's norm ratio over the ResNet's, above rows of marks that say which measure, tokens and networks made each."}} tags=["hide-input"]
book.panel("R21-16")

# %% mystnb={"figure": {"name": "fig-panel-r21-17", "caption": "Rise of the contrast across a block without skips in other analyses. Dotted: no rise. Band: the chapter's number."}, "image": {"alt": "Specification curve: sorted estimates with intervals of the rise of the contrast, above rows of marks that say which view, taps and block made each."}} tags=["hide-input"]
book.panel("R21-17")

# %% [markdown]
# ## The same on natural images
#
# The ResNet of CIFAR-10 is wider than that of Scenes, and was trained longer, with other rates and augmentation ({ref}`sec-data`).

# %%
recorded = book.recorded("lines")

# %% mystnb={"figure": {"name": "fig-recorded-ratio", "caption": "Recorded at other tiers, one row each: norm ratio and cosines by relative depth."}, "image": {"alt": "Rows of line plots recorded at other tiers, against relative depth: norm ratio of skip to branch, and cosines, for the ViT's attention and MLP and for the ResNet."}} tags=["hide-input"]
# needs: any recorded
drawn = [of for of in AXES if any(of in c for r in recorded for c in r.sections["lines"].values())]  # fmt: skip
fig, axes = plt.subplots(
    len(recorded), len(drawn), figsize=(3.5 * len(drawn) + 1.5, 3.5 * len(recorded)), squeeze=False
)  # fmt: skip
for row, other in zip(axes, recorded):
    plot_lines(row, other.sections["lines"])
    row[0].set_title(other.tier.title, loc="left")
    filled = [ax for ax in row if len(ax.lines) > 1]  # a line at 0 is no curve
    for ax in row:
        ax.set_visible(ax in filled)
    filled[-1].legend(
        *row[0].get_legend_handles_labels(),
        loc="upper left",
        bbox_to_anchor=(1, 1),
        fontsize=8.5,
    )
book.sign(fig, recorded=recorded)

# %%
book.tables(recorded)

# %% [markdown]
# ## What it means
#
# **In the MLP, the skip connection carries the class token through the lower half.** Log ratio, class token minus patches: {claim}`R21-15` on Scenes, {claim}`R21-15 @ cifar10` on CIFAR-10. The paper's Fig. E.1 also sees the change mostly in the
# MLP. The other three parts of the claim stand in the table under {numref}`fig-phases`: attention and MLP do different things, and an average over both hides what each does. The untrained network has one phase
# only, because its class token starts small.
#
# **A ViT's skip connections outweigh its branches more than a ResNet's do.** Norm ratio, ViT over ResNet: {claim}`R21-16`, {claim}`R21-16 @ cifar10`. For untrained networks the factor is far larger. So the order of the families comes with
# their architecture and initial weights, and training brings them together.
#
# **Which cosine does the paper draw?** We know its Fig. E.2 second hand only: its axis is said to run from 0.6 to 1. The cosine of skip and branch takes both signs in our ViTs and does not fit on that axis. The cosine of skip and sum does. We
# could not check which of the two the paper plots.
#
# **A block without skips cuts a ViT in two.** Rise of the contrast across the middle block: {claim}`R21-17`. In the ResNet it rises by far less, so that the cut is no general effect of a missing skip connection.
#
# **The price is not the cut's.** Points of accuracy that the middle cut costs: {claim}`R21-18`; the paper reports 4. {numref}`fig-price` shows how far starts lie apart, and that a cut as sharp in a late block is free.
#
# ## What this tier cannot decide
#
# One block of eight is an eighth of the network; in the paper it is one of twelve. Networks without skips were trained with
# the recipe of the others; another rate might suit them better. Their claims were decided on the starts on which the rules were explored, since there are no others. CIFAR-10 has no such networks, so claims 17 and 18 are not run there.
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
# from seelike import checks, data
#
# test, mine = data.load(tier, "test", 500), {}
# for block in range(8):
#     model = residual.remove_skips(models.load("vit_cls", tier), [block])
#     mine[block] = (evaluate.predict(model, test) == test.labels).float().mean().item()
# print(mine)
# checks.check_afterwards(mine, tier, test)
# ```
#
# This asks another question than the figure: these weights were learned with the skips in place.
# ::::
#
# :::{exercise} Open: scale instead of remove
# :label: ex-scale
# Multiply the skip connection by a number between 0 and 1 during training. Does the cut appear gradually or at once?
# :::
