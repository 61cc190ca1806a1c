// How many lines of each level there were, step by step, as stacked bars: errors at the bottom, told apart by hatching.

import { html } from "./vendor/libraries.js";
import { shownSpan, useData } from "./data.js";
import { clock, number } from "./format.js";

const HEIGHT = 46;
const WIDTH = 1_000;
const LEVELS = ["error", "warning", "info", "debug"];

export function LevelBars({ category, since }) {
  const { data } = useData(`logs/histogram?since=${encodeURIComponent(since)}${category ? `&category=${category}` : ""}`, { every: 10 });
  const [from, until] = shownSpan();
  const steps = data?.steps ?? [];
  const totals = steps.map(({ levels }) => LEVELS.reduce((sum, level) => sum + countOf(levels, level), 0));
  const most = Math.max(1, ...totals);
  const lost = steps.reduce((sum, step) => sum + step.lost, 0);
  const sums = LEVELS.map((level) => [level, steps.reduce((sum, { levels }) => sum + countOf(levels, level), 0)]).filter(([, count]) => count);
  const x = (t) => ((t - from) / (until - from)) * WIDTH;
  const width = data ? Math.max(1, (data.step_seconds / (until - from)) * WIDTH - 1) : 1;
  return html`<figure class="level-bars">
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" height=${HEIGHT} role="img" aria-label=${`Lines by level: ${sums.map(([level, count]) => `${level} ${number(count)}`).join(", ") || "none"}`}>
      <defs><pattern id="hatch" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="2" height="4" class="hatch" /></pattern></defs>
      ${steps.map(({ at, levels }) => {
        const left = x(Date.parse(at) / 1000);
        if (left + width < 0 || left > WIDTH) return null;
        let y = HEIGHT;
        return LEVELS.map((level) => {
          const count = countOf(levels, level);
          if (!count) return null;
          const up = Math.max(level === "error" ? 3 : 1, (count / most) * (HEIGHT - 2));
          y -= up;
          return html`<rect class=${`level-${level}`} x=${Math.max(0, left)} y=${y} width=${width} height=${up}><title>${`${clock(at, { seconds: true })}: ${number(count)} ${level}`}</title></rect>`;
        });
      })}
      <line x1="0" x2=${WIDTH} y1=${HEIGHT - 0.5} y2=${HEIGHT - 0.5} />
    </svg>
    <figcaption>
      ${sums.map(([level, count]) => html`<span class="level-key"><svg width="10" height="10" aria-hidden="true"><rect class=${`level-${level}`} width="10" height="10" /></svg> ${level} <b>${number(count)}</b></span>`)}
      <span class=${lost ? "bad" : "quiet"}>${lost ? `${number(lost)} lines were dropped: the disk or the reader did not keep up` : data ? "none dropped" : " "}</span>
    </figcaption>
  </figure>`;
}

const countOf = (levels, level) => (levels[level] ?? 0) + (level === "error" ? (levels.critical ?? 0) : 0);
