/**
 * Live updates: one connection of a browser to a stream of server-sent events, shared by its tabs.
 *
 * The tab that holds the lock of the stream reads it and passes each event on. When it closes, another tab gets the lock
 * and resumes after the last event that it has seen. Where the browser has no locks (plain HTTP from another machine),
 * each visible tab has its own connection.
 */

import { useSyncExternalStore } from "react";
import { problemOf } from "./api";

export interface LiveEvent {
  id: string | null;
  name: string;
  data: unknown;
}

export type LinkState = "connecting" | "live" | "down";

export interface LiveStatus {
  state: LinkState;
  /** Time in ms of the last sign of life. */
  seen: number | null;
  /** Why the connection is down. */
  problem: string | null;
}

type Message = { event: LiveEvent } | { status: LiveStatus } | { ask: true };
type Listener = (event: LiveEvent) => void;

/** The server sends a comment at least this often. */
const SILENCE_MS = 40_000;
const MAX_PAUSE_MS = 10_000;

/** Splits a stream of server-sent events; a comment gives an event without a name. */
export class EventParser {
  #rest = "";

  push(text: string): LiveEvent[] {
    const blocks = (this.#rest + text).replaceAll("\r\n", "\n").split("\n\n");
    this.#rest = blocks.pop() ?? "";
    return blocks.map(block => this.#event(block));
  }

  #event(block: string): LiveEvent {
    const event: LiveEvent = { id: null, name: "", data: null };
    const data: string[] = [];
    for (const line of block.split("\n")) {
      const [, field = "", value = ""] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
      if (field === "id") event.id = value;
      else if (field === "event") event.name = value;
      else if (field === "data") data.push(value);
    }
    if (data.length === 0) return event;
    event.name ||= "message";
    try {
      event.data = JSON.parse(data.join("\n"));
    } catch {
      event.data = data.join("\n");
    }
    return event;
  }
}

/** The stream of one path. */
export class LiveStream {
  #listeners = new Set<Listener>();
  #watchers = new Set<() => void>();
  #status: LiveStatus = { state: "connecting", seen: null, problem: null };
  #last: string | null = null;
  #abort: AbortController | null = null;
  #channel: BroadcastChannel | null = null;
  #leading = false;

  constructor(readonly path: string) {}

  get status(): LiveStatus {
    return this.#status;
  }

  /** Calls `listener` for each event until the returned function is called. The first call connects. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#start();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#stop();
    };
  }

  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  #start(): void {
    const abort = new AbortController();
    this.#abort = abort;
    if (typeof BroadcastChannel !== "undefined" && "locks" in navigator) {
      this.#channel = new BroadcastChannel(`live:${this.path}`);
      this.#channel.onmessage = ({ data }: MessageEvent<Message>) => this.#hear(data);
      this.#channel.postMessage({ ask: true } satisfies Message);
      navigator.locks
        .request(`live:${this.path}`, { signal: abort.signal }, () => this.#lead(abort.signal))
        .catch(() => undefined);
    } else {
      void this.#leadWhileVisible(abort.signal);
    }
  }

  #stop(): void {
    this.#abort?.abort();
    this.#channel?.close();
    this.#channel = null;
    this.#leading = false;
  }

  #hear(message: Message): void {
    if ("event" in message) this.#deliver(message.event);
    else if ("status" in message) this.#set(message.status);
    else if (this.#leading) this.#channel?.postMessage({ status: this.#status } satisfies Message);
  }

  #deliver(event: LiveEvent): void {
    if (event.id !== null) this.#last = event.id;
    for (const listener of this.#listeners) listener(event);
  }

  #set(status: LiveStatus): void {
    this.#status = status;
    for (const changed of this.#watchers) changed();
  }

  #report(status: LiveStatus): void {
    this.#set(status);
    this.#channel?.postMessage({ status } satisfies Message);
  }

  async #lead(signal: AbortSignal): Promise<void> {
    this.#leading = true;
    let pause = 500;
    while (!signal.aborted) {
      const problem = await this.#read(signal, () => {
        pause = 500;
      });
      if (signal.aborted) return;
      this.#report({ state: "down", seen: this.#status.seen, problem });
      await sleep(pause, signal);
      pause = Math.min(pause * 2, MAX_PAUSE_MS);
    }
  }

  async #leadWhileVisible(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await visible(true, signal);
      const hidden = new AbortController();
      const either = AbortSignal.any([signal, hidden.signal]);
      void visible(false, signal).then(() => hidden.abort());
      await this.#lead(either);
    }
  }

  /** Reads the stream until it ends; returns why it ended. */
  async #read(signal: AbortSignal, alive: () => void): Promise<string> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.#last !== null) headers["Last-Event-ID"] = this.#last;
    const silence = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const rearm = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
    };
    try {
      rearm();
      const response = await fetch(this.path, {
        headers,
        credentials: "same-origin",
        cache: "no-store",
        signal: AbortSignal.any([signal, silence.signal]),
      });
      if (!response.ok || response.body === null) {
        const body: unknown = await response.json().catch(() => null);
        return problemOf(response.status, response.statusText, body).detail;
      }
      const parser = new EventParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      this.#report({ state: "live", seen: Date.now(), problem: null });
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return "the server closed the stream";
        rearm();
        alive();
        this.#report({ state: "live", seen: Date.now(), problem: null });
        for (const event of parser.push(value).filter(event => event.name !== "")) {
          this.#deliver(event);
          this.#channel?.postMessage({ event } satisfies Message);
        }
      }
    } catch (cause) {
      if (silence.signal.aborted) return `no sign of life for ${SILENCE_MS / 1000} s`;
      return cause instanceof Error ? cause.message : String(cause);
    } finally {
      clearTimeout(timer);
    }
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function visible(wanted: boolean, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const check = () => {
      if (signal.aborted || (document.visibilityState === "visible") === wanted) {
        document.removeEventListener("visibilitychange", check);
        resolve();
      }
    };
    document.addEventListener("visibilitychange", check);
    signal.addEventListener("abort", check);
    check();
  });
}

const streams = new Map<string, LiveStream>();

/** The stream of a path, the same for all callers. */
export function liveStream(path: string): LiveStream {
  const stream = streams.get(path) ?? new LiveStream(path);
  streams.set(path, stream);
  return stream;
}

/** Whether the reader has paused live updates; shared by all parts of the page. */
class PauseSwitch {
  #paused = false;
  #watchers = new Set<() => void>();

  get paused(): boolean {
    return this.#paused;
  }

  set(paused: boolean): void {
    this.#paused = paused;
    for (const changed of this.#watchers) changed();
  }

  watch = (changed: () => void): (() => void) => {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  };
}

export const pauseSwitch = new PauseSwitch();

export function usePaused(): boolean {
  return useSyncExternalStore(pauseSwitch.watch, () => pauseSwitch.paused);
}

export function useLiveStatus(stream: LiveStream): LiveStatus {
  return useSyncExternalStore(
    changed => stream.watch(changed),
    () => stream.status,
  );
}
