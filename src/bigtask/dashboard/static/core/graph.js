/** The tasks as a graph, from left to right, with the chain that decides how long it takes. */

import { layout, Graph } from "../vendor/dagre/dagre.esm.js";
import { ordered } from "./forecast.js";

const WIDTH = 176;
const HEIGHT = 46;

export function graph(run) {
  const drawn = new Graph();
  drawn.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 46, marginx: 12, marginy: 12 });
  drawn.setDefaultEdgeLabel(() => ({}));
  const records = ordered(run);
  for (const record of records) drawn.setNode(record.id, { width: WIDTH, height: HEIGHT });
  for (const record of records) {
    for (const id of record.task.dependencies ?? []) if (drawn.hasNode(id)) drawn.setEdge(id, record.id);
  }
  if (records.length) layout(drawn);
  const chain = critical(run, records);
  return {
    width: drawn.graph().width ?? 0,
    height: drawn.graph().height ?? 0,
    nodes: records.map((record) => {
      const at = drawn.node(record.id);
      const last = record.attempts.at(-1);
      return {
        id: record.id,
        title: record.task.title,
        state: last?.waitingId ? "waiting" : record.state,
        worth: last?.worth ?? "claimed",
        x: at.x - WIDTH / 2,
        y: at.y - HEIGHT / 2,
        width: WIDTH,
        height: HEIGHT,
        critical: chain.has(record.id),
      };
    }),
    edges: drawn.edges().map(({ v, w }) => ({
      id: `${v} ${w}`,
      points: drawn.edge(v, w).points,
      critical: chain.has(v) && chain.has(w),
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
