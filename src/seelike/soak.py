"""A soak: kill stages at random, corrupt files at random, and see that no number changes and every refusal is one sentence.

`python -m seelike.soak --minutes 20` works in a copy of the checkout, far from its results and its zoo:

- *kills*: a training run, a chapter and (with ten minutes or more) Snakemake's run of that chapter get SIGKILL, SIGTERM or SIGINT at a
  random moment, up to three times in a row; the same command is then run to its end. Its product has to be that of a run that nobody
  disturbed. The training run saves at every step, so that signals find it saving.
- *corruptions*: a file of the zoo, numbers, the ledger, a cast, an image, a checkpoint, a mirror or the cache of a data set is cut,
  overwritten, emptied or taken away, and read. What is read has to be the same, or the reader has to refuse it in one sentence and exit
  with 2, or to name in a warning what it left out. Files without a checksum (numbers, ledger) are overwritten with bytes that are no text,
  and a mirror where its images lie: a digit or a label that became another is nobody's to find.

A round is a kill of every stage, and three corruptions before each; the first round is always whole, whatever time it takes. It prints its
seed, so that a run can be repeated, and its counts; the exit code is 1 if anything was not as it should be.
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
from typing import Any

from seelike import project
from seelike.replay import flat

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
LEFT = (".git", ".venv", "_build", "work", "pretrained", ".mypy_cache", ".ruff_cache", ".pytest_cache", "__pycache__", "zoo")
READ = (("vit_cls", 0), ("resnet", 0))  # networks whose cards and weights are corrupted, where the zoo has them
CHAPTER = "06_skip_connections"
LONGEST = 1200  # seconds that one command may take
EACH = 3  # corruptions before every kill
CAST = """name: soak
images: images
side: 32
networks:
  vit_cls: {seelike: vit_cls}
  resnet: {seelike: resnet}
"""
READER = """
import hashlib, os, sys, warnings
from pathlib import Path
from seelike import cards, claims, data, ledger, models, tiers
from seelike.train import Run

def digest():
    read = [claims.table(t).to_json() for t in [*claims.recorded(), claims.key(tiers.project.DEFAULT), claims.DATA]]
    read += [claims.table("soak.yml").to_json(), str(len(ledger.ledger()))]
    for name, seed in {networks!r}:
        read.append(str(sum(float(p.detach().double().sum()) for p in models.load(name, "scenes", seed).parameters())))
    for tier in ("soak.yml", "cifar10"):
        images = data.load(tier, "test")
        read.append(str([len(images), int(images.pixels.long().sum()), images.labels.tolist()]))
    read.append(str(sum(float(p.detach().double().sum()) for p in Run("vit_cls", "smoke", 1, Path("kept")).model.parameters())))
    return hashlib.sha256("".join(read).encode()).hexdigest()

for line in sys.stdin:  # a process forked for every reading has read nothing before, and need not import anything
    child = os.fork()
    if not child:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(line.strip() + name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        try:
            print(digest())
            code = 0
        except (ValueError, FileNotFoundError) as error:
            print(error, file=sys.stderr)
            code = 2
        except BaseException as error:
            print("Traceback", repr(error), file=sys.stderr)
            code = 1
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
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
    reader: subprocess.Popen[str] | None = None

    def environment(self) -> dict[str, str]:
        """Of every command: the copy's code, one thread, a mirror and a cache of its own."""
        own = {
            name: str(self.folder / part)
            for name, part in (("PYTHONPATH", "src"), ("SEELIKE_CACHE", "cache"), ("SEELIKE_MIRROR", "mirror"))
        }
        kept = {k: v for k, v in os.environ.items() if not k.startswith("SEELIKE_")}
        return kept | own | {"OMP_NUM_THREADS": "1", "PYTHONUTF8": "1", "TQDM_DISABLE": "1"}

    def start(self, command: list[str], **more: Any) -> subprocess.Popen[str]:
        """A command in a process group of its own, so that signals reach all of it and orphans can be seen."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment(),
            text=True,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **more,
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

    def close(self) -> None:
        """End the reader."""
        if self.reader is not None:
            self.reader.communicate()

    def half_written(self) -> None:
        """Numbers and pages that somebody may read are whole."""
        for path in [*self.folder.glob("_build/*/results/*/*.json"), *self.folder.glob("_build/*/source/book/chapters/*.ipynb")]:
            try:
                json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                self.wrong.append(f"{path.relative_to(self.folder)} is half-written")

    def read(self) -> tuple[int, str, str]:
        """Read everything that is corrupted: exit code, digest, and what was said."""
        if self.reader is None:
            networks = [pair for pair in READ if (self.folder / f"zoo/scenes/{pair[0]}-{pair[1]}.json").exists()]
            self.reader = self.start([sys.executable, "-c", READER.replace("{networks!r}", repr(networks))], stdin=subprocess.PIPE)
        assert self.reader.stdin and self.reader.stdout
        self.reader.stdin.write(f"{self.folder / 'said.'}\n")
        self.reader.stdin.flush()
        code = self.reader.stdout.readline()
        out, said = ((self.folder / f"said.{name}").read_text(encoding="utf-8") for name in ("out", "err"))
        return int(code), out.strip(), said

    def kind(self, path: Path) -> str:
        """What a file's corruptions are counted under."""
        part = path.relative_to(self.folder).parts[0]
        return f"corrupted: {part} ({path.suffix or path.name})"

    def targets(self) -> list[list[Path]]:
        """Files to corrupt, by kind."""
        patterns = (
            "zoo/scenes/*.json",
            "zoo/scenes/*.safetensors",
            "results/*/*.json",
            "book/claims.yml",
            "soak.yml",
            "images/*",
            "cache/**/*",
            "kept/*.checkpoint",
            "mirror/**/*.parquet",
        )
        found = ([path for path in sorted(self.folder.glob(pattern)) if path.is_file()] for pattern in patterns)
        return [paths for paths in found if paths]

    def corrupt(self, reference: str) -> None:
        """Corrupt one file of a kind that had the fewest corruptions so far, read everything, put it back."""
        kinds = self.targets()
        self.random.shuffle(kinds)
        path = self.random.choice(min(kinds, key=lambda paths: self.counts[self.kind(paths[0])]))
        self.counts[self.kind(path)] += 1
        kept, times = path.read_bytes(), path.stat()
        caches = set(self.folder.glob("cache/*"))
        ways: tuple[str, ...] = ("overwritten", "cut", "emptied", "taken away")
        if path.suffix in (".yml", ".json"):
            ways = ways[:1]
        elif path.parent.name == "images":  # a folder of images is what lies in it
            ways = ways[:3]
        how = self.random.choice(ways)
        at = self.random.randrange(max((3 * len(kept) // 4 if path.suffix == ".parquet" else len(kept)) - 64, 1))
        noise = bytes(self.random.randrange(128, 256) for _ in range(64))
        if how == "taken away":
            path.unlink()
        else:
            path.write_bytes({"overwritten": kept[:at] + noise + kept[at + 64 :], "cut": kept[: len(kept) // 2], "emptied": b""}[how])
        code, out, said = self.read()
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(kept)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # a mirror is told by its files' times
        for other in set(self.folder.glob("cache/*")) - caches:
            shutil.rmtree(other)
        where, lines = path.relative_to(self.folder), said.strip().splitlines()
        if code == 0 and out == reference:
            self.counts["corruption: read rightly"] += 1
        elif code == 2 and len(lines) == 1:
            self.counts["corruption: refused in one sentence"] += 1
        elif code == 0 and lines:
            self.counts["corruption: told, and left out"] += 1
        else:
            what = "in silence" if code == 0 else f"with {code} and {len(lines)} lines: {said[-300:]}"
            self.wrong.append(f"{where}, {how} at byte {at}: answered {what}")


def copy(folder: Path) -> None:
    """A checkout to be maltreated: code, chapters, numbers, two networks of the zoo, a checkpoint, a small cast and a small mirror."""
    for path in project.ROOT.iterdir():
        if path.name not in LEFT:
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, folder / path.name)
    code = folder / "src" / "seelike" / "train.py"
    code.write_text(code.read_text(encoding="utf-8").replace("CHECKPOINT_SECONDS = 60", "CHECKPOINT_SECONDS = 0"), encoding="utf-8")
    for name, seed in READ:
        for ending in ("json", "safetensors"):
            found = project.zoo("scenes") / f"{name}-{seed}.{ending}"
            if found.exists():
                (folder / "zoo" / "scenes").mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, folder / "zoo" / "scenes")
    (folder / "soak.yml").write_text(CAST, encoding="utf-8")
    (folder / "images").mkdir()
    import datasets  # noqa: PLC0415  # after the arguments were checked
    from PIL import Image  # noqa: PLC0415

    from seelike import scenes, tiers, train  # noqa: PLC0415

    pictures = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in scenes.sample(32, 0).images]
    for i, picture in enumerate(pictures):
        picture.save(folder / "images" / f"{i:02d}.png")
    cifar = tiers.get("cifar10").images
    assert isinstance(cifar, tiers.Hub)
    file = folder / "mirror" / "datasets" / cifar.name / cifar.folder / "test-00000-of-00001.parquet"
    file.parent.mkdir(parents=True)
    features = datasets.Features({cifar.image: datasets.Image(), str(cifar.label): datasets.ClassLabel(names=list("abcdefghij"))})
    rows = {cifar.image: pictures, str(cifar.label): [i % 10 for i in range(len(pictures))]}
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(file))
    train.Run("vit_cls", "smoke", 1, folder / "kept").save()


def stages(folder: Path, minutes: float) -> list[Stage]:
    """What is killed."""
    from seelike import build, tiers  # noqa: PLC0415

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
            lambda: json.dumps({k: v for k, v in json.loads((out / "vit_cls-1.json").read_text()).items() if k not in ("seconds", "date")}),
            lambda: shutil.rmtree(out, ignore_errors=True),
        ),
        Stage("a chapter", [*python, "seelike.run", CHAPTER, "--cast", "soak.yml"], chapter, unbuild),
    ]
    if minutes >= 10:
        graph = build.command(f"_build/soak/done/{CHAPTER}", tiers.get(str(folder / "soak.yml")), 1)
        made.append(Stage("Snakemake", graph, chapter, unbuild))
    return made


def soak(minutes: float, seed: int) -> Soak:
    """Soak for some minutes; the first round is always whole, and the last stage is always run to its end."""
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name).resolve()
        copy(folder)
        run = Soak(folder, random.Random(seed))
        ends = time.monotonic() + 60 * minutes
        todo = stages(folder, minutes)
        for stage in todo:
            run.measure(stage)
        code, reference, said = run.read()
        if code or said:
            run.wrong.append(f"The undisturbed copy cannot be read: {said[-300:]}")
        first = True
        while not run.wrong and (first or time.monotonic() < ends):
            run.random.shuffle(todo)
            for stage in todo:
                for _ in range(EACH):
                    run.corrupt(reference)
                if run.wrong or not (first or time.monotonic() < ends):
                    break
                run.kill(stage)
            first = False
        run.close()
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
