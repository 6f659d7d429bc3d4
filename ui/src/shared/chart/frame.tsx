/**
 * The frame of every chart: its title, a sentence that says what it shows, a table with the same figures, a file, and the
 * keys that go from point to point.
 */

import { useElementSize } from "@mantine/hooks";
import { IconChartLine, IconDownload, IconTable } from "@tabler/icons-react";
import { type KeyboardEvent, type PointerEvent, type ReactNode, useId, useState } from "react";
import { Panel } from "../parts";
import css from "./chart.module.css";

export interface Tip {
  /** Place in px within the chart. */
  x: number;
  y: number;
  content: ReactNode;
}

export interface Drawing {
  width: number;
  /** Index of the point that the reader looks at. */
  active: number | null;
}

interface FrameProps {
  title: ReactNode;
  /** One sentence with what the chart shows, made from its data. */
  sentence: string;
  /** Number of points that the arrow keys go through. */
  points: number;
  /** The text of a point, for screen readers. */
  describe: (index: number) => string;
  /** The point that is nearest to a place. */
  nearest: (x: number, width: number) => number | null;
  draw: (drawing: Drawing) => ReactNode;
  tip: (index: number, width: number) => Tip | null;
  legend?: ReactNode;
  controls?: ReactNode;
  table: ReactNode;
  /** Address of a CSV file with the figures. */
  csv?: string;
}

export function ChartFrame(props: FrameProps) {
  const [asTable, setAsTable] = useState(false);
  return (
    <Panel
      title={props.title}
      flush={asTable}
      actions={
        <>
          {!asTable && props.controls}
          <button
            type="button"
            className={css.tool}
            aria-pressed={asTable}
            onClick={() => setAsTable(!asTable)}
          >
            {asTable ? <IconChartLine size={15} /> : <IconTable size={15} />}
            {asTable ? "Chart" : "Table"}
          </button>
          {props.csv && (
            <a className={css.tool} href={props.csv} download>
              <IconDownload size={15} />
              CSV
            </a>
          )}
        </>
      }
    >
      {asTable ? props.table : <Plot {...props} />}
    </Panel>
  );
}

function Plot({ sentence, points, describe, nearest, draw, tip, legend }: FrameProps) {
  const { ref, width } = useElementSize();
  const [active, setActive] = useState<number | null>(null);
  const help = useId();
  const current = active !== null && active < points ? active : null;
  const key = (event: KeyboardEvent) => {
    const last = points - 1;
    const next: Record<string, number | null> = {
      ArrowRight: current === null ? 0 : Math.min(last, current + 1),
      ArrowLeft: current === null ? last : Math.max(0, current - 1),
      Home: 0,
      End: last,
      Escape: null,
    };
    if (points === 0 || !(event.key in next)) return;
    event.preventDefault();
    setActive(next[event.key] ?? null);
  };
  const point = (event: PointerEvent<HTMLDivElement>) =>
    setActive(nearest(event.clientX - event.currentTarget.getBoundingClientRect().left, width));
  const shown = current === null || width === 0 ? null : tip(current, width);
  return (
    <>
      <p className={css.sentence}>{sentence}</p>
      <div
        ref={ref}
        className={css.frame}
        role="group"
        tabIndex={0}
        aria-label={sentence}
        aria-describedby={help}
        onKeyDown={key}
        onPointerMove={point}
        onPointerDown={point}
        onPointerLeave={() => setActive(null)}
        onBlur={() => setActive(null)}
      >
        {width > 0 && draw({ width, active: current })}
        {shown && <TipBox tip={shown} width={width} />}
        <span id={help} className="visually-hidden">
          Use the arrow keys to go from point to point.
        </span>
        <span className="visually-hidden" aria-live="polite">
          {current === null ? "" : describe(current)}
        </span>
      </div>
      {legend}
    </>
  );
}

function TipBox({ tip, width }: { tip: Tip; width: number }) {
  const left = tip.x > width / 2;
  const style = left ? { right: width - tip.x + 12, top: tip.y } : { left: tip.x + 12, top: tip.y };
  return (
    <div className={css.tip} style={style} aria-hidden="true">
      {tip.content}
    </div>
  );
}

export function Legend({ items }: { items: { mark: ReactNode; label: string }[] }) {
  return (
    <ul className={css.legend}>
      {items.map(({ mark, label }) => (
        <li key={label}>
          {mark}
          {label}
        </li>
      ))}
    </ul>
  );
}

export function Swatch({ colour }: { colour: string }) {
  return <i className={css.swatch} style={{ background: colour }} aria-hidden="true" />;
}

/** A bar of parts of a whole. Their lengths are for the eye; the exact amounts belong next to it. */
export function StackBar({ parts }: { parts: { name: string; share: number; colour: string }[] }) {
  return (
    <div className={css.stack} aria-hidden="true">
      {parts
        .filter(({ share }) => share > 0)
        .map(({ name, share, colour }) => (
          <div key={name} style={{ flexGrow: share, flexBasis: 0, background: colour }} />
        ))}
    </div>
  );
}
