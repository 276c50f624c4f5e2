/** Which screen is shown, and what all of them share: the frame, the connection, the keyboard. */

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { inbox, key } from "./api.js";
import { Live } from "./live.js";
import { InboxScreen } from "./screens/inbox.js";
import { NewRunScreen } from "./screens/new_run.js";
import { PlanEditor } from "./screens/plan_editor.js";
import { ResultScreen } from "./screens/result.js";
import { RunScreen } from "./screens/run.js";
import { RunsScreen } from "./screens/runs.js";
import { SystemScreen } from "./screens/system.js";
import { TemplateScreen } from "./screens/template.js";
import { TemplatesScreen } from "./screens/templates.js";
import { Notices } from "./screens/notices.js";
import { notes } from "./screens/notes.js";
import { keyboardHelp } from "./screens/keyboard.js";

const ROUTES = [
  [/^#\/new(?:\?template=([a-z0-9_-]+))?$/, (app, template) => new NewRunScreen(app, template)],
  [/^#\/runs\/([0-9a-z]{26})\/plan$/, (app, id) => new PlanEditor(app, id)],
  [/^#\/templates$/, (app) => new TemplatesScreen(app)],
  [/^#\/templates\/([^/?]+)(?:\?cwd=(.+))?$/, (app, id, cwd) => new TemplateScreen(app, decodeURIComponent(id), cwd && decodeURIComponent(cwd))],
  [/^#\/runs\/([0-9a-z]{26})\/result$/, (app, id) => new ResultScreen(app, id)],
  [/^#\/runs\/([0-9a-z]{26})(?:\/tasks\/([^/]+))?$/, (app, id, task) => new RunScreen(app, id, task && decodeURIComponent(task))],
  [/^#\/system$/, (app) => new SystemScreen(app)],
  [/^#\/inbox$/, (app) => new InboxScreen(app)],
  [/^(#\/?)?$/, (app) => new RunsScreen(app)],
];
const LOOK_AGAIN_MS = 400;

/** So many times as long as a drawing takes, the page may do something else before the next one. */
const REST = 8;

class App {
  live = new Live();
  notices = new Notices(this);
  waiting = 0;
  help = false;
  #screen = null;
  #due = 0;
  #later = 0;
  #drawn = 0;
  #took = 0;
  #look = 0;

  start() {
    addEventListener("hashchange", () => this.#go());
    addEventListener("keydown", (event) => this.#pressed(event));
    if (!key()) {
      this.#frame(html`<main class="plain"><h1>Sign in</h1>
        <p>Open the link that <code>bigtask serve</code> printed. It works once; <code>bigtask serve --link</code> prints another.</p></main>`);
      return;
    }
    this.live.addEventListener("change", () => this.draw());
    this.live.follow("*", null, () => this.#lookSoon());
    this.live.open();
    this.#lookSoon();
    this.#go();
  }

  /** Draws in the next frame, once, however often it is asked. */
  draw() {
    this.#due ||= requestAnimationFrame(() => {
      this.#due = 0;
      const began = performance.now();
      this.#frame(this.#screen.content());
      if (this.#screen.misfits?.()) this.#frame(this.#screen.content());
      this.#drawn = performance.now();
      this.#took = this.#drawn - began;
    });
  }

  /** The same for what happens by itself: never so often that nothing else gets its turn. */
  drawSoon() {
    const rest = this.#drawn + REST * this.#took - performance.now();
    this.#later ||= setTimeout(() => {
      this.#later = 0;
      this.draw();
    }, Math.max(0, rest));
  }

  #go() {
    this.#screen?.leave();
    for (const [pattern, screen] of ROUTES) {
      const found = pattern.exec(location.hash);
      if (found) {
        this.#screen = screen(this, ...found.slice(1));
        break;
      }
    }
    this.#screen.enter();
    this.draw();
    document.querySelector("main")?.focus({ preventScroll: true });
  }

  #lookSoon() {
    // Not put off by every event: a run that is busy would keep the page from ever looking.
    this.#look ||= setTimeout(async () => {
      this.#look = 0;
      try {
        const { waiting } = await inbox();
        this.waiting = waiting.length;
        this.notices.hear(waiting);
        this.draw();
      } catch (problem) {
        if (problem.status === 401) this.#signedOut();
      }
      this.#screen.changed?.();
    }, LOOK_AGAIN_MS);
  }

  #signedOut() {
    localStorage.removeItem("bigtask-key");
    location.reload();
  }

  #frame(content) {
    const at = location.hash;
    const link = (to, name, badge) => html`<a href=${to} aria-current=${at === to || (to === "#/" && at === "") ? "page" : nothing}>${name}${badge
      ? html` <span class="badge" aria-label="${badge} waiting">${badge}</span>` : nothing}</a>`;
    render(html`
      <header class="top">
        <a class="brand" href="#/"><img src="/dashboard/icon.svg" alt="" width="22" height="22">bigtask</a>
        <nav aria-label="Screens">${link("#/", "Runs")}${link("#/inbox", "Inbox", this.waiting)}${link("#/templates", "Templates")}${link("#/system", "System")}</nav>
        <span class="connection ${this.live.state}" role="status">${{ live: "live", connecting: "connecting…", reconnecting: "reconnecting…" }[this.live.state]}</span>
        <button class="quiet" @click=${() => this.#toggleHelp()} aria-label="Keyboard" title="Keyboard (?)">?</button>
      </header>
      ${content}${notes()}${this.help ? keyboardHelp(() => this.#toggleHelp()) : nothing}`, document.getElementById("page"));
  }

  #toggleHelp() {
    this.help = !this.help;
    this.draw();
  }

  #pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    if (event.key === "?") this.#toggleHelp();
    else if (event.key === "Escape" && this.help) this.#toggleHelp();
    else if (event.key === "g" && location.hash !== "#/") this.#screen.pressed?.(event);
    else this.#screen?.pressed?.(event);
  }
}

new App().start();
