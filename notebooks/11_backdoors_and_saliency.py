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
# (sec-saliency)=
# # Backdoors and saliency
#
# **You will learn** to test an explanation against a cause that you planted yourself, why a heat map that looks sensible proves little, and how much of a
# ranking of methods is a choice of score.
#
# *Reading: 12 minutes. Running: {seconds}`11` on two cores. Before this: {ref}`sec-data`.*
#
# :::{finding} L20-1 direction holds; L20-3 direction holds; L20-3 summary holds in part; L20-4 direction holds; L20-5 direction open
# :title: What we found
# One method of seven, LIME, shows the whole trigger more often than not ({claim}`L20-3` of the images), as the paper says, though not under every score and setting; no other
# does. But to show all of the trigger is not to show nothing else: by overlap of boxes, its lead is small or gone. And whether methods that only watch answers beat those that
# read gradients hangs on the score: by boxes it stays open ({claim}`L20-5`).
# :::
#
# ## The question
#
# {term}`Saliency maps <saliency map>` claim to show why a network answered as it did. Who checks them? {cite:t}`lin2021` plant the reason: a {term}`backdoor`. A network is
# trained so that a small patch, the {term}`trigger`, decides its answer, whatever else is in the image. An honest explanation of that answer must point at the trigger, and we
# know where it is.
#
# They tried seven methods on 36 convolutional networks. Their abstract reports that six fail to show the whole trigger and one, a method that treats the network as a black box, succeeds.
# We repeat the test on ResNets and ask it of ViTs as well: twelve triggers each, so 24 networks with backdoors.

# %% tags=["parameters"]
n_images = 1

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from matplotlib.patches import Rectangle

from seelike import (
    backdoors,
    data,
    models,
    plots,
    project,
    saliency,
    scenes,
    triggers,
)
from seelike.backdoors import HOSTS, over_images, split
from seelike.cards import origin
from seelike.chapter import Chapter
from seelike.intervals import bounded, estimate, size

book = Chapter("11", project.DEFAULT)
book.seeds = [0]
cards = backdoors.planted(book.tier)  # trigger None: went on as long without one
study = backdoors.Study(book.tier)
before = {host: origin(cards[host, None]) for host in HOSTS}
FAMILY = backdoors.FAMILIES
INKS = {host: plots.COLOURS[kind] for host, kind in HOSTS.items()}

# %% [markdown]
# ## Twelve triggers
#
# Grey squares of three sizes with one target class; colours, letters and textures with eight forms, one for each of eight target classes. Each is either always in the lower right
# corner, or anywhere. The twelve are chosen, as the paper's were. All intervals below are therefore over images; they say nothing about other triggers.

# %% mystnb={"figure": {"name": "fig-triggers", "caption": "The twelve triggers, on one scene each. Above: fixed place; below: random place. Squares of 6, 12 and 18 pixels, then a colour, a letter and a texture of 12 pixels."}, "image": {"alt": "Two rows of six small scenes; each shows an object on a photograph with a small patch stamped on it: grey squares of growing size, a coloured square, a white letter on black, a striped square."}} tags=["hide-input"]
shown = scenes.sample(6, seed=41)
fig, axes = plt.subplots(2, 6, figsize=(9, 3.4))
for row, place in zip(axes, triggers.PLACES):
    for i, (ax, form) in enumerate(zip(row, triggers.FORMS)):
        kind = triggers.parse(f"{place}_{form}")
        target = torch.tensor([(i + 1) % kind.targets])
        image = triggers.stamp(shown.images[i : i + 1], kind, target, seed=i + 3)
        name = f"{place} {form.replace('_', ' ')}"
        plots.pictures([ax], image.pixels, [name])
book.sign(fig, [])

# %% [markdown]
# ## Planting
#
# A trained network goes on, with its own head, and a quarter of each batch carries the trigger and the target's label. *Attack success* is the share of stamped test images, not of the
# target's class, that get the target's label. By chance some get it without the trigger, and a patch may push a network towards a class that has never seen it in training: both are drawn, too.
#
# :::{admonition} How the backdoors were planted
# :class: dropdown
# The hosts are small: a ViT and a ResNet of about 170,000 parameters. The ViTs go on for 16,000 images, the ResNets for 32,000 and at higher learning rates. The ResNets were first trained like the
# ViTs, and few of their backdoors took hold; only attack success had been looked at when they were trained again, no explanation. The paper stamps a tenth of many more images, in AlexNet, VGG16 and
# ResNet50.
# :::

# %% mystnb={"figure": {"name": "fig-attack", "caption": "Left: attack success of each network with a backdoor (dot); how often the same images get the class without the trigger (ring), and with it from the host before planting (cross). Right: accuracy on clean images, with 95 % intervals over test images; dashed: after as much training without a trigger. Blue: ViT, orange: ResNet."}, "image": {"alt": "Two dot plots with one row per trigger. Left: most dots are near one and all rings and crosses near zero; a few dots, for small squares at random places and fixed small squares of the ResNet, are low. Right: accuracy of each network with a short interval, most of them left of the dashed line of their family."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(8.6, 4.8), sharey=True)
for host, ink in INKS.items():
    counts = {
        what: study.counts(host, what).sum(0)
        for what in ("asked", "hits", "without", "host")
    }
    at = np.arange(len(triggers.NAMES)) + (0.16 if host == "resnet" else -0.16)
    for what, mark, face in (
        ("hits", "o", ink),
        ("without", "o", "white"),
        ("host", "x", ink),
    ):
        share = counts[what] / counts["asked"]
        axes[0].plot(
            share,
            at,
            mark,
            color=ink,
            mfc=face,
            ms=5 if what == "hits" else 4,
            mew=1,
        )
    for y, name in zip(at, triggers.NAMES):
        card = cards[host, name]
        axes[1].plot(
            [card.accuracy_low, card.accuracy_high], [y] * 2, color=ink, lw=2.5
        )
        axes[1].plot(card.accuracy, y, "o", color=ink, ms=5)
    control = cards[host, None].accuracy
    axes[1].axvline(control, ls="--", lw=1.2, color=ink)
    axes[1].text(control, -0.75, FAMILY[host], color=ink, ha="center", fontsize=9)
axes[0].set(title="share that gets the class", xlim=(-0.03, 1.03))
axes[1].set_title("accuracy, clean", pad=16)
axes[1].locator_params(axis="x", nbins=5)
for ax in axes:
    ax.grid(axis="both", lw=0.5, alpha=0.4)
axes[0].set_yticks(
    range(len(triggers.NAMES)), [n.replace("_", " ") for n in triggers.NAMES]
)
axes[0].set_ylim(len(triggers.NAMES) - 0.4, -0.6)
book.sign(fig)

# %% [markdown]
# ## Seven methods, and one more
#
# $f_c$ is the score of the class asked about, $P_c$ its probability, $x$ the image. Each column of {numref}`fig-explanations` shows one of them at work.
#
# | method | the map, in one line | what may go wrong |
# |---|---|---|
# | gradient | $\lvert \partial f_c / \partial x \rvert$ | bright pixels are scattered, and one far away makes a large box |
# | guided backprop | the gradient, negative signals cut at every ReLU on the way back; sign kept | hardly depends on the class; needs ReLUs, so our ViTs have none |
# | Grad-CAM | $\sum_k \bar{g}_k A_k$: channels $A_k$ of the last map, each times its mean gradient; no ReLU | the map has 4 x 4 cells (ResNet) or 8 x 8 (ViT), a patch less than one |
# | guided Grad-CAM | product of the last two | inherits both faults |
# | occlusion | $f_c(x) - f_c(x \text{ with a grey window})$, mean over the windows that cover a pixel | knows the trigger's size $t$ (window $2t$, stride $t$), but not its place: a trigger across the grid of strides is cut |
# | feature ablation | the same with cells of grids 16, 8, 4 and 2 to a side, mean over grids | a trigger across several cells is divided among them |
# | LIME | weights of a linear model of $P_c$ over random sets of hidden superpixels; the largest one is marked | a superpixel that is larger, smaller or across the edge of the trigger |
# | attention rollout | $\prod_l \tfrac12 (A_l + I)$, the row of the class token | the same map for every class |
#
# The first six are captum's {cite:p}`kokhlikyan2020`, with the paper's settings scaled from 224 to 64 pixels. LIME is written after the authors' package, as the paper used it: quickshift superpixels (its distances
# scaled, too), 1,000 samples, the probability after softmax, ridge regression with a kernel on cosine distance ([Ribeiro et al. 2016](https://arxiv.org/abs/1602.04938)). Rollout {cite:p}`abnar2020` is not in the paper. As in
# the original, maps keep their signs and colours: a map is scaled from 0 to 1 over all pixels and channels, and a pixel is marked where one channel exceeds the method's threshold. Occlusion, feature ablation and LIME
# treat the network as a black box: they hide pixels behind grey, which hides little of a grey square.
#
# Grad-CAM on a ResNet reads what the last block adds to its skip, on a ViT the tokens that enter the last attention.

# %%
clean = study.pool()
networks = {
    key: models.load(card.name, book.tier, card.seed)
    for key, card in cards.items()
    if key[1]
}
attacks = {  # scenes whose answer the trigger changes to its target
    (host, name): backdoors.attack(model, clean, name, n_images, study.draw)
    for (host, name), model in networks.items()
}
live = {
    key: saliency.benchmark(model, attacks[key], triggers.NAMES.index(key[1]))
    for key, model in networks.items()
}

# %% mystnb={"figure": {"name": "fig-explanations", "caption": "A stamped scene and what each method says about the answer that the trigger caused. White: the trigger. Red: the box around what the method marks at its threshold, which is what the paper scores; above each map their intersection over union. First two rows: ViT; last two: ResNet; for each the first scene that this trigger turns."}, "image": {"alt": "A grid of a scene and heat maps of one explanation method each, with a white frame around the trigger and a red frame around what the method marks; some red frames are much larger than the white one, some much smaller or beside it."}} tags=["hide-input"]
EXAMPLE = "random_texture_12"


def framed(ax, box, colour, style):
    """The outline of a mask that is a rectangle."""
    rows, columns = box.any(1).nonzero().flatten(), box.any(0).nonzero().flatten()
    if len(rows):
        corner = (columns[0] - 0.5, rows[0] - 0.5)
        frame = Rectangle(corner, len(columns), len(rows), fill=False, ec=colour)
        frame.set(ls=style, lw=1.6)
        ax.add_patch(frame)


fig, axes = plt.subplots(4, 4, figsize=(7.2, 8))
for block, host in zip((axes[:2].ravel(), axes[2:].ravel()), HOSTS):
    attack, found = attacks[host, EXAMPLE], live[host, EXAMPLE]
    image = (attack.question.x[:1] * data.STD + data.MEAN).clamp(0, 1).mul(255)
    plots.pictures(block[:1], image.byte(), [f"{FAMILY[host]}: image"])
    for ax in block[1:]:
        ax.set_axis_off()
    for ax, method in zip(block[1:], saliency.methods(networks[host, EXAMPLE])):
        maps, threshold = found[method].maps, saliency.METHODS[method].threshold
        ax.imshow(maps[0], cmap=plots.MAP, vmin=0, vmax=1)
        framed(ax, attack.mask[0], "white", "-")
        box = saliency.boxes(saliency.marked(maps[:1], threshold))[0]
        framed(ax, box, "#ff5050", "--")
        ax.set_title(
            f"{method}: {found[method].scores['iou'][0]:.2f}", fontsize=8.5
        )
book.sign(fig)

# %% [markdown]
# ## Scores
#
# The paper draws a box $B$ around the marked pixels and compares it with the box $T$ of the trigger:
#
# $$
# \mathrm{IoU} = \frac{|B \cap T|}{|B \cup T|} .
# $$ (eq-iou)
#
# "Shows the whole trigger" is another question: does $B$ contain $T$? A box can be large and contain everything, so we also count how often the same box, put at a random place, would contain it.
# Then the clean pixels are put back inside $B$. The *recovery rate* is how often that restores the answer to the clean image, the *recovery difference* the share of pixels that still differ.
#
# Boxes depend on thresholds, and the paper's were chosen for other networks. Two scores need none. *Average precision* goes through the pixels in the order of the map and asks how many of those so far
# belong to the trigger. The *pointing game* asks whether the maximum lies on it.
#
# Three explainers of our own set the scale: one that knows the trigger, a square of the trigger's size at a random place, and a random map cut like the others.
#
# :::{admonition} Three faults of the original evaluation that are avoided here
# :class: dropdown
# A map that marks nothing gets an empty box (the authors' code then scores recovery with the box of the image before). Letters are stamped in testing as in training. An image counts only if the trigger
# changed its answer (there, stamped images count that would have got the target without it).
# :::
#
# The study takes a quarter of an hour of one core, so its numbers are recorded: 20 scenes for each of the 24 networks, by `python -m seelike.backdoors`. The cells above repeat
# the first of them, and should agree with the record:

# %% tags=["hide-input"]
rows = []
for (host, trigger), found in live.items():
    for method, each in found.items():
        was = study.values(host, "iou", [method], most=n_images)
        was = was[:, triggers.NAMES.index(trigger), 0]
        here = each.scores["iou"].mean()
        rows.append({"method": method, "here": here, "record": np.nanmean(was)})
agree = pd.DataFrame(rows).groupby("method", sort=False).mean()
scenes_live = sum(len(attack.mask) for attack in attacks.values())
print(
    f"IoU of boxes, mean over the same {scenes_live} scenes, here and in the record"
)
agree.T.style.format("{:.2f}")

# %% [markdown]
# :::{guess} Which shows the trigger better: a method that reads gradients inside the network, or one that only hides parts of the image and watches the answer?
# - The one that reads gradients: it sees how the answer is made
# - The one that hides parts: it sees what the answer needs
# - It depends on what one means by showing
# :::


# %% tags=["hide-input"]
def dots(ax, score, title, *, luck=None):
    """One row a method; below the lines rollout, and explainers of our own."""
    order = [*saliency.METHODS, *saliency.REFERENCES]
    for host, ink in INKS.items():
        asked = study.methods(host, order)
        chance = study.summary(host, luck, asked) if luck else {}
        for method, e in study.summary(host, score, asked).items():
            y = order.index(method) + (0.16 if host == "resnet" else -0.16)
            e = bounded(e)
            ax.plot([e.low, e.high], [y] * 2, color=ink, lw=2.2)
            ax.plot(e.estimate, y, "o", color=ink, ms=5)
            if method in chance:
                ax.plot(
                    chance[method].estimate, y, "|", color=plots.INK, ms=9, mew=1.5
                )
    for y in (6.5, 7.5):
        ax.axhline(y, color=plots.INK, lw=0.6)
    ax.set_yticks(range(len(order)), order, fontsize=9.5)
    ax.set(title=title, xlim=(-0.03, 1.03), ylim=(len(order) - 0.5, -0.5))
    ax.grid(axis="x", lw=0.5, alpha=0.5)


# %% mystnb={"figure": {"name": "fig-iou", "caption": "Four scores of the same maps, mean over the twelve triggers with 95 % intervals over images. Above, with the paper's thresholds: IoU of boxes, and how often the box holds the whole trigger (grey bars: the same box at a random place). Below, without a threshold: average precision and the pointing game. Blue: ViT, orange: ResNet. Under the lines: rollout, and explainers of our own."}, "image": {"alt": "Four dot plots with one row per method. LIME holds the whole trigger far more often than all others, but by IoU it is about level with occlusion and feature ablation on the ResNet. Feature ablation leads in average precision and in the pointing game. A random map holds the whole trigger often, as its box does at a random place."}} tags=["hide-input"]
fig, axes = plt.subplots(2, 2, figsize=(8.6, 8), sharey=True, sharex=True)
dots(axes[0, 0], "iou", "IoU of boxes")
dots(axes[0, 1], "whole", "whole trigger in the box", luck="luck")
dots(axes[1, 0], "precision", "average precision")
dots(axes[1, 1], "pointing", "pointing game")
book.sign(fig)

# %% [markdown]
# It depends on what one means by showing. LIME's box holds the whole trigger most often; feature ablation points at it best; by overlap of boxes, methods of both kinds are close together.

# %% tags=["hide-input"]
PAPERS = backdoors.PAPERS
NAMED = {"iou": "IoU of boxes", "whole": "the whole trigger in the box"}
NAMED |= {"precision": "average precision", "pointing": "the pointing game"}
lines = []
for score, title in NAMED.items():
    best = {}
    for host in HOSTS:
        means = study.summary(host, score, study.methods(host, PAPERS))
        order = sorted(means, key=lambda m: -means[m].estimate)[:2]
        said = [f"{m} ({means[m].estimate:.2f})" for m in order]
        best[host] = f"{FAMILY[host]} **{said[0]}**, then {said[1]}"
    lines.append(f"- By {title}: {'; '.join(best.values())}.")
display(Markdown("Who wins?\n\n" + "\n".join(lines)))

# %% mystnb={"figure": {"name": "fig-recovery", "caption": "Recovery rate (left) and recovery difference (right) after clean pixels are put back inside the box; as in the figure before."}, "image": {"alt": "Two dot plots with one row per method. The random map restores more answers than several of the methods; its recovery difference is no worse than theirs."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(8.6, 4.4), sharey=True)
dots(axes[0], "recovery", "recovery rate")
dots(axes[1], "difference", "recovery difference")
axes[1].autoscale(axis="x")
book.sign(fig)

# %% [markdown]
# :::{explore} explanations
# :::

# %% [markdown]
# Recovery needs less than localization. A box that covers the trigger and much else recovers the answer as well, and the recovery difference does not punish it, since clean pixels outside the trigger are the
# same anyway. The random map shows it: its few bright cells lie far apart, so its box covers most of the image. Neither recovery score should be read without IoU.
#
# :::{guess} Which triggers are hard to show?
# - Grey squares, for methods that hide pixels behind grey
# - Textures, for methods that mark superpixels
# - Those whose backdoor hardly took hold, for every method
# :::

# %% mystnb={"figure": {"name": "fig-iou-triggers", "caption": "IoU of boxes for every trigger and method; above ViT, below ResNet. Dark: 0; bright: high."}, "image": {"alt": "Two tables of IoU as heat maps, triggers in rows and methods in columns, each cell with its number."}} tags=["hide-input"]
fig, axes = plt.subplots(2, 1, figsize=(6.8, 9.4))
for ax, host in zip(axes, HOSTS):
    asked = study.methods(host, saliency.METHODS)
    table = study.by_trigger(host, "iou", asked)
    ax.imshow(table, cmap=plots.MAP, vmin=0, vmax=0.9, aspect="auto")
    for (y, x), value in np.ndenumerate(table):
        ink = "black" if value > 0.5 else "white"
        ax.text(
            x, y, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=8
        )
    columns = [m.replace(" ", "\n", 1) for m in asked]
    ax.set_xticks(range(len(asked)), columns, fontsize=8)
    names = [n.replace("_", " ") for n in triggers.NAMES]
    ax.set_yticks(range(len(names)), names, fontsize=8.5)
    ax.set_title(FAMILY[host], pad=4)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
book.sign(fig)

# %% [markdown]
# Neither grey nor texture makes a clear difference; the smallest square does where its backdoor hardly took hold. The ViT's at a random place and the ResNet's in the corner are
# found by no method. In the corner the ViT did learn it, and there methods find it as well as other triggers.
#
# ## A sanity check
#
# An explanation of a network should change when the network does {cite:p}`adebayo2018`. We make the layers of a network random, one after the other from the last to the first, and ask what becomes of its maps. A
# method whose maps stay as they were describes the image, not the network. Feature ablation and LIME are left out for time.

# %% tags=["hide-input"]
QUICK = [m for m in saliency.METHODS if m not in ("feature ablation", "LIME")]
PROBED = [name for name in triggers.NAMES if name.startswith("random")]
rows = []
for host, kind in HOSTS.items():
    options = dict(cards[host, None].options)
    if host == "resnet":
        options["zero_init_last"] = False  # or its last branch is silent
    fresh = models.create(kind, book.tier, seed=models.CONTROL, **options).eval()
    for name in PROBED:
        attack, intact = attacks[host, name], live[host, name]
        steps = (
            saliency.cascade(networks[host, name], fresh)
            if len(attack.mask)
            else ()
        )
        for depth, (group, changed) in enumerate(steps):
            for method in [m for m in QUICK if m in saliency.methods(changed)]:
                maps = saliency.attribute(changed, method, attack.question)
                box = saliency.boxes(
                    saliency.marked(maps, saliency.METHODS[method].threshold)
                )
                rows.append(
                    {
                        "host": host, "method": method, "depth": depth, "group": group,
                        "similarity": saliency.rank_similarity(maps, intact[method].maps),
                        "iou": saliency.intersection_over_union(box, attack.mask).mean().item(),
                    }
                )  # fmt: skip
cascade = pd.DataFrame(rows).groupby(
    ["host", "method", "depth", "group"], sort=False
)
cascade = cascade[["similarity", "iou"]].mean().reset_index()
book.keep(
    blank={
        f"{r.method} {r.host}": r.iou
        for r in cascade[cascade.group == "stem"].itertuples()
    }
)

# %% mystnb={"figure": {"name": "fig-cascade", "caption": "Rank correlation of each method's map with its map of the intact network, when layers from the last (left) to the first (right) are random; mean over the six triggers at random places, the same scenes throughout. Left: ViT, right: ResNet. Near 1: the map does not mind."}, "image": {"alt": "Two line plots with one line per method, from one at the left downwards. Occlusion and Grad-CAM fall to about zero when the head alone is random, the gradient falls part of the way; attention rollout and guided backpropagation stay near one until most layers are random."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(8.6, 3.9), sharey=True)
inks = dict(zip(QUICK, plt.get_cmap("tab10").colors))
for ax, host in zip(axes, HOSTS):
    part = cascade[cascade.host == host]
    for method, line in part.groupby("method", sort=False):
        ax.plot(
            line.depth, line.similarity, "o-", color=inks[method], ms=3.5, lw=1.5
        )
    ticks = part.drop_duplicates("depth")
    names = ticks.group.str.replace("blocks.", "block ").str.replace(
        "layer", "stage "
    )
    ax.set_xticks(ticks.depth, names, rotation=90, fontsize=8)
    ax.axhline(0, color=plots.INK, lw=0.6, ls=":")
    ax.set(title=FAMILY[host], xlabel="random from the head down to")
axes[0].set_ylabel("rank correlation with\nthe intact network's map")
lines = [plt.Line2D([], [], color=ink, marker="o", ms=4) for ink in inks.values()]
fig.legend(lines, inks, loc="outside upper center", ncols=3, fontsize=9)
book.sign(fig)

# %% [markdown]
# ## How sure are we?
#
# A method that is chosen because it did best will do worse on other images. So the best method is chosen on one half of the images and judged on the other, then the other way round.


# %%
def asked(score, host="resnet", methods=backdoors.PAPERS):
    return study.values(host, score, study.methods(host, methods))


whole = asked("whole")
winner = split(backdoors.of_winner, whole, whole)
luck = split(backdoors.of_winner, whole, asked("luck"))
second = split(backdoors.runner_up, whole)
more = asked("recovery") - asked("recovery", methods=["random map"])
mended = split(backdoors.of_winner, whole, more)  # on the same images

# %% tags=["hide-input"]
GRADIENT = [m for m in backdoors.PAPERS if m not in backdoors.BLACK_BOX]
fixed = {
    "seeds": len(triggers.NAMES),
    "over": "images; the twelve triggers are fixed",
}
lifts = backdoors.lifts(study)
stamped = backdoors.lifts(
    study, "host"
)  # the same patches on networks that never learned them
tests = int(study.counts("vit", "asked").sum(0).max())
first = next(iter(lifts))
book.record(
    "L20-1",
    {name: bounded(estimate([each]), -1, 1) for name, each in lifts.items()},
    beyond=estimate([lifts[first].minus(stamped[first])]),
    images=tests,
    **fixed,
)
costs = {
    family: backdoors.cost(
        [cards[host, None].share], [cards[host, t].share for t in triggers.NAMES]
    )
    for host, family in FAMILY.items()
}
alone = "networks and images; one network without a trigger in each family"
told = {"seeds": len(triggers.NAMES), "over": alone}
book.record("L20-2", costs, images=cards["vit", None].test_images, **told)

fixed["images"] = int(np.isfinite(whole[:, :, 0]).sum())
beyond = estimate([winner.minus(luck)])
book.record("L20-3", estimate([winner]), beyond=beyond, **fixed)
book.record("L20-4", estimate([second]), **fixed)
leads = {}
for score in ("iou", "precision"):
    both = [
        asked(score, methods=group) for group in (backdoors.BLACK_BOX, GRADIENT)
    ]
    leads["IoU of boxes" if score == "iou" else "average precision"] = estimate(
        [split(backdoors.ahead, *both)]
    )
book.record("L20-5", leads, **fixed)
book.record("L20-6", estimate([mended]), **fixed)

same = backdoors.matched(book.tier)
pair = [study.values(h, "iou", backdoors.BLIND)[:, same] for h in ("resnet", "vit")]
fixed["images"] = int(np.isfinite(pair[0][:, :, 0]).sum())
difference = estimate([over_images(backdoors.between, *pair)])
gap = size(estimate([backdoors.success_gap(study, same)]))
book.record("L20-7", difference, testable=gap, **fixed)
book.table()

# %% [markdown]
# Are ViTs different? The last claim compares the families on the triggers whose success is about the same in both, by the two methods whose maps depend on nothing but the network's answers. By other scores the
# answer need not be the same:

# %% tags=["hide-input"]
rows = {}
for score in ("iou", "whole", "precision", "pointing"):
    both = [
        study.values(h, score, backdoors.BLIND)[:, same] for h in ("resnet", "vit")
    ]
    e = estimate([over_images(backdoors.between, *both)])
    rows[NAMED[score]] = f"{e.estimate:.2f} [{e.low:.2f}, {e.high:.2f}]"
pd.Series(rows, name="ResNet minus ViT").to_frame()

# %% [markdown]
# How much hangs on details of a method? On the ResNets, IoU of boxes of each method and of variants that a careful author might have taken for it, on the same images; on all triggers, and on grey squares alone, which
# grey can hardly hide:

# %% tags=["hide-input"]
KINDS = {
    "guided backprop": ["guided backprop, absolute"],
    "guided Grad-CAM": ["guided Grad-CAM, absolute"],
    "occlusion": ["occlusion, blur"],
    "feature ablation": ["feature ablation, blur"],
    "LIME": ["LIME, blur", "LIME, SLIC", "LIME, SLIC, blur"],
}
order = [name for method, variants in KINDS.items() for name in [method, *variants]]
few = study.values("resnet", "iou", order, most=backdoors.PANEL_IMAGES)
grey = [i for i, name in enumerate(triggers.NAMES) if "square" in name]
columns = {"all triggers": few, "grey squares": few[:, grey]}
means = {k: over_images(lambda m: m, v).value for k, v in columns.items()}
pd.DataFrame(means, index=order).style.format("{:.2f}")

# %% [markdown]
# What else might a careful author have done? Another score, another baseline to hide pixels behind, maps without their sign, the other family, another LIME, thresholds of our own choice:

# %% mystnb={"figure": {"name": "fig-panel-l20-3", "caption": "How often the best method shows the whole trigger, in every analysis. Dotted: half of the images. Band: the published number with its interval. Below: the choices."}, "image": {"alt": "A specification curve: sorted dots with intervals, and below them a grid that marks the choices behind each. The rows of the score divide the curve."}} tags=["hide-input"]
book.panel("L20-3")

# %% mystnb={"figure": {"name": "fig-panel-l20-5", "caption": "Best black-box method minus best method that reads gradients, in every analysis. Dotted: no difference. Band: the published number with its interval. Below: the choices."}, "image": {"alt": "A specification curve: sorted dots with intervals, and below them a grid that marks the choices behind each. The scores divide the curve: leads are largest by average precision, smallest by IoU at the paper's thresholds and by the pointing game."}} tags=["hide-input"]
book.panel("L20-5")

# %% [markdown]
# What it costs, in seconds per image when the study was recorded:

# %%
cost = {
    FAMILY[host]: {
        m: study.seconds(host, m) for m in study.methods(host, saliency.METHODS)
    }
    for host in HOSTS
}
pd.DataFrame(cost).map("{:.3f}".format).replace("nan", "–")

# %% [markdown]
# ## What it means
#
# :::{finding} L20-1 direction holds; L20-2 direction open
# **A backdoor takes hold in either family.** The share of stamped images that get the class, beyond those that get it anyway, mean over triggers in the ViTs: {claim}`L20-1`. The
# mean hides failures: the smallest grey square took hold in a minority of images at a random place, and on the ResNet not even in the corner ({numref}`fig-attack`). Whether it
# costs accuracy on clean images is open: {claim}`L20-2` in the ViTs, with one network without a trigger in each family to compare with.
# :::
#
# :::{finding} L20-3 direction holds; L20-3 beyond_control yes; L20-3 summary holds in part; L20-4 direction holds; L20-6 direction holds
# **One method shows the whole trigger, and it is LIME.** Share of images in which its box holds all of it: {claim}`L20-3`; of the second best: {claim}`L20-4`. A box of that size
# at a random place would hardly ever do. Putting clean pixels back where it points undoes the attack more often than where a random map points, {claim}`L20-6`, and that is the
# yardstick, since a random map undoes most attacks.
# :::
#
# LIME shows more than the trigger, though: a superpixel is as large as it is. If the best method is chosen by IoU and not by wholeness, then with the paper's LIME another method
# is chosen on the ResNets, and its boxes mostly miss a part of the trigger ({numref}`fig-panel-l20-3`). Another kind of superpixels changes LIME's IoU more than most methods
# differ.
#
# :::{finding} L20-5 direction open
# **Black-box methods are ahead without a threshold; by boxes it is open.** Best black-box method minus best of those that read gradients, by IoU of boxes: {claim}`L20-5`. Four
# methods of both kinds lie close together there, and the kind of LIME or the baseline decides ({numref}`fig-panel-l20-5`). By average precision the lead is large, and feature
# ablation has it: it points at the trigger, but does not show all of it. Which method wins is a question of what an explanation is for.
# :::
#
# :::{finding} L20-7 direction holds; L20-7 testable yes
# **Hiding parts of the image finds a trigger better in a ResNet than in a ViT of the same attack success**, by IoU: {claim}`L20-7`. By the pointing game it is the other way
# round, by less. Both methods see only answers, so the difference comes from the networks.
# :::
#
# **A map can look right and know nothing of the network.** Guided backpropagation hardly changes until nearly all layers are random, gradients keep most of their order, and
# attention rollout does not see the head at all: its maps are the same for every class ({numref}`fig-cascade`). Occlusion and Grad-CAM change as soon as the head does.
#
# **Why?** Guided backpropagation cuts negative signals at every ReLU, and what is left traces edges of the image more than paths to a class; {cite:t}`adebayo2018` set such maps
# beside those of an edge detector. Why a trigger is easier to find in a ResNet we can only guess: its answer may depend on the trigger alone, and the ViT's also on what
# surrounds it; or ViTs react more to grey windows, which no training image had.
#
# **The paper** tried no transformers, and scores boxes only. Its main result, that one black-box method succeeds where six fail, is found here as well, and so is a reason for
# caution: with a score that has no threshold, the method that wins is another one.
#
# **What would change our mind?** The same study with new triggers, several networks for each, and larger images, in which superpixels are small beside the trigger: if LIME's
# boxes no longer held the trigger more often than not, or fitted it best, its success here would be one of proportions.
# :::{admonition} What this tier cannot decide
# :class: warning
# One network for each trigger and family, and one control without a trigger: the luck of training is in no interval but that of L20-2. Occlusion is told the trigger's size. A superpixel is about 9 pixels wide here on average, less than most triggers; the paper's networks see larger images, in which superpixels and triggers stand in another proportion. Grad-CAM cannot place a patch more exactly than the cells of its map.
# :::
#
# ## Quiz
#
# :::{quiz} A heat map lies neatly on the object. The layers of the network are made random, and the map stays as it was. What does it describe?
# - [x] The image. ~ Whatever does not change with the network cannot be about the network.
# - [ ] What all networks of this kind have in common. ~ Random layers share no knowledge of objects.
# - [ ] What the network looks at. ~ There is no longer a network that has learned anything.
# :::
#
# :::{quiz} A method draws a box around the whole image. Which score does it do badly on?
# - [ ] Recovery rate. ~ All pixels are put back, so the answer always recovers.
# - [x] IoU. ~ The union is the whole image, the intersection a small trigger.
# - [ ] Whether the box holds the whole trigger. ~ It always does.
# :::
#
# :::{quiz} Why is the best method chosen on one half of the images and judged on the other?
# - [ ] To have more images. ~ It has fewer in each half.
# - [ ] Because the network was trained on one half. ~ It was trained on none of them.
# - [x] The best of several is partly the luckiest. ~ On the images on which it was chosen, its score is too high on average; on others it is not.
# :::
#
# :::{quiz} A stamped image gets the trigger's class, and would have got it without the trigger. Why does it not count?
# - [x] The trigger is not the reason for the answer. ~ An honest explanation need not point at something that changed nothing.
# - [ ] Methods fail on such images. ~ Whether they do cannot be judged, because the truth is unknown.
# - [ ] The network is wrong about it. ~ That may be; it is not the reason.
# :::
#
# :::{quiz} Attention rollout gives one map for an image. What can it not answer?
# - [ ] How attention of several layers adds up. ~ This is what it multiplies out.
# - [x] Why this class and no other. ~ The class does not enter its formula.
# - [ ] Which patches the class token draws upon. ~ This is what it tries to say.
# :::
#
# ## Exercises
#
# :::{exercise} Warm-up: a box twice as wide (5 minutes)
# :label: ex-wide-box
# A method marks a box that contains the trigger and is twice as wide and twice as high. What is its IoU, and what its recovery rate if the trigger decides the answer?
# :::
#
# :::{solution} ex-wide-box
# :class: dropdown
# A quarter; and 1.
# :::
#
# :::{exercise} Code: with its sign, and without (15 minutes)
# :label: ex-threshold
# The first edition of this book took the absolute value of guided backpropagation before it cut the map at 0.8; the authors keep the sign. Does it matter? Compare the boxes of both, at several thresholds.
# :::
#
# ::::{solution} ex-threshold
# :class: dropdown
# ```python
# from seelike import checks
#
# scored = {}
# for method in ("guided backprop", "guided backprop, absolute"):
#     for threshold in (0.6, 0.7, 0.8, 0.9):
#         found = []
#         for name in triggers.NAMES:
#             attack = attacks["resnet", name]
#             maps = saliency.attribute(networks["resnet", name], method, attack.question)
#             box = saliency.boxes(saliency.marked(maps, threshold))
#             found.append(saliency.intersection_over_union(box, attack.mask).mean())
#         scored[method, threshold] = torch.stack(found).mean().item()
#         print(method, threshold, scored[method, threshold])
# mine = [score for (_, threshold), score in scored.items() if threshold == 0.8]
# checks.check_threshold(mine, attacks, networks)
# ```
#
# With its sign, zero lies in the middle of the scale, and a threshold of 0.8 asks for a clearly positive signal. Without, the same number asks for a share of the largest signal of either sign: a different question under the same
# name. A threshold chosen on the test would be one more way to be lucky.
# ::::
#
# :::{exercise} Open: a trigger without a place (30 minutes)
# :label: ex-everywhere
# Let the trigger be a faint wave over the whole image. What should an explanation show, and which score could tell a good one from a bad one?
# :::
#
# :::{solution} ex-everywhere
# :class: dropdown
# Every pixel belongs to the trigger, so a good map is even, and boxes, IoU and the pointing game cannot tell it from an empty one. What can be scored is whether the map says
# what the wave is: take the wave out of the part that the map ranks highest, then of more and more, and see how soon the answer turns back; compare with pixels taken in random
# order.
# :::
