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
# *Reading: 5 minutes. Running: {seconds}`15` on two cores. Before this: {ref}`sec-structure`.*
#
# Every claim that has been decided so far, at every tier. The rule was written before the run; the verdict is what the rule says about the
# 95 % interval: *reproduced* if all of it satisfies the rule, *contradicted* if none of it does, *undecided* otherwise. A contradicted claim is a result.
# It speaks about the networks and images of its tier, not about the paper's own.
#
# Thresholds have stood since the ledger's first commit. How intervals over images are computed, and over how many images, was settled
# later: before the runs shown here, but after trial runs had been seen. The history stands in `book/claims.yml`.

# %% tags=["parameters"]
tier = "scenes"

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
from IPython.display import Markdown

from seelike import claims, plots

plots.style()
TIERS = ("scenes", "cifar10", "imagenet")
tables = {name: claims.table(name).set_index("id") for name in TIERS}


# %% tags=["hide-input"]
def cell(row):
    if row["verdict"] == "not run":
        return "not run"
    return f"**{row['verdict']}**<br>{row['estimate']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


lines = [
    "| | claim | rule | scenes | cifar10 | imagenet | figure |",
    "|---|---|---|---|---|---|---|",
]
for name, claim in claims.ledger().items():
    decided = " | ".join(cell(tables[t].loc[name]) for t in TIERS)
    lines.append(
        f"| {name} | {claim['statement']} | {claim['rule']} | {decided} | {{numref}}`{claim['figure']}` |"
    )
Markdown("\n".join(lines))

# %% [markdown]
# ## What the numbers are

# %% tags=["hide-input"]
Markdown(
    "\n\n".join(
        f"**{name}** ({c['paper']}, {c['where']}): {c['statistic']}. Rule: {c['rule']}. The paper's value: {c['paper_value']}."
        for name, c in claims.ledger().items()
    )
)

# %% mystnb={"figure": {"name": "fig-scorecard", "caption": "Estimate and 95 % interval of every decided claim, minus the threshold of its rule, in the statistic's own unit. The sign is turned where a rule asks for less, so that right of the line is always the claimed side. An interval that crosses the line is undecided."}, "image": {"alt": "Dot plot with one row per claim and one panel per tier: estimates with intervals, shifted so that the threshold of each claim's rule is the vertical line at zero and the claimed side is on the right."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.9), sharey=True)
for ax, name in zip(axes, TIERS):
    rows = tables[name][tables[name].verdict != "not run"]
    turned = {}
    for claim, row in rows.iterrows():
        operator, threshold = row["rule"].split()
        sign = -1 if operator[0] == "<" else 1
        ends = sorted(sign * (row[k] - float(threshold)) for k in ("low", "high"))
        turned[claim] = (sign * (row["estimate"] - float(threshold)), *ends)
    plots.intervals(ax, turned)
    ax.axvline(0, color=plots.INK, lw=1)
    ax.set(title=name, xlabel="right of the line: as claimed")
plots.sign(fig, "scenes and cifar10, as recorded by chapter 3", [0, 1, 2])

# %% [markdown]
# ## What each tier cannot decide
#
# **Scenes** has ten classes of one object and networks of less than a million parameters: claims about what large data or large models do are out of its reach.
# **CIFAR-10** is natural images, but 32 pixels wide, and one seed per network: its intervals cover images, not the luck of training.
# **ImageNet** comes closest to the paper, whose networks for Figs 1 and 2 were trained on JFT-300M, which is not public. It was not run for this edition: no GPU and no pretrained weights were at hand.
#
# ## Concordance
#
# Which figure of {cite:t}`raghu2021` became which of ours, and how they differ.
#
# | theirs | ours | deviations, and what they should do |
# |---|---|---|
# | Fig. 1, B.1 (left): CKA within networks | {numref}`fig-structure`, {numref}`fig-uniformity` | small networks trained on Scenes or CIFAR-10 instead of JFT-300M; 8 blocks instead of 12 to 32, basic ResNet with batch norm instead of BiT with group norm: fewer layers, coarser maps. Adds untrained, other-head and accuracy-matched controls |
# | Figs 2, B.1 (right): ViT against ResNet | {numref}`fig-cross`, {numref}`fig-match` | small networks trained on Scenes or CIFAR-10 instead of JFT-300M; batches of 128, 1,024 images, one pass; the paper uses batches of 1,024, 10,240 images and 20 repeats, and saw no noticeable change with batches of 128, 2,560 images and 10 repeats, which is still more than ours. The intervals show what is left to chance. Adds untrained, other-seed and shuffled controls |
# | Figs 3, 4, 5, C.5, C.6 | chapter 4, not written | |
# | Figs 6, C.1-C.4 | chapter 5, not written | |
# | Figs 7, 8, E.1, E.2 | chapter 6, not written | |
# | Figs 9, 10, 11, D.1-D.4 | chapter 7, not written | |
# | Figs 12, 13, F.1-F.3 | chapter 8, not written | |
# | Figs G.1, G.2, H.1, H.2 | chapter 9, not written | |
# | none | {numref}`fig-contact`, {numref}`fig-curves`, {numref}`fig-recall`, {numref}`fig-errors`, {numref}`fig-bias-shape`, {numref}`fig-bias`, {numref}`fig-minibatch`, {numref}`fig-recorded`, {numref}`fig-scorecard` | ours only |
