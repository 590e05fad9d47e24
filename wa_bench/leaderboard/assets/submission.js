"use strict";

/* The score tables of a submission show one metric at a time. */

(() => {
  const select = document.querySelector("#choices select");
  const DEFAULTS = { metric: select.value };
  const blocks = [...document.querySelectorAll("tbody[data-metric]")];

  function show() {
    for (const block of blocks) block.classList.toggle("other", block.dataset.metric !== select.value);
  }

  select.value = WaBench.state(DEFAULTS).metric;
  if (!select.value) select.value = DEFAULTS.metric;
  select.addEventListener("change", () => {
    WaBench.keep({ metric: select.value }, DEFAULTS);
    show();
  });
  show();
})();
