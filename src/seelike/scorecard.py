"""The scorecard in HTML: counts in a sentence, a matrix of tiles, and a fold for every claim. Nothing in it needs a script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined

from seelike import claims, project
from seelike import ledger as rules
from seelike.answers import SUMMARIES, SYMBOLS
from seelike.ledger import Claim

TIERS = {
    "scenes": "Scenes",
    "tiny": "photos",
    "cifar10": "CIFAR",
    "photographs": "pre-trained",
    claims.DATA: "published",
}  # heads of narrow columns
NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
VERBS = {  # of several claims, and of one
    "holds": ("hold", "holds"),
    "holds in part": ("hold in part", "holds in part"),
    "reversed": ("are reversed", "is reversed"),
    "open": ("are open", "is open"),
    "not testable here": ("cannot be tested on these networks",) * 2,
    "one network": ("rest on one network", "rests on one network"),
    "point": ("have no interval", "has no interval"),
}
ANSWERS = ("testable", "direction", "size", "beyond_control", "robust")

_TILE = """
{%- macro tile(word, title, tag="span") -%}
<{{ tag }} class="tile {{ word | replace(" ", "-") }}" title="{{ title }}"><span aria-hidden="true">{{ symbols[word] }}</span>
<span class="word">{{ word }}</span></{{ tag }}>
{%- endmacro -%}
"""
_KEY = '<p class="tile-key">{% for word in symbols %}{{ tile(word, word) }} {% endfor %}</p>'
_TILES = """
<table class="tiles">
<thead><tr><th scope="col">claim</th>{% for tier in tiers %}<th scope="col">{{ heads.get(tier, tier) }}</th>{% endfor %}</tr></thead>
{% for paper, rows in papers.items() %}<tbody>
{% if papers | length > 1 %}<tr class="paper"><th scope="rowgroup" colspan="{{ tiers | length + 1 }}">{{ paper }}</th></tr>{% endif %}
{% for claim, cells in rows %}<tr><th scope="row"><a href="{{ link }}#{{ claim.id | anchor }}">{{ claim.short }}</a></th>
{% for cell in cells %}{{ tile(cell.summary, cell.title, "td") }}{% endfor %}</tr>
{% endfor %}</tbody>{% endfor %}
</table>
"""
_FOLDS = """
{% for f in folds %}<details class="claim-fold" id="{{ f.claim.id | anchor }}">
<summary><b>{{ f.claim.id }}</b> {{ f.claim.statement }}
{% for r in f.rows %}{{ tile(r.summary, r.tier ~ ": " ~ r.summary) }} {% endfor %}</summary>
{% if f.rows %}<div class="scroll" tabindex="0" role="group" aria-label="Answers to {{ f.claim.id }}"><table>
<thead><tr><th scope="col">tier</th><th scope="col">answer</th><th scope="col">estimate</th><th scope="col">seeds</th>
{% for a in answers %}<th scope="col">{{ a | replace("_", " ") }}</th>{% endfor %}</tr></thead>
<tbody>{% for r in f.rows %}<tr><th scope="row">{{ heads.get(r.tier, r.tier) }}</th><td>{{ symbols[r.summary] }} {{ r.summary }}</td>
<td>{{ r.number }}</td><td>{{ r.seeds or "" }}</td>{% for a in answers %}<td>{{ r[a] }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>
<ul>{% for r in f.rows %}{% if r.told %}<li>{{ heads.get(r.tier, r.tier) }}: {{ r.told | join("; ") }}.</li>{% endif %}{% endfor %}</ul>
{% else %}<p>Not run at any tier of this book.</p>{% endif %}
<dl>
<dt>Asked</dt><dd>{{ f.claim.what }} (<code>{{ f.claim.statistic }}</code>).</dd>
<dt>Rule</dt><dd>{% for p in f.claim.parts or [f.claim] %}{% if f.claim.parts %}{{ p.name }} ({{ p.what }}): {% endif -%}
{{ p.direction }} {{ "%g" | format(p.null_value) }}{{ ". " if f.claim.parts else "" }}{% endfor %}
{% if f.claim.size %}; size {{ "%g" | format(f.claim.size.value) }} ± {{ "%g" | format(f.claim.size.tolerance) }}{% endif %}</dd>
<dt>The paper</dt><dd>{{ f.claim.where }}: {{ f.claim.paper_value }}.</dd>
{% if f.claim.control %}<dt>Control</dt><dd>{{ f.claim.control }}.</dd>{% endif %}
{% if f.claim.testable %}<dt>Testable if</dt><dd>{{ f.claim.testable.what }} {{ f.claim.testable.rule }}.</dd>{% endif %}
<dt>Figure</dt><dd><a href="{{ f.page }}.html#{{ f.claim.figure }}">{{ f.claim.figure }}</a></dd>
</dl>
{% for a in f.claim.amended %}<p class="amended"><b>Amended {{ a.date }}.</b>
Before{% if a.was.statement %}, of the statement “{{ a.was.statement }}”{% endif %}: {{ a.was.what }}; rule {{ a.was.rule }};
{% for tier, verdict in a.was.verdicts.items() %}{{ verdict }} at {{ tier }}{{ ", " if not loop.last }}{% else %}never run{% endfor %}.
Why: {{ a.why }} Explored on {{ a.explored_on }}; decided on {{ a.decided_on }}.</p>
{% endfor %}</details>
{% endfor %}
"""


def anchor(claim: str) -> str:
    """The fragment of a claim's fold."""
    return f"claim-{claim.lower()}"


_environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
_environment.filters["anchor"] = anchor
_environment.globals |= {"symbols": SYMBOLS, "heads": TIERS, "answers": ANSWERS}


def _rendered(template: str, **values: Any) -> str:
    return _environment.from_string(_TILE + template).render(**values).strip()


def tables(tiers: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The ledger at some tiers, by tier and claim; tiers at which nothing was run are left out."""
    found = {tier: claims.table(tier).set_index("id") for tier in tiers}
    return {tier: table for tier, table in found.items() if (table["summary"] != "not run").any()}


def places(tier: str) -> list[str]:
    """The tiers of a scorecard: the book's own, those that were recorded, and published numbers."""
    return list(dict.fromkeys([claims.key(tier), *claims.recorded(), claims.DATA]))


def papers() -> list[str]:
    """The papers of the ledger, in its order."""
    return list(dict.fromkeys(claim.paper for claim in rules.ledger().values()))


def counts(table: pd.DataFrame, paper: str | None = None) -> Counter[str]:
    """How many claims (of one paper) have which summary."""
    return Counter(table["summary"] if paper is None else table.loc[table["paper"] == paper, "summary"])


def open_share(table: pd.DataFrame) -> float:
    """The share of open claims among those that have a summary and could be tested."""
    found = counts(table)
    asked = sum(found[word] for word in SUMMARIES[:4])
    return found["open"] / asked if asked else 0.0


def sentence(table: pd.DataFrame, paper: str, where: str) -> str:
    """What became of the claims of a paper at a tier, in one sentence of plain text."""
    found = counts(table, paper)
    parts = [f"{_word(found[word])} {verbs[found[word] == 1]}" for word, verbs in VERBS.items() if found[word]]
    if not parts:
        return f"No claim of {paper} was asked {where}."
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"Of the {_word(found.total() - found['not run'])} claims of {paper} that were asked {where}, {listed}."


def _word(n: int) -> str:
    return NUMBERS[n] if n < len(NUMBERS) else str(n)


def tiles(found: Mapping[str, pd.DataFrame], chosen: Sequence[str], link: str = "") -> str:
    """A matrix of tiles under the papers' names, a row a claim and a column a tier. link: the page that has the folds; "" for this one."""
    shown = [t for t, table in found.items() if (table.loc[table["paper"].isin(chosen), "summary"] != "not run").any()]
    rows = {
        paper: [(c, [_row(c, t, found[t].loc[c.id]) for t in shown]) for c in rules.ledger().values() if c.paper == paper]
        for paper in chosen
    }
    return _rendered(_TILES + _KEY, tiers=shown, papers=rows, link=link)


def folds(found: Mapping[str, pd.DataFrame], paper: str) -> str:
    """A fold for every claim of a paper: how it was answered at every tier, what was asked, and what was amended."""
    held = [
        {
            "claim": claim,
            "page": next(path.stem for path in sorted(project.NOTEBOOKS.glob(f"{claim.chapter}_*.py"))),
            "rows": [_row(claim, t, table.loc[claim.id]) for t, table in found.items() if table.loc[claim.id, "summary"] != "not run"],
        }
        for claim in rules.ledger().values()
        if claim.paper == paper
    ]
    return _rendered(_FOLDS, folds=held)


def _row(claim: Claim, tier: str, row: Any) -> dict[str, Any]:
    """What a template says of a claim at a tier."""
    entry = claims.recorded_of(claim.id, tier)
    number = claims.words(*(float(row[k]) for k in ("estimate", "low", "high"))) if entry and entry.interval() else ""
    told = [str(row["reason"])] if row["reason"] else []
    if entry is not None:
        told += [f"{name}: {claims.words(*value)}" for name, part in entry.parts.items() if (value := part.interval())]
        told += [f"minus the control: {claims.words(*value)}" for value in [entry.beyond and entry.beyond.interval()] if value]
        told += [f"interval over {entry.over}"] if entry.over else []
        before = claims.explored(claim.id, tier)
        told += [f"while the rule was sought: {claims.words(*value)}" for value in [before and before.interval()] if value]
    summary = str(row["summary"])
    numbers = {"tier": tier, "number": number, "told": told, "seeds": entry.seeds if entry else 0, "title": f"{summary} {number}".strip()}
    return numbers | {key: str(row[key]) for key in ("summary", *ANSWERS)}
