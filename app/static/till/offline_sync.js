// Bringing what was kept to the server: in batches, each item once however often it is sent.

const BATCH = 50;
const PATIENCE_MS = 15000;

// → {state: "on", desk} | {state: "out"} (sign in first) | {state: "store"} (choose one first) | {state: "off"}
export async function ask(address, patienceMs = PATIENCE_MS) {
  try {
    const answer = await fetch(address, {
      headers: { "X-Requested-With": "fetch", Accept: "application/json" },
      signal: AbortSignal.timeout(patienceMs),
    });
    if (answer.status === 401 || answer.status === 403) return { state: "out" };
    if (answer.status === 404) return { state: "store" };
    return answer.ok ? { state: "on", desk: await answer.json() } : { state: "off" };
  } catch {
    return { state: "off" };
  }
}

async function post(address, desk, items) {
  return fetch(address, {
    method: "POST",
    headers: {
      "Content-Type": "application/json", Accept: "application/json",
      "X-CSRFToken": desk.csrf, "X-Requested-With": "fetch",
    },
    body: JSON.stringify({ sent_at: new Date().toISOString(), items }),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
}

// Sends everything that can be sent. → {state, sent, conflicts, clockOffS}; what has no answer stays.
export async function send(store, address, desk) {
  const report = { state: "on", sent: 0, conflicts: 0, clockOffS: 0 };
  const { items } = await store.all();
  const waiting = items.filter((item) => !item.problem || item.problem.again);
  for (let from = 0; from < waiting.length; from += BATCH) {
    const batch = waiting.slice(from, from + BATCH);
    let results;
    try {
      const answer = await post(address, desk, batch.map(({ problem, ...item }) => item));
      if (answer.status === 401 || answer.status === 403) return { ...report, state: "out" };
      if (!answer.ok) return { ...report, state: "off" };
      const body = await answer.json();
      results = body.results;
      report.clockOffS = Math.abs(body.clock_off_s) > Math.abs(report.clockOffS) ? body.clock_off_s : report.clockOffS;
    } catch {
      return { ...report, state: "off" }; // perhaps booked, perhaps not: it is sent again, and booked once
    }
    await settle(store, results, report);
  }
  return report;
}

async function settle(store, results, report) {
  const done = results.filter((one) => one.kept);
  await store.remove(done.map((one) => one.id));
  for (const one of results.filter((result) => !result.kept && result.id)) {
    await store.mark(one.id, { text: one.text, again: one.again });
  }
  report.sent += done.length;
  report.conflicts += done.filter((one) => one.status !== "applied" || one.flags.length).length;
}

// One tab at a time sends: two would do no harm, but twice the work.
export async function alone(work) {
  if (!navigator.locks) return work();
  return navigator.locks.request("tessera-till-sync", { ifAvailable: true }, (lock) => (lock ? work() : null));
}
