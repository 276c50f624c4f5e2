/** What was changed, file by file: folded where it is much, and cut where it is more than a person reads. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { filesOf } from "../core/patch.js";
import { plural } from "../core/numbers.js";

const OPEN_FILES = 5;
const LINES = 300;
const FILES = 100;
const STATUS = { added: "new", deleted: "removed" };

export class PatchView {
  #whole = new Set();
  #files = FILES;
  #read = null;
  #from = "";

  constructor(app) {
    this.app = app;
  }

  /** `changes` is the server's answer about a diff: `files` with their numbers, and the `patch`. */
  content({ files, patch }) {
    if (!files.length) return html`<p class="empty">Nothing is changed.</p>`;
    if (this.#from !== patch) {
      this.#from = patch;
      this.#read = new Map(filesOf(patch, files.map((file) => file.path)).map((one) => [one.path, one]));
      this.#whole.clear();
      this.#files = FILES;
    }
    const shown = files.slice(0, this.#files);
    return html`<div class="patch-view">${repeat(shown, (file) => file.path, (file, number) => this.#file(file, number < OPEN_FILES && files.length <= 2 * OPEN_FILES))}
      ${files.length > shown.length ? html`<button @click=${() => this.#more()}>Show the other ${plural(files.length - shown.length, "file")}</button>` : nothing}</div>`;
  }

  #more() {
    this.#files = Infinity;
    this.app.draw();
  }

  #file(file, open) {
    const found = this.#read.get(file.path);
    const status = STATUS[file.status];
    return html`<details class="file" ?open=${open} id="file-${encodeURIComponent(file.path)}">
      <summary><code>${file.path}</code>${status ? html` <span class="tag">${status}</span>` : nothing}
        <span class="numbers"><span class="plus">+${file.insertions}</span> <span class="minus">−${file.deletions}</span></span></summary>
      ${this.#lines(file, found)}</details>`;
  }

  #lines(file, found) {
    if (!found) return html`<p class="hint">The patch is cut before this file: <code>bigtask diff</code> has all of it.</p>`;
    const lines = this.#whole.has(file.path) ? found.lines : found.lines.slice(0, LINES);
    const rest = found.lines.length - lines.length;
    return html`${found.note ? html`<p class="hint">${found.note}</p>` : nothing}
      ${lines.length ? html`<pre class="patch" tabindex="0" aria-label="The change of ${file.path}">${lines.map((line) => html`<span class=${line.kind}>${line.text}</span>`)}</pre>` : nothing}
      ${rest ? html`<button class="quiet" @click=${() => { this.#whole.add(file.path); this.app.draw(); }}>Show the other ${plural(rest, "line")}</button>` : nothing}`;
  }
}
