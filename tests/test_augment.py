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


def test_augmentation_shifts_and_mirrors():
    x = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(64, 3, 16, 16)
    out = augment.crop_and_mirror(x, seed=0)
    assert out.shape == x.shape and torch.equal(out, augment.crop_and_mirror(x, seed=0))
    mirrored = (out[:, 0, 8, 1:].int() < out[:, 0, 8, :-1].int()).sum(1) > 7
    assert 15 < mirrored.sum() < 50
    assert len({tuple(o.flatten().tolist()) for o in out[:, 0]}) > 30


def test_cutout_greys_one_square_inside_every_image():
    x = torch.zeros(32, 3, 16, 16, dtype=torch.uint8)
    out = augment.cut_out(x, 5, seed=0)
    assert torch.equal(out, augment.cut_out(x, 5, seed=0)) and not x.any()
    assert ((out == 128).sum((1, 2, 3)) == 3 * 25).all() and len({tuple(o.flatten().tolist()) for o in out}) > 20


def test_mixup_shares_images_and_labels_alike():
    x, labels = torch.arange(4.0)[:, None, None, None].expand(4, 3, 8, 8).contiguous(), torch.arange(4)
    mixed, soft = augment.mix(x, labels, 4, 0.2, seed=3)
    assert torch.equal(mixed, augment.mix(x, labels, 4, 0.2, seed=3)[0]) and not torch.equal(
        mixed, augment.mix(x, labels, 4, 0.2, seed=4)[0]
    )
    torch.testing.assert_close(soft.sum(1), torch.ones(4))
    torch.testing.assert_close(mixed[:, 0, 0, 0], soft @ torch.arange(4.0))
    assert ((soft > 0).sum(1) <= 2).all() and not torch.equal(mixed, x)
