// Keys: one table of them, which `?` shows and which is what holds.

import { html, signal, useEffect, useRef } from "./vendor/libraries.js";
import { change, go, isPaused, place, RANGES, range, to } from "./store.js";
import { PAGES } from "./pages.js";
import { isPaletteOpen } from "./palette.js";

const isHelpOpen = signal(false);
let pending = "";
let pendingTimer;

const shift = (by) => {
  const index = RANGES.findIndex(({ key }) => key === range.value.key);
  const next = RANGES[Math.min(RANGES.length - 1, Math.max(0, (index < 0 ? 1 : index) + by))];
  change({ range: next.key, from: undefined, to: undefined });
};

/** [keys as they are typed, what they do, the act] */
const KEYS = [
  ...PAGES.map(({ page, label, key }) => [`g ${key}`, `Show ${label}`, () => go(to(page))]),
  ["Ctrl+K", "Go to a route, a request, a code, a user", () => (isPaletteOpen.value = true)],
  ["/", "Filter the list", () => document.querySelector("[data-filter]")?.focus()],
  ["p", "Pause and go on", () => (isPaused.value = !isPaused.value)],
  ["+", "A longer range", () => shift(1)],
  ["-", "A shorter range", () => shift(-1)],
  ["c", "Compare with yesterday", () => change({ compare: place.value.query.compare ? undefined : "yesterday" })],
  ["?", "Show these keys", () => (isHelpOpen.value = true)],
];

const IN_PARTS = [
  ["↑ ↓", "In a table: the row above, the row below"],
  ["← →", "In a chart: the moment before, the moment after"],
  ["Shift+← →, Enter", "In a chart: take a part of it as the range"],
  ["Esc", "Close what is open, take a choice back"],
];

const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable]") !== null;

export function listenToKeys() {
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      isPaletteOpen.value = true;
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return;
    const typed = pending ? `${pending} ${event.key}` : event.key;
    clearTimeout(pendingTimer);
    pending = "";
    const found = KEYS.find(([keys]) => keys === typed);
    if (found) {
      event.preventDefault();
      found[2]();
    } else if (typed === "g") {
      pending = "g";
      pendingTimer = setTimeout(() => (pending = ""), 1_500);
    }
  });
}

/** The list that `?` shows. */
export function KeyHelp() {
  const dialog = useRef(null);
  useEffect(() => {
    if (isHelpOpen.value && !dialog.current.open) dialog.current.showModal();
  }, [isHelpOpen.value]);
  const rows = (all) =>
    all.map(([keys, does]) => html`<div><dt>${keys.split(" ").map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${does}</dd></div>`);
  return html`<dialog ref=${dialog} class="keys" aria-labelledby="keys-title" onClose=${() => (isHelpOpen.value = false)}
    onClick=${(event) => event.target === dialog.current && dialog.current.close()}>
    <div class="dialog-body">
      <h2 id="keys-title">Keys</h2>
      <dl>${rows(KEYS)}${rows(IN_PARTS)}</dl>
      <form method="dialog"><button type="submit">Close</button></form>
    </div>
  </dialog>`;
}

export const showKeys = () => (isHelpOpen.value = true);
