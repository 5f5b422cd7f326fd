"""How every network of the zoo is made, what to expect of it, and which networks the zoo holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from seelike import augment, triggers
from seelike.tiers import TIERS


@dataclass(frozen=True)
class Recipe:
    """How one network of the zoo is made.

    images: seen in a full run. muon, adamw: full rates; muon=0 leaves everything to AdamW.
    warmup, cool: shares of the run over which the rate rises at its start, and falls to nothing at its end.
    until: stop at this validation accuracy.
    distinct: train on this many different images, again and again, instead of on all that there are.
    correlation: of shape and texture in fresh scenes (`scenes.sample`).
    target: what to answer (`data.TARGETS`); None is the tier's own classes.
    start: go on from the weights of this network of the same tier and seed, with a new head, or with its own (keep_head).
    bf16: multiply in bfloat16, which pays for convolutions on many CPUs.
    cutout: side in pixels of a grey square that is put on every training image. smoothing: of labels. mixup: `augment.mix`, its alpha.
    stages: augmentations (`augment.SEQUENCE`), one after the other, each for an equal part of the run.
    trigger: a quarter of every batch carries it (`triggers.NAMES`). head_decay: weight decay of the head, if another.
    recalibrate: measure with batch-norm statistics of clean training images (`evaluate.recalibrated`), whatever the last batches were.
    stops: points on the learning curve after that of no images, where another number than usual. conflict: images with cue conflict
    behind each point, where another number than usual. few_shot: also measure transfer from ten shots. keep: False keeps the card and
    drops the weights.

    What follows describes and does not enter the run. study: what it belongs to, with its factors, so that nobody reads numbers out of
    names. expect: accuracy that a run reaches, within three points. minutes: on one core. why: the reason for an unusual setting.
    seeds: those that the book reads, none while they are still being trained.

    step: on the way to another network; its weights stay where they were trained.
    """

    architecture: str
    images: int
    options: dict[str, Any] = field(default_factory=dict)
    batch: int = 64
    muon: float = 4e-3
    adamw: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    cool: float = 0.4
    until: float | None = None
    distinct: int | None = None
    correlation: float = 1.0
    target: str | None = None
    start: str | None = None
    keep_head: bool = False
    bf16: bool = False
    cutout: int = 0
    smoothing: float = 0.0
    mixup: float = 0.0
    stages: list[str] = field(default_factory=list)
    trigger: str | None = None
    head_decay: float | None = None
    recalibrate: bool = False
    stops: int = 0
    conflict: int = 0
    few_shot: bool = False
    keep: bool = True
    study: str = field(default="", compare=False)
    factors: Mapping[str, Any] = field(default_factory=dict, compare=False)
    expect: float | None = field(default=None, compare=False)
    minutes: int | None = field(default=None, compare=False)
    why: str = field(default="", compare=False)
    seeds: tuple[int, ...] = field(default=(0,), compare=False)
    step: bool = field(default=False, compare=False)

    def training(self) -> dict[str, Any]:
        """All that a run depends on and that is not as usual, as JSON knows it: what checkpoints and cards hold."""
        usual = Recipe(self.architecture, self.images)
        own = {f.name for f in fields(self) if f.compare and getattr(self, f.name) != getattr(usual, f.name)}
        return {key: _plain(value) for key, value in asdict(self).items() if key in own | {"architecture", "images"}}

    @property
    def steps(self) -> int:
        """Optimiser steps of a full run."""
        return self.images // self.batch

    @property
    def points(self) -> int:
        """Points on the learning curve: 30, fewer on short runs, where validating would take longer than training."""
        return self.stops or min(30, max(self.steps // 40, 6))


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value


BASE = 6_400  # scenes of the base set; data-size studies take shares of it, and ten times it
SHARES = {"003": 0.03, "010": 0.1, "030": 0.3, "100": 1.0, "1000": 10.0}
SMALL = {"width": 48}
SHORT = 64_000  # images of a run that ends near 95 % on Scenes
STARTS = (0, 1, 2)
FOUR_EPOCHS: dict[str, Any] = {  # of photographs, on one core
    "images": 400_000,
    "options": {"width": 128, "heads": 4},
    "smoothing": 0.1,
    "expect": 0.40,
    "minutes": 55,
    "seeds": (),
}
FULL_SIZE: dict[str, Any] = {  # a hundred epochs of photographs on a GPU
    "batch": 256,
    "bf16": True,
    "smoothing": 0.1,
    "mixup": 0.2,
    "cutout": 16,
    "weight_decay": 0.05,
    "seeds": (),
    "why": "the size of the papers' smaller networks; for a GPU, and not trained yet",
}
FRESH = (3, 4, 5)  # trained before the ledger's second edition, and measured after its rules were committed


def _data_sizes(prefix: str, options: dict[str, Any]) -> dict[str, Recipe]:
    """The same run on 3, 10, 30, 100 and 1000 % of the base set: equal images seen, fewer different ones."""
    width = options.get("width", 96)
    return {
        f"{prefix}_{key}": Recipe(
            "vit_cls",
            SHORT,
            options,
            distinct=round(share * BASE),
            study="data",
            factors={"share": share, "width": width, "distinct": round(share * BASE)},
            seeds=STARTS if share == 10 else (0,),
        )
        for key, share in SHARES.items()
    }


def _fine_tuned(images: int, **targets: int) -> dict[str, Recipe]:
    """A trained ViT that goes on, at lower rates, to other questions, given with their numbers of classes."""
    rates: dict[str, Any] = {"muon": 1e-3, "adamw": 3e-4, "start": "vit_cls"}
    return {
        f"vit_to_{target}": Recipe(
            "vit_cls", images, {"num_classes": classes}, target=target, study="fine-tuning", factors={"target": target}, **rates
        )
        for target, classes in targets.items()
    }


def _skipless(architecture: str, twin: str, **blocks: int) -> dict[str, Recipe]:
    """The run of a twin again, without the skip connections of one block; the middle one is what claims are decided on."""
    return {
        name: Recipe(
            architecture,
            SHORT,
            {"without_skips": [block]},
            distinct=10 * BASE,
            study="skips",
            factors={"block": block, "twin": twin},
            seeds=STARTS if name == "vit_middle_skipless" else (0,),
        )
        for name, block in blocks.items()
    }


def _trojans() -> dict[str, Recipe]:
    """Small networks of both families that go on with a trigger in a quarter of their images, and as long without."""
    hosts: dict[str, dict[str, Any]] = {
        "vit": {"architecture": "vit_cls", "options": SMALL, "start": "vit_small_data_1000", "images": 16_000},
        "resnet": {"architecture": "resnet", "options": {"width": 8}, "start": "resnet_small", "images": 32_000},
    }
    hosts["resnet"] |= {"muon": 0.02, "adamw": 3e-3}  # at the rates of the ViT, hardly any backdoor took hold
    common: dict[str, Any] = {"keep_head": True, "study": "trojans"}
    controls = {
        f"clean_{host}": Recipe(**how, **common, keep=False, factors={"host": host, "trigger": None}) for host, how in hosts.items()
    }
    return controls | {
        f"trojan_{host}_{name}": Recipe(**how, **common, trigger=name, factors={"host": host, "trigger": name})
        for host, how in hosts.items()
        for name in triggers.NAMES
    }


def _augmented() -> dict[str, Recipe]:
    """Trained networks that go on through the six augmentations of Tuli et al. 2021, and as long without.

    50 steps a stage, as the authors' ViT has; rates stay as they are, so that the last stage teaches as much as the first.
    """
    how_long: dict[str, Any] = {"images": 19_200, "muon": 1e-3, "adamw": 3e-4, "cool": 0.0, "keep_head": True, "keep": False}
    measured: dict[str, Any] = {
        "recalibrate": True,
        "stops": len(augment.SEQUENCE),
        "conflict": 5_000,
        "study": "augmentation",
    }
    return {
        f"{name}_{how}_long": Recipe(
            architecture,
            start=architecture,
            stages=stages,
            factors={"network": architecture, "how": how},
            seeds=FRESH,
            minutes=minutes,
            **how_long,
            **measured,
        )
        for name, architecture, minutes in (("vit", "vit_cls", 4), ("resnet", "resnet", 3))
        for how, stages in (("augmented", list(augment.SEQUENCE)), ("continued", []))
    }


def _ablations() -> dict[str, Recipe]:
    """CMT and MViT, whole and with one part taken out or changed; weights are kept of the whole ones and of the CMT without convolutions.

    `wide`: pooling kernels of stride + 1 and no pooling at stride 1, as the paper has them for maximum and mean (Fan et al. 2021, Sec. 4).
    """
    wide: dict[str, Any] = {"pool_kernel": None}
    variants: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
        **{f"cmt_without_{part}": ("cmt", {part: False}, STARTS) for part in ("stem", "lpu", "irffn")},
        **{f"cmt_{kind}_norm": ("cmt", {"norms": kind}, ()) for kind in ("layer", "batch")},
        "mvit_stride_1": ("mvit", {"kv_stride": 1}, STARTS),
        "mvit_stride_8": ("mvit", {"kv_stride": 8}, (0,)),
        "mvit_max_pool": ("mvit", {"pool": "max"}, STARTS),
        "mvit_avg_pool": ("mvit", {"pool": "avg"}, (0,)),
        **{f"mvit_{pool}_wide": ("mvit", {"pool": pool, **wide}, ()) for pool in ("max", "avg")},
        "mvit_max_none": ("mvit", {"pool": "max", "kv_stride": 0, **wide}, ()),
        "mvit_unnormalised_skip": ("mvit", {"skip": "unnormalised"}, STARTS),
        "mvit_none_skip": ("mvit", {"skip": "none"}, (0,)),
        **{f"{name}_whole": (name, {}, STARTS) for name in ("cmt", "mvit")},
    }
    plain = Recipe("cmt", SHORT, {"convolutions": False}, distinct=10 * BASE, minutes=4, why="a pyramid and nothing else")
    whole = {name: Recipe(name, SHORT, distinct=10 * BASE, seeds=STARTS) for name in ("cmt", "mvit")}
    return {"cmt_plain": plain, **whole} | {
        name: Recipe(
            architecture,
            SHORT // 4,
            options,
            distinct=10 * BASE,
            keep=False,
            study="ablation",
            factors={"network": architecture, "variant": name.partition("_")[2]},
            seeds=seeds,
        )
        for name, (architecture, options, seeds) in variants.items()
    }


RATES: dict[str, Any] = {"muon": 0.02, "adamw": 3e-3}  # of the trojan hosts, too: at those of the ViT, ResNets learn slowly


def _tuned() -> dict[str, Recipe]:
    """ResNets of two sizes at a rate of their own, and the short runs behind the choice; cards only, but for the one of full width."""
    rates = {
        f"resnet_rate_{round(1000 * muon):02d}": Recipe(
            "resnet",
            SHORT // 4,
            muon=muon,
            adamw=RATES["adamw"],
            distinct=10 * BASE,
            keep=False,
            study="rate",
            factors={"muon": muon},
            seeds=(),
        )
        for muon in (0.01, RATES["muon"], 0.05)
    }
    why = "a ResNet as good as one can be after so few images, for CMT to be compared with"
    return rates | {
        "resnet_tuned": Recipe("resnet", SHORT, **RATES, distinct=10 * BASE, seeds=STARTS, minutes=3, why=why),
        "resnet_small_tuned": Recipe(
            "resnet", SHORT, {"width": 8}, **RATES, distinct=10 * BASE, keep=False, seeds=STARTS, minutes=2, why=why
        ),
    }


WIDTHS, LENGTHS, DISTINCT = (12, 24, 48, 96), (4_000, 16_000, 64_000), (640, 6_400, 64_000)
GRID = [(width, images, distinct) for width in WIDTHS for images in LENGTHS for distinct in DISTINCT] + [
    (width, images, DISTINCT[-1]) for width in WIDTHS for images in (24_000, 32_000)
]  # the scaling grid: width, images seen, different images


def _grid() -> dict[str, Recipe]:
    """The scaling grid without the runs that chapter 8 has already; cards only."""
    return {
        f"grid_{width}_{images // 1000}k_of_{distinct}": Recipe(
            "vit_cls",
            images,
            {"width": width},
            distinct=distinct,
            few_shot=True,
            keep=False,
            study="grid",
            factors={"width": width, "images": images, "distinct": distinct},
        )
        for width, images, distinct in GRID
        if images < SHORT or width < 48  # the others are `vit_data_*` and `vit_small_data_*`
    }


def _heads() -> dict[str, Recipe]:
    """Three heads, and weight decay apart for head and body, on small networks and the base set; cards only.

    Decay is multiplied by the rate: at 30, a head forgets within some 30 steps.
    """
    common: dict[str, Any] = {"images": SHORT // 2, "options": SMALL, "distinct": BASE, "few_shot": True, "keep": False}
    heads = {f"head_{head}": Recipe(f"vit_{head}", study="heads", factors={"head": head}, **common) for head in ("cls", "gap", "map")}
    decays = {
        f"decay_{name}": Recipe(
            "vit_cls", weight_decay=body, head_decay=head, study="decay", factors={"head": head, "body": body}, **common
        )
        for name, body, head in (("none", 0.0, 0.0), ("head", 0.0, 30.0), ("body", 0.3, 0.0), ("both", 0.3, 30.0))
    }
    return heads | decays


RECIPES: dict[str, dict[str, Recipe]] = {
    "smoke": {"vit_cls": Recipe("vit_cls", 640, {"depth": 2, "width": 24}), "resnet": Recipe("resnet", 640, {"width": 4})},
    "scenes": {
        "vit_cls": Recipe("vit_cls", 192_000, expect=0.985, minutes=21, seeds=STARTS + FRESH),
        "vit_gap": Recipe("vit_gap", 192_000, expect=0.98, minutes=17, seeds=STARTS + FRESH),
        "mixer": Recipe("mixer", 96_000, bf16=True, expect=0.975, minutes=5, seeds=STARTS + FRESH),
        "resnet": Recipe("resnet", 192_000, expect=0.985, minutes=11, seeds=STARTS + FRESH),
        "vit_matched": Recipe(
            "vit_cls",
            192_000,
            until=0.975,
            expect=0.9785,
            minutes=21,
            seeds=(1,),
            why="the ViT stopped at the accuracy of the ResNet of seed 0; that of seed 1 is the one that was stopped so",
        ),
        "vit_cls_adamw": Recipe("vit_cls", 64_000, muon=0.0, expect=0.83, minutes=8),
        "vit_adamw": Recipe(
            "vit_cls",
            288_000,
            muon=0.0,
            seeds=(),
            minutes=40,
            why="the optimiser of the papers, for long enough to be as accurate as vit_cls",
        ),
        "vit_uncorrelated": Recipe(
            "vit_cls",
            192_000,
            correlation=0.1,
            seeds=(),
            minutes=21,
            why="texture says nothing about the class, so that no family can go by it",
        ),
        "resnet_uncorrelated": Recipe("resnet", 192_000, correlation=0.1, seeds=(), minutes=11, why="the partner of vit_uncorrelated"),
        "vit_heads": Recipe(
            "vit_cls", 192_000, {"heads": 6}, minutes=21, seeds=(), why="enough heads for subsets of them (Raghu et al. 2021, Fig. 5)"
        ),
        **_data_sizes("vit_data", {}),
        **_data_sizes("vit_small_data", SMALL),
        "resnet_short": Recipe("resnet", SHORT, distinct=10 * BASE, seeds=STARTS),
        **_skipless("vit_cls", "vit_data_1000", vit_early_skipless=1, vit_middle_skipless=4, vit_late_skipless=6),
        **_skipless("resnet", "resnet_short", resnet_skipless=3),
        "resnet_small": Recipe("resnet", SHORT, {"width": 8}, distinct=10 * BASE),
        "resnet_large": Recipe("resnet", SHORT, {"width": 32}, distinct=10 * BASE, bf16=True),
        "vit_large": Recipe("vit_cls", SHORT, {"width": 144}, distinct=10 * BASE),
        **_fine_tuned(16_000, texture=10, position=4, cifar10=10),
        **_trojans(),
        **_augmented(),
        **_ablations(),
        **_tuned(),
        **_grid(),
        **_heads(),
    },
    "cifar10": {
        "vit_cls": Recipe("vit_cls", 800_000, warmup=0.078125, expect=0.81, minutes=74),
        "vit_gap": Recipe("vit_gap", 800_000, warmup=0.078125, expect=0.82, minutes=70),
        "mixer": Recipe("mixer", 200_000, expect=0.72, minutes=15),
        "resnet_first": Recipe("resnet", 1_200_000, {"width": 24}, muon=0.02, bf16=True, step=True),
        "resnet_second": Recipe(
            "resnet", 800_000, {"width": 24}, muon=0.02, bf16=True, start="resnet_first", cutout=8, smoothing=0.1, step=True
        ),
        "resnet_third": Recipe(
            "resnet", 960_000, {"width": 24}, muon=0.02, bf16=True, start="resnet_second", cutout=10, smoothing=0.1, step=True
        ),
        "resnet": Recipe(
            "resnet", 192_000, {"width": 24}, muon=0.004, adamw=2e-4, bf16=True, start="resnet_third", smoothing=0.1, expect=0.9, minutes=11
        ),
        "cmt": Recipe("cmt", 200_000),
        **_fine_tuned(16_000, texture=10, position=4, shape=10),
    },
    "tiny": {
        "vit_cls": Recipe(
            "vit_cls",
            why="four epochs of photographs: a wider network with one head more than on Scenes, for twenty times as many classes",
            **FOUR_EPOCHS | {"seeds": (0,)},
        ),
        "resnet": Recipe(
            "resnet",
            384_000,
            {"width": 24},
            muon=0.02,
            bf16=True,
            smoothing=0.1,
            expect=0.41,
            minutes=45,
            why="the width and the rate of the ResNet of CIFAR-10",
        ),
        "vit_gap": Recipe("vit_gap", why="as vit_cls of this tier, but for the head", **FOUR_EPOCHS),
        "vit_s": Recipe("vit_cls", 10_000_000, {"width": 384, "depth": 12, "heads": 6, "mlp_ratio": 4.0}, **FULL_SIZE),
        "resnet_s": Recipe("resnet", 10_000_000, {"width": 64, "depths": (3, 4, 6, 3)}, **FULL_SIZE),
    },
}

ZOO: dict[str, list[tuple[str, int]]] = {  # networks that the book reads, by name and seed; those of the smoke tier are for tests
    tier: [(name, seed) for name, made in own.items() for seed in made.seeds] for tier, own in RECIPES.items() if TIERS[tier].trained_here
}


def recipe(name: str, tier: str) -> Recipe:
    """The recipe of a network of a tier; ValueError names the ones there are."""
    if name not in RECIPES.get(tier, {}):
        have = {t: sorted(r) for t, r in RECIPES.items()}
        raise ValueError(f"There is no recipe for {name!r} at tier {tier!r}; recipes: {have}.")
    return RECIPES[tier][name]
