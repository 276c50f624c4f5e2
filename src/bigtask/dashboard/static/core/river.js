/** Where everything stands in the river: a picture as plain numbers, from a run and a view.
 *
 *     phases  |Analysis|Plan|Work ...
 *     limits            |usage limit until 14:05
 *     lane 1  [====bar====]   [~~coming~~]
 *     lane 2     [==bar==]
 *     trunk   ────●────●──────┊ now
 *
 * A view is `{width, from, to}`: pixels, and the milliseconds at both edges. */

import { questionOf } from "./forecast.js";
import { clock } from "./numbers.js";

export const HEAD = 44;
export const STRIP = 20;
export const LANE = 34;
export const BAR = 24;
export const TRUNK = 56;
export const NOW = 0.7;
const LEAST_SPAN = 4_000;
const CLOSEST = 100;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400].map((s) => s * 1000);

/** All of the run, with the now-line at seven tenths while it goes on. Before the first task has begun there is
 * more to come than to look back at: then all that is `coming` is in it. */
export function wholeView(run, now, width, coming = []) {
  const from = run.began || now;
  const until = run.outcome ? run.ended : now;
  const span = Math.max(LEAST_SPAN, until - from);
  const margin = span * 0.015;
  if (coming.length && ![...run.tasks.values()].some((one) => !one.reserved && one.attempts.length)) {
    const to = Math.max(from + span / NOW, ...coming.map((one) => one.latest));
    return { width, from: from - (to - from) * 0.015, to: to + (to - from) * 0.015 };
  }
  return { width, from: from - margin, to: run.outcome ? until + margin * 2 : from + span / NOW };
}

export function zoomed(view, factor, x) {
  const at = view.from + (x / view.width) * (view.to - view.from);
  const span = Math.max(CLOSEST, (view.to - view.from) * factor);
  const from = at - (x / view.width) * span;
  return { ...view, from, to: from + span };
}

export function moved(view, pixels) {
  const by = (pixels / view.width) * (view.to - view.from);
  return { ...view, from: view.from - by, to: view.to - by };
}

export function timeAt(view, x) {
  return view.from + (x / view.width) * (view.to - view.from);
}

export function river(run, coming, view, now) {
  const x = (at) => ((at - view.from) / (view.to - view.from)) * view.width;
  const seen = (from, to) => to >= view.from && from <= view.to;
  const lanes = Math.max(1, run.lanes.length, ...coming.map((one) => one.lane + 1));
  const limits = bands(run, now);
  const head = limits.length ? HEAD + STRIP : HEAD;
  const y = (lane) => head + lane * LANE + (LANE - BAR) / 2;
  const trunk = head + lanes * LANE + TRUNK / 2;
  const keys = keysOf(run);
  const bars = [];
  const drops = [];
  for (const record of run.tasks.values()) {
    const question = questionOf(run, record);
    for (const attempt of record.attempts) {
      const asked = attempt === record.attempts.at(-1) ? question : undefined;
      const end = attempt.to ?? now;
      const left = slotEnd(attempt, now);
      if (!seen(attempt.from, Math.max(end, attempt.mergedAt ?? 0))) continue;
      bars.push({
        id: `${record.id}.${attempt.number}`,
        taskId: record.id,
        number: attempt.number,
        title: record.task.title,
        x: x(attempt.from),
        y: y(attempt.lane),
        width: Math.max(3, x(left) - x(attempt.from)),
        live: attempt.to === null,
        state: attempt.state,
        worth: attempt.worth,
        reserved: record.reserved,
        key: keys.get(asked?.id) ?? "",
        waiting: asked !== undefined,
        waitingId: asked?.id ?? null,
        reason: attempt.reason,
        percent: attempt.percent,
        pauses: attempt.turns
          .filter((one) => ["waiting", "limited", "stalled", "paused"].includes(one.kind))
          .map((one) => ({ kind: one.kind, x: x(one.from), width: Math.max(1, x(one.to ?? now) - x(one.from)) })),
      });
      if (attempt.mergedAt && !record.reserved) {
        drops.push({ id: record.id, from: x(left), y: y(attempt.lane) + BAR, x: x(attempt.mergedAt), worth: attempt.worth });
      }
    }
  }
  return {
    head,
    lanes: Array.from({ length: lanes }, (_, lane) => ({ y: head + lane * LANE, name: `${lane + 1}` })),
    height: head + lanes * LANE + TRUNK,
    trunk: { y: trunk, from: x(run.began), to: x(Math.min(now, run.ended ?? now)) },
    now: run.outcome ? null : x(now),
    bars,
    drops,
    coming: coming
      .filter((one) => seen(one.from, one.latest))
      .map((one) => ({
        id: one.taskId,
        title: run.tasks.get(one.taskId).task.title,
        x: x(one.from),
        y: y(one.lane),
        width: Math.max(3, x(one.to) - x(one.from)),
        latest: Math.max(3, x(one.latest) - x(one.from)),
      })),
    phases: run.phases.map((one, number) => {
      const end = run.phases[number + 1]?.at ?? run.ended ?? now;
      return { phase: one.phase, round: one.round, x: x(one.at), width: Math.max(0, x(end) - x(one.at)) };
    }),
    limits: limits.filter((one) => seen(one.from, one.until)).map((one) => ({ ...one, x: x(one.from), width: Math.max(2, x(one.until) - x(one.from)) })),
    seams: run.seams.filter((one) => seen(one.from, one.to)).map((one) => ({ ...one, x: x(one.from), width: Math.max(2, x(one.to) - x(one.from)) })),
    threads: threads(run, x, y, now).filter((one) => one.to.x >= 0 || one.from.x >= 0),
    ticks: ticks(view, x),
  };
}

/** Numbers 1 to 9 for what waits, the oldest first: the same while it waits. */
export function keysOf(run) {
  return new Map([...run.waiting.keys()].slice(0, 9).map((id, number) => [id, `${number + 1}`]));
}

/** Until it has reported, an attempt holds its lane. */
function slotEnd(attempt, now) {
  const merging = attempt.turns.find((one) => one.kind === "integrating");
  return merging ? merging.from : attempt.to ?? now;
}

/** One band for all lanes: limits that overlap are one. */
function bands(run, now) {
  const found = [];
  for (const limit of [...run.limits].sort((a, b) => a.from - b.from)) {
    const until = limit.to ?? Math.max(now, limit.wakes ?? now);
    const last = found.at(-1);
    if (last && limit.from <= last.until) {
      last.until = Math.max(last.until, until);
      last.wakes = Math.max(last.wakes ?? 0, limit.wakes ?? 0) || null;
      last.open ||= limit.to === null;
    } else {
      found.push({ from: limit.from, until, kind: limit.kind, wakes: limit.wakes, open: limit.to === null });
    }
  }
  return found;
}

function threads(run, x, y, now) {
  const place = (id, at) => {
    const attempt = run.tasks.get(id)?.attempts.findLast((one) => one.from <= at);
    return attempt && { x: x(slotEnd(attempt, now)), y: y(attempt.lane) + BAR / 2 };
  };
  return run.conflicts.flatMap((one) => {
    const from = place(one.taskId, one.at);
    return one.others.flatMap((other) => {
      const to = place(other, one.at);
      return from && to ? [{ id: `${one.taskId}-${other}`, from, to, over: one.over !== null, files: one.files }] : [];
    });
  });
}

function ticks(view, x) {
  const wanted = ((view.to - view.from) / view.width) * 110;
  const step = STEPS.find((one) => one >= wanted) ?? 86_400_000;
  const found = [];
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    found.push({ x: x(at), said: clock(at, step < 60_000) });
  }
  return found;
}
