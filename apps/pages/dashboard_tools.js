// The dashboard of a live run. These files become one script, in the order of CMakeLists.txt; what one declares at its top level,
// those after it use. Everything that is drawn is made once and then updated; data reaches the page as text only, never as markup.
"use strict";

const {by_id, css, is_number, none, or_none, figures, count, percent, accuracy_text, bytes, seconds, el, svg, tick_text, span_decades, layout_of, number_in, edge_path, tip_for} = base;

addEventListener("error", event => {
  by_id("failure").textContent = `This page does not work as it should: ${event.message}`;
  by_id("failure").hidden = false;
});

function say(node, text) {
  if (node.textContent !== text)
    node.textContent = text;
}
function classes(node, text) {
  if (node.getAttribute("class") !== text)
    node.setAttribute("class", text);
}
/// As many children as there are items: made by `make`, brought up to date by `update(child, item, index)`.
function sync(parent, items, make, update) {
  while (parent.children.length > items.length)
    parent.lastElementChild.remove();
  while (parent.children.length < items.length)
    parent.append(make());
  items.forEach((item, i) => update(parent.children[i], item, i));
}
const width_of = (node, share) => node.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
const decimals = n => or_none(x => x.toFixed(n));
const clock_text = or_none(s => s < 60 ? `${s.toFixed(1)} s` : `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")} min`);
const join_and = words => words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;

let view;
const workers = () => view.workers;
const phase_of = i => view.phases[workers().phase[i]];
const standing_of = i => view.standings[workers().standing[i]];
const node_of = i => view.nodes[workers().node[i]]?.address ?? "";
const is_straggler = i => workers().straggler[i] === 1;
const is_waiting = i => standing_of(i) === "working" && (phase_of(i) === "gathering" || phase_of(i) === "settling");
const stragglers = () => Array.from(workers().straggler.keys()).filter(is_straggler);
const doing = i => standing_of(i) === "working" ? phase_of(i) : standing_of(i);

function worker_tip(i) {
  const w = workers();
  return [`worker ${i}${is_straggler(i) ? " (straggler)" : ""}`, `${doing(i)} for ${seconds(w.in_phase_s[i])}, round ${count(w.round[i])}`,
    `step ${seconds(w.step_s[i])}, round ${seconds(w.round_s[i])}`, `waiting ${percent(w.wait_share[i])}`,
    `backup workers ${decimals(2)(w.backup_workers[i])} of ${count(w.neighbours[i])}`, ...(is_number(w.loss[i]) ? [`loss ${figures(w.loss[i])}`] : []), node_of(i)];
}
