/** What an agent says, taken apart: words, and the blocks in which it answers the protocol.
 *
 * Only the delimiters that templates have unless they choose others are known here; all else is words. */

const START = "<<<ORCHESTRATOR_RESPONSE>>>";
const END = "<<<END_ORCHESTRATOR_RESPONSE>>>";
const LONGEST = 160;

/** `{words}` and `{block, said}` in their order: the block as it was written, and what it says in a line. */
export function parts(text) {
  const found = [];
  let at = 0;
  while (at < text.length) {
    const start = text.indexOf(START, at);
    const end = start === -1 ? -1 : text.indexOf(END, start);
    if (end === -1) break;
    words(found, text.slice(at, start));
    const block = text.slice(start + START.length, end).trim();
    found.push({ block, said: line(block) });
    at = end + END.length;
  }
  words(found, text.slice(at));
  return found;
}

function words(found, text) {
  if (text.trim()) found.push({ words: text.trim() });
}

function line(block) {
  const answer = read(block);
  const data = answer?.data;
  if (typeof data !== "object" || data === null) return "an answer that isn't JSON";
  const percent = Number.isFinite(data.progress_percent) ? `${Math.round(data.progress_percent)} %` : "";
  const said = [percent || text(data.status), text(data.current_action) || text(data.summary)].filter(Boolean).join(": ");
  return [text(answer.phase) || "answer", said].filter(Boolean).join(" · ").slice(0, LONGEST);
}

function text(value) {
  return typeof value === "string" ? value : "";
}

function read(block) {
  try {
    return JSON.parse(block);
  } catch {
    return null;
  }
}
