/** What the keys do. */

import { html } from "../vendor/lit-html/lit-html.js";

const KEYS = [
  ["1 – 9", "open the question with that number, and answer it in place"],
  ["← →", "back and forth in time, event by event; in the graph, with ↑ ↓, along it"],
  ["Home, End", "to the beginning, and back to now"],
  ["+ −", "closer, and further away; 0 shows all"],
  ["G", "the river, or the graph of tasks"],
  ["P", "pause, or go on"],
  ["R", "the result"],
  ["N", "in the list of runs: a new run"],
  ["E", "in a run: its plan"],
  ["A D U S", "in a plan: add a task, draw from the focused one to what waits for it, undo, save"],
  ["Tab", "from bar to bar, and from task to task; Enter shows what it is"],
  ["Esc", "close, or back to now"],
  ["?", "this list"],
];

export function keyboardHelp(close) {
  return html`<div class="veil" @click=${close}><section class="sheet" role="dialog" aria-modal="true" aria-label="Keyboard" @click=${(event) => event.stopPropagation()}>
    <h2>Keyboard</h2>
    <dl class="keys">${KEYS.map(([key, does]) => html`<dt><kbd>${key}</kbd></dt><dd>${does}</dd>`)}</dl>
    <button @click=${close}>Close</button>
  </section></div>`;
}
