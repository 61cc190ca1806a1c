// A chart of steps over time. Dragging over it, or Shift and the arrows, sets the range everywhere; the cursor moves on
// all charts together. Series differ by dash and marker, not by colour alone.

import { html, uPlot, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/libraries.js";
import { chiefOf, ChangeIcon, grouped, sentenceOf, toChange } from "./marks.js";
import { ink, inks, wash } from "./ink.js";
import { clock, NOTHING, number } from "./format.js";
import { setRange } from "./store.js";
import { shownSpan } from "./data.js";

const DASHES = { solid: [], dashed: [6, 4], dotted: [1.5, 3.5] };
const FONT = "11px system-ui, sans-serif";
const TICKS = [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800];
const DAY = 86_400;

/** The steps as columns of numbers; a step that is missing is a gap. */
export function columnsOf(steps, step, series) {
  const times = [];
  const columns = series.map(() => []);
  let before;
  for (const each of steps) {
    if (before !== undefined && each.t - before > step * 1.5) {
      times.push(before + step * 1.5);
      for (const column of columns) column.push(null);
    }
    before = each.t;
    times.push(each.t + step / 2);
    const isEmpty = each.covered_seconds < Math.min(5, step / 2);
    series.forEach(({ of }, index) => columns[index].push(isEmpty ? null : (of(each) ?? null)));
  }
  return [times, ...columns.map((column, index) => (series[index].hidesZero ? withoutZeros(column) : column))];
}

/** Zeros only where something rises from them: a line of nothing is no news. */
const withoutZeros = (column) => column.map((value, at) => (value === 0 && !column[at - 1] && !column[at + 1] ? null : value));

/** Whole hours and minutes of local time. */
function ticksOf(_, __, min, max, ___, space) {
  const least = ((max - min) * space) / Math.max(1, _.bbox.width / devicePixelRatio);
  const every = TICKS.find((each) => each >= least) ?? TICKS.at(-1);
  const offset = new Date(min * 1000).getTimezoneOffset() * 60;
  const found = [];
  for (let at = Math.ceil((min - offset) / every) * every + offset; at <= max; at += every) found.push(at);
  return found;
}

const tickLabels = (_, splits) => {
  const every = splits[1] - splits[0];
  return splits.map((at) => (every >= DAY ? clock(at).replace(/ 00:00$/, "") : clock(at, { seconds: every < 60 }).slice(-8).trim()));
};

function drawMarker(plot, kind, stroke) {
  const { ctx } = plot;
  const ratio = devicePixelRatio;
  return (x, y) => {
    const size = 2.6 * ratio;
    ctx.fillStyle = ctx.strokeStyle = stroke;
    ctx.lineWidth = ratio;
    ctx.beginPath();
    if (kind === "square") ctx.rect(x - size, y - size, 2 * size, 2 * size);
    else ctx.arc(x, y, size, 0, 7);
    ctx.fill();
  };
}

/** Markers at a distance of each other, so that a line is known by its shape. */
function drawMarkers(plot, index, kind, stroke) {
  const draw = drawMarker(plot, kind, stroke);
  let last = -Infinity;
  const [times] = plot.data;
  const values = plot.data[index];
  for (let each = 0; each < times.length; each += 1) {
    if (values[each] === null || values[each] === undefined) continue;
    const x = plot.valToPos(times[each], "x", true);
    if (x - last < 46 * devicePixelRatio || x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width) continue;
    draw(x, plot.valToPos(values[each], "y", true));
    last = x;
  }
}

/** 1, 2 and 5 of each decade, or only 1 where those are too close. */
function logTicks(plot, _, min, max) {
  const decades = Math.log10(max / min);
  const room = plot.bbox.height / devicePixelRatio / decades;
  const steps = room > 90 ? [1, 2, 5] : room > 60 ? [1, 3] : [1];
  const found = [];
  for (let power = Math.floor(Math.log10(min)); 10 ** power <= max; power += 1) {
    for (const step of steps) if (step * 10 ** power >= min && step * 10 ** power <= max) found.push(step * 10 ** power);
  }
  return found;
}

/** From below the least to above the most, a decade at least. */
function logRange(min, max, limit) {
  if (!(min > 0)) return [0.001, 1];
  const [low, high] = [min * 0.75, Math.max(max, limit ?? 0) * 1.3];
  return high / low >= 10 ? [low, high] : [low / Math.sqrt(10 / (high / low)), high * Math.sqrt(10 / (high / low))];
}

/** The points that no line goes to: without neighbours they would not be seen. */
function lonely(plot, index) {
  const values = plot.data[index];
  const isGap = (value) => value === null || value === undefined;
  return values.flatMap((value, each) => (!isGap(value) && isGap(values[each - 1]) && isGap(values[each + 1]) ? [each] : []));
}

function optionsOf({ series, format, height, limit, span, most, isLog }, width, { afterDraw, ...hooks }) {
  return {
    width,
    height,
    padding: [10, 18, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: "console" },
      y: false,
      drag: { x: true, y: false, setScale: false, dist: 5 },
      points: { size: 7, width: 2, fill: () => ink("paper") },
    },
    scales: {
      x: { time: false, range: () => span() },
      y: isLog
        ? { distr: 3, range: (_, min, max) => logRange(min, max, limit?.value) }
        : { range: (_, __, max) => [0, Math.max(most ?? 0, limit?.value ?? 0, max > 0 ? max : 1) * 1.08] },
    },
    axes: [
      {
        stroke: () => ink("quiet"),
        font: FONT,
        size: 24,
        gap: 4,
        space: 74,
        grid: { show: false },
        ticks: { stroke: () => ink("line"), width: 1, size: 4 },
        border: { show: true, stroke: () => ink("line"), width: 1 },
        splits: ticksOf,
        values: tickLabels,
      },
      {
        stroke: () => ink("quiet"),
        font: FONT,
        size: 52,
        gap: 6,
        space: 34,
        grid: { stroke: () => ink("line-soft"), width: 1 },
        ticks: { show: false },
        ...(isLog ? { splits: logTicks, filter: (_, splits) => splits } : {}),
        values: (_, splits) => splits.map((value) => (value === null ? "" : format(value))),
      },
    ],
    series: [
      {},
      ...series.map(({ tone = "ink", dash = "solid", width: weight = 1.5, fill, ghost }) => ({
        stroke: () => (ghost ? wash(tone, 0.55) : ink(tone)),
        fill: fill ? () => wash(tone, fill) : undefined,
        width: weight,
        dash: DASHES[dash],
        cap: dash === "dotted" ? "round" : "butt",
        points: { show: false, size: 5, filter: lonely, fill: () => ink(tone) },
        spanGaps: false,
      })),
    ],
    hooks: {
      draw: [
        (plot) => {
          series.forEach(({ marker, tone = "ink" }, index) => marker && drawMarkers(plot, index + 1, marker, ink(tone)));
          if (limit?.value) drawLimit(plot, limit);
          queueMicrotask(() => afterDraw(plot));
        },
      ],
      ...hooks,
    },
  };
}

function drawLimit(plot, { value, label }) {
  const { ctx, bbox } = plot;
  const y = plot.valToPos(value, "y", true);
  ctx.save();
  ctx.strokeStyle = ink("quiet");
  ctx.fillStyle = ink("quiet");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.font = `${10 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "right";
  ctx.fillText(label, bbox.left + bbox.width - 4 * devicePixelRatio, y - 4 * devicePixelRatio);
  ctx.restore();
}

/** How a series is drawn, as a little picture of it. */
export function Swatch({ tone = "ink", dash = "solid", width = 1.5, fill, marker, ghost }) {
  const dashes = DASHES[dash].length ? DASHES[dash].join(" ") : undefined;
  return html`<svg class=${`swatch tone-${tone} ${ghost ? "ghost" : ""}`} width="22" height="10" viewBox="0 0 22 10" aria-hidden="true">
    ${fill && html`<rect x="0" y="4" width="22" height="6" fill="currentColor" opacity=${fill} />`}
    <line x1="0" y1="4" x2="22" y2="4" stroke="currentColor" stroke-width=${width} stroke-dasharray=${dashes} />
    ${marker === "square" && html`<rect x="8.5" y="1.5" width="5" height="5" fill="currentColor" />`}
    ${marker === "dot" && html`<circle cx="11" cy="4" r="2.6" fill="currentColor" />`}
  </svg>`;
}

/** `series` are [{ label, of, tone, dash, width, fill, marker, ghost, href }], `of` the value of a step; `format` writes
 *  one; `limit` is { value, label } of a line to stay below. */
export function Chart({ label, unit = "", steps, step, series, changes = [], format = number, height = 150, limit, most, isLog }) {
  const box = useRef(null);
  const plot = useRef(null);
  const [index, setIndex] = useState(null);
  const [marks, setMarks] = useState([]);
  const [said, say] = useState("");
  const latest = useRef({});
  const placedAs = useRef("");
  const columns = useMemo(() => columnsOf(steps ?? [], step, series), [steps, step, series.map((each) => each.label).join()]);
  latest.current = { columns, changes };

  const placeMarks = (drawn) => {
    const width = drawn.bbox.width / devicePixelRatio;
    const found = grouped(latest.current.changes, (at) => drawn.valToPos(at, "x"), width);
    const placed = found.map((each) => ({ ...each, left: Math.round(each.x + drawn.bbox.left / devicePixelRatio) }));
    const key = placed.map(({ left, changes: group }) => `${left}:${group.length}:${group[0].at}`).join();
    if (key !== placedAs.current) {
      placedAs.current = key;
      setMarks(placed);
    }
  };

  useLayoutEffect(() => {
    const hooks = {
      // Where moments are is known once it is drawn.
      afterDraw: placeMarks,
      setCursor: [(drawn) => setIndex(drawn.cursor.left >= 0 ? drawn.cursor.idx : null)],
      setSelect: [
        (drawn) => {
          const { left, width } = drawn.select;
          if (width < 2 || drawn.isByKeys) return;
          drawn.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          setRange(drawn.posToVal(left, "x"), drawn.posToVal(left + width, "x"));
        },
      ],
    };
    const options = optionsOf({ series, format, height, limit, span: shownSpan, most, isLog }, box.current.clientWidth || 300, hooks);
    const made = new uPlot(options, latest.current.columns, box.current);
    plot.current = made;
    const resized = new ResizeObserver(() => {
      const width = box.current?.clientWidth;
      if (width && Math.abs(width - made.width) > 0.5) {
        made.setSize({ width, height });
      }
    });
    resized.observe(box.current);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [height, limit?.value, series.map((each) => each.label).join()]);

  useEffect(() => {
    if (!plot.current) return;
    plot.current.setData(columns);
    placeMarks(plot.current);
  }, [columns, changes]);
  useEffect(() => {
    inks.value;
    plot.current?.redraw(false);
  }, [inks.value]);

  const at = index ?? lastKnown(columns);
  const valueAt = (number) => columns[number + 1]?.[at];
  const when = index === null || columns[0][index] === undefined ? "" : clock(columns[0][index], { seconds: step < 60 });
  const onKeyDown = (event) => moveByKey(event, plot.current, say, () => readOut(plot.current, series, format));
  return html`<figure class="chart">
    <figcaption>
      <span class="chart-title">${label}${unit && html` <span class="quiet">${unit}</span>`}</span>
      <ul class="series">
        ${series.map((each, number) => {
          const value = valueAt(number);
          return html`<li key=${each.label}><${Swatch} ...${each} />${each.href ? html`<a href=${each.href}>${each.label}</a>` : each.label}
            <b class="value">${value === null || value === undefined ? (each.hidesZero && at >= 0 ? format(0) : NOTHING) : format(value)}</b></li>`;
        })}
      </ul>
    </figcaption>
    <div class="plot" tabindex="0" role="group" aria-roledescription="chart" aria-label=${summaryOf(label, unit, series, columns, format)}
      onKeyDown=${onKeyDown} onBlur=${() => plot.current?.setCursor({ left: -10, top: -10 })}>
      <div ref=${box} class="canvas" style=${{ height: `${height}px` }}></div>
      ${marks.map(
        ({ left, changes: group }) => html`<a class=${`mark ${chiefOf(group).kind}`} style=${{ left: `${left}px`, height: `${height - 24}px` }}
          href=${toChange(chiefOf(group))} aria-label=${sentenceOf(group)} data-said=${sentenceOf(group)}>
          <${ChangeIcon} kind=${chiefOf(group).kind} />
        </a>`,
      )}
      ${when && html`<span class="when" style=${{ left: `${whenLeft(plot.current)}px` }}>${when}</span>`}
      ${steps && !columns[0].length && html`<p class="no-data">No requests in this range.</p>`}
    </div>
    <span class="visually-hidden" aria-live="polite">${said}</span>
  </figure>`;
}

const whenLeft = (plot) => (plot ? plot.cursor.left + plot.bbox.left / devicePixelRatio : 0);

function lastKnown(columns) {
  const [times, ...values] = columns;
  for (let at = times.length - 1; at >= 0; at -= 1) if (values.some((column) => column[at] !== null)) return at;
  return -1;
}

function summaryOf(label, unit, series, columns, format) {
  const parts = series
    .filter(({ ghost }) => !ghost)
    .map((each, number) => {
      const known = columns[number + 1].filter((value) => value !== null);
      if (!known.length) return `${each.label}: nothing`;
      return `${each.label} now ${format(known.at(-1))}, at most ${format(Math.max(...known))}`;
    });
  return `${label}${unit ? ` (${unit})` : ""}. ${parts.join("; ")}.`;
}

function readOut(plot, series, format) {
  const index = plot.cursor.idx;
  const values = series.map((each, number) => `${each.label} ${format(plot.data[number + 1][index] ?? (each.hidesZero ? 0 : undefined))}`);
  return `${clock(plot.data[0][index], { seconds: true })}: ${values.join(", ")}`;
}

/** Arrows move the cursor from step to step, Shift selects, Enter takes what is selected, Escape gives it back. */
function moveByKey(event, plot, say, read) {
  const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
  if (!plot || !plot.data[0].length || event.target !== event.currentTarget) return;
  if (by !== undefined) {
    event.preventDefault();
    const last = plot.data[0].length - 1;
    const from = plot.cursor.idx ?? last;
    const index = Math.max(0, Math.min(last, plot.cursor.left < 0 ? last : from + by));
    const left = plot.valToPos(plot.data[0][index], "x");
    if (event.shiftKey) {
      plot.chosenFrom ??= plot.valToPos(plot.data[0][from], "x");
      plot.isByKeys = true;
      const begin = Math.min(plot.chosenFrom, left);
      plot.setSelect({ left: begin, top: 0, width: Math.abs(left - plot.chosenFrom), height: plot.bbox.height / devicePixelRatio });
    }
    plot.setCursor({ left, top: 10 });
    say(read());
  } else if (event.key === "Enter" && plot.chosenFrom !== undefined && plot.select.width > 1) {
    const { left, width } = plot.select;
    release(plot);
    setRange(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
  } else if (event.key === "Escape") {
    release(plot);
    plot.setCursor({ left: -10, top: -10 });
  }
}

function release(plot) {
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  plot.chosenFrom = undefined;
  plot.isByKeys = false;
}
