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
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from seelike import claims, data, models, plots
from seelike import receptive_field as erf
from seelike.capture import capture, layers

plots.style()

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
images = replace(
    data.load(tier, "test", n_images, seed=5),
    batch_size=16,
)
fresh = models.untrained("vit_cls", tier)
x = images.images[:8].to(models.place()).requires_grad_()
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
side = images.images.shape[-1]
cast = models.cast(["vit_cls", "resnet", "mixer"], tier)
cast |= {
    f"untrained {name}": models.untrained(name, tier)
    for name in ("vit_cls", "resnet")
}


def taps(model):
    """Stream and branches: block outputs, sums after token mixing, and what is added."""
    blocks = layers(model, "block")
    sums = [
        f"{b}.norm2:in" for b in blocks if hasattr(model.get_submodule(b), "norm2")
    ]
    return [
        *blocks,
        *sums,
        *(t for t in layers(model, "branch") if "tokens" not in t),
    ]


fields = {}
for name, model in cast.items():
    both = name.endswith("-0") or name == "untrained vit_cls"
    tapped = taps(model) if both else layers(model, "block")
    fields[name] = erf.effective_receptive_field(model, tapped, images)

# %% mystnb={"figure": {"name": "fig-erf-maps", "caption": "Effective receptive fields of the middle position after four blocks, from the first to the last; square root of the field, each map scaled to its own maximum. The last two rows are untrained."}, "image": {"alt": "A grid of square heat maps, one row per network and four columns from the first to the last block. Bright pixels move the middle position most."}} tags=["hide-input"]
DEPTHS = ("first block", "a third up", "two thirds up", "last block")
shown = [n for n in cast if n.endswith("-0") or "untrained" in n]
fig, axes = plt.subplots(len(shown), 4, figsize=(6.6, 1.75 * len(shown)))
for row, name in zip(axes, shown):
    blocks = layers(cast[name], "block")
    for ax, i in zip(row, np.linspace(0, len(blocks) - 1, 4).round().astype(int)):
        ax.imshow(fields[name][blocks[i]].mean(0) ** 0.5, cmap=plots.MAP)
        ax.set(xticks=[], yticks=[])
        if name == shown[0]:
            ax.set_title(DEPTHS[list(row).index(ax)])
    row[0].set_ylabel(plots.label(name).replace(", ", "\n"), fontsize=9)
plots.sign(fig, tier)

# %% [markdown]
# ## Radius against depth
#
# One number per map: the radius around the centre of its mass that holds half of the mass. A field that is the same
# everywhere gives the dotted line.


# %%
def radii(name, tapped=None):
    """Half-mass radius in pixels of every tap, from all images."""
    tapped = tapped or layers(cast[name], "block")
    return np.array([erf.radius(fields[name][t].mean(0)) for t in tapped])


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
curves = {name: radii(name) for name in shown}
fig, ax = plt.subplots(figsize=(6, 3.8))
plot_radii(ax, curves, side)
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plots.sign(fig, tier)

# %% [markdown]
# ## What the skip connection hides

# %% mystnb={"figure": {"name": "fig-erf-residual", "caption": "ViT, seed 0. Left: share of the field's mass in the position's own patch, before and after the residual sum of attention, and before that of the MLP (blocks from low to high). Dashed: untrained. Dotted: a uniform field. Right: fields of the last attention sublayer before and after the sum (square root, each map scaled to its own maximum)."}, "image": {"alt": "Left: lines of the share of mass in the own patch against block, before and after the residual sum of attention and before that of the MLP, dashed for an untrained ViT. Right: two square heat maps of the last attention sublayer's field, before and after the sum."}} tags=["hide-input"]
vit = cast["vit_cls-0"]
grid = vit.patch_embed.grid_size[0]
blocks = layers(vit, "block")
branch, stream, mlp = (
    [b + end for b in blocks] for end in (".attn", ".norm2:in", ".mlp")
)
own, fresh_field = fields["vit_cls-0"], fields["untrained vit_cls"]
fig, axes = plt.subplots(1, 3, figsize=(9, 3), width_ratios=[1.5, 1, 1])
LINES = {
    "before the sum": branch,
    "after the sum": stream,
    "MLP, before its sum": mlp,
}
for title, tapped in LINES.items():
    y = [erf.centre_share(own[t].mean(0), grid) for t in tapped]
    (line,) = axes[0].plot(y, "o-", label=title)
    y = [erf.centre_share(fresh_field[t].mean(0), grid) for t in tapped]
    axes[0].plot(y, "--", color=line.get_color(), lw=1.2)
axes[0].axhline(1 / grid**2, color=plots.INK, ls=":", lw=1.5)
axes[0].set(xlabel="block", ylabel="share in the own patch", ylim=(0, 1))
axes[0].legend(loc="center right", bbox_to_anchor=(1, 0.64), fontsize=8)
for ax, t, title in zip(axes[1:], (branch[-1], stream[-1]), ("before", "after")):
    ax.imshow(own[t].mean(0) ** 0.5, cmap=plots.MAP)
    ax.set(xticks=[], yticks=[], title=f"{title} the sum")
plots.sign(fig, tier)

# %% [markdown]
# The ResNet has such a pair too: the last norm of a block, and the block's output.

# %%
resnet = layers(cast["resnet-0"], "block")
pd.DataFrame(
    {
        "branch": radii("resnet-0", layers(cast["resnet-0"], "branch")),
        "stream": radii("resnet-0"),
    },
    index=pd.Index(resnet, name="half-mass radius (pixels)"),
).round(1)

# %% [markdown]
# In the paper, the field of the branch seems to shrink where a stage begins: compare `layer2.0`, `layer3.0` and `layer4.0` with the row above each.
#
# ## Three claims, decided


# %%
def rise(r):
    """Depth of the largest step, and its share of the total rise."""
    steps = np.diff(r)
    return (steps.argmax() + 0.5) / len(steps), steps.max() / (r[-1] - r[0])


def midway(v, r):
    depth, share = rise(erf.radius(v))
    return min(0.2 - abs(depth - 0.5), share - rise(erf.radius(r))[1])


def stack(name):
    """Fields after every block, (batches, blocks, h, w)."""
    return np.stack([fields[name][b] for b in layers(cast[name], "block")], 1)


STATISTICS = {
    "R21-12": lambda v, r: erf.radius(v[0]) / erf.radius(r[0]),
    "R21-13": midway,
}

# %%
seeds = models.shared_seeds(["vit_cls", "resnet"], tier)
batches = len(stack("vit_cls-0"))
for claim, f in STATISTICS.items():
    pairs = [(stack(f"vit_cls-{s}"), stack(f"resnet-{s}")) for s in seeds]
    values, draws = zip(*(claims.bootstrap(f, *pair) for pair in pairs))
    e = claims.estimate(values, np.stack(draws), batches)
    claims.record(claim, tier, e, seeds=len(seeds), images=n_images)


def hidden(*late):
    n = len(late) // 2
    share = [erf.centre_share(field, grid) for field in late]
    return np.mean(share[n:]) - np.mean(share[:n])


# %%
late = slice(len(blocks) // 2, None)
values, draws = [], []
for s in seeds:
    tapped = [*branch[late], *stream[late]]
    more = erf.effective_receptive_field(cast[f"vit_cls-{s}"], tapped, images)
    value, drawn = claims.bootstrap(hidden, *more.values())
    values.append(value)
    draws.append(drawn)
e = claims.estimate(values, np.stack(draws), batches)
claims.record("R21-14", tier, e, seeds=len(seeds), images=n_images)
claims.chapter("05", tier)

# %% [markdown]
# The second claim has two parts, and one number cannot say which of them fails. Here are both parts, for every network, and how global each ends:

# %%
parts = {
    n: (*rise(radii(n)), radii(n)[-1] / erf.uniform_radius(side)) for n in cast
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
kept = {name: r.round(3).tolist() for name, r in curves.items()}
settings = {"side": side, "provenance": plots.provenance(tier)}
claims.keep("05", tier, {"radius": kept, "settings": settings})

# %% [markdown]
# ## The same on natural images
#
# The ResNet of CIFAR-10 is wider than that of Scenes, and was trained longer, with other rates and augmentation ({ref}`sec-data`).

# %% mystnb={"figure": {"name": "fig-recorded-erf", "caption": "CIFAR-10, recorded: half-mass radius against relative depth in images of 32 by 32 pixels. Dashed: untrained. Dotted: a field that is the same at every pixel."}, "image": {"alt": "Line plot of half-mass radius in pixels against relative depth, recorded on CIFAR-10, one line per network, and a dotted line for a uniform field."}} tags=["hide-input"]
recorded = claims.results("cifar10", "05")
if recorded:
    fig, ax = plt.subplots(figsize=(6, 3.8))
    held = recorded["radius"]
    held = {n: np.array(held[n]) for n in curves if n in held}
    plot_radii(ax, held, recorded["settings"]["side"])
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    plots.sign(fig, "cifar10", recorded=recorded["settings"]["provenance"])
else:
    plots.absent("Not recorded yet.")

# %%
claims.chapter("05", "cifar10")

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
