// Showing what the records hold of clients and users: asked for, confirmed, logged.

import { html, useState } from "./vendor/libraries.js";
import { send } from "./data.js";
import { Act } from "./act.js";

/** { isRevealed, suffix, Reveal }: `suffix` is what a path that reveals ends in. */
export function useReveal() {
  const [isRevealed, setRevealed] = useState(false);
  const Reveal = ({ session }) =>
    isRevealed
      ? html`<button type="button" class="small" onClick=${() => setRevealed(false)}>Shorten again</button>`
      : html`<${Act} label="Reveal" session=${session} confirm="Whole addresses and keys of users are shown on this page until you leave it. Who has seen them is logged."
          act=${() => send("PUT", "reveal", { what: "clients" }).then(() => setRevealed(true))} />`;
  return { isRevealed, suffix: "", Reveal };
}
