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
import { FirstRequests, isProbe } from "../first_requests.js";

const CHANGES_SHOWN = 5;
const WRONG_SHOWN = 4;
const YOUNG_SECONDS = 7_200;
const YOUNG_STEPS = 12;
const FEW_REQUESTS = 500;

export default function Now() {
  const state = useData("state").data;
  const alerts = useData("alerts", { every: 10 }).data;
  const application = useData("application", { every: 60 }).data;
  const { changes, data: hasChanges } = useChanges();
  const day = useDay();
  const history = useRangeHistory().data;
  useCopies({ path: "state", command: "gatepost top" });
  const isNew = useIsNew(state, history, application);
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
          <${RequestsChart} history=${history} changes=${changes} height=${172} />
          <${LatencyChart} history=${history} changes=${changes} height=${172} />
        </div>`}
  `;
}

/** Whether nobody but a load balancer has asked for anything yet. */
function useIsNew(state, history, application) {
  const requests = history?.steps.reduce((sum, step) => sum + step.requests, 0);
  const mayBe = state && !state.problems.length && application && requests < FEW_REQUESTS;
  const known = useData(mayBe ? "operations" : undefined, { every: 15 }).data?.operations;
  if (!mayBe || !known) return false;
  const routes = new Map(application.operations.map((each) => [each.operation, each]));
  return known.every((each) => isProbe(routes.get(each.operation)));
}

/** Today and yesterday in steps of ten minutes; of a server that is younger than two hours, those in steps of one. */
function useDay() {
  const days = useHistory({ seconds: 2 * 86_400, step: 600, every: 300 }).data;
  const isYoung = days !== undefined && days.steps.length < YOUNG_STEPS;
  const hours = useHistory({ seconds: YOUNG_SECONDS, step: 60, every: 60, isOff: !isYoung }).data;
  return isYoung ? hours && { ...hours, span: YOUNG_SECONDS, words: "the last two hours" } : days && { ...days, span: 86_400, words: "the last 24 hours, yesterday dotted" };
}

function Tiles({ state, day, alerts }) {
  const failing = state ? share(state.errors, state.requests) : undefined;
  const objective = strictest(alerts?.objectives);
  const [p99, unit] = durationParts(state?.requests ? state.seconds.p99 : undefined);
  const full = saturationOf(state);
  return html`<div class="tiles">
    <${Tile} label="Requests" href=${to("traffic")} value=${state && number(state.requests / state.window_seconds)} unit="/s"
      note=${state && `${number(state.requests)} in ${duration(state.window_seconds)}`}
      day=${day} of=${(step) => step.requests / step.covered_seconds} />
    <${Tile} label="Failing" href=${toErrors()} value=${state && (state.requests ? percent(failing).replace(" %", "") : "–")} unit="%"
      note=${state && `${number(state.errors)} answered 5xx, ${number(state.refusals)} refused`} isBad=${failing >= (objective?.allowed ?? 0.01)}
      day=${day} of=${(step) => share(step.errors, step.requests) ?? 0} limit=${objective?.allowed} />
    <${Tile} label="p99" href=${to("traffic", "", { sort: "-p99" })} value=${state && p99} unit=${unit || "ms"}
      note=${state && (state.requests ? `half of them within ${duration(state.seconds.p50)}` : "no requests")}
      day=${day} of=${(step) => (step.requests ? step.seconds.p99 : undefined)} limit=${objective?.seconds} />
    <${Tile} label="Fullest" href=${full?.href ?? to("system")} value=${state && (full ? percent(full.share).replace(" %", "") : "–")} unit="%"
      note=${full?.words} isBad=${full?.share >= 0.9} day=${day} of=${saturationAt(state)} limit=${day ? 1 : undefined} />
  </div>`;
}

/** The objective that allows the least: { allowed, seconds }. */
function strictest(objectives) {
  const found = [...(objectives ?? [])].sort((one, other) => other.share - one.share)[0];
  return found && { allowed: 1 - found.share, seconds: found.faster_than_seconds };
}

function Tile({ label, href, value, unit, note, day, of, limit, isBad = false }) {
  const points = (day?.steps ?? []).map((step) => ({ t: step.t, value: step.covered_seconds > 5 ? of(step) : undefined }));
  return html`<a class=${`tile ${isBad ? "is-bad" : ""}`} href=${href}>
    <span class="tile-label">${label}</span>
    <span class="tile-value">${value ?? " "}<small> ${value === undefined ? "" : unit}</small></span>
    <span class="tile-note">${note ?? " "}</span>
    <${Sparkline} points=${points} limit=${limit} span=${day?.span} label=${`${label}: ${day?.words ?? ""}`} />
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
  // Alerts that fire are what is wrong, not what has changed.
  const shown = changes.filter(({ kind, summary }) => kind !== "alert" || !summary.startsWith("Fires")).slice(0, CHANGES_SHOWN);
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

