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
import seaborn as sns

from seelike import attention, maps, models, plots
from seelike.capture import layers
from seelike.chapter import Chapter
from seelike.intervals import bootstrap, estimate

book = Chapter("04", tier)

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
images = book.images(n_images, seed=4)
cast = book.cast("vit_cls", "vit_gap", untrained=("vit_cls",))
distance = book.measured(
    lambda model: attention.block_distances(model, images), cast
)
vits = [name for (name,) in book.pairs("vit_cls", among=distance)]
x, _ = next(iter(images))
uniform = {name: attention.uniform_blocks(cast[name], x[:1]) for name in distance}
relative = {
    name: [d / u for d, u in zip(distance[name], uniform[name])]
    for name in distance
}
found = sorted({f"{u:.1f}" for blocks in uniform.values() for u in blocks})
print(f"uniform attention, in pixels: {', '.join(found)}")

# %% [markdown]
# Each entry holds an array of batches and heads for every block; attention maps themselves were reduced as they were made.

# %%
BLOCKS = (0, 1, -2, -1)


def sorted_heads(ax, blocks, uniform, title):
    """Heads from local to global, the first two blocks and the last two."""
    chosen = dict.fromkeys(i % len(blocks) for i in BLOCKS)
    for i, colour in zip(chosen, plots.DEPTHS):
        heads = np.sort(blocks[i])
        places = range(1, len(heads) + 1)
        ax.plot(places, heads, "o-", color=colour, label=f"block {i}")
    for line in np.unique(np.round(uniform, 3)):
        ax.axhline(line, color=plots.INK, ls=":", lw=1.5)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set(title=title, xlabel="head, sorted", ylim=(0, 1.2 * np.max(uniform)))


# %% mystnb={"figure": {"name": "fig-attention-distance", "caption": "Mean attention distance of every head, sorted from local to global, in the first two and the last two blocks. Dotted: uniform attention. Right: fresh random weights, the control."}, "image": {"alt": "Three panels of sorted attention distance in pixels: ViT with class token, ViT with average pooling, untrained ViT. Four lines each, for the first two and last two blocks, and a dotted line for uniform attention."}} tags=["hide-input"]
# needs: any distance
shown = [n for n in book.shown(cast, "vit_cls", "vit_gap") if n in distance]
first = {name: [d.mean(0) for d in distance[name]] for name in shown}
fig, axes = plt.subplots(
    1, len(shown), figsize=(3.3 * len(shown), 3.4), sharey=True, squeeze=False
)
for ax, name in zip(axes[0], shown):
    sorted_heads(ax, first[name], uniform[name], plots.label(name))
axes[0, 0].set(ylabel="attention distance (pixels)")
axes[0, -1].legend(loc="lower right")
book.sign(fig, [0])

# %% [markdown]
# ## A misconception: dropping the class token is enough
#
# Common code drops the class token's column and forgets to renormalise. Rows then sum to less than one, and all attention to
# the class token counts as distance zero. The more a head attends to the class token, the more local it seems. Where the class token gets little, the fault costs little.

# %%
# needs: vit_cls, any vits
naive = attention.block_distances(cast[vits[0]], images, renormalise=False)
lost = [1 - n.mean() / d.mean() for n, d in zip(naive, distance[vits[0]])]

# %% mystnb={"figure": {"name": "fig-misread-distance", "caption": "Share of the mean distance over heads that is lost, by block, when the class token is dropped and the rest is not renormalised. It is attention to the class token, not locality."}, "image": {"alt": "Bar plot of the share of mean attention distance that is lost without renormalising, in percent, one bar for each block."}} tags=["hide-input"]
# needs: vit_cls, any vits
fig, ax = plt.subplots(figsize=(5, 3.2))
ax.bar(range(len(lost)), 100 * np.array(lost), color=plots.COLOURS["vit_cls"])
ax.set(xlabel="block", ylabel="distance lost (%)")
book.sign(fig, [0])

# %% [markdown]
# ## How much data locality needs
#
# The paper compares two data sets. Scenes never run out, so we can trace a curve: the same recipe on 3, 10, 30 and 100 % of a
# base set of 6,400 scenes, and on ten times as many. Every run sees 64,000 images; only the number of *different* ones changes. A second curve is for
# a ViT of half the width. These runs are shorter than the main ones.

# %%
# needs: vit_data_003, vit_data_1000
by_data, accuracy = {}, {}
for (name, seed), card in models.cards(book.tier, study="data").items():
    if seed == 0:
        run = card.made.factors["width"], card.made.factors["share"]
        model = models.load(name, book.tier)
        own = attention.block_distances(model, images)[:2]
        by_data[run] = [
            d / u for d, u in zip(own, attention.uniform_blocks(model, x[:1]))
        ]
        accuracy[run] = card.accuracy

# %% mystnb={"figure": {"name": "fig-attention-data", "caption": "The most local head of the first two blocks (left) and test accuracy (right) against the share of the base set, for two widths of ViT. Left, 1 is uniform attention; intervals over images are smaller than the markers. Right, dotted: chance. One seed."}, "image": {"alt": "Two panels against the share of training data on a logarithmic axis, from 3 to 1000 percent, one line for each of two ViT widths. Left: smallest head distance in the first two blocks relative to uniform attention. Right: test accuracy."}} tags=["hide-input"]
# needs: vit_data_003, vit_data_1000
fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.3))
for width, title in {96: "ViT", 48: "half width"}.items():
    runs = sorted(run for run in by_data if run[0] == width)
    percent = [100 * share for _, share in runs]
    e = [estimate([bootstrap(attention.most_local, *by_data[r])]) for r in runs]
    half = [v.estimate - v.low for v in e]
    axes[0].errorbar(
        percent, [v.estimate for v in e], half, marker="o", label=title
    )
    axes[1].plot(percent, [accuracy[r] for r in runs], "o-", label=title)
axes[0].set(ylabel="most local head / uniform", ylim=(0, 1.1))
axes[1].set(ylabel="test accuracy", ylim=(0, 1))
for ax in axes:
    ax.set(xscale="log", xlabel="share of the base set (%)")
    ax.set_xticks([3, 10, 30, 100, 1000], ["3", "10", "30", "100", "1000"])
    ax.minorticks_off()
axes[1].axhline(1 / book.tier.classes, color=plots.INK, ls=":", lw=1)
axes[1].legend(loc="center right")
book.sign(fig, [0])

# %% [markdown]
# ## Do local heads resemble a ResNet?
#
# Take the first block. Every subset of its heads gives features: the heads' outputs, before they are projected and added. We
# compare each subset with early units of the ResNet by CKA. Concatenated features add their Gram matrices, so one matrix per head serves all subsets. The paper slides a
# window of heads from local to global; with three heads we take all subsets, of one, two or three. The ends of the horizontal axis are single heads by
# construction, so compare subsets of equal size.


# %%
# needs: vit_cls, resnet
def early(model):
    """Units of a network's first two stages."""
    blocks = layers(model)
    stage = maps.stages(blocks)
    return [b for b, s in zip(blocks, stage) if s - stage[0] < 2]


resnets = models.cast(["resnet"], book.tier)
units = book.measured(early, resnets)
pairs = book.pairs("vit_cls", "resnet", among={**distance, **units})

# %%
# needs: vit_cls, resnet, any pairs
chosen, reach, similar = {}, {}, {}
for v, r in pairs:
    heads = relative[v][0].mean(0)
    chosen[v] = attention.subsets(heads)
    reach[v] = attention.reach(heads, chosen[v])
    similar[v] = attention.head_subsets(
        cast[v], resnets[r], images, units[r], chosen[v]
    )

# %% mystnb={"figure": {"name": "fig-head-subsets", "caption": "CKA of subsets of the first block's heads with units of the ResNet's first two stages, against the subset's mean attention distance (1 is uniform attention). Circles: one head, triangles: two, square: all three. Seed 0."}, "image": {"alt": "Scatter of CKA from 0 to 1 against relative attention distance of head subsets, one colour and line per early ResNet unit."}} tags=["hide-input"]
# needs: vit_cls, resnet, any pairs
v, r = pairs[0]
across, order = reach[v], reach[v].argsort()
values = similar[v].compute().to_numpy()[: len(across), len(across) :]
sizes = np.array([len(heads) for heads in chosen[v]])
colours = sns.color_palette(plots.MAP, len(units[r]) + 1)
fig, ax = plt.subplots(figsize=(5.6, 3.5))
for column, unit, colour in zip(values.T, units[r], colours):
    ax.plot(across[order], column[order], color=colour, label=unit)
    for n, marker in zip(np.unique(sizes), "o^sD"):
        own = sizes == n
        ax.plot(across[own], column[own], marker, color=colour)
ax.set(xlabel="mean distance of the subset / uniform", ylabel="CKA", ylim=(0, 1))
ax.legend(title="ResNet unit")
book.sign(fig, [0])

# %% [markdown]
# ## Four claims, decided

# %%
# needs: vit_cls
margins = [bootstrap(attention.mixed, relative[v][0]) for v in vits]
book.decide("R21-8", margins, images=len(images))
top = [bootstrap(attention.most_local, *relative[v][-2:]) for v in vits]
_ = book.decide("R21-9", top, images=len(images))

# %%
# needs: vit_data_003, vit_data_1000
rise = bootstrap(
    lambda *heads: (
        attention.most_local(*heads[:2]) / attention.most_local(*heads[2:]) - 1
    ),
    *by_data[96, 0.03],
    *by_data[96, 10.0],
)
_ = book.decide("R21-10", [rise], images=len(images))


# %%
# needs: vit_cls, resnet
def trend(v):
    """R21-11 for one ViT and the ResNet of its seed."""
    n = len(chosen[v])
    return similar[v].bootstrap(lambda m: attention.trend(reach[v], m[:n, n:]))


_ = book.decide("R21-11", [trend(v) for v, r in pairs], images=len(images))

# %%
book.table()

# %% tags=["hide-input"]
# needs: any distance
kept = {n: [h.round(2).tolist() for h in first[n]] for n in shown}
book.keep(distance=kept, settings={"uniform": uniform[shown[0]][0]})

# %% [markdown]
# ## The same on natural images

# %% tags=["hide-input"]
recorded = book.recorded("distance")

# %% mystnb={"figure": {"name": "fig-recorded-distance", "caption": "Recorded at other tiers, one row each: sorted attention distance. Dotted: uniform attention."}, "image": {"alt": "Rows of panels of sorted attention distance in pixels, recorded at other tiers, one row per tier and one panel per network, with a dotted line for uniform attention."}} tags=["hide-input"]
# needs: any recorded
columns = max(len(sections["distance"]) for _, sections in recorded)
fig, axes = plt.subplots(
    len(recorded),
    columns,
    figsize=(3.3 * columns, 3.4 * len(recorded)),
    sharey="row",
    squeeze=False,
)
for row, other in zip(axes, recorded):
    held = other.sections["distance"]
    names = sorted(held, key=lambda name: name.startswith("untrained"))
    for ax, name in zip(row, names):
        line = [other.sections["settings"]["uniform"]]
        sorted_heads(ax, held[name], line, other.label(name))
    for ax in row[len(names) :]:
        ax.set_axis_off()
    row[0].set(ylabel=f"{other.tier.title}\nattention distance (pixels)")
    row[len(names) - 1].legend(loc="lower right")
book.sign(fig, recorded=recorded)

# %%
book.tables(recorded)

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
