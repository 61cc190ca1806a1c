// Clients: who takes most, who is refused most, who fails to sign in; and what is left of one's limits.

import { html, useState } from "../vendor/libraries.js";
import { refreshAll, send, useData, useSession } from "../data.js";
import { clock, number, percent, share, visible } from "../format.js";
import { toClient, toLogs } from "../links.js";
import { change, place, to } from "../store.js";
import { useCopies } from "../copy.js";
import { PageHead } from "../frame.js";
import { Bar, Table } from "../table.js";
import { Act } from "../act.js";
import { FillWith } from "../first_requests.js";
import { hiddenAddress, hiddenUser, isRevealed, Reveal } from "../reveal.js";

const KINDS = [
  ["addresses", "Addresses", "address"],
  ["networks", "Networks", "network"],
  ["users", "Users", "actor"],
];

export default function Clients() {
  const { by = "addresses", key } = place.value.query;
  const { data } = useData("clients");
  const { data: session } = useSession();
  useCopies({ path: "clients", command: "gatepost top clients" });
  const [, , kind] = KINDS.find(([name]) => name === by) ?? KINDS[0];
  const rows = data?.[by] ?? [];
  const all = rows.reduce((sum, each) => sum + each.requests, 0);
  return html`
    <${PageHead} title="Clients" hasRange=${false}>
      <div class="tabs" role="navigation" aria-label="Kinds of clients">
        ${KINDS.map(([name, label]) => html`<a href=${to("clients", "", { by: name })} aria-current=${name === by ? "page" : undefined}>${label}</a>`)}
      </div>
      <${Reveal} />
    <//>
    <p class="quiet">${data ? `Since ${clock(data.since)}: the ${rows.length === 50 ? "50 busiest" : "busiest"}, counted by every worker.` : " "}</p>
    <div class="columns wide-left">
      <div>${data &&
      html`<${Table} label="Clients" rows=${rows} keyOf=${(row) => row.client} hrefOf=${(row) => toClient(by, row.client)} initial="-requests" isCurrent=${(row) => row.client === key}
        empty=${html`<${FillWith} asUser=${by === "users"}><b>${by === "users" ? "No user has sent anything." : "No client has sent anything."}</b> The last ten to twenty minutes are counted. ${by === "users" ? "With the token of a user:" : "A request:"}<//>`}
        columns=${[
          { key: "client", label: by === "users" ? "User" : by === "networks" ? "Network" : "Address", of: (row) => row.client, show: (row) => html`<code title=${isRevealed.value ? row.client : undefined}>${visible(isRevealed.value ? row.client : hidden(row.client, by))}</code>` },
          { key: "requests", label: "Requests", of: (row) => row.requests, show: (row) => html`<${Bar} share=${share(row.requests, all)} text=${number(row.requests)} />` },
          { key: "refusals", label: "Refused", align: "right", of: (row) => row.refusals, show: (row) => number(row.refusals) },
          { key: "part", label: "Share refused", align: "right", of: (row) => share(row.refusals, row.requests), show: (row) => percent(share(row.refusals, row.requests)) },
          { key: "failed", label: "Failed sign-ins", align: "right", of: (row) => row.failed_sign_ins, show: (row) => html`<span class=${row.failed_sign_ins ? "bad" : "quiet"}>${number(row.failed_sign_ins)}</span>` },
        ]} />`}</div>
      <${Limits} kind=${kind} client=${key} shown=${key && (isRevealed.value ? key : hidden(key, by))} session=${session} />
    </div>
  `;
}

/** What is shown of a client before anybody has asked for more. */
const hidden = (client, by) => (by === "users" ? hiddenUser(client) : by === "networks" ? client : hiddenAddress(client));

function Limits({ kind, client, shown, session }) {
  const rules = useData("limits", { every: 60 }).data?.limits ?? [];
  const has = client && kind !== "network";
  const left = useData(has ? `limits/${kind}/${encodeURIComponent(client)}` : undefined, { every: 5 });
  const [typed, type] = useState("");
  const find = (event) => {
    event.preventDefault();
    if (typed.trim()) change({ by: "addresses", key: typed.trim() });
  };
  return html`<section class="section" aria-labelledby="limits">
    <div class="section-head"><h2 id="limits">${client ? html`Limits of <code>${visible(shown)}</code>` : "Limits"}</h2></div>
    ${!client &&
    html`<dl class="facts">${rules.map((rule) => html`<dt>${visible(rule.limit)}</dt><dd>${visible(rule.rate)} <span class="quiet">per ${rule.kind}, ${rule.store === "local" ? "counted here" : "counted in Valkey"}</span></dd>`)}</dl>
      <form class="filters block" onSubmit=${find}><input type="text" data-filter aria-label="Address" placeholder="192.0.2.7, or 2001:db8::7" value=${typed} onInput=${(event) => type(event.target.value)} /><button type="submit">What is left</button></form>`}
    ${client && kind === "network" && html`<p class="quiet">Limits hold for addresses and users.</p>`}
    ${has && left.error && html`<p>${left.error.message}</p>`}
    ${has &&
    left.data &&
    html`<dl class="facts">${left.data.limits.map((each) => html`<dt>${visible(each.limit)}</dt><dd><b>${number(each.left)}</b> left of ${visible(each.rate)}${each.full_in_seconds ? html` <span class="quiet">full in ${number(each.full_in_seconds)} s</span>` : ""}</dd>`)}</dl>
      <p class="buttons block"><${Act} label="Fill its buckets" session=${session} confirm=${`${shown} can send as much as a client that has sent nothing yet.`}
        act=${() => send("PUT", `limits/${kind}/${encodeURIComponent(client)}`).then(() => refreshAll("limits/"))} /></p>`}
    ${client && html`<p class="block"><a href=${toLogs(kind === "actor" ? { actor: client } : { client })}>Its lines in the log</a></p>`}
  </section>`;
}
