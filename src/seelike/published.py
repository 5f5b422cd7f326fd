"""Decisions of humans and networks, trial by trial, as Tuli et al. 2021 published them: where they are, and fetching them.

`python -m seelike.published <folder>` fetches them into a mirror, which `SEELIKE_MIRROR` then names.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from hashlib import sha256
from pathlib import Path

import pandas as pd

from seelike import project
from seelike.consistency import read_decisions
from seelike.schema import one_line

SOURCE, COMMIT = "https://github.com/shikhartuli/cnn_txf_bias", "36e95d8"
INSIDE = "error-consistency/raw-data_new"
CHECKSUMS = {  # sha256 of all files of a folder, in the order of their names
    "cue-conflict": "5da55c64e1387d765044180653db5c6bde74c615f39fdf53355ba0717038ce43",
    "silhouettes": "bef9bf7674b0edcc40b859cc9d58b0f842289bc0f2de4059b432e86fa9250b07",
    "edges": "9eb15e23b2ce3faf0a795ecd62098efe83f87202d55592bd76ed3d7fd8757ec3",
}


def fetch(mirror: Path | str, source: str = SOURCE, commit: str = COMMIT) -> list[Path]:
    """Fetch the decisions of every kind into `<mirror>/tuli2021/<kind>` and return these folders.

    Only the files that are needed travel, through git. Nothing is left behind unless the sha256 of all files is the
    one of this book's copy: ValueError. ConnectionError when git cannot reach the source.
    """
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch) / "clone"
        _git("clone", "--quiet", "--filter=blob:none", "--no-checkout", source, str(clone))
        _git("-C", str(clone), "sparse-checkout", "set", "--no-cone", *(f"{INSIDE}/texture-shape_{kind}" for kind in CHECKSUMS))
        _git("-C", str(clone), "checkout", "--quiet", commit)
        folders = {kind: clone / INSIDE / f"texture-shape_{kind}" for kind in CHECKSUMS}
        for kind, folder in folders.items():
            if (found := checksum(folder)) != CHECKSUMS[kind]:
                raise ValueError(f"{source} gave other decisions on {kind} than expected (sha256 {found[:12]}…): fetch them by hand.")
        made = []
        for kind, folder in folders.items():
            target = Path(mirror) / "tuli2021" / kind
            part = target.with_name(f"{kind}.partial")
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(folder, part)
            shutil.rmtree(target, ignore_errors=True)
            os.replace(part, target)
            made.append(target)
    return made


def _git(*arguments: str) -> None:
    asked = subprocess.run(["git", *arguments], check=False, capture_output=True, text=True)
    if asked.returncode:
        raise ConnectionError(f"git {arguments[0]} failed ({asked.stderr.strip().splitlines()[-1:]}): is the source within reach?")


def checksum(folder: Path) -> str:
    """sha256 of all CSV files of a folder, in the order of their names."""
    return sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.csv")) if path.is_file())).hexdigest()


def decisions(kind: str) -> pd.DataFrame | None:
    """The decisions of humans and networks that Tuli et al. published, or None where they are not at hand.

    kind: cue-conflict, silhouettes or edges. They are looked up in `SEELIKE_MIRROR/tuli2021/<kind>`, where `fetch` puts them. A copy that
    differs from the one that this book was made with is named in a warning.
    """
    if kind not in CHECKSUMS:
        raise ValueError(f"There are published decisions on {', '.join(CHECKSUMS)}, not on {kind!r}.")
    folder = Path(os.environ.get("SEELIKE_MIRROR", "")) / "tuli2021" / kind
    if "SEELIKE_MIRROR" not in os.environ or not folder.is_dir():
        return None
    found = checksum(folder)
    if found != CHECKSUMS[kind]:
        warnings.warn(f"{folder} is not the copy that this book was made with (sha256 {found[:12]}…): expect other numbers.", stacklevel=2)
    return read_decisions(folder)


NETWORKS = {  # of the published decisions, by family and by what they were trained on
    "ViT": ("ViT-B_16", "ViT-B_32", "ViT-L_16", "ViT-L_32"),
    "CNN": (
        "alexnet", "cornet-s", "densenet121", "densenet169", "densenet201", "inception-v3", "resnet101", "resnet152", "resnet18",
        "resnet34", "resnet50", "squeezenet1-0", "squeezenet1-1", "vgg11-bn", "vgg13-bn", "vgg16", "vgg16-bn", "vgg19", "vgg19-bn",
    ),
    "BagNet": ("bagnet17", "bagnet33", "bagnet9"),
    "BiT": ("resnet50_ft",),
    "SIN": (
        "resnet50-trained-on-SIN", "resnet50-trained-on-SIN-and-IN", "resnet50-trained-on-SIN-and-IN-then-finetuned-on-IN",
    ),
    "ViT ft": ("ViT-B_32_ft",),
}  # fmt: skip
FINE_TUNED = {  # results/fine-tune/imagenet2012/{vit,bit}_fine-tune.csv: shape bias (all images, congruent ones too) and top-1 accuracy, %
    "ViT-B/32": ((54.20, 81.28), (53.89, 80.35), (56.49, 80.58), (59.72, 75.28), (61.03, 79.88), (62.28, 80.00), (60.39, 79.82)),
    "BiT R50x1": ((25.71, 67.11), (26.13, 67.10), (28.01, 67.11), (31.52, 66.01), (32.87, 65.40), (34.27, 65.69), (36.86, 65.66)),
}  # before, and after each of the six augmentations


NAMES = ("model", "data")
NUMBERS = ("params_M", "gflops_224", "steps_at_bs4096", "images_seen", "inet_10shot_acc", "inet_finetune_acc")
POINTS = 265  # in the copy that this book was made with


def scaling_points() -> pd.DataFrame | None:
    """The points that Zhai et al. printed, or None where they are not at hand.

    One row per model, data set and training length: model, params_M, gflops_224, data, steps_at_bs4096, images_seen, inet_10shot_acc,
    inet_finetune_acc (percent). Looked up in `SEELIKE_MIRROR/zhai2021/points.csv`.
    """
    path = Path(os.environ.get("SEELIKE_MIRROR", "")) / "zhai2021" / "points.csv"
    if "SEELIKE_MIRROR" not in os.environ or not path.exists():
        return None
    try:
        points = pd.read_csv(path)
    except (ValueError, IsADirectoryError) as error:  # pandas' own are ValueErrors
        raise ValueError(f"{path} is not a readable CSV file ({one_line(error)}): copy it again.") from error
    numbers = points.select_dtypes("number").columns
    if odd := [name for name in (*NAMES, *NUMBERS) if name not in points or (name in NUMBERS and name not in numbers)]:
        raise ValueError(f"{path} has no such column, or no numbers in it: {', '.join(odd)}. Copy it again.")
    if len(points) != POINTS:
        raise ValueError(f"{path} holds {len(points)} of {POINTS} points: copy it again.")
    return points


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m seelike.published", description="Fetch the decisions that Tuli et al. published.")
    parser.add_argument("mirror", help="folder that SEELIKE_MIRROR names")
    try:
        made = fetch(parser.parse_args().mirror)
    except (ConnectionError, ValueError) as error:
        parser.exit(2, f"seelike.published: {error}\n")
    print("\n".join(map(str, made)))


if __name__ == "__main__":
    sys.exit(project.command("seelike.published", main))
