// What a method marks, cut at a threshold, against the place that decided.
{
  const { html, svg, select, slider, fitted, load, data, make, ink, scale, unpacked } = seelikeExplore;
  const N = 64, LEVELS = Array.from({ length: 100 }, (_, i) => i / 100);
  const two = (value) => value.toFixed(2);

  // The rectangle around what lies above a threshold, and how much it shares with the trigger's.
  const marked = (map, threshold) => {
    let [top, left, bottom, right, count] = [N, N, 0, 0, 0];
    map.forEach((value, i) => {
      if (value <= threshold) return;
      const [row, column] = [Math.floor(i / N), i % N];
      [top, left, bottom, right] = [Math.min(top, row), Math.min(left, column), Math.max(bottom, row + 1), Math.max(right, column + 1)];
      count += 1;
    });
    return count ? { box: [top, left, bottom, right], count } : { box: null, count };
  };
  const area = ([top, left, bottom, right]) => Math.max(bottom - top, 0) * Math.max(right - left, 0);
  const overlap = (a, b) => {
    if (!a) return 0;
    const inner = area([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])]);
    return inner / (area(a) + area(b) - inner);
  };
  seelikeExplore.explanations = { marked, overlap };

  make.explanations = async (stage) => {
    await load("explanations-data");
    const { settings, images } = data["explanations-data"];
    const at = { image: 0, method: 0, threshold: 0.5 };
    let methods = [], map = [];
    const image = select("Network and trigger", images.map((i) => `${i.network}: ${i.title}`), (i) => choose({ image: i }));
    const method = select("Method", [], (i) => choose({ method: i }));
    const threshold = slider("Threshold", LEVELS, 50, (value) => { at.threshold = value; draw(); }, two);
    const canvases = [0, 1].map(() => html("canvas", { width: N, height: N }));
    const overs = [0, 1].map(() => svg("svg", { viewBox: `0 0 ${N} ${N}`, "aria-hidden": "true" }));
    const titles = ["Image with its trigger", "What the method sees"];
    const pictures = canvases.map((canvas, i) => html("div", { class: "explain-picture" }, html("b", {}, titles[i]), html("div", {}, canvas, overs[i])));
    const plot = svg("svg", { class: "explain-plot", role: "img", "aria-label": "Intersection over union of the two boxes at every cut; the sentence below gives its value." });
    const told = html("p", { class: "explain-told", role: "status" });
    const key = html("p", { class: "explore-scale", "aria-hidden": "true" }, "0", scale(), "1");
    const side = html("div", { class: "explain-side" }, plot, told);
    stage.append(html("div", { class: "explore-controls" }, image.field, method.field, threshold.field),
      html("div", { class: "explain" }, ...pictures, side), key,
      html("p", { class: "explore-note" }, `Solid: the trigger. Broken: the box around all that lies above the threshold. ${settings.provenance}.`));

    const box = (cls, b) => svg("rect", { class: cls, x: b[1], y: b[0], width: b[3] - b[1], height: b[2] - b[0] });
    const draw = () => {
      const shown = images[at.image], name = methods[at.method], found = marked(map, at.threshold), score = overlap(found.box, shown.box);
      const pixels = canvases[1].getContext("2d"), drawn = pixels.createImageData(N, N);
      map.forEach((value, i) => drawn.data.set([...ink(value), 255], 4 * i));
      pixels.putImageData(drawn, 0, 0);
      overs.forEach((over) => over.replaceChildren(box("halo", shown.box), box("trigger", shown.box), ...(found.box ? [box("halo", found.box), box("marked", found.box)] : [])));
      const curve = LEVELS.map((t) => overlap(marked(map, t).box, shown.box)), best = curve.indexOf(Math.max(...curve)), usual = settings.thresholds[name];
      const width = side.clientWidth || 300, height = 190, x = (t) => 34 + t * (width - 44), y = (v) => 26 + (1 - v) * (height - 64);
      const text = (attributes, words) => svg("text", { class: "tick", ...attributes }, words);
      plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
      plot.replaceChildren(
        ...[0, 0.5, 1].flatMap((v) => [svg("line", { class: "rule", x1: x(0), x2: x(1), y1: y(v), y2: y(v) }), text({ x: x(0) - 6, y: y(v) + 4, "text-anchor": "end" }, String(v))]),
        svg("line", { class: "usual", x1: x(usual), x2: x(usual), y1: y(0), y2: y(1) }),
        text({ x: x(usual) + (usual > 0.6 ? -4 : 4), y: y(1) + 10, "text-anchor": usual > 0.6 ? "end" : "start" }, "the study's"),
        svg("path", { class: "curve", d: curve.map((v, i) => `${i ? "L" : "M"}${x(LEVELS[i]).toFixed(1)} ${y(v).toFixed(1)}`).join("") }),
        svg("circle", { class: "dot", cx: x(at.threshold), cy: y(score), r: 5 }),
        text({ x: x(0), y: height - 22 }, "0"), text({ x: x(1), y: height - 22, "text-anchor": "end" }, "1"),
        text({ x: x(0.5), y: height - 6, "text-anchor": "middle" }, "threshold"), text({ x: 4, y: 10 }, "intersection over union"),
      );
      told.replaceChildren(html("b", { class: "value" }, two(score)), ` of the two boxes together is common to both. The network says ${shown.target} because of the trigger; without it, ${shown.before}. `
        + `${found.count} of ${N * N} pixels lie above ${two(at.threshold)}. The best threshold for this one picture would have been ${two(LEVELS[best])}, with ${two(curve[best])}.`);
    };
    const choose = (what) => {
      const name = methods[at.method];
      Object.assign(at, what);
      const shown = images[at.image];
      if ("image" in what) {
        methods = Object.keys(shown.maps);
        method.control.replaceChildren(...methods.map((m) => new Option(m)));
        at.method = Math.max(methods.indexOf(name), 0);
        method.control.selectedIndex = at.method;
        const picture = new Image();
        picture.onload = () => canvases[0].getContext("2d").drawImage(picture, 0, 0);
        picture.src = `data:image/png;base64,${shown.png}`;
      }
      map = unpacked(shown.maps[methods[at.method]]);
      at.threshold = Math.min(Math.round(100 * settings.thresholds[methods[at.method]]), 99) / 100;
      threshold.set(Math.round(100 * at.threshold));
      draw();
    };
    fitted(side, () => map.length && draw());
    choose({ image: 0 });
  };
}
