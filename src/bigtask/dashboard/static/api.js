/** The server's REST endpoints. Errors arrive as `Refused` with the server's own sentence. */

const KEY = "bigtask-key";

export class Refused extends Error {
  constructor(status, message, details) {
    super(message);
    this.status = status;
    this.details = details;
  }
}

export function key() {
  return localStorage.getItem(KEY);
}

export async function get(path, options = {}) {
  return call("GET", path, undefined, options);
}

export async function post(path, body = {}) {
  return call("POST", path, body);
}

async function call(method, path, body, { signal } = {}) {
  const headers = { "X-Bigtask-Key": key() ?? "" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The server doesn't answer: is bigtask serve still running?");
  }
  const told = await answer.json();
  if (!told.success) throw new Refused(answer.status, told.message, told.details);
  return told;
}

const RUNS = "/api/orchestrator";

export const runs = {
  list: (cursor) => get(`${RUNS}?limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`),
  state: (id) => get(`${RUNS}/${id}`),
  result: (id) => get(`${RUNS}/${id}/result`),
  act: (id, verb, body) => post(`${RUNS}/${id}/${verb}`, body),
  answer: (id, waitingId, answer, scope) => post(`${RUNS}/${id}/answer`, { waitingId, answer, ...(scope ? { scope } : {}) }),
  worker: (id, task) => get(`${RUNS}/${id}/workers/${encodeURIComponent(task)}`),
  transcript: (id, task, after) => get(`${RUNS}/${id}/workers/${encodeURIComponent(task)}/transcript?after=${after}`),
  diff: (id, task) => get(`${RUNS}/${id}/diff${task ? `?taskId=${encodeURIComponent(task)}` : ""}`),
  actOnTask: (id, task, verb, body) => post(`${RUNS}/${id}/workers/${encodeURIComponent(task)}/${verb}`, body),
};

export const inbox = () => get("/api/inbox");
export const agents = () => get("/api/agents");
export const health = () => get("/api/health");
