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
# (sec-localization)=
# # Spatial localization
#
# **You will learn** to ask whether a token still knows where it is, what one token alone can tell about the image, and how the head of a
# ViT decides both.
#
# *Reading: 11 minutes. Running: {seconds}`07` on two cores. Before this: {ref}`sec-skips`.*
#
# ## The question
#
# Detection and segmentation need features that stay in place. {cite:t}`raghu2021` (Figs 9 to 11 and D.1 to D.4) compare each token of the last block with each patch of
# the image. In a ViT with a class token, they find, tokens still match their own patch; tokens at the edge match other patches of the edge as well. In a
# ResNet, and in a ViT trained with global average pooling, much less. And single tokens classify the image badly when there is a class
# token to do it, but well when all tokens are averaged.

# %% tags=["parameters"]
tier = "scenes"
n_images = 512
n_probe = 768

# %% tags=["hide-input"]
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from seelike import capture, data, localization, plots, scenes
from seelike.chapter import Chapter
from seelike.intervals import bootstrap, bounded, combine, estimate, ratio

book = Chapter("07", tier)

# %% [markdown]
# ## Method: one token against one patch
#
# Over $n$ images a token gives an $n \times c$ matrix, and the pixels of a patch give another. Their CKA says how far the token's differences between images follow the
# patch's. All positions against all patches make one matrix per layer:
#
# $$
# T_{pq} = \operatorname{CKA}\bigl( \text{token at position } p,\; \text{pixels of patch } q \bigr) .
# $$ (eq-localization)
#
# If the largest entry of row $p$ is in column $p$, the token still follows its own patch; for short, it keeps its place. This is about content: a
# token may encode where it is without resembling its patch. A ResNet's last map has fewer positions; its image is cut
# into as many, larger patches.

# %%
images = book.images(n_images, seed=7, batch_size=64)
cast = book.cast("vit_cls", "vit_gap", "resnet", untrained=("vit_cls", "resnet"))
place = book.measured(lambda model: localization.at_last_block(model, images), cast)
tables = {
    name: localization.table(place[name].compute().to_numpy())
    for name in book.shown(place, "vit_cls", "vit_gap", "resnet")
}

# %% tags=["hide-input"]
ORDER = ("vit_cls-0", "vit_gap-0", "resnet-0", "untrained vit_cls", "untrained resnet", "pixels")  # fmt: skip
SPOTS = {"corner": (0, 0), "edge": (0, 0.5), "interior": (0.5, 0.5)}


def spot_maps(row, name, table):
    """The similarity of the tokens at three places to every patch."""
    side = localization.side(len(table))
    for ax, (r, c) in zip(row, SPOTS.values()):
        r, c = int(r * side), int(c * side)
        ax.imshow(table[r * side + c].reshape(side, side), cmap=plots.MAP, vmin=0)
        ax.plot(c, r, "o", mfc="none", mec="white", ms=9, mew=1.8)
        ax.set(xticks=[], yticks=[])
        top = table[r * side + c].max()
        ax.set_xlabel(f"max {top:.2f}", fontsize=8, labelpad=2)
    row[0].set_ylabel(plots.label(name).replace(", ", "\n"), fontsize=9)


# %% mystnb={"figure": {"name": "fig-localization", "caption": "CKA of one position of the last block (white ring: corner, edge, interior) with every patch of the input; each map has its own scale, from 0 to the maximum under it. Seed 0; two rows are untrained. Last row: the patch itself in the place of the token, which shows how far patches of these images are alike."}, "image": {"alt": "A grid of small heat maps over the image's patches, one row per network and one column for a corner, an edge and an interior position, each marked by a white ring."}} tags=["hide-input"]
# needs: any place
whole = next(iter(place.values())).compute().to_numpy()
tables["pixels"] = localization.pixels(whole)
fig, axes = plt.subplots(len(tables), 3, figsize=(5, 1.8 * len(tables)))
for row, (name, table) in zip(axes, tables.items()):
    spot_maps(row, name, table)
for ax, spot in zip(axes[0], SPOTS):
    ax.set_title(spot)
book.sign(fig, [0])

# %% [markdown]
# ## In one number
#
# The share of interior positions whose most similar patch is their own, and its mean CKA, for every network:

# %%
share, likeness = (
    {name: localization.resampled(found, f) for name, found in place.items()}
    for f in (localization.own_share, localization.own_cka)
)

# %% mystnb={"figure": {"name": "fig-own-patch", "caption": "Interior positions of the last block: share whose most similar patch is their own (left), and CKA with their own patch (right); intervals over images, cut where a share cannot be. Chance on the left is one over the number of patches: more for the ResNet, which has few."}, "image": {"alt": "Two dot plots with one row per network: share of interior positions most similar to their own patch, and CKA with the own patch, both with 95 % intervals."}} tags=["hide-input"]
# needs: any place
book.pairs("vit_cls", "resnet", among=place)
fig, axes = plt.subplots(1, 2, figsize=(8.6, 0.33 * len(place) + 1.3), sharey=True)
panels = {
    "share, own patch most similar": {
        n: bounded(estimate([r])) for n, r in share.items()
    },
    "CKA, own patch": {n: estimate([r]) for n, r in likeness.items()},
}
for ax, (label, rows) in zip(axes, panels.items()):
    plots.intervals(ax, rows, {name: plots.colour(name) for name in rows})
    ax.set_yticks(range(len(rows)), [plots.label(n, seed=True) for n in rows])
    ax.set(xlabel=label)
axes[0].set_xlim(-0.03, 1.03)
book.sign(fig)

# %%
few = book.images(n_images * 3 // 8, seed=8)
few = few.with_batches(min(64, len(few)), drop_last=True)
trained = {n: cast[n] for n in cast if not n.startswith("untrained")}
firsts = {n: cast[n] for n in book.shown(trained, "vit_cls", "vit_gap", "resnet")}
vits = {n: model for n, model in firsts.items() if not n.startswith("resnet")}
by_depth = book.measured(lambda model: localization.by_depth(model, few), firsts)

# %% mystnb={"figure": {"name": "fig-place-depth", "caption": "Share of interior positions most similar to their own patch, by block, seed 0, on fewer and other images. The last stage of the ResNet has four interior positions, so its curve there moves in steps of a quarter."}, "image": {"alt": "Line plot against block: share of interior positions most similar to their own input patch, for the two ViTs and the last stages of the ResNet."}} tags=["hide-input"]
# needs: any by_depth
fig, ax = plt.subplots(figsize=(6, 3.3))
for name, shares in by_depth.items():
    ax.plot(
        list(shares),
        list(shares.values()),
        "o-",
        color=plots.colour(name),
        label=plots.label(name),
    )
ax.set(xlabel="block", ylabel="own patch most similar", ylim=(-0.03, 1.03))
ax.legend(loc="lower left")
book.sign(fig, [0])

# %% [markdown]
# ## What one token can tell
#
# A *probe* is a linear classifier on frozen features. We fit ridge regression in closed form to ten images a class, for every position
# separately, and average over three draws of the ten. The penalty is chosen by leave-one-out error. A map of the ResNet is pooled to the
# resolution of its last stage first.

# %%
# needs: labels
shots, test = book.probe(n_probe, n_probe, seeds=(70, 71))
chance = 1 / len(test.classes)
others = {n: trained[n] for n in trained if n not in firsts}


def single(model, first=0):
    blocks = capture.layers(model)[first:]
    return localization.single_tokens(model, shots, test, blocks)


accuracy = book.measured(single, firsts)
accuracy |= book.measured(lambda model: single(model, -1), others)
last = {name: list(found.values())[-1] for name, found in accuracy.items()}


# %% tags=["hide-input"]
def token_probes(axes, by_layer, maps, chance):
    """Accuracy of single positions by relative depth, and at every position of the last block."""
    for name, y in by_layer.items():
        axes[0].plot(
            np.linspace(0, 1, len(y)),
            y,
            "o-",
            color=plots.colour(name),
            label=plots.label(name),
        )
    axes[0].axhline(chance, color=plots.INK, ls=":", lw=1.2)
    axes[0].set(xlabel="relative depth", ylabel="ten-shot accuracy", ylim=(0, 1))
    axes[0].legend(loc="upper left", fontsize=8.5)
    for ax, (name, y) in zip(axes[1:], maps.items()):
        side = localization.side(len(y))
        plots.similarity_map(
            ax,
            np.reshape(y, (side, side)),
            plots.label(name),
            rows="",
            columns="",
            low=min(y),
            high=max(y),
        )
        ax.set(xticks=[], yticks=[])
        ax.invert_yaxis()


# %% mystnb={"figure": {"name": "fig-token-probes", "caption": "Ten-shot accuracy of single positions. Left: mean over positions by relative depth, seed 0; the class token is not among them. Dotted: chance. Right: every position of the last block, each map with its own scale."}, "image": {"alt": "Left: line plot of mean ten-shot accuracy of single positions against relative depth for ViT with class token, ViT with average pooling and ResNet. Right: three heat maps of accuracy at each position of the last block."}} tags=["hide-input"]
# needs: labels, any accuracy
by_layer = {
    n: [a.mean() for a in accuracy[n].values()] for n in firsts if n in accuracy
}
maps = {n: last[n].mean(0) for n in by_layer}
fig, axes = plt.subplots(
    1,
    1 + len(maps),
    figsize=(4 + 2.5 * len(maps), 3),
    width_ratios=[1.5] + [1] * len(maps),
)
token_probes(axes, by_layer, maps, chance)
book.sign(fig, [0])

# %% [markdown]
# ## One token, or all together?
#
# The same probes on aggregates: the class token, the mean over patches, the mean over all tokens, and one patch alone (the first, a corner).

# %%
# needs: labels
every_gap = {n: m for n, m in others.items() if n.startswith("vit_gap")}
pooled = book.measured(
    lambda model: localization.together(model, shots, test), vits | every_gap
)

# %% mystnb={"figure": {"name": "fig-aggregates", "caption": "Ten-shot accuracy of aggregated tokens by block, seed 0. Where there is no class token, the mean of patches is the mean of all tokens. Dotted: chance."}, "image": {"alt": "Two line plots of ten-shot accuracy against block, for the ViT with class token and the ViT with average pooling: class token, mean of patches, mean of all tokens, first patch alone."}} tags=["hide-input"]
# needs: labels, any pooled
both = [n for n in pooled if n in firsts]
fig, axes = plt.subplots(
    1, len(both), figsize=(4.2 * len(both), 3.3), sharey=True, squeeze=False
)
for ax, name in zip(axes.flat, both):
    for label, y in pooled[name].items():
        colour = plots.DEPTHS[localization.AGGREGATES.index(label)]
        ax.plot(y.mean(0), "o-", ms=4, color=colour, label=label)
    ax.axhline(chance, color=plots.INK, ls=":", lw=1.2)
    ax.set(title=plots.label(name), xlabel="block", ylim=(0, 1.02))
    ax.legend(fontsize=8.5)
axes[0, 0].set_ylabel("ten-shot accuracy")
book.sign(fig, [0])

# %% [markdown]
# ## What the token at the object knows
#
# Photographs do not tell where their objects are. Scenes do, and here shape and texture of the object are drawn independently. So we can ask what the paper could not:
# do tokens *on* the object know more of its shape, texture and position than tokens elsewhere? Each position of every second block has a ten-shot probe of its own; test answers
# are split: the object covers more than half of the position's patch, or neither it nor its shadow reaches the patch. The two groups lie at different positions,
# the second nearer to the border.
#
# Where the object is, and whether it covers a position, is itself a hint: large shapes cover more, and an object that is not here is elsewhere. So the yardstick is not one class in ten, but the best guess of
# someone who knows only the position and its group.

# %%
# needs: truth
drawn = scenes.sample(n_probe, 72, correlation=0.1)
known = {}
for task in data.TRUTHS:
    shown, asked = (data.target(task, tier, s, n_probe, 72) for s in data.SPLITS)
    probed = partial(
        localization.on_and_off, shown=shown, asked=asked, groups=drawn.on_grid
    )
    if found := book.measured(probed, vits):
        known[task] = found

# %%
# needs: truth, any known
many = scenes.sample(8192, 73, correlation=0.1, split="train")
name = next(iter(next(iter(known.values()))))
groups = many.on_grid(localization.last_side(cast[name], images))
guesses = {
    task: [
        localization.best_guess(*data.truth(many, task), where) for where in groups
    ]
    for task in known
}

# %% mystnb={"figure": {"name": "fig-object", "caption": "Ten-shot accuracy of single patches by block, for the object's shape, texture and position (quadrant of its centre), on the object (solid) and off it (dashed). Dotted: the best guess that knows only the position and its group (upper and lower line, where they differ). Seed 0, one draw of shots, no interval."}, "image": {"alt": "Line plots of probe accuracy against block, one panel for each of shape, texture and position; solid lines on the object, dashed off it, for two ViTs; dotted lines at the best guess from the position alone."}} tags=["hide-input"]
# needs: truth, any known
fig, axes = plt.subplots(
    1, len(known), figsize=(3.2 * len(known), 3.2), sharey=True, squeeze=False
)
for ax, (task, found) in zip(axes.flat, known.items()):
    for name, curves in found.items():
        for y, line in zip(curves, ("-", "--")):
            ax.plot(
                range(1, 2 * len(y), 2),
                y,
                line,
                marker="o",
                ms=4,
                color=plots.colour(name),
                label=plots.label(name) if line == "-" else None,
            )
    for level in guesses[task]:
        ax.axhline(level, color=plots.INK, ls=":", lw=1.2)
    ax.set(title=task, xlabel="block", ylim=(0, 1))
axes[0, 0].set_ylabel("ten-shot accuracy")
axes[0, 0].legend(loc="upper left", fontsize=9)
book.sign(fig, [0])

# %% [markdown]
# ## Five claims, decided

# %%
PLACES = {
    "R21-19": (("vit_cls", "resnet"), lambda v, r: combine(localization.margin, share[v], share[r])),
    "R21-20": (("vit_cls",), lambda v: localization.resampled(place[v], localization.edges)),
    "R21-21": (("vit_cls", "vit_gap"), lambda v, g: share[v].minus(share[g])),
}  # fmt: skip
for claim, (roles, f) in PLACES.items():
    seeds = [f(*names) for names in book.pairs(*roles, among=place)]
    book.decide(claim, seeds, images=len(images))

# %%
# needs: labels, vit_gap
mean = {name: found["mean of patches"][:, -1] for name, found in pooled.items()}
PROBED = {
    "R21-22": (("vit_cls", "vit_gap"), lambda v, g: bootstrap(ratio, last[g], last[v])),
    "R21-23": (("vit_gap",), lambda g: bootstrap(localization.gap, last[g], mean[g])),
}  # fmt: skip
for claim, (roles, f) in PROBED.items():
    seeds = [f(*names) for names in book.pairs(*roles, among=last)]
    book.decide(claim, seeds, images=len(test))

# %%
book.table()

# %% tags=["hide-input"]
book.keep(place={n: t.round(3).tolist() for n, t in tables.items()})

# %% tags=["hide-input"]
# needs: labels, any accuracy
book.keep(
    layers={n: np.round(y, 3).tolist() for n, y in by_layer.items()},
    maps={n: np.round(y, 3).tolist() for n, y in maps.items()},
)

# %% [markdown]
# ## The same on natural images
#
# The ResNet of CIFAR-10 is wider than that of Scenes, and was trained longer, with other rates and augmentation ({ref}`sec-data`).

# %%
recorded, recorded_probes = book.recorded("place"), book.recorded("maps")

# %% mystnb={"figure": {"name": "fig-recorded-localization", "caption": "Recorded at other tiers: CKA of three positions of the last block with every input patch, each map with its own scale from 0 to the maximum under it; rows as above, tier by tier."}, "image": {"alt": "A grid of small heat maps recorded at other tiers, one row per network, and columns for a corner, an edge and an interior position, each marked by a white ring."}} tags=["hide-input"]
# needs: any recorded
rows = [
    (r.tier, name, np.array(r.sections["place"][name]))
    for r in recorded
    for name in ORDER
    if name in r.sections["place"]
]
fig, axes = plt.subplots(len(rows), 3, figsize=(5, 1.8 * len(rows)), squeeze=False)
for row, (other, name, table) in zip(axes, rows):
    spot_maps(row, name, table)
    if len(recorded) > 1:
        row[0].set_title(other.title, loc="left", fontsize=9)
for ax, spot in zip(axes[0], SPOTS):
    ax.set_title(spot)
book.sign(fig, recorded=recorded)

# %% mystnb={"figure": {"name": "fig-recorded-probes", "caption": "Recorded at other tiers, one row each: ten-shot accuracy of single positions, as above."}, "image": {"alt": "Recorded at other tiers, one row each. Left: line plot of mean ten-shot accuracy of single positions against relative depth. Right: heat maps of accuracy at each position of the last block, one per network."}} tags=["hide-input"]
# needs: any recorded_probes
fig, axes = plt.subplots(
    len(recorded_probes),
    4,
    figsize=(11.5, 3 * len(recorded_probes)),
    width_ratios=[1.5, 1, 1, 1],
    squeeze=False,
)
for row, (other, sections) in zip(axes, recorded_probes):
    held = [n for n in ORDER if n in sections["maps"]]
    token_probes(
        row,
        {n: sections["layers"][n] for n in held},
        {n: sections["maps"][n] for n in held},
        1 / other.classes,
    )
    row[0].set_title(other.title)
    for ax in row[1 + len(held) :]:
        ax.set_axis_off()
book.sign(fig, recorded=recorded_probes)

# %%
book.tables(recorded)

# %% [markdown]
# ## What it means
#
# **Do tokens keep their place?** Smaller of two margins, own patch most similar: {claim}`R21-19` on Scenes, {claim}`R21-19 @ cifar10` on CIFAR-10.
# **Edges alike?** Corner tokens, CKA with edge minus interior patches; smaller of two margins: {claim}`R21-20`, {claim}`R21-20 @ cifar10`. **Does the head decide?** Share of tokens in their place, class token minus average
# pooling: {claim}`R21-21`, {claim}`R21-21 @ cifar10`. The two ViTs differ in the class token and in where the answer is read; recipe and images are the same.
#
# **Can one token classify?** Accuracy of single tokens, average pooling over class token: {claim}`R21-22`, {claim}`R21-22 @ cifar10`. The rule's threshold comes
# from a thousand classes. With ten, chance is a tenth, and no ratio can pass ten. The direction is the paper's on both tiers; the factor is not. **Are pooled tokens interchangeable?** Larger of two gaps in points:
# {claim}`R21-23`, {claim}`R21-23 @ cifar10`. On Scenes the value is near the threshold, and a range over many tokens contains the noise of each, so it can pass by chance alone. On CIFAR-10 it is the other gap
# that decides: one token is far worse than the mean of all. Intervals of both cover the test images (on Scenes the seeds as well), not the choice of shots: three draws, the same for every network.
#
# Compare the untrained rows of {numref}`fig-localization` and {numref}`fig-own-patch` first. The untrained pair satisfies the first rule better than the trained one, for the skip connections carry the pixels to the top. So the
# claim says what the architecture does, not what was learned. Training lowers the ViT's similarity to its own patch, and average pooling lowers it further. On Scenes the ViT's own part holds for every seed; it is the
# distance to the ResNet that is undecided.
#
# Edges are a matter of the images, too: compare with the row of the patches themselves. On CIFAR-10 the corner resembles the two sides that meet in it, and hardly the two others: the rule is met by near patches, which are
# alike in any image. On Scenes it resembles all four sides, but the border of a scene is mostly background. With few seeds an interval may leave the possible range; with one, *no interval* means that no resample changed
# a discrete statistic.
#
# {numref}`fig-object` adds what photographs cannot say. In the ViT with class token, patches on the object know more of its texture than patches off it. With average pooling this ends in the middle: patches off the object
# know as much or more, so attention has carried the answer there. Shape can be read only a little, and best off the object with average pooling: these networks were trained where texture gives the class away as well. The position of the object is read no better
# than it can be guessed.
#
# ## What this tier cannot decide
#
# The ResNet's last map has sixteen positions, four of them interior, so its share moves in quarters. Its patches are larger than the ViT's: 4 by 4 positions against 8 by 8; in the paper ViT-B/32 and ResNet-50 have the same grid.
# CKA with pixels is linear: a token may know its patch in a way that no linear map of pixels shows.
#
# ## Exercises
#
# :::{exercise} Warm-up: chance
# :label: ex-chance-place
# A layer has 64 positions and its tokens know nothing of their place. What is the expected share of positions whose most similar patch is
# their own? And with 16 positions?
# :::
#
# :::{solution} ex-chance-place
# :class: dropdown
# One in 64, and one in 16.
# :::
#
# :::{exercise} Code: other images
# :label: ex-place-null
# Write the null control: shift the images by one within each batch before the patches are cut, so that tokens and patches come from
# different images. What is an entry of $T$ then?
# :::
#
# ::::{solution} ex-place-null
# :class: dropdown
# ```python
# from seelike.cka import cka
#
# x, _ = next(iter(images))
# with capture.capture(cast["vit_cls-0"], ["blocks.7"]) as found:
#     cast["vit_cls-0"](x)
# token = capture.patches(found["blocks.7"])[:, 27]
# patch = x[:, :, 24:32, 24:32]
# print(cka(token, patch), cka(token, patch.roll(1, 0)))
# ```
#
# Near zero, of either sign: the estimator is unbiased.
# ::::
#
# :::{exercise} Open: registers
# :label: ex-registers
# Give the ViT four register tokens (extra learned tokens that belong to no patch and are not averaged) and train it with average pooling. Do the patches keep their place better?
# :::
