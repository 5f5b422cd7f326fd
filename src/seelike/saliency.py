"""Seven explanations of a prediction, and how well they find a trigger whose place is known (Lin et al. 2020).

Six methods are captum's and LIME is written here after the authors' `lime_image`, all with the paper's settings scaled from 224 to the
images' own size. As in the original, maps keep their sign and their colours: a map is scaled from 0 to 1 over all pixels and channels,
and a pixel is marked where one of its channels is above the threshold. Two faults of the published evaluation are not repeated: a map
that marks nothing gets an empty box for every score (there, the box of the image before), and a trigger is stamped in testing as it was
in training.
"""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from captum.attr import FeatureAblation, GuidedBackprop, GuidedGradCam, LayerGradCam, Lime, Occlusion, Saliency
from jaxtyping import Bool, Float, Int, UInt8
from scipy.stats import spearmanr
from skimage.segmentation import quickshift, slic
from sklearn.metrics import average_precision_score
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from seelike.attention import rollout
from seelike.capture import LAST, device_of, grid, layers, listening, sums
from seelike.images import normalise
from seelike.triggers import Trigger, stamp

__all__ = [
    "METHODS", "REFERENCES", "SCORES", "VARIANTS", "Attack", "Question", "Trigger", "attribute", "average_precision", "benchmark", "boxes",
    "cascade", "explanation", "intersection_over_union", "luck", "marked", "methods", "pointing", "recovery_difference", "recovery_rate",
    "references", "scaled", "scores", "thresholded", "turned", "whole",
]  # fmt: skip

GRIDS = (16, 8, 4, 2)  # cells a side for feature ablation; 14, 7, 4, 2 in the paper
LIME_SAMPLES = 1000
LIME_WIDTH = 0.25  # of the kernel, on cosine distances
LIME_BATCH = 250
QUICKSHIFT = {"kernel_size": 4, "max_dist": 200}  # of `lime_image`, on images of 224 pixels
SLIC = (50, 200)  # superpixels and samples of the other LIME
BLUR = 33  # pixels a side over which the blurred baseline is a mean
TOP = 0.9999  # of a scaled map: its maximum only

Maps = Float[Tensor, "b h w"]
Channels = Float[Tensor, "b c h w"]


class Question(NamedTuple):
    """What is to be explained: x (b, 3, h, w) normalised, the class of each image (b,), the trigger's side in pixels."""

    x: Float[Tensor, "b 3 h w"]
    target: Int[Tensor, " b"]
    side: int


@dataclass(frozen=True)
class Method:
    """attribute: maps (b, c, h, w) of a network and a question. threshold: on maps from 0 to 1. black_box: no gradients."""

    attribute: Callable[[nn.Module, Question], Channels]
    threshold: float
    black_box: bool = False


def grey(x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """What the paper puts in the place of hidden pixels: 0 after normalisation, the mean colour of images."""
    return torch.zeros_like(x)


def blurred(x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """The image itself, every pixel the mean of the `BLUR` x `BLUR` pixels around it: a baseline without edges that is not grey."""
    return avg_pool2d(x, BLUR, stride=1, padding=BLUR // 2, count_include_pad=False)


Baseline = Callable[[Float[Tensor, "b 3 h w"]], Float[Tensor, "b 3 h w"]]


def _gradient(model: nn.Module, q: Question) -> Channels:
    return Saliency(model).attribute(q.x, target=q.target)


def _guided(model: nn.Module, q: Question) -> Channels:
    return GuidedBackprop(model).attribute(q.x, target=q.target)


def _grad_cam(model: nn.Module, q: Question) -> Channels:
    with _last_map(model) as layer:
        return _enlarge(LayerGradCam(model, layer).attribute(q.x, target=q.target), q)


def _guided_grad_cam(model: nn.Module, q: Question) -> Channels:
    with _last_map(model) as layer:
        return GuidedGradCam(model, layer).attribute(q.x, target=q.target, interpolate_mode="bilinear")


def _size(of: Callable[[nn.Module, Question], Channels], model: nn.Module, q: Question) -> Channels:
    """A map without its sign and without colours, as it was in this book's first edition."""
    return of(model, q).abs().sum(1, keepdim=True)


def _occlusion(model: nn.Module, q: Question, baseline: Baseline = grey) -> Channels:
    window, stride = (3, 2 * q.side, 2 * q.side), (3, q.side, q.side)
    occlusion = Occlusion(model)
    return occlusion.attribute(q.x, sliding_window_shapes=window, strides=stride, target=q.target, baselines=baseline(q.x))


def _ablation(model: nn.Module, q: Question, baseline: Baseline = grey) -> Channels:
    total, base = torch.zeros_like(q.x), baseline(q.x)
    for cells in GRIDS:
        number = torch.arange(cells**2).view(1, 1, cells, cells).float()
        mask = interpolate(number, q.x.shape[2:]).long().to(q.x.device)
        total += FeatureAblation(model).attribute(q.x, target=q.target, feature_mask=mask, baselines=base) / len(GRIDS)
    return total


def superpixels(x: Float[Tensor, "3 h w"]) -> Int[Tensor, "h w"]:
    """Areas of similar colour, numbered from 0: quickshift as in `lime_image`, its distances scaled with the image."""
    shown, scale = x.permute(1, 2, 0).cpu().double().numpy(), x.shape[-1] / 224
    cells = quickshift(shown, ratio=0.2, rng=0, **{key: value * scale for key, value in QUICKSHIFT.items()})
    return torch.from_numpy(cells).long().to(x.device)


def local_weights(shown: Float[Tensor, "n s"], answers: Float[Tensor, " n"]) -> Float[Tensor, " s"]:
    """Weights of a linear model of a network's answers near an image (Ribeiro et al. 2016, as `lime_image` fits it).

    shown: 1 where a superpixel of a sample is as in the image, 0 where it is hidden. Ridge regression (penalty 1, free intercept), each
    sample with the weight exp(-d^2 / 2 w^2), d its cosine distance from the whole image, w = 0.25.
    """
    distance = 1 - shown.mean(1).sqrt()
    near = torch.exp(-(distance**2) / (2 * LIME_WIDTH**2))
    mean = (near / near.sum()) @ shown
    x, y = shown - mean, answers - (near / near.sum()) @ answers
    return torch.linalg.solve((x.mT * near) @ x + torch.eye(x.shape[1], dtype=x.dtype, device=x.device), (x.mT * near) @ y)


@torch.no_grad()
def _lime(model: nn.Module, q: Question, baseline: Baseline = grey) -> Channels:
    """Positive weights of superpixels, on the probability of the class; the paper marks the largest one."""
    maps = []
    for x, target, base in zip(q.x, q.target, baseline(q.x), strict=True):
        cells = superpixels(x)
        shown = torch.randint(0, 2, (LIME_SAMPLES, int(cells.max()) + 1), generator=torch.Generator().manual_seed(0)).to(x.device)
        shown[0] = 1
        parts = [torch.where(some[:, None, cells.flatten()].view(-1, 1, *cells.shape) == 1, x, base) for some in shown.split(LIME_BATCH)]
        answers = torch.cat([model(part).softmax(1)[:, target] for part in parts])
        maps.append(local_weights(shown.double(), answers.double()).clamp_min(0)[cells].float())
    return torch.stack(maps)[:, None]


def _lime_slic(model: nn.Module, q: Question, baseline: Baseline = grey) -> Channels:
    """captum's LIME, of this book's first edition: SLIC superpixels, a lasso on the logit; the largest positive weight, alone."""
    maps, (pixels, samples) = [], SLIC
    for x, target, base in zip(q.x, q.target, baseline(q.x), strict=True):
        shown = x.permute(1, 2, 0).cpu().numpy()
        cells = torch.from_numpy(slic(shown - shown.min(), n_segments=pixels, start_label=0)).long().to(x.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            weights = Lime(model).attribute(
                x[None], base[None], int(target), feature_mask=cells[None, None], n_samples=samples, perturbations_per_eval=100
            )[0, 0]
        maps.append(torch.where((weights == weights.max()) & (weights > 0), 1.0, 0.0))
    return torch.stack(maps)[:, None]


def _rollout(model: nn.Module, q: Question) -> Channels:
    return _enlarge(rollout(model, q.x)[:, None], q)


METHODS: dict[str, Method] = {  # in the paper's order; rollout is ours
    "gradient": Method(_gradient, 0.5),
    "guided backprop": Method(_guided, 0.8),
    "Grad-CAM": Method(_grad_cam, 0.9),
    "guided Grad-CAM": Method(_guided_grad_cam, 0.75),
    "occlusion": Method(_occlusion, 0.9, black_box=True),
    "feature ablation": Method(_ablation, 0.9, black_box=True),
    "LIME": Method(_lime, TOP, black_box=True),
    "attention rollout": Method(_rollout, 0.9),
}
VARIANTS: dict[str, Method] = {  # of the methods above, for a panel of analyses
    "guided backprop, absolute": Method(partial(_size, _guided), 0.8),
    "guided Grad-CAM, absolute": Method(partial(_size, _guided_grad_cam), 0.75),
    "occlusion, blur": Method(partial(_occlusion, baseline=blurred), 0.9, black_box=True),
    "feature ablation, blur": Method(partial(_ablation, baseline=blurred), 0.9, black_box=True),
    "LIME, blur": Method(partial(_lime, baseline=blurred), TOP, black_box=True),
    "LIME, SLIC": Method(_lime_slic, 0.9, black_box=True),
    "LIME, SLIC, blur": Method(partial(_lime_slic, baseline=blurred), 0.9, black_box=True),
}


def methods(model: nn.Module, among: Mapping[str, Method] = METHODS) -> list[str]:
    """Methods that mean something for a network: guided ones need ReLUs, rollout needs a class token and attention."""
    relu = any(isinstance(m, nn.ReLU) for m in model.modules())
    token = isinstance(model, VisionTransformer) and model.cls_token is not None
    return [n for n in among if (relu or "guided" not in n) and (token or n != "attention rollout")]


def attribute(model: nn.Module, method: str, question: Question) -> Maps:
    """One map per image from 0 to 1 (`scaled`), larger where the method sees more reason for the class.

    The network, in eval mode meanwhile, is put back. The question may be on another device than the network; maps come on the question's.
    Raises ValueError for a method that is not known, or that means nothing for this network (`methods`, or Grad-CAM where the last feature
    map is not known).
    """
    known = METHODS | VARIANTS
    if method not in known:
        raise ValueError(f"There is no method {method!r}: expected one of {', '.join(known)}.")
    if method not in methods(model, known):
        raise ValueError(f"{method} means nothing for this {type(model).__name__}: it has {', '.join(methods(model))}.")
    place = device_of(model)
    moved = question._replace(x=question.x.to(place), target=question.target.to(place))
    relus = [(m, m.inplace) for m in model.modules() if isinstance(m, nn.ReLU)]
    try:
        for m, _ in relus:
            m.inplace = False  # captum's hooks need the input
        with listening(model), warnings.catch_warnings(action="ignore"):  # captum tells that it sets hooks and asks for gradients
            return scaled(known[method].attribute(model, moved).detach()).to(question.x.device)
    finally:
        for m, inplace in relus:
            m.inplace = inplace


def scaled(maps: Channels) -> Maps:
    """Maps from 0 to 1 over all pixels and channels, then the largest channel of each pixel, as in the original; 0 for a flat map."""
    low, high = maps.amin((1, 2, 3), keepdim=True), maps.amax((1, 2, 3), keepdim=True)
    return ((maps - low) / torch.where(high > low, high - low, 1.0)).amax(1)


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


def _enlarge(maps: Float[Tensor, "b 1 rows columns"], q: Question) -> Channels:
    return interpolate(maps.float(), q.x.shape[2:], mode="bilinear")


def marked(maps: Maps, threshold: float) -> Bool[Tensor, "b h w"]:
    """Pixels above the threshold of maps from 0 to 1; a flat map marks nothing."""
    return maps > threshold


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


def whole(found: Bool[Tensor, "b h w"], trigger: Bool[Tensor, "b h w"]) -> Bool[Tensor, " b"]:
    """Whether all pixels of the trigger are among those found."""
    return (found | ~trigger).all(2).all(1)


def luck(box: Bool[Tensor, "b h w"], trigger: Bool[Tensor, "b h w"]) -> Float[Tensor, " b"]:
    """Probability that a box of the same size at a random place contains the whole trigger (b,); 0 for an empty box."""
    chances = []
    for axis in (2, 1):  # rows, columns
        line, sought = box.any(axis), trigger.any(axis)
        size, long, n = line.sum(1), sought.sum(1), line.shape[1]
        start = sought.int().argmax(1)
        first, last = (start + long - size).clamp_min(0), torch.minimum(start, n - size)
        chances.append((last - first + 1).clamp_min(0) / (n - size + 1) * (size > 0))
    return chances[0] * chances[1]


def pointing(maps: Maps, trigger: Bool[Tensor, "b h w"]) -> Float[Tensor, " b"]:
    """Pointing game: whether the maximum of a map lies on the trigger (Zhang et al. 2018); of several maxima, the share that does."""
    top = maps == maps.amax((1, 2), keepdim=True)
    return (top & trigger).sum((1, 2)) / top.sum((1, 2))


def average_precision(maps: Maps, trigger: Bool[Tensor, "b h w"]) -> Float[Tensor, " b"]:
    """Mean precision over the trigger's pixels when pixels are taken in the order of a map, ties together: a score without threshold.

    A flat map has the share of the trigger's pixels in the image.
    """
    pairs = zip(trigger.flatten(1).cpu().numpy(), maps.flatten(1).cpu().numpy(), strict=True)
    return torch.tensor([average_precision_score(*pair) for pair in pairs], dtype=torch.float64)


SCORES = ("iou", "mask", "whole", "luck", "covered", "pointing", "precision", "recovery", "difference")


def scores(
    model: nn.Module,
    maps: Maps,
    threshold: float,
    trigger: Bool[Tensor, "b h w"],
    *,
    stamped: Float[Tensor, "b 3 h w"],
    clean: Float[Tensor, "b 3 h w"],
) -> dict[str, Float[np.ndarray, " b"]]:
    """Scores of every image, Lin et al.'s and others, by name (`SCORES`).

    maps: from 0 to 1. trigger: its pixels. iou, of the boxes around marked pixels and trigger; mask, of the pixels themselves; whole,
    whether the box holds the whole trigger, and luck, how often it would at a random place; covered, whether the marked pixels do;
    pointing and precision (`pointing`, `average_precision`), without a threshold; recovery and difference (`recovery_rate`,
    `recovery_difference`) once the box is clean again.
    """
    found = marked(maps, threshold)
    box = boxes(found)
    mended = torch.where(box[:, None], clean, stamped)
    values = {
        "iou": intersection_over_union(box, boxes(trigger)),
        "mask": intersection_over_union(found, trigger),
        "whole": whole(box, trigger),
        "luck": luck(box, trigger),
        "covered": whole(found, trigger),
        "pointing": pointing(maps, trigger),
        "precision": average_precision(maps, trigger),
        "recovery": recovery_rate(model, mended, clean),
        "difference": recovery_difference(mended, clean),
    }
    return {key: value.cpu().double().numpy() for key, value in values.items()}


def thresholded(maps: Maps, thresholds: Sequence[float], trigger: Bool[Tensor, "b h w"]) -> dict[str, Float[np.ndarray, "thresholds b"]]:
    """The scores iou and whole (`scores`) of boxes at each of some thresholds."""
    found = [boxes(marked(maps, threshold)) for threshold in thresholds]
    values = {
        "iou": [intersection_over_union(box, boxes(trigger)) for box in found],
        "whole": [whole(box, trigger) for box in found],
    }
    return {key: torch.stack(each).cpu().double().numpy() for key, each in values.items()}


class Attack(NamedTuple):
    """Images whose answer a trigger turns to its target: what is to be explained, the images without it, its pixels, and which they are."""

    question: Question
    clean: Float[Tensor, "b 3 h w"]
    mask: Bool[Tensor, "b h w"]
    rows: Int[Tensor, " b"]

    def first(self, n: int) -> Attack:
        """The same of the first n images."""
        asked = Question(self.question.x[:n], self.question.target[:n], self.question.side)
        return Attack(asked, self.clean[:n], self.mask[:n], self.rows[:n])


@torch.no_grad()
def turned(
    model: nn.Module, pixels: UInt8[Tensor, "n 3 h w"], classes: Int[Tensor, " n"], trigger: Trigger, *, most: int, seed: int
) -> Attack:
    """Those of n images that are of another class than a trigger's target and get its label with the trigger, and only with it.

    Images have the trigger's targets in turn; most: how many of them are taken, in an order drawn by the seed, which is the same for all
    networks and triggers; random places are drawn by it, too. There may be none.
    """
    target = torch.arange(len(pixels)) % trigger.targets
    stamped = stamp(pixels, trigger, target, seed)
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(seed))
    taken: list[Tensor] = []
    with listening(model):
        for some in order[classes[order] != target[order]].split(64):
            pair = (normalise(images[some]).to(device_of(model)) for images in (pixels, stamped.pixels))
            before, after = (model(x).argmax(1).to(target.device) for x in pair)
            taken.append(some[(after == target[some]) & (before != target[some])])
            if sum(map(len, taken)) >= most:
                break
    rows = torch.cat([*taken, order[:0]])[:most]
    return Attack(Question(normalise(stamped.pixels[rows]), target[rows], trigger.side), normalise(pixels[rows]), stamped.mask[rows], rows)


def explanation(model: nn.Module, method: str, question: Question) -> Bool[Tensor, "b h w"]:
    """The pixels that a method marks: its maps (`attribute`), cut at its threshold."""
    return marked(attribute(model, method, question), (METHODS | VARIANTS)[method].threshold)


REFERENCES = ("random map", "random square", "perfect")


def references(attack: Attack, seed: int) -> dict[str, Maps]:
    """Maps from 0 to 1 of three explainers that set the scale for others, to be cut at 0.9.

    A random map of 8 x 8 cells; a square of the trigger's size at a random place; the trigger itself.
    """
    n, h, w = attack.mask.shape
    drawn = torch.rand(n, 66, generator=torch.Generator().manual_seed(seed))  # a row an image: the same for few images as for many
    cells = scaled(interpolate(drawn[:, :64].view(n, 1, 8, 8), (h, w)))
    side, square = attack.question.side, torch.zeros(n, h, w)
    for i, (row, column) in enumerate((drawn[:, 64:] * (torch.tensor([h, w]) - side + 1)).long().tolist()):
        square[i, row : row + side, column : column + side] = 1
    return dict(zip(REFERENCES, (cells, square, attack.mask.float()), strict=True))


class Explained(NamedTuple):
    """Scores of one method on the images of an attack, by name (b,), its maps, and seconds per image."""

    scores: dict[str, Float[np.ndarray, " b"]]
    maps: Maps
    seconds: float


def benchmark(
    model: nn.Module, attack: Attack, seed: int, among: Mapping[str, Method] = METHODS, *, known: bool = True
) -> dict[str, Explained]:
    """Every method that means something for a network, and (known) the `references`, which the seed draws; nothing without images."""
    if not len(attack.mask):
        return {}
    reference = references(attack, seed) if known else {}
    found = {}
    for method in [*methods(model, among), *reference]:
        start = time.perf_counter()
        maps = reference[method] if method in reference else attribute(model, method, attack.question)
        seconds = (time.perf_counter() - start) / len(attack.mask)
        threshold = 0.9 if method in reference else among[method].threshold
        values = scores(model, maps, threshold, attack.mask, stamped=attack.question.x, clean=attack.clean)
        found[method] = Explained(values, maps, seconds)
    return found


def cascade(model: nn.Module, fresh: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """A network whose layers become random one after the other, from the last to the first (Adebayo et al. 2018, Sec. 3).

    fresh: the same architecture with random weights. Yields what was replaced last ("none" at first, "head" for all after the last block,
    each block, then "stem") and the network, a copy of its own.
    """
    weights, names = model.state_dict(), layers(model)
    keys = list(weights)
    owner = [next((name for name in names if key.startswith(f"{name}.")), None) for key in keys]
    last = max(i for i, name in enumerate(owner) if name is not None)
    owner = [name or ("head" if i > last else "stem") for i, name in enumerate(owner)]
    yield "none", copy.deepcopy(model).eval()
    for group in ["head", *reversed(names), "stem"]:
        weights |= {key: fresh.state_dict()[key] for key, name in zip(keys, owner, strict=True) if name == group}
        changed = copy.deepcopy(model).eval()
        changed.load_state_dict(weights)
        yield group, changed


def rank_similarity(a: Maps, b: Maps) -> float:
    """Spearman correlation of the pixels of two maps, mean over images; 0 where one of them is flat."""
    pairs = zip(a.flatten(1).cpu().numpy(), b.flatten(1).cpu().numpy(), strict=True)
    with warnings.catch_warnings(action="ignore"):  # scipy warns of flat maps
        return float(np.mean([np.nan_to_num(spearmanr(*pair).statistic) for pair in pairs]))
