"""Checks of exercises: the book's own solutions pass, typical mistakes get their hint, and no hint tells the number."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from seelike import capture, checks, consistency, contents, data, maps, models, published, residual, scenes
from seelike.attention import prefix_mass
from seelike.cka import cka, sweep
from seelike.dependencies import names


@pytest.fixture(scope="module")
def book():
    return contents.read()


@pytest.fixture
def says(capsys):
    """What a check prints: one sentence."""

    def asked(check, *arguments):
        capsys.readouterr()
        check(*arguments)
        told = capsys.readouterr().out.splitlines()
        assert len(told) == 1
        return told[0]

    return asked


@pytest.fixture
def solve(book, capsys):
    """Runs the book's solution to an exercise with some of the chapter's variables and returns the last line that it prints."""

    def run(label, **chapter):
        solution = next(e.solution for exercises in book.exercises.values() for e in exercises if e.label == label)
        code = "\n".join(re.findall(r"^```python\n(.*?)^```", solution, re.S | re.M))
        capsys.readouterr()
        exec(code, chapter)
        return capsys.readouterr().out.splitlines()[-1]

    return run


@pytest.fixture(scope="module")
def images():
    return data.load("smoke", n=32, batch_size=32)


@pytest.fixture(scope="module")
def cast():
    return {"vit_cls-0": models.load("vit_cls", "smoke").eval(), "resnet-0": models.load("resnet", "smoke").eval()}


def test_every_check_has_an_exercise_and_its_chapters_variables(book):
    chapter = {e.label: stem for stem, exercises in book.exercises.items() for e in exercises}
    assert len(checks.CHECKS) >= 17 and set(checks.CHECKS) <= set(chapter)
    for label, (wanted, look) in checks.CHECKS.items():
        bound = {"x", "answer"} if label == "ex-prefix" else set()  # x is bound in a loop of the solution, too
        for cell in book.chapters[chapter[label]].cells:
            bound |= names(cell.source).touched if cell.cell_type == "code" else set()
        assert set(checks.parameters(look)[1:]) <= bound, label
        assert checks.label(look) == label and wanted


def test_every_solution_in_code_calls_its_check(book):
    for exercises in book.exercises.values():
        for e in exercises:
            if e.label in checks.CHECKS and e.solution:
                assert f"checks.{checks.CHECKS[e.label].look.__name__}(" in e.solution, e.label


def test_a_stub_runs_and_asks_for_an_answer(capsys):
    lines = checks.stub("ex-bias")
    assert lines[0].startswith("# mine: ") and lines[-2:] == ["mine = ...", "checks.check_bias(mine)"]
    exec("\n".join(lines), {})
    assert capsys.readouterr().out == "Not yet: put your answer in place of the three dots.\n"
    assert checks.stub("ex-four") == []


def test_shuffled_patches(says, solve):
    torch.manual_seed(0)
    w = {"pos_embed": torch.randn(1, 65, 8)}
    x, mix = torch.randn(4, 65, 8), nn.MultiheadAttention(8, 1, batch_first=True).requires_grad_(False)

    def embed(x):
        return x + w["pos_embed"]

    def block(z, name):
        return z + mix(z, z, z)[0]

    chapter = {"x": x, "embed": embed, "block": block, "w": w}
    assert solve("ex-shuffled-patches", torch=torch, **chapter) == "Right."
    check, context = checks.check_shuffled_patches, (x, embed, block, w)
    z = embed(x) - w["pos_embed"]
    order = torch.cat([torch.tensor([0]), 1 + torch.randperm(64)])
    all_shuffled = order.roll(1)
    right = block(z, "")[:, 0], block(z[:, order], "")[:, 0]
    assert says(check, right, *context) == "Right."
    assert "all tokens" in says(check, (block(z, ""), block(z, "")), *context)
    assert "still in the tokens" in says(check, (block(embed(x), "")[:, 0],) * 2, *context)
    assert "did it stay in first place" in says(check, (right[0], block(z[:, all_shuffled], "")[:, 0]), *context)
    assert "last bit" in says(check, (right[0], right[0]), *context)
    assert "two things" in says(check, right[0][0, 0], *context)


def test_texture(says):
    def grey(drawn, where=None):
        images = drawn.images.clone()
        images.permute(0, 2, 3, 1)[drawn.mask if where is None else where(drawn)] = 127
        return images

    def in_place(drawn):
        drawn.images.permute(0, 2, 3, 1)[drawn.mask] = 127
        return drawn.images

    def mean_colour(drawn):
        images = drawn.images.clone()
        for image, mask in zip(images, drawn.mask, strict=True):
            image[:, mask] = image[:, mask].double().mean().to(torch.uint8)
        return images

    check = checks.check_texture
    assert says(check, grey) == "Right."
    assert "background is grey" in says(check, lambda d: grey(d, lambda d: ~d.mask))
    assert "painted over" in says(check, in_place)
    assert "still shows" in says(check, lambda d: d.images.clone())
    assert "not all of one grey" in says(check, mean_colour)
    assert "keep the type" in says(check, lambda d: grey(d) / 255)
    assert "function of scenes" in says(check, scenes.sample(2, 0))


def test_bias(says):
    check = checks.check_bias
    assert says(check, lambda n, p, q: 1 / np.sqrt((1 + n / p) * (1 + n / q))) == "Right."
    assert "upside down" in says(check, lambda n, p, q: 1 / np.sqrt((1 + p / n) * (1 + q / n)))
    assert "root is missing" in says(check, lambda n, p, q: 1 / ((1 + n / p) * (1 + n / q)))
    assert "no notice of q" in says(check, lambda n, p, q: 1 / (1 + n / p))
    assert "bracket" in says(check, lambda n, p, q: 0.5)
    assert "one number" in says(check, lambda n, p, q: "a")


def test_view(says, solve, cast, images):
    similarity = sweep(cast, images, "all")
    pairs, context = [("vit_cls-0", "resnet-0")], (cast, images, similarity)
    chapter = {"cast": cast, "pairs": pairs, "images": images, "similarity": similarity, "sweep": sweep, "maps": maps, "np": np}
    assert solve("ex-view", **chapter) == "Right."
    pooled = {n: sweep({n: m}, images, "all", view=capture.gap).block(n).to_numpy() for n, m in cast.items()}
    blocks = {n: sweep({n: m}, images, view=capture.gap).block(n).to_numpy() for n, m in cast.items()}
    check = checks.check_view
    assert "own view" in says(check, {n: maps.uniformity(similarity.block(n).to_numpy()) for n in cast}, *context)
    assert "diagonal" in says(check, {n: m.mean() for n, m in pooled.items()}, *context)
    assert "block outputs only" in says(check, {n: maps.uniformity(m) for n, m in blocks.items()}, *context)
    assert "one ViT and one ResNet" in says(check, {"vit_cls-0": 0.5}, *context)
    assert "no network of the cast" in says(check, {"vit": 0.5}, *context)
    assert "cannot be read" in says(check, pooled, *context)


def test_prefix(says, solve, images):
    """With a trained network: in an untrained one every token receives alike."""
    from seelike import attention

    cast = {"vit_cls-0": models.load("vit_cls").eval()}
    x, _ = next(iter(images))
    assert solve("ex-prefix", images=images, cast=cast, vits=["vit_cls-0"], attention=attention) == "Right."
    with torch.no_grad(), capture.attention(cast["vit_cls-0"]) as heard:
        cast["vit_cls-0"](x)
    weights = torch.stack(list(heard.values()))  # blocks x images x heads x 65 x 65
    check, context = checks.check_prefix, (cast, x)
    mass = torch.stack([prefix_mass(w) for w in weights])
    assert says(check, mass.mean((1, 2)), *context) == "Right."
    assert "average over images" in says(check, mass, *context)
    assert "averaged over heads and kept images" in says(check, mass.mean(2), *context)
    assert "only patches ask" in says(check, weights[..., 0].mean((1, 3)), *context)
    assert "gives to the patches" in says(check, weights[..., 0, 1:].sum(-1).mean(1), *context)
    assert "gives to one patch" in says(check, weights[..., 0, 1:].mean((-1, 1)), *context)
    assert "sum over patches" in says(check, 64 * mass.mean(1), *context)
    assert "which axis" in says(check, mass.mean(1) + 0.5, *context)


def test_edge_field(says, solve, images):
    from seelike import receptive_field as erf

    vit = models.load("vit_cls", "smoke").eval()
    x = next(iter(images))[0][:2].requires_grad_()
    assert solve("ex-edge-field", capture=capture.capture, vit=vit, x=x, torch=torch, erf=erf) == "Right."
    check = checks.check_edge_field
    assert says(check, lambda h: h[:, -1]) == "Right."
    assert "the middle" in says(check, erf.centre)
    assert "class token" in says(check, lambda h: h[:, 0])
    assert "row 0 and column 1" in says(check, lambda h: h[:, 2])
    assert "one vector an image" in says(check, lambda h: h[1])
    assert "mixes several" in says(check, lambda h: h[:, 1] + torch.arange(5))
    assert "no gradient" in says(check, lambda h: h[:, 1].detach())


def test_afterwards(says, solve):
    from seelike import evaluate

    test = data.load("smoke", "test", 64)
    assert solve("ex-afterwards", tier="smoke", models=models, residual=residual, evaluate=evaluate) == "Right."

    def accuracies(cuts):
        cut = [residual.remove_skips(models.load("vit_cls", "smoke"), c) for c in cuts]
        return [float((evaluate.predict(m, test) == test.labels).float().mean()) for m in cut]

    check, context = checks.check_afterwards, ("smoke", test)
    right = accuracies([[i] for i in range(8)])
    assert says(check, right, *context) == "Right."
    assert "per cent" in says(check, [100 * a for a in right], *context)
    assert "wrong answers" in says(check, [1 - a for a in right], *context)
    assert "no skip was taken out" in says(check, accuracies([[]] * 8), *context)
    assert "8 numbers" in says(check, right[:3], *context)


def test_skips_that_stay_removed_are_noticed(says, monkeypatch):
    """With a network whose accuracy falls by a tenth with every block that lacks its skips."""
    monkeypatch.setattr(models, "load", lambda name, tier: None)
    monkeypatch.setattr(capture, "layers", lambda model: ["a", "b", "c"])
    monkeypatch.setattr(residual, "remove_skips", lambda model, cut: cut)
    monkeypatch.setattr(checks.evaluate, "predict", lambda cut, images: (torch.arange(10) >= len(cut)).long())
    images = SimpleNamespace(labels=torch.ones(10, dtype=torch.long))
    assert says(checks.check_afterwards, [0.9, 0.9, 0.9], "smoke", images) == "Right."
    assert "Load it afresh" in says(checks.check_afterwards, [0.9, 0.8, 0.7], "smoke", images)


def test_place_null(says, solve, cast, images):
    from seelike import capture as module

    assert solve("ex-place-null", images=images, cast=cast, capture=module) == "Right."
    x, _ = next(iter(images))
    with torch.no_grad(), capture.capture(cast["vit_cls-0"], ["blocks.7"]) as heard:
        cast["vit_cls-0"](x)
    token, patch = capture.patches(heard["blocks.7"])[:, 27], x[:, :, 24:32, 24:32]
    check, context = checks.check_place_null, (cast, images)
    own, null = cka(token, patch).item(), cka(token, patch.roll(1, 0)).item()
    assert says(check, (own, cka(token, patch.roll(-1, 0)).item()), *context) == "Right."
    assert "both are the same" in says(check, (own, cka(token, patch.roll(1, 2)).item()), *context)
    assert "other order" in says(check, (null, own), *context)
    assert "biased" in says(check, [cka(token, p, unbiased=False).item() for p in (patch, patch.roll(1, 0))], *context)
    assert "first number" in says(check, (own + 0.3, null), *context)


def test_memory(says, monkeypatch):
    """With networks that know a share of the images."""
    seen, images = (SimpleNamespace(labels=torch.zeros(10, dtype=torch.long), known=k) for k in (10, 6))
    monkeypatch.setattr(checks.feed, "training_set", lambda tier, recipe, seed: seen)
    predict = lambda model, split: (torch.arange(10) >= min(split.known + model, 10)).long()  # noqa: E731
    monkeypatch.setattr(checks.evaluate, "predict", predict)
    context = ("scenes", {96: {"3 %": 0, "100 %": 3}}, 96, images)
    assert says(checks.check_memory, [1.0, 0.6], *context) == "Right."
    assert "other order" in says(checks.check_memory, [0.6, 1.0], *context)
    assert "whole base set" in says(checks.check_memory, [1.0, 0.9], *context)
    assert "both are the accuracy on test images" in says(checks.check_memory, [0.6, 0.6], *context)
    assert "per cent" in says(checks.check_memory, [100, 60], *context)


def test_target_images(says, solve):
    cards = models.cards("scenes", study="fine-tuning")
    images = data.load("scenes", n=64)
    before, tuned = {"vit_cls-0": models.load("vit_cls")}, {"vit_to_texture-0": models.load("vit_to_texture")}
    given = ("scenes", before, tuned, images)
    chapter = dict(zip(("tier", "before", "tuned", "images"), given, strict=True)) | {
        "targets": ["vit_to_texture"],
        "cards": cards,
        "first_seed": 0,
    }
    assert solve("ex-target-images", sweep=sweep, np=np, **chapter) == "Right."
    check = checks.check_target_images
    both = sweep({"a": before["vit_cls-0"], "b": tuned["vit_to_texture-0"]}, images).block("a", "b").to_numpy()
    assert "first task" in says(check, {"texture": np.diag(both)}, *given)
    assert "each with itself" in says(check, {"texture": both}, *given)
    assert "keys texture" in says(check, {"shape": np.diag(both)}, *given)
    assert "other numbers" in says(check, {"texture": np.diag(both) / 2}, *given)


def test_alike(says, solve):
    from seelike import alike, evaluate

    nets = {f"{name}-{seed}": models.load(name, "scenes", seed) for name in ("vit_cls", "resnet") for seed in range(4)}
    seen = np.random.default_rng(0).random((8, 8))
    seen = seen + seen.T
    used = {"evaluate": evaluate, "consistency": consistency, "alike": alike, "np": np}
    assert solve("ex-alike", nets=nets, seen=seen, **used) == "Right."
    drawn = scenes.cue_conflict(1024, seed=14)
    conflict = data.Images(drawn.images, drawn.texture, scenes.SHAPES)
    named = np.array([(evaluate.predict(m, conflict) == drawn.texture).numpy() for m in nets.values()])
    k = consistency.kappas(named)
    wrong = [alike.agreement(seen, k).estimate, alike.agreement(seen, k, alike.given_accuracy(named.mean(1))).estimate]
    assert "names the texture" in says(checks.check_alike, wrong, nets, seen)
    assert "one number each" in says(checks.check_alike, ([1, 2], [3, 4]), nets, seen)


def test_threshold(says, solve):
    from seelike import backdoors, saliency, triggers

    drawn = scenes.sample(96, seed=backdoors.DRAW)
    networks = {("resnet", name): models.load(f"trojan_resnet_{name}") for name in ("fixed_square_12", "fixed_shape_12")}
    attacks = {key: backdoors.attack(model, drawn, key[1], 2, backdoors.DRAW) for key, model in networks.items()}
    used = {"saliency": saliency, "torch": torch, "triggers": SimpleNamespace(NAMES=[name for _, name in networks])}
    assert triggers.NAMES and solve("ex-threshold", networks=networks, attacks=attacks, **used) == "Right."
    check = checks.check_threshold

    def scores(threshold, box=saliency.boxes):
        return [
            np.mean(
                [
                    saliency.intersection_over_union(
                        box(saliency.marked(saliency.attribute(networks[k], m, a.question), threshold)), a.mask
                    ).mean()
                    for k, a in attacks.items()
                ]
            )
            for m in ("guided backprop", "guided backprop, absolute")
        ]

    assert "other order" in says(check, scores(0.8)[::-1], attacks, networks)
    assert "pixels themselves" in says(check, scores(0.8, lambda m: m), attacks, networks)
    assert "another threshold" in says(check, scores(0.6), attacks, networks)
    assert "a share lies" in says(check, [40, 50], attacks, networks)


def test_bias_map(says, solve):
    import matplotlib.pyplot as plt

    assert solve("ex-bias-map", plt=plt, models=models, tier="scenes") == "Right."
    plt.close("all")
    check, bias = checks.check_bias_map, models.load("cmt").stages[0].bias.detach()
    keys, queries = (round(n**0.5) for n in (bias.shape[2], bias.shape[1]))
    middle = queries * (queries // 2) + queries // 2
    assert "row and column side // 2" in says(check, bias[0, 0].view(keys, keys), "scenes")
    assert "give the keys their places" in says(check, bias[0, middle], "scenes")
    assert "the untrained network" in says(check, models.untrained("cmt").stages[0].bias.detach()[0, middle].view(keys, keys), "scenes")
    assert "keys, one number each" in says(check, bias[0], "scenes")


def test_average_human(says, solve):
    rng = np.random.default_rng(0)
    numbers = pd.DataFrame(rng.random((5, 4)), columns=["interclass", "interclass_average", "class", "class_average"])
    assert solve("ex-average-human", numbers=numbers) == "Right."
    check = checks.check_average_human
    assert "sign is turned" in says(check, numbers.interclass_average - numbers.interclass, numbers)
    assert "class-wise" in says(check, numbers["class"] - numbers.class_average, numbers)
    assert "not their mean" in says(check, (numbers.interclass - numbers.interclass_average).mean(), numbers)


def test_ease(says, solve):
    measures = {"kappa": consistency.kappas, "latent": consistency.latent_correlations}
    assert solve("ex-ease", np=np, measures=measures) == "Right."
    rng = np.random.default_rng(1)

    def right(seen, shares=(1 / 2, 1 / 2, 19 / 20)):
        return np.array([s > np.quantile(s, q) for s, q in zip(seen, shares, strict=True)])

    ease, check = rng.normal(size=10_000), checks.check_ease
    noisy = ease + rng.normal(size=(3, 10_000))
    assert says(check, right(noisy)) == "Right."
    assert "exchanged" in says(check, right(noisy).T)
    assert "hardest twentieth" in says(check, right(noisy, (1 / 2, 1 / 2, 1 / 20)))
    assert "same ease" in says(check, right(rng.normal(size=(3, 10_000))))
    assert "noise of its own" in says(check, right(np.tile(ease, (3, 1))))
    assert "booleans" in says(check, noisy)


def test_axis(says, solve):
    torch.manual_seed(1)
    shuffled, answer = torch.randn(200, 4), torch.randint(0, 4, (200,))
    viewer = nn.Identity()
    context = {"viewer": viewer, "shuffled": shuffled, "answer": answer}
    assert solve("ex-axis", torch=torch, **context) == "Right."
    said = shuffled.argmax(1)
    axis, wrong = (said // 2) == (answer // 2), said != answer
    check = checks.check_axis
    assert "right answers are among it" in says(check, axis.float().mean(), *context.values())
    assert "among all clips" in says(check, (axis & wrong).float().mean(), *context.values())
    assert "2 and 3 the other" in says(check, ((said % 2) == (answer % 2))[wrong].float().mean(), *context.values())
    assert "between 0 and 1" in says(check, axis[wrong].sum(), *context.values())


def test_ratio(says, solve, mirror):
    if published.scaling_points() is None:
        pytest.skip("the published points are not at hand")
    import matplotlib.pyplot as plt

    from seelike import scaling

    assert solve("ex-ratio", scaling=scaling, published=published, np=np, plt=plt) == "Right."

    def of(accuracy):
        known = scaling.measured(published.scaling_points(), accuracy)
        one, other = (scaling.history(known, m, "3B") for m in ("B/32", "B/16"))
        levels = np.linspace(*scaling.common_levels(one, other), 11)
        return levels, scaling.ratios(one, other, levels)

    levels, right = of("inet_finetune_acc")
    assert "upside down" in says(checks.check_ratio, (levels, 1 / right))
    assert "ten-shot" in says(checks.check_ratio, of("inet_10shot_acc"))
    assert "nothing is extrapolated" in says(checks.check_ratio, ([0.001, 0.002], [1.0, 1.0]))


def test_hints_hold_no_number_of_the_answer():
    """Sentences of the module are fixed, but for shapes, counts and places."""
    from pathlib import Path

    source = Path(checks.__file__).read_text()
    filled = set(re.findall(r"\{([^{}]+)\}", "\n".join(re.findall(r'f"[^"\n]*"', source))))
    assert not [f for f in filled if re.search(r"\b(own|null|pooled|(right|found)(?!\.shape))\b", f)], filled
