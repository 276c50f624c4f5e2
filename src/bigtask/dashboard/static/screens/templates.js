/** All templates, with where they come from, and the broken ones with the reason. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { templates } from "../api.js";
import { plural } from "../core/numbers.js";
import { saveFile } from "./files.js";
import { text } from "./fields.js";
import { tell } from "./notes.js";

const GROUPS = [
  ["project", "From the repository"],
  ["user", "Your own"],
  ["shipped", "Shipped with bigtask"],
];
const LOOK_AFTER_MS = 300;

let cwd = "";

export class TemplatesScreen {
  #found = null;
  #problem = "";
  #brought = null;
  #file = null;
  #due = 0;

  constructor(app) {
    this.app = app;
  }

  enter() {
    document.title = "Templates · bigtask";
    this.#read();
  }

  leave() {
    clearTimeout(this.#due);
  }

  changed() {
    this.#read();
  }

  async #read() {
    try {
      this.#found = (await templates.list(cwd)).templates;
      this.#problem = "";
    } catch (problem) {
      this.#problem = problem.message;
    }
    this.app.draw();
  }

  #goTo(wanted) {
    cwd = wanted.trim();
    clearTimeout(this.#due);
    this.#due = setTimeout(() => this.#read(), LOOK_AFTER_MS);
  }

  async #new() {
    const taken = new Set((this.#found ?? []).map((one) => one.id));
    let number = 1;
    while (taken.has(`template-${number}`)) number += 1;
    const id = `template-${number}`;
    try {
      await templates.create({ $schema: "urn:bigtask:template", id, name: "New template", extends: "_default", description: "", config: {}, variables: {} });
      location.hash = `#/templates/${id}`;
    } catch (problem) {
      tell(this.app, problem.message);
    }
  }

  async #export() {
    const own = this.#found.filter((one) => one.source !== "shipped" && one.usable).map((one) => one.id);
    try {
      const found = await templates.export(own);
      saveFile("templates.json", JSON.stringify(Object.values(found.templates), null, 2));
    } catch (problem) {
      tell(this.app, problem.message);
    }
  }

  async #bring(file, replacing = false) {
    if (!file) return;
    this.#file = file;
    try {
      const said = JSON.parse(await file.text());
      const { imported } = await templates.bring(Array.isArray(said) ? said : [said], replacing);
      this.#brought = imported;
      await this.#read();
    } catch (problem) {
      tell(this.app, problem instanceof SyntaxError ? `${file.name} isn't JSON: ${problem.message}` : problem.message);
    }
    this.app.draw();
  }

  content() {
    return html`<main tabindex="-1" class="narrow making templates">
      <div class="row"><h1>Templates</h1><div class="actions"><button class="main" @click=${() => this.#new()}>New template</button>
        <label class="button bring">Import<input type="file" accept="application/json,.json" @change=${(event) => { this.#bring(event.target.files[0]); event.target.value = ""; }}></label>
        <button ?disabled=${!this.#found?.some((one) => one.source !== "shipped" && one.usable)} @click=${() => this.#export()}>Export your own</button></div></div>
      <p class="about">A template says how one kind of work is done: its phases, its limits and its prompts. <label class="inline">Project whose own templates count as well ${text(cwd, (wanted) => this.#goTo(wanted), { placeholder: "/home/you/project" })({ id: "templates-cwd", describedby: nothing, invalid: "false" })}</label></p>
      ${this.#imported()}${this.#list()}</main>`;
  }

  #imported() {
    if (!this.#brought) return nothing;
    const refused = this.#brought.filter((one) => one.outcome === "refused");
    const taken = refused.some((one) => one.errors.some((error) => error.pointer === "/id"));
    return html`<section class="card" role="status" aria-label="What was imported"><ul class="findings">${this.#brought.map((one) => html`<li><b>${one.id || one.label}</b> ${one.outcome}${one.errors.map((error) => html`<p class="sentences">${error.pointer} ${error.message}</p>`)}</li>`)}</ul>
      <div class="actions">${taken ? html`<button class="careful" @click=${() => this.#bring(this.#file, true)}>Import again, replacing your own</button>` : nothing}
        <button @click=${() => { this.#brought = null; this.app.draw(); }}>Close</button></div></section>`;
  }

  #list() {
    if (this.#problem) return html`<p class="problem" role="alert">${this.#problem}</p>`;
    if (this.#found === null) return html`<p class="hint" aria-busy="true">Looking…</p>`;
    return GROUPS.map(([source, words]) => {
      const found = this.#found.filter((one) => one.source === source);
      if (!found.length) return source === "user" ? html`<h2>${words}</h2><p class="empty">You have none yet. Begin with “New template”, or duplicate one below.</p>` : nothing;
      return html`<h2>${words}</h2><ul class="runs">${repeat(found, (one) => one.id, (one) => this.#row(one))}</ul>`;
    });
  }

  #row(one) {
    return html`<li><a class="template-row" href="#/templates/${encodeURIComponent(one.id)}${one.source === "project" ? `?cwd=${encodeURIComponent(cwd)}` : ""}">
      <span class="icon" aria-hidden="true">${one.icon || "▦"}</span>
      <span class="request">${one.name || one.id}</span>
      <span class="about">${one.errors.length ? html`<span class="sentences">${one.errors[0].pointer} ${one.errors[0].message}${one.errors.length > 1 ? ` (and ${one.errors.length - 1} more)` : ""}</span>` : one.description}</span>
      <span class="marks"><code>${one.id}</code>${one.extends ? html` <span class="origin">extends ${one.extends}</span>` : nothing}
        ${one.errors.length ? html`<span class="origin broken">broken</span>` : nothing}
        ${one.hiddenBy ? html`<span class="origin">hidden by the ${one.hiddenBy === "project" ? "repository's" : one.hiddenBy} one</span>` : nothing}
        ${one.approved === false ? html`<span class="origin asks">not approved</span>` : nothing}
        ${one.warnings.length ? html`<span class="origin asks">${plural(one.warnings.length, "warning")}</span>` : nothing}</span></a></li>`;
  }
}
