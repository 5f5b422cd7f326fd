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
# (sec-erf)=
# # Effective receptive fields
#
# **You will learn** to ask which pixels a position in a network depends on, why the plain gradient says nothing after a LayerNorm, and
# what the skip connection does to the answer.
#
# *Reading: 9 minutes. Running: {seconds}`05` on two cores. Before this: {ref}`sec-attention`.*
#
# ## The question
#
# Attention distance says where a head looks. It does not say what arrives. A position may attend to the whole image and still
# depend mostly on its own patch, because the skip connection carries that patch past every block. The *effective receptive field*
# {cite:p}`luo2016` asks the network itself: how much does each pixel move this position? {cite:t}`raghu2021` (Figs 6 and C.1 to C.4)
# find that fields of a ResNet grow slowly, while those of a ViT are large early, become global about midway, and keep a strong centre
# that comes from the skip connections.

# %% tags=["parameters"]
tier = "scenes"
n_images = 96

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from seelike import models, plots
from seelike import receptive_field as erf
from seelike.capture import capture, layers, sums
from seelike.chapter import Chapter
from seelike.intervals import bootstrap

book = Chapter("05", tier)

# %% [markdown]
# ## Method: gradients with random signs
#
# Let $h_c(x)$ be channel $c$ at the middle position of a layer. We draw random signs $s_c = \pm 1$ and take
#
# $$
# R_{ij}^2 = \operatorname{mean}_s \sum_{\text{colours}} \Bigl( \frac{\partial}{\partial x_{ij}} \sum_c s_c\, h_c(x) \Bigr)^2
# \;\approx\; \sum_{\text{colours}} \sum_c \Bigl( \frac{\partial h_c}{\partial x_{ij}} \Bigr)^2 ,
# $$ (eq-erf)
#
# and average its root $R$ over images. Cross terms between channels vanish in the mean over signs, so channels cannot cancel each other. With two
# draws a root comes out a little small, by nearly the same factor everywhere. The paper averages the absolute gradient over channels, which takes one
# backward pass a channel; ours takes two in all. A root mean square gives more weight to a few strong channels, and with it to the centre, so our shares of
# the own patch are rather too high.
#
# ### A misconception: the gradient of the mean over channels
#
# Much code differentiates the mean over channels, all with the same sign. After a LayerNorm whose weights are one and whose biases are zero, that mean is zero for every
# input. It has no gradient at all:

# %%
images = book.images(n_images, seed=5).with_batches(16, drop_last=True)
x, _ = next(iter(images))
x = x[:8].requires_grad_()
fresh = models.create("vit_cls", book.tier, seed=100).eval()
with capture(fresh, ["norm"], reduce=lambda h: h.clone()) as found:
    fresh(x)
middle = erf.centre(found["norm"])
signs = torch.randint(0, 2, middle.shape).to(middle) * 2 - 1
for title, s in {"equal signs": 1.0, "random signs": signs}.items():
    (g,) = torch.autograd.grad((middle * s).sum(), x, retain_graph=True)
    print(f"{title}: root mean square gradient {g.square().mean().sqrt():.1e}")

# %% [markdown]
# What is left in the first line is rounding. A trained norm has weights, which lets some signal through, but a distorted one.
#
# ## Before and after the sum
#
# Each residual sum can be heard at two places: the *branch* alone, before it is added, and the *stream* after it. The paper's main figure
# shows the stream. For trained networks of seed 0, and for the untrained ViT, we take both.

# %%
cast = book.cast("vit_cls", "resnet", "mixer", untrained=("vit_cls", "resnet"))
shown = book.shown(cast, "vit_cls", "resnet", "mixer")
both = {n: cast[n] for n in shown if n != "untrained resnet"}
known = book.measured(sums, both)


def taps(name):
    """Stream and branches: block outputs, sums after token mixing, and what
    attention, MLPs over channels and convolutions add."""
    pairs = known.get(name, [])
    mixed = [skip for skip, _ in pairs if skip.endswith("norm2:in")]
    branches = [branch for _, branch in pairs if "tokens" not in branch]
    return [*layers(cast[name]), *mixed, *branches]


# %%
def measure(name):
    return book.measured(
        lambda m: erf.effective_receptive_field(m, taps(name), images),
        {name: cast[name]},
    )


fields = {}
for name in cast:
    fields |= measure(name)
shown = [name for name in shown if name in fields]

# %% mystnb={"figure": {"name": "fig-erf-maps", "caption": "Effective receptive fields of the middle position after four blocks, from the first to the last; square root of the field, each map scaled to its own maximum. The last two rows are untrained."}, "image": {"alt": "A grid of square heat maps, one row per network and four columns from the first to the last block. Bright pixels move the middle position most."}} tags=["hide-input"]
# needs: any shown
DEPTHS = ("first block", "a third up", "two thirds up", "last block")
fig, axes = plt.subplots(
    len(shown), 4, figsize=(6.6, 1.75 * len(shown)), squeeze=False
)
for row, name in zip(axes, shown):
    blocks = layers(cast[name])
    for ax, i in zip(row, np.linspace(0, len(blocks) - 1, 4).round().astype(int)):
        ax.imshow(fields[name][blocks[i]].mean(0) ** 0.5, cmap=plots.MAP)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(plots.label(name).replace(", ", "\n"), fontsize=9)
for ax, title in zip(axes[0], DEPTHS):
    ax.set_title(title)
book.sign(fig, [0])

# %% [markdown]
# ## Radius against depth
#
# One number per map: the radius around the centre of its mass that holds half of the mass. A field that is the same
# everywhere gives the dotted line.

# %%
grown = {
    name: np.stack([own[block] for block in layers(cast[name])], 1)
    for name, own in fields.items()
}  # fields after every block: batches, blocks, height, width
radii = {name: erf.radius(field.mean(0)) for name, field in grown.items()}


# %% tags=["hide-input"]
def plot_radii(ax, curves, side):
    for name, r in curves.items():
        ax.plot(
            np.linspace(0, 1, len(r)),
            r,
            "--" if "untrained" in name else "-",
            color=plots.colour(name.removeprefix("untrained ")),
            marker="o",
            ms=4,
            alpha=0.9,
            label=plots.label(name),
        )
    ax.axhline(erf.uniform_radius(side), color=plots.INK, ls=":", lw=1.5)
    ax.set(
        xlabel="depth", ylabel="half-mass radius (pixels)", ylim=(0, side * 0.45)
    )


# %% mystnb={"figure": {"name": "fig-erf-radius", "caption": "Half-mass radius of effective receptive fields after every block, against relative depth, seed 0. Dashed: untrained. Dotted: a field that is the same at every pixel."}, "image": {"alt": "Line plot of half-mass radius in pixels against relative depth, one line per network, dashed for untrained ones, and a dotted line for a uniform field."}} tags=["hide-input"]
# needs: any shown
fig, ax = plt.subplots(figsize=(6, 3.8))
plot_radii(ax, {name: radii[name] for name in shown}, book.tier.side)
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
book.sign(fig, [0])

# %% [markdown]
# ## What the skip connection hides

# %%
# needs: vit_cls
members = [n for n in fields if n.startswith(("vit_cls-", "untrained vit_cls"))]
heard = book.measured(erf.sublayers, {name: cast[name] for name in members})
vits = [name for (name,) in book.pairs("vit_cls", among=heard)]
grid = {
    name: erf.positions(cast[name], parts.attention[-1], x)
    for name, parts in heard.items()
}

# %% mystnb={"figure": {"name": "fig-erf-residual", "caption": "ViT, seed 0. Left: share of the field's mass in the position's own patch, before and after the residual sum of attention, and before that of the MLP (blocks from low to high). Dashed: untrained. Dotted: a uniform field. Right: fields of the last attention sublayer before and after the sum (square root, each map scaled to its own maximum)."}, "image": {"alt": "Left: lines of the share of mass in the own patch against block, before and after the residual sum of attention and before that of the MLP, dashed for an untrained ViT. Right: two square heat maps of the last attention sublayer's field, before and after the sum."}} tags=["hide-input"]
# needs: vit_cls, any vits
TITLES = ("before the sum", "after the sum", "MLP, before its sum")
fig, axes = plt.subplots(1, 3, figsize=(9, 3), width_ratios=[1.5, 1, 1])
for name in [n for n in (vits[0], "untrained vit_cls") if n in heard]:
    for i, (title, tapped) in enumerate(zip(TITLES, heard[name])):
        y = [erf.centre_share(fields[name][t].mean(0), grid[name]) for t in tapped]
        trained = {"ls": "-", "marker": "o", "label": title}
        style = trained if name in vits else {"ls": "--", "lw": 1.2}
        axes[0].plot(y, color=f"C{i}", **style)
axes[0].axhline(1 / grid[vits[0]] ** 2, color=plots.INK, ls=":", lw=1.5)
axes[0].set(xlabel="block", ylabel="share in the own patch", ylim=(0, 1))
axes[0].legend(loc="center right", bbox_to_anchor=(1, 0.64), fontsize=8)
vit, parts = cast[vits[0]], heard[vits[0]]
last = {"before": parts.attention[-1], "after": parts.stream[-1]}
for ax, (title, tap) in zip(axes[1:], last.items()):
    ax.imshow(fields[vits[0]][tap].mean(0) ** 0.5, cmap=plots.MAP)
    ax.set(xticks=[], yticks=[], title=f"{title} the sum")
book.sign(fig, [0])

# %% [markdown]
# The ResNet has such a pair too: the last norm of a block, and the block's output.

# %%
# needs: resnet
rows = {}
for name in [n for n in shown if n.startswith("resnet-")]:
    for _, tap in known.get(name, []):
        block, own = tap.rpartition(".")[0], fields[name]
        rows[block] = {
            "branch": erf.radius(own[tap].mean(0)),
            "stream": erf.radius(own[block].mean(0)),
        }
table = pd.DataFrame(rows, index=["branch", "stream"]).T.astype(float).round(1)
table.rename_axis("half-mass radius (pixels)")

# %% [markdown]
# In the paper, the field of the branch seems to shrink where a stage begins: compare `layer2.0`, `layer3.0` and `layer4.0` with the row above each.
#
# ## Three claims, decided

# %%
# needs: vit_cls, resnet
STATISTICS = {
    "R21-12": lambda v, r: erf.radius(v[0]) / erf.radius(r[0]),
    "R21-13": lambda v, r: erf.midway(erf.radius(v), erf.radius(r)),
}
pairs = book.pairs("vit_cls", "resnet", among=grown)
for claim, f in STATISTICS.items():
    seeds = [bootstrap(f, grown[v], grown[r]) for v, r in pairs]
    book.decide(claim, seeds, images=len(images))


# %%
# needs: vit_cls
def hidden(name):
    """R21-14 for one ViT: attention sublayers of its upper half."""
    late = slice(len(heard[name].stream) // 2, None)
    places = heard[name].attention[late], heard[name].stream[late]
    tapped = [tap for place in places for tap in place]
    more = erf.effective_receptive_field(cast[name], tapped, images)
    before, after = (np.stack([more[t] for t in place], 1) for place in places)
    return bootstrap(lambda b, a: erf.hidden(b, a, grid[name]), before, after)


_ = book.decide("R21-14", [hidden(name) for name in vits], images=len(images))

# %%
book.table()

# %% [markdown]
# The second claim has two parts, and one number cannot say which of them fails. Here are both parts, for every network, and how global each ends:

# %%
parts = {
    name: (*erf.largest_step(r), r[-1] / erf.uniform_radius(book.tier.side))
    for name, r in radii.items()
}
pd.DataFrame(
    {plots.label(n, seed=True): p for n, p in parts.items()},
    index=[
        "depth of the largest step",
        "its share of the rise",
        "last radius / uniform field",
    ],
).T.round(2)

# %% tags=["hide-input"]
# needs: any shown
kept = {name: radii[name].round(3).tolist() for name in shown}
book.keep(radius=kept, settings={"side": book.tier.side})

# %% [markdown]
# ## The same on natural images
#
# The ResNet of CIFAR-10 is wider than that of Scenes, and was trained longer, with other rates and augmentation ({ref}`sec-data`).

# %% tags=["hide-input"]
recorded = book.recorded("radius")

# %% mystnb={"figure": {"name": "fig-recorded-erf", "caption": "Recorded at other tiers, one panel each: half-mass radius against relative depth. Dashed: untrained. Dotted: a field that is the same at every pixel."}, "image": {"alt": "Line plots of half-mass radius in pixels against relative depth, one panel per tier at which they were recorded, one line per network, and a dotted line for a uniform field."}} tags=["hide-input"]
# needs: any recorded
fig, axes = plt.subplots(
    len(recorded), 1, figsize=(6, 3.8 * len(recorded)), squeeze=False
)
for ax, (other, sections) in zip(axes[:, 0], recorded):
    held = sections["radius"]
    names = dict.fromkeys([*(n for n in shown if n in held), *held])
    plot_radii(ax, {n: held[n] for n in names}, sections["settings"]["side"])
    ax.set_title(other.title)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
book.sign(fig, recorded=recorded)

# %%
book.tables(recorded)

# %% [markdown]
# ## What it means
#
# **Larger early?** Radius after the first block, ViT over ResNet: {claim}`R21-12` on Scenes, {claim}`R21-12 @ cifar10` on CIFAR-10. The units are
# not alike: one ViT block follows a patch of many pixels, one ResNet block follows a stem of three convolutions.
#
# **Global in one step, midway?** The paper says that the ViT's field becomes global about midway. *In one step* is how we make that measurable: the largest step lies within a fifth of the
# middle of the depth, and takes a larger share of the rise than the ResNet's largest does. The number is the smaller of the two margins: {claim}`R21-13`, {claim}`R21-13 @ cifar10`. Below 0, at
# least one part fails; the table above tells which. Its last column says which family ends wider: here it is not the ViT, and that is the plainest departure from the paper. The depth of the largest
# step takes few values: with one seed, *no interval* means that no resample of images changed it.
#
# **Does the skip connection make the centre?** Share of the own patch after the sum minus before it, late attention: {claim}`R21-14`,
# {claim}`R21-14 @ cifar10`. The further above 0, the more of the centre's share comes with the skip connection. Compare the untrained ViT first (dashed in
# {numref}`fig-erf-residual`): what random weights show as well is due to the architecture, not to learning. The rule asks
# for the difference only. In the paper late attention has no dominant centre at all before the sum; look at the map *before the sum*, and at its line against the dotted one, before you call this the same.
#
# Compare {numref}`fig-erf-maps` with {numref}`fig-attention-distance`. Attention may be spread over the whole image while the stream
# still depends more on its own patch than on any other.
#
# ## What this tier cannot decide
#
# A gradient is a local answer: it says what a small change of a pixel would do, not what the network would do without it. On images of 64 by 64
# pixels, cut into 8 by 8 patches, there is little room between local and global. The paper's images have 224 by 224 pixels. And in the last block of the ViT with a class token, the patches are
# not read by anything ({ref}`sec-attention`): their fields there were never trained for.
#
# ## Exercises
#
# :::{exercise} Warm-up: a disc
# :label: ex-disc
# A field is the same everywhere in a disc of radius $r$ and zero outside. What is its half-mass radius?
# :::
#
# :::{solution} ex-disc
# :class: dropdown
# The disc of half the area has radius $r/\sqrt 2$.
# :::
#
# :::{exercise} Code: an edge token
# :label: ex-edge-field
# `erf.centre` takes the middle position. Write your own that takes the corner, and compare the two radii in the last block of the
# ViT. Whose field is larger?
# :::
#
# ::::{solution} ex-edge-field
# :class: dropdown
# ```python
# with capture(vit, ["blocks.7"], reduce=lambda h: h.clone()) as found:
#     vit(x)
# for token in (1, 37):  # corner and middle
#     h = found["blocks.7"][:, token]
#     s = torch.randint(0, 2, h.shape) * 2 - 1
#     (g,) = torch.autograd.grad((h * s).sum(), x, retain_graph=True)
#     print(erf.radius(g.square().sum(1).sqrt().mean(0).numpy()))
# ```
#
# Token 0 is the class token, so token 1 is the corner. Its mass can only lie on one side, so compare with care: the radius is
# taken around the centre of the mass, not around the token.
# ::::
#
# :::{exercise} Open: remove instead of differentiate
# :label: ex-occlude
# Replace the gradient by the change when a patch is covered by its mean colour. Does the order of ViT and ResNet stay?
# :::
