/** Everything that waits for the person, over all runs, the oldest first. */

import { html } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { inbox } from "../api.js";
import { question } from "./answering.js";

export class InboxScreen {
  #waiting = null;
  #problem = "";

  constructor(app) {
    this.app = app;
  }

  enter() {
    document.title = "Inbox · bigtask";
    this.changed();
  }

  leave() {}

  async changed() {
    try {
      this.#waiting = (await inbox()).waiting;
      this.#problem = "";
    } catch (problem) {
      this.#problem = problem.message;
    }
    this.app.draw();
  }

  content() {
    return html`<main tabindex="-1" class="narrow"><div class="row"><h1>Inbox</h1>${this.app.notices.content()}</div>${this.#list()}</main>`;
  }

  #list() {
    if (this.#problem) return html`<p class="problem" role="alert">${this.#problem}</p>`;
    if (this.#waiting === null) return html`<p class="hint" aria-busy="true">Looking…</p>`;
    if (!this.#waiting.length) return html`<p class="empty">Nothing waits for you.</p>`;
    return repeat(this.#waiting, (one) => `${one.orchestratorId}/${one.id}`, (one) => html`<article class="card">
      <a class="where" href="#/runs/${one.orchestratorId}">${one.request ?? one.orchestratorId}</a>
      ${question(this.app, one.orchestratorId, one, () => this.changed())}
    </article>`);
  }
}
