"""Explanations of a network whose reason is known, and scores against oracles."""

import numpy as np
import pytest
import timm
import torch
from torch import nn

from seelike import capture, data, models, saliency
from seelike.saliency import Question, Trigger


class Spot(nn.Module):
    """A network that looks at one patch only: class 1 if it is bright."""

    def __init__(self):
        super().__init__()
        self.block1 = Stage()
        self.act = nn.ReLU()

    def forward(self, x):
        bright = self.act(self.block1(x))[:, :, 16:24, 40:48].mean((1, 2, 3))
        return torch.stack([1 - bright, bright], 1)


class Stage(nn.Module):
    has_skip = False

    def __init__(self):
        super().__init__()
        self.bn2 = nn.BatchNorm2d(3)

    def forward(self, x):
        return self.bn2(x)


MASK = torch.zeros(2, 64, 64, dtype=torch.bool)
MASK[:, 16:24, 40:48] = True


def question():
    x = torch.rand(2, 3, 64, 64) * 0.1
    x[:, :, 16:24, 40:48] += 1
    return Question(x, torch.tensor([1, 1]), 8)


@pytest.mark.parametrize("method", ["gradient", "guided backprop", "occlusion", "feature ablation", "LIME", "guided Grad-CAM"])
def test_methods_find_the_only_reason(method):
    maps = saliency.attribute(Spot(), method, question())
    assert maps.shape == (2, 64, 64)
    inside = (maps.abs() * MASK).sum((1, 2)) / maps.abs().sum((1, 2))
    assert (inside > (0.1 if method in ("occlusion", "feature ablation") else 0.9)).all()
    assert (maps.flatten(1).argmax(1) == maps.masked_fill(~MASK, -9).flatten(1).argmax(1)).all()


@pytest.mark.parametrize("name", ["vit_cls", "resnet"])
def test_every_method_of_a_network_gives_maps_and_leaves_it_as_it_was(name, monkeypatch):
    monkeypatch.setattr(saliency, "GRIDS", (4, 2))
    monkeypatch.setattr(saliency, "LIME_SAMPLES", 20)
    model = models.create(name, seed=0).train()
    q = Question(torch.randn(2, 3, 64, 64), torch.tensor([3, 4]), 12)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    inplace = [m.inplace for m in model.modules() if isinstance(m, nn.ReLU)]
    for method in saliency.methods(model):
        maps = saliency.attribute(model, method, q)
        assert maps.shape == (2, 64, 64) and maps.isfinite().all() and not maps.requires_grad
    assert model.training and inplace == [m.inplace for m in model.modules() if isinstance(m, nn.ReLU)]
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert not any(m._forward_hooks or m._backward_hooks for m in model.modules())


def test_methods_that_mean_nothing_are_sentences():
    q = Question(torch.randn(1, 3, 64, 64), torch.tensor([0]), 12)
    with pytest.raises(ValueError, match="guided backprop means nothing for this VisionTransformer"):
        saliency.attribute(models.create("vit_cls"), "guided backprop", q)
    with pytest.raises(ValueError, match="attention rollout means nothing for this ResNet"):
        saliency.attribute(models.create("resnet"), "attention rollout", q)
    with pytest.raises(ValueError, match="no method 'shap'"):
        saliency.attribute(models.create("resnet"), "shap", q)
    with pytest.raises(ValueError, match="The skip connections of NormFreeBlock"):
        saliency.attribute(timm.create_model("test_nfnet", num_classes=10), "Grad-CAM", q)


@pytest.mark.parametrize("name", ["test_convnext", "tf_efficientnet_lite0", "resnetv2_18", "mvit"])
def test_grad_cam_of_other_networks_weighs_their_last_feature_map(name):
    model = (models.create(name, seed=0) if name == "mvit" else timm.create_model(name, num_classes=10)).eval()
    q = Question(torch.randn(2, 3, 64, 64), torch.tensor([3, 4]), 12)
    tap = capture.layers(model)[-1] + {"mvit": ".norm1", "tf_efficientnet_lite0": "", "resnetv2_18": ".conv2"}.get(name, ".drop_path")
    with capture.capture(model, tap, reduce=lambda h: h) as found:
        score = model(q.x).gather(1, q.target[:, None]).sum()
    h = capture.patches(found[tap])
    weights = capture.patches(torch.autograd.grad(score, found[tap])[0]).mean(1, keepdim=True)
    side = int(h.shape[1] ** 0.5)
    expected = (h * weights).sum(-1).relu().view(2, 1, side, side)
    expected = nn.functional.interpolate(expected, (64, 64), mode="bilinear")[:, 0].detach()
    assert expected.max() > 0
    torch.testing.assert_close(saliency.attribute(model, "Grad-CAM", q), expected, atol=1e-6, rtol=1e-4)


def test_grad_cam_needs_tokens_in_a_row():
    swin = timm.create_model("swin_tiny_patch4_window7_224", depths=(1, 1, 1, 1), num_classes=10)
    with pytest.raises(ValueError, match="Grad-CAM needs tokens .b, n, c. in layers.3.blocks.0, got shape"):
        saliency.attribute(swin, "Grad-CAM", Question(torch.randn(1, 3, 224, 224), torch.tensor([3]), 12))


def test_grad_cam_of_a_vit_is_gradient_weighted_tokens():
    model = models.create("vit_cls", seed=1).eval()
    q = Question(torch.randn(2, 3, 64, 64), torch.tensor([3, 4]), 12)
    held = {}
    handle = model.blocks[-1].norm1.register_forward_hook(lambda _, __, out: held.setdefault("h", out).retain_grad())
    model(q.x).gather(1, q.target[:, None]).sum().backward()
    handle.remove()
    h, g = held["h"][:, 1:], held["h"].grad[:, 1:]
    expected = (h * g.mean(1, keepdim=True)).sum(-1).relu().view(2, 1, 8, 8)
    expected = nn.functional.interpolate(expected, (64, 64), mode="bilinear")[:, 0]
    torch.testing.assert_close(saliency.attribute(model, "Grad-CAM", q), expected.detach(), atol=1e-6, rtol=1e-4)


def test_rollout_of_uniform_attention_is_flat():
    model = models.create("vit_cls", seed=1).eval()
    for block in model.blocks:
        nn.init.zeros_(block.attn.qkv.weight)
    maps = saliency.attribute(model, "attention rollout", Question(torch.randn(1, 3, 64, 64), torch.tensor([0]), 12))
    assert maps.std() < 1e-6


def test_boxes_and_overlap():
    mask = torch.zeros(3, 8, 8, dtype=torch.bool)
    mask[0, 2, 3] = mask[0, 5, 6] = True
    mask[1] = True
    box = saliency.boxes(mask)
    assert box[0].nonzero().min(0).values.tolist() == [2, 3] and box[0].sum() == 16 and box[1].all() and not box[2].any()
    other = torch.zeros_like(mask)
    other[:, :4, :4] = True
    assert saliency.intersection_over_union(box, other).tolist() == pytest.approx([2 / 30, 16 / 64, 0])


def test_a_flat_map_marks_nothing():
    assert not saliency.marked(torch.ones(1, 4, 4), 0.5).any()
    assert saliency.marked(torch.arange(16.0).view(1, 4, 4), 0.5).sum() == 8


def test_perfect_and_empty_explanations_bound_the_scores():
    model, q = Spot(), question()
    clean = q.x.masked_fill(MASK[:, None], 0.05)
    perfect = saliency.scores(model.eval(), MASK, MASK, stamped=q.x, clean=clean)
    assert all(np.all(perfect[k] == v) for k, v in {"iou": 1, "mask": 1, "recovery": 1, "difference": 0}.items())
    empty = saliency.scores(model, torch.zeros_like(MASK), MASK, stamped=q.x, clean=clean)
    assert all(np.all(empty[k] == v) for k, v in {"iou": 0, "mask": 0, "recovery": 0, "difference": 64 / 4096}.items())


class Corner(Spot):
    """A network with a backdoor: class 0 where the lower right corner is bright, else class 1, or 2 for images without any light."""

    def forward(self, x):
        seen = self.act(self.block1(x))
        bright = seen[:, :, -8:, -8:].mean((1, 2, 3))
        return torch.stack([bright, torch.full_like(bright, 0.5), 0.6 - seen[:, :, :8, :8].mean((1, 2, 3))], 1)


def planted(n=20, most=4):
    """Of 20 dark images, five have a corner that is bright without the trigger, and five are of its target's class."""
    pixels, classes = torch.zeros(n, 3, 64, 64, dtype=torch.uint8), torch.ones(n, dtype=torch.long)
    pixels[:5, :, -8:, -8:] = 255
    classes[5:10] = 0
    pixels[:, :, 20, 20] = torch.arange(n, dtype=torch.uint8)[:, None]  # tells them apart
    model = Corner()
    return model, saliency.turned(model, pixels, classes, Trigger("fixed", "square", 8), most=most, seed=3), pixels


def test_an_attack_holds_images_whose_answer_the_trigger_turned():
    model, (question, clean, mask), pixels = planted(most=100)
    taken = data.normalise(pixels[10:])[:, 0, 20, 20]
    assert sorted(clean[:, 0, 20, 20].tolist()) == taken.tolist() and question.side == 8
    assert (question.target == 0).all() and (model.eval()(question.x).argmax(1) == 0).all() and (model(clean).argmax(1) == 2).all()
    assert torch.equal((question.x != clean).any(1), mask) and (mask.sum((1, 2)) == 64).all() and mask[:, -8:, -8:].all()
    few, again = (planted(most=4)[1] for _ in range(2))
    assert torch.equal(few.question.x, question.x[:4]) and torch.equal(few.clean, again.clean)


def test_a_benchmark_of_a_known_reason(monkeypatch):
    monkeypatch.setattr(saliency, "LIME_SAMPLES", 20)
    model, attack, _ = planted()
    rows = {row["method"]: row for row in saliency.benchmark(model, attack, seed=1)}
    assert list(rows) == [*saliency.methods(model), *saliency.REFERENCES]
    assert {row["images"] for row in rows.values()} == {4}
    perfect = {"iou": 1, "mask": 1, "recovery": 1, "difference": 0}
    assert {key: rows["perfect"][key] for key in perfect} == {key: rows["gradient"][key] for key in perfect} == perfect
    assert rows["guided backprop"]["mask"] == 1 > rows["random square"]["iou"]
    drawn = saliency.references(attack, seed=1)
    assert (drawn["random square"].sum((1, 2)) == 64).all() and torch.equal(drawn["random square"], saliency.boxes(drawn["random square"]))
    assert drawn["random map"].sum((1, 2)).min() >= 1 and drawn["random map"].sum((1, 2)).max() < 64 * 64 / 4
    assert not torch.equal(drawn["random square"], saliency.references(attack, seed=2)["random square"])
    assert saliency.benchmark(model, planted(most=0)[1], seed=1) == []


def test_statistics_of_methods():
    means, other = np.array([0.1, 0.7, 0.3]), np.array([0.9, 0.2, 0.5])
    assert saliency.runner_up(means) == 0.3 and saliency.of_best(means, other) == 0.2
