"use strict";

/* The settings table of an exemplar model, for the submission and target that the reader chooses. */
(() => {
  const data = WaBench.data("exemplar-data");
  const by = (id) => document.getElementById(id);
  const cells = [...document.querySelectorAll("#heat [data-cell]")];
  const defaults = { submission: data.shown, target: "mean" };
  const state = WaBench.state(defaults);
  const known = new Map([[data.shown, data.first]]);
  let run = 0;

  async function errors(slug) {
    if (!known.has(slug)) {
      const answer = await fetch(`errors/${slug}.json`);
      if (!answer.ok) throw new Error(`${answer.status}`);
      known.set(slug, (await answer.json())[data.model]);
    }
    return known.get(slug);
  }

  async function show() {
    run += 1;
    const mine = run;
    WaBench.keep(state, defaults);
    let found;
    try {
      found = await errors(state.submission);
    } catch {
      by("heat-trouble").textContent =
        location.protocol === "file:"
          ? "A page opened from a folder may not load other files. Run wa-bench leaderboard serve and open its address."
          : "The errors of this submission could not be loaded.";
    }
    if (mine !== run) return;
    by("heat-trouble").hidden = Boolean(found);
    if (!found) return;
    const values = found[data.targets.indexOf(state.target)];
    for (const cell of cells) {
      const value = values[Number(cell.dataset.cell)];
      const dark = value === null ? 0 : data.steps.filter((step) => value >= step).length;
      cell.className = `n e${dark}`;
      cell.firstElementChild.textContent = value === null ? "?" : value.toFixed(1);
    }
    by("heat-who").textContent = by("submission").selectedOptions[0].textContent;
    by("heat-what").textContent = by("target").selectedOptions[0].textContent;
  }

  for (const name of ["submission", "target"]) {
    by(name).value = state[name];
    if (by(name).selectedIndex < 0) by(name).value = state[name] = defaults[name];
    by(name).addEventListener("change", () => {
      state[name] = by(name).value;
      show();
    });
  }
  if (state.submission !== defaults.submission || state.target !== defaults.target) show();
})();
