/** The graph of tasks as SVG, and the part of it that one looks at. */

import { html, nothing, svg } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { scaled, seeing, shifted, wholeGraph, within } from "../core/graph_view.js";
import { STATES } from "../core/words.js";

const LONGEST_REASON = 300;
const CLOSER = 1 / 0.7;
const STEP = 80;
const LOWEST = 160;
const ARROWS = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };

export class GraphPicture {
  #view = null;
  #size = { width: 1, height: 1 };
  #room = { width: 1, height: 1 };

  constructor(draw) {
    this.draw = draw;
  }

  /** Whether the key was for the picture. */
  pressed({ key }) {
    if (key === "+" || key === "=") this.#zoom(CLOSER);
    else if (key === "-") this.#zoom(1 / CLOSER);
    else if (key === "0") this.#view = null;
    else if (ARROWS[key]) this.#view = shifted(this.#shown(), ...ARROWS[key], this.#size, this.#room);
    else return false;
    this.draw();
    return true;
  }

  /** `width` is that of its room, in pixels. */
  content(shapes, width, chosen, open) {
    if (!shapes.nodes.length) return html`<p class="empty">There is no plan yet.</p>`;
    this.#size = { width: shapes.width, height: shapes.height };
    this.#room = { width, height: Math.round(Math.max(LOWEST, Math.min(shapes.height, innerHeight * 0.7))) };
    const { scale, x, y } = this.#shown();
    return html`<div class="graph-room zoomed ${this.#fits() ? "" : "cut"}">
      <svg class="graph" viewBox="0 0 ${width} ${this.#room.height}" width=${width} height=${this.#room.height} role="group" aria-label="Tasks and what they depend on"
        @wheel=${(event) => this.#wheel(event)} @pointerdown=${(event) => this.#down(event)}>
      <defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z"></path></marker></defs>
      <g class="seen" transform="translate(${x} ${y}) scale(${scale})">
      ${repeat(shapes.edges, (one) => one.id, (one) => svg`<path class="edge ${one.critical ? "critical" : ""}" d=${line(one.points)} marker-end="url(#tip)"></path>`)}
      ${repeat(shapes.nodes, (one) => one.id, (one) => this.#node(one, chosen, open))}</g>
      </svg></div>
      <div class="row under"><p class="hint">${shapes.nodes.length > 1 ? "The thick line is the chain that decides how long it takes." : nothing}</p>
        <div class="zoom" role="group" aria-label="Zoom"><button @click=${() => this.pressed({ key: "-" })} aria-label="Further away" title="Further away (-)">−</button><output aria-label="Size">${Math.round(100 * scale)} %</output><button @click=${() => this.pressed({ key: "+" })} aria-label="Closer" title="Closer (+)">+</button><button @click=${() => this.pressed({ key: "0" })} title="All of it (0)">Show all</button></div></div>`;
  }

  #node(one, chosen, open) {
    return svg`<g class="node ${one.state} ${one.worth} ${chosen === one.id ? "chosen" : ""} ${one.critical ? "critical" : ""}" tabindex="0" role="button" @click=${() => open(one.id)} @focus=${(event) => this.#reached(event, one)}
      @keydown=${(event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(one.id); } }}>
      <title>${one.title}: ${stands(one)}${one.key ? `, key ${one.key}` : ""}${one.reason ? `: ${one.reason.slice(0, LONGEST_REASON)}` : ""}</title>
      <rect x=${one.x} y=${one.y} width=${one.width} height=${one.height} rx="7"></rect>
      <text class="id" x=${one.x + 12} y=${one.y + 20}>${one.id.length > 21 ? `${one.id.slice(0, 20)}…` : one.id}</text>
      <text class="state" x=${one.x + 12} y=${one.y + 36}>${stands(one)}</text>
      ${one.key ? svg`<g class="key" aria-hidden="true"><rect x=${one.x + one.width - 27} y=${one.y + 9} width="18" height="18" rx="4"></rect><text x=${one.x + one.width - 18} y=${one.y + 22}>${one.key}</text></g>` : nothing}</g>`;
  }

  #shown() {
    return this.#view ? within(this.#view, this.#size, this.#room) : wholeGraph(this.#size, this.#room);
  }

  #fits() {
    const { scale } = this.#shown();
    return this.#size.width * scale <= this.#room.width + 1 && this.#size.height * scale <= this.#room.height + 1;
  }

  #zoom(factor, point = { x: this.#room.width / 2, y: this.#room.height / 2 }) {
    this.#view = scaled(this.#shown(), factor, point, this.#size, this.#room);
  }

  /** Tab goes on to tasks that aren't in the view. A pointer only reaches what is: under it nothing moves. */
  #reached(event, node) {
    if (!event.currentTarget.matches(":focus-visible")) return;
    this.#view = seeing(this.#shown(), node, this.#size, this.#room);
    this.draw();
  }

  /** With Ctrl closer or further away; without, along the graph, and the page's own way where that ends. */
  #wheel(event) {
    const seen = this.#shown();
    if (event.ctrlKey || event.metaKey) {
      const box = event.currentTarget.getBoundingClientRect();
      this.#zoom(Math.exp(-event.deltaY / 300), { x: event.clientX - box.left, y: event.clientY - box.top });
    } else {
      const next = shifted(seen, -event.deltaX, -event.deltaY, this.#size, this.#room);
      if (next.x === seen.x && next.y === seen.y) return;
      this.#view = next;
    }
    event.preventDefault();
    this.draw();
  }

  #down(event) {
    if (event.button !== 0) return;
    const begin = this.#shown();
    let moves = false;
    const move = (next) => {
      const [x, y] = [next.clientX - event.clientX, next.clientY - event.clientY];
      moves ||= Math.hypot(x, y) > 3;
      if (!moves) return;
      this.#view = shifted(begin, x, y, this.#size, this.#room);
      this.draw();
    };
    const up = () => {
      for (const kind of ["pointerup", "pointercancel"]) removeEventListener(kind, up);
      removeEventListener("pointermove", move);
      if (!moves) return;
      // The click that ends a drag opens nothing.
      const swallow = (click) => click.stopPropagation();
      addEventListener("click", swallow, true);
      setTimeout(() => removeEventListener("click", swallow, true));
    };
    addEventListener("pointermove", move);
    for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, up);
  }
}

function stands(one) {
  return `${STATES[one.state] ?? one.state}${one.attempt > 1 ? `, attempt ${one.attempt}` : ""}`;
}

function line(points) {
  const [first, ...rest] = points;
  return `M${first.x} ${first.y}${rest.map((point) => `L${point.x} ${point.y}`).join("")}`;
}
