// What Swagger UI leaves out for keyboards and screen readers: names of fields, levels of headings, places to scroll.
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
  [":is(select, textarea):not([aria-label]):not([id])", (field) => named(field, `Body of ${operationOf(field)}`)],
];

const repair = () => {
  for (const [selector, change] of REPAIRS) document.querySelectorAll(`#docs ${selector}`).forEach(change);
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
