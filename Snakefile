"""The graph: weights -> executed chapters -> site. Two cores or a cluster: snakemake --profile ... (page "How to run").

What a rule makes is told by a stamp, never by the page or the site itself: Snakemake deletes a rule's outputs before it runs, and an old
page is better than none.
"""

import os
import sys
from pathlib import Path

from seelike import project, tiers

os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # rules run this Python, whoever calls

TIER = tiers.get(str(config.get("tier", project.DEFAULT)))
JOBS = int(config.get("jobs", 2))
SOURCES = sorted(project.NOTEBOOKS.glob("*.py"))
LAST = "15_scorecard"  # reads what the others recorded
SITE = [str(p.relative_to(project.ROOT)) for p in project.modules(project.ROOT / "src/seelike/site.py")] + ["src/seelike/site.py", "src/seelike/sphinxext.py", "src/seelike/explore.py"]
PROSE = sorted(str(p) for pattern in ("*.md", "*.bib", "_static/**/*") for p in Path("book").glob(pattern) if p.is_file())


def book_of(chapter):
    """The book whose page a chapter is: its tier's, or the default's."""
    return TIER.name if project.follows(project.NOTEBOOKS / f"{chapter}.py") else project.DEFAULT


def stamp(chapter):
    """Says that a page is up to date."""
    mark = project.BUILD / book_of(chapter) / "done" / chapter
    project.sweep(mark, project.pages(book_of(chapter)) / f"{chapter}.ipynb")
    return str(mark.relative_to(project.ROOT))


CHAPTERS = {p.stem: stamp(p.stem) for p in SOURCES if TIER.file is None or project.follows(p)}
project.sweep(project.BUILD / TIER.name / "done" / "site", project.BUILD / TIER.name / "html" / "index.html")


def needs(wildcards):
    """A chapter depends on its source, the modules it imports, weights, the ledger's rules and what other tiers recorded."""
    chapter = project.NOTEBOOKS / f"{wildcards.chapter}.py"
    files = [chapter, *project.modules(chapter), project.LEDGER, project.ROOT / "requirements.lock"]
    files += sorted(project.zoo(project.DEFAULT).parent.glob("*/*.json"))
    files += [path for path in project.PUBLISHED.glob("*/*.json") if path.parent.name != TIER.name]
    files += [TIER.file] if TIER.file and wildcards.book == TIER.name else []
    if wildcards.chapter == LAST:
        files += [project.ROOT / mark for name, mark in CHAPTERS.items() if name != LAST]
    return [os.path.relpath(f, project.ROOT) for f in files]


rule book:
    input:
        f"_build/{TIER.name}/done/site",


rule site:
    input:
        list(CHAPTERS.values()),
        PROSE,
        "_config.yml",
        "_toc.yml",
        SITE,
    output:
        touch(f"_build/{TIER.name}/done/site"),
    params:
        tier=str(TIER.file or TIER.name),
    shell:
        "python -m seelike.site --tier {params.tier:q} > /dev/null"


rule chapter:
    input:
        needs,
    output:
        touch("_build/{book}/done/{chapter,[0-9][0-9]_[a-z_]+}"),
    params:
        tier=lambda wildcards: str(TIER.file or TIER.name) if wildcards.book == TIER.name else wildcards.book,
        jobs=JOBS,
    threads: 1
    resources:
        mem_mb=6000,
        runtime=30,
    shell:
        "python -m seelike.run {wildcards.chapter} --tier {params.tier:q} --jobs {params.jobs}"


def zoo(wildcards):
    """Cards of all networks that the tier's chapters read, and weights that a card describes and that are lost."""
    from seelike import recipes  # here because it is the only place that needs torch
    from seelike.cards import cards

    folder = project.zoo(TIER.name)
    lost = [c.label for c in cards(TIER).values() if c.sha256 and not c.made.step and not (folder / f"{c.label}.safetensors").exists()]
    files = [folder / f"{name}-{seed}.json" for name, seed in recipes.ZOO[TIER.name]] + [folder / f"{label}.safetensors" for label in lost]
    return [os.path.relpath(f, project.ROOT) for f in files]


rule zoo:
    input:
        zoo,


def start(wildcards):
    """The weights that a recipe goes on from, if any."""
    from seelike import recipes

    before = recipes.recipe(wildcards.name, wildcards.tier).start
    return [f"{ZOO}/{wildcards.tier}/{before}-{wildcards.seed}.json"] if before else []


def minutes(wildcards, attempt):
    """Twice what a recipe expects on one core."""
    from seelike import recipes

    return int(2 * attempt * (recipes.recipe(wildcards.name, wildcards.tier).minutes or 60))


ZOO = os.path.relpath(project.zoo("x").parent, project.ROOT)
TRAIN = "python -m seelike.train {wildcards.name} --tier {wildcards.tier} --seed {wildcards.seed} --threads 1"


rule weights:
    input:
        ancient(start),  # a clone's files have no order in time
    output:
        ZOO + "/{tier}/{name}-{seed,[0-9]+}.json",  # the card; weights lie beside it where a figure reads them
    resources:
        mem_mb=4000,
        runtime=minutes,
    shell:
        TRAIN


rule lost_weights:
    output:
        ZOO + "/{tier}/{name}-{seed,[0-9]+}.safetensors",
    resources:
        mem_mb=4000,
        runtime=minutes,
    shell:
        TRAIN
