// Signing in: on a public listener as a user with the role console or console.write, at the port of the admin listener
// with its token and a name.

import { html, useState } from "./vendor/libraries.js";
import { useSession } from "./data.js";
import { BASE } from "./store.js";

const SESSION = `${BASE}/session`;

async function signIn(form) {
  const body = JSON.stringify(Object.fromEntries(new FormData(form)));
  const response = await fetch(SESSION, { method: "POST", headers: { "content-type": "application/json" }, body });
  if (response.ok) return undefined;
  const problem = await response.json().catch(() => undefined);
  return problem?.detail ?? `The server answers ${response.status}.`;
}

function UserFields() {
  return html`<label>Email <input name="email" type="email" autocomplete="username" required autofocus /></label>
    <label>Password <input name="password" type="password" autocomplete="current-password" required /></label>`;
}

function TokenFields() {
  return html`<label>Your name <input name="name" autocomplete="nickname" maxlength="80" required autofocus /></label>
    <label>Token <input name="token" type="password" autocomplete="off" maxlength="1000" required /></label>`;
}

const UserNote = () => html`For users with the role <code>console</code>. The first one is made with<br /><code>gatepost users create --role console</code>`;
const TokenNote = () => html`The token is that of <code>GATEPOST_ADMIN_TOKEN</code>; what you change is logged with your name. On the machine of the server no token is needed:<br /><code>gatepost console</code>`;

export function SignIn() {
  const { data: session } = useSession();
  const wantsToken = session?.wants === "token" || session?.how === "browser";
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
      ${wantsToken ? html`<${TokenFields} />` : html`<${UserFields} />`}
      <button type="submit" class="primary" disabled=${isBusy}>Sign in</button>
      <p role="alert">${wrong}</p>
      <p class="quiet">${wantsToken ? html`<${TokenNote} />` : html`<${UserNote} />`}</p>
    </form>
  </main>`;
}

export function SignOut({ session }) {
  if (!["user", "browser"].includes(session?.how)) return null;
  const signOut = async () => {
    await fetch(SESSION, { method: "DELETE" });
    location.reload();
  };
  return html`<button type="button" class="quiet" onClick=${signOut} title=${`Signed in as ${session.name}`}>Sign out</button>`;
}
