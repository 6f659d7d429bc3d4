/** What is decided so far, in words. */

import type { ReactNode } from "react";
import { count, formatAmount, formatPpm, shortAddress } from "../../shared/format";
import { bountyUnits, type Draft, isRandom, payoutPreview, percent } from "./draft";
import css from "./wizard.module.css";
import { duration, inputs } from "./words";

type Line = [name: string, text: ReactNode];

/** The facts of a draft, in the order of its steps; those that are still open are left out. */
export function facts(draft: Draft): [string, string][] {
  const { data, token } = draft;
  const [amount, goal, start] = [bountyUnits(draft), percent(draft.goal), percent(draft.start)];
  const preview = payoutPreview(draft);
  const lines: [string, string | null][] = [
    ["Name", draft.name.trim() || null],
    [
      "Predicts",
      data &&
        `${data.target}, ${data.kind === "regression" ? "a number" : count(data.classes.length, "class", "classes")}`,
    ],
    ["From", data && inputs(data)],
    ["Validation", data && `${data.file}, ${count(data.rows, "row")}`],
    ["Model", data && modelText(draft)],
    [
      "Accuracy",
      goal === null ? null : `${start === null ? "measured start" : formatPpm(start)} to ${formatPpm(goal)}`,
    ],
    ["Bounty", amount === null ? null : formatAmount(amount, token)],
    ["A point pays", preview && preview.point > 0n ? formatAmount(preview.point, token) : null],
    ["Paid by", draft.account || null],
    ["Ends after", data && duration(draft)],
    ["Capsule", data && (draft.capsule === "" ? "the cheapest" : shortAddress(draft.capsule))],
  ];
  return lines.filter((line): line is [string, string] => line[1] !== null);
}

function modelText(draft: Draft): string {
  if (draft.regime === "clear") return `clear, ${draft.network || "network chosen for the data"}`;
  const { features, featureCount } = draft;
  if (features === "") return "encrypted, features chosen for the data";
  return `encrypted, ${features}${isRandom(features) ? `:${featureCount}` : ""}`;
}

export function Summary({ draft }: { draft: Draft }) {
  const lines: Line[] = facts(draft);
  return (
    <>
      <h2>So far</h2>
      {lines.length === 0 ? (
        <p className={css.hint}>What you decide appears here. The draft is kept in this browser.</p>
      ) : (
        <>
          <dl>
            {lines.map(([name, text]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{text}</dd>
              </div>
            ))}
          </dl>
          <p className={css.hint}>The draft is kept in this browser, without rows of your data.</p>
        </>
      )}
    </>
  );
}
