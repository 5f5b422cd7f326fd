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
# (sec-attention)=
# # Local and global attention
#
# **You will learn** to measure how far a head looks, why the class token spoils the naive measure, and what little data does
# to the first blocks.
#
# *Reading: 10 minutes. Running: {seconds}`04` on two cores. Before this: {ref}`sec-cka`.*
#
# ## The question
#
# A convolution sees its neighbourhood. A head of attention may look anywhere, from the first block on. Where does it look?
# {cite:t}`raghu2021` (Figs 3 and 4) find local and global heads side by side in the first blocks of large ViTs, and only global
# ones at the top. Trained on ImageNet alone, the same large ViTs have no local heads, and they are worse. Heads that look nearby
# also give features that resemble early ResNet layers (their Fig. 5). Locality, they conclude, is something that a large ViT learns, given enough data.

# %% tags=["parameters"]
tier = "scenes"
n_images = 1024

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr

from seelike import attention, claims, data, maps, models, plots
from seelike.capture import layers

plots.style()

# %% [markdown]
# ## Method: how far a head looks
#
# Let $a_{qk}$ be the attention that query patch $q$ pays to key patch $k$, and $d_{qk}$ the distance between the centres of the two patches in pixels.
# The *mean attention distance* of a head is
#
# $$
# D = \frac{1}{N} \sum_q \frac{\sum_k a_{qk}\, d_{qk}}{\sum_k a_{qk}},
# $$ (eq-distance)
#
# averaged over images, where $N$ is the number of patches. Both sums run over patches only. The class token has no place, so it is left out as query and as key. The
# denominator makes up for what it took.
#
# The yardstick is a head that attends to all patches alike. Its distance follows from the grid alone; the dotted line in the
# figures marks it. A head far below it is *local*.

# %%
images = data.load(
    tier, "test", n_images, seed=4, transform=models.transform("vit_cls", tier)
)
cast = models.cast(["vit_cls", "vit_gap"], tier)
cast["untrained vit_cls"] = models.untrained("vit_cls", tier)
embed = cast["vit_cls-0"].patch_embed
patch, side = embed.patch_size[0], embed.grid_size[0]
uniform = attention.uniform_distance(side, patch)

distance = {
    name: attention.head_distances(model, images) for name, model in cast.items()
}
print(f"uniform attention: {uniform:.1f} pixels, {side} x {side} patches")

# %% [markdown]
# Each entry is an array of batches, blocks and heads; attention maps themselves were reduced as they were made.

# %%
BLOCKS = (0, 1, -2, -1)


def sorted_heads(ax, values, title):
    """Heads from local to global, the first two blocks and the last two."""
    values = np.asarray(values)
    for block, colour in zip(BLOCKS, plots.DEPTHS):
        heads = np.sort(values[block])
        label = f"block {block % len(values)}"
        ax.plot(range(1, len(heads) + 1), heads, "o-", color=colour, label=label)
    ax.set_xticks(range(1, values.shape[1] + 1))
    ax.set(title=title, xlabel="head, sorted")


# %% mystnb={"figure": {"name": "fig-attention-distance", "caption": "Mean attention distance of every head, sorted from local to global, in the first two and the last two blocks. Dotted: uniform attention. Right: fresh random weights, the control."}, "image": {"alt": "Three panels of sorted attention distance in pixels: ViT with class token, ViT with average pooling, untrained ViT. Four lines each, for the first two and last two blocks, and a dotted line for uniform attention."}} tags=["hide-input"]
shown = ("vit_cls-0", "vit_gap-0", "untrained vit_cls")
first = {k: distance[k].mean(0) for k in shown if k in distance}
fig, axes = plt.subplots(
    1, len(first), figsize=(3.3 * len(first), 3.4), sharey=True
)
for ax, (name, values) in zip(axes, first.items()):
    sorted_heads(ax, values, plots.label(name))
    ax.axhline(uniform, color=plots.INK, ls=":", lw=1.5)
axes[0].set(ylabel="attention distance (pixels)", ylim=(0, 1.2 * uniform))
axes[-1].legend(loc="lower right")
plots.sign(fig, tier)

# %% [markdown]
# ## A misconception: dropping the class token is enough
#
# Common code drops the class token's column and forgets to renormalise. Rows then sum to less than one, and all attention to
# the class token counts as distance zero. The more a head attends to the class token, the more local it seems. Where the class token gets little, the fault costs little.

# %%
naive = attention.head_distances(cast["vit_cls-0"], images, renormalise=False).mean(
    (0, 2)
)
right = distance["vit_cls-0"].mean((0, 2))

# %% mystnb={"figure": {"name": "fig-misread-distance", "caption": "Share of the mean distance over heads that is lost, by block, when the class token is dropped and the rest is not renormalised. It is attention to the class token, not locality."}, "image": {"alt": "Bar plot of the share of mean attention distance that is lost without renormalising, in percent, one bar for each block."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5, 3.2))
ax.bar(range(len(right)), 100 * (1 - naive / right), color=plots.COLOURS["vit_cls"])
ax.set(xlabel="block", ylabel="distance lost (%)")
plots.sign(fig, tier)

# %% [markdown]
# ## How much data locality needs
#
# The paper compares two data sets. Scenes never run out, so we can trace a curve: the same recipe on 3, 10, 30 and 100 % of a
# base set of 6,400 scenes, and on ten times as many. Every run sees 64,000 images; only the number of *different* ones changes. A second curve is for
# a ViT of half the width. These runs are shorter than the main ones.

# %%
cards = {
    c["name"]: c
    for c in models.cards(tier)
    if "_data_" in c["name"] and c["seed"] == 0
}
shares = {name: int(name.rsplit("_", 1)[1]) for name in cards}
by_data = {
    name: attention.head_distances(models.load(name, tier), images)
    for name in cards
}


def most_local(d):
    """Smallest distance of a head in blocks 0 and 1, over uniform attention."""
    return d[:2].min() / uniform


# %% mystnb={"figure": {"name": "fig-attention-data", "caption": "The most local head of the first two blocks (left) and test accuracy (right) against the share of the base set, for two widths of ViT. Left, 1 is uniform attention; intervals over images are smaller than the markers. Right, dotted: chance. One seed."}, "image": {"alt": "Two panels against the share of training data on a logarithmic axis, from 3 to 1000 percent, one line for each of two ViT widths. Left: smallest head distance in the first two blocks relative to uniform attention. Right: test accuracy."}} tags=["hide-input"]
if by_data:
    fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.3))
    for prefix, title in {
        "vit_data": "ViT",
        "vit_small_data": "half width",
    }.items():
        own = sorted((n for n in by_data if n.startswith(prefix)), key=shares.get)
        x = [shares[n] for n in own]
        fits = [claims.bootstrap(most_local, by_data[n]) for n in own]
        e = [claims.estimate([v], d[None], len(by_data[own[0]])) for v, d in fits]
        y = np.array([v.estimate for v in e])
        axes[0].errorbar(x, y, y - [v.low for v in e], marker="o", label=title)
        axes[1].plot(x, [cards[n]["accuracy"] for n in own], "o-", label=title)
    axes[0].set(ylabel="most local head / uniform", ylim=(0, 1.1))
    axes[1].set(ylabel="test accuracy", ylim=(0, 1))
    for ax in axes:
        ax.set(xscale="log", xlabel="share of the base set (%)")
        ax.set_xticks([3, 10, 30, 100, 1000], ["3", "10", "30", "100", "1000"])
        ax.minorticks_off()
    axes[1].axhline(0.1, color=plots.INK, ls=":", lw=1)
    axes[1].legend(loc="center right")
    plots.sign(fig, tier)
else:
    plots.absent(f"There are no networks of other data sizes at the {tier} tier.")

# %% [markdown]
# ## Do local heads resemble a ResNet?
#
# Take the first block. Every subset of its heads gives features: the heads' outputs, before they are projected and added. We
# compare each subset with early units of the ResNet by CKA. Concatenated features add their Gram matrices, so one matrix per head serves all subsets. The paper slides a
# window of heads from local to global; with three heads we take all subsets, of one, two or three. The ends of the horizontal axis are single heads by
# construction, so compare subsets of equal size.

# %%
pairs = [
    (f"vit_cls-{s}", models.load("resnet", tier, s))
    for s in models.shared_seeds(["vit_cls", "resnet"], tier)
]
blocks = layers(pairs[0][1], "block")
stage = maps.stages(blocks)
units = [b for b, s in zip(blocks, stage) if s - stage[0] < 2]
chosen = {v: attention.subsets(distance[v].mean(0)[0]) for v, _ in pairs}
similar = {
    v: attention.head_subsets(cast[v], resnet, images, units, chosen[v])
    for v, resnet in pairs
}


def reach(name):
    """Mean distance of each subset, over uniform attention."""
    block = distance[name].mean(0)[0] / uniform
    return np.array([block[list(s)].mean() for s in chosen[name]])


# %% mystnb={"figure": {"name": "fig-head-subsets", "caption": "CKA of subsets of the first block's heads with units of the ResNet's first two stages, against the subset's mean attention distance (1 is uniform attention). Circles: one head, triangles: two, square: all three. Seed 0."}, "image": {"alt": "Scatter of CKA from 0 to 1 against relative attention distance of head subsets, one colour and line per early ResNet unit."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.6, 3.5))
x = reach("vit_cls-0")
values = similar["vit_cls-0"].compute().to_numpy()[: len(x), len(x) :]
sizes = np.array([len(s) for s in chosen["vit_cls-0"]])
for column, unit, colour in zip(values.T, units, plots.DEPTHS):
    order = x.argsort()
    ax.plot(x[order], column[order], color=colour, label=unit)
    for n, marker in zip((1, 2, 3), "o^s"):
        ax.plot(x[sizes == n], column[sizes == n], marker, color=colour)
ax.set(xlabel="mean distance of the subset / uniform", ylabel="CKA", ylim=(0, 1))
ax.legend(title="ResNet unit")
plots.sign(fig, tier)

# %% [markdown]
# ## Four claims, decided


# %%
def mixed(d):
    low = d[0] / uniform
    return min(low.max() - low.min() - 0.25, 0.5 - low.min())


def monotone(name):
    def f(m):
        n = len(chosen[name])
        table = m[:n, n:]
        return max(spearmanr(reach(name), column)[0] for column in table.T)

    return similar[name].bootstrap(f)


STATISTICS = {
    "R21-8": lambda n: claims.bootstrap(mixed, distance[n]),
    "R21-9": lambda n: claims.bootstrap(
        lambda d: d[-2:].min() / uniform, distance[n]
    ),
    "R21-11": monotone,
}

# %%
for claim, f in STATISTICS.items():
    values, draws = zip(*(f(v) for v, _ in pairs))
    e = claims.estimate(values, np.stack(draws), len(distance["vit_cls-0"]))
    claims.record(claim, tier, e, seeds=len(pairs), images=n_images)

if by_data:
    value, draws = claims.bootstrap(
        lambda little, much: most_local(little) / most_local(much) - 1,
        by_data["vit_data_003"],
        by_data["vit_data_1000"],
    )
    e = claims.estimate([value], draws[None], len(by_data["vit_data_003"]))
    claims.record("R21-10", tier, e, seeds=1, images=n_images)

claims.chapter("04", tier)

# %% tags=["hide-input"]
kept = {name: values.round(2).tolist() for name, values in first.items()}
settings = {"uniform": uniform, "provenance": plots.provenance(tier)}
claims.keep("04", tier, {"distance": kept, "settings": settings})

# %% [markdown]
# ## The same on natural images

# %% mystnb={"figure": {"name": "fig-recorded-distance", "caption": "CIFAR-10, recorded: sorted attention distance in images of 32 by 32 pixels. Dotted: uniform attention."}, "image": {"alt": "Panels of sorted attention distance in pixels, recorded on CIFAR-10, one per network, with a dotted line for uniform attention."}} tags=["hide-input"]
recorded = claims.results("cifar10", "04")
if recorded:
    held = recorded["distance"]
    held = {n: held[n] for n in shown if n in held}
    fig, axes = plt.subplots(
        1, len(held), figsize=(3.3 * len(held), 3.4), sharey=True
    )
    for ax, (name, values) in zip(axes, held.items()):
        sorted_heads(ax, values, plots.label(name))
        ax.axhline(recorded["settings"]["uniform"], color=plots.INK, ls=":", lw=1.5)
    top = 1.2 * recorded["settings"]["uniform"]
    axes[0].set(ylabel="attention distance (pixels)", ylim=(0, top))
    axes[-1].legend(loc="lower right")
    plots.sign(fig, "cifar10", recorded=recorded["settings"]["provenance"])
else:
    plots.absent("Not recorded yet.")

# %%
claims.chapter("04", "cifar10")

# %% [markdown]
# ## What it means
#
# **Local and global side by side?** The rule asks two things of the first block, in units of uniform attention: the most global head minus the most local one exceeds one quarter, and the
# most local is below one half. The number is the smaller of the two margins: {claim}`R21-8` on Scenes, {claim}`R21-8 @ cifar10` on CIFAR-10.
#
# **Global at the top?** Most local head of the top two blocks, over uniform attention: {claim}`R21-9`, {claim}`R21-9 @ cifar10`.
#
# **Little data?** Rise of the most local head's distance from much data to little, as a share: {claim}`R21-10`, on Scenes only. The rule asks for a rise of a quarter, and so presupposes that
# there are local heads to lose. Where the left panel of {numref}`fig-attention-data` is near 1 at every size, *contradicted* means that nothing changed, not that little data gives local
# heads. Compare the accuracy at the left end with chance as well.
#
# **Local heads like a ResNet?** Weakest of the rank correlations: {claim}`R21-11`, {claim}`R21-11 @ cifar10`. Near -1, the more local a
# subset, the more it resembles the ResNet, for every unit. With few heads there are few subsets, and they overlap: read this number as a description
# of these networks, not of ViTs.
#
# In the paper large ViTs lose their local heads when they have less data; its smallest, B/32, keeps them (Fig. C.5). Ours are smaller still, so too
# little data is no ready excuse for a claim that fails here. So read {numref}`fig-attention-data` before the verdict: is there a trend at all, and do the two widths agree on its direction? There is one
# seed: a difference no larger than that between the two widths is not a finding.
#
# Compare the untrained network first. Its heads attend to everything alike, so they pass the rule for the top blocks: *global* is not yet
# *learned*. And if all heads are about equally global (read the horizontal axis of {numref}`fig-head-subsets`), the order of subsets rests on differences of a few per cent,
# and the interval does not cover its uncertainty, for it resamples CKA only. With few seeds an interval may leave the possible range.
#
# ## What this tier cannot decide
#
# In the last block of the ViT with a class token, only the class token is read. What the patches ask for there shares its weights with what the class token asks for, but was never
# trained for itself. Read the last point of every curve over patches with that in mind; the ViT with average pooling has no such block.
#
# Three heads a block are few: the paper's ViT-L has sixteen, and can spare a few for the neighbourhood. A mean distance near that of uniform
# attention does not mean uniform attention. A head that looks at one distant object has it too. And images of one
# large object reward a global look.
#
# ## Exercises
#
# :::{exercise} Warm-up: the global line
# :label: ex-global-line
# On a grid of two by two patches of 8 pixels, what is the distance of uniform attention, the patch itself included?
# :::
#
# :::{solution} ex-global-line
# :class: dropdown
# Each patch sees itself at 0, two at 8 and one at $8\sqrt2$ pixels: $(0 + 8 + 8 + 11.3)/4 = 6.8$ pixels.
# :::
#
# :::{exercise} Code: who looks at the class token?
# :label: ex-prefix
# Print for every block the share of the patches' attention that the class token receives (`attention.prefix_mass`). Where is it largest?
# :::
#
# ::::{solution} ex-prefix
# :class: dropdown
# ```python
# from seelike.capture import attention as maps
#
# x, _ = next(iter(images))
# with maps(cast["vit_cls-0"], reduce=attention.prefix_mass) as found:
#     cast["vit_cls-0"](x)
# for name, mass in found.items():
#     print(name, mass.mean(0))
# ```
#
# Mass times distance, averaged over queries, over the distance itself, is the loss in {numref}`fig-misread-distance`, block by block.
# ::::
#
# :::{exercise} Open: local by design
# :label: ex-local
# Initialise one head of each block so that it attends to neighbours only (a bias on the logits by distance). Does training keep it
# local, and does the network need less data?
# :::
