/** A conflict three ways: what there was before, and beside it what each side made of it. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { runs } from "../api.js";
import { changed } from "../core/versions.js";

/** By the question that is asked about it. */
const read = new Map();

export function conflict(app, runId, waiting) {
  const key = `${runId}/${waiting.id}`;
  const found = read.get(key);
  const look = async () => {
    read.set(key, { busy: true });
    app.draw();
    try {
      read.set(key, { files: (await runs.conflict(runId, waiting.taskId)).files });
    } catch (problem) {
      read.set(key, { problem: problem.message });
    }
    app.draw();
  };
  if (found?.busy) return html`<p class="hint" aria-busy="true">Reading the versions…</p>`;
  if (found?.problem) return html`<p class="problem" role="alert">${found.problem}</p>`;
  if (!found) return html`<p><button @click=${look}>Show the three versions</button></p>`;
  return html`<div class="three-ways">${found.files.map(file)}</div>`;
}

function file({ path, base, ours, theirs }) {
  return html`<section aria-label=${path}><h3><code>${path}</code></h3>
    <div class="versions">
      ${column("before", base, base)}${column("merged so far (ours)", base, ours)}${column("this task (theirs)", base, theirs)}
    </div></section>`;
}

function column(name, base, now) {
  return html`<figure><figcaption>${name}</figcaption>${now === null
    ? html`<p class="hint">It isn't there, or isn't a text.</p>`
    : html`<pre class="patch" tabindex="0" aria-label=${name}>${changed(base, now).map((line) => html`<span class=${line.kind}>${line.text}</span>`)}</pre>`}</figure>`;
}

/** Where the versions lie, for those who settle it with tools of their own. */
export function places({ versions, workspace }) {
  if (!versions && !workspace) return nothing;
  return html`<p class="hint">${workspace ? html`The merge is begun in <code>${workspace}</code>: settle it there, then press “I have resolved it”. ` : nothing}${versions ? html`The versions lie in <code>${versions}</code>.` : nothing}</p>`;
}
