// What the address says: which page of what, in which range of time, of which instance, with which filters.
// The address is the only state that pages share; a signal for it, and the ways to change it.

import { batch, computed, signal } from "./vendor/libraries.js";

export const BASE = "/console";
const HOME = "now";

/** Those of an address that every link keeps. */
const KEPT = ["range", "from", "to", "instance", "compare"];

export const RANGES = [
  { key: "15m", seconds: 900, label: "15 min" },
  { key: "1h", seconds: 3_600, label: "1 h" },
  { key: "6h", seconds: 21_600, label: "6 h" },
  { key: "24h", seconds: 86_400, label: "24 h" },
];
const DEFAULT_RANGE = RANGES[1];
const SHORTEST_SECONDS = 60;

/** { page, name, query }: `name` is what of the page is open, such as an operation. */
export const place = signal(read(new URL(location.href)));

function read(url) {
  const parts = url.pathname.slice(BASE.length).split("/").filter(Boolean);
  const [page = HOME, ...rest] = parts.map(decoded);
  return { page, name: rest.join("/"), query: Object.fromEntries(url.searchParams) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The range of time: { key, from, to, seconds, isLive }; from and to in seconds since the epoch where it is an own one. */
export const range = computed(() => {
  const { query } = place.value;
  const from = Date.parse(query.from) / 1000;
  const to = Date.parse(query.to) / 1000;
  if (to - from >= SHORTEST_SECONDS) return { key: "own", from, to, seconds: to - from, isLive: false };
  const known = RANGES.find(({ key }) => key === query.range) ?? DEFAULT_RANGE;
  return { ...known, isLive: true };
});

export const instance = computed(() => place.value.query.instance ?? "");
export const isCompared = computed(() => place.value.query.compare === "yesterday");

/** The reader has stopped the clock. */
export const isPaused = signal(false);
export const isVisible = signal(!document.hidden);
document.addEventListener("visibilitychange", () => {
  isVisible.value = !document.hidden;
});

/** Whether pages are to ask for news. */
export const isLive = computed(() => isVisible.value && !isPaused.value);

const isGiven = ([, value]) => value !== undefined && value !== null && value !== "";

function addressOf(page, name, entries) {
  const search = new URLSearchParams(entries.filter(isGiven)).toString();
  const path = [...(page === HOME ? [] : [page]), ...(name ? [encodeURIComponent(name)] : [])];
  return `${[BASE, ...path].join("/")}${search ? `?${search}` : ""}`;
}

/** The address of a page: it keeps range and instance; `query` adds what is of this page. */
export function to(page, name = "", query = {}) {
  const kept = Object.entries(place.value.query).filter(([key]) => KEPT.includes(key) && !(key in query));
  return addressOf(page, name, [...kept, ...Object.entries(query)]);
}

/** The address of this page with some of its query changed; undefined takes one away. */
export function changed(query) {
  const { page, name, query: present } = place.value;
  return addressOf(page, name, Object.entries({ ...present, ...query }));
}

/** Show what is at an address. */
export function go(address, { replace = false } = {}) {
  const url = new URL(address, location.href);
  if (url.href !== location.href) history[replace ? "replaceState" : "pushState"](null, "", url);
  const next = read(url);
  const isOther = next.page !== place.value.page || next.name !== place.value.name;
  batch(() => {
    place.value = next;
  });
  if (isOther && !replace) {
    scrollTo(0, 0);
    document.getElementById("page")?.focus({ preventScroll: true });
  }
}

/** Change the query of this page, in the same entry of the browser's history where it is a detail. */
export const change = (query, options) => go(changed(query), options);

const iso = (seconds) => new Date(Math.round(seconds) * 1000).toISOString().replace(".000Z", "Z");

/** Show an own range, from and to in seconds since the epoch. */
export function setRange(from, until) {
  if (until - from < SHORTEST_SECONDS) {
    const middle = (from + until) / 2;
    [from, until] = [middle - SHORTEST_SECONDS / 2, middle + SHORTEST_SECONDS / 2];
  }
  change({ from: iso(from), to: iso(until), range: undefined });
}

/** Links of pages change the address without loading anything. */
export function followLinks() {
  addEventListener("popstate", () => {
    place.value = read(new URL(location.href));
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !isPlain || event.defaultPrevented || link.target || link.hasAttribute("download")) return;
    const url = new URL(link.href);
    const isPage = url.origin === location.origin && (url.pathname === BASE || url.pathname.startsWith(`${BASE}/`));
    if (!isPage || url.pathname.startsWith(`${BASE}/assets/`) || url.pathname.startsWith(`${BASE}/api/`)) return;
    event.preventDefault();
    go(url.href);
  });
}
