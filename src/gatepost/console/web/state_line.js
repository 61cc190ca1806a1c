// The state of the instance in words, on top of every page, and each part of it a link.

import { html, useEffect } from "./vendor/libraries.js";
import { useData } from "./data.js";
import { toCode, toErrors, toLogs, toOperation } from "./links.js";
import { to } from "./store.js";
import { visible } from "./format.js";

const WORDS = { ok: "Well", degraded: "Degraded", down: "Down" };

/** Where commands that the server names lead here. */
const COMMANDS = [
  ["gatepost errors", () => toErrors()],
  ["gatepost logs --level error", () => toLogs({ level: "error" })],
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
  const parts = visible(text).split(/`([^`]+)`/);
  return html`${parts.map((part, index) => (index % 2 ? html`<${Term} text=${part} operations=${operations} codes=${codes} />` : part))}`;
}

function Term({ text, operations, codes }) {
  const operation = operations.find((each) => `${each.method} ${each.path}` === text || each.operation === text);
  const command = COMMANDS.find(([begin]) => text.startsWith(begin));
  const href = operation
    ? toOperation(operation.operation)
    : text in codes
      ? toCode(text)
      : command
        ? command[1]()
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

/** First what is wrong, then the figures. */
export function splitSentence(sentence) {
  const at = sentence.search(/ (?:Workers ready|Worker ready)/);
  return at < 0 ? [sentence, ""] : [sentence.slice(0, at), sentence.slice(at + 1)];
}


export function StateLine() {
  const { data, error, isStale } = useData("state");
  const application = useData("application", { every: 60 }).data;
  const status = data?.status ?? "unknown";
  useEffect(() => {
    document.title = data ? `${WORDS[status]} · ${data.instance} · Gatepost` : "Gatepost console";
  }, [status, data?.instance]);
  const [head, figures] = data ? splitSentence(data.sentence) : [error ? error.message : "", ""];
  const isWell = status === "ok";
  return html`<section class=${`state ${status} ${isStale ? "stale" : ""}`} aria-label="State">
    <${StateSign} status=${status} />
    <div class="state-words">
      <p class="sentence" role="status">
        ${data && html`<strong>${WORDS[status]}${data.since ? html` since <${Since} at=${data.since} />` : ""}.</strong>${" "}`}
        ${!(isWell && head === "All is well.") && html`<${Linked} text=${head} operations=${application?.operations} codes=${data?.codes} />`}
        ${isWell && figures && html`<a class="figures-inline" href=${to("traffic")}>${figures}</a>`}
      </p>
      ${!isWell && html`<p class="figures">${figures ? html`<a href=${to("traffic")}>${figures}</a>` : " "}</p>`}
    </div>
  </section>`;
}

function Since({ at }) {
  return html`<time datetime=${at}>${new Date(at).toTimeString().slice(0, 5)}</time>`;
}
