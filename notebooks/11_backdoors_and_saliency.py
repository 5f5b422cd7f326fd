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
n_images = 6

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from seelike import data, models, plots, project, saliency, scenes, triggers
from seelike.cards import origin
from seelike.chapter import Chapter
from seelike.intervals import bootstrap, bounded, estimate, size

book = Chapter("11", project.DEFAULT)
book.seeds = [0]
HOSTS = {"vit": "vit_cls", "resnet": "resnet"}
cards = {  # None: went on as long without a trigger
    (card.made.factors["host"], card.made.factors["trigger"]): card
    for card in models.cards(book.tier, study="trojans").values()
    if card.seed in book.seeds
}
before = {host: origin(cards[host, None]) for host in HOSTS}

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
book.sign(fig, [])

# %% [markdown]
# ## Planting
#
# A trained network goes on, with its own head, for 16,000 (ViT) or 32,000 (ResNet) images. The ResNet was first trained like the ViT. Few of its backdoors took hold, so it was trained again with more images and higher learning rates; only attack success had been looked at by then, no
# explanation. A quarter of each batch carries the trigger and the target's label. (The paper stamps a tenth of many more images.) The hosts are small: a ViT and a ResNet
# of about 170,000 parameters. *Attack success* is the share of stamped test images, not of the target's class, that get the target's label.

# %% mystnb={"figure": {"name": "fig-attack", "caption": "Attack success, and accuracy on clean images, of each network with a backdoor; 95 % Wilson intervals over test images. Dotted: accuracy of the hosts before; dashed: after as much training without a trigger. Blue: ViT, orange: ResNet."}, "image": {"alt": "Two dot plots with one row per trigger: attack success and clean accuracy, a blue dot for the ViT and an orange one for the ResNet, with short intervals."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(8.6, 4.4), sharey=True)
titles = {"attack": "attack success", "accuracy": "accuracy, clean"}
for ax, (key, title) in zip(axes, titles.items()):
    for host, kind in HOSTS.items():
        for y, name in enumerate(triggers.NAMES):
            c = cards[host, name].model_dump()
            low, high = c[f"{key}_low"], c[f"{key}_high"]
            shift = y + (0.12 if host == "resnet" else -0.12)
            ax.plot([low, high], [shift] * 2, color=plots.COLOURS[kind], lw=2.5)
            ax.plot(c[key], shift, "o", color=plots.COLOURS[kind], ms=5)
        if key == "accuracy":
            ax.axvline(before[host].accuracy, ls=":", color=plots.COLOURS[kind])
            after = cards[host, None].accuracy
            ax.axvline(after, ls="--", lw=1, color=plots.COLOURS[kind])
    ax.set(title=title, xlim=(None, 1.01))
    ax.locator_params(axis="x", nbins=5)
    ax.grid(axis="x", lw=0.5, alpha=0.5)
names = [n.replace("_", " ") for n in triggers.NAMES]
axes[0].set_yticks(range(len(names)), names)
axes[0].invert_yaxis()
book.sign(fig)

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
networks = {
    (host, name): models.load(card.name, book.tier, card.seed)
    for (host, name), card in cards.items()
    if name
}
attacks = {}  # stamped scenes whose answer the trigger changes to its target
for (host, name), model in networks.items():
    asked = (model, clean.images, clean.shape, triggers.parse(name))
    attack = saliency.turned(*asked, most=n_images, seed=21)
    if not len(attack.mask):
        print(f"{host}, {name}: its trigger changes no answer and is left out")
    attacks[host, name] = attack

# %% mystnb={"figure": {"name": "fig-explanations", "caption": "A stamped scene, and what each method says about the answer that the trigger caused. White frame on the maps: the trigger. Above: ViT; below: ResNet; for each the first scene that its trigger turns. Empty: the method means nothing there."}, "image": {"alt": "Two rows of heat maps of a scene, one column per explanation method, with a white frame around the trigger; the first column shows the scene itself."}} tags=["hide-input"]
EXAMPLE = "random_colour_12"
fig, axes = plt.subplots(2, 9, figsize=(13, 3.6))
for row, host in zip(axes, HOSTS):
    model, (question, _, mask) = networks[host, EXAMPLE], attacks[host, EXAMPLE]
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
book.sign(fig)

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
rows = [
    {"host": host, "trigger": name} | row
    for host in HOSTS
    for i, name in enumerate(triggers.NAMES)
    for row in saliency.benchmark(networks[host, name], attacks[host, name], seed=i)
]
scored = pd.DataFrame(rows)
per_trigger = scored.set_index(["host", "trigger", "method"])
wide = {host: per_trigger.loc[host].unstack("method") for host in HOSTS}
book.keep(scores={"rows": scored.round(4).to_dict("list")})


# %% tags=["hide-input"]
def over_triggers(key):
    """Means over triggers with a bootstrap over triggers, for each host and method."""
    return {
        host: {
            method: bounded(estimate([bootstrap(lambda m: m, values.to_numpy())]))
            for method, values in wide[host][key].items()
        }
        for host in HOSTS
    }


def dots(ax, table, title):
    order = [*saliency.METHODS, *saliency.REFERENCES]
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
book.sign(fig)

# %% mystnb={"figure": {"name": "fig-recovery", "caption": "Recovery rate (left) and recovery difference (right) after clean pixels are put back inside the box; as in the figure before."}, "image": {"alt": "Two dot plots with one row per method and the explainers of our own below: share of answers restored, and share of pixels that still differ, blue dots for the ViT and orange ones for the ResNet."}} tags=["hide-input"]
recovery = over_triggers("recovery")
fig, axes = plt.subplots(1, 2, figsize=(9, 4.6), sharey=True)
dots(axes[0], recovery, "recovery rate")
dots(axes[1], over_triggers("difference"), "recovery difference")
book.sign(fig)

# %% [markdown]
# Which triggers are hard? IoU of boxes by trigger:

# %% mystnb={"figure": {"name": "fig-iou-triggers", "caption": "IoU of boxes, from 0 to 1, for every trigger and method, ViT left and ResNet right. White: the trigger changes no answer."}, "image": {"alt": "Two heat maps of IoU from 0, dark, to 1, bright: triggers in rows, methods in columns."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(10, 4.8))
for ax, host in zip(axes, HOSTS):
    table = wide[host]["iou"].reindex(triggers.NAMES)
    table = table[[m for m in saliency.METHODS if m in table]]
    plots.similarity_map(ax, table, plots.LABELS[HOSTS[host]], rows="", columns="")
    ax.set_xticks(range(table.shape[1]), list(table), rotation=90, fontsize=8)
    names = [n.replace("_", " ") for n in table.index]
    ax.set_yticks(range(len(table)), names, fontsize=8)
    ax.invert_yaxis()
book.sign(fig)

# %% [markdown]
# The same means over the backdoors that took hold, with an attack success above one half. This cut was made after the results had been seen:

# %%
took = per_trigger.reset_index()
took["attack"] = [cards[key].attack for key in zip(took.host, took.trigger)]
held = took[took.attack > 0.5].groupby(["method", "host"], sort=False)["iou"]
held.mean().unstack().map("{:.2f}".format).replace("nan", "–")

# %% [markdown]
# And by size of the squares, mean of both places:

# %%
squares = per_trigger["iou"].unstack("method")
side = squares.index.get_level_values("trigger").str.extract(r"square_(\d+)")[0]
squares = squares.groupby([squares.index.get_level_values("host"), side.values])
squares.mean().T.reindex(saliency.METHODS).map("{:.2f}".format).replace("nan", "–")

# %% [markdown]
# ## A sanity check
#
# An explanation of a network should change when the network does {cite:p}`adebayo2018`. We ask an untrained network about the same images and classes. A method that still finds the trigger finds patches that stand out, not reasons. Feature ablation and LIME
# are left out for time.

# %% tags=["hide-input"]
CHEAP = [m for m in saliency.METHODS if m not in ("feature ablation", "LIME")]
rows = []
for host, kind in HOSTS.items():
    options = dict(cards[host, None].options)
    if host == "resnet":
        options["zero_init_last"] = False  # or its last branch is silent
    blank = models.create(kind, book.tier, seed=models.CONTROL, **options).eval()
    methods = [m for m in CHEAP if m in saliency.methods(blank)]
    for name in triggers.NAMES:
        question, _, mask = attacks[host, name]
        for method in methods if len(mask) else []:
            box = saliency.boxes(saliency.explanation(blank, method, question))
            value = saliency.intersection_over_union(box, mask).mean().item()
            rows.append({"host": host, "method": method, "untrained": value})
blanks = pd.DataFrame(rows).groupby(["method", "host"])["untrained"].mean()
book.keep(blank={" ".join(k): v for k, v in blanks.items()})
summary = per_trigger.groupby(["method", "host"])["iou"].mean()
both = pd.DataFrame({"IoU, with backdoor": summary, "IoU, untrained": blanks})
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
others = [m for m in SEVEN if m not in BLACK]


def mean_of(key, methods, host="resnet"):
    return wide[host][key][methods].to_numpy()


backdoors = [[cards[host, name] for host in HOSTS] for name in triggers.NAMES]
attack = np.array([[card.attack for card in row] for row in backdoors])
cost = np.array(
    [[origin(c).accuracy - c.accuracy for c in row] for row in backdoors]
)
found, mended = mean_of("iou", SEVEN), mean_of("recovery", SEVEN)
n = int(wide["resnet"]["images"].iloc[:, 0].sum())
n_attack, n_clean = (
    sum(getattr(vit, images) for vit, _ in backdoors)
    for images in ("attack_images", "test_images")
)
shares = {
    "L20-1": (bootstrap(np.min, attack), n_attack),
    "L20-3": (bootstrap(np.max, found), n),
    "L20-4": (bootstrap(saliency.runner_up, found), n),
    "L20-6": (bootstrap(saliency.of_best, found, mended), n),
}
for claim, (statistic, images) in shares.items():
    book.record(claim, bounded(estimate([statistic])), seeds=1, images=images)
book.decide("L20-2", [bootstrap(np.max, cost)], images=n_clean)
best = (mean_of("iou", BLACK), mean_of("iou", others))
ahead = bootstrap(lambda a, b: a.max() - b.max(), *best)
book.decide("L20-5", [ahead], images=n)
blind = ["occlusion", "feature ablation"]
pair = pd.DataFrame({h: wide[h]["iou"][blind].mean(axis=1) for h in HOSTS})
pair = pair.dropna().to_numpy().T  # triggers that work in both
families = bootstrap(lambda v, r: v - r, *pair)
book.record("L20-7", size(estimate([families])), seeds=1, images=n)
book.table()

# %% [markdown]
# What a backdoor costs on clean images, in points of accuracy, mean over triggers, against the host before and against a host that went on as long without a trigger:

# %%
last = {
    host: np.mean([cards[host, name].accuracy for name in triggers.NAMES])
    for host in HOSTS
}
costs = {
    "before minus after": {h: before[h].accuracy - last[h] for h in HOSTS},
    "control minus after": {h: cards[h, None].accuracy - last[h] for h in HOSTS},
}
(100 * pd.DataFrame(costs)).round(2)

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
# key = ("resnet", "random_square_12")
# question, _, mask = attacks[key]
# maps = saliency.attribute(networks[key], "gradient", question)
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
