"""MyST to Markdown that JupyterLab and Colab show: references carry the site's numbers, citations link to papers."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from markdown_it.token import Token

from seelike import project, quiz
from seelike.contents import Book, Target
from seelike.myst import Directive, directive, parser
from seelike.papers import authors, entry, paper

BOXES = {"note", "tip", "hint", "warning", "caution", "attention", "important", "danger", "error", "seealso", "admonition", "dropdown"}
TITLED = re.compile(r"(?P<text>.+?)\s*<(?P<target>[^<>]+)>", re.DOTALL)


class Page:
    """One notebook that is being written: turns MyST into Markdown and remembers what was cited.

    stem: of its chapter. chapters: what precedes a chapter's file name in a link. apart: whether the chapter's own text is in another file.
    tier: where claims are told that name none.
    """

    def __init__(self, book: Book, stem: str, chapters: str = "", *, apart: bool = False, tier: str = project.DEFAULT) -> None:
        self.book, self.stem, self.chapters, self.apart, self.tier = book, stem, chapters, apart, tier
        self.cited: list[str] = []

    def plain(self, text: str) -> str:
        """A text of MyST as Markdown; ValueError for a role, directive or label for which there are no words."""
        starts = [0]
        for line in text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        edits: list[tuple[int, int, str]] = []
        for token in parser().parse(text):
            if not token.map:
                continue
            start, end = starts[token.map[0]], starts[min(token.map[1], len(starts) - 1)]
            found = directive(token)
            if token.type in ("myst_target", "myst_line_comment", "myst_block_break"):
                edits.append((start, end, ""))
            elif token.type == "math_block_label":
                edits.append((start, end, self._numbered(text[start:end], token.info)))
            elif found:
                indent = text[start:end][: len(text[start:end]) - len(text[start:end].lstrip(" "))]
                apart = "\n" if text[end : end + 1].strip() else ""  # else the next line would belong to a quotation
                edits.append((start, end, textwrap.indent(self._box(found), indent) + "\n" + apart))
            elif token.type == "inline":
                edits += self._inline(token, text, start)
        for start, end, words in sorted(edits, reverse=True):
            if not any(a <= start and end <= b and (a, b) != (start, end) for a, b, _ in edits):
                text = text[:start] + words + text[end:]
        return text.strip("\n")

    def _numbered(self, block: str, label: str) -> str:
        """A labelled equation with its number as a tag."""
        equation, _, _ = block.rpartition("$$")
        return f"{equation}\\tag{{{self._target(label).words.strip('()')}}}\n$$\n"

    def _box(self, found: Directive) -> str:
        if found.name in ("code", "code-block"):
            return f"```{found.argument}\n{found.body}\n```"
        if found.name == "math":
            tag = f"\n\\tag{{{self._target(found.options['label']).words.strip('()')}}}" if "label" in found.options else ""
            return f"$$\n{found.body}{tag}\n$$"
        if found.name in ("quiz", "guess"):
            return self.plain(quiz.plain(found.argument, found.body, marked=found.name == "quiz"))
        if found.name == "explore":
            return "*On the site, an explorable stands here.*"
        if found.name == "scores":
            return scores(found.argument)
        if found.name == "finding":
            found = Directive("admonition", found.options.get("title", "What we found"), found.options, found.body)
        if found.name not in BOXES:
            raise ValueError(
                f"{self.stem}: no words are known for the directive {{{found.name}}}: write Markdown, or add it to seelike.plain."
            )
        titled = found.name in ("admonition", "dropdown")
        title = self.plain(found.argument) if titled else found.name.capitalize()
        body = found.body if titled else "\n".join(filter(None, (found.argument, found.body)))
        return textwrap.indent(f"**{title}**\n\n{self.plain(body)}", "> ", lambda line: True)

    def _inline(self, token: Token, text: str, start: int) -> Iterator[tuple[int, int, str]]:
        """What to replace in the part of a text that one inline token covers: roles by their words, attributes by nothing."""
        where: list[int] = []  # of each character of the token
        place = start
        for line in token.content.split("\n"):
            place = text.find(line, place)
            if place < 0:
                raise ValueError(f"{self.stem}: {line!r} cannot be found in its cell: put no escaped bar into a table.")
            where += range(place, place + len(line) + 1)
            place += len(line)
        italic = 0
        for child in parser().inline.parse(token.content, parser(), {}, []):
            italic += {"em_open": 1, "em_close": -1}.get(child.type, 0)
            for a, b in child.meta.get("at", []):
                words: str | None = ""
                if child.type == "myst_role" and (a, b) == child.meta["at"][0]:
                    words = self.role(child.meta["name"], child.content, italic=italic > 0)
                first, last = (a, b) if words is not None else _sentence(token.content, a, b)
                yield where[first], where[last - 1] + 1, words or ""

    def role(self, name: str, content: str, *, italic: bool = False) -> str | None:
        """The words for a role; None if nothing was measured, so that its sentence says nothing."""
        titled = TITLED.fullmatch(content)
        text, label = (titled["text"], titled["target"]) if titled else ("", content)
        if name in ("cite:t", "cite:p", "cite"):
            return self._cite(content, narrative=name == "cite:t")
        if name == "claim":
            return claim(content, self.tier)
        if name in ("seconds", "gigabytes"):
            return _measured(name, content)
        if name == "term":
            return text or content
        if name == "math":
            return f"${content}$"
        if name not in ("ref", "numref", "eq", "prf:ref"):
            raise ValueError(f"{self.stem}: no words are known for the role {{{name}}}: write Markdown, or add it to seelike.plain.")
        target = self._target(label)
        words, title = target.words, target.title
        if name == "numref" and text:
            number = words.rpartition(" ")[2]
            words = text.replace("%s", number).replace("{number}", number).replace("{name}", title)
        elif text:
            words = text
        if words == title and not italic:
            words = f"*{words}*"
        return words if target.stem == self.stem and not self.apart else self.link(words, target.stem)

    def _target(self, label: str) -> Target:
        if label not in self.book.targets:
            raise ValueError(f"{self.stem}: nothing is labelled {label!r}: name a label of a chapter, or of a page of the book.")
        return self.book.targets[label]

    def link(self, words: str, stem: str) -> str:
        """Words that lead to a chapter's notebook; plain ones for pages of the book ("")."""
        return f"[{words}]({self.chapters}{stem}.ipynb)" if stem else words

    def _cite(self, content: str, *, narrative: bool) -> str:
        keys = [key.strip() for key in content.split(",")]
        self.cited += keys
        words = []
        for key in keys:
            year = entry(key).fields["year"]
            said = f"{authors(key)} ({year})" if narrative else f"{authors(key)}, {year}"
            words.append(f"[{said}]({paper(key)})" if paper(key) else said)
        if not narrative:
            return f"({'; '.join(words)})"
        return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _sentence(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the sentence around a place begins and ends, up to the next one."""
    before = [found.end() for found in re.finditer(r"\.\s+|^\*", text) if found.end() <= start]
    after = re.compile(r"\.\s+|\.(?=\*|$)").search(text, end)
    return before[-1] if before else 0, after.end() if after else len(text)


def claim(content: str, tier: str = project.DEFAULT) -> str:
    """What the ledger says of a claim such as "R21-1" or "R21-1 @ cifar10" today; its statement where it has no words."""
    from seelike import claims, sphinxext  # noqa: PLC0415  (torch and Sphinx, for chapters that have claims)

    name = content.partition("@")[0].strip()
    if name not in claims.ledger():
        raise ValueError(f"{name!r} is no claim of book/claims.yml.")
    try:
        return str(sphinxext.claim_text(content, tier))
    except (AttributeError, KeyError, TypeError):
        return str(claims.ledger()[name]["statement"]).rstrip(".")


def scores(papers: str) -> str:
    """The sentence of counts of some papers at the default tier."""
    from seelike import claims, scorecard  # noqa: PLC0415  (as above)

    table = claims.table(project.DEFAULT).set_index("id")
    return " ".join(scorecard.sentence(table, p, "on Scenes") for p in scorecard.papers() if p.startswith(papers))


def _measured(what: str, chapter: str) -> str | None:
    taken = [value for stem, value in project.timings(project.pages(project.DEFAULT), what).items() if stem.startswith(chapter)]
    if not taken or taken[0] != taken[0]:
        return None
    return f"{taken[0]:.0f} s" if what == "seconds" else f"{taken[0]:.1f} GB"
