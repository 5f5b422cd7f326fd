"""The package's page: every example runs and prints what it shows, every name is there and says what it takes."""

import doctest
import inspect
import re

import pytest
from conftest import ROOT

from seelike import api

PAGE = ROOT / "book" / "api.md"
NAMES = re.findall(r"^seelike\.\S+$", PAGE.read_text(encoding="utf-8"), re.M)


def examples():
    """The page as Python reads it: fences left out, so that none of them is taken for output."""
    text = re.sub(r"^```.*$", "", PAGE.read_text(encoding="utf-8"), flags=re.M)
    return doctest.DocTestParser().get_doctest(text, {}, "book/api.md", str(PAGE), 0)


def test_every_example_prints_what_the_page_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner, told = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE), []
    result = runner.run(examples(), out=told.append)
    assert result.attempted >= 30 and not result.failed, "".join(told)


def test_every_door_has_a_short_example():
    parts = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.M)[1:]
    assert len(parts) == 8
    for part in parts:
        (shown,) = re.findall(r"^```pycon\n(.*?)^```", part, re.M | re.S)
        assert shown.count("\n") < 12, part.splitlines()[0]
        assert re.search(r"^:::\{api\}", part, re.M), part.splitlines()[0]


@pytest.mark.parametrize("dotted", NAMES)
def test_names_are_described_as_python_sees_them(dotted):
    found = api.describe(dotted)
    thing = __import__(found.module, fromlist=["x"])
    for name in found.name.split("."):
        thing = inspect.getattr_static(thing, name)
    assert inspect.cleandoc(thing.__doc__) == inspect.cleandoc(found.doc)
    if found.kind in ("function", "method"):
        own = [p.name for p in inspect.signature(thing).parameters.values() if p.name != "self"]
        written = [re.match(r"\**(\w+)", p)[1] for p in found.parameters if p != "*"]
        assert written == own


def test_what_is_not_there_is_said():
    for dotted, message in {
        "seelike.cka.swep": "seelike.cka has no swep",
        "seelike.nothing.x": "There is no module seelike.nothing",
        "numpy.zeros": "A name such as seelike.cka.sweep was expected",
    }.items():
        with pytest.raises(ValueError, match=message):
            api.describe(dotted)


def test_parameters_of_a_docstring_become_a_list():
    told = api.prose("What it does.\n\nx: images, of\n    any size. n: how many.\nrest: the others\nRaises ValueError for none.")
    assert told == "What it does.\n\n\n- `x`: images, of\n  any size. n: how many.\n- `rest`: the others\n\nRaises ValueError for none.\n"
