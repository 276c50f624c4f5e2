/** The text of a template: completed by the schema, checked as it is typed, each problem with its line. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { completion, explained } from "../core/completion.js";
import { lineAndColumn, placeOf, read, stringAt } from "../core/json_text.js";
import { plural } from "../core/numbers.js";

const LIST = "completions";

export class TemplateText {
  #offered = null;
  #chosen = 0;
  #at = 0;
  #long = null;

  /** `change(text)` is called for what was typed. */
  constructor(app, change) {
    this.app = app;
    this.change = change;
  }

  content(text, { schema, ids, agents, findings, checked, readOnly }) {
    this.text = text;
    this.known = { schema, ids, agents };
    const { places, error } = read(text);
    const errors = error ? [{ at: error.at, message: error.message, pointer: "" }] : findings.errors.map((one) => ({ ...one, at: placeOf(places, one.pointer).at }));
    const warnings = error ? [] : findings.warnings.map((one) => ({ ...one, at: placeOf(places, one.pointer).at }));
    const here = pointerAt(places, this.#at);
    const about = schema ? explained(schema, here) : null;
    const said = stringAt(text, places, this.#at);
    return html`<div class="text-room">
      <div class="text-editor"><textarea class="code" id="template-text" wrap="off" rows="26" spellcheck="false" autocomplete="off" aria-label="The template as JSON" ?readonly=${readOnly} .value=${text}
          aria-autocomplete=${readOnly ? nothing : "list"} aria-controls=${this.#offered ? LIST : nothing} aria-activedescendant=${this.#offered ? `completion-${this.#chosen}` : nothing} aria-haspopup=${readOnly ? nothing : "listbox"} aria-invalid=${errors.length ? "true" : "false"} aria-describedby="findings"
          @input=${(event) => this.#typed(event)} @keydown=${(event) => this.#key(event)} @blur=${() => this.#close()} @scroll=${() => this.#close()} @keyup=${(event) => this.#moved(event)} @click=${(event) => this.#moved(event)}></textarea>
        ${this.#offered && !readOnly ? this.#choices() : nothing}</div>
      <div class="beside">
        <p class="here" role="status">${here ? html`<code>${here}</code> ` : nothing}${about ?? (readOnly ? "" : "Ctrl+Space offers what can stand here.")}</p>
        ${said && said.value.length > 60 ? html`<button @click=${() => this.#open(said)}>${readOnly ? "Read" : "Edit"} this text in lines</button>` : nothing}
        <section id="findings" aria-label="What is said of it">${errors.length ? html`<h2 class="sentences">${plural(errors.length, "problem")}</h2>` : html`<h2 class=${checked ? "fine" : ""}>${checked ? "Nothing is wrong" : "Checking…"}</h2>`}
          <ul class="findings">${errors.map((one) => this.#finding(text, one, "bad"))}${warnings.map((one) => this.#finding(text, one, "mild"))}</ul></section>
      </div>
      ${this.#long ? this.#inLines(readOnly) : nothing}</div>`;
  }

  #finding(text, one, kind) {
    const { line, column } = lineAndColumn(text, one.at);
    return html`<li class="complaint ${kind}"><button class="quiet" @click=${() => this.#goTo(one.at)}>line ${line}${one.pointer ? "" : `, column ${column}`}</button> ${one.pointer ? html`<code>${one.pointer}</code> ` : nothing}${one.message}</li>`;
  }

  #choices() {
    const before = this.text.slice(0, this.#offered.from);
    const row = before.split("\n").length;
    const column = before.length - before.lastIndexOf("\n") - 1;
    const area = document.getElementById("template-text");
    const place = `--row:${row};--column:${Math.min(column, 60)};--up:${area?.scrollTop ?? 0}px;--left:${area?.scrollLeft ?? 0}px`;
    return html`<ul class="choices" id=${LIST} role="listbox" aria-label="What can stand here" .style=${place}>${this.#offered.choices.map((one, number) => html`<li id="completion-${number}" role="option" aria-selected=${number === this.#chosen ? "true" : "false"}
      @pointerdown=${(event) => { event.preventDefault(); this.#take(one); }}><b>${one.name}</b> <span class="about">${one.about}</span></li>`)}</ul>`;
  }

  #typed(event) {
    this.#at = event.target.selectionStart;
    this.text = event.target.value;
    this.change(this.text);
    // Only where a word was begun: whoever types a new line wants no list.
    if (/["\w]/.test(event.data ?? "")) this.#offer();
    else this.#close();
  }

  #offer() {
    const found = this.known.schema && completion(this.text, this.#at, this.known.schema, this.known);
    this.#offered = found;
    this.#chosen = 0;
    this.app.draw();
  }

  #close() {
    if (!this.#offered) return;
    this.#offered = null;
    this.app.draw();
  }

  #moved(event) {
    if (event.target.selectionStart === this.#at) return;
    this.#at = event.target.selectionStart;
    if (event.type === "click" || ["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) this.#offered = null;
    this.app.draw();
  }

  #key(event) {
    if (event.ctrlKey && event.key === " ") {
      event.preventDefault();
      this.#at = event.target.selectionStart;
      this.#offer();
    } else if (this.#offered && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      const { length } = this.#offered.choices;
      this.#chosen = (this.#chosen + (event.key === "ArrowDown" ? 1 : length - 1)) % length;
      this.app.draw();
      requestAnimationFrame(() => requestAnimationFrame(() => document.getElementById(`completion-${this.#chosen}`)?.scrollIntoView({ block: "nearest" })));
    } else if (this.#offered && ["Enter", "Tab"].includes(event.key)) {
      event.preventDefault();
      this.#take(this.#offered.choices[this.#chosen]);
    } else if (this.#offered && event.key === "Escape") {
      event.preventDefault();
      this.#close();
    }
  }

  #take({ insert }) {
    const { from, to } = this.#offered;
    this.#put(from, to, insert);
    // Into what was put there, where it has room for more.
    const room = /(?:""|\{\}|\[\])$/.test(insert) ? 1 : 0;
    this.#goTo(from + insert.length - room);
    this.#close();
  }

  #put(from, to, insert) {
    const area = document.getElementById("template-text");
    area.setRangeText(insert, from, to, "end");
    this.text = area.value;
    this.change(this.text);
  }

  #goTo(at) {
    const area = document.getElementById("template-text");
    area.focus();
    area.setSelectionRange(at, at);
    const { line } = lineAndColumn(this.text, at);
    area.scrollTop = Math.max(0, (line - 6) * (area.scrollHeight / this.text.split("\n").length));
    this.#at = at;
    this.app.draw();
  }

  #open(said) {
    this.#long = said;
    this.app.draw();
    requestAnimationFrame(() => requestAnimationFrame(() => document.getElementById("long-text")?.focus()));
  }

  #inLines(readOnly) {
    const leave = () => {
      this.#long = null;
      this.app.draw();
      document.getElementById("template-text")?.focus();
    };
    const keep = () => {
      this.#put(this.#long.from, this.#long.to, JSON.stringify(document.getElementById("long-text").value));
      leave();
    };
    return html`<div class="veil"><section class="sheet long" role="dialog" aria-modal="true" aria-label="The text ${this.#long.pointer}" @keydown=${(event) => event.key === "Escape" && leave()}>
      <h2><code>${this.#long.pointer}</code></h2><textarea id="long-text" class="code" rows="20" ?readonly=${readOnly} aria-label="The text ${this.#long.pointer}" .value=${this.#long.value}></textarea>
      <div class="actions">${readOnly ? nothing : html`<button class="main" @click=${keep}>Put it into the template</button>`}<button @click=${leave}>${readOnly ? "Close" : "Leave it as it was"}</button></div></section></div>`;
  }
}

/** The innermost value that the place is in. */
function pointerAt(places, at) {
  let best = "";
  for (const [pointer, { key, from, to }] of places) if ((key ?? from) <= at && at <= to && pointer.length >= best.length) best = pointer;
  return best;
}
