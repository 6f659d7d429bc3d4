/** Right answers and the model's: on the diagonal the model is right. */

import { scaleLinear } from "d3-scale";
import { useMemo } from "react";
import { ChartFrame, Legend, Swatch } from "../shared/chart/frame";
import { type Column, DataTable } from "../shared/DataTable";
import { figure, sentence, spread } from "./residuals";
import type { Residuals } from "./types";

const HEIGHT = 380;
const MARGIN = { top: 12, right: 16, bottom: 44, left: 58 };

interface Row {
  index: number;
  actual: number;
  predicted: number;
}

const COLUMNS: Column<Row>[] = [
  {
    id: "actual",
    header: "Right answer",
    cell: row => figure(row.actual),
    sort: row => row.actual,
    end: true,
  },
  {
    id: "predicted",
    header: "Model's answer",
    cell: row => figure(row.predicted),
    sort: row => row.predicted,
    end: true,
  },
  {
    id: "difference",
    header: "Difference",
    cell: row => figure(row.predicted - row.actual),
    sort: row => row.predicted - row.actual,
    end: true,
  },
];

export function ResidualPlot({ residuals }: { residuals: Residuals }) {
  const rows = useMemo<Row[]>(
    () =>
      residuals.points.map((point, index) => ({ ...point, index })).toSorted((a, b) => a.actual - b.actual),
    [residuals],
  );
  const { min, max } = spread(residuals);
  const scales = (width: number) => ({
    x: scaleLinear([min, max], [MARGIN.left, width - MARGIN.right]).nice(),
    y: scaleLinear([min, max], [HEIGHT - MARGIN.bottom, MARGIN.top]).nice(),
  });
  const nearest = (place: number, width: number) => {
    const at = scales(width).x.invert(place);
    let found: number | null = null;
    for (const [index, row] of rows.entries())
      if (found === null || Math.abs(row.actual - at) < Math.abs((rows[found]?.actual ?? 0) - at))
        found = index;
    return found;
  };
  const tip = (index: number, width: number) => {
    const row = rows[index];
    if (!row) return null;
    const { x, y } = scales(width);
    return {
      x: x(row.actual),
      y: Math.max(0, y(row.predicted) - 24),
      content: (
        <>
          <strong>{figure(row.predicted)}</strong>
          <span>right: {figure(row.actual)}</span>
          <span>difference: {figure(row.predicted - row.actual)}</span>
        </>
      ),
    };
  };
  return (
    <ChartFrame
      title="Answers on the validation set"
      sentence={sentence(residuals)}
      points={rows.length}
      describe={index => describe(rows[index])}
      nearest={nearest}
      tip={tip}
      draw={({ width, active }) => <Drawing rows={rows} width={width} active={active} {...scales(width)} />}
      legend={
        <Legend
          items={[
            { mark: <Swatch colour="var(--series-accuracy)" />, label: "A row" },
            { mark: <Swatch colour="var(--series-target)" />, label: "Right answer" },
          ]}
        />
      }
      table={
        <DataTable
          label="Answers on the validation set"
          columns={COLUMNS}
          rows={rows}
          id={row => row.index}
        />
      }
    />
  );
}

function describe(row: Row | undefined): string {
  return row ? `Right ${figure(row.actual)}, model ${figure(row.predicted)}` : "";
}

type Scale = ReturnType<typeof scaleLinear<number, number>>;

interface DrawingProps {
  rows: Row[];
  width: number;
  active: number | null;
  x: Scale;
  y: Scale;
}

function Drawing({ rows, width, active, x, y }: DrawingProps) {
  const bottom = HEIGHT - MARGIN.bottom;
  const chosen = active === null ? undefined : rows[active];
  const [low = 0, high = 0] = x.domain();
  return (
    <svg height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} aria-hidden="true">
      {y.ticks(5).map(tick => (
        <g key={tick} transform={`translate(0 ${y(tick)})`}>
          <line x1={MARGIN.left} x2={width - MARGIN.right} stroke="var(--line)" />
          <text x={MARGIN.left - 8} dy="0.32em" textAnchor="end">
            {figure(tick)}
          </text>
        </g>
      ))}
      {x.ticks(Math.max(2, Math.floor(width / 110))).map(tick => (
        <text key={tick} x={x(tick)} y={bottom + 18} textAnchor="middle">
          {figure(tick)}
        </text>
      ))}
      <text x={(MARGIN.left + width - MARGIN.right) / 2} y={HEIGHT - 6} textAnchor="middle">
        Right answer
      </text>
      <text transform={`translate(12 ${(MARGIN.top + bottom) / 2}) rotate(-90)`} textAnchor="middle">
        Model's answer
      </text>
      <line
        x1={x(low)}
        y1={y(low)}
        x2={x(high)}
        y2={y(high)}
        stroke="var(--series-target)"
        strokeWidth={1.5}
        strokeDasharray="5 4"
      />
      <g fill="var(--series-accuracy)" fillOpacity={rows.length > 400 ? 0.4 : 0.7}>
        {rows.map(row => (
          <circle
            key={row.index}
            cx={x(row.actual)}
            cy={y(row.predicted)}
            r={rows.length > 400 ? 2.5 : 3.5}
          />
        ))}
      </g>
      {chosen && (
        <circle
          cx={x(chosen.actual)}
          cy={y(chosen.predicted)}
          r={6}
          fill="none"
          stroke="var(--ink)"
          strokeWidth={2}
        />
      )}
    </svg>
  );
}
