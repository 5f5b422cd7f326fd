"""`python -m seelike.doctor`: what is installed, and which tiers can run here."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

import torch

from seelike import data, models, project


def tiers() -> dict[str, str]:
    """For every tier "can run", or what is missing and what to do."""
    report = {"smoke": "can run"}
    for tier in ("scenes", "cifar10"):
        report[tier] = "can run" if models.cards(tier) else f"no weights in {project.zoo(tier)}: run `make zoo`"
    if report["cifar10"] == "can run" and not os.environ.get("SEELIKE_MIRROR"):
        report["cifar10"] = "can run if the hub can be reached, or with SEELIKE_MIRROR set"
    source = os.environ.get("SEELIKE_IMAGES", data.IMAGENET)
    report["imagenet"] = f"images from {source}, weights from the hub" + ("" if torch.cuda.is_available() else "; no GPU: hours on a CPU")
    return report


def main() -> None:
    """Print the report."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {os.cpu_count()} cores"
    print(f"Python {platform.python_version()}, device: {device}")
    print(", ".join(f"{name} {version(name)}" for name in ("seelike", "torch", "timm", "datasets", "papermill", "jupyter-book")))
    for tier, state in tiers().items():
        print(f"{tier:9s} {state}")


if __name__ == "__main__":
    main()
