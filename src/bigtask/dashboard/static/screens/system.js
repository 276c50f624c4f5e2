/** The agents and their accounts, how well they kept to the form, and what the doctor finds. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { agents, health, system } from "../api.js";
import { clock, count, duration, exact, plural } from "../core/numbers.js";
import { LIMITS } from "../core/words.js";

const AGAIN_MS = 15_000;
const CALM = new Set(["ok", "absent"]);
const MARKS = { ok: "ok", absent: "not there", warn: "warning", problem: "problem" };
const KINDS = { strict: "strict", repaired: "repaired", reasked: "asked again", failed: "failed" };

export class SystemScreen {
  #found = null;
  #system = null;
  #health = null;
  #problem = "";
  #clock = 0;
  #calm = false;

  constructor(app) {
    this.app = app;
  }

  enter() {
    document.title = "System · bigtask";
    this.changed();
    this.#examine();
    this.#clock = setInterval(() => this.changed(), AGAIN_MS);
  }

  leave() {
    clearInterval(this.#clock);
  }

  async changed() {
    try {
      [this.#found, this.#health] = await Promise.all([agents(), health()]);
      this.#problem = "";
    } catch (problem) {
      this.#problem = problem.message;
    }
    this.app.draw();
  }

  /** Costs more than the rest: when the screen is opened, and when it is asked for. */
  async #examine() {
    this.#system = null;
    this.app.draw();
    try {
      this.#system = await system();
    } catch (problem) {
      this.#system = { problem: problem.message };
    }
    this.app.draw();
  }

  content() {
    return html`<main tabindex="-1" class="narrow system"><div class="row"><h1>System</h1>
        <button @click=${() => this.#examine()} ?disabled=${this.#system === null}>Look again</button></div>
      ${this.#problem ? html`<p class="problem" role="alert">${this.#problem}</p>` : nothing}
      ${this.#server()}
      <section aria-labelledby="agents"><h2 id="agents">Agents</h2>${this.#agents()}</section>
      <section aria-labelledby="form"><h2 id="form">How they keep to the form</h2>${this.#compliance()}</section>
      <section aria-labelledby="doctor"><div class="row"><h2 id="doctor">Doctor</h2>
        ${this.#system?.findings ? html`<label class="choice"><input type="checkbox" .checked=${this.#calm} @change=${(event) => { this.#calm = event.target.checked; this.app.draw(); }}> what is in order too</label>` : nothing}</div>
        ${this.#findings()}</section>
    </main>`;
  }

  #server() {
    const found = this.#system;
    const troubles = Object.entries(this.#health?.troubles ?? {});
    return html`${found?.version ? html`<p class="about">bigtask ${found.version} · process ${found.process} · runs in <code>${found.home}</code></p>` : nothing}
      ${troubles.map(([id, said]) => html`<p class="problem" role="alert"><a href="#/runs/${id}">A run</a> can't record: ${said}</p>`)}`;
  }

  #agents() {
    if (this.#found === null) return this.#problem ? nothing : html`<p class="hint" aria-busy="true">Looking…</p>`;
    if (!this.#found.agents.length) return html`<p class="empty">There is no agent.</p>`;
    return html`<ul class="agents">${repeat(this.#found.agents, (one) => one.name, agent)}</ul>
      <p class="hint">Which is usable is looked at again every ${AGAIN_MS / 1000} seconds.</p>`;
  }

  #compliance() {
    if (this.#found === null) return nothing;
    const { runs, byAgent } = this.#found.answers;
    const rows = Object.entries(byAgent);
    if (!rows.length) return html`<p class="empty">No run has ended yet: there are no answers to count.</p>`;
    return html`<div class="scroll" tabindex="0" role="group" aria-label="How they keep to the form"><table class="bill"><thead><tr><th scope="col">agent</th><th scope="col">answers</th>${Object.values(KINDS).map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
      <tbody>${rows.map(([name, counts]) => html`<tr><th scope="row">${name}</th><td>${count(counts.total)}</td>${Object.keys(KINDS).map((kind) => html`<td title=${plural(counts[kind], "answer")}>${percent(counts[kind], counts.total)}</td>`)}</tr>`)}</tbody></table></div>
      <p class="hint">In the last ${plural(runs, "run")} that ended. Strict: read as it came. Repaired: mended first. Asked again: given anew. Failed: a person had to see to it.</p>`;
  }

  #findings() {
    if (this.#system === null) return html`<p class="hint" aria-busy="true">Examining…</p>`;
    if (this.#system.problem) return html`<p class="problem" role="alert">${this.#system.problem}</p>`;
    const found = this.#system.findings;
    const shown = found.filter((one) => this.#calm || !CALM.has(one.level));
    const bad = found.filter((one) => !CALM.has(one.level)).length;
    return html`<p class="about">${plural(found.length, "thing")} looked at, ${bad ? `${bad} to see to` : "all in order"}. A project's own settings: <code>bigtask doctor</code> in its folder.</p>
      ${shown.length ? html`<ul class="findings">${shown.map((one) => html`<li class="finding"><span class="mark ${{ ok: "good", absent: "idle", warn: "doubt", problem: "bad" }[one.level]}">${MARKS[one.level]}</span>
        <div><b>${one.area}</b> <span class="words">${one.text}</span>${one.next ? html`<p class="next">${CALM.has(one.level) ? "" : "Do: "}<code>${one.next}</code></p>` : nothing}</div></li>`)}</ul>` : nothing}`;
  }
}

function agent(one) {
  return html`<li class="agent-row card ${one.usable ? "" : "off"}">
    <div class="row"><h3>${one.name}</h3><span class="mark ${one.usable ? "good" : "idle"}">${one.usable ? "usable" : "not usable"}</span></div>
    <p>${one.detail}</p>
    <p class="about">${one.account ? html`${one.account} · ` : nothing}${one.sessions ? `${plural(one.sessions, "session")} at work` : one.usable ? "nothing at work" : "no session"}${one.costsMoney ? " · costs money" : ""}${one.canResume ? "" : " · can't go on with a session that ended"}${one.canInterrupt ? "" : " · can't be interrupted"}</p>
    ${one.limit ? html`<p class="limited" role="status">${limit(one.limit)}</p>` : nothing}
  </li>`;
}

function limit({ kind, until, msLeft }) {
  const at = Date.parse(until);
  const what = LIMITS[kind] ?? "limited";
  if (!msLeft) return html`${what}: over by now, one session tries again`;
  return html`${what}: wakes in ${duration(msLeft)}, <time datetime=${until} title=${exact(at)}>at ${clock(at, false)}</time>`;
}

/** What isn't nothing never looks like it, nor what isn't all. */
function percent(number, total) {
  if (!number) return "0 %";
  return `${Math.min(Math.max(Math.round((100 * number) / total), 1), number < total ? 99 : 100)} %`;
}
