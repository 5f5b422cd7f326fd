"""The repository keeps its promises to people and to tools."""

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from conftest import ROOT

from seelike import project


def tracked(*patterns):
    asked = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return asked.stdout.split()


def test_environment_equals_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [r for group in project["optional-dependencies"].values() for r in group]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["dependencies"][-1]["pip"] == sorted(wanted)


def test_only_percent_sources_are_tracked():
    assert tracked("*.ipynb") == []
    assert all(p.endswith(".py") for p in tracked("notebooks") if not p.endswith("ruff.toml"))


def test_weights_are_tracked_in_the_zoo_only_and_are_small():
    assert [p for p in tracked("*.safetensors") if not p.startswith("zoo/")] == []
    assert [p for p in tracked() if (ROOT / p).is_file() and (ROOT / p).stat().st_size > 6e6] == []


def test_nothing_unpickles():
    """The one exception makes tensors and calls no code: `weights_only`, and a file whose sha256 the module holds."""
    allowed = {"src/seelike/pretrained.py": "torch.load(stream, weights_only=True)"}
    for path in tracked("src/*.py", "notebooks/*.py", "benchmarks/*.py"):
        text = (ROOT / path).read_text().replace(allowed.get(path, "\0"), "")
        assert not re.search(r"pickle|torch\.load\(|trust_remote_code", text), path


def test_numbers_are_not_typed_into_prose():
    """A decimal in a chapter's text must come from the ledger or the run; definitions of rules may be quoted."""
    for path in tracked("notebooks/*.py"):
        prose = [line for line in (ROOT / path).read_text().splitlines() if line.startswith("# ") and not line.startswith("# %%")]
        typed = [line for line in prose if re.search(r"(?<![\w.{`$])\d\.\d\d+(?![\w.])", re.sub(r"\$[^$]*\$|`[^`]*`", "", line))]
        assert not typed, (path, typed)


def test_chapters_leave_devices_to_the_package():
    """Who calls a network must bring the images to its device: `evaluate`, `probes`, `sweep` and `capture.each_batch` do."""
    networks = {"model", "net", "network", "vit", "resnet", "mixer"}
    assert "vit, resnet = (cast[name].cpu()" in (ROOT / "notebooks/00_from_parts.py").read_text()  # takes networks apart on the CPU
    for path in set(tracked("notebooks/*.py")) - {"notebooks/00_from_parts.py"}:
        calls = [n for n in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
        assert not (own := [n.lineno for n in calls if n.func.id in networks]), (path, own)


@pytest.mark.parametrize("command", [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]])
def test_linters_are_clean(command):
    asked = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stdout[-2000:]


def test_workflows_are_yaml():
    for path in tracked(".github/workflows/*.yml"):
        flow = yaml.safe_load((ROOT / path).read_text())
        assert "jobs" in flow and all("runs-on" in job for job in flow["jobs"].values())


PUBLIC = """
data: load
scenes: Scenes sample cue_conflict
models: create load cards
train: RECIPES train
capture: capture attention layers flat gap cls patches tokens
cka: gram cka CKA compare token_localization
attention: mean_distance prefix_mass rollout
receptive_field: effective_receptive_field radius
residual: norm_ratio remove_skips
probes: RidgeProbe LogisticProbe features
consistency: read_decisions error_consistency confusion class_divergence interclass_divergence shape_bias
saliency: Trigger attribute intersection_over_union recovery_rate recovery_difference
scaling: fit_power_law Fit
hybrids: CMT MViT
claims: record verdict table
"""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(30, "Read-only file system", "_build"), "_build cannot be written or read (Read-only file system): work in a copy that"),
        (PermissionError(13, "Permission denied", "_build"), "_build cannot be written or read (Permission denied): work in a copy that"),
        (RuntimeError("one\n  two\n"), "RuntimeError: one two (--debug"),
    ],
)
def test_what_nobody_foresaw_is_one_line(capsys, monkeypatch, error, said):
    def fails():
        raise error

    monkeypatch.setattr("sys.argv", ["x"])
    assert project.command("seelike.x", fails) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith(f"seelike.x: {said}")


def test_a_terminal_without_the_letters_gets_escapes():
    asked = subprocess.run(
        [sys.executable, "-c", "from seelike import project; project.command('x', lambda: print('\u2026'))"],
        env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (asked.returncode, asked.stdout) == (0, "\\u2026\n")


@pytest.mark.parametrize("line", PUBLIC.strip().splitlines())
def test_names_that_other_code_relies_on(line):
    module, names = line.split(": ")
    held = importlib.import_module(f"seelike.{module}")
    assert [name for name in names.split() if not hasattr(held, name)] == []


def test_commands_end_in_one_sentence(capsys, monkeypatch):
    def full():
        raise OSError(28, "No space left on device", "results/x.json")

    def stopped():
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.argv", ["x"])
    assert project.command("seelike.x", full) == 1
    said = capsys.readouterr().err
    assert said == "seelike.x: the disk is full (results/x.json): make room, and run the same command again (--debug shows where).\n"
    assert project.command("seelike.x", stopped) == 130 and "stopped" in capsys.readouterr().err
    assert project.command("seelike.x", lambda: None) == 0 and project.command("seelike.x", lambda: 2) == 2
    monkeypatch.setattr("sys.argv", ["x", "--debug"])
    with pytest.raises(OSError, match="No space"):
        project.command("seelike.x", full)
    assert sys.argv == ["x"]
