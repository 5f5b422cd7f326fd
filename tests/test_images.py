"""Folders of awkward files become batches: nothing is lost silently, nothing is turned, saturated or read out of a file's name."""

import io
import multiprocessing
import struct
import subprocess
import sys
import warnings
from dataclasses import replace

import datasets
import numpy as np
import pytest
import torch
from PIL import Image
from timm.data import create_transform

from seelike import images
from seelike.folder import list_folder
from seelike.images import Images, ImageStream, decode, normalise

RNG = np.random.default_rng(0)


def draw(path, width=50, height=40, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(path, **options)
    return path


def stream(paths, side=32, **options):
    return ImageStream(list(paths), torch.arange(len(paths)), ("a",), side, **options)


def quiet(call):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return call()


NAMES = ("train.jpg", "test_tube.jpg", "val.png", "n02917067_bullet_train.JPEG", "two words.png", "žluťoučký 猫.png", "deep/er/eval-1.jpg")


def test_a_flat_folder_is_listed_whole_whatever_its_files_are_called(tmp_path):
    for name in NAMES[:6]:
        draw(tmp_path / name)
    draw(tmp_path / ".hidden.png")
    draw(tmp_path / ".hidden" / "x.png")
    listing = quiet(lambda: list_folder(tmp_path, "test"))
    assert [p.name for p in listing.paths] == sorted(NAMES[:6])
    assert listing.labels is None and listing.classes == ("unlabelled",) and len(listing) == 6


def test_folders_are_classes_whatever_they_are_called(tmp_path):
    for label, name in (("train", "a.jpg"), ("test", "b.jpg"), ("cat", "deep/c.png"), ("cat", "train.png")):
        draw(tmp_path / label / name)
    for split in (None, "train", "test"):
        listing = quiet(lambda split=split: list_folder(str(tmp_path), split))
        assert listing.classes == ("cat", "test", "train") and listing.labels.tolist() == [0, 0, 1, 2]
        assert [p.name for p in listing.paths] == ["c.png", "train.png", "b.jpg", "a.jpg"]


def test_what_is_left_out_is_named(tmp_path):
    for label in ("cat", "dog"):
        draw(tmp_path / label / "x.png")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "dog" / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "dog" / "self.jpg").symlink_to("self.jpg")
    (tmp_path / "dog" / "up").symlink_to("..")
    (tmp_path / "ant").symlink_to("dog")
    (tmp_path / "empty").mkdir()
    with pytest.warns(UserWarning, match="6 of 8 files and folders of .* were left out") as said:
        listing = list_folder(tmp_path)
    assert listing.classes == ("cat", "dog") and listing.labels.tolist() == [0, 1]
    for part in (
        "dog/gone.jpg (a link that leads nowhere)",
        "ant (a link to a folder listed already)",
        "dog/self.jpg",
        "empty/ (no images)",
    ):
        assert part in str(said[0].message)


def test_links_out_of_the_folder_are_followed_once(tmp_path):
    draw(tmp_path / "elsewhere" / "x.png")
    draw(tmp_path / "set" / "cat" / "y.png")
    (tmp_path / "set" / "dog").symlink_to(tmp_path / "elsewhere")
    assert list_folder(tmp_path / "set").classes == ("cat", "dog")
    (tmp_path / "set" / "cat" / "all").symlink_to(tmp_path)
    with pytest.warns(UserWarning, match=r"cat/all \(a link to a folder listed already\)"):
        assert len(list_folder(tmp_path / "set")) == 2


def test_splits(tmp_path):
    for name in ("Train/cat/1.png", "Train/dog/2.png", "Train/frog/3.png", "val/cat/4.png", "val/frog/5.png"):
        draw(tmp_path / name)
    train, test = quiet(lambda: list_folder(tmp_path, "train")), quiet(lambda: list_folder(tmp_path, "test"))
    assert [p.name for p in train.paths] == ["1.png", "2.png", "3.png"] and train.classes == test.classes == ("cat", "dog", "frog")
    assert [p.name for p in test.paths] == ["4.png", "5.png"] and test.labels.tolist() == [0, 2]  # a class keeps its number
    with pytest.raises(ValueError, match="no split 'eval', only Train, val"):
        list_folder(tmp_path, "eval")
    with pytest.raises(ValueError, match="holds the splits Train, val: say which one"):
        list_folder(tmp_path)
    draw(tmp_path / "test" / "6.png")
    draw(tmp_path / "7.png")
    with pytest.warns(UserWarning, match=r"7.png \(beside the splits\)"):
        flat = list_folder(tmp_path, "test")
    assert flat.labels is None and [p.name for p in flat.paths] == ["6.png"]


@pytest.mark.parametrize(
    ("names", "message", "classes"),
    [
        (("cat/1.png", "dog/2.png", "3.png"), "images lie beside them: its 3 images are unlabelled", ("unlabelled",)),
        (("pictures/1.png", "pictures/2.png"), "pictures is the only one: its 2 images are unlabelled", ("unlabelled",)),
        (("train/1.png", "val/2.png"), "count as classes, not as splits", ("train", "val")),
    ],
)
def test_a_reading_that_may_surprise_is_said(tmp_path, names, message, classes):
    for name in names:
        draw(tmp_path / name)
    with pytest.warns(UserWarning, match=message):
        listing = list_folder(tmp_path)
    assert listing.classes == classes and len(listing) == len(names)


def test_no_folder_and_no_images(tmp_path):
    (tmp_path / "file.jpg").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("x")
    for name, message in (
        ("file.jpg", "a file, not a folder"),
        ("none", "no folder"),
        ("empty", "no images that"),
        ("notes", "no images that"),
    ):
        with pytest.raises(FileNotFoundError, match=message):
            list_folder(tmp_path / name)


def test_labels_of_a_file(tmp_path):
    for name in ("1.png", "2.png", "sub/é.png"):
        draw(tmp_path / name)
    file = tmp_path / "labels.csv"

    def labelled(text):
        file.write_text(text, encoding="utf-8")
        return quiet(lambda: list_folder(tmp_path, labels=file))

    listing = labelled("\ufefflabel,file\ndog,./2.png\ncat,1.png\ndog,sub/e\u0301.png\n")  # an accent composed otherwise
    assert listing.classes == ("cat", "dog") and listing.labels.tolist() == [0, 1, 1]
    numbers = labelled("file,label\n1.png,10\n2.png,9\nsub/é.png,9\n")
    assert numbers.classes == ("9", "10") and numbers.labels.tolist() == [1, 0, 0]
    for text, message in (
        ("file,label\n1.png,a\n", "has no label for 2.png, sub/é.png: give every image one row"),
        ("file,label\n1.png,a\n2.png,\nsub/é.png,b\n", "has no label for 2.png:"),
        ("file,label\n1.png,a\n2.png,a\nsub/é.png,b\n../../etc/passwd,b\n", "no images of the folder: ../../etc/passwd:"),
        ("file,label\n1.png,a\n1.png,b\n", "labels 1.png as 'a' and as 'b'"),
        ("name,class\n1.png,a\n", "has name, class: expected the columns file,label"),
        ("", "has no rows: expected"),
    ):
        with pytest.raises(ValueError, match=message):
            labelled(text)
    file.write_bytes(b"file,label\n\xff\xfe,a\n")
    with pytest.raises(ValueError, match="is no CSV file in UTF-8"):
        list_folder(tmp_path, labels=file)
    with pytest.raises(FileNotFoundError, match="no file .* of labels"):
        list_folder(tmp_path, labels=tmp_path / "none.csv")


def cell(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return {"bytes": buffer.getvalue(), "path": None}


def test_pictures_are_turned_upright():
    left_red = np.zeros((32, 64, 3), np.uint8)
    left_red[:, :32, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be seen turned by a quarter, clockwise: the left edge becomes the top
    picture = decode([cell(Image.fromarray(left_red), exif=exif)])[1][0]
    assert picture.size == (32, 64) and picture.getpixel((16, 8)) == (255, 0, 0) and picture.getpixel((16, 56)) == (0, 0, 0)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_is_scaled(form):
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    picture = decode([cell(Image.fromarray(ramp), form)])[1][0]
    assert picture.mode == "RGB" and np.array_equal(np.asarray(picture)[..., 1], np.arange(256).reshape(16, 16))


def test_modes_become_rgb():
    red = Image.new("RGB", (8, 8), (200, 30, 30))
    clear = red.copy()
    clear.putalpha(0)
    palette = red.quantize(4)
    palette.info["transparency"] = b"\x00\x00"
    cells = [
        cell(clear),
        cell(palette),
        cell(red.convert("CMYK"), "TIFF"),
        cell(red.convert("P"), "GIF"),
        cell(red.convert("L")),
        cell(red.convert("1")),
    ]
    pictures = quiet(lambda: decode(cells)[1])
    assert all(p.mode == "RGB" for p in pictures) and len(pictures) == 6
    for picture in pictures[:3]:
        assert np.abs(np.subtract(picture.getpixel((4, 4)), (200, 30, 30))).max() <= 2


def test_unreadable_cells_are_named_and_nothing_else_is_said(tmp_path, capfd, monkeypatch):
    good = cell(Image.new("RGB", (8, 8)))
    noise = Image.fromarray(RNG.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    whole = {
        form: cell(noise, form, **({"compression": "tiff_lzw"} if form == "TIFF" else {}))["bytes"]
        for form in ("PNG", "JPEG", "TIFF", "GIF", "WEBP")
    }
    cut = [{"bytes": data[: len(data) // 2], "path": f"cut {form}"} for form, data in whole.items()]
    empty = tmp_path / "empty.jpg"
    empty.touch()
    bogus = tmp_path / "text.jpg"
    bogus.write_text("not a picture")
    bomb = {"bytes": cell(Image.new("L", (300, 300)))["bytes"], "path": "bomb"}
    large = cell(Image.new("L", (150, 100)))
    real = cell(Image.fromarray(np.ones((8, 8), np.float32)), "TIFF")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    cells = [good, *cut, empty, str(bogus), bomb, real, None, {"bytes": None, "path": None}, large]
    kept, pictures, skipped = quiet(lambda: decode(cells, first=100))
    assert kept == [0, len(cells) - 1] and len(pictures) == 2
    assert skipped == [*(c["path"] for c in cut), str(empty), str(bogus), "bomb", "row 109", "row 110", "row 111"]
    assert capfd.readouterr() == ("", "")


def test_pictures_with_broken_exif_are_kept():
    data = cell(Image.new("RGB", (8, 8), (9, 9, 9)), "JPEG", exif=b"Exif\0\0MM\0*" + struct.pack(">IHHHII", 8, 1, 0x0112, 3, 99, 1 << 30))
    assert quiet(lambda: decode([data])[0]) == [0]


@pytest.mark.parametrize("size", [(50, 40), (40, 90), (20, 24), (33, 32)])
def test_crops_are_those_of_timm(tmp_path, size):
    path = draw(tmp_path / "x.png", *size)
    usual = create_transform(32, crop_pct=0.875, interpolation="bicubic", mean=(images.MEAN,) * 3, std=(images.STD,) * 3)
    ((x, _),) = stream([path])
    assert torch.allclose(x[0], usual(Image.open(path)), atol=1e-5)


def test_panoramas_do_not_grow(tmp_path, monkeypatch):
    resized, resize = [], images.transforms.resize
    monkeypatch.setattr(images.transforms, "resize", lambda picture, *options: resized.append(picture.size) or resize(picture, *options))
    Image.fromarray(np.full((1, 60_000, 3), 7, np.uint8)).save(tmp_path / "line.png")
    wide = RNG.integers(0, 255, (64, 1000, 3), dtype=np.uint8)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    Image.fromarray(wide[:, 390:610]).save(tmp_path / "middle.png")
    pixels = stream([tmp_path / name for name in ("line.png", "wide.png", "middle.png")], side=56).pixels
    assert resized == [(8, 1), (512, 64), (220, 64)]
    assert (pixels[0] == 7).all() and torch.equal(pixels[1], pixels[2])


@pytest.fixture
def set_of_70(tmp_path):
    """Images 3 and 40 of 70 cannot be read."""
    paths = [draw(tmp_path / f"{i:02}.png", 12 + i % 5, 12) for i in range(70)]
    paths[3].write_bytes(paths[3].read_bytes()[:100])
    paths[40].write_bytes(b"")
    return paths


def collect(batches):
    with pytest.warns(UserWarning, match="could not be read and were left out") as said:
        return list(batches), said


@pytest.mark.parametrize("workers", ["0", "2"])
def test_batches_are_full_and_in_order(set_of_70, monkeypatch, workers):
    kept = [i for i in range(70) if i not in (3, 40)]
    alone = torch.cat([stream([set_of_70[i]], side=8).images for i in kept])
    monkeypatch.setenv("SEELIKE_WORKERS", workers)
    own = stream(set_of_70, side=8, batch_size=16)
    state = torch.get_rng_state()
    batches, said = collect(own)
    assert torch.equal(torch.get_rng_state(), state)
    assert [len(y) for _, y in batches] == [16, 16, 16, 16, 4]
    assert torch.cat([y for _, y in batches]).tolist() == kept
    assert torch.equal(torch.cat([x for x, _ in batches]), alone)
    assert own.skipped == [str(set_of_70[3]), str(set_of_70[40])] and "2 of 70 images" in str(said[0].message)
    assert len(said) == 1
    assert len(own) == 70 and [len(y) for _, y in collect(own.with_batches(16, drop_last=True))[0]] == [16] * 4
    collect(own)
    assert len(own.skipped) == 2  # a second pass starts anew


def test_all_at_once(set_of_70):
    own = stream(set_of_70, side=8, batch_size=16, drop_last=True)
    with pytest.warns(UserWarning, match="2 of 70 images could not be read"):
        assert own.pixels.dtype == torch.uint8 and own.pixels.shape == (68, 3, 8, 8)
    with pytest.warns(UserWarning):
        assert torch.equal(own.images, normalise(own.pixels))
    with pytest.raises(ValueError, match=r"None of the 1 images could be read .*40.png"):
        _ = stream(set_of_70[40:41]).pixels


def test_copies_do_not_share_what_they_skipped(set_of_70):
    own = stream(set_of_70, side=8)
    copy = replace(own, batch_size=16)
    collect(own)
    assert len(own.skipped) == 2 and copy.skipped == []


@pytest.mark.parametrize("stop", [False, True])
def test_workers_end_with_the_iteration(set_of_70, monkeypatch, stop):
    monkeypatch.setenv("SEELIKE_WORKERS", "1")
    paths = [p for i, p in enumerate(set_of_70) if i not in (3, 40)]
    for _ in stream(paths, side=8, batch_size=4):
        assert multiprocessing.active_children()
        if stop:
            break
    assert not multiprocessing.active_children()


def test_number_of_workers(monkeypatch):
    monkeypatch.setattr(images.os, "sched_getaffinity", lambda _: range(6), raising=False)
    monkeypatch.setattr(images.sys, "platform", "linux")
    monkeypatch.delenv("SEELIKE_WORKERS", raising=False)
    assert (images._workers(255), images._workers(256)) == (0, 3)
    monkeypatch.setenv("SEELIKE_WORKERS", "99")
    assert images._workers(1) == 6
    for wrong in ("-1", "two", "1.5"):
        monkeypatch.setenv("SEELIKE_WORKERS", wrong)
        with pytest.raises(ValueError, match=f"SEELIKE_WORKERS is a number of processes, 0 or more, got '{wrong}'"):
            images._workers(1)


def test_workers_say_nothing_in_a_script_without_a_main_guard(set_of_70):
    code = f"""
import logging, torch
from seelike.images import ImageStream
logging.getLogger("PIL.TiffImagePlugin").error("Odd file")
torch.randn(256, 256) @ torch.randn(256, 256)  # threads are running when the workers start
items = [f"{set_of_70[0].parent}/{{i:02}}.png" for i in range(70) if i not in (3, 40)]
print(sum(len(y) for _, y in ImageStream(items, torch.zeros(68, dtype=torch.long), ("a",), 8)))
"""
    env = {**images.os.environ, "SEELIKE_WORKERS": "2"}
    done = subprocess.run(
        [sys.executable, "-W", "always::UserWarning", "-"], input=code, capture_output=True, text=True, check=False, env=env, timeout=300
    )
    assert (done.stdout, done.stderr) == ("68\n", "")


@pytest.mark.parametrize("world", [1, 3, 9])
def test_shards_together_are_the_whole(set_of_70, world):
    paths = [p for i, p in enumerate(set_of_70) if i not in (3, 40)]
    own = stream(paths, side=8, batch_size=16)
    held = Images(own.pixels, own.labels, own.classes, batch_size=16)
    for whole in (own, held, own.with_batches(16, drop_last=True), held.with_batches(16, drop_last=True)):
        batches = list(whole)
        for rank in range(world):
            part = whole.shard(rank, world)
            found = list(part)
            assert len(found) == len(batches[rank::world])
            assert all(torch.equal(x, a) and torch.equal(y, b) for (x, y), (a, b) in zip(found, batches[rank::world], strict=True))
        assert sum(len(whole.shard(rank, world)) for rank in range(world)) == 68


def test_a_shard_reads_its_own_images_only():
    class Items(list):
        def __getitem__(self, i):
            asked.append(i)
            return super().__getitem__(i)

    asked = []
    own = ImageStream(Items([cell(Image.new("RGB", (9, 9)))] * 9 + [None]), torch.arange(10), ("a",), 8, batch_size=2)
    part = own.shard(1, 3)
    assert not asked
    with pytest.warns(UserWarning, match="1 of 4 images could not be read and were left out: row 9"):
        assert [y.tolist() for _, y in part] == [[2, 3], [8]]
    assert asked == [2, 3, 8, 9]


def test_rows_of_a_data_set(set_of_70):
    rows = datasets.Dataset.from_dict({"img": [str(p) for p in set_of_70[:6]], "label": range(6)}).cast_column(
        "img", datasets.Image(decode=False)
    )
    cells = datasets.Dataset.from_dict(
        {"img": [{"bytes": p.read_bytes(), "path": p.name} for p in set_of_70[:6]]},
        features=datasets.Features(img=datasets.Image(decode=False)),
    )
    expected = stream([p for i, p in enumerate(set_of_70[:6]) if i != 3], side=8).pixels
    for column, name in ((rows["img"], str(set_of_70[3])), (cells["img"], "03.png")):
        own = ImageStream(column, torch.arange(6), ("a",), 8)
        batches, _ = collect(own)
        assert torch.equal(batches[0][0], normalise(expected)) and batches[0][1].tolist() == [0, 1, 2, 4, 5] and own.skipped == [name]


def test_images_in_memory():
    held = Images(RNG_PIXELS, torch.arange(10), ("a",), batch_size=4)
    assert [len(y) for _, y in held] == [4, 4, 2] and [len(y) for _, y in held.with_batches(4, drop_last=True)] == [4, 4]
    assert held == held and held != held.with_batches(4) and len({held, replace(held)}) == 2  # by identity: tensors do not compare


RNG_PIXELS = torch.from_numpy(RNG.integers(0, 255, (10, 3, 4, 4), dtype=np.uint8))


@pytest.mark.parametrize(
    "make", [lambda **o: Images(RNG_PIXELS, classes=("a",), **o), lambda **o: ImageStream(["x"] * 10, classes=("a",), side=8, **o)]
)
def test_wrong_sizes_are_a_sentence(make):
    labels = torch.arange(10)
    with pytest.raises(ValueError, match="batch_size is at least 1, got 0"):
        make(labels=labels).with_batches(0)
    for rank, world in ((2, 2), (-1, 2), (0, 0)):
        with pytest.raises(ValueError, match="rank is one of 0 to world - 1"):
            make(labels=labels).shard(rank, world)


def test_labels_that_do_not_fit_are_a_sentence():
    with pytest.raises(ValueError, match="10 images came with 9 labels"):
        ImageStream(["x"] * 10, torch.arange(9), ("a",), 8)


def test_wrong_crops_are_a_sentence():
    for side, crop_ratio in ((0, 0.875), (8, 0.0), (8, 1.5)):
        with pytest.raises(ValueError, match=r"crop_ratio in \(0, 1\]"):
            stream(["x"], side=side, crop_ratio=crop_ratio)
