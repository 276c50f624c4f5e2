/** One run: the river, the graph, what waits, and the task that is looked at. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { runs } from "../api.js";
import { emptyRun, fold, foldAll } from "../core/fold.js";
import { forecast } from "../core/forecast.js";
import { graph } from "../core/graph.js";
import { clock, exact } from "../core/numbers.js";
import { keysOf, moved, river, timeAt, wholeView, zoomed } from "../core/river.js";
import { headline, standing } from "../core/words.js";
import { question } from "./answering.js";
import { GraphPicture } from "./graph_picture.js";
import { tell } from "./notes.js";
import { picture } from "./river_picture.js";
import { TaskPanel } from "./task_panel.js";

const TICK_MS = 1_000;
const CLOSER = 0.7;
const NARROWEST = 320;

export class RunScreen {
  #events = [];
  /** Of each event, as the fold has it: never earlier than the one before. */
  #times = [];
  #run;
  #past = null;
  #view = null;
  #width = Math.max(NARROWEST, innerWidth - 32);
  #form = "river";
  #graph;
  #asked = "";
  #panel = null;
  #allowed = [];
  #problem = "";
  #drag = null;
  #stop = () => {};
  #tick = 0;

  /** `task` is one whose panel is open from the beginning. */
  constructor(app, id, task) {
    this.app = app;
    this.id = id;
    this.task = task;
    this.#run = emptyRun(id);
    this.#graph = new GraphPicture(() => this.app.draw());
  }

  enter() {
    document.title = "Run · bigtask";
    this.#stop = this.app.live.follow(this.id, 0, (event) => this.#heard(event));
    this.#tick = setInterval(() => !this.#run.outcome && this.app.draw(), TICK_MS);
    this.#room = () => this.app.draw();
    addEventListener("resize", this.#room);
    if (this.task) this.#open(this.task);
    this.changed();
  }

  leave() {
    this.#stop();
    clearInterval(this.#tick);
    removeEventListener("resize", this.#room);
    this.#panel?.leave();
  }

  #room = () => {};

  async changed() {
    try {
      this.#allowed = (await runs.status(this.id)).orchestrator.allowed;
      this.#problem = "";
    } catch (problem) {
      this.#problem = problem.message;
    }
    this.app.draw();
  }

  #heard(event) {
    this.#events.push(event);
    fold(this.#run, event);
    this.#times.push(this.#run.at);
    if (event.type.startsWith("worker:")) this.#panel?.heard(event);
    this.app.drawSoon();
  }

  pressed(event) {
    const [asked] = [...keysOf(this.#run)].find(([, key]) => key === event.key) ?? [];
    if (asked) this.#ask(asked);
    else if (this.#form === "graph" && this.#graph.pressed(event)) return event.preventDefault();
    else if (event.key === "g" || event.key === "G") this.#form = this.#form === "river" ? "graph" : "river";
    else if (event.key === "r" || event.key === "R") location.hash = `#/runs/${this.id}/result`;
    else if (event.key === "p" || event.key === "P") this.#act(this.#run.paused ? "resume" : "pause");
    else if (event.key === "e" && this.#run.revision) location.hash = `#/runs/${this.id}/plan`;
    else if (event.key === "ArrowLeft") this.#step(-1);
    else if (event.key === "ArrowRight") this.#step(1);
    else if (event.key === "Home") this.#goTo(this.#events[0]?.seq ?? 1);
    else if (event.key === "End") this.#goTo(Infinity);
    else if (event.key === "+" || event.key === "=") this.#zoom(CLOSER);
    else if (event.key === "-") this.#zoom(1 / CLOSER);
    else if (event.key === "0") this.#view = null;
    else if (event.key === "Escape") this.#close();
    else return;
    event.preventDefault();
    this.app.draw();
  }

  /** Opens the question with that id, or closes it again. */
  #ask(id) {
    this.#asked = this.#asked === id && this.#run.waiting.size > 1 ? "" : id;
    this.app.draw();
    // Once it is drawn: whoever pressed a key sees the question, and Tab leads to its answers.
    requestAnimationFrame(() => requestAnimationFrame(() => document.querySelector(".waits .card.open")?.focus()));
  }

  #close() {
    if (this.#asked) this.#asked = "";
    else if (this.#panel) this.#open(null);
    else this.#goTo(Infinity);
  }

  #step(by) {
    const seen = this.#past?.seq ?? this.#run.seq;
    this.#goTo(Math.max(1, seen + by));
  }

  /** Back to what was known after the event with that number; from the last one on it is now again. */
  #goTo(seq) {
    this.#past = seq >= this.#run.seq ? null : foldAll(this.id, this.#events, seq);
    this.app.draw();
  }

  #goToTime(at) {
    let [low, high] = [0, this.#times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#times[middle] > at) high = middle;
      else low = middle + 1;
    }
    this.#goTo(low === this.#times.length ? Infinity : this.#events[Math.max(0, low - 1)].seq);
  }

  #zoom(factor) {
    const view = this.#shown();
    this.#view = zoomed(view, factor, view.width / 2);
  }

  #shown(coming = forecast(this.#run, this.#now(this.#run)).coming) {
    const width = this.#width;
    return this.#view ? { ...this.#view, width } : wholeView(this.#run, this.#now(this.#run), width, coming);
  }

  /** Whether the picture's room turned out to be of another width than it was drawn for: at first, and beside
   * a panel. */
  misfits() {
    const room = document.querySelector(".river-room, .graph-room");
    if (!room) return false;
    const drawn = this.#width;
    this.#width = Math.max(NARROWEST, room.clientWidth);
    return this.#width !== drawn;
  }

  #now(run) {
    return run === this.#run && !run.outcome ? Date.now() : run.at;
  }

  #open(taskId, number) {
    this.#panel?.leave();
    const last = this.#run.tasks.get(taskId)?.attempts.at(-1)?.number;
    const earlier = number !== undefined && number !== last;
    const same = this.#panel?.taskId === taskId && this.#panel.number === number;
    this.#panel = taskId === null || same ? null : new TaskPanel(this.app, this.id, taskId, number, (id) => this.#open(id), earlier);
    this.app.draw();
  }

  async #act(verb) {
    try {
      await runs.act(this.id, verb);
      await this.changed();
    } catch (problem) {
      tell(this.app, problem.message);
    }
  }

  /** Dragging moves the view; dragging the now-line goes back in time. */
  #down(event) {
    if (event.target.closest(".bar")) return;
    const box = event.currentTarget.getBoundingClientRect();
    const view = this.#shown();
    const at = event.clientX - box.left;
    const run = this.#past ?? this.#run;
    const line = ((this.#now(run) - view.from) / (view.to - view.from)) * view.width;
    const travels = Math.abs(at - line) < 10 || event.clientY - box.top < 42;
    const begin = event.clientX;
    const move = (next) => {
      if (travels) this.#goToTime(timeAt(view, next.clientX - box.left));
      else if (Math.abs(next.clientX - begin) > 3) this.#view = moved(view, next.clientX - begin);
      this.app.draw();
    };
    const up = () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", up);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", up);
    if (travels) move(event);
  }

  #wheel(event) {
    if (!event.ctrlKey && !event.metaKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
    event.preventDefault();
    const view = this.#shown();
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left;
    this.#view = event.ctrlKey || event.metaKey ? zoomed(view, Math.exp(event.deltaY / 300), x) : moved(view, -event.deltaX);
    this.app.draw();
  }

  content() {
    if (this.#problem && !this.#run.seq) {
      return html`<main tabindex="-1" class="narrow"><h1>Run</h1><p class="problem" role="alert">${this.#problem}</p><p><a href="#/">All runs</a></p></main>`;
    }
    if (!this.#run.seq) return html`<main tabindex="-1" class="wide"><p class="hint" aria-busy="true">Reading the log…</p></main>`;
    const run = this.#past ?? this.#run;
    const now = this.#now(run);
    const { coming, left } = forecast(run, now);
    document.title = `${standing(run)} · ${run.request.slice(0, 40)} · bigtask`;
    return html`<main tabindex="-1" class="wide">
      ${this.#heading(run, left)}
      ${this.#travel()}
      <div class="stage ${this.#panel ? "with-panel" : ""}">
        <div class="room">
          ${this.#form === "river" ? this.#river(run, coming, now) : this.#graph.content(graph(run), this.#width, this.#panel?.taskId, (id) => this.#open(id))}
          ${this.#questions(run)}
        </div>
        ${this.#panel ? this.#panel.content(run) : nothing}
      </div>
    </main>`;
  }

  #heading(run, left) {
    const can = new Set(this.#past ? [] : this.#allowed);
    const button = (verb, said, kind = "") => can.has(verb) ? html`<button class=${kind} @click=${() => this.#act(verb)}>${said}</button>` : nothing;
    return html`<div class="row heading">
        <div><h1>${run.request || "A run"}</h1>
          <p class="about">${run.template} · ${run.agent} · <span title=${run.cwd}>${run.cwd}</span> · <time title=${exact(run.began)}>${clock(run.began, false)}</time></p></div>
        <div class="actions">${run.revision && !run.outcome ? html`<a class="button" href="#/runs/${this.id}/plan" title="The plan (e)">Edit the plan</a>` : nothing}${button("start", "Start", "main")}${run.paused ? button("resume", "Go on", "main") : button("pause", "Pause")}${button("cancel", "Cancel", "careful")}
          ${run.revision ? html`<a class="button ${run.outcome && run.merged === null ? "main" : ""}" href="#/runs/${this.id}/result" title="The result (r)">Result${run.outcome ? "" : " so far"}</a>` : nothing}</div>
      </div>
      <p class="headline" role="status"><b class="stands ${run.waiting.size ? "waiting" : run.outcome ?? ""}">${standing(run)}</b> ${headline(run, left)}</p>
      ${run.reason ? html`<p class="problem">${run.reason}</p>` : nothing}
      <div class="forms" role="group" aria-label="Show as">${["river", "graph"].map((form) => html`<button aria-pressed=${this.#form === form} @click=${() => { this.#form = form; this.app.draw(); }}>${form === "river" ? "River" : "Graph"}</button>`)}</div>`;
  }

  #travel() {
    const last = this.#run.seq;
    const seen = this.#past?.seq ?? last;
    return html`<div class="travel ${this.#past ? "past" : ""}">
      <label for="time">Time</label>
      <input id="time" type="range" min="1" max=${last} .value=${String(seen)} aria-valuetext=${this.#past ? `after event ${seen} of ${last}` : "now"}
        @input=${(event) => this.#goTo(Number(event.target.value))}>
      <output for="time">${this.#past ? html`${clock(this.#past.at)}, event ${seen} of ${last} <button class="quiet" @click=${() => this.#goTo(Infinity)}>Back to now</button>` : this.#run.outcome ? "the end" : "now"}</output>
    </div>`;
  }

  #river(run, coming, now) {
    const view = this.#shown(coming);
    const shapes = river(run, coming, view, now);
    return html`<div class="river-room">${picture(shapes, view, this.#panel?.taskId, {
      open: (id, number) => this.#open(id, number),
      ask: (id) => this.#ask(id),
      down: (event) => this.#down(event),
      wheel: (event) => this.#wheel(event),
    })}</div>
    <ul class="legend" aria-label="What bars mean"><li><i class="claimed"></i>claimed</li><li><i class="half"></i>partial or mended</li><li><i class="proved"></i>proved</li><li><i class="waiting"></i>needs you</li><li><i class="failed"></i>failed</li><li><i class="coming"></i>to come</li>${shapes.limits.length ? html`<li><i class="limited"></i>limit of the account</li>` : nothing}${shapes.seams.length ? html`<li><i class="stopped"></i>nobody held the run</li>` : nothing}${shapes.threads.length ? html`<li><i class="conflict"></i>in conflict</li>` : nothing}</ul>`;
  }

  #questions(run) {
    if (!run.waiting.size || this.#past) return nothing;
    const keys = keysOf(run);
    return html`<section class="waits" aria-label="What waits for you">${[...run.waiting.values()].map((waiting) => {
      const open = this.#asked === waiting.id || run.waiting.size === 1;
      return html`<article class="card ${open ? "open" : ""}" tabindex=${open ? -1 : nothing}>
        ${open ? question(this.app, this.id, waiting, () => { this.#asked = ""; }) : html`<button class="quiet line" @click=${() => this.#ask(waiting.id)}>${keys.has(waiting.id) ? html`<kbd>${keys.get(waiting.id)}</kbd> ` : nothing}${waiting.question}</button>`}
      </article>`;
    })}</section>`;
  }
}
