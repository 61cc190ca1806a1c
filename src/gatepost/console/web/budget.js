// What is left of an objective's budget, and when it ends if it goes on so.

import { html } from "./vendor/libraries.js";
import { duration, number, percent, visible } from "./format.js";
import { to } from "./store.js";

export function Budget({ objective }) {
  const { name, share, faster_than_seconds: limit, requests, bad, budget_left: left, exhausted_in_seconds: ends, operations = [] } = objective;
  const isKnown = left !== undefined && left !== null;
  const width = isKnown ? Math.max(0, Math.min(1, left)) * 100 : 0;
  return html`<li class=${left < 0.1 ? "is-bad" : ""}>
    <a href=${to("traffic", "", { filter: operations[0]?.split(".")[0] })}><b>${visible(name)}</b></a>
    <span class="quiet">${percent(share)} ${limit ? `within ${duration(limit)}` : "without a failure"}</span>
    <span class="budget" role="img" aria-label=${isKnown ? `${percent(left)} of the budget left` : "not known yet"}><span class="budget-left" style=${{ width: `${width}%` }}></span></span>
    <span>${isKnown ? html`<b>${percent(left)}</b> left` : "not known yet"}
      <span class="quiet"> · ${number(bad)} bad of ${number(requests)}${ends ? `; used up in ${duration(ends)} at this rate` : ""}</span></span>
  </li>`;
}
