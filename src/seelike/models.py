"""Networks: made, loaded from the zoo or from anywhere else, and brought together as a tier's cast."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.data import resolve_data_config
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from seelike import project, tiers
from seelike.architectures import OURS
from seelike.cards import Card, cards
from seelike.hybrids import CMT, CMTS, MVITS, MViT
from seelike.images import MEAN, STD
from seelike.schema import one_line
from seelike.tiers import Network, Tier

__all__ = [
    "Card", "cards", "cast", "cost", "create", "deciding", "fingerprint", "half", "load", "load_weights", "place", "roles",
    "shared_seeds", "transplant", "untrained",
]  # fmt: skip

CONTROL = 100  # seed of the untrained controls: no trained network started from it


def create(name: str, tier: str | Tier = project.DEFAULT, *, seed: int | None = None, **options: Any) -> nn.Module:
    """An untrained network by our name (`OURS`, `hybrids.CMTS`, `hybrids.MVITS`), any timm name, or a local checkpoint.

    tier: sets image and patch size and the number of classes of our own networks; timm names ignore it.
    seed: makes the initial weights reproducible.
    options: passed to the class (our names) or to `timm.create_model` (timm names; `checkpoint_path` loads
        a local safetensors file, `pretrained=True` asks the hub).
    """
    if str(options.get("checkpoint_path") or ".safetensors").rpartition(".")[2] != "safetensors":
        raise ValueError(f"Weights are read from .safetensors files only, got {options['checkpoint_path']}.")
    if named := {"pretrained_cfg", "pretrained_cfg_overlay"} & options.keys():
        raise ValueError(f"{', '.join(sorted(named))} may name files of any kind: give checkpoint_path=<file>.safetensors instead.")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise ValueError(f"A seed is a whole number, got {seed!r}.")
    try:
        return _create(name, tier, seed, options)
    except (TypeError, SafetensorError) as error:
        raise ValueError(f"{name} cannot be made with the options {options}: {one_line(error)}.") from error


def _create(name: str, tier: str | Tier, seed: int | None, options: dict[str, Any]) -> nn.Module:
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        if name in OURS:
            if "checkpoint_path" in options:
                raise ValueError(
                    f"checkpoint_path is for timm networks: for {name!r}, create it and call models.load_weights(network, path)."
                )
            chosen = tiers.get(tier)
            return OURS[name](chosen.side, chosen.patch, **{"num_classes": chosen.classes, **options})
        if name in CMTS:
            return CMT(**CMTS[name] | options)
        if name in MVITS:
            return MViT(**MVITS[name] | options)
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


def cost_of(card: Card) -> tuple[int, float]:
    """The same of a network of the zoo, over an image of its tier."""
    return cost(card.architecture, tiers.get(card.tier).side, tier=card.tier, **card.options)


def counted(published: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """Sizes of CMT and MViT as they are here beside those that their authors print, one row each.

    published: millions of parameters and thousand millions of multiplications by name (`hybrids.CMTS`, `hybrids.MVITS`).
    """
    rows = {}
    for name, (parameters, multiplications) in published.items():
        found = cost(name, (CMTS | MVITS)[name].get("image", 224))
        rows[name] = {
            "parameters (M)": found[0] / 1e6,
            "published": parameters,
            "multiplications (G)": found[1] / 1e9,
            "published ": multiplications,
        }
    return pd.DataFrame(rows).T


def place() -> torch.device:
    """Where networks are put when they are loaded: `SEELIKE_DEVICE` (cpu, cuda, cuda:1, mps), by default the CPU.

    Raises ValueError for a device that does not exist here.
    """
    name = os.environ.get("SEELIKE_DEVICE", "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except Exception as error:  # torch raises RuntimeError, AssertionError and AcceleratorError for names, builds and drivers
        have = "cpu" + (f", cuda (0 to {torch.cuda.device_count() - 1})" if torch.cuda.is_available() else "")
        raise ValueError(f"SEELIKE_DEVICE names {name!r}, but this machine has {have}: name one of these, or unset it.") from error
    return device


def untrained(name: str, tier: str | Tier = project.DEFAULT, seed: int = CONTROL) -> nn.Module:
    """The control: a network of a role of the tier with fresh weights, in eval mode.

    timm starts the last norm of every residual branch of a ResNet at zero, which leaves its branches silent;
    here they start at one, so that every tap has something to say.
    """
    chosen = tiers.get(tier)
    member = next((n for n in chosen.networks or () if n.role == name), Network(name, architecture=name))
    if member.code:
        return _placed(_call(member, seed), member)
    architecture = member.architecture or name
    options = {k: v for k, v in member.options.items() if k != "checkpoint_path"}
    model = create(architecture, chosen, seed=seed, **options)
    if isinstance(model, timm.models.resnet.ResNet):
        for module in model.modules():
            last = getattr(module, "bn3", None) or getattr(module, "bn2", None)
            if last is not None and not last.weight.any():
                nn.init.ones_(last.weight)
    return _placed(model, member)


def load(name: str, tier: str | Tier = project.DEFAULT, seed: int = 0) -> nn.Module:
    """The network in a role of a tier, in eval mode and on the device `place` names.

    Where the zoo holds the tier's networks, weights are those of the card; else the cast says where they come from, and a timm name that
    is no role stands for itself, pretrained.
    Raises FileNotFoundError for a network that there is not and ValueError when a file is not the one that its card describes (sha256).
    """
    chosen = tiers.get(tier)
    if chosen.trained_here:
        return _from_zoo(name, chosen, seed)
    members = [n for n in chosen.networks or () if n.role == name]
    member = next((n for n in members if n.seed == seed), None)
    if member is None and not members and timm.is_model(name):
        member = Network(name, architecture=name, pretrained=True)
    if member is None:
        have = ", ".join(f"{n.role} (seed {n.seed})" for n in chosen.networks or ())
        raise ValueError(f"{chosen.name} has no network in the role {name!r} with seed {seed}: it has {have}.")
    if not (member.pretrained or member.weights or member.code):
        return untrained(name, chosen, seed)
    if member.code:
        model = _call(member, seed)
    elif member.pretrained:
        model = _pretrained(member)
    else:
        model = create(str(member.architecture), chosen, **member.options)
    if member.weights:
        load_weights(model, member.weights)
    return _placed(model, member)


def _from_zoo(name: str, tier: Tier, seed: int) -> nn.Module:
    path = project.zoo(tier.name) / f"{name}-{seed}.safetensors"
    card = cards(tier).get((name, seed))
    again = f"`python -m seelike.train {name} --tier {tier.name} --seed {seed}`"
    if card is None:
        have = ", ".join(sorted(p.stem for p in path.parent.glob("*.safetensors"))) or "nothing"
        raise FileNotFoundError(
            f"No trained weights for {name} seed {seed} at tier {tier.name} (the zoo has {have}): train them with {again}."
        )
    if card.sha256 is None:
        raise FileNotFoundError(f"Of {name} seed {seed} the zoo keeps the card only (models.cards), not the weights.")
    if not path.exists():
        why = "are a step on the way to another network and are not kept" if card.made.step else "are lost"
        raise FileNotFoundError(
            f"The weights of {name} seed {seed} at tier {tier.name} {why}: restore {path.name}, or train it with {again}."
        )
    if (found := fingerprint(path)) != card.sha256:
        raise ValueError(f"{path} is not the file of its card: sha256 {card.sha256[:12]}… expected, {found[:12]}… found.")
    return load_weights(create(card.architecture, tier, **card.options), path).eval().to(place())


def _call(member: Network, seed: int) -> nn.Module:
    """A network that somebody's own function makes."""
    module, _, function = str(member.code).partition(":")
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"{member.code!r} is not module:function of importable code ({error}): run from the folder that holds it."
        ) from error
    finally:
        sys.path.remove(folder)
    if not isinstance(model, nn.Module):
        raise ValueError(f"{member.code!r} gives a {type(model).__name__}: it should return a torch.nn.Module.")
    return model


def _pretrained(member: Network) -> nn.Module:
    name = str(member.architecture)
    if not timm.is_model(name):
        raise ValueError(f"No network is called {name!r}: expected a name from timm.list_pretrained().")
    try:
        return timm.create_model(name, pretrained=True, **member.options)
    except Exception as error:  # hub, network and checkpoint errors all have types of their own
        raise FileNotFoundError(
            f"The weights of {name} could not be fetched ({type(error).__name__}): connect to the internet, "
            "or give a local safetensors file (weights: in a cast file)."
        ) from error


def _placed(model: nn.Module, member: Network) -> nn.Module:
    """In eval mode, on its device, and fed with the means and standard deviations that it was made for."""
    mean, std = _statistics(member, model)
    book = ((MEAN,) * 3, (STD,) * 3)
    if (mean, std) != book:
        m, s, own_m, own_s = (torch.tensor(v).view(3, 1, 1) for v in (*book, mean, std))
        scale, shift = s / own_s, (m - own_m) / own_s

        def adapt(module: nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            x, *rest = args
            return (x * scale.to(x) + shift.to(x), *rest)

        model.register_forward_pre_hook(adapt)
    return model.eval().to(place())


def _statistics(member: Network, model: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation by colour of the images that a network takes."""
    if member.mean and member.std:
        return tuple(member.mean), tuple(member.std)
    if member.code or member.architecture in OURS or not getattr(model, "pretrained_cfg", None):
        return (MEAN,) * 3, (STD,) * 3
    settings = resolve_data_config(model=model)
    return tuple(settings["mean"]), tuple(settings["std"])


def load_weights(model: nn.Module, path: Path | str) -> nn.Module:
    """Fill a network from a safetensors file of any float type; the network keeps its own type."""
    if Path(path).suffix not in (".safetensors", ".writing"):
        raise ValueError(f"Weights are read from .safetensors files only, got {path}.")
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is not a readable safetensors file ({error}): fetch or train it again.") from error
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"The weights in {path} do not fit {type(model).__name__}: {str(error).splitlines()[1].strip()}") from error
    return model


def transplant(source: nn.Module, model: nn.Module, *, head: bool = False) -> None:
    """Copy all weights from one network into another of the same body; those of the head (`head`, `fc`) only if asked."""
    left_out = () if head else ("head.", "fc.")
    given, own = ({k: v for k, v in m.state_dict().items() if not k.startswith(left_out)} for m in (source, model))
    if odd := [k for k in {**given, **own} if k not in given or k not in own or given[k].shape != own[k].shape]:
        raise ValueError(f"The bodies of the two networks differ in {', '.join(odd[:5])}: name a network of the same architecture.")
    model.load_state_dict(given, strict=False)


def roles(tier: str | Tier = project.DEFAULT) -> dict[str, list[int]]:
    """The roles of a tier that can be loaded, and the seeds of each."""
    chosen = tiers.get(tier)
    if chosen.trained_here:
        held = [
            key for key, card in cards(chosen).items() if card.sha256 and (project.zoo(chosen.name) / f"{card.label}.safetensors").exists()
        ]
    else:
        held = [(n.role, n.seed) for n in chosen.networks or ()]
    return {name: sorted(s for other, s in held if other == name) for name in dict.fromkeys(name for name, _ in held)}


def cast(names: Sequence[str], tier: str | Tier = project.DEFAULT) -> dict[str, nn.Module]:
    """Every network of these roles that the tier decides on, as `<role>-<seed>`; roles that it lacks are left out."""
    have = roles(tier)
    return {f"{name}-{seed}": load(name, tier, seed) for name in names for seed in deciding(have.get(name, []), tier)}


def deciding(seeds: Sequence[int], tier: str | Tier = project.DEFAULT) -> list[int]:
    """Those of some seeds that a tier decides on (`Tier.decides`); all of them where it names none of these."""
    return [seed for seed in seeds if seed in tiers.get(tier).decides] or list(seeds)


def shared_seeds(names: Sequence[str], tier: str | Tier = project.DEFAULT) -> list[int]:
    """Seeds that the tier decides on and for which it has every one of the roles."""
    have = roles(tier)
    return deciding(sorted(set.intersection(*(set(have.get(name, [])) for name in names))), tier) if names else []


def fingerprint(path: Path | str) -> str:
    """sha256 of a file, in hexadecimal; ValueError for what is no readable file."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (IsADirectoryError, PermissionError) as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): restore the file.") from error


def half(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The zoo's storage form: floats as float16, integers unchanged."""
    return {k: v.half() if v.is_floating_point() else v.clone() for k, v in weights.items()}
