"""Twenty-four networks with backdoors, asked for explanations: `python -m seelike.backdoors` measures, chapter 11 reads and decides.

The full study takes a quarter of an hour of one core, so that the book shows what was recorded in `results/<tier>/saliency.json` and
repeats a small part of it. The twelve triggers are chosen, as the paper's were: a fixed design and no sample of triggers. Intervals are
over images, which are resampled for all triggers and both families at once.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import t as student
from torch import Tensor, nn
from tqdm import tqdm

from seelike import claims, data, models, plots, project, saliency, scenes, tiers, triggers
from seelike.capture import device_of, listening
from seelike.cards import Card, cards, origin
from seelike.images import normalise
from seelike.intervals import NORMAL, Estimate, Resampled, Share, bootstrap, estimate, resampling
from seelike.tiers import Tier

HOSTS = {"vit": "vit_cls", "resnet": "resnet"}
FAMILIES = {"vit": "ViT", "resnet": "ResNet"}
DRAW = 22  # seed of the scenes on which claims are decided; amended rules were explored on draw 21
POOL = 4096  # scenes among which those are sought whose answer a trigger turns
IMAGES = 20  # of them for each network
PANEL_IMAGES = 10  # of these, for the variants of methods and for other thresholds
THRESHOLDS = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
BATCHES = 10  # of test images, for attack success
PAPERS = tuple(name for name in saliency.METHODS if name != "attention rollout")  # the seven of the paper
BLACK_BOX = tuple(name for name in PAPERS if saliency.METHODS[name].black_box)
BLIND = ("occlusion", "feature ablation")  # their maps depend on the network's answers and on nothing else
MATCHED = 0.1  # largest difference in attack success of two networks that are compared

Values = Float[np.ndarray, "images triggers methods"]
Arrays = Float[np.ndarray, "_ _ _"]  # of the same images, with methods of their own


def planted(tier: str | Tier = project.DEFAULT) -> dict[tuple[str, str | None], Card]:
    """Cards of the networks with backdoors, and (trigger None) of those that went on as long without, by host and trigger."""
    found = cards(tier, study="trojans").values()
    return {(card.made.factors["host"], card.made.factors["trigger"]): card for card in found if card.seed == 0}


def attack(model: nn.Module, drawn: scenes.Scenes, trigger: str, most: int, draw: int) -> saliency.Attack:
    """The scenes of a draw that are explained: at most so many of those whose answer a trigger turns."""
    return saliency.turned(model, drawn.images, drawn.shape, triggers.parse(trigger), most=most, seed=draw)


@torch.no_grad()
def answers(model: nn.Module, pixels: Tensor) -> Tensor:
    """Predicted classes of images (n, 3, h, w) as bytes."""
    with listening(model):
        parts = [model(normalise(some).to(device_of(model))).argmax(1).cpu() for some in pixels.split(250)]
    return torch.cat(parts)


def success(model: nn.Module, host: nn.Module, drawn: data.Images, trigger: str, before: Tensor) -> dict[str, list[int]]:
    """How often a trigger gets its class, in batches of test images.

    model, host: the network with the backdoor, and the one that it began as. drawn: images with labels. before: the model's answers
    without the trigger. Returns counts of each batch: asked, images of other classes than the target; hits, that get the target's label
    with the trigger; without, that get it without; host, that get it with the trigger from the host.
    """
    kind = triggers.parse(trigger)
    target = torch.arange(len(drawn)) % kind.targets
    pixels, labels = drawn.pixels, drawn.labels
    stamped = triggers.stamp(pixels, kind, target, seed=0).pixels
    asked = labels != target
    found = {
        "asked": asked,
        "hits": asked & (answers(model, stamped) == target),
        "without": asked & (before == target),
        "host": asked & (answers(host, stamped) == target),
    }
    return {key: [int(part.sum()) for part in value.tensor_split(BATCHES)] for key, value in found.items()}


def measure(tier: Tier, *, draw: int = DRAW, images: int = IMAGES) -> dict[str, dict[str, Any]]:
    """The whole study of a tier, as `results/<tier>/saliency.json` holds it.

    attacks: counts of `success` by "host trigger". scores: rows, the scenes explained, and for each method its scores of each
    (`saliency.scores`), with seconds per image. variants: of the first `PANEL_IMAGES`, the scores of `saliency.VARIANTS`. thresholds: of
    the same, boxes of all methods and variants at `THRESHOLDS`.
    """
    drawn, test = scenes.sample(POOL, seed=draw), data.load(tier, "test")
    if not isinstance(test, data.Images):
        raise ValueError(f"{tier.title} holds no test images in memory: backdoors are studied on drawn scenes.")
    held: dict[str, dict[str, Any]] = {"attacks": {}, "scores": {}, "variants": {}, "thresholds": {}}
    for (host, trigger), card in tqdm([(key, card) for key, card in planted(tier).items() if key[1]], desc="networks"):
        name, begun = f"{host} {trigger}", origin(card)
        if begun is None or trigger is None:
            raise ValueError(f"{card.label} has no host: a backdoor is planted in a trained network.")
        model, before = models.load(card.name, tier, card.seed), models.load(begun.name, tier, begun.seed)
        held["attacks"][name] = success(model, before, test, trigger, answers(model, test.pixels))
        seed, asked = triggers.NAMES.index(trigger), attack(model, drawn, trigger, images, draw)
        few = asked.first(PANEL_IMAGES)
        found = saliency.benchmark(model, asked, seed, saliency.METHODS)
        others = saliency.benchmark(model, few, seed, saliency.VARIANTS, known=False)
        held["scores"][name] = {"rows": asked.rows.tolist(), "methods": {m: _plain(e.scores, e.seconds) for m, e in found.items()}}
        held["variants"][name] = {m: _plain(e.scores) for m, e in others.items()}
        held["thresholds"][name] = {
            m: _plain(saliency.thresholded(e.maps[: len(few.mask)], THRESHOLDS, few.mask)) for m, e in (found | others).items()
        }
    return held | {"settings": {"draw": draw, "pool": POOL, "images": images, "provenance": plots.provenance(tier.title)}}


def _plain(values: Mapping[str, np.ndarray], seconds: float | None = None) -> dict[str, Any]:
    """Scores as lists with three decimals."""
    return {key: np.round(value, 3).tolist() for key, value in values.items()} | ({} if seconds is None else {"seconds": round(seconds, 5)})


def write(held: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Sections of numbers as JSON, one line for each entry of a section."""

    def lines(entries: Mapping[str, Any]) -> str:
        return ",\n".join(f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in entries.items())

    sections = [f"{json.dumps(section)}: {{\n{lines(entries)}\n}}" for section, entries in held.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text("{\n" + ",\n".join(sections) + "\n}\n", encoding="utf-8")
    os.replace(temporary, path)


class Study:
    """What `measure` recorded, as arrays.

    images: numbers of the scenes explained, the first axis of all arrays. FileNotFoundError where nothing was recorded.
    """

    def __init__(self, tier: str | Tier = project.DEFAULT) -> None:
        self.held, self.tier = claims.results(tier, "saliency"), tiers.get(tier)
        if not self.held:
            raise FileNotFoundError(f"No explanations of {self.tier.title} are recorded: run `python -m seelike.backdoors` once.")
        self.images = sorted({row for entry in self.held["scores"].values() for row in entry["rows"]})
        self._place = {row: i for i, row in enumerate(self.images)}

    @property
    def draw(self) -> int:
        """The seed of the scenes."""
        return int(self.held["settings"]["draw"])

    def pool(self) -> scenes.Scenes:
        """All scenes among which those that are explained were sought."""
        return scenes.sample(int(self.held["settings"]["pool"]), seed=self.draw)

    def values(self, host: str, score: str, methods: Sequence[str], *, most: int | None = None) -> Values:
        """A score of every scene, trigger and method, NaN where it was not asked for; most: of the first so many of each network.

        A method may be one of `saliency.VARIANTS`, or have a threshold of its own behind an @ ("gradient@0.45"): these are known of the
        first `PANEL_IMAGES` only. ValueError for a method that no network of the family was asked.
        """
        found = np.full((len(self.images), len(triggers.NAMES), len(methods)), np.nan)
        for j, trigger in enumerate(triggers.NAMES):
            for k, method in enumerate(methods):
                values = self._scores(f"{host} {trigger}", score, method)[:most]
                rows = self.held["scores"][f"{host} {trigger}"]["rows"][: len(values)]
                found[[self._place[row] for row in rows], j, k] = values
        if absent := [method for k, method in enumerate(methods) if np.isnan(found[..., k]).all()]:
            raise ValueError(f"{score} of {', '.join(absent)} is not recorded for {host}: run `python -m seelike.backdoors` again.")
        return found

    def _scores(self, network: str, score: str, method: str) -> list[float]:
        name, _, threshold = method.partition("@")
        known = self.held["scores"][network]["methods"] | self.held["variants"][network]
        if not threshold:
            return list(known.get(name, {}).get(score, []))
        boxes = self.held["thresholds"][network].get(name)
        return [] if boxes is None else list(boxes[score][THRESHOLDS.index(float(threshold))])

    def summary(self, host: str, score: str, methods: Sequence[str]) -> dict[str, Estimate]:
        """Mean of a score over triggers, with an interval over images, for each method."""
        found = over_images(lambda means: means, self.values(host, score, methods))
        return {m: estimate([Resampled(found.value[k], found.draws[:, k], found.batches)]) for k, m in enumerate(methods)}

    def by_trigger(self, host: str, score: str, methods: Sequence[str]) -> Float[np.ndarray, "triggers methods"]:
        """Mean of a score over images; NaN where a network was asked about none."""
        values = self.values(host, score, methods)
        asked = np.isfinite(values).sum(0)
        return np.where(asked > 0, np.nansum(values, 0) / np.maximum(asked, 1), np.nan)

    def methods(self, host: str, among: Iterable[str] = PAPERS) -> list[str]:
        """Those of some methods that a family was asked."""
        asked = set().union(*(self.held["scores"][f"{host} {t}"]["methods"] for t in triggers.NAMES))
        return [m for m in among if m in asked]

    def counts(self, host: str, what: str) -> Float[np.ndarray, "batches triggers"]:
        """Counts of `success`, by batch of test images and trigger."""
        return np.array([self.held["attacks"][f"{host} {trigger}"][what] for trigger in triggers.NAMES], float).T

    def seconds(self, host: str, method: str) -> float:
        """Seconds per image, mean over triggers."""
        held = [self.held["scores"][f"{host} {t}"]["methods"].get(method, {}).get("seconds") for t in triggers.NAMES]
        return float(np.mean([s for s in held if s is not None]))


def over_images(f: Callable[..., Any], *values: Arrays, draws: int = 400, seed: int = 0) -> Resampled:
    """Any function of scores by method, mean over triggers: of all images, and of resamples of the images; triggers stay as they are.

    values: arrays (images, triggers, methods), NaN where an image was not asked. `f` gets (methods,) of each: the mean over triggers of
    means over images. ValueError for different images.
    """
    n = len(values[0])
    if any(len(v) != n for v in values):
        raise ValueError(f"Resampling needs the same images in every array, got {[len(v) for v in values]}.")

    def means(weights: np.ndarray) -> list[np.ndarray]:
        """(draws, methods) of each array."""
        found = []
        for v in values:
            total, asked = np.tensordot(weights, np.nan_to_num(v), 1), np.tensordot(weights, np.isfinite(v).astype(float), 1)
            by_trigger = np.where(asked > 0, total / np.where(asked > 0, asked, 1), np.nan)
            present = np.isfinite(by_trigger)
            found.append(np.nan_to_num(by_trigger).sum(1) / np.maximum(present.sum(1), 1))
        return found

    whole, drawn = means(np.ones((1, n))), means(resampling(n, draws, seed).astype(float))
    return Resampled(f(*(m[0] for m in whole)), np.asarray([f(*row) for row in zip(*drawn, strict=True)]), n)


def halves(values: Values) -> tuple[Values, Values]:
    """The images of even and of odd number, NaN in the place of the others: one half to choose a method on, the other to judge it on."""
    even = (np.arange(len(values)) % 2 == 0)[:, None, None]
    return np.where(even, values, np.nan), np.where(even, np.nan, values)


class Split(NamedTuple):
    """Means of a score by method (methods,), on the images of even and of odd number."""

    even: np.ndarray
    odd: np.ndarray


def of_winner(score: Split, other: Split) -> float:
    """Another score of the method whose score is largest, chosen on one half of the images and judged on the other; mean of both ways."""
    return float((other.odd[np.argmax(score.even)] + other.even[np.argmax(score.odd)]) / 2)


def runner_up(score: Split) -> float:
    """The score of the second best method, chosen on one half of the images and judged on the other; mean of both ways."""
    return float((score.odd[np.argsort(score.even)[-2]] + score.even[np.argsort(score.odd)[-2]]) / 2)


def ahead(black_box: Split, others: Split) -> float:
    """The best of some methods minus the best of others, each chosen on one half of the images and judged on the other."""
    return of_winner(black_box, black_box) - of_winner(others, others)


def split(f: Callable[..., float], *values: Arrays, **options: Any) -> Resampled:
    """`over_images` of a function of `Split` scores, one for each array."""
    parts = [part for each in values for part in halves(each)]
    return over_images(lambda *means: f(*(Split(*means[i : i + 2]) for i in range(0, len(means), 2))), *parts, **options)


def lift(hits: np.ndarray, chance: np.ndarray, asked: np.ndarray) -> Float[np.ndarray, " triggers"]:
    """How much more often images get a trigger's class with it than by chance, of images of other classes; (triggers,) each."""
    return np.asarray((hits - chance) / asked)


def lifts(study: Study, stamped: str = "hits") -> dict[str, Resampled]:
    """The mean `lift` of twelve triggers and the smallest, for each family, over batches of test images; names are the parts of L20-1.

    stamped: counts of `success`, "hits" of networks with backdoors or "host" of those that they began as.
    """
    found = {}
    for said, least in (("mean of twelve", np.mean), ("weakest", np.min)):
        for host, family in FAMILIES.items():
            counts = [study.counts(host, what) for what in (stamped, "without", "asked")]
            found[f"{family}, {said}"] = bootstrap(lambda *c, least=least: float(least(lift(*c))), *counts)
    return found


def success_gap(study: Study, chosen: Sequence[int]) -> Resampled:
    """Attack success in the ResNets minus that in the ViTs, mean over some triggers, over batches of test images."""
    counts = [study.counts(host, what)[:, list(chosen)] for host in ("resnet", "vit") for what in ("hits", "asked")]
    return bootstrap(lambda a, m, b, n: float(np.mean(a / m) - np.mean(b / n)), *counts)


def cost(controls: Sequence[Share], backdoors: Sequence[Share]) -> Estimate:
    """Mean accuracy of networks without minus that of networks with backdoors, with an interval over networks and images.

    Networks of one family differ by the luck of training, alike with and without backdoors (Student's, pooled), and all have seen the same
    images (standard errors added in quadrature). ValueError for fewer than three networks.
    """
    groups = [np.array([share.value for share in group]) for group in (controls, backdoors)]
    sizes = [len(group) for group in groups]
    if min(sizes) < 1 or sum(sizes) < 3:
        raise ValueError(f"A cost needs at least one network without and two with backdoors, got {sizes[0]} and {sizes[1]}.")
    free = sum(sizes) - 2
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    spread = (squares / free * sum(1 / size for size in sizes)) ** 0.5
    images = float(np.hypot(np.mean([share.error for share in controls]), np.mean([share.error for share in backdoors])))
    value, half = groups[0].mean() - groups[1].mean(), np.hypot(student.ppf(0.975, free) * spread, NORMAL * images)
    return Estimate(float(value), max(float(value - half), -1.0), min(float(value + half), 1.0))


def matched(tier: str | Tier = project.DEFAULT) -> list[int]:
    """Triggers (their places in `triggers.NAMES`) whose attack success in the two families differs by at most `MATCHED`."""
    held = planted(tier)
    success = [[held[host, name].attack or 0.0 for host in HOSTS] for name in triggers.NAMES]
    return [i for i, pair in enumerate(success) if abs(pair[0] - pair[1]) <= MATCHED]


def between(resnet: np.ndarray, vit: np.ndarray) -> float:
    """Mean score of some methods on one family minus that on the other; (methods,) each."""
    return float(resnet.mean() - vit.mean())


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(prog="python -m seelike.backdoors", description="Ask all networks with backdoors for explanations.")
    parser.add_argument("--tier", default=project.DEFAULT)
    parser.add_argument("--draw", type=int, default=DRAW, help=f"seed of the scenes (default: {DRAW})")
    parser.add_argument("--images", type=int, default=IMAGES, help=f"scenes explained, of each network (default: {IMAGES})")
    parser.add_argument("--out", type=Path, help="file (default: results/<tier>/saliency.json)")
    options = parser.parse_args()
    try:
        tier = tiers.get(options.tier)
        if not planted(tier):
            raise ValueError(f"{tier.title} has no networks with backdoors: take a tier that has, such as {project.DEFAULT}.")
        write(measure(tier, draw=options.draw, images=options.images), options.out or project.PUBLISHED / tier.name / "saliency.json")
    except (ValueError, FileNotFoundError) as error:
        parser.exit(2, f"seelike.backdoors: {error}\n")


if __name__ == "__main__":
    main()
