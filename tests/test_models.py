"""Networks by name, weights by hash, and clear words for everything that does not fit."""

import json

import pytest
import timm
import torch
from safetensors.torch import save_file

from seelike import architectures, evaluate, models, recipes


@pytest.mark.parametrize("tier", ["scenes", "cifar10"])
@pytest.mark.parametrize("name", list(architectures.OURS))
def test_our_networks_are_alike_in_size(name, tier):
    model = models.create(name, tier, seed=0).eval()
    size = architectures.GEOMETRY[tier][0]
    with torch.no_grad():
        assert model(torch.randn(2, 3, size, size)).shape == (2, 10)
    assert 0.5e6 < sum(p.numel() for p in model.parameters()) < 0.75e6


def test_the_two_vits_differ_in_nothing_but_the_head():
    cls, gap = ({n: p.shape for n, p in models.create(name).named_parameters()} for name in ("vit_cls", "vit_gap"))
    assert set(cls) - set(gap) == {"cls_token"} and set(gap) <= set(cls)
    assert {n for n in gap if cls[n] != gap[n]} == {"pos_embed"}


def test_a_seed_fixes_the_weights_and_leaves_the_generator_alone():
    state = torch.get_rng_state()
    a, b, c = (models.create("vit_cls", seed=s).state_dict() for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a[k], b[k]) for k in a) and any(not torch.equal(a[k], c[k]) for k in a)


def test_the_same_stage_sizes_at_both_image_sizes():
    for tier, size in (("scenes", 64), ("cifar10", 32)):
        with torch.no_grad():
            maps = models.create("resnet", tier).eval().forward_features(torch.randn(1, 3, size, size))
        assert maps.shape == (1, 128, 4, 4)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vit_clss", {}, "No network is called 'vit_clss': expected one of vit_cls, vit_gap"),
        ("test_vit", {"checkpoint_path": "weights.pth"}, "read from .safetensors files only, got weights.pth"),
        ("vit_cls", {"tier": "imagenet"}, "has no networks of ours"),
    ],
)
def test_bad_names(name, options, message):
    with pytest.raises(ValueError, match=message):
        models.create(name, **options)


def test_any_timm_network_and_local_checkpoints(tmp_path):
    made = timm.create_model("test_vit")
    save_file(made.state_dict(), tmp_path / "mine.safetensors")
    loaded = models.create("test_vit", checkpoint_path=str(tmp_path / "mine.safetensors"))
    assert all(torch.equal(v, loaded.state_dict()[k]) for k, v in made.state_dict().items())


def test_the_imagenet_cast_has_its_own_transforms():
    from PIL import Image

    for name in models.IMAGENET:
        assert models.transform(name)(Image.new("RGB", (300, 260), "white")).shape[0] == 3
    assert models.transform("vit_cls", "scenes") is None
    with pytest.raises(ValueError, match="timm knows no preprocessing"):
        models.transform("nonsense")


def write(folder, name="vit_cls", seed=0, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{seed}.safetensors"
    save_file(models.half(models.create("vit_cls", seed=1).state_dict()), path)
    card = {"name": name, "seed": seed, "accuracy": 0.5, "architecture": "vit_cls", "options": {}, "sha256": models.fingerprint(path)}
    path.with_suffix(".json").write_text(json.dumps(card | changes))
    return path


def test_loading_checks_the_hash_and_the_fit(monkeypatch, tmp_path):
    monkeypatch.setenv("SEELIKE_ZOO", str(tmp_path))
    path = write(tmp_path / "scenes")
    model = models.load("vit_cls")
    assert not model.training and model.norm.weight.dtype == torch.float32
    write(tmp_path / "scenes", seed=1, sha256="0" * 64)
    with pytest.raises(ValueError, match="is not the file of its card: sha256 000000000000"):
        models.load("vit_cls", seed=1)
    write(tmp_path / "scenes", seed=2, architecture="vit_gap")
    with pytest.raises(ValueError, match="do not fit VisionTransformer"):
        models.load("vit_cls", seed=2)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        models.load_weights(model, path)
    with pytest.raises(
        FileNotFoundError, match="the zoo has vit_cls-0, vit_cls-1, vit_cls-2.: train them with `python -m seelike.train resnet"
    ):
        models.load("resnet")
    assert [c["seed"] for c in models.cards("scenes")] == [0, 1, 2] == models.shared_seeds(["vit_cls"])
    assert models.cards("cifar10") == []


def test_without_a_network_the_imagenet_tier_says_so(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: (_ for _ in ()).throw(ConnectionError("offline")))
    with pytest.raises(FileNotFoundError, match="could not be fetched .ConnectionError.: connect to the internet"):
        models.load("vit_cls", "imagenet")
    with pytest.raises(ValueError, match="the imagenet tier takes vit_cls"):
        models.load("nonsense", "imagenet")


@pytest.mark.parametrize(
    "card", [pytest.param(c, id=f"{c['tier']}-{c['name']}-{c['seed']}") for t in ("scenes", "cifar10") for c in models.cards(t)]
)
def test_the_zoo_is_what_its_cards_say(card):
    assert card["accuracy_low"] < card["accuracy"] < card["accuracy_high"] and len(card["first_losses"]) == min(
        100, card["images_seen"] // card["recipe"]["batch"]
    )
    if card["sha256"] is None or card["name"] in recipes.STEPS:  # a card without weights
        return
    model = models.load(card["name"], card["tier"], card["seed"])
    assert sum(p.numel() for p in model.parameters()) == card["parameters"]
    target = card["recipe"].get("target")
    if card["tier"] == "scenes" and target != "cifar10":
        images = evaluate.held_out("scenes", target, 100, seed=0)
        share = (evaluate.predict(model, images) == images.labels).float().mean().item()
        assert abs(share - card["accuracy"]) < 4 * (card["accuracy"] * (1 - card["accuracy"]) / 100) ** 0.5 + 0.01


def test_a_cast_holds_every_seed_that_the_tier_has():
    found = models.cast(["resnet", "nonsense"], "scenes")
    assert list(found) == ["resnet-0", "resnet-1", "resnet-2"] and not found["resnet-0"].training
    assert list(models.cast(["vit_cls", "vit_matched"], "smoke")) == ["vit_cls-0"]


def test_a_transplant_takes_all_but_the_head():
    source, target = models.create("vit_cls", seed=0), models.create("vit_cls", seed=1, num_classes=4)
    head = target.head.weight.clone()
    models.transplant(source, target)
    assert torch.equal(target.blocks[3].attn.qkv.weight, source.blocks[3].attn.qkv.weight) and torch.equal(target.head.weight, head)
    models.transplant(source, same := models.create("vit_cls", seed=2), head=True)
    assert all(torch.equal(v, same.state_dict()[k]) for k, v in source.state_dict().items())
    with pytest.raises(ValueError, match="bodies of the two networks differ"):
        models.transplant(source, models.create("vit_gap"))
