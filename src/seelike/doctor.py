"""`python -m seelike.doctor [--cast mine.yml]`: what is installed, which tiers can run here, and whether a cast would."""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import timeit
from importlib.metadata import version
from pathlib import Path

import torch

from seelike import capture, data, models, project, tiers
from seelike.tiers import Folder, Hub, Tier

CHAPTERS = ("02", "03", "04", "05", "06", "07", "08", "09")  # that follow a cast
PASSES, FIELDS = 40, 20_000  # forward passes an image in all of them, up to 1,000 images; and what receptive fields cost


def state(tier: Tier) -> str:
    """ "can run", or what is missing and what to do."""
    if tier.trained_here and not models.roles(tier):
        return f"no weights in {project.zoo(tier.name)}: run `make zoo`"
    if isinstance(tier.images, Hub):
        mirror = os.environ.get("SEELIKE_MIRROR")
        if mirror and not list((Path(mirror) / "datasets" / tier.images.name / tier.images.folder).glob("*.parquet")):
            return f"SEELIKE_MIRROR has no {tier.images.name}: lay it out like the hub, or unset the variable to use the hub"
        if not mirror:
            return f"can run if {tier.images.name} can be reached on the hub, or with SEELIKE_MIRROR set"
    if isinstance(tier.images, Folder) and not tier.images.path.is_dir():
        unset = re.findall(r"\$\{?(\w+)", str(tier.images.path))
        return f"{unset[0]} is not set, and names the folder of its images" if unset else f"there is no folder {tier.images.path}"
    if lost := [str(n.weights) for n in tier.networks or () if n.weights and not n.weights.is_file()]:
        return f"no weights {Path(lost[0]).name}: fetch them (for those of the book, python -m seelike.pretrained)"
    slow = any(n.pretrained for n in tier.networks or ()) and models.place().type == "cpu"
    return "can run" + ("; weights come from the hub, and a CPU will take hours (SEELIKE_DEVICE=cuda)" if slow else "")


@torch.no_grad()
def examine(tier: Tier) -> list[str]:
    """What a cast's images and networks are, a line each: size, layers, blocks, attention, minutes that chapters 2 to 9 may take."""
    images = data.load(tier, "test")
    x = data.load(tier, "test", min(8, len(images))).images
    known = f"{len(images.classes)} classes" if tier.classes else "without labels"
    lines = [f"images: {len(images)}, {tier.side} x {tier.side} pixels, {known}" + (", truth known" if tier.truth else "")]
    seconds = 0.0
    for role, seeds in models.roles(tier).items():
        for seed in seeds:
            model = models.load(role, tier, seed)
            out = model(x.to(models.place()))  # the first pass is slower than the others
            taken = min(timeit.repeat(lambda model=model: model(x.to(models.place())), number=1, repeat=5))  # type: ignore[misc]
            seconds += taken / len(x) * (PASSES * min(len(images), 1000) + FIELDS)
            parameters = sum(p.numel() for p in model.parameters()) / 1e6
            size = f"{parameters:.1f} M parameters, gives {tuple(out.shape[1:])}"
            lines.append(f"{role} (seed {seed}): {type(model).__name__}, {size}; {_layers(model)}")
    return [*lines, f"chapters {CHAPTERS[0]} to {CHAPTERS[-1]}: about {max(seconds / 60, 1):.0f} minutes on this machine"]


def _layers(model: torch.nn.Module) -> str:
    try:
        blocks = len(capture.layers(model, "block"))
    except ValueError as error:
        return str(error)
    attention = sum(hasattr(m, "fused_attn") for m in model.modules())
    return f"{blocks} blocks recognised, {attention or 'none'} with attention, {len(capture.layers(model, 'all'))} taps"


def main() -> int:
    """Print the report: 0, or 2 for a device or a cast that cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m seelike.doctor", description="What can run here.")
    parser.add_argument("--cast", help="a cast file to examine")
    cast = parser.parse_args().cast
    try:
        place = models.place()
        device = torch.cuda.get_device_name(place) if place.type == "cuda" else f"{place.type.upper()}, {os.cpu_count()} cores"
        print(f"Python {platform.python_version()}, device: {device}")
        print(", ".join(f"{name} {version(name)}" for name in ("seelike", "torch", "timm", "datasets", "papermill", "jupyter-book")))
        if cast:
            print("\n".join(examine(tiers.get(cast))))
        else:
            print("\n".join(f"{name:12s} {state(tiers.get(name))}" for name in tiers.names()))
    except (ValueError, FileNotFoundError) as error:
        print(f"seelike.doctor: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(project.command("seelike.doctor", main))
