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

export async function post(path, body = {}, options = {}) {
  return call("POST", path, body, options);
}

export async function put(path, body) {
  return call("PUT", path, body);
}

export async function remove(path) {
  return call("DELETE", path);
}

async function call(method, path, body, { signal, named } = {}) {
  const headers = { "X-Bigtask-Key": key() ?? "", ...(named ? { "Idempotency-Key": named } : {}) };
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
  status: (id) => get(`${RUNS}/${id}/status`),
  result: (id) => get(`${RUNS}/${id}/result`),
  report: (id, format) => get(`${RUNS}/${id}/report?format=${format}`),
  foreseeMerge: (id) => get(`${RUNS}/${id}/merge`),
  act: (id, verb, body) => post(`${RUNS}/${id}/${verb}`, body),
  answer: (id, waitingId, answer, scope) => post(`${RUNS}/${id}/answer`, { waitingId, answer, ...(scope ? { scope } : {}) }),
  worker: (id, task) => get(`${RUNS}/${id}/workers/${encodeURIComponent(task)}`),
  transcript: (id, task, after) => get(`${RUNS}/${id}/workers/${encodeURIComponent(task)}/transcript?after=${after}`),
  conflict: (id, task) => get(`${RUNS}/${id}/workers/${encodeURIComponent(task)}/conflict`),
  diff: (id, task) => get(`${RUNS}/${id}/diff${task ? `?taskId=${encodeURIComponent(task)}` : ""}`),
  create: (body, named) => post(`${RUNS}/create`, body, { named }),
  workers: (id) => get(`${RUNS}/${id}/workers`),
  checkPlan: (id, revision, edits) => post(`${RUNS}/${id}/plan/check`, { revision, edits }),
  editPlan: (id, revision, edits) => put(`${RUNS}/${id}/plan`, { revision, edits }),
  actOnTask: (id, task, verb, body) => post(`${RUNS}/${id}/workers/${encodeURIComponent(task)}/${verb}`, body),
};

export const inbox = () => get("/api/inbox");
export const agents = () => get("/api/agents");
export const health = () => get("/api/health");
export const system = () => get("/api/system");

const TEMPLATES = `${RUNS}/templates`;
const inside = (cwd, sign = "?") => (cwd ? `${sign}cwd=${encodeURIComponent(cwd)}` : "");
const of = (id) => `${TEMPLATES}/${encodeURIComponent(id)}`;

/** `cwd` is a project whose repository's templates count as well. */
export const templates = {
  list: (cwd) => get(`${TEMPLATES}${inside(cwd)}`),
  resolved: (id, cwd) => get(`${of(id)}${inside(cwd)}`),
  own: (id, cwd) => get(`${of(id)}?resolved=false${inside(cwd, "&")}`),
  text: (id, cwd) => get(`${of(id)}/text${inside(cwd)}`),
  create: (template) => post(TEMPLATES, template),
  update: (id, template, revision) => put(`${of(id)}?revision=${encodeURIComponent(revision)}`, template),
  remove: (id, revision) => remove(`${of(id)}?revision=${encodeURIComponent(revision)}`),
  duplicate: (id, name, newId) => post(`${of(id)}/duplicate`, { name, id: newId }),
  validate: (template, cwd) => post(`${TEMPLATES}/validate${inside(cwd)}`, template),
  preview: (id, phase, variables, template, cwd) => post(`${of(id)}/preview${inside(cwd)}`, { phase, variables, ...(template ? { template } : {}) }),
  bring: (found, replacing) => post(`${TEMPLATES}/import`, { templates: found, replacing }),
  export: (ids) => get(`${TEMPLATES}/export?${ids.map((id) => `id=${encodeURIComponent(id)}`).join("&")}`),
  consent: (id, cwd) => get(`${of(id)}/consent${inside(cwd)}`),
  approve: (id, digest, cwd) => post(`${of(id)}/approve${inside(cwd)}`, { digest }),
  schema: () => get("/api/schemas/template"),
};

export const project = (cwd) => get(`/api/project${inside(cwd)}`);
