"""Sphinx extension of the book: roles that print what was computed, offline mathematics, launch buttons.

- {claim}`R21-1` prints a claim's estimate, interval and answer at the tier of the site, with a link to the scorecard;
  {claim}`R21-1 @ cifar10` at another.
- {finding}, a directive, is a box of assertions with what they rest on (`seelike.findings`); the build warns where the ledger does not
  support them.
- {guess} and {quiz} ask the reader (`seelike.quiz`).
- {explore} is the place of something to try in the browser (`seelike.explore`).
- {api}, a directive, describes functions and classes of the package (`seelike.api`); {edition} and {licence} print what the site is
  (`seelike.edition`), as every page does in its head and foot.
- Figures of chapters link to the numbers that their chapter recorded (`seelike.downloads`), and searches for a claim find its fold.
- {tiles} and {scores} print the matrix of tiles and the sentence of counts of some papers (`seelike.scorecard`).
- {seconds}`03` prints how long a chapter took, {gigabytes}`03` its peak memory.
- MathJax comes from a package and is copied into the site, fonts and one script.
- On the site of a cast, references to chapters that it leaves out become plain text.
- With `SEELIKE_REPOSITORY=owner/name` (set where the site is published) chapters get Colab and source buttons.
"""

from __future__ import annotations

import os
import re
import shutil
from functools import lru_cache
from importlib.metadata import files
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from seelike import api, claims, downloads, edition, explore, findings, lean, ledger, project, quiz, scorecard, tiers
from seelike.project import timings

MATHJAX = ["startup", "core", "input/tex-base", "output/chtml", "output/chtml/fonts/tex", "a11y/assistive-mml"]
MATHJAX += ["input/tex/extensions/ams", "input/tex/extensions/newcommand"]  # as `_config.yml` loads them
NOTEBOOK_BRANCH = "notebooks"
SCORECARD = "book/chapters/15_scorecard"


@lru_cache(16)
def _rows(tier: str) -> dict[str, dict[str, Any]]:
    """The ledger at a tier, read once a build."""
    return {str(row["id"]): row for row in claims.table(tier).to_dict("records")}  # type: ignore[misc]


@lru_cache(4)
def _timings(tier: str, what: str) -> dict[str, float]:
    name = tiers.get(tier).name
    return timings(project.pages(project.DEFAULT), what) | timings(project.pages(name), what)


def claim_text(text: str, site: str = project.DEFAULT) -> str:
    """The ledger's words for a claim such as "R21-1" (at the site's tier) or "R21-1 @ cifar10"; KeyError for one that there is not."""
    name, _, tier = (part.strip() for part in text.partition("@"))
    if tier and tier not in (*tiers.names(), claims.DATA):
        raise KeyError(tier)
    row = _rows(tier or site)[name]
    if row["summary"] == "not run":
        return "not run"
    return f"{claims.words(*(float(row[key]) for key in ('estimate', 'low', 'high')))}, {row['summary']}"


def claim_role(name: str, rawtext: str, text: str, lineno: int, inliner: Any, *_: Any) -> tuple[list[nodes.Node], list[nodes.Node]]:
    """{claim}`id @ tier`."""
    env = inliner.document.settings.env
    env.note_reread()  # the number changes when the source of the page does not
    try:
        told = claim_text(text, env.config.seelike_tier)
    except KeyError:
        message = inliner.reporter.error(f"{text!r} is no claim of the ledger and tier.", line=lineno)
        return [inliner.problematic(rawtext, rawtext, message)], [message]
    claim = text.partition("@")[0].strip()
    target = f"{_upwards(env.docname)}{SCORECARD}.html#{scorecard.anchor(claim)}"
    link = nodes.reference(rawtext, told, refuri=target, classes=["claim"], reftitle=f"{claim}: {ledger.get(claim).statement}")
    return [nodes.inline(rawtext, told, classes=["claim"]) if env.config.seelike_partial else link], []


def _upwards(page: str) -> str:
    """From a page to the root of the site."""
    return "../" * page.count("/")


class Finding(SphinxDirective):
    """A box of assertions; its argument is what they rest on."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = {"title": directives.unchanged}  # noqa: RUF012  # as docutils has it

    def run(self) -> list[nodes.Node]:
        """The box, and a warning for every condition that does not hold."""
        self.env.note_reread()
        try:
            failed = findings.broken(self.arguments[0])
        except ValueError as error:
            failed = [str(error)]
        told = [
            self.state.document.reporter.warning(f"The ledger does not support this finding: {why}", line=self.lineno) for why in failed
        ]
        box = nodes.admonition("", classes=["finding"])
        box += nodes.title("", self.options.get("title", "What we found"))
        self.state.nested_parse(self.content, self.content_offset, box)
        return [box, *told]


class Tiles(SphinxDirective):
    """The scorecard's matrix of tiles, of the papers named (by the beginning of their names) or of all."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """A table in HTML."""
        self.env.note_reread()
        link = f"{_upwards(self.env.docname)}{SCORECARD}.html" if self.env.docname != SCORECARD else ""
        found = scorecard.tables(scorecard.places(self.env.config.seelike_tier))
        return [nodes.raw("", scorecard.tiles(found, self.papers(), link), format="html")]

    def papers(self) -> list[str]:
        """The papers asked for."""
        wanted = self.arguments[0].split(",") if self.arguments else [""]
        return [paper for paper in scorecard.papers() if any(paper.startswith(w.strip()) for w in wanted)]


class Scores(Tiles):
    """The sentence of counts of some papers at the site's tier."""

    def run(self) -> list[nodes.Node]:
        """A paragraph."""
        self.env.note_reread()
        tier = self.env.config.seelike_tier
        table = claims.table(tier).set_index("id")
        where = f"on {tiers.get(tier).title}"
        return [nodes.paragraph("", " ".join(scorecard.sentence(table, paper, where) for paper in self.papers()))]


class Told(SphinxDirective):
    """{edition} and {licence}: MyST that `seelike.edition` writes."""

    def run(self) -> list[nodes.Node]:
        """What it says, parsed."""
        self.env.note_reread()
        return self.parsed(edition.told() if self.name == "edition" else edition.licence())

    def parsed(self, text: str) -> list[nodes.Node]:
        """Nodes of some MyST."""
        held = nodes.container()
        self.state.nested_parse(StringList(text.splitlines(), source=self.name), self.content_offset, held)
        return held.children


class Api(Told):
    """Functions and classes by their dotted names, one a line: signature and docstring, found by searches."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """A description each, and a warning for a name that there is not."""
        self.env.note_dependency(api.__file__)
        made: list[nodes.Node] = []
        for dotted in self.content:
            try:
                made += self.described(api.describe(dotted))
            except ValueError as error:
                made.append(self.state.document.reporter.warning(str(error), line=self.lineno))
        return made

    def described(self, it: api.Described) -> list[nodes.Node]:
        """One description, with an entry in the index and in the search."""
        full = f"{it.module}.{it.name}"
        signature = addnodes.desc_signature("", "", ids=[full], module=it.module, fullname=it.name)
        signature += addnodes.desc_addname("", f"{it.module.partition('.')[2]}.")
        signature += addnodes.desc_name("", it.name)
        if it.kind != "property":
            listed = addnodes.desc_parameterlist()
            listed += [addnodes.desc_parameter("", parameter) for parameter in it.parameters]
            signature += listed
        if it.returns:
            signature += addnodes.desc_returns("", it.returns)
        self.env.get_domain("py").note_object(full, it.kind, full, location=signature)  # type: ignore[attr-defined]
        content = addnodes.desc_content("", *self.parsed(api.prose(it.doc)))
        description = addnodes.desc("", signature, content, domain="py", objtype=it.kind, classes=["py", it.kind])
        index = addnodes.index(entries=[("single", f"{it.name} ({it.module})", full, "", None)])
        return [index, description]


def claims_in_index(app: Sphinx, doctree: nodes.document) -> None:
    """Index entries of all claims, which lead to their folds: Sphinx's search puts a main entry of the words asked for first."""
    if app.env.docname == SCORECARD and not app.config.seelike_partial:
        entries = [("single", claim, scorecard.anchor(claim), "main", None) for claim in ledger.ledger()]
        doctree.insert(0, addnodes.index(entries=entries))  # for searches
        app.env.get_domain("index").data["entries"].setdefault(SCORECARD, []).extend(entries)  # which has read the page already


def link_numbers(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Under each figure of a chapter, links to what it shows and to all numbers that the chapter recorded."""
    if Path(docname).parent.name != "chapters":
        return
    number, folder = Path(docname).name.partition("_")[0], f"{_upwards(docname)}{downloads.FOLDER}"
    recorded, shown = bool(downloads.rows(number, app.config.seelike_tier)), _figures(app.config.seelike_tier)
    for figure in doctree.findall(nodes.figure):
        names = [name for name in figure["ids"] if name in shown]
        links = [("of this figure", name) for name in names] + [("all that this chapter recorded", number)] * recorded
        if links:
            made = [nodes.reference("", words, refuri=f"{folder}/{name}.csv", classes=["numbers"]) for words, name in links]
            between = [node for link in made for node in (nodes.Text(", "), link)][1:]
            figure.append(nodes.legend("", nodes.paragraph("", "", nodes.Text("Data (CSV): "), *between, classes=["numbers"])))


@lru_cache(4)
def _figures(tier: str) -> dict[str, str]:
    return downloads.figures(tier)


def facts(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Description, preview and edition in the head of a page, edition and licence in its foot."""
    title = re.sub(r"<[^>]+>", "", str(context.get("title", ""))) or app.config.project
    up = _upwards(pagename)
    context["metatags"] = context.get("metatags", "") + edition.head(title, edition.description(doctree), f"{up}{edition.PICTURE}")
    context["theme_extra_footer"] = edition.footer(f"{up}{edition.PAGE}.html")


def measured_role(name: str, rawtext: str, text: str, lineno: int, inliner: Any, *_: Any) -> tuple[list[nodes.Node], list[nodes.Node]]:
    """{seconds}`03` and {gigabytes}`03`: what the run measured."""
    env = inliner.document.settings.env
    env.note_reread()
    taken = [value for stem, value in _timings(env.config.seelike_tier, name).items() if stem.startswith(text)]
    form = "{:.0f} s" if name == "seconds" else "{:.1f} GB"
    return [nodes.inline(rawtext, form.format(taken[0]) if taken else "not run")], []


def left_out(app: Sphinx, env: Any, node: Any, contnode: nodes.Node) -> nodes.Node | None:
    """On a site without some chapters, a reference to one of them is text."""
    if not app.config.seelike_partial:
        return None
    target = str(node.get("reftarget", ""))
    words = {"sec": "another chapter", "fig": "a figure of another chapter", "eq": "an equation of another chapter"}
    return nodes.inline("", words.get(target.partition("-")[0], "another chapter of the book"))


def trim(app: Sphinx, error: Exception | None) -> None:
    """Remove what no reader needs (`seelike.lean`), and write the tables of numbers."""
    if not error and app.builder.format == "html":
        lean.trim(Path(app.outdir))
        downloads.write(Path(app.outdir), app.config.seelike_tier)


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Put the parts of MathJax that pages load, and its fonts, into the site."""
    if error or app.builder.format != "html":
        return
    for file in files("sphinx-mathjax-offline") or []:
        name = str(file).partition("static/")[2]
        if name.partition("mathjax/")[2].removesuffix(".js") in MATHJAX or name.endswith(".woff"):
            target = Path(app.outdir) / "_static" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), target)


def drop_thebe(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Leave out the live-code scripts that Jupyter Book always adds: they name another host and clash with themselves."""
    kept = [f for f in context.get("script_files", []) if "thebe" not in f"{f} {getattr(f, 'attributes', {})}".lower()]
    context["script_files"] = kept


def launch(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Colab and source buttons on chapters, where the site knows its repository."""
    repository, stem = os.environ.get("SEELIKE_REPOSITORY"), Path(pagename).name
    if not repository or not pagename.startswith("book/chapters/") or "header_buttons" not in context:
        return
    links = {
        "Colab": f"https://colab.research.google.com/github/{repository}/blob/{NOTEBOOK_BRANCH}/{stem}.ipynb",
        "Source": f"https://github.com/{repository}/blob/main/notebooks/{stem}.py",
    }
    buttons = [{"type": "link", "text": text, "tooltip": text, "icon": "fas fa-play", "url": url} for text, url in links.items()]
    context["header_buttons"].append(
        {"type": "group", "tooltip": "Run this chapter", "icon": "fas fa-rocket", "label": "launch-buttons", "buttons": buttons}
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_config_value("seelike_tier", project.DEFAULT, "env")
    app.add_config_value("seelike_partial", False, "env")
    app.add_role("claim", claim_role)
    app.add_directive("finding", Finding)
    app.add_directive("tiles", Tiles)
    app.add_directive("quiz", quiz.Quiz)
    app.add_directive("guess", quiz.Guess)
    app.add_directive("scores", Scores)
    app.add_directive("explore", explore.Explore)
    app.add_directive("api", Api)
    app.add_directive("edition", Told)
    app.add_directive("licence", Told)
    app.add_role("seconds", measured_role)
    app.add_role("gigabytes", measured_role)
    app.connect("missing-reference", left_out)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", explore.write)
    app.connect("build-finished", trim)
    app.connect("doctree-read", claims_in_index)
    app.connect("doctree-resolved", link_numbers)
    app.connect("html-page-context", facts, priority=600)
    app.connect("html-page-context", launch, priority=502)
    app.connect("html-page-context", drop_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
