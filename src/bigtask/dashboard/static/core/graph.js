/** The tasks as a graph, from left to right, with the chain that decides how long it takes. */

import { ordered, questionOf } from "./forecast.js";
import { HEIGHT, placed, WIDTH } from "./layout.js";
import { keysOf } from "./river.js";

export function graph(run) {
  const records = ordered(run);
  const places = placed(records);
  const chain = critical(run, records);
  const keys = keysOf(run);
  return {
    width: places.width,
    height: places.height,
    nodes: records.map((record) => {
      const at = places.at.get(record.id);
      const last = record.attempts.at(-1);
      const question = questionOf(run, record);
      return {
        id: record.id,
        title: record.task.title,
        state: question ? "waiting" : last?.state === "limited" ? "limited" : record.state,
        key: keys.get(question?.id) ?? "",
        attempt: last?.number ?? 0,
        reason: record.reason,
        worth: last?.worth ?? "claimed",
        x: at.x - WIDTH / 2,
        y: at.y - HEIGHT / 2,
        width: WIDTH,
        height: HEIGHT,
        critical: chain.has(record.id),
      };
    }),
    edges: places.edges.map(({ from, to, points }) => ({
      id: `${from} ${to}`,
      points,
      critical: chain.has(from) && chain.has(to),
    })),
  };
}

/** The ids on the longest chain, by what tasks took or are expected to take. */
function critical(run, records) {
  const least = new Map();
  for (const record of records) {
    const last = record.attempts.at(-1);
    const own = last?.to ? last.to - last.from : (record.task.estimatedMinutes ?? 1) * 60_000;
    let before = null;
    for (const id of record.task.dependencies ?? []) {
      const other = least.get(id);
      if (other && (!before || other.end > before.end)) before = { ...other, id };
    }
    least.set(record.id, { end: (before?.end ?? 0) + own, by: before?.id ?? null });
  }
  const found = new Set();
  let [id] = [...least].reduce((best, one) => (!best[1] || one[1].end > best[1].end ? one : best), [null, null]);
  while (id) {
    found.add(id);
    id = least.get(id).by;
  }
  return found;
}
