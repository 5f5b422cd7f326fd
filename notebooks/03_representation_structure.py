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
# **You will learn** to read a map of similarities between all layers of a network, to summarise it by numbers with a natural null,
# and to tell what training made from what was there before.
#
# *Reading: 18 minutes. Running: {seconds}`03` on two cores. Before this: {ref}`sec-cka`.*
#
# :::{finding} R21-1 summary open; R21-2 summary open; R21-3 summary open; R21-4 beyond_control no; R21-5 direction reversed; R21-6 direction reversed; R21-1 @ tiny direction holds; R21-5 @ tiny direction holds; R21-6 @ tiny direction holds; R21-1 @ tiny beyond_control yes; R21-5 @ tiny beyond_control yes
# :title: What we found
# **The paper's first picture is not settled on our small networks.** Whether a ViT is more uniform from bottom to top than a ResNet stays open ({claim}`R21-1`), and
# so does whether a ResNet falls into stages ({claim}`R21-3`).
# **The grid in a ViT's map is there before training** ({claim}`R21-4`). **Layers correspond otherwise than in the paper**: the lower half of our ResNet is most like
# a quarter of the ViT above its lowest one ({claim}`R21-5`), and it goes
# with more of the ViT's layers, not with fewer ({claim}`R21-6`).
# **On photographs it looks more like the paper**: in the one pair there, of about equal accuracy, the ViT is the more uniform ({claim}`R21-1 @ tiny`), and the lowest
# quarter of it leads ({claim}`R21-5 @ tiny`).
# :::
#
# ## The question
#
# {cite:t}`raghu2021` begin with a picture (their Figs 1, 2 and B.1): the {term}`CKA` of every layer of a network with every other
# layer. ViTs, they report, look uniform from bottom to top; ResNets fall into stages. Then they compare large ViTs with a
# ResNet-50. The lower half of the ResNet resembles the lowest quarter of the ViT; the rest of the ResNet resembles the next third; the last
# third of the ViT is unlike every ResNet layer. We turn this into seven claims. Each is a number with a null: the value that it would have
# if there were nothing to report. The claims were amended after a first edition; what they were before, and why they changed, stands in
# {ref}`sec-scorecard`.

# %% tags=["parameters"]
tier = "scenes"
n_images = 1024

# %% tags=["hide-input"]
from itertools import islice

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from seelike import claims, maps, plots
from seelike.capture import layers
from seelike.chapter import Chapter
from seelike.cka import sweep
from seelike.intervals import estimate
from seelike.panels.structure import moved

book = Chapter("03", tier)
plots.LABELS |= {
    "vit_data_1000": "ViT (CLS), short run",
    "vit_cls_adamw": "ViT (CLS), short run, AdamW",
    "resnet_short": "ResNet, short run",
}

# %% [markdown]
# ## Method: every tap of every network in one sweep
#
# A {term}`tap` is a place where we listen; the maps call each tap a layer, as the paper does. In each ViT {term}`block` there are six: the output of the first norm,
# the output of attention, the
# {term}`residual stream` between attention and MLP, the output of the second norm, the MLP's hidden layer, and the block's output; the final norm is one more.
# In the ResNet every convolution, norm and ReLU is one; shortcut projections are left out. Responses are flattened over positions and channels, one
# row an image. The paper takes 10,240 images in batches of 1,024, and reports no visible change down to 2,560 in batches of 128. We take fewer (the
# line below says how many); the {term}`intervals <interval>` say what this costs.
#
# The cast: the ViT (CLS), ViT (GAP), ResNet and Mixer of several {term}`seeds <seed>`, and both architectures
# *untrained*: fresh random weights of another seed. In the untrained ResNet the last norm of each branch starts at one instead of zero, so
# that every branch has something to say. The untrained ViT keeps its usual small initial weights: its branches add little to the stream ({ref}`sec-skips`), so
# that its layers are alike by construction. One network of each of three short recipes shows what training does to the same architecture.

# %%
images = book.images(n_images, seed=3)
pairs = book.pairs("vit_cls", "resnet")
cast = book.cast(
    "vit_cls", "resnet", "vit_gap", "mixer", untrained=("vit_cls", "resnet")
)
similarity = sweep(cast, images, "all")
print(
    f"{len(cast)} networks, {len(similarity.layers)} layers, {len(similarity.layers) ** 2:,} pairs, "
    f"{len(images)} images in batches of {images.batch_size}"
)

# %% tags=["hide-input"]
SHORT = ("vit_data_1000", "vit_cls_adamw", "resnet_short")
others = book.cast(*SHORT) if book.has("zoo") else {}
others = {n: others[n] for n in book.shown(others, *SHORT) if n in others}
similar_too = sweep(others, images, "all") if others else None

# %% [markdown]
# One object now holds everything, and the maps below are blocks of it: `similarity.block(row, column)` has the layers of one network
# as rows and those of another as columns.

# %% [markdown]
# ## Within a network
#
# :::{guess} Four maps follow: a ViT and a ResNet, each trained and with random weights. Which will be the most uniform?
# - The trained ViT.
# - The trained ResNet.
# - Those with random weights.
# :::

# %% tags=["hide-input"]
blocks = {name: layers(model) for name, model in cast.items()}
marks = {n: maps.marks(similarity.networks[n], blocks[n]) for n in cast}


def mark(ax, rows, columns):
    ax.set_yticks(list(marks[rows]), marks[rows].values(), fontsize=8)
    ax.set_xticks(
        list(marks[columns]),
        marks[columns].values(),
        fontsize=8,
        rotation=45,
        ha="right",
    )


# %% mystnb={"figure": {"name": "fig-structure", "caption": "Every layer against every other layer of the same network, input at the lower left; bright is similar, and all maps share one scale. Above: trained (one seed). Below: fresh random weights, the control that such maps need. Ticks stand at the first layer of a block or stage. Dark lines in the ViT, one a block, are outputs of attention before they are added to the residual stream."}, "image": {"alt": "Four square heat maps of CKA on one scale, dark at 0 and bright at 1, a bright diagonal in each. Top left: trained ViT, blocks marked. Top right: trained ResNet, stages marked. Both fade from the diagonal to the corners. Bottom: the same architectures with random weights, bright nearly everywhere, the ViT crossed by a fine grid."}} tags=["hide-input"]
shown = book.shown(cast, "vit_cls", "resnet")
columns = -(-len(shown) // 2)
fig, axes = plt.subplots(2, columns, figsize=(3.6 * columns, 6.8), squeeze=False)
for ax, name in zip(axes.flat, shown):
    plots.similarity_map(
        ax, similarity.block(name), plots.label(name), rows="", columns=""
    )
    mark(ax, name, name)
for ax in axes.flat[len(shown) :]:
    ax.set_axis_off()
book.sign(fig, book.seeds[:1])

# %% [markdown]
# Those with random weights: their maps are bright nearly everywhere. Uniformity is where networks start, so that the question is what training does to it.

# %% [markdown]
# :::{explore} cka
# :::

# %% [markdown]
# ### How uniform?
#
# *Uniformity* is the mean similarity of different layers of a map $M$ with $L$ layers:
#
# $$
# U(M) = \frac{1}{L(L-1)} \sum_{i \ne j} M_{ij} .
# $$ (eq-uniformity)
#
# *Low with high* is the mean of $M_{ij}$ with $i$ in the lowest and $j$ in the highest third.
#
# :::{guess} Which will differ more in uniformity?
# - A ViT and a ResNet of one recipe.
# - A ViT and the same ViT trained by another recipe.
# :::

# %% mystnb={"figure": {"name": "fig-uniformity", "caption": "Mean similarity of different layers (left), and of the lowest with the highest third (right), for every network; intervals over images. Short runs saw a third as many images as the others. Grey: the AdamW run and the untrained controls. A trained network left of its untrained control has become less uniform by training."}, "image": {"alt": "Two dot plots, one row per network, CKA from 0 to 1 on the horizontal axis, with 95 % intervals. Left: mean CKA between different layers. Right: mean CKA between lowest and highest third. Rows of the same ViT by recipe lie farther apart than ViT (CLS) and ResNet do; untrained controls lie rightmost."}} tags=["hide-input"]
within = {
    "uniformity": maps.uniformity,
    "lowest with highest third": maps.low_high,
}
named = [n for n in cast if not n.startswith("untrained")] + list(others)
named += [n for n in cast if n.startswith("untrained")]
fig, axes = plt.subplots(1, 2, figsize=(8.6, 0.3 * len(named) + 1.4), sharey=True)
for ax, (label, f) in zip(axes, within.items()):
    held = {n: similar_too if n in others else similarity for n in named}
    rows = {n: estimate([held[n].bootstrap(f, n)]) for n in named}
    plots.intervals(ax, rows, {n: plots.colour(n) for n in named})
    ax.set_yticks(range(len(named)), [plots.label(n, seed=True) for n in named])
    ax.set(xlabel=label, xlim=(-0.02, 1.02))
book.sign(fig)

# %% tags=["hide-input"]
# needs: zoo, vit_cls, resnet
u = {
    name: np.mean([maps.uniformity(held[n].block(n).to_numpy()) for n in mine])
    for name in [*dict.fromkeys(n.partition("-")[0] for n in named)]
    if (mine := [n for n in named if n.partition("-")[0] == name])
}
by_recipe = [u[n] for n in ("vit_cls", "vit_data_1000", "vit_cls_adamw") if n in u]
if others:
    display(
        Markdown(
            f"Recipes move the same ViT (class token) over a range of {np.ptp(by_recipe):.2f}; ViT and ResNet of the long runs differ by "
            f"{abs(u['vit_cls'] - u['resnet']):.2f}."
        )
    )

# %% [markdown]
# ### Stages?
#
# Similarity falls off with distance in depth. Whoever cuts a network into parts, anywhere, finds layers within a part more alike than layers
# of different parts, since they are nearer. So we compare pairs at *equal distance*: layers at the same two places $a, b$ of
# their blocks, and equally many blocks $d$ apart. Let $W_{abd}$ be the mean CKA of those pairs whose blocks belong to one stage, and
# $B_{abd}$ of those whose blocks belong to two. The contrast of a division $s$ of the blocks into stages is the weighted mean of the difference, and
# what counts is how far the ResNet's own division exceeds the mean of all other divisions into as many parts:
#
# $$
# C(M, s) = \sum_{a, b, d} w_{abd}\, (W_{abd} - B_{abd}), \qquad
# S(M) = C(M, s_\text{own}) - \operatorname{mean}_{s \ne s_\text{own}} C(M, s) .
# $$ (eq-contrast)
#
# A map that depends on distance and place in the block only has $S = 0$: that control is built in. The ViT, which has no {term}`stages <stage>` of its
# own, is cut at the same depths, into four quarters.
#
# :::{guess} If a ResNet falls into stages, similarity of neighbouring blocks drops where a stage ends. Where will you see such drops?
# - In all layers and in block outputs.
# - In block outputs only.
# - In neither.
# :::

# %% mystnb={"figure": {"name": "fig-stage-cuts", "caption": "Similarity of each block with the next; if stages stood out, lines would dip at the dotted boundaries between stages (in the ViT: between quarters). Left: mean over all layers of the two blocks, as in the claim. Right: the blocks' outputs alone, that is, the residual stream. One line a seed; grey, broken: untrained."}, "image": {"alt": "Four line plots, CKA of consecutive blocks against the boundary between them, vertical dotted lines at stage boundaries, grey broken lines of untrained networks near the top. Upper row ResNet, lower row ViT. For the ResNet, all layers on the left show no dips at the dotted lines; block outputs on the right dip at them."}} tags=["hide-input"]
# needs: vit_cls, resnet
fig, axes = plt.subplots(2, 2, figsize=(7.6, 5.4), sharey="col", sharex="row")
for row, i in zip(axes, (1, 0)):
    stage = maps.stages(blocks[pairs[0][i]])
    for name in [p[i] for p in pairs] + [f"untrained {('vit_cls', 'resnet')[i]}"]:
        m = similarity.block(name)
        outputs = [np.flatnonzero(np.array([t.startswith(f"{b}.") or t == b for t in m.index]))[-1] for b in blocks[name]]  # fmt: skip
        style = dict(color=plots.colour(name), ls="--" if "untrained" in name else "-", alpha=0.85)  # fmt: skip
        at = np.arange(1, len(blocks[name])) + 0.5
        row[0].plot(at, maps.consecutive(m.to_numpy(), list(m.index), blocks[name]), "o", ms=4, **style)  # fmt: skip
        row[1].plot(at, m.to_numpy()[outputs[:-1], outputs[1:]], "o", ms=4, **style)
    for ax, what in zip(row, ("all layers", "block outputs")):
        for x in np.flatnonzero(np.diff(stage)) + 1.5:
            ax.axvline(x, color=plots.INK, ls=":", lw=1.2)
        ax.set(title=f"{plots.label(pairs[0][i])}, {what}", xlabel="between blocks")
        ax.set_xticks(at, [f"{int(x)}|{int(x) + 1}" for x in at], fontsize=8)
    row[0].set_ylabel("CKA with next block")
book.sign(fig)

# %% [markdown]
# :::{finding} R21-3 summary open
# :title: Stages
# In block outputs only. Over all layers, the ResNet's own stage boundaries do not stand out from other cuts ({claim}`R21-3`).
# :::
#
# ### A grid?
#
# Let $r(\ell)$ be the autocorrelation of the map's rows at a distance of $\ell$ layers, pooled over rows; before that, each entry of
# the diagonal is replaced by the mean of its neighbours, and the straight-line trend of each row is subtracted. A ViT block has six layers. The map has a grid if
# $r(6)$ stands out from the lags next to it, and is positive:
#
# $$
# G(M) = r(6) - \max\bigl( r(5), r(7) \bigr) .
# $$ (eq-grid)
#
# A map that merely fades has $G < 0$. One that repeats twice in every block (attention and MLP look alike) has a grid, too; $r(3)$ tells.

# %%
PERIOD = 6  # layers in a transformer block
stage_weights = book.measured(
    lambda named: maps.stage_weights(*named),
    {n: (similarity.networks[n], blocks[n]) for n in cast},
)


def shape(name):
    m = similarity.block(name).to_numpy()
    row = {"grid": maps.peak(m, PERIOD) if len(m) > 2 * PERIOD else np.nan}
    if name in stage_weights:
        row = {"stages": maps.stage_contrast(m, stage_weights[name])} | row
    return row | {f"r({lag})": maps.autocorrelation(m, lag) for lag in (3, 5, 6, 7)}


pd.DataFrame({plots.label(n, seed=True): shape(n) for n in cast}).T.round(2)

# %% [markdown]
# ## Between the networks

# %%
# needs: vit_cls, resnet
vit, resnet = pairs[0]
two = {name: cast[name] for name in pairs[0]}
null = sweep(two, islice(images, 4), "all", shuffle=True)
controls = {
    "ViT and ResNet": (similarity.block(vit, resnet), resnet),
    "both untrained": (
        similarity.block("untrained vit_cls", "untrained resnet"),
        resnet,
    ),
    "other images": (null.block(vit, resnet), resnet),
}
if len(pairs) > 1:
    controls["ViT and ViT of another seed"] = (
        similarity.block(vit, pairs[1][0]),
        pairs[1][0],
    )

# %% mystnb={"figure": {"name": "fig-cross", "caption": "ViT layers (rows) against another network's layers (columns); bright is similar. First: a trained ViT and ResNet. Controls: both untrained (what is there without training); the two networks shown different images (an unbiased estimator gives values near 0); and, where there are two seeds, a ViT against a ViT of another seed (how alike two runs of one recipe are)."}, "image": {"alt": "Four heat maps of CKA, dark at 0 and bright at 1, ViT layers upwards. First: against a trained ResNet. Second: both networks untrained. Third: different images for the two networks, dark throughout. Fourth, if two seeds exist: against a ViT of another seed."}} tags=["hide-input"]
# needs: vit_cls, resnet
fig, axes = plt.subplots(2, 2, figsize=(7.4, 7.2))
for ax, (title, (values, other)) in zip(axes.flat, controls.items()):
    plots.similarity_map(ax, values, title, rows="ViT", columns=plots.label(other))
    mark(ax, vit, other)
for ax in axes.flat[len(controls) :]:
    ax.set_axis_off()
book.sign(fig, book.seeds[:2])

# %% [markdown]
# *Lowest quarter* compares four numbers: the mean CKA of the ResNet's lower half with each quarter of the ViT. If layers corresponded in proportion to depth, the
# lowest two quarters would tie;
# the paper's ViT has its lowest quarter ahead. *Lower share* is the share of ViT layers that are nearer to the ResNet's lowest 60 of 130 layers (46 %) than to the rest;
# in proportion, it is 46 %, in the paper about 25 of 75. *Top unlike* compares the best match of ViT layers in the middle third with that in the top third.
#
# :::{guess} The lower half of the ResNet is compared with each quarter of the ViT. Which quarter will it resemble most?
# - The lowest, as in the paper: a ViT gets there within a few layers.
# - The lowest and the second alike: layers correspond in proportion to depth.
# - A later one.
# :::

# %% mystnb={"figure": {"name": "fig-match", "caption": "Which goes with which? Upper left: CKA of the ResNet's lower half with the four quarters of the ViT. Upper right: of each ViT layer, mean CKA with the lower 60/130 of the ResNet minus that with the rest; ViT layers above zero go with the lower part, and in the paper these are the ones left of the dotted line. Below: similarity to the best match among all ResNet layers, thirds of the ViT apart by dotted lines; dips are outputs of attention. One line a seed; grey, broken: both networks untrained."}, "image": {"alt": "Three line plots with one line per seed and a grey broken line for untrained networks. Upper left: CKA over the four quarters of the ViT. Upper right: a difference of CKA against depth in the ViT, with a horizontal line at zero. Bottom: best CKA against depth, from 0 to 1, the untrained line flat and highest."}} tags=["hide-input"]
# needs: vit_cls, resnet
fig = plt.figure(figsize=(7.6, 6.2))
grid = fig.add_gridspec(2, 2)
quarters, side, best = (fig.add_subplot(g) for g in (grid[0, 0], grid[0, 1], grid[1, :]))  # fmt: skip
lines = {f"seed {seed}": pair for pair, seed in zip(pairs, book.seeds)}
lines["both untrained"] = ("untrained vit_cls", "untrained resnet")
inks = [*plt.get_cmap("Blues")(np.linspace(0.95, 0.5, len(pairs))), plots.INK]
for (label, (v, r)), ink in zip(lines.items(), inks):
    c = similarity.block(v, r).to_numpy()
    depth, at = np.linspace(0, 1, len(c)), round(maps.LOWER * c.shape[1])
    style = dict(color=ink, label=label, ls="--" if "untrained" in label else "-", lw=1.6)  # fmt: skip
    lower = c[:, : c.shape[1] // 2].mean(1)
    quarters.plot(range(4), [q.mean() for q in np.array_split(lower, 4)], marker="o", ms=4, **style)  # fmt: skip
    side.plot(depth, c[:, :at].mean(1) - c[:, at:].mean(1), **style)
    best.plot(depth, c.max(1), **style)
quarters.set_xticks(range(4), ["lowest", "second", "third", "highest"])
quarters.set(xlabel="quarter of the ViT", ylabel="CKA with lower half\nof the ResNet", ylim=(0, 1))  # fmt: skip
side.axhline(0, color=plots.INK, lw=1)
side.axvline(25 / 75, color=plots.INK, ls=":", lw=1.2)
side.set(xlabel="depth in the ViT", ylabel="lower part minus rest")
for third in (1 / 3, 2 / 3):
    best.axvline(third, color=plots.INK, ls=":", lw=1.2)
best.set(xlabel="depth in the ViT", ylabel="CKA with the best match\nin the ResNet", ylim=(0, 1.02))  # fmt: skip
best.legend(ncols=2)
book.sign(fig)

# %% [markdown]
# :::{finding} R21-5 direction reversed
# :title: Which quarter
# Not the lowest: another quarter of the ViT is ahead of it ({claim}`R21-5`, the lead of the lowest).
# :::
#
# ## Seven claims, decided
#
# Each claim is a function of the maps of one ViT and one ResNet. It is computed for each pair of a ViT and a ResNet of the same seed, which saw the same images in
# the same
# order, and on resampled batches of images ({term}`bootstrap`). The interval covers both. The {term}`control <null control>` is the same number of
# the untrained networks, on the same resamples: what architecture and initial weights give without training.

# %%
# needs: vit_cls, resnet
untrained = ("untrained vit_cls", "untrained resnet")
BETWEEN = {
    "R21-1": lambda v, r, c: maps.uniformity(v) - maps.uniformity(r),
    "R21-2": lambda v, r, c: maps.low_high(v) - maps.low_high(r),
    "R21-5": lambda v, r, c: maps.lowest_quarter(c),
    "R21-6": lambda v, r, c: maps.lower_share(c),
    "R21-7": lambda v, r, c: maps.top_unlike(c),
}
for claim, f in BETWEEN.items():
    seeds = [similarity.bootstrap(f, v, r) for v, r in pairs]
    control = [similarity.bootstrap(f, *untrained)]
    book.decide(claim, seeds, images=len(images), control=control)

# %%
# needs: vit_cls, resnet, any stage_weights


def staged(name):
    weights = stage_weights[name]
    return similarity.bootstrap(lambda m: maps.stage_contrast(m, weights), name)


cut = [p for p in pairs if {*p, untrained[1]} <= set(stage_weights)]
parts = {
    "stages in the ResNet": [staged(r) for _, r in cut],
    "more than in the ViT": [staged(r).minus(staged(v)) for v, r in cut],
}
book.decide(
    "R21-3",
    parts,
    images=len(images),
    control=[staged(untrained[1])] if cut else (),
)


# %%
# needs: vit_cls
def gridded(f):
    own = [n for n in cast if n.startswith("vit_cls")]
    return [similarity.bootstrap(f, n) for n in own]


book.decide(
    "R21-4",
    {
        "stands out": gridded(lambda m: maps.peak(m, PERIOD)),
        "repeats": gridded(lambda m: maps.autocorrelation(m, PERIOD)),
    },
    images=len(images),
    control=[
        similarity.bootstrap(lambda m: maps.peak(m, PERIOD), "untrained vit_cls")
    ],
)
book.table()

# %% [markdown]
# ## How sure are we? Other analyses
#
# We chose a view (all positions and channels), layers (all), a measure (CKA), a recipe and a head. A careful author might have chosen otherwise.
# The panels below show the same number under every choice, each with its interval: other views of a layer (mean over positions; the class token, with the mean over
# positions in the ResNet), block outputs only, other
# networks (other seeds; short runs; AdamW alone; one pair stopped at equal accuracy; the ViT that reads its answer from the mean of its tokens), and two other
# measures: Procrustes similarity {cite:p}`ding2021` and
# shared nearest neighbours {cite:p}`huh2024` (`seelike.similarity`). Analyses of one pair have intervals over images only, so theirs are narrow.

# %% mystnb={"figure": {"name": "fig-panel-r21-1", "caption": "Uniformity of the ViT minus that of the ResNet in all analyses, sorted. Above: the number with its interval; blue dots lie above zero, orange squares below, open grey dots on both sides; the band is the ledger's number. Below: which choices made it."}, "image": {"alt": "A specification curve. Above, one dot with an interval per analysis, sorted by size, around a dotted line at zero. Below, a grid of marks that shows measure, view, taps, networks and head of each analysis. Analyses of the ViT that averages its tokens gather at the left."}} tags=["hide-input"]
book.panel("R21-1")

# %% tags=["hide-input"]
shifts = moved(claims.panel("R21-1", book.tier))
if len(shifts):
    text = ", ".join(
        f"{kind} {row['mean shift']:.2f}" for kind, row in shifts.iterrows()
    )
    mean = np.mean(
        [abs(a.estimate) for a in claims.panel("R21-1", book.tier).values()]
    )
    display(
        Markdown(
            f"How far a change of one choice alone moves this difference, on average: {text}. The difference between the architectures "
            f"itself is {mean:.2f} in size, averaged over all analyses."
        ),
        shifts.round(2),
    )

# %% mystnb={"figure": {"name": "fig-panel-r21-3", "caption": "Stage contrast of the ResNet beyond that of other cuts, in all analyses; marks as above. Compare the rows of all layers with those of block outputs."}, "image": {"alt": "A specification curve of the ResNet's stage contrast: dots with intervals, sorted, around a dotted line at zero, and below them marks for measure, view, taps and networks. Analyses of all layers lie on the left, those of block outputs on the right."}} tags=["hide-input"]
book.panel("R21-3")

# %% mystnb={"figure": {"name": "fig-panel-r21-2", "caption": "Lowest with highest third, ViT minus ResNet, in all analyses; marks as above."}, "image": {"alt": "A specification curve: the difference in similarity of lowest and highest third, sorted over analyses, around a dotted line at zero, with the choices of each analysis marked below."}} tags=["hide-input"]
book.panel("R21-2")

# %% mystnb={"figure": {"name": "fig-panel-r21-5", "caption": "Lead of the ViT's lowest quarter in similarity to the ResNet's lower half, in all analyses; marks as above."}, "image": {"alt": "A specification curve: the lead of the lowest quarter, sorted over analyses, around a dotted line at zero, with the choices of each analysis marked below."}} tags=["hide-input"]
book.panel("R21-5")

# %% mystnb={"figure": {"name": "fig-panel-r21-7", "caption": "Best match with the ResNet, middle minus top third of the ViT, in all analyses; marks as above."}, "image": {"alt": "A specification curve: the difference in best match between middle and top third, sorted over analyses, around a dotted line at zero, with the choices of each analysis marked below."}} tags=["hide-input"]
book.panel("R21-7")

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

# %% mystnb={"figure": {"name": "fig-recorded", "caption": "Recorded at other tiers, one row each: a ViT, a ResNet, and the two against each other, all on one scale."}, "image": {"alt": "Rows of three heat maps recorded at other tiers: CKA between all layers of a ViT, of a ResNet, and of the ViT against the ResNet, dark at 0 and bright at 1. The tables below give their statistics."}} tags=["hide-input"]
recorded = book.recorded("maps")
fig, axes = plt.subplots(
    len(recorded), 3, figsize=(9.6, 3.3 * len(recorded)), squeeze=False
)
for row, found in zip(axes, recorded):
    held = found.sections["maps"]
    v, r = (next(n for n in held if n.startswith(k)) for k in ("vit_cls", "resnet"))
    named = {v: found.label(v), r: found.label(r), "cross": "both"}
    for ax, (name, title) in zip(row, named.items()):
        plots.similarity_map(
            ax,
            held[name],
            title,
            rows="ViT layer" if name == "cross" else "layer",
            columns="CNN layer" if name == "cross" else "layer",
        )
        ax.title.set_fontsize(10)
    row[0].set_ylabel(f"{found.tier.title}\nlayer")
book.sign(fig, recorded=recorded)

# %%
book.tables(recorded)

# %% [markdown]
# ## What it means
#
# :::{finding} R21-1 summary open; R21-1 estimate > 0; R21-2 summary open; R21-5 direction reversed; R21-7 summary open
# :title: How uniform
# **Whether a ViT is more uniform than a ResNet stays open.** On the three pairs that decide, the difference in CKA is {claim}`R21-1`, and for the lowest and highest
# thirds {claim}`R21-2`. On the three pairs
# on which the rule was found it lay above 0. **The read-out matters more than the family:** with a class token, most analyses find the ViT the more uniform of the
# two; with the mean of its tokens, hardly any does ({numref}`fig-panel-r21-1`).
# How long it is trained, and by which optimiser, moves it as well.
# :::
#
# :::{finding} R21-4 direction holds; R21-4 beyond_control no; R21-3 summary open
# :title: A grid and stages
# **The ViT's map has a grid, but training did not make it**: it repeats with every block ({claim}`R21-4`), and that of an untrained ViT repeats more sharply still.
# It comes with the kinds of layers that we listen to.
# **Stages are in the residual stream, not in the whole map.** Over all layers the boundaries of the ResNet's stages do not stand out ({claim}`R21-3`): what looks
# like stages there is similarity that falls off with distance. Block outputs
# alone do dip at them ({numref}`fig-stage-cuts`, {numref}`fig-panel-r21-3`).
# :::
#
# :::{finding} R21-5 direction reversed; R21-6 direction reversed; R21-7 summary open
# :title: Which layer goes with which
# **The correspondence of the paper is not ours.** The lowest quarter of the ViT is behind another one in its similarity to the lower half of the ResNet
# ({claim}`R21-5`), and the lower part of the ResNet goes with a larger share of the ViT
# than proportion gives ({claim}`R21-6`, against 60/130), where the paper has a smaller one. **Whether the top of the ViT is unlike the ResNet depends on what one
# compares**: flattened over all layers, middle minus top is
# {claim}`R21-7`; for the class token alone, every analysis finds the reverse ({numref}`fig-panel-r21-7`).
# :::
#
# **Why?** Every layer passes on most of what it got: skip connections alone make layers alike, and random branches add little that could change it. That is an
# explanation of the bright untrained maps, and {ref}`sec-skips` tests it by cutting
# skips. For the read-out we have a conjecture: a patch token whose mean with all others is the answer has to turn from its patch to the class on the way up, while
# beside a class token it may stay what it was. {ref}`sec-localization`
# looks at those tokens. For the correspondence we have none.
#
# **What the paper found.** ViTs uniform from bottom to top, ResNets in stages; the lower half of a ResNet like the lowest quarter of a ViT, and the top third of the
# ViT unlike any ResNet layer.
#
# :::{finding} R21-1 @ tiny beyond_control yes; R21-5 @ tiny beyond_control yes; R21-6 @ tiny beyond_control yes; R21-7 @ tiny beyond_control yes; R21-2 @ tiny beyond_control open; R21-6 @ cifar10 direction open; R21-1 @ tiny direction holds; R21-2 @ tiny direction holds; R21-5 @ tiny direction holds; R21-6 @ tiny direction holds; R21-7 @ tiny direction holds; R21-3 @ tiny direction reversed; R21-4 @ tiny beyond_control no; R21-1 @ cifar10 direction holds; R21-2 @ cifar10 direction holds; R21-5 @ cifar10 direction holds; R21-7 @ cifar10 direction holds
# :title: On natural images
# **On photographs most of the paper's picture is there.** One ViT and one ResNet, about equally accurate on the 200 classes of Tiny ImageNet, at the size and patch of Scenes:
# uniformity {claim}`R21-1 @ tiny`, low with high {claim}`R21-2 @ tiny`, lowest quarter {claim}`R21-5 @ tiny`, lower share {claim}`R21-6 @ tiny`, top third
# {claim}`R21-7 @ tiny`. All but the second are beyond untrained networks. What is missing are stages ({claim}`R21-3 @ tiny`), and a grid beyond that of an untrained ViT
# ({claim}`R21-4 @ tiny`). On CIFAR-10, with one pair that is less equal ({ref}`sec-data`), four of the five point the same way: {claim}`R21-1 @ cifar10`,
# {claim}`R21-2 @ cifar10`, {claim}`R21-5 @ cifar10`, {claim}`R21-7 @ cifar10`, and the lower share is open, {claim}`R21-6 @ cifar10`.
# These intervals are over images; the three pairs of Scenes show how far starts can move such numbers.
# :::
#
# Scenes differ from both in their images, in having few classes that are nearly always told right, and in families that go by different cues: ViTs there by texture, ResNets by
# shape. Which of these turns the correspondence round, one pair a tier cannot tell.
#
# **What would change our mind.** More pairs: if the interval of uniformity over fresh seeds left 0 on the upper side, the paper's picture would hold at our size.
# More ViTs that read the mean of their tokens: if those of further seeds
# were as uniform as the ones with a class token, the read-out would no longer be the reason. And more starts on photographs: if the lowest quarter led there in
# every pair, we would take our Scenes, and not the size of our networks, for the reason of the disagreement.
#
# ## What this tier cannot decide
#
# :::{admonition} Read every number of this chapter with this in mind
# :class: note
# - The paper's networks have 12 to 32 transformer blocks and were trained on 300 million photographs. Ours have eight blocks, and stages of two. Claims on depth may
#   fail here for that reason alone.
# - Our ResNet has batch norm and basic blocks, theirs group norm and bottlenecks.
# - Three pairs decide: the part of an interval that comes from seeds is wide. Analyses of one pair, photographs and CIFAR-10 have intervals over images only and leave out the
#   luck of training.
# - In the untrained ViT small initial weights make layers alike by construction; it is a control for what training changed, not a network anybody would use.
# :::
#
# ## Quiz
#
# :::{quiz} In a map of all layers against all layers, what does a bright square at the upper left or lower right tell?
# - [ ] That neighbouring layers are alike. ~ Neighbours lie along the diagonal, from lower left to upper right.
# - [x] That low and high layers are alike. ~ The rows of one and the columns of the other meet in those corners.
# - [ ] That the network has two stages. ~ Two stages would leave these corners dark.
# :::
#
# :::{quiz} Somebody cuts a network into four parts at random, and finds layers within a part more alike than layers of different parts. What has been shown?
# - [ ] That the network has stages. ~ The cuts were random: any other cuts would have shown it, too.
# - [ ] Nothing: CKA cannot compare layers of one network. ~ It can; the comparison is what lacks a control.
# - [x] That similarity falls off with distance. ~ Layers within a part are nearer to each other. Only pairs at equal distance, against other cuts, can show stages.
# :::
#
# :::{quiz} A trained ViT and a trained ResNet differ in uniformity, and the untrained pair differs by as much. What may one conclude?
# - [ ] That training has no influence on uniformity. ~ It may have moved both by the same amount.
# - [x] That architecture and initial weights are enough to explain it. ~ Training need not have made the difference; it has kept it.
# - [ ] That the difference is chance. ~ Two untrained pairs may differ by the same amount every time.
# :::
#
# :::{quiz} The map of a ViT shows a fine grid that repeats every six layers. What is the first thing to check?
# - [x] Whether an untrained ViT has it. ~ Every sixth layer is of the same kind, such as an output of attention: that alone can make a grid.
# - [ ] Whether it disappears with more images. ~ Noise does not repeat with the blocks.
# - [ ] Whether a ResNet of the same size has it. ~ Its blocks have other layers, and another period.
# :::
#
# :::{quiz} You average over positions before you compare layers, and the sign of a difference between ViT and ResNet changes. What now?
# - [ ] Report the view that gives the smaller interval. ~ The interval does not know about the other view.
# - [ ] Report the flattened view: it keeps everything. ~ It keeps positions, too, and then says much about them. Neither view is the true one.
# - [x] Report both: the claim depends on the view. ~ A claim that changes with a choice that nobody has to make is a claim about that choice.
# :::
#
# ## Exercises
# :::{exercise} Warm-up: a map of two halves (10 minutes)
# :label: ex-halves
# A network has two stages with equally many layers. CKA is 1 within a stage and 0 between them. What are its uniformity and its
# low-with-high similarity, when there are many layers? And what is the contrast $C$ of {eq}`eq-contrast` under its own division, with one layer a block?
# :::
#
# :::{solution} ex-halves
# :class: dropdown
# Half of all pairs lie within a stage, so uniformity is close to 1/2. The lowest and highest thirds lie in different stages: 0.
# At every distance at which there are pairs of both kinds, $W = 1$ and $B = 0$: the contrast is 1.
# :::
#
# :::{exercise} Code: does the view decide? (15 minutes)
# :label: ex-view
# We flattened positions and channels. Average over positions first (`view=capture.gap`) and compute the uniformity of one ViT and one
# ResNet again. Does the difference grow or shrink? Find the answer in {numref}`fig-panel-r21-1`, too.
# :::
#
# ::::{solution} ex-view
# :class: dropdown
# ```python
# from seelike import capture, checks
#
# pair = {k: cast[k] for k in pairs[0]}
# pooled = sweep(pair, images, "all", view=capture.gap).compute()
# mine = {}
# for name in pair:
#     own = pooled.index.str.startswith(name + "/")
#     mine[name] = maps.uniformity(pooled.to_numpy()[np.ix_(own, own)])
# print(mine)
# checks.check_view(mine, cast, images, similarity)
# ```
#
# Pooling drops what depends on position, and in the ViT also the class token. A claim that changes with the view is a claim about the view.
# ::::
#
# :::{exercise} Open: skip connections or attention? (30 minutes)
# :label: ex-cause
# A ViT differs from a ResNet in how it mixes positions, and in how its skip connections run. Design networks that separate the two as
# causes of uniformity.
# :::
#
# :::{solution} ex-cause
# :class: dropdown
# Two by two: mixing by attention or by a convolution over the grid of tokens, crossed with one skip per branch over one constant width, as in the ViT, or with
# stages whose boundaries change the width and leave the skip a projection, as in the ResNet. Train all four by
# one recipe and several seeds, and take the untrained versions along. If uniformity follows the columns of this table, the skips are its cause; if it follows the
# rows, attention is. The Mixer in {numref}`fig-uniformity` is a third way of
# mixing with the ViT's skips, but it has other initial weights and sees all positions, so that it separates less than it seems.
# :::
