"""CONTRIBUTING.md tells the truth: a data set, a chapter and a claim are added in the places that it names, and in no others."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

TIER = """    Tier("tiny_test", "Tiny", Hub("somebody/tiny", held=True), side=16, patch=4, classes=2, points=8, augment="crop_and_mirror"),
)
TIERS: Mapping"""
RECIPE = """    "tiny_test": {"vit_cls": Recipe("vit_cls", 64, {"depth": 2, "width": 12}, batch=8, expect=0.5, minutes=1)},
}

ZOO: dict"""
CLAIM = """
- id: X-1
  paper: Nobody 2026
  where: nowhere
  chapter: "16"
  figure: none
  short: A mean is positive
  statement: A mean is positive.
  statistic: seelike.intervals.ratio
  what: mean accuracy
  paper_value: not given
"""
CHAPTER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% tags=["parameters"]
tier = "scenes"

# %%
from seelike import evaluate
from seelike.chapter import Chapter
from seelike.intervals import bootstrap

book = Chapter("16", tier)
images = book.images(32, seed=0)
model = book.cast("vit_cls")["vit_cls-0"]

# %%
# needs: vit_gap
raise RuntimeError("this tier has no such network")

# %%
right = (evaluate.predict(model, images) == images.labels).double().view(8, -1).numpy()
book.decide("X-1", [bootstrap(lambda r: r.mean(), right)], images=len(images))
book.table()
"""


@pytest.fixture
def checkout(tmp_path):
    """A copy of what the recipes of CONTRIBUTING.md touch, without zoo and results."""
    for name in ("src", "notebooks", "book"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "chapters"))
    for name in ("Snakefile", "_config.yml", "_toc.yml", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def replace(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new))


def test_a_tiny_tier_and_a_tiny_chapter(checkout):
    replace(checkout / "src/seelike/tiers.py", ")\nTIERS: Mapping", TIER)
    replace(checkout / "src/seelike/recipes.py", "}\n\nZOO: dict", RECIPE)
    (checkout / "notebooks/16_tiny.py").write_text(CHAPTER)
    with open(checkout / "book/claims.yml", "a") as ledger:
        ledger.write(CLAIM)
    images = checkout / "mirror/datasets/somebody/tiny/data"
    images.mkdir(parents=True)
    write_parquet(images)

    def run(*arguments):
        environment = os.environ | {"PYTHONPATH": str(checkout / "src"), "SEELIKE_MIRROR": str(checkout / "mirror"), "OMP_NUM_THREADS": "1"}
        environment.pop("SEELIKE_RESULTS", None)
        asked = subprocess.run(
            [sys.executable, "-m", *arguments], cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        assert asked.returncode == 0, asked.stdout + asked.stderr
        return asked.stdout

    run("seelike.train", "vit_cls", "--tier", "tiny_test", "--threads", "1")
    run("seelike.run", "16", "--tier", "tiny_test")
    recorded = json.loads((checkout / "_build/tiny_test/results/tiny_test/16.json").read_text())
    assert recorded["claims"]["X-1"]["seeds"] == 1
    assert "can run" in run("seelike.doctor").split("tiny_test")[1].splitlines()[0]
    run("seelike.run", "--publish", "--tier", "tiny_test")
    assert (checkout / "results/tiny_test/16.json").exists()
    plan = run("snakemake", "--nolock", "--cores", "1", "--config", "tier=tiny_test", "-n", "--quiet", "rules", "--", "book")
    assert "error" not in plan.lower()


def write_parquet(folder):
    import datasets

    rng = np.random.default_rng(0)
    for split, n in (("train", 64), ("test", 40)):
        pictures = [Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)) for _ in range(n)]
        features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=["cat", "dog"]))
        rows = datasets.Dataset.from_dict({"image": pictures, "label": [i % 2 for i in range(n)]}, features=features)
        rows.to_parquet(str(folder / f"{split}-00000-of-00001.parquet"))
