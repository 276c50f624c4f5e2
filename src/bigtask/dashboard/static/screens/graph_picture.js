/** The graph of tasks as SVG. */

import { html, nothing, svg } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { STATES } from "../core/words.js";

const LONGEST_REASON = 300;

export function graphPicture(shapes, chosen, open) {
  if (!shapes.nodes.length) return html`<p class="empty">There is no plan yet.</p>`;
  return html`<div class="graph-room"><svg class="graph" viewBox="0 0 ${shapes.width} ${shapes.height}" width=${shapes.width} height=${shapes.height} role="group" aria-label="Tasks and what they depend on">
    <defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z"></path></marker></defs>
    ${repeat(shapes.edges, (one) => one.id, (one) => svg`<path class="edge ${one.critical ? "critical" : ""}" d=${line(one.points)} marker-end="url(#tip)"></path>`)}
    ${repeat(shapes.nodes, (one) => one.id, (one) => svg`<g class="node ${one.state} ${one.worth} ${chosen === one.id ? "chosen" : ""} ${one.critical ? "critical" : ""}" tabindex="0" role="button" @click=${() => open(one.id)} @keydown=${(event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(one.id); } }}>
      <title>${one.title}: ${stands(one)}${one.key ? `, key ${one.key}` : ""}${one.reason ? `: ${one.reason.slice(0, LONGEST_REASON)}` : ""}</title>
      <rect x=${one.x} y=${one.y} width=${one.width} height=${one.height} rx="7"></rect>
      <text class="id" x=${one.x + 12} y=${one.y + 20}>${one.id.length > 21 ? `${one.id.slice(0, 20)}…` : one.id}</text>
      <text class="state" x=${one.x + 12} y=${one.y + 36}>${stands(one)}</text>
      ${one.key ? svg`<g class="key" aria-hidden="true"><rect x=${one.x + one.width - 27} y=${one.y + 9} width="18" height="18" rx="4"></rect><text x=${one.x + one.width - 18} y=${one.y + 22}>${one.key}</text></g>` : nothing}</g>`)}
  </svg></div>
  ${shapes.nodes.length > 1 ? html`<p class="hint">The thick line is the chain that decides how long it takes.</p>` : nothing}`;
}

function stands(one) {
  return `${STATES[one.state] ?? one.state}${one.attempt > 1 ? `, attempt ${one.attempt}` : ""}`;
}

function line(points) {
  const [first, ...rest] = points;
  return `M${first.x} ${first.y}${rest.map((point) => `L${point.x} ${point.y}`).join("")}`;
}
