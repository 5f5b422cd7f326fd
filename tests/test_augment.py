"""What training does to images: right types, reproducible, and nothing but what is said."""

import pytest
import torch

from seelike import augment, scenes


@pytest.fixture(scope="module")
def images():
    return scenes.sample(32, seed=3).images


@pytest.mark.parametrize("name", augment.SEQUENCE)
def test_the_sequence_is_reproducible_and_changes_images(images, name):
    f, before = augment.SEQUENCE[name], images.clone()
    out = f(images, 1)
    assert out.shape == images.shape and out.dtype == torch.uint8 and torch.equal(images, before)
    assert torch.equal(out, f(images, 1)) and not torch.equal(out, images)
    if name not in ("sobel", "blur"):
        assert not torch.equal(out, f(images, 2))


def test_rotations_are_quarter_turns(images):
    for before, after in zip(images, augment.rotate(images, 0), strict=True):
        assert any(torch.equal(after, torch.rot90(before, k, (1, 2))) for k in (1, 2, 3))


def test_boxes_have_even_sides_within_bounds():
    out = augment.box_out(torch.zeros(200, 3, 64, 64, dtype=torch.uint8), 0)[:, 0] == 128
    heights, widths = out.any(2).sum(1), out.any(1).sum(1)
    assert torch.equal(heights * widths, out.sum((1, 2)))
    sides = torch.cat([heights, widths])
    assert (sides % 2 == 0).all() and sides.min() == 2 and sides.max() == 54


def test_sobel_is_dark_on_flat_and_bright_on_edges():
    x = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    x[..., 8:] = 50
    out = augment.sobel(x, 0)
    assert (out[..., 7:9] == 200).all() and (out[..., :6] == 0).all() and (out[..., 10:] == 0).all()


def test_noise_has_its_deviation():
    x = torch.full((4, 3, 64, 64), 128, dtype=torch.uint8)
    assert (augment.add_noise(x, 0).float() - 128).std() == pytest.approx(50, rel=0.05)
