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

  /* The scales of wa_bench/evaluation/metrics.py: there, the way back, and its slope at a place. */
  const SCALES = {
    plain: { there: (value) => value, back: (x) => x, slope: () => 1 },
    logarithm: { there: Math.log, back: Math.exp, slope: Math.exp },
    shortfall: { there: (value) => Math.log(1 - value), back: (x) => 1 - Math.exp(x), slope: (x) => -Math.exp(x) },
    fisher: { there: Math.atanh, back: Math.tanh, slope: (x) => 1 / Math.cosh(x) ** 2 },
    share: { there: (value) => value, back: (x) => Math.min(Math.max(x, 0), 100), slope: () => 1 },
    "log-odds": {
      there: (value) => Math.log(value / (200 - value)),
      back: (x) => 200 / (1 + Math.exp(-x)),
      slope: (x) => 50 / Math.cosh(x / 2) ** 2,
    },
  };

  /*
   * The scale of a pair, as in wa_bench/evaluation/pair_scale.py: for each of its values, how bad it is there, and what
   * its influences are multiplied with.
   */
  function onScaleOfPair(values, worse, metric, far) {
    const scale = SCALES[metric.scale];
    const bad = metric.better === "higher" ? -1 : 1;
    const down = metric.rising ? bad : -bad;
    const slope = (place) => (Number.isFinite(place) ? scale.slope(place) : 1);
    const bend = scale.there(worse) - down * far;
    return values.map((value) => {
      const there = scale.there(value);
      if (!Number.isFinite(bend)) return { badness: bad * value, factor: slope(there) };
      if (bad * (value - scale.back(bend)) >= 0) return { badness: down * there, factor: 1 };
      const straight = bend + (value - scale.back(bend)) / scale.slope(bend);
      return { badness: down * straight, factor: slope(there) / scale.slope(bend) };
    });
  }

  /* A pair's standard error, and how many of them its difference must exceed. */
  function yardstick(apart, exam, rule) {
    const error = Math.sqrt(apart.reduce((sum, value) => sum + value * value, 0));
    if (error === 0) return { error, length: 0 };
    return { error, length: distances(apart, exam).sort()[rule.place] * rule.longer };
  }

  function judgedAlone(one, two, exam, metric, rules, rule) {
    if (one.value === null || two.value === null) return { difference: null, gain: NaN, error: NaN, length: Infinity };
    const higher = metric.better === "higher";
    const worse = higher ? Math.min(one.value, two.value) : Math.max(one.value, two.value);
    const [here, there] = onScaleOfPair([one.value, two.value], worse, metric, rules.far);
    const apart = one.moved.map((value, pool) => value * here.factor - two.moved[pool] * there.factor);
    return { difference: one.value - two.value, gain: there.badness - here.badness, ...yardstick(apart, exam, rule) };
  }

  /*
   * cells: one a submission: value (null where undefined), moved (Float64Array: influence of each pool, on the metric's
   *   scale).
   * exam: weights (pools x resamples, row by row), strata (of each pool), resamples.
   * metric: better ("higher" or "lower"), scale (its name), rising (whether larger values lie up the scale).
   * rules: by number of pairs, the place of the yardstick among sorted distances and by how much it is made longer;
   *   with as many pairs as rules.learn, no yardstick is shorter than their median; rules.far, see pair_scale.py.
   * Returns pairs {one, two, difference, reach, verdict}, in order; reach is null where there is no interval.
   */
  function compare(cells, exam, metric, rules) {
    const pairs = [];
    for (let one = 0; one < cells.length; one += 1) {
      for (let two = one + 1; two < cells.length; two += 1) pairs.push({ one, two });
    }
    const rule = rules.pairs[pairs.length];
    for (const pair of pairs) Object.assign(pair, judgedAlone(cells[pair.one], cells[pair.two], exam, metric, rules, rule));
    const apart = pairs.filter((pair) => pair.error !== 0).map((pair) => pair.length).sort((a, b) => a - b);
    const least = apart.length >= rules.learn ? apart[Math.ceil(apart.length / 2) - 1] : 0;
    return pairs.map(({ one, two, difference, gain, error, length }) => {
      let margin = error === 0 ? 0 : error * Math.max(length, least);
      if (Number.isNaN(margin)) margin = Infinity;
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
