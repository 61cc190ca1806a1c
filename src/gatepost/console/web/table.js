// Tables: sorted by a click, the order in the address; a row is an address; rows that are not seen are not made.
// Arrows move from row to row.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/libraries.js";
import { change, place } from "./store.js";

const ROW_PIXELS = 30;
const WHOLE_MAX = 80;
const BEYOND = 12;

const isKnown = (value) => value !== undefined && value !== null && value !== "" && !Number.isNaN(value);

/** The order of two cells: what is not known comes last, whichever way. */
export const compare = (one, other, falls) => {
  if (!isKnown(one) || !isKnown(other)) return isKnown(other) - isKnown(one);
  if (one === other) return 0;
  const found = typeof one === "string" ? one.localeCompare(other, "en", { numeric: true }) : one - other;
  return falls ? -found : found;
};

/** What the address says of the order: [column, whether it falls]. */
function orderOf(given, columns, initial) {
  const text = given ?? initial ?? "";
  const falls = text.startsWith("-");
  const key = falls ? text.slice(1) : text;
  return columns.some((column) => column.key === key) ? [key, falls] : [undefined, false];
}

/** `columns` are [{ key, label, of, show, align, width, title, titleOf }]: `of` is what a row is sorted by, `show` what
 *  stands in the cell, `titleOf` all of it where there is no room. `hrefOf` makes rows links, whose text is the first column. `param` is the order's name in the address. More
 *  rows than `whole` scroll in a box that is `height` of the window. */
export function Table({ label, columns, rows, keyOf, hrefOf, initial, param = "sort", empty, height = 0.7, whole = WHOLE_MAX, isCurrent }) {
  const scroller = useRef(null);
  const [top, setTop] = useState(0);
  const [seen, setSeen] = useState(600);
  const [key, falls] = orderOf(place.value.query[param], columns, initial);
  const sorted = useMemo(() => {
    const column = columns.find((each) => each.key === key);
    if (!column) return rows;
    return [...rows].sort((one, other) => compare(column.of(one), column.of(other), falls));
  }, [rows, key, falls]);
  const isVirtual = sorted.length > whole;
  const first = isVirtual ? Math.max(0, Math.floor(top / ROW_PIXELS) - BEYOND) : 0;
  const last = isVirtual ? Math.min(sorted.length, first + Math.ceil(seen / ROW_PIXELS) + 2 * BEYOND) : sorted.length;

  useLayoutEffect(() => {
    if (!isVirtual) return undefined;
    const measured = new ResizeObserver(() => scroller.current && setSeen(scroller.current.clientHeight));
    measured.observe(scroller.current);
    return () => measured.disconnect();
  }, [isVirtual]);

  const focusAfter = useRef(null);
  useEffect(() => {
    if (focusAfter.current === null) return;
    const link = scroller.current.querySelector(`[data-row="${focusAfter.current}"] .row-link`);
    if (link) {
      focusAfter.current = null;
      link.focus({ preventScroll: true });
      link.scrollIntoView({ block: "nearest" });
    }
  });
  const onKeyDown = (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12, Home: -Infinity, End: Infinity }[event.key];
    const row = event.target.closest?.("[data-row]");
    if (by === undefined || !row || !event.target.classList.contains("row-link")) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(sorted.length - 1, Number(row.dataset.row) + by));
    const link = scroller.current.querySelector(`[data-row="${next}"] .row-link`);
    if (link) {
      link.focus();
      return;
    }
    focusAfter.current = next;
    scroller.current.scrollTop = next * ROW_PIXELS;
  };
  const sortBy = (column) => {
    const isSame = column.key === key;
    const isNumber = column.align === "right";
    const next = isSame ? !falls : isNumber;
    scroller.current.scrollTop = 0;
    change({ [param]: `${next ? "-" : ""}${column.key}` }, { replace: true });
  };
  if (!rows.length && empty) return html`<div class="empty">${empty}</div>`;
  return html`<div class=${`table-box ${isVirtual ? "virtual" : ""}`} ref=${scroller} tabindex=${isVirtual ? 0 : undefined}
    role=${isVirtual ? "region" : undefined} aria-label=${isVirtual ? `${label}, scrollable` : undefined}
    style=${isVirtual ? { maxHeight: `${height * 100}vh` } : {}} onScroll=${isVirtual ? (event) => setTop(event.target.scrollTop) : undefined}
    onKeyDown=${onKeyDown}>
    <table aria-label=${label} aria-rowcount=${sorted.length + 1} style=${isVirtual ? { minWidth: leastWidth(columns) } : {}}>
      <colgroup>${columns.map((column) => html`<col class=${`col-${column.key}`} style=${column.width ? { width: column.width } : {}} />`)}</colgroup>
      <thead>
        <tr aria-rowindex="1">
          ${columns.map((column) => {
            const sort = column.key === key ? (falls ? "descending" : "ascending") : undefined;
            return html`<th scope="col" class=${cellClass(column)} aria-sort=${sort} title=${column.title}>
              ${column.of ? html`<button type="button" onClick=${() => sortBy(column)}>${column.align === "right" ? [ARROW, column.label] : [column.label, ARROW]}</button>` : column.isQuiet ? html`<span class="visually-hidden">${column.label}</span>` : column.label}
            </th>`;
          })}
        </tr>
      </thead>
      <tbody>
        ${first > 0 && html`<tr aria-hidden="true" class="spacer"><td colspan=${columns.length} style=${{ height: `${first * ROW_PIXELS}px` }}></td></tr>`}
        ${sorted.slice(first, last).map((row, offset) => {
          const number = first + offset;
          const href = hrefOf?.(row);
          return html`<tr key=${keyOf(row)} data-row=${number} aria-rowindex=${number + 2} class=${href ? "linked" : undefined}
            aria-current=${isCurrent?.(row) ? "true" : undefined}>
            ${columns.map((column, place) => {
              const shown = column.show(row);
              const body = place === 0 && href ? html`<a class="row-link" href=${href}>${shown}</a>` : shown;
              return place === 0
                ? html`<th scope="row" class=${cellClass(column)}>${body}</th>`
                : html`<td class=${cellClass(column)} data-label=${column.label} title=${column.titleOf?.(row)}>${body}</td>`;
            })}
          </tr>`;
        })}
        ${last < sorted.length &&
        html`<tr aria-hidden="true" class="spacer"><td colspan=${columns.length} style=${{ height: `${(sorted.length - last) * ROW_PIXELS}px` }}></td></tr>`}
      </tbody>
    </table>
  </div>`;
}

/** Before the label where figures are: they end where it does. */
const ARROW = html`<i aria-hidden="true"></i>`;

/** Below it, the box of a table with columns of fixed widths is scrolled sideways. */
function leastWidth(columns) {
  const widths = columns.map(({ width = "" }) => (width.endsWith("em") ? parseFloat(width) : 7.5));
  return `${widths.reduce((sum, width) => sum + width, 6)}em`;
}

const cellClass = ({ align, key, kind = "" }) => `${align === "right" ? "right" : ""} cell-${key} ${kind}`.trim();

/** A part of a whole as a bar with its figure. */
export function Bar({ share, text, tone = "ink" }) {
  const width = Math.max(0, Math.min(1, share || 0)) * 100;
  return html`<span class=${`bar tone-${tone}`}><span class="bar-track"><span class="bar-fill" style=${{ width: `${width}%` }}></span></span>
    <span class="bar-text">${text}</span></span>`;
}
