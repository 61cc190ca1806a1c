// Alerts: how much of each objective's budget is left, what fires, to whom it was told, silences.

import { html } from "../vendor/libraries.js";
import { refreshAll, send, useData, useSession } from "../data.js";
import { duration, number, visible } from "../format.js";
import { Moment, toAlert, toErrors } from "../links.js";
import { place } from "../store.js";
import { Command, useCopies } from "../copy.js";
import { PageHead } from "../frame.js";
import { Table } from "../table.js";
import { Act } from "../act.js";
import { Linked, LookAt } from "../state_line.js";
import { Budget } from "../budget.js";

const SPANS = [
  ["1800", "30 min"],
  ["7200", "2 h"],
  ["28800", "8 h"],
  ["86400", "1 day"],
  ["604800", "7 days"],
];

export default function Alerts() {
  const { data } = useData("alerts");
  const { data: session } = useSession();
  const { name } = place.value;
  useCopies(name ? { path: `alerts/${name}`, command: `gatepost alerts show ${name}` } : { path: "alerts", command: "gatepost alerts list" });
  const alerts = data?.alerts ?? [];
  const open = alerts.filter((alert) => alert.state !== "resolved");
  const past = alerts.filter((alert) => alert.state === "resolved");
  return html`
    <${PageHead} title="Alerts" hasRange=${false}>
      <${Act} label="Send a test" session=${session} confirm=${data?.channels.length ? `A message that says it is a test goes to ${data.channels.join(" and ")}.` : "No channel is set, so nobody would hear of it."}
        act=${() => send("PUT", "alert-test").then(() => refreshAll("alerts"))} />
    <//>
    ${data && html`<${Objectives} objectives=${data.objectives} />`}
    <section class="section block" aria-labelledby="open-alerts">
      <div class="section-head"><h2 id="open-alerts">Open</h2></div>
      ${data && !open.length && html`<p class="empty">No alert fires. The monitor looks every five seconds at the objectives, the database, the pool, the disk, the workers and the other instances.
        A new kind of error fires one at once: <a href=${toErrors()}>Errors</a> says how to get one.</p>`}
      <ul class="groups">${open.map((alert) => html`<${Open} key=${alert.id} alert=${alert} deliveries=${data.deliveries} session=${session} isShown=${alert.id === name || alert.name === name} />`)}</ul>
    </section>
    <div class="columns block">
      <${Deliveries} data=${data} />
      <${Silences} data=${data} />
    </div>
    ${past.length > 0 &&
    html`<section class="section block" aria-labelledby="past"><div class="section-head"><h2 id="past">Resolved</h2></div>
      <${Table} label="Resolved alerts" rows=${past} keyOf=${(row) => row.id} hrefOf=${(row) => toAlert(row.id)} initial="-since" isCurrent=${(row) => row.id === name}
        columns=${[
          { key: "name", label: "Alert", of: (row) => row.name, show: (row) => visible(row.name) },
          { key: "since", label: "From", of: (row) => row.since, show: (row) => html`<${Moment} at=${row.since} seconds />` },
          { key: "lasted", label: "Lasted", align: "right", of: lasted, show: (row) => duration(lasted(row)) },
          { key: "sentence", label: "What", kind: "wrap", show: (row) => visible(row.sentence) },
          { key: "by", label: "By", of: (row) => row.by ?? "", show: (row) => visible(row.by ?? "itself") },
        ]} /></section>`}
  `;
}

const lasted = (alert) => (Date.parse(alert.resolved_at) - Date.parse(alert.since)) / 1000;

function Objectives({ objectives }) {
  if (!objectives) return null;
  return html`<section class="section" aria-labelledby="objectives">
    <div class="section-head"><h2 id="objectives">Objectives</h2><span class="quiet">what each allows in 30 days, and what three days have left of it</span></div>
    ${objectives.length
      ? html`<ul class="budgets">${objectives.map((each) => html`<${Budget} key=${each.name} objective=${each} />`)}</ul>`
      : html`<p class="empty">None is declared. <code>App(objectives=[Objective("reads", share=0.999, of=[Book], faster_than=seconds(0.2))])</code> says which share of requests has to succeed, and how fast.</p>`}
  </section>`;
}

function Open({ alert, deliveries, session, isShown }) {
  const told = deliveries.filter((each) => each.alert === alert.id);
  const path = `alerts/${encodeURIComponent(alert.id)}`;
  return html`<li class=${`${alert.state} ${isShown ? "is-shown" : ""}`}>
    <a class="group-link" href=${toAlert(alert.id)}><b>${visible(alert.name)}</b> <span class="quiet">${alert.severity}${alert.state === "silenced" ? ", silenced" : ""}</span></a>
    <p><${Linked} text=${alert.sentence} /></p>
    <p class="quiet">Since <${Moment} at=${alert.since} seconds /> (<${Moment} at=${alert.since} since />). <${LookAt} text=${alert.look_at} />
      ${alert.silenced_until && html` Silent until <${Moment} at=${alert.silenced_until} />${alert.reason ? `: ${visible(alert.reason)}` : ""}${alert.by ? ` (${visible(alert.by)})` : ""}.`}</p>
    ${told.length > 0 && html`<p class="quiet">${told.map((each) => toldOf(each)).join("; ")}</p>`}
    <p class="buttons">
      ${alert.state === "firing" &&
      html`<${Act} label="Silence" session=${session} confirm=${`Nobody is told of ${alert.name} for that long, also not of one that comes anew.`}
        fields=${[{ name: "seconds", label: "For", value: "7200", options: SPANS }, { name: "reason", label: "Because" }]}
        act=${({ seconds, reason }) => send("PUT", `alerts/${encodeURIComponent(alert.name)}`, { state: "silenced", seconds: Number(seconds), reason }).then(() => refreshAll("alerts"))} />`}
      <${Act} label="Resolve" session=${session} confirm=${`${alert.name} is resolved, and does not come back before it has been well for a while.`} fields=${[{ name: "reason", label: "Because" }]}
        act=${({ reason }) => send("PUT", path, { state: "resolved", reason }).then(() => refreshAll("alerts"))} />
    </p>
  </li>`;
}

const toldOf = ({ channel, state, attempts, outcome }) =>
  state === "delivered" ? `${channel}: delivered` : `${channel}: ${visible(outcome || state)}${attempts > 1 ? `, tried ${attempts} times` : ""}`;

function Deliveries({ data }) {
  const rows = data?.deliveries ?? [];
  return html`<section class="section" aria-labelledby="deliveries">
    <div class="section-head"><h2 id="deliveries">Deliveries</h2><span class="quiet">${data?.channels.join(", ")}</span></div>
    ${data && !data.channels.length && html`<p class="empty">Nobody is told: <code>GATEPOST_ALERT_MAIL_TO</code> and <code>GATEPOST_ALERT_WEBHOOK_URL</code> say who is.</p>`}
    ${rows.length > 0 &&
    html`<${Table} label="Messages" rows=${rows} keyOf=${(row) => row.id + row.channel} param="told" initial="-at" whole=${12} height=${0.4}
      columns=${[
        { key: "name", label: "Alert", of: (row) => row.name, show: (row) => visible(row.name) },
        { key: "at", label: "When", width: "9.5em", of: (row) => row.created_at, show: (row) => html`<${Moment} at=${row.created_at} seconds />` },
        { key: "outcome", label: "Outcome", kind: "wrap", width: "50%", of: (row) => row.state, titleOf: toldOf, show: (row) => html`<span class=${row.state === "failed" ? "bad" : ""}>${toldOf(row)}</span>` },
        { key: "attempts", label: "Tries", width: "4em", align: "right", of: (row) => row.attempts, show: (row) => number(row.attempts) },
      ]} />`}
    ${data?.channels.length > 0 && !rows.length && html`<p class="quiet">No message was sent yet.</p>`}
  </section>`;
}

function Silences({ data }) {
  const rows = data?.silences ?? [];
  return html`<section class="section" aria-labelledby="silences">
    <div class="section-head"><h2 id="silences">Silences</h2></div>
    ${data && !rows.length && html`<div class="empty"><p>None. Any alert can be silenced for a while, also before it fires:</p>
      <${Command} text="gatepost alerts silence disk --for 5m --reason 'moving old logs'" label="A command that silences an alert" /></div>`}
    <ul class="events">${rows.map((each) => html`<li><span></span><${Moment} at=${each.until} /><span><b>${visible(each.name)}</b> until then: ${visible(each.reason)} <span class="quiet">${visible(each.by)}</span></span></li>`)}</ul>
  </section>`;
}

