"""What a figure shows, as a table: read off the drawing itself, so that it cannot say anything else.

| column  | what                                                                                                              |
|---------|-------------------------------------------------------------------------------------------------------------------|
| panel   | number of the panel in the order of drawing, and its title                                                        |
| kind    | line, points, segment, area, bar, cell (of a map), or the words at a tick of the x or the y axis                  |
| series  | name in the legend, where there is one; else the colour; the words of a tick                                      |
| x, y    | as on the axes; of a cell, its column and row in the map; of a bar, its middle and where it ends                   |
| value   | of a cell, and of points whose colour is a number                                                                 |

Photographs, legends, colour bars and reference lines across a whole panel are left out, and maps with more than `CELLS` cells in all.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection, LineCollection, PathCollection, PolyCollection, QuadMesh
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator

MIME = "application/vnd.seelike.drawn"  # of an output that carries the table to the page of its figure
HEAD = ("panel", "kind", "series", "x", "y", "value")
CELLS = 6000
Row = tuple[str, Any, Any, Any, Any]  # without the panel


def table(fig: Figure) -> str:
    """The table of a figure as CSV; only its head where nothing was drawn that has numbers."""
    panels = [ax for ax in fig.axes if ax.axison or ax.images]
    panels = [ax for ax in panels if ax.get_label() != "<colorbar>"]
    few = sum(np.asarray(m.get_array()).size for ax in panels for m in maps(ax)) <= CELLS
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    writer.writerow(HEAD)
    for i, ax in enumerate(panels, 1):
        title = " ".join(ax.get_title().split())
        writer.writerows((f"{i}: {title}" if title else i, *row) for row in _rows(ax, few))
    return held.getvalue()


def maps(ax: Axes) -> list[AxesImage | QuadMesh]:
    """Pictures of a panel whose colours are numbers."""
    meshes = [c for c in ax.collections if isinstance(c, QuadMesh)]
    return [*(image for image in ax.images if np.asarray(image.get_array()).ndim == 2), *meshes]


def _rows(ax: Axes, few: bool) -> Iterator[Row]:
    for axis, name in ((ax.xaxis, "x"), (ax.yaxis, "y")):
        places: list[float] = list(axis.get_majorticklocs()) if isinstance(axis.get_major_locator(), FixedLocator) else []
        for place, words in zip(places, map(str, axis.get_major_formatter().format_ticks(places)), strict=True):
            if not _number(words):
                at = (_short(place), "") if name == "x" else ("", _short(place))
                yield f"{name} tick", " ".join(words.split()), *at, ""
    for line in ax.lines:
        if _on_axes(line, ax):
            kind = "points" if line.get_linestyle() in ("None", " ", "") else "line"
            for x, y in zip(*(np.asarray(v, dtype=float) for v in (line.get_xdata(orig=False), line.get_ydata(orig=False))), strict=True):
                yield kind, _series(line), _short(x), _short(y), ""
    named = {bar: held for held in ax.containers for bar in held.get_children()}  # bars have no label of their own
    for patch in ax.patches:
        if isinstance(patch, Rectangle) and _on_axes(patch, ax):
            x, y = _end(patch)
            yield "bar", _series(patch, named.get(patch)), _short(x), _short(y), ""
    for drawn in ax.collections:
        yield from _of_collection(drawn, ax)
    for picture in maps(ax) if few else []:
        m = np.asarray(picture.get_array(), dtype=float)
        for (row, column), value in np.ndenumerate(m if m.ndim == 2 else m.reshape(1, -1)):
            yield "cell", "", column, row, _short(value)


def _of_collection(drawn: Collection, ax: Axes) -> Iterator[Row]:
    if isinstance(drawn, PathCollection):
        numbers = drawn.get_array()
        for i, (x, y) in enumerate(np.ma.filled(np.ma.asarray(drawn.get_offsets(), dtype=float), np.nan)):
            value, series = ("", _series(drawn)) if numbers is None else (_short(np.asarray(numbers)[i]), "")
            yield "points", series, _short(x), _short(y), value
    elif isinstance(drawn, LineCollection | PolyCollection) and _on_axes(drawn, ax):
        kind = "segment" if isinstance(drawn, LineCollection) else "area"
        for path in drawn.get_paths():
            for x, y in np.asarray(path.vertices):
                yield kind, _series(drawn), _short(x), _short(y), ""


def _on_axes(artist: Any, ax: Axes) -> bool:
    """Whether both coordinates are numbers of the axes, which they are not of a line across the whole panel."""
    return bool(artist.get_transform().contains_branch_seperately(ax.transData) == (True, True))


def _end(bar: Rectangle) -> tuple[float, float]:
    """Of a bar that stands on an axis, its middle across and its end along."""
    x, y, width, height = map(float, (bar.get_x(), bar.get_y(), bar.get_width(), bar.get_height()))
    return (x + width, y + height / 2) if abs(x) < 1e-12 < abs(y) else (x + width / 2, y + height)


def _series(artist: Any, container: Any = None) -> str:
    label = str((container or artist).get_label())
    if label and not label.startswith("_"):
        return " ".join(label.split())
    colour = artist.get_color() if isinstance(artist, Line2D | LineCollection) else artist.get_facecolor()
    colours = np.atleast_2d(colour) if not isinstance(colour, str) else [colour]
    return to_hex(colours[0]) if len(colours) else ""


def _number(words: str) -> bool:
    try:
        float(words.replace("\N{MINUS SIGN}", "-"))
    except ValueError:
        return False
    return True


def _short(value: Any) -> str:
    return "" if np.isnan(value) else f"{float(value):.5g}"
