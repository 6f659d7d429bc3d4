/**
 * The picture of a campaign: accuracy rises in steps, one dot for each accepted submission, a mark for each other one, the
 * target as a line, and the part of the bounty that was earned as an area.
 */

import { SegmentedControl } from "@mantine/core";
import { scaleLinear } from "d3-scale";
import { area, curveStepAfter, line } from "d3-shape";
import { useMemo, useState } from "react";
import { type Column, DataTable } from "../DataTable";
import {
  absolute,
  formatAmount,
  formatPoints,
  formatPpm,
  integer,
  sharePpm,
  shortAddress,
  shortUnits,
  type Token,
  tickPpm,
  units,
} from "../format";
import css from "./chart.module.css";
import { ChartFrame, type Drawing, Legend, type Tip } from "./frame";
import { nearestIndex, timeTick, timeTicks } from "./ticks";

export interface AccuracyPoint {
  number: number;
  time: number;
  best_ppm: number | null;
  spent: string;
  verdict: "pending" | "not_improved" | "accepted" | "rejected";
  delta_ppm: number | null;
  amount: string | null;
  miner: string;
}

interface ChartProps {
  points: AccuracyPoint[];
  /** Number of all submissions, of which `points` may be a part. */
  submissions: number;
  complete: boolean;
  start: number | null;
  startTime: number;
  target: number;
  bounty: string;
  token: Token | undefined;
  csv: string;
}

type Scale = "submission" | "time" | "spend";

const HEIGHT = 340;
const MARGIN = { top: 18, right: 58, bottom: 58, left: 54 };
/** Marks of submissions that were not accepted lie in a band below the axis, so that they do not cover the line. */
const BAND = 16;

const VERDICTS = {
  pending: "pending",
  not_improved: "no improvement",
  accepted: "accepted",
  rejected: "rejected",
};

/** The chart's data in the unit of its x axis; only pixels are computed from these numbers. */
interface Plotted {
  xs: number[];
  best: number[];
  spent: number[];
}

function plotted(points: AccuracyPoint[], scale: Scale, start: number, bounty: bigint): Plotted {
  let best = start;
  const of: Plotted = { xs: [], best: [], spent: [] };
  for (const point of points) {
    best = point.best_ppm ?? best;
    const spent = sharePpm(point.spent, bounty) ?? 0;
    of.best.push(best);
    of.spent.push(spent);
    of.xs.push(scale === "submission" ? point.number : scale === "time" ? point.time : spent);
  }
  return of;
}

export function AccuracyChart(props: ChartProps) {
  const { points, start, target, token, bounty, submissions } = props;
  const [scale, setScale] = useState<Scale>("submission");
  const from = start ?? 0;
  const data = useMemo(() => plotted(points, scale, from, units(bounty)), [points, scale, from, bounty]);
  const best = data.best.at(-1) ?? from;
  const geometry = (width: number) => geometryOf(width, scale, data, props);
  const tip = (index: number, width: number): Tip | null => {
    const point = points[index];
    if (!point) return null;
    const { x, y } = geometry(width);
    return {
      x: x(data.xs[index] ?? 0),
      y: Math.max(4, y(data.best[index] ?? 0) - 84),
      content: <PointTip point={point} token={token} />,
    };
  };
  return (
    <ChartFrame
      title="Accuracy and earnings"
      sentence={sentence(start, best, target, submissions, points)}
      points={points.length}
      describe={index => describe(points[index], token)}
      nearest={(px, width) => nearestIndex(data.xs, geometry(width).x.invert(px))}
      draw={drawing => <Picture {...drawing} data={data} scale={scale} chart={props} />}
      tip={tip}
      legend={<ChartLegend thinned={!props.complete} />}
      controls={
        <SegmentedControl
          size="xs"
          aria-label="Horizontal axis"
          value={scale}
          onChange={value => setScale(value as Scale)}
          data={[
            { value: "submission", label: "Submission" },
            { value: "time", label: "Time" },
            { value: "spend", label: "Earned" },
          ]}
        />
      }
      table={<PointTable points={points} token={token} />}
      csv={props.csv}
    />
  );
}

function sentence(
  start: number | null,
  best: number,
  target: number,
  submissions: number,
  points: AccuracyPoint[],
): string {
  if (start === null)
    return `The Capsule has not measured the starting accuracy yet; the target is ${formatPpm(target)}.`;
  const accepted = points.filter(({ verdict }) => verdict === "accepted").length;
  if (accepted === 0) {
    return `Accuracy is ${formatPpm(start)}, as at the start; ${integer(submissions)} submissions so far, none accepted; target ${formatPpm(target)}.`;
  }
  return `Best accuracy rose from ${formatPpm(start)} to ${formatPpm(best)} over ${integer(submissions)} submissions; target ${formatPpm(target)}.`;
}

function describe(point: AccuracyPoint | undefined, token: Token | undefined): string {
  if (!point) return "";
  const gain =
    point.verdict === "accepted" && point.delta_ppm !== null
      ? `, ${formatPoints(point.delta_ppm)} points`
      : "";
  const pay = point.amount && token ? `, earned ${formatAmount(point.amount, token)}` : "";
  const best = point.best_ppm === null ? "" : `, best ${formatPpm(point.best_ppm)}`;
  return `Submission ${point.number} by ${shortAddress(point.miner)}: ${VERDICTS[point.verdict]}${gain}${best}${pay}`;
}

function PointTip({ point, token }: { point: AccuracyPoint; token: Token | undefined }) {
  return (
    <>
      <strong>
        #{integer(point.number)} · {VERDICTS[point.verdict]}
        {point.verdict === "accepted" && point.delta_ppm !== null
          ? ` · ${formatPoints(point.delta_ppm)}`
          : ""}
      </strong>
      {point.best_ppm !== null && <span>best {formatPpm(point.best_ppm)}</span>}
      {point.amount && token && <span>earned {formatAmount(point.amount, token)}</span>}
      <span>{shortAddress(point.miner)}</span>
      <span>{absolute(point.time)}</span>
    </>
  );
}

function ChartLegend({ thinned }: { thinned: boolean }) {
  return (
    <>
      <Legend
        items={[
          {
            mark: (
              <Key>
                <circle cx="7" cy="7" r="4.5" fill="var(--series-accuracy)" />
              </Key>
            ),
            label: "Accepted",
          },
          {
            mark: (
              <Key>
                <circle cx="7" cy="7" r="2.5" fill="var(--series-escrow)" />
              </Key>
            ),
            label: "No improvement",
          },
          {
            mark: (
              <Key>
                <Cross x={7} y={7} />
              </Key>
            ),
            label: "Rejected",
          },
          {
            mark: (
              <Key>
                <path d="M0 7h14" stroke="var(--series-target)" strokeWidth="2" strokeDasharray="4 3" />
              </Key>
            ),
            label: "Target",
          },
          {
            mark: (
              <Key>
                <rect x="1" y="4" width="12" height="8" fill="var(--series-spend)" opacity=".35" />
              </Key>
            ),
            label: "Share of the bounty earned",
          },
        ]}
      />
      {thinned && (
        <p className={css.thinned}>
          The chart leaves out submissions that were not accepted, because there are too many; the CSV file
          has all.
        </p>
      )}
    </>
  );
}

function Key({ children }: { children: React.ReactNode }) {
  return (
    <svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">
      {children}
    </svg>
  );
}

function Cross({ x, y, size = 3.5 }: { x: number; y: number; size?: number }) {
  return (
    <path
      d={`M${x - size} ${y - size}l${2 * size} ${2 * size}m0-${2 * size}l-${2 * size} ${2 * size}`}
      stroke="var(--series-rejected)"
      strokeWidth={size > 2 ? 2 : 1.25}
      strokeLinecap="round"
    />
  );
}

function geometryOf(width: number, scale: Scale, { xs, best }: Plotted, chart: ChartProps) {
  const from = chart.start ?? 0;
  const last = xs.at(-1) ?? 1;
  const first = scale === "time" ? chart.startTime : 0;
  const right = width - MARGIN.right;
  const x = scaleLinear([first, last > first ? last : first + 1], [MARGIN.left, right]);
  const top = Math.max(chart.target, best.at(-1) ?? from);
  const margin = Math.max((top - from) * 0.08, 5_000);
  const y = scaleLinear(
    [Math.max(0, from - margin), Math.min(1_000_000, top + margin)],
    [HEIGHT - MARGIN.bottom, MARGIN.top],
  );
  const spent = scaleLinear([0, 1_000_000], [HEIGHT - MARGIN.bottom, MARGIN.top]);
  return { x, y, spent, right, bottom: HEIGHT - MARGIN.bottom };
}

interface PictureProps extends Drawing {
  data: Plotted;
  scale: Scale;
  chart: ChartProps;
}

function Picture({ width, active, data, scale, chart }: PictureProps) {
  const { points, start, target, token, bounty } = chart;
  const { x, y, spent, right, bottom } = geometryOf(width, scale, data, chart);
  const from = start ?? 0;
  const first = x.domain()[0] as number;
  // The line begins at the starting accuracy and ends at the right edge.
  const steps: [number, number, number][] = [
    [first, from, 0],
    ...data.xs.map((value, i): [number, number, number] => [value, data.best[i] ?? from, data.spent[i] ?? 0]),
  ];
  const path =
    line<[number, number, number]>(
      d => x(d[0]),
      d => y(d[1]),
    ).curve(curveStepAfter)(steps) ?? "";
  const spend =
    area<[number, number, number]>(
      d => x(d[0]),
      bottom,
      d => spent(d[2]),
    ).curve(curveStepAfter)(steps) ?? "";
  const most = Math.max(1, ...points.map(point => sharePpm(point.amount ?? "0", bounty) ?? 0));
  const radius = (point: AccuracyPoint) =>
    3.5 + 3.5 * Math.sqrt((sharePpm(point.amount ?? "0", bounty) ?? 0) / most);
  const dense = points.length > 150;
  const [low, high] = x.domain() as [number, number];
  const narrow = width < 520;
  const ticks =
    scale === "time"
      ? timeTicks(low, high, narrow ? 3 : 7)
      : x.ticks(narrow ? 3 : 8).filter(tick => scale === "spend" || Number.isInteger(tick));
  const tickText = (tick: number) =>
    scale === "time" ? timeTick(tick, high - low) : scale === "spend" ? tickPpm(tick) : integer(tick);
  return (
    <svg height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} role="presentation">
      <g className={css.grid}>
        {y.ticks(6).map(tick => (
          <g key={tick} transform={`translate(0 ${y(tick)})`}>
            <line x1={MARGIN.left} x2={right} />
            <text x={MARGIN.left - 8} dy="0.32em" textAnchor="end">
              {tickPpm(tick)}
            </text>
          </g>
        ))}
      </g>
      <path d={spend} fill="var(--series-spend)" opacity={0.16} />
      <path
        d={
          area<[number, number, number]>(
            d => x(d[0]),
            d => spent(d[2]),
            d => spent(d[2]),
          ).curve(curveStepAfter)(steps) ?? ""
        }
        fill="none"
        stroke="var(--series-spend)"
        strokeWidth={1.25}
        opacity={0.75}
      />
      {[0, 500_000, 1_000_000].map(tick => (
        <text key={tick} x={right + 8} y={spent(tick)} dy="0.32em" fontSize={11}>
          {token
            ? shortUnits((units(bounty) * BigInt(tick)) / 1_000_000n, token.decimals, 1).text
            : formatPpm(tick)}
        </text>
      ))}
      {token && (
        <text x={right + 8} y={spent(1_000_000) + 15}>
          {token.symbol}
        </text>
      )}
      <g transform={`translate(0 ${y(target)})`}>
        <line
          x1={MARGIN.left}
          x2={right}
          stroke="var(--series-target)"
          strokeWidth={1.5}
          strokeDasharray="5 4"
        />
        <text x={MARGIN.left + 6} y={-6} style={{ fill: "var(--series-target)" }} className={css.axisName}>
          target {formatPpm(target)}
        </text>
      </g>
      <path d={path} fill="none" stroke="var(--series-accuracy)" strokeWidth={2.25} strokeLinejoin="round" />
      {points.map((point, i) => {
        const px = x(data.xs[i] ?? 0);
        if (point.verdict === "accepted") {
          return (
            <circle
              key={point.number}
              cx={px}
              cy={y(data.best[i] ?? 0)}
              r={dense ? 3 : radius(point)}
              fill="var(--series-accuracy)"
              stroke="var(--surface)"
              strokeWidth={1.5}
            />
          );
        }
        const py = bottom + BAND;
        if (point.verdict === "rejected")
          return <Cross key={point.number} x={px} y={py} size={dense ? 2 : 3.5} />;
        return (
          <circle
            key={point.number}
            cx={px}
            cy={py}
            r={dense ? 1.75 : 2.75}
            fill={point.verdict === "pending" ? "var(--surface)" : "var(--series-escrow)"}
            stroke="var(--series-escrow)"
            strokeWidth={point.verdict === "pending" ? 1.5 : 0}
          />
        );
      })}
      <line x1={MARGIN.left} x2={right} y1={bottom} y2={bottom} stroke="var(--line-control)" />
      {ticks.map(tick => (
        <text key={tick} x={x(tick)} y={bottom + BAND + 22} textAnchor="middle">
          {tickText(tick)}
        </text>
      ))}
      {active !== null && (
        <g pointerEvents="none">
          <line
            x1={x(data.xs[active] ?? 0)}
            x2={x(data.xs[active] ?? 0)}
            y1={MARGIN.top}
            y2={bottom + BAND}
            stroke="var(--line-control)"
            strokeDasharray="2 3"
          />
          <circle
            cx={x(data.xs[active] ?? 0)}
            cy={y(data.best[active] ?? 0)}
            r={6.5}
            fill="none"
            stroke="var(--accent)"
            strokeWidth={2.5}
          />
        </g>
      )}
    </svg>
  );
}

function PointTable({ points, token }: { points: AccuracyPoint[]; token: Token | undefined }) {
  const columns: Column<AccuracyPoint>[] = [
    {
      id: "number",
      header: "Submission",
      cell: p => `#${integer(p.number)}`,
      sort: p => p.number,
      width: "110px",
    },
    {
      id: "time",
      header: "Time",
      cell: p => absolute(p.time),
      sort: p => p.time,
      width: "minmax(210px, 1fr)",
    },
    {
      id: "verdict",
      header: "Verdict",
      cell: p => VERDICTS[p.verdict],
      sort: p => p.verdict,
      width: "140px",
    },
    {
      id: "best",
      header: "Best after it",
      cell: p => (p.best_ppm === null ? "–" : formatPpm(p.best_ppm)),
      sort: p => p.best_ppm ?? 0,
      end: true,
    },
    {
      id: "delta",
      header: "Points",
      cell: p => (p.delta_ppm ? formatPoints(p.delta_ppm) : "–"),
      sort: p => p.delta_ppm ?? 0,
      end: true,
    },
    {
      id: "amount",
      header: "Earned",
      cell: p => (p.amount && token ? formatAmount(p.amount, token) : "–"),
      sort: p => units(p.amount ?? "0"),
      end: true,
      width: "minmax(160px, 1fr)",
    },
  ];
  return (
    <DataTable label="Points of the chart" columns={columns} rows={points} id={p => p.number} height={420} />
  );
}
