"""Checks of the code exercises: `checks.check_bias(mine)` says in one sentence what to make of an answer.

A check works out what is asked from the chapter's own variables, so that it holds at every tier. It tells a reader that the answer is
right, or what is wrong with it (its shape, its axis, what it is measured on), but never what the right number is. Its name is that of
the exercise's label (`ex-view`, `check_view`); parameters after the first are variables of the chapter.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from seelike import (
    alike,
    capture,
    consistency,
    data,
    evaluate,
    feed,
    maps,
    models,
    published,
    recipes,
    residual,
    saliency,
    scaling,
    scenes,
    tiers,
)
from seelike.attention import prefix_mass
from seelike.cka import cka, sweep
from seelike.tiers import Tier

CLOSE = 1e-3


class Hint(Exception):
    """What is wrong with an answer, in a sentence that does not give the answer away."""


class Check(NamedTuple):
    """What an answer is, in words, and the function that looks at it."""

    wanted: str
    look: Callable[..., None]


CHECKS: dict[str, Check] = {}  # by label of the exercise


def _of(wanted: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function that raises `Hint` a check: one that prints a sentence. wanted: what the answer is."""

    def enter(look: Callable[..., None]) -> Callable[..., None]:
        @wraps(look)
        def told(mine: Any, *context: Any) -> None:
            try:
                _refuse(mine is ..., "put your answer in place of the three dots.")
                look(mine, *context)
            except Hint as hint:
                print(f"Not yet: {hint}")
            else:
                print("Right.")

        CHECKS[label(told)] = Check(wanted, told)
        return told

    return enter


def label(check: Callable[..., None]) -> str:
    """The exercise that a check belongs to."""
    return "ex-" + check.__name__.removeprefix("check_").replace("_", "-")


def parameters(check: Callable[..., None]) -> list[str]:
    """Names of what a check is given: the answer, then variables of the chapter."""
    return list(inspect.signature(check).parameters)


def stub(exercise: str) -> list[str]:
    """Lines of code below an exercise's number that call its check; none for an exercise without one."""
    if exercise not in CHECKS:
        return []
    wanted, look = CHECKS[exercise]
    told = textwrap.wrap(f"mine: {wanted}", 90, initial_indent="# ", subsequent_indent="# ")
    return [*told, "from seelike import checks", "", "mine = ...", f"checks.{look.__name__}({', '.join(parameters(look))})"]


# Parts of checks ------------------------------------------------------------------------------------------------------------------------


def _refuse(wrong: bool, hint: str) -> None:
    if wrong:
        raise Hint(hint)


def _numbers(mine: Any, what: str) -> np.ndarray:
    """An answer as an array; a hint for what holds no numbers."""
    try:
        if isinstance(mine, torch.Tensor):
            return mine.detach().cpu().double().numpy()
        if isinstance(mine, Sequence) and not isinstance(mine, str):
            return np.stack([_numbers(part, what) for part in mine])
        return np.asarray(mine, float)
    except (TypeError, ValueError):
        raise Hint(f"{what} was expected, but this cannot be read as numbers of one shape.") from None


def _pair(mine: Any, what: str) -> tuple[Any, Any]:
    try:
        first, second = list(mine) if not isinstance(mine, str) else []
    except (TypeError, ValueError):
        raise Hint(f"two things were expected, {what}.") from None
    return first, second


def _by_block(mine: Any, what: str) -> np.ndarray:
    """What an answer says of every block, in a list or, by name, in a dict."""
    return _numbers(list(mine.values()) if isinstance(mine, Mapping) else mine, what)


def _alike(one: Any, other: Any, close: float = CLOSE) -> bool:
    return np.shape(one) == np.shape(other) and bool(np.allclose(one, other, rtol=0, atol=close, equal_nan=True))


def _compare(found: Any, right: Any, mistakes: Mapping[str, Callable[[], Any]], otherwise: str, close: float = CLOSE) -> None:
    """Pass an answer that is right; otherwise the hint of the first mistake that leads to it. Mistakes are worked out only if needed."""
    if _alike(found, right, close):
        return
    for hint, wrong in mistakes.items():
        _refuse(_alike(found, wrong(), close), hint)
    raise Hint(otherwise)


def _share(found: np.ndarray) -> None:
    _refuse(bool((found > 1).any()), "a share lies between 0 and 1; did you take a sum, or per cent?")


# Chapter 0 ------------------------------------------------------------------------------------------------------------------------------


@_of("a pair, the class token's output of the first block for each image: patches in order, and shuffled")
def check_shuffled_patches(mine: Any, x: torch.Tensor, embed: Callable[..., Any], block: Callable[..., Any], w: Mapping[str, Any]) -> None:
    """Two tensors, images x numbers, that should be the same."""
    parts = _pair(mine, "the output with patches in order and with patches shuffled")
    with torch.no_grad():
        tokens, positions = embed(x), w["pos_embed"]
        kept = torch.cat([torch.zeros_like(positions[:, :1]), positions[:, 1:]], 1)  # the class token may keep its own
        right = [block(tokens - p, "blocks.0")[:, 0].numpy() for p in (positions, kept)]
        placed = block(tokens, "blocks.0")[:, 0].numpy()
    first, shuffled = (_numbers(part, "a tensor") for part in parts)
    for found in (first, shuffled):
        _refuse(found.ndim == 3, "this holds all tokens; the class token is the first of them.")
        _refuse(found.shape != placed.shape, f"one row an image and one number a channel was expected, {placed.shape}, not {found.shape}.")
    _refuse(_alike(first, placed, 1e-4), "position embeddings are still in the tokens: take them out before the block.")
    _refuse(not any(_alike(first, r, 1e-4) for r in right), "with the patches in order, something besides the positions has changed.")
    _refuse(not _alike(first, shuffled, 1e-4), "the class token noticed: did it stay in first place, and are positions out of both?")
    _refuse(np.array_equal(first, shuffled), "both are the same to the last bit, as if nothing had been shuffled before the block.")


# Chapter 1 ------------------------------------------------------------------------------------------------------------------------------


@_of("a function that takes scenes (`scenes.sample`) and returns their images with every object in one uniform grey")
def check_texture(mine: Any) -> None:
    """A function from `Scenes` to images like theirs."""
    _refuse(not callable(mine), "a function of scenes was expected.")
    drawn = scenes.sample(16, seed=11)
    before = drawn.images.clone()
    covered = mine(drawn)
    _refuse(
        not torch.equal(drawn.images, before), "the drawn scenes themselves were painted over; whoever measures next gets grey objects."
    )
    _refuse(np.shape(covered) != tuple(before.shape), f"images were expected in the shape they had, {tuple(before.shape)}.")
    _refuse(covered.dtype != before.dtype, f"images come as {before.dtype}, and networks take them so: keep the type.")
    changed = (covered != before).any(1)
    _refuse(bool(changed[~drawn.mask].any()) and not changed[drawn.mask].any(), "the background is grey and the object is not.")
    _refuse(bool(changed[~drawn.mask].any()), "pixels outside the object have changed.")
    inside = covered.permute(0, 2, 3, 1)[drawn.mask].double()
    _refuse(bool((inside.std(0) > 20).any()), "the object still shows something of its texture.")
    _refuse(bool((inside.std(0) > 0).any()), "the objects are not all of one grey: what differs between them can still tell the class.")
    _refuse(bool((inside.max(1).values != inside.min(1).values).any()), "a grey has as much red as green and blue.")


# Chapter 2 ------------------------------------------------------------------------------------------------------------------------------


@_of("a function of n (images), p and q (features) that returns the approximation")
def check_bias(mine: Any) -> None:
    """A function of three numbers."""
    _refuse(not callable(mine), "a function of n, p and q was expected.")
    cases = np.array([(50, 100, 100), (200, 100, 300), (1000, 50, 400), (100, 1000, 20)], float)
    n, p, q = cases.T
    found = _numbers([mine(*map(float, case)) for case in cases], "one number for one n, p and q")
    mistakes = {
        "it is upside down: more features an image should bring more bias, not less.": lambda: ((1 + p / n) * (1 + q / n)) ** -0.5,
        "the root is missing.": lambda: 1 / ((1 + n / p) * (1 + n / q)),
        "it is the reciprocal of what is asked for: a CKA does not exceed 1.": lambda: ((1 + n / p) * (1 + n / q)) ** 0.5,
        "it takes no notice of q, the other layer's features.": lambda: 1 / (1 + n / p),
        "it takes no notice of p, the first layer's features.": lambda: 1 / (1 + n / q),
    }
    _compare(found, ((1 + n / p) * (1 + n / q)) ** -0.5, mistakes, "go through the formula once more, bracket by bracket.", 1e-6)


# Chapter 3 ------------------------------------------------------------------------------------------------------------------------------


@_of("{name: uniformity} of one ViT and one ResNet of `cast`, pooled over positions")
def check_view(mine: Any, cast: Mapping[str, nn.Module], images: Any, similarity: Any) -> None:
    """A dict with a number for every network asked about. The check runs these networks again."""
    _refuse(not isinstance(mine, Mapping), "a dict from a network's name to a number was expected.")
    unknown = [str(name) for name in mine if name not in cast]
    _refuse(bool(unknown), f"{', '.join(unknown)}: no network of the cast has that name.")
    kinds = {"ViT" if "vit" in name else "ResNet" for name in mine if "vit" in name or "resnet" in name}
    _refuse(len(kinds) < 2, "one ViT and one ResNet were asked for.")
    found = _numbers(list(mine.values()), "one number a network")
    _refuse(found.ndim != 1, "uniformity is one number a network: the mean over its map.")
    pooled = {name: sweep({name: cast[name]}, images, "all", view=capture.gap).block(name) for name in mine}
    flat = {name: similarity.block(name) for name in mine}
    mistakes = {
        "these are the uniformities of the chapter's own view, positions and channels flattened.": lambda: _each(flat, maps.uniformity),
        "the diagonal is in your mean: a layer resembles itself whatever the network.": lambda: _each(pooled, np.mean),
        "you listened to block outputs only; the chapter's maps hold every tap.": lambda: _each(
            {name: sweep({name: cast[name]}, images, view=capture.gap).block(name) for name in mine}, maps.uniformity
        ),
    }
    whole = "these are other numbers than the mean over different layers of one network, pooled; are both networks in one map?"
    _compare(found, _each(pooled, maps.uniformity), mistakes, whole)


def _each(blocks: Mapping[str, Any], f: Callable[[np.ndarray], float]) -> list[float]:
    return [float(f(m.to_numpy())) for m in blocks.values()]


# Chapter 4 ------------------------------------------------------------------------------------------------------------------------------


@_of('for every block of cast["vit_cls-0"] its heads\' shares of attention that the class token receives, averaged over `x`')
def check_prefix(mine: Any, cast: Mapping[str, nn.Module], x: torch.Tensor) -> None:
    """Numbers by block and head, in a dict or an array; one number a block is taken as the mean of heads."""
    model = cast["vit_cls-0"]

    def kinds(w: torch.Tensor) -> torch.Tensor:
        patches = w[..., 1:, 0]
        return torch.stack([prefix_mass(w), w[..., :, 0].mean(-1), w[..., 0, 1:].sum(-1), w[..., 0, 1:].mean(-1), patches.sum(-1)])

    with torch.no_grad(), capture.listening(model), capture.attention(model, reduce=kinds) as heard:
        model(x.to(capture.device_of(model)))
    right, every, given, each, total = torch.stack(list(heard.values()), 1).cpu().double().numpy()  # each: blocks x images x heads
    found = _by_block(mine, "one number for each block and head")
    _refuse(found.shape == right.shape, "there is still one number an image: average over images.")
    _refuse(
        found.shape == right.shape[:2] != right.shape[::2], "you averaged over heads and kept images; the other way round is asked for."
    )
    heads = found.ndim == 2
    _refuse(
        found.shape != (right.shape[::2] if heads else right.shape[:1]),
        f"expected are {right.shape[0]} blocks with {right.shape[2]} heads, not {found.shape}.",
    )

    def averaged(m: np.ndarray) -> np.ndarray:
        return m.mean(1) if heads else m.mean((1, 2))

    mistakes = {
        "the class token's attention to itself is among it: only patches ask here.": lambda: averaged(every),
        "this is what the class token gives to the patches; what it receives from them is asked for.": lambda: averaged(given),
        "this is what the class token gives to one patch; what it receives from the patches is asked for.": lambda: averaged(each),
        "you took the sum over patches; a share of their attention is a mean over them.": lambda: averaged(total),
        "this is what is left for the patches, not what the class token receives.": lambda: 1 - averaged(right),
    }
    _compare(found, averaged(right), mistakes, "which axis of the weights (images, heads, queries, keys) did you take for the keys?", 1e-4)


# Chapter 5 ------------------------------------------------------------------------------------------------------------------------------


@_of("a function that takes a block's tokens (images x 65 x numbers) and returns those of a corner patch, as `erf.centre` does the middle")
def check_edge_field(mine: Any) -> None:
    """A function of tokens."""
    _refuse(not callable(mine), "a function of a block's tokens was expected.")
    side, images, width = 8, 2, 5
    tokens = torch.arange(1.0 + side**2)[None, :, None].repeat(images, 1, width).requires_grad_()
    found = mine(tokens)
    shape = tuple(np.shape(found))
    _refuse(shape != (images, width), f"one vector an image was expected, {(images, width)} here, not {shape}.")
    _refuse(not getattr(found, "requires_grad", False), "no gradient can flow back from this: leave the token in the graph.")
    token = int(found[0, 0])
    _refuse(not bool((found == token).all()), "this mixes several tokens, or several images.")
    _refuse(token == 0, "this is the class token, which lies nowhere.")
    row, column = divmod(token - 1, side)
    _refuse((row, column) == (side // 2, side // 2), "this is the middle, as in `erf.centre`.")
    at_edge = {row, column} <= {0, side - 1}
    _refuse(not at_edge, f"this patch lies in row {row} and column {column} of the {side} x {side} grid (counted from 0): not a corner.")


# Chapter 6 ------------------------------------------------------------------------------------------------------------------------------


@_of("for every block the accuracy (0 to 1) of the trained vit_cls on `images` without the skips of that block alone")
def check_afterwards(mine: Any, tier: str | Tier, images: Any) -> None:
    """One number a block, in a dict or a list. The check measures them again."""
    found = _by_block(mine, "one number for each block")
    blocks = range(len(capture.layers(models.load("vit_cls", tier))))
    _refuse(found.shape != (len(blocks),), f"{len(blocks)} numbers were expected, one a block.")
    _refuse(bool((found > 1).any()), "accuracies lie between 0 and 1; these are in per cent.")

    def accuracy(cut: Sequence[int]) -> float:
        model = residual.remove_skips(models.load("vit_cls", tier), cut)
        return float((evaluate.predict(model, images) == images.labels).float().mean())

    right = np.array([accuracy([block]) for block in blocks])
    mistakes = {
        "this is the share of wrong answers.": lambda: 1 - right,
        "no skip was taken out: this is the whole network, again and again.": lambda: np.full(len(blocks), accuracy([])),
        "skips stay removed: each network lacks those of all blocks before, too. Load it afresh for every block.": lambda: np.array(
            [accuracy(blocks[: block + 1]) for block in blocks]
        ),
    }
    _compare(found, right, mistakes, "these are not the accuracies on the images that you gave to the check; are they the same images?")


# Chapter 7 ------------------------------------------------------------------------------------------------------------------------------


@_of('a pair, from the first batch of `images`: CKA of token 27 of block 7 of cast["vit_cls-0"] and its own patch; the same under the null')
def check_place_null(mine: Any, cast: Mapping[str, nn.Module], images: Any) -> None:
    """Two numbers."""
    found = _numbers(_pair(mine, "an entry of T, and what becomes of it under the null"), "two numbers")
    _refuse(found.shape != (2,), "one number each was expected, for one token and one patch.")
    model, (x, _) = cast["vit_cls-0"], next(iter(images))
    with torch.no_grad(), capture.listening(model), capture.capture(model, ["blocks.7"]) as heard:
        model(x.to(capture.device_of(model)))
    token, patch = capture.patches(heard["blocks.7"])[:, 27].cpu(), x[:, :, 24:32, 24:32].cpu()
    own = cka(token, patch).item()
    nulls = [cka(token, patch.roll(by, 0)).item() for by in (1, -1)]  # to either side is fine
    right = next((np.array([own, null]) for null in nulls if _alike(found[1], null, 1e-3)), np.array([own, nulls[0]]))
    mistakes: dict[str, Callable[[], Any]] = {
        "both are the same: images must move against tokens; pixels or colours that move within a patch change no CKA.": lambda: [own, own],
        "they are in the other order: first the entry, then the null.": lambda: right[::-1],
        "this estimator is biased: under the null it stays far above 0 (chapter 2).": lambda: np.array(
            [cka(token, patch, unbiased=False).item(), cka(token, patch.roll(1, 0), unbiased=False).item()]
        ),
        "an estimate below 0 was set to 0: the null's mean would be too high (chapter 2).": lambda: right.clip(0),
    }
    first = "the first number is not the CKA of that token and its own patch, eight pixels a side, row 3 and column 3 of the grid."
    _compare(
        found, right, mistakes, first if not _alike(found[0], own, 1e-3) else "the second pairs tokens and patches in another way.", 1e-3
    )


# Chapter 8 ------------------------------------------------------------------------------------------------------------------------------


@_of("a pair of accuracies (0 to 1) of the network of the smallest set: on its own training images, and on `images`")
def check_memory(mine: Any, tier: str | Tier, by_data: Any, main_width: int, images: Any) -> None:
    """Two numbers."""
    found = _numbers(_pair(mine, "the accuracy on its own images and on others"), "two numbers")
    _refuse(bool((found > 1).any()), "accuracies lie between 0 and 1; these are in per cent.")
    seen = feed.training_set(tier, recipes.recipe("vit_data_003", tiers.get(tier).name), seed=0)

    def accuracies(share: str) -> np.ndarray:
        model = by_data[main_width][share]
        return np.array([float((evaluate.predict(model, s) == s.labels).float().mean()) for s in (seen, images)])

    right = accuracies("3 %")
    mistakes = {
        "they are in the other order: first its own images.": lambda: right[::-1],
        "this is the network that saw the whole base set.": lambda: accuracies("100 %"),
        "both are the accuracy on test images: `feed.training_set` gives what it was trained on.": lambda: right[[1, 1]],
    }
    _compare(found, right, mistakes, "these are other accuracies; is it the network of the smallest set, and are these its images?")


# Chapter 9 ------------------------------------------------------------------------------------------------------------------------------


@_of("a dict from every target's name to the CKA of each block before and after, on 1,024 test images of that target")
def check_target_images(mine: Any, tier: str | Tier, before: Any, tuned: Any, images: Any) -> None:
    """Numbers by block, in a dict by target, of the first seed."""
    cards = models.cards(tier, study="fine-tuning")
    keys = [(name, int(seed)) for name, _, seed in (label.rpartition("-") for label in tuned)]
    first = min(seed for _, seed in keys)
    names = {cards[name, seed].made.factors["target"]: name for name, seed in keys if seed == first}
    _refuse(not isinstance(mine, Mapping) or set(mine) != set(names), f"a dict with the keys {', '.join(names)} was expected.")
    for target, name in names.items():
        found = _by_block(mine[target], f"one number for each block ({target})")
        pair = {"before": before[f"vit_cls-{first}"], "after": tuned[f"{name}-{first}"]}

        def drift(on: Any, pair: Mapping[str, nn.Module] = pair) -> np.ndarray:
            return sweep(pair, on).block("before", "after").to_numpy()

        right = drift(data.target(target, tier, "test", 1024))
        _refuse(found.shape == right.shape, f"every block with every other came for {target}: each with itself is asked for.")
        mistakes = {
            f"for {target} these are on images of the first task, as in the figure.": lambda drift=drift: np.diag(drift(images)),
            f"for {target} this is what changed, 1 - CKA.": lambda right=right: 1 - np.diag(right),
        }
        _compare(found, np.diag(right), mistakes, f"for {target} these are other numbers; are the images those of its test split, seed 0?")


@_of("a pair of rank correlations of CKA with kappa on 1,024 cue conflicts of seed 14: by itself, and given accuracies")
def check_alike(mine: Any, nets: Mapping[str, nn.Module], seen: Any) -> None:
    """Two numbers, or two estimates."""
    pair = _pair(mine, "a rank correlation, and the same given accuracies")
    found = _numbers([getattr(part, "estimate", part) for part in pair], "two numbers")
    _refuse(found.shape != (2,), "one number each was expected.")
    drawn = scenes.cue_conflict(1024, seed=14)
    conflict = data.Images(drawn.images, drawn.shape, scenes.SHAPES)
    said = np.array([evaluate.predict(model, conflict).numpy() for model in nets.values()])

    def both(truth: torch.Tensor, measure: Callable[..., Any] = consistency.kappas) -> np.ndarray:
        named = said == truth.numpy()
        k, given = measure(named), alike.given_accuracy(named.mean(1))
        return np.array([alike.agreement(seen, k, g, draws=2).estimate for g in ((), given)])

    right = both(drawn.shape)
    mistakes = {
        "they are in the other order: first by itself, then given accuracies.": lambda: right[::-1],
        "this counts who names the texture; being right means naming the shape here.": lambda: both(drawn.texture),
        "both are without accuracies.": lambda: right[[0, 0]],
    }
    _compare(found, right, mistakes, "these are other correlations; are the images those of seed 14, and all networks of `nets` asked?")


# Chapter 10 -----------------------------------------------------------------------------------------------------------------------------


@_of("by how much the inter-class distance to the average human is smaller, one number an observer")
def check_average_human(mine: Any, numbers: Any) -> None:
    """A column of numbers."""
    keys = ("interclass", "interclass_average", "class", "class_average")
    single, average, by_class, by_class_average = (numbers[key].to_numpy() for key in keys)
    found = _numbers(mine, "one number an observer")
    _refuse(found.shape == (), "one number an observer was expected, not their mean: they do not all move alike.")
    mistakes = {
        "the sign is turned: smaller by so much should be above 0.": lambda: average - single,
        "these are the class-wise distances, where no cells are empty.": lambda: by_class - by_class_average,
        "this is a ratio; the table holds distances, and a difference is asked for.": lambda: average / single,
    }
    _compare(found, single - average, mistakes, "this is not the difference of the two columns.", 1e-4)


@_of("right or wrong (booleans) of three observers, one row an observer, to 10,000 images")
def check_ease(mine: Any) -> None:
    """Booleans, observers x images."""
    _refuse(np.asarray(mine).dtype != bool, "booleans were expected: whether an observer is right.")
    found = np.asarray(mine)
    _refuse(found.shape == (10_000, 3), "rows and columns are exchanged: one row an observer.")
    _refuse(found.shape != (3, 10_000), f"three observers and 10,000 images were expected, not {found.shape}.")
    right = found.mean(1)
    _refuse(_alike(np.sort(right), [0.5, 0.5, 0.95], 0.02), "one observer is right on all but the hardest twentieth, not on the easiest.")
    _refuse(not _alike(np.sort(right), [0.05, 0.5, 0.5], 0.02), "two should be right on half of the images and one on a twentieth.")
    shared = consistency.latent_correlations(found)[np.triu_indices(3, 1)]
    _refuse(bool((abs(shared) < 0.1).any()), "two of them agree as if by chance: do they all see the same ease?")
    _refuse(bool((shared < 0).any()), "two of them contradict each other: what is easy for one is hard for the other.")
    _refuse(bool((shared > 0.97).any()), "two of them see exactly the same: each should have noise of its own.")


# Chapter 11 -----------------------------------------------------------------------------------------------------------------------------


@_of("a pair of mean IoUs of boxes at threshold 0.8 over all triggers, of guided backprop on the ResNet: with its sign, and absolute")
def check_threshold(mine: Any, attacks: Mapping[Any, Any], networks: Mapping[Any, Any]) -> None:
    """Two numbers. The check asks for the maps again."""
    found = _numbers(_pair(mine, "an IoU with the sign and one without"), "two numbers")
    _refuse(found.shape != (2,), "one number each was expected: a mean over triggers.")
    _share(found)
    maps = {
        method: [(saliency.attribute(networks[key], method, a.question), a.mask) for key, a in attacks.items() if key[0] == "resnet"]
        for method in ("guided backprop", "guided backprop, absolute")
    }

    def scores(threshold: float, *, boxed: bool = True) -> np.ndarray:
        def one(m: torch.Tensor, truth: torch.Tensor) -> float:
            marked = saliency.marked(m, threshold)
            return float(saliency.intersection_over_union(saliency.boxes(marked) if boxed else marked, truth).double().mean())

        return np.array([np.mean([one(*each) for each in found]) for found in maps.values()])

    right = scores(0.8)
    mistakes = {
        "they are in the other order: first with the sign.": lambda: right[::-1],
        "these are the marked pixels themselves; the study draws a box around them.": lambda: scores(0.8, boxed=False),
        "this is another threshold.": lambda: next((s for t in (0.5, 0.6, 0.7, 0.75, 0.9) if _alike(found, s := scores(t))), right + 1),
    }
    _compare(found, right, mistakes, "these are other means; are they over all triggers of the ResNet, each counted once?")


# Chapter 12 -----------------------------------------------------------------------------------------------------------------------------


@_of("the learned bias of the first stage's first head for the query in the middle of the map, keys in rows and columns as on the map")
def check_bias_map(mine: Any, tier: str | Tier) -> None:
    """A square of numbers, of the trained CMT."""
    found = _numbers(mine, "a square of numbers")
    bias = models.load("cmt", tier).stages[0].bias.detach().cpu().double().numpy()  # type: ignore[union-attr, index]
    queries, keys = (round(n**0.5) for n in bias.shape[1:])
    middle = queries * (queries // 2) + queries // 2
    right = bias[0, middle].reshape(keys, keys)
    _refuse(found.size != right.size, f"this query looks at {keys} x {keys} keys, one number each; what came has the shape {found.shape}.")
    _refuse(found.shape != right.shape, "give the keys their places: rows and columns of the map.")
    untrained = models.untrained("cmt", tier).stages[0].bias.detach().cpu().double().numpy()  # type: ignore[union-attr, index]
    mistakes = {
        "this is the untrained network.": lambda: untrained[0, middle].reshape(keys, keys),
        "this is another head: the first is asked for.": lambda: next(
            (h for b in bias[1:] if _alike(found, h := b[middle].reshape(keys, keys))), right + 1
        ),
        "rows and columns are exchanged.": lambda: right.T,
    }
    _compare(found, right, mistakes, "this is the bias of another query; the middle is row and column side // 2 of the map of queries.")


# Chapter 13 -----------------------------------------------------------------------------------------------------------------------------


@_of("the share of opposite directions among shuffled clips that were answered wrongly (0 to 1)")
def check_axis(mine: Any, viewer: nn.Module, shuffled: torch.Tensor, answer: torch.Tensor) -> None:
    """One number."""
    found = _numbers(mine, "one number")
    _refuse(found.ndim > 0, "one number was expected: a mean over clips.")
    _share(found)
    with torch.no_grad(), capture.listening(viewer):
        said = viewer(shuffled).argmax(1)
    wrong, axis = said != answer, (said // 2) == (answer // 2)

    def share(of: torch.Tensor, among: torch.Tensor) -> float:
        return float(of[among].double().mean())

    every = torch.ones_like(wrong)
    mistakes = {
        "right answers are among it: they keep the axis, too.": lambda: share(axis, every),
        "this is the share of opposite directions among all clips, not among those answered wrongly.": lambda: share(axis & wrong, every),
        "directions 0 and 1 are one axis, 2 and 3 the other.": lambda: share((said % 2) == (answer % 2), wrong),
        "this is the share of those that left the axis.": lambda: 1 - share(axis, wrong),
        "this is the share of wrong answers.": lambda: share(wrong, every),
    }
    _compare(found, share(axis, wrong), mistakes, "this is another share; which clips did you count?")


# Chapter 14 -----------------------------------------------------------------------------------------------------------------------------


@_of("a pair of arrays, levels of error after fine-tuning, and images that B/32 needs over those that B/16 needs, both trained on 3B")
def check_ratio(mine: Any) -> None:
    """Two arrays of one length."""
    points = published.scaling_points()
    if points is None:
        raise Hint("the published points are not at hand, so that this cannot be checked here.")
    levels, found = _numbers(_pair(mine, "levels of error and ratios"), "two arrays of one length")
    _refuse(levels.ndim != 1, "one ratio for each level was expected.")

    def ratios(accuracy: str, one: str = "B/32", other: str = "B/16") -> np.ndarray:
        known = scaling.measured(points, accuracy)
        try:
            return scaling.ratios(scaling.history(known, one, "3B"), scaling.history(known, other, "3B"), levels)
        except ValueError:
            return np.array([])

    right = ratios("inet_finetune_acc")
    ten = ratios("inet_10shot_acc")
    _refuse(not len(right) and not len(ten), "some level is reached by one of the two runs only: nothing is extrapolated.")
    mistakes = {
        "this is the error of ten-shot probes; the one after fine-tuning is asked for.": lambda: ten,
        "the ratio is upside down.": lambda: 1 / right,
    }
    _compare(found, right, mistakes, "these are other ratios; are both runs those on 3B?", 0.01)
