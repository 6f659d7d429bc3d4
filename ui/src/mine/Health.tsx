/** Health: the checks of `mine doctor`, each with its fix. */

import { Button } from "@mantine/core";
import { IconCircleCheck, IconCircleX, IconRefresh } from "@tabler/icons-react";
import { count } from "../shared/format";
import { Prose } from "../shared/Prose";
import { Copy, PageHead, Panel } from "../shared/parts";
import { Empty, Loaded, Loading, Notice } from "../shared/states";
import { type Check, useDoctor } from "./data";
import css from "./mine.module.css";
import { checkName } from "./words";

export function Page() {
  const doctor = useDoctor();
  return (
    <>
      <PageHead
        title="Health"
        actions={
          <Button
            variant="default"
            leftSection={<IconRefresh size={16} />}
            loading={doctor.isFetching}
            onClick={() => void doctor.refetch()}
          >
            Check again
          </Button>
        }
      >
        Everything that the Mine needs, as <code className={css.code}>mine doctor</code> checks it. The checks
        take some seconds, and change nothing.
      </PageHead>
      <Loaded query={doctor} what="The checks cannot be made" loading={<Loading lines={10} height={28} />}>
        {({ checks }) => <Checks checks={checks} />}
      </Loaded>
    </>
  );
}

function Checks({ checks }: { checks: Check[] }) {
  const bad = checks.filter(({ ok }) => !ok);
  // What needs a hand comes first.
  const ordered = [...bad, ...checks.filter(({ ok }) => ok)];
  return (
    <div className={css.grid}>
      <Notice tone={bad.length === 0 ? "good" : "bad"}>
        {bad.length === 0
          ? `All ${checks.length} checks passed.`
          : `${count(bad.length, "check")} failed: ${bad.map(checkName).join(", ")}.`}
      </Notice>
      <Panel title="Checks" flush>
        {checks.length === 0 ? (
          <Empty title="No check was made" />
        ) : (
          <ul className={`${css.list} ${css.checks}`}>
            {ordered.map(check => (
              <Line key={check.name} check={check} />
            ))}
          </ul>
        )}
      </Panel>
    </div>
  );
}

/** The command in a fix, if it names one in backticks. */
export function commandIn(fix: string): string | null {
  return /`([^`]+)`/.exec(fix)?.[1] ?? null;
}

function Line({ check }: { check: Check }) {
  const { ok, detail, fix } = check;
  const Icon = ok ? IconCircleCheck : IconCircleX;
  return (
    <li>
      <Icon
        className={css.mark}
        data-tone={ok ? "good" : "bad"}
        role="img"
        aria-label={ok ? "Passed" : "Failed"}
      />
      <div>
        <h3>{checkName(check)}</h3>
        <p className={`${css.text} ${css.muted}`}>
          <Prose text={detail} />
        </p>
        {fix && (
          <div className={css.fix}>
            <span>
              <Prose text={fix} />
            </span>
            <Copy text={commandIn(fix) ?? fix} label={`Copy the fix of ${checkName(check)}`} />
          </div>
        )}
      </div>
    </li>
  );
}
