// A line of a day in small: today's, yesterday's behind it, and the line to stay below.

import { html } from "./vendor/libraries.js";

const WIDTH = 240;
const DAY = 86_400;

function pathOf(points, from, until, most, height) {
  let path = "";
  let isOpen = false;
  for (const { t, value } of points) {
    if (value === undefined || value === null || t < from || t > until) {
      isOpen = false;
      continue;
    }
    const x = ((t - from) / (until - from)) * WIDTH;
    const y = height - 2 - (value / most) * (height - 4);
    path += `${isOpen ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    isOpen = true;
  }
  return path;
}

/** `points` are [{ t, value }]; the line is of the last `span` seconds, and ends now. */
export function Sparkline({ points, limit, height = 36, label, span = DAY }) {
  const until = Date.now() / 1000;
  const from = until - span;
  const today = points.filter(({ t }) => t >= from);
  const yesterday = points.filter(({ t }) => t < until - DAY).map(({ t, value }) => ({ t: t + DAY, value }));
  const most = Math.max(limit ?? 0, ...points.map(({ value }) => value ?? 0)) * 1.05 || 1;
  const line = pathOf(today, from, until, most, height);
  const area = line && !line.slice(1).includes("M") ? `${line}L${WIDTH} ${height}L${lineStart(line)} ${height}Z` : "";
  const hasLine = today.filter(({ value }) => value !== undefined && value !== null).length > 1;
  const limitY = limit === undefined || !hasLine ? undefined : height - 2 - (limit / most) * (height - 4);
  return html`<svg class="spark" viewBox=${`0 0 ${WIDTH} ${height}`} preserveAspectRatio="none" height=${height} role="img" aria-label=${label}>
    <path class="spark-area" d=${area} />
    <path class="spark-ghost" d=${pathOf(yesterday, from, until, most, height)} />
    ${limitY !== undefined && html`<line class="spark-limit" x1="0" x2=${WIDTH} y1=${limitY} y2=${limitY} />`}
    <path class="spark-line" d=${line} />
    <line class="spark-base" x1="0" x2=${WIDTH} y1=${height - 0.5} y2=${height - 0.5} />
  </svg>`;
}

const lineStart = (line) => line.match(/^M([\d.]+)/)?.[1] ?? 0;
