/** Two texts that came from one, line by line beside it. */

/** What became of a text's lines in another: `[{kind, text}]` of the new text with the lines that went, `kind` being
 * plus, minus or empty. Beyond `most` lines of difference all of the middle counts as changed. */
export function changed(before, after, most = 1_500) {
  const [old, now] = [linesOf(before), linesOf(after)];
  let first = 0;
  while (first < old.length && first < now.length && old[first] === now[first]) first += 1;
  let last = 0;
  while (last < old.length - first && last < now.length - first && old.at(-1 - last) === now.at(-1 - last)) last += 1;
  const [gone, come] = [old.slice(first, old.length - last), now.slice(first, now.length - last)];
  const same = (text) => ({ kind: "", text });
  const middle = gone.length + come.length > most ? [...all(gone, "minus"), ...all(come, "plus")] : aligned(gone, come);
  return [...now.slice(0, first).map(same), ...middle, ...now.slice(now.length - last).map(same)];
}

function linesOf(text) {
  if (!text) return [];
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function all(lines, kind) {
  return lines.map((text) => ({ kind, text }));
}

/** By the longest common subsequence of lines. */
function aligned(gone, come) {
  const length = Array.from({ length: gone.length + 1 }, () => new Uint16Array(come.length + 1));
  for (let i = gone.length - 1; i >= 0; i -= 1) {
    for (let j = come.length - 1; j >= 0; j -= 1) {
      length[i][j] = gone[i] === come[j] ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1]);
    }
  }
  const found = [];
  let [i, j] = [0, 0];
  while (i < gone.length || j < come.length) {
    if (i < gone.length && j < come.length && gone[i] === come[j]) {
      found.push({ kind: "", text: come[j] });
      i += 1;
      j += 1;
    } else if (j === come.length || (i < gone.length && length[i + 1][j] >= length[i][j + 1])) {
      found.push({ kind: "minus", text: gone[i] });
      i += 1;
    } else {
      found.push({ kind: "plus", text: come[j] });
      j += 1;
    }
  }
  return found;
}
