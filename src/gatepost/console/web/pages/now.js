// Now: four figures with their day, what is wrong beside what changed, and the charts of the range.

import { html } from "../vendor/libraries.js";
import { useChanges, useData, useHistory, useRangeHistory } from "../data.js";
import { clock, duration, durationParts, number, percent, share, visible } from "../format.js";
import { Moment, toAlert, toErrors } from "../links.js";
import { ChangeIcon, toChange } from "../marks.js";
import { to } from "../store.js";
import { useCopies } from "../copy.js";
import { PageHead } from "../frame.js";
import { Linked } from "../state_line.js";
import { Sparkline } from "../spark.js";
import { LatencyChart, RequestsChart } from "../request_charts.js";
import { saturationOf, saturationAt } from "../saturation.js";
import { FirstRequests } from "../first_requests.js";

const CHANGES_SHOWN = 6;
const WRONG_SHOWN = 6;

export default function Now() {
  const state = useData("state").data;
  const alerts = useData("alerts", { every: 10 }).data;
  const application = useData("application", { every: 60 }).data;
  const { changes, data: hasChanges } = useChanges();
  const day = useHistory({ seconds: 2 * 86_400, step: 600, every: 300 }).data;
  const history = useRangeHistory().data;
  useCopies({ path: "state", command: "gatepost top" });
  const isNew = state && !state.requests && history && !history.steps.some((step) => step.requests) && !state.problems.length;
  return html`
    <${PageHead} title="Now" />
    <${Tiles} state=${state} day=${day} alerts=${alerts} />
    <div class="columns block">
      <${Wrong} state=${state} alerts=${alerts} application=${application} />
      <${Changed} changes=${changes} isKnown=${hasChanges !== undefined} />
    </div>
    ${isNew
      ? html`<div class="block"><${FirstRequests} application=${application} /></div>`
      : html`<div class="charts block">
          <${RequestsChart} history=${history} changes=${changes} height=${190} />
          <${LatencyChart} history=${history} changes=${changes} height=${190} />
        </div>`}
  `;
}

function Tiles({ state, day, alerts }) {
  const points = (of) => (day?.steps ?? []).map((step) => ({ t: step.t, value: step.covered_seconds > 5 ? of(step) : undefined }));
  const failing = state ? share(state.errors, state.requests) : undefined;
  const objective = strictest(alerts?.objectives);
  const [p99, unit] = durationParts(state?.requests ? state.seconds.p99 : undefined);
  const full = saturationOf(state);
  return html`<div class="tiles">
    <${Tile} label="Requests" href=${to("traffic")} value=${state && number(state.requests / state.window_seconds)} unit="/s"
      note=${state && `${number(state.requests)} in ${duration(state.window_seconds)}`}
      points=${points((step) => step.requests / step.covered_seconds)} />
    <${Tile} label="Failing" href=${toErrors()} value=${state && (state.requests ? percent(failing).replace(" %", "") : "–")} unit="%"
      note=${state && `${number(state.errors)} answered 5xx, ${number(state.refusals)} refused`} isBad=${failing >= (objective?.allowed ?? 0.01)}
      points=${points((step) => share(step.errors, step.requests) ?? 0)} limit=${objective?.allowed} />
    <${Tile} label="p99" href=${to("traffic", "", { sort: "-p99" })} value=${state && p99} unit=${unit || "ms"}
      note=${state && (state.requests ? `half of them within ${duration(state.seconds.p50)}` : "no requests")}
      points=${points((step) => (step.requests ? step.seconds.p99 : undefined))} limit=${objective?.seconds} />
    <${Tile} label="Fullest" href=${full?.href ?? to("system")} value=${state && (full ? percent(full.share).replace(" %", "") : "–")} unit="%"
      note=${full?.words} isBad=${full?.share >= 0.9} points=${points(saturationAt(state))} limit=${day ? 1 : undefined} />
  </div>`;
}

/** The objective that allows the least: { allowed, seconds }. */
function strictest(objectives) {
  const found = [...(objectives ?? [])].sort((one, other) => other.share - one.share)[0];
  return found && { allowed: 1 - found.share, seconds: found.faster_than_seconds };
}

function Tile({ label, href, value, unit, note, points, limit, isBad = false }) {
  return html`<a class=${`tile ${isBad ? "bad" : ""}`} href=${href}>
    <span class="tile-label">${label}</span>
    <span class="tile-value">${value ?? " "}<small> ${value === undefined ? "" : unit}</small></span>
    <span class="tile-note">${note ?? " "}</span>
    <${Sparkline} points=${points} limit=${limit} label=${`${label}: the last 24 hours, yesterday dotted`} />
  </a>`;
}

function Wrong({ state, alerts, application }) {
  const firing = (alerts?.alerts ?? []).filter(({ state: is }) => is === "firing");
  const silenced = (alerts?.alerts ?? []).filter(({ state: is }) => is === "silenced");
  const problems = state?.problems ?? [];
  const more = firing.length - WRONG_SHOWN;
  const isWell = state && !problems.length && !firing.length;
  return html`<section class="section" aria-labelledby="wrong">
    <div class="section-head"><h2 id="wrong">What is wrong</h2>
      <span class="quiet">${silenced.length ? html`<a href=${toAlert("")}>${silenced.length} silenced</a>` : ""}</span></div>
    <ul class="events">
      ${firing.slice(0, WRONG_SHOWN).map(
        (alert) => html`<li key=${alert.id}><${ChangeIcon} kind="alert" /><${Moment} at=${alert.since} />
          <span class="clamped"><a href=${toAlert(alert.id)}>${visible(alert.name)}</a> <${Linked} text=${alert.sentence} operations=${application?.operations} /></span></li>`,
      )}
      ${problems.map(
        (problem) => html`<li key=${problem}><${ChangeIcon} kind="error" /><span class="quiet">now</span>
          <span><${Linked} text=${problem} operations=${application?.operations} codes=${state.codes} /></span></li>`,
      )}
      ${more > 0 && html`<li><span></span><span></span><a href=${toAlert("")}>${more} more alerts</a></li>`}
      ${isWell && html`<li><span></span><time>${clock(state.at)}</time><span>Nothing. No alert fires, and no check of the last minute fails.</span></li>`}
    </ul>
  </section>`;
}

function Changed({ changes, isKnown }) {
  const shown = changes.slice(0, CHANGES_SHOWN);
  return html`<section class="section" aria-labelledby="changed">
    <div class="section-head"><h2 id="changed">What changed</h2><span class="grow"></span>
      <a href=${to("system", "", { tab: "changes" })}>All changes</a></div>
    <ul class="events">
      ${shown.map(
        (change) => html`<li key=${change.at + change.summary}><${ChangeIcon} kind=${change.kind} /><a href=${toChange(change)}><${Moment} at=${change.at} /></a>
          <span class="clamped"><${Linked} text=${change.summary} /></span></li>`,
      )}
      ${isKnown && !shown.length && html`<li><span></span><span></span><span>Nothing in this range.</span></li>`}
    </ul>
  </section>`;
}

