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
# (sec-scale)=
# # Scale: more data, larger models
#
# **You will learn** which layers little data already teaches, how to compare what layers make easy to read, and why a similarity to a trained
# network needs that of untrained weights beside it.
#
# *Reading: 12 minutes. Running: {seconds}`08` on two cores. Before this: {ref}`sec-localization`.*
#
# :::{finding} R21-24 high < 0; R21-25 low > 0; R21-26 direction reversed; R21-26 high < 0
# :title: What we found
# **A high similarity of low layers is no sign that little data has taught them.** Trained on a tenth of the data, the low blocks of our ViT are no nearer to those of the
# full-data network than weights that never saw an image ({claim}`R21-24`). **More data makes the middle of the ViT easier to read** ({claim}`R21-25`). Both rest on one
# network of a kind. **Read from the mean of all tokens, as in the paper, our ViT is harder to read than our ResNet**, over all seeds ({claim}`R21-26`); read from its
# {term}`class token`, that is no longer so.
# :::
#
# ## The question
#
# {cite:t}`raghu2021` had 300 million images, and could take some away. With a tenth of them or less, they find, a ViT's lower layers become what
# they would have become anyway; higher layers, and larger models, need more (Fig. 12). Linear {term}`probes <probe>` say the same: pre-training on more data gives better
# features already in the middle of the network, and large ViTs have better ones there than ResNets (Figs 13, F.1 and F.2).

# %% tags=["parameters"]
tier = "scenes"
n_images = 1024

# %% tags=["hide-input"]
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seelike import (
    capture,
    data,
    drift,
    maps,
    models,
    plots,
    probes,
    project,
    tiers,
)
from seelike.chapter import Chapter
from seelike.cka import sweep
from seelike.intervals import bootstrap, combine, redrawn

book = Chapter("08", tier)
home = tiers.get(project.DEFAULT)

# %% [markdown]
# ## Method: the same run on less
#
# The base set has 6,400 scenes. Each network saw 64,000 images: the whole base set ten times over, or 3 % of it more than three
# hundred times, or 64,000 different scenes once (1000 %). All networks of one width start from the same weights. We ask block by block how similar a network is to the one
# that saw the whole base set.
#
# The control are weights that never saw an image, in two kinds: the initial weights that these networks share ("their start"), and those of another {term}`seed` ("another
# start"). A last line shows a network of another seed that saw 1000 %.
#
# :::{guess} How similar are low blocks with weights that never saw an image to those of the full-data network, by {term}`CKA` of all positions?
# - Hardly: a random block has nothing to do with a trained one.
# - Somewhat, but less than those of a network that saw a tenth of the data.
# - As much as those of a network that saw a tenth of the data, or more.
# :::

# %%
# needs: vit_small_data_100
images = book.images(n_images, seed=9)
families = {}  # cards by width and share of the base set
for card in models.cards(book.tier, study="data").values():
    if card.seed == 0:
        width, share = card.made.factors["width"], card.made.factors["share"]
        families.setdefault(width, {})[f"{100 * share:g} %"] = card
FULL, FEW = "100 %", "10 %"
main_width, small_width = sorted(families, reverse=True)
pd.DataFrame(
    {
        f"ViT, width {w}": {s: c.accuracy for s, c in f.items()}
        for w, f in families.items()
    }
).round(3).rename_axis("test accuracy")


# %%
# needs: vit_small_data_100
STARTS = {"untrained, their start": 0, "untrained, another start": 1}


def start(card, seed):
    """Weights before training: of seed 0 those that a family started from."""
    made = models.create(card.architecture, book.tier, seed=seed, **card.options)
    return made.eval().to(models.place())


by_data = {
    width: {share: models.load(c.name, book.tier) for share, c in family.items()}
    | {name: start(family[FULL], seed) for name, seed in STARTS.items()}
    for width, family in families.items()
}
ELSE = "1000 %, another start"
by_data[main_width][ELSE] = models.load("vit_data_1000", book.tier, 1)

# %%
# needs: vit_small_data_100
VIEWS = {"all positions": capture.flat, "class token": capture.cls}
similar = {
    (view, width): sweep(nets, images, view=f)
    for view, f in VIEWS.items()
    for width, nets in by_data.items()
}


def to_full(view, width, name):
    """CKA of every block of a network with the same block of the 100 % network."""
    return np.diag(similar[view, width].block(name, FULL))


# %% mystnb={"figure": {"name": "fig-data-cka", "caption": "CKA of each block with the same block of the network that was trained on the whole base set. Upper row: all positions, as in the paper. Lower row: the class token alone. Grey: untrained weights, dashed for the common start, dash-dotted for another one; the two nearly coincide. Dotted: a network from another start. One seed."}, "image": {"alt": "Four line plots of CKA from 0 to 1 against block: two widths of ViT, seen at all positions and at the class token. With all positions, every line falls from low blocks to high ones, and the grey lines of untrained weights run among or above those of little data. At the class token the grey lines fall to 0 and the lines of trained networks rise with the block, higher for more data."}} tags=["hide-input"]
# needs: vit_small_data_100
GREY = plots.COLOURS["control"]
SHADE = dict(zip(families[main_width], (*plots.DEPTHS, plots.INK)))
LINES = dict(zip([*STARTS, ELSE], ((GREY, "--"), (GREY, "-."), (plots.INK, ":"))))
fig, axes = plt.subplots(2, 2, figsize=(9.6, 6.2), sharey=True, sharex=True)
for row, view in zip(axes, VIEWS):
    for ax, width in zip(row, (main_width, small_width)):
        for name in by_data[width]:
            if name != FULL:
                colour, line = LINES.get(name) or (SHADE[name], "o-")
                ax.plot(to_full(view, width, name), line, color=colour, label=name)
        ax.set(title=f"{view}, width {width}", ylim=(-0.03, 1.03))
    row[0].set_ylabel(f"CKA with {FULL}")
for ax in axes[-1]:
    ax.set_xlabel("block")
axes[0, 1].legend(
    *axes[0, 0].get_legend_handles_labels(), loc="lower left", ncols=2, fontsize=8.5
)
book.sign(fig, [0])

# %% [markdown]
# :::{finding} R21-24 high < 0
# :title: Answer
# As much, or more: in the low blocks the grey lines of the upper row lie above the line of a tenth of the data. A block that only passes its input on is similar to any
# other that does. So we subtract it: what counts is CKA beyond that of untrained weights.
# :::
#
# The lower row shows a part that starts from nearly nothing. There, a tenth of the data already brings the network nearer, more data nearer still, and high blocks profit most.
#
# ## What each layer makes easy to read
#
# Ten-shot ridge probes ({term}`few-shot probe`) on every block's output ({ref}`sec-localization`). The paper reads the mean of all tokens; we put the class token beside it. One curve per
# network; its height at the middle says what half of the network has worked out.

# %%
# needs: labels
shots, asked = book.probe(n_images, n_images, seeds=(90, 9))
classes = len(shots.classes)
per_class = probes.affordable(shots.labels, classes)
print(
    f"{per_class} shots of each of {classes} classes, {len(asked):,} images asked"
)


def readable(model):
    """Few-shot accuracy of every block by read-out: (batches, blocks) each."""
    return drift.readable(model, shots, asked, classes, per_class=per_class)


TOKENS, PATCHES, CLASS = drift.READOUTS  # all tokens, patches, class token

# %%
# needs: vit_small_data_100
LEFT_OUT = ("untrained, another start", ELSE)
data_probes = {
    width: {n: readable(m) for n, m in nets.items() if n not in LEFT_OUT}
    for width, nets in by_data.items()
}

# %% mystnb={"figure": {"name": "fig-data-probes", "caption": "Ten-shot accuracy by block, for networks that saw 3 to 1000 % of the base set. Upper row: the mean of all tokens, as in the paper. Lower row: the class token. Grey, dashed: the untrained start. Dotted: chance. One seed."}, "image": {"alt": "Four line plots of ten-shot accuracy from 0 to 1 against block: two widths of ViT, read from all tokens and from the class token. Lines are ordered by the share of data, rise with the block, and lie higher for the class token. The dashed grey line of untrained weights and the line of the smallest share stay near the dotted line of chance."}} tags=["hide-input"]
# needs: vit_small_data_100
fig, axes = plt.subplots(2, 2, figsize=(9.6, 6.2), sharey=True, sharex=True)
for row, read in zip(axes, (TOKENS, CLASS)):
    for ax, width in zip(row, (main_width, small_width)):
        for name, found in data_probes[width].items():
            colour, line = LINES.get(name) or (SHADE[name], "o-")
            ax.plot(found[read].mean(0), line, color=colour, label=name)
        ax.axhline(1 / classes, color=plots.INK, ls=":", lw=1.2)
        ax.set(title=f"{read}, width {width}", ylim=(0, 1.02))
    row[0].set_ylabel(f"{per_class}-shot accuracy")
for ax in axes[-1]:
    ax.set_xlabel("block")
axes[0, 1].legend(loc="upper left", ncols=2, fontsize=9)
book.sign(fig, [0])

# %% [markdown]
# ## ViTs and ResNets of several sizes
#
# Left: the main networks, all seeds, with their untrained controls. Right: shorter runs on 64,000 different scenes, in several widths of each family.
#
# :::{guess} Whose lower half is easier to read, once its positions are averaged: the ViT's or the ResNet's?
# - The ViT's: attention gathers the whole image from the first block on.
# - The ResNet's: its channels are detectors, and their means over the image tell textures apart.
# - Neither's.
# :::

# %%
# needs: labels
found = book.measured(
    readable, book.cast("vit_cls", "resnet", untrained=("vit_cls", "resnet"))
)
curves = {name: y[TOKENS] for name, y in found.items() if name[:2] != "un"}
SHORT = (
    "vit_small_data_1000", "vit_data_1000", "vit_large",
    "resnet_small", "resnet_short", "resnet_large",
)  # fmt: skip
short = {
    name: models.load(name, book.tier) for name in SHORT if book.has("zoo", name)
}
widths = book.measured(readable, short)


# %% tags=["hide-input"]
CLASS_COLOUR = "#882255"


def depth_curve(ax, y, label, colour, **style):
    """Accuracy of every block against relative depth."""
    x = np.linspace(0, 1, len(y))
    ax.plot(x, y, label=label, color=colour, **{"lw": 2, "alpha": 0.85} | style)


def depth_axes(ax, title=""):
    """Axes of depth curves, each label once."""
    ax.set(xlabel="relative depth", ylim=(0, 1.02), title=title)
    handles, names = ax.get_legend_handles_labels()
    first = dict(zip(names[::-1], handles[::-1]))
    ax.legend(
        first.values(),
        first,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.16),
        fontsize=9,
    )


# %% mystnb={"figure": {"name": "fig-family-probes", "caption": "Ten-shot accuracy against relative depth. Left: main networks, every seed: the mean of all tokens (as in the paper), and the class token of the ViTs. Grey: untrained, dashed for the ViT, dotted for the ResNet. Right: the mean of all tokens in shorter runs of several widths, with their millions of parameters; thicker is wider. One seed."}, "image": {"alt": "Two line plots of ten-shot accuracy from 0 to 1 against relative depth. Left: three bundles of lines, one line per seed. The ViT read from all tokens and the ResNet rise from low to high, the ViT read from its class token rises earlier; two grey lines of untrained networks stay near the bottom. Right: ViTs and ResNets of several widths, one line each."}} tags=["hide-input"]
# needs: labels, any curves
panels = 2 if widths else 1
fig, axes = plt.subplots(
    1, panels, figsize=(4.7 * panels, 4.9), squeeze=False, sharey=True
)
for name, y in found.items():
    of_class, plain = f"{plots.label(name)}, class token", name[:2] != "un"
    style = {} if plain else {"ls": ":" if "resnet" in name else "--", "lw": 1.4}
    if CLASS in y and plain:
        depth_curve(axes[0, 0], y[CLASS].mean(0), of_class, CLASS_COLOUR, lw=1.5)
    tokens = (
        f"{plots.label(name)}, all tokens"
        if CLASS in y and plain
        else plots.label(name)
    )
    depth_curve(axes[0, 0], y[TOKENS].mean(0), tokens, plots.colour(name), **style)
axes[0, 0].set_ylabel(f"{per_class}-shot accuracy")
for name, y in widths.items():
    card = models.cards(book.tier)[name, 0]
    millions = card.parameters / 1e6
    label = f"{plots.label(card.architecture)}, {millions:.1f} M"
    colour = plots.colour(card.architecture)
    depth_curve(
        axes[0, 1], y[TOKENS].mean(0), label, colour, lw=2.4 * millions**0.5
    )
for ax, title in zip(axes.flat, ("main networks", "shorter runs, several widths")):
    depth_axes(ax, title)
pairs = book.pairs("vit_cls", "resnet", among=curves)
book.sign(fig)

# %% [markdown]
# :::{finding} R21-26 direction reversed; R21-26 high < 0
# :title: Answer
# The ResNet's, and so is its upper half. Read from its class token, the ViT starts lower, leads before the middle, and ends nearly level.
# :::
#
# ## Three claims, decided


# %%
# needs: vit_small_data_100
def beyond_start(width, name):
    """CKA with the 100 % network beyond that of the start: low and high third."""
    to = similar["all positions", width]
    of = {n: to.bootstrap(lambda a, b, c: maps.low_and_high(np.diag(c)), n, FULL)
          for n in (name, "untrained, their start")}  # fmt: skip
    return of[name].minus(of["untrained, their start"])


main, small = (beyond_start(width, FEW) for width in (main_width, small_width))
parts = {
    name: [combine(lambda m, s, i=i: maps.needs_more(m, s)[i], main, small)]
    for i, name in enumerate(("low layers", "high layers", "larger models"))
}
elsewhere = beyond_start(main_width, "untrained, another start")
elsewhere = combine(lambda m: m[0], elsewhere)
_ = book.decide("R21-24", parts, images=len(images), control=[elsewhere])

# %% [markdown]
# More data can only help layers if little data taught the task at all. So the second claim compares 1000 % with 30 %, the smallest set from which the network has
# learned more than half of the way from chance to perfect.


# %%
# needs: vit_small_data_100
def points(read):
    """Ten-shot accuracy of the middle block in points, 1000 % minus 30 %."""
    much, little = (data_probes[main_width][s][read] for s in ("1000 %", "30 %"))
    return bootstrap(drift.more_data_helps, much, little)


learned = redrawn(
    lambda share: drift.learned(share, classes), families[main_width]["30 %"].share
)
_ = book.decide(
    "R21-25",
    {read: [points(read)] for read in (TOKENS, CLASS)},
    images=len(asked),
    testable=[learned],
)


# %%
# needs: labels, vit_cls, resnet, any pairs
def easier(read, vit, resnet):
    """Ten-shot accuracy, mean over depth, ViT minus ResNet."""
    return bootstrap(drift.easier, found[vit][read], found[resnet][TOKENS])


both = {read: [easier(read, *names) for names in pairs] for read in (TOKENS, CLASS)}
control = [easier(TOKENS, "untrained vit_cls", "untrained resnet")]
book.decide("R21-26", both, images=len(asked), control=control)
book.table()

# %% [markdown]
# The table shows the first part of a claim. Of all parts:

# %% tags=["hide-input"]
drift.parts(["R21-24", "R21-25", "R21-26"], tier)

# %% [markdown]
# ## How sure are we?
#
# Other read-outs, more shots, only the middle half of the blocks, and other networks. The number above stands in the band.

# %% mystnb={"figure": {"name": "fig-panel-r21-26", "caption": "Ten-shot accuracy over depth, ViT minus ResNet, in every analysis: read-out of the ViT, number of shots, depth, and networks. Above the dotted line the ViT is easier to read."}, "image": {"alt": "A specification curve: dots with intervals sorted from low to high, and below them rows of marks that say which read-out, shots, depth and networks each dot belongs to. Analyses of all tokens and of patches lie on the left, those of the class token on the right."}} tags=["hide-input"]
book.panel("R21-26")

# %% mystnb={"figure": {"name": "fig-panel-r21-24", "caption": "CKA of the lowest third of blocks with the full-data network, beyond that of untrained weights, in every analysis: view, share of the base set, which untrained weights, and width."}, "image": {"alt": "A specification curve: dots with intervals sorted from low to high, and below them rows of marks that say which view, share of data, untrained weights and width each dot belongs to."}} tags=["hide-input"]
book.panel("R21-24")

# %% [markdown]
# ## The same on natural images, and a second probe set
#
# On photographs and on CIFAR-10 there are no networks of other data sizes. Two things were recorded there: the probes of their own networks, and how well the networks
# *trained on Scenes* serve these images; those of CIFAR-10 were enlarged to 64 pixels for them (Figs F.1 to F.3 of the paper).
#
# Tiny ImageNet is photographs at the size and patch of Scenes, with one network of a kind. The ResNets there and of CIFAR-10 are wider than that of Scenes, and learned at
# other rates and with other augmentation ({ref}`sec-data`).


# %% tags=["hide-input"]
# needs: labels, any curves
def kept(found, read):
    """Accuracy of every block, for the networks that have this read-out."""
    return {
        n: y[read].mean(0).round(3).tolist() for n, y in found.items() if read in y
    }


trained = {name: y for name, y in found.items() if name in curves}
book.keep(
    curves=kept(trained, TOKENS),
    class_curves=kept(trained, CLASS),
    settings={"chance": 1 / classes},
)
if book.has("zoo") and not book.has(
    "truth"
):  # images that no network of Scenes knows
    there = replace(book.tier, side=home.side)
    enough = max(n_images, 30 * classes)  # to find ten of every class
    many, few = data.probe(there, enough, n_images, (91, 91))
    cast = models.cast(["vit_cls", "resnet"], home)
    sizes = [n for n in models.roles(home) if n.startswith("vit_data_")]
    sizes = {f"{n}-0": models.load(n, home) for n in sizes}
    moved = {
        n: drift.readable(m, many, few, classes) for n, m in (cast | sizes).items()
    }
    book.keep(
        transfer=kept({n: moved[n] for n in cast}, TOKENS),
        class_transfer=kept({n: moved[n] for n in cast}, CLASS),
        size_transfer=kept({n: moved[n] for n in sizes}, TOKENS),
    )

# %% tags=["hide-input"]
recorded = book.recorded("curves")

# %% mystnb={"figure": {"name": "fig-recorded-scale", "caption": "Recorded at other tiers, one row each. Left: ten-shot accuracy of the tier's own networks, for the ViTs also of the class token. Middle and right, for images other than Scenes: the same images, read from networks that were trained on Scenes only, by family (every seed) and by share of the base set. The dotted line is chance."}, "image": {"alt": "Rows of three line plots recorded at other tiers, ten-shot accuracy against relative depth: networks trained there, networks trained on Scenes by family, and networks trained on Scenes by share of data; a dotted line at chance."}} tags=["hide-input"]
# needs: any recorded
COLUMNS = ("curves", "transfer", "size_transfer")
CLASS_OF = {"curves": "class_curves", "transfer": "class_transfer"}
shown = [c for c in COLUMNS if any(c in sections for _, sections in recorded)]
fig, axes = plt.subplots(
    len(recorded),
    len(shown),
    figsize=(4.4 * len(shown), 4.6 * len(recorded)),
    sharey=True,
    squeeze=False,
)
for row, other in zip(axes, recorded):
    of, sections = other
    titles = (
        f"trained on {of.title}",
        f"trained on {home.title}",
        f"shares of {home.title}",
    )
    for ax, part in zip(row, shown):
        if part not in sections:
            ax.set_axis_off()
            continue
        shade = dict(zip(sections[part], (*plots.DEPTHS, plots.INK)))
        for name, y in sections[part].items():
            share = part == "size_transfer"
            label = f"{int(name[9:-2])} %" if share else other.label(name)
            depth_curve(ax, y, label, shade[name] if share else plots.colour(name))
        for name, y in sections.get(CLASS_OF.get(part), {}).items():
            depth_curve(
                ax, y, f"{other.label(name)}, class token", CLASS_COLOUR, lw=1.5
            )
        depth_axes(ax, titles[COLUMNS.index(part)])
        chance = sections["settings"].get("chance", 1 / max(of.classes, 1))
        ax.axhline(chance, color=plots.INK, ls=":", lw=1.2)
    row[0].set_ylabel(f"ten-shot accuracy, {of.title}")
book.sign(fig, recorded=recorded)

# %%
# needs: any recorded
book.tables(recorded)

# %% [markdown]
# ## What it means
#
# ### What we found
#
# :::{finding} R21-24 high < 0
# :title: Low layers look alike without learning
# Low layers of the network that saw a tenth of the data, CKA with the full-data network beyond the untrained start: {claim}`R21-24`. Weights of another seed, which no
# network here started from, are as near ({numref}`fig-data-cka`, grey).
# :::
#
# The other two parts of the claim are there (table of parts): beyond untrained weights, high layers of this network are further from their twins than low ones, and more so
# in the wider network. The class token tells another story: a tenth of the data already moves it towards the full-data network, most of all in high blocks.
#
# :::{finding} R21-25 low > 0; R21-25 testable yes
# :title: More data makes the middle of the network easier to read
# Middle block, mean of all tokens, 1000 % minus 30 %, in points: {claim}`R21-25`. Both networks learned the task, so this is not the difference between knowing and not knowing it.
# :::
#
# :::{finding} R21-26 direction reversed; R21-26 high < 0; R21-26 beyond_control no; R21-26 @ cifar10 high < 0; R21-26 @ tiny high < 0
# :title: The mean of its tokens makes a ViT harder to read than a ResNet
# Mean over depth, all tokens of the ViT minus the ResNet: {claim}`R21-26` on Scenes, {claim}`R21-26 @ tiny` on photographs, {claim}`R21-26 @ cifar10` on CIFAR-10. Read from the class token, our rule finds
# neither family ahead on Scenes, and other analyses go either way ({numref}`fig-panel-r21-26`); on photographs the one ViT's class token is ahead of its ResNet
# ({numref}`fig-recorded-scale`). So the paper's claim fails here for the read-out that the paper uses.
# :::
#
# Width does not close the gap: in the short runs the widest ViT stays behind the narrowest ResNet ({numref}`fig-family-probes`, right; one seed). Networks trained on
# Scenes hardly serve CIFAR-10 or photographs: accuracy stays near that of their first block at every depth ({numref}`fig-recorded-scale`).
#
# ### Why
#
# *Explanation.* With all positions in view, CKA asks which images have similar pixels in the same places. Untrained blocks of a ViT pass their input on ({ref}`sec-skips`),
# so they answer this as their input does, and low blocks of a trained network do nearly the same. The class token starts as the same vector for every image. All that it
# says of an image was computed, and little of that is there before training.
#
# *Explanation.* A ResNet's answer is read from the mean over positions, so its channels are trained to keep their meaning under a mean. A ViT that answers from its class
# token is under no such demand: in the mean of all tokens, one that knows is outnumbered by 64 patches. A ViT that is trained with average pooling lies nearer to the
# ResNet in the panel, which fits.
#
# ### The paper and we
#
# {cite:t}`raghu2021` read a high similarity of low layers as early learning; we put untrained weights beside it. Their gain in the middle, about 30 points, is of a
# thousand classes and of two hundred times as much data: another scale, no number to compare ours with. Their ViTs are ahead of ResNets in the middle when they are large
# and trained on 300 million photographs; at that scale we have nothing to set against it.
#
# ### What would change our mind
#
# Networks of more seeds at a tenth of the data whose low blocks, seen at all positions, come nearer to the full-data network than untrained weights: then low layers would
# be learned early after all. A ViT with a class token, read from all tokens, that overtakes a ResNet as both see ten times more data: then the order of the families would
# be a matter of scale, as the paper has it.
#
# ## What this tier cannot decide
#
# :::{admonition} Caveats of this chapter
# - Our largest set is ten times the base set; theirs had 300 million images, and large ViTs, where the paper finds the largest gains. Data-size networks have one seed.
# - Runs of a family have the same length, which is not the same convergence: those with less data repeat it more often.
# - The ResNet's positions are averaged as they are; the paper first cuts its maps into patches with as many channels as the last stage, and reports only a minor gain. Our
#   first stage has 16 channels against the ViT's 96, so here the gain may be larger.
# - Intervals cover the test images and, where there are several, the seeds; not the choice of shots.
# :::
#
# ## Quiz
#
# :::{quiz} A network trained on little data and one trained on much are similar in their first block, with a CKA close to 1. What do you ask before you call that block learned?
# - [ ] Whether it is above nine tenths. ~ A threshold that was chosen freely decides nothing.
# - [x] How similar to either is a block with random weights. ~ If it is as similar, learning is not needed to explain the value.
# - [ ] Whether both networks are accurate. ~ Their accuracy says nothing of the first block.
# :::
#
# :::{quiz} Every run saw 64,000 images, some of them the same few many times. What is held equal?
# - [ ] How well each network has converged on its own set. ~ A small set that is repeated often is learned by heart long before a large one is learned at all.
# - [ ] The number of passes over the set. ~ It runs from one to hundreds.
# - [x] The number of steps, and with it the work. ~ Which of the three to hold equal is a choice, and each answers another question.
# :::
#
# :::{quiz} To show that more data helps the middle layers, why is the smallest set not the one to compare with?
# - [x] Its network has hardly learned the task, so that any layer of any network that did would be ahead. ~ The comparison would then say only that learning helps.
# - [ ] Its images are worse. ~ They are drawn like all others.
# - [ ] Its network has fewer parameters. ~ All networks of one width have the same.
# :::
#
# :::{quiz} The class token's probe does better than that of the mean of all tokens, though the mean contains the class token. How can that be?
# - [ ] It cannot: a mean has all that its parts have. ~ A mean is a sum, and the parts of a sum cannot be told apart any more.
# - [ ] Ridge regression prefers single tokens. ~ It sees one vector an image in either case.
# - [x] The token is one of many in the mean, and what the others add covers it. ~ With ten shots a class, a probe cannot learn to see through it.
# :::
#
# :::{quiz} Two networks have the same ten-shot accuracy at a layer. Do they represent the images in the same way?
# - [ ] Yes: accuracy is a summary of representation. ~ It is a summary of one question put to it.
# - [x] Not necessarily: different features can make the same classes easy to read. ~ This is why CKA and probes stand side by side.
# - [ ] No, two networks never do. ~ They may; accuracy cannot tell.
# :::
#
# ## Exercises
#
# :::{exercise} Warm-up: how often? (2 minutes)
# :label: ex-epochs
# A run sees 64,000 images of a set of 1,920. How often does it see each?
# :::
#
# :::{solution} ex-epochs
# :class: dropdown
# 33 times.
# :::
#
# :::{exercise} Code: memory or knowledge? (10 minutes)
# :label: ex-memory
# Give the network of the smallest set its own training images (`feed.training_set`) and then test images. How far apart are the two accuracies?
# :::
#
# ::::{solution} ex-memory
# :class: dropdown
# ```python
# from seelike import checks, evaluate, feed, recipes
#
# recipe = recipes.recipe("vit_data_003", tier)
# seen = feed.training_set(tier, recipe, seed=0)
# model = by_data[main_width]["3 %"]
# mine = [(evaluate.predict(model, split) == split.labels).float().mean().item() for split in (seen, images)]
# print(mine)
# checks.check_memory(mine, tier, by_data, main_width, images)
# ```
#
# The distance is what the network learned by heart.
# ::::
#
# :::{exercise} Open: what to hold equal (2 hours, most of it training)
# :label: ex-equal
# We held the number of images seen equal. Hold the number of passes equal instead, or the training loss. Which comparison answers the
# question "does more data help the middle layers"?
# :::
#
# :::{solution} ex-equal
# :class: dropdown
# Not run here. Equal passes give the small set less work, so that a gain may be one of work. Equal loss on the training images lets the small set stop early, before it is
# learned by heart. If the middle layers gain under all three, it is the data; if under one only, the answer belongs to that choice, and should be told with it.
# :::
