// The state of the instance in words, on top of every page, and each part of it a link.

import { html, useEffect } from "./vendor/libraries.js";
import { useData } from "./data.js";
import { toCode, toError, toErrors, toLogs, toOperation } from "./links.js";
import { to } from "./store.js";
import { clock, duration, epoch, number, percent, visible } from "./format.js";
import { toChange, wordOf } from "./marks.js";

const WORDS = { ok: "Healthy", degraded: "Degraded", down: "Down" };

/** Where commands that the server names lead here. */
const COMMANDS = [
  ["gatepost errors show ", (text) => toError(text.split(" ").at(-1))],
  ["gatepost errors", () => toErrors()],
  ["gatepost logs --level error", () => toLogs({ level: "error" })],
  ["gatepost logs --category security", () => toLogs({ category: "security" })],
  ["gatepost logs", () => toLogs()],
  ["gatepost alerts", () => to("alerts")],
  ["gatepost db", () => to("database")],
  ["gatepost top operations", () => to("traffic")],
  ["gatepost top clients", () => to("clients")],
  ["gatepost top database", () => to("database")],
  ["gatepost top instances", () => to("system")],
];

/** A sentence of the server with links in place of what stands in backticks: routes, codes, releases, commands. */
export function Linked({ text, operations = [], codes = {} }) {
  const parts = visible(text).split(/(`[^`]+`|gatepost errors show [0-9a-f]+)/);
  return html`${parts.map((part, index) => (index % 2 ? html`<${Term} text=${part.replaceAll("`", "")} operations=${operations} codes=${codes} />` : part))}`;
}

/** A command that the server names as what to look at, as a link. */
export const LookAt = ({ text }) => (text ? html`<${Term} text=${text} operations=${[]} codes=${{}} />` : null);

function Term({ text, operations, codes }) {
  const operation = operations.find((each) => `${each.method} ${each.path}` === text || each.operation === text);
  const command = COMMANDS.find(([begin]) => text.startsWith(begin));
  const href = operation
    ? toOperation(operation.operation)
    : text in codes || (/^[a-z]+(_[a-z]+)+$/.test(text) && !text.startsWith("gatepost"))
      ? toCode(text)
      : command
        ? command[1](text)
        : undefined;
  return href ? html`<a href=${href}>${command ? text.replace(/^gatepost /, "") : text}</a>` : html`<code>${text}</code>`;
}

/** The sign of a state: its shape differs, not only its colour. Open, half shut, shut. */
export function StateSign({ status }) {
  const bar = { ok: "", degraded: "M8 13 24 8.5V12.5L8 17Z", down: "M8 11H24V15H8ZM8 19H24V23H8Z" }[status] ?? "M8 14H12V17H8ZM14 14H18V17H14ZM20 14H24V17H20Z";
  return html`<svg class="state-sign" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true">
    <path d="M3 3H8V29H3ZM24 3H29V29H24Z" /><path class="bar" d=${bar} />
  </svg>`;
}

/** The requests of the last minute in a sentence. */
function figuresOf({ requests, errors, window_seconds: seconds, seconds: took, workers }) {
  const ready = workers.filter((worker) => worker.is_ready).length;
  const workersNote = ready === workers.length ? "" : `${ready} of ${workers.length} workers ready; `;
  if (!requests) return `${workersNote}No requests in the last minute.`;
  const failing = errors ? `${percent(errors / requests)} failing` : "none failing";
  return `${workersNote}${number(requests / seconds)} requests a second, 95 % within ${duration(took.p95)}, ${failing}.`;
}

export function StateLine() {
  const { data, error, isStale, at } = useData("state");
  const application = useData("application", { every: 60 }).data;
  const alerts = useData("alerts", { every: 10 }).data?.alerts ?? [];
  const firing = alerts.filter(({ state }) => state === "firing").length;
  // What was so a while ago is not what is so.
  const status = isStale ? "unknown" : (data?.status ?? "unknown");
  useEffect(() => {
    document.title = data && !isStale ? `${WORDS[status]} · ${data.instance} · Gatepost` : "Gatepost console";
  }, [status, isStale, data?.instance]);
  const figures = data ? figuresOf(data) : "";
  const words = { operations: application?.operations, codes: data?.codes };
  return html`<section class=${`state ${status} ${isStale ? "stale" : ""}`} aria-label="State">
    <${StateSign} status=${status} />
    <div class="state-words">
      <p class="sentence" role="status">${
        isStale
          ? html`<strong>Not known.</strong> ${visible(error.message)} At ${clock(at, { seconds: true })} it was ${WORDS[data.status].toLowerCase()}.`
          : data
            ? html`<${Sentence} state=${data} words=${words} figures=${figures} firing=${firing} />`
            : (error?.message ?? " ")
      }</p>
      ${data && !isStale && status !== "ok" && html`<p class="figures"><a href=${to("traffic")}>${figures}</a></p>`}
    </div>
  </section>`;
}

function Sentence({ state, words, figures, firing }) {
  const { status, incident, problems } = state;
  const lasts = incident && !incident.recovered_at;
  if (status === "ok") {
    return html`<strong>${WORDS.ok}.</strong>${" "}
      ${incident?.recovered_at && html`<a href=${aroundOf(incident)}>Recovered at ${clock(incident.recovered_at)} after ${duration(incident.seconds)}.</a>${" "}`}
      ${firing > 0 && html`<a href=${to("alerts")}>${firing === 1 ? "1 alert is" : `${firing} alerts are`} firing.</a>${" "}`}
      <a class="figures-inline" href=${to("traffic")}>${figures}</a>`;
  }
  return html`<strong>${WORDS[status]}${lasts ? html` since <a href=${aroundOf(incident)}>${clock(incident.since)}</a>` : ""}.</strong>${" "}
    <${Linked} text=${problems[0] ?? incident?.problem} ...${words} />
    ${lasts && incident.change && html`${" "}<${Began} incident=${incident} />`}`;
}

/** Next to which change it began. */
function Began({ incident: { change, since } }) {
  const seconds = epoch(since) - epoch(change.at);
  const what = change.subject ? html`${wordOf(change.kind).toLowerCase()} <code>${visible(change.subject)}</code>` : visible(change.summary.replace(/\.$/, ""));
  return html`<span>Began ${seconds > 5 ? `${duration(Math.round(seconds))} after` : "with"} <a href=${toChange(change)}>${what}</a>.</span>`;
}

const AROUND_SECONDS = 600;

/** Now, in the range around an incident. */
function aroundOf({ since, recovered_at: until }) {
  const iso = (seconds) => new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
  const end = until ? epoch(until) + AROUND_SECONDS : Date.now() / 1000;
  return to("now", "", { from: iso(epoch(since) - AROUND_SECONDS), to: iso(end), range: undefined });
}
