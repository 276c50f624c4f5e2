/** What buttons say for the answers that bigtask itself offers. What an agent offers keeps its own words. */

const COMMON = {
  retry: "Try it again",
  skip: "Skip it",
  stop: "Stop the run",
  without: "Go on without it",
};

const BY_KIND = {
  plan: { confirm: "Start the work", cancel: "Cancel the run" },
  permission: { allow: "Allow", deny: "Deny" },
  conflict: {
    ...COMMON,
    resolve: "Let an agent resolve it",
    done: "I have resolved it",
    ours: "Keep what is merged",
    theirs: "Take the task's version",
  },
  budget: { raise: "Raise the cap", finish: "Let them finish", stop: "Stop the run" },
  trust: { ...COMMON, approve: "Load it from now on", accept: "Take its work as it is", fail: "Let it fail" },
  answer: { ...COMMON, edit: "Write it by hand", fail: "Let it fail" },
  limit: { ...COMMON, wait: "Wait" },
  question: { ...COMMON, accept: "Build on it", include: "Take them along", without: "Go on without" },
};

const SCOPES = { task: "for this task", run: "for this run", repository: "for this repository" };

/** `waiting` has `kind`, and `requestId` where a session asks. */
export function answerWords(waiting, option, scope = "once") {
  const ours = waiting.kind === "permission" || !waiting.requestId;
  const known = ours ? BY_KIND[waiting.kind]?.[option] : undefined;
  const other = ours && waiting.kind === "limit" && option.startsWith("use ") ? `Go on with ${option.slice(4)}` : option;
  return [known ?? other, SCOPES[scope]].filter(Boolean).join(" ");
}
