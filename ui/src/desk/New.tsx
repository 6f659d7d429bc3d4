/** New campaign: the steps, with the desk's own ways to read the file, to choose who pays, to plan and to launch. */

import { Button } from "@mantine/core";
import { IconRocket } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { flushSync } from "react-dom";
import { CampaignLink } from "../public/parts";
import { send } from "../shared/api";
import { formatAmount, formatUnits, units } from "../shared/format";
import { useNow } from "../shared/now";
import { PageHead } from "../shared/parts";
import { Cancelled } from "../shared/session";
import { ErrorPanel, Loaded, Loading, Notice } from "../shared/states";
import { isUnlocked, useAccounts } from "./data";
import desk from "./desk.module.css";
import { NewAccountDialogue } from "./NewAccount";
import { bountyUnits, type DataDraft } from "./new/draft";
import type { InspectChoices, StepProps, WizardHost } from "./new/host";
import { PlanReview } from "./new/PlanReview";
import { costText, planToken, usePlan } from "./new/plan";
import { base64 } from "./new/store";
import { readAnswer } from "./new/template";
import { Wizard } from "./new/Wizard";
import css from "./new/wizard.module.css";
import type { DeskAccount, DraftAnswer, Plan } from "./types";
import { useAccountAction } from "./Unlock";

export function NewPage() {
  return (
    <>
      <PageHead title="New campaign">
        Eight short steps. Nothing is paid before the last one, and you can stop and resume at any time.
      </PageHead>
      <Wizard host={host} />
    </>
  );
}

async function inspect(file: File, choices: InspectChoices): Promise<DataDraft> {
  const csv = await base64(file);
  const answer = await send<DraftAnswer>("POST", "/api/desk/draft", {
    csv,
    file_name: file.name,
    ...choices,
  });
  return readAnswer(answer, file.name);
}

const host: WizardHost = {
  needsAccount: true,
  fileNote:
    "The file goes to the desk on this computer only. The launch seals it to the Capsule; nobody else can read its rows.",
  inspect,
  Account: AccountField,
  Review: PlanReview,
  Launch: LaunchStep,
};

function AccountField({ draft, dispatch, problems }: StepProps) {
  const accounts = useAccounts();
  const [adding, setAdding] = useState(false);
  const choose = (account: string) => dispatch({ type: "change", changes: { account } });
  return (
    <fieldset className={css.choices}>
      <legend className={css.label}>Account that pays</legend>
      <Loaded
        query={accounts}
        what="The accounts could not be loaded"
        loading={<Loading lines={2} height={56} />}
      >
        {({ items, problem }) => (
          <>
            {problem && <Notice tone="warn">Balances are missing: {problem.detail}</Notice>}
            {items.map(account => (
              <AccountChoice
                key={account.name}
                account={account}
                chosen={draft.account === account.name}
                choose={() => choose(account.name)}
                draft={draft}
              />
            ))}
            <div>
              <Button variant="default" size="xs" onClick={() => setAdding(true)}>
                New account
              </Button>
            </div>
          </>
        )}
      </Loaded>
      {problems.account && (
        <p className={css.problem} data-problem tabIndex={-1}>
          {problems.account}
        </p>
      )}
      {adding && <NewAccountDialogue close={() => setAdding(false)} />}
    </fieldset>
  );
}

interface AccountChoiceProps {
  account: DeskAccount;
  chosen: boolean;
  choose: () => void;
  draft: StepProps["draft"];
}

function AccountChoice({ account, chosen, choose, draft }: AccountChoiceProps) {
  const now = useNow();
  const balance = account.balances.find(
    ({ token }) => token.toLowerCase() === draft.token.address.toLowerCase(),
  );
  const bounty = bountyUnits(draft);
  const short = bounty !== null && balance !== undefined && units(balance.amount) < bounty;
  const has = account.balances
    .map(({ amount, decimals, symbol }) => `${formatUnits(amount, decimals)} ${symbol}`)
    .join(", ");
  return (
    <label className={css.choice} data-chosen={chosen || undefined}>
      <input type="radio" name="account" checked={chosen} onChange={choose} />
      <span>
        <strong>{account.name}</strong>
        <small>
          {has || "Balance unknown"}.{" "}
          {isUnlocked(account, now) ? "Unlocked." : "Locked; the review asks to unlock it."}
          {short && <b className={css.short}> Not enough for this bounty.</b>}
        </small>
      </span>
    </label>
  );
}

function LaunchStep({ draft, dispatch }: StepProps) {
  const { plan, file } = usePlan(draft, false);
  if (draft.launch !== null) return <Started draft={draft} dispatch={dispatch} />;
  if (!plan.data || !file)
    return (
      <Notice tone="warn">
        The campaign must be checked first. Go back to the review: it needs the validation set and the
        unlocked account.
      </Notice>
    );
  return <Consent plan={plan.data} draft={draft} dispatch={dispatch} />;
}

function Started({ draft, dispatch }: Pick<StepProps, "draft" | "dispatch">) {
  const navigate = useNavigate();
  return (
    <>
      <Notice tone="good">This campaign was launched already.</Notice>
      <div className={desk.buttons}>
        <Button onClick={() => void navigate({ to: `/launches/${draft.launch}` })}>Show the launch</Button>
        <Button variant="default" onClick={() => dispatch({ type: "change", changes: { launch: null } })}>
          Launch it again
        </Button>
      </div>
    </>
  );
}

function Consent({ plan, draft, dispatch }: { plan: Plan } & Pick<StepProps, "draft" | "dispatch">) {
  const [run, dialogue] = useAccountAction();
  const [again, setAgain] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const navigate = useNavigate();
  const { account } = draft;
  const launch = async () => {
    setBusy(true);
    setError(null);
    try {
      const { id } = await run(account, () =>
        send<{ id: string }>("POST", "/api/desk/launches", { account, plan_id: plan.plan_id, again }),
      );
      // Before this page is left, which stores the draft.
      flushSync(() => dispatch({ type: "change", changes: { launch: id } }));
      await navigate({ to: `/launches/${id}` });
    } catch (failure) {
      if (!(failure instanceof Cancelled)) setError(failure);
      setBusy(false);
    }
  };
  const { escrow, fee, gas } = costText(plan);
  return (
    <>
      <p className={css.consent}>
        This puts <strong>{escrow}</strong> of bounty and at most <strong>{fee}</strong> of fee into escrow
        from <strong>{account}</strong>, and costs about {gas} for gas.
      </p>
      <ol className={css.plain}>
        <li>Seal the validation set to the Capsule.</li>
        <li>Upload the sealed files and the manifest.</li>
        <li>Approve the bounty, if the token needs it.</li>
        <li>Open the campaign: bounty and fee go into escrow.</li>
        <li>Wait until Sonar has the files.</li>
      </ol>
      <p className={css.hint}>
        Each step is stored on this computer before the next begins. If one fails, the launch can be resumed;
        nothing is paid twice.
      </p>
      {plan.earlier !== null && (
        <Notice tone="warn">
          The same files were launched before: <CampaignLink id={plan.earlier} name={null} />. The launch
          resumes that one.
          <label className={css.again}>
            <input
              type="checkbox"
              checked={again}
              onChange={event => setAgain(event.currentTarget.checked)}
            />
            Launch another campaign with these files
          </label>
        </Notice>
      )}
      {!plan.cost.affordable && (
        <Notice tone="bad">
          {account} has {formatAmount(plan.cost.balance, planToken(plan))} and cannot pay this. Add funds,
          then check the campaign again.
        </Notice>
      )}
      {error !== null && <ErrorPanel error={error} what="The launch was not started" />}
      <div>
        <Button
          size="md"
          leftSection={<IconRocket size={18} />}
          loading={busy}
          disabled={!plan.cost.affordable}
          onClick={() => void launch()}
        >
          Launch and pay
        </Button>
      </div>
      {dialogue}
    </>
  );
}
