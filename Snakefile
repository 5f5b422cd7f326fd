"""The graph: weights -> executed chapters -> book. Two cores or a cluster: snakemake --executor ..."""

import os
from pathlib import Path

from seelike import project

TIER = config.get("tier", "scenes")
JOBS = int(config.get("jobs", 2))
CHAPTERS = [path.stem for path in sorted(project.NOTEBOOKS.glob("*.py"))]
LAST = "15_scorecard"  # reads what the others recorded
PAGES = sorted(str(p) for pattern in ("*.md", "*.bib", "_static/*") for p in Path("book").glob(pattern))
PAGE = [str(p.relative_to(project.ROOT)) for p in project.modules(project.ROOT / "src/seelike/sphinxext.py")] + ["src/seelike/sphinxext.py"]


def needs(wildcards):
    """A chapter depends on its source, the modules it imports, the tier's weights and the ledger's rules."""
    chapter = project.NOTEBOOKS / f"{wildcards.chapter}.py"
    files = [chapter, *project.modules(chapter), project.LEDGER, project.ROOT / "requirements.lock"]
    files += sorted(project.zoo(TIER).parent.glob("*/*.json"))
    files += [path for path in (project.ROOT / "results").glob("*/*.json") if path.parent.name != TIER]
    if wildcards.chapter == LAST:
        files += [project.CHAPTERS / f"{name}.ipynb" for name in CHAPTERS if name != LAST]
    return [os.path.relpath(f, project.ROOT) for f in files]


rule book:
    input:
        expand("book/chapters/{chapter}.ipynb", chapter=CHAPTERS),
        PAGES,
        "_config.yml",
        "_toc.yml",
        PAGE,
    output:
        "_build/html/index.html",
    log:
        "_build/book.log",
    shell:
        "rm -rf _build/html; "  # pictures of earlier builds would stay
        "jupyter-book build . -W -n --keep-going > {log} 2>&1 || (tail -n 40 {log}; exit 1)"


rule chapter:
    input:
        needs,
    output:
        "book/chapters/{chapter}.ipynb",
    params:
        tier=TIER,
    threads: 1
    shell:
        "python -m seelike.run {wildcards.chapter} --tier {params.tier} --jobs " + str(JOBS)


def zoo(wildcards):
    """Weights that the tier's chapters read; imported here because it is the only place that needs torch."""
    from seelike import recipes

    if TIER not in recipes.ZOO:
        raise WorkflowError(f"Tier {TIER} has no networks to train, only {', '.join(recipes.ZOO)}.")
    return [f"zoo/{TIER}/{name}-{seed}.json" for name, seed in recipes.ZOO[TIER]]


rule zoo:
    input:
        zoo,


def start(wildcards):
    """The weights that a recipe goes on from, if any."""
    from seelike import recipes

    before = recipes.recipe(wildcards.name, wildcards.tier).start
    return [f"zoo/{wildcards.tier}/{before}-{wildcards.seed}.json"] if before else []


rule weights:
    input:
        ancient(start),  # a clone's files have no order in time
    output:
        "zoo/{tier}/{name}-{seed,[0-9]+}.json",  # the card; weights lie beside it where a figure reads them
    shell:
        "python -m seelike.train {wildcards.name} --tier {wildcards.tier} --seed {wildcards.seed} --threads 1"
