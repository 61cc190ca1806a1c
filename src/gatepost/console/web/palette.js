// Ctrl+K: to a page, a route, an error code, a request, a user, by typing a part of it.

import { html, signal, useEffect, useMemo, useRef, useState } from "./vendor/libraries.js";
import { useData } from "./data.js";
import { go, to } from "./store.js";
import { PAGES } from "./pages.js";
import { toCode, toLogs, toOperation, toRequest } from "./links.js";

export const isPaletteOpen = signal(false);
const SHOWN = 12;
const REQUEST_ID = /^[\w-]{8,64}$/;

function choicesOf(application, state) {
  const pages = PAGES.map(({ page, label }) => ({ kind: "page", text: label, href: () => to(page) }));
  const operations = (application?.operations ?? []).map((each) => ({
    kind: "route",
    text: `${each.method} ${each.path}`,
    also: each.operation,
    href: () => toOperation(each.operation),
  }));
  const codes = Object.keys(state?.codes ?? {}).map((code) => ({ kind: "code", text: code, href: () => toCode(code) }));
  return [...pages, ...operations, ...codes];
}

function matching(choices, typed) {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const found = choices.filter(({ text, also = "", kind }) => {
    const all = `${kind} ${text} ${also}`.toLowerCase();
    return words.every((word) => all.includes(word));
  });
  const text = typed.trim();
  const free = REQUEST_ID.test(text)
    ? [
        { kind: "request", text, href: () => toRequest(text) },
        { kind: "user", text, href: () => toLogs({ actor: text }) },
      ]
    : [];
  return [...found.slice(0, SHOWN), ...free];
}

export function Palette() {
  const dialog = useRef(null);
  const isOpen = isPaletteOpen.value;
  useEffect(() => {
    if (isOpen && !dialog.current.open) dialog.current.showModal();
  }, [isOpen]);
  return html`<dialog ref=${dialog} class="palette" aria-label="Go to" onClose=${() => (isPaletteOpen.value = false)}
    onClick=${(event) => event.target === dialog.current && dialog.current.close()}>
    ${isOpen && html`<${Search} close=${() => dialog.current.close()} />`}
  </dialog>`;
}

function Search({ close }) {
  const application = useData("application", { every: Infinity }).data;
  const state = useData("state").data;
  const [typed, type] = useState("");
  const [chosen, choose] = useState(0);
  const input = useRef(null);
  const list = useRef(null);
  const choices = useMemo(() => choicesOf(application, state), [application, state]);
  const found = matching(choices, typed);
  const index = Math.min(chosen, found.length - 1);
  useEffect(() => input.current.focus(), []);
  useEffect(() => list.current?.children[index]?.scrollIntoView({ block: "nearest" }), [index]);
  const open = (choice) => {
    close();
    go(choice.href());
  };
  const onKeyDown = (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) {
      event.preventDefault();
      choose((index + by + found.length) % Math.max(1, found.length));
    } else if (event.key === "Enter" && found[index]) {
      event.preventDefault();
      open(found[index]);
    }
  };
  return html`<div class="dialog-body">
    <input ref=${input} type="text" role="combobox" aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list"
      aria-activedescendant=${found.length ? `palette-${index}` : undefined} aria-label="Route, request, code or user"
      placeholder="Route, request ID, code, user" value=${typed} autocomplete="off" spellcheck=${false}
      onInput=${(event) => (type(event.target.value), choose(0))} onKeyDown=${onKeyDown} />
    <ul id="palette-list" role="listbox" aria-label="Found" ref=${list}>
      ${found.map(
        (choice, number) => html`<li role="option" id=${`palette-${number}`} aria-selected=${number === index}
          key=${choice.kind + choice.text} onClick=${() => open(choice)} onMouseMove=${() => number !== index && choose(number)}>
          <span class="kind">${choice.kind}</span><span class="what">${choice.text}</span>
          ${choice.also && html`<span class="also">${choice.also}</span>`}
        </li>`,
      )}
    </ul>
    ${!found.length && html`<p class="quiet">Nothing has this in its name.</p>`}
  </div>`;
}
