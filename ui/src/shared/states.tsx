/** The states of a page that are not its content: empty, loading, partial, stale, failed, offline, not found, locked. */

import { Button, Skeleton, Stack } from "@mantine/core";
import {
  IconAlertTriangle,
  IconCircleCheck,
  IconClockExclamation,
  IconInfoCircle,
  IconLock,
  IconMoodEmpty,
  IconPlugConnectedX,
  IconQuestionMark,
} from "@tabler/icons-react";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { type Problem, problemFrom } from "./api";
import { relative } from "./format";
import { useNow } from "./now";
import { Command, Copy } from "./parts";
import css from "./states.module.css";

interface StateProps {
  icon?: ReactNode;
  tone?: "bad" | "warn";
  title: string;
  children?: ReactNode;
  action?: ReactNode;
  /** The state is the whole page, so its title is the page's. */
  page?: boolean;
}

function State({ icon, tone, title, children, action, page = false }: StateProps) {
  const Heading = page ? "h1" : "h2";
  return (
    <div className={css.state}>
      <div className={css.glyph} data-tone={tone}>
        {icon}
      </div>
      <Heading>{title}</Heading>
      {children && <p>{children}</p>}
      {action && <div>{action}</div>}
    </div>
  );
}

/** Nothing is there yet; says what would be there, and how to get it. */
export function Empty({ icon = <IconMoodEmpty size={28} stroke={1.5} />, ...rest }: StateProps) {
  return <State icon={icon} {...rest} />;
}

/** Lines in the shape of what is being loaded. */
export function Loading({ lines = 6, height = 20 }: { lines?: number; height?: number }) {
  return (
    <Stack gap="sm" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines are all the same
        <Skeleton key={line} height={height} width={`${100 - ((line * 17) % 35)}%`} radius="sm" />
      ))}
    </Stack>
  );
}

type NoticeTone = "info" | "warn" | "bad" | "good";

const NOTICE_ICONS: Record<NoticeTone, ReactNode> = {
  info: <IconInfoCircle size={18} />,
  warn: <IconAlertTriangle size={18} />,
  bad: <IconAlertTriangle size={18} />,
  good: <IconCircleCheck size={18} />,
};

/** A sentence about what is shown. */
export function Notice({ tone = "info", children }: { tone?: NoticeTone; children: ReactNode }) {
  return (
    <div className={css.notice} data-tone={tone} role="note">
      {NOTICE_ICONS[tone]}
      <div>{children}</div>
    </div>
  );
}

/** A part of the page is missing. */
export function Partial({ children }: { children: ReactNode }) {
  return <Notice tone="warn">{children}</Notice>;
}

/** What is shown is old, because the last requests failed. */
export function Stale({ since, problem }: { since: number; problem: Problem }) {
  const now = useNow();
  return (
    <div className={css.notice} data-tone="warn" role="status">
      <IconClockExclamation size={18} />
      <div>
        Shown as of {relative(since, now)}. {problem.detail}
      </div>
    </div>
  );
}

/** What to do about problems that the page can explain better than their text. */
const ADVICE: Record<string, string> = {
  UNREACHABLE: "Check that the program is running. The page tries again by itself.",
  TIMED_OUT: "Try again; if it stays, the server is overloaded or its chain node is slow.",
  INTERNAL: "Try again. If it stays, report it with the details.",
  PAGE: "Reload the page. If it stays, report it with the details.",
};

interface ErrorProps {
  error: unknown;
  what?: string;
  retry?: () => void;
  /** The error is the whole page, so its title is the page's. */
  page?: boolean;
}

export function ErrorPanel({ error, what, retry, page = false }: ErrorProps) {
  const Heading = page ? "h1" : "h2";
  const problem = problemFrom(error);
  const advice = ADVICE[problem.code] ?? (problem.retryable ? "Try again in a moment." : null);
  const details = JSON.stringify(
    { what, page: window.location.pathname, time: new Date().toISOString(), ...problem },
    null,
    2,
  );
  return (
    <div className={css.error} role="alert">
      <div className={css.errorHead}>
        <div>
          <IconAlertTriangle size={20} />
          <Heading>{what ?? problem.title}</Heading>
          <code>{problem.code}</code>
        </div>
        <Copy text={details} label="Copy the details" />
      </div>
      <p>{problem.detail}</p>
      {advice && <p>{advice}</p>}
      {retry && (
        <footer>
          <Button variant="default" size="xs" onClick={retry}>
            Try again
          </Button>
        </footer>
      )}
    </div>
  );
}

export function Offline({ retry, page = false }: { retry?: () => void; page?: boolean }) {
  return (
    <State
      page={page}
      icon={<IconPlugConnectedX size={28} stroke={1.5} />}
      tone="warn"
      title="The server does not answer"
      action={retry && <Button onClick={retry}>Try again</Button>}
    >
      The program may have stopped, or the network is down. The page connects again by itself.
    </State>
  );
}

export function NotFound({ what = "Page", children }: { what?: string; children?: ReactNode }) {
  return (
    <State
      page
      icon={<IconQuestionMark size={28} stroke={1.5} />}
      title={`${what} not found`}
      action={
        <Button component="a" href="/" variant="default">
          Go to the first page
        </Button>
      }
    >
      {children ?? "The link may be old, or belong to another network."}
    </State>
  );
}

/** The page has no session. */
export function Locked({ command }: { command: string }) {
  return (
    <State
      page
      icon={<IconLock size={28} stroke={1.5} />}
      title="This page is locked"
      action={<Command>{command}</Command>}
    >
      Only the owner of this machine's account can open it. Run this command in a terminal; it opens the page
      in your browser.
    </State>
  );
}

interface LoadedProps<T> {
  query: UseQueryResult<T>;
  /** What could not be loaded, as the title of the error. */
  what: string;
  loading?: ReactNode;
  /** The data is the whole page: there is no other title. */
  page?: boolean;
  children: (data: T) => ReactNode;
}

/** Shows a query's data, old data with a notice while the server is gone, or why there is none. */
export function Loaded<T>({ query, what, loading = <Loading />, page = false, children }: LoadedProps<T>) {
  const retry = () => void query.refetch();
  if (query.data !== undefined) {
    return (
      <>
        {query.error && (
          <Stale since={Math.floor(query.dataUpdatedAt / 1000)} problem={problemFrom(query.error)} />
        )}
        {children(query.data)}
      </>
    );
  }
  if (!query.error) return loading;
  if (problemFrom(query.error).code === "UNREACHABLE") return <Offline retry={retry} page={page} />;
  return <ErrorPanel error={query.error} what={what} retry={retry} page={page} />;
}
