// Copy: the link of what is shown, the curl for it, the command that shows the same.

import { html, signal, useEffect, useRef, useState } from "./vendor/libraries.js";
import { visible } from "./format.js";
import { BASE, instance, place } from "./store.js";

const CONFIRMED_MS = 1_600;

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** A button that copies a text and says so. */
export function CopyButton({ text, label = "Copy", class: kind = "" }) {
  const [said, say] = useState("");
  useEffect(() => {
    if (!said) return undefined;
    const timer = setTimeout(() => say(""), CONFIRMED_MS);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = async () => say((await copyText(text)) ? "Copied" : "Select it by hand");
  return html`<button type="button" class=${`small ${kind}`} onClick=${copy}>
    <span class="swap" data-said=${said || undefined}>${said || label}</span>
  </button>`;
}

/** A command with its copy button. */
export function Command({ text, label = "Copy the command" }) {
  return html`<div class="command">
    <pre tabindex="0">${visible(text)}</pre>
    <${CopyButton} text=${text} label="Copy" />
    <span class="visually-hidden">${label}</span>
  </div>`;
}

const shellWord = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${String(text).replaceAll("'", "'\\''")}'`);

/** The curl that reads what an admin path has, through the console. */
export function curlOf(path) {
  const of = instance.value ? `${path.includes("?") ? "&" : "?"}instance=${encodeURIComponent(instance.value)}` : "";
  return `curl -s -H "authorization: Bearer $TOKEN" ${shellWord(`${location.origin}${BASE}/api/${path}${of}`)}`;
}

export const commandOf = (...words) => ["gatepost", ...words].map(shellWord).join(" ");

/** What can be copied of the page that is open: { path, command, requestId }. Pages set it. */
export const copied = signal({});

/** Say what the page that is shown can be copied as. */
export function useCopies(copies) {
  const key = JSON.stringify(copies);
  useEffect(() => {
    copied.value = copies;
    return () => {
      if (copied.peek() === copies) copied.value = {};
    };
  }, [key]);
}

/** The menu of the frame. */
export function CopyMenu() {
  const menu = useRef(null);
  const { path, command, requestId } = copied.value;
  place.value; // the link is of what is shown
  const choices = [
    ["Link", () => location.href],
    path && ["curl", () => curlOf(path)],
    command && ["Command", () => command],
    requestId && ["Request ID", () => requestId],
  ].filter(Boolean);
  const [said, say] = useState("");
  const choose = async (label, textOf) => {
    const isDone = await copyText(textOf());
    say(isDone ? `${label} copied` : "The browser does not let pages copy here.");
    menu.current?.hidePopover();
    setTimeout(() => say(""), CONFIRMED_MS);
  };
  return html`<div class="menu-of">
    <button type="button" class="quiet" popovertarget="copy-menu">Copy</button>
    <div popover id="copy-menu" class="menu" ref=${menu} role="group" aria-label="Copy">
      ${choices.map(
        ([label, textOf]) => html`<button type="button" class="menu-item" onClick=${() => choose(label, textOf)}>
          <strong>${label}</strong><code>${textOf()}</code>
        </button>`,
      )}
    </div>
    <output class="toast" hidden=${!said}>${said}</output>
  </div>`;
}
