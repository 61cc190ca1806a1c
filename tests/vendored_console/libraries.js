// The libraries of the console, as its pages import them.
import { Fragment, h, render } from "preact";
import htm from "htm";

export { Fragment, h, render };
export { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
export { batch, computed, effect, signal, untracked, useComputed, useSignal } from "@preact/signals";
export { default as uPlot } from "uplot";

export const html = htm.bind(h);
