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
# *Reading: 12 minutes. Running: {seconds}`06` on two cores. Before this: {ref}`sec-erf`.*
#
# :::{finding} R21-17 summary holds; R21-17 beyond_control yes; R21-17 robust 12 of 12; R21-18 summary open; R21-16 direction holds; R21-16 beyond_control no
# :title: What we found
# **Train a ViT without the {term}`skip connections <skip connection>` of a middle block, and the layers before that block have little in common with those behind it**
# ({claim}`R21-17`). A ResNet without one skip connection is divided far less. **The cut and its price are two things:** without the skips of a late block the network is
# divided as sharply as without those of a middle one, and loses no accuracy (one network); what the middle cut costs differs from seed to seed ({claim}`R21-18`). In a ViT,
# skip connections outweigh branches by more than in a ResNet ({claim}`R21-16`), but that is so before training, too.
# :::
#
# ## The question
#
# ViTs and ResNets both add each block's output to its input. {cite:t}`raghu2021` (Figs 7, 8, E.1 and E.2) ask how much of the sum is
# input. In a ViT, they find, much more than in a ResNet. In the lower half the skip connection carries the {term}`class token`; in the upper
# half, the patches. And a ViT trained without the skip connections of one {term}`block` falls into two parts that are unlike each other.
#
# This matters beyond the two families. What a branch adds is what a block computed; what the skip connection carries is what it left as it was. The ratio of the two says
# where a network works.

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
# A residual sum is $z + f(z)$: what came along the {term}`residual stream`, and what the branch adds. At every position we take the {term}`norm ratio` and the cosine,
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
# The rows of the table are networks, its columns the four parts of the claim; a part above 0 is as the paper has it. The class token's path through the MLP is as the paper
# says in the lower half. In attention the patches' skip connections outweigh the class token's in both halves.
#
# ## By depth
#
# :::{guess} Whose norm ratio is larger before any training, when weights are as they were drawn?
# - The ViT's, by more than after training.
# - The ViT's, by less than after training.
# - The ResNet's.
# - Neither: training makes the difference.
# :::
#
# The cosine tells more. Above 0 a branch strengthens what is there, near 0 it adds something new, below 0 it takes something away. There are two cosines to choose from: of
# $z$ and the branch $f(z)$, as above, and of $z$ and the *sum* $z + f(z)$. The second says how far the stream turns at one step.

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
# :::{finding} R21-16 direction holds; R21-16 beyond_control no
# :title: Answer
# The ViT's, by far more than after training. Initial weights of a ViT are small, so its branches add little at first. Training makes them add more, and brings the two families together.
# :::
#
# ## Without the skips of one block
#
# Three kinds of ViT were trained from scratch with both skip connections of one block taken out: an early, a middle or a late one (blocks 1, 4 and 6, counted from 0).
# Their twin has all skips and saw the same images. The middle one has three {term}`seeds <seed>`, as has the twin; the others have one. The paper has no such control for
# convolutional networks; we add a ResNet with the skip connection of one block removed, beside its own twin. The last norm of that block starts at one instead of zero,
# otherwise it would pass nothing on. All are shorter runs than the main ones.
#
# :::{guess} Three ViTs are trained without the skips of an early, a middle and a late block. Which loses the most accuracy, and which is divided most sharply?
# - The early cut does both: everything above it has to live with what it lets through.
# - The middle cut does both: it leaves the two halves most room to differ.
# - The late cut does both: the answer is made there.
# - One cut costs the most, and another divides the most sharply.
# :::

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
# Two numbers say how sharp a cut is and what it costs. The *rise of the contrast*: mean {term}`CKA` of {term}`taps <tap>` on the same side of the changed block's entrance
# minus that of taps on different sides, compared with the twin. The *cost*: points of test accuracy lost, compared with the twin.

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
# :::{finding} R21-17 summary holds; R21-17 robust 12 of 12; R21-18 summary open
# :title: Answer
# The sharpest cut and the highest price do not go together. Without the skips of the early block the ViT loses the most and is divided the least. Without those of the late
# block it is divided as sharply as without those of the middle one, at no cost. What the middle cut costs depends on the seed. The ResNet is divided least of all, and
# still pays.
# :::
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
# Every dot is another reasonable way to ask the same question: other measures, tokens, taps and networks. In {numref}`fig-panel-r21-17`, compare the marks of the early,
# the middle and the late block.

# %% mystnb={"figure": {"name": "fig-panel-r21-16", "caption": "Mean norm ratio, ViT over ResNet, in other analyses. Dotted: equal ratios. Band: the chapter's number."}, "image": {"alt": "Specification curve: sorted estimates with intervals of the ViT's norm ratio over the ResNet's, above rows of marks that say which measure, tokens and networks made each."}} tags=["hide-input"]
book.panel("R21-16")

# %% mystnb={"figure": {"name": "fig-panel-r21-17", "caption": "Rise of the contrast across a block without skips in other analyses. Dotted: no rise. Band: the chapter's number."}, "image": {"alt": "Specification curve: sorted estimates with intervals of the rise of the contrast, above rows of marks that say which view, taps and block made each."}} tags=["hide-input"]
book.panel("R21-17")

# %% [markdown]
# ## The same on natural images
#
# Tiny ImageNet is photographs at the size and patch of Scenes, with one network of a kind. The ResNets there and of CIFAR-10 are wider than that of Scenes, and learned at
# other rates and with other augmentation ({ref}`sec-data`).

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
# ### What we found
#
# :::{finding} R21-17 summary holds; R21-17 beyond_control yes; R21-17 robust 12 of 12; R21-18 summary open
# :title: A block without skips divides a ViT, wherever it stands
# Rise of the contrast across the middle block: {claim}`R21-17`. Every other view, choice of taps and block finds a rise as well ({numref}`fig-panel-r21-17`). In the ResNet
# it rises by far less, so that the cut is no general effect of a missing skip connection. **A late cut was free in the one network that has it:** it divides as sharply as the middle one, and
# the network is no less accurate than its twin ({numref}`fig-price`). Points of accuracy that the middle cut costs: {claim}`R21-18`; two seeds lose much, the third hardly
# anything.
# :::
#
# :::{finding} R21-16 direction holds; R21-16 beyond_control no; R21-16 @ cifar10 direction holds; R21-16 @ cifar10 beyond_control no; R21-16 @ tiny direction holds; R21-16 @ tiny beyond_control no
# :title: Skip connections outweigh branches more in a ViT, by birth
# Norm ratio, ViT over ResNet: {claim}`R21-16` on Scenes, {claim}`R21-16 @ tiny` on photographs, {claim}`R21-16 @ cifar10` on CIFAR-10. For untrained networks the factor is far larger. The order of the families
# comes with their architecture and initial weights.
# :::
#
# :::{finding} R21-15 summary holds in part; R21-15 low > 0; R21-15 beyond_control yes; R21-15 @ cifar10 low > 0; R21-15 @ tiny low > 0
# :title: One of the paper's two phases is learned, and it is in the MLP
# In the lower half, the skip connection around the MLP carries the class token more than the patches: log ratio, class token minus patches, {claim}`R21-15` on Scenes, {claim}`R21-15 @ tiny` on photographs,
# {claim}`R21-15 @ cifar10` on CIFAR-10; untrained, it is the other way round. Attention and MLP do different things ({numref}`fig-phases`), and an average over both hides
# what each does.
# :::
#
# ### Why
#
# *Explanation.* With all skips, every layer reads and writes one sum. A part of what an early layer wrote is still there at the top, and CKA sees it. A block without skips
# passes on only what its branches make of the stream, and nothing forces them to keep its geometry.
#
# *Conjecture.* A late cut is free because little has to pass: by then the class token holds most of the answer ({numref}`fig-data-probes`). An early cut is dear because
# the whole image has to pass through one attention and one MLP. Why seeds of the middle cut differ so much we do not know.
#
# ### The paper and we
#
# {cite:t}`raghu2021` report 4 points for a middle block, and the same division in two. They also see the change of phase mostly in the MLP (their Fig. E.1). Beside their comparison of
# trained networks we put untrained ones, and beside the ViT without skips a ResNet, with the price of every cut. We know their Fig. E.2 second hand only: its axis is said
# to run from 0.6 to 1. The cosine of skip and branch takes both signs in our ViTs and does not fit on that axis; the cosine of skip and sum does. We could not check which
# of the two the paper plots.
#
# ### What would change our mind
#
# Fresh seeds of the late cut that lose several points: then the late cut would be no cheaper than the middle one. A ViT with a cut that has trained until it is as accurate
# as its twin, and whose two parts have become alike: then the division would be a sign of a run that is too short. Untrained ViTs whose initial weights are scaled up until
# their norm ratio is the ResNet's, and whose trained ratio still ends above it: then training, too, would tell the families apart.
#
# ## What this tier cannot decide
#
# :::{admonition} Caveats of this chapter
# - One block of eight is an eighth of the network; in the paper it is one of twelve. Early, late and ResNet cut are one network each, and the ResNet's is the last block of
#   its second stage, at another relative depth than the ViT's middle block.
# - Networks without skips were trained with the recipe of the others; another rate might suit them better. Their claims were decided on the seeds on which the rules were
#   explored, since there are no others. CIFAR-10 has no such networks, so claims 17 and
#   18 are not run there.
# - Norm ratios of the two families are not quite one thing. A ResNet has one sum a block, whose branch ends in a BatchNorm, and a ReLU follows every sum, so that an
#   identity skip connection carries nothing negative; a ViT has two sums, whose branches end in a bare linear
#   layer. In the untrained ResNet we set the last norm of each branch to one; training starts it at zero, where the ratio has no bound.
# :::
#
# ## Quiz
#
# :::{quiz} Skip and branch have equal norms, and the cosine between them is -1. What does the block pass on?
# - [ ] Twice what came in. ~ That is a cosine of 1.
# - [x] Nothing: the branch takes away all that the skip connection carries. ~ Equal length and opposite direction sum to zero, and the norm ratio alone, which is 1, does not show it.
# - [ ] What came in, turned by a right angle. ~ A right angle between skip and branch is a cosine of 0, and leaves a sum longer than either.
# :::
#
# :::{quiz} A norm ratio of 8 at some block. What may we conclude?
# - [ ] The block is useless and can be removed. ~ A short vector may decide the answer; what a block is worth is measured by removing it.
# - [ ] The block was trained badly. ~ Initial weights, norms and the length of the stream all move the ratio.
# - [x] At this sum, what came in is eight times as long as what the branch adds. ~ It is a statement about lengths, and about no more.
# :::
#
# :::{quiz} Why do we average the logarithm of the ratio when we compare class token and patches?
# - [x] Ratios have a long tail, and a few huge ones would decide the plain mean. ~ The mean of logarithms is the geometric mean, which no single large ratio rules.
# - [ ] Logarithms turn a ratio into a probability. ~ They turn it into a number that may have any sign.
# - [ ] Norms are never larger than 1. ~ They are not bounded at all.
# :::
#
# :::{quiz} The contrast across a block without skips is high. Why do we subtract the contrast that the twin has at the same place?
# - [ ] To correct for the twin's higher accuracy. ~ Accuracy does not enter the contrast; it enters the cost.
# - [x] In any network near layers are more alike than far ones, so that every place has some contrast. ~ Only the rise beyond the twin's can be laid to the missing skips.
# - [ ] Because CKA can be negative. ~ A shift of both would not matter for that.
# :::
#
# :::{quiz} Removing the skips of one block from a *trained* network wrecks it. Does that show that the network could not have done without them?
# - [ ] Yes: what is removed was needed. ~ It was needed by these weights, which were learned with the skips in place.
# - [ ] Yes, if all blocks behave so. ~ All blocks of one set of weights share one history.
# - [x] No: a network that trains without them may find other weights. ~ This is why the networks of this chapter were trained from scratch without the skips.
# :::
#
# ## Exercises
#
# :::{exercise} Warm-up: equal and orthogonal (3 minutes)
# :label: ex-orthogonal
# Skip and branch have the same norm and are orthogonal. How long is their sum?
# :::
#
# :::{solution} ex-orthogonal
# :class: dropdown
# By Pythagoras $\sqrt 2$ times as long as either: the stream grows by this factor with every such sum.
# :::
#
# :::{exercise} Code: take the skips out afterwards (10 minutes)
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
# :::{exercise} Open: scale instead of remove (2 hours, most of it training)
# :label: ex-scale
# Multiply the skip connection by a number between 0 and 1 during training. Does the cut appear gradually or at once?
# :::
#
# :::{solution} ex-scale
# :class: dropdown
# Not run here. A plan: five factors from 0 to 1, two seeds each, all else as in the short runs; plot the rise of the contrast and the cost against the factor. A contrast
# that rises with every step speaks for a stream that is thinned out; one that stays low until the factor is nearly 0 says that a trace of the stream is enough.
# :::
