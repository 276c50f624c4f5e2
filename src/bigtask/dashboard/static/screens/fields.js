/** A field of a form with its name, its hint and what is wrong with it: found by eye, by label and by description. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";

/** `control` is given `{id, describedby, invalid}` for the element that a person fills in. */
export function field(id, name, control, { hint = nothing, problems = [], kind = "" } = {}) {
  const wrong = problems.filter(Boolean);
  const described = [hint === nothing ? "" : `${id}-hint`, wrong.length ? `${id}-wrong` : ""].filter(Boolean).join(" ");
  return html`<div class="field ${kind} ${wrong.length ? "wrong" : ""}"><label for=${id}>${name}</label>
    ${control({ id, describedby: described || nothing, invalid: wrong.length ? "true" : "false" })}
    ${hint === nothing ? nothing : html`<p class="hint" id="${id}-hint">${hint}</p>`}
    ${wrong.length ? html`<div class="sentences" id="${id}-wrong" role="alert">${wrong.map((one) => html`<p>${one}</p>`)}</div>` : nothing}</div>`;
}

export function text(value, input, { placeholder = "", list = nothing, disabled = false, type = "text" } = {}) {
  return ({ id, describedby, invalid }) => html`<input id=${id} type=${type} .value=${value} placeholder=${placeholder} list=${list} ?disabled=${disabled}
    autocomplete="off" spellcheck="false" aria-describedby=${describedby} aria-invalid=${invalid} @input=${(event) => input(event.target.value)}>`;
}

export function lines(value, input, { rows = 3, placeholder = "", disabled = false, code = false } = {}) {
  return ({ id, describedby, invalid }) => html`<textarea id=${id} class=${code ? "code" : ""} rows=${rows} .value=${value} placeholder=${placeholder} ?disabled=${disabled}
    aria-describedby=${describedby} aria-invalid=${invalid} @input=${(event) => input(event.target.value)}></textarea>`;
}

/** `options` are `[value, words]`. */
export function choice(value, options, change, { disabled = false } = {}) {
  return ({ id, describedby, invalid }) => html`<select id=${id} ?disabled=${disabled} aria-describedby=${describedby} aria-invalid=${invalid}
    @change=${(event) => change(event.target.value)}>${options.map(([each, words]) => html`<option value=${each} ?selected=${each === value} .selected=${each === value}>${words}</option>`)}</select>`;
}

/** What a person typed as a number: the number, null for nothing, undefined for what is none. */
export function numberOf(typed, { whole = false, least = -Infinity, most = Infinity } = {}) {
  const said = typed.trim();
  if (!said) return null;
  const value = Number(said);
  return Number.isFinite(value) && value >= least && value <= most && (!whole || Number.isInteger(value)) ? value : undefined;
}
