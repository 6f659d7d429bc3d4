/**
 * Explanations on hover and focus. Whatever has a `data-hint` attribute gets one; there is a single element for all of
 * them, because a table of submissions has thousands of places with an explanation.
 */

import { useEffect, useId, useState } from "react";
import css from "./Hints.module.css";

interface Shown {
  text: string;
  target: Element;
}

const DELAY_MS = 250;
const MARGIN = 8;
const MAX_WIDTH = 320;

function hinted(target: EventTarget | null): Element | null {
  return target instanceof Element ? target.closest("[data-hint]") : null;
}

export function Hints() {
  const [shown, setShown] = useState<Shown | null>(null);
  const id = useId();

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const hide = () => {
      clearTimeout(timer);
      setShown(null);
    };
    const show = (target: Element | null, delay: number) => {
      clearTimeout(timer);
      const text = target?.getAttribute("data-hint");
      if (!target || !text) return hide();
      timer = setTimeout(() => setShown({ text, target }), delay);
    };
    const over = (event: Event) => show(hinted(event.target), DELAY_MS);
    const focus = (event: Event) => show(hinted(event.target), 0);
    const key = (event: KeyboardEvent) => event.key === "Escape" && hide();
    const listeners: [string, (event: never) => void][] = [
      ["pointerover", over],
      ["pointerdown", hide],
      ["focusin", focus],
      ["focusout", hide],
      ["keydown", key],
    ];
    for (const [name, listener] of listeners) document.addEventListener(name, listener as EventListener);
    // Also scrolling inside of the page moves the target away.
    document.addEventListener("scroll", hide, { capture: true, passive: true });
    return () => {
      hide();
      for (const [name, listener] of listeners) document.removeEventListener(name, listener as EventListener);
      document.removeEventListener("scroll", hide, { capture: true });
    };
  }, []);

  useEffect(() => {
    shown?.target.setAttribute("aria-describedby", id);
    return () => shown?.target.removeAttribute("aria-describedby");
  }, [shown, id]);

  if (!shown) return null;
  return (
    <div id={id} role="tooltip" className={css.hint} style={place(shown.target)}>
      {shown.text}
    </div>
  );
}

/** Above the target if there is room, else below; never beyond the sides of the window. */
function place(target: Element): React.CSSProperties {
  const box = target.getBoundingClientRect();
  const middle = box.left + box.width / 2;
  const half = Math.min(MAX_WIDTH, window.innerWidth - 2 * MARGIN) / 2;
  const left = Math.min(Math.max(middle, half + MARGIN), window.innerWidth - half - MARGIN);
  const above = box.top > 96;
  return {
    left,
    maxWidth: half * 2,
    ...(above ? { bottom: window.innerHeight - box.top + MARGIN } : { top: box.bottom + MARGIN }),
  };
}
