/** A half circle that fills, with marks at 50 and 80 percent. */

import type { Level } from "./budget";
import css from "./mine.module.css";

const RADIUS = 80;
const CENTRE = { x: 100, y: 96 };
const MARKS = [50, 80];
const COLOURS: Record<Level, string> = {
  good: "var(--series-paid)",
  warn: "var(--series-spend)",
  bad: "var(--bad)",
};

/** A point of the half circle at a percentage, from left to right. */
function at(percent: number, radius: number): string {
  const angle = Math.PI * (1 - percent / 100);
  const x = CENTRE.x + radius * Math.cos(angle);
  const y = CENTRE.y - radius * Math.sin(angle);
  return `${x.toFixed(2)} ${y.toFixed(2)}`;
}

function arc(percent: number): string {
  return `M${at(0, RADIUS)} A${RADIUS} ${RADIUS} 0 0 1 ${at(percent, RADIUS)}`;
}

interface GaugeProps {
  percent: number;
  level: Level;
  value: string;
  note: string;
  label: string;
}

export function Gauge({ percent, level, value, note, label }: GaugeProps) {
  return (
    <div
      className={css.gauge}
      role="meter"
      aria-label={label}
      aria-valuenow={percent}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuetext={`${value} ${note}, ${percent} % spent`}
    >
      <svg className={css.dial} viewBox="0 0 200 112" aria-hidden="true">
        <g fill="none" strokeWidth="16">
          <path d={arc(100)} stroke="var(--surface-sunken)" />
          {percent > 0 && <path d={arc(percent)} stroke={COLOURS[level]} />}
          {MARKS.map(mark => (
            <path
              key={mark}
              d={`M${at(mark, RADIUS - 8)} L${at(mark, RADIUS + 8)}`}
              stroke="var(--surface)"
              strokeWidth="2"
            />
          ))}
        </g>
        <text x={CENTRE.x} y={78} textAnchor="middle" data-value>
          {value}
        </text>
        <text x={CENTRE.x} y={96} textAnchor="middle">
          {note}, {percent} % spent
        </text>
      </svg>
    </div>
  );
}
