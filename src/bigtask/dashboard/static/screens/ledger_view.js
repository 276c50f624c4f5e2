/** What became of every task, with what stands behind it. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { duration, plural } from "../core/numbers.js";
import { STATES } from "../core/words.js";

const FELL = new Set(["failed", "timeout", "cancelled"]);

/** `entries` are the result's ledger. */
export function ledger(entries, runId) {
  if (!entries.length) return html`<p class="empty">There was no plan.</p>`;
  return html`<ul class="ledger">${repeat(entries, (one) => one.id, (one) => entry(one, runId))}</ul>`;
}

function entry(task, runId) {
  const kind = FELL.has(task.state) || task.state === "skipped" ? "bad" : task.remarks.length || task.state !== "completed" ? "doubt" : "good";
  const passed = task.checks.filter((check) => check.passed).length;
  const numbers = [
    task.files.length ? `${plural(task.files.length, "file")} +${task.insertions} −${task.deletions}` : "",
    task.checks.length ? `${passed} of ${plural(task.checks.length, "check")}` : "",
    task.attempts > 1 ? plural(task.attempts, "attempt") : "",
    task.tookMs ? duration(task.tookMs) : "",
  ].filter(Boolean);
  return html`<li class="entry ${kind}">
    <details><summary><span class="mark ${kind}">${STATES[task.state] ?? task.state}</span> <b>${task.id}</b>
      <span class="title">${task.title}</span><span class="numbers">${numbers.join(" · ")}</span></summary>
      ${task.summary ? html`<p class="words">${task.summary}</p>` : nothing}
      ${task.files.length ? html`<ul class="files">${task.files.map((file) => html`<li><code>${file}</code></li>`)}</ul>` : html`<p class="hint">No file is changed.</p>`}
      ${checks(task.checks)}
      ${task.claims.map((one) => html`<p class="claim">${one.claim}: <b>${one.verdict}</b> ${one.evidence}</p>`)}
      <p class="about">${task.commit ? html`commit <code title=${task.commit}>${task.commit.slice(0, 10)}</code> · ` : nothing}<a href="#/runs/${runId}/tasks/${task.id}">the conversation</a></p>
    </details>
    ${task.reason ? html`<p class="reason">${task.reason}</p>` : nothing}
    ${task.remarks.map((remark) => html`<p class="doubt">${remark}</p>`)}
    ${task.notRun.map((command) => html`<p class="doubt">not run, nobody had been shown it: <code>${command.join(" ")}</code></p>`)}
  </li>`;
}

/** Commands that bigtask ran, each with what it printed; a red one lies open. */
export function checks(ran) {
  return ran.map((check) => html`<details class="ran ${check.passed ? "good" : "bad"}" ?open=${!check.passed}>
    <summary><span class="mark ${check.passed ? "good" : "bad"}">${ended(check)}</span> <code>${check.command.join(" ")}</code>
      <span class="numbers">${duration(check.tookMs)}${check.wantedBy.length ? ` · for ${check.wantedBy.join(", ")}` : ""}</span></summary>
    ${check.output ? html`<pre tabindex="0" aria-label="What it printed">${check.output}</pre>` : html`<p class="hint">It printed nothing.</p>`}
  </details>`);
}

function ended(check) {
  if (check.exitStatus === null) return "not in time";
  return check.passed ? "passed" : `failed, ${check.exitStatus}`;
}
