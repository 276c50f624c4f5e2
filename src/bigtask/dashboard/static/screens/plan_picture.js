/** The tasks of a plan as a graph in which dependencies are drawn: from the task that comes first to the one that waits for it. */

import { html, nothing, svg } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { emptyRun } from "../core/fold.js";
import { graph } from "../core/graph.js";

export class PlanPicture {
  #line = null;
  #from = null;

  /** `link(first, then)` is called for what was drawn. */
  constructor(draw, link) {
    this.draw = draw;
    this.link = link;
  }

  /** By keyboard: the next task that is chosen waits for this one. */
  beginAt(id) {
    this.#from = id;
    this.draw();
  }

  get from() {
    return this.#from;
  }

  content(tasks, chosen, choose, wrong) {
    if (!tasks.length) return html`<p class="empty">The plan has no task: add one.</p>`;
    const shapes = graph({ ...emptyRun("plan"), tasks: new Map(tasks.map((task) => [task.id, { id: task.id, task, attempts: [], reserved: false, state: "pending", reason: "" }])) });
    const open = (id) => (this.#from === null ? choose(id) : this.#ends(id));
    return html`<div class="graph-room drawing ${this.#from === null ? "" : "linking"}"><svg class="graph" viewBox="0 0 ${shapes.width} ${shapes.height}" width=${shapes.width} height=${shapes.height} role="group" aria-label="Tasks and what they wait for">
      <defs><marker id="plan-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z"></path></marker></defs>
      ${repeat(shapes.edges, (one) => one.id, (one) => this.#edge(one))}
      ${repeat(shapes.nodes, (one) => one.id, (one) => this.#node(one, chosen, open, wrong.has(one.id)))}
      ${this.#line ? svg`<path class="edge drawn" d="M${this.#line.x1} ${this.#line.y1}L${this.#line.x2} ${this.#line.y2}" marker-end="url(#plan-tip)"></path>` : nothing}
    </svg></div>`;
  }

  #edge({ id, points }) {
    const [first, then] = id.split(" ");
    const [begin, ...rest] = points;
    const way = `M${begin.x} ${begin.y}${rest.map((point) => `L${point.x} ${point.y}`).join("")}`;
    const cut = () => this.link(first, then);
    return svg`<g class="link" tabindex="0" role="button" aria-label="${then} waits for ${first}: take that away" @click=${cut}
      @keydown=${(event) => ["Enter", "Delete", "Backspace"].includes(event.key) && cut()}>
      <title>${then} waits for ${first}. Click to take that away.</title><path class="hit" d=${way}></path><path class="edge" d=${way} marker-end="url(#plan-tip)"></path></g>`;
  }

  #node({ id, title, x, y, width, height, critical }, chosen, open, wrong) {
    return svg`<g class="node ${chosen === id ? "chosen" : ""} ${wrong ? "failed" : ""} ${critical ? "critical" : ""} ${this.#from === id ? "first" : ""}" data-task=${id}>
      <g tabindex="0" role="button" aria-label=${`${id}: ${title}${wrong ? ", with a problem" : ""}`} aria-pressed=${chosen === id ? "true" : "false"} @click=${() => open(id)} @keydown=${(event) => event.key === "Enter" && open(id)} data-node=${id}>
      <title>${title}</title><rect x=${x} y=${y} width=${width} height=${height} rx="7"></rect>
      <text class="id" x=${x + 12} y=${y + 20}>${shortened(id, 20)}</text>
      <text class="state" x=${x + 12} y=${y + 36}>${shortened(title, 22)}</text></g>
      <circle class="handle" cx=${x + width} cy=${y + height / 2} r="7" @pointerdown=${(event) => this.#begins(event, id)}><title>Drag to the task that waits for ${id}</title></circle></g>`;
  }

  #begins(event, id) {
    event.preventDefault();
    const picture = event.target.ownerSVGElement;
    const at = (seen) => new DOMPoint(seen.clientX, seen.clientY).matrixTransform(picture.getScreenCTM().inverse());
    const begin = at(event);
    const move = (next) => {
      const { x, y } = at(next);
      this.#line = { x1: begin.x, y1: begin.y, x2: x, y2: y };
      this.draw();
    };
    const up = (next) => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", up);
      this.#line = null;
      const over = document.elementFromPoint(next.clientX, next.clientY)?.closest("[data-task]");
      if (over && over.dataset.task !== id) this.link(id, over.dataset.task);
      this.draw();
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", up);
  }

  #ends(id) {
    const first = this.#from;
    this.#from = null;
    if (id !== first) this.link(first, id);
    this.draw();
  }
}

function shortened(words, most) {
  return words.length > most ? `${words.slice(0, most - 1)}…` : words;
}
