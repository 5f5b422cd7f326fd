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
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, max_pool2d

from seelike import capture, claims, data, models, plots, probes, scenes
from seelike.cka import localization_sweep

plots.style()

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
images = data.load(
    tier, "test", n_images, seed=7, transform=models.transform("vit_cls", tier)
)
images = replace(images, batch_size=64)
cast = models.cast(["vit_cls", "vit_gap", "resnet"], tier)
cast |= {f"untrained {n}": models.untrained(n, tier) for n in ("vit_cls", "resnet")}
last = {name: capture.layers(model, "block")[-1] for name, model in cast.items()}
place = {
    name: localization_sweep(model, last[name], images)
    for name, model in cast.items()
}

# %%
SPOTS = {"corner": (0, 0), "edge": (0, 0.5), "interior": (0.5, 0.5)}


def matrix(m):
    """The block tokens x patches of a map over tokens and patches."""
    n = len(m) // 2
    return m[:n, n:]


def spot_maps(row, table):
    """The similarity of the tokens at three places to every patch."""
    side = int(len(table) ** 0.5)
    for ax, (r, c) in zip(row, SPOTS.values()):
        r, c = int(r * side), int(c * side)
        ax.imshow(table[r * side + c].reshape(side, side), cmap=plots.MAP, vmin=0)
        ax.plot(c, r, "o", mfc="none", mec="white", ms=9, mew=1.8)
        ax.set(xticks=[], yticks=[])
        top = table[r * side + c].max()
        ax.set_xlabel(f"max {top:.2f}", fontsize=8, labelpad=2)


# %% mystnb={"figure": {"name": "fig-localization", "caption": "CKA of one position of the last block (white ring: corner, edge, interior) with every patch of the input; each map has its own scale, from 0 to the maximum under it. Seed 0; two rows are untrained. Last row: the patch itself in the place of the token, which shows how far patches of these images are alike."}, "image": {"alt": "A grid of small heat maps over the image's patches, one row per network and one column for a corner, an edge and an interior position, each marked by a white ring."}} tags=["hide-input"]
shown = [n for n in cast if n.endswith("-0") or "untrained" in n]
tables = {name: matrix(place[name].compute().to_numpy()) for name in shown}
pixels = place["vit_cls-0"].compute().to_numpy()
tables["pixels"] = pixels[len(pixels) // 2 :, len(pixels) // 2 :]
fig, axes = plt.subplots(len(tables), 3, figsize=(5, 1.8 * len(tables)))
for row, (name, table) in zip(axes, tables.items()):
    spot_maps(row, table)
    row[0].set_ylabel(plots.label(name).replace(", ", "\n"), fontsize=9)
for ax, spot in zip(axes[0], SPOTS):
    ax.set_title(spot)
plots.sign(fig, tier)

# %% [markdown]
# ## In one number
#
# The share of interior positions whose most similar patch is their own, and its mean CKA, for every network:


# %%
def interior(side):
    """Positions that are not at the edge of a side x side grid."""
    r, c = np.divmod(np.arange(side**2), side)
    return (np.minimum(r, c) > 0) & (np.maximum(r, c) < side - 1)


def own_share(table):
    """Share of interior positions whose most similar patch is their own."""
    inside = interior(int(len(table) ** 0.5))
    return (table.argmax(1) == np.arange(len(table)))[inside].mean()


def own_cka(table):
    """Mean CKA of interior positions with their own patch."""
    return np.diag(table)[interior(int(len(table) ** 0.5))].mean()


def summary(f, m):
    return f(matrix(m))


# %% mystnb={"figure": {"name": "fig-own-patch", "caption": "Interior positions of the last block: share whose most similar patch is their own (left), and CKA with their own patch (right); intervals over images, cut where a share cannot be. Chance on the left is one over the number of patches: more for the ResNet, which has few."}, "image": {"alt": "Two dot plots with one row per network: share of interior positions most similar to their own patch, and CKA with the own patch, both with 95 % intervals."}} tags=["hide-input"]
batches = len(place["vit_cls-0"].hsic)
fig, axes = plt.subplots(1, 2, figsize=(8.6, 0.33 * len(cast) + 1.3), sharey=True)
for ax, f, label in zip(
    axes,
    (own_share, own_cka),
    ("share, own patch most similar", "CKA, own patch"),
):
    rows = {}
    for name, sums in place.items():
        value, draws = sums.bootstrap(partial(summary, f))
        e = claims.estimate([value], draws[None], batches)
        rows[name] = (value, max(e.low, 0), min(e.high, 1)) if f is own_share else e
    plots.intervals(ax, rows, {name: plots.colour(name) for name in rows})
    ax.set_yticks(range(len(rows)), [plots.label(n, seed=True) for n in rows])
    ax.set(xlabel=label)
axes[0].set_xlim(-0.03, 1.03)
plots.sign(fig, tier, models.shared_seeds(["vit_cls", "resnet"], tier))

# %% mystnb={"figure": {"name": "fig-place-depth", "caption": "Share of interior positions most similar to their own patch, by block, seed 0, on fewer and other images. The last stage of the ResNet has four interior positions, so its curve there moves in steps of a quarter."}, "image": {"alt": "Line plot against block: share of interior positions most similar to their own input patch, for the two ViTs and the last stages of the ResNet."}} tags=["hide-input"]
few = data.load(
    tier,
    "test",
    n_images * 3 // 8,
    seed=8,
    transform=models.transform("vit_cls", tier),
)
few = replace(few, batch_size=64)
fig, ax = plt.subplots(figsize=(6, 3.3))
for name in (n for n in cast if n.endswith("-0")):
    blocks = capture.layers(cast[name], "block")
    chosen = blocks[-3:] if "resnet" in name else blocks[1::2]
    y = [
        own_share(
            matrix(localization_sweep(cast[name], b, few).compute().to_numpy())
        )
        for b in chosen
    ]
    x = [blocks.index(b) for b in chosen]
    ax.plot(x, y, "o-", color=plots.colour(name), label=plots.label(name))
ax.set(xlabel="block", ylabel="own patch most similar", ylim=(-0.03, 1.03))
ax.legend(loc="lower left")
plots.sign(fig, tier)

# %% [markdown]
# ## What one token can tell
#
# A *probe* is a linear classifier on frozen features. We fit ridge regression in closed form to ten images a class, for every position
# separately, and average over three draws of the ten. The penalty is chosen by leave-one-out error. A map of the ResNet is pooled to the
# resolution of its last stage first.

# %%
shots = data.load(tier, "train", n_probe, seed=70)
test = data.load(tier, "test", n_probe, seed=71)
n_classes = len(test.classes)


def coarse(h):
    """Tokens, or a feature map pooled to the last stage's grid, as positions."""
    if h.ndim == 4:
        h = adaptive_avg_pool2d(h, last_side)
    return capture.patches(h)


with capture.capture(cast["resnet-0"], [last["resnet-0"]]) as found:
    cast["resnet-0"](next(iter(images))[0])
last_side = found[last["resnet-0"]].shape[-1]

# %%
accuracy = {
    name: probes.few_shot(
        cast[name],
        capture.layers(cast[name], "block")[0 if name.endswith("-0") else -1 :],
        shots,
        test,
        n_classes,
        view=coarse,
    )
    for name in cast
    if "untrained" not in name
}


# %% mystnb={"figure": {"name": "fig-token-probes", "caption": "Ten-shot accuracy of single positions. Left: mean over positions by relative depth, seed 0; the class token is not among them. Dotted: chance. Right: every position of the last block, each map with its own scale."}, "image": {"alt": "Left: line plot of mean ten-shot accuracy of single positions against relative depth for ViT with class token, ViT with average pooling and ResNet. Right: three heat maps of accuracy at each position of the last block."}} tags=["hide-input"]
def token_probes(axes, by_layer, maps):
    for name, y in by_layer.items():
        axes[0].plot(
            np.linspace(0, 1, len(y)),
            y,
            "o-",
            color=plots.colour(name),
            label=plots.label(name),
        )
    axes[0].axhline(0.1, color=plots.INK, ls=":", lw=1.2)
    axes[0].set(xlabel="relative depth", ylabel="ten-shot accuracy", ylim=(0, 1))
    axes[0].legend(loc="upper left", fontsize=8.5)
    for ax, (name, y) in zip(axes[1:], maps.items()):
        side = int(len(y) ** 0.5)
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


first = [name for name in accuracy if name.endswith("-0")]
by_layer = {n: [a.mean() for a in accuracy[n].values()] for n in first}
maps = {n: accuracy[n][last[n]].mean(0) for n in first}
fig, axes = plt.subplots(
    1,
    1 + len(first),
    figsize=(4 + 2.5 * len(first), 3),
    width_ratios=[1.5] + [1] * len(first),
)
token_probes(axes, by_layer, maps)
plots.sign(fig, tier)

# %% [markdown]
# ## One token, or all together?
#
# The same probes on aggregates: the class token, the mean over patches, the mean over all tokens, and one patch alone (the first, a corner).


# %%
def aggregates(h):
    """Class token (if any), mean of patches, mean of all tokens, first patch."""
    grid = capture.patches(h)
    prefix = [h[:, 0]] if h.shape[1] > grid.shape[1] else []
    return torch.stack([*prefix, grid.mean(1), h.mean(1), grid[:, 0]], 1)


NAMES = ["class token", "mean of patches", "mean of tokens", "first patch"]
pooled = {
    name: probes.few_shot(
        cast[name],
        capture.layers(cast[name], "block"),
        shots,
        test,
        n_classes,
        view=aggregates,
    )
    for name in cast
    if name.startswith("vit") and (name.endswith("-0") or "gap" in name)
}

# %% mystnb={"figure": {"name": "fig-aggregates", "caption": "Ten-shot accuracy of aggregated tokens by block, seed 0. Where there is no class token, the mean of patches is the mean of all tokens. Dotted: chance."}, "image": {"alt": "Two line plots of ten-shot accuracy against block, for the ViT with class token and the ViT with average pooling: class token, mean of patches, mean of all tokens, first patch alone."}} tags=["hide-input"]
both = [n for n in pooled if n.endswith("-0")]
fig, axes = plt.subplots(1, len(both), figsize=(4.2 * len(both), 3.3), sharey=True)
for ax, name in zip(np.atleast_1d(axes), both):
    curves = np.array([a.mean(0) for a in pooled[name].values()]).T
    for label, y in zip(NAMES[-len(curves) :], curves):
        colour = plots.DEPTHS[NAMES.index(label)]
        ax.plot(y, "o-", ms=4, color=colour, label=label)
    ax.axhline(0.1, color=plots.INK, ls=":", lw=1.2)
    ax.set(title=plots.label(name), xlabel="block", ylim=(0, 1.02))
    ax.legend(fontsize=8.5)
np.atleast_1d(axes)[0].set_ylabel("ten-shot accuracy")
plots.sign(fig, tier)

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
def on_and_off(model, target):
    """Accuracy of single patches on the object and off it, by block: (2, blocks)."""
    fit, test = (data.target(target, tier, s, n_probe, 72) for s in data.SPLITS)
    chosen = capture.layers(model, "block")[1::2]
    (x, y), (z, truth) = (
        probes.features(model, chosen, d, capture.patches) for d in (fit, test)
    )
    rows = probes.shots(y, 10, len(fit.classes))
    found = []
    for layer in chosen:
        few, all_of = x[layer][rows].transpose(0, 1), z[layer].transpose(0, 1)
        probe = probes.RidgeProbe().fit(few, y[rows], len(fit.classes))
        right = (probe.predict(all_of) == truth).T
        found.append([right[where].double().mean().item() for where in (on, off)])
    return np.transpose(found)


def groups(n, seed, split="test"):
    """Which positions of which scenes the object covers, and which are clear of it and its shadow."""
    drawn = scenes.sample(n, seed, correlation=0.1, split=split).mask.float()[
        :, None
    ]
    patch = scenes.SIZE // 8
    near = max_pool2d(drawn, 11, 1, 5)
    return avg_pool2d(drawn, patch).flatten(1) > 0.5, avg_pool2d(
        near, patch
    ).flatten(1) == 0


def guess(truth, where, classes):
    """Share of right answers when each position always gives its most frequent class."""
    n = [(where & (truth == c)[:, None]).sum(0) for c in range(classes)]
    return (torch.stack(n).amax(0).sum() / where.sum()).item()


# %% mystnb={"figure": {"name": "fig-object", "caption": "Ten-shot accuracy of single patches by block, for the object's shape, texture and position (quadrant of its centre), on the object (solid) and off it (dashed). Dotted: the best guess that knows only the position and its group (upper and lower line, where they differ). Seed 0, one draw of shots, no interval."}, "image": {"alt": "Line plots of probe accuracy against block, one panel for each of shape, texture and position; solid lines on the object, dashed off it, for two ViTs; dotted lines at the best guess from the position alone."}} tags=["hide-input"]
TASKS = {"shape": 10, "texture": 10, "position": 4}
if tier == "scenes":
    on, off = groups(n_probe, 72)
    many = groups(8192, 73, "train")
    fig, axes = plt.subplots(1, 3, figsize=(9.6, 3.2), sharey=True)
    for ax, (task, classes) in zip(axes, TASKS.items()):
        for name in ("vit_cls-0", "vit_gap-0"):
            for y, line in zip(on_and_off(cast[name], task), ("-", "--")):
                label = plots.label(name) if line == "-" else None
                blocks = range(1, 2 * len(y), 2)
                colour = plots.colour(name)
                ax.plot(
                    blocks, y, line, marker="o", ms=4, color=colour, label=label
                )
        truth = data.target(task, tier, "train", 8192, 73).labels
        for where in many:
            ax.axhline(
                guess(truth, where, classes), color=plots.INK, ls=":", lw=1.2
            )
        ax.set(title=task, xlabel="block", ylim=(0, 1))
    axes[0].set_ylabel("ten-shot accuracy")
    axes[0].legend(loc="upper left", fontsize=9)
    plots.sign(fig, tier)
else:
    plots.absent(f"The {tier} tier does not know where its objects are.")

# %% [markdown]
# ## Five claims, decided


# %%
def edges(table):
    """Corner tokens: CKA with edge minus interior patches; and how much more than interior ones."""
    side = int(len(table) ** 0.5)
    inside, other = interior(side), ~np.eye(len(table), dtype=bool)
    corner = np.isin(
        np.arange(len(table)), [0, side - 1, side**2 - side, side**2 - 1]
    )

    def bias(rows):
        pick = rows[:, None] & other
        return table[pick & ~inside].mean() - table[pick & inside].mean()

    return min(bias(corner), bias(corner) - bias(inside))


def between(a, b, f):
    """A statistic of two networks on the same resamples of images."""
    draws = [place[n].bootstrap(lambda m: own_share(matrix(m))) for n in (a, b)]
    return f(draws[0][0], draws[1][0]), np.array(
        [f(x, y) for x, y in zip(draws[0][1], draws[1][1])]
    )


def gap_tokens(single, together):
    points = 100 * single
    return max(100 * together - points.mean(), points.max() - points.min())


# %%
STATISTICS = {
    "R21-19": lambda v, g, r: between(v, r, lambda a, b: min(a - 0.6, a - b - 0.3)),
    "R21-20": lambda v, g, r: place[v].bootstrap(lambda m: edges(matrix(m))),
    "R21-21": lambda v, g, r: between(v, g, lambda a, b: a - b),
    "R21-22": lambda v, g, r: claims.bootstrap(
        lambda a, b: a.mean() / b.mean(), accuracy[g][last[g]], accuracy[v][last[v]]
    ),
    "R21-23": lambda v, g, r: claims.bootstrap(
        gap_tokens, accuracy[g][last[g]], pooled[g][last[g]][:, 0]
    ),
}
names = ["vit_cls", "vit_gap", "resnet"]
for claim, f in STATISTICS.items():
    probe, needed = claim > "R21-21", names if claim > "R21-20" else names[::2]
    seeds = models.shared_seeds(needed, tier)
    if not seeds or not any(needed[1] in name for name in cast):
        continue  # this tier lacks a network
    values, draws = zip(*(f(*(f"{n}-{s}" for n in names)) for s in seeds))
    asked = test if probe else images
    e = claims.estimate(values, np.stack(draws), -(-len(asked) // asked.batch_size))
    claims.record(claim, tier, e, seeds=len(seeds), images=len(asked))
claims.chapter("07", tier)

# %% tags=["hide-input"]
kept = {
    "layers": {n: np.round(y, 3).tolist() for n, y in by_layer.items()},
    "maps": {n: np.round(y, 3).tolist() for n, y in maps.items()},
    "place": {n: t.round(3).tolist() for n, t in tables.items()},
    "settings": {"provenance": plots.provenance(tier)},
}
claims.keep("07", tier, kept)

# %% [markdown]
# ## The same on natural images
#
# The ResNet of CIFAR-10 is wider than that of Scenes, and was trained longer, with other rates and augmentation ({ref}`sec-data`).

# %% mystnb={"figure": {"name": "fig-recorded-localization", "caption": "CIFAR-10, recorded: CKA of three positions of the last block with every input patch, each map with its own scale from 0 to the maximum under it; rows as above."}, "image": {"alt": "A grid of small heat maps recorded on CIFAR-10, one row per network, and columns for a corner, an edge and an interior position, each marked by a white ring."}} tags=["hide-input"]
recorded = claims.results("cifar10", "07")
if recorded:
    held = {
        n: np.array(recorded["place"][n]) for n in tables if n in recorded["place"]
    }
    fig, axes = plt.subplots(len(held), 3, figsize=(5, 1.8 * len(held)))
    for row, (name, table) in zip(axes, held.items()):
        spot_maps(row, table)
        row[0].set_ylabel(plots.label(name).replace(", ", "\n"), fontsize=9)
    for ax, spot in zip(axes[0], SPOTS):
        ax.set_title(spot)
    plots.sign(fig, "cifar10", recorded=recorded["settings"]["provenance"])
else:
    plots.absent("Not recorded yet.")

# %% mystnb={"figure": {"name": "fig-recorded-probes", "caption": "CIFAR-10, recorded: ten-shot accuracy of single positions, as above."}, "image": {"alt": "Recorded on CIFAR-10. Left: line plot of mean ten-shot accuracy of single positions against relative depth. Right: heat maps of accuracy at each position of the last block, one per network."}} tags=["hide-input"]
if recorded:
    held = {n: recorded["maps"][n] for n in maps if n in recorded["maps"]}
    fig, axes = plt.subplots(
        1,
        1 + len(held),
        figsize=(4 + 2.5 * len(held), 3),
        width_ratios=[1.5] + [1] * len(held),
    )
    token_probes(axes, {n: recorded["layers"][n] for n in held}, held)
    plots.sign(fig, "cifar10", recorded=recorded["settings"]["provenance"])
else:
    plots.absent("Not recorded yet.")

# %%
claims.chapter("07", "cifar10")

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
