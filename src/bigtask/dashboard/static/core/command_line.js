/** A command as people write it, and the words that it is run with: nothing but quotes and backslashes counts. */

const WORD = /\s*((?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+)/gsy;
const PART = /\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'|([^"'\\]+)/gs;

/** The words, or null where a quote isn't closed. */
export function wordsOf(line) {
  const found = [];
  WORD.lastIndex = 0;
  const text = line.trim();
  let end = 0;
  for (let match = WORD.exec(text); match; match = WORD.exec(text)) {
    found.push(match[1].replace(PART, (_, escaped, double, single, plain) => escaped ?? double?.replace(/\\(["\\])/g, "$1") ?? single ?? plain));
    end = WORD.lastIndex;
  }
  return end === text.length ? found : null;
}

export function lineOf(words) {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
}

/** For somebody who allows it: the same, and what can't be seen is spelled out. */
export function wholeLineOf(words) {
  return lineOf(words).replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (sign) => `\\u{${sign.codePointAt(0).toString(16)}}`);
}
