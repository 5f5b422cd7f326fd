"""Sites lose what no page uses, and nothing else."""

import pytest

from seelike import lean

USED = {"shown", "other"}


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        (".shown{a:b}.gone{c:d}", ".shown{a:b}"),
        (".gone,.shown .other,p .gone{a:b}", ".shown .other{a:b}"),
        ("p{a:b}", "p{a:b}"),
        ("@media print{.gone{a:b}.shown{c:d}}", "@media print{.shown{c:d}}"),
        (".shown:not(.gone){a:b}", ".shown:not(.gone){a:b}"),
        (":is(.gone,.shown){a:b}", ":is(.gone,.shown){a:b}"),
        (r".md\:gone{a:b}", r".md\:gone{a:b}"),
        (".bs-tooltip-end{a:b}", ".bs-tooltip-end{a:b}"),
        ("@font-face{font-family:x}", "@font-face{font-family:x}"),
        ("/* why */.gone{a:b}", "/* why */.gone{a:b}"),
    ],
)
def test_rules_of_unused_classes_go(css, kept):
    assert lean.purged(css, USED) == kept


def test_scripts_that_do_nothing_on_a_page_are_not_loaded(tmp_path):
    page = '<p class="shown">x</p>\n<script src="../_static/searchtools.js?v=1"></script>\n<script defer src="../_static/access.js"></script>\n'
    page += '<script defer src="_static/scripts/fontawesome.js?digest=2"></script>'
    (tmp_path / "_static" / "scripts").mkdir(parents=True)
    (tmp_path / "_static" / "scripts" / "fontawesome.js").write_text("big")
    (tmp_path / "_static" / "own.css").write_text(".shown{a:b}.gone{a:b}")
    (tmp_path / "_static" / "own.css.map").write_text("{}")
    for name in ("chapter.html", "search.html"):
        (tmp_path / name).write_text(page)
    lean.trim(tmp_path)
    assert "searchtools" not in (tmp_path / "chapter.html").read_text() and "access.js" in (tmp_path / "chapter.html").read_text()
    assert "searchtools" in (tmp_path / "search.html").read_text() and "fontawesome" not in (tmp_path / "search.html").read_text()
    assert (tmp_path / "_static" / "own.css").read_text() == ".shown{a:b}"
    assert sorted(p.name for p in tmp_path.rglob("*.*") if p.is_file()) == ["chapter.html", "own.css", "search.html"]
