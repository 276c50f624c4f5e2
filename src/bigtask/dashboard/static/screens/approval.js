/** A template that waits for a person's word: what it would do, and the word. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { templates } from "../api.js";
import { wholeLineOf } from "../core/command_line.js";
import { MODES } from "../core/run_form.js";
import { plural } from "../core/numbers.js";

export class Approval {
  #consent = null;
  #problem = "";
  #busy = false;

  /** `cwd` is the project that it is for, `after` is called when it is approved. */
  constructor(app, id, cwd, after) {
    this.app = app;
    this.id = id;
    this.cwd = cwd;
    this.after = after;
  }

  async #read() {
    try {
      this.#consent = (await templates.consent(this.id, this.cwd)).consent;
      this.#problem = "";
      if (!this.#consent || this.#consent.approved) return this.after();
    } catch (problem) {
      this.#problem = problem.message;
    }
    this.app.draw();
  }

  async #approve() {
    this.#busy = true;
    this.app.draw();
    try {
      await templates.approve(this.id, this.#consent.digest, this.cwd);
      await this.after();
    } catch (problem) {
      // It isn't any more what was read: nobody's word stands for that.
      this.#consent = null;
      this.#problem = problem.message;
    }
    this.#busy = false;
    this.app.draw();
  }

  content() {
    return html`<section class="notice" aria-label="Approval of ${this.id}"><p><b>${this.id}</b> isn't approved as it is now, so no run may use it. Here, or with <code>bigtask template approve ${this.id}</code>:</p>
      ${this.#problem ? html`<p class="problem" role="alert">${this.#problem}</p>` : nothing}
      ${this.#consent ? this.#shown(this.#consent) : html`<p><button @click=${() => this.#read()}>See what it would do</button></p>`}</section>`;
  }

  #shown({ path, whole, chain, permissionMode, commands, files }) {
    const may = MODES.find(([mode]) => mode === permissionMode)?.[1] ?? permissionMode;
    return html`<dl class="details"><dt>File</dt><dd><code>${path}</code>${chain.length > 1 ? html`, extends ${chain.slice(1).join(", ")}` : nothing}</dd>
        ${whole ? html`<dt>Agents may</dt><dd>${may}</dd><dt>They are told</dt><dd><a href="#/templates/${encodeURIComponent(this.id)}${this.cwd ? `?cwd=${encodeURIComponent(this.cwd)}` : ""}">its text and its prompts</a></dd>` : nothing}
        <dt>${plural(commands.length, "command")}</dt><dd>${commands.length ? html`<ul class="told">${commands.map(({ pointer, command }) => html`<li><pre>${wholeLineOf(command)}</pre><span class="about">${pointer}</span></li>`)}</ul>` : "none that bigtask would run or allow"}</dd>
        ${files.length ? html`<dt>${plural(files.length, "file")} of the project</dt><dd><ul class="told">${files.map((file) => html`<li><code>${file}</code></li>`)}</ul></dd>` : nothing}</dl>
      <p>It holds on this machine until a byte of it changes.</p>
      <p><button class="careful" ?disabled=${this.#busy} @click=${() => this.#approve()}>Approve ${whole ? "this template" : "these commands"}</button></p>`;
  }
}
