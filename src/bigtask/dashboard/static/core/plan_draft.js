/** A plan while a person changes it: the same edits as in core/edits.py, and what lies between two plans.
 *
 *     base ──(a person's changes)──> draft ──edits──> the server
 *
 * A draft's task keeps in `from` which tasks of the base it stands for: none for a new one, several for a merge. */

const FIELDS = {
  title: "",
  description: "",
  scope: [],
  priority: 5,
  dependencies: [],
  checks: [],
  agent: null,
  model: null,
  estimatedMinutes: null,
  estimatedTokens: null,
};

export function draftOf(plan) {
  return { revision: plan.revision, base: plan.tasks.map(whole), tasks: plan.tasks.map((task) => ({ ...whole(task), from: [task.id] })) };
}

/** With every field that a task may have: JSON leaves out what is by default. */
function whole(task) {
  const found = { id: task.id };
  for (const [name, value] of Object.entries(FIELDS)) found[name] = task[name] ?? value;
  return found;
}

export function withTask(draft, id, fields) {
  return { ...draft, tasks: draft.tasks.map((task) => (task.id === id ? { ...task, ...fields } : task)) };
}

export function withNew(draft, after = null) {
  const taken = new Set([...draft.tasks, ...draft.base].map((task) => task.id));
  let number = draft.tasks.length + 1;
  while (taken.has(`task-${number}`)) number += 1;
  const task = { ...whole({ id: `task-${number}`, title: "New task" }), from: [] };
  const at = draft.tasks.findIndex((one) => one.id === after);
  const tasks = [...draft.tasks];
  tasks.splice(at === -1 ? tasks.length : at + 1, 0, task);
  return { draft: { ...draft, tasks }, id: task.id };
}

/** What depended on it depends on what it depended on. */
export function without(draft, id) {
  const dropped = draft.tasks.find((task) => task.id === id);
  return { ...draft, tasks: redirected(draft.tasks.filter((task) => task.id !== id), new Map([[id, dropped.dependencies]])) };
}

/** A new task may be called anything; what depends on it follows. */
export function renamed(draft, id, wanted) {
  const tasks = draft.tasks.map((task) => (task.id === id ? { ...task, id: wanted } : task));
  return { ...draft, tasks: redirected(tasks, new Map([[id, [wanted]]])) };
}

/** The tasks as one, in the place of the first, with all that they had. */
export function merged(draft, ids) {
  const parts = draft.tasks.filter((task) => ids.includes(task.id));
  const from = parts.flatMap((task) => task.from);
  const id = from[0] ?? parts[0].id;
  const sum = (name) => (parts.some((task) => task[name] !== null) ? parts.reduce((all, task) => all + (task[name] ?? 0), 0) : null);
  const all = (name) => distinct(parts.flatMap((task) => task[name]));
  const task = {
    ...parts[0],
    id,
    from,
    title: parts.map((one) => one.title).join(" and "),
    description: parts.map((one) => one.description).filter(Boolean).join("\n\n"),
    // Where one may write anywhere, so may all of it.
    scope: parts.some((one) => !one.scope.length) ? [] : all("scope"),
    checks: all("checks"),
    dependencies: all("dependencies").filter((other) => !ids.includes(other)),
    priority: Math.min(...parts.map((one) => one.priority)),
    estimatedMinutes: sum("estimatedMinutes"),
    estimatedTokens: sum("estimatedTokens"),
  };
  const tasks = draft.tasks.flatMap((one) => (one === parts[0] ? [task] : ids.includes(one.id) ? [] : [one]));
  return { draft: { ...draft, tasks: redirected(tasks, new Map(ids.map((other) => [other, [id]]))) }, id };
}

export function moved(draft, id, by) {
  const tasks = [...draft.tasks];
  const at = tasks.findIndex((task) => task.id === id);
  const to = Math.max(0, Math.min(tasks.length - 1, at + by));
  tasks.splice(to, 0, ...tasks.splice(at, 1));
  return { ...draft, tasks };
}

/** With the dependency where it wasn't, without it where it was. */
export function linked(draft, id, needs) {
  const task = draft.tasks.find((one) => one.id === id);
  const dependencies = task.dependencies.includes(needs) ? task.dependencies.filter((one) => one !== needs) : [...task.dependencies, needs];
  return withTask(draft, id, { dependencies });
}

/** Whether `id` would come before itself if it depended on `needs`. */
export function closesCircle(draft, id, needs) {
  const seen = new Set();
  const reaches = (one) => {
    if (one === id) return true;
    if (seen.has(one)) return false;
    seen.add(one);
    return (draft.tasks.find((task) => task.id === one)?.dependencies ?? []).some(reaches);
  };
  return reaches(needs);
}

/** What leads from the base to the draft; none where they are the same. */
export function edits(draft) {
  const kept = new Set(draft.tasks.flatMap((task) => task.from));
  const found = [];
  for (const task of draft.base) if (!kept.has(task.id)) found.push({ op: "drop", id: task.id });
  for (const task of draft.tasks) if (task.from.length > 1) found.push({ op: "merge", ids: task.from, task: plain(task) });
  // Those change what others depend on as well: what is still to be set shows when they are made.
  let tasks = applied(draft.base, found);
  const there = new Map(tasks.map((task) => [task.id, task]));
  const more = draft.tasks.filter((task) => !there.has(task.id)).map((task) => ({ op: "add", task: plain(task) }));
  for (const task of draft.tasks) {
    const before = there.get(task.id);
    const fields = before && changed(before, task);
    if (fields) more.push({ op: "set", id: task.id, fields });
  }
  tasks = applied(tasks, more);
  const wanted = draft.tasks.map((task) => task.id);
  if (!same(tasks.map((task) => task.id), wanted)) more.push({ op: "reorder", ids: wanted });
  return [...found, ...more];
}

function changed(before, task) {
  const fields = Object.keys(FIELDS).filter((name) => !same(before[name], task[name]));
  return fields.length ? Object.fromEntries(fields.map((name) => [name, task[name]])) : null;
}

/** The tasks after the edits; one that can't be made changes nothing. */
export function applied(tasks, made) {
  return made.reduce((found, edit) => apply(found, edit) ?? found, tasks);
}

function apply(tasks, edit) {
  const ids = new Set(tasks.map((task) => task.id));
  if (edit.op === "add") return ids.has(edit.task.id) ? null : [...tasks, whole(edit.task)];
  if (edit.op === "reorder") {
    const first = edit.ids.filter((id) => ids.has(id));
    return [...first.map((id) => tasks.find((task) => task.id === id)), ...tasks.filter((task) => !first.includes(task.id))];
  }
  if (edit.op === "merge") {
    if (!edit.ids.every((id) => ids.has(id))) return null;
    const into = tasks.flatMap((task) => (task.id === edit.ids[0] ? [whole(edit.task)] : edit.ids.includes(task.id) ? [] : [task]));
    return redirected(into, new Map(edit.ids.map((id) => [id, [edit.task.id]])));
  }
  const task = tasks.find((one) => one.id === edit.id);
  if (!task) return null;
  if (edit.op === "set") return tasks.map((one) => (one === task ? { ...one, ...edit.fields } : one));
  return redirected(tasks.filter((one) => one !== task), new Map([[edit.id, task.dependencies]]));
}

/** The person's edits on top of a later plan: the draft, those that can't be made to it, and what both changed. */
export function rebased(plan, before, made) {
  const theirs = new Map(plan.tasks.map((task) => [task.id, whole(task)]));
  const mine = new Map(before.map((task) => [task.id, task]));
  let draft = draftOf(plan);
  const left = [];
  const both = [];
  for (const edit of made) {
    if (edit.op === "set" && theirs.has(edit.id) && mine.has(edit.id)) {
      for (const [field, value] of Object.entries(edit.fields)) {
        const now = theirs.get(edit.id)[field];
        if (!same(now, mine.get(edit.id)[field])) both.push({ id: edit.id, field, theirs: now, mine: value });
      }
    }
    const next = redone(draft, edit);
    if (next === null) left.push(edit);
    else draft = next;
  }
  return { draft, left, both };
}

function redone(draft, edit) {
  const next = apply(draft.tasks, edit);
  if (next === null) return null;
  const from = new Map(draft.tasks.map((task) => [task.id, task.from]));
  if (edit.op === "merge") from.set(edit.task.id, edit.ids.flatMap((id) => from.get(id)));
  return { ...draft, tasks: next.map((task) => ({ ...task, from: from.get(task.id) ?? [] })) };
}

function redirected(tasks, instead) {
  return tasks.map((task) => {
    if (!task.dependencies.some((id) => instead.has(id))) return task;
    const dependencies = distinct(task.dependencies.flatMap((id) => instead.get(id) ?? [id])).filter((id) => id !== task.id);
    return { ...task, dependencies };
  });
}

function plain({ from, ...task }) {
  return task;
}

function distinct(values) {
  const seen = new Map(values.map((value) => [JSON.stringify(value), value]));
  return [...seen.values()];
}

function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}
