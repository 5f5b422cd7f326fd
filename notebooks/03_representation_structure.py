# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
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
# layer. ViTs, they report, look uniform from bottom to top; ResNets fall into stages. Between a ViT and a ResNet, the lower half of the
# ResNet corresponds to the lowest quarter of the ViT, and the top of the ViT to nothing. Seven claims follow, each with a
# rule that was written down before the run below ({ref}`sec-scorecard`).

# %% tags=["parameters"]
tier = "scenes"
n_images = 2048

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seelike import claims, data, models, plots, structure
from seelike.cka import sweep

plots.style()

# %% [markdown]
# ## Method: every tap of every network in one sweep
#
# A *tap* is a place where we listen. In each ViT block there are six: after the first norm, after attention, the residual
# stream between attention and MLP, after the second norm, in the MLP's hidden layer, and at the block's output. In the ResNet every
# convolution, norm and ReLU is one. Responses are flattened over positions and channels, one row an image.
#
# The cast: ViT-CLS and ResNet with every seed in the zoo, their relatives, and the same two networks *untrained*.

# %%
images = data.load(tier, "test", n_images, seed=3)
seeds = models.shared_seeds(["vit_cls", "resnet"], tier)
cast = {
    f"{name}-{seed}": models.load(name, tier, seed)
    for name in ("vit_cls", "resnet")
    for seed in seeds
}
cast |= {
    c["name"]: models.load(c["name"], tier, c["seed"])
    for c in models.cards(tier)
    if c["name"] in ("vit_gap", "mixer", "vit_matched")
}
cast |= {
    f"untrained {name}": models.untrained(name, tier)
    for name in ("vit_cls", "resnet")
}

similarity = sweep(cast, images, "all")
cka = similarity.compute()
print(
    f"{len(cast)} networks, {len(cka)} taps, {len(cka) ** 2:,} pairs, {n_images} images in batches of {images.batch_size}"
)

# %% [markdown]
# One matrix now holds everything, and each figure below is a block of it. A helper picks the rows of one network
# and the columns of another:


# %%
taps = (
    pd.Series(range(len(cka)), index=cka.index)
    .groupby(lambda label: label.split("/")[0], sort=False)
    .apply(np.array)
)


def block(matrix, row, column=None):
    return matrix[np.ix_(taps[row], taps[column or row])]


# %% [markdown]
# ## Within a network

# %% mystnb={"figure": {"name": "fig-structure", "caption": "Every layer against every other layer of the same network. The trained ViT stays like itself over much of its depth; the trained ResNet changes from stage to stage (ticks: first tap of each stage). The lower row is the control that such maps need: the same networks before training, where the ViT is uniform without having learned anything."}, "image": {"alt": "Four square heat maps of CKA between all layers. Top: the trained ViT with high similarity over broad regions and the trained ResNet with blocks along the diagonal. Bottom: the untrained ViT, almost entirely at the top of the scale, and the untrained ResNet, high nearly everywhere."}} tags=["hide-input"]
fig, axes = plt.subplots(2, 2, figsize=(7.2, 6.6))
panels = {
    f"vit_cls-{seeds[0]}": "ViT (CLS)",
    f"resnet-{seeds[0]}": "ResNet",
    "untrained vit_cls": "ViT, untrained",
    "untrained resnet": "ResNet, untrained",
}
for ax, (name, title) in zip(axes.flat, panels.items()):
    plots.similarity_map(
        ax, block(cka.to_numpy(), name), title, rows="tap", columns="tap"
    )
    stage = structure.stages([cka.index[i] for i in taps[name]])
    if "resnet" in name:
        starts = [0, *np.flatnonzero(np.diff(stage)) + 1]
        ax.set_xticks(starts)
        ax.set_yticks(starts)
plots.sign(fig, tier, seeds[:1])

# %% [markdown]
# What the eye sees, four statistics say: the mean similarity of different layers (*uniformity*), the similarity of the
# lowest with the highest third, the *contrast* between layers of the same and of different stages, and how strongly the map repeats
# with the period of a block.

# %%
PERIOD = 6  # taps in a transformer block


def stage_of(name):
    return structure.stages([cka.index[i] for i in taps[name]])


within = {
    "uniformity": structure.uniformity,
    "lowest with highest third": structure.low_high,
}

# %% mystnb={"figure": {"name": "fig-uniformity", "caption": "Uniformity and reach of every network, with intervals over images (one line per seed). Uniformity is a matter of architecture and of head, and lowest where training has done most: an untrained network is uniform because nothing has happened yet."}, "image": {"alt": "Two dot plots with intervals. Left: mean CKA between different layers for each network. Right: mean CKA between the lowest and highest third. ViT-CLS networks lie above the trained ResNets, with the untrained networks far to the right as controls."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(8.6, 0.33 * len(cast) + 1.4), sharey=True)
for ax, (label, f) in zip(axes, within.items()):
    rows = {}
    for name in cast:
        value, leave = similarity.jackknife(
            lambda m, name=name, f=f: f(block(m, name))
        )
        rows[name] = claims.estimate([value], leave[None])
    plots.intervals(
        ax,
        rows,
        {
            name: plots.COLOURS[
                "control" if "untrained" in name else name.split("-")[0]
            ]
            for name in cast
        },
    )
    ax.set(xlabel=label, xlim=(-0.02, 1.02))
plots.sign(fig, tier, seeds)

# %% [markdown]
# ## Between the networks

# %%
pairs = [(f"vit_cls-{s}", f"resnet-{s}") for s in seeds]
shuffled = (
    sweep({k: cast[k] for k in pairs[0]}, images, "all", shuffle=True)
    .compute()
    .to_numpy()
)
first = block(cka.to_numpy(), *pairs[0])
controls = {
    "ViT and ResNet": (first, "ResNet tap"),
    "both untrained": (
        block(cka.to_numpy(), "untrained vit_cls", "untrained resnet"),
        "ResNet tap",
    ),
    "other images": (shuffled[: len(first), len(first) :], "ResNet tap"),
}
if len(seeds) > 1:
    controls["ViT and ViT of another seed"] = (
        block(cka.to_numpy(), pairs[0][0], pairs[1][0]),
        "ViT tap, other seed",
    )

# %% mystnb={"figure": {"name": "fig-cross", "caption": "ViT layers (rows) against ResNet layers (columns). Low ViT layers resemble the early ResNet best. Controls: two untrained networks agree nearly everywhere, because both still describe pixels; with other images the map is empty, so none of this is an artefact of the estimator; and a ViT agrees more with a ViT of another seed than with any ResNet."}, "image": {"alt": "Four heat maps. First: CKA of ViT taps with ResNet taps, brightest where both are low. Second: the same for untrained networks, bright nearly everywhere. Third: with shuffled images, uniformly near zero. Fourth: two ViTs of different seeds, bright along the diagonal."}} tags=["hide-input"]
fig, axes = plt.subplots(2, 2, figsize=(7.2, 6.6))
for ax, (title, (values, columns)) in zip(axes.flat, controls.items()):
    plots.similarity_map(ax, values, title, rows="ViT tap", columns=columns)
for ax in axes.flat[len(controls) :]:
    ax.set_axis_off()
plots.sign(fig, tier, seeds[:2])

# %% mystnb={"figure": {"name": "fig-match", "caption": "For each ViT layer the most similar ResNet layer (left), and how similar it is (right), for every seed. The dotted lines are the paper's correspondence: 60 of 130 ResNet layers to 25 of 75 ViT layers."}, "image": {"alt": "Two line plots against relative depth of the ViT. Left: relative depth of the best-matching ResNet layer, one line per seed. Right: CKA of the best match, which falls with depth."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(8.2, 3.4))
for (v, r), seed in zip(pairs, seeds):
    c = block(cka.to_numpy(), v, r)
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
plots.sign(fig, tier, seeds)

# %% [markdown]
# ## Seven claims, decided
#
# Each claim is a function of the maps of one ViT and one ResNet. It is computed for every pair of seeds, and with each batch of
# images left out; the interval covers both.

# %%
STATISTICS = {
    "R21-1": lambda v, r, c, sv, sr: (
        structure.uniformity(v) - structure.uniformity(r)
    ),
    "R21-2": lambda v, r, c, sv, sr: structure.low_high(v) - structure.low_high(r),
    "R21-3": lambda v, r, c, sv, sr: (
        structure.contrast(r, sr) - 2 * structure.contrast(v, sv)
    ),
    "R21-4": lambda v, r, c, sv, sr: structure.grid(v, PERIOD),
    "R21-5": lambda v, r, c, sv, sr: structure.matched_depth(c),
    "R21-6": lambda v, r, c, sv, sr: (
        abs(structure.matched_share(c) - 25 / 75) / (25 / 75)
    ),
    "R21-7": lambda v, r, c, sv, sr: structure.top_unlike(c),
}


def decide(f, pairs=pairs):
    """The statistic of every pair of networks, with and without each batch."""

    def of(v, r):
        stages = stage_of(v), stage_of(r)
        return lambda m: f(block(m, v), block(m, r), block(m, v, r), *stages)

    values, leave = zip(*(similarity.jackknife(of(v, r)) for v, r in pairs))
    return claims.estimate(values, np.stack(leave))


# %%
COLUMNS = ["statement", "estimate", "low", "high", "rule", "verdict"]
for claim, f in STATISTICS.items():
    claims.record(claim, tier, decide(f), seeds=len(seeds), images=n_images)
ledger = claims.table(tier).set_index("id").loc[list(STATISTICS)]
ledger[COLUMNS].style.format(precision=2)

# %% [markdown]
# ### Is it only that one network is better?
#
# The two families differ a little in accuracy ({ref}`sec-data`). If a difference were due to accuracy alone, it would vanish for a ViT stopped
# when it was as accurate as the ResNet. The same statistics for that network:

# %%
if "vit_matched" in cast:
    matched = {
        claim: decide(f, [("vit_matched", pairs[0][1])])
        for claim, f in STATISTICS.items()
    }
    control = pd.DataFrame(matched, index=["estimate", "low", "high"]).T
    control["verdict it would give"] = [
        claims.verdict(claims.ledger()[c]["rule"], e.low, e.high)
        for c, e in matched.items()
    ]
    claims.keep(
        "03",
        tier,
        {"accuracy_matched": {c: e._asdict() for c, e in matched.items()}},
    )
else:
    control = pd.DataFrame()
control.round(2)

# %% tags=["hide-input"]
names = (*pairs[0], "untrained vit_cls", "untrained resnet")
maps = {name: block(cka.to_numpy(), name).round(3).tolist() for name in names}
settings = {"images": n_images, "batch_size": images.batch_size, "seeds": seeds}
settings["provenance"] = plots.provenance(tier, seeds)
maps["cross"] = first.round(3).tolist()
claims.keep("03", tier, {"maps": maps, "settings": settings})

# %% [markdown]
# ## The same on natural images
#
# These maps were recorded when this chapter was run on CIFAR-10; nothing in them was computed on this page.

# %% mystnb={"figure": {"name": "fig-recorded", "caption": "CIFAR-10, recorded: a ViT and a ResNet trained on natural images of 32 pixels, and the two against each other."}, "image": {"alt": "Three heat maps recorded on CIFAR-10: CKA between all layers of the ViT, of the ResNet, and of the ViT against the ResNet."}} tags=["hide-input"]
recorded = claims.results("cifar10", "03")
panels = {"ViT (CLS)": "vit_cls-0", "ResNet": "resnet-0", "ViT and ResNet": "cross"}
if recorded:
    fig, axes = plt.subplots(1, 3, figsize=(9.6, 3.2))
    for ax, (title, name) in zip(axes, panels.items()):
        rows, columns = (
            ("ViT tap", "ResNet tap") if name == "cross" else ("tap", "tap")
        )
        plots.similarity_map(
            ax, recorded["maps"][name], title, rows=rows, columns=columns
        )
    plots.sign(fig, "cifar10", recorded=recorded["settings"]["provenance"])

# %%
natural = claims.table("cifar10").set_index("id").loc[list(STATISTICS)]
natural[COLUMNS].style.format(precision=2)
