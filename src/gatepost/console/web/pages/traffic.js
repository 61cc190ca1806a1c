// Traffic: the operations by their share of all time, a heat map of latency above. A row opens its operation.

import { html } from "../vendor/libraries.js";
import { useChanges, useData, useRangeHistory } from "../data.js";
import { bytes, duration, number, percent, share, visible } from "../format.js";
import { Route, toErrors, toOperation } from "../links.js";
import { change, place } from "../store.js";
import { useCopies } from "../copy.js";
import { PageHead } from "../frame.js";
import { Bar, Table } from "../table.js";
import { RequestsChart } from "../request_charts.js";
import { HeatMap } from "../heat.js";
import { LatencyStrip } from "../latency_strip.js";
import { useTraffic } from "../range_traffic.js";
import { FirstRequests, isProbe } from "../first_requests.js";
import Operation from "./operation.js";

export default function Traffic() {
  return place.value.name ? html`<${Operation} name=${place.value.name} />` : html`<${Operations} />`;
}

function Operations() {
  const application = useData("application", { every: 60 }).data;
  const { traffic, covered, path } = useTraffic();
  const operations = traffic?.operations;
  const { changes } = useChanges();
  const history = useRangeHistory().data;
  const { filter = "" } = place.value.query;
  useCopies({ path, command: "gatepost top operations" });
  const routes = new Map((application?.operations ?? []).map((each) => [each.operation, each]));
  const rows = (operations ?? []).filter((each) => matches(each, routes.get(each.operation), filter));
  const slowest = rows.reduce((most, each) => Math.max(most, each.seconds.p99), 0.001);
  return html`
    <${PageHead} title="Traffic" />
    <div class="columns wide-left">
      <${HeatMap} changes=${changes} />
      <${RequestsChart} history=${history} changes=${changes} height=${172} />
    </div>
    <section class="section block" aria-labelledby="operations">
      <div class="section-head">
        <h2 id="operations">Operations</h2>
        <span class="quiet">${covered ? `of ${duration(covered)}` : ""}</span>
        <span class="grow"></span>
        <input type="search" data-filter placeholder="Filter by route" aria-label="Filter by route" value=${filter}
          onInput=${(event) => change({ filter: event.target.value }, { replace: true })} />
      </div>
      ${operations &&
      (operations.length
        ? html`<${Table} label="Operations" rows=${rows} columns=${columnsOf(routes, slowest, covered)} keyOf=${(row) => row.operation}
            hrefOf=${(row) => toOperation(row.operation)} initial="-share" height=${0.6} empty=${html`<p>No operation has “${filter}” in its route.</p>`} />`
        : null)}
    </section>
    ${operations?.every((each) => isProbe(routes.get(each.operation))) && application && html`<div class="block"><${FirstRequests} application=${application} /></div>`}
  `;
}

function matches(row, route, filter) {
  const all = `${row.operation} ${route?.method ?? ""} ${route?.path ?? ""}`.toLowerCase();
  return filter.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}

function columnsOf(routes, slowest, covered) {
  const failing = (row) => share(row.errors, row.requests);
  return [
    {
      key: "route",
      label: "Route",
      of: (row) => routes.get(row.operation)?.path ?? row.operation,
      show: (row) => {
        const route = routes.get(row.operation);
        return route ? html`<${Route} method=${route.method} path=${visible(route.path)} />` : visible(row.operation);
      },
    },
    {
      key: "share",
      label: "Share of time",
      width: "12.5em",
      title: "Of the wall time of all requests",
      of: (row) => row.share_of_time,
      show: (row) => html`<${Bar} share=${row.share_of_time} text=${percent(row.share_of_time)} />`,
    },
    { key: "rate", label: "Per second", align: "right", width: "7em", of: (row) => row.requests, show: (row) => number(covered ? row.requests / covered : row.requests) },
    {
      key: "failing",
      label: "Failing",
      width: "6em",
      align: "right",
      of: failing,
      show: (row) => (row.errors ? html`<a class="bad" href=${toErrors()}>${percent(failing(row))}</a>` : html`<span class="quiet">0</span>`),
    },
    { key: "p50", label: "p50", align: "right", width: "6.5em", of: (row) => row.seconds.p50, show: (row) => duration(row.seconds.p50) },
    { key: "p99", label: "p99", align: "right", width: "6.5em", of: (row) => row.seconds.p99, show: (row) => duration(row.seconds.p99) },
    {
      key: "strip",
      label: "p50 – p99",
      width: "10em",
      title: "From p50 over p95 to p99, on a logarithmic scale from 0.1 ms",
      show: (row) => html`<${LatencyStrip} seconds=${row.seconds} most=${slowest} />`,
    },
    {
      key: "database",
      label: "In database",
      align: "right",
      width: "7.5em",
      title: "Share of the operation's time that waits for statements",
      of: (row) => share(row.database_seconds, row.seconds_total),
      show: (row) => percent(share(row.database_seconds, row.seconds_total)),
    },
    { key: "bytes", label: "Per response", align: "right", width: "7.5em", of: (row) => share(row.bytes, row.requests), show: (row) => bytes(share(row.bytes, row.requests)) },
  ];
}
