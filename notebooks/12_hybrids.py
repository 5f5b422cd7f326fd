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
# (sec-hybrids)=
# # Hybrids: convolutions inside a transformer
#
# **You will learn** what a published hybrid is made of, which of its convolutions pay at small scale, and where it stands between a ViT and a ResNet when one looks inside.
#
# *Reading: 7 minutes. Running: {seconds}`12` on two cores. Before this: {ref}`sec-erf`.*
#
# ## The question
#
# A ViT has to learn from data what a convolution has built in: that neighbours matter. {cite:t}`guo2022` build it in again. Their CMT has a convolutional stem, a pyramid of four stages, and
# a depth-wise convolution at every step of a block. They report that it needs less compute for the same accuracy. Does such a network see like a ViT, like a ResNet, or like neither?

# %% tags=["parameters"]
tier = "scenes"
n_images = 512

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seelike import attention, claims, localization, models, plots
from seelike import receptive_field as erf
from seelike.capture import layers
from seelike.cards import paired
from seelike.chapter import Chapter
from seelike.cka import localization_sweep, sweep
from seelike.intervals import Estimate, Share, difference, normal
from seelike.maps import same_depth

book = Chapter("12", tier)

# %% [markdown]
# ## The block
#
# Tokens $X$ of a block live on a map. With $\mathrm{DW}$ a depth-wise 3 x 3 convolution,
#
# $$
# \begin{aligned}
# Y &= \mathrm{DW}(X) + X , \\
# Z &= \mathrm{A}(\mathrm{LN}(Y)) + Y , \\
# X' &= \mathrm{F}(\mathrm{LN}(Z)) + Z .
# \end{aligned}
# $$ (eq-cmt)
#
# The first step is the *local perception unit*. The second is attention whose keys and values come from a map reduced $k$-fold by a strided depth-wise convolution,
#
# $$
# \mathrm{A}(X) = \mathrm{softmax}\!\left( \frac{Q\,(K')^{\top}}{\sqrt d} + B \right) V' ,
# $$ (eq-light-attention)
#
# with a learned bias $B$ for each pair of positions. The cost of comparing queries with keys falls by $k^2$. The third, the *inverted residual* part, puts one more depth-wise convolution between the two layers of the MLP. `hybrids.CMT` is this network; timm has none.
#
# Do we have the published one? Count.

# %%
PAPER = {
    "cmt_ti": (9.5, 0.6),
    "cmt_xs": (15.2, 1.5),
    "cmt_s": (25.1, 4.0),
    "cmt_b": (45.7, 9.3),
}
sizes = models.counted(PAPER)
sizes.round(2)

# %% mystnb={"figure": {"name": "fig-cmt-sizes", "caption": "Parameters of the four sizes, counted, relative to what is published. Grey: within 1 %."}, "image": {"alt": "Dot plot of counted over published parameters, one row for each of four sizes of CMT, with a grey band of one percent around 1."}} tags=["hide-input"]
ratio = sizes["parameters (M)"] / sizes["published"]
fig, ax = plt.subplots(figsize=(5, 2.2))
plots.ratios(ax, ratio)
ax.set(xlabel="counted / published")
plots.sign(fig, plots.provenance("analytic", []))

# %% [markdown]
# Three agree. The third does not: with its published widths and depths it has more parameters than printed, but the published number of multiplications. We kept the settings.
#
# ## A small one
#
# Our CMT has three stages (the fourth would have 2 x 2 positions), eight blocks, widths 30, 60 and 120, and about as many parameters as our ViT and ResNet. All three saw the same 64,000 scenes once, with one recipe.

# %% tags=["hide-input"]
EQUAL = ("cmt", "vit_data_1000", "resnet_short")  # of equal training
cards = models.cards(book.tier)
every = {name: card for (name, seed), card in cards.items() if seed == 0}
shown = [n for n in (*EQUAL, "mvit", "vit_cls", "resnet") if n in every]

# %% mystnb={"figure": {"name": "fig-cmt-accuracy", "caption": "Accuracy on test scenes over training; one seed. Shaded: 95 % interval of each point over its 1,000 images."}, "image": {"alt": "Line plot of accuracy against thousand images seen: CMT, MViT, ViT and ResNet, with shaded intervals."}} tags=["hide-input"]
# needs: zoo, cmt, vit_data_1000, resnet_short
fig, ax = plt.subplots(figsize=(6, 3.6))
for name, label in {
    "cmt": "CMT",
    "vit_data_1000": "ViT (CLS)",
    "resnet_short": "ResNet",
    "mvit": "MViT (next chapter)",
}.items():
    card = every[name]
    x = [point["images"] / 1000 for point in card.curve]
    shares = [Share(point["accuracy"], card.points) for point in card.curve]
    y, low, high = np.transpose([normal(s.value, s.error) for s in shares])
    ax.plot(x, y, color=plots.COLOURS[name], label=label)
    ax.fill_between(x, low, high, color=plots.COLOURS[name], alpha=0.2, lw=0)
ax.set(xlabel="thousand images seen", ylabel="accuracy", ylim=(0, 1))
ax.legend(loc="lower right")
book.sign(fig, [0])

# %% [markdown]
# Size, cost and final accuracy (2,000 test images), with Wilson intervals:

# %%
# needs: zoo
pd.DataFrame(
    {
        name: {
            "parameters (M)": round(every[name].parameters / 1e6, 3),
            "multiplications (M)": round(models.cost_of(every[name])[1] / 1e6, 1),
            "images seen": f"{every[name].images_seen:,}",
            "accuracy": f"{every[name].accuracy:.3f} [{every[name].accuracy_low:.3f}, {every[name].accuracy_high:.3f}]",
        }
        for name in shown
    }
).T

# %% [markdown]
# ## What each part is worth
#
# The same network without its convolutional stem (one strided convolution is left), without local perception units, and without the convolutions of the feed-forward parts; 16,000 images and three starts each.

# %% mystnb={"figure": {"name": "fig-cmt-ablation", "caption": "Accuracy of CMT after 16,000 images, whole and without one part; one dot for each of three starts, with 95 % Wilson intervals over 2,000 test images."}, "image": {"alt": "Dot plot of accuracy with intervals: the whole CMT, and without stem, without local perception units, without feed-forward convolutions."}} tags=["hide-input"]
# needs: zoo, cmt, vit_data_1000, resnet_short
PARTS = {
    "whole": "whole",
    "without_stem": "without stem",
    "without_lpu": "without local perception",
    "without_irffn": "without convolution in MLP",
}
variants = {
    card.made.factors["variant"]: card.name
    for card in models.cards(book.tier, study="ablation").values()
    if card.made.factors["network"] == "cmt"
}
fig, ax = plt.subplots(figsize=(5.5, 2.3))
plots.starts(ax, cards, {variants[part]: label for part, label in PARTS.items()})
ax.set(xlabel="accuracy")
book.sign(fig, range(3))

# %% [markdown]
# ## Inside: where does it stand?
#
# CKA of all its blocks with those of the ViT and of the ResNet; as a yardstick, ViT with ResNet.

# %% tags=["hide-input"]
trio = EQUAL if book.has(*EQUAL) else ("cmt", "vit_cls", "resnet")
hybrid, vit, resnet = trio
names = {
    "vit_data_1000": plots.LABELS["vit_cls"],
    "resnet_short": plots.LABELS["resnet"],
}
trios = book.pairs(*trio)


def called(network):
    """What a network, with its seed or without, is called in the figures of this chapter."""
    return names.get(network.partition("-")[0], plots.label(network))


# %% mystnb={"figure": {"name": "fig-cmt-cka", "caption": "CKA between blocks: CMT with itself, with the ViT, with the ResNet, and ViT with ResNet; networks of equal training."}, "image": {"alt": "Four heat maps of CKA, dark at 0 and bright at 1: CMT against itself, against the ViT and against the ResNet, and the ViT against the ResNet."}} tags=["hide-input"]
# needs: cmt, vit_cls, resnet, any trios
images = book.images(n_images, seed=12)
images = images.with_batches(len(images) // 4, drop_last=True)  # as was recorded
cast = {n: m for n, m in book.cast(*trio).items() if any(n in t for t in trios)}
similarity = sweep(cast, images)
own = dict(zip(trio, trios[0]))
panels = [(hybrid, hybrid), (vit, hybrid), (resnet, hybrid), (resnet, vit)]
fig, axes = plt.subplots(1, 4, figsize=(12, 2.9))
for ax, (row, column) in zip(axes, panels):
    plots.similarity_map(
        ax,
        similarity.block(own[row], own[column]),
        "",
        rows=f"{called(row)}, block",
        columns=f"{called(column)}, block",
    )
book.sign(fig, book.seeds[:1])

# %% [markdown]
# How far attention looks, and how far a position depends on the image. Distance is measured between the centres of a query's cell and of a key's, which in CMT is a larger cell.

# %% mystnb={"figure": {"name": "fig-cmt-reach", "caption": "Left: mean attention distance of every head, by relative depth, CMT and ViT; dotted: uniform attention on the ViT's grid (on the CMT's grids it is nearly the same). Right: half-mass radius of effective receptive fields of block outputs; dotted: a uniform field. Dashed: the untrained CMT."}, "image": {"alt": "Two panels against relative depth: dots of attention distance of every head of CMT and ViT, and lines of receptive field radius of CMT, ViT and ResNet, with dotted lines for uniform attention and a uniform field."}} tags=["hide-input"]
# needs: cmt, vit_cls, resnet, any trios
few = book.images(min(64, n_images), seed=12, batch_size=16)
one = next(iter(few))[0][:1]
nets = {name: cast[name] for name in trios[0]}
nets["untrained cmt"] = models.untrained("cmt", book.tier)
looks = book.measured(
    lambda model: attention.block_distances(model, few),
    {name: nets[name] for name in trios[0][:2]},
)
fields = book.measured(
    lambda model: erf.effective_receptive_field(model, layers(model), few), nets
)
fig, axes = plt.subplots(1, 2, figsize=(9, 3.5))
for name, blocks in looks.items():
    look = {"color": plots.COLOURS[name.partition("-")[0]], "ms": 5}
    for i, block in enumerate(blocks):
        x = np.full(block.shape[1], i / (len(blocks) - 1))
        axes[0].plot(x, block.mean(0), "o", **look)
    axes[0].plot([], [], "o", label=called(name), **look)
if trios[0][1] in looks:
    uniform = attention.uniform_blocks(nets[trios[0][1]], one)[0]
    axes[0].axhline(uniform, color=plots.INK, ls=":")
axes[0].set(
    xlabel="relative depth", ylabel="attention distance (pixels)", ylim=(0, None)
)
if looks:
    axes[0].legend()
for name, field in fields.items():
    r = [erf.radius(maps.mean(0)) for maps in field.values()]
    kind, style = name.partition("-")[0], "o-"
    if name not in cast:
        kind, style = hybrid, "--"
    x, colour = np.linspace(0, 1, len(r)), plots.COLOURS[kind]
    axes[1].plot(x, r, style, ms=4, color=colour, label=called(name))
axes[1].axhline(erf.uniform_radius(book.tier.side), color=plots.INK, ls=":")
axes[1].set(
    xlabel="relative depth", ylabel="half-mass radius (pixels)", ylim=(0, None)
)
if fields:
    axes[1].legend(fontsize=8)
book.sign(fig, book.seeds[:1])

# %% [markdown]
# Does a position still resemble its own patch of the image more than any other ({ref}`sec-localization`)? Asked of the last block that has at least 4 x 4 positions: the share of interior positions whose most similar patch is their own, what chance would give, and
# their mean CKA with the own patch. Patches are as large as cells of the map, so networks with finer maps have an easier match in pixels and a harder one by chance.


# %% tags=["hide-input"]
# needs: cmt, vit_cls, resnet, any trios
def own_patches(model):
    """How interior positions of the last block with 4 x 4 or more compare with their own patch."""
    for tap in reversed(layers(model)):
        m = localization_sweep(model, tap, images).compute().to_numpy()
        table = localization.table(m)
        if len(table) >= 16:
            break
    side = localization.side(len(table))
    return {
        "block": tap,
        "positions": f"{side} x {side}",
        "of them interior": str(localization.interior(side).sum()),
        "own patch best": f"{localization.own_share(table):.2f}",
        "chance": f"{1 / len(table):.2f}",
        "CKA, own patch": f"{localization.own_cka(table):.2f}",
    }


located = book.measured(own_patches, {name: cast[name] for name in trios[0]})
pd.DataFrame({called(name): row for name, row in located.items()}).T

# %% [markdown]
# ## Seven claims, decided


# %% tags=["hide-input"]
worst = float(abs(ratio - 1).max())
claims.record(
    "G21-1", claims.DATA, Estimate(worst, worst, worst), seeds=0, images=0
)
TESTS = {  # networks of equal training
    "G21-2": ("cmt", "vit_data_1000"),
    "G21-3": ("cmt", "resnet_short"),
    "G21-4": ("cmt_whole", "cmt_without_stem"),
    "G21-5": ("cmt_whole", "cmt_without_lpu"),
    "G21-6": ("cmt_whole", "cmt_without_irffn"),
}
for claim, two in TESTS.items():
    if pairs := paired(cards, *two):
        n = pairs[0][0].images
        book.record(claim, difference(*pairs), seeds=len(pairs), images=n)


# %%
# needs: cmt, vit_cls, resnet, any trios
def nearer(similarity, hybrid, vit, resnet):
    """CKA with the ResNet at the same depth, hybrid minus ViT."""
    ours, theirs = (
        similarity.bootstrap(lambda a, b, cross: same_depth(cross), name, resnet)
        for name in (hybrid, vit)
    )
    return ours.minus(theirs)


seeds = [nearer(similarity, *three) for three in trios]
book.decide("G21-7", seeds, images=len(images))
roles = ("cmt", "vit_cls", "resnet")
fresh = {role: models.untrained(role, book.tier) for role in roles}
before = nearer(sweep(fresh, images), *roles)
print(f"the same between untrained networks: {before.value:.2f}")

# %%
book.table()

# %%
book.table(claims.DATA)

# %% tags=["hide-input"]
# needs: cmt, vit_cls, resnet, any trios
kept = {f"{r} {c}": similarity.block(own[r], own[c]) for r, c in panels}
book.keep(
    maps={pair: block.round(3).to_numpy().tolist() for pair, block in kept.items()},
    accuracy={
        name: [card.accuracy, card.accuracy_low, card.accuracy_high]
        for name, card in every.items()
        if name in shown
    },
)

# %% [markdown]
# ## The same on natural images
#
# On CIFAR-10 the CMT saw 200,000 images, a quarter of what the ViT saw there and far fewer than the ResNet in its four runs; the ResNet is wider, too. Accuracies recorded at other tiers:

# %%
recorded = book.recorded("maps")
pd.DataFrame(
    {
        f"{name}, {other.title}": values
        for other, sections in recorded
        for name, values in sections["accuracy"].items()
    },
    index=["accuracy", "low", "high"],
).T.round(3)

# %% mystnb={"figure": {"name": "fig-recorded-cmt", "caption": "Recorded at other tiers, one row each: CKA between blocks of CMT, ViT and ResNet."}, "image": {"alt": "Rows of four heat maps of CKA recorded at other tiers, dark at 0 and bright at 1: CMT against itself, the ResNet against CMT and against the ViT, and the ViT against CMT."}} tags=["hide-input"]
# needs: any recorded
fig, axes = plt.subplots(
    len(recorded), 4, figsize=(12, 2.9 * len(recorded)), squeeze=False
)
for line, (other, sections) in zip(axes, recorded):
    for ax, (pair, values) in zip(line, sections["maps"].items()):
        row, column = map(called, pair.split())
        plots.similarity_map(
            ax,
            np.array(values),
            other.title,
            rows=f"{row}, block",
            columns=f"{column}, block",
        )
book.sign(fig, recorded=recorded)

# %%
book.tables(recorded)

# %% [markdown]
# ## What it means
#
# **Is it the published network?** Largest deviation of four parameter counts: {claim}`G21-1 @ published`.
#
# **Better at equal size?** CMT minus ViT: {claim}`G21-2` on Scenes. CMT minus ResNet: {claim}`G21-3`. On CIFAR-10 training was not equal, so accuracies are shown and nothing is decided.
#
# **Which parts pay?** With minus without: stem {claim}`G21-4`, local perception {claim}`G21-5`, convolution in the MLP {claim}`G21-6`. Taking one part out may cost little because the two others do the same work: with two
# remaining kinds of convolution, a network is still told that neighbours matter.
#
# **Between the two?** CKA with the ResNet, CMT minus ViT: {claim}`G21-7`, {claim}`G21-7 @ cifar10`. Both sides share images and task. The line above the claims gives the same difference for untrained networks: what is there before training was not learned.
#
# **How far it sees.** {numref}`fig-cmt-reach` has both measures. All heads of both networks look nearly everywhere. Trained, the fields of the CMT are the widest; compare the dashed line for what is there before training.
#
# ## What this tier cannot decide
#
# The long runs have one start: a difference of a percent or two may be luck, which those intervals do not cover. Ablations have three short ones. Runs were short, and rates were those of the ViT; the paper tunes them to each size. Equal parameters are not equal cost: the
# pyramid works on more positions at first. The paper's claims are about ImageNet, and about networks ten times and more as large.
#
# ## Exercises
#
# :::{exercise} Warm-up: what reduction saves
# :label: ex-reduction
# A map has 16 x 16 positions. How many pairs of query and key has attention with $k = 1$, and with $k = 4$?
# :::
#
# :::{solution} ex-reduction
# :class: dropdown
# 65,536 and 4,096: sixteen times fewer.
# :::
#
# :::{exercise} Code: the bias
# :label: ex-bias-map
# Draw the learned bias $B$ of the first stage for one query in the middle of the map, for a trained and an untrained CMT.
# :::
#
# ::::{solution} ex-bias-map
# :class: dropdown
# ```python
# fig, axes = plt.subplots(1, 2)
# for ax, net in zip(axes, (models.load("cmt", tier), models.untrained("cmt", tier))):
#     bias = net.stages[0].bias.detach()[0]
#     keys = int(bias.shape[1] ** 0.5)
#     queries = int(len(bias) ** 0.5)
#     middle = queries * (queries // 2) + queries // 2
#     ax.imshow(bias[middle].view(keys, keys))
# ```
#
# Untrained, it is noise.
# ::::
#
# :::{exercise} Open: which convolution is enough?
# :label: ex-enough
# Take out two of the three kinds of convolution at a time. Is there one that suffices? Plan the seeds that you need to tell differences of one percent apart.
# :::
