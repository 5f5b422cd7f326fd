"""Explorables: what is written for them, and how they behave in a browser."""

import re

import numpy as np
import pytest
import torch
from conftest import ROOT, SITE

from seelike import claims, explore, plain, saliency, scorecard, specimens
from seelike.answers import Entry
from seelike.cka import CKA, cka, gram
from seelike.ledger import ledger

STATIC = ROOT / "book" / "_static" / "explore"
PLACES = {
    "cka": "03_representation_structure", "estimator": "02_cka", "scorecard": "15_scorecard",
    "tokens": "07_spatial_localization", "explanations": "11_backdoors_and_saliency", "scaling": "14_scaling_laws",
}  # fmt: skip
LIMIT = 400_000  # bytes of all scripts and data of an explorable that are loaded at first
LATER = re.compile(r"tokens-(\d-)?[1-9]|tokens-[1-9]-\d")  # of other images and networks than the first, when they are chosen

CLAIM = next(c for c in ledger().values() if not c.parts and c.direction == "above").model_copy(update={"null_value": 1.0})


def entry(estimate, low, high, **about):
    return Entry(estimate=estimate, low=low, high=high, seeds=3, images=8, **about)


@pytest.fixture(scope="module")
def data():
    return explore.data("scenes")


def whole(entry):
    """A map as it was before it was packed."""
    if not entry["symmetric"]:
        return np.array(entry["values"], float) / 1000
    n = len(entry["values"])
    upper = np.zeros((n, n))
    for i, line in enumerate(entry["values"]):
        upper[i, i:] = line
    return (upper + np.triu(upper, 1).T) / 1000


@pytest.mark.parametrize("tier", ["scenes", "cifar10", "photographs"])
def test_every_recorded_map_is_there_and_unchanged(tier, data):
    held = data[f"cka-{tier}"]
    recorded = {chapter: claims.results(tier, chapter).get(section, {}) for chapter, section in explore.MAPS.items()}
    wanted = [np.array(m) for maps in recorded.values() for m in maps.values()]
    found = [whole(m) for m in held["maps"]]
    assert len(found) == len(wanted) >= 5
    for m in wanted:
        assert sum(f.shape == m.shape and np.allclose(f, m, atol=0.00051) for f in found) >= 1
    for m in held["maps"]:
        assert len(whole(m)) == len(held["networks"][m["rows"]]["layers"])


def test_controls_have_the_same_layers_and_no_training(data):
    maps = data["cka-scenes"]["maps"]
    vit = next(m for m in maps if m["rows"].startswith("vit_cls-") and m["rows"] == m["columns"])
    assert maps[vit["control"]]["rows"] == "untrained vit_cls all"
    assert all(m["control"] is None for m in maps if "untrained" in m["rows"])


def test_layers_have_words(data):
    layers = dict(data["cka-scenes"]["networks"]["untrained vit_cls all"]["layers"])
    assert layers["blocks.3.norm2:in"] == "block 4, residual stream, mid-block" and layers["blocks.0"] == "block 1, output"
    assert layers["norm"] == "norm"


def test_a_map_of_other_layers_is_refused():
    with pytest.raises(ValueError, match="A map of vit_cls-3 at scenes has 3 layers, the network 49: record it again"):
        explore.maps_data("scenes", [explore.Map("vit_cls-3", "vit_cls-3", "all", "", np.eye(3).tolist())])


def test_layers_of_somebodys_network_may_be_numbers(monkeypatch):
    def lost(tier, role):
        raise ValueError("no such module")

    monkeypatch.setattr(explore, "_made", lost)
    made = explore.maps_data("smoke", [explore.Map("vit_cls-0", "resnet-0", "all", "", np.zeros((2, 3)).tolist())])
    assert [len(n["layers"]) for n in made["networks"].values()] == [2, 3] and made["networks"]["resnet-0 all"]["layers"][2] == [
        "",
        "layer 3",
    ]
    with pytest.raises(ValueError, match="no such module"):
        explore.maps_data("scenes", [explore.Map("vit_cls-3", "vit_cls-3", "all", "", np.eye(49).tolist())])


def test_undefined_entries_are_null():
    values = np.eye(49)
    values[0, 1] = values[1, 0] = np.nan
    made = explore.maps_data("scenes", [explore.Map("vit_cls-3", "vit_cls-3", "all", "", values.tolist())])["maps"][0]
    assert made["symmetric"] and made["values"][0][:3] == [1000, None, 0] and len(made["values"][-1]) == 1


@pytest.mark.parametrize(
    ("direction", "numbers", "told"),
    [("above", (2.0, 1.5, 2.5), [1, 2, 3]), ("below", (2.0, 1.5, 2.5), [-3, -2, -1]), ("above", (1.1, 1.0, 1.4), [0, 0.5, 2])],
)
def test_spans_count_half_widths_from_the_null(direction, numbers, told):
    assert explore.span(CLAIM.model_copy(update={"direction": direction}), entry(*numbers)) == pytest.approx(told)


def test_numbers_without_an_interval_have_no_span():
    assert explore.span(CLAIM, entry(2.0, 2.0, 2.0)) is None and explore.span(CLAIM, entry(None, None, None)) is None


def test_of_several_parts_the_worst_is_shown():
    claim = next(c for c in ledger().values() if len(c.parts) == 2)
    first, second = claim.parts

    def part(p, low):
        ends = sorted(p.null_value + (1 if p.direction == "above" else -1) * x for x in (low, low + 2))
        return {"estimate": sum(ends) / 2, "low": ends[0], "high": ends[1]}

    both = entry(0, 0, 0, parts={first.name: part(first, 4), second.name: part(second, -3)})
    assert explore.span(claim, both) == pytest.approx([-3, -2, -1])
    assert explore.span(claim, entry(0, 0, 0, parts={first.name: part(first, 4)})) is None


def test_only_numbers_with_a_verdict_can_count(data):
    held = data["scorecard-data"]
    tables = scorecard.tables(scorecard.places("scenes"))
    assert len(held["rows"]) == sum((t["summary"] != "not run").sum() for t in tables.values())
    for name, *_, word, _, span in held["rows"]:
        if word in ("holds", "reversed"):
            assert span[0] > 0 if word == "holds" else span[2] < 0, name
        elif word == "open":
            assert span is None or span[0] <= 0 <= span[2], name
        elif word != "holds in part":
            assert span is None, name


def test_data_are_scripts(tmp_path):
    explore.place(tmp_path / "new", "x-1", {"a": [1, None]})
    assert (tmp_path / "new" / "x-1.js").read_text() == 'seelikeExplore.data["x-1"]={"a":[1,null]};\n'
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["x-1.js"]
    with pytest.raises(ValueError, match="Out of range"):
        explore.place(tmp_path, "x", float("nan"))


@pytest.mark.parametrize("name", PLACES)
def test_explorables_are_light(name, data, tmp_path):
    for key, held in data.items():
        if key.startswith(name) and not LATER.fullmatch(key):
            explore.place(tmp_path, key, held)
    written = [*tmp_path.glob("*.js"), STATIC / f"{name}.js", STATIC / "explore.js", STATIC / "explore.css"]
    assert sum(p.stat().st_size for p in written) <= LIMIT


def test_every_network_with_heads_has_its_heads(data):
    held = data["tokens-data"]
    for i in range(len(held["images"])):
        for k, network in enumerate(held["networks"]):
            found = data.get(f"tokens-{i}-{k}", [])
            assert len(found) == (len(network["blocks"]) if network["heads"] else 0)
    labels = [n["label"] for n in held["networks"]]
    assert any("untrained" in label for label in labels) and any("ResNet" in label for label in labels)


def test_triggers_have_words(data):
    titles = {i["trigger"]: i["title"] for i in data["explanations-data"]["images"]}
    assert titles["fixed_square_12"] == "square in the corner" and titles["random_shape_12"] == "shape anywhere"


def test_points_of_the_frontier_rise_in_compute_and_fall_in_error(data):
    points = np.array(data["scaling-data"]["points"])
    assert (np.diff(points, axis=0) * [1, -1] > 0).all()


def test_scripts_import_and_fetch_nothing():
    for path in STATIC.glob("*.js"):
        assert not re.search(r"\bfetch\(|XMLHttpRequest|^\s*(import|export) |https?://(?!www\.w3\.org)", path.read_text(), re.M), path.name


def test_notebooks_say_where_an_explorable_stands():
    page = plain.Page(plain.Book({}, {}), "02_cka")
    assert page.plain("Before.\n\n:::{explore} cka\n:::\n\nAfter.") == "Before.\n\n*On the site, an explorable stands here.*\n\nAfter."


def test_the_book_places_each_once_below_a_figure():
    for name, stem in PLACES.items():
        text = (ROOT / "notebooks" / f"{stem}.py").read_text()
        assert text.count(f":::{{explore}} {name}\n") == 1
    assert set(PLACES) == set(explore.EXPLORABLES)
    assert {"explore/explore.js", "explore/explore.css"} <= set(re.findall(r"explore/\w+\.\w+", (ROOT / "_config.yml").read_text()))


# In the browser --------------------------------------------------------------------------------------------------------------------------

on_the_site = [pytest.mark.page, pytest.mark.skipif(not (SITE / "index.html").exists(), reason="no site in _build/html: run make book")]


def shown(page, key):
    """Data that the site was built with."""
    return page.evaluate("key => seelikeExplore.data[key]", key)


def page_of(name):
    return f"book/chapters/{PLACES[name]}.html"


def come(page, name):
    """Scroll to an explorable and wait until it stands."""
    box = page.locator(f"#explore-{name}")
    box.scroll_into_view_if_needed()
    page.wait_for_selector(f"#explore-{name}.built", timeout=20_000)
    return box


def slide(box, label, steps):
    control = box.get_by_label(label)
    control.focus()
    for _ in range(abs(steps)):
        control.press("ArrowRight" if steps > 0 else "ArrowLeft")


@pytest.fixture
def at(visit):
    """Opens the page of an explorable, built; complains about errors and other hosts afterwards."""
    opened = []

    def go(name):
        context = visit(page_of(name))
        page, trouble = context.__enter__()
        opened.append((context, trouble))
        return page, come(page, name)

    yield go
    for context, trouble in opened:
        context.__exit__(None, None, None)
        assert not trouble, trouble


class TestOnTheSite:
    """Keyboard, pointer, themes, phones, print."""

    pytestmark = on_the_site

    @pytest.mark.parametrize("name", PLACES)
    def test_nothing_is_built_from_afar(self, name, browser, server):
        page, asked = browser.new_page(viewport={"width": 1280, "height": 400}), []
        page.on("request", lambda r: asked.append(r.url))
        page.goto(f"{server}/{page_of(name)}", wait_until="networkidle")
        above = page.evaluate(f"document.querySelector('#explore-{name}').getBoundingClientRect().top")
        assert above > 1000 or name == "scorecard"
        if above > 1000:
            assert not [url for url in asked if f"explore/{name}" in url]
        come(page, name)
        assert [url for url in asked if url.endswith(f"explore/{name}.js")]
        page.close()

    @pytest.mark.parametrize("name", PLACES)
    def test_from_a_disk(self, name, browser):
        page, trouble = browser.new_page(viewport={"width": 1280, "height": 900}), []
        page.on("console", lambda m: trouble.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: trouble.append(str(e)))
        page.on("request", lambda r: trouble.append(r.url) if not r.url.startswith(("file:", "data:", "blob:")) else None)
        page.goto((SITE / page_of(name)).resolve().as_uri())
        assert come(page, name).locator(".explore-stage svg").count() >= 1
        page.close()
        assert not trouble, trouble

    @pytest.mark.parametrize("theme", ["light", "dark"])
    @pytest.mark.parametrize("name", PLACES)
    def test_axe_finds_nothing_serious(self, name, theme, at, axe):
        page, _ = at(name)
        page.evaluate(f"document.documentElement.dataset.mode = document.documentElement.dataset.theme = '{theme}'")
        page.evaluate(axe)
        found = page.evaluate(f"axe.run('#explore-{name}', {{resultTypes: ['violations'], preload: false}}).then(r => r.violations)")
        assert not [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")]

    @pytest.mark.parametrize("name", PLACES)
    def test_on_a_phone_and_on_paper(self, name, at):
        page, box = at(name)
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        for element in box.locator("select, input, button, svg, canvas").all():
            if place := element.bounding_box():
                assert place["x"] >= 0 and place["x"] + place["width"] <= 391
        page.emulate_media(media="print")
        assert not box.is_visible() and page.locator("article img").first.is_visible()

    def test_the_map_follows_keys_and_pointer(self, at):
        page, box = at("cka")
        plot, told = box.get_by_role("application"), box.get_by_role("status")
        before = told.inner_text()
        plot.focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowUp")
        moved = told.inner_text()
        assert moved != before and box.locator("path.curve").count() == 1
        for _ in range(60):
            page.keyboard.press("ArrowDown")
        assert "0.0" not in told.locator(".value").inner_text() and told.locator("code").first.inner_text() == "blocks.0.norm1"
        assert told.locator(".value").inner_text().strip() == "1.000"
        page.keyboard.press("PageUp")
        assert told.locator("code").first.inner_text() == "blocks.2.norm1"
        canvas = box.locator("canvas").bounding_box()
        page.mouse.move(canvas["x"] + canvas["width"] - 2, canvas["y"] + 2)
        assert told.locator("code").all_inner_texts() == ["norm", "norm"]

    def test_every_map_can_be_chosen(self, at):
        page, box = at("cka")
        images, networks, value = box.get_by_label("Images"), box.get_by_label("Networks"), box.locator(".value")
        for told in shown(page, "cka-index"):
            images.select_option(told["title"])
            page.wait_for_function("file => seelikeExplore.data[file]", arg=told["file"])
            maps = shown(page, told["file"])["maps"]
            page.wait_for_function("n => document.querySelectorAll('.cka select')[1].options.length === n", arg=len(maps))
            for i, one in enumerate(maps):
                networks.select_option(index=i)
                box.get_by_role("application").focus()
                page.keyboard.press("Home")
                for _ in range(9):
                    page.keyboard.press("PageDown")
                assert value.inner_text().strip() == f"{whole(one)[0, 0]:.3f}", one["label"]

    def test_estimates_are_those_of_the_package(self, at):
        page, _ = at("estimator")
        rng = np.random.default_rng(0)
        n, p, q = 24, 40, 7
        x, y = rng.normal(3, 1, (n, p)), rng.normal(-50, 2, (n, q))
        y[:, :3] += x[:, :3]
        ours = {"n": n, "p": p, "q": q, "x": x.ravel().tolist(), "y": y.ravel().tolist()}
        call = "(a, o) => seelikeExplore.estimator.cka(Float64Array.from(a.x), Float64Array.from(a.y), a.n, a.p, a.q, o)"
        a, b = torch.tensor(x), torch.tensor(y)
        for unbiased in (True, False):
            found = page.evaluate(f"([a, o]) => ({call})(a, o)", [ours, {"unbiased": unbiased}])
            assert found == pytest.approx(cka(a, b, unbiased=unbiased).item(), abs=1e-12)
            total = CKA(["a", "b"], unbiased=unbiased)
            for u, v in zip(a.split(8), b.split(8), strict=True):
                total.update({"a": gram(u), "b": gram(v)})
            found = page.evaluate(f"([a, o]) => ({call})(a, o)", [ours, {"unbiased": unbiased, "batch": 8}])
            assert found == pytest.approx(total.compute().loc["a", "b"], abs=1e-12)

    def test_normal_numbers_are_normal(self, at):
        page, _ = at("estimator")
        made = page.evaluate(
            "(() => { const {normal, generator} = seelikeExplore.estimator; return [...normal(generator(7), 20000, 2)]; })()"
        )
        again = page.evaluate("(() => { const {normal, generator} = seelikeExplore.estimator; return [...normal(generator(7), 5, 2)]; })()")
        assert made[:5] == again and abs(np.mean(made) - 2) < 0.03 and abs(np.std(made) - 1) < 0.02
        assert abs(np.corrcoef(made[:-1], made[1:])[0, 1]) < 0.03

    def test_the_laboratory_follows_its_sliders(self, at):
        page, box = at("estimator")

        def means():
            page.wait_for_function("document.querySelectorAll('.estimator-plot .draw').length === 240", timeout=30_000)
            page.wait_for_function("document.querySelector('#explore-estimator [role=status]').textContent.includes('Means')")
            return [float(t.replace("−", "-")) for t in box.locator(".number").all_text_contents()]

        biased, _, unbiased, _, clamped, uncentred = means()
        assert biased > 0.5 and abs(unbiased) < 0.05 and abs(uncentred) < 0.05 and clamped > max(unbiased, 0)
        slide(box, "Mean / spread", 8)
        assert means()[-1] > 0.9 and abs(means()[2]) < 0.05
        slide(box, "Features", -4)
        assert means()[0] < biased
        slide(box, "Batch size", 6)
        assert box.get_by_label("Images").get_attribute("aria-valuetext") == "256"
        before = box.locator("circle.draw").first.get_attribute("cx")
        box.get_by_role("button", name="Draw again").click()
        box.get_by_text("draws a row, from seed 2").wait_for(timeout=30_000)
        assert box.locator("circle.draw").first.get_attribute("cx") != before

    def test_the_scorecard_filters(self, at):
        page, box = at("scorecard")
        rows = shown(page, "scorecard-data")["rows"]
        scenes = [r for r in rows if r[4] == 0]
        listed = box.locator(".scorecard-list li")
        assert listed.count() == len(scenes)
        box.get_by_label("Search").fill("r21-1")
        assert listed.locator("a").all_inner_texts() == ["R21-1 ViT more uniform than ResNet"]
        box.get_by_label("Search").fill("")
        box.get_by_label("Tier").select_option("all")
        assert listed.count() == len(rows)
        box.get_by_label("Answer").select_option(index=1)
        assert listed.count() == sum(r[5] == "holds" for r in rows)
        box.get_by_label("Paper").select_option("Tuli et al. 2021")
        assert listed.count() == sum(r[5] == "holds" and r[3] == "Tuli et al. 2021" for r in rows)

    def test_the_threshold_dims_what_does_not_reach_it(self, at):
        page, box = at("scorecard")
        spans = [r[7] for r in shown(page, "scorecard-data")["rows"] if r[4] == 0 and r[7]]
        lit = box.locator(".scorecard-list li.lit")
        assert lit.count() == len(spans)
        slide(box, "An effect counts from", 1)
        beyond = [s for s in spans if s[0] > 0 or s[2] < 0]
        assert lit.count() == len(beyond) < len(spans)
        slide(box, "An effect counts from", 3)
        assert lit.count() == sum(s[0] >= 1 or s[2] <= -1 for s in spans) < len(beyond)
        assert box.get_by_role("status").inner_text().startswith(f"{lit.count()} of ")
        box.locator(".scorecard-list a").first.click()
        assert page.locator("#claim-r21-1").evaluate("fold => fold.open")

    def test_a_position_is_followed_through_its_network(self, at):
        page, box = at("tokens")
        held = shown(page, "tokens-data")
        networks, told, panels = held["networks"], box.get_by_role("status"), box.locator(".tokens-panel")
        assert panels.count() == networks[0]["heads"] + 2
        box.get_by_role("application").focus()
        for key in ["ArrowUp"] * 9 + ["ArrowLeft"] * 9:
            page.keyboard.press(key)
        assert told.inner_text().startswith("Row 1, column 1")
        weights = specimens.unpacked(page.evaluate("seelikeExplore.data['tokens-0-0'][0]"), networks[0]["heads"], 65, 65) ** 2
        row = weights[0, 1] / weights[0, 1].sum()
        far = (row[1:] * np.hypot(*np.mgrid[:8, :8]).ravel()).sum() / row[1:].sum()
        words = panels.first.inner_text()
        assert f"{far:.1f} patches away" in words and f"class token {100 * row[0]:.0f}\xa0%" in words
        slide(box, "Block", 20)
        assert f"after block {len(networks[0]['blocks'])} " in told.inner_text()
        large = shown(page, "tokens-0")
        alike = specimens.unpacked(large["similar"][-1], 64, 64)[0]
        assert f"own patch {alike[0]:.2f}, rank {1 + (alike > alike[0]).sum()} of 64" in panels.nth(-2).inner_text()
        share = specimens.unpacked(large["field"][-1], 64, 64)[0] ** 2
        assert f"{100 * share[0] / share.sum():.0f}\xa0% of its field" in panels.last.inner_text()
        button = box.get_by_role("button", name="Ask the class token")
        button.click()
        assert told.inner_text().startswith("The class token") and "no place" in panels.last.inner_text()
        box.get_by_label("Network").select_option("ResNet")
        box.get_by_text("A ResNet has no heads").wait_for()
        assert panels.count() == 2 and not button.is_visible() and told.inner_text().startswith("Row 1, column 1")
        panels.last.locator(".tokens-picture").click(position={"x": 100, "y": 5})
        assert told.inner_text().startswith("Row 1, column") and "column 1," not in told.inner_text()

    def test_boxes_and_overlaps_are_those_of_the_package(self, at):
        page, box = at("explanations")
        held = shown(page, "explanations-data")
        for image in held["images"]:
            truth = torch.zeros(1, 64, 64, dtype=torch.bool)
            top, left, bottom, right = image["box"]
            truth[:, top:bottom, left:right] = True
            for text in image["maps"].values():
                for threshold in (0.2, 0.75, 0.97):
                    map_ = torch.tensor(specimens.unpacked(text, 1, 64, 64))
                    ours = saliency.intersection_over_union(saliency.boxes(saliency.marked(map_, threshold)), truth).item()
                    call = "([m, t, b]) => { const e = seelikeExplore; return e.explanations.overlap(e.explanations.marked(e.unpacked(m), t).box, b); }"
                    assert page.evaluate(call, [text, threshold, image["box"]]) == pytest.approx(ours, abs=1e-6)
        value = box.locator(".value")
        seen = {value.inner_text()}
        for _ in range(4):
            slide(box, "Threshold", 10)
            seen.add(value.inner_text())
        assert len(seen) > 1
        for image, option in zip(held["images"], box.get_by_label("Network and trigger").locator("option").all(), strict=True):
            box.get_by_label("Network and trigger").select_option(option.inner_text())
            assert box.get_by_label("Method").locator("option").all_inner_texts() == list(image["maps"])
            assert f"says {image['target']} because" in box.get_by_role("status").inner_text()

    def test_laws_are_those_of_the_chapter(self, at):
        page, box = at("scaling")
        constants = claims.results(claims.DATA, "14")["frontier"]["constants"]
        points = shown(page, "scaling-data")["points"]
        for law, call in (("saturating", "saturating"), ("pure power law", "pure")):
            found = page.evaluate(f"p => seelikeExplore.scaling.{call}(p)", points)
            for name, tolerance in (("b", 0.003), ("c", 0.002)):
                assert found[name] == pytest.approx(constants[law][name][0], abs=tolerance), (law, name)
        told = box.get_by_role("status")
        slide(box, "Points that the laws may see", 40)
        assert "Nothing is hidden" in told.inner_text() and box.locator("circle.hidden").count() == 0
        slide(box, "Points that the laws may see", -10)
        assert "Of the 10 hidden" in told.inner_text() and box.locator("circle.hidden").count() == 10
        slide(box, "Floor", 40)
        assert "above a floor of 0.15" in told.inner_text()
        assert min(y for _, y in points) > 0.15  # so that no floor lies above an error
