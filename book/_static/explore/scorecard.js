// The scorecard's filter, and a threshold for effects in half widths of their intervals.
{
  const { html, svg, select, slider, fitted, load, data, make } = seelikeExplore;
  const [ID, SHORT, STATEMENT, PAPER, TIER, WORD, NUMBER, SPAN] = [0, 1, 2, 3, 4, 5, 6, 7];
  const END = 6; // of the axis, on both sides

  make.scorecard = async (stage) => {
    await load("scorecard-data");
    const { symbols, tiers, papers, rows, anchors } = data["scorecard-data"];
    const asked = [...new Set(rows.map((r) => r[WORD]))].sort((a, b) => Object.keys(symbols).indexOf(a) - Object.keys(symbols).indexOf(b));
    const at = { paper: 0, word: 0, tier: 1, text: "", least: null };
    const change = (key) => (value) => { at[key] = value; show(); };
    const paper = select("Paper", ["all", ...papers], change("paper"));
    const word = select("Answer", ["all", ...asked.map((w) => `${symbols[w]} ${w}`)], change("word"));
    const tier = select("Tier", ["all", ...tiers], change("tier"));
    tier.control.selectedIndex = at.tier;
    const text = html("input", { type: "search", placeholder: "R21-1, tokens, …", oninput: () => change("text")(text.value.trim().toLowerCase()) });
    const least = slider("An effect counts from", [null, 0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5], 0, change("least"), (v) =>
      v === null ? "any size" : v === 0 ? "just beyond the null" : `${v} half width${v === 1 ? "" : "s"} beyond`);
    const told = html("p", { class: "scorecard-told", role: "status" });
    const axis = svg("svg", { "aria-hidden": "true", class: "scorecard-axis" });
    const list = html("ul", { class: "scorecard-list" });
    const scroll = html("div", { class: "scorecard-scroll", tabindex: 0, role: "group", "aria-label": "Claims that were chosen" }, list);
    const key = html("p", { class: "explore-note" }, "Blue: wholly on the claimed side. Orange, broken: wholly on the other. Grey, thin: too small to count, or open. "
      + "Of a claim with several parts, the bar shows the one that lies furthest to the other side. A triangle stands for a bar beyond the axis, with the distance of its estimate. Numbers without a verdict have no bar and never count.");
    const search = seelikeExplore.field("Search", text);
    stage.append(html("div", { class: "explore-controls" }, paper.field, word.field, tier.field, search), html("div", { class: "explore-controls wide" }, least.field),
      told, html("div", { class: "scorecard-head", "aria-hidden": "true" }, html("span"), axis), scroll, key);

    const side = (span) => {
      if (!span || at.least === null) return span && span[0] > 0 ? "holds" : span && span[2] < 0 ? "reversed" : "";
      return span[0] > 0 && span[0] >= at.least ? "holds" : span[2] < 0 && -span[2] >= at.least ? "reversed" : "";
    };
    const lit = (row) => row[SPAN] !== null && (at.least === null || side(row[SPAN]) !== "");
    const chosen = () => {
      const exact = rows.some((r) => r[ID].toLowerCase() === at.text);
      return rows.filter((r) => (at.paper === 0 || r[PAPER] === papers[at.paper - 1]) && (at.word === 0 || r[WORD] === asked[at.word - 1])
        && (at.tier === 0 || r[TIER] === at.tier - 1)
        && (exact ? r[ID].toLowerCase() === at.text : [r[ID], r[SHORT], r[STATEMENT], r[PAPER], r[WORD]].join(" ").toLowerCase().includes(at.text)));
    };

    let width = 0;
    const x = (v) => 9 + ((Math.min(Math.max(v, -END), END) + END) / (2 * END)) * (width - 18);
    const shade = (height) => (at.least ? [svg("rect", { class: "shade", x: x(-at.least), width: x(at.least) - x(-at.least), y: 0, height })] : []);
    const strip = (row) => {
      const span = row[SPAN], drawn = svg("svg", { "aria-hidden": "true", viewBox: `0 0 ${width} 22`, width, height: 22 }, ...shade(22));
      drawn.append(svg("line", { class: "truth", x1: x(0), x2: x(0), y1: 0, y2: 22 }));
      if (!span) {
        drawn.append(svg("text", { class: "no-bar", x: x(0) + 7, y: 15 }, "no verdict"));
        return drawn;
      }
      const [low, middle, high] = span, kind = `bar ${lit(row) ? side(span) : "small"}`;
      if (low > END || high < -END) {
        const end = low > END ? 1 : -1, tip = x(end * END);
        drawn.append(svg("path", { class: `${kind} tip`, d: `M${tip + end * 6} 11l${-end * 9} -5v10z` }));
        drawn.append(svg("text", { class: "off-axis", x: tip - end * 8, y: 15, "text-anchor": end > 0 ? "end" : "start" }, Math.round(Math.abs(middle))));
      } else {
        drawn.append(svg("line", { class: kind, x1: x(low), x2: x(high), y1: 11, y2: 11 }), svg("circle", { class: kind, cx: x(middle), cy: 11, r: 4 }));
      }
      return drawn;
    };
    const entry = (row) => {
      const on = lit(row), verdict = row[SPAN] === null ? "no verdict" : on ? "" : "too small to count";
      const link = html("a", { href: `#${anchors}${row[ID].toLowerCase()}`, title: row[STATEMENT], onclick: () => {
        const fold = document.getElementById(`${anchors}${row[ID].toLowerCase()}`);
        if (fold) fold.open = true;
      } }, `${row[ID]} ${row[SHORT]}`);
      const tile = html("span", { class: `tile ${row[WORD].replaceAll(" ", "-")}`, title: row[WORD] }, html("span", { "aria-hidden": "true" }, symbols[row[WORD]]), html("span", { class: "away" }, row[WORD]));
      const where = at.tier === 0 ? `${tiers[row[TIER]]}: ` : "";
      return html("li", { class: on ? "lit" : "dim" }, tile, html("span", { class: "claim-name" }, link, html("small", {}, `${where}${row[NUMBER]}`), html("span", { class: "away" }, verdict)), strip(row));
    };
    const show = () => {
      const found = chosen(), on = found.filter(lit);
      const beyond = on.filter((r) => side(r[SPAN]) === "holds").length, against = on.filter((r) => side(r[SPAN]) === "reversed").length;
      told.textContent = at.least === null
        ? `${found.length} claims chosen; ${on.length} of them have a verdict.`
        : `${on.length} of ${found.length} claims count: ${beyond} on the claimed side, ${against} on the other.`;
      if (!width) return;
      axis.setAttribute("viewBox", `0 0 ${width} 36`);
      Object.entries({ width, height: 36 }).forEach(([k, v]) => axis.setAttribute(k, v));
      const label = (px, words, anchor, y = 12) => svg("text", { class: "tick", x: px, y, "text-anchor": anchor }, words);
      axis.replaceChildren(label(4, "← reversed", "start"), label(width - 4, "as claimed →", "end"),
        ...[-4, -2, 0, 2, 4].map((v) => label(x(v), v ? String(v).replace("-", "−") : "null", "middle", 30)));
      list.replaceChildren(...found.map(entry));
    };
    fitted(list, (whole) => { width = whole < 560 ? whole - 12 : Math.min(Math.round(whole * 0.42), 330); show(); });
    show();
  };
}
