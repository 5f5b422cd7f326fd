"""A soak: kill stages at random, corrupt files at random, and see that no number changes and every refusal is one sentence.

`python -m seelike.soak --minutes 20` works in a copy of the checkout, far from its results and its zoo:

- *kills*: a training run, a chapter and (with ten minutes or more) the build of a small book get SIGKILL, SIGTERM or SIGINT at a random
  moment, up to three times in a row; the same command is then run to its end. Its product has to be that of a run that nobody disturbed.
- *corruptions*: a card, weights, numbers, the ledger, a cast, an image, a checkpoint or the cache of a data set is cut, overwritten,
  emptied or taken away, and read. What is read has to be the same, or the reader has to refuse it in one sentence and exit with 2. Files
  without a checksum (numbers, ledger) are overwritten with bytes that are no text: a digit that became another digit is nobody's to find.

It prints its seed, so that a run can be repeated, and its counts; the exit code is 1 if anything was not as it should be.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from seelike import project
from seelike.replay import flat

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
LEFT = (".git", ".venv", "_build", "work", "pretrained", ".mypy_cache", ".ruff_cache", ".pytest_cache", "__pycache__", "zoo")
READ = (("vit_cls", 0), ("resnet", 0))  # networks whose cards and weights are corrupted, where the zoo has them
CHAPTER = "06_skip_connections"
LONGEST = 600  # seconds that one command may take
CAST = """name: soak
images: images
side: 32
networks:
  vit_cls: {seelike: vit_cls}
  resnet: {seelike: resnet}
"""
READER = """
import hashlib, json, sys
import numpy as np
from seelike import cards, claims, data, ledger, models, tiers
from seelike.train import Run
from pathlib import Path
try:
    read = [claims.table(t).to_json() for t in [*claims.recorded(), claims.key(tiers.project.DEFAULT), claims.DATA]]
    read += [claims.table("soak.yml").to_json(), str(len(ledger.ledger()))]
    for name, seed in {networks!r}:
        read.append(str(sum(float(p.double().sum()) for p in models.load(name, "scenes", seed).parameters())))
    images = data.load("soak.yml", "test")
    read.append(str(len(images)) + str(sum(int(b.images.long().sum()) for b in [data.load("soak.yml", "test", 8)])))
    if {hub!r}:
        read.append(str(int(data.load("cifar10", "test", 64).pixels.long().sum())))
    if Path("out/vit_cls-1.checkpoint").exists():
        read.append(str(Run("vit_cls", "smoke", 1, Path("out")).step))
    print(hashlib.sha256("".join(read).encode()).hexdigest())
except (ValueError, FileNotFoundError) as error:
    print(error, file=sys.stderr)
    sys.exit(2)
"""


@dataclass
class Stage:
    """A command, and the digest of what it makes."""

    name: str
    command: list[str]
    product: Callable[[], str]
    clear: Callable[[], None]
    reference: str = ""
    seconds: float = 0.0


@dataclass
class Soak:
    """One soak in a copy of the checkout."""

    folder: Path
    random: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Of every command: the copy's code, one thread, a cache of its own."""
        own = {"PYTHONPATH": str(self.folder / "src"), "OMP_NUM_THREADS": "1", "SEELIKE_CACHE": str(self.folder / "cache")}
        return {k: v for k, v in os.environ.items() if k not in ("SEELIKE_ZOO", "SEELIKE_RESULTS", "SEELIKE_BOOK")} | own

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        """A command in a process group of its own, so that signals reach all of it and orphans can be seen."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment(),
            text=True,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def finish(self, stage: Stage) -> str:
        """Run a stage to its end and return its product; a note of what went wrong where it fails."""
        with self.start(stage.command) as process:
            _, said = process.communicate(timeout=LONGEST)
        if process.returncode:
            self.wrong.append(f"{stage.name} ended with {process.returncode} though nobody disturbed it: {said[-300:]}")
            return ""
        return stage.product()

    def measure(self, stage: Stage) -> None:
        """The undisturbed run of a stage."""
        stage.clear()
        started = time.monotonic()
        stage.reference = self.finish(stage)
        stage.seconds = time.monotonic() - started

    def kill(self, stage: Stage) -> None:
        """Disturb a stage up to three times, run it to its end, and compare."""
        stage.clear()
        for _ in range(self.random.randint(1, 3)):
            chosen = self.random.choice(SIGNALS)
            with self.start(stage.command) as process:
                try:
                    process.communicate(timeout=self.random.uniform(0.1, 1.1) * stage.seconds)
                    self.counts[f"{stage.name}: ended before its signal"] += 1
                    continue
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, chosen)
                _, said = process.communicate(timeout=LONGEST)
            self.counts[f"{stage.name}: {chosen.name}"] += 1
            if "Traceback" in said:
                self.wrong.append(f"{stage.name} answered {chosen.name} with a traceback: {said[-300:]}")
            if self.orphans(process.pid):
                self.wrong.append(f"{stage.name} left processes behind after {chosen.name}")
            self.half_written()
        if (made := self.finish(stage)) != stage.reference:
            self.wrong.append(f"{stage.name} gave another product after its signals: {made[:60]} instead of {stage.reference[:60]}")
        else:
            self.counts[f"{stage.name}: the same in the end"] += 1

    def orphans(self, group: int) -> bool:
        """Whether a process group still lives two seconds after its leader's end."""
        for _ in range(20):
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                return False
            time.sleep(0.1)
        os.killpg(group, signal.SIGKILL)
        return True

    def half_written(self) -> None:
        """Numbers and pages that somebody may read are whole."""
        for path in [*self.folder.glob("_build/*/results/*/*.json"), *self.folder.glob("_build/*/source/book/chapters/*.ipynb")]:
            try:
                json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                self.wrong.append(f"{path.relative_to(self.folder)} is half-written")

    def reader(self) -> list[str]:
        """A command that reads everything that is corrupted, and prints a digest of it or refuses."""
        networks = [pair for pair in READ if (self.folder / f"zoo/scenes/{pair[0]}-{pair[1]}.json").exists()]
        hub = (self.folder / "mirror").exists()
        return [sys.executable, "-c", READER.format(networks=networks, hub=hub)]

    def targets(self) -> list[Path]:
        """Files to corrupt."""
        patterns = (
            "zoo/scenes/*.json",
            "zoo/scenes/*.safetensors",
            "results/*/*.json",
            "book/claims.yml",
            "soak.yml",
            "images/*",
            "cache/**/*",
            "out/*.checkpoint",
            "mirror/**/*.parquet",
        )
        return [path for pattern in patterns for path in sorted(self.folder.glob(pattern)) if path.is_file()]

    def corrupt(self, reference: str) -> None:
        """Corrupt one file, read everything, put it back."""
        path = self.random.choice(self.targets())
        kept = path.read_bytes()
        how = self.random.choice(("overwritten",) if path.suffix in (".yml", ".json") else ("overwritten", "cut", "emptied", "taken away"))
        at = self.random.randrange(max(len(kept) - 64, 1))
        noise = bytes(self.random.randrange(128, 256) for _ in range(64))
        if how == "taken away":
            path.unlink()
        else:
            path.write_bytes({"overwritten": kept[:at] + noise + kept[at + 64 :], "cut": kept[: len(kept) // 2], "emptied": b""}[how])
        with self.start(self.reader()) as process:
            out, said = process.communicate(timeout=LONGEST)
        path.write_bytes(kept)
        where, lines = path.relative_to(self.folder), said.strip().splitlines()
        if process.returncode == 0 and out.strip() == reference:
            self.counts["corruption: read rightly"] += 1
        elif process.returncode == 2 and len(lines) == 1:
            self.counts["corruption: refused in one sentence"] += 1
        elif process.returncode == 0 and lines:
            self.counts["corruption: told, and left out"] += 1
        else:
            what = "in silence" if process.returncode == 0 else f"with {process.returncode} and {len(lines)} lines: {said[-300:]}"
            self.wrong.append(f"{where}, {how} at byte {at}: answered {what}")


def copy(folder: Path) -> None:
    """A checkout to be maltreated: code, chapters, numbers, two networks of the zoo, a small cast, and a small part of the mirror."""
    for path in project.ROOT.iterdir():
        if path.name not in LEFT:
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, folder / path.name)
    for name, seed in READ:
        for ending in ("json", "safetensors"):
            found = project.zoo("scenes") / f"{name}-{seed}.{ending}"
            if found.exists():
                (folder / "zoo" / "scenes").mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, folder / "zoo" / "scenes")
    (folder / "soak.yml").write_text(CAST, encoding="utf-8")
    (folder / "images").mkdir()
    from torchvision.io import write_png  # noqa: PLC0415  # after the arguments were checked

    from seelike import scenes  # noqa: PLC0415

    for i, image in enumerate(scenes.sample(32, 0).images):
        write_png(image, str(folder / "images" / f"{i:02d}.png"))


def stages(folder: Path, minutes: float) -> list[Stage]:
    """What is killed."""
    out, numbers = folder / "out", folder / "_build" / "soak" / "results" / "soak"

    def chapter() -> str:
        return hashlib.sha256("".join(map(str, flat(json.loads((numbers / f"{CHAPTER[:2]}.json").read_text())))).encode()).hexdigest()

    def unbuild() -> None:
        shutil.rmtree(folder / "_build", ignore_errors=True)

    python = [sys.executable, "-m"]
    made = [
        Stage(
            "training",
            [*python, "seelike.train", "vit_cls", "--tier", "smoke", "--seed", "1", "--threads", "1", "--out", str(out)],
            lambda: json.loads((out / "vit_cls-1.json").read_text())["sha256"],
            lambda: shutil.rmtree(out, ignore_errors=True),
        ),
        Stage("a chapter", [*python, "seelike.run", CHAPTER, "--cast", "soak.yml"], chapter, unbuild),
    ]
    if minutes >= 10:
        made.append(Stage("the book of a cast", [*python, "seelike.build", "book", "--tier", "soak.yml", "--jobs", "1"], chapter, unbuild))
    return made


def soak(minutes: float, seed: int) -> Soak:
    """Soak for some minutes; the last stage is always run to its end."""
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name).resolve()
        copy(folder)
        run = Soak(folder, random.Random(seed))
        ends = time.monotonic() + 60 * minutes
        todo = stages(folder, minutes)
        for stage in todo:
            run.measure(stage)
        with run.start(run.reader()) as process:
            reference, said = process.communicate(timeout=LONGEST)
        if process.returncode:
            run.wrong.append(f"The undisturbed copy cannot be read: {said[-300:]}")
        while time.monotonic() < ends and not run.wrong:
            if run.random.random() < 0.5:
                run.kill(run.random.choice(todo))
            else:
                run.corrupt(reference.strip())
        return run


def main() -> int:
    """Command line: 0 when all was as it should be."""
    parser = argparse.ArgumentParser(prog="python -m seelike.soak", description="Kill and corrupt at random, in a copy of the checkout.")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, help="of what is done when (default: drawn, and printed)")
    options = parser.parse_args()
    if not options.minutes > 0:
        parser.exit(2, f"seelike.soak: --minutes is a number above 0, got {options.minutes}.\n")
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"soak with seed {seed}", flush=True)
    run = soak(options.minutes, seed)
    print("\n".join(f"{n:5d}  {name}" for name, n in sorted(run.counts.items())))
    print(f"{len(run.wrong):5d}  not as it should be")
    print("\n".join(run.wrong))
    return 1 if run.wrong else 0


if __name__ == "__main__":
    sys.exit(project.command("seelike.soak", main))
