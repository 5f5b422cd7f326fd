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
# **You will learn** to ask which pixels a position in a network depends on, why the plain gradient says nothing after a LayerNorm, why half
# of a field's mass may miss the point, and what the skip connection does to the answer.
#
# *Reading: 13 minutes. Running: {seconds}`05` on two cores. Before this: {ref}`sec-attention`.*
#
# :::{finding} R21-12 summary holds; R21-12 low > 2; R21-12 beyond_control yes; R21-13 summary holds; R21-13 beyond_control yes; R21-14 direction reversed; R21-14 beyond_control no
# :title: What we found
# **A ViT looks wide at once, a ResNet step by step.** After its first {term}`block` the ViT's field is several times as wide as the ResNet's ({claim}`R21-12`), and
# it reaches most of its final width much earlier in depth ({claim}`R21-13`).
# Both are the paper's findings, and both go beyond what untrained networks show. **The strong centre is another story**: {term}`skip connections <skip connection>`
# add to it ({claim}`R21-14`), but the own patch stands out without them as well,
# and in an untrained network they add more.
# :::
#
# ## The question
#
# Attention distance says where a head looks. It does not say what arrives. A position may attend to the whole image and still
# depend mostly on its own patch, because the skip connection carries that patch past every block. The {term}`effective receptive field`
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
from IPython.display import Markdown

from seelike import maps, models, plots
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
images = book.images(n_images, seed=5, batch_size=16)
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
# Each residual sum can be heard at two places: the *branch* alone, before it is added, and the {term}`stream <residual stream>` after it. The paper's main figure
# shows the stream after the attention sublayers of its ViT and after the blocks of its ResNet. Every layer costs two backward passes, so of each network we take
# only what is read below: all
# sublayers of one network of a kind, block outputs of all that a claim compares, and the late attention sublayers of every ViT.
#
# :::{guess} One block up: which pixels will the middle position of a ViT depend on, and which that of a ResNet?
# - Both on a spot around the position.
# - The ViT on all of the image alike, the ResNet on a spot.
# - The ViT mostly on its own patch and a little on all of the image, the ResNet on a spot.
# :::

# %% tags=["hide-input"]
cast = book.cast("vit_cls", "resnet", "mixer", untrained=("vit_cls", "resnet"))
shown = book.shown(cast, "vit_cls", "resnet", "mixer")
vits = [n for n in cast if n.startswith(("vit_cls-", "untrained vit_cls"))]
heard = book.measured(erf.sublayers, {name: cast[name] for name in vits})
deciding = [name for (name,) in book.pairs("vit_cls", among=heard)]
known = book.measured(sums, {n: cast[n] for n in shown if n.startswith("resnet-")})


def taps(name):
    """The layers of a network whose fields this chapter reads."""
    model, parts = cast[name], heard.get(name)
    if parts:
        late = 0 if name in shown else len(parts.stream) // 2
        own = [tap for part in parts[:2] for tap in part[late:]]
        return [*layers(model), *own, *(parts.mlp if name in shown[:1] else [])]
    branches = [branch for _, branch in known.get(name, [])]
    first = erf.stem(model) if name in shown else []
    return [*first, *layers(model), *branches]


# %%
def measure(name):
    return book.measured(
        lambda m: erf.effective_receptive_field(m, taps(name), images),
        {name: cast[name]},
    )


fields = {}
for name in cast:
    if name in shown or not name.startswith("mixer"):
        fields |= measure(name)
shown = [name for name in shown if name in fields]


# %% mystnb={"figure": {"name": "fig-erf-maps", "caption": "Effective receptive fields of the middle position after five layers, from low to high; square root of the field, each map scaled to its own maximum. Of trained ViTs two rows: after attention sublayers, as in the paper, and after whole blocks. Of networks of convolutions the first column is the first convolution. The last rows are untrained."}, "image": {"alt": "A grid of square heat maps, one or two rows per network and five columns from low to high. Bright pixels move the middle position most. ViTs show a bright patch on a faint field over the whole image in every column; the spot of the ResNet grows from column to column."}} tags=["hide-input"]
# needs: any shown
def every(tapped, n=5):
    """Some of the taps, from the first to the last."""
    return [
        tapped[i] for i in np.linspace(0, len(tapped) - 1, n).round().astype(int)
    ]


def five(name):
    """Rows of five taps each for one network, by title."""
    model, title = cast[name], plots.label(name).replace(", ", "\n")
    if name in heard:
        parts = {"attention": heard[name].stream, "block": layers(model)}
        if name not in deciding:
            del parts["block"]  # looks the same untrained
        return {f"{title}\n{part}": every(tapped) for part, tapped in parts.items()}
    blocks, first = layers(model), erf.stem(model)
    return {title: [*first, *every(blocks, 5 - len(first))]}


rows = [(name, *row) for name in shown for row in five(name).items()]
fig, axes = plt.subplots(
    len(rows), 5, figsize=(6.8, 1.4 * len(rows)), squeeze=False
)
for row, (name, title, tapped) in zip(axes, rows):
    for ax, tap in zip(row, tapped):
        ax.imshow(fields[name][tap].mean(0) ** 0.5, cmap=plots.MAP)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(title, fontsize=8)
for ax, title in zip(axes[0], ("lowest", "", "middle", "", "highest")):
    ax.set_title(title, fontsize=10)
book.sign(fig, book.seeds[:1] or [0])

# %% [markdown]
# The ViT mostly on its own patch and a little on all of the image: its field has these two parts from the first block on. The ResNet's is one spot that grows.
# All sublayers of both, as in the paper's Figs C.1 to C.3, are folded away here:

# %% mystnb={"figure": {"name": "fig-erf-all", "caption": "All layers, from low (top) to high: ViT, before and after the sum of attention, before and after that of the MLP; ResNet, before the sum and after the block. Square root of the field, each map scaled to its own maximum. A network that is lacking leaves its columns out."}, "image": {"alt": "A long grid of square heat maps, one row per block and six columns: four for the sublayers of a ViT before and after their residual sums, and two for the branch and the output of ResNet blocks."}} tags=["hide-cell"]
# needs: any shown
found = {}
for name in [n for n in shown if not n.startswith("untrained")]:
    if name in heard:
        parts, titles = heard[name], ("attention", "+ skip", "MLP", "+ skip")
        tapped = (parts.attention, parts.stream, parts.mlp, layers(cast[name]))
    elif known.get(name):
        pairs = [(branch, branch.rpartition(".")[0]) for _, branch in known[name]]
        titles, tapped = ("branch", "+ skip"), tuple(zip(*pairs))
    else:
        continue
    for i, (title, column) in enumerate(zip(titles, tapped)):
        found[name, i] = (title, column)
depth = max(len(column) for _, column in found.values()) if found else 1
fig, axes = plt.subplots(
    depth,
    max(len(found), 1),
    figsize=(1.15 * max(len(found), 1), 1.15 * depth),
    squeeze=False,
)
for ax in axes.flat:
    ax.set_axis_off()
for line, ((name, i), (title, column)) in zip(axes.T, found.items()):
    who = plots.label(name) if i == 0 else ""
    line[0].set_title(f"{who}\n{title}", fontsize=8)
    for ax, tap in zip(line, column):
        ax.imshow(fields[name][tap].mean(0) ** 0.5, cmap=plots.MAP)
book.sign(fig, book.seeds[:1] or [0])

# %% [markdown]
# ## How wide is a field?
#
# The {term}`radius that holds half of the mass <half-mass radius>` is a common answer, and a poor one here. If half of the mass lies in the own patch, the other
# half may lie next to it
# or anywhere: the radius is the same. The question is about that other half. So we take the *root mean square distance* of the mass from its
# centre, the root of the second moment, which sees the tail:
#
# $$
# W = \Bigl( \sum_{ij} m_{ij}\, \lVert (i, j) - c \rVert^2 \Bigr)^{1/2}, \qquad m = R / \textstyle\sum R,
# \qquad c = \sum_{ij} m_{ij}\,(i, j).
# $$ (eq-width)
#
# A field that is the same everywhere is fully global; we divide by its width.
#
# :::{guess} How will widths go with depth?
# - Both families widen steadily.
# - The ViT is wide from the start and gains little; the ResNet widens block by block.
# - The ViT widens in one step near the middle; the ResNet widens block by block.
# :::

# %%
grown = {
    name: np.stack([own[block] for block in layers(cast[name])], 1)
    for name, own in fields.items()
}  # fields after every block: batches, blocks, height, width
whole = erf.uniform_spread(book.tier.side)
widths = {name: erf.spread(field.mean(0)) / whole for name, field in grown.items()}


# %% tags=["hide-input"]
def plot_widths(ax, curves):
    labelled = set()
    for name, w in curves.items():
        label = plots.label(name)
        ax.plot(
            np.linspace(0, 1, len(w)),
            w,
            "--" if "untrained" in name else "-",
            color=plots.colour(name.removeprefix("untrained ")),
            marker="o",
            ms=3.5,
            lw=1 if label in labelled else 2,
            alpha=0.9,
            label=None if label in labelled else label,
        )
        labelled.add(label)
    ax.axhline(1, color=plots.INK, ls=":", lw=1.5)
    ax.set(xlabel="depth", ylabel="width / uniform field", ylim=(0, 1.05))


# %% mystnb={"figure": {"name": "fig-erf-radius", "caption": "Width of effective receptive fields (root mean square distance from the centre over that of a uniform field, dotted) after every block, against relative depth. Thin: other seeds. Dashed: untrained."}, "image": {"alt": "Line plot of the width of fields relative to a uniform field against depth. Lines of ViTs start high and stay nearly flat; those of ResNets start low and rise steadily. Dashed lines for untrained networks."}} tags=["hide-input"]
# needs: any shown
fig, ax = plt.subplots(figsize=(5.4, 3.8))
plot_widths(ax, widths)
ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2, fontsize=8.5)
book.sign(fig)

# %% [markdown]
# :::{finding} R21-12 summary holds; R21-13 summary holds
# :title: Wide at once
# The ViT is wide from the start ({claim}`R21-12`, ViT over ResNet after the first block) and has most of its final width there ({claim}`R21-13`, depth at which it
# is reached, ViT minus ResNet).
# :::
#
# The same fields by other measures of width. Half of the mass puts the two families nearly side by side after the first block; nine tenths and the
# second moment set them apart.

# %%
MEASURES = {
    "half of the mass": lambda f: erf.radius(f, 0.5),
    "90 % of the mass": lambda f: erf.radius(f, 0.9),
    "second moment": erf.spread,
}
pd.DataFrame(
    {
        (plots.label(name), where): {
            title: float(f(grown[name].mean(0)[i])) for title, f in MEASURES.items()
        }
        for name in shown
        for where, i in {"first block": 0, "last block": -1}.items()
    }
).T.round(1).rename_axis(["radius in pixels", "after"])

# %% [markdown]
# ## What the skip connection hides
#
# The paper finds that late attention has no dominant centre before the sum, so that the centre must come with the skip connection.
#
# :::{guess} Take the residual sum away and listen to late attention alone. Does the own patch still stand out?
# - No: the skip connection alone carries it.
# - Yes: attention itself depends most on the own patch.
# :::

# %%
# needs: vit_cls
grid = {
    name: erf.positions(cast[name], parts.attention[-1], x)
    for name, parts in heard.items()
}

# %% mystnb={"figure": {"name": "fig-erf-residual", "caption": "ViT. Left: share of the field's mass in the position's own patch, before and after the residual sum of attention, and before that of the MLP. Dashed: untrained. Dotted: a uniform field. Right: fields of the last attention sublayer before and after the sum (square root, each map scaled to its own maximum)."}, "image": {"alt": "Left: lines of the share of mass in the own patch against block. After the sum the share is high and falls with depth; before the sum it is lower but stays well above the dotted line of a uniform field; of the untrained ViT it is at that line before and near one after the sum. Right: two square heat maps of the last attention sublayer's field, before and after the sum; both have a bright centre."}} tags=["hide-input"]
# needs: vit_cls, any deciding
TITLES = ("before the sum", "after the sum", "MLP, before its sum")
fig, axes = plt.subplots(1, 3, figsize=(8.4, 2.9), width_ratios=[1.7, 1, 1])
for name in [n for n in (deciding[0], "untrained vit_cls") if n in heard]:
    for i, (title, tapped) in enumerate(zip(TITLES, heard[name])):
        if not all(tap in fields[name] for tap in tapped):
            continue
        y = [erf.centre_share(fields[name][t].mean(0), grid[name]) for t in tapped]
        trained = {"ls": "-", "marker": "o", "label": title}
        style = trained if name in deciding else {"ls": "--", "lw": 1.2}
        axes[0].plot(y, color=f"C{i}", **style)
axes[0].axhline(1 / grid[deciding[0]] ** 2, color=plots.INK, ls=":", lw=1.5)
axes[0].set(xlabel="block", ylabel="share in the own patch", ylim=(0, 1))
axes[0].legend(loc="center right", bbox_to_anchor=(1, 0.64), fontsize=8)
vit, parts = cast[deciding[0]], heard[deciding[0]]
last = {"before": parts.attention[-1], "after": parts.stream[-1]}
for ax, (title, tap) in zip(axes[1:], last.items()):
    ax.imshow(fields[deciding[0]][tap].mean(0) ** 0.5, cmap=plots.MAP)
    ax.set(xticks=[], yticks=[], title=f"{title} the sum")
book.sign(fig, book.seeds[:1])

# %% [markdown]
# :::{finding} R21-14 direction reversed; R21-14 testable yes
# :title: The centre without the skip
# Yes: before the sum as well, no other patch holds as much of the field as the own one. The skip connection adds to it ({claim}`R21-14`, share after the sum minus
# before it).
# :::
#
# What the first point of the line *after the sum* leaves to 1 comes from outside the own patch after one attention sublayer already. In late attention the own patch
# holds:


# %%
# needs: vit_cls, any deciding
def late(name):
    """Fields of the upper half's attention sublayers, before and after the sum."""
    half = len(heard[name].stream) // 2
    parts = [part[half:] for part in heard[name][:2]]
    return [np.stack([fields[name][tap] for tap in part], 1) for part in parts]


held = {
    plots.label(name, seed=True): {
        "before the sum": erf.centre_share(
            late(name)[0].mean(0), grid[name]
        ).mean(),
        "after it": erf.centre_share(late(name)[1].mean(0), grid[name]).mean(),
        "uniform field": 1 / grid[name] ** 2,
    }
    for name in [*deciding, "untrained vit_cls"]
}
table = pd.DataFrame(held).T
table["before / uniform"] = table["before the sum"] / table["uniform field"]
table.round(3).rename_axis("share in the own patch")

# %% [markdown]
# The ResNet has such a pair too: the last norm of a block, and the block's output. In the paper, the field of the branch seems to shrink at the
# first block of a stage. Does it here?

# %% tags=["hide-input"]
# needs: resnet
rows, answers = {}, {}
for name in [n for n in known if n in fields]:
    pairs = [(b, b.rpartition(".")[0]) for _, b in known[name]]
    pairs = [(branch, block) for branch, block in pairs if block in fields[name]]
    for tap, block in pairs:
        rows[block] = {
            "branch": float(erf.spread(fields[name][tap].mean(0))),
            "block": float(erf.spread(fields[name][block].mean(0))),
        }
    stage = maps.stages([block for _, block in pairs])
    curve = np.array([rows[block]["branch"] for _, block in pairs])
    answers[name] = erf.at_starts(curve, stage)
table = pd.DataFrame(rows, index=["branch", "block"]).T.astype(float).round(1)
table.rename_axis("width in pixels")

# %% tags=["hide-input"]
# needs: resnet, any answers
steps = next(iter(answers.values()))
told = ", ".join(f"{step:+.1f}" for step in steps) or "none"
shrinks = sum(step < 0 for step in steps)
Markdown(
    f"From the last block of a stage to the first of the next, the width of the branch's field changes by {told} pixels: "
    f"it shrinks at {shrinks} of {len(steps)} starts of a stage."
)

# %% [markdown]
# ## Three claims, decided

# %%
# needs: vit_cls, resnet
CLAIMS = {
    "R21-12": erf.wider,
    "R21-13": {"earlier": erf.earlier, "in fewer steps": erf.in_fewer_steps},
}


def between(f, v, r):
    """A statistic of two curves of widths, on the same resamples of images."""
    return bootstrap(
        lambda a, b: f(erf.spread(a), erf.spread(b)), grown[v], grown[r]
    )


pairs = book.pairs("vit_cls", "resnet", among=grown)
control = ("untrained vit_cls", "untrained resnet")
for claim, asked in CLAIMS.items():
    parts = asked if isinstance(asked, dict) else {"": asked}
    found = {
        name: [between(f, v, r) for v, r in pairs] for name, f in parts.items()
    }
    book.decide(
        claim,
        found if isinstance(asked, dict) else found[""],
        images=len(images),
        control=[between(next(iter(parts.values())), *control)],
    )


# %%
# needs: vit_cls, any deciding
def added(name):
    """What the skip adds to the own patch, and how far the patch stands out."""
    before, after = late(name)
    return {
        "the skip adds to the centre": bootstrap(
            lambda b, a: erf.hidden(b, a, grid[name]), before, after
        ),
        "without it no centre": bootstrap(
            lambda b: erf.stands_out(b, grid[name]), before
        ),
    }


seeds, fresh = [added(name) for name in deciding], added("untrained vit_cls")
_ = book.decide(
    "R21-14",
    {part: [seed[part] for seed in seeds] for part in fresh},
    images=len(images),
    control=[fresh["the skip adds to the centre"]],
)

# %%
book.table()

# %% [markdown]
# Both parts of the second claim for every network, and how wide each ends:

# %%
pd.DataFrame(
    {
        plots.label(name, seed=True): (
            w[0],
            w[-1],
            erf.reached(w),
            erf.largest_step(w)[1],
        )
        for name, w in widths.items()
    },
    index=[
        "first width",
        "last width",
        "depth at 80 % of the last",
        "largest step / rise",
    ],
).T.round(2)

# %% tags=["hide-input"]
# needs: any shown
kept = {name: widths[name].round(4).tolist() for name in shown}
book.keep(width=kept, settings={"side": book.tier.side})

# %% [markdown]
# ### The same claims in other ways

# %% mystnb={"figure": {"name": "fig-panel-r21-12", "caption": "Width of the field after the first block, ViT over ResNet, in every analysis, sorted, and the choices that made it. Above 1 (dotted) the ViT's is wider. Band: the ledger's number."}, "image": {"alt": "Specification curve: ratio of widths in every analysis, sorted, above rows of marks that show measure, centre, layers and networks. The lowest points are all half-mass radii."}} tags=["hide-input"]
book.panel("R21-12")

# %% [markdown]
# ## The same on natural images
#
# Tiny ImageNet is photographs at the size and patch of Scenes, with one network of a kind. The ResNets there and of CIFAR-10 are wider than that of Scenes, and learned at
# other rates and with other augmentation ({ref}`sec-data`).

# %% tags=["hide-input"]
recorded = book.recorded("width")

# %% mystnb={"figure": {"name": "fig-recorded-erf", "caption": "Recorded at other tiers, one panel each: width of the field over that of a uniform one (dotted), against relative depth. Dashed: untrained."}, "image": {"alt": "Line plots of the width of fields relative to a uniform field against depth, one panel per tier at which they were recorded, one line per network."}} tags=["hide-input"]
# needs: any recorded
fig, axes = plt.subplots(
    len(recorded), 1, figsize=(9.6, 4.2 * len(recorded)), squeeze=False
)
for ax, (other, sections) in zip(axes[:, 0], recorded):
    held = sections["width"]
    names = dict.fromkeys([*(n for n in shown if n in held), *held])
    plot_widths(ax, {n: held[n] for n in names})
    ax.set_title(other.title)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7.5)
book.sign(fig, recorded=recorded)

# %%
book.tables(recorded)

# %% [markdown]
# ## What it means
#
# :::{finding} R21-12 summary holds; R21-12 beyond_control yes; R21-13 summary holds; R21-12 @ cifar10 low > 1; R21-13 @ cifar10 high < 0; R21-12 @ tiny low > 1; R21-13 @ tiny high < 0
# :title: How wide, how early
# **After the first block the ViT's field is wider than the ResNet's.** The ratio of widths is {claim}`R21-12` on Scenes, {claim}`R21-12 @ tiny` on photographs, {claim}`R21-12 @ cifar10` on CIFAR-10, and
# larger than that of untrained networks.
# **The ViT's field reaches most of its final width much earlier in depth.** ViT minus ResNet, as a share of the depth: {claim}`R21-13`, {claim}`R21-13 @ tiny` on
# photographs, {claim}`R21-13 @ cifar10` on CIFAR-10.
# :::
#
# :::{finding} R21-14 summary holds in part; R21-14 direction reversed; R21-14 beyond_control no; R21-14 @ cifar10 direction reversed; R21-14 @ tiny direction reversed
# :title: The centre
# **The skip connection adds to the centre, and the centre is there without it.** Share of the own patch after the sum minus before it, late attention:
# {claim}`R21-14`, {claim}`R21-14 @ tiny` on photographs, {claim}`R21-14 @ cifar10` on CIFAR-10. Before the sum the own patch is
# ahead of every other as well. And the difference alone shows no learning: it is larger in an untrained ViT. Training moves the centre *into* the branch.
# :::
#
# **Why?** Attention reaches every patch in one block, a convolution of three by three one pixel further: that is architecture, and it decides which family *can* be
# wide early. That the trained ratio exceeds the untrained one says that training
# uses the reach. For the centre: with random weights attention averages over everything and the skip carries nearly all of the own patch. That training makes late
# heads look at their own patch again, because a token mostly needs to refine
# what it already has, is a conjecture.
#
# **What the paper found.** Fields of a ResNet grow slowly; those of a ViT are large early and global about midway, with a strong centre that disappears before the
# sum. Ours have most of their width after the first block and grow little
# from there, so that *early* is the better word; and most of the final width is less than *global*: the table above shows which family ends wider. The centre does
# not disappear in ours. Half-mass radii put the families
# nearly side by side, because they see little but the own patch: the first edition of this page rested on them.
#
# Compare {numref}`fig-erf-maps` with {numref}`fig-attention-distance`. Attention may be spread over the whole image while the stream
# still depends more on its own patch than on any other.
#
# **What would change our mind.** A ViT whose patches are no larger than what the ResNet's first block sees: if the ratio of widths fell to that of untrained
# networks, our result would be about patches, not about what a ViT learns. And fields by
# covering patches instead of gradients (the last exercise): if the own patch no longer stood out before the sum, the centre would belong to the gradient. Neither
# was run.
#
# ## What this tier cannot decide
#
# :::{admonition} Read every number of this chapter with this in mind
# :class: note
# - A gradient is a local answer: it says what a small change of a pixel would do, not what the network would do without it.
# - The units are not alike: one ViT block follows a patch of many pixels, one ResNet block follows a stem of convolutions.
# - On images of 64 by 64 pixels, cut into 8 by 8 patches, there is little room between local and global, and the theoretical field of our ResNet covers the whole
#   image before its last stage. The paper's images have 224 by 224 pixels.
# - In the last block of the ViT with a class token the patches are not read by anything ({ref}`sec-attention`): their fields there were never trained for.
# - Photographs and CIFAR-10 have one network of a kind.
# :::
#
# ## Quiz
#
# :::{quiz} You differentiate the mean over all channels of a token that has just left a LayerNorm with weights one and biases zero. What is the gradient?
# - [ ] The effective receptive field. ~ The mean lets channels cancel each other; here they cancel completely.
# - [x] Zero. ~ Such a norm makes the mean over channels zero for every input, and what never changes has no gradient.
# - [ ] The derivative of the first channel. ~ Every channel takes part with the same sign.
# :::
#
# :::{quiz} More than half of a field's mass lies within four pixels of its centre. The rest moves outwards, evenly on all sides, to the edges of the image. What happens to the radius that holds half of the mass?
# - [x] Nothing. ~ That is why this chapter takes the second moment, which sees the tail.
# - [ ] It grows a little. ~ It never sees where the rest lies.
# - [ ] It grows to half of the image. ~ It stops at the first half of the mass, which lies within four pixels.
# :::
#
# :::{quiz} A head attends to all patches alike. Can the stream after it still depend mostly on its own patch?
# - [ ] No: what attention mixes is mixed. ~ The sum keeps the token beside the mixture.
# - [ ] Only in an untrained network. ~ It depends on the norms of what is carried and what is added, trained or not.
# - [x] Yes. ~ The skip connection adds the own token; the head adds a mean in which it is one of many.
# :::
#
# :::{quiz} After the sum, the share of the own patch is larger than before it, in a trained ViT. What would show that training brought this about?
# - [ ] A narrow interval above zero. ~ It shows that the difference is there, not where it comes from.
# - [x] A smaller difference in the untrained ViT. ~ With random weights the skip carries the patch anyway: only what exceeds that can be learned.
# - [ ] The same difference on other images. ~ That shows that it does not depend on these images.
# :::
#
# :::{quiz} The *theoretical* field of a ResNet's layer covers the whole image, its effective field a third of it. How is that possible?
# - [ ] One of the two was measured wrongly. ~ They are different questions.
# - [ ] Skip connections cut off far pixels. ~ They carry near ones along; nothing is cut off.
# - [x] Far pixels are connected, but by few paths. ~ The centre of a window is reached in many ways and its rim in one; the gradient weighs pixels by what arrives.
# :::
#
# ## Exercises
# :::{exercise} Warm-up: a disc (5 minutes)
# :label: ex-disc
# A field is the same everywhere in a disc of radius $r$ and zero outside. What is its half-mass radius?
# :::
#
# :::{solution} ex-disc
# :class: dropdown
# The disc of half the area has radius $r/\sqrt 2$.
# :::
#
# :::{exercise} Code: an edge token (15 minutes)
# :label: ex-edge-field
# `erf.centre` takes the middle position. Write your own that takes the corner, and compare the two radii in the last block of the
# ViT. Whose field is larger?
# :::
#
# ::::{solution} ex-edge-field
# :class: dropdown
# ```python
# from seelike import checks
#
# with capture(vit, ["blocks.7"], reduce=lambda h: h.clone()) as found:
#     vit(x)
# for token in (1, 37):  # corner and middle
#     h = found["blocks.7"][:, token]
#     s = torch.randint(0, 2, h.shape) * 2 - 1
#     (g,) = torch.autograd.grad((h * s).sum(), x, retain_graph=True)
#     print(erf.radius(g.square().sum(1).sqrt().mean(0).numpy()))
# checks.check_edge_field(lambda h: h[:, 1])
# ```
#
# Token 0 is the class token, so token 1 is the corner. Its mass can only lie on one side, so compare with care: the radius is
# taken around the centre of the mass, not around the token.
# ::::
#
# :::{exercise} Open: remove instead of differentiate (45 minutes)
# :label: ex-occlude
# Replace the gradient by the change when a patch is covered by its mean colour. Does the order of ViT and ResNet stay?
# :::
#
# :::{solution} ex-occlude
# :class: dropdown
# For every patch, cover it, and take the norm of the change of the vector at the middle position, averaged over images. This gives one number a patch, 64 in all,
# and the width of this map is comparable between the families because the
# covered patches are the same. Covering is a large change, so that saturation and the odd look of a flat patch enter: repeat it with a patch of another image in its
# place. Compare ratios after the first block, over several seeds.
# :::
