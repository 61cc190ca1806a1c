// What Swagger UI leaves out for keyboards and screen readers: names of fields, levels of headings, places to scroll,
// what makes a dialog of the one for credentials.
// It renders again whenever something is opened, so what is new is looked through after each change.
"use strict";

const named = (element, name) => element.setAttribute("aria-label", name);

const region = (element, name) => {
  element.setAttribute("role", "region");
  named(element, name);
};

const operationOf = (element) => {
  const block = element.closest(".opblock");
  return block ? block.querySelector(".opblock-summary-method").textContent + " " +
    block.querySelector(".opblock-summary-path").dataset.path : "";
};

let opener = null; // what had the focus before the dialog, and gets it back
let isOpen = false;

document.addEventListener("focusin", (event) => {
  if (!event.target.closest(".modal-ux")) opener = event.target;
});

const stops = (dialog) => [...dialog.querySelectorAll("input, select, textarea, button, a[href]")];

const makeDialog = (dialog) => {
  dialog.setAttribute("role", "dialog");
  dialog.setAttribute("aria-modal", "true");
  named(dialog, dialog.querySelector("h3").textContent);
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Tab") return;
    const all = stops(dialog);
    const [edge, other] = event.shiftKey ? [all.at(0), all.at(-1)] : [all.at(-1), all.at(0)];
    if (document.activeElement !== edge) return;
    event.preventDefault();
    other.focus();
  });
  isOpen = true;
  if (!dialog.contains(document.activeElement)) (dialog.querySelector("input") || stops(dialog)[0]).focus();
};

const REPAIRS = [
  // A path links to itself within the button that opens it; clicking the button sets the address as well.
  [".opblock-summary-control a[href]", (link) => link.removeAttribute("href")],
  [":is(.opblock-tag, .models > h4):not([aria-level])", (heading) => heading.setAttribute("aria-level", "2")],
  [".opblock h4:not([aria-level])", (heading) => heading.setAttribute("aria-level", "3")],
  [".opblock h5:not([aria-level])", (heading) => heading.setAttribute("aria-level", "4")],
  [".information-container:not([role])", (part) => region(part, "About this API")],
  [".schemes-server-container:not([role])", (part) => region(part, "Server")],
  ["pre:not([tabindex])", (block) => block.setAttribute("tabindex", "0")],
  [".responses-table:not([aria-label])", (table) => named(table, `Responses of ${operationOf(table)}`)],
  [
    "tr[data-param-name] :is(select, input, textarea):not([aria-label])",
    (field) => named(field, field.closest("tr").dataset.paramName),
  ],
  ["#servers:not([aria-label])", (select) => named(select, "Server")],
  [".modal-ux:not([role])", makeDialog],
  [".modal-ux h3:not([aria-level])", (heading) => heading.setAttribute("aria-level", "2")],
  [".modal-ux h4:not([aria-level])", (heading) => heading.setAttribute("aria-level", "3")],
  [".modal-ux h6:not([aria-level])", (heading) => heading.setAttribute("aria-level", "4")],
  [".modal-ux [name=username]:not([autocomplete])", (field) => field.setAttribute("autocomplete", "username")],
  [".close-modal:not([aria-label])", (button) => named(button, "Close")],
  // What the button says has to be in its name; fields have labels.
  [".modal-ux :is(.auth-btn-wrapper button, label ~ * input)[aria-label]", (part) => part.removeAttribute("aria-label")],
  [":is(select, textarea):not([aria-label]):not([id])", (field) => named(field, `Body of ${operationOf(field)}`)],
];

const repair = () => {
  for (const [selector, change] of REPAIRS) document.querySelectorAll(`#docs ${selector}`).forEach(change);
  if (isOpen && !document.querySelector("#docs .modal-ux")) {
    isOpen = false;
    if (document.activeElement === document.body) opener?.focus();
  }
};

let isPlanned = false;
new MutationObserver(() => {
  if (isPlanned) return;
  isPlanned = true;
  requestAnimationFrame(() => {
    isPlanned = false;
    repair();
  });
}).observe(document.getElementById("docs"), { childList: true, subtree: true });
