/** Small parts of all pages: chips, addresses, amounts, times, panels. */

import { IconCheck, IconCopy, IconRosetteDiscountCheckOff } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import {
  absolute,
  formatAmount,
  middle,
  relative,
  shortAddress,
  shortUnits,
  type Token,
  type Units,
} from "./format";
import { useNow } from "./now";
import css from "./parts.module.css";

export type Tone = "neutral" | "info" | "good" | "warn" | "bad" | "violet" | "accent";

interface ChipProps {
  tone?: Tone;
  icon?: ReactNode;
  outline?: boolean;
  /** Explanation on hover and focus. */
  hint?: string;
  children: ReactNode;
}

/** A word with a colour and, so that colour is never alone, an icon. */
export function Chip({ tone = "neutral", icon, outline = false, hint, children }: ChipProps) {
  return (
    <span
      className={css.chip}
      data-tone={tone}
      data-outline={outline || undefined}
      data-hint={hint}
      tabIndex={hint ? 0 : undefined}
    >
      {icon}
      {children}
    </span>
  );
}

export function Copy({ text, label }: { text: string; label: string }) {
  const [done, setDone] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    await copyText(text);
    setDone(true);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setDone(false), 1_500);
  };
  return (
    <button
      type="button"
      className={css.copy}
      data-done={done || undefined}
      aria-label={done ? "Copied" : label}
      onClick={() => void copy()}
    >
      {done ? <IconCheck size={14} /> : <IconCopy size={14} />}
    </button>
  );
}

/** Copies a text, also where the clipboard API is missing: on plain HTTP from another machine. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** Numbers that follow from an address and look random. */
function mix(address: string): () => number {
  let state = 2_166_136_261;
  for (const letter of address.toLowerCase()) state = Math.imul(state ^ letter.charCodeAt(0), 16_777_619);
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** A symmetric pattern that tells addresses apart at a glance. */
export function Identicon({ address, size = 18 }: { address: string; size?: number }) {
  const next = mix(address);
  const hue = Math.floor(next() * 360);
  const cells = Array.from({ length: 15 }, (_, i) => i).filter(() => next() < 0.52);
  return (
    <svg className={css.identicon} width={size} height={size} viewBox="-0.5 -0.5 6 6" aria-hidden="true">
      <g fill={`hsl(${hue} 55% 52%)`}>
        {cells.flatMap(i => {
          const [x, y] = [i % 3, Math.floor(i / 3)];
          const left = <rect key={i} x={x} y={y} width={1.03} height={1.03} />;
          return x === 2 ? [left] : [left, <rect key={`${i}m`} x={4 - x} y={y} width={1.03} height={1.03} />];
        })}
      </g>
    </svg>
  );
}

interface AddressProps {
  address: string;
  /** Page of the address, if it has one. */
  to?: string;
  full?: boolean;
  copy?: boolean;
}

export function Address({ address, to, full = false, copy = true }: AddressProps) {
  const text = full ? address : shortAddress(address);
  const code = <code title={address}>{text}</code>;
  return (
    <span className={css.identifier} data-full={full || undefined}>
      <Identicon address={address} />
      {to ? <Link to={to}>{code}</Link> : code}
      {copy && <Copy text={address} label={`Copy address ${shortAddress(address)}`} />}
    </span>
  );
}

/** A content identifier, a hash or another long text. */
export function Identifier({ text, name, copy = true }: { text: string; name: string; copy?: boolean }) {
  return (
    <span className={css.identifier}>
      <code title={text}>{middle(text)}</code>
      {copy && <Copy text={text} label={`Copy ${name} ${middle(text, 6, 4)}`} />}
    </span>
  );
}

/** A command to copy. */
export function Command({ children, label = "Copy the command" }: { children: string; label?: string }) {
  return (
    <div className={css.command}>
      <pre tabIndex={0}>{children}</pre>
      <Copy text={children} label={label} />
    </div>
  );
}

interface AmountProps {
  value: Units;
  token: Token | undefined;
  /** Number of decimals before the amount is cut. */
  places?: number;
}

/** An amount with its token; one that is cut shows all its digits on hover and focus. */
export function Amount({ value, token, places = 4 }: AmountProps) {
  if (!token) return <span className={css.amount}>{value.toString()} units</span>;
  const { text, exact } = shortUnits(value, token.decimals, places);
  return (
    <span
      className={css.amount}
      data-hint={exact ? undefined : formatAmount(value, token)}
      tabIndex={exact ? undefined : 0}
    >
      {text} <small>{token.symbol}</small>
      {!token.verified && <IconRosetteDiscountCheckOff size={13} aria-label="unverified token" role="img" />}
    </span>
  );
}

/** A time, relative to now; the absolute one in the reader's zone on hover. */
export function Time({ unix, prefix }: { unix: number; prefix?: string }) {
  const now = useNow();
  return (
    <time className={css.time} dateTime={new Date(unix * 1000).toISOString()} data-hint={absolute(unix)}>
      {prefix}
      {relative(unix, now)}
    </time>
  );
}

interface PanelProps {
  title: ReactNode;
  note?: ReactNode;
  actions?: ReactNode;
  /** Without padding, for tables. */
  flush?: boolean;
  children: ReactNode;
}

export function Panel({ title, note, actions, flush = false, children }: PanelProps) {
  const id = useId();
  return (
    <section className={css.panel} aria-labelledby={id}>
      <div className={css.panelHead}>
        <div>
          <h2 id={id}>{title}</h2>
          {note && <p>{note}</p>}
        </div>
        {actions && <div className={css.actions}>{actions}</div>}
      </div>
      <div className={css.panelBody} data-flush={flush || undefined}>
        {children}
      </div>
    </section>
  );
}

/** Head of a page: its title, a sentence, and what can be done. */
export function PageHead({
  title,
  children,
  actions,
}: {
  title: ReactNode;
  children?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div className={css.pageHead}>
      <div>
        <h1>{title}</h1>
        {children && <p>{children}</p>}
      </div>
      {actions && <div className={css.actions}>{actions}</div>}
    </div>
  );
}

export interface Figure {
  label: string;
  value: ReactNode;
  note?: ReactNode;
}

/** Tiles with the most important figures. */
export function Figures({ items }: { items: Figure[] }) {
  return (
    <dl className={css.stats}>
      {items.map(({ label, value, note }) => (
        <div className={css.stat} key={label}>
          <dt>{label}</dt>
          <dd>
            <div className={css.statValue}>{value}</div>
            {note && <div className={css.statNote}>{note}</div>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** Names and values, one pair a line. */
export function Facts({ items }: { items: [string, ReactNode][] }) {
  return (
    <dl className={css.facts}>
      {items.flatMap(([name, value]) => [<dt key={`${name} name`}>{name}</dt>, <dd key={name}>{value}</dd>])}
    </dl>
  );
}
