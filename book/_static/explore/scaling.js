// Two laws, fitted to the points that are not hidden, and what they foretell of the others.
{
  const { html, svg, slider, fitted, load, data, make } = seelikeExplore;
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

  // Least squares of log(E) = log(a (C + d)^-b + c): in a and b for every floor c and ceiling d, then ever finer grids of these.
  // floor: null finds it. The line has neither.
  const law = ({ a, b, c, d }) => (compute) => a * (compute + d) ** -b + c;
  const off = (of, points) => Math.sqrt(mean(points.map(([x, y]) => Math.log(of(x) / y) ** 2)));
  const straight = (points, c, d) => {
    const xs = points.map(([x]) => Math.log(x + d)), ys = points.map(([, y]) => Math.log(y - c)), ws = points.map(([, y]) => ((y - c) / y) ** 2);
    const whole = ws.reduce((s, w) => s + w, 0), mx = xs.reduce((s, x, i) => s + ws[i] * x, 0) / whole, my = ys.reduce((s, y, i) => s + ws[i] * y, 0) / whole;
    const b = -xs.reduce((s, x, i) => s + ws[i] * (x - mx) * (ys[i] - my), 0) / xs.reduce((s, x, i) => s + ws[i] * (x - mx) ** 2, 0);
    return { a: Math.exp(my + b * mx), b, c, d };
  };
  const pure = (points) => straight(points, 0, 0);
  const saturating = (points, floor = null) => {
    const least = Math.min(...points.map(([, y]) => y)), first = Math.min(...points.map(([x]) => x));
    let best = null, [cs, ds] = [[0, floor ?? 0.98 * least], [Math.log(first) - 9, Math.log(first) + 5]];
    for (let round = 0; round < 7; round += 1) {
      for (let i = 0; i <= (floor === null ? 14 : 0); i += 1) {
        for (let j = 0; j <= 14; j += 1) {
          const [c, d] = [floor ?? cs[0] + ((cs[1] - cs[0]) * i) / 14, Math.exp(ds[0] + ((ds[1] - ds[0]) * j) / 14)];
          const fit = straight(points, c, d), loss = off(law(fit), points);
          if (!best || loss < best.loss) best = { ...fit, loss };
        }
      }
      const [wide, high] = [(cs[1] - cs[0]) / 6, (ds[1] - ds[0]) / 6];
      cs = [Math.max(best.c - wide, 0), Math.min(best.c + wide, 0.98 * least)];
      ds = [Math.log(best.d) - high, Math.log(best.d) + high];
    }
    return best;
  };
  seelikeExplore.scaling = { pure, saturating, law, off };

  make.scaling = async (stage) => {
    await load("scaling-data");
    const { points, provenance } = data["scaling-data"], least = 8; // points that a fit of four constants should have
    const lowest = Math.min(...points.map(([, y]) => y));
    const floors = [null, ...Array.from({ length: Math.ceil(100 * lowest) }, (_, i) => i / 100)]; // no floor lies above an error
    const at = { seen: points.length - 3, floor: null };
    const counts = Array.from({ length: points.length - least + 1 }, (_, i) => i + least);
    const seen = slider("Points that the laws may see", counts, counts.indexOf(at.seen), (value) => { at.seen = value; draw(); }, (v) => `${v} of ${points.length}`);
    const floor = slider("Floor", floors, 0, (value) => { at.floor = value; draw(); }, (v) => (v === null ? "fitted" : v.toFixed(2)));
    const picture = svg("svg", { role: "img", "aria-label": "Error against compute on logarithmic axes, with two fitted laws; the sentence below gives what they miss." });
    const place = html("div", { class: "scaling-plot" }, picture), told = html("p", { class: "scaling-told", role: "status" });
    stage.append(html("div", { class: "explore-controls" }, seen.field, floor.field), place, told,
      html("p", { class: "explore-note" }, `Filled: seen. Rings: hidden. ${provenance}. Fitted in your browser, without intervals; the figure above has them.`));

    const draw = () => {
      const width = place.clientWidth;
      if (!width) return;
      const known = points.slice(0, at.seen), hidden = points.slice(at.seen);
      const bent = saturating(known, at.floor), line = pure(known), laws = [["floor", law(bent)], ["line", law(line)]];
      const height = Math.min(Math.max(0.6 * width, 280), 380), left = 46, base = height - 42;
      const ends = [points[0][0] / 1.6, points.at(-1)[0] * 4], range = [0.09, 1];
      const across = (v) => left + (Math.log(v / ends[0]) / Math.log(ends[1] / ends[0])) * (width - left - 12);
      const up = (v) => base - (Math.log(v / range[0]) / Math.log(range[1] / range[0])) * (base - 26);
      const path = (of) => Array.from({ length: 81 }, (_, i) => ends[0] * (ends[1] / ends[0]) ** (i / 80))
        .map((x, i) => `${i ? "L" : "M"}${across(x).toFixed(1)} ${up(Math.min(Math.max(of(x), range[0]), range[1])).toFixed(1)}`).join("");
      const text = (attributes, words) => svg("text", { class: "tick", ...attributes }, words);
      const decades = Array.from({ length: 16 }, (_, i) => 10 ** (i + 2)).filter((v) => v > ends[0] && v < ends[1]);
      const raised = (power) => [...String(power)].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]).join("");
      picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
      picture.replaceChildren(
        ...[0.1, 0.2, 0.5, 1].flatMap((v) => [svg("line", { class: "rule", x1: left, x2: width - 12, y1: up(v), y2: up(v) }), text({ x: left - 6, y: up(v) + 4, "text-anchor": "end" }, String(v))]),
        ...decades.map((v) => text({ x: across(v), y: base + 16, "text-anchor": "middle" }, `10${raised(Math.round(Math.log10(v)))}`)),
        ...laws.map(([cls, of]) => svg("path", { class: cls, d: path(of) })),
        ...(bent.c > range[0] ? [svg("line", { class: "ground", x1: left, x2: width - 12, y1: up(bent.c), y2: up(bent.c) }), text({ x: left + 4, y: up(bent.c) - 5 }, `floor ${bent.c.toFixed(3)}`)] : []),
        ...points.map(([x, y], i) => svg("circle", { class: i < at.seen ? "seen" : "hidden", cx: across(x), cy: up(y), r: 4.5 })),
        text({ x: width - 12, y: height - 6, "text-anchor": "end" }, "compute (GFLOPs × images)"), text({ x: 4, y: 10 }, "ten-shot error"),
      );
      const miss = (of, which) => `${(100 * Math.expm1(off(of, which))).toFixed(1)} %`;
      const foretold = hidden.length
        ? `Of the ${hidden.length} hidden, the law with a floor misses by ${miss(laws[0][1], hidden)}, the straight line by ${miss(laws[1][1], hidden)}.`
        : "Nothing is hidden: a fit says nothing of what it has not seen.";
      told.replaceChildren(html("b", {}, foretold), ` On the points that they saw: ${miss(laws[0][1], known)} and ${miss(laws[1][1], known)}. Exponents: ${bent.b.toFixed(3)} above a floor of ${bent.c.toFixed(3)}, ${line.b.toFixed(3)} for the line.`);
    };
    fitted(place, draw);
  };
}
