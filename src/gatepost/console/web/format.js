// How figures, durations and moments are written. What cannot be known is an en dash, never a zero.

export const NOTHING = "–";

const isKnown = (value) => typeof value === "number" && Number.isFinite(value);

/** 12, 3.4, 1,234, 12.3k, 4.5M: at most four characters that change. */
export function number(value) {
  if (!isKnown(value)) return NOTHING;
  const size = Math.abs(value);
  if (size >= 999_500_000) return `${digits(value / 1e9)}G`;
  if (size >= 999_500) return `${digits(value / 1e6)}M`;
  if (size >= 9_999.5) return `${digits(value / 1e3)}k`;
  return size >= 99.95 || Number.isInteger(value) ? Math.round(value).toLocaleString("en") : digits(value);
}

/** Three significant digits, or two of what is smaller than a hundredth, without zeros at the end. */
function digits(value) {
  const size = Math.abs(value);
  if (size < 0.01) return String(Number(value.toPrecision(2)));
  return String(Number(value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2)));
}

/** Every digit, in groups of three. */
export const whole = (value) => (isKnown(value) ? Math.round(value).toLocaleString("en") : NOTHING);

/** The value and the unit of a duration apart, so that the unit can stand smaller. */
export function durationParts(seconds) {
  if (!isKnown(seconds)) return [NOTHING, ""];
  if (seconds === 0) return ["0", "ms"];
  if (seconds < 0.000_999_5) return [digits(seconds * 1e6), "µs"];
  if (seconds < 0.999_5) return [digits(seconds * 1e3), "ms"];
  if (seconds < 120) return [digits(seconds), "s"];
  if (seconds < 7_200) return [`${Math.round(seconds / 60)}`, "min"];
  if (seconds < 172_800) return [digits(seconds / 3_600), "h"];
  return [digits(seconds / 86_400), "d"];
}

/** 840 µs, 4.2 ms, 1.3 s, 5 min, 3 h. */
export const duration = (seconds) => durationParts(seconds).filter(Boolean).join(" ");

export function byteParts(count) {
  if (!isKnown(count)) return [NOTHING, ""];
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = count;
  let unit = 0;
  for (; Math.abs(value) >= 1_023.5 && unit < units.length - 1; unit += 1) value /= 1024;
  return [unit ? digits(value) : whole(value), units[unit]];
}

/** 512 B, 3.2 KiB, 1.1 GiB. */
export const bytes = (count) => byteParts(count).filter(Boolean).join(" ");

/** A share from 0 to 1 in per cent; what is not nothing never reads as 0. */
export function percent(share) {
  if (!isKnown(share)) return NOTHING;
  const value = share * 100;
  if (value === 0) return "0 %";
  if (Math.abs(value) < 0.01) return "< 0.01 %";
  if (value > 99.99 && value < 100) return "> 99.99 %";
  return `${digits(value)} %`;
}

/** The part of a whole, where there is a whole. */
export const share = (part, all) => (all ? part / all : undefined);

const pad = (value, length = 2) => String(value).padStart(length, "0");

export const zone = (() => {
  const part = new Intl.DateTimeFormat("en", { timeZoneName: "short" }).formatToParts(new Date());
  return part.find((each) => each.type === "timeZoneName")?.value ?? "local time";
})();

/** A Date of what the server writes (RFC 3339) or of seconds since the epoch; undefined of anything else. */
export function moment(given) {
  if (given === null || given === undefined || given === "") return undefined;
  const found = typeof given === "number" ? new Date(given * 1000) : new Date(given);
  return Number.isNaN(found.getTime()) ? undefined : found;
}

export const epoch = (given) => (moment(given)?.getTime() ?? Number.NaN) / 1000;

const isToday = (date, now = new Date()) => date.toDateString() === now.toDateString();

const day = (date) => `${date.toLocaleString("en", { month: "short" })} ${date.getDate()}`;

/** 02:41 of today, Nov 30 02:41 of another day. */
export function clock(given, { seconds = false } = {}) {
  const date = moment(given);
  if (!date) return NOTHING;
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}${seconds ? `:${pad(date.getSeconds())}` : ""}`;
  return isToday(date) ? time : `${day(date)} ${time}`;
}

/** The whole moment with its zone, for titles. */
export function fullMoment(given) {
  const date = moment(given);
  if (!date) return NOTHING;
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${time} ${zone}`;
}

/** just now, 40 s ago, 5 min ago, 3 h ago, 2 d ago. */
export function ago(given, now = Date.now()) {
  const date = moment(given);
  if (!date) return NOTHING;
  const seconds = Math.max(0, (now - date.getTime()) / 1000);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${Math.round(seconds)} s ago`;
  const [value, unit] = durationParts(Math.max(120, seconds));
  return seconds < 120 ? "1 min ago" : `${Math.round(Number(value))} ${unit} ago`;
}

const ADDRESS = /^(\d{1,3}\.\d{1,3})\.\d{1,3}\.\d{1,3}$/;

/** Enough of a key to tell it from others: 7c2e4f18…. */
export function shortKey(key) {
  const text = String(key ?? "");
  if (ADDRESS.test(text)) return text;
  return text.length > 12 ? `${text.slice(0, 8)}…` : text;
}

// Characters that reorder or hide text, and those that end lines: they are shown as what they are.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/gu;

/** Text of others, with what a reader cannot see written out: \u202e. Lines and tabs stay. */
export const visible = (text) =>
  String(text ?? "").replace(HIDDEN, (found) => `\\u${found.codePointAt(0).toString(16).padStart(4, "0")}`);

/** 1 request, 2 requests. */
export const counted = (count, noun, plural = `${noun}s`) => `${number(count)} ${count === 1 ? noun : plural}`;
