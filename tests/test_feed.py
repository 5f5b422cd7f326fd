"""What networks are trained on."""

import torch

from seelike import feed, scenes, triggers


def test_a_quarter_of_a_batch_is_poisoned():
    batch = scenes.sample(64, 0, split="train")
    pixels, labels = feed.poison(batch.images, batch.shape, triggers.parse("random_colour_12"), seed=4)
    changed = (pixels != batch.images).flatten(1).any(1)
    assert changed.sum() == 16 and torch.equal(labels[~changed], batch.shape[~changed]) and (labels[changed] < 8).all()
