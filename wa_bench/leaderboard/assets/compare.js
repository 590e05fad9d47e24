"use strict";

/* Two to five submissions, chosen here: loads their scores and influences, and shows what the paired test says. */
(() => {
  const data = WaBench.data("compare-data");
  const LETTERS = "ABCDE";
  const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3], [4, 2]];
  const DECADES = [0.1, 1, 10, 100, 1000, 10000];
  const by = (id) => document.getElementById(id);
  const entryOf = Object.fromEntries(data.entries.map((entry) => [entry.slug, entry]));
  const selects = [...document.querySelectorAll("select.entry")];
  const letters = selects.map((_, place) => LETTERS[place].toLowerCase());
  const first = data.entries.filter((entry) => entry.ranked).concat(data.entries.filter((entry) => !entry.ranked));
  const defaults = {
    ...Object.fromEntries(letters.map((letter, place) => [letter, place < 2 ? first[place].slug : ""])),
    metric: data.metrics[0].name,
    exam: data.exams[0].split,
    pair: "0",
  };
  const state = WaBench.state(defaults);
  let run = 0;
  let plots = [];

  /* Influences are sent in little-endian order, whatever this machine has. */
  function floats(buffer) {
    const view = new DataView(buffer);
    return Float64Array.from({ length: buffer.byteLength / 4 }, (_, place) => view.getFloat32(4 * place, true));
  }

  function chosen() {
    return letters.map((letter) => state[letter]).filter((slug) => slug in entryOf);
  }

  function trouble(text) {
    by("trouble").textContent = text;
    by("trouble").hidden = !text;
    by("result").hidden = Boolean(text);
  }

  function misfit(slugs) {
    if (slugs.length < 2) return "Choose two submissions.";
    if (new Set(slugs).size < slugs.length) return "Choose each submission once.";
    const odd = slugs.find((slug) => entryOf[slug].answers !== entryOf[slugs[0]].answers);
    if (odd) {
      return `${entryOf[odd].name} and ${entryOf[slugs[0]].name} do not answer the same designs, so they cannot be compared in pairs.`;
    }
    return "";
  }

  async function update() {
    run += 1;
    const mine = run;
    const slugs = chosen();
    WaBench.keep(state, defaults);
    const wrong = misfit(slugs);
    trouble(wrong);
    if (wrong) {
      by("status").textContent = "";
      by("chosen").classList.remove("working");
      return;
    }
    const number = data.metrics.findIndex((metric) => metric.name === state.metric);
    const exam = data.exams.find((each) => each.split === state.exam);
    by("chosen").classList.add("working");
    by("status").textContent = "Loading…";
    let loaded;
    try {
      const [weights, ...rest] = await Promise.all([
        WaBench.load(`compare/${exam.split}.u1`, "arrayBuffer"),
        ...slugs.map((slug) => WaBench.load(`compare/${slug}.json`, "json")),
        ...slugs.map((slug) => WaBench.load(`compare/${slug}.${exam.split}.${number}.f4`, "arrayBuffer")),
      ]);
      loaded = { weights: new Uint8Array(weights), scores: rest.slice(0, slugs.length), moved: rest.slice(slugs.length).map(floats) };
    } catch (error) {
      if (mine !== run) return;
      by("status").textContent = "";
      by("chosen").classList.remove("working");
      trouble(WaBench.whyNot(error));
      return;
    }
    if (mine !== run) return;
    showCurves(slugs, loaded.scores, exam.split);
    const judged = await judge(slugs, loaded, exam, number, () => mine !== run);
    if (!judged) return;
    by("chosen").classList.remove("working");
    show(slugs, judged, exam, data.metrics[number]);
  }

  /* All cells of an exam; between two the page may answer its reader. */
  async function judge(slugs, loaded, exam, number, stale) {
    const pools = exam.strata.length;
    const about = { weights: loaded.weights, strata: exam.strata, resamples: data.resamples };
    const judged = [];
    const count = exam.groups.length * data.targets.length;
    let rested = performance.now();
    for (let row = 0; row < count; row += 1) {
      const cells = slugs.map((_, place) => {
        const value = loaded.scores[place].cells[exam.split][number][row];
        return { value, moved: loaded.moved[place].subarray(row * pools, (row + 1) * pools) };
      });
      judged.push(pairedTest.compare(cells, about, data.metrics[number], data.rules));
      if (performance.now() - rested > 30) {
        by("status").textContent = `Judging ${row + 1} of ${count} cells…`;
        await new Promise((resume) => setTimeout(resume));
        if (stale()) return null;
        rested = performance.now();
      }
    }
    return judged;
  }

  /* A difference and its interval, by the rule of wa_bench.leaderboard.pages.compare._signed. */
  function signed({ difference, reach }) {
    if (difference === null) return ["undefined", "no interval"];
    const values = reach === null ? [difference] : [difference, difference - reach, difference + reach];
    const largest = Math.max(...values.map(Math.abs)) || 1;
    const told = [...values.slice(1), reach].filter(Boolean);
    const wanted = [2 - Math.ceil(Math.log10(largest)), ...told.map((value) => -Math.floor(Math.log10(Math.abs(value))))];
    const decimals = Math.min(Math.max(0, ...wanted), 6);
    const format = { signDisplay: "exceptZero", minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    const text = (value) => {
      if (Math.abs(value) >= 0.5 * 10 ** -decimals) return value.toLocaleString("en-US", format);
      return value === 0 ? "0" : `${value > 0 ? "+" : ""}${value.toExponential(1)}`;
    };
    const [shown, ...ends] = values.map(text);
    return [shown, ends.join(" to ") || "no interval"];
  }

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function drawn(name, attributes, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function show(slugs, judged, exam, metric) {
    const width = data.targets.length;
    const pairs = judged[width - 1];
    const wanted = Math.min(Number(state.pair) || 0, pairs.length - 1);
    const title = (pair) => `${LETTERS[pair.one]} − ${LETTERS[pair.two]}`;
    const names = (pair) => `${entryOf[slugs[pair.one]].name} against ${entryOf[slugs[pair.two]].name}`;
    const farthest = Math.max(...pairs.map((pair) => Math.abs(pair.difference ?? 0) + (pair.reach ?? 0)), 1e-12);
    by("pairs").caption.textContent = `${metric.title}${metric.unit ? ` [${metric.unit}]` : ""} on ${exam.split}, first minus second; ${metric.better} is better. Cells: ${exam.groups.length} groups × ${width - 1} targets.`;
    by("pairs").tBodies[0].replaceChildren(
      ...pairs.map((pair, place) => {
        const counts = { better: 0, worse: 0, "cannot tell": 0 };
        judged.forEach((cell, row) => {
          if (row % width !== width - 1) counts[cell[place].verdict] += 1;
        });
        const radio = element("input", { type: "radio", name: "pair", value: place });
        radio.checked = place === wanted;
        radio.addEventListener("change", () => {
          state.pair = String(place);
          WaBench.keep(state, defaults);
          showCells(slugs, judged, exam, place);
        });
        return element(
          "tr",
          {},
          element("th", { scope: "row" }, element("label", {}, radio, element("span", {}, element("strong", {}, title(pair)), ` ${names(pair)}`))),
          element("td", { class: "n" }, `${signed(pair)[0]} `, element("small", {}, signed(pair)[1])),
          element("td", {}, span(pair, farthest)),
          verdictCell(pair.verdict),
          element("td", { class: "n" }, String(counts.better)),
          element("td", { class: "n" }, String(counts.worse)),
          element("td", { class: "n" }, String(counts["cannot tell"])),
        );
      }),
    );
    showCells(slugs, judged, exam, wanted);
    by("status").textContent = `${slugs.length} submissions, ${pairs.length} ${pairs.length > 1 ? "pairs" : "pair"}, ${data.resamples.toLocaleString("en-US")} resamples.`;
  }

  function verdictCell(verdict) {
    const sign = { better: "▲", worse: "▼" }[verdict] ?? "·";
    return element("td", { class: verdict.replace(" ", "-") }, element("span", { class: "mark", "aria-hidden": "true" }, sign), ` ${verdict}`);
  }

  /* An interval about zero, on the scale of the widest. */
  function span(pair, farthest) {
    const at = (value) => 80 + (78 * value) / farthest;
    const svg = drawn("svg", { class: `span ${pair.verdict.replace(" ", "-")}`, width: 160, height: 14, viewBox: "0 0 160 14", "aria-hidden": "true" });
    svg.append(drawn("path", { class: "zero", d: "M80 0V14" }));
    if (pair.reach !== null) svg.append(drawn("path", { class: "reach", d: `M${at(pair.difference - pair.reach)} 7H${at(pair.difference + pair.reach)}` }));
    if (pair.difference !== null) svg.append(drawn("circle", { class: "at", cx: at(pair.difference), cy: 7, r: 3 }));
    return svg;
  }

  function showCells(slugs, judged, exam, place) {
    const width = data.targets.length;
    const pair = judged[0][place];
    by("cells").caption.replaceChildren(
      element("strong", {}, entryOf[slugs[pair.one]].name),
      " minus ",
      element("strong", {}, entryOf[slugs[pair.two]].name),
    );
    by("cells").tBodies[0].replaceChildren(
      ...exam.groups.map((group, line) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, group),
          element("td", { class: "n" }, exam.designs[line].toLocaleString("en-US")),
          ...data.targets.map((target, column) => {
            const found = judged[line * width + column][place];
            const sign = { better: "▲", worse: "▼" }[found.verdict] ?? "·";
            const [difference, interval] = signed(found);
            return element(
              "td",
              { class: `n verdict ${found.verdict.replace(" ", "-")}${column === width - 1 ? " first" : ""}`, "data-verdict": found.verdict },
              element("span", { class: "mark", "aria-hidden": "true" }, sign),
              ` ${difference}`,
              element("small", {}, interval),
              element("span", { class: "visually-hidden" }, found.verdict),
            );
          }),
        ),
      ),
    );
  }

  /* Error curves */
  let shownCurves = null;

  function showCurves(slugs, scores, split) {
    const drawable = scores.every((score) => score.curves[split]);
    by("curves-section").hidden = !drawable;
    shownCurves = drawable ? { slugs, scores, split } : null;
    if (!drawable) return;
    by("curves-key").replaceChildren(
      ...slugs.map((slug, place) =>
        element(
          "span",
          {},
          drawn("svg", { class: `stroke series-${place + 1}`, width: 28, height: 4, viewBox: "0 0 28 4", "aria-hidden": "true" }, drawn("path", { d: "M0 2H28" })),
          `${LETTERS[place]} ${entryOf[slug].name}`,
        ),
      ),
    );
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    plots.forEach((plot) => plot.destroy());
    plots = [...document.querySelectorAll(".curve")].map((place) => {
      const target = place.dataset.target;
      const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), size: 4 }, font: "11px system-ui, sans-serif" };
      return new uPlot(
        {
          width: place.clientWidth,
          height: place.clientHeight,
          legend: { show: false },
          cursor: { y: false, drag: { x: false, y: false }, points: { size: 5 } },
          scales: { x: { time: false, distr: 3, range: [data.errors[0], data.errors.at(-1)] }, y: { range: [0, 100] } },
          axes: [
            { ...axis, size: 34, splits: () => DECADES, values: (_, marks) => marks.map(short) },
            { ...axis, size: 44, values: (_, marks) => marks.map((mark) => `${mark} %`) },
          ],
          series: [{}, ...slugs.map((slug, line) => ({ label: entryOf[slug].name, stroke: colour(`--series-${line + 1}`), width: 1.75, dash: DASHES[line], points: { show: false } }))],
          hooks: { setCursor: [(plot) => readOff(plot, place)] },
        },
        [data.errors, ...scores.map((score) => score.curves[split][target])],
        place,
      );
    });
    showWithin(slugs, scores, split);
  }

  const short = (value) => (value >= 1000 ? `${value / 1000}k` : String(Number(value.toPrecision(2)))) + " %";

  function readOff(plot, place) {
    const at = plot.cursor.idx;
    if (at === null || at === undefined) return;
    const title = place.closest("figure").querySelector("h3").textContent;
    const read = shownCurves.slugs.map((slug, line) => `${LETTERS[line]} ${plot.data[line + 1][at].toFixed(1)} %`);
    by("curves-readout").textContent = `${title}, error at most ${Number(data.errors[at].toPrecision(2))} %: ${read.join(" · ")} of the designs`;
  }

  /* The curve's value at an error, between its points. */
  function share(curve, error) {
    const after = data.errors.findIndex((each) => each >= error);
    if (after <= 0) return curve[0];
    const part = Math.log(error / data.errors[after - 1]) / Math.log(data.errors[after] / data.errors[after - 1]);
    return curve[after - 1] + part * (curve[after] - curve[after - 1]);
  }

  function showWithin(slugs, scores, split) {
    const targets = data.targets.slice(0, -1);
    by("within").tBodies[0].replaceChildren(
      ...[1, 10, 100].flatMap((percent) =>
        slugs.map((slug, place) =>
          element(
            "tr",
            place === 0 ? { class: "next" } : {},
            element("th", { scope: "row" }, element("i", { class: `swatch series-${place + 1}`, "aria-hidden": "true" }), `${LETTERS[place]} ${entryOf[slug].name}`),
            element("td", {}, `${percent} %`),
            ...targets.map((target) => element("td", { class: "n" }, `${share(scores[place].curves[split][target.name], percent).toFixed(1)} %`)),
          ),
        ),
      ),
    );
  }

  function redraw() {
    if (shownCurves && !by("result").hidden) showCurves(shownCurves.slugs, shownCurves.scores, shownCurves.split);
  }

  for (const media of ["(prefers-color-scheme: dark)", "print"]) matchMedia(media).addEventListener("change", redraw);
  let resizing = 0;
  addEventListener("resize", () => {
    clearTimeout(resizing);
    resizing = setTimeout(() => plots.forEach((plot) => plot.setSize({ width: plot.root.parentElement.clientWidth, height: plot.root.parentElement.clientHeight })), 100);
  });

  /* Choice */
  selects.forEach((select, place) => {
    if (place > 1) select.append(new Option("–", ""));
    for (const entry of data.entries) select.append(new Option(entry.kind === "control" ? `${entry.name} (control)` : entry.name, entry.slug));
    select.value = state[letters[place]];
    select.addEventListener("change", () => {
      state[letters[place]] = select.value;
      state.pair = "0";
      update();
    });
  });
  for (const name of ["metric", "exam"]) {
    by(name).value = state[name];
    if (by(name).selectedIndex < 0) by(name).value = state[name] = defaults[name];
    by(name).addEventListener("change", () => {
      state[name] = by(name).value;
      update();
    });
  }
  update();
})();
