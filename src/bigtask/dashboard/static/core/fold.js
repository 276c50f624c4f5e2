/** A run as its events tell it: the same words and states as the log's own fold, and the times besides.
 *
 * No page and no network in here: events go in one after the other, a picture comes out. */

const ENDS = {
  "worker:completed": "completed",
  "worker:partial": "partial",
  "worker:failed": "failed",
  "worker:timeout": "timeout",
  "worker:crashed": "crashed",
  "worker:lost": "lost",
  "worker:needsReview": "needs_review",
  "worker:quarantined": "quarantined",
  "worker:superseded": "superseded",
  "worker:cancelled": "cancelled",
};

/** What an attempt is about while it lasts, by the event that begins it. */
const TURNS = {
  "worker:started": "working",
  "worker:resumed": "working",
  "worker:wentOn": "working",
  "worker:waiting": "waiting",
  "worker:limited": "limited",
  "worker:stalled": "stalled",
  "worker:paused": "paused",
  "worker:reported": "integrating",
  "worker:settling": "integrating",
};

/** After these what the task waited for needs no answer. */
const WITHDRAWS = new Set(["worker:settling", "worker:resolving", "worker:reopened", "worker:skipped", "worker:paused"]);

/** After these the task waits for its next attempt. */
const BEGINS_ANEW = new Set(["worker:reopened", "worker:retrying", "worker:resolving"]);

/** How a new holder begins, before it says that it took the run up. */
const TAKING_UP = new Set(["worker:lost", "worker:paused", "worker:resumed"]);

/** An attempt in one of these only rests: the next one replaces it. */
const RESTING = new Set(["paused", "needs_review", "quarantined"]);

export const RESERVED = {
  "@analysis": "Looking at the project",
  "@planning": "Planning the tasks",
  "@aggregation": "Bringing it together",
  "@verification": "Checking the whole",
};

export function emptyRun(id) {
  return {
    id,
    seq: 0,
    began: 0,
    at: 0,
    held: 0,
    request: "",
    agent: "",
    template: "",
    cwd: "",
    slots: 1,
    caps: { usd: null, tokens: null },
    phase: "",
    outcome: null,
    reason: "",
    paused: false,
    merged: null,
    estimate: null,
    revision: 0,
    tasks: new Map(),
    lanes: [],
    waiting: new Map(),
    phases: [],
    limits: [],
    seams: [],
    conflicts: [],
    merges: [],
  };
}

/** The run after all events up to the number `until`. */
export function foldAll(id, events, until = Infinity) {
  const run = emptyRun(id);
  for (const event of events) {
    if (event.seq > until) break;
    fold(run, event);
  }
  return run;
}

/** Changes `run`. An event that was seen already changes nothing. */
export function fold(run, event) {
  if (event.seq <= run.seq) return run;
  run.seq = event.seq;
  run.at = Math.max(run.at, Date.parse(event.at));
  run.began ||= run.at;
  const data = event.data ?? {};
  if (event.type.startsWith("worker:")) worker(run, event.type, data);
  else orchestrator(run, event.type, data);
  if (!TAKING_UP.has(event.type)) run.held = run.at;
  return run;
}

function orchestrator(run, type, data) {
  switch (type) {
    case "orchestrator:created":
      run.request = data.request;
      run.template = data.template?.name ?? data.templateId;
      run.agent = data.settings?.agent ?? "";
      run.cwd = data.source?.cwd ?? "";
      run.slots = data.settings?.parallelExecution === false ? 1 : data.settings?.maxWorkers ?? 1;
      run.caps = { usd: data.settings?.maxBudgetUsd ?? null, tokens: data.settings?.maxTokens ?? null };
      break;
    case "orchestrator:phaseChanged":
      run.phase = data.phase;
      run.outcome = null;
      run.phases.push({ phase: data.phase, round: data.round ?? 0, at: run.at });
      break;
    case "orchestrator:tasksReady":
      run.estimate = data.estimate ?? null;
      plan(run, data.plan);
      break;
    case "orchestrator:planChanged":
      run.revision = data.revision;
      for (const edit of data.edits) change(run, edit);
      break;
    case "orchestrator:waiting":
      run.waiting.set(data.waiting.id, { ...data.waiting, since: run.at });
      break;
    case "orchestrator:confirmed":
      drop(run, (waiting) => waiting.kind === "plan");
      break;
    case "orchestrator:answered":
      answered(run, data.waitingId);
      break;
    case "orchestrator:paused":
      run.paused = true;
      break;
    case "orchestrator:resumed":
    case "orchestrator:started":
      run.paused = false;
      break;
    case "orchestrator:recovered":
      takenUp(run, data.lost ?? 0);
      break;
    case "orchestrator:merged":
      run.merged = data.undone ? null : data.commit ?? "";
      break;
    case "orchestrator:completed":
      end(run, data.outcome, data.reason);
      break;
    case "orchestrator:error":
      end(run, "failed", data.reason);
      break;
    case "orchestrator:cancelled":
      end(run, "cancelled", "");
      break;
  }
}

/** Nobody held the run since its last event: what was lost ended there, not when somebody looked. */
function takenUp(run, lost) {
  run.seams.push({ from: run.held, to: run.at, lost });
  for (const { attempts } of run.tasks.values()) {
    const last = attempts.at(-1);
    if (last?.state === "lost" && last.to > run.held) last.to = last.turns.at(-1).to = Math.max(last.from, run.held);
  }
}

/** Questions that nobody has to answer any more. */
function drop(run, over) {
  for (const waiting of [...run.waiting.values()]) if (over(waiting)) run.waiting.delete(waiting.id);
}

function end(run, outcome, reason = "") {
  run.outcome = outcome;
  run.reason = reason;
  run.ended = run.at;
  run.waiting.clear();
}

function plan(run, found) {
  run.revision = found.revision;
  for (const task of found.tasks) known(run, task.id).task = task;
}

function change(run, edit) {
  if (edit.op === "add") known(run, edit.task.id).task = edit.task;
  if (edit.op === "set") {
    const record = known(run, edit.id);
    record.task = { ...record.task, ...edit.fields };
  }
  if (edit.op === "drop") run.tasks.delete(edit.id);
  if (edit.op === "merge") {
    for (const id of edit.ids) run.tasks.delete(id);
    known(run, edit.task.id).task = edit.task;
  }
}

function known(run, id) {
  let record = run.tasks.get(id);
  if (record === undefined) {
    record = {
      id,
      reserved: id.startsWith("@"),
      task: { id, title: RESERVED[id] ?? id, dependencies: [] },
      state: "pending",
      reason: "",
      attempts: [],
    };
    run.tasks.set(id, record);
  }
  return record;
}

function worker(run, type, data) {
  const record = known(run, data.taskId);
  if (type in ENDS || WITHDRAWS.has(type)) drop(run, (waiting) => waiting.taskId === record.id);
  if (type === "worker:skipped") {
    retire(run, record);
    record.state = "skipped";
    record.reason = data.reason;
    return;
  }
  if (BEGINS_ANEW.has(type)) {
    if (type === "worker:resolving") rest(run, record, "needs_review");
    if (type !== "worker:retrying") retire(run, record);
    if (type === "worker:reopened") {
      run.outcome = null;
      run.reason = "";
    }
    record.state = "ready";
    record.reason = "";
    return;
  }
  if (type === "worker:spawned") {
    retire(run, record);
    record.state = "running";
    record.attempts.push(begun(run, record, data));
    return;
  }
  const attempt = record.attempts.find((one) => one.number === data.attempt) ?? record.attempts.at(-1);
  if (attempt === undefined) {
    if (type in ENDS) record.state = ENDS[type];
    return;
  }
  if (type in TURNS) turn(run, record, attempt, type, data);
  note(run, record, attempt, type, data);
  if (type in ENDS) ended(run, record, attempt, ENDS[type], data);
}

function begun(run, record, data) {
  const lane = run.lanes.findIndex((holder) => holder === null);
  const attempt = {
    number: data.attempt,
    taskId: record.id,
    agent: data.agent,
    lane: lane === -1 ? run.lanes.length : lane,
    from: run.at,
    to: null,
    state: "spawning",
    turns: [{ kind: "starting", from: run.at, to: null }],
    percent: null,
    action: "",
    worth: "claimed",
    mended: false,
    reason: "",
    usage: {},
    checks: [],
    evidence: null,
    mergedAt: null,
    waitingId: null,
  };
  run.lanes[attempt.lane] = attempt;
  return attempt;
}

function turn(run, record, attempt, type, data) {
  const kind = TURNS[type];
  attempt.turns.at(-1).to = run.at;
  attempt.turns.push({ kind, from: run.at, to: null });
  attempt.state = kind === "working" ? "running" : kind;
  attempt.waitingId = kind === "waiting" ? data.waitingId : null;
  record.state = kind === "integrating" ? "integrating" : "running";
  if (kind === "limited") {
    const wakes = data.resetMs == null ? null : run.at + data.resetMs;
    run.limits.push({ taskId: record.id, kind: data.kind ?? "", from: run.at, to: null, wakes });
  } else {
    close(run, record.id);
  }
  // Its account answers again: nobody has to decide anything.
  if (type === "worker:started" || (type === "worker:wentOn" && (data.after ?? "limit") === "limit")) {
    drop(run, (waiting) => waiting.details?.subject === `limit:${attempt.agent}`);
  }
  // Who has reported needs no slot any more: the next one begins while its work is merged.
  if (kind === "integrating") free(run, attempt);
}

function retire(run, record) {
  const last = record.attempts.at(-1);
  if (last && RESTING.has(last.state)) rest(run, record, "superseded");
}

function rest(run, record, state) {
  const last = record.attempts.at(-1);
  if (!last) return;
  last.turns.at(-1).to ??= run.at;
  last.to ??= run.at;
  last.state = state;
  free(run, last);
}

function close(run, taskId) {
  for (const limit of run.limits) if (limit.taskId === taskId && limit.to === null) limit.to = run.at;
}

function free(run, attempt) {
  if (run.lanes[attempt.lane] === attempt) run.lanes[attempt.lane] = null;
}

function note(run, record, attempt, type, data) {
  if (data.usage) attempt.usage = data.usage;
  switch (type) {
    case "worker:progress":
      attempt.percent = data.percent ?? attempt.percent;
      attempt.action = data.action || attempt.action;
      break;
    case "worker:held":
      attempt.action = data.reason;
      break;
    case "worker:reported":
      attempt.mended = data.report.quality !== undefined && data.report.quality !== "strict";
      attempt.summary = data.report.data?.summary ?? "";
      break;
    case "worker:checked":
      attempt.checks = data.results;
      break;
    case "worker:conflict":
      run.conflicts.push({ taskId: record.id, others: data.others ?? [], files: data.files, at: run.at, over: null });
      break;
    case "worker:merged":
      attempt.evidence = data.evidence ?? {};
      attempt.mergedAt = run.at;
      for (const one of run.conflicts) if (one.taskId === record.id) one.over ??= run.at;
      if (!record.reserved) run.merges.push({ taskId: record.id, at: run.at });
      break;
  }
}

function ended(run, record, attempt, state, data) {
  attempt.turns.at(-1).to = run.at;
  attempt.state = state;
  attempt.to = run.at;
  attempt.waitingId = null;
  attempt.reason = data.reason ?? "";
  attempt.worth = worth(record, attempt, state);
  // Lost is nobody's fault: the task waits for its next attempt.
  if (state === "lost") record.state = "ready";
  else if (state !== "superseded") record.state = state === "crashed" ? "failed" : state;
  if (state !== "lost") record.reason = data.reason ?? "";
  close(run, record.id);
  free(run, attempt);
}

/** `claimed`, `half` or `proved`: what stands behind the attempt's word. */
function worth(record, attempt, state) {
  if (state === "partial") return "half";
  if (state !== "completed") return "claimed";
  if (attempt.mended) return "half";
  const files = attempt.evidence?.files ?? [];
  return record.reserved || files.length || attempt.checks.some((check) => check.exitStatus === 0) ? "proved" : "claimed";
}

function answered(run, id) {
  const waiting = run.waiting.get(id);
  run.waiting.delete(id);
  const attempt = waiting?.taskId && run.tasks.get(waiting.taskId)?.attempts.at(-1);
  if (attempt && attempt.waitingId === id && attempt.to === null) {
    attempt.turns.at(-1).to = run.at;
    attempt.turns.push({ kind: "working", from: run.at, to: null });
    attempt.state = "running";
    attempt.waitingId = null;
  }
}
