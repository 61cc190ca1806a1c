// An act of an operator: a button, and before it is done one sentence that says what will happen.

import { html, useEffect, useRef, useState } from "./vendor/libraries.js";

/** `confirm` is the sentence; `fields` are [{ name, label, value, type, required }] that are asked for as well; `act`
 *  gets their values. What the server says against it is shown. */
export function Act({ label, confirm, act, session, fields = [], kind = "", doLabel = label }) {
  const dialog = useRef(null);
  const [isOpen, setOpen] = useState(false);
  const [said, say] = useState("");
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    if (isOpen) dialog.current.showModal();
  }, [isOpen]);
  if (session && !session.may_write) return null;
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await act(Object.fromEntries(new FormData(event.target)));
      dialog.current?.close();
    } catch (error) {
      say(error.message);
    }
    setBusy(false);
  };
  const id = `act-${label.toLowerCase().replace(/\W+/g, "-")}`;
  return html`<button type="button" class=${`small ${kind}`} onClick=${() => (say(""), setOpen(true))}>${label}</button>
    ${isOpen &&
    html`<dialog ref=${dialog} class="act" aria-labelledby=${id} onClose=${() => setOpen(false)}>
      <form class="dialog-body" onSubmit=${submit}>
        <h2 id=${id}>${label}</h2>
        <p>${confirm}</p>
        ${fields.map(
          (field) => html`<label>${field.label}
            ${field.options
              ? html`<select name=${field.name}>${field.options.map(([value, text]) => html`<option value=${value} selected=${value === field.value}>${text}</option>`)}</select>`
              : html`<input name=${field.name} type=${field.type ?? "text"} value=${field.value ?? ""} required=${field.required ?? true} maxlength="200" autocomplete="off" />`}
          </label>`,
        )}
        <p role="alert" class="bad">${said}</p>
        <div class="buttons">
          <button type="button" onClick=${() => dialog.current.close()}>Back</button>
          <button type="submit" class="primary" disabled=${isBusy}>${doLabel}</button>
        </div>
        <p class="quiet">It is logged with your name (${session?.name ?? "operator"}), and marked on every chart.</p>
      </form>
    </dialog>`}`;
}
