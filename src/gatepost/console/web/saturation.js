// What is closest to its limit: the pool, the queue, the CPU, the disk.

import { number, percent } from "./format.js";
import { to } from "./store.js";

const partsOf = (state) => {
  const { gauges = {} } = state;
  const found = [];
  const add = (name, used, of, words, href) => {
    if (used !== undefined && of > 0) found.push({ name, share: used / of, words: words(used, of), href });
  };
  const limit = gauges.pool_connections_max ?? gauges.pool_connections;
  add("pool", gauges.pool_connections_in_use, limit, (used, of) => `pool: ${number(used)} of ${number(of)} connections`, to("database"));
  add("queue", gauges.requests_waiting, gauges.requests_waiting_limit, (used, of) => `queue: ${number(used)} of ${number(of)} requests`, to("traffic"));
  const workers = state.workers?.length || 1;
  const cpu = state.cpu_seconds_per_second ?? state.counted?.cpu_seconds / state.window_seconds;
  add("cpu", Number.isFinite(cpu) ? cpu : undefined, workers, (used, of) => `CPU: ${percent(used / of)} of ${of} workers`, to("system"));
  const free = gauges.log_disk_free_bytes;
  add("disk", free === undefined ? undefined : gauges.log_disk_size_bytes - free, gauges.log_disk_size_bytes, () => "disk of the log files", to("system"));
  return found;
};

/** The fullest: { name, share, words, href }; undefined where nothing is known. */
export function saturationOf(state) {
  if (!state) return undefined;
  return partsOf(state).sort((one, other) => other.share - one.share)[0];
}

/** How full the pool was in a step, by the size that it has now. */
export const saturationAt = (state) => (step) => {
  const { gauges = {} } = state ?? {};
  const limit = gauges.pool_connections_max ?? gauges.pool_connections;
  const used = step.gauges?.pool_connections_in_use?.most;
  return limit && used !== undefined ? used / limit : undefined;
};
