"use strict";

/* The chart of trade-offs with the axes that the reader chooses; as wa_bench/leaderboard/pages/pareto.py draws it. */
(() => {
  const data = WaBench.data("pareto-data");
  const { width, height, left, right, top, bottom } = data.size;
  const DOT = 7;
  const chart = document.querySelector("svg.pareto");
  const figure = chart.closest("figure");
  const by = (id) => document.getElementById(id);
  const defaults = { cost: by("cost").options[0].value, metric: data.metrics[0].name, exam: data.exams[0] };
  const state = WaBench.state(defaults);

  function drawn(name, attributes, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function prefixed(value, unit) {
    const sizes = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"]];
    const [size, prefix] = sizes.find(([each]) => value >= each) ?? [1, ""];
    return `${Number((value / size).toPrecision(3))} ${prefix}${unit}`.trim();
  }

  function front(points, metric) {
    const turn = metric.better === "higher" ? -1 : 1;
    const found = new Set();
    let last = [NaN, Infinity];
    for (const point of [...points].sort((a, b) => a.cost - b.cost || turn * (a.value - b.value))) {
      const badness = turn * point.value;
      if (badness < last[1] || (badness === last[1] && point.cost === last[0])) {
        found.add(point);
        last = [point.cost, badness];
      }
    }
    return found;
  }

  function label(name, x, y, taken) {
    const words = name.length <= 28 ? name : `${name.slice(0, 27)}…`;
    const long = 7.4 * words.length;
    const start = Math.min(x + 8, width - right - long);
    for (const line of [y - 9, y + 18, y - 24, y + 33]) {
      const free = taken.every(([from, to, at]) => line + 12 < at || at + 12 < line || start > to || start + long < from);
      if (free && line >= top && line <= height - bottom - 4) {
        taken.push([start, start + long, line]);
        return drawn("text", { class: "label", x: start.toFixed(1), y: line.toFixed(1) }, words);
      }
    }
    return null;
  }

  function draw() {
    WaBench.keep(state, defaults);
    const which = data.costs.findIndex((cost) => cost.field === state.cost);
    const cost = data.costs[which];
    const place = data.metrics.findIndex((metric) => metric.name === state.metric);
    const metric = data.metrics[place];
    const exam = data.exams.indexOf(state.exam);
    const points = data.entries
      .map((entry) => ({ entry, cost: entry.costs[which], value: entry.scores[exam][place][0], bar: entry.scores[exam][place][1] }))
      .filter((point) => point.cost !== null && point.bar !== null);
    const positive = points.map((point) => point.cost).filter((each) => each > 0);
    const first = Math.floor(Math.log10(Math.min(...(positive.length ? positive : [1]))));
    const last = Math.max(Math.ceil(Math.log10(Math.max(...(positive.length ? positive : [1])))), first + 1);
    const across = (value) => left + Math.max(value > 0 ? (Math.log10(value) - first) / (last - first) : 0, 0) * (width - left - right);
    const up = (at) => {
      const share = Math.min(Math.max(at, 0), 100) / 100;
      return height - bottom - (metric.better === "lower" ? 1 - share : share) * (height - top - bottom);
    };
    for (const point of points) Object.assign(point, { x: across(point.cost), y: up(point.bar[0]) });
    const leading = front(points.filter((point) => point.entry.ranked), metric);

    const parts = [];
    for (let power = first; power <= last; power += 1) {
      const x = across(10 ** power).toFixed(1);
      parts.push(drawn("path", { class: "grid-line", d: `M${x} ${top}V${height - bottom}` }));
      parts.push(drawn("text", { x, y: height - bottom + 17, "text-anchor": "middle" }, prefixed(10 ** power, cost.unit)));
    }
    for (const [at, words] of metric.marks[exam]) {
      const y = up(at);
      parts.push(drawn("path", { class: "grid-line", d: `M${left} ${y.toFixed(1)}H${width - right}` }));
      parts.push(drawn("text", { x: left - 8, y: (y + 4).toFixed(1), "text-anchor": "end" }, words));
    }
    parts.push(drawn("text", { class: "name", x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle" }, `${cost.title}, logarithmic`));
    parts.push(
      drawn("text", { class: "name", transform: `translate(13 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, `${metric.title}, mean over the targets`),
    );
    const corners = [...leading].map((point) => [point.x, point.y]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    if (corners.length) {
      const steps = corners.slice(1).map(([x, y]) => `H${x.toFixed(1)}V${y.toFixed(1)}`).join("");
      parts.push(drawn("path", { class: "front", d: `M${corners[0][0].toFixed(1)} ${corners[0][1].toFixed(1)}${steps}H${width - right}` }));
    }
    const labels = [];
    const taken = points.map(({ x, y }) => [x - DOT, x + DOT, y + 4]);
    for (const point of [...points].sort((a, b) => leading.has(a) - leading.has(b) || a.cost - b.cost)) {
      const { x, y } = point;
      const words = `${point.entry.name}: ${metric.title} ${WaBench.number(point.value)}, ${prefixed(point.cost, cost.unit)}`;
      const circle = { cx: x.toFixed(1), cy: y.toFixed(1), r: leading.has(point) ? 6 : 4.5 };
      if (point.bar[0] < 0 || point.bar[0] > 100) circle.class = "off";
      parts.push(
        drawn(
          "a",
          { class: `point${leading.has(point) ? " on-front" : ""}${point.entry.ranked ? "" : " unranked"}`, href: `submissions/${point.entry.slug}.html`, "aria-label": words },
          drawn("title", {}, words),
          drawn("path", { class: "whisker", d: `M${x.toFixed(1)} ${up(point.bar[1]).toFixed(1)}V${up(point.bar[2]).toFixed(1)}` }),
          drawn("circle", circle),
        ),
      );
      if (leading.has(point)) labels.push(label(point.entry.name, x, y, taken));
    }
    chart.replaceChildren(...parts, ...labels.filter(Boolean));
    chart.setAttribute("aria-label", `${metric.title} against ${cost.title.toLowerCase()}`);
    const caption = figure.querySelector("figcaption");
    caption.replaceChildren(Object.assign(document.createElement("strong"), { textContent: `${metric.title} against ${cost.title.toLowerCase()}` }), ` on ${state.exam}; ${metric.better} is better.`);
    by("chart-words").textContent = `${points.length} submissions tell it; ${leading.size} on the front${leading.size && leading.size < 7 ? `: ${[...leading].map((point) => point.entry.name).join(", ")}` : ""}.`;
  }

  for (const name of ["cost", "metric", "exam"]) {
    by(name).value = state[name];
    if (by(name).selectedIndex < 0) by(name).value = state[name] = defaults[name];
    by(name).addEventListener("change", () => {
      state[name] = by(name).value;
      draw();
    });
  }
  draw();
})();
