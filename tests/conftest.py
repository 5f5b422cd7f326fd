"""Shared settings: shape annotations are checked while testing, and the mirror is used where there is one."""

import os
from pathlib import Path

import pytest
import torch
from jaxtyping import install_import_hook

ROOT = Path(__file__).resolve().parents[1]
hook = install_import_hook(
    [f"seelike.{path.stem}" for path in (ROOT / "src" / "seelike").glob("[a-z]*.py")],
    "beartype.beartype",
)

BESIDE = ROOT.parent / "shared" / "mirror"


def pytest_configure():
    if "SEELIKE_MIRROR" not in os.environ and BESIDE.is_dir():
        os.environ["SEELIKE_MIRROR"] = str(BESIDE)


@pytest.fixture
def mirror():
    path = os.environ.get("SEELIKE_MIRROR")
    if not path:
        pytest.skip("no SEELIKE_MIRROR: CIFAR-10 is not at hand")
    return Path(path)


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)
