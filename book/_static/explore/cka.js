// Every recorded CKA map: a heat map to point at, and the marked row as a curve above it.
{
  const { html, svg, select, fitted, load, data, make, ink, scale } = seelikeExplore;
  const whole = (map) => map.symmetric
    ? map.values.map((_, i) => map.values.map((__, j) => (i <= j ? map.values[i][j - i] : map.values[j][i - j])))
    : map.values;
  const words = (value) => (value === null || value === undefined ? "not defined" : (value / 1000).toFixed(3).replace("-", "−"));

  make.cka = async (stage) => {
    await load("cka-index");
    const index = data["cka-index"];
    let held, map, values, control, row = 0, column = 0, place = null;

    const images = select("Images", index.map((t) => t.title), (i) => open(i));
    const networks = select("Networks", [], (i) => choose(i));
    const canvas = html("canvas");
    const picture = svg("svg", { "aria-hidden": "true" });
    const plot = html("div", { class: "cka-plot", tabindex: 0, role: "application", "aria-roledescription": "map of similarities" }, canvas, picture);
    const told = html("p", { class: "cka-told", role: "status" });
    const key = html("p", { class: "explore-scale", "aria-hidden": "true" }, "CKA 0", scale(), "1");
    const source = html("p", { class: "explore-note" });
    stage.append(html("div", { class: "cka" }, html("div", { class: "cka-side" }, images.field, networks.field, told, key), plot, source));

    const open = async (i) => {
      await load(index[i].file);
      if (images.control.selectedIndex !== i) return; // chosen anew while this was loading
      const before = networks.control.value;
      held = data[index[i].file];
      networks.control.replaceChildren(...held.maps.map((m) => new Option(m.label)));
      choose(Math.max(held.maps.findIndex((m) => m.label === before), 0));
    };
    const choose = (i) => {
      networks.control.selectedIndex = i;
      map = held.maps[i];
      values = whole(map);
      control = map.control === null ? null : whole(held.maps[map.control]);
      row = Math.min(row, values.length - 1);
      column = Math.min(column, values[0].length - 1);
      source.textContent = `${map.provenance}. One network of a kind, of the first seed; no interval was recorded for single cells.`;
      paint();
      draw();
    };
    const sides = () => [held.networks[map.rows], held.networks[map.columns]];
    const paint = () => {
      const rows = values.length, columns = values[0].length;
      Object.assign(canvas, { width: columns, height: rows });
      const pixels = canvas.getContext("2d"), drawn = pixels.createImageData(columns, rows);
      values.forEach((line, i) => line.forEach((value, j) => {
        drawn.data.set([...(value === null ? [128, 128, 128] : ink(value / 1000)), 255], 4 * ((rows - 1 - i) * columns + j));
      }));
      pixels.putImageData(drawn, 0, 0);
    };

    const draw = () => {
      const width = plot.clientWidth;
      if (!map || !width) return;
      const [own, other] = sides(), rows = values.length, columns = values[0].length;
      const left = 76, top = 118, wide = width - left - 8, high = wide;
      const x = (j) => left + ((j + 0.5) * wide) / columns, y = (i) => top + high - ((i + 0.5) * high) / rows;
      place = { left, top, wide, high, rows, columns };
      Object.assign(canvas.style, { left: `${left}px`, top: `${top}px`, width: `${wide}px`, height: `${high}px` });
      const height = top + high + 62, base = top - 16, tall = base - 14, least = Math.min(0, ...values.flat()) / 1000;
      const up = (value) => base - ((value / 1000 - least) / (1 - least)) * tall;
      const line = (of) => of.map((value, j) => (value === null ? "" : `${j && of[j - 1] !== null ? "L" : "M"}${x(j).toFixed(1)} ${up(value).toFixed(1)}`)).join("");
      const edge = (marks, size, span) => marks.filter(([at], k) => k === 0 || ((at - marks[k - 1][0]) * span) / size > 9);
      const text = (attributes, words_) => svg("text", attributes, words_);
      plot.style.height = `${height}px`;
      picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
      picture.replaceChildren(
        ...[0, 0.5, 1].flatMap((v) => [
          svg("line", { class: "rule", x1: left, x2: left + wide, y1: up(1000 * v), y2: up(1000 * v) }),
          text({ class: "tick", x: left - 6, y: up(1000 * v) + 4, "text-anchor": "end" }, String(v)),
        ]),
        svg("line", { class: "here", x1: x(column), x2: x(column), y1: 8, y2: top + high + 4 }),
        svg("line", { class: "here", x1: left - 4, x2: left + wide, y1: y(row), y2: y(row) }),
        ...(control ? [svg("path", { class: "control", d: line(control[row]) })] : []),
        svg("path", { class: "curve", d: line(values[row]) }),
        ...(values[row][column] === null ? [] : [svg("circle", { class: "dot", cx: x(column), cy: up(values[row][column]), r: 5 })]),
        svg("rect", { class: "cell out", x: x(column - 0.5) - 3, y: y(row + 0.5) - 3, width: wide / columns + 6, height: high / rows + 6 }),
        svg("rect", { class: "cell", x: x(column - 0.5) - 1.5, y: y(row + 0.5) - 1.5, width: wide / columns + 3, height: high / rows + 3 }),
        ...edge(other.marks, columns, wide).flatMap(([at, word]) => [
          svg("line", { class: "mark", x1: x(at - 0.5), x2: x(at - 0.5), y1: top + high, y2: top + high + 5 }),
          text({ class: "tick", x: x(at - 0.5) + 3, y: top + high + 14, transform: `rotate(35 ${x(at - 0.5)} ${top + high + 12})` }, word),
        ]),
        ...edge(own.marks, rows, high).flatMap(([at, word]) => [
          svg("line", { class: "mark", x1: left - 5, x2: left, y1: y(at - 0.5), y2: y(at - 0.5) }),
          text({ class: "tick", x: left - 8, y: y(at - 0.5) + 2, "text-anchor": "end" }, word),
        ]),
        text({ class: "name", x: left + wide, y: height - 6, "text-anchor": "end" }, `${other.label} →`),
        text({ class: "name", x: 12, y: top, transform: `rotate(-90 12 ${top})`, "text-anchor": "end" }, `${own.label} →`),
      );
      tell(own, other);
    };
    const layer = (network, at) => html("span", { class: "layer" }, html("b", {}, network.label), ` ${network.layers[at][1]} `, html("code", { "aria-hidden": "true" }, network.layers[at][0]));
    const tell = (own, other) => {
      const without = control ? [html("span", { class: "without" }, `without training: ${words(control[row][column])}`)] : [];
      told.replaceChildren(layer(own, row), html("span", { class: "versus" }, " with "), layer(other, column), html("span", { class: "value" }, ` ${words(values[row][column])} `), ...without);
      plot.setAttribute("aria-label", `CKA map: ${map.label}. Arrow keys move between layers, Page Up and Page Down between blocks or stages of the row, Home and End along it.`);
    };

    const move = (i, j) => {
      const [r, c] = [Math.min(Math.max(i, 0), values.length - 1), Math.min(Math.max(j, 0), values[0].length - 1)];
      if (r === row && c === column) return;
      [row, column] = [r, c];
      draw();
    };
    const point = (event) => {
      if (!place) return;
      const box = plot.getBoundingClientRect(), px = event.clientX - box.left - place.left, py = event.clientY - box.top - place.top;
      if (px < 0 || px >= place.wide || py >= place.high || py < -place.top) return;
      move(py < 0 ? row : place.rows - 1 - Math.floor((py / place.high) * place.rows), Math.floor((px / place.wide) * place.columns));
    };
    plot.addEventListener("pointermove", point);
    plot.addEventListener("pointerdown", point);
    plot.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || !map) return;
      const starts = [0, ...sides()[0].marks.map(([at]) => at)];
      const to = {
        ArrowUp: () => move(row + 1, column), ArrowDown: () => move(row - 1, column),
        ArrowLeft: () => move(row, column - 1), ArrowRight: () => move(row, column + 1),
        Home: () => move(row, 0), End: () => move(row, Infinity),
        PageUp: () => move(starts.find((at) => at > row) ?? Infinity, column),
        PageDown: () => move(starts.findLast((at) => at < row) ?? 0, column),
      }[event.key];
      if (to) { event.preventDefault(); to(); }
    });
    fitted(plot, draw);
    await open(0);
    move(Math.floor(values.length / 3), Math.floor((2 * values[0].length) / 3));
  };
}
