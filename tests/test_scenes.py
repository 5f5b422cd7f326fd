"""Scenes: reproducible, balanced, and truthful about what they show."""

import subprocess
import sys

import pytest
import torch

from seelike import scenes
from seelike.scenes import SHAPES, TEXTURES, cue_conflict, sample


def same(a, b):
    return all(torch.equal(getattr(a, f), getattr(b, f)) for f in ("images", "shape", "texture", "mask", "centre", "scale"))


def test_a_seed_gives_the_same_bytes_in_another_process_with_other_threads():
    code = (
        "import torch, hashlib; torch.set_num_threads({}); from seelike.scenes import sample;"
        "print(hashlib.sha256(sample(300, 7).images.numpy().tobytes()).hexdigest())"
    )
    prints = {subprocess.run([sys.executable, "-c", code.format(t)], capture_output=True, text=True, check=True).stdout for t in (1, 2)}
    assert len(prints) == 1


def test_any_window_of_the_stream_is_the_same():
    assert same(sample(300, 3)[:40], sample(40, 3))
    assert same(sample(300, 3)[250:], sample(50, 3, start=250))
    assert not torch.equal(sample(40, 3).images, sample(40, 4).images)
    assert not torch.equal(sample(40, 3).images, sample(40, 3, split="train").images)


@pytest.mark.parametrize("correlation", [0.0, 0.1, 0.5, 1.0])
def test_correlation_is_the_share_of_agreement(correlation):
    s = sample(4000, 1, correlation)
    agree = (s.shape == s.texture).float().mean().item()
    assert abs(agree - correlation) <= 4 * (correlation * (1 - correlation) / 4000) ** 0.5
    if correlation == 0.1:  # independent: every texture equally often with every shape
        assert torch.bincount(10 * s.shape + s.texture, minlength=100).min() > 15


def test_cue_conflict_never_agrees_and_all_classes_appear():
    s = cue_conflict(2000, 1)
    assert (s.shape != s.texture).all()
    assert torch.bincount(s.shape, minlength=10).min() > 140 and torch.bincount(s.texture, minlength=10).min() > 140


def test_the_object_lies_where_the_annotation_says():
    s = sample(200, 2)
    rows, columns = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="ij")
    for mask, (x, y), radius in zip(s.mask, s.centre, s.scale, strict=True):
        distance = ((columns[mask] - x) ** 2 + (rows[mask] - y) ** 2).sqrt()
        assert distance.max() <= 1.2 * radius  # corners reach a little beyond the nominal radius
        assert distance.max() >= 0.75 * radius
    assert s.scale.min() >= 18 and s.scale.max() <= 28


def test_the_mask_separates_object_from_background():
    """The same draw with another texture changes pixels inside the mask, and next to none outside it."""
    agree, conflict = sample(64, 5, 1.0), sample(64, 5, 0.0)
    assert torch.equal(agree.mask, conflict.mask)
    changed = (agree.images.int() - conflict.images.int()).abs().amax(1) > 2
    assert changed[agree.mask].float().mean() > 0.7
    assert changed[~agree.mask].float().mean() < 0.02


def test_train_and_test_share_no_photograph():
    train, test = scenes.photographs("train").float().flatten(1), scenes.photographs("test").float().flatten(1)
    between = torch.corrcoef(torch.cat([train, test]))[: len(train), len(train) :]
    assert between.abs().max() < 0.9


def test_silhouettes_differ():
    masks = (scenes.silhouettes() > 0).float().flatten(1)
    overlap = masks @ masks.T
    union = masks.sum(1)[:, None] + masks.sum(1) - overlap
    off_diagonal = (overlap / union)[~torch.eye(10, dtype=torch.bool)]
    assert off_diagonal.max() < 0.9


def test_as_a_data_set():
    rows = sample(12, 0, 0.5).to_dataset()
    assert rows.features["shape"].names == list(SHAPES) and rows.features["texture"].names == list(TEXTURES)
    s = sample(12, 0, 0.5)
    assert rows["shape"] == s.shape.tolist()
    assert torch.equal(
        torch.tensor(
            list(rows[0]["image"].get_flattened_data())
            if hasattr(rows[0]["image"], "get_flattened_data")
            else list(rows[0]["image"].getdata())
        )
        .view(64, 64, 3)
        .permute(2, 0, 1),
        s.images[0].long(),
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n >= 1 images"),
        ({"n": 4, "start": -1}, "start >= 0"),
        ({"n": 4, "correlation": 1.5}, "between 0 and 1, got 1.5"),
        ({"n": 4, "split": "val"}, "'train' and 'test', got 'val'"),
    ],
)
def test_bad_input_says_so(arguments, message):
    import inspect

    unchecked = inspect.unwrap(sample)
    with pytest.raises(ValueError, match=message):
        unchecked(**arguments)


def test_clips_move_the_object_and_nothing_else():
    film, way = scenes.clips(40, 4, seed=2)
    assert film.shape == (40, 3, 4, 64, 64) and film.dtype == torch.uint8
    again, same = scenes.clips(40, 4, seed=2)
    assert torch.equal(film, again) and torch.equal(way, same) and set(way.tolist()) == {0, 1, 2, 3}
    still, _ = scenes.clips(40, 4, seed=2, speed=0)
    change = (still[:, :, 0].float() - still[:, :, 3].float()).abs()
    assert change.mean() < 10  # sensor noise
    moved = (film[:, :, 0].float() - film[:, :, 3].float()).abs().mean((1, 2, 3))
    assert (moved > change.mean((1, 2, 3))).all()
    many, way = scenes.clips(600, 2, seed=5)
    bright = many[:, :, 0].float().mean(1)
    left = (bright[:, :, :32].mean((1, 2)) > bright[:, :, 32:].mean((1, 2))).float()
    assert abs(left[way == 0].mean() - left[way == 1].mean()) < 0.15  # one frame does not tell left from right
    with pytest.raises(ValueError, match="frames >= 2"):
        scenes.clips(4, 1)


def test_cells_of_a_grid_are_covered_clear_or_neither():
    mask = torch.zeros(1, 64, 64, dtype=torch.bool)
    mask[:, 16:32, 16:28] = True  # two rows of cells of 8 pixels; of columns one whole, one half
    drawn = scenes.sample(1)
    known = scenes.Scenes(drawn.images, drawn.shape, drawn.texture, mask, drawn.centre, drawn.scale)
    covered, clear = known.on_grid(8)
    assert covered.view(8, 8).nonzero().tolist() == [[2, 2], [3, 2]]
    assert not clear.view(8, 8)[1:5, 1:5].any() and clear.sum() == 64 - 16  # the shadow reaches 5 pixels around, a cell has 8
    assert known.on_grid(2)[0].tolist() == [[False] * 4] and known.on_grid(14)[0].shape == (1, 196)
    with pytest.raises(ValueError, match="1 to 64 cells a side, got 65"):
        known.on_grid(65)


def test_where_a_cell_is_clear_neither_object_nor_shadow_changes_the_picture():
    parts = scenes._choices(0, 3, 1.0, "test", slice(0, 40))
    drawn = scenes.sample(40, 3)
    bare = scenes._compose(parts.ground.clone(), parts.fill, torch.zeros(40, 64, 64), parts.noise)
    changed = (drawn.images != bare).any(1)
    clear = drawn.on_grid(64)[1].view(40, 64, 64)
    assert clear.any() and changed.any() and (changed & clear).float().mean() < 2e-3  # a shadow's end that changes by one grey level
