"""Questions to the reader: `{guess}` before a figure, `{quiz}` at the end of a chapter.

    :::{quiz} Which layers of a ResNet see the whole image?
    - [ ] The first. ~ A single convolution sees three pixels.
    - [x] The last. ~ Fields grow with every layer.
    :::

A guess has no right answer marked: the figure below it answers, in one sentence of the text. On the site, answers react in the browser and
are kept there, nowhere else; without scripts all feedback is shown, and on paper none (`print.css`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

CHOICE = re.compile(r"- (?:\[(?P<mark>[ x])\] )?(?P<text>.+)")


class Choice(NamedTuple):
    """One answer, whether it is right (None in a guess), and what to say to whoever chose it."""

    text: str
    right: bool | None
    feedback: str


def choices(lines: Sequence[str], *, marked: bool) -> list[Choice]:
    """The choices of a question; ValueError for a body that is not a list of them, and for a quiz without exactly one right answer."""
    found: list[Choice] = []
    for line in "\n".join(lines).replace("\n  ", " ").splitlines():
        if not line.strip():
            continue
        match = CHOICE.fullmatch(line.strip())
        if match is None or (match["mark"] is None) == marked:
            wanted = "'- [x] answer ~ feedback' or '- [ ] answer ~ feedback'" if marked else "'- answer'"
            raise ValueError(f"A choice is a line {wanted}, got {line!r}.")
        text, _, feedback = match["text"].partition(" ~ ")
        if marked and not feedback:
            raise ValueError(f"Every choice of a quiz has feedback after ' ~ ', got {line!r}.")
        found.append(Choice(text.strip(), match["mark"] == "x" if marked else None, feedback.strip()))
    if len(found) < 2 or (marked and sum(bool(c.right) for c in found) != 1):
        raise ValueError("A question has at least two choices, and a quiz exactly one right one.")
    return found


def plain(question: str, body: str, *, marked: bool) -> str:
    """A question in Markdown, for notebooks: the answers of a quiz in a fold."""
    found = choices(body.splitlines(), marked=marked)
    listed = "\n".join(f"- {c.text}" for c in found)
    lines = [f"**{'Quiz' if marked else 'Guess first'}** {question}", listed]
    if marked:
        told = "\n".join(f"- {'**Right:**' if c.right else 'No:'} {c.text} {c.feedback}" for c in found)
        lines.append(f"<details><summary>Answers</summary>\n\n{told}\n\n</details>")
    return "\n\n".join(lines)


class Quiz(SphinxDirective):
    """{quiz}: a question with one right answer, and feedback to each."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    marked, kind = True, "Quiz"

    def run(self) -> list[nodes.Node]:
        """A set of radio buttons; what a choice says stands beside it."""
        try:
            found = choices(list(self.content), marked=self.marked)
        except ValueError as error:
            raise self.error(str(error)) from error
        name = f"q{self.env.new_serialno('quiz')}"
        made: list[nodes.Node] = [_raw(f'<fieldset class="quiz {self.kind.lower()}"><legend><span class="quiz-kind">{self.kind}</span> ')]
        made += [self.inline(self.arguments[0]), _raw("</legend>")]
        for choice in found:
            right = "" if choice.right is None else f' data-right="{int(choice.right)}"'
            made += [_raw(f'<label><input type="radio" name="{name}"{right}> '), self.inline(choice.text), _raw("</label>")]
            if choice.feedback:
                made += [_raw(f'<p class="feedback {"right" if choice.right else "wrong"}">'), self.inline(choice.feedback), _raw("</p>")]
        return [*made, _raw('<p class="kept" role="status"></p></fieldset>')]

    def inline(self, text: str) -> nodes.Node:
        """A line of markup without a paragraph around it; references need some text around them."""
        around = nodes.Element()
        self.state.nested_parse(StringList([text], self.get_source_info()[0]), 0, around)
        return nodes.inline("", "", *(child for paragraph in around.children for child in paragraph.children))


class Guess(Quiz):
    """{guess}: a question that the figure below answers."""

    marked, kind = False, "Guess"


def _raw(html: str) -> nodes.raw:
    return nodes.raw("", html, format="html")
