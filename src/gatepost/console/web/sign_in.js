// Signing in on a public listener, where the console is for users with the role console or console.write.

import { html, useState } from "./vendor/libraries.js";
import { BASE } from "./store.js";

const SESSION = `${BASE}/session`;

async function signIn(form) {
  const body = JSON.stringify(Object.fromEntries(new FormData(form)));
  const response = await fetch(SESSION, { method: "POST", headers: { "content-type": "application/json" }, body });
  if (response.ok) return undefined;
  const problem = await response.json().catch(() => undefined);
  return problem?.detail ?? `The server answers ${response.status}.`;
}

export function SignIn() {
  const [wrong, setWrong] = useState("");
  const [isBusy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setWrong("");
    try {
      const refusal = await signIn(event.target);
      if (refusal === undefined) return location.reload();
      setWrong(refusal);
    } catch {
      setWrong("The server cannot be reached.");
    }
    return setBusy(false);
  };
  return html`<main class="sign-in">
    <form onSubmit=${submit}>
      <h1><svg viewBox="0 0 16 16" width="22" height="22" aria-hidden="true"><path d="M1 1H5V15H1ZM11 1H15V15H11ZM5 6H11V9H5Z" /></svg> Gatepost console</h1>
      <label>Email <input name="email" type="email" autocomplete="username" required autofocus /></label>
      <label>Password <input name="password" type="password" autocomplete="current-password" required /></label>
      <button type="submit" class="primary" disabled=${isBusy}>Sign in</button>
      <p role="alert">${wrong}</p>
      <p class="quiet">For users with the role <code>console</code>. The first one is made with<br /><code>gatepost users create --role console</code></p>
    </form>
  </main>`;
}

export function SignOut({ session }) {
  if (session?.how !== "user") return null;
  const signOut = async () => {
    await fetch(SESSION, { method: "DELETE" });
    location.reload();
  };
  return html`<button type="button" class="quiet" onClick=${signOut} title=${`Signed in as ${session.name}`}>Sign out</button>`;
}
