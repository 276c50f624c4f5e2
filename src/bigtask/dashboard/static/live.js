/** The one WebSocket: what every screen hears of comes over it, in order, without gap or repeat.
 *
 *     connecting ──> live ──cut──> reconnecting ──> live
 *
 * After a cut it asks for what came after the last event that was seen. */

import { key } from "./api.js";

const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 10_000;
const PING_MS = 20_000;

export class Live extends EventTarget {
  #socket = null;
  #followed = new Map();
  #wait = FIRST_WAIT_MS;
  #ping = 0;
  state = "connecting";

  /** Every event of the run after the number `after` goes to `hear`. Returns what ends it. */
  follow(runId, after, hear) {
    const entry = { after, hear };
    this.#followed.set(runId, entry);
    this.#subscribe(runId, entry);
    return () => {
      if (this.#followed.get(runId) !== entry) return;
      this.#followed.delete(runId);
      this.#say({ type: "unsubscribe", channel: "orchestrator", orchestratorId: runId });
    };
  }

  open() {
    const address = new URL("/api/ws", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.#socket = new WebSocket(address, ["bigtask", `key.${key() ?? ""}`]);
    this.#socket.onopen = () => {
      this.#wait = FIRST_WAIT_MS;
      this.#become("live");
      for (const [runId, entry] of this.#followed) this.#subscribe(runId, entry);
      this.#ping = setInterval(() => this.#say({ type: "ping" }), PING_MS);
    };
    this.#socket.onmessage = ({ data }) => this.#heard(JSON.parse(data));
    this.#socket.onclose = () => {
      clearInterval(this.#ping);
      this.#become("reconnecting");
      setTimeout(() => this.open(), this.#wait * (0.75 + Math.random() / 2));
      this.#wait = Math.min(LONGEST_WAIT_MS, this.#wait * 2);
    };
  }

  #heard(said) {
    if (said.seq === undefined) {
      if (said.type === "subscribed" && said.orchestratorId === "*") this.#followed.get("*").after = said.after;
      return;
    }
    const own = this.#followed.get(said.orchestratorId);
    // Those of all runs come over the same socket: one that is ahead of what this one has been told yet comes
    // again in its turn.
    if (own && said.seq === own.after + 1) {
      own.after = said.seq;
      own.hear(said);
    }
    const all = this.#followed.get("*");
    if (all) {
      all.after = { ...all.after, [said.orchestratorId]: Math.max(said.seq, all.after?.[said.orchestratorId] ?? 0) };
      all.hear(said);
    }
  }

  #subscribe(runId, entry) {
    const after = runId === "*" && !entry.after ? {} : { after: entry.after };
    this.#say({ type: "subscribe", channel: "orchestrator", orchestratorId: runId, ...after });
  }

  #say(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}
