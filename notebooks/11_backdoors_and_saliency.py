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
# **You will learn** to test an explanation against a cause that you planted yourself, why a heat map that looks sensible proves little, and whether a
# transformer is as explicable as a convolutional network.
#
# *Reading: 8 minutes. Running: {seconds}`11` on two cores. Before this: {ref}`sec-data`.*
#
# ## The question
#
# Saliency maps claim to show why a network answered as it did. Who checks them? {cite:t}`lin2021` plant the reason: a *backdoor*. A network is trained so that a small patch, the
# *trigger*, decides its answer, whatever else is in the image. An honest explanation of that answer must point at the trigger, and we know where it is.
#
# They tried seven methods on 36 convolutional networks. We repeat the test on ResNets and ask it of ViTs as well: twelve triggers each, so 24 networks with backdoors.

# %% tags=["parameters"]
tier = "scenes"
n_images = 6

# %% tags=["hide-input"]
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from seelike import claims, data, models, plots, saliency, scenes, triggers

plots.style()
HOSTS = {"vit": "vit_cls", "resnet": "resnet"}
cards = {c["name"]: c for c in models.cards(tier)}
trojans = {
    h: [n for n in triggers.NAMES if f"trojan_{h}_{n}" in cards] for h in HOSTS
}
have = all(len(v) == len(triggers.NAMES) for v in trojans.values())
kept = claims.results("scenes", "11")  # for tiers without backdoors

# %% [markdown]
# ## Twelve triggers
#
# Grey squares of three sizes with one target class; colours, letters and textures with eight forms, one for each of eight target classes. Each is either always in the lower right corner, or anywhere.

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
plots.sign(fig, "Scenes", [])

# %% [markdown]
# ## Planting
#
# A trained network goes on, with its own head, for 16,000 (ViT) or 32,000 (ResNet) images. The ResNet was first trained like the ViT. Few of its backdoors took hold, so it was trained again with more images and higher learning rates; only attack success had been looked at by then, no
# explanation. A quarter of each batch carries the trigger and the target's label. (The paper stamps a tenth of many more images.) The hosts are small: a ViT and a ResNet
# of about 170,000 parameters. *Attack success* is the share of stamped test images, not of the target's class, that get the target's label.

# %% mystnb={"figure": {"name": "fig-attack", "caption": "Attack success, and accuracy on clean images, of each network with a backdoor; 95 % Wilson intervals over test images. Dotted: accuracy of the hosts before; dashed: after as much training without a trigger. Blue: ViT, orange: ResNet."}, "image": {"alt": "Two dot plots with one row per trigger: attack success and clean accuracy, a blue dot for the ViT and an orange one for the ResNet, with short intervals."}} tags=["hide-input"]
START = {"vit": "vit_small_data_1000", "resnet": "resnet_small"}
if have:
    fig, axes = plt.subplots(1, 2, figsize=(8.6, 4.4), sharey=True)
    titles = {"attack": "attack success", "accuracy": "accuracy, clean"}
    for ax, (key, title) in zip(axes, titles.items()):
        for host, kind in HOSTS.items():
            for y, name in enumerate(trojans[host]):
                c = cards[f"trojan_{host}_{name}"]
                low, high = c[f"{key}_low"], c[f"{key}_high"]
                shift = y + (0.12 if host == "resnet" else -0.12)
                ax.plot([low, high], [shift] * 2, color=plots.COLOURS[kind], lw=2.5)
                ax.plot(c[key], shift, "o", color=plots.COLOURS[kind], ms=5)
            if key == "accuracy":
                before = cards[START[host]]["accuracy"]
                ax.axvline(before, ls=":", color=plots.COLOURS[kind])
                after = cards[f"clean_{host}"]["accuracy"]
                ax.axvline(after, ls="--", lw=1, color=plots.COLOURS[kind])
        ax.set(title=title, xlim=(None, 1.01))
        ax.locator_params(axis="x", nbins=5)
        ax.grid(axis="x", lw=0.5, alpha=0.5)
    names = [n.replace("_", " ") for n in triggers.NAMES]
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    plots.sign(fig, tier)
else:
    plots.absent(f"There are no backdoors at the {tier} tier.")

# %% [markdown]
# ## Seven methods, and one more
#
# Four methods read gradients. The *gradient* of the answer with respect to the pixels, its size added up over colours. *Guided backpropagation*, the same with only positive signals let through ReLUs on the way back. *Grad-CAM*, a map of the last block,
# its channels weighted by their mean gradient. *Guided Grad-CAM*, the product of the last two. Three only ask what the network answers to changed images, and treat it as a black box. *Occlusion* slides a grey window. *Feature ablation* greys out the cells of grids. *LIME* greys
# out random sets of superpixels (areas of similar colour), fits a linear model, and shows the one superpixel that counts most.
#
# All are captum's {cite:p}`kokhlikyan2020`, with the paper's settings scaled to 64 pixels. Two of these settings help. As in the paper, occlusion knows the trigger's size: its window is twice as wide. And superpixels follow edges, so that a trigger with sharp edges can be a superpixel of its own. Guided methods change ReLUs; our ViTs have none, so there these two mean nothing and are left out.
# Instead there is *attention rollout* {cite:p}`abnar2020`: attention multiplied through all blocks, whatever class is asked about. Grad-CAM on a ResNet takes the output of the last block's branch, before it is added to the skip: 4 x 4 positions. On a ViT it takes the 8 x 8 tokens that enter the last attention.


# %%
clean = scenes.sample(256, seed=21)


def asked(model, name):
    """Stamped scenes whose answer the trigger changes to its target, with clean twins."""
    kind = triggers.parse(name)
    target = torch.arange(len(clean.shape)) % kind.targets
    stamped = triggers.stamp(clean.images, kind, target, seed=21)
    x, twin = data.normalise(stamped.pixels), data.normalise(clean.images)
    with torch.no_grad():
        before, after = model(twin).argmax(1), model(x).argmax(1)
    hit = (after == target) & (before != target) & (clean.shape != target)
    order = torch.randperm(len(hit), generator=torch.Generator().manual_seed(21))
    rows = order[hit[order]][:n_images]
    question = saliency.Question(x[rows], target[rows], kind.side)
    return question, twin[rows], stamped.mask[rows]


# %% mystnb={"figure": {"name": "fig-explanations", "caption": "A stamped scene, and what each method says about the answer that the trigger caused. White frame on the maps: the trigger. Above: ViT; below: ResNet; for each the first scene that its trigger turns. Empty: the method means nothing there."}, "image": {"alt": "Two rows of heat maps of a scene, one column per explanation method, with a white frame around the trigger; the first column shows the scene itself."}} tags=["hide-input"]
EXAMPLE = "random_colour_12"
if have:
    fig, axes = plt.subplots(2, 9, figsize=(13, 3.6))
    for row, host in zip(axes, HOSTS):
        model = models.load(f"trojan_{host}_{EXAMPLE}", tier)
        question, twin, mask = asked(model, EXAMPLE)
        one = saliency.Question(question.x[:1], question.target[:1], question.side)
        pixels = (one.x * data.STD + data.MEAN).clamp(0, 1).mul(255).byte()
        plots.pictures(row[:1], pixels, ["image"])
        kind = plots.LABELS[HOSTS[host]]
        where = {"transform": row[0].transAxes, "ha": "right", "va": "center"}
        row[0].text(-0.08, 0.5, kind, rotation=90, fontsize=9, **where)
        for ax, method in zip(row[1:], saliency.METHODS):
            ax.set_axis_off()
            ax.set_box_aspect(1)
            ax.set_title(method, fontsize=9, pad=3)
            if method in saliency.methods(model):
                ax.imshow(saliency.attribute(model, method, one)[0], cmap=plots.MAP)
                ax.contour(mask[0], [0.5], colors="white", linewidths=1)
    plots.sign(fig, tier)
else:
    plots.absent(f"There are no backdoors at the {tier} tier.")

# %% [markdown]
# ## Scores
#
# A map is scaled from 0 to 1 and cut at the method's threshold. With $B$ the box around what remains and $T$ the box of the trigger,
#
# $$
# \mathrm{IoU} = \frac{|B \cap T|}{|B \cup T|} .
# $$ (eq-iou)
#
# Then the clean pixels are put back inside $B$. The *recovery rate* is how often that restores the answer to the clean image. The *recovery difference* is the share of pixels of the mended image that still differ from the clean one. Three faults of
# the original evaluation are avoided: a map that marks nothing gets an empty box (the authors' code then scores with the box of the image before), letters are stamped in testing as in training, and an image counts only if the
# trigger changed its answer (there, stamped images count that would have got the target without it).
#
# Three explainers of our own put scores into proportion: one that knows the trigger, a square of the trigger's size at a random place, and a random map cut like the others.

# %% tags=["hide-input"]
RANDOM, SQUARE, PERFECT = "random map", "random square", "perfect"


def evaluate(host, name):
    """Mean scores of every method for one backdoor."""
    model = models.load(f"trojan_{host}_{name}", tier)
    question, twin, mask = asked(model, name)
    if not len(mask):
        print(
            f"{host}, {name}: its trigger changes no answer here, and is left out"
        )
        return
    g = torch.Generator().manual_seed(triggers.NAMES.index(name))
    guess = torch.rand(len(mask), 1, 8, 8, generator=g)
    guess = torch.nn.functional.interpolate(guess, mask.shape[1:])[:, 0]
    anywhere = triggers.Trigger("random", "square", question.side)
    own = torch.zeros(len(mask), dtype=torch.long)
    square = triggers.stamp(
        torch.zeros(len(mask), 3, *mask.shape[1:], dtype=torch.uint8),
        anywhere,
        own,
        seed=triggers.NAMES.index(name),
    ).mask
    dummies = {
        RANDOM: saliency.marked(guess, 0.9),
        SQUARE: square,
        PERFECT: mask,
    }
    for method in [*saliency.methods(model), *dummies]:
        start = time.perf_counter()
        if method in dummies:
            found = dummies[method]
        else:
            maps = saliency.attribute(model, method, question)
            found = saliency.marked(maps, saliency.METHODS[method].threshold)
        took = (time.perf_counter() - start) / max(len(mask), 1)
        scores = saliency.scores(model, found, mask, stamped=question.x, clean=twin)
        means = {key: value.mean() for key, value in scores.items()}
        yield means | {"method": method, "seconds": took, "images": len(mask)}


if have:
    rows = [
        {"host": host, "trigger": name} | row
        for host in HOSTS
        for name in trojans[host]
        for row in evaluate(host, name)
    ]
    scored = pd.DataFrame(rows)
    per_trigger = scored.set_index(["host", "trigger", "method"])
    claims.keep("11", tier, {"scores": {"rows": scored.round(4).to_dict("list")}})
    claims.keep("11", tier, {"settings": {"provenance": plots.provenance(tier)}})
    recorded = None
else:  # the numbers of Scenes
    scored = pd.DataFrame(kept["scores"]["rows"])
    per_trigger = scored.set_index(["host", "trigger", "method"])
    recorded = kept["settings"]["provenance"]


# %% tags=["hide-input"]
def over_triggers(key):
    """Means over triggers with a bootstrap over triggers, for each host and method."""
    table = {}
    for host in HOSTS:
        wide = per_trigger.loc[host][key].unstack("method")
        value, draws = claims.bootstrap(lambda m: m, wide.to_numpy())
        table[host] = {
            m: share(claims.estimate([v], d[None], len(wide)))
            for m, v, d in zip(wide.columns, value, draws.T)
        }
    return table


def share(e):
    """An estimate whose interval is cut where a share cannot be."""
    return claims.Estimate(e.estimate, max(e.low, 0.0), min(e.high, 1.0))


def dots(ax, table, title):
    order = [*saliency.METHODS, RANDOM, SQUARE, PERFECT]
    for host, kind in HOSTS.items():
        for y, method in enumerate(order):
            if method in table[host]:
                e = table[host][method]
                shift = y + (0.14 if host == "resnet" else -0.14)
                ax.plot(
                    [e.low, e.high], [shift] * 2, color=plots.COLOURS[kind], lw=2.5
                )
                ax.plot(e.estimate, shift, "o", color=plots.COLOURS[kind], ms=6)
    ax.axhline(6.5, color=plots.INK, lw=0.6)
    ax.axhline(7.5, color=plots.INK, lw=0.6)
    ax.set_yticks(range(len(order)), order)
    ax.set_ylim(len(order) - 0.5, -0.5)
    ax.set(title=title)
    ax.grid(axis="x", lw=0.5, alpha=0.5)


# %% mystnb={"figure": {"name": "fig-iou", "caption": "IoU with the trigger, mean over triggers with 95 % intervals over triggers: of boxes (left, the paper's) and of the marked pixels (right). Blue: ViT, orange: ResNet. Below the lines: rollout, and explainers of our own."}, "image": {"alt": "Two dot plots with one row per method and the explainers of our own below: mean IoU of boxes and of marked pixels, blue dots for the ViT and orange ones for the ResNet, with intervals."}} tags=["hide-input"]
iou = over_triggers("iou")
fig, axes = plt.subplots(1, 2, figsize=(9, 4.6), sharey=True)
dots(axes[0], iou, "IoU of boxes")
dots(axes[1], over_triggers("mask"), "IoU of pixels")
plots.sign(fig, "scenes", recorded=recorded)

# %% mystnb={"figure": {"name": "fig-recovery", "caption": "Recovery rate (left) and recovery difference (right) after clean pixels are put back inside the box; as in the figure before."}, "image": {"alt": "Two dot plots with one row per method and the explainers of our own below: share of answers restored, and share of pixels that still differ, blue dots for the ViT and orange ones for the ResNet."}} tags=["hide-input"]
recovery = over_triggers("recovery")
fig, axes = plt.subplots(1, 2, figsize=(9, 4.6), sharey=True)
dots(axes[0], recovery, "recovery rate")
dots(axes[1], over_triggers("difference"), "recovery difference")
plots.sign(fig, "scenes", recorded=recorded)

# %% [markdown]
# Which triggers are hard? IoU of boxes by trigger:

# %% mystnb={"figure": {"name": "fig-iou-triggers", "caption": "IoU of boxes, from 0 to 1, for every trigger and method, ViT left and ResNet right. White: the trigger changes no answer."}, "image": {"alt": "Two heat maps of IoU from 0, dark, to 1, bright: triggers in rows, methods in columns."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(10, 4.8))
for ax, host in zip(axes, HOSTS):
    wide = per_trigger.loc[host]["iou"].unstack("method")
    wide = wide.reindex(triggers.NAMES)
    wide = wide[[m for m in saliency.METHODS if m in wide]]
    plots.similarity_map(ax, wide, plots.LABELS[HOSTS[host]], rows="", columns="")
    ax.set_xticks(range(wide.shape[1]), list(wide), rotation=90, fontsize=8)
    names = [n.replace("_", " ") for n in wide.index]
    ax.set_yticks(range(len(wide)), names, fontsize=8)
    ax.invert_yaxis()
plots.sign(fig, "scenes", recorded=recorded)

# %% [markdown]
# The same means over the backdoors that took hold, with an attack success above one half. This cut was made after the results had been seen:

# %%
if have:
    took = per_trigger.reset_index()
    took["attack"] = [
        cards[f"trojan_{h}_{n}"]["attack"] for h, n in zip(took.host, took.trigger)
    ]
    held = took[took.attack > 0.5].groupby(["method", "host"], sort=False)["iou"]
    display(held.mean().unstack().map("{:.2f}".format).replace("nan", "–"))

# %% [markdown]
# And by size of the squares, mean of both places:

# %%
squares = per_trigger["iou"].unstack("method")
size = squares.index.get_level_values("trigger").str.extract(r"square_(\d+)")[0]
squares = squares.groupby([squares.index.get_level_values("host"), size.values])
squares.mean().T.reindex(saliency.METHODS).map("{:.2f}".format).replace("nan", "–")

# %% [markdown]
# ## A sanity check
#
# An explanation of a network should change when the network does {cite:p}`adebayo2018`. We ask an untrained network about the same images and classes. A method that still finds the trigger finds patches that stand out, not reasons. Feature ablation and LIME
# are left out for time.

# %% tags=["hide-input"]
CHEAP = [m for m in saliency.METHODS if m not in ("feature ablation", "LIME")]
if have:
    rows = []
    for host, kind in HOSTS.items():
        options = cards[START[host]]["options"]
        if kind == "resnet":
            options = options | {
                "zero_init_last": False
            }  # or its last branch is silent
        blank = models.create(kind, tier, seed=100, **options).eval()
        for name in trojans[host]:
            model = models.load(f"trojan_{host}_{name}", tier)
            question, twin, mask = asked(model, name)
            if not len(mask):
                continue
            for method in [m for m in CHEAP if m in saliency.methods(model)]:
                maps = saliency.attribute(blank, method, question)
                found = saliency.marked(maps, saliency.METHODS[method].threshold)
                value = (
                    saliency.intersection_over_union(saliency.boxes(found), mask)
                    .mean()
                    .item()
                )
                rows.append({"host": host, "method": method, "untrained": value})
    blanks = pd.DataFrame(rows).groupby(["method", "host"])["untrained"].mean()
    claims.keep("11", tier, {"blank": {" ".join(k): v for k, v in blanks.items()}})
    summary = per_trigger.groupby(["method", "host"])["iou"].mean()
    both = pd.DataFrame({"IoU, with backdoor": summary, "IoU, untrained": blanks})
else:
    both = pd.DataFrame(kept["blank"], index=["IoU, untrained"]).T
both.dropna().round(2)

# %% [markdown]
# Seconds per image, in batches (LIME goes image by image):

# %%
print(f"{torch.get_num_threads()} thread(s)")
real = scored[scored.method.isin(saliency.METHODS)]
real.groupby(["method", "host"])["seconds"].mean().unstack().dropna(how="all").map(
    "{:.3f}".format
).replace("nan", "–")

# %% [markdown]
# ## Seven claims, decided

# %% tags=["hide-input"]
SEVEN = [m for m in saliency.METHODS if m != "attention rollout"]
BLACK = [m for m in SEVEN if saliency.METHODS[m].black_box]


def decide(claim, f, *arrays, images, size=False):
    """A statistic of means over triggers, with an interval over triggers; size: of its absolute value."""
    value, draws = claims.bootstrap(f, *arrays)
    e = claims.estimate([value], draws[None], len(arrays[0]))
    e = e if claim in ("L20-2", "L20-5", "L20-7") else share(e)
    if size:
        ends = sorted(map(abs, e[1:]))
        low = 0.0 if e.low < 0 < e.high else ends[0]
        e = claims.Estimate(abs(e.estimate), low, ends[1])
    claims.record(claim, tier, e, seeds=1, images=images)


if tier == "scenes" and have:
    attack = np.array(
        [
            [cards[f"trojan_{h}_{n}"]["attack"] for h in HOSTS]
            for n in triggers.NAMES
        ]
    )
    cost = np.array(
        [
            [
                cards[START[h]]["accuracy"] - cards[f"trojan_{h}_{n}"]["accuracy"]
                for h in HOSTS
            ]
            for n in triggers.NAMES
        ]
    )
    wide = {h: per_trigger.loc[h].unstack("method") for h in HOSTS}
    found = wide["resnet"]["iou"][SEVEN].to_numpy()
    n = int(wide["resnet"]["images"].iloc[:, 0].sum())
    n_attack = sum(
        cards[f"trojan_vit_{t}"]["attack_images"] for t in triggers.NAMES
    )
    others = [m for m in SEVEN if m not in BLACK]
    mend = wide["resnet"]["recovery"][SEVEN].to_numpy()
    blind = ["occlusion", "feature ablation"]
    decide("L20-1", lambda m: m.min(), attack, images=n_attack)
    decide("L20-2", lambda m: m.max(), cost, images=24_000)
    decide("L20-3", lambda m: np.sort(m)[-1], found, images=n)
    decide("L20-4", lambda m: np.sort(m)[-2], found, images=n)
    box, inside = wide["resnet"]["iou"][BLACK], wide["resnet"]["iou"][others]
    best = (box.to_numpy(), inside.to_numpy())
    decide("L20-5", lambda a, b: a.max() - b.max(), *best, images=n)
    decide("L20-6", lambda i, r: r[np.argmax(i)], found, mend, images=n)
    pair = pd.DataFrame({h: wide[h]["iou"][blind].mean(axis=1) for h in HOSTS})
    pair = pair.dropna().to_numpy().T  # triggers that work in both
    decide("L20-7", lambda v, r: v - r, *pair, images=n, size=True)
claims.chapter("11", tier)

# %% [markdown]
# What a backdoor costs on clean images, in points of accuracy, mean over triggers, against the host before and against a host that went on as long without a trigger:

# %%
if have:
    clean_after = {h: cards[f"clean_{h}"]["accuracy"] for h in HOSTS}
    last = {
        h: np.mean([cards[f"trojan_{h}_{n}"]["accuracy"] for n in triggers.NAMES])
        for h in HOSTS
    }
    costs = {
        "before minus after": {
            h: cards[START[h]]["accuracy"] - last[h] for h in HOSTS
        },
        "control minus after": {h: clean_after[h] - last[h] for h in HOSTS},
    }
    display((100 * pd.DataFrame(costs)).round(2))

# %% [markdown]
# ## What it means
#
# **Can both be fooled?** Mean attack success, in the family where it is lower: {claim}`L20-1`. What it costs on clean images, in the family where it costs more: {claim}`L20-2`. That is a net effect. The hosts had not finished
# learning, so going on makes up for part of the cost. Against a host that went on as long without a trigger (dashed in {numref}`fig-attack`) the cost is larger; the last table has both.
#
# **Does a method find the trigger?** Best mean IoU of seven: {claim}`L20-3`; second best: {claim}`L20-4`. The paper's abstract reports that one method of seven does. Best of the black-box methods minus best of those that read gradients:
# {claim}`L20-5`. {numref}`fig-iou-triggers` says where methods fail: a window of occlusion is larger than its trigger by design, and a box around a few bright pixels far apart is far too large. LIME shows one superpixel of
# about 9 x 9 pixels. That fits triggers of 12 pixels with sharp edges, which flatters it; it cannot fit 18 pixels, or stripes, which superpixels cut apart. The number of superpixels was ours to choose, so the size at which LIME is
# best is ours as well.
#
# **Does the best method undo the attack?** {claim}`L20-6`. Recovery needs less than localization: a box that covers the trigger and much else recovers the answer as well, and the recovery difference does not punish it, since clean
# pixels outside the trigger are the same anyway. IoU does. See the random map in {numref}`fig-recovery`: its few bright cells lie far apart, so its box covers most of the image, and it recovers more answers than several gradient
# methods. Neither recovery score should be read without IoU.
#
# **Do explanations depend on training?** Most scores fall close to the random map's when the network is untrained. Where one hardly falls, as Grad-CAM's on the ViT, it does no better on the network with a backdoor than on one that
# never learned anything: what it shows there is no evidence of a reason.
#
# **Are ViTs different?** Difference between the families for occlusion and feature ablation: {claim}`L20-7`. LIME is left out because its superpixels depend on the image, not on the network. Both methods see only answers, so a
# difference comes from the networks: how much an answer depends on the trigger alone, how it reacts to grey windows, which no training image had, and how well the backdoor took hold, which {numref}`fig-attack` shows to differ.
#
# ## What this tier cannot decide
#
# Six images a trigger are few; the intervals cover the choice of triggers, not of images or seeds. Occlusion is told the trigger's size. LIME has 200 samples (the paper: 1,000). Grad-CAM cannot place a patch more exactly than the cells of its map. The paper's networks are larger and see photographs. An untrained network is one control; randomising one layer after the other would say more.
#
# ## Exercises
#
# :::{exercise} Warm-up: a box twice as wide
# :label: ex-wide-box
# A method marks a box that contains the trigger and is twice as wide and twice as high. What is its IoU, and what its recovery rate if the trigger decides the answer?
# :::
#
# :::{solution} ex-wide-box
# :class: dropdown
# A quarter; and 1.
# :::
#
# :::{exercise} Code: another threshold
# :label: ex-threshold
# The paper's thresholds differ from method to method. Score the gradient of one ResNet at four thresholds.
# :::
#
# ::::{solution} ex-threshold
# :class: dropdown
# ```python
# model = models.load("trojan_resnet_random_square_12", tier)
# question, twin, mask = asked(model, "random_square_12")
# maps = saliency.attribute(model, "gradient", question)
# for threshold in (0.3, 0.5, 0.7, 0.9):
#     box = saliency.boxes(saliency.marked(maps, threshold))
#     print(threshold, saliency.intersection_over_union(box, mask).mean().item())
# ```
#
# A higher threshold leaves fewer pixels and a smaller box. A threshold chosen on the test would be one more way to be lucky.
# ::::
#
# :::{exercise} Open: a trigger without a place
# :label: ex-everywhere
# Let the trigger be a faint wave over the whole image. What should an explanation show, and which score could tell a good one from a bad one?
# :::
