// Estimates of the CKA of two independent random representations. The arithmetic is that of seelike.cka, in float64.
{
  const { html, svg, slider, fitted, make } = seelikeExplore;

  // Inner products of the rows (n x p, one after the other), after subtracting the first row unless they are wanted as they are.
  const gram = (x, n, p, raw = false) => {
    const k = new Float64Array(n * n), from = x.slice();
    if (!raw) for (let i = 0; i < n; i++) for (let c = 0; c < p; c++) from[i * p + c] -= x[c];
    for (let i = 0; i < n; i++) {
      for (let j = i; j < n; j++) {
        let sum = 0;
        for (let c = 0, a = i * p, b = j * p; c < p; c++) sum += from[a + c] * from[b + c];
        k[i * n + j] = k[j * n + i] = sum;
      }
    }
    return k;
  };
  // Gram matrices whose inner products are proportional to HSIC: U-centred, or centred twice.
  const centre = (given, n, unbiased) => {
    const k = given.slice(), rows = new Float64Array(n);
    if (unbiased) for (let i = 0; i < n; i++) k[i * n + i] = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) rows[i] += k[i * n + j];
    const whole = rows.reduce((a, b) => a + b, 0);
    const [by, all] = unbiased ? [n - 2, (n - 1) * (n - 2)] : [n, n * n];
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) k[i * n + j] += whole / all - (rows[i] + rows[j]) / by;
    if (unbiased) for (let i = 0; i < n; i++) k[i * n + i] = 0;
    return k;
  };
  const dot = (a, b) => { let sum = 0; for (let i = 0; i < a.length; i++) sum += a[i] * b[i]; return sum; };
  const ratio = (kl, kk, ll) => (kk > 0 && ll > 0 ? kl / Math.sqrt(kk * ll) : NaN);
  // CKA from two Gram matrices of n examples, cut into batches: HSIC is summed over batches, the ratio taken last.
  const fromGrams = (k, l, n, unbiased, batch = n) => {
    const sums = [0, 0, 0];
    for (let start = 0; start + batch <= n; start += batch) {
      const [a, b] = [k, l].map((m) => {
        const part = new Float64Array(batch * batch);
        for (let i = 0; i < batch; i++) part.set(m.subarray((start + i) * n + start, (start + i) * n + start + batch), i * batch);
        return centre(part, batch, unbiased);
      });
      sums[0] += dot(a, b); sums[1] += dot(a, a); sums[2] += dot(b, b);
    }
    return ratio(...sums);
  };
  const cka = (x, y, n, p, q, { unbiased = true, batch = n } = {}) => fromGrams(gram(x, n, p), gram(y, n, q), n, unbiased, batch);
  // What remains of the unbiased estimate when nobody centres.
  const uncentred = (x, y, n, p, q) => {
    const [k, l] = [gram(x, n, p, true), gram(y, n, q, true)];
    for (let i = 0; i < n; i++) k[i * n + i] = l[i * n + i] = 0;
    return ratio(dot(k, l), dot(k, k), dot(l, l));
  };

  // Numbers from a seed (mulberry32), and normal ones from them (Box and Muller).
  const generator = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const normal = (random, count, mean) =>
    Float64Array.from({ length: count }, () => mean + Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));
  seelikeExplore.estimator = { cka, generator, normal };

  const DRAWS = 40, LOW = -0.5, HIGH = 1;
  const ROWS = [
    ["biased", "biased", "all images at once"],
    ["biased", "biased", "minibatches"],
    ["unbiased", "unbiased", "all images at once"],
    ["unbiased", "unbiased", "minibatches"],
    ["clamped", "unbiased, clamped at 0", "all images at once"],
    ["uncentred", "not centred", "mean left in, no diagonal"],
  ];
  const estimates = (random, { n, p, batch, mean }) => {
    const [x, y] = [normal(random, n * p, mean), normal(random, n * p, mean)];
    const [k, l] = [gram(x, n, p), gram(y, n, p)];
    const best = fromGrams(k, l, n, true);
    return [
      fromGrams(k, l, n, false), fromGrams(k, l, n, false, batch), best, fromGrams(k, l, n, true, batch),
      Math.max(best, 0), uncentred(x, y, n, p, p),
    ];
  };
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const two = (value) => value.toFixed(2).replace("-", "−").replace("−0.00", "0.00");

  make.estimator = (stage) => {
    const sizes = [8, 16, 32, 64, 128, 256], batches = [4, 8, 16, 32, 64, 128, 256], features = [4, 8, 16, 32, 64, 128, 256, 512];
    const at = { n: 32, p: 64, batch: 8, mean: 0 };
    let seed = 1, found = ROWS.map(() => []), run = 0;
    const change = (key) => (value) => {
      at[key] = value;
      if (at.batch > at.n) {
        at.batch = key === "batch" ? at.batch : at.n;
        at.n = at.batch;
        n.set(sizes.indexOf(at.n));
        batch.set(batches.indexOf(at.batch));
      }
      start();
    };
    const n = slider("Images", sizes, 2, change("n"));
    const p = slider("Features", features, 4, change("p"));
    const batch = slider("Batch size", batches, 1, change("batch"));
    const offset = slider("Mean / spread", [0, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 2, 5, 10, 100, 1000], 0, change("mean"), (v) => v.toLocaleString("en"));
    const again = html("button", { type: "button", class: "explore-button", onclick: () => { seed += 1; start(); } }, "Draw again");
    const picture = svg("svg", { role: "img", "aria-label": "Estimates of a CKA of 0, one row an estimator, one dot a draw; a sentence below gives their means." });
    const plot = html("div", { class: "estimator-plot" }, picture);
    const told = html("p", { class: "away", role: "status" }), count = html("p", { class: "explore-note" });
    stage.append(html("div", { class: "explore-controls" }, n.field, p.field, batch.field, offset.field, again), plot, count, told);

    const draw = () => {
      const width = plot.clientWidth;
      if (!width) return;
      const narrow = width < 560, left = narrow ? 8 : 190, right = 58, step = narrow ? 52 : 40, top = 22, height = top + ROWS.length * step + 30;
      const x = (value) => left + 6 + ((Math.min(Math.max(value, LOW), HIGH) - LOW) / (HIGH - LOW)) * (width - left - right - 12);
      const text = (cls, px, py, words, anchor = "start") => svg("text", { class: cls, x: px, y: py, "text-anchor": anchor }, words);
      picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
      picture.replaceChildren(
        ...[-0.5, 0, 0.5, 1].flatMap((v) => [
          svg("line", { class: v ? "rule" : "truth", x1: x(v), x2: x(v), y1: top - 4, y2: height - 28 }),
          text("tick", x(v), height - 12, String(v).replace("-", "−"), "middle"),
        ]),
        text("truth-name", x(0), 12, "the truth", "middle"),
        text("tick", width - 2, 12, "mean", "end"),
        ...ROWS.flatMap(([kind, name, how], i) => {
          const y = top + (i + 0.5) * step + (narrow ? 8 : 0), values = found[i].filter(Number.isFinite);
          const dots = found[i].map((value, k) => [value, k]).filter(([value]) => Number.isFinite(value)).map(([value, k]) => {
            const spot = { class: `draw ${kind}`, cx: x(value), cy: y + (((k * 7) % 11) - 5) * 1.3, r: 3.2 };
            return value < LOW || value > HIGH
              ? svg("path", { class: `draw ${kind}`, d: `M${spot.cx} ${spot.cy - 4}l${value > HIGH ? 6 : -6} 4l${value > HIGH ? -6 : 6} 4z` })
              : svg("circle", spot);
          });
          const names = narrow
            ? [svg("text", { class: "name", x: left, y: y - 17 }, name, svg("tspan", { class: "tick", dx: 6 }, how))]
            : [text("name", left - 12, y - 1, name, "end"), text("tick", left - 12, y + 13, how, "end")];
          const middle = values.length ? [svg("line", { class: "mean", x1: x(mean(values)), x2: x(mean(values)), y1: y - 12, y2: y + 12 })] : [];
          const number = values.length ? two(mean(values)) : found[i].length ? "none" : "";
          return [...names, ...dots, ...middle, text("number", width - 2, y + 5, number, "end")];
        }),
      );
    };
    const tell = () => {
      const lost = found.flat().filter((value) => !Number.isFinite(value)).length;
      const means = ROWS.map(([, name, how], i) => {
        const values = found[i].filter(Number.isFinite);
        return `${name} (${how}) ${values.length ? two(mean(values)) : "no number"}`;
      });
      told.textContent = `Means of ${DRAWS} draws, where the truth is 0: ${means.join("; ")}.`;
      count.textContent = `${DRAWS} draws a row, from seed ${seed}. Upright lines: their mean.`
        + (lost ? ` ${lost} estimates are no number: the HSIC of a representation with itself came out negative.` : "");
    };
    const start = () => {
      const mine = (run += 1), random = generator(seed), setting = { ...at };
      found = ROWS.map(() => []);
      const go = () => {
        if (mine !== run) return;
        const until = performance.now() + 14;
        do estimates(random, setting).forEach((value, i) => found[i].push(value));
        while (found[0].length < DRAWS && performance.now() < until);
        draw();
        if (found[0].length < DRAWS) setTimeout(go);
        else tell();
      };
      go();
    };
    fitted(plot, draw);
    start();
  };
}
