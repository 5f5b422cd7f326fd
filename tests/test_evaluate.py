"""Answers of networks, and what they are asked."""

import torch

from seelike import augment, data, evaluate, models, scenes, triggers


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


def test_recalibrated_batch_norms_know_the_images_they_are_shown():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4), torch.nn.AdaptiveAvgPool2d(1)).eval()
    drawn = scenes.sample(256, seed=1)
    clean = data.Images(drawn.images, drawn.shape, scenes.SHAPES, batch_size=64)
    noisy = data.Images(augment.add_noise(drawn.images, 2), drawn.shape, scenes.SHAPES, batch_size=64)
    spoilt = evaluate.recalibrated(model, noisy)  # as after training on noise
    again = evaluate.recalibrated(spoilt, clean)
    with torch.no_grad():
        inside = torch.stack([model[0](x).transpose(0, 1).flatten(1) for x, _ in clean])
    torch.testing.assert_close(again[1].running_mean, inside.mean((0, 2)), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(again[1].running_var, inside.var(2).mean(0), rtol=1e-3, atol=0)
    assert not torch.allclose(spoilt[1].running_var, again[1].running_var, rtol=0.05)
    assert again[1].momentum == 0.1 and not any(m.training for m in again.modules())
    assert torch.equal(model[1].running_mean, torch.zeros(4))  # the network itself stays as it was
    torch.testing.assert_close(again[0].weight, model[0].weight)


def test_networks_without_batch_norm_are_not_touched():
    vit = models.create("vit_cls", "smoke", seed=0, depth=2, width=24)
    assert evaluate.recalibrated(vit, data.load("smoke", "test", 8)) is vit


def test_more_images_with_cue_conflict_can_be_asked():
    model = models.create("resnet", "smoke", seed=0, width=4)
    conflict = scenes.cue_conflict(96, seed=1)
    answer = evaluate.predict(model, data.Images(conflict.images, conflict.shape, scenes.SHAPES))
    point = evaluate.validate(model, "smoke", conflicts=96)
    assert point["shape"] == round((answer == conflict.shape).float().mean().item(), 4)
    assert point["texture"] == round((answer == conflict.texture).float().mean().item(), 4)
