/** Where each task stands in the graph, which only its plan decides: kept until that changes. */

import { layout, Graph } from "../vendor/dagre/dagre.esm.js";

export const WIDTH = 176;
export const HEIGHT = 46;
const MARGIN = 12;
const NEXT = 14;
const RANK = 46;

/** With more tasks, untangling the edges takes longer than anybody waits, and the lines are too many to follow. */
const UNTANGLED = 150;

let kept = { key: null, places: null };

/** `{width, height, at: Map of id to {x, y} of the middle, edges: [{from, to, points}]}`. */
export function placed(records) {
  const key = JSON.stringify(records.map((record) => [record.id, record.task.dependencies ?? []]));
  if (kept.key !== key) kept = { key, places: records.length > UNTANGLED ? inColumns(records) : untangled(records) };
  return kept.places;
}

function untangled(records) {
  const drawn = new Graph();
  drawn.setGraph({ rankdir: "LR", nodesep: NEXT, ranksep: RANK, marginx: MARGIN, marginy: MARGIN });
  drawn.setDefaultEdgeLabel(() => ({}));
  for (const record of records) drawn.setNode(record.id, { width: WIDTH, height: HEIGHT });
  for (const record of records) {
    for (const id of record.task.dependencies ?? []) if (drawn.hasNode(id)) drawn.setEdge(id, record.id);
  }
  if (records.length) layout(drawn);
  return {
    width: drawn.graph().width ?? 0,
    height: drawn.graph().height ?? 0,
    at: new Map(records.map((record) => [record.id, drawn.node(record.id)])),
    edges: drawn.edges().map(({ v, w }) => ({ from: v, to: w, points: drawn.edge(v, w).points })),
  };
}

/** A column for each step of the longest way there; inside it, beside what they depend on. `records` stand after
 * what they depend on. */
function inColumns(records) {
  const known = new Map(records.map((record) => [record.id, record]));
  const columnOf = new Map();
  const columns = [];
  for (const record of records) {
    const before = (record.task.dependencies ?? []).map((id) => columnOf.get(id) ?? -1);
    const column = Math.max(-1, ...before) + 1;
    columnOf.set(record.id, column);
    (columns[column] ??= []).push(record);
  }
  const at = new Map();
  columns.forEach((column, number) => {
    const pull = new Map(column.map((record, row) => {
      const found = (record.task.dependencies ?? []).flatMap((id) => at.get(id)?.y ?? []);
      return [record, found.length ? found.reduce((sum, y) => sum + y, 0) / found.length : row * (HEIGHT + NEXT)];
    }));
    column.sort((one, other) => pull.get(one) - pull.get(other));
    column.forEach((record, row) => at.set(record.id, {
      x: MARGIN + WIDTH / 2 + number * (WIDTH + RANK),
      y: MARGIN + HEIGHT / 2 + row * (HEIGHT + NEXT),
    }));
  });
  const edges = records.flatMap((record) => (record.task.dependencies ?? []).filter((id) => known.has(id)).map((id) => {
    const [from, to] = [at.get(id), at.get(record.id)];
    return { from: id, to: record.id, points: [{ x: from.x + WIDTH / 2, y: from.y }, { x: to.x - WIDTH / 2, y: to.y }] };
  }));
  const tallest = Math.max(0, ...columns.map((column) => column.length));
  return {
    width: 2 * MARGIN + columns.length * (WIDTH + RANK) - RANK,
    height: 2 * MARGIN + tallest * (HEIGHT + NEXT) - NEXT,
    at,
    edges,
  };
}
