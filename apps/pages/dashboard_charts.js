// What the dashboard charts: the last minutes as lines, and the workers as bars or cells.
"use strict";

const bars_max = 40; // workers that get a bar and a number each; more become cells

// --- Charts over time -----------------------------------------------------------------------------------------------

/// A second line, dashed, is a constant to compare with.
const curves = [
  {title: "Training loss", field: "loss", hue: 0, text: figures, now: run => run.loss},
  {title: "Test accuracy", field: "accuracy", hue: 0, text: accuracy_text, share: true, now: run => run.newest_evaluation?.test_accuracy, line: run => run.target_accuracy, line_name: "target"},
  {title: "Consensus distance", field: "consensus_distance", hue: 3, text: figures, log: true, now: run => run.consensus_distance},
  {title: "Useful gradients", field: "steps_per_s", hue: 2, text: or_none(x => `${figures(x)} / s`), zero: true, now: run => run.steps_per_s, line: run => run.no_wait_per_s, line_name: "no-wait bound"},
  {title: "Backup workers", field: "backup_workers", hue: 4, text: decimals(2), zero: true, now: run => run.backup_workers},
  {title: "Waiting, share of time", field: "wait_share", hue: 1, text: percent, share: true, zero: true, now: run => run.wait_share},
];

function scales_of(curve) {
  const ink = css("--ink-soft"), grid = css("--line-soft");
  return {
    x: {type: "linear", grid: {display: false, borderColor: css("--line")}, ticks: {color: ink, maxTicksLimit: 6, maxRotation: 0, includeBounds: false, callback: s => `${s} s`}},
    y: {type: curve.log ? "logarithmic" : "linear", beginAtZero: curve.zero, grid: {color: grid, borderColor: "transparent", drawTicks: false},
      ticks: {color: ink, padding: 6, maxTicksLimit: curve.log ? undefined : 5, callback: value => tick_text(curve, value)},
      afterDataLimits: scale => {
        if (curve.log)
          span_decades(scale);
        else if (curve.share)
          scale.max = Math.min(1, scale.max + 0.05 * (scale.max - scale.min));
      }},
  };
}

function make_chart(curve) {
  const hue = css(`--policy-${curve.hue}`);
  const line = {pointRadius: 0, pointHitRadius: 0, pointHoverRadius: 4, borderWidth: 2, borderColor: hue, tension: 0, spanGaps: true};
  return new Chart(curve.canvas, {
    type: "line",
    data: {datasets: [{...line, label: curve.title, backgroundColor: `${hue}1f`, fill: !curve.log, data: []},
      {...line, label: curve.line_name, borderColor: css("--ink"), borderWidth: 1.4, borderDash: [5, 4], pointHoverRadius: 0, fill: false, data: []}]},
    options: {
      animation: false, parsing: false, normalized: true, maintainAspectRatio: false, events: ["mousemove", "mouseout", "touchstart", "touchmove"],
      interaction: {mode: "each_line", intersect: false},
      layout: {padding: {right: 8, top: 4}},
      scales: scales_of(curve),
      plugins: {
        legend: {display: false},
        tooltip: {backgroundColor: css("--ink"), titleColor: css("--ground"), bodyColor: css("--ground"), displayColors: false, padding: 8, filter: item => item.datasetIndex === 0,
          callbacks: {title: items => items.length ? `after ${seconds(items[0].parsed.x)}` : "", label: item => `${curve.title.toLowerCase()} ${curve.text(item.parsed.y)}`}},
      },
    },
  });
}

function make_charts() {
  Chart.defaults.font.family = css("--sans");
  Chart.defaults.font.size = 11.5;
  for (const curve of curves) {
    curve.canvas = el("canvas", {role: "img"});
    curve.number = el("span", {class: "now"});
    const legend = curve.line ? el("span", {class: "legend what"}, el("i"), curve.line_name) : undefined;
    curve.figure = el("figure", {class: "card"}, el("div", {class: "title"}, el("h3", {}, curve.title), legend, curve.number), el("div", {class: "plot"}, curve.canvas));
    by_id("charts").append(curve.figure);
    curve.chart = make_chart(curve);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const curve of curves) {
      curve.chart.destroy();
      curve.chart = make_chart(curve);
    }
    if (view)
      draw();
  });
}

function draw_charts(run) {
  const at = view.history.time_s;
  for (const curve of curves) {
    const values = view.history[curve.field];
    const points = [];
    for (let i = 0; i < at.length; ++i)
      if (is_number(values[i]) && (!curve.log || values[i] > 0))
        points.push({x: at[i], y: values[i]});
    curve.figure.hidden = points.length === 0;
    curve.canvas.dataset.points = String(points.length);
    if (points.length === 0)
      continue;
    const level = curve.line?.(run);
    const [data, line] = curve.chart.data.datasets;
    data.data = points;
    line.data = is_number(level) ? [{x: at[0], y: level}, {x: at.at(-1), y: level}] : [];
    const x = curve.chart.options.scales.x;
    x.min = at[0];
    x.max = Math.max(at.at(-1), at[0] + 1);
    curve.chart.update("none");
    const now = curve.now(run);
    say(curve.number, curve.text(now));
    curve.canvas.setAttribute("aria-label", `Line chart of ${curve.title.toLowerCase()} against time, from ${curve.text(points[0].y)} to ${curve.text(points.at(-1).y)}.`);
  }
}

// --- Worker by worker: bars, or cells for many ----------------------------------------------------------------------

const strips = [
  {title: "Backup workers", what: "neighbours not waited for, per round", field: "backup_workers", hue: 4, text: decimals(2), most: () => 1},
  {title: "Waiting", what: "share of the time in rounds", field: "wait_share", hue: 1, text: percent, most: () => 0.25},
  {title: "Step time", what: "computing, mean per step", field: "step_s", hue: 0, text: seconds, most: () => 0},
];

/// A canvas with as many pixels as the screen shows of it; null while it has no size.
function painted(canvas, width, height) {
  const scale = devicePixelRatio || 1;
  if (width < 1)
    return null;
  canvas.style.height = `${height}px`;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const paint = canvas.getContext("2d");
  paint.setTransform(scale, 0, 0, scale, 0, 0);
  paint.clearRect(0, 0, width, height);
  return paint;
}

function make_strips() {
  for (const strip of strips) {
    strip.canvas = el("canvas", {role: "img"});
    strip.number = el("span");
    by_id("strips").append(el("div", {class: "card"}, el("div", {class: "title"}, el("h3", {}, strip.title), el("span", {class: "now"}, el("small", {}, "mean "), strip.number)),
      el("p", {class: "what"}, strip.what), strip.canvas));
    const at = event => {
      const box = strip.canvas.getBoundingClientRect();
      return strip.index_at?.(event.clientX - box.left, event.clientY - box.top);
    };
    let pointed;
    strip.canvas.addEventListener("pointermove", event => pointed = at(event));
    strip.canvas.addEventListener("pointerdown", event => pointed = at(event));
    tip_for(strip.canvas, () => view && pointed >= 0 && pointed < workers().count ? worker_tip(pointed) : [strip.title]);
  }
}

function paint_bars(strip, values, most) {
  const n = values.length, width = strip.canvas.clientWidth, height = 128, foot = 18, head = 14;
  const paint = painted(strip.canvas, width, height);
  if (!paint)
    return;
  const cell = width / n, gap = Math.min(6, 0.22 * cell), tall = height - foot - head;
  strip.index_at = x => Math.floor(x / cell);
  paint.font = `11px ${css("--sans")}`;
  paint.strokeStyle = css("--line-soft");
  for (const level of [0, 0.5, 1]) {
    const y = Math.round(head + tall * (1 - level)) + 0.5;
    paint.beginPath();
    paint.moveTo(0, y);
    paint.lineTo(width, y);
    paint.stroke();
  }
  const hue = css(`--policy-${strip.hue}`), ink = css("--ink"), soft = css("--ink-soft");
  const every = Math.ceil(18 / cell);
  paint.textAlign = "center";
  for (let i = 0; i < n; ++i) {
    const share = is_number(values[i]) ? Math.min(1, values[i] / most) : 0;
    paint.fillStyle = is_straggler(i) ? ink : hue;
    const tall_i = Math.max(1.5, share * tall);
    paint.beginPath();
    paint.roundRect(i * cell + gap, head + tall - tall_i, cell - 2 * gap, tall_i, [Math.min(3, cell / 4), Math.min(3, cell / 4), 0, 0]);
    paint.fill();
    paint.fillStyle = is_straggler(i) ? ink : soft;
    if (i % every === 0 || is_straggler(i))
      paint.fillText(String(i), (i + 0.5) * cell, height - 4);
  }
  paint.textAlign = "left";
  paint.fillStyle = soft;
  paint.fillText(strip.text(most), 0, head - 4);
}

function paint_cells(strip, values, most) {
  const n = values.length, width = strip.canvas.clientWidth;
  const size = Math.max(3, Math.min(16, Math.sqrt(width * 150 / n)));
  const columns = Math.max(1, Math.floor(width / size)), rows = Math.ceil(n / columns);
  const paint = painted(strip.canvas, width, Math.ceil(rows * size) + 2);
  if (!paint)
    return;
  strip.index_at = (x, y) => x < columns * size ? Math.floor(y / size) * columns + Math.floor(x / size) : -1;
  const inset = size > 7 ? 1 : 0.4;
  const hue = css(`--policy-${strip.hue}`);
  paint.fillStyle = hue;
  for (let i = 0; i < n; ++i) {
    paint.globalAlpha = 0.08 + 0.92 * (is_number(values[i]) ? Math.min(1, values[i] / most) : 0);
    paint.fillRect(i % columns * size, Math.floor(i / columns) * size, size - inset, size - inset);
  }
  paint.globalAlpha = 1;
  paint.strokeStyle = css("--ink");
  paint.lineWidth = 2;
  for (const i of stragglers())
    paint.strokeRect(i % columns * size, Math.floor(i / columns) * size, size - inset, size - inset);
}

function draw_strips() {
  const n = workers().count;
  const slow = stragglers();
  const names = slow.length > 6 ? ` Stragglers: ${slow.length}.` : slow.length ? ` Straggler${slow.length > 1 ? "s" : ""}: ${join_and(slow.map(String))}.` : "";
  say(by_id("workers-what"), n <= bars_max ? `Over the last few seconds.${names}` : `One cell per worker, by number from the top left, over the last few seconds; stronger is more, stragglers are framed.${names}`);
  for (const strip of strips) {
    const values = workers()[strip.field];
    let most = strip.most(), sum = 0, known = 0;
    for (const value of values)
      if (is_number(value)) {
        most = Math.max(most, value);
        sum += value;
        ++known;
      }
    say(strip.number, known ? strip.text(sum / known) : none);
    (n <= bars_max ? paint_bars : paint_cells)(strip, values, most || 1);
    strip.canvas.dataset.workers = String(n);
    strip.canvas.setAttribute("aria-label", `${strip.title} of ${plural(n, "worker")}, at most ${strip.text(most)}. The table of workers has the numbers.`);
  }
}
