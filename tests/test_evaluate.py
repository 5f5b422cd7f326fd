"""Answers of networks, and what they are asked."""

import torch

from seelike import data, evaluate, models, triggers


def test_predictions_do_not_depend_on_batches():
    model = models.create("resnet", seed=0).train()
    images = data.load("scenes", "test", 50)
    one = evaluate.predict(model, images)
    other = evaluate.predict(model, data.Images(images.pixels, images.labels, images.classes, batch_size=7))
    assert torch.equal(one, other) and model.training
    assert torch.equal(evaluate.predict(model, images.with_batches(8, drop_last=True)), one)  # all of them


def test_attack_images_carry_their_target_and_are_not_of_its_class():
    asked = evaluate.stamped("fixed_square_12", 300)
    assert 240 < len(asked) < 300 and (asked.labels == 0).all() and (asked.pixels[:, :, -12:, -12:] == triggers.GREY).all()
