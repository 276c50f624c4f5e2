/** One task: what it is, what its attempts came to, and what was said in them. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { runs } from "../api.js";
import { parts } from "../core/blocks.js";
import { clock, dollars, duration, exact, plural, tokens } from "../core/numbers.js";
import { STATES } from "../core/words.js";
import { tell } from "./notes.js";
import { PatchView } from "./patch_view.js";

const AGAIN_MS = 300;
const MOST_LINES = 2_000;

export class TaskPanel {
  #lines = null;
  #after = 0;
  #due = 0;
  #diff = null;
  #part = "transcript";
  #patch;

  /** `earlier`: an attempt that another one has followed is asked for. What was said is that of the last one. */
  constructor(app, runId, taskId, number, close, earlier = false) {
    this.app = app;
    this.#patch = new PatchView(app);
    this.runId = runId;
    this.taskId = taskId;
    this.number = number;
    if (earlier) this.#part = "attempts";
    this.close = () => close(null);
    this.#read();
  }

  leave() {
    clearTimeout(this.#due);
  }

  heard(event) {
    if (event.data?.taskId === this.taskId) this.#readSoon();
  }

  #readSoon() {
    clearTimeout(this.#due);
    this.#due = setTimeout(() => this.#read(), AGAIN_MS);
  }

  async #read() {
    try {
      const page = await runs.transcript(this.runId, this.taskId, this.#after);
      if (page.attempt !== this.attempt) {
        this.attempt = page.attempt;
        if (this.#after) {
          this.#after = 0;
          this.#lines = null;
          return this.#read();
        }
      }
      this.#lines = [...(this.#lines ?? []), ...page.lines].slice(-MOST_LINES);
      this.#after = page.after;
    } catch (problem) {
      this.#lines ??= [];
      if (problem.status !== 404) tell(this.app, problem.message);
    }
    this.app.draw();
  }

  async #show(part) {
    this.#part = part;
    if (part === "changes" && this.#diff === null) {
      try {
        this.#diff = await runs.diff(this.runId, this.taskId);
      } catch (problem) {
        this.#diff = { files: [], patch: "", problem: problem.message };
      }
    }
    this.app.draw();
  }

  /** Whether it was done; what was refused is told. */
  async #act(verb, body) {
    try {
      await runs.actOnTask(this.runId, this.taskId, verb, body);
      return true;
    } catch (problem) {
      tell(this.app, problem.message);
      return false;
    }
  }

  content(run) {
    const record = run.tasks.get(this.taskId);
    if (!record) return nothing;
    const tab = (part, said) => html`<button role="tab" aria-selected=${this.#part === part} @click=${() => this.#show(part)}>${said}</button>`;
    return html`<aside class="panel" aria-label="The task ${record.id}">
      <div class="row"><h2>${record.task.title}</h2><button class="quiet" aria-label="Close" @click=${this.close}>×</button></div>
      <p class="about">${record.reserved ? nothing : html`<b>${record.id}</b> · `}${STATES[record.state] ?? record.state}${record.reason ? html` · ${record.reason}` : nothing}</p>
      ${record.reserved ? nothing : this.#actions(record)}
      <div class="forms" role="tablist">${tab("transcript", "Conversation")}${tab("attempts", plural(record.attempts.length, "attempt"))}${record.reserved ? nothing : tab("changes", "Changes")}${tab("task", "Task")}</div>
      ${{ transcript: () => this.#transcript(), attempts: () => this.#attempts(record), changes: () => this.#changes(), task: () => this.#task(record) }[this.#part]()}
    </aside>`;
  }

  #actions(record) {
    const live = record.attempts.some((one) => one.to === null);
    const last = record.attempts.at(-1);
    const paused = last?.state === "paused";
    const working = live && ["spawning", "running", "stalled"].includes(last?.state);
    const over = ["failed", "timeout", "cancelled", "skipped"].includes(record.state);
    return html`<div class="actions">${over ? html`<button @click=${() => this.#act("retry")}>Try again</button>` : nothing}
      ${paused ? html`<button class="main" @click=${() => this.#act("resume")}>Go on</button>` : nothing}
      ${working ? html`<button title="It stops at its next safe point" @click=${() => this.#act("pause")}>Pause the task</button>` : nothing}
      ${live || paused ? html`<button class="careful" @click=${() => this.#act("cancel")}>Cancel the task</button>` : nothing}</div>
      ${working ? html`<form class="saying" @submit=${(event) => this.#say(event)}>
        <input name="text" required maxlength="200000" autocomplete="off" aria-label="Message to the session" placeholder="Say something to its session"><button>Send</button></form>` : nothing}`;
  }

  /** The words are gone from the field when the session has them, not before. */
  async #say(event) {
    event.preventDefault();
    const form = event.target;
    const text = new FormData(form).get("text");
    if (await this.#act("message", { text })) {
      form.reset();
      tell(this.app, `${this.taskId} has it, and reads it at its next safe point.`, "news");
    }
  }

  #transcript() {
    if (this.#lines === null) return html`<p class="hint" aria-busy="true">Reading…</p>`;
    if (!this.#lines.length) return html`<p class="empty">Nothing was said yet.</p>`;
    return html`<ol class="talk">${this.#lines.map(said)}</ol>`;
  }

  #attempts(record) {
    return html`<ol class="attempts">${record.attempts.map((one) => html`<li>
      <b>${one.number}</b> ${one.agent} · ${STATES[one.state] ?? one.state}
      <time title=${exact(one.from)}>${clock(one.from)}</time>, ${duration((one.to ?? run(one)) - one.from)}
      ${one.usage.costUsd != null ? ` · ${dollars(one.usage.costUsd)}` : nothing}${one.usage.outputTokens ? ` · ${tokens((one.usage.inputTokens ?? 0) + one.usage.outputTokens)}` : nothing}
      ${one.summary ? html`<p>${one.summary}</p>` : nothing}${one.reason ? html`<p class="reason">${one.reason}</p>` : nothing}
      ${one.checks.map((check) => html`<p class="check ${check.exitStatus === 0 ? "good" : "bad"}"><code>${check.command.join(" ")}</code> ${check.exitStatus === 0 ? "passed" : "failed"}</p>`)}
    </li>`)}</ol>`;
  }

  #changes() {
    if (this.#diff === null) return html`<p class="hint" aria-busy="true">Reading…</p>`;
    if (this.#diff.problem) return html`<p class="empty">${this.#diff.problem}</p>`;
    return this.#patch.content(this.#diff);
  }

  #task(record) {
    const { task } = record;
    return html`<dl class="details"><dt>What</dt><dd>${task.description || "–"}</dd>
      <dt>Depends on</dt><dd>${(task.dependencies ?? []).join(", ") || "nothing"}</dd>
      <dt>May change</dt><dd>${(task.scope ?? []).join(", ") || "anything"}</dd></dl>`;
  }
}

/** What only matters to those who look closer is folded: what was asked, what tools did, and the form of answers. */
function said({ who, text }) {
  if (who !== "agent") return folded(who, text.trimStart().split("\n", 1)[0].slice(0, 90), text);
  return parts(text).map((one) => one.block === undefined
    ? html`<li class="agent"><span class="who">agent</span><pre>${one.words}</pre></li>`
    : folded("agent", one.said, one.block));
}

function folded(who, line, text) {
  return html`<li class=${who}><details><summary><span class="who">${who}</span> ${line}</summary><pre>${text}</pre></details></li>`;
}

function run(attempt) {
  return Math.max(attempt.from, attempt.turns.at(-1).from, Date.now());
}
