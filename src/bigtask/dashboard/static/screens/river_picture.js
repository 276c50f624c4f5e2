/** The river as SVG. Everything in it that somebody wrote is text. */

import { html, nothing, svg } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { BAR, HEAD, LANE, STRIP } from "../core/river.js";
import { clock, duration } from "../core/numbers.js";
import { LIMITS, PHASES, STATES } from "../core/words.js";

const CHARACTER = 6.6;
const LABELLED = 34;
const LONGEST_REASON = 300;

/** `on` has `open(taskId, number)`, `ask(waitingId)`, `down(event)`, `wheel(event)`. */
export function picture(shapes, view, chosen, on) {
  return html`<svg class="river" viewBox="0 0 ${view.width} ${shapes.height}" width=${view.width} height=${shapes.height}
      role="group" aria-label="The run over time" @pointerdown=${on.down} @wheel=${on.wheel}>
    <defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatched" width="2.4" height="6"></rect></pattern>
      <pattern id="stopped" width="9" height="9" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)"><rect class="torn" width="2" height="9"></rect></pattern></defs>
    ${shapes.ticks.map((one) => svg`<g class="tick"><line x1=${one.x} x2=${one.x} y1="20" y2=${shapes.height}></line><text x=${one.x + 4} y="14">${one.said}</text></g>`)}
    ${shapes.phases.map((one) => svg`<g class="phase"><rect x=${one.x} y="20" width=${one.width} height="18" rx="3"></rect>${one.width > 60
      ? svg`<text x=${one.x + 7} y="33">${cut(PHASES[one.phase] + (one.round ? ` ${one.round + 1}` : ""), one.width - 12)}</text>` : nothing}</g>`)}
    ${shapes.lanes.map((lane, number) => svg`<rect class="lane ${number % 2 ? "odd" : ""}" x="0" y=${lane.y} width=${view.width} height=${LANE}></rect>`)}
    ${shapes.limits.map((one) => svg`<g class="limit"><rect x=${one.x} y=${HEAD} width=${one.width} height=${shapes.trunk.y - HEAD}></rect>
      ${label(said(one), one.x + 6, HEAD + STRIP - 6, view.width)}</g>`)}
    ${shapes.seams.map((one) => svg`<g class="seam"><title>${stopped(one)}</title><rect x=${one.x} y="20" width=${one.width} height=${shapes.height - 20}></rect>
      ${label(stopped(one), one.x + one.width + 6, shapes.height - 9, view.width)}</g>`)}
    <line class="trunk" x1=${shapes.trunk.from} x2=${shapes.trunk.to} y1=${shapes.trunk.y} y2=${shapes.trunk.y}></line>
    ${repeat(shapes.drops, (one) => one.id, (one) => svg`<g class="drop ${one.worth}"><path d=${fall(one, shapes.trunk.y)}></path><circle cx=${one.x} cy=${shapes.trunk.y} r="4.5"></circle></g>`)}
    ${repeat(shapes.coming, (one) => one.id, coming)}
    ${repeat(shapes.bars, (one) => one.id, (one) => bar(one, chosen, on))}
    ${shapes.threads.map(thread)}
    ${shapes.now === null ? nothing : svg`<g class="now"><line x1=${shapes.now} x2=${shapes.now} y1="16" y2=${shapes.height}></line>
      <path d="M${shapes.now - 5} 14h10l-5 7z"></path></g>`}
    ${repeat(shapes.bars.filter((one) => one.key), (one) => one.id, key)}
  </svg>`;
}

function bar(one, chosen, on) {
  const state = one.waiting ? "waiting" : one.state;
  const open = () => (one.key ? on.ask(one.waitingId) : on.open(one.taskId, one.number));
  return svg`<g class="bar ${state} ${one.worth} ${one.reserved ? "reserved" : ""} ${chosen === one.taskId ? "chosen" : ""} ${one.live ? "live" : ""}"
      tabindex="0" role="button" @click=${open} @keydown=${(event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(); } }}>
    <title>${spoken(one)}</title>
    <rect class="body" x=${one.x} y=${one.y} width=${one.width} height=${BAR} rx="5"></rect>
    ${one.worth === "half" ? svg`<rect class="fill" x=${one.x} y=${one.y + BAR / 2} width=${one.width} height=${BAR / 2} rx="5"></rect>` : nothing}
    ${one.live && one.percent ? svg`<rect class="sofar" x=${one.x} y=${one.y + BAR - 4} width=${(one.width * one.percent) / 100} height="4" rx="2"></rect>` : nothing}
    ${one.pauses.map((pause) => svg`<rect class="pause ${pause.kind}" x=${pause.x} y=${one.y} width=${pause.width} height=${BAR}></rect>`)}
    ${one.width > LABELLED && (!one.key || inside(one)) ? svg`<text x=${Math.max(one.x, 0) + 8} y=${one.y + 16}>${cut(name(one), one.width - (one.key ? 36 : 14))}</text>` : nothing}
  </g>`;
}

/** What a pointer that rests on the bar is told, and who can't see it. */
function spoken(one) {
  const stands = one.waiting ? "waits for you" : STATES[one.state] ?? one.state;
  return `${one.title}, attempt ${one.number}: ${stands}${one.key ? `, key ${one.key}` : ""}${one.reason ? `: ${one.reason.slice(0, LONGEST_REASON)}` : ""}`;
}

/** The number that opens its question: at the end of the bar, or instead of the name of a short one. */
function key(one) {
  const x = inside(one) ? one.x + one.width - 23 : one.x + one.width / 2 - 9;
  const y = one.y + (BAR - 18) / 2;
  return svg`<g class="key" aria-hidden="true"><rect x=${x} y=${y} width="18" height="18" rx="4"></rect><text x=${x + 9} y=${y + 13}>${one.key}</text></g>`;
}

function inside(one) {
  return one.key && one.width > 2 * LABELLED;
}

/** Around the ends of both bars, so that none of them hides it. */
function thread(one) {
  const reach = Math.max(one.from.x, one.to.x) + 30;
  return svg`<g class="thread ${one.over ? "over" : ""}"><title>in conflict: ${one.files.join(", ")}</title>
    <path d="M${one.from.x} ${one.from.y}C${reach} ${one.from.y} ${reach} ${one.to.y} ${one.to.x} ${one.to.y}"></path>
    <circle cx=${one.from.x} cy=${one.from.y} r="3.5"></circle><circle cx=${one.to.x} cy=${one.to.y} r="3.5"></circle></g>`;
}

/** What is said of a place, at it or as near to it as the whole text can be read. */
function label(text, x, y, width) {
  return svg`<text x=${Math.max(6, Math.min(x, width - text.length * CHARACTER - 6))} y=${y}>${text}</text>`;
}

function stopped(seam) {
  return `stopped ${clock(seam.from)}, back ${clock(seam.to)}`;
}

function coming(one) {
  return svg`<g class="coming"><rect class="latest" x=${one.x} y=${one.y} width=${one.latest} height=${BAR} rx="5"></rect>
    <rect class="body" x=${one.x} y=${one.y} width=${one.width} height=${BAR} rx="5"></rect>
    ${one.width > LABELLED ? svg`<text x=${one.x + 8} y=${one.y + 16}>${cut(one.id, one.width - 14)}</text>` : nothing}<title>${one.title}, to come</title></g>`;
}

function name(one) {
  return (one.reserved ? one.title : one.taskId) + (one.number > 1 ? ` · ${one.number}` : "");
}

function said(limit) {
  const kind = LIMITS[limit.kind] ?? "limit";
  if (!limit.open) return `${kind}, ${duration(limit.until - limit.from)}`;
  return limit.wakes ? `${kind} until ${clock(limit.wakes)}` : kind;
}

function fall(one, trunk) {
  return `M${one.from} ${one.y}C${one.from} ${trunk - 14} ${one.x} ${one.y + 14} ${one.x} ${trunk}`;
}

/** As much of a text as fits; the letters of the picture are all about as wide. */
function cut(text, width) {
  const most = Math.floor(width / CHARACTER);
  return text.length <= most ? text : most > 2 ? `${text.slice(0, most - 1)}…` : "";
}
