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
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from seelike import capture, claims, data, models, plots, probes
from seelike.cka import sweep

plots.style()

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
images = data.load(
    tier, "test", n_images, seed=9, transform=models.transform("vit_cls", tier)
)
cards = {c["name"]: c for c in models.cards(tier) if c["seed"] == 0}
SIZES = {"vit_data": "ViT", "vit_small_data": "ViT, half width"}
SHARES = (3, 10, 30, 100, 1000)


def family(prefix):
    """Networks of the data-size study by share of the base set in percent."""
    names = {share: f"{prefix}_{share:03d}" for share in SHARES}
    return {s: models.load(n, tier) for s, n in names.items() if n in cards}


by_data = {prefix: family(prefix) for prefix in SIZES}
by_data = {p: nets for p, nets in by_data.items() if len(nets) == len(SHARES)}
SHADE = dict(zip(SHARES, (*plots.DEPTHS, plots.INK)))
pd.DataFrame(
    {
        SIZES[p]: {f"{s} %": cards[f"{p}_{s:03d}"]["accuracy"] for s in SHARES}
        for p in by_data
    }
).round(3).rename_axis("test accuracy")


# %%
def start(prefix):
    """The weights that a family started from."""
    card = cards[f"{prefix}_100"]
    return models.create(
        card["architecture"], tier, seed=0, **card["options"]
    ).eval()


similar = {
    prefix: sweep(
        {str(s): m for s, m in nets.items()} | {"start": start(prefix)}, images
    )
    for prefix, nets in by_data.items()
}


# %%
def to_full(m, row, rows=(*SHARES, "start")):
    """CKA of every block of one network with the same block of the 100 % network."""
    n = len(m) // len(rows)
    i, j = (n * rows.index(r) for r in (row, 100))
    return np.diag(m[i : i + n, j : j + n])


def other_seeds():
    """CKA of every block of ViT-CLS with the same block of another seed."""
    pair = models.cast(["vit_cls"], tier)
    two = dict(list(pair.items())[:2])
    m = sweep(two, images).compute().to_numpy()
    return np.diag(m[: len(m) // 2, len(m) // 2 :]) if len(two) > 1 else None


# %% mystnb={"figure": {"name": "fig-data-cka", "caption": "CKA of each block with the same block of the network trained on the whole base set. Grey, dashed: the untrained start. Grey, dotted: two ViTs of the main recipe (longer runs, full width) from different starts. One seed."}, "image": {"alt": "Two line plots of CKA from 0 to 1 against block, for two widths of ViT: one line for each share of training data, a dashed grey line for untrained weights and, on the left, a dotted grey one for two different starts."}} tags=["hide-input"]
if by_data:
    control = other_seeds()
    fig, axes = plt.subplots(1, 2, figsize=(9.2, 3.5), sharey=True)
    for ax, (prefix, sums) in zip(axes, similar.items()):
        m = sums.compute().to_numpy()
        for share in (3, 10, 30, 1000):
            ax.plot(to_full(m, share), "o-", color=SHADE[share], label=f"{share} %")
        grey = plots.COLOURS["control"]
        ax.plot(to_full(m, "start"), "--", color=grey, label="start")
        if control is not None and prefix == "vit_data":
            ax.plot(control, ":", color=grey, label="other start")
        ax.set(title=SIZES[prefix], xlabel="block", ylim=(0, 1.03))
    axes[0].set_ylabel("CKA with 100 %")
    axes[0].legend(loc="lower left", fontsize=8.5)
    plots.sign(fig, tier)
else:
    plots.absent(f"There are no networks of other data sizes at the {tier} tier.")

# %% [markdown]
# ## What each layer makes easy to read
#
# Ten-shot ridge probes on every block's patches, averaged ({ref}`sec-localization`). One curve per network; its height at the middle
# says what half of the network has worked out.

# %%
shots = data.load(tier, "train", n_images, seed=90)


def readable(model, view=capture.gap):
    """Ten-shot accuracy of every block, pooled over positions: (batches, blocks)."""
    blocks = capture.layers(model, "block")
    classes = len(images.classes)
    found = probes.few_shot(model, blocks, shots, images, classes, view=view)
    return np.concatenate(list(found.values()), 1)


data_probes = {
    prefix: {share: readable(m) for share, m in nets.items()}
    for prefix, nets in by_data.items()
}
fresh_probes = {prefix: readable(start(prefix)).mean(0) for prefix in by_data}

# %% mystnb={"figure": {"name": "fig-data-probes", "caption": "Ten-shot accuracy of pooled patches by block, for networks that saw 3 to 1000 % of the base set. Grey, dashed: the untrained start. Dotted: chance. One seed."}, "image": {"alt": "Two line plots of ten-shot accuracy from 0 to 1 against block, for two widths of ViT, with one line for each share of training data, a dashed grey one for untrained weights and a dotted one at chance."}} tags=["hide-input"]
if by_data:
    fig, axes = plt.subplots(1, 2, figsize=(9.2, 3.5), sharey=True)
    for ax, (prefix, curves) in zip(axes, data_probes.items()):
        for share, y in curves.items():
            ax.plot(y.mean(0), "o-", color=SHADE[share], label=f"{share} %")
        grey = plots.COLOURS["control"]
        ax.plot(fresh_probes[prefix], "--", color=grey, label="start")
        ax.axhline(0.1, color=plots.INK, ls=":", lw=1.2)
        ax.set(title=SIZES[prefix], xlabel="block", ylim=(0, 1.02))
    axes[0].set_ylabel("ten-shot accuracy")
    axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    plots.sign(fig, tier)
else:
    plots.absent(f"There are no networks of other data sizes at the {tier} tier.")

# %% [markdown]
# ## ViTs and ResNets of several sizes
#
# Left: the main networks, all seeds. Right: shorter runs on 64,000 different scenes, in several widths of each family. The dashed lines on the left are read from the class token alone.

# %%
main = models.cast(["vit_cls", "resnet"], tier)
WIDTHS = {
    "vit_small_data_1000": "ViT, half width",
    "vit_data_1000": "ViT",
    "vit_large": "ViT, width x 1.5",
    "resnet_small": "ResNet, half width",
    "resnet_short": "ResNet",
    "resnet_large": "ResNet, double width",
}
held = [name for name in WIDTHS if name in cards]


def patches_and_class(h):
    """The mean of the patches and the class token, as two positions."""
    return torch.stack([capture.gap(h), capture.cls(h)], 1)


curves, tokens = {}, {}
for name, model in main.items():
    if name.startswith("vit_cls"):
        read = readable(model, patches_and_class)
        curves[name], tokens[name] = read[:, ::2], read[:, 1::2].mean(0)
    else:
        curves[name] = readable(model)
widths = {name: readable(models.load(name, tier)) for name in held}


# %% mystnb={"figure": {"name": "fig-family-probes", "caption": "Ten-shot accuracy of pooled positions against relative depth. Left: main networks, every seed; dashed: the class token of the ViTs. Right: shorter runs of several widths; thicker is wider. One seed."}, "image": {"alt": "Two line plots of ten-shot accuracy from 0 to 1 against relative depth. Left: ViT and ResNet, one line per seed, dashed for the class token of the ViT. Right: ViTs and ResNets of several widths, one line each."}} tags=["hide-input"]
def depth_curves(ax, curves, labels):
    for name, y in curves.items():
        kind = "resnet" if "resnet" in name else "vit_cls"
        ax.plot(
            np.linspace(0, 1, len(y)),
            y,
            color=plots.COLOURS[kind],
            lw=1.2
            if "half" in labels(name)
            else 3
            if "width" in labels(name)
            else 2,
            alpha=0.85,
            label=labels(name),
        )
    ax.set(xlabel="relative depth", ylim=(0, 1.02))
    handles, names = ax.get_legend_handles_labels()
    first = dict(zip(names[::-1], handles[::-1]))
    ax.legend(first.values(), first, loc="upper left", fontsize=8.5)


panels = 2 if widths else 1
fig, axes = plt.subplots(1, panels, figsize=(4.7 * panels, 3.6), squeeze=False)
for i, y in enumerate(tokens.values()):
    axes[0, 0].plot(
        np.linspace(0, 1, len(y)),
        y,
        "--",
        lw=1.2,
        color=plots.COLOURS["vit_cls"],
        label="ViT, class token" if i == 0 else None,
    )
depth_curves(axes[0, 0], {n: y.mean(0) for n, y in curves.items()}, plots.label)
axes[0, 0].set_ylabel("ten-shot accuracy")
if widths:
    means = {n: y.mean(0) for n, y in widths.items()}
    depth_curves(axes[0, 1], means, WIDTHS.get)
plots.sign(fig, tier, models.shared_seeds(["vit_cls", "resnet"], tier))

# %% [markdown]
# ## Three claims, decided


# %%
def low_before_high(m):
    """Mean over the lowest and the highest third of blocks, 10 % against 100 %."""
    c = to_full(m, 10)
    third = len(c) // 3
    return c[:third].mean(), c[-third:].mean()


def needs_more(main, small):
    (low, high), (low_small, high_small) = main, small
    return min(low - 0.9, low - high - 0.1, (low - high) - (low_small - high_small))


seeds = models.shared_seeds(["vit_cls", "resnet"], tier)
batches = len(curves["vit_cls-0"])
fits = [
    claims.bootstrap(
        lambda v, r: v.mean() - r.mean(),
        curves[f"vit_cls-{s}"],
        curves[f"resnet-{s}"],
    )
    for s in seeds
]
values, draws = zip(*fits)
e = claims.estimate(values, np.stack(draws), batches)
_ = claims.record("R21-26", tier, e, seeds=len(seeds), images=n_images)

# %%
if len(by_data) == len(SIZES):
    drawn = [sums.bootstrap(low_before_high) for sums in similar.values()]
    value = needs_more(*(whole for whole, _ in drawn))
    draws = [needs_more(*pair) for pair in zip(*(d for _, d in drawn))]
    e = claims.estimate([value], np.array(draws)[None], batches)
    claims.record("R21-24", tier, e, seeds=1, images=n_images)

    much, little = (data_probes["vit_data"][s] for s in (1000, 3))
    middle = much.shape[1] // 2 - 1
    value, draws = claims.bootstrap(
        lambda a, b: 100 * (a[middle] - b[middle]), much, little
    )
    e = claims.estimate([value], draws[None], batches)
    claims.record("R21-25", tier, e, seeds=1, images=n_images)
claims.chapter("08", tier)

# %% [markdown]
# ## The same on natural images, and a second probe set
#
# On CIFAR-10 there are no networks of other data sizes. Two things were recorded there: the probes of its own networks, and how well the networks
# *trained on Scenes* serve CIFAR-10, whose images were enlarged to 64 pixels for them.
#
# The ResNet of CIFAR-10 is wider than that of Scenes, and was trained longer, with other rates and augmentation ({ref}`sec-data`).

# %% tags=["hide-input"]
kept = {"curves": {n: y.mean(0).round(3).tolist() for n, y in curves.items()}}
if tier == "cifar10":
    few, many = (
        data.target("cifar10", "scenes", s, n_images, 91)
        for s in reversed(data.SPLITS)
    )
    moved = {}
    for name, model in models.cast(["vit_cls", "resnet"], "scenes").items():
        blocks = capture.layers(model, "block")
        found = probes.few_shot(model, blocks, many, few, len(few.classes))
        moved[name] = [round(float(a.mean()), 3) for a in found.values()]
    kept["transfer"] = moved
kept["settings"] = {"provenance": plots.provenance(tier, seeds)}
claims.keep("08", tier, kept)

# %% mystnb={"figure": {"name": "fig-recorded-scale", "caption": "CIFAR-10, recorded. Left: ten-shot accuracy of its own networks. Right: CIFAR-10 images, read from networks that were trained on Scenes only, three seeds. The dotted line is chance."}, "image": {"alt": "Two line plots recorded on CIFAR-10, ten-shot accuracy against relative depth for ViT and ResNet: networks trained on CIFAR-10, and networks trained on Scenes; a dotted line at chance."}} tags=["hide-input"]
recorded = claims.results("cifar10", "08")
if recorded:
    fig, axes = plt.subplots(1, 2, figsize=(9.4, 3.5), sharey=True)
    for ax, part, title in zip(
        axes, ("curves", "transfer"), ("trained on CIFAR-10", "trained on Scenes")
    ):
        depth_curves(ax, recorded[part], plots.label)
        ax.axhline(0.1, color=plots.INK, ls=":", lw=1.2)
        ax.set_title(title)
    axes[0].set_ylabel("ten-shot accuracy")
    plots.sign(fig, "cifar10", recorded=recorded["settings"]["provenance"])
else:
    plots.absent("Not recorded yet.")

# %%
claims.chapter("08", "cifar10")

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
# Give the network of the smallest set its own training images (`batches.training_set`) and then test images. How far apart are the two accuracies?
# :::
#
# ::::{solution} ex-memory
# :class: dropdown
# ```python
# from seelike import batches, evaluate, recipes
#
# recipe = recipes.recipe("vit_data_003", tier)
# seen = batches.training_set(tier, recipe, seed=0)
# model = by_data["vit_data"][3]
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
