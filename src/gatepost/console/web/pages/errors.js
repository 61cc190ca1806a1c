// Errors: what nobody expected, grouped by what failed; and in a second tab what was refused, by code.

import { html, useState } from "../vendor/libraries.js";
import { refreshAll, send, useData, useSession } from "../data.js";
import { counted, duration, number, percent, share, shortKey, visible } from "../format.js";
import { Moment, Route, toCode, toError, toErrors, toLogs, toOperation, toRequest } from "../links.js";
import { change, place, to } from "../store.js";
import { useCopies } from "../copy.js";
import { PageHead } from "../frame.js";
import { Bar, Table } from "../table.js";
import { useTraffic } from "../range_traffic.js";
import { Act } from "../act.js";
import { Traceback } from "../traceback.js";
import { apiAddress, FillWith } from "../first_requests.js";
import { FirstError } from "../first_error.js";

export default function Errors() {
  const { name, query } = place.value;
  if (name) return html`<${Group} id=${name} />`;
  return html`
    <${PageHead} title="Errors"><${Tabs} tab=${query.tab} /><//>
    ${query.tab === "refusals" ? html`<${Refusals} />` : html`<${Groups} />`}
  `;
}

function Tabs({ tab }) {
  const isRefusals = tab === "refusals";
  return html`<div class="tabs" role="navigation" aria-label="Kinds of errors">
    <a href=${toErrors()} aria-current=${isRefusals ? undefined : "page"}>Unexpected</a>
    <a href=${to("errors", "", { tab: "refusals" })} aria-current=${isRefusals ? "page" : undefined}>Refused</a>
  </div>`;
}

const GROUPS_SHOWN = 50;

function Groups() {
  const { data } = useData("errors", { every: 10 });
  const { filter = "", resolved } = place.value.query;
  const [most, setMost] = useState(GROUPS_SHOWN);
  useCopies({ path: "errors", command: "gatepost errors list" });
  const all = data?.errors ?? data?.groups ?? [];
  const shown = all.filter((group) => (resolved ? true : group.state === "open") && `${group.kind} ${group.message} ${group.where}`.toLowerCase().includes(filter.toLowerCase()));
  const hidden = all.filter((group) => group.state !== "open").length;
  return html`
    <div class="filters">
      <input type="search" data-filter placeholder="Filter by type, text, function" aria-label="Filter errors" value=${filter}
        onInput=${(event) => change({ filter: event.target.value }, { replace: true })} />
      ${hidden > 0 && html`<button type="button" class="chip" aria-pressed=${resolved ? "true" : "false"} onClick=${() => change({ resolved: resolved ? undefined : "1" })}>resolved too (${hidden})</button>`}
    </div>
    ${data && !all.length && html`<div class="empty"><p><b>No unexpected error.</b> An exception that no code expects is answered with a bland 500, and listed here with its traceback.</p>
      <p>What was refused, such as with 404 and 422, is in <a href=${to("errors", "", { tab: "refusals" })}>the other tab</a>.</p>
      <${FirstError} /></div>`}
    ${data && all.length > 0 && !shown.length && html`<p class="empty">None of the ${number(all.length)} groups is open and has “${filter}” in it.</p>`}
    <ul class="groups">${shown.slice(0, most).map((group) => html`<${Card} key=${group.id} group=${group} />`)}</ul>
    ${shown.length > most &&
    html`<p class="buttons"><button type="button" onClick=${() => setMost(most + GROUPS_SHOWN)}>Show ${number(Math.min(GROUPS_SHOWN, shown.length - most))} more</button>
      <span class="quiet">${number(most)} of ${number(shown.length)} are shown, the last ones first.</span></p>`}
  `;
}

/** The message without the name of its type, which stands before it. */
const messageOf = ({ kind, message }) => (message.startsWith(`${kind}: `) ? message.slice(kind.length + 2) : message);

function Card({ group }) {
  return html`<li class=${group.state}>
    <a class="group-link" href=${toError(group.id)}><b>${visible(group.kind)}</b> <span class="group-message">${visible(messageOf(group))}</span></a>
    <p class="quiet"><code>${visible(group.where)}</code></p>
    <dl>
      <div><dt>Times</dt><dd>${number(group.count)}</dd></div>
      <div><dt>Users</dt><dd>${number(group.users)}</dd></div>
      <div><dt>Last</dt><dd><${Moment} at=${group.last_at} since /></dd></div>
      <div><dt>First</dt><dd><${Moment} at=${group.first_at} since /></dd></div>
      <div><dt>Releases</dt><dd>${group.releases.map(shortKey).join(", ") || "–"}</dd></div>
      ${group.returned_at && html`<div><dt>Came back</dt><dd><${Moment} at=${group.returned_at} since /></dd></div>`}
    </dl>
  </li>`;
}

function Group({ id }) {
  const found = useData(`errors/${encodeURIComponent(id)}`, { every: 10 });
  const { data: session } = useSession();
  const [number_, setNumber] = useState(0);
  const group = found.data;
  const samples = group?.samples ?? [];
  const sample = samples[Math.min(number_, samples.length - 1)];
  useCopies({ path: `errors/${id}`, command: `gatepost errors show ${id}`, requestId: sample?.request_id });
  if (!group) return html`<${PageHead} title="Error" />${found.error && html`<p class="empty">${found.error.message} <a href=${toErrors()}>All errors</a></p>`}`;
  return html`
    <${PageHead} title=${visible(group.kind)} hasRange=${false}><a href=${toErrors()}>All errors</a><//>
    <p class="lead">${visible(messageOf(group))}</p>
    <p class="quiet">${group.state === "open" ? "Open" : html`Resolved <${Moment} at=${group.resolved_at} since />`}${" "}
      · ${counted(group.count, "time")}, ${counted(group.users, "user")} · first <${Moment} at=${group.first_at} since />, last <${Moment} at=${group.last_at} since />${" "}
      ${group.releases.length > 0 && ` · ${group.releases.map(shortKey).join(", ")}`} · ${group.instances?.join(", ")}</p>
    ${group.state === "open" &&
    html`<${Act} label="Resolve" session=${session} confirm="Every instance counts this error as resolved. It opens again, with an alert, when it happens once more."
      act=${() => send("PUT", `errors/${encodeURIComponent(id)}`, { state: "resolved" }).then(() => refreshAll("errors"))} />`}
    ${sample &&
    html`<div class="columns wide-left block">
      <section class="section" aria-labelledby="trace">
        <div class="section-head"><h2 id="trace">Traceback</h2>
          <span class="tabs">${samples.map((each, index) => html`<button type="button" class="chip" aria-pressed=${index === number_ ? "true" : "false"} onClick=${() => setNumber(index)}><${Moment} at=${each.at} seconds /></button>`)}</span></div>
        <${Traceback} text=${sample.traceback} />
      </section>
      <div>
        <section class="section" aria-labelledby="request">
          <div class="section-head"><h2 id="request">Request</h2></div>
          <dl class="facts">
            <dt>When</dt><dd><${Moment} at=${sample.at} seconds /></dd>
            ${sample.request_id && html`<dt>Request</dt><dd><a href=${toRequest(sample.request_id)}><code>${visible(sample.request_id)}</code></a></dd>`}
            ${sample.route && html`<dt>Route</dt><dd>${sample.operation ? html`<a href=${toOperation(sample.operation)}>${sample.method} ${visible(sample.route)}</a>` : `${sample.method} ${visible(sample.route)}`}</dd>`}
            ${sample.during && html`<dt>During</dt><dd>${visible(sample.during)}</dd>`}
            ${sample.release && html`<dt>Release</dt><dd><code>${visible(sample.release)}</code></dd>`}
          </dl>
        </section>
        <section class="section block" aria-labelledby="before">
          <div class="section-head"><h2 id="before">Before it, in its process</h2></div>
          ${sample.before.length
            ? html`<ul class="events">${sample.before.map((event) => html`<li><span></span><${Moment} at=${event.at} seconds /><span>${visible(event.event)}
                ${Object.entries(event.fields).map(([key, value]) => html` <span class="quiet">${key}=</span>${visible(typeof value === "object" ? JSON.stringify(value) : value)}`)}</span></li>`)}</ul>`
            : html`<p class="quiet">Nothing else happened.</p>`}
        </section>
      </div>
    </div>`}
  `;
}

function Refusals() {
  const { code } = place.value.query;
  const { data: session } = useSession();
  const { traffic: data, path } = useTraffic({ code });
  useCopies({ path, command: "gatepost top" });
  const rows = Object.entries(data?.codes ?? {}).map(([name, count]) => ({ code: name, count }));
  const all = rows.reduce((sum, each) => sum + each.count, 0);
  return html`
    ${data &&
    html`<p class="quiet">Of ${duration(data.window_seconds)}: ${counted(all, "refusal")}, ${percent(share(all, data.requests) ?? 0)} of ${counted(data.requests, "request")}.</p>
      <${Table} label="Refusals by code" rows=${rows} keyOf=${(row) => row.code} hrefOf=${(row) => toCode(row.code)} initial="-count" isCurrent=${(row) => row.code === code}
        empty=${html`<${FillWith} query="?nope=1"><b>Nothing was refused.</b> Every refusal has a stable code, and this counts them. One that is refused:<//>`}
        columns=${[
          { key: "code", label: "Code", of: (row) => row.code, show: (row) => html`<code>${visible(row.code)}</code>` },
          { key: "count", label: "Times", align: "right", of: (row) => row.count, show: (row) => number(row.count) },
          { key: "share", label: "Share", of: (row) => row.count, show: (row) => html`<${Bar} share=${share(row.count, all)} text=${percent(share(row.count, all))} />` },
          { key: "about", label: "Explanation", isQuiet: true, show: (row) => html`<a href=${`${apiAddress(session)}/problems/${encodeURIComponent(row.code)}`} target="_blank" rel="noreferrer">what it means</a>` },
        ]} />
      ${code && html`<${OfCode} code=${code} of=${data.of_code} />`}`}
  `;
}

/** Which operations responded with a code. */
function OfCode({ code, of }) {
  const application = useData("application", { every: 60 }).data;
  const routes = new Map((application?.operations ?? []).map((each) => [each.operation, each]));
  const rows = Object.entries(of?.operations ?? {}).map(([operation, count]) => ({ operation, count, route: routes.get(operation) }));
  const all = rows.reduce((sum, each) => sum + each.count, 0);
  return html`<section class="section block" aria-labelledby="of-code">
    <div class="section-head"><h2 id="of-code"><code>${visible(code)}</code> by operation</h2><span class="grow"></span><a href=${toLogs({ code })}>Its lines in the log</a></div>
    <${Table} label="Operations that responded with the code" rows=${rows} keyOf=${(row) => row.operation} hrefOf=${(row) => toOperation(row.operation)} param="operations" initial="-count"
      empty=${html`<p class="quiet">In this range no operation has responded with it.</p>`}
      columns=${[
        { key: "operation", label: "Operation", of: (row) => row.route?.path ?? row.operation, show: ({ operation, route }) => (route ? html`<${Route} method=${route.method} path=${visible(route.path)} />` : visible(operation)) },
        { key: "count", label: "Times", align: "right", of: (row) => row.count, show: (row) => number(row.count) },
        { key: "share", label: "Share", of: (row) => row.count, show: (row) => html`<${Bar} share=${share(row.count, all)} text=${percent(share(row.count, all))} />` },
      ]} />
  </section>`;
}

