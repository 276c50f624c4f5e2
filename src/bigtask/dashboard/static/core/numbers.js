/** Numbers and times for people: with units, short, and the same everywhere. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function duration(ms) {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.round(ms / 1000)} s`;
  if (ms < HOUR) {
    const seconds = Math.round((ms % MINUTE) / 1000);
    return seconds && ms < 10 * MINUTE ? `${Math.floor(ms / MINUTE)} min ${seconds} s` : `${Math.round(ms / MINUTE)} min`;
  }
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h ${Math.round((ms % HOUR) / MINUTE)} min`;
  return `${Math.round(ms / DAY)} d`;
}

export function ago(at, now) {
  const ms = Math.max(0, now - at);
  return ms < 5_000 ? "just now" : `${ms < MINUTE ? `${Math.round(ms / 1000)} s` : duration(ms)} ago`;
}

/** 14:02:11, in the reader's own zone. */
export function clock(at, seconds = true) {
  const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Date(at).toLocaleTimeString([], seconds ? { ...options, second: "2-digit" } : options);
}

export function exact(at) {
  return new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
}

export function dollars(usd) {
  return `$${usd.toFixed(usd < 10 ? 2 : usd < 100 ? 1 : 0)}`;
}

export function tokens(count) {
  if (count < 1000) return `${count} tokens`;
  return count < 1_000_000 ? `${(count / 1000).toFixed(count < 10_000 ? 1 : 0)}k tokens` : `${(count / 1e6).toFixed(1)}M tokens`;
}

/** 12,345 */
export function count(number) {
  return number.toLocaleString("en");
}

export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}
