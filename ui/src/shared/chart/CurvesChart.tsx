/** Several step curves on the same axes, both in parts per million. */

import { scaleLinear } from "d3-scale";
import { curveStepAfter, line } from "d3-shape";
import { useMemo } from "react";
import { DataTable } from "../DataTable";
import { formatPpm, roughPpm, tickPpm } from "../format";
import css from "./chart.module.css";
import { ChartFrame, Legend, Swatch } from "./frame";

export interface Curve {
  name: string;
  colour: string;
  points: { x: number; y: number }[];
}

const HEIGHT = 320;
const MARGIN = { top: 14, right: 16, bottom: 34, left: 54 };

export function CurvesChart({ title, curves }: { title: string; curves: Curve[] }) {
  const points = useMemo(
    () =>
      curves
        .flatMap(({ name, colour, points }) => points.map(point => ({ ...point, name, colour })))
        .sort((a, b) => a.x - b.x),
    [curves],
  );
  const geometry = (width: number) => {
    const ys = points.map(({ y }) => y);
    const x = scaleLinear(
      [0, Math.max(10_000, ...points.map(point => point.x))],
      [MARGIN.left, width - MARGIN.right],
    );
    const y = scaleLinear(
      [Math.min(...ys, 1_000_000), Math.max(...ys, 10_000)],
      [HEIGHT - MARGIN.bottom, MARGIN.top],
    ).nice(5);
    return { x, y };
  };
  const text = (index: number) => {
    const point = points[index];
    return point ? `${point.name}: ${formatPpm(point.y)} for ${formatPpm(point.x)} of the bounty` : "";
  };
  const best = curves.map(
    ({ name, points: own }) =>
      `${name} reached ${formatPpm(own.at(-1)?.y ?? 0)} for ${roughPpm(own.at(-1)?.x ?? 0)} of its bounty`,
  );
  return (
    <ChartFrame
      title={title}
      sentence={`${best.join("; ")}.`}
      points={points.length}
      describe={text}
      nearest={(px, width) => {
        const { x } = geometry(width);
        const distances = points.map(point => Math.abs(x(point.x) - px));
        return distances.length === 0 ? null : distances.indexOf(Math.min(...distances));
      }}
      tip={(index, width) => {
        const point = points[index];
        if (!point) return null;
        const { x, y } = geometry(width);
        return {
          x: x(point.x),
          y: Math.max(0, y(point.y) - 70),
          content: (
            <>
              <strong>{point.name}</strong>
              <span>{formatPpm(point.y)}</span>
              <span>for {formatPpm(point.x)} of the bounty</span>
            </>
          ),
        };
      }}
      draw={({ width, active }) => {
        const { x, y } = geometry(width);
        const path = line<{ x: number; y: number }>(
          point => x(point.x),
          point => y(point.y),
        ).curve(curveStepAfter);
        const shown = active === null ? undefined : points[active];
        return (
          <svg height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} role="presentation">
            <g className={css.grid}>
              {y.ticks(6).map(tick => (
                <g key={tick} transform={`translate(0 ${y(tick)})`}>
                  <line x1={MARGIN.left} x2={width - MARGIN.right} />
                  <text x={MARGIN.left - 8} dy="0.32em" textAnchor="end">
                    {tickPpm(tick)}
                  </text>
                </g>
              ))}
            </g>
            {x.ticks(width < 520 ? 4 : 8).map(tick => (
              <text key={tick} x={x(tick)} y={HEIGHT - 10} textAnchor="middle">
                {tickPpm(tick)}
              </text>
            ))}
            {curves.map(({ name, colour, points: own }) => (
              <g key={name}>
                <path
                  d={path(own) ?? ""}
                  fill="none"
                  stroke={colour}
                  strokeWidth={2.25}
                  strokeLinejoin="round"
                />
                {own.slice(1).map(point => (
                  <circle key={point.x} cx={x(point.x)} cy={y(point.y)} r={3} fill={colour} />
                ))}
              </g>
            ))}
            {shown && (
              <circle
                cx={x(shown.x)}
                cy={y(shown.y)}
                r={6.5}
                fill="none"
                stroke="var(--accent)"
                strokeWidth={2.5}
              />
            )}
          </svg>
        );
      }}
      legend={
        <Legend
          items={curves.map(({ name, colour }) => ({ label: name, mark: <Swatch colour={colour} /> }))}
        />
      }
      table={
        <DataTable
          label={title}
          rows={points.map((point, index) => ({ ...point, index }))}
          id={row => row.index}
          columns={[
            {
              id: "name",
              header: "Campaign",
              cell: row => row.name,
              sort: row => row.name,
              width: "minmax(200px, 2fr)",
            },
            {
              id: "x",
              header: "Share of the bounty",
              end: true,
              cell: row => formatPpm(row.x),
              sort: row => row.x,
            },
            { id: "y", header: "Accuracy", end: true, cell: row => formatPpm(row.y), sort: row => row.y },
          ]}
        />
      }
    />
  );
}
