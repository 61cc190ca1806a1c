// What is left of an objective's budget, and when it ends if the last hour goes on.

import { html } from "./vendor/libraries.js";
import { duration, number, percent, visible } from "./format.js";
import { to } from "./store.js";

export function Budget({ objective }) {
  const { name, share, faster_than_seconds: limit, requests, bad, left, burn_rate: burn, exhausted_in_seconds: ends, operations } = objective;
  const width = Math.max(0, Math.min(1, left)) * 100;
  const goesOn = burn > 1 && left > 0 ? `; the last hour uses it ${number(burn)} times too fast: gone in ${duration(ends)}` : "";
  return html`<li class=${left < 0.1 ? "is-bad" : ""}>
    <a href=${to("traffic", "", { filter: operations[0]?.split(".")[0] })}><b>${visible(name)}</b></a>
    <span class="quiet">${percent(share)} ${limit ? `within ${duration(limit)}` : "without a failure"}</span>
    <span class="budget" role="img" aria-label=${`${percent(Math.max(0, left))} of the budget left`}><span class="budget-left" style=${{ width: `${width}%` }}></span></span>
    <span><b>${left > 0 ? `${percent(left)} left` : "used up"}</b>
      <span class="quiet"> · ${number(bad)} bad of ${number(requests)} in 3 days${goesOn}</span></span>
  </li>`;
}
