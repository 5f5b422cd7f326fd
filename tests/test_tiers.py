"""A tier is a value, a cast file makes another one, and no other module asks for a tier's name."""

import re
from dataclasses import replace

import pytest
import torch
import yaml
from conftest import ROOT
from safetensors.torch import save_file

from seelike import casts, data, doctor, models, project, tiers
from seelike.chapter import Chapter


def test_no_other_module_and_no_notebook_compares_a_tiers_name():
    names = "|".join(tiers.TIERS)
    compared = re.compile(rf"""(==|!=|\bin\b|\bnot in\b)\s*[\[({{]?\s*["']({names})["']|["']({names})["']\s*(==|!=|\bin\b|\bnot in\b)""")
    sources = [*(ROOT / "src/seelike").glob("*.py"), *(ROOT / "notebooks").glob("*.py"), ROOT / "Snakefile"]
    found = [(path.name, line) for path in sources for line in path.read_text().splitlines() if compared.search(line)]
    assert found == []


def test_tiers_by_name_and_as_they_are():
    assert tiers.get("scenes") is tiers.TIERS["scenes"] is tiers.get(tiers.TIERS["scenes"])
    with pytest.raises(ValueError, match="no tier 'scene': expected one of smoke, scenes, .*or the path of a cast file ending in .yml"):
        tiers.get("scene")
    assert hash(tiers.get("cifar10").images) is not None  # a key of caches


CAST = {"images": "scenes", "networks": {"vit": {"timm": "test_vit"}, "cnn": [{"timm": "test_resnet"}, {"timm": "test_resnet"}]}}


@pytest.fixture
def cast(tmp_path):
    def write(changes=None, name="mine.yml", text=None):
        path = tmp_path / name
        path.write_text(yaml.safe_dump(CAST | (changes or {}), sort_keys=False) if text is None else text)
        return path

    return write


def test_a_cast_is_a_tier(cast):
    tier = tiers.get(str(cast()))
    assert (tier.name, tier.side, tier.truth, tier.trained_here) == ("mine", 64, True, False)
    assert models.roles(tier) == {"vit_cls": [0], "resnet": [0, 1]} and models.shared_seeds(["vit_cls", "resnet"], tier) == [0]
    assert data.load(tier, n=3).pixels.shape == (3, 3, 64, 64)
    one, other = (models.load("resnet", tier, seed) for seed in (0, 1))
    assert not torch.equal(next(one.parameters()), next(other.parameters()))  # random weights of two seeds
    with pytest.raises(ValueError, match=r"mine has no network in the role 'mixer' with seed 0: it has vit_cls .seed 0., resnet"):
        models.load("mixer", tier)


def test_weights_code_and_folders_are_seen_from_the_file(cast, tmp_path, monkeypatch):
    save_file(models.create("test_resnet", seed=5).state_dict(), tmp_path / "w.safetensors")
    (tmp_path / "my_own_module.py").write_text("import timm\n\ndef build():\n    return timm.create_model('test_vit')\n")
    monkeypatch.chdir(tmp_path)
    networks = {
        "resnet": {"timm": "test_resnet", "weights": "w.safetensors"},
        "mine": {"code": "my_own_module:build", "label": "My network"},
    }
    tier = tiers.get(str(cast({"networks": networks})))
    expected = models.create("test_resnet", seed=5).state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in models.load("resnet", tier).state_dict().items())
    assert type(models.load("mine", tier)).__name__ == "VisionTransformer" and tier.networks[1].label == "My network"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": "nowhere"}, r"images names 'nowhere', which is no folder there and no tier"),
        ({"networks": {}}, r"line 2: networks: dictionary should have at least 1 item"),
        ({"networks": {"vit": {"timm": "test_vit", "wieghts": "x"}}}, r"line 5: networks.vit.0.wieghts: extra inputs are not permitted"),
        ({"networks": {"vit": {"timm": "a", "code": "b:c"}}}, r"line 3: networks.vit.0: expected exactly one of timm, seelike and code"),
        ({"networks": {"vit": {"timm": "a", "weights": "x.pth"}}}, r"read from .safetensors files only, got x.pth"),
        ({"networks": {"vit": {"timm": "a", "weights": "x.safetensors"}}}, r"the weights of vit .seed 0. are not there: "),
        ({"networks": {"vit": {"code": "rm -rf"}}}, r"code is module:function, got 'rm -rf'"),
        ({"side": "large"}, r"line \d+: side: input should be a valid integer.*got 'large'"),
        ({"name": "scenes"}, r"a cast cannot be called 'scenes'"),
        ({"name": "../x"}, r"name: string should match pattern"),
        ({"images": {"hub": "x"}}, r"images.hub: string should match pattern"),
        ({"labels": "nowhere.csv", "images": "."}, r"labels names 'nowhere.csv', which is no file there"),
    ],
)
def test_a_broken_cast_is_one_sentence(cast, changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        tiers.get(str(cast(changes)))
    assert str(caught.value).startswith(str(cast(changes)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", r"line \d is not readable as YAML"),
        ("images: scenes\nimages: scenes\n", r"line 2 is not readable as YAML: 'images' stands there twice"),
        ("", r"line 1: the file: input should be a valid dictionary"),
        ("- 1\n", r"line 1: the file: input should be a valid dictionary"),
        ("images: !!python/object/apply:os.system ['true']\n", r"not readable as YAML: could not determine a constructor"),
    ],
)
def test_a_file_that_is_no_cast(cast, text, message):
    with pytest.raises(ValueError, match=message):
        tiers.get(str(cast(text=text)))


def test_a_cast_may_take_fewer_images_in_a_chapter(cast):
    assert tiers.get(str(cast())).most == {}
    path = str(cast({"most": {"05": 32}}))
    assert [len(Chapter(chapter, path).images(96, seed=0)) for chapter in ("04", "05")] == [96, 32]
    for wrong in ({"5": 32}, {"05": 4}):
        with pytest.raises(ValueError, match="most"):
            tiers.get(str(cast({"most": wrong})))


def test_no_such_file():
    with pytest.raises(ValueError, match="There is no cast file nowhere.yml"):
        tiers.get("nowhere.yml")


def test_the_doctor_says_what_a_cast_of_the_book_lacks(monkeypatch, tmp_path):
    monkeypatch.delenv("SEELIKE_MIRROR", raising=False)
    casts._read.cache_clear()
    assert doctor.state(tiers.get("photographs")) == "SEELIKE_MIRROR is not set, and names the folder of its images"
    member = tiers.Network("vit_cls", architecture="test_vit", weights=tmp_path / "gone.safetensors")
    lacking = replace(tiers.get("scenes"), name="mine", networks=(member,))
    assert doctor.state(lacking).startswith("no weights gone.safetensors: fetch them")
    casts._read.cache_clear()


def test_casts_that_the_book_brings_along_are_known_by_name():
    for path in tiers.CASTS.glob("*.yml"):
        assert path.stem in tiers.names()
        text = path.read_text()
        assert casts.CastFile.model_validate(yaml.safe_load(text)).networks
    assert project.DEFAULT in tiers.names()
