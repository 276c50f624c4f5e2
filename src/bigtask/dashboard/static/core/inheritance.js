/** Which file of a template's chain each value comes from. */

import { escaped } from "./json_text.js";

/** One row for each value of the resolved template: `{pointer, value, from, over}`.
 *
 * `files` are `{id, content}` from the template itself up to its root; `over` is what the nearest parent had said
 * instead, undefined where none did. Objects are merged, everything else is replaced. */
export function origins(resolved, files) {
  const rows = [];
  const visit = (value, pointer, said) => {
    if (isObject(value) && Object.keys(value).length) {
      for (const [key, below] of Object.entries(value)) {
        visit(below, `${pointer}/${escaped(key)}`, said.flatMap((one) => (isObject(one.content) && Object.hasOwn(one.content, key) ? [{ id: one.id, content: one.content[key] }] : [])));
      }
    } else rows.push({ pointer, value, from: said[0]?.id ?? null, over: said[1]?.content });
  };
  visit(resolved, "", files);
  return rows.filter((row) => !["/$schema", "/extends"].includes(row.pointer));
}

/** What the template's own file takes away, by pointer. */
export function takenAway(own) {
  const found = [];
  const visit = (value, pointer) => {
    if (value === null) found.push(pointer);
    else if (isObject(value)) for (const [key, below] of Object.entries(value)) visit(below, `${pointer}/${escaped(key)}`);
  };
  visit(own, "");
  return found;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
