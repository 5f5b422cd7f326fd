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
# (sec-cka)=
# # Comparing representations: CKA
#
# **You will learn** to compute centred kernel alignment ({term}`CKA`) from its definition, to choose an estimator that can be
# trusted on small batches, to recognise three ways in which published code gets it wrong, and two in which a right CKA misleads.
#
# *Reading: 12 minutes. Running: {seconds}`02` on two cores. Before this: {ref}`sec-data`.*
#
# ## What we found
#
# CKA asks whether two layers take the same images to be alike. Its usual estimator answers *yes* for unrelated layers as soon as features are many and images few; one that compares no
# image with itself does not ({numref}`fig-bias`). Even a right estimate must be read with care: a network can keep its function to the last digit and lose its CKA with itself, and two far-off images can make unrelated
# layers look the same ({numref}`fig-misleads`).
#
# ## The question
#
# A layer of a ViT describes an image with 65 tokens of 96 numbers; a layer of a ResNet with a feature map of
# $32 \times 32 \times 16$. No number of one corresponds to a number of the other. What can be compared is
# what the two layers say about *pairs of images*: which images does a layer take to be alike?

# %% tags=["parameters"]
tier = "scenes"

# %% tags=["hide-input"]
import json
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch

from seelike import capture, models, plots, probes, project
from seelike.chapter import Chapter
from seelike.cka import CKA, cka, gram
from seelike.similarity import mutual_neighbours, procrustes

book = Chapter("02", tier)

# %% [markdown]
# ## The definition
#
# Let $X \in \mathbb{R}^{n \times p}$ and $Y \in \mathbb{R}^{n \times q}$ hold the responses of two layers to the
# same $n$ images, one image a row. The Gram matrices $K = XX^\top$ and $L = YY^\top$ are both $n \times n$: entry
# $(i, j)$ says how alike a layer takes images $i$ and $j$ to be. The Hilbert–Schmidt independence criterion
# measures how far the two matrices vary together, after the mean over images is removed, and CKA {cite:p}`kornblith2019`
# normalises it:
#
# $$
# \mathrm{CKA}(K, L) = \frac{\mathrm{HSIC}(K, L)}{\sqrt{\mathrm{HSIC}(K, K)\,\mathrm{HSIC}(L, L)}} .
# $$ (eq-cka)
#
# It does not change when features are rotated, rescaled as a whole, or shifted. For HSIC there are two estimators.
#
# The common one centres both matrices, with $H = I - \tfrac{1}{n} \mathbf 1 \mathbf 1^\top$, and takes their inner product:
# $\mathrm{HSIC}_0 = \operatorname{tr}(KHLH)/(n-1)^2$. It is biased: on average it is too large. The other {cite:p}`song2012` is unbiased: its
# average over samples is the true value. (The ratio CKA is then no longer exactly unbiased, but nearly so.)
# With $\tilde K, \tilde L$ the matrices with zeroed diagonals,
#
# $$
# \mathrm{HSIC}_1 = \frac{1}{n(n-3)} \left[ \operatorname{tr}(\tilde K \tilde L)
#   + \frac{\mathbf 1^\top \tilde K \mathbf 1 \, \mathbf 1^\top \tilde L \mathbf 1}{(n-1)(n-2)}
#   - \frac{2}{n-2} \mathbf 1^\top \tilde K \tilde L \mathbf 1 \right] .
# $$ (eq-hsic)
#
# Written down as it stands, it is four lines:


# %%
def hsic(k, l):
    """The unbiased HSIC, term by term, in float64."""
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))
    cross = k.sum() * l.sum() / ((n - 1) * (n - 2))
    return (np.trace(k @ l) + cross - 2 / (n - 2) * k.sum(0) @ l.sum(1)) / (
        n * (n - 3)
    )


def from_definition(x, y):
    x, y = (a - a.mean(0) for a in (x, y))
    k, l = x @ x.T, y @ y.T
    return hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))


rng = np.random.default_rng(0)
x = rng.normal(size=(64, 200))
y = x[:, :100] @ rng.normal(size=(100, 50)) + 5 * rng.normal(size=(64, 50))
pd.Series(
    {
        "from the definition": from_definition(x, y),
        "seelike.cka": cka(torch.tensor(x), torch.tensor(y)).item(),
    }
).to_frame("CKA")

# %% [markdown]
# ## An estimator laboratory
#
# ### How many images does one need?
#
# Take two layers that have *nothing* to do with each other: independent random numbers. Their CKA is 0. The plot
# below shows what both estimators say, with more and more features per image.
#
# :::{guess} With sixteen features per image, what does the biased estimator say of unrelated layers?
# - About 0, with some scatter.
# - A quarter.
# - Nearly 1.
# :::


# %% tags=["hide-input"]
def independent(n, features, unbiased, draws=40):
    g = torch.Generator().manual_seed(100_000 * n + features)
    pairs = [torch.randn(2, n, features, generator=g) for _ in range(draws)]
    return [cka(a, b, unbiased=unbiased).item() for a, b in pairs]


grid = [
    {
        "images in the batch": n,
        "features / images": ratio,
        "estimator": name,
        "CKA": value,
    }
    for n in (16, 64, 256)
    for ratio in (0.25, 0.5, 1, 2, 4, 8, 16)
    for name, unbiased in (("biased", False), ("unbiased", True))
    for value in independent(n, int(n * ratio), unbiased)
]
grid = pd.DataFrame(grid)
biased = grid[grid.estimator == "biased"].groupby("features / images").CKA.mean()
book.keep(bias={f"{r:g}": biased[r] for r in (1, 4, 16)})

# %% mystnb={"figure": {"name": "fig-bias", "caption": "The biased estimator mistakes many features for similarity. Two unrelated representations; the truth is 0. What counts is features per image: even with four images per feature (left end) the bias is plain. Bands: the middle 95 % of 40 draws."}, "image": {"alt": "Line plot of CKA between unrelated random representations against the number of features per image. The biased estimate climbs from about 0.2 towards 1; the unbiased one scatters around 0 with a band that narrows with batch size."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 3.9))
sns.lineplot(
    grid, x="features / images", y="CKA", hue="estimator", style="images in the batch",
    errorbar=("pi", 95), palette=[plots.COLOURS["resnet"], plots.COLOURS["vit_cls"]], ax=ax,
)  # fmt: skip
ax.axhline(0, color=plots.INK, lw=1)
ax.set_xscale("log", base=2)
ax.set_xticks([0.25, 1, 4, 16], ["1/4", "1", "4", "16"])
sns.move_legend(ax, "center left", bbox_to_anchor=(1, 0.5))
book.sign(fig, [])

# %% [markdown]
# :::{explore} estimator
# :::

# %% [markdown]
# More features than images is the usual case. An early layer of our ResNet has $16\,384$ features, and our batches hold 128 images.
#
# ### Which average?
#
# Gram matrices of ten thousand images, for every layer of two networks, do not fit into memory, so HSIC is summed over minibatches
# {cite:p}`nguyen2021`. In theory the order matters: the ratio of sums is a consistent estimate of {eq}`eq-cka`, the mean of the
# batches' ratios is not, because a ratio of noisy numbers is not centred on the ratio of their means. In the table below, see which weighs more, the order or the estimator. Here are two
# layers of trained networks, with the same 1,024 images cut into batches of different size.

# %%
images = book.images(1024, seed=2)


def responses(model):
    """A block at five eighths of the depth, and what it says of every image."""
    blocks = capture.layers(model)
    layer = blocks[5 * len(blocks) // 8]
    return layer, probes.features(model, [layer], images, capture.flat)[0][layer]


cast = book.cast("vit_cls", "resnet")
shown = {name: cast[name] for name in book.shown(cast, "vit_cls", "resnet")}
found = book.measured(responses, shown)
pairs = list(combinations(found.values(), 2))

# %% [markdown]
# With the Gram matrices of each batch in hand, each of the four estimates is a line.


# %%
def estimates(n):
    """Four estimates of one CKA, from batches of n images."""
    whole = len(a) // n * n
    batches = list(zip(a[:whole].split(n), b[:whole].split(n)))
    sums, ratios = {}, {}
    for name in ("unbiased", "biased"):
        total, each = CKA(["a", "b"], unbiased=name == "unbiased"), []
        for p, q in batches:
            total.update({"a": gram(p), "b": gram(q)})
            each.append(cka(p, q, unbiased=name == "unbiased").item())
        sums[f"{name}, ratio of sums"] = total.compute().loc["a", "b"]
        ratios[f"{name}, mean of ratios"] = np.mean(each)
    return sums | ratios


# %%
# needs: any pairs
(layer_a, a), (layer_b, b) = pairs[0]
sizes = [n for n in (8, 16, 32, 64, 128, 256, 512, 1024) if n <= len(a)]
by_batch = pd.DataFrame({n: estimates(n) for n in sizes}).T
book.keep(minibatch={str(n): row.to_dict() for n, row in by_batch.iterrows()})
by_batch.round(4).rename_axis("batch size")

# %% mystnb={"figure": {"name": "fig-minibatch", "caption": "Four estimates of one CKA from the same images, cut into batches of different size. An estimate that can be trusted does not depend on how the images were cut: the unbiased ones scatter a little with the cut, the biased ones climb as batches shrink."}, "image": {"alt": "Line plot of CKA between one ViT layer and one ResNet layer against batch size, 8 to 1024 on a logarithmic axis, with four lines: ratio of sums and mean of ratios, each biased and unbiased. The table above holds the same numbers."}} tags=["hide-input"]
# needs: any pairs
fig, ax = plt.subplots(figsize=(6.4, 3.7))
for (name, values), colour, marker in zip(
    by_batch.items(), sns.color_palette("colorblind"), "osD^"
):
    ax.plot(values.index, values, marker=marker, color=colour, label=name)
ax.set(
    xscale="log",
    xlabel="images in a batch",
    ylabel=f"CKA, {layer_a} and {layer_b}",
)
ax.set_xticks(by_batch.index, by_batch.index)
ax.minorticks_off()
ax.legend()
book.sign(fig, [int(next(iter(shown)).rpartition("-")[2])])

# %% [markdown]
# ## Three misconceptions, executed
#
# ### "CKA ignores the mean, so the code need not"
#
# The *quantity* does not depend on the mean of the features. Its float32 computation does: when the mean is large, the
# Gram matrix holds the mean's square, and the differences between images drown in rounding. Nothing stops a trained
# network from having such channels. Keeping the rest of the formula in float64 only delays the damage.
#
# Subtracting one vector from every row changes nothing in the definition. If that vector is close to the mean, it also
# removes the large numbers before they are squared. The first image's features will do.


# %%
def careless(x, y, precision):
    """Gram matrices of the raw float32 features; the rest of the formula in the given precision."""
    k, l = ((v @ v.T).numpy().astype(precision) for v in (x, y))
    with np.errstate(all="ignore"):
        return float(hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l)))


g = torch.Generator().manual_seed(0)
u = torch.randn(64, 256, generator=g)
w = u @ torch.randn(256, 256, generator=g) / 16 + 0.5 * torch.randn(
    64, 256, generator=g
)

# %%
offsets = pd.DataFrame([
    {"mean / spread": m, "all float32": careless(u + m, w + m, "f4"), "float32 Gram": careless(u + m, w + m, "f8"), "seelike.cka": cka(u + m, w + m).item()}
    for m in (0, 10, 100, 1_000, 10_000)
]).set_index("mean / spread")  # fmt: skip
offsets.round(4)

# %% tags=["hide-input"]
numbers = {
    str(m): {k: v if np.isfinite(v) else str(v) for k, v in row.items()}
    for m, row in offsets.iterrows()
}
book.keep(
    offset={
        m: {"seelike.cka": row.pop("seelike.cka")} for m, row in numbers.items()
    },
    machine_dependent={"offset": numbers},
)

# %% [markdown]
# `inf` and `NaN` stand where rounding has made the similarity of a layer with itself zero or negative. The first two columns depend on the machine,
# which may add in another order: yours can give other numbers there, and a replay of this book does not compare them.
#
# ### "A similarity cannot be negative, so clamp it"
#
# If the truth is 0 and the average of the estimates is to be 0, then some estimates must be negative. Clamping them at 0
# removes the negative ones and keeps the positive ones. The average is then too high, and unrelated layers look a little alike.

# %%
unrelated = np.array(independent(32, 64, True, draws=400))
clamped = pd.Series(
    {
        "mean": unrelated.mean(),
        "mean, clamped at 0": unrelated.clip(0).mean(),
        "share below 0": (unrelated < 0).mean(),
    }
)
book.keep(clamp=clamped.to_dict())
clamped.round(4).to_frame("independent data, n = 32")

# %% [markdown]
# ### "Tokens are examples too"
#
# An image has 64 patch tokens. If each is a row, 64 images give four thousand rows, and the sample looks large. But these rows
# differ by *where* a token is, as well as by what it shows. Position is the same in every image. The test is a null: compare a layer of the trained ViT with *itself,
# looking at other images*. Nothing is shared, so the answer should be 0.


# %%
# needs: vit_cls
vit = models.load("vit_cls", book.tier)
few = book.images(64, seed=2)
seen = probes.features(vit, capture.layers(vit)[::2], few, capture.patches)[0]
as_tokens = {}
for layer, here in seen.items():
    there = here.roll(1, 0)  # every image meets the next one
    as_tokens[layer] = {
        "images as examples": cka(here.flatten(1), there.flatten(1)).item(),
        "tokens as examples": cka(here.flatten(0, 1), there.flatten(0, 1)).item(),
    }
book.keep(tokens=as_tokens)
pd.DataFrame(as_tokens).T.round(3).rename_axis(
    "a layer against itself on other images"
)

# %% [markdown]
# The images are unrelated, but the positions are the same. A value well above 0 in the second column is therefore the similarity
# of positions, not of images.
#
# (sec-misleads)=
# ## When a correct CKA misleads
#
# An estimate can be right and still answer another question than ours. CKA weighs images and directions by their squares, so that few of either can decide it
# {cite:p}`ding2021,nguyen2022`. Two experiments show how far this goes.
#
# **The same function, another CKA.** A classifier reads its 96 numbers through ten weight vectors. A direction that is orthogonal to all ten is invisible to it. Move a tenth of the
# images along such a direction, as {cite:t}`davari2023` do: every logit stays what it was, so the network does exactly the same. What does CKA say of the representation before and after?
#
# :::{guess} A tenth of the images move by eight times the spread of the representation, where the classifier cannot see it. The CKA of before and after is
# - close to 1: the network computes the same.
# - close to a half: nine tenths of the images did not move.
# - close to 0.
# :::

# %%
SHIFTS = (0.5, 1, 2, 4, 8, 16, 32)
MEASURES = {
    "CKA": cka,
    "Procrustes": procrustes,
    "mutual neighbours": mutual_neighbours,
}

# %%
# needs: vit_cls, zoo
found, _ = probes.features(vit, ["norm"], images, capture.cls)
seen = found["norm"].double()  # what the head reads
read = vit.head.weight.detach().double()
unseen = torch.linalg.svd(read).Vh[-1]  # orthogonal to the head's rows
spread = seen.std(0).norm()
rows, change = {}, 0.0
for t in SHIFTS:
    moved = seen.clone()
    moved[: len(moved) // 10] += t * spread * unseen
    rows[t] = {name: float(f(seen, moved)) for name, f in MEASURES.items()}
    change = max(change, ((moved - seen) @ read.T).abs().max().item())
same_function = pd.DataFrame(rows).T.rename_axis("shift / spread")
print(f"largest change of a logit at any shift: {change:.0e}")

# %% [markdown]
# **Unrelated, but alike.** Take two representations that have nothing to do with each other, and move one image, or two, far away in both, as an overexposed photograph or an image with
# a large white border might lie. Everything else stays unrelated.

# %%
g = torch.Generator().manual_seed(0)
one, other = torch.randn(2, 1024, 96, generator=g).double()


def with_outliers(k, t, unbiased):
    """CKA of unrelated data after k images moved by t spreads in both."""
    a, b = one.clone(), other.clone()
    a[:k, 0] += t * 96**0.5
    b[:k, 0] += t * 96**0.5
    return cka(a, b, unbiased=unbiased).item()


outliers = {
    (name, k): {t: with_outliers(k, t, name == "unbiased") for t in SHIFTS}
    for name in ("biased", "unbiased")
    for k in (1, 2)
}

# %% mystnb={"figure": {"name": "fig-misleads", "caption": "Left: a tenth of the images move where the classifier cannot see it; the network's answers do not change, its CKA with itself does. Right: two unrelated representations of 1,024 images, of which one or two move away in both."}, "image": {"alt": "Two line plots against the shift in units of the spread, on a logarithmic axis. Left: CKA and Procrustes similarity of the representation before and after fall from 1 towards 0, while the share of mutual neighbours stays nearly level. Right: CKA of unrelated data. With one outlier the biased estimate rises to 1 and the unbiased one stays at 0; with two outliers both rise to 1."}} tags=["hide-input"]
# needs: vit_cls, zoo
fig, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.9), sharey=True)
inks = dict(
    zip(MEASURES, (plots.COLOURS["vit_cls"], plots.COLOURS["vit_gap"], plots.INK))
)
for name, values in same_function.items():
    left.plot(values, "o-", color=inks[name], label=name)
for (name, k), values in outliers.items():
    colour = plots.COLOURS["resnet" if name == "biased" else "vit_cls"]
    right.plot(
        list(values),
        list(values.values()),
        "o-" if k == 1 else "s--",
        color=colour,
        label=f"{name}, {k} image{'s' * (k > 1)}",
    )
left.set(title="one function, two representations", ylabel="similarity")
right.set(title="no relation but the outliers", ylabel="CKA")
for ax in (left, right):
    ax.set_xscale("log", base=2)
    ax.set_xticks(
        [0.5, 1, 2, 4, 8, 16, 32], ["1/2", "1", "2", "4", "8", "16", "32"]
    )
    ax.set(xlabel="shift / spread", ylim=(-0.04, 1.04))
    ax.legend(fontsize=9, loc="center left" if ax is right else "lower left")
book.keep(
    misleads={
        "same function": same_function.to_dict(),
        "logits change": change < 1e-9,
    }
)
book.sign(fig, [0])

# %% [markdown]
# The first answer is a statement about directions: CKA cannot know which of them the network uses. Nearest neighbours, which do not square, hardly notice. The second is one about
# images. The unbiased estimator never compares an image with itself, so that one outlier alone cannot make two layers alike; with two of them, the pair decides. So this book looks at every
# main finding with Procrustes similarity and mutual neighbours as well ({ref}`sec-scorecard`), and with other images, and tells where they part.
#
# ## What it costs
#
# `seelike.cka` takes the Gram matrix inside the hook, so that it holds no activations; subtracts the first row; and
# does the rest in float64, for all pairs of layers at once. The table, recorded once, compares it with other PyTorch packages on the same
# activations of an untrained ResNet-18 and ViT-Ti, for 256 random images in batches of 64 (`benchmarks/cka.py`; one thread, forward passes not counted, error against a float64
# loop over pairs). *End to end / reference* is time with forward passes, over that of forward passes and plain Gram products timed apart: values near 1 mean that hardly anything is added, and values below 1 show how far two such timings differ.

# %% tags=["hide-input"]
bench = json.loads((project.PUBLISHED / "benchmarks" / "cka.json").read_text())
pd.DataFrame(bench["replay"]).set_index("package").rename(
    columns={"end to end / floor": "end to end / reference"}
)

# %% [markdown]
# A package with a time below 1 is faster than `seelike`, which makes one more pass over the activations to subtract the first row. That is why its error is
# smaller. It also keeps the sums of every batch, for an interval on every cell. The last table is the same comparison when every feature is shifted by 100 times its spread:

# %% tags=["hide-input"]
pd.Series(bench["offset"]).to_frame("CKA, features shifted")

# %% [markdown]
# ## What it means
#
# Use the unbiased {term}`HSIC`, sum it over batches, and divide once. Subtract a vector before the {term}`Gram matrix`. Do not clamp. One image is
# one example. Every map in this book follows these rules.
#
# Why the bias arises: every image is like itself in any two layers, and the biased estimator counts these comparisons, which lie on the diagonals of the Gram matrices, as agreement. With more features the rest of
# such a matrix shrinks against its diagonal, and the diagonal is all that is left.
#
# {cite:t}`raghu2021` estimate HSIC without bias, over minibatches, as we do. What would change our mind about CKA itself: findings of this book that turn round under Procrustes similarity or mutual neighbours.
# The panels of chapters 3 and 12 ask for that ({numref}`fig-panel-r21-1`).
#
# ## What this tier cannot decide
#
# The bias and the rounding shown here do not depend on the images; how large offsets are in the networks that you use
# does. We have not measured them at the imagenet tier.
#
# ## Quiz
#
# :::{quiz} Two layers have different numbers of features. Why can CKA compare them at all?
# - [ ] It pads the smaller one with zeros. ~ Nothing is padded; features of the two layers never meet.
# - [x] It compares two matrices of images by images. ~ Both Gram matrices have as many rows as there are images, whatever the features.
# - [ ] It fits a linear map from one to the other. ~ That is linear regression, another measure, which is not symmetric.
# :::
#
# :::{quiz} All features of one layer are multiplied by three. What happens to its CKA with another layer?
# - [x] Nothing. ~ The norm in the denominator grows by the same factor.
# - [ ] It grows threefold. ~ HSIC does; CKA divides by it.
# - [ ] It may change, because three is not a rotation. ~ A common scale cancels. Scaling *single* features would change it.
# :::
#
# :::{quiz} A paper reports a CKA of .6 between an early layer with 16,384 features and another, from one batch of 64 images, with the usual estimator. What do you ask first?
# - [ ] Whether the images were shuffled. ~ Order matters little within one batch.
# - [ ] Whether the features were normalised. ~ A common scale and a shift of each feature make no difference to the true value.
# - [x] What the same code says of unrelated layers of this size. ~ With 256 features per image the biased estimate of *unrelated* layers is near 1.
# :::
#
# :::{quiz} An unbiased estimate of CKA comes out as -.02. What does it say?
# - [ ] That the code is wrong. ~ An estimator whose mean is 0 must sometimes fall below 0.
# - [ ] That the layers are opposites. ~ Similarities of images cannot be opposite over all images: the true value is never below 0.
# - [x] That it cannot be told from 0 here. ~ Report it as it is: clamping it would bias the mean.
# :::
#
# :::{quiz} After fine-tuning, CKA between a layer before and after is .3. Has the layer's use to the classifier changed?
# - [ ] Yes: most of it. ~ In {numref}`fig-misleads` CKA falls further than that, and no logit moves.
# - [ ] No. ~ It may have; CKA alone does not say.
# - [x] It cannot be told from this number. ~ CKA weighs directions by variance, the classifier by its weights.
# :::
#
# ## Exercises
#
# :::{exercise} Warm-up: four images (5 minutes)
# :label: ex-four
# Why does {eq}`eq-hsic` need at least four images? What does `cka(torch.tensor(x[:3]), torch.tensor(y[:3]))` say?
# :::
#
# :::{solution} ex-four
# :class: dropdown
# The factor $n(n-3)$ is 0 at $n = 3$: after removing the diagonal and fitting one mean per row and column, three images
# leave no degree of freedom. `cka` raises a `ValueError` that says so.
# :::
#
# :::{exercise} Code: the same bias, from the formula (15 minutes)
# :label: ex-bias
# For independent Gaussian data the biased estimate is close to $1/\sqrt{(1 + n/p)(1 + n/q)}$ when $n$, $p$ and $q$ are large. Draw
# this curve into {numref}`fig-bias`. Where does the approximation fail?
# :::
#
# ::::{solution} ex-bias
# :class: dropdown
# ```python
# from seelike import checks
#
#
# def mine(n, p, q):
#     return 1 / np.sqrt((1 + n / p) * (1 + n / q))
#
#
# checks.check_bias(mine)
# ratios = 2.0 ** np.arange(-2, 5)
# means = grid[grid.estimator == "biased"].pivot_table(
#     index="features / images", columns="images in the batch", values="CKA"
# )
# print(means.sub(mine(1, ratios, ratios), axis=0).round(3))
# ```
#
# With $p = q$ the root is $1/(1 + n/p)$. The differences shrink as batches grow: with 16 images neither $n$ nor $p$ is large, and the mean of a ratio is not the ratio of means.
# ::::
#
# :::{exercise} Open: a better null (30 minutes)
# :label: ex-null
# Shuffling images makes two layers independent but keeps each layer's spectrum. Which similarities between two
# layers would you want a null to keep, and how would you construct it?
# :::
#
# :::{solution} ex-null
# :class: dropdown
# It depends on the claim. To say that two layers are alike beyond what the class of an image explains, shuffle images *within* classes: both layers keep their spectra and their
# class means, and lose what they share about single images. To say that two networks are alike beyond their architecture, compare untrained networks, as chapter 3 does. To say that
# they are alike beyond position, let every image meet another one, as above. A null that keeps too much hides what one looks for; one that keeps too little, as the plain shuffle does, makes everything significant.
# :::
