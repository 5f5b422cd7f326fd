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
# *Reading: 15 minutes. Running: {seconds}`07` on two cores. Before this: {ref}`sec-skips`.*
#
# :::{finding} R21-19 direction holds; R21-19 beyond_control no; R21-20 low > 0; R21-20 beyond_control no; R21-21 direction holds; R21-21 beyond_control yes; R21-22 direction holds
# :title: What we found
# **In the last block of a ViT with a {term}`class token`, a token still resembles its own patch**, far more than a position of our ResNet does ({claim}`R21-19`). **It
# takes no training:** in untrained networks the difference is larger, and training takes some of the place away. Corner tokens lean towards the edge of the image
# ({claim}`R21-20`), but less than the corner patches that they started from. **The head makes a difference that training brings about:** a ViT that reads the mean of its tokens has fewer of them in their
# place ({claim}`R21-21`; most analyses agree, not all), and each of them tells more of the class ({claim}`R21-22`, in points).
# :::
#
# ## The question
#
# Detection and segmentation need features that stay in place. {cite:t}`raghu2021` (Figs 9 to 11 and D.1 to D.4) compare each token of the last block with each patch of
# the image. In a ViT with a class token, they find, tokens still match their own {term}`patch`; tokens at the edge match other patches of the edge as well. In a
# ResNet, and in a ViT trained with global average pooling ({term}`GAP`), much less. And single tokens classify the image badly when there is a class
# token to do it, but well when all tokens are averaged.
#
# The first half of this chapter is about place, the second about what a {term}`token` tells.

# %% tags=["parameters"]
tier = "scenes"
n_images = 512
n_probe = 768
n_pooled = 3072

# %% tags=["hide-input"]
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seelike import capture, data, localization, plots, scenes
from seelike.chapter import Chapter
from seelike.intervals import bootstrap, bounded, estimate, ratio

book = Chapter("07", tier)

# %% [markdown]
# ## First half: does a token keep its place?
#
# ### Method: one token against one patch
#
# Over $n$ images a token gives an $n \times c$ matrix, and the pixels of a patch give another. Their {term}`CKA` says how far the token's differences between images follow the
# patch's. All positions against all patches make one matrix per layer:
#
# $$
# T_{pq} = \operatorname{CKA}\bigl( \text{token at position } p,\; \text{pixels of patch } q \bigr) .
# $$ (eq-localization)
#
# If the largest entry of row $p$ is in column $p$, the token still follows its own patch; for short, it keeps its place. This is about content: a
# token may encode where it is without resembling its patch. A ResNet's last map has fewer positions; its image is cut
# into as many, larger patches.
#
# :::{guess} Does an untrained ViT keep its tokens' places better or worse than a trained one?
# - Better: training mixes what starts apart.
# - Worse: with random weights attention mixes everything with everything.
# - The same: place is a matter of position embeddings.
# :::

# %%
images = book.images(n_images, seed=7, batch_size=64)
controls = ("vit_cls", "vit_gap", "resnet")
cast = book.cast("vit_cls", "vit_gap", "resnet", untrained=controls)
place = book.measured(lambda model: localization.at_last_block(model, images), cast)
book.pairs("vit_cls", among=place)
trained = {n: cast[n] for n in cast if not n.startswith("untrained")}
tables = {
    name: localization.table(place[name].compute().to_numpy())
    for name in book.shown(place, "vit_cls", "vit_gap", "resnet")
    if name != "untrained vit_gap"
}

# %% tags=["hide-input"]
ORDER = ("vit_cls", "vit_gap", "resnet", "untrained vit_cls", "untrained resnet", "pixels")  # fmt: skip


def rank(name):
    """Place of a network (`vit_cls-0`) in the order of figures."""
    role = name.rpartition("-")[0] or name
    return ORDER.index(role) if role in ORDER else len(ORDER)


def title(name):
    return plots.label(name).replace(", ", "\n")


def spot_maps(rows, sign):
    """The similarity of tokens at four places to every patch, one row a table, by label; one colour scale, up to the largest trained entry."""
    spotted = {
        label: [
            (r, c, t[r * n + c].reshape(n, n)) for r, c in localization.spots(n)
        ]
        for label, t in rows.items()
        for n in [localization.side(len(t))]
    }
    bare = [label for label in spotted if "untrained" in label or "pixels" in label]
    top = max(
        m.max() for n, of in spotted.items() for _, _, m in of if n not in bare
    )
    fig, axes = plt.subplots(
        len(rows), 4, figsize=(5.6, 1.3 * len(rows)), squeeze=False
    )
    for row, (label, of) in zip(axes, spotted.items()):
        for ax, (r, c, m) in zip(row, of):
            shown = ax.imshow(m, cmap=plots.MAP, vmin=0, vmax=top)
            ax.plot(c, r, "o", mfc="none", mec="white", ms=8, mew=1.6)
            ax.set(xticks=[], yticks=[])
            ax.set_xlabel(f"max {m.max():.2f}", fontsize=8, labelpad=2)
        row[0].set_ylabel(label, fontsize=8.5)
    fig.colorbar(shown, ax=axes, shrink=0.4, extend="max", label="CKA")
    sign(fig)


# %% mystnb={"figure": {"name": "fig-localization", "caption": "CKA of one position of the last block (white ring) with every patch of the input; the four tokens of the paper's Fig. 9, at the same relative places. One colour scale, up to the largest value of a trained network; the largest of each map under it. Untrained networks and, in the last row, the patch itself in the place of the token exceed the scale; entries below 0 are drawn as 0."}, "image": {"alt": "A grid of small heat maps over the image's patches, one row per network and one column for each of four positions, marked by a white ring. In the ViT with class token each ring is the brightest spot of its map; with average pooling and in the ResNet the maps are dark throughout. Untrained ViTs and bare pixels are brighter than any trained network."}} tags=["hide-input"]
# needs: any tables
whole = place[next(iter(tables))].compute().to_numpy()
tables["pixels"] = localization.pixels(whole)
spot_maps(
    {title(n): t for n, t in tables.items()},
    partial(book.sign, seeds=book.seeds[:1] or [0]),
)

# %% [markdown]
# :::{finding} R21-19 beyond_control no
# :title: Answer
# Better. Untrained, the ring is the brightest spot of every map of the ViT, as it is for the bare patch: skip connections carry the patch to the top, and untrained
# branches add little to it.
# :::
#
# ### In one number
#
# How much more a position resembles its own patch than the others, and the share of positions that resemble none more than their own; over interior positions, for every
# network. Bare pixels in the place of the token are the control: all that a token keeps of its patch was there before.

# %%
lead, share = (
    {name: localization.resampled(found, f) for name, found in place.items()}
    for f in (localization.own_lead, localization.own_share)
)
grids = {len(found.layers) // 2: found for found in place.values()}
bare = {
    f"pixels, {localization.side(n)} × {localization.side(n)}": localization.resampled(
        found, localization.own_lead, localization.pixels
    )
    for n, found in grids.items()
}

# %% mystnb={"figure": {"name": "fig-own-patch", "caption": "Interior positions of the last block: CKA with their own patch minus the mean with all others (left), and share whose most similar patch is their own (right); intervals over images, cut where a share cannot be. Grey: untrained networks, and patches themselves in the place of tokens. Chance on the right is one over the number of patches."}, "image": {"alt": "Two dot plots with one row per network: lead of the own patch in CKA, and share of interior positions most similar to their own patch, with 95 % intervals. ViTs with a class token lie above the other trained networks; untrained ViTs and pixels lie far above all."}} tags=["hide-input"]
# needs: any place
book.pairs("vit_cls", "resnet", among=place)
rows = {n: estimate([r]) for n, r in (lead | bare).items()}
kept = {n: bounded(estimate([r])) for n, r in share.items()}
fig, axes = plt.subplots(1, 2, figsize=(8.8, 0.3 * len(rows) + 1.2), sharey=True)
for ax, found in zip(axes, (rows, kept)):
    plots.intervals(ax, found, {name: plots.colour(name) for name in found})
    ax.axvline(0, color=plots.INK, lw=0.8)
axes[0].set_yticks(range(len(rows)), [plots.label(n, seed=True) for n in rows])
axes[0].set_ylim(len(rows) - 0.5, -0.5)
axes[0].set_xlabel("CKA, own patch minus others")
axes[1].set(xlabel="share, own patch most similar", xlim=(-0.03, 1.03))
book.sign(fig)

# %% [markdown]
# The same with depth, on fewer and other images, and the maps of the last but one block (of the ResNet, of the earlier units of its last stages too), as in the paper's Figs D.1 to D.3:

# %%
few = book.images(n_images * 3 // 8, seed=8)
few = few.with_batches(min(64, len(few)), drop_last=True)
firsts = {n: cast[n] for n in book.shown(trained, "vit_cls", "vit_gap", "resnet")}
vits = {n: model for n, model in firsts.items() if not n.startswith("resnet")}
by_depth = book.measured(lambda model: localization.by_depth(model, few), firsts)

# %% mystnb={"figure": {"name": "fig-place-depth", "caption": "CKA of interior positions with their own patch minus the mean with all others, by block; one seed. Of the ResNet its last three blocks: 8 × 8 positions, then 4 × 4."}, "image": {"alt": "Line plot against block: lead of the own patch in CKA, for the two ViTs and the last blocks of the ResNet. Both ViTs start high and fall; the one with average pooling ends as low as the ResNet, the one with class token above both."}} tags=["hide-input"]
# needs: any by_depth
fig, ax = plt.subplots(figsize=(6, 3.3))
for name, found in by_depth.items():
    y = [localization.own_lead(t) for t in found.values()]
    ax.plot([*found], y, "o-", color=plots.colour(name), label=plots.label(name))
ax.axhline(0, color=plots.INK, lw=0.8)
ax.set(xlabel="block", ylabel="CKA, own patch minus others")
ax.legend(fontsize=9)
book.sign(fig, book.seeds[:1] or [0])

# %% mystnb={"figure": {"name": "fig-place-earlier", "caption": "As the figure of the last block, but for the last but one block, and of the ResNet for the one before as well; one colour scale."}, "image": {"alt": "A grid of small heat maps, one row per network and block and one column for each of four positions, marked by a white ring. Where a ring lies on the brightest spot of its map, the position keeps its place."}} tags=["hide-cell"]
# needs: any by_depth
earlier = {
    f"{title(name)}\nblock {i}": found[i]
    for name, found in by_depth.items()
    for i in ([*found][-3:-1] if name.startswith("resnet") else [*found][-2:-1])
}
spot_maps(earlier, partial(book.sign, seeds=book.seeds[:1] or [0]))

# %% [markdown]
# Averages over positions and images hide what single ones do. Three measures of this book at any position of two images, attention ({ref}`sec-attention`), similarity to
# patches, and {ref}`effective receptive field <sec-erf>`:
#
# :::{explore} tokens
# :::
#
# Go from the object to the background and watch the heads of the first block. In the ViT with a class token, patches of the heart give the heart several times the attention
# that an even look would, in every head; patches of the background look as far as an even look does, and avoid the heart. In the untrained ViT neither is so. It is one image,
# but it shows what the mean distance of {ref}`sec-attention` averages over: what draws these heads is likeness, near or far.

# %% [markdown]
# ### And the edge?
#
# For corner positions, CKA with the patches of the edge minus that with patches of the interior; for interior positions the same. If only those near a patch resembled it, corners would
# lean towards the edge in any image; therefore the patches themselves stand beside the tokens.
#
# :::{guess} Corner tokens lean towards the edge. Do they lean more or less than the corner patches themselves?
# - More: the network has learned that the border is background.
# - Less: tokens have taken in other things than the pixels of their patch.
# - As much: tokens are what their patches are.
# :::


# %%
def toward(found, of=localization.table):
    """How far corner positions lean towards the edge, and how much more than others."""
    both = (localization.toward_edge, localization.edge_lead)
    return [localization.resampled(found, f, of) for f in both]


edges = {name: toward(found) for name, found in place.items() if "vit" in name}
bare_edges = {
    n: toward(place[n], localization.pixels)
    for n in edges
    if n.startswith("vit_cls")
}

# %% mystnb={"figure": {"name": "fig-edges", "caption": "CKA of corner positions of the last block with edge patches minus interior patches (left), and how much more this is than for interior positions (right). Last row: patches in the place of the tokens."}, "image": {"alt": "Two dot plots with one row per ViT and one for bare pixels: leaning towards the edge, and its excess over that of interior positions. Those of ViTs with a class token are above zero and below the row of the pixels."}} tags=["hide-input"]
# needs: any edges
rows = edges | dict(zip(["pixels"], bare_edges.values()))
fig, axes = plt.subplots(1, 2, figsize=(8.8, 0.3 * len(rows) + 1.2), sharey=True)
for i, (ax, label) in enumerate(
    zip(axes, ("corner tokens", "minus interior tokens"))
):
    found = {n: estimate([r[i]]) for n, r in rows.items()}
    plots.intervals(ax, found, {n: plots.colour(n) for n in found})
    ax.axvline(0, color=plots.INK, lw=0.8)
    ax.set_xlabel(f"CKA, edge minus interior:\n{label}")
axes[0].set_yticks(range(len(rows)), [plots.label(n, seed=True) for n in rows])
book.sign(fig)

# %% [markdown]
# :::{finding} R21-20 low > 0; R21-20 beyond_control no
# :title: Answer
# Less, with each ViT that has a class token. The border of a scene is mostly background, and edge patches are alike to begin with.
# :::
#
# ### Three claims, decided


# %%
def pair(measured, a, b, seeds):
    """A difference of two networks of each pair, and of the untrained ones."""
    two = [(f"untrained {a}", f"untrained {b}")]
    some = [names for names in two if {*names} <= {*measured}]
    return [[measured[x].minus(measured[y]) for x, y in p] for p in (seeds, some)]


GRID = {
    "R21-19": (lead, "vit_cls", "resnet"),
    "R21-21": (share, "vit_cls", "vit_gap"),
}
for claim, (measured, *roles) in GRID.items():
    seeds, control = pair(measured, *roles, book.pairs(*roles, among=measured))
    book.decide(claim, seeds, images=len(images), control=control)

# %%
named = [name for (name,) in book.pairs("vit_cls", among=edges)]
PARTS = ("corner tokens", "more than interior tokens")
told = book.decide(
    "R21-20",
    {part: [edges[n][i] for n in named] for i, part in enumerate(PARTS)},
    images=len(images),
    control=[bare_edges[n][0] for n in named],
)

# %% [markdown]
# ### How much does the analysis matter?

# %% mystnb={"figure": {"name": "fig-panel-r21-19", "caption": "Lead of the own patch, ViT minus ResNet, in other analyses; a share of positions where the measure is a share. Dotted: no difference. Band: the chapter's number."}, "image": {"alt": "Specification curve: sorted estimates with intervals of the difference between ViT and ResNet, above rows of marks that say which positions, layer, measure and networks made each."}} tags=["hide-input"]
book.panel("R21-19")

# %% mystnb={"figure": {"name": "fig-panel-r21-21", "caption": "Tokens in their place, ViT with class token minus ViT with average pooling, in other analyses. Dotted: no difference. Band: the chapter's number."}, "image": {"alt": "Specification curve: sorted estimates with intervals of the difference between the two ViTs, above rows of marks that say which positions, layer, measure and networks made each."}} tags=["hide-input"]
book.panel("R21-21")

# %% [markdown]
# ## Second half: what can one token tell?
#
# ### Method: a probe at every position
#
# A {term}`probe` is a linear classifier on frozen features. We fit {term}`ridge regression` in closed form to ten images a class, for every position
# separately, and average over three draws of the ten. The penalty is chosen by leave-one-out error. A map of the ResNet is pooled to the
# resolution of its last stage first.
#
# :::{guess} One patch of the last block, chosen blindly: in which network does it know most of the image's class?
# - In the ViT with a class token: its patches still describe what they show.
# - In the ViT with average pooling: every patch is part of the answer.
# - In the ResNet: its last positions see the whole image.
# :::

# %%
# needs: labels
shots, test = book.probe(n_probe, n_probe, seeds=(70, 71))
chance = 1 / len(test.classes)


def single(model):
    return localization.single_tokens(model, shots, test, capture.layers(model))


accuracy = book.measured(single, firsts)
last = {name: list(found.values())[-1] for name, found in accuracy.items()}


# %% tags=["hide-input"]
def token_probes(axes, by_layer, maps, chance):
    """Accuracy of single positions by relative depth, and at every position of the last block."""
    for name, y in by_layer.items():
        x = np.linspace(0, 1, len(y))
        axes[0].plot(x, y, "o-", color=plots.colour(name), label=plots.label(name))
    axes[0].axhline(chance, color=plots.INK, ls=":", lw=1.2)
    axes[0].set(xlabel="relative depth", ylabel="ten-shot accuracy", ylim=(0, 1))
    axes[0].legend(loc="upper left", fontsize=8.5)
    for ax, (name, y) in zip(axes[1:], maps.items()):
        shown = accuracy_map(ax, y, chance)
        ax.set_title(plots.label(name), fontsize=11)
    if maps:
        axes[0].figure.colorbar(shown, ax=axes[1:], shrink=0.7, label="accuracy")


def accuracy_map(ax, y, chance):
    """Accuracy at every position, on the scale from chance to 1, with its range under it."""
    n = localization.side(len(y))
    shown = ax.imshow(np.reshape(y, (n, n)), cmap=plots.MAP, vmin=chance, vmax=1)
    ax.set(xticks=[], yticks=[])
    ax.set_xlabel(f"{100 * min(y):.0f} to {100 * max(y):.0f} %", fontsize=8.5)
    return shown


# %% mystnb={"figure": {"name": "fig-token-probes", "caption": "Ten-shot accuracy of single positions, one seed. Left: mean over positions by relative depth; the class token is not among them. Dotted: chance. Right: every position of the last block, on one colour scale from chance to 1, with the range under each map."}, "image": {"alt": "Left: line plot of mean ten-shot accuracy of single positions against relative depth for ViT with class token, ViT with average pooling and ResNet. Right: three heat maps of accuracy at each position of the last block: uneven and darker for the class token, evenly bright for the two others."}} tags=["hide-input"]
# needs: labels, any accuracy
by_layer = {
    n: [a.mean() for a in accuracy[n].values()] for n in firsts if n in accuracy
}
maps = {n: last[n].mean(0) for n in by_layer}
fig, axes = plt.subplots(
    1,
    1 + len(maps),
    figsize=(4 + 2.3 * len(maps), 3),
    width_ratios=[1.5] + [1] * len(maps),
)
token_probes(axes, by_layer, maps, chance)
book.sign(fig, book.seeds[:1] or [0])

# %% mystnb={"figure": {"name": "fig-probe-maps", "caption": "Ten-shot accuracy at every position of several blocks, as in the paper's Fig. D.4; one colour scale from chance to 1, with the range under each map. Read a row from left to right: from low to high blocks."}, "image": {"alt": "A grid of heat maps of accuracy at each position, one row per network and one column per block from low to high. All start dark; towards the top the maps of the ViT with average pooling and of the ResNet become evenly bright, those of the ViT with class token only here and there."}} tags=["hide-cell"]
# needs: labels, any accuracy
fig, axes = plt.subplots(
    len(by_layer), 5, figsize=(6.8, 1.5 * len(by_layer)), squeeze=False
)
for row, name in zip(axes, by_layer):
    every = list(accuracy[name].values())
    chosen = np.linspace(0, len(every) - 1, 5).round().astype(int)
    for ax, i in zip(row, chosen):
        shown = accuracy_map(ax, every[i].mean(0), chance)
        ax.set_title(f"block {i}", fontsize=9)
    row[0].set_ylabel(title(name), fontsize=9)
fig.colorbar(shown, ax=axes, shrink=0.5, label="accuracy")
book.sign(fig, book.seeds[:1] or [0])

# %% [markdown]
# :::{finding} R21-22 direction holds
# :title: Answer
# The ViT with average pooling: its single patches are ahead by {claim}`R21-22` points. The ResNet averages its positions, too, and its map can be compared with both.
# :::
#
# ### One token, or all together?
#
# The same probes on aggregates: the class token, the mean over patches, the mean over all tokens, and one patch alone (the first, a corner).

# %%
# needs: labels
pooled = book.measured(
    lambda model: localization.together(model, shots, test), vits
)

# %% mystnb={"figure": {"name": "fig-aggregates", "caption": "Ten-shot accuracy of aggregated tokens by block, one seed. Where there is no class token, the mean of patches is the mean of all tokens. Dotted: chance."}, "image": {"alt": "Two line plots of ten-shot accuracy against block, for the ViT with class token and the ViT with average pooling: class token, mean of patches, mean of all tokens, first patch alone. With average pooling the lines meet at the last block; with class token the first patch stays far below."}} tags=["hide-input"]
# needs: labels, any pooled
fig, axes = plt.subplots(
    1, len(pooled), figsize=(4.2 * len(pooled), 3.3), sharey=True, squeeze=False
)
for ax, name in zip(axes.flat, pooled):
    for label, y in pooled[name].items():
        colour = plots.DEPTHS[localization.AGGREGATES.index(label)]
        ax.plot(y.mean(0), "o-", ms=4, color=colour, label=label)
    ax.axhline(chance, color=plots.INK, ls=":", lw=1.2)
    ax.set(title=plots.label(name), xlabel="block", ylim=(0, 1.02))
    ax.legend(fontsize=8.5)
axes[0, 0].set_ylabel("ten-shot accuracy")
book.sign(fig, book.seeds[:1] or [0])

# %% [markdown]
# How alike are the tokens of the last block? The plain range, from the worst to the best of 64 accuracies, is too large, because each is measured on finitely many images.
# So we ask more images, estimate from batch to batch how much of the spread the images bring, and shrink the range to what remains.

# %%
# needs: labels
tested = book.probe(n_probe, n_pooled, seeds=(70, 71))[1]
deep = {n: m for n, m in trained.items() if n.startswith(("vit_cls-", "vit_gap-"))}
both = book.measured(lambda m: localization.one_and_all(m, shots, tested), deep)
one, together = ({n: a[:, c] for n, a in both.items()} for c in (slice(-1), -1))
gains = {n: bootstrap(localization.pooling_gain, one[n], together[n]) for n in both}
spreads = {n: localization.spread(one[n]) for n in both}

# %% mystnb={"figure": {"name": "fig-interchange", "caption": "Last block: ten-shot accuracy of single patches (dots: each position; line: their range) and of the mean of all patches (diamond), for every network; the two kinds of ViT in their colours."}, "image": {"alt": "One row per network with 64 dots, one a position, on an axis of accuracy, and a diamond for all patches together. With average pooling all dots lie close to their diamond near the right end; with a class token they spread far below it."}} tags=["hide-input"]
# needs: labels, any both
fig, ax = plt.subplots(figsize=(7, 0.36 * len(both) + 1.1))
for y, name in enumerate(both):
    x, colour = 100 * one[name].mean(0), plots.colour(name)
    ax.plot([x.min(), x.max()], [y, y], color=colour, lw=1)
    ax.plot(x, [y] * len(x), "o", color=colour, ms=5, alpha=0.25, mew=0)
    both_at = 100 * together[name].mean()
    ax.plot(both_at, y - 0.25, "D", color=colour, mec="black", mew=0.8, ms=6)
    if y == 0:
        ax.annotate("single patches", (x.min(), y), (0, 8), textcoords="offset points", fontsize=9)  # fmt: skip
        ax.annotate("all together", (both_at, y), (8, 0), textcoords="offset points", va="center", fontsize=9)  # fmt: skip
ax.set_yticks(range(len(both)), [plots.label(n, seed=True) for n in both])
ax.set(
    xlabel="ten-shot accuracy in %",
    ylim=(len(both) - 0.5, -0.5),
    xlim=(None, 100.5),
)
ax.grid(axis="x", lw=0.5, alpha=0.5)
book.sign(fig)

# %%
# needs: labels, any both
pd.DataFrame(
    {
        plots.label(n, seed=True): {
            "one patch (%)": 100 * one[n].mean(),
            "all together (%)": 100 * together[n].mean(),
            "gain in points": gains[n].value,
            "plain range": 100 * np.ptp(one[n].mean(0)),
            "corrected range": spreads[n].value,
        }
        for n in both
    }
).T.round(2)

# %% [markdown]
# ### What the token at the object knows
#
# Photographs do not tell where their objects are. Scenes do, and here shape and texture of the object are drawn independently. So we can ask what the paper could not:
# do tokens *on* the object know more of its shape, texture and position than tokens elsewhere? Each position of every second block has a ten-shot probe of its own; test answers
# are split: the object covers more than half of the position's patch, or neither it nor its shadow reaches the patch. The two groups lie at different positions,
# the second nearer to the border.
#
# Where the object is, and whether it covers a position, is itself a hint: large shapes cover more, and an object that is not here is elsewhere. So the yardstick is not one
# class in ten, but the best guess of someone who knows only the position and its group.

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

# %% mystnb={"figure": {"name": "fig-object", "caption": "Ten-shot accuracy of single patches by block, for the object's shape, texture and position (quadrant of its centre), on the object (solid) and off it (dashed). Dotted: the best guess that knows only the position and its group (upper and lower line, where they differ). One seed, one draw of shots, no interval."}, "image": {"alt": "Line plots of probe accuracy against block, one panel for each of shape, texture and position; solid lines on the object, dashed off it, for two ViTs; dotted lines at the best guess from the position alone."}} tags=["hide-input"]
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
book.sign(fig, book.seeds[:1] or [0])

# %% [markdown]
# ### Three more claims, decided

# %%
# needs: labels, vit_gap, any both
pairs = book.pairs("vit_cls", "vit_gap", among=both)
room = [bootstrap(localization.ceiling, one[v]) for v, _ in pairs]
PROBED = {"R21-22": localization.advantage, "R21-22b": ratio}
for claim, f in PROBED.items():
    seeds = [bootstrap(f, one[g], one[v]) for v, g in pairs]
    testable = room if claim == "R21-22b" else []
    book.decide(claim, seeds, images=len(tested), testable=testable)
PARTS = {"all tokens over one": gains, "one token over another": spreads}
apart = {part: [d[v].minus(d[g]) for v, g in pairs] for part, d in PARTS.items()}
told = book.decide("R21-23", apart, images=len(tested))

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
# Tiny ImageNet is photographs at the size and patch of Scenes, with one network of a kind. The ResNets there and of CIFAR-10 are wider than that of Scenes, and learned at
# other rates and with other augmentation ({ref}`sec-data`).

# %%
recorded, recorded_probes = book.recorded("place"), book.recorded("maps")


# %% mystnb={"figure": {"name": "fig-recorded-localization", "caption": "Recorded on photographs (at the first of the other tiers): CKA of four positions of the last block with every input patch, on one colour scale; rows as above."}, "image": {"alt": "Grids of small heat maps recorded at other tiers, one row per network, and columns for four positions, each marked by a white ring."}} tags=["hide-input"]
# needs: any recorded
def recorded_maps(other):
    """The four positions of the networks of another tier."""
    held = {
        n.rpartition("-")[0] or n: t for n, t in other.sections["place"].items()
    }
    spot_maps(
        {title(n): np.array(held[n]) for n in ORDER if n in held},
        partial(book.sign, recorded=[other]),
    )


for other in recorded[:1]:  # a figure cell shows one figure
    recorded_maps(other)

# %% mystnb={"figure": {"name": "fig-recorded-localization-2", "caption": "The same at the next tier, CIFAR-10, where there is a ViT with average pooling."}, "image": {"alt": "A grid of small heat maps recorded at another tier, one row per network, and columns for four positions, each marked by a white ring. The ViT with average pooling and the ResNet are dark under their rings, the ViT with a class token less so."}} tags=["hide-cell"]
# needs: any recorded
for other in recorded[1:2]:
    recorded_maps(other)


# %% mystnb={"figure": {"name": "fig-recorded-probes", "caption": "Recorded on photographs (at the first of the other tiers): ten-shot accuracy of single positions, as above, among 200 classes."}, "image": {"alt": "Recorded at another tier. Left: line plot of mean ten-shot accuracy of single positions against relative depth. Right: heat maps of accuracy at each position of the last block, one per network."}} tags=["hide-input"]
# needs: any recorded_probes
def recorded_accuracy(other):
    """Accuracy of single positions of the networks of another tier."""
    layers, held = (
        dict(sorted(other.sections[of].items(), key=lambda each: rank(each[0])))
        for of in ("layers", "maps")
    )
    fig, axes = plt.subplots(
        1, 1 + len(held), figsize=(4 + 2.3 * len(held), 3), width_ratios=[1.5] + [1] * len(held)
    )  # fmt: skip
    token_probes(axes, layers, held, 1 / other.tier.classes)
    axes[0].set_title(other.tier.title)
    book.sign(fig, recorded=[other])


for other in recorded_probes[:1]:
    recorded_accuracy(other)

# %% mystnb={"figure": {"name": "fig-recorded-probes-2", "caption": "The same at the next tier, CIFAR-10, where there is a ViT with average pooling."}, "image": {"alt": "Recorded at another tier. Left: line plot of mean ten-shot accuracy of single positions against relative depth; the ViT with average pooling and the ResNet end above the ViT with a class token. Right: heat maps of accuracy at each position of the last block, one per network."}} tags=["hide-cell"]
# needs: any recorded_probes
for other in recorded_probes[1:2]:
    recorded_accuracy(other)

# %%
book.tables(recorded)

# %% [markdown]
# ## What it means
#
# ### What we found
#
# :::{finding} R21-19 direction holds; R21-19 beyond_control no; R21-19 @ cifar10 direction holds; R21-19 @ cifar10 beyond_control no; R21-19 @ tiny direction holds; R21-19 @ tiny beyond_control no
# :title: Tokens of a ViT with a class token keep their place, and did so before training
# Own patch minus others, ViT minus ResNet: {claim}`R21-19` on Scenes, {claim}`R21-19 @ tiny` on photographs, {claim}`R21-19 @ cifar10` on CIFAR-10. The untrained pair differs by more. What the claim describes
# is the architecture, and training takes away from it: from the first block to the last the lead of the own patch shrinks ({numref}`fig-place-depth`).
# :::
#
# :::{finding} R21-20 low > 0; R21-20 beyond_control no; R21-20 @ cifar10 low > 0; R21-20 @ cifar10 beyond_control no; R21-20 @ tiny low > 0; R21-20 @ tiny beyond_control no
# :title: Corner tokens lean towards the edge, less than corner patches do
# Corner tokens, CKA with edge minus interior patches: {claim}`R21-20` on Scenes, {claim}`R21-20 @ tiny` on photographs, {claim}`R21-20 @ cifar10` on CIFAR-10. Nothing here says that a network adds to what the pixels bring.
# :::
#
# :::{finding} R21-21 direction holds; R21-21 beyond_control yes; R21-21 @ cifar10 low > 0
# :title: Averaging costs tokens their place
# Share of tokens in their place, class token minus average pooling: {claim}`R21-21` on Scenes, {claim}`R21-21 @ cifar10` on CIFAR-10. Untrained, the two are alike
# ({numref}`fig-own-patch`), and only the read-out differs between them. Not every analysis agrees ({numref}`fig-panel-r21-21`).
# :::
#
# :::{finding} R21-22 direction holds; R21-23 direction holds; R21-22 @ cifar10 low > 0; R21-22b summary not testable here
# :title: Averaging makes every token an answer
# Accuracy of single patches, average pooling minus class token, in points: {claim}`R21-22` on Scenes, {claim}`R21-22 @ cifar10` on CIFAR-10. Taking one token instead of all costs the ViT with a class token
# more, by {claim}`R21-23` points. As a factor, which is how the paper gives it, the difference cannot be as large here: it is {claim}`R21-22b`.
# :::
#
# On the object of a scene, tokens of the ViT with a class token know more of its texture than tokens off it, at every block that we asked ({numref}`fig-object`, one seed).
# Of its shape they know little: these networks were trained where texture gives the class away as well. The position of the object is read no better than it can be
# guessed.
#
# ### Why
#
# *Explanation.* A token starts as its patch. Branches add to it, and no step replaces it ({ref}`sec-skips`). A ResNet has skip connections, too, but its
# convolutions and strides mix neighbours from the first layer on, so that a position of the last map has no patch of its own.
#
# *Explanation of what to expect of the head.* A class token collects what it needs, and the loss asks nothing of patches that the last block leaves behind. Under a mean,
# the loss asks each of them for the class. The two heads share recipe, images and untrained place
# ({numref}`fig-own-patch`), so that a difference between them is learned.
#
# ### The paper and we
#
# {cite:t}`raghu2021` conclude from the same maps that ViTs preserve spatial information; beside them we put untrained networks, and beside
# the leaning to the edge, which they report as well, a row of pixels. Their single tokens are asked for one of a thousand classes, where a factor between two heads can be
# large. Among ten classes, tokens of the ViT with a class token are right too often to leave room for it.
#
# ### What would change our mind
#
# A ViT whose trained tokens resemble their own patches more than those of its untrained twin do: then place would be learned. A ResNet with patches for its first layer and
# no stride after it, whose positions keep their place as badly as ours: then convolution, not the stride, would be the reason. For the head: a ViT that is trained with
# both, a class token and a mean over patches; if patches keep their place under it, averaging alone would not be what takes it away.
#
# ## What this tier cannot decide
#
# :::{admonition} Caveats of this chapter
# - The ResNet's last map has sixteen positions, four of them interior, and its patches are larger than the ViT's; in the paper ViT-B/32 and ResNet-50 have the same grid.
#   The rows of pixels in {numref}`fig-own-patch` say what the grid alone makes of it.
# - CKA with pixels is linear: a token may know its patch in a way that no linear map of pixels shows.
# - Accuracies of single tokens can be near 100 %, where there is little room to differ; the paper's networks have more.
# - Intervals cover the test images and, where there are several networks of a kind, the seeds; not the choice of shots: three draws, the same for every network.
# :::
#
# ## Quiz
#
# :::{quiz} A token is more similar to its own patch than to any other. What follows about what it *encodes*?
# - [ ] It knows its coordinates. ~ Similarity is about content that varies from image to image; coordinates are the same in every image, and centring removes them.
# - [x] Between images it varies with the pixels of that patch, as far as linear CKA sees. ~ That is what an entry on the diagonal of $T$ measures.
# - [ ] It holds nothing but that patch. ~ Being most similar to one patch does not rule out a part that comes from others.
# :::
#
# :::{quiz} Why do bare pixels stand beside tokens in the figures?
# - [ ] They are the smallest network. ~ They are no network at all.
# - [x] Patches of natural and of drawn images resemble their neighbours before any network sees them. ~ What a token shows has to be read against what its patch alone would show.
# - [ ] CKA needs a common scale. ~ CKA is invariant to scale.
# :::
#
# :::{quiz} A ResNet has four interior positions. Why was its *share* of positions in place replaced by a lead in CKA?
# - [ ] Shares cannot be compared between networks. ~ They can, if they have steps fine enough.
# - [ ] CKA is unbiased, shares are not. ~ That was not the trouble.
# - [x] A share of four takes five values, and no number of seeds decides by so few steps. ~ A mean of CKAs moves continuously.
# :::
#
# :::{quiz} A probe at a token reads the class at 60 %. Does the network use that token for its answer?
# - [x] The probe does not say. ~ It says what is easy to read linearly; a ViT with a class token may never look at it after that block.
# - [ ] Yes, because the information is there. ~ Information that is there need not be used.
# - [ ] No, because it is below 100 %. ~ Accuracy of the probe says nothing about use in either direction.
# :::
#
# :::{quiz} Of 64 positions, each probed on 768 images, the best is 6 points above the worst. What may part of that range be?
# - [ ] A sign that 64 is too few. ~ The more positions, the larger the range that noise makes.
# - [x] Noise: the largest of many noisy numbers is too large. ~ This is why the range is shrunk to what the spread from batch to batch leaves.
# - [ ] The class token's doing. ~ Noise of the images needs no class token.
# :::
#
# ## Exercises
#
# :::{exercise} Warm-up: chance (3 minutes)
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
# :::{exercise} Code: other images (15 minutes)
# :label: ex-place-null
# Write the null control: shift the images by one within each batch before the patches are cut, so that tokens and patches come from
# different images. What is an entry of $T$ then?
# :::
#
# ::::{solution} ex-place-null
# :class: dropdown
# ```python
# from seelike import checks
# from seelike.cka import cka
#
# x, _ = next(iter(images))
# with capture.capture(cast["vit_cls-0"], ["blocks.7"]) as found:
#     cast["vit_cls-0"](x)
# token = capture.patches(found["blocks.7"])[:, 27]
# patch = x[:, :, 24:32, 24:32]
# mine = cka(token, patch), cka(token, patch.roll(1, 0))
# print(*mine)
# checks.check_place_null(mine, cast, images)
# ```
#
# Near zero, of either sign: the estimator is unbiased.
# ::::
#
# :::{exercise} Open: registers (2 hours, most of it training)
# :label: ex-registers
# Give the ViT four register tokens (extra learned tokens that belong to no patch and are not averaged) and train it with average pooling. Do the patches keep their place better?
# :::
#
# :::{solution} ex-registers
# :class: dropdown
# Not run here. Train three seeds with registers and three without, all else equal, and compare {numref}`fig-own-patch` for both. If place returns, patches had been used as
# storage; if it does not, the loss's demand on every averaged patch is enough to take it away.
# :::
