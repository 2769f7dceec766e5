// The report's charts over time.
"use strict";

/// How workers are compared while a run lasts.
function scored_text() {
  const scored = runs.flatMap(run => run.evaluations.filter(e => e.scored_workers > 0 && !e.at_end));
  if (!scored.length)
    return "";
  const {scored_workers: n, scored_samples: samples} = scored[0];
  const some = runs.some(run => n < run.workers) ? `, of ${count(n)} drawn by the seed` : "";
  return `${some}: the average model’s, less what the worker is behind it on ${count(samples)} test samples drawn by the seed`;
}
const apart = "The last point, set apart, is what the run left after its closing averages.";

const curves = [
  {id: "accuracy", title: "Test accuracy", what: "Of the average model, on the whole test set.", field: "test_accuracy", text: accuracy_text, share: true, target: true,
    read: "Further left is better: compare where the lines cross the dashed target line, the ringed points, rather than where they end."},
  {id: "loss", title: "Test loss", what: "Of the average model, on the whole test set.", field: "test_loss", text: figures,
    read: "The faster fall wins; a line that rises again is overfitting or has too large a step size."},
  {id: "worst", title: "Worst worker’s test accuracy", what: `The lowest accuracy of any single worker’s own estimate${scored_text()}. ${apart}`, field: "worst_worker_accuracy", text: accuracy_text, share: true, target: true, closes: true,
    read: "It should follow the average model closely; a gap means that somebody, often the straggler, is left behind."},
  {id: "consensus", title: "Consensus distance", what: `Mean squared distance of estimates from their average (log). ${apart}`, field: "consensus_distance", text: figures, log: true, closes: true,
    read: "It should stay bounded and fall in the end; steady growth means that the workers drift apart."},
];
const hidden = new Set();
let charts = [];

const target_line = {
  id: "target_line",
  beforeDatasetsDraw(chart, _, options) {
    if (!is_number(options.at))
      return;
    const {ctx, chartArea: area, scales: {y}} = chart;
    const at = y.getPixelForValue(options.at);
    if (at < area.top || at > area.bottom)
      return;
    ctx.save();
    ctx.strokeStyle = css("--ink");
    ctx.setLineDash([5, 4]);
    ctx.beginPath();
    ctx.moveTo(area.left, at);
    ctx.lineTo(area.right, at);
    ctx.stroke();
    ctx.restore();
  },
  afterDatasetsDraw(chart, _, options) {
    const {ctx, chartArea: area, scales: {x, y}} = chart;
    const active = chart.tooltip?.getActiveElements?.() ?? [];
    ctx.save();
    if (active.length && chart.tooltip.opacity > 0) {
      ctx.strokeStyle = css("--ink-soft");
      ctx.beginPath();
      ctx.moveTo(chart.tooltip.caretX, area.top);
      ctx.lineTo(chart.tooltip.caretX, area.bottom);
      ctx.stroke();
    }
    if (options.reached && is_number(options.at))
      for (const [i, run] of chart.data.datasets.map(d => d.run).entries()) {
        if (!has_reached(run) || !chart.isDatasetVisible(i))
          continue;
        ctx.beginPath();
        ctx.arc(x.getPixelForValue(run.time_to_target_s), y.getPixelForValue(options.at), 6, 0, 2 * Math.PI);
        ctx.fillStyle = css("--surface");
        ctx.strokeStyle = css(`--policy-${run.hue}`);
        ctx.lineWidth = 3;
        ctx.fill();
        ctx.stroke();
      }
    const at = is_number(options.at) ? y.getPixelForValue(options.at) : -1;
    if (at >= area.top && at <= area.bottom) {
      const text = `target ${target_text}`;
      ctx.font = `600 11.5px ${Chart.defaults.font.family}`;
      ctx.textBaseline = "bottom";
      ctx.lineJoin = "round";
      ctx.lineWidth = 4;
      ctx.strokeStyle = css("--surface");
      ctx.strokeText(text, area.left + 6, at - 4);
      ctx.fillStyle = css("--ink");
      ctx.fillText(text, area.left + 6, at - 4);
    }
    ctx.restore();
  },
};

/// Behind the lines: where the mean over the seeds lies with 95 % confidence.
const bands = {
  id: "bands",
  beforeDatasetsDraw(chart) {
    const {ctx, chartArea: area, scales: {x, y}} = chart;
    ctx.save();
    ctx.beginPath();
    ctx.rect(area.left, area.top, area.width, area.height);
    ctx.clip();
    chart.data.datasets.forEach((line, i) => {
      if (!chart.isDatasetVisible(i))
        return;
      const low = p => y.getPixelForValue(y.type === "logarithmic" ? Math.max(y.min, p.y - p.half) : p.y - p.half);
      const high = p => y.getPixelForValue(p.y + p.half);
      ctx.fillStyle = ctx.strokeStyle = css(`--policy-${line.run.hue}`);
      const apart = line.data.findIndex(p => Number.isNaN(p.y));
      const points = line.data.slice(0, apart < 0 ? undefined : apart);
      if (points.some(p => p.half > 0)) {
        ctx.globalAlpha = 0.16;
        ctx.beginPath();
        points.forEach(p => ctx.lineTo(x.getPixelForValue(p.x), high(p)));
        points.reverse().forEach(p => ctx.lineTo(x.getPixelForValue(p.x), low(p)));
        ctx.fill();
      }
      const end = apart < 0 ? undefined : line.data.at(-1);
      if (end?.half > 0) {
        ctx.globalAlpha = 1;
        ctx.lineWidth = 1.6;
        ctx.beginPath();
        ctx.moveTo(x.getPixelForValue(end.x), low(end));
        ctx.lineTo(x.getPixelForValue(end.x), high(end));
        ctx.stroke();
      }
    });
    ctx.restore();
  },
};

function line_of(run, curve) {
  const points = run.evaluations.filter(e => is_number(e.time_s) && is_number(e[curve.field]) && (!curve.log || e[curve.field] > 0))
    .flatMap(e => [...(curve.closes || several_seeds) && e.at_end ? [{x: e.time_s, y: NaN}] : [], {x: e.time_s, y: e[curve.field], half: e.half_widths?.[curve.field] ?? 0}]); // NaN: no line to it
  const hue = css(`--policy-${run.hue}`);
  const every = Math.max(1, Math.ceil(points.length / 8));
  const marked = context => context.dataIndex === points.length - 1 ||
    context.dataIndex < points.length - 1 - every / 2 && (context.dataIndex + run.hue * 2 + run.variant) % every === 0;
  return {run, label: run.label, data: points, hidden: hidden.has(run), borderColor: hue, backgroundColor: hue, borderWidth: 2.2, borderDash: dash_of(run), tension: 0,
    pointStyle: shape_of(run)[0], pointRadius: context => marked(context) ? 4 : 0, pointHoverRadius: 5, pointBorderColor: css("--surface"),
    pointBorderWidth: 1, pointHitRadius: 0, clip: 8};
}

function chart_of(canvas, curve) {
  const ink = css("--ink-soft"), grid = css("--line-soft");
  const title = text => ({display: true, text, color: ink, font: {size: 12}});
  return new Chart(canvas, {
    type: "line",
    data: {datasets: runs.map(run => line_of(run, curve))},
    plugins: [bands, target_line],
    options: {
      animation: false, parsing: false, normalized: true, maintainAspectRatio: false,
      interaction: {mode: "each_line", intersect: false},
      layout: {padding: {right: 10, top: 4}},
      scales: {
        x: {type: "linear", min: 0, max: longest_s, title: title(`${time_name} (s)`), grid: {display: false, borderColor: css("--line")},
          ticks: {color: ink, maxTicksLimit: 9, maxRotation: 0, includeBounds: false}},
        y: {type: curve.log ? "logarithmic" : "linear", grid: {color: context => curve.log && !tick_text(curve, context.tick.value) ? "transparent" : grid, borderColor: "transparent", drawTicks: false},
          afterDataLimits: scale => {
            for (const p of scale.chart.data.datasets.flatMap((line, i) => scale.chart.isDatasetVisible(i) ? line.data.filter(p => p.half > 0) : [])) {
              scale.max = Math.max(scale.max, p.y + p.half);
              if (p.y - p.half > 0 || !curve.log && !curve.share)
                scale.min = Math.min(scale.min, p.y - p.half);
            }
            if (curve.share && curve.target && is_number(target) && scale.max < target)
              scale.max = target;
            if (curve.share)
              scale.max = Math.min(1, scale.max + 0.03 * (scale.max - scale.min));
            if (curve.log)
              span_decades(scale);
          },
          ticks: {color: ink, padding: 8, maxTicksLimit: curve.log ? undefined : 7, callback: value => tick_text(curve, value)}},
      },
      plugins: {
        legend: {display: false},
        target_line: {at: curve.target ? target : undefined, reached: curve.field === "test_accuracy"},
        tooltip: {backgroundColor: css("--ink"), titleColor: css("--ground"), bodyColor: css("--ground"), usePointStyle: true, boxPadding: 5, padding: 9,
          callbacks: {title: () => curve.title, labelColor: item => ({borderColor: "transparent", backgroundColor: item.dataset.borderColor}), label: item => ` ${item.dataset.label}: ${curve.text(item.parsed.y)}${item.raw.half > 0 ? ` ± ${curve.text(item.raw.half)}` : ""} at ${seconds(item.parsed.x)}`}},
      },
    },
  });
}

function summary_of(curve) {
  const ends = runs.map(run => {
    const last = run.evaluations.findLast(e => is_number(e[curve.field]));
    return last && `${run.label} ends at ${curve.text(last[curve.field])} after ${seconds(last.time_s)}`;
  }).filter(Boolean);
  return `Line chart of ${curve.title.toLowerCase()} against ${time_name}. ${ends.join("; ")}.`;
}

function draw_curves() {
  const drawn = curves.filter(curve => runs.some(run => run.evaluations.some(e => is_number(e[curve.field]) && (!curve.log || e[curve.field] > 0))));
  if (!drawn.length)
    return by_id("curves").remove();
  Chart.defaults.font.family = css("--sans");
  Chart.defaults.font.size = 12;
  for (const curve of drawn) {
    curve.canvas = el("canvas", {role: "img", "aria-label": summary_of(curve)});
    by_id("charts").append(el("figure", {class: "card"}, el("h3", {}, curve.title), el("p", {class: "what"}, curve.what),
      el("div", {class: "plot"}, curve.canvas)));
  }
  const redraw = () => {
    charts.forEach(chart => chart.destroy());
    charts = drawn.map(curve => chart_of(curve.canvas, curve));
  };
  redraw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => charts.forEach(chart => chart.resize()));
  for (const run of runs) {
    const button = hued(el("button", {type: "button", "aria-pressed": "true", title: "Show or hide"}, swatch(run), name_of(run)), run);
    button.addEventListener("click", () => {
      const show = hidden.delete(run);
      if (!show)
        hidden.add(run);
      button.setAttribute("aria-pressed", String(show));
      for (const chart of charts) {
        chart.setDatasetVisibility(runs.indexOf(run), show);
        chart.update();
      }
    });
    by_id("curves-key").append(button);
  }
  by_id("curves-key").hidden = runs.length < 2;
  if (several_seeds)
    by_id("curves-what").textContent = "Means over the seeds, as long as all of them last; the bands are 95 % intervals. The last point, set apart, is the mean of the ends.";
  return drawn;
}
