// The colours of the style sheet, for what is drawn on a canvas, which knows no CSS variables.

import { signal } from "./vendor/libraries.js";

const scheme = matchMedia("(prefers-color-scheme: dark)");
const known = new Map();
let probe;

/** Rises when the colours are others. */
export const inks = signal(0);

scheme.addEventListener("change", () => {
  known.clear();
  inks.value += 1;
});

/** The colour of a custom property, such as "ink" of --ink. */
export function ink(name) {
  if (!known.has(name)) {
    probe ??= document.body.appendChild(Object.assign(document.createElement("i"), { hidden: true }));
    probe.style.color = `var(--${name})`;
    known.set(name, getComputedStyle(probe).color);
  }
  return known.get(name);
}

/** The same with an opacity from 0 to 1. */
export function wash(name, opacity) {
  const parts = ink(name).match(/[\d.]+/g) ?? [0, 0, 0];
  return `rgb(${parts.slice(0, 3).join(" ")} / ${opacity})`;
}
