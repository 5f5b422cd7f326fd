"""The whole graph with one command: `python -m seelike.build book --tier scenes --jobs 2`; `make book` and `make zoo` call it.

One build at a time: the lock is the kernel's, so that nothing is left to unlock when a build is killed.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from seelike import project, tiers
from seelike.project import timings
from seelike.run import positive


@contextmanager
def alone() -> Iterator[None]:
    """While this runs no other build does; BlockingIOError says who builds."""
    project.BUILD.mkdir(parents=True, exist_ok=True)
    with open(project.BUILD / "lock", "a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise BlockingIOError(f"Another build is under way here (process {lock.read().strip()}): wait for it, or stop it.") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def command(goal: str, tier: tiers.Tier, jobs: int) -> list[str]:
    """What Snakemake is called with."""
    own = ["--config", f"tier={tier.file or tier.name}", f"jobs={jobs}", "--", goal]
    return [
        sys.executable, "-m", "snakemake", "--cores", str(jobs), "--nolock", "--rerun-incomplete",
        "--rerun-triggers", "mtime", "params", "input", "--quiet", "rules", "progress", *own,
    ]  # fmt: skip


def main() -> int:
    """Command line: 0 when all was made, 1 when something failed, 2 for a mistake in what was asked."""
    parser = argparse.ArgumentParser(
        prog="python -m seelike.build", description="Make the book of a tier or a cast, or the tier's weights."
    )
    parser.add_argument("goal", choices=("book", "zoo"))
    parser.add_argument("--tier", default=project.DEFAULT, help="a tier's name, or the path of a cast file")
    parser.add_argument("--jobs", type=positive, default=2, help="chapters, or training runs, at a time")
    options = parser.parse_args()
    try:
        tier = tiers.get(options.tier)
        if options.goal == "zoo" and not tier.trained_here:
            trained = ", ".join(t.name for t in tiers.TIERS.values() if t.trained_here)
            raise ValueError(f"Tier {tier.name} has no networks to train: name one of {trained}.")
        with alone():
            made = subprocess.run(
                command(options.goal, tier, options.jobs), check=False, cwd=project.ROOT, env=os.environ | {"PYTHONUTF8": "1"}
            ).returncode
    except (ValueError, BlockingIOError) as error:
        print(f"seelike.build: {error}", file=sys.stderr)
        return 2
    if made:
        print(
            f"seelike.build: {options.goal} {tier.name} is not whole, for the reason above: the same command goes on from here.",
            file=sys.stderr,
        )
        return 1
    if options.goal == "book":
        print("\n".join(f"{stem:30s} {seconds:6.1f} s" for stem, seconds in timings(project.pages(tier.name)).items()))
        print(f"The book is at file://{project.BUILD / tier.name / 'html' / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(project.command("seelike.build", main))
