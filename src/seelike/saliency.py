"""Seven explanations of a prediction, and how well they find a trigger whose place is known (Lin et al. 2020).

The methods are captum's, with the paper's settings scaled from 224 to the images' own size. Two faults of the published
evaluation are not repeated: a map that marks nothing gets an empty box for every score (there, the box of the image before),
and a trigger is stamped in testing as it was in training.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from captum.attr import FeatureAblation, GuidedBackprop, GuidedGradCam, LayerGradCam, Lime, Occlusion, Saliency
from jaxtyping import Bool, Float, Int, UInt8
from skimage.segmentation import slic
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import interpolate

from seelike.attention import rollout
from seelike.capture import LAST, device_of, grid, layers, listening, sums
from seelike.images import normalise
from seelike.triggers import Trigger, stamp

__all__ = [
    "METHODS", "REFERENCES", "Attack", "Question", "Trigger", "attribute", "benchmark", "boxes", "explanation", "intersection_over_union",
    "marked", "methods", "of_best", "recovery_difference", "recovery_rate", "references", "runner_up", "scores", "turned",
]  # fmt: skip

GRIDS = (16, 8, 4, 2)  # cells a side for feature ablation; 14, 7, 4, 2 in the paper
LIME_SAMPLES = 200  # 1,000 in the paper
SUPERPIXELS = 50

Maps = Float[Tensor, "b h w"]


class Question(NamedTuple):
    """What is to be explained: x (b, 3, h, w) normalised, the class of each image (b,), the trigger's side in pixels."""

    x: Float[Tensor, "b 3 h w"]
    target: Int[Tensor, " b"]
    side: int


@dataclass(frozen=True)
class Method:
    """attribute: maps (b, h, w) of a network and a question. threshold: the paper's, on maps from 0 to 1. black_box: no gradients."""

    attribute: Callable[[nn.Module, Question], Maps]
    threshold: float
    black_box: bool = False


def _gradient(model: nn.Module, q: Question) -> Maps:
    return Saliency(model).attribute(q.x, target=q.target).sum(1)


def _guided(model: nn.Module, q: Question) -> Maps:
    return GuidedBackprop(model).attribute(q.x, target=q.target).abs().sum(1)


def _grad_cam(model: nn.Module, q: Question) -> Maps:
    with _last_map(model) as layer:
        return _enlarge(LayerGradCam(model, layer).attribute(q.x, target=q.target, relu_attributions=True), q)


def _guided_grad_cam(model: nn.Module, q: Question) -> Maps:
    with _last_map(model) as layer:
        return GuidedGradCam(model, layer).attribute(q.x, target=q.target, interpolate_mode="bilinear").abs().sum(1)


def _occlusion(model: nn.Module, q: Question) -> Maps:
    window, stride = (3, 2 * q.side, 2 * q.side), (3, q.side, q.side)
    return Occlusion(model).attribute(q.x, sliding_window_shapes=window, strides=stride, target=q.target, baselines=0).mean(1)


def _ablation(model: nn.Module, q: Question) -> Maps:
    total = torch.zeros_like(q.x[:, 0])
    for cells in GRIDS:
        number = torch.arange(cells**2).view(1, 1, cells, cells).float()
        mask = interpolate(number, q.x.shape[2:]).long().to(q.x.device)
        total += FeatureAblation(model).attribute(q.x, target=q.target, feature_mask=mask, baselines=0).mean(1) / len(GRIDS)
    return total


def _lime(model: nn.Module, q: Question) -> Maps:
    """The superpixel with the largest positive weight, alone."""
    maps = []
    for x, target in zip(q.x, q.target, strict=True):
        shown = x.permute(1, 2, 0).cpu().numpy()
        cells = torch.from_numpy(slic(shown - shown.min(), n_segments=SUPERPIXELS, start_label=0)).long().to(x.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            weights = Lime(model).attribute(
                x[None], target=int(target), feature_mask=cells[None, None], n_samples=LIME_SAMPLES, perturbations_per_eval=100
            )[0, 0]
        maps.append(torch.where((weights == weights.max()) & (weights > 0), 1.0, 0.0))
    return torch.stack(maps)


def _rollout(model: nn.Module, q: Question) -> Maps:
    return _enlarge(rollout(model, q.x)[:, None], q)


METHODS: dict[str, Method] = {  # in the paper's order; rollout is ours
    "gradient": Method(_gradient, 0.5),
    "guided backprop": Method(_guided, 0.8),
    "Grad-CAM": Method(_grad_cam, 0.9),
    "guided Grad-CAM": Method(_guided_grad_cam, 0.75),
    "occlusion": Method(_occlusion, 0.9, black_box=True),
    "feature ablation": Method(_ablation, 0.9, black_box=True),
    "LIME": Method(_lime, 0.9, black_box=True),
    "attention rollout": Method(_rollout, 0.9),
}


def methods(model: nn.Module) -> list[str]:
    """Methods that mean something for a network: guided ones need ReLUs, rollout needs a class token and attention."""
    relu = any(isinstance(m, nn.ReLU) for m in model.modules())
    token = isinstance(model, VisionTransformer) and model.cls_token is not None
    return [n for n in METHODS if (relu or "guided" not in n) and (token or n != "attention rollout")]


def attribute(model: nn.Module, method: str, question: Question) -> Maps:
    """One map per image, larger where the method sees more reason for the class; the network, in eval mode meanwhile, is put back.

    The question may be on another device than the network; maps come on the question's. Raises ValueError for a method that is not
    known, or that means nothing for this network (`methods`, or Grad-CAM where the last feature map is not known).
    """
    if method not in METHODS:
        raise ValueError(f"There is no method {method!r}: expected one of {', '.join(METHODS)}.")
    if method not in methods(model):
        raise ValueError(f"{method} means nothing for this {type(model).__name__}: it has {', '.join(methods(model))}.")
    place = device_of(model)
    moved = question._replace(x=question.x.to(place), target=question.target.to(place))
    relus = [(m, m.inplace) for m in model.modules() if isinstance(m, nn.ReLU)]
    try:
        for m, _ in relus:
            m.inplace = False  # captum's hooks need the input
        with listening(model), warnings.catch_warnings(action="ignore"):  # captum tells that it sets hooks and asks for gradients
            return METHODS[method].attribute(model, moved).detach().to(question.x.device)
    finally:
        for m, inplace in relus:
            m.inplace = inplace


@contextmanager
def _last_map(model: nn.Module) -> Iterator[nn.Module]:
    """A module whose output is the last feature map (b, c, h, w): of a ViT, the tokens that enter its last attention.

    Of a convolutional network, what the last block adds to its skip connection, or its output where there is none.
    """
    last = layers(model)[-1]
    norm = getattr(model.get_submodule(last), "norm1", None)
    if not isinstance(norm, LAST):
        branches = [branch for _, branch in sums(model) if branch.startswith(f"{last}.")]
        yield model.get_submodule(branches[-1] if branches else last)
        return
    view = nn.Identity()

    def through(_: nn.Module, __: Any, out: Tensor) -> Tensor:
        if out.ndim != 3:
            raise ValueError(f"Grad-CAM needs tokens (b, n, c) in {last}, got shape {tuple(out.shape)}: ask another method.")
        side, first = grid(out.shape[1])
        seen = view(out[:, first:].mT.unflatten(2, (side, side)))
        return torch.cat([out[:, :first], seen.flatten(2).mT], 1)

    handle = norm.register_forward_hook(through)
    try:
        yield view
    finally:
        handle.remove()


def _enlarge(maps: Float[Tensor, "b 1 r c"], q: Question) -> Maps:
    return interpolate(maps.float(), q.x.shape[2:], mode="bilinear")[:, 0]


def marked(maps: Maps, threshold: float) -> Bool[Tensor, "b h w"]:
    """Pixels above the threshold once every map is scaled from 0 to 1; a flat map marks nothing."""
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - low > threshold * (high - low)) & (high > low)


def boxes(mask: Bool[Tensor, "b h w"]) -> Bool[Tensor, "b h w"]:
    """The rectangle around the marked pixels, as a mask; empty where nothing is marked.

    The original draws it around edges that Canny's filter finds, which for marked areas differs by a pixel at most.
    """
    rows, columns = mask.any(2), mask.any(1)

    def filled(line: Tensor) -> Tensor:
        return (line.int().cumsum(1) > 0) & (line.int().flip(1).cumsum(1).flip(1) > 0)

    return filled(rows)[:, :, None] & filled(columns)[:, None]


def intersection_over_union(a: Bool[Tensor, "b h w"], b: Bool[Tensor, "b h w"]) -> Float[Tensor, " b"]:
    """Intersection over union of masks of pixels; 0 where both are empty."""
    if a.shape != b.shape or a.ndim != 3 or a.dtype != torch.bool or b.dtype != torch.bool:
        raise ValueError(
            f"Expected two boolean masks (b, h, w) of one shape, got {a.dtype} {tuple(a.shape)} and {b.dtype} {tuple(b.shape)}."
        )
    return (a & b).sum((1, 2)) / (a | b).sum((1, 2)).clamp_min(1)


@torch.no_grad()
def recovery_rate(model: nn.Module, mended: Float[Tensor, "b 3 h w"], clean: Float[Tensor, "b 3 h w"]) -> Bool[Tensor, " b"]:
    """Whether a mended image, clean inside the box of an explanation and stamped outside, gets the prediction of the clean one."""
    with listening(model):
        answers = [model(x.to(device_of(model))).argmax(1) for x in (mended, clean)]
    return (answers[0] == answers[1]).to(mended.device)


def recovery_difference(mended: Float[Tensor, "b 3 h w"], clean: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """Share of pixels in which a mended image still differs from the clean one."""
    return (mended != clean).any(1).float().mean((1, 2))


def scores(
    model: nn.Module,
    found: Bool[Tensor, "b h w"],
    trigger: Bool[Tensor, "b h w"],
    *,
    stamped: Float[Tensor, "b 3 h w"],
    clean: Float[Tensor, "b 3 h w"],
) -> dict[str, Float[np.ndarray, " b"]]:
    """Lin et al.'s scores of every image.

    found, trigger: pixels that an explanation marks, and those of the trigger. Returns iou, of the boxes around the two; mask, of the
    pixels themselves; recovery and difference (`recovery_rate`, `recovery_difference`) once the box is clean again.
    """
    box = boxes(found)
    mended = torch.where(box[:, None], clean, stamped)
    values = {
        "iou": intersection_over_union(box, boxes(trigger)),
        "mask": intersection_over_union(found, trigger),
        "recovery": recovery_rate(model, mended, clean),
        "difference": recovery_difference(mended, clean),
    }
    return {key: value.cpu().double().numpy() for key, value in values.items()}


class Attack(NamedTuple):
    """Images whose answer a trigger turns to its target: what is to be explained, the images without it, and its pixels."""

    question: Question
    clean: Float[Tensor, "b 3 h w"]
    mask: Bool[Tensor, "b h w"]


@torch.no_grad()
def turned(
    model: nn.Module, pixels: UInt8[Tensor, "n 3 h w"], classes: Int[Tensor, " n"], trigger: Trigger, *, most: int, seed: int
) -> Attack:
    """Those of n images that are of another class than a trigger's target and get its label with the trigger, and only with it.

    Images have the trigger's targets in turn; most: how many of them are taken, drawn by the seed, as are random places. There may be none.
    """
    target = torch.arange(len(pixels)) % trigger.targets
    stamped = stamp(pixels, trigger, target, seed)
    x, clean = normalise(stamped.pixels), normalise(pixels)
    with listening(model):
        before, after = (model(images.to(device_of(model))).argmax(1).to(target.device) for images in (clean, x))
    hit = (after == target) & (before != target) & (classes != target)
    order = torch.randperm(len(hit), generator=torch.Generator().manual_seed(seed))
    rows = order[hit[order]][:most]
    return Attack(Question(x[rows], target[rows], trigger.side), clean[rows], stamped.mask[rows])


def explanation(model: nn.Module, method: str, question: Question) -> Bool[Tensor, "b h w"]:
    """The pixels that a method marks: its maps (`attribute`), cut at its threshold."""
    return marked(attribute(model, method, question), METHODS[method].threshold)


REFERENCES = ("random map", "random square", "perfect")


def references(attack: Attack, seed: int) -> dict[str, Bool[Tensor, "b h w"]]:
    """What three explainers mark that set the scale for others.

    A random map of 8 x 8 cells, cut at 0.9; a square of the trigger's size at a random place; the trigger itself.
    """
    n, h, w = attack.mask.shape
    cells = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    blank, anywhere = torch.zeros(n, 3, h, w, dtype=torch.uint8), Trigger("random", "square", attack.question.side)
    square = stamp(blank, anywhere, torch.zeros(n, dtype=torch.long), seed).mask
    return dict(zip(REFERENCES, (marked(interpolate(cells, (h, w))[:, 0], 0.9), square, attack.mask), strict=True))


def benchmark(model: nn.Module, attack: Attack, seed: int) -> list[dict[str, Any]]:
    """Lin et al.'s scores of every method that means something for a network, and of the `references`, which the seed draws.

    One row each: method, means of the `scores` over the images of the attack, seconds per image, and images; no rows without images.
    """
    rows, known, images = [], references(attack, seed), len(attack.mask)
    for method in [*methods(model), *known] if images else []:
        start = time.perf_counter()
        found = known[method] if method in known else explanation(model, method, attack.question)
        seconds = (time.perf_counter() - start) / images
        values = scores(model, found, attack.mask, stamped=attack.question.x, clean=attack.clean)
        means = {key: float(value.mean()) for key, value in values.items()}
        rows.append({"method": method, **means, "seconds": seconds, "images": images})
    return rows


def runner_up(means: Float[np.ndarray, " methods"]) -> float:
    """The second largest of the methods' scores."""
    return float(np.sort(means)[-2])


def of_best(means: Float[np.ndarray, " methods"], other: Float[np.ndarray, " methods"]) -> float:
    """Another score of the method whose score is the largest."""
    return float(other[np.argmax(means)])
