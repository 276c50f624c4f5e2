/** The plan of a run while a person changes it: checked by the server as they type, saved as a whole. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { agents, runs } from "../api.js";
import { dollars, duration, plural } from "../core/numbers.js";
import { closesCircle, draftOf, edits, linked, merged, moved, rebased, renamed, withNew, withTask, without } from "../core/plan_draft.js";
import { tell } from "./notes.js";
import { PlanPicture } from "./plan_picture.js";
import { TaskForm } from "./task_form.js";

const CHECK_AFTER_MS = 200;
const MOST_STEPS = 200;
const FIXED = new Set(["running", "integrating", "completed", "partial"]);
const KEPT = "bigtask-plan-";

export class PlanEditor {
  #run = null;
  #draft = null;
  #past = [];
  #lastStep = "";
  #chosen = null;
  #together = new Set();
  #states = new Map();
  #agents = [];
  #outlook = null;
  #checked = "";
  #due = 0;
  #newer = null;
  #busy = false;
  #problem = "";
  #stop = () => {};
  #form;
  #picture;

  constructor(app, id) {
    this.app = app;
    this.id = id;
    this.#form = new TaskForm({
      change: (task, fields, what) => this.#step(withTask(this.#draft, task, fields), `${task}/${what}`),
      rename: (task, wanted) => this.#rename(task, wanted),
    });
    this.#picture = new PlanPicture(() => app.draw(), (first, then) => this.#link(first, then));
  }

  async enter() {
    document.title = "Plan · bigtask";
    addEventListener("beforeunload", this.#unload);
    await this.#read();
    if (this.#left || !this.#run) return;
    this.#stop = this.app.live.follow(this.id, this.#run.seq, (event) => this.#heard(event));
    try {
      this.#agents = (await agents()).agents.map((one) => one.name);
    } catch (problem) {
      tell(this.app, problem.message);
    }
    this.app.draw();
  }

  #left = false;

  leave() {
    this.#left = true;
    this.#stop();
    clearTimeout(this.#due);
    removeEventListener("beforeunload", this.#unload);
  }

  #unload = (event) => {
    if (this.#form.unkept.size) event.preventDefault();
  };

  async #read() {
    try {
      const [{ orchestrator }, { workers }] = await Promise.all([runs.state(this.id), runs.workers(this.id)]);
      this.#run = orchestrator;
      this.#states = new Map(workers.map((one) => [one.taskId, one]));
      this.#problem = "";
      if (orchestrator.plan) this.#take(orchestrator.plan);
    } catch (problem) {
      this.#problem = problem.message;
    }
    this.app.draw();
  }

  /** The plan as the server has it, under what the person has changed and not saved. */
  #take(plan) {
    const kept = this.#draft ? { revision: this.#draft.revision, base: this.#draft.base, made: edits(this.#draft) } : stored(this.id);
    const mine = kept?.made.length ? rebased(plan, kept.base, kept.made) : null;
    if (!mine) this.#begin(draftOf(plan));
    else if (kept.revision !== plan.revision) {
      this.#draft ??= draftOf(plan);
      this.#newer = { plan, from: kept.revision, by: this.#newer?.by ?? "", ...mine };
    } else if (!this.#draft) this.#begin(mine.draft);
    this.#checkSoon();
  }

  #begin(draft) {
    this.#draft = draft;
    this.#past = [];
    this.#newer = null;
    this.#together.clear();
    this.#form.forget();
    if (!draft.tasks.some((task) => task.id === this.#chosen)) this.#chosen = null;
    this.#store();
  }

  async #heard(event) {
    if (event.type === "orchestrator:planChanged" && !this.#busy && event.data.revision >= this.#draft?.revision) {
      const changed = edits(this.#draft).length > 0;
      this.#newer = changed ? { by: event.data.by ?? "" } : null;
      await this.#read();
      if (!changed) tell(this.app, `${event.data.by || "Somebody else"} changed the plan: this is revision ${this.#draft.revision}.`, "news");
    } else if (event.type.startsWith("orchestrator:") || ["worker:spawned", "worker:merged"].includes(event.type)) {
      if (!this.#busy) await this.#read();
    }
  }

  #step(draft, what) {
    if (what !== this.#lastStep) this.#past = [...this.#past.slice(-MOST_STEPS), this.#draft];
    this.#lastStep = what;
    this.#draft = draft;
    this.#store();
    this.#checkSoon();
    this.app.draw();
  }

  #undo() {
    if (!this.#past.length) return;
    this.#draft = this.#past.at(-1);
    this.#past = this.#past.slice(0, -1);
    this.#lastStep = "";
    this.#form.forget();
    this.#store();
    this.#checkSoon();
    this.app.draw();
  }

  #dropChanges() {
    this.#begin(draftOf({ revision: this.#draft.revision, tasks: this.#draft.base }));
    this.#checkSoon();
    this.app.draw();
  }

  #store() {
    const made = edits(this.#draft);
    if (made.length) sessionStorage.setItem(KEPT + this.id, JSON.stringify({ revision: this.#draft.revision, base: this.#draft.base, made }));
    else sessionStorage.removeItem(KEPT + this.id);
  }

  #checkSoon() {
    clearTimeout(this.#due);
    this.#due = setTimeout(() => this.#check(), CHECK_AFTER_MS);
  }

  async #check() {
    if (!this.#may("edit") || this.#newer) return;
    const made = edits(this.#draft);
    const asked = `${this.#draft.revision} ${JSON.stringify(made)}`;
    try {
      const { outlook } = await runs.checkPlan(this.id, this.#draft.revision, made);
      if (asked !== `${this.#draft.revision} ${JSON.stringify(edits(this.#draft))}`) return;
      this.#outlook = outlook;
      this.#checked = asked;
      this.#problem = "";
    } catch (problem) {
      if (problem.status === 412) await this.#read();
      else this.#problem = problem.message;
    }
    this.app.draw();
  }

  #may(verb) {
    return this.#run?.allowed.includes(verb) ?? false;
  }

  get #problems() {
    return this.#outlook?.problems ?? [];
  }

  #rename(id, wanted) {
    if (!wanted || this.#draft.tasks.some((task) => task.id === wanted)) return;
    this.#chosen = wanted;
    this.#step(renamed(this.#draft, id, wanted), `${wanted}/id`);
  }

  #link(first, then) {
    const task = this.#draft.tasks.find((one) => one.id === then);
    if (this.#why(then)) return tell(this.app, this.#why(then));
    if (!task.dependencies.includes(first) && closesCircle(this.#draft, then, first)) {
      return tell(this.app, `${then} can't wait for ${first}: ${first} waits for ${then} already.`);
    }
    return this.#step(linked(this.#draft, then, first), "link");
  }

  #add() {
    const { draft, id } = withNew(this.#draft, this.#chosen);
    this.#step(draft, "add");
    this.#choose(id, "task-title");
  }

  #choose(id, focused = "") {
    this.#chosen = this.#chosen === id && !focused ? null : id;
    this.app.draw();
    if (focused) requestAnimationFrame(() => requestAnimationFrame(() => document.getElementById(focused)?.select()));
  }

  #merge() {
    const ids = [...this.#together];
    const { draft, id } = merged(this.#draft, ids);
    this.#together.clear();
    this.#step(draft, "merge");
    this.#choose(id, "task-title");
  }

  /** Why the task has to stay as it is, or nothing. */
  #why(id, { gone = false } = {}) {
    const worker = this.#states.get(id);
    if (!this.#may("edit")) return "The plan can't be changed any more.";
    if (worker && FIXED.has(worker.status)) return `${id} is ${worker.status}: only tasks without a live or completed attempt can be changed.`;
    if (gone && worker?.attempts.length) return `${id} has been tried, and the run keeps what became of it.`;
    return "";
  }

  async #save() {
    const made = edits(this.#draft);
    if (!made.length) return true;
    this.#busy = true;
    this.app.draw();
    try {
      const { orchestrator } = await runs.editPlan(this.id, this.#draft.revision, made);
      this.#run = orchestrator;
      this.#begin(draftOf(orchestrator.plan));
      return true;
    } catch (problem) {
      if (problem.status === 412) {
        this.#newer = { by: "" };
        await this.#read();
      } else tell(this.app, problem.message);
      return false;
    } finally {
      this.#busy = false;
      this.#checkSoon();
      this.app.draw();
    }
  }

  async #confirm() {
    if (!(await this.#save())) return;
    try {
      await runs.act(this.id, "confirm", { revision: this.#draft.revision });
      location.hash = `#/runs/${this.id}`;
    } catch (problem) {
      if (problem.status === 412) await this.#read();
      tell(this.app, problem.message);
    }
  }

  async #cancel() {
    try {
      await runs.act(this.id, "cancel");
      location.hash = `#/runs/${this.id}`;
    } catch (problem) {
      tell(this.app, problem.message);
    }
  }

  pressed(event) {
    if (!this.#draft) return;
    const focused = document.activeElement?.closest?.("[data-node]")?.dataset.node ?? this.#chosen;
    if (event.key === "a") this.#add();
    else if (event.key === "u") this.#undo();
    else if (event.key === "d" && focused) this.#picture.beginAt(focused);
    else if (event.key === "s" && this.#ready) this.#save();
    else if (event.key === "Escape") {
      if (this.#picture.from !== null) this.#picture.beginAt(null);
      else this.#chosen = null;
    } else return;
    event.preventDefault();
    this.app.draw();
  }

  /** Whether the server has looked at the draft as it is now. */
  get #current() {
    return this.#checked === `${this.#draft.revision} ${JSON.stringify(edits(this.#draft))}`;
  }

  get #ready() {
    return this.#may("edit") && !this.#busy && !this.#newer && this.#current && !this.#problems.length && !this.#form.unkept.size;
  }

  content() {
    if (this.#problem && !this.#draft) return html`<main tabindex="-1" class="narrow"><h1>Plan</h1><p class="problem" role="alert">${this.#problem}</p>
      <button @click=${() => this.#read()}>Try again</button></main>`;
    if (!this.#run) return html`<main tabindex="-1" class="wide"><h1>Plan</h1><p class="hint" aria-busy="true">Reading the plan…</p></main>`;
    if (!this.#draft) return html`<main tabindex="-1" class="narrow"><h1>Plan</h1><p class="empty">There is no plan yet: it shows here when it is made. <a href="#/runs/${this.id}">Watch the run</a></p></main>`;
    const chosen = this.#draft.tasks.find((task) => task.id === this.#chosen);
    const wrong = new Set([...this.#problems.map((one) => one.taskId), ...[...this.#form.unkept.keys()].map((place) => place.split("/")[0])]);
    return html`<main tabindex="-1" class="wide making plan-editor">
      ${this.#heading()}${this.#conflict()}
      <div class="stage ${chosen ? "with-panel" : ""}">
        <div class="room">${this.#picture.content(this.#draft.tasks, this.#chosen, (id) => this.#choose(id), wrong)}
          ${this.#picture.from === null ? nothing : html`<p class="notice" role="status">Choose the task that waits for <b>${this.#picture.from}</b>; Esc leaves it.</p>`}
          ${this.#list(wrong)}</div>
        ${chosen ? this.#form.content(chosen, {
          tasks: this.#draft.tasks,
          fixed: this.#why(chosen.id),
          agents: this.#agents,
          agent: this.#run.agent,
          problems: this.#problems,
          agreed: this.#outlook?.agreedCommands ?? [],
          close: () => { this.#chosen = null; this.app.draw(); },
        }) : nothing}
      </div></main>`;
  }

  #heading() {
    const made = edits(this.#draft).length;
    const waits = this.#may("confirm") && this.#run.waiting.some((one) => one.kind === "plan");
    const count = this.#draft.tasks.length;
    return html`<div class="row heading"><div><h1>Plan: ${this.#run.request}</h1>
        <p class="about"><a href="#/runs/${this.id}">The run</a> · revision ${this.#draft.revision}${made ? html` · <b>${plural(made, "change")} not saved</b>` : nothing}</p></div>
      <div class="actions"><button @click=${() => this.#undo()} ?disabled=${!this.#past.length} title="Undo (u)">Undo</button>
        ${made ? html`<button @click=${() => this.#dropChanges()}>Drop the changes</button>` : nothing}
        <button class=${waits ? "" : "main"} ?disabled=${!made || !this.#ready} @click=${() => this.#save()} title="Save (s)">Save</button>
        ${waits ? html`<button class="main" ?disabled=${!this.#ready} @click=${() => this.#confirm()}>${made ? "Save and start" : "Start"} ${plural(count, "task")}</button>
          <button class="careful" @click=${() => this.#cancel()}>Cancel the run</button>` : nothing}</div></div>
      <p class="headline" role="status">${this.#sum(count)}</p>
      ${this.#may("edit") ? nothing : html`<p class="notice">The run is ${this.#run.status}: its plan can be read, and no longer changed.</p>`}
      ${this.#problem ? html`<p class="problem" role="alert">${this.#problem} Your changes stay in this window.</p>` : nothing}
      ${this.#problems.length ? html`<ul class="problem findings" aria-label="What is wrong with the plan">${this.#problems.map((one) => html`<li>${one.sentence}
        ${one.taskId ? html` <button class="quiet" @click=${() => { this.#chosen = one.taskId; this.app.draw(); }}>Show ${one.taskId}</button>` : nothing}</li>`)}</ul>` : nothing}
      ${this.#outlook?.warnings.length ? html`<details class="notice"><summary>${plural(this.#outlook.warnings.length, "thing")} to know</summary><ul>${this.#outlook.warnings.map((one) => html`<li>${one}</li>`)}</ul></details>` : nothing}
      ${this.#approvals()}`;
  }

  #sum(count) {
    const found = this.#outlook?.estimate;
    const parts = [plural(count, "task")];
    if (found) parts.push(`${duration(found.minutesLow * 60_000)} to ${duration(found.minutesHigh * 60_000)}`);
    if (found?.costHigh) parts.push(`${dollars(found.costLow)} to ${dollars(found.costHigh)}`);
    if (this.#outlook && !found && !this.#problems.length) parts.push("no figures to reckon time and cost with");
    const wrong = this.#problems.length + this.#form.unkept.size;
    const stands = wrong ? plural(wrong, "problem") : this.#current || !this.#may("edit") ? "Usable" : "Checking…";
    return html`<b class="stands ${wrong ? "failed" : ""}">${stands}</b> ${parts.join("; ")}${found ? html` <span class="about">(from ${found.basis ?? "the plan's own figures"})</span>` : nothing}`;
  }

  /** What confirming allows to run on this machine, all at once: nobody opens every task. */
  #approvals() {
    const agreed = new Set((this.#outlook?.agreedCommands ?? []).map((one) => one.join("\0")));
    const asked = new Map();
    for (const task of this.#draft.tasks) {
      for (const { command } of task.checks) if (command?.length && !agreed.has(command.join("\0"))) asked.set(command.join(" "), [...(asked.get(command.join(" ")) ?? []), task.id]);
    }
    if (!asked.size || !this.#may("confirm")) return nothing;
    return html`<section class="notice approval-list" aria-label="Commands to approve"><b>To confirm this plan lets bigtask run ${plural(asked.size, "command")} on this machine:</b>
      <ul>${[...asked].map(([command, ids]) => html`<li><code>${command}</code> <span class="about">for ${ids.join(", ")}</span></li>`)}</ul></section>`;
  }

  #conflict() {
    const newer = this.#newer;
    if (!newer?.plan) return nothing;
    return html`<section class="card open" role="alert"><h2>${newer.by || "Somebody else"} changed the plan while you did</h2>
      <p>Theirs is revision ${newer.plan.revision}; yours was made from revision ${newer.from}. Nothing of either is lost yet.</p>
      <ul class="findings">${newer.both.map((one) => html`<li>Both of you changed <b>${one.field}</b> of <b>${one.id}</b>: it is ${words(one.theirs)} now, and yours is ${words(one.mine)}.</li>`)}
        ${newer.left.map((one) => html`<li>This can't be done to it any more: ${said(one)}.</li>`)}</ul>
      <div class="actions"><button class="main" @click=${() => this.#settle(newer.draft)}>Put my changes on top</button><button class="careful" @click=${() => this.#settle(draftOf(newer.plan))}>Take theirs, drop mine</button></div></section>`;
  }

  #settle(draft) {
    this.#begin(draft);
    this.#checkSoon();
    this.app.draw();
  }

  #list(wrong) {
    const may = this.#may("edit");
    return html`<div class="row"><h2>In this order</h2><div class="actions">
        ${this.#together.size > 1 ? html`<button @click=${() => this.#merge()}>Make one of ${this.#together.size}</button>` : nothing}
        <button ?disabled=${!may} @click=${() => this.#add()} title="Add (a)">Add a task</button></div></div>
      <ol class="tasks">${repeat(this.#draft.tasks, (task) => task.id, (task, at) => this.#row(task, at, wrong.has(task.id)))}</ol>
      <p class="hint">Of tasks that are equally urgent, the upper one starts first. Drag from the dot of a task to the one that waits for it, or press <kbd>d</kbd>; a click on a line takes it away.</p>`;
  }

  #row(task, at, wrong) {
    const why = this.#why(task.id, { gone: true });
    const state = this.#states.get(task.id);
    const commands = task.checks.filter((one) => one.command != null).length;
    return html`<li class="task ${this.#chosen === task.id ? "chosen" : ""} ${wrong ? "wrong" : ""}">
      <input type="checkbox" aria-label="Choose ${task.id}, to make one task of several" .checked=${this.#together.has(task.id)} ?disabled=${Boolean(why)} @change=${(event) => this.#gather(task.id, event.target.checked)}>
      <button class="line quiet" aria-expanded=${this.#chosen === task.id ? "true" : "false"} @click=${() => this.#choose(task.id)}><b>${task.id}</b> ${task.title}</button>
      <span class="numbers">${task.from.length > 1 ? "merged · " : task.from.length ? "" : "new · "}${state && state.attempts.length ? `${state.status} · ` : ""}priority ${task.priority}${task.estimatedMinutes !== null ? ` · ${duration(task.estimatedMinutes * 60_000)}` : ""}${commands ? ` · ${plural(commands, "command")}` : ""}</span>
      <span class="moves"><button class="quiet" aria-label="Move ${task.id} up" ?disabled=${at === 0} @click=${() => this.#step(moved(this.#draft, task.id, -1), "move")}>↑</button>
        <button class="quiet" aria-label="Move ${task.id} down" ?disabled=${at === this.#draft.tasks.length - 1} @click=${() => this.#step(moved(this.#draft, task.id, 1), "move")}>↓</button>
        <button class="quiet" aria-label="Drop ${task.id}" title=${why || "Drop"} ?disabled=${Boolean(why)} @click=${() => this.#drop(task.id)}>×</button></span></li>`;
  }

  #gather(id, on) {
    if (on) this.#together.add(id);
    else this.#together.delete(id);
    this.app.draw();
  }

  #drop(id) {
    this.#together.delete(id);
    if (this.#chosen === id) this.#chosen = null;
    this.#step(without(this.#draft, id), `drop ${id}`);
  }
}

function stored(id) {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT + id));
  } catch {
    return null; // not ours: whatever it is, it holds no changes
  }
}

function words(value) {
  return typeof value === "string" ? `“${value.slice(0, 120)}”` : JSON.stringify(value);
}

function said(edit) {
  if (edit.op === "set") return `change ${Object.keys(edit.fields).join(", ")} of ${edit.id}`;
  if (edit.op === "drop") return `drop ${edit.id}`;
  if (edit.op === "merge") return `make one of ${edit.ids.join(", ")}`;
  return `add ${edit.task?.id ?? "a task"}`;
}
