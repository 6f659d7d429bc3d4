import "@testing-library/jest-dom/vitest";
import { cleanup } from "@testing-library/react";
import { afterEach, vi } from "vitest";

afterEach(cleanup);

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
