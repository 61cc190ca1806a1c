// What pages show before there is anything: what the server serves, and a curl that fills the page.

import { html } from "./vendor/libraries.js";
import { Command } from "./copy.js";
import { visible } from "./format.js";
import { useData, useSession } from "./data.js";

/** Beginnings of the names of what every server has. */
const BUILT_IN = new Set(["console", "docs", "livez", "openapi", "problem", "readyz", "startpage"]);

/** Whether an operation is one that only a load balancer asks for. */
export const isProbe = (route) => route?.is_probe ?? false;

/** Where the API is served: here, or at its port. */
export function apiAddress(session) {
  if (session?.how === "user") return location.origin;
  return `http://127.0.0.1:${session?.port ?? 8000}`;
}

/** What anybody may read: a list where there is one. */
function firstOf(operations) {
  const open = operations.filter((each) => each.method === "GET" && !each.path.includes("{") && each.allow === "anyone" && !isProbe(each));
  return open.find(({ operation }) => operation.endsWith(".list")) ?? open[0];
}

/** The curl for an operation; what is not known stands as it does in its path. */
function curlFor({ method, path, allow }, address, query = "", asUser = false) {
  const words = ["curl -s", ...(method === "GET" ? [] : [`-X ${method}`]), query || path.includes("{") ? `'${address}${path}${query}'` : `${address}${path}`];
  if (asUser || allow !== "anyone") words.push('-H "authorization: Bearer $TOKEN"');
  if (["POST", "PUT", "PATCH"].includes(method)) words.push("-H 'content-type: application/json' -d '{}'");
  return words.join(" ");
}

/** A curl that fills what is empty: of this operation, or of one that anybody may read, with this query, and as a user
 *  where that is what counts. */
export function FillWith({ route, query, asUser, children }) {
  const application = useData("application", { every: 60 }).data;
  const { data: session } = useSession();
  const asked = route ?? firstOf(application?.operations ?? []);
  return html`<div class="empty">
    <p>${children}</p>
    ${asked && html`<${Command} text=${curlFor(asked, apiAddress(session), query, asUser)} label="A request that fills this" />`}
  </div>`;
}

export function FirstRequests({ application }) {
  const { data: session } = useSession();
  const operations = application?.operations ?? [];
  const address = apiAddress(session);
  const first = firstOf(operations);
  const signIn = operations.find(({ path }) => path.endsWith("/auth/login"));
  const own = operations.filter(({ operation }) => !BUILT_IN.has(operation.split(".")[0]));
  const resources = Map.groupBy?.(own, ({ operation }) => operation.split(".")[0]) ?? new Map();
  return html`<section class="section" aria-labelledby="first">
    <div class="section-head"><h2 id="first">No request yet</h2></div>
    <div class="columns">
      <div class="empty">
        <p>Send one, and this page fills:</p>
        ${first && html`<${Command} text=${`curl -s ${address}${first.path}`} />`}
        ${signIn && html`<p>To sign in, with a user of yours:</p>
          <${Command} text=${`curl -s ${address}${signIn.path} -H 'content-type: application/json' -d '{"email": "you@example.com", "password": "..."}'`} />`}
        <p><a href=${`${address}/docs`} target="_blank" rel="noreferrer">API documentation</a></p>
      </div>
      <dl class="facts routes">
        ${[...resources].slice(0, 14).map(
          ([name, each]) => html`<dt>${visible(name)}</dt><dd>${each.map(({ method, path }) => html`<code>${method} ${visible(path)}</code>`)}</dd>`,
        )}
      </dl>
    </div>
  </section>`;
}
