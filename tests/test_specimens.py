"""Single images of explorables: how they are packed, and that what is recorded comes from the networks of the zoo."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import avg_pool2d

from seelike import backdoors, capture, claims, data, models, saliency, scenes, specimens

TOKENS, EXPLAINED = (claims.results("scenes", name) for name in ("tokens", "explanations"))
LEVEL = 1.01 / 255


def test_packed_numbers_come_back():
    values = np.linspace(-0.5, 1.5, 24).reshape(2, 3, 4)
    back = specimens.unpacked(specimens.packed(values), 2, 3, 4)
    assert np.abs(back - values.clip(0, 1)).max() <= 0.5 / 255 + 1e-12


def test_a_picture_keeps_its_pixels():
    pixels = torch.randint(0, 256, (3, 5, 4), dtype=torch.uint8)
    back = np.asarray(Image.open(io.BytesIO(base64.b64decode(specimens.picture(pixels)))))
    assert (back.transpose(2, 0, 1) == pixels.numpy()).all()


@pytest.fixture(scope="module")
def images():
    return data.load("smoke", "test", 16, 3, batch_size=8)


def test_heads_of_an_untrained_network(images):
    model = models.untrained("vit_cls", "smoke")
    found = specimens.heads(model, images.images[:1])
    assert len(found) == len(capture.layers(model))
    roots = specimens.unpacked(found[0], 3, 65, 65)
    assert (roots**2).sum(-1) == pytest.approx(1, abs=0.05)
    assert specimens.heads(models.untrained("resnet", "smoke"), images.images[:1]) == []


def test_fields_are_shares_about_their_position(images):
    model = models.untrained("resnet", "smoke")
    two = data.load("smoke", "test", 2, 3)
    found, sides = specimens.fields(model, two), specimens.sides(model, images)
    assert list(sides.values()) == [32, 32, 16, 16, 8, 8, 4, 4]
    for text, side in zip(found, sides.values(), strict=True):
        n = min(side, specimens.GRID)
        roots = specimens.unpacked(text, n * n, specimens.GRID**2)
        assert (roots**2).sum(1) == pytest.approx(1, abs=0.05)
    first = specimens.unpacked(found[0], 64, 64)
    assert (first.argmax(1) == np.arange(64)).all()  # a convolution's position depends on its own place most


def test_maps_with_too_many_positions_are_left_out(images):
    found = specimens.similarities(models.untrained("resnet", "smoke"), images)
    assert [text is None for text in found] == [True] * 4 + [False] * 4


def test_recorded_heads_are_those_of_the_zoo():
    images = data.load("scenes", "test", specimens.ALIKE, specimens.SEED)
    for i, held in TOKENS["images"].items():
        assert held["png"] == specimens.picture(images.pixels[int(i)])
        for name, found in held["heads"].items():
            role, _, seed = name.removeprefix("untrained ").partition("-")
            model = models.load(role, "scenes", int(seed)) if seed else models.untrained(role, "scenes")
            again = specimens.heads(model, images.images[int(i) : int(i) + 1])
            for text, new in zip(found, again, strict=True):
                assert np.abs(specimens.unpacked(text, -1) - specimens.unpacked(new, -1)).max() <= LEVEL, name


def test_what_chapter_7_says_of_the_first_block():
    """Shares of attention that stay on the object and on the background, over those of an even look."""
    mask = scenes.sample(specimens.ALIKE, specimens.SEED).mask[0]
    cover = avg_pool2d(mask[None, None].float(), 8).flatten().numpy()
    object_, background = cover > 0.5, cover < 0.05
    places = np.stack(np.mgrid[:8, :8]).reshape(2, -1)
    far = np.hypot(*(places[:, :, None] - places[:, None]))
    for name, held in TOKENS["images"]["0"]["heads"].items():
        if name.startswith("vit_gap"):
            continue
        weights = specimens.unpacked(held[0], 3, 65, 65)[:, 1:, 1:] ** 2
        weights = weights / weights.sum(-1, keepdims=True)
        kept = [weights[:, rows][:, :, rows].sum(-1).mean(-1) / rows.mean() for rows in (object_, background)]
        reach = ((weights * far).sum(-1) / far.mean(-1))[:, background].mean(-1)
        if "untrained" in name:
            assert np.abs(np.array(kept) - 1).max() < 0.1
        else:
            assert kept[0].min() > 2.5 and kept[1].min() > 1.1 and np.abs(reach - 1).max() < 0.15


def test_recorded_explanations_are_those_of_the_zoo():
    drawn = scenes.sample(backdoors.POOL, seed=backdoors.DRAW)
    for name, held in list(EXPLAINED["images"].items())[:1]:
        host, trigger, row = name.split()
        card = backdoors.planted("scenes")[host, trigger]
        model = models.load(card.name, "scenes", card.seed)
        asked = backdoors.attack(model, drawn, trigger, specimens.SCENES, backdoors.DRAW)
        at = asked.rows.tolist().index(int(row))
        top, left, bottom, right = held["box"]
        assert asked.mask[at, top:bottom, left:right].all() and asked.mask[at].sum() == (bottom - top) * (right - left)
        assert list(held["maps"]) == saliency.methods(model)
        map_ = saliency.attribute(model, "gradient", asked.question)[at]
        assert np.abs(specimens.unpacked(held["maps"]["gradient"], 64, 64) - map_.numpy()).max() <= LEVEL


def test_only_tiers_with_backdoors(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["specimens", "--tier", "cifar10"])
    with pytest.raises(SystemExit):
        specimens.main()
    assert "no networks with backdoors" in capsys.readouterr().err
