/** What a run came to, and what the person does with it: the ledger first, as in every report. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { runs } from "../api.js";
import { count, dollars, duration, exact, plural } from "../core/numbers.js";
import { OUTCOMES } from "../core/words.js";
import { checks, ledger } from "./ledger_view.js";
import { tell } from "./notes.js";
import { PatchView } from "./patch_view.js";

const FORMS = [
  ["markdown", "Markdown", "text/markdown"],
  ["json", "JSON", "application/json"],
  ["html", "HTML page", "text/html"],
];

export class ResultScreen {
  #result = null;
  #foreseen = null;
  #changes = new Map();
  #of = "";
  #problem = "";
  #busy = "";
  #seq = 0;
  #patch;

  constructor(app, id) {
    this.app = app;
    this.id = id;
    this.#patch = new PatchView(app);
  }

  enter() {
    document.title = "Result · bigtask";
    this.changed();
  }

  leave() {}

  /** Looks again: something happened in some run. */
  async changed() {
    try {
      const { orchestrator } = await runs.status(this.id);
      if (orchestrator.seq === this.#seq) return;
      this.#seq = orchestrator.seq;
      this.#result = (await runs.result(this.id)).result;
      this.#problem = "";
      document.title = `Result of ${this.#result.run.request.slice(0, 40)} · bigtask`;
      this.#changes.clear();
      await Promise.all([this.#foresee(), this.#look(this.#of)]);
    } catch (problem) {
      this.#problem = problem.message;
    }
    this.app.draw();
  }

  async #foresee() {
    try {
      this.#foreseen = await runs.foreseeMerge(this.id);
    } catch (problem) {
      this.#foreseen = { refused: problem.message, inTheWay: [], files: [], words: "" };
    }
  }

  /** The changes of one task; of the whole for "". */
  async #look(taskId) {
    this.#of = taskId;
    this.app.draw();
    if (this.#changes.has(taskId)) return;
    let found;
    try {
      found = await runs.diff(this.id, taskId);
    } catch (problem) {
      found = { files: [], patch: "", problem: problem.message };
    }
    this.#changes.set(taskId, found);
    this.app.draw();
  }

  async #move(verb, done) {
    this.#busy = verb;
    this.app.draw();
    try {
      const moved = await runs.act(this.id, verb);
      tell(this.app, done(moved), "news");
    } catch (problem) {
      tell(this.app, problem.message);
    }
    this.#busy = "";
    this.#seq = 0;
    await this.changed();
  }

  async #export([format, , type]) {
    try {
      const { name, text } = await runs.report(this.id, format);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type }));
      link.download = name;
      link.click();
      URL.revokeObjectURL(link.href);
      tell(this.app, `${name} is in your downloads. Look into it before you send it.`, "news");
    } catch (problem) {
      tell(this.app, problem.message);
    }
  }

  pressed(event) {
    if (event.key === "Escape") location.hash = `#/runs/${this.id}`;
  }

  content() {
    const result = this.#result;
    if (result === null) {
      return html`<main tabindex="-1" class="narrow"><h1>Result</h1>${this.#problem
        ? html`<p class="problem" role="alert">${this.#problem}</p>`
        : html`<p class="hint" aria-busy="true">Reading…</p>`}</main>`;
    }
    return html`<main tabindex="-1" class="narrow result">
      ${this.#problem ? html`<p class="problem" role="alert">${this.#problem} What follows is as it was before.</p>` : nothing}
      ${heading(result, this.id)}
      ${this.#taking(result)}
      <section aria-labelledby="ledger"><h2 id="ledger">What became of every task</h2>${ledger(result.ledger, this.id)}</section>
      ${result.run.summary ? html`<section aria-labelledby="summary"><h2 id="summary">Summary</h2><p class="words card">${result.run.summary}</p></section>` : nothing}
      ${this.#difference(result)}
      ${verdict(result.verdict)}
      ${warnings(result)}
      ${bill(result)}
    </main>`;
  }

  /** Merging: what will happen, or why it can't. */
  #taking(result) {
    const seen = this.#foreseen;
    const over = result.run.outcome !== null;
    const merge = () => this.#move("merge", (moved) => moved.already || !moved.files.length
      ? "Nothing was to do." : `${plural(moved.files.length, "file")} merged. Undo takes them out again.`);
    const undo = () => this.#move("merge/undo", (moved) => `${plural(moved.files.length, "file")} as before the merge.`);
    return html`<section class="card taking" aria-label="Taking it over">
      <div class="row"><div>${this.#will(result, seen, over)}</div>
      <div class="actions">
        ${result.run.merged === null && over && seen && !["nothing", "already"].includes(seen.way)
          ? html`<button class="main" ?disabled=${this.#busy || seen.refused} @click=${merge}>${this.#busy === "merge" ? "Merging…" : "Merge"}</button>` : nothing}
        ${result.run.merged !== null ? html`<button class="careful" ?disabled=${this.#busy} @click=${undo}>${this.#busy ? "Undoing…" : "Undo the merge"}</button>` : nothing}
        ${seen?.refused ? html`<button @click=${async () => { await this.#foresee(); this.app.draw(); }}>Look again</button>` : nothing}
      </div></div>
      <div class="row"><p class="about">Export: a document to send. The page has what tells of you taken out.</p>
        <div class="actions" role="group" aria-label="Export">${FORMS.map((form) => html`<button class="quiet" @click=${() => this.#export(form)}>${form[1]}</button>`)}</div></div>
    </section>`;
  }

  #will(result, seen, over) {
    if (seen === null) return html`<p class="hint" aria-busy="true">Looking at your branch…</p>`;
    if (result.run.merged !== null) return html`<p><b>You have the result.</b> ${result.run.branch ? html`It is on <code>${result.run.branch}</code> as well.` : nothing}</p>`;
    if (!over) return html`<p><b>The run goes on:</b> it can be merged when it has ended.</p>${seen.words ? html`<p class="about">As it stands: ${seen.words}</p>` : nothing}`;
    if (seen.refused) {
      return html`<p><b>It can't be merged as things stand.</b></p><p class="problem" role="alert">${seen.refused}</p>
        ${seen.inTheWay.length ? html`<ul class="files">${seen.inTheWay.map((path) => html`<li><code>${path}</code></li>`)}</ul>` : nothing}`;
    }
    return html`<p><b>Merge</b> ${["nothing", "already"].includes(seen.way) ? html`isn't needed. ${seen.words}` : html`makes ${seen.words}`}</p>
      ${result.run.outcome !== "complete" && seen.files.length ? html`<p class="doubt">The run is ${OUTCOMES[result.run.outcome].toLowerCase()}: what it completed would be merged, the rest is missing.</p>` : nothing}`;
  }

  #difference(result) {
    const found = this.#changes.get(this.#of);
    const tasks = result.ledger.filter((task) => task.files.length);
    return html`<section aria-labelledby="changes"><div class="row"><h2 id="changes">Changes</h2>
      ${tasks.length ? html`<label class="choice">of <select @change=${(event) => this.#look(event.target.value)}>
        <option value="" ?selected=${this.#of === ""}>all tasks</option>
        ${tasks.map((task) => html`<option value=${task.id} ?selected=${this.#of === task.id}>${task.id} (${plural(task.files.length, "file")})</option>`)}
      </select></label>` : nothing}</div>
      ${found === undefined ? html`<p class="hint" aria-busy="true">Reading…</p>` : found.problem ? html`<p class="empty">${found.problem}</p>` : this.#patch.content(found)}
    </section>`;
  }
}

function heading(result, id) {
  const { run, time, cost, tasks } = result;
  const files = new Set(result.ledger.flatMap((task) => task.files)).size;
  const sum = (name) => result.ledger.reduce((total, task) => total + task[name], 0);
  const parts = [
    tasks.total ? `${tasks.completed ?? 0} of ${plural(tasks.total, "task")} done` : "nothing was planned",
    ...Object.entries(tasks).filter(([name, number]) => number && !["total", "completed"].includes(name)).map(([name, number]) => `${number} ${name}`),
    `${plural(files, "file")}, +${count(sum("insertions"))} −${count(sum("deletions"))}`,
    duration(time.elapsedMs),
    cost.total.costUsd ? dollars(cost.total.costUsd) : "",
  ].filter(Boolean);
  const began = Date.parse(time.createdAt);
  // Merging has a card of its own.
  const left = result.left.filter((one) => !one.command || one.command !== result.commands.merge);
  return html`<div><a class="back" href="#/runs/${id}">← the run</a><h1>${run.request}</h1>
    <p class="about">${run.template} · ${run.agent} · ${run.project} · <time datetime=${time.createdAt}>${exact(began)}</time></p></div>
    <p class="headline" role="status"><b class="stands ${run.outcome ?? ""}">${run.outcome ? OUTCOMES[run.outcome] : run.status}</b> ${parts.join("; ")}</p>
    ${run.reason ? html`<p class="problem">${run.reason}</p>` : nothing}
    ${left.length ? html`<ul class="left">${left.map((one) => html`<li>${one.what}${one.command ? html` <code>${one.command}</code>` : nothing}</li>`)}</ul>` : nothing}`;
}

function verdict(found) {
  if (found === null) return html`<section aria-labelledby="verdict"><h2 id="verdict">Checks</h2><p class="empty">The whole wasn't checked.</p></section>`;
  return html`<section aria-labelledby="verdict"><h2 id="verdict">Checks <span class="mark ${found.passed ? "good" : "bad"}">${found.passed ? "passed" : "did not pass"}</span></h2>
    ${found.whyNot ? html`<p class="problem">${found.whyNot}</p>` : nothing}
    ${found.summary ? html`<p class="words">${found.summary}</p>` : nothing}
    ${found.checks.length ? checks(found.checks) : html`<p class="hint">No command was run on the whole.</p>`}
    ${found.repairRounds ? html`<p class="about">${plural(found.repairRounds, "repair round")} before.</p>` : nothing}
    ${found.issues.length ? html`<h3>Issues</h3><ul class="issues">${found.issues.map((issue) => html`<li class="issue ${issue.severity}">
      <b>${issue.severity}</b> ${issue.description}${issue.location ? html` <code>${issue.location}</code>` : nothing}
      ${issue.suggestedFix ? html`<p class="about">${issue.suggestedFix}</p>` : nothing}</li>`)}</ul>` : nothing}
  </section>`;
}

function warnings(result) {
  if (!result.warnings.length) return nothing;
  return html`<section aria-labelledby="warnings"><h2 id="warnings">Warnings</h2>
    <ul>${result.warnings.map((one) => html`<li class="doubt">${one}</li>`)}</ul></section>`;
}

function bill({ cost, time }) {
  const rows = Object.entries(cost.byAgent);
  const row = (name, used, kind = "") => html`<tr class=${kind}><th scope="row">${name}</th><td>${count(used.inputTokens)}</td><td>${count(used.outputTokens)}</td><td>${used.costUsd ? dollars(used.costUsd) : "–"}</td></tr>`;
  return html`<section aria-labelledby="bill"><h2 id="bill">Bill</h2>
    ${rows.length ? html`<table class="bill"><thead><tr><th scope="col">agent</th><th scope="col">tokens in</th><th scope="col">tokens out</th><th scope="col">cost</th></tr></thead>
      <tbody>${rows.map(([name, used]) => row(name, used))}${rows.length > 1 ? row("in all", cost.total, "total") : nothing}</tbody></table>`
      : html`<p class="hint">No agent told of tokens or costs.</p>`}
    ${cost.account ? html`<p class="about">Account: ${cost.account}.${cost.subscription ? " It is paid by the month: costs are what the work would come to by list price." : ""}</p>` : nothing}
    <p class="about">${duration(time.workMs)} of work in ${duration(time.elapsedMs)}</p></section>`;
}
