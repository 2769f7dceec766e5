// The dashboard's graph: who averages with whom, who waits for whom.
"use strict";

const graph_svg_max = 150; // workers drawn as elements; more are painted
const wait_s_min = 0.25; // shorter waits are not drawn into the graph: they would only flicker

const graph = {key: "", node: undefined};

function make_graph() {
  const e = view.edges;
  const known = [...Array(workers().count).keys()];
  graph.layout = layout_of(view.run.topology, known, e.low ? e.low.map((low, i) => [low, e.high[i]]) : []);
  const {width, height} = graph.layout, pad = 10;
  const key = el("p", {class: "key"}, el("span", {}, el("i", {class: "bar-line"}), "averages often"), el("span", {}, el("i", {class: "dot waiting"}), "waits"),
    el("span", {}, el("i", {class: "dot straggler"}), "straggler"));
  if (known.length <= graph_svg_max)
    key.append(el("span", {}, el("i", {class: "arrow"}), `waits for, over ${seconds(wait_s_min)}`));
  if (known.length > graph_svg_max) {
    graph.canvas = el("canvas", {role: "img"});
    graph.drawn = graph.canvas;
    let pointed;
    graph.canvas.addEventListener("pointermove", event => pointed = nearest_worker(event));
    tip_for(graph.canvas, () => is_number(pointed) && pointed < workers().count ? worker_tip(pointed) : ["the graph"]);
  } else {
    graph.canvas = undefined;
    graph.edges = (e.low ?? []).map((low, i) => {
      const d = edge_path(graph.layout, low, e.high[i]);
      const hit = svg("path", {class: "hit", d, "stroke-width": 10}), line = svg("path", {class: "edge", d});
      tip_for(hit, () => [`edge ${low} – ${e.high[i]}`, view.edges.up?.[i] ? `${figures(view.edges.recent_per_s[i])} averages per second` : "down"]);
      return {line, group: svg("g", {}, hit, line)};
    });
    graph.nodes = known.map(i => {
      const {x, y} = graph.layout.place.get(i);
      const circle = svg("circle", {cx: x.toFixed(1), cy: y.toFixed(1), r: graph.layout.radius});
      const node = svg("g", {class: "node"}, circle, number_in(graph.layout, i));
      tip_for(node, () => worker_tip(i));
      return node;
    });
    graph.waits = svg("g");
    graph.drawn = svg("svg", {viewBox: `${-pad} ${-pad} ${width + 2 * pad} ${height + 2 * pad}`, role: "img"},
      svg("defs", {}, svg("marker", {id: "head", viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 4.2, markerHeight: 4.2, orient: "auto-start-reverse"}, svg("path", {class: "head", d: "M0 0.500L8 4L0 7.500z"}))),
      svg("g", {}, ...graph.edges.map(edge => edge.group)), graph.waits, svg("g", {}, ...graph.nodes));
  }
  by_id("graph").replaceChildren(graph.drawn, ...(e.low ? [] : [el("p", {class: "what"}, `${count(e.count)} edges are too many to draw.`)]), key);
}

const strength_of = (i, most) => Math.min(1, (view.edges.recent_per_s[i] ?? 0) / most);

function node_class(i) {
  const standing = standing_of(i);
  return `node${is_straggler(i) ? " straggler" : ""}${standing !== "working" ? ` ${standing}` : is_waiting(i) ? " waiting" : ""}`;
}

function draw_waits_in_graph() {
  const pairs = view.waits.shown.filter(w => w.whom !== null && w.waited_s >= wait_s_min).slice(0, 40);
  sync(graph.waits, pairs, () => svg("path", {class: "wait", "marker-end": "url(#head)"}), (line, w) => {
    const p = graph.layout.place.get(w.who), q = graph.layout.place.get(w.whom);
    if (!p || !q)
      return line.setAttribute("d", "");
    const length = Math.hypot(q.x - p.x, q.y - p.y) || 1, r = graph.layout.radius + 4;
    const at = (from, to, by) => `${(from.x + (to.x - from.x) * by / length).toFixed(1)} ${(from.y + (to.y - from.y) * by / length).toFixed(1)}`;
    line.setAttribute("d", `M${at(p, q, r)}L${at(q, p, r + 2)}`);
  });
}

function draw_graph() {
  const e = view.edges, n = workers().count;
  const key = `${view.run.topology} ${n} ${e.count} ${e.low?.[0]} ${e.high?.[0]} ${e.low?.at(-1)} ${e.high?.at(-1)}`;
  if (key !== graph.key) {
    graph.key = key;
    make_graph();
  }
  let most = 1e-9;
  for (const rate of e.recent_per_s ?? [])
    most = Math.max(most, rate ?? 0);
  const down = e.up ? e.up.filter(up => !up).length : 0;
  graph.drawn.setAttribute("aria-label", `Graph of ${plural(n, "worker")} and ${plural(e.count, "edge")}, ${down} down, ${plural(stragglers().length, "straggler")}.`);
  graph.drawn.dataset.edges = String(e.low?.length ?? 0);
  if (graph.canvas)
    return paint_graph(most);
  const thickest = Math.max(2, Math.min(8, 250 / Math.max(1, e.count), 0.5 * graph.layout.radius));
  graph.edges.forEach(({line}, i) => {
    const strength = strength_of(i, most);
    classes(line, !e.up[i] ? "edge down" : strength > 0 ? "edge" : "edge never");
    line.setAttribute("stroke-width", (0.8 + (thickest - 0.8) * strength).toFixed(2));
    line.setAttribute("opacity", e.up[i] ? (0.22 + 0.78 * strength).toFixed(2) : "0.8");
  });
  graph.nodes.forEach((node, i) => classes(node, node_class(i)));
  draw_waits_in_graph();
}

function graph_scale() {
  const size = graph.canvas.clientWidth;
  return {size, scale: (size - 24) / Math.max(graph.layout.width, graph.layout.height)};
}

function nearest_worker(event) {
  const box = graph.canvas.getBoundingClientRect(), {scale} = graph_scale();
  const x = (event.clientX - box.left - 12) / scale, y = (event.clientY - box.top - 12) / scale;
  let best, least = 400;
  for (const [i, p] of graph.layout.place) {
    const far = (p.x - x) ** 2 + (p.y - y) ** 2;
    if (far < least) {
      least = far;
      best = i;
    }
  }
  return best;
}

/// Strongest last, in a few passes of one path each: thousands of lines in a few milliseconds.
function paint_graph(most) {
  const {size, scale} = graph_scale(), e = view.edges;
  const paint = painted(graph.canvas, size, size);
  if (!paint)
    return;
  const place = i => {
    const p = graph.layout.place.get(i);
    return [12 + scale * p.x, 12 + scale * p.y];
  };
  const levels = 6, bins = Array.from({length: levels + 1}, () => []);
  for (let i = 0; i < (e.low?.length ?? 0); ++i)
    bins[e.up[i] ? 1 + Math.min(levels - 1, Math.floor(levels * strength_of(i, most))) : 0].push(i);
  bins.forEach((bin, level) => {
    paint.strokeStyle = level === 0 ? css("--bad") : css("--policy-0");
    paint.globalAlpha = level === 0 ? 0.8 : 0.12 + 0.6 * level / levels;
    paint.lineWidth = 0.5 + 1.4 * level / levels;
    paint.beginPath();
    for (const i of bin) {
      paint.moveTo(...place(e.low[i]));
      paint.lineTo(...place(e.high[i]));
    }
    paint.stroke();
  });
  paint.globalAlpha = 1;
  const colours = {working: css("--ink-soft"), waiting: css("--policy-1"), gone: css("--bad"), straggler: css("--ink")};
  const radius = Math.max(0.8, Math.min(5, 0.8 * graph.layout.radius * scale, 450 * scale / workers().count));
  paint.font = `600 12px ${css("--sans")}`;
  paint.textAlign = "center";
  for (let i = 0; i < workers().count; ++i) {
    const standing = standing_of(i), [x, y] = place(i), slow = is_straggler(i);
    paint.fillStyle = standing === "lost" || standing === "silent" ? colours.gone : slow ? colours.straggler : is_waiting(i) ? colours.waiting : colours.working;
    paint.beginPath();
    paint.arc(x, y, slow ? Math.max(5, 2 * radius) : radius, 0, 2 * Math.PI);
    paint.fill();
    if (slow) // its number on the inner side
      paint.fillText(String(i), x + 18 * Math.sign(size / 2 - x) * Math.abs(1 - 2 * x / size), y + 4 + 18 * Math.sign(size / 2 - y) * Math.abs(1 - 2 * y / size));
  }
}
