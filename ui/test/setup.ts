import "@testing-library/jest-dom/vitest";
import { cleanup, configure } from "@testing-library/react";
import { afterEach, vi } from "vitest";

afterEach(cleanup);

// Test files run side by side, on machines that also compile: what a page shows after an await can take a while.
configure({ asyncUtilTimeout: 5_000 });

// What jsdom lacks and components ask for.
window.matchMedia ??= (media: string) =>
  ({
    matches: false,
    media,
    addEventListener: vi.fn(),
    removeEventListener: vi.fn(),
  }) as unknown as MediaQueryList;
window.ResizeObserver ??= class {
  constructor(readonly changed: ResizeObserverCallback) {}
  observe(target: Element) {
    const contentRect = { width: 800, height: 320 } as DOMRectReadOnly;
    this.changed([{ target, contentRect } as ResizeObserverEntry], this as unknown as ResizeObserver);
  }
  unobserve() {}
  disconnect() {}
};
window.scrollTo = vi.fn() as typeof window.scrollTo;
