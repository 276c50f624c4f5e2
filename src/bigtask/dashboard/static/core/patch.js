/** A patch as `git diff` writes it, file by file. */

const HEAD = "diff --git ";
const KINDS = { "+": "plus", "-": "minus", "@": "at", "\\": "note" };

/** `[{path, note, lines: [{kind, text}]}]`: `kind` is plus, minus, at, note or empty; `note` says in words what
 * has no lines, such as a binary file. `paths` are the files' names in the order of the patch, in which git quotes
 * the odd ones. */
export function filesOf(patch, paths) {
  const known = new Set(paths);
  const heads = patch.split("\n").filter((line) => line.startsWith(HEAD)).map(nameIn);
  const odd = paths.filter((path) => !heads.includes(path));
  const named = heads.map((name) => (known.has(name) ? name : odd.shift() ?? name));
  const found = [];
  let file = null;
  let inside = false;
  for (const line of patch.split("\n")) {
    if (line.startsWith(HEAD)) {
      file = { path: named[found.length], note: "", lines: [] };
      found.push(file);
      inside = false;
    } else if (file === null) {
      continue;
    } else if (line.startsWith("@@")) {
      inside = true;
      file.lines.push({ kind: "at", text: line });
    } else if (inside) {
      file.lines.push({ kind: KINDS[line[0]] ?? "", text: line });
    } else {
      file.note ||= noteOf(line);
    }
  }
  // The last line of the patch ends with a newline of its own.
  for (const one of found) if (one.lines.at(-1)?.text === "") one.lines.pop();
  return found;
}

/** Both names are the same: `a/NAME b/NAME`. */
function nameIn(head) {
  const both = head.slice(HEAD.length);
  return both.slice(2, 2 + (both.length - 5) / 2);
}

function noteOf(line) {
  if (line.startsWith("Binary files ") || line.startsWith("GIT binary patch")) return "a binary file";
  if (line.startsWith("new mode ")) return `its mode is ${line.slice("new mode ".length)} now`;
  return "";
}
