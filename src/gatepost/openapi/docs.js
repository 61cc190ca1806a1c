// Starts Swagger UI on the description of this server, light or dark as the system is, and signs users in.
"use strict";

const root = document.getElementById("docs");
const { document: description, login, scheme } = root.dataset;

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

let authorization = null; // of the description itself, which shows what its reader may see

const ui = window.SwaggerUIBundle({
  url: description,
  domNode: root,
  presets: [window.SwaggerUIBundle.presets.apis],
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  docExpansion: "list",
  persistAuthorization: false, // a token in localStorage would outlive the page
  requestInterceptor: (request) => {
    if (request.loadSpec && authorization) request.headers.Authorization = authorization;
    return request;
  },
  tryItOutEnabled: true,
  validatorUrl: null,
});

function use(token) {
  authorization = token && `${scheme} ${token.value}`;
  // Tools add "Bearer" themselves; any other scheme is described to them as the whole header.
  if (token) ui.preauthorizeApiKey(token.name, scheme.toLowerCase() === "bearer" ? token.value : authorization);
  else ui.authActions.logout([root.dataset.security]);
  ui.specActions.download(description);
}

const form = document.getElementById("sign-in");
if (form) {
  const message = form.querySelector("output");
  const signOut = form.querySelector("[type=button]");

  const show = (email) => {
    form.classList.toggle("signed-in", Boolean(email));
    message.textContent = email ? `Signed in as ${email}` : "";
    for (const input of form.querySelectorAll("input")) input.value = "";
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const email = form.elements.email.value;
    message.textContent = "…";
    try {
      const response = await fetch(login, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ email, password: form.elements.password.value }),
      });
      const body = await response.json();
      if (!response.ok) {
        message.textContent = body.detail || `Refused (${response.status}).`;
        return;
      }
      const token = body[root.dataset.envelope];
      use({ name: root.dataset.security, value: token[root.dataset.token] });
      show(email);
    } catch {
      message.textContent = "The server does not respond.";
    }
  });

  signOut.addEventListener("click", () => {
    use(null);
    show("");
  });
}
