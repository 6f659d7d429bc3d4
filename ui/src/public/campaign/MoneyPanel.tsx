/** Where the money is: an equation whose terms add up exactly, and the lines that prove it. */

import { Button, Collapse } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconAlertTriangle, IconCircleCheck } from "@tabler/icons-react";
import { StackBar, Swatch } from "../../shared/chart/frame";
import { formatAmount, integer, sharePpm, type Token, units } from "../../shared/format";
import { Amount, Command, Panel } from "../../shared/parts";
import { useApi } from "../../shared/query";
import type { CampaignDetail, Ledger, Money } from "../types";
import css from "./campaign.module.css";

const TERMS: { key: keyof Ledger; label: string; colour: string }[] = [
  { key: "paid", label: "Paid to miners", colour: "var(--series-paid)" },
  { key: "owed", label: "Owed to miners", colour: "var(--series-owed)" },
  { key: "refunded", label: "Refunded to the owner", colour: "var(--series-refunded)" },
  { key: "fee", label: "Fee of the Capsule", colour: "var(--series-spend)" },
  { key: "escrowed", label: "In escrow", colour: "var(--series-escrow)" },
];

/** Whether `deposited = paid + owed + refunded + fee + escrowed`, exactly. */
export function addsUp(ledger: Ledger): boolean {
  return TERMS.reduce((sum, { key }) => sum + units(ledger[key]), 0n) === units(ledger.deposited);
}

export function MoneyPanel({ campaign, token }: { campaign: CampaignDetail; token: Token | undefined }) {
  const money = useApi<Money>(`/api/v1/campaigns/${campaign.id}/money`);
  const [proof, { toggle }] = useDisclosure(false);
  const ledger = money.data ?? campaign.ledger;
  const holds = addsUp(ledger) && (money.data?.adds_up ?? true);
  return (
    <Panel title="Money" note="Every unit that was deposited is in exactly one place.">
      <StackBar
        parts={TERMS.map(({ key, label, colour }) => ({
          name: label,
          colour,
          share: sharePpm(ledger[key], ledger.deposited) ?? 0,
        }))}
      />
      <dl className={css.equation}>
        <div className={`${css.term} ${css.sum}`}>
          <dt>
            <i />
            <span />
            Deposited
          </dt>
          <dd>
            <Amount value={ledger.deposited} token={token} places={6} />
          </dd>
        </div>
        {TERMS.map(({ key, label, colour }, index) => (
          <div className={css.term} key={key}>
            <dt>
              <i aria-hidden="true">{index === 0 ? "=" : "+"}</i>
              <Swatch colour={colour} />
              {label}
            </dt>
            <dd>
              <Amount value={ledger[key]} token={token} places={6} />
            </dd>
          </div>
        ))}
      </dl>
      <p className={css.proof} data-bad={!holds || undefined}>
        {holds ? <IconCircleCheck size={18} /> : <IconAlertTriangle size={18} />}
        {holds
          ? "The terms add up"
          : `The terms do not add up to ${token ? formatAmount(ledger.deposited, token) : ledger.deposited}`}
        {money.data ? ` at block ${integer(money.data.block)}` : ""}
      </p>
      {money.data && money.data.calls.length > 0 && (
        <>
          <Button variant="default" size="xs" onClick={toggle} aria-expanded={proof}>
            {proof ? "Hide the proof" : "Prove it"}
          </Button>
          <Collapse expanded={proof}>
            <div style={{ marginTop: 12 }}>
              <Command label="Copy the calls">{money.data.calls.join("\n")}</Command>
            </div>
          </Collapse>
        </>
      )}
    </Panel>
  );
}
