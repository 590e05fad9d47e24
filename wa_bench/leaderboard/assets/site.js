"use strict";

/* What several pages use: the page's data, its state in the URL, and buttons that copy. */

const WaBench = {
  /** The JSON in the script block with this id. */
  data(id) {
    return JSON.parse(document.getElementById(id).textContent);
  },

  /** The URL's query as an object; what it does not name has its default. */
  state(defaults) {
    const query = new URLSearchParams(location.search);
    return Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, query.get(name) ?? value]));
  },

  /** Put a state into the URL, without its defaults and without a step in the history. */
  keep(state, defaults) {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(state)) {
      if (value === defaults[name]) query.delete(name);
      else query.set(name, value);
    }
    const text = query.toString().replaceAll("%2C", ",");
    try {
      history.replaceState(null, "", (text ? `?${text}` : location.pathname) + location.hash);
    } catch {
      /* Pages opened from a folder may not change their address in every browser. */
    }
  },

  /** A score for people, by the rule of wa_bench.evaluation.report.number; text stays as it is. */
  number(value) {
    if (value === null) return "undefined";
    if (typeof value === "string") return value;
    const size = Math.abs(value);
    if (size < 0.0005) return "0.000";
    if (size >= 1000) return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
    return value.toFixed(size < 10 ? 3 : 1);
  },

  /** The number that a shown score stands for. */
  value(shown) {
    return typeof shown === "string" ? Number(shown.replaceAll(",", "")) : shown;
  },

  /** A file beside the page, each loaded once: as "json" or "arrayBuffer". */
  load(url, form) {
    if (!this.files.has(url)) {
      const got = fetch(url).then((answer) => {
        if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
        return answer[form]();
      });
      got.catch(() => this.files.delete(url));
      this.files.set(url, got);
    }
    return this.files.get(url);
  },
  files: new Map(),

  /** Why a file could not be loaded, for people. */
  whyNot(error) {
    return location.protocol === "file:"
      ? "A page opened from a folder may not load other files. Run wa-bench leaderboard serve and open its address; the table below needs nothing."
      : `The scores could not be loaded (${error.message}).`;
  },

  /** Offer text as a file. */
  download(name, type, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  },
};

for (const button of document.querySelectorAll("[data-copy]")) {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select the text and copy it";
    }
    setTimeout(() => (button.textContent = label), 2000);
  });
}
