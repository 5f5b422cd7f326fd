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
# (sec-parts)=
# # Two networks from parts
#
# **You will learn** what a vision transformer and a residual network do to an image, step by step, in code short enough to read; and where this book listens to them.
#
# *Reading: 15 minutes. Running: {seconds}`00` on two cores. Before this: Python, and what a matrix product and a convolution are.*
#
# A convolutional network looks at an image through small windows and widens its view layer by layer. A vision transformer cuts the image into patches and lets
# every patch ask every other patch a question. Both add what they find to a running sum. This chapter rebuilds one of each from parts, with the weights of two networks of this
# book, and checks that the parts give the same numbers as the networks. If you know both, go on to {ref}`sec-data`.

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import pandas as pd
import torch
from torch.nn import functional as F

from seelike import capture, data, plots, scenes, schematics
from seelike.chapter import Chapter

book = Chapter("00", "scenes")
cast = book.cast("vit_cls", "resnet")
vit, resnet = (cast[name].cpu() for name in book.shown(cast, "vit_cls", "resnet"))
images = data.load("scenes", n=8, seed=3)

# %% [markdown]
# ## An image is a block of numbers
#
# Our images are 64 pixels wide, with three numbers a pixel: red, green, blue, as bytes. Networks take them with the mean taken off and divided by a
# standard deviation. A batch of them is an array of images x colours x rows x columns.

# %%
x = data.normalise(images.pixels)
x.shape

# %% [markdown]
# ## The ResNet
#
# A convolution slides a window of three by three pixels over the image. At each place it multiplies the numbers inside the window, over all channels, with a
# weight each, and adds them up: one new number, for each of its filters. It has two convictions built in: what is near belongs together, and what is worth seeing here is worth seeing
# anywhere else.
#
# One convolution sees three pixels. Two on top of each other see five. A residual network {cite:p}`he2016` puts two of them into a *block*, and adds what they
# found to what came in:

# %%
w = resnet.state_dict()


def norm(z, name):
    """Batch norm as it works after training: with the means and variances that training left."""
    keys = ("running_mean", "running_var", "weight", "bias")
    return F.batch_norm(z, *(w[f"{name}.{key}"] for key in keys))


def basic_block(z, name):
    out = F.conv2d(z, w[f"{name}.conv1.weight"], padding=1)
    out = F.relu(norm(out, f"{name}.bn1"))
    out = F.conv2d(out, w[f"{name}.conv2.weight"], padding=1)
    return F.relu(norm(out, f"{name}.bn2") + z)  # the skip connection


# %% [markdown]
# That is all. The `+ z` is the *skip connection*: even if the convolutions found nothing, the block would pass on what it got. Is our block the one inside the network? We listen to what goes into
# the first block of the first stage, and to what comes out.

# %%
with capture.capture(resnet, ["layer1.0:in", "layer1.0"]) as heard, torch.no_grad():
    resnet(x)
ours = basic_block(heard["layer1.0:in"], "layer1.0")
print(f"largest difference: {(ours - heard['layer1.0']).abs().max():.0e}")

# %% [markdown]
# The difference is zero, or as small as the order of additions makes it. The rest of the network is more of the same: eight blocks in four *stages*. Each stage after the first begins by halving the
# map and doubling the channels, from 32 x 32 positions to 4 x 4. At the end comes the mean over positions and one matrix for the ten classes.

# %% mystnb={"figure": {"name": "fig-resnet-block", "caption": "A block of our ResNet. The grey arrow is what is passed on; the branch is what the block adds. Numbered dots are taps: places where this book listens."}, "image": {"alt": "Diagram. A grey arrow runs from left to right. A branch leaves it, goes through a convolution, a norm with ReLU, and a second convolution with norm, and is added back; a ReLU follows. Four numbered dots mark where the book listens: after each of the three boxes and after the last ReLU."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(7.4, 3))
schematics.resnet_block(ax)
plt.show()

# %% [markdown]
# ## The vision transformer: from pixels to tokens
#
# A vision transformer {cite:p}`dosovitskiy2021` begins by giving up the grid. It cuts the image into 64 patches of 8 x 8 pixels. A patch is 192 numbers, and one matrix turns them into the 96 numbers of
# a *token*. From here on, nothing in the network knows what lies beside what, so a learned *position* is added to every token. One more token comes first. It belongs to no
# patch: the *class token*, from which the answer will be read.

# %%
w = vit.state_dict()


def embed(x, side=8):
    patches = F.unfold(x, side, stride=side).transpose(1, 2)  # images x 64 x 192
    matrix, bias = (
        w["patch_embed.proj.weight"].flatten(1),
        w["patch_embed.proj.bias"],
    )
    tokens = patches @ matrix.T + bias  # images x 64 x 96
    first = w["cls_token"].expand(len(x), -1, -1)
    return torch.cat([first, tokens], dim=1) + w["pos_embed"]


embed(x).shape

# %% [markdown]
# ## Attention in six lines
#
# Every token makes three short vectors out of its 96 numbers: a *query* (what am I looking for?), a *key* (what have I got?) and a *value* (what do I tell whoever asks?). Query times
# key says how well a question fits an offer. A softmax turns the fits of one query with all keys into weights that sum to one. The answer is the weighted mean of the
# values. Three *heads* do this side by side, each with 32 numbers.


# %%
def linear(z, name):
    return z @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def attention(z, name, heads=3):
    qkv = linear(z, f"{name}.qkv").unflatten(2, (3, heads, -1))
    q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each: images x heads x 65 x 32
    weights = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1)
    out = (weights @ v).transpose(1, 2).flatten(2)
    return linear(out, f"{name}.proj"), weights


# %% [markdown]
# Nothing in these lines says *near*. In its first layer already, a patch may ask the far corner. Whether it does is one of the questions of this book ({ref}`sec-attention`).
#
# ## The residual stream
#
# A transformer block has two branches. The first is attention, which moves information between tokens. The second is a small network of two matrices, the *MLP*, which works on each
# token alone. Each takes a normalised copy of the tokens and adds what it found. The tokens as they run through all blocks, sum after sum, are called the
# *residual stream*.


# %%
def layer_norm(z, name):
    return F.layer_norm(
        z, z.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], 1e-6
    )


def block(z, name):
    z = z + attention(layer_norm(z, f"{name}.norm1"), f"{name}.attn")[0]
    hidden = F.gelu(linear(layer_norm(z, f"{name}.norm2"), f"{name}.mlp.fc1"))
    return z + linear(hidden, f"{name}.mlp.fc2")


def whole(x):
    z = embed(x)
    for i in range(len(vit.blocks)):
        z = block(z, f"blocks.{i}")
    return linear(layer_norm(z, "norm")[:, 0], "head")  # token 0: the class token


# %% [markdown]
# Thirty lines, and the network is complete. Does it answer as the real one does? First the largest difference between their answers, then the classes that both name.

# %%
with torch.no_grad():
    ours, theirs = whole(x), vit(x)
print(f"largest difference: {(ours - theirs).abs().max():.0e}")
print([images.classes[i] for i in ours.argmax(1)])
assert torch.allclose(ours, theirs, atol=1e-4)

# %% mystnb={"figure": {"name": "fig-vit-block", "caption": "A block of our ViT. Attention moves information between tokens; the MLP works on each token alone. Both add to the residual stream. Numbered dots are taps; there are six a block, and chapters call those with even simpler names block outputs (6)."}, "image": {"alt": "Diagram. A grey arrow, the residual stream, runs from left to right. A first branch leaves it, goes through a norm and attention, and is added back. A second goes through a norm and a hidden layer and is added back. Six numbered dots mark where the book listens: after the first norm, after attention, on the stream between the branches, after the second norm, at the hidden layer, and on the stream at the end."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(8.4, 3))
schematics.vit_block(ax)
plt.show()

# %% [markdown]
# ## What a head looks at
#
# :::{guess} The class token decides what the image shows. Where does it look, in the first block and in the last?
# - Everywhere alike in both.
# - Everywhere alike in the first, at the object in the last.
# - At the object in both.
# :::

# %% mystnb={"figure": {"name": "fig-attention-maps", "caption": "Attention of the class token over the patches of one image, by head (columns) and block (rows); bright patches get more weight. Below each map: the largest weight, as a multiple of what every token would get if all got the same. One colour scale for all."}, "image": {"alt": "A scene beside nine small maps of eight by eight patches: three heads in the first, a middle and the last block. Brightness is the weight that the class token gives to a patch, on one scale for all maps, with the largest weight written below each."}} tags=["hide-input"]
chosen, rows = 0, (0, 4, len(vit.blocks) - 1)
with torch.no_grad():
    z, maps = embed(x), {}
    for i in range(len(vit.blocks)):
        maps[i] = attention(layer_norm(z, f"blocks.{i}.norm1"), f"blocks.{i}.attn")[
            1
        ]
        z = block(z, f"blocks.{i}")
fig, axes = plt.subplots(len(rows), 4, figsize=(7.6, 2.1 * len(rows)))
uniform = 1 / maps[0].shape[-1]
for row, i in zip(axes, rows):
    row[0].set_axis_off()
    for head, ax in enumerate(row[1:]):
        seen = maps[i][chosen, head, 0, 1:].view(8, 8) / uniform
        ax.imshow(seen, cmap=plots.MAP, vmin=0, vmax=20)
        ax.set(xticks=[], yticks=[], xlabel=f"at most {seen.max():.1f} x uniform")
        ax.set_title(f"block {i}, head {head}", fontsize=10)
plots.pictures(axes[1:2, 0], images.pixels[chosen : chosen + 1], ["the image"])
plt.show()

# %% [markdown]
# The images of this book know where their object is ({ref}`sec-data`), so the question can be settled by more than one image: which share of the class token's attention to patches lands on the object?

# %%
scene = scenes.sample(64, 5)
on_object = F.max_pool2d(scene.mask.float()[:, None], 8).flatten(1)  # images x 64
with torch.no_grad():
    z, share = embed(data.normalise(scene.images)), []
    for i in range(len(vit.blocks)):
        weights = attention(layer_norm(z, f"blocks.{i}.norm1"), f"blocks.{i}.attn")[
            1
        ]
        seen = weights[:, :, 0, 1:].mean(1)
        share.append(float(((seen * on_object).sum(1) / seen.sum(1)).mean()))
        z = block(z, f"blocks.{i}")
area = float(on_object.mean())
print(
    f"the object covers {area:.0%} of the patches; it gets",
    [f"{s:.0%}" for s in share],
)
assert min(share[0], share[-1]) > 1.2 * area

# %% [markdown]
# At the object in both: from the first block on, the class token gives the object more than its share of the image.
#
# How far heads look, measured over many images and all tokens instead of one image and one token, is the subject of {ref}`sec-attention`.
#
# ## Two ways to read the answer
#
# Our ViT reads its answer from the class token. Another kind has none and takes the mean of all patch tokens, as the ResNet takes the mean of its positions. It is the last line of the network that
# differs, and yet it changes what the tokens have to hold. With a class token, patch tokens may go on describing their own patch to the end. Under a mean, every one of them has to vote for the class.
# Both kinds are in this book, as ViT (CLS) and ViT (GAP), for *global average pooling*; {ref}`sec-localization` sets them side by side.
#
# ## Where we listen
#
# This book compares what networks compute on the way. It listens at *taps*: the output of every part above, for each image. For a ViT block these are:

# %%
names = [name for name in capture.layers(vit, "all") if name.startswith("blocks.0")]
parts = [
    "first norm",
    "attention, before it is added",
    "residual stream between the branches",
    "second norm",
    "hidden layer of the MLP",
    "block output: the stream after both",
]
with capture.capture(vit, names) as heard, torch.no_grad():
    vit(x)
rows = [(tap, part, tuple(heard[tap].shape)) for tap, part in zip(names, parts)]
pd.DataFrame(rows, columns=["tap", "what", "shape"], index=range(1, 7))

# %% [markdown]
# Each is a batch of images x tokens x numbers. How does one compare that with a ResNet's images x channels x rows x columns, where no number means the same? That is the
# subject of {ref}`sec-cka`, after {ref}`a look at the images and networks <sec-data>`.
#
# ## Quiz
#
# :::{quiz} What does a transformer block know about which patches are neighbours?
# - [ ] It compares each patch with the eight around it. ~ That would be a convolution. Attention compares each token with all others.
# - [x] Only what the position embeddings tell it. ~ Attention itself treats tokens as a set; positions were added to the tokens at the start.
# - [ ] Nothing at all. ~ It would be true without position embeddings: then shuffled patches would give shuffled outputs.
# :::
#
# :::{quiz} Which part moves information from one token to another?
# - [x] Attention. ~ Its output is a weighted mean of other tokens' values.
# - [ ] The MLP. ~ It is applied to each token alone, with the same matrices.
# - [ ] The layer norm. ~ It scales the numbers of one token.
# :::
#
# :::{quiz} A block's branches all give zero. What comes out of the block?
# - [ ] Zeros. ~ That is what a block without skip connections would give.
# - [x] What went in. ~ The skip connection passes it on; the branches add nothing.
# - [ ] The mean of the tokens. ~ Nothing in a block takes a mean over tokens.
# :::
#
# :::{quiz} A convolution of three by three, and another on top of it. How wide is the window that a value of the second depends on?
# - [ ] Three pixels. ~ That is the first one's.
# - [x] Five pixels. ~ Each further layer adds one pixel on either side.
# - [ ] Nine pixels. ~ Windows add up; they do not multiply.
# :::
#
# :::{quiz} The ViT reads its answer from the class token. What forces patch tokens of the last block to hold the class?
# - [x] Nothing. ~ After the last block nobody reads them. Whether they still describe their own patch is a finding, not a rule.
# - [ ] The loss. ~ The loss sees the class token only.
# - [ ] The position embedding. ~ It says where a patch lies, not what the image shows.
# :::
#
# ## Exercises
#
# :::{exercise} Warm-up: counting weights (5 minutes)
# :label: ex-count-weights
# How many numbers do the four matrices of an attention branch (queries, keys, values, projection) hold for tokens of 96 numbers, without biases? How many weights of a 3 x 3
# convolution from 96 to 96 channels?
# :::
#
# :::{solution} ex-count-weights
# :class: dropdown
# Four matrices of 96 x 96: 36,864. The convolution has nine such matrices, one for each place in its window: 82,944. Attention pays for its reach not in weights but in products: every token with every
# other.
# :::
#
# :::{exercise} Code: shuffled patches (10 minutes)
# :label: ex-shuffled-patches
# Take the position embeddings out of `embed` (keep the class token) and shuffle the order of the patches. Show that the class token's output of the first block does not change.
# :::
#
# ::::{solution} ex-shuffled-patches
# :class: dropdown
# ```python
# from seelike import checks
#
# without = embed(x) - w["pos_embed"]
# order = torch.cat([torch.tensor([0]), 1 + torch.randperm(64)])  # the class token stays first
# with torch.no_grad():
#     first = block(without, "blocks.0")[:, 0]
#     shuffled = block(without[:, order], "blocks.0")[:, 0]
# assert torch.allclose(first, shuffled, atol=1e-5)
# print("the class token did not notice")
# checks.check_shuffled_patches((first, shuffled), x, embed, block, w)
# ```
#
# A softmax over keys and a sum over values do not depend on their order. Positions are the only thing that tells a transformer where its patches lie.
# ::::
#
# :::{exercise} Open: attention that can only look near (30 minutes)
# :label: ex-near-attention
# Change `attention` so that each patch may look only at patches at most one step away (add minus infinity to the other fits). How much does the network's answer on these images suffer, and is the
# result a convolution?
# :::
