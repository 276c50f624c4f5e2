/** JSON as a person types it: where each value stands, and what is wrong, in lines and columns. */

/** `{value, places, error}`. `places` has `{key, from, to}` for every JSON pointer; `error` is `{at, message}` or null.
 * What stands before the error has its places all the same, so that the rest of the text can be helped with. */
export function read(text) {
  const reader = new Reader(text);
  try {
    const value = reader.whole();
    return { value, places: reader.places, error: null };
  } catch (error) {
    if (!(error instanceof Misspelt)) throw error;
    return { value: undefined, places: reader.places, error: { at: error.at, message: error.message } };
  }
}

class Misspelt extends Error {
  constructor(at, message) {
    super(message);
    this.at = at;
  }
}

const DEEPEST = 200;
const STRING = /"((?:[^"\\\n\r\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS = { true: true, false: false, null: null };

class Reader {
  places = new Map();
  #at = 0;

  constructor(text) {
    this.text = text;
  }

  whole() {
    const value = this.#value("", 0);
    this.#blank();
    if (this.#at < this.text.length) this.#stop("this stands after the end of the template: take it away");
    return value;
  }

  #value(pointer, depth) {
    this.#blank();
    const from = this.#at;
    const place = { key: null, from, to: this.text.length };
    this.places.set(pointer, place);
    const value = this.#part(pointer, depth);
    place.to = this.#at;
    return value;
  }

  #part(pointer, depth) {
    const sign = this.text[this.#at];
    if (depth > DEEPEST) this.#stop("this is nested too deeply: make it flatter");
    if (sign === "{") return this.#object(pointer, depth);
    if (sign === "[") return this.#array(pointer, depth);
    if (sign === '"') return this.#string();
    NUMBER.lastIndex = this.#at;
    const number = NUMBER.exec(this.text);
    if (number) {
      this.#at = NUMBER.lastIndex;
      return Number(number[0]);
    }
    for (const [word, value] of Object.entries(WORDS)) {
      if (this.text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    if (sign === undefined) return this.#stop("the text ends where a value is needed");
    if (sign === "," || sign === "}" || sign === "]") return this.#stop(`a value is missing before ${sign}`);
    if (sign === "'") return this.#stop("texts stand in double quotes, not in single ones");
    return this.#stop(`${JSON.stringify(this.text.slice(this.#at, this.#at + 12).split(/[\s,}\]]/)[0] || sign)} is no value: texts stand in double quotes`);
  }

  #object(pointer, depth) {
    const found = {};
    const close = () => this.text[this.#at] === "}";
    this.#at += 1;
    this.#blank();
    while (!close()) {
      const from = this.#at;
      if (this.text[this.#at] !== '"') this.#stop(this.#at >= this.text.length ? "a } is missing at the end" : "a key in double quotes is needed here, or a }");
      const key = this.#string();
      if (Object.hasOwn(found, key)) this.#stop(`the key ${JSON.stringify(key)} stands twice: take one away`, from);
      this.#blank();
      if (this.text[this.#at] !== ":") this.#stop(`a : is missing after ${JSON.stringify(key)}`);
      this.#at += 1;
      const below = `${pointer}/${escaped(key)}`;
      // By definition: a key called __proto__ is a key.
      Object.defineProperty(found, key, { value: this.#value(below, depth + 1), enumerable: true, configurable: true, writable: true });
      this.places.get(below).key = from;
      this.#between("}");
    }
    this.#at += 1;
    return found;
  }

  #array(pointer, depth) {
    const found = [];
    this.#at += 1;
    this.#blank();
    while (this.text[this.#at] !== "]") {
      found.push(this.#value(`${pointer}/${found.length}`, depth + 1));
      this.#between("]");
    }
    this.#at += 1;
    return found;
  }

  #between(end) {
    this.#blank();
    const sign = this.text[this.#at];
    if (sign === ",") {
      const comma = this.#at;
      this.#at += 1;
      this.#blank();
      if (this.text[this.#at] === end) this.#stop(`a , before ${end} is one too many: take it away`, comma);
    } else if (sign !== end) {
      this.#stop(sign === undefined ? `a ${end} is missing at the end` : `a , or ${end} is missing before this`);
    }
  }

  #string() {
    const from = this.#at;
    STRING.lastIndex = from;
    const found = STRING.exec(this.text);
    if (!found) {
      const line = this.text.slice(from).split(/[\n\r]/, 1)[0];
      const bad = /\\(?!["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(line);
      this.#stop(bad && /^"[^"]*\\/.test(line) ? "a \\ in a text needs another one before it: \\\\" : "this text isn't closed: put \" at its end, and \\n where it has a new line", bad ? from + bad.index : from);
    }
    this.#at = STRING.lastIndex;
    return JSON.parse(found[0]);
  }

  #blank() {
    while (" \t\n\r".includes(this.text[this.#at] ?? "x")) this.#at += 1;
  }

  #stop(message, at = this.#at) {
    throw new Misspelt(at, message);
  }
}

export function escaped(key) {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

export function unescaped(part) {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}

/** Both from 1. */
export function lineAndColumn(text, at) {
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  return { line, column: at - before.lastIndexOf("\n") };
}

/** The pointer's own place, or that of what it would be in. */
export function placeOf(places, pointer) {
  for (let wanted = pointer; ; wanted = wanted.slice(0, wanted.lastIndexOf("/"))) {
    const found = places.get(wanted);
    if (found) return { pointer: wanted, at: found.key ?? found.from, ...found };
    if (!wanted) return { pointer: "", at: 0, key: null, from: 0, to: 0 };
  }
}

/** The text value that the place is in, as `{pointer, from, to, value}`, or null. */
export function stringAt(text, places, at) {
  for (const [pointer, { from, to }] of places) {
    if (from <= at && at <= to && text[from] === '"') {
      STRING.lastIndex = from;
      const found = STRING.exec(text);
      if (found && STRING.lastIndex === to) return { pointer, from, to, value: JSON.parse(found[0]) };
    }
  }
  return null;
}
