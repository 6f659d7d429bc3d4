/** A button that asks for confirmation in one sentence with the amount, and then sends the transaction. */

import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTokens } from "../../public/data";
import type { AccountCampaign, CampaignDetail } from "../../public/types";
import { send } from "../../shared/api";
import { count, integer, middle } from "../../shared/format";
import { useApi } from "../../shared/query";
import { Cancelled } from "../../shared/session";
import { ErrorPanel, Loading } from "../../shared/states";
import type { ActionDone } from "../types";
import { useAccountAction } from "../Unlock";
import { type ActionName, actionLabel, actionPath, actionTitle, consequence, isFinal } from "./words";

interface ActionButtonProps {
  action: ActionName;
  /** Name of the account that sends it. */
  account: string;
  item: Pick<AccountCampaign, "campaign" | "token" | "owed" | "free_stake">;
  size?: "xs" | "sm";
  variant?: "default" | "filled";
}

export function ActionButton({ action, account, item, size = "xs", variant = "default" }: ActionButtonProps) {
  const [opened, setOpened] = useState(false);
  return (
    <>
      <Button size={size} variant={variant} onClick={() => setOpened(true)}>
        {actionLabel(action)}
      </Button>
      {opened && (
        <Confirmation action={action} account={account} item={item} close={() => setOpened(false)} />
      )}
    </>
  );
}

interface ConfirmationProps {
  action: ActionName;
  account: string;
  item: ActionButtonProps["item"];
  close: () => void;
}

function Confirmation({ action, account, item, close }: ConfirmationProps) {
  const campaign = useApi<CampaignDetail>(`/api/v1/campaigns/${item.campaign}`);
  const token = useTokens()(item.token);
  const [run, dialogue] = useAccountAction();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const queries = useQueryClient();
  const confirm = async () => {
    setBusy(true);
    setError(null);
    try {
      const done = await run(account, () =>
        send<ActionDone>("POST", actionPath(item.campaign, action), { account }),
      );
      notifications.show({ title: `${actionLabel(action)}: done`, message: outcome(done), color: "teal" });
      void queries.invalidateQueries();
      close();
    } catch (failure) {
      if (!(failure instanceof Cancelled)) setError(failure);
      setBusy(false);
    }
  };
  const known = campaign.data ?? null;
  const text = consequence(action, {
    account,
    token,
    owed: item.owed,
    freeStake: item.free_stake,
    campaign: known,
  });
  return (
    <>
      <Modal opened={dialogue === null} onClose={close} title={actionTitle(action)} centered>
        <Stack>
          {campaign.isPending ? <Loading lines={2} /> : <Text size="sm">{text}</Text>}
          {error !== null && <ErrorPanel error={error} what="The transaction was not sent" />}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button
              color={isFinal(action) ? "red" : "indigo"}
              loading={busy}
              disabled={campaign.isPending}
              onClick={() => void confirm()}
            >
              {actionLabel(action)}
            </Button>
          </Group>
        </Stack>
      </Modal>
      {dialogue}
    </>
  );
}

export function outcome({ transaction, block, gas, transactions }: ActionDone): string {
  const sent =
    transactions.length > 1 ? `${count(transactions.length, "transaction")}, the last ` : "Transaction ";
  return `${sent}${middle(transaction)} in block ${integer(block)}, ${integer(gas)} gas.`;
}
