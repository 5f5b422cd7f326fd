"""The graph: weights -> executed chapters -> book. Two cores or a cluster: snakemake --executor ..."""

from pathlib import Path

from seelike import claims, models, run, train

TIER = config.get("tier", "scenes")
JOBS = int(config.get("jobs", 2))
CHAPTERS = [path.stem for path in sorted(run.NOTEBOOKS.glob("*.py"))]
LAST = "15_scorecard"  # reads what the others recorded
PAGES = sorted(str(p.relative_to(models.ROOT)) for p in Path("book").glob("*.md")) + ["book/references.bib", "book/_static/custom.css"]


def needs(wildcards):
    """A chapter depends on its source, the modules it imports, the tier's weights and the ledger's rules."""
    chapter = run.NOTEBOOKS / f"{wildcards.chapter}.py"
    files = [chapter, *run.modules(chapter), claims.LEDGER, models.ROOT / "requirements.lock"]
    files += sorted(models.zoo(TIER).glob("*.json"))
    files += [path for path in (models.ROOT / "results").rglob("*.json")]
    if wildcards.chapter == LAST:
        files += [run.CHAPTERS / f"{name}.ipynb" for name in CHAPTERS if name != LAST]
    return [str(Path(f).relative_to(models.ROOT)) for f in files]


rule book:
    input:
        expand("book/chapters/{chapter}.ipynb", chapter=CHAPTERS),
        PAGES,
        "_config.yml",
        "_toc.yml",
        "src/seelike/page.py",
    output:
        "_build/html/index.html",
    log:
        "_build/book.log",
    shell:
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


rule zoo:
    input:
        [str(models.zoo(TIER).relative_to(models.ROOT) / f"{name}-{seed}.safetensors") for name, seed in train.zoo(TIER)],


rule weights:
    output:
        "zoo/{tier}/{name}-{seed,[0-9]+}.safetensors",
        "zoo/{tier}/{name}-{seed}.json",
    shell:
        "python -m seelike.train {wildcards.name} --tier {wildcards.tier} --seed {wildcards.seed} --threads 1"
