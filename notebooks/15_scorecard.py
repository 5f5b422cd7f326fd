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
# (sec-scorecard)=
# # Scorecard
#
# **You will learn** how to read a verdict, and what it does not say.
#
# *Reading: 8 minutes. Running: {seconds}`15` on two cores. Before this: {ref}`sec-structure`.*
#
# Every claim of the six papers in the ledger, at every tier that was run; *published* stands for numbers that the authors published, or for networks counted as they specify them. The rule was written before the run; the verdict is what the rule says about the
# 95 % interval: *reproduced* if all of it satisfies the rule, *contradicted* if none of it does, *undecided* otherwise. A contradicted claim is a result.
# It speaks about the networks and images of its tier, not about the paper's own.
#
# Thresholds have stood since they were first committed. For claims R21-1 to R21-7, how intervals over images are computed, and over how many images, was settled
# later: before the runs shown here, but after trial runs had been seen. In chapters 6 and 7, numbers of images and the size of batches were settled after trial
# runs, too. In chapter 11, rates and length of training of the ResNets were set after attack success of a first attempt had been seen; in chapter 13, two starts were added to three ablations, and the places of pooled keys corrected, after a trial run. The networks of chapters 12 and 13 were trained a second time, after first verdicts, because
# the optimiser had hardly moved their learned positions. In chapter 14 a trial fit of the published points was known when its rules were written. The history stands in `book/claims.yml`; the ledger names papers by the year of their preprint.

# %% tags=["parameters"]
tier = "scenes"

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
from IPython.display import Markdown

from seelike import claims, plots
from seelike.chapter import Chapter

book = Chapter("15", tier)
places = [book.tier, *claims.recorded(), claims.DATA]
tables = {
    claims.key(place): claims.table(place).set_index("id") for place in places
}
run = [t for t in tables if (tables[t].verdict != "not run").any()]


# %% tags=["hide-input"]
def cell(row):
    if row["verdict"] == "not run":
        return "not run"
    return f"**{row['verdict']}**<br>{claims.words(row['estimate'], row['low'], row['high'])}"


def scores(paper):
    """The claims of one paper at the tiers where any of them was decided."""
    names = [n for n, c in claims.ledger().items() if c["paper"] == paper]
    here = [t for t in run if (tables[t].loc[names, "verdict"] != "not run").any()]
    lines = [
        f"**{paper}**\n",
        "| | claim | rule | " + " | ".join(here) + " | figure |",
        "|---|---|---|" + "---|" * (len(here) + 1),
    ]
    for name in names:
        claim = claims.ledger()[name]
        decided = " | ".join(cell(tables[t].loc[name]) for t in here)
        lines.append(
            f"| {name} | {claim['statement']} | {claim['rule']} | {decided} | {{numref}}`{claim['figure']}` |"
        )
    return "\n".join(lines)


papers = dict.fromkeys(c["paper"] for c in claims.ledger().values())
Markdown("\n\n".join(scores(paper) for paper in papers))

# %% [markdown]
# ## In short
#
# The same, sorted by verdict; the ledger writes these lists. They are about small networks on small images.


# %% tags=["hide-input"]
def listed(verdict):
    """Claims with a verdict, by the tiers at which they have it."""
    found = {}
    for name, claim in claims.ledger().items():
        where = [t for t in run if tables[t].loc[name, "verdict"] == verdict]
        if where:
            found.setdefault(" and ".join(where), []).append(
                f"{claim['statement'].rstrip('.')} ({name.removeprefix('R21-')})"
            )
    return "\n".join(f"- *{where}*: " + "; ".join(c) for where, c in found.items())


Markdown(
    "\n\n".join(
        f"**{verdict.capitalize()}**\n\n{listed(verdict)}"
        for verdict in ("reproduced", "contradicted", "undecided")
    )
)

# %% [markdown]
# ## What the numbers are

# %% tags=["hide-input"]
Markdown(
    "\n\n".join(
        f"**{name}** ({c['paper']}, {c['where']}): {c['statistic']}. Rule: {c['rule']}. The paper's value: {c['paper_value']}."
        for name, c in claims.ledger().items()
    )
)

# %% mystnb={"figure": {"name": "fig-scorecard", "caption": "Estimate and 95 % interval of every decided claim, minus the threshold of its rule, in the statistic's own unit. The sign is turned where a rule asks for less, so that right of the line is always the claimed side. An interval that crosses the line is undecided. Units differ from row to row: compare signs and intervals, not lengths. Linear up to 0.1, logarithmic beyond."}, "image": {"alt": "Dot plot with one row per claim and one panel per tier: estimates with intervals, shifted so that the threshold of each claim's rule is the vertical line at zero and the claimed side is on the right; the axis is linear near zero and logarithmic beyond."}} tags=["hide-input"]
order = [
    n
    for paper in papers
    for n, c in claims.ledger().items()
    if c["paper"] == paper
    and any(tables[t].loc[n, "verdict"] != "not run" for t in run)
]
size = (4.2 * len(run), 0.21 * len(order) + 1)
fig, axes = plt.subplots(1, len(run), figsize=size, sharey=True, squeeze=False)
for ax, name in zip(axes.flat, run):
    turned = dict.fromkeys(order, (float("nan"),) * 3)
    for claim, row in tables[name][tables[name].verdict != "not run"].iterrows():
        operator, threshold = row["rule"].split()
        sign = -1 if operator[0] == "<" else 1
        ends = sorted(sign * (row[k] - float(threshold)) for k in ("low", "high"))
        turned[claim] = (sign * (row["estimate"] - float(threshold)), *ends)
    plots.intervals(ax, turned)
    ax.tick_params(axis="y", labelsize=9)
    ax.axvline(0, color=plots.INK, lw=1)
    ax.set_xscale("symlog", linthresh=0.1)
    ax.margins(x=0.06)
    ax.autoscale_view(scaley=False)
    ax.set(title=name, xlabel="right of the line: as claimed")
line = f"{' and '.join(run)}, as the chapters recorded them"
plots.sign(fig, plots.provenance(line, []))

# %% [markdown]
# ## What each tier cannot decide
#
# **Scenes** has ten classes of one object and networks of less than a million parameters: claims about what large data or large models do are out of its reach.
# **CIFAR-10** is natural images, but 32 pixels wide, and one seed per network: its intervals cover images, not the luck of training.
# Networks of other data sizes and networks without skips exist on Scenes only. **ImageNet** comes closest to the paper, whose networks were mostly trained on JFT-300M, which is not public. It was not run for this edition: neither a GPU nor the hub was at hand. Two pretrained networks on 500 **photographs** are no pair as in the paper; they show what large networks have and small ones lack.
#
# ## Concordance
#
# The neighbours first.
#
# | paper | ours | deviations |
# |---|---|---|
# | {cite:t}`tuli2021`: decisions of humans and networks | {numref}`fig-humans`, {numref}`fig-divergence`, {numref}`fig-silhouettes` | recomputed from their files; both ways to average over humans |
# | the same: fine-tuning on augmentations | {numref}`fig-stages`, {numref}`fig-sequence` | Scenes instead of ImageNet, 1,600 images a stage; adds a control without augmentation |
# | {cite:t}`lin2021`: backdoors | {numref}`fig-triggers`, {numref}`fig-attack` | 64 pixels, letters and stripes instead of their pictures, full colours, a quarter of each batch instead of a tenth; adds ViTs |
# | the same: explanations | {numref}`fig-explanations`, {numref}`fig-iou`, {numref}`fig-recovery`, {numref}`fig-iou-triggers` | boxes around marked pixels instead of around their edges, grids of 16, 8, 4 and 2, 200 samples for LIME; adds rollout, bounds and untrained networks |
# | {cite:t}`guo2022`, Tables 1, 3, 5 | {numref}`fig-cmt-sizes`, {numref}`fig-cmt-accuracy`, {numref}`fig-cmt-ablation`, {numref}`fig-cmt-cka`, {numref}`fig-cmt-reach`, {numref}`fig-recorded-cmt` | three stages on 64 pixels; one part out at a time |
# | {cite:t}`fan2021`, Tables 17, A.1, A.3, 9, Fig. A.6 | {numref}`fig-mvit-sizes`, {numref}`fig-mvit-ablation`, {numref}`fig-mvit-distance`, {numref}`fig-clips` | three stages on 64 pixels; four directions of motion instead of Kinetics |
# | {cite:t}`zhai2022`, Fig. 2 and tables | {numref}`fig-frontier`, {numref}`fig-holdout`, {numref}`fig-data-limit` | compute in operations instead of core-days |
# | the same: a grid | {numref}`fig-grid`, {numref}`fig-grid-transfer`, {numref}`fig-heads` | 44 networks: widths instead of shapes, three sets of scenes, three to five lengths with a cooldown each; test error instead of ten-shot error on the frontier; one start a cell |
#
# Which figure of {cite:t}`raghu2021` became which of ours, and how they differ.
#
# | theirs | ours | deviations, and what they should do |
# |---|---|---|
# | Fig. 1, B.1 (left): CKA within networks | {numref}`fig-structure`, {numref}`fig-uniformity` | small networks trained on Scenes or CIFAR-10 instead of JFT-300M; 8 blocks instead of 12 to 32, basic ResNet with batch norm instead of BiT with group norm: fewer layers, coarser maps. Adds untrained, other-head and accuracy-matched controls |
# | Figs 2, B.1 (right): ViT against ResNet | {numref}`fig-cross`, {numref}`fig-match` | small networks trained on Scenes or CIFAR-10 instead of JFT-300M; batches of 128, 1,024 images, one pass; the paper uses batches of 1,024, 10,240 images and 20 repeats, and saw no noticeable change with batches of 128, 2,560 images and 10 repeats, which is still more than ours. The intervals show what is left to chance. Adds untrained, other-seed and shuffled controls |
# | Figs 3, C.6: attention distance | {numref}`fig-attention-distance`, {numref}`fig-recorded-distance` | three heads a block instead of 12 to 16; weights renormalised without the class token, since the paper does not say. {numref}`fig-misread-distance` shows the other way: smaller distances |
# | Figs 4, C.5: the same with little data | {numref}`fig-attention-data` | five sizes of one data set instead of two data sets; equal images seen; small models only, which by the paper's Fig. C.5 may keep local heads |
# | Fig. 5: head subsets against ResNet units | {numref}`fig-head-subsets` | all seven subsets of three heads instead of sliding windows; four units instead of five: fewer, dependent points |
# | Figs 6, C.1-C.3: receptive fields after the sum | {numref}`fig-erf-maps`, {numref}`fig-erf-radius`, {numref}`fig-recorded-erf` | random signs instead of a mean over channels; more images; middle position of an even grid. Root mean square instead of mean absolute gradient: heavier centre |
# | Fig. C.4: before the sum | {numref}`fig-erf-residual` | as above |
# | Figs 7, E.1: norm ratio | {numref}`fig-token-ratio`, {numref}`fig-norm-ratio`, {numref}`fig-recorded-ratio` | a ResNet of basic blocks with batch norm |
# | Fig. E.2: cosine | {numref}`fig-norm-ratio` | signed cosine; the paper's axis starts at 0.6 |
# | Fig. 8: without skips | {numref}`fig-partition` | blocks 1, 4 and 6 of 8, counted from 0, instead of blocks 1, 7 and 10 of 12; short runs; three seeds for the middle block and the twin. Adds a ResNet without the skip of one block |
# | Figs 9, D.1, D.2, D.3: tokens against patches | {numref}`fig-localization`, {numref}`fig-own-patch`, {numref}`fig-place-depth`, {numref}`fig-recorded-localization` | an 8 x 8 grid, 4 x 4 for the ResNet, instead of 7 x 7 to 16 x 16. Adds untrained controls and intervals |
# | Fig. 10: average pooling | {numref}`fig-localization`, {numref}`fig-own-patch` | same recipe and rates for both heads; the paper lowers the rate for average pooling |
# | Figs 11a, D.4: probes of single tokens | {numref}`fig-token-probes`, {numref}`fig-recorded-probes` | ten classes instead of a thousand: chance is 10 %, so ratios are smaller. Ridge penalty by leave-one-out instead of held-out images |
# | Figs 11b, F.3: aggregates | {numref}`fig-aggregates` | as above |
# | Fig. 12: fractions of the data | {numref}`fig-data-cka` | fractions of 6,400 scenes; equal images seen and one start, which makes low layers more alike. Adds start and other-start controls |
# | Figs 13a, F.1: more data | {numref}`fig-data-probes` | as above; maps of the ResNet averaged without regrouping channels |
# | Figs 13b, F.2: ViTs against ResNets | {numref}`fig-family-probes`, {numref}`fig-recorded-scale` | widths instead of depths and patch sizes; CIFAR-10 instead of ImageNet, CIFAR-10 and CIFAR-100 |
# | Fig. G.1: fine-tuning | {numref}`fig-drift`, {numref}`fig-recorded-drift` | three targets instead of seven, two of them questions about scenes; short, gentle fine-tuning: less drift |
# | Fig. G.2: between sizes | {numref}`fig-widths` | two widths of equal depth |
# | Figs H.1, H.2: MLP-Mixer | {numref}`fig-mixer`, {numref}`fig-recorded-mixer` | one size; half as many images as the others on Scenes |
# | none | {numref}`fig-contact`, {numref}`fig-curves`, {numref}`fig-recall`, {numref}`fig-errors`, {numref}`fig-bias-shape`, {numref}`fig-bias`, {numref}`fig-minibatch`, {numref}`fig-recorded`, {numref}`fig-object`, {numref}`fig-kappa-bounds`, {numref}`fig-families`, {numref}`fig-bias-training`, {numref}`fig-scorecard` | ours only |
