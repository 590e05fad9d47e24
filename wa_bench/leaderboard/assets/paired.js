/* The paired test of wa_bench/evaluation/comparison.py, for two to five submissions, on the same resamples. */
"use strict";

const pairedTest = (() => {
  /* How far the difference of each resample lies from zero, in the standard errors that it states itself. */
  function distances(apart, exam) {
    const { weights, strata, resamples } = exam;
    const moved = new Float64Array(resamples);
    const squares = new Float64Array(resamples);
    const sums = new Float64Array(resamples);
    const sizes = new Map();
    for (const stratum of strata) sizes.set(stratum, (sizes.get(stratum) || 0) + 1);
    for (const [stratum, size] of sizes) {
      sums.fill(0);
      for (let pool = 0; pool < strata.length; pool += 1) {
        const step = apart[pool];
        if (strata[pool] !== stratum || step === 0) continue;
        const square = step * step;
        const start = pool * resamples;
        for (let draw = 0; draw < resamples; draw += 1) {
          const times = weights[start + draw];
          sums[draw] += times * step;
          squares[draw] += times * square;
        }
      }
      /* Each resample draws as many pools of a stratum as there are. */
      for (let draw = 0; draw < resamples; draw += 1) {
        moved[draw] += sums[draw];
        squares[draw] -= (sums[draw] * sums[draw]) / size;
      }
    }
    return moved.map((sum, draw) => {
      const distance = Math.abs(sum) / Math.sqrt(Math.max(squares[draw], 0));
      return Number.isNaN(distance) ? Infinity : distance;
    });
  }

  /* A pair's standard error, and how many of them its difference must exceed. */
  function yardstick(one, two, exam, rule) {
    const apart = one.map((value, pool) => value - two[pool]);
    const error = Math.sqrt(apart.reduce((sum, value) => sum + value * value, 0));
    if (error === 0) return { error, length: 0 };
    return { error, length: distances(apart, exam).sort()[rule.place] * rule.longer };
  }

  /* Where a value at the end of the scale is compared, all are compared as they are, by the slope of the way back. */
  function onOneScale(cells) {
    if (!cells.some((cell) => cell.value !== null && cell.there === null)) {
      return { places: cells.map((cell) => (cell.there === null ? NaN : cell.there)), moved: cells.map((cell) => cell.moved), plain: false };
    }
    return {
      places: cells.map((cell) => (cell.value === null ? NaN : cell.value)),
      moved: cells.map((cell) => (cell.slope === null ? cell.moved : cell.moved.map((value) => value * cell.slope))),
      plain: true,
    };
  }

  /*
   * cells: one a submission: value (null where undefined), there (on the test's scale; null at its end), slope (of the
   *   way back; null at the end), moved (Float64Array: influence of each pool).
   * exam: weights (pools x resamples, row by row), strata (of each pool), resamples.
   * metric: better ("higher" or "lower"), rising (whether larger values lie up the scale).
   * rules: by number of pairs, the place of the yardstick among sorted distances and by how much it is made longer;
   *   with as many pairs as rules.learn, no yardstick is shorter than their median.
   * Returns pairs {one, two, difference, reach, verdict}, in order; reach is null where there is no interval.
   */
  function compare(cells, exam, metric, rules) {
    const { places, moved, plain } = onOneScale(cells);
    const turn = (metric.better === "higher" ? -1 : 1) * (plain || metric.rising ? 1 : -1);
    const pairs = [];
    for (let one = 0; one < cells.length; one += 1) {
      for (let two = one + 1; two < cells.length; two += 1) pairs.push({ one, two });
    }
    const rule = rules.pairs[pairs.length];
    for (const pair of pairs) Object.assign(pair, yardstick(moved[pair.one], moved[pair.two], exam, rule));
    const apart = pairs.filter((pair) => pair.error !== 0).map((pair) => pair.length).sort((a, b) => a - b);
    const least = apart.length >= rules.learn ? apart[Math.ceil(apart.length / 2) - 1] : 0;
    return pairs.map(({ one, two, error, length }) => {
      let margin = error === 0 ? 0 : error * Math.max(length, least);
      if (Number.isNaN(margin)) margin = Infinity;
      const gain = (places[two] - places[one]) * turn;
      const undefinedOne = cells[one].value === null || cells[two].value === null;
      const difference = undefinedOne ? null : cells[one].value - cells[two].value;
      const known = difference !== null && Number.isFinite(gain) && Number.isFinite(margin) && gain !== 0;
      return {
        one,
        two,
        difference,
        reach: known ? Math.abs((margin * difference) / gain) : null,
        verdict: gain > margin ? "better" : -gain > margin ? "worse" : "cannot tell",
      };
    });
  }

  return { compare };
})();
