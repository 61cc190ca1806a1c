// Where the console begins: the frame, with the page that the address names in it.

import { html, render } from "./vendor/libraries.js";
import { Frame } from "./frame.js";
import { followLinks } from "./store.js";
import { listenToKeys } from "./keys.js";

followLinks();
listenToKeys();
render(html`<${Frame} />`, document.getElementById("app"));
