/** What can stand at a place of a template's text, by its schema. */

import { read, unescaped } from "./json_text.js";

const MARK = "\u0001";

/** `{from, to, choices}`: what would replace the text between, as `{insert, name, about}`; null where nothing is known.
 *
 * The text is cut at the place and ended there, so that what follows it, and is perhaps no JSON, doesn't count. */
export function completion(text, at, schema, { ids = [], agents = [] } = {}) {
  const around = context(text.slice(0, at));
  if (!around) return null;
  const { path, begun, kind, from, present } = around;
  const to = at + rest(text, at, kind);
  const found = subschema(schema, path);
  if (kind === "key") {
    const choices = Object.entries(found?.properties ?? {})
      .filter(([name]) => !present.has(name) && name.toLowerCase().includes(begun.toLowerCase()))
      .map(([name, each]) => [name, resolved(schema, each)])
      .map(([name, each]) => ({ insert: `"${name}"${/^\s*:/.test(text.slice(to)) ? "" : `: ${blank(each)}`}`, name, about: told(each) }));
    return choices.length ? { from, to, choices } : null;
  }
  const values = possible(found, path, ids, agents).filter((value) => JSON.stringify(value).toLowerCase().includes(begun.toLowerCase()));
  return values.length ? { from, to, choices: values.map((value) => ({ insert: JSON.stringify(value), name: JSON.stringify(value), about: told(found) })) } : null;
}

/** What the schema says of the value at a pointer, for people: null where it says nothing. */
export function explained(schema, pointer) {
  const found = subschema(schema, pointer.split("/").slice(1).map(unescaped));
  return found?.description ? told(found) : null;
}

/** Where the cursor is: within which object, after which keys, in a key or a value. */
function context(before) {
  const open = [];
  let state = "value";
  let at = 0;
  while (at < before.length) {
    const sign = before[at];
    if (sign === '"') {
      const end = closing(before, at);
      const inside = before.slice(at + 1, end === -1 ? undefined : end);
      const top = open.at(-1);
      if (end === -1) {
        const kind = top?.object && state === "key" ? "key" : "value";
        return { path: pathOf(open, kind), begun: inside, kind, from: at, present: top?.keys ?? new Set() };
      }
      if (top?.object && state === "key") {
        top.key = decoded(inside);
        top.keys.add(top.key);
      }
      at = end;
    } else if (sign === "{" || sign === "[") {
      open.push({ object: sign === "{", key: null, keys: new Set(), index: 0 });
      state = sign === "{" ? "key" : "value";
    } else if (sign === "}" || sign === "]") {
      open.pop();
      state = "after";
    } else if (sign === ":") state = "value";
    else if (sign === ",") {
      const top = open.at(-1);
      if (top && !top.object) top.index += 1;
      state = top?.object ? "key" : "value";
    }
    at += 1;
  }
  const word = /[\w.+-]*$/.exec(before)[0];
  if (!open.length || state === "after") return null;
  const kind = open.at(-1).object && state === "key" ? "key" : "value";
  return { path: pathOf(open, kind), begun: word, kind, from: before.length - word.length, present: open.at(-1).keys };
}

function pathOf(open, kind) {
  return open.map((one, number) => (one.object ? (kind === "key" && number === open.length - 1 ? null : one.key) : String(one.index))).filter((part) => part !== null);
}

function closing(text, from) {
  for (let at = from + 1; at < text.length && text[at] !== "\n"; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === '"') return at;
  }
  return -1;
}

function decoded(inside) {
  const { value, error } = read(`"${inside}"`);
  return error ? inside : value;
}

/** How much after the cursor belongs to the word that is being typed. */
function rest(text, at, kind) {
  const inQuotes = /^[^"\n,:{}[\]]*"/.exec(text.slice(at));
  const quotes = text.slice(text.lastIndexOf("\n", at - 1) + 1, at).replaceAll(/\\./g, MARK).split('"').length % 2 === 0;
  if (quotes) return inQuotes ? inQuotes[0].length : 0;
  return kind === "key" ? 0 : /^[\w.+-]*/.exec(text.slice(at))[0].length;
}

function subschema(schema, path) {
  let found = schema;
  for (const part of path) {
    found = resolved(schema, found);
    if (!found) return null;
    if (found.properties && Object.hasOwn(found.properties, part)) found = found.properties[part];
    else if (found.items && /^\d+$/.test(part)) found = found.items;
    else if (typeof found.additionalProperties === "object") found = found.additionalProperties;
    else return null;
  }
  return resolved(schema, found);
}

function resolved(schema, found) {
  if (found?.$ref?.startsWith("#/")) {
    const below = found.$ref.slice(2).split("/").reduce((part, name) => part?.[unescaped(name)], schema);
    return below && { ...below, ...found, $ref: undefined };
  }
  return found;
}

function possible(found, path, ids, agents) {
  const name = path.join("/");
  if (name === "extends") return ids;
  if (name === "config/agent") return agents;
  if (found?.enum) return found.enum.filter((value) => value !== null);
  if (types(found).includes("boolean")) return [true, false];
  return (found?.examples ?? []).filter((value) => typeof value !== "object");
}

function types(found) {
  return [found?.type ?? []].flat();
}

function blank(found) {
  const [kind] = types(found).filter((one) => one !== "null");
  if (kind === "object") return "{}";
  if (kind === "array") return "[]";
  if (found?.default !== undefined && found.default !== null) return JSON.stringify(found.default);
  return kind === "string" ? '""' : "";
}

function told(found) {
  if (!found) return "";
  const parts = [found.description ?? ""];
  if (found.enum) parts.push(`One of ${found.enum.filter((value) => value !== null).join(", ")}.`);
  if (found.minimum !== undefined || found.maximum !== undefined) parts.push(`${found.minimum ?? "…"} to ${found.maximum ?? "…"}.`);
  if (found.default !== undefined && found.default !== null && typeof found.default !== "object" && found.default !== "") parts.push(`By default ${found.default}.`);
  return parts.filter(Boolean).join(" ");
}
