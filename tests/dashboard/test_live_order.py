"""Events of one run come over the socket twice, once as those of all runs: what a screen hears has no gap."""

from __future__ import annotations

from .conftest import Sitting

PLAYED = """
async () => {
  const { Live } = await import("/dashboard/live.js");
  const asked = [];
  class Wire {
    static OPEN = 1;
    readyState = 1;
    constructor() { Wire.last = this; }
    send(text) { asked.push(JSON.parse(text)); }
  }
  const real = window.WebSocket;
  window.WebSocket = Wire;
  const live = new Live();
  const heard = [];
  live.follow("*", null, () => {});
  live.open();
  Wire.last.onopen();
  live.follow("run", 0, (event) => heard.push(event.seq));
  const told = (seq) => Wire.last.onmessage({ data: JSON.stringify({ orchestratorId: "run", seq }) });
  for (const seq of [7, 1, 2, 3, 8, 4, 5, 6, 9, 7, 8]) told(seq);
  const before = asked.length;
  Wire.last.onopen();
  window.WebSocket = real;
  return { heard, again: asked.slice(before).map((one) => one.after) };
}
"""


def test_an_event_that_is_ahead_of_the_others_takes_none_of_them_away(sitting: Sitting) -> None:
    page = sitting.page()
    page.get_by_role("heading", name="Runs").wait_for()
    found = page.evaluate(f"({PLAYED})()")
    assert found["heard"] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert found["again"] == [{"run": 9}, 8]
