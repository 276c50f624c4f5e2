/** Notices of the desktop about what begins to wait for the person: only where they asked for them. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { kindOf } from "./answering.js";
import { tell } from "./notes.js";

const WANTED = "bigtask-notices";
const MOST = 3;

export class Notices {
  #known = null;

  constructor(app) {
    this.app = app;
  }

  get #on() {
    return "Notification" in window && Notification.permission === "granted" && localStorage.getItem(WANTED) === "on";
  }

  /** `waiting` is the whole inbox. What was there when the page was opened is no news. */
  hear(waiting) {
    const before = this.#known;
    this.#known = new Set(waiting.map((one) => `${one.orchestratorId}/${one.id}`));
    if (before === null || !this.#on || document.visibilityState === "visible") return;
    for (const one of waiting.filter((found) => !before.has(`${found.orchestratorId}/${found.id}`)).slice(0, MOST)) {
      const notice = new Notification(`${kindOf(one)} for you`, { body: one.question.slice(0, 200), tag: `${one.orchestratorId}/${one.id}`, icon: "/dashboard/icon.svg" });
      notice.onclick = () => {
        window.focus();
        location.hash = `#/runs/${one.orchestratorId}`;
        notice.close();
      };
    }
  }

  async #turn(on) {
    localStorage.setItem(WANTED, on ? "on" : "off");
    if (on && Notification.permission !== "granted" && (await Notification.requestPermission()) !== "granted") {
      localStorage.setItem(WANTED, "off");
      tell(this.app, "Your browser doesn't let this page show notices: allow them in its settings for this address.");
    }
    this.app.draw();
  }

  /** What turns them on and off, once it is known what waited before. */
  content() {
    if (!("Notification" in window)) return nothing;
    return html`<label class="choice notices"><input type="checkbox" .checked=${this.#on} ?disabled=${this.#known === null} @change=${(event) => this.#turn(event.target.checked)}>
      tell me on the desktop when something waits, while this page is open in the background</label>`;
  }
}
