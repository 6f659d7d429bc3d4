/** Why the Mine serves a campaign or not: the checks in their order, and where the campaign stands. */

import { Drawer } from "@mantine/core";
import {
  IconCircleCheck,
  IconCircleDashed,
  IconCircleDot,
  IconCircleX,
  IconClockHour4,
} from "@tabler/icons-react";
import type { ReactNode } from "react";
import { formatAmount, integer } from "../shared/format";
import { Prose } from "../shared/Prose";
import { Chip, Facts, Identifier } from "../shared/parts";
import { Notice } from "../shared/states";
import { type Campaign, campaignName, type Decision, tokenOf } from "./data";
import css from "./mine.module.css";
import { DECISIONS, type WhyState, whySteps } from "./words";

const HERE: Record<Decision["kind"], ReactNode> = {
  serve: <IconCircleDot className={css.mark} data-tone="accent" role="img" aria-label="Now" />,
  wait: <IconClockHour4 className={css.mark} data-tone="info" role="img" aria-label="Waits here" />,
  skip: <IconCircleX className={css.mark} data-tone="bad" role="img" aria-label="Stops here" />,
};

function Mark({ state, kind }: { state: WhyState; kind: Decision["kind"] }) {
  if (state === "here") return HERE[kind];
  return state === "passed" ? (
    <IconCircleCheck className={css.mark} data-tone="good" role="img" aria-label="Passed" />
  ) : (
    <IconCircleDashed className={css.mark} role="img" aria-label="Not reached" />
  );
}

export function Why({ campaign, close }: { campaign: Campaign; close: () => void }) {
  const { decision, fit } = campaign;
  return (
    <Drawer opened onClose={close} position="right" size="lg" title={`Why? ${campaignName(campaign)}`}>
      <div className={css.grid}>
        {decision ? (
          <Tree decision={decision} />
        ) : (
          <Notice>The Mine has not examined this campaign yet.</Notice>
        )}
        {campaign.trouble && (
          <Notice tone="bad">
            The last step failed, and is retried: <Prose text={campaign.trouble} />
          </Notice>
        )}
        <Facts
          items={[
            ["Campaign", <Identifier key="id" text={campaign.campaign} name="campaign id" />],
            [
              "Data that fits",
              fit === null
                ? "Unknown until the manifest is fetched"
                : fit.ok
                  ? `${fit.data.join(", ")} (${integer(fit.rows)} rows)`
                  : (fit.reason ?? "None"),
            ],
            ["Your submissions", integer(campaign.submitted)],
            ["You earned", formatAmount(campaign.earned, tokenOf(campaign.token))],
            ["Other accounts that submitted", integer(campaign.competitors)],
          ]}
        />
      </div>
    </Drawer>
  );
}

function Tree({ decision }: { decision: Decision }) {
  const { label, tone, hint } = DECISIONS[decision.kind];
  const steps = whySteps(decision);
  const known = steps.some(({ state }) => state === "here");
  return (
    <>
      <div className={css.line}>
        <Chip tone={tone}>{label}</Chip>
        <span className={css.muted}>{hint}</span>
      </div>
      {!known && (
        <Notice>
          <Prose text={decision.text} />
        </Notice>
      )}
      <ol className={css.steps}>
        {steps.map(({ question, state }) => (
          <li key={question} data-state={state}>
            <Mark state={state} kind={decision.kind} />
            <div>
              {state === "here" ? <strong>{question}</strong> : question}
              {state === "here" && (
                <p className={css.said}>
                  <Prose text={decision.text} />
                  {decision.rule && (
                    <>
                      {"\n"}
                      Rule: <code className={css.code}>{decision.rule}</code>
                    </>
                  )}
                </p>
              )}
            </div>
          </li>
        ))}
      </ol>
    </>
  );
}
