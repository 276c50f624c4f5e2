/** When tasks that have not begun may begin and end: a guess from the plan and from what others took. */

const GUESS_MS = 60_000;
const FASTER = 0.6;
const SLOWER = 1.6;

/** Attempts to come, as `{taskId, lane, from, to, latest}`, and the time left as `{least, most}` or null. */
export function forecast(run, now) {
  if (run.outcome) return { coming: [], left: null };
  const pace = paceOf(run);
  const free = run.lanes.map((attempt) => (attempt ? endOf(run, attempt.taskId, pace, now) : now));
  while (free.length < run.slots) free.push(now);
  const ready = new Map();
  const coming = [];
  for (const record of ordered(run)) {
    const needs = (record.task.dependencies ?? []).map((id) => ready.get(id) ?? endOf(run, id, pace, now));
    if (record.attempts.some((one) => one.to === null) || settled(record)) {
      ready.set(record.id, endOf(run, record.id, pace, now));
      continue;
    }
    // It has been worked on, and what comes next a person says: others are reckoned with an answer at once.
    if (questionOf(run, record)) {
      ready.set(record.id, now);
      continue;
    }
    const earliest = Math.max(now, ...needs);
    let lane = 0;
    for (let other = 1; other < free.length; other += 1) {
      if (Math.max(free[other], earliest) < Math.max(free[lane], earliest)) lane = other;
    }
    const from = Math.max(free[lane], earliest);
    const to = from + expected(run, record.id, pace);
    free[lane] = to;
    ready.set(record.id, to);
    coming.push({ taskId: record.id, lane, from, to, latest: from + (to - from) * SLOWER });
  }
  const end = Math.max(now, ...[...ready.values()]);
  const left = ready.size ? { least: (end - now) * FASTER, most: (end - now) * SLOWER } : null;
  return { coming, left: left && left.most > 0 ? left : null };
}

/** What waits for a person before the task goes on, or undefined. */
export function questionOf(run, record) {
  const last = record.attempts.at(-1);
  return run.waiting.get(last?.waitingId) ?? [...run.waiting.values()].find((one) => one.taskId === record.id);
}

function settled(record) {
  return ["completed", "partial", "failed", "timeout", "cancelled", "skipped"].includes(record.state);
}

/** Each after what it depends on, in plan order otherwise; a cycle is cut where it closes. */
export function ordered(run) {
  const found = [];
  const seen = new Set();
  const visit = (record) => {
    if (!record || seen.has(record.id) || record.reserved) return;
    seen.add(record.id);
    for (const id of record.task.dependencies ?? []) visit(run.tasks.get(id));
    found.push(record);
  };
  for (const record of run.tasks.values()) visit(record);
  return found;
}

/** How long tasks really took, as a share of what was planned, and in the middle. */
function paceOf(run) {
  const took = [];
  const shares = [];
  for (const record of run.tasks.values()) {
    const last = record.attempts.at(-1);
    if (record.reserved || last?.state !== "completed") continue;
    took.push(last.to - last.from);
    if (record.task.estimatedMinutes) shares.push((last.to - last.from) / (record.task.estimatedMinutes * 60_000));
  }
  return { middle: median(took) ?? GUESS_MS, share: median(shares) };
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
}

function expected(run, id, pace) {
  const minutes = run.tasks.get(id)?.task.estimatedMinutes;
  return minutes ? minutes * 60_000 * (pace.share ?? 1) : pace.middle;
}

function endOf(run, id, pace, now) {
  const attempt = run.tasks.get(id)?.attempts.at(-1);
  if (!attempt) return now;
  if (attempt.to !== null) return attempt.to;
  const wakes = run.limits.find((one) => one.taskId === id && one.to === null)?.wakes ?? 0;
  return Math.max(now, wakes, attempt.from + expected(run, id, pace));
}
