// What the server knows: asked for while somebody looks, never while the tab is hidden, and never by two at once.
// What could not be asked for again stays, and says of when it is.

import { computed, effect, signal, useLayoutEffect, useMemo } from "./vendor/libraries.js";
import { BASE, instance, isLive, range } from "./store.js";

export const POLL_SECONDS = 5;
const TIMEOUT_MS = 12_000;
const KEPT_RESOURCES = 60;

/** Nobody is signed in, or not any more. */
export const isSignedOut = signal(false);

/** The newest moment at which anything was answered, in seconds since the epoch. */
export const answeredAt = signal(undefined);

/** Why the server, or the instance, does not answer; undefined while it does. */
export const silence = signal(undefined);

/** How many of those that are looked at have said nothing yet, not even why not. */
export const unanswered = signal(0);

export class Refusal extends Error {
  constructor(status, body) {
    super(body?.detail ?? `The server answers ${status}.`);
    this.status = status;
    this.body = body;
  }
}

/** Who looks is asked first: nothing else is sent for a reader who has to sign in. */
const admitted = request("session").then(
  (session) => {
    isSignedOut.value = session.how === "none";
    return session;
  },
  () => undefined, // whatever is asked next says why
);

async function ask(path, options) {
  const session = await admitted;
  if (path === "session" && session) return session;
  if (isSignedOut.peek()) throw new Refusal(401, { detail: "Sign in first." });
  return request(path, options);
}

async function request(path, options = {}) {
  const response = await fetch(`${BASE}/api/${path}`, {
    credentials: "same-origin",
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...options,
    headers: { accept: "application/json", ...options.headers },
  });
  if (response.status === 401) isSignedOut.value = true;
  let body;
  try {
    body = await response.json();
  } catch {
    body = undefined;
  }
  if (!response.ok) throw new Refusal(response.status, body);
  return body;
}

/** Change something: the answer, or a Refusal whose message says why not. */
export function send(method, path, body) {
  return ask(withInstance(path), {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

function withInstance(path) {
  if (!instance.value) return path;
  return `${path}${path.includes("?") ? "&" : "?"}instance=${encodeURIComponent(instance.value)}`;
}

/** One page of something, once: the caller decides when to ask again. */
export const fetchPage = (path) => ask(withInstance(path));

/** What is at one path: `state` has { data, error, at }, `at` the moment of the data in seconds since the epoch. */
class Resource {
  constructor(path, load) {
    this.path = path;
    this.load = load ?? (() => ask(path));
    this.state = signal({ data: undefined, error: undefined, at: undefined });
    this.periods = new Map(); // by who looks: seconds
    this.timer = undefined;
    this.isAsking = false;
    this.isCounted = false;
  }

  watch(who, seconds) {
    this.periods.set(who, seconds);
    this.plan();
    this.count();
    return () => {
      this.periods.delete(who);
      this.plan();
      this.count();
    };
  }

  count() {
    const { data, error } = this.state.peek();
    const isUnanswered = this.periods.size > 0 && data === undefined && error === undefined;
    if (isUnanswered !== this.isCounted) unanswered.value = unanswered.peek() + (isUnanswered ? 1 : -1);
    this.isCounted = isUnanswered;
  }

  get seconds() {
    return Math.min(...this.periods.values());
  }

  plan() {
    clearTimeout(this.timer);
    if (!this.periods.size || this.isAsking) return;
    const { data, at, triedAt = at } = this.state.peek();
    if (data !== undefined && (!isLive.peek() || this.seconds === Infinity)) return;
    const due = triedAt === undefined ? 0 : triedAt + this.seconds - Date.now() / 1000;
    if (due <= 0) this.refresh();
    else this.timer = setTimeout(() => this.refresh(), Math.min(due * 1000, 2 ** 31 - 1));
  }

  async refresh() {
    if (this.isAsking) return;
    this.isAsking = true;
    const before = this.state.peek();
    const now = () => Date.now() / 1000;
    try {
      const data = await this.load(before.data);
      this.state.value = { data, error: undefined, at: now() };
      answeredAt.value = now();
      if (silence.peek()?.path === this.path) silence.value = undefined;
    } catch (error) {
      const at = before.at ?? (error.body?.as_of ? Date.parse(error.body.as_of) / 1000 : undefined);
      this.state.value = { ...before, error, at, triedAt: now() };
      const isAway = !(error instanceof Refusal) || [502, 503, 504].includes(error.status);
      if (isAway) silence.value ??= { path: this.path, detail: wordsOf(error), at };
    } finally {
      this.isAsking = false;
      this.count();
      this.plan();
    }
  }
}

/** Why nothing came, in a sentence. */
export function wordsOf(error) {
  if (error instanceof Refusal) return error.message;
  if (error?.name === "TimeoutError") return "The server does not answer in time.";
  return "The server cannot be reached.";
}

const resources = new Map();

function resourceOf(key, load) {
  const known = resources.get(key);
  if (known) {
    resources.delete(key);
    resources.set(key, known);
    return known;
  }
  const made = new Resource(key, load);
  resources.set(key, made);
  for (const [name, each] of resources) {
    if (resources.size <= KEPT_RESOURCES) break;
    if (!each.periods.size && each !== made) resources.delete(name);
  }
  return made;
}

effect(() => {
  isLive.value;
  for (const each of resources.values()) each.plan();
});

function useResource(key, load, every) {
  const found = useMemo(() => (key === undefined ? undefined : resourceOf(key, load)), [key]);
  useLayoutEffect(() => found?.watch({}, every), [found, every]);
  if (!found) return { data: undefined, error: undefined, at: undefined, isStale: false, refresh() {} };
  const { data, error, at } = found.state.value;
  return { data, error, at, isStale: error !== undefined && data !== undefined, refresh: () => found.refresh() };
}

/** What an admin path says, such as "state": { data, error, at, isStale, refresh }, and again every so many seconds.
 *  Nothing is asked where the path is undefined. `ofAll` leaves out which instance is shown. */
export function useData(path, { every = POLL_SECONDS, ofAll = false } = {}) {
  const full = path === undefined || ofAll ? path : withInstance(path);
  return useResource(full, undefined, every);
}

/** Whatever is asked next at paths that begin so is asked now. */
export function refreshAll(prefix = "") {
  for (const [path, each] of resources) if (path.startsWith(prefix) && each.periods.size) each.refresh();
}

const STEPS = [10, 30, 60, 120, 300, 600, 1_800, 3_600, 21_600, 86_400];
const STEPS_SHOWN = 130;

/** How long the steps of charts are in a range, in seconds. */
export const stepOf = (seconds) => STEPS.find((step) => seconds / step <= STEPS_SHOWN) ?? STEPS.at(-1);

const iso = (seconds) => encodeURIComponent(new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z"));

/** The history of `seconds` up to now, or from one moment to another: { steps, step }, each step with `t`, its begin in
 *  seconds since the epoch. Once it is there, only what is new is asked for. */
export function useHistory({ seconds, from, to, operation, step, every, isOff = false } = {}) {
  const length = step ?? stepOf(seconds ?? to - from);
  const period = every ?? Math.max(POLL_SECONDS, length / 2);
  const of = operation === undefined ? "" : `&operation=${encodeURIComponent(operation)}`;
  const key = withInstance(`history?since=${from ?? `${seconds}s`}&to=${to ?? ""}&step=${length}s${of}`);
  const who = instance.value ? `&instance=${encodeURIComponent(instance.value)}` : "";
  const load = async (before) => {
    const begin = from ?? Math.floor(Date.now() / 1000 - seconds);
    const last = before?.steps.at(-1)?.t;
    const since = last !== undefined && last > begin ? last : begin;
    const end = to === undefined ? "" : `&until=${iso(to)}`;
    const found = await ask(`history?since=${iso(since)}${end}&step=${length}s${of}${who}`);
    const fresh = found.steps.map((each) => ({ ...each, t: Date.parse(each.at) / 1000 }));
    const kept = (before?.steps ?? []).filter((each) => each.t > begin - length && !(each.t >= fresh[0]?.t));
    return { ...found, steps: [...kept, ...fresh], step: length };
  };
  return useResource(isOff ? undefined : key, load, to === undefined ? period : Infinity);
}

/** The history of the range that the address names. */
export function useRangeHistory(operation) {
  const { seconds, from, to, isLive: goesOn } = range.value;
  return useHistory(goesOn ? { seconds, operation } : { from, to, operation });
}

/** From and to of the charts, in seconds since the epoch. */
export function shownSpan() {
  const { seconds, from, to, isLive: goesOn } = range.value;
  const now = Date.now() / 1000;
  return goesOn ? [now - seconds, now] : [from, to];
}

/** Who looks: { name, may_write, how }. Asked once. */
export const useSession = () => useData("session", { every: Infinity, ofAll: true });

/** The changes of the range, for the marks of charts. */
export function useChanges() {
  const { seconds, from, to, isLive: goesOn } = range.value;
  const span = goesOn ? `since=${seconds}s` : `since=${iso(from)}&until=${iso(to)}`;
  const found = useData(`changes?${span}`, { every: 15 });
  const changes = found.data?.changes ?? NONE;
  return { ...found, changes };
}

const NONE = [];

export const hasAnswered = computed(() => answeredAt.value !== undefined);
