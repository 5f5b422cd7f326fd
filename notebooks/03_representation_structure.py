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
# (sec-structure)=
# # The structure of representations
#
# **You will learn** to read a map of similarities between all layers of a network, to summarise it by numbers that a rule
# can decide, and to tell what training made from what was there before.
#
# *Reading: 12 minutes. Running: {seconds}`03` on two cores. Before this: {ref}`sec-cka`.*
#
# ## The question
#
# {cite:t}`raghu2021` begin with a picture (their Figs 1, 2 and B.1): the CKA of every layer of a network with every other
# layer. ViTs, they report, look uniform from bottom to top; ResNets fall into stages. Then they compare large ViTs with a
# ResNet-50. The lower half of the ResNet resembles the lowest quarter of the ViT; the rest of the ResNet resembles the next third; the last
# third of the ViT is unlike every ResNet layer. We turn this into seven claims. Each has a rule, with a threshold of our own, written down before
# the run below; the number of images and the kind of interval were settled after trial runs ({ref}`sec-scorecard`).

# %% tags=["parameters"]
tier = "scenes"
n_images = 1024

# %% tags=["hide-input"]
from itertools import islice

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seelike import claims, maps, plots
from seelike.chapter import Chapter
from seelike.cka import sweep
from seelike.intervals import estimate

book = Chapter("03", tier)

# %% [markdown]
# ## Method: every tap of every network in one sweep
#
# A *tap* is a place where we listen. In each ViT block there are six: the output of the first norm, the output of attention, the
# residual stream between attention and MLP, the output of the second norm, the MLP's hidden layer, and the block's output; the final norm is one more.
# In the ResNet every convolution, norm and ReLU is one; shortcut projections are left out. Responses are flattened over positions and channels, one
# row an image. The paper takes 10,240 images in batches of 1,024, and reports no visible change down to 2,560 in batches of 128. We take fewer (the
# line below says how many); the intervals say what this costs.
#
# The cast: every seed of ViT (CLS), ViT (GAP), ResNet and Mixer in the zoo, a ViT stopped early, and both architectures
# *untrained*: fresh random weights of another seed. In the untrained ResNet the last norm of each branch starts at one instead of zero, so
# that every branch has something to say. The untrained ViT keeps its usual small initial weights: its branches add little to the stream ({ref}`sec-skips`), so that
# its layers are alike by construction. Other initial weights would make other controls.

# %%
images = book.images(n_images, seed=3)
pairs = book.pairs("vit_cls", "resnet")
cast = book.cast(
    "vit_cls", "resnet", "vit_gap", "mixer", "vit_matched",
    untrained=("vit_cls", "resnet"),
)  # fmt: skip
similarity = sweep(cast, images, "all")
print(
    f"{len(cast)} networks, {len(similarity.layers)} taps, {len(similarity.layers) ** 2:,} pairs, "
    f"{len(images)} images in batches of {images.batch_size}"
)

# %% [markdown]
# One object now holds everything, and each figure below is a block of it: `similarity.block(row, column)` has the layers of one network
# as rows and those of another as columns.

# %% [markdown]
# ## Within a network

# %% mystnb={"figure": {"name": "fig-structure", "caption": "Every layer against every other layer of the same network; bright is similar. Above: trained (one seed). Below: fresh random weights, the control that such maps need. Ticks on the ResNet mark the first tap of each stage. In the ViT, dark lines every six taps are the outputs of attention before they are added to the stream. What is bright below is not due to training."}, "image": {"alt": "Four square heat maps of CKA, first layer at the lower left, dark at 0 and bright at 1, a bright diagonal in each. Top left: trained ViT. Top right: trained ResNet, with its stages marked. Bottom: the same architectures with random weights. The uniformity of each is plotted in the next figure."}} tags=["hide-input"]
shown = book.shown(cast, "vit_cls", "resnet")
columns = -(-len(shown) // 2)
fig, axes = plt.subplots(2, columns, figsize=(3.6 * columns, 6.6), squeeze=False)
for ax, name in zip(axes.flat, shown):
    plots.similarity_map(
        ax, similarity.block(name), plots.label(name), rows="tap", columns="tap"
    )
    if "resnet" in name:
        stage = maps.stages(similarity.networks[name])
        starts = [0, *np.flatnonzero(np.diff(stage)) + 1]
        ax.set_xticks(starts)
        ax.set_yticks(starts)
for ax in axes.flat[len(shown) :]:
    ax.set_axis_off()
book.sign(fig, [0])

# %% [markdown]
# Four numbers say what the eye sees. Let $M$ be the map of a network with $L$ taps, and $s(i)$ the stage of tap $i$: by name in the
# ResNet, where the stem counts to the first stage; four equal quarters in the ViT.
#
# *Uniformity* is the mean similarity of different layers:
#
# $$
# U(M) = \frac{1}{L(L-1)} \sum_{i \ne j} M_{ij} .
# $$ (eq-uniformity)
#
# *Low with high* is the mean of $M_{ij}$ with $i$ in the lowest and $j$ in the highest third.
#
# *Contrast* says how much more alike layers of one stage are than layers of different stages:
#
# $$
# C(M) = \operatorname{mean}_{i \ne j,\; s(i) = s(j)} M_{ij} \; - \; \operatorname{mean}_{s(i) \ne s(j)} M_{ij} .
# $$ (eq-contrast)
#
# *Grid* says how strongly the map repeats with every block. Let $r(\ell)$ be the autocorrelation of the map's rows at a distance of $\ell$ taps, pooled over rows. Before that, each entry of
# the diagonal is replaced by the mean of its neighbours, and the straight-line trend of each row is subtracted. A ViT block has six taps:
#
# $$
# G(M) = \min\bigl( r(6) - 0.5,\; r(6) - \max(r(3), r(9)) \bigr) .
# $$ (eq-grid)
#
# The first two are drawn here for every network. All four enter the claims below.

# %%
PERIOD = 6  # taps in a transformer block
within = {
    "uniformity": maps.uniformity,
    "lowest with highest third": maps.low_high,
}

# %% mystnb={"figure": {"name": "fig-uniformity", "caption": "Mean similarity of different layers (left), and of the lowest with the highest third (right), for every network; intervals over images. Grey: untrained controls. A trained network left of its grey dot has become less uniform by training."}, "image": {"alt": "Two dot plots, one row per network, CKA from 0 to 1 on the horizontal axis, with 95 % intervals. Left: mean CKA between different layers. Right: mean CKA between lowest and highest third. Untrained controls are the two grey rows at the bottom."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(8.6, 0.33 * len(cast) + 1.4), sharey=True)
for ax, (label, f) in zip(axes, within.items()):
    rows = {name: estimate([similarity.bootstrap(f, name)]) for name in cast}
    plots.intervals(ax, rows, {name: plots.colour(name) for name in cast})
    ax.set_yticks(range(len(cast)), [plots.label(n, seed=True) for n in cast])
    ax.set(xlabel=label, xlim=(-0.02, 1.02))
book.sign(fig)

# %% [markdown]
# Contrast and grid, too, need their controls: a grid in the untrained ViT comes from what the taps are, not from what was learned. The rule asks for a pattern that
# repeats once a block, and not already every half block. A map that repeats every three taps has a grid to the eye and none to the rule, so *contradicted* can mean a finer grid.
# The last three columns are the autocorrelations behind it.


# %%
def shape(name):
    m = similarity.block(name).to_numpy()
    row = {
        "contrast": maps.contrast(m, maps.stages(similarity.networks[name])),
        "grid": maps.grid(m, PERIOD) if len(m) > 2 * PERIOD else np.nan,
    }
    return row | {f"r({lag})": maps.autocorrelation(m, lag) for lag in (3, 6, 9)}


pd.DataFrame({plots.label(name, seed=True): shape(name) for name in cast}).T.round(
    2
)

# %% [markdown]
# ## Between the networks

# %%
# needs: vit_cls, resnet
vit, resnet = pairs[0]
two = {name: cast[name] for name in pairs[0]}
null = sweep(two, islice(images, 4), "all", shuffle=True)
controls = {
    "ViT and ResNet": (similarity.block(vit, resnet), "ResNet tap"),
    "both untrained": (
        similarity.block("untrained vit_cls", "untrained resnet"),
        "ResNet tap",
    ),
    "other images": (null.block(vit, resnet), "ResNet tap"),
}
if len(pairs) > 1:
    controls["ViT and ViT of another seed"] = (
        similarity.block(vit, pairs[1][0]),
        "ViT tap, other seed",
    )

# %% mystnb={"figure": {"name": "fig-cross", "caption": "ViT layers (rows) against another network's layers (columns); bright is similar. First: a trained ViT and ResNet. Controls: both untrained (what is there without training); the two networks shown different images (an unbiased estimator gives values near 0); and, where there are two seeds, a ViT against a ViT of another seed (how alike two runs of one recipe are)."}, "image": {"alt": "Four heat maps of CKA, dark at 0 and bright at 1, ViT layers upwards. First: against a trained ResNet. Second: both networks untrained. Third: different images for the two networks, dark throughout. Fourth, if two seeds exist: against a ViT of another seed."}} tags=["hide-input"]
# needs: vit_cls, resnet
fig, axes = plt.subplots(2, 2, figsize=(7.2, 6.6))
for ax, (title, (values, columns)) in zip(axes.flat, controls.items()):
    plots.similarity_map(ax, values, title, rows="ViT tap", columns=columns)
for ax in axes.flat[len(controls) :]:
    ax.set_axis_off()
book.sign(fig, book.seeds[:2])

# %% mystnb={"figure": {"name": "fig-match", "caption": "For each ViT layer the most similar ResNet layer (left), and how similar it is (right), for every seed. The dotted lines mark what the paper reports for R50 and ViT-B/32: the lowest 60 of 130 ResNet layers go with about the lowest 25 of 75 ViT layers. If that held here, curves would stay below the horizontal line up to the vertical one, and above it after. Dips on the right are outputs of attention."}, "image": {"alt": "Two line plots against relative depth of the ViT. Left: relative depth of the best-matching ResNet layer, one line per seed. Right: CKA of that best match, from 0 to 1, one line per seed."}} tags=["hide-input"]
# needs: vit_cls, resnet
fig, axes = plt.subplots(1, 2, figsize=(8.2, 3.4))
for (v, r), seed in zip(pairs, book.seeds):
    c = similarity.block(v, r).to_numpy()
    depth = np.linspace(0, 1, len(c))
    axes[0].plot(
        depth,
        c.argmax(1) / (c.shape[1] - 1),
        drawstyle="steps-mid",
        label=f"seed {seed}",
        alpha=0.85,
    )
    axes[1].plot(depth, c.max(1), label=f"seed {seed}", alpha=0.85)
axes[0].axvline(25 / 75, color=plots.INK, ls=":", lw=1.2)
axes[0].axhline(60 / 130, color=plots.INK, ls=":", lw=1.2)
axes[0].set(
    xlabel="depth in the ViT",
    ylabel="depth of the best ResNet match",
    ylim=(-0.03, 1.03),
)
axes[1].set(
    xlabel="depth in the ViT", ylabel="CKA with the best match", ylim=(0, 1)
)
axes[1].legend()
book.sign(fig)

# %% [markdown]
# ## Seven claims, decided
#
# Each claim is a function of the maps of one ViT and one ResNet. It is computed for each pair of a ViT and a ResNet of the same seed, which saw the same images in the same
# order, and on resampled batches of images. The interval covers both. With so few pairs its part from seeds is wide; treating the seeds as unpaired would give another width.

# %%
# needs: vit_cls, resnet
v_stages, r_stages = (maps.stages(similarity.networks[name]) for name in pairs[0])
STATISTICS = {
    "R21-1": lambda v, r, c: maps.uniformity(v) - maps.uniformity(r),
    "R21-2": lambda v, r, c: maps.low_high(v) - maps.low_high(r),
    "R21-3": lambda v, r, c: maps.contrast(r, r_stages) - 2 * maps.contrast(v, v_stages),
    "R21-4": lambda v, r, c: maps.grid(v, PERIOD),
    "R21-5": lambda v, r, c: maps.matched_depth(c),
    "R21-6": lambda v, r, c: abs(maps.matched_share(c) - 25 / 75) / (25 / 75),
    "R21-7": lambda v, r, c: maps.top_unlike(c),
}  # fmt: skip
for claim, f in STATISTICS.items():
    seeds = [similarity.bootstrap(f, v, r) for v, r in pairs]
    book.decide(claim, seeds, images=len(images))
book.table()

# %% [markdown]
# ### Is it only that one network is better?
#
# Seeds differ in accuracy, and so may the families ({ref}`sec-data`). Here is one ViT as it was when its accuracy was near that of the ResNet of seed 0, beside that ResNet.
# The first column is the same pair with the ViT at its end. If accuracy made a difference, the two columns would differ. This is one pair: intervals cover images
# only, and stopping early also changes how far the ViT has converged. On Scenes, accuracies are close anyway; on CIFAR-10, where they are far apart, we have no such control.

# %%
# needs: vit_matched
stopped = next(n for n in cast if n.startswith("vit_matched"))
rows = {}
for claim, f in STATISTICS.items():
    ended = similarity.bootstrap(
        f, stopped.replace("vit_matched", "vit_cls"), pairs[0][1]
    )
    e = estimate([similarity.bootstrap(f, stopped, pairs[0][1])])
    rows[claim] = {"ViT at its end": ended.value} | e._asdict()
    rows[claim]["verdict it would give"] = claims.verdict(
        claims.ledger()[claim]["rule"], e.low, e.high
    )
book.keep(
    accuracy_matched={
        c: {k: r[k] for k in ("estimate", "low", "high")} for c, r in rows.items()
    }
)
pd.DataFrame(rows).T.round(2)

# %% [markdown]
# ### Is it the ViT, or its class token?
#
# The same numbers with ViT (GAP), which reads its answer from the mean of its tokens, in the place of ViT (CLS):

# %%
# needs: vit_gap, resnet
rows = {}
for claim in ("R21-1", "R21-2"):
    f = STATISTICS[claim]
    gap = [
        similarity.bootstrap(f, v, r) for v, r in book.pairs("vit_gap", "resnet")
    ]
    rows[claim] = estimate(gap)._asdict()
pd.DataFrame(rows).T.round(2)

# %% tags=["hide-input"]
# needs: vit_cls, resnet
maps_kept = {
    n: similarity.block(n).round(3).to_numpy().tolist()
    for n in (vit, resnet, "untrained vit_cls", "untrained resnet")
}
maps_kept["cross"] = similarity.block(vit, resnet).round(3).to_numpy().tolist()
book.keep(
    maps=maps_kept,
    settings={
        "images": len(images),
        "batch_size": images.batch_size,
        "seeds": book.seeds,
    },
)

# %% [markdown]
# ## The same on natural images
#
# These maps were recorded when this chapter was run at other tiers; nothing in them was computed on this page.

# %% mystnb={"figure": {"name": "fig-recorded", "caption": "Recorded at other tiers, one row each: a ViT, a ResNet, and the two against each other."}, "image": {"alt": "Rows of three heat maps recorded at other tiers: CKA between all layers of a ViT, of a ResNet, and of the ViT against the ResNet, dark at 0 and bright at 1. The tables below give their statistics."}} tags=["hide-input"]
recorded = book.recorded("maps")
fig, axes = plt.subplots(
    len(recorded), 3, figsize=(9.6, 3.3 * len(recorded)), squeeze=False
)
for row, found in zip(axes, recorded):
    vit_name, cnn_name = (found.label(name) for name in ("vit_cls-0", "resnet-0"))
    named = {"vit_cls-0": vit_name, "resnet-0": cnn_name, "cross": "both"}
    for ax, (name, title) in zip(row, named.items()):
        plots.similarity_map(
            ax,
            found.sections["maps"][name],
            title,
            rows="ViT tap" if name == "cross" else "tap",
            columns="CNN tap" if name == "cross" else "tap",
        )
        ax.title.set_fontsize(10)
    row[0].set_ylabel(f"{found.tier.title}\ntap")
book.sign(fig, recorded=recorded)

# %%
book.tables(recorded)

# %% [markdown]
# ## What it means
#
# Each number stands beside its interval and its verdict.
#
# **Uniform?** ViT (CLS) minus ResNet, mean similarity of different layers: {claim}`R21-1`. The same difference for the lowest and highest
# thirds: {claim}`R21-2`. Above 0, the ViT is more alike from bottom to top. Set this beside the table for ViT (GAP), where the differences lie below 0 or near it: on Scenes,
# uniformity depends on how the answer is read, and not only on the architecture.
#
# **Stages, or a grid?** Contrast of the ResNet minus twice that of the ViT: {claim}`R21-3`. Margin of the ViT's grid: {claim}`R21-4`.
#
# **Which layer goes with which?** Depth of the ViT layer that the lower ResNet resembles: {claim}`R21-5`. Deviation from the paper's
# correspondence: {claim}`R21-6`. Middle minus top third of the ViT, best match with any ResNet layer: {claim}`R21-7`.
#
# **Learned or given?** Look at the grey dots of {numref}`fig-uniformity`. Where an untrained network is as uniform as a trained one,
# training did not add that uniformity. It may still have removed more of it from one family than from the other.
#
# **Does it depend on the images?** The same rules, decided on CIFAR-10 by networks of the same architectures (patch size and first
# stride follow the image size; the ResNet is half as wide again): uniformity {claim}`R21-1 @ cifar10`, low with high {claim}`R21-2 @ cifar10`, stages
# {claim}`R21-3 @ cifar10`, grid {claim}`R21-4 @ cifar10`, lower half of the ResNet {claim}`R21-5 @ cifar10`, correspondence
# {claim}`R21-6 @ cifar10`, top third {claim}`R21-7 @ cifar10`. Images, training length and accuracy all differ between the tiers. On CIFAR-10 they also differ between the two families: the ResNet saw about four times as
# many images, with grey squares and softened labels, at other rates, has more than twice the parameters, and is more accurate ({ref}`sec-data`). A verdict there is about these two networks, not about attention alone. CIFAR-10
# has one seed, so its intervals say nothing about the luck of training. Why the tiers differ is open: nothing here separates these causes.
#
# A verdict is about these networks and these images. *Contradicted* here does not mean that the paper is wrong about its own.
#
# ## What this tier cannot decide
#
# The paper's networks have 12 to 32 transformer blocks and were trained on 300 million photographs. Ours have eight blocks.
# Claims 5 and 6 compare depths, and may depend on large networks and large data. They can fail here for that reason alone.
#
# Our ResNet has batch norm and basic blocks, theirs group norm and bottlenecks. Three seeds make wide intervals over seeds;
# CIFAR-10 has one seed, so its intervals leave out the luck of training.
#
# ## Exercises
#
# :::{exercise} Warm-up: a map of two halves
# :label: ex-halves
# A network has two stages with equally many layers. CKA is 1 within a stage and 0 between them. What are its uniformity, its
# low-with-high similarity and its contrast, when there are many layers?
# :::
#
# :::{solution} ex-halves
# :class: dropdown
# Half of all pairs lie within a stage, so uniformity is close to 1/2. The lowest and highest thirds lie in different stages: 0.
# The contrast is 1 - 0 = 1.
# :::
#
# :::{exercise} Code: does the view decide?
# :label: ex-view
# We flattened positions and channels. Average over positions first (`view=capture.gap`) and compute the uniformity of one ViT and one
# ResNet again. Does the order of the two change?
# :::
#
# ::::{solution} ex-view
# :class: dropdown
# ```python
# from seelike import capture
#
# pair = {k: cast[k] for k in pairs[0]}
# pooled = sweep(pair, images, "all", view=capture.gap).compute()
# for name in pair:
#     own = pooled.index.str.startswith(name + "/")
#     print(name, maps.uniformity(pooled.to_numpy()[np.ix_(own, own)]))
# ```
#
# Pooling drops what depends on position, and in the ViT also the class token. A claim that changes with the view is a claim about the view.
# ::::
#
# :::{exercise} Open: skip connections or attention?
# :label: ex-cause
# A ViT differs from a ResNet in how it mixes positions, and in how its skip connections run. Design networks that separate the two as
# causes of uniformity.
# :::
