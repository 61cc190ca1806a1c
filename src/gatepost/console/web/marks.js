// What changed, as marks at the moments of a chart: a shape for each kind, a group where they are close together.

import { html } from "./vendor/libraries.js";
import { clock, epoch, visible } from "./format.js";
import { to } from "./store.js";

const NEAR_PIXELS = 13;

/** Shape and word of each kind of change: colour is never the only sign. */
const KINDS = {
  release: ["diamond", "Release"],
  migration: ["square", "Migration"],
  start: ["up", "Start"],
  stop: ["down", "Stop"],
  reload: ["up", "Reload"],
  worker_death: ["cross", "Worker"],
  monitor_death: ["cross", "Monitor"],
  database: ["square", "Database"],
  error: ["cross", "Error"],
  alert: ["bell", "Alert"],
  level: ["dot", "Level"],
  operator: ["dot", "Operator"],
};

const PATHS = {
  diamond: "M5 0.5 9.5 5 5 9.5 0.5 5Z",
  square: "M1 1H9V9H1Z",
  up: "M5 1 9.5 9H0.5Z",
  down: "M5 9 9.5 1H0.5Z",
  cross: "M1 2.4 2.4 1 5 3.6 7.6 1 9 2.4 6.4 5 9 7.6 7.6 9 5 6.4 2.4 9 1 7.6 3.6 5Z",
  bell: "M5 0.5A3 3 0 0 1 8 3.5V6L9.5 8H0.5L2 6V3.5A3 3 0 0 1 5 0.5ZM3.8 8.6H6.2V9.6H3.8Z",
  dot: "M5 1.5A3.5 3.5 0 1 1 4.99 1.5Z",
};

export const wordOf = (kind) => KINDS[kind]?.[1] ?? kind;

export function ChangeIcon({ kind }) {
  const [shape] = KINDS[kind] ?? ["dot"];
  return html`<svg class=${`change-icon ${kind}`} viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">
    <path d=${PATHS[shape]} />
  </svg>`;
}

/** Where a change is listed. */
export const toChange = (change) => to("system", "", { tab: "changes", at: change.at });

/** Changes that stand near each other together: [{ x, changes }]. */
export function grouped(changes, positionOf, width) {
  const found = [];
  const inside = changes
    .map((change) => ({ change, x: positionOf(epoch(change.at)) }))
    .filter(({ x }) => x >= 0 && x <= width)
    .sort((one, other) => one.x - other.x);
  for (const { change, x } of inside) {
    const last = found.at(-1);
    if (last && x - last.x < NEAR_PIXELS) last.changes.push(change);
    else found.push({ x, changes: [change] });
  }
  return found;
}

const WEIGHT = ["release", "migration", "database", "worker_death", "start", "stop", "reload", "error", "alert"];
const weightOf = ({ kind }) => (WEIGHT.indexOf(kind) + WEIGHT.length) % WEIGHT.length;

/** The one that stands for a group. */
export const chiefOf = (changes) => [...changes].sort((one, other) => weightOf(one) - weightOf(other))[0];

export const sentenceOf = (changes) =>
  changes.map((change) => `${clock(change.at, { seconds: true })} ${visible(change.summary)}`).join(" · ");
