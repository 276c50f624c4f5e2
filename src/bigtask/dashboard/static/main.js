/** Which screen is shown, and what all of them share: the frame, the connection, the keyboard. */

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { inbox, key } from "./api.js";
import { Live } from "./live.js";
import { InboxScreen } from "./screens/inbox.js";
import { RunScreen } from "./screens/run.js";
import { RunsScreen } from "./screens/runs.js";
import { notes } from "./screens/notes.js";
import { keyboardHelp } from "./screens/keyboard.js";

const ROUTES = [
  [/^#\/runs\/([0-9a-z]{26})$/, (app, id) => new RunScreen(app, id)],
  [/^#\/inbox$/, (app) => new InboxScreen(app)],
  [/^(#\/?)?$/, (app) => new RunsScreen(app)],
];
const LOOK_AGAIN_MS = 400;

class App {
  live = new Live();
  waiting = 0;
  help = false;
  #screen = null;
  #due = 0;
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
      this.#frame(this.#screen.content());
    });
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
    clearTimeout(this.#look);
    this.#look = setTimeout(async () => {
      try {
        this.waiting = (await inbox()).waiting.length;
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
        <nav aria-label="Screens">${link("#/", "Runs")}${link("#/inbox", "Inbox", this.waiting)}</nav>
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
