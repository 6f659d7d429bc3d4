/** Requests to the server that serves the page, and its errors. */

import createClient, { type ClientOptions } from "openapi-fetch";

/** Body of an error: RFC 9457, with the code that the command line uses too. */
export interface Problem {
  type?: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  retryable?: boolean;
}

/** A request that failed; `problem` is what the server answered, or what the page knows without an answer. */
export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    readonly problem: Problem,
    readonly request: string,
  ) {
    super(problem.detail);
  }

  get status(): number {
    return this.problem.status;
  }

  get code(): string {
    return this.problem.code;
  }
}

const UNREACHABLE: Omit<Problem, "detail"> = {
  title: "Server unreachable",
  status: 0,
  code: "UNREACHABLE",
  retryable: true,
};

function unreachable(cause: unknown): Problem {
  const why = cause instanceof Error ? cause.message : String(cause);
  return {
    ...UNREACHABLE,
    detail: `The server does not answer (${why}). It may have stopped, or the network is down.`,
  };
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "code" in body && "detail" in body;
}

/** The problem in a response that is not a success, whatever its body is. */
export function problemOf(status: number, statusText: string, body: unknown): Problem {
  if (isProblem(body)) return { ...body, status };
  // A proxy answers for a server that is gone.
  if (status === 502 || status === 503 || status === 504)
    return { ...UNREACHABLE, detail: `The server is unavailable (${status}).` };
  return {
    title: statusText || "Error",
    status,
    code: `HTTP_${status}`,
    detail: `The server answered ${status} ${statusText}`.trim(),
  };
}

/** A fetch for all clients: no redirects, own header on every request, one kind of error. */
async function guarded(request: Request): Promise<Response> {
  if (request.method !== "GET") request.headers.set("X-Requested-With", "sonar-ui");
  try {
    return await fetch(request);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError(unreachable(cause), `${request.method} ${new URL(request.url).pathname}`);
  }
}

const OPTIONS: ClientOptions = {
  baseUrl: window.location.origin,
  fetch: guarded,
  credentials: "same-origin",
};

/** A client for the routes of an OpenAPI document: `client<paths>()`, from `src/api/NAME.d.ts`. */
export function client<Paths extends object>() {
  return createClient<Paths>(OPTIONS);
}

/** The data of a response of `openapi-fetch`; throws `ApiError` otherwise. */
export async function unwrap<T>(
  answer: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error, response } = await answer;
  if (response.ok) return data as T;
  const path = response.url === "" ? "" : new URL(response.url).pathname;
  throw new ApiError(problemOf(response.status, response.statusText, error), path);
}

export type Query = Record<string, string | number | boolean | null | undefined>;

/** The address of a route of this server, without the parameters that are not set. */
export function url(path: string, query: Query = {}): string {
  const set = Object.entries(query).filter(
    ([, value]) => value !== undefined && value !== null && value !== "",
  );
  const search = new URLSearchParams(set.map(([name, value]) => [name, String(value)])).toString();
  return search === "" ? path : `${path}?${search}`;
}

/** GET of a route whose type the caller knows. */
export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return send<T>("GET", url(path, query), undefined, signal);
}

/** A request with a JSON body. */
export async function send<T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const init: RequestInit = { method, credentials: "same-origin", headers: { Accept: "application/json" } };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { ...init.headers, "Content-Type": "application/json" };
  }
  if (signal) init.signal = signal;
  const response = await guarded(new Request(new URL(path, window.location.origin), init));
  const text = await response.text();
  const json = parse(text);
  if (!response.ok)
    throw new ApiError(problemOf(response.status, response.statusText, json), `${method} ${path}`);
  return json as T;
}

function parse(text: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The problem to show for anything that was thrown. */
export function problemFrom(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  const detail = error instanceof Error ? error.message : String(error);
  return { title: "Error in the page", status: 0, code: "PAGE", detail };
}
