// Clients' addresses and users' keys are shortened. To see what the records hold is asked for, confirmed and logged; it
// ends with the page.

import { effect, html, signal } from "./vendor/libraries.js";
import { send, useSession } from "./data.js";
import { place } from "./store.js";
import { Act } from "./act.js";

export const isRevealed = signal(false);

let shown = place.peek().page;
effect(() => {
  if (place.value.page !== shown) {
    shown = place.value.page;
    isRevealed.value = false;
  }
});

/** An address without its last part. */
export const hiddenAddress = (address) =>
  address.includes(":") ? `${address.split(":").slice(0, 3).join(":")}:…` : address.replace(/\.\d+$/, ".…");

const USER_SHOWN = 6;

/** The end of a user's key: the beginnings of those of a while are alike. */
export const hiddenUser = (key) => (key.length > USER_SHOWN ? `…${key.slice(-USER_SHOWN)}` : key);

export function Reveal() {
  const { data: session } = useSession();
  if (isRevealed.value) return html`<button type="button" class="small" onClick=${() => (isRevealed.value = false)}>Shorten again</button>`;
  return html`<${Act} label="Reveal" session=${session} confirm="Whole addresses and keys of users are shown on this page until you leave it."
    act=${() => send("PUT", "reveal", { page: place.peek().page }).then(() => (isRevealed.value = true))} />`;
}
