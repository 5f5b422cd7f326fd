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
# (sec-multiscale)=
# # Multiscale transformers
#
# **You will learn** how attention can shrink a map on the way up, what makes its heads look differently far before any training, and how to ask a network whether it sees motion.
#
# *Reading: 9 minutes. Running: {seconds}`13` on two cores. Before this: {ref}`sec-attention`.*
#
# :::{finding} F21-2 summary holds; F21-6 summary holds; F21-7 summary open
# :title: What we found
# Our MViTs are more accurate than ViTs of their size ({claim}`F21-2`), with fewer multiplications. Before any training their heads already look differently far, more so than a
# ViT's ({claim}`F21-6` of the uniform distance); this comes from grids and from a norm, and nothing of it is learned. After training, the paper's contrast, distances that rise
# with depth in a ViT and less so in MViT, is not there to be seen: three pairs of starts leave its sign open ({claim}`F21-7`).
# :::
#
# ## The question
#
# A ViT keeps one resolution and one width from its first block to its last. A ResNet trades: fewer positions, more channels. {cite:t}`fan2021` let a transformer trade in the
# same way, by {term}`pooling attention`. They add a figure (A.6) that belongs to the story of this book: in such a network, attention distances differ from head to head, before
# training and after.

# %% tags=["parameters"]
n_images = 256
steps = 120

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from seelike import (
    attention,
    feed,
    models,
    plots,
    project,
    recipes,
    scenes,
    train,
)
from seelike.chapter import Chapter
from seelike.intervals import Estimate, bootstrap, share, unpaired
from seelike.mvit import MViT, Pool
from seelike.panels.hybrids import uneven

book = Chapter("13", project.DEFAULT)

# %% [markdown]
# ## Pooling attention
#
# Queries, keys and values are pooled over the map before they meet. $P$ is a strided depth-wise convolution followed by a layer norm, or a maximum, or a mean,
#
# $$
# \mathrm{A}(X) = \mathrm{softmax}\!\left( \frac{P_Q(X W_Q)\, P_K(X W_K)^{\top}}{\sqrt d} \right) P_V(X W_V) .
# $$ (eq-pooling-attention)
#
# Queries are pooled in the first block of a stage only, which quarters the positions there; the skip connection is pooled likewise. Keys and values are pooled in every block, with a stride that shrinks as the map does. At the end of a stage the tokens widen.
# The class token is never pooled. `mvit.MViT` is this network, first version; timm has the second only.
#
# Counted against Table 17 of the paper (a test holds all three to within one percent):

# %%
PAPER = {
    "mvit_b16": (37.0, 7.8),
    "mvit_b24": (53.5, 10.9),
    "mvit_b24_wide": (72.9, 32.7),
}
sizes = models.counted(PAPER)
sizes.round(2)

# %% mystnb={"figure": {"name": "fig-mvit-sizes", "caption": "Parameters and multiplications of the three image models, counted, relative to what is published. Grey: within 1 %."}, "image": {"alt": "Dot plot of counted over published parameters and multiplications, one row for each of three sizes of MViT, with a grey band of one percent around 1."}} tags=["hide-input"]
ratios = sizes["parameters (M)"] / sizes["published"]
costs = sizes["multiplications (G)"] / sizes["published "]
fig, axes = plt.subplots(1, 2, figsize=(7.6, 1.9), sharey=True)
for ax, values, title in zip(
    axes, (ratios, costs), ("parameters", "multiplications")
):
    plots.ratios(ax, values)
    ax.set(xlabel=f"{title}, counted / published", xlim=(0.98, 1.02))
plots.sign(fig, plots.provenance("analytic", []))

# %% [markdown]
# ## A small one, and its variants
#
# Ours has three stages (2, 4 and 2 blocks on maps of 16, 8 and 4 positions a side), widths 30, 60 and 120, and nearly as many parameters as our ViT. Changed are the stride of keys and values in the first stage, the kind of pooling,
# and what passes the widening of tokens. The paper's kernels for maximum and mean are wider than their stride by one, so that no position is passed over; with kernels of three,
# a stride of four sees 9 of 16 positions. Each variant saw 16,000 scenes, too few for some starts to get far.
#
# :::{guess} The paper finds convolution the best pooling after 300 epochs. Which pooling learns fastest in a few minutes?
# - Convolution, too: it can learn to be either of the others
# - Maximum: it has nothing to learn
# - They cannot be told apart
# :::

# %% mystnb={"figure": {"name": "fig-mvit-ablation", "caption": "Accuracy on 2,000 test images. Above the line: MViT, CMT and ViT after 64,000 scenes. Below: variants of MViT after 16,000. One dot for each start: three where claims compare them. Bars: 95 % Wilson intervals."}, "image": {"alt": "Dot plot of accuracy with intervals, one row per network: three networks of equal training above a line, and settings of MViT below it, with one to three dots each. Dots of one row that lie far apart say that the luck of the start outweighs the setting."}} tags=["hide-input"]
VARIANTS = {
    "whole": "stride 4, convolution, normalised skip",
    "stride_1": "keys and values: stride 1",
    "stride_8": "keys and values: stride 8",
    "max_pool": "pooling: maximum, kernel 3",
    "max_wide": "pooling: maximum, kernel stride + 1",
    "max_none": "the same, keys and values not pooled",
    "avg_pool": "pooling: mean, kernel 3",
    "avg_wide": "pooling: mean, kernel stride + 1",
    "unnormalised_skip": "skip: not normalised",
    "none_skip": "skip: none where tokens widen",
}
WHOLE = {"mvit": "MViT", "cmt": "CMT", "vit_data_1000": "ViT (CLS)"}
cards = models.cards(book.tier)
variants = {
    card.made.factors["variant"]: card.name
    for card in models.cards(book.tier, study="ablation").values()
    if card.made.factors["network"] == "mvit"
}
labels = WHOLE | {
    variants[v]: label for v, label in VARIANTS.items() if v in variants
}
fig, ax = plt.subplots(figsize=(6, 0.36 * len(labels) + 0.6))
plots.starts(ax, cards, labels)
ax.axhline(2.5, color=plots.INK, lw=0.6)
ax.set(xlabel="accuracy")
book.sign(fig, sorted({seed for name, seed in cards if name in labels}))

# %% [markdown]
# Maximum: it learns faster here than pooling by convolution. Its three starts lie above all three of the whole network. What they cost:

# %%
first_of = {name: card for (name, _), card in sorted(cards.items())[::-1]}
costs = {name: models.cost_of(first_of[name]) for name in labels}
pd.DataFrame(
    {
        name: {
            "parameters (M)": round(parameters / 1e6, 3),
            "multiplications (M)": round(multiplications / 1e6, 1),
        }
        for name, (parameters, multiplications) in costs.items()
    }
).T

# %% [markdown]
# ## How far its heads look
#
# Mean attention distance as in {ref}`sec-attention`, over that of uniform attention on the ViT's grid. A key that was pooled with stride $s$ stands where its kernel was centred, at every $s$-th query.
#
# :::{guess} The weights of all untrained heads are drawn in the same way. What could make them look differently far?
# - Nothing: before training they all look everywhere alike
# - The luck of the draw
# - How the network is built, whatever the weights
# :::

# %% mystnb={"figure": {"name": "fig-mvit-distance", "caption": "Mean attention distance of every head, by block, before and after training; one network each. Dotted: uniform attention on each block's own grid."}, "image": {"alt": "Four panels of dots of relative attention distance against block, around one: ViT and MViT, untrained above and trained below, each with dotted marks for uniform attention on the block's grid. Dots on the marks are heads that look at all positions alike."}} tags=["hide-input"]
STRIDED = {"vit_cls": False, "mvit": True}  # where pooled keys stand
TRAINED = {"vit_cls": "vit_data_1000", "mvit": "mvit"}
images = book.images(n_images, seed=13, batch_size=16)
fresh = {kind: models.untrained(kind, book.tier) for kind in STRIDED}
trained = {kind: models.load(name, book.tier) for kind, name in TRAINED.items()}
looks = {
    (how, kind): attention.block_distances(nets[kind], images, strided=strided)
    for how, nets in (("untrained", fresh), ("trained", trained))
    for kind, strided in STRIDED.items()
}
one = images.images[:1]
uniform = attention.uniform_distance(
    book.tier.side // book.tier.patch, book.tier.patch
)
grids = {
    kind: attention.uniform_blocks(fresh[kind], one, strided=strided)
    for kind, strided in STRIDED.items()
}
fig, axes = plt.subplots(2, 2, figsize=(8, 5.8), sharey=True)
for ax, ((how, kind), blocks) in zip(axes.flat, looks.items()):
    for i, block in enumerate(blocks):
        distances = block.mean(0) / uniform
        ax.plot([i] * len(distances), distances, "o", color=plots.COLOURS[kind])
    at, alike = np.arange(len(blocks)), np.array(grids[kind]) / uniform
    ax.hlines(alike, at - 0.35, at + 0.35, color=plots.INK, ls=":", lw=1.5)
    title = f"{plots.LABELS[kind]}, {how}"
    ax.set(title=title, xlabel="block", ylabel="distance over uniform")
book.sign(fig, [0])

# %% [markdown]
# How it is built. The untrained ViT looks everywhere alike; MViT's heads differ by a few percent. There are two candidates for the cause. Its blocks work on different grids, so
# that even uniform attention has another mean distance in each. And pooled keys, and in the first block of a stage pooled queries, pass a layer norm, which makes logits larger
# from the start. Both can be taken away: the first by subtracting each block's own
# distance under uniform attention, the second by leaving out the norms. Spread (largest minus smallest distance over the heads of all blocks), in percent of the uniform distance; means of five untrained networks of each kind:


# %%
STARTS = range(100, 105)
few = book.images(min(128, n_images), seed=13, batch_size=16)


def without_norms(seed):
    """An untrained MViT whose pooling is not followed by a norm."""
    net = models.untrained("mvit", book.tier, seed)
    for pool in [module for module in net.modules() if isinstance(module, Pool)]:
        pool.norm = torch.nn.Identity()
    return net


# %% tags=["hide-input"]
made = {
    "vit_cls": lambda seed: models.untrained("vit_cls", book.tier, seed),
    "mvit": lambda seed: models.untrained("mvit", book.tier, seed),
    "mvit without norms": without_norms,
}
grids["mvit without norms"] = grids["mvit"]
first = {
    kind: [
        attention.block_distances(make(seed), few, strided=kind != "vit_cls")
        for seed in STARTS
    ]
    for kind, make in made.items()
}
means = {
    kind: [[heads.mean(0) for heads in blocks] for blocks in nets]
    for kind, nets in first.items()
}
pd.DataFrame(
    {
        f"untrained {kind}": {
            "as measured": np.mean([attention.spread(m) for m in nets]),
            "minus uniform": np.mean(
                [attention.spread(m, grids[kind]) for m in nets]
            ),
        }
        for kind, nets in means.items()
    }
).T.mul(100 / uniform).round(2)

# %% [markdown]
# Either cause alone makes most of the spread: take off the grids, and the norms' part is left; leave out the norms, and the grids' part is. (A spread is a
# range, and ranges of two causes do not add up.) Without both, next to nothing remains. So heads differ before training, and neither cause has to do with what heads have learned
# to look at.

# %% mystnb={"figure": {"name": "fig-panel-f21-6", "caption": "Spread of untrained heads' distances, MViT minus ViT, as a share of the uniform distance, in all analyses, sorted; below, the choices of each. The band is the number of the ledger."}, "image": {"alt": "A specification curve: sorted dots with intervals above a dotted line at zero, and below them a grid that marks for every analysis whether uniform attention is subtracted, how keys are pooled, and which untrained networks."}} tags=["hide-input"]
book.panel("F21-6")

# %% [markdown]
# ## Motion
#
# MViT was made for video. Does such a network go by the order of frames, or would single frames do? With a stem and pooling kernels over three frames, ours takes clips. In these, the object of a scene moves in one of four directions, and what leaves the image comes back on the other side. The start is random, so that no single frame tells which.

# %% mystnb={"figure": {"name": "fig-clips", "caption": "Three clips of eight frames: the object moves three pixels a frame, right, left, down or up, around the edges of the image, and the background stays."}, "image": {"alt": "Three rows of eight small frames each; in every row an object on a still background moves a little from frame to frame."}} tags=["hide-input"]
film, way = scenes.clips(3, 8, seed=3)
fig, axes = plt.subplots(3, 8, figsize=(9, 3.7))
for row, clip, direction in zip(axes, film, way):
    plots.pictures(row, clip.transpose(0, 1))
    row[0].set_title(scenes.DIRECTIONS[direction], fontsize=10, loc="left")
book.sign(fig, [])

# %% [markdown]
# A tiny MViT learns it here, from 1,024 clips of 32 pixels. Then the frames of each test clip are shuffled. A network that goes by single frames would not notice, and one that sees motion must suffer. {cite:t}`fan2021` shuffle frames in the same way (Table 9): their MViT loses seven points, their ViT hardly any, since actions can often be guessed from one frame. Ours cannot, so that this contrast
# cannot be asked here: any network that learns these clips goes by order.
#
# :::{guess} The network has learned the clips in order. Now it is shown their frames in random order, or one frame eight times. Which is it right on more often?
# - On shuffled clips
# - On single frames
# - Both alike: at chance
# :::


# %%
film, way = scenes.clips(1024, 8, seed=1, split="train")
asked, answer = scenes.clips(256, 8, seed=2)
film, asked = feed.shrunk(film, 32), feed.shrunk(asked, 32)
torch.manual_seed(0)
recipe = recipes.Recipe("mvit", 32 * steps, batch=32)


def draw(step):
    rows = torch.randint(0, len(film), (recipe.batch,))
    return film[rows], way[rows]


viewer = train.fit(MViT(32, 24, (1, 1, 1), clip=8, num_classes=4), recipe, draw)

# %%
shuffled = torch.stack([clip[:, torch.randperm(8)] for clip in asked])
controls = {f"frame {f} eight times": asked[:, :, [f] * 8] for f in (0, 3, 7)}
seen = {}
with torch.no_grad():
    for name, x in {"in order": asked, "shuffled": shuffled, **controls}.items():
        seen[name] = share(viewer(x).argmax(1) == answer)._asdict()
pd.DataFrame(seen).T.round(2)

# %% [markdown]
# On shuffled clips, by a little; without order, accuracy falls most of the way to chance. Chance is a quarter; intervals are over 256 clips, for this one network. Shuffled
# frames still show the axis of motion, as all positions lie on one line; their order, and with it the direction, is lost. A frame that stands still shows not even that.
#
# ## The claims
#
# Starts of different networks are not paired: intervals are Welch's. Claims about variants are testable only where every start has come at least half of the way from chance to certainty.


# %% tags=["hide-input"]
TESTS = {
    "F21-2": ("mvit", "vit_data_1000"),
    "F21-3": ("mvit_max_wide", "mvit_max_none"),
    "F21-4": ("mvit_whole", "mvit_max_wide"),
    "F21-5": ("mvit_whole", "mvit_unnormalised_skip"),
}
for claim, names in TESTS.items():
    held = [[c for (n, _), c in cards.items() if n == name] for name in names]
    if not all(held):
        continue
    worst = min(held[0] + held[1], key=lambda card: card.accuracy)
    book.record(
        claim,
        unpaired([[card.share for card in group] for group in held]),
        seeds=min(map(len, held)),
        images=worst.test_images,
        testable=Estimate(worst.accuracy, worst.accuracy_low, worst.accuracy_high),
    )

# %% [markdown]
# For F21-6, five untrained networks of each kind; its control is what uniform attention gives on the same grids. For F21-7, trained networks of as many starts as there are of both:


# %%
def alike(kind, seed):
    """Distances of heads that attend to everything alike, as many batches as were measured."""
    heads = zip(first[kind][seed], grids[kind])
    return [np.full_like(block, own) for block, own in heads]


spreads = [uneven(*nets, uniform) for nets in zip(first["mvit"], first["vit_cls"])]
control = [uneven(alike("mvit", i), alike("vit_cls", i), uniform) for i in range(5)]
told = book.decide("F21-6", spreads, images=len(few), control=control)

# %% tags=["hide-input"]
held = models.roles(book.tier)
several = {
    kind: [
        attention.block_distances(
            models.load(name, book.tier, seed), images, strided=STRIDED[kind]
        )
        for seed in held[name]
    ]
    for kind, name in TRAINED.items()
}
pd.DataFrame(
    [
        {
            "network": f"{plots.LABELS[kind]}, seed {seed}",
            "distance and depth": attention.rising(blocks),
            "beyond its grids": attention.rising(
                [block - own for block, own in zip(blocks, grids[kind])]
            ),
        }
        for kind, name in TRAINED.items()
        for seed, blocks in zip(held[name], several[kind])
    ]
).set_index("network").round(2)


# %% tags=["hide-input"]
def two(f, pyramid, plain):
    """A function of the heads' distances in two networks, with resamples of batches of images."""
    n = len(pyramid)
    return bootstrap(lambda *blocks: f(blocks[:n], blocks[n:]), *pyramid, *plain)


pairs = list(zip(several["mvit"], several["vit_cls"]))
rising = attention.rising
book.decide(
    "F21-7",
    {
        "more than in MViT": [
            two(lambda m, v: rising(v) - rising(m), *nets) for nets in pairs
        ],
        "rising in the ViT": [two(lambda m, v: rising(v), *nets) for nets in pairs],
    },
    images=len(images),
)
book.table()

# %% [markdown]
# ## What it means
#
# :::{finding} F21-2 summary holds
# **At equal size, our MViTs are more accurate than our ViTs on these scenes, and cheaper**: the difference in accuracy is {claim}`F21-2`, with fewer
# multiplications (the table of costs has both).
# :::
#
# :::{finding} F21-3 summary not run; F21-4 summary not run; F21-5 direction open
# **How pooling is best done is not settled.** Whether a normalised skip is better than a plain one stays open, {claim}`F21-5`: two starts of one network differ by more than the
# paper's settings do ({numref}`fig-mvit-ablation`). What pooling keys and values costs ({claim}`F21-3`), and convolution against maximum with the paper's kernels
# ({claim}`F21-4`), wait for networks that are not trained.
# :::
#
# :::{finding} F21-6 summary holds; F21-6 beyond_control yes
# **Untrained heads differ more in MViT, by little, and for two plain reasons.** Spread of their distances, MViT minus ViT, as a share of the uniform distance: {claim}`F21-6`.
# Blocks have grids of their own, and a layer norm follows the pooling; either alone makes most of it. With pooling by maximum, which has no norm, the grids are
# all there is
# ({numref}`fig-panel-f21-6`).
# :::
#
# :::{finding} F21-7 summary open; F21-7 estimate < 0
# **That distance rises with depth in a ViT is not found, and the reverse is not sure.** The correlation of distance and depth, and its difference from MViT's, are below 0 on
# average, with intervals over three pairs that hold 0: {claim}`F21-7`. In two of the ViTs distance falls clearly with depth, in the third hardly (the table above). With one pair
# it had looked reversed.
# :::
#
# **The network of the last section sees motion.** It goes by the order of frames: shuffled, it loses most of what it had over chance.
#
# **Why?** Keys that stand on a coarser grid are at other distances, even if all are looked at alike: that is geometry. A layer norm brings keys to a common length that is larger
# than what small initial weights give, so that logits are large enough for the softmax to prefer some: that is arithmetic as well, and without the norms the preference goes. Why
# distance falls with depth in two of our ViTs is a conjecture: its first blocks look everywhere, as they did before training, and only higher ones have learned to prefer places, near
# ones among them.
#
# **The paper** finds, in ImageNet networks, that distance rises with depth in a ViT, and more steadily than in MViT, and that MViT's untrained heads differ. The second is found here, and explained; the first needs a ViT whose low blocks look near, and at this size they look everywhere.
#
# **What would change our mind?** An MViT without norms and with equal grids in all blocks whose untrained heads still differ would show that there is a third cause. A larger ViT
# with local heads in its low blocks would give the paper's contrast its chance.
# ## What this tier cannot decide
#
# CIFAR-10 and ImageNet networks of this kind were not trained. There are three MViTs of full length, and variants of its pooling that the paper has (F21-3, F21-4) are not trained. Variants got a quarter as many images as the whole networks, too few for
# some starts to get far. Without any skip connection where tokens widen, the one start that we trained did not learn. Video stands here for a principle: four directions are not
# four hundred actions. Nothing was
# measured about memory, which is half of the paper's case for pooling, nor about where stages begin and how blocks are shared out among them.
#
# ## Quiz
#
# :::{quiz} An effect is found in a trained network, and as large in untrained networks of the same build. What did training have to do with it?
# - [ ] It must have been trained wrongly. ~ The untrained control says nothing about that.
# - [ ] It strengthened what was there. ~ Then it would be larger after training.
# - [x] As far as this measure tells, nothing. ~ The build brings it about, whatever the weights have learned.
# :::
#
# :::{quiz} Why is a head's distance compared with uniform attention on its own block's grid?
# - [x] Otherwise a coarser grid looks like a head that looks elsewhere. ~ Uniform attention has another mean distance on every grid.
# - [ ] To turn pixels into patches. ~ Any fixed number would do for that.
# - [ ] Because heads of one block have to be alike. ~ They need not be.
# :::
#
# :::{quiz} A video network is right as often on shuffled clips as on clips in order. What does it not use?
# - [ ] More than one frame. ~ It may well sum up all of them, as a set.
# - [ ] The position of the object. ~ Single frames have that.
# - [x] The order of frames. ~ Whatever it goes by is the same in any order.
# :::
#
# :::{quiz} In our clips no single frame tells the direction. What is that good for?
# - [x] Who answers well must have used several frames. ~ In films of actions, one frame often gives the answer away.
# - [ ] It keeps the background out. ~ The background stays still and can be seen.
# - [ ] It makes the task easier. ~ It makes it harder.
# :::
#
# :::{quiz} One start each of two settings differs by four points, two starts of one setting by five. Which setting is better?
# - [ ] The one with fewer weights. ~ Nothing was said about weights.
# - [x] It cannot be told. ~ One needs several starts of both, and their spread.
# - [ ] The first, by four points. ~ The luck of a start alone does as much.
# :::
#
# ## Exercises
#
# :::{exercise} Warm-up: positions and widths (5 minutes)
# :label: ex-trade
# A stage quarters the positions and doubles the width. What happens to the cost of one linear layer over all positions?
# :::
#
# :::{solution} ex-trade
# :class: dropdown
# A quarter of the positions, four times the weights: it stays the same.
# :::
#
# :::{exercise} Code: the shuffled axis (10 minutes)
# :label: ex-axis
# Does shuffling leave the axis of motion? Among shuffled clips that were answered wrongly, how often is the answer the opposite direction?
# :::
#
# ::::{solution} ex-axis
# :class: dropdown
# ```python
# from seelike import checks
#
# with torch.no_grad():
#     said = viewer(shuffled).argmax(1)
# wrong = said != answer
# mine = ((said // 2) == (answer // 2))[wrong].float().mean()
# print(mine)
# checks.check_axis(mine, viewer, shuffled, answer)
# ```
#
# Directions 0 and 1 are one axis, 2 and 3 the other. Chance is a third. After shuffling, all positions still lie on one line, so that the axis can be seen; their order is lost, and with it the direction.
# ::::
#
# :::{exercise} Open: pool what? (60 minutes)
# :label: ex-pool-what
# Pool queries only, or keys and values only, in all stages. Which of the two makes the network more like a ResNet, by CKA and by receptive fields?
# :::
#
# :::{solution} ex-pool-what
# :class: dropdown
# Pooling queries shrinks the map, since every query gives a token; pooling keys and values leaves the map as fine as it was, and only makes attention coarser. Expect the first
# to climb the ResNet's diagonal as in {numref}`fig-cmt-cka` and the second to stay close to a ViT. Use the same width in all stages for both, so that nothing else differs, and
# add an untrained network of each: receptive fields grow by pooling alone.
# :::
