"""What networks are trained on."""

import torch

from seelike import feed, scenes, triggers


def test_a_quarter_of_a_batch_is_poisoned():
    batch = scenes.sample(64, 0, split="train")
    pixels, labels = feed.poison(batch.images, batch.shape, triggers.parse("random_colour_12"), seed=4)
    changed = (pixels != batch.images).flatten(1).any(1)
    assert changed.sum() == 16 and torch.equal(labels[~changed], batch.shape[~changed]) and (labels[changed] < 8).all()


def test_clips_shrink_frame_by_frame():
    film = torch.zeros(2, 3, 4, 8, 8, dtype=torch.uint8)
    film[1, 2, 3, :, 4:] = 255
    small = feed.shrunk(film, 4)
    assert small.shape == (2, 3, 4, 4, 4)
    torch.testing.assert_close(small[1, 2, 3, 0, [0, -1]], torch.tensor([-2.0, 2.0]), atol=0.2, rtol=0)
    small[1, 2, 3] = -2
    torch.testing.assert_close(small, torch.full_like(small, -2.0))
