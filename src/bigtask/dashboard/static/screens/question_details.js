/** What a question is about, in the words of its kind; whatever else there is stands below as text. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { count, dollars } from "../core/numbers.js";
import { spoken } from "../core/words.js";
import { conflict, places } from "./conflict_view.js";

/** Said elsewhere, or of no use to a person. */
const SILENT = new Set(["scopes", "covers", "subject"]);
const OWN = {
  budget: ["raisedUsd", "raisedTokens"],
  trust: ["agent", "brings"],
  conflict: ["files", "conflicts", "versions", "workspace"],
};

export function about(app, runId, waiting) {
  const details = waiting.details ?? {};
  const told = new Set(OWN[waiting.kind] ?? []);
  return html`${own(app, runId, waiting, details)}${rest(Object.entries(details).filter(([name]) => !SILENT.has(name) && !told.has(name)))}`;
}

function own(app, runId, waiting, details) {
  switch (waiting.kind) {
    case "budget": {
      const raised = [details.raisedUsd == null ? "" : dollars(details.raisedUsd), details.raisedTokens == null ? "" : `${count(details.raisedTokens)} tokens`].filter(Boolean);
      return raised.length ? html`<p class="hint">Raised, the cap is ${raised.join(" and ")}.</p>` : nothing;
    }
    case "trust":
      return details.brings?.length ? html`<p class="hint">What ${details.agent} would load and run:</p><ul class="brings">${details.brings.map((one) => html`<li><pre>${one}</pre></li>`)}</ul>` : nothing;
    case "conflict":
      return html`<ul class="brings">${(details.conflicts ?? []).map((one) => html`<li><code>${one.path}</code>${one.what ? ` ${one.what}` : nothing}</li>`)}</ul>
        ${waiting.taskId ? conflict(app, runId, waiting) : nothing}${places(details)}`;
    default:
      return nothing;
  }
}

function rest(entries) {
  if (!entries.length) return nothing;
  return html`<dl class="details">${entries.map(([name, value]) => html`<dt>${spoken(name)}</dt><dd>${told(value)}</dd>`)}</dl>`;
}

/** A list as lines, what has parts by their names: nobody has to read what programs send each other. */
function told(value) {
  if (value === null || value === "" || (Array.isArray(value) && !value.length)) return html`<span class="about">none</span>`;
  if (Array.isArray(value)) return html`<ul class="told">${value.map((one) => html`<li>${told(one)}</li>`)}</ul>`;
  if (typeof value === "object") return rest(Object.entries(value));
  if (typeof value === "boolean") return value ? "yes" : "no";
  return html`<pre>${typeof value === "number" ? count(value) : value}</pre>`;
}
