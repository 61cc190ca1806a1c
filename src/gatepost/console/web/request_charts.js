// The two charts that most pages have: how many requests, and how long they take. With yesterday where that is asked.

import { html } from "./vendor/libraries.js";
import { Chart } from "./chart.js";
import { useHistory } from "./data.js";
import { duration, number } from "./format.js";
import { isCompared, range } from "./store.js";

const DAY = 86_400;
const rate = (part) => (step) => (step.covered_seconds ? step[part] / step.covered_seconds : undefined);
const seconds = (key) => (step) => (step.requests ? step.seconds[key] : undefined);

/** The history of a day before, by the moment a day later: a Map, or undefined where nobody asks. */
function useYesterday(history, operation) {
  const { seconds: length, from, to, isLive } = range.value;
  const now = Math.floor(Date.now() / 60_000) * 60;
  const asked = isCompared.value && history;
  const begin = (isLive ? now - length : from) - DAY;
  const found = useHistory(
    { from: begin, to: isLive ? now - DAY : to - DAY, step: history?.step ?? 60, operation, isOff: !asked },
  ).data;
  return asked && found ? new Map(found.steps.map((step) => [step.t + DAY, step])) : undefined;
}

const ghostOf = (yesterday, of) => ({
  label: "yesterday",
  of: (step) => {
    const then = yesterday.get(step.t);
    return then && of(then);
  },
  tone: "quiet",
  dash: "dotted",
  width: 2,
});

export function RequestsChart({ history, changes, operation, height }) {
  const yesterday = useYesterday(history, operation);
  const all = rate("requests");
  const series = [
    { label: "requests", of: all, tone: "ink", fill: 0.06 },
    { label: "refused", of: rate("refusals"), tone: "quiet", dash: "dashed" },
    { label: "failing", of: rate("errors"), tone: "fail", marker: "square", width: 2, hidesZero: true },
    ...(yesterday ? [ghostOf(yesterday, all)] : []),
  ];
  return html`<${Chart} label="Requests" unit="per second" steps=${history?.steps} step=${history?.step ?? 60} series=${series}
    changes=${changes} format=${number} height=${height} />`;
}

export function LatencyChart({ history, changes, operation, limit, height }) {
  const yesterday = useYesterday(history, operation);
  const p99 = seconds("p99");
  const series = [
    { label: "p50", of: seconds("p50"), tone: "ink" },
    { label: "p95", of: seconds("p95"), tone: "quiet", dash: "dashed" },
    { label: "p99", of: p99, tone: "accent", marker: "dot", width: 2 },
    ...(yesterday ? [ghostOf(yesterday, p99)] : []),
  ];
  return html`<${Chart} label="Latency" steps=${history?.steps} step=${history?.step ?? 60} series=${series} changes=${changes}
    format=${duration} limit=${limit} height=${height} isLog />`;
}
