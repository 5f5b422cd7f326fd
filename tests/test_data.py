"""One door to all images, and one clear sentence for every way in which they can be missing or broken."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from seelike import data, scenes, tiers


def test_scenes_hold_and_yield():
    images = data.load("scenes", "test", 300, 1)
    assert len(images) == 300 and images.images.shape == (300, 3, 64, 64) and images.labels.shape == (300,)
    batches = list(images)
    assert [len(y) for _, y in batches] == [128, 128, 44]
    assert torch.equal(torch.cat([x for x, _ in batches]), images.images)
    assert images.images.min() >= -2 and images.images.max() <= 2
    assert images.classes[0] == "disc"


def test_smoke_has_64():
    assert len(data.load("smoke")) == 64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("imagnet",), "no tier 'imagnet': expected one of smoke, scenes, .*cifar10, .*or the path of a cast file"),
        (("scenes", "val"), "no split 'val'"),
        (("scenes", "test", 0), "at least 1, got 0"),
        (("scenes", "test", 10**9), "at most 200,000 at a time, got n=1,000,000,000: ask for fewer"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.load(*arguments)


def test_cifar10(mirror):
    images = data.load("cifar10", "test", 100, 3)
    again = data.load("cifar10", "test", 100, 3)
    assert images.pixels.shape == (100, 3, 32, 32) and torch.equal(images.pixels, again.pixels)
    assert not torch.equal(images.pixels, data.load("cifar10", "test", 100, 4).pixels)
    assert images.classes[3] == "cat" and not images.skipped
    with pytest.raises(ValueError, match="10001 images were asked for, but the set has 10000"):
        data.load("cifar10", "test", 10_001)


@pytest.fixture
def small_mirror(tmp_path, monkeypatch):
    """A mirror of CIFAR-10 with three images, and an empty cache."""
    monkeypatch.setenv("SEELIKE_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("SEELIKE_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "mirror/datasets/uoft-cs/cifar10/plain_text/test-00000-of-00001.parquet"
    file.parent.mkdir(parents=True)
    pictures = [Image.new("RGB", (32, 32), (i, 0, 255)) for i in range(3)]
    features = data.datasets.Features(img=data.datasets.Image(), label=data.datasets.ClassLabel(names=list("abcdefghij")))

    def write(sizes=(32, 32, 32)):
        rows = {"img": [p.resize((s, s)) for p, s in zip(pictures, sizes, strict=True)], "label": [0, 1, 2]}
        data.datasets.Dataset.from_dict(rows, features=features).to_parquet(str(file))
        return tmp_path / "cache"

    return write


def test_a_set_is_decoded_once_and_mapped(small_mirror, monkeypatch):
    cache = small_mirror()
    images = data.load("cifar10")
    assert images.pixels[:, 0, 0, 0].tolist() == [0, 1, 2] and images.pixels[0, 2].min() == 255 and images.labels.tolist() == [0, 1, 2]
    assert [p.name.startswith("uoft-cs--cifar10-test-") for p in cache.iterdir()] == [True]
    data._held.cache_clear()
    monkeypatch.setattr(data, "decode", lambda *_: (_ for _ in ()).throw(AssertionError("decoded again")))
    assert torch.equal(data.load("cifar10").pixels, images.pixels)


@pytest.mark.parametrize("name", ["about.json", "pixels"])
@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"{}", lambda b: b[:40] + b"9" + b[41:], None])
def test_a_damaged_cache_is_decoded_anew(small_mirror, name, damage):
    cache = small_mirror()
    whole = data.load("cifar10")
    pixels, labels = whole.pixels.clone(), whole.labels.clone()
    data._held.cache_clear()
    file = next(cache.glob(f"*/{name}"))
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage(file.read_bytes()))
    again = data.load("cifar10")
    assert torch.equal(again.pixels, pixels) and torch.equal(again.labels, labels)
    assert len(list(cache.iterdir())) == 1


def test_a_cache_that_is_a_file_is_a_sentence(small_mirror, monkeypatch, tmp_path):
    small_mirror()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEELIKE_CACHE", str(tmp_path / "file"))
    with pytest.raises(ValueError, match="is a file: let SEELIKE_CACHE name a folder"):
        data.load("cifar10")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1, 2, 99], "came with 100 classes instead of 10|has 10 classes, but .* came with 100: copy it again"),
        ([1, None, 2], "column 'label' of uoft-cs/cifar10 does not give a whole number for every image"),
        (["a", "b", "c"], "column 'label' of uoft-cs/cifar10 does not give a whole number for every image"),
        ([0.5, 1.0, 2.0], "column 'label' of uoft-cs/cifar10 does not give a whole number for every image"),
    ],
)
def test_labels_that_are_none_are_a_sentence(small_mirror, tmp_path, labels, message):
    small_mirror()
    file = next(tmp_path.glob("mirror/**/*.parquet"))
    rows = data.datasets.Dataset.from_parquet(str(file), keep_in_memory=True).remove_columns("label")
    rows.add_column("label", labels).to_parquet(str(file))
    with pytest.raises(ValueError, match=message):
        data.load("cifar10")


def test_a_killed_decode_leaves_nothing(small_mirror, monkeypatch):
    cache = small_mirror()
    monkeypatch.setattr(data, "decode", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        data.load("cifar10")
    assert list(cache.iterdir()) == []


def test_too_little_disk_and_odd_sizes_are_sentences(small_mirror, monkeypatch):
    cache = small_mirror((32, 32, 31))
    with pytest.raises(ValueError, match=r"differ in size .31 x 31.: a set that is held has one size"):
        data.load("cifar10")
    small_mirror()
    monkeypatch.setattr(data.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 100}))
    with pytest.raises(ValueError, match="needs 0.0 GB in .*: make room, or let SEELIKE_CACHE name another folder"):
        data.load("cifar10")
    assert list(cache.iterdir()) == []


def test_missing_mirror_and_corrupt_parquet(monkeypatch, tmp_path):
    monkeypatch.setenv("SEELIKE_MIRROR", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="lay the mirror out like the hub, or unset the variable"):
        data.load("cifar10")
    file = tmp_path / "datasets/uoft-cs/cifar10/plain_text/test-00000-of-00001.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"PAR1 this is no parquet file")
    with pytest.raises(ValueError, match="not a readable parquet file .*: copy it again"):
        data.load("cifar10")


def test_without_a_mirror_the_hub_is_named(monkeypatch):
    monkeypatch.delenv("SEELIKE_MIRROR", raising=False)
    monkeypatch.setattr(data.datasets, "load_dataset", lambda *_, **__: (_ for _ in ()).throw(ConnectionError("offline")))
    with pytest.raises(FileNotFoundError, match="could not be read from the hub .ConnectionError.: connect to the internet"):
        data.load("cifar10", "train")


@pytest.fixture
def folder(tmp_path):
    """Two classes; among them a grey, a CMYK, a truncated and a bogus file."""
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for i in range(3):
            pixels = rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / label / f"{i}.png")
    cat = tmp_path / "pictures" / "cat"
    Image.fromarray(rng.integers(0, 255, (40, 50), dtype=np.uint8)).save(cat / "grey.png")
    Image.fromarray(rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)).convert("CMYK").save(cat / "print.jpg")
    whole = (cat / "0.png").read_bytes()
    (cat / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "pictures" / "dog" / "bogus.jpg").write_bytes(b"not a picture")
    return tmp_path / "pictures"


def test_a_folder_of_images(folder):
    images = data.load("imagenet", "train", source=str(folder))
    assert len(images) == 10 and images.classes == ("cat", "dog")
    with pytest.warns(UserWarning, match="2 of 10 images could not be read and were left out"):
        batches = list(images)
    assert sum(len(y) for _, y in batches) == 8 and batches[0][0].shape[1:] == (3, 224, 224)
    assert sorted(name.rpartition("/")[2] for name in images.skipped) == ["bogus.jpg", "truncated.png"]


def test_what_a_probe_is_shown_and_asked_never_overlaps(folder):
    tier = replace(tiers.get("imagenet"), images=tiers.Folder(folder))
    shown, asked = data.probe(tier, 100, 4, (1, 2))
    assert len(shown) == 6 and len(asked) == 4 and not set(shown.items.indices) & set(asked.items.indices)
    shown, asked = data.probe("scenes", 5, 7, (1, 2))
    assert torch.equal(shown.pixels, data.load("scenes", "train", 5, 1).pixels) and torch.equal(
        asked.pixels, data.load("scenes", "test", 7, 2).pixels
    )


def test_seelike_images_takes_the_place_of_imagenet(folder, monkeypatch):
    monkeypatch.setenv("SEELIKE_IMAGES", str(folder))
    assert len(data.load("imagenet")) == 10
    assert len(data.load("smoke")) == 64  # and of nothing else


def test_shards_of_a_mirror_are_counted(monkeypatch, tmp_path):
    monkeypatch.setenv("SEELIKE_MIRROR", str(tmp_path))
    file = tmp_path / "datasets/uoft-cs/cifar10/plain_text/test-00000-of-00003.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="holds 1 of 3 files test-.*: copy the missing ones"):
        data.load("cifar10")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"picture": [1], "label": [0]}, "has no column 'img' of images, only picture, label"),
        ({"img": [b""], "label": [0]}, "None of the 1 images"),
    ],
)
def test_a_mirror_with_other_columns_or_no_images(monkeypatch, tmp_path, columns, message):
    monkeypatch.setenv("SEELIKE_MIRROR", str(tmp_path))
    file = tmp_path / "datasets/uoft-cs/cifar10/plain_text/test-00000-of-00001.parquet"
    file.parent.mkdir(parents=True)
    rows = data.datasets.Dataset.from_dict(columns)
    if "img" in columns:
        rows = rows.cast_column("img", data.datasets.Image(decode=False))
    rows.to_parquet(str(file))
    with pytest.raises(ValueError, match=message), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data.load("cifar10")


def test_an_empty_folder_and_too_many_images(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no images that can be listed"):
        data.load("imagenet", source=str(tmp_path / "empty"))
    with pytest.raises(ValueError, match="11 images were asked for, but the set has 10"):
        data.load("imagenet", "train", 11, source=str(folder))


@pytest.mark.parametrize(("name", "classes"), [("shape", 10), ("texture", 10), ("position", 4)])
@pytest.mark.parametrize(("tier", "side"), [("scenes", 64), ("cifar10", 32)])
def test_targets_ask_other_questions_about_the_same_scenes(name, classes, tier, side):
    images = data.target(name, tier, "test", 200, seed=3)
    drawn = scenes.sample(200, 3, correlation=0.1)
    assert images.pixels.shape == (200, 3, side, side) and len(images.classes) == classes
    if name == "position":
        right, below = (drawn.centre > 32).T
        assert torch.equal(images.labels, right.long() + 2 * below.long())
        assert images.labels.bincount(minlength=4).min() > 25
    else:
        assert torch.equal(images.labels, getattr(drawn, name))


def test_cifar10_is_enlarged_for_networks_of_scenes(mirror):
    images = data.target("cifar10", "scenes", "test", 20)
    assert images.pixels.shape == (20, 3, 64, 64) and "cat" in images.classes


def test_unknown_targets_are_a_sentence():
    with pytest.raises(ValueError, match="no target 'colour': expected one of shape"):
        data.target("colour", "scenes", "test", 10)


def test_resizing_keeps_flat_images_and_sides():
    flat = torch.full((2, 3, 64, 64), 77, dtype=torch.uint8)
    assert torch.equal(data.resize(flat, 32), torch.full((2, 3, 32, 32), 77, dtype=torch.uint8))
    assert data.resize(flat, 64) is flat


def test_a_probe_of_a_set_with_one_split_or_few_images(monkeypatch, tmp_path):
    monkeypatch.setenv("SEELIKE_MIRROR", str(tmp_path))
    rows = data.datasets.Dataset.from_dict({"image": [{"bytes": b"", "path": str(i)} for i in range(10)], "label": [0] * 10})
    rows = rows.cast_column("image", data.datasets.Image(decode=False))
    for split, few in (("test", 10), ("train", 6)):
        file = tmp_path / f"datasets/me/mine/data/{split}-00000-of-00001.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        rows.select(range(few)).to_parquet(str(file))
    one = replace(tiers.get("imagenet"), images=tiers.Hub("me/mine", train="test"))
    shown, asked = data.probe(one, 100, 100, (1, 2))
    names = [{part.items[i]["path"] for i in range(len(part))} for part in (shown, asked)]
    assert len(shown) == len(asked) == 5 and not names[0] & names[1]
    shown, asked = data.probe(replace(one, images=tiers.Hub("me/mine")), 100, 8, (1, 2))
    assert len(shown) == 6 and len(asked) == 8


def test_the_truth_of_scenes_is_what_a_target_asks_for():
    drawn = scenes.sample(20, 5, correlation=0.1)
    for name in data.TRUTHS:
        labels, classes = data.truth(drawn, name)
        asked = data.target(name, "scenes", "test", 20, 5)
        assert torch.equal(labels, asked.labels) and classes == asked.classes


def test_wordnet_ids_are_shown_as_words():
    assert data.named(["n01443537", "n04560804"]) == ("goldfish", "water jug")
    assert data.named(["cat", "n01443537"]) == ("cat", "n01443537")
    assert data.named(["n99999999"]) == ("n99999999",)
    assert data.named(["n02012849", "n03126707"]) == ("n02012849", "n03126707"), "two kinds of crane need their ids"
