// A traceback with the application's frames open and those of libraries folded.

import { html } from "./vendor/libraries.js";
import { visible } from "./format.js";

const FRAME = /^ {2}File "(.+)", line (\d+), in (.+)$/;
const HEAD = "Traceback (most recent call last):";
const OF_LIBRARIES = /(site-packages|dist-packages|\/lib\/python3|\/gatepost\/|<frozen )/;

/** The lines as parts: { kind: "frame" | "text", isOwn, lines }. */
export function partsOf(text) {
  const found = [];
  for (const line of String(text ?? "").split("\n")) {
    const match = FRAME.exec(line);
    const last = found.at(-1);
    if (match) found.push({ kind: "frame", isOwn: !OF_LIBRARIES.test(match[1]), file: match[1], line: match[2], name: match[3], lines: [] });
    else if (last?.kind === "frame" && (line.startsWith("    ") || line === "")) last.lines.push(line);
    else if (last?.kind === "text") last.lines.push(line);
    else found.push({ kind: "text", lines: [line] });
  }
  return found;
}

/** Frames of libraries that follow each other as one part. */
function folded(parts) {
  const found = [];
  for (const part of parts) {
    const last = found.at(-1);
    if (part.kind === "frame" && !part.isOwn && last?.kind === "libraries") last.frames.push(part);
    else if (part.kind === "frame" && !part.isOwn) found.push({ kind: "libraries", frames: [part] });
    else found.push(part);
  }
  return found;
}

const Frame = ({ file, line, name, lines }) => html`<div class="frame">
  <p><b>${visible(name)}</b> <span class="quiet">${visible(file)}:${line}</span></p>
  ${lines.join("").trim() && html`<pre>${visible(lines.map((each) => each.slice(4)).join("\n").trimEnd())}</pre>`}
</div>`;

export function Traceback({ text }) {
  return html`<div class="traceback">
    ${folded(partsOf(text)).map((part) => {
      if (part.kind === "frame") return html`<${Frame} ...${part} />`;
      if (part.kind === "libraries") {
        return html`<details><summary>${part.frames.length === 1 ? "1 frame of a library" : `${part.frames.length} frames of libraries`}</summary>${part.frames.map((frame) => html`<${Frame} ...${frame} />`)}</details>`;
      }
      const shown = visible(part.lines.filter((line) => line !== HEAD).join("\n").trim());
      return shown && html`<pre class="traceback-text">${shown}</pre>`;
    })}
  </div>`;
}
