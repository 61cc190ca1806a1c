// A heat map: when requests were answered (across) and how long they took (upwards, logarithmic). Darker is more.

import { html, useEffect, useRef, useState } from "./vendor/libraries.js";
import { shownSpan, useData } from "./data.js";
import { clock, duration, number } from "./format.js";
import { ink, inks, wash } from "./ink.js";
import { range, setRange } from "./store.js";

const HEIGHT = 172;
const LEFT = 52;
const BOTTOM = 24;
const LEAST = 0.000_3;
const MOST = 10;
const MARKS = [0.001, 0.01, 0.1, 1, 10];
const DECADES = Math.log10(MOST / LEAST);

const iso = (seconds) => new Date(Math.round(seconds) * 1000).toISOString().replace(".000Z", "Z");

function useHeat(operation) {
  const { seconds, from, to, isLive } = range.value;
  const of = operation ? `&operation=${encodeURIComponent(operation)}` : "";
  const span = isLive ? `since=${seconds}s` : `since=${iso(from)}&until=${iso(to)}`;
  return useData(`heat?${span}${of}`, { every: Math.max(10, seconds / 120) });
}

const yOf = (seconds, height) => height - (Math.log10(Math.min(MOST, Math.max(LEAST, seconds)) / LEAST) / DECADES) * height;

/** The cells: { steps: [{ t, counts }], edges } as rectangles with their share of the fullest. */
function cellsOf(data, [from, until], width, height) {
  const { edges, step_seconds: step } = data;
  const perSecond = data.steps.map(({ counts }) => counts);
  const most = Math.max(1, ...perSecond.flat());
  const found = [];
  data.steps.forEach(({ at, counts }) => {
    const t = Date.parse(at) / 1000;
    const x = ((t - from) / (until - from)) * width;
    const wide = (step / (until - from)) * width;
    if (x + wide < 0 || x > width) return;
    counts.forEach((count, index) => {
      if (!count) return;
      const low = index ? edges[index - 1] : LEAST;
      const high = edges[index] ?? MOST;
      const top = yOf(high, height);
      found.push({ x: Math.max(0, x), width: Math.min(wide, width - x), y: top, height: yOf(low, height) - top, count, low, high, t, weight: Math.log1p(count) / Math.log1p(most) });
    });
  });
  return found;
}

function draw(canvas, data, span) {
  const ratio = devicePixelRatio;
  const width = canvas.clientWidth;
  canvas.width = width * ratio;
  canvas.height = HEIGHT * ratio;
  const ctx = canvas.getContext("2d");
  ctx.scale(ratio, ratio);
  const [wide, high] = [width - LEFT - 2, HEIGHT - BOTTOM - 10];
  ctx.translate(LEFT, 10);
  ctx.font = "11px system-ui, sans-serif";
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  for (const mark of MARKS) {
    const y = yOf(mark, high);
    ctx.fillStyle = ink("line-soft");
    ctx.fillRect(0, Math.round(y), wide, 1);
    ctx.fillStyle = ink("quiet");
    ctx.fillText(duration(mark), -6, y);
  }
  const cells = data ? cellsOf(data, span, wide, high) : [];
  for (const { x, y, width: across, height: up, weight } of cells) {
    ctx.fillStyle = wash("ink", 0.1 + 0.9 * weight);
    ctx.fillRect(x, y, Math.max(1, across - 0.5), Math.max(1, up - 0.5));
  }
  ctx.fillStyle = ink("line");
  ctx.fillRect(0, high, wide, 1);
  ctx.fillStyle = ink("quiet");
  ctx.textBaseline = "top";
  const [from, until] = span;
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    ctx.textAlign = part === 0 ? "left" : part === 1 ? "right" : "center";
    ctx.fillText(clock(from + part * (until - from)), part * wide, high + 8);
  }
  return cells;
}

export function HeatMap({ operation }) {
  const canvas = useRef(null);
  const cells = useRef([]);
  const drag = useRef(undefined);
  const [under, setUnder] = useState(undefined);
  const [chosen, choose] = useState(undefined);
  const { data, error } = useHeat(operation);
  const span = shownSpan();
  useEffect(() => {
    const again = () => {
      if (canvas.current) cells.current = draw(canvas.current, data, span);
    };
    again();
    const resized = new ResizeObserver(again);
    resized.observe(canvas.current);
    return () => resized.disconnect();
  }, [data, inks.value, Math.round(span[0] / 5)]);
  const xOf = (event) => Math.max(0, Math.min(canvas.current.clientWidth - LEFT - 2, event.offsetX - LEFT));
  const timeOf = (x) => span[0] + (x / (canvas.current.clientWidth - LEFT - 2)) * (span[1] - span[0]);
  const move = (event) => {
    const [x, y] = [event.offsetX - LEFT, event.offsetY - 10];
    if (drag.current !== undefined) choose([Math.min(drag.current, xOf(event)), Math.max(drag.current, xOf(event))]);
    setUnder(cells.current.find((cell) => x >= cell.x && x < cell.x + cell.width && y >= cell.y && y < cell.y + cell.height));
  };
  const end = (event) => {
    const [from, until] = [drag.current, xOf(event)].sort((one, other) => one - other);
    drag.current = undefined;
    choose(undefined);
    if (from !== undefined && until - from > 5) setRange(timeOf(from), timeOf(until));
  };
  const total = (data?.steps ?? []).reduce((sum, { counts }) => sum + counts.reduce((all, count) => all + count, 0), 0);
  const said = under ? `${clock(under.t, { seconds: true })}: ${number(under.count)} in ${duration(under.low)} to ${duration(under.high)}` : "";
  return html`<figure class="chart heat">
    <figcaption><span class="chart-title">Latency <span class="quiet">darker: more requests</span></span><span class="grow"></span><span class="quiet">${said}</span></figcaption>
    <div class="plot">
      <canvas ref=${canvas} style=${{ height: `${HEIGHT}px` }} role="img" onPointerMove=${move} onPointerLeave=${() => setUnder(undefined)}
        onPointerDown=${(event) => (drag.current = xOf(event))} onPointerUp=${end}
        aria-label=${`Heat map of latency over time, ${number(total)} requests. The table below has the percentiles.`}></canvas>
      ${chosen && html`<span class="heat-chosen" style=${{ left: `${LEFT + chosen[0]}px`, width: `${chosen[1] - chosen[0]}px` }}></span>`}
      ${data && !total && html`<p class="no-data">No requests in this range.</p>`}
      ${error && !data && html`<p class="no-data">${error.message}</p>`}
    </div>
  </figure>`;
}
