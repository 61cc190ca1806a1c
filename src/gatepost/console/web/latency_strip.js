// Where the latencies of an operation lie, in a line: from p50 over p95 to p99, on a logarithmic scale.

import { html } from "./vendor/libraries.js";
import { duration } from "./format.js";

const WIDTH = 110;
const LEAST = 0.000_1;

export function LatencyStrip({ seconds, most }) {
  const decades = Math.log10(Math.max(most, LEAST * 10) / LEAST);
  const x = (value) => (Math.max(0, Math.log10(Math.max(value, LEAST) / LEAST)) / decades) * (WIDTH - 8) + 4;
  const said = `p50 ${duration(seconds.p50)}, p95 ${duration(seconds.p95)}, p99 ${duration(seconds.p99)}`;
  const [from, middle, until] = [x(seconds.p50), x(seconds.p95), x(seconds.p99)];
  return html`<svg class="strip" width=${WIDTH} height="14" viewBox=${`0 0 ${WIDTH} 14`} role="img" aria-label=${said}>
    <line class="strip-base" x1="0" x2=${WIDTH} y1="7" y2="7" />
    <line class="strip-range" x1=${from} x2=${until} y1="7" y2="7" />
    <rect class="strip-most" x=${from - 2} y="2" width="4" height="10" />
    <line class="strip-tick" x1=${middle} x2=${middle} y1="3" y2="11" />
    <circle class="strip-end" cx=${until} cy="7" r="3" />
  </svg>`;
}
