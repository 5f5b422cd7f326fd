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
# (sec-scale)=
# # Scale: more data, larger models
#
# **You will learn** which layers little data already teaches, how to compare what layers make easy to read, and why two networks from the
# same starting weights need a control.
#
# *Reading: 9 minutes. Running: {seconds}`08` on two cores. Before this: {ref}`sec-localization`.*
#
# ## The question
#
# {cite:t}`raghu2021` had 300 million images, and could take some away. With a tenth of them or less, they find, a ViT's lower layers become what
# they would have become anyway; higher layers, and larger models, need more (Fig. 12). Linear probes say the same: pre-training on more data gives better
# features already in the middle of the network, and large ViTs have better ones there than ResNets (Figs 13, F.1 and F.2).

# %% tags=["parameters"]
tier = "scenes"
n_images = 1024

# %% tags=["hide-input"]
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seelike import capture, data, maps, models, plots, probes, project, tiers
from seelike.chapter import Chapter
from seelike.cka import sweep
from seelike.intervals import bootstrap, combine

book = Chapter("08", tier)
home = tiers.get(project.DEFAULT)

# %% [markdown]
# ## Method: the same run on less
#
# The base set has 6,400 scenes. Each network saw 64,000 images: the whole base set ten times over, or 3 % of it more than three
# hundred times, or 64,000 different scenes once (1000 %). All networks of one width start from the same weights. We ask block by block how similar a network is to the one
# that saw the whole base set.
#
# Shared starting weights make networks alike before anything is learned. So there are two controls: the untrained network against the
# trained one, and two fully trained ViTs from different starts.

# %%
# needs: vit_small_data_100
images = book.images(n_images, seed=9)
families = {}  # cards by width and share of the base set
for card in models.cards(book.tier, study="data").values():
    if card.seed == 0:
        width, share = card.made.factors["width"], card.made.factors["share"]
        families.setdefault(width, {})[f"{100 * share:g} %"] = card
FULL = "100 %"
main_width, small_width = sorted(families, reverse=True)
pd.DataFrame(
    {
        f"ViT, width {w}": {s: c.accuracy for s, c in f.items()}
        for w, f in families.items()
    }
).round(3).rename_axis("test accuracy")


# %%
# needs: vit_small_data_100
def start(card):
    """The weights that a family started from."""
    made = models.create(card.architecture, book.tier, seed=0, **card.options)
    return made.eval().to(models.place())


by_data = {
    width: {share: models.load(c.name, book.tier) for share, c in family.items()}
    | {"start": start(family[FULL])}
    for width, family in families.items()
}
similar = {width: sweep(nets, images) for width, nets in by_data.items()}


# %%
# needs: vit_small_data_100
def to_full(width, name):
    """CKA of every block of a network with the same block of the 100 % network."""
    return np.diag(similar[width].block(name, FULL))


first_two = dict(list(book.cast("vit_cls").items())[:2])
other_start = sweep(first_two, images)

# %% mystnb={"figure": {"name": "fig-data-cka", "caption": "CKA of each block with the same block of the network trained on the whole base set. Grey, dashed: the untrained start. Grey, dotted: two ViTs of the main recipe (longer runs, full width) from different starts. One seed."}, "image": {"alt": "Two line plots of CKA from 0 to 1 against block, for two widths of ViT: one line for each share of training data, a dashed grey line for untrained weights and, on the left, a dotted grey one for two different starts."}} tags=["hide-input"]
# needs: vit_small_data_100
GREY = plots.COLOURS["control"]
SHADE = dict(zip(families[main_width], (*plots.DEPTHS, plots.INK)))
fig, axes = plt.subplots(1, 2, figsize=(9.2, 3.5), sharey=True)
for ax, width in zip(axes, families):
    for share in families[width]:
        if share != FULL:
            ax.plot(to_full(width, share), "o-", color=SHADE[share], label=share)
    ax.plot(to_full(width, "start"), "--", color=GREY, label="start")
    if width == main_width and len(first_two) == 2:
        control = np.diag(other_start.block(*first_two))
        ax.plot(control, ":", color=GREY, label="other start")
    ax.set(title=f"ViT, width {width}", xlabel="block", ylim=(0, 1.03))
axes[0].set_ylabel(f"CKA with {FULL}")
axes[0].legend(loc="lower left", fontsize=8.5)
book.sign(fig, [0])

# %% [markdown]
# ## What each layer makes easy to read
#
# Ten-shot ridge probes on every block's patches, averaged ({ref}`sec-localization`). One curve per network; its height at the middle
# says what half of the network has worked out.

# %%
# needs: labels
shots, asked = book.probe(n_images, n_images, seeds=(90, 9))
classes = len(shots.classes)
per_class = probes.affordable(shots.labels, classes)
print(
    f"{per_class} shots of each of {classes} classes, {len(asked):,} images asked"
)


def readable(model, view=capture.gap):
    """Few-shot accuracy of every block, pooled over positions: (batches, blocks)."""
    blocks = capture.layers(model)
    found = probes.few_shot(
        model, blocks, shots, asked, classes, view=view, per_class=per_class
    )
    return np.concatenate(list(found.values()), 1)


# %%
# needs: vit_small_data_100
data_probes = {
    width: {name: readable(model) for name, model in nets.items()}
    for width, nets in by_data.items()
}

# %% mystnb={"figure": {"name": "fig-data-probes", "caption": "Ten-shot accuracy of pooled patches by block, for networks that saw 3 to 1000 % of the base set. Grey, dashed: the untrained start. Dotted: chance. One seed."}, "image": {"alt": "Two line plots of ten-shot accuracy from 0 to 1 against block, for two widths of ViT, with one line for each share of training data, a dashed grey one for untrained weights and a dotted one at chance."}} tags=["hide-input"]
# needs: vit_small_data_100
fig, axes = plt.subplots(1, 2, figsize=(9.2, 3.5), sharey=True)
for ax, (width, curves) in zip(axes, data_probes.items()):
    for share in families[width]:
        y = curves[share].mean(0)
        ax.plot(y, "o-", color=SHADE[share], label=share)
    ax.plot(curves["start"].mean(0), "--", color=GREY, label="start")
    ax.axhline(1 / classes, color=plots.INK, ls=":", lw=1.2)
    ax.set(title=f"ViT, width {width}", xlabel="block", ylim=(0, 1.02))
axes[0].set_ylabel(f"{per_class}-shot accuracy")
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
book.sign(fig, [0])

# %% [markdown]
# ## ViTs and ResNets of several sizes
#
# Left: the main networks, all seeds. Right: shorter runs on 64,000 different scenes, in several widths of each family. The dashed lines on the left are read from the class token alone.

# %%
# needs: labels
curves = book.measured(readable, book.cast("vit_cls", "resnet"))
tokens = book.measured(
    lambda model: readable(model, capture.cls), models.cast(["vit_cls"], book.tier)
)
SHORT = (
    "vit_small_data_1000", "vit_data_1000", "vit_large",
    "resnet_small", "resnet_short", "resnet_large",
)  # fmt: skip
short = {
    name: models.load(name, book.tier) for name in SHORT if book.has("zoo", name)
}
widths = book.measured(readable, short)


# %% tags=["hide-input"]
def depth_curve(ax, y, label, colour, **style):
    """Accuracy of every block against relative depth."""
    x = np.linspace(0, 1, len(y))
    ax.plot(x, y, label=label, color=colour, **{"lw": 2, "alpha": 0.85} | style)


def depth_axes(ax):
    """Axes of depth curves, each label once."""
    ax.set(xlabel="relative depth", ylim=(0, 1.02))
    handles, names = ax.get_legend_handles_labels()
    first = dict(zip(names[::-1], handles[::-1]))
    ax.legend(first.values(), first, loc="upper left", fontsize=8.5)


# %% mystnb={"figure": {"name": "fig-family-probes", "caption": "Ten-shot accuracy of pooled positions against relative depth. Left: main networks, every seed; dashed: the class token of the ViTs. Right: shorter runs of several widths, with their millions of parameters; thicker is wider. One seed."}, "image": {"alt": "Two line plots of ten-shot accuracy from 0 to 1 against relative depth. Left: ViT and ResNet, one line per seed, dashed for the class token of the ViT. Right: ViTs and ResNets of several widths, one line each."}} tags=["hide-input"]
# needs: labels, any curves
panels = 2 if widths else 1
fig, axes = plt.subplots(1, panels, figsize=(4.7 * panels, 3.6), squeeze=False)
for name, y in tokens.items():
    label = f"{plots.label(name)}, class token"
    depth_curve(axes[0, 0], y.mean(0), label, plots.colour(name), ls="--", lw=1.2)
for name, y in curves.items():
    depth_curve(axes[0, 0], y.mean(0), plots.label(name), plots.colour(name))
axes[0, 0].set_ylabel(f"{per_class}-shot accuracy")
for name, y in widths.items():
    card = models.cards(book.tier)[name, 0]
    millions = card.parameters / 1e6
    label = f"{plots.label(card.architecture)}, {millions:.1f} M"
    colour = plots.colour(card.architecture)
    depth_curve(axes[0, 1], y.mean(0), label, colour, lw=2.4 * millions**0.5)
for ax in axes.flat:
    depth_axes(ax)
pairs = book.pairs("vit_cls", "resnet", among=curves)
book.sign(fig)

# %% [markdown]
# ## Three claims, decided


# %%
# needs: vit_small_data_100
def thirds(width):
    """CKA with 100 % of the network that saw 10 %, lowest and highest third of blocks."""
    return similar[width].bootstrap(
        lambda few, full, c: maps.low_and_high(np.diag(c)), "10 %", FULL
    )


margin = combine(maps.needs_more, thirds(main_width), thirds(small_width))
_ = book.decide("R21-24", [margin], images=len(images))

# %%
# needs: vit_small_data_100
little, much = (data_probes[main_width][share] for share in ("3 %", "1000 %"))
middle = much.shape[1] // 2 - 1
points = bootstrap(lambda a, b: 100 * (a[middle] - b[middle]), much, little)
_ = book.decide("R21-25", [points], images=len(asked))

# %%
# needs: labels, vit_cls, resnet, any pairs
seeds = [
    bootstrap(lambda v, r: v.mean() - r.mean(), curves[v], curves[r])
    for v, r in pairs
]
book.decide("R21-26", seeds, images=len(asked))
book.table()

# %% [markdown]
# ## The same on natural images, and a second probe set
#
# On CIFAR-10 there are no networks of other data sizes. Two things were recorded there: the probes of its own networks, and how well the networks
# *trained on Scenes* serve CIFAR-10, whose images were enlarged to 64 pixels for them.
#
# The ResNet of CIFAR-10 is wider than that of Scenes, and was trained longer, with other rates and augmentation ({ref}`sec-data`).

# %% tags=["hide-input"]
# needs: labels, any curves
kept = {name: y.mean(0).round(3).tolist() for name, y in curves.items()}
book.keep(curves=kept, settings={"chance": 1 / classes})
if book.has("zoo") and not book.has(
    "truth"
):  # images that no network of Scenes knows
    many, few = data.probe(
        replace(book.tier, side=home.side), *[n_images] * 2, (91, 91)
    )
    moved = {
        name: probes.few_shot(model, capture.layers(model), many, few, classes)
        for name, model in models.cast(["vit_cls", "resnet"], home).items()
    }
    book.keep(
        transfer={
            name: [round(float(y.mean()), 3) for y in found.values()]
            for name, found in moved.items()
        }
    )

# %% tags=["hide-input"]
recorded = book.recorded("curves")

# %% mystnb={"figure": {"name": "fig-recorded-scale", "caption": "Recorded at other tiers, one row each. Left: ten-shot accuracy of the tier's own networks. Right, for images other than Scenes: the same images, read from networks that were trained on Scenes only, three seeds. The dotted line is chance."}, "image": {"alt": "Rows of two line plots recorded at other tiers, ten-shot accuracy against relative depth for ViT and ResNet: networks trained there, and networks trained on Scenes; a dotted line at chance."}} tags=["hide-input"]
# needs: any recorded
fig, axes = plt.subplots(
    len(recorded), 2, figsize=(9.4, 3.5 * len(recorded)), sharey=True, squeeze=False
)
for row, found in zip(axes, recorded):
    other, sections = found
    titles = f"trained on {other.title}", f"trained on {home.title}"
    for ax, part, title in zip(row, ("curves", "transfer"), titles):
        if part not in sections:
            ax.set_axis_off()
            continue
        for name, y in sections[part].items():
            depth_curve(ax, y, found.label(name), plots.colour(name))
        depth_axes(ax)
        chance = sections["settings"].get("chance", 1 / max(other.classes, 1))
        ax.axhline(chance, color=plots.INK, ls=":", lw=1.2)
        ax.set_title(title)
    row[0].set_ylabel(f"ten-shot accuracy, {other.title}")
book.sign(fig, recorded=recorded)

# %%
# needs: any recorded
book.tables(recorded)

# %% [markdown]
# ## What it means
#
# **Low layers first?** Smallest of three margins: {claim}`R21-24`. Whatever the verdict, {numref}`fig-data-cka` does not support the statement. The untrained start is nearer to the full-data network than the 10 % network is, at
# every block and in both widths. So the low layers were alike before any training, and little data moved them away. The part about larger models holds mainly because the low blocks of the half-width network are unlike
# their full-data twin.
#
# **Better middles from more data?** Middle block, much data minus little, in points: {claim}`R21-25`. The network that saw 3 % is hardly better than chance on new images, so the difference is between having learned little
# that carries over and having learned the task.
#
# **ViT before ResNet?** Mean over depth, ViT minus ResNet: {claim}`R21-26` on Scenes, {claim}`R21-26 @ cifar10` on CIFAR-10. The rule reads the mean over patches, without the class
# token. Read from the class token (dashed in {numref}`fig-family-probes`), the same ViTs are well ahead of their patches. So the verdict is about patches, not about all that a block knows. And the paper's finding is about
# large ViTs after large pre-training; ours are small. Networks trained on Scenes hardly serve CIFAR-10: accuracy stays near that of their first block at every depth ({numref}`fig-recorded-scale`, right).
#
# ## What this tier cannot decide
#
# Our largest set is ten times the base set; theirs had 300 million images. Data-size networks have one seed, and all start from the same
# weights: two starts give nearly the same low layers after long training, as the dotted line says, so that similarity needs neither much data nor shared weights. The ResNet's positions are averaged as they are; the paper first cuts its maps into patches with as many
# channels as the last stage, and reports only a minor gain; our first stage has 16 channels against the ViT's 96, so here the gain may be larger. All runs of a family have the same length,
# which is not the same convergence: those with less data repeat it more often. Intervals cover the test images, not the choice of shots.
#
# ## Exercises
#
# :::{exercise} Warm-up: how often?
# :label: ex-epochs
# A run sees 64,000 images of a set of 1,920. How often does it see each?
# :::
#
# :::{solution} ex-epochs
# :class: dropdown
# 33 times.
# :::
#
# :::{exercise} Code: memory or knowledge?
# :label: ex-memory
# Give the network of the smallest set its own training images (`feed.training_set`) and then test images. How far apart are the two accuracies?
# :::
#
# ::::{solution} ex-memory
# :class: dropdown
# ```python
# from seelike import evaluate, feed, recipes
#
# recipe = recipes.recipe("vit_data_003", tier)
# seen = feed.training_set(tier, recipe, seed=0)
# model = by_data[main_width]["3 %"]
# for split in (seen, images):
#     print((evaluate.predict(model, split) == split.labels).float().mean())
# ```
#
# The distance is what the network learned by heart.
# ::::
#
# :::{exercise} Open: what to hold equal
# :label: ex-equal
# We held the number of images seen equal. Hold the number of passes equal instead, or the training loss. Which comparison answers the
# question "does more data help the middle layers"?
# :::
