// One position of an image: the attention of every head, the patches that it resembles, the pixels that it depends on.
{
  const { html, svg, select, slider, load, data, make, ink, scale, unpacked } = seelikeExplore;
  const N = 8, SIDE = 160; // cells and pixels a side of a picture
  const two = (value) => value.toFixed(2).replace("-", "−").replace("−0.00", "0.00");
  const percent = (value) => `${Math.round(100 * value)}\u00a0%`;
  const sum = (values) => values.reduce((a, b) => a + b, 0);

  make.tokens = async (stage) => {
    await load("tokens-data");
    const { settings, networks, images } = data["tokens-data"];
    const at = { image: 0, network: 0, block: 0, row: 3, column: 3, token: false };
    const held = {}; // by image and network: attention of every block
    let known = [];
    const own = () => networks[at.network];

    const image = select("Image", images.map((i) => i.class), (i) => change({ image: i }));
    const network = select("Network", networks.map((n) => n.label), (i) => change({ network: i }));
    const block = slider("Block", own().blocks.map((_, i) => i), 0, (i) => change({ block: i }), (i) => `${i + 1} of ${own().blocks.length}`);
    const token = html("button", { type: "button", class: "explore-button", "aria-pressed": "false", onclick: () => change({ token: !at.token }) }, "Ask the class token");
    const source = html("canvas", { width: SIDE, height: SIDE });
    const ring = svg("svg", { viewBox: `0 0 ${N} ${N}`, "aria-hidden": "true" });
    const pad = html("div", { class: "tokens-pad", tabindex: 0, role: "application", "aria-roledescription": "image with a grid",
      "aria-label": "Image, cut into 8 by 8 patches. Arrow keys move the position." }, source, ring);
    const told = html("p", { class: "tokens-told", role: "status" });
    const panels = html("div", { class: "tokens-panels" });
    const key = html("p", { class: "explore-scale", "aria-hidden": "true" }, "0", scale(), "largest of each picture");
    const about = html("p", { class: "explore-note" }, `${settings.provenance}. Similarities over ${settings.alike} images, fields over ${settings.fields}; attention of this image alone.`);
    stage.append(html("div", { class: "explore-controls" }, image.field, network.field, block.field, token),
      html("div", { class: "tokens" }, html("div", {}, pad, told, key), panels), about);

    const decoded = async () => {
      await load(`tokens-${at.network}`);
      if (!own().heads) return [];
      const name = `tokens-${at.image}-${at.network}`;
      await load(name);
      return held[name] ??= data[name].map(unpacked);
    };
    // Root shares of a square map, painted as squares.
    const paint = (canvas, values, side) => {
      const pen = canvas.getContext("2d"), top = Math.max(...values, 1e-9), size = SIDE / side;
      values.forEach((value, i) => {
        pen.fillStyle = `rgb(${ink(Math.max(value, 0) / top)})`;
        pen.fillRect(Math.round((i % side) * size), Math.round(Math.floor(i / side) * size), Math.ceil(size), Math.ceil(size));
      });
    };
    const frame = (marked, side) => {
      const cell = N / side, [row, column] = [Math.floor((at.row * side) / N), Math.floor((at.column * side) / N)];
      const box = (cls, out) => svg("rect", { class: cls, x: column * cell - out, y: row * cell - out, width: cell + 2 * out, height: cell + 2 * out });
      return marked ? [box("around", 0.1), box("within", 0.02)] : [];
    };
    const panel = (title, values, side, words, marked = true) => {
      const canvas = html("canvas", { width: SIDE, height: SIDE }), over = svg("svg", { viewBox: `0 0 ${N} ${N}`, "aria-hidden": "true" }, ...frame(marked, side));
      if (values) paint(canvas, values, side);
      const place = html("div", { class: "tokens-picture" }, canvas, over);
      if (values) place.addEventListener("pointerdown", (event) => point(event, place));
      else place.classList.add("none");
      return html("div", { class: "tokens-panel" }, html("b", {}, title), place, html("span", {}, words));
    };

    const head = (weights, tokens, h) => {
      const prefix = tokens - N * N, query = at.token ? 0 : prefix + at.row * N + at.column, start = (h * tokens + query) * tokens;
      const row = Array.from(weights.subarray(start, start + tokens), (v) => v * v), whole = sum(row), patches = row.slice(prefix).map((v) => v / whole);
      const share = 1 - sum(patches), inside = patches.map((v) => v / (1 - share || 1));
      const far = sum(inside.map((v, i) => v * Math.hypot(Math.floor(i / N) - at.row, (i % N) - at.column)));
      const spread = Math.exp(-sum(inside.map((v) => (v > 0 ? v * Math.log(v) : 0))));
      const words = [at.token ? "" : `${far.toFixed(1)} patches away`, `as if over ${Math.round(spread)} of ${N * N}`, prefix ? `class token ${percent(share)}` : ""];
      return panel(`Head ${h + 1}`, patches, N, words.filter(Boolean).join(", "), !at.token);
    };
    const line = (text, side, width) => {
      const at_ = Math.floor((at.row * side) / N) * side + Math.floor((at.column * side) / N), values = unpacked(text);
      return [Array.from(values.subarray(at_ * width, (at_ + 1) * width)), at_];
    };
    const draw = () => {
      const net = { ...own(), ...data[`tokens-${at.network}`] }, side = net.sides[at.block], drawn = [];
      const tokens = N * N + (net.token ? 1 : 0);
      for (let h = 0; h < net.heads; h += 1) drawn.push(head(known[at.block], tokens, h));
      if (at.token) {
        drawn.push(panel("Resembles", null, N, "the class token has no place", false));
      } else {
        if (net.similar[at.block]) {
          const [values, mine] = line(net.similar[at.block], side, side * side), rank = 1 + values.filter((v) => v > values[mine]).length;
          drawn.push(panel("Resembles", values, side, `CKA with its own patch ${two(values[mine])}, rank ${rank} of ${values.length}`));
        } else drawn.push(panel("Resembles", null, N, `not asked: ${side} × ${side} positions are too many pairs`, false));
        const coarse = Math.min(side, N), [roots] = line(net.field[at.block], coarse, N * N), shares = roots.map((v) => v * v);
        const whole = sum(shares), cell = N / coarse;
        const mine = sum(shares.filter((_, i) => Math.floor(Math.floor(i / N) / cell) === Math.floor(at.row / cell) && Math.floor((i % N) / cell) === Math.floor(at.column / cell)));
        drawn.push(panel("Depends on", roots, N, `${percent(mine / whole)} of its field in its own patch`));
      }
      panels.replaceChildren(...drawn);
      ring.replaceChildren(...frame(!at.token, N));
      token.hidden = !net.token;
      token.setAttribute("aria-pressed", String(at.token));
      const what = at.token ? "The class token" : `Row ${at.row + 1}, column ${at.column + 1}`;
      const patches = [...panels.children].map((p) => `${p.querySelector("b").textContent}: ${p.querySelector("span").textContent}`).join(". ");
      told.replaceChildren(`${what}, after block ${at.block + 1} of the ${net.label}.${net.heads ? "" : " A ResNet has no heads."}`, html("span", { class: "away" }, ` ${patches}.`));
    };
    const change = async (what) => {
      const before = { ...at };
      Object.assign(at, what);
      if (!own().token) at.token = false;
      if (before.image !== at.image || what.first) {
        const picture = new Image();
        picture.onload = () => Object.assign(source.getContext("2d"), { imageSmoothingEnabled: false }).drawImage(picture, 0, 0, SIDE, SIDE);
        picture.src = `data:image/png;base64,${images[at.image].png}`;
      }
      const wanted = [at.image, at.network], found = await decoded();
      if (wanted[0] !== at.image || wanted[1] !== at.network) return; // chosen anew while this was loading
      known = found;
      block.set(at.block);
      draw();
    };
    const point = (event, place) => {
      const box = place.getBoundingClientRect(), cell = (v, size) => Math.min(Math.max(Math.floor((v / size) * N), 0), N - 1);
      change({ row: cell(event.clientY - box.top, box.height), column: cell(event.clientX - box.left, box.width), token: false });
    };
    pad.addEventListener("pointerdown", (event) => point(event, pad));
    pad.addEventListener("keydown", (event) => {
      const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [0, 0];
      if (!(down || right) || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      const within = (v) => Math.min(Math.max(v, 0), N - 1);
      change({ row: within(at.row + down), column: within(at.column + right), token: false });
    });
    await change({ first: true });
  };
}
