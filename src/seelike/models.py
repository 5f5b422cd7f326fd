"""Architectures and trained weights.

`create` builds, `load` brings a trained network of a tier's zoo, `cards` says what the zoo holds.
The zoo's networks are those of `seelike.architectures`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.data import create_transform, resolve_data_config
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from seelike import hybrids, mvit
from seelike.architectures import GEOMETRY, OURS
from seelike.project import TIERS, zoo


def transplant(source: nn.Module, model: nn.Module, *, head: bool = False) -> None:
    """Copy all weights from one network into another of the same body; those of the head (`head`, `fc`) only if asked."""
    left_out = () if head else ("head.", "fc.")
    given, own = ({k: v for k, v in m.state_dict().items() if not k.startswith(left_out)} for m in (source, model))
    if odd := [k for k in {**given, **own} if k not in given or k not in own or given[k].shape != own[k].shape]:
        raise ValueError(f"The bodies of the two networks differ in {', '.join(odd[:5])}: name a network of the same architecture.")
    model.load_state_dict(given, strict=False)


IMAGENET = {  # who plays our parts at the imagenet tier; any other timm name plays itself
    "vit_cls": "vit_base_patch16_224.augreg_in21k_ft_in1k",
    "resnet": "resnetv2_50x1_bit.goog_in21k_ft_in1k",
    "mixer": "mixer_b16_224.goog_in21k_ft_in1k",
}


def transform(name: str, tier: str = "imagenet") -> Callable[[Image.Image], torch.Tensor] | None:
    """The preprocessing that a timm network was trained for, from a PIL image to a tensor (3, h, w); None for our tiers."""
    if tier != "imagenet":
        return None
    settings = timm.get_pretrained_cfg(IMAGENET.get(name, name))
    if settings is None:
        raise ValueError(f"timm knows no preprocessing for {name!r}: expected {', '.join(IMAGENET)}, or a name with pretrained weights.")
    return create_transform(**resolve_data_config(pretrained_cfg=settings.to_dict()))


def create(name: str, tier: str = "scenes", *, seed: int | None = None, **options: Any) -> nn.Module:
    """An untrained network by our name (`OURS`, `hybrids.CMTS`, `mvit.MVITS`), any timm name, or a local checkpoint.

    tier: sets image and patch size of our own networks; timm names ignore it.
    seed: makes the initial weights reproducible.
    options: passed to the class (our names) or to `timm.create_model` (timm names; `checkpoint_path` loads
        a local safetensors file, `pretrained=True` asks the hub).
    """
    if str(options.get("checkpoint_path", ".safetensors")).rpartition(".")[2] != "safetensors":
        raise ValueError(f"Weights are read from .safetensors files only, got {options['checkpoint_path']}.")
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        if name in OURS:
            if "checkpoint_path" in options:
                raise ValueError(
                    f"checkpoint_path is for timm networks: for {name!r}, create it and call models.load_weights(network, path)."
                )
            if tier not in GEOMETRY:
                raise ValueError(f"Tier {tier!r} has no networks of ours (it has {', '.join(GEOMETRY)}): use a timm name.")
            return OURS[name](tier, **options)
        if name in hybrids.CMTS:
            return hybrids.CMT(**hybrids.CMTS[name] | options)
        if name in mvit.MVITS:
            return mvit.MViT(**mvit.MVITS[name] | options)
        if timm.is_model(name):
            return timm.create_model(name, **options)
    raise ValueError(f"No network is called {name!r}: expected one of {', '.join(OURS)}, or a name from timm.list_models().")


def cost(name: str, side: int, **options: Any) -> tuple[int, float]:
    """Parameters of a network, and multiplications of one forward pass over a side x side image; no weights are made."""
    with torch.device("meta"):
        model = create(name, **options).eval()
        x = torch.empty(1, 3, side, side)
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False  # type: ignore[assignment]  # the counter does not know fused attention on this device
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    return sum(p.numel() for p in model.parameters()), counter.get_total_flops() / 2


def place() -> torch.device:
    """Where networks are put when they are loaded: `SEELIKE_DEVICE` (cpu, cuda, cuda:1, ...), by default the CPU."""
    return torch.device(os.environ.get("SEELIKE_DEVICE", "cpu"))


def untrained(name: str, tier: str = "scenes", seed: int = 100) -> nn.Module:
    """The control: a network of the tier with fresh weights, in eval mode.

    timm starts the last norm of every residual branch of a ResNet at zero, which leaves its branches silent;
    here they start at one, so that every tap has something to say.
    """
    if tier != "imagenet":
        return create(name, tier, seed=seed, **({"zero_init_last": False} if name == "resnet" else {})).eval().to(place())
    return create(IMAGENET.get(name, name), tier, seed=seed).eval().to(place())


def load(name: str, tier: str = "scenes", seed: int = 0) -> nn.Module:
    """The trained network of a tier in eval mode (untrained at the smoke tier; also a timm name at the imagenet tier).

    Raises FileNotFoundError for a network that the zoo lacks and ValueError when the file is not the one
    its card describes (sha256).
    """
    if tier == "imagenet":
        return _pretrained(IMAGENET.get(name, name)).eval().to(place())
    if tier == "smoke":
        return untrained(name, tier, seed)
    _check(tier)
    path = zoo(tier) / f"{name}-{seed}.safetensors"
    if not path.exists() and path.with_suffix(".json").exists():
        raise FileNotFoundError(f"Of {name} seed {seed} the zoo keeps the card only (models.cards), not the weights.")
    if not path.exists():
        have = ", ".join(sorted(p.stem for p in path.parent.glob("*.safetensors"))) or "nothing"
        raise FileNotFoundError(
            f"No trained weights for {name} seed {seed} at tier {tier} (the zoo has {have}): "
            f"train them with `python -m seelike.train {name} --tier {tier} --seed {seed}`."
        )
    card = json.loads(path.with_suffix(".json").read_text())
    found = fingerprint(path)
    if found != card["sha256"]:
        raise ValueError(f"{path} is not the file of its card: sha256 {card['sha256'][:12]}… expected, {found[:12]}… found.")
    model = create(card["architecture"], tier, **card["options"])
    return load_weights(model, path).eval().to(place())


def _pretrained(name: str) -> nn.Module:
    if not timm.is_model(name):
        raise ValueError(f"No network is called {name!r}: the imagenet tier takes {', '.join(IMAGENET)}, or a timm name.")
    try:
        return timm.create_model(name, pretrained=True)
    except Exception as error:  # hub, network and checkpoint errors all have types of their own
        raise FileNotFoundError(
            f"The weights of {name} could not be fetched ({type(error).__name__}): connect to the internet, "
            "or give create(..., checkpoint_path=<file>.safetensors)."
        ) from error


def load_weights(model: nn.Module, path: Path | str) -> nn.Module:
    """Fill a network from a safetensors file of any float type; the network keeps its own type."""
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a readable safetensors file ({error}): fetch or train it again.") from error
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"The weights in {path} do not fit {type(model).__name__}: {str(error).splitlines()[1].strip()}") from error
    return model


def cards(tier: str = "scenes") -> list[dict[str, Any]]:
    """The zoo's cards, sorted by name and seed: name, seed, accuracy, sha256, recipe, curves, time and versions."""
    _check(tier)
    found = [json.loads(path.read_text()) for path in zoo(tier).glob("*.json")]
    return sorted(found, key=lambda card: (card["name"], card["seed"]))


def cast(names: Sequence[str], tier: str = "scenes") -> dict[str, nn.Module]:
    """Every network of these names that the tier has, all seeds, as `<name>-<seed>`; names that it lacks are left out."""
    if tier == "imagenet":
        pairs = [(name, 0) for name in names if name in IMAGENET]
    elif tier == "smoke":
        pairs = [(name, 0) for name in names if name in OURS]
    else:
        held = cards(tier)
        pairs = [(card["name"], card["seed"]) for name in names for card in held if card["name"] == name]
    return {f"{name}-{seed}": load(name, tier, seed) for name, seed in pairs}


def shared_seeds(names: Sequence[str], tier: str = "scenes") -> list[int]:
    """Seeds for which the zoo has every one of the networks; the imagenet and smoke tiers have one each."""
    if tier in ("imagenet", "smoke"):
        return [0]
    have = {(card["name"], card["seed"]) for card in cards(tier)}
    return sorted({seed for _, seed in have if all((name, seed) in have for name in names)})


def _check(tier: str) -> None:
    if tier not in TIERS:
        raise ValueError(f"There is no tier {tier!r}: expected one of {', '.join(TIERS)}.")


def fingerprint(path: Path | str) -> str:
    """sha256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def half(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The zoo's storage form: floats as float16, integers unchanged."""
    return {k: v.half() if v.is_floating_point() else v.clone() for k, v in weights.items()}
