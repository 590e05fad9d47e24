"use strict";

/* The board's table: which metric and exam it shows, in which order, which rows and columns; a choice to compare. */

(() => {
  /* Figures that others reported: those of a metric, on all groups of designs or on one. */

  const reported = document.getElementById("reported");
  const reportedOf = document.querySelector("#reported-choices [name=of]");

  /** Show a metric whatever its parameters; the default one where nobody reported it. */
  function showReported(metric) {
    if (!reported) return;
    const rows = [...reported.querySelectorAll("tr[data-metric]")];
    const kind = metric.split("(")[0];
    const found = rows.some((row) => row.dataset.metric === kind);
    for (const row of rows) {
      row.classList.toggle("other", found ? row.dataset.metric !== kind : !("default" in row.dataset));
      row.hidden = reportedOf.value !== "" && row.dataset.group !== reportedOf.value;
    }
    for (const table of reported.querySelectorAll("table")) {
      table.classList.toggle("one", reportedOf.value !== "");
      for (const part of [...table.tBodies, table.closest(".scroll")])
        part.hidden = !part.querySelector("tr[data-metric]:not(.other, [hidden])");
    }
    document.getElementById("not-reported").hidden = found;
  }

  /** The group in the address, and what is shown when another one is chosen. */
  function chooseReported(metric) {
    const defaults = { of: "" };
    reportedOf.value = WaBench.state(defaults).of;
    if (reportedOf.selectedIndex < 0) reportedOf.value = "";
    reportedOf.addEventListener("change", () => {
      WaBench.keep({ of: reportedOf.value }, defaults);
      showReported(metric());
    });
    if (reportedOf.value) showReported(metric());
  }

  const table = document.getElementById("board");
  if (!table) {
    const select = document.querySelector("#reported-choices [name=metric]");
    if (!select) return;
    const defaults = { metric: select.value };
    select.value = WaBench.state(defaults).metric;
    if (!select.value) select.value = defaults.metric;
    showReported(select.value);
    chooseReported(() => select.value);
    select.addEventListener("change", () => {
      WaBench.keep({ metric: select.value }, defaults);
      showReported(select.value);
    });
    return;
  }

  const data = {
    ...WaBench.data("board-data"),
    /** The scores of all metrics: most of the page, and needed only when somebody asks for something. */
    get metrics() {
      return (this.read ??= WaBench.data("board-metrics"));
    },
  };
  const body = table.tBodies[0];
  const choices = document.getElementById("choices");
  const counted = document.getElementById("count");
  const MOST = 5;
  const [FIRST, STEP] = [30, 30];
  const DEFAULTS = {
    metric: data.rank_by,
    exam: "",
    group: "",
    truth: "",
    columns: "",
    sort: "rank",
    q: "",
    family: "",
    open: "",
    source: "",
    coverage: "",
    pick: "",
  };
  const state = WaBench.state(DEFAULTS);
  const SVG = "http://www.w3.org/2000/svg";

  /** A row and what is looked up in it, when that is asked for. */
  class Row {
    constructor(row, place) {
      Object.assign(this, { row, place, slug: row.dataset.slug, box: row.querySelector("input") });
    }

    /** What the search reads. */
    get text() {
      return (this.words ??= this.row.textContent.toLowerCase());
    }

    /** The cells of each exam. */
    get exams() {
      return (this.cells ??= data.exams.map((_, exam) => ({
        mean: this.row.querySelector(`.m.e${exam}`),
        cells: [...this.row.querySelectorAll(`.t.e${exam}`)],
        worst: this.row.querySelector(`.w.e${exam}`),
      })));
    }
  }

  const rows = [...body.rows].map((row, place) => new Row(row, place));
  const heads = [...table.tHead.querySelectorAll("th[data-key]")];
  const places = new Map([...table.querySelectorAll("col")].map((column, place) => [column.dataset.key, place]));
  const control = (name) => choices.querySelector(`[name="${name}"]`);
  const list = (text) => text.split(",").filter(Boolean);
  const counts = [...table.tHead.querySelectorAll(".exam small")].map((small) => small.textContent.split(" ")[0]);

  /* Scores on a group of the designs of an exam, or against another truth: loaded when they are chosen. */

  let other = null;
  let asked = 0;
  const NOTHING = { mean: [], low: [], high: [], cells: [], worst: null, bars: [], ticks: [], limits: [] };

  /** The exam that is shown alone, if any. */
  const onlyExam = () => other?.exam ?? state.exam;

  /** What is shown of an exam: its scores on all designs, or those that were chosen instead. */
  function scores(exam) {
    if (other?.exam === data.exams[exam]) return other.metrics[state.metric];
    if (other?.truth) return other.metrics[state.metric]?.[exam] ?? NOTHING;
    return data.metrics[state.metric].exams[exam];
  }

  function say(text) {
    const note = document.getElementById("other-about");
    note.textContent = text;
    note.hidden = !text;
  }

  async function groupOf(name) {
    const exam = data.exams.find((each) => name.startsWith(`${each}.`));
    const metrics = await WaBench.load(`groups/${encodeURIComponent(name)}.json`, "json");
    const { designs } = control("group").selectedOptions[0].dataset;
    return { name, exam, title: name.slice(exam.length + 1), designs, metrics };
  }

  async function truthOf(name) {
    const metrics = await WaBench.load(`truths/${encodeURIComponent(name)}.json`, "json");
    const { about } = control("truth").selectedOptions[0].dataset;
    return { name, truth: about, title: name, metrics };
  }

  async function loadOther() {
    asked += 1;
    const mine = asked;
    let found = null;
    if (state.group) state.truth = "";
    if (state.group || state.truth) {
      say("Loading…");
      try {
        found = await (state.group ? groupOf(state.group) : truthOf(state.truth));
      } catch (error) {
        if (mine !== asked) return;
        other = null;
        state.group = state.truth = "";
        WaBench.keep(state, DEFAULTS);
        writeChoices();
        everything();
        say(WaBench.whyNot(error));
        return;
      }
      if (mine !== asked) return;
    }
    other = found;
    writeChoices();
    everything();
  }

  function showOther() {
    table.dataset.other = other?.name ?? "";
    data.exams.forEach((name, exam) => {
      const head = table.tHead.querySelector(`.exam.e${exam}`);
      const here = other && (other.truth || other.exam === name);
      head.querySelector(".of").textContent = here ? `: ${other.title}` : "";
      const { cells } = scores(exam);
      const none = cells.length > 0 && cells.every((values) => values.every((value) => value === null));
      const small = head.querySelector("small");
      if (here && other.truth) small.textContent = `${none ? "no" : "the"} designs that have it`;
      else small.textContent = `${here ? other.designs : counts[exam]} designs`;
    });
    say(other ? about(other) : "");
  }

  function about({ truth, exam, title, designs, metrics }) {
    const metric = data.metrics[state.metric];
    if (truth) {
      const known = Object.keys(metrics).map((name) => name.split("(")[0]);
      return (
        `Scored against ${truth}, on the designs that have it. Ranks are those by the track's own truth, which submissions were asked for.` +
        (state.metric in metrics ? " Without intervals." : ` Only ${known.join(" and ")} are computed against it.`)
      );
    }
    const without = metric.whole && metrics[state.metric].low.every((end) => end === null);
    return (
      `All scores are those on the ${designs} designs of group ${title} of ${exam}. Ranks are those on all designs.` +
      (without ? " The stored scores have no intervals here." : "")
    );
  }

  /* Cells of a metric */

  const badness = (metric, value) =>
    metric.better === "higher" ? -value : metric.better === "lower" ? value : Math.abs(value);

  function shade(metric, shown, exam, column) {
    if (shown === null) return "";
    const limits = metric.limits ?? scores(exam).limits[column];
    const bad = badness(metric, WaBench.value(shown));
    return ` s${limits.filter((limit) => bad <= limit).length}`;
  }

  function element(name, attributes) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  function drawBar(svg, bar, ticks) {
    svg.replaceChildren(element("path", { class: "ticks", d: ticks.map(([at]) => `M${at} 0V12`).join("") }));
    if (!bar) return;
    const [x, low, high] = bar;
    if (low !== high) svg.append(element("path", { class: "reach", d: `M${low} 6H${high}` }));
    if (x < 0 || x > 100) svg.append(element("path", { class: "off", d: x < 0 ? "M5 2L0 6l5 4" : "M95 2l5 4-5 4" }));
    else svg.append(element("circle", { class: "at", cx: x, cy: 6, r: 3 }));
  }

  function drawAxis(svg, ticks) {
    svg.replaceChildren(
      ...ticks.map(([at, label]) => {
        const anchor = at < 5 ? "start" : at > 95 ? "end" : "middle";
        const text = element("text", { x: at, y: 10, "text-anchor": anchor });
        text.textContent = label;
        return text;
      }),
    );
  }

  function showMetric() {
    const metric = data.metrics[state.metric];
    for (const { place, exams } of rows) {
      exams.forEach(({ mean, cells, worst }, exam) => {
        const values = scores(exam);
        const [value, low, high] = [values.mean[place], values.low[place], values.high[place]];
        mean.querySelector("b").textContent = metric.whole && value !== undefined ? WaBench.number(value) : "–";
        mean.querySelector("small").textContent =
          low === null || low === undefined ? "" : `[${WaBench.number(low)}, ${WaBench.number(high)}]`;
        drawBar(mean.querySelector("svg"), values.bars[place], values.ticks);
        cells.forEach((cell, column) => {
          const shown = values.cells[column] ? values.cells[column][place] : undefined;
          cell.textContent = shown === undefined ? "–" : WaBench.number(shown);
          cell.className = cell.className.replace(/ s\d/, "") + (shown === undefined ? "" : shade(metric, shown, exam, column));
          cell.classList.toggle("none", shown === null);
        });
        const least = values.worst ? values.worst[place] : null;
        worst.firstChild.textContent = least ? WaBench.number(least[1]) : "–";
        worst.querySelector("small").textContent = least ? data.groups[exam][least[0]] : "";
      });
    }
    for (const svg of table.querySelectorAll("[data-axis]")) drawAxis(svg, scores(Number(svg.dataset.axis)).ticks);
    for (const head of table.querySelectorAll(".whole")) head.textContent = metric.whole ?? "mean";
    table.dataset.unit = metric.unit;
    document.getElementById("metric-about").textContent = metric.about;
    document.getElementById("shades").hidden = !metric.limits;
    if (metric.limits)
      document.querySelectorAll("#shades [data-limit]").forEach((item, place) => {
        item.textContent = String(Math.abs(metric.limits[place]));
      });
    showOther();
    showReported(state.metric);
  }

  /* Rows are laid out as the reader comes near them: to lay out hundreds at once would keep the page from answering. */

  const scroller = table.closest(".scroll");
  const end = scroller.appendChild(document.createElement("div"));
  let laid = FIRST;

  function layMore(count) {
    for (let left = count; left > 0 && laid < rows.length; laid += 1) {
      body.rows[laid].classList.add("laid");
      left -= !body.rows[laid].hidden;
    }
    nearing.unobserve(end);
    if (laid < rows.length) nearing.observe(end);
  }

  const nearing = new IntersectionObserver(
    (seen) => {
      if (seen.some((each) => each.isIntersecting)) layMore(STEP);
    },
    { root: scroller, rootMargin: "0px 0px 300px" },
  );

  function layAnew() {
    for (const { row } of rows) row.classList.remove("laid");
    scroller.scrollTop = 0;
    laid = FIRST;
    layMore(0);
  }

  window.addEventListener("keydown", (event) => {
    if (event.key === "F3" || ((event.ctrlKey || event.metaKey) && event.key === "f")) layMore(Infinity);
  });

  /* Order */

  function sortKey(key) {
    const [name, exam] = key.split(".");
    const metric = data.metrics[state.metric];
    if (exam !== undefined && name !== "") {
      if (!data.exams.includes(exam)) return null;
      const values = scores(data.exams.indexOf(exam));
      if (name === "worst") return ({ place }) => (values.worst?.[place] ? badness(metric, WaBench.value(values.worst[place][1])) : null);
      const column = name === "mean" ? values.mean : values.cells[data.targets.indexOf(name)];
      return ({ place }) => ((column?.[place] ?? null) === null ? null : badness(metric, WaBench.value(column[place])));
    }
    if (name === "rank") return ({ place }) => place;
    if (name === "name") return ({ row }) => row.querySelector("th a").textContent.toLowerCase();
    const head = heads.find((each) => each.dataset.key === name);
    if (!head) return null;
    return ({ row }) => {
      const text = row.cells[places.get(name)].dataset.v;
      return text === undefined ? null : head.dataset.kind === "text" ? text.toLowerCase() : Number(text);
    };
  }

  function order() {
    const turned = state.sort.startsWith("-");
    const name = turned ? state.sort.slice(1) : state.sort;
    const found = sortKey(name);
    if (!found) state.sort = "rank";
    const key = found ?? (({ place }) => place);
    const keyed = rows.map((each) => [key(each), each]);
    keyed.sort(([a, one], [b, two]) => {
      if (a === null || b === null) return (a === null) - (b === null) || one.place - two.place;
      const difference = typeof a === "string" ? a.localeCompare(b) : a - b;
      return (turned ? -difference : difference) || one.place - two.place;
    });
    const sorted = keyed.map(([, each]) => each.row);
    if (sorted.some((row, place) => body.rows[place] !== row)) {
      body.append(...sorted);
      layAnew();
    }
    table.classList.toggle("by-rank", state.sort === "rank");
    const highFirst = name.includes(".") && data.metrics[state.metric].better === "higher";
    for (const head of heads) {
      if (head.dataset.key !== name) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", highFirst !== turned ? "descending" : "ascending");
    }
  }

  /* Rows and columns */

  function filter() {
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const families = list(state.family);
    const open = list(state.open);
    const least = Number(state.coverage) || 0;
    let shown = 0;
    for (const each of rows) {
      const { row } = each;
      const kept =
        words.every((word) => each.text.includes(word)) &&
        (!families.length || families.includes(row.dataset.family)) &&
        open.every((what) => row.dataset.open.split(" ").includes(what)) &&
        Number(row.dataset.coverage) * 100 >= least &&
        state.source !== "reported";
      row.hidden = !kept;
      shown += kept;
    }
    for (const id of ["scored", "csv"]) document.getElementById(id).hidden = state.source === "reported";
    if (reported) reported.hidden = state.source === "scored";
    counted.textContent =
      state.source === "reported" ? "Reported figures only" : `${shown} of ${rows.length} submissions shown`;
    document.getElementById("nothing").hidden = shown > 0 || state.source === "reported";
  }

  function columns() {
    const whole = data.metrics[state.metric].whole;
    const chosen = state.columns === "compact" && !whole ? "" : state.columns;
    table.dataset.columns = chosen;
    const only = onlyExam();
    data.exams.forEach((name, exam) => table.classList.toggle(`without-e${exam}`, only !== "" && only !== name));
    table.dataset.whole = whole ?? "none";
    const width = { compact: 2, about: 1 }[chosen] ?? data.targets.length + (whole ? (other ? 1 : 2) : 0);
    for (const head of table.tHead.querySelectorAll(".exam")) head.colSpan = width;
  }

  /* Choice to compare */

  const tray = document.getElementById("tray");
  const go = tray?.querySelector("a");

  function picked() {
    return list(state.pick).filter((slug) => rows.some((each) => each.slug === slug));
  }

  function showPicked() {
    if (!tray) return;
    const slugs = picked();
    for (const { row, slug, box } of rows) {
      box.checked = slugs.includes(slug);
      box.disabled = !box.checked && slugs.length >= MOST;
      row.classList.toggle("picked", box.checked);
    }
    tray.hidden = slugs.length === 0;
    document.body.classList.toggle("with-tray", slugs.length > 0);
    const enough = slugs.length >= 2;
    tray.querySelector("output").textContent =
      slugs.length === 1 ? "1 chosen; choose one more" : `${slugs.length} chosen${slugs.length === MOST ? ", the most" : ""}`;
    go.setAttribute("aria-disabled", String(!enough));
    const query = slugs.map((slug, place) => `${"abcde"[place]}=${encodeURIComponent(slug)}`).join("&");
    if (enough) go.href = `compare.html?${query}`;
    else go.removeAttribute("href");
  }

  /* A table of what is seen */

  function csv() {
    const quote = (text) => `"${text.replaceAll('"', '""')}"`;
    const visible = [...places.keys()].filter((key) => heads.some((head) => head.dataset.key === key && head.offsetParent));
    const text = (cell) => (cell.querySelector("a, b") ?? cell.firstChild).textContent.trim();
    const lines = [...body.rows]
      .filter((row) => !row.hidden)
      .map((row) => visible.map((key) => text(row.cells[places.get(key)])));
    const isOther = (key) => other && data.exams.some((exam) => key.endsWith(`.${exam}`) && (other.truth || other.exam === exam));
    const titles = visible.map((key) => (isOther(key) ? `${key}.${other.title}` : key));
    return [titles, ...lines].map((line) => line.map(quote).join(",") + "\r\n").join("");
  }

  /* Wiring */

  function everything() {
    showMetric();
    columns();
    order();
    filter();
    showPicked();
  }

  function readChoices() {
    for (const name of ["metric", "group", "truth", "columns", "q", "source", "coverage"]) {
      if (control(name)) state[name] = control(name).value.trim();
    }
    state.exam = state.group ? "" : control("exam").value;
    for (const name of ["family", "open"]) {
      state[name] = [...choices.querySelectorAll(`[data-filter="${name}"]:checked`)].map((box) => box.value).join(",");
    }
  }

  function writeChoices() {
    if (!(state.metric in data.metrics)) state.metric = data.rank_by;
    if (!data.exams.includes(state.exam)) state.exam = "";
    for (const name of ["metric", "exam", "group", "truth", "columns", "q", "source", "coverage"]) {
      if (!control(name)) continue;
      control(name).value = state[name];
      if (control(name).value !== state[name]) control(name).value = state[name] = DEFAULTS[name];
    }
    if (other?.exam) control("exam").value = other.exam;
    for (const name of ["family", "open"]) {
      const chosen = list(state[name]);
      for (const box of choices.querySelectorAll(`[data-filter="${name}"]`)) box.checked = chosen.includes(box.value);
    }
  }

  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...[...head.childNodes].filter((node) => !node.dataset || !("axis" in node.dataset)));
    const [label, exam] = [button.textContent.trim(), head.dataset.key.split(".")[1]];
    if (exam) button.setAttribute("aria-label", `${label}, ${exam}`);
    head.prepend(button);
    button.addEventListener("click", () => {
      state.sort = state.sort === head.dataset.key ? `-${head.dataset.key}` : head.dataset.key;
      WaBench.keep(state, DEFAULTS);
      order();
    });
  }

  choices.addEventListener("input", (event) => {
    const { metric, group, truth } = state;
    const instead = { exam: ["group"], group: ["exam", "truth"], truth: group ? ["group", "exam"] : [] };
    for (const name of instead[event.target.name] ?? []) {
      if (control(name)) control(name).value = "";
    }
    readChoices();
    WaBench.keep(state, DEFAULTS);
    if (group !== state.group || truth !== state.truth) {
      loadOther();
      return;
    }
    if (metric !== state.metric) {
      showMetric();
      order();
    }
    columns();
    filter();
  });
  document.getElementById("clear").addEventListener("click", () => {
    Object.assign(state, DEFAULTS, { pick: state.pick });
    asked += 1;
    other = null;
    WaBench.keep(state, DEFAULTS);
    if (reported) {
      reportedOf.value = "";
      WaBench.keep({ of: "" }, { of: "" });
    }
    writeChoices();
    everything();
    control("q").focus();
  });
  document.getElementById("csv").addEventListener("click", () =>
    WaBench.download(`${data.track}-board.csv`, "text/csv", csv()),
  );
  body.addEventListener("change", (event) => {
    if (event.target.type !== "checkbox") return;
    const slug = event.target.closest("tr").dataset.slug;
    state.pick = (event.target.checked ? [...picked(), slug] : picked().filter((each) => each !== slug)).join(",");
    WaBench.keep(state, DEFAULTS);
    showPicked();
  });
  tray?.querySelector("button").addEventListener("click", () => {
    state.pick = "";
    WaBench.keep(state, DEFAULTS);
    showPicked();
  });

  const changed = Object.keys(DEFAULTS).some((name) => state[name] !== DEFAULTS[name]);
  if (changed) {
    writeChoices();
    if (state.group || state.truth) loadOther();
    else everything();
  } else {
    counted.textContent = `${rows.length} of ${rows.length} submissions shown`;
  }
  table.dataset.ready = "";
  layMore(0);
  if (reported) chooseReported(() => state.metric);
})();
