/** One task of a plan as a form. What can't be kept as it was typed stays in the field, with the reason. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { lineOf, wordsOf } from "../core/command_line.js";
import { choice, field, lines, numberOf, text } from "./fields.js";

const NUMBERS = {
  priority: { whole: true, least: 1, most: 10, said: "a whole number from 1, the most urgent, to 10" },
  estimatedMinutes: { least: 0, said: "a number of minutes, or nothing" },
  estimatedTokens: { whole: true, least: 0, said: "a whole number of tokens, or nothing" },
};

export class TaskForm {
  #typed = new Map();

  /** `change(id, fields, what)` keeps fields of a task; `rename(id, wanted)` gives a new one another id. */
  constructor({ change, rename }) {
    this.change = change;
    this.rename = rename;
  }

  /** What was typed and isn't kept in the plan: sentences by `task/field`. */
  get unkept() {
    return new Map([...this.#typed].filter(([, one]) => one.problem).map(([place, one]) => [place, one.problem]));
  }

  forget() {
    this.#typed.clear();
  }

  content(task, { tasks, fixed, agents, agent, problems, agreed, close }) {
    const here = (name) => [this.unkept.get(`${task.id}/${name}`), ...problems.filter((one) => one.taskId === task.id && one.field === name).map((one) => one.sentence)];
    const set = (name) => (value) => this.change(task.id, { [name]: value }, name);
    const own = { disabled: Boolean(fixed) };
    return html`<aside class="panel making" aria-label="The task ${task.id}">
      <div class="row"><h2>${task.id}</h2><button class="quiet" aria-label="Close" @click=${close}>×</button></div>
      ${fixed ? html`<p class="notice">${fixed}</p>` : nothing}
      <form @submit=${(event) => event.preventDefault()}>
      ${task.from.length ? nothing : field("task-id", "Id", text(task.id, (value) => this.rename(task.id, value.trim())), { problems: here("id"), hint: "a-z, 0-9, - and _" })}
      ${field("task-title", "Title", text(task.title, set("title"), own), { problems: here("title") })}
      ${field("task-description", "What the worker is told", lines(task.description, set("description"), { rows: 5, ...own }), { problems: here("description") })}
      ${this.#dependencies(task, tasks, own.disabled, here("dependencies"))}
      ${field("task-scope", "May change", lines(this.#shown(task, "scope", task.scope.join("\n")), (value) => this.#scope(task, value), { rows: 2, code: true, placeholder: "anything", ...own }),
        { problems: here("scope"), hint: "Files, folders or globs below the project, one a line. Tasks whose places overlap run one after the other." })}
      ${this.#checks(task, agreed, own.disabled, here("checks"))}
      <div class="columns">
        ${this.#number(task, "priority", "Priority", own, here("priority"), "1 is the most urgent")}
        ${this.#number(task, "estimatedMinutes", "Minutes", own, here("estimatedMinutes"), "expected")}
        ${this.#number(task, "estimatedTokens", "Tokens", own, here("estimatedTokens"), "expected")}
      </div>
      <div class="columns">
        ${field("task-agent", "Agent", choice(task.agent ?? "", [["", `the run's (${agent})`], ...[...new Set([...agents, ...(task.agent ? [task.agent] : [])])].map((name) => [name, name])], (value) => set("agent")(value || null), own), { problems: here("agent") })}
        ${field("task-model", "Model", text(task.model ?? "", (value) => set("model")(value.trim() || null), { placeholder: "the agent's own", ...own }), { problems: here("model") })}
      </div></form></aside>`;
  }

  #shown(task, name, kept) {
    return this.#typed.get(`${task.id}/${name}`)?.text ?? kept;
  }

  #keep(task, name, typed, problem = "") {
    this.#typed.set(`${task.id}/${name}`, { text: typed, problem });
  }

  #scope(task, typed) {
    this.#keep(task, "scope", typed);
    this.change(task.id, { scope: typed.split("\n").map((line) => line.trim()).filter(Boolean) }, "scope");
  }

  #number(task, name, words, own, problems, hint) {
    const kept = task[name] === null ? "" : String(task[name]);
    const input = (typed) => {
      const value = numberOf(typed, NUMBERS[name]);
      const missing = value === undefined || (value === null && name === "priority");
      this.#keep(task, name, typed, missing ? `${typed.trim() || "nothing"} isn't ${NUMBERS[name].said}` : "");
      this.change(task.id, missing ? {} : { [name]: value }, name);
    };
    return field(`task-${name}`, words, ({ id, describedby, invalid }) => html`<input id=${id} inputmode="decimal" autocomplete="off" .value=${this.#shown(task, name, kept)} ?disabled=${own.disabled}
      aria-describedby=${describedby} aria-invalid=${invalid} @input=${(event) => input(event.target.value)}>`, { problems, hint });
  }

  #dependencies(task, tasks, disabled, problems) {
    const possible = tasks.filter((one) => one.id !== task.id && !task.dependencies.includes(one.id));
    const set = (dependencies) => this.change(task.id, { dependencies }, "dependencies");
    return html`<fieldset class="field"><legend>Waits for</legend>
      ${task.dependencies.length ? html`<ul class="chips">${task.dependencies.map((id) => html`<li>${id}<button type="button" class="quiet" ?disabled=${disabled} aria-label="No longer wait for ${id}" @click=${() => set(task.dependencies.filter((one) => one !== id))}>×</button></li>`)}</ul>` : html`<p class="hint">Nothing: it may begin at once.</p>`}
      ${possible.length && !disabled ? html`<select aria-label="Wait for another task" .value=${""} @change=${(event) => { set([...task.dependencies, event.target.value]); event.target.value = ""; }}>
        <option value="">Add…</option>${repeat(possible, (one) => one.id, (one) => html`<option value=${one.id}>${one.id}: ${one.title.slice(0, 60)}</option>`)}</select>` : nothing}
      ${problems.filter(Boolean).map((one) => html`<p class="sentences" role="alert">${one}</p>`)}</fieldset>`;
  }

  #checks(task, agreed, disabled, problems) {
    const set = (checks) => this.change(task.id, { checks }, "checks");
    const drop = (number) => {
      for (const place of [...this.#typed.keys()]) if (place.startsWith(`${task.id}/check`)) this.#typed.delete(place);
      set(task.checks.filter((_, one) => one !== number));
    };
    const put = (number, check) => set(task.checks.map((one, other) => (other === number ? check : one)));
    return html`<fieldset class="field"><legend>Done when</legend>
      ${task.checks.map((check, number) => this.#check(task, check, number, agreed, disabled, put, drop))}
      ${disabled ? nothing : html`<div class="actions"><button type="button" @click=${() => set([...task.checks, { command: [] }])}>Add a command</button>
        <button type="button" @click=${() => set([...task.checks, { claim: "" }])}>Add a sentence</button></div>`}
      ${problems.filter(Boolean).map((one) => html`<p class="sentences" role="alert">${one}</p>`)}</fieldset>`;
  }

  #check(task, check, number, agreed, disabled, put, drop) {
    const remove = html`<button type="button" class="quiet" ?disabled=${disabled} aria-label="Take this check away" @click=${() => drop(number)}>×</button>`;
    if (check.command == null) {
      return html`<div class="check-row"><input aria-label="Sentence that has to be true" ?disabled=${disabled} .value=${check.claim ?? ""} placeholder="Every public name has an example" @input=${(event) => put(number, { claim: event.target.value })}>${remove}</div>`;
    }
    const place = `check${number}`;
    const input = (typed) => {
      const words = wordsOf(typed);
      this.#keep(task, place, typed, words === null ? "a quote isn't closed: close it, or put a backslash before it" : "");
      put(number, { command: words ?? check.command });
    };
    const free = agreed.some((one) => one.join("\0") === check.command.join("\0"));
    const wrong = this.unkept.get(`${task.id}/${place}`);
    return html`<div class="check-row ${free ? "" : "approve"}"><input class="code" aria-label="Command that has to succeed" aria-invalid=${wrong ? "true" : "false"} ?disabled=${disabled} spellcheck="false" .value=${this.#shown(task, place, lineOf(check.command))} placeholder="make test" @input=${(event) => input(event.target.value)}>${remove}
      <p class="${free ? "hint" : "approval"}">${free ? "The template allows this command." : "bigtask runs this on your machine once you confirm the plan."}</p>
      ${wrong ? html`<p class="sentences" role="alert">${wrong}</p>` : nothing}</div>`;
  }
}
