// What the operations cost in the range that the address names.

import { useData } from "./data.js";
import { range } from "./store.js";

const iso = (seconds) => new Date(Math.round(seconds) * 1000).toISOString().replace(".000Z", "Z");

/** { operations, covered, isOfRange, path }: `covered` are the seconds that they are of. */
export function useOperations() {
  const { seconds, from, to, isLive } = range.value;
  const path = isLive && seconds <= 3_600 ? `state?seconds=${seconds}` : isLive ? `operations?since=${seconds}s` : `operations?since=${iso(from)}&until=${iso(to)}`;
  const { data, error } = useData(path, { every: isLive && seconds <= 3_600 ? 5 : 30 });
  const isOfRange = data?.window_seconds !== undefined;
  const operations = data?.operations.map((each) => ({ ...each, requests: each.requests ?? each.count }));
  return { operations, error, isOfRange, covered: data?.window_seconds, path };
}
