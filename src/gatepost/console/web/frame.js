// What stands around every page: its name and pages, the state, the range of time, the clock.

import { effect, html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/libraries.js";
import { BASE, change, instance, isCompared, isPaused, place, RANGES, range, setRange, to } from "./store.js";
import { answeredAt, isSignedOut, silence, unanswered, useData, useSession } from "./data.js";
import { clock, fullMoment, zone } from "./format.js";
import { CopyMenu } from "./copy.js";
import { KeyHelp, showKeys } from "./keys.js";
import { isPaletteOpen, Palette } from "./palette.js";
import { PAGES } from "./pages.js";
import { SignIn, SignOut } from "./sign_in.js";
import { StateLine } from "./state_line.js";

const FIRST_ANSWERS_MS = 1_000;

export function Frame() {
  if (isSignedOut.value) return html`<${SignIn} />`;
  return html`
    <a class="skip" href="#page">To the page</a>
    <${Header} />
    <${StateLine} />
    <${Page} />
    <${Palette} /><${KeyHelp} />
  `;
}

function Header() {
  const { data: session } = useSession();
  const pages = useRef(null);
  // Where they have no room beside each other, the one that is shown is among those that are seen.
  useLayoutEffect(() => {
    const here = pages.current.querySelector("[aria-current]");
    if (here) pages.current.scrollLeft = here.offsetLeft - (pages.current.clientWidth - here.offsetWidth) / 2;
  }, [place.value.page]);
  return html`<header class="top">
    <a class="brand" href=${to("now")} aria-label="Gatepost, now">
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d="M1 1H5V15H1ZM11 1H15V15H11ZM5 6H11V9H5Z" /></svg>
      <span>Gatepost</span>
    </a>
    <${InstanceChooser} session=${session} />
    <nav aria-label="Pages" ref=${pages}>
      <ul>
        ${PAGES.map(({ page, label }) => {
          const isHere = place.value.page === page;
          return html`<li><a href=${to(page)} aria-current=${isHere ? "page" : undefined}>${label}</a></li>`;
        })}
      </ul>
    </nav>
    <div class="tools">
      <button type="button" class="quiet find" onClick=${() => (isPaletteOpen.value = true)}>Go to <kbd>Ctrl K</kbd></button>
      <${CopyMenu} />
      <button type="button" class="quiet" onClick=${showKeys} aria-label="Keys (?)"><kbd>?</kbd></button>
      <${SignOut} session=${session} />
    </div>
  </header>`;
}

function InstanceChooser({ session }) {
  const { data } = useData("instances", { every: 30, ofAll: true });
  const all = data?.instances ?? [];
  const own = session?.instance ?? all.find((each) => each.is_this)?.name ?? "";
  const found = all.filter(({ name, state }) => ["running", "silent"].includes(state) || name === own || name === instance.value);
  if (found.length < 2) return html`<span class="instance" title=${session?.environment ?? ""}>${own || " "}</span>`;
  const chosen = instance.value || own;
  return html`<select class="instance" aria-label="Instance" value=${chosen}
    onChange=${(event) => change({ instance: event.target.value === own ? undefined : event.target.value })}>
    ${found.map(({ name, state }) => html`<option value=${name} selected=${name === chosen}>${name}${state === "running" ? "" : ` (${state})`}</option>`)}
  </select>`;
}

/** The heading of a page with the range beside it. `children` stand between. */
export function PageHead({ title, children, hasRange = true }) {
  return html`<div class="page-head">
    <h1>${title}</h1>
    ${children}
    <span class="grow"></span>
    ${hasRange && html`<${RangeChooser} />`}
    <${Clock} />
  </div>`;
}

function RangeChooser() {
  const { key, from, to: until } = range.value;
  const isOwn = key === "own";
  const [isOpen, setOpen] = useState(false);
  return html`<div class="range" role="group" aria-label="Range of time">
    ${RANGES.map(
      (each) => html`<button type="button" aria-pressed=${each.key === key}
        onClick=${() => change({ range: each.key, from: undefined, to: undefined })}>${each.label}</button>`,
    )}
    <button type="button" aria-pressed=${isOwn} aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}
      title=${isOwn ? `${fullMoment(from)} to ${fullMoment(until)}` : "A custom range; dragging over a chart sets one"}>
      ${isOwn ? `${clock(from)} – ${clock(until)}` : "custom"}
    </button>
    ${isOpen && html`<${OwnRange} close=${() => setOpen(false)} />`}
    <label class="compare"><input type="checkbox" checked=${isCompared.value}
      onChange=${(event) => change({ compare: event.target.checked ? "yesterday" : undefined })} /> yesterday</label>
  </div>`;
}

const local = (seconds) => {
  const date = new Date(seconds * 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
};

function OwnRange({ close }) {
  const now = Date.now() / 1000;
  const { from = now - range.value.seconds, to: until = now } = range.value;
  const [wrong, setWrong] = useState("");
  const submit = (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const [begin, end] = ["from", "to"].map((name) => new Date(form.get(name)).getTime() / 1000);
    if (!(end > begin)) return setWrong("It ends before it begins.");
    setRange(begin, end);
    return close();
  };
  useEffect(() => document.querySelector(".own-range input")?.focus(), []);
  return html`<form class="own-range" onSubmit=${submit} onKeyDown=${(event) => event.key === "Escape" && close()}>
    <label>From <input name="from" type="datetime-local" required value=${local(from)} /></label>
    <label>To <input name="to" type="datetime-local" required value=${local(until)} /></label>
    <span class="quiet">${zone}</span>
    <button type="submit" class="primary">Show</button>
    ${wrong && html`<p role="alert">${wrong}</p>`}
  </form>`;
}

/** Live, paused, or of when. */
function Clock() {
  const said = silence.value;
  const at = answeredAt.value;
  const isLive = !isPaused.value && range.value.isLive && !said;
  const text = said
    ? `as of ${clock(said.at ?? at, { seconds: true })}`
    : isPaused.value
      ? `paused ${clock(at, { seconds: true })}`
      : range.value.isLive
        ? clock(at, { seconds: true })
        : "not live";
  return html`<button type="button" class=${`clock ${said ? "late" : isLive ? "live" : ""}`} aria-pressed=${isPaused.value}
    title=${said?.detail ?? `Local time, ${zone}`}
    onClick=${() => (isPaused.value = !isPaused.value)}>
    <i aria-hidden="true"></i><span class="visually-hidden">Pause </span><span>${text}</span>
  </button>`;
}

/** Whether a page has its first answers, or has waited long enough for them. What it draws of each takes its place in the
 *  same moment: nothing that was seen moves. */
function useFirstAnswers(page, isLoaded) {
  const [answered, setAnswered] = useState();
  useLayoutEffect(() => {
    if (!isLoaded) return undefined;
    const timer = setTimeout(() => setAnswered(page), FIRST_ANSWERS_MS);
    const stop = effect(() => {
      if (unanswered.value === 0) setAnswered(page);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [page, isLoaded]);
  return answered === page;
}

function Page() {
  const { page } = place.value;
  const known = PAGES.find((each) => each.page === page);
  const [loaded, setLoaded] = useState({});
  useEffect(() => {
    if (!known || loaded[page]) return;
    known.load().then(
      (module) => setLoaded((before) => ({ ...before, [page]: module.default })),
      () => setLoaded((before) => ({ ...before, [page]: Unloaded })),
    );
  }, [page]);
  const Shown = known ? loaded[page] : Unknown;
  const isAnswered = useFirstAnswers(page, Shown !== undefined);
  const said = silence.value;
  return html`<main id="page" tabindex="-1" class=${`${said ? "stale" : ""} ${isAnswered ? "" : "unanswered"} page-${page}`} aria-busy=${!isAnswered}>
    ${said && html`<p class="late-note" role="status">As of ${clock(said.at ?? answeredAt.value, { seconds: true })}: ${said.detail}</p>`}
    ${Shown && html`<${Shown} />`}
  </main>`;
}

function Unknown() {
  return html`<${PageHead} title="No such page" hasRange=${false} />
    <p>The console has no page at <code>${location.pathname.slice(BASE.length)}</code>. <a href=${to("now")}>What happens now</a></p>`;
}

function Unloaded() {
  return html`<${PageHead} title="Not loaded" hasRange=${false} />
    <p>The files of this page could not be loaded: the server may be another release by now. <a href=${location.href} target="_self">Load the console again</a></p>`;
}
