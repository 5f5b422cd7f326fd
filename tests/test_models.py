"""Networks by name, weights by hash, and clear words for everything that does not fit."""

from dataclasses import replace

import pytest
import timm
import torch
from safetensors.torch import save_file

from seelike import architectures, cards, data, evaluate, models, tiers
from seelike.cards import Card


@pytest.mark.parametrize("tier", ["scenes", "cifar10"])
@pytest.mark.parametrize("name", list(architectures.OURS))
def test_our_networks_are_alike_in_size(name, tier):
    model = models.create(name, tier, seed=0).eval()
    size = tiers.get(tier).side
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
        ("test_vit", {"pretrained_cfg_overlay": {"file": "x.pth"}}, "pretrained_cfg_overlay may name files of any kind"),
        ("test_vit", {"pretrained": True, "pretrained_cfg": {"file": "x.pth"}}, "pretrained_cfg may name files of any kind"),
        ("vit_cls", {"bogus": 1}, "vit_cls cannot be made with the options .'bogus': 1.: .*unexpected keyword argument 'bogus'"),
    ],
)
def test_bad_names(name, options, message):
    with pytest.raises(ValueError, match=message):
        models.create(name, **options)


def test_any_timm_network_and_local_checkpoints(tmp_path):
    made = timm.create_model("test_vit")
    save_file(made.state_dict(), tmp_path / "mine.safetensors")
    (tmp_path / "damaged.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match="test_vit cannot be made with the options .*damaged.safetensors"):
        models.create("test_vit", checkpoint_path=str(tmp_path / "damaged.safetensors"))
    loaded = models.create("test_vit", checkpoint_path=str(tmp_path / "mine.safetensors"))
    assert all(torch.equal(v, loaded.state_dict()[k]) for k, v in made.state_dict().items())


def test_a_network_made_for_other_means_sees_what_it_was_made_for(tmp_path):
    """The book's normalisation goes in, the network's own comes out of the hook: as if the pixels had been normalised for it."""
    plain = models.create("test_vit", seed=3).eval()
    save_file(plain.state_dict(), tmp_path / "mine.safetensors")
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    member = tiers.Network("vit_cls", architecture="test_vit", weights=tmp_path / "mine.safetensors", mean=mean, std=std)
    tier = replace(tiers.get("scenes"), name="mine", side=160, networks=(member,))
    images = data.load(tier, n=2)
    own = (images.pixels / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(models.load("vit_cls", tier)(images.images), plain(own), atol=1e-4, rtol=1e-4)


def test_devices_that_are_not_there_are_a_sentence(monkeypatch):
    for name in ("banana", "cuda:99"):
        monkeypatch.setenv("SEELIKE_DEVICE", name)
        with pytest.raises(ValueError, match=f"SEELIKE_DEVICE names '{name}', but this machine has cpu"):
            models.place()


def test_counting_what_a_network_without_skips_costs():
    whole, cut = models.cost("resnet", 64), models.cost("resnet", 64, without_skips=[3])
    assert whole[0] == cut[0] and whole[1] == cut[1]


def write(folder, name="vit_cls", seed=0, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{seed}.safetensors"
    save_file(models.half(models.create("vit_cls", seed=1).state_dict()), path)
    card = CARD.model_copy(update={"name": name, "seed": seed, "sha256": models.fingerprint(path)} | changes)
    path.with_suffix(".json").write_text(card.model_dump_json())
    return path


CARD = Card(
    name="vit_cls", seed=0, tier="scenes", architecture="vit_cls", options={}, accuracy=0.5, accuracy_low=0.4, accuracy_high=0.6, test_images=10,
    parameters=1, data="", recipe={}, optimiser="", images_seen=1, seconds=1, threads=1, date="", versions={}, first_losses=[], points=1, curve=[],
)  # fmt: skip


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
    assert [seed for _, seed in models.cards("scenes")] == [0, 1, 2] == models.shared_seeds(["vit_cls"])
    assert models.cards("cifar10") == {}


def test_lost_weights_and_weights_that_were_never_kept_are_told_apart(monkeypatch, tmp_path):
    monkeypatch.setenv("SEELIKE_ZOO", str(tmp_path))
    write(tmp_path / "scenes").unlink()
    with pytest.raises(FileNotFoundError, match="vit_cls seed 0 at tier scenes are lost: restore vit_cls-0.safetensors, or train it"):
        models.load("vit_cls")
    write(tmp_path / "scenes", sha256=None)
    with pytest.raises(FileNotFoundError, match="keeps the card only"):
        models.load("vit_cls")
    assert models.roles("scenes") == {} == models.cast(["vit_cls"]) and models.shared_seeds(["vit_cls"]) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "line 1.*: restore this card of the zoo, or train the network again"),
        ("{", "line 1.*: restore this card of the zoo, or train the network again"),
        ('{"name": "vit_cls"}', "vit_cls-0.json, line 1: seed: field required: restore this card"),
        ("\xff", "is not readable as JSON .*: restore this card"),
    ],
)
def test_damaged_cards_are_a_sentence(monkeypatch, tmp_path, text, message):
    monkeypatch.setenv("SEELIKE_ZOO", str(tmp_path))
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "vit_cls-0.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message):
        models.cards("scenes")


def test_folders_in_the_place_of_files_are_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("SEELIKE_ZOO", str(tmp_path))
    weights = write(tmp_path / "scenes")
    weights.unlink()
    weights.mkdir()
    with pytest.raises(ValueError, match="vit_cls-0.safetensors cannot be read .Is a directory.: restore the file"):
        models.load("vit_cls")
    weights.with_suffix(".json").unlink()
    weights.with_suffix(".json").mkdir()
    with pytest.raises(ValueError, match="vit_cls-0.json is not readable as JSON .*Is a directory.*: restore this card"):
        models.load("vit_cls")


def test_a_card_under_another_name_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("SEELIKE_ZOO", str(tmp_path))
    write(tmp_path / "scenes").with_suffix(".json").rename(tmp_path / "scenes" / "other-0.json")
    with pytest.raises(ValueError, match="is the card of vit_cls-0: it should be called vit_cls-0.json"):
        models.cards("scenes")


def test_without_a_network_the_imagenet_tier_says_so(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: (_ for _ in ()).throw(ConnectionError("offline")))
    with pytest.raises(FileNotFoundError, match="could not be fetched .ConnectionError.: connect to the internet"):
        models.load("vit_cls", "imagenet")
    with pytest.raises(ValueError, match="imagenet has no network in the role 'nonsense' with seed 0: it has vit_cls"):
        models.load("nonsense", "imagenet")


@pytest.mark.parametrize("card", [pytest.param(c, id=f"{t}-{c.label}") for t in ("scenes", "cifar10") for c in models.cards(t).values()])
def test_the_zoo_is_what_its_cards_say(card):
    assert card.accuracy_low < card.accuracy < card.accuracy_high
    assert len(card.first_losses) == min(100, card.images_seen // card.made.batch)
    if card.sha256 is None or card.made.step:  # a card without weights
        return
    model = models.load(card.name, card.tier, card.seed)
    assert sum(p.numel() for p in model.parameters()) == card.parameters
    target = card.made.target
    if tiers.get(card.tier).truth and target != "cifar10":
        images = evaluate.held_out(card.tier, target, 100, seed=0)
        share = (evaluate.predict(model, images) == images.labels).float().mean().item()
        assert abs(share - card.accuracy) < 4 * (card.accuracy * (1 - card.accuracy) / 100) ** 0.5 + 0.01


def test_a_cast_holds_every_seed_that_the_tier_decides_on():
    found = models.cast(["resnet", "nonsense"], "scenes")
    assert list(found) == ["resnet-3", "resnet-4", "resnet-5"] and not found["resnet-3"].training
    assert models.roles("scenes")["resnet"] == [0, 1, 2, 3, 4, 5] and list(models.cast(["vit_matched"], "scenes")) == ["vit_matched-1"]
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


def put(folder, name, seed, **values):
    """A card of a network that the recipes of Scenes know, without weights."""
    card = CARD.model_copy(update={"name": name, "seed": seed, **values})
    (folder / f"{card.label}.json").write_text(card.model_dump_json())
    return card


def test_where_a_run_began_is_the_card_of_its_own_seed(monkeypatch, tmp_path):
    """Another seed of a host changed what backdoors cost."""
    monkeypatch.setenv("SEELIKE_ZOO", str(tmp_path))
    (tmp_path / "scenes").mkdir()
    for seed, accuracy in enumerate((0.42, 0.6)):
        put(tmp_path / "scenes", "resnet_small", seed, accuracy=accuracy)
        planted = put(tmp_path / "scenes", "trojan_resnet_fixed_square_6", seed)
        assert cards.origin(planted).accuracy == accuracy
    assert cards.origin(models.cards("scenes")["resnet_small", 0]) is None
    assert cards.runs(planted) == [planted]  # its host is a network in its own right, no step


def test_a_network_that_was_made_in_several_runs_has_all_of_them():
    last = models.cards("cifar10")["resnet", 0]
    assert [card.name for card in cards.runs(last)] == ["resnet_first", "resnet_second", "resnet_third", "resnet"]
    assert sum(card.images_seen for card in cards.runs(last)) == 1_200_000 + 800_000 + 960_000 + 192_000


def test_the_course_of_a_run_in_stages(monkeypatch, tmp_path):
    monkeypatch.setenv("SEELIKE_ZOO", str(tmp_path))
    (tmp_path / "scenes").mkdir()
    start = put(tmp_path / "scenes", "vit_cls", 0, curve=[{"accuracy": 0.1}, {"accuracy": 0.2}])
    tuned = put(tmp_path / "scenes", "vit_augmented_long", 0, curve=[{"accuracy": 0.3 + i / 100} for i in range(6)])
    assert [p["accuracy"] for p in cards.course(tuned, 3)] == pytest.approx([0.2, 0.31, 0.33, 0.35])
    points = [{"images": 0.0, "accuracy": 0.5}, *({"accuracy": 0.6 + i / 100} for i in range(4))]
    own = put(tmp_path / "scenes", "vit_augmented_long", 1, curve=points)  # it was measured before its first step
    assert [p["accuracy"] for p in cards.course(own, 2)] == pytest.approx([0.5, 0.61, 0.63])
    for card, stages in ((start, 2), (tuned, 7), (own, 5)):
        with pytest.raises(ValueError, match=f"{card.label} has no course of {stages} stages"):
            cards.course(card, stages)


def test_a_card_costs_what_its_network_does():
    card = CARD.model_copy(update={"tier": "cifar10", "options": {"width": 48}})
    assert models.cost_of(card) == models.cost("vit_cls", 32, tier="cifar10", width=48) != models.cost("vit_cls", 64, width=48)


def test_published_sizes_are_counted_at_their_own_images():
    found = models.counted({"cmt_ti": (9.5, 0.6), "mvit_b16": (37.0, 7.8)})
    assert list(found.index) == ["cmt_ti", "mvit_b16"] and found["published"].tolist() == [9.5, 37.0]
    assert found.loc["mvit_b16", "parameters (M)"] == models.cost("mvit_b16", 224)[0] / 1e6
    assert found.loc["cmt_ti", "multiplications (G)"] == pytest.approx(0.6, abs=0.05)


def test_pairs_of_accuracies_have_one_seed_each():
    keys = [("a", 0), ("a", 1), ("b", 1), ("b", 2), ("a", 2)]
    zoo = {(n, s): CARD.model_copy(update={"name": n, "seed": s, "accuracy": s / 10 + (n == "b") / 2}) for n, s in keys}
    assert cards.paired(zoo, "a", "b") == [((0.1, 10), (0.6, 10)), ((0.2, 10), (0.7, 10))]
    assert cards.paired(zoo, "a", "c") == []
