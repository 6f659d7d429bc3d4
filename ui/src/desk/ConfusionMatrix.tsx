/** A confusion matrix as a table, with shading by the share of a class's rows. */

import { formatPpm, integer } from "../shared/format";
import { Panel } from "../shared/parts";
import { classFigures, sentence, tenth } from "./confusion";
import css from "./result.module.css";
import type { Confusion } from "./types";

/** Strongest shade, in per cent of the colour: text on it stays readable. */
const STRONGEST = 46;

export function ConfusionMatrix({ confusion }: { confusion: Confusion }) {
  const figures = classFigures(confusion);
  return (
    <Panel title="Confusion matrix" note={sentence(confusion)} flush>
      <div className={css.scroll} tabIndex={0} role="region" aria-label="Table of right and wrong answers">
        <table className={css.matrix}>
          <caption className="visually-hidden">
            Rows are the right classes, columns the model's answers, cells the number of rows of the
            validation set.
          </caption>
          <thead>
            <tr>
              <td aria-hidden="true" className={css.corner}>
                right ↓ · answer →
              </td>
              {confusion.classes.map(name => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
              <th scope="col">Right</th>
            </tr>
          </thead>
          <tbody>
            {confusion.counts.map((row, right) => {
              const { rows, recall } = figures[right] ?? { rows: 0, recall: null };
              return (
                <tr key={confusion.classes[right]}>
                  <th scope="row">{confusion.classes[right]}</th>
                  {row.map((count, answer) => (
                    <td
                      // biome-ignore lint/suspicious/noArrayIndexKey: the place is the cell's identity
                      key={answer}
                      data-right={right === answer || undefined}
                      data-zero={count === 0 || undefined}
                      style={{ background: shade(count, rows, right === answer) }}
                    >
                      {integer(count)}
                    </td>
                  ))}
                  <td className={css.recall}>{recall === null ? "–" : formatPpm(tenth(recall))}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function shade(count: number, rows: number, right: boolean): string | undefined {
  if (count === 0 || rows === 0) return undefined;
  const strength = Math.max(4, Math.round((count / rows) * STRONGEST));
  const colour = right ? "var(--series-accuracy)" : "var(--series-rejected)";
  return `color-mix(in srgb, ${colour} ${strength}%, transparent)`;
}
