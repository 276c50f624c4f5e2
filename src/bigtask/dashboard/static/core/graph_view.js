/** Which part of the graph is seen: `{scale, x, y}` puts a point of the graph at `x + scale * itsX` of the room.
 * A size, of the graph or of its room, is `{width, height}` in pixels. */

const CLOSEST = 2.5;
const BESIDE = 12;

export function wholeGraph(size, room) {
  const scale = Math.min(1, room.width / size.width, room.height / size.height);
  return within({ scale, x: 0, y: 0 }, size, room);
}

/** The same view where the graph never leaves its room: in the middle while it is smaller. Never smaller than
 * when all of it is seen. */
export function within(view, size, room) {
  const least = Math.min(1, room.width / size.width, room.height / size.height);
  const scale = Math.min(Math.max(view.scale, least), CLOSEST);
  return { scale, x: along(view.x, size.width * scale, room.width), y: along(view.y, size.height * scale, room.height) };
}

function along(at, length, room) {
  return length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, at));
}

/** Closer by that factor, further away below 1; what is at `point` of the room stays there. */
export function scaled(view, factor, point, size, room) {
  const least = Math.min(1, room.width / size.width, room.height / size.height);
  const scale = Math.min(Math.max(view.scale * factor, least), CLOSEST);
  const grown = scale / view.scale;
  return within({ scale, x: point.x - (point.x - view.x) * grown, y: point.y - (point.y - view.y) * grown }, size, room);
}

export function shifted(view, x, y, size, room) {
  return within({ scale: view.scale, x: view.x + x, y: view.y + y }, size, room);
}

/** Moved no further than it takes to see that node. */
export function seeing(view, node, size, room) {
  const into = (at, from, length, most) => {
    const begin = at + view.scale * from;
    const end = begin + view.scale * length;
    if (begin < BESIDE) return at + BESIDE - begin;
    return end > most - BESIDE ? at + most - BESIDE - end : at;
  };
  return within({ scale: view.scale, x: into(view.x, node.x, node.width, room.width), y: into(view.y, node.y, node.height, room.height) }, size, room);
}
