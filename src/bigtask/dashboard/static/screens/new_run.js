/** A form for everything that a run is made of. What isn't said stays with the template and the configuration. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { agents, project, runs, templates } from "../api.js";
import { asked, begun, caps, MODES, PHASE_NAMES } from "../core/run_form.js";
import { plural } from "../core/numbers.js";
import { spoken } from "../core/words.js";
import { Approval } from "./approval.js";
import { choice, field, lines, text } from "./fields.js";

const LOOK_AFTER_MS = 250;

/** What was filled in, while the page is open: going to look at something and coming back loses nothing. */
let kept = begun();

export class NewRunScreen {
  #templates = null;
  #resolved = new Map();
  #agents = null;
  #project = null;
  #recent = [];
  /** The project whose templates are shown, and what its templates need, by their ids. */
  #of;
  #approvals = new Map();
  #wrong = {};
  #problem = "";
  #tried = false;
  #busy = false;
  #due = 0;
  #named = { body: "", key: "" };

  constructor(app, template) {
    this.app = app;
    if (template) kept = { ...kept, template };
  }

  async enter() {
    document.title = "New run · bigtask";
    await Promise.all([this.#readTemplates(), this.#readAgents(), this.#readRecent()]);
    this.app.draw();
    if (kept.cwd) this.#lookAtProject();
  }

  leave() {
    clearTimeout(this.#due);
  }

  async #readTemplates() {
    const cwd = this.#project?.cwd;
    try {
      this.#templates = (await templates.list(cwd)).templates.filter((one) => !one.hiddenBy && one.id !== "_default");
      if (cwd !== this.#of) this.#approvals.clear();
      this.#of = cwd;
      this.#problem = "";
      await this.#readChosen();
    } catch (problem) {
      this.#problem = problem.message;
    }
    this.app.draw();
  }

  async #readChosen() {
    const wanted = kept.template;
    if (!wanted || this.#resolved.has(wanted)) return;
    try {
      this.#resolved.set(wanted, (await templates.resolved(wanted, this.#project?.cwd)).template);
    } catch (problem) {
      this.#wrong = { ...this.#wrong, templateId: problem.message };
    }
    this.app.draw();
  }

  async #readAgents() {
    try {
      this.#agents = (await agents()).agents;
    } catch (problem) {
      this.#agents = [];
      this.#wrong = { ...this.#wrong, "options/agent": problem.message };
    }
  }

  async #readRecent() {
    try {
      this.#recent = [...new Set((await runs.list()).orchestrators.map((one) => one.cwd))].slice(0, 12);
      if (!kept.cwd && this.#recent.length) kept = { ...kept, cwd: this.#recent[0] };
    } catch {
      this.#recent = []; // the list of templates says what is wrong with the server
    }
  }

  #set(fields, place = "") {
    kept = { ...kept, ...fields };
    if (place) {
      const { [place]: _, ...others } = this.#wrong;
      this.#wrong = others;
    }
    this.app.draw();
  }

  #option(name, value) {
    this.#set({ options: { ...kept.options, [name]: value } }, `options/${name}`);
  }

  #goTo(cwd) {
    this.#project = null;
    this.#set({ cwd }, "cwd");
    clearTimeout(this.#due);
    if (cwd.trim()) this.#due = setTimeout(() => this.#lookAtProject(), LOOK_AFTER_MS);
  }

  async #lookAtProject() {
    const cwd = kept.cwd.trim();
    try {
      const found = await project(cwd);
      if (cwd !== kept.cwd.trim()) return;
      this.#project = found;
      this.#resolved.clear();
      await this.#readTemplates();
    } catch (problem) {
      if (cwd === kept.cwd.trim()) this.#wrong = { ...this.#wrong, cwd: problem.message };
    }
    this.app.draw();
  }

  #choose(id) {
    this.#set({ template: id, variables: {} }, "templateId");
    this.#readChosen();
  }

  async #make(event) {
    event.preventDefault();
    const { body, wrong } = asked(kept, this.#resolved.get(kept.template));
    this.#tried = true;
    const already = { ...(this.#wrong.cwd ? { cwd: this.#wrong.cwd } : {}), ...wrong };
    if (Object.keys(already).length) return this.#refuse(already);
    this.#busy = true;
    this.#problem = "";
    this.app.draw();
    const said = JSON.stringify(body);
    // The same form sent again, because the answer got lost, makes no second run.
    if (this.#named.body !== said) this.#named = { body: said, key: crypto.randomUUID() };
    try {
      const { orchestratorId } = await runs.create(body, this.#named.key);
      await runs.act(orchestratorId, "start");
      kept = { ...begun(), cwd: kept.cwd };
      location.hash = `#/runs/${orchestratorId}`;
    } catch (problem) {
      const pointed = Object.fromEntries((problem.details?.errors ?? []).filter((one) => one.pointer).map((one) => [one.pointer.slice(1), one.message]));
      this.#refuse(pointed, Object.keys(pointed).length ? "" : problem.message);
    }
    this.#busy = false;
    this.app.draw();
  }

  #refuse(wrong, problem = "") {
    this.#wrong = wrong;
    this.#problem = problem;
    this.app.draw();
    requestAnimationFrame(() => requestAnimationFrame(() => (document.querySelector(".wrong input, .wrong textarea, .wrong select") ?? document.querySelector(".refused"))?.focus()));
  }

  #says(...places) {
    return { problems: places.map((place) => this.#wrong[place]) };
  }

  content() {
    return html`<main tabindex="-1" class="narrow making"><h1>New run</h1>
      <form class="new-run" @submit=${(event) => this.#make(event)} novalidate>
        ${this.#where()}${this.#which()}${this.#what()}${this.#who()}${this.#limits()}${this.#more()}
        ${this.#problem ? html`<p class="problem refused" role="alert" tabindex="-1">${this.#problem}</p>` : nothing}
        ${this.#tried && Object.keys(this.#wrong).length ? html`<p class="problem" role="alert">${plural(Object.keys(this.#wrong).length, "field")} above ${Object.keys(this.#wrong).length === 1 ? "needs" : "need"} another look.</p>` : nothing}
        <div class="actions"><button class="main" ?disabled=${this.#busy}>${this.#busy ? "Making it…" : "Start the run"}</button><a class="button" href="#/">Leave</a></div>
        <p class="hint">It looks at the project and makes a plan first${this.#asks ? "; no worker starts before you have confirmed it" : ""}. Your branch gets the result when you merge it.</p>
      </form></main>`;
  }

  #where() {
    const found = this.#project;
    return html`<section class="card"><h2>Where</h2>
      ${field("cwd", "Project folder", text(kept.cwd, (cwd) => this.#goTo(cwd), { placeholder: "/home/you/project", list: "recent" }), {
        ...this.#says("cwd"),
        hint: found ? told(found) : "Its absolute path on the machine that the server runs on.",
      })}
      <datalist id="recent">${this.#recent.map((cwd) => html`<option value=${cwd}></option>`)}</datalist>
      ${found?.dirtyCount ? html`<fieldset class="field"><legend>${plural(found.dirtyCount, "uncommitted change")}</legend>
        <ul class="chips code">${found.dirty.slice(0, 6).map((one) => html`<li>${one}</li>`)}${found.dirtyCount > 6 ? html`<li>and ${found.dirtyCount - 6} more</li>` : nothing}</ul>
        ${this.#pick("includeChanges", [["", "Ask me when it starts"], ["true", "Take them along"], ["false", "Start without them"]])}</fieldset>` : nothing}
    </section>`;
  }

  #pick(name, options) {
    return html`<div class="picks">${options.map(([value, words]) => html`<label><input type="radio" name=${name} .checked=${(kept.options[name] ?? "") === value} @change=${() => this.#option(name, value)}> ${words}</label>`)}</div>`;
  }

  #which() {
    const wrong = this.#wrong.templateId;
    return html`<section class="card"><h2 id="which">What kind of work</h2>
      ${this.#templates === null ? html`<p class="hint" aria-busy="true">Looking…</p>` : html`<div class="template-cards ${wrong ? "wrong" : ""}" role="radiogroup" aria-labelledby="which" aria-describedby=${wrong ? "template-wrong" : nothing}>
        ${repeat(this.#templates, (one) => one.id, (one) => this.#card(one))}</div>`}
      ${wrong ? html`<p class="sentences" id="template-wrong" role="alert">${wrong}</p>` : nothing}
      ${(this.#templates ?? []).filter((one) => !one.errors.length && one.approved === false).map((one) => this.#approval(one.id).content())}
      ${this.#variables()}</section>`;
  }

  #approval(id) {
    if (!this.#approvals.has(id)) this.#approvals.set(id, new Approval(this.app, id, this.#of, () => this.#readTemplates()));
    return this.#approvals.get(id);
  }

  #card(one) {
    const broken = one.errors[0];
    return html`<label class="template-card ${kept.template === one.id ? "chosen" : ""} ${one.usable ? "" : "off"}"><input type="radio" name="template" value=${one.id} .checked=${kept.template === one.id} ?disabled=${!one.usable} @change=${() => this.#choose(one.id)}>
      <span class="name"><span aria-hidden="true">${one.icon || "▦"}</span> ${one.name || one.id}</span>
      <span class="about">${broken ? `Can't be used: ${broken.pointer} ${broken.message}` : one.approved === false ? "Waits for your approval, below." : one.description}</span>
      ${one.source === "shipped" ? nothing : html`<span class="origin">${one.source === "user" ? "yours" : "from the repository"}</span>`}</label>`;
  }

  #variables() {
    const found = Object.entries(this.#resolved.get(kept.template)?.variables ?? {});
    if (!found.length) return nothing;
    return html`<h3>Its variables</h3><div class="columns">${found.map(([name, by]) => this.#variable(name, by))}</div>`;
  }

  #variable(name, by) {
    const id = `var-${name}`;
    const place = `customVariables/${name}`;
    const set = (value) => this.#set({ variables: { ...kept.variables, [name]: value } }, place);
    const value = kept.variables[name] ?? by;
    if (typeof by === "boolean") return html`<label class="tick"><input type="checkbox" .checked=${value} @change=${(event) => set(event.target.checked)}> ${spoken(name)}</label>`;
    const hint = value === by ? "the template's own value" : `the template says ${by === "" ? "nothing" : by}`;
    return field(id, spoken(name), text(String(value), set, { type: "text" }), { ...this.#says(place), hint });
  }

  #what() {
    return html`<section class="card"><h2>What is to be done</h2>
      ${field("message", "Request", lines(kept.message, (message) => this.#set({ message }, "message"), { rows: 5, placeholder: "Document every module of this project" }), { ...this.#says("message"), hint: "As you would tell a colleague who knows the project little. Tell what has to be true at the end." })}</section>`;
  }

  #who() {
    const all = this.#agents;
    const wrong = this.#wrong["options/agent"];
    const chosen = kept.options.agent ?? "";
    const card = (value, name, about, account) => html`<label class="agent-card ${chosen === value ? "chosen" : ""}"><input type="radio" name="agent" value=${value} .checked=${chosen === value} @change=${() => this.#option("agent", value)}>
      <span class="name">${name}</span><span class="about">${about}</span>${account ? html`<span class="account">${account}</span>` : nothing}</label>`;
    return html`<section class="card"><h2 id="who">Who does it</h2>
      ${all === null ? html`<p class="hint" aria-busy="true">Looking which agents can work here…</p>` : html`<div class="agent-cards" role="radiogroup" aria-labelledby="who">
        ${card("", "As configured", "What your configuration or the template says, else the first that can work here.", "")}
        ${all.filter((one) => one.usable && !one.name.startsWith("scripted:")).map((one) => card(one.name, one.name, one.detail, `${one.account || "no account known"}${one.costsMoney ? ", costs money" : ""}`))}</div>
      ${this.#unusable(all.filter((one) => !one.usable))}
      ${field("agent-other", "Another one by its name", text(all.some((one) => one.name === chosen && !chosen.startsWith("scripted:")) ? "" : chosen, (value) => this.#option("agent", value.trim()), { placeholder: "scripted:/path/to/script.json" }), { problems: [wrong] })}`}
      <div class="columns">${field("model", "Model", text(kept.options.model ?? "", (value) => this.#option("model", value), { placeholder: "the agent's own" }), this.#says("options/model"))}
        ${field("effort", "Effort", text(kept.options.effort ?? "", (value) => this.#option("effort", value), { placeholder: "the agent's own" }), this.#says("options/effort"))}</div>
      ${field("fallback", "Stand-ins", text(kept.options.fallback ?? "", (value) => this.#option("fallback", value), { placeholder: "as configured", list: "able" }), { problems: Object.entries(this.#wrong).filter(([place]) => place.startsWith("options/fallback")).map(([, said]) => said), hint: "Agents by name, with commas between them. The first that can work here takes over from one that can't." })}
      <datalist id="able">${(all ?? []).filter((one) => one.usable).map((one) => html`<option value=${one.name}></option>`)}</datalist>
      <details><summary>Other agents or models for single phases</summary><div class="phases">${Object.entries(PHASE_NAMES).map(([phase, words]) => this.#phase(phase, words))}</div></details></section>`;
  }

  #phase(phase, words) {
    const able = (this.#agents ?? []).filter((one) => one.usable).map((one) => [one.name, one.name]);
    return html`<fieldset class="columns"><legend>${words}</legend>
      ${field(`agent-${phase}`, html`Agent<span class="unseen"> for ${words}</span>`, choice(kept.agentFor[phase] ?? "", [["", "the same"], ...able],
        (value) => this.#set({ agentFor: { ...kept.agentFor, [phase]: value } }, `options/agentFor/${phase}`)), this.#says(`options/agentFor/${phase}`))}
      ${field(`model-${phase}`, html`Model<span class="unseen"> for ${words}</span>`, text(kept.modelFor[phase] ?? "",
        (value) => this.#set({ modelFor: { ...kept.modelFor, [phase]: value } }, `options/modelFor/${phase}`), { placeholder: kept.agentFor[phase] ? "the agent's own" : kept.options.model || "the same" }), this.#says(`options/modelFor/${phase}`))}</fieldset>`;
  }

  #unusable(found) {
    if (!found.length) return nothing;
    return html`<details><summary>${plural(found.length, "more agent")} that can't work here yet</summary><dl class="details">${found.map((one) => html`<dt>${one.name}</dt><dd>${one.detail}</dd>`)}</dl></details>`;
  }

  #limits() {
    const number = ({ name, words, unit, from }) => field(name, words, text(kept.options[name] ?? "", (value) => this.#option(name, value), { placeholder: String(from(this.#config)) }), { ...this.#says(`options/${name}`), hint: unit });
    return html`<section class="card"><h2>Limits</h2><div class="columns">${caps.map(number)}</div></section>`;
  }

  get #config() {
    return this.#resolved.get(kept.template)?.config ?? {};
  }

  /** Whether the plan waits for a person, as far as it can be told here. */
  get #asks() {
    return kept.options.autoSpawn ? kept.options.autoSpawn !== "true" : !this.#config.autoSpawn;
  }

  #more() {
    return html`<details class="card"><summary>More</summary>
      ${field("customInstructions", "Further instructions for every agent", lines(kept.options.customInstructions ?? "", (value) => this.#option("customInstructions", value), { rows: 3 }), this.#says("options/customInstructions"))}
      <div class="columns">
        ${field("base", "Start from", text(kept.options.base ?? "", (value) => this.#option("base", value), { placeholder: this.#project?.branch ?? "HEAD" }), { ...this.#says("options/base"), hint: "a branch or commit" })}
        ${field("permissionMode", "What agents may do", choice(kept.options.permissionMode ?? "", MODES, (value) => this.#option("permissionMode", value)), this.#says("options/permissionMode"))}
        ${field("projectRules", "What the project brings for agents", choice(kept.options.projectRules ?? "", [["", "ask me"], ["true", "approve and load it"], ["false", "never load it"]], (value) => this.#option("projectRules", value)), { ...this.#says("options/projectRules"), hint: "CLAUDE.md, hooks, tool servers" })}
        ${field("isolation", "Where workers work", choice(kept.options.isolation ?? "", [["", "as the template says"], ["worktree", "each in a worktree of its own"], ["none", "in the project itself, reading only"]], (value) => this.#option("isolation", value)), this.#says("options/isolation"))}
      </div>
      ${field("autoSpawn", "When the plan is made", choice(kept.options.autoSpawn ?? "", [["", `as the template says (${this.#config.autoSpawn ? "start" : "ask me"})`], ["false", "ask me before any worker starts"], ["true", "start the workers without asking"]], (value) => this.#option("autoSpawn", value)), { ...this.#says("options/autoSpawn"), hint: "With an agent that costs money you are asked in any case." })}</details>`;
  }
}

function told({ kind, branch, head, dirtyCount, root }) {
  if (kind !== "git") return `A plain folder: its state now is kept, and the result comes back into it.`;
  return `A git repository (${root}), ${branch ? `on ${branch}` : "on no branch"}, ${head ? `at ${head.slice(0, 8)}` : "without a commit"}${dirtyCount ? "" : ", nothing uncommitted"}.`;
}
