"""Which images a folder holds, and what their labels are.

Names of files mean nothing here (`datasets` reads splits out of names such as `bullet_train.jpg`, and drops the rest); only folders do:

- Folders are classes if there are at least two with images, and no image lies beside them.
- Folders that are all called train, val, validation, test or eval (in any case) are splits if one of them has sub-folders with images;
  within a split the same rule gives the classes. A class has the same number in every split.
- All other images are unlabelled, unless a CSV file names their labels.
"""

from __future__ import annotations

import csv
import os
import unicodedata
import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import torch
from jaxtyping import Int
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS

from seelike.images import report

EXTENSIONS = (*IMG_EXTENSIONS, ".gif", ".jfif", ".avif")
SPLITS = ("train", "val", "validation", "test", "eval")
HELD_OUT = ("test", "val", "validation", "eval")  # what stands in for a split 'test', best first
UNLABELLED = ("unlabelled",)


@dataclass(frozen=True, eq=False)
class Listing:
    """Images of a folder, sorted by path. labels: Int64 (n,), None if unlabelled. classes: the labels' names, sorted."""

    paths: tuple[Path, ...]
    labels: Int[Tensor, " n"] | None
    classes: tuple[str, ...]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.paths)


def list_folder(path: str | Path, split: str | None = None, *, labels: str | Path | None = None) -> Listing:
    """All images below a folder, by their extension, and their labels; hidden files and folders are ignored.

    split: which one to take where folders are splits; 'test' takes val, validation or eval where there is no test. Folders without splits
    are taken whole. labels: a CSV file with columns file (relative to the folder) and label, which overrides folders as classes.
    A warning names what was left out: other files, links that lead nowhere or back, folders without images.
    Raises FileNotFoundError if there is no folder or no image, ValueError for a missing split and for labels that do not fit the images.
    """
    root = Path(path)
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is {'a file, not a folder' if root.exists() else 'no folder'}: name a folder of images.")
    file = None if labels is None else _csv(labels)
    found, folders, out = _walk(root, ignore=file)
    kept, depth = _split(root, found, split)
    if not kept:
        raise FileNotFoundError(f"{root} holds no images that can be listed: expected files ending in {', '.join(EXTENSIONS)}.")
    if depth:
        out |= {str(name): "beside the splits" for name in found if len(name.parts) == 1}
    full = {name.parts[: depth + 1] for name in found}
    out |= {f"{name}/": "no images" for name in folders if len(name.parts) == depth + 1 and name.parts not in full}
    numbers, classes = _read_labels(file, kept, found) if file else _folders_as_classes(root, kept, found, depth)
    named = [f"{name} ({why})" for name, why in sorted(out.items())]
    report(named, len(found) + len(out), f"files and folders of {root} are no images to list")
    return Listing(tuple(root / name for name in kept), None if numbers is None else torch.tensor(numbers), classes)


def _walk(root: Path, ignore: Path | None) -> tuple[list[PurePosixPath], list[PurePosixPath], dict[str, str]]:
    """Images and folders below a folder, relative to it and sorted, and why other entries were left out.

    Links to folders are followed last, and only to folders not listed already: loops end, and no image is listed twice.
    """
    found, folders, out = [], [], {}
    home, seen = root.resolve(), set()
    real, linked = [PurePosixPath()], list[PurePosixPath]()
    while real or linked:
        here = (real or linked).pop()
        target = (root / here).resolve()
        if target in seen or (target != home and home.is_relative_to(target)):
            out[str(here)] = "a link to a folder listed already"
            continue
        seen.add(target)
        folders.append(here)
        try:
            entries = [entry for entry in os.scandir(root / here) if not entry.name.startswith(".")]
        except OSError as error:
            out[f"{here}/"] = error.strerror or "unreadable"
            continue
        for entry in sorted(entries, key=lambda entry: entry.name, reverse=True):
            name = here / entry.name
            if entry.is_symlink() and not Path(entry.path).exists():
                out[str(name)] = "a link that leads nowhere"
            elif entry.is_dir():
                (linked if entry.is_symlink() else real).append(name)
            elif entry.name.lower().endswith(EXTENSIONS) and entry.is_file():
                found.append(name)
            elif ignore is None or not ignore.samefile(entry.path):
                out[str(name)] = "no known kind of image"
    return sorted(found), sorted(folders), out


def _split(root: Path, found: list[PurePosixPath], split: str | None) -> tuple[list[PurePosixPath], int]:
    """The images of a split, and how many folders are above its classes; all images and 0 if the folder has no splits."""
    tops = sorted({name.parts[0] for name in found if len(name.parts) > 1})
    if not (all(top.lower() in SPLITS for top in tops) and any(len(name.parts) > 2 for name in found)):
        return found, 0
    if split is None:
        raise ValueError(f"{root} holds the splits {', '.join(tops)}: say which one to list.")
    there = {top.lower() for top in tops}
    chosen = next((name for name in (HELD_OUT if split == "test" else (split,)) if name in there), None)
    if chosen is None:
        raise ValueError(f"{root} has no split {split!r}, only {', '.join(tops)}: ask for one of these, or name its folder.")
    return [name for name in found if len(name.parts) > 1 and name.parts[0].lower() == chosen], 1


def _folders_as_classes(
    root: Path, kept: list[PurePosixPath], found: list[PurePosixPath], depth: int
) -> tuple[list[int] | None, tuple[str, ...]]:
    """Numbers and names of the classes, all splits taken together; None and `UNLABELLED` if the folders are none."""
    names = sorted({name.parts[depth] for name in found if len(name.parts) > depth + 1})
    inside = [len(name.parts) > depth + 1 for name in kept]
    if len(names) > 1 and all(inside):
        if all(name.lower() in SPLITS for name in names):
            _warn(f"The folders {', '.join(names)} of {root} have no sub-folders, so they count as classes, not as splits.")
        numbers = {name: i for i, name in enumerate(names)}
        return [numbers[name.parts[depth]] for name in kept], tuple(names)
    if any(inside):
        why = f"{names[0]} is the only one" if len(names) == 1 else "images lie beside them"
        _warn(f"Folders of {root} do not count as classes, for {why}: its {len(kept)} images are unlabelled.")
    return None, UNLABELLED


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=4)  # the caller of list_folder


def _csv(labels: str | Path) -> Path:
    file = Path(labels)
    if not file.is_file():
        raise FileNotFoundError(f"There is no file {file} of labels: name a CSV file with the columns file,label.")
    return file


def _key(name: str | PurePosixPath) -> str:
    """One spelling a path: systems differ in how they compose accents."""
    return unicodedata.normalize("NFC", str(PurePosixPath(name)))


def _read_labels(file: Path, kept: list[PurePosixPath], found: list[PurePosixPath]) -> tuple[list[int], tuple[str, ...]]:
    """Numbers of the labels of the images that were kept, and their names: in order of size if all are numbers."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{file} is no CSV file in UTF-8 ({error}): save it as one.") from error
    if not rows or not {"file", "label"} <= rows[0].keys():
        columns = ", ".join(map(str, rows[0])) if rows else "no rows"
        raise ValueError(f"{file} has {columns}: expected the columns file,label and a row an image.")
    said: dict[str, str] = {}
    for row in rows:
        name, label = _key((row["file"] or "").strip()), (row["label"] or "").strip()
        if said.setdefault(name, label) != label:
            raise ValueError(f"{file} labels {name} as {said[name]!r} and as {label!r}: keep one row an image.")
    known = {_key(name) for name in found}
    _none([str(name) for name in kept if not said.get(_key(name))], f"{file} has no label for")
    _none(sorted(said.keys() - known), f"{file} names files that are no images of the folder:")
    labels = {label for label in said.values() if label}
    classes = sorted(labels, key=_in_order if all(label.isdecimal() for label in labels) else None)
    numbers = {label: i for i, label in enumerate(classes)}
    return [numbers[said[_key(name)]] for name in kept], tuple(classes)


def _none(names: list[str], problem: str) -> None:
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise ValueError(f"{problem} {', '.join(names[:3])}{more}: give every image one row of file,label.")


def _in_order(number: str) -> tuple[int, str]:
    return int(number), number
