// Logs: the newest lines, filters as chips, how many of each level over time; older lines as one scrolls down.

import { html, useEffect, useRef, useState } from "../vendor/libraries.js";
import { fetchPage, wordsOf } from "../data.js";
import { clock, duration, fullMoment, number, shortKey, visible } from "../format.js";
import { toError, toOperation, toRequest } from "../links.js";
import { BASE, change, instance, isLive, place, range } from "../store.js";
import { commandOf, useCopies } from "../copy.js";
import { PageHead } from "../frame.js";
import { FillWith } from "../first_requests.js";
import { hiddenAddress, hiddenUser, isRevealed, Reveal } from "../reveal.js";
import { LevelBars } from "../level_bars.js";

const LEVELS = ["debug", "info", "warning", "error"];
const CATEGORIES = ["access", "application", "error", "security"];
const FILTERS = ["category", "level", "route", "actor", "request", "client", "code"];
const POLL_MS = 3_000;
const KEPT_LINES = 3_000;

export default function Logs() {
  const { query } = place.value;
  const asked = Object.fromEntries(FILTERS.filter((name) => query[name]).map((name) => [name, query[name]]));
  const { seconds, from, to, isLive: goesOn } = range.value;
  const since = goesOn ? `${Math.round(seconds)}s` : new Date(from * 1000).toISOString();
  const words = Object.entries(asked).flatMap(([name, value]) => [`--${name}`, value]);
  useCopies({
    path: `logs?${new URLSearchParams(asked)}`,
    command: commandOf("logs", ...words),
    requestId: asked.request,
  });
  return html`
    <${PageHead} title="Logs"><${Reveal} /><//>
    <${Filters} query=${query} />
    <${LevelBars} category=${query.category} since=${since} />
    <${Lines} asked=${asked} since=${asked.request ? undefined : since} until=${goesOn ? undefined : to} key=${JSON.stringify([asked, since, to, instance.value])} />
  `;
}

function Filters({ query }) {
  const chip = (name, value, label = value) => {
    const isOn = query[name] === value;
    return html`<button type="button" class="chip" aria-pressed=${isOn ? "true" : "false"} onClick=${() => change({ [name]: isOn ? undefined : value })}>${label}</button>`;
  };
  const set = FILTERS.filter((name) => !["category", "level"].includes(name) && query[name]);
  const [isOpen, setOpen] = useState(false);
  return html`<div class="filters" role="group" aria-label="Filters">
    ${CATEGORIES.map((name) => chip("category", name))}
    <span class="divide"></span>
    ${LEVELS.slice(1).map((name) => chip("level", name, name === "error" ? "error" : `${name} +`))}
    <span class="divide"></span>
    ${set.map(
      (name) => html`<button type="button" class="chip set" aria-label=${`Without ${name} ${query[name]}`} onClick=${() => change({ [name]: undefined })}>
        <span class="quiet">${name}</span> ${visible(shortKey(query[name]).length < 20 ? query[name] : shortKey(query[name]))} <span aria-hidden="true">×</span></button>`,
    )}
    ${isOpen ? html`<${AddFilter} close=${() => setOpen(false)} />` : html`<button type="button" class="chip" onClick=${() => setOpen(true)}>+ filter</button>`}
  </div>`;
}

function AddFilter({ close }) {
  const form = useRef(null);
  useEffect(() => form.current.elements.value.focus(), []);
  const submit = (event) => {
    event.preventDefault();
    const { name, value } = Object.fromEntries(new FormData(form.current));
    if (value.trim()) change({ [name]: value.trim() });
    close();
  };
  return html`<form ref=${form} class="add-filter" onSubmit=${submit} onKeyDown=${(event) => event.key === "Escape" && close()}>
    <select name="name" aria-label="Filter by">
      ${[["route", "route"], ["request", "request ID"], ["actor", "user"], ["client", "address or network"], ["code", "code"]].map(([value, label]) => html`<option value=${value}>${label}</option>`)}
    </select>
    <input name="value" type="text" data-filter aria-label="Value" autocomplete="off" spellcheck=${false} />
    <button type="submit">Filter</button>
  </form>`;
}

/** The lines of one set of filters. The newest are on top; while the reader has scrolled down, new ones wait. */
function Lines({ asked, since, until }) {
  const [lines, setLines] = useState(undefined);
  const [waiting, setWaiting] = useState([]);
  const [wrong, setWrong] = useState(undefined);
  const [before, setBefore] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const newest = useRef(undefined);
  const top = useRef(null);
  const isAtTop = () => window.scrollY < 260;
  const query = (more) => `logs?${new URLSearchParams({ ...asked, ...(since ? { since } : {}), ...more })}`;
  const inRange = (found) => (until === undefined ? found : found.filter((line) => !line.time || Date.parse(line.time) / 1000 <= until));

  useEffect(() => {
    let isGone = false;
    let timer;
    const load = async () => {
      if (isGone) return;
      if (lines !== undefined && !isLive.peek()) {
        timer = setTimeout(load, 500);
        return;
      }
      try {
        const isFirst = newest.current === undefined;
        const found = await fetchPage(query(isFirst ? { count: 200 } : { after: newest.current, count: 500 }));
        if (isGone) return;
        newest.current = found.newest;
        const fresh = inRange(found.lines).reverse();
        if (isFirst) {
          setLines(fresh);
          setBefore(found.before);
        } else if (fresh.length) {
          if (isAtTop()) setLines((known = []) => [...fresh, ...known].slice(0, KEPT_LINES));
          else setWaiting((known) => [...fresh, ...known].slice(0, KEPT_LINES));
        }
        setWrong(undefined);
      } catch (error) {
        if (!isGone) setWrong(error);
      }
      if (!isGone && until === undefined) timer = setTimeout(load, POLL_MS);
    };
    load();
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, []);

  const older = async () => {
    setBusy(true);
    try {
      const found = await fetchPage(query({ before, count: 500 }));
      setLines((known) => [...known, ...inRange(found.lines).reverse()]);
      setBefore(found.before);
    } catch (error) {
      setWrong(error);
    }
    setBusy(false);
  };
  const showWaiting = () => {
    setLines((known) => [...waiting, ...known].slice(0, KEPT_LINES));
    setWaiting([]);
    scrollTo(0, 0);
  };
  const isFiltered = Object.keys(asked).length > 0;
  return html`<section class="log" aria-label="Lines" ref=${top}>
    ${waiting.length > 0 && html`<button type="button" class="primary waiting" onClick=${showWaiting}>${waiting.length} new</button>`}
    ${wrong && html`<p class="empty">${wordsOf(wrong)}</p>`}
    ${lines && !lines.length && !wrong && !isFiltered && html`<${FillWith}>No line in this range. Each request leaves one:<//>`}
    ${lines && !lines.length && !wrong && isFiltered && html`<p class="empty">No line of this range matches.
      <button type="button" class="small" onClick=${() => change(Object.fromEntries(FILTERS.map((name) => [name, undefined])))}>Without filters</button></p>`}
    <ol>${lines?.map((line) => html`<${Line} key=${keyOf(line)} line=${line} />`)}</ol>
    ${lines?.length >= KEPT_LINES && html`<p class="quiet">${number(lines.length)} lines are shown: a filter, or an earlier range, leads to older ones.</p>`}
    ${before && lines.length < KEPT_LINES && html`<p><button type="button" disabled=${isBusy} onClick=${older}>Older lines</button></p>`}
    ${lines?.length > 0 && html`<p class="quiet"><a href=${`${BASE}/api/${query({ count: 1000 })}`} download="gatepost.json">These lines as JSON</a></p>`}
  </section>`;
}

const numbers = new WeakMap();
let next = 0;
function keyOf(line) {
  if (!numbers.has(line)) numbers.set(line, (next += 1));
  return numbers.get(line);
}

const KNOWN = new Set(["time", "level", "category", "event", "method", "path", "route", "status", "seconds", "request_id", "raw", "client", "actor_id", "operation", "code"]);

function Line({ line }) {
  const [isOpen, setOpen] = useState(false);
  if (line.raw !== undefined) return html`<li class="line"><code class="line-text">${visible(line.raw)}</code></li>`;
  const isAccess = line.category === "access" && line.event === "request";
  const level = line.status >= 500 ? "error" : line.level;
  return html`<li class=${`line ${level} ${isOpen ? "open" : ""}`}>
    <button type="button" class="line-open" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>
      <time title=${fullMoment(line.time)}>${clock(line.time, { seconds: true })}</time>
      <span class="line-level">${level}</span>
      <span class="line-text">${
        isAccess
          ? html`<b class=${line.status >= 500 ? "bad" : ""}>${line.status}</b> <span class="method">${line.method}</span> ${visible(line.path)} <span class="quiet">${duration(line.seconds)}${line.code ? ` · ${line.code}` : ""}</span>`
          : html`<b>${visible(line.event)}</b> <span class="quiet">${visible(summaryOf(line))}</span>`
      }</span>
    </button>
    ${isOpen && html`<${Fields} line=${line} />`}
  </li>`;
}

/** What a traceback ends with: the error. */
const lastLineOf = (text) => String(text).trim().split("\n").at(-1);

const summaryOf = (line) =>
  Object.entries(line)
    .filter(([name, value]) => !KNOWN.has(name) && value !== null && typeof value !== "object")
    .map(([name, value]) => `${name}=${name === "exception" ? lastLineOf(value) : value}`)
    .join(" ")
    .slice(0, 300);

function Fields({ line }) {
  return html`<dl class="facts fields">
    ${Object.entries(line)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => {
        const text = typeof value === "object" ? JSON.stringify(value, undefined, 1) : String(value);
        const seen = isRevealed.value ? text : name === "client" ? hiddenAddress(text) : name === "actor_id" ? hiddenUser(text) : text;
        const filter = { request_id: "request", route: "route", actor_id: "actor", client: "client", code: "code", category: "category" }[name];
        return html`<dt>${visible(name)}</dt>
          <dd>${
            name === "operation"
              ? html`<a href=${toOperation(text)}>${visible(text)}</a>`
              : name === "fingerprint"
                ? html`<a href=${toError(text)}>${visible(text)}</a>`
                : text.includes("\n")
                  ? html`<pre>${visible(text)}</pre>`
                  : visible(seen)
          }${filter && html` <button type="button" class="small" onClick=${() => change({ [filter]: text })}>only these</button>`}</dd>`;
      })}
    ${line.request_id && html`<dt></dt><dd><a href=${toRequest(line.request_id)}>Everything of this request</a></dd>`}
  </dl>`;
}
