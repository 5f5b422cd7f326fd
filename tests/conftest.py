"""Shared settings: shape annotations are checked while testing, and the mirror is used where there is one."""

import contextlib
import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest
import torch
from jaxtyping import install_import_hook

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
hook = install_import_hook(
    [f"seelike.{path.stem}" for path in (ROOT / "src" / "seelike").glob("[a-z]*.py")],
    "beartype.beartype",
)

BESIDE = ROOT.parent / "shared" / "mirror"


def pytest_addoption(parser):
    parser.addoption("--accept", action="store_true", help="take the looks of key pages as they are now for right (tests/test_looks.py)")


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


@pytest.fixture(scope="session")
def server():
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(quiet, directory=str(SITE))) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()


@pytest.fixture(scope="session")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        assert not os.environ.get("CI"), "CI must look at the pages in Chromium"
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    flags = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with sync_playwright() as p:
        running = p.chromium.launch(executable_path=chromium, args=flags)
        yield running
        running.close()


@pytest.fixture(scope="session")
def visit(browser, server):
    """Opens a page of the site and gives it with what goes wrong on it."""

    @contextlib.contextmanager
    def go(path):
        page, trouble = browser.new_page(viewport={"width": 1280, "height": 900}), []
        page.on("console", lambda m: trouble.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: trouble.append(str(e)))
        page.on("request", lambda r: trouble.append(f"asks {r.url}") if not r.url.startswith((server, "data:", "blob:")) else None)
        page.on("response", lambda r: trouble.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        page.goto(f"{server}/{path}", wait_until="networkidle")
        page.add_style_tag(content="* { transition: none !important }")  # colours half-way between themes are nobody's
        yield page, trouble
        page.close()

    return go


@pytest.fixture(scope="session")
def axe():
    from importlib.metadata import files

    return next(f for f in files("axe-playwright-python") if str(f).endswith("axe.min.js")).locate().read_text()
