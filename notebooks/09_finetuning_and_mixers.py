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
# (sec-finetuning)=
# # Fine-tuning and mixers
#
# **You will learn** which blocks fine-tuning leaves alone, whether networks of different widths agree layer by layer, where a network
# with neither attention nor convolution stands between the two, and whether networks that see alike also err alike.
#
# *Reading: 12 minutes. Running: {seconds}`09` on two cores. Before this: {ref}`sec-scale`.*
#
# :::{finding} R21-27 direction reversed; R21-27 low > 0; R21-27 beyond_control yes; R21-28 direction holds; R21-28 beyond_control open
# :title: What we found
# **{term}`Fine-tuning <fine-tuning>` changes the last blocks of our ViT more than the first** ({claim}`R21-27`; one network). But that the first stay is no memory of their
# training: the low blocks of ViTs of other seeds, which share no history with it, resemble them at least as much. **An {term}`MLP-Mixer` is more like a ViT than like a
# ResNet** ({claim}`R21-28`). Networks with random weights show that order as well, so that we cannot lay it to training.
# :::
#
# ## The question
#
# A pre-trained ViT goes on to a new task. What changes? {cite:t}`raghu2021` (Fig. G.1) compare each block before and after: the first four or five stay, the
# last ones move, most for the tasks that are least like the old one. They also compare sizes (G.2), and the MLP-Mixer, which mixes positions by a small MLP. It
# falls into two parts, and is closer to a ViT than to a ResNet (H.1, H.2).

# %% tags=["parameters"]
tier = "scenes"
n_images = 1024
n_alike = 512

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import Markdown, display

from seelike import (
    alike,
    consistency,
    drift,
    evaluate,
    maps,
    models,
    plots,
    recipes,
    tiers,
)
from seelike.chapter import Chapter
from seelike.cka import sweep
from seelike.intervals import combine, redrawn

book = Chapter("09", tier)
images = book.images(n_images, seed=10)

# %% [markdown]
# ## Fine-tuning: what stays
#
# The trained ViT with class token went on, with a new head and at lower rates, to three other questions. From Scenes: the object's *texture* where it says nothing about the
# shape, its *position* (which quadrant), and *CIFAR-10*, enlarged. From CIFAR-10: *shape*, texture and position of scenes, reduced to 32 pixels.
# Block $b$ is compared with itself, on test images of the first task:
#
# $$
# \operatorname{CKA}\bigl( h_b^{\text{before}}(x),\; h_b^{\text{after}}(x) \bigr) .
# $$ (eq-drift)
#
# The control is another ViT that was trained on the first task, of another {term}`seed` ("another start" in the figure). What it shares with ours, block by block, needs no common past.
#
# :::{guess} Which of the three new tasks moves the network most?
# - Texture: it was free to ignore it before.
# - Position: it asks where, not what.
# - CIFAR-10: other images, other classes.
# :::

# %%
# needs: vit_cls, vit_to_texture
cards = models.cards(book.tier, study="fine-tuning")
targets = list(dict.fromkeys(name for name, _ in cards))
tuned_seeds = models.shared_seeds(["vit_cls", *targets], book.tier)
before = {f"vit_cls-{s}": models.load("vit_cls", book.tier, s) for s in tuned_seeds}
tuned = {
    f"{name}-{s}": models.load(name, book.tier, s)
    for s in tuned_seeds
    for name in targets
}
others = {n: m for n, m in book.cast("vit_cls").items() if n not in before}
moved = sweep(before | tuned | others, images)
first_seed = tuned_seeds[0]
drifts = {
    name: np.diag(moved.block(f"vit_cls-{first_seed}", f"{name}-{first_seed}"))
    for name in targets
}

# %% tags=["hide-input"]
TARGETS = sorted(
    recipe.factors["target"]
    for zoo in recipes.RECIPES.values()
    for recipe in zoo.values()
    if recipe.study == "fine-tuning"
)
LOOK = dict(
    zip(dict.fromkeys(TARGETS), zip(sns.color_palette("Dark2"), "osD^vPX*"))
)


def plot_drift(ax, curves, tier):
    """One line a target, which the cards of the tier name."""
    cards = models.cards(tier, study="fine-tuning")
    for name, y in curves.items():
        target = next(c for (n, _), c in cards.items() if n == name).made.factors[
            "target"
        ]
        colour, marker = LOOK[target]
        ax.plot(y, marker=marker, color=colour, label=f"to {target}")
    ax.set(xlabel="block", ylabel="CKA, before and after", ylim=(0, 1.03))


# %% mystnb={"figure": {"name": "fig-drift", "caption": "CKA of each block before and after fine-tuning, on test images of the first task, one network. Dotted, where there are other seeds: the same comparison with ViTs that were trained on the first task from other starts."}, "image": {"alt": "Line plot of CKA from 0 to 1 against block, one line for each of three target tasks, all falling from low blocks to high ones, and dotted grey lines for networks that were trained from other starts, which fall as well."}} tags=["hide-input"]
# needs: vit_cls, vit_to_texture
fig, ax = plt.subplots(figsize=(5.6, 3.6))
plot_drift(ax, drifts, book.tier)
for i, name in enumerate(others):
    control = np.diag(moved.block(f"vit_cls-{first_seed}", name))
    label = "another start" if not i else None
    ax.plot(control, ":", color=plots.COLOURS["control"], label=label)
ax.legend(loc="lower left")
book.sign(fig, [first_seed])

# %% [markdown]
# *Answer:* CIFAR-10, the only one whose images are of another kind. It moves the network further than another seed does; texture moves it least.
#
# Accuracy on the new tasks after fine-tuning, with 95 % intervals, from the cards of the zoo. Drift cannot be read without it: where accuracy stays low, a network has
# moved without arriving. The last column is 0 at chance and 1 where every answer is right. Quadrants are hard to tell apart: objects are large and near the middle.

# %%
rows = [
    c for t in tiers.TIERS for c in models.cards(t, study="fine-tuning").values()
]
pd.DataFrame(
    {
        (c.tier, c.made.factors["target"], c.seed): {
            "accuracy": c.accuracy,
            "low": c.accuracy_low,
            "high": c.accuracy_high,
            "chance": 1 / c.options["num_classes"],
            "learned": drift.learned(c.accuracy, c.options["num_classes"]),
        }
        for c in rows
    }
).T.round(3).rename_axis(["trained on", "then to", "seed"])

# %% [markdown]
# ## Two widths
#
# The same recipe in two widths, on the same 64,000 scenes. If depth is what decides, each row is brightest on the diagonal. The control is one width and two seeds.

# %% mystnb={"figure": {"name": "fig-widths", "caption": "CKA between all layers of two ViTs. Left: half width (rows) and full width (columns). Right, the control: full width from two starts."}, "image": {"alt": "Two heat maps of CKA between all layers of two ViTs, dark at 0 and bright at 1: of different width, and of the same width from different starts."}} tags=["hide-input"]
# needs: vit_small_data_1000
three = {
    "half width": models.load("vit_small_data_1000", book.tier),
    "full width": models.load("vit_data_1000", book.tier),
    "other start": models.load("vit_data_1000", book.tier, 1),
}
widths = sweep(three, images, "all")
fig, axes = plt.subplots(1, 2, figsize=(7.6, 3.5))
for ax, name in zip(axes, ("half width", "other start")):
    m, rows = widths.block(name, "full width"), f"{name}, tap"
    plots.similarity_map(ax, m, "", rows=rows, columns="full width, tap")
book.sign(fig, [0, 1])

# %% [markdown]
# Depth does not decide in the lower half: any low layer of one is like any low layer of the other, with two widths as with two seeds. Only the top layers differ.
#
# ## MLP-Mixer: between the two?
#
# A Mixer has the ViT's patches and blocks, but mixes positions by a small MLP over them instead of attention. As in a convolution, the weights are the same for every
# image. Unlike a convolution's, they reach the whole image, and every position has weights of its own.
#
# :::{guess} Nearer to which is the Mixer, before any training and after it?
# - To the ViT before, to the ResNet after: fixed weights make it a convolution in the end.
# - To the ViT both times.
# - To neither before, to the ViT after: training makes them alike.
# :::

# %%
# needs: vit_cls, resnet, mixer
trio = ("vit_cls", "resnet", "mixer")
same_seed = book.pairs(*trio)
controls = [
    tuple(f"untrained {role}-{i}" for role in trio) for i in range(len(same_seed))
]
cast = models.cast(trio, book.tier) | {
    name: models.untrained(role, book.tier, models.CONTROL + i)
    for i, names in enumerate(controls)
    for role, name in zip(trio, names)
}
blocks = sweep(cast, images)
first = sweep({name: cast[name] for name in same_seed[0]}, images, "all")


# %% tags=["hide-input"]
def plot_mixer(axes, found):
    """Maps of the Mixer against itself and the two others, by role."""
    for ax, role in zip(axes, ("mixer", "vit_cls", "resnet")):
        rows = f"{plots.label(role)}, tap"
        plots.similarity_map(
            ax, found[role], "", rows=rows, columns="MLP-Mixer, tap"
        )


# %% mystnb={"figure": {"name": "fig-mixer", "caption": "CKA between all layers: Mixer with itself, with the ViT and with the ResNet; one seed."}, "image": {"alt": "Three heat maps of CKA, dark at 0 and bright at 1: the Mixer against itself, the ViT against the Mixer, the ResNet against the Mixer."}} tags=["hide-input"]
# needs: vit_cls, resnet, mixer
with_mixer = {
    role: first.block(name, same_seed[0][-1])
    for role, name in zip(trio, same_seed[0])
}
fig, axes = plt.subplots(1, 3, figsize=(10.2, 3.3))
plot_mixer(axes, with_mixer)
book.sign(fig, book.seeds[:1])


# %%
# needs: vit_cls, resnet, mixer
def near(mixer, other):
    """Mean similarity of blocks at the same relative depth."""
    return maps.same_depth(blocks.block(mixer, other).to_numpy())


table = {
    kind: {
        f"Mixer with {plots.label(role)}": float(
            np.mean([near(names[2], names[i]) for names in group])
        )
        for i, role in enumerate(trio[:2])
    }
    for kind, group in (("trained", same_seed), ("untrained", controls))
}
pd.DataFrame(table).round(2).rename_axis("matched depth, mean over seeds")

# %% [markdown]
# :::{finding} R21-28 direction holds; R21-28 beyond_control open
# :title: Answer
# To the ViT both times, and on average by more before training than after it (table above). Both cut the image into the same patches and add what they find to the same kind of stream.
# :::
#
# ## Two claims, decided


# %%
# needs: vit_cls, vit_to_texture
def thirds(a, b):
    """CKA of the blocks of two networks: lowest and highest third."""
    return moved.bootstrap(lambda v, r, c: maps.low_and_high(np.diag(c)), a, b)


def kept(seed):
    """What fine-tuning of one network left alone, over targets (`maps.preserved`)."""
    was = f"vit_cls-{seed}"
    own = [thirds(was, f"{name}-{seed}") for name in targets]
    else_ = [thirds(was, name) for name in others]
    return combine(
        lambda *t: maps.preserved(
            np.array(t[: len(own)]), np.array(t[len(own) :]).reshape(-1, 2)
        ),
        *own,
        *else_,
    )


def arrived(seed):
    """Accuracy beyond chance on the new task: smallest over targets."""
    own = [cards[name, seed] for name in targets]
    classes = [card.options["num_classes"] for card in own]
    return redrawn(
        lambda *shares: min(map(drift.learned, shares, classes)),
        *(card.share for card in own),
    )


PARTS = ("first more than last", "first beyond another start")
margins = [kept(seed) for seed in tuned_seeds]
parts = {
    name: [combine(lambda m, i=i: m[i], margin) for margin in margins]
    for i, name in enumerate(PARTS)
}
two_starts = [
    combine(
        lambda *t: np.mean([low - high for low, high in t]),
        *(thirds(f"vit_cls-{seed}", name) for name in others),
    )
    for seed in tuned_seeds
    if others
]
_ = book.decide(
    "R21-27",
    parts,
    images=len(images),
    control=two_starts,
    testable=[arrived(seed) for seed in tuned_seeds],
)


# %%
# needs: vit_cls, resnet, mixer
def nearer(vit, resnet, mixer):
    """Similarity at matched depth, Mixer with ViT minus Mixer with ResNet."""
    return blocks.bootstrap(lambda a, b, c: maps.same_depth(c), mixer, vit).minus(
        blocks.bootstrap(lambda a, b, c: maps.same_depth(c), mixer, resnet)
    )


seeds = [nearer(*names) for names in same_seed]
control = [nearer(*names) for names in controls]
book.decide("R21-28", seeds, images=len(images), control=control)
book.table()

# %% [markdown]
# The table shows the first part of a claim. Of all parts:

# %% tags=["hide-input"]
drift.parts(["R21-27"], tier)

# %% [markdown]
# ## How sure are we?
#
# Other views, taps, ways of pairing layers, and networks. AdamW alone, the optimiser of the paper, trained only the ViT of its row; its ResNet and Mixer are ours.

# %% mystnb={"figure": {"name": "fig-panel-r21-28", "caption": "CKA of the Mixer with the ViT minus that with the ResNet, in every analysis. Above the dotted line the Mixer is nearer to the ViT."}, "image": {"alt": "A specification curve: dots with intervals sorted from low to high, and below them rows of marks that say which view, taps, pairing of layers and networks each dot belongs to. Nearly all dots lie above the dotted line; those of the ViT that was trained with AdamW lie lowest."}} tags=["hide-input"]
book.panel("R21-28")

# %% mystnb={"figure": {"name": "fig-panel-r21-27", "caption": "CKA before and after fine-tuning, first third of blocks minus last third, in every analysis: view, taps, target, and images."}, "image": {"alt": "A specification curve: dots with intervals sorted from low to high, and below them rows of marks that say which view, taps, target and images each dot belongs to."}} tags=["hide-input"]
book.panel("R21-27")

# %% tags=["hide-input"]
# needs: vit_cls, vit_to_texture
book.keep(drift={name: y.round(3).tolist() for name, y in drifts.items()})

# %% tags=["hide-input"]
# needs: vit_cls, resnet, mixer
book.keep(
    mixer={role: m.round(3).to_numpy().tolist() for role, m in with_mixer.items()},
    matched=table,
)

# %% [markdown]
# ## The same on natural images
#
# Tiny ImageNet is photographs at the size and patch of Scenes, with one network of a kind. The ResNets there and of CIFAR-10 are wider than that of Scenes, and learned at
# other rates and with other augmentation ({ref}`sec-data`).

# %% tags=["hide-input"]
recorded = book.recorded("drift")

# %% mystnb={"figure": {"name": "fig-recorded-drift", "caption": "Recorded at other tiers: a ViT trained there, fine-tuned to three other questions."}, "image": {"alt": "Line plots recorded at other tiers, of CKA from 0 to 1 against block, before and after fine-tuning, one line for each of three target tasks."}} tags=["hide-input"]
# needs: any recorded
fig, axes = plt.subplots(
    1, len(recorded), figsize=(5.6 * len(recorded), 3.6), squeeze=False
)
for ax, (other, sections) in zip(axes.flat, recorded):
    plot_drift(ax, sections["drift"], other)
    ax.set_title(other.title)
    ax.legend(loc="lower left")
book.sign(fig, recorded=recorded)

# %% tags=["hide-input"]
recorded = book.recorded("mixer")

# %% mystnb={"figure": {"name": "fig-recorded-mixer", "caption": "Recorded at other tiers, one row each: the Mixer against itself, the ViT and the ResNet."}, "image": {"alt": "Rows of three heat maps of CKA recorded at other tiers, dark at 0 and bright at 1: the Mixer against itself, the ViT and the ResNet."}} tags=["hide-input"]
# needs: any recorded
n = len(recorded)
fig, axes = plt.subplots(n, 3, figsize=(10.2, 3.3 * n), squeeze=False)
for row, (other, sections) in zip(axes, recorded):
    plot_mixer(row, sections["mixer"])
    row[0].set_title(other.title)
book.sign(fig, recorded=recorded)

# %% tags=["hide-input"]
for other, sections in book.recorded("matched"):
    matched = pd.DataFrame(sections["matched"]).round(2)
    display(matched.rename_axis(f"matched depth, {other.title}"))

# %%
book.tables(book.recorded("claims"))

# %% [markdown]
# ## Do networks that see alike err alike?
#
# Everything so far compared what networks represent. {ref}`sec-humans` compares what they answer, by the consistency of their errors ({term}`error consistency`). Do the
# two go together? We take every network of the zoo that has weights, answers the tier's own question and learned it (at most two seeds of each), and ask every pair two
# things: how similar are its blocks at the same relative depth (mean CKA, plain images), and how consistent its errors (kappa, {eq}`eq-kappa`). Plain scenes leave good
# networks hardly an error. So we add noise of 30 grey levels to the images that are to be answered.
#
# A pair is no independent observation, as each network is in many of them. The interval therefore draws networks, not pairs. Accuracy is a rival explanation: two good
# networks may resemble each other in both. The partial rank correlation takes out the mean and the difference of the two accuracies.
#
# :::{guess} What happens to the correlation of CKA and kappa once accuracies are taken out?
# - It vanishes: good networks are alike in everything.
# - It shrinks a little.
# - It turns: among equally good networks, those that differ inside err alike.
# :::

# %%
peers = alike.members(book.tier)

# %%
# needs: any peers
nets = {name: models.load(c.name, book.tier, c.seed) for name, c in peers.items()}
seen = alike.seen(sweep(nets, book.images(n_alike, seed=12)))
noisy = alike.noisy(book.images(n_alike, seed=13), sd=30.0)
right = np.array(
    [
        (evaluate.predict(model, noisy) == noisy.labels).numpy()
        for model in nets.values()
    ]
)
erred = consistency.kappas(right)
accuracies = alike.given_accuracy(right.mean(1))

# %%
# needs: any peers
families = [alike.FAMILIES.get(c.architecture, name) for name, c in peers.items()]
vits = np.flatnonzero(np.array(families) == "ViT")
among = np.ix_(vits, vits)
found = {
    "all pairs": alike.agreement(seen, erred),
    "given accuracies": alike.agreement(seen, erred, accuracies),
    "ViTs only": alike.agreement(seen[among], erred[among]),
    "ViTs only, given accuracies": alike.agreement(
        seen[among], erred[among], [a[among] for a in accuracies]
    ),
}
chance = alike.by_chance(seen, erred)

# %% mystnb={"figure": {"name": "fig-alike", "caption": "Left: similarity of representations (mean CKA of blocks at matched depth) and consistency of errors (kappa, on noisy images), one dot a pair of networks. Right: their rank correlation with 95 % intervals that draw networks; the band holds 95 % of what changing the names of networks at random gives."}, "image": {"alt": "Left: a scatter plot of kappa against CKA, one dot a pair of networks in colours for two ViTs, two ResNets, a ViT and a ResNet, and other pairs; pairs of ViTs lie at the upper right, mixed pairs at the lower left. Right: four rank correlations with intervals, and a band around 0."}} tags=["hide-input"]
# needs: any peers
KINDS = {
    "other": "0.75",
    "ViT and ResNet": plots.INK,
    "two ResNets": plots.colour("resnet"),
    "two ViTs": plots.colour("vit_cls"),
}
x, y, kinds = alike.pairs(seen), alike.pairs(erred), np.array(alike.kinds(families))
fig, (ax, beside) = plt.subplots(1, 2, figsize=(9.8, 3.9), width_ratios=(1.2, 1))
for kind, colour in KINDS.items():
    at = kinds == kind
    ax.plot(x[at], y[at], "o", ms=4, color=colour, alpha=0.8, label=kind, mew=0)
ax.set(xlabel="CKA at matched depth", ylabel="kappa of errors")
ax.legend(loc="upper left", fontsize=9, handletextpad=0.2)
beside.axvspan(
    *np.quantile(chance, [0.025, 0.975]), color=plots.INK, alpha=0.15, lw=0
)
plots.intervals(beside, found)
beside.axvline(0, color=plots.INK, lw=1, ls=":")
beside.set_xlabel("rank correlation of CKA and kappa")
book.sign(fig, sorted({c.seed for c in peers.values()}))

# %% tags=["hide-input"]
# needs: any peers
told = alike.told(found["all pairs"], found["given accuracies"], chance, len(peers))
book.keep(
    alike={
        "networks": list(peers),
        "accuracy": right.mean(1).round(3).tolist(),
        "cka": alike.pairs(seen).round(3).tolist(),
        "kappa": alike.pairs(erred).round(3).tolist(),
        "correlations": {n: [round(v, 3) for v in e] for n, e in found.items()},
        "told": told,
    }
)
display(Markdown(f"**{told}**"))

# %% [markdown]
# ## What it means
#
# ### What we found
#
# :::{finding} R21-27 direction reversed; R21-27 low > 0; R21-27 beyond_control yes; R21-27 @ cifar10 low > 0
# :title: Fine-tuning changes the last blocks most, and preserves no more than any ViT shares
# First third minus last third of CKA before and after, mean over targets: {claim}`R21-27` on Scenes, {claim}`R21-27 @ cifar10` on CIFAR-10. Two ViTs of different seeds
# differ by depth as well, but by less. That the first third stays where it was says less than it seems to: low blocks of a ViT of another seed are at least as much like it
# (second part in the table, and the dotted lines of {numref}`fig-drift`).
# :::
#
# Analyses that disagree are all of one kind: the class token of the network that went to texture ({numref}`fig-panel-r21-27`).
#
# :::{finding} R21-28 direction holds; R21-28 beyond_control open; R21-28 @ cifar10 direction holds
# :title: The Mixer is nearer to the ViT, trained or not
# Matched depth, Mixer with ViT minus Mixer with ResNet: {claim}`R21-28` on Scenes, {claim}`R21-28 @ cifar10` on CIFAR-10. Untrained networks differ in the same direction.
# With a ViT that AdamW trained, hardly a difference is left
# ({numref}`fig-panel-r21-28`).
# :::
#
# The sentence in bold under {numref}`fig-alike` answers the last guess, and ties the two halves of the book together. It is a correlation, and no more: at any CKA, kappa varies widely.
#
# ### Why
#
# *Explanation.* Low blocks of ViTs mostly pass on what comes in ({ref}`sec-skips`), and what comes in is the same image. So they resemble those of any other ViT, before or
# after fine-tuning. The gradient of a new head reaches all blocks, but the last ones are those that the old answer was made in.
#
# *Explanation.* Mixer and ViT share patches and one stream at one resolution, and CKA at matched depth sees this before a single step of training. *Conjecture:* that an
# optimiser can close the gap says that it does not take another architecture to make another representation.
#
# ### The paper and we
#
# {cite:t}`raghu2021` find the first four or five of twelve blocks preserved whatever the target. Beside this comparison of before and after we
# put a network of another seed. In their Fig. H.1 the Mixer falls into two parts of which the second is the large one. In ours on Scenes the first half is alike in itself, and above it
# similarity follows the diagonal ({numref}`fig-mixer`); on CIFAR-10 it fades with distance, and no border is seen ({numref}`fig-recorded-mixer`). No claim of the ledger
# asks for this.
#
# ### What would change our mind
#
# Low blocks after fine-tuning that resemble those before by more than those of other seeds do, over several fine-tuned networks: then they would be preserved, and not just
# common. A Mixer that is nearer to the ResNet than to the ViT when all three are trained by AdamW: then what we call architecture would be one recipe. A second book's
# worth of networks, of other families, in which CKA and kappa do not go together: then our correlation would be one of shared recipes.
#
# ## What this tier cannot decide
#
# :::{admonition} Caveats of this chapter
# - One network was fine-tuned, so that intervals of that claim cover images only. How far a network moves depends on the rates and the length of fine-tuning. Ours was
#   short, at about a quarter of the rates of training. The paper's targets are photographs of
#   other kinds; ours, on Scenes, are partly other questions about the same kind of image.
# - The Mixer saw fewer images than the others, and three pairs of untrained networks scatter too widely to say surely whether training widens or narrows the difference.
# - Whether CKA and kappa go together was asked of networks of one book, most of them ViTs that share recipes, on one kind of damage. The level of noise was chosen after a
#   trial with plain scenes, cue conflict and stronger noise too. In all four the rank correlation
#   over all pairs was above 0, but its size differed, and among ViTs alone, given accuracies, it was not always surely so.
# :::
#
# ## Quiz
#
# :::{quiz} After fine-tuning, block 0 has a CKA close to 1 with itself before. Which number do you want beside it?
# - [ ] Its accuracy before. ~ A block has none.
# - [ ] The CKA of the last block. ~ It says that blocks differ, but not what such a value is worth.
# - [x] The CKA of block 0 with that of an independently trained network. ~ If that is close to 1 as well, nothing had to be preserved to get there.
# :::
#
# :::{quiz} A target moves the network hardly at all, and accuracy on the target stays at chance. What have we learned about fine-tuning?
# - [x] Little: the network did not arrive. ~ Drift can be read only together with what it achieved; the ledger asks for it as a precondition.
# - [ ] That the features were already right. ~ Then a new head alone would have reached a good accuracy.
# - [ ] That the target resembles the old task. ~ Chance says that the network does not know the target.
# :::
#
# :::{quiz} What do a Mixer's token-mixing weights and a convolution's have in common, and attention's not?
# - [ ] They reach the whole image. ~ A convolution of three by three does not.
# - [x] They are the same for every image. ~ Attention computes its weights from the image.
# - [ ] They are the same at every position. ~ True of the convolution; a Mixer has weights for every pair of positions.
# :::
#
# :::{quiz} Thirty networks make 435 pairs. Why are intervals drawn over networks?
# - [ ] 435 numbers are too many for a bootstrap. ~ A bootstrap has no upper limit.
# - [ ] Pairs cannot be drawn with replacement. ~ They could; it would be wrong for another reason.
# - [x] Each network is in 29 pairs, which rise and fall together. ~ Pairs taken as independent would give intervals that are far too narrow.
# :::
#
# :::{quiz} Two networks are right on 99 % of all images each. Why ask for kappa of their errors and not for their agreement?
# - [ ] Kappa is easier to compute. ~ It takes agreement, and then more.
# - [x] They agree on nearly all images by being good. ~ Kappa is agreement beyond what their accuracies bring about, and needs enough errors to be measured.
# - [ ] Agreement depends on the number of classes. ~ Being right or wrong has two outcomes, whatever the classes.
# :::
#
# ## Exercises
#
# :::{exercise} Warm-up: a rotated block (3 minutes)
# :label: ex-rotated
# Fine-tuning multiplies all features of a block by one orthogonal matrix. What is the CKA before and after?
# :::
#
# :::{solution} ex-rotated
# :class: dropdown
# 1: linear CKA does not change under rotations.
# :::
#
# :::{exercise} Code: drift seen from the new task (10 minutes)
# :label: ex-target-images
# Draw {numref}`fig-drift` on images of the new task (`data.target`). Do the curves fall faster?
# :::
#
# ::::{solution} ex-target-images
# :class: dropdown
# ```python
# from seelike import checks, data
#
# mine = {}
# for name in targets:
#     target = cards[name, first_seed].made.factors["target"]
#     new = data.target(target, tier, "test", 1024)
#     pair = {"before": before[f"vit_cls-{first_seed}"], "after": tuned[f"{name}-{first_seed}"]}
#     both = sweep(pair, new)
#     mine[target] = np.diag(both.block("before", "after"))
#     print(target, mine[target].round(2))
# checks.check_target_images(mine, tier, before, tuned, images)
# ```
#
# On Scenes hardly, where the new images are scenes as well. On the images of CIFAR-10 even the first blocks fall. Similarity is always similarity on some images.
# ::::
#
# :::{exercise} Code: errors of another kind (15 minutes)
# :label: ex-alike
# Ask {numref}`fig-alike` again with cue conflict (`scenes.cue_conflict`), where being right means naming the shape. Which rank correlation shrinks once accuracies are given, and why?
# :::
#
# ::::{solution} ex-alike
# :class: dropdown
# ```python
# from seelike import checks, data, scenes
#
# drawn = scenes.cue_conflict(1024, seed=14)
# conflict = data.Images(drawn.images, drawn.shape, scenes.SHAPES)
# named = [(evaluate.predict(m, conflict) == drawn.shape).numpy() for m in nets.values()]
# k, given = consistency.kappas(np.array(named)), alike.given_accuracy(np.mean(named, 1))
# mine = alike.agreement(seen, k), alike.agreement(seen, k, given)
# print(mine)
# checks.check_alike(mine, nets, seen)
# ```
#
# The one over all pairs. How often a network names the shape tells its family, and families see alike; taking accuracy out takes the family out as well.
# ::::
#
# :::{exercise} Open: freeze what stays (1 hour)
# :label: ex-freeze
# Freeze the blocks that stay alike and fine-tune the rest. What does it cost in accuracy, and what does it save in time?
# :::
#
# :::{solution} ex-freeze
# :class: dropdown
# Not run here. Freeze the first 0, 2, 4 and 6 blocks (`requires_grad_(False)`) and fine-tune to all three targets. The backward pass ends at the lowest block that learns,
# so time falls with every frozen block, the forward pass apart. Two rivals predict different costs: if low blocks matter little for the target, freezing them is free for
# all three; if they only *look* unchanged, the target with other images pays first.
# :::
