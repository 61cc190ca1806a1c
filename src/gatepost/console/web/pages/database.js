// Database: the pool, the statements by their time, who waits for whom, long transactions, sizes, advice.

import { html, useEffect, useState } from "../vendor/libraries.js";
import { refreshAll, send, useChanges, useData, useRangeHistory, useSession } from "../data.js";
import { bytes, counted, duration, number, share, visible } from "../format.js";
import { Moment, toOperation, toStatements } from "../links.js";
import { place } from "../store.js";
import { Command, CopyButton, useCopies } from "../copy.js";
import { PageHead } from "../frame.js";
import { Bar, Table } from "../table.js";
import { useTraffic } from "../range_traffic.js";
import { Act } from "../act.js";
import { Chart } from "../chart.js";
import { FillWith } from "../first_requests.js";

export default function Database() {
  const state = useData("state").data;
  const { traffic } = useTraffic();
  const slow = useData("statements", { every: 30 }).data;
  const [isAdvising, setAdvising] = useState(false);
  const database = useData("database", { every: isAdvising ? 2 : 10 });
  const { data: session } = useSession();
  const { changes } = useChanges();
  const history = useRangeHistory().data;
  useCopies({ path: "database", command: "gatepost top database" });
  const now = database.data;
  useEffect(() => setAdvising(now?.is_advising ?? false), [now?.is_advising]);
  return html`
    <${PageHead} title="Database" />
    <${Away} now=${now} />
    <div class="charts">
      <${Chart} label="Pool" unit="connections" steps=${history?.steps} step=${history?.step ?? 60} changes=${changes} format=${number}
        limit=${poolLimit(now, state)}
        series=${[
          { label: "in use", of: (step) => step.gauges?.pool_connections_in_use?.most, tone: "ink", fill: 0.06 },
          { label: "waiting", of: (step) => step.gauges?.pool_waiting?.most, tone: "fail", marker: "square", width: 2, hidesZero: true },
        ]} />
      <${Chart} label="Time" unit="seconds per second" steps=${history?.steps} step=${history?.step ?? 60} changes=${changes} format=${number}
        series=${[
          { label: "statements", of: (step) => step.database_seconds / step.covered_seconds, tone: "ink", fill: 0.06 },
          { label: "waiting for a connection", of: (step) => step.pool_wait_seconds / step.covered_seconds, tone: "fail", dash: "dashed", width: 2, hidesZero: true },
        ]} />
    </div>
    <${Statements} traffic=${traffic} slow=${slow} />
    <div class="columns block">
      <${Waits} now=${now} error=${database.error} session=${session} />
      <${Long} now=${now} session=${session} />
    </div>
    <div class="columns block">
      <${Sizes} now=${now} />
      <${Advice} now=${now} />
    </div>
  `;
}

function poolLimit(now, state) {
  const value = now?.pool?.limit ?? state?.gauges.pool_connections_max;
  return value ? { value, label: `limit ${value}` } : undefined;
}

function Away({ now }) {
  if (now?.is_here !== false) return null;
  return html`<p class="away" role="status"><b>The database does not answer since <${Moment} at=${now.away_since} seconds />.</b> ${visible(now.error)}
    ${now.as_of && html` Sessions and sizes are those of <${Moment} at=${now.as_of} seconds />.`}</p>`;
}

function Statements({ traffic, slow }) {
  const plans = new Map((slow?.statements ?? []).map((each) => [each.name, each]));
  const known = traffic?.statements ?? [];
  const others = [...plans.values()].filter((each) => !known.some(({ statement }) => statement === each.name));
  const rows = [...known, ...others.map((each) => ({ statement: each.name, count: undefined, failures: undefined, seconds_total: undefined, rows: undefined }))];
  const all = rows.reduce((sum, each) => sum + (each.seconds_total ?? 0), 0);
  const chosen = place.value.query.statement;
  const plan = plans.get(chosen);
  const operation = chosen && !chosen.endsWith("session") ? chosen.replace(/\.session$/, "") : undefined;
  return html`<section class="section block" aria-labelledby="statements">
    <div class="section-head"><h2 id="statements">Statements</h2><span class="quiet">${traffic ? `of ${duration(traffic.window_seconds)}` : ""}</span></div>
    ${traffic &&
    html`<${Table} label="Statements" rows=${rows} keyOf=${(row) => row.statement} hrefOf=${(row) => toStatements(row.statement)} initial="-seconds" height=${0.4} isCurrent=${(row) => row.statement === chosen}
      empty=${html`<${FillWith}><b>No statement has run.</b> Those of this range are listed here, by the time that they took together. A request that reads:<//>`}
      columns=${[
        { key: "statement", label: "Statement", of: (row) => row.statement, show: (row) => visible(row.statement) },
        { key: "seconds", label: "Total time", width: "12.5em", of: (row) => row.seconds_total, show: (row) => html`<${Bar} share=${share(row.seconds_total, all)} text=${duration(row.seconds_total)} />` },
        { key: "runs", label: "Runs", width: "6em", align: "right", of: (row) => row.count, show: (row) => number(row.count) },
        { key: "each", label: "Each", width: "7em", align: "right", of: (row) => share(row.seconds_total, row.count), show: (row) => duration(share(row.seconds_total, row.count)) },
        { key: "rows", label: "Rows each", width: "7em", align: "right", of: (row) => share(row.rows, row.count), show: (row) => number(share(row.rows, row.count)) },
        { key: "failed", label: "Failed", width: "5.5em", align: "right", of: (row) => row.failures, show: (row) => html`<span class=${row.failures ? "bad" : "quiet"}>${number(row.failures)}</span>` },
        { key: "slow", label: "Longest", width: "7em", align: "right", title: "Of those that were logged as slow", of: (row) => plans.get(row.statement)?.longest_seconds, show: (row) => (plans.has(row.statement) ? duration(plans.get(row.statement).longest_seconds) : "") },
      ]} />`}
    ${chosen &&
    html`<div class="block opened"><h3>${visible(chosen)}</h3>
      ${operation && html`<p><a href=${toOperation(operation)}>The operation</a></p>`}
      ${plan
        ? html`<p class="quiet">Slow ${number(plan.count)} times, last <${Moment} at=${plan.last_at} since />.</p>
            <pre class="sql" tabindex="0">${visible(plan.sql)}</pre>${plan.plan ? html`<pre class="sql" tabindex="0">${visible(plan.plan)}</pre>` : html`<p class="quiet">PostgreSQL is asked for its plan within a minute.</p>`}`
        : html`<p class="quiet">It was not slow: nothing took longer than GATEPOST_DATABASE_SLOW_SECONDS.</p>`}</div>`}
  </section>`;
}

/** Sessions below the one that each waits for. */
export function treeOf(sessions) {
  const byPid = new Map(sessions.map((each) => [each.pid, { ...each, children: [] }]));
  const roots = [];
  for (const each of byPid.values()) {
    const above = (each.waits_for ?? []).map((pid) => byPid.get(pid)).find((found) => found && found !== each);
    if (above && !isBelow(above, each)) above.children.push(each);
    else roots.push(each);
  }
  return roots;
}

const isBelow = (node, other) => other.children.includes(node) || other.children.some((child) => isBelow(node, child));

function Waits({ now, error, session }) {
  const roots = treeOf(now?.waits?.waits ?? []);
  return html`<section class="section" aria-labelledby="waits">
    <div class="section-head"><h2 id="waits">Who waits for whom</h2></div>
    ${error && !now && html`<p class="quiet">${error.message}</p>`}
    ${now && !roots.length && html`<p class="quiet">No session waits for a lock.</p>`}
    ${roots.length > 0 && html`<${Sessions} label="Sessions that wait" roots=${roots} session=${session} />`}
  </section>`;
}

/** In a box of its own: where hundreds wait, the rest of the page stays where it is. */
function Sessions({ label, roots, session }) {
  return html`<div class="tree-box" role="region" aria-label=${label} tabindex="0">
    <ul class="tree">${roots.map((each) => html`<${Node} key=${each.pid} node=${each} session=${session} />`)}</ul>
  </div>`;
}

function Node({ node, session }) {
  return html`<li>
    <p><b>${node.pid}</b> ${node.operation ? html`<a href=${toOperation(node.operation)}>${visible(node.operation)}</a>` : visible(node.application || node.role)}
      <span class="quiet"> ${visible(node.state)}${node.waiting_seconds != null ? `, waits ${duration(node.waiting_seconds)} for ${visible(node.lock ?? "a lock")}` : node.transaction_seconds != null ? `, transaction open ${duration(node.transaction_seconds)}` : ""}</span>
${" "}<${Cancel} node=${node} session=${session} /></p>
    ${node.sql && html`<code class="wrap">${visible(node.sql)}</code>`}
    ${node.children.length > 0 && html`<ul>${node.children.map((each) => html`<${Node} key=${each.pid} node=${each} session=${session} />`)}</ul>`}
  </li>`;
}

function Cancel({ node, session }) {
  return html`<${Act} label="Cancel" doLabel="Cancel its statement" session=${session}
    confirm=${`PostgreSQL stops the statement that session ${node.pid} runs${node.operation ? ` (${node.operation})` : ""}; its transaction fails, and who waits for it goes on.`}
    act=${() => send("PUT", "database/cancel", { pid: node.pid }).then(() => refreshAll("database"))} />`;
}

function Long({ now, session }) {
  const rows = now?.waits?.long_transactions ?? [];
  return html`<section class="section" aria-labelledby="long">
    <div class="section-head"><h2 id="long">Long transactions</h2></div>
    ${now && !rows.length && html`<p class="quiet">None is open for long.</p>`}
    ${rows.length > 0 && html`<${Sessions} label="Sessions with a long transaction" roots=${rows.map((each) => ({ ...each, children: [] }))} session=${session} />`}
    ${(now?.waits?.prepared ?? []).map((each) => html`<p><b>${visible(each.name)}</b> <span class="quiet">prepared ${duration(each.seconds)} ago by ${visible(each.role)}: it keeps its locks until someone ends it</span></p>`)}
  </section>`;
}

function Sizes({ now }) {
  const rows = now?.sizes?.tables ?? now?.sizes ?? [];
  const of = (row) => row.total_bytes ?? row.bytes ?? row.size_bytes;
  const all = Array.isArray(rows) ? rows.reduce((sum, each) => sum + (of(each) ?? 0), 0) : 0;
  return html`<section class="section" aria-labelledby="sizes">
    <div class="section-head"><h2 id="sizes">Sizes</h2><span class="quiet">${all ? bytes(all) : ""}</span></div>
    ${Array.isArray(rows) &&
    now &&
    html`<${Table} label="Sizes of tables" rows=${rows} keyOf=${(row) => row.name ?? row.table} param="sizes" initial="-bytes" height=${0.4} empty=${html`<p class="quiet">Not known.</p>`}
      columns=${[
        { key: "table", label: "Table", of: (row) => row.name ?? row.table, show: (row) => visible(row.name ?? row.table) },
        { key: "bytes", label: "Size", of, show: (row) => html`<${Bar} share=${share(of(row), all)} text=${bytes(of(row))} />` },
        { key: "rows", label: "Rows, about", align: "right", of: (row) => row.rows, show: (row) => number(row.rows) },
      ]} />`}
  </section>`;
}

/** Which indexes are missing, superfluous or invalid, with what changes it. */
function Advice({ now }) {
  const advice = now?.advice ?? [];
  return html`<section class="section" aria-labelledby="advice">
    <div class="section-head"><h2 id="advice">Advice</h2><span class="quiet">${advice.length ? counted(advice.length, "index", "indexes") : ""}</span></div>
    ${advice.length > 0 &&
    html`<ul class="advices">${advice.map((each) => html`<${Piece} key=${`${each.schema}.${each.index}`} of=${each} />`)}</ul>
      <p>Write all of it as a migration file:</p>
      <${Command} text="gatepost db advise --write 'as advised'" label="The command that writes the migration" />`}
    ${now?.advice && !advice.length && html`<p class="quiet">No index is missing, unused, duplicate or invalid.</p>`}
    ${now && !now.advice && !now.advice_error &&
    (now.is_advising
      ? html`<p class="quiet">The models are compared with the database: this takes a few seconds.</p>`
      : html`<p class="quiet">Not known: ${now.is_here ? "the server does not say which application it serves." : "the database does not answer."}</p>`)}
    ${now?.advice_error &&
    html`<p>What the indexes lack is not known: ${visible(now.advice_error)}</p>
      <${Command} text="gatepost db advise" label="The command that advises" />`}
  </section>`;
}

const PROBLEMS = { missing: "Missing", unused: "Unused", duplicate: "Duplicate", invalid: "Invalid" };

function Piece({ of }) {
  const table = of.schema ? `${of.schema}.${of.table}` : of.table;
  return html`<li>
    <p><b>${PROBLEMS[of.problem] ?? visible(of.problem)}:</b> <code class="wrap">${visible(of.index)}</code> on ${visible(table)}
      <span class="quiet"> ${counted(of.rows, "row")}${of.bytes ? `, ${bytes(of.bytes)}` : ""}</span></p>
    <p class="quiet">${of.reasons.map(visible).join("; ")}</p>
    <${Command} text=${`${of.statement};`} label=${`The SQL for ${of.index}`} />
    ${of.model && html`<p class="quiet">In the models: ${visible(of.model)}</p>`}
    ${of.migration &&
    html`<details><summary>As a migration</summary>
      <div class="command"><pre tabindex="0">${visible(of.migration)}</pre><${CopyButton} text=${of.migration} label="Copy the migration" /></div></details>`}
  </li>`;
}
