// A histogram of durations as bars on a logarithmic scale.

import { html } from "./vendor/libraries.js";
import { duration, number, percent } from "./format.js";

const HEIGHT = 120;
const WIDTH = 520;
const BARS_MAX = 64;

/** `buckets` are [[upper edge in seconds, count]] or [{ le, count }], those that are empty may be missing. */
export function Histogram({ buckets }) {
  const given = buckets.map((each) => (Array.isArray(each) ? each : [each.le ?? each.seconds, each.count])).filter(([, count]) => count > 0);
  if (!given.length) return html`<p class="quiet">No request yet.</p>`;
  const [low, high] = [Math.log10(given[0][0]) - 0.05, Math.log10(given.at(-1)[0]) + 0.02];
  const bars = Math.max(8, Math.min(BARS_MAX, Math.ceil((high - low) * 31)));
  const counts = new Array(bars).fill(0);
  for (const [edge, count] of given) counts[Math.min(bars - 1, Math.floor(((Math.log10(edge) - low) / (high - low)) * bars))] += count;
  const most = Math.max(...counts);
  const all = counts.reduce((sum, count) => sum + count, 0);
  const width = WIDTH / bars;
  const steps = high - low > 2.5 ? [1] : high - low > 1.2 ? [1, 3] : [1, 2, 5];
  const ticks = [-5, -4, -3, -2, -1, 0, 1, 2].flatMap((power) => steps.map((step) => step * 10 ** power)).filter((tick) => Math.log10(tick) >= low && Math.log10(tick) <= high);
  const shown = ticks.length ? ticks : [given[0][0]];
  const x = (seconds) => ((Math.log10(seconds) - low) / (high - low)) * WIDTH;
  return html`<svg class="histogram" viewBox=${`0 0 ${WIDTH} ${HEIGHT + 22}`} role="img"
    aria-label=${`${number(all)} requests, the shortest ${duration(given[0][0])}, the longest ${duration(given.at(-1)[0])}`}>
    ${counts.map((count, index) => {
      const up = count ? Math.max(1.5, (count / most) * HEIGHT) : 0;
      const from = 10 ** (low + (index / bars) * (high - low));
      return html`<rect x=${index * width} y=${HEIGHT - up} width=${Math.max(0.5, width - 1)} height=${up}><title>${`about ${duration(from)}: ${number(count)} (${percent(count / all)})`}</title></rect>`;
    })}
    <line x1="0" x2=${WIDTH} y1=${HEIGHT} y2=${HEIGHT} />
    ${shown.map((tick) => html`<text x=${Math.min(WIDTH - 2, Math.max(0, x(tick)))} y=${HEIGHT + 16} text-anchor=${x(tick) < 30 ? "start" : x(tick) > WIDTH - 40 ? "end" : "middle"}>${duration(tick)}</text>`)}
  </svg>`;
}
