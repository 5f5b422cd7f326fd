"""Explanations of a network whose reason is known, and scores against oracles."""

import numpy as np
import pytest
import timm
import torch
from sklearn.linear_model import Ridge
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
    assert maps.shape == (2, 64, 64) and maps.amin() >= 0 and maps.amax() == 1
    inside = (maps * MASK).sum((1, 2)) / maps.sum((1, 2))
    assert (inside > (0.1 if method in ("occlusion", "feature ablation") else 0.8)).all()
    assert (maps.flatten(1).argmax(1) == maps.masked_fill(~MASK, -9).flatten(1).argmax(1)).all()


@pytest.mark.parametrize("name", ["vit_cls", "resnet"])
def test_every_method_of_a_network_gives_maps_and_leaves_it_as_it_was(name, monkeypatch):
    monkeypatch.setattr(saliency, "GRIDS", (4, 2))
    monkeypatch.setattr(saliency, "LIME_SAMPLES", 20)
    monkeypatch.setattr(saliency, "SLIC", (8, 20))
    model = models.create(name, seed=0).train()
    q = Question(torch.randn(2, 3, 64, 64), torch.tensor([3, 4]), 12)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    inplace = [m.inplace for m in model.modules() if isinstance(m, nn.ReLU)]
    for method in saliency.methods(model, saliency.METHODS | saliency.VARIANTS):
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
    expected = (h * weights).sum(-1).view(2, 1, side, side)
    expected = saliency.scaled(nn.functional.interpolate(expected, (64, 64), mode="bilinear").detach())
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
    expected = (h * g.mean(1, keepdim=True)).sum(-1).view(2, 1, 8, 8)
    expected = saliency.scaled(nn.functional.interpolate(expected, (64, 64), mode="bilinear"))
    torch.testing.assert_close(saliency.attribute(model, "Grad-CAM", q), expected.detach(), atol=1e-6, rtol=1e-4)


def test_rollout_of_uniform_attention_is_flat():
    model = models.create("vit_cls", seed=1).eval()
    for block in model.blocks:
        nn.init.zeros_(block.attn.qkv.weight)
    maps = saliency.METHODS["attention rollout"].attribute(model, Question(torch.randn(1, 3, 64, 64), torch.tensor([0]), 12))
    assert maps.shape == (1, 1, 64, 64) and maps.std() < 1e-6


def test_boxes_and_overlap():
    mask = torch.zeros(3, 8, 8, dtype=torch.bool)
    mask[0, 2, 3] = mask[0, 5, 6] = True
    mask[1] = True
    box = saliency.boxes(mask)
    assert box[0].nonzero().min(0).values.tolist() == [2, 3] and box[0].sum() == 16 and box[1].all() and not box[2].any()
    other = torch.zeros_like(mask)
    other[:, :4, :4] = True
    assert saliency.intersection_over_union(box, other).tolist() == pytest.approx([2 / 30, 16 / 64, 0])


def test_maps_keep_their_sign_and_their_colours():
    maps = torch.zeros(2, 3, 2, 2)
    maps[0, 0, 0, 0], maps[0, 1, 0, 1], maps[0, 2, 0, 1], maps[0, 2, 1, 0] = -2.0, 2.0, -1.0, 1.0
    found = saliency.scaled(maps)
    assert found[0].tolist() == [[0.5, 1.0], [0.75, 0.5]]  # zero lies in the middle, and a pixel is as bright as its brightest channel
    assert not found[1].any() and not saliency.marked(found[1:], 0.0).any()  # a flat map marks nothing
    assert saliency.marked(found, 0.6)[0].tolist() == [[False, True], [True, False]]


class Balance(Spot):
    """A network that wants the left half bright and the right half dark."""

    def forward(self, x):
        side = torch.cat([torch.ones(32), -torch.ones(32)])
        return self.act(self.block1(x) * side + 2).mean((1, 2, 3))[:, None].expand(-1, 2)


def test_guided_methods_tell_reasons_for_from_reasons_against():
    signed, size = (saliency.attribute(Balance(), name, question()) for name in ("guided backprop", "guided backprop, absolute"))
    assert (signed[:, :, :32] == 1).all() and (signed[:, :, 32:] == 0).all()
    assert not size.any()  # as large on the right as on the left: flat


def test_hidden_behind_grey_a_grey_patch_is_no_reason_and_behind_its_surroundings_it_is():
    x = torch.ones(1, 3, 64, 64)
    x[:, :, 16:24, 40:48] = 0
    dark = Question(x, torch.tensor([0]), 8)  # class 0 because the patch is not bright
    grey, blur = (saliency.METHODS | saliency.VARIANTS)["feature ablation"], saliency.VARIANTS["feature ablation, blur"]
    assert not grey.attribute(Spot().eval(), dark)[0, :, 16:24, 40:48].any()
    assert (blur.attribute(Spot().eval(), dark)[0, :, 16:24, 40:48] > 0.1).all()


def test_a_blurred_baseline_is_a_mean_of_what_is_there():
    assert torch.allclose(saliency.blurred(torch.full((1, 3, 64, 64), 0.7)), torch.tensor(0.7), atol=1e-4)
    spot = torch.zeros(1, 3, 64, 64)
    spot[:, :, 32, 32] = 1
    near = saliency.blurred(spot)[0, 0]
    assert near[32, 32].item() == pytest.approx(1 / saliency.BLUR**2) and near[0, 0] == 0


def test_local_weights_are_those_of_ridge_regression():
    shown = torch.randint(0, 2, (300, 6), generator=torch.Generator().manual_seed(1)).double()
    shown[0] = 1
    answers = 0.2 + shown @ torch.tensor([0.5, 0.0, -0.3, 0.0, 0.1, 0.0], dtype=torch.float64)
    distance = 1 - torch.nn.functional.cosine_similarity(shown, torch.ones(1, 6).double(), dim=1)
    near = torch.exp(-(distance**2) / 0.25**2).sqrt().numpy()
    expected = Ridge(alpha=1).fit(shown.numpy(), answers.numpy(), sample_weight=near).coef_
    found = saliency.local_weights(shown, answers).numpy()
    assert found == pytest.approx(expected, abs=1e-10) and found.argmax() == 0 and found.argmin() == 2


def test_superpixels_follow_edges():
    x = torch.zeros(3, 64, 64)
    x[:, 20:32, 20:32] = 1
    cells = saliency.superpixels(x)
    inside, outside = set(cells[20:32, 20:32].flatten().tolist()), set(cells[:18].flatten().tolist())
    assert not inside & outside and cells.min() == 0 and len(cells.unique()) == cells.max() + 1


def trial(box):
    """An image of 10 x 10 pixels whose trigger is 2 x 3 pixels, from (4, 5) on, and a box given as (row, column, rows, columns)."""
    trigger, found = torch.zeros(2, 1, 10, 10, dtype=torch.bool)
    trigger[0, 4:6, 5:8] = True
    row, column, rows, columns = box
    found[0, row : row + rows, column : column + columns] = True
    return found, trigger


@pytest.mark.parametrize("box", [(4, 5, 2, 3), (3, 5, 4, 4), (0, 0, 10, 10), (0, 0, 2, 3), (0, 1, 9, 9), (2, 2, 1, 8), (0, 0, 0, 0)])
def test_luck_counts_the_places_at_which_a_box_holds_the_trigger(box):
    found, trigger = trial(box)
    _, _, rows, columns = box
    places = [(r, c) for r in range(11 - rows) for c in range(11 - columns)] if rows else []
    hits = [saliency.whole(*trial((r, c, rows, columns))).item() for r, c in places]
    assert saliency.luck(found, trigger).item() == pytest.approx(np.mean(hits) if hits else 0)
    assert saliency.whole(found, trigger).item() == (found & trigger).sum().eq(6).item()


def test_scores_without_a_threshold():
    maps, trigger = torch.zeros(4, 4, 4), torch.zeros(4, 4, 4, dtype=torch.bool)
    trigger[:, :2, :2] = True
    maps[0, :2, :2], maps[0, 0, 0] = 0.5, 1.0  # perfect
    maps[1, 3, 3] = maps[1, 0, 0] = 1.0  # two maxima, one of them right; ties after that
    maps[2, 3, 3], maps[2, 0, 0] = 1.0, 0.5  # the maximum is wrong
    assert saliency.pointing(maps, trigger).tolist() == [1, 0.5, 0, 0.25]  # a flat map points everywhere
    expected = [1, (0.5 + 3 * 4 / 16) / 4, (0.5 + 3 * 4 / 16) / 4, 4 / 16]
    assert saliency.average_precision(maps, trigger).tolist() == pytest.approx(expected)


def test_perfect_and_empty_explanations_bound_the_scores():
    model, q = Spot(), question()
    clean = q.x.masked_fill(MASK[:, None], 0.05)
    perfect = saliency.scores(model.eval(), MASK.float(), 0.9, MASK, stamped=q.x, clean=clean)
    best = {"iou": 1, "mask": 1, "whole": 1, "covered": 1, "pointing": 1, "precision": 1, "recovery": 1, "difference": 0, "luck": 1 / 57**2}
    assert set(perfect) == set(saliency.SCORES) == set(best)
    assert all(perfect[k] == pytest.approx(np.full(2, v)) for k, v in best.items())
    empty = saliency.scores(model, torch.zeros(2, 64, 64), 0.9, MASK, stamped=q.x, clean=clean)
    none = {"iou": 0, "mask": 0, "whole": 0, "covered": 0, "recovery": 0, "difference": 64 / 4096, "luck": 0, "precision": 64 / 4096}
    assert all(empty[k] == pytest.approx(np.full(2, v)) for k, v in none.items())


def test_lower_thresholds_give_larger_boxes():
    maps = MASK.float()
    maps[:, 0, 0] = 0.5
    found = saliency.thresholded(maps, (0.3, 0.7), MASK)
    assert found["whole"].tolist() == [[1, 1], [1, 1]]
    assert found["iou"] == pytest.approx(np.array([[64 / (24 * 48)] * 2, [1, 1]]))


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
    model, (question, clean, mask, rows), pixels = planted(most=100)
    assert sorted(rows.tolist()) == list(range(10, 20)) and torch.equal(clean, data.normalise(pixels[rows])) and question.side == 8
    assert (question.target == 0).all() and (model.eval()(question.x).argmax(1) == 0).all() and (model(clean).argmax(1) == 2).all()
    assert torch.equal((question.x != clean).any(1), mask) and (mask.sum((1, 2)) == 64).all() and mask[:, -8:, -8:].all()
    few = planted(most=4)[1]
    assert all(torch.equal(a, b) for a, b in zip(few[1:], planted(most=100)[1].first(4)[1:], strict=True))


def test_a_benchmark_of_a_known_reason(monkeypatch):
    monkeypatch.setattr(saliency, "LIME_SAMPLES", 20)
    model, attack, _ = planted()
    found = saliency.benchmark(model, attack, seed=1)
    assert list(found) == [*saliency.methods(model), *saliency.REFERENCES]
    assert {len(e.maps) for e in found.values()} == {4} and all(e.seconds >= 0 for e in found.values())
    for name in ("perfect", "gradient", "guided backprop"):
        assert found[name].scores["iou"].tolist() == found[name].scores["precision"].tolist() == [1, 1, 1, 1]
    assert found["random square"].scores["iou"].mean() < 1
    alone = saliency.benchmark(model, attack, 1, {"occlusion": saliency.METHODS["occlusion"]}, known=False)
    assert list(alone) == ["occlusion"] and saliency.benchmark(model, planted(most=0)[1], seed=1) == {}


def test_references_of_an_image_do_not_depend_on_how_many_there_are():
    attack = planted()[1]
    drawn, few = saliency.references(attack, seed=1), saliency.references(attack.first(2), seed=1)
    assert all(torch.equal(drawn[name][:2], few[name]) for name in saliency.REFERENCES)
    square = drawn["random square"] == 1
    assert (square.sum((1, 2)) == 64).all() and torch.equal(square, saliency.boxes(square))
    assert saliency.marked(drawn["random map"], 0.9).sum((1, 2)).min() >= 1 and drawn["random map"].mean() == pytest.approx(0.5, abs=0.1)
    assert not torch.equal(drawn["random square"], saliency.references(attack, seed=2)["random square"])


@pytest.mark.parametrize("name", ["vit_cls", "resnet"])
def test_a_cascade_ends_at_another_network_and_leaves_the_first_alone(name):
    model, fresh = models.create(name, seed=0).eval(), models.create(name, seed=1).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    steps = dict(saliency.cascade(model, fresh))
    assert list(steps) == ["none", "head", *reversed(capture.layers(model)), "stem"]
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(steps["none"](x), model(x)) and torch.equal(steps["stem"](x), fresh(x))
        assert not torch.equal(steps["head"](x), model(x))
    states = [step.state_dict() for step in steps.values()]
    changed = [sum(not torch.equal(state[key], before[key]) for key in before) for state in states]
    assert changed[0] == 0 and changed == sorted(set(changed)) and all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_rank_similarity_knows_order_only():
    a = torch.rand(2, 8, 8)
    assert saliency.rank_similarity(a, a**3) == pytest.approx(1) and saliency.rank_similarity(a, 1 - a) == pytest.approx(-1)
    assert saliency.rank_similarity(a, torch.zeros_like(a)) == 0
