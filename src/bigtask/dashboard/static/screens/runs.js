/** All runs, the newest first. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { runs } from "../api.js";
import { ago, dollars, exact, tokens } from "../core/numbers.js";
import { OUTCOMES, PHASES } from "../core/words.js";

export class RunsScreen {
  #found = null;
  #cursor = null;
  #problem = "";
  #wanted = "";

  constructor(app) {
    this.app = app;
  }

  enter() {
    document.title = "Runs · bigtask";
    this.changed();
  }

  leave() {}

  async changed() {
    try {
      const page = await runs.list();
      this.#found = page.orchestrators;
      this.#cursor = page.cursor;
      this.#problem = "";
    } catch (problem) {
      this.#problem = problem.message;
    }
    this.app.draw();
  }

  pressed(event) {
    if (event.key === "n") location.hash = "#/new";
  }

  async #more() {
    const page = await runs.list(this.#cursor);
    this.#found = [...this.#found, ...page.orchestrators];
    this.#cursor = page.cursor;
    this.app.draw();
  }

  content() {
    return html`<main tabindex="-1" class="narrow">
      <div class="row"><h1>Runs</h1>
        <a class="button main" href="#/new" title="New run (n)">New run</a>
        <input type="search" placeholder="Filter" aria-label="Filter runs" .value=${this.#wanted}
          @input=${(event) => { this.#wanted = event.target.value.toLowerCase(); this.app.draw(); }}></div>
      ${this.#list()}</main>`;
  }

  #list() {
    if (this.#problem) return html`<p class="problem" role="alert">${this.#problem}</p>`;
    if (this.#found === null) return html`<p class="hint" aria-busy="true">Looking…</p>`;
    if (!this.#found.length) {
      return html`<div class="empty"><p>No runs yet.</p><p><a href="#/new">Begin one here</a>, or in a project:</p>
        <pre>bigtask run documentation "Document every module" --agent offline</pre></div>`;
    }
    const shown = this.#found.filter((run) => `${run.request} ${run.cwd} ${run.templateId} ${run.status}`.toLowerCase().includes(this.#wanted));
    if (!shown.length) return html`<p class="empty">No run has “${this.#wanted}” in it.</p>`;
    return html`<ul class="runs">${repeat(shown, (run) => run.id, (run) => this.#row(run))}</ul>
      ${this.#cursor && !this.#wanted ? html`<button @click=${() => this.#more()}>Older runs</button>` : nothing}`;
  }

  #row(run) {
    const now = Date.now();
    const { done = 0, total = 0 } = counted(run.progress);
    const waits = run.waiting.length;
    return html`<li><a href="#/runs/${run.id}" class="run">
      <span class="dot ${waits ? "waiting" : run.outcome ?? run.status}" aria-hidden="true"></span>
      <span class="request">${run.request}</span>
      <span class="about">${run.templateId} · ${run.cwd}</span>
      <span class="stands">${waits ? "waits for you" : run.outcome ? OUTCOMES[run.outcome] : run.status === "paused" ? "paused" : PHASES[run.phase] ?? "new"}</span>
      <span class="meter" role="img" aria-label="${done} of ${total} tasks"><span .style="width:${total ? (100 * done) / total : 0}%"></span></span>
      <span class="numbers">${total ? `${done}/${total}` : "–"}${cost(run.cost)}</span>
      <time datetime=${run.updatedAt} title=${exact(Date.parse(run.updatedAt))}>${ago(Date.parse(run.updatedAt), now)}</time>
    </a></li>`;
  }
}

function counted(progress) {
  return { done: progress.completed ?? 0, total: progress.total ?? 0 };
}

function cost(found) {
  if (found?.usd) return ` · ${dollars(found.usd)}`;
  return found?.tokens ? ` · ${tokens(found.tokens)}` : "";
}
