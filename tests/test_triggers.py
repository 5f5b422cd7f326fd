"""Triggers are where they say, look alike whenever they are stamped, and poison a quarter of a batch."""

import pytest
import torch

from seelike import scenes, triggers


@pytest.mark.parametrize("name", triggers.NAMES)
def test_a_stamp_changes_its_own_pixels_only(name):
    kind = triggers.parse(name)
    images = scenes.sample(16, 0).images
    targets = torch.arange(16) % kind.targets
    pixels, mask = triggers.stamp(images, kind, targets, seed=1)
    assert (mask.sum((1, 2)) == kind.side**2).all()
    assert torch.equal(pixels.permute(0, 2, 3, 1)[~mask], images.permute(0, 2, 3, 1)[~mask])
    corner = mask[:, -1, -1].all()
    assert corner if kind.place == "fixed" else not corner
    again = triggers.stamp(images, kind, targets, seed=2)
    side = kind.side
    for a, b in ((pixels, mask), again):
        forms = [x.permute(1, 2, 0)[m].view(side, side, 3) for x, m in zip(a, b, strict=True)]
        assert torch.equal(forms[0], forms[kind.targets])
        assert len({tuple(f.flatten().tolist()) for f in forms}) == kind.targets


def test_unknown_and_oversized_triggers_are_sentences():
    with pytest.raises(ValueError, match="There is no trigger 'fixed_star_12'"):
        triggers.parse("fixed_star_12")
    with pytest.raises(ValueError, match="does not fit"):
        triggers.stamp(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), triggers.parse("fixed_square_12"), torch.zeros(1).long(), 0)


def test_triggers_that_do_not_exist_are_a_sentence():
    with pytest.raises(ValueError, match="There is no trigger 'Random_star_8'"):
        triggers.Trigger("Random", "star", 8)
    with pytest.raises(ValueError, match="a target class from 0 to 0"):
        triggers.stamp(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), triggers.parse("fixed_square_12"), torch.tensor([0, 3]), 0)
