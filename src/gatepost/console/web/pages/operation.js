// One operation: how it answers over the range, how long it takes, what it sends to the database, its slowest requests.

import { html } from "../vendor/libraries.js";
import { useChanges, useData, useRangeHistory } from "../data.js";
import { bytes, duration, fullMoment, number, percent, share, shortKey, visible } from "../format.js";
import { Moment, Route, toCode, toErrors, toLogs, toRequest, toStatements } from "../links.js";
import { to } from "../store.js";
import { useCopies } from "../copy.js";
import { PageHead } from "../frame.js";
import { Bar, Table } from "../table.js";
import { LatencyChart, RequestsChart } from "../request_charts.js";
import { Histogram } from "../histogram.js";
import { FillWith } from "../first_requests.js";
import { useTraffic } from "../range_traffic.js";

const NONE = { requests: 0, errors: 0, refusals: 0, seconds: {}, seconds_total: 0, share_of_time: 0, database_seconds: 0, bytes: 0 };

export default function Operation({ name }) {
  const application = useData("application", { every: 60 }).data;
  const own = useData(`operations/${encodeURIComponent(name)}`, { every: 10 });
  const { traffic, covered } = useTraffic({ operation: name });
  const { changes } = useChanges();
  const history = useRangeHistory(name).data;
  useCopies({ path: `operations/${encodeURIComponent(name)}`, command: `gatepost top operation ${name}` });
  const route = application?.operations.find((each) => each.operation === name);
  const figures = traffic?.operations.find((each) => each.operation === name) ?? (traffic && NONE);
  return html`
    <${PageHead} title=${route ? html`<${Route} method=${route.method} path=${visible(route.path)} />` : visible(name)}>
      <a href=${to("traffic")}>All operations</a>
    <//>
    <${Figures} figures=${figures} covered=${covered} name=${name} route=${route} />
    <div class="charts block">
      <${RequestsChart} history=${history} changes=${changes} operation=${name} />
      <${LatencyChart} history=${history} changes=${changes} operation=${name} />
    </div>
    <div class="columns block">
      <${Declared} route=${route} name=${name} isKnown=${application !== undefined} />
      <${Distribution} of=${traffic?.of_operation} route=${route} />
    </div>
    <div class="columns block">
      <${Statements} traffic=${traffic} texts=${own.data?.statements ?? []} name=${name} />
      <${Answers} of=${traffic?.of_operation} route=${route} />
    </div>
    <${Slowest} data=${own.data} />
  `;
}

function Figures({ figures, covered, name, route }) {
  const failing = share(figures?.errors, figures?.requests);
  const facts = [
    ["Requests", figures && number(figures.requests), covered ? `${number(figures?.requests / covered)} per second` : "", route && toLogs({ route: route.path })],
    ["Failing", figures && percent(failing ?? 0), figures && `${number(figures.errors)} answered 5xx`, toErrors(), failing > 0],
    ["p50 · p99", figures && html`${duration(figures.seconds.p50)}<small> · ${duration(figures.seconds.p99)}</small>`, figures && `p95 ${duration(figures.seconds.p95)}`],
    ["Share of time", figures && percent(figures.share_of_time), figures && `${percent(share(figures.database_seconds, figures.seconds_total))} of it in the database`, toStatements(name)],
    ["Per response", figures && bytes(share(figures.bytes, figures.requests)), figures && `${bytes(figures.bytes)} together`],
  ];
  return html`<dl class="figures-row">
    ${facts.map(
      ([label, value, note, href, isBad]) => html`<div class=${isBad ? "is-bad" : ""}><dt>${label}</dt>
        <dd><b>${href && value !== undefined ? html`<a href=${href}>${value}</a>` : (value ?? " ")}</b><span class="quiet">${note ?? " "}</span></dd></div>`,
    )}
  </dl>`;
}

function Declared({ route, name, isKnown }) {
  return html`<section class="section" aria-labelledby="declared">
    <div class="section-head"><h2 id="declared">What it is</h2></div>
    <dl class="facts">
      <dt>Name</dt><dd><code>${name}</code></dd>
      ${route &&
      html`<dt>Who may</dt><dd><code>${visible(route.allow)}</code></dd>
        <dt>Limit</dt><dd>${visible(route.rate_limit)}</dd>
        <dt>Code</dt><dd><code>${visible(route.handler)}</code></dd>`}
      ${isKnown && !route && html`<dt>Release</dt><dd>The one that runs does not have it.</dd>`}
    </dl>
  </section>`;
}

function Distribution({ of, route }) {
  const isEmpty = of && !of.histogram.length;
  return html`<section class="section" aria-labelledby="histogram">
    <div class="section-head"><h2 id="histogram">How long</h2><span class="quiet">requests by their duration</span></div>
    ${of && !isEmpty && html`<${Histogram} buckets=${of.histogram} />`}
    ${isEmpty && (route ? html`<${FillWith} route=${route}>No request in this range. Send one, and this page fills:<//>` : html`<p class="quiet">No request in this range.</p>`)}
  </section>`;
}

/** The statements of the range that are this operation's, by the names under which it has run some. */
function Statements({ traffic, texts, name }) {
  const names = new Set([name, `${name}.session`, ...texts.map((each) => each.name)]);
  const rows = (traffic?.statements ?? []).filter((each) => names.has(each.statement));
  const all = rows.reduce((sum, each) => sum + each.seconds_total, 0);
  return html`<section class="section" aria-labelledby="statements">
    <div class="section-head"><h2 id="statements">Statements</h2></div>
    ${traffic &&
    html`<${Table} label="Statements" rows=${rows} keyOf=${(row) => row.statement} hrefOf=${(row) => toStatements(row.statement)} param="statements"
      initial="-seconds" empty=${html`<p class="quiet">None of its own has run in this range.</p>`}
      columns=${[
        { key: "statement", label: "Statement", of: (row) => row.statement, show: (row) => visible(row.statement) },
        { key: "seconds", label: "Time", of: (row) => row.seconds_total, show: (row) => html`<${Bar} share=${share(row.seconds_total, all)} text=${duration(row.seconds_total)} />` },
        { key: "count", label: "Runs", align: "right", of: (row) => row.count, show: (row) => number(row.count) },
        { key: "each", label: "Each", align: "right", of: (row) => share(row.seconds_total, row.count), show: (row) => duration(share(row.seconds_total, row.count)) },
        { key: "failures", label: "Failed", align: "right", of: (row) => row.failures, show: (row) => number(row.failures) },
      ]} />`}
    ${texts.some((each) => each.name === "session") && html`<p class="quiet"><code>session</code> is what all endpoints that are not of a resource run through their services.</p>`}
    ${texts.map((each) => html`<details><summary><code>${visible(each.name)}</code></summary>${each.sql.map((sql) => html`<pre class="sql" tabindex="0">${visible(sql)}</pre>`)}</details>`)}
  </section>`;
}

const CLASSES = { "1xx": "informed", "2xx": "succeeded", "3xx": "not modified, or elsewhere", "4xx": "refused", "5xx": "failed" };

function Answers({ of, route }) {
  const rows = Object.entries(of?.classes ?? {}).map(([status, count]) => ({ status, count }));
  const all = rows.reduce((sum, { count }) => sum + count, 0);
  return html`<section class="section" aria-labelledby="answers">
    <div class="section-head"><h2 id="answers">Responses</h2><span class="grow"></span>${route && html`<a href=${toLogs({ route: route.path })}>Its lines in the log</a>`}</div>
    ${of &&
    html`<${Table} label="Responses by status" rows=${rows} keyOf=${(row) => row.status} param="responses" initial="status" empty=${html`<p class="quiet">None in this range.</p>`}
      columns=${[
        { key: "status", label: "Status", of: (row) => row.status, show: (row) => html`<b class=${row.status === "5xx" ? "bad" : ""}>${row.status}</b> <span class="quiet">${CLASSES[row.status] ?? ""}</span>` },
        { key: "share", label: "Share", of: (row) => row.count, show: (row) => html`<${Bar} share=${share(row.count, all)} text=${percent(share(row.count, all))} tone=${row.status === "5xx" ? "fail" : "ink"} />` },
        { key: "count", label: "Requests", align: "right", of: (row) => row.count, show: (row) => number(row.count) },
      ]} />`}
    ${of && html`<${Codes} codes=${of.codes} route=${route} />`}
  </section>`;
}

/** What was refused and what failed, by the code of the response. */
function Codes({ codes = {}, route }) {
  const rows = Object.entries(codes).map(([code, count]) => ({ code, count }));
  if (!rows.length) return null;
  return html`<h3>By code</h3>
    <${Table} label="Refusals and failures by code" rows=${rows} keyOf=${(row) => row.code} hrefOf=${(row) => toCode(row.code)} param="codes" initial="-count"
      columns=${[
        { key: "code", label: "Code", of: (row) => row.code, show: (row) => html`<code>${visible(row.code)}</code>` },
        { key: "count", label: "Times", align: "right", of: (row) => row.count, show: (row) => number(row.count) },
        ...(route ? [{ key: "lines", label: "Lines", isQuiet: true, show: (row) => html`<a href=${toLogs({ route: route.path, code: row.code })}>in the log</a>` }] : []),
      ]} />`;
}

function Slowest({ data }) {
  const rows = data?.slowest ?? [];
  return html`<section class="section block" aria-labelledby="slowest">
    <div class="section-head"><h2 id="slowest">Slowest</h2><span class="quiet">of the last hour</span></div>
    ${data &&
    html`<${Table} label="Slowest requests" rows=${rows} keyOf=${(row) => row.request_id + row.at} hrefOf=${(row) => toRequest(row.request_id)} param="slowest"
      initial="-seconds" empty=${html`<p class="quiet">No request in the last hour.</p>`}
      columns=${[
        { key: "id", label: "Request", of: (row) => row.request_id, show: (row) => html`<code title=${row.request_id}>${shortKey(row.request_id)}</code>` },
        { key: "at", label: "When", of: (row) => row.at, show: (row) => html`<${Moment} at=${row.at} seconds />` },
        { key: "seconds", label: "Took", align: "right", of: (row) => row.seconds, show: (row) => html`<span title=${fullMoment(row.at)}>${duration(row.seconds)}</span>` },
        { key: "database", label: "In database", align: "right", of: (row) => row.database_seconds, show: (row) => duration(row.database_seconds) },
        { key: "part", label: "Share in database", isQuiet: true, show: (row) => html`<${Bar} share=${share(row.database_seconds, row.seconds)} text=${percent(share(row.database_seconds, row.seconds))} />` },
      ]} />`}
  </section>`;
}
