// Where figures lead. Every link keeps the range and the instance.

import { html } from "./vendor/libraries.js";
import { to } from "./store.js";
import { fullMoment, ago, clock } from "./format.js";

export const toOperation = (name, query) => to("traffic", name, query);
export const toError = (id) => to("errors", id);
export const toErrors = () => to("errors");
export const toCode = (code) => to("errors", "", { tab: "refusals", code });
export const toStatements = (query) => to("database", "", { statement: query });
export const toAlert = (name) => to("alerts", name);
export const toClient = (by, key) => to("clients", "", { by, key });
export const toLogs = (query) => to("logs", "", query);
export const toRequest = (id) => to("logs", "", { request: id });

/** A link; `class` and `title` as of an element. */
export const Link = ({ href, class: kind, title, label, children }) =>
  html`<a href=${href} class=${kind} title=${title} aria-label=${label}>${children}</a>`;

/** A moment: how long ago, or the time of day; the whole one in its title. */
export function Moment({ at, since = false, seconds = false }) {
  return html`<time datetime=${String(at ?? "")} title=${fullMoment(at)}>${since ? ago(at) : clock(at, { seconds })}</time>`;
}

/** The operation that a name is of, as people write it: GET /api/books. */
export function Route({ method, path }) {
  return html`<span class="route"><span class="method">${method}</span> ${path}</span>`;
}
