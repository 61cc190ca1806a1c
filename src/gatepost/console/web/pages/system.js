// System: instances and workers, what differs between instances, settings, levels of the log, changes, licences.

import { html } from "../vendor/libraries.js";
import { refreshAll, send, useChanges, useData, useSession } from "../data.js";
import { ago, bytes, duration, number, shortKey, visible } from "../format.js";
import { Moment } from "../links.js";
import { change, place, range, to } from "../store.js";
import { Command, useCopies } from "../copy.js";
import { PageHead } from "../frame.js";
import { Table } from "../table.js";
import { Act } from "../act.js";
import { ChangeIcon, wordOf } from "../marks.js";
import { Linked } from "../state_line.js";

const TABS = [
  ["", "Instances"],
  ["changes", "Changes"],
  ["settings", "Settings"],
  ["levels", "Levels"],
  ["licences", "Licences"],
];
const SPANS = [
  ["600", "10 min"],
  ["3600", "1 h"],
  ["28800", "8 h"],
  ["86400", "1 day"],
];

export default function System() {
  const { tab = "" } = place.value.query;
  useCopies(COPIES[tab] ?? COPIES[""]);
  const Shown = { "": Instances, changes: Changes, settings: Settings, levels: Levels, licences: Licences }[tab] ?? Instances;
  return html`
    <${PageHead} title="System" hasRange=${tab === "changes"}>
      <div class="tabs" role="navigation" aria-label="Parts">
        ${TABS.map(([name, label]) => html`<a href=${to("system", "", { tab: name })} aria-current=${name === tab ? "page" : undefined}>${label}</a>`)}
      </div>
    <//>
    <${Shown} />
  `;
}

const COPIES = {
  "": { path: "instances", command: "gatepost top instances" },
  changes: { path: "changes", command: "gatepost changes" },
  settings: { path: "application", command: "gatepost config show" },
  levels: { path: "logs/levels", command: "gatepost logs level" },
  licences: { path: "system" },
};

/** What needs somebody first, what is over last. */
const STATES = ["silent", "running", "stopped", "gone"];

function Instances() {
  const { data } = useData("instances", { every: 10, ofAll: true });
  const state = useData("state").data;
  const system = useData("system", { every: 30 }).data;
  const rows = data?.instances ?? [];
  return html`
    <section class="section" aria-labelledby="instances"><div class="section-head"><h2 id="instances">Instances</h2><span class="quiet">${visible(data?.records ?? "")}</span></div>
      <${Table} label="Instances" rows=${rows} keyOf=${(row) => row.name} hrefOf=${(row) => to("now", "", { instance: row.is_this ? undefined : row.name })} initial="state"
        columns=${[
          { key: "name", label: "Instance", of: (row) => row.name, show: (row) => html`${visible(row.name)}${row.is_this ? html` <span class="quiet">this one</span>` : ""}` },
          { key: "state", label: "State", of: (row) => STATES.indexOf(row.state), show: (row) => html`<span class=${row.state === "silent" || row.state === "gone" ? "bad" : ""}>${row.state}</span>` },
          { key: "release", label: "Release", of: (row) => row.release ?? "", show: (row) => html`<code title=${row.release ?? ""}>${row.release ? shortKey(row.release) : "–"}</code>` },
          { key: "version", label: "Gatepost", of: (row) => row.version, show: (row) => row.version },
          { key: "started", label: "Runs since", of: (row) => row.started_at, show: (row) => html`<${Moment} at=${row.started_at} />` },
          { key: "heard", label: "Last heard from", align: "right", of: (row) => row.silent_seconds, show: (row) => (row.beat_at ? ago(row.beat_at) : "–") },
          { key: "clock", label: "Clock offset", align: "right", of: (row) => row.clock_offset_seconds, show: (row) => (row.clock_offset_seconds === null ? "–" : duration(Math.abs(row.clock_offset_seconds))) },
          { key: "admin", label: "Admin address", of: (row) => row.admin_address ?? "", show: (row) => visible(row.admin_address ?? "socket only") },
        ]} />
      ${data?.left_out > 0 && html`<p class="quiet">${number(data.left_out)} that ended before those are not listed.</p>`}
      ${rows.length > 1 && html`<${Differences} system=${system} />`}
    </section>
    <section class="section block" aria-labelledby="workers"><div class="section-head"><h2 id="workers">Workers</h2></div>
      <ul class="workers">${(state?.workers ?? []).map(
        (worker) => html`<li class=${worker.is_ready ? "" : "is-bad"}><b>${worker.pid}</b> <span>${worker.is_ready ? "ready" : "not ready"}</span> <span class="quiet">reported ${duration(worker.silent_seconds)} ago</span></li>`,
      )}</ul>
      ${state && html`<dl class="facts block">
        <dt>Memory of the workers</dt><dd>${bytes(state.gauges.resident_memory_bytes)}</dd>
        <dt>Requests being served</dt><dd>${number(state.gauges.requests_in_flight)}, ${number(state.gauges.requests_waiting)} waiting</dd>
        <dt>Event loop late by</dt><dd>${duration(state.gauges.event_loop_lag_seconds)}</dd>
        <dt>Open descriptors</dt><dd>${number(state.gauges.open_descriptors)}</dd>
        ${system && html`<dt>Migrations</dt><dd>${system.migrations.heads ? html`at <code>${visible(system.migrations.heads)}</code>` : system.migrations.fingerprint ? html`without files; the database is that of the models <code title=${system.migrations.fingerprint}>${shortKey(system.migrations.fingerprint)}</code>` : "not known"}</dd>`}
      </dl>`}
    </section>
  `;
}

/** What instances that run do not have in common. */
function Differences({ system }) {
  if (!system) return null;
  const { differences, unanswered } = system;
  return html`<div class="block"><h3>Differences</h3>
    ${!differences.length && html`<p class="quiet">${unanswered.length ? "None among those that answer." : "None: the same release, version and settings."}</p>`}
    <dl class="facts">
      ${differences.map((each) => html`<dt><code>${visible(each.of)}</code></dt><dd>${Object.entries(each.values).map(([name, value]) => `${name}: ${visible(value ?? "none")}`).join(" · ")}</dd>`)}
      ${unanswered.map((each) => html`<dt>${visible(each.instance ?? "")}</dt><dd class="bad">${visible(each.detail)}</dd>`)}
    </dl>
  </div>`;
}

function Changes() {
  const { changes, data, error } = useChanges();
  const { at, kind } = place.value.query;
  const kinds = [...new Set(changes.map((each) => each.kind))].sort();
  const shown = changes.filter((each) => !kind || each.kind === kind);
  return html`
    <div class="filters">${kinds.map((name) => html`<button type="button" class="chip" aria-pressed=${name === kind ? "true" : "false"} onClick=${() => change({ kind: name === kind ? undefined : name })}><${ChangeIcon} kind=${name} /> ${wordOf(name)}</button>`)}</div>
    ${error && !data && html`<p>${error.message}</p>`}
    ${data && html`<${Table} label="Changes" rows=${shown} keyOf=${(row) => row.at + row.summary} initial="-at" isCurrent=${(row) => row.at === at}
      hrefOf=${(row) => to("system", "", { tab: "changes", at: row.at })}
      empty=${html`<p><b>Nothing ${kind ? "of this kind " : ""}changed in this range.</b> Starts, releases, migrations, deaths of workers, the database, alerts and what operators do are listed here.</p>
        ${range.value.isLive && (kind ?? "level") === "level" && html`<p>An act of an operator:</p><${Command} text="gatepost logs level access debug --for 1m" label="A command that changes something" />`}`}
      columns=${[
        { key: "at", label: "When", of: (row) => row.at, show: (row) => html`<${Moment} at=${row.at} seconds />`, width: "11em" },
        { key: "kind", label: "Kind", of: (row) => row.kind, show: (row) => html`<${ChangeIcon} kind=${row.kind} /> ${wordOf(row.kind)}`, width: "9em" },
        { key: "summary", label: "What", kind: "wrap", of: (row) => row.summary, titleOf: (row) => visible(row.summary), show: (row) => html`<${Linked} text=${row.summary} />` },
        { key: "instance", label: "Instance", of: (row) => row.instance ?? "", show: (row) => visible(row.instance ?? ""), width: "10em" },
      ]} />`}
  `;
}

function Settings() {
  const { data } = useData("application", { every: 60 });
  const { filter = "", own } = place.value.query;
  const rows = (data?.settings ?? []).filter((row) => row.variable.toLowerCase().includes(filter.toLowerCase()) && (!own || row.source !== "default"));
  return html`
    <div class="filters"><input type="search" data-filter placeholder="Filter settings" aria-label="Filter settings" value=${filter} onInput=${(event) => change({ filter: event.target.value }, { replace: true })} />
      <button type="button" class="chip" aria-pressed=${own ? "true" : "false"} onClick=${() => change({ own: own ? undefined : "1" })}>without defaults</button></div>
    ${data && html`<${Table} label="Settings" rows=${rows} keyOf=${(row) => row.variable} initial="variable" height=${0.62} empty=${html`<p>No setting has this in its name.</p>`}
      columns=${[
        { key: "variable", label: "Setting", of: (row) => row.variable, show: (row) => html`<code>${visible(row.variable)}</code>`, width: "26em" },
        { key: "value", label: "Value", of: (row) => row.value ?? "", show: (row) => (!row.value ? html`<span class="quiet">none</span>` : `${visible(row.value)}${row.unit ? ` ${row.unit}` : ""}`) },
        { key: "source", label: "From", of: (row) => row.source, show: (row) => visible(row.source), width: "16em" },
      ]} />`}
  `;
}

function Levels() {
  const { data } = useData("logs/levels", { every: 10 });
  const { data: session } = useSession();
  const categories = ["access", "application", "error", "security"];
  const levels = ["debug", "info", "warning", "error"].map((name) => [name, name]);
  return html`<p class="quiet">What an operator changes goes back to the settings by itself.</p>
    ${data && html`<${Table} label="Levels" rows=${categories} keyOf=${(row) => row} columns=${[
      { key: "category", label: "Category", show: (row) => row },
      { key: "level", label: "Written from", show: (row) => data.changed[row]?.level ?? html`<span class="quiet">as in the settings</span>` },
      Object.keys(data.changed).length > 0 && { key: "until", label: "Until", show: (row) => (data.changed[row] ? html`<${Moment} at=${data.changed[row].until} seconds />` : "") },
      { key: "act", label: "Change", isQuiet: true, align: "right", show: (row) => html`<${Act} label=${`Change ${row}`} doLabel="Change" session=${session} confirm=${`Every worker writes lines of the category ${row} from this level on, for that long.`}
        fields=${[{ name: "level", label: "Level", value: "debug", options: levels }, { name: "seconds", label: "For", value: "600", options: SPANS }]}
        act=${({ level, seconds }) => send("PUT", `logs/levels/${row}`, { level, seconds: Number(seconds) }).then(() => refreshAll("logs/levels"))} />` },
    ].filter(Boolean)} />`}`;
}

function Licences() {
  const { data, error } = useData("system", { every: Infinity });
  const rows = data?.licences ?? [];
  return html`${error && html`<p>${error.message}</p>`}
    ${data && html`<${Table} label="Licences" rows=${rows} keyOf=${(row) => row.name} initial="name" height=${0.62} empty=${html`<p>None is known.</p>`}
      columns=${[
        { key: "name", label: "Package", of: (row) => row.name, show: (row) => visible(row.name) },
        { key: "version", label: "Version", of: (row) => row.version, show: (row) => visible(row.version) },
        { key: "licence", label: "Licence", of: (row) => row.licence ?? row.license ?? "", show: (row) => visible(row.licence ?? row.license ?? "") },
      ]} />`}`;
}
