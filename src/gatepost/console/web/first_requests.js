// What a new server shows before its first request: what it serves, and a curl that fills the page.

import { html } from "./vendor/libraries.js";
import { Command } from "./copy.js";
import { visible } from "./format.js";
import { useSession } from "./data.js";

const settingOf = (application, name) => application?.settings.find(({ variable }) => variable === name)?.value;

/** Where the API is served: here, or at the port of its settings. */
export function apiAddress(application, session) {
  if (session?.how === "user") return location.origin;
  return `http://127.0.0.1:${settingOf(application, "GATEPOST_PORT") ?? 8000}`;
}

export function FirstRequests({ application }) {
  const { data: session } = useSession();
  const operations = application?.operations ?? [];
  const address = apiAddress(application, session);
  const lists = operations.filter(({ method, path, allow }) => method === "GET" && !path.includes("{") && allow === "anyone");
  const first = lists.find(({ operation }) => operation.endsWith(".list")) ?? lists[0];
  const signIn = operations.find(({ path }) => path.endsWith("/auth/login"));
  const resources = Map.groupBy?.(operations, ({ operation }) => operation.split(".")[0]) ?? new Map();
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
      <dl class="facts">
        ${[...resources].slice(0, 14).map(
          ([name, each]) => html`<dt>${visible(name)}</dt><dd>${each.map(({ method, path }) => html`<code>${method} ${visible(path)}</code>${" "}`)}</dd>`,
        )}
      </dl>
    </div>
  </section>`;
}
