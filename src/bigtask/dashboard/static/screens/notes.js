/** Sentences that come and go: what was refused, and why. */

import { html } from "../vendor/lit-html/lit-html.js";

const SHOWN_MS = 8_000;
let said = [];
let draw = () => {};

export function tell(app, sentence, kind = "problem") {
  const note = { sentence, kind };
  said = [...said.slice(-2), note];
  draw = () => app.draw();
  app.draw();
  setTimeout(() => drop(note), SHOWN_MS);
}

function drop(note) {
  said = said.filter((one) => one !== note);
  draw();
}

export function notes() {
  return html`<div class="notes" role="alert">${said.map((note) => html`<p class=${note.kind}>${note.sentence}
    <button class="quiet" aria-label="Close" @click=${() => drop(note)}>×</button></p>`)}</div>`;
}
