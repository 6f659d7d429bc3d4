/** Step 7 of the desk: the plan in words, its costs, warnings and privacy, and the campaign file. */

import { Button } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import { ETH, formatAmount, formatBits, formatPoints, formatPpm, units } from "../../shared/format";
import { Address, Facts } from "../../shared/parts";
import { Cancelled } from "../../shared/session";
import { ErrorPanel, Loading, Notice } from "../../shared/states";
import { Prose } from "../Prose";
import { sentence } from "../text";
import type { Plan } from "../types";
import { useAccountAction } from "../Unlock";
import { FilePreview } from "./FilePreview";
import type { StepProps } from "./host";
import { costText, planToken, usePlan } from "./plan";
import css from "./wizard.module.css";
import { words } from "./words";

export function PlanReview({ draft, dispatch }: StepProps) {
  const [run, dialogue] = useAccountAction();
  const { plan, file } = usePlan(draft, true, run);
  const toData = () => dispatch({ type: "go", step: "data", options: { needsAccount: true } });
  const retry = () => void plan.refetch();
  return (
    <>
      <p className={css.words}>{words(draft).join(" ")}</p>
      {!file && (
        <Notice tone="warn">
          The files are not kept in the browser: choose{" "}
          {draft.initial === "" ? "the validation set" : "the validation set and the starting model"} again.{" "}
          <button type="button" className={css.textButton} onClick={toData}>
            Choose the file
          </button>
        </Notice>
      )}
      {plan.isFetching && (
        <div className={css.checking}>
          <p role="status">
            Checking: measuring the start, choosing features, estimating costs. Nothing is paid.
          </p>
          <Loading lines={4} />
        </div>
      )}
      {!plan.isFetching && plan.error instanceof Cancelled && (
        <Notice tone="warn">
          The check needs the keys of {draft.account}.{" "}
          <button type="button" className={css.textButton} onClick={retry}>
            Unlock and check
          </button>
        </Notice>
      )}
      {!plan.isFetching && plan.error && !(plan.error instanceof Cancelled) && (
        <ErrorPanel error={plan.error} what="The campaign cannot be launched like this" retry={retry} />
      )}
      {plan.data && !plan.isFetching && <PlanView plan={plan.data} retry={retry} />}
      <FilePreview draft={draft} />
      {dialogue}
    </>
  );
}

function PlanView({ plan, retry }: { plan: Plan; retry: () => void }) {
  const { outlook } = plan;
  return (
    <>
      {outlook.warnings.length === 0 ? (
        <Notice tone="good">The check found nothing to warn about.</Notice>
      ) : (
        outlook.warnings.map(warning => (
          <Notice key={warning} tone="warn">
            <Prose text={sentence(warning)} />
          </Notice>
        ))
      )}
      <Cost plan={plan} />
      <section className={css.preview} aria-labelledby="measured">
        <h3 id="measured">What the check measured</h3>
        <Facts
          items={[
            ["Start", `${formatPpm(outlook.start_ppm)} on your validation set`],
            ["Model", <Prose key="model" text={outlook.model} />],
            ["Public verdicts disclose", `at most ${formatBits(outlook.leak_bits)}`],
            ["Capsule", <Address key="capsule" address={plan.capsule.operator} />],
            ["Its stake in this campaign", formatAmount(plan.capsule.stake, ETH)],
          ]}
        />
      </section>
      <Examples plan={plan} />
      <Parties plan={plan} />
      <div>
        <Button variant="default" size="xs" leftSection={<IconRefresh size={14} />} onClick={retry}>
          Check again
        </Button>
      </div>
    </>
  );
}

function Cost({ plan }: { plan: Plan }) {
  const { cost } = plan;
  const token = planToken(plan);
  const { escrow, fee, gas } = costText(plan);
  const total = units(cost.bounty) + units(cost.fee);
  return (
    <section className={css.preview} aria-labelledby="cost">
      <h3 id="cost">What it costs</h3>
      <table>
        <tbody>
          <tr>
            <th scope="row">Bounty</th>
            <td>{escrow}</td>
          </tr>
          <tr>
            <th scope="row">Fee of the Capsule, at most ({formatPpm(plan.capsule.fee_ppm)})</th>
            <td>{fee}</td>
          </tr>
          <tr data-total>
            <th scope="row">Into escrow</th>
            <td>{formatAmount(total, token)}</td>
          </tr>
          <tr>
            <th scope="row">Gas, about</th>
            <td>{gas}</td>
          </tr>
        </tbody>
      </table>
      <Notice tone={cost.affordable ? "good" : "bad"}>
        The account has {formatAmount(cost.balance, token)} and, for gas,{" "}
        {formatAmount(cost.gas_balance, ETH)}. {cost.affordable ? "That is enough." : "That is not enough."}
      </Notice>
    </section>
  );
}

function Examples({ plan }: { plan: Plan }) {
  const token = planToken(plan);
  if (plan.examples.length === 0) return null;
  return (
    <section className={css.preview} aria-labelledby="examples">
      <h3 id="examples">What improvements pay</h3>
      <table>
        <thead>
          <tr>
            <th scope="col">Gain in points</th>
            <th scope="col">Pays</th>
          </tr>
        </thead>
        <tbody>
          {plan.examples.map(({ delta_ppm, amount }) => (
            <tr key={delta_ppm}>
              <th scope="row">{formatPoints(delta_ppm)}</th>
              <td>{formatAmount(amount, token)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Parties({ plan }: { plan: Plan }) {
  const { model, parties } = plan.privacy;
  return (
    <details className={css.more}>
      <summary>Privacy: who learns what</summary>
      <div>
        <p className={css.hint}>
          {plan.privacy.regime === "clear"
            ? "The model is public."
            : model.secret
              ? "The model can be called secret."
              : `The model has ${model.weights} weights; with fewer than ${model.least_weights} it cannot be called secret.`}
        </p>
        <ul className={css.parties}>
          {parties.map(({ party, learns, never_learns }) => (
            <li key={party}>
              <b>{party}</b> learns {learns}; never {never_learns}.
            </li>
          ))}
        </ul>
      </div>
    </details>
  );
}
