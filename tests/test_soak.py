"""The soak finds what it is there to find, on files that are quick to read."""

import json
import random
import signal
import subprocess
import sys

import pytest

from seelike import soak


@pytest.fixture
def run(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "claims.yml").write_text("whole")
    (tmp_path / "zoo" / "scenes").mkdir(parents=True)
    (tmp_path / "zoo" / "scenes" / "a-0.json").write_text("whole")
    return soak.Soak(tmp_path, random.Random(0))


@pytest.mark.parametrize(
    ("answer", "counted", "wrong"),
    [
        ((0, "digest", ""), "corruption: read rightly", ""),
        ((2, "", "one sentence\n"), "corruption: refused in one sentence", ""),
        ((0, "other", "1 of 3 images were left out\n"), "corruption: told, and left out", ""),
        ((0, "other", ""), "", "answered in silence"),
        ((2, "", "two\nlines\n"), "", "answered with 2 and 2 lines"),
        ((1, "", "Traceback KeyError\n"), "", "answered with 1 and 1 lines"),
    ],
)
def test_every_kind_of_file_is_corrupted_in_turn_and_put_back(run, monkeypatch, answer, counted, wrong):
    seen = []
    monkeypatch.setattr(run, "read", lambda: seen.append([p.read_bytes() for p in run.folder.rglob("*.*") if p.is_file()]) or answer)
    for _ in range(2):
        run.corrupt("digest")
    assert run.counts["corrupted: book (.yml)"] == run.counts["corrupted: zoo (.json)"] == 1
    assert all(b"whole" in files and files != [b"whole"] * 2 for files in seen)
    assert {p.read_text() for p in run.folder.rglob("*.*") if p.is_file()} == {"whole"}
    assert run.counts[counted] == (2 if counted else 0)
    assert all(wrong in line for line in run.wrong) and bool(run.wrong) == bool(wrong)


def stage(run, code):
    made = run.folder / "made"
    return soak.Stage("a stage", [sys.executable, "-c", code], made.read_text, lambda: made.unlink(missing_ok=True), seconds=1.0)


def test_a_product_that_a_kill_changed_is_named(run, monkeypatch):
    monkeypatch.setattr(soak, "SIGNALS", (signal.SIGKILL,))  # a bare script answers the others with a traceback
    steady = stage(run, "import time; time.sleep(0.5); open('made', 'w').write('same')")
    run.measure(steady)
    run.kill(steady)
    assert run.wrong == [] and run.counts["a stage: the same in the end"] == 1
    counting = stage(run, "import time; open('tries', 'a').write('x'); time.sleep(0.5); open('made', 'w').write(open('tries').read())")
    run.measure(counting)
    counting.seconds = 0.2
    run.kill(counting)
    assert any("gave another product after its signals" in line for line in run.wrong)


def test_a_command_that_is_stopped_while_it_imports_says_so():
    said = "import sys; sys.argv = ['-m']; import seelike; raise KeyboardInterrupt"
    asked = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=False)
    assert asked.returncode != 0 and asked.stderr == "stopped; the same command goes on where it can.\n"


def test_a_half_written_page_is_named(run):
    page = run.folder / "_build" / "soak" / "results" / "soak" / "06.json"
    page.parent.mkdir(parents=True)
    page.write_text(json.dumps({"a": 1})[:-1])
    run.half_written()
    assert run.wrong == ["_build/soak/results/soak/06.json is half-written"]
