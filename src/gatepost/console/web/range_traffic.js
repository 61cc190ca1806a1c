// What the range that the address names had: operations, codes, statements; with an operation also its histogram and
// codes, with a code also the operations that responded with it.

import { useData } from "./data.js";
import { range } from "./store.js";

const iso = (seconds) => encodeURIComponent(new Date(Math.round(seconds) * 1000).toISOString().replace(".000Z", "Z"));

/** { traffic, error, covered, path }: `covered` are the seconds that it is of. */
export function useTraffic({ operation, code } = {}) {
  const { seconds, from, to, isLive } = range.value;
  const of = Object.entries({ operation, code })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `&${name}=${encodeURIComponent(value)}`)
    .join("");
  const path = `traffic?${isLive ? `since=${seconds}s` : `since=${iso(from)}&until=${iso(to)}`}${of}`;
  const { data, error } = useData(path, { every: isLive ? Math.min(60, Math.max(10, seconds / 240)) : Infinity });
  return { traffic: data, error, covered: data?.window_seconds, path };
}
