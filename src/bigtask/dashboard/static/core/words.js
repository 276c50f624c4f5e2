/** A run in sentences. */

import { clock, dollars, duration, plural, tokens } from "./numbers.js";

export const STATES = {
  pending: "to come",
  blocked: "waits for others",
  ready: "may begin",
  running: "working",
  integrating: "being merged",
  completed: "done",
  partial: "done in part",
  failed: "failed",
  timeout: "out of time",
  cancelled: "cancelled",
  skipped: "left out",
  needs_review: "needs a look",
  quarantined: "held back",
  waiting: "waits for you",
  spawning: "starting",
  limited: "waits for its account",
  stalled: "says nothing",
  paused: "paused",
  crashed: "crashed",
  lost: "ended with its process",
  superseded: "replaced",
};

export const PHASES = {
  analysis: "Analysis",
  taskPlanning: "Planning",
  workerExecution: "Work",
  aggregation: "Bringing together",
  verification: "Verification",
};

export const LIMITS = { rate: "rate limit", overloaded: "the service is overloaded", usage: "usage limit" };

const WORK = ["running", "integrating"];
const RESTS = ["limited", "paused", "stalled"];

export function planned(run) {
  return [...run.tasks.values()].filter((record) => !record.reserved);
}

export function counts(run) {
  const tasks = planned(run);
  const proved = tasks.filter((one) => one.attempts.some((a) => a.worth === "proved")).length;
  const done = tasks.filter((one) => ["completed", "partial"].includes(one.state)).length;
  const bad = tasks.filter((one) => ["failed", "timeout", "cancelled", "skipped"].includes(one.state)).length;
  const begun = tasks.filter((one) => WORK.includes(one.state) && !one.attempts.at(-1)?.waitingId);
  const work = begun.filter((one) => !RESTS.includes(one.attempts.at(-1)?.state)).length;
  const limited = begun.filter((one) => one.attempts.at(-1)?.state === "limited").length;
  return { total: tasks.length, proved, done, bad, work, limited, waiting: run.waiting.size };
}

export function used(run) {
  const sum = { tokens: 0, usd: null };
  for (const record of run.tasks.values()) {
    for (const { usage } of record.attempts) {
      sum.tokens += (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0);
      if (usage.costUsd) sum.usd = (sum.usd ?? 0) + usage.costUsd;
    }
  }
  return sum;
}

/** "7 of 12 proved, 2 working, 1 needs you; $3.10 of $8.00; 10–18 min" */
export function headline(run, left) {
  const found = counts(run);
  const parts = [];
  if (found.total) parts.push(`${found.proved} of ${found.total} proved`);
  else if (!run.outcome) parts.push(PHASES[run.phase] ? `${PHASES[run.phase].toLowerCase()} under way` : "not started");
  if (found.work) parts.push(`${found.work} working`);
  if (found.limited) parts.push(`${found.limited} ${found.limited === 1 ? "waits" : "wait"} for the account${wakes(run)}`);
  if (found.bad) parts.push(`${found.bad} not done`);
  if (found.waiting) parts.push(`${found.waiting} ${found.waiting === 1 ? "needs" : "need"} you`);
  const cost = used(run);
  const money = [];
  if (cost.usd !== null) money.push(dollars(cost.usd) + (run.caps.usd ? ` of ${dollars(run.caps.usd)}` : ""));
  else if (cost.tokens) money.push(tokens(cost.tokens) + (run.caps.tokens ? ` of ${tokens(run.caps.tokens)}` : ""));
  if (run.outcome) money.push(duration((run.ended ?? run.at) - run.began));
  else if (left) money.push(`${duration(left.least)} to ${duration(left.most)} left`);
  return [parts.join(", "), ...money].filter(Boolean).join("; ");
}

/** " until 14:05:00", when the last limit in force ends, where somebody has told. */
function wakes(run) {
  const at = Math.max(0, ...run.limits.filter((one) => one.to === null).map((one) => one.wakes ?? 0));
  return at ? ` until ${clock(at)}` : "";
}

export const OUTCOMES = { complete: "Complete", incomplete: "Incomplete", failed: "Failed", cancelled: "Cancelled" };

/** What the run is about at this moment, in a word or two. */
export function standing(run) {
  if (run.outcome) return OUTCOMES[run.outcome] ?? run.outcome;
  if (run.waiting.size) return run.waiting.size === 1 ? "Waits for you" : `${plural(run.waiting.size, "question")} for you`;
  if (run.paused) return "Paused";
  const { work, limited } = counts(run);
  if (limited && !work) return "At a limit";
  return PHASES[run.phase] ?? "New";
}

/** A name of a field as people read it: failedTask is “Failed task”. */
export function spoken(name) {
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replaceAll("_", " ").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
