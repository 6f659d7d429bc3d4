/** Bars for each day, stacked by what they count. Values are numbers for the eye; their exact texts come from the caller. */

import { scaleLinear } from "d3-scale";
import { useMemo } from "react";
import { type Column, DataTable } from "../DataTable";
import css from "./chart.module.css";
import { ChartFrame, Legend, Swatch } from "./frame";

export interface DaySeries {
  name: string;
  colour: string;
  /** A number for each day. */
  values: number[];
  /** The exact value of a day. */
  text: (day: number) => string;
}

interface DayBarsProps {
  title: string;
  sentence: string;
  /** `YYYY-MM-DD`, in order, without gaps. */
  days: string[];
  series: DaySeries[];
  /** Text of a tick of the vertical axis; `null` for a value that cannot occur. */
  tick: (value: number) => string | null;
  csv?: string;
  controls?: React.ReactNode;
}

const HEIGHT = 240;
const MARGIN = { top: 12, right: 8, bottom: 30, left: 56 };

function dayText(date: string, long = false): string {
  const options: Intl.DateTimeFormatOptions = { day: "numeric", month: "short", timeZone: "UTC" };
  return new Intl.DateTimeFormat("en-GB", long ? { ...options, year: "numeric" } : options).format(
    Date.parse(date),
  );
}

export function DayBars({ title, sentence, days, series, tick, csv, controls }: DayBarsProps) {
  const totals = useMemo(
    () => days.map((_, day) => series.reduce((sum, { values }) => sum + (values[day] ?? 0), 0)),
    [days, series],
  );
  const geometry = (width: number) => {
    const inner = width - MARGIN.left - MARGIN.right;
    const step = inner / Math.max(1, days.length);
    const y = scaleLinear([0, Math.max(1, ...totals)], [HEIGHT - MARGIN.bottom, MARGIN.top]).nice(4);
    return { step, y, x: (day: number) => MARGIN.left + day * step };
  };
  const describe = (day: number) =>
    `${dayText(days[day] ?? "", true)}: ${series.map(({ name, text }) => `${name} ${text(day)}`).join(", ")}`;
  return (
    <ChartFrame
      title={title}
      sentence={sentence}
      points={days.length}
      describe={describe}
      nearest={(px, width) => {
        const day = Math.floor((px - MARGIN.left) / geometry(width).step);
        return day >= 0 && day < days.length ? day : null;
      }}
      tip={(day, width) => {
        const { x, step, y } = geometry(width);
        return {
          x: x(day) + step / 2,
          y: Math.max(0, Math.min(HEIGHT - 130, y(totals[day] ?? 0) - 30)),
          content: (
            <>
              <strong>{dayText(days[day] ?? "", true)}</strong>
              {series.map(({ name, text }) => (
                <span key={name}>
                  {name} {text(day)}
                </span>
              ))}
            </>
          ),
        };
      }}
      draw={({ width, active }) => (
        <Bars width={width} active={active} days={days} series={series} tick={tick} {...geometry(width)} />
      )}
      legend={
        series.length > 1 && (
          <Legend
            items={series.map(({ name, colour }) => ({ label: name, mark: <Swatch colour={colour} /> }))}
          />
        )
      }
      table={<DayTable title={title} days={days} series={series} />}
      {...(csv ? { csv } : {})}
      controls={controls}
    />
  );
}

interface BarsProps {
  width: number;
  active: number | null;
  days: string[];
  series: DaySeries[];
  tick: (value: number) => string | null;
  step: number;
  x: (day: number) => number;
  y: (value: number) => number;
}

function Bars({
  width,
  active,
  days,
  series,
  tick,
  step,
  x,
  y,
}: BarsProps & { y: { ticks?: (n: number) => number[] } }) {
  const gap = step > 6 ? Math.min(4, step * 0.22) : 0.5;
  const every = Math.ceil(days.length / Math.max(2, Math.floor(width / 90)));
  return (
    <svg height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} role="presentation">
      <g className={css.grid}>
        {(y.ticks?.(4) ?? [])
          .filter(value => tick(value) !== null)
          .map(value => (
            <g key={value} transform={`translate(0 ${y(value)})`}>
              <line x1={MARGIN.left} x2={width - MARGIN.right} />
              <text x={MARGIN.left - 8} dy="0.32em" textAnchor="end">
                {tick(value)}
              </text>
            </g>
          ))}
      </g>
      {days.map((date, day) => {
        let base = 0;
        return (
          <g key={date} opacity={active === null || active === day ? 1 : 0.55}>
            {series.map(({ name, colour, values }) => {
              const value = values[day] ?? 0;
              const bottom = base;
              base += value;
              const height = y(bottom) - y(base);
              return height > 0 ? (
                <rect
                  key={name}
                  x={x(day) + gap / 2}
                  y={y(base)}
                  width={Math.max(1, step - gap)}
                  height={height}
                  fill={colour}
                  rx={Math.min(2, step / 6)}
                />
              ) : null;
            })}
          </g>
        );
      })}
      {days.map((date, day) =>
        day % every === 0 ? (
          <text key={date} x={x(day) + step / 2} y={HEIGHT - 8} textAnchor="middle">
            {dayText(date)}
          </text>
        ) : null,
      )}
    </svg>
  );
}

function DayTable({ title, days, series }: { title: string; days: string[]; series: DaySeries[] }) {
  const rows = days.map((date, day) => ({ date, day }));
  const columns: Column<{ date: string; day: number }>[] = [
    { id: "date", header: "Day (UTC)", cell: row => row.date, sort: row => row.date },
    ...series.map(({ name, values, text }) => ({
      id: name,
      header: name,
      end: true,
      cell: (row: { day: number }) => text(row.day),
      sort: (row: { day: number }) => values[row.day] ?? 0,
    })),
  ];
  return <DataTable label={title} columns={columns} rows={rows} id={row => row.date} height={320} />;
}
