/** A question of a run with its answers, wherever it is shown. */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { runs } from "../api.js";
import { answerWords } from "../core/answer_words.js";
import { tell } from "./notes.js";
import { about } from "./question_details.js";

const KINDS = {
  plan: "Plan",
  permission: "Permission",
  question: "Question",
  conflict: "Conflict",
  budget: "Budget",
  answer: "An answer that can't be used",
  trust: "Trust",
  limit: "Limit",
};
const CAREFUL = new Set(["deny", "cancel", "stop", "fail", "skip", "quarantine"]);

export function kindOf(waiting) {
  return KINDS[waiting.kind] ?? waiting.kind;
}

/** `after` is called when the server has taken the answer. */
export function question(app, runId, waiting, after = () => {}) {
  const give = async (answer, scope) => {
    try {
      await runs.answer(runId, waiting.id, answer, scope);
      after();
    } catch (problem) {
      tell(app, problem.message);
    }
  };
  const scopes = waiting.requestId ? waiting.details?.scopes ?? ["once", "task", "run"] : [];
  const [first] = waiting.options;
  return html`<div class="question">
    <p class="kind">${kindOf(waiting)}${waiting.taskId ? html` · <b>${waiting.taskId}</b>` : nothing}</p>
    <p class="asked">${waiting.question}</p>
    ${about(app, runId, waiting)}
    ${waiting.kind === "plan" ? html`<p class="hint"><a href="#/runs/${runId}/plan">Look at the plan, and change it</a> (<kbd>e</kbd> on the run's page)</p>` : nothing}
    ${waiting.options.length ? html`<div class="answers">${waiting.options.map((option) => html`
      <button class=${option === first ? "main" : CAREFUL.has(option) ? "careful" : ""} @click=${() => give(option, scopes[0])}>${answerWords(waiting, option)}</button>
      ${option === "allow" ? scopes.slice(1).map((scope) => html`<button @click=${() => give(option, scope)}>${answerWords(waiting, option, scope)}</button>`) : nothing}`)}</div>`
    : html`<form class="answers" @submit=${(event) => {
        event.preventDefault();
        give(new FormData(event.target).get("answer"));
      }}><input name="answer" required aria-label="Your answer" autocomplete="off"><button class="main">Answer</button></form>`}
  </div>`;
}
