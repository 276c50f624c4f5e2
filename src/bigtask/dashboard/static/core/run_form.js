/** What a person filled in to begin a run, and the request that it comes to. */

import { duration } from "./numbers.js";

export const PHASE_NAMES = { analysis: "Analysis", taskPlanning: "Planning", workerExecution: "Work", aggregation: "Bringing together", verification: "Verification" };

export const MODES = [
  ["", "as configured"],
  ["ask", "ask before they change or run something"],
  ["acceptEdits", "change files without asking"],
  ["readOnly", "only read"],
  ["all", "everything, without a question"],
];

export const caps = [
  { name: "maxBudgetUsd", words: "At most, in US dollars", unit: "It stops there and asks you.", from: (config) => config.maxBudgetUsd ?? "no cap" },
  { name: "maxTokens", words: "At most, in tokens", unit: "It stops there and asks you.", from: (config) => config.maxTokens ?? "no cap" },
  { name: "workerTimeoutMinutes", words: "Minutes for one attempt", unit: "Active time; waiting doesn't count.", from: (config) => duration(config.workerTimeout ?? 300_000) },
  { name: "maxWorkers", words: "Workers at once", unit: "1 to 64.", from: (config) => config.maxWorkers ?? 5 },
];

const NUMBERS = {
  maxBudgetUsd: { fits: (value) => value > 0, said: "an amount above 0, like 2.50" },
  maxTokens: { fits: (value) => Number.isInteger(value) && value >= 1, said: "a whole number of tokens from 1" },
  workerTimeoutMinutes: { fits: (value) => value * 60_000 >= 10_000 && value <= 24 * 60, said: "a number of minutes from 0.2 to 1440" },
  maxWorkers: { fits: (value) => Number.isInteger(value) && value >= 1 && value <= 64, said: "a whole number from 1 to 64" },
};
const SWITCHES = ["includeChanges", "projectRules", "autoSpawn"];
const TEXTS = ["agent", "model", "effort", "base", "permissionMode", "isolation", "customInstructions"];

export function begun() {
  return { cwd: "", template: "", message: "", variables: {}, options: {}, agentFor: {}, modelFor: {} };
}

/** `{body, wrong}`: the request, and sentences by the place that they are about, as the server's pointers name it. */
export function asked(form, template) {
  const wrong = {};
  if (!form.cwd.trim()) wrong.cwd = "Say where the project is: the absolute path of its folder.";
  if (!form.template) wrong.templateId = "Choose what kind of work it is.";
  if (!form.message.trim()) wrong.message = "Say what is to be done.";
  const body = { templateId: form.template, cwd: form.cwd.trim(), message: form.message };
  const customVariables = variables(form, template, wrong);
  if (Object.keys(customVariables).length) body.customVariables = customVariables;
  const options = chosen(form, wrong);
  if (Object.keys(options).length) body.options = options;
  return { body, wrong };
}

function variables(form, template, wrong) {
  const found = {};
  for (const [name, typed] of Object.entries(form.variables)) {
    const by = template?.variables?.[name];
    const value = typeof by === "number" ? Number(typed) : typed;
    if (typeof by === "number" && (String(typed).trim() === "" || !Number.isFinite(value))) wrong[`customVariables/${name}`] = `${typed || "nothing"} isn't a number, and the template's own value is one (${by})`;
    else if (value !== by) found[name] = value;
  }
  return found;
}

function chosen(form, wrong) {
  const found = {};
  for (const name of TEXTS) if (form.options[name]?.trim()) found[name] = form.options[name].trim();
  for (const name of SWITCHES) if (form.options[name]) found[name] = form.options[name] === "true";
  for (const [name, { fits, said }] of Object.entries(NUMBERS)) {
    const typed = form.options[name]?.trim();
    if (!typed) continue;
    const value = Number(typed);
    if (!Number.isFinite(value) || !fits(value)) wrong[`options/${name}`] = `${typed} isn't ${said}`;
    else if (name === "workerTimeoutMinutes") found.workerTimeoutMs = Math.round(value * 60_000);
    else found[name] = value;
  }
  for (const name of ["agentFor", "modelFor"]) {
    const said = Object.entries(form[name]).map(([phase, typed]) => [phase, typed.trim()]).filter(([, typed]) => typed);
    if (said.length) found[name] = Object.fromEntries(said);
  }
  const fallback = (form.options.fallback ?? "").split(",").map((name) => name.trim()).filter(Boolean);
  if (fallback.length) found.fallback = fallback;
  return found;
}
