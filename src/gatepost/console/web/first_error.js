// What Errors shows before there is one: in development, an endpoint that fails and the request for it.

import { html } from "./vendor/libraries.js";
import { Command } from "./copy.js";
import { useData, useSession } from "./data.js";
import { apiAddress } from "./first_requests.js";

const FAILING = `from gatepost import Controller, anyone, get


class Trial(Controller):
    path = "trial"

    @get("", allow=anyone)
    async def fail(self) -> None:
        raise RuntimeError("Nobody expects it.")`;

export function FirstError() {
  const { data: session } = useSession();
  const application = useData("application", { every: 60 }).data;
  if (session?.environment !== "development") return null;
  const prefix = application?.operations.some(({ path }) => path.startsWith("/api/")) ? "/api" : "";
  return html`<p>To see one, add an endpoint that fails, and name it in <code>App(controllers=[Trial])</code>:</p>
    <${Command} text=${FAILING} label="An endpoint that fails" />
    <p>Then ask for it:</p>
    <${Command} text=${`curl -s ${apiAddress(session)}${prefix}/trial`} label="The request that fails" />`;
}
