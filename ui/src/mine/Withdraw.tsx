/** Withdrawing to the Mine's own account: what it brings and costs, a confirmation, the passphrase, the transactions. */

import { Button, Group, Modal, Stack } from "@mantine/core";
import { IconWallet } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { send } from "../shared/api";
import { ETH, formatAmount, type Token, units } from "../shared/format";
import { Address, Chip, Identifier } from "../shared/parts";
import { useApi } from "../shared/query";
import { Cancelled, usePassphrase } from "../shared/session";
import { Empty, ErrorPanel, Loaded, Notice } from "../shared/states";
import {
  type Campaign,
  campaignName,
  type PossibleWithdrawal,
  tokenOf,
  useCampaigns,
  useStatus,
  type WithdrawalPreview,
  type Withdrawals,
} from "./data";
import css from "./mine.module.css";

/** Sums by token, in the order of their first amount. */
export function sums(items: { token: PossibleWithdrawal["token"]; amount: string }[]): string[] {
  const found = new Map<string, { token: Token; amount: bigint }>();
  for (const { token, amount } of items) {
    const old = found.get(token.address)?.amount ?? 0n;
    found.set(token.address, { token: tokenOf(token), amount: old + units(amount) });
  }
  return [...found.values()].map(({ token, amount }) => formatAmount(amount, token));
}

export function Withdraw({ disabled = false }: { disabled?: boolean }) {
  const [opened, setOpened] = useState(false);
  return (
    <>
      <Button
        leftSection={<IconWallet size={17} />}
        aria-haspopup="dialog"
        disabled={disabled}
        onClick={() => setOpened(true)}
      >
        Withdraw
      </Button>
      {opened && <Dialogue close={() => setOpened(false)} />}
    </>
  );
}

function Dialogue({ close }: { close: () => void }) {
  const guarded = usePassphrase();
  const queries = useQueryClient();
  const preview = useApi<WithdrawalPreview>("/api/mine/withdraw", {}, { staleTime: 0 });
  const withdraw = useMutation({
    mutationFn: () => guarded(() => send<Withdrawals>("POST", "/api/mine/withdraw", { campaign: null })),
    onSettled: () =>
      Promise.all(
        ["/api/mine/earnings", "/api/mine/status", "/api/mine/withdraw"].map(path =>
          queries.invalidateQueries({ queryKey: [path] }),
        ),
      ),
  });
  const failed = withdraw.error !== null && !(withdraw.error instanceof Cancelled);
  // While money moves, and while the passphrase is asked for, the dialogue stays.
  const leave = () => {
    if (!withdraw.isPending) close();
  };
  return (
    <Modal opened onClose={leave} title="Withdraw" size="lg">
      {withdraw.data ? (
        <Done made={withdraw.data} close={close} />
      ) : (
        <Loaded query={preview} what="The withdrawal cannot be prepared">
          {({ items }) => (
            <Stack>
              <Review
                items={items}
                busy={withdraw.isPending}
                confirm={() => withdraw.mutate()}
                close={leave}
              />
              {failed && <ErrorPanel error={withdraw.error} what="Not withdrawn, or only in part" />}
            </Stack>
          )}
        </Loaded>
      )}
    </Modal>
  );
}

interface ReviewProps {
  items: PossibleWithdrawal[];
  busy: boolean;
  confirm: () => void;
  close: () => void;
}

function Review({ items, busy, confirm, close }: ReviewProps) {
  const status = useStatus();
  const campaigns = useCampaigns().data?.items ?? [];
  const worth = items.filter(item => item.worth_it);
  const gas = worth.reduce((sum, item) => sum + units(item.gas), 0n);
  if (items.length === 0)
    return <Empty title="Nothing to withdraw">Payouts appear here when a window is settled.</Empty>;
  return (
    <>
      <p className={css.text}>
        {worth.length === 0
          ? "Every withdrawal would cost more gas than it brings. Amounts do not expire: wait until more is owed or gas is cheaper."
          : `You withdraw ${sums(worth).join(" and ")} in ${worth.length === 1 ? "one transaction" : `${worth.length} transactions`}.`}
      </p>
      <table className={css.sum}>
        <caption>What it brings and costs</caption>
        <tbody>
          {items.map(item => (
            <tr key={`${item.campaign} ${item.token.address} ${item.source}`}>
              <th scope="row">
                {sourceName(item, campaigns)}
                <small>
                  gas at most {formatAmount(item.gas, ETH)}
                  {!item.worth_it && <Chip tone="warn">Left out: gas costs more</Chip>}
                </small>
              </th>
              <td>{formatAmount(item.amount, tokenOf(item.token))}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          {sums(worth).map(amount => (
            <tr key={amount}>
              <th scope="row">You receive</th>
              <td>{amount}</td>
            </tr>
          ))}
          {worth.length > 0 && (
            <tr>
              <th scope="row">Gas, at most</th>
              <td>{formatAmount(gas, ETH)}</td>
            </tr>
          )}
        </tfoot>
      </table>
      {status.data && (
        <p className={css.muted}>
          To the Mine's own account <Address address={status.data.address} />
        </p>
      )}
      <Group justify="flex-end">
        <Button variant="default" onClick={close} disabled={busy}>
          Cancel
        </Button>
        <Button onClick={confirm} loading={busy} disabled={worth.length === 0}>
          {worth.length === 0 ? "Withdraw" : `Withdraw ${sums(worth).join(" and ")}`}
        </Button>
      </Group>
    </>
  );
}

/** Where the money is: the campaign's name, if it is known, instead of its id. */
export function sourceName({ campaign, source }: PossibleWithdrawal, campaigns: Campaign[]): string {
  const known = campaigns.find(other => other.campaign === campaign);
  if (campaign === null || !known) return source.charAt(0).toUpperCase() + source.slice(1);
  return source === campaign
    ? `Payouts of ${campaignName(known)}`
    : `Returned stakes of ${campaignName(known)}`;
}

function Done({ made: { transactions, left_out }, close }: { made: Withdrawals; close: () => void }) {
  return (
    <Stack>
      <Notice tone="good">
        {transactions.length === 0
          ? "Nothing was withdrawn."
          : `Withdrew ${sums(transactions).join(" and ")}.`}
      </Notice>
      {transactions.length > 0 && (
        <table className={css.sum}>
          <caption>Transactions</caption>
          <tbody>
            {transactions.map(({ transaction, amount, token, stake }) => (
              <tr key={transaction}>
                <th scope="row">
                  {stake ? "Returned stakes" : "Payouts"}
                  <small>
                    <Identifier text={transaction} name="transaction" />
                  </small>
                </th>
                <td>{formatAmount(amount, tokenOf(token))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {left_out.length > 0 && <Notice tone="warn">Left out: {left_out.join("; ")}</Notice>}
      <Group justify="flex-end">
        <Button onClick={close} data-autofocus>
          Close
        </Button>
      </Group>
    </Stack>
  );
}
