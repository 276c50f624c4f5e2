/** One template: its text, what it inherits, and the prompts that it comes to. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { agents, templates } from "../api.js";
import { origins, takenAway } from "../core/inheritance.js";
import { read } from "../core/json_text.js";
import { Approval } from "./approval.js";
import { choice, field } from "./fields.js";
import { saveFile } from "./files.js";
import { tell } from "./notes.js";
import { TemplateText } from "./template_text.js";

const CHECK_AFTER_MS = 250;
const KEPT = "bigtask-template-";
const NOTHING_SAID = { errors: [], warnings: [] };
const PROMPTS = [["analysis", "Analysis"], ["taskPlanning", "Planning"], ["worker", "A worker"], ["aggregation", "Bringing together"], ["verification", "Verification"]];
const WHOSE = { shipped: "Shipped with bigtask", user: "Your own", project: "From the repository" };

let schema = null;

export class TemplateScreen {
  #listed = null;
  #all = [];
  #text = "";
  #saved = "";
  #revision = "";
  #agents = [];
  #findings = NOTHING_SAID;
  #checked = null;
  #part = "text";
  #rows = null;
  #gone = [];
  #phase = "worker";
  #prompt = null;
  #newer = null;
  #due = 0;
  #problem = "";
  #busy = false;
  #deletes = false;
  #onlyOwn = false;
  #editor;
  #approval;

  constructor(app, id, cwd = "") {
    this.app = app;
    this.id = id;
    this.cwd = cwd;
    this.#approval = new Approval(app, id, cwd, () => this.#read());
    this.#editor = new TemplateText(app, (text) => this.#typed(text));
  }

  async enter() {
    document.title = `${this.id} · Templates · bigtask`;
    await this.#read();
    try {
      schema ??= (await templates.schema()).schema;
      this.#agents = (await agents()).agents.map((one) => one.name);
    } catch (problem) {
      tell(this.app, problem.message);
    }
    this.app.draw();
  }

  leave() {
    clearTimeout(this.#due);
  }

  get #dirty() {
    return this.#text !== this.#saved;
  }

  get #own() {
    return this.#listed?.source === "user";
  }

  async #read() {
    try {
      this.#all = (await templates.list(this.cwd)).templates;
      this.#listed = this.#all.find((one) => one.id === this.id && !one.hiddenBy) ?? null;
      if (!this.#listed) throw new Error(`There is no template ${this.id}: it may have been deleted.`);
      if (this.#listed.source === "shipped") this.#take(`${JSON.stringify((await templates.own(this.id)).template, null, 2)}\n`, "");
      else {
        const { text, revision } = await templates.text(this.id, this.cwd);
        this.#take(text, revision);
        this.#goOn();
      }
      this.#problem = "";
    } catch (problem) {
      this.#problem = problem.message;
    }
    this.app.draw();
  }

  #take(text, revision) {
    this.#text = this.#saved = text;
    this.#revision = revision;
    this.#newer = null;
    this.#rows = this.#prompt = null;
    this.#findings = { errors: this.#listed.errors, warnings: this.#listed.warnings };
    this.#checked = text;
    if (this.#part !== "text") this.#show(this.#part);
  }

  /** With what was typed here before and not saved. */
  #goOn() {
    const kept = JSON.parse(sessionStorage.getItem(KEPT + this.id) ?? "null");
    if (!this.#own || kept === null || kept.text === this.#saved) return;
    if (kept.revision !== this.#revision) this.#newer = { text: this.#saved, revision: this.#revision };
    this.#typed(kept.text);
  }

  #keep() {
    if (this.#dirty) sessionStorage.setItem(KEPT + this.id, JSON.stringify({ text: this.#text, revision: this.#revision }));
    else sessionStorage.removeItem(KEPT + this.id);
  }

  #typed(text) {
    this.#text = text;
    this.#keep();
    this.#rows = this.#prompt = null;
    clearTimeout(this.#due);
    this.#due = setTimeout(() => this.#check(), CHECK_AFTER_MS);
    this.app.draw();
  }

  async #check() {
    const text = this.#text;
    const { value, error } = read(text);
    if (error) return;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.#findings = { errors: [{ pointer: "", message: "a template is an object: { … }" }], warnings: [] };
    } else {
      try {
        const { errors, warnings } = await templates.validate(value, this.cwd);
        if (text !== this.#text) return;
        const renamed = value.id !== this.id && !errors.length ? [{ pointer: "/id", message: `must stay ${this.id}, the name of its file: duplicate the template to have it under another id` }] : [];
        this.#findings = { errors: [...errors, ...renamed], warnings };
        this.#problem = "";
      } catch (problem) {
        this.#problem = problem.message;
      }
    }
    this.#checked = text;
    this.app.draw();
  }

  get #usable() {
    return this.#checked === this.#text && !this.#findings.errors.length && !read(this.#text).error;
  }

  async #save(revision = this.#revision) {
    this.#busy = true;
    this.app.draw();
    try {
      await templates.update(this.id, read(this.#text).value, revision);
      sessionStorage.removeItem(KEPT + this.id);
      await this.#read();
      tell(this.app, `${this.id} is saved. Runs that exist keep what they began with.`, "news");
    } catch (problem) {
      if (problem.status === 412) await this.#meet();
      else if (problem.details?.errors) this.#findings = { errors: problem.details.errors, warnings: [] };
      else tell(this.app, problem.message);
    }
    this.#busy = false;
    this.app.draw();
  }

  /** Somebody else saved it meanwhile. */
  async #meet() {
    try {
      this.#newer = await templates.text(this.id, this.cwd);
    } catch (problem) {
      tell(this.app, problem.message);
    }
  }

  async #duplicate() {
    const taken = new Set(this.#all.map((one) => one.id));
    const stem = this.id.replace(/^_+/, "").slice(0, 58);
    let id = `${stem}-copy`;
    for (let number = 2; taken.has(id); number += 1) id = `${stem}-copy-${number}`;
    try {
      await templates.duplicate(this.id, `${this.#listed.name || this.id} (copy)`, id);
      location.hash = `#/templates/${id}`;
    } catch (problem) {
      tell(this.app, problem.message);
    }
  }

  async #delete() {
    try {
      await templates.remove(this.id, this.#revision);
      sessionStorage.removeItem(KEPT + this.id);
      location.hash = "#/templates";
    } catch (problem) {
      this.#deletes = false;
      tell(this.app, problem.message);
    }
    this.app.draw();
  }

  async #show(part) {
    this.#part = part;
    this.app.draw();
    if (part === "inherited" && !this.#rows) await this.#readOrigins();
    if (part === "prompts" && !this.#prompt) await this.#readPrompt();
    this.app.draw();
  }

  async #readOrigins() {
    try {
      const { value, error } = read(this.#text);
      if (error) throw new Error("The text can't be read as JSON: mend it first.");
      const files = [{ id: this.id, content: value }];
      for (let parent = value.extends; parent && files.length < 50; ) {
        const { template } = await templates.own(parent, this.cwd);
        files.push({ id: parent, content: template });
        parent = template.extends;
      }
      const whole = files.reduceRight((found, { content }) => merged(found, content), {});
      this.#rows = { rows: origins(whole, files), problem: "" };
      this.#gone = takenAway(value);
    } catch (problem) {
      this.#rows = { rows: [], problem: problem.message };
    }
  }

  async #readPrompt() {
    const text = this.#text;
    try {
      const unsaved = this.#dirty ? read(text).value : undefined;
      this.#prompt = await templates.preview(this.id, this.#phase, {}, unsaved, this.cwd);
    } catch (problem) {
      this.#prompt = { problem: problem.message };
    }
    if (text !== this.#text) this.#prompt = null;
  }

  content() {
    if (!this.#listed) {
      return html`<main tabindex="-1" class="narrow"><h1>${this.id}</h1>${this.#problem ? html`<p class="problem" role="alert">${this.#problem}</p><a class="button" href="#/templates">All templates</a>` : html`<p class="hint" aria-busy="true">Reading…</p>`}</main>`;
    }
    const tab = (part, words) => html`<button role="tab" aria-selected=${this.#part === part ? "true" : "false"} @click=${() => this.#show(part)}>${words}</button>`;
    return html`<main tabindex="-1" class="wide making template-screen" @keydown=${(event) => this.#key(event)}>
      ${this.#heading()}${this.#conflict()}
      <div class="forms" role="tablist" aria-label="Show">${tab("text", "Text")}${tab("inherited", "Own and inherited")}${tab("prompts", "Prompts")}</div>
      ${{ text: () => this.#editing(), inherited: () => this.#inherited(), prompts: () => this.#prompts() }[this.#part]()}</main>`;
  }

  /** Every value on a line of its own, as bigtask writes it. */
  #layOut() {
    this.#typed(`${JSON.stringify(read(this.#text).value, null, 2)}\n`);
  }

  #key(event) {
    if ((event.ctrlKey || event.metaKey) && event.key === "s") {
      event.preventDefault();
      if (this.#own && this.#dirty && this.#usable) this.#save();
    }
  }

  #heading() {
    const one = this.#listed;
    return html`<div class="row heading"><div><h1><span aria-hidden="true">${one.icon || "▦"}</span> ${one.name || one.id}</h1>
        <p class="about"><a href="#/templates">Templates</a> · <code>${one.id}</code> · ${WHOSE[one.source]}${one.extends ? html` · extends <a href="#/templates/${encodeURIComponent(one.extends)}">${one.extends}</a>` : nothing}${this.#dirty ? html` · <b>not saved</b>` : nothing}</p></div>
      <div class="actions">${this.#own ? html`<button class="main" ?disabled=${!this.#dirty || !this.#usable || this.#busy} title="Save (Ctrl+S)" @click=${() => this.#save()}>Save</button>` : nothing}
        ${one.usable && one.id !== "_default" ? html`<a class="button" href="#/new?template=${one.id}">Use it</a>` : nothing}
        <button ?disabled=${Boolean(one.errors.length) || one.source === "project"} @click=${() => this.#duplicate()}>Duplicate</button>
        ${this.#own && this.#part === "text" ? html`<button ?disabled=${Boolean(read(this.#text).error)} @click=${() => this.#layOut()}>Lay out</button>` : nothing}
        <button @click=${() => saveFile(`${this.id}.json`, this.#text)}>Export</button>
        ${this.#own ? this.#deletes ? html`<button class="careful" @click=${() => this.#delete()}>Yes, delete it</button><button @click=${() => { this.#deletes = false; this.app.draw(); }}>Keep it</button>`
          : html`<button class="careful" @click=${() => { this.#deletes = true; this.app.draw(); }}>Delete</button>` : nothing}</div></div>
      ${this.#problem ? html`<p class="problem" role="alert">${this.#problem}</p>` : nothing}
      ${one.source === "shipped" ? html`<p class="notice">It comes with bigtask and stays as it is. Duplicate it, or extend it, to have one of your own.</p>` : nothing}
      ${one.source === "project" ? html`<p class="notice">It belongs to the repository: change <code>.bigtask/templates/${one.id}.json</code> there.</p>` : nothing}
      ${one.approved === false ? this.#approval.content() : nothing}`;
  }

  #conflict() {
    if (!this.#newer) return nothing;
    return html`<section class="card open" role="alert"><h2>Somebody else saved ${this.id} while you changed it</h2><p>Yours is in the editor and not saved; theirs is below.</p>
      <pre class="theirs">${difference(this.#newer.text, this.#text)}</pre>
      <div class="actions"><button @click=${() => { this.#take(this.#newer.text, this.#newer.revision); this.#keep(); this.app.draw(); }}>Take theirs, drop mine</button>
        <button class="careful" @click=${() => this.#save(this.#newer.revision)}>Save mine over theirs</button></div></section>`;
  }

  #editing() {
    return this.#editor.content(this.#text, { schema, ids: this.#all.filter((one) => !one.errors.length && one.id !== this.id).map((one) => one.id), agents: this.#agents, findings: this.#findings, checked: this.#checked === this.#text, readOnly: !this.#own });
  }

  #inherited() {
    if (!this.#rows) return html`<p class="hint" aria-busy="true">Reading…</p>`;
    if (this.#rows.problem) return html`<p class="problem" role="alert">${this.#rows.problem}</p>`;
    const rows = this.#rows.rows.filter((row) => !this.#onlyOwn || row.from === this.id);
    const own = this.#rows.rows.filter((row) => row.from === this.id).length;
    return html`<label class="tick"><input type="checkbox" .checked=${this.#onlyOwn} @change=${(event) => { this.#onlyOwn = event.target.checked; this.app.draw(); }}> Only its own (${own} of ${this.#rows.rows.length})</label>
      ${this.#gone.length ? html`<p class="notice">It takes away: ${this.#gone.map((pointer) => html`<code>${pointer}</code> `)}</p>` : nothing}
      <div class="table-room" tabindex="0" role="region" aria-label="Own and inherited values"><table><thead><tr><th scope="col">Field</th><th scope="col">Value</th><th scope="col">From</th></tr></thead><tbody>${rows.map((row) => html`<tr class=${row.from === this.id ? "own" : ""}>
        <th scope="row"><code>${row.pointer}</code></th><td>${shown(row.value)}${row.over === undefined || row.from !== this.id || ["/id", "/name"].includes(row.pointer) ? nothing : html`<p class="about">instead of ${shown(row.over)}</p>`}</td>
        <td>${row.from === this.id ? html`<b>own</b>` : row.from}</td></tr>`)}</tbody></table></div>`;
  }

  #prompts() {
    const found = this.#prompt;
    return html`<div class="short">${field("phase", "Prompt of", choice(this.#phase, PROMPTS, (phase) => { this.#phase = phase; this.#prompt = null; this.#show("prompts"); }), { hint: "As an agent would get it, with samples for what only a run knows." })}</div>
      ${!found ? html`<p class="hint" aria-busy="true">Reading…</p>` : found.problem ? html`<p class="problem" role="alert">${found.problem}</p>` : html`
        ${found.warnings.length ? html`<ul class="notice">${found.warnings.map((one) => html`<li>${one}</li>`)}</ul>` : nothing}
        <h2>System</h2><pre class="prompt">${found.system}</pre><h2>User</h2><pre class="prompt">${found.user || "nothing"}</pre>`}`;
  }
}

/** A child over its parent, as bigtask merges them. */
function merged(parent, child) {
  const both = { ...parent };
  for (const [key, value] of Object.entries(child)) {
    if (value === null) delete both[key];
    else both[key] = isObject(value) ? merged(isObject(both[key]) ? both[key] : {}, value) : value;
  }
  return both;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value) {
  if (typeof value !== "string") return JSON.stringify(value);
  return value.length > 160 ? html`<details><summary>${value.slice(0, 120)}…</summary><pre>${value}</pre></details>` : value || html`<span class="about">empty</span>`;
}

/** The lines of theirs that aren't in mine, and of mine that aren't in theirs. */
function difference(theirs, mine) {
  const [one, other] = [theirs.split("\n"), mine.split("\n")];
  const [inMine, inTheirs] = [new Set(other), new Set(one)];
  const lines = [...one.filter((line) => !inMine.has(line)).map((line) => ["theirs", line]), ...other.filter((line) => !inTheirs.has(line)).map((line) => ["mine", line])];
  return lines.map(([whose, line]) => html`<span class=${whose === "mine" ? "plus" : "minus"}>${whose === "mine" ? "yours  " : "theirs "}${line}
</span>`);
}
