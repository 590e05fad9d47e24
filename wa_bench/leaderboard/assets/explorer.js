"use strict";

/* A sample of designs: filters, a scatter and a table of the same choice. */
(() => {
  const data = WaBench.data("explorer-data");
  const by = (id) => document.getElementById(id);
  const PER_PAGE = 50;
  const SERIES = 5;
  const MOST_GROUPS = 10;
  const filters = [...document.querySelectorAll("select[data-filter]")];
  const wordsOf = Object.fromEntries(data.words.map((column) => [column.name, column]));
  const labelOf = Object.fromEntries([...data.words, ...data.numbers].map((column) => [column.name, column.label]));
  const colours = new Set(["family", "split", ...data.words.map((column) => column.name)].filter((name) => name in wordsOf));
  const defaults = {
    ...Object.fromEntries(filters.map((select) => [select.dataset.filter, ""])),
    q: "",
    x: data.x,
    y: data.y,
    colour: [...colours][0] ?? "",
    sort: "",
    page: "1",
  };
  const state = WaBench.state(defaults);
  let chosen = [];
  let found = -1;
  let plot = null;

  const value = (column, row) => (column === "id" ? data.ids[row] : column in wordsOf ? (wordsOf[column].values[data.columns[column][row]] ?? null) : data.columns[column][row]);
  const shown = (number) => (number === null ? "–" : number.toLocaleString("en-US", { maximumSignificantDigits: 7 }));

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, each] of Object.entries(attributes)) made.setAttribute(key, each);
    made.append(...children);
    return made;
  }

  function choose() {
    const wanted = filters.filter((select) => state[select.dataset.filter]).map((select) => [data.columns[select.dataset.filter], wordsOf[select.dataset.filter].values.indexOf(state[select.dataset.filter])]);
    const text = state.q.trim().toLowerCase();
    chosen = data.ids.map((_, row) => row).filter((row) => wanted.every(([column, place]) => column[row] === place) && (!text || data.ids[row].toLowerCase().includes(text)));
    if (state.sort) {
      const turn = state.sort.startsWith("-") ? -1 : 1;
      const column = state.sort.replace("-", "");
      const keys = new Map(chosen.map((row) => [row, value(column, row)]));
      chosen.sort((a, b) => {
        const [one, two] = [keys.get(a), keys.get(b)];
        if (one === null || two === null) return (one === null) - (two === null) || a - b;
        return turn * (one > two ? 1 : one < two ? -1 : 0) || a - b;
      });
    }
  }

  function update() {
    choose();
    WaBench.keep(state, defaults);
    by("explorer-status").textContent = `${chosen.length.toLocaleString("en-US")} of ${data.ids.length.toLocaleString("en-US")} designs`;
    showTable();
    showScatter();
  }

  /* Table */
  function showTable() {
    const pages = Math.max(1, Math.ceil(chosen.length / PER_PAGE));
    const page = Math.min(Math.max(1, Number(state.page) || 1), pages);
    const rows = chosen.slice((page - 1) * PER_PAGE, page * PER_PAGE);
    by("designs").caption.textContent = rows.length ? `Designs ${(page - 1) * PER_PAGE + 1} to ${(page - 1) * PER_PAGE + rows.length} of ${chosen.length.toLocaleString("en-US")}` : "No design has all that is asked for";
    by("designs").tBodies[0].replaceChildren(
      ...rows.map((row) =>
        element(
          "tr",
          row === found ? { class: "found", id: "found" } : {},
          element("th", { scope: "row" }, data.ids[row]),
          ...data.words.map((column) => element("td", {}, value(column.name, row) ?? "")),
          ...data.numbers.map((column) => element("td", { class: "n" }, shown(value(column.name, row)))),
        ),
      ),
    );
    by("page-words").textContent = `Page ${page} of ${pages}`;
    by("earlier").disabled = page <= 1;
    by("later").disabled = page >= pages;
    for (const heading of document.querySelectorAll("#designs thead th")) {
      const column = heading.dataset.column;
      if (state.sort.replace("-", "") === column) heading.setAttribute("aria-sort", state.sort.startsWith("-") ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    }
  }

  /* Scatter: logarithms are taken here, so that zero has a place of its own at the left or the bottom. */
  function axis(column) {
    const values = data.columns[column].filter((each) => each !== null);
    const positive = values.filter((each) => each > 0);
    const low = positive.length ? Math.floor(Math.log10(positive.reduce((a, b) => Math.min(a, b)))) : 0;
    const high = Math.max(low + 1, positive.length ? Math.ceil(Math.log10(positive.reduce((a, b) => Math.max(a, b)))) : 1);
    const zero = values.some((each) => each <= 0) ? low - 0.6 : null;
    const decades = Array.from({ length: high - low + 1 }, (_, step) => low + step);
    return {
      range: [(zero ?? low) - 0.12, high + 0.08],
      splits: zero === null ? decades : [zero, ...decades],
      words: (place) => (place === zero ? "0" : short(10 ** Math.round(place))),
      at: (each) => (each > 0 ? Math.log10(each) : zero),
    };
  }

  function short(each) {
    const [size, letter] = [[1e9, "G"], [1e6, "M"], [1e3, "k"]].find(([limit]) => each >= limit) ?? [1, ""];
    return `${Number((each / size).toPrecision(2))}${letter}`;
  }

  /* Colour and shape, so that neither stands alone; the second five are hollow. */
  const SHAPES = [
    (path, x, y, r) => (path.moveTo(x + r, y), path.arc(x, y, r, 0, 2 * Math.PI)),
    (path, x, y, r) => path.rect(x - r, y - r, 2 * r, 2 * r),
    (path, x, y, r) => (path.moveTo(x, y - 1.25 * r), path.lineTo(x + 1.15 * r, y + r), path.lineTo(x - 1.15 * r, y + r), path.closePath()),
    (path, x, y, r) => (path.moveTo(x, y - 1.4 * r), path.lineTo(x + 1.4 * r, y), path.lineTo(x, y + 1.4 * r), path.lineTo(x - 1.4 * r, y), path.closePath()),
    (path, x, y, r) => (path.moveTo(x, y + 1.25 * r), path.lineTo(x + 1.15 * r, y - r), path.lineTo(x - 1.15 * r, y - r), path.closePath()),
  ];
  const MARKS = ["M8 4A4 4 0 1 1 0 4A4 4 0 1 1 8 4", "M.5 .5H7.5V7.5H.5z", "M4 0L8 7.5H0z", "M4 -.5L8.5 4L4 8.5L-.5 4z", "M4 8L8 .5H0z"];

  function groups() {
    const column = wordsOf[state.colour];
    if (!column) return [{ label: "designs", rows: chosen, series: 1, shape: 0, hollow: false }];
    const rows = column.values.map((_, place) => chosen.filter((row) => data.columns[column.name][row] === place));
    const order = column.values.map((_, place) => place);
    const own = order.slice(0, MOST_GROUPS);
    const made = own.map((place) => ({
      label: column.values[place],
      rows: rows[place],
      series: (place % SERIES) + 1,
      shape: place % SERIES,
      hollow: place >= SERIES,
    }));
    const rest = order.slice(own.length);
    if (rest.length) made.push({ label: `${rest.length} others`, rows: rest.flatMap((place) => rows[place]), series: 0, shape: 0, hollow: false });
    return made;
  }

  function showScatter() {
    const place = by("scatter");
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const shownGroups = groups();
    const [across, up] = [axis(state.x), axis(state.y)];
    by("scatter-key").replaceChildren(
      ...shownGroups.map((group) => {
        const sign = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        for (const [key, each] of Object.entries({ width: 8, height: 8, viewBox: "0 0 8 8", "aria-hidden": "true" })) sign.setAttribute(key, each);
        const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
        path.setAttribute("d", MARKS[group.shape]);
        path.setAttribute("class", `sign series-${group.series}${group.hollow ? " hollow" : ""}`);
        sign.append(path);
        return element("span", {}, sign, `${group.label} (${group.rows.length.toLocaleString("en-US")})`);
      }),
    );
    const points = shownGroups.map((group) => {
      const rows = group.rows.filter((row) => data.columns[state.x][row] !== null && data.columns[state.y][row] !== null);
      return { rows, x: rows.map((row) => across.at(data.columns[state.x][row])), y: rows.map((row) => up.at(data.columns[state.y][row])) };
    });
    const line = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), size: 4 }, font: "11px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif" };
    plot?.destroy();
    plot = new uPlot(
      {
        mode: 2,
        width: place.clientWidth,
        height: place.clientHeight,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false, range: () => across.range }, y: { range: () => up.range } },
        axes: [
          { ...line, label: labelOf[state.x], labelSize: 20, size: 34, splits: () => across.splits, values: (_, splits) => splits.map(across.words) },
          { ...line, label: labelOf[state.y], labelSize: 20, size: 48, splits: () => up.splits, values: (_, splits) => splits.map(up.words) },
        ],
        series: [
          {},
          ...shownGroups.map((group, number) => ({
            facets: [{ scale: "x" }, { scale: "y" }],
            paths: (self) => {
              const path = new Path2D();
              const r = 2.4 * devicePixelRatio;
              points[number].x.forEach((x, at) => SHAPES[group.shape](path, self.valToPos(x, "x", true), self.valToPos(points[number].y[at], "y", true), r));
              self.ctx.save();
              self.ctx.globalAlpha = 0.62;
              self.ctx.fillStyle = self.ctx.strokeStyle = colour(group.series ? `--series-${group.series}` : "--soft");
              self.ctx.lineWidth = 1.1 * devicePixelRatio;
              if (group.hollow) self.ctx.stroke(path);
              else self.ctx.fill(path);
              self.ctx.restore();
              return null;
            },
          })),
        ],
        hooks: { draw: [(self) => ring(self, across, up, colour("--ink"))] },
      },
      [null, ...points.map(({ x, y }) => [x, y])],
      place,
    );
    plot.over.addEventListener("mousemove", (event) => readOff(nearest(points, event)));
    plot.over.addEventListener("click", (event) => find(nearest(points, event)));
  }

  function ring(self, across, up, ink) {
    if (found < 0 || !chosen.includes(found)) return;
    const [x, y] = [data.columns[state.x][found], data.columns[state.y][found]];
    if (x === null || y === null) return;
    self.ctx.save();
    self.ctx.strokeStyle = ink;
    self.ctx.lineWidth = 2 * devicePixelRatio;
    self.ctx.beginPath();
    self.ctx.arc(self.valToPos(across.at(x), "x", true), self.valToPos(up.at(y), "y", true), 6 * devicePixelRatio, 0, 2 * Math.PI);
    self.ctx.stroke();
    self.ctx.restore();
  }

  function nearest(points, event) {
    let best = { row: -1, far: 20 * 20 };
    for (const group of points) {
      group.rows.forEach((row, at) => {
        const dx = plot.valToPos(group.x[at], "x") - event.offsetX;
        const dy = plot.valToPos(group.y[at], "y") - event.offsetY;
        const far = dx * dx + dy * dy;
        if (far < best.far) best = { row, far };
      });
    }
    return best.row;
  }

  function readOff(row) {
    if (row < 0) return;
    const words = data.words.map((column) => value(column.name, row)).filter(Boolean);
    const numbers = data.numbers.map((column) => `${column.label} ${shown(value(column.name, row))}`);
    by("scatter-readout").textContent = `${data.ids[row]}: ${words.join(", ")}; ${numbers.join(", ")}`;
  }

  function find(row) {
    if (row < 0) return;
    found = row;
    readOff(row);
    state.page = String(Math.floor(chosen.indexOf(row) / PER_PAGE) + 1);
    WaBench.keep(state, defaults);
    showTable();
    plot.redraw();
    by("found")?.scrollIntoView({ block: "nearest" });
  }

  /* Controls */
  function control(name, input, kind) {
    input.value = state[name];
    if (input.selectedIndex < 0) input.value = state[name] = defaults[name];
    input.addEventListener(kind, () => {
      state[name] = input.value;
      state.page = "1";
      update();
    });
  }
  filters.forEach((select) => control(select.dataset.filter, select, "change"));
  for (const name of ["x", "y", "colour"]) control(name, by(name), "change");
  control("q", by("search"), "input");
  for (const heading of document.querySelectorAll("#designs thead th")) {
    const button = element("button", { type: "button", class: "sort" }, ...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const column = heading.dataset.column;
      state.sort = state.sort === column ? `-${column}` : column;
      state.page = "1";
      update();
    });
  }
  const turn = (step) => () => {
    state.page = String(Math.max(1, (Number(state.page) || 1) + step));
    WaBench.keep(state, defaults);
    showTable();
  };
  by("earlier").addEventListener("click", turn(-1));
  by("later").addEventListener("click", turn(1));
  by("save").addEventListener("click", () => {
    const columns = ["id", ...data.words.map((column) => column.name), ...data.numbers.map((column) => column.name)];
    const quoted = (each) => (each === null ? "" : /[",\n]/.test(String(each)) ? `"${String(each).replaceAll('"', '""')}"` : String(each));
    const lines = chosen.map((row) => columns.map((column) => quoted(value(column, row))).join(","));
    WaBench.download("designs.csv", "text/csv", `${["sample_id", ...columns.slice(1)].join(",")}\n${lines.join("\n")}\n`);
  });
  for (const media of ["(prefers-color-scheme: dark)", "print"]) matchMedia(media).addEventListener("change", showScatter);
  let resizing = 0;
  addEventListener("resize", () => {
    clearTimeout(resizing);
    resizing = setTimeout(showScatter, 100);
  });
  update();
})();
